#include "worker_proof.h"

#include <string.h>

void ssa_worker_proof(ssa_role role, const void *secret, size_t secret_bytes, const void *worker_id, size_t id_bytes,
                      const unsigned char client_nonce[SSA_NONCE_BYTES], const unsigned char worker_nonce[SSA_NONCE_BYTES],
                      unsigned char proof[SSA_SHA256_BYTES]) {
    const char *label = role == SSA_ROLE_CLIENT ? "ssasync worker 1 client" : "ssasync worker 1 worker";
    ssa_hmac mac;
    ssa_hmac_start(&mac, secret, secret_bytes);
    ssa_hmac_add(&mac, label, strlen(label) + 1); /* the NUL keeps label and id apart */
    ssa_hmac_add(&mac, client_nonce, SSA_NONCE_BYTES);
    ssa_hmac_add(&mac, worker_nonce, SSA_NONCE_BYTES);
    ssa_hmac_add(&mac, worker_id, id_bytes); /* last: the only part of free length */
    ssa_hmac_finish(&mac, proof);
}

int ssa_proof_equal(const unsigned char a[SSA_SHA256_BYTES], const unsigned char b[SSA_SHA256_BYTES]) {
    unsigned char difference = 0;
    for (int i = 0; i < SSA_SHA256_BYTES; i++)
        difference |= a[i] ^ b[i];
    return difference == 0;
}
