// links: metadata resp_writer tensor_header allocator
#include "check.h"
#include "metadata.h"

static const uint8_t scalar_types[] = {SSA_BOOL, SSA_INT32, SSA_INT64, SSA_UINT32, SSA_UINT64, SSA_FLOAT32,
                                       SSA_FLOAT64};

static void test_only_these_types_exist(void) {
    unsigned known = 0;
    for (unsigned type = 0; type < 256; type++) {
        size_t size = ssa_metadata_scalar_size((uint8_t)type);
        CHECK_NUMBER(ssa_metadata_type_exists((uint8_t)type), size || type == SSA_STRING);
        known += size != 0;
    }
    CHECK_NUMBER(known, 7);
    CHECK_NUMBER(ssa_metadata_scalar_size(SSA_FLOAT64), 8);
    CHECK_NUMBER(ssa_metadata_scalar_size(SSA_STRING), 0);
}

static void test_scalars_lie_back_to_back_after_their_type(void) {
    static const unsigned char expected[] = {4, 1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff};
    ssa_buffer entry = {0};
    ssa_metadata metadata;
    int32_t values[] = {1, -2};
    CHECK(!ssa_metadata_begin(&entry, SSA_INT32));
    CHECK(!ssa_metadata_add_scalars(&entry, SSA_INT32, values, 1));
    CHECK(!ssa_metadata_add_scalars(&entry, SSA_INT32, values + 1, 1));
    CHECK(entry.bytes == sizeof expected && !memcmp(entry.data, expected, sizeof expected));
    CHECK(!ssa_metadata_decode(&metadata, entry.data, entry.bytes));
    CHECK_NUMBER(metadata.type, SSA_INT32);
    CHECK_NUMBER(metadata.count, 2);
    CHECK(metadata.values == entry.data + 1 && metadata.bytes == 8);
    ssa_buffer_free(&entry);
}

static void test_any_byte_but_zero_is_true(void) {
    static const unsigned char given[] = {0, 1, 2, 255}, expected[] = {1, 0, 1, 1, 1};
    ssa_buffer entry = {0};
    CHECK(!ssa_metadata_begin(&entry, SSA_BOOL));
    CHECK(!ssa_metadata_add_scalars(&entry, SSA_BOOL, given, sizeof given));
    CHECK(entry.bytes == sizeof expected && !memcmp(entry.data, expected, sizeof expected));
    ssa_buffer_free(&entry);
}

static void test_strings_have_their_lengths_before_them(void) {
    static const unsigned char expected[] = {16, 2, 0, 0, 0, 0, 0, 0, 0, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0};
    ssa_buffer entry = {0};
    ssa_metadata metadata;
    const char *text;
    size_t at = 0, bytes;
    CHECK(!ssa_metadata_begin(&entry, SSA_STRING));
    CHECK(!ssa_metadata_add_string(&entry, "a\0", 2));
    CHECK(!ssa_metadata_add_string(&entry, NULL, 0));
    CHECK(entry.bytes == sizeof expected && !memcmp(entry.data, expected, sizeof expected));
    CHECK(!ssa_metadata_decode(&metadata, entry.data, entry.bytes));
    CHECK_NUMBER(metadata.count, 2);
    CHECK(ssa_metadata_next(&metadata, &at, &text, &bytes) && bytes == 2 && !memcmp(text, "a\0", 2));
    CHECK(ssa_metadata_next(&metadata, &at, &text, &bytes) && bytes == 0);
    CHECK(!ssa_metadata_next(&metadata, &at, &text, &bytes));
    ssa_buffer_free(&entry);
}

/* From a block of its own, so that reading past its end is found. */
static ssa_status decode_copy(const unsigned char *entry, size_t bytes) {
    unsigned char *copy = malloc(bytes ? bytes : 1);
    ssa_metadata metadata;
    memcpy(copy, entry, bytes);
    ssa_status status = ssa_metadata_decode(&metadata, copy, bytes);
    free(copy);
    return status;
}

static void test_an_entry_cut_anywhere_is_refused_or_holds_whole_values(void) {
    ssa_buffer entry = {0};
    ssa_metadata_begin(&entry, SSA_STRING);
    ssa_metadata_add_string(&entry, "one", 3);
    ssa_metadata_add_string(&entry, "three", 5);
    for (size_t bytes = 0; bytes <= entry.bytes; bytes++) {
        int whole = bytes == 1 || bytes == 1 + 8 + 3 || bytes == entry.bytes;
        CHECK_NUMBER(decode_copy(entry.data, bytes), whole ? SSA_OK : SSA_EPROTOCOL);
    }
    ssa_buffer_free(&entry);
    for (size_t i = 0; i < sizeof scalar_types; i++) {
        size_t size = ssa_metadata_scalar_size(scalar_types[i]);
        unsigned char scalars[1 + 24] = {scalar_types[i]};
        for (size_t bytes = 1; bytes <= sizeof scalars; bytes++)
            CHECK_NUMBER(decode_copy(scalars, bytes), (bytes - 1) % size ? SSA_EPROTOCOL : SSA_OK);
    }
}

static void test_lengths_that_lie_are_refused(void) {
    static const uint64_t lengths[] = {2, 9, 1ull << 31, 1ull << 32, 1ull << 62, INT64_MAX, UINT64_MAX - 8,
                                       UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        unsigned char entry[10] = {SSA_STRING};
        memcpy(entry + 1, &lengths[i], 8);
        CHECK_NUMBER(decode_copy(entry, sizeof entry), SSA_EPROTOCOL);
    }
}

static void test_a_truth_value_is_0_or_1(void) {
    static const unsigned char entry[] = {SSA_BOOL, 1, 0, 2};
    CHECK_NUMBER(decode_copy(entry, 3), SSA_OK);
    CHECK_NUMBER(decode_copy(entry, 4), SSA_EPROTOCOL);
}

static void test_unknown_types_are_refused(void) {
    for (unsigned type = 0; type < 256; type++) {
        unsigned char entry[] = {(unsigned char)type};
        CHECK_NUMBER(decode_copy(entry, 1), ssa_metadata_type_exists((uint8_t)type) ? SSA_OK : SSA_EPROTOCOL);
    }
}

static void test_more_values_than_can_be_counted_find_no_memory(void) {
    ssa_buffer entry = {0};
    double value = 1;
    CHECK(!ssa_metadata_begin(&entry, SSA_FLOAT64));
    CHECK_NUMBER(ssa_metadata_add_scalars(&entry, SSA_FLOAT64, &value, SIZE_MAX / 8 + 2), SSA_ENOMEM);
    CHECK_NUMBER(ssa_metadata_add_string(&entry, &value, SIZE_MAX - 3), SSA_ENOMEM);
    CHECK_NUMBER(entry.bytes, 1);
    ssa_buffer_free(&entry);
}

static ssa_status exercise(void) {
    ssa_buffer entry = {0};
    char text[700] = {0};
    ssa_status status = ssa_metadata_begin(&entry, SSA_STRING);
    for (int i = 0; i < 4 && !status; i++)
        status = ssa_metadata_add_string(&entry, text, sizeof text);
    ssa_buffer_free(&entry);
    return status;
}

CHECK_MAIN(exercise, test_only_these_types_exist, test_scalars_lie_back_to_back_after_their_type,
           test_any_byte_but_zero_is_true, test_strings_have_their_lengths_before_them,
           test_an_entry_cut_anywhere_is_refused_or_holds_whole_values, test_lengths_that_lie_are_refused,
           test_a_truth_value_is_0_or_1, test_unknown_types_are_refused,
           test_more_values_than_can_be_counted_find_no_memory)
