#include "timer_heap.h"

#include "allocator.h"

ssa_status ssa_timer_heap_reserve(ssa_timer_heap *heap, size_t timers) {
    if (timers <= heap->capacity)
        return SSA_OK;
    size_t capacity = heap->capacity ? 2 * heap->capacity : 16;
    if (capacity < timers)
        capacity = timers;
    ssa_timer **grown = ssa_reallocate(heap->timers, capacity * sizeof *grown);
    if (!grown)
        return SSA_ENOMEM;
    heap->timers = grown;
    heap->capacity = capacity;
    return SSA_OK;
}

void ssa_timer_heap_free(ssa_timer_heap *heap) {
    ssa_release(heap->timers);
    *heap = (ssa_timer_heap){NULL, 0, 0};
}

static void put(ssa_timer_heap *heap, size_t place, ssa_timer *timer) {
    heap->timers[place - 1] = timer;
    timer->place = place;
}

static void sift_up(ssa_timer_heap *heap, size_t place, ssa_timer *timer) {
    while (place > 1 && heap->timers[place / 2 - 1]->at > timer->at) {
        put(heap, place, heap->timers[place / 2 - 1]);
        place /= 2;
    }
    put(heap, place, timer);
}

static void sift_down(ssa_timer_heap *heap, size_t place, ssa_timer *timer) {
    for (;;) {
        size_t child = 2 * place;
        if (child > heap->count)
            break;
        if (child < heap->count && heap->timers[child]->at < heap->timers[child - 1]->at)
            child++;
        if (heap->timers[child - 1]->at >= timer->at)
            break;
        put(heap, place, heap->timers[child - 1]);
        place = child;
    }
    put(heap, place, timer);
}

static void settle(ssa_timer_heap *heap, size_t place, ssa_timer *timer) {
    if (place > 1 && heap->timers[place / 2 - 1]->at > timer->at)
        sift_up(heap, place, timer);
    else
        sift_down(heap, place, timer);
}

void ssa_timer_arm(ssa_timer_heap *heap, ssa_timer *timer, int64_t at) {
    timer->at = at;
    settle(heap, timer->place ? timer->place : ++heap->count, timer);
}

void ssa_timer_cancel(ssa_timer_heap *heap, ssa_timer *timer) {
    size_t place = timer->place;
    if (!place)
        return;
    timer->place = 0;
    ssa_timer *last = heap->timers[--heap->count];
    if (last != timer)
        settle(heap, place, last);
}

int64_t ssa_timer_next(const ssa_timer_heap *heap) {
    return heap->count ? heap->timers[0]->at : SSA_NEVER;
}

void ssa_timer_fire_due(ssa_timer_heap *heap, int64_t now) {
    while (heap->count && heap->timers[0]->at <= now) {
        ssa_timer *timer = heap->timers[0];
        ssa_timer_cancel(heap, timer);
        timer->fire(timer);
    }
}
