// links: array_layout nested_pointers transpose tensor_header allocator
#include "array_layout.h"
#include "check.h"

/* ---- headers */

static ssa_status describe(ssa_tensor_header *header, int dtype, size_t itemsize, int order, size_t ndim, int64_t first,
                           int64_t second) {
    int64_t dimensions[40] = {first, second};
    for (size_t i = 2; i < 40; i++)
        dimensions[i] = 1;
    return ssa_layout_describe(header, dtype, itemsize, order, dimensions, ndim);
}

static void test_what_a_caller_says_becomes_a_header(void) {
    ssa_tensor_header header;
    CHECK(!describe(&header, SSA_FLOAT32, 0, SSA_COLUMN_MAJOR, 2, 3, 5));
    CHECK(header.dtype == SSA_FLOAT32 && header.itemsize == 4 && header.order == SSA_COLUMN_MAJOR && header.ndim == 2);
    CHECK(header.data_bytes == 60 && header.shape[0] == 3 && header.shape[1] == 5);
    CHECK(!describe(&header, SSA_FLOAT32, 4, SSA_ROW_MAJOR, 0, 0, 0));
    CHECK(header.data_bytes == 4 && header.ndim == 0);
    CHECK(!describe(&header, SSA_STRING, 7, SSA_ROW_MAJOR, 1, 9, 0));
    CHECK_NUMBER(header.data_bytes, 63);
}

static void test_what_is_both_says_row_major(void) {
    ssa_tensor_header header;
    CHECK(!describe(&header, SSA_INT8, 0, SSA_COLUMN_MAJOR, 1, 9, 0) && header.order == SSA_ROW_MAJOR);
    CHECK(!describe(&header, SSA_INT8, 0, SSA_COLUMN_MAJOR, 7, 1, 9) && header.order == SSA_ROW_MAJOR);
    CHECK(!describe(&header, SSA_INT8, 0, SSA_COLUMN_MAJOR, 2, 9, 0) && header.order == SSA_ROW_MAJOR);
    CHECK(!describe(&header, SSA_INT8, 0, SSA_COLUMN_MAJOR, 2, 2, 2) && header.order == SSA_COLUMN_MAJOR);
}

static void test_what_is_no_array_is_refused(void) {
    ssa_tensor_header header;
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, 2, -1, 3), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, 2, 0, INT64_MIN), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, 0, 0, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, 18, 0, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, -1, 0, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8 + 256, 0, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 2, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_STRING, 0, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_UNICODE, 6, 0, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 2, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, -1, 1, 1, 1), SSA_EARGUMENT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, 33, 1, 1), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, SIZE_MAX, 1, 1), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_INT64, 0, 0, 1, INT64_MAX / 8 + 1, 1), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, 2, 1ll << 32, 1ll << 31), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_INT8, 0, 0, 2, 1ll << 62, 4), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_STRING, 1ull << 31, 0, 1, 1, 1), SSA_ELIMIT);
    CHECK_NUMBER(describe(&header, SSA_STRING, 1ull << 40, 0, 1, 1, 1), SSA_ELIMIT);
    CHECK(!describe(&header, SSA_INT8, 0, 0, 32, 1, 1));
}

/* ---- copies, against loops over single elements */

static uint64_t random_state = 1;

static uint64_t below(uint64_t limit) { /* splitmix64 */
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % limit;
}

/* An array somewhere in a block that is filled with chance. */
typedef struct place {
    unsigned char *block, *first;
    size_t bytes;
    int64_t strides[SSA_TENSOR_MAX_NDIM];
} place;

/* A random arrangement: axes in any order, steps of any sign, gaps; `repeats`: some axes may stand still. */
static place arrange(const ssa_tensor_header *header, int repeats) {
    unsigned order[SSA_TENSOR_MAX_NDIM];
    place made = {0};
    int64_t stride = header->itemsize, lowest = 0, highest = header->itemsize;
    for (unsigned i = 0; i < header->ndim; i++) {
        unsigned k = (unsigned)below(i + 1);
        order[i] = order[k];
        order[k] = i;
    }
    for (unsigned i = 0; i < header->ndim; i++) {
        unsigned axis = order[i];
        int64_t extent = header->shape[axis] ? (int64_t)header->shape[axis] : 1;
        int64_t step = stride * (below(4) ? 1 : 2);
        if (repeats && !below(8))
            step = 0;
        made.strides[axis] = below(4) ? step : -step;
        if (made.strides[axis] < 0)
            lowest += (extent - 1) * made.strides[axis];
        else
            highest += (extent - 1) * made.strides[axis];
        if (step)
            stride = step * extent + (below(3) ? 0 : (int64_t)below(20));
    }
    size_t before = below(2) * below(100);
    made.bytes = before + (size_t)(highest - lowest) + below(2) * below(100);
    made.block = malloc(made.bytes);
    for (size_t i = 0; i < made.bytes; i++)
        made.block[i] = (unsigned char)below(256);
    made.first = made.block + before - lowest;
    return made;
}

/* Where each element lies, the last index running fastest. Returns 0 after the last one. */
static int next_element(const ssa_tensor_header *header, uint64_t *at) {
    for (unsigned i = header->ndim; i-- > 0; at[i] = 0)
        if (++at[i] < header->shape[i])
            return 1;
    return 0;
}

static int64_t offset_of(const ssa_tensor_header *header, const uint64_t *at, const int64_t *strides) {
    int64_t offset = 0;
    for (unsigned i = 0; i < header->ndim; i++)
        offset += (int64_t)at[i] * strides[i];
    return offset;
}

static void copy_one_by_one(const ssa_tensor_header *header, unsigned char *to, const int64_t *to_strides,
                            const unsigned char *from, const int64_t *from_strides) {
    uint64_t at[SSA_TENSOR_MAX_NDIM] = {0};
    if (header->data_bytes)
        do
            memcpy(to + offset_of(header, at, to_strides), from + offset_of(header, at, from_strides),
                   header->itemsize);
        while (next_element(header, at));
}

static ssa_tensor_header random_header(void) {
    static const size_t sizes[] = {1, 2, 4, 8, 16, 1, 2, 4, 8, 16, 3, 12, 40, 64, 100};
    static const int64_t extents[] = {0, 1, 2, 3, 5, 16, 33, 70};
    int64_t dimensions[6];
    ssa_tensor_header header;
    size_t ndim = below(6);
    for (size_t i = 0; i < ndim; i++)
        dimensions[i] = ndim > 3 ? 1 + (int64_t)below(5) : extents[below(8)];
    CHECK(!ssa_layout_describe(&header, SSA_STRING, sizes[below(15)], SSA_ROW_MAJOR, dimensions, ndim));
    header.order = (uint8_t)below(2);
    return header;
}

static void test_any_strides_go_to_any_strides(void) {
    for (int i = 0; i < 1500; i++) {
        ssa_tensor_header header = random_header();
        place from = arrange(&header, 1), to = arrange(&header, 0);
        unsigned char *expected = malloc(to.bytes);
        memcpy(expected, to.block, to.bytes);
        copy_one_by_one(&header, expected + (to.first - to.block), to.strides, from.first, from.strides);
        ssa_layout_copy(&header, to.first, to.strides, from.first, from.strides);
        CHECK(!memcmp(to.block, expected, to.bytes));
        free(expected);
        free(from.block);
        free(to.block);
    }
}

static void test_packing_and_unpacking_are_inverse(void) {
    for (int i = 0; i < 500; i++) {
        ssa_tensor_header header = random_header();
        int64_t strides[SSA_TENSOR_MAX_NDIM];
        place from = arrange(&header, 0);
        unsigned char *packed = malloc(header.data_bytes + 1), *expected = malloc(header.data_bytes + 1);
        unsigned char *block = malloc(from.bytes);
        ssa_layout_strides(&header, header.order, strides);
        copy_one_by_one(&header, expected, strides, from.first, from.strides);
        ssa_layout_pack(&header, packed, from.first, from.strides);
        CHECK(!memcmp(packed, expected, header.data_bytes));
        memcpy(block, from.block, from.bytes);
        copy_one_by_one(&header, from.first, from.strides, expected, strides);
        ssa_layout_unpack(&header, packed, block + (from.first - from.block), from.strides);
        CHECK(!memcmp(block, from.block, from.bytes));
        free(block);
        free(expected);
        free(packed);
        free(from.block);
    }
}

/* Longer than the caches, where other ways are taken: with and without rows that begin at lines, all remainders. */
static void reorder_large(size_t itemsize, int64_t rows, int64_t planes, int64_t columns, size_t shift) {
    ssa_tensor_header header;
    int64_t to_strides[3], from_strides[3];
    int64_t dimensions[] = {rows, planes, columns};
    CHECK(!ssa_layout_describe(&header, SSA_STRING, itemsize, SSA_COLUMN_MAJOR, dimensions, 3));
    CHECK(header.data_bytes > 8 << 20);
    unsigned char *from = malloc(header.data_bytes), *expected = malloc(header.data_bytes);
    unsigned char *block = aligned_alloc(64, (header.data_bytes / 64 + 3) * 64), *to = block + shift;
    for (size_t i = 0; i < header.data_bytes; i++)
        from[i] = (unsigned char)(i * 7 + i / 251);
    block[header.data_bytes + shift] = 77;
    ssa_layout_strides(&header, SSA_COLUMN_MAJOR, from_strides);
    ssa_layout_strides(&header, SSA_ROW_MAJOR, to_strides);
    copy_one_by_one(&header, expected, to_strides, from, from_strides);
    ssa_layout_reorder(&header, to, SSA_ROW_MAJOR, from);
    CHECK(!memcmp(to, expected, header.data_bytes));
    CHECK_NUMBER(block[header.data_bytes + shift], 77);
    ssa_layout_reorder(&header, to, SSA_COLUMN_MAJOR, from);
    CHECK(!memcmp(to, from, header.data_bytes));
    free(from);
    free(expected);
    free(block);
}

static void test_large_arrays_are_transposed_as_small_ones_are(void) {
    reorder_large(8, 1024, 2, 1024, 0);
    reorder_large(8, 1024, 2, 1024, 16);
    reorder_large(8, 1031, 1, 1029, 5);
    reorder_large(4, 203, 127, 101, 0);
    reorder_large(4, 128, 160, 128, 64);
    reorder_large(2, 2100, 1, 2101, 2);
    reorder_large(1, 2112, 2, 2048, 0);
    reorder_large(1, 3001, 1, 3003, 1);
    reorder_large(16, 1024, 1, 777, 48);
    reorder_large(8, 3, 1, 400000, 0);
    reorder_large(8, 400000, 1, 3, 8);
    reorder_large(12, 1000, 1, 900, 0);
}

/* ---- nested pointers */

static void test_nested_pointers_hold_what_the_packed_array_holds(void) {
    for (int i = 0; i < 500; i++) {
        ssa_tensor_header header = random_header();
        int64_t rows[SSA_TENSOR_MAX_NDIM], strides[SSA_TENSOR_MAX_NDIM];
        unsigned char *flat = malloc(header.data_bytes + 1), *packed = malloc(header.data_bytes + 1);
        unsigned char *back = malloc(header.data_bytes + 1), *expected = malloc(header.data_bytes + 1);
        void *nested, *allocation;
        for (size_t k = 0; k < header.data_bytes; k++)
            packed[k] = (unsigned char)below(256);
        ssa_layout_strides(&header, SSA_ROW_MAJOR, rows);
        ssa_layout_strides(&header, header.order, strides);
        copy_one_by_one(&header, expected, rows, packed, strides);
        CHECK(!ssa_layout_nested_new(&header, flat, &nested, &allocation));
        CHECK((allocation == NULL) == (header.ndim < 2));
        CHECK(!ssa_layout_unpack_nested(&header, packed, nested));
        CHECK(!memcmp(flat, expected, header.data_bytes));
        CHECK(!ssa_layout_pack_nested(&header, back, nested));
        CHECK(!memcmp(back, packed, header.data_bytes));
        ssa_release(allocation);
        free(flat);
        free(packed);
        free(back);
        free(expected);
    }
}

static void test_rows_may_lie_anywhere(void) {
    double a[] = {1, 2, 3}, b[] = {4, 5, 6}, c[] = {7, 8, 9}, d[] = {10, 11, 12}, packed[12];
    double *upper[] = {a, b}, *lower[] = {d, c}, **array[] = {upper, lower};
    static const double columns[] = {1, 10, 4, 7, 2, 11, 5, 8, 3, 12, 6, 9};
    ssa_tensor_header header;
    CHECK(!ssa_layout_describe(&header, SSA_FLOAT64, 8, SSA_COLUMN_MAJOR, (int64_t[]){2, 2, 3}, 3));
    CHECK(!ssa_layout_pack_nested(&header, packed, array));
    CHECK(!memcmp(packed, columns, sizeof columns));
    memset(a, 0, sizeof a);
    memset(c, 0, sizeof c);
    CHECK(!ssa_layout_unpack_nested(&header, packed, array));
    CHECK(a[0] == 1 && a[2] == 3 && c[0] == 7 && c[2] == 9);
}

static void test_a_missing_pointer_is_refused(void) {
    double a[3] = {0}, packed[12];
    double *whole[] = {a, a}, *half[] = {a, NULL}, **array[] = {whole, half}, **short_array[] = {whole, NULL};
    ssa_tensor_header header;
    CHECK(!ssa_layout_describe(&header, SSA_FLOAT64, 8, SSA_ROW_MAJOR, (int64_t[]){2, 2, 3}, 3));
    CHECK_NUMBER(ssa_layout_pack_nested(&header, packed, array), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_layout_unpack_nested(&header, packed, short_array), SSA_EARGUMENT);
    CHECK_NUMBER(ssa_layout_pack_nested(&header, packed, NULL), SSA_EARGUMENT);
    CHECK(!ssa_layout_describe(&header, SSA_FLOAT64, 8, SSA_ROW_MAJOR, (int64_t[]){3}, 1));
    CHECK_NUMBER(ssa_layout_pack_nested(&header, packed, NULL), SSA_EARGUMENT);
    CHECK(!ssa_layout_describe(&header, SSA_FLOAT64, 8, SSA_ROW_MAJOR, (int64_t[]){2, 0}, 2));
    CHECK_NUMBER(ssa_layout_pack_nested(&header, packed, NULL), SSA_OK);
}

/* A header alone, of 88 bytes, asks for them. */
static void test_there_are_only_so_many_pointers_to_no_elements(void) {
    const int64_t most = (int64_t)SSA_LAYOUT_EMPTY_POINTERS, refused[][3] = {
        {1ll << 40, 1ll << 22, 0}, {1ll << 27, 1, 0}, {most, 1, 0}, {most + 1, 0, 4}};
    void *nested, *allocation;
    ssa_tensor_header header;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK(!ssa_layout_describe(&header, SSA_INT8, 1, SSA_ROW_MAJOR, refused[i], 3));
        CHECK_NUMBER(ssa_layout_nested_new(&header, &header, &nested, &allocation), SSA_ELIMIT);
        CHECK(allocation == NULL);
    }
    CHECK(!ssa_layout_describe(&header, SSA_INT8, 1, SSA_ROW_MAJOR, (int64_t[]){most, 0}, 2));
    CHECK_NUMBER(ssa_layout_nested_new(&header, &header, &nested, &allocation), SSA_OK);
    CHECK(((void **)nested)[0] == &header && ((void **)nested)[most - 1] == &header);
    ssa_release(allocation);
}

static ssa_status exercise(void) {
    ssa_tensor_header header;
    char packed[24];
    void *nested, *allocation;
    CHECK(!ssa_layout_describe(&header, SSA_INT8, 1, SSA_ROW_MAJOR, (int64_t[]){2, 3, 4}, 3));
    ssa_status status = ssa_layout_nested_new(&header, packed, &nested, &allocation);
    ssa_release(allocation);
    return status;
}

CHECK_MAIN(exercise, test_what_a_caller_says_becomes_a_header, test_what_is_both_says_row_major,
           test_what_is_no_array_is_refused, test_any_strides_go_to_any_strides, test_packing_and_unpacking_are_inverse,
           test_large_arrays_are_transposed_as_small_ones_are, test_nested_pointers_hold_what_the_packed_array_holds,
           test_rows_may_lie_anywhere, test_a_missing_pointer_is_refused,
           test_there_are_only_so_many_pointers_to_no_elements)
