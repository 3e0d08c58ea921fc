/* The fast part of changing between row- and column-major: two axes, each of which is contiguous on one side. */
#ifndef SSA_TRANSPOSE_H
#define SSA_TRANSPOSE_H

#include <stddef.h>
#include <stdint.h>

/* Element (r, c) is read at from + r * from_step + c * size and written at to + r * size + c * to_step. */
typedef struct ssa_plane {
    int64_t to_step, from_step;
    uint64_t rows, columns;
    size_t size;       /* bytes an element: ssa_transpose_takes */
    int past_caches;   /* what is written will not be read soon: all in all it is larger than the caches */
    int shifted;       /* not every place (0, c), here and in planes beside it, begins a line of the caches */
} ssa_plane;

int ssa_transpose_takes(size_t size);

/* The work is cut into strips of so many rows: planes that lie side by side are best done strip by strip, so that
 * each row of `from` is read on and on. */
uint64_t ssa_transpose_strip_rows(const ssa_plane *plane);

/* The strip that begins at `row`, a multiple of ssa_transpose_strip_rows. */
void ssa_transpose_strip(const ssa_plane *plane, char *to, const char *from, uint64_t row);

/* After the last strip: before this, others may not see what was written past the caches. */
void ssa_transpose_finish(const ssa_plane *plane);

#endif
