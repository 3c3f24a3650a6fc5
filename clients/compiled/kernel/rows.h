/* Rows of the data as the network sees them. */
#ifndef ROWS_H
#define ROWS_H

#include <string.h>

#include "work.h"

/* The row at a position of the data for a client: gaps filled, then (x − shift) / scale, in `out`.
 *
 * Rows of doubles are rounded last, others are floats from the start: as common/data/transform.py does it. */
#define READ(type, number) \
    { \
        const type *row = (const type *)work->x + position * width; \
        const double *fill = work->fill ? work->fill + client * work->fill_stride : NULL; \
        for (long k = 0; k < width; k++) { \
            number x = (number)row[k]; \
            if (fill) x = x == x ? x : (number)fill[k]; \
            if (work->shift) x -= (number)work->shift[k]; \
            if (work->scale) x /= (number)work->scale[k]; \
            out[k] = (float)x; \
        } \
    }

static void read_row(const Work *work, long client, int64_t position, float *restrict out) {
    const long width = work->widths[0];
    const int plain = !work->fill && !work->shift && !work->scale;
    switch (work->kind) {
    case BYTES: READ(uint8_t, float) break;
    case DOUBLES: READ(double, double) break;
    default:
        if (plain) memcpy(out, (const float *)work->x + position * width, (size_t)width * sizeof(float));
        else READ(float, float)
    }
}

#undef READ
#endif
