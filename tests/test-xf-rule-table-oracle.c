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

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-rcu.h"
#include "packets.h"
#include "random.h"
#include "util.h"

/* Random operations on the rule table and on the model at once.  After each
 * operation both must answer alike.  The address space is small and dense, so
 * that prefixes nest and collide often. */

#define N_IDS 8                 /* Next-hop ids 1..N_IDS. */
#define RETIRE_DELAY 16         /* Steps that retired objects stay. */

/* Retired objects wait here as they would for readers. */
struct retired {
    void (*destroy)(void *);
    void *obj;
    unsigned int step;
};

struct oracle {
    struct xf_rt *rt;
    struct model m;
    struct retired *retired;
    size_t n_retired, n_destroyed, allocated;
    unsigned int step;
    struct xf_route_spec spec;
    size_t n_errors;            /* Operations refused by both. */
    size_t n_verdicts[3];
    uint64_t sum_n_bits;
};

static void
retire(void (*destroy)(void *), void *obj, void *o_)
{
    struct oracle *o = o_;

    if (o->n_retired >= o->allocated) {
        o->retired = x2nrealloc(o->retired, &o->allocated,
                                sizeof *o->retired);
    }
    o->retired[o->n_retired++] = (struct retired) { destroy, obj, o->step };
}

static void
destroy_retired(struct oracle *o, bool all)
{
    while (o->n_destroyed < o->n_retired
           && (all || o->retired[o->n_destroyed].step + RETIRE_DELAY
                      < o->step)) {
        const struct retired *r = &o->retired[o->n_destroyed++];

        r->destroy(r->obj);
    }
}

static bool
chance(int percent)
{
    return random_range(100) < percent;
}

/* ---- Random values. ---- */

static struct in6_addr
ip4(uint32_t v4)
{
    struct in6_addr ip;

    in6_addr_set_mapped_ipv4(&ip, htonl(v4));
    return ip;
}

/* 2001:db8:: with 'x' in bits 60..65 and 'y' in bits 126..127. */
static struct in6_addr
ip6(unsigned int x, unsigned int y)
{
    struct in6_addr ip = { .s6_addr = { 0x20, 0x01, 0x0d, 0xb8 } };

    ip.s6_addr[7] = x >> 2;
    ip.s6_addr[8] = (x & 3) << 6;
    ip.s6_addr[15] = y;
    return ip;
}

static struct in6_addr
linklocal(unsigned int x)
{
    return (struct in6_addr) { .s6_addr = { 0xfe, 0x80, [15] = x } };
}

/* An address in the block of interface 'i': blocks don't overlap. */
static struct in6_addr
random_host(int i, bool v4)
{
    unsigned int x = 16 * i + random_range(chance(70) ? 4 : 16);

    return (v4 ? ip4(0x0a000000 + x)
            : chance(20) ? linklocal(1 + random_range(3))
            : ip6(x, chance(70) ? 1 : random_range(4)));
}

static struct in6_addr
random_dst(void)
{
    static const char *const odd[] = {
        "::ffff:0.0.0.0", "::ffff:0.0.0.1", "::ffff:126.255.255.255",
        "::ffff:127.0.0.1", "::ffff:128.0.0.0", "::ffff:223.255.255.255",
        "::ffff:224.0.0.5", "::ffff:240.0.0.1", "::ffff:255.255.255.254",
        "::ffff:255.255.255.255", "::", "::1", "::2", "::fffe:0:1",
        "0:0:0:0:1:ffff:0:1", "::1:0:0", "fe80::1", "fe7f::1", "fec0::1",
        "ff02::5", "feff::", "8000::1",
    };
    struct in6_addr ip;

    if (chance(75)) {
        return random_host(random_range(MODEL_MAX_IFACES), chance(60));
    } else if (chance(50)) {
        ovs_assert(ipv6_parse(odd[random_range(ARRAY_SIZE(odd))], &ip));
        return ip;
    } else if (chance(50)) {
        return ip4(random_uint32());
    }
    ip = ip6(random_range(64), random_range(4));
    ip.s6_addr[random_range(16)] ^= 1 << random_range(8);
    return ip;
}

static struct xf_prefix
random_prefix(void)
{
    static const uint8_t v4_lens[] = { 0, 1, 3, 8, 24, 26, 27, 28, 29, 30, 31,
                                       32 };
    static const uint8_t v6_lens[] = { 0, 1, 7, 10, 32, 60, 61, 62, 63, 64, 65,
                                       66, 96, 126, 127, 128 };
    struct xf_prefix p = { random_dst(), 0 };
    bool v4 = xf_addr_is_v4(&p.addr);
    int ofs = v4 ? XF_V4_OFS : 0;

    p.len = (v4 ? v4_lens[random_range(ARRAY_SIZE(v4_lens))]
             : v6_lens[random_range(ARRAY_SIZE(v6_lens))]);
    for (int i = ofs + p.len; i < 128; i++) {
        p.addr.s6_addr[i / 8] &= ~(0x80 >> i % 8);
    }
    if (!v4 && xf_addr_is_v4(&p.addr)) {
        p.addr.s6_addr[0] = 0x20;
    }
    return p;
}

static struct eth_addr
random_mac(int n)
{
    return (struct eth_addr) { .ea = { 2, [5] = random_range(n) } };
}

static struct xf_nexthop
random_nexthop(bool v6_only)
{
    int i = random_range(MODEL_MAX_IFACES);
    struct xf_nexthop nh = { .ifindex = chance(10) ? 99 : 10 + i };

    if (!chance(15)) {
        nh.gateway = random_host(i, !v6_only && chance(70));
    }
    nh.weight = chance(60) ? 1 : 1 + random_range(256);
    return nh;
}

static struct xf_iface
random_iface(int i)
{
    struct xf_iface iface = {
        .ifindex = chance(80) ? 10 + i : chance(50) ? 0
                   : 10 + random_range(MODEL_MAX_IFACES),
        .vlan = chance(50) ? 0 : 5,
        .mac = random_mac(6),
        .mtu = 1500,
        .up = chance(85),
    };

    snprintf(iface.name, sizeof iface.name, "e%d", i);
    return iface;
}

/* ---- Comparison. ---- */

static void
fail(const struct oracle *o, const char *what, const struct in6_addr *ip)
{
    char text[INET6_ADDRSTRLEN];

    printf("step %u: %s differs (%s)\n", o->step, what,
           ip ? ipv6_string_mapped(text, ip) : "");
    fflush(stdout);
    abort();
}

static void
expect(const struct oracle *o, const char *what, int error, int expected)
{
    if (error != expected) {
        printf("table says %s, model says %s\n", ovs_strerror(error),
               ovs_strerror(expected));
        fail(o, what, NULL);
    }
}

static void
result_from_table(const struct xf_rt_result *r, struct model_result *out)
{
    memset(out, 0, sizeof *out);
    out->verdict = r->verdict;
    out->reason = r->verdict == XF_PUNT ? r->reason : 0;
    out->used_hash = r->used_hash;
    out->has_route = r->has_route;
    out->iface = r->out ? r->out->name[1] - '0' : -1;
    if (r->has_route) {
        out->prefix.addr = r->prefix.addr;
        out->prefix.len = r->prefix.len;
        out->protocol = r->protocol;
    }
    if (r->out) {
        out->nexthop = r->nexthop;
    }
    if (r->verdict == XF_FORWARD) {
        out->dmac = r->dmac;
    }
}

static bool
results_equal(const struct model_result *a, const struct model_result *b)
{
    return (a->verdict == b->verdict && a->reason == b->reason
            && a->used_hash == b->used_hash && a->has_route == b->has_route
            && a->prefix.len == b->prefix.len && a->protocol == b->protocol
            && ipv6_addr_equals(&a->prefix.addr, &b->prefix.addr)
            && ipv6_addr_equals(&a->nexthop, &b->nexthop)
            && a->iface == b->iface && eth_addr_equals(a->dmac, b->dmac));
}

static void
print_result(const char *who, const struct model_result *r)
{
    char prefix[INET6_ADDRSTRLEN];
    char nexthop[INET6_ADDRSTRLEN];

    printf("%s: verdict %d reason %s hash %d route %d %s/%d proto %d "
           "iface %d nexthop %s mac "ETH_ADDR_FMT"\n", who, r->verdict,
           xf_punt_reason_name(r->reason), r->used_hash, r->has_route,
           ipv6_string_mapped(prefix, &r->prefix.addr), r->prefix.len,
           r->protocol, r->iface, ipv6_string_mapped(nexthop, &r->nexthop),
           ETH_ADDR_ARGS(r->dmac));
}

/* Any destination that shares 'n_bits' with 'dst' must get the same answer of
 * the model. */
static void
check_n_bits(struct oracle *o, const struct in6_addr *dst, uint32_t hash,
             uint8_t n_bits, const struct model_result *base)
{
    int n_all = xf_addr_bits(dst);
    int ofs = 128 - n_all;

    ovs_assert(n_bits <= n_all);
    for (int i = n_bits; i < n_all + 3; i++) {
        struct in6_addr other = *dst;
        struct model_result r;

        for (int b = n_bits; b < n_all; b++) {
            if (i < n_all ? b == i : chance(50)) {
                other.s6_addr[(ofs + b) / 8] ^= 0x80 >> (ofs + b) % 8;
            }
        }
        ovs_assert(xf_addr_bits(&other) == n_all);
        model_lookup(&o->m, &other, hash, &r);
        if (!results_equal(&r, base)) {
            print_result("base", base);
            print_result("flipped", &r);
            printf("n_bits %d, bit %d\n", n_bits, i);
            fail(o, "n_bits", dst);
        }
    }
}

static void
check_lookup(struct oracle *o)
{
    struct in6_addr dst = random_dst();
    uint32_t hash = random_uint32();
    struct model_result expected, got;
    struct xf_rt_result r;

    xf_rt_lookup(o->rt, &dst, hash, &r);
    result_from_table(&r, &got);
    model_lookup(&o->m, &dst, hash, &expected);
    if (!results_equal(&got, &expected)) {
        print_result("table", &got);
        print_result("model", &expected);
        fail(o, "lookup", &dst);
    }
    ovs_assert(r.has_route == (r.route_stat != NULL));
    ovs_assert((r.verdict == XF_FORWARD) == (r.neigh_stat != NULL));
    check_n_bits(o, &dst, hash, r.n_bits, &expected);
    o->n_verdicts[r.verdict]++;
    o->sum_n_bits += r.n_bits;
}

static void
check_hear(struct oracle *o)
{
    int i = random_range(MODEL_MAX_IFACES);
    struct in6_addr ip = random_host(random_range(MODEL_MAX_IFACES),
                                     chance(50));
    struct eth_addr mac = random_mac(10);

    if (o->m.ifaces[i].present
        && (xf_rt_neigh_hear(o->rt, &o->m.ifaces[i].iface, &ip, mac, o->step)
            != model_hear(&o->m, i, &ip, mac))) {
        fail(o, "neigh_hear", &ip);
    }
}

/* The wanted gateways are exactly those that the model wants. */
static void
check_wanted(const struct oracle *o)
{
    struct xf_neigh_want want[1024];
    size_t n = xf_rt_wanted_neighbors(o->rt, want, ARRAY_SIZE(want));
    size_t n_expected = 0;

    for (size_t i = 0; i < n; i++) {
        if (!model_wants(&o->m, want[i].iface->name[1] - '0', &want[i].ip)) {
            fail(o, "wanted neighbor", &want[i].ip);
        }
    }
    for (int i = 0; i < MODEL_MAX_IFACES; i++) {
        for (int x = 0; x < 64; x++) {
            struct in6_addr v4 = ip4(0x0a000000 + x);

            n_expected += model_wants(&o->m, i, &v4);
            for (int y = 0; y < 4; y++) {
                struct in6_addr v6 = ip6(x, y);

                n_expected += model_wants(&o->m, i, &v6);
            }
        }
        for (int x = 1; x < 4; x++) {
            struct in6_addr v6 = linklocal(x);

            n_expected += model_wants(&o->m, i, &v6);
        }
    }
    if (n != n_expected) {
        fail(o, "number of wanted neighbors", NULL);
    }
}

struct listing {
    size_t n;
    struct xf_route_info last;
};

static bool
check_listed(const struct xf_route_info *info, void *listing_)
{
    struct listing *listing = listing_;
    const struct xf_prefix *p = &info->spec.prefix;
    const struct xf_prefix *last = &listing->last.spec.prefix;

    if (listing->n++) {
        bool is_v4 = xf_addr_is_v4(&p->addr);
        int cmp = memcmp(&last->addr, &p->addr, sizeof p->addr);

        if (is_v4 != xf_addr_is_v4(&last->addr)) {
            ovs_assert(!is_v4); /* IPv4 first. */
            ovs_assert(info->best);
        } else {
            ovs_assert(cmp < 0 || (!cmp && last->len <= p->len));
            ovs_assert(info->best == (cmp || last->len != p->len));
        }
    }
    listing->last = *info;
    return true;
}

static void
check_listing(const struct oracle *o)
{
    struct xf_rt_usage usage;
    struct listing listing = { .n = 0 };

    xf_rt_for_each_route(o->rt, check_listed, &listing);
    ovs_assert(listing.n == model_n_listed(&o->m));
    xf_rt_get_usage(o->rt, &usage);
    ovs_assert(usage.n_routes == o->m.n_routes);
    ovs_assert(usage.n_nexthops == o->m.n_nhs);
    ovs_assert(usage.n_neighbors == o->m.n_neighs);
    ovs_assert(usage.n_addresses == o->m.n_addrs);
    for (int i = 0; i < MODEL_N_SOURCES; i++) {
        uint32_t id = o->m.sources[i].id;

        ovs_assert(xf_rt_source_n_routes(o->rt, id)
                   == model_source_n_routes(&o->m, i));
        ovs_assert(xf_rt_source_n_stale(o->rt, id)
                   == model_source_n_stale(&o->m, i));
    }
}

/* ---- Operations. ---- */

static uint32_t
source_id(const struct oracle *o, int source)
{
    return o->m.sources[source].id;
}

static int
op_route_add(struct oracle *o, int source)
{
    struct xf_nexthop hops[MODEL_MAX_HOPS];
    struct xf_route_spec spec = {
        .prefix = random_prefix(),
        .type = chance(80) ? XF_ROUTE_UNICAST : random_range(5),
        .protocol = random_range(3),
        .metric = chance(5) ? UINT32_MAX : random_range(3),
        .nexthops = hops,
    };
    bool replace = chance(30);
    struct xf_route_spec ignored;

    if (spec.type != XF_ROUTE_UNICAST) {
        spec.n_nexthops = 0;
    } else if (chance(40)) {
        spec.nhid = 1 + random_range(N_IDS);
    } else {
        spec.n_nexthops = chance(60) ? 1 : 1 + random_range(MODEL_MAX_HOPS);
        for (size_t i = 0; i < spec.n_nexthops; i++) {
            hops[i] = random_nexthop(!xf_addr_is_v4(&spec.prefix.addr));
        }
    }

    /* Once more what was said before, now and then. */
    if (chance(10) && o->m.n_routes) {
        const struct model_route *r =
            &o->m.routes[random_range(o->m.n_routes)];

        ignored = (struct xf_route_spec) {
            r->prefix, r->type, r->protocol, r->metric, r->nhid, r->n, r->hops
        };
        memcpy(hops, r->hops, sizeof hops);
        spec = ignored;
        spec.nexthops = hops;
        source = r->source;
    }
    expect(o, "route_add",
           xf_rt_route_add(o->rt, source_id(o, source), &spec, replace, NULL),
           model_route_add(&o->m, source, &spec, replace));
    return 0;
}

static int
op_route_del(struct oracle *o, int source)
{
    struct xf_prefix p = random_prefix();
    uint32_t metric = chance(40) ? UINT32_MAX : random_range(3);
    int error;

    if (chance(80) && o->m.n_routes) {
        const struct model_route *r =
            &o->m.routes[random_range(o->m.n_routes)];

        p = r->prefix;
        source = r->source;
    }
    error = xf_rt_route_del(o->rt, source_id(o, source), &p, metric, NULL);
    expect(o, "route_del", error,
           model_route_del(&o->m, source, &p, metric));
    return error;
}

static int
op_nexthop(struct oracle *o, int source)
{
    struct model_nh nh = { .source = source,
                           .id = 1 + random_range(N_IDS) };
    uint32_t id = source_id(o, source);
    int error;

    if (chance(25)) {
        error = xf_rt_nexthop_del(o->rt, id, nh.id, NULL);
        expect(o, "nexthop_del", error, model_nh_del(&o->m, source, nh.id));
        return error;
    }
    if (chance(15)) {
        nh.kind = MODEL_BLACKHOLE;
        error = xf_rt_nexthop_set_blackhole(o->rt, id, nh.id, NULL);
    } else if (chance(30)) {
        nh.kind = MODEL_GROUP;
        nh.n = 1 + random_range(MODEL_MAX_HOPS);
        for (size_t i = 0; i < nh.n; i++) {
            nh.members[i].id = 1 + random_range(N_IDS);
            nh.members[i].weight = 1 + random_range(4);
        }
        error = xf_rt_nexthop_set_group(o->rt, id, nh.id, nh.members, nh.n,
                                        NULL);
    } else {
        nh.kind = MODEL_HOPS;
        nh.n = chance(85) ? 1 : 1 + random_range(MODEL_MAX_HOPS);
        for (size_t i = 0; i < nh.n; i++) {
            nh.hops[i] = random_nexthop(false);
        }
        error = xf_rt_nexthop_set(o->rt, id, nh.id, nh.hops, nh.n, NULL);
    }
    expect(o, "nexthop_set", error, model_nh_set(&o->m, &nh));
    return error;
}

static int
op_iface(struct oracle *o, int source OVS_UNUSED)
{
    int i = random_range(MODEL_MAX_IFACES);
    struct xf_iface iface = random_iface(i);
    int error;

    if (chance(5)) {
        error = xf_rt_iface_del(o->rt, iface.name, NULL);
        expect(o, "iface_del", error, model_iface_del(&o->m, i));
    } else if (o->m.ifaces[i].present ? chance(10) : chance(95)) {
        error = xf_rt_iface_add(o->rt, &iface, NULL);
        expect(o, "iface_add", error, model_iface_add(&o->m, i, &iface));
    } else {
        if (chance(60) && o->m.ifaces[i].present) {
            iface = o->m.ifaces[i].iface;
            iface.up = !iface.up;
        }
        error = xf_rt_iface_update(o->rt, &iface, NULL);
        expect(o, "iface_update", error,
               model_iface_update(&o->m, i, &iface));
    }
    return error;
}

static int
op_addr(struct oracle *o, int source)
{
    int i = random_range(MODEL_MAX_IFACES);
    struct model_addr a = { .source = source, .iface = i,
                            .ip = random_host(i, chance(50)) };
    const char *name;
    char buf[8];
    bool add = chance(o->m.n_addrs < 8 ? 70 : 20);
    int error;

    a.len = xf_addr_bits(&a.ip) - random_range(5);
    if (!xf_addr_is_v4(&a.ip) && chance(50)) {
        a.len = 62 + random_range(4);
    }
    if (!add && o->m.n_addrs && chance(80)) {
        a = o->m.addrs[random_range(o->m.n_addrs)];
    }
    snprintf(buf, sizeof buf, "e%d", a.iface);
    name = buf;
    if (add) {
        error = xf_rt_addr_add(o->rt, source_id(o, a.source), name, &a.ip,
                               a.len, NULL);
        expect(o, "addr_add", error, model_addr_add(&o->m, &a));
    } else {
        error = xf_rt_addr_del(o->rt, source_id(o, a.source), name, &a.ip,
                               a.len, NULL);
        expect(o, "addr_del", error, model_addr_del(&o->m, &a));
    }
    return error;
}

static int
op_neigh(struct oracle *o, int source)
{
    int i = random_range(MODEL_MAX_IFACES);
    struct model_neigh n = {
        .source = source, .iface = i, .ip = random_host(i, chance(50)),
        .mac = random_mac(10), .state = chance(15) ? XF_NEIGH_PERMANENT
                                      : random_range(2),
    };
    char name[8];
    int error;

    if (chance(10) || o->m.n_neighs > MODEL_MAX_NEIGHS - 2) {
        if (o->m.n_neighs && chance(70)) {
            n = o->m.neighs[random_range(o->m.n_neighs)];
        }
        snprintf(name, sizeof name, "e%d", n.iface);
        error = xf_rt_neigh_del(o->rt, name, &n.ip, NULL);
        expect(o, "neigh_del", error,
               model_neigh_del(&o->m, n.iface, &n.ip));
        return error;
    }
    snprintf(name, sizeof name, "e%d", i);
    error = xf_rt_neigh_set(o->rt, source_id(o, source), name, &n.ip, n.mac,
                            n.state, o->step, NULL);
    expect(o, "neigh_set", error, model_neigh_set(&o->m, &n));
    return error;
}

static int
op_source(struct oracle *o, int source)
{
    uint32_t id = source_id(o, source);
    int error;

    if (!o->m.sources[source].present) {
        error = xf_rt_source_add(o->rt, id, "source",
                                 o->m.sources[source].preference, NULL);
        expect(o, "source_add", error, model_source_add(&o->m, source));
    } else if (chance(3)) {
        error = xf_rt_source_del(o->rt, id, NULL);
        expect(o, "source_del", error, model_source_del(&o->m, source));
    } else if (chance(50)) {
        error = xf_rt_source_mark(o->rt, id, NULL);
        expect(o, "source_mark", error, model_source_mark(&o->m, source));
    } else {
        size_t max = 1 + random_range(5);
        size_t total = 0;
        size_t n;

        do {
            n = xf_rt_source_sweep(o->rt, id, max);
            ovs_assert(n <= max);
            xf_rt_check(o->rt);
            total += n;
        } while (n == max);
        expect(o, "source_sweep", total, model_source_sweep(&o->m, source));
        error = 0;
    }
    return error;
}

static void
random_op(struct oracle *o)
{
    static int (*const ops[])(struct oracle *, int source) = {
        op_route_add, op_route_add, op_route_add, op_route_add, op_route_add,
        op_route_add, op_route_del, op_route_del, op_route_del, op_nexthop,
        op_nexthop, op_iface, op_addr, op_neigh, op_neigh, op_neigh,
        op_neigh, op_neigh, op_neigh,
    };
    int source = random_range(MODEL_N_SOURCES);
    int error = (chance(2) || !o->m.sources[source].present
                 ? op_source(o, source)
                 : o->m.n_routes > 150 ? op_route_del(o, source)
                 : ops[random_range(ARRAY_SIZE(ops))](o, source));

    o->n_errors += error != 0;
}

/* oracle SEED N: 'N' random operations, each followed by comparisons. */
void
test_oracle(int argc OVS_UNUSED, char *argv[])
{
    static const struct xf_rt_limits limits = XF_RT_LIMITS_DEFAULT;
    static const int preferences[MODEL_N_SOURCES] = { 20, 5, 20 };
    unsigned int seed = atoi(argv[0]);
    unsigned int n = atoi(argv[1]);
    struct oracle *o = xzalloc(sizeof *o);

    random_set_seed(seed);
    o->rt = xf_rt_create(&limits, retire, o);
    for (int i = 0; i < MODEL_N_SOURCES; i++) {
        o->m.sources[i].id = 7 - 2 * i;
        o->m.sources[i].preference = preferences[i];
    }
    for (o->step = 1; o->step <= n; o->step++) {
        random_op(o);
        xf_rt_check(o->rt);
        for (int i = 0; i < 4; i++) {
            check_lookup(o);
        }
        check_hear(o);
        check_listing(o);
        if (o->step % 16 == 0) {
            check_wanted(o);
        }
        destroy_retired(o, false);
    }
    fprintf(stderr, "seed %u: %"PRIuSIZE" forwarded, %"PRIuSIZE" punted, "
            "%"PRIuSIZE" dropped, %"PRIuSIZE" operations refused, mean n_bits "
            "%.1f, %"PRIuSIZE" objects retired\n", seed,
            o->n_verdicts[XF_FORWARD], o->n_verdicts[XF_PUNT],
            o->n_verdicts[XF_DROP], o->n_errors,
            o->sum_n_bits / (4.0 * n), o->n_retired);
    xf_rt_destroy(o->rt);
    destroy_retired(o, true);
    ovs_assert(o->n_retired == o->n_destroyed);
    free(o->retired);
    free(o);
    ovsrcu_quiesce();
    ovsrcu_exit();              /* Frees what cmap has postponed. */
    printf("seed %u: ok\n", seed);
}
