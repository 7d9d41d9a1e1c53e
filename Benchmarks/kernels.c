// Milliseconds of the products of many weights, 64 million from memory if not told otherwise, and of
// attention at context 256, by the number of rows: a line each, "what|rows|milliseconds", the best of
// several repetitions.
// Compiled by kernels.sh with the kernels of one revision.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "NunchiKernels.h"
#include "blocks.h"

enum { REPETITIONS = 9, MOST_ROWS = 32, CONTEXT = 256, HEADS = 9, KV_HEADS = 3, HEAD_DIM = 64 };

static const int row_counts[] = {1, 2, 3, 4, 8, MOST_ROWS};
enum { COUNTS = sizeof row_counts / sizeof *row_counts };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static void *memory(size_t bytes) {
  void *base = nk_allocate(bytes);
  if (!base) exit(1);
  return base;
}

static float *floats(int64_t count) {
  float *x = memory((size_t)count * sizeof *x);
  for (int64_t i = 0; i < count; i++) x[i] = (float)(i * 7 % 113) / 57 - 1;
  return x;
}

static void products(nk_pool *pool, nk_type type, const char *name, int64_t columns,
                     int64_t weights) {
  int64_t rows = weights / columns / 16 * 16;
  int repetitions = weights < 1 << 20 ? 1000 * REPETITIONS : REPETITIONS;  // few are in the cache
  size_t bytes = (size_t)(rows / 16 * nk_panel_bytes(type, columns));
  uint8_t *data = memory(bytes + 8192);
  // Halves stay small: no infinities, which take no other time but look odd.
  for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)(i * 2654435761u >> 13) & 0x3b;
  nk_matrix matrix = {.type = type, .rows = rows, .columns = columns, .data = data};
  float *x = floats(MOST_ROWS * columns), *output = floats(MOST_ROWS * rows);
  void *quantized = memory(MOST_ROWS * nk_quantized_bytes(columns));
  nk_product product = {.matrix = &matrix, .output = output, .output_stride = rows};
  for (int i = 0; i < COUNTS; i++) {
    double best = 1e9;
    nk_quantize(pool, x, row_counts[i], columns, quantized);
    for (int r = 0; r < repetitions; r++) {
      double start = now();
      nk_linear(pool, &product, 1, x, quantized, row_counts[i]);
      double time = now() - start;
      if (time < best) best = time;
    }
    printf("%s|%d|%f\n", name, row_counts[i], best);
  }
  nk_free(data, bytes + 8192);
}

static void attention(nk_pool *pool) {
  size_t bytes = nk_kv_bytes(CONTEXT + MOST_ROWS, KV_HEADS, HEAD_DIM);
  uint16_t *keys = memory(bytes), *values = memory(bytes);
  for (size_t i = 0; i < bytes / 2; i++) keys[i] = values[i] = (uint16_t)(0x2c00 + i * 31 % 997);
  nk_kv kv = {.capacity = CONTEXT + MOST_ROWS, .kv_heads = KV_HEADS, .head_dim = HEAD_DIM,
              .keys = keys, .values = values};
  int64_t stride = HEADS * HEAD_DIM;
  nk_attention_options options = {.heads = HEADS, .scale = 0.125f};
  nk_attention_rows rows = {.kv = &kv, .committed = CONTEXT, .q = floats(MOST_ROWS * stride),
                            .output = floats(MOST_ROWS * stride)};
  for (int i = 0; i < COUNTS; i++) {
    double best = 1e9;
    rows.M = row_counts[i];
    for (int r = 0; r < 20 * REPETITIONS; r++) {
      double start = now();
      nk_attention(pool, &options, &rows, 1, stride, stride);
      double time = now() - start;
      if (time < best) best = time;
    }
    printf("attention|%d|%f\n", row_counts[i], best);
  }
}

int main(int count, char **arguments) {
  nk_pool *pool = nk_pool_create(count > 1 ? atoi(arguments[1]) : 2);
  if (!pool) return 2;
  int64_t weights = count > 2 ? atoll(arguments[2]) : 64 << 20;
  if (weights < 16 * 1536) {
    fprintf(stderr, "weights: expected at least %d, found %s\n", 16 * 1536, arguments[2]);
    return 2;
  }
  products(pool, NK_Q4_1, "Q4_1", 576, weights);
  products(pool, NK_Q5_0, "Q5_0", 640, weights);
  products(pool, NK_Q8_0, "Q8_0", 576, weights);
  products(pool, NK_Q4_K, "Q4_K", 1536, weights);
  products(pool, NK_Q6_K, "Q6_K", 1536, weights);
  attention(pool);
  nk_pool_destroy(pool);
  return 0;
}
