#include "retry.h"

#include <string.h>
#include <sys/random.h>

#include "allocator.h"
#include "backoff.h"
#include "engine.h"

#define TRIES_AT_ONCE 3

static const ssa_backoff after_not_now = {10000000, 200000000};
/* As long as what is tried takes, at its longest: a rename between servers carries whole values. */
static const ssa_backoff after_others = {5000000, 2000000000};

struct ssa_retry {
    ssa_timer pause;
    int64_t refused, contended; /* the last pauses */
    unsigned tries;             /* that others came between */
    void (*again)(ssa_request *request);
};

static void after_pause(ssa_timer *timer) {
    ssa_request *request = timer->owner;
    if (!request->complete)
        request->retry->again(request);
}

/* NULL: no memory, the request has ended. */
static ssa_retry *retry_of(ssa_request *request) {
    ssa_retry *retry = request->retry;
    if (retry)
        return retry;
    retry = ssa_allocate(sizeof *retry);
    if (!retry || ssa_engine_take_timer(request->engine)) {
        ssa_release(retry);
        ssa_request_fail_memory(request);
        return NULL;
    }
    memset(retry, 0, sizeof *retry);
    retry->pause.fire = after_pause;
    retry->pause.owner = request;
    return request->retry = retry;
}

static void go_on_after(ssa_request *request, int64_t pause, void (*again)(ssa_request *)) {
    request->retry->again = again;
    ssa_engine_arm(request->engine, &request->retry->pause, request->engine->now + pause);
}

void ssa_retry_later(ssa_request *request, void (*again)(ssa_request *)) {
    ssa_retry *retry = retry_of(request);
    if (!retry)
        return;
    retry->refused = ssa_backoff_next(&after_not_now, retry->refused);
    go_on_after(request, retry->refused, again);
}

void ssa_retry_contended(ssa_request *request, void (*again)(ssa_request *)) {
    ssa_retry *retry = retry_of(request);
    uint32_t random = 0;
    if (!retry)
        return;
    if (retry->tries++ < TRIES_AT_ONCE) {
        again(request);
        return;
    }
    if (getentropy(&random, sizeof random))
        random = (uint32_t)request->engine->now; /* no two clients have the same for long */
    retry->contended = ssa_backoff_next(&after_others, retry->contended);
    go_on_after(request, ssa_backoff_spread(retry->contended, random), again);
}

void ssa_retry_end(ssa_request *request) {
    if (request->retry)
        ssa_timer_cancel(&request->engine->timers, &request->retry->pause);
}

void ssa_retry_free(ssa_request *request) {
    if (!request->retry)
        return;
    ssa_engine_return_timer(request->engine);
    ssa_release(request->retry);
}
