// links: worker_list address allocator mistake
/* The list of workers: what is accepted keeps the limits, and written again it is accepted and the same. Input: the text. */
#include <string.h>

#include "fuzz.h"
#include "worker_list.h"

static size_t write_list(const ssa_worker_list *list, char *out, size_t room) {
    size_t at = (size_t)snprintf(out, room, "1 1\n");
    for (size_t i = 0; i < list->count; i++) {
        const ssa_worker *worker = &list->workers[i];
        at += (size_t)snprintf(out + at, room - at, "%s %llu %s ", worker->id, (unsigned long long)worker->incarnation, worker->device);
        for (size_t a = 0; a < worker->address_count; a++) {
            at += ssa_address_format(&worker->addresses[a], out + at, room - at);
            out[at++] = a + 1 < worker->address_count ? ',' : '\n';
        }
        CHECK(at + 8192 < room);
    }
    return at;
}

static void check_worker(const ssa_worker *worker) {
    CHECK(strlen(worker->id) == 32 && strspn(worker->id, "0123456789abcdef") == 32);
    CHECK(worker->incarnation >= 1);
    CHECK(worker->address_count >= 1 && worker->address_count <= SSA_WORKER_ADDRESSES_MAX);
    CHECK(ssa_device_matches("", worker->device) && ssa_device_matches(worker->device, worker->device));
    CHECK(ssa_device_matches("CPU", worker->device) != ssa_device_matches("GPU", worker->device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static char text[1 << 20];
    ssa_worker_list list, again;
    char error[300] = "";
    ssa_status status = ssa_worker_list_decode(&list, data, bytes, error, sizeof error);
    CHECK(status == SSA_OK || status == SSA_EPROTOCOL || status == SSA_ELIMIT);
    if (status != SSA_OK) {
        CHECK(*error && !list.count && !list.workers && !list.addresses);
        char cut[5];
        CHECK(ssa_worker_list_decode(&list, data, bytes, cut, sizeof cut) == status && memchr(cut, 0, sizeof cut));
        return 0;
    }
    for (size_t i = 0; i < list.count; i++)
        check_worker(&list.workers[i]);
    size_t written = write_list(&list, text, sizeof text);
    CHECK(ssa_worker_list_decode(&again, text, written, error, sizeof error) == SSA_OK);
    CHECK(again.count == list.count);
    for (size_t i = 0; i < list.count; i++)
        CHECK(!strcmp(again.workers[i].id, list.workers[i].id) && again.workers[i].address_count == list.workers[i].address_count);
    ssa_worker_list_free(&again);
    ssa_worker_list_free(&list);
    return 0;
}
