/* TLS of a build without OpenSSL: a client that asks for it is refused, so nothing else of tls.h is ever reached. */
#ifndef SSA_HAVE_OPENSSL

#include "tls.h"

#include <errno.h>
#include <stdio.h>

ssa_status ssa_tls_context_new(const ssa_settings *settings, ssa_tls_context **context, char text[SSA_TLS_TEXT_BYTES]) {
    (void)settings;
    *context = NULL;
    snprintf(text, SSA_TLS_TEXT_BYTES, "TLS was asked for (SSA_TLS), and this build of ssasync has none: connect without it, "
             "or install ssasync where the headers of OpenSSL are (Debian: libssl-dev).");
    return SSA_EUNSUPPORTED;
}

void ssa_tls_context_free(ssa_tls_context *context) {
    (void)context;
}

ssa_tls *ssa_tls_new(ssa_tls_context *context, int descriptor, const char *host) {
    (void)context, (void)descriptor, (void)host;
    return NULL;
}

void ssa_tls_free(ssa_tls *tls) {
    (void)tls;
}

ssa_status ssa_tls_handshake(ssa_tls *tls) {
    (void)tls;
    return SSA_EUNSUPPORTED;
}

ssize_t ssa_tls_send(ssa_tls *tls, const struct iovec *pieces, size_t count) {
    (void)tls, (void)pieces, (void)count;
    errno = ENOSYS;
    return -1;
}

ssa_status ssa_tls_flush(ssa_tls *tls) {
    (void)tls;
    return SSA_EUNSUPPORTED;
}

int ssa_tls_wants_write(const ssa_tls *tls) {
    (void)tls;
    return 0;
}

ssize_t ssa_tls_receive(ssa_tls *tls, void *data, size_t room, int read_on) {
    (void)tls, (void)data, (void)room, (void)read_on;
    errno = ENOSYS;
    return -1;
}

void ssa_tls_say_goodbye(ssa_tls *tls) {
    (void)tls;
}

const char *ssa_tls_error(const ssa_tls *tls) {
    (void)tls;
    return "";
}

ssa_status ssa_tls_failure(const ssa_tls *tls) {
    (void)tls;
    return SSA_EUNSUPPORTED;
}

int ssa_tls_is_final(const ssa_tls *tls) {
    (void)tls;
    return 1;
}

#endif
