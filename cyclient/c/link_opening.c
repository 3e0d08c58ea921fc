#include "link_opening.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backoff.h"
#include "engine.h"
#include "link_handshake.h"

#define FULL_BACKLOG_DELAY INT64_C(5000000)   /* a unix socket whose backlog is full says so instead of waiting */
#define OPENING_TIME INT64_C(5000000000)      /* where there is another address to try */
#define FIRST_CONTACT_TIME INT64_C(250000000) /* where nothing is known of the store, and any of several addresses will do */

/* Bytes; the kernel doubles it, and grants what net.core.wmem_max allows. With the usual 208 KiB a put of 1 MiB is sent in
 * five turns of an event loop: 0.75 of the time on asyncio, 0.83 on uvloop, 0.85 blocking. TCP grows its buffers itself. */
#define UNIX_SEND_BUFFER (1 << 20)

static const ssa_backoff between_tries = {10000000, 1000000000}; /* to connect */
static const ssa_reader_limits limits = {(uint64_t)1 << 46, 1 << 20};

/* ---- how long it may take */

/* Whoever waits can be served by another server, or by this one elsewhere. */
static int has_alternatives(const ssa_link *link) {
    return link->worker || link->server->address_count > 1 || link->engine->mode == SSA_MODE_CLUSTER;
}

/* For the host or the server at an address to answer. Any address that was given leads to the store: one whose server is
 * stopped keeps nobody from the others. When all have been silent they may only be slow, and are given four times as long. */
static int64_t contact_time(const ssa_link *link) {
    if (link->worker || link->server->address_count < 2 || ssa_engine_knows_topology(link->engine))
        return OPENING_TIME;
    int64_t time = FIRST_CONTACT_TIME;
    for (size_t round = link->silences / link->server->address_count; round && time < OPENING_TIME; round--)
        time *= 4;
    return time < OPENING_TIME ? time : OPENING_TIME;
}

static void limit_time(ssa_link *link, int is_limited, int64_t limit) {
    if (link->worker)
        limit = SSA_WORKER_SILENCE;
    if (is_limited)
        ssa_engine_arm(link->engine, &link->retry, link->engine->now + limit);
    else
        ssa_timer_cancel(&link->engine->timers, &link->retry);
}

/* ---- failing */

/* A look-up that goes on is kept: the next try has use for it. */
static void forget_addresses(ssa_link *link) {
    link->address_tried = NULL;
    if (!link->lookup || !ssa_name_lookup_is_done(link->lookup))
        return;
    ssa_name_lookup_free(link->lookup, ssa_is_at_home(&link->engine->home));
    link->lookup = NULL;
}

void ssa_link_failed(ssa_link *link, const char *reason, int final) {
    ssa_engine *engine = link->engine;
    snprintf(link->failure, sizeof link->failure, "%s", reason);
    ssa_log_write(&engine->log, SSA_LOG_INFO, "cannot connect to %s: %s", link->address_text, reason);
    ssa_timer_cancel(&engine->timers, &link->retry);
    ssa_link_close_socket(link);
    forget_addresses(link);
    ssa_connection_free(link->connection);
    link->connection = NULL;
    link->state = SSA_LINK_WAITING;
    if (link->server)
        link->address_index = (link->address_index + 1) % link->server->address_count;
    link->delay = ssa_backoff_next(&between_tries, link->delay);
    if (final)
        link->state = SSA_LINK_IDLE;
    else
        ssa_engine_arm(engine, &link->retry, engine->now + link->delay);
    ssa_engine_link_failed(engine, link, final);
}

/* ---- the socket */

static void begin_handshake(ssa_link *link) {
    link->engine->statistics.connections++;
    link->state = SSA_LINK_HANDSHAKE;
    link->step_number = 0;
    ssa_link_watch(link, SSA_EVENT_READ);
    ssa_handshake_next(link, NULL);
}

static int use_tls(ssa_link *link) {
    ssa_tls *tls = ssa_tls_new(link->engine->tls, link->descriptor, link->address.host);
    if (tls)
        ssa_connection_use_tls(link->connection, tls);
    return tls != NULL;
}

/* One step of TLS's handshake. */
void ssa_link_secure(ssa_link *link) {
    ssa_tls *tls = ssa_connection_tls(link->connection);
    ssa_status status = ssa_tls_handshake(tls);
    if (status == SSA_OK) {
        begin_handshake(link);
        if (link->connection) /* what OpenSSL has read ahead */
            ssa_link_received(link, ssa_connection_receive(link->connection));
    } else if (status == SSA_MORE) {
        ssa_link_watch(link, ssa_tls_wants_write(tls) ? SSA_EVENT_READ | SSA_EVENT_WRITE : SSA_EVENT_READ);
    } else {
        char reason[SSA_TLS_TEXT_BYTES]; /* it lies in the session */
        snprintf(reason, sizeof reason, "%s", ssa_tls_error(tls));
        ssa_link_failed(link, reason, ssa_tls_is_final(tls));
    }
}

static void begin_connection(ssa_link *link) {
    limit_time(link, has_alternatives(link), contact_time(link));
    link->connection = ssa_connection_new(link->descriptor, limits);
    if (link->connection) {
        ssa_connection_use_memory(link->connection, link->engine->memory);
        if (link->engine->driver.tells_once)
            ssa_connection_read_to_end(link->connection);
    }
    int is_secured = link->engine->tls && !*link->address.path;
    if (!link->connection || (is_secured && !use_tls(link))) {
        ssa_link_failed(link, "no memory for a connection", 0);
    } else if (is_secured) {
        link->state = SSA_LINK_SECURING;
        ssa_link_secure(link);
    } else {
        begin_handshake(link);
    }
}

void ssa_link_connected(ssa_link *link) {
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(link->descriptor, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
        error = errno;
    if (error)
        ssa_link_address_failed(link, strerror(error));
    else
        begin_connection(link);
}

static void connect_to(ssa_link *link, const struct sockaddr *address, socklen_t bytes) {
    link->descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    link->engine->sockets++;
    if (link->descriptor < 0) {
        ssa_link_address_failed(link, strerror(errno));
        return;
    }
    int buffer = UNIX_SEND_BUFFER, on = 1;
    if (address->sa_family == AF_UNIX)
        setsockopt(link->descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer); /* a wish; may be cut */
    else
        setsockopt(link->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link->state = SSA_LINK_CONNECTING;
    if (connect(link->descriptor, address, bytes) == 0) {
        begin_connection(link);
    } else if (errno == EAGAIN) {
        ssa_link_close_socket(link);
        link->state = SSA_LINK_WAITING;
        ssa_engine_arm(link->engine, &link->retry, link->engine->now + FULL_BACKLOG_DELAY);
    } else if (errno == EINPROGRESS) {
        ssa_link_watch(link, SSA_EVENT_WRITE);
    } else {
        ssa_link_address_failed(link, strerror(errno));
    }
}

/* ---- the addresses of a name */

static void connect_to_address(ssa_link *link) {
    limit_time(link, has_alternatives(link) || link->address_tried->ai_next, contact_time(link));
    connect_to(link, link->address_tried->ai_addr, link->address_tried->ai_addrlen);
}

/* "<digits>: <reason>" behind what the addresses before it said. */
static void note_address(ssa_link *link, const char *reason) {
    const struct addrinfo *tried = link->address_tried;
    char digits[80];
    size_t have = strlen(link->tried);
    if (getnameinfo(tried->ai_addr, tried->ai_addrlen, digits, sizeof digits, NULL, 0, NI_NUMERICHOST))
        snprintf(digits, sizeof digits, "an address");
    snprintf(link->tried + have, sizeof link->tried - have, "%s%s: %s", have ? "; " : "", digits, reason);
}

void ssa_link_address_failed(ssa_link *link, const char *reason) {
    const struct addrinfo *tried = link->address_tried;
    if (!tried || (!tried->ai_next && !*link->tried)) {
        ssa_link_failed(link, reason, 0);
        return;
    }
    note_address(link, reason);
    if (!tried->ai_next) {
        ssa_link_failed(link, link->tried, 0);
        return;
    }
    ssa_link_close_socket(link);
    link->address_tried = tried->ai_next;
    connect_to_address(link);
}

void ssa_link_resolved(ssa_link *link) {
    if (!ssa_name_lookup_is_done(link->lookup))
        return;
    ssa_link_close_socket(link); /* the look-up's */
    link->address_tried = ssa_name_lookup_addresses(link->lookup);
    link->tried[0] = 0;
    if (link->address_tried)
        connect_to_address(link);
    else
        ssa_link_failed(link, ssa_name_lookup_error(link->lookup), 0);
}

/* What an earlier try began to look up may have been found since. */
static void resolve(ssa_link *link) {
    ssa_name_lookup *earlier = link->lookup;
    if (earlier && (!ssa_name_lookup_is_of(earlier, link->address.host, link->address.port) ||
                    (ssa_name_lookup_is_done(earlier) && !ssa_name_lookup_addresses(earlier)))) {
        ssa_name_lookup_free(earlier, 1);
        link->lookup = NULL;
    }
    if (!link->lookup)
        link->lookup = ssa_name_lookup_new(link->address.host, link->address.port);
    if (!link->lookup) {
        ssa_link_failed(link, "no memory to look up its name", 0);
        return;
    }
    link->state = SSA_LINK_RESOLVING;
    if (ssa_name_lookup_is_done(link->lookup)) {
        ssa_link_resolved(link);
        return;
    }
    link->descriptor = ssa_name_lookup_descriptor(link->lookup);
    link->engine->sockets++; /* for those who poll it is one */
    ssa_link_watch(link, SSA_EVENT_READ);
}

/* ---- beginning */

static void open_socket(ssa_link *link) {
    const ssa_address *address =
        link->worker ? &link->worker->address : &link->server->addresses[link->address_index % link->server->address_count];
    link->address = *address;
    ssa_address_format(address, link->address_text, sizeof link->address_text);
    limit_time(link, has_alternatives(link), OPENING_TIME); /* of a name; a socket's begins anew with its connection */
    if (!*address->path) {
        resolve(link);
        return;
    }
    struct sockaddr_un target = {.sun_family = AF_UNIX};
    memcpy(target.sun_path, address->path, strlen(address->path));
    connect_to(link, (struct sockaddr *)&target, sizeof target);
}

void ssa_link_wake(ssa_link *link) {
    if (link->state == SSA_LINK_IDLE && !link->engine->closed)
        open_socket(link);
}
