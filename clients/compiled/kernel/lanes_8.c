/* For x86 processors with AVX2 and FMA. */
#ifdef __x86_64__
#if defined(PORTABLE)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#define LANES 8
#include "train.h"

int train_8(const Work *work) { return train(work); }

#if defined(__clang__) && !defined(PORTABLE)
#pragma clang attribute pop
#endif
#endif
