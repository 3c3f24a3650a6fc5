/* Vectors of LANES floats, with a fused multiply-add where the processor has one. */
#ifndef LANES_H
#define LANES_H

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#define PAD 16 /* rows of weights and activations are padded to this, whatever the vectors' width */
#define INLINE static inline __attribute__((always_inline))

INLINE long least(long a, long b) { return a < b ? a : b; }
INLINE long padded(long n) { return (n + PAD - 1) / PAD * PAD; }

/* How far rows of n numbers lie apart: where that were a multiple of 512 bytes, many rows would fall on few cache lines. */
INLINE long lead(long n) { return padded(n) + (padded(n) % 128 ? 0 : PAD); }

typedef float Vector __attribute__((vector_size(4 * LANES), may_alias));
typedef int Ints __attribute__((vector_size(4 * LANES), may_alias));
typedef float Eight __attribute__((vector_size(32), may_alias));

#define LOAD(p) (*(const Vector *)(p))
#define STORE(p, v) (*(Vector *)(p) = (v))

#if LANES == 16 && !defined(PORTABLE)
#define SPLAT(s) ((Vector)_mm512_set1_ps(s))
#define FMA(a, b, c) ((Vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#elif LANES == 8 && !defined(PORTABLE)
#define SPLAT(s) ((Vector)_mm256_set1_ps(s))
#define FMA(a, b, c) ((Vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#elif defined(__ARM_FEATURE_FMA) && !defined(PORTABLE)
#define SPLAT(s) ((Vector)vdupq_n_f32(s))
#define FMA(a, b, c) ((Vector)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#else /* whatever the processor: for those without the instruction, and for tests of every width */
#define SPLAT(s) ((Vector)((s) - (Vector){0}))
#define FMA(a, b, c) fused(a, b, c)

typedef double Doubles __attribute__((vector_size(8 * LANES)));
typedef long long Longs __attribute__((vector_size(8 * LANES)));

/* a b + c rounded once: the product is exact in double, the sum is rounded to odd there, so that rounding it to float is
 * as if it had been exact (Boldo and Melquiond 2008). */
INLINE Vector fused(Vector a, Vector b, Vector c) {
    const Doubles product = __builtin_convertvector(a, Doubles) * __builtin_convertvector(b, Doubles);
    const Doubles other = __builtin_convertvector(c, Doubles), sum = product + other, back = sum - product;
    const Doubles lost = (product - (sum - back)) + (other - back); /* what rounding the sum has lost, exactly */
    const Longs bits = (Longs)sum, even = (bits & 1) - 1, opposite = ((Longs)lost ^ bits) >> 63; /* all bits where so */
    const Longs inexact = (Longs)(lost > 0) | (Longs)(lost < 0);
    const Doubles odd = (Doubles)(bits + (inexact & even & (1 | opposite)));
    return __builtin_convertvector(odd, Vector);
}
#endif

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int EightInts __attribute__((vector_size(32)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (EightInts){__VA_ARGS__})
#endif

#endif
