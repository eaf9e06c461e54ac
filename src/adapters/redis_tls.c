#include "redis_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

/* The first error of this thread's queue: it is the cause, later ones are its consequences. */
static const char *tls_error_text(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason;

    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    reason = ERR_reason_error_string(code);
    return reason ? reason : "unknown error";
}

/* Without this OpenSSL would ask on the terminal for the passphrase of an encrypted key, and wait. */
static int refuse_passphrase(char *out, int room, int is_encryption, void *ctx)
{
    (void)out;
    (void)room;
    (void)is_encryption;
    (void)ctx;
    return -1;
}

static bool load_trust(SSL_CTX *tls, const struct redis_endpoint *endpoint, struct errmsg *err)
{
    if (endpoint->tls_ca_file[0]) {
        if (SSL_CTX_load_verify_locations(tls, endpoint->tls_ca_file, NULL) == 1)
            return true;
        errmsg_set(err, "CA file %s: %s", endpoint->tls_ca_file, tls_error_text());
        return false;
    }
    if (SSL_CTX_set_default_verify_paths(tls) == 1)
        return true;
    errmsg_set(err, "system CAs: %s", tls_error_text());
    return false;
}

static bool load_certificate(SSL_CTX *tls, const struct redis_endpoint *endpoint, struct errmsg *err)
{
    const char *key_file = endpoint->tls_key_file[0] ? endpoint->tls_key_file : endpoint->tls_cert_file;

    if (!endpoint->tls_cert_file[0])
        return true;
    if (SSL_CTX_use_certificate_chain_file(tls, endpoint->tls_cert_file) != 1) {
        errmsg_set(err, "certificate file %s: %s", endpoint->tls_cert_file, tls_error_text());
        return false;
    }
    /* OpenSSL checks here that the key is the certificate's. */
    if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1) {
        errmsg_set(err, "key file %s: %s", key_file, tls_error_text());
        return false;
    }
    return true;
}

static SSL_CTX *new_context(const struct redis_endpoint *endpoint, struct errmsg *err)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (!tls) {
        errmsg_set(err, "TLS: %s", tls_error_text());
        return NULL;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(tls, refuse_passphrase);
    (void)SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                    SSL_MODE_RELEASE_BUFFERS);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 && load_trust(tls, endpoint, err) &&
        load_certificate(tls, endpoint, err))
        return tls;
    SSL_CTX_free(tls);
    return NULL;
}

/* The name that the certificate must carry; for a name, not for an address, the server is told which is meant
 * (SNI). */
static bool set_peer(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];

    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return host[0] && SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ssl_st *redis_tls_new(const struct redis_endpoint *endpoint, int fd, struct errmsg *err)
{
    ERR_clear_error();

    SSL_CTX *tls = new_context(endpoint, err);

    if (!tls)
        return NULL;

    SSL *ssl = SSL_new(tls);

    SSL_CTX_free(tls); /* SSL holds it */
    if (ssl && set_peer(ssl, endpoint->host) && SSL_set_fd(ssl, fd) == 1)
        return ssl;
    errmsg_set(err, "TLS for host %s: %s", endpoint->host, tls_error_text());
    SSL_free(ssl);
    return NULL;
}

static void explain_failure(SSL *ssl, int kind, int system_error, struct errmsg *err)
{
    long verdict = SSL_get_verify_result(ssl);

    if (verdict != X509_V_OK)
        errmsg_set(err, "TLS: certificate refused: %s", X509_verify_cert_error_string(verdict));
    else if (kind == SSL_ERROR_SYSCALL)
        errmsg_set(err, "TLS: %s",
                   system_error ? strerror(system_error) : "the server closed the connection");
    else
        errmsg_set(err, "TLS: %s", tls_error_text());
}

enum redis_tls_state redis_tls_connect(struct ssl_st *ssl, struct errmsg *err)
{
    ERR_clear_error();
    errno = 0;

    int result = SSL_connect(ssl);
    int system_error = errno;

    if (result == 1)
        return REDIS_TLS_DONE;

    int kind = SSL_get_error(ssl, result);

    if (kind == SSL_ERROR_WANT_READ)
        return REDIS_TLS_WANT_READ;
    if (kind == SSL_ERROR_WANT_WRITE)
        return REDIS_TLS_WANT_WRITE;
    explain_failure(ssl, kind, system_error, err);
    return REDIS_TLS_FAILED;
}
