/* Checks of operations against a real store. A program has one function for each behaviour, and ends with
 *
 *     STORE_MAIN(exercises, test_one, test_two)
 *
 * `program run ADDRESSES PASSWORD` calls the tests, each on an engine of its own. `program fail ADDRESSES PASSWORD` calls each
 * of the exercises (NULL ends them) again and again with one more allocation granted before one is refused, until none is:
 * every request must then succeed, or say that there is no memory, and later ones work. After each, all memory that came from
 * ssa_allocate must be back. `program fail-open ADDRESSES PASSWORD` does the same, but refuses nothing before the client has
 * opened its connections: what opening allocates is the same in all exercises (opening.c refuses that).
 * tests/cyclient/c_engine_program.py runs them. */
#ifndef STORE_H
#define STORE_H

#include "../c/check.h"
#include "key_slot.h"
#include "op_build.h"
#include "poll_driver.h"

static struct {
    const char *addresses, *password;
    ssa_engine *engine;
    ssa_request *last; /* the one that was waited for last: its results are looked at */
    ssa_problem problem;
    int64_t value_limit;
} store = {.value_limit = -1};

CHECK_UNUSED static ssa_engine *store_connect(void) {
    double timeout = 30;
    ssa_settings_given given;
    ssa_settings settings;
    ssa_buffer mistakes = {NULL, 0, 0};
    ssa_settings_given_init(&given);
    given.address = store.addresses;
    given.password = store.password;
    given.timeout = &timeout;
    given.value_limit = store.value_limit;
    if (ssa_settings_resolve(&settings, &given, NULL, NULL, &mistakes)) {
        printf("%s\n", mistakes.data ? (char *)mistakes.data : "no memory for settings");
        ssa_buffer_free(&mistakes);
        return NULL;
    }
    return ssa_engine_new(&settings, NULL);
}

CHECK_UNUSED static void store_open(void) {
    store.engine = store_connect();
    if (!store.engine)
        exit(3);
}

static void store_close(void) {
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_engine_free(store.engine);
    store.engine = NULL;
}

CHECK_UNUSED static ssa_text name_of(const char *text) {
    return (ssa_text){text, strlen(text)};
}

/* Drive until all of these are complete. */
CHECK_UNUSED static void store_wait(ssa_request *const *requests, size_t count) {
    for (size_t i = 0; i < count; i++)
        while (!requests[i]->complete)
            ssa_poll_until(store.engine, requests[i], SSA_NEVER);
}

/* Carry it out; store.last is it. */
CHECK_UNUSED static ssa_status go(ssa_request *request) {
    ssa_request_free(store.last);
    store.last = request;
    if (!request)
        return store.problem.status;
    ssa_request_start(request, -1);
    store_wait(&request, 1);
    request->taken = 1;
    return request->status;
}

static const char *store_text(void) {
    if (!store.last)
        return store.problem.text;
    return store.last->error.data ? (const char *)store.last->error.data : "";
}

#define SUCCEEDS(request) store_ends((request), SSA_OK, __FILE__, __LINE__)
#define FAILS(request, status) store_ends((request), (status), __FILE__, __LINE__)

CHECK_UNUSED static int store_ends(ssa_request *request, ssa_status wanted, const char *file, int line) {
    ssa_status status = go(request);
    int same = check_that(status == wanted, "it ends otherwise", file, line);
    if (!same)
        printf("    %s, should be %s: %s\n", ssa_status_name(status), ssa_status_name(wanted), store_text());
    return same;
}

/* In an exercise: what may happen to a request while an allocation is refused. A lost connection is one of it where the request
 * must not be repeated. True: it succeeded. */
CHECK_UNUSED static int bears(ssa_request *request) {
    ssa_status status = go(request);
    if (status == SSA_OK || ((status == SSA_ENOMEM || status == SSA_ECLOSED) && check_state.refused))
        return status == SSA_OK;
    check_state.failures++;
    printf("with an allocation refused: %s: %s\n", ssa_status_name(status), store_text());
    return 0;
}

/* A name that lies in another slot than `name`, on most stores on another shard. */
CHECK_UNUSED static const char *elsewhere(const char *name) {
    static char other[4][32];
    static unsigned next;
    char *text = other[next++ % 4];
    for (unsigned i = 0;; i++) {
        snprintf(text, sizeof other[0], "elsewhere%u", i);
        unsigned distance = (unsigned)(ssa_key_slot(name, strlen(name)) + SSA_SLOTS - ssa_key_slot(text, strlen(text))) % SSA_SLOTS;
        if (distance > SSA_SLOTS / 3 && distance < 2 * SSA_SLOTS / 3)
            return text;
    }
}

CHECK_UNUSED static ssa_tensor_header header_of(uint8_t dtype, uint64_t count) {
    ssa_tensor_header header = {.dtype = dtype, .itemsize = ssa_dtype_size(dtype), .ndim = 1, .shape = {count}};
    ssa_tensor_header_complete(&header);
    return header;
}

typedef void (*store_test)(void);

static void store_fail(store_test exercise, int is_open) {
    long n = 0;
    for (;; n++) {
        store_open();
        if (is_open)
            SUCCEEDS(ssa_op_ping(store.engine, name_of(""), &store.problem));
        check_state.until_refusal = n;
        check_state.refused = 0;
        exercise();
        check_state.until_refusal = -1;
        long refused = check_state.refused;
        if (refused) { /* all is well again */
            check_state.refused = 0;
            exercise();
        }
        store_close();
        check_nothing_is_left("with refused allocation", n);
        if (!refused || check_state.failures)
            break;
    }
    printf("%ld allocations refused one by one\n", n);
}

CHECK_UNUSED static int store_main(int count, char **words, const store_test *exercises, const store_test *tests, size_t test_count) {
    static const ssa_allocator table = {check_allocate, check_reallocate, check_release};
    if (count < 4)
        return 2;
    ssa_allocator_set(&table);
    setvbuf(stdout, NULL, _IOLBF, 0);
    store.addresses = words[2];
    store.password = words[3];
    if (strcmp(words[1], "run")) {
        for (size_t i = 0; exercises[i]; i++)
            store_fail(exercises[i], !strcmp(words[1], "fail-open"));
        return check_state.failures ? 1 : 0;
    }
    for (size_t i = 0; i < test_count; i++) {
        store_open();
        tests[i]();
        store_close();
        check_nothing_is_left("after test", (long)i);
    }
    printf("%ld checks in %zu tests\n", check_state.checks, test_count);
    return check_state.failures ? 1 : 0;
}

#define STORE_MAIN(exercises, ...)                                                             \
    int main(int count, char **words) {                                                        \
        static const store_test tests[] = {__VA_ARGS__};                                       \
        return store_main(count, words, exercises, tests, sizeof tests / sizeof *tests);       \
    }

#endif
