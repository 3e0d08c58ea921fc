#include "poll_wake.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define TURNS 64 /* polls after one that was asked for, until a thread is taken to be alone again */

void ssa_poll_wake_init(ssa_poll_wake *wake) {
    atomic_init(&wake->wanted, 0);
    atomic_init(&wake->writer, -1);
    wake->reader = -1;
    wake->turns = 0;
}

void ssa_poll_wake_end(ssa_poll_wake *wake) {
    int writer = atomic_load(&wake->writer);
    if (writer < 0)
        return;
    atomic_store(&wake->writer, -1);
    close(writer);
    close(wake->reader);
}

static void write_byte(int writer) {
    while (write(writer, "", 1) < 0 && errno == EINTR)
        ;
}

void ssa_poll_wake_ask(ssa_poll_wake *wake) {
    if (atomic_exchange(&wake->wanted, 1))
        return;
    int writer = atomic_load(&wake->writer);
    if (writer >= 0)
        write_byte(writer);
}

int ssa_poll_wake_answer(ssa_poll_wake *wake) {
    char bytes[16];
    if (!atomic_load_explicit(&wake->wanted, memory_order_relaxed)) {
        if (wake->turns)
            wake->turns--;
        return 0;
    }
    while (wake->reader >= 0 && read(wake->reader, bytes, sizeof bytes) == (ssize_t)sizeof bytes)
        ;
    atomic_store(&wake->wanted, 0);
    wake->turns = TURNS;
    return 1;
}

/* ---- what the poll asks for */

typedef struct wakeable {
    ssa_engine *engine;
    const ssa_request *request;
    ssa_poll_wake *wake;
} wakeable;

static int open_pipe(ssa_poll_wake *wake) {
    int ends[2];
    if (pipe(ends))
        return -1;
    for (int i = 0; i < 2; i++) {
        fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        fcntl(ends[i], F_SETFL, fcntl(ends[i], F_GETFL) | O_NONBLOCK);
    }
    wake->reader = ends[0];
    atomic_store(&wake->writer, ends[1]);
    return ends[1];
}

/* Who asks sees the pipe, or is seen here: one of the two writes. */
static int wake_descriptor(void *self) {
    ssa_poll_wake *wake = ((wakeable *)self)->wake;
    if (atomic_load_explicit(&wake->writer, memory_order_relaxed) < 0) {
        int writer = open_pipe(wake);
        if (writer >= 0 && atomic_load(&wake->wanted))
            write_byte(writer);
    }
    return wake->reader;
}

static int is_done(void *self) {
    const wakeable *w = self;
    return (w->request && w->request->complete) || w->engine->first_complete ||
           atomic_load_explicit(&w->wake->wanted, memory_order_relaxed);
}

static int is_wanted(void *self) {
    return ((wakeable *)self)->wake->turns > 0;
}

static void keep(void *self, const ssa_poll_watch *watch) {
    (void)self;
    (void)watch;
}

static int had_it_all_the_time(void *self) {
    (void)self;
    return 0;
}

ssa_status ssa_poll_wakeable(ssa_engine *engine, const ssa_request *request, int64_t until, ssa_poll_wake *wake) {
    wakeable w = {engine, request, wake};
    ssa_poll_guard guard = {.self = &w,
                            .wake = wake_descriptor,
                            .is_done = is_done,
                            .is_wanted = is_wanted,
                            .release = keep,
                            .take = had_it_all_the_time};
    return ssa_poll_guarded(engine, until, &guard);
}
