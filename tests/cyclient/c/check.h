/* Checks for the C modules. A program names what it links on its first line,
 *
 *     // links: address allocator
 *
 * (sources of cyclient/c), has one function for each behaviour and ends with
 *
 *     CHECK_MAIN(exercise, test_one, test_two)
 *
 * Run plainly it calls the tests; after each, all memory that came from ssa_allocate must be back. Run with `--fail` it
 * calls exercise (NULL: nothing in it allocates) again and again with one more allocation granted before one is
 * refused, until none is: it must then say SSA_OK or SSA_ENOMEM, and have freed everything.
 * tests/cyclient/test_c_modules.py builds and runs all. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allocator.h"
#include "status.h"

#define CHECK_UNUSED __attribute__((unused))

static struct {
    long failures, checks;
    long live;          /* allocations that are not back yet */
    long until_refusal; /* granted before one is refused; negative: all are */
    long refused;
} check_state = {.until_refusal = -1};

#define CHECK(condition) check_that((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_TEXT(text, expected) check_text((text), (expected), __FILE__, __LINE__)
#define CHECK_NUMBER(number, expected) \
    check_number((long long)(number), (long long)(expected), #number, __FILE__, __LINE__)

CHECK_UNUSED static int check_that(int holds, const char *what, const char *file, int line) {
    check_state.checks++;
    if (!holds) {
        check_state.failures++;
        printf("%s:%d: %s\n", file, line, what);
    }
    return holds;
}

CHECK_UNUSED static int check_text(const char *text, const char *expected, const char *file, int line) {
    int same = text && expected && !strcmp(text, expected);
    if (!check_that(same, "texts differ", file, line))
        printf("    is:     %s\n    should: %s\n", text ? text : "(NULL)", expected ? expected : "(NULL)");
    return same;
}

CHECK_UNUSED static int check_number(long long number, long long expected, const char *what, const char *file,
                                     int line) {
    int same = number == expected;
    if (!check_that(same, what, file, line))
        printf("    is: %lld, should be: %lld\n", number, expected);
    return same;
}

static int check_refuses(void) {
    if (check_state.until_refusal < 0 || check_state.until_refusal-- > 0)
        return 0;
    check_state.refused++;
    return 1;
}

static void *check_allocate(size_t bytes) {
    void *memory = check_refuses() ? NULL : malloc(bytes);
    check_state.live += memory != NULL;
    return memory;
}

static void *check_reallocate(void *memory, size_t bytes) {
    void *moved = check_refuses() ? NULL : realloc(memory, bytes);
    check_state.live += moved && !memory;
    return moved;
}

static void check_release(void *memory) {
    check_state.live -= memory != NULL;
    free(memory);
}

static void check_nothing_is_left(const char *what, long number) {
    if (check_state.live) {
        printf("%s %ld: %ld allocations are not back\n", what, number, check_state.live);
        check_state.failures++;
        check_state.live = 0;
    }
}

/* Returns how many allocations there were to refuse. */
static long check_failing(ssa_status (*exercise)(void)) {
    for (long n = 0;; n++) {
        check_state.until_refusal = n;
        check_state.refused = 0;
        ssa_status status = exercise();
        check_state.until_refusal = -1;
        if (status != SSA_OK && (status != SSA_ENOMEM || !check_state.refused)) {
            printf("with allocation %ld refused: status %d\n", n, status);
            check_state.failures++;
        }
        check_nothing_is_left("with refused allocation", n);
        if (!check_state.refused || check_state.failures)
            return n;
    }
}

CHECK_UNUSED static int check_run(int count, char **words, ssa_status (*exercise)(void), void (*const *tests)(void),
                                  size_t test_count) {
    static const ssa_allocator table = {check_allocate, check_reallocate, check_release};
    ssa_allocator_set(&table);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count > 1 && !strcmp(words[1], "--fail")) {
        if (exercise)
            printf("%ld allocations refused one by one\n", check_failing(exercise));
        else
            printf("nothing allocates\n");
    } else {
        for (size_t i = 0; i < test_count; i++) {
            tests[i]();
            check_nothing_is_left("after test", (long)i);
        }
        printf("%ld checks in %zu tests\n", check_state.checks, test_count);
    }
    return check_state.failures ? 1 : 0;
}

#define CHECK_MAIN(exercise, ...)                                                      \
    int main(int count, char **words) {                                                \
        static void (*const tests[])(void) = {__VA_ARGS__};                            \
        return check_run(count, words, exercise, tests, sizeof tests / sizeof *tests); \
    }

#endif
