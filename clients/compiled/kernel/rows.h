/* Rows of the data as the network sees them. */
#ifndef ROWS_H
#define ROWS_H

#include <string.h>

#include "work.h"

#define CONVERT(type) \
    { const type *row = (const type *)work->x + position * width; for (long k = 0; k < width; k++) out[k] = (float)row[k]; }

/* The row at a position of the data for a client: gaps filled, then (x − shift) / scale, in `out`. */
static void read_row(const Work *work, long client, int64_t position, float *restrict out) {
    const long width = work->widths[0];
    switch (work->kind) {
    case BYTES: CONVERT(uint8_t) break;
    case DOUBLES: CONVERT(double) break;
    default: memcpy(out, (const float *)work->x + position * width, (size_t)width * sizeof(float));
    }
    if (work->fill) {
        const float *fill = work->fill + client * work->fill_stride;
        for (long k = 0; k < width; k++) out[k] = out[k] == out[k] ? out[k] : fill[k];
    }
    if (work->shift)
        for (long k = 0; k < width; k++) out[k] -= work->shift[k];
    if (work->scale)
        for (long k = 0; k < width; k++) out[k] /= work->scale[k];
}

#undef CONVERT
#endif
