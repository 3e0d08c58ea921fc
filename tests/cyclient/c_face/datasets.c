/* Datasets and lists through the library. */
#include <math.h>

#include "face.h"

static ssa_client *client;

#define IN_MEMORY(call) face_dataset((call), SSA_OK, dataset, #call, __LINE__)
#define REFUSED(call, status) face_dataset((call), status, dataset, #call, __LINE__)

static void face_dataset(ssa_status status, ssa_status wanted, const ssa_dataset *dataset, const char *what, int line) {
    if (!face_check(status == wanted, what, __FILE__, line))
        printf("    is %s (%s)\n", ssa_status_name(status), ssa_dataset_error(dataset));
}

static ssa_dataset *make(const char *name, double first) {
    ssa_dataset *dataset;
    double field[2][3] = {{first, 1, 2}, {3, 4, 5}}, dt = 0.5, *rows[2] = {field[0], field[1]};
    int64_t shape[] = {2, 3}, step = 7;
    OK(ssa_dataset_new(name, SSA_TEXT_ENDS, &dataset));
    ssa_array array = face_array(field, SSA_FLOAT64, shape, 2, SSA_ROW_MAJOR);
    IN_MEMORY(ssa_add_tensor(dataset, NAME("field"), &array));
    array = face_array(rows, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    IN_MEMORY(ssa_add_tensor(dataset, NAME("nested"), &array));
    IN_MEMORY(ssa_add_bytes(dataset, NAME("blob"), "a\0b", 3));
    IN_MEMORY(ssa_add_meta_scalar(dataset, NAME("dt"), &dt, SSA_FLOAT64));
    dt = 0.25;
    IN_MEMORY(ssa_add_meta_scalar(dataset, "dt", SSA_TEXT_ENDS, &dt, SSA_FLOAT64));
    IN_MEMORY(ssa_add_meta_scalar(dataset, NAME("step"), &step, SSA_INT64));
    IN_MEMORY(ssa_add_meta_string(dataset, NAME("units"), NAME("m/s")));
    IN_MEMORY(ssa_add_meta_string(dataset, NAME("units"), NAME("K")));
    return dataset;
}

static void check(ssa_dataset *dataset, double first) {
    double back[3][2] = {{0}}, *values;
    const void *data;
    const int64_t *shape;
    size_t count = 0;
    int ndim = 0;
    ssa_dtype type;
    ssa_tensor *tensor;
    ssa_texts *texts;
    const int64_t wanted[] = {2, 3};
    ssa_array array = face_array(back, SSA_FLOAT64, wanted, 2, SSA_COLUMN_MAJOR);
    IN_MEMORY(ssa_unpack_dataset_tensor(dataset, NAME("field"), &array));
    CHECK(back[0][0] == first && back[2][1] == 5 && back[0][1] == 3);
    IN_MEMORY(ssa_get_dataset_tensor(dataset, NAME("nested"), SSA_NESTED_POINTERS, &tensor));
    CHECK(tensor && ((double **)ssa_tensor_nested(tensor))[1][2] == 5);
    ssa_tensor_free(tensor);
    IN_MEMORY(ssa_get_dataset_bytes(dataset, NAME("blob"), &data, &count));
    CHECK(count == 3 && !memcmp(data, "a\0b", 3));
    IN_MEMORY(ssa_get_meta_scalars(dataset, NAME("dt"), &data, &count, &type));
    values = (double *)(uintptr_t)data;
    CHECK(count == 2 && type == SSA_FLOAT64 && values[0] == 0.5 && values[1] == 0.25);
    IN_MEMORY(ssa_get_meta_strings(dataset, NAME("units"), &texts));
    CHECK(ssa_texts_count(texts) == 2 && !strcmp(ssa_texts_at(texts, 0, NULL), "m/s"));
    ssa_texts_free(texts);
    IN_MEMORY(ssa_get_tensor_names(dataset, &texts));
    CHECK(ssa_texts_count(texts) == 2);
    ssa_texts_free(texts);
    IN_MEMORY(ssa_get_bytes_names(dataset, &texts));
    CHECK(ssa_texts_count(texts) == 1 && !strcmp(ssa_texts_at(texts, 0, NULL), "blob"));
    ssa_texts_free(texts);
    IN_MEMORY(ssa_get_metadata_field_names(dataset, &texts));
    CHECK(ssa_texts_count(texts) == 3);
    ssa_texts_free(texts);
    IN_MEMORY(ssa_get_tensor_type(dataset, NAME("field"), &type));
    CHECK(type == SSA_FLOAT64);
    IN_MEMORY(ssa_get_tensor_dims(dataset, NAME("field"), &shape, &ndim));
    CHECK(ndim == 2 && shape[0] == 2 && shape[1] == 3);
    IN_MEMORY(ssa_get_metadata_field_type(dataset, NAME("units"), &type));
    CHECK(type == SSA_STRING);
}

static void test_in_memory(void) {
    ssa_dataset *dataset = make("ocean", 9), *none;
    size_t bytes;
    ssa_tensor *tensor;
    ssa_texts *texts;
    const void *data;
    ssa_dtype type;
    double value = 1;
    int64_t two = 2;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    check(dataset, 9);
    CHECK(!strncmp(ssa_dataset_get_name(dataset, &bytes), "ocean", 5) && bytes == 5);
    REFUSED(ssa_add_tensor(dataset, NAME("field"), &array), SSA_EARGUMENT);
    REFUSED(ssa_add_tensor(dataset, NAME("a{"), &array), SSA_EARGUMENT);
    REFUSED(ssa_add_tensor(dataset, NULL, 3, &array), SSA_EARGUMENT);
    REFUSED(ssa_add_tensor(dataset, NAME("x"), NULL), SSA_EARGUMENT);
    array.dtype = 99;
    REFUSED(ssa_add_tensor(dataset, NAME("x"), &array), SSA_EARGUMENT);
    CHECK_HAS(ssa_dataset_error(dataset), "array.dtype cannot be 99");
    REFUSED(ssa_add_meta_scalar(dataset, NAME("x"), &value, SSA_FLOAT16), SSA_EARGUMENT);
    REFUSED(ssa_add_meta_scalar(dataset, NAME("x"), &value, SSA_STRING), SSA_EARGUMENT);
    REFUSED(ssa_add_meta_scalar(dataset, NAME("dt"), &two, SSA_INT64), SSA_EDTYPE);
    REFUSED(ssa_get_dataset_tensor(dataset, NAME("none"), SSA_ROW_MAJOR, &tensor), SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(dataset), "no tensor 'none'");
    REFUSED(ssa_get_dataset_tensor(dataset, NAME("field"), SSA_STRIDED, &tensor), SSA_EARGUMENT);
    array = face_array(&value, SSA_FLOAT64, &two, 1, SSA_ROW_MAJOR);
    REFUSED(ssa_unpack_dataset_tensor(dataset, NAME("field"), &array), SSA_ESHAPE);
    CHECK_HAS(ssa_dataset_error(dataset), "float64 (2, 3)");
    REFUSED(ssa_get_meta_scalars(dataset, NAME("units"), &data, &bytes, &type), SSA_EDTYPE);
    REFUSED(ssa_get_meta_strings(dataset, NAME("dt"), &texts), SSA_EDTYPE);
    REFUSED(ssa_get_meta_strings(dataset, NAME("none"), &texts), SSA_ENOTFOUND);
    REFUSED(ssa_get_tensor_names(dataset, NULL), SSA_EARGUMENT);
    CHECK(ssa_dataset_new(NAME("a}"), &none) == SSA_EARGUMENT && !none);
    CHECK(ssa_dataset_new(NULL, 2, &none) == SSA_EARGUMENT && ssa_dataset_new(NAME("a"), NULL) == SSA_EARGUMENT);
    CHECK(ssa_add_bytes(NULL, NAME("a"), "b", 1) == SSA_EARGUMENT &&
          ssa_get_tensor_names(NULL, &texts) == SSA_EARGUMENT);
    CHECK_HAS(ssa_dataset_error(NULL), "no dataset");
    ssa_dataset_free(dataset);
    ssa_dataset_free(NULL);
}

#define SAYS(call, status, text) (REFUSED(call, status), CHECK_HAS(ssa_dataset_error(dataset), text))

static void test_a_header_alone_makes_no_pointers_without_end(void) {
    ssa_dataset *dataset = make("ocean", 9);
    const int64_t shape[] = {INT64_C(1) << 27, 0};
    ssa_tensor *tensor;
    ssa_array array = face_array(NULL, SSA_FLOAT64, shape, 2, SSA_NESTED_POINTERS);
    IN_MEMORY(ssa_add_tensor(dataset, NAME("many"), &array));
    IN_MEMORY(ssa_unpack_dataset_tensor(dataset, NAME("many"), &array));
    SAYS(ssa_get_dataset_tensor(dataset, NAME("many"), SSA_NESTED_POINTERS, &tensor), SSA_ELIMIT,
         "tensor 'many' of dataset 'ocean': nested pointers cannot be made for float64 (134217728, 0): it has no elements");
    CHECK(!tensor);
    ssa_dataset_free(dataset);
}

static void test_texts_name_the_dataset_the_part_and_the_remedy(void) {
    ssa_dataset *dataset = make("ocean", 9), *empty, *none;
    double value = 1;
    int64_t two = 2;
    ssa_dtype type;
    ssa_texts *texts;
    const void *data;
    size_t bytes;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    char *unended = malloc(3); /* a name that nothing ends */
    memcpy(unended, "abc", 3);
    SAYS(ssa_get_tensor_type(dataset, NAME("none"), &type), SSA_ENOTFOUND,
         "dataset 'ocean' has no tensor 'none'. Its tensor names are: 'field', 'nested'.");
    SAYS(ssa_remove_bytes(dataset, NAME("none")), SSA_ENOTFOUND,
         "dataset 'ocean' has no bytes 'none'. Its bytes names are: 'blob'.");
    SAYS(ssa_get_meta_strings(dataset, NAME("none"), &texts), SSA_ENOTFOUND, "Its metadata names are: ");
    SAYS(ssa_get_tensor_type(dataset, unended, 3, &type), SSA_ENOTFOUND, "no tensor 'abc'.");
    SAYS(ssa_get_tensor_type(dataset, unended, 3, NULL), SSA_EARGUMENT,
         "tensor 'abc' of dataset 'ocean': type cannot be NULL: pass where the result goes.");
    SAYS(ssa_get_tensor_type(dataset, unended, (size_t)-5, &type), SSA_EARGUMENT, "name cannot be 1844674407370955161");
    SAYS(ssa_add_tensor(dataset, unended, (size_t)-5, &array), SSA_EARGUMENT, "name cannot be 1844674407370955161");
    SAYS(ssa_add_tensor(dataset, NULL, 3, &array), SSA_EARGUMENT, "name cannot be NULL: pass the text and its length.");
    SAYS(ssa_add_tensor(dataset, NAME("x"), NULL), SSA_EARGUMENT, "tensor 'x' of dataset 'ocean': array cannot be NULL");
    SAYS(ssa_add_tensor(dataset, NAME("blob"), &array), SSA_EARGUMENT,
         "tensor of dataset 'ocean' cannot be 'blob': the dataset has a tensor or bytes of this name; remove them first");
    SAYS(ssa_add_bytes(dataset, NAME("x"), NULL, 3), SSA_EARGUMENT, "data cannot be NULL: point it to what is to be read.");
    SAYS(ssa_add_bytes(dataset, NAME("x"), "b", (size_t)-5), SSA_EARGUMENT, "bytes cannot be 18446744073709551611");
    SAYS(ssa_add_meta_string(dataset, NAME("x"), "b", (size_t)-5), SSA_EARGUMENT, "text cannot be 18446744073709551611");
    SAYS(ssa_add_meta_string(dataset, NAME("x"), NULL, SSA_TEXT_ENDS), SSA_EARGUMENT, "text cannot be NULL");
    SAYS(ssa_add_meta_scalar(dataset, NAME("dt"), &two, SSA_INT64), SSA_EDTYPE,
         "metadata 'dt' of dataset 'ocean' are float64: a value of int64 goes to another field, or is converted.");
    SAYS(ssa_add_meta_string(dataset, NAME("dt"), "s", 1), SSA_EDTYPE, "are float64: a value of text goes");
    SAYS(ssa_add_meta_scalar(dataset, NAME("units"), &two, SSA_INT64), SSA_EDTYPE, "are strings: a value of int64");
    SAYS(ssa_get_meta_scalars(dataset, NAME("units"), &data, &bytes, &type), SSA_EDTYPE,
         "metadata 'units' of dataset 'ocean' are strings: use ssa_get_meta_strings.");
    SAYS(ssa_get_meta_strings(dataset, NAME("dt"), &texts), SSA_EDTYPE, "are float64: use ssa_get_meta_scalars.");
    SAYS(ssa_get_tensor_names(dataset, NULL), SSA_EARGUMENT, "tensor of dataset 'ocean': names cannot be NULL");
    CHECK(ssa_dataset_new(NAME("a}"), &none) == SSA_EARGUMENT && !none);
    CHECK_HAS(ssa_dataset_error(none), "1 to 1,024 bytes without braces");
    OK(ssa_dataset_new(NAME("empty"), &empty));
    CHECK(ssa_get_tensor_type(empty, NAME("x"), &type) == SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(empty), "dataset 'empty' has no tensor 'x'. It has no tensor at all.");
    ssa_dataset_free(empty);
    ssa_dataset_free(dataset);
    free(unended);
}

/* Names that a text has no room for. */
static void test_texts_of_long_names(void) {
    ssa_dataset *dataset;
    ssa_dtype type;
    char name[1024];
    memset(name, '\'', sizeof name);
    OK(ssa_dataset_new(name, sizeof name, &dataset));
    for (size_t i = 0; i < 40; i++) {
        name[0] = (char)('0' + i);
        IN_MEMORY(ssa_add_bytes(dataset, name, sizeof name, "b", 1));
    }
    name[0] = '\1';
    memset(name + 1, '\2', sizeof name - 1);
    REFUSED(ssa_remove_bytes(dataset, name, sizeof name), SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(dataset), ", ...");
    REFUSED(ssa_get_tensor_type(dataset, name, sizeof name, &type), SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(dataset), "It has no tensor at all.");
    REFUSED(ssa_get_tensor_type(dataset, name, sizeof name, NULL), SSA_EARGUMENT);
    CHECK_HAS(ssa_dataset_error(dataset), "pass where the result goes.");
    ssa_dataset_free(dataset);
}

static void test_taking_out(void) {
    ssa_dataset *dataset = make("ocean", 9), *back;
    int has = -1;
    IN_MEMORY(ssa_has_field(dataset, NAME("dt"), &has));
    CHECK(has == 1);
    IN_MEMORY(ssa_has_field(dataset, NAME("none"), &has));
    CHECK(has == 0);
    IN_MEMORY(ssa_remove_tensor(dataset, NAME("nested")));
    IN_MEMORY(ssa_remove_bytes(dataset, "blob", SSA_TEXT_ENDS));
    IN_MEMORY(ssa_clear_field(dataset, NAME("dt")));
    REFUSED(ssa_remove_tensor(dataset, NAME("nested")), SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(dataset), "no tensor 'nested'");
    REFUSED(ssa_remove_tensor(dataset, NAME("blob")), SSA_ENOTFOUND);
    REFUSED(ssa_remove_bytes(dataset, NAME("field")), SSA_ENOTFOUND);
    REFUSED(ssa_clear_field(dataset, NAME("dt")), SSA_ENOTFOUND);
    CHECK_HAS(ssa_dataset_error(dataset), "no metadata 'dt'");
    REFUSED(ssa_has_field(dataset, NAME("dt"), NULL), SSA_EARGUMENT);
    REFUSED(ssa_remove_tensor(dataset, NULL, 1), SSA_EARGUMENT);
    CHECK(ssa_clear_field(NULL, NAME("dt")) == SSA_EARGUMENT);
    OK(ssa_put_dataset(client, dataset, OWN));
    OK(ssa_get_dataset(client, NAME("ocean"), &back, OWN));
    REFUSED(ssa_remove_bytes(back, NAME("blob")), SSA_ENOTFOUND);
    IN_MEMORY(ssa_remove_tensor(back, NAME("field")));
    OK(ssa_delete_dataset(client, NAME("ocean"), OWN));
    ssa_dataset_free(back);
    ssa_dataset_free(dataset);
}

static void test_in_the_store(void) {
    ssa_dataset *dataset = make("ocean", 1), *back;
    int found;
    OK(ssa_put_dataset(client, dataset, OWN));
    ssa_dataset_free(dataset);
    OK(ssa_get_dataset(client, NAME("ocean"), &back, OWN));
    check(back, 1);
    ssa_dataset_free(back);
    OK(ssa_copy_dataset(client, NAME("ocean"), NAME("sea"), OWN));
    OK(ssa_rename_dataset(client, NAME("sea"), NAME("lake"), OWN));
    OK(ssa_wait_for_dataset(client, NAME("lake"), OWN));
    OK(ssa_get_dataset(client, NAME("lake"), &back, OWN));
    check(back, 1);
    ssa_dataset_free(back);
    OK(ssa_delete_dataset(client, NAME("lake"), OWN));
    OK(ssa_delete_dataset(client, NAME("ocean"), OWN));
    OK(ssa_dataset_exists(client, NAME("ocean"), &found, OWN));
    CHECK(found == 0);
    CHECK_STATUS(ssa_get_dataset(client, NAME("ocean"), &back, OWN), SSA_ENOTFOUND);
    CHECK(!back);
    CHECK_STATUS(ssa_put_dataset(client, NULL, OWN), SSA_EARGUMENT);
    OK(ssa_dataset_new(NAME("empty"), &dataset));
    CHECK_STATUS(ssa_put_dataset(client, dataset, OWN), SSA_EARGUMENT);
    ssa_dataset_free(dataset);
}

static void test_lists(void) {
    static const char *const names[] = {"day_0", "day_1", "day_2"};
    ssa_datasets *all;
    int64_t length = -1;
    for (int i = 0; i < 3; i++) {
        ssa_dataset *dataset = make(names[i], i);
        OK(ssa_put_dataset(client, dataset, OWN));
        OK(ssa_append_to_list(client, NAME("days"), names[i], SSA_TEXT_ENDS, OWN));
        ssa_dataset_free(dataset);
    }
    OK(ssa_get_list_length(client, NAME("days"), &length, OWN));
    CHECK(length == 3);
    OK(ssa_wait_for_list_length(client, NAME("days"), 3, SSA_COMPARE_EQUAL, OWN));
    OK(ssa_get_datasets_from_list(client, NAME("days"), &all, OWN));
    CHECK(ssa_datasets_count(all) == 3);
    for (size_t i = 0; i < ssa_datasets_count(all); i += 2) {
        ssa_dataset *dataset = ssa_datasets_take(all, i);
        check(dataset, (double)i);
        CHECK(!ssa_datasets_take(all, i));
        ssa_dataset_free(dataset);
    }
    CHECK(!ssa_datasets_take(all, 3));
    ssa_datasets_free(all);
    OK(ssa_get_dataset_list_range(client, NAME("days"), -2, -1, &all, OWN));
    CHECK(ssa_datasets_count(all) == 2);
    ssa_datasets_free(all);
    OK(ssa_copy_list(client, NAME("days"), NAME("dates"), OWN));
    OK(ssa_rename_list(client, NAME("dates"), NAME("times"), OWN));
    OK(ssa_get_list_length(client, NAME("times"), &length, OWN));
    CHECK(length == 3);
    double seconds;
    OK(ssa_get_list_ttl(client, NAME("times"), &seconds, OWN));
    CHECK(isinf(seconds));
    OK(ssa_set_list_ttl(client, NAME("times"), 100, OWN));
    OK(ssa_get_list_ttl(client, NAME("times"), &seconds, OWN));
    CHECK(seconds > 90 && seconds <= 100);
    OK(ssa_persist_list(client, NAME("times"), OWN));
    OK(ssa_get_list_ttl(client, NAME("times"), &seconds, OWN));
    CHECK(isinf(seconds));
    CHECK_STATUS(ssa_set_list_ttl(client, NAME("times"), 0, OWN), SSA_EARGUMENT);
    CHECK_HAS(ssa_client_error(client), "ssa_persist_list");
    OK(ssa_delete_list(client, NAME("times"), OWN));
    CHECK_STATUS(ssa_set_list_ttl(client, NAME("times"), 100, OWN), SSA_ENOTFOUND);
    CHECK_STATUS(ssa_get_list_ttl(client, NAME("times"), &seconds, OWN), SSA_ENOTFOUND);
    CHECK_STATUS(ssa_persist_list(client, NAME("times"), OWN), SSA_ENOTFOUND);
    OK(ssa_get_datasets_from_list(client, NAME("times"), &all, OWN));
    CHECK(!all && ssa_datasets_count(all) == 0);
    OK(ssa_delete_dataset(client, NAME("day_1"), OWN));
    CHECK_STATUS(ssa_get_datasets_from_list(client, NAME("days"), &all, OWN), SSA_ENOTFOUND);
    CHECK_HAS(ssa_client_error(client), "day_1");
    OK(ssa_delete_list(client, NAME("days"), OWN));
    OK(ssa_delete_dataset(client, NAME("day_0"), OWN));
    OK(ssa_delete_dataset(client, NAME("day_2"), OWN));
    ssa_datasets_free(NULL);
}

static void open_client(void) {
    client = face_open();
}

static void close_client(void) {
    ssa_client_free(client);
}

FACE_MAIN(open_client, test_in_memory, test_a_header_alone_makes_no_pointers_without_end,
          test_texts_name_the_dataset_the_part_and_the_remedy, test_texts_of_long_names, test_taking_out,
          test_in_the_store, test_lists, close_client)
