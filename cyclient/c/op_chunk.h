/* Values longer than the option value_limit (WIRE.md, "Chunks"): the pieces first, each with an end that removes it
 * should this client go, then in one transaction the manifest at the key, and no end for the pieces any more. So
 * whoever reads the key sees the old value or the new one; a put that finds its pieces gone (a failover lost them, or
 * an hour has passed) writes them again. What stood there before says which pieces are nobody's now: they go in the same
 * transaction when a look beside the pieces has told of them, else after it.
 *
 * A request that ends early leaves nothing behind: errands that nobody waits for (op_chunk_errand.c) unlink the pieces that no
 * manifest names. Only where the client itself goes then pieces stay: new ones for their hour; those of a value that a short
 * put, a delete, a copy or a rename replaced, when it went just between the two, until somebody removes them.
 *
 * Who has value_limit set looks so at every put and delete, of a list too; a client without it overwrites and deletes manifests
 * alone. Copies and renames look at their target with and without it. All read them. */
#ifndef SSA_OP_CHUNK_H
#define SSA_OP_CHUNK_H

#include "chunks.h"
#include "op_build.h"

typedef void (*ssa_chunk_step)(ssa_request *request);

/* What a request that reads or writes chunks has besides its state. */
typedef struct ssa_chunk_io {
    ssa_manifest manifest;
    ssa_buffer key, scratch;    /* of the value; of a chunk */
    unsigned char *into;        /* reading: where the rest goes */
    const unsigned char *data;  /* writing: the rest, borrowed */
    ssa_tensor result;          /* reading: what was allocated for it, with its header */
    int64_t ttl;                /* writing: milliseconds that the value has; not positive: no end */
    ssa_manifest old;           /* writing: what the key had, as far as is known; then what is dropped */
    int has_old;
    const ssa_buffer *old_key;  /* whose chunks are dropped */
    unsigned char missed[SSA_NONCE_BYTES]; /* reading: whose chunks were missing the last time */
    int has_missed;
    void (*decide)(ssa_request *request, const ssa_manifest *found); /* of ssa_chunks_watch */
    ssa_chunk_step done, dropped, vanished;
} ssa_chunk_io;

/* Of the request, made now if it has none; NULL: no memory, the request has ended. */
ssa_chunk_io *ssa_chunk_io_new(ssa_request *request, const ssa_buffer *key);
void ssa_chunk_io_free(ssa_request *request); /* it need not have one */

/* Read all chunks of io->manifest to io->into. vanished: it was replaced meanwhile, look again; the request fails
 * when the same manifest misses them a second time. */
void ssa_chunks_read(ssa_request *request, ssa_chunk_step done, ssa_chunk_step vanished);
/* Chunks of io->manifest are missing: what that says. It was replaced: io->vanished, the next look finds another, or none. */
void ssa_chunks_miss(ssa_request *request);
/* Write io->data as io->manifest says, with a new nonce, for io->ttl. */
void ssa_chunks_write(ssa_request *request, ssa_chunk_step done);
/* Memory in io->result for the whole value, head included, and io->into behind the head. 0: none, the request has
 * ended. */
int ssa_chunks_reserve(ssa_request *request);

/* A new nonce. SSA_ESYSTEM: there is nothing random. */
ssa_status ssa_manifest_renew(ssa_manifest *manifest);
/* Send SET of all chunks of a value whose rest is `data` (borrowed), as calls from `first` on; they go after an
 * hour, unless they are claimed. */
void ssa_chunks_send(ssa_request *request, size_t first, const ssa_buffer *key, const ssa_manifest *manifest, const unsigned char *data);
/* Add to a transaction: PERSIST of each chunk, or PEXPIRE with a positive ttl, then EXISTS of all.
 * ssa_chunks_claimed: its answers are these, from *node on, which is moved behind them, and all chunks were there. */
ssa_status ssa_chunks_claim(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl);
int ssa_chunks_claimed(const ssa_command *answer, size_t *node, const ssa_manifest *manifest);
/* Add SET of the manifest, which gets that end. */
ssa_status ssa_chunks_name(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl);
/* EXISTS of all of them, alone. */
ssa_command *ssa_chunks_count_command(const ssa_buffer *key, const ssa_manifest *manifest);
/* Whether a transaction that claims chunks, call 0, must be done again with new ones: its answer was lost, or it is
 * to come after another that was refused. To repeat it as it is would bring back chunks that another writer has
 * removed since. */
int ssa_chunks_lost(const ssa_request *request);

/* The manifest that this answer to a GET is; it was asked for as a tensor, or as bytes. */
int ssa_chunks_answered(const ssa_command *answer, int as_tensor, ssa_manifest *manifest);
/* If the answer of this get is a manifest, go on with the chunks; 0: it is not. */
int ssa_chunks_begin_read(ssa_request *request);

/* Make a put of this single, where value_limit is set. header NULL: of bytes. data: borrowed. NULL: the request was
 * freed. */
ssa_request *ssa_chunks_put(ssa_request *request, const ssa_tensor_header *header, const void *data, uint64_t bytes,
                            ssa_problem *problem);
/* Whether bytes must be stored in chunks, whatever value_limit is, because they look like a manifest. */
int ssa_chunks_must_hide(const void *data, uint64_t bytes);

/* Add GETRANGE of what may be a manifest, as a further command. */
ssa_status ssa_chunks_look(ssa_command *command, const ssa_buffer *key);
/* The same alone. */
ssa_command *ssa_chunks_look_command(const ssa_buffer *key);
/* Its answer, of a value that is no string, and so has no chunks. */
int ssa_chunks_says_no_string(const ssa_command *answer);
/* MULTI, what is given, GETRANGE of what may be a manifest, EXEC. Arguments as of ssa_command_of, before or after
 * that. */
ssa_command *ssa_chunks_look_and(const ssa_buffer *key, const ssa_text *before, const ssa_text *after);
/* The manifest in an answer at this node. */
int ssa_chunks_found(const ssa_command *answer, size_t node, ssa_manifest *manifest);
/* Unlink these chunks of a key. */
void ssa_chunks_drop(ssa_request *request, const ssa_buffer *key, const ssa_manifest *manifest, ssa_chunk_step done);
/* After an answer to ssa_chunks_look_and: drop what was found at this node. */
void ssa_chunks_drop_found(ssa_request *request, const ssa_buffer *key, size_t node, ssa_chunk_step done);
/* Add to a transaction: PEXPIRE of each chunk, PERSIST without a positive ttl. */
ssa_status ssa_chunks_expire(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl);
/* Add UNLINK of all of them as a further command. */
ssa_status ssa_chunks_unlink(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest);
/* Add a further command of these arguments; none: nothing. */
ssa_status ssa_chunks_add(ssa_command *command, const ssa_text *arguments);
/* MULTI, to be added to; and EXEC at its end, or NULL where the status or memory fails. */
ssa_command *ssa_transaction_begin(void);
ssa_command *ssa_transaction_end(ssa_command *command, ssa_status status);

/* ---- under a watch (op_chunk_watch.c) */

/* ssa_watched_start of this key (borrowed): calls `decide` with the manifest found there, or NULL. The request has chunks. */
void ssa_chunks_watch(ssa_request *request, const ssa_buffer *key, unsigned flags,
                      void (*decide)(ssa_request *request, const ssa_manifest *found));
/* Key and chunks get this end, none without a positive ttl; then succeed. The request has chunks. */
void ssa_chunks_set_ttl(ssa_request *request, const ssa_buffer *key, int64_t ttl);
/* In `decide`: there is nothing at the key (or a value without bytes). */
int ssa_chunks_watched_nothing(const ssa_request *request);

/* ---- what is left of a request that ends early (op_chunk_errand.c). Without memory for it new
 * chunks stay for their hour, and those of an old value, which have no end, stay */

/* Unlink these chunks; nobody waits for that. */
void ssa_chunks_forget(ssa_engine *engine, const ssa_buffer *key, const ssa_manifest *manifest);
/* The same as ssa_chunks_set_ttl: a key never outlives its chunks because a caller went between two steps. */
void ssa_chunks_end_alike(ssa_engine *engine, const ssa_buffer *key, int64_t ttl);
/* For request->forsaken: the chunks of io->manifest are sent, their manifest is not. */
void ssa_chunks_forsake_new(ssa_request *request);
/* The transaction with the manifest is under way, as call 0. */
void ssa_chunks_forsake_manifest(ssa_request *request);
/* The chunks of io->old are being dropped. */
void ssa_chunks_forsake_old(ssa_request *request);
/* Under way as call 0 is a transaction that looks at this key first and then replaces or removes what is there, or does nothing:
 * its last command says so, by 0 or an error. */
void ssa_chunks_forsake_replaced_at(ssa_request *request, const ssa_buffer *key);
/* The same for request->forsaken, of a request whose state is an ssa_single. */
void ssa_chunks_forsake_replaced(ssa_request *request);
/* Whether call 0 has left, at least in part. */
int ssa_request_has_left(const ssa_request *request);

/* As ssa_transaction_failed for call 0, but for what GETRANGE (at this node) says of a value that is no string. */
int ssa_chunks_failed(ssa_request *request, size_t node);

#endif
