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
#undef NDEBUG

#include "test-xf-rule-table.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "random.h"
#include "timeval.h"
#include "util.h"

/* The rule table under load: readers beside a writer, and speed. */

static void
retire_rcu(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    ovsrcu_postpone__(destroy, obj);
}

static void
check_ok(int error, char *message)
{
    if (error) {
        ovs_fatal(error, "%s", message ? message : "no sentence");
    }
}

static struct in6_addr
ip4(uint32_t v4)
{
    struct in6_addr ip;

    in6_addr_set_mapped_ipv4(&ip, htonl(v4));
    return ip;
}

static struct xf_rt *
create_router(uint32_t max_routes)
{
    struct xf_rt_limits limits = XF_RT_LIMITS_DEFAULT;
    struct xf_iface iface = {
        .name = "e0", .ifindex = 2, .mtu = 1500, .up = true,
        .mac = ETH_ADDR_C(02, 00, 00, 00, 00, 01),
    };
    struct xf_rt *rt;
    char *e = NULL;

    limits.max_routes = MAX(limits.max_routes, max_routes);
    rt = xf_rt_create(&limits, retire_rcu, NULL);
    check_ok(xf_rt_source_add(rt, 1, "one", XF_PREF_SPEAKER, &e), e);
    check_ok(xf_rt_source_add(rt, 2, "two", XF_PREF_SPEAKER, &e), e);
    check_ok(xf_rt_iface_add(rt, &iface, &e), e);
    return rt;
}

/* ---- Readers. ---- */

#define NET 0x0a010000          /* 10.1.0.0/16 always has a route. */
#define N_GATEWAYS 4

struct reader {
    const struct xf_rt *rt;
    uint32_t seed;
    atomic_bool *stop;
    uint64_t n_lookups;
};

/* Whatever the writer does, each destination in NET is forwarded to a MAC that
 * one of its gateways has, through an interface that is up. */
static void *
reader_main(void *reader_)
{
    struct reader *reader = reader_;
    uint32_t x = reader->seed;
    bool stop = false;

    while (!stop) {
        for (int i = 0; i < 64; i++) {
            struct xf_rt_result r;
            struct in6_addr dst;

            x = x * 1664525 + 1013904223;
            dst = ip4(NET + (x >> 16));
            xf_rt_lookup(reader->rt, &dst, x, &r);
            if (r.verdict != XF_FORWARD) {
                ovs_fatal(0, "verdict %d, reason %s, prefix length %d",
                          r.verdict, xf_punt_reason_name(r.reason),
                          r.prefix.len);
            }
            ovs_assert(r.has_route && r.out->up);
            ovs_assert(r.dmac.ea[0] == 2 && r.dmac.ea[4] == r.dmac.ea[5]);
            ovs_assert(r.nexthop.s6_addr[15] == r.dmac.ea[5]);
            xf_stat_add(r.route_stat, 1, 64, reader->n_lookups);
            reader->n_lookups++;
        }
        ovsrcu_quiesce();
        atomic_read_relaxed(reader->stop, &stop);
    }
    return NULL;
}

static struct xf_nexthop
gateway(int i)
{
    return (struct xf_nexthop) { .gateway = ip4(0x0a000000 + i),
                                 .ifindex = 2, .weight = 1 + i % 3 };
}

static void
set_neigh(struct xf_rt *rt, int i)
{
    struct in6_addr ip = gateway(i).gateway;
    struct eth_addr mac = { .ea = { 2, random_range(256), 0, 0, i, i } };
    char *e = NULL;

    check_ok(xf_rt_neigh_set(rt, 1, "e0", &ip, mac, XF_NEIGH_REACHABLE, 1,
                             &e), e);
}

/* States 'prefix' by 'source' with one or more random gateways, or by id. */
static void
set_route(struct xf_rt *rt, uint32_t source, uint32_t addr, uint8_t len)
{
    struct xf_nexthop hops[3];
    struct xf_route_spec spec = {
        .prefix = { ip4(addr), len }, .nexthops = hops,
        .metric = random_range(2),
    };
    char *e = NULL;

    if (random_range(3) == 0) {
        spec.nhid = 1;
    } else {
        spec.n_nexthops = 1 + random_range(3);
        for (size_t i = 0; i < spec.n_nexthops; i++) {
            hops[i] = gateway(random_range(N_GATEWAYS));
        }
    }
    check_ok(xf_rt_route_add(rt, source, &spec, random_range(2), &e), e);
}

static void
del_route(struct xf_rt *rt, uint32_t source, uint32_t addr, uint8_t len)
{
    struct xf_prefix prefix = { ip4(addr), len };

    while (!xf_rt_route_del(rt, source, &prefix, UINT32_MAX, NULL)) {
        continue;
    }
}

static void
set_nexthop(struct xf_rt *rt)
{
    struct xf_nexthop hops[2] = { gateway(random_range(N_GATEWAYS)),
                                  gateway(random_range(N_GATEWAYS)) };
    char *e = NULL;

    for (uint32_t source = 1; source <= 2; source++) {
        check_ok(xf_rt_nexthop_set(rt, source, 1, hops, 1 + random_range(2),
                                   &e), e);
    }
}

static void
update_iface(struct xf_rt *rt)
{
    struct xf_iface iface = *xf_rt_iface_by_name(rt, "e0");
    char *e = NULL;

    iface.mtu = 1000 + random_range(500);
    iface.vlan = random_range(3);
    iface.mac.ea[1] = random_range(256);
    check_ok(xf_rt_iface_update(rt, &iface, &e), e);
}

/* One change; at any time source 1 or 2 states NET/16. */
static void
churn(struct xf_rt *rt, unsigned int step)
{
    uint8_t len = 17 + random_range(16);
    uint32_t addr = NET + (random_uint32() & 0xffff
                           & ~(UINT64_C(0xffffffff) >> len));

    switch (random_range(8)) {
    case 0:
        set_route(rt, 1, NET, 16);
        del_route(rt, 2, NET, 16);
        break;
    case 1:
        set_route(rt, 2, NET, 16);
        del_route(rt, 1, NET, 16);
        break;
    case 2:
        set_neigh(rt, random_range(N_GATEWAYS));
        break;
    case 3:
        set_nexthop(rt);
        break;
    case 4:
        update_iface(rt);
        break;
    case 5:
        del_route(rt, 1, addr, len);
        break;
    default:
        set_route(rt, 1, addr, len);
        break;
    }
    if (step % 500 == 0) {
        check_ok(xf_rt_source_mark(rt, 1, NULL), NULL);
        for (int i = 0; i < N_GATEWAYS; i++) {
            set_neigh(rt, i);
        }
        set_nexthop(rt);
        set_route(rt, 1, NET, 16);
        while (xf_rt_source_sweep(rt, 1, 10) == 10) {
            continue;
        }
        xf_rt_check(rt);
    }
}

/* readers SEED SECONDS: two readers beside a writer that changes all. */
void
test_readers(int argc OVS_UNUSED, char *argv[])
{
    long long int end_ms = time_msec() + 1000 * atof(argv[1]);
    atomic_bool stop = ATOMIC_VAR_INIT(false);
    struct reader readers[2];
    pthread_t threads[2];
    unsigned int step;

    random_set_seed(atoi(argv[0]));
    struct xf_rt *rt = create_router(0);
    set_nexthop(rt);
    for (int i = 0; i < N_GATEWAYS; i++) {
        set_neigh(rt, i);
    }
    set_route(rt, 1, NET, 16);

    for (int i = 0; i < 2; i++) {
        readers[i] = (struct reader) { rt, random_uint32(), &stop, 0 };
        threads[i] = ovs_thread_create("reader", reader_main, &readers[i]);
    }
    for (step = 1; time_msec() < end_ms; step++) {
        churn(rt, step);
        if (step % 64 == 0) {
            ovsrcu_quiesce();
        }
    }
    atomic_store_relaxed(&stop, true);
    for (int i = 0; i < 2; i++) {
        xpthread_join(threads[i], NULL);
    }
    fprintf(stderr, "%u changes, %"PRIu64" lookups\n", step,
            readers[0].n_lookups + readers[1].n_lookups);
    xf_rt_check(rt);
    xf_rt_destroy(rt);
    ovsrcu_barrier();
    printf("seed %s: ok\n", argv[0]);
}

/* ---- Speed. ---- */

#define N_DISTINCT_HOPS 64

/* Lengths as in a full Internet table: 62 % /24, 11 % /23, 11 % /22. */
static uint8_t
internet_length(void)
{
    int x = random_range(100);

    return (x < 62 ? 24 : x < 73 ? 23 : x < 84 ? 22 : 8 + random_range(14));
}

static int
compare_prefixes(const void *a_, const void *b_)
{
    const struct xf_prefix *a = a_;
    const struct xf_prefix *b = b_;
    int cmp = memcmp(&a->addr, &b->addr, sizeof a->addr);

    return cmp ? cmp : a->len - b->len;
}

/* Returns 'n' prefixes; a few may be equal. */
static struct xf_prefix *
internet_prefixes(size_t n)
{
    struct xf_prefix *prefixes = xmalloc(n * sizeof *prefixes);

    for (size_t i = 0; i < n; i++) {
        uint8_t len = internet_length();
        uint32_t addr = (random_uint32() % 0xdf000000) + 0x01000000;

        prefixes[i].addr = ip4(addr & ~(UINT64_C(0xffffffff) >> len));
        prefixes[i].len = len;
    }
    return prefixes;
}

static double
now_s(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
bench_add(struct xf_rt *rt, const struct xf_prefix *prefixes, size_t n,
          const char *what)
{
    double start = now_s();

    for (size_t i = 0; i < n; i++) {
        struct xf_nexthop hop = gateway(i % N_DISTINCT_HOPS);
        struct xf_route_spec spec = { .prefix = prefixes[i], .nexthops = &hop,
                                      .n_nexthops = 1 };
        char *e = NULL;

        check_ok(xf_rt_route_add(rt, 1, &spec, false, &e), e);
    }
    printf("%s: %.2f M/s\n", what, n / (now_s() - start) / 1e6);
}

static void
bench_lookup(const struct xf_rt *rt, size_t n)
{
    double start = now_s();
    uint32_t x = 1;
    size_t n_found = 0;

    for (size_t i = 0; i < n; i++) {
        struct xf_rt_result r;
        struct in6_addr dst;

        x = x * 1664525 + 1013904223;
        dst = ip4(x);
        xf_rt_lookup(rt, &dst, x, &r);
        n_found += r.has_route;
    }
    printf("lookup: %.2f M/s, %.0f %% with a route\n",
           n / (now_s() - start) / 1e6, 100.0 * n_found / n);
}

/* bench N: figures for a table of 'N' routes; CPU time of this thread. */
void
test_bench(int argc OVS_UNUSED, char *argv[])
{
    size_t n = atoi(argv[0]);
    struct xf_prefix *prefixes = internet_prefixes(n);
    struct xf_rt *rt = create_router(n);
    struct xf_rt_usage usage;
    double start;

    size_t before = mallinfo2().uordblks;
    bench_add(rt, prefixes, n, "add, random order");
    size_t heap = mallinfo2().uordblks - before;
    xf_rt_get_usage(rt, &usage);
    printf("%"PRIuSIZE" prefixes, %"PRIuSIZE" trie nodes; bytes per route: "
           "%.0f heap, %.0f counted\n", usage.n_prefixes, usage.n_trie_nodes,
           (double) heap / usage.n_routes,
           (double) usage.n_bytes / usage.n_routes);
    bench_lookup(rt, n);
    check_ok(xf_rt_source_mark(rt, 1, NULL), NULL);
    bench_add(rt, prefixes, n / 2, "state again");
    start = now_s();
    n = 0;
    for (size_t k = 1000; k == 1000; n += k) {
        k = xf_rt_source_sweep(rt, 1, 1000);
        ovsrcu_quiesce();
    }
    printf("sweep: %.2f M/s\n", n / (now_s() - start) / 1e6);
    xf_rt_destroy(rt);
    ovsrcu_quiesce();

    n = atoi(argv[0]);
    qsort(prefixes, n, sizeof *prefixes, compare_prefixes);
    rt = create_router(n);
    bench_add(rt, prefixes, n, "add, sorted");
    bench_lookup(rt, n);
    xf_rt_destroy(rt);
    free(prefixes);
    ovsrcu_quiesce();
    ovsrcu_exit();
}
