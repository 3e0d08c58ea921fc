/* Models, scripts and runs through the library. MODEL in the environment: a file that is a model. A worker of the test
 * adds 1 to arrays; for names it answers with as many numbers as there are inputs. */
#include "face.h"

static ssa_client *client;

static ssa_names names_of(const char *const *names, size_t count) {
    return (ssa_names){names, NULL, count};
}

static void test_models_are_stored(void) {
    ssa_model_description description;
    ssa_texts *model, *metadata, *again;
    size_t bytes, same;
    int found;
    ssa_model_description_init(&description, sizeof description);
    description.batch_size = 8;
    description.tag = "v1";
    OK(ssa_set_model_from_file(client, NAME("closure"), getenv("MODEL"), SSA_TEXT_ENDS, &description, OWN));
    OK(ssa_wait_for_model(client, NAME("closure"), OWN));
    OK(ssa_get_model(client, NAME("closure"), &model, OWN));
    CHECK(ssa_texts_count(model) == 1);
    const char *blob = ssa_texts_at(model, 0, &bytes);
    CHECK(bytes > 50);
    OK(ssa_get_model_metadata(client, NAME("closure"), &metadata, OWN));
    CHECK(ssa_texts_count(metadata) >= 6 && ssa_texts_count(metadata) % 2 == 0);
    ssa_texts_free(metadata);
    OK(ssa_set_model(client, NAME("copy"), blob, bytes, &description, OWN));
    OK(ssa_get_model(client, NAME("copy"), &again, OWN));
    CHECK(!memcmp(ssa_texts_at(again, 0, &same), blob, bytes) && same == bytes);
    ssa_texts_free(again);
    ssa_texts_free(model);
    OK(ssa_delete_model(client, NAME("closure"), OWN));
    OK(ssa_delete_model(client, NAME("copy"), OWN));
    OK(ssa_model_exists(client, NAME("copy"), &found, OWN));
    CHECK(found == 0);
    CHECK_STATUS(ssa_get_model(client, NAME("copy"), &model, OWN), SSA_ENOTFOUND);
    CHECK_STATUS(ssa_set_model_from_file(client, NAME("m"), NAME("/no/such/file"), &description, OWN), SSA_ESYSTEM);
    CHECK_HAS(ssa_client_error(client), "/no/such/file");
    CHECK_STATUS(ssa_set_model(client, NAME("m"), NULL, 8, &description, OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_set_model(client, NAME("m"), NAME("no model"), NULL, OWN), SSA_EARGUMENT);
    description.size = 1;
    CHECK_STATUS(ssa_set_model(client, NAME("m"), NAME("no model"), &description, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "description.size cannot be 1");
    ssa_model_description_init(&description, sizeof description);
    CHECK_STATUS(ssa_set_model(client, NAME("m"), NAME("no model, but text"), &description, OWN), SSA_EMODEL);
    CHECK_HAS(ssa_client_error(client), "model 'm' (the bytes given): 18 bytes that begin with 'no model, but te': "
                                        "no TorchScript archive, as torch.jit.save writes it");
    CHECK_STATUS(ssa_set_model(client, NAME("m"), "PK\3", 3, &description, OWN), SSA_EMODEL);
    description.device = "TPU";
    CHECK_STATUS(ssa_set_model_from_file(client, NAME("m"), getenv("MODEL"), SSA_TEXT_ENDS, &description, OWN),
                 SSA_EARGUMENT);
    ssa_model_description_init(NULL, 8);
}

static void test_scripts_are_stored(void) {
    static const char source[] = "def f(x):\n    return x\n";
    ssa_model_description description;
    ssa_texts *script;
    int found;
    ssa_model_description_init(&description, sizeof description);
    OK(ssa_set_script(client, NAME("script"), source, SSA_TEXT_ENDS, &description, OWN));
    OK(ssa_get_script(client, NAME("script"), &script, OWN));
    CHECK(script && !strcmp(ssa_texts_at(script, 0, NULL), source));
    ssa_texts_free(script);
    OK(ssa_script_exists(client, NAME("script"), &found, OWN));
    CHECK(found == 1);
    OK(ssa_delete_script(client, NAME("script"), OWN));
}

static const int64_t shape[] = {2, 3};
static double field[2][6] = {{0, 9, 1, 9, 2, 9}, {3, 9, 4, 9, 5, 9}};

static void two_inputs(ssa_array inputs[2]) {
    static const int64_t strides[] = {sizeof field[0], 16};
    static double one = 41;
    inputs[0] = face_array(field, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    inputs[0].strides = strides;
    inputs[1] = face_array(&one, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
}

static void check_outputs(ssa_tensor **outputs, size_t count) {
    if (!CHECK(count == 2 && outputs[0] && outputs[1]))
        return;
    const double *first = ssa_tensor_data(outputs[0]), *second = ssa_tensor_data(outputs[1]);
    CHECK(first[0] == 1 && first[1] == 2 && first[5] == 6 && second[0] == 42);
    ssa_tensor_free(outputs[0]);
    ssa_tensor_free(outputs[1]);
}

static void test_infer(void) {
    ssa_array inputs[2];
    ssa_tensor *outputs[4];
    size_t count = 4;
    two_inputs(inputs);
    OK(ssa_infer(client, NAME("closure"), inputs, 2, outputs, &count, OWN));
    check_outputs(outputs, count);
    count = 1;
    CHECK_STATUS(ssa_infer(client, NAME("closure"), inputs, 2, outputs, &count, OWN), SSA_ELIMIT);
    CHECK(count == 2 && !outputs[0]);
    CHECK_STATUS(ssa_infer(client, NAME("closure"), NULL, 2, outputs, &count, OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_infer(client, NAME("closure"), inputs, 2, NULL, &count, OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_infer(client, NAME("closure"), inputs, 100000, outputs, &count, OWN), SSA_EARGUMENT);
    inputs[1].dtype = 0;
    CHECK_STATUS(ssa_infer(client, NAME("closure"), inputs, 2, outputs, &count, OWN), SSA_EARGUMENT);
}

static void test_infer_as_futures(void) {
    ssa_future *futures[8];
    ssa_array inputs[2];
    ssa_tensor *outputs[2];
    size_t count;
    two_inputs(inputs);
    for (int i = 0; i < 8; i++)
        OK(ssa_start_infer(client, NAME("closure"), inputs, 2, OWN, &futures[i]));
    for (int i = 0; i < 8; i++) {
        OK(ssa_future_wait(futures[i], -1));
        count = 1;
        CHECK_STATUS(ssa_future_outputs(futures[i], outputs, &count), SSA_ELIMIT);
        CHECK(count == 2);
        OK(ssa_future_outputs(futures[i], outputs, &count));
        check_outputs(outputs, count);
        CHECK_STATUS(ssa_future_outputs(futures[i], outputs, &count), SSA_EARGUMENT);
        ssa_future_free(futures[i]);
    }
    OK(ssa_start_infer(client, NAME("closure"), inputs, 2, OWN, &futures[0]));
    ssa_future_free(futures[0]);
}

static void test_runs_by_name(void) {
    static const char *const inputs[] = {"x", "{set}.y"}, *const outputs[] = {"out_0"}, *const broken[] = {"x", NULL};
    const size_t bytes[] = {5};
    double back[2] = {0};
    int64_t two = 2;
    ssa_future *future;
    ssa_array array = face_array(back, SSA_FLOAT64, &two, 1, SSA_ROW_MAJOR);
    OK(ssa_run_model(client, NAME("closure"), names_of(inputs, 2), names_of(outputs, 1), OWN));
    OK(ssa_unpack_tensor(client, NAME("out_0"), &array, OWN));
    CHECK(back[0] == 0 && back[1] == 1);
    OK(ssa_delete_tensor(client, NAME("out_0"), OWN));
    OK(ssa_run_script(client, NAME("script"), NAME("f"), names_of(inputs, 2), (ssa_names){outputs, bytes, 1}, OWN));
    OK(ssa_unpack_tensor(client, NAME("out_0"), &array, OWN));
    OK(ssa_start_run_model(client, NAME("closure"), names_of(inputs, 2), names_of(outputs, 1), OWN, &future));
    OK(ssa_future_wait(future, -1));
    ssa_future_free(future);
    OK(ssa_delete_tensor(client, NAME("out_0"), OWN));
    CHECK_STATUS(ssa_run_model(client, NAME("closure"), names_of(broken, 2), names_of(outputs, 1), OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_run_model(client, NAME("closure"), names_of(NULL, 2), names_of(outputs, 1), OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_run_model(client, NAME("closure"), names_of(inputs, 2), names_of(NULL, 0), OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_run_script(client, NAME("s"), NULL, 0, names_of(inputs, 2), names_of(outputs, 1), OWN),
                 SSA_EARGUMENT);
    CHECK_STATUS(
        ssa_run_model_multigpu(client, NAME("closure"), names_of(inputs, 2), names_of(outputs, 1), 3, -1, 2, OWN),
        SSA_EARGUMENT);
    CHECK_STATUS(
        ssa_run_script_multigpu(client, NAME("s"), NAME("f"), names_of(inputs, 2), names_of(outputs, 1), 3, 0, 0, OWN),
        SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "0 GPUs");
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_models_are_stored, test_scripts_are_stored, test_infer, test_infer_as_futures,
          test_runs_by_name, close_client)
