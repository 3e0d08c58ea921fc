#ifdef SSA_HAVE_OPENSSL

#include "tls_session.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "allocator.h"

#define RECORD ((size_t)16 << 10)             /* the most that one record carries */
#define RECORD_ROOM (RECORD + ((size_t)4 << 10)) /* with what is around it, and an answer to a change of keys */
#define GATHER_BELOW ((size_t)4 << 10)        /* shorter pieces share a record with what follows them */

/* ---- the socket, as OpenSSL sees it
 *
 * Its own BIO for sockets writes with write(), which raises SIGPIPE, and hands a record that the socket does not take in full
 * back to us to be tried again with the same bytes. This one takes whole records, and they leave a hundred KiB at a time. */

static ssize_t out_room(const ssa_tls *tls) {
    return (ssize_t)(SSA_TLS_OUT_BYTES - (tls->out_end - tls->out_first));
}

static int socket_write(BIO *bio, const char *data, int bytes) {
    ssa_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (bytes > out_room(tls)) {
        BIO_set_retry_write(bio);
        return -1;
    }
    if (tls->out_end + (size_t)bytes > SSA_TLS_OUT_BYTES) {
        tls->out_end -= tls->out_first;
        memmove(tls->out, tls->out + tls->out_first, tls->out_end);
        tls->out_first = 0;
    }
    memcpy(tls->out + tls->out_end, data, (size_t)bytes);
    tls->out_end += (size_t)bytes;
    return bytes;
}

static int socket_read(BIO *bio, char *data, int bytes) {
    ssa_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t got = -1;
    errno = EAGAIN;
    if (tls->may_read)
        do
            got = recv(tls->descriptor, data, (size_t)bytes, MSG_DONTWAIT);
        while (got < 0 && errno == EINTR);
    if (got < bytes)
        tls->may_read = 0; /* it is empty: no further call to be told so */
    if (got == 0)
        tls->ended = 1;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    else if (got < 0)
        tls->system_error = errno;
    return (int)got;
}

static long socket_control(BIO *bio, int command, long number, void *pointer) {
    (void)number;
    (void)pointer;
    const ssa_tls *tls = BIO_get_data(bio);
    switch (command) {
    case BIO_CTRL_FLUSH: return 1; /* ssa_tls_flush does it */
    case BIO_CTRL_EOF: return tls->ended;
    default: return 0;
    }
}

BIO_METHOD *ssa_tls_socket_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "ssasync socket");
    if (method && BIO_meth_set_write(method, socket_write) && BIO_meth_set_read(method, socket_read) &&
        BIO_meth_set_ctrl(method, socket_control))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- opening */

/* Whom the certificate must be for. An address of IP is compared as such, and is no name to be asked for. */
static int expect_peer(ssa_tls *tls) {
    unsigned char address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *wanted = SSL_get0_param(tls->ssl);
    int family = strchr(tls->peer, ':') ? AF_INET6 : AF_INET;
    if (inet_pton(family, tls->peer, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(wanted, address, family == AF_INET6 ? 16 : 4);
    X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(wanted, tls->peer, strlen(tls->peer)) &&
           SSL_set_tlsext_host_name(tls->ssl, tls->peer);
}

/* As certificates have it: no interface behind an address of IPv6, no dot that ends a name. */
static void keep_peer(ssa_tls *tls, const char *host) {
    snprintf(tls->peer, sizeof tls->peer, "%s", host);
    if (strchr(tls->peer, ':'))
        tls->peer[strcspn(tls->peer, "%")] = 0;
    size_t length = strlen(tls->peer);
    if (length > 1 && tls->peer[length - 1] == '.')
        tls->peer[length - 1] = 0;
}

static int attach_socket(ssa_tls *tls) {
    BIO *bio = BIO_new(tls->context->socket);
    if (!bio)
        return 0;
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio); /* which owns it */
    return 1;
}

ssa_tls *ssa_tls_new(ssa_tls_context *context, int descriptor, const char *host) {
    ssa_tls *tls = ssa_allocate(sizeof *tls);
    if (!tls)
        return NULL;
    memset(tls, 0, offsetof(ssa_tls, out));
    tls->descriptor = descriptor;
    tls->context = context;
    keep_peer(tls, *context->name ? context->name : host);
    ERR_clear_error();
    tls->ssl = SSL_new(context->ssl);
    if (tls->ssl && SSL_set_app_data(tls->ssl, tls) && attach_socket(tls) && expect_peer(tls)) {
        SSL_set_connect_state(tls->ssl);
        return tls;
    }
    ERR_clear_error();
    ssa_tls_free(tls);
    return NULL;
}

void ssa_tls_free(ssa_tls *tls) {
    if (!tls)
        return;
    SSL_free(tls->ssl);
    ssa_release(tls);
}

/* OpenSSL did not do it. SSA_MORE: not yet. */
static ssa_status failed(ssa_tls *tls, int returned) {
    int code = SSL_get_error(tls->ssl, returned);
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return SSA_MORE;
    ssa_tls_fail(tls, code);
    return tls->failure;
}

ssa_status ssa_tls_handshake(ssa_tls *tls) {
    if (tls->failure)
        return tls->failure;
    tls->may_read = 1;
    ERR_clear_error();
    int returned = SSL_do_handshake(tls->ssl);
    ssa_status status = returned == 1 ? SSA_OK : failed(tls, returned);
    if (ssa_tls_flush(tls) < 0 && status >= 0) { /* what is flushed may be why we refuse the other side */
        ssa_tls_fail(tls, SSL_ERROR_SYSCALL);
        return tls->failure;
    }
    tls->is_open = status == SSA_OK;
    return status;
}

/* ---- sending */

ssa_status ssa_tls_flush(ssa_tls *tls) {
    while (tls->out_first < tls->out_end) {
        ssize_t sent = send(tls->descriptor, tls->out + tls->out_first, tls->out_end - tls->out_first,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return SSA_MORE;
        if (sent < 0) {
            tls->system_error = errno;
            tls->out_first = tls->out_end = 0; /* what the other side has said can still be read */
            return SSA_ECLOSED;
        }
        tls->out_first += (size_t)sent;
    }
    tls->out_first = tls->out_end = 0;
    return SSA_OK;
}

int ssa_tls_wants_write(const ssa_tls *tls) {
    return tls->out_first < tls->out_end;
}

/* Where the next record is taken from. */
typedef struct source {
    const struct iovec *piece, *end;
    size_t offset; /* in the piece */
} source;

static void advance(source *from, size_t bytes) {
    from->offset += bytes;
    while (from->piece < from->end && from->offset >= from->piece->iov_len) {
        from->offset -= from->piece->iov_len;
        from->piece++;
    }
}

/* The next bytes, a record at most: a long piece from where it lies, short ones gathered. */
static const unsigned char *next_record(const source *from, unsigned char gathered[RECORD], size_t *bytes) {
    size_t left = from->piece->iov_len - from->offset;
    const unsigned char *data = (const unsigned char *)from->piece->iov_base + from->offset;
    if (left >= GATHER_BELOW || from->piece + 1 == from->end) {
        *bytes = left < RECORD ? left : RECORD;
        return data;
    }
    source at = *from;
    for (*bytes = 0; at.piece < at.end && *bytes < RECORD;) {
        size_t here = at.piece->iov_len - at.offset, room = RECORD - *bytes;
        size_t take = here < room ? here : room;
        memcpy(gathered + *bytes, (const unsigned char *)at.piece->iov_base + at.offset, take);
        *bytes += take;
        advance(&at, take);
    }
    return gathered;
}

ssize_t ssa_tls_send(ssa_tls *tls, const struct iovec *pieces, size_t count) {
    unsigned char gathered[RECORD];
    source from = {pieces, pieces + count, 0};
    ssize_t accepted = 0;
    advance(&from, 0);
    while (from.piece < from.end && !tls->failure && !tls->system_error) {
        if (out_room(tls) < (ssize_t)RECORD_ROOM && (ssa_tls_flush(tls) < 0 || out_room(tls) < (ssize_t)RECORD_ROOM))
            break;
        size_t bytes;
        const unsigned char *data = next_record(&from, gathered, &bytes);
        ERR_clear_error();
        int wrote = SSL_write(tls->ssl, data, (int)bytes);
        if (wrote <= 0) {
            failed(tls, wrote);
            break;
        }
        accepted += wrote;
        advance(&from, (size_t)wrote);
    }
    if (accepted || !(tls->failure || tls->system_error))
        return accepted;
    errno = tls->system_error ? tls->system_error : EPROTO;
    return -1;
}

/* ---- receiving */

ssize_t ssa_tls_receive(ssa_tls *tls, void *data, size_t room, int read_on) {
    size_t filled = 0;
    ssa_status status = tls->failure;
    tls->may_read = read_on;
    ERR_clear_error();
    while (status == SSA_OK && filled < room) {
        size_t left = room - filled;
        int got = SSL_read(tls->ssl, (unsigned char *)data + filled, left < INT_MAX ? (int)left : INT_MAX);
        if (got > 0)
            filled += (size_t)got;
        else
            status = failed(tls, got);
    }
    if (ssa_tls_wants_write(tls))
        ssa_tls_flush(tls); /* OpenSSL answered a change of keys */
    return filled || status >= 0 ? (ssize_t)filled : -1;
}

void ssa_tls_say_goodbye(ssa_tls *tls) {
    if (!tls->is_open || tls->failure || tls->system_error || ssa_tls_flush(tls) != SSA_OK)
        return;
    ERR_clear_error();
    SSL_shutdown(tls->ssl);
    ssa_tls_flush(tls);
    ERR_clear_error();
}

const char *ssa_tls_error(const ssa_tls *tls) {
    return tls->error;
}

ssa_status ssa_tls_failure(const ssa_tls *tls) {
    return tls->failure;
}

int ssa_tls_is_final(const ssa_tls *tls) {
    return tls->final;
}

#endif
