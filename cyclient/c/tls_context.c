#ifdef SSA_HAVE_OPENSSL

#include "tls_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "allocator.h"
#include "mistake.h"

/* Read at once with what follows it: fewer system calls for a long value. */
#define READ_AHEAD ((size_t)128 << 10)

/* ---- the files */

/* One line more of what is wrong. */
static void refuse(char text[SSA_TLS_TEXT_BYTES], const char *name, const char *path, const char *why, const char *remedy) {
    char whole[300];
    size_t length = strlen(text);
    snprintf(whole, sizeof whole, "%s%s%s", why, *remedy ? "; " : "", remedy);
    if (length && length + 1 < SSA_TLS_TEXT_BYTES)
        text[length++] = '\n';
    ssa_mistake_value(text + length, SSA_TLS_TEXT_BYTES - length, name, path, strlen(path), whole);
}

/* 0: it can, why is untouched. */
static int cannot_be_read(const char *path, char *why, size_t room) {
    FILE *file = fopen(path, "rbe");
    int error = file && fgetc(file) == EOF && ferror(file) ? errno : file ? 0 : errno; /* a folder can be opened */
    if (file)
        fclose(file);
    if (error)
        snprintf(why, room, "%s", strerror(error));
    return error;
}

/* What OpenSSL said first; leaves its queue empty. */
static unsigned long first_error(const char **words) {
    unsigned long error = ERR_peek_error();
    const char *known = ERR_reason_error_string(error);
    *words = known ? known : "OpenSSL says no more";
    ERR_clear_error();
    return error;
}

static void refuse_file(char text[SSA_TLS_TEXT_BYTES], const char *name, const char *path, const char *remedy) {
    char why[128], said[80];
    const char *words;
    unsigned long error = first_error(&words);
    snprintf(said, sizeof said, "OpenSSL says: %s", words);
    if (cannot_be_read(path, why, sizeof why))
        refuse(text, name, path, why, "");
    else if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH)
        refuse(text, name, path, "it is the key of another certificate than SSA_TLS_CERT", "");
    else
        refuse(text, name, path, remedy, said);
}

static void trust(SSL_CTX *ssl, const ssa_settings *settings, char text[SSA_TLS_TEXT_BYTES]) {
    if (!*settings->tls_ca)
        SSL_CTX_set_default_verify_paths(ssl); /* where there are none, every certificate is refused, in words */
    else if (SSL_CTX_load_verify_locations(ssl, settings->tls_ca, NULL) != 1)
        refuse_file(text, "SSA_TLS_CA", settings->tls_ca, "give a file of certificates in PEM");
    ERR_clear_error();
}

/* Instead of the one that asks at the terminal. */
static int no_password(char *buffer, int room, int writing, void *was_asked) {
    (void)buffer, (void)room, (void)writing;
    *(int *)was_asked = 1;
    return -1;
}

static void present(SSL_CTX *ssl, const ssa_settings *settings, char text[SSA_TLS_TEXT_BYTES]) {
    if (!*settings->tls_cert)
        return;
    int has_password = 0;
    SSL_CTX_set_default_passwd_cb(ssl, no_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &has_password);
    if (SSL_CTX_use_certificate_chain_file(ssl, settings->tls_cert) != 1)
        refuse_file(text, "SSA_TLS_CERT", settings->tls_cert, "give the client's certificate in PEM");
    int has_key = SSL_CTX_use_PrivateKey_file(ssl, settings->tls_key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (has_password)
        refuse(text, "SSA_TLS_KEY", settings->tls_key, "it is encrypted", "give a key without a password, which only you can read");
    else if (!has_key)
        refuse_file(text, "SSA_TLS_KEY", settings->tls_key, "give the key of the client's certificate in PEM");
    ERR_clear_error();
}

/* ---- the context */

static void configure(SSL_CTX *ssl) {
    SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, ssa_tls_verify, NULL);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_default_read_buffer_len(ssl, READ_AHEAD);
}

ssa_status ssa_tls_context_new(const ssa_settings *settings, ssa_tls_context **made, char text[SSA_TLS_TEXT_BYTES]) {
    ssa_tls_context *context = *made = ssa_allocate(sizeof *context);
    if (!context)
        return SSA_ENOMEM;
    *context = (ssa_tls_context){.trusted = settings->tls_ca, .certificate = settings->tls_cert, .name = settings->tls_name};
    text[0] = 0;
    ERR_clear_error();
    context->ssl = SSL_CTX_new(TLS_client_method());
    context->socket = ssa_tls_socket_method();
    ssa_status status = context->ssl && context->socket ? SSA_OK : SSA_EUNSUPPORTED;
    if (status) {
        const char *words;
        first_error(&words);
        snprintf(text, SSA_TLS_TEXT_BYTES, "TLS was asked for (SSA_TLS), and OpenSSL cannot give it: %s", words);
    } else {
        configure(context->ssl);
        trust(context->ssl, settings, text);
        present(context->ssl, settings, text);
        status = *text ? SSA_EARGUMENT : SSA_OK;
    }
    if (status) {
        ssa_tls_context_free(context);
        *made = NULL;
    }
    return status;
}

void ssa_tls_context_free(ssa_tls_context *context) {
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->socket);
    ssa_release(context);
}

#endif
