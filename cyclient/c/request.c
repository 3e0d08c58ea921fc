#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "batch_plan.h"
#include "engine.h"
#include "dataset.h"
#include "failure_text.h"
#include "op_chunk.h"
#include "op_watched.h"
#include "retry.h"
#include "run_order.h"
#include "store_full.h"

#define KEPT_BYTES 256 /* of a name, with the memory of a spare request */

static void on_deadline(ssa_timer *timer);
static void call_done(ssa_call *call);

ssa_request *ssa_request_new(ssa_engine *engine, const char *operation, ssa_kind kind, const void *subject, size_t bytes,
                             void (*step)(ssa_request *request)) {
    ssa_request *request = ssa_spares_take(&engine->spares.requests);
    ssa_buffer kept = request ? request->subject : (ssa_buffer){NULL, 0, 0};
    if (!request)
        request = ssa_allocate(sizeof *request);
    if (!request)
        return NULL;
    memset(request, 0, sizeof *request);
    request->engine = engine;
    request->subject = kept;
    request->operation = operation;
    request->kind = kind;
    request->step = step;
    request->deadline.fire = on_deadline;
    request->deadline.owner = request;
    if (ssa_buffer_append(&request->subject, subject, bytes) || ssa_buffer_append(&request->subject, "", 1) ||
        ssa_engine_take_timer(engine)) {
        ssa_buffer_free(&request->subject);
        ssa_release(request);
        return NULL;
    }
    request->subject.bytes--;
    request->has_timer = 1;
    return request;
}

void ssa_request_order_by(ssa_request *request, const ssa_buffer *key) {
    request->order_hash = ssa_key_hash(key->data, key->bytes);
}

void ssa_request_changes(ssa_request *request, size_t which, const ssa_buffer *key) {
    request->changes[which] = ssa_key_hash(key->data, key->bytes);
}

/* ---- calls */

void ssa_request_drop_calls(ssa_request *request) {
    for (size_t i = 0; i < request->call_count; i++)
        ssa_command_recycle(&request->engine->spares.commands, request->calls[i].command);
    if (request->calls != &request->single)
        ssa_release(request->calls);
    request->calls = NULL;
    request->call_count = 0;
}

ssa_status ssa_request_calls(ssa_request *request, size_t count) {
    ssa_request_drop_calls(request);
    ssa_call *calls = count <= 1 ? &request->single : ssa_allocate(count * sizeof *calls);
    if (!calls)
        return SSA_ENOMEM;
    memset(calls, 0, count * sizeof *calls);
    request->calls = calls;
    request->call_count = count;
    return SSA_OK;
}

static void send_call(ssa_request *request, ssa_call *call, ssa_command *command, unsigned flags) {
    if (!command) {
        ssa_request_fail_memory(request);
        return;
    }
    call->command = command;
    call->flags = (uint8_t)flags;
    call->done = call_done;
    call->owner = request;
    request->outstanding++;
    ssa_engine_submit(request->engine, call);
}

void ssa_request_send(ssa_request *request, size_t i, ssa_command *command, const void *key, size_t bytes, unsigned flags) {
    if (request->complete) {
        ssa_command_free(command);
        return;
    }
    ssa_call_key(&request->calls[i], key, bytes);
    send_call(request, &request->calls[i], command, flags);
}

void ssa_request_send_to(ssa_request *request, size_t i, ssa_command *command, ssa_server *server, unsigned flags) {
    if (request->complete) {
        ssa_command_free(command);
        return;
    }
    request->calls[i].server = server;
    send_call(request, &request->calls[i], command, flags);
}

ssa_command *ssa_request_answer(ssa_request *request, size_t i) {
    return request->calls[i].command;
}

static void part_done(ssa_request *request) {
    request->outstanding--;
    if (!request->outstanding && !request->complete)
        request->step(request);
}

static void call_done(ssa_call *call) {
    ssa_request *request = call->owner;
    request->answered |= call->command->status == SSA_OK;
    part_done(request);
}

int ssa_request_take_over(ssa_request *request, ssa_request *from) {
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    request->calls[0].done = call_done;
    request->calls[0].owner = request;
    if (!from->call_count || !ssa_engine_hand_over(&from->calls[0], &request->calls[0]))
        return 0;
    from->outstanding--;
    request->outstanding = 1;
    return 1;
}

void ssa_request_start_parts(ssa_request *request, ssa_request *const *parts, size_t count) {
    ssa_request_calls(request, 0); /* of no call: cannot fail */
    request->outstanding = count;
    request->answered = 1; /* perhaps: how far its parts have come is not looked at */
    for (size_t i = 0; i < count; i++) {
        parts[i]->parent = request;
        ssa_request_start_until(parts[i], request->until, request->timeout);
    }
}

/* ---- the end */

static void list_remove(ssa_request *request) {
    ssa_engine *engine = request->engine;
    *(request->previous ? &request->previous->next : &engine->requests) = request->next;
    if (request->next)
        request->next->previous = request->previous;
    request->next = request->previous = NULL;
}

static void complete(ssa_request *request) {
    ssa_engine *engine = request->engine;
    request->complete = 1;
    ssa_timer_cancel(&engine->timers, &request->deadline);
    if (request->status && request->forsaken && !request->unattended)
        request->forsaken(request);
    for (size_t i = 0; i < request->call_count && request->outstanding; i++)
        ssa_engine_abandon(engine, &request->calls[i]);
    request->outstanding = 0;
    ssa_retry_end(request);
    ssa_watched_leave(request);
    if (request->completed)
        request->completed(request);
    if (!request->started)
        return;
    list_remove(request);
    ssa_run_order_done(request);
    if (request->batch)
        ssa_batch_plan_child_done(request->batch, request);
    else if (request->parent)
        part_done(request->parent);
    else if (request->unattended)
        ssa_request_free(request);
    else
        ssa_engine_completed(engine, request);
}

void ssa_request_succeed(ssa_request *request) {
    if (request->complete)
        return;
    if (ssa_log_wants(&request->engine->log, SSA_LOG_DEBUG))
        ssa_log_write(&request->engine->log, SSA_LOG_DEBUG, "%s '%s': done in %.3f ms", request->operation,
                      (char *)request->subject.data, (double)(ssa_now() - request->began) / 1e6);
    complete(request);
}

static void keep_text(ssa_request *request, const char *format, va_list arguments) {
    char text[1024];
    int bytes = vsnprintf(text, sizeof text, format, arguments);
    if (bytes >= (int)sizeof text)
        bytes = sizeof text - 1;
    request->error.bytes = 0;
    if (bytes < 0 || ssa_buffer_append(&request->error, text, (size_t)bytes + 1))
        return; /* the status says enough */
    request->error.bytes--;
}

void ssa_request_fail(ssa_request *request, ssa_status status, const char *format, ...) {
    if (request->complete)
        return;
    va_list arguments;
    va_start(arguments, format);
    keep_text(request, format, arguments);
    va_end(arguments);
    request->status = status;
    int is_bad = status != SSA_ECANCELLED && !request->unattended;
    ssa_log_write(&request->engine->log, is_bad ? SSA_LOG_ERROR : SSA_LOG_DEBUG, "%s '%s' failed: %s",
                  request->operation, (char *)request->subject.data,
                  request->error.bytes ? (char *)request->error.data : ssa_status_name(status));
    complete(request);
}

void ssa_request_fail_memory(ssa_request *request) {
    ssa_request_fail(request, SSA_ENOMEM, "no memory for %s '%s'", request->operation, (char *)request->subject.data);
}

void ssa_request_fail_call(ssa_request *request, const ssa_call *call) {
    char text[1024];
    ssa_status status = ssa_failure_of_call(request, call, text, sizeof text);
    if (status != SSA_EFULL || !ssa_store_full_ask(request, call, text))
        ssa_request_fail(request, status, "%s", text);
}

int ssa_request_failed(ssa_request *request) {
    for (size_t i = 0; i < request->call_count; i++)
        if (request->calls[i].command->status != SSA_OK) {
            ssa_request_fail_call(request, &request->calls[i]);
            return 1;
        }
    return 0;
}

ssa_status ssa_request_keep_tensors(ssa_request *request, ssa_command *answer) {
    if (!request->tensor_count) {
        request->tensors = answer->tensors;
        request->tensor_count = answer->tensor_count;
        answer->tensors = NULL;
        answer->tensor_count = 0;
        return SSA_OK;
    }
    size_t count = request->tensor_count + answer->tensor_count;
    ssa_tensor *grown = ssa_reallocate(request->tensors, count * sizeof *grown);
    if (!grown)
        return SSA_ENOMEM;
    memcpy(grown + request->tensor_count, answer->tensors, answer->tensor_count * sizeof *grown);
    request->tensors = grown;
    request->tensor_count = count;
    answer->tensor_count = 0;
    return SSA_OK;
}

/* ---- starting, cancelling */

static void on_deadline(ssa_timer *timer) {
    ssa_request *request = timer->owner;
    if (request->overdue) {
        request->overdue(request);
        return;
    }
    ssa_request_time_out(request);
}

void ssa_request_time_out(ssa_request *request) {
    char text[1024];
    ssa_status status = ssa_failure_of_timeout(request, text, sizeof text);
    ssa_request_fail(request, status, "%s", text);
}

/* Among those under way. 0: the engine cannot be used, and the request has ended. */
static int enlist(ssa_request *request) {
    ssa_engine *engine = request->engine;
    request->started = 1;
    request->next = engine->requests;
    if (engine->requests)
        engine->requests->previous = request;
    engine->requests = request;
    engine->statistics.requests++;
    ssa_run_order_started(request);
    request->began = engine->now;
    if (ssa_log_wants(&engine->log, SSA_LOG_DEBUG))
        ssa_log_write(&engine->log, SSA_LOG_DEBUG, "%s '%s' begins", request->operation, (char *)request->subject.data);
    ssa_status status;
    const char *why = ssa_engine_unusable(engine, &status);
    if (why)
        ssa_request_fail(request, status, "%s", why);
    return !why;
}

void ssa_request_start(ssa_request *request, int64_t timeout) {
    ssa_engine *engine = request->engine;
    engine->now = ssa_now();
    request->timeout = timeout < 0 ? engine->settings.timeout_ns : timeout;
    request->until = request->timeout < SSA_NO_TIMEOUT - engine->now ? engine->now + request->timeout : SSA_NEVER;
    if (!enlist(request))
        return;
    if (request->until != SSA_NEVER)
        ssa_timer_arm(&engine->timers, &request->deadline, request->until);
    request->step(request);
}

void ssa_request_start_until(ssa_request *request, int64_t until, int64_t timeout) {
    request->until = until;
    request->timeout = timeout;
    if (enlist(request))
        request->step(request);
}

void ssa_request_cancel(ssa_request *request) {
    if (!request->complete) {
        ssa_request_fail(request, SSA_ECANCELLED, "%s '%s' was cancelled", request->operation, (char *)request->subject.data);
    }
    ssa_engine_withdraw(request->engine, request);
}

void ssa_request_free(ssa_request *request) {
    if (!request)
        return;
    if (request->started)
        ssa_request_cancel(request);
    if (request->end)
        request->end(request);
    ssa_chunk_io_free(request);
    ssa_watched_free(request);
    ssa_retry_free(request);
    ssa_request_drop_calls(request);
    if (request->has_timer)
        ssa_engine_return_timer(request->engine);
    for (size_t i = 0; i < request->tensor_count; i++)
        ssa_memory_free(&request->tensors[i].memory);
    ssa_release(request->tensors);
    for (size_t i = 0; i < request->dataset_count; i++)
        ssa_dataset_free(request->datasets[i]);
    ssa_release(request->datasets);
    ssa_reply_free(&request->reply);
    ssa_reply_free(&request->second_reply);
    ssa_buffer_free(&request->error);
    request->subject.bytes = 0;
    if (request->subject.capacity <= KEPT_BYTES && ssa_spares_keep(&request->engine->spares.requests, request))
        return;
    ssa_buffer_free(&request->subject);
    ssa_release(request);
}
