/* Real numbers from text, with a point whatever the locale of the host program says, which strtod would ask. Pure. */
#ifndef SSA_REAL_TEXT_H
#define SSA_REAL_TEXT_H

#include <stddef.h>

#define SSA_REAL_TEXT_MAX 400

/* All of the text, which need not end in NUL: an optional sign; digits with at most one point, and an optional exponent; or inf,
 * infinity, nan, in letters of either case. At most SSA_REAL_TEXT_MAX bytes. What is too large is infinite, what is too small
 * 0. *real is a double next to the number that is written (where a long double is no longer than a double: to some 15 digits).
 * 1: it is a number; 0: it is none, and *real as it was. */
int ssa_real_parse(const char *text, size_t bytes, double *real);

#endif
