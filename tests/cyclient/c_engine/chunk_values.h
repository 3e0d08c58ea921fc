/* What the tests of values in chunks share: values of a pattern under a name, what the store then has, and requests that go step by step. */
#ifndef CHUNK_VALUES_H
#define CHUNK_VALUES_H

#include "chunks.h"
#include "store.h"

#define E store.engine
#define P &store.problem
#define LIMIT 1000

static unsigned char pattern[100000];

CHECK_UNUSED static void fill(unsigned seed) {
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)((i * 2654435761u + seed * 977u) >> 13);
}

CHECK_UNUSED static ssa_request *put(const char *name, size_t bytes) {
    return ssa_op_put_bytes(E, name_of(name), pattern, bytes, P);
}

CHECK_UNUSED static ssa_request *get(const char *name) {
    return ssa_op_get_bytes(E, name_of(name), P);
}

CHECK_UNUSED static ssa_request *drop(const char *name) {
    return ssa_op_delete(E, "delete_tensor", SSA_KIND_TENSOR, name_of(name), P);
}

CHECK_UNUSED static void holds(const char *name, size_t bytes) {
    if (!SUCCEEDS(get(name)) || !CHECK_NUMBER(store.last->tensor_count, 1))
        return;
    const ssa_tensor *came = &store.last->tensors[0];
    if (CHECK_NUMBER(came->header.data_bytes, bytes))
        CHECK(!memcmp(came->memory.data, pattern, bytes));
}

/* How many keys the server of standalone stores has; on a cluster nothing is checked here. */
CHECK_UNUSED static void keys_are(int64_t count) {
    if (E->mode != SSA_MODE_STANDALONE)
        return;
    ssa_request *request = ssa_single_new(E, "count", SSA_KIND_KEY, name_of("x"), SSA_READING, P);
    SUCCEEDS(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("DBSIZE"))), 0, P));
    CHECK_NUMBER(ssa_request_answer(store.last, 0)->reply.nodes[0].number, count);
}

/* Another name in the slot of this one. */
CHECK_UNUSED static const char *beside(const char *name) {
    static char other[32];
    unsigned i = 0;
    do
        snprintf(other, sizeof other, "beside%u", i++);
    while (ssa_key_slot(name, strlen(name)) != ssa_key_slot(other, strlen(other)));
    return other;
}

/* Until all that was sent is answered, also what nobody waits for. */
CHECK_UNUSED static void settle(void) {
    while (ssa_engine_unanswered(E)) {
        while (ssa_engine_next_complete(E))
            ;
        ssa_poll_until(E, NULL, ssa_now() + 1000000);
    }
}

/* Start it and go so many steps of it. 0: it ended before that. */
CHECK_UNUSED static int begin(ssa_request *request, int steps) {
    ssa_request_start(request, -1);
    for (; steps && !request->complete; steps--) {
        void (*step)(ssa_request *) = request->step;
        int stage = request->stage;
        while (!request->complete && request->step == step && request->stage == stage)
            ssa_poll_until(E, request, ssa_now());
    }
    return !steps && !request->complete;
}

CHECK_UNUSED static void finish(ssa_request *request) {
    ssa_request_free(store.last);
    store.last = request;
    store_wait(&request, 1);
}

CHECK_UNUSED static void ttl_is(const char *key, size_t bytes, int64_t least, int64_t most) {
    if (SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_KEY, (ssa_text){key, bytes}, P)))
        CHECK(store.last->number >= least && store.last->number <= most);
}

/* Key and chunks of "b" have the same end: between these, in milliseconds. */
CHECK_UNUSED static void value_ends(int64_t least, int64_t most) {
    ssa_manifest manifest;
    ssa_buffer chunk = {NULL, 0, 0};
    ssa_request *request = ssa_single_new(E, "raw", SSA_KIND_KEY, name_of("b"), SSA_READING, P);
    SUCCEEDS(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_TEXT("b"))), 0, P));
    const ssa_tensor *raw = &ssa_request_answer(store.last, 0)->tensors[0];
    if (!CHECK(ssa_manifest_decode(&manifest, raw->memory.data, raw->header.data_bytes)))
        return;
    ttl_is("b", 1, least, most);
    for (size_t i = 0; i < ssa_manifest_count(&manifest); i++)
        if (!ssa_chunk_key(&manifest, "b", 1, i, &chunk))
            ttl_is((const char *)chunk.data, chunk.bytes, least, most);
    ssa_buffer_free(&chunk);
}

#endif
