/* Elementary functions of our own, so that every C library gives the same bits and loops over them are vectorised.
 *
 * The polynomials were fitted for the smallest largest error; all results are good to 3e-7 of their size.
 */
#ifndef FUNCTIONS_H
#define FUNCTIONS_H

#include <stdint.h>

#include "lanes.h"

INLINE uint32_t bits_of(float x) { uint32_t b; __builtin_memcpy(&b, &x, 4); return b; }
INLINE float of_bits(uint32_t b) { float x; __builtin_memcpy(&x, &b, 4); return x; }

/* e^x = 2^k e^r with |r| <= ln 2 / 2; 0 below the smallest normal number, infinite above the largest. */
INLINE float exp_(float x) {
    const float shifted = x * 1.44269504f + 12582912.0f; /* 1.5 · 2^23: k lands in the last bits */
    const float k = shifted - 12582912.0f;
    const float r = (x - k * 0.693359375f) + k * 2.12194440e-4f; /* ln 2 in two parts */
    const float q = 0.5f + r * (0.16666518f + r * (0.041666206f + r * (0.00836889f + r * 0.0013950492f)));
    const float e = of_bits(bits_of(1.0f + (r + r * r * q)) + (bits_of(shifted) << 23));
    const float high = x > 88.3f ? __builtin_inff() : e;
    const float low = x < -87.3f ? 0.0f : high;
    return x != x ? x : low;
}

/* ln x for x from the smallest normal number on; infinity and NaN stay what they are. */
INLINE float log_(float x) {
    const uint32_t b = bits_of(x) - 0x3f3504f3u; /* sqrt(1/2): the mantissa lies around 1 */
    const float k = (float)((int32_t)b >> 23), f = of_bits((b & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    const float p = 0.33333316f + f * (-0.2500081f + f * (0.20002286f + f * (-0.16624554f + f * (0.14181192f
                  + f * (-0.13128754f + f * (0.12881649f + f * -0.07859615f))))));
    const float y = k * 0.693359375f + (f + (f * f * (f * p - 0.5f) - k * 2.12194440e-4f));
    return x < __builtin_inff() ? y : x;
}

INLINE float sigmoid_(float x) { return 1.0f / (1.0f + exp_(-x)); }

INLINE float tanh_(float x) {
    const float z = x * x;
    const float p = -0.33333263f + z * (0.13330899f + z * (-0.053692967f + z * (0.020483317f + z * -0.0055286335f)));
    const float large = 1.0f - 2.0f / (exp_(2.0f * x) + 1.0f);
    return z < 0.4225f ? x + x * z * p : large;
}

/* The error function: a series near 0, 1 − e^−q(|x|) beyond 1. */
INLINE float erf_(float x) {
    const float z = x * x, a = __builtin_fabsf(x), y = a < 4.0f ? a : 4.0f;
    const float p = 1.1283791f + z * (-0.37612626f + z * (0.112836f + z * (-0.026854444f + z * (0.0051895357f
                  + z * (-0.0008020842f + z * 7.889123e-05f)))));
    const float q = -0.00018803703f + y * (1.1295784f + y * (0.6332199f + y * (0.108418554f + y * (-0.02520824f
                  + y * (0.0042045563f + y * (-0.00044133532f + y * 2.1686767e-05f))))));
    const float large = 1.0f - exp_(-q);
    return a < 1.0f ? x * p : x > 0 ? large : x < 0 ? -large : x;
}

#endif
