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


/* One message of a speaker: what it does to the rule table.
 *
 * A deletion is held until the next message (FRR replaces a route by deleting
 * and adding it): if that adds the same prefix, the addition goes first and
 * only what it didn't replace is deleted, so that no gap opens.
 *
 * What fails in the table is answered with its errno; a deletion of what isn't
 * there isn't worth a line in the log. */

#include <config.h>
#include "engine/speaker-private.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

static struct xf_speaker_ack
msg_ack(const struct xf_wire_msg *msg)
{
    return (struct xf_speaker_ack) {
        .seq = msg->seq,
        .pid = msg->pid,
        .nlmsg_type = msg->nlmsg_type,
        .wanted = msg->ack,
    };
}

/* Takes note of a call of the table that returned 'error' and, if that is
 * nonzero, the sentence 'sentence', which it frees.  Returns 'error'. */
static int
note_result(struct xf_listener *l, int error, char *sentence)
{
    if (!error) {
        l->generation = l->ops->changed(l->aux);
    } else if (error == ENOENT) {
        /* Withdrawn twice: nothing that a log need say. */
        l->stats.n_rejected++;
        free(l->last_error);
        l->last_error = sentence;
    } else {
        l->stats.n_rejected++;
        l->n_failed++;
        xf_speaker_complain(l, sentence);
    }
    return error;
}

/* 'id' of a next hop is one too many: notes that as note_result() does. */
static int
too_many_nexthops(struct xf_listener *l, uint32_t id)
{
    return note_result(l, ENOSPC, xasprintf(
        "next hop id %"PRIu32" is beyond the maximum of %"PRIu32" ids in use; "
        "raise max-nexthops or withdraw next hops", id,
        xf_rt_limits(l->rt)->max_nexthops));
}

/* ---- Routes. ---- */

static int
route_del(struct xf_listener *l, const struct xf_prefix *prefix,
          uint32_t metric)
{
    char *sentence = NULL;
    int error = xf_rt_route_del(l->rt, l->source, prefix, metric, &sentence);

    return note_result(l, error, sentence);
}

static int
route_add(struct xf_listener *l, const struct xf_wire_msg *msg,
          bool replace_prefix)
{
    struct xf_route_spec spec = msg->route;
    char *sentence = NULL;
    int error;

    l->got_route = true;
    if (spec.nhid) {
        xf_speaker_nhids_make_room(l, !xf_speaker_nhid_find(l, spec.nhid));
        spec.nhid = xf_speaker_nhid_get(l, spec.nhid);
        if (!spec.nhid) {
            return too_many_nexthops(l, msg->route.nhid);
        }
    }
    error = xf_rt_route_add(l->rt, l->source, &spec, replace_prefix,
                            &sentence);
    return note_result(l, error, sentence);
}

void
xf_speaker_apply_held(struct xf_listener *l)
{
    struct xf_speaker_held *held = &l->held;

    if (held->valid) {
        held->valid = false;
        xf_speaker_answer(l, &held->ack,
                          route_del(l, &held->prefix, held->metric));
    }
}

/* True if 'msg' adds the prefix whose deletion is held. */
static bool
folds(const struct xf_listener *l, const struct xf_wire_msg *msg)
{
    return (l->held.valid && msg->type == XF_WIRE_ROUTE_ADD
            && l->held.prefix.len == msg->route.prefix.len
            && !memcmp(&l->held.prefix.addr, &msg->route.prefix.addr,
                       sizeof l->held.prefix.addr));
}

/* Carries out the addition 'msg', then what is left of the held deletion. */
static void
fold(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    const struct xf_speaker_ack ack = msg_ack(msg);
    struct xf_speaker_held held = l->held;
    bool any_metric = held.metric == UINT32_MAX;

    l->held.valid = false;
    l->stats.n_folded++;

    int error = route_add(l, msg, any_metric);
    int del_error = 0;
    if (error || (!any_metric && held.metric != msg->route.metric)) {
        del_error = route_del(l, &held.prefix, held.metric);
    }
    xf_speaker_answer(l, &held.ack, del_error);
    xf_speaker_answer(l, &ack, error);
}

static void
hold(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    l->held = (struct xf_speaker_held) {
        .valid = true,
        .prefix = msg->route.prefix,
        .metric = msg->route.metric,
        .until_ms = l->now_ms + XF_SPEAKER_HOLD_MS,
        .ack = msg_ack(msg),
    };
}

/* ---- Next-hop objects. ---- */

static int
nexthop_del(struct xf_listener *l, uint32_t id)
{
    uint32_t table_id = xf_speaker_nhid_find(l, id);
    char *sentence = NULL;
    int error = ENOENT;

    if (table_id) {
        error = xf_rt_nexthop_del(l->rt, l->source, table_id, &sentence);
        xf_speaker_nhid_withdrawn(l, id);
    } else {
        sentence = xasprintf("there is no next hop id %"PRIu32" to withdraw; "
                             "state it first", id);
    }
    return note_result(l, error, sentence);
}

static int
nexthop_set_group(struct xf_listener *l, uint32_t table_id,
                  const struct xf_wire_msg *msg)
{
    struct xf_nexthop_ref members[XF_NH_MAX];
    char *sentence = NULL;
    int error;

    for (size_t i = 0; i < msg->n_members; i++) {
        members[i] = msg->members[i];
        members[i].id = xf_speaker_nhid_get(l, members[i].id);
        if (!members[i].id) {
            return too_many_nexthops(l, msg->members[i].id);
        }
    }
    error = xf_rt_nexthop_set_group(l->rt, l->source, table_id, members,
                                    msg->n_members, &sentence);
    return note_result(l, error, sentence);
}

static int
apply_nexthop(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    char *sentence = NULL;
    int error;

    if (msg->type == XF_WIRE_NEXTHOP_DEL) {
        return nexthop_del(l, msg->nexthop_id);
    }

    size_t n_new = !xf_speaker_nhid_find(l, msg->nexthop_id);
    for (size_t i = 0; i < msg->n_members; i++) {
        n_new += !xf_speaker_nhid_find(l, msg->members[i].id);
    }
    xf_speaker_nhids_make_room(l, n_new);

    uint32_t table_id = xf_speaker_nhid_get(l, msg->nexthop_id);
    if (!table_id) {
        return too_many_nexthops(l, msg->nexthop_id);
    }
    if (msg->type == XF_WIRE_NEXTHOP_GROUP_ADD) {
        return nexthop_set_group(l, table_id, msg);
    }
    if (msg->blackhole) {
        error = xf_rt_nexthop_set_blackhole(l->rt, l->source, table_id,
                                            &sentence);
    } else {
        error = xf_rt_nexthop_set(l->rt, l->source, table_id, msg->nexthops,
                                  msg->n_nexthops, &sentence);
    }
    return note_result(l, error, sentence);
}

/* ---- What belongs to an interface. ---- */

static int
unknown_iface(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    l->n_failed += (msg->type == XF_WIRE_NEIGH_ADD
                    || msg->type == XF_WIRE_ADDR_ADD
                    || msg->type == XF_WIRE_LINK_ADD);
    l->stats.n_unknown_iface++;
    l->conn->guest.n_lost++;
    return ENODEV;
}

static int
apply_neigh(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    const struct xf_iface *iface = xf_rt_iface_by_ifindex(l->rt,
                                                          msg->ifindex);
    char *sentence = NULL;
    int error;

    if (!iface) {
        return unknown_iface(l, msg);
    }
    if (msg->type == XF_WIRE_NEIGH_DEL) {
        error = xf_rt_neigh_del(l->rt, iface->name, &msg->ip, &sentence);
    } else {
        error = xf_rt_neigh_set(l->rt, (msg->permanent ? l->source
                                        : l->neigh_source),
                                iface->name, &msg->ip,
                                msg->mac, (msg->permanent
                                           ? XF_NEIGH_PERMANENT
                                           : XF_NEIGH_REACHABLE),
                                l->now_ms, &sentence);
    }
    return note_result(l, error, sentence);
}

static int
apply_addr(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    const struct xf_iface *iface = xf_rt_iface_by_ifindex(l->rt,
                                                          msg->ifindex);
    uint32_t source = (l->passive && msg->temporary ? l->neigh_source
                       : l->source);
    char *sentence = NULL;
    int error;

    if (!iface) {
        return unknown_iface(l, msg);
    }
    if (msg->type == XF_WIRE_ADDR_DEL) {
        error = xf_rt_addr_del(l->rt, source, iface->name, &msg->ip,
                               msg->prefix_len, &sentence);
    } else {
        error = xf_rt_addr_add(l->rt, source, iface->name, &msg->ip,
                               msg->prefix_len, &sentence);
        if (error == EEXIST) {
            /* Stated again, as a new epoch does. */
            free(sentence);
            return 0;
        }
    }
    return note_result(l, error, sentence);
}

/* Finds the interface that a link is. */
struct link_search {
    const struct xf_listener *l;
    const struct xf_wire_msg *msg;
    const struct xf_iface *best;
    int score;                  /* Of 'best'; two of one score: none. */
};

static bool
consider_link(const struct xf_iface *iface, void *search_)
{
    struct link_search *search = search_;
    const struct xf_wire_msg *msg = search->msg;
    const struct sset *linked = &search->l->conn->linked;
    int score;

    if (eth_addr_is_zero(msg->mac)
        ? iface->ifindex != msg->ifindex
        : !eth_addr_equals(iface->mac, msg->mac)) {
        return true;
    }
    if (iface->ifindex == msg->ifindex) {
        score = 3;
    } else if (!strcmp(iface->name, msg->ifname)) {
        score = 2;
    } else if (!sset_contains(linked, iface->name)) {
        score = 1;
    } else {
        /* Another link of this connection is that interface already: 'msg' is
         * a VLAN or a bridge on top of it, which has the same MAC. */
        return true;
    }
    if (score > search->score) {
        search->best = iface;
        search->score = score;
    } else if (score == search->score) {
        search->best = NULL;
    }
    return true;
}

static int
apply_link(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    struct link_search search = { .l = l, .msg = msg };

    if (msg->type == XF_WIRE_LINK_DEL) {
        search.best = xf_rt_iface_by_ifindex(l->rt, msg->ifindex);
    } else {
        xf_rt_for_each_iface(l->rt, consider_link, &search);
    }
    if (!search.best) {
        return unknown_iface(l, msg);
    }

    struct xf_iface iface = *search.best;
    if (msg->type == XF_WIRE_LINK_DEL) {
        iface.ifindex = 0;
        iface.up = false;
        sset_find_and_delete(&l->conn->linked, iface.name);
    } else {
        iface.ifindex = msg->ifindex;
        iface.up = msg->up;
        if (msg->mtu) {
            iface.mtu = msg->mtu;
        }
        sset_add(&l->conn->linked, iface.name);
    }
    if (iface.ifindex == search.best->ifindex && iface.up == search.best->up
        && iface.mtu == search.best->mtu) {
        return 0;
    }

    char *sentence = NULL;
    int error = xf_rt_iface_update(l->rt, &iface, &sentence);
    if (!error) {
        l->ops->iface_changed(l->aux);
    }
    return note_result(l, error, sentence);
}

/* ---- All. ---- */

/* The speaker's dump is complete: what it didn't state goes.  The answer waits
 * for that. */
static void
apply_end(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    const struct xf_speaker_ack ack = msg_ack(msg);

    if (l->conn->end.wanted) {
        xf_speaker_answer(l, &ack, EBUSY);
        return;
    }
    l->conn->end = ack;
    xf_speaker_sweep(l);
}

/* A message that isn't of the kernel's kinds. */
static void
apply_ours(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    if (msg->type == XF_WIRE_HELLO) {
        xf_speaker_hello(l, msg);
    } else if (msg->type == XF_WIRE_LOAD) {
        xf_speaker_load(l, msg);
    } else if (l->passive && (msg->type == XF_WIRE_COPY
                              || msg->type == XF_WIRE_COUNTS)) {
        l->ops->copy(l->aux, msg);
    }
}

void
xf_speaker_apply(struct xf_listener *l, const struct xf_wire_msg *msg)
{
    const struct xf_speaker_ack ack = msg_ack(msg);
    int error = 0;

    if (folds(l, msg)) {
        fold(l, msg);
        return;
    }
    xf_speaker_apply_held(l);

    switch (msg->type) {
    case XF_WIRE_ROUTE_ADD:
        error = route_add(l, msg, msg->replace && !msg->route.metric);
        break;
    case XF_WIRE_ROUTE_DEL:
        if (msg->nlmsg_type == RTM_DELROUTE) {
            hold(l, msg);
            return;
        }
        /* An addition without a usable next hop. */
        error = route_del(l, &msg->route.prefix, msg->route.metric);
        error = error == ENOENT ? 0 : error;
        break;
    case XF_WIRE_NEXTHOP_ADD:
    case XF_WIRE_NEXTHOP_GROUP_ADD:
    case XF_WIRE_NEXTHOP_DEL:
        error = apply_nexthop(l, msg);
        break;
    case XF_WIRE_NEIGH_ADD:
    case XF_WIRE_NEIGH_DEL:
        error = apply_neigh(l, msg);
        break;
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_ADDR_DEL:
        error = apply_addr(l, msg);
        break;
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
        error = apply_link(l, msg);
        break;
    case XF_WIRE_END:
        apply_end(l, msg);
        return;
    case XF_WIRE_HELLO:
    case XF_WIRE_LOAD:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    case XF_WIRE_NEIGH_USE:     /* Those are for guests. */
    case XF_WIRE_RESYNC:
    case XF_WIRE_IGNORED:
    default:
        apply_ours(l, msg);
        break;
    }
    xf_speaker_answer(l, &ack, error);
}
