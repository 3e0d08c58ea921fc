#include "worker_list.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "mistake.h"

#define ID_BYTES 32

/* The text that is being read. */
typedef struct reading {
    ssa_worker_list *list;
    size_t addresses; /* taken so far */
    char *error;
    size_t room;
} reading;

typedef struct word {
    const char *at;
    size_t bytes;
} word;

/* "not a list of workers: <before> 'value' <after>. Only the supervisor of the workers writes it." */
static ssa_status refuse(reading *r, const char *before, word value, const char *after) {
    char quoted[SSA_MISTAKE_BYTES];
    ssa_text_quote(quoted, sizeof quoted, value.at, value.bytes);
    snprintf(r->error, r->room, "not a list of workers: %s%s%s. Only the supervisor of the workers writes it.", before,
             quoted, after);
    return SSA_EPROTOCOL;
}

static size_t count_of(const char *text, size_t bytes, char wanted) {
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++)
        count += text[i] == wanted;
    return count;
}

/* Split off what stands before the next `mark`, or all that is left. */
static word split(word *rest, char mark) {
    const char *found = rest->bytes ? memchr(rest->at, mark, rest->bytes) : NULL;
    word first = {rest->at, found ? (size_t)(found - rest->at) : rest->bytes};
    size_t taken = first.bytes + (found != NULL);
    rest->at += taken;
    rest->bytes -= taken;
    return first;
}

/* Decimal digits alone, and no more than 63 bits. */
static int parse_number(word text, uint64_t *number) {
    uint64_t value = 0;
    if (text.bytes < 1 || text.bytes > 20)
        return 0;
    for (size_t i = 0; i < text.bytes; i++) {
        unsigned digit = (unsigned)(text.at[i] - '0');
        if (text.at[i] < '0' || digit > 9 || value > ((uint64_t)INT64_MAX - digit) / 10)
            return 0;
        value = 10 * value + digit;
    }
    *number = value;
    return 1;
}

static int is_id(word text) {
    for (size_t i = 0; i < text.bytes; i++)
        if (!(text.at[i] >= '0' && text.at[i] <= '9') && !(text.at[i] >= 'a' && text.at[i] <= 'f'))
            return 0;
    return text.bytes == ID_BYTES;
}

static int is_device(word text) {
    if (text.bytes < 3 || (memcmp(text.at, "CPU", 3) && memcmp(text.at, "GPU", 3)))
        return 0;
    for (size_t i = 4; i < text.bytes; i++)
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
    return text.bytes == 3 || (text.at[3] == ':' && text.bytes > 4 && text.bytes < sizeof((ssa_worker *)0)->device);
}

static ssa_status read_addresses(reading *r, ssa_worker *worker, word text) {
    char after[80];
    size_t count = text.bytes ? count_of(text.at, text.bytes, ',') + 1 : 0;
    word id = {worker->id, ID_BYTES};
    if (!count)
        return refuse(r, "worker ", id, " has no address");
    if (count > SSA_WORKER_ADDRESSES_MAX)
        return refuse(r, "worker ", id, " has more than 16 addresses");
    worker->addresses = r->list->addresses + r->addresses;
    worker->address_count = count;
    r->addresses += count;
    for (size_t i = 0; i < count; i++) {
        word part = split(&text, ',');
        if (ssa_address_parse(&worker->addresses[i], part.at, part.bytes, NULL)) {
            snprintf(after, sizeof after, " of worker %s is no unix:///path and no host:port", worker->id);
            return refuse(r, "address ", part, after);
        }
    }
    return SSA_OK;
}

static ssa_status read_worker(reading *r, ssa_worker *worker, word line) {
    char after[80];
    size_t blanks = line.bytes ? count_of(line.at, line.bytes, ' ') : 0;
    word rest = line, id = split(&rest, ' '), incarnation = split(&rest, ' '), device = split(&rest, ' ');
    uint64_t number;
    if (blanks != 3 || !parse_number(incarnation, &number))
        return refuse(r, "the line ", line, " is not '<worker id> <incarnation> <device> <addresses>'");
    if (!is_id(id))
        return refuse(r, "worker id ", id, " is not 32 hexadecimal digits");
    memcpy(worker->id, id.at, ID_BYTES);
    worker->id[ID_BYTES] = 0;
    snprintf(after, sizeof after, " of worker %s is less than 1", worker->id);
    if (number < 1)
        return refuse(r, "incarnation ", incarnation, after);
    snprintf(after, sizeof after, " of worker %s is none of CPU, GPU, GPU:<n>", worker->id);
    if (!is_device(device))
        return refuse(r, "device ", device, after);
    worker->incarnation = number;
    memset(worker->device, 0, sizeof worker->device);
    memcpy(worker->device, device.at, device.bytes);
    return read_addresses(r, worker, rest);
}

/* Which version it is does not matter: a store that was made anew counts from 1 again. */
static ssa_status read_head(reading *r, word *rest) {
    word line = split(rest, '\n'), words = line, format = split(&words, ' ');
    uint64_t version;
    if (format.bytes != 1 || *format.at != '1' || !parse_number(words, &version))
        return refuse(r, "its first line is ", line, ", not '1 <version>'");
    return SSA_OK;
}

/* Room for as many workers and addresses as the text can hold at most: in every line one more than it has commas. */
static ssa_status make_room(ssa_worker_list *list, word lines, size_t count) {
    size_t addresses = count + count_of(lines.at, lines.bytes, ',');
    if (count > SSA_WORKERS_MAX || addresses > (size_t)SSA_WORKERS_MAX * SSA_WORKER_ADDRESSES_MAX)
        return SSA_ELIMIT;
    list->workers = ssa_allocate(count * sizeof *list->workers);
    list->addresses = ssa_allocate(addresses * sizeof *list->addresses);
    return list->workers && list->addresses ? SSA_OK : SSA_ENOMEM;
}

static ssa_status read_list(reading *r, word rest) {
    word whole = rest;
    if (!rest.bytes || rest.at[rest.bytes - 1] != '\n') {
        /* Else a list that was cut within the last number would pass. */
        word last = rest;
        while (last.bytes && memchr(last.at, '\n', last.bytes))
            split(&last, '\n');
        return refuse(r, rest.bytes == last.bytes ? "its first line is " : "its last line is ", last,
                      rest.bytes == last.bytes ? ", not '1 <version>'" : ", without an end");
    }
    ssa_status status = read_head(r, &rest);
    size_t lines = count_of(whole.at, whole.bytes, '\n') - 1;
    if (status || !lines)
        return status;
    status = make_room(r->list, rest, lines);
    if (status == SSA_ELIMIT)
        snprintf(r->error, r->room, "not a list of workers: it has %zu lines, the limit is %d workers.", lines,
                 SSA_WORKERS_MAX);
    while (!status && r->list->count < lines) {
        status = read_worker(r, &r->list->workers[r->list->count], split(&rest, '\n'));
        r->list->count += !status;
    }
    return status;
}

ssa_status ssa_worker_list_decode(ssa_worker_list *list, const void *text, size_t bytes, char *error, size_t room) {
    memset(list, 0, sizeof *list);
    if (room)
        *error = 0;
    if (bytes > SSA_WORKER_LIST_MAX_BYTES) {
        snprintf(error, room, "not a list of workers: it has %zu bytes, the limit is %zu.", bytes,
                 SSA_WORKER_LIST_MAX_BYTES);
        return SSA_ELIMIT;
    }
    reading r = {.list = list, .error = error, .room = room};
    ssa_status status = read_list(&r, (word){text, bytes});
    if (status)
        ssa_worker_list_free(list);
    return status;
}

void ssa_worker_list_free(ssa_worker_list *list) {
    ssa_release(list->workers);
    ssa_release(list->addresses);
    memset(list, 0, sizeof *list);
}

int ssa_device_matches(const char *wanted, const char *device) {
    size_t bytes = strlen(wanted);
    if (!bytes || !strcmp(wanted, device))
        return 1;
    return !strchr(wanted, ':') && !strncmp(wanted, device, bytes) && device[bytes] == ':';
}
