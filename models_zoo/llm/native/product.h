// Products of quantized weights with activations of 16 bits, in integers.
#pragma once
#include "simd.h"

// W [rows, columns] in panels of 16 rows. A panel: for each group of 32 columns its codes (4 bits: 256 bytes,
// 8 bits: 512), then for each group the float16 scales of the 16 rows (and, 4 bits, their minima).
// W = scale * code + minimum; 8-bit codes are stored with 128 added, so their minimum is -128 scale.
// Where some rows have 8 bits and others 4, these panels hold the lower four of all, and `more` the upper four of
// those that have them: what row place[r] of it gives is added to row r; -1: nothing.
struct Matrix {
    const uint8_t* data;
    int32_t rows, columns, bits;
    const Matrix* more;
    const int32_t* place;

    int panels() const { return rows / LANES; }
    int groups() const { return columns / GROUP; }
    size_t code_bytes() const { return LANES * GROUP * bits / 8; }
    size_t affine_bytes() const { return bits == 4 ? 4 * LANES : 2 * LANES; }
    const uint8_t* panel(int p) const { return data + p * groups() * (code_bytes() + affine_bytes()); }
};

// Rows of activations, each group of 32 as scale * (256 high + low) with its own scale: 16 bits, so that the
// products are as good as float32's. `sum` is the group's sum, for the minima. 8 rows lie together, so that a
// tile of them is one run of memory.
constexpr int TILE = 8;  // rows at once, as many as registers hold

struct Quantized {
    int groups;
    Buffer<int8_t> codes;      // [rows / 8][groups][8][32 high, 32 low]
    Buffer<float> scale, sum;  // [rows / 8][groups][8]

    Quantized(size_t rows, int columns)
        : groups(columns / GROUP), codes(padded(rows) * columns * 2), scale(padded(rows) * groups),
          sum(padded(rows) * groups) {}

    static size_t padded(size_t rows) { return (rows + TILE - 1) / TILE * TILE; }
    size_t at(size_t row, int group) const { return (row / TILE * groups + group) * TILE + row % TILE; }

    void put(size_t row, int group, floats a, floats b) const {
        float largest = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
        floats inverse = _mm512_set1_ps(largest > 1e-30f ? 32512.0f / largest : 0.0f);
        __m512i q[2] = {_mm512_cvtps_epi32(_mm512_mul_ps(a, inverse)), _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse))};
        size_t at = this->at(row, group);
        for (int half = 0; half < 2; half++) {
            __m512i high = _mm512_srai_epi32(_mm512_add_epi32(q[half], _mm512_set1_epi32(128)), 8);
            __m512i low = _mm512_sub_epi32(q[half], _mm512_slli_epi32(high, 8));
            _mm_storeu_si128((__m128i*)codes.at(at * 64 + half * 16), _mm512_cvtepi32_epi8(high));
            _mm_storeu_si128((__m128i*)codes.at(at * 64 + 32 + half * 16), _mm512_cvtepi32_epi8(low));
        }
        float step = largest / 32512.0f;
        *scale.at(at) = step;
        *sum.at(at) = step * (float)_mm512_reduce_add_epi32(_mm512_add_epi32(q[0], q[1]));
    }

    void put_row(size_t row, const float* x) const {
        for (int g = 0; g < groups; g++) put(row, g, _mm512_loadu_ps(x + g * 32), _mm512_loadu_ps(x + g * 32 + 16));
    }
};

template <int BITS>
inline void unpack(const uint8_t* p, __m512i* w) {
    if constexpr (BITS == 8) {
        for (int j = 0; j < 8; j++) w[j] = _mm512_loadu_si512(p + 64 * j);
    } else {
        __m512i mask = _mm512_set1_epi8(15);
        for (int j = 0; j < 4; j++) {
            __m512i both = _mm512_loadu_si512(p + 64 * j);
            w[j] = _mm512_and_si512(both, mask);
            w[j + 4] = _mm512_and_si512(_mm512_srli_epi16(both, 4), mask);
        }
    }
}

inline __m512i four(const int8_t* x) {
    int32_t codes;
    std::memcpy(&codes, x, 4);
    return _mm512_set1_epi32(codes);
}

// y[t] [16]: a panel times rows `first` .. `first + T - 1`; each row's arithmetic is the same whatever T is
template <int BITS, int T>
void tile(const Matrix& m, const uint8_t* panel, const Quantized& x, size_t first, floats* y) {
    const uint8_t* affine = panel + m.groups() * m.code_bytes();
    constexpr int S = T < 4 ? T : 4, C = 4 / S;  // rows together, sums of each: 8 chains of dependent instructions
    floats sum[T];
    for (int t = 0; t < T; t++) sum[t] = _mm512_setzero_ps();
    const int8_t* code = x.codes.at(x.at(first, 0) * 64);
    const float *scale = x.scale.at(x.at(first, 0)), *total = x.sum.at(x.at(first, 0));
    for (int g = 0; g < x.groups; g++, code += TILE * 64, scale += TILE, total += TILE) {
        __m512i w[8];
        unpack<BITS>(panel + g * m.code_bytes(), w);
        floats d = from_half(affine + g * m.affine_bytes());
        floats low = BITS == 4 ? from_half(affine + g * m.affine_bytes() + 32) : _mm512_mul_ps(d, _mm512_set1_ps(-128.0f));
#pragma GCC unroll 2
        for (int t = 0; t < T; t += S) {
            __m512i high[S][C], rest[S][C];
            for (int s = 0; s < S; s++)
                for (int c = 0; c < C; c++) high[s][c] = rest[s][c] = _mm512_setzero_si512();
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
#pragma GCC unroll 4
                for (int s = 0; s < S; s++) {
                    const int8_t* at = code + (t + s) * 64 + 4 * j;
                    high[s][j % C] = _mm512_dpbusd_epi32(high[s][j % C], w[j], four(at));
                    rest[s][j % C] = _mm512_dpbusd_epi32(rest[s][j % C], w[j], four(at + 32));
                }
#pragma GCC unroll 4
            for (int s = 0; s < S; s++) {
                for (int c = 1; c < C; c++) {
                    high[s][0] = _mm512_add_epi32(high[s][0], high[s][c]);
                    rest[s][0] = _mm512_add_epi32(rest[s][0], rest[s][c]);
                }
                floats value = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high[s][0], 8), rest[s][0]));
                value = _mm512_mul_ps(value, _mm512_set1_ps(scale[t + s]));
                sum[t + s] = _mm512_fmadd_ps(value, d, sum[t + s]);
                sum[t + s] = _mm512_fmadd_ps(low, _mm512_set1_ps(total[t + s]), sum[t + s]);
            }
        }
    }
    for (int t = 0; t < T; t++) y[t] = sum[t];
}

template <int BITS>
void tiles(const Matrix& m, const uint8_t* panel, const Quantized& x, size_t first, int count, floats* y) {
    if (count == 8) return tile<BITS, 8>(m, panel, x, first, y);
    int done = 0;
    if (count & 4) tile<BITS, 4>(m, panel, x, first + done, y + done), done += 4;
    if (count & 2) tile<BITS, 2>(m, panel, x, first + done, y + done), done += 2;
    if (count & 1) tile<BITS, 1>(m, panel, x, first + done, y + done);
}

// y[t] [16]: panel p times `count` <= TILE rows
inline void product(const Matrix& m, int p, const Quantized& x, size_t first, int count, floats* y) {
    if (m.bits == 4) tiles<4>(m, m.panel(p), x, first, count, y);
    else tiles<8>(m, m.panel(p), x, first, count, y);
}
