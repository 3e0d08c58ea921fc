/* Codes that every function of the core returns. Zero: done. Positive: not yet. Negative: an error. */
#ifndef SSA_STATUS_H
#define SSA_STATUS_H

typedef enum ssa_status {
    SSA_OK = 0,
    SSA_MORE = 1,         /* needs more bytes, or the socket takes no more now */
    SSA_ENOMEM = -1,      /* an allocation failed */
    SSA_EARGUMENT = -2,   /* the caller passed something unusable */
    SSA_EPROTOCOL = -3,   /* the other side sent something that is not RESP, or out of place */
    SSA_ELIMIT = -4,      /* the other side announced more than the limits allow */
    SSA_EHEADER = -5,     /* a value that is not a tensor, or whose header contradicts itself */
    SSA_EVERSION = -6,    /* a tensor header of another version */
    SSA_EDTYPE = -7,      /* the stored dtype is not the one of the caller's array */
    SSA_ESHAPE = -8,      /* the stored shape is not the one of the caller's array */
    SSA_ENOTFOUND = -9,   /* no such key */
    SSA_ESERVER = -10,    /* the server answered with an error */
    SSA_ECLOSED = -11,    /* the connection is closed: by the other side, or after an error */
    SSA_ESYSTEM = -12     /* a system call failed; errno has it */
} ssa_status;

#endif
