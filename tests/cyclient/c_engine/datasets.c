/* Datasets: all of one or nothing, nothing left of what was replaced, and the order of one client. */
#include "store.h"

#include "batch_plan.h"

#define E store.engine
#define P &store.problem

static const double numbers[] = {1, 2, 3, 4, 5, 6};

/* ---- datasets to put */

static ssa_dataset *empty(const char *name) {
    ssa_dataset *dataset;
    ssa_dataset_new(name, strlen(name), &dataset);
    return dataset;
}

static ssa_status add_tensor(ssa_dataset *dataset, const char *name, const double *values, uint64_t count) {
    ssa_tensor_header header = header_of(SSA_FLOAT64, count);
    return ssa_dataset_add_tensor(dataset, name, strlen(name), &header, values);
}

static ssa_dataset *sample(const char *name) {
    static const int64_t steps[] = {-1, 7};
    ssa_dataset *dataset = empty(name);
    if (!dataset)
        return NULL;
    if (add_tensor(dataset, "u", numbers, 6) || add_tensor(dataset, "none", numbers, 0) ||
        ssa_dataset_add_bytes(dataset, "raw", 3, "a\0b", 3) || ssa_dataset_add_bytes(dataset, "nil", 3, "", 0) ||
        ssa_dataset_add_scalars(dataset, "step", 4, SSA_INT64, steps, 2) ||
        ssa_dataset_add_string(dataset, "unit", 4, "m/s", 3)) {
        ssa_dataset_free(dataset);
        return NULL;
    }
    return dataset;
}

static ssa_dataset *with_tensor(const char *name, const char *tensor) {
    ssa_dataset *dataset = empty(name);
    add_tensor(dataset, tensor, numbers, 6);
    return dataset;
}

static ssa_request *put(ssa_dataset *dataset) {
    return ssa_op_put_dataset(E, dataset, P);
}

static ssa_request *get(const char *name) {
    return ssa_op_get_dataset(E, name_of(name), P);
}

static ssa_request *drop(const char *name) {
    return ssa_op_delete_dataset(E, name_of(name), P);
}

/* Put it; it is freed. */
static void stored(ssa_dataset *dataset) {
    SUCCEEDS(put(dataset));
    ssa_request_free(store.last); /* with its pin */
    store.last = NULL;
    ssa_dataset_free(dataset);
}

static void key_is(const char *key, int there) {
    if (SUCCEEDS(ssa_op_exists(E, "key_exists", SSA_KIND_KEY, name_of(key), P)))
        if (!CHECK_NUMBER(store.last->number, there))
            printf("    of %s\n", (char *)store.last->subject.data);
}

static void dataset_is(const char *name, int there) {
    if (SUCCEEDS(ssa_op_exists(E, "dataset_exists", SSA_KIND_DATASET, name_of(name), P)))
        if (!CHECK_NUMBER(store.last->number, there))
            printf("    of %s\n", (char *)store.last->subject.data);
}

static const ssa_item *item_of(const ssa_dataset *dataset, ssa_item_kind kind, const char *name) {
    return ssa_dataset_find_item(dataset, kind, name, strlen(name));
}

static void is_sample(const ssa_dataset *dataset) {
    ssa_metadata metadata;
    CHECK_NUMBER(ssa_dataset_item_count(dataset), 4);
    CHECK_NUMBER(ssa_dataset_field_count(dataset), 2);
    const ssa_item *u = item_of(dataset, SSA_ITEM_TENSOR, "u"), *none = item_of(dataset, SSA_ITEM_TENSOR, "none");
    const ssa_item *raw = item_of(dataset, SSA_ITEM_BYTES, "raw"), *nil = item_of(dataset, SSA_ITEM_BYTES, "nil");
    if (!CHECK(u && none && raw && nil))
        return;
    CHECK(u->header.dtype == SSA_FLOAT64 && u->header.data_bytes == sizeof numbers && !memcmp(u->data, numbers, sizeof numbers));
    CHECK(none->header.data_bytes == 0 && none->header.shape[0] == 0);
    CHECK(raw->header.data_bytes == 3 && !memcmp(raw->data, "a\0b", 3));
    CHECK(nil->header.data_bytes == 0);
    CHECK(ssa_dataset_find_field(dataset, "step", 4, &metadata) == SSA_OK && metadata.type == SSA_INT64 && metadata.count == 2);
    CHECK(ssa_dataset_find_field(dataset, "unit", 4, &metadata) == SSA_OK && metadata.type == SSA_STRING && metadata.count == 1);
}

/* ---- put, get, delete */

static void test_all_of_it_comes_back(void) {
    FAILS(get("d"), SSA_ENOTFOUND);
    CHECK(strstr(store_text(), "no dataset 'd' in "));
    dataset_is("d", 0);
    stored(sample("d"));
    dataset_is("d", 1);
    if (SUCCEEDS(get("d")) && CHECK_NUMBER(store.last->dataset_count, 1)) {
        is_sample(store.last->datasets[0]);
        CHECK_NUMBER(ssa_dataset_name(store.last->datasets[0]).bytes, 1);
    }
    SUCCEEDS(ssa_op_get_tensor_by_key(E, name_of("{d}.u"), P));
    SUCCEEDS(drop("d"));
    dataset_is("d", 0);
    static const char *const keys[] = {"{d}.meta", "{d}.u", "{d}.none", "{d}.raw", "{d}.nil", "{d}..names"};
    for (int i = 0; i < 6; i++)
        key_is(keys[i], 0);
    SUCCEEDS(drop("d"));
}

static void test_metadata_alone_is_a_dataset(void) {
    ssa_dataset *dataset = empty("m");
    ssa_dataset_add_string(dataset, "x", 1, "y", 1);
    stored(dataset);
    if (SUCCEEDS(get("m")))
        CHECK_NUMBER(ssa_dataset_field_count(store.last->datasets[0]), 1);
    SUCCEEDS(drop("m"));
}

static void test_an_empty_one_is_refused(void) {
    ssa_dataset *dataset = empty("nothing");
    FAILS(put(dataset), SSA_EARGUMENT);
    CHECK_TEXT(store.problem.text, "dataset 'nothing' cannot be put: it is empty; add a tensor, bytes or metadata first.");
    ssa_dataset_free(dataset);
    FAILS(get("no{"), SSA_EARGUMENT);
}

static void test_nothing_of_the_old_one_stays(void) {
    stored(sample("d"));
    stored(with_tensor("d", "v"));
    key_is("{d}.v", 1);
    key_is("{d}.u", 0);
    key_is("{d}.none", 0);
    key_is("{d}.raw", 0);
    if (SUCCEEDS(get("d"))) {
        CHECK_NUMBER(ssa_dataset_item_count(store.last->datasets[0]), 1);
        CHECK_NUMBER(ssa_dataset_field_count(store.last->datasets[0]), 0);
    }
    SUCCEEDS(drop("d"));
    key_is("{d}.v", 0);
}

static void raw(const char *key, const ssa_text *words) {
    ssa_request *request = ssa_single_new(E, "raw", SSA_KIND_KEY, name_of(key), SSA_WRITING, P);
    SUCCEEDS(ssa_single_ready(request, ssa_command_of(SSA_EXPECT_REPLY, words), 0, P));
}

/* What a writer that died between its two steps left, the next put finds; a delete too. */
static void test_what_was_left_stale_goes_with_the_next_put(void) {
    for (int deleted = 0; deleted < 2; deleted++) {
        stored(with_tensor("d", "v"));
        raw("{d}..names", SSA_TEXTS(SSA_TEXT("HSET"), SSA_TEXT("{d}..names"), SSA_TEXT("ghost"), SSA_TEXT("")));
        raw("{d}.ghost", SSA_TEXTS(SSA_TEXT("SET"), SSA_TEXT("{d}.ghost"), SSA_TEXT("x")));
        if (deleted)
            SUCCEEDS(drop("d"));
        else
            stored(with_tensor("d", "v"));
        key_is("{d}.ghost", 0);
        key_is("{d}.v", !deleted);
    }
    key_is("{d}..names", 0);
}

static void test_it_takes_the_place_of_anything(void) {
    SUCCEEDS(ssa_op_put_bytes(E, name_of("x"), "x", 1, P));
    SUCCEEDS(ssa_op_rename(E, "rename", SSA_KIND_KEY, name_of("x"), name_of("{d}.meta"), P));
    FAILS(get("d"), SSA_ETYPE);
    FAILS(drop("d"), SSA_ETYPE);
    stored(sample("d"));
    if (SUCCEEDS(get("d")))
        is_sample(store.last->datasets[0]);
    SUCCEEDS(drop("d"));
}

static void test_one_that_lacks_a_part_is_told(void) {
    stored(sample("d"));
    SUCCEEDS(ssa_op_delete(E, "delete_key", SSA_KIND_KEY, name_of("{d}.u"), P));
    FAILS(get("d"), SSA_EDATASET);
    CHECK(strstr(store_text(), "cannot be read: its item 'u' is not there"));
    SUCCEEDS(ssa_op_rename(E, "rename", SSA_KIND_KEY, name_of("{d}.raw"), name_of("{d}.u"), P));
    FAILS(get("d"), SSA_EDATASET);
    SUCCEEDS(drop("d"));
    key_is("{d}.none", 0);
}

static void test_long_ones(void) {
    size_t count = (size_t)3 << 20;
    double *values = malloc(count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = (double)i;
    for (int round = 0; round < 2; round++) {
        ssa_dataset *dataset = sample("d");
        add_tensor(dataset, "long", values, count);
        values[0] += 1;
        stored(dataset);
        if (SUCCEEDS(get("d"))) {
            const ssa_item *item = item_of(store.last->datasets[0], SSA_ITEM_TENSOR, "long");
            CHECK(item && ((const double *)item->data)[0] == round && ((const double *)item->data)[count - 1] == (double)(count - 1));
        }
    }
    SUCCEEDS(drop("d"));
    free(values);
}

static void test_many_items(void) {
    ssa_dataset *dataset = empty("many");
    char name[16];
    for (int i = 0; i < 20000; i++) { /* more than one flight takes */
        double value = i;
        snprintf(name, sizeof name, "t%d", i);
        add_tensor(dataset, name, &value, 1);
    }
    stored(dataset);
    if (SUCCEEDS(get("many"))) {
        CHECK_NUMBER(ssa_dataset_item_count(store.last->datasets[0]), 20000);
        for (size_t i = 0; i < 20000; i += 777)
            CHECK(*(const double *)ssa_dataset_item_at(store.last->datasets[0], i)->data == (double)i);
    }
    stored(with_tensor("many", "t5"));
    key_is("{many}.t6", 0);
    key_is("{many}.t5", 1);
    SUCCEEDS(drop("many"));
}

/* ---- one client's order, and its turns */

static void started(ssa_request *request) {
    if (CHECK(request != NULL))
        ssa_request_start(request, -1);
}

static void test_the_order_of_one_client_holds(void) {
    ssa_dataset *first = with_tensor("d", "a"), *second = with_tensor("d", "b"), *last = sample("d");
    ssa_request *requests[8];
    size_t count = 0;
    stored(with_tensor("d", "x"));
    started(requests[count++] = put(first));
    started(requests[count++] = put(second));
    started(requests[count++] = drop("d"));
    started(requests[count++] = ssa_op_exists(E, "dataset_exists", SSA_KIND_DATASET, name_of("d"), P));
    started(requests[count++] = put(last));
    started(requests[count++] = get("d"));
    store_wait(requests, count);
    for (size_t i = 0; i < count; i++)
        if (!CHECK_NUMBER(requests[i]->status, SSA_OK))
            printf("    %zu: %s\n", i, requests[i]->error.data ? (char *)requests[i]->error.data : "");
    CHECK_NUMBER(requests[3]->number, 0);
    if (CHECK_NUMBER(requests[5]->dataset_count, 1))
        is_sample(requests[5]->datasets[0]);
    for (size_t i = 0; i < count; i++)
        ssa_request_free(requests[i]);
    key_is("{d}.a", 0);
    key_is("{d}.b", 0);
    key_is("{d}.x", 0);
    started(requests[0] = drop("d"));
    started(requests[1] = put(second));
    store_wait(requests, 2);
    ssa_request_free(requests[0]);
    ssa_request_free(requests[1]);
    key_is("{d}.u", 0);
    key_is("{d}.b", 1);
    SUCCEEDS(drop("d"));
    ssa_dataset_free(first);
    ssa_dataset_free(second);
    ssa_dataset_free(last);
}

static void test_many_turns_at_once(void) {
    enum { COUNT = 60 };
    ssa_request *requests[3 * COUNT];
    ssa_dataset *old[COUNT], *new[COUNT];
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "d%d", i);
        old[i] = with_tensor(name, "old");
        new[i] = with_tensor(name, "new");
        started(requests[i] = put(old[i]));
        started(requests[COUNT + i] = put(new[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "d%d", i);
        started(requests[2 * COUNT + i] = i % 2 ? drop(name) : get(name));
    }
    store_wait(requests, 3 * COUNT);
    for (int i = 0; i < 3 * COUNT; i++) {
        CHECK_NUMBER(requests[i]->status, SSA_OK);
        ssa_request_free(requests[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "{d%d}.old", i);
        key_is(name, 0);
        snprintf(name, sizeof name, "{d%d}.new", i);
        key_is(name, !(i % 2));
        snprintf(name, sizeof name, "d%d", i);
        SUCCEEDS(drop(name));
        ssa_dataset_free(old[i]);
        ssa_dataset_free(new[i]);
    }
}

static void test_a_batch_keeps_the_order(void) {
    ssa_dataset *first = with_tensor("d", "a"), *second = sample("d");
    ssa_request *const operations[] = {
        put(first), drop("d"), ssa_op_exists(E, "dataset_exists", SSA_KIND_DATASET, name_of("d"), P), put(second), get("d"),
        ssa_op_rename_dataset(E, name_of("d"), name_of("e"), P), get("e"), drop("e"), put(first),
    };
    enum { COUNT = sizeof operations / sizeof *operations };
    ssa_batch_plan *batch = ssa_batch_plan_new(E);
    for (int i = 0; i < COUNT; i++)
        CHECK_NUMBER(ssa_batch_plan_add(batch, operations[i]), SSA_OK);
    ssa_request *whole = ssa_batch_plan_execute(batch, -1);
    store_wait(&whole, 1);
    if (!CHECK_NUMBER(whole->status, SSA_OK))
        printf("    %s\n", (char *)whole->error.data);
    CHECK_NUMBER(operations[2]->number, 0);
    if (CHECK_NUMBER(operations[4]->dataset_count, 1))
        is_sample(operations[4]->datasets[0]);
    if (CHECK_NUMBER(operations[6]->dataset_count, 1))
        is_sample(operations[6]->datasets[0]);
    ssa_batch_plan_free(batch);
    ssa_dataset_free(first);
    ssa_dataset_free(second);
    key_is("{d}.a", 1);
    key_is("{d}.u", 0);
    key_is("{e}.meta", 0);
    SUCCEEDS(drop("d"));
}

/* At whichever moment of its two steps: the next transactions are carried out, and are not taken for the one that was watched. */
static void test_a_cancelled_turn_is_over(void) {
    for (int polls = 0; polls < 40; polls++) {
        stored(with_tensor("d", "a"));
        ssa_request *request = drop("d");
        started(request);
        for (int i = 0; i < polls && !request->complete; i++)
            ssa_poll_until(E, request, ssa_now() + polls % 5 * 10000);
        ssa_request_free(request);
        stored(with_tensor("d", "b"));
        stored(with_tensor("e", "c"));
        if (SUCCEEDS(get("d")))
            CHECK(item_of(store.last->datasets[0], SSA_ITEM_TENSOR, "b") != NULL);
        key_is("{d}.a", 0);
    }
    SUCCEEDS(drop("d"));
    SUCCEEDS(drop("e"));
}

static void test_it_is_pinned_while_it_is_put(void) {
    ssa_dataset *dataset = sample("d");
    ssa_request *request = put(dataset);
    CHECK_NUMBER(ssa_dataset_add_string(dataset, "more", 4, "x", 1), SSA_EARGUMENT);
    ssa_request_free(request); /* never started */
    CHECK_NUMBER(ssa_dataset_add_string(dataset, "more", 4, "x", 1), SSA_OK);
    request = put(dataset);
    started(request);
    CHECK_NUMBER(ssa_dataset_remove_field(dataset, "more", 4), SSA_EARGUMENT);
    ssa_request_cancel(request);
    CHECK_NUMBER(ssa_dataset_remove_field(dataset, "more", 4), SSA_OK);
    ssa_request_free(request);
    SUCCEEDS(put(dataset));
    CHECK_NUMBER(ssa_dataset_add_string(dataset, "more", 4, "x", 1), SSA_OK);
    SUCCEEDS(drop("d"));
    ssa_dataset_free(dataset);
}

/* ---- copy, rename, TTL */

static void test_copies_and_renames(void) {
    const char *targets[] = {"target", elsewhere("d")};
    char key[64];
    for (int i = 0; i < 2; i++) {
        FAILS(ssa_op_copy_dataset(E, name_of("d"), name_of(targets[i]), P), SSA_ENOTFOUND);
        FAILS(ssa_op_rename_dataset(E, name_of("d"), name_of(targets[i]), P), SSA_ENOTFOUND);
        stored(sample("d"));
        stored(with_tensor(targets[i], "old"));
        SUCCEEDS(ssa_op_copy_dataset(E, name_of("d"), name_of(targets[i]), P));
        if (SUCCEEDS(get(targets[i])))
            is_sample(store.last->datasets[0]);
        if (SUCCEEDS(get("d")))
            is_sample(store.last->datasets[0]);
        snprintf(key, sizeof key, "{%s}.old", targets[i]);
        key_is(key, 0);
        SUCCEEDS(ssa_op_rename_dataset(E, name_of(targets[i]), name_of("moved"), P));
        if (SUCCEEDS(get("moved")))
            is_sample(store.last->datasets[0]);
        dataset_is(targets[i], 0);
        snprintf(key, sizeof key, "{%s}.u", targets[i]);
        key_is(key, 0);
        SUCCEEDS(drop("moved"));
        SUCCEEDS(drop("d"));
    }
    FAILS(ssa_op_copy_dataset(E, name_of("d"), name_of("d"), P), SSA_ENOTFOUND);
    stored(sample("d"));
    SUCCEEDS(ssa_op_copy_dataset(E, name_of("d"), name_of("d"), P));
    SUCCEEDS(ssa_op_rename_dataset(E, name_of("d"), name_of("d"), P));
    if (SUCCEEDS(get("d")))
        is_sample(store.last->datasets[0]);
    FAILS(ssa_op_copy_dataset(E, name_of("d"), name_of("}"), P), SSA_EARGUMENT);
    SUCCEEDS(drop("d"));
}

static void key_stays(const char *key, int stays) {
    if (SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_KEY, name_of(key), P)))
        CHECK(stays ? store.last->number == -1 : store.last->number > 3500000 && store.last->number <= 3600000);
}

static void test_time_to_live(void) {
    FAILS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 1000, P), SSA_ENOTFOUND);
    FAILS(ssa_op_persist(E, SSA_KIND_DATASET, name_of("d"), P), SSA_ENOTFOUND);
    FAILS(ssa_op_get_ttl(E, SSA_KIND_DATASET, name_of("d"), P), SSA_ENOTFOUND);
    FAILS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), -1, P), SSA_EARGUMENT);
    static const char *const keys[] = {"{d}.meta", "{d}.u", "{d}.none", "{d}.raw", "{d}.nil"};
    stored(sample("d"));
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 3600000, P));
    SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_DATASET, name_of("d"), P));
    CHECK(store.last->number > 3500000);
    for (int i = 0; i < 5; i++)
        key_stays(keys[i], 0);
    SUCCEEDS(ssa_op_persist(E, SSA_KIND_DATASET, name_of("d"), P));
    for (int i = 0; i < 5; i++)
        key_stays(keys[i], 1);
    SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 3600000, P));
    stored(sample("d"));
    for (int i = 0; i < 5; i++)
        key_stays(keys[i], 1);
    SUCCEEDS(drop("d"));
}

/* ---- with an allocation refused */

static void put_sample(const char *name, int *done) {
    ssa_dataset *dataset = sample(name);
    *done = dataset && bears(put(dataset));
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_dataset_free(dataset);
}

static void exercise_put_and_get(void) {
    int done;
    put_sample("d", &done);
    if (done && bears(get("d")))
        is_sample(store.last->datasets[0]);
    ssa_dataset *other = empty("d");
    if (other && !add_tensor(other, "v", numbers, 2))
        bears(put(other));
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_dataset_free(other);
    bears(drop("d"));
}

static void exercise_copies(void) {
    int done;
    put_sample("d", &done);
    if (!done)
        return;
    bears(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 100000, P));
    bears(ssa_op_copy_dataset(E, name_of("d"), name_of(elsewhere("d")), P));
    bears(ssa_op_rename_dataset(E, name_of("d"), name_of("moved"), P));
    bears(drop("moved"));
    bears(drop(elsewhere("d")));
}

static void exercise_ttl(void) {
    int done;
    put_sample("d", &done);
    if (!done)
        return;
    bears(ssa_op_set_ttl(E, SSA_KIND_DATASET, name_of("d"), 100000, P));
    bears(ssa_op_persist(E, SSA_KIND_DATASET, name_of("d"), P));
    bears(drop("d"));
}

static const store_test exercises[] = {exercise_put_and_get, exercise_copies, exercise_ttl, NULL};

STORE_MAIN(exercises, test_all_of_it_comes_back, test_metadata_alone_is_a_dataset, test_an_empty_one_is_refused,
           test_nothing_of_the_old_one_stays, test_what_was_left_stale_goes_with_the_next_put, test_it_takes_the_place_of_anything, test_one_that_lacks_a_part_is_told,
           test_long_ones, test_many_items, test_the_order_of_one_client_holds, test_many_turns_at_once,
           test_a_batch_keeps_the_order, test_a_cancelled_turn_is_over, test_it_is_pinned_while_it_is_put, test_copies_and_renames, test_time_to_live)
