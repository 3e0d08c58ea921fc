#include "op_chunk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "allocator.h"
#include "text_begins.h"

#define ORPHAN_MILLISECONDS "3600000" /* a chunk without manifest goes after an hour */

_Static_assert(SSA_MANIFEST_MAX == 360, "GETRANGE asks for all of a manifest");

ssa_chunk_io *ssa_chunk_io_new(ssa_request *request, const ssa_buffer *key) {
    ssa_chunk_io *io = request->chunks;
    if (!io) {
        io = request->chunks = ssa_allocate(sizeof *io);
        if (io)
            memset(io, 0, sizeof *io);
    }
    if (io) {
        io->key.bytes = 0;
        ssa_memory_free(&io->result.memory);
    }
    if (io && !ssa_buffer_append(&io->key, key->data, key->bytes))
        return io;
    ssa_request_fail_memory(request);
    return NULL;
}

void ssa_chunk_io_free(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    if (!io)
        return;
    ssa_memory_free(&io->result.memory);
    ssa_buffer_free(&io->key);
    ssa_buffer_free(&io->scratch);
    ssa_release(io);
}

ssa_status ssa_chunks_add(ssa_command *command, const ssa_text *arguments) {
    uint64_t count = 0;
    while (arguments[count].data)
        count++;
    ssa_status status = count ? ssa_command_next(command, count) : SSA_OK;
    for (uint64_t i = 0; i < count && !status; i++)
        status = ssa_command_argument(command, arguments[i].data, arguments[i].bytes);
    return status;
}

ssa_command *ssa_transaction_begin(void) {
    return ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("MULTI")));
}

ssa_command *ssa_transaction_end(ssa_command *command, ssa_status status) {
    if (!status && !ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("EXEC"))))
        return command;
    ssa_command_free(command);
    return NULL;
}

ssa_status ssa_chunks_look(ssa_command *command, const ssa_buffer *key) {
    return ssa_chunks_add(command, SSA_TEXTS(SSA_TEXT("GETRANGE"), SSA_KEY_TEXT(*key), SSA_TEXT("0"), SSA_TEXT(SSA_MANIFEST_LAST)));
}

ssa_command *ssa_chunks_look_command(const ssa_buffer *key) {
    return ssa_command_of(SSA_EXPECT_REPLY,
                          SSA_TEXTS(SSA_TEXT("GETRANGE"), SSA_KEY_TEXT(*key), SSA_TEXT("0"), SSA_TEXT(SSA_MANIFEST_LAST)));
}

int ssa_chunks_says_no_string(const ssa_command *answer) {
    return answer->status == SSA_ESERVER && ssa_text_begins(answer->error.data, answer->error.bytes, "WRONGTYPE");
}

ssa_command *ssa_chunks_look_and(const ssa_buffer *key, const ssa_text *before, const ssa_text *after) {
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_chunks_add(command, before) : SSA_ENOMEM;
    if (!status)
        status = ssa_chunks_look(command, key);
    if (!status)
        status = ssa_chunks_add(command, after);
    return ssa_transaction_end(command, status);
}

int ssa_chunks_found(const ssa_command *answer, size_t node, ssa_manifest *manifest) {
    if (answer->reply.count <= node || answer->reply.nodes[node].kind != SSA_TOKEN_BULK)
        return 0;
    const ssa_node *found = &answer->reply.nodes[node];
    return found->text_bytes && ssa_manifest_decode(manifest, answer->reply.text.data + found->text_at, found->text_bytes);
}

int ssa_chunks_failed(ssa_request *request, size_t node) {
    ssa_command *answer = ssa_request_answer(request, 0);
    if (answer->status == SSA_OK && answer->reply.count > node && answer->reply.nodes[node].kind == SSA_TOKEN_ERROR)
        answer->reply.nodes[node].kind = SSA_TOKEN_NULL;
    return ssa_transaction_failed(request, 0);
}

static void send_one(ssa_request *request, ssa_command *command, const ssa_buffer *key) {
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, key->data, key->bytes, SSA_CALL_IDEMPOTENT);
}

/* ---- all chunks of an old value */

static void after_drop(ssa_request *request) {
    if (ssa_request_failed(request))
        return;
    request->forsaken = NULL;
    request->chunks->dropped(request);
}

/* The arguments of one command. */
static ssa_status add_all(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, const char *word) {
    ssa_buffer chunk = {NULL, 0, 0};
    ssa_status status = ssa_command_argument(command, word, strlen(word));
    for (size_t i = 0; i < ssa_manifest_count(manifest) && !status; i++)
        if (!(status = ssa_chunk_key(manifest, key->data, key->bytes, i, &chunk)))
            status = ssa_command_argument(command, chunk.data, chunk.bytes);
    ssa_buffer_free(&chunk);
    return status;
}

ssa_status ssa_chunks_unlink(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest) {
    ssa_status status = ssa_command_next(command, 1 + ssa_manifest_count(manifest));
    return status ? status : add_all(command, key, manifest, "UNLINK");
}

static ssa_command *command_of_all(const ssa_buffer *key, const ssa_manifest *manifest, const char *word) {
    ssa_command *command = ssa_command_new(1 + ssa_manifest_count(manifest), SSA_EXPECT_REPLY);
    if (command && !add_all(command, key, manifest, word))
        return command;
    ssa_command_free(command);
    return NULL;
}

ssa_command *ssa_chunks_count_command(const ssa_buffer *key, const ssa_manifest *manifest) {
    return command_of_all(key, manifest, "EXISTS");
}

void ssa_chunks_drop(ssa_request *request, const ssa_buffer *key, const ssa_manifest *manifest, ssa_chunk_step done) {
    if (!request->chunks && !ssa_chunk_io_new(request, key))
        return;
    ssa_chunk_io *io = request->chunks;
    io->dropped = done;
    io->old = *manifest;
    io->old_key = key;
    request->forsaken = ssa_chunks_forsake_old;
    request->step = after_drop;
    send_one(request, command_of_all(key, manifest, "UNLINK"), key);
}

void ssa_chunks_drop_found(ssa_request *request, const ssa_buffer *key, size_t node, ssa_chunk_step done) {
    ssa_manifest manifest;
    request->forsaken = NULL; /* it was carried out, or refused */
    if (ssa_chunks_failed(request, node))
        return;
    if (ssa_chunks_found(ssa_request_answer(request, 0), node, &manifest))
        ssa_chunks_drop(request, key, &manifest, done);
    else
        done(request);
}

/* ---- how long they stay */

ssa_status ssa_chunks_expire(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl) {
    ssa_buffer chunk = {NULL, 0, 0};
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < ssa_manifest_count(manifest) && !status; i++) {
        status = ssa_chunk_key(manifest, key->data, key->bytes, i, &chunk);
        if (!status && !(status = ssa_command_next(command, ttl > 0 ? 3 : 2)))
            status = ssa_command_argument(command, ttl > 0 ? "PEXPIRE" : "PERSIST", 7);
        if (!status)
            status = ssa_command_argument(command, chunk.data, chunk.bytes);
        if (!status && ttl > 0)
            status = ssa_command_number(command, (uint64_t)ttl);
    }
    ssa_buffer_free(&chunk);
    return status;
}

/* ---- reading */

void ssa_chunks_miss(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    if (io->has_missed && !memcmp(io->missed, io->manifest.nonce, SSA_NONCE_BYTES)) {
        ssa_request_fail(request, SSA_EHEADER, "'%s' in %s is damaged: chunks of it are missing.", (char *)request->subject.data,
                         request->engine->description);
        return;
    }
    io->has_missed = 1;
    memcpy(io->missed, io->manifest.nonce, SSA_NONCE_BYTES);
    io->vanished(request);
}

static void take_chunks(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    for (size_t i = 0; i < request->call_count; i++)
        if (ssa_request_answer(request, i)->status == SSA_ENOTFOUND) {
            ssa_chunks_miss(request);
            return;
        }
    for (size_t i = 0; i < request->call_count; i++)
        if (ssa_request_answer(request, i)->status == SSA_ESHAPE) {
            ssa_request_fail(request, SSA_EHEADER, "'%s' in %s is damaged: a chunk of it is not as long as it should be.",
                             (char *)request->subject.data, request->engine->description);
            return;
        }
    if (!ssa_request_failed(request))
        io->done(request);
}

void ssa_chunks_read(ssa_request *request, ssa_chunk_step done, ssa_chunk_step vanished) {
    ssa_chunk_io *io = request->chunks;
    size_t count = ssa_manifest_count(&io->manifest);
    io->done = done;
    io->vanished = vanished;
    request->step = take_chunks;
    if (ssa_request_calls(request, count)) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < count && !request->complete; i++) {
        uint64_t bytes, at = ssa_manifest_chunk_at(&io->manifest, i, &bytes);
        ssa_command *command = NULL;
        if (!ssa_chunk_key(&io->manifest, io->key.data, io->key.bytes, i, &io->scratch))
            command = ssa_command_of(SSA_EXPECT_BYTES, SSA_TEXTS(SSA_TEXT("GET"), SSA_KEY_TEXT(io->scratch)));
        if (command)
            ssa_command_bytes_into(command, io->into + at, bytes);
        unsigned bulk = io->manifest.rest_bytes > SSA_BULK_BYTES ? SSA_CALL_BULK : 0;
        ssa_request_send(request, i, command, io->key.data, io->key.bytes, SSA_CALL_IDEMPOTENT | bulk);
    }
}

int ssa_chunks_reserve(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    uint64_t bytes = io->manifest.head_bytes + io->manifest.rest_bytes;
    io->result.header = (ssa_tensor_header){SSA_UINT8, SSA_ROW_MAJOR, 1, 1, bytes, {bytes}};
    io->result.memory = ssa_memory_take(request->engine->memory, bytes);
    if (!io->result.memory.data) {
        ssa_request_fail_memory(request);
        return 0;
    }
    memcpy(io->result.memory.data, io->manifest.head, io->manifest.head_bytes);
    io->into = (unsigned char *)io->result.memory.data + io->manifest.head_bytes;
    return 1;
}

/* ---- writing */

ssa_status ssa_manifest_renew(ssa_manifest *manifest) {
    return getentropy(manifest->nonce, sizeof manifest->nonce) ? SSA_ESYSTEM : SSA_OK;
}

static ssa_command *chunk_command(const ssa_buffer *key, const ssa_manifest *manifest, const unsigned char *data, size_t chunk,
                                  ssa_buffer *name) {
    uint64_t bytes, at = ssa_manifest_chunk_at(manifest, chunk, &bytes);
    if (ssa_chunk_key(manifest, key->data, key->bytes, chunk, name))
        return NULL;
    ssa_command *command = ssa_command_new(5, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "SET", 3) && !ssa_command_argument(command, name->data, name->bytes) &&
        !ssa_command_bytes(command, data + at, (size_t)bytes) && !ssa_command_argument(command, "PX", 2) &&
        !ssa_command_argument(command, ORPHAN_MILLISECONDS, sizeof ORPHAN_MILLISECONDS - 1))
        return command;
    ssa_command_free(command);
    return NULL;
}

void ssa_chunks_send(ssa_request *request, size_t first, const ssa_buffer *key, const ssa_manifest *manifest,
                     const unsigned char *data) {
    ssa_buffer name = {NULL, 0, 0};
    size_t count = ssa_manifest_count(manifest);
    unsigned bulk = manifest->rest_bytes > SSA_BULK_BYTES ? SSA_CALL_BULK : 0;
    for (size_t i = 0; i < count && !request->complete; i++)
        ssa_request_send(request, first + i, chunk_command(key, manifest, data, i, &name), key->data, key->bytes,
                         SSA_CALL_IDEMPOTENT | bulk);
    ssa_buffer_free(&name);
}

ssa_status ssa_chunks_claim(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl) {
    ssa_status status = ssa_chunks_expire(command, key, manifest, ttl);
    if (!status)
        status = ssa_command_next(command, 1 + ssa_manifest_count(manifest));
    return status ? status : add_all(command, key, manifest, "EXISTS");
}

int ssa_chunks_claimed(const ssa_command *answer, size_t *node, const ssa_manifest *manifest) {
    size_t count = ssa_manifest_count(manifest), exists = *node + count;
    *node = exists + 1;
    return answer->reply.count > exists && answer->reply.nodes[exists].number == (int64_t)count;
}

int ssa_chunks_lost(const ssa_request *request) {
    const ssa_command *answer = request->calls[0].command;
    return answer->again || (answer->status == SSA_ECLOSED && !request->engine->closed);
}

static void after_manifest(ssa_request *request);

ssa_status ssa_chunks_name(ssa_command *command, const ssa_buffer *key, const ssa_manifest *manifest, int64_t ttl) {
    unsigned char value[SSA_MANIFEST_MAX];
    size_t bytes = ssa_manifest_encode(manifest, value);
    ssa_status status = ssa_command_next(command, ttl > 0 ? 5 : 3);
    if (status || (status = ssa_command_argument(command, "SET", 3)) ||
        (status = ssa_command_argument(command, key->data, key->bytes)) ||
        (status = ssa_command_argument(command, value, bytes)) || ttl <= 0)
        return status;
    status = ssa_command_argument(command, "PX", 2);
    return status ? status : ssa_command_number(command, (uint64_t)ttl);
}

static ssa_command *manifest_command(const ssa_chunk_io *io) {
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_chunks_look(command, &io->key) : SSA_ENOMEM;
    if (!status)
        status = ssa_chunks_claim(command, &io->key, &io->manifest, io->ttl);
    if (!status)
        status = ssa_chunks_name(command, &io->key, &io->manifest, io->ttl);
    if (!status && io->has_old)
        status = ssa_chunks_unlink(command, &io->key, &io->old);
    return ssa_transaction_end(command, status);
}

/* The last answer is the look at what the key has now. */
static void write_manifest(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    ssa_command *looked = ssa_request_answer(request, request->call_count - 1);
    if (ssa_chunks_says_no_string(looked))
        looked->status = SSA_OK;
    if (ssa_request_failed(request))
        return;
    io->has_old = ssa_chunks_found(looked, 0, &io->old);
    request->step = after_manifest;
    request->forsaken = ssa_chunks_forsake_manifest;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, manifest_command(io), io->key.data, io->key.bytes, 0);
}

/* What another writer put between the look and the transaction is still to be dropped. */
static void after_manifest(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    const ssa_command *answer = ssa_request_answer(request, 0);
    ssa_manifest old;
    size_t node = 2;
    /* Where nobody knows whether it was carried out they stay for their hour, or are the value's. */
    request->forsaken = answer->status == SSA_ESERVER ? ssa_chunks_forsake_new : NULL;
    if (ssa_chunks_lost(request)) {
        if (answer->status == SSA_ESERVER)
            ssa_chunks_forget(request->engine, &io->key, &io->manifest);
        ssa_chunks_write(request, io->done);
        return;
    }
    if (ssa_chunks_failed(request, 1))
        return;
    if (!ssa_chunks_claimed(answer, &node, &io->manifest))
        ssa_chunks_write(request, io->done);
    else if (ssa_chunks_found(answer, 1, &old) && !(io->has_old && !memcmp(old.nonce, io->old.nonce, SSA_NONCE_BYTES)))
        ssa_chunks_drop(request, &io->key, &old, io->done);
    else
        io->done(request);
}

void ssa_chunks_write(ssa_request *request, ssa_chunk_step done) {
    ssa_chunk_io *io = request->chunks;
    const ssa_buffer *key = &io->key;
    io->done = done;
    size_t count = ssa_manifest_count(&io->manifest);
    request->step = write_manifest;
    if (ssa_manifest_renew(&io->manifest) || ssa_request_calls(request, count + 1)) {
        ssa_request_fail_memory(request);
        return;
    }
    request->forsaken = ssa_chunks_forsake_new;
    ssa_chunks_send(request, 0, key, &io->manifest, io->data);
    if (!request->complete)
        ssa_request_send(request, count, ssa_chunks_look_command(key), key->data, key->bytes, SSA_CALL_IDEMPOTENT);
}
