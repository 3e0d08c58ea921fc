#include "store_full.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "op_build.h"
#include "text_begins.h"

#define PATIENCE INT64_C(250000000)

const char *ssa_size_text(uint64_t bytes, char text[SSA_SIZE_TEXT_BYTES]) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)bytes / 1024;
    size_t unit = 0;
    for (; size >= 1024 && unit + 1 < sizeof units / sizeof *units; size /= 1024)
        unit++;
    if (bytes < 1024)
        snprintf(text, SSA_SIZE_TEXT_BYTES, "%" PRIu64 " bytes", bytes);
    else
        snprintf(text, SSA_SIZE_TEXT_BYTES, "%.*f %s", size < 9.995 ? 2 : size < 99.95 ? 1 : 0, size, units[unit]);
    return text;
}

/* Of all that this stage of the request sends: the chunks of a value are sent together. */
static uint64_t bytes_sent(const ssa_request *request) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < request->call_count; i++)
        bytes += request->calls[i].command ? request->calls[i].command->total : 0;
    return bytes;
}

/* Of one line of INFO. 0: it is not there. */
static int read_number(const ssa_buffer *info, const char *name, uint64_t *number) {
    const char *at = info->data ? memmem(info->data, info->bytes, name, strlen(name)) : NULL;
    char digits[24] = "";
    if (!at)
        return 0;
    size_t left = info->bytes - (size_t)(at - (const char *)info->data) - strlen(name);
    memcpy(digits, at + strlen(name), left < sizeof digits - 1 ? left : sizeof digits - 1);
    *number = strtoull(digits, NULL, 10);
    return 1;
}

static void end(ssa_request *request, const char *more) {
    char text[1024];
    request->number = 0;
    snprintf(text, sizeof text, "%s%s", request->error.data ? (char *)request->error.data : "the store is full.", more);
    ssa_request_fail(request, SSA_EFULL, "%s", text);
}

static void untold(ssa_request *request) {
    end(request, "");
}

static void told(ssa_request *request) {
    const ssa_command *answer = ssa_request_answer(request, 0);
    uint64_t used, most;
    char more[200] = "", a[SSA_SIZE_TEXT_BYTES], b[SSA_SIZE_TEXT_BYTES];
    if (answer->status == SSA_OK && read_number(&answer->reply.text, "\nused_memory:", &used) &&
        read_number(&answer->reply.text, "\nmaxmemory:", &most))
        snprintf(more, sizeof more, " The shard uses %s of %s (maxmemory)%s.", ssa_size_text(used, a), ssa_size_text(most, b),
                 used + (uint64_t)request->number < most ? ": a value counts about twice while it arrives" : "");
    end(request, more);
}

int ssa_store_full_ask(ssa_request *request, const ssa_call *call, const char *text) {
    ssa_engine *engine = request->engine;
    ssa_server *server = call->last_link ? call->last_link->server : NULL;
    char needs[96], size[SSA_SIZE_TEXT_BYTES];
    const ssa_buffer *said = &call->command->error;
    if (request->step == told || !request->started || !server || engine->closed || !ssa_text_begins(said->data, said->bytes, "OOM"))
        return 0;
    request->number = (int64_t)bytes_sent(request); /* until it has ended */
    snprintf(needs, sizeof needs, " It needs %s.", ssa_size_text((uint64_t)request->number, size));
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("INFO"), SSA_TEXT("memory")));
    request->error.bytes = 0;
    if (!command || ssa_buffer_append(&request->error, text, strlen(text)) ||
        ssa_buffer_append(&request->error, needs, strlen(needs) + 1)) {
        ssa_command_free(command);
        request->error.bytes = 0;
        return 0;
    }
    request->error.bytes--;
    request->step = told;
    request->overdue = untold;
    int64_t soon = engine->now + PATIENCE;
    ssa_engine_arm(engine, &request->deadline, request->until < soon ? request->until : soon);
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send_to(request, 0, command, server, SSA_CALL_IDEMPOTENT);
    return 1;
}
