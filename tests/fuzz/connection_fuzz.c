// links: connection connection_reply connection_receive blocking tls_absent command reply real_text spares resp_reader resp_writer tensor_header tensor_memory allocator
/* One connection as a whole, over a socketpair, against a model of what must come of it.
 *
 * The input is a list of steps: queue a command, send, let the peer read, let the peer answer (rightly, in its turn, with
 * what a server may say), let some bytes of that arrive, receive, take what is complete, abandon. As long as the peer
 * only says what a server may say, each command must end with the status and the value that were said to it, the peer must
 * read each command whole and in order, an abandoned command's memory is overwritten and freed at once, and in the end
 * nothing is unanswered. After garbage, a close or a failed allocation what counts is that nothing is read or written out of
 * its place, and that each command still ends once. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocator.h"
#include "connection.h"
#include "fuzz.h"

#define MAX_COMMANDS 48
#define MAX_LOAN 40000
#define MAX_PUSHES 64
#define ANSWER_NAME 8

typedef enum kind { REPLY, TRANSACTION, TENSOR, INTO, RESULTS } kind;

/* What the model knows of one command. */
typedef struct planned {
    ssa_command *command;       /* NULL: it has ended, or was dropped */
    kind kind;
    int abandoned, said, dropped;
    unsigned replies_left;
    unsigned char *wire;        /* what the peer has to read */
    size_t wire_bytes, read;
    unsigned char *loan, *into; /* lent to the command */
    size_t into_bytes;          /* behind them is a byte that must stay */
    ssa_tensor_header header;   /* of what goes into `into`, or of what was said */
    ssa_status status;          /* that it has to end with */
    char error[ANSWER_NAME];    /* of SSA_ESERVER */
    unsigned nodes;             /* REPLY: how many a reply has in all */
    size_t body_bytes;          /* REPLY: of a reply that is one string, or -1 */
    unsigned char pattern;      /* the first byte of the body or of the elements */
    unsigned results;
    int fresh;                  /* INTO: comes in fresh memory */
} planned;

typedef struct world {
    input in;
    int ours, peer;
    ssa_connection *connection;
    int by_id, strict, broken, closed;
    planned commands[MAX_COMMANDS];
    size_t count, spoken, reading; /* commands queued; the first without its reply; the one the peer reads */
    size_t budget;                 /* bytes that may still be sent and said: an input must not take long */
    ssa_buffer said;               /* by the peer, not yet in the socket from `arrived` on */
    size_t arrived;
    unsigned pushes_said, pushes_seen;
} world;

/* ---- allocations that fail */

#define MOST_BYTES ((size_t)64 << 20) /* garbage may announce what no machine has */

static long fail_at; /* 0: none */

static int fails(size_t bytes) {
    return bytes > MOST_BYTES || (fail_at && --fail_at == 0);
}

static void *fuzz_allocate(size_t bytes) {
    return fails(bytes) ? NULL : malloc(bytes);
}

static void *fuzz_reallocate(void *memory, size_t bytes) {
    return fails(bytes) ? NULL : realloc(memory, bytes);
}

/* ---- values that can be told from one another */

static void fill(unsigned char *to, size_t bytes, unsigned char pattern) {
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(pattern + 31 * i);
}

static int is_filled(const unsigned char *data, size_t bytes, unsigned char pattern) {
    for (size_t i = 0; i < bytes; i++)
        if (data[i] != (unsigned char)(pattern + 31 * i))
            return 0;
    return 1;
}

static ssa_tensor_header some_header(world *w) {
    static const uint8_t dtypes[] = {SSA_FLOAT64, SSA_UINT8, SSA_INT16, SSA_STRING, SSA_COMPLEX128};
    ssa_tensor_header header = {.dtype = dtypes[input_byte(&w->in) % 5]};
    header.itemsize = header.dtype == SSA_STRING ? 3 : ssa_dtype_size(header.dtype);
    header.ndim = input_byte(&w->in) % 4;
    header.order = input_byte(&w->in) & 1;
    for (unsigned i = 0; i < header.ndim; i++)
        header.shape[i] = i ? 1 + input_byte(&w->in) % 4 : input_size(&w->in, 2500);
    CHECK(ssa_tensor_header_complete(&header) == SSA_OK);
    return header;
}

/* ---- queueing */

/* What the peer will read, from the pieces that would be sent. */
static void note_wire(planned *p) {
    struct iovec pieces[64];
    size_t count = ssa_command_unsent(p->command, pieces, 64), at = 0;
    p->wire = malloc(p->command->total);
    CHECK(p->wire);
    for (size_t i = 0; i < count; i++) {
        CHECK(at + pieces[i].iov_len <= p->command->total);
        memcpy(p->wire + at, pieces[i].iov_base, pieces[i].iov_len);
        at += pieces[i].iov_len;
    }
    CHECK(at == p->command->total);
    p->wire_bytes = at;
}

static ssa_status add_arguments(world *w, planned *p, ssa_command *command) {
    size_t bytes = p->loan || w->budget < MAX_LOAN ? 0 : input_size(&w->in, MAX_LOAN);
    ssa_status status = ssa_command_argument(command, "NAME", 4);
    if (!status)
        status = ssa_command_number(command, w->count);
    if (status)
        return status;
    if (!bytes)
        return ssa_command_bytes(command, "", 0);
    w->budget -= bytes;
    p->loan = malloc(bytes);
    CHECK(p->loan);
    fill(p->loan, bytes, (unsigned char)w->count);
    if (bytes % 2)
        return ssa_command_bytes(command, p->loan, bytes);
    ssa_tensor_header header = {.dtype = SSA_UINT8, .ndim = 1, .itemsize = 1, .data_bytes = bytes, .shape = {bytes}};
    return ssa_command_tensor(command, &header, p->loan);
}

static void forget(planned *p) {
    free(p->wire);
    free(p->loan);
    free(p->into);
    p->wire = p->loan = p->into = NULL;
}

static void queue_command(world *w) {
    if (w->count == MAX_COMMANDS)
        return;
    static const ssa_expectation expected[] = {
        [REPLY] = SSA_EXPECT_REPLY, [TRANSACTION] = SSA_EXPECT_REPLY, [TENSOR] = SSA_EXPECT_TENSOR,
        [INTO] = SSA_EXPECT_TENSOR, [RESULTS] = SSA_EXPECT_RESULTS};
    planned *p = &w->commands[w->count];
    memset(p, 0, sizeof *p);
    p->kind = w->by_id ? RESULTS : (kind)(input_byte(&w->in) % 4);
    p->replies_left = p->kind == TRANSACTION ? 2 + input_byte(&w->in) % 3 : 1;
    ssa_command *command = ssa_command_new(3, expected[p->kind]);
    ssa_status status = command ? add_arguments(w, p, command) : SSA_ENOMEM;
    for (unsigned i = 1; !status && i < p->replies_left; i++) {
        status = ssa_command_next(command, 3);
        if (!status)
            status = add_arguments(w, p, command);
    }
    if (status) {
        CHECK(status == SSA_ENOMEM && !w->strict);
        ssa_command_free(command);
        forget(p);
        return;
    }
    if (p->kind == INTO) {
        p->header = some_header(w);
        p->into_bytes = p->header.data_bytes;
        p->into = malloc(p->into_bytes + 1);
        CHECK(p->into);
        p->into[p->into_bytes] = 0x5a;
        ssa_command_into(command, &p->header, p->into);
    }
    p->command = command;
    command->id = 1000 + w->count;
    command->owner = p;
    note_wire(p);
    w->count++;
    ssa_connection_queue(w->connection, command);
}

/* ---- the peer */

static int pump_peer(world *w) {
    unsigned char bytes[8192];
    ssize_t got = w->closed ? 0 : recv(w->peer, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got <= 0 || !w->strict)
        return got > 0;
    size_t at = 0;
    while (at < (size_t)got) {
        while (w->reading < w->count && (w->commands[w->reading].dropped || w->commands[w->reading].read == w->commands[w->reading].wire_bytes))
            w->reading++;
        CHECK(w->reading < w->count);
        planned *p = &w->commands[w->reading];
        size_t left = p->wire_bytes - p->read, part = (size_t)got - at < left ? (size_t)got - at : left;
        CHECK(!memcmp(bytes + at, p->wire + p->read, part));
        p->read += part;
        at += part;
    }
    return 1;
}

static unsigned char *room(world *w, size_t bytes) {
    long armed = fail_at;
    fail_at = 0; /* what fails is the connection's memory, not ours */
    CHECK(ssa_buffer_reserve(&w->said, bytes + 1) == SSA_OK);
    fail_at = armed;
    return w->said.data + w->said.bytes;
}

static void say(world *w, const void *data, size_t bytes) {
    memcpy(room(w, bytes), data, bytes);
    w->said.bytes += bytes;
}

static void say_text(world *w, const char *text) {
    say(w, text, strlen(text));
}

static void say_bulk(world *w, char type, size_t bytes, unsigned char pattern) {
    char line[32];
    say(w, line, (size_t)snprintf(line, sizeof line, "%c%zu\r\n", type, bytes));
    fill(room(w, bytes), bytes, pattern);
    w->said.bytes += bytes;
    say_text(w, "\r\n");
}

/* Any value that is no error; returns how many nodes it has. */
static unsigned say_value(world *w, unsigned depth, size_t *body_bytes, unsigned char pattern) {
    static const char *const plain[] = {"+OK\r\n", ":-12\r\n", "_\r\n", "$-1\r\n", "*-1\r\n", "#t\r\n", ",-1.5e3\r\n", "(123456789012345678901234567890\r\n"};
    unsigned shape = input_byte(&w->in), nodes = 1;
    *body_bytes = SIZE_MAX;
    if (shape % 4 == 0 || depth > 5) {
        say_text(w, plain[shape / 4 % 8]);
    } else if (shape % 4 < 3) {
        size_t bytes = input_size(&w->in, w->budget < 70000 ? 100 : 66000);
        w->budget -= bytes < w->budget ? bytes : w->budget;
        say_bulk(w, shape % 8 == 1 ? '=' : '$', bytes, pattern);
        *body_bytes = bytes;
    } else {
        static const char types[] = "*~%";
        char type = types[shape / 4 % 3], line[32];
        unsigned elements = input_byte(&w->in) % 4;
        say(w, line, (size_t)snprintf(line, sizeof line, "%c%u\r\n", type, elements));
        for (unsigned i = 0; i < elements * (type == '%' ? 2 : 1); i++) {
            size_t ignored;
            nodes += say_value(w, depth + 1, &ignored, (unsigned char)(pattern + i));
        }
    }
    return nodes;
}

static ssa_status say_error(world *w, planned *p, int may_be_bulk) {
    static const char *const texts[] = {"ERR one", "MOVED 1", "", "OOM"};
    const char *text = texts[input_byte(&w->in) % 4];
    char line[64];
    if (may_be_bulk && input_byte(&w->in) % 2)
        say(w, line, (size_t)snprintf(line, sizeof line, "!%zu\r\n%s\r\n", strlen(text), text));
    else
        say(w, line, (size_t)snprintf(line, sizeof line, "-%s\r\n", text));
    if (!*p->error) /* the first that says anything */
        snprintf(p->error, sizeof p->error, "%s", text);
    return SSA_ESERVER;
}

static void say_tensor(world *w, const ssa_tensor_header *header, unsigned char pattern, int wrong_version) {
    unsigned char head[SSA_TENSOR_MAX_HEADER];
    size_t head_bytes = ssa_tensor_header_size(header->ndim);
    char line[32];
    ssa_tensor_header_encode(header, head);
    head[4] = (unsigned char)(head[4] + wrong_version);
    say(w, line, (size_t)snprintf(line, sizeof line, "$%zu\r\n", head_bytes + (size_t)header->data_bytes));
    say(w, head, head_bytes);
    fill(room(w, header->data_bytes), header->data_bytes, pattern);
    w->said.bytes += header->data_bytes;
    w->budget -= header->data_bytes < w->budget ? header->data_bytes : w->budget;
    say_text(w, "\r\n");
}

static ssa_status say_stored(world *w, planned *p, unsigned shape) {
    ssa_tensor_header header = p->kind == INTO && shape < 200 ? p->header : some_header(w);
    if (p->kind == INTO && shape % 3 == 2)
        header.order ^= 1;
    int version = shape % 16 == 15;
    say_tensor(w, &header, p->pattern, version);
    if (version)
        return SSA_EVERSION;
    if (p->kind == INTO) {
        if (header.dtype != p->header.dtype || header.itemsize != p->header.itemsize)
            return SSA_EDTYPE;
        if (header.ndim != p->header.ndim || memcmp(header.shape, p->header.shape, header.ndim * sizeof *header.shape))
            return SSA_ESHAPE;
        p->fresh = header.order != p->header.order;
    }
    p->header = header;
    return SSA_OK;
}

/* The reply to a command that waits for a tensor. */
static ssa_status say_for_tensor(world *w, planned *p) {
    unsigned shape = input_byte(&w->in);
    size_t ignored;
    switch (shape % 8) {
    case 0: return say_error(w, p, 1);
    case 1: say_text(w, shape & 8 ? "_\r\n" : "$-1\r\n"); return SSA_ENOTFOUND;
    case 2: say_text(w, ":7\r\n"); return SSA_EPROTOCOL;
    case 3:
        say_bulk(w, '$', input_size(&w->in, 9000), p->pattern);
        return SSA_EHEADER;
    case 4:
        say_text(w, "*2\r\n");
        say_value(w, 1, &ignored, 0);
        say_value(w, 1, &ignored, 0);
        return SSA_EPROTOCOL;
    default: return say_stored(w, p, input_byte(&w->in));
    }
}

static ssa_status say_results(world *w, planned *p) {
    char line[64];
    p->results = input_byte(&w->in) % 5;
    ssa_status status = SSA_OK;
    unsigned long long id = 1000 + (unsigned long long)(p - w->commands);
    if (input_byte(&w->in) % 8 == 0) {
        say(w, line, (size_t)snprintf(line, sizeof line, "*2\r\n:%llu\r\n", id));
        return say_error(w, p, 0);
    }
    say(w, line, (size_t)snprintf(line, sizeof line, "*%u\r\n:%llu\r\n$2\r\nv1\r\n", 2 + p->results, id));
    for (unsigned i = 0; i < p->results; i++) {
        int bad = input_byte(&w->in) % 8 == 0;
        ssa_tensor_header header = some_header(w);
        say_tensor(w, &header, (unsigned char)(p->pattern + i), bad);
        if (bad)
            status = SSA_EVERSION;
    }
    return status;
}

/* Whose turn it is to be answered: the next in order, or any that was read where replies carry an id. */
static planned *next_to_answer(world *w) {
    if (w->by_id) {
        size_t first = w->count ? input_byte(&w->in) % w->count : 0;
        for (size_t i = 0; i < w->count; i++) {
            planned *p = &w->commands[(first + i) % w->count];
            if (!p->dropped && !p->said && p->read == p->wire_bytes)
                return p;
        }
        return NULL;
    }
    while (w->spoken < w->count && (w->commands[w->spoken].dropped || w->commands[w->spoken].said))
        w->spoken++;
    planned *p = &w->commands[w->spoken];
    return w->spoken < w->count && p->read == p->wire_bytes ? p : NULL;
}

static int answer(world *w) {
    planned *p = next_to_answer(w);
    if (!p)
        return 0;
    p->pattern = (unsigned char)input_byte(&w->in);
    switch (p->kind) {
    case TENSOR:
    case INTO: p->status = say_for_tensor(w, p); break;
    case RESULTS: p->status = say_results(w, p); break;
    default:
        p->status = SSA_OK;
        p->body_bytes = SIZE_MAX;
        if (input_byte(&w->in) % 5 == 0) {
            p->nodes = 1;
            p->status = say_error(w, p, 1);
        } else {
            unsigned attribute = p->kind == REPLY && input_byte(&w->in) % 8 == 0;
            if (attribute)
                say_text(w, "|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n");
            p->nodes = say_value(w, 0, &p->body_bytes, p->pattern) + 5 * attribute;
            if (attribute) /* the string is not the first node */
                p->body_bytes = SIZE_MAX;
        }
    }
    p->said = --p->replies_left == 0;
    return 1;
}

static void say_push(world *w) {
    if (w->pushes_said == MAX_PUSHES)
        return;
    char line[64];
    say(w, line, (size_t)snprintf(line, sizeof line, ">2\r\n$10\r\ninvalidate\r\n:%u\r\n", w->pushes_said++));
}

/* Up to that many bytes of what was said go into the socket. */
static int arrive(world *w, size_t most) {
    size_t left = w->said.bytes - w->arrived;
    left = left < most ? left : most;
    ssize_t sent = left && !w->closed ? send(w->peer, w->said.data + w->arrived, left, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (sent > 0)
        w->arrived += (size_t)sent;
    return sent > 0;
}

/* ---- what comes of it */

/* Every node is reached once from the first, and its text lies within. */
static size_t walk(const ssa_reply *reply, size_t at, unsigned depth) {
    CHECK(at < reply->count && depth <= SSA_REPLY_MAX_DEPTH + 1);
    const ssa_node *node = &reply->nodes[at];
    CHECK(node->text_at <= reply->text.bytes && node->text_bytes <= reply->text.bytes - node->text_at);
    int64_t elements = ssa_node_elements(node);
    at++;
    for (int64_t i = 0; i < elements; i++)
        at = walk(reply, at, depth + 1);
    return at;
}

static void check_tensor(const ssa_tensor *tensor, unsigned char pattern) {
    CHECK(is_filled(tensor->memory.data, tensor->header.data_bytes, pattern));
    CHECK((uintptr_t)tensor->memory.data % SSA_TENSOR_ALIGNMENT == 0);
}

static void check_value(const planned *p, const ssa_command *command) {
    switch (p->kind) {
    case REPLY:
    case TRANSACTION:
        CHECK(command->reply.count == p->nodes);
        if (p->body_bytes != SIZE_MAX) {
            CHECK(command->reply.nodes[0].text_bytes == p->body_bytes);
            CHECK(is_filled(command->reply.text.data + command->reply.nodes[0].text_at, p->body_bytes, p->pattern));
        }
        break;
    case INTO:
        if (!p->fresh) {
            CHECK(command->tensor_count == 0 && is_filled(p->into, p->header.data_bytes, p->pattern));
            break;
        }
        /* fall through */
    case TENSOR:
        CHECK(command->tensor_count == 1 && command->tensors[0].header.data_bytes == p->header.data_bytes);
        check_tensor(command->tensors, p->pattern);
        break;
    case RESULTS:
        CHECK(command->tensor_count == p->results && command->reply.nodes[0].text_bytes == 2);
        for (unsigned i = 0; i < p->results; i++)
            check_tensor(&command->tensors[i], (unsigned char)(p->pattern + i));
    }
}

static void end_command(world *w, ssa_command *command) {
    planned *p = command->owner;
    CHECK(p && p->command == command && command->complete && !p->abandoned);
    p->command = NULL;
    if (p->into)
        CHECK(p->into[p->into_bytes] == 0x5a);
    if (w->strict) {
        CHECK(p->said && command->status == p->status);
        if (command->status == SSA_OK)
            check_value(p, command);
        if (command->status == SSA_ESERVER)
            CHECK(command->error.bytes == strlen(p->error) && !memcmp(command->error.data ? command->error.data : (void *)"", p->error, command->error.bytes));
    }
    if (command->reply.count && command->expectation == SSA_EXPECT_REPLY && command->status >= 0)
        CHECK(walk(&command->reply, 0, 0) == command->reply.count);
    if (command->status == SSA_OK)
        for (size_t i = 0; i < command->tensor_count; i++) /* all of it is there to be read */
            is_filled(command->tensors[i].memory.data, command->tensors[i].header.data_bytes, 0);
    ssa_command_free(command);
}

static int take_complete(world *w) {
    ssa_command *command = ssa_connection_next_complete(w->connection);
    ssa_reply push;
    if (command)
        end_command(w, command);
    int came = ssa_connection_next_push(w->connection, &push);
    if (came) {
        CHECK(walk(&push, 0, 0) == push.count && push.nodes[0].kind == SSA_TOKEN_PUSH);
        if (w->strict)
            CHECK(push.nodes[2].number == w->pushes_seen++);
        ssa_reply_free(&push);
    }
    return command || came;
}

/* What a driver does with an error: fail the connection; all that is unanswered ends. */
static void break_connection(world *w, ssa_status status) {
    CHECK(!w->strict);
    ssa_connection_fail(w->connection, status, *ssa_connection_error(w->connection) ? ssa_connection_error(w->connection) : "no memory");
    w->broken = 1;
    CHECK(ssa_connection_unanswered(w->connection) == 0 && !ssa_connection_wants_write(w->connection));
}

static void step(world *w, ssa_status (*act)(ssa_connection *)) {
    if (w->broken)
        return;
    ssa_status status = act(w->connection);
    if (status < 0)
        break_connection(w, status);
}

static void abandon(world *w) {
    if (!w->count)
        return;
    planned *p = &w->commands[input_byte(&w->in) % w->count];
    if (!p->command)
        return;
    p->dropped = p->command->sent == 0 && !p->command->complete;
    p->abandoned = 1;
    ssa_status status = ssa_connection_abandon(w->connection, p->command);
    p->command = NULL;
    if (status) {
        CHECK(status == SSA_ENOMEM);
        break_connection(w, status);
    }
    free(p->loan); /* who still reads or writes it is told so by the sanitizer */
    free(p->into);
    p->loan = p->into = NULL;
}

static void say_garbage(world *w) {
    size_t bytes = input_byte(&w->in);
    bytes = bytes < w->in.left ? bytes : w->in.left;
    say(w, w->in.at, bytes);
    w->in.at += bytes;
    w->in.left -= bytes;
    w->strict = 0;
}

static void take_step(world *w) {
    switch (input_byte(&w->in) % 16) {
    case 0:
    case 1:
    case 2: queue_command(w); break;
    case 3:
    case 4: step(w, ssa_connection_send); break;
    case 5: pump_peer(w); break;
    case 6:
    case 7: answer(w); break;
    case 8:
    case 9: arrive(w, 1 + input_size(&w->in, 100000)); break;
    case 10: step(w, ssa_connection_receive); break;
    case 11: take_complete(w); break;
    case 12: abandon(w); break;
    case 13: say_push(w); break;
    case 14:
        if (input_byte(&w->in) % 8 == 0)
            say_garbage(w);
        break;
    default:
        switch (input_byte(&w->in) % 32) {
        case 0:
            w->strict = 0;
            fail_at = 1 + (long)(input_byte(&w->in) % 16);
            break;
        case 1:
            w->strict = 0;
            w->closed = 1;
            shutdown(w->peer, SHUT_RDWR);
            break;
        case 2:
            w->strict = 0;
            if (!w->broken)
                break_connection(w, SSA_ECLOSED);
            break;
        default: /* a round of all that can go on */
            step(w, ssa_connection_send);
            pump_peer(w);
            arrive(w, SIZE_MAX);
            step(w, ssa_connection_receive);
        }
    }
}

/* Let all that is under way come to its end. */
static void settle(world *w) {
    for (int idle = 0; idle < 2;) {
        uint64_t before = ssa_connection_statistics_now(w->connection).bytes_received;
        int moved = 0;
        step(w, ssa_connection_send);
        moved |= pump_peer(w);
        if (w->strict)
            moved |= answer(w);
        moved |= arrive(w, SIZE_MAX);
        step(w, ssa_connection_receive);
        moved |= take_complete(w);
        moved |= before != ssa_connection_statistics_now(w->connection).bytes_received;
        idle = moved ? 0 : idle + 1;
    }
    if (!w->strict)
        return;
    CHECK(ssa_connection_unanswered(w->connection) == 0 && !ssa_connection_wants_write(w->connection));
    CHECK(w->pushes_seen == w->pushes_said);
    for (size_t i = 0; i < w->count; i++)
        CHECK(!w->commands[i].command);
}

static void open_world(world *w, unsigned choice) {
    static const ssa_allocator table = {fuzz_allocate, fuzz_reallocate, free};
    int ends[2], small = 4608;
    ssa_allocator_set(&table);
    fail_at = 0;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    w->ours = ends[0];
    w->peer = ends[1];
    for (int i = 0; choice & 2 && i < 2; i++)
        CHECK(!setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
    ssa_reader_limits limits = {choice & 4 ? UINT64_C(1) << 40 : 1 << 20, choice & 8 ? UINT64_C(1) << 40 : 1 << 16};
    w->connection = ssa_connection_new(w->ours, limits);
    CHECK(w->connection);
    w->by_id = choice & 1;
    if (w->by_id)
        ssa_connection_match_by_id(w->connection);
    w->strict = 1;
    w->budget = 400000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    static world w;
    memset(&w, 0, sizeof w);
    w.in = (input){data, bytes};
    open_world(&w, input_byte(&w.in));
    while (w.in.left)
        take_step(&w);
    settle(&w);
    ssa_connection_free(w.connection);
    for (size_t i = 0; i < w.count; i++)
        forget(&w.commands[i]);
    fail_at = 0;
    ssa_buffer_free(&w.said);
    close(w.ours);
    close(w.peer);
    return 0;
}
