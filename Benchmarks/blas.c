// Speed of a BLAS on the matrix products of training, in GFLOP/s: the best of several repetitions,
// the ways of using threads interleaved. Compiled by blas.sh against each library.
//
//   own    the library's own threads
//   pool   one single-threaded call per thread, each with a slice of the output, as Graph does
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void SET_THREADS(int);

enum { REPETITIONS = 9 };

typedef struct {
  const char *what;
  int m, n, k;
  enum CBLAS_TRANSPOSE a, b;
} shape;

static const shape shapes[] = {
    {"reference", 512, 1536, 1536, CblasNoTrans, CblasTrans},
    {"SmolLM2 MLP forward", 2048, 1536, 576, CblasNoTrans, CblasTrans},
    {"SmolLM2 MLP input gradient", 2048, 576, 1536, CblasNoTrans, CblasNoTrans},
    {"SmolLM2 MLP weight gradient", 1536, 576, 2048, CblasTrans, CblasNoTrans},
    {"SmolLM2 head forward", 512, 16384, 576, CblasNoTrans, CblasTrans},
    {"SmolLM2 head input gradient", 512, 576, 16384, CblasNoTrans, CblasNoTrans},
    {"Qwen MLP forward", 1024, 8960, 1536, CblasNoTrans, CblasTrans},
    {"Qwen MLP input gradient", 1024, 1536, 8960, CblasNoTrans, CblasNoTrans},
    {"Qwen MLP weight gradient", 8960, 1536, 1024, CblasTrans, CblasNoTrans},
};

typedef struct {
  shape s;
  int lda, ldb, ldc;
  const float *a, *b;
  float *c;
} job;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static void run(const job *j) {
  cblas_sgemm(CblasRowMajor, j->s.a, j->s.b, j->s.m, j->s.n, j->s.k, 1, j->a, j->lda, j->b, j->ldb,
              0, j->c, j->ldc);
}

// Rows are split, or columns where the output is wide and low. OpenMP's threads wait between calls,
// as Graph's do; new ones would often share a core for as long as a product takes.
static void run_slices(const job *whole, int threads) {
  int rows = whole->s.m * 4 >= whole->s.n;
  int total = rows ? whole->s.m : whole->s.n;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int t = 0; t < threads; t++) {
    job j = *whole;
    long begin = (long)total * t / threads, end = (long)total * (t + 1) / threads;
    if (rows) {
      j.s.m = (int)(end - begin);
      j.a += whole->s.a == CblasTrans ? begin : begin * whole->lda;
      j.c += begin * whole->ldc;
    } else {
      j.s.n = (int)(end - begin);
      j.b += whole->s.b == CblasTrans ? begin * whole->ldb : begin;
      j.c += begin;
    }
    run(&j);
  }
}

static float *matrix(long count) {
  float *data = aligned_alloc(64, (size_t)count * sizeof(float));
  for (long i = 0; data && i < count; i++) data[i] = (float)(i % 17) * 0.1f - 0.8f;
  return data;
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 2;
  if (threads < 1) return 2;
  float *a = matrix(16 << 20), *b = matrix(16 << 20), *c = matrix(16 << 20);
  if (!a || !b || !c) return 1;
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    shape s = shapes[i];
    job j = {s, s.a == CblasTrans ? s.m : s.k, s.b == CblasTrans ? s.k : s.n, s.n, a, b, c};
    double best[2] = {1e9, 1e9};
    for (int r = 0; r < 2 * REPETITIONS; r++) {
      SET_THREADS(r % 2 ? 1 : threads);
      double start = now();
      if (r % 2)
        run_slices(&j, threads);
      else
        run(&j);
      double time = now() - start;
      if (time < best[r % 2]) best[r % 2] = time;
    }
    double work = 2e-9 * s.m * s.n * s.k;
    printf("%s|%d x %d x %d|%.0f|%.0f\n", s.what, s.m, s.n, s.k, work / best[0], work / best[1]);
  }
}
