/* A dataset in memory: tensors and bytes in the order in which they were added, and metadata. No key, no socket. What
 * it becomes in the store: WIRE.md, "Dataset".
 *
 * Names (of the dataset, of items, of fields) are 1 to 1,024 bytes without braces and NUL; those of items and fields
 * do not begin with ".". Tensors and bytes share their names, because they share their keys; no item is called
 * "meta", because that is the key of the hash. Fields have names of their own.
 *
 * Every function that can fail leaves the dataset as it was, and ssa_dataset_reason says why in fixed words. One
 * thread at a time. */
#ifndef SSA_DATASET_H
#define SSA_DATASET_H

#include <stddef.h>
#include <stdint.h>

#include "metadata.h"
#include "name_index.h"
#include "reply.h"
#include "status.h"
#include "tensor_header.h"
#include "tensor_memory.h"

#define SSA_DATASET_NAME_BYTES 1024
#define SSA_DATASET_MAX_ENTRIES (1u << 20) /* items, and fields */

#define SSA_FIELD_TENSOR_NAMES ".tensor_names"
#define SSA_FIELD_BYTES_NAMES ".bytes_names"
#define SSA_FIELD_PIECES ".pieces" /* only where items are in chunks */
#define SSA_FIELD_VERSION ".version"
#define SSA_FIELD_COMPLETE ".COMPLETE"

typedef struct ssa_dataset ssa_dataset;

typedef enum ssa_item_kind { SSA_ITEM_TENSOR = 1, SSA_ITEM_BYTES = 2 } ssa_item_kind;

/* One tensor, or bytes. Borrowed from the dataset: valid until the dataset is changed or freed. */
typedef struct ssa_item {
    ssa_item_kind kind;
    ssa_name name;
    ssa_tensor_header header; /* of a tensor; of bytes only data_bytes means something */
    const void *data;         /* header.data_bytes bytes; NULL: has not come from the store yet */
    int owned;                /* the dataset frees it; else it is lent */
} ssa_item;

/* One field of the hash. Borrowed as items are. */
typedef struct ssa_field {
    ssa_name name;
    const unsigned char *data; /* an encoded entry: metadata.h */
    size_t bytes;
} ssa_field;

/* Why this cannot be the name of a dataset, or of an item or a field: the remedy of an ssa_mistake_value; NULL:
 * it can. */
const char *ssa_dataset_name_refusal(const char *name, size_t bytes);
const char *ssa_item_name_refusal(const char *name, size_t bytes);
const char *ssa_field_name_refusal(const char *name, size_t bytes);

/* Allocates an empty dataset. SSA_EARGUMENT: ssa_dataset_name_refusal says why. *dataset is NULL after a failure. */
ssa_status ssa_dataset_new(const char *name, size_t bytes, ssa_dataset **dataset);
/* A deep copy: what was lent is the copy's own. */
ssa_status ssa_dataset_dup(const ssa_dataset *dataset, ssa_dataset **copy);
void ssa_dataset_free(ssa_dataset *dataset); /* NULL is allowed; what was lent is not touched */

ssa_name ssa_dataset_name(const ssa_dataset *dataset);
ssa_status ssa_dataset_rename(ssa_dataset *dataset, const char *name, size_t bytes);
/* Why the last call that failed on this dataset did: the remedy of an ssa_mistake_value, or after ssa_dataset_decode
 * what is wrong with what is stored; fixed words, never NULL. */
const char *ssa_dataset_reason(const ssa_dataset *dataset);

/* While a put borrows from the dataset it is pinned, as often as puts are under way: every change is SSA_EARGUMENT. */
void ssa_dataset_pin(ssa_dataset *dataset);
void ssa_dataset_unpin(ssa_dataset *dataset);

/* Add a tensor; header is complete (ssa_tensor_header_complete), data has header->data_bytes bytes.
 * add copies; lend borrows: data must not change or go before the item is removed or the dataset freed; own takes the
 * memory over when it returns SSA_OK. SSA_EARGUMENT: the name is taken or refused, or the dataset is pinned;
 * SSA_ELIMIT: too many items; SSA_ENOMEM. */
ssa_status ssa_dataset_add_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  const ssa_tensor_header *header, const void *data);
ssa_status ssa_dataset_lend_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                   const ssa_tensor_header *header, const void *data);
ssa_status ssa_dataset_own_tensor(ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  const ssa_tensor_header *header, ssa_memory *memory);
/* The same for bytes. */
ssa_status ssa_dataset_add_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                 size_t bytes);
ssa_status ssa_dataset_lend_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *data,
                                  size_t bytes);
ssa_status ssa_dataset_own_bytes(ssa_dataset *dataset, const char *name, size_t name_bytes, ssa_memory *memory,
                                 size_t bytes);

/* Add values to a field, which begins with its first ones; a field holds values of one type (ssa_metadata_type_exists).
 * SSA_EDTYPE: the field has another type; SSA_EARGUMENT: its name is refused, no such type, no values, or pinned;
 * SSA_ELIMIT: too many fields; SSA_ENOMEM. */
ssa_status ssa_dataset_add_scalars(ssa_dataset *dataset, const char *name, size_t name_bytes, uint8_t type,
                                   const void *values, size_t count);
ssa_status ssa_dataset_add_string(ssa_dataset *dataset, const char *name, size_t name_bytes, const void *text,
                                  size_t bytes);

/* SSA_ENOTFOUND: there is none. */
ssa_status ssa_dataset_remove_item(ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes);
ssa_status ssa_dataset_remove_field(ssa_dataset *dataset, const char *name, size_t name_bytes);

/* Tensors and bytes, in the order in which they were added. */
size_t ssa_dataset_item_count(const ssa_dataset *dataset);
const ssa_item *ssa_dataset_item_at(const ssa_dataset *dataset, size_t place);
/* NULL: no item of this kind has that name. */
const ssa_item *ssa_dataset_find_item(const ssa_dataset *dataset, ssa_item_kind kind, const char *name,
                                      size_t name_bytes);
/* Where it stands; SSA_NAME_NOWHERE: there is none. */
size_t ssa_dataset_item_place(const ssa_dataset *dataset, ssa_item_kind kind, const char *name, size_t name_bytes);
/* Whether any item has that name: what a put does not unlink of the dataset that was there before. */
int ssa_dataset_has_item(const ssa_dataset *dataset, const char *name, size_t name_bytes);
/* The memory of an item that the dataset owns goes over to the caller, who lends it from now on. data NULL: it was
 * not owned. */
ssa_memory ssa_dataset_take_memory(ssa_dataset *dataset, size_t place);

/* The fields that the user added, in the order in which they came. The values of scalars are aligned for their type. */
size_t ssa_dataset_field_count(const ssa_dataset *dataset);
ssa_field ssa_dataset_field_at(const ssa_dataset *dataset, size_t place);
/* Look into one. SSA_ENOTFOUND: there is none. */
ssa_status ssa_dataset_find_field(const ssa_dataset *dataset, const char *name, size_t name_bytes,
                                  ssa_metadata *metadata);

/* ---- to the store: HSET of all fields below, SET of all items, then HSET of SSA_FIELD_COMPLETE */

/* Make the hidden fields ready that list the names. SSA_EARGUMENT: the dataset is empty, or an item has not come.
 * Allocates. */
ssa_status ssa_dataset_encode(ssa_dataset *dataset);
/* After ssa_dataset_encode: the lists of names, then the user's fields. SSA_FIELD_VERSION and SSA_FIELD_COMPLETE are
 * the caller's. */
size_t ssa_dataset_encoded_count(const ssa_dataset *dataset);
ssa_field ssa_dataset_encoded_at(const ssa_dataset *dataset, size_t place);

/* ---- from the store: HGETALL, then GET of each item */

/* Fill an empty dataset with the answer to HGETALL. Items have no data yet. SSA_ENOTFOUND: nothing was stored, or not
 * all of it; SSA_EPROTOCOL: no map of strings, a field that contradicts itself, a name that is refused or comes
 * twice; SSA_ENOMEM. After a failure the dataset is of no further use. Copies what it needs. */
ssa_status ssa_dataset_decode(ssa_dataset *dataset, const ssa_reply *reply);
/* What SSA_FIELD_VERSION said; no bytes: nothing. */
ssa_name ssa_dataset_version(const ssa_dataset *dataset);
/* What came for the item at `place`; takes the memory over. SSA_EARGUMENT: it came already, or it is of the other
 * kind. */
ssa_status ssa_dataset_supply_tensor(ssa_dataset *dataset, size_t place, const ssa_tensor_header *header,
                                     ssa_memory *memory);
ssa_status ssa_dataset_supply_bytes(ssa_dataset *dataset, size_t place, ssa_memory *memory, size_t bytes);

#endif
