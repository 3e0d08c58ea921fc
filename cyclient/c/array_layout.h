/* From a caller's arrangement of an array to one packed array and back: any strides, nested pointers, both orders.
 *
 * All functions take the shape, the bytes of an element and the order of the packed array from a complete tensor
 * header. Nothing allocates but ssa_layout_nested_new. Memory that is read and memory that is written must not
 * overlap. */
#ifndef SSA_ARRAY_LAYOUT_H
#define SSA_ARRAY_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "tensor_header.h"

/* Complete the header of an array from what a caller says. An array that is both row- and column-major says row-major
 * (WIRE.md). SSA_EARGUMENT: a negative dimension, or an order or a dtype that does not exist, or bytes an element
 * that are not the dtype's (0: those of the dtype); SSA_ELIMIT: more than 32 dimensions, or more bytes than can be
 * counted. */
ssa_status ssa_layout_describe(ssa_tensor_header *header, int dtype, size_t itemsize, int order,
                               const int64_t *dimensions, size_t ndim);

/* Whether a packed array of this shape lies the same way in both orders. */
int ssa_layout_is_both(const ssa_tensor_header *header);

/* The distance in bytes between neighbours along each dimension of a packed array. strides has header->ndim places. */
void ssa_layout_strides(const ssa_tensor_header *header, ssa_order order, int64_t *strides);

/* Copy an array from any strides to any strides; `from` and `to` are where element [0, ..., 0] lies. Strides may be
 * negative, those of `from` also 0. Transposition runs in blocks that fit the caches. */
void ssa_layout_copy(const ssa_tensor_header *header, void *to, const int64_t *to_strides, const void *from,
                     const int64_t *from_strides);

/* The same between the packed array that the header describes and any strides. */
void ssa_layout_pack(const ssa_tensor_header *header, void *packed, const void *from, const int64_t *from_strides);
void ssa_layout_unpack(const ssa_tensor_header *header, const void *packed, void *to, const int64_t *to_strides);

/* A packed array of the header's order into one of the order `to_order`. */
void ssa_layout_reorder(const ssa_tensor_header *header, void *to, ssa_order to_order, const void *packed);

/* Nested pointers: for n dimensions n - 1 levels of arrays of pointers (T*** for three), of which the last points to
 * rows of shape[n - 1] elements; with one dimension the elements themselves, without any the one element.
 * SSA_EARGUMENT: a pointer on the way is NULL (where there are elements behind it); part may be written then. */
ssa_status ssa_layout_pack_nested(const ssa_tensor_header *header, void *packed, const void *nested);
ssa_status ssa_layout_unpack_nested(const ssa_tensor_header *header, const void *packed, void *nested);

/* To rows without elements: as many as a program may want to walk. More of them are asked for by a header alone, which takes
 * no longer to send. Other arrays have in no level more pointers than elements. */
#define SSA_LAYOUT_EMPTY_POINTERS ((size_t)1 << 20)

/* Allocates the pointers over a packed row-major array, in one piece that ssa_release frees; *nested is what a T***
 * variable takes. With fewer than two dimensions *nested is packed itself and *allocation is NULL. SSA_ENOMEM; SSA_ELIMIT:
 * there are no elements, and more pointers than that. */
ssa_status ssa_layout_nested_new(const ssa_tensor_header *header, void *packed, void **nested, void **allocation);

#endif
