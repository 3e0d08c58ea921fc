/* What the files of TLS share. Only they know OpenSSL. */
#ifndef SSA_TLS_SESSION_H
#define SSA_TLS_SESSION_H

#include "tls.h"

#include <openssl/ssl.h>

struct ssa_tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *socket;      /* of tls.c */
    const char *trusted;     /* file of the certificates that are trusted; "": the system's */
    const char *certificate; /* file of our own; "": none. These three are the settings' */
    const char *name;        /* that every server's certificate must have; "": its own host */
};

#define SSA_TLS_OUT_BYTES ((size_t)128 << 10)

struct ssa_tls {
    SSL *ssl;
    const ssa_tls_context *context;
    int descriptor;
    int is_open;            /* the handshake is done */
    int may_read;           /* from the socket, until it had less than was asked */
    int ended;              /* the other side's end of the stream was read */
    int system_error;       /* errno of the socket when it broke; 0: it did not */
    ssa_status failure;
    int final;
    char peer[256];         /* name or address that the certificate must have */
    char certificate[300];  /* what is to be said of one that was refused; "" */
    char error[SSA_TLS_TEXT_BYTES];
    size_t out_first, out_end; /* what of `out` is not written yet */
    unsigned char out[SSA_TLS_OUT_BYTES];
};

/* Where OpenSSL reads and writes: ssa_tls is its data. NULL: no memory. */
BIO_METHOD *ssa_tls_socket_method(void);

/* Verifies the chain as OpenSSL does, and notes in the session what is wrong with it. */
int ssa_tls_verify(X509_STORE_CTX *chain, void *unused);

/* It failed, by what SSL_get_error says and OpenSSL's queue of errors, which is left empty: sets failure, error and final. */
void ssa_tls_fail(ssa_tls *tls, int code);

#endif
