/* Tensors in every layout and of every dtype, there and back; what is refused, and with which words. */
#include "face.h"

#define ROWS 3
#define COLUMNS 5

static ssa_client *client;

/* ---- layouts */

static void fill(double values[ROWS][COLUMNS]) {
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            values[i][j] = 10 * i + j;
}

static const int64_t shape[] = {ROWS, COLUMNS};

/* The logical element, wherever it lies. */
static void check_rows(const double *data) {
    int right = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            right += data[i * COLUMNS + j] == 10 * i + j;
    CHECK(right == ROWS * COLUMNS);
}

static void check_columns(const double *data) {
    int right = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            right += data[j * ROWS + i] == 10 * i + j;
    CHECK(right == ROWS * COLUMNS);
}

/* Reads what is stored as `name` in all ways. */
static void check_all_ways(const char *name) {
    ssa_tensor *tensor;
    double row_major[ROWS * COLUMNS] = {0}, column_major[ROWS * COLUMNS] = {0}, apart[ROWS][2 * COLUMNS + 1] = {{0}};
    double rows[ROWS][COLUMNS] = {{0}}, *nested[ROWS] = {rows[0], rows[1], rows[2]};
    if (OK(ssa_get_tensor(client, name, SSA_TEXT_ENDS, SSA_ROW_MAJOR, &tensor, OWN))) {
        CHECK(ssa_tensor_ndim(tensor) == 2 && ssa_tensor_shape(tensor)[0] == ROWS &&
              ssa_tensor_shape(tensor)[1] == COLUMNS);
        CHECK(ssa_tensor_dtype(tensor) == SSA_FLOAT64 && ssa_tensor_itemsize(tensor) == 8);
        CHECK(ssa_tensor_layout(tensor) == SSA_ROW_MAJOR && ssa_tensor_bytes(tensor) == sizeof rows);
        CHECK((uintptr_t)ssa_tensor_data(tensor) % 64 == 0 && !ssa_tensor_nested(tensor));
        check_rows(ssa_tensor_data(tensor));
        ssa_tensor_free(tensor);
    }
    if (OK(ssa_get_tensor(client, name, SSA_TEXT_ENDS, SSA_COLUMN_MAJOR, &tensor, OWN))) {
        CHECK(ssa_tensor_layout(tensor) == SSA_COLUMN_MAJOR);
        check_columns(ssa_tensor_data(tensor));
        ssa_tensor_free(tensor);
    }
    if (OK(ssa_get_tensor(client, name, SSA_TEXT_ENDS, SSA_NESTED_POINTERS, &tensor, OWN))) {
        double **values = ssa_tensor_nested(tensor);
        CHECK(values[2][4] == 24 && values[0][1] == 1 && values[1][0] == 10);
        ssa_tensor_free(tensor);
    }
    ssa_array array = face_array(row_major, SSA_FLOAT64, shape, 2, SSA_ROW_MAJOR);
    OK(ssa_unpack_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
    check_rows(row_major);
    array = face_array(column_major, SSA_FLOAT64, shape, 2, SSA_COLUMN_MAJOR);
    OK(ssa_unpack_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
    check_columns(column_major);
    array = face_array(nested, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    OK(ssa_unpack_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
    check_rows(rows[0]);
    /* Every second place of a wider row, the last row first. */
    int64_t strides[] = {-(int64_t)sizeof apart[0], 16};
    array = face_array(apart[ROWS - 1], SSA_FLOAT64, shape, 2, SSA_STRIDED);
    array.strides = strides;
    OK(ssa_unpack_tensor(client, name, SSA_TEXT_ENDS, &array, OWN));
    CHECK(apart[ROWS - 1][0] == 0 && apart[ROWS - 1][8] == 4 && apart[0][2] == 21 && apart[0][1] == 0 &&
          apart[1][10] == 0);
}

static void test_layouts(void) {
    double rows[ROWS][COLUMNS], columns[COLUMNS][ROWS], apart[ROWS][2 * COLUMNS],
        *nested[ROWS] = {rows[0], rows[1], rows[2]};
    fill(rows);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            columns[j][i] = apart[i][2 * j] = rows[i][j];
    ssa_array array = face_array(rows, SSA_FLOAT64, shape, 2, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(client, NAME("rows"), &array, OWN));
    check_all_ways("rows");
    array = face_array(columns, SSA_FLOAT64, shape, 2, SSA_COLUMN_MAJOR);
    OK(ssa_put_tensor(client, NAME("columns"), &array, OWN));
    check_all_ways("columns");
    array = face_array(nested, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    OK(ssa_put_tensor(client, NAME("nested"), &array, OWN));
    check_all_ways("nested");
    int64_t strides[] = {sizeof apart[0], 16};
    array = face_array(apart, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    array.strides = strides;
    OK(ssa_put_tensor(client, NAME("apart"), &array, OWN));
    check_all_ways("apart");
    int64_t transposed[] = {8, 8 * ROWS}; /* in one piece after all */
    array = face_array(columns, SSA_FLOAT64, shape, 2, SSA_STRIDED);
    array.strides = transposed;
    OK(ssa_put_tensor(client, NAME("transposed"), &array, OWN));
    check_all_ways("transposed");
    ssa_tensor *tensor;
    if (OK(ssa_get_tensor(client, NAME("transposed"), SSA_AS_STORED, &tensor, OWN)))
        CHECK(ssa_tensor_layout(tensor) == SSA_COLUMN_MAJOR);
    ssa_tensor_free(tensor);
}

static void test_three_levels_of_pointers(void) {
    float rows[2][3][4], *middle[2][3], **outer[2];
    int64_t three[] = {2, 3, 4};
    for (int i = 0; i < 24; i++)
        rows[i / 12][i / 4 % 3][i % 4] = (float)i;
    for (int i = 0; i < 6; i++)
        middle[i / 3][i % 3] = rows[i / 3][i % 3];
    outer[0] = middle[0];
    outer[1] = middle[1];
    ssa_array array = face_array(outer, SSA_FLOAT32, three, 3, SSA_NESTED_POINTERS);
    ssa_tensor *tensor;
    OK(ssa_put_tensor(client, NAME("cube"), &array, OWN));
    if (OK(ssa_get_tensor(client, NAME("cube"), SSA_NESTED_POINTERS, &tensor, OWN))) {
        float ***values = ssa_tensor_nested(tensor);
        CHECK(values[1][2][3] == 23 && values[0][1][0] == 4);
        ssa_tensor_free(tensor);
    }
    middle[1][1] = NULL;
    CHECK_STATUS(ssa_put_tensor(client, NAME("cube"), &array, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "nested array cannot be NULL");
    CHECK_STATUS(ssa_unpack_tensor(client, NAME("cube"), &array, OWN), SSA_EARGUMENT);
}

/* ---- dtypes and shapes */

static void test_every_dtype(void) {
    static const struct { ssa_dtype dtype; size_t itemsize; } dtypes[] = {
        {SSA_BOOL, 1}, {SSA_INT8, 1}, {SSA_INT16, 2}, {SSA_INT32, 4}, {SSA_INT64, 8}, {SSA_UINT8, 1}, {SSA_UINT16, 2},
        {SSA_UINT32, 4}, {SSA_UINT64, 8}, {SSA_FLOAT16, 2}, {SSA_FLOAT32, 4}, {SSA_FLOAT64, 8}, {SSA_BFLOAT16, 2},
        {SSA_COMPLEX64, 8}, {SSA_COMPLEX128, 16}, {SSA_STRING, 5}, {SSA_UNICODE, 12}};
    unsigned char data[6 * 16], back[6 * 16];
    int64_t pairs[] = {2, 3};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        size_t bytes = 6 * dtypes[i].itemsize;
        for (size_t k = 0; k < bytes; k++)
            data[k] = dtypes[i].dtype == SSA_BOOL ? k % 2 : (unsigned char)(k * 7);
        ssa_array array = face_array(data, dtypes[i].dtype, pairs, 2, SSA_ROW_MAJOR);
        if (dtypes[i].dtype >= SSA_STRING)
            array.itemsize = dtypes[i].itemsize;
        OK(ssa_put_tensor(client, NAME("dtype"), &array, OWN));
        memset(back, 0, sizeof back);
        array.data = back;
        OK(ssa_unpack_tensor(client, NAME("dtype"), &array, OWN));
        CHECK(!memcmp(data, back, bytes));
        ssa_tensor *tensor;
        if (OK(ssa_get_tensor(client, NAME("dtype"), SSA_AS_STORED, &tensor, OWN)))
            CHECK(ssa_tensor_dtype(tensor) == dtypes[i].dtype && ssa_tensor_itemsize(tensor) == dtypes[i].itemsize);
        ssa_tensor_free(tensor);
    }
}

static void test_no_dimensions_and_no_elements(void) {
    double one = 2.5, back = 0;
    int64_t none[] = {4, 0};
    ssa_tensor *tensor;
    ssa_array array = face_array(&one, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(client, NAME("one"), &array, OWN));
    array.data = &back;
    OK(ssa_unpack_tensor(client, NAME("one"), &array, OWN));
    CHECK(back == 2.5);
    for (int layout = SSA_ROW_MAJOR; layout <= SSA_STRIDED; layout++) {
        int64_t strides[] = {8, 8};
        array = face_array(NULL, SSA_FLOAT64, none, 2, (ssa_layout)layout);
        array.strides = strides;
        OK(ssa_put_tensor(client, NAME("none"), &array, OWN));
        OK(ssa_unpack_tensor(client, NAME("none"), &array, OWN));
    }
    if (OK(ssa_get_tensor(client, NAME("none"), SSA_NESTED_POINTERS, &tensor, OWN)))
        CHECK(ssa_tensor_ndim(tensor) == 2 && ssa_tensor_bytes(tensor) == 0 && ssa_tensor_data(tensor));
    ssa_tensor_free(tensor);
}

static void test_a_header_alone_makes_no_pointers_without_end(void) {
    const int64_t shape[] = {INT64_C(1) << 40, 0};
    ssa_array array = face_array(NULL, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    ssa_tensor *tensor;
    OK(ssa_put_tensor(client, NAME("many"), &array, OWN));
    OK(ssa_unpack_tensor(client, NAME("many"), &array, OWN));
    OK(ssa_get_tensor(client, NAME("many"), SSA_ROW_MAJOR, &tensor, OWN));
    CHECK(ssa_tensor_shape(tensor)[0] == shape[0] && ssa_tensor_bytes(tensor) == 0);
    ssa_tensor_free(tensor);
    CHECK_STATUS(ssa_get_tensor(client, NAME("many"), SSA_NESTED_POINTERS, &tensor, OWN), SSA_ELIMIT);
    CHECK(!tensor);
    CHECK_HAS(ssa_client_error(client),
              "'many': nested pointers cannot be made for float64 (1099511627776, 0): it has no elements, and takes more "
              "than 1048576 pointers. Ask for another layout than SSA_NESTED_POINTERS.");
}

static void test_large_tensors(void) {
    int64_t elements = 3000001;
    double *data = malloc((size_t)elements * sizeof *data), *back = malloc((size_t)elements * sizeof *data);
    for (int64_t i = 0; i < elements; i++)
        data[i] = (double)i;
    for (int round = 0; round < 3; round++) {
        ssa_array array = face_array(data, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
        OK(ssa_put_tensor(client, NAME("large"), &array, OWN));
        array.data = back;
        memset(back, 0, (size_t)elements * sizeof *data);
        OK(ssa_unpack_tensor(client, NAME("large"), &array, OWN));
        CHECK(!memcmp(data, back, (size_t)elements * sizeof *data));
        ssa_tensor *tensor;
        if (OK(ssa_get_tensor(client, NAME("large"), SSA_AS_STORED, &tensor, OWN)))
            CHECK(!memcmp(data, ssa_tensor_data(tensor), (size_t)elements * sizeof *data));
        ssa_tensor_free(tensor);
    }
    OK(ssa_delete_tensor(client, NAME("large"), OWN));
    free(data);
    free(back);
}

/* ---- what does not go */

static void test_what_is_stored_must_fit(void) {
    double data[6] = {0};
    int64_t six[] = {6}, pairs[] = {2, 3};
    ssa_array array = face_array(data, SSA_FLOAT64, six, 1, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(client, NAME("six"), &array, OWN));
    array = face_array(data, SSA_FLOAT64, pairs, 2, SSA_ROW_MAJOR);
    CHECK_STATUS(ssa_unpack_tensor(client, NAME("six"), &array, OWN), SSA_ESHAPE);
    CHECK_HAS(ssa_client_error(client), "float64 (6,)");
    array = face_array(data, SSA_INT64, six, 1, SSA_ROW_MAJOR);
    CHECK_STATUS(ssa_unpack_tensor(client, NAME("six"), &array, OWN), SSA_EDTYPE);
    CHECK_HAS(ssa_client_error(client), "'six'");
}

static void test_what_is_not_there(void) {
    ssa_tensor *tensor = (ssa_tensor *)&tensor;
    int exists = 7;
    OK(ssa_delete_tensor(client, NAME("nothing"), OWN));
    CHECK_STATUS(ssa_get_tensor(client, NAME("nothing"), SSA_AS_STORED, &tensor, OWN), SSA_ENOTFOUND);
    CHECK(!tensor);
    CHECK_HAS(ssa_client_error(client), "no tensor 'nothing'");
    OK(ssa_tensor_exists(client, NAME("nothing"), &exists, OWN));
    CHECK(exists == 0);
    double value = 1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(client, NAME("nothing"), &array, OWN));
    OK(ssa_tensor_exists(client, "nothing", SSA_TEXT_ENDS, &exists, OWN));
    CHECK(exists == 1);
    OK(ssa_key_exists(client, NAME("nothing"), &exists, OWN));
    CHECK(exists == 1);
    OK(ssa_wait_for_tensor(client, NAME("nothing"), 5));
    OK(ssa_delete_tensor(client, NAME("nothing"), OWN));
    CHECK_STATUS(ssa_wait_for_tensor(client, NAME("nothing"), 0.05), SSA_EWAIT);
    CHECK_HAS(ssa_client_error(client), "did not appear");
}

static void test_what_is_no_tensor(void) {
    ssa_tensor *tensor;
    OK(ssa_put_bytes(client, NAME("text"), "hello", 5, OWN));
    CHECK_STATUS(ssa_get_tensor(client, NAME("text"), SSA_AS_STORED, &tensor, OWN), SSA_EHEADER);
    CHECK_HAS(ssa_client_error(client), "is not a tensor");
}

static void test_describe(void) {
    size_t bytes = 0, again = 0;
    char *text;
    OK(ssa_client_describe(client, NULL, 0, &bytes));
    CHECK(bytes > 500);
    text = malloc(bytes + 1);
    OK(ssa_client_describe(client, text, bytes + 1, &again));
    CHECK(again == bytes && strlen(text) == bytes);
    CHECK_HAS(text, "SSDB_PASSWORD");
    CHECK(!strstr(text, getenv("SSDB_PASSWORD")));
    memset(text, 'x', bytes);
    OK(ssa_client_describe(client, text, 10, &again));
    CHECK(strlen(text) == 9 && again == bytes);
    free(text);
}

static void open_client(void) {
    client = face_open();
    CHECK(!*ssa_client_error(client));
}

static void close_client(void) {
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_layouts, test_three_levels_of_pointers, test_every_dtype,
          test_no_dimensions_and_no_elements, test_a_header_alone_makes_no_pointers_without_end, test_large_tensors,
          test_what_is_stored_must_fit, test_what_is_not_there, test_what_is_no_tensor, test_describe, close_client)
