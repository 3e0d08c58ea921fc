// links: call key_slot allocator
#include "call.h"
#include "check.h"

#define COUNT 6

static ssa_call calls[COUNT + 1]; /* calls[n] has the number n */

/* A list of these numbers, in which each finds its place by itself. */
static void fill(ssa_call_list *list, const int *numbers, size_t count) {
    memset(list, 0, sizeof *list);
    memset(calls, 0, sizeof calls);
    for (size_t i = 0; i < count; i++) {
        calls[numbers[i]].number = (uint64_t)numbers[i];
        ssa_call_list_insert(list, &calls[numbers[i]], NULL);
    }
}

static void check_order(const ssa_call_list *list, size_t count) {
    const ssa_call *last = NULL;
    size_t seen = 0;
    for (const ssa_call *call = list->first; call; call = call->next) {
        CHECK(call->list == list && call->previous == last && (!last || last->number < call->number));
        last = call;
        seen++;
    }
    CHECK(list->last == last);
    CHECK_NUMBER(seen, count);
    CHECK_NUMBER(list->length, count);
}

static void test_a_call_finds_its_place_from_anywhere(void) {
    static const int numbers[] = {4, 1, 6, 3, 5};
    ssa_call_list list;
    for (int near = 1; near <= COUNT; near++) {
        fill(&list, numbers, 5);
        check_order(&list, 5);
        calls[2].number = 2;
        ssa_call_list_insert(&list, &calls[2], near == 2 ? NULL : &calls[near]);
        check_order(&list, 6);
    }
}

/* As the retry of parked calls does it: who is told that one has ended may cancel any others. */
static void test_a_walk_goes_on_behind_calls_that_are_removed_meanwhile(void) {
    static const int numbers[] = {1, 2, 3, 4, 5};
    ssa_call_list list;
    uint64_t seen = 0;
    fill(&list, numbers, 5);
    for (ssa_call *call = list.first; call; call = list.walk) {
        list.walk = call->next;
        seen = 10 * seen + call->number;
        if (call->number == 2) {
            ssa_call_list_remove(&calls[3]);
            ssa_call_list_remove(&calls[2]);
            ssa_call_list_remove(&calls[4]);
            calls[6].number = 6;
            ssa_call_list_insert(&list, &calls[6], NULL);
        }
    }
    CHECK_NUMBER(seen, 1256);
    check_order(&list, 3);
}

CHECK_MAIN(NULL, test_a_call_finds_its_place_from_anywhere, test_a_walk_goes_on_behind_calls_that_are_removed_meanwhile)
