// ssasync.hpp: the ssasync client for C++17, header only, over ssasync.h, where everything is said at length.
//
//     c++ -std=c++17 program.cpp $(ssasync config --cflags --libs)
//
//     ssasync::Client client;                                     // of the store that the environment names
//     client.put_tensor("u", std::vector<double>{1, 2, 3});
//     std::vector<double> u = client.get_tensor("u").to_vector<double>();
//
// Objects own their handles: they can be moved, not copied. Failures are exceptions (ssasync::Error and its children),
// whose text names thing, value and remedy. Threads may share a Client; the other objects are used by one thread at a
// time.
#ifndef SSASYNC_HPP
#define SSASYNC_HPP

#include "ssasync_data.hpp"

namespace ssasync {

// ---- Library -------------------------------------------------------------------------------------------------------

// The version of the library that runs; SSA_VERSION_TEXT is that of the header.
inline std::string_view version() noexcept { return ssa_version(); }

// What was chosen when the library was built: "tls" or "".
inline std::string_view features() noexcept { return ssa_features(); }

inline constexpr double client_timeout = -1.0; // as a timeout: the client's own
inline constexpr double no_timeout = std::numeric_limits<double>::infinity();

// ---- Futures -------------------------------------------------------------------------------------------------------

// An operation that was started. The caller's array is borrowed until it is done. Destroyed before, it is cancelled.
class Future {
public:
    explicit Future(ssa_future *future) noexcept : future_(future) {}

    // Whether it is done, without waiting. Throws what it ended with.
    bool test() { return told(ssa_future_test(handle())); }
    // Wait until it is done, so many seconds at most; negative: as long as it may take. Whether it is. Throws as
    // test().
    bool wait(double timeout = client_timeout) { return told(ssa_future_wait(handle(), timeout)); }
    // The caller's array is the caller's again.
    void cancel() { told(ssa_future_cancel(handle())); }
    // What a get got, once; waits for it.
    Tensor tensor() {
        wait();
        ssa_tensor *tensor = nullptr;
        told(ssa_future_tensor(handle(), &tensor));
        return Tensor(tensor);
    }
    // What an infer got, once; waits for it.
    std::vector<Tensor> outputs() {
        wait();
        std::size_t count = 0;
        ssa_tensor *none = nullptr;
        ssa_status status = ssa_future_outputs(handle(), &none, &count); // says how many
        std::vector<ssa_tensor *> handles(count);
        if (status == SSA_ELIMIT)
            status = ssa_future_outputs(handle(), handles.data(), &count);
        told(status);
        std::vector<Tensor> outputs;
        outputs.reserve(count);
        for (ssa_tensor *tensor : handles)
            outputs.emplace_back(tensor);
        return outputs;
    }
    ssa_future *handle() const & noexcept { return future_.get(); }
    ssa_future *handle() const && = delete;

private:
    bool told(ssa_status status) const {
        if (status < 0)
            raise(status, ssa_future_error(handle()));
        return status == SSA_OK;
    }

    detail::Owned<ssa_future, ssa_future_free> future_;
};

namespace detail {

// The first that there is has the text.
[[noreturn]] inline void raise_of_futures(ssa_status status, const std::vector<ssa_future *> &futures) {
    for (const ssa_future *future : futures)
        if (future)
            raise(status, ssa_future_error(future));
    raise(status, "futures cannot be none: give at least one that was not moved from.");
}

} // namespace detail

// The place of one that is done, however it ended; nothing: none is after so many seconds. All of one client.
inline std::optional<std::size_t> wait_any(const std::vector<Future> &futures, double timeout = client_timeout) {
    std::vector<ssa_future *> handles;
    handles.reserve(futures.size());
    for (const Future &future : futures)
        handles.push_back(future.handle());
    std::size_t index = 0;
    const ssa_status status = ssa_wait_any(handles.data(), handles.size(), timeout, &index);
    if (status < 0)
        detail::raise_of_futures(status, handles);
    return status == SSA_OK ? std::optional<std::size_t>(index) : std::nullopt;
}

// ---- Models --------------------------------------------------------------------------------------------------------

// How a model or script is to be served.
struct ModelDescription {
    std::string backend = "TORCH", device = "CPU"; // "CPU", "GPU", "GPU:<n>"
    int first_gpu = 0, num_gpus = 0;               // num_gpus above 0: one copy for each, whatever the device
    std::int64_t batch_size = 0, min_batch_size = 0, min_batch_timeout = 0; // rows, rows, milliseconds
    std::string tag, inputs, outputs;              // names with commas between
};

using Names = std::vector<std::string>;

namespace detail {

// Names as C takes them, borrowed.
class NameList {
public:
    explicit NameList(const Names &names) {
        for (const std::string &name : names) {
            texts_.push_back(name.data());
            bytes_.push_back(name.size());
        }
    }
    ssa_names names() const noexcept { return {texts_.data(), bytes_.data(), texts_.size()}; }

private:
    std::vector<const char *> texts_;
    std::vector<std::size_t> bytes_;
};

// As C takes them, borrowed.
inline ssa_model_description described(const ModelDescription &description) noexcept {
    ssa_model_description given;
    ssa_model_description_init(&given, sizeof given);
    given.backend = description.backend.c_str();
    given.device = description.device.c_str();
    given.first_gpu = description.first_gpu;
    given.num_gpus = description.num_gpus;
    given.batch_size = description.batch_size;
    given.min_batch_size = description.min_batch_size;
    given.min_batch_timeout = description.min_batch_timeout;
    given.tag = description.tag.c_str();
    given.inputs = description.inputs.c_str();
    given.outputs = description.outputs.c_str();
    return given;
}

inline std::vector<ssa_array> described(const std::vector<Array> &arrays) {
    std::vector<ssa_array> described;
    described.reserve(arrays.size());
    for (const Array &array : arrays)
        described.push_back(array.described());
    return described;
}

inline std::string first_string(ssa_texts *texts) {
    std::vector<std::string> all = strings(texts);
    return all.empty() ? std::string() : std::move(all.front());
}

inline std::vector<Dataset> datasets(ssa_datasets *all) {
    const Owned<ssa_datasets, ssa_datasets_free> owned(all);
    std::vector<Dataset> taken;
    taken.reserve(ssa_datasets_count(all));
    for (std::size_t i = 0; i < ssa_datasets_count(all); i++)
        taken.emplace_back(ssa_datasets_take(all, i));
    return taken;
}

} // namespace detail

// ---- Client --------------------------------------------------------------------------------------------------------

// What a client is to know; what is not set comes from the environment, or by default.
struct Options {
    std::optional<std::string> address, user, password, identifier;
    std::optional<double> timeout; // seconds
    std::optional<bool> bulk_connection, trust_topology, tls;
    std::optional<std::int64_t> value_limit; // bytes
    std::optional<ssa_log_level> log_level;
    std::optional<std::string> log_file, tls_ca, tls_cert, tls_key, tls_name;
    std::optional<std::string> write_prefix, read_prefixes; // the latter with commas between
    std::optional<std::string> server_type;                 // "any", "standalone" or "clustered"
    // Called in the middle of the client's work: must not call it, nor throw.
    std::function<void(ssa_log_level, std::string_view)> log_sink;
};

// One request made of a simulation.
struct ControlRequest {
    std::string kind, name, value;
};

class Batch; // ssasync_batch.hpp

class Client {
public:
    // Of the store that the environment names. It connects at the first operation.
    Client() : Client(Options{}) {}

    explicit Client(const Options &options) {
        ssa_options given;
        ssa_options_init(&given, sizeof given);
        given.address = text(options.address);
        given.user = text(options.user);
        given.password = text(options.password);
        given.identifier = text(options.identifier);
        given.timeout = options.timeout.value_or(given.timeout);
        given.bulk_connection = flag(options.bulk_connection);
        given.trust_topology = flag(options.trust_topology);
        given.value_limit = options.value_limit.value_or(given.value_limit);
        given.log_level = options.log_level ? static_cast<int>(*options.log_level) : given.log_level;
        given.log_file = text(options.log_file);
        given.tls = flag(options.tls);
        given.tls_ca = text(options.tls_ca);
        given.tls_cert = text(options.tls_cert);
        given.tls_key = text(options.tls_key);
        given.tls_name = text(options.tls_name);
        given.write_prefix = text(options.write_prefix);
        given.read_prefixes = text(options.read_prefixes);
        given.server_type = text(options.server_type);
        if (options.log_sink) {
            sink_ = std::make_unique<Sink>(options.log_sink);
            given.log_sink = [](void *user, ssa_log_level level, const char *line, std::size_t bytes) {
                (*static_cast<Sink *>(user))(level, {line, bytes});
            };
            given.log_user = sink_.get();
        }
        refuse_negative("timeout", options.timeout.value_or(0), "a positive number of seconds");
        refuse_negative("value_limit", options.value_limit.value_or(0), "bytes, or 0 for none");
        ssa_client *made = nullptr;
        const ssa_status status = ssa_client_new(&given, &made);
        client_.reset(made);
        if (status < 0)
            raise(status, ssa_client_error(made));
    }

    ssa_client *handle() const & noexcept { return client_.get(); }
    ssa_client *handle() const && = delete;

    std::string describe() const {
        std::size_t bytes = 0;
        check(ssa_client_describe(handle(), nullptr, 0, &bytes));
        std::string text(bytes + 1, '\0');
        check(ssa_client_describe(handle(), text.data(), text.size(), &bytes));
        text.resize(bytes);
        return text;
    }
    void set_timeout(double seconds) { check(ssa_client_set_timeout(handle(), seconds)); }
    // Counters since it was opened.
    ssa_statistics statistics() const {
        ssa_statistics statistics{};
        check(ssa_client_statistics(handle(), &statistics, sizeof statistics));
        return statistics;
    }
    // An empty one: operations that are carried out together.
    Batch batch();

    // ---- prefixes

    void set_data_source(std::string_view source) {
        check(ssa_set_data_source(handle(), source.data(), source.size()));
    }
    void use_tensor_ensemble_prefix(bool use) { check(ssa_use_tensor_ensemble_prefix(handle(), use)); }
    void use_dataset_ensemble_prefix(bool use) { check(ssa_use_dataset_ensemble_prefix(handle(), use)); }
    void use_list_ensemble_prefix(bool use) { check(ssa_use_list_ensemble_prefix(handle(), use)); }
    void use_model_ensemble_prefix(bool use) { check(ssa_use_model_ensemble_prefix(handle(), use)); }

    // ---- tensors

    void put_tensor(std::string_view name, const Array &array, double timeout = client_timeout) {
        const ssa_array described = array.described();
        check(ssa_put_tensor(handle(), name.data(), name.size(), &described, timeout));
    }
    // Also of one that is gone behind the call.
    template <class T, class Allocator>
    void put_tensor(std::string_view name, const std::vector<T, Allocator> &elements, double timeout = client_timeout) {
        put_tensor(name, Array(elements), timeout);
    }
    Tensor get_tensor(std::string_view name, ssa_layout layout = SSA_ROW_MAJOR, double timeout = client_timeout) {
        ssa_tensor *tensor = nullptr;
        check(ssa_get_tensor(handle(), name.data(), name.size(), layout, &tensor, timeout));
        return Tensor(tensor);
    }
    void unpack_tensor(std::string_view name, const MutableArray &into, double timeout = client_timeout) {
        const ssa_array described = into.described();
        check(ssa_unpack_tensor(handle(), name.data(), name.size(), &described, timeout));
    }
    // Whichever of a tensor, bytes and a list is called so: to ask, wait and poll for it, and its time to live, too.
    void delete_tensor(std::string_view name, double timeout = client_timeout) { on(ssa_delete_tensor, name, timeout); }
    bool tensor_exists(std::string_view name, double timeout = client_timeout) {
        return is(ssa_tensor_exists, name, timeout);
    }
    void wait_for_tensor(std::string_view name, double timeout = client_timeout) {
        on(ssa_wait_for_tensor, name, timeout);
    }
    bool poll_tensor(std::string_view name, std::int64_t frequency_ms, std::int64_t tries,
                     double timeout = client_timeout) {
        return poll(ssa_poll_tensor, name, frequency_ms, tries, timeout);
    }
    void copy_tensor(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_copy_tensor, source, target, timeout);
    }
    void rename_tensor(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_rename_tensor, source, target, timeout);
    }
    void set_tensor_ttl(std::string_view name, double seconds, double timeout = client_timeout) {
        check(ssa_set_tensor_ttl(handle(), name.data(), name.size(), seconds, timeout));
    }
    double get_tensor_ttl(std::string_view name, double timeout = client_timeout) {
        double seconds = 0;
        check(ssa_get_tensor_ttl(handle(), name.data(), name.size(), &seconds, timeout));
        return seconds;
    }
    void persist_tensor(std::string_view name, double timeout = client_timeout) {
        on(ssa_persist_tensor, name, timeout);
    }

    Future start_put_tensor(std::string_view name, const Array &array, double timeout = client_timeout) {
        const ssa_array described = array.described();
        ssa_future *future = nullptr;
        check(ssa_start_put_tensor(handle(), name.data(), name.size(), &described, timeout, &future));
        return Future(future);
    }
    Future start_get_tensor(std::string_view name, ssa_layout layout = SSA_ROW_MAJOR, double timeout = client_timeout) {
        ssa_future *future = nullptr;
        check(ssa_start_get_tensor(handle(), name.data(), name.size(), layout, timeout, &future));
        return Future(future);
    }
    Future start_unpack_tensor(std::string_view name, const MutableArray &into, double timeout = client_timeout) {
        const ssa_array described = into.described();
        ssa_future *future = nullptr;
        check(ssa_start_unpack_tensor(handle(), name.data(), name.size(), &described, timeout, &future));
        return Future(future);
    }

    // ---- bytes

    void put_bytes(std::string_view name, std::string_view bytes, double timeout = client_timeout) {
        check(ssa_put_bytes(handle(), name.data(), name.size(), bytes.data(), bytes.size(), timeout));
    }
    std::string get_bytes(std::string_view name, double timeout = client_timeout) {
        ssa_tensor *came = nullptr;
        check(ssa_get_bytes(handle(), name.data(), name.size(), &came, timeout));
        const Tensor tensor(came);
        return {static_cast<const char *>(tensor.data()), tensor.bytes()};
    }
    void delete_bytes(std::string_view name, double timeout = client_timeout) { on(ssa_delete_bytes, name, timeout); }
    bool bytes_exists(std::string_view name, double timeout = client_timeout) {
        return is(ssa_bytes_exists, name, timeout);
    }

    // ---- datasets and lists of them

    void put_dataset(Dataset &dataset, double timeout = client_timeout) {
        check(ssa_put_dataset(handle(), dataset.handle(), timeout));
    }
    Dataset get_dataset(std::string_view name, double timeout = client_timeout) {
        ssa_dataset *dataset = nullptr;
        check(ssa_get_dataset(handle(), name.data(), name.size(), &dataset, timeout));
        return Dataset(dataset);
    }
    void delete_dataset(std::string_view name, double timeout = client_timeout) {
        on(ssa_delete_dataset, name, timeout);
    }
    bool dataset_exists(std::string_view name, double timeout = client_timeout) {
        return is(ssa_dataset_exists, name, timeout);
    }
    void wait_for_dataset(std::string_view name, double timeout = client_timeout) {
        on(ssa_wait_for_dataset, name, timeout);
    }
    bool poll_dataset(std::string_view name, std::int64_t frequency_ms, std::int64_t tries,
                      double timeout = client_timeout) {
        return poll(ssa_poll_dataset, name, frequency_ms, tries, timeout);
    }
    void copy_dataset(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_copy_dataset, source, target, timeout);
    }
    void rename_dataset(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_rename_dataset, source, target, timeout);
    }

    void set_dataset_ttl(std::string_view name, double seconds, double timeout = client_timeout) {
        check(ssa_set_dataset_ttl(handle(), name.data(), name.size(), seconds, timeout));
    }
    double get_dataset_ttl(std::string_view name, double timeout = client_timeout) {
        double seconds = 0;
        check(ssa_get_dataset_ttl(handle(), name.data(), name.size(), &seconds, timeout));
        return seconds;
    }
    void persist_dataset(std::string_view name, double timeout = client_timeout) {
        on(ssa_persist_dataset, name, timeout);
    }

    void append_to_list(std::string_view list, std::string_view dataset, double timeout = client_timeout) {
        from_to(ssa_append_to_list, list, dataset, timeout);
    }
    std::int64_t get_list_length(std::string_view list, double timeout = client_timeout) {
        std::int64_t length = 0;
        check(ssa_get_list_length(handle(), list.data(), list.size(), &length, timeout));
        return length;
    }
    void delete_list(std::string_view list, double timeout = client_timeout) { on(ssa_delete_list, list, timeout); }
    void set_list_ttl(std::string_view list, double seconds, double timeout = client_timeout) {
        check(ssa_set_list_ttl(handle(), list.data(), list.size(), seconds, timeout));
    }
    double get_list_ttl(std::string_view list, double timeout = client_timeout) {
        double seconds = 0;
        check(ssa_get_list_ttl(handle(), list.data(), list.size(), &seconds, timeout));
        return seconds;
    }
    void persist_list(std::string_view list, double timeout = client_timeout) { on(ssa_persist_list, list, timeout); }
    void copy_list(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_copy_list, source, target, timeout);
    }
    void rename_list(std::string_view source, std::string_view target, double timeout = client_timeout) {
        from_to(ssa_rename_list, source, target, timeout);
    }
    std::vector<Dataset> get_datasets_from_list(std::string_view list, double timeout = client_timeout) {
        ssa_datasets *all = nullptr;
        check(ssa_get_datasets_from_list(handle(), list.data(), list.size(), &all, timeout));
        return detail::datasets(all);
    }
    std::vector<Dataset> get_dataset_list_range(std::string_view list, std::int64_t from, std::int64_t to,
                                                double timeout = client_timeout) {
        ssa_datasets *all = nullptr;
        check(ssa_get_dataset_list_range(handle(), list.data(), list.size(), from, to, &all, timeout));
        return detail::datasets(all);
    }
    void wait_for_list_length(std::string_view list, std::int64_t length,
                              ssa_comparison comparison = SSA_COMPARE_AT_LEAST, double timeout = client_timeout) {
        check(ssa_wait_for_list_length(handle(), list.data(), list.size(), length, comparison, timeout));
    }
    bool poll_list_length(std::string_view list, std::int64_t length, std::int64_t frequency_ms, std::int64_t tries,
                          double timeout = client_timeout) {
        return poll_length(ssa_poll_list_length, list, length, frequency_ms, tries, timeout);
    }
    bool poll_list_length_gte(std::string_view list, std::int64_t length, std::int64_t frequency_ms, std::int64_t tries,
                              double timeout = client_timeout) {
        return poll_length(ssa_poll_list_length_gte, list, length, frequency_ms, tries, timeout);
    }
    bool poll_list_length_lte(std::string_view list, std::int64_t length, std::int64_t frequency_ms, std::int64_t tries,
                              double timeout = client_timeout) {
        return poll_length(ssa_poll_list_length_lte, list, length, frequency_ms, tries, timeout);
    }

    // ---- keys, models, scripts

    bool key_exists(std::string_view key, double timeout = client_timeout) { return is(ssa_key_exists, key, timeout); }
    void wait_for_key(std::string_view key, double timeout = client_timeout) { on(ssa_wait_for_key, key, timeout); }
    bool poll_key(std::string_view key, std::int64_t frequency_ms, std::int64_t tries,
                  double timeout = client_timeout) {
        return poll(ssa_poll_key, key, frequency_ms, tries, timeout);
    }
    bool model_exists(std::string_view name, double timeout = client_timeout) {
        return is(ssa_model_exists, name, timeout);
    }
    bool script_exists(std::string_view name, double timeout = client_timeout) {
        return is(ssa_script_exists, name, timeout);
    }
    void wait_for_model(std::string_view name, double timeout = client_timeout) {
        on(ssa_wait_for_model, name, timeout);
    }
    bool poll_model(std::string_view name, std::int64_t frequency_ms, std::int64_t tries,
                    double timeout = client_timeout) {
        return poll(ssa_poll_model, name, frequency_ms, tries, timeout);
    }

    // model, script: the bytes.
    void set_model(std::string_view name, std::string_view model, const ModelDescription &description = {},
                   double timeout = client_timeout) {
        set(ssa_set_model, name, model, description, timeout);
    }
    void set_model_from_file(std::string_view name, std::string_view file, const ModelDescription &description = {},
                             double timeout = client_timeout) {
        set(ssa_set_model_from_file, name, file, description, timeout);
    }
    void set_script(std::string_view name, std::string_view script, const ModelDescription &description = {},
                    double timeout = client_timeout) {
        set(ssa_set_script, name, script, description, timeout);
    }
    void set_script_from_file(std::string_view name, std::string_view file, const ModelDescription &description = {},
                              double timeout = client_timeout) {
        set(ssa_set_script_from_file, name, file, description, timeout);
    }
    // A copy for each of GPU:<first_gpu>, GPU:<first_gpu + 1> ...
    void set_model_multigpu(std::string_view name, std::string_view model, int first_gpu, int num_gpus,
                            const ModelDescription &description = {}, double timeout = client_timeout) {
        const ssa_model_description given = detail::described(description);
        check(ssa_set_model_multigpu(handle(), name.data(), name.size(), model.data(), model.size(), first_gpu, num_gpus,
                                     &given, timeout));
    }
    void set_model_from_file_multigpu(std::string_view name, std::string_view file, int first_gpu, int num_gpus,
                                      const ModelDescription &description = {}, double timeout = client_timeout) {
        const ssa_model_description given = detail::described(description);
        check(ssa_set_model_from_file_multigpu(handle(), name.data(), name.size(), file.data(), file.size(), first_gpu,
                                               num_gpus, &given, timeout));
    }
    void set_script_multigpu(std::string_view name, std::string_view script, int first_gpu, int num_gpus,
                             double timeout = client_timeout) {
        check(ssa_set_script_multigpu(handle(), name.data(), name.size(), script.data(), script.size(), first_gpu,
                                      num_gpus, timeout));
    }
    void set_script_from_file_multigpu(std::string_view name, std::string_view file, int first_gpu, int num_gpus,
                                       double timeout = client_timeout) {
        check(ssa_set_script_from_file_multigpu(handle(), name.data(), name.size(), file.data(), file.size(), first_gpu,
                                                num_gpus, timeout));
    }
    std::string get_model(std::string_view name, double timeout = client_timeout) {
        return blob(ssa_get_model, name, timeout);
    }
    std::string get_script(std::string_view name, double timeout = client_timeout) {
        return blob(ssa_get_script, name, timeout);
    }
    std::map<std::string, std::string> get_model_metadata(std::string_view name, double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(ssa_get_model_metadata(handle(), name.data(), name.size(), &texts, timeout));
        return detail::pairs(texts);
    }
    std::map<std::string, std::string> get_script_metadata(std::string_view name, double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(ssa_get_script_metadata(handle(), name.data(), name.size(), &texts, timeout));
        return detail::pairs(texts);
    }
    void delete_model(std::string_view name, double timeout = client_timeout) { on(ssa_delete_model, name, timeout); }
    void delete_script(std::string_view name, double timeout = client_timeout) { on(ssa_delete_script, name, timeout); }
    void delete_model_multigpu(std::string_view name, int first_gpu, int num_gpus, double timeout = client_timeout) {
        check(ssa_delete_model_multigpu(handle(), name.data(), name.size(), first_gpu, num_gpus, timeout));
    }
    void delete_script_multigpu(std::string_view name, int first_gpu, int num_gpus, double timeout = client_timeout) {
        check(ssa_delete_script_multigpu(handle(), name.data(), name.size(), first_gpu, num_gpus, timeout));
    }

    // inputs, outputs: names of tensors in the store.
    void run_model(std::string_view name, const Names &inputs, const Names &outputs, double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        check(ssa_run_model(handle(), name.data(), name.size(), in.names(), out.names(), timeout));
    }
    void run_model_multigpu(std::string_view name, const Names &inputs, const Names &outputs, std::int64_t offset,
                            int first_gpu, int num_gpus, double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        check(ssa_run_model_multigpu(handle(), name.data(), name.size(), in.names(), out.names(), offset, first_gpu,
                                     num_gpus, timeout));
    }
    void run_script(std::string_view name, std::string_view function, const Names &inputs, const Names &outputs,
                    double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        check(ssa_run_script(handle(), name.data(), name.size(), function.data(), function.size(), in.names(),
                             out.names(), timeout));
    }
    void run_script_multigpu(std::string_view name, std::string_view function, const Names &inputs,
                             const Names &outputs, std::int64_t offset, int first_gpu, int num_gpus,
                             double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        check(ssa_run_script_multigpu(handle(), name.data(), name.size(), function.data(), function.size(), in.names(),
                                      out.names(), offset, first_gpu, num_gpus, timeout));
    }
    // It waits for what was started before it and changes its inputs. Until it is done they must not be overwritten, nor
    // its outputs asked for: the worker reads and computes at its own time. So too for the other forms.
    Future start_run_model(std::string_view name, const Names &inputs, const Names &outputs,
                           double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        ssa_future *future = nullptr;
        check(ssa_start_run_model(handle(), name.data(), name.size(), in.names(), out.names(), timeout, &future));
        return Future(future);
    }
    Future start_run_model_multigpu(std::string_view name, const Names &inputs, const Names &outputs,
                                    std::int64_t offset, int first_gpu, int num_gpus, double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        ssa_future *future = nullptr;
        check(ssa_start_run_model_multigpu(handle(), name.data(), name.size(), in.names(), out.names(), offset,
                                           first_gpu, num_gpus, timeout, &future));
        return Future(future);
    }
    Future start_run_script(std::string_view name, std::string_view function, const Names &inputs, const Names &outputs,
                            double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        ssa_future *future = nullptr;
        check(ssa_start_run_script(handle(), name.data(), name.size(), function.data(), function.size(), in.names(),
                                   out.names(), timeout, &future));
        return Future(future);
    }
    Future start_run_script_multigpu(std::string_view name, std::string_view function, const Names &inputs,
                                     const Names &outputs, std::int64_t offset, int first_gpu, int num_gpus,
                                     double timeout = client_timeout) {
        const detail::NameList in(inputs), out(outputs);
        ssa_future *future = nullptr;
        check(ssa_start_run_script_multigpu(handle(), name.data(), name.size(), function.data(), function.size(),
                                            in.names(), out.names(), offset, first_gpu, num_gpus, timeout, &future));
        return Future(future);
    }

    // On the caller's arrays; nothing is left in the store.
    std::vector<Tensor> infer(std::string_view model, const std::vector<Array> &inputs,
                              double timeout = client_timeout) {
        Future future = start_infer(model, inputs, timeout);
        return future.outputs();
    }
    Future start_infer(std::string_view model, const std::vector<Array> &inputs, double timeout = client_timeout) {
        const std::vector<ssa_array> described = detail::described(inputs);
        ssa_future *future = nullptr;
        check(ssa_start_infer(handle(), model.data(), model.size(), described.data(), described.size(), timeout,
                              &future));
        return Future(future);
    }

    // ---- what a simulation is asked for; entity: "" for the prefix of this client

    // Each request once; after an error they come with the next poll, but after std::bad_alloc (those of this one are lost).
    std::vector<ControlRequest> control_poll(std::string_view entity = {}, double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(ssa_control_poll(handle(), entity.data(), entity.size(), &texts, timeout));
        std::vector<std::string> words = detail::strings(texts);
        std::vector<ControlRequest> requests;
        for (std::size_t i = 0; i + 2 < words.size(); i += 3)
            requests.push_back({std::move(words[i]), std::move(words[i + 1]), std::move(words[i + 2])});
        return requests;
    }
    void control_send(std::string_view entity, std::string_view kind, std::string_view name = {},
                      std::string_view value = {}, double timeout = client_timeout) {
        check(ssa_control_send(handle(), entity.data(), entity.size(), kind.data(), kind.size(), name.data(),
                               name.size(), value.data(), value.size(), timeout));
    }
    void control_clear(std::string_view entity = {}, double timeout = client_timeout) {
        on(ssa_control_clear, entity, timeout);
    }

    // ---- servers; address: "" for all of them

    std::map<std::string, std::string> get_db_node_info(std::string_view address = {},
                                                        double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(ssa_get_db_node_info(handle(), address.data(), address.size(), &texts, timeout));
        return detail::pairs(texts);
    }
    std::map<std::string, std::string> get_db_cluster_info(std::string_view address = {},
                                                           double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(ssa_get_db_cluster_info(handle(), address.data(), address.size(), &texts, timeout));
        return detail::pairs(texts);
    }
    void ping(std::string_view address = {}, double timeout = client_timeout) { on(ssa_ping, address, timeout); }
    void save(std::string_view address = {}, double timeout = client_timeout) { on(ssa_save, address, timeout); }
    std::map<std::string, std::string> config_get(std::string_view pattern, std::string_view address = {},
                                                  double timeout = client_timeout) {
        ssa_texts *texts = nullptr;
        check(
            ssa_config_get(handle(), pattern.data(), pattern.size(), address.data(), address.size(), &texts, timeout));
        return detail::pairs(texts);
    }
    void config_set(std::string_view parameter, std::string_view value, std::string_view address = {},
                    double timeout = client_timeout) {
        check(ssa_config_set(handle(), parameter.data(), parameter.size(), value.data(), value.size(), address.data(),
                             address.size(), timeout));
    }
    // How many keys were deleted.
    std::int64_t flush_db(std::string_view prefix = {}, double timeout = client_timeout) {
        std::int64_t deleted = 0;
        check(ssa_flush_db(handle(), prefix.data(), prefix.size(), &deleted, timeout));
        return deleted;
    }

private:
    using Sink = std::function<void(ssa_log_level, std::string_view)>;
    using OnName = ssa_status(ssa_client *, const char *, std::size_t, double);
    using IsName = ssa_status(ssa_client *, const char *, std::size_t, int *, double);
    using FromTo = ssa_status(ssa_client *, const char *, std::size_t, const char *, std::size_t, double);
    using PollName = ssa_status(ssa_client *, const char *, std::size_t, std::int64_t, std::int64_t, int *, double);
    using PollLength = ssa_status(ssa_client *, const char *, std::size_t, std::int64_t, std::int64_t, std::int64_t,
                                  int *, double);

    using Set = ssa_status(ssa_client *, const char *, std::size_t, const char *, std::size_t,
                           const ssa_model_description *, double);
    using SetBytes = ssa_status(ssa_client *, const char *, std::size_t, const void *, std::size_t,
                                const ssa_model_description *, double);
    using GetTexts = ssa_status(ssa_client *, const char *, std::size_t, ssa_texts **, double);

    template <class Call> void set(Call *call, std::string_view name, std::string_view content,
                                   const ModelDescription &description, double timeout) {
        static_assert(std::is_same_v<Call, Set> || std::is_same_v<Call, SetBytes>);
        const ssa_model_description given = detail::described(description);
        check(call(handle(), name.data(), name.size(), content.data(), content.size(), &given, timeout));
    }
    std::string blob(GetTexts *call, std::string_view name, double timeout) {
        ssa_texts *texts = nullptr;
        check(call(handle(), name.data(), name.size(), &texts, timeout));
        return detail::first_string(texts);
    }
    void check(ssa_status status) const {
        if (status < 0)
            raise(status, ssa_client_error(handle()));
    }
    static const char *text(const std::optional<std::string> &text) noexcept { return text ? text->c_str() : nullptr; }
    // Which in C means that nothing is given.
    template <class T> static void refuse_negative(const char *option, T value, const char *remedy) {
        if (value < 0)
            raise(SSA_EARGUMENT, std::string(option) + " cannot be " + std::to_string(value) + ": give " + remedy + ".");
    }
    static int flag(const std::optional<bool> &flag) noexcept { return flag ? static_cast<int>(*flag) : -1; }

    void on(OnName *call, std::string_view name, double timeout) {
        check(call(handle(), name.data(), name.size(), timeout));
    }
    bool is(IsName *call, std::string_view name, double timeout) {
        int found = 0;
        check(call(handle(), name.data(), name.size(), &found, timeout));
        return found != 0;
    }
    void from_to(FromTo *call, std::string_view from, std::string_view to, double timeout) {
        check(call(handle(), from.data(), from.size(), to.data(), to.size(), timeout));
    }
    bool poll(PollName *call, std::string_view name, std::int64_t frequency_ms, std::int64_t tries, double timeout) {
        int found = 0;
        check(call(handle(), name.data(), name.size(), frequency_ms, tries, &found, timeout));
        return found != 0;
    }
    bool poll_length(PollLength *call, std::string_view list, std::int64_t length, std::int64_t frequency_ms,
                     std::int64_t tries, double timeout) {
        int found = 0;
        check(call(handle(), list.data(), list.size(), length, frequency_ms, tries, &found, timeout));
        return found != 0;
    }

    std::unique_ptr<Sink> sink_; // outlives the client
    detail::Owned<ssa_client, ssa_client_free> client_;
};

} // namespace ssasync

#include "ssasync_batch.hpp"

#endif
