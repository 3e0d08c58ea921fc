// links: name_index allocator
#include "check.h"
#include "name_index.h"

#define MOST 3000

typedef struct list {
    char texts[MOST][12];
    size_t count;
    ssa_name_index index;
} list;

static ssa_name name_of(const char *text) {
    return (ssa_name){text, strlen(text)};
}

static ssa_name at(const void *names, size_t place) {
    return name_of(((const list *)names)->texts[place]);
}

static ssa_status add(list *names, const char *text) {
    ssa_status status = ssa_name_index_add(&names->index, names, at, name_of(text));
    if (!status)
        snprintf(names->texts[names->count++], sizeof names->texts[0], "%s", text);
    return status;
}

static size_t find(const list *names, const char *text) {
    return ssa_name_index_find(&names->index, names, at, name_of(text));
}

static void test_every_name_is_found_where_it_stands(void) {
    static list names;
    char text[16];
    memset(&names, 0, sizeof names);
    CHECK(find(&names, "0") == SSA_NAME_NOWHERE);
    for (int i = 0; i < MOST; i++) {
        snprintf(text, sizeof text, "%d", i);
        CHECK(find(&names, text) == SSA_NAME_NOWHERE);
        CHECK(!add(&names, text));
    }
    for (int i = 0; i < MOST; i++)
        CHECK_NUMBER(find(&names, names.texts[i]), i);
    CHECK(find(&names, "3000") == SSA_NAME_NOWHERE);
    CHECK(find(&names, "") == SSA_NAME_NOWHERE);
    ssa_name_index_free(&names.index);
}

static void test_after_a_removal_the_rest_is_found_in_its_new_places(void) {
    static list names;
    char text[16];
    memset(&names, 0, sizeof names);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "n%d", i);
        add(&names, text);
    }
    for (size_t place = 0; place < names.count; place++) { /* every other one */
        memmove(names.texts[place], names.texts[place + 1], (--names.count - place) * sizeof names.texts[0]);
        ssa_name_index_rebuild(&names.index, &names, at, names.count);
    }
    CHECK_NUMBER(names.count, 50);
    for (size_t i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "n%zu", 2 * i + 1);
        CHECK_NUMBER(find(&names, text), i);
    }
    CHECK(find(&names, "n0") == SSA_NAME_NOWHERE);
    ssa_name_index_free(&names.index);
    ssa_name_index_rebuild(&names.index, &names, at, 0);
    CHECK(find(&names, "n1") == SSA_NAME_NOWHERE);
}

static ssa_status exercise(void) {
    static list names;
    ssa_status status = SSA_OK;
    char text[16];
    memset(&names, 0, sizeof names);
    for (int i = 0; i < 100 && !status; i++) {
        snprintf(text, sizeof text, "%d", i);
        status = add(&names, text);
    }
    for (size_t i = 0; i < names.count; i++)
        CHECK_NUMBER(find(&names, names.texts[i]), i);
    ssa_name_index_free(&names.index);
    return status;
}

CHECK_MAIN(exercise, test_every_name_is_found_where_it_stands, test_after_a_removal_the_rest_is_found_in_its_new_places)
