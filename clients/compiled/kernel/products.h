/* The operations that the time goes into.
 *
 * Each number of a result is one chain of multiply-adds in a fixed order, over a row's features or over a
 * batch's rows. So its bits depend neither on the vectors' width nor on how the work is cut into tiles.
 *
 * Matrices lie in rows padded to PAD numbers, but for weights, which lie in strips of PAD columns: one strip's rows one
 * after the other, then the next strip's. What a tile needs of them is then read and written in one piece.
 */
#ifndef PRODUCTS_H
#define PRODUCTS_H

#include "lanes.h"

#define PANEL (2 * LANES)
#define DEPTH 256 /* features taken at once: a tile's share of a batch then stays in the first-level cache */
#if LANES == 16
#define TILE 12 /* rows of a batch whose results are held in registers, two vectors each */
#else
#define TILE 6
#endif

/* Where the numbers of a matrix lie: row r, column c at r * row + c / PAD * strip + c % PAD. */
typedef struct { long row, strip; } Form;

INLINE Form in_rows(long ld) { return (Form){ld, PAD}; }
INLINE Form in_strips(long rows) { return (Form){PAD, rows * PAD}; }
INLINE long place(Form form, long row, long column) {
    return row * form.row + column / PAD * form.strip + column % PAD;
}

/* out[b, :] = start[b, :] + sum over k of x[b, k] w[k, :], for `rows` rows and `vectors` vectors.
 *
 * The vectors of w and out are `wide` and `apart` numbers from each other; `depth` begins at a multiple of PAD of x.
 */
INLINE void product_tile(const int rows, const int vectors, const float *x, Form xf, const float *w, long ldw, long wide,
                         long depth, const float *start, long lds, float *out, long ldo) {
    Vector sum[TILE][2];
#pragma GCC unroll 16
    for (int b = 0; b < rows; b++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) sum[b][v] = LOAD(start + b * lds + v * LANES);
    for (long left = depth; left > 0; left -= PAD, x += xf.strip)
        for (long k = 0; k < least(PAD, left); k++, w += ldw) {
            Vector weights[2];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) weights[v] = LOAD(w + v * wide);
#pragma GCC unroll 16
            for (int b = 0; b < rows; b++) {
                const Vector s = SPLAT(x[b * xf.row + k]);
#pragma GCC unroll 2
                for (int v = 0; v < vectors; v++) sum[b][v] = FMA(s, weights[v], sum[b][v]);
            }
        }
#pragma GCC unroll 16
    for (int b = 0; b < rows; b++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) STORE(out + b * ldo + v * LANES, sum[b][v]);
}

/* w[k, :] = (fresh ? 0 : w[k, :]) + sum over b of x[b, k] d[b, :], for `rows` rows and `vectors` vectors. */
INLINE void outer_tile(const int rows, const int vectors, int fresh, const float *x, long ldx, const float *d,
                       long ldd, float *w, long wide, long depth) {
    Vector delta[TILE][2];
#pragma GCC unroll 16
    for (int b = 0; b < rows; b++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) delta[b][v] = LOAD(d + b * ldd + v * LANES);
    for (long k = 0; k < depth; k++, w += PAD) {
        Vector sum[2];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) sum[v] = fresh ? SPLAT(0.0f) : LOAD(w + v * wide);
#pragma GCC unroll 16
        for (int b = 0; b < rows; b++) {
            const Vector s = SPLAT(x[b * ldx + k]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++) sum[v] = FMA(s, delta[b][v], sum[v]);
        }
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++) STORE(w + v * wide, sum[v]);
    }
}

#if LANES == 16
#define ROWS(call) \
    case 1: call(1); break; case 2: call(2); break; case 3: call(3); break; case 4: call(4); break; \
    case 5: call(5); break; case 6: call(6); break; case 7: call(7); break; case 8: call(8); break; \
    case 9: call(9); break; case 10: call(10); break; case 11: call(11); break; case 12: call(12); break;
#else
#define ROWS(call) \
    case 1: call(1); break; case 2: call(2); break; case 3: call(3); break; \
    case 4: call(4); break; case 5: call(5); break; case 6: call(6); break;
#endif

/* How many rows the next tile takes of those that are left: nearly equal tiles. */
INLINE long tile_of(long left) { return left / ((left + TILE - 1) / TILE); }

/* How far the second vector of a panel is from the first: with vectors as wide as a strip it is in the next one. */
INLINE long next_vector(Form form) { return LANES < PAD ? LANES : form.strip; }

/* out (rows, columns) = start + x (rows, depth) · w (depth, columns); `start` is a row for all (lds 0) or a matrix. */
static void product(const float *x, Form xf, long rows, const float *w, Form wf, long depth, long columns,
                    const float *start, long lds, float *out, long ldo) {
    const long wide = next_vector(wf);
    for (long k = 0; k < depth; k += DEPTH) {
        const long deep = least(DEPTH, depth - k);
        for (long n = 0; n < columns; n += PANEL)
            for (long b = 0, taken; b < rows; b += taken) {
                taken = tile_of(rows - b);
                const float *from = x + place(xf, b, k), *panel = w + place(wf, k, n), *first = start + b * lds + n;
                float *to = out + b * ldo + n;
                if (n + PANEL <= columns) switch (taken) {
#define TWO(r) product_tile(r, 2, from, xf, panel, wf.row, wide, deep, first, lds, to, ldo)
                    ROWS(TWO)
#undef TWO
                } else switch (taken) {
#define ONE(r) product_tile(r, 1, from, xf, panel, wf.row, wide, deep, first, lds, to, ldo)
                    ROWS(ONE)
#undef ONE
                }
            }
        start = out, lds = ldo;
    }
}

/* w (depth, columns), in strips that are `strip` apart, = (fresh ? 0 : w) + transposed x (rows, depth) · d (rows, columns). */
static void outer(const float *x, long ldx, long rows, const float *d, long ldd, float *w, long strip, long depth,
                  long columns, int fresh) {
    const Form form = {PAD, strip};
    const long wide = next_vector(form);
    for (long k = 0; k < depth; k += DEPTH) {
        const long deep = least(DEPTH, depth - k);
        for (long n = 0; n < columns; n += PANEL)
            for (long b = 0, taken; b < rows; b += taken) {
                taken = tile_of(rows - b);
                const int anew = fresh && b == 0;
                const float *from = x + b * ldx + k, *delta = d + b * ldd + n;
                float *to = w + place(form, k, n);
                if (n + PANEL <= columns) switch (taken) {
#define TWO(r) outer_tile(r, 2, anew, from, ldx, delta, ldd, to, wide, deep)
                    ROWS(TWO)
#undef TWO
                } else switch (taken) {
#define ONE(r) outer_tile(r, 1, anew, from, ldx, delta, ldd, to, wide, deep)
                    ROWS(ONE)
#undef ONE
                }
            }
    }
}

/* Eight rows of eight, transposed in registers. */
INLINE void transpose_block(const float *from, long ldf, float *to, long ldt) {
    Eight r[8], s[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) __builtin_memcpy(&r[i], from + i * ldf, sizeof(Eight));
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        s[i] = SHUFFLE(r[i], r[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        s[i + 1] = SHUFFLE(r[i], r[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 8; i++)
        if (!(i & 2)) {
            r[i] = SHUFFLE(s[i], s[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            r[i + 2] = SHUFFLE(s[i], s[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        const Eight low = SHUFFLE(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        const Eight high = SHUFFLE(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
        __builtin_memcpy(to + i * ldt, &low, sizeof(Eight));
        __builtin_memcpy(to + (i + 4) * ldt, &high, sizeof(Eight));
    }
}

/* to (columns, rows) = transposed from (rows, columns). */
static void transpose(const float *from, long ldf, long rows, long columns, float *to, long ldt) {
    for (long c = 0; c < columns; c += 8) /* what is written lies farther away than what is read: as it lies */
        for (long r = 0; r < rows; r += 8)
            if (r + 8 <= rows && c + 8 <= columns)
                transpose_block(from + r * ldf + c, ldf, to + c * ldt + r, ldt);
            else
                for (long i = r; i < least(r + 8, rows); i++)
                    for (long j = c; j < least(c + 8, columns); j++) to[j * ldt + i] = from[i * ldf + j];
}

#endif
