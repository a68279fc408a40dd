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

#include "engine/engine-private.h"

#include <netinet/in.h>
#include <netinet/ip6.h>

#include <errno.h>

#include "dp-packet.h"
#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_neigh);

/* Neighbour life.
 * ===============
 *
 * The traffic doesn't pass the guest, so the guest's kernel thinks that nobody
 * uses its neighbours.  Their life is kept here.
 *
 * News: translation threads tell of addresses that they don't find in the
 * table (xf_engine_neigh_news()).  The engine's thread asks the table again,
 * since much may have changed, and learns.
 *
 * Once a second each router's neighbours are looked through:
 *
 *                      answer, or any ARP/ND of it
 *                 +-------------------------------------+
 *                 v                                     |
 *    news --> REACHABLE --'reachable' over, and used--> PROBE
 *                 |                        or gateway   |
 *                 |'reachable' x 20 over, not used      | 3 unicast and 1
 *                 v                                     v broadcast request
 *               gone                                  gone
 *
 * Where a guest daemon is connected, it is told first that the neighbour is in
 * use, and has a second to let its kernel probe it: so the kernel's table
 * stays in step with the traffic that the kernel doesn't see.  What the daemon says
 * of dynamic neighbours is news as ARP is; their life stays here.
 *
 * A neighbour in PROBE is used like one in REACHABLE.  When it is gone, its
 * packets are punted again and the guest resolves it.  Gateways of routes that
 * have no neighbour are asked for, at growing intervals, so that the first
 * packet finds its MAC.
 *
 * Source: RFC 826, RFC 4861 7.3; there is no DELAY state since no upper layer
 * tells of progress here. */

#define SCAN_MS 1000            /* Between two scans of a router. */
#define SCAN_GRID_MS 250        /* They begin at multiples of this: so many
                                 * routers wake the thread seldom, yet don't
                                 * send all their requests at once. */
#define PROBE_MS 1000           /* RFC 4861 RETRANS_TIMER. */
#define N_UNICAST 3             /* RFC 4861 MAX_UNICAST_SOLICIT. */
#define N_BROADCAST 1           /* Before a neighbour is given up. */
#define UNUSED_FACTOR 20        /* Times 'reachable': unused ones stay. */
#define WANT_MIN_MS 1000        /* Asking for gateways: first interval, */
#define WANT_MAX_MS 60000       /* and longest. */
#define WANTED_MAX 256          /* Gateways looked at in one scan. */
#define REQUESTS_PER_SCAN 256   /* Of one router. */
#define NEWS_MAX 4096           /* In the queue. */
#define NEWS_PER_MS 1           /* Of one router, */
#define NEWS_BURST 4096         /* and at once. */

/* News on its way to the engine's thread. */
struct xf_news {
    struct mpsc_queue_node node;
    uint32_t router_id;
    char iface[XF_NAME_MAX];
    struct in6_addr ip;
    struct eth_addr mac;
    bool own;
};

/* An address that is being asked for. */
struct xf_ask {
    struct hmap_node node;      /* In router's 'asks'. */
    char iface[XF_NAME_MAX];
    struct in6_addr ip;
    unsigned int n_sent;
    long long int next_ms;      /* When to ask again. */
    bool told;                  /* The guest daemon is to ask first. */
    bool wanted;                /* A gateway without a neighbour, not a
                                 * neighbour that is probed. */
    bool seen;                  /* In this scan. */
};

/* ---- News: any thread. ---- */

/* See engine/engine.h. */
void
xf_engine_neigh_news(struct xf_engine *engine, uint32_t router_id,
                     const struct xf_iface *iface, const struct in6_addr *ip,
                     struct eth_addr mac, bool own)
{
    unsigned int n = atomic_count_inc(&engine->n_news);

    if (n >= NEWS_MAX) {
        uint64_t orig;

        atomic_count_dec(&engine->n_news);
        atomic_add_relaxed(&engine->n_news_dropped, UINT64_C(1), &orig);
        return;
    }

    struct xf_news *news = xmalloc(sizeof *news);
    news->router_id = router_id;
    ovs_strlcpy_arrays(news->iface, iface->name);
    news->ip = *ip;
    news->mac = mac;
    news->own = own;
    mpsc_queue_insert(&engine->news, &news->node);
    if (!n) {
        /* Otherwise it is awake: see xf_neigh_wait(). */
        xf_engine_wake(engine);
    }
}

/* ---- News: engine's thread. ---- */

static struct xf_news *
next_news(struct xf_engine *engine)
{
    struct mpsc_queue_node *node;

    mpsc_queue_acquire(&engine->news);
    node = mpsc_queue_pop(&engine->news);
    mpsc_queue_release(&engine->news);
    if (!node) {
        return NULL;
    }
    atomic_count_dec(&engine->n_news);
    return CONTAINER_OF(node, struct xf_news, node);
}

/* Notes that a limit refused something; 'error' is freed. */
static void
refused(struct xf_router *router, char *error)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

    router->n_refused++;
    VLOG_WARN_RL(&rl, "router %s: not learned: %s", router->name,
                 error ? error : "too much at once");
    free(error);
}

static bool
count_learned(const struct xf_addr_info *info, void *n_)
{
    size_t *n = n_;

    *n += info->source == XF_SOURCE_LEARNED;
    return true;
}

/* Learns that 'ip' is an address of the router itself.  A guest may claim at
 * most half of the table's addresses in this way: the rest is the operator's
 * and the speaker's. */
static void
learn_own(struct xf_router *router, const struct xf_iface *iface,
          const struct in6_addr *ip, long long int now_ms)
{
    char *error = NULL;
    size_t n = 0;

    xf_rt_for_each_addr(router->rt, count_learned, &n);
    if (n >= xf_rt_limits(router->rt)->max_addresses / 2) {
        refused(router, xasprintf("own address on port %s: half of "
                                  "max-addresses is used by learned ones",
                                  iface->name));
        return;
    }
    if (xf_rt_addr_add(router->rt, XF_SOURCE_LEARNED, iface->name, ip,
                       xf_addr_bits(ip), &error)) {
        refused(router, error);
        return;
    }
    /* It was heard: notes when. */
    xf_rt_neigh_hear(router->rt, iface, ip, iface->mac, now_ms);
    xf_router_table_changed(router);
}

/* See engine-private.h. */
int
xf_neigh_set(struct xf_router *router, uint32_t source, const char *iface,
             const struct in6_addr *ip, struct eth_addr mac,
             enum xf_neighbor_state state, long long int now_ms,
             char **errorp)
{
    long long int used_ms = now_ms - router->config.reachable_ms;
    int error = xf_rt_neigh_set(router->rt, source, iface, ip, mac, state,
                                now_ms, errorp);

    if (error == ENOSPC && xf_rt_neigh_evict(router->rt, used_ms)) {
        free(*errorp);
        *errorp = NULL;
        router->n_evicted++;
        error = xf_rt_neigh_set(router->rt, source, iface, ip, mac, state,
                                now_ms, errorp);
    }
    return error;
}

/* Learns that 'ip' is at 'mac'. */
static void
learn_neighbor(struct xf_router *router, const struct xf_iface *iface,
               const struct in6_addr *ip, struct eth_addr mac,
               long long int now_ms)
{
    char *error = NULL;

    if (xf_neigh_set(router, XF_SOURCE_LEARNED, iface->name, ip, mac,
                     XF_NEIGH_REACHABLE, now_ms, &error)) {
        refused(router, error);
        return;
    }
    router->n_learned++;
    xf_router_table_changed(router);
}

/* When the router itself used its address last. */
struct heard_aux {
    const struct xf_iface *iface;
    struct in6_addr ip;
    long long int heard_ms;
};

static bool
find_heard(const struct xf_addr_info *info, void *aux_)
{
    struct heard_aux *aux = aux_;

    if (!strcmp(info->iface, aux->iface->name)
        && ipv6_addr_equals(&info->addr, &aux->ip)) {
        aux->heard_ms = info->heard_ms;
    }
    return true;
}

/* Another station says that 'ip' is its own, which was learned to be the
 * router's: it has moved, unless the router used it within the reachable
 * time. */
static void
learn_moved(struct xf_router *router, const struct xf_iface *iface,
            const struct in6_addr *ip, struct eth_addr mac,
            long long int now_ms)
{
    struct heard_aux aux = { .iface = iface, .ip = *ip };

    xf_rt_for_each_addr(router->rt, find_heard, &aux);
    if (now_ms - aux.heard_ms >= router->config.reachable_ms
        && !xf_rt_addr_del(router->rt, XF_SOURCE_LEARNED, iface->name, ip,
                           xf_addr_bits(ip), NULL)) {
        learn_neighbor(router, iface, ip, mac, now_ms);
        xf_router_table_changed(router);
    }
}

/* Carries out 'news', if the table still agrees. */
static void
learn(struct xf_engine *engine, const struct xf_news *news,
      long long int now_ms)
{
    struct xf_router *router = xf_engine_router_by_id(engine,
                                                      news->router_id);
    const struct xf_iface *iface
        = router ? xf_rt_iface_by_name(router->rt, news->iface) : NULL;
    if (!iface) {
        return;
    }
    if (!token_bucket_withdraw(&router->news_bucket, 1)) {
        refused(router, NULL);
        return;
    }

    switch (xf_rt_neigh_hear(router->rt, iface, &news->ip, news->mac,
                             now_ms)) {
    case XF_NEIGH_NEW:
        learn_neighbor(router, iface, &news->ip, news->mac, now_ms);
        break;
    case XF_NEIGH_MOVED:
        learn_moved(router, iface, &news->ip, news->mac, now_ms);
        break;
    case XF_NEIGH_OWN:
        if (news->own) {
            learn_own(router, iface, &news->ip, now_ms);
        }
        break;
    case XF_NEIGH_KNOWN:
    case XF_NEIGH_IGNORE:
    default:
        break;
    }
}

/* Frees the news that wait (when no thread posts any more). */
void
xf_neigh_drain(struct xf_engine *engine)
{
    struct xf_news *news;

    while ((news = next_news(engine)) != NULL) {
        free(news);
    }
}

/* ---- Requests. ---- */

/* The address of an interface from which a neighbour is asked. */
struct src_aux {
    const struct xf_iface *iface;
    struct in6_addr target;
    struct in6_addr src;
    int rank;                   /* Of 'src', 0: none yet. */
};

static bool
is_linklocal(const struct in6_addr *a)
{
    return IN6_IS_ADDR_LINKLOCAL(a);
}

/* How good an address of the interface is as source for 'aux->target': 3 in
 * its subnet, 2 same scope, 1 same family, 0 none. */
static int
rank_source(const struct src_aux *aux, const struct xf_addr_info *info)
{
    unsigned int ofs = 128 - xf_addr_bits(&info->addr);

    if (strcmp(info->iface, aux->iface->name)
        || xf_addr_is_v4(&info->addr) != xf_addr_is_v4(&aux->target)) {
        return 0;
    }

    struct in6_addr mask = ipv6_create_mask(info->prefix_len + ofs);
    struct in6_addr a = ipv6_addr_bitand(&info->addr, &mask);
    struct in6_addr b = ipv6_addr_bitand(&aux->target, &mask);
    return (ipv6_addr_equals(&a, &b) ? 3
            : is_linklocal(&info->addr) == is_linklocal(&aux->target) ? 2
            : 1);
}

static bool
consider_source(const struct xf_addr_info *info, void *aux_)
{
    struct src_aux *aux = aux_;
    int rank = rank_source(aux, info);

    if (rank > aux->rank) {
        aux->rank = rank;
        aux->src = info->addr;
    }
    return true;
}

/* Composes a neighbour solicitation; to 'dst' if that isn't null. */
static void
compose_ns(struct dp_packet *packet, const struct src_aux *aux,
           const struct eth_addr *dst)
{
    compose_nd_ns(packet, aux->iface->mac, &aux->src, &aux->target);
    if (dst) {
        struct ip6_hdr *ip6 = dp_packet_l3(packet);
        struct eth_header *eth = dp_packet_eth(packet);

        eth->eth_dst = *dst;
        packet_set_ipv6_addr(packet, IPPROTO_ICMPV6,
                             ALIGNED_CAST(ovs_16aligned_be32 *,
                                          &ip6->ip6_dst),
                             &aux->target, true);
    }
}

/* Asks for 'ip' on 'iface': its known MAC 'dst', or everyone if that is null.
 * Returns false if the interface has no address to ask from. */
static bool
send_request(struct xf_router *router, const struct xf_iface *iface,
             const struct in6_addr *ip, const struct eth_addr *dst)
{
    const struct xf_switch *sw = router->engine->sw;
    struct src_aux aux = { .iface = iface, .target = *ip };
    uint64_t stub[128 / 8];
    struct dp_packet packet;

    xf_rt_for_each_addr(router->rt, consider_source, &aux);
    if (!aux.rank) {
        return false;
    }

    dp_packet_use_stub(&packet, stub, sizeof stub);
    if (xf_addr_is_v4(ip)) {
        compose_arp(&packet, ARP_OP_REQUEST, iface->mac,
                    dst ? *dst : eth_addr_zero, !dst,
                    in6_addr_get_mapped_ipv4(&aux.src),
                    in6_addr_get_mapped_ipv4(ip));
    } else {
        compose_ns(&packet, &aux, dst);
    }
    sw->inject(sw, router->name, iface->vlan, dp_packet_data(&packet),
               dp_packet_size(&packet));
    dp_packet_uninit(&packet);
    router->n_probes++;
    return true;
}

/* ---- Asks. ---- */

static uint32_t
ask_hash(const char *iface, const struct in6_addr *ip)
{
    return hash_bytes(ip, sizeof *ip, hash_string(iface, 0));
}

static struct xf_ask *
find_ask(const struct xf_router *router, const char *iface,
         const struct in6_addr *ip)
{
    struct xf_ask *ask;

    HMAP_FOR_EACH_WITH_HASH (ask, node, ask_hash(iface, ip), &router->asks) {
        if (ipv6_addr_equals(&ask->ip, ip) && !strcmp(ask->iface, iface)) {
            return ask;
        }
    }
    return NULL;
}

/* Returns the ask for 'ip' on 'iface' as 'wanted' says; a new one if there is
 * none, or if it was of the other kind. */
static struct xf_ask *
get_ask(struct xf_router *router, const char *iface,
        const struct in6_addr *ip, bool wanted)
{
    struct xf_ask *ask = find_ask(router, iface, ip);

    if (!ask) {
        ask = xzalloc(sizeof *ask);
        ovs_strlcpy(ask->iface, iface, sizeof ask->iface);
        ask->ip = *ip;
        hmap_insert(&router->asks, &ask->node, ask_hash(iface, ip));
    }
    if (ask->wanted != wanted) {
        ask->wanted = wanted;
        ask->told = false;
        ask->n_sent = 0;
        ask->next_ms = 0;
    }
    ask->seen = true;
    return ask;
}

static void
remove_ask(struct xf_router *router, struct xf_ask *ask)
{
    hmap_remove(&router->asks, &ask->node);
    free(ask);
}

/* ---- The scan. ---- */

/* A neighbour that needs something done. */
struct due {
    char iface[XF_NAME_MAX];
    struct in6_addr ip;
    struct eth_addr mac;
    enum xf_neighbor_state state;
    uint32_t source;
    long long int confirmed_ms;
    bool used;                  /* Since it was confirmed, or a gateway. */
    bool fresh;                 /* Confirmed within 'reachable'. */
};

struct scan {
    struct xf_router *router;
    long long int now_ms;
    int budget;                 /* Requests that may still be sent. */
    struct due *due;
    size_t n, allocated;
};

/* Whether packets were sent to 'info' since it was confirmed. */
static bool
is_used(const struct xf_neigh_info *info)
{
    struct xf_stat *stat = CONST_CAST(struct xf_stat *, info->stat);
    long long int used_ms = 0;

    if (stat) {
        atomic_read_relaxed(&stat->used_ms, &used_ms);
    }
    return used_ms > info->confirmed_ms;
}

static bool
collect_due(const struct xf_neigh_info *info, void *scan_)
{
    struct scan *scan = scan_;
    long long int age_ms = scan->now_ms - info->confirmed_ms;
    bool fresh = age_ms < scan->router->config.reachable_ms;

    if (info->state == XF_NEIGH_PERMANENT
        || (fresh && info->state == XF_NEIGH_REACHABLE)) {
        return true;
    }
    if (scan->n >= scan->allocated) {
        scan->due = x2nrealloc(scan->due, &scan->allocated,
                               sizeof *scan->due);
    }
    struct due *due = &scan->due[scan->n++];
    ovs_strlcpy_arrays(due->iface, info->iface->name);
    due->ip = info->ip;
    due->mac = info->mac;
    due->state = info->state;
    due->source = info->source;
    due->confirmed_ms = info->confirmed_ms;
    due->used = info->gateway || is_used(info);
    due->fresh = fresh;
    return true;
}

/* Gives the neighbour of 'due' another state.  Its MAC stays, so translations
 * don't change. */
static void
set_state(struct scan *scan, const struct due *due,
          enum xf_neighbor_state state)
{
    if (due->state != state) {
        xf_rt_neigh_set(scan->router->rt, due->source, due->iface, &due->ip,
                        due->mac, state, due->confirmed_ms, NULL);
    }
}

static void
expire(struct scan *scan, const struct due *due, const char *why)
{
    if (!xf_rt_neigh_del(scan->router->rt, due->iface, &due->ip, NULL)) {
        char *ip = xf_addr_to_string(&due->ip);

        VLOG_DBG("router %s: neighbor %s on port %s: %s",
                 scan->router->name, ip, due->iface, why);
        free(ip);
        scan->router->n_expired++;
        xf_router_table_changed(scan->router);
    }
}

/* Sends the next probe of 'ask' if it is time; after the last one gives the
 * neighbour up. */
static void
probe(struct scan *scan, const struct due *due, struct xf_ask *ask)
{
    const struct xf_iface *iface = xf_rt_iface_by_name(scan->router->rt,
                                                       due->iface);

    if (scan->now_ms < ask->next_ms) {
        return;
    }
    if (ask->n_sent >= N_UNICAST + N_BROADCAST) {
        remove_ask(scan->router, ask);
        expire(scan, due, "doesn't answer");
        return;
    }
    if (scan->budget <= 0 || !iface) {
        return;
    }
    scan->budget--;
    if (!ask->told && scan->router->listener) {
        ask->told = true;
        if (xf_listener_use_neighbor(scan->router->listener, iface->ifindex,
                                     &due->ip)) {
            ask->next_ms = scan->now_ms + PROBE_MS;
            return;
        }
    }
    send_request(scan->router, iface, &due->ip,
                 ask->n_sent < N_UNICAST ? &due->mac : NULL);
    ask->n_sent++;
    ask->next_ms = scan->now_ms + PROBE_MS;
}

/* Does what is due for one neighbour. */
static void
scan_neigh(struct scan *scan, const struct due *due)
{
    struct xf_router *router = scan->router;
    const struct xf_ask *ask = find_ask(router, due->iface, &due->ip);
    bool probing = ask && !ask->wanted;
    long long int age_ms = scan->now_ms - due->confirmed_ms;

    if (due->fresh) {
        set_state(scan, due, XF_NEIGH_REACHABLE);
    } else if (probing || due->used) {
        set_state(scan, due, XF_NEIGH_PROBE);
        probe(scan, due, get_ask(router, due->iface, &due->ip, false));
    } else if (age_ms >= UNUSED_FACTOR * router->config.reachable_ms) {
        expire(scan, due, "not used");
    }
}

/* Asks for gateways that have no neighbour. */
static void
scan_wanted(struct scan *scan)
{
    struct xf_router *router = scan->router;
    struct xf_neigh_want wants[WANTED_MAX];
    size_t n = xf_rt_wanted_neighbors(router->rt, wants, WANTED_MAX);

    for (size_t i = 0; i < n; i++) {
        const struct xf_iface *iface = wants[i].iface;
        struct xf_ask *ask = get_ask(router, iface->name, &wants[i].ip,
                                     true);

        if (scan->now_ms >= ask->next_ms && scan->budget > 0
            && send_request(router, iface, &wants[i].ip, NULL)) {
            long long int interval_ms
                = WANT_MIN_MS << MIN(ask->n_sent, 16);

            scan->budget--;
            ask->n_sent++;
            ask->next_ms = scan->now_ms + MIN(interval_ms, WANT_MAX_MS);
        }
    }
}

static void
scan_router(struct xf_router *router, long long int now_ms)
{
    struct scan scan = {
        .router = router,
        .now_ms = now_ms,
        .budget = REQUESTS_PER_SCAN,
    };
    struct xf_ask *ask;

    HMAP_FOR_EACH (ask, node, &router->asks) {
        ask->seen = false;
    }
    xf_rt_for_each_neigh(router->rt, collect_due, &scan);
    for (size_t i = 0; i < scan.n; i++) {
        scan_neigh(&scan, &scan.due[i]);
    }
    free(scan.due);
    scan_wanted(&scan);
    HMAP_FOR_EACH_SAFE (ask, node, &router->asks) {
        /* Of many wanted gateways not all come in one scan: they keep their
         * intervals. */
        if (!ask->seen
            && (!ask->wanted || now_ms >= ask->next_ms + WANT_MAX_MS)) {
            remove_ask(router, ask);
        }
    }
}

/* ---- Engine's thread: life. ---- */

void
xf_neigh_init(struct xf_router *router)
{
    hmap_init(&router->asks);
    token_bucket_init(&router->news_bucket, NEWS_PER_MS, NEWS_BURST);
    xf_neigh_scan(router);
}

/* Has the neighbours of 'router' looked through at the next run. */
void
xf_neigh_scan(struct xf_router *router)
{
    router->next_scan_ms = LLONG_MIN;
    router->engine->next_scan_ms = LLONG_MIN;
}

void
xf_neigh_uninit(struct xf_router *router)
{
    struct xf_ask *ask;

    HMAP_FOR_EACH_SAFE (ask, node, &router->asks) {
        remove_ask(router, ask);
    }
    hmap_destroy(&router->asks);
}

/* Learns the news, looks through the neighbours when it is time. */
void
xf_neigh_run(struct xf_engine *engine, long long int now_ms)
{
    struct xf_router *router;
    struct xf_news *news;

    for (int i = 0; i < NEWS_MAX && (news = next_news(engine)); i++) {
        learn(engine, news, now_ms);
        free(news);
    }
    if (now_ms < engine->next_scan_ms) {
        return;
    }
    engine->next_scan_ms = LLONG_MAX;
    LIST_FOR_EACH (router, node, &engine->routers) {
        /* If the data plane is in the VM, so is the life of neighbours.  That
         * of a router which isn't here yet is where it is. */
        if (!router->config.separated || router->coming) {
            continue;
        }
        if (now_ms >= router->next_scan_ms) {
            scan_router(router, now_ms);
            router->next_scan_ms = ROUND_DOWN(now_ms + SCAN_MS, SCAN_GRID_MS);
        }
        engine->next_scan_ms = MIN(engine->next_scan_ms,
                                   router->next_scan_ms);
    }
}

/* Wakes the engine's thread for the next scan. */
void
xf_neigh_wait(struct xf_engine *engine)
{
    if (engine->next_scan_ms != LLONG_MAX) {
        poll_timer_wait_until(engine->next_scan_ms);
    }
    if (atomic_count_get(&engine->n_news)) {
        poll_immediate_wake();
    }
}
