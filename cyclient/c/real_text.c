#include "real_text.h"

#include <stdint.h>
#include <string.h>

#define EXACT 27                           /* 10 to this power, and less, fits in the 64 bits of a long double */
#define FULL UINT64_C(1000000000000000000) /* a further digit may not fit from here on: it is worth less than a double shows */
#define FAR 100000                         /* an exponent beyond all numbers, whatever the digits are */

static int is_digit(char c) {
    return c >= '0' && c <= '9';
}

static int is_word(const char *text, size_t bytes, const char *word) {
    if (bytes != strlen(word))
        return 0;
    for (size_t i = 0; i < bytes; i++)
        if ((text[i] | 0x20) != word[i]) /* as ASCII has it: tolower would ask the locale */
            return 0;
    return 1;
}

/* In steps: what is small loses its digits one by one instead of all at once. */
static double scaled(uint64_t digits, long exponent) {
    long double number = digits, power = 1;
    for (; exponent > EXACT && number < __builtin_infl() && number > 0; exponent -= EXACT)
        number *= 1e27L;
    for (; exponent < -EXACT && number > 0; exponent += EXACT)
        number /= 1e27L;
    for (long left = exponent < 0 ? -exponent : exponent; left > 0 && left <= EXACT; left--)
        power *= 10;
    return (double)(exponent < 0 ? number / power : number * power);
}

/* "e+17" and alike at the end of a number; 0: it is not. */
static int read_exponent(const char *at, const char *end, long *exponent) {
    long written = 0;
    if (at == end)
        return 1;
    if ((*at | 0x20) != 'e')
        return 0;
    int down = ++at < end && *at == '-';
    at += at < end && (*at == '-' || *at == '+');
    if (at == end)
        return 0;
    for (; at < end && is_digit(*at); at++)
        written = written < FAR ? 10 * written + (*at - '0') : written;
    *exponent += down ? -written : written;
    return at == end;
}

int ssa_real_parse(const char *text, size_t bytes, double *real) {
    const char *at = text, *end = text + bytes;
    int is_negative = bytes && *at == '-', has_digits = 0, has_point = 0;
    uint64_t digits = 0;
    long exponent = 0;
    if (!bytes || bytes > SSA_REAL_TEXT_MAX)
        return 0;
    at += *at == '-' || *at == '+';
    size_t left = (size_t)(end - at);
    if (is_word(at, left, "inf") || is_word(at, left, "infinity") || is_word(at, left, "nan")) {
        *real = (*at | 0x20) == 'n' ? __builtin_nan("") : is_negative ? -__builtin_inf() : __builtin_inf();
        return 1;
    }
    for (; at < end && (is_digit(*at) || (*at == '.' && !has_point)); at++) {
        if (*at == '.') {
            has_point = 1;
            continue;
        }
        has_digits = 1;
        if (digits < FULL) {
            digits = 10 * digits + (uint64_t)(*at - '0');
            exponent -= has_point;
        } else {
            exponent += !has_point;
        }
    }
    if (!has_digits || !read_exponent(at, end, &exponent))
        return 0;
    *real = is_negative ? -scaled(digits, exponent) : scaled(digits, exponent);
    return 1;
}
