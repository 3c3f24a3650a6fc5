/* Normalization of a hidden layer's outputs z, in place: y = gain x + shift with x = (z - mean) / sqrt(variance + eps).
 *
 * Batch normalization (Ioffe and Szegedy 2015, algorithm 1) takes mean and variance over a batch's rows, for each unit;
 * layer normalization (Ba et al. 2016, equation 3) over a row's units. Sums over rows run in their order, those over
 * units in PAD partial sums, whatever the vectors' width.
 */
#ifndef NORMALIZATION_H
#define NORMALIZATION_H

#include "trainer.h"

INLINE float root_inverse(float variance, double eps) { return 1.0f / __builtin_sqrtf(variance + (float)eps); }

/* Moves running statistics towards a batch's, the variance with rows - 1 in place of rows. */
static void move_running(const Layer *layer, long rows, double momentum, const float *restrict mean,
                         const float *restrict variance) {
    const float by = (float)momentum, unbiased = (float)((double)rows / (double)(rows - 1));
    float *restrict means = layer->mean, *restrict variances = layer->variance;
    for (long j = 0; j < layer->out; j++) {
        means[j] += by * (mean[j] - means[j]);
        variances[j] += by * (variance[j] * unbiased - variances[j]);
    }
}

/* x of a batch of `rows` rows; `spare` has room for two rows. */
static void normalize_batch(const Work *work, const Layer *layer, const float *z, long rows, float *spare) {
    const long ld = layer->ld, wide = layer->wide;
    const float share = 1.0f / (float)rows;
    float *restrict mean = spare, *restrict variance = spare + wide;
    memset(spare, 0, 2 * (size_t)wide * sizeof(float));
    for (long b = 0; b < rows; b++)
        for (long j = 0; j < wide; j++) mean[j] += z[b * ld + j];
    for (long j = 0; j < wide; j++) mean[j] *= share;
    for (long b = 0; b < rows; b++) {
        float *restrict x = layer->normal + b * ld;
        for (long j = 0; j < wide; j++) x[j] = z[b * ld + j] - mean[j], variance[j] += x[j] * x[j];
    }
    for (long j = 0; j < wide; j++) variance[j] *= share, layer->inverse[j] = root_inverse(variance[j], work->norm_eps);
    for (long b = 0; b < rows; b++)
        for (long j = 0; j < wide; j++) layer->normal[b * ld + j] *= layer->inverse[j];
    if (rows > 1) move_running(layer, rows, work->norm_momentum, mean, variance);
}

/* x in use, by running statistics. */
static void normalize_in_use(const Work *work, const Layer *layer, const float *z, long rows) {
    const float *restrict mean = layer->mean;
    float *restrict inverse = layer->inverse;
    for (long j = 0; j < layer->wide; j++) inverse[j] = root_inverse(layer->variance[j], work->norm_eps);
    for (long b = 0; b < rows; b++) {
        float *restrict x = layer->normal + b * layer->ld;
        for (long j = 0; j < layer->wide; j++) x[j] = (z[b * layer->ld + j] - mean[j]) * inverse[j];
    }
}

INLINE float sum_of(const float *sums) {
    float sum = 0;
    for (long j = 0; j < PAD; j++) sum += sums[j];
    return sum;
}

/* x of each of `rows` rows. What pads a row stays 0. */
static void normalize_rows(const Work *work, const Layer *layer, const float *z, long rows) {
    const long ld = layer->ld, wide = layer->wide, out = layer->out;
    for (long b = 0; b < rows; b++, z += ld) {
        float *restrict x = layer->normal + b * ld, sums[PAD] = {0}, squares[PAD] = {0};
        for (long i = 0; i < wide; i += PAD)
            for (long j = 0; j < PAD; j++) sums[j] += z[i + j];
        const float mean = sum_of(sums) / (float)out;
        for (long j = 0; j < out; j++) x[j] = z[j] - mean;
        for (long i = 0; i < wide; i += PAD)
            for (long j = 0; j < PAD; j++) squares[j] += x[i + j] * x[i + j];
        const float inverse = root_inverse(sum_of(squares) / (float)out, work->norm_eps);
        layer->inverse[b] = inverse;
        for (long j = 0; j < wide; j++) x[j] *= inverse;
    }
}

/* z of `rows` rows becomes y. */
static void normalize(const Trainer *trainer, const Layer *layer, float *z, long rows) {
    const Work *work = trainer->work;
    const long ld = layer->ld, wide = layer->wide;
    const float *gain = trainer->weights + part_at(layer, GAIN), *shift = trainer->weights + part_at(layer, SHIFT);
    if (work->normalization == LAYER_NORMALIZATION) normalize_rows(work, layer, z, rows);
    else if (work->measures) normalize_in_use(work, layer, z, rows);
    else normalize_batch(work, layer, z, rows, trainer->across);
    for (long b = 0; b < rows; b++) {
        float *restrict y = z + b * ld;
        const float *restrict x = layer->normal + b * ld;
        for (long j = 0; j < wide; j++) y[j] = gain[j] * x[j] + shift[j];
    }
}

/* The derivatives by y in `deltas` become those by z; those by gain and shift are put into by_gain.
 *
 * With g = gain dy: dz = (g - mean of g - x mean of g x) / sqrt(variance + eps), means over what was normalized over.
 */
static void normalize_back(const Trainer *trainer, const Layer *layer, long rows) {
    const long ld = layer->ld, wide = layer->wide;
    const float *gain = trainer->weights + part_at(layer, GAIN), *inverse = layer->inverse;
    const int whole = trainer->work->normalization == BATCH_NORMALIZATION;
    float *restrict by_gain = layer->by_gain, *restrict by_shift = layer->by_gain + wide;
    memset(by_gain, 0, 2 * (size_t)wide * sizeof(float));
    for (long b = 0; b < rows; b++) {
        const float *restrict d = layer->deltas + b * ld, *restrict x = layer->normal + b * ld;
        for (long j = 0; j < wide; j++) by_gain[j] += d[j] * x[j], by_shift[j] += d[j];
    }
    const float share = 1.0f / (float)(whole ? rows : layer->out);
    for (long b = 0; b < rows; b++) {
        float *restrict d = layer->deltas + b * ld;
        const float *restrict x = layer->normal + b * ld;
        if (whole) {
            for (long j = 0; j < wide; j++)
                d[j] = gain[j] * inverse[j] * (d[j] - share * by_shift[j] - x[j] * (share * by_gain[j]));
            continue;
        }
        float sums[PAD] = {0}, along[PAD] = {0};
        for (long i = 0; i < wide; i += PAD)
            for (long j = 0; j < PAD; j++) {
                d[i + j] *= gain[i + j];
                sums[j] += d[i + j];
                along[j] += d[i + j] * x[i + j];
            }
        const float mean = share * sum_of(sums), common = share * sum_of(along), by = inverse[b];
        for (long j = 0; j < layer->out; j++) d[j] = by * (d[j] - mean - common * x[j]);
    }
}

#endif
