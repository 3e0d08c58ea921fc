/* From a key to its slot, by the rules of Redis Cluster (redis.io, "Cluster specification", "Key distribution
 * model"). Pure. */
#ifndef SSA_KEY_SLOT_H
#define SSA_KEY_SLOT_H

#include <stddef.h>
#include <stdint.h>

#define SSA_SLOTS 16384

/* CRC-16/XMODEM: polynomial 0x1021, initial value 0, no reflection. */
uint16_t ssa_crc16(const void *data, size_t bytes);

/* The part of a key that decides its slot: points into the key. */
const char *ssa_key_tag(const void *key, size_t bytes, size_t *tag_bytes);

/* The slot of a key: what stands between the first `{` and the first `}` after it counts alone, unless it is empty. */
uint16_t ssa_key_slot(const void *key, size_t bytes);

#endif
