/* What follows a hidden layer: values z become f(z) in place, slopes get f'(z). `count` is a multiple of PAD. */
#ifndef ACTIVATIONS_H
#define ACTIVATIONS_H

#include "functions.h"
#include "work.h"

#define EACH(statement) \
    for (long i = 0; i < count; i++) { const float z = values[i]; float f, slope; statement; values[i] = f, slopes[i] = slope; }

static void activate(int64_t activation, float steepness, float *restrict values, float *restrict slopes, long count) {
    switch (activation) {
    case RELU: /* NaN stays NaN; like PyTorch's, the derivative at 0 is 0 */
        EACH(f = z < 0 ? 0 : z; slope = z > 0 ? 1 : 0)
        break;
    case LEAKY_RELU:
        EACH(f = z > 0 ? z : z * steepness; slope = z > 0 ? 1 : steepness)
        break;
    case TANH:
        EACH(f = tanh_(z); slope = 1 - f * f)
        break;
    case SIGMOID:
        EACH(f = sigmoid_(z); slope = f * (1 - f))
        break;
    case GELU: /* z Φ(z); its derivative is Φ(z) + z φ(z) */
        EACH(const float share = 0.5f * (1 + erf_(z * 0.70710678f)); f = z * share;
             slope = share + z * 0.39894228f * exp_(-0.5f * z * z))
        break;
    case SILU:
        EACH(const float s = sigmoid_(z); f = z * s; slope = s + f * (1 - s))
        break;
    }
}

#undef EACH
#endif
