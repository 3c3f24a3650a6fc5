/* The losses of a batch's rows, and their derivatives d by the outputs z.
 *
 * Rows lie along the vectors, for outputs are often fewer than a vector holds: matrices are (width, ld), one of the
 * outputs after the other, ld the rows padded to PAD. What is computed beyond the rows is of no use.
 */
#ifndef LOSSES_H
#define LOSSES_H

#include "functions.h"
#include "work.h"

typedef struct {
    long rows, ld, width;
    float *z, *d, *targets;      /* (width, ld); z is changed on the way, cross-entropy needs no targets */
    const int64_t *labels;       /* each row's class, for cross-entropy and where classes have weights */
    float *losses;               /* (ld) */
    float *largest, *sums, *own; /* (ld): what is known of each row on the way */
} Outcome;

/* For each output j and each row b. */
#define EACH(statement) \
    for (long j = 0; j < o->width; j++) { \
        float *restrict z = o->z + j * ld, *restrict d = o->d + j * ld; \
        const float *restrict t = o->targets + j * ld; \
        (void)z, (void)d, (void)t; \
        for (long b = 0; b < ld; b++) { statement; } \
    }

/* z becomes softmax(z) = e^(z − m) / s, with m in `largest` and s in `sums`. */
static void softmax(const Outcome *o) {
    const long ld = o->ld;
    float *restrict largest = o->largest, *restrict sums = o->sums;
    for (long b = 0; b < ld; b++) largest[b] = o->z[b], sums[b] = 0;
    EACH(largest[b] = z[b] > largest[b] ? z[b] : largest[b])
    EACH(z[b] = exp_(z[b] - largest[b]); sums[b] += z[b])
    EACH(z[b] /= sums[b])
}

/* −Σ t w log softmax(z): t the class and its smoothing, w the classes' weights. */
static void cross_entropy(const Work *work, const Outcome *o) {
    const long ld = o->ld;
    const float *weights = work->class_weights;
    const float spread = (float)(work->smoothing / (double)o->width), rest = (float)(1.0 - work->smoothing);
    float *restrict losses = o->losses, *restrict all = o->own;
    for (long b = 0; b < o->rows; b++) {
        all[b] = rest * (weights ? weights[o->labels[b]] : 1.0f);
        losses[b] = -all[b] * o->z[o->labels[b] * ld + b];
    }
    EACH(d[b] = 0)
    for (long b = 0; b < o->rows; b++) o->d[o->labels[b] * ld + b] = all[b];
    if (spread > 0)
        EACH(const float more = spread * (weights ? weights[j] : 1.0f);
             losses[b] -= more * z[b]; d[b] += more; all[b] += more)
    softmax(o);
    for (long b = 0; b < ld; b++) losses[b] += all[b] * (o->largest[b] + log_(o->sums[b]));
    EACH(d[b] = all[b] * z[b] - d[b])
}

/* The mean over z of log(1 + e^z) − t z, t moved towards 1/2 by smoothing. */
static void binary_cross_entropy(const Work *work, const Outcome *o) {
    const long ld = o->ld;
    const float smoothing = (float)work->smoothing;
    float *restrict losses = o->losses, *restrict each = o->own;
    for (long b = 0; b < ld; b++) losses[b] = 0, each[b] = 1.0f / (float)o->width;
    for (long b = 0; work->class_weights && b < o->rows; b++)
        each[b] = work->class_weights[o->labels[b]] / (float)o->width;
    EACH(const float towards = t[b] * (1 - smoothing) + smoothing * 0.5f;
         losses[b] += (z[b] > 0 ? z[b] : 0) - z[b] * towards + log_(1 + exp_(-__builtin_fabsf(z[b])));
         d[b] = (sigmoid_(z[b]) - towards) * each[b])
    for (long b = 0; b < ld; b++) losses[b] *= each[b];
}

/* The mean over a target's numbers t of a function of h(z) − t. */
static void of_difference(const Work *work, const Outcome *o) {
    const long ld = o->ld;
    const float each = 1.0f / (float)o->width, delta = (float)work->delta, twice = work->loss == MSE ? 2 : 1;
    const int huber = work->loss == HUBER;
    float *restrict losses = o->losses, *restrict along = o->own;
    for (long b = 0; b < ld; b++) losses[b] = 0, along[b] = 0;
    if (work->output == SOFTMAX_OUTPUT) softmax(o);
    if (work->output == SIGMOID_OUTPUT) EACH(z[b] = sigmoid_(z[b]))
    EACH(const float e = z[b] - t[b]; const float size = __builtin_fabsf(e); const int beyond = huber & (size > delta);
         losses[b] += beyond ? delta * (size - 0.5f * delta) : 0.5f * twice * e * e;
         d[b] = (beyond ? (e > 0 ? delta : -delta) : twice * e) * each)
    if (work->output == SIGMOID_OUTPUT) EACH(d[b] *= z[b] * (1 - z[b]))
    if (work->output == SOFTMAX_OUTPUT) {
        EACH(along[b] += d[b] * z[b])
        EACH(d[b] = z[b] * (d[b] - along[b]))
    }
    for (long b = 0; b < ld; b++) losses[b] *= each;
}

/* Each row's loss, and d times `scale`. */
static void losses_of(const Work *work, const Outcome *o, float scale) {
    const long ld = o->ld;
    switch (work->loss) {
    case CROSS_ENTROPY: cross_entropy(work, o); break;
    case BINARY_CROSS_ENTROPY: binary_cross_entropy(work, o); break;
    default: of_difference(work, o);
    }
    EACH(d[b] *= scale)
}

#undef EACH
#endif
