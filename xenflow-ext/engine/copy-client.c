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
#include "engine/copy-private.h"

#include <errno.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "util.h"
#include "xenflow/ports.h"

VLOG_DEFINE_THIS_MODULE(xf_copy_client);

/* B: a router that comes here.  The connection is made here; once the request
 * is sent, a passive listener has it. */

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

static const struct xf_listener_ops listener_ops;

/* ---- State. ---- */

/* Takes ownership of 'error', which may be NULL. */
static void
set_error(struct xf_copy *copy, char *error)
{
    if (error && (!copy->error || strcmp(error, copy->error))) {
        VLOG_INFO_RL(&rl, "table of router %s from host %s: %s",
                     copy->router->name, copy->source, error);
    }
    if (error ? !copy->error || strcmp(error, copy->error)
              : copy->error != NULL) {
        copy->copies->dirty = true;
    }
    free(copy->error);
    copy->error = error;
}

static void
set_state(struct xf_copy *copy, enum xf_copy_state state)
{
    if (copy->state != state) {
        VLOG_INFO_RL(&rl, "table of router %s from host %s: %s",
                     copy->router->name, copy->source,
                     xf_copy_state_name(state));
        copy->state = state;
        copy->copies->dirty = true;
    }
}

/* ---- Life. ---- */

struct xf_copy *
xf_copy_create(struct xf_copies *copies, const struct uuid *uuid,
               struct xf_router *router)
{
    struct xf_copy *copy = xzalloc(sizeof *copy);

    copy->copies = copies;
    copy->uuid = *uuid;
    copy->router = router;
    svec_init(&copy->addresses);
    copy->backoff_ms = XF_COPY_RETRY_MIN_MS;
    router->coming = true;
    hmap_insert(&copies->copies, &copy->node, uuid_hash(uuid));
    copies->dirty = true;
    return copy;
}

/* Ends the connection, in whatever state it is. */
static void
hang_up(struct xf_copy *copy)
{
    stream_close(copy->stream);
    copy->stream = NULL;
    if (copy->listener) {
        xf_listener_disconnect(copy->listener);
    }
    xf_listener_abandon(copy->listener);
    copy->listener = NULL;
    copy->begun = false;
    copy->told_all = false;
    copy->is_acking = false;
}

/* The router's neighbours are ours to look after from now on. */
static void
take_over(struct xf_router *router)
{
    if (router->coming) {
        router->coming = false;
        xf_neigh_scan(router);
    }
}

void
xf_copy_destroy(struct xf_copy *copy)
{
    hang_up(copy);
    take_over(copy->router);
    copy->copies->dirty = true;
    hmap_remove(&copy->copies->copies, &copy->node);
    svec_destroy(&copy->addresses);
    free(copy->source);
    free(copy->error);
    free(copy->refusal);
    free(copy);
}

void
xf_copy_keep(struct xf_copy *copy)
{
    if (copy->state != XF_COPY_KEPT) {
        hang_up(copy);
        set_error(copy, (copy->is_whole ? NULL
                         : xstrdup("it came before all was copied")));
        set_state(copy, XF_COPY_KEPT);
        take_over(copy->router);
    }
}

/* The connection is over because of 'why', which it takes ownership of: tries
 * again later. */
static void
lose(struct xf_copy *copy, char *why, long long int now_ms)
{
    bool was_good = copy->state == XF_COPY_IN_STEP;

    hang_up(copy);
    set_error(copy, why);
    set_state(copy, XF_COPY_CONNECTING);
    copy->backoff_ms = (was_good ? XF_COPY_RETRY_MIN_MS
                        : MIN(2 * copy->backoff_ms, XF_COPY_RETRY_MAX_MS));
    copy->next_ms = now_ms + copy->backoff_ms;
}

/* ---- Connecting. ---- */

/* Name for stream_open() of 'address', which is an IP address. */
static char *
stream_name(const struct xf_copy *copy, const char *address)
{
    bool v6 = strchr(address, ':') && address[0] != '[';

    return xasprintf("%s:%s%s%s:%d", copy->copies->tls ? "ssl" : "tcp",
                     v6 ? "[" : "", address, v6 ? "]" : "", XF_COPY_PORT);
}

static void
put_request(struct xf_copy *copy)
{
    struct xf_copy_msg msg = {
        .version = XF_COPY_VERSION,
        .kind = XF_COPY_REQUEST,
        .seed = copy->router->ecmp_seed,
    };

    BUILD_ASSERT_DECL(sizeof msg.router == sizeof copy->uuid);
    memcpy(msg.router, &copy->uuid, sizeof msg.router);
    ovs_strlcpy(msg.host, copy->copies->db->host, sizeof msg.host);
    copy->head = 0;
    copy->tail = xf_copy_encode(&msg, copy->request, sizeof copy->request);
    ovs_assert(copy->tail);
}

static void
try_connect(struct xf_copy *copy, long long int now_ms)
{
    if (now_ms < copy->next_ms) {
        return;
    } else if (!copy->addresses.n) {
        lose(copy, xasprintf("host %s has no addresses in the database: set "
                             "them with xfctl host-set %s address=IP",
                             copy->source, copy->source), now_ms);
        return;
    }

    const char *address = copy->addresses.names[copy->n_tries++
                                                % copy->addresses.n];
    char *name = stream_name(copy, address);
    xf_tls_lock();
    int error = stream_open(name, &copy->stream, 0);
    xf_tls_unlock();
    if (error && error != EAGAIN) {
        lose(copy, xasprintf("cannot connect to %s: %s", name,
                             ovs_strerror(error)), now_ms);
    }
    free(name);
    copy->until_ms = now_ms + XF_COPY_HELLO_MS;
    put_request(copy);
}

/* Returns NULL if the other end is who it is to be, or why not. */
static char *
check_peer(const struct xf_copy *copy)
{
    const char *id = stream_get_peer_id(copy->stream);

    if (copy->copies->tls && (!id || strcmp(id, copy->source))) {
        return xasprintf("%s has the certificate of '%s', not of host %s: see "
                         "whether the host's addresses are right",
                         stream_get_name(copy->stream), id ? id : "",
                         copy->source);
    }
    return NULL;
}

/* Makes the listener that the connection is handed to. */
static char *
make_listener(struct xf_copy *copy)
{
    struct xf_router *router = copy->router;
    struct xf_listener_config config = {
        .address = copy->source,
        .port = XF_COPY_PORT,
        .source = router->listener_source,
        .source_name = "speaker",
        .neigh_source = XF_SOURCE_LEARNED,
        .passive = true,
        .adopt = true,
    };
    char *error;

    router->has_copy = true;
    copy->listener = xf_listener_create(&config, router->rt, &listener_ops,
                                        copy, &error);
    return error;
}

/* Carries the handshake and the request on. */
static void
connecting_run(struct xf_copy *copy, long long int now_ms)
{
    int error;

    xf_tls_lock();
    stream_run(copy->stream);
    error = stream_connect(copy->stream);
    xf_tls_unlock();
    if (!error) {
        char *why = check_peer(copy);

        if (why) {
            lose(copy, why, now_ms);
            return;
        }
        int n = stream_send(copy->stream, copy->request + copy->head,
                            copy->tail - copy->head);
        if (n >= 0) {
            copy->head += n;
        } else {
            error = -n;
        }
    }
    if (error == EAGAIN && now_ms >= copy->until_ms) {
        error = ETIMEDOUT;
    }
    if (error && error != EAGAIN) {
        lose(copy, xasprintf("cannot connect to %s: %s",
                             stream_get_name(copy->stream),
                             ovs_strerror(error)), now_ms);
    } else if (copy->head == copy->tail) {
        struct stream *stream = copy->stream;
        char *why = make_listener(copy);

        if (why) {
            lose(copy, why, now_ms);
            return;
        }
        copy->stream = NULL;
        xf_listener_connect(copy->listener, stream,
                            xstrdup(stream_get_name(stream)), now_ms);
    }
}

/* ---- Connected. ---- */

/* The connection is to be given up for 'why', which it takes ownership of. */
static void
refuse(struct xf_copy *copy, char *why)
{
    free(copy->refusal);
    copy->refusal = why;
}

/* The source begins. */
static void
begin(struct xf_copy *copy, const struct xf_copy_msg *msg)
{
    const struct xf_router *router = copy->router;

    if (strcmp(msg->host, copy->source)) {
        refuse(copy, xasprintf("who answers is host %s, not %s: see "
                               "whether the host's addresses are right",
                               msg->host, copy->source));
        return;
    }
    if (msg->seed != router->ecmp_seed) {
        refuse(copy, xasprintf("ecmp-seed is %"PRIu32" there and %"PRIu32
                               " here, so flows would change their ways: "
                               "set it in the router's settings",
                               msg->seed, router->ecmp_seed));
        return;
    }
    xf_listener_begin(copy->listener);
    copy->begun = true;
    copy->is_whole = false;
    copy->told_all = false;
    copy->is_acking = false;
    copy->n_copies++;
    copy->source_state = msg->state;
    set_error(copy, NULL);
    set_state(copy, XF_COPY_COPYING);
}

static void
hear_copy(struct xf_copy *copy, const struct xf_copy_msg *msg)
{
    switch (msg->kind) {
    case XF_COPY_BEGIN:
        begin(copy, msg);
        break;
    case XF_COPY_STATE:
        copy->source_state = msg->state;
        copy->told_all = copy->begun;
        break;
    case XF_COPY_REFUSAL:
        refuse(copy, xasprintf("host %s: %s", copy->source, msg->text));
        break;
    case XF_COPY_REQUEST:
    case XF_COPY_N_KINDS:
    default:
        break;
    }
}

/* A message that only copies have. */
static void
listener_copy(void *copy_, const struct xf_wire_msg *msg)
{
    struct xf_copy *copy = copy_;
    struct xf_copy_msg said;

    if (msg->type == XF_WIRE_COUNTS) {
        xf_counts_hear(copy->router, msg->body, msg->body_size,
                       copy->heard_ms);
    } else if (!xf_copy_decode(msg->body, msg->body_size, &said)) {
        hear_copy(copy, &said);
    }
}

static uint64_t
listener_changed(void *copy_)
{
    struct xf_copy *copy = copy_;

    return xf_router_table_changed(copy->router);
}

static void
listener_iface_changed(void *copy_)
{
    struct xf_copy *copy = copy_;

    xf_router_update_claims(copy->router);
    xf_router_changed(copy->router);
}

static const struct xf_listener_ops listener_ops = {
    .changed = listener_changed,
    .iface_changed = listener_iface_changed,
    .copy = listener_copy,
};

/* Whether what we have is what the source has.  If that has nothing, because
 * nobody ever spoke to it, then only if we have nothing more. */
static bool
is_settled(const struct xf_copy *copy)
{
    const struct xf_router *router = copy->router;

    return (xf_listener_is_settled(copy->listener)
            || (copy->told_all && copy->source_state == XF_COPY_SILENT
                && !xf_rt_source_n_stale(router->rt,
                                         router->listener_source)));
}

/* Something that the source has isn't in our table: has all stated again, from
 * time to time.  (An interface may have come meanwhile; or what a next hop was
 * was in the way of what another is.) */
static void
failed_run(struct xf_copy *copy, long long int now_ms)
{
    const char *why = xf_listener_last_error(copy->listener);

    set_error(copy, xasprintf("%"PRIu64" things that host %s knows can't be "
                              "here: %s",
                              xf_listener_n_failed(copy->listener),
                              copy->source, why ? why : "they are about "
                              "interfaces that aren't here"));
    set_state(copy, XF_COPY_COPYING);
    copy->is_acking = copy->is_whole = false;
    if (now_ms >= copy->next_ms) {
        copy->next_ms = now_ms + XF_COPY_AGAIN_MS;
        xf_listener_resync(copy->listener);
    }
}

/* Looks whether the copy is in step by now: all of it, and in the datapath. */
static void
step_run(struct xf_copy *copy)
{
    const struct xf_engine *engine = copy->router->engine;

    if (copy->state == XF_COPY_IN_STEP) {
        return;
    }
    if (!is_settled(copy)) {
        copy->is_acking = false;
        if (copy->told_all && copy->source_state != XF_COPY_WHOLE) {
            set_error(copy, xasprintf(
                "host %s doesn't know all of it itself: since its switch "
                "started, the router's daemon hasn't stated its routes to the "
                "end; waiting for that", copy->source));
        }
        return;
    }
    if (!copy->is_acking) {
        copy->is_acking = true;
        copy->generation = engine->generation;
    }
    if (engine->acked >= copy->generation) {
        copy->router->copy_whole = true;
        copy->is_whole = true;
        copy->backoff_ms = XF_COPY_RETRY_MIN_MS;
        set_error(copy, NULL);
        set_state(copy, XF_COPY_IN_STEP);
    }
}

static void
connected_run(struct xf_copy *copy, long long int now_ms)
{
    xf_listener_run(copy->listener, now_ms);
    xf_listener_acked(copy->listener, copy->router->engine->acked);
    if (copy->refusal) {
        char *why = copy->refusal;

        copy->refusal = NULL;
        lose(copy, why, now_ms);
    } else if (!xf_listener_is_connected(copy->listener)) {
        lose(copy, xasprintf("host %s has closed the connection",
                             copy->source), now_ms);
    } else if (now_ms - xf_listener_heard_ms(copy->listener)
               >= XF_COPY_SILENCE_MS) {
        lose(copy, xasprintf("host %s has said nothing for %d s",
                             copy->source, XF_COPY_SILENCE_MS / 1000),
             now_ms);
    } else if (copy->begun && xf_listener_n_failed(copy->listener)) {
        failed_run(copy, now_ms);
    } else if (copy->begun) {
        step_run(copy);
    }
}

void
xf_copy_run(struct xf_copy *copy, long long int now_ms)
{
    const struct xf_router *router = copy->router;

    copy->heard_ms = now_ms;
    if (copy->state == XF_COPY_KEPT) {
        return;
    }
    if (router->listener && xf_listener_has_spoken(router->listener)) {
        xf_copy_keep(copy);
    } else if (copy->listener) {
        connected_run(copy, now_ms);
    } else if (copy->stream) {
        connecting_run(copy, now_ms);
    } else {
        try_connect(copy, now_ms);
    }
}

void
xf_copy_wait(const struct xf_copy *copy)
{
    if (copy->state == XF_COPY_KEPT) {
        return;
    }
    if (copy->listener) {
        xf_listener_wait(copy->listener);
        poll_timer_wait_until(xf_listener_heard_ms(copy->listener)
                              + XF_COPY_SILENCE_MS);
        if (xf_listener_n_failed(copy->listener)) {
            poll_timer_wait_until(copy->next_ms);
        }
        if (copy->is_acking && copy->state != XF_COPY_IN_STEP
            && copy->router->engine->acked >= copy->generation) {
            poll_immediate_wake();
        }
    } else if (copy->stream) {
        stream_run_wait(copy->stream);
        stream_connect_wait(copy->stream);
        stream_send_wait(copy->stream);
        poll_timer_wait_until(copy->until_ms);
    } else {
        poll_timer_wait_until(copy->next_ms);
    }
}
