// What the instruction sets implement. Each fills one table; see kernels.c.
#ifndef NK_INTERNAL_H
#define NK_INTERNAL_H

#include "NunchiKernels.h"
#include "blocks.h"

typedef struct {
  const nk_product *product;
  const float *x;             // (M, columns)
  const nk_qblock *quantized; // (M, columns / 32)
  int64_t M;
} nk_linear_call;

typedef struct {
  const nk_attention_options *options;
  int64_t q_stride, output_stride;
} nk_attention_call;

enum {
  NK_QUERIES = 8,           // queries (row, head) that one attention task handles at most
  NK_MAX_TREE_DEPTH = 512,  // rows of a tree that is no chain
};

typedef struct {
  nk_isa isa;
  // Panels [begin, end) of one product.
  void (*linear)(const nk_linear_call *call, int64_t begin, int64_t end);
  void (*quantize)(const float *x, int64_t blocks, nk_qblock *out);
  void (*rms_norm)(const float *x, const float *weight, float epsilon, int64_t columns,
                   float *out);
  void (*gated)(nk_activation activation, const float *gate, const float *up, float *out,
                int64_t count);
  void (*add)(float *x, const float *y, int64_t count);
  // Queries [first, first + count) of a sequence's KV head; query i is of the row i / group after
  // rows->first, head i % group.
  // scores has room for count * (committed + M rounded up to 16) floats.
  void (*attention)(const nk_attention_call *call, const nk_attention_rows *rows,
                    int64_t kv_head, int64_t first, int64_t count, float *scores);
  int64_t (*argmax)(const float *x, int64_t count);
  int64_t (*next_above)(const float *x, int64_t begin, int64_t count, float limit);
  double (*log_sum_exp)(const float *x, int64_t count);
  int64_t (*race)(const float *x, int64_t count, float highest, float scale, uint64_t key);
  double (*read)(const void *data, size_t bytes);  // touches every byte
  double (*int8_work)(int64_t rounds);             // returns multiply-accumulates done
} nk_operations;

extern const nk_operations nk_portable_operations;
#if defined(__x86_64__)
extern const nk_operations nk_avx2_operations, nk_avx512_operations,
    nk_avx512_vnni_operations;
#endif

const nk_operations *nk_operations_current(void);

// Scratch memory of one thread of the pool, kept between calls; NULL when there is none.
float *nk_pool_scratch(nk_pool *pool, int thread, size_t floats);
// Makes sure that every thread has `floats` of it.
bool nk_pool_reserve(nk_pool *pool, size_t floats);

#endif
