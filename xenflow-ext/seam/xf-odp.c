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

#include "seam/xf-odp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>

#include "cmap.h"
#include "dp-packet.h"
#include "hash.h"
#include "netlink.h"
#include "odp-util.h"
#include "openvswitch/dynamic-string.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seam/xf-hold.h"
#include "seam/xf-packet.h"
#include "timeval.h"
#include "util.h"
#include "xenflow/switch.h"

/* Punts are limited over windows of this length. */
#define LIMIT_WINDOW_MS 100

/* Counters are kept in this many cache lines, spread by thread. */
#define N_SHARDS 8

struct shard {
    PADDED_MEMBERS(CACHE_LINE_SIZE,
        atomic_uint64_t n_forwarded;
        atomic_uint64_t n_forwarded_bytes;
        atomic_uint64_t n_dropped;
        /* Of those forwarded: not by fib actions. */
        atomic_uint64_t n_by_flow;
        atomic_uint64_t n_by_flow_bytes;
    );
};

/* What the datapath knows of a router. */
struct xf_dp_router {
    struct cmap_node node;      /* In 'routers'. */
    uint32_t id;
    atomic_uint32_t punt_rate;  /* Packets per second, 0: unlimited. */
    atomic_llong window_ms;     /* Start of the current limiter window. */
    atomic_uint32_t window_n;   /* Punts passed in it. */
    OVSRCU_TYPE(const struct xf_rt *) rt; /* For fib actions, or NULL. */
    atomic_uint32_t seed;
    atomic_uint64_t n_punted[XF_N_PUNT_REASONS];
    atomic_uint64_t n_limited[XF_N_PUNT_REASONS];
    uint64_t taken, taken_bytes; /* By xf_odp_router_take(): engine's. */
    struct shard shards[N_SHARDS];
};

/* All routers of the process: a datapath action has nothing but an id. */
static struct cmap routers = CMAP_INITIALIZER;
static struct ovs_mutex routers_mutex = OVS_MUTEX_INITIALIZER;

struct xf_dp_router *
xf_odp_router_find(uint32_t id)
{
    struct xf_dp_router *r;

    CMAP_FOR_EACH_WITH_HASH (r, node, hash_int(id, 0), &routers) {
        if (r->id == id) {
            return r;
        }
    }
    return NULL;
}

void
xf_odp_router_add(uint32_t id, uint32_t punt_rate)
{
    ovs_mutex_lock(&routers_mutex);
    struct xf_dp_router *r = xf_odp_router_find(id);
    if (!r) {
        r = xzalloc_cacheline(sizeof *r);
        r->id = id;
        cmap_insert(&routers, &r->node, hash_int(id, 0));
    }
    atomic_store_relaxed(&r->punt_rate, punt_rate);
    ovs_mutex_unlock(&routers_mutex);
}

static void
router_free(struct xf_dp_router *r)
{
    free_cacheline(r);
}

void
xf_odp_router_del(uint32_t id)
{
    ovs_mutex_lock(&routers_mutex);
    struct xf_dp_router *r = xf_odp_router_find(id);
    if (r) {
        cmap_remove(&routers, &r->node, hash_int(id, 0));
        ovsrcu_postpone(router_free, r);
    }
    ovs_mutex_unlock(&routers_mutex);
}

bool
xf_odp_router_stats(uint32_t id, struct xf_dp_stats *stats)
{
    struct xf_dp_router *r = xf_odp_router_find(id);

    memset(stats, 0, sizeof *stats);
    if (!r) {
        return false;
    }
    for (int i = 0; i < N_SHARDS; i++) {
        uint64_t n;

        atomic_read_relaxed(&r->shards[i].n_forwarded, &n);
        stats->n_forwarded += n;
        atomic_read_relaxed(&r->shards[i].n_forwarded_bytes, &n);
        stats->n_forwarded_bytes += n;
        atomic_read_relaxed(&r->shards[i].n_dropped, &n);
        stats->n_dropped += n;
    }
    for (int i = 0; i < XF_N_PUNT_REASONS; i++) {
        atomic_read_relaxed(&r->n_punted[i], &stats->n_punted[i]);
        atomic_read_relaxed(&r->n_limited[i], &stats->n_punt_limited[i]);
    }
    return true;
}

bool
xf_odp_router_take(uint32_t id, uint64_t *n_packets, uint64_t *n_bytes)
{
    struct xf_dp_router *r = xf_odp_router_find(id);
    int64_t packets, bytes;

    if (!r) {
        return false;
    }
    packets = -r->taken;
    bytes = -r->taken_bytes;
    for (int i = 0; i < N_SHARDS; i++) {
        struct shard *s = &r->shards[i];
        uint64_t n;

        atomic_read_relaxed(&s->n_forwarded, &n);
        packets += n;
        atomic_read_relaxed(&s->n_forwarded_bytes, &n);
        bytes += n;
        atomic_read_relaxed(&s->n_by_flow, &n);
        packets -= n;
        atomic_read_relaxed(&s->n_by_flow_bytes, &n);
        bytes -= n;
    }
    if (packets <= 0 || bytes < 0) {
        return false;           /* Nothing, or in the middle of a count. */
    }
    r->taken += *n_packets = packets;
    r->taken_bytes += *n_bytes = bytes;
    return true;
}

void
xf_odp_router_set_table(uint32_t id, const struct xf_rt *rt, uint32_t seed)
{
    ovs_mutex_lock(&routers_mutex);
    struct xf_dp_router *r = xf_odp_router_find(id);
    if (r) {
        atomic_store_relaxed(&r->seed, seed);
        ovsrcu_set(&r->rt, rt);
    }
    ovs_mutex_unlock(&routers_mutex);
}

const struct xf_rt *
xf_odp_router_table(const struct xf_dp_router *r_, uint32_t *seed)
{
    struct xf_dp_router *r = CONST_CAST(struct xf_dp_router *, r_);
    const struct xf_rt *rt = ovsrcu_get(const struct xf_rt *, &r->rt);

    atomic_read_relaxed(&r->seed, seed);
    return rt;
}

/* 'r' may be NULL. */
bool
xf_odp_punt_admit(struct xf_dp_router *r, enum xf_punt_reason reason)
{
    uint64_t orig;
    uint32_t rate, n;

    if (!r) {
        return true;
    }
    atomic_read_relaxed(&r->punt_rate, &rate);
    if (rate && reason != XF_PUNT_LOCAL) {
        long long int now = time_msec();
        long long int start;

        atomic_read_relaxed(&r->window_ms, &start);
        if (now - start >= LIMIT_WINDOW_MS) {
            /* Two threads may both open the window: then a few more pass. */
            atomic_store_relaxed(&r->window_ms, now);
            atomic_store_relaxed(&r->window_n, 0);
        }
        atomic_add_relaxed(&r->window_n, 1, &n);
        if (n >= MAX(1, (uint64_t) rate * LIMIT_WINDOW_MS / 1000)) {
            atomic_add_relaxed(&r->n_limited[reason], 1, &orig);
            return false;
        }
    }
    atomic_add_relaxed(&r->n_punted[reason], 1, &orig);
    return true;
}

/* Counts what was forwarded and dropped. */
void
xf_odp_count(struct xf_dp_router *r, uint64_t n_packets, uint64_t n_bytes,
             uint64_t n_dropped)
{
    struct shard *s = &r->shards[ovsthread_id_self() % N_SHARDS];
    uint64_t orig;

    if (n_packets) {
        atomic_add_relaxed(&s->n_forwarded, n_packets, &orig);
        atomic_add_relaxed(&s->n_forwarded_bytes, n_bytes, &orig);
    }
    if (n_dropped) {
        atomic_add_relaxed(&s->n_dropped, n_dropped, &orig);
    }
}

static void
run_nested(void *dp, struct dp_packet_batch *batch, const struct nlattr *a,
           odp_execute_cb cb)
{
    if (dp_packet_batch_is_empty(batch)) {
        return;
    }
    odp_execute_actions(dp, batch, true, a ? nl_attr_get(a) : NULL,
                        a ? nl_attr_get_size(a) : 0, cb);
}

/* Why 'p' is punted, if the action says 'reason'.  Translation finds no
 * address in a header that contradicts itself and takes that for 0.0.0.0 or
 * "::". */
static enum xf_punt_reason
punt_reason(const struct xf_packet *p, enum xf_punt_reason reason)
{
    return reason == XF_PUNT_SPECIAL && !p->family ? p->fault : reason;
}

/* Splits 'batch': what may be forwarded stays in it, rewritten; what is to be
 * punted moves to 'punts'; the rest is deleted. */
static void
split_batch(struct dp_packet_batch *batch, struct dp_packet_batch *punts,
            struct xf_dp_router *r, const struct xf_odp_spec *spec)
{
    const size_t n = dp_packet_batch_size(batch);
    enum xf_punt_reason reason = spec->reason;
    uint64_t n_packets = 0, n_bytes = 0, n_dropped = 0;
    struct dp_packet *packet;
    size_t i;

    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, batch) {
        struct xf_packet p;

        xf_packet_read(&p, packet);
        if (spec->verdict == XF_FORWARD) {
            reason = xf_packet_fault(&p, spec->mtu);
        }
        if (spec->verdict == XF_FORWARD && reason == XF_N_PUNT_REASONS) {
            xf_packet_rewrite(&p, spec->src, spec->dst);
            n_packets++;
            n_bytes += p.n_bytes;
            dp_packet_batch_refill(batch, packet, i);
        } else if (spec->verdict != XF_DROP
                   && xf_odp_punt_admit(r, punt_reason(&p, reason))) {
            dp_packet_batch_add(punts, packet);
        } else {
            n_dropped += spec->verdict == XF_DROP;
            dp_packet_delete(packet);
        }
    }
    if (r) {
        struct shard *s = &r->shards[ovsthread_id_self() % N_SHARDS];
        uint64_t orig;

        atomic_add_relaxed(&s->n_by_flow, n_packets, &orig);
        atomic_add_relaxed(&s->n_by_flow_bytes, n_bytes, &orig);
        xf_odp_count(r, n_packets, n_bytes, n_dropped);
    }
}

/* Parts of an action. */
struct parts {
    const struct xf_odp_spec *spec;
    const struct nlattr *forward; /* NULL where there is none. */
    const struct nlattr *punt;
    uint32_t recirc_id;
};

/* Finds the parts of 'action'.  False if it isn't well formed. */
static bool
dissect(const struct nlattr *action, struct parts *parts)
{
    const struct nlattr *a;
    size_t left;

    memset(parts, 0, sizeof *parts);
    NL_NESTED_FOR_EACH (a, left, action) {
        switch (nl_attr_type(a)) {
        case XF_ODP_ATTR_SPEC:
            if (nl_attr_get_size(a) == sizeof *parts->spec) {
                parts->spec = nl_attr_get(a);
            }
            break;
        case XF_ODP_ATTR_FORWARD:
            parts->forward = a;
            break;
        case XF_ODP_ATTR_PUNT:
            parts->punt = a;
            break;
        case XF_ODP_ATTR_RECIRC:
            if (nl_attr_get_size(a) == sizeof parts->recirc_id) {
                parts->recirc_id = nl_attr_get_u32(a);
            }
            break;
        }
    }
    return (parts->spec && parts->spec->verdict <= XF_ODP_HOLD
            && parts->spec->reason < XF_N_PUNT_REASONS);
}

/* True if 'action' lets the router's compiled table decide.  Cheap: looks at
 * the first part, which is the specification. */
bool
xf_odp_is_fib(const struct nlattr *action)
{
    const struct nlattr *a = nl_attr_get(action);
    const struct xf_odp_spec *spec = nl_attr_get(a);

    return (nl_attr_get_size(action) >= NLA_HDRLEN + sizeof *spec
            && nl_attr_type(a) == XF_ODP_ATTR_SPEC
            && spec->verdict == XF_ODP_FIB);
}

/* 'action' is one that xf_odp_execute() gave to its callback. */
void
xf_odp_fib_get(const struct nlattr *action, struct xf_odp_fib *fib)
{
    struct parts parts;

    ovs_assert(dissect(action, &parts));
    fib->router = parts.spec->router;
    fib->recirc_id = parts.recirc_id;
    fib->punt = parts.punt;
}

const struct nlattr *
xf_odp_actions(const struct nlattr *action)
{
    static const struct nlattr none = { .nla_len = NLA_HDRLEN };
    struct parts parts;

    if (!dissect(action, &parts) || parts.spec->verdict == XF_ODP_FIB) {
        return &none;
    }
    return parts.forward ? parts.forward : parts.punt ? parts.punt : &none;
}

void
xf_odp_execute(void *dp, struct dp_packet_batch *batch, bool steal,
               const struct nlattr *action, odp_execute_cb cb)
{
    struct dp_packet_batch copies, punts;
    struct parts parts;
    bool valid = dissect(action, &parts);

    if (valid && parts.spec->verdict == XF_ODP_FIB && cb) {
        cb(dp, batch, action, steal);
        return;
    }
    if (!steal) {
        dp_packet_batch_clone(&copies, batch);
        dp_packet_batch_reset_cutlen(batch);
        batch = &copies;
    }
    if (!valid || parts.spec->verdict == XF_ODP_FIB) {
        dp_packet_delete_batch(batch, true);
        return;
    }

    if (parts.spec->verdict == XF_ODP_HOLD) {
        if (!xf_hold_take(parts.spec->router, parts.spec->mtu, batch)) {
            run_nested(dp, batch, parts.punt, cb);
        }
        return;
    }
    dp_packet_batch_init(&punts);
    split_batch(batch, &punts, xf_odp_router_find(parts.spec->router),
                parts.spec);
    run_nested(dp, batch, parts.forward, cb);
    run_nested(dp, &punts, parts.punt, cb);
}

/* ---- Text. ---- */

static void
format_nested(struct ds *ds, const char *name, const struct nlattr *a,
              const struct hmap *portno_names)
{
    if (a) {
        ds_put_format(ds, ",%s(", name);
        format_odp_actions(ds, nl_attr_get(a), nl_attr_get_size(a),
                           portno_names);
        ds_put_char(ds, ')');
    }
}

void
xf_odp_format(struct ds *ds, const struct nlattr *action,
              const struct hmap *portno_names)
{
    const struct xf_odp_spec *spec;
    struct parts parts;

    if (!dissect(action, &parts)) {
        ds_put_cstr(ds, "xenflow(bad)");
        return;
    }
    spec = parts.spec;
    ds_put_format(ds, "xenflow(router=%"PRIu32, spec->router);
    if (spec->verdict == XF_FORWARD) {
        ds_put_format(ds, ",src="ETH_ADDR_FMT",dst="ETH_ADDR_FMT",mtu=%"PRIu16,
                      ETH_ADDR_ARGS(spec->src), ETH_ADDR_ARGS(spec->dst),
                      spec->mtu);
    } else if (spec->verdict == XF_PUNT) {
        ds_put_format(ds, ",reason=%s", xf_punt_reason_name(spec->reason));
    } else if (spec->verdict == XF_ODP_FIB) {
        ds_put_format(ds, ",fib,recirc(%#"PRIx32")", parts.recirc_id);
    } else if (spec->verdict == XF_ODP_HOLD) {
        ds_put_format(ds, ",hold=%"PRIu16, spec->mtu);
    } else {
        ds_put_cstr(ds, ",drop");
    }
    format_nested(ds, "forward", parts.forward, portno_names);
    format_nested(ds, "punt", parts.punt, portno_names);
    ds_put_char(ds, ')');
}

/* Parses ",NAME(actions)" at 's' into attribute 'type' if it is there. */
static int
parse_nested(const char *s, const char *name, uint16_t type,
             xf_odp_parse_list_fn *parse_list,
             struct parse_odp_context *context,
             struct ofpbuf *actions)
{
    size_t len = strlen(name);

    if (s[0] != ',' || strncmp(s + 1, name, len) || s[len + 1] != '(') {
        return 0;
    }

    int n = len + 2;
    size_t ofs = nl_msg_start_nested(actions, type);
    if (!strncmp(s + n, "drop)", 5)) {
        n += 4;                 /* How an empty list is shown. */
    } else {
        int retval = parse_list(context, s + n, actions);
        if (retval < 0) {
            return retval;
        }
        n += retval;
    }
    nl_msg_end_nested(actions, ofs);
    return s[n] == ')' ? n + 1 : -EINVAL;
}

/* Parses what follows "router=N" up to the nested actions. */
static int
parse_spec(const char *s, struct xf_odp_spec *spec, uint32_t *recirc_id)
{
    char name[32];
    int n = -1;

    if (ovs_scan(s, ",src="ETH_ADDR_SCAN_FMT",dst="ETH_ADDR_SCAN_FMT
                 ",mtu=%"SCNu16"%n", ETH_ADDR_SCAN_ARGS(spec->src),
                 ETH_ADDR_SCAN_ARGS(spec->dst), &spec->mtu, &n)) {
        spec->verdict = XF_FORWARD;
        return n;
    } else if (ovs_scan(s, ",reason=%31[-a-z]%n", name, &n)) {
        enum xf_punt_reason reason;

        if (!xf_punt_reason_from_name(name, &reason)) {
            return -EINVAL;
        }
        spec->verdict = XF_PUNT;
        spec->reason = reason;
        return n;
    } else if (ovs_scan(s, ",fib,recirc(%"SCNi32")%n", recirc_id, &n)) {
        spec->verdict = XF_ODP_FIB;
        return n;
    } else if (ovs_scan(s, ",hold=%"SCNu16"%n", &spec->mtu, &n)) {
        spec->verdict = XF_ODP_HOLD;
        return n;
    } else if (!strncmp(s, ",drop", 5)) {
        spec->verdict = XF_DROP;
        return 5;
    }
    return -EINVAL;
}

int
xf_odp_parse(const char *s, xf_odp_parse_list_fn *parse_list,
             struct parse_odp_context *context,
             struct ofpbuf *actions)
{
    static const struct {
        const char *name;
        uint16_t type;
    } lists[] = {
        { "forward", XF_ODP_ATTR_FORWARD },
        { "punt", XF_ODP_ATTR_PUNT },
    };
    struct xf_odp_spec spec;
    uint32_t recirc_id;
    int n = -1;

    memset(&spec, 0, sizeof spec);
    if (!ovs_scan(s, "xenflow(router=%"SCNu32"%n", &spec.router, &n)) {
        return 0;
    }

    int retval = parse_spec(s + n, &spec, &recirc_id);
    if (retval < 0) {
        return retval;
    }
    n += retval;

    size_t ofs = nl_msg_start_nested(actions, OVS_ACTION_ATTR_XENFLOW);
    nl_msg_put_unspec(actions, XF_ODP_ATTR_SPEC, &spec, sizeof spec);
    if (spec.verdict == XF_ODP_FIB) {
        nl_msg_put_u32(actions, XF_ODP_ATTR_RECIRC, recirc_id);
    }
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        retval = parse_nested(s + n, lists[i].name, lists[i].type, parse_list,
                              context, actions);
        if (retval < 0) {
            return retval;
        }
        n += retval;
    }
    nl_msg_end_nested(actions, ofs);
    return s[n] == ')' ? n + 1 : -EINVAL;
}
