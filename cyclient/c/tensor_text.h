/* A tensor in words, as numpy spells them: "float64 (2, 3)". */
#ifndef SSA_TENSOR_TEXT_H
#define SSA_TENSOR_TEXT_H

#include "tensor_header.h"

#define SSA_TENSOR_TEXT_BYTES 160 /* longer ones are cut */

/* "float64", "<U5"; "unknown" for a code that is none. */
void ssa_dtype_text(uint8_t dtype, uint32_t itemsize, char *text, size_t room);
void ssa_tensor_text(const ssa_tensor_header *header, char *text, size_t room);

#endif
