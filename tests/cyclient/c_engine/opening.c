/* The first use of a store: the way in, who owns what, a connection to each shard, and those for long values. */
#include "store.h"

#define E store.engine
#define P &store.problem

static double data[40000]; /* longer than SSA_BULK_BYTES */

static ssa_request *put(const char *name, uint64_t count) {
    static ssa_tensor_header header;
    header = header_of(SSA_FLOAT64, count);
    return ssa_op_put_tensor(E, name_of(name), &header, data, P);
}

static ssa_request *drop(const char *name) {
    return ssa_op_delete(E, "delete_tensor", SSA_KIND_TENSOR, name_of(name), P);
}

static void opening(void) {
    const char *names[] = {"here", elsewhere("here")};
    for (size_t i = 0; i < 2; i++) {
        int is_there = bears(put(names[i], 4));
        is_there = bears(put(names[i], sizeof data / sizeof *data)) || is_there;
        if (is_there)
            bears(ssa_op_get_tensor(E, name_of(names[i]), P));
        for (int tries = 0; tries < 2 && !bears(drop(names[i])); tries++)
            ;
    }
    bears(ssa_op_ping(E, name_of(""), P));
    if (strstr(E->trouble, ": ."))
        check_that(0, "it has no reason", __FILE__, __LINE__);
}

static void test_every_server_is_reached(void) {
    SUCCEEDS(put("here", 4));
    SUCCEEDS(put(elsewhere("here"), sizeof data / sizeof *data));
    SUCCEEDS(ssa_op_ping(E, name_of(""), P));
    CHECK(store.last->number >= 1);
    SUCCEEDS(drop("here"));
    SUCCEEDS(drop(elsewhere("here")));
}

static const store_test exercises[] = {opening, NULL};

STORE_MAIN(exercises, test_every_server_is_reached)
