// The public functions: the choice of instruction set, and the sharing of work among threads.
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "internal.h"

#pragma STDC FP_CONTRACT OFF

// ---------------------------------------------------------------- instruction sets

// What the process uses, chosen at first use, and what a thread has selected for its own calls
// instead. A call hands its set to the pool's threads with the work.
static _Atomic(const nk_operations *) process_operations;
static _Thread_local const nk_operations *thread_operations;

static const nk_operations *operations_of(nk_isa isa) {
  switch (isa) {
    case NK_PORTABLE: return &nk_portable_operations;
#if defined(__x86_64__)
    case NK_AVX2:
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __builtin_cpu_supports("f16c"))
        return &nk_avx2_operations;
      return NULL;
    case NK_AVX512:
    case NK_AVX512_VNNI:
      if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
          !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return NULL;
      if (isa == NK_AVX512) return &nk_avx512_operations;
      return __builtin_cpu_supports("avx512vnni") ? &nk_avx512_vnni_operations : NULL;
#endif
    default: return NULL;
  }
}

const char *nk_isa_name(nk_isa isa) {
  switch (isa) {
    case NK_PORTABLE: return "portable";
    case NK_AVX2: return "avx2";
    case NK_AVX512: return "avx512";
    case NK_AVX512_VNNI: return "avx512-vnni";
  }
  return "unknown";
}

bool nk_isa_select(nk_isa isa) {
  const nk_operations *operations = operations_of(isa);
  if (operations) thread_operations = operations;
  return operations != NULL;
}

static const nk_operations *strongest_up_to(nk_isa isa) {
  while (isa > NK_PORTABLE && !operations_of(isa)) isa--;
  return operations_of(isa);
}

const nk_operations *nk_operations_current(void) {
  if (thread_operations) return thread_operations;
  const nk_operations *operations = atomic_load_explicit(&process_operations,
                                                         memory_order_relaxed);
  if (operations) return operations;
  const char *wish = getenv("NUNCHI_ISA");
  nk_isa limit = NK_AVX512_VNNI;
  if (wish && !strcmp(wish, "portable")) limit = NK_PORTABLE;
  if (wish && !strcmp(wish, "avx2")) limit = NK_AVX2;
  operations = strongest_up_to(limit);
  atomic_store_explicit(&process_operations, operations, memory_order_relaxed);
  return operations;
}

nk_isa nk_isa_current(void) { return nk_operations_current()->isa; }

// ---------------------------------------------------------------- products

typedef struct {
  const nk_operations *operations;
  const nk_product *products;
  int count;
  const float *x;
  const nk_qblock *quantized;
  int64_t M;
} linear_context;

static int64_t panels_of(const nk_matrix *matrix) {
  return (matrix->rows + NK_PANEL - 1) / NK_PANEL;
}

static void linear_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const linear_context *c = context;
  int64_t first = 0;
  for (int i = 0; i < c->count && first < end; i++) {
    int64_t panels = panels_of(c->products[i].matrix);
    int64_t from = begin > first ? begin - first : 0;
    int64_t to = end - first < panels ? end - first : panels;
    if (from < to) {
      nk_linear_call call = {&c->products[i], c->x, c->quantized, c->M};
      c->operations->linear(&call, from, to);
    }
    first += panels;
  }
}

void nk_linear(nk_pool *pool, const nk_product *products, int count, const float *x,
               const void *quantized, int64_t M) {
  if (M <= 0) return;
  linear_context context = {nk_operations_current(), products, count, x, quantized, M};
  int64_t panels = 0;
  for (int i = 0; i < count; i++) panels += panels_of(products[i].matrix);
  int64_t pieces = (int64_t)nk_pool_threads(pool) * 8;
  int64_t grain = (panels + pieces - 1) / pieces;
  nk_pool_run(pool, panels, grain, linear_task, &context);
}

size_t nk_quantized_bytes(int64_t columns) { return (size_t)(columns / 32) * sizeof(nk_qblock); }

typedef struct {
  const nk_operations *operations;
  const float *x, *y;
  float *output;
  void *quantized;
  int64_t columns, x_stride, output_stride;
  float epsilon;
  nk_activation activation;
} rows_context;

// Rows at which a parallel run is worth its start.
static int64_t row_grain(nk_pool *pool, int64_t M, int64_t columns) {
  int64_t least = 4096 / (columns > 0 ? columns : 1) + 1;
  int64_t even = (M + 2 * nk_pool_threads(pool) - 1) / (2 * nk_pool_threads(pool));
  return even > least ? even : least;
}

static void quantize_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const rows_context *c = context;
  int64_t blocks = c->columns / 32;
  c->operations->quantize(c->x + begin * c->columns, (end - begin) * blocks,
                          (nk_qblock *)c->quantized + begin * blocks);
}

void nk_quantize(nk_pool *pool, const float *x, int64_t M, int64_t columns, void *quantized) {
  rows_context context = {.operations = nk_operations_current(), .x = x, .columns = columns,
                          .quantized = quantized};
  nk_pool_run(pool, M, row_grain(pool, M, columns), quantize_task, &context);
}

// ---------------------------------------------------------------- the rest of a layer

static void norm_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const rows_context *c = context;
  for (int64_t m = begin; m < end; m++)
    c->operations->rms_norm(c->x + m * c->x_stride, c->y, c->epsilon, c->columns,
                            c->output + m * c->output_stride);
}

void nk_rms_norm(nk_pool *pool, const float *x, int64_t x_stride, const float *weight,
                 float epsilon, int64_t M, int64_t columns, float *output,
                 int64_t output_stride) {
  rows_context context = {.operations = nk_operations_current(), .x = x, .y = weight,
                          .output = output, .columns = columns, .x_stride = x_stride,
                          .output_stride = output_stride, .epsilon = epsilon};
  nk_pool_run(pool, M, row_grain(pool, M, columns), norm_task, &context);
}

void nk_add(nk_pool *pool, float *x, const float *y, int64_t count) {
  (void)pool;
  nk_operations_current()->add(x, y, count);
}

void nk_scale(nk_pool *pool, float *x, float scale, int64_t count) {
  (void)pool;
  for (int64_t i = 0; i < count; i++) x[i] *= scale;
}

static void gated_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const rows_context *c = context;
  int64_t first = begin * c->columns;
  c->operations->gated(c->activation, c->x + first, c->y + first, c->output + first,
                       (end - begin) * c->columns);
}

void nk_gated(nk_pool *pool, nk_activation activation, const float *gate, const float *up,
              float *output, int64_t M, int64_t columns) {
  rows_context context = {.operations = nk_operations_current(), .x = gate, .y = up,
                          .output = output, .columns = columns, .activation = activation};
  nk_pool_run(pool, M, row_grain(pool, M, columns), gated_task, &context);
}

typedef struct {
  float *x;
  int64_t stride, heads, head_dim;
  const float *cosines, *sines;
  bool interleaved;
} rotate_context;

static void rotate_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const rotate_context *r = context;
  int64_t half = r->head_dim / 2;
  for (int64_t m = begin; m < end; m++)
    for (int64_t h = 0; h < r->heads; h++) {
      float *v = r->x + m * r->stride + h * r->head_dim;
      const float *c = r->cosines + m * half, *s = r->sines + m * half;
      if (r->interleaved)
        for (int64_t i = 0; i < half; i++) {
          float a = v[2 * i], b = v[2 * i + 1];
          v[2 * i] = a * c[i] - b * s[i];
          v[2 * i + 1] = a * s[i] + b * c[i];
        }
      else
        for (int64_t i = 0; i < half; i++) {
          float a = v[i], b = v[half + i];
          v[i] = a * c[i] - b * s[i];
          v[half + i] = a * s[i] + b * c[i];
        }
    }
}

void nk_rotate(nk_pool *pool, float *x, int64_t stride, int64_t M, int64_t heads,
               int64_t head_dim, const float *cosines, const float *sines, bool interleaved) {
  rotate_context context = {x, stride, heads, head_dim, cosines, sines, interleaved};
  nk_pool_run(pool, M, row_grain(pool, M, heads * head_dim), rotate_task, &context);
}

// ---------------------------------------------------------------- attention

size_t nk_kv_bytes(int64_t capacity, int64_t kv_heads, int64_t head_dim) {
  return (size_t)capacity * (size_t)kv_heads * (size_t)head_dim * sizeof(uint16_t);
}

typedef struct {
  const nk_kv *kv;
  int64_t first;
  const float *k, *v;
  int64_t k_stride, v_stride;
} store_context;

static void store_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const store_context *c = context;
  const nk_kv *kv = c->kv;
  int64_t dim = kv->head_dim;
  for (int64_t m = begin; m < end; m++) {
    int64_t slot = c->first + m;
    for (int64_t h = 0; h < kv->kv_heads; h++) {
      uint16_t *key = kv->keys + (h * kv->capacity + slot / 16 * 16) * dim + slot % 16;
      uint16_t *value = kv->values + (h * kv->capacity + slot) * dim;
      const float *k = c->k + m * c->k_stride + h * dim, *v = c->v + m * c->v_stride + h * dim;
      for (int64_t d = 0; d < dim; d++) {
        key[16 * d] = nk_float_to_half(k[d]);
        value[d] = nk_float_to_half(v[d]);
      }
    }
  }
}

void nk_kv_store(nk_pool *pool, const nk_kv *kv, int64_t first, int64_t M, const float *k,
                 int64_t k_stride, const float *v, int64_t v_stride) {
  store_context context = {kv, first, k, v, k_stride, v_stride};
  nk_pool_run(pool, M, row_grain(pool, M, 4 * kv->kv_heads * kv->head_dim), store_task,
              &context);
}

void nk_kv_move(const nk_kv *kv, int64_t from, int64_t to) {
  int64_t dim = kv->head_dim;
  for (int64_t h = 0; h < kv->kv_heads; h++) {
    uint16_t *keys = kv->keys + h * kv->capacity * dim;
    uint16_t *values = kv->values + h * kv->capacity * dim;
    for (int64_t d = 0; d < dim; d++)
      keys[(to / 16 * dim + d) * 16 + to % 16] = keys[(from / 16 * dim + d) * 16 + from % 16];
    memmove(values + to * dim, values + from * dim, (size_t)dim * sizeof(uint16_t));
  }
}

typedef struct {
  const nk_operations *operations;
  nk_attention_call call;
  nk_pool *pool;
  const nk_attention_rows *sequences;
  size_t scratch;
  int64_t kv_heads, group, size;  // queries of a row that share a KV head, queries a task
} attention_context;

static int64_t attention_queries(const attention_context *c, const nk_attention_rows *rows) {
  return (rows->M - rows->first) * c->group;
}

// Tasks of one KV head.
static int64_t attention_tasks(const attention_context *c, const nk_attention_rows *rows) {
  return (attention_queries(c, rows) + c->size - 1) / c->size;
}

static void attention_task(void *context, int thread, int64_t begin, int64_t end) {
  const attention_context *c = context;
  float *scores = nk_pool_scratch(c->pool, thread, c->scratch);
  const nk_attention_rows *rows = c->sequences;
  int64_t before = 0;  // tasks of the sequences before `rows`
  for (int64_t i = begin; i < end; i++) {
    int64_t tasks = attention_tasks(c, rows);
    for (; i - before >= tasks * c->kv_heads; tasks = attention_tasks(c, ++rows))
      before += tasks * c->kv_heads;
    // The last rows see the most: first come the long tasks, so that the threads end together.
    int64_t task = tasks - 1 - (i - before) % tasks, first = task * c->size;
    int64_t count = attention_queries(c, rows) - first;
    c->operations->attention(&c->call, rows, (i - before) / tasks, first,
                             count < c->size ? count : c->size, scores);
  }
}

bool nk_attention(nk_pool *pool, const nk_attention_options *options,
                  const nk_attention_rows *sequences, int64_t count, int64_t q_stride,
                  int64_t output_stride) {
  if (count <= 0) return true;
  int64_t M = 0, longest = 0, tasks = 0;
  for (int64_t i = 0; i < count; i++) {
    const nk_attention_rows *rows = sequences + i;
    if (rows->parents && rows->M > NK_MAX_TREE_DEPTH) return false;
    M += rows->M - rows->first;
    if (rows->committed + rows->M > longest) longest = rows->committed + rows->M;
  }
  int64_t kv_heads = sequences->kv->kv_heads;
  attention_context c = {.operations = nk_operations_current(),
                         .call = {options, q_stride, output_stride},
                         .pool = pool,
                         .sequences = sequences,
                         .kv_heads = kv_heads,
                         .group = options->heads / kv_heads};
  // As many queries share one reading of the cache as keep all threads busy.
  int64_t share = M * options->heads / (nk_pool_threads(pool) * 2);
  c.size = share < 1 ? 1 : share > NK_QUERIES ? NK_QUERIES : share;
  c.scratch = (size_t)(c.size * ((longest + 15) / 16 * 16));
  if (!nk_pool_reserve(pool, c.scratch)) return false;
  for (int64_t i = 0; i < count; i++) tasks += attention_tasks(&c, sequences + i);
  nk_pool_run(pool, tasks * kv_heads, 1, attention_task, &c);
  return true;
}

// ---------------------------------------------------------------- logits

int64_t nk_argmax(const float *x, int64_t count) {
  return nk_operations_current()->argmax(x, count);
}

int64_t nk_next_above(const float *x, int64_t begin, int64_t count, float limit) {
  return nk_operations_current()->next_above(x, begin, count, limit);
}

double nk_log_sum_exp(const float *x, int64_t count) {
  return nk_operations_current()->log_sum_exp(x, count);
}

int64_t nk_race(const float *x, int64_t count, float highest, float scale, uint64_t key) {
  return nk_operations_current()->race(x, count, highest, scale, key);
}

// ---------------------------------------------------------------- the machine's limits

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct {
  const nk_operations *operations;
  const uint8_t *data;
  size_t piece;
} bandwidth_context;

static void read_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  const bandwidth_context *c = context;
  volatile double keep = c->operations->read(c->data + (size_t)begin * c->piece,
                                             (size_t)(end - begin) * c->piece);
  (void)keep;
}

double nk_measure_bandwidth(nk_pool *pool, size_t bytes) {
  enum { PIECES = 256 };
  size_t piece = bytes / PIECES / 4096 * 4096;
  if (!piece) return 0;
  uint8_t *data = nk_allocate(piece * PIECES);
  if (!data) return 0;
  memset(data, 1, piece * PIECES);
  bandwidth_context context = {nk_operations_current(), data, piece};
  double best = 0;
  for (int i = 0; i < 6; i++) {
    double start = seconds();
    nk_pool_run(pool, PIECES, 4, read_task, &context);
    double rate = (double)(piece * PIECES) / (seconds() - start);
    if (rate > best) best = rate;
  }
  nk_free(data, piece * PIECES);
  return best;
}

typedef struct {
  const nk_operations *operations;
  double each;  // multiply-accumulates of a piece; all threads write the same
} int8_context;

static void int8_task(void *context, int thread, int64_t begin, int64_t end) {
  (void)thread;
  int8_context *c = context;
  double work = c->operations->int8_work((end - begin) * 100000);
  c->each = work / (double)(end - begin);
}

double nk_measure_int8(nk_pool *pool) {
  int8_context context = {nk_operations_current(), 0};
  double best = 0;
  int64_t pieces = 8 * nk_pool_threads(pool);
  for (int i = 0; i < 6; i++) {
    double start = seconds();
    nk_pool_run(pool, pieces, 1, int8_task, &context);
    double rate = context.each * (double)pieces / (seconds() - start);
    if (rate > best) best = rate;
  }
  return best;
}
