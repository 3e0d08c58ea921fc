/* Values longer than the option value_limit (WIRE.md, "Chunks"): the pieces first, each with an end that removes it
 * should this client go, then in one transaction the manifest at the key, and no end for the pieces any more. So
 * whoever reads the key sees the old value or the new one; a put that finds its pieces gone (a failover lost them, or
 * an hour has passed) writes them again. What stood there before says in that transaction which pieces are nobody's
 * now; they go last.
 *
 * Who has value_limit set looks so at every put and delete; a client without it overwrites and deletes manifests alone. All read
 * them. */
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
    ssa_chunk_step done, dropped, vanished;
} ssa_chunk_io;

/* Of the request, made now if it has none; NULL: no memory, the request has ended. */
ssa_chunk_io *ssa_chunk_io_new(ssa_request *request, const ssa_buffer *key);
void ssa_chunk_io_free(ssa_chunk_io *io); /* NULL is allowed */

/* Read all chunks of io->manifest to io->into. vanished: it was replaced meanwhile. */
void ssa_chunks_read(ssa_request *request, ssa_chunk_step done, ssa_chunk_step vanished);
/* Write io->data as io->manifest says, with a new nonce. */
void ssa_chunks_write(ssa_request *request, ssa_chunk_step done);
/* Memory in io->result for the whole value, head included, and io->into behind the head. 0: none, the request has ended. */
int ssa_chunks_reserve(ssa_request *request);

/* A new nonce. SSA_ESYSTEM: there is nothing random. */
ssa_status ssa_manifest_renew(ssa_manifest *manifest);
/* Send SET of all chunks of a value whose rest is `data` (borrowed), as calls from `first` on; they go after an hour, unless they are
 * claimed. */
void ssa_chunks_send(ssa_request *request, size_t first, const ssa_buffer *key, const ssa_manifest *manifest, const unsigned char *data);
/* Add to a transaction: PERSIST of each chunk, then EXISTS of all. ssa_chunks_claimed: its answers are these, from *node on, which
 * is moved behind them, and all chunks were there. */
ssa_status ssa_chunks_claim(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest);
int ssa_chunks_claimed(const ssa_command *answer, size_t *node, const ssa_manifest *manifest);
/* Whether a transaction that claims chunks, call 0, must be done again with new ones: its answer was lost, or it is to come after
 * another that was refused. To repeat it as it is would bring back chunks that another writer has removed since. */
int ssa_chunks_lost(const ssa_request *request);

/* The manifest that this answer to a GET is; it was asked for as a tensor, or as bytes. */
int ssa_chunks_answered(const ssa_command *answer, int as_tensor, ssa_manifest *manifest);
/* If the answer of this get is a manifest, go on with the chunks; 0: it is not. */
int ssa_chunks_begin_read(ssa_request *request);

/* Make a put of this single, where value_limit is set. header NULL: of bytes. data: borrowed. NULL: the request was freed. */
ssa_request *ssa_chunks_put(ssa_request *request, const ssa_tensor_header *header, const void *data, uint64_t bytes,
                            ssa_problem *problem);
/* Whether bytes must be stored in chunks, whatever value_limit is, because they look like a manifest. */
int ssa_chunks_must_hide(const void *data, uint64_t bytes);

/* Add GETRANGE of what may be a manifest, as a further command. */
ssa_status ssa_chunks_look(ssa_command *command, const ssa_buffer *key);
/* MULTI, what is given, GETRANGE of what may be a manifest, EXEC. Arguments as of ssa_command_of, before or after that. */
ssa_command *ssa_chunks_look_and(const ssa_buffer *key, const ssa_text *before, const ssa_text *after);
/* The manifest in an answer at this node. */
int ssa_chunks_found(const ssa_command *answer, size_t node, ssa_manifest *manifest);
/* Unlink these chunks of a key. */
void ssa_chunks_drop(ssa_request *request, const ssa_buffer *key, const ssa_manifest *manifest, ssa_chunk_step done);
/* After an answer to ssa_chunks_look_and: drop what was found at this node. */
void ssa_chunks_drop_found(ssa_request *request, const ssa_buffer *key, size_t node, ssa_chunk_step done);
/* The same words for each chunk: PERSIST, or PEXPIRE with this text, then succeed. */
void ssa_chunks_expire(ssa_request *request, const ssa_buffer *key, const ssa_manifest *manifest, ssa_text milliseconds);
/* As ssa_transaction_failed for call 0, but for what GETRANGE (at this node) says of a value that is no string. */
int ssa_chunks_failed(ssa_request *request, size_t node);

#endif
