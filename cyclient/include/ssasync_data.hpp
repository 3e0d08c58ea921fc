// What the C++ client throws, and what it sends and gets: arrays, tensors, datasets. Included by ssasync.hpp, which is what
// programs include.
#ifndef SSASYNC_DATA_HPP
#define SSASYNC_DATA_HPP

#if __cplusplus < 201703L
#error "ssasync.hpp needs C++17: compile with -std=c++17 or later"
#endif

#include <complex>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ssasync.h"

namespace ssasync {

// ---- Errors --------------------------------------------------------------------------------------------------------
//
// Error
// |-- InvalidArgument     the caller passed something unusable
// |-- OutOfMemory
// |-- ConnectionFailed    no connection, and nothing was carried out: address, reason, remedy
// |-- Disconnected        the connection broke, or the client was closed; what changes the store may or may not have been
// |                       carried out
// |-- OperationTimeout    no answer within the deadline
// |-- WaitTimeout         what was waited for did not appear
// |-- ServerError         the server refused; its text
// |   |-- NotPermitted    the role may not do this
// |   `-- StoreFull       the shard reached its memory limit
// |-- NotFound            nothing under this name
// |-- NotATensor          the key holds other bytes, or a header that contradicts itself
// |-- NotADataset         what is stored is no dataset, or lacks a part
// |-- WrongKind           the key holds another kind of value
// |-- TensorMismatch      what is stored does not fit the array, or the type that was asked for
// |-- ModelError          a worker answered with an error
// |   |-- BadModel  BadInput  ModelFailed
// |-- NoWorker            no model worker answers
// |-- BadWorkerList
// |-- NoShard             no shard of the cluster that may be followed has the key
// |-- NotSupported        this build, or this server, cannot do it
// |-- Cancelled
// |-- ForkedClient        the client was opened before a fork
// `-- InternalError       our fault: please report it

// A call that failed; `status` is what the C function returned.
class Error : public std::runtime_error {
public:
    Error(ssa_status status, const std::string &text) : std::runtime_error(text), status_(status) {}

    ssa_status status() const noexcept { return status_; }
    std::string_view status_name() const noexcept { return ssa_status_name(status_); }

private:
    ssa_status status_;
};

struct InvalidArgument : Error { using Error::Error; };
struct OutOfMemory : Error { using Error::Error; };
struct ConnectionFailed : Error { using Error::Error; };
struct Disconnected : Error { using Error::Error; };
struct OperationTimeout : Error { using Error::Error; };
struct WaitTimeout : Error { using Error::Error; };
struct ServerError : Error { using Error::Error; };
struct NotPermitted : ServerError { using ServerError::ServerError; };
struct StoreFull : ServerError { using ServerError::ServerError; };
struct NotFound : Error { using Error::Error; };
struct NotATensor : Error { using Error::Error; };
struct NotADataset : Error { using Error::Error; };
struct WrongKind : Error { using Error::Error; };
struct TensorMismatch : Error { using Error::Error; };
struct ModelError : Error { using Error::Error; };
struct BadModel : ModelError { using ModelError::ModelError; };
struct BadInput : ModelError { using ModelError::ModelError; };
struct ModelFailed : ModelError { using ModelError::ModelError; };
struct NoWorker : Error { using Error::Error; };
struct BadWorkerList : Error { using Error::Error; };
struct NoShard : Error { using Error::Error; };
struct NotSupported : Error { using Error::Error; };
struct Cancelled : Error { using Error::Error; };
struct ForkedClient : Error { using Error::Error; };
struct InternalError : Error { using Error::Error; };

// The exception of a status.
[[noreturn]] inline void raise(ssa_status status, const std::string &text) {
    switch (status) {
    case SSA_EARGUMENT:
    case SSA_ELIMIT: throw InvalidArgument(status, text);
    case SSA_ENOMEM: throw OutOfMemory(status, text);
    case SSA_ECONNECT: throw ConnectionFailed(status, text);
    case SSA_ECLOSED: throw Disconnected(status, text);
    case SSA_ETIMEOUT: throw OperationTimeout(status, text);
    case SSA_EWAIT: throw WaitTimeout(status, text);
    case SSA_ESERVER: throw ServerError(status, text);
    case SSA_EPERMISSION: throw NotPermitted(status, text);
    case SSA_EFULL: throw StoreFull(status, text);
    case SSA_ENOTFOUND: throw NotFound(status, text);
    case SSA_EHEADER:
    case SSA_EVERSION: throw NotATensor(status, text);
    case SSA_EDATASET: throw NotADataset(status, text);
    case SSA_ETYPE: throw WrongKind(status, text);
    case SSA_EDTYPE:
    case SSA_ESHAPE: throw TensorMismatch(status, text);
    case SSA_EMODEL: throw BadModel(status, text);
    case SSA_EINPUT: throw BadInput(status, text);
    case SSA_ERUN: throw ModelFailed(status, text);
    case SSA_ENOWORKER: throw NoWorker(status, text);
    case SSA_EWORKERLIST: throw BadWorkerList(status, text);
    case SSA_ETOPOLOGY: throw NoShard(status, text);
    case SSA_EUNSUPPORTED: throw NotSupported(status, text);
    case SSA_ECANCELLED: throw Cancelled(status, text);
    case SSA_EFORK: throw ForkedClient(status, text);
    case SSA_EINTERNAL: throw InternalError(status, text);
    case SSA_EPROTOCOL:
    case SSA_ESYSTEM:
    case SSA_OK:
    case SSA_MORE: break;
    }
    throw Error(status, text);
}

// ---- Elements and arrays -------------------------------------------------------------------------------------------

namespace detail {

template <class T> struct is_complex : std::false_type {};
template <class T> struct is_complex<std::complex<T>> : std::true_type {};

template <class> inline constexpr bool no_dtype = false;

template <class Handle, void (*Free)(Handle *)> struct Freed {
    void operator()(Handle *handle) const noexcept { Free(handle); }
};
template <class Handle, void (*Free)(Handle *)> using Owned = std::unique_ptr<Handle, Freed<Handle, Free>>;

} // namespace detail

// The dtype of elements of a C++ type.
template <class T> constexpr ssa_dtype dtype_of() noexcept {
    if constexpr (std::is_same_v<T, bool>)
        return SSA_BOOL;
    else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>)
        return sizeof(T) == 1 ? SSA_INT8 : sizeof(T) == 2 ? SSA_INT16 : sizeof(T) == 4 ? SSA_INT32 : SSA_INT64;
    else if constexpr (std::is_integral_v<T>)
        return sizeof(T) == 1 ? SSA_UINT8 : sizeof(T) == 2 ? SSA_UINT16 : sizeof(T) == 4 ? SSA_UINT32 : SSA_UINT64;
    else if constexpr (std::is_same_v<T, float>)
        return SSA_FLOAT32;
    else if constexpr (std::is_same_v<T, double>)
        return SSA_FLOAT64;
    else if constexpr (std::is_same_v<T, std::complex<float>>)
        return SSA_COMPLEX64;
    else if constexpr (std::is_same_v<T, std::complex<double>>)
        return SSA_COMPLEX128;
    else
        static_assert(detail::no_dtype<T>, "no dtype has elements of this type: describe the array by ssa_array");
}

// "float64", "int32" ...
inline const char *dtype_word(ssa_dtype dtype) noexcept {
    switch (dtype) {
    case SSA_BOOL: return "bool";
    case SSA_INT8: return "int8";
    case SSA_INT16: return "int16";
    case SSA_INT32: return "int32";
    case SSA_INT64: return "int64";
    case SSA_UINT8: return "uint8";
    case SSA_UINT16: return "uint16";
    case SSA_UINT32: return "uint32";
    case SSA_UINT64: return "uint64";
    case SSA_FLOAT16: return "float16";
    case SSA_FLOAT32: return "float32";
    case SSA_FLOAT64: return "float64";
    case SSA_BFLOAT16: return "bfloat16";
    case SSA_COMPLEX64: return "complex64";
    case SSA_COMPLEX128: return "complex128";
    case SSA_STRING: return "string";
    case SSA_UNICODE: return "unicode";
    }
    return "unknown";
}

using Shape = std::vector<std::int64_t>;

// Elements that somebody else owns.
template <class T> class Span {
public:
    constexpr Span() noexcept = default;
    constexpr Span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr T *begin() const noexcept { return data_; }
    constexpr T *end() const noexcept { return data_ + size_; }
    constexpr T &operator[](std::size_t place) const noexcept { return data_[place]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

class MutableArray;

// An array of the caller that is read: where it lies and how. The elements are borrowed, shape and strides are its own. A
// vector that nothing holds cannot be borrowed from; functions that need their elements no longer than a call take it.
class Array {
public:
    // One piece, row- or column-major.
    template <class T>
    Array(const T *data, Shape shape, ssa_layout layout = SSA_ROW_MAJOR)
        : Array(data, dtype_of<T>(), std::move(shape), layout) {}

    // A row.
    template <class T, class Allocator> Array(const std::vector<T, Allocator> &elements)
        : Array(elements.data(), {static_cast<std::int64_t>(elements.size())}) {
        static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no elements in memory");
    }
    template <class T, class Allocator> Array(const std::vector<T, Allocator> &&elements) = delete; // it is gone soon
    template <class T> Array(Span<T> elements) : Array(elements.data(), {static_cast<std::int64_t>(elements.size())}) {}

    // Of any dtype.
    Array(const void *data, ssa_dtype dtype, Shape shape, ssa_layout layout = SSA_ROW_MAJOR, std::size_t itemsize = 0)
        : shape_(std::move(shape)) {
        ssa_array_init(&array_, sizeof array_, data, dtype, nullptr, static_cast<int>(shape_.size()));
        array_.layout = layout;
        array_.itemsize = itemsize;
    }

    // Any distance in bytes between neighbours along each dimension. Gives an Array of const elements, of others a
    // MutableArray.
    template <class T> static auto strided(T *data, Shape shape, Shape strides);

    // T** for two dimensions, T*** for three: `rows` is what such a variable holds. As strided: const elements or const T
    // make an Array, others a MutableArray.
    template <class T, class Pointer> static auto nested(Pointer rows, Shape shape);

    const Shape &shape() const & noexcept { return shape_; }
    Shape shape() const && { return shape_; }

    // Borrowed from this object.
    ssa_array described() const & noexcept {
        ssa_array array = array_;
        array.shape = shape_.data();
        array.strides = strides_.data();
        return array;
    }
    ssa_array described() const && = delete;

private:
    ssa_array array_;
    Shape shape_, strides_;
};

// One that may be written: what an unpack fills. Made as an Array is, of elements that are not const.
class MutableArray : public Array {
public:
    template <class T, std::enable_if_t<!std::is_const_v<T>, int> = 0>
    MutableArray(T *data, Shape shape, ssa_layout layout = SSA_ROW_MAJOR) : Array(data, std::move(shape), layout) {}
    template <class T, class Allocator> MutableArray(std::vector<T, Allocator> &elements) : Array(elements) {}
    template <class T, std::enable_if_t<!std::is_const_v<T>, int> = 0>
    MutableArray(Span<T> elements) : Array(elements) {}
    MutableArray(void *data, ssa_dtype dtype, Shape shape, ssa_layout layout = SSA_ROW_MAJOR, std::size_t itemsize = 0)
        : Array(data, dtype, std::move(shape), layout, itemsize) {}
};

namespace detail {

// What is behind all pointers.
template <class T> struct behind { using type = T; };
template <class T> struct behind<T *> : behind<T> {};
template <class T> struct behind<T *const> : behind<T> {};

template <class T> using ArrayOf = std::conditional_t<std::is_const_v<T>, Array, MutableArray>;

} // namespace detail

template <class T> auto Array::strided(T *data, Shape shape, Shape strides) {
    detail::ArrayOf<T> array(data, std::move(shape), SSA_STRIDED);
    Array &made = array;
    made.strides_ = std::move(strides);
    if (made.strides_.size() != made.shape_.size())
        throw InvalidArgument(SSA_EARGUMENT, "strides cannot be " + std::to_string(made.strides_.size()) +
                                                 " numbers: give one for each dimension.");
    return array;
}

template <class T, class Pointer> auto Array::nested(Pointer rows, Shape shape) {
    using Element = typename detail::behind<std::decay_t<Pointer>>::type;
    static_assert(std::is_void_v<Element> || std::is_same_v<std::remove_const_t<Element>, std::remove_const_t<T>>,
                  "the rows have elements of another type");
    using Made = detail::ArrayOf<std::conditional_t<std::is_const_v<Element>, const T, T>>;
    using Rows = std::conditional_t<std::is_same_v<Made, Array>, const void *, void *>;
    // The pointers between are only read.
    return Made(const_cast<Rows>(static_cast<const void *>(rows)), dtype_of<std::remove_const_t<T>>(), std::move(shape),
                SSA_NESTED_POINTERS);
}

// A tensor that came from the store. It may outlive its client. It owns its elements, and lends them: what it gives points
// into it, so a tensor that nothing holds gives none. `for (double x : client.get_tensor("u").values<double>())` would read
// what is gone: hold the tensor in a variable, or take a copy (to_vector).
class Tensor {
public:
    explicit Tensor(ssa_tensor *tensor) noexcept : tensor_(tensor) {}

    ssa_dtype dtype() const noexcept { return ssa_tensor_dtype(tensor_.get()); }
    ssa_layout layout() const noexcept { return ssa_tensor_layout(tensor_.get()); }
    std::size_t bytes() const noexcept { return ssa_tensor_bytes(tensor_.get()); }
    std::size_t itemsize() const noexcept { return ssa_tensor_itemsize(tensor_.get()); }
    std::size_t size() const noexcept { return itemsize() ? bytes() / itemsize() : 0; } // elements
    Span<const std::int64_t> shape() const & noexcept {
        return {ssa_tensor_shape(tensor_.get()), static_cast<std::size_t>(ssa_tensor_ndim(tensor_.get()))};
    }
    Shape shape() const && {
        const Span<const std::int64_t> lent = shape();
        return {lent.begin(), lent.end()};
    }
    void *data() const & noexcept { return ssa_tensor_data(tensor_.get()); }
    void *data() const && = delete;
    void *nested() const & noexcept { return ssa_tensor_nested(tensor_.get()); } // T**, if it was asked for so
    void *nested() const && = delete;
    ssa_tensor *handle() const & noexcept { return tensor_.get(); }
    ssa_tensor *handle() const && = delete;

    // The elements, in one piece, owned by the tensor. Throws TensorMismatch: they are not of this type.
    template <class T> Span<T> values() const & {
        if (dtype() != dtype_of<std::remove_const_t<T>>())
            throw TensorMismatch(SSA_EDTYPE, std::string("the tensor has elements of dtype ") + dtype_word(dtype()) +
                                                 ", not " + dtype_word(dtype_of<std::remove_const_t<T>>()) + ".");
        return {static_cast<T *>(data()), size()};
    }
    template <class T> Span<T> values() const && = delete; // hold the tensor, or take to_vector
    template <class T> std::vector<T> to_vector() const {
        const Span<T> elements = values<T>();
        return std::vector<T>(elements.begin(), elements.end()); // in braces two pointers would be two elements of bool
    }

private:
    detail::Owned<ssa_tensor, ssa_tensor_free> tensor_;
};

namespace detail {

// Texts of the library as strings.
inline std::vector<std::string> strings(ssa_texts *texts) {
    const Owned<ssa_texts, ssa_texts_free> owned(texts);
    std::vector<std::string> strings;
    strings.reserve(ssa_texts_count(texts));
    std::size_t bytes = 0;
    for (std::size_t i = 0; const char *text = ssa_texts_at(texts, i, &bytes); i++)
        strings.emplace_back(text, bytes);
    return strings;
}

inline std::map<std::string, std::string> pairs(ssa_texts *texts) {
    std::map<std::string, std::string> pairs;
    std::vector<std::string> all = strings(texts);
    for (std::size_t i = 0; i + 1 < all.size(); i += 2)
        pairs.emplace(std::move(all[i]), std::move(all[i + 1]));
    return pairs;
}

} // namespace detail

// ---- Datasets ------------------------------------------------------------------------------------------------------

// Tensors, bytes and metadata under one name, in memory.
class Dataset {
public:
    explicit Dataset(std::string_view name) {
        ssa_dataset *made = nullptr;
        const ssa_status status = ssa_dataset_new(name.data(), name.size(), &made);
        if (status == SSA_ENOMEM)
            raise(status, "no memory for dataset '" + std::string(name) + "'.");
        if (status < 0)
            raise(status, "a dataset cannot be called '" + std::string(name) +
                              "': use 1 to 1,024 bytes without braces and NUL.");
        dataset_.reset(made);
    }
    explicit Dataset(ssa_dataset *dataset) noexcept : dataset_(dataset) {}

    std::string name() const {
        std::size_t bytes = 0;
        const char *text = ssa_dataset_get_name(handle(), &bytes);
        return {text, bytes};
    }
    ssa_dataset *handle() const & noexcept { return dataset_.get(); }
    ssa_dataset *handle() const && = delete;

    void add_tensor(std::string_view name, const Array &array) {
        const ssa_array described = array.described();
        check(ssa_add_tensor(handle(), name.data(), name.size(), &described));
    }
    // Also of one that is gone behind the call.
    template <class T, class Allocator>
    void add_tensor(std::string_view name, const std::vector<T, Allocator> &elements) {
        add_tensor(name, Array(elements));
    }
    void add_bytes(std::string_view name, std::string_view bytes) {
        check(ssa_add_bytes(handle(), name.data(), name.size(), bytes.data(), bytes.size()));
    }
    template <class T> void add_meta_scalar(std::string_view name, T value) {
        check(ssa_add_meta_scalar(handle(), name.data(), name.size(), &value, dtype_of<T>()));
    }
    void add_meta_string(std::string_view name, std::string_view text) {
        check(ssa_add_meta_string(handle(), name.data(), name.size(), text.data(), text.size()));
    }

    Tensor get_tensor(std::string_view name, ssa_layout layout = SSA_ROW_MAJOR) const {
        ssa_tensor *tensor = nullptr;
        check(ssa_get_dataset_tensor(handle(), name.data(), name.size(), layout, &tensor));
        return Tensor(tensor);
    }
    void unpack_tensor(std::string_view name, const MutableArray &into) const {
        const ssa_array described = into.described();
        check(ssa_unpack_dataset_tensor(handle(), name.data(), name.size(), &described));
    }
    // Valid until the dataset is changed.
    std::string_view get_bytes(std::string_view name) const & {
        const void *data = nullptr;
        std::size_t bytes = 0;
        check(ssa_get_dataset_bytes(handle(), name.data(), name.size(), &data, &bytes));
        return {static_cast<const char *>(data), bytes};
    }
    std::string_view get_bytes(std::string_view name) const && = delete; // hold the dataset
    // Throws TensorMismatch: they are of another type.
    template <class T> std::vector<T> get_meta_scalars(std::string_view name) const {
        const void *values = nullptr;
        std::size_t count = 0;
        ssa_dtype type{};
        check(ssa_get_meta_scalars(handle(), name.data(), name.size(), &values, &count, &type));
        if (type != dtype_of<T>())
            throw TensorMismatch(SSA_EDTYPE, "metadata '" + std::string(name) + "' of dataset '" + this->name() +
                                                 "' are " + dtype_word(type) + ", not " + dtype_word(dtype_of<T>()) +
                                                 ": ask for the type that they have (get_metadata_field_type).");
        const T *first = static_cast<const T *>(values);
        return std::vector<T>(first, first + count); // no braces, as above
    }
    std::vector<std::string> get_meta_strings(std::string_view name) const {
        ssa_texts *texts = nullptr;
        check(ssa_get_meta_strings(handle(), name.data(), name.size(), &texts));
        return detail::strings(texts);
    }
    std::vector<std::string> get_tensor_names() const { return names(ssa_get_tensor_names); }
    std::vector<std::string> get_bytes_names() const { return names(ssa_get_bytes_names); }
    std::vector<std::string> get_metadata_field_names() const { return names(ssa_get_metadata_field_names); }
    ssa_dtype get_tensor_type(std::string_view name) const {
        ssa_dtype type{};
        check(ssa_get_tensor_type(handle(), name.data(), name.size(), &type));
        return type;
    }
    Shape get_tensor_dims(std::string_view name) const {
        const std::int64_t *shape = nullptr;
        int ndim = 0;
        check(ssa_get_tensor_dims(handle(), name.data(), name.size(), &shape, &ndim));
        return {shape, shape + ndim};
    }
    ssa_dtype get_metadata_field_type(std::string_view name) const {
        ssa_dtype type{};
        check(ssa_get_metadata_field_type(handle(), name.data(), name.size(), &type));
        return type;
    }
    bool has_field(std::string_view name) const {
        int has = 0;
        check(ssa_has_field(handle(), name.data(), name.size(), &has));
        return has != 0;
    }

    // Taken out of the dataset, not out of the store.
    void remove_tensor(std::string_view name) { check(ssa_remove_tensor(handle(), name.data(), name.size())); }
    void remove_bytes(std::string_view name) { check(ssa_remove_bytes(handle(), name.data(), name.size())); }
    void clear_field(std::string_view name) { check(ssa_clear_field(handle(), name.data(), name.size())); }

private:
    void check(ssa_status status) const {
        if (status < 0)
            raise(status, ssa_dataset_error(handle()));
    }
    std::vector<std::string> names(ssa_status (*get)(ssa_dataset *, ssa_texts **)) const {
        ssa_texts *texts = nullptr;
        check(get(handle(), &texts));
        return detail::strings(texts);
    }

    detail::Owned<ssa_dataset, ssa_dataset_free> dataset_;
};

} // namespace ssasync

#endif
