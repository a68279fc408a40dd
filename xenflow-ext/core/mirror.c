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
#include "core/mirror.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/mirror-news.h"
#include "core/wire.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

/* Hashes of what the host was told. */
#define TOLD_NOTHING 0
#define TOLD_UNKNOWN 1

/* In the order of sending. */
enum queue {
    Q_LINK_DEL, Q_LINK, Q_ADDR_DEL, Q_ADDR, Q_NEXTHOP, Q_GROUP, Q_NEIGH,
    Q_ROUTE, Q_ROUTE_DEL, Q_NEIGH_DEL, Q_NEXTHOP_DEL, N_QUEUES
};

struct object {
    struct hmap_node node;
    struct ovs_list queue_node; /* In a queue; empty: nothing to send. */
    struct xf_mirror_key key;
    uint64_t told;              /* What the host has: hash or TOLD_*. */
    uint64_t want;              /* What it is to have: hash, TOLD_NOTHING. */
    uint8_t *frame;             /* What to send, if 'want' is a hash. */
    uint32_t read;              /* Last reading that found it. */
    uint32_t touched;           /* Reading during which an event came. */
    uint16_t frame_size;
    bool ambiguous;             /* One of several routes. */
    bool multipath;             /* Several hops in one IPv6 route. */
    bool hidden;                /* XF_MIRROR_NEXTHOP: not reported. */
    bool permanent;             /* NEIGH. */
};

struct xf_mirror {
    struct hmap objects;        /* Of 'struct object'. */
    struct ovs_list queues[N_QUEUES];
    size_t max;
    char management[XF_NAME_MAX]; /* "": none. */
    uint32_t management_ifindex;
    uint32_t reading;           /* Number of the current or last one. */
    bool is_reading;
    bool reread;
    struct xf_mirror_stats stats;
};

/* ---- Life. ---- */

struct xf_mirror *
xf_mirror_create(const char *management, size_t max)
{
    struct xf_mirror *m = xzalloc(sizeof *m);

    hmap_init(&m->objects);
    for (int i = 0; i < N_QUEUES; i++) {
        ovs_list_init(&m->queues[i]);
    }
    m->max = max;
    m->reading = 1;
    ovs_strlcpy(m->management, management ? management : "",
                sizeof m->management);
    return m;
}

/* Takes 'object' out of its queue, if it is in one. */
static void
unqueue(struct xf_mirror *m, struct object *object)
{
    if (!ovs_list_is_empty(&object->queue_node)) {
        ovs_list_remove(&object->queue_node);
        ovs_list_init(&object->queue_node);
        m->stats.n_waiting--;
    }
    free(object->frame);
    object->frame = NULL;
}

static void
object_destroy(struct xf_mirror *m, struct object *object)
{
    unqueue(m, object);
    hmap_remove(&m->objects, &object->node);
    free(object);
}

void
xf_mirror_clear(struct xf_mirror *m)
{
    struct object *object;

    HMAP_FOR_EACH_SAFE (object, node, &m->objects) {
        object_destroy(m, object);
    }
    m->management_ifindex = 0;
    m->is_reading = false;
    m->reread = false;
}

void
xf_mirror_destroy(struct xf_mirror *m)
{
    if (m) {
        xf_mirror_clear(m);
        hmap_destroy(&m->objects);
        free(m);
    }
}

void
xf_mirror_restate(struct xf_mirror *m)
{
    struct object *object;

    HMAP_FOR_EACH (object, node, &m->objects) {
        if (object->told != TOLD_NOTHING) {
            object->told = TOLD_UNKNOWN;
        }
    }
}

/* ---- Objects. ---- */

static uint32_t
key_hash(const struct xf_mirror_key *key)
{
    return hash_bytes(key, sizeof *key, 0);
}

static struct object *
find(const struct xf_mirror *m, const struct xf_mirror_key *key)
{
    struct object *object;

    HMAP_FOR_EACH_WITH_HASH (object, node, key_hash(key), &m->objects) {
        if (!memcmp(&object->key, key, sizeof *key)) {
            return object;
        }
    }
    return NULL;
}

/* Finds or makes the object of 'key'; NULL if there are too many. */
static struct object *
get(struct xf_mirror *m, const struct xf_mirror_key *key)
{
    struct object *object = find(m, key);

    if (!object) {
        if (hmap_count(&m->objects) >= m->max) {
            m->stats.n_refused++;
            return NULL;
        }
        object = xzalloc(sizeof *object);
        object->key = *key;
        ovs_list_init(&object->queue_node);
        hmap_insert(&m->objects, &object->node, key_hash(key));
    }
    return object;
}

/* ---- What the host is to have. ---- */

static enum queue
choose_queue(const struct object *object, bool is_group)
{
    bool del = object->want == TOLD_NOTHING;

    switch ((enum xf_mirror_kind) object->key.kind) {
    case XF_MIRROR_LINK:
        return del ? Q_LINK_DEL : Q_LINK;
    case XF_MIRROR_ADDR:
        return del ? Q_ADDR_DEL : Q_ADDR;
    case XF_MIRROR_NEXTHOP:
        return del ? Q_NEXTHOP_DEL : is_group ? Q_GROUP : Q_NEXTHOP;
    case XF_MIRROR_NEIGH:
        return del ? Q_NEIGH_DEL : Q_NEIGH;
    case XF_MIRROR_ROUTE:
    default:
        return del ? Q_ROUTE_DEL : Q_ROUTE;
    }
}

/* Puts 'object' at the end of queue 'q'. */
static void
enqueue(struct xf_mirror *m, struct object *object, enum queue q)
{
    if (!ovs_list_is_empty(&object->queue_node)) {
        m->stats.n_coalesced++;
        ovs_list_remove(&object->queue_node);
        m->stats.n_waiting--;
    }
    ovs_list_push_back(&m->queues[q], &object->queue_node);
    m->stats.n_waiting++;
}

/* The host is to have nothing of 'object'. */
static void
withdraw(struct xf_mirror *m, struct object *object)
{
    object->want = TOLD_NOTHING;
    object->ambiguous = object->multipath = false;
    if (object->told != TOLD_NOTHING) {
        free(object->frame);
        object->frame = NULL;
        enqueue(m, object, choose_queue(object, false));
        return;
    }
    if (!ovs_list_is_empty(&object->queue_node)) {
        m->stats.n_coalesced++;
        unqueue(m, object);
    }
    if (!m->is_reading) {
        object_destroy(m, object);
    }
}

/* The host is to have 'msg' of 'object'.  'confirm': also if it has. */
static void
state(struct xf_mirror *m, struct object *object,
      const struct xf_wire_msg *msg, bool confirm)
{
    static const size_t capacity = 16384;   /* A route has XF_NH_MAX hops. */
    uint8_t *frame = xmalloc(capacity);
    size_t size = xf_wire_encode(msg, frame, capacity);

    if (!size) {
        m->stats.n_unsupported++;
        free(frame);
        withdraw(m, object);
        return;
    }

    uint64_t hash = ((uint64_t) hash_bytes(frame, size, 1) << 32
                     | hash_bytes(frame, size, 2));
    hash = MAX(hash, TOLD_UNKNOWN + 1);
    object->want = hash;
    if (hash == object->told && !confirm) {
        free(frame);
        if (!ovs_list_is_empty(&object->queue_node)) {
            m->stats.n_coalesced++;
        }
        unqueue(m, object);
        return;
    }
    free(object->frame);
    object->frame = xrealloc(frame, size);
    object->frame_size = size;
    enqueue(m, object, choose_queue(
        object, msg->type == XF_WIRE_NEXTHOP_GROUP_ADD));
}

/* ---- What isn't reported. ---- */

/* Leaves out next hops on the management interface. */
static void
strip_nexthops(const struct xf_mirror *m, struct xf_wire_msg *msg)
{
    size_t n = 0;

    for (size_t i = 0; i < msg->n_nexthops; i++) {
        if (msg->nexthops[i].ifindex != m->management_ifindex) {
            msg->nexthops[n++] = msg->nexthops[i];
        }
    }
    msg->n_nexthops = n;
    if (msg->route.n_nexthops) {
        msg->route.n_nexthops = n;
    }
}

/* Follows the name of the management interface. */
static bool
is_management_link(struct xf_mirror *m, const struct xf_wire_msg *msg)
{
    bool named = (m->management[0]
                  && !strcmp(msg->ifname, m->management)
                  && msg->type == XF_WIRE_LINK_ADD);

    if (named && m->management_ifindex != msg->ifindex) {
        m->management_ifindex = msg->ifindex;
        m->reread |= !m->is_reading;
    } else if (!named && m->management_ifindex == msg->ifindex) {
        /* It is gone, or is called otherwise now. */
        m->management_ifindex = 0;
        m->reread = true;
        return msg->type == XF_WIRE_LINK_DEL;
    }
    return named;
}

static bool
is_hidden_route(struct xf_mirror *m, struct xf_mirror_news *news)
{
    struct xf_wire_msg *msg = &news->msg;
    bool had_hops = msg->n_nexthops > 0;

    if (msg->route.prefix.len
        && xf_mirror_is_link_only(&msg->route.prefix.addr)) {
        return true;
    }
    if (!m->management_ifindex) {
        return false;
    }
    if (msg->route.nhid) {
        const struct xf_mirror_key key = {
            .kind = XF_MIRROR_NEXTHOP,
            .id = msg->route.nhid,
        };
        const struct object *nexthop = find(m, &key);

        if (nexthop && nexthop->hidden) {
            return true;
        }
    }
    strip_nexthops(m, msg);
    return (news->oif == m->management_ifindex
            || (had_hops && !msg->n_nexthops));
}

/* True if the host is not to know of the object. */
static bool
is_hidden(struct xf_mirror *m, struct xf_mirror_news *news)
{
    struct xf_wire_msg *msg = &news->msg;

    switch ((enum xf_mirror_kind) news->key.kind) {
    case XF_MIRROR_LINK:
        return is_management_link(m, msg);
    case XF_MIRROR_ADDR:
    case XF_MIRROR_NEIGH:
        return m->management_ifindex && msg->ifindex == m->management_ifindex;
    case XF_MIRROR_NEXTHOP:
        return (m->management_ifindex && msg->n_nexthops
                && msg->nexthops[0].ifindex == m->management_ifindex);
    case XF_MIRROR_ROUTE:
    default:
        return is_hidden_route(m, news);
    }
}

/* ---- Events. ---- */

/* An event deletes 'object', or part of it. */
static void
delete_event(struct xf_mirror *m, struct object *object,
             const struct xf_mirror_news *news)
{
    bool is_v6 = !xf_addr_is_v4(&object->key.ip);

    if (object->key.kind == XF_MIRROR_ROUTE && news->type == RTM_DELROUTE
        && (object->ambiguous || (is_v6 && object->multipath
                                  && !news->has_multipath
                                  && !news->has_nhid))) {
        /* Another route of that name may be left, or other hops. */
        m->reread = true;
        return;
    }
    if (xf_mirror_news_is_collected(news)) {
        m->stats.n_collected++;
        if (ovs_list_is_empty(&object->queue_node) && !m->is_reading) {
            object_destroy(m, object);
        }
        return;
    }
    withdraw(m, object);
}

/* An event states 'object' while 'want' was something else, or nothing. */
static void
add_event(struct xf_mirror *m, struct object *object,
          const struct xf_mirror_news *news)
{
    uint64_t before = object->want;
    bool confirm = object->key.kind == XF_MIRROR_NEIGH && news->msg.confirmed;

    if (object->key.kind == XF_MIRROR_ROUTE && before != TOLD_NOTHING
        && news->flags & NLM_F_APPEND && xf_addr_is_v4(&object->key.ip)) {
        /* Another route of that name, behind the one that is used. */
        object->ambiguous = true;
        return;
    }
    object->multipath = news->msg.n_nexthops > 1;
    object->permanent = news->msg.permanent;
    state(m, object, &news->msg, confirm);
    if (object->want != before) {
        if (object->key.kind == XF_MIRROR_LINK) {
            m->reread = true;
        } else if (object->key.kind == XF_MIRROR_ROUTE
                   && before != TOLD_NOTHING
                   && !(news->flags & NLM_F_REPLACE)) {
            object->ambiguous = true;
            m->reread = true;
        }
    }
}

void
xf_mirror_event(struct xf_mirror *m, const void *nlmsg, size_t size)
{
    struct xf_mirror_news news;
    struct object *object;

    m->stats.n_events++;
    if (!xf_mirror_news_decode(nlmsg, size, &news,
                               &m->stats.n_unsupported)) {
        return;
    }

    bool hidden = is_hidden(m, &news);
    bool del = hidden || xf_mirror_news_is_deletion(&news);
    m->stats.n_hidden += hidden;
    if (del && !hidden && news.key.kind != XF_MIRROR_ROUTE
        && news.key.kind != XF_MIRROR_NEIGH) {
        m->reread = true;       /* Routes may have gone with it, unsaid. */
    }
    /* While the kernel is read, a dump may say of the object what was before:
     * remember that there was an event. */
    object = (del && !m->is_reading
              && !(hidden && news.key.kind == XF_MIRROR_NEXTHOP)
              ? find(m, &news.key) : get(m, &news.key));
    if (!object) {
        return;
    }
    object->touched = m->reading;
    object->read = m->reading;
    if (news.key.kind == XF_MIRROR_NEXTHOP) {
        object->hidden = hidden && news.msg.type != XF_WIRE_NEXTHOP_DEL;
        if (object->hidden && object->told == TOLD_NOTHING) {
            return;
        }
    }
    if (del) {
        delete_event(m, object, &news);
    } else {
        add_event(m, object, &news);
    }
}

/* ---- Readings. ---- */

void
xf_mirror_read_begin(struct xf_mirror *m)
{
    m->reading++;
    m->is_reading = true;
}

void
xf_mirror_read(struct xf_mirror *m, const void *nlmsg, size_t size)
{
    struct xf_mirror_news news;

    m->stats.n_dumped++;
    if (!xf_mirror_news_decode(nlmsg, size, &news,
                               &m->stats.n_unsupported)) {
        return;
    }

    bool hidden = is_hidden(m, &news);
    m->stats.n_hidden += hidden;
    if (hidden && news.key.kind != XF_MIRROR_NEXTHOP) {
        return;                 /* If the host has it, it is swept. */
    }
    bool del = xf_mirror_news_is_deletion(&news);
    struct object *object = del ? find(m, &news.key) : get(m, &news.key);
    if (!object || object->touched == m->reading) {
        return;
    }
    object->hidden = hidden;
    if (hidden) {
        object->read = m->reading;
        if (object->told != TOLD_NOTHING) {
            withdraw(m, object);
        }
        return;
    }
    if (object->read == m->reading) {
        /* A second route of that name, behind the first, which is used. */
        object->ambiguous = true;
        return;
    }
    object->read = m->reading;
    object->ambiguous = false;
    if (del) {
        withdraw(m, object);
        return;
    }
    object->multipath = news.msg.n_nexthops > 1;
    object->permanent = news.msg.permanent;
    state(m, object, &news.msg, false);
}

void
xf_mirror_read_end(struct xf_mirror *m, bool complete)
{
    struct object *object;

    m->is_reading = false;
    HMAP_FOR_EACH_SAFE (object, node, &m->objects) {
        bool waits = !ovs_list_is_empty(&object->queue_node);

        if (object->read != m->reading && complete) {
            if (object->key.kind == XF_MIRROR_NEIGH && !object->permanent) {
                /* Collected as garbage, as far as one can know. */
                if (!waits) {
                    object_destroy(m, object);
                }
            } else {
                m->stats.n_swept++;
                withdraw(m, object);
            }
        } else if (object->want == TOLD_NOTHING && !waits
                   && object->told == TOLD_NOTHING && !object->hidden) {
            object_destroy(m, object);
        }
    }
}

bool
xf_mirror_take_reread(struct xf_mirror *m)
{
    bool reread = m->reread;

    m->reread = false;
    return reread;
}

/* ---- Sending. ---- */

/* Encodes the deletion of 'object'. */
static size_t
encode_deletion(const struct object *object, void *buffer)
{
    struct xf_wire_msg *msg = xzalloc(sizeof *msg);
    const struct xf_mirror_key *key = &object->key;
    size_t size;

    switch ((enum xf_mirror_kind) key->kind) {
    case XF_MIRROR_LINK:
        msg->type = XF_WIRE_LINK_DEL;
        msg->ifindex = key->id;
        break;
    case XF_MIRROR_ADDR:
        msg->type = XF_WIRE_ADDR_DEL;
        msg->ifindex = key->id;
        msg->ip = key->ip;
        msg->prefix_len = key->len;
        break;
    case XF_MIRROR_NEXTHOP:
        msg->type = XF_WIRE_NEXTHOP_DEL;
        msg->nexthop_id = key->id;
        break;
    case XF_MIRROR_NEIGH:
        msg->type = XF_WIRE_NEIGH_DEL;
        msg->ifindex = key->id;
        msg->ip = key->ip;
        break;
    case XF_MIRROR_ROUTE:
    default:
        msg->type = XF_WIRE_ROUTE_DEL;
        msg->route.type = key->local ? XF_ROUTE_LOCAL : XF_ROUTE_UNICAST;
        msg->route.prefix.addr = key->ip;
        msg->route.prefix.len = key->len;
        /* Always said: its absence would mean every metric. */
        msg->route.metric = key->id;
        break;
    }
    size = xf_wire_encode(msg, buffer, XF_WIRE_MAX_FRAME);
    free(msg);
    return size;
}

size_t
xf_mirror_next(struct xf_mirror *m, void *buffer)
{
    for (int i = 0; i < N_QUEUES; i++) {
        if (ovs_list_is_empty(&m->queues[i])) {
            continue;
        }

        struct object *object = CONTAINER_OF(ovs_list_front(&m->queues[i]),
                                             struct object, queue_node);
        size_t size;

        object->told = object->want;
        if (object->want == TOLD_NOTHING) {
            size = encode_deletion(object, buffer);
            unqueue(m, object);
            if (!m->is_reading && !object->hidden) {
                object_destroy(m, object);
            }
        } else {
            size = object->frame_size;
            memcpy(buffer, object->frame, size);
            unqueue(m, object);
        }
        ovs_assert(size);
        m->stats.n_sent++;
        return size;
    }
    return 0;
}

bool
xf_mirror_is_empty(const struct xf_mirror *m)
{
    return !m->stats.n_waiting;
}

void
xf_mirror_get_stats(const struct xf_mirror *m, struct xf_mirror_stats *stats)
{
    *stats = m->stats;
    stats->n_objects = hmap_count(&m->objects);
}

uint32_t
xf_mirror_management(const struct xf_mirror *m)
{
    return m->management_ifindex;
}
