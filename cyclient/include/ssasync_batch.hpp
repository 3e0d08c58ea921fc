// Batches of the C++ client: included by ssasync.hpp, which is what programs include.
#ifndef SSASYNC_BATCH_HPP
#define SSASYNC_BATCH_HPP

#include "ssasync.hpp"

namespace ssasync {

namespace detail {

using OwnedBatch = Owned<ssa_batch, ssa_batch_free>;

// Where the library writes a result of a batch, and how it becomes what the caller gets. Stays where it is until then.

struct FlagPlace {
    int raw = 0;
    bool take() const noexcept { return raw != 0; }
};

template <class T> struct NumberPlace {
    T raw = 0;
    T take() const noexcept { return raw; }
};

template <class Handle, void (*Free)(Handle *)> struct HandlePlace {
    HandlePlace() = default;
    HandlePlace(const HandlePlace &) = delete;
    HandlePlace &operator=(const HandlePlace &) = delete;
    ~HandlePlace() { Free(raw); }

    Handle *raw = nullptr;
    Handle *release() noexcept { return std::exchange(raw, nullptr); }
};

struct TensorPlace : HandlePlace<ssa_tensor, ssa_tensor_free> {
    Tensor take() noexcept { return Tensor(release()); }
};

struct BytesPlace : HandlePlace<ssa_tensor, ssa_tensor_free> {
    std::string take() {
        const Tensor tensor(release());
        return {static_cast<const char *>(tensor.data()), tensor.bytes()};
    }
};

struct DatasetPlace : HandlePlace<ssa_dataset, ssa_dataset_free> {
    Dataset take() noexcept { return Dataset(release()); }
};

struct DatasetsPlace : HandlePlace<ssa_datasets, ssa_datasets_free> {
    std::vector<Dataset> take() { return datasets(release()); }
};

struct TextPlace : HandlePlace<ssa_texts, ssa_texts_free> {
    std::string take() { return first_string(release()); }
};

struct PairsPlace : HandlePlace<ssa_texts, ssa_texts_free> {
    std::map<std::string, std::string> take() { return pairs(release()); }
};

struct OutputsPlace {
    explicit OutputsPlace(std::size_t room) : raw(room), count(room) {}
    OutputsPlace(const OutputsPlace &) = delete;
    OutputsPlace &operator=(const OutputsPlace &) = delete;
    ~OutputsPlace() {
        for (ssa_tensor *tensor : raw)
            ssa_tensor_free(tensor);
    }

    std::vector<ssa_tensor *> raw;
    std::size_t count;

    std::vector<Tensor> take() {
        std::vector<Tensor> outputs;
        outputs.reserve(count);
        for (std::size_t i = 0; i < count && i < raw.size(); i++)
            outputs.emplace_back(std::exchange(raw[i], nullptr));
        return outputs;
    }
};

} // namespace detail

// Bytes that a batch borrows: of a view, a literal or a string that somebody holds, not of one that is gone soon.
class LentText {
public:
    LentText() = default;
    LentText(const char *data, std::size_t bytes) : text_(data, bytes) {}
    template <class Text, std::enable_if_t<std::is_convertible_v<const Text &, std::string_view>, int> = 0>
    LentText(const Text &text) : text_(text) {}
    template <class Traits, class Allocator> LentText(const std::basic_string<char, Traits, Allocator> &&text) = delete;

    const char *data() const noexcept { return text_.data(); }
    std::size_t size() const noexcept { return text_.size(); }

private:
    std::string_view text_;
};

// What an operation of a batch will give.
template <class T> class Pending {
public:
    // Its result, once, when the batch is done. Throws what the operation ended with (Cancelled: it was not carried out,
    // or not to its end); InvalidArgument: the batch is not done, or gone, or it was taken.
    T value() {
        const std::shared_ptr<detail::OwnedBatch> batch = batch_.lock();
        if (!batch || !take_)
            raise(SSA_EARGUMENT, batch ? "the value of this operation was taken before."
                                       : "the batch of this operation is gone: take values before it is destroyed.");
        const ssa_status status = ssa_batch_status(batch->get(), number_);
        if (status == SSA_MORE)
            raise(SSA_EARGUMENT, "this operation has no value yet: execute the batch first.");
        if (status < 0)
            raise(status, ssa_batch_error(batch->get(), number_));
        return std::exchange(take_, nullptr)();
    }

private:
    friend class Batch;
    Pending(const std::shared_ptr<detail::OwnedBatch> &batch, std::function<T()> take)
        : batch_(batch), number_(ssa_batch_count(batch->get()) - 1), take_(std::move(take)) {}

    std::weak_ptr<detail::OwnedBatch> batch_;
    std::size_t number_;
    std::function<T()> take_;
};

// Operations of one client that are carried out together: they leave at once, but for what needs something of the same batch.
// On a name the order in which they were added holds, and a run is given what was put before it in the batch.
//
//     ssasync::Batch batch = client.batch();
//     batch.put_tensor("u", u);
//     auto mean = batch.get_tensor("mean");
//     batch.execute();
//     use(mean.value());
//
// Between adding and the end the caller's arrays, bytes and datasets are borrowed: a put must not change its own, an unpack's
// is undefined. Names are copied. What an operation refuses without asking the store it throws when it is added, and the
// batch is as before. Destroyed while it is under way, it is cancelled.
class Batch {
public:
    explicit Batch(Client &client) : client_(client.handle()) {
        ssa_batch *made = nullptr;
        const ssa_status status = ssa_batch_new(client_, &made);
        if (status < 0)
            raise(status, ssa_client_error(client_));
        batch_ = std::make_shared<detail::OwnedBatch>(made);
    }

    Batch(Batch &&) = default;
    Batch &operator=(Batch &&) = delete; // results of the one that is there may be on their way

    // Carry it out, once. timeout: of all of it. Throws the error of the operation that failed, the first in the order of
    // adding: nothing more is begun then, and no run behind it stores its outputs.
    void execute(double timeout = client_timeout) { check(ssa_batch_execute(handle(), timeout)); }
    // The same without waiting: results are there when the future is found done. The batch must outlive that.
    Future start(double timeout = client_timeout) {
        ssa_future *future = nullptr;
        check(ssa_start_batch(handle(), timeout, &future));
        return Future(future);
    }
    std::size_t size() const noexcept { return ssa_batch_count(handle()); } // operations that were added
    ssa_batch *handle() const & noexcept { return batch_ ? batch_->get() : nullptr; }
    ssa_batch *handle() const && = delete;

    // ---- tensors

    Pending<void> put_tensor(std::string_view name, const Array &array) {
        const ssa_array described = array.described();
        return add(ssa_batch_put_tensor(handle(), name.data(), name.size(), &described));
    }
    Pending<Tensor> get_tensor(std::string_view name, ssa_layout layout = SSA_ROW_MAJOR) {
        auto place = make<detail::TensorPlace>();
        return add(ssa_batch_get_tensor(handle(), name.data(), name.size(), layout, &place->raw), place);
    }
    Pending<void> unpack_tensor(std::string_view name, const MutableArray &into) {
        const ssa_array described = into.described();
        return add(ssa_batch_unpack_tensor(handle(), name.data(), name.size(), &described));
    }
    Pending<void> delete_tensor(std::string_view name) { return on(ssa_batch_delete_tensor, name); }
    Pending<bool> tensor_exists(std::string_view name) { return is(ssa_batch_tensor_exists, name); }
    Pending<void> copy_tensor(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_copy_tensor, source, target);
    }
    Pending<void> rename_tensor(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_rename_tensor, source, target);
    }
    Pending<void> set_tensor_ttl(std::string_view name, double seconds) {
        return add(ssa_batch_set_tensor_ttl(handle(), name.data(), name.size(), seconds));
    }
    Pending<double> get_tensor_ttl(std::string_view name) { return number<double>(ssa_batch_get_tensor_ttl, name); }
    Pending<void> persist_tensor(std::string_view name) { return on(ssa_batch_persist_tensor, name); }

    // ---- bytes

    Pending<void> put_bytes(std::string_view name, LentText bytes) {
        return add(ssa_batch_put_bytes(handle(), name.data(), name.size(), bytes.data(), bytes.size()));
    }
    Pending<std::string> get_bytes(std::string_view name) {
        auto place = make<detail::BytesPlace>();
        return add(ssa_batch_get_bytes(handle(), name.data(), name.size(), &place->raw), place);
    }
    Pending<void> delete_bytes(std::string_view name) { return on(ssa_batch_delete_bytes, name); }
    Pending<bool> bytes_exists(std::string_view name) { return is(ssa_batch_bytes_exists, name); }
    Pending<bool> key_exists(std::string_view key) { return is(ssa_batch_key_exists, key); }

    // ---- datasets and lists of them

    Pending<void> put_dataset(Dataset &dataset) { return add(ssa_batch_put_dataset(handle(), dataset.handle())); }
    Pending<Dataset> get_dataset(std::string_view name) {
        auto place = make<detail::DatasetPlace>();
        return add(ssa_batch_get_dataset(handle(), name.data(), name.size(), &place->raw), place);
    }
    Pending<void> delete_dataset(std::string_view name) { return on(ssa_batch_delete_dataset, name); }
    Pending<bool> dataset_exists(std::string_view name) { return is(ssa_batch_dataset_exists, name); }
    Pending<void> copy_dataset(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_copy_dataset, source, target);
    }
    Pending<void> rename_dataset(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_rename_dataset, source, target);
    }
    Pending<void> set_dataset_ttl(std::string_view name, double seconds) {
        return add(ssa_batch_set_dataset_ttl(handle(), name.data(), name.size(), seconds));
    }
    Pending<double> get_dataset_ttl(std::string_view name) { return number<double>(ssa_batch_get_dataset_ttl, name); }
    Pending<void> persist_dataset(std::string_view name) { return on(ssa_batch_persist_dataset, name); }

    Pending<void> append_to_list(std::string_view list, std::string_view dataset) {
        return from_to(ssa_batch_append_to_list, list, dataset);
    }
    Pending<std::int64_t> get_list_length(std::string_view list) {
        return number<std::int64_t>(ssa_batch_get_list_length, list);
    }
    Pending<void> delete_list(std::string_view list) { return on(ssa_batch_delete_list, list); }
    Pending<void> set_list_ttl(std::string_view list, double seconds) {
        return add(ssa_batch_set_list_ttl(handle(), list.data(), list.size(), seconds));
    }
    Pending<double> get_list_ttl(std::string_view list) { return number<double>(ssa_batch_get_list_ttl, list); }
    Pending<void> persist_list(std::string_view list) { return on(ssa_batch_persist_list, list); }
    Pending<void> copy_list(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_copy_list, source, target);
    }
    Pending<void> rename_list(std::string_view source, std::string_view target) {
        return from_to(ssa_batch_rename_list, source, target);
    }
    Pending<std::vector<Dataset>> get_datasets_from_list(std::string_view list) {
        auto place = make<detail::DatasetsPlace>();
        return add(ssa_batch_get_datasets_from_list(handle(), list.data(), list.size(), &place->raw), place);
    }
    Pending<std::vector<Dataset>> get_dataset_list_range(std::string_view list, std::int64_t from, std::int64_t to) {
        auto place = make<detail::DatasetsPlace>();
        return add(ssa_batch_get_dataset_list_range(handle(), list.data(), list.size(), from, to, &place->raw), place);
    }

    // ---- models and scripts: their bytes are borrowed, files are read at once

    Pending<void> set_model(std::string_view name, LentText model, const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(ssa_batch_set_model(handle(), name.data(), name.size(), model.data(), model.size(), &given));
    }
    Pending<void> set_model_multigpu(std::string_view name, LentText model, int first_gpu, int num_gpus,
                                     const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(ssa_batch_set_model_multigpu(handle(), name.data(), name.size(), model.data(), model.size(), first_gpu,
                                                num_gpus, &given));
    }
    Pending<void> set_model_from_file(std::string_view name, std::string_view file,
                                      const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(
            ssa_batch_set_model_from_file(handle(), name.data(), name.size(), file.data(), file.size(), &given));
    }
    Pending<void> set_model_from_file_multigpu(std::string_view name, std::string_view file, int first_gpu, int num_gpus,
                                               const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(ssa_batch_set_model_from_file_multigpu(handle(), name.data(), name.size(), file.data(), file.size(),
                                                          first_gpu, num_gpus, &given));
    }
    Pending<std::string> get_model(std::string_view name) { return text(ssa_batch_get_model, name); }
    Pending<std::map<std::string, std::string>> get_model_metadata(std::string_view name) {
        return pairs(ssa_batch_get_model_metadata, name);
    }
    Pending<void> delete_model(std::string_view name) { return on(ssa_batch_delete_model, name); }
    Pending<void> delete_model_multigpu(std::string_view name, int first_gpu, int num_gpus) {
        return add(ssa_batch_delete_model_multigpu(handle(), name.data(), name.size(), first_gpu, num_gpus));
    }
    Pending<bool> model_exists(std::string_view name) { return is(ssa_batch_model_exists, name); }

    Pending<void> set_script(std::string_view name, LentText script, const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(ssa_batch_set_script(handle(), name.data(), name.size(), script.data(), script.size(), &given));
    }
    Pending<void> set_script_multigpu(std::string_view name, LentText script, int first_gpu, int num_gpus) {
        return add(ssa_batch_set_script_multigpu(handle(), name.data(), name.size(), script.data(), script.size(),
                                                 first_gpu, num_gpus));
    }
    Pending<void> set_script_from_file(std::string_view name, std::string_view file,
                                       const ModelDescription &description = {}) {
        const ssa_model_description given = detail::described(description);
        return add(
            ssa_batch_set_script_from_file(handle(), name.data(), name.size(), file.data(), file.size(), &given));
    }
    Pending<void> set_script_from_file_multigpu(std::string_view name, std::string_view file, int first_gpu,
                                                int num_gpus) {
        return add(ssa_batch_set_script_from_file_multigpu(handle(), name.data(), name.size(), file.data(), file.size(),
                                                           first_gpu, num_gpus));
    }
    Pending<std::string> get_script(std::string_view name) { return text(ssa_batch_get_script, name); }
    Pending<std::map<std::string, std::string>> get_script_metadata(std::string_view name) {
        return pairs(ssa_batch_get_script_metadata, name);
    }
    Pending<void> delete_script(std::string_view name) { return on(ssa_batch_delete_script, name); }
    Pending<void> delete_script_multigpu(std::string_view name, int first_gpu, int num_gpus) {
        return add(ssa_batch_delete_script_multigpu(handle(), name.data(), name.size(), first_gpu, num_gpus));
    }
    Pending<bool> script_exists(std::string_view name) { return is(ssa_batch_script_exists, name); }

    // ---- runs; keep: false: the outputs are not stored, only what comes later in the batch sees them

    Pending<void> run_model(std::string_view name, const Names &inputs, const Names &outputs, bool keep = true) {
        const detail::NameList in(inputs), out(outputs);
        return add(ssa_batch_run_model(handle(), name.data(), name.size(), in.names(), out.names(), keep));
    }
    Pending<void> run_model_multigpu(std::string_view name, const Names &inputs, const Names &outputs,
                                     std::int64_t offset, int first_gpu, int num_gpus, bool keep = true) {
        const detail::NameList in(inputs), out(outputs);
        return add(ssa_batch_run_model_multigpu(handle(), name.data(), name.size(), in.names(), out.names(), offset,
                                                first_gpu, num_gpus, keep));
    }
    Pending<void> run_script(std::string_view name, std::string_view function, const Names &inputs, const Names &outputs,
                             bool keep = true) {
        const detail::NameList in(inputs), out(outputs);
        return add(ssa_batch_run_script(handle(), name.data(), name.size(), function.data(), function.size(), in.names(),
                                        out.names(), keep));
    }
    Pending<void> run_script_multigpu(std::string_view name, std::string_view function, const Names &inputs,
                                      const Names &outputs, std::int64_t offset, int first_gpu, int num_gpus,
                                      bool keep = true) {
        const detail::NameList in(inputs), out(outputs);
        return add(ssa_batch_run_script_multigpu(handle(), name.data(), name.size(), function.data(), function.size(),
                                                 in.names(), out.names(), offset, first_gpu, num_gpus, keep));
    }
    // most_outputs: a model that gives more fails.
    Pending<std::vector<Tensor>> infer(std::string_view model, const std::vector<Array> &inputs,
                                       std::size_t most_outputs = 64) {
        const std::vector<ssa_array> described = detail::described(inputs);
        auto place = make<detail::OutputsPlace>(most_outputs);
        return add(ssa_batch_infer(handle(), model.data(), model.size(), described.data(), described.size(),
                                   place->raw.data(), &place->count),
                   place);
    }

private:
    using OnName = ssa_status(ssa_batch *, const char *, std::size_t);
    using IsName = ssa_status(ssa_batch *, const char *, std::size_t, int *);
    using FromTo = ssa_status(ssa_batch *, const char *, std::size_t, const char *, std::size_t);
    using GetTexts = ssa_status(ssa_batch *, const char *, std::size_t, ssa_texts **);
    template <class T> using GetNumber = ssa_status(ssa_batch *, const char *, std::size_t, T *);

    void check(ssa_status status) const {
        if (status < 0)
            raise(status, batch_ || status != SSA_EARGUMENT ? ssa_client_error(client_)
                                                            : "there is no batch: it was moved from.");
    }
    // A place for a result, which the batch keeps: the library writes to it for as long as the batch lives.
    template <class Place, class... Arguments> std::shared_ptr<Place> make(Arguments... arguments) {
        auto place = std::make_shared<Place>(arguments...);
        places_.push_back(place);
        return place;
    }
    template <class Place, class T = decltype(std::declval<Place &>().take())>
    Pending<T> add(ssa_status status, const std::shared_ptr<Place> &place) {
        check(status);
        return Pending<T>(batch_, [place] { return place->take(); });
    }
    Pending<void> add(ssa_status status) {
        check(status);
        return Pending<void>(batch_, [] {});
    }
    Pending<void> on(OnName *call, std::string_view name) { return add(call(handle(), name.data(), name.size())); }
    Pending<bool> is(IsName *call, std::string_view name) {
        auto place = make<detail::FlagPlace>();
        return add(call(handle(), name.data(), name.size(), &place->raw), place);
    }
    Pending<void> from_to(FromTo *call, std::string_view from, std::string_view to) {
        return add(call(handle(), from.data(), from.size(), to.data(), to.size()));
    }
    template <class T> Pending<T> number(GetNumber<T> *call, std::string_view name) {
        auto place = make<detail::NumberPlace<T>>();
        return add(call(handle(), name.data(), name.size(), &place->raw), place);
    }
    Pending<std::string> text(GetTexts *call, std::string_view name) {
        auto place = make<detail::TextPlace>();
        return add(call(handle(), name.data(), name.size(), &place->raw), place);
    }
    Pending<std::map<std::string, std::string>> pairs(GetTexts *call, std::string_view name) {
        auto place = make<detail::PairsPlace>();
        return add(call(handle(), name.data(), name.size(), &place->raw), place);
    }

    ssa_client *client_;
    std::vector<std::shared_ptr<void>> places_; // outlive the batch
    std::shared_ptr<detail::OwnedBatch> batch_;
};

inline Batch Client::batch() { return Batch(*this); }

} // namespace ssasync

#endif
