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

/* Marks what the shared library exports. A build that must export nothing defines it as empty. */
#ifndef SSA_API
#define SSA_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ---------------------------------------------------------------------------------------------------- */

/* What every function returns. Zero: done. Positive: not yet. Negative: an error. Numbers are never used again. */
typedef enum ssa_status {
    SSA_OK = 0,
    SSA_MORE = 1,          /* not done yet: call again later */
    SSA_ENOMEM = -1,       /* an allocation failed */
    SSA_EARGUMENT = -2,    /* the caller passed something unusable */
    SSA_EPROTOCOL = -3,    /* the other side sent something that is not RESP, or out of place */
    SSA_ELIMIT = -4,       /* the other side announced more than the limits allow */
    SSA_EHEADER = -5,      /* a value that is not a tensor, or whose header contradicts itself */
    SSA_EVERSION = -6,     /* a tensor header of another version */
    SSA_EDTYPE = -7,       /* the stored dtype is not the one of the caller's array */
    SSA_ESHAPE = -8,       /* the stored shape is not the one of the caller's array */
    SSA_ENOTFOUND = -9,    /* no such key */
    SSA_ESERVER = -10,     /* the server answered with an error */
    SSA_ECLOSED = -11,     /* the connection is closed: by the other side, or after an error */
    SSA_ESYSTEM = -12,     /* a system call failed; errno has it */
    SSA_ECONNECT = -13,    /* no connection could be opened */
    SSA_ETIMEOUT = -14,    /* the deadline passed; a write may or may not have been carried out */
    SSA_EWAIT = -15,       /* what was waited for did not appear in time */
    SSA_EPERMISSION = -16, /* the role of the store's user does not allow it */
    SSA_EFULL = -17,       /* the shard is at its memory limit */
    SSA_EMODEL = -18,      /* the stored bytes are no model */
    SSA_EINPUT = -19,      /* the model refused its inputs */
    SSA_ERUN = -20,        /* the model raised an error while it ran */
    SSA_ENOWORKER = -21,   /* no worker of the wanted device can be reached */
    SSA_EWORKERLIST = -22, /* the store's list of workers is damaged */
    SSA_EFORK = -23,       /* the client was made before a fork and is used after it */
    SSA_EINTERNAL = -24,   /* a mistake of this library: please report it */
    SSA_ECANCELLED = -25,  /* the caller cancelled it */
    SSA_EUNSUPPORTED = -26, /* this build or this server cannot do it */
    SSA_ETYPE = -27,       /* the key holds another kind of value */
    SSA_ETOPOLOGY = -28    /* a redirection to an address that was not announced, or a slot that no shard serves */
} ssa_status;

/* The name of a status, such as "SSA_ETIMEOUT"; "SSA_E?" for a number that is none. Never NULL. */
SSA_API const char *ssa_status_name(ssa_status status);

/* ---- Library --------------------------------------------------------------------------------------------------- */

/* The version of the library that runs, such as "0.1.0"; SSA_VERSION_TEXT is that of the header it was compiled with. */
SSA_API const char *ssa_version(void);

/* What was chosen when the library was built, as words with blanks between: "tls" or "". */
SSA_API const char *ssa_features(void);

#ifdef __cplusplus
}
#endif

#endif
