/* Values in chunks when something comes between: an early end, another client, a full store. Nothing is lost, and
 * nothing left. */
#include "chunk_values.h"

/* The value, of so many bytes, is all there is. */
static void is_alone(const char *name, size_t bytes) {
    holds(name, bytes);
    keys_are(bytes > LIMIT ? (int64_t)(bytes + LIMIT - 1) / LIMIT + 1 : 1);
}

/* A put that ends early after any number of its steps: the value is the old or the new one, with its own chunks and
 * no others. */
static void put_ends_early(size_t old, size_t new, void (*early)(ssa_request *)) {
    for (int steps = 0, goes_on = 1; goes_on; steps++) {
        SUCCEEDS(put("b", old));
        ssa_request *request = put("b", new);
        goes_on = begin(request, steps);
        if (goes_on)
            early(request);
        ssa_request_free(request);
        fill((unsigned)steps); /* what was borrowed is the caller's again */
        settle();
        fill(1);
        if (!SUCCEEDS(get("b")))
            return;
        size_t bytes = store.last->tensors[0].header.data_bytes;
        CHECK(bytes == new || (goes_on && bytes == old));
        is_alone("b", bytes);
    }
    SUCCEEDS(drop("b"));
    keys_are(0);
}

static void test_a_put_that_ends_early_leaves_no_chunks(void) {
    static void (*const ways[])(ssa_request *) = {ssa_request_cancel, ssa_request_time_out, ssa_request_fail_memory};
    fill(1);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        put_ends_early(50000, 40000, ways[i]);
        put_ends_early(10, 40000, ways[i]);
        put_ends_early(50000, 10, ways[i]);
    }
}

static void test_a_delete_that_ends_early_leaves_no_chunks(void) {
    for (int steps = 0, goes_on = 1; goes_on; steps++) {
        SUCCEEDS(put("b", 50000));
        ssa_request *request = drop("b");
        goes_on = begin(request, steps);
        ssa_request_free(request);
        settle();
        if (go(get("b")) == SSA_OK)
            SUCCEEDS(drop("b"));
        keys_are(0);
    }
}

/* A copy or a rename of "b". */
static ssa_request *take(int moves, const char *target) {
    return moves ? ssa_op_rename(E, "rename_tensor", SSA_KIND_TENSOR, name_of("b"), name_of(target), P)
                 : ssa_op_copy(E, "copy_tensor", SSA_KIND_TENSOR, name_of("b"), name_of(target), P);
}

/* One that ends early after any number of its steps, onto a value in chunks: that is there still, or has gone with all its
 * chunks. Without bytes: there is no source. */
static void copy_ends_early(int moves, size_t bytes, const char *target, void (*early)(ssa_request *)) {
    for (int steps = 0, goes_on = 1; goes_on; steps++) {
        if (bytes)
            SUCCEEDS(put("b", bytes));
        SUCCEEDS(put(target, 3000));
        ssa_request *request = take(moves, target);
        goes_on = begin(request, steps);
        if (goes_on)
            early(request);
        ssa_request_free(request);
        settle();
        if (!SUCCEEDS(get(target)))
            return;
        size_t got = store.last->tensors[0].header.data_bytes;
        CHECK(bytes ? got == bytes || (goes_on && got == 3000) : got == 3000);
        holds(target, got);
        SUCCEEDS(drop("b"));
        SUCCEEDS(drop(target));
        keys_are(0);
    }
}

static void test_a_copy_that_ends_early_leaves_no_chunks(void) {
    static const size_t lengths[] = {5000, 10, 0};
    fill(1);
    for (int moves = 0; moves < 2; moves++)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            copy_ends_early(moves, lengths[i], beside("b"), ssa_request_cancel);
            copy_ends_early(moves, lengths[i], elsewhere("b"), ssa_request_time_out);
        }
}

enum { DELETE, COPY, RENAME, LIST_OPERATIONS };

/* Of the list "l" to the target, or a delete of what is there. */
static ssa_request *use_list(int operation, const char *target) {
    if (operation == DELETE)
        return ssa_op_delete(E, "delete_list", SSA_KIND_LIST, name_of(target), P);
    return operation == COPY ? ssa_op_copy_list(E, name_of("l"), name_of(target), P)
                             : ssa_op_rename_list(E, name_of("l"), name_of(target), P);
}

/* Lists share the names of tensors and bytes: one that ends, early or not, has a value in chunks there still, or has removed
 * all of it. */
static void list_meets_chunks(int operation, const char *target) {
    for (int steps = 0, goes_on = 1; goes_on; steps++) {
        SUCCEEDS(ssa_op_append_to_list(E, name_of("l"), name_of("d"), P));
        SUCCEEDS(put(target, 3000));
        ssa_request *request = use_list(operation, target);
        goes_on = begin(request, steps);
        if (!goes_on)
            CHECK_NUMBER(request->status, SSA_OK);
        ssa_request_free(request);
        settle();
        if (go(get(target)) == SSA_OK) {
            CHECK(goes_on);
            holds(target, 3000);
        } else if (SUCCEEDS(ssa_op_list_length(E, name_of(target), P))) {
            CHECK_NUMBER(store.last->number, operation == DELETE ? 0 : 1);
        }
        SUCCEEDS(use_list(DELETE, target));
        SUCCEEDS(use_list(DELETE, "l"));
        keys_are(0);
    }
}

static void test_lists_leave_no_chunks(void) {
    fill(1);
    for (int operation = 0; operation < LIST_OPERATIONS; operation++) {
        list_meets_chunks(operation, beside("l"));
        list_meets_chunks(operation, elsewhere("l"));
    }
}

/* Whether this value, filled from this seed, stands there. */
static int reads(const char *name, size_t bytes, unsigned seed) {
    fill(seed);
    return go(get(name)) == SSA_OK && store.last->tensors[0].header.data_bytes == bytes &&
           !memcmp(store.last->tensors[0].memory.data, pattern, bytes);
}

/* Another client puts the source of a copy or rename after any number of its steps. Either of both comes first: no
 * put is lost, every value is whole. */
static void source_is_put_meanwhile(int moves, const char *target, size_t old, size_t new) {
    ssa_engine *own = E, *other = store_connect();
    for (int steps = 0, goes_on = 1; goes_on; steps++) {
        fill(1);
        SUCCEEDS(put("b", old));
        SUCCEEDS(put(target, 2500));
        ssa_request *request = take(moves, target);
        goes_on = begin(request, steps);
        fill(2);
        store.engine = other;
        SUCCEEDS(put("b", new));
        store.engine = own;
        finish(request);
        if (!CHECK_NUMBER(request->status, SSA_OK))
            printf("    %s, after %d steps\n", store_text(), steps);
        int target_is_old = reads(target, old, 1), source_is_new = reads("b", new, 2);
        CHECK(target_is_old || reads(target, new, 2));
        CHECK(source_is_new || (moves && !target_is_old && goes_on));
        SUCCEEDS(drop("b"));
        SUCCEEDS(drop(target));
        keys_are(0);
    }
    ssa_engine_free(other);
}

static void test_a_source_that_is_put_while_it_is_copied(void) {
    for (int moves = 0; moves < 2; moves++) {
        static const size_t lengths[][2] = {{5000, 4000}, {5000, 10}, {10, 4000}, {10, 20},
                                            {5000, 0},    {0, 4000},  {10, 0},    {0, 10}};
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            source_is_put_meanwhile(moves, beside("b"), lengths[i][0], lengths[i][1]);
            source_is_put_meanwhile(moves, elsewhere("b"), lengths[i][0], lengths[i][1]);
        }
    }
}

/* While one client sets the time another one does, after any number of its steps: one of both holds for the whole
 * value. */
static void test_times_to_live_that_cross(void) {
    ssa_engine *own = E, *other = store_connect();
    for (int i = 0; i < 2; i++)
        for (int steps = 0, goes_on = 1; goes_on; steps++) {
            SUCCEEDS(put("b", 2500));
            ssa_request *request = i ? ssa_op_persist(E, SSA_KIND_TENSOR, name_of("b"), P)
                                     : ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 7000000, P);
            goes_on = begin(request, steps);
            store.engine = other;
            SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 60000, P));
            store.engine = own;
            finish(request);
            CHECK_NUMBER(request->status, SSA_OK);
            SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_TENSOR, name_of("b"), P));
            int is_first = store.last->number < 0 || store.last->number > 60000;
            value_ends(is_first ? i ? -1 : 6900000 : 50000, is_first ? i ? -1 : 7000000 : 60000);
        }
    ssa_engine_free(other);
    SUCCEEDS(drop("b"));
    keys_are(0);
}

/* Of the server that has the key "b". 0: it was not done. */
static int bears_config(const char *maxmemory) {
    ssa_request *request = ssa_single_new(E, "config", SSA_KIND_KEY, name_of("b"), SSA_WRITING, P);
    if (!request)
        return 0;
    const ssa_text *words = SSA_TEXTS(SSA_TEXT("CONFIG"), SSA_TEXT("SET"), SSA_TEXT("maxmemory"), {maxmemory, strlen(maxmemory)});
    return bears(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, words), SSA_CALL_IDEMPOTENT, P));
}

/* One that ends early after any number of its steps: key and chunks have the same end all the same. */
static void test_times_to_live_that_end_early(void) {
    for (int i = 0; i < 2; i++)
        for (int steps = 0, goes_on = 1; goes_on; steps++) {
            SUCCEEDS(put("b", 2500));
            if (i)
                SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 60000, P));
            ssa_request *request = i ? ssa_op_persist(E, SSA_KIND_TENSOR, name_of("b"), P)
                                     : ssa_op_set_ttl(E, SSA_KIND_TENSOR, name_of("b"), 7000000, P);
            goes_on = begin(request, steps);
            ssa_request_free(request);
            settle();
            SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_TENSOR, name_of("b"), P));
            int64_t ttl = store.last->number;
            value_ends(ttl < 0 ? -1 : ttl - 5000, ttl);
        }
    SUCCEEDS(drop("b"));
    keys_are(0);
}

/* A server gives the room of what is unlinked back by and by. */
static void room_comes_back(size_t bytes) {
    int64_t end = ssa_now() + 10000000000;
    while (go(put("b", bytes)) == SSA_EFULL && ssa_now() < end)
        ;
    CHECK_NUMBER(store.last->status, SSA_OK);
}

/* A put fails for want of room, and of what it has sent nothing stays. */
static void test_a_full_store_keeps_nothing(void) {
    int64_t used = 0;
    ssa_request *info = ssa_single_new(E, "info", SSA_KIND_KEY, name_of("b"), SSA_READING, P);
    SUCCEEDS(ssa_single_ready(info, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("INFO"), SSA_TEXT("memory"))), 0, P));
    const ssa_buffer *said = &ssa_request_answer(store.last, 0)->reply.text;
    const char *at = memmem(said->data, said->bytes, "\nused_memory:", 13);
    if (CHECK(at))
        used = strtoll(at + 13, NULL, 10);
    char most[24];
    snprintf(most, sizeof most, "%lld", (long long)used + 300000);
    if (!CHECK(bears_config(most)))
        return;
    static unsigned char bytes[8000000];
    FAILS(ssa_op_put_bytes(E, name_of("b"), bytes, 1000 * LIMIT, P), SSA_EFULL);
    settle();
    keys_are(0);
    room_comes_back(5000);
    SUCCEEDS(drop("b"));
    CHECK(bears_config("1gb"));
}

/* Of the server of a standalone store; -1: it was not told. */
static int64_t key_count(void) {
    ssa_request *request = ssa_single_new(E, "count", SSA_KIND_KEY, name_of("b"), SSA_READING, P);
    ssa_command *command = request ? ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("DBSIZE"))) : NULL;
    int told = request && bears(ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, P));
    return told ? ssa_request_answer(store.last, 0)->reply.nodes[0].number : -1;
}

static void exercise_full(void) {
    int64_t before = key_count();
    if (before < 0 || !bears_config("1mb"))
        return;
    ssa_status status = go(put("b", 5000));
    int told = status == SSA_EFULL || (status == SSA_ENOMEM && check_state.refused);
    if (!CHECK(told))
        printf("    %s: %s\n", ssa_status_name(status), store_text());
    if (status == SSA_EFULL && !check_state.refused)
        CHECK(strstr(store_text(), "of 1.00 MiB (maxmemory)"));
    settle();
    int64_t after = key_count();
    if (status == SSA_EFULL && !check_state.refused)
        CHECK_NUMBER(after, before);
    while (!bears_config("1gb"))
        ;
}

/* With an allocation refused chunks may stay, for their hour. */
static void exercise_early_ends(void) {
    static void (*const ways[])(ssa_request *) = {ssa_request_cancel, ssa_request_time_out, ssa_request_fail_memory};
    for (int steps = 0; steps < 4; steps++) {
        bears(put("b", 5000));
        ssa_request *request = put("b", 4000);
        if (request && begin(request, steps))
            ways[steps % 3](request);
        ssa_request_free(request);
        settle();
    }
    bears(drop("b"));
}

static void exercise_early_copies(void) {
    for (int steps = 1; steps < 4; steps++) {
        bears(put("b", 10));
        bears(put("c", 3000));
        ssa_request *request = take(steps % 2, "c");
        if (request && begin(request, steps))
            ssa_request_cancel(request);
        ssa_request_free(request);
        settle();
    }
    bears(drop("b"));
    if (bears(use_list(DELETE, "c")) && bears(put("c", 3000)) && bears(ssa_op_append_to_list(E, name_of("l"), name_of("d"), P)) &&
        bears(use_list(COPY, "c")) && bears(put(elsewhere("l"), 3000)))
        bears(use_list(RENAME, elsewhere("l")));
    bears(use_list(DELETE, "l"));
    bears(use_list(DELETE, "c"));
    bears(use_list(DELETE, elsewhere("l")));
}

static const store_test exercises[] = {exercise_early_ends, exercise_early_copies, exercise_full, NULL};

static const store_test tests[] = {
    test_a_put_that_ends_early_leaves_no_chunks, test_a_delete_that_ends_early_leaves_no_chunks,
    test_a_copy_that_ends_early_leaves_no_chunks, test_lists_leave_no_chunks, test_a_source_that_is_put_while_it_is_copied,
    test_times_to_live_that_cross, test_times_to_live_that_end_early, test_a_full_store_keeps_nothing,
};

int main(int count, char **words) {
    store.value_limit = LIMIT;
    return store_main(count, words, exercises, tests, sizeof tests / sizeof *tests);
}
