/* ssasync.h: the ssasync client for C, and the base of the C++ and Fortran clients.
 *
 * Compile against the installed Python package:
 *
 *     cc program.c $(ssasync config --cflags --libs)
 *
 * Every function returns an ssa_status; the text of the last error lies in the handle. The library never prints,
 * exits or aborts, and keeps no global state. Strings cross this interface as pointer and length.
 * C99 or later, C++11 or later. */
#ifndef SSASYNC_H
#define SSASYNC_H

#define SSA_VERSION_MAJOR 0
#define SSA_VERSION_MINOR 1
#define SSA_VERSION_PATCH 0
#define SSA_VERSION_TEXT "0.1.0.dev0"

#include "ssasync_types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library --------------------------------------------------------------------------------------------------- */

/* The version of the library that runs, such as "0.1.0"; SSA_VERSION_TEXT is that of the header it was compiled with. */
SSA_API const char *ssa_version(void);

/* What was chosen when the library was built, as words with blanks between: "tls" or "". */
SSA_API const char *ssa_features(void);

#ifdef __cplusplus
}
#endif

#endif
