/* The list of workers as a store holds it (WIRE.md, "List of workers"). Supervisors write it, clients read it here.
 * Pure. */
#ifndef SSA_WORKER_LIST_H
#define SSA_WORKER_LIST_H

#include "address.h"

#define SSA_WORKERS_MAX 65536
#define SSA_WORKER_ADDRESSES_MAX 16
#define SSA_WORKER_LIST_MAX_BYTES ((size_t)64 << 20)

typedef struct ssa_worker {
    char id[33];             /* 32 hexadecimal digits, new for every incarnation */
    char device[16];         /* CPU, GPU or either with :<n> */
    uint64_t incarnation;    /* from 1 */
    ssa_address *addresses;  /* the best one first; at least one. Part of the list's memory */
    size_t address_count;
} ssa_worker;

typedef struct ssa_worker_list {
    ssa_worker *workers;
    size_t count;
    ssa_address *addresses;  /* of all workers */
} ssa_worker_list;

/* Read the text. SSA_EPROTOCOL: not a list, `error` says which line and why; SSA_ELIMIT: too long; SSA_ENOMEM.
 * *list is empty after an error. A store without the key has the empty list: memset it to zero. */
ssa_status ssa_worker_list_decode(ssa_worker_list *list, const void *text, size_t bytes, char *error, size_t room);
void ssa_worker_list_free(ssa_worker_list *list); /* leaves it empty */

/* May a worker on `device` serve who wants this one? "": any; CPU, GPU: any of that kind; GPU:1: that one alone. */
int ssa_device_matches(const char *wanted, const char *device);

#endif
