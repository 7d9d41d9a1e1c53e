// Nunchi's compute kernels: quantized matrix products, attention, norms, rotary embedding.
//
// Every kernel exists once per instruction set; the set is chosen once, at first use, from the
// CPU (NUNCHI_ISA=portable|avx2|avx512 forces one). All sets give bitwise the same results: the
// order of every reduction is fixed, integers are exact, floats use fused multiply-add in a
// stated order. For the same reason row i of an M-row call equals the same row computed alone.
//
// Shapes are written (outer, ..., inner); everything is row-major and contiguous unless a stride
// is given. Buffers need no particular alignment unless stated.
#ifndef NUNCHI_KERNELS_H
#define NUNCHI_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---------------------------------------------------------------- instruction sets

typedef enum { NK_PORTABLE = 0, NK_AVX2 = 1, NK_AVX512 = 2, NK_AVX512_VNNI = 3 } nk_isa;

/// The set that this thread's calls use: the one it selected, or the process's, the strongest that
/// the CPU has and NUNCHI_ISA allows.
nk_isa nk_isa_current(void);
/// This thread's calls use `isa` from now on; false (and no change) when this CPU lacks it. For
/// tests, which run beside others.
bool nk_isa_select(nk_isa isa);
/// "portable", "avx2", "avx512", "avx512-vnni".
const char *nk_isa_name(nk_isa isa);

// ---------------------------------------------------------------- build

/// The checksum of the kernels' sources: what was measured with others is told apart by it.
const char *nk_version(void);
/// Whether the compiler optimised; without that, kernels are some twenty times slower.
bool nk_is_optimized(void);

// ---------------------------------------------------------------- threads

/// A pool of `threads` threads, the caller's included. Workers spin a few microseconds for the
/// next job, then sleep; work is handed out in small pieces, so that a thread that lost its core
/// to another process holds up nobody.
typedef struct nk_pool nk_pool;
nk_pool *nk_pool_create(int threads);  // NULL when threads cannot be made
void nk_pool_destroy(nk_pool *pool);
int nk_pool_threads(const nk_pool *pool);

/// Work on items [begin, end). `thread` is in [0, threads).
typedef void (*nk_task)(void *context, int thread, int64_t begin, int64_t end);
/// Runs `task` over [0, count) in pieces of `grain` items; returns when all are done.
void nk_pool_run(nk_pool *pool, int64_t count, int64_t grain, nk_task task, void *context);

// ---------------------------------------------------------------- weights

/// Tensor kinds by their GGUF number.
typedef enum {
  NK_F32 = 0, NK_F16 = 1, NK_Q4_0 = 2, NK_Q4_1 = 3, NK_Q5_0 = 6, NK_Q5_1 = 7, NK_Q8_0 = 8,
  NK_Q4_K = 12, NK_Q5_K = 13, NK_Q6_K = 14, NK_BF16 = 30
} nk_type;

/// Elements in a block (1, 32 or 256) and bytes of one, as stored in a file; 0 for unknown kinds.
int64_t nk_block_elements(nk_type type);
int64_t nk_block_bytes(nk_type type);

/// Writes `count` floats (a multiple of the block) from file-format `source`.
void nk_dequantize(nk_type type, const void *source, float *output, int64_t count);
/// Writes `count` floats (a multiple of 32, finite) as Q8_0 blocks.
void nk_encode_q8_0(const float *source, void *output, int64_t count);

enum { NK_PANEL = 16 };  // output rows that one packed panel holds

/// A matrix (rows = outputs, columns = inputs) repacked in panels of 16 rows, so that one pass
/// reads each weight once, unpacks it once, and uses it for every activation row.
typedef struct {
  nk_type type;
  int64_t rows, columns;
  void *data;  // nk_packed_bytes(type, rows, columns) bytes, 64-byte aligned
} nk_matrix;

/// Bytes that the packed form takes; 0 when the kind is unknown or columns is not a multiple of
/// the block. Close to the file's own size (never above 1.04 times it, plus padding to 16 rows).
size_t nk_packed_bytes(nk_type type, int64_t rows, int64_t columns);
/// Packs rows first ..< first + count of file-format `source` (rows, columns) into matrix->data on
/// all threads; first is a multiple of 16.
void nk_pack(nk_pool *pool, const nk_matrix *matrix, const void *source, int64_t first,
             int64_t count);

/// Allocates 64-byte-aligned zeroed memory backed by huge pages where there are any; NULL when
/// there is none. Freed with nk_free(pointer, bytes).
void *nk_allocate(size_t bytes);
void nk_free(void *pointer, size_t bytes);

// ---------------------------------------------------------------- activations

/// Bytes of one activation row of `columns` (a multiple of 32) quantized to int8 with a scale for
/// every 16 values. 64-byte multiple.
size_t nk_quantized_bytes(int64_t columns);
/// Whether products with this kind read quantized rows (all block kinds) or float rows.
bool nk_wants_quantized(nk_type type);
/// x (M, columns) floats -> quantized (M, nk_quantized_bytes(columns)).
void nk_quantize(nk_pool *pool, const float *x, int64_t M, int64_t columns, void *quantized);

/// One product of nk_linear.
typedef struct {
  const nk_matrix *matrix;
  const float *bias;      // (rows) or NULL
  float *output;          // (M, output_stride)
  int64_t output_stride;  // floats between rows of the output
  bool accumulate;        // output += product, else output = product (+ bias)
} nk_product;

/// output[m][r] = sum_k matrix[r][k] * x[m][k] for `count` matrices that share the input.
/// x (M, columns) floats, quantized as nk_quantize wrote it; either may be NULL where no
/// product wants it.
void nk_linear(nk_pool *pool, const nk_product *products, int count, const float *x,
               const void *quantized, int64_t M);

// ---------------------------------------------------------------- the rest of a layer

/// output[m] = x[m] / sqrt(mean(x[m]^2) + epsilon) * weight. x, output (M, columns) with strides
/// in floats; weight (columns). output may be x.
void nk_rms_norm(nk_pool *pool, const float *x, int64_t x_stride, const float *weight,
                 float epsilon, int64_t M, int64_t columns, float *output,
                 int64_t output_stride);

/// x[i] += y[i]
void nk_add(nk_pool *pool, float *x, const float *y, int64_t count);
/// x[i] *= scale
void nk_scale(nk_pool *pool, float *x, float scale, int64_t count);

typedef enum { NK_SILU = 0, NK_GELU_TANH = 1 } nk_activation;
/// output[m][i] = activation(gate[m][i]) * up[m][i], all (M, columns). output may be gate.
void nk_gated(nk_pool *pool, nk_activation activation, const float *gate, const float *up,
              float *output, int64_t M, int64_t columns);

/// Rotates pairs of each head in place. x (M, heads * head_dim) with row stride in floats;
/// cosines and sines (M, head_dim / 2), one row for each row of x.
/// interleaved: pairs are (2i, 2i+1); otherwise (i, i + head_dim/2).
void nk_rotate(nk_pool *pool, float *x, int64_t stride, int64_t M, int64_t heads,
               int64_t head_dim, const float *cosines, const float *sines, bool interleaved);

// ---------------------------------------------------------------- attention

/// One layer's cache of one sequence, in half precision. A slot holds one token.
/// keys   (kv_heads, capacity / 16, head_dim, 16): slot s is lane s % 16 of group s / 16.
/// values (kv_heads, capacity, head_dim)
/// capacity is a multiple of 16; both zeroed when made.
typedef struct {
  uint16_t *keys, *values;
  int64_t capacity;
  int64_t kv_heads, head_dim;  // head_dim is a multiple of 16
} nk_kv;

/// Bytes of keys (= bytes of values).
size_t nk_kv_bytes(int64_t capacity, int64_t kv_heads, int64_t head_dim);
/// Writes M rows k, v (M, kv_heads * head_dim; row strides in floats) to slots first, first+1, ...
void nk_kv_store(nk_pool *pool, const nk_kv *kv, int64_t first, int64_t M, const float *k,
                 int64_t k_stride, const float *v, int64_t v_stride);
/// Copies slot `from` to slot `to`.
void nk_kv_move(const nk_kv *kv, int64_t from, int64_t to);

typedef struct {
  int64_t heads;    // query heads, a multiple of kv_heads
  float scale;      // multiplies q.k
  float soft_cap;   // 0: none; otherwise score = cap * tanh(score / cap)
  int64_t window;   // 0: all; otherwise a token sees the last `window` positions, itself included
} nk_attention_options;

/// The tree of one sequence: M rows that follow `committed` cached tokens (slots 0 ..< committed)
/// and lie themselves in slots committed ..< committed + M (already stored). A row sees the
/// committed tokens, its ancestors and itself. Rows from `first` on are computed.
typedef struct {
  const nk_kv *kv;
  int64_t committed, first, M;
  // (M) parents[i] < i is the row that row i follows, -1 where it follows the committed tokens;
  // NULL: a chain, each row follows the one before it.
  const int32_t *parents;
  const float *q;  // (M - first, heads * head_dim)
  float *output;   // (M - first, heads * head_dim)
} nk_attention_rows;

/// Attention of `count` sequences, whose caches have the same heads. Row strides in floats.
/// False when scratch memory cannot be had, or a tree is too large (512 rows).
bool nk_attention(nk_pool *pool, const nk_attention_options *options,
                  const nk_attention_rows *sequences, int64_t count, int64_t q_stride,
                  int64_t output_stride);

// ---------------------------------------------------------------- logits

/// Index of the largest of `count` values, the lowest on ties; NaN is never chosen.
int64_t nk_argmax(const float *x, int64_t count);
/// The first index from `begin` on of a value above `limit`, or `count`.
int64_t nk_next_above(const float *x, int64_t begin, int64_t count, float limit);
/// Largest value, and log(sum(exp(x))) as the result.
double nk_log_sum_exp(const float *x, int64_t count);

/// A hash of 32 bits, of numbers or vectors of them; its constants are of those that Wellons's "hash
/// prospector" lists with the least bias.
#define NK_HASH(x) \
  (x ^= x >> 16, x *= 0x21f0aaadu, x ^= x >> 15, x *= 0x735a2d97u, x ^= x >> 15)

/// A number in (0, 1) of a token in the race that `key` names, as if drawn uniformly.
static inline double nk_race_uniform(uint64_t key, uint32_t token) {
  uint32_t high = token ^ (uint32_t)key;
  NK_HASH(high);
  high ^= (uint32_t)(key >> 32);
  NK_HASH(high);
  uint32_t low = high ^ (uint32_t)key;
  NK_HASH(low);
  uint64_t bits = (uint64_t)high << 32 | low;
  return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

/// The token that is the first to arrive, at E / exp((x - highest) * scale), where 1 - exp(-E) is its
/// `nk_race_uniform`; -1 when none has a weight.
int64_t nk_race(const float *x, int64_t count, float highest, float scale, uint64_t key);

// ---------------------------------------------------------------- the machine's limits

/// Bytes a second read from memory by all threads of the pool (`bytes` read, several times).
double nk_measure_bandwidth(nk_pool *pool, size_t bytes);
/// Int8 multiply-accumulates a second of the current instruction set on all threads.
double nk_measure_int8(nk_pool *pool);

#endif
