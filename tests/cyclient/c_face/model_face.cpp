// Models, scripts and runs through the C++ face; MODEL and the worker as in models.c.
#include "face.hpp"

#include <cstdlib>

static void test_models(ssasync::Client &client) {
    ssasync::ModelDescription description;
    description.batch_size = 8;
    client.set_model_from_file("closure", std::getenv("MODEL"), description);
    const std::string model = client.get_model("closure");
    CHECK(model.size() > 50 && client.model_exists("closure"));
    CHECK(client.get_model_metadata("closure").at("batch_size") == "8");
    client.set_model("copy", model);
    CHECK(client.get_model("copy") == model);
    client.delete_model("closure");
    client.delete_model("copy");
    client.set_script("script", "def f(x):\n    return x\n");
    CHECK(client.get_script("script").substr(0, 5) == "def f");
    client.delete_script("script");
    try {
        client.get_model("none");
        CHECK(false);
    } catch (const ssasync::NotFound &) {
        CHECK(true);
    }
}

static void test_runs(ssasync::Client &client) {
    const std::vector<double> x{1, 2, 3}, y{4};
    const std::vector<ssasync::Tensor> outputs = client.infer("closure", {x, y});
    CHECK(outputs.size() == 2 && outputs[0].to_vector<double>() == std::vector<double>({2, 3, 4}));
    CHECK(outputs[1].values<double>()[0] == 5);
    ssasync::Future future = client.start_infer("closure", {y});
    CHECK(future.outputs().at(0).values<double>()[0] == 5);
    client.run_model("closure", {"x", "y"}, {"out_0"});
    CHECK(client.get_tensor("out_0").to_vector<double>() == std::vector<double>({0, 1}));
    client.run_script("script", "f", {"x"}, {"out_0"});
    CHECK(client.get_tensor("out_0").size() == 1);
    ssasync::Future run = client.start_run_model("closure", {"x", "y"}, {"out_0"});
    CHECK(run.wait() && client.get_tensor("out_0").size() == 2);
    ssasync::Future script = client.start_run_script("script", "f", {"x"}, {"out_0"});
    CHECK(script.wait() && client.get_tensor("out_0").size() == 1);
    THROWS(InvalidArgument, "", client.start_run_model_multigpu("m", {"x"}, {"y"}, 0, 0, 0));
    THROWS(InvalidArgument, "", client.start_run_script_multigpu("m", "f", {"x"}, {"y"}, 0, 0, 0));
    client.delete_tensor("out_0");
    try {
        client.run_model_multigpu("closure", {"x"}, {"out_0"}, 0, 0, 0);
        CHECK(false);
    } catch (const ssasync::InvalidArgument &) {
        CHECK(true);
    }
}

int main() {
    try {
        ssasync::Client client;
        test_models(client);
        test_runs(client);
    } catch (const std::exception &error) {
        std::printf("thrown: %s\n", error.what());
        failures++;
    }
    std::printf("%ld checks in 2 tests\n", checks);
    return failures ? 1 : 0;
}
