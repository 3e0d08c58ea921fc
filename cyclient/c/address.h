/* Where a shard or a worker listens: `host:port`, `tcp://host:port`, `[ipv6]:port` or `unix:///path`. A value:
 * copied freely, owns nothing. Names are not resolved here. */
#ifndef SSA_ADDRESS_H
#define SSA_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define SSA_ADDRESSES_MAX 4096   /* in one list */
#define SSA_ADDRESS_TEXT_BYTES 272 /* room for any address as text, with its NUL */

typedef struct ssa_address {
    char path[108]; /* of a unix socket; "" for TCP */
    char host[256]; /* "" for a unix socket; without the brackets of IPv6 */
    uint16_t port;
} ssa_address;

/* What of the text cannot be used and why. Borrows: `text` points into what was parsed, `remedy` is static. */
typedef struct ssa_address_refusal {
    const char *text;
    size_t bytes;
    const char *remedy;
} ssa_address_refusal;

/* Read one address. SSA_EARGUMENT: *refusal (may be NULL) says why, *address is untouched. Never allocates. */
ssa_status ssa_address_parse(ssa_address *address, const char *text, size_t bytes, ssa_address_refusal *refusal);

/* Read a comma list; blanks around a part and empty parts do not count. *addresses is allocated (ssa_release; NULL when
 * *count is 0). SSA_EARGUMENT (also for more than SSA_ADDRESSES_MAX), SSA_ENOMEM: nothing is allocated. */
ssa_status ssa_address_parse_list(ssa_address **addresses, size_t *count, const char *text, size_t bytes,
                                  ssa_address_refusal *refusal);

/* A TCP address from a bare host (no brackets) and a port, as servers announce them. SSA_EARGUMENT: neither a name
 * nor a number of IP, or a port out of range. */
ssa_status ssa_address_from_host(ssa_address *address, const char *host, size_t bytes, int64_t port);

/* Write it as text, as ssa_address_parse reads it, with NUL; cut if there is less room than SSA_ADDRESS_TEXT_BYTES.
 * Returns the length of what was written. */
size_t ssa_address_format(const ssa_address *address, char *out, size_t room);

/* 1 when both are the same path, or the same port of the same host as it is spelled (case aside). */
int ssa_address_equal(const ssa_address *a, const ssa_address *b);

#endif
