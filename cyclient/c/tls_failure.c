#ifdef SSA_HAVE_OPENSSL

#include "tls_session.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "mistake.h"

/* ---- a certificate that is refused */

static void append(char *text, size_t room, const char *more) {
    size_t length = strlen(text);
    snprintf(text + length, room - length, "%s", more);
}

/* The names that a certificate is for, as far as there is room. */
static void note_names(ssa_tls *tls, X509 *certificate) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    char *text = tls->certificate;
    size_t room = sizeof tls->certificate;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char quoted[80] = "", address[INET6_ADDRSTRLEN] = "";
        if (name->type == GEN_DNS) {
            ssa_text_quote(quoted, sizeof quoted, ASN1_STRING_get0_data(name->d.dNSName),
                           (size_t)ASN1_STRING_length(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            int bytes = ASN1_STRING_length(name->d.iPAddress);
            if (bytes == 4 || bytes == 16)
                inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), address, sizeof address);
        }
        const char *shown = *quoted ? quoted : address;
        if (*shown && strlen(text) + strlen(shown) + 3 < room) {
            append(text, room, *text ? ", " : "");
            append(text, room, shown);
        }
    }
    GENERAL_NAMES_free(names);
}

static void note_time(ssa_tls *tls, const char *what, const ASN1_TIME *time) {
    struct tm when;
    if (!ASN1_TIME_to_tm(time, &when))
        return;
    char text[40];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &when);
    snprintf(tls->certificate, sizeof tls->certificate, "%s %s", what, text);
}

int ssa_tls_verify(X509_STORE_CTX *chain, void *unused) {
    (void)unused;
    int right = X509_verify_cert(chain);
    SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
    ssa_tls *tls = ssl ? SSL_get_app_data(ssl) : NULL;
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    if (right > 0 || !tls)
        return right;
    tls->certificate[0] = 0;
    switch (certificate ? X509_STORE_CTX_get_error(chain) : X509_V_OK) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: note_names(tls, certificate); break;
    case X509_V_ERR_CERT_HAS_EXPIRED: note_time(tls, "at", X509_get0_notAfter(certificate)); break;
    case X509_V_ERR_CERT_NOT_YET_VALID: note_time(tls, "before", X509_get0_notBefore(certificate)); break;
    }
    return right;
}

__attribute__((format(printf, 2, 3)))
static void say(ssa_tls *tls, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tls->error, sizeof tls->error, format, arguments);
    va_end(arguments);
}

static void say_certificate(ssa_tls *tls, long verdict) {
    const char *why = X509_verify_cert_error_string(verdict), *noted = tls->certificate;
    char peer[sizeof tls->peer + 8], trusted[160];
    ssa_text_quote(peer, sizeof peer, tls->peer, strlen(tls->peer));
    ssa_text_quote(trusted, sizeof trusted, tls->context->trusted, strlen(tls->context->trusted));
    tls->final = 1;
    switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say(tls, "its certificate is not for %s but for %s (%s). Check the address, or name in SSA_TLS_NAME what the "
            "certificate has.", peer, *noted ? noted : "nobody that it names", why);
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say(tls, "its certificate is refused: %s (%s). Renew it, or set the clock of this machine right.", why, noted);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        say(tls, "its certificate is signed by nobody who is trusted (%s; trusted is %s). Name in SSA_TLS_CA the file of the "
            "authority that signed it.", why, *tls->context->trusted ? trusted : "what the system trusts");
        break;
    default:
        say(tls, "its certificate is refused: %s. It needs another one.", why);
    }
}

/* ---- the server refuses us */

static int is_about_our_certificate(int alert) {
    switch (alert) {
    case SSL3_AD_HANDSHAKE_FAILURE:
    case SSL3_AD_NO_CERTIFICATE:
    case SSL3_AD_BAD_CERTIFICATE:
    case SSL3_AD_UNSUPPORTED_CERTIFICATE:
    case SSL3_AD_CERTIFICATE_REVOKED:
    case SSL3_AD_CERTIFICATE_EXPIRED:
    case SSL3_AD_CERTIFICATE_UNKNOWN:
    case TLS1_AD_UNKNOWN_CA:
    case TLS1_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED: return 1;
    default: return 0;
    }
}

static void say_alert(ssa_tls *tls, int alert, const char *why) {
    char own[160];
    ssa_text_quote(own, sizeof own, tls->context->certificate, strlen(tls->context->certificate));
    tls->final = 1;
    if (is_about_our_certificate(alert) && *tls->context->certificate) {
        say(tls, "it refuses us (%s). Is SSA_TLS_CERT (%s) signed by an authority that it trusts, and in force?", why, own);
    } else if (is_about_our_certificate(alert)) {
        say(tls, "it refuses us (%s). It may want a certificate of the client: set SSA_TLS_CERT and SSA_TLS_KEY.", why);
    } else if (alert == TLS1_AD_PROTOCOL_VERSION) {
        say(tls, "it speaks no TLS of version 1.2 or later (%s). Allow it that.", why);
    } else if (alert == TLS1_AD_UNRECOGNIZED_NAME) {
        say(tls, "it does not know the name that it was asked for (%s). Name in SSA_TLS_NAME what its certificate has.", why);
    } else {
        tls->final = 0;
        say(tls, "it broke off TLS (%s)", why);
    }
}

/* ---- all of them */

static void say_protocol(ssa_tls *tls, unsigned long error) {
    int reason = ERR_GET_REASON(error);
    const char *known = ERR_reason_error_string(error), *why = known ? known : "no reason is given";
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        say_certificate(tls, SSL_get_verify_result(tls->ssl));
    } else if (reason > SSL_AD_REASON_OFFSET) {
        say_alert(tls, reason - SSL_AD_REASON_OFFSET, why);
    } else if (reason == SSL_R_UNSUPPORTED_PROTOCOL) {
        say_alert(tls, TLS1_AD_PROTOCOL_VERSION, why);
    } else if (tls->is_open) {
        say(tls, "what it sent is no TLS: %s", why);
    } else {
        tls->final = 1;
        say(tls, "it does not speak TLS (%s). Give the address of its port for TLS, or connect without SSA_TLS.", why);
    }
}

/* OpenSSL 3 puts an end without a farewell among the errors, OpenSSL 1.1 does not. */
void ssa_tls_fail(ssa_tls *tls, int code) {
    unsigned long error = ERR_peek_error();
    tls->failure = SSA_ECLOSED;
    if (code == SSL_ERROR_ZERO_RETURN) {
        say(tls, "the other side closed the connection");
    } else if (tls->system_error) {
        say(tls, "%s", strerror(tls->system_error));
    } else if (tls->ended) {
        say(tls, tls->is_open ? "the other side closed the connection, without the farewell of TLS"
                              : "it closed the connection during the TLS handshake. Is this its port for TLS?");
    } else {
        tls->failure = SSA_EPROTOCOL;
        say_protocol(tls, error);
    }
    ERR_clear_error();
}

#endif
