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

/* A value of the metadata of model "plain". */
static int is_told(const char *field, const char *value) {
    ssa_texts *metadata;
    int told = 0;
    OK(ssa_get_model_metadata(client, NAME("plain"), &metadata, OWN));
    for (size_t i = 0; i + 1 < ssa_texts_count(metadata); i += 2)
        told += !strcmp(ssa_texts_at(metadata, i, NULL), field) && !strcmp(ssa_texts_at(metadata, i + 1, NULL), value);
    ssa_texts_free(metadata);
    return told;
}

static void test_what_is_not_described_is_as_usual(void) {
    ssa_model_description description;
    const char *file = getenv("MODEL");
    OK(ssa_set_model_from_file(client, NAME("plain"), file, SSA_TEXT_ENDS, NULL, OWN));
    CHECK(is_told("backend", "TORCH") && is_told("device", "CPU") && is_told("batch_size", "0"));
    ssa_model_description_init(&description, sizeof description);
    description.device = description.backend = NULL;
    description.batch_size = 4;
    OK(ssa_set_model_from_file(client, NAME("plain"), file, SSA_TEXT_ENDS, &description, OWN));
    CHECK(is_told("backend", "TORCH") && is_told("device", "CPU") && is_told("batch_size", "4"));
    description.device = "";
    CHECK_STATUS(ssa_set_model_from_file(client, NAME("plain"), file, SSA_TEXT_ENDS, &description, OWN), SSA_EARGUMENT);
    OK(ssa_delete_model(client, NAME("plain"), OWN));
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
    OK(ssa_start_run_script(client, NAME("script"), NAME("f"), names_of(inputs, 2), names_of(outputs, 1), OWN, &future));
    OK(ssa_future_wait(future, -1));
    ssa_future_free(future);
    OK(ssa_unpack_tensor(client, NAME("out_0"), &array, OWN));
    OK(ssa_delete_tensor(client, NAME("out_0"), OWN));
    CHECK_STATUS(ssa_start_run_model_multigpu(client, NAME("m"), names_of(inputs, 2), names_of(outputs, 1), 0, 0, 0, OWN,
                                              &future), SSA_EARGUMENT);
    CHECK(!future);
    CHECK_STATUS(ssa_start_run_script_multigpu(client, NAME("m"), NAME("f"), names_of(inputs, 2), names_of(outputs, 1), 0,
                                               -1, 1, OWN, &future), SSA_EARGUMENT);
    CHECK(!future);
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
    CHECK_HAS(ssa_client_error(client), "num_gpus cannot be 0: give 1 to 1024");
    CHECK_STATUS(
        ssa_run_model_multigpu(client, NAME("closure"), names_of(inputs, 2), names_of(outputs, 1), -1, 4, 3, 0.2),
        SSA_ENOWORKER);
    CHECK_HAS(ssa_client_error(client), "GPU:6");
}

/* ---- in batches */

static ssa_batch *new_batch(void) {
    ssa_batch *batch;
    OK(ssa_batch_new(client, &batch));
    return batch;
}

static void test_models_and_scripts_in_a_batch(void) {
    static const char source[] = "def f(x):\n    return x\n";
    ssa_model_description description;
    ssa_texts *script, *metadata, *of_script, *model;
    int found, gone = 7;
    ssa_batch *batch = new_batch();
    ssa_model_description_init(&description, sizeof description);
    OK(ssa_batch_set_model_from_file(batch, NAME("batch_model"), getenv("MODEL"), SSA_TEXT_ENDS, &description));
    OK(ssa_batch_get_model(batch, NAME("batch_model"), &model));
    OK(ssa_batch_get_model_metadata(batch, NAME("batch_model"), &metadata));
    OK(ssa_batch_set_script_multigpu(batch, NAME("batch_script"), source, SSA_TEXT_ENDS, 2, 3));
    OK(ssa_batch_get_script(batch, NAME("batch_script"), &script));
    OK(ssa_batch_get_script_metadata(batch, NAME("batch_script"), &of_script));
    OK(ssa_batch_script_exists(batch, NAME("batch_script"), &found));
    OK(ssa_batch_delete_script(batch, NAME("batch_script")));
    OK(ssa_batch_delete_model(batch, NAME("batch_model")));
    OK(ssa_batch_model_exists(batch, NAME("batch_model"), &gone));
    CHECK_STATUS(ssa_batch_set_model_from_file(batch, NAME("m"), NAME("/no/such/file"), &description), SSA_ESYSTEM);
    CHECK_STATUS(ssa_batch_set_script_multigpu(batch, NAME("m"), source, SSA_TEXT_ENDS, 0, 0), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "num_gpus cannot be 0");
    CHECK(!script && !metadata && !of_script && !model && !found);
    OK(ssa_batch_execute(batch, OWN));
    CHECK(ssa_batch_count(batch) == 10 && found == 1 && gone == 0);
    CHECK(ssa_texts_count(model) == 1 && ssa_texts_count(metadata) >= 6);
    CHECK(script && !strcmp(ssa_texts_at(script, 0, NULL), source));
    int told = 0;
    for (size_t i = 0; i + 1 < ssa_texts_count(of_script); i += 2)
        told += !strcmp(ssa_texts_at(of_script, i, NULL), "devices") &&
                !strcmp(ssa_texts_at(of_script, i + 1, NULL), "GPU:2,GPU:3,GPU:4");
    CHECK(told == 1);
    ssa_texts_free(model);
    ssa_texts_free(metadata);
    ssa_texts_free(script);
    ssa_texts_free(of_script);
    ssa_batch_free(batch);
}

static void test_multigpu_forms(void) {
    static const char source[] = "def f(x):\n    return x\n";
    const char *file = getenv("MODEL");
    ssa_model_description description;
    ssa_texts *model, *metadata;
    size_t bytes;
    ssa_model_description_init(&description, sizeof description);
    OK(ssa_set_model_from_file_multigpu(client, NAME("gpus"), file, SSA_TEXT_ENDS, 0, 2, &description, OWN));
    OK(ssa_get_model(client, NAME("gpus"), &model, OWN));
    const char *blob = ssa_texts_at(model, 0, &bytes);
    OK(ssa_set_model_multigpu(client, NAME("gpus"), blob, bytes, 1, 2, &description, OWN));
    OK(ssa_get_model_metadata(client, NAME("gpus"), &metadata, OWN));
    int told = 0;
    for (size_t i = 0; i < ssa_texts_count(metadata); i++)
        told += !strcmp(ssa_texts_at(metadata, i, NULL), "GPU:1,GPU:2");
    CHECK(told == 1);
    ssa_texts_free(metadata);
    CHECK_STATUS(ssa_set_model_multigpu(client, NAME("gpus"), blob, bytes, 1, 0, &description, OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_set_model_multigpu(client, NAME("gpus"), blob, bytes, -1, 1, &description, OWN), SSA_EARGUMENT);
    ssa_texts_free(model);
    OK(ssa_set_script_multigpu(client, NAME("gpus"), source, SSA_TEXT_ENDS, 0, 1, OWN));
    OK(ssa_set_script_from_file_multigpu(client, NAME("gpus"), file, SSA_TEXT_ENDS, 3, 1, OWN));
    OK(ssa_get_script_metadata(client, NAME("gpus"), &metadata, OWN));
    CHECK(ssa_texts_count(metadata) >= 4);
    ssa_texts_free(metadata);
    CHECK_STATUS(ssa_delete_model_multigpu(client, NAME("gpus"), 0, 0, OWN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_delete_script_multigpu(client, NAME("gpus"), -1, 1, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "first_gpu cannot be -1");
    OK(ssa_delete_script_multigpu(client, NAME("gpus"), 3, 1, OWN));
    CHECK_STATUS(ssa_get_script_metadata(client, NAME("gpus"), &metadata, OWN), SSA_ENOTFOUND);
    ssa_batch *batch;
    OK(ssa_batch_new(client, &batch));
    OK(ssa_batch_delete_model_multigpu(batch, NAME("gpus"), 1, 2));
    OK(ssa_batch_delete_script_multigpu(batch, NAME("gpus"), 1, 2));
    CHECK_STATUS(ssa_batch_delete_script_multigpu(batch, NAME("gpus"), 1, 0), SSA_EARGUMENT);
    OK(ssa_batch_execute(batch, OWN));
    ssa_batch_free(batch);
    CHECK_STATUS(ssa_get_model_metadata(client, NAME("gpus"), &metadata, OWN), SSA_ENOTFOUND);
}

/* What the batch has put or computed goes to the worker as an array, to which it adds 1. */
static void test_a_run_after_a_put(void) {
    static const char *const inputs[] = {"run_in"}, *const outputs[] = {"run_out"}, *const lost[] = {"run_lost"};
    double value = 41, back = 0, again = 0, hidden = 0;
    int found = 7;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR), into = array, more = array, last = array;
    ssa_array pair[2];
    ssa_tensor *got, *inferred[3] = {NULL};
    size_t count = 3, few = 1;
    ssa_tensor *one_place[1];
    ssa_batch *batch = new_batch();
    into.data = &back;
    more.data = &again;
    last.data = &hidden;
    two_inputs(pair);
    OK(ssa_batch_put_tensor(batch, NAME("run_in"), &array));
    OK(ssa_batch_run_model(batch, NAME("closure"), names_of(inputs, 1), names_of(outputs, 1), 1));
    OK(ssa_batch_unpack_tensor(batch, NAME("run_out"), &into));
    OK(ssa_batch_run_script(batch, NAME("s"), NAME("f"), names_of(outputs, 1), names_of(lost, 1), 0));
    OK(ssa_batch_get_tensor(batch, NAME("run_lost"), SSA_ROW_MAJOR, &got));
    OK(ssa_batch_unpack_tensor(batch, NAME("run_lost"), &last));
    OK(ssa_batch_infer(batch, NAME("closure"), pair, 2, inferred, &count));
    CHECK_STATUS(ssa_batch_run_model(batch, NAME("closure"), names_of(inputs, 1), names_of(NULL, 0), 1), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_run_script(batch, NAME("s"), NULL, 0, names_of(inputs, 1), names_of(lost, 1), 1),
                 SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_infer(batch, NAME("closure"), pair, 2, inferred, NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_run_model_multigpu(batch, NAME("m"), names_of(inputs, 1), names_of(lost, 1), 0, 0, 0, 1),
                 SSA_EARGUMENT);
    OK(ssa_batch_execute(batch, OWN));
    CHECK(back == 42 && hidden == 43 && got && *(double *)ssa_tensor_data(got) == 43);
    check_outputs(inferred, count);
    ssa_tensor_free(got);
    ssa_batch_free(batch);
    OK(ssa_unpack_tensor(client, NAME("run_out"), &more, OWN));
    CHECK(again == 42);
    OK(ssa_tensor_exists(client, NAME("run_lost"), &found, OWN));
    CHECK(!found);
    batch = new_batch();
    OK(ssa_batch_infer(batch, NAME("closure"), pair, 2, one_place, &few));
    OK(ssa_batch_delete_tensor(batch, NAME("run_in")));
    OK(ssa_batch_delete_tensor(batch, NAME("run_out")));
    CHECK_STATUS(ssa_batch_execute(batch, OWN), SSA_ELIMIT);
    CHECK_HAS(ssa_client_error(client), "the model gave 2 outputs");
    CHECK_HAS(ssa_batch_error(batch, 0), "the model gave 2 outputs");
    CHECK(few == 2 && !one_place[0]);
    CHECK(ssa_batch_status(batch, 0) == SSA_ELIMIT && ssa_batch_status(batch, 2) == SSA_OK);
    ssa_batch_free(batch);
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_models_are_stored, test_what_is_not_described_is_as_usual, test_scripts_are_stored,
          test_infer, test_infer_as_futures, test_runs_by_name, test_models_and_scripts_in_a_batch, test_multigpu_forms,
          test_a_run_after_a_put, close_client)
