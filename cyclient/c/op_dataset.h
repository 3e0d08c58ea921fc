/* What the operations on datasets are made of; each part sends calls of its own and then calls what comes after it.
 *
 * put: one transaction, sent at once. It adds its names to a hash of all names that have keys, and asks how many these are: as many
 * as its own, and nothing is stale. Otherwise there is a second step, under a watch: those that the dataset has not go.
 * Most programs put the same names in each step and never need it; what a client that died left stale, the next put finds.
 * Rejected: to read the names first, which costs every put a round trip, and needs the watch all the same for what another
 * writer puts in between; to take from the transaction what names it replaced, which nobody knows any more when its answer
 * is lost; to put everything again with the names known, which lets a first put of this client come back over its second.
 *
 * get: the hash, then in one flight every item and, last, `.version`. Every execution of a put has a version of its own
 * (ssa_command_stamp), as has every set_ttl, so an equal one says that no put, delete, rename or other end came between. After two that changed, hash and items
 * are read in one transaction, which may only find that the names are others by now.
 *
 * An item longer than value_limit lies in chunks, as a tensor of its own would. They are sent before the transaction of the put, which
 * claims them; after the items a get reads the chunks of those manifests, and begins anew when one is gone. In the hash
 * of names they have a name for all chunks of an item (ssa_pieces_name), and in the first hash `.pieces` has these names, so that stale ones
 * are found as stale items are. */
#ifndef SSA_OP_DATASET_H
#define SSA_OP_DATASET_H

#include "op_chunk.h"

typedef void (*ssa_step)(ssa_request *request);

/* ---- reading (op_dataset_fetch.c) */

#define SSA_FETCH_WINDOW 512     /* datasets that are read at the same time */
#define SSA_FETCH_CALLS 16384    /* commands in one flight, more only for a single dataset */

typedef enum ssa_fetch_stage { SSA_FETCH_HASH, SSA_FETCH_ITEMS, SSA_FETCH_ALL, SSA_FETCH_PIECES, SSA_FETCH_DONE } ssa_fetch_stage;

/* An item that is in chunks. */
typedef struct ssa_fetch_long {
    size_t item;
    ssa_manifest manifest;
    ssa_tensor_header header;
    ssa_memory memory;          /* for all of it */
    uint64_t head;              /* where its chunks begin in there */
} ssa_fetch_long;

/* One dataset to read. */
typedef struct ssa_fetch_source {
    ssa_buffer base;            /* what its keys begin with: `<P>.{<dataset>}` */
    ssa_dataset *dataset;
    ssa_fetch_stage stage;
    unsigned changes;           /* how often it changed while it was read */
    char missed[SSA_STAMP_BYTES]; /* the version that lacked chunks the last time */
    size_t first_call, calls;   /* of this flight; 0 calls: it has no part in it */
    ssa_fetch_long *longs;
    size_t long_count;
    uint64_t limit;             /* of the values of its items, as far as these tell; 0: they do not */
} ssa_fetch_source;

typedef struct ssa_fetch {
    ssa_fetch_source *sources;
    size_t count, capacity;
    size_t first;               /* of the window */
    ssa_step done;              /* all are there: their datasets are this structure's still */
    int of_list;                /* for texts */
} ssa_fetch;

/* Add one, by what its keys begin with (copied). SSA_ENOMEM; SSA_EARGUMENT: that is not how keys of a dataset begin. */
ssa_status ssa_fetch_add(ssa_fetch *fetch, const void *base, size_t bytes);
void ssa_fetch_start(ssa_request *request, ssa_step done);
void ssa_fetch_free(ssa_fetch *fetch); /* leaves it empty and usable */

/* op_dataset_pieces.c: an item of the source turned out to be this manifest. SSA_EHEADER: it cannot be; SSA_ENOMEM. */
ssa_status ssa_fetch_add_long(ssa_engine *engine, ssa_fetch_source *source, size_t item, const ssa_manifest *manifest);
size_t ssa_fetch_long_calls(const ssa_fetch_source *source);
void ssa_fetch_send_longs(ssa_request *request, const ssa_fetch_source *source);
/* SSA_ENOTFOUND: a chunk of *item is gone; SSA_EHEADER: *item is damaged. */
ssa_status ssa_fetch_take_longs(ssa_request *request, ssa_fetch_source *source, size_t *item);
void ssa_fetch_drop_longs(ssa_fetch_source *source);

/* ---- under a watch (op_dataset_guard.c) */

/* The hidden fields as they are while nobody changes them; the names are borrowed from the answers. Each is that of an item, or of the
 * chunks of one (ssa_pieces_name). */
typedef struct ssa_stored {
    ssa_name *names;            /* that the dataset has; allocated */
    size_t count;
    ssa_name *kept;             /* of all that have keys, or had; allocated */
    size_t kept_count;
    ssa_name version;           /* no text: there is none */
    int complete;               /* there is a dataset */
} ssa_stored;

typedef struct ssa_guard {
    const ssa_buffer *base;
    void (*decide)(ssa_request *request, ssa_stored *stored);
    ssa_step done;
} ssa_guard;

/* ssa_watched_start of the hash (base: borrowed): calls `decide` with what is stored, which goes on by ssa_guard_act, or
 * another way after ssa_watched_leave. done: the transaction was carried out. flags: as there. */
void ssa_guard_start(ssa_request *request, const ssa_buffer *base, unsigned flags,
                     void (*decide)(ssa_request *, ssa_stored *), ssa_step done);
/* The transaction, as ssa_watched_act; NULL: no memory. */
void ssa_guard_act(ssa_request *request, ssa_command *command, int may_repeat);

/* How many keys there are under these names; more than one for the chunks of an item. */
size_t ssa_stored_keys(const ssa_name *names, size_t count);
/* Add key `place` of those under a name as an argument. SSA_ENOMEM. */
ssa_status ssa_command_stored_key(ssa_command *command, const ssa_buffer *base, ssa_name name, size_t place);
/* Add all of them. */
ssa_status ssa_command_stored_keys(ssa_command *command, const ssa_buffer *base, const ssa_name *names, size_t count);

/* Add PEXPIRE of such a key as a further command; PERSIST for 0 milliseconds. */
ssa_status ssa_command_end_of_key(ssa_command *command, const ssa_buffer *base, ssa_name name, size_t place, int64_t milliseconds);

/* ---- writing in chunks (op_dataset_pieces.c) */

typedef struct ssa_pieces {
    size_t item;
    ssa_buffer key;             /* of the item */
    ssa_buffer name;            /* of its chunks, for the hash of names */
    ssa_manifest manifest;
} ssa_pieces;

typedef struct ssa_pieces_list {
    ssa_pieces *list;
    size_t count;
    uint64_t limit;             /* longer values go into chunks; 0: none */
} ssa_pieces_list;

/* Which items of the dataset go into chunks. SSA_ENOMEM; SSA_EARGUMENT: one would be too many chunks, pieces->list[pieces->count]. */
ssa_status ssa_pieces_plan(ssa_pieces_list *pieces, const ssa_dataset *dataset, const ssa_buffer *base);
/* Send them, under new names. The request's step comes after that. */
void ssa_pieces_send(ssa_request *request, ssa_pieces_list *pieces, const ssa_dataset *dataset);
ssa_status ssa_pieces_claim(ssa_command *command, const ssa_pieces_list *pieces, int64_t milliseconds); /* as of ssa_chunks_claim */
int ssa_pieces_claimed(const ssa_command *answer, const ssa_pieces_list *pieces);
/* For request->forsaken: they are sent, and the transaction that claims them is not; or it was refused. */
void ssa_pieces_forsake(ssa_request *request);
/* Of this item; NULL: it is not in chunks. */
const ssa_pieces *ssa_pieces_of(const ssa_pieces_list *pieces, size_t item);
void ssa_pieces_free(ssa_pieces_list *pieces); /* leaves it empty and usable */

/* ---- all of it: the state of a request */

typedef struct ssa_dataset_state {
    ssa_buffer base, target;    /* keys of the dataset; of a copy, of where it goes */
    ssa_dataset *dataset;       /* that is put */
    int pinned, owned;          /* the caller's, and pinned; ours */
    int64_t milliseconds;       /* how long its keys stay from now on; 0: until they are deleted */
    int moves;                  /* a rename */
    ssa_command *move;          /* of one on one server: its transaction, until its end is known; NULL: none */
    size_t moved_names, moved_keys;
    char version[SSA_STAMP_BYTES]; /* of what was copied */
    ssa_fetch fetch;
    ssa_guard guard;
    ssa_step put_done;
    ssa_pieces_list pieces;     /* of what is put */
    ssa_buffer list;            /* its key */
    int64_t from, to;           /* the part of it that is read */
} ssa_dataset_state;

/* With an empty state. NULL: no memory, *problem says so. */
ssa_request *ssa_dataset_request(ssa_engine *engine, const char *operation, ssa_kind kind, ssa_text name, ssa_step step,
                                 ssa_problem *problem);
/* The same with state->base, the keys of the dataset of this name; or *problem says why not. */
ssa_request *ssa_dataset_request_of(ssa_engine *engine, const char *operation, ssa_text name, ssa_direction direction,
                                    ssa_step step, ssa_problem *problem);
/* Put state->dataset, encoded, under this base, for state->milliseconds. */
void ssa_dataset_put_start(ssa_request *request, const ssa_buffer *base, ssa_step done);
/* Under this base (borrowed): names that are kept and that the dataset has not go, with their keys. */
void ssa_dataset_drop_stale(ssa_request *request, const ssa_buffer *base, ssa_step done);
/* In `decide` of ssa_guard_start about state->base: all of it goes. */
void ssa_dataset_unlink_stored(ssa_request *request, ssa_stored *stored);
/* Add UNLINK of all of it as a further command. */
ssa_status ssa_command_unlink_stored(ssa_command *command, const ssa_buffer *base, const ssa_stored *stored);

#define SSA_KEPT_NAMES ".names" /* as an item: the key of the hash of all names that have keys; no item can be called so */

/* Add as an argument the key of this item; "meta": of the hash. SSA_ENOMEM. */
ssa_status ssa_command_item_key(ssa_command *command, const ssa_buffer *base, const char *name, size_t bytes);

/* milliseconds 0: persist. */
ssa_request *ssa_dataset_expire(ssa_engine *engine, const char *operation, ssa_text name, int64_t milliseconds,
                                ssa_problem *problem);

#endif
