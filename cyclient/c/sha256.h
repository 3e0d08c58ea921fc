/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104): the core depends on libc alone. */
#ifndef SSA_SHA256_H
#define SSA_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SSA_SHA256_BYTES 32

typedef struct ssa_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} ssa_sha256;

void ssa_sha256_start(ssa_sha256 *hash);
void ssa_sha256_add(ssa_sha256 *hash, const void *data, size_t bytes);
void ssa_sha256_finish(ssa_sha256 *hash, unsigned char digest[SSA_SHA256_BYTES]);

typedef struct ssa_hmac {
    ssa_sha256 inner;
    unsigned char outer_pad[64];
} ssa_hmac;

void ssa_hmac_start(ssa_hmac *mac, const void *key, size_t key_bytes);
void ssa_hmac_add(ssa_hmac *mac, const void *data, size_t bytes);
void ssa_hmac_finish(ssa_hmac *mac, unsigned char digest[SSA_SHA256_BYTES]);

#endif
