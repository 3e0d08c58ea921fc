/* ssasync_types.h: the numbers of ssasync.h: what functions return, element types, layouts, log levels. */
#ifndef SSASYNC_TYPES_H
#define SSASYNC_TYPES_H

#include <stddef.h>
#include <stdint.h>

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
    SSA_ELIMIT = -4,       /* more than the caller's room, or a limit of this library, allows */
    SSA_EHEADER = -5,      /* a value that is not a tensor, or whose header contradicts itself */
    SSA_EVERSION = -6,     /* a tensor header of another version */
    SSA_EDTYPE = -7,       /* the stored dtype is not the one of the caller's array */
    SSA_ESHAPE = -8,       /* the stored shape is not the one of the caller's array */
    SSA_ENOTFOUND = -9,    /* no such key */
    SSA_ESERVER = -10,     /* the server answered with an error */
    SSA_ECLOSED = -11,     /* the connection is closed: by the other side, or after an error; what changes the store may or
                              may not have been carried out */
    SSA_ESYSTEM = -12,     /* a system call failed; errno has it */
    SSA_ECONNECT = -13,    /* no connection could be opened; nothing was carried out */
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
    SSA_ETOPOLOGY = -28,   /* a redirection to an address that was not announced, or a slot that no shard serves */
    SSA_EDATASET = -29     /* what is stored is no dataset, or lacks a part */
} ssa_status;

/* The name of a status, such as "SSA_ETIMEOUT"; "SSA_E?" for a number that is none. Never NULL. */
SSA_API const char *ssa_status_name(ssa_status status);

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

#define SSA_TEXT_ENDS ((size_t)-1) /* as a length: the text ends in NUL */

/* ---- Tensors --------------------------------------------------------------------------------------------------- */

/* What the elements of a tensor are. */
typedef enum ssa_dtype {
    SSA_BOOL = 1,        /* one byte: 0 or 1 */
    SSA_INT8 = 2,
    SSA_INT16 = 3,
    SSA_INT32 = 4,
    SSA_INT64 = 5,
    SSA_UINT8 = 6,
    SSA_UINT16 = 7,
    SSA_UINT32 = 8,
    SSA_UINT64 = 9,
    SSA_FLOAT16 = 10,
    SSA_FLOAT32 = 11,
    SSA_FLOAT64 = 12,
    SSA_BFLOAT16 = 13,
    SSA_COMPLEX64 = 14,  /* two FLOAT32: the real part first */
    SSA_COMPLEX128 = 15,
    SSA_STRING = 16,     /* fixed number of bytes an element, padded with NUL */
    SSA_UNICODE = 17     /* fixed number of UCS-4 characters an element, padded with NUL */
} ssa_dtype;

/* How the elements of an array lie in memory. The shape is the logical one whatever the layout: a[i, j] is a(i, j). */
typedef enum ssa_layout {
    SSA_ROW_MAJOR = 0,        /* one piece, the last index runs fastest: C */
    SSA_COLUMN_MAJOR = 1,     /* one piece, the first index runs fastest: Fortran */
    SSA_NESTED_POINTERS = 2,  /* T*** for three dimensions: arrays of pointers down to rows of elements. A tensor without
                                 elements that takes more than 2^20 pointers is not given so: SSA_ELIMIT */
    SSA_STRIDED = 3,          /* any distance in bytes between neighbours, for each dimension */
    SSA_AS_STORED = 4         /* only to ask for a tensor: row- or column-major, as it was put */
} ssa_layout;

/* How a length is to compare with the one that is given. */
typedef enum ssa_comparison { SSA_COMPARE_EQUAL, SSA_COMPARE_AT_LEAST, SSA_COMPARE_AT_MOST } ssa_comparison;

/* ---- Log ------------------------------------------------------------------------------------------------------- */

typedef enum ssa_log_level {
    SSA_LOG_QUIET, /* nothing */
    SSA_LOG_ERROR, /* operations that failed, which their callers hear of as well */
    SSA_LOG_INFO,  /* and connections that were opened, refused or lost */
    SSA_LOG_DEBUG  /* and the start and the end of every operation */
} ssa_log_level;

/* text: one line without its end, not NUL-terminated, borrowed. Called by the thread that called the client, which is
 * in the middle of something: it must not call that client. */
typedef void (*ssa_log_sink)(void *user, ssa_log_level level, const char *text, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
