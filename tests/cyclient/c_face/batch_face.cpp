// Batches through the C++ face, against the store of the environment. With MODEL also runs; the worker is as in models.c.
#include "face.hpp"

#include <cmath>
#include <cstdlib>

using Row = std::vector<double>;

static void test_results(ssasync::Client &client) {
    const Row u{1, 2, 3};
    Row back(3);
    ssasync::Dataset dataset("set");
    dataset.add_tensor("u", u);
    dataset.add_meta_scalar("step", 7.0);
    ssasync::Batch batch = client.batch();
    batch.delete_list("all");
    auto put = batch.put_tensor("u", u);
    auto got = batch.get_tensor("u");
    auto unpacked = batch.unpack_tensor("u", ssasync::MutableArray(back));
    auto exists = batch.tensor_exists("u"), never = batch.tensor_exists("never");
    batch.copy_tensor("u", "copy");
    auto copy = batch.get_tensor("copy");
    batch.rename_tensor("copy", "renamed");
    auto renamed = batch.tensor_exists("renamed");
    batch.put_bytes("raw", "\1\2");
    auto bytes = batch.get_bytes("raw");
    auto bytes_exist = batch.bytes_exists("raw"), key = batch.key_exists("raw");
    batch.set_tensor_ttl("u", 100);
    auto ttl = batch.get_tensor_ttl("u");
    batch.persist_tensor("u");
    auto forever = batch.get_tensor_ttl("u");
    batch.put_dataset(dataset);
    auto set = batch.get_dataset("set");
    auto set_exists = batch.dataset_exists("set");
    batch.set_dataset_ttl("set", 50);
    auto set_ttl = batch.get_dataset_ttl("set");
    batch.persist_dataset("set");
    batch.append_to_list("all", "set");
    batch.set_list_ttl("all", 50);
    auto list_ttl = batch.get_list_ttl("all");
    batch.persist_list("all");
    batch.delete_model_multigpu("none", 0, 2);
    batch.delete_script_multigpu("none", 0, 2);
    auto length = batch.get_list_length("all");
    auto listed = batch.get_datasets_from_list("all"), range = batch.get_dataset_list_range("all", 0, 0);
    CHECK(batch.size() == 33);
    THROWS(InvalidArgument, "execute", got.value());
    batch.execute();

    put.value();
    unpacked.value();
    CHECK(got.value().to_vector<double>() == u && back == u);
    CHECK(exists.value() && !never.value());
    CHECK(bytes.value() == "\1\2" && bytes_exist.value() && key.value());
    CHECK(ttl.value() > 90 && std::isinf(forever.value()));
    CHECK(copy.value().to_vector<double>() == u && renamed.value());
    ssasync::Dataset came = set.value();
    CHECK(came.get_tensor("u").to_vector<double>() == u && came.get_meta_scalars<double>("step") == Row{7});
    CHECK(set_exists.value() && set_ttl.value() > 40);
    CHECK(list_ttl.value() > 40 && length.value() == 1 && listed.value().at(0).name() == "set" && range.value().size() == 1);
    THROWS(InvalidArgument, "taken", got.value());
    THROWS(InvalidArgument, "executed", batch.execute());
    THROWS(InvalidArgument, "executed", batch.delete_tensor("u"));
}

static void test_failures(ssasync::Client &client) {
    const Row u{1, 2};
    ssasync::Batch batch = client.batch();
    auto put = batch.put_tensor("before", u);
    auto missing = batch.get_tensor("never");
    THROWS(InvalidArgument, "braces", batch.put_tensor("{bad}", u));
    CHECK(batch.size() == 2);
    THROWS(NotFound, "never", batch.execute());
    put.value();
    THROWS(NotFound, "never", missing.value());

    auto orphan = client.batch().get_tensor("u");
    THROWS(InvalidArgument, "gone", orphan.value());
    client.batch().execute();
}

static void test_ownership(ssasync::Client &client) {
    const Row u(1000, 2.5);
    ssasync::Batch batch = client.batch();
    batch.put_tensor("started", u);
    auto got = batch.get_tensor("started");
    ssasync::Future future = batch.start();
    CHECK(future.wait() && got.value().to_vector<double>() == u);

    ssasync::Future left = [&] {
        ssasync::Batch brief = client.batch();
        brief.put_tensor("brief", u);
        return brief.start();
    }(); // gone while it is under way: cancelled
    THROWS(Cancelled, "", left.wait());

    ssasync::Batch first = client.batch();
    auto of_first = first.get_tensor("started");
    ssasync::Batch moved = std::move(first);
    ssasync::Client other = std::move(client);
    moved.execute();
    CHECK(of_first.value().size() == 1000);
    client = std::move(other);
    client.batch().get_tensor("started"); // never executed: nothing is left
    static_assert(!std::is_copy_constructible_v<ssasync::Batch>);
    CHECK(client.statistics().requests > 0);
}

static void test_runs(ssasync::Client &client, const char *file) {
    const Row x{1, 2, 3};
    const ssasync::ModelDescription description;
    const std::string script = "def f(x):\n    return x\n";
    client.delete_model("closure");
    client.delete_script("script");
    ssasync::Batch batch = client.batch();
    batch.set_model_from_file("closure", file, description);
    auto model_exists = batch.model_exists("closure");
    auto model = batch.get_model("closure");
    auto metadata = batch.get_model_metadata("closure");
    batch.set_script("script", script);
    auto stored = batch.get_script("script");
    auto script_metadata = batch.get_script_metadata("script");
    auto script_exists = batch.script_exists("script");
    batch.put_tensor("x", x);
    batch.run_model("closure", {"x"}, {"y"}, false);
    batch.run_script("script", "f", {"y"}, {"z"});
    auto z = batch.get_tensor("z");
    auto y = batch.tensor_exists("y");
    auto outputs = batch.infer("closure", {x});
    batch.execute();
    CHECK(model_exists.value() && model.value().size() > 50 && metadata.value().at("device") == "CPU");
    CHECK(stored.value() == script && script_exists.value() && script_metadata.value().count("device"));
    CHECK(z.value().size() > 0 && !y.value());
    CHECK(outputs.value().at(0).to_vector<double>() == Row({2, 3, 4}));

    ssasync::Batch end = client.batch();
    const std::string bytes = client.get_model("closure");
    end.set_model("copy", bytes);
    auto few = end.infer("closure", {x, x}, 1);
    end.delete_model("closure");
    end.delete_model("copy");
    end.delete_script("script");
    THROWS(InvalidArgument, "2 outputs", end.execute());
    THROWS(InvalidArgument, "2 outputs", few.value());
    THROWS(InvalidArgument, "", client.set_model_multigpu("m", bytes, 0, 0));
    THROWS(InvalidArgument, "", client.batch().run_model_multigpu("closure", {"x"}, {"y"}, 0, 0, 0));
    THROWS(NotFound, "none", client.get_script_metadata("none"));
}

int main() {
    const char *model = std::getenv("MODEL");
    try {
        ssasync::Client client;
        test_results(client);
        test_failures(client);
        test_ownership(client);
        if (model)
            test_runs(client, model);
    } catch (const std::exception &error) {
        std::printf("thrown: %s\n", error.what());
        failures++;
    }
    std::printf("%ld checks in %d tests\n", checks, model ? 4 : 3);
    return failures ? 1 : 0;
}
