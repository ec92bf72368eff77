// One pass of a Llama decoder (Touvron et al., 2023) over a ragged batch, for processors with AVX-512 VNNI.
#include <memory>
#include <vector>

#include "attention.h"
#include "lora.h"
#include "product.h"
#include "team.h"

enum Linear { QKV, OUTPUT, GATE_UP, DOWN, LINEARS };

struct Layer {
    const float *attention_norm, *mlp_norm;  // [hidden]
    Matrix linear[LINEARS];
};

struct Model {
    int32_t hidden, inner, layers, heads, kv_heads, head_size;
    float epsilon;
    const int8_t* codes;          // embedding [vocabulary][hidden]
    const uint8_t* scale;         // float16 [vocabulary][hidden / 32]
    const float *cosine, *sine;   // [context][head_size / 2]
    const float* norm;            // [hidden]
    const Layer* layer;
};

struct Segment {
    int32_t first, rows, start;   // its first row in the batch; its position in the sequence
    int32_t bidirectional;
    const int32_t* blocks;        // null: read whole, without the cache
    const Adapter* adapter;       // or null
};

struct Cache {
    uint16_t* data;               // [blocks][layers][2][kv_heads * head_size * block_size]
    int32_t block_size;
};

struct Batch {
    const int32_t* tokens;
    const Segment* segments;
    int32_t rows, count;
    Cache cache;
};

namespace {

constexpr int WHOLE_BLOCK = 32;  // block size of the short-lived keys of segments without a cache

struct Piece {  // query rows of one segment that attend together
    const Segment* segment;
    int first, rows;
};

struct Pass {
    const Model& m;
    const Batch& batch;
    Team team;
    int rows, width, scores_stride = 0, most_upper = 0;
    bool adapted = false;
    Buffer<float> x, h, qkv, mixed, act, shrunk;
    std::unique_ptr<Buffer<float>> upper;  // [rows][most_upper]: what `Matrix::more` gives
    Quantized quantized_h, quantized_mixed, quantized_act;
    std::vector<int> position;
    std::vector<const Adapter*> adapters;
    std::vector<const Segment*> owner;
    std::vector<Piece> pieces;
    std::vector<int32_t> whole_tables;
    std::vector<size_t> whole_first;  // by segment: its first block among the short-lived ones
    std::unique_ptr<Buffer<uint16_t>> whole;
    std::unique_ptr<Buffer<float>> scratch;  // [threads][QUERIES][scores_stride, query, out]
    std::atomic<int> joined{0};

    Pass(const Model& model, const Batch& b, int threads)
        : m(model), batch(b), team(model.layers * 16 + 2, threads), rows(b.rows),
          width((model.heads + 2 * model.kv_heads) * model.head_size), x(size_t(rows) * m.hidden),
          h(size_t(rows) * m.hidden), qkv(size_t(rows) * width), mixed(size_t(rows) * m.heads * m.head_size),
          act(size_t(rows) * m.inner), shrunk(size_t(rows) * 3 * MAX_RANK), quantized_h(rows, m.hidden),
          quantized_mixed(rows, m.heads * m.head_size), quantized_act(rows, m.inner) {
        int together = std::max(1, QUERIES / (m.heads / m.kv_heads));
        size_t blocks = 0;
        for (int i = 0; i < batch.count; i++) {
            const Segment& s = batch.segments[i];
            for (int r = 0; r < s.rows; r++) {
                position.push_back(s.start + r), adapters.push_back(s.adapter), owner.push_back(&s);
                if (r % together == 0) pieces.push_back({&s, r, std::min(together, s.rows - r)});
            }
            adapted |= s.adapter != nullptr;
            scores_stride = std::max(scores_stride, (s.start + s.rows + LANES - 1) / LANES * LANES);
            whole_first.push_back(blocks);
            if (!s.blocks) blocks += (s.rows + WHOLE_BLOCK - 1) / WHOLE_BLOCK;
        }
        for (int l = 0; l < m.layers; l++)
            for (const Matrix& matrix : m.layer[l].linear)
                if (matrix.more) most_upper = std::max(most_upper, matrix.more->rows);
        upper = std::make_unique<Buffer<float>>(size_t(rows) * most_upper);
        whole_tables.resize(blocks);
        for (size_t b = 0; b < blocks; b++) whole_tables[b] = b;
        size_t size = blocks * 2 * m.kv_heads * m.head_size * WHOLE_BLOCK;
        whole = std::make_unique<Buffer<uint16_t>>(size);
        std::memset(whole->at(0), 0, size * sizeof(uint16_t));
        scratch = std::make_unique<Buffer<float>>(threads * scratch_size());
        // the pieces with most to read first, so that none is left over at the end
        std::stable_sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) {
            return a.segment->start + a.first > b.segment->start + b.first;
        });
    }

    size_t scratch_size() const { return size_t(QUERIES) * (scores_stride + 2 * m.head_size); }

    Blocks blocks(const Segment& s, int layer) const {
        if (!s.blocks)
            return {whole->at(0), whole_tables.data() + whole_first[&s - batch.segments],
                    size_t(2) * m.kv_heads * m.head_size * WHOLE_BLOCK, WHOLE_BLOCK, m.kv_heads, m.head_size};
        size_t size = size_t(2) * m.kv_heads * m.head_size * batch.cache.block_size;
        return {batch.cache.data + layer * size, s.blocks, size * m.layers, batch.cache.block_size, m.kv_heads,
                m.head_size};
    }

    void embed(int row) {
        const int8_t* code = m.codes + size_t(batch.tokens[row]) * m.hidden;
        const uint8_t* scale = m.scale + size_t(batch.tokens[row]) * (m.hidden / GROUP) * 2;
        for (int k = 0; k < m.hidden; k += LANES) {
            floats value = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i*)(code + k))));
            uint16_t half;
            std::memcpy(&half, scale + k / GROUP * 2, 2);
            _mm512_storeu_ps(x.at(size_t(row) * m.hidden + k), _mm512_mul_ps(value, _mm512_set1_ps(_cvtsh_ss(half))));
        }
    }

    // root mean square norm (Zhang and Sennrich, 2019)
    void normalize(int row, const float* weight, float* out) const {
        const float* in = x.at(size_t(row) * m.hidden);
        floats sum = _mm512_setzero_ps();
        for (int k = 0; k < m.hidden; k += LANES) {
            floats value = _mm512_loadu_ps(in + k);
            sum = _mm512_fmadd_ps(value, value, sum);
        }
        floats factor = _mm512_set1_ps(1.0f / std::sqrt(_mm512_reduce_add_ps(sum) / m.hidden + m.epsilon));
        for (int k = 0; k < m.hidden; k += LANES)
            _mm512_storeu_ps(out + k, _mm512_mul_ps(_mm512_mul_ps(_mm512_loadu_ps(in + k), factor),
                                                    _mm512_loadu_ps(weight + k)));
    }

    void normalize_quantize(size_t& phase, const float* weight) {
        team.share(phase, rows, [&](int row) {
            float* out = h.at(size_t(row) * m.hidden);
            normalize(row, weight, out);
            quantized_h.put_row(row, out);
        });
    }

    // what the adapters make of `in` [rows][columns]
    void shrink_all(size_t& phase, int layer, Linear linear, int parts, const float* in, int columns) {
        if (!adapted) return;
        int most = parts * MAX_RANK / LANES;
        team.share(phase, batch.count * most, [&](int item) {
            const Segment& s = batch.segments[item / most];
            int chunk = item % most;
            if (!s.adapter || chunk * LANES >= parts * s.adapter->rank) return;
            const uint16_t* a = s.adapter->shrink[layer * LINEARS + linear];
            if (a)
                shrink(a + size_t(chunk) * columns * LANES, in + size_t(s.first) * columns, columns, s.rows,
                       shrunk.at(size_t(s.first) * 3 * MAX_RANK + chunk * LANES), 3 * MAX_RANK);
        });
    }

    Expand expand(int layer, Linear linear) const {
        return {adapters.data(), shrunk.at(0), 3 * MAX_RANK, layer * LINEARS + linear};
    }

    // the upper halves of the rows that have 8 bits, times x
    void multiply_upper(size_t& phase, const Matrix& matrix, const Quantized& in) {
        if (!matrix.more) return;
        team.share(phase, matrix.more->panels(), [&](int panel) {
            floats y[TILE];
            for (int first = 0; first < rows; first += TILE) {
                int count = std::min(TILE, rows - first);
                product(*matrix.more, panel, in, first, count, y);
                for (int t = 0; t < count; t++)
                    _mm512_storeu_ps(upper->at(size_t(first + t) * most_upper + panel * LANES), y[t]);
            }
        });
    }

    // a panel of the whole matrix times `count` rows
    void product_of_both(const Matrix& matrix, int panel, const Quantized& in, int first, int count, floats* y) const {
        product(matrix, panel, in, first, count, y);
        if (!matrix.more) return;
        __m512i place = _mm512_loadu_si512(matrix.place + panel * LANES);
        __mmask16 some = _mm512_cmpge_epi32_mask(place, _mm512_setzero_si512());
        for (int t = 0; some && t < count; t++)
            y[t] = _mm512_add_ps(y[t], _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, place,
                                                                upper->at(size_t(first + t) * most_upper), 4));
    }

    // put(panel, row, values) of every panel of `matrix` times x, adapters added
    template <class Part, class Put>
    void linear(size_t& phase, int layer, Linear which, const Quantized& in, const Part& part, const Put& put) {
        const Matrix& matrix = m.layer[layer].linear[which];
        multiply_upper(phase, matrix, in);
        team.share(phase, matrix.panels(), [&](int panel) {
            floats y[TILE];
            for (int first = 0; first < rows; first += TILE) {
                int count = std::min(TILE, rows - first);
                product_of_both(matrix, panel, in, first, count, y);
                if (adapted) expand(layer, which)(panel, part(panel), first, count, y);
                for (int t = 0; t < count; t++) put(panel, first + t, y[t]);
            }
        });
    }

    void add_to_residual(size_t& phase, int layer, Linear which, const Quantized& in) {
        linear(phase, layer, which, in, [](int) { return 0; }, [&](int panel, int row, floats y) {
            float* at = x.at(size_t(row) * m.hidden + panel * LANES);
            _mm512_storeu_ps(at, _mm512_add_ps(_mm512_loadu_ps(at), y));
        });
    }

    // rotary position embedding (Su et al., 2021), in place
    void rotate(int row, float* head) const {
        int half = m.head_size / 2;
        const float *cosine = m.cosine + size_t(position[row]) * half, *sine = m.sine + size_t(position[row]) * half;
        for (int d = 0; d < half; d++) {
            float a = head[d], b = head[d + half];
            head[d] = a * cosine[d] - b * sine[d];
            head[d + half] = b * cosine[d] + a * sine[d];
        }
    }

    void rotate_and_keep(int row, int layer) {
        float *q = qkv.at(size_t(row) * width), *k = q + m.heads * m.head_size, *v = k + m.kv_heads * m.head_size;
        for (int head = 0; head < m.heads + m.kv_heads; head++) rotate(row, q + head * m.head_size);
        Blocks b = blocks(*owner[row], layer);
        for (int head = 0; head < m.kv_heads; head++)
            b.put(position[row], head, k + head * m.head_size, v + head * m.head_size);
    }

    void attend_piece(const Piece& piece, int layer, int kv_head, float* scores) {
        const Segment& s = *piece.segment;
        int group = m.heads / m.kv_heads, size = m.head_size, vectors = piece.rows * group;
        Blocks b = blocks(s, layer);
        float *q = scores + size_t(QUERIES) * scores_stride, *out = q + QUERIES * size;
        float scale = 1.0f / std::sqrt((float)size);
        for (int first = 0; first < vectors; first += QUERIES) {
            int count = std::min(QUERIES, vectors - first), limit[QUERIES];
            auto offset = [&](int i) {
                int row = s.first + piece.first + (first + i) / group;
                return std::pair<int, int>(row, (kv_head * group + (first + i) % group) * size);
            };
            for (int i = 0; i < count; i++) {
                auto [row, column] = offset(i);
                limit[i] = s.bidirectional ? s.rows : position[row] + 1;
                for (int d = 0; d < size; d++) q[i * size + d] = *qkv.at(size_t(row) * width + column + d) * scale;
            }
            ATTEND[count - 1](b, kv_head, q, limit, scores, scores_stride, out);
            for (int i = 0; i < count; i++) {
                auto [row, column] = offset(i);
                std::memcpy(mixed.at(size_t(row) * m.heads * size + column), out + i * size, size * sizeof(float));
                for (int d = 0; d < size; d += GROUP)
                    quantized_mixed.put(row, (column + d) / GROUP, _mm512_loadu_ps(out + i * size + d),
                                        _mm512_loadu_ps(out + i * size + d + LANES));
            }
        }
    }

    // SiLU(gate) * up, 32 columns at a time
    void gate(size_t& phase, int layer) {
        const Matrix& matrix = m.layer[layer].linear[GATE_UP];
        Expand add = expand(layer, GATE_UP);
        multiply_upper(phase, matrix, quantized_h);
        team.share(phase, m.inner / GROUP, [&](int item) {
            floats y[4][TILE];
            for (int first = 0; first < rows; first += TILE) {
                int count = std::min(TILE, rows - first);
                for (int k = 0; k < 4; k++) {
                    int panel = 2 * item + k % 2 + (k / 2) * m.inner / LANES;
                    product_of_both(matrix, panel, quantized_h, first, count, y[k]);
                    if (adapted) add(panel, k / 2, first, count, y[k]);
                }
                for (int t = 0; t < count; t++) {
                    floats a = _mm512_mul_ps(silu(y[0][t]), y[2][t]), b = _mm512_mul_ps(silu(y[1][t]), y[3][t]);
                    float* at = act.at(size_t(first + t) * m.inner + item * GROUP);
                    _mm512_storeu_ps(at, a), _mm512_storeu_ps(at + LANES, b);
                    quantized_act.put(first + t, item, a, b);
                }
            }
        });
    }

    void run(float* out) {
        size_t phase = 0;
        float* scores = scratch->at(joined++ * scratch_size());
        int heads = m.heads * m.head_size, keys = m.kv_heads * m.head_size;
        team.share(phase, rows, [&](int row) { embed(row); });
        for (int l = 0; l < m.layers; l++) {
            normalize_quantize(phase, m.layer[l].attention_norm);
            shrink_all(phase, l, QKV, 3, h.at(0), m.hidden);
            auto part = [&](int panel) { return panel * LANES < heads ? 0 : panel * LANES < heads + keys ? 1 : 2; };
            linear(phase, l, QKV, quantized_h, part, [&](int panel, int row, floats y) {
                _mm512_storeu_ps(qkv.at(size_t(row) * width + panel * LANES), y);
            });
            team.share(phase, rows, [&](int row) { rotate_and_keep(row, l); });
            team.share(phase, int(pieces.size()) * m.kv_heads, [&](int item) {
                attend_piece(pieces[item / m.kv_heads], l, item % m.kv_heads, scores);
            });
            shrink_all(phase, l, OUTPUT, 1, mixed.at(0), heads);
            add_to_residual(phase, l, OUTPUT, quantized_mixed);
            normalize_quantize(phase, m.layer[l].mlp_norm);
            shrink_all(phase, l, GATE_UP, 2, h.at(0), m.hidden);
            gate(phase, l);
            shrink_all(phase, l, DOWN, 1, act.at(0), m.inner);
            add_to_residual(phase, l, DOWN, quantized_act);
        }
        team.share(phase, rows, [&](int row) { normalize(row, m.norm, out + size_t(row) * m.hidden); });
    }
};

// 0, or why not: an exception that left a C function would end the process
template <class Work>
int status(const Work& work) {
    try {
        work();
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    } catch (...) {
        return 2;
    }
}

void multiply_rows(const Matrix& matrix, const float* x, int rows, float* out, int threads) {
    Quantized in(rows, matrix.columns);
    Team team(2, threads);
    Helpers::here().run(threads, [&] {
        size_t phase = 0;
        team.share(phase, rows, [&](int row) { in.put_row(row, x + size_t(row) * matrix.columns); });
        team.share(phase, matrix.panels(), [&](int panel) {
            floats y[TILE];
            for (int first = 0; first < rows; first += TILE) {
                int count = std::min(TILE, rows - first);
                product(matrix, panel, in, first, count, y);
                for (int t = 0; t < count; t++)
                    _mm512_storeu_ps(out + size_t(first + t) * matrix.rows + panel * LANES, y[t]);
            }
        });
    });
}

void dequantize_panel(const Matrix& matrix, int panel, float* out) {
    const uint8_t *codes = matrix.panel(panel), *affine = codes + matrix.groups() * matrix.code_bytes();
    for (int g = 0; g < matrix.groups(); g++) {
        __m512i w[8];
        const uint8_t* code = codes + g * matrix.code_bytes();
        matrix.bits == 4 ? unpack<4>(code, w) : unpack<8>(code, w);
        alignas(64) uint8_t bytes[8][LANES][4];
        alignas(64) float scale[LANES], low[LANES];
        for (int j = 0; j < 8; j++) _mm512_store_si512(bytes[j], w[j]);
        const uint8_t* at = affine + g * matrix.affine_bytes();
        _mm512_store_ps(scale, from_half(at));
        _mm512_store_ps(low, matrix.bits == 4 ? from_half(at + 2 * LANES) : _mm512_setzero_ps());
        int shift = matrix.bits == 4 ? 0 : 128;
        for (int r = 0; r < LANES; r++)
            for (int c = 0; c < GROUP; c++)
                out[(size_t(panel) * LANES + r) * matrix.columns + g * GROUP + c] =
                    scale[r] * (bytes[c / 4][r][c % 4] - shift) + low[r];
    }
}

}  // namespace

// Each returns a status: 0 done, 1 no memory, 2 anything else.
extern "C" {

// out [rows][hidden]: normalized last hidden states
int forward(const Model* model, const Batch* batch, float* out, int threads) {
    return status([&] {
        Pass pass(*model, *batch, threads);
        Helpers::here().run(threads, [&] { pass.run(out); });
    });
}

// out [rows][matrix.rows] = x [rows][matrix.columns] W^T
int multiply(const Matrix* matrix, const float* x, int rows, float* out, int threads) {
    return status([&] { multiply_rows(*matrix, x, rows, out, threads); });
}

// out [rows][columns] = W
int dequantize(const Matrix* matrix, float* out, int threads) {
    return status([&] {
        Team team(1, threads);
        Helpers::here().run(threads, [&] {
            size_t phase = 0;
            team.share(phase, matrix->panels(), [&](int panel) { dequantize_panel(*matrix, panel, out); });
        });
    });
}
}
