// Vectors of 16 floats, and memory for them.
#pragma once
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#ifndef __AVX512VNNI__
#error "needs AVX-512 with VNNI"
#endif

constexpr int LANES = 16;
constexpr int GROUP = 32;  // columns that share a scale
using floats = __m512;

inline floats from_half(const uint8_t* p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p)); }

inline floats from_bfloat16(const uint16_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16));
}

// to the nearest, ties to even
inline uint16_t to_bfloat16(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
}

// e^x for x <= 0, relative error below 2e-7 (Cody-Waite reduction, polynomial of degree 6)
inline floats exponential(floats x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    floats n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    floats r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693145752f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(1.42860677e-6f), r);
    floats p = _mm512_set1_ps(1.0f / 720);
    for (float c : {1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f}) p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(c));
    return _mm512_scalef_ps(p, n);
}

inline floats silu(floats x) {
    floats e = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x)));
    floats one = _mm512_set1_ps(1.0f);
    // x sigmoid(x); with e = e^-|x| nothing overflows
    __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    floats numerator = _mm512_mask_blend_ps(negative, one, e);
    return _mm512_div_ps(_mm512_mul_ps(x, numerator), _mm512_add_ps(one, e));
}

struct Free {
    void operator()(void* p) const { std::free(p); }
};

template <class T>
struct Buffer {  // uninitialized, aligned to a cache line
    std::unique_ptr<T, Free> memory;
    explicit Buffer(size_t count) : memory((T*)std::aligned_alloc(64, (count * sizeof(T) + 64) / 64 * 64)) {
        if (!memory) throw std::bad_alloc();
    }
    T* at(size_t index) const { return memory.get() + index; }
};
