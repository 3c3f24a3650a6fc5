/* For x86 processors with AVX-512. */
#ifdef __x86_64__
#if defined(PORTABLE)
#elif defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx2,fma")
#endif
#define LANES 16
#include "train.h"

int train_16(const Work *work) { return train(work); }

#if defined(__clang__) && !defined(PORTABLE)
#pragma clang attribute pop
#endif
#endif
