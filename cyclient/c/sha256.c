#include "sha256.h"

#include <string.h>

/* FIPS 180-4, section 4.2.2. */
static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotate(uint32_t x, int bits) {
    return x >> bits | x << (32 - bits);
}

static void compress(uint32_t state[8], const unsigned char *block) {
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 | (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + constants[i] + w[i];
        uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof *s);
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        state[i] += s[i];
}

void ssa_sha256_start(ssa_sha256 *hash) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(hash->state, initial, sizeof initial);
    hash->bytes = 0;
}

void ssa_sha256_add(ssa_sha256 *hash, const void *data, size_t bytes) {
    const unsigned char *in = data;
    size_t held = hash->bytes % 64;
    hash->bytes += bytes;
    while (bytes) {
        size_t part = bytes < 64 - held ? bytes : 64 - held;
        memcpy(hash->block + held, in, part);
        in += part;
        bytes -= part;
        held += part;
        if (held == 64) {
            compress(hash->state, hash->block);
            held = 0;
        }
    }
}

void ssa_sha256_finish(ssa_sha256 *hash, unsigned char digest[SSA_SHA256_BYTES]) {
    uint64_t bits = hash->bytes * 8;
    unsigned char length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (unsigned char)(bits >> (56 - 8 * i));
    ssa_sha256_add(hash, "\x80", 1);
    while (hash->bytes % 64 != 56)
        ssa_sha256_add(hash, "", 1);
    ssa_sha256_add(hash, length, sizeof length);
    for (int i = 0; i < 32; i++)
        digest[i] = (unsigned char)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void ssa_hmac_start(ssa_hmac *mac, const void *key, size_t key_bytes) {
    unsigned char block[64] = {0};
    if (key_bytes > sizeof block) {
        ssa_sha256_start(&mac->inner);
        ssa_sha256_add(&mac->inner, key, key_bytes);
        ssa_sha256_finish(&mac->inner, block);
    } else if (key_bytes) {
        memcpy(block, key, key_bytes);
    }
    for (int i = 0; i < 64; i++) {
        mac->outer_pad[i] = block[i] ^ 0x5c;
        block[i] ^= 0x36;
    }
    ssa_sha256_start(&mac->inner);
    ssa_sha256_add(&mac->inner, block, sizeof block);
}

void ssa_hmac_add(ssa_hmac *mac, const void *data, size_t bytes) {
    ssa_sha256_add(&mac->inner, data, bytes);
}

void ssa_hmac_finish(ssa_hmac *mac, unsigned char digest[SSA_SHA256_BYTES]) {
    unsigned char inner[SSA_SHA256_BYTES];
    ssa_sha256_finish(&mac->inner, inner);
    ssa_sha256 outer;
    ssa_sha256_start(&outer);
    ssa_sha256_add(&outer, mac->outer_pad, sizeof mac->outer_pad);
    ssa_sha256_add(&outer, inner, sizeof inner);
    ssa_sha256_finish(&outer, digest);
}
