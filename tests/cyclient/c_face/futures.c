/* Futures: operations that go on while the program does something else, and their ends. */
#include "face.h"

#define MANY 300

static ssa_client *client;
static double values[MANY];

static ssa_array one(double *value) {
    return face_array(value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
}

static size_t name_of(char name[32], int number) {
    return (size_t)snprintf(name, 32, "future_%d", number);
}

static void put_all(void) {
    ssa_future *futures[MANY];
    char name[32];
    for (int i = 0; i < MANY; i++) {
        values[i] = i + 0.5;
        ssa_array array = one(&values[i]);
        OK(ssa_start_put_tensor(client, name, name_of(name, i), &array, OWN, &futures[i]));
    }
    for (int i = 0; i < MANY; i++) {
        OK(ssa_future_wait(futures[i], -1));
        OK(ssa_future_test(futures[i]));
        CHECK(!*ssa_future_error(futures[i]));
        ssa_future_free(futures[i]);
    }
}

static void test_many_at_once(void) {
    ssa_future *futures[MANY];
    ssa_tensor *tensor;
    double back[MANY] = {0};
    char name[32];
    put_all();
    for (int i = 0; i < MANY; i++) {
        ssa_array array = one(&back[i]);
        if (i % 2)
            OK(ssa_start_get_tensor(client, name, name_of(name, i), SSA_ROW_MAJOR, OWN, &futures[i]));
        else
            OK(ssa_start_unpack_tensor(client, name, name_of(name, i), &array, OWN, &futures[i]));
    }
    for (int i = MANY; i-- > 0;) {
        OK(ssa_future_wait(futures[i], 60));
        if (i % 2) {
            OK(ssa_future_tensor(futures[i], &tensor));
            CHECK(tensor && *(double *)ssa_tensor_data(tensor) == values[i]);
            ssa_tensor_free(tensor);
            CHECK(ssa_future_tensor(futures[i], &tensor) == SSA_EARGUMENT && !tensor);
            CHECK_HAS(ssa_client_error(client), "taken already");
        } else {
            CHECK(back[i] == values[i]);
            CHECK(ssa_future_tensor(futures[i], &tensor) == SSA_EARGUMENT && !tensor);
        }
        ssa_future_free(futures[i]);
    }
}

static void test_wait_any(void) {
    enum { SOME = 20 };
    ssa_future *futures[SOME] = {NULL};
    int seen[SOME] = {0}, left = 0;
    char name[32];
    size_t index;
    for (int i = 0; i < SOME; i++)
        if (i % 3) {
            OK(ssa_start_get_tensor(client, name, name_of(name, i), SSA_ROW_MAJOR, OWN, &futures[i]));
            left++;
        }
    while (left) {
        if (!OK(ssa_wait_any(futures, SOME, -1, &index)))
            break;
        CHECK(futures[index] && ssa_future_test(futures[index]) == SSA_OK);
        seen[index]++;
        ssa_future_free(futures[index]);
        futures[index] = NULL;
        left--;
    }
    for (int i = 0; i < SOME; i++)
        CHECK(seen[i] == (i % 3 != 0));
    CHECK(ssa_wait_any(futures, SOME, -1, &index) == SSA_EARGUMENT);
    ssa_client *other = face_open();
    face_client = client;
    OK(ssa_start_get_tensor(client, NAME("future_1"), SSA_ROW_MAJOR, OWN, &futures[0]));
    CHECK(ssa_start_get_tensor(other, NAME("future_1"), SSA_ROW_MAJOR, OWN, &futures[1]) == SSA_OK);
    CHECK(ssa_wait_any(futures, 2, -1, &index) == SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "futures cannot be of several clients");
    CHECK(ssa_wait_any(futures, 1, -1, NULL) == SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "index cannot be NULL");
    CHECK(ssa_future_tensor(futures[0], NULL) == SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "tensor cannot be NULL");
    CHECK(ssa_future_outputs(futures[0], NULL, NULL) == SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "outputs and output_count cannot be NULL");
    ssa_future_free(futures[0]);
    ssa_future_free(futures[1]);
    ssa_client_free(other);
}

static void test_a_failure_is_told_by_the_future(void) {
    ssa_future *future;
    double value = 0;
    int64_t two = 2;
    ssa_array array = face_array(&value, SSA_FLOAT64, &two, 1, SSA_ROW_MAJOR);
    OK(ssa_start_get_tensor(client, NAME("future_none"), SSA_ROW_MAJOR, OWN, &future));
    CHECK_STATUS(ssa_future_wait(future, -1), SSA_ENOTFOUND);
    CHECK_HAS(ssa_future_error(future), "no tensor 'future_none'");
    CHECK_HAS(ssa_client_error(client), "no tensor 'future_none'");
    CHECK_STATUS(ssa_future_test(future), SSA_ENOTFOUND);
    ssa_future_free(future);
    OK(ssa_start_unpack_tensor(client, NAME("future_1"), &array, OWN, &future));
    CHECK_STATUS(ssa_future_wait(future, -1), SSA_ESHAPE);
    ssa_future_free(future);
    CHECK_STATUS(ssa_start_get_tensor(client, NAME("a{"), SSA_ROW_MAJOR, OWN, &future), SSA_EARGUMENT);
    CHECK(!future);
}

static void test_layouts_are_made_at_the_end(void) {
    double columns[3][2] = {{1, 4}, {2, 5}, {3, 6}}, apart[2][6] = {{0}};
    int64_t shape[] = {2, 3}, strides[] = {sizeof apart[0], 16};
    ssa_future *future;
    ssa_tensor *tensor;
    ssa_array array = face_array(columns, SSA_FLOAT64, shape, 2, SSA_COLUMN_MAJOR);
    OK(ssa_put_tensor(client, NAME("turned"), &array, OWN));
    OK(ssa_start_get_tensor(client, NAME("turned"), SSA_NESTED_POINTERS, OWN, &future));
    OK(ssa_future_wait(future, -1));
    OK(ssa_future_tensor(future, &tensor));
    CHECK(tensor && ((double **)ssa_tensor_nested(tensor))[1][2] == 6);
    ssa_tensor_free(tensor);
    ssa_future_free(future);
    array = face_array(apart, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    array.strides = strides;
    OK(ssa_start_unpack_tensor(client, NAME("turned"), &array, OWN, &future));
    OK(ssa_future_wait(future, -1));
    CHECK(apart[1][0] == 4 && apart[0][4] == 3 && apart[0][1] == 0);
    ssa_future_free(future);
}

/* Its array is the caller's again at once: what is written to it afterwards is not stored. */
static void test_cancelling(void) {
    int64_t elements = 2000000;
    double *data = malloc((size_t)elements * sizeof *data);
    ssa_future *future;
    ssa_tensor *tensor;
    for (int round = 0; round < 10; round++) {
        for (int64_t i = 0; i < elements; i++)
            data[i] = 1;
        ssa_array array = face_array(data, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
        OK(ssa_start_put_tensor(client, NAME("cancelled"), &array, OWN, &future));
        if (round % 2)
            ssa_future_test(future);
        CHECK(ssa_future_cancel(future) == SSA_OK);
        ssa_status status = ssa_future_test(future);
        CHECK(status == SSA_ECANCELLED || status == SSA_OK);
        CHECK(ssa_future_cancel(future) == SSA_OK);
        for (int64_t i = 0; i < elements; i++)
            data[i] = 2;
        ssa_future_free(future);
    }
    ssa_status status = ssa_get_tensor(client, NAME("cancelled"), SSA_ROW_MAJOR, &tensor, OWN);
    CHECK(status == SSA_OK || status == SSA_ENOTFOUND);
    int torn = 0;
    for (int64_t i = 0; tensor && i < elements; i++)
        torn += ((double *)ssa_tensor_data(tensor))[i] != 1;
    CHECK(torn == 0);
    ssa_tensor_free(tensor);
    OK(ssa_delete_tensor(client, NAME("cancelled"), OWN));
    free(data);
}

static void test_freed_while_under_way(void) {
    ssa_future *future;
    for (int i = 0; i < 50; i++) {
        OK(ssa_start_get_tensor(client, NAME("future_1"), SSA_ROW_MAJOR, OWN, &future));
        ssa_future_free(future);
    }
    double back = 0;
    ssa_array array = one(&back);
    OK(ssa_unpack_tensor(client, NAME("future_1"), &array, OWN));
    CHECK(back == 1.5);
}

static void test_a_client_that_is_freed_first(void) {
    ssa_future *futures[3];
    ssa_client *mortal = face_open();
    ssa_tensor *tensor, *kept;
    face_client = client;
    CHECK(ssa_get_tensor(mortal, NAME("future_2"), SSA_ROW_MAJOR, &kept, OWN) == SSA_OK);
    for (int i = 0; i < 3; i++)
        CHECK(ssa_start_get_tensor(mortal, NAME("future_1"), SSA_ROW_MAJOR, OWN, &futures[i]) == SSA_OK);
    CHECK(ssa_future_wait(futures[0], -1) == SSA_OK);
    ssa_client_free(mortal);
    CHECK(ssa_future_tensor(futures[0], &tensor) == SSA_OK);
    CHECK(tensor && *(double *)ssa_tensor_data(tensor) == 1.5);
    ssa_status status = ssa_future_wait(futures[1], -1);
    CHECK(status == SSA_ECLOSED || status == SSA_OK);
    for (int i = 0; i < 3; i++)
        ssa_future_free(futures[i]);
    ssa_tensor_free(tensor);
    CHECK(kept && *(double *)ssa_tensor_data(kept) == 2.5);
    ssa_tensor_free(kept);
}

static void test_waiting_has_an_end_of_its_own(void) {
    ssa_options options;
    ssa_client *lonely;
    ssa_future *future;
    size_t index;
    ssa_options_init(&options, sizeof options);
    options.address = "127.0.0.1:1"; /* nobody listens: tries again and again */
    if (ssa_client_new(&options, &lonely) == SSA_OK) {
        CHECK(ssa_start_get_tensor(lonely, NAME("x"), SSA_ROW_MAJOR, 60, &future) == SSA_OK);
        CHECK(ssa_future_test(future) == SSA_MORE);
        CHECK(ssa_future_wait(future, 0.05) == SSA_MORE);
        CHECK(ssa_wait_any(&future, 1, 0, &index) == SSA_MORE);
        ssa_future_free(future);
        CHECK(ssa_start_get_tensor(lonely, NAME("x"), SSA_ROW_MAJOR, 0.1, &future) == SSA_OK);
        CHECK(ssa_future_wait(future, -1) == SSA_ECONNECT);
        CHECK_HAS(ssa_future_error(future), "127.0.0.1:1");
        ssa_future_free(future);
    }
    ssa_client_free(lonely);
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    char name[32];
    for (int i = 0; i < MANY; i++)
        OK(ssa_delete_tensor(client, name, name_of(name, i), OWN));
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_many_at_once, test_wait_any, test_a_failure_is_told_by_the_future,
          test_layouts_are_made_at_the_end, test_cancelling, test_freed_while_under_way,
          test_a_client_that_is_freed_first, test_waiting_has_an_end_of_its_own, close_client)
