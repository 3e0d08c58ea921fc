/* What the fuzz targets share: reading decisions from the input, and a check that stops at once.
 *
 * A target is LLVMFuzzerTestOneInput in a file of its own; libFuzzer or standalone.c calls it. It has no state from one
 * input to the next, so that an input that fails once fails always. */
#ifndef SSA_FUZZ_H
#define SSA_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);      \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

/* The next byte; 0 after the end. */
static inline unsigned input_byte(input *in) {
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

static inline unsigned input_word(input *in) {
    unsigned high = input_byte(in);
    return high << 8 | input_byte(in);
}

/* Mostly short, sometimes long: what a size should be. At most `most`. */
static inline size_t input_size(input *in, size_t most) {
    unsigned byte = input_byte(in);
    size_t size = byte < 240 ? byte : (size_t)(byte - 239) * 4133;
    return size < most ? size : most;
}

/* A cheap sequence of pieces: the next of them, 1 to `most`. */
static inline size_t next_piece(uint32_t *state, size_t most) {
    *state = *state * 1664525u + 1013904223u;
    unsigned shape = *state >> 28;
    size_t piece = shape < 8 ? 1 + (*state >> 16) % 4 : shape < 14 ? 1 + (*state >> 16) % 100 : most;
    return piece < most ? piece : most;
}

#endif
