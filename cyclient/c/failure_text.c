#include "failure_text.h"

#include <stdio.h>
#include <string.h>

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
        {"Check the name and its prefix: list '", "'"},
        {"Store it first: set_model('", "', ...)"},
        {"Store it first: set_script('", "', ...)"},
        {"Check the name: '", "'"},
    };
    const char *subject = subject_of(request), *const *remedy = remedies[request->kind];
    snprintf(text, room, "no %s '%s' in %s. %s%s%s.", ssa_kind_word(request->kind), subject, where, remedy[0], subject, remedy[1]);
    return SSA_ENOTFOUND;
}

/* strstr for text that does not end in NUL. */
static int contains(const char *text, size_t bytes, const char *part) {
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= bytes; i++)
        if (!memcmp(text + i, part, length))
            return 1;
    return 0;
}

ssa_status ssa_failure_of_answer(const ssa_request *request, const char *answer, size_t bytes, const char *where, char *text,
                                 size_t room) {
    static const struct { const char *code; ssa_status status; } model_errors[] = {
        {"BADMODEL ", SSA_EMODEL}, {"BADINPUT ", SSA_EINPUT}, {"NOINPUT ", SSA_EINPUT}, {"MODELFAILED ", SSA_ERUN},
        {"WRONGDEVICE ", SSA_ENOWORKER},
    };
    const char *subject = subject_of(request);
    int shown = bytes > 600 ? 600 : (int)bytes;
    for (size_t i = 0; i < sizeof model_errors / sizeof *model_errors; i++) {
        size_t code = strlen(model_errors[i].code);
        if (ssa_text_begins(answer, bytes, model_errors[i].code)) {
            snprintf(text, room, "%s '%s' (%s): %.*s", ssa_kind_word(request->kind), subject, where, shown - (int)code, answer + code);
            return model_errors[i].status;
        }
    }
    if (ssa_text_begins(answer, bytes, "NOMODEL") || ssa_text_begins(answer, bytes, "NOSCRIPT"))
        return ssa_failure_not_found(request, where, text, room);
    if (ssa_text_begins(answer, bytes, "OOM") || contains(answer, bytes, "invalid bulk length")) {
        int too_long = !ssa_text_begins(answer, bytes, "OOM"); /* than proto-max-bulk-len, which our own shards raise to maxmemory */
        snprintf(text, room, "%s is full and refused '%s' (%s%.*s). Give Orchestrator(maxmemory=...) more, delete what is no "
                 "longer needed (delete_tensor)%s.", where, subject, too_long ? "longer than its longest value; " : "", shown, answer,
                 too_long ? ", or set value_limit so that long values are stored in chunks" : "");
        return SSA_EFULL;
    }
    if (ssa_text_begins(answer, bytes, "WRONGTYPE")) {
        snprintf(text, room, "'%s' in %s is not a %s: the key holds another kind of value.", subject, where,
                 ssa_kind_word(request->kind));
        return SSA_ETYPE;
    }
    snprintf(text, room, "%s on '%s': %.*s", where, subject, shown, answer);
    if (ssa_text_begins(answer, bytes, "NOPERM") || ssa_text_begins(answer, bytes, "NOAUTH"))
        return SSA_EPERMISSION;
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
    const char *subject = subject_of(request), *where = address_of(request, call);
    const char *said = command->error.bytes ? (const char *)command->error.data : "";
    int said_bytes = (int)command->error.bytes;
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
        snprintf(text, room, "cannot connect to %s: %.*s", where, said_bytes, said);
        return SSA_ECONNECT;
    case SSA_ETOPOLOGY:
        snprintf(text, room, "%.*s", said_bytes, said);
        return SSA_ETOPOLOGY;
    case SSA_ECLOSED:
    case SSA_ELIMIT:
        snprintf(text, room, "lost %s: %.*s. '%s' may or may not have been carried out.", where, said_bytes, said, subject);
        return SSA_ECLOSED;
    default:
        snprintf(text, room, "internal error: status %d for '%s': %.*s. Please report it.", command->status, subject, said_bytes,
                 said);
        return SSA_EINTERNAL;
    }
}

/* The call that keeps the request waiting. */
static const ssa_call *pending_call(const ssa_request *request) {
    for (size_t i = 0; i < request->call_count; i++)
        if (request->calls[i].link || request->calls[i].list)
            return &request->calls[i];
    return NULL;
}

ssa_status ssa_failure_of_timeout(const ssa_request *request, char *text, size_t room) {
    const ssa_call *call = pending_call(request);
    const ssa_link *link = call ? (call->link ? call->link : call->last_link) : NULL;
    double seconds = (double)(request->timeout / 10000000) / 100; /* 0.1997 s is 0.2 s */
    if (request->timeout % 10000000 >= 5000000)
        seconds += 0.01;
    if (link && !ssa_link_may_answer(link)) {
        const char *reason = *link->failure ? link->failure : ssa_link_silence(link);
        int punctuated = *reason && strchr(".?", reason[strlen(reason) - 1]);
        snprintf(text, room, "cannot connect to %s: %s%s Tried for %.4g s. Is it running, and is the address right?%s%s%s",
                 link->address_text, reason, punctuated ? "" : ".", seconds, call->tries ? " '" : "",
                 call->tries ? subject_of(request) : "", call->tries ? "' may or may not have been carried out." : "");
        return SSA_ECONNECT;
    }
    snprintf(text, room, "%s '%s': no answer from %s within %.4g s.%s%s", request->operation, subject_of(request),
             call ? address_of(request, call) : request->engine->description, seconds, *request->engine->trouble ? " " : "",
             request->engine->trouble);
    return SSA_ETIMEOUT;
}
