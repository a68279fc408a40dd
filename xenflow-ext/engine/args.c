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

#include <errno.h>
#include <net/if.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "socket-util.h"
#include "util.h"

/* Syntax of commands' arguments.  Runs in the main thread and knows nothing of
 * routers: what is refused here is wrong whatever exists. */

#define FPM_PORT 2620           /* IANA's "fpm" port. */
#define IPV4_MTU_MIN 68         /* RFC 791. */
#define IPV6_MTU_MIN 1280       /* RFC 8200 5. */
#define SECONDS_MAX (7 * 24 * 3600)

/* How a "key=value" argument is read. */
struct option {
    const char *key;
    uint32_t bit;               /* Of 'enum xf_option'. */
    char *(*parse)(const struct option *, const char *value,
                   struct xf_args *);
    size_t ofs;                 /* Of the value in 'struct xf_args'. */
    uint64_t min, max;          /* Numbers. */
};

static void *
option_target(const struct option *option, struct xf_args *args)
{
    return (char *) args + option->ofs;
}

/* Whether the 'n' characters at 's' are 'key'.  Core's sentences name settings
 * with '_': that is understood too. */
static bool
key_equals(const char *key, const char *s, size_t n)
{
    if (strlen(key) != n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (key[i] != (s[i] == '_' ? '-' : s[i])) {
            return false;
        }
    }
    return true;
}

/* Parses 'n' arguments of form key=value by 'options'. */
static char * OVS_WARN_UNUSED_RESULT
parse_options(const struct option *options, size_t n_options,
              struct xf_args *args, int n, const char *argv[])
{
    uint64_t seen = 0;

    for (int i = 0; i < n; i++) {
        const char *eq = strchr(argv[i], '=');
        size_t j = n_options;

        if (eq) {
            for (j = 0; j < n_options; j++) {
                if (key_equals(options[j].key, argv[i], eq - argv[i])) {
                    break;
                }
            }
        }
        if (j >= n_options) {
            struct ds ds = DS_EMPTY_INITIALIZER;

            ds_put_format(&ds, "'%s' isn't an option here: use KEY=VALUE with "
                          "one of", argv[i]);
            for (j = 0; j < n_options; j++) {
                ds_put_format(&ds, "%s %s", j ? "," : "", options[j].key);
            }
            return ds_steal_cstr(&ds);
        }
        if (seen & (UINT64_C(1) << j)) {
            return xasprintf("'%s' is given twice: give it once",
                             options[j].key);
        }
        seen |= UINT64_C(1) << j;

        char *error = options[j].parse(&options[j], eq + 1, args);
        if (error) {
            return error;
        }
        args->given |= options[j].bit;
    }
    return NULL;
}

/* Parses 's', a decimal number for 'what', into '*value'. */
char *
xf_args_parse_uint(const char *what, const char *s, uint64_t min,
                   uint64_t max, uint64_t *value)
{
    unsigned long long int x;

    if (!s[0] || s[strspn(s, "0123456789")] || !str_to_ullong(s, 10, &x)
        || x < min || x > max) {
        return xasprintf("'%s' is no value for %s: use a number from "
                         "%"PRIu64" to %"PRIu64, s, what, min, max);
    }
    *value = x;
    return NULL;
}

static char *
parse_u16(const struct option *option, const char *s, struct xf_args *args)
{
    uint64_t x;
    char *error = xf_args_parse_uint(option->key, s, option->min, option->max,
                                     &x);
    if (!error) {
        *(uint16_t *) option_target(option, args) = x;
    }
    return error;
}

static char *
parse_u32(const struct option *option, const char *s, struct xf_args *args)
{
    uint64_t x;
    char *error = xf_args_parse_uint(option->key, s, option->min, option->max,
                                     &x);
    if (!error) {
        *(uint32_t *) option_target(option, args) = x;
    }
    return error;
}

static char *
parse_u64(const struct option *option, const char *s, struct xf_args *args)
{
    return xf_args_parse_uint(option->key, s, option->min, option->max,
                              option_target(option, args));
}

static char *
parse_seconds(const struct option *option, const char *s,
              struct xf_args *args)
{
    uint64_t x;
    char *error = xf_args_parse_uint(option->key, s, option->min, option->max,
                                     &x);
    if (!error) {
        *(long long int *) option_target(option, args) = x * 1000;
    }
    return error;
}

static char *
parse_bool(const struct option *option, const char *s, struct xf_args *args)
{
    if (strcmp(s, "true") && strcmp(s, "false")) {
        return xasprintf("'%s' is no value for %s: use true or false", s,
                         option->key);
    }
    *(bool *) option_target(option, args) = !strcmp(s, "true");
    return NULL;
}

static char *
parse_role(const struct option *option OVS_UNUSED, const char *s,
           struct xf_args *args)
{
    for (int role = 0; role < XF_N_ROLES; role++) {
        if (!strcmp(s, xf_role_name(role))) {
            args->config.role = role;
            return NULL;
        }
    }
    return xasprintf("'%s' is no role: use router, switch or middlebox", s);
}

static char *
parse_fail(const struct option *option OVS_UNUSED, const char *s,
           struct xf_args *args)
{
    if (strcmp(s, "open") && strcmp(s, "closed")) {
        return xasprintf("'%s' is no value for fail: use open or closed", s);
    }
    args->config.fails_open = !strcmp(s, "open");
    return NULL;
}

static char *
parse_translation(const struct option *option OVS_UNUSED, const char *s,
                  struct xf_args *args)
{
    for (enum xf_translation t = XF_TRANSLATION_AUTO; t <= XF_TRANSLATION_FIB;
         t++) {
        if (!strcmp(s, xf_translation_name(t))) {
            args->config.translation = t;
            return NULL;
        }
    }
    return xasprintf("'%s' is no value for translation: use auto, flow or "
                     "fib", s);
}

static char *
parse_direction(const struct option *option OVS_UNUSED, const char *s,
                struct xf_args *args)
{
    args->select.both = !strcmp(s, "both");
    args->select.reverse = !strcmp(s, "reverse");
    return (args->select.both || args->select.reverse
            || !strcmp(s, "forward")
            ? NULL : xasprintf("'%s' is no direction: use forward, reverse "
                               "or both", s));
}

/* Parses 's', the name of a 'what', into 'name'. */
char *
xf_args_parse_name(const char *s, const char *what, char name[XF_NAME_MAX])
{
    size_t length = strlen(s);
    bool bad = !length || length >= XF_NAME_MAX || s[0] == '-';

    for (const char *p = s; *p; p++) {
        unsigned char c = *p;
        bad = bad || c <= ' ' || c >= 127 || strchr(",=/\"'\\", c);
    }
    if (bad) {
        return xasprintf("'%s' is no name for a %s: use 1 to %d printable "
                         "characters without space , = / \\ and quotes, the "
                         "first not '-'", s, what, XF_NAME_MAX - 1);
    }
    ovs_strlcpy(name, s, XF_NAME_MAX);
    return NULL;
}

static char *
parse_filter_default(const struct option *option, const char *s,
                     struct xf_args *args)
{
    if (strcmp(s, "permit") && strcmp(s, "deny")) {
        return xasprintf("'%s' is no value for %s: use permit or deny", s,
                         option->key);
    }
    args->config.filter_deny = !strcmp(s, "deny");
    return NULL;
}

static char *
parse_vif(const struct option *option, const char *s, struct xf_args *args)
{
    char *name = option_target(option, args);

    if (!s[0]) {
        name[0] = '\0';
        return NULL;
    }
    return xf_args_parse_name(s, "vif", name);
}

static char *
parse_via(const struct option *option, const char *s, struct xf_args *args)
{
    return xf_args_parse_name(s, "port", option_target(option, args));
}

static char *
parse_device(const struct option *option, const char *s, struct xf_args *args)
{
    if (strlen(s) >= IFNAMSIZ) {
        return xasprintf("'%s' is no device: the kernel's names have at most "
                         "%d characters", s, IFNAMSIZ - 1);
    }
    ovs_strlcpy(option_target(option, args), s, XF_NAME_MAX);
    return NULL;
}

/* Parses 's', an address, into '*addr'. */
char *
xf_args_parse_ip(const char *s, struct in6_addr *addr)
{
    ovs_be32 ip;

    if (ip_parse(s, &ip)) {
        *addr = in6_addr_mapped_ipv4(ip);
        return NULL;
    }

    struct in6_addr ip6;
    if (!ipv6_parse(s, &ip6)) {
        return xasprintf("'%s' is no address: use an IPv4 or IPv6 address", s);
    }
    if (IN6_IS_ADDR_V4MAPPED(&ip6)) {
        return xasprintf("'%s' is an IPv4-mapped address: write the IPv4 "
                         "address itself", s);
    }
    *addr = ip6;
    return NULL;
}

/* Parses 's', a unicast MAC, into '*mac'. */
char *
xf_args_parse_mac(const char *s, struct eth_addr *mac)
{
    struct eth_addr ea;

    if (!eth_addr_from_string(s, &ea)) {
        return xasprintf("'%s' is no MAC address: use six bytes, "
                         "xx:xx:xx:xx:xx:xx", s);
    }
    if (eth_addr_is_multicast(ea) || eth_addr_is_zero(ea)) {
        return xasprintf("'%s' is a %s MAC address: use that of one station",
                         s, eth_addr_is_zero(ea) ? "zero" : "multicast");
    }
    *mac = ea;
    return NULL;
}

static char *
parse_mac(const struct option *option, const char *s, struct xf_args *args)
{
    return xf_args_parse_mac(s, option_target(option, args));
}

static char *
parse_ip(const struct option *option, const char *s, struct xf_args *args)
{
    return xf_args_parse_ip(s, option_target(option, args));
}

/* Parses 's' of form ADDRESS/LENGTH, or ADDRESS alone if not 'need_length'. */
static char * OVS_WARN_UNUSED_RESULT
parse_addr_len(const char *s, bool need_length, struct in6_addr *addr,
               uint8_t *len)
{
    char host[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(s, '/');
    size_t host_length = slash ? slash - s : strlen(s);
    uint64_t x;

    if (!slash && need_length) {
        return xasprintf("'%s' has no prefix length: write ADDRESS/LENGTH", s);
    }
    if (host_length >= sizeof host) {
        return xasprintf("'%s' is no address: use an IPv4 or IPv6 address", s);
    }
    ovs_strlcpy(host, s, host_length + 1);
    char *error = xf_args_parse_ip(host, addr);
    if (error) {
        return error;
    }
    x = xf_addr_bits(addr);
    if (slash) {
        error = xf_args_parse_uint("prefix length", slash + 1, 0, x, &x);
        if (error) {
            return error;
        }
    }
    *len = x;
    return NULL;
}

/* Parses 's', a prefix: ADDRESS/LENGTH, ADDRESS, or "default". */
char *
xf_args_parse_prefix(const char *s, struct xf_prefix *prefix)
{
    struct xf_prefix p;
    char *error;

    if (!strcmp(s, "default")) {
        prefix->addr = in6_addr_mapped_ipv4(0);
        prefix->len = 0;
        return NULL;
    }
    error = parse_addr_len(s, false, &p.addr, &p.len);
    if (error) {
        return error;
    }

    struct in6_addr mask
        = ipv6_create_mask(p.len + 128 - xf_addr_bits(&p.addr));
    struct in6_addr net = ipv6_addr_bitand(&p.addr, &mask);
    if (!ipv6_addr_equals(&net, &p.addr)) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        p.addr = net;
        ds_put_format(&ds, "'%s' has bits beyond its prefix length: write ",
                      s);
        xf_prefix_format(&p, &ds);
        return ds_steal_cstr(&ds);
    }
    *prefix = p;
    return NULL;
}

/* Parses a comma-separated list of ADDRESS/LENGTH, possibly empty. */
static char *
parse_addresses(const struct option *option OVS_UNUSED, const char *s,
                struct xf_args *args)
{
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;

    args->n_addrs = 0;
    for (char *token = strtok_r(copy, ",", &save); token && !error;
         token = strtok_r(NULL, ",", &save)) {
        struct xf_addr_arg *a = &args->addrs[args->n_addrs];

        if (args->n_addrs >= XF_ADDR_ARGS_MAX) {
            error = xasprintf("more than %d addresses for one port: give "
                              "fewer", XF_ADDR_ARGS_MAX);
            break;
        }
        error = parse_addr_len(token, true, &a->addr, &a->len);
        if (!error && !a->len) {
            error = xasprintf("'%s' has prefix length 0: an interface's "
                              "address needs the length of its subnet",
                              token);
        }
        args->n_addrs++;
    }
    free(copy);
    return error;
}

/* Parses the name in a peer's certificate, "": the router's. */
static char *
parse_peer_name(const struct option *option, const char *s,
                struct xf_args *args)
{
    if (!s[0]) {
        args->config.peer_name[0] = '\0';
        return NULL;
    }
    return xf_args_parse_name(s, "peer", option_target(option, args));
}

/* Parses [pssl:]ADDRESS[:PORT] ([ADDRESS]:PORT for IPv6), or "none". */
static char *
parse_listen(const struct option *option OVS_UNUSED, const char *s,
             struct xf_args *args)
{
    struct sockaddr_storage ss;
    const char *whole = s;
    struct ds ds = DS_EMPTY_INITIALIZER;

    args->config.listen_tls = !strncmp(s, "pssl:", 5);
    s += args->config.listen_tls ? 5 : 0;
    if (!strcmp(whole, "none")) {
        args->config.listen[0] = '\0';
        args->config.listen_port = 0;
        return NULL;
    }
    if (!s[0] || strrchr(s, ':') == s || (s[0] == '[' && !strchr(s, ']'))
        || !inet_parse_active(s, FPM_PORT, &ss, false, NULL)) {
        return xasprintf("'%s' is nothing to listen on: use listen=ADDRESS "
                         "or ADDRESS:PORT, [ADDRESS]:PORT for IPv6, with "
                         "pssl: before it for TLS, or none", whole);
    }
    ss_format_address_nobracks(&ss, &ds);
    ovs_strlcpy(args->config.listen, ds_cstr(&ds),
                sizeof args->config.listen);
    args->config.listen_port = ss_get_port(&ss);
    ds_destroy(&ds);
    return NULL;
}

#define OFS(MEMBER) offsetof(struct xf_args, MEMBER)

/* Options of router-add and router-set. */
char *
xf_args_parse_router_options(struct xf_args *args, int n, const char *argv[])
{
    static const struct option options[] = {
        { "listen", XF_OPT_LISTEN, parse_listen, 0, 0, 0 },
        { "peer-name", XF_OPT_PEER_NAME, parse_peer_name,
          OFS(config.peer_name), 0, 0 },
        { "device", XF_OPT_DEVICE, parse_device, OFS(config.device), 0, 0 },
        { "ecmp-seed", XF_OPT_ECMP_SEED, parse_u32, OFS(config.ecmp_seed),
          0, UINT32_MAX },
        { "max-routes", XF_OPT_LIMIT, parse_u32,
          OFS(config.limits.max_routes), 0, 100000000 },
        { "max-nexthops", XF_OPT_LIMIT, parse_u32,
          OFS(config.limits.max_nexthops), 0, 10000000 },
        { "max-neighbors", XF_OPT_LIMIT, parse_u32,
          OFS(config.limits.max_neighbors), 0, 10000000 },
        { "max-ports", XF_OPT_LIMIT, parse_u32,
          OFS(config.limits.max_ifaces), 0, 4096 },
        { "max-ifaces", XF_OPT_LIMIT, parse_u32, /* Core's name of it. */
          OFS(config.limits.max_ifaces), 0, 4096 },
        { "max-addresses", XF_OPT_LIMIT, parse_u32,
          OFS(config.limits.max_addresses), 0, 1000000 },
        { "max-filters", XF_OPT_LIMIT, parse_u32,
          OFS(config.max_rules[XF_RULE_FILTER]), 0, 100000 },
        { "max-flows", XF_OPT_LIMIT, parse_u32,
          OFS(config.max_rules[XF_RULE_FLOW]), 0, 100000 },
        { "filter-default", XF_OPT_FILTER_DEFAULT, parse_filter_default,
          0, 0, 0 },
        { "punt-rate", XF_OPT_PUNT_RATE, parse_u32, OFS(config.punt_rate),
          0, 100000000 },
        { "stale", XF_OPT_STALE, parse_seconds, OFS(config.stale_ms),
          0, SECONDS_MAX },
        { "settle", XF_OPT_SETTLE, parse_seconds, OFS(config.settle_ms),
          1, SECONDS_MAX },
        { "reachable", XF_OPT_REACHABLE, parse_seconds,
          OFS(config.reachable_ms), 1, SECONDS_MAX },
        { "separated", XF_OPT_SEPARATED, parse_bool, OFS(config.separated),
          0, 0 },
        { "translation", XF_OPT_TRANSLATION, parse_translation, 0, 0, 0 },
        { "role", XF_OPT_ROLE, parse_role, 0, 0, 0 },
        { "fail", XF_OPT_FAIL, parse_fail, 0, 0, 0 },
    };

    return parse_options(options, ARRAY_SIZE(options), args, n, argv);
}

/* Options of port-add and port-set. */
char *
xf_args_parse_port_options(struct xf_args *args, int n, const char *argv[])
{
    static const struct option options[] = {
        { "vlan", XF_OPT_VLAN, parse_u16, OFS(iface.vlan), 0, 4094 },
        { "mac", XF_OPT_MAC, parse_mac, OFS(iface.mac), 0, 0 },
        { "vif", XF_OPT_VIF, parse_vif, OFS(iface.vif), 0, 0 },
        { "ifindex", XF_OPT_IFINDEX, parse_u32, OFS(iface.ifindex),
          0, INT32_MAX },
        { "mtu", XF_OPT_MTU, parse_u16, OFS(iface.mtu),
          IPV4_MTU_MIN, UINT16_MAX },
        { "address", XF_OPT_ADDRESS, parse_addresses, 0, 0, 0 },
        { "up", XF_OPT_UP, parse_bool, OFS(iface.up), 0, 0 },
    };

    return parse_options(options, ARRAY_SIZE(options), args, n, argv);
}

/* Options of route-lookup. */
char *
xf_args_parse_lookup_options(struct xf_args *args, int n, const char *argv[])
{
    static const struct option options[] = {
        { "proto", XF_OPT_PROTO, parse_u16, OFS(nw_proto), 0, 255 },
        { "src", XF_OPT_SRC, parse_ip, OFS(src), 0, 0 },
        { "sport", XF_OPT_SPORT, parse_u16, OFS(sport), 0, UINT16_MAX },
        { "dport", XF_OPT_DPORT, parse_u16, OFS(dport), 0, UINT16_MAX },
    };

    return parse_options(options, ARRAY_SIZE(options), args, n, argv);
}

/* Options of select-add and select-del. */
char *
xf_args_parse_select_options(struct xf_args *args, int n, const char *argv[])
{
    static const struct option options[] = {
        { "via", XF_OPT_VIA, parse_via, OFS(select.via.port), 0, 0 },
        { "direction", XF_OPT_DIRECTION, parse_direction, 0, 0, 0 },
        { "priority", XF_OPT_PRIORITY, parse_u16, OFS(select.priority),
          0, UINT16_MAX },
    };

    args->select.priority = XF_RULE_PRIORITY_DEFAULT;
    return parse_options(options, ARRAY_SIZE(options), args, n, argv);
}

/* Options of lists that can be long. */
char *
xf_args_parse_listing_options(struct xf_args *args, int n, const char *argv[])
{
    static const struct option options[] = {
        { "skip", XF_OPT_SKIP, parse_u64, OFS(skip), 0, UINT32_MAX },
        { "limit", XF_OPT_ROWS, parse_u64, OFS(limit), 1, UINT32_MAX },
    };

    args->limit = XF_ROWS_DEFAULT;
    return parse_options(options, ARRAY_SIZE(options), args, n, argv);
}

/* ---- rule-add: PREFIX TARGET [metric N] ---- */

/* Words of a rule that still have to be read. */
struct words {
    int n;
    const char **argv;
};

/* If the next word is 'word', takes it. */
static bool
match_word(struct words *w, const char *word)
{
    if (w->n && !strcmp(w->argv[0], word)) {
        w->n--;
        w->argv++;
        return true;
    }
    return false;
}

/* Takes the value that must follow 'word'. */
static char * OVS_WARN_UNUSED_RESULT
take_value(struct words *w, const char *word, const char **value)
{
    if (!w->n) {
        return xasprintf("'%s' is the last word: give its value after it",
                         word);
    }
    *value = w->argv[0];
    w->n--;
    w->argv++;
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
take_uint(struct words *w, const char *word, uint64_t min, uint64_t max,
          uint64_t *value)
{
    const char *s = NULL;
    char *error = take_value(w, word, &s);

    return error ? error : xf_args_parse_uint(word, s, min, max, value);
}

static char * OVS_WARN_UNUSED_RESULT
unknown_word(const char *word)
{
    return xasprintf("'%s' isn't understood: after the prefix come via "
                     "ADDRESS, dev PORT, weight N, nexthop, blackhole, "
                     "unreachable, prohibit, local, metric N, proto N", word);
}

/* Reads one next hop: [via GW] [dev PORT] [weight N], in any order. */
static char * OVS_WARN_UNUSED_RESULT
parse_hop(struct words *w, struct xf_args *args)
{
    struct xf_hop_arg hop = { .weight = 1 };
    bool via = false;
    const char *s = NULL;
    char *error = NULL;
    uint64_t x;

    while (!error) {
        if (match_word(w, "via")) {
            error = take_value(w, "via", &s);
            error = error ? error : xf_args_parse_ip(s, &hop.gateway);
            via = true;
        } else if (match_word(w, "dev")) {
            error = take_value(w, "dev", &s);
            error = error ? error : xf_args_parse_name(s, "port", hop.dev);
        } else if (match_word(w, "weight")) {
            error = take_uint(w, "weight", 1, 256, &x);
            hop.weight = error ? 1 : x;
        } else {
            break;
        }
    }
    if (error) {
        return error;
    }
    if (!via && !hop.dev[0] && w->n) {
        return unknown_word(w->argv[0]);
    }
    if (!via && !hop.dev[0]) {
        return xstrdup("a next hop has neither gateway nor port: write via "
                       "ADDRESS, dev PORT, or both");
    }
    if (args->n_hops >= XF_NH_MAX) {
        return xasprintf("more than %d next hops: give fewer", XF_NH_MAX);
    }
    args->hops = xrealloc(args->hops,
                          (args->n_hops + 1) * sizeof *args->hops);
    args->hops[args->n_hops++] = hop;
    return NULL;
}

/* Reads the type of a route if it is one without next hops. */
static bool
match_type(struct words *w, enum xf_route_type *type)
{
    static const struct {
        const char *word;
        enum xf_route_type type;
    } types[] = {
        { "blackhole", XF_ROUTE_BLACKHOLE },
        { "unreachable", XF_ROUTE_UNREACHABLE },
        { "prohibit", XF_ROUTE_PROHIBIT },
        { "local", XF_ROUTE_LOCAL },
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        if (match_word(w, types[i].word)) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

/* Reads what follows the target: [metric N] [proto N]. */
static char * OVS_WARN_UNUSED_RESULT
parse_rule_end(struct words *w, struct xf_args *args)
{
    char *error = NULL;
    uint64_t x;

    while (w->n && !error) {
        if (match_word(w, "metric")) {
            error = take_uint(w, "metric", 0, UINT32_MAX - 1, &x);
            args->metric = error ? 0 : x;
        } else if (match_word(w, "proto")) {
            error = take_uint(w, "proto", 0, UINT8_MAX, &x);
            args->protocol = error ? 0 : x;
        } else {
            return unknown_word(w->argv[0]);
        }
    }
    return error;
}

/* Reads PREFIX and a target:
 *
 *   [via GW] [dev PORT] [weight N] [nexthop via GW ...]...
 *   nexthop via GW ... nexthop via GW ...
 *   blackhole | unreachable | prohibit | local
 *
 * and [metric N] [proto N]. */
char *
xf_args_parse_rule(struct xf_args *args, int n, const char *argv[])
{
    struct words w = { .n = n - 1, .argv = argv + 1 };
    char *error = xf_args_parse_prefix(argv[0], &args->prefix);

    if (error) {
        return error;
    }
    args->has_prefix = true;
    args->protocol = 4;         /* RTPROT_STATIC. */
    args->type = XF_ROUTE_UNICAST;
    if (!match_type(&w, &args->type)) {
        match_word(&w, "nexthop");
        do {
            error = parse_hop(&w, args);
        } while (!error && match_word(&w, "nexthop"));
    }
    error = error ? error : parse_rule_end(&w, args);
    if (!error && !strcmp(argv[0], "default") && args->n_hops
        && !xf_addr_is_v4(&args->hops[0].gateway)
        && !ipv6_addr_equals(&args->hops[0].gateway, &in6addr_any)) {
        args->prefix.addr = in6addr_any;
    }
    return error;
}
