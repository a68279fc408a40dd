/*
 * Copyright (c) 2026 The XenFlow Authors.
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at:
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
#include <config.h>

#include "seam/xf-tls-verify.h"

#include <ctype.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "util.h"
#include "xenflow/ports.h"

VLOG_DEFINE_THIS_MODULE(xf_tls_verify);

/* Why, in words that say what to look at. */
static const char *
why(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "another authority signed it";
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "it has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "it isn't valid yet; are the clocks right?";
    case X509_V_ERR_INVALID_PURPOSE:
        return "it isn't for this side of a connection";
    default:
        return X509_verify_cert_error_string(error);
    }
}

/* Appends the common name of 'cert', which may be anybody's. */
static void
put_name(struct ds *ds, X509 *cert)
{
    char name[65] = "";

    if (cert) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                  name, sizeof name);
    }
    for (char *p = name; *p; p++) {
        ds_put_char(ds, isprint((unsigned char) *p) ? *p : '?');
    }
}

static void
put_peer(struct ds *ds, SSL *ssl)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (ssl && !getpeername(SSL_get_fd(ssl), (struct sockaddr *) &ss, &len)
        && (ss.ss_family == AF_INET || ss.ss_family == AF_INET6)) {
        ds_put_cstr(ds, "ssl:");
        ss_format_address(&ss, ds);
        ds_put_format(ds, ":%u", ss_get_port(&ss));
    } else {
        ds_put_cstr(ds, "ssl");
    }
}

/* Hosts have certificates for clients, so that none can pass for the database's
 * server.  Between two hosts, one of which answers at a port that is only for
 * hosts, both have such a one.  The names are compared by whoever connects. */
static bool
is_host_for_host(X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(
        store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct sockaddr_storage ss;
    socklen_t len = sizeof ss;

    if (X509_STORE_CTX_get_error(store) != X509_V_ERR_INVALID_PURPOSE
        || X509_STORE_CTX_get_error_depth(store) || !ssl
        || SSL_is_server(ssl)
        || getpeername(SSL_get_fd(ssl), (struct sockaddr *) &ss, &len)
        || (ss.ss_family != AF_INET && ss.ss_family != AF_INET6)) {
        return false;
    }

    uint16_t port = ss_get_port(&ss);
    return ((port == XF_COPY_PORT || port == XF_MOVE_PORT)
            && X509_check_purpose(X509_STORE_CTX_get0_cert(store),
                                  X509_PURPOSE_SSL_CLIENT, 0) == 1);
}

int
xf_tls_verify(int ok, X509_STORE_CTX *store)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

    if (!ok && is_host_for_host(store)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (!ok && !VLOG_DROP_WARN(&rl)) {
        SSL *ssl = X509_STORE_CTX_get_ex_data(
            store, SSL_get_ex_data_X509_STORE_CTX_idx());
        struct ds ds = DS_EMPTY_INITIALIZER;

        put_peer(&ds, ssl);
        ds_put_cstr(&ds, ": certificate of '");
        put_name(&ds, X509_STORE_CTX_get0_cert(store));
        ds_put_format(&ds, "' refused: %s",
                      why(X509_STORE_CTX_get_error(store)));
        VLOG_WARN("%s", ds_cstr(&ds));
        ds_destroy(&ds);
    }
    return ok;
}
