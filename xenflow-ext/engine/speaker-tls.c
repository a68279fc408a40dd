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
#include "engine/speaker-tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "engine/engine.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/thread.h"
#include "openvswitch/util.h"
#include "ovs-thread.h"
#include "socket-util.h"
#include "stream.h"
#include "util.h"

/* A connection whose handshake isn't over. */
struct pending {
    struct stream *stream;
    long long int until_ms;
};

struct xf_tls {
    struct pstream *pstream;
    char *peer_name;
    struct pending pending[XF_TLS_PENDING_MAX]; /* Oldest first. */
    size_t n_pending;
};

static struct ovs_mutex context_mutex = OVS_MUTEX_INITIALIZER;

bool
xf_tls_trylock(void) OVS_TRY_LOCK(true, context_mutex)
{
    return !ovs_mutex_trylock(&context_mutex);
}

void
xf_tls_lock(void) OVS_ACQUIRES(context_mutex)
{
    ovs_mutex_lock(&context_mutex);
}

void
xf_tls_unlock(void) OVS_RELEASES(context_mutex)
{
    ovs_mutex_unlock(&context_mutex);
}

int
xf_tls_create(const char *address, uint16_t port, const char *peer_name,
              struct xf_tls **tlsp)
{
    bool v6 = strchr(address, ':') != NULL;
    char *name = xasprintf("pssl:%"PRIu16":%s%s%s", port, v6 ? "[" : "",
                           address, v6 ? "]" : "");
    struct pstream *pstream;
    int error;

    ovs_mutex_lock(&context_mutex);
    error = pstream_open(name, &pstream, 0);
    ovs_mutex_unlock(&context_mutex);
    free(name);
    if (error) {
        return error;
    }

    struct xf_tls *tls = xzalloc(sizeof *tls);
    tls->pstream = pstream;
    tls->peer_name = nullable_xstrdup(peer_name);
    *tlsp = tls;
    return 0;
}

/* Takes the 'i'th handshake out of the array. */
static struct stream *
take(struct xf_tls *tls, size_t i)
{
    struct stream *stream = tls->pending[i].stream;

    tls->n_pending--;
    memmove(&tls->pending[i], &tls->pending[i + 1],
            (tls->n_pending - i) * sizeof tls->pending[0]);
    return stream;
}

void
xf_tls_destroy(struct xf_tls *tls)
{
    if (tls) {
        while (tls->n_pending) {
            stream_close(take(tls, 0));
        }
        pstream_close(tls->pstream);
        free(tls->peer_name);
        free(tls);
    }
}

uint16_t
xf_tls_port(const struct xf_tls *tls)
{
    return ntohs(pstream_get_bound_port(tls->pstream));
}

/* Accepts a connection, if one waits, and begins its handshake. */
static void
accept_one(struct xf_tls *tls, long long int now_ms, char **why)
{
    struct stream *stream;
    int error = pstream_accept(tls->pstream, &stream);

    if (error == EAGAIN) {
        return;
    }
    if (error) {
        *why = xasprintf("cannot talk TLS (%s): give the switch a private "
                         "key, a certificate and a CA certificate with "
                         "ovs-vsctl set-ssl", ovs_strerror(error));
        return;
    }
    if (tls->n_pending == XF_TLS_PENDING_MAX) {
        stream_close(take(tls, 0));
    }
    tls->pending[tls->n_pending++] = (struct pending) {
        .stream = stream,
        .until_ms = now_ms + XF_TLS_HANDSHAKE_MS,
    };
}

/* Judges a peer whose handshake ended with 'error'.  Returns NULL if it may
 * speak, else why not. */
static char *
judge(const struct xf_tls *tls, const struct stream *stream, int error)
{
    const char *peer = stream_get_name(stream);
    const char *id = stream_get_peer_id(stream);

    if (error) {
        return xasprintf("%s refused: no TLS with a certificate of the "
                         "switch's CA (%s): give it -p, -c and -C",
                         peer, ovs_strerror(error));
    }
    if (!id) {
        return xasprintf("%s refused: its certificate has no common name",
                         peer);
    }
    if (tls->peer_name && strcmp(id, tls->peer_name)) {
        return xasprintf("%s refused: its certificate is that of '%s', not "
                         "of '%s': give it the router's, or set peer-name",
                         peer, id, tls->peer_name);
    }
    return NULL;
}

struct stream *
xf_tls_run(struct xf_tls *tls, long long int now_ms, char **why)
{
    struct stream *ready = NULL;

    *why = NULL;
    ovs_mutex_lock(&context_mutex);
    accept_one(tls, now_ms, why);
    for (size_t i = 0; i < tls->n_pending && !*why; ) {
        struct pending *p = &tls->pending[i];

        stream_run(p->stream);
        int error = stream_connect(p->stream);
        if (error == EAGAIN && now_ms >= p->until_ms) {
            error = ETIMEDOUT;
        }
        if (error == EAGAIN) {
            i++;
            continue;
        }

        struct stream *stream = take(tls, i);
        *why = judge(tls, stream, error);
        if (!*why) {
            ready = stream;
            break;
        }
        stream_close(stream);
    }
    ovs_mutex_unlock(&context_mutex);
    return ready;
}

void
xf_tls_wait(const struct xf_tls *tls)
{
    pstream_wait(tls->pstream);
    for (size_t i = 0; i < tls->n_pending; i++) {
        stream_run_wait(tls->pending[i].stream);
        stream_connect_wait(tls->pending[i].stream);
        poll_timer_wait_until(tls->pending[i].until_ms);
    }
}

bool
xf_tls_is_idle(const struct xf_tls *tls)
{
    return !tls->n_pending;
}
