/* How client and worker prove to each other that they know the experiment's secret, without sending it (WIRE.md,
 * "Workers"): HMAC-SHA-256 over role, worker id and both nonces, keyed with the password of the store's user. */
#ifndef SSA_WORKER_PROOF_H
#define SSA_WORKER_PROOF_H

#include <stddef.h>

#include "sha256.h"

#define SSA_NONCE_BYTES 32

typedef enum ssa_role { SSA_ROLE_CLIENT, SSA_ROLE_WORKER } ssa_role;

void ssa_worker_proof(ssa_role role, const void *secret, size_t secret_bytes, const void *worker_id, size_t id_bytes,
                      const unsigned char client_nonce[SSA_NONCE_BYTES], const unsigned char worker_nonce[SSA_NONCE_BYTES],
                      unsigned char proof[SSA_SHA256_BYTES]);

/* 1 when equal; takes the same time wherever they differ. */
int ssa_proof_equal(const unsigned char a[SSA_SHA256_BYTES], const unsigned char b[SSA_SHA256_BYTES]);

#endif
