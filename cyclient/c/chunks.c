#include "chunks.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define LONGEST_VALUE ((uint64_t)1 << 46)

static void put_le(unsigned char *out, uint64_t number) {
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(number >> 8 * i);
}

static uint64_t get_le(const unsigned char *bytes) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

int ssa_manifest_decode(ssa_manifest *manifest, const void *value, size_t bytes) {
    const unsigned char *at = value;
    static const unsigned char begins[8] = {'S', 'S', 'A', 'M', VERSION, 0, 0, 0};
    if (bytes < SSA_MANIFEST_FIXED_BYTES || bytes > SSA_MANIFEST_MAX || memcmp(at, begins, sizeof begins))
        return 0;
    manifest->rest_bytes = get_le(at + 8);
    manifest->chunk_bytes = get_le(at + 16);
    memcpy(manifest->nonce, at + 24, SSA_NONCE_BYTES);
    manifest->head_bytes = bytes - SSA_MANIFEST_FIXED_BYTES;
    memcpy(manifest->head, at + SSA_MANIFEST_FIXED_BYTES, manifest->head_bytes);
    return manifest->rest_bytes && manifest->rest_bytes <= LONGEST_VALUE && manifest->chunk_bytes &&
           (manifest->rest_bytes - 1) / manifest->chunk_bytes < SSA_CHUNKS_MAX;
}

size_t ssa_manifest_encode(const ssa_manifest *manifest, unsigned char *out) {
    memset(out, 0, 8);
    memcpy(out, SSA_MANIFEST_MAGIC, 4);
    out[4] = VERSION;
    put_le(out + 8, manifest->rest_bytes);
    put_le(out + 16, manifest->chunk_bytes);
    memcpy(out + 24, manifest->nonce, SSA_NONCE_BYTES);
    memcpy(out + SSA_MANIFEST_FIXED_BYTES, manifest->head, manifest->head_bytes);
    return SSA_MANIFEST_FIXED_BYTES + manifest->head_bytes;
}

size_t ssa_manifest_count(const ssa_manifest *manifest) {
    return (size_t)((manifest->rest_bytes - 1) / manifest->chunk_bytes + 1);
}

uint64_t ssa_manifest_chunk_at(const ssa_manifest *manifest, size_t chunk, uint64_t *bytes) {
    uint64_t at = chunk * manifest->chunk_bytes, left = manifest->rest_bytes - at;
    *bytes = left < manifest->chunk_bytes ? left : manifest->chunk_bytes;
    return at;
}

static char *write_nonce(const ssa_manifest *manifest, char *at) {
    for (size_t i = 0; i < SSA_NONCE_BYTES; i++)
        at += snprintf(at, 3, "%02x", manifest->nonce[i]);
    return at;
}

ssa_status ssa_chunk_key(const ssa_manifest *manifest, const void *of, size_t bytes, size_t chunk, ssa_buffer *key) {
    int braces = memchr(of, '{', bytes) || memchr(of, '}', bytes);
    char tail[SSA_NONCE_DIGITS + 16], *at = tail;
    *at++ = '.';
    at = write_nonce(manifest, at);
    at += snprintf(at, 12, ".%u", (unsigned)chunk);
    key->bytes = 0;
    if ((!braces && ssa_buffer_append(key, "{", 1)) || ssa_buffer_append(key, of, bytes) ||
        (!braces && ssa_buffer_append(key, "}", 1)) || ssa_buffer_append(key, tail, (size_t)(at - tail)))
        return SSA_ENOMEM;
    return SSA_OK;
}

static int are_nonce_digits(const char *text) {
    for (size_t i = 0; i < SSA_NONCE_DIGITS; i++)
        if (!memchr("0123456789abcdef", text[i], 16))
            return 0;
    return 1;
}

size_t ssa_chunk_key_end(const void *chunk, size_t bytes) {
    const char *text = chunk, *close = bytes && *text == '{' ? memchr(text, '}', bytes) : NULL;
    size_t end = close ? (size_t)(close - text) : 0, digits = end + SSA_NONCE_DIGITS + 3;
    if (!end || bytes <= digits || text[end + 1] != '.' || !are_nonce_digits(text + end + 2) || text[digits - 1] != '.')
        return 0;
    for (size_t i = digits; i < bytes; i++)
        if (text[i] < '0' || text[i] > '9')
            return 0;
    return end;
}

ssa_status ssa_pieces_name_encode(const ssa_manifest *manifest, const char *item, size_t bytes, ssa_buffer *name) {
    char head[SSA_NONCE_DIGITS + 16], *at = head;
    *at++ = '.';
    at = write_nonce(manifest, at);
    at += snprintf(at, 12, ".%u.", (unsigned)ssa_manifest_count(manifest));
    name->bytes = 0;
    return ssa_buffer_append(name, head, (size_t)(at - head)) || ssa_buffer_append(name, item, bytes) ? SSA_ENOMEM : SSA_OK;
}

int ssa_pieces_name_decode(ssa_pieces_name *pieces, const char *name, size_t bytes) {
    size_t at = SSA_NONCE_DIGITS + 2, digits = at;
    if (bytes < at || name[0] != '.' || !are_nonce_digits(name + 1) || name[at - 1] != '.')
        return 0;
    pieces->count = 0;
    for (; at < bytes && name[at] >= '0' && name[at] <= '9' && pieces->count <= SSA_CHUNKS_MAX; at++)
        pieces->count = 10 * pieces->count + (size_t)(name[at] - '0');
    if (at == digits || at == bytes || name[at] != '.' || name[digits] == '0' || pieces->count > SSA_CHUNKS_MAX)
        return 0;
    pieces->nonce = name + 1;
    pieces->item = name + at + 1;
    pieces->item_bytes = bytes - at - 1;
    return pieces->item_bytes > 0;
}
