/* Whether an address is on the machine that this process runs on. */
#ifndef SSA_THIS_HOST_H
#define SSA_THIS_HOST_H

/* host: a number of IP or a name, as in ssa_address. A number: whether an interface has it. A name: `localhost` or the
 * machine's own, with or without its domain; no name is looked up. */
int ssa_is_this_host(const char *host);

#endif
