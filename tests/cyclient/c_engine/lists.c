/* Lists of datasets. */
#include "store.h"

#define E store.engine
#define P &store.problem

static ssa_request *append(const char *list, const char *dataset) {
    return ssa_op_append_to_list(E, name_of(list), name_of(dataset), P);
}

static ssa_request *all_of(const char *list) {
    return ssa_op_get_datasets_from_list(E, name_of(list), P);
}

static ssa_request *drop(const char *list) {
    return ssa_op_delete(E, "delete_list", SSA_KIND_LIST, name_of(list), P);
}

static void length_is(const char *list, int64_t length) {
    if (SUCCEEDS(ssa_op_list_length(E, name_of(list), P)))
        CHECK_NUMBER(store.last->number, length);
}

/* wanted SSA_ENOMEM: an allocation may be refused. Whether it is stored. */
static int put_number(const char *name, int64_t number, ssa_status wanted) {
    ssa_dataset *dataset;
    ssa_tensor_header header = header_of(SSA_INT64, 1);
    int done = 0;
    if (ssa_dataset_new(name, strlen(name), &dataset))
        return 0;
    if (!ssa_dataset_add_tensor(dataset, "n", 1, &header, &number) && !ssa_dataset_add_bytes(dataset, "b", 1, "bytes", 5)) {
        if (wanted == SSA_OK)
            done = SUCCEEDS(ssa_op_put_dataset(E, dataset, P));
        else
            done = bears(ssa_op_put_dataset(E, dataset, P));
    }
    ssa_request_free(store.last);
    store.last = NULL;
    ssa_dataset_free(dataset);
    return done;
}

static int64_t number_in(const ssa_dataset *dataset) {
    const ssa_item *item = ssa_dataset_find_item(dataset, SSA_ITEM_TENSOR, "n", 1);
    int64_t number = -1;
    if (item)
        memcpy(&number, item->data, sizeof number);
    return number;
}

static const char *member(int i) {
    static char text[32];
    snprintf(text, sizeof text, "member%d", i);
    return text;
}

/* A list of so many, in the falling order of their numbers, on all shards. */
static void make(const char *list, int count) {
    for (int i = count; i-- > 0;) {
        put_number(member(i), i, SSA_OK);
        SUCCEEDS(append(list, member(i)));
    }
}

static void unmake(const char *list, int count) {
    for (int i = 0; i < count; i++)
        SUCCEEDS(ssa_op_delete_dataset(E, name_of(member(i)), P));
    SUCCEEDS(drop(list));
}

static void range_is(const char *list, int64_t from, int64_t to, int64_t first, size_t count) {
    if (!SUCCEEDS(ssa_op_get_list_range(E, name_of(list), from, to, P)) || !CHECK_NUMBER(store.last->dataset_count, count))
        return;
    for (size_t i = 0; i < count; i++)
        CHECK_NUMBER(number_in(store.last->datasets[i]), first - (int64_t)i);
}

static void test_a_list_grows_and_goes(void) {
    length_is("l", 0);
    if (SUCCEEDS(all_of("l")))
        CHECK_NUMBER(store.last->dataset_count, 0);
    make("l", 10);
    length_is("l", 10);
    range_is("l", 0, -1, 9, 10);
    unmake("l", 10);
    length_is("l", 0);
    SUCCEEDS(drop("l"));
    FAILS(append("l{", "d"), SSA_EARGUMENT);
    FAILS(append("l", "d}"), SSA_EARGUMENT);
}

static void test_ranges(void) {
    make("l", 10);
    range_is("l", 0, 0, 9, 1);
    range_is("l", 2, 4, 7, 3);
    range_is("l", -3, -1, 2, 3);
    range_is("l", -100, 1, 9, 2);
    range_is("l", 8, 100, 1, 2);
    range_is("l", 5, 4, 0, 0);
    range_is("l", 10, 12, 0, 0);
    range_is("l", INT64_MIN, INT64_MAX, 9, 10);
    range_is("l", -1, -11, 0, 0);
    unmake("l", 10);
}

static void test_more_than_a_window(void) {
    enum { COUNT = 1300 };
    make("l", COUNT);
    range_is("l", 0, -1, COUNT - 1, COUNT);
    unmake("l", COUNT);
}

static void test_the_same_one_twice(void) {
    put_number("d", 5, SSA_OK);
    SUCCEEDS(append("l", "d"));
    SUCCEEDS(append("l", "d"));
    if (SUCCEEDS(all_of("l")) && CHECK_NUMBER(store.last->dataset_count, 2))
        CHECK(number_in(store.last->datasets[0]) == 5 && number_in(store.last->datasets[1]) == 5);
    SUCCEEDS(ssa_op_delete_dataset(E, name_of("d"), P));
    SUCCEEDS(drop("l"));
}

static void test_one_that_is_not_there_is_named(void) {
    make("l", 3);
    SUCCEEDS(append("l", "ghost"));
    FAILS(all_of("l"), SSA_ENOTFOUND);
    CHECK(strstr(store_text(), "list 'l' names the dataset 'ghost', which is not in "));
    range_is("l", 0, 2, 2, 3);
    unmake("l", 3);
}

static ssa_request *push(const char *key, const char *element) {
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("RPUSH"), name_of(key), name_of(element)));
    return ssa_single_ready(ssa_single_new(E, "push", SSA_KIND_KEY, name_of(key), SSA_WRITING, P), command, 0, P);
}

static void test_what_names_no_dataset_is_told(void) {
    static const char *const elements[] = {"x", "{d", "{}", "x{d}", "{d}x", "{a}{b}", "P.{d}}", "", "p{.{d}", ".{d}"};
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        SUCCEEDS(push("l", elements[i]));
        FAILS(all_of("l"), SSA_ETYPE);
        SUCCEEDS(drop("l"));
    }
    SUCCEEDS(push("l", "P.{d}"));
    FAILS(all_of("l"), SSA_ENOTFOUND);
    SUCCEEDS(drop("l"));
    SUCCEEDS(ssa_op_put_bytes(E, name_of("l"), "x", 1, P));
    FAILS(all_of("l"), SSA_ETYPE);
    FAILS(append("l", "d"), SSA_ETYPE);
    FAILS(ssa_op_list_length(E, name_of("l"), P), SSA_ETYPE);
    SUCCEEDS(drop("l"));
}

static void test_copies_and_renames(void) {
    const char *targets[] = {"target", elsewhere("l")};
    make("l", 5);
    for (int i = 0; i < 2; i++) {
        SUCCEEDS(append(targets[i], "old"));
        SUCCEEDS(ssa_op_copy_list(E, name_of("l"), name_of(targets[i]), P));
        range_is(targets[i], 0, -1, 4, 5);
        range_is("l", 0, -1, 4, 5);
        SUCCEEDS(ssa_op_set_ttl(E, SSA_KIND_LIST, name_of("l"), 3600000, P));
        SUCCEEDS(ssa_op_rename_list(E, name_of("l"), name_of(targets[i]), P));
        range_is(targets[i], 0, -1, 4, 5);
        length_is("l", 0);
        FAILS(ssa_op_rename_list(E, name_of("l"), name_of(targets[i]), P), SSA_ENOTFOUND);
        FAILS(ssa_op_copy_list(E, name_of("l"), name_of(targets[i]), P), SSA_ENOTFOUND);
        SUCCEEDS(ssa_op_get_ttl(E, SSA_KIND_LIST, name_of(targets[i]), P));
        CHECK(store.last->number > 3500000);
        SUCCEEDS(ssa_op_persist(E, SSA_KIND_LIST, name_of(targets[i]), P));
        SUCCEEDS(ssa_op_rename_list(E, name_of(targets[i]), name_of("l"), P));
        range_is("l", 0, -1, 4, 5);
    }
    SUCCEEDS(ssa_op_rename_list(E, name_of("l"), name_of("l"), P));
    unmake("l", 5);
    FAILS(ssa_op_rename_list(E, name_of("l"), name_of("l"), P), SSA_ENOTFOUND);
}

/* Another client appends all the time; the list goes to and fro between two keys, from shard to shard in a cluster. */
static void test_a_rename_loses_nothing_that_is_appended(void) {
    enum { APPENDS = 400 };
    ssa_engine *other = store_connect();
    const char *names[2] = {"l", elsewhere("l")};
    ssa_problem problem;
    size_t appended = 1, renames = 0;
    SUCCEEDS(append(names[0], "d"));
    ssa_request *pushing = NULL;
    while (appended < APPENDS) {
        ssa_request *renaming = ssa_op_rename_list(E, name_of(names[renames % 2]), name_of(names[(renames + 1) % 2]), P);
        ssa_request_start(renaming, -1);
        while (!renaming->complete) {
            if (!pushing) {
                pushing = ssa_op_append_to_list(other, name_of(names[renames % 2]), name_of("d"), &problem);
                ssa_request_start(pushing, -1);
            }
            ssa_poll_until(other, pushing, ssa_now() + 20000);
            if (pushing->complete) {
                appended += CHECK_NUMBER(pushing->status, SSA_OK) != 0;
                ssa_request_free(pushing);
                pushing = NULL;
            }
            ssa_poll_until(E, renaming, ssa_now() + 20000);
        }
        renames++;
        if (pushing)
            while (ssa_poll_until(other, pushing, SSA_NEVER) == SSA_MORE)
                ;
        if (pushing)
            appended += CHECK_NUMBER(pushing->status, SSA_OK) != 0;
        ssa_request_free(pushing);
        pushing = NULL;
        CHECK_NUMBER(renaming->status, SSA_OK);
        ssa_request_free(renaming);
        /* What came after the list had gone is a new one under the old name: it is renamed, or stays, with the next. */
        int64_t both = 0;
        for (int i = 0; i < 2; i++)
            if (SUCCEEDS(ssa_op_list_length(E, name_of(names[i]), P)))
                both += store.last->number;
        CHECK_NUMBER(both, appended);
        SUCCEEDS(drop(names[(renames + 1) % 2]));
        if (SUCCEEDS(ssa_op_list_length(E, name_of(names[renames % 2]), P)))
            appended = (size_t)store.last->number;
        if (renames > 200)
            break;
    }
    CHECK(renames > 5);
    SUCCEEDS(drop(names[0]));
    SUCCEEDS(drop(names[1]));
    ssa_engine_free(other);
}

static void test_prefixes(void) {
    static const char *const read_from[] = {"P"};
    ssa_key_names names;
    CHECK_NUMBER(ssa_key_names_init(&names, "P", read_from, 1), SSA_OK);
    ssa_key_names_free(&E->names);
    E->names = names;
    E->names.source = E->names.read_prefixes[0];
    make("l", 3);
    range_is("l", 0, -1, 2, 3);
    SUCCEEDS(ssa_op_exists(E, "key_exists", SSA_KIND_KEY, name_of("P.l"), P));
    CHECK_NUMBER(store.last->number, 1);
    unmake("l", 3);
}

/* ---- with an allocation refused */

static void exercise_lists(void) {
    if (put_number("a", 1, SSA_ENOMEM) && put_number("b", 2, SSA_ENOMEM) && bears(append("l", "a")) && bears(append("l", "b"))) {
        bears(ssa_op_list_length(E, name_of("l"), P));
        bears(all_of("l"));
    }
    bears(drop("l"));
}

static void exercise_copies(void) {
    const char *far = elsewhere("m");
    if (!bears(append("m", "a")))
        return;
    bears(ssa_op_copy_list(E, name_of("m"), name_of("n"), P));
    bears(ssa_op_copy_list(E, name_of("m"), name_of(far), P));
    if (bears(ssa_op_rename_list(E, name_of("m"), name_of(far), P)))
        bears(drop(far));
}

static const store_test exercises[] = {exercise_lists, exercise_copies, NULL};

STORE_MAIN(exercises, test_a_list_grows_and_goes, test_ranges, test_more_than_a_window, test_the_same_one_twice,
           test_one_that_is_not_there_is_named, test_what_names_no_dataset_is_told, test_copies_and_renames,
           test_a_rename_loses_nothing_that_is_appended, test_prefixes)
