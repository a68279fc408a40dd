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
#include <net/if.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"
#include "xenflow/ports.h"

VLOG_DEFINE_THIS_MODULE(xf_copy_server);

/* A: tables for others. */

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(5, 20);

/* Between attempts to listen. */
#define DOOR_RETRY_MS 5000
/* Room that the largest message needs. */
#define MESSAGE_MAX 16384
/* Messages between two looks at the clock. */
#define MESSAGES_PER_CLOCK 64

/* ---- Doors. ---- */

static void
door_close(struct xf_copy_door *door)
{
    pstream_close(door->pstream);
    door->pstream = NULL;
    xf_tls_destroy(door->tls);
    door->tls = NULL;
}

void
xf_doors_set(struct xf_copies *copies, char **addresses, size_t n)
{
    bool same = n == copies->n_doors;

    for (size_t i = 0; i < n && same; i++) {
        same = !strcmp(addresses[i], copies->doors[i].address);
    }
    if (same) {
        return;
    }
    for (size_t i = 0; i < copies->n_doors; i++) {
        door_close(&copies->doors[i]);
        free(copies->doors[i].address);
    }
    memset(copies->doors, 0, sizeof copies->doors);
    for (size_t i = 0; i < n; i++) {
        copies->doors[i].address = xstrdup(addresses[i]);
    }
    copies->n_doors = n;
}

static int
door_listen(struct xf_copies *copies, struct xf_copy_door *door)
{
    bool v6 = strchr(door->address, ':') != NULL;

    if (copies->tls) {
        return xf_tls_create(door->address, XF_COPY_PORT, NULL, &door->tls);
    }

    char *name = xasprintf("ptcp:%d:%s%s%s", XF_COPY_PORT, v6 ? "[" : "",
                           door->address, v6 ? "]" : "");
    int error = pstream_open(name, &door->pstream, 0);

    free(name);
    return error;
}

static void
door_open(struct xf_copies *copies, struct xf_copy_door *door,
          long long int now_ms)
{
    if (door->pstream || door->tls || now_ms < door->next_ms) {
        return;
    }

    int error = door_listen(copies, door);
    if (error && !door->failed) {
        VLOG_WARN("cannot listen on %s port %d for switches that ask for "
                  "tables of routers (%s): see whether the host's addresses "
                  "in the database are right", door->address, XF_COPY_PORT,
                  ovs_strerror(error));
    }
    door->failed = error;
    door->next_ms = now_ms + DOOR_RETRY_MS;
}

/* ---- Connections. ---- */

void
xf_serving_destroy(struct xf_copies *copies, struct xf_serving *s)
{
    xf_rt_unfollow(s->follower);
    ovs_list_remove(&s->node);
    copies->n_servings--;
    stream_close(s->stream);
    free(s->peer);
    free(s->ifaces);
    free(s->tx);
    free(s);
}

/* A connection more; if there are too many, the oldest that serves nothing
 * ends, or else this one. */
void
xf_serving_create(struct xf_copies *copies, struct stream *stream,
               long long int now_ms)
{
    struct xf_serving *s, *victim = NULL;

    if (copies->n_servings >= XF_COPY_SERVINGS_MAX) {
        LIST_FOR_EACH (s, node, &copies->servings) {
            victim = victim || s->router ? victim : s;
        }
        if (!victim) {
            VLOG_WARN_RL(&rl, "%s: closed, as there are %d connections of "
                         "switches already", stream_get_name(stream),
                         XF_COPY_SERVINGS_MAX);
            stream_close(stream);
            return;
        }
        xf_serving_destroy(copies, victim);
    }
    s = xzalloc(sizeof *s);
    s->stream = stream;
    s->peer = xstrdup(stream_get_name(stream));
    if (stream_get_peer_id(stream)) {
        ovs_strlcpy(s->id, stream_get_peer_id(stream), sizeof s->id);
    }
    s->opened_ms = s->sent_ms = now_ms;
    ovs_list_push_back(&copies->servings, &s->node);
    copies->n_servings++;
}

static void
door_run(struct xf_copies *copies, struct xf_copy_door *door,
         long long int now_ms)
{
    struct stream *stream = NULL;

    if (door->tls) {
        char *why;

        stream = xf_tls_run(door->tls, now_ms, &why);
        if (why) {
            VLOG_WARN_RL(&rl, "%s", why);
            free(why);
        }
    } else if (door->pstream && pstream_accept(door->pstream, &stream)) {
        return;
    }
    if (stream) {
        xf_serving_create(copies, stream, now_ms);
    }
}

/* ---- What is said. ---- */

static size_t
room(const struct xf_serving *s)
{
    return XF_COPY_TX_BYTES - s->tail;
}

static void
put_copy(struct xf_serving *s, const struct xf_copy_msg *msg)
{
    size_t size;

    if (!s->tx) {
        s->tx = xmalloc(XF_COPY_TX_BYTES);
    }
    size = xf_copy_encode(msg, s->tx + s->tail, room(s));
    s->tail += size;
}

/* 's' is told nothing more. */
static void
stop_telling(struct xf_serving *s)
{
    xf_rt_unfollow(s->follower);
    s->follower = NULL;
    s->router = NULL;
    s->is_over = true;
}

/* Ends the connection with a sentence, which it takes ownership of.  A frame
 * of which a part was sent is sent to its end first. */
static void
dismiss(struct xf_serving *s, char *why)
{
    struct xf_copy_msg msg = {
        .version = XF_COPY_VERSION,
        .kind = XF_COPY_REFUSAL,
    };

    ovs_strlcpy(msg.text, why, sizeof msg.text);
    free(why);
    stop_telling(s);
    s->tail = s->frame_end;
    put_copy(s, &msg);
}

/* The same for one that wasn't served. */
static void
refuse(struct xf_serving *s, char *why)
{
    VLOG_WARN_RL(&rl, "%s (%s): refused: %s", s->peer, s->host, why);
    dismiss(s, why);
}

static enum xf_copy_source_state
source_state(const struct xf_router *router, long long int now_ms)
{
    return (!router->listener || router->copy_whole ? XF_COPY_WHOLE
            : xf_listener_source_state(router->listener, now_ms));
}

static void
put_state(struct xf_serving *s, enum xf_copy_source_state state)
{
    const struct xf_copy_msg msg = {
        .version = XF_COPY_VERSION,
        .kind = XF_COPY_STATE,
        .state = state,
    };

    put_copy(s, &msg);
    s->told_state = state;
}

static void
put_message(struct xf_serving *s, const struct xf_wire_msg *msg)
{
    size_t size = xf_wire_encode(msg, s->tx + s->tail, room(s));

    s->tail += size;
    s->n_told++;
}

/* ---- Interfaces. ---- */

static bool
add_iface(const struct xf_iface *iface, void *s_)
{
    struct xf_serving *s = s_;
    struct xf_told_iface *told;

    s->ifaces = xrealloc(s->ifaces, (s->n_ifaces + 1) * sizeof *s->ifaces);
    told = &s->ifaces[s->n_ifaces++];
    memset(told, 0, sizeof *told);
    ovs_strlcpy_arrays(told->name, iface->name);
    told->ifindex = iface->ifindex;
    told->mtu = iface->mtu;
    told->mac = iface->mac;
    told->up = iface->up;
    return true;
}

static void
put_link(struct xf_serving *s, const struct xf_told_iface *iface)
{
    struct xf_wire_msg msg;

    if (!iface->ifindex) {
        return;
    }
    memset(&msg, 0, sizeof msg);
    msg.type = XF_WIRE_LINK_ADD;
    msg.ifindex = iface->ifindex;
    msg.mac = iface->mac;
    msg.mtu = iface->mtu;
    msg.up = iface->up;
    if (strlen(iface->name) < IFNAMSIZ) {
        ovs_strlcpy_arrays(msg.ifname, iface->name);
    }
    put_message(s, &msg);
}

/* Tells of interfaces that have changed.  Where others have come, or have
 * other numbers, all begins anew: what is known by them was lost. */
static void
put_ifaces(struct xf_serving *s)
{
    struct xf_told_iface *old = s->ifaces;
    size_t n_old = s->n_ifaces;

    if (s->seen_changes == s->router->n_changes && !s->must_begin) {
        return;
    }
    s->seen_changes = s->router->n_changes;
    s->ifaces = NULL;
    s->n_ifaces = 0;
    xf_rt_for_each_iface(s->router->rt, add_iface, s);
    for (size_t i = 0; i < s->n_ifaces && !s->must_begin; i++) {
        const struct xf_told_iface *iface = &s->ifaces[i];

        if (n_old != s->n_ifaces || strcmp(iface->name, old[i].name)
            || iface->ifindex != old[i].ifindex) {
            s->must_begin = true;
        } else if (memcmp(iface, &old[i], sizeof *iface)) {
            put_link(s, iface);
        }
    }
    free(old);
}

/* ---- The table. ---- */

/* Begins an epoch. */
static void
begin(struct xf_copies *copies, struct xf_serving *s, long long int now_ms)
{
    struct xf_copy_msg msg = {
        .version = XF_COPY_VERSION,
        .kind = XF_COPY_BEGIN,
        .seed = s->router->ecmp_seed,
        .state = source_state(s->router, now_ms),
    };
    const uint32_t sources[] = { s->router->listener_source,
                                 XF_SOURCE_LEARNED };

    ovs_strlcpy(msg.host, copies->db->host, sizeof msg.host);
    put_copy(s, &msg);
    put_ifaces(s);
    for (size_t i = 0; i < s->n_ifaces; i++) {
        put_link(s, &s->ifaces[i]);
    }
    xf_rt_unfollow(s->follower);
    s->follower = xf_rt_follow(s->router->rt, sources, ARRAY_SIZE(sources));
    s->source = s->router->listener_source;
    s->must_begin = false;
    s->told_end = false;
    s->told_state = 0;
    s->counts.next_ms = now_ms;
    s->counts.is_on = false;
    s->counts.since_ms = 0;
    s->n_begun++;
}

/* All that there is was told: says so, and what it is worth. */
static void
put_end(struct xf_serving *s, long long int now_ms)
{
    enum xf_copy_source_state state = source_state(s->router, now_ms);

    if (state == XF_COPY_WHOLE && !s->told_end) {
        struct xf_wire_msg msg;

        memset(&msg, 0, sizeof msg);
        msg.type = XF_WIRE_END;
        put_message(s, &msg);
        s->told_end = true;
        s->told_state = state;
    } else if (state != s->told_state
               || now_ms - s->sent_ms >= XF_COPY_BEAT_MS) {
        put_state(s, state);
    }
}

/* Puts into the buffer what there is to tell, as far as that has room and time
 * allows. */
static void
tell(struct xf_copies *copies, struct xf_serving *s, long long int now_ms)
{
    long long int start_us = time_usec();
    struct xf_wire_msg msg;

    s->more = true;
    if (room(s) < 4 * MESSAGE_MAX) {
        return;
    }
    put_ifaces(s);
    if (s->must_begin || xf_rt_follow_is_lost(s->follower)
        || s->source != s->router->listener_source) {
        s->must_begin = true;
        begin(copies, s, now_ms);
    }
    memset(&msg, 0, offsetof(struct xf_wire_msg, nexthops));
    msg.ack = false;
    for (int n = 1; room(s) >= MESSAGE_MAX; n++) {
        if (!xf_rt_follow_next(s->follower, &msg)) {
            s->more = false;
            put_end(s, now_ms);
            s->tail += xf_counts_tell(s, s->tx + s->tail, room(s), now_ms);
            return;
        }
        put_message(s, &msg);
        if (!(n % MESSAGES_PER_CLOCK)
            && time_usec() - start_us >= XF_COPY_TURN_US) {
            break;
        }
    }
}

/* Returns 0 or a positive errno: ETIMEDOUT if the other end hasn't read for
 * long, or doesn't read the end of what it is told. */
static int
send_some(struct xf_serving *s, long long int now_ms)
{
    while (s->head < s->tail) {
        int n = stream_send(s->stream, s->tx + s->head, s->tail - s->head);

        if (n == -EAGAIN) {
            break;
        } else if (n <= 0) {
            return n ? -n : EPIPE;
        }
        s->head += n;
        if (!s->is_over) {
            s->sent_ms = now_ms;
        }
    }
    if (s->head) {
        while (s->frame_end < s->head) {
            s->frame_end += xf_wire_frame_size(s->tx + s->frame_end,
                                               s->tail - s->frame_end);
        }
        memmove(s->tx, s->tx + s->head, s->tail - s->head);
        s->tail -= s->head;
        s->frame_end -= s->head;
        s->head = 0;
    }
    return (s->tail && now_ms - s->sent_ms >= XF_COPY_SILENCE_MS
            ? ETIMEDOUT : 0);
}

/* ---- What is heard. ---- */

static const struct xfrec_router *
find_row(const struct xf_copies *copies, const struct uuid *uuid)
{
    return xfrec_router_get_for_uuid(copies->db->idl, uuid);
}

/* Returns NULL if the table of row 'uuid' may be told to 's', or why not. */
static char *
check_row(const struct xf_copies *copies, const struct xf_serving *s)
{
    const struct xfrec_router *row = find_row(copies, &s->uuid);

    if (s->id[0] && strcmp(s->id, s->host)) {
        return xasprintf("your certificate is that of '%s', not of host '%s'",
                         s->id, s->host);
    }
    if (!row || !row->host || !xf_engine_router(copies->engine, row->name)) {
        return xasprintf("router "UUID_FMT" isn't at host %s",
                         UUID_ARGS(&s->uuid), copies->db->host);
    }
    if (strcmp(row->host->name, copies->db->host)) {
        return xasprintf("router %s isn't at host %s but at %s", row->name,
                         copies->db->host, row->host->name);
    }
    if (!row->destination || strcmp(row->destination->name, s->host)) {
        return xasprintf("router %s isn't to move to host '%s'", row->name,
                         s->host);
    }
    return NULL;
}

/* 's' wants the table of a router. */
static void
hear_request(struct xf_copies *copies, struct xf_serving *s,
             const struct xf_copy_msg *msg)
{
    struct xf_serving *other;

    memcpy(&s->uuid, msg->router, sizeof s->uuid);
    ovs_strlcpy_arrays(s->host, msg->host);

    char *why = check_row(copies, s);
    if (why) {
        refuse(s, why);
        return;
    }

    struct xf_router *router = xf_engine_router(
        copies->engine, find_row(copies, &s->uuid)->name);
    /* Not destroyed, as one of them may be next in xf_servings_run(). */
    LIST_FOR_EACH (other, node, &copies->servings) {
        if (other->router == router) {
            stop_telling(other);
            other->tail = other->frame_end = 0;
        }
    }
    VLOG_INFO_RL(&rl, "%s: host %s gets the table of router %s", s->peer,
                 s->host, router->name);
    s->router = router;
    s->must_begin = true;
}

/* Carries out one message.  Returns false if the connection is to be closed at
 * once. */
static bool
hear_message(struct xf_copies *copies, struct xf_serving *s,
             const struct xf_wire_msg *msg)
{
    struct xf_copy_msg copy;

    if (s->router) {
        s->must_begin = s->must_begin || msg->type == XF_WIRE_RESYNC;
        return true;
    }
    if (msg->type != XF_WIRE_COPY
        || xf_copy_decode(msg->body, msg->body_size, &copy)
        || copy.kind != XF_COPY_REQUEST) {
        return false;
    }
    hear_request(copies, s, &copy);
    return true;
}

/* Carries out the messages of a frame. */
static bool
hear_frame(struct xf_copies *copies, struct xf_serving *s, size_t size)
{
    const uint8_t *payload = s->rx + XF_WIRE_HEADER_SIZE;
    size_t left = size - XF_WIRE_HEADER_SIZE;

    while (left && !s->is_over) {
        struct xf_wire_msg msg;

        if (xf_wire_decode(&payload, &left, &msg)
            || !hear_message(copies, s, &msg)) {
            return false;
        }
    }
    return true;
}

/* Reads once.  Returns false if the connection is over. */
static bool
hear(struct xf_copies *copies, struct xf_serving *s)
{
    int n = stream_recv(s->stream, s->rx + s->n_rx, sizeof s->rx - s->n_rx);

    if (n == -EAGAIN) {
        return true;
    } else if (n <= 0) {
        return false;
    }
    s->n_rx += n;
    while (!s->is_over) {
        int size = xf_wire_frame_size(s->rx, s->n_rx);

        if (size < 0 || size > (int) sizeof s->rx) {
            return false;
        } else if (!size || (size_t) size > s->n_rx) {
            return s->n_rx < sizeof s->rx;
        }
        if (!hear_frame(copies, s, size)) {
            return false;
        }
        s->n_rx -= size;
        memmove(s->rx, s->rx + size, s->n_rx);
    }
    return true;
}

/* ---- Running. ---- */

void
xf_servings_check(struct xf_copies *copies)
{
    struct xf_serving *s;

    LIST_FOR_EACH (s, node, &copies->servings) {
        char *why = s->router ? check_row(copies, s) : NULL;

        if (why) {
            dismiss(s, why);
        }
    }
}

void
xf_servings_router_gone(struct xf_copies *copies,
                        const struct xf_router *router)
{
    struct xf_serving *s;

    LIST_FOR_EACH (s, node, &copies->servings) {
        if (s->router == router) {
            dismiss(s, xasprintf("router %s is deleted", router->name));
        }
    }
}

/* Returns false if the connection is over. */
static bool
serving_run(struct xf_copies *copies, struct xf_serving *s,
            long long int now_ms)
{
    stream_run(s->stream);
    if (!s->is_over && !hear(copies, s)) {
        return false;
    }
    if (!s->router && !s->is_over
        && now_ms - s->opened_ms >= XF_COPY_HELLO_MS) {
        return false;
    }
    if (s->router) {
        tell(copies, s, now_ms);
    }
    return !send_some(s, now_ms) && !(s->is_over && !s->tail);
}

void
xf_servings_run(struct xf_copies *copies, long long int now_ms)
{
    struct xf_serving *s;

    for (size_t i = 0; i < copies->n_doors; i++) {
        door_open(copies, &copies->doors[i], now_ms);
        door_run(copies, &copies->doors[i], now_ms);
    }
    LIST_FOR_EACH_SAFE (s, node, &copies->servings) {
        if (!serving_run(copies, s, now_ms)) {
            VLOG_INFO_RL(&rl, "%s: connection of host %s is over", s->peer,
                         s->host[0] ? s->host : "(unnamed)");
            xf_serving_destroy(copies, s);
        }
    }
}

static void
door_wait(const struct xf_copy_door *door)
{
    if (door->tls) {
        xf_tls_wait(door->tls);
    } else if (door->pstream) {
        pstream_wait(door->pstream);
    } else {
        poll_timer_wait_until(door->next_ms);
    }
}

/* While something waits to be sent nothing else is due but the end of
 * patience. */
static void
serving_wait(const struct xf_serving *s)
{
    stream_run_wait(s->stream);
    if (!s->is_over) {
        stream_recv_wait(s->stream);
        if (!s->router) {
            poll_timer_wait_until(s->opened_ms + XF_COPY_HELLO_MS);
        }
    }
    if (s->tail) {
        stream_send_wait(s->stream);
        poll_timer_wait_until(s->sent_ms + XF_COPY_SILENCE_MS);
    } else if (s->is_over || s->more
               || (s->router && s->seen_changes != s->router->n_changes)) {
        poll_immediate_wake();
    } else if (s->router) {
        poll_timer_wait_until(MIN(s->sent_ms + XF_COPY_BEAT_MS,
                                  s->counts.next_ms));
    }
}

void
xf_servings_wait(const struct xf_copies *copies)
{
    const struct xf_serving *s;

    for (size_t i = 0; i < copies->n_doors; i++) {
        door_wait(&copies->doors[i]);
    }
    LIST_FOR_EACH (s, node, &copies->servings) {
        serving_wait(s);
    }
}
