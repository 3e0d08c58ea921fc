#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client.h"

#define LONGEST_SECONDS 9e9 /* what fits in nanoseconds, with room to add it to a moment: 285 years */

int ssa_seconds(double seconds, int64_t *nanoseconds) {
    if (seconds != seconds)
        return 0;
    *nanoseconds = seconds < 0 ? -1 : seconds >= LONGEST_SECONDS ? SSA_NO_TIMEOUT : (int64_t)(seconds * 1e9);
    return 1;
}

ssa_status ssa_entry_begin(ssa_entry *entry, ssa_client *client, double timeout) {
    entry->client = NULL;
    entry->engine = NULL;
    entry->request = NULL;
    entry->locked = 0;
    entry->ticket.waiter = NULL;
    entry->problem.text[0] = 0;
    entry->reason = NULL;
    if (!client)
        return entry->status = SSA_EARGUMENT;
    if (!ssa_is_at_home(&client->home)) /* its lock may be held by a thread that is not here */
        return entry->status = SSA_EFORK;
    entry->client = client;
    ssa_client_join(client); /* before it sleeps for the lock, while another thread may close the client */
    atomic_fetch_add(&client->inside, 1);
    if (!ssa_seconds(timeout, &entry->timeout))
        return ssa_entry_refuse(entry, SSA_EARGUMENT, "timeout cannot be nan: use seconds; negative: the client's own; "
                                "INFINITY: none.");
    return entry->status = SSA_OK;
}

ssa_status ssa_entry_refuse(ssa_entry *entry, ssa_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(entry->problem.text, sizeof entry->problem.text, format, arguments);
    va_end(arguments);
    return entry->status = status;
}

ssa_status ssa_text_given(const char *what, const char *data, size_t bytes, ssa_text *text,
                          char problem[SSA_MISTAKE_BYTES]) {
    if (!data && bytes) {
        snprintf(problem, SSA_MISTAKE_BYTES, "%s cannot be NULL: pass the text and its length.", what);
        return SSA_EARGUMENT;
    }
    if (bytes > PTRDIFF_MAX && bytes != SSA_TEXT_ENDS) {
        snprintf(problem, SSA_MISTAKE_BYTES, "%s cannot be %zu bytes long: pass its length, or SSA_TEXT_ENDS.", what,
                 bytes);
        return SSA_EARGUMENT;
    }
    *text = (ssa_text){data ? data : "", bytes == SSA_TEXT_ENDS ? strlen(data) : bytes};
    return SSA_OK;
}

ssa_status ssa_entry_text(ssa_entry *entry, const char *what, const char *data, size_t bytes, ssa_text *text) {
    if (!entry->status)
        entry->status = ssa_text_given(what, data, bytes, text, entry->problem.text);
    return entry->status;
}

ssa_status ssa_entry_given(ssa_entry *entry, const char *what, const void *argument) {
    if (!entry->status && !argument)
        ssa_entry_refuse(entry, SSA_EARGUMENT, "%s cannot be NULL: point it to what is to be read.", what);
    return entry->status;
}

ssa_status ssa_entry_result(ssa_entry *entry, const char *what, const void *result) {
    if (!entry->status && !result)
        ssa_entry_refuse(entry, SSA_EARGUMENT, "%s cannot be NULL: pass where the result goes.", what);
    return entry->status;
}

ssa_status ssa_entry_open_any(ssa_entry *entry) {
    ssa_client *client = entry->client;
    if (entry->status)
        return entry->status;
    if (client->unopened)
        return ssa_entry_refuse(entry, client->unopened, "%s", client->unopened_text);
    ssa_client_lock(client);
    entry->engine = client->engine;
    entry->locked = 1;
    return SSA_OK;
}

ssa_status ssa_entry_open(ssa_entry *entry) {
    if (!ssa_entry_open_any(entry) && entry->client->closed)
        ssa_entry_refuse(entry, SSA_ECLOSED, "the client is closed: open a new one");
    return entry->status;
}

void ssa_entry_unlock(ssa_entry *entry) {
    if (entry->locked)
        ssa_client_unlock(entry->client);
    entry->locked = 0;
}

ssa_status ssa_entry_open_name(ssa_entry *entry, ssa_client *client, const char *name, size_t bytes, double timeout,
                               ssa_text *text) {
    if (!ssa_entry_begin(entry, client, timeout) && !ssa_entry_text(entry, "name", name, bytes, text))
        ssa_entry_open(entry);
    return entry->status;
}

ssa_status ssa_entry_wait(ssa_entry *entry, ssa_request *request) {
    ssa_client_waiter waiter = {.done = 0};
    entry->ticket.waiter = &waiter;
    request->owner = &entry->ticket;
    while (!waiter.done) { /* the request has a deadline of its own */
        ssa_status status = ssa_client_wait(entry->client, &waiter, SSA_NEVER);
        if (status < 0)
            return ssa_entry_refuse(entry, status, "no memory to wait for %s", request->operation);
    }
    return entry->status;
}

ssa_status ssa_entry_run(ssa_entry *entry, ssa_request *request) {
    if (!request)
        return entry->status = entry->problem.status;
    entry->request = request;
    ssa_request_start(request, entry->timeout);
    if (ssa_entry_wait(entry, request)) {
        ssa_request_cancel(request);
        return entry->status;
    }
    return entry->status = request->status;
}

static void note_failure(const ssa_entry *entry) {
    const ssa_request *request = entry->request;
    const char *text = entry->reason ? entry->reason : entry->problem.text;
    if (!*text && request && request->error.bytes)
        text = (const char *)request->error.data;
    ssa_client_note(entry->client, *text ? text : ssa_status_name(entry->status));
}

ssa_status ssa_entry_end(ssa_entry *entry) {
    ssa_client *client = entry->client;
    if (!client)
        return entry->status;
    if (entry->status < 0)
        note_failure(entry);
    if (entry->engine) {
        if (!entry->locked)
            ssa_client_lock(client);
        ssa_request_free(entry->request);
        ssa_client_unlock(client);
    }
    atomic_fetch_sub(&client->inside, 1);
    ssa_client_leave(client);
    return entry->status;
}
