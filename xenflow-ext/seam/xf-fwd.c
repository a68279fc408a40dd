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

#include "seam/xf-fwd.h"

#include <netinet/in.h>
#include <netinet/ip6.h>

#include "cmap.h"
#include "core/rule-table-fib.h"
#include "flow.h"
#include "hash.h"
#include "openvswitch/list.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seam/xf-odp.h"
#include "seam/xf-packet.h"
#include "util.h"

/* ---- A thread's state. ---- */

/* What a next hop means: one of its ways. */
struct way {
    uint8_t verdict;            /* enum xf_verdict. */
    uint8_t reason;             /* enum xf_punt_reason, if XF_PUNT. */
    bool on_link;               /* The destination is the neighbour. */
    uint32_t end;               /* Weights up to this way, it included. */
    struct xf_adj *adj;         /* If XF_FORWARD and not 'on_link'. */
    const struct xf_iface *out; /* If 'on_link'; good for 'version'. */
};

struct next_hop {
    uint32_t version;           /* Of the table when this was looked up. */
    uint32_t n;                 /* Ways. */
    struct way *ways;
};

/* What a thread knows of a router. */
struct xf_fwd_router {
    struct cmap_node node;      /* In struct xf_fwd 'routers'. */
    uint32_t id;
    struct xf_counters counters[XF_RT_N_COUNTED];
    struct next_hop *next_hops; /* By index. */
    size_t n_next_hops;
    struct xf_adj **adjs;       /* By the neighbour's number. */
    size_t n_adjs;
};

struct xf_fwd {
    struct ovs_list list_node;  /* In 'all'. */
    struct cmap routers;        /* struct xf_fwd_router by id. */
    uint32_t n_forgotten;       /* 'all_forgotten' when last swept. */
    void (*release)(struct dp_netdev_flow *);
};

/* All of the process, for those who read counters. */
static struct ovs_mutex all_mutex = OVS_MUTEX_INITIALIZER;
static struct ovs_list all OVS_GUARDED_BY(all_mutex)
    = OVS_LIST_INITIALIZER(&all);
/* What threads that are no more have counted. */
static struct xf_fwd departed OVS_GUARDED_BY(all_mutex)
    = { .routers = CMAP_INITIALIZER };
/* How many routers ceased to be. */
static atomic_uint32_t all_forgotten;

struct xf_fwd *
xf_fwd_create(void (*release)(struct dp_netdev_flow *))
{
    struct xf_fwd *fwd = xzalloc(sizeof *fwd);

    cmap_init(&fwd->routers);
    fwd->release = release;
    atomic_read_relaxed(&all_forgotten, &fwd->n_forgotten);
    ovs_mutex_lock(&all_mutex);
    ovs_list_push_back(&all, &fwd->list_node);
    ovs_mutex_unlock(&all_mutex);
    return fwd;
}

static struct xf_fwd_router *
router_find(const struct xf_fwd *fwd, uint32_t id)
{
    struct xf_fwd_router *r;

    CMAP_FOR_EACH_WITH_HASH (r, node, hash_int(id, 0), &fwd->routers) {
        if (r->id == id) {
            return r;
        }
    }
    return NULL;
}

static struct xf_fwd_router *
router_get(struct xf_fwd *fwd, uint32_t id)
{
    struct xf_fwd_router *r = router_find(fwd, id);

    if (OVS_UNLIKELY(!r)) {
        r = xzalloc(sizeof *r);
        r->id = id;
        cmap_insert(&fwd->routers, &r->node, hash_int(id, 0));
    }
    return r;
}

static void
adj_release(const struct xf_fwd *fwd, struct xf_adj *adj)
{
    for (size_t i = 0; i < ARRAY_SIZE(adj->egress); i++) {
        if (adj->egress[i].flow) {
            fwd->release(adj->egress[i].flow);
            adj->egress[i].flow = NULL;
        }
    }
}

/* Readers of counters may still hold it. */
static void
router_free(struct xf_fwd_router *r)
{
    for (size_t i = 0; i < XF_RT_N_COUNTED; i++) {
        xf_counters_free(&r->counters[i]);
    }
    free(r);
}

static void
router_destroy(struct xf_fwd *fwd, struct xf_fwd_router *r)
{
    for (size_t i = 0; i < r->n_adjs; i++) {
        if (r->adjs[i]) {
            adj_release(fwd, r->adjs[i]);
            free(r->adjs[i]);
        }
    }
    free(r->adjs);
    for (size_t i = 0; i < r->n_next_hops; i++) {
        free(r->next_hops[i].ways);
    }
    free(r->next_hops);
    cmap_remove(&fwd->routers, &r->node, hash_int(r->id, 0));
    ovsrcu_postpone(router_free, r);
}

/* Frees what is kept for routers that are no more. */
static void
sweep(struct xf_fwd *fwd)
{
    struct xf_fwd_router *r;

    CMAP_FOR_EACH (r, node, &fwd->routers) {
        if (!xf_odp_router_find(r->id)) {
            router_destroy(fwd, r);
        }
    }
}

void
xf_fwd_destroy(struct xf_fwd *fwd)
{
    struct xf_fwd_router *r;

    if (!fwd) {
        return;
    }
    ovs_mutex_lock(&all_mutex);
    CMAP_FOR_EACH (r, node, &fwd->routers) {
        if (xf_odp_router_find(r->id)) {
            struct xf_fwd_router *old = router_get(&departed, r->id);

            for (size_t i = 0; i < XF_RT_N_COUNTED; i++) {
                xf_counters_move(&old->counters[i], &r->counters[i]);
            }
        }
        router_destroy(fwd, r);
    }
    ovs_list_remove(&fwd->list_node);
    ovs_mutex_unlock(&all_mutex);
    cmap_destroy(&fwd->routers);
    free(fwd);
}

void
xf_fwd_forget(void)
{
    uint32_t orig;

    ovs_mutex_lock(&all_mutex);
    sweep(&departed);
    ovs_mutex_unlock(&all_mutex);
    atomic_add_relaxed(&all_forgotten, 1, &orig);
}

/* ---- Counters, for other threads. ---- */

static void
reader_add(struct xf_fwd_reader *reader, const struct xf_fwd *fwd,
           uint32_t id, enum xf_rt_counted kind)
{
    const struct xf_fwd_router *r = router_find(fwd, id);

    if (r && reader->n < ARRAY_SIZE(reader->counters)) {
        reader->counters[reader->n++] = &r->counters[kind];
    }
}

void
xf_fwd_reader_init(struct xf_fwd_reader *reader, uint32_t id,
                   enum xf_rt_counted kind)
{
    const struct xf_fwd *fwd;

    reader->n = 0;
    ovs_mutex_lock(&all_mutex);
    reader_add(reader, &departed, id, kind);
    LIST_FOR_EACH (fwd, list_node, &all) {
        reader_add(reader, fwd, id, kind);
    }
    ovs_mutex_unlock(&all_mutex);
}

void
xf_fwd_read(uint32_t number, struct xf_count *count, void *reader_)
{
    const struct xf_fwd_reader *reader = reader_;

    memset(count, 0, sizeof *count);
    for (size_t i = 0; i < reader->n; i++) {
        xf_counters_read(reader->counters[i], number, count);
    }
}

/* ---- Next hops and adjacencies. ---- */

/* Makes '*array' of '*n' elements longer than 'i'; new ones are zeros. */
static void *
grow(void *array, size_t *n, size_t i, size_t size)
{
    size_t new_n = MAX(i + 1, *n + *n / 2 + 8);

    array = xrealloc(array, new_n * size);
    memset((char *) array + *n * size, 0, (new_n - *n) * size);
    *n = new_n;
    return array;
}

/* The adjacency of 'path', which forwards. */
static struct xf_adj *
adj_get(struct xf_fwd *fwd, struct xf_fwd_router *r, const struct xf_path *path,
        uint32_t version)
{
    const struct xf_iface *out = path->out;
    struct xf_adj *adj;

    if (path->neighbor >= r->n_adjs) {
        r->adjs = grow(r->adjs, &r->n_adjs, path->neighbor, sizeof *r->adjs);
    }
    adj = r->adjs[path->neighbor];
    if (!adj) {
        adj = r->adjs[path->neighbor] = xzalloc(sizeof *adj);
        adj->counter = xf_counters_get(&r->counters[XF_RT_NEIGHBORS],
                                       path->neighbor);
    } else if (adj->version == version) {
        return adj;
    }
    adj->version = version;
    if (!eth_addr_equals(adj->dmac, path->dmac)
        || !eth_addr_equals(adj->smac, out->mac)
        || adj->vlan != out->vlan) {
        adj->dmac = path->dmac;
        adj->smac = out->mac;
        adj->vlan = out->vlan;
        adj_release(fwd, adj);
    }
    adj->mtu = out->mtu;
    return adj;
}

static void
way_from_path(struct xf_fwd *fwd, struct xf_fwd_router *r,
              const struct xf_path *path, uint32_t version, struct way *way)
{
    memset(way, 0, sizeof *way);
    way->verdict = path->verdict;
    way->reason = path->reason;
    way->on_link = path->on_link;
    way->out = path->out;
    if (!path->on_link && path->verdict == XF_FORWARD) {
        way->adj = adj_get(fwd, r, path, version);
    }
}

/* Finds out what next hop 'index' means at the version of 'job'. */
static void
next_hop_update(const struct xf_fwd_job *job, uint32_t index)
{
    struct xf_fwd_router *r = job->router;
    struct xf_path paths[XF_NH_MAX];
    struct next_hop *nh;
    uint32_t end = 0;

    if (index >= r->n_next_hops) {
        r->next_hops = grow(r->next_hops, &r->n_next_hops, index,
                            sizeof *r->next_hops);
    }
    nh = &r->next_hops[index];
    nh->n = xf_rt_paths(job->rt, XF_TARGET_NEXTHOP + index, paths);
    nh->ways = xrealloc(nh->ways, nh->n * sizeof *nh->ways);
    for (size_t i = 0; i < nh->n; i++) {
        way_from_path(job->fwd, r, &paths[i], job->version, &nh->ways[i]);
        nh->ways[i].end = end += paths[i].weight;
    }
    nh->version = job->version;
}

/* What 'target' means at the version of 'job'. */
static inline const struct next_hop *
next_hop_get(const struct xf_fwd_job *job, uint32_t target)
{
    uint32_t index = target - XF_TARGET_NEXTHOP;

    if (OVS_UNLIKELY(index >= job->router->n_next_hops
                     || (job->router->next_hops[index].version
                         != job->version))) {
        next_hop_update(job, index);
    }
    return &job->router->next_hops[index];
}

/* ---- Packets. ---- */

static void
get_addrs(const struct xf_packet *p, struct in6_addr *src,
          struct in6_addr *dst)
{
    if (p->family == 4) {
        const struct ip_header *ip
            = ALIGNED_CAST(const struct ip_header *, p->l3);

        in6_addr_set_mapped_ipv4(src, get_16aligned_be32(&ip->ip_src));
        in6_addr_set_mapped_ipv4(dst, get_16aligned_be32(&ip->ip_dst));
    } else {
        const struct ovs_16aligned_ip6_hdr *ip6
            = ALIGNED_CAST(const struct ovs_16aligned_ip6_hdr *, p->l3);

        memcpy(src, &ip6->ip6_src, sizeof *src);
        memcpy(dst, &ip6->ip6_dst, sizeof *dst);
    }
}

/* The hash that chooses among equal next hops.  The flow is what upstream
 * extracts, as in translation. */
static uint32_t
packet_hash(const struct xf_fwd_job *job, const struct xf_packet *p)
{
    struct in6_addr src, dst;
    struct flow flow;

    flow_extract(p->packet, &flow);
    get_addrs(p, &src, &dst);

    bool ports = !(flow.nw_frag & FLOW_NW_FRAG_ANY)
                 && (flow.nw_proto == IPPROTO_TCP
                     || flow.nw_proto == IPPROTO_UDP
                     || flow.nw_proto == IPPROTO_SCTP);
    return xf_flow_hash(job->seed, &src, &dst, flow.nw_proto,
                        ports ? flow.tp_src : 0, ports ? flow.tp_dst : 0);
}

/* Chooses a way by hash threshold (RFC 2992), as xf_rt_lookup() does. */
static inline const struct way *
choose(const struct xf_fwd_job *job, const struct next_hop *nh,
       const struct xf_packet *p)
{
    const struct way *way = nh->ways;

    if (nh->n > 1) {
        uint64_t total = nh->ways[nh->n - 1].end;
        uint32_t point = (packet_hash(job, p) * total) >> 32;

        while (point >= way->end) {
            way++;
        }
    }
    return way;
}

static void
punt(const struct xf_fwd_job *job, const struct xf_packet *p,
     enum xf_punt_reason reason)
{
    struct xf_fwd_result *result = job->result;

    if (xf_odp_punt_admit(job->dp, reason)) {
        result->punts[result->n_punts++] = p;
    } else {
        dp_packet_delete(p->packet);
    }
}

static void
drop(struct xf_fwd_job *job, const struct xf_packet *p)
{
    job->n_dropped++;
    dp_packet_delete(p->packet);
}

static inline void
forward(struct xf_fwd_job *job, struct xf_packet *p, struct xf_adj *adj)
{
    uint8_t fault = xf_packet_fault(p, adj->mtu);

    if (OVS_UNLIKELY(fault != XF_N_PUNT_REASONS)) {
        punt(job, p, fault);
        return;
    }
    xf_packet_rewrite(p, adj->smac, adj->dmac);
    xf_counter_count(adj->counter, p->n_bytes);
    job->n_forwarded++;
    job->n_bytes += p->n_bytes;
    p->adj = adj;
    job->result->packets[job->result->n++] = p;
}

/* Forwards 'p' to the neighbour that is its destination. */
static void
forward_on_link(struct xf_fwd_job *job, struct xf_packet *p,
                const struct way *way)
{
    struct xf_path path = { .out = way->out };
    struct in6_addr src, dst;

    get_addrs(p, &src, &dst);
    xf_rt_path_on_link(job->rt, &dst, &path);
    if (path.verdict == XF_FORWARD) {
        forward(job, p, adj_get(job->fwd, job->router, &path, job->version));
    } else {
        punt(job, p, path.reason);
    }
}

static inline void
carry_out(struct xf_fwd_job *job, struct xf_packet *p, uint64_t value)
{
    uint32_t target = xf_value_target(value);
    const struct way *way;

    if (OVS_UNLIKELY(target < XF_TARGET_NEXTHOP)) {
        if (!value) {
            punt(job, p, XF_PUNT_NO_ROUTE);
        } else if (target == XF_TARGET_DROP) {
            drop(job, p);
        } else {
            punt(job, p, target - XF_TARGET_PUNT);
        }
        return;
    }

    way = choose(job, next_hop_get(job, target), p);
    if (way->on_link) {
        forward_on_link(job, p, way);
    } else if (OVS_LIKELY(way->verdict == XF_FORWARD)) {
        forward(job, p, way->adj);
    } else if (way->verdict == XF_DROP) {
        drop(job, p);
    } else {
        punt(job, p, way->reason);
    }
}

/* Looks packets of one family up. */
static void
look_up(const struct xf_fwd_burst *burst, bool is_v4, uint64_t values[])
{
    const struct xf_fwd_family *family = &burst->families[is_v4];
    const struct xf_fib *fibs[NETDEV_MAX_BURST];
    size_t n = family->n;

    for (size_t i = 0; i < n; i++) {
        fibs[i] = burst->jobs[family->packets[i]->group].fibs[is_v4];
    }
    if (is_v4) {
        xf_fib_lookup_v4(fibs, family->dsts, values, n);
    } else {
        struct in6_addr dsts[NETDEV_MAX_BURST];
        const struct in6_addr *dst6[NETDEV_MAX_BURST];

        for (size_t i = 0; i < n; i++) {
            const struct ovs_16aligned_ip6_hdr *ip6
                = ALIGNED_CAST(const struct ovs_16aligned_ip6_hdr *,
                               family->packets[i]->l3);

            memcpy(&dsts[i], &ip6->ip6_dst, sizeof dsts[i]);
            dst6[i] = &dsts[i];
        }
        xf_fib_lookup_v6(fibs, dst6, values, n);
    }
}

/* Notes the versions of all tables; returns whether any is new. */
static bool
note_versions(struct xf_fwd_burst *burst)
{
    bool changed = false;

    for (size_t i = 0; i < burst->n_jobs; i++) {
        struct xf_fwd_job *job = &burst->jobs[i];

        if (job->router) {
            uint32_t version = xf_rt_version(job->rt);

            changed |= version != job->version;
            job->version = version;
        }
    }
    return changed;
}

/* Carries out what was found for packets of one family. */
static void
carry_out_family(struct xf_fwd_burst *burst, bool is_v4,
                 const uint64_t values[])
{
    const struct xf_fwd_family *family = &burst->families[is_v4];
    struct xf_counter *c[NETDEV_MAX_BURST];

    /* Counters of routes are far apart.  They are fetched while the packets
     * are rewritten. */
    for (size_t i = 0; i < family->n; i++) {
        uint32_t number = xf_value_number(values[i]);
        struct xf_fwd_router *r
            = burst->jobs[family->packets[i]->group].router;

        c[i] = (number ? xf_counters_get(&r->counters[XF_RT_ROUTES], number)
                : NULL);
        OVS_PREFETCH_WRITE(c[i]);
    }
    for (size_t i = 0; i < family->n; i++) {
        struct xf_packet *p = family->packets[i];

        carry_out(&burst->jobs[p->group], p, values[i]);
    }
    for (size_t i = 0; i < family->n; i++) {
        if (c[i]) {
            xf_counter_count(c[i], family->packets[i]->n_bytes);
        }
    }
}

/* ---- Bursts. ---- */

void
xf_fwd_begin(struct xf_fwd_burst *burst, struct xf_fwd *fwd)
{
    uint32_t n_forgotten;

    atomic_read_relaxed(&all_forgotten, &n_forgotten);
    if (OVS_UNLIKELY(fwd->n_forgotten != n_forgotten)) {
        fwd->n_forgotten = n_forgotten;
        sweep(fwd);
    }
    burst->fwd = fwd;
    burst->n_jobs = 0;
    burst->n_packets = 0;
    burst->families[false].n = burst->families[true].n = 0;
    burst->result.n = burst->result.n_punts = 0;
}

void
xf_fwd_group(struct xf_fwd_burst *burst, uint32_t id)
{
    struct xf_fwd_job *job = &burst->jobs[burst->n_jobs++];

    memset(job, 0, sizeof *job);
    job->fwd = burst->fwd;
    job->result = &burst->result;
    job->dp = xf_odp_router_find(id);
    job->rt = job->dp ? xf_odp_router_table(job->dp, &job->seed) : NULL;
    for (int is_v4 = 0; is_v4 < 2; is_v4++) {
        job->fibs[is_v4] = job->rt ? xf_rt_fib(job->rt, is_v4) : NULL;
    }
    if (job->fibs[true]) {
        job->router = router_get(burst->fwd, id);
        job->start = xf_fib_start(job->fibs[true]);
    }
}

void
xf_fwd_refuse(struct xf_fwd_burst *burst, const struct xf_packet *p)
{
    const struct xf_fwd_job *job = &burst->jobs[p->group];

    if (job->router) {
        punt(job, p, p->fault);
    } else {
        /* The flow that led here is about to change. */
        dp_packet_delete(p->packet);
    }
}

void
xf_fwd_finish(struct xf_fwd_burst *burst)
{
    uint64_t values[2][NETDEV_MAX_BURST];

    /* What is kept of a version mustn't meet a route that was stated after
     * it. */
    note_versions(burst);
    do {
        for (int is_v4 = 0; is_v4 < 2; is_v4++) {
            if (burst->families[is_v4].n) {
                look_up(burst, is_v4, values[is_v4]);
            }
        }
        atomic_thread_fence(memory_order_acquire);
    } while (OVS_UNLIKELY(note_versions(burst)));

    for (int is_v4 = 0; is_v4 < 2; is_v4++) {
        if (burst->families[is_v4].n) {
            carry_out_family(burst, is_v4, values[is_v4]);
        }
    }
    for (size_t i = 0; i < burst->n_jobs; i++) {
        struct xf_fwd_job *job = &burst->jobs[i];

        if (job->router) {
            xf_odp_count(job->dp, job->n_forwarded, job->n_bytes,
                         job->n_dropped);
        }
    }
}
