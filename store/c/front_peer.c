#include "front_peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "allocator.h"

#define READER_BYTES (8u << 10)
#define READ_AT_ONCE (8u << 20)        /* of one connection before the others get their turn */
#define PAUSE_ABOVE (8u << 20)         /* unsent bytes of a client that does not read: no further request is taken */
#define SECONDS_FOR_PROOF 10
#define SECONDS_FOR_LEAVING 1
#define SECOND UINT64_C(1000000000)

ssa_peer *ssa_peer_new(const ssa_peer_rules *rules, int fd, uint64_t now) {
    ssa_peer *peer = ssa_allocate(sizeof *peer);
    if (!peer) {
        close(fd);
        return NULL;
    }
    memset(peer, 0, sizeof *peer);
    ssa_link_reset(&peer->in_front);
    ssa_link_reset(&peer->unanswered);
    pthread_mutex_init(&peer->write_lock, NULL);
    atomic_init(&peer->holders, 1);
    peer->rules = rules;
    peer->fd = fd;
    peer->writable = 1;
    peer->interest = EPOLLIN;
    peer->leave_at = now + SECONDS_FOR_PROOF * SECOND;
    ssa_reader_limits limits = {.bulk_bytes = SSA_FIRST_BYTES, .elements = SSA_FIRST_ELEMENTS};
    peer->reader = ssa_reader_new(READER_BYTES, limits);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    if (!peer->reader || epoll_ctl(rules->epoll, EPOLL_CTL_ADD, fd, &event)) {
        ssa_peer_shut(peer);
        ssa_peer_release(peer);
        return NULL;
    }
    return peer;
}

void ssa_peer_hold(ssa_peer *peer) {
    atomic_fetch_add(&peer->holders, 1);
}

void ssa_peer_release(ssa_peer *peer) {
    if (atomic_fetch_sub(&peer->holders, 1) != 1)
        return;
    ssa_reader_free(peer->reader);
    ssa_buffer_free(&peer->words);
    ssa_buffer_free(&peer->unsent);
    ssa_buffer_free(&peer->alive);
    pthread_mutex_destroy(&peer->write_lock);
    ssa_release(peer);
}

static void drop_request(ssa_peer *peer) {
    if (!peer->parser.request)
        return;
    peer->rules->give_back(peer->rules->context, peer->parser.request->held_bytes);
    ssa_request_free(peer->parser.request);
    peer->parser.request = NULL;
}

void ssa_peer_shut(ssa_peer *peer) {
    drop_request(peer);
    peer->stage = SSA_STAGE_CLOSED;
    pthread_mutex_lock(&peer->write_lock);
    if (peer->writable) {
        peer->writable = 0;
        close(peer->fd); /* leaves the epoll set with it: nobody duplicated it */
    }
    pthread_mutex_unlock(&peer->write_lock);
}

/* ---- replies ---- */

static void want(ssa_peer *peer) {
    size_t unsent = peer->unsent.bytes - peer->sent;
    uint32_t interest = (unsent > PAUSE_ABOVE ? 0u : (uint32_t)EPOLLIN) | (unsent ? (uint32_t)EPOLLOUT : 0u);
    if (interest == peer->interest)
        return;
    peer->interest = interest;
    struct epoll_event event = {.events = interest, .data.ptr = peer};
    epoll_ctl(peer->rules->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static ssa_status keep(ssa_peer *peer, const struct iovec *parts, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (ssa_buffer_append(&peer->unsent, parts[i].iov_base, parts[i].iov_len))
            return SSA_ENOMEM;
    return SSA_OK;
}

/* Drop `bytes` from the front of the parts; returns how many parts are done. */
static size_t advance(struct iovec *parts, size_t count, size_t bytes) {
    size_t done = 0;
    while (done < count && bytes >= parts[done].iov_len)
        bytes -= parts[done++].iov_len;
    if (done < count) {
        parts[done].iov_base = (char *)parts[done].iov_base + bytes;
        parts[done].iov_len -= bytes;
    }
    return done;
}

ssa_status ssa_peer_send(ssa_peer *peer, struct iovec *parts, size_t count) {
    enum { PARTS_AT_ONCE = 256 }; /* below IOV_MAX */
    ssa_status status = SSA_OK;
    pthread_mutex_lock(&peer->write_lock);
    while (count && peer->writable && peer->unsent.bytes == peer->sent) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = count < PARTS_AT_ONCE ? count : PARTS_AT_ONCE};
        ssize_t sent = sendmsg(peer->fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            count = 0; /* the leader learns of it by EPOLLHUP and closes */
            break;
        }
        size_t done = advance(parts, count, sent < 0 ? 0 : (size_t)sent);
        parts += done;
        count -= done;
        if (sent < 0)
            break;
    }
    if (count && peer->writable) {
        status = keep(peer, parts, count);
        if (status == SSA_OK)
            want(peer);
        else /* a reply that stops in the middle: the stream is of no further use */
            shutdown(peer->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&peer->write_lock);
    return status;
}

void ssa_peer_flush(ssa_peer *peer) {
    pthread_mutex_lock(&peer->write_lock);
    while (peer->writable && peer->sent < peer->unsent.bytes) {
        ssize_t sent = send(peer->fd, peer->unsent.data + peer->sent,
                            peer->unsent.bytes - peer->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            break;
        peer->sent += (size_t)sent;
    }
    if (peer->sent == peer->unsent.bytes) {
        peer->sent = 0;
        ssa_buffer_free(&peer->unsent);
    }
    if (peer->writable)
        want(peer);
    pthread_mutex_unlock(&peer->write_lock);
}

size_t ssa_peer_unsent(ssa_peer *peer) {
    pthread_mutex_lock(&peer->write_lock);
    size_t unsent = peer->unsent.bytes - peer->sent;
    pthread_mutex_unlock(&peer->write_lock);
    return unsent;
}

static ssa_status send_buffer(ssa_peer *peer, ssa_buffer *buffer) {
    struct iovec part = {buffer->data, buffer->bytes};
    ssa_status status = ssa_peer_send(peer, &part, 1);
    ssa_buffer_free(buffer);
    return status;
}

/* Answer with an error and close; the client's unread bytes are read and thrown away first, because closing over
 * them would reset the connection and could take the error from the client. */
static ssa_status turn_away(ssa_peer *peer, const char *code, const char *text, uint64_t now) {
    ssa_buffer reply = {0};
    drop_request(peer);
    peer->stage = SSA_STAGE_LEAVING;
    peer->leave_at = now + SECONDS_FOR_LEAVING * SECOND;
    if (ssa_write_error(&reply, code, text, strlen(text)))
        return SSA_ECLOSED;
    send_buffer(peer, &reply);
    shutdown(peer->fd, SHUT_WR);
    return SSA_OK;
}

/* ---- the proof ---- */

static const char *word(const ssa_peer *peer, size_t index, size_t *bytes) {
    *bytes = peer->word_at[index + 1] - peer->word_at[index];
    return (const char *)peer->words.data + peer->word_at[index];
}

static int word_is(const ssa_peer *peer, size_t index, const char *text) {
    size_t bytes;
    const char *found = word(peer, index, &bytes);
    return bytes == strlen(text) && !memcmp(found, text, bytes);
}

static ssa_status challenge(ssa_peer *peer, uint64_t now) {
    const ssa_peer_rules *rules = peer->rules;
    size_t bytes;
    if (peer->arguments != 4 || !word_is(peer, 1, "1"))
        return turn_away(peer, "PROTOCOL", "this worker knows SSA.HELLO 1 <worker id> <nonce>", now);
    const char *id = word(peer, 2, &bytes);
    if (bytes != rules->id_bytes || memcmp(id, rules->worker_id, bytes)) {
        char text[160];
        snprintf(text, sizeof text, "this is worker %.*s; read the list of workers again", (int)rules->id_bytes, rules->worker_id);
        return turn_away(peer, "WRONGWORKER", text, now);
    }
    const char *nonce = word(peer, 3, &bytes);
    if (bytes != SSA_NONCE_BYTES)
        return turn_away(peer, "PROTOCOL", "a nonce has 32 bytes", now);
    memcpy(peer->client_nonce, nonce, bytes);
    if (getrandom(peer->worker_nonce, SSA_NONCE_BYTES, 0) != SSA_NONCE_BYTES)
        return SSA_ECLOSED;
    unsigned char proof[SSA_SHA256_BYTES];
    ssa_worker_proof(SSA_ROLE_WORKER, rules->secret, rules->secret_bytes, rules->worker_id, rules->id_bytes,
                     peer->client_nonce, peer->worker_nonce, proof);
    peer->stage = SSA_STAGE_PROOF;
    ssa_buffer reply = {0};
    if (ssa_write_array(&reply, 4) || ssa_write_bulk(&reply, "SSA.CHALLENGE", 13) ||
        ssa_write_bulk(&reply, rules->worker_id, rules->id_bytes) ||
        ssa_write_bulk(&reply, peer->worker_nonce, SSA_NONCE_BYTES) || ssa_write_bulk(&reply, proof, sizeof proof)) {
        ssa_buffer_free(&reply);
        return SSA_ECLOSED;
    }
    return send_buffer(peer, &reply);
}

static ssa_status check_proof(ssa_peer *peer, uint64_t now) {
    const ssa_peer_rules *rules = peer->rules;
    unsigned char expected[SSA_SHA256_BYTES];
    size_t bytes;
    if (peer->arguments != 2 || peer->stage != SSA_STAGE_PROOF)
        return turn_away(peer, "PROTOCOL", "SSA.PROOF <proof> follows SSA.HELLO", now);
    const char *proof = word(peer, 1, &bytes);
    ssa_worker_proof(SSA_ROLE_CLIENT, rules->secret, rules->secret_bytes, rules->worker_id, rules->id_bytes,
                     peer->client_nonce, peer->worker_nonce, expected);
    if (bytes != sizeof expected || !ssa_proof_equal((const unsigned char *)proof, expected))
        return turn_away(peer, "WRONGPROOF", "the proof does not fit this worker's secret", now);
    peer->stage = SSA_STAGE_PROVED;
    peer->leave_at = 0;
    ssa_reader_limits limits = {.bulk_bytes = SSA_REQUEST_BYTES, .elements = SSA_REQUEST_ELEMENTS};
    ssa_reader_set_limits(peer->reader, limits);
    struct iovec ok = {"+OK\r\n", 5};
    return ssa_peer_send(peer, &ok, 1);
}

/* ---- requests ---- */

static int reads_tensor(const ssa_peer *peer) {
    return peer->parser.request && peer->parser.part == SSA_PART_TENSOR;
}

static void refuse_input(const ssa_peer *peer, uint64_t bytes) {
    char text[120];
    snprintf(text, sizeof text, "input %zu is not a tensor of version %d (%llu bytes)",
             ssa_request_parser_input(&peer->parser), SSA_TENSOR_VERSION, (unsigned long long)bytes);
    ssa_request_refuse(peer->parser.request, "BADINPUT", text);
}

/* What a step of the parser leads to. */
static ssa_status parsed(ssa_peer *peer, ssa_status status, const char *fault, uint64_t now) {
    if (status == SSA_EPROTOCOL)
        return turn_away(peer, "PROTOCOL", fault, now);
    return status == SSA_OK ? SSA_OK : SSA_ECLOSED;
}

/* The first word of a request is there. */
static ssa_status begin_request(ssa_peer *peer, uint64_t now) {
    if (peer->stage != SSA_STAGE_PROVED) {
        if (!word_is(peer, 0, "SSA.HELLO") && !word_is(peer, 0, "SSA.PROOF") && !word_is(peer, 0, "PING"))
            return turn_away(peer, "NOPROOF", "begin with SSA.HELLO", now);
        return SSA_OK;
    }
    int chain = word_is(peer, 0, "SSA.CHAIN");
    if (!chain && !word_is(peer, 0, "SSA.RUN"))
        return SSA_OK;
    const char *fault = NULL;
    peer->words.bytes = 0;
    ssa_status status = ssa_request_parser_begin(&peer->parser, chain, peer->arguments - 1, &fault);
    if (status == SSA_OK)
        peer->parser.request->peer = peer;
    return parsed(peer, status, fault, now);
}

/* The string that was collected in `words` is complete. */
static ssa_status end_word(ssa_peer *peer, uint64_t now) {
    if (peer->parser.request) {
        const char *fault = NULL;
        size_t bytes = peer->words.bytes;
        peer->words.bytes = 0;
        ssa_status status = ssa_request_parser_word(&peer->parser, (const char *)peer->words.data, bytes, &fault);
        return parsed(peer, status, fault, now);
    }
    peer->word_at[++peer->words_count] = peer->words.bytes;
    return peer->argument == 0 ? begin_request(peer, now) : SSA_OK;
}

static ssa_status end_tensor(ssa_peer *peer, uint64_t now) {
    const char *fault = NULL;
    ssa_status status = ssa_request_parser_tensor(&peer->parser, &fault);
    return parsed(peer, status, fault, now);
}

static ssa_status end_request(ssa_peer *peer, uint64_t now) {
    peer->arguments = 0;
    if (peer->parser.request) {
        peer->rules->submit(peer->rules->context, ssa_request_parser_finish(&peer->parser));
        return SSA_OK;
    }
    if (word_is(peer, 0, "PING")) {
        struct iovec pong = {"+PONG\r\n", 7};
        return ssa_peer_send(peer, &pong, 1);
    }
    peer->arguments = peer->words_count;
    ssa_status status;
    if (peer->stage == SSA_STAGE_HELLO && word_is(peer, 0, "SSA.HELLO"))
        status = challenge(peer, now);
    else if (peer->stage != SSA_STAGE_PROVED && word_is(peer, 0, "SSA.PROOF"))
        status = check_proof(peer, now);
    else
        status = turn_away(peer, "PROTOCOL", "a worker knows SSA.HELLO, SSA.PROOF, SSA.RUN, SSA.CHAIN and PING", now);
    peer->arguments = 0;
    return status;
}

/* Take buffered bytes of a tensor's header; when it is complete, make room for the elements. */
static void read_head(ssa_peer *peer, const unsigned char *body, size_t buffered) {
    size_t wanted = SSA_TENSOR_FIXED_BYTES;
    if (peer->head_bytes >= SSA_TENSOR_FIXED_BYTES)
        wanted = ssa_tensor_header_size(peer->head[6]); /* decode accepted the number of dimensions */
    size_t bytes = wanted - peer->head_bytes < buffered ? wanted - peer->head_bytes : buffered;
    memcpy(peer->head + peer->head_bytes, body, bytes);
    uint64_t value_bytes = peer->head_bytes + ssa_reader_body_left(peer->reader);
    peer->head_bytes += bytes;
    ssa_reader_take(peer->reader, bytes);
    ssa_request *request = peer->parser.request;
    ssa_tensor_header header;
    size_t offset;
    ssa_status status = ssa_tensor_header_decode(&header, peer->head, peer->head_bytes, value_bytes, &offset);
    if (status == SSA_MORE)
        return;
    char text[120];
    if (status != SSA_OK) {
        refuse_input(peer, value_bytes);
    } else if (!request->refusal && !peer->rules->reserve(peer->rules->context, header.data_bytes)) {
        snprintf(text, sizeof text, "no room for the %llu bytes of input %zu now", (unsigned long long)header.data_bytes,
                 ssa_request_parser_input(&peer->parser));
        ssa_request_refuse(request, "BUSY", text);
    } else if (!request->refusal) {
        peer->into = ssa_request_hold(request, request->inputs_count - 1, &header);
        if (peer->into)
            return;
        peer->rules->give_back(peer->rules->context, header.data_bytes);
        ssa_request_refuse(request, "BUSY", "no memory for the inputs now");
    }
    peer->discard = 1;
}

/* Bytes of the current string that are in the buffer. */
static ssa_status read_body(ssa_peer *peer, uint64_t now) {
    size_t buffered;
    const unsigned char *body = ssa_reader_body(peer->reader, &buffered);
    int is_tensor = reads_tensor(peer);
    if (peer->discard) {
        ssa_reader_take(peer->reader, buffered);
    } else if (is_tensor && !peer->into) {
        read_head(peer, body, buffered);
    } else if (is_tensor) {
        memcpy(peer->into, body, buffered);
        peer->into += buffered;
        ssa_reader_take(peer->reader, buffered);
    } else {
        if (peer->words.bytes + buffered > SSA_WORDS_BYTES)
            return turn_away(peer, "PROTOCOL", "the strings of a request are longer than 64 KiB", now);
        if (ssa_buffer_append(&peer->words, body, buffered))
            return SSA_ECLOSED;
        ssa_reader_take(peer->reader, buffered);
    }
    return SSA_OK;
}

static ssa_status begin_string(ssa_peer *peer, uint64_t bytes, uint64_t now) {
    peer->request_bytes += bytes;
    uint64_t most = peer->stage == SSA_STAGE_PROVED ? SSA_REQUEST_BYTES : SSA_FIRST_BYTES;
    if (peer->request_bytes > most)
        return turn_away(peer, "PROTOCOL", "a request longer than allowed", now);
    if (!peer->parser.request && peer->argument >= SSA_MAX_WORDS)
        return turn_away(peer, "PROTOCOL", "a request of more elements than it can have", now);
    peer->in_argument = 1;
    peer->discard = 0;
    peer->into = NULL;
    peer->head_bytes = 0;
    if (reads_tensor(peer) && !bytes) {
        refuse_input(peer, 0);
        peer->discard = 1;
    }
    return SSA_OK;
}

static ssa_status end_string(ssa_peer *peer, uint64_t now) {
    peer->in_argument = 0;
    ssa_status status = reads_tensor(peer) ? end_tensor(peer, now) : end_word(peer, now);
    if (status != SSA_OK || peer->stage == SSA_STAGE_LEAVING)
        return status;
    if (++peer->argument == peer->arguments)
        return end_request(peer, now);
    return SSA_OK;
}

/* Everything that is in the buffer. SSA_MORE: read on. */
static ssa_status parse(ssa_peer *peer, uint64_t now) {
    ssa_status status = SSA_OK;
    while (status == SSA_OK && peer->stage != SSA_STAGE_LEAVING) {
        if (peer->in_argument) {
            if (!ssa_reader_body_left(peer->reader)) {
                status = end_string(peer, now);
            } else {
                size_t buffered;
                ssa_reader_body(peer->reader, &buffered);
                if (!buffered)
                    return SSA_MORE;
                status = read_body(peer, now);
            }
            continue;
        }
        ssa_token token;
        status = ssa_reader_next(peer->reader, &token);
        if (status == SSA_MORE)
            return SSA_MORE;
        if (status != SSA_OK)
            return turn_away(peer, "PROTOCOL", ssa_reader_error(peer->reader), now);
        if (peer->arguments && token.kind == SSA_TOKEN_BULK) {
            status = begin_string(peer, (uint64_t)token.number, now);
        } else if (!peer->arguments && token.kind == SSA_TOKEN_ARRAY && token.number > 0) {
            peer->arguments = (uint64_t)token.number;
            peer->argument = peer->request_bytes = 0;
            peer->words.bytes = peer->words_count = 0;
        } else {
            return turn_away(peer, "PROTOCOL", "a request is an array of strings", now);
        }
    }
    return status == SSA_OK ? SSA_MORE : status;
}

/* Read once from the socket: elements of a tensor straight to where they belong, what follows into the buffer. */
static ssize_t receive(ssa_peer *peer, int *drained) {
    size_t room;
    void *space = ssa_reader_space(peer->reader, &room);
    struct iovec parts[2];
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 0};
    size_t direct = 0;
    if (peer->into && !ssa_reader_buffered(peer->reader)) {
        direct = (size_t)ssa_reader_body_left(peer->reader);
        parts[message.msg_iovlen++] = (struct iovec){peer->into, direct};
    }
    parts[message.msg_iovlen++] = (struct iovec){space, room};
    ssize_t got = recvmsg(peer->fd, &message, 0);
    if (got <= 0)
        return got;
    size_t bytes = (size_t)got;
    *drained = bytes < direct + room;
    size_t straight = bytes < direct ? bytes : direct;
    if (straight) {
        peer->into += straight;
        ssa_reader_skip_ahead(peer->reader, straight);
    }
    ssa_reader_fed(peer->reader, bytes - straight);
    return got;
}

/* Throw away what a client still sends that was turned away. */
static ssa_status read_out(ssa_peer *peer) {
    char scrap[4096];
    for (;;) {
        ssize_t got = recv(peer->fd, scrap, sizeof scrap, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? SSA_OK : SSA_ECLOSED;
    }
}

ssa_status ssa_peer_read(ssa_peer *peer, uint64_t now) {
    size_t total = 0;
    int drained = 0;
    while (!drained && total < READ_AT_ONCE) {
        if (peer->stage == SSA_STAGE_LEAVING)
            return read_out(peer);
        ssize_t got = receive(peer, &drained);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SSA_OK;
        if (got <= 0)
            return SSA_ECLOSED;
        total += (size_t)got;
        if (parse(peer, now) == SSA_ECLOSED)
            return SSA_ECLOSED;
    }
    return SSA_OK;
}
