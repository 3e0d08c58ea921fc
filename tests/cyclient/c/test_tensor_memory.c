// links: tensor_memory allocator
#include <pthread.h>

#include "check.h"
#include "tensor_header.h"
#include "tensor_memory.h"

#define THREADS 4
#define ROUNDS 100
#define BLOCKS 3
#define LARGE ((size_t)4 << 20) /* from here on blocks are kept for the next tensor */

static int is_aligned(const ssa_memory *memory) {
    return (size_t)memory->data % SSA_TENSOR_ALIGNMENT == 0;
}

static void test_memory_is_aligned_and_there_even_for_no_bytes(void) {
    for (size_t bytes = 0; bytes < 300; bytes += 7) {
        ssa_memory memory = ssa_memory_new(bytes);
        CHECK(memory.data && memory.bytes == bytes && is_aligned(&memory));
        memset(memory.data, 1, bytes);
        ssa_memory_free(&memory);
        CHECK(!memory.data && !memory.bytes && !memory.allocation);
        ssa_memory_free(&memory);
    }
}

static void test_more_than_there_is_is_refused(void) {
    ssa_memory memory = ssa_memory_new(SIZE_MAX - 10);
    CHECK(!memory.data);
    ssa_memory_free(&memory);
}

static void test_a_freed_block_is_the_next_of_about_its_size(void) {
    ssa_memory_cache *cache = ssa_memory_cache_new(2 * LARGE);
    CHECK(cache);
    ssa_memory first = ssa_memory_take(cache, LARGE + 4096);
    void *where = first.data;
    ssa_memory_free(&first);
    ssa_memory small = ssa_memory_take(cache, 4096), again = ssa_memory_take(cache, LARGE);
    CHECK(small.data != where && again.data == where);
    ssa_memory_free(&again);
    ssa_memory twice = ssa_memory_take(cache, 2 * LARGE);
    CHECK(twice.data && twice.data != where);
    ssa_memory_free(&twice);
    ssa_memory_free(&small);
    ssa_memory_cache_end(cache);
    ssa_memory_cache_end(NULL);
}

static void test_the_last_block_takes_the_cache_along(void) {
    ssa_memory_cache *cache = ssa_memory_cache_new(4 * LARGE);
    ssa_memory kept = ssa_memory_take(cache, LARGE), held = ssa_memory_take(cache, LARGE);
    ssa_memory_free(&kept);
    ssa_memory_cache_end(cache);
    memset(held.data, 1, LARGE);
    ssa_memory_free(&held);
}

typedef struct thread_work {
    pthread_t thread;
    pthread_barrier_t *start;
    ssa_memory_cache *cache;
    ssa_memory blocks[BLOCKS];
    unsigned char mark;
} thread_work;

/* What one thread writes no other sees, though freed blocks go from one to another. */
static void *take_and_give_back(void *argument) {
    static const size_t sizes[] = {LARGE, LARGE + 4096, LARGE + (LARGE >> 4), 100};
    thread_work *work = argument;
    for (int round = 0; round < ROUNDS; round++) {
        size_t bytes = sizes[(round + work->mark) % 4];
        ssa_memory memory = ssa_memory_take(work->cache, bytes);
        if (!memory.data || !is_aligned(&memory))
            return "no memory";
        unsigned char *first = memory.data, *last = first + bytes - 1;
        *first = *last = work->mark;
        if (*first != work->mark || *last != work->mark)
            return "another's memory";
        ssa_memory_free(&memory);
    }
    return NULL;
}

static void *free_blocks(void *argument) {
    thread_work *work = argument;
    pthread_barrier_wait(work->start);
    for (int i = 0; i < BLOCKS; i++)
        ssa_memory_free(&work->blocks[i]);
    return NULL;
}

static void join(thread_work *work) {
    void *wrong = "not joined";
    CHECK(!pthread_join(work->thread, &wrong) && !wrong);
}

static void test_threads_share_what_is_kept_and_nothing_else(void) {
    static thread_work work[THREADS];
    ssa_memory_cache *cache = ssa_memory_cache_new(3 * LARGE);
    for (int i = 0; i < THREADS; i++) {
        work[i].cache = cache;
        work[i].mark = (unsigned char)(i + 1);
        CHECK(!pthread_create(&work[i].thread, NULL, take_and_give_back, &work[i]));
    }
    for (int i = 0; i < THREADS; i++)
        join(&work[i]);
    ssa_memory_cache_end(cache);
}

static void free_while_the_client_goes(void) {
    static thread_work work[THREADS];
    pthread_barrier_t start;
    ssa_memory_cache *cache = ssa_memory_cache_new(3 * LARGE);
    CHECK(!pthread_barrier_init(&start, NULL, THREADS + 1));
    for (int i = 0; i < THREADS; i++) {
        work[i].start = &start;
        for (int block = 0; block < BLOCKS; block++)
            work[i].blocks[block] = ssa_memory_take(cache, LARGE);
        CHECK(!pthread_create(&work[i].thread, NULL, free_blocks, &work[i]));
    }
    pthread_barrier_wait(&start);
    ssa_memory_cache_end(cache);
    for (int i = 0; i < THREADS; i++)
        join(&work[i]);
    pthread_barrier_destroy(&start);
}

static void test_tensors_outlive_their_client_in_any_thread(void) {
    for (int i = 0; i < ROUNDS; i++)
        free_while_the_client_goes();
}

static ssa_status exercise(void) {
    ssa_memory_cache *cache = ssa_memory_cache_new(2 * LARGE);
    ssa_memory large = ssa_memory_take(cache, LARGE), small = ssa_memory_take(cache, 10);
    ssa_status status = cache && large.data && small.data ? SSA_OK : SSA_ENOMEM;
    ssa_memory_free(&large);
    ssa_memory_free(&small);
    ssa_memory_cache_end(cache);
    return status;
}

int main(int count, char **words) {
    /* The tests not through the table of check.h, which counts without locks; what leaks is seen by the sanitizer. */
    if (count > 1)
        return check_run(count, words, exercise, NULL, 0);
    test_memory_is_aligned_and_there_even_for_no_bytes();
    test_more_than_there_is_is_refused();
    test_a_freed_block_is_the_next_of_about_its_size();
    test_the_last_block_takes_the_cache_along();
    test_threads_share_what_is_kept_and_nothing_else();
    test_tensors_outlive_their_client_in_any_thread();
    printf("%ld checks in 6 tests\n", check_state.checks);
    return check_state.failures ? 1 : 0;
}
