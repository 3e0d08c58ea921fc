// links: real_text resp_reader allocator
#include <float.h>
#include <locale.h>
#include <math.h>

#include "check.h"
#include "real_text.h"
#include "resp_reader.h"

static locale_t plain; /* whose point is one */

/* Under valgrind, as on some machines, a long double has the 53 bits of a double: then each step of the parser rounds. */
static int has_long_double(void) {
    volatile long double one = 1, more = one + LDBL_EPSILON;
    return more != one;
}

static int is_the_same(double got, double number) {
    return got == number || (!has_long_double() && fabs(got - number) < 1e-14 * fabs(number));
}

static int is_next_to(double got, double number) {
    return is_the_same(got, number) || got == nextafter(number, INFINITY) || got == nextafter(number, -INFINITY);
}

static double parsed(const char *text) {
    double real = -77;
    if (!CHECK(ssa_real_parse(text, strlen(text), &real)))
        printf("    of %s\n", text);
    return real;
}

static void test_what_is_written_is_read(void) {
    static const char *const texts[] = {"0",    "1",      "-2.5", "+.5",       "5.",      "1e3",    "1E-3",  "1e+22",
                                        "0.1",  "3.25e2", "1e23", "123456789", "1e-300",  "1e300",  "00012", "0.000000001",
                                        "1e15", "4.5e15", "7e-5", "1e308",     "2.5e-10", "9007199254740993"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!CHECK(is_the_same(parsed(texts[i]), strtod_l(texts[i], NULL, plain))))
            printf("    of %s\n", texts[i]);
}

static void test_the_ends_of_the_range(void) {
    CHECK(parsed("inf") == INFINITY && parsed("-inf") == -INFINITY && parsed("+Infinity") == INFINITY);
    CHECK(isnan(parsed("nan")) && isnan(parsed("-NaN")));
    CHECK(parsed("1e309") == INFINITY && parsed("-1e999999999999999999999") == -INFINITY);
    CHECK(parsed("1e-400") == 0 && parsed("1e-999999999999999999999") == 0 && parsed("0e999999999") == 0);
    CHECK(signbit(parsed("-0")) && !signbit(parsed("0")));
    CHECK(parsed("5e-324") > 0 && parsed("2.2250738585072014e-308") == 2.2250738585072014e-308);
}

/* As a server writes doubles, and with more digits than a double has. */
static void test_any_double_is_next_to_what_is_written(void) {
    uint64_t state = 88172645463325252u;
    char text[64];
    for (int i = 0; i < 200000; i++) {
        double number, got;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(&number, &state, sizeof number);
        if (!isfinite(number))
            continue;
        locale_t before = uselocale(plain);
        snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.30e", number);
        uselocale(before);
        got = parsed(text);
        if (!is_next_to(got, number)) {
            CHECK(0);
            printf("    of %s\n", text);
        }
    }
}

static void test_long_numbers(void) {
    char text[SSA_REAL_TEXT_MAX + 2];
    double real = 7;
    memset(text, '0', sizeof text);
    text[0] = '1';
    text[301] = 0;
    CHECK(is_the_same(parsed(text), 1e300));
    text[301] = '0';
    CHECK(ssa_real_parse(text, SSA_REAL_TEXT_MAX, &real) && real == INFINITY);
    text[1] = '.';
    CHECK(ssa_real_parse(text, SSA_REAL_TEXT_MAX, &real) && real == 1);
    CHECK(!ssa_real_parse(text, SSA_REAL_TEXT_MAX + 1, &real));
}

static void test_what_is_no_number(void) {
    static const char *const texts[] = {"",     "+",   "-",    ".",     "-.",     "e5",    "1e",  "1e+", "1e5.", "1.2.3", " 1", "1 ",
                                        "1,5",  "0x1", "--1",  "+-1",   "infi",   "in",    "nano", "1e 5", "1f",   "1_000", "N",
                                        "-e1",  "i",   "nan(1)", "\xc2\xbd", "infinity ", "1e5e5"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double real = 7;
        if (!CHECK(!ssa_real_parse(texts[i], strlen(texts[i]), &real) && real == 7))
            printf("    of '%s'\n", texts[i]);
    }
    double real;
    CHECK(!ssa_real_parse("1\0", 2, &real) && !ssa_real_parse("inf\0y", 5, &real));
    CHECK(ssa_real_parse("12.5garbage", 4, &real) && real == 12.5);
}

static void test_a_reply_has_a_point_whatever_the_locale(void) {
    static const char text[] = ",-12.5\r\n,1,5\r\n";
    size_t room;
    ssa_token token;
    ssa_reader *reader = ssa_reader_new(0, (ssa_reader_limits){1000, 1000});
    memcpy(ssa_reader_space(reader, &room), text, sizeof text - 1);
    ssa_reader_fed(reader, sizeof text - 1);
    CHECK_NUMBER(ssa_reader_next(reader, &token), SSA_OK);
    CHECK(token.kind == SSA_TOKEN_REAL && token.real == -12.5);
    CHECK_NUMBER(ssa_reader_next(reader, &token), SSA_EPROTOCOL);
    ssa_reader_free(reader);
}

/* In the locale of the environment. --comma: it must be one of a decimal comma. */
int main(int count, char **words) {
    static void (*const tests[])(void) = {
        test_what_is_written_is_read, test_the_ends_of_the_range, test_any_double_is_next_to_what_is_written,
        test_long_numbers,            test_what_is_no_number,      test_a_reply_has_a_point_whatever_the_locale,
    };
    setlocale(LC_ALL, "");
    plain = newlocale(LC_ALL_MASK, "C", NULL);
    if (count > 1 && !strcmp(words[1], "--comma"))
        CHECK_TEXT(localeconv()->decimal_point, ",");
    int status = check_run(count, words, NULL, tests, sizeof tests / sizeof *tests);
    freelocale(plain);
    return status;
}
