/* TLS over a socket that somebody else opened: what all connections of a client share (tls_context.c), one session on
 * one descriptor (tls.c), and in words why it failed (tls_failure.c). Of OpenSSL; a build without it has tls_absent.c,
 * in which no context can be made.
 *
 * It never waits. What goes out is encrypted from where it lies, a record at a time, into a buffer of the session; a
 * byte counts as sent when its record is in there. So nothing of the caller's is needed for a second try, and what was
 * not encrypted can still be taken back. What comes is decrypted by OpenSSL and copied once, to where it is wanted.
 *
 * The certificate and the name of the server are always verified. TLS 1.2 or later; no renegotiation. Nothing global is
 * changed: the process may use OpenSSL for itself. */
#ifndef SSA_TLS_H
#define SSA_TLS_H

#include <sys/types.h>
#include <sys/uio.h>

#include "settings.h"

#define SSA_TLS_TEXT_BYTES 1024

typedef struct ssa_tls_context ssa_tls_context;
typedef struct ssa_tls ssa_tls;

/* Read the files that the settings name; they are not needed afterwards. SSA_EARGUMENT: all that is wrong with them, one
 * a line; SSA_EUNSUPPORTED: there is no TLS here; both in `text`. SSA_ENOMEM. */
ssa_status ssa_tls_context_new(const ssa_settings *settings, ssa_tls_context **context, char text[SSA_TLS_TEXT_BYTES]);
/* After its last session. */
void ssa_tls_context_free(ssa_tls_context *context);

/* host: name or address of IP (copied) that the certificate must have, unless SSA_TLS_NAME says another; not "".
 * Takes the descriptor but not its closing. NULL: no memory. */
ssa_tls *ssa_tls_new(ssa_tls_context *context, int descriptor, const char *host);
void ssa_tls_free(ssa_tls *tls);

/* SSA_OK: done; SSA_MORE: call it when the socket can be read (or written, if ssa_tls_wants_write); SSA_ECLOSED,
 * SSA_EPROTOCOL: failed, ssa_tls_error says why. */
ssa_status ssa_tls_handshake(ssa_tls *tls);

/* Encrypt what there is room for: how many bytes that are; 0: none now, flush first; -1: failed, by errno. */
ssize_t ssa_tls_send(ssa_tls *tls, const struct iovec *pieces, size_t count);
/* Write what is encrypted. SSA_OK: all; SSA_MORE: the socket is full; SSA_ECLOSED, SSA_EPROTOCOL: failed. */
ssa_status ssa_tls_flush(ssa_tls *tls);
int ssa_tls_wants_write(const ssa_tls *tls);

/* Fill the memory with what is there, as far as it goes: bytes; 0: nothing now; -1: failed, or the other side closed. What
 * failed after some bytes is said by the next call.
 * read_on: 0: of what came already; nothing is read from the socket. Who stops before it gave less than asked, and waits
 * for the socket, waits in vain for what OpenSSL has read already: call it to the end with 0. */
ssize_t ssa_tls_receive(ssa_tls *tls, void *data, size_t room, int read_on);

/* Tell the other side that nothing more comes, as far as that can be done without waiting. */
void ssa_tls_say_goodbye(ssa_tls *tls);

const char *ssa_tls_error(const ssa_tls *tls); /* "": it has not failed */
/* SSA_ECLOSED: the other side has closed; SSA_EPROTOCOL: what it said made no sense; SSA_OK: it has not failed. */
ssa_status ssa_tls_failure(const ssa_tls *tls);
/* It failed in a way that another try does not change: a certificate that is refused, a server that speaks no TLS. */
int ssa_tls_is_final(const ssa_tls *tls);

#endif
