/* The test vectors, from stdin as the words of WIRE.md: values that are tensors, read and written byte for byte; values
 * that are none, refused. Each line: "tensor" or "header" or "version" or another reason, a blank, the value in
 * hexadecimal. */
#include "face.h"

static ssa_client *client;

static size_t unhex(const char *text, unsigned char *out) {
    size_t bytes = 0;
    for (unsigned byte; sscanf(text + 2 * bytes, "%2x", &byte) == 1; bytes++)
        out[bytes] = (unsigned char)byte;
    return bytes;
}

static uint32_t number32(const unsigned char *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void check_tensor(unsigned char *value, size_t bytes) {
    ssa_tensor *tensor, *written;
    int longer = 0;
    if (!OK(ssa_get_tensor(client, NAME("vector"), SSA_AS_STORED, &tensor, OWN)))
        return;
    size_t offset = number32(value + 8);
    CHECK((int)ssa_tensor_dtype(tensor) == value[5] && ssa_tensor_ndim(tensor) == value[6]);
    CHECK((int)ssa_tensor_layout(tensor) == value[7] && ssa_tensor_itemsize(tensor) == number32(value + 12));
    CHECK(ssa_tensor_bytes(tensor) == bytes - offset);
    CHECK(!memcmp(ssa_tensor_data(tensor), value + offset, bytes - offset));
    for (int i = 0; i < ssa_tensor_ndim(tensor); i++) {
        CHECK(ssa_tensor_shape(tensor)[i] == (int64_t)number32(value + 24 + 8 * i));
        longer += ssa_tensor_shape(tensor)[i] > 1;
    }
    if (longer < 2 || bytes == offset) /* it lies the same way in both orders: written, it says row-major */
        value[7] = 0;
    ssa_array array = face_array(ssa_tensor_data(tensor), ssa_tensor_dtype(tensor), ssa_tensor_shape(tensor),
                                 ssa_tensor_ndim(tensor), ssa_tensor_layout(tensor));
    array.itemsize = ssa_tensor_itemsize(tensor);
    OK(ssa_put_tensor(client, NAME("written"), &array, OWN));
    OK(ssa_get_bytes(client, NAME("written"), &written, OWN));
    CHECK(written && ssa_tensor_bytes(written) == bytes && !memcmp(ssa_tensor_data(written), value, bytes));
    ssa_tensor_free(written);
    ssa_tensor_free(tensor);
}

static void test_vectors(void) {
    static char line[1 << 20], reason[32];
    static unsigned char value[1 << 19];
    int at, lines = 0;
    client = face_open();
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%31s %n", reason, &at) != 1)
            continue;
        size_t bytes = unhex(line + at, value);
        ssa_tensor *tensor;
        lines++;
        OK(ssa_put_bytes(client, NAME("vector"), value, bytes, OWN));
        if (!strcmp(reason, "tensor"))
            check_tensor(value, bytes);
        else
            CHECK_STATUS(ssa_get_tensor(client, NAME("vector"), SSA_AS_STORED, &tensor, OWN),
                         !strcmp(reason, "version") ? SSA_EVERSION : SSA_EHEADER);
    }
    printf("%d vectors\n", lines);
    OK(ssa_delete_bytes(client, NAME("vector"), OWN));
    OK(ssa_delete_tensor(client, NAME("written"), OWN));
    ssa_client_free(client);
}

FACE_MAIN(test_vectors)
