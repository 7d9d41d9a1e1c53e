// Threads that share work in small pieces, spin briefly, then sleep.
//
// Each thread begins with a range of its own and walks it in order, so that what it reads lies
// in a row; when it is through it helps with the others' ranges.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("yield")
#else
#define PAUSE() ((void)0)
#endif

// Time to look for the next job before sleeping. A layer's serial parts take about 2
// microseconds; a sleep and wake-up costs 50.
enum { SPIN_NANOSECONDS = 40000 };

// What is left of one thread's share of the job, on a cache line of its own.
typedef struct {
  _Alignas(64) atomic_llong next;
  int64_t end;
} range;

struct nk_pool {
  int threads;
  pthread_t *workers;
  float **scratch;
  size_t *scratch_floats;
  // The job. Written only while `open` is false and `inside` is 0.
  nk_task task;
  void *context;
  int64_t grain;
  range *ranges;
  _Alignas(64) atomic_bool open;
  atomic_uint generation;
  _Alignas(64) atomic_int inside;  // workers that may be looking at the job
  atomic_int sleepers;
  atomic_bool caller_sleeps, stop;
  pthread_mutex_t mutex;
  pthread_cond_t work, done;
  atomic_int started;
};

typedef struct {
  nk_pool *pool;
  int thread;
} worker_start;

static int64_t nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void work_on_job(nk_pool *pool, int thread) {
  for (int i = 0; i < pool->threads; i++) {
    range *r = &pool->ranges[(thread + i) % pool->threads];
    for (;;) {
      int64_t begin = atomic_fetch_add_explicit(&r->next, pool->grain, memory_order_relaxed);
      if (begin >= r->end) break;
      int64_t end = begin + pool->grain;
      pool->task(pool->context, thread, begin, end < r->end ? end : r->end);
    }
  }
}

// Spins until the generation is no longer `seen`; false when it took too long.
static bool spin_for_job(nk_pool *pool, unsigned seen) {
  int64_t deadline = 0;
  for (;;) {
    for (int i = 0; i < 64; i++) {
      if (atomic_load_explicit(&pool->generation, memory_order_acquire) != seen) return true;
      PAUSE();
    }
    int64_t now = nanoseconds();
    if (!deadline) deadline = now + SPIN_NANOSECONDS;
    if (now > deadline) return false;
  }
}

static void *worker_main(void *argument) {
  worker_start start = *(worker_start *)argument;
  free(argument);
  nk_pool *pool = start.pool;
  unsigned seen = 0;
  for (;;) {
    if (!spin_for_job(pool, seen)) {
      pthread_mutex_lock(&pool->mutex);
      atomic_fetch_add(&pool->sleepers, 1);
      while (atomic_load(&pool->generation) == seen)
        pthread_cond_wait(&pool->work, &pool->mutex);
      atomic_fetch_sub(&pool->sleepers, 1);
      pthread_mutex_unlock(&pool->mutex);
    }
    seen = atomic_load(&pool->generation);
    if (atomic_load(&pool->stop)) return NULL;
    // Sequentially consistent on purpose: either the caller sees this worker inside, or the
    // worker sees that the job is closed.
    atomic_fetch_add(&pool->inside, 1);
    if (atomic_load(&pool->open)) work_on_job(pool, start.thread);
    if (atomic_fetch_sub(&pool->inside, 1) == 1 && atomic_load(&pool->caller_sleeps)) {
      pthread_mutex_lock(&pool->mutex);
      pthread_cond_signal(&pool->done);
      pthread_mutex_unlock(&pool->mutex);
    }
  }
}

static void wake_workers(nk_pool *pool) {
  atomic_fetch_add(&pool->generation, 1);
  if (atomic_load(&pool->sleepers) > 0) {
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
  }
}

nk_pool *nk_pool_create(int threads) {
  if (threads < 1 || threads > 1024) return NULL;
  nk_pool *pool = NULL;
  if (posix_memalign((void **)&pool, 64, sizeof *pool)) return NULL;
  memset(pool, 0, sizeof *pool);
  pool->workers = calloc((size_t)threads, sizeof *pool->workers);
  pool->scratch = calloc((size_t)threads, sizeof *pool->scratch);
  pool->scratch_floats = calloc((size_t)threads, sizeof *pool->scratch_floats);
  void *ranges = NULL;
  if (!posix_memalign(&ranges, 64, (size_t)threads * sizeof *pool->ranges)) pool->ranges = ranges;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  pool->threads = 1;
  bool failed = !pool->ranges || !pool->workers || !pool->scratch || !pool->scratch_floats;
  for (int i = 1; i < threads && !failed; i++) {
    worker_start *start = malloc(sizeof *start);
    if (start) *start = (worker_start){pool, i};
    failed = !start || pthread_create(&pool->workers[i], NULL, worker_main, start);
    if (failed)
      free(start);
    else
      pool->threads = i + 1;
  }
  if (failed) {
    nk_pool_destroy(pool);
    return NULL;
  }
  return pool;
}

void nk_pool_destroy(nk_pool *pool) {
  if (!pool) return;
  atomic_store(&pool->stop, true);
  wake_workers(pool);
  for (int i = 1; i < pool->threads; i++) pthread_join(pool->workers[i], NULL);
  for (int i = 0; pool->scratch && i < pool->threads; i++) free(pool->scratch[i]);
  pthread_mutex_destroy(&pool->mutex);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->done);
  free(pool->workers);
  free(pool->ranges);
  free(pool->scratch);
  free(pool->scratch_floats);
  free(pool);
}

int nk_pool_threads(const nk_pool *pool) { return pool->threads; }

void nk_pool_run(nk_pool *pool, int64_t count, int64_t grain, nk_task task, void *context) {
  if (count <= 0) return;
  if (grain < 1) grain = 1;
  if (pool->threads == 1 || count <= grain) {
    task(context, 0, 0, count);
    return;
  }
  pool->task = task;
  pool->context = context;
  pool->grain = grain;
  int64_t pieces = (count + grain - 1) / grain;
  for (int i = 0; i < pool->threads; i++) {
    int64_t end = pieces * (i + 1) / pool->threads * grain;
    pool->ranges[i].end = end < count ? end : count;
    atomic_store_explicit(&pool->ranges[i].next, pieces * i / pool->threads * grain,
                          memory_order_relaxed);
  }
  atomic_store(&pool->open, true);
  wake_workers(pool);
  work_on_job(pool, 0);
  atomic_store(&pool->open, false);
  // Every piece is taken; wait for the workers that still hold one.
  int64_t deadline = 0;
  while (atomic_load(&pool->inside) > 0) {
    for (int i = 0; i < 64 && atomic_load_explicit(&pool->inside, memory_order_acquire); i++)
      PAUSE();
    int64_t now = nanoseconds();
    if (!deadline) deadline = now + SPIN_NANOSECONDS;
    if (now > deadline) {
      pthread_mutex_lock(&pool->mutex);
      atomic_store(&pool->caller_sleeps, true);
      while (atomic_load(&pool->inside) > 0) pthread_cond_wait(&pool->done, &pool->mutex);
      atomic_store(&pool->caller_sleeps, false);
      pthread_mutex_unlock(&pool->mutex);
    }
  }
}

float *nk_pool_scratch(nk_pool *pool, int thread, size_t floats) {
  if (pool->scratch_floats[thread] < floats) {
    free(pool->scratch[thread]);
    pool->scratch[thread] = NULL;
    pool->scratch_floats[thread] = 0;
    void *memory;
    if (posix_memalign(&memory, 64, floats * sizeof(float))) return NULL;
    pool->scratch[thread] = memory;
    pool->scratch_floats[thread] = floats;
  }
  return pool->scratch[thread];
}

bool nk_pool_reserve(nk_pool *pool, size_t floats) {
  for (int i = 0; i < pool->threads; i++)
    if (!nk_pool_scratch(pool, i, floats)) return false;
  return true;
}

// ---------------------------------------------------------------- memory

enum { HUGE_PAGE = 2 << 20 };

static size_t mapped_bytes(size_t bytes) {
  size_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : 4096;
  return (bytes + unit - 1) / unit * unit;
}

void *nk_allocate(size_t bytes) {
  if (bytes == 0 || bytes > SIZE_MAX / 2) return NULL;
  size_t size = mapped_bytes(bytes), slack = bytes >= HUGE_PAGE ? HUGE_PAGE : 0;
  uint8_t *base = mmap(NULL, size + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                       -1, 0);
  if (base == MAP_FAILED) return NULL;
  if (slack) {  // huge pages want their own alignment
    size_t head = (HUGE_PAGE - (uintptr_t)base % HUGE_PAGE) % HUGE_PAGE;
    if (head) munmap(base, head);
    if (slack - head) munmap(base + head + size, slack - head);
    base += head;
#ifdef MADV_HUGEPAGE
    madvise(base, size, MADV_HUGEPAGE);
#endif
  }
  return base;
}

void nk_free(void *pointer, size_t bytes) {
  if (pointer) munmap(pointer, mapped_bytes(bytes));
}
