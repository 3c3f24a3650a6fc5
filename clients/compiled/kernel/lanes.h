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

#if LANES == 16
#define SPLAT(s) ((Vector)_mm512_set1_ps(s))
#define FMA(a, b, c) ((Vector)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#elif LANES == 8
#define SPLAT(s) ((Vector)_mm256_set1_ps(s))
#define FMA(a, b, c) ((Vector)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#else
#define SPLAT(s) ((Vector){(s), (s), (s), (s)})
#ifdef __ARM_FEATURE_FMA
#define FMA(a, b, c) ((Vector)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif
#endif

#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int EightInts __attribute__((vector_size(32)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (EightInts){__VA_ARGS__})
#endif

#endif
