// The C++ face: tensors, datasets, futures, exceptions, ownership, against the store of the environment.
#include "face.hpp"

#include <cmath>
#include <numeric>
#include <thread>

template <class T> static void round_trip(ssasync::Client &client, std::vector<T> elements) {
    std::vector<T> back(elements.size());
    client.put_tensor("typed", elements);
    client.unpack_tensor("typed", back);
    CHECK(back == elements);
    const ssasync::Tensor tensor = client.get_tensor("typed");
    CHECK(tensor.dtype() == ssasync::dtype_of<T>() && tensor.to_vector<T>() == elements);
    CHECK(tensor.shape().size() == 1 && tensor.size() == elements.size());
}

static void test_types(ssasync::Client &client) {
    round_trip<double>(client, {1.5, -2, 3});
    round_trip<float>(client, {1.5f, -2, 3});
    round_trip<std::int8_t>(client, {1, -2});
    round_trip<std::uint16_t>(client, {1, 2});
    round_trip<std::int32_t>(client, {1, -2});
    round_trip<long>(client, {1, -2});
    round_trip<long long>(client, {1, -2});
    round_trip<std::uint64_t>(client, {1, 2});
    round_trip<std::complex<float>>(client, {{1, 2}, {3, 4}});
    round_trip<std::complex<double>>(client, {{1, 2}, {3, 4}});
    round_trip<double>(client, {});
    const bool truth[] = {true, false};
    client.put_tensor("typed", ssasync::Array(truth, {2}));
    CHECK(client.get_tensor("typed").to_vector<bool>() == std::vector<bool>({true, false}));
    ssasync::Dataset flags("flags");
    flags.add_meta_scalar("on", false);
    CHECK(flags.get_meta_scalars<bool>("on") == std::vector<bool>({false}));
    client.put_tensor("typed", ssasync::Array("abcdef", SSA_STRING, {2}, SSA_ROW_MAJOR, 3));
    CHECK(client.get_tensor("typed").itemsize() == 3);
}

static void test_layouts(ssasync::Client &client) {
    std::vector<double> field(12), back(12), apart(48);
    std::iota(field.begin(), field.end(), 0.0);
    client.put_tensor("field", {field.data(), {3, 4}});
    client.unpack_tensor("field", {back.data(), {3, 4}, SSA_COLUMN_MAJOR});
    CHECK(back[0] == 0 && back[1] == 4 && back[3] == 1);
    client.unpack_tensor("field", ssasync::Array::strided(apart.data(), {3, 4}, {128, 16}));
    CHECK(apart[2] == 1 && apart[16] == 4 && apart[1] == 0);
    client.put_tensor("apart", ssasync::Array::strided(apart.data(), {3, 4}, {128, 16}));
    CHECK(client.get_tensor("apart").to_vector<double>() == field);
    double *rows[] = {field.data(), field.data() + 4, field.data() + 8};
    client.put_tensor("nested", ssasync::Array::nested<double>(rows, {3, 4}));
    const ssasync::Tensor nested = client.get_tensor("nested", SSA_NESTED_POINTERS);
    CHECK(static_cast<double **>(nested.nested())[2][3] == 11);
    const ssasync::Tensor turned = client.get_tensor("field", SSA_COLUMN_MAJOR);
    CHECK(turned.layout() == SSA_COLUMN_MAJOR && turned.values<double>()[1] == 4);
    const double one = 2.5;
    client.put_tensor("one", {&one, {}});
    const ssasync::Tensor held = client.get_tensor("one");
    CHECK(held.values<const double>()[0] == 2.5 && client.get_tensor("one").shape().empty());
}

static void test_exceptions(ssasync::Client &client) {
    std::vector<double> three(3), four(4);
    std::vector<std::int64_t> whole(3);
    client.put_tensor("three", three);
    THROWS(NotFound, "no tensor 'nothing'", client.get_tensor("nothing"));
    THROWS(TensorMismatch, "float64 (3,)", client.unpack_tensor("three", four));
    THROWS(TensorMismatch, "int64", client.unpack_tensor("three", whole));
    THROWS(TensorMismatch, "dtype", client.get_tensor("three").to_vector<float>());
    THROWS(InvalidArgument, "a{b", client.get_tensor("a{b"));
    THROWS(InvalidArgument, "array.shape cannot be -1", client.put_tensor("three", {three.data(), {-1}}));
    THROWS(InvalidArgument, "one for each dimension", ssasync::Array::strided(three.data(), {3}, {}));
    THROWS(WaitTimeout, "did not appear", client.wait_for_tensor("nothing", 0.02));
    client.put_bytes("text", "hello");
    THROWS(NotATensor, "not a tensor", client.get_tensor("text"));
    THROWS(WrongKind, "another kind", client.get_bytes("days"));
    client.control_clear("cpp");
    ssasync::Options options;
    options.address = "127.0.0.1:1";
    options.timeout = 0.1;
    ssasync::Client lonely(options);
    THROWS(ConnectionFailed, "127.0.0.1:1", lonely.ping());
    options.address = "nonsense:";
    THROWS(InvalidArgument, "nonsense", ssasync::Client{options});
    try {
        client.get_tensor("nothing");
    } catch (const ssasync::Error &error) {
        CHECK(error.status() == SSA_ENOTFOUND && error.status_name() == "SSA_ENOTFOUND");
    }
}

static void test_values(ssasync::Client &client) {
    client.put_bytes("bytes", std::string_view("a\0b", 3));
    CHECK(client.get_bytes("bytes") == std::string("a\0b", 3) && client.bytes_exists("bytes"));
    client.delete_bytes("bytes");
    CHECK(!client.bytes_exists("bytes") && !client.key_exists("bytes"));
    client.put_tensor("a", std::vector<double>{1});
    client.copy_tensor("a", "b");
    client.rename_tensor("b", "c");
    CHECK(client.tensor_exists("c") && !client.tensor_exists("b"));
    CHECK(std::isinf(client.get_tensor_ttl("c")));
    client.set_tensor_ttl("c", 100);
    CHECK(client.get_tensor_ttl("c") <= 100);
    client.persist_tensor("c");
    client.wait_for_tensor("c");
    CHECK(client.poll_tensor("c", 1000, 5) && !client.poll_key("none", 1, 1) && !client.poll_model("none", 1, 1));
    CHECK(!client.model_exists("none") && !client.script_exists("none"));
    client.delete_tensor("c");
    client.delete_tensor("a");
    client.ping();
    CHECK(client.get_db_node_info().begin()->second.find("used_memory") != std::string::npos);
    CHECK(client.describe().find("SSDB") != std::string::npos);
    CHECK(client.control_poll("cpp").empty());
    client.control_send("cpp", "set", "dt", "0.5");
    const std::vector<ssasync::ControlRequest> asked = client.control_poll("cpp");
    CHECK(asked.size() == 1 && asked[0].kind == "set" && asked[0].name == "dt" && asked[0].value == "0.5");
    client.control_clear("cpp");
}

static ssasync::Dataset day(int number) {
    ssasync::Dataset dataset("day_" + std::to_string(number));
    dataset.add_tensor("u", std::vector<double>{1, 2, double(number)});
    dataset.add_bytes("mesh", "bytes");
    dataset.add_meta_scalar("dt", 0.5);
    dataset.add_meta_scalar("dt", 0.25);
    dataset.add_meta_scalar<std::int64_t>("step", number);
    dataset.add_meta_string("units", "m/s");
    return dataset; // moved
}

static void test_datasets(ssasync::Client &client) {
    client.delete_list("days"); // of a run before this one
    for (int i = 0; i < 3; i++) {
        ssasync::Dataset dataset = day(i);
        client.put_dataset(dataset);
        client.append_to_list("days", dataset.name());
    }
    CHECK(client.get_list_length("days") == 3 && client.poll_list_length("days", 3, 1000, 5));
    client.wait_for_list_length("days", 2, SSA_COMPARE_AT_LEAST);
    const std::vector<ssasync::Dataset> days = client.get_datasets_from_list("days");
    CHECK(days.size() == 3 && client.get_dataset_list_range("days", -1, -1).size() == 1);
    const ssasync::Dataset &last = days.at(2);
    std::vector<double> u(3);
    last.unpack_tensor("u", u);
    CHECK(u[2] == 2 && last.get_tensor("u").to_vector<double>() == u);
    CHECK(last.get_meta_scalars<double>("dt") == std::vector<double>({0.5, 0.25}));
    CHECK(last.get_meta_scalars<std::int64_t>("step").at(0) == 2 && last.get_meta_strings("units").at(0) == "m/s");
    CHECK(last.get_bytes("mesh") == "bytes" && last.get_tensor_dims("u") == ssasync::Shape{3});
    CHECK(last.get_tensor_names().size() == 1 && last.get_bytes_names().size() == 1);
    CHECK(last.get_metadata_field_names().size() == 3 && last.get_tensor_type("u") == SSA_FLOAT64);
    CHECK(last.get_metadata_field_type("units") == SSA_STRING);
    ssasync::Dataset less = day(1);
    less.remove_tensor("u");
    less.remove_bytes("mesh");
    less.clear_field("dt");
    CHECK(less.get_tensor_names().empty() && less.get_bytes_names().empty() && !less.has_field("dt"));
    CHECK(less.has_field("units"));
    THROWS(NotFound, "no tensor 'u'", less.remove_tensor("u"));
    THROWS(TensorMismatch, "dt", last.get_meta_scalars<float>("dt"));
    THROWS(NotFound, "none", last.get_tensor("none"));
    THROWS(InvalidArgument, "a{", ssasync::Dataset("a{"));
    THROWS(NotFound, "none", client.get_dataset("none"));
    client.copy_list("days", "dates");
    client.rename_list("dates", "times");
    client.set_list_ttl("times", 100);
    CHECK(client.get_list_ttl("times") > 90);
    client.persist_list("times");
    CHECK(std::isinf(client.get_list_ttl("times")));
    client.delete_list("times");
    THROWS(NotFound, "times", client.get_list_ttl("times"));
    client.delete_model_multigpu("none", 0, 2);
    client.delete_script_multigpu("none", 0, 2);
    THROWS(InvalidArgument, "num_gpus cannot be 0", client.delete_model_multigpu("none", 0, 0));
    client.copy_dataset("day_0", "copy");
    client.rename_dataset("copy", "renamed");
    CHECK(client.dataset_exists("renamed"));
}

static void test_futures(ssasync::Client &client) {
    std::vector<double> data(100000), back(100000);
    std::iota(data.begin(), data.end(), 1.0);
    ssasync::Future put = client.start_put_tensor("future", data);
    CHECK(put.wait());
    std::vector<ssasync::Future> futures;
    futures.push_back(client.start_get_tensor("future"));
    futures.push_back(client.start_unpack_tensor("future", back));
    CHECK(ssasync::wait_any(futures).has_value());
    CHECK(futures[0].tensor().to_vector<double>() == data);
    THROWS(InvalidArgument, "taken", futures[0].tensor());
    while (!futures[1].test())
        ;
    CHECK(back == data);
    ssasync::Future missing = client.start_get_tensor("nothing");
    THROWS(NotFound, "nothing", missing.wait());
    ssasync::Future cancelled = client.start_put_tensor("future", data);
    cancelled.cancel();
    ssasync::Future dropped = client.start_get_tensor("future");
    THROWS(InvalidArgument, "at least one", ssasync::wait_any({}));
}

static void test_threads(ssasync::Client &client) {
    std::vector<std::thread> threads;
    std::vector<int> right(4);
    for (std::size_t i = 0; i < right.size(); i++)
        threads.emplace_back([&client, &right, i] {
            const std::string name = "thread_" + std::to_string(i), missing = "missing_" + std::to_string(i);
            for (int round = 0; round < 50; round++) {
                client.put_tensor(name, std::vector<double>{double(round)});
                right[i] += client.get_tensor(name).to_vector<double>()[0] == round;
                try {
                    client.get_tensor(missing);
                } catch (const ssasync::NotFound &error) {
                    right[i] += std::strstr(error.what(), missing.c_str()) != nullptr;
                }
            }
        });
    for (std::thread &thread : threads)
        thread.join();
    for (const int count : right)
        CHECK(count == 100);
}

static void test_moves_and_logs() {
    int lines = 0;
    ssasync::Options options;
    options.log_level = SSA_LOG_INFO;
    options.log_sink = [&lines](ssa_log_level, std::string_view) { lines++; };
    ssasync::Client first(options);
    ssasync::Client second = std::move(first);
    second.ping();
    CHECK(lines > 0);
    ssasync::Tensor kept = [] {
        ssasync::Client brief;
        brief.put_tensor("kept", std::vector<double>{4});
        return brief.get_tensor("kept");
    }();
    CHECK(kept.values<double>()[0] == 4);
    static_assert(!std::is_copy_constructible_v<ssasync::Client> &&
                  std::is_nothrow_move_constructible_v<ssasync::Tensor>);
    static_assert(!std::is_copy_constructible_v<ssasync::Future> && !std::is_copy_constructible_v<ssasync::Dataset>);
}

int main() {
    try {
        ssasync::Client client;
        test_types(client);
        test_layouts(client);
        test_values(client);
        test_datasets(client);
        test_exceptions(client);
        test_futures(client);
        test_threads(client);
        test_moves_and_logs();
    } catch (const std::exception &error) {
        std::printf("thrown: %s\n", error.what());
        failures++;
    }
    std::printf("%ld checks in 8 tests\n", checks);
    return failures ? 1 : 0;
}
