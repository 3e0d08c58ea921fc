/* The addresses of a host name. The system is asked for them by a call that waits, for many seconds where a name server is
 * silent, and that nothing ends: a thread of its own makes it. What that thread writes to belongs to both, and goes with the
 * one that leaves last, so that nobody has to wait for a look-up that is not wanted any more. */
#ifndef SSA_NAME_LOOKUP_H
#define SSA_NAME_LOOKUP_H

struct addrinfo;

typedef struct ssa_name_lookup ssa_name_lookup;

/* Begin. Digits need no thread and are done at once; without a thread or a pipe to be told by, names are done when this
 * returns, too. NULL: no memory. */
ssa_name_lookup *ssa_name_lookup_new(const char *host, unsigned port);
/* Nobody wants to know it any more. NULL: nothing. is_at_home: false in the child of a fork, which has no such thread. */
void ssa_name_lookup_free(ssa_name_lookup *lookup, int is_at_home);

int ssa_name_lookup_is_done(const ssa_name_lookup *lookup);
int ssa_name_lookup_is_of(const ssa_name_lookup *lookup, const char *host, unsigned port);
/* Can be read from once it is done; belongs to the look-up. Negative: there is none. NULL: negative. */
int ssa_name_lookup_descriptor(const ssa_name_lookup *lookup);

/* Of one that is done: the addresses in the order of the system, as long as the look-up. NULL: it found none. */
const struct addrinfo *ssa_name_lookup_addresses(const ssa_name_lookup *lookup);
const char *ssa_name_lookup_error(const ssa_name_lookup *lookup); /* why it found none */

#endif
