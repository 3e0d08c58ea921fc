#include "failure_text.h"

#include <stdio.h>
#include <string.h>

#include "batch_plan.h"
#include "engine.h"
#include "tensor_text.h"
#include "text_begins.h"

const char *ssa_kind_word(ssa_kind kind) {
    static const char *const words[] = {"tensor", "dataset", "list", "model", "script", "key"};
    return words[kind];
}

static const char *subject_of(const ssa_request *request) {
    return (const char *)request->subject.data;
}

static const char *address_of(const ssa_request *request, const ssa_call *call) {
    if (call->last_link && *call->last_link->address_text)
        return call->last_link->address_text;
    return request->engine->description;
}

ssa_status ssa_failure_not_found(const ssa_request *request, const char *where, char *text, size_t room) {
    /* What goes before and after the name, once more. */
    static const char *const remedies[][2] = {
        {"Check the name and its prefix, or wait_for_tensor('", "')"},
        {"Check the name and its prefix, or wait_for_dataset('", "')"},
        {"Check the name and its prefix, or append_to_list('", "', ...)"},
        {"Store it first: set_model('", "', ...)"},
        {"Store it first: set_script('", "', ...)"},
        {"Check the name: '", "'"},
    };
    const char *subject = subject_of(request), *const *remedy = remedies[request->kind];
    snprintf(text, room, "no %s '%s' in %s. %s%s%s.", ssa_kind_word(request->kind), subject, where, remedy[0], subject, remedy[1]);
    return SSA_ENOTFOUND;
}

#define WHAT_BYTES 256
#define DOUBT_BYTES (WHAT_BYTES + 80)
#define SHOWN_SUBJECT 160 /* of a name that leaves no room for what is said about it */

/* "put_tensor 'x'", or "ping": the operation as its caller knows it. */
static const char *what_of(const ssa_request *request, char out[WHAT_BYTES]) {
    const char *subject = subject_of(request);
    if (!*subject)
        snprintf(out, WHAT_BYTES, "%.60s", request->operation);
    else
        snprintf(out, WHAT_BYTES, "%.60s '%.*s%s'", request->operation, SHOWN_SUBJECT, subject,
                 request->subject.bytes > SHOWN_SUBJECT ? "..." : "");
    return out;
}

static int begins_with_any(const char *operation, const char *const *beginnings) {
    for (; *beginnings; beginnings++)
        if (!strncmp(operation, *beginnings, strlen(*beginnings)))
            return 1;
    return 0;
}

/* It changes nothing: without its answer there is no doubt about the store. */
static int only_reads(const ssa_request *request) {
    static const char *const beginnings[] = {"get_",       "unpack_",      "wait_for_", "poll_", "watch_",
                                             "config_get", "control_poll", "infer",     "ping",  NULL};
    const char *operation = request->operation;
    size_t bytes = strlen(operation), i = 0;
    const ssa_batch_plan *batch = ssa_batch_plan_of(request);
    const ssa_request *part;
    while (batch && (part = ssa_batch_plan_operation(batch, i)) && only_reads(part))
        i++;
    if (batch)
        return !part;
    return (bytes > 7 && !strcmp(operation + bytes - 7, "_exists")) || begins_with_any(operation, beginnings);
}

/* Carried out twice it does something else than once, so that nobody repeats it unseen. */
static int must_not_be_repeated(const ssa_request *request) {
    static const char *const beginnings[] = {"append_to_list", "control_send", "rename_", NULL};
    const ssa_batch_plan *batch = ssa_batch_plan_of(request);
    const ssa_request *part;
    for (size_t i = 0; batch && (part = ssa_batch_plan_operation(batch, i)); i++)
        if (must_not_be_repeated(part))
            return 1;
    return begins_with_any(request->operation, beginnings);
}

/* The server may carry it out, or has: a command of which a byte was sent goes there in full, whoever gives up waiting. */
static int has_left(const ssa_call *call) {
    return call->flags & SSA_CALL_LEFT || (call->link && call->command && call->command->sent);
}

int ssa_failure_is_in_doubt(const ssa_request *request) {
    if (only_reads(request))
        return 0;
    if (request->answered)
        return 1;
    for (size_t i = 0; i < request->call_count; i++)
        if (has_left(&request->calls[i]))
            return 1;
    return 0;
}

/* What follows the rest of a text: " put_tensor 'x' may or may not ...", or "". */
static const char *doubt_of(const ssa_request *request, int is_in_doubt, char out[DOUBT_BYTES]) {
    char what[WHAT_BYTES];
    *out = 0;
    if (is_in_doubt)
        snprintf(out, DOUBT_BYTES, " %s may or may not have been carried out%s.", what_of(request, what),
                 must_not_be_repeated(request) ? ": look before repeating it" : "");
    return out;
}

/* A reason as part of a sentence: without its own full stop. */
static int unpunctuated(const char *text, size_t bytes) {
    while (bytes && (text[bytes - 1] == '.' || text[bytes - 1] == ' '))
        bytes--;
    return bytes > 600 ? 600 : (int)bytes;
}

/* strstr for text that does not end in NUL. */
static int contains(const char *text, size_t bytes, const char *part) {
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= bytes; i++)
        if (!memcmp(text + i, part, length))
            return 1;
    return 0;
}

ssa_status ssa_failure_not_permitted(const ssa_request *request, const char *answer, size_t bytes, const char *where, char *text,
                                     size_t room) {
    char what[WHAT_BYTES];
    const char *user = request->engine->settings.user;
    const char *may = strcmp(user, "read_only") || only_reads(request) ? "admin" : "workload";
    snprintf(text, room, "user '%.100s' may not do %s on %s (%.*s). Connect as the user '%s': SSDB_USER and SSDB_PASSWORD.",
             user, what_of(request, what), where, unpunctuated(answer, bytes < 200 ? bytes : 200), answer, may);
    return SSA_EPERMISSION;
}

ssa_status ssa_failure_of_answer(const ssa_request *request, const char *answer, size_t bytes, const char *where, char *text,
                                 size_t room) {
    static const struct { const char *code; ssa_status status; } model_errors[] = {
        {"BADMODEL ", SSA_EMODEL}, {"BADINPUT ", SSA_EINPUT}, {"NOINPUT ", SSA_EINPUT}, {"MODELFAILED ", SSA_ERUN},
        {"WRONGDEVICE ", SSA_ENOWORKER},
    };
    char what[WHAT_BYTES];
    const char *subject = subject_of(request);
    int shown = bytes > 600 ? 600 : (int)bytes;
    what_of(request, what);
    for (size_t i = 0; i < sizeof model_errors / sizeof *model_errors; i++) {
        size_t code = strlen(model_errors[i].code);
        if (ssa_text_begins(answer, bytes, model_errors[i].code)) {
            snprintf(text, room, "%s '%s' (%s): %.*s", ssa_kind_word(request->kind), subject, where, shown - (int)code, answer + code);
            return model_errors[i].status;
        }
    }
    if (ssa_text_begins(answer, bytes, "NOMODEL") || ssa_text_begins(answer, bytes, "NOSCRIPT"))
        return ssa_failure_not_found(request, where, text, room);
    if (ssa_text_begins(answer, bytes, "OOM")) {
        snprintf(text, room, "%s is full and refused '%s' (%.*s). Give Orchestrator(maxmemory=...) more, delete what is no "
                 "longer needed (delete_tensor).", where, subject, shown, answer);
        return SSA_EFULL;
    }
    if (contains(answer, bytes, "invalid bulk length")) { /* our own shards raise that limit to maxmemory */
        snprintf(text, room, "%s: the value is longer than %s takes (its setting proto-max-bulk-len; it said: %.*s). Set value_limit "
                 "(SSA_VALUE_LIMIT) to that many bytes or fewer, so that longer values are stored in pieces, or raise the setting: "
                 "config_set.", what, where, unpunctuated(answer, bytes), answer);
        return SSA_ESERVER;
    }
    if (ssa_text_begins(answer, bytes, "WRONGTYPE")) {
        snprintf(text, room, "'%s' in %s is not a %s: the key holds another kind of value.", subject, where,
                 ssa_kind_word(request->kind));
        return SSA_ETYPE;
    }
    if (ssa_text_begins(answer, bytes, "NOAUTH")) {
        snprintf(text, room, "%s: %s asks for a password (%.*s). Set SSDB_USER and SSDB_PASSWORD.", what, where,
                 unpunctuated(answer, bytes), answer);
        return SSA_EPERMISSION;
    }
    if (ssa_text_begins(answer, bytes, "NOPERM"))
        return ssa_failure_not_permitted(request, answer, bytes, where, text, room);
    snprintf(text, room, "%s: %s answered: %.*s", what, where, shown, answer);
    return SSA_ESERVER;
}

ssa_status ssa_failure_of_mismatch(const ssa_request *request, ssa_status status, const ssa_tensor_header *stored,
                                   const char *where, char *text, size_t room) {
    char have[SSA_TENSOR_TEXT_BYTES], want[SSA_TENSOR_TEXT_BYTES];
    ssa_tensor_text(stored, have, sizeof have);
    ssa_tensor_text(request->wanted, want, sizeof want);
    snprintf(text, room, "'%s' in %s is %s, the array to unpack into is %s. Pass an array of the stored dtype and shape, or "
             "use get_tensor.", subject_of(request), where, have, want);
    return status;
}

ssa_status ssa_failure_of_call(const ssa_request *request, const ssa_call *call, char *text, size_t room) {
    const ssa_command *command = call->command;
    char doubt[DOUBT_BYTES];
    const char *subject = subject_of(request), *where = address_of(request, call);
    const char *said = command->error.bytes ? (const char *)command->error.data : "";
    int said_bytes = unpunctuated(said, command->error.bytes), is_in_doubt = ssa_failure_is_in_doubt(request);
    switch (command->status) {
    case SSA_ENOTFOUND:
        return ssa_failure_not_found(request, where, text, room);
    case SSA_EHEADER:
        snprintf(text, room, "'%s' in %s is not a tensor: its header is missing or contradicts itself.", subject, where);
        return SSA_EHEADER;
    case SSA_EVERSION:
        snprintf(text, room, "'%s' in %s is not a tensor: its header is of another version; use the same ssasync on both sides.",
                 subject, where);
        return SSA_EVERSION;
    case SSA_EDTYPE:
    case SSA_ESHAPE:
        return ssa_failure_of_mismatch(request, command->status, &command->into_header, where, text, room);
    case SSA_EPROTOCOL:
        snprintf(text, room, "'%s' in %s is not a tensor: the answer is no string.", subject, where);
        return SSA_EHEADER;
    case SSA_ENOMEM:
        snprintf(text, room, "no memory for the value of '%s'", subject);
        return SSA_ENOMEM;
    case SSA_ESERVER:
        return ssa_failure_of_answer(request, said, command->error.bytes, where, text, room);
    case SSA_ECONNECT:
        snprintf(text, room, "cannot connect to %s: %.*s%s%s", where, said_bytes, said,
                 said_bytes && said[said_bytes - 1] == '?' ? "" : ".", doubt_of(request, is_in_doubt, doubt));
        return is_in_doubt ? SSA_ECLOSED : SSA_ECONNECT;
    case SSA_ETOPOLOGY:
        snprintf(text, room, "%.*s.", said_bytes, said);
        return SSA_ETOPOLOGY;
    case SSA_ECLOSED:
    case SSA_ELIMIT:
        snprintf(text, room, "lost %s: %.*s.%s", where, said_bytes, said, doubt_of(request, !only_reads(request), doubt));
        return SSA_ECLOSED;
    default:
        snprintf(text, room, "internal error: status %d for '%s': %.*s. Please report it.", command->status, subject, said_bytes,
                 said);
        return SSA_EINTERNAL;
    }
}

/* The call that keeps the request waiting. */
static const ssa_call *pending_call(const ssa_request *request) {
    const ssa_call *shared = request->shared;
    for (size_t i = 0; i < request->call_count; i++)
        if (request->calls[i].link || request->calls[i].list)
            return &request->calls[i];
    return shared && (shared->link || shared->list) ? shared : NULL;
}

const char *ssa_failure_span(int64_t nanoseconds, char out[SSA_SPAN_BYTES]) {
    if (nanoseconds < 9950000)
        snprintf(out, SSA_SPAN_BYTES, "%.3g ms", (double)nanoseconds / 1e6);
    else /* 0.1997 s is 0.2 s */
        snprintf(out, SSA_SPAN_BYTES, "%.4g s", (double)((nanoseconds + 5000000) / 10000000) / 100);
    return out;
}

ssa_status ssa_failure_of_timeout(const ssa_request *request, char *text, size_t room) {
    char what[WHAT_BYTES], span[SSA_SPAN_BYTES], doubt[DOUBT_BYTES];
    const ssa_call *call = pending_call(request);
    const ssa_link *link = call ? (call->link ? call->link : call->last_link) : NULL;
    int is_in_doubt = ssa_failure_is_in_doubt(request);
    doubt_of(request, is_in_doubt, doubt);
    ssa_failure_span(request->timeout, span);
    if (link && !ssa_link_may_answer(link)) {
        const char *reason = *link->failure ? link->failure : ssa_link_silence(link);
        snprintf(text, room, "cannot connect to %s: %.*s%s Tried for %s, for it may be starting. Is it running, and is the address "
                 "right?%s", link->address_text, unpunctuated(reason, strlen(reason)), reason,
                 *reason && reason[strlen(reason) - 1] == '?' ? "" : ".", span, doubt);
        return is_in_doubt ? SSA_ECLOSED : SSA_ECONNECT;
    }
    const ssa_engine *engine = request->engine;
    int is_told = *engine->trouble && engine->trouble_at >= request->until - request->timeout; /* since it began */
    const char *where = call ? address_of(request, call) : engine->description;
    snprintf(text, room, "%s: no answer from %s within %s.%s%s%s", what_of(request, what), where, span, is_told ? " " : "",
             is_told ? engine->trouble : "", doubt);
    return SSA_ETIMEOUT;
}

void ssa_failure_of_closing(ssa_request *request) {
    char doubt[DOUBT_BYTES];
    ssa_request_fail(request, SSA_ECLOSED, "lost %s: the client is closed.%s", request->engine->description,
                     doubt_of(request, !only_reads(request), doubt));
}
