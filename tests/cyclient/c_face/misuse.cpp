// What the C++ face does not compile, because it would write to what is const or borrow from what is gone; and what it says
// to what compiles and cannot be meant.
#include "face.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <memory_resource>

using ssasync::Array, ssasync::Batch, ssasync::Client, ssasync::Dataset, ssasync::MutableArray, ssasync::Span;
using Row = std::vector<double>;

#define METHOD(Object, method)                                                                                   \
    [](auto &&...given) -> decltype(void(                                                                        \
                            std::declval<Object &>().method("name", std::forward<decltype(given)>(given)...))) {}

// The same of a method of a batch with all but its name written out; `text` is what may be lent.
#define BATCH_METHOD(method, ...) \
    [](auto &&text) -> decltype(void(std::declval<Batch &>().method("name", __VA_ARGS__))) {}
#define TEXT std::forward<decltype(text)>(text)

#define TAKES(method, ...) std::is_invocable_v<decltype(method), __VA_ARGS__>

static void test_const_is_not_written() {
    static constexpr auto unpack = METHOD(Client, unpack_tensor);
    static constexpr auto start = METHOD(Client, start_unpack_tensor);
    static constexpr auto in_batch = METHOD(Batch, unpack_tensor);
    static constexpr auto of_dataset = METHOD(Dataset, unpack_tensor);
    static_assert(TAKES(unpack, Row &) && TAKES(start, Row &) && TAKES(in_batch, Row &) && TAKES(of_dataset, Row &));
    static_assert(TAKES(unpack, Span<double>) && TAKES(in_batch, Span<double>) && TAKES(unpack, MutableArray));
    static_assert(!TAKES(unpack, const Row &) && !TAKES(start, const Row &) && !TAKES(in_batch, const Row &));
    static_assert(!TAKES(of_dataset, const Row &) && !TAKES(unpack, Span<const double>) && !TAKES(unpack, Array));
    static_assert(!TAKES(unpack, Row) && !TAKES(start, Row) && !TAKES(in_batch, Row) && !TAKES(of_dataset, Row));
    static_assert(!std::is_constructible_v<MutableArray, const double *, ssasync::Shape>);
    static_assert(!std::is_constructible_v<MutableArray, const void *, ssa_dtype, ssasync::Shape>);
    const double fixed[4] = {1, 2, 3, 4};
    double free[4] = {1, 2, 3, 4}, *rows[] = {free, free + 2};
    const double *fixed_rows[] = {fixed, fixed + 2};
    const auto strided = Array::strided(fixed, {2}, {16});
    const auto written = Array::strided(free, {2}, {16});
    const auto nested = Array::nested<double>(rows, {2, 2});
    const auto read = Array::nested<double>(fixed_rows, {2, 2}), also_read = Array::nested<const double>(rows, {2, 2});
    static_assert(std::is_same_v<decltype(strided), const Array> && std::is_same_v<decltype(written), const MutableArray>);
    static_assert(std::is_same_v<decltype(nested), const MutableArray> && std::is_same_v<decltype(read), const Array>);
    static_assert(std::is_same_v<decltype(also_read), const Array>);
    CHECK(strided.shape() == ssasync::Shape{2} && nested.shape().size() == 2 && also_read.shape().size() == 2);
}

static void test_what_is_gone_soon_is_not_borrowed(Client &client) {
    static constexpr auto put = METHOD(Client, put_tensor);
    static constexpr auto start = METHOD(Client, start_put_tensor);
    static constexpr auto in_batch = METHOD(Batch, put_tensor);
    static constexpr auto add = METHOD(Dataset, add_tensor);
    static constexpr auto infer = METHOD(Client, start_infer);
    static constexpr auto bytes = METHOD(Batch, put_bytes);
    static constexpr auto model = METHOD(Batch, set_model);
    static constexpr auto script = METHOD(Batch, set_script);
    static constexpr auto gpus = METHOD(Batch, set_script_multigpu);
    static_assert(TAKES(put, Row) && TAKES(put, const Row) && TAKES(add, Row)); // done when they return
    static_assert(TAKES(start, Row &) && TAKES(start, const Row &) && TAKES(start, Span<const double>) && TAKES(start, Array));
    static_assert(TAKES(in_batch, Row &) && TAKES(in_batch, Span<double>) && TAKES(infer, std::vector<Array>));
    static_assert(!TAKES(start, Row) && !TAKES(start, const Row) && !TAKES(in_batch, Row));
    static_assert(!std::is_constructible_v<Array, Row> && !std::is_constructible_v<Array, const Row>);
    static_assert(TAKES(bytes, std::string &) && TAKES(bytes, std::string_view) && TAKES(bytes, const char *));
    static_assert(!TAKES(bytes, std::string) && !TAKES(bytes, const std::string));
    static_assert(TAKES(model, const std::string &) && !TAKES(model, std::string));
    static_assert(!TAKES(model, std::string, ssasync::ModelDescription));
    static_assert(TAKES(script, const char (&)[4]) && !TAKES(script, std::string));
    static_assert(TAKES(gpus, std::string &, int, int) && !TAKES(gpus, std::string, int, int));
    const Row kept{1, 2, 3};
    Row back(3);
    client.start_put_tensor("view", Span<const double>(kept.data(), 3)).wait();
    client.put_tensor("brief", Row{4, 5, 6});
    Batch batch = client.batch();
    batch.put_bytes("literal", "text");
    batch.unpack_tensor("brief", Span<double>(back.data(), 3));
    batch.execute();
    CHECK(client.get_tensor("view").to_vector<double>() == kept && back == Row({4, 5, 6}));
}

#define LENT(what) [](auto &&lender) -> decltype(void(std::forward<decltype(lender)>(lender).what)) {}
#define IS_LENT_BY_WHAT_IS_HELD(lent, Lender)                                                                    \
    (TAKES(lent, Lender &) && TAKES(lent, const Lender &) && !TAKES(lent, Lender) && !TAKES(lent, const Lender))

static void test_what_is_gone_soon_does_not_lend(Client &client) {
    using ssasync::Tensor;
    static constexpr auto values = LENT(template values<double>());
    static constexpr auto constant = LENT(template values<const double>());
    static constexpr auto data = LENT(data());
    static constexpr auto nested = LENT(nested());
    static constexpr auto handle = LENT(handle());
    static constexpr auto bytes = LENT(get_bytes("name"));
    static constexpr auto described = LENT(described());
    static_assert(IS_LENT_BY_WHAT_IS_HELD(values, Tensor) && IS_LENT_BY_WHAT_IS_HELD(constant, Tensor));
    static_assert(IS_LENT_BY_WHAT_IS_HELD(data, Tensor) && IS_LENT_BY_WHAT_IS_HELD(nested, Tensor));
    static_assert(IS_LENT_BY_WHAT_IS_HELD(handle, Tensor) && IS_LENT_BY_WHAT_IS_HELD(handle, Dataset));
    static_assert(IS_LENT_BY_WHAT_IS_HELD(handle, Client) && IS_LENT_BY_WHAT_IS_HELD(handle, Batch));
    static_assert(IS_LENT_BY_WHAT_IS_HELD(handle, ssasync::Future) && IS_LENT_BY_WHAT_IS_HELD(bytes, Dataset));
    static_assert(IS_LENT_BY_WHAT_IS_HELD(described, Array) && IS_LENT_BY_WHAT_IS_HELD(described, MutableArray));
    client.put_tensor("lent", Row{1, 2, 3});
    double sum = 0; // of what is copied, or held
    for (const double x : client.get_tensor("lent").to_vector<double>())
        sum += x;
    for (const std::int64_t length : client.get_tensor("lent").shape())
        sum += static_cast<double>(length);
    const Tensor held = client.get_tensor("lent");
    for (const double x : held.values<double>())
        sum += x;
    for (const std::int64_t length : Array(held.values<double>()).shape())
        sum += static_cast<double>(length);
    CHECK(sum == 18);
}

template <class Method> static constexpr bool takes_what_stays_alone([[maybe_unused]] const Method &method) {
    return TAKES(method, std::string &) && TAKES(method, const std::string &) && TAKES(method, std::string_view) &&
           TAKES(method, const char *) && TAKES(method, const char (&)[4]) && TAKES(method, std::pmr::string &) &&
           !TAKES(method, std::string) && !TAKES(method, const std::string) && !TAKES(method, std::pmr::string);
}

static void test_text_that_is_gone_soon_is_not_borrowed_however_it_is_given() {
    static_assert(takes_what_stays_alone(BATCH_METHOD(put_bytes, TEXT)));
    static_assert(takes_what_stays_alone(BATCH_METHOD(put_bytes, {TEXT})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_model, TEXT, {})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_model, TEXT, {"TORCH", "CPU", 0, 0, 0, 0, 0, "", "", ""})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_model, {TEXT}, ssasync::ModelDescription{})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_model_multigpu, TEXT, 0, 1)));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_model_multigpu, TEXT, 0, 1, {})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_script, TEXT, {})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_script, TEXT, {"TORCH", "CPU", 0, 0, 0, 0, 0, "", "", ""})));
    static_assert(takes_what_stays_alone(BATCH_METHOD(set_script_multigpu, TEXT, {0}, {1})));
    static constexpr auto piece = BATCH_METHOD(put_bytes, {text, 3});
    static constexpr auto nothing = [](Batch &batch) -> decltype(void(batch.put_bytes("name", {}))) {};
    static_assert(TAKES(piece, const char *) && TAKES(nothing, Batch &));
}

static void test_what_was_moved_from_says_so(Client &client) {
    ssasync::Future future = client.start_get_tensor("absent");
    const ssasync::Future moved = std::move(future);
    THROWS(InvalidArgument, "there is no future", future.wait());
    THROWS(InvalidArgument, "there is no future", future.test());
    THROWS(InvalidArgument, "there is no future", future.tensor());
    THROWS(InvalidArgument, "there is no future", future.cancel());
    std::vector<ssasync::Future> futures;
    THROWS(InvalidArgument, "at least one", ssasync::wait_any(futures));
    futures.push_back(std::move(future));
    THROWS(InvalidArgument, "at least one", ssasync::wait_any(futures));
    Batch batch = client.batch();
    const Batch other = std::move(batch);
    CHECK(batch.size() == 0 && !batch.handle());
    THROWS(InvalidArgument, "there is no batch", batch.execute());
    THROWS(InvalidArgument, "there is no batch", batch.start());
    THROWS(InvalidArgument, "there is no batch", batch.delete_tensor("x"));
    THROWS(InvalidArgument, "there is no batch", batch.get_tensor("x"));
    Dataset dataset("d");
    const Dataset elsewhere = std::move(dataset);
    THROWS(InvalidArgument, "there is no dataset: it was moved, or ", dataset.has_field("x"));
    Client first;
    const Client second = std::move(first);
    THROWS(InvalidArgument, "there is no client: ssa_client_new had no memory or was not called, or it was moved",
           first.ping());
    THROWS(InvalidArgument, "there is no client", first.batch());
    ssasync::Tensor tensor(nullptr);
    CHECK(tensor.size() == 0 && tensor.shape().empty() && !tensor.data());
}

static void test_numbers_that_cannot_be(Client &client) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<ssasync::Future> futures;
    futures.push_back(client.start_get_tensor("absent"));
    THROWS(InvalidArgument, "timeout cannot be nan", futures[0].wait(nan));
    THROWS(InvalidArgument, "timeout cannot be nan", ssasync::wait_any(futures, nan));
    THROWS(NotFound, "no tensor 'absent'", futures[0].wait());
    ssasync::Options options;
    options.timeout = -1;
    THROWS(InvalidArgument, "timeout cannot be -1", Client{options});
    options.timeout = nan;
    THROWS(InvalidArgument, "timeout cannot be nan", Client{options});
    options.timeout = ssasync::no_timeout;
    options.value_limit = -1;
    THROWS(InvalidArgument, "value_limit cannot be -1: give bytes, or 0 for none", Client{options});
    Dataset dataset("ocean");
    dataset.add_meta_scalar("dt", 0.5);
    THROWS(TensorMismatch, "metadata 'dt' of dataset 'ocean' are float64, not int32", dataset.get_meta_scalars<int>("dt"));
}

// In the child everything is refused, with a text.
static int in_the_child(ssasync::Future &future, std::vector<ssasync::Future> &futures, Client &client) {
    const std::vector<std::function<void()>> calls = {
        [&] { future.wait(); }, [&] { future.test(); },  [&] { future.tensor(); },  [&] { future.cancel(); },
        [&] { client.ping(); }, [&] { client.batch(); }, [&] { wait_any(futures); }};
    int right = 0;
    for (const auto &call : calls)
        try {
            call();
        } catch (const ssasync::ForkedClient &error) {
            right += std::strstr(error.what(), "before a fork") != nullptr;
        }
    return right == static_cast<int>(calls.size()) ? 0 : 1;
}

static void test_after_a_fork(Client &client) {
    ssasync::Future future = client.start_get_tensor("absent");
    std::vector<ssasync::Future> futures;
    futures.push_back(client.start_get_tensor("absent"));
    const pid_t pid = fork();
    if (pid == 0)
        _exit(in_the_child(future, futures, client));
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main() {
    try {
        Client client;
        test_const_is_not_written();
        test_what_is_gone_soon_is_not_borrowed(client);
        test_what_is_gone_soon_does_not_lend(client);
        test_text_that_is_gone_soon_is_not_borrowed_however_it_is_given();
        test_what_was_moved_from_says_so(client);
        test_numbers_that_cannot_be(client);
        test_after_a_fork(client);
    } catch (const std::exception &error) {
        std::printf("thrown: %s\n", error.what());
        failures++;
    }
    std::printf("%ld checks in 7 tests\n", checks);
    return failures ? 1 : 0;
}
