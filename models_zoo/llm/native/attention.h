// Attention over keys and values in blocks (Kwon et al., 2023), query heads that share a key head together.
#pragma once
#include "simd.h"

constexpr int QUERIES = 12;  // query vectors at once, as many as registers hold twice

// A sequence's keys and values of one layer: block b at `data + blocks[b] * stride`, keys bfloat16
// [kv_heads][head_size][block_size] and then values [kv_heads][block_size][head_size].
struct Blocks {
    uint16_t* data;
    const int32_t* table;
    size_t stride;
    int block_size, kv_heads, head_size;

    uint16_t* keys(int position, int head) const {
        return data + table[position / block_size] * stride + (size_t)head * head_size * block_size +
               position % block_size;
    }
    uint16_t* values(int position, int head) const {
        return data + table[position / block_size] * stride + (size_t)kv_heads * head_size * block_size +
               ((size_t)head * block_size + position % block_size) * head_size;
    }
    void put(int position, int head, const float* k, const float* v) const {
        uint16_t *key = keys(position, head), *value = values(position, head);
        for (int d = 0; d < head_size; d++) key[d * block_size] = to_bfloat16(k[d]), value[d] = to_bfloat16(v[d]);
    }
};

// N query vectors q [N][head_size], scaled; query i sees positions below limit[i]. out [N][head_size].
template <int N>
void attend(const Blocks& b, int head, const float* q, const int* limit, float* scores, size_t stride, float* out) {
    int longest = 0;
    for (int i = 0; i < N; i++) longest = std::max(longest, limit[i]);
    floats largest[N], total[N];
    for (int i = 0; i < N; i++) largest[i] = _mm512_set1_ps(-INFINITY), total[i] = _mm512_setzero_ps();
    for (int p = 0; p < longest; p += LANES) {
        const uint16_t* key = b.keys(p, head);
        floats even[N], odd[N];
        for (int i = 0; i < N; i++) even[i] = odd[i] = _mm512_setzero_ps();
        for (int d = 0; d < b.head_size; d += 2) {
            floats k0 = from_bfloat16(key + d * b.block_size), k1 = from_bfloat16(key + (d + 1) * b.block_size);
#pragma GCC unroll 12
            for (int i = 0; i < N; i++) {
                even[i] = _mm512_fmadd_ps(_mm512_set1_ps(q[i * b.head_size + d]), k0, even[i]);
                odd[i] = _mm512_fmadd_ps(_mm512_set1_ps(q[i * b.head_size + d + 1]), k1, odd[i]);
            }
        }
        for (int i = 0; i < N; i++) {
            __mmask16 seen = limit[i] - p >= LANES ? 0xFFFF : limit[i] > p ? (1 << (limit[i] - p)) - 1 : 0;
            floats score = _mm512_mask_blend_ps(seen, _mm512_set1_ps(-INFINITY), _mm512_add_ps(even[i], odd[i]));
            largest[i] = _mm512_max_ps(largest[i], score);
            _mm512_storeu_ps(scores + i * stride + p, score);
        }
    }
    for (int i = 0; i < N; i++) {
        floats top = _mm512_set1_ps(_mm512_reduce_max_ps(largest[i]));
        for (int p = 0; p < longest; p += LANES) {
            floats score = _mm512_loadu_ps(scores + i * stride + p);
            __mmask16 seen = _mm512_cmp_ps_mask(score, _mm512_set1_ps(-INFINITY), _CMP_NEQ_UQ);
            floats weight = _mm512_maskz_mov_ps(seen, exponential(_mm512_sub_ps(score, top)));
            total[i] = _mm512_add_ps(total[i], weight);
            _mm512_storeu_ps(scores + i * stride + p, weight);
        }
    }
    for (int c = 0; c < b.head_size; c += LANES) {
        floats sum[2][N];
        for (int i = 0; i < N; i++) sum[0][i] = sum[1][i] = _mm512_setzero_ps();
        for (int p = 0; p < longest; p += 2) {
            const uint16_t* value = b.values(p, head) + c;
            floats v0 = from_bfloat16(value), v1 = _mm512_setzero_ps();
            // never beyond the sequence: a weight of 0 does not hide the NaN that another one left in the block
            if (p + 1 < longest) v1 = from_bfloat16(value + b.head_size);
#pragma GCC unroll 12
            for (int i = 0; i < N; i++) {
                sum[0][i] = _mm512_fmadd_ps(_mm512_set1_ps(scores[i * stride + p]), v0, sum[0][i]);
                sum[1][i] = _mm512_fmadd_ps(_mm512_set1_ps(scores[i * stride + p + 1]), v1, sum[1][i]);
            }
        }
        for (int i = 0; i < N; i++) {
            floats whole = _mm512_set1_ps(_mm512_reduce_add_ps(total[i]));
            _mm512_storeu_ps(out + i * b.head_size + c, _mm512_div_ps(_mm512_add_ps(sum[0][i], sum[1][i]), whole));
        }
    }
}

using Attend = void (*)(const Blocks&, int, const float*, const int*, float*, size_t, float*);
constexpr Attend ATTEND[QUERIES] = {attend<1>, attend<2>, attend<3>, attend<4>,  attend<5>,  attend<6>,
                                    attend<7>, attend<8>, attend<9>, attend<10>, attend<11>, attend<12>};
