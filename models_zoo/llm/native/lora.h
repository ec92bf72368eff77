// Low-rank additions (Hu et al., 2021), each row with its own adapter or none.
#pragma once
#include "simd.h"

constexpr int MAX_RANK = 64;

// By layer * 4 + linear (qkv, output, gate_up, down), null where the adapter does not reach:
// shrink bfloat16 [parts * rank / 16][in][16], expand bfloat16 [out / 16][rank][16].
struct Adapter {
    int32_t rank;
    const uint16_t* const* shrink;
    const uint16_t* const* expand;
};

// Up to 4 rows of one adapter times 16 of its ranks: a [in][16]. Four sums a row, the same whatever the count.
template <int T>
void shrink_rows(const uint16_t* a, const float* x, int columns, float* out, int stride) {
    floats sum[T][4];
    for (auto& row : sum)
        for (auto& part : row) part = _mm512_setzero_ps();
    for (int k = 0; k < columns; k += 4)
        for (int j = 0; j < 4; j++) {
            floats weight = from_bfloat16(a + (k + j) * LANES);
#pragma GCC unroll 4
            for (int t = 0; t < T; t++)
                sum[t][j] = _mm512_fmadd_ps(_mm512_set1_ps(x[t * columns + k + j]), weight, sum[t][j]);
        }
    for (int t = 0; t < T; t++)
        _mm512_storeu_ps(out + t * stride,
                         _mm512_add_ps(_mm512_add_ps(sum[t][0], sum[t][1]), _mm512_add_ps(sum[t][2], sum[t][3])));
}

inline void shrink(const uint16_t* a, const float* x, int columns, int count, float* out, int stride) {
    for (; count >= 4; count -= 4, x += 4 * columns, out += 4 * stride) shrink_rows<4>(a, x, columns, out, stride);
    for (; count > 0; count--, x += columns, out += stride) shrink_rows<1>(a, x, columns, out, stride);
}

// Adds 16 outputs of each row's adapter to y.
struct Expand {
    const Adapter* const* adapters;  // by row, null for none
    const float* shrunk;             // [rows][stride]
    int stride, linear;              // linear: layer * 4 + which

    void operator()(int panel, int part, size_t first, int count, floats* y) const {
        const uint16_t* held = nullptr;
        floats weight[MAX_RANK];
        for (int t = 0; t < count; t++) {
            const Adapter* adapter = adapters[first + t];
            if (!adapter || !adapter->expand[linear]) continue;
            int rank = adapter->rank;
            const uint16_t* b = adapter->expand[linear] + (size_t)panel * rank * LANES;
            if (b != held)
                for (int r = 0; r < rank; r++) weight[r] = from_bfloat16(b + r * LANES);
            held = b;
            const float* row = shrunk + (first + t) * stride + part * rank;
            floats sum[2] = {y[t], _mm512_setzero_ps()};
            for (int r = 0; r < rank; r += 2) {
                sum[0] = _mm512_fmadd_ps(_mm512_set1_ps(row[r]), weight[r], sum[0]);
                sum[1] = _mm512_fmadd_ps(_mm512_set1_ps(row[r + 1]), weight[r + 1], sum[1]);
            }
            y[t] = _mm512_add_ps(sum[0], sum[1]);
        }
    }
};
