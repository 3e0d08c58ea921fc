/* Bytes, copies, renames and the time that something stays. */
#include "store.h"

#include <unistd.h>

#define E store.engine
#define P &store.problem

static ssa_request *put(const char *name, const void *data, size_t bytes) {
    return ssa_op_put_bytes(E, name_of(name), data, bytes, P);
}

static ssa_request *get(const char *name) {
    return ssa_op_get_bytes(E, name_of(name), P);
}

static ssa_request *copy(const char *source, const char *target) {
    return ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of(source), name_of(target), P);
}

static ssa_request *rename_to(const char *source, const char *target) {
    return ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of(source), name_of(target), P);
}

static ssa_request *exists(const char *name) {
    return ssa_op_exists(E, "tensor_exists", SSA_KIND_TENSOR, name_of(name), P);
}

static ssa_request *drop(const char *name) {
    return ssa_op_delete(E, "delete_tensor", SSA_KIND_TENSOR, name_of(name), P);
}

static ssa_request *ttl(const char *name) {
    return ssa_op_get_ttl(E, SSA_KIND_TENSOR, name_of(name), P);
}

static void holds(const char *name, const void *data, size_t bytes) {
    if (!SUCCEEDS(get(name)) || !CHECK_NUMBER(store.last->tensor_count, 1))
        return;
    const ssa_tensor *came = &store.last->tensors[0];
    CHECK_NUMBER(came->header.dtype, SSA_UINT8);
    CHECK_NUMBER(came->header.ndim, 1);
    CHECK_NUMBER(came->header.shape[0], bytes);
    if (CHECK_NUMBER(came->header.data_bytes, bytes))
        CHECK(!bytes || !memcmp(came->memory.data, data, bytes));
}

static void has(const char *name, int expected) {
    if (SUCCEEDS(exists(name)))
        CHECK_NUMBER(store.last->number, expected);
}

static void test_bytes_come_back(void) {
    static const char with_nul[] = "a\0b\r\n";
    SUCCEEDS(put("b", with_nul, sizeof with_nul));
    holds("b", with_nul, sizeof with_nul);
    SUCCEEDS(put("b", "", 0));
    holds("b", "", 0);
    SUCCEEDS(put("b", NULL, 0));
    holds("b", "", 0);
    has("b", 1);
    SUCCEEDS(drop("b"));
    has("b", 0);
    FAILS(get("b"), SSA_ENOTFOUND);
    FAILS(put("b{", "x", 1), SSA_EARGUMENT);
}

static void test_long_bytes_come_with_one_copy(void) {
    size_t bytes = (size_t)64 << 20;
    unsigned char *data = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 24);
    SUCCEEDS(put("long", data, bytes));
    holds("long", data, bytes);
    CHECK(store.last->tensors[0].memory.bytes < bytes + (1 << 20));
    SUCCEEDS(drop("long"));
    free(data);
}

static void test_copies(void) {
    const char *targets[] = {"target", elsewhere("source")};
    for (int i = 0; i < 2; i++) {
        SUCCEEDS(put("source", "value", 5));
        SUCCEEDS(put(targets[i], "old", 3));
        SUCCEEDS(copy("source", targets[i]));
        holds(targets[i], "value", 5);
        holds("source", "value", 5);
        SUCCEEDS(drop("source"));
        FAILS(copy("source", targets[i]), SSA_ENOTFOUND);
        CHECK(strstr(store_text(), "no tensor 'source' in "));
        holds(targets[i], "value", 5);
        SUCCEEDS(drop(targets[i]));
    }
    FAILS(copy("so}urce", "target"), SSA_EARGUMENT);
    FAILS(copy("source", ""), SSA_EARGUMENT);
}

static void test_renames(void) {
    const char *targets[] = {"target", elsewhere("source")};
    for (int i = 0; i < 2; i++) {
        SUCCEEDS(put("source", "value", 5));
        SUCCEEDS(put(targets[i], "old", 3));
        SUCCEEDS(rename_to("source", targets[i]));
        holds(targets[i], "value", 5);
        has("source", 0);
        FAILS(rename_to("source", targets[i]), SSA_ENOTFOUND);
        CHECK(strstr(store_text(), "no tensor 'source' in "));
        holds(targets[i], "value", 5);
        SUCCEEDS(drop(targets[i]));
    }
}

static void test_the_same_key_is_left_alone(void) {
    FAILS(copy("same", "same"), SSA_ENOTFOUND);
    FAILS(rename_to("same", "same"), SSA_ENOTFOUND);
    SUCCEEDS(put("same", "value", 5));
    SUCCEEDS(copy("same", "same"));
    SUCCEEDS(rename_to("same", "same"));
    holds("same", "value", 5);
    SUCCEEDS(drop("same"));
}

static void test_a_tensor_goes_along_whole(void) {
    float numbers[5000], back[5000];
    for (int i = 0; i < 5000; i++)
        numbers[i] = (float)i;
    ssa_tensor_header header = header_of(SSA_FLOAT32, 5000);
    const char *far = elsewhere("t");
    SUCCEEDS(ssa_op_put_tensor(E, name_of("t"), &header, numbers, P));
    SUCCEEDS(rename_to("t", far));
    SUCCEEDS(ssa_op_unpack_tensor(E, name_of(far), &header, back, P));
    CHECK(!memcmp(numbers, back, sizeof numbers));
    SUCCEEDS(drop(far));
}

static void test_time_to_live(void) {
    FAILS(ttl("t"), SSA_ENOTFOUND);
    FAILS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("t"), 1000, P), SSA_ENOTFOUND);
    FAILS(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("t"), P), SSA_ENOTFOUND);
    FAILS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("t"), 0, P), SSA_EARGUMENT);
    CHECK_TEXT(store.problem.text, "ttl cannot be 0 ms: give the time after which it goes, at least 1 ms, or use persist to let it stay.");
    FAILS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("t"), -5, P), SSA_EARGUMENT);
    SUCCEEDS(put("t", "x", 1));
    SUCCEEDS(ttl("t"));
    CHECK_NUMBER(store.last->number, -1);
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("t"), 3600000, P));
    SUCCEEDS(ttl("t"));
    CHECK(store.last->number > 3500000 && store.last->number <= 3600000);
    const char *far = elsewhere("t");
    SUCCEEDS(copy("t", far)); /* the time goes along, to whichever server */
    SUCCEEDS(ttl(far));
    CHECK(store.last->number > 3500000 && store.last->number <= 3600000);
    SUCCEEDS(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("t"), P));
    SUCCEEDS(ttl("t"));
    CHECK_NUMBER(store.last->number, -1);
    SUCCEEDS(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("t"), P)); /* once more: no harm */
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_KEY, name_of(far), 1, P));
    for (int tries = 0; tries < 10000 && go(exists(far)) == SSA_OK && store.last->number; tries++)
        usleep(500);
    has(far, 0);
    SUCCEEDS(drop("t"));
}

static void test_prefixes(void) {
    static const char *const read_from[] = {"reads"};
    ssa_key_names names;
    CHECK_NUMBER(ssa_key_names_init(&names, "writes", read_from, 1), SSA_OK);
    ssa_key_names_free(&E->names);
    E->names = names;
    E->names.source = E->names.read_prefixes[0];
    SUCCEEDS(ssa_op_put_bytes(E, name_of("x"), "w", 1, P));
    FAILS(get("x"), SSA_ENOTFOUND);
    FAILS(copy("x", "y"), SSA_ENOTFOUND);
    SUCCEEDS(ssa_op_rename(E, "rename", SSA_KIND_KEY, name_of("writes.x"), name_of("reads.x"), P));
    SUCCEEDS(copy("x", "y"));
    SUCCEEDS(ssa_op_exists(E, "key_exists", SSA_KIND_KEY, name_of("writes.y"), P));
    CHECK_NUMBER(store.last->number, 1);
    SUCCEEDS(drop("x"));
    SUCCEEDS(ssa_op_delete(E, "delete_key", SSA_KIND_KEY, name_of("writes.y"), P));
}

static void test_another_kind_of_value_is_refused(void) {
    ssa_command *push = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("RPUSH"), SSA_TEXT("l"), SSA_TEXT("x")));
    ssa_request *request = ssa_single_new(E, "push", SSA_KIND_KEY, name_of("l"), SSA_WRITING, P);
    SUCCEEDS(ssa_single_ready(request, push, 0, P));
    FAILS(get("l"), SSA_ETYPE);
    SUCCEEDS(drop("l"));
}

/* ---- with an allocation refused */

static void exercise_bytes(void) {
    static char data[20000];
    if (!bears(put("b", data, sizeof data)))
        return;
    if (bears(get("b")))
        check_state.failures += store.last->tensors[0].header.data_bytes != sizeof data;
    bears(drop("b"));
    bears(exists("b"));
}

static void exercise_copies(void) {
    const char *far = elsewhere("source");
    if (!bears(put("source", "value", 5)))
        return;
    bears(copy("source", "target"));
    bears(copy("source", far));
    if (bears(rename_to("source", far)))
        bears(rename_to(far, "source"));
    bears(drop(far));
}

static void exercise_ttl(void) {
    if (!bears(put("t", "value", 5)))
        return;
    bears(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("t"), 1000000, P));
    bears(ttl("t"));
    bears(ssa_op_persist(E, SSA_KIND_TENSOR, name_of("t"), P));
}

static const store_test exercises[] = {exercise_bytes, exercise_copies, exercise_ttl, NULL};

STORE_MAIN(exercises, test_bytes_come_back, test_long_bytes_come_with_one_copy, test_copies, test_renames,
           test_the_same_key_is_left_alone, test_a_tensor_goes_along_whole, test_time_to_live, test_prefixes,
           test_another_kind_of_value_is_refused)
