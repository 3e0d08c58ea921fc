/* What the test programs of the C library share: checks, and clients of the store that the environment names.
 *
 * A program has one function for each behaviour and ends with FACE_MAIN(test_one, ...). It prints how much it checked,
 * and ends with 1 if something was wrong. FACE_FAIL_AT=n: the n-th allocation of the library is refused (programs that
 * are linked with its archive); whatever a call says then, nothing may crash, hang or leak. */
#ifndef FACE_H
#define FACE_H

#include <ssasync.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct { long checks, failures; } face_state;

#define CHECK(condition) face_check((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_STATUS(call, wanted) face_status((call), (wanted), #call, __FILE__, __LINE__)
#define OK(call) CHECK_STATUS(call, SSA_OK)
#define NAME(literal) (literal), sizeof(literal) - 1
#define OWN SSA_CLIENT_TIMEOUT

static ssa_client *face_client; /* whose text a failed check shows */

static int face_check(int holds, const char *what, const char *file, int line) {
    face_state.checks++;
    if (!holds) {
        face_state.failures++;
        printf("%s:%d: %s\n", file, line, what);
    }
    return holds;
}

__attribute__((unused)) static int face_status(ssa_status status, ssa_status wanted, const char *what, const char *file,
                                               int line) {
    if (face_check(status == wanted, what, file, line))
        return 1;
    printf("    is %s (%s), should be %s\n", ssa_status_name(status), ssa_client_error(face_client),
           ssa_status_name(wanted));
    return 0;
}

__attribute__((unused)) static int face_text(const char *text, const char *part, const char *file, int line) {
    int has = text && strstr(text, part);
    if (!face_check(has, "a text is missing", file, line))
        printf("    is:      %s\n    without: %s\n", text ? text : "(NULL)", part);
    return has;
}

#define CHECK_HAS(text, part) face_text((text), (part), __FILE__, __LINE__)

/* Of the store in the environment. */
__attribute__((unused)) static ssa_client *face_open(void) {
    ssa_client *client;
    ssa_status status = ssa_client_new(NULL, &client);
    if (status) {
        printf("no client: %s\n", ssa_client_error(client));
        exit(2);
    }
    return face_client = client;
}

__attribute__((unused)) static ssa_array face_array(const void *data, ssa_dtype dtype, const int64_t *shape, int ndim,
                                                    ssa_layout layout) {
    ssa_array array;
    ssa_array_init(&array, sizeof array, data, dtype, shape, ndim);
    array.layout = layout;
    return array;
}

#define FACE_MAIN(...)                                                                         \
    int main(void) {                                                                           \
        static void (*const tests[])(void) = {__VA_ARGS__};                                    \
        setvbuf(stdout, NULL, _IOLBF, 0);                                                      \
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)                              \
            tests[i]();                                                                        \
        printf("%ld checks in %zu tests\n", face_state.checks, sizeof tests / sizeof *tests);  \
        return face_state.failures ? 1 : 0;                                                    \
    }

#endif
