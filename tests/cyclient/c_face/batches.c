/* Batches: order, results, errors of each operation, and every way they can end. */
#include "face.h"

#define MANY 1000

static ssa_client *client;
static double values[MANY];

static ssa_array one(double *value) {
    return face_array(value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
}

static size_t name_of(char name[32], int number) {
    return (size_t)snprintf(name, 32, "batch_%d", number);
}

static ssa_batch *new_batch(void) {
    ssa_batch *batch;
    if (ssa_batch_new(client, &batch)) {
        printf("no batch: %s\n", ssa_client_error(client));
        exit(2);
    }
    return batch;
}

/* ---- results */

static void put_many(void) {
    ssa_batch *batch = new_batch();
    char name[32];
    for (int i = 0; i < MANY; i++) {
        values[i] = i + 0.5;
        ssa_array array = one(&values[i]);
        OK(ssa_batch_put_tensor(batch, name, name_of(name, i), &array));
    }
    CHECK(ssa_batch_count(batch) == MANY);
    CHECK(ssa_batch_status(batch, 0) == SSA_MORE && ssa_batch_status(batch, MANY) == SSA_EARGUMENT);
    OK(ssa_batch_execute(batch, OWN));
    CHECK(ssa_batch_status(batch, 0) == SSA_OK && ssa_batch_status(batch, MANY - 1) == SSA_OK);
    CHECK(!*ssa_batch_error(batch, 0) && !*ssa_batch_error(batch, MANY));
    ssa_batch_free(batch);
}

static void test_many_tensors(void) {
    static double back[MANY];
    static ssa_tensor *tensors[MANY];
    ssa_batch *batch = new_batch();
    char name[32];
    put_many();
    for (int i = 0; i < MANY; i++) {
        ssa_array array = one(&back[i]);
        if (i % 2)
            OK(ssa_batch_get_tensor(batch, name, name_of(name, i), SSA_ROW_MAJOR, &tensors[i]));
        else
            OK(ssa_batch_unpack_tensor(batch, name, name_of(name, i), &array));
    }
    CHECK(!tensors[1]);
    OK(ssa_batch_execute(batch, OWN));
    for (int i = 0; i < MANY; i++) {
        CHECK(i % 2 ? tensors[i] && *(double *)ssa_tensor_data(tensors[i]) == values[i] : back[i] == values[i]);
        ssa_tensor_free(tensors[i]);
    }
    ssa_batch_free(batch);
}

static void test_the_order_on_a_name_holds(void) {
    double first = 1, second = 2, back = 0;
    int before = 7, between = 7, after = 7;
    double left = 7, none = 7;
    ssa_array array = one(&first), other = one(&second), into = one(&back);
    ssa_tensor *got;
    ssa_batch *batch = new_batch();
    OK(ssa_batch_delete_tensor(batch, NAME("ordered")));
    OK(ssa_batch_tensor_exists(batch, NAME("ordered"), &before));
    OK(ssa_batch_put_tensor(batch, NAME("ordered"), &array));
    OK(ssa_batch_get_tensor(batch, NAME("ordered"), SSA_AS_STORED, &got));
    OK(ssa_batch_put_tensor(batch, NAME("ordered"), &other));
    OK(ssa_batch_tensor_exists(batch, NAME("ordered"), &between));
    OK(ssa_batch_set_tensor_ttl(batch, NAME("ordered"), 500));
    OK(ssa_batch_get_tensor_ttl(batch, NAME("ordered"), &left));
    OK(ssa_batch_persist_tensor(batch, NAME("ordered")));
    OK(ssa_batch_get_tensor_ttl(batch, NAME("ordered"), &none));
    OK(ssa_batch_copy_tensor(batch, NAME("ordered"), NAME("ordered_copy")));
    OK(ssa_batch_rename_tensor(batch, NAME("ordered_copy"), NAME("ordered_moved")));
    OK(ssa_batch_unpack_tensor(batch, NAME("ordered_moved"), &into));
    OK(ssa_batch_delete_tensor(batch, NAME("ordered")));
    OK(ssa_batch_key_exists(batch, NAME("ordered"), &after));
    OK(ssa_batch_delete_tensor(batch, NAME("ordered_moved")));
    CHECK(!before && !between && !after && left == 0 && none == 0 && !got);
    OK(ssa_batch_execute(batch, OWN));
    CHECK(before == 0 && between == 1 && after == 0 && back == 2);
    CHECK(left > 490 && left <= 500 && isinf(none));
    CHECK(got && *(double *)ssa_tensor_data(got) == 1);
    ssa_tensor_free(got);
    ssa_batch_free(batch);
}

static void test_arrays_that_are_packed(void) {
    double apart[2][6] = {{1, 0, 2, 0, 3, 0}, {4, 0, 5, 0, 6, 0}}, back[2][6] = {{0}}, lines[2][3];
    double *rows[] = {lines[0], lines[1]};
    int64_t shape[] = {2, 3}, strides[] = {sizeof apart[0], 16};
    ssa_array array = face_array(apart, SSA_FLOAT64, shape, 2, SSA_STRIDED), into = array;
    ssa_array nested = face_array(rows, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    ssa_tensor *columns;
    ssa_batch *batch = new_batch();
    array.strides = into.strides = strides;
    into.data = back;
    OK(ssa_batch_put_tensor(batch, NAME("packed"), &array));
    OK(ssa_batch_unpack_tensor(batch, NAME("packed"), &into));
    OK(ssa_batch_unpack_tensor(batch, NAME("packed"), &nested));
    OK(ssa_batch_get_tensor(batch, NAME("packed"), SSA_COLUMN_MAJOR, &columns));
    OK(ssa_batch_delete_tensor(batch, NAME("packed")));
    OK(ssa_batch_execute(batch, OWN));
    CHECK(!memcmp(apart, back, sizeof back) && lines[0][1] == 2 && lines[1][2] == 6);
    CHECK(columns && ((double *)ssa_tensor_data(columns))[1] == 4);
    ssa_tensor_free(columns);
    ssa_batch_free(batch);
}

static void test_bytes(void) {
    ssa_tensor *bytes, *none;
    int found;
    ssa_batch *batch = new_batch();
    OK(ssa_batch_put_bytes(batch, NAME("batch_bytes"), "abc", 3));
    OK(ssa_batch_get_bytes(batch, NAME("batch_bytes"), &bytes));
    OK(ssa_batch_bytes_exists(batch, NAME("batch_bytes"), &found));
    OK(ssa_batch_put_bytes(batch, NAME("batch_bytes"), NULL, 0));
    OK(ssa_batch_get_bytes(batch, NAME("batch_bytes"), &none));
    OK(ssa_batch_delete_bytes(batch, NAME("batch_bytes")));
    OK(ssa_batch_execute(batch, OWN));
    CHECK(found && bytes && !memcmp(ssa_tensor_data(bytes), "abc", 3) && ssa_tensor_bytes(bytes) == 3);
    CHECK(none && ssa_tensor_bytes(none) == 0);
    ssa_tensor_free(bytes);
    ssa_tensor_free(none);
    ssa_batch_free(batch);
}

static void test_datasets_and_lists(void) {
    ssa_dataset *dataset, *got, *taken;
    ssa_datasets *all, *some;
    int64_t length, still;
    int found = 7;
    double left = 7, none = 7, list_left = 7, list_none = 7;
    ssa_batch *batch = new_batch();
    OK(ssa_dataset_new(NAME("batch_set"), &dataset));
    OK(ssa_add_meta_string(dataset, NAME("unit"), NAME("m")));
    OK(ssa_batch_put_dataset(batch, dataset));
    OK(ssa_batch_set_dataset_ttl(batch, NAME("batch_set"), 100));
    OK(ssa_batch_get_dataset_ttl(batch, NAME("batch_set"), &left));
    OK(ssa_batch_persist_dataset(batch, NAME("batch_set")));
    OK(ssa_batch_get_dataset_ttl(batch, NAME("batch_set"), &none));
    OK(ssa_batch_copy_dataset(batch, NAME("batch_set"), NAME("batch_other")));
    OK(ssa_batch_rename_dataset(batch, NAME("batch_other"), NAME("batch_moved")));
    OK(ssa_batch_dataset_exists(batch, NAME("batch_moved"), &found));
    OK(ssa_batch_get_dataset(batch, NAME("batch_moved"), &got));
    OK(ssa_batch_delete_list(batch, NAME("batch_list")));
    OK(ssa_batch_append_to_list(batch, NAME("batch_list"), NAME("batch_set")));
    OK(ssa_batch_append_to_list(batch, NAME("batch_list"), NAME("batch_moved")));
    OK(ssa_batch_get_list_length(batch, NAME("batch_list"), &length));
    OK(ssa_batch_set_list_ttl(batch, NAME("batch_list"), 100));
    OK(ssa_batch_get_list_ttl(batch, NAME("batch_list"), &list_left));
    OK(ssa_batch_persist_list(batch, NAME("batch_list")));
    OK(ssa_batch_get_list_ttl(batch, NAME("batch_list"), &list_none));
    OK(ssa_batch_copy_list(batch, NAME("batch_list"), NAME("batch_list_copy")));
    OK(ssa_batch_rename_list(batch, NAME("batch_list_copy"), NAME("batch_list_moved")));
    OK(ssa_batch_get_list_length(batch, NAME("batch_list_moved"), &still));
    OK(ssa_batch_get_datasets_from_list(batch, NAME("batch_list"), &all));
    OK(ssa_batch_get_dataset_list_range(batch, NAME("batch_list"), -1, -1, &some));
    CHECK(length == 0 && !got && !all && !some);
    OK(ssa_batch_execute(batch, OWN));
    CHECK(list_left > 90 && list_left <= 100 && isinf(list_none));
    CHECK(left > 90 && left <= 100 && isinf(none) && found == 1 && length == 2 && still == 2);
    CHECK(got && ssa_datasets_count(all) == 2 && ssa_datasets_count(some) == 1);
    taken = ssa_datasets_take(some, 0);
    size_t bytes;
    const char *name = taken ? ssa_dataset_get_name(taken, &bytes) : "";
    CHECK(taken && bytes == 11 && !memcmp(name, "batch_moved", 11));
    ssa_dataset_free(taken);
    ssa_datasets_free(all);
    ssa_datasets_free(some);
    ssa_dataset_free(got);
    ssa_batch_free(batch);
    batch = new_batch();
    OK(ssa_batch_delete_list(batch, NAME("batch_list")));
    OK(ssa_batch_delete_list(batch, NAME("batch_list_moved")));
    OK(ssa_batch_delete_dataset(batch, NAME("batch_set")));
    OK(ssa_batch_delete_dataset(batch, NAME("batch_moved")));
    OK(ssa_batch_execute(batch, OWN));
    ssa_batch_free(batch);
    CHECK_STATUS(ssa_get_dataset_ttl(client, NAME("batch_set"), &left, OWN), SSA_ENOTFOUND);
    OK(ssa_put_dataset(client, dataset, OWN));
    OK(ssa_set_dataset_ttl(client, NAME("batch_set"), 50, OWN));
    OK(ssa_get_dataset_ttl(client, NAME("batch_set"), &left, OWN));
    CHECK(left > 40 && left <= 50);
    OK(ssa_persist_dataset(client, NAME("batch_set"), OWN));
    OK(ssa_get_dataset_ttl(client, NAME("batch_set"), &left, OWN));
    CHECK(isinf(left));
    CHECK_STATUS(ssa_set_dataset_ttl(client, NAME("batch_set"), 0, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "ssa_persist_dataset");
    OK(ssa_delete_dataset(client, NAME("batch_set"), OWN));
    ssa_dataset_free(dataset);
}

/* ---- errors */

static void test_a_bad_argument_is_refused_when_it_is_given(void) {
    double value = 3, back = 0, seconds;
    int found;
    ssa_array array = one(&value), broken = array, into = one(&back);
    ssa_tensor *tensor = (ssa_tensor *)&value;
    ssa_dataset *dataset;
    ssa_batch *batch = new_batch();
    broken.ndim = -1;
    CHECK_STATUS(ssa_batch_put_tensor(batch, NAME("a{"), &array), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "a{");
    CHECK_STATUS(ssa_batch_put_tensor(batch, NULL, 4, &array), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_put_tensor(batch, NAME("bad"), &broken), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "array.ndim cannot be -1");
    CHECK_STATUS(ssa_batch_put_tensor(batch, NAME("bad"), NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_get_tensor(batch, NAME("bad"), SSA_STRIDED, &tensor), SSA_EARGUMENT);
    CHECK(!tensor);
    CHECK_STATUS(ssa_batch_get_tensor(batch, NAME("bad"), SSA_ROW_MAJOR, NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_unpack_tensor(batch, NAME("bad"), NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_tensor_exists(batch, NAME("bad"), NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_set_tensor_ttl(batch, NAME("bad"), NAN), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_get_dataset_ttl(batch, NULL, 8, &seconds), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_put_bytes(batch, NAME("bad"), NULL, 8), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_put_dataset(batch, NULL), SSA_EARGUMENT);
    OK(ssa_dataset_new(NAME("empty"), &dataset));
    CHECK_STATUS(ssa_batch_put_dataset(batch, dataset), SSA_EARGUMENT);
    ssa_dataset_free(dataset);
    CHECK(ssa_batch_count(batch) == 0);
    OK(ssa_batch_put_tensor(batch, NAME("good"), &array));
    CHECK_STATUS(ssa_batch_copy_tensor(batch, NAME("good"), NAME("}")), SSA_EARGUMENT);
    OK(ssa_batch_unpack_tensor(batch, NAME("good"), &into));
    OK(ssa_batch_delete_tensor(batch, NAME("good")));
    OK(ssa_batch_execute(batch, OWN));
    CHECK(back == 3 && ssa_batch_count(batch) == 3);
    ssa_batch_free(batch);
    CHECK(ssa_batch_new(NULL, &batch) == SSA_EARGUMENT && !batch);
    CHECK_STATUS(ssa_batch_new(client, NULL), SSA_EARGUMENT);
    CHECK(ssa_batch_put_tensor(NULL, NAME("x"), &array) == SSA_EARGUMENT);
    CHECK(ssa_batch_key_exists(NULL, NAME("x"), &found) == SSA_EARGUMENT && !found);
    CHECK(ssa_batch_execute(NULL, OWN) == SSA_EARGUMENT && ssa_batch_count(NULL) == 0);
    CHECK(ssa_batch_status(NULL, 0) == SSA_EARGUMENT && !*ssa_batch_error(NULL, 0));
    ssa_batch_free(NULL);
}

static void test_each_operation_has_its_error(void) {
    double value = 3, back = 0;
    int64_t two = 2;
    int found;
    ssa_array array = one(&value), wrong = face_array(&back, SSA_FLOAT64, &two, 1, SSA_ROW_MAJOR);
    ssa_tensor *tensor, *absent;
    ssa_batch *batch = new_batch();
    OK(ssa_put_tensor(client, NAME("there"), &array, OWN));
    OK(ssa_batch_get_tensor(batch, NAME("there"), SSA_ROW_MAJOR, &tensor));
    OK(ssa_batch_get_tensor(batch, NAME("absent"), SSA_ROW_MAJOR, &absent));
    OK(ssa_batch_unpack_tensor(batch, NAME("there"), &wrong));
    OK(ssa_batch_tensor_exists(batch, NAME("there"), &found));
    CHECK_STATUS(ssa_batch_execute(batch, OWN), SSA_ENOTFOUND);
    CHECK_HAS(ssa_client_error(client), "no tensor 'absent'");
    OK(ssa_batch_status(batch, 0));
    CHECK(tensor && *(double *)ssa_tensor_data(tensor) == 3 && found == 1 && !absent);
    CHECK_STATUS(ssa_batch_status(batch, 1), SSA_ENOTFOUND);
    CHECK_HAS(ssa_batch_error(batch, 1), "no tensor 'absent'");
    CHECK_STATUS(ssa_batch_status(batch, 2), SSA_ESHAPE);
    CHECK_HAS(ssa_batch_error(batch, 2), "there");
    ssa_tensor_free(tensor);
    ssa_batch_free(batch);
    OK(ssa_delete_tensor(client, NAME("there"), OWN));
}

/* A dataset takes several steps: what comes after it waits, and is not begun when it fails. */
static void test_what_was_not_carried_out_says_so(void) {
    int found = 7;
    ssa_dataset *dataset;
    ssa_batch *batch = new_batch();
    OK(ssa_batch_get_dataset(batch, NAME("absent"), &dataset));
    OK(ssa_batch_rename_dataset(batch, NAME("absent"), NAME("absent_too")));
    OK(ssa_batch_dataset_exists(batch, NAME("absent_too"), &found));
    CHECK_STATUS(ssa_batch_execute(batch, OWN), SSA_ENOTFOUND);
    CHECK(!dataset && found == 0);
    CHECK_STATUS(ssa_batch_status(batch, 2), SSA_ECANCELLED);
    CHECK_HAS(ssa_batch_error(batch, 2), "not carried out");
    ssa_batch_free(batch);
}

static void test_a_batch_is_executed_once(void) {
    double value = 1;
    ssa_array array = one(&value);
    ssa_future *future = (ssa_future *)&value;
    ssa_batch *batch = new_batch();
    OK(ssa_batch_execute(batch, OWN)); /* empty */
    CHECK_STATUS(ssa_batch_execute(batch, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "executed already");
    CHECK_STATUS(ssa_start_batch(batch, OWN, &future), SSA_EARGUMENT);
    CHECK(!future);
    CHECK_STATUS(ssa_batch_put_tensor(batch, NAME("late"), &array), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "ssa_batch_new");
    CHECK(ssa_batch_count(batch) == 0);
    ssa_batch_free(batch);
    batch = new_batch();
    OK(ssa_batch_put_tensor(batch, NAME("never"), &array));
    CHECK_STATUS(ssa_start_batch(batch, OWN, NULL), SSA_EARGUMENT);
    CHECK_STATUS(ssa_batch_execute(batch, NAN), SSA_EARGUMENT);
    ssa_batch_free(batch); /* never executed */
    int found;
    OK(ssa_tensor_exists(client, NAME("never"), &found, OWN));
    CHECK(!found);
}

static void test_a_batch_has_a_deadline(void) {
    ssa_options options;
    ssa_client *lonely;
    ssa_batch *batch;
    ssa_tensor *tensor;
    int found = 7;
    ssa_options_init(&options, sizeof options);
    options.address = "127.0.0.1:1"; /* nobody listens: tries again and again */
    if (!CHECK(ssa_client_new(&options, &lonely) == SSA_OK))
        return;
    CHECK(ssa_batch_new(lonely, &batch) == SSA_OK);
    CHECK(ssa_batch_get_tensor(batch, NAME("x"), SSA_ROW_MAJOR, &tensor) == SSA_OK);
    CHECK(ssa_batch_tensor_exists(batch, NAME("x"), &found) == SSA_OK);
    CHECK(ssa_batch_execute(batch, 0.1) == SSA_ECONNECT);
    CHECK_HAS(ssa_client_error(lonely), "127.0.0.1:1");
    CHECK(!tensor && !found && ssa_batch_status(batch, 0) == SSA_ECANCELLED && *ssa_batch_error(batch, 1));
    ssa_batch_free(batch);
    ssa_client_free(lonely);
}

/* ---- batches that are started */

static void test_a_started_batch(void) {
    double value = 5, back = 0;
    ssa_array array = one(&value), into = one(&back);
    ssa_future *future, *other;
    ssa_tensor *tensor, *none;
    size_t index;
    ssa_batch *batch = new_batch();
    OK(ssa_batch_put_tensor(batch, NAME("started"), &array));
    OK(ssa_batch_unpack_tensor(batch, NAME("started"), &into));
    OK(ssa_batch_get_tensor(batch, NAME("started"), SSA_ROW_MAJOR, &tensor));
    OK(ssa_start_batch(batch, OWN, &future));
    CHECK_STATUS(ssa_batch_put_tensor(batch, NAME("started"), &array), SSA_EARGUMENT);
    ssa_future *both[] = {NULL, future};
    OK(ssa_wait_any(both, 2, -1, &index));
    CHECK(index == 1 && ssa_future_test(future) == SSA_OK && !*ssa_future_error(future));
    OK(ssa_future_wait(future, -1));
    CHECK(back == 5 && tensor && *(double *)ssa_tensor_data(tensor) == 5);
    CHECK_STATUS(ssa_future_tensor(future, &none), SSA_EARGUMENT);
    CHECK(ssa_future_cancel(future) == SSA_OK && ssa_batch_status(batch, 2) == SSA_OK);
    ssa_future_free(future);
    ssa_tensor_free(tensor);
    ssa_batch_free(batch);
    batch = new_batch();
    OK(ssa_batch_get_tensor(batch, NAME("absent"), SSA_ROW_MAJOR, &tensor));
    OK(ssa_batch_delete_tensor(batch, NAME("started")));
    OK(ssa_start_batch(batch, OWN, &future));
    OK(ssa_start_get_tensor(client, NAME("batch_1"), SSA_ROW_MAJOR, OWN, &other));
    CHECK_STATUS(ssa_future_wait(future, -1), SSA_ENOTFOUND);
    CHECK_HAS(ssa_future_error(future), "no tensor 'absent'");
    CHECK_HAS(ssa_client_error(client), "no tensor 'absent'");
    OK(ssa_batch_status(batch, 1));
    OK(ssa_future_wait(other, -1));
    ssa_future_free(other);
    ssa_batch_free(batch); /* first */
    CHECK_STATUS(ssa_future_test(future), SSA_ENOTFOUND);
    CHECK_HAS(ssa_future_error(future), "no tensor 'absent'");
    ssa_future_free(future);
}

/* The arrays are the caller's again at once: what is written to them afterwards is not stored. */
static void test_cancelling(void) {
    enum { PIECES = 4 };
    int64_t elements = 500000;
    double *data = malloc(PIECES * (size_t)elements * sizeof *data);
    double *into = malloc((size_t)elements * sizeof *into);
    char name[32];
    for (int round = 0; round < 12; round++) {
        ssa_batch *batch = new_batch();
        ssa_future *future;
        ssa_tensor *tensor;
        for (int64_t i = 0; i < PIECES * elements; i++)
            data[i] = 1;
        for (int i = 0; i < PIECES; i++) {
            ssa_array array = face_array(data + i * elements, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
            OK(ssa_batch_put_tensor(batch, name, name_of(name, 10000 + i), &array));
        }
        ssa_array target = face_array(into, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
        OK(ssa_batch_unpack_tensor(batch, name, name_of(name, 10000), &target));
        OK(ssa_batch_get_tensor(batch, name, name_of(name, 10001), SSA_ROW_MAJOR, &tensor));
        OK(ssa_start_batch(batch, OWN, &future));
        if (round % 2)
            ssa_future_test(future);
        if (round % 3 == 0)
            ssa_future_free(future);
        else if (round % 3 == 1)
            CHECK(ssa_future_cancel(future) == SSA_OK);
        else
            ssa_batch_free(batch);
        for (int64_t i = 0; i < PIECES * elements; i++)
            data[i] = 2;
        memset(into, 7, (size_t)elements * sizeof *into);
        if (round % 3 != 2) {
            ssa_status status = ssa_batch_status(batch, 5);
            CHECK(tensor ? status == SSA_OK : status == SSA_ECANCELLED);
            ssa_tensor_free(tensor);
            ssa_batch_free(batch);
        } else {
            ssa_status status = ssa_future_test(future);
            CHECK(tensor ? status == SSA_OK : status == SSA_ECANCELLED && *ssa_future_error(future));
            ssa_tensor_free(tensor);
        }
        if (round % 3)
            ssa_future_free(future);
        OK(ssa_key_exists(client, NAME("x"), &(int){0}, OWN)); /* what was asked for has come by now */
        CHECK(((unsigned char *)into)[8 * 1000] == 7);
    }
    for (int i = 0; i < PIECES; i++) {
        ssa_array target = face_array(into, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
        ssa_status status = ssa_unpack_tensor(client, name, name_of(name, 10000 + i), &target, OWN);
        CHECK(status == SSA_OK || status == SSA_ENOTFOUND);
        int torn = 0;
        for (int64_t k = 0; status == SSA_OK && k < elements; k++)
            torn += into[k] != 1;
        CHECK(torn == 0);
        OK(ssa_delete_tensor(client, name, name_of(name, 10000 + i), OWN));
    }
    free(data);
    free(into);
}

static void test_a_client_that_is_freed_first(void) {
    double value = 1;
    int found;
    ssa_array array = one(&value);
    ssa_batch *gathered, *started, *done;
    ssa_future *future;
    ssa_tensor *tensor, *got;
    ssa_client *mortal = face_open();
    face_client = client;
    CHECK(ssa_batch_new(mortal, &gathered) == SSA_OK && ssa_batch_new(mortal, &started) == SSA_OK);
    CHECK(ssa_batch_new(mortal, &done) == SSA_OK);
    CHECK(ssa_batch_put_tensor(gathered, NAME("x"), &array) == SSA_OK);
    CHECK(ssa_batch_get_tensor(done, NAME("batch_1"), SSA_ROW_MAJOR, &got) == SSA_OK);
    CHECK(ssa_batch_execute(done, OWN) == SSA_OK);
    CHECK(ssa_batch_get_tensor(started, NAME("batch_1"), SSA_ROW_MAJOR, &tensor) == SSA_OK);
    CHECK(ssa_start_batch(started, OWN, &future) == SSA_OK);
    ssa_client_free(mortal);
    CHECK(ssa_batch_execute(gathered, OWN) == SSA_ECLOSED);
    CHECK(ssa_batch_tensor_exists(gathered, NAME("x"), &found) == SSA_ECLOSED);
    ssa_status status = ssa_future_wait(future, -1);
    CHECK(status == SSA_ECLOSED || status == SSA_OK);
    CHECK((status == SSA_OK) == (tensor != NULL));
    ssa_tensor_free(tensor);
    CHECK(got && *(double *)ssa_tensor_data(got) == values[1]);
    ssa_tensor_free(got);
    ssa_batch_free(gathered);
    ssa_future_free(future);
    ssa_batch_free(started);
    ssa_batch_free(done);
}

/* ---- what a client counts */

static void test_statistics(void) {
    ssa_statistics before, after;
    struct {
        size_t size;
        uint64_t requests;
    } older;
    struct {
        ssa_statistics known;
        uint64_t unknown;
    } newer;
    int found;
    OK(ssa_client_statistics(client, &before, sizeof before));
    CHECK(before.size == sizeof before && before.connections >= 1 && before.commands >= before.requests / 2);
    ssa_batch *batch = new_batch();
    OK(ssa_batch_key_exists(batch, NAME("x"), &found));
    OK(ssa_batch_key_exists(batch, NAME("y"), &found));
    OK(ssa_batch_execute(batch, OWN));
    ssa_batch_free(batch);
    OK(ssa_client_statistics(client, &after, sizeof after));
    CHECK(after.requests == before.requests + 3 && after.commands >= before.commands + 2);
    memset(&newer, 7, sizeof newer);
    OK(ssa_client_statistics(client, &newer.known, sizeof newer));
    CHECK(newer.known.requests == after.requests && newer.unknown == 0);
    OK(ssa_client_statistics(client, (ssa_statistics *)&older, sizeof older));
    CHECK(older.requests == after.requests);
    CHECK_STATUS(ssa_client_statistics(client, NULL, sizeof after), SSA_EARGUMENT);
    CHECK_STATUS(ssa_client_statistics(client, &after, 1), SSA_EARGUMENT);
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    ssa_batch *batch = new_batch();
    char name[32];
    for (int i = 0; i < MANY; i++)
        OK(ssa_batch_delete_tensor(batch, name, name_of(name, i)));
    OK(ssa_batch_execute(batch, OWN));
    ssa_batch_free(batch);
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_many_tensors, test_the_order_on_a_name_holds, test_arrays_that_are_packed, test_bytes,
          test_datasets_and_lists, test_a_bad_argument_is_refused_when_it_is_given, test_each_operation_has_its_error,
          test_what_was_not_carried_out_says_so, test_a_batch_is_executed_once, test_a_batch_has_a_deadline,
          test_a_started_batch, test_cancelling, test_a_client_that_is_freed_first, test_statistics, close_client)
