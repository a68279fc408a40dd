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

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ovs-rcu.h"
#include "packets.h"
#include "util.h"

/* script FILE: carries out the statements of FILE ("-": standard input), one
 * per line, on a rule table, and prints what is refused and what is asked for.
 * '#' begins a comment.  Words in [] may be left out.
 *
 *   limits ROUTES NEXTHOPS NEIGHBORS IFACES ADDRESSES    (first, if at all)
 *   source ID NAME PREFERENCE | source-del ID | mark ID | sweep ID MAX
 *   iface NAME IFINDEX VLAN MAC MTU up|down | iface-update ...
 *   iface-del NAME
 *   addr SOURCE IFACE IP/LEN | addr-del SOURCE IFACE IP/LEN
 *   neigh SOURCE IFACE IP MAC STATE-NUMBER | neigh-del IFACE IP
 *   route SOURCE IP/LEN [type NUMBER] [metric N] [proto N] [nhid ID] [replace]
 *         [via IP] [dev IFINDEX [weight N] [times N]]...
 *   route-del SOURCE IP/LEN [metric N]
 *   nexthop SOURCE ID [via IP] dev IFINDEX [weight N] [times N]...
 *   group SOURCE ID [MEMBER WEIGHT]... | blackhole SOURCE ID
 *   nexthop-del SOURCE ID
 *   lookup IP [HASH] | hear IFACE IP MAC
 *   routes | neighs | addrs | ifaces | wanted | usage */

#define MAX_WORDS 600

struct script {
    struct xf_rt *rt;
    char *words[MAX_WORDS + 1];
    int n_words;
    int next;                   /* Index of the next word to be read. */
    unsigned int line;
};

static void
retire_now(void (*destroy)(void *), void *obj, void *aux OVS_UNUSED)
{
    destroy(obj);
}

/* ---- Words. ---- */

static const char *
word(struct script *s)
{
    if (s->next >= s->n_words) {
        ovs_fatal(0, "line %u: a word is missing", s->line);
    }
    return s->words[s->next++];
}

static bool
next_is(struct script *s, const char *keyword)
{
    if (s->next < s->n_words && !strcmp(s->words[s->next], keyword)) {
        s->next++;
        return true;
    }
    return false;
}

static long long int
number(struct script *s)
{
    return strtoll(word(s), NULL, 0);
}

static struct in6_addr
parse_ip(const char *text)
{
    struct in6_addr ip;
    ovs_be32 v4;

    if (ip_parse(text, &v4)) {
        in6_addr_set_mapped_ipv4(&ip, v4);
    } else if (!ipv6_parse(text, &ip)) {
        ovs_fatal(0, "%s is not an IP address", text);
    }
    return ip;
}

static struct in6_addr
ip(struct script *s)
{
    return parse_ip(word(s));
}

/* Nothing is corrected here: what is wrong must be refused by the table. */
static struct xf_prefix
prefix(struct script *s)
{
    char *text = xstrdup(word(s));
    char *slash = strchr(text, '/');
    struct xf_prefix p;

    if (!slash) {
        ovs_fatal(0, "line %u: %s has no length", s->line, text);
    }
    *slash = '\0';
    p.addr = parse_ip(text);
    p.len = atoi(slash + 1);
    free(text);
    return p;
}

static struct eth_addr
mac(struct script *s)
{
    struct eth_addr ea;

    if (!eth_addr_from_string(word(s), &ea)) {
        ovs_fatal(0, "line %u: not a MAC", s->line);
    }
    return ea;
}

static struct xf_iface
iface(struct script *s)
{
    struct xf_iface i = { .ifindex = 0 };

    ovs_strlcpy(i.name, word(s), sizeof i.name);
    i.ifindex = number(s);
    i.vlan = number(s);
    i.mac = mac(s);
    i.mtu = number(s);
    i.up = !strcmp(word(s), "up");
    return i;
}

/* Reads next hops to the end of the line. */
static size_t
nexthops(struct script *s, struct xf_nexthop *hops)
{
    size_t n = 0;

    while (s->next < s->n_words) {
        struct xf_nexthop hop = { .weight = 1 };
        int times = 1;

        if (next_is(s, "via")) {
            hop.gateway = ip(s);
        }
        if (next_is(s, "dev")) {
            hop.ifindex = number(s);
        }
        if (next_is(s, "weight")) {
            hop.weight = number(s);
        }
        if (next_is(s, "times")) {
            times = number(s);
        }
        while (times-- > 0 && n < MAX_WORDS) {
            hops[n++] = hop;
        }
    }
    return n;
}

/* ---- Output. ---- */

static const char *
ip_text(const struct in6_addr *addr)
{
    static char bufs[4][INET6_ADDRSTRLEN];
    static int i;

    i = (i + 1) % 4;
    return (xf_addr_is_v4(addr)
            ? inet_ntop(AF_INET, &addr->s6_addr[12], bufs[i], sizeof bufs[i])
            : inet_ntop(AF_INET6, addr, bufs[i], sizeof bufs[i]));
}

static void
report(int error, char *message)
{
    if (error) {
        printf("%s: %s\n", (error == EINVAL ? "EINVAL"
                            : error == ENOENT ? "ENOENT"
                            : error == EEXIST ? "EEXIST"
                            : error == ENOSPC ? "ENOSPC" : "?"), message);
        ovs_assert(message);
        free(message);
    } else {
        ovs_assert(!message);
    }
}

static void
print_lookup(const struct xf_rt *rt, const struct in6_addr *dst,
             uint32_t hash)
{
    struct xf_rt_result r;

    xf_rt_lookup(rt, dst, hash, &r);
    printf("%s: %s", ip_text(dst),
           (r.verdict == XF_FORWARD ? "forward"
            : r.verdict == XF_DROP ? "drop"
            : xf_punt_reason_name(r.reason)));
    if (r.has_route) {
        printf(" by %s/%d", ip_text(&r.prefix.addr), r.prefix.len);
    }
    if (r.out) {
        printf(" to %s on %s", ip_text(&r.nexthop), r.out->name);
    }
    if (r.verdict == XF_FORWARD) {
        printf(" at "ETH_ADDR_FMT, ETH_ADDR_ARGS(r.dmac));
    }
    printf(", %d bits%s\n", r.n_bits, r.used_hash ? ", by hash" : "");
}

static bool
print_route(const struct xf_route_info *info, void *aux OVS_UNUSED)
{
    const struct xf_route_spec *spec = &info->spec;

    printf("%s/%d %s source %s proto %d metric %"PRIu32,
           ip_text(&spec->prefix.addr), spec->prefix.len,
           xf_route_type_name(spec->type), info->source_name, spec->protocol,
           spec->metric);
    if (spec->nhid) {
        printf(" nhid %"PRIu32, spec->nhid);
    }
    for (size_t i = 0; i < spec->n_nexthops; i++) {
        const struct xf_nexthop *hop = &spec->nexthops[i];

        if (ipv6_addr_is_set(&hop->gateway)) {
            printf(" via %s", ip_text(&hop->gateway));
        }
        printf(" dev %"PRIu32" weight %d", hop->ifindex, hop->weight);
    }
    printf("%s%s\n", info->best ? " best" : "", info->stale ? " stale" : "");
    return true;
}

static bool
print_neigh(const struct xf_neigh_info *info, void *aux OVS_UNUSED)
{
    printf("%s on %s at "ETH_ADDR_FMT" %s source %"PRIu32" confirmed %lld\n",
           ip_text(&info->ip), info->iface->name, ETH_ADDR_ARGS(info->mac),
           xf_neighbor_state_name(info->state), info->source,
           info->confirmed_ms);
    return true;
}

static bool
print_addr(const struct xf_addr_info *info, void *aux OVS_UNUSED)
{
    printf("%s/%d on %s source %"PRIu32"\n", ip_text(&info->addr),
           info->prefix_len, info->iface, info->source);
    return true;
}

static bool
print_iface(const struct xf_iface *i, void *aux OVS_UNUSED)
{
    printf("%s ifindex %"PRIu32" vlan %d mac "ETH_ADDR_FMT" mtu %d %s\n",
           i->name, i->ifindex, i->vlan, ETH_ADDR_ARGS(i->mac), i->mtu,
           i->up ? "up" : "down");
    return true;
}

static void
print_wanted(const struct xf_rt *rt)
{
    struct xf_neigh_want want[64];
    size_t n = xf_rt_wanted_neighbors(rt, want, ARRAY_SIZE(want));

    for (size_t i = 0; i < n; i++) {
        printf("wanted: %s on %s\n", ip_text(&want[i].ip),
               want[i].iface->name);
    }
}

static void
print_usage(const struct xf_rt *rt)
{
    struct xf_rt_usage u;

    xf_rt_get_usage(rt, &u);
    printf("routes %"PRIuSIZE" prefixes %"PRIuSIZE" nexthops %"PRIuSIZE" "
           "neighbors %"PRIuSIZE" ifaces %"PRIuSIZE" addresses %"PRIuSIZE" "
           "trie nodes %"PRIuSIZE"\n", u.n_routes, u.n_prefixes, u.n_nexthops,
           u.n_neighbors, u.n_ifaces, u.n_addresses, u.n_trie_nodes);
}

static void
hear(struct script *s, const struct xf_rt *rt)
{
    static const char *const names[] = {
        [XF_NEIGH_KNOWN] = "known", [XF_NEIGH_NEW] = "new",
        [XF_NEIGH_OWN] = "own",
        [XF_NEIGH_MOVED] = "moved", [XF_NEIGH_IGNORE] = "ignore",
    };
    const struct xf_iface *i = xf_rt_iface_by_name(rt, word(s));
    struct in6_addr addr = ip(s);

    printf("%s: %s\n", ip_text(&addr),
           names[xf_rt_neigh_hear(rt, i, &addr, mac(s), 2000)]);
}

/* ---- Statements. ---- */

static int
route(struct script *s, uint32_t source, char **e)
{
    struct xf_nexthop hops[MAX_WORDS];
    struct xf_route_spec spec = { .prefix = prefix(s), .nexthops = hops };
    bool replace = false;

    for (;;) {
        if (next_is(s, "type")) {
            spec.type = number(s);
        } else if (next_is(s, "metric")) {
            spec.metric = number(s);
        } else if (next_is(s, "proto")) {
            spec.protocol = number(s);
        } else if (next_is(s, "nhid")) {
            spec.nhid = number(s);
        } else if (next_is(s, "replace")) {
            replace = true;
        } else {
            break;
        }
    }
    spec.n_nexthops = nexthops(s, hops);
    return xf_rt_route_add(s->rt, source, &spec, replace, e);
}

static int
route_del(struct script *s, uint32_t source, char **e)
{
    struct xf_prefix p = prefix(s);

    return xf_rt_route_del(s->rt, source, &p,
                           next_is(s, "metric") ? number(s) : UINT32_MAX, e);
}

static int
nexthop(struct script *s, uint32_t source, char **e)
{
    struct xf_nexthop hops[MAX_WORDS];
    uint32_t id = number(s);
    size_t n = nexthops(s, hops);

    return xf_rt_nexthop_set(s->rt, source, id, hops, n, e);
}

static int
group(struct script *s, uint32_t source, char **e)
{
    struct xf_nexthop_ref members[MAX_WORDS];
    uint32_t id = number(s);
    size_t n = 0;

    while (s->next < s->n_words) {
        members[n].id = number(s);
        members[n++].weight = number(s);
    }
    return xf_rt_nexthop_set_group(s->rt, source, id, members, n, e);
}

static int
addr(struct script *s, uint32_t source, bool add, char **e)
{
    const char *name = word(s);
    struct xf_prefix p = prefix(s);

    return (add ? xf_rt_addr_add : xf_rt_addr_del)(s->rt, source, name,
                                                   &p.addr, p.len, e);
}

static int
neigh(struct script *s, uint32_t source, char **e)
{
    const char *name = word(s);
    struct in6_addr addr_ = ip(s);
    struct eth_addr ea = mac(s);

    return xf_rt_neigh_set(s->rt, source, name, &addr_, ea, number(s), 1000,
                           e);
}

/* Statements of a source: "VERB SOURCE ...".  Returns false if 'verb' is none
 * of them. */
static bool
source_statement(struct script *s, const char *verb, int *error, char **e)
{
    static const char *const verbs[] = {
        "source", "source-del", "mark", "sweep", "route", "route-del",
        "nexthop", "group", "blackhole", "nexthop-del", "addr", "addr-del",
        "neigh",
    };
    struct xf_rt *rt = s->rt;
    const char *name;
    uint32_t source;
    int i;

    for (i = 0; i < ARRAY_SIZE(verbs) && strcmp(verb, verbs[i]); i++) {
        continue;
    }
    if (i >= ARRAY_SIZE(verbs)) {
        return false;
    }
    source = number(s);
    switch (i) {
    case 0:
        name = word(s);
        *error = xf_rt_source_add(rt, source, name, number(s), e);
        break;
    case 1: *error = xf_rt_source_del(rt, source, e); break;
    case 2: *error = xf_rt_source_mark(rt, source, e); break;
    case 3:
        printf("swept %"PRIuSIZE, xf_rt_source_sweep(rt, source, number(s)));
        printf(", %"PRIuSIZE" stale, %"PRIuSIZE" routes left\n",
               xf_rt_source_n_stale(rt, source),
               xf_rt_source_n_routes(rt, source));
        break;
    case 4: *error = route(s, source, e); break;
    case 5: *error = route_del(s, source, e); break;
    case 6: *error = nexthop(s, source, e); break;
    case 7: *error = group(s, source, e); break;
    case 8:
        *error = xf_rt_nexthop_set_blackhole(rt, source, number(s), e);
        break;
    case 9: *error = xf_rt_nexthop_del(rt, source, number(s), e); break;
    case 10: case 11: *error = addr(s, source, i == 10, e); break;
    case 12: *error = neigh(s, source, e); break;
    }
    return true;
}

/* Questions.  Returns false if 'verb' is none. */
static bool
question(struct script *s, const char *verb)
{
    struct xf_rt *rt = s->rt;

    if (!strcmp(verb, "lookup")) {
        struct in6_addr dst = ip(s);

        print_lookup(rt, &dst, s->next < s->n_words ? number(s) : 0);
    } else if (!strcmp(verb, "hear")) {
        hear(s, rt);
    } else if (!strcmp(verb, "routes")) {
        xf_rt_for_each_route(rt, print_route, NULL);
    } else if (!strcmp(verb, "neighs")) {
        xf_rt_for_each_neigh(rt, print_neigh, NULL);
    } else if (!strcmp(verb, "addrs")) {
        xf_rt_for_each_addr(rt, print_addr, NULL);
    } else if (!strcmp(verb, "ifaces")) {
        xf_rt_for_each_iface(rt, print_iface, NULL);
    } else if (!strcmp(verb, "wanted")) {
        print_wanted(rt);
    } else if (!strcmp(verb, "usage")) {
        print_usage(rt);
    } else {
        return false;
    }
    return true;
}

static void
statement(struct script *s)
{
    const char *verb = word(s);
    char *e = NULL;
    int error = 0;

    if (!strcmp(verb, "limits")) {
        struct xf_rt_limits limits;

        limits.max_routes = number(s);
        limits.max_nexthops = number(s);
        limits.max_neighbors = number(s);
        limits.max_ifaces = number(s);
        limits.max_addresses = number(s);
        xf_rt_destroy(s->rt);
        s->rt = xf_rt_create(&limits, retire_now, NULL);
    } else if (!strncmp(verb, "iface", 5) && strcmp(verb, "ifaces")) {
        if (!strcmp(verb, "iface-del")) {
            error = xf_rt_iface_del(s->rt, word(s), &e);
        } else {
            struct xf_iface i = iface(s);

            error = (!strcmp(verb, "iface") ? xf_rt_iface_add
                     : xf_rt_iface_update)(s->rt, &i, &e);
        }
    } else if (!strcmp(verb, "neigh-del")) {
        const char *name = word(s);
        struct in6_addr addr_ = ip(s);

        error = xf_rt_neigh_del(s->rt, name, &addr_, &e);
    } else if (!source_statement(s, verb, &error, &e) && !question(s, verb)) {
        ovs_fatal(0, "line %u: %s is unknown", s->line, verb);
    }
    report(error, e);
}

void
test_script(int argc OVS_UNUSED, char *argv[])
{
    static const struct xf_rt_limits limits = XF_RT_LIMITS_DEFAULT;
    FILE *file = strcmp(argv[0], "-") ? fopen(argv[0], "r") : stdin;
    struct script s = { .rt = xf_rt_create(&limits, retire_now, NULL) };
    char *line = NULL;
    size_t size = 0;

    if (!file) {
        ovs_fatal(errno, "%s: open failed", argv[0]);
    }
    while (getline(&line, &size, file) >= 0) {
        char *save_ptr = NULL;

        s.line++;
        s.next = s.n_words = 0;
        line[strcspn(line, "#")] = '\0';
        for (char *w = strtok_r(line, " \t\n", &save_ptr);
             w && s.n_words < MAX_WORDS; w = strtok_r(NULL, " \t\n",
                                                      &save_ptr)) {
            s.words[s.n_words++] = w;
        }
        if (s.n_words) {
            struct xf_rt_usage usage;

            statement(&s);
            xf_rt_get_usage(s.rt, &usage);
            if (usage.n_routes < 1000) {
                xf_rt_check(s.rt);
            }
        }
    }
    free(line);
    if (file != stdin) {
        fclose(file);
    }
    xf_rt_destroy(s.rt);
    ovsrcu_quiesce();
    ovsrcu_exit();
}
