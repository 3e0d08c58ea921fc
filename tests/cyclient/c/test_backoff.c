// links: allocator
#include "backoff.h"
#include "check.h"

static void pauses_are(ssa_backoff backoff, const int64_t *wanted, unsigned count) {
    int64_t pause = 0;
    for (unsigned retry = 0; retry < count; retry++) {
        pause = ssa_backoff_next(&backoff, pause);
        CHECK_NUMBER(pause, wanted[retry]);
        CHECK_NUMBER(ssa_backoff_before(&backoff, retry), wanted[retry]);
    }
}

static void test_pauses_double_up_to_the_longest(void) {
    pauses_are((ssa_backoff){10, 200}, (const int64_t[]){10, 20, 40, 80, 160, 200, 200, 200}, 8);
    pauses_are((ssa_backoff){10, 80}, (const int64_t[]){10, 20, 40, 80, 80}, 5);
    pauses_are((ssa_backoff){10, 10}, (const int64_t[]){10, 10}, 2);
    pauses_are((ssa_backoff){1, 3}, (const int64_t[]){1, 3, 3}, 3);
}

static void test_numbers_do_not_overflow(void) {
    const ssa_backoff backoff = {1, INT64_MAX};
    int64_t pause = 0;
    for (int i = 0; i < 100; i++) {
        int64_t longer = ssa_backoff_next(&backoff, pause);
        CHECK(longer > pause || pause == INT64_MAX);
        pause = longer;
    }
    CHECK(pause == INT64_MAX);
    CHECK(ssa_backoff_before(&backoff, UINT32_MAX) == INT64_MAX);
}

static void test_a_spread_pause_is_from_a_half_to_one_and_a_half(void) {
    CHECK_NUMBER(ssa_backoff_spread(1000, 0), 500);
    CHECK_NUMBER(ssa_backoff_spread(1000, UINT32_MAX / 2 + 1), 1000);
    CHECK_NUMBER(ssa_backoff_spread(1000, UINT32_MAX), 1499);
}

CHECK_MAIN(NULL, test_a_spread_pause_is_from_a_half_to_one_and_a_half, test_pauses_double_up_to_the_longest, test_numbers_do_not_overflow)
