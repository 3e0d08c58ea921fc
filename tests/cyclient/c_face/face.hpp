// What the programs in C++ share: checks that are counted, and calls that must throw.
#ifndef FACE_HPP
#define FACE_HPP

#include <ssasync.hpp>

#include <cstdio>
#include <cstring>
#include <typeinfo>

static long checks, failures;

#define CHECK(...) check((__VA_ARGS__) ? true : false, #__VA_ARGS__, __FILE__, __LINE__)

static void check(bool holds, const char *what, const char *file, int line) {
    checks++;
    if (!holds) {
        failures++;
        std::printf("%s:%d: %s\n", file, line, what);
    }
}

// Whether the call throws exactly this class, with this in its text.
template <class Expected, class Call> void throws(Call call, const char *part, const char *file, int line) {
    bool right = false;
    try {
        call();
    } catch (const Expected &error) {
        right = typeid(error) == typeid(Expected) && std::strstr(error.what(), part);
        if (!right)
            std::printf("    says %s\n", error.what());
    } catch (const std::exception &error) {
        std::printf("    throws %s\n", error.what());
    }
    check(right, part, file, line);
}

#define THROWS(Expected, part, ...) throws<ssasync::Expected>([&] { __VA_ARGS__; }, part, __FILE__, __LINE__)

#endif
