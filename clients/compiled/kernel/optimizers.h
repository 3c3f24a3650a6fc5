/* An optimizer's step on `count` parameters (a multiple of PAD) that lie in a row, with their gradients and states.
 *
 * The formulas are those of common/scenario/optimizers.py and clients/regularization/weights.py.
 */
#ifndef OPTIMIZERS_H
#define OPTIMIZERS_H

#include "functions.h"
#include "work.h"

/* A client's constants in one step. */
typedef struct {
    float rate, first, second, eps, l1, l2, clip_value;
    float rest, other; /* 1 − first, 1 − second */
    float keep;  /* 1 − η λ of regularization's decay, for what is regularized */
    float decay; /* 1 − η λ of AdamW's, for all */
    float length, root; /* Adam's η / (1 − β1^t) and 1 / √(1 − β2^t) */
} Step;

INLINE double power(double base, int64_t exponent) {
    double result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1) result *= base;
    return result;
}

/* Step t = 0, 1, … of a client's life with its constants. */
static Step step_of(const Work *work, const double *own, double rate, int64_t t) {
    Step step = {.rate = (float)rate, .first = (float)own[FIRST], .second = (float)own[SECOND],
                 .rest = (float)(1 - own[FIRST]), .other = (float)(1 - own[SECOND]),
                 .eps = (float)own[EPS], .l1 = (float)own[L1], .l2 = (float)own[L2],
                 .clip_value = (float)own[CLIP_VALUE], .keep = (float)(1 - rate * own[WEIGHT_DECAY]),
                 .decay = (float)(1 - rate * own[OPTIMIZER_DECAY])};
    if (work->optimizer == ADAM || work->optimizer == ADAMW) {
        step.length = (float)(rate / (1 - power(own[FIRST], t + 1)));
        step.root = (float)(1 / __builtin_sqrt(1 - power(own[SECOND], t + 1)));
    }
    return step;
}

/* Adds the penalties' gradients and cuts each number, as far as a client's constants say so. */
static void shape_gradient(const Step *step, int regularized, const float *restrict w, float *restrict g, long count) {
    const float l1 = step->l1, l2 = step->l2, limit = step->clip_value;
    if (regularized && l1 != 0)
        for (long i = 0; i < count; i++) g[i] += l1 * (float)((w[i] > 0) - (w[i] < 0));
    if (regularized && l2 != 0)
        for (long i = 0; i < count; i++) g[i] += l2 * w[i];
    if (limit > 0)
        for (long i = 0; i < count; i++) {
            const float low = g[i] < -limit ? -limit : g[i];
            g[i] = low > limit ? limit : low;
        }
}

#define EACH(statement) for (long i = 0; i < count; i++) { const float gi = g[i]; statement; }

static void descend(const Work *work, const Step *step, int regularized, float *restrict w, const float *restrict g,
                    float *restrict s, float *restrict r, long count) {
    const float rate = step->rate, first = step->first, second = step->second, eps = step->eps;
    const float rest = step->rest, other = step->other, length = step->length, root = step->root, decay = step->decay;
    if (regularized && step->keep != 1)
        for (long i = 0; i < count; i++) w[i] *= step->keep;
    switch (work->optimizer) {
    case SGD:
        if (!work->states) EACH(w[i] -= rate * gi)
        else if (work->nesterov) EACH(s[i] = first * s[i] + gi; w[i] -= rate * (gi + first * s[i]))
        else EACH(s[i] = first * s[i] + gi; w[i] -= rate * s[i])
        break;
    case MOMENTUM:
        EACH(s[i] = first * s[i] + rate * gi; w[i] -= s[i])
        break;
    case AVERAGED_MOMENTUM:
        EACH(s[i] = s[i] + rest * (gi - s[i]); w[i] -= rate * s[i])
        break;
    case ADAGRAD:
        EACH(s[i] += gi * gi; w[i] -= rate * (gi / (__builtin_sqrtf(s[i]) + eps)))
        break;
    case RMSPROP:
        if (work->states == 1) EACH(s[i] = first * s[i] + rest * (gi * gi);
                                    w[i] -= rate * (gi / (__builtin_sqrtf(s[i]) + eps)))
        else EACH(s[i] = first * s[i] + rest * (gi * gi);
                  r[i] = second * r[i] + gi / (__builtin_sqrtf(s[i]) + eps); w[i] -= rate * r[i])
        break;
    case ADAM:
    case ADAMW: /* Adam's decay is 1 */
        EACH(s[i] = first * s[i] + rest * gi; r[i] = second * r[i] + other * (gi * gi);
             w[i] = w[i] * decay - length * (s[i] / (__builtin_sqrtf(r[i]) * root + eps)))
        break;
    }
}

#undef EACH
#endif
