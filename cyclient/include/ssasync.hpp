// ssasync.hpp: the ssasync client for C++17, header only, over ssasync.h.
//
//     c++ -std=c++17 program.cpp $(ssasync config --cflags --libs)
//
// Objects own their handles, failures are exceptions of the class ssasync::Error.
#ifndef SSASYNC_HPP
#define SSASYNC_HPP

#if __cplusplus < 201703L
#error "ssasync.hpp needs C++17: compile with -std=c++17 or later"
#endif

#include <stdexcept>
#include <string>
#include <string_view>

#include "ssasync.h"

namespace ssasync {

// ---- Library -------------------------------------------------------------------------------------------------------

// The version of the library that runs; SSA_VERSION_TEXT is that of the header.
inline std::string_view version() noexcept { return ssa_version(); }

// What was chosen when the library was built: "tls" or "".
inline std::string_view features() noexcept { return ssa_features(); }

// ---- Errors --------------------------------------------------------------------------------------------------------

// A call that failed: the text names thing, value and remedy; `status` is what the C function returned.
class Error : public std::runtime_error {
public:
    Error(ssa_status status, const std::string &text) : std::runtime_error(text), status_(status) {}

    ssa_status status() const noexcept { return status_; }
    std::string_view status_name() const noexcept { return ssa_status_name(status_); }

private:
    ssa_status status_;
};

} // namespace ssasync

#endif
