/* What is about servers, and what waits, while memory is refused. */
#include "store.h"

#define E store.engine
#define P &store.problem
#define EMPTY name_of("")

static ssa_request *put(const char *name) {
    static const double data[4] = {1, 2, 3, 4};
    static ssa_tensor_header header;
    header = header_of(SSA_FLOAT64, 4);
    return ssa_op_put_tensor(E, name_of(name), &header, data, P);
}

/* Begun before what it waits for is there. */
static void wait_for(ssa_request *waiting, ssa_request *(*appear)(void)) {
    ssa_request *both[2] = {waiting, NULL};
    if (!waiting) {
        bears(NULL);
        return;
    }
    ssa_request_start(waiting, 20000000000);
    while (!waiting->complete && E->in_flight)
        ssa_poll_until(E, waiting, ssa_now() + 1000000);
    for (int tries = 0; tries < 2 && !bears(appear()); tries++)
        ;
    store_wait(both, 1);
    if (waiting->status != SSA_OK && (waiting->status != SSA_ENOMEM || !check_state.refused)) {
        check_state.failures++;
        printf("%s: %s: %s\n", waiting->operation, ssa_status_name(waiting->status),
               waiting->error.data ? (char *)waiting->error.data : "");
    }
    ssa_request_free(waiting);
}

static ssa_request *put_x(void) {
    return put("x");
}

static ssa_request *drop_x(void) {
    return ssa_op_delete(E, "delete_tensor", SSA_KIND_TENSOR, name_of("x"), P);
}

static void waits(void) {
    wait_for(ssa_op_wait_for(E, "wait_for_tensor", SSA_KIND_TENSOR, name_of("x"), P), put_x);
    wait_for(ssa_op_watch(E, name_of("x"), P), put_x);
    bears(ssa_op_poll(E, "poll_tensor", SSA_KIND_TENSOR, name_of("x"), 1, 2, P));
    bears(ssa_op_poll_list_length(E, "poll_list_length", name_of("l"), 0, SSA_COMPARE_AT_LEAST, 1, 2, P));
    wait_for(ssa_op_poll(E, "poll_tensor", SSA_KIND_TENSOR, name_of("x"), 20000, 1, P), put_x);
    for (int tries = 0; tries < 2 && !bears(drop_x()); tries++) /* gone for the next time */
        ;
}

static void asking_servers(void) {
    bears(ssa_op_ping(E, EMPTY, P));
    bears(ssa_op_node_info(E, EMPTY, P));
    bears(ssa_op_config_set(E, name_of("hz"), name_of("100"), EMPTY, P));
    bears(ssa_op_save(E, EMPTY, P));
}

static void flush(void) {
    E->settings.owned = 1;
    bears(put("x"));
    bears(put(elsewhere("x")));
    bears(put("p.x"));
    bears(ssa_op_flush(E, name_of("p"), P));
    bears(ssa_op_flush(E, EMPTY, P));
}

static void control(void) {
    bears(ssa_op_control_clear(E, name_of("sim"), P));
    bears(ssa_op_control_poll(E, name_of("sim"), P));
    bears(ssa_op_control_send(E, name_of("sim"), name_of("set"), name_of("rate"), name_of("2"), P));
    bears(ssa_op_control_send(E, name_of("sim"), name_of("stop"), EMPTY, EMPTY, P));
    bears(ssa_op_control_poll(E, name_of("sim"), P));
    bears(ssa_op_control_poll(E, name_of("sim"), P));
}

/* Refused memory loses no request: who polls again has it. */
static void test_what_was_asked_comes_in_spite_of_all(void) {
    SUCCEEDS(ssa_op_control_clear(E, name_of("sim"), P));
    SUCCEEDS(ssa_op_control_poll(E, name_of("sim"), P));
    for (long n = 0; n < 60; n++) {
        int64_t came = 0;
        SUCCEEDS(ssa_op_control_send(E, name_of("sim"), name_of("set"), name_of("rate"), name_of("2"), P));
        check_state.until_refusal = n;
        ssa_status status = go(ssa_op_control_poll(E, name_of("sim"), P));
        check_state.until_refusal = -1;
        CHECK(status == SSA_OK || status == SSA_ENOMEM);
        came = status == SSA_OK ? store.last->number : 0;
        int64_t deadline = ssa_now() + 10000000000;
        /* The server tells readers about when it answers the sender, not before. */
        while (!came && ssa_now() < deadline)
            if (SUCCEEDS(ssa_op_control_poll(E, name_of("sim"), P)))
                came = store.last->number;
        CHECK_NUMBER(came, 1);
    }
    check_state.refused = 0;
    SUCCEEDS(ssa_op_control_clear(E, name_of("sim"), P));
}

/* Two polls whose callers never had what they gave, then one that is refused memory: nothing is lost, nothing comes twice. */
static void test_what_was_given_back_comes_in_spite_of_all(void) {
    for (long n = 0; n < 20; n++) {
        ssa_request *polls[2];
        int64_t came = 0;
        SUCCEEDS(ssa_op_control_clear(E, name_of("sim"), P));
        for (int i = 0; i < 2; i++) {
            SUCCEEDS(ssa_op_control_send(E, name_of("sim"), name_of("set"), name_of("rate"), name_of("2"), P));
            int64_t deadline = ssa_now() + 10000000000;
            do {
                SUCCEEDS(ssa_op_control_poll(E, name_of("sim"), P));
            } while (!store.last->number && ssa_now() < deadline);
            polls[i] = store.last;
            store.last = NULL;
        }
        for (int i = 0; i < 2; i++) {
            CHECK_NUMBER(polls[i]->number, 1);
            polls[i]->taken = 0;
            ssa_request_free(polls[i]);
        }
        check_state.until_refusal = n;
        ssa_status status = go(ssa_op_control_poll(E, name_of("sim"), P));
        check_state.until_refusal = -1;
        CHECK(status == SSA_OK || status == SSA_ENOMEM);
        if (status == SSA_OK || SUCCEEDS(ssa_op_control_poll(E, name_of("sim"), P)))
            came = store.last->number;
        CHECK_NUMBER(came, 2);
    }
    check_state.refused = 0;
    SUCCEEDS(ssa_op_control_clear(E, name_of("sim"), P));
}

static const store_test exercises[] = {waits, asking_servers, flush, control, NULL};

STORE_MAIN(exercises, test_what_was_asked_comes_in_spite_of_all, test_what_was_given_back_comes_in_spite_of_all)
