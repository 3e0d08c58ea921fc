/* What no caller should pass: each is refused with a status and a text, and the client works afterwards. */
#include "face.h"

static ssa_client *client;
static double data[6];
static const int64_t shape[] = {2, 3};

static void refused(ssa_status status, const char *part) {
    CHECK_STATUS(status, SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), part);
}

static ssa_status put(const ssa_array *array) {
    return ssa_put_tensor(client, NAME("bad"), array, OWN);
}

static ssa_array good(void) {
    return face_array(data, SSA_FLOAT64, shape, 2, SSA_ROW_MAJOR);
}

static void test_arrays(void) {
    ssa_array array = good();
    int64_t negative[] = {2, -3}, huge[] = {INT64_MAX, 4}, strides[] = {0, 8};
    refused(put(NULL), "array cannot be NULL");
    array.size = 3;
    refused(put(&array), "array.size cannot be 3");
    array = good();
    array.data = NULL;
    refused(put(&array), "array.data cannot be NULL");
    array = good();
    array.shape = NULL;
    refused(put(&array), "array.shape cannot be NULL");
    array = good();
    array.shape = negative;
    refused(put(&array), "array.shape cannot be -3");
    array = good();
    array.shape = huge;
    CHECK_STATUS(put(&array), SSA_ELIMIT);
    CHECK_HAS(ssa_client_error(client), "array.shape");
    int bad_ndims[] = {-1, 33, 1 << 30};
    for (int i = 0; i < 3; i++) {
        array = good();
        array.ndim = bad_ndims[i];
        refused(put(&array), "array.ndim");
    }
    int bad_dtypes[] = {0, -1, 18, 1000};
    for (int i = 0; i < 4; i++) {
        array = good();
        array.dtype = bad_dtypes[i];
        refused(put(&array), "array.dtype");
    }
    int bad_layouts[] = {-1, SSA_AS_STORED, 99};
    for (int i = 0; i < 3; i++) {
        array = good();
        array.layout = bad_layouts[i];
        refused(put(&array), "array.layout");
    }
    array = good();
    array.itemsize = 4;
    refused(put(&array), "array.itemsize cannot be 4");
    array = good();
    array.dtype = SSA_STRING;
    refused(put(&array), "array.itemsize cannot be 0");
    array = good();
    array.layout = SSA_STRIDED;
    refused(put(&array), "array.strides cannot be NULL");
    array.strides = strides;
    OK(put(&array)); /* one row, read again and again */
    refused(ssa_unpack_tensor(client, NAME("bad"), &array, OWN), "array.strides cannot be 0");
    strides[0] = INT64_MIN;
    refused(ssa_unpack_tensor(client, NAME("bad"), &array, OWN), "array.strides cannot be -9223372036854775808: no memory is so large");
}

/* Of 2 by 3 doubles: which strides may be written with. */
static void test_elements_upon_each_other(void) {
    static const struct { int64_t strides[2]; int are_apart; } cases[] = {
        {{8, 8}, 0}, {{16, 8}, 0}, {{8, 16}, 1}, {{-16, 8}, 0}, {{24, 8}, 1}, {{24, 4}, 0}, {{4, 24}, 0}, {{-24, -8}, 1},
        {{24, -7}, 0}, {{23, 8}, 0}, {{25, 8}, 1}, {{8, 17}, 1}, {{8, -16}, 1}, {{INT64_MAX, 8}, 0}, {{8, INT64_MAX}, 0}};
    ssa_array array = good();
    ssa_tensor *tensor;
    ssa_dataset *dataset;
    OK(ssa_dataset_new(NAME("d"), &dataset));
    OK(ssa_add_tensor(dataset, NAME("other"), &array));
    array.layout = SSA_STRIDED;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        array.strides = cases[i].strides;
        ssa_status status = ssa_unpack_tensor(client, NAME("absent"), &array, OWN);
        if (!CHECK(status == (cases[i].are_apart ? SSA_ENOTFOUND : SSA_EARGUMENT)))
            printf("    case %zu: %s\n", i, ssa_client_error(client));
        if (!cases[i].are_apart)
            CHECK(ssa_unpack_dataset_tensor(dataset, NAME("other"), &array) == SSA_EARGUMENT);
    }
    CHECK_STATUS(ssa_get_tensor(client, NAME("absent"), SSA_AS_STORED, &tensor, OWN), SSA_ENOTFOUND);
    ssa_dataset_free(dataset);
}

static void test_names(void) {
    ssa_array array = good();
    ssa_tensor *tensor;
    char *longer = malloc(2000);
    memset(longer, 'n', 2000);
    refused(ssa_put_tensor(client, NULL, 3, &array, OWN), "name cannot be NULL");
    refused(ssa_put_tensor(client, NULL, SSA_TEXT_ENDS, &array, OWN), "name cannot be NULL");
    refused(ssa_put_tensor(client, "", 0, &array, OWN), "cannot be empty");
    refused(ssa_put_tensor(client, "x", (size_t)-5, &array, OWN), "bytes long");
    refused(ssa_put_tensor(client, longer, 2000, &array, OWN), "at most 1024 bytes");
    refused(ssa_get_tensor(client, NAME("a{b"), SSA_AS_STORED, &tensor, OWN), "a{b");
    refused(ssa_get_tensor(client, NAME("a\0b"), SSA_AS_STORED, &tensor, OWN), "name");
    refused(ssa_delete_tensor(client, NAME("a}b"), OWN), "a}b");
    free(longer);
}

static void test_results(void) {
    refused(ssa_get_tensor(client, NAME("x"), SSA_AS_STORED, NULL, OWN), "tensor cannot be NULL");
    refused(ssa_get_bytes(client, NAME("x"), NULL, OWN), "data cannot be NULL");
    refused(ssa_tensor_exists(client, NAME("x"), NULL, OWN), "exists cannot be NULL");
    refused(ssa_client_describe(client, NULL, 10, NULL), "cannot be NULL");
    refused(ssa_start_get_tensor(client, NAME("x"), SSA_AS_STORED, OWN, NULL), "future cannot be NULL");
    refused(ssa_control_poll(client, NULL, 0, NULL, OWN), "requests cannot be NULL");
    refused(ssa_put_bytes(client, NAME("x"), NULL, 4, OWN), "data cannot be NULL");
    OK(ssa_put_bytes(client, NAME("x"), NULL, 0, OWN));
}

static void test_numbers(void) {
    ssa_tensor *tensor;
    ssa_array array = good();
    int found;
    refused(ssa_put_tensor(client, NAME("x"), &array, NAN), "timeout cannot be nan");
    refused(ssa_get_tensor(client, NAME("x"), SSA_STRIDED, &tensor, OWN), "layout cannot be 3");
    refused(ssa_get_tensor(client, NAME("x"), (ssa_layout)7, &tensor, OWN), "layout cannot be 7");
    refused(ssa_client_set_timeout(client, 0), "timeout cannot be 0");
    refused(ssa_client_set_timeout(client, -1), "timeout cannot be -1");
    refused(ssa_wait_for_list_length(client, NAME("x"), 1, (ssa_comparison)3, OWN), "comparison cannot be 3");
    refused(ssa_poll_tensor(client, NAME("x"), -1, 5, &found, OWN), "");
    refused(ssa_poll_tensor(client, NAME("x"), 5, -1, &found, OWN), "");
    refused(ssa_set_tensor_ttl(client, NAME("x"), 0, OWN), "seconds cannot be 0");
    refused(ssa_set_tensor_ttl(client, NAME("x"), -1, OWN), "seconds cannot be -1");
    refused(ssa_set_tensor_ttl(client, NAME("x"), NAN, OWN), "seconds cannot be");
    OK(ssa_put_tensor(client, NAME("x"), &array, INFINITY));
    OK(ssa_put_tensor(client, NAME("x"), &array, 1e300));
    OK(ssa_put_tensor(client, NAME("x"), &array, -INFINITY));
    OK(ssa_client_set_timeout(client, 30));
}

/* Nothing is read or written by a count that cannot be one. */
static void test_counts_that_nobody_has_set(void) {
    static const char *const x = "x";
    const size_t counts[] = {SIZE_MAX, SIZE_MAX / 8, 509};
    const ssa_names one = {&x, NULL, 1};
    ssa_array array = good();
    ssa_tensor *const untouched = (ssa_tensor *)data, *outputs[1] = {untouched};
    ssa_future *future, *started[1];
    ssa_batch *batch;
    size_t index;
    OK(ssa_batch_new(client, &batch));
    OK(ssa_start_infer(client, NAME("m"), &array, 1, OWN, &future));
    for (int i = 0; i < 3; i++) {
        size_t count = counts[i], few = 1;
        const ssa_names unset = {&x, NULL, count};
        char told[80];
        snprintf(told, sizeof told, "output_count cannot be %zu: set it to how many tensors there is room for", count);
        refused(ssa_infer(client, NAME("m"), &array, 1, outputs, &count, OWN), told);
        refused(ssa_batch_infer(batch, NAME("m"), &array, 1, outputs, &count), told);
        refused(ssa_future_outputs(future, outputs, &count), told);
        CHECK(outputs[0] == untouched && count == counts[i]);
        refused(ssa_infer(client, NAME("m"), &array, count, outputs, &few, OWN), "a run takes at most 508");
        refused(ssa_start_infer(client, NAME("m"), &array, count, OWN, started), "a run takes at most 508");
        outputs[0] = untouched;
        refused(ssa_run_model(client, NAME("m"), unset, one, OWN), "inputs cannot be");
        refused(ssa_run_model(client, NAME("m"), one, unset, OWN), "outputs cannot be");
    }
    refused(ssa_wait_any(&future, SIZE_MAX, 0, &index), "count cannot be so large");
    ssa_future_free(future);
    ssa_batch_free(batch);
}

/* Its text is that of the last call on it; then that of its operation. */
static void test_a_future_says_what_was_wrong(void) {
    ssa_future *future;
    ssa_tensor *tensor;
    size_t index, count = 1;
    ssa_array array = good();
    OK(ssa_start_get_tensor(client, NAME("absent"), SSA_AS_STORED, OWN, &future));
    CHECK(!*ssa_future_error(future));
    CHECK_STATUS(ssa_future_wait(future, NAN), SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(future), "timeout cannot be nan");
    CHECK_STATUS(ssa_wait_any(&future, 1, 1, NULL), SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(future), "index cannot be NULL");
    CHECK_STATUS(ssa_wait_any(&future, 1, -1, &index), SSA_OK);
    CHECK_HAS(ssa_future_error(future), "no tensor 'absent'");
    CHECK_STATUS(ssa_future_tensor(future, NULL), SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(future), "tensor cannot be NULL");
    CHECK_STATUS(ssa_future_outputs(future, &tensor, &count), SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(future), "none of ssa_start_infer");
    CHECK_STATUS(ssa_future_test(future), SSA_ENOTFOUND);
    CHECK_HAS(ssa_future_error(future), "no tensor 'absent'");
    ssa_future_free(future);
    OK(ssa_start_put_tensor(client, NAME("x"), &array, OWN, &future));
    OK(ssa_future_wait(future, -1));
    CHECK(!*ssa_future_error(future));
    CHECK_STATUS(ssa_future_tensor(future, &tensor), SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(future), "cannot give a tensor");
    ssa_future_free(future);
}

static void test_no_handle(void) {
    ssa_tensor *tensor = NULL;
    ssa_future *future = NULL, *none[2] = {NULL, NULL};
    size_t index, bytes;
    int found;
    ssa_array array = good();
    CHECK(ssa_client_new(NULL, NULL) == SSA_EARGUMENT);
    CHECK(ssa_put_tensor(NULL, NAME("x"), &array, OWN) == SSA_EARGUMENT);
    CHECK(ssa_get_tensor(NULL, NAME("x"), SSA_AS_STORED, &tensor, OWN) == SSA_EARGUMENT);
    CHECK(ssa_unpack_tensor(NULL, NAME("x"), &array, OWN) == SSA_EARGUMENT);
    CHECK(ssa_start_put_tensor(NULL, NAME("x"), &array, OWN, &future) == SSA_EARGUMENT && !future);
    CHECK(ssa_start_get_tensor(NULL, NAME("x"), SSA_AS_STORED, OWN, &future) == SSA_EARGUMENT && !future);
    CHECK(ssa_start_unpack_tensor(NULL, NAME("x"), &array, OWN, &future) == SSA_EARGUMENT && !future);
    CHECK(ssa_tensor_exists(NULL, NAME("x"), &found, OWN) == SSA_EARGUMENT);
    CHECK(ssa_copy_tensor(NULL, NAME("x"), NAME("y"), OWN) == SSA_EARGUMENT);
    CHECK(ssa_wait_for_key(NULL, NAME("x"), OWN) == SSA_EARGUMENT);
    CHECK(ssa_poll_key(NULL, NAME("x"), 1, 1, &found, OWN) == SSA_EARGUMENT);
    CHECK(ssa_client_describe(NULL, NULL, 0, &bytes) == SSA_EARGUMENT);
    CHECK(ssa_client_set_timeout(NULL, 1) == SSA_EARGUMENT);
    CHECK(ssa_use_list_ensemble_prefix(NULL, 1) == SSA_EARGUMENT);
    CHECK(ssa_ping(NULL, NULL, 0, OWN) == SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(NULL), "no client");
    CHECK(ssa_future_test(NULL) == SSA_EARGUMENT && ssa_future_wait(NULL, 1) == SSA_EARGUMENT);
    CHECK(ssa_future_cancel(NULL) == SSA_EARGUMENT && ssa_future_tensor(NULL, &tensor) == SSA_EARGUMENT);
    CHECK(ssa_wait_any(NULL, 0, 0, &index) == SSA_EARGUMENT && ssa_wait_any(none, 2, 0, &index) == SSA_EARGUMENT);
    CHECK_HAS(ssa_future_error(NULL), "no future");
    ssa_future_free(NULL);
    ssa_tensor_free(NULL);
    ssa_texts_free(NULL);
    ssa_client_free(NULL);
    CHECK(ssa_texts_count(NULL) == 0 && !ssa_texts_at(NULL, 0, &bytes) && bytes == 0);
    ssa_options_init(NULL, 8);
    ssa_array_init(NULL, 8, NULL, SSA_INT8, NULL, 0);
}

/* ---- options */

static void cannot_open(const ssa_options *options, ssa_status status, const char *part) {
    ssa_client *bad;
    int exists;
    CHECK(ssa_client_new(options, &bad) == status);
    CHECK_HAS(ssa_client_error(bad), part);
    CHECK(ssa_tensor_exists(bad, NAME("x"), &exists, OWN) == status);
    CHECK_HAS(ssa_client_error(bad), part);
    ssa_client_free(bad);
}

static ssa_options options_with(const char *address) {
    ssa_options options;
    ssa_options_init(&options, sizeof options);
    options.address = address;
    return options;
}

static void test_options(void) {
    ssa_options options = options_with("nonsense:");
    cannot_open(&options, SSA_EARGUMENT, "nonsense");
    options = options_with("127.0.0.1:1");
    options.timeout = 0;
    cannot_open(&options, SSA_EARGUMENT, "timeout");
    options = options_with("127.0.0.1:1");
    options.log_level = 9;
    cannot_open(&options, SSA_EARGUMENT, "9");
    options = options_with("127.0.0.1:1");
    options.size = 4;
    cannot_open(&options, SSA_EARGUMENT, "options.size cannot be 4");
    options.size = (size_t)-1;
    cannot_open(&options, SSA_EARGUMENT, "options.size");
    struct { ssa_options known; long unknown; } newer;
    ssa_options_init(&newer.known, sizeof newer);
    newer.known.address = "127.0.0.1:1";
    newer.unknown = 1;
    cannot_open(&newer.known, SSA_EARGUMENT, "does not know");
    newer.unknown = 0;
    ssa_client *opened;
    CHECK(ssa_client_new(&newer.known, &opened) == SSA_OK);
    CHECK(ssa_client_set_timeout(opened, 0.2) == SSA_OK);
    CHECK(ssa_ping(opened, NULL, 0, OWN) == SSA_ECONNECT);
    CHECK_HAS(ssa_client_error(opened), "127.0.0.1:1");
    ssa_client_free(opened);
    /* A program that was compiled when there were fewer options. */
    options = options_with("127.0.0.1:1");
    options.size = offsetof(ssa_options, log_level);
    CHECK(ssa_client_new(&options, &opened) == SSA_OK);
    ssa_client_free(opened);
}

static int heard;

static void hear(void *user, ssa_log_level level, const char *text, size_t bytes) {
    heard += user == &heard && level == SSA_LOG_INFO && bytes && memchr(text, 'c', bytes) != NULL;
}

static void test_log_sink(void) {
    ssa_options options;
    ssa_client *opened;
    int exists;
    ssa_options_init(&options, sizeof options);
    options.log_sink = hear;
    options.log_user = &heard;
    options.log_level = SSA_LOG_INFO;
    OK(ssa_client_new(&options, &opened));
    OK(ssa_tensor_exists(opened, NAME("x"), &exists, OWN));
    CHECK(heard > 0);
    ssa_client_free(opened);
}

static void test_it_still_works(void) {
    ssa_array array = good();
    OK(put(&array));
    OK(ssa_delete_tensor(client, NAME("bad"), OWN));
    ssa_client_free(client);
}

static void open_client(void) {
    client = face_open();
}

FACE_MAIN(open_client, test_arrays, test_elements_upon_each_other, test_names, test_results, test_numbers,
          test_counts_that_nobody_has_set, test_a_future_says_what_was_wrong, test_no_handle, test_options, test_log_sink,
          test_it_still_works)
