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

#include "xfctl.h"

#include "engine/engine-private.h"
#include "hash.h"
#include "packets.h"
#include "util.h"

/* What the schema can't say.  Syntax is the engine's own: its parsers are called
 * here, so that what xfctl accepts is what a switch understands. */

#define MAC_MAX_TRIES 1000

/* ---- Values. ---- */

char *
xf_check_mac(const char *s, char **canonical)
{
    struct eth_addr mac;
    char *error = xf_args_parse_mac(s, &mac);

    if (!error) {
        *canonical = xasprintf(ETH_ADDR_FMT, ETH_ADDR_ARGS(mac));
    }
    return error;
}

char *
xf_check_prefix(const char *s, char **canonical)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    struct xf_prefix prefix;
    char *error = xf_args_parse_prefix(s, &prefix);

    if (!error) {
        xf_prefix_format(&prefix, &ds);
        *canonical = ds_steal_cstr(&ds);
    }
    return error;
}

/* ADDRESS/LENGTH of an interface. */
char *
xf_check_address(const char *s, char **canonical)
{
    char *option = xasprintf("address=%s", s);
    const char *argv[] = { option };
    struct xf_args args;
    char *error;

    memset(&args, 0, sizeof args);
    error = xf_args_parse_port_options(&args, 1, argv);
    free(option);
    if (!error) {
        char buf[INET6_ADDRSTRLEN];

        *canonical = xasprintf("%s/%"PRIu8,
                               xf_addr_string(buf, &args.addrs[0].addr),
                               args.addrs[0].len);
    }
    return error;
}

/* Lines that a network file can hold: no comments, no empty lines. */
char *
xf_check_config(const char *s, char **canonical OVS_UNUSED)
{
    for (const char *p = s; *p; p++) {
        bool begins = p == s || p[-1] == '\n' || p[-1] == ' ' || p[-1] == '\t';

        if ((begins && *p == ';')
            || ((p == s || p[-1] == '\n') && strchr("# \t\n", *p))
            || ((unsigned char) *p < ' ' && !strchr("\n\t", *p))) {
            return xasprintf("'%.*s' is no line for config: leave out empty "
                             "lines, comments and space at the beginning",
                             (int) strcspn(p, "\n"), p);
        }
    }
    return NULL;
}

/* Names with spaces between them. */
char *
xf_check_path(const char *s, char **canonical OVS_UNUSED)
{
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;

    for (char *word = strtok_r(copy, " \t\n", &save); word && !error;
         word = strtok_r(NULL, " \t\n", &save)) {
        error = xf_name_check(word, NULL);
    }
    free(copy);
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
check_prefixes(const char *s)
{
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;

    for (char *word = strtok_r(copy, " \t\n", &save); word && !error;
         word = strtok_r(NULL, " \t\n", &save)) {
        struct xf_prefix prefix;

        error = xf_args_parse_prefix(word, &prefix);
    }
    free(copy);
    return error;
}

/* A key of the columns Router:settings or Router:protocols. */
char *
xf_check_setting(const char *key, const char *value)
{
    uint64_t x;

    if (!strcmp(key, "ospf-dead")) {
        return xf_args_parse_uint(key, value, 2, 65535, &x);
    } else if (!strcmp(key, "asn")) {
        return xf_args_parse_uint(key, value, 1, UINT32_MAX - 1, &x);
    } else if (!strcmp(key, "announce")) {
        return check_prefixes(value);
    } else if (!strcmp(key, "ospf") || !strcmp(key, "bgp")) {
        return xf_check_path(value, NULL);
    } else if (!strcmp(key, "feed")) {
        return (!strcmp(value, "fpm") || !strcmp(value, "guestd") ? NULL
                : xasprintf("'feed=%s' must be fpm or guestd", value));
    }

    /* An address to listen on is needed beside a device. */
    char *option = xasprintf("%s=%s", key, value);
    const char *argv[] = { option };
    struct xf_args args;
    char *error;

    memset(&args, 0, sizeof args);
    error = xf_args_parse_router_options(&args, 1, argv);
    free(option);
    return error;
}

/* ---- Objects. ---- */

static xf_row *
other_row(struct ctl_context *ctx, xf_row *row, xf_row *at)
{
    do {
        at = at ? ovsdb_idl_next_row(at)
             : ovsdb_idl_first_row(ctx->idl, row->table->class_);
    } while (at == row);
    return at;
}

/* Gives interface 'row' a locally administered MAC that no other has: the same
 * each time for one name. */
void
xf_make_mac(struct ctl_context *ctx, xf_row *row)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_object_name(ctx->idl, xf_kind_find("if"), row, &ds);
    for (int try = 0; try < MAC_MAX_TRIES; try++) {
        uint32_t hash = hash_string(ds_cstr(&ds), try);
        char *mac = xasprintf("52:54:%02x:%02x:%02x:%02x", hash >> 24,
                              (hash >> 16) & 0xff, (hash >> 8) & 0xff,
                              hash & 0xff);
        bool used = xf_mac_find(row, mac);

        if (!used) {
            xf_string_set(row, &xfrec_interface_col_mac, mac);
        }
        free(mac);
        if (!used) {
            break;
        }
    }
    ds_destroy(&ds);
}

/* An interface is in a segment or in a link. */
static char * OVS_WARN_UNUSED_RESULT
check_not_linked(struct ctl_context *ctx, const struct xfrec_interface *iface)
{
    const struct xfrec_link *link;

    XFREC_LINK_FOR_EACH (link, ctx->idl) {
        if (iface->segment && (link->interface1 == iface
                               || link->interface2 == iface)) {
            return xasprintf("interface '%s:%s' is an end of link '%s': "
                             "remove that before it is in a segment",
                             iface->router->name, iface->name, link->name);
        }
    }
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
check_interface(struct ctl_context *ctx, xf_row *row)
{
    const char *mac = xf_string_get(row, &xfrec_interface_col_mac);
    xf_row *other = xf_mac_find(row, mac);

    if (other) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        xf_object_name(ctx->idl, xf_kind_find("if"), other, &ds);
        char *error = xasprintf("interface '%s' has mac %s already: choose "
                                "another, or leave mac out", ds_cstr(&ds),
                                mac);
        ds_destroy(&ds);
        return error;
    }
    return check_not_linked(ctx, CONTAINER_OF(row, struct xfrec_interface,
                                              header_));
}

static char * OVS_WARN_UNUSED_RESULT
check_segment(struct ctl_context *ctx, xf_row *row)
{
    int64_t vlan = xf_integer_get(row, &xfrec_segment_col_vlan);
    xf_row *other = NULL;

    while ((other = other_row(ctx, row, other))) {
        if (xf_integer_get(other, &xfrec_segment_col_vlan) == vlan) {
            return xasprintf("segment '%s' has vlan %"PRId64" already: choose "
                             "another, since a VLAN means the same on all "
                             "hosts",
                             xf_string_get(other, &xfrec_segment_col_name),
                             vlan);
        }
    }
    return xf_link_check_vlan(ctx->idl, vlan, NULL);
}

static char * OVS_WARN_UNUSED_RESULT
check_edge(struct ctl_context *ctx, xf_row *row)
{
    const struct xfrec_edge_port *edge
        = CONTAINER_OF(row, struct xfrec_edge_port, header_);
    const struct xfrec_link *link;

    XFREC_LINK_FOR_EACH (link, ctx->idl) {
        if (link->edge == edge && edge->segment) {
            return xasprintf("edge port '%s:%s' is an end of link '%s': "
                             "remove that before it is in a segment",
                             edge->host->name, edge->port, link->name);
        }
    }
    return xf_link_check_vlan(ctx->idl, edge->vlan, &edge->host->header_);
}

static bool
same_port(const struct xfrec_host *host, const char *port,
          const struct xfrec_physical_link *link)
{
    return ((link->host1 == host && !strcmp(link->port1, port))
            || (link->host2 == host && !strcmp(link->port2, port)));
}

static char * OVS_WARN_UNUSED_RESULT
check_trunk(struct ctl_context *ctx, xf_row *row)
{
    const struct xfrec_physical_link *link
        = CONTAINER_OF(row, struct xfrec_physical_link, header_);
    const struct xfrec_physical_link *other;

    if (link->host1 == link->host2) {
        return xasprintf("trunk '%s' has both ends at host '%s': name two "
                         "hosts", link->name, link->host1->name);
    }
    XFREC_PHYSICAL_LINK_FOR_EACH (other, ctx->idl) {
        bool first = same_port(link->host1, link->port1, other);

        if (other != link
            && (first || same_port(link->host2, link->port2, other))) {
            return xasprintf("port '%s:%s' is an end of trunk '%s' already: "
                             "name another port",
                             first ? link->host1->name : link->host2->name,
                             first ? link->port1 : link->port2, other->name);
        }
    }
    return NULL;
}

static bool
shares_end(const struct xfrec_link *a, const struct xfrec_link *b)
{
    return (a->interface1 == b->interface1
            || a->interface1 == b->interface2
            || (a->interface2 && (a->interface2 == b->interface1
                                  || a->interface2 == b->interface2))
            || (a->edge && a->edge == b->edge));
}

/* Whether 'path' names trunks only. */
static char * OVS_WARN_UNUSED_RESULT
check_trunks(struct ctl_context *ctx, const char *path)
{
    char *copy = xstrdup(path);
    char *save = NULL;
    char *error = NULL;

    for (char *word = strtok_r(copy, " \t\n", &save); word && !error;
         word = strtok_r(NULL, " \t\n", &save)) {
        xf_row *trunk;

        error = xf_object_get(ctx, xf_kind_find("trunk"), word, &trunk);
    }
    free(copy);
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
check_link(struct ctl_context *ctx, xf_row *row)
{
    const struct xfrec_link *link
        = CONTAINER_OF(row, struct xfrec_link, header_);
    const struct xfrec_link *other;

    if (!link->interface1) {
        return xasprintf("link '%s' has an edge port as end1: an edge port "
                         "can be end2 alone", link->name);
    }
    if (link->interface1 == link->interface2) {
        return xasprintf("link '%s' has the same interface at both ends: name "
                         "two", link->name);
    }
    if (link->interface1->segment
        || (link->interface2 && link->interface2->segment)) {
        const struct xfrec_interface *iface = link->interface1->segment
            ? link->interface1 : link->interface2;
        return xasprintf("interface '%s:%s' is in segment '%s': take it out "
                         "(if-set ... segment=) before it is an end of link "
                         "'%s'", iface->router->name, iface->name,
                         iface->segment->name, link->name);
    }
    if (link->edge && link->edge->segment) {
        return xasprintf("edge port '%s:%s' is in segment '%s': take it out "
                         "(edge-set ... segment=) before it is an end of link "
                         "'%s'", link->edge->host->name, link->edge->port,
                         link->edge->segment->name, link->name);
    }
    XFREC_LINK_FOR_EACH (other, ctx->idl) {
        if (other != link && shares_end(link, other)) {
            return xasprintf("link '%s' has one of these ends already: an "
                             "interface or edge port is in one link",
                             other->name);
        }
    }
    if (!strcmp(link->policy, "pinned") != !!link->path[0]) {
        return xasprintf("link '%s' has %s: give policy=pinned and path "
                         "together", link->name,
                         link->path[0] ? "a path and another policy"
                         : "policy=pinned and no path");
    }
    return check_trunks(ctx, link->path);
}

/* Whether each word of 'names', those in protocols:'key', is an interface. */
static char * OVS_WARN_UNUSED_RESULT
check_protocol(struct ctl_context *ctx, const struct xfrec_router *router,
               const char *key)
{
    const char *names = smap_get_def(&router->protocols, key, "");
    char *copy = xstrdup(names);
    char *save = NULL;
    char *error = NULL;

    for (char *word = strtok_r(copy, " \t\n", &save); word && !error;
         word = strtok_r(NULL, " \t\n", &save)) {
        char *name = xasprintf("%s:%s", router->name, word);
        xf_row *iface;

        error = xf_object_find(ctx, xf_kind_find("if"), name, &iface);
        if (!error && !iface) {
            error = xasprintf("%s of router '%s' names interface '%s', which "
                              "it doesn't have: add it with if-add first",
                              key, router->name, word);
        }
        free(name);
    }
    free(copy);
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
check_router(struct ctl_context *ctx, xf_row *row)
{
    const struct xfrec_router *router
        = CONTAINER_OF(row, struct xfrec_router, header_);
    char *error = xf_place(ctx, row);

    if (error) {
        return error;
    } else if (router->host && strcmp(router->host->kind, "xenflow")) {
        return xasprintf("host '%s' is a switch of kind %s: it can't carry "
                         "router '%s'", router->host->name,
                         router->host->kind, router->name);
    }
    if (smap_get(&router->settings, "fail")
        && strcmp(router->role, "middlebox")) {
        return xasprintf("router '%s' has fail: that is for role=middlebox "
                         "alone", router->name);
    }
    if (smap_get(&router->settings, "device")
        && !smap_get(&router->settings, "listen")) {
        return xasprintf("router '%s' has device without listen: add "
                         "listen=ADDRESS:PORT", router->name);
    }
    error = check_protocol(ctx, router, "ospf");
    return error ? error : check_protocol(ctx, router, "bgp");
}

static char *
check_host(struct ctl_context *ctx OVS_UNUSED, xf_row *row)
{
    return (strcmp(xf_string_get(row, &xfrec_host_col_name), XF_ANY) ? NULL
            : xstrdup("a host can't be called '"XF_ANY"', which is what "
                      "routers have for any host: choose another name"));
}

/* What one object may not be beside others; once all its keys are set. */
char *
xf_check_object(struct ctl_context *ctx, const struct xf_kind *kind,
                xf_row *row)
{
    static const struct {
        const char *kind;
        char *(*check)(struct ctl_context *, xf_row *);
    } checks[] = {
        { "host", check_host },
        { "if", check_interface },
        { "segment", check_segment },
        { "edge", check_edge },
        { "trunk", check_trunk },
        { "link", check_link },
        { "router", check_router },
    };

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
        if (!strcmp(kind->name, checks[i].kind)) {
            return checks[i].check(ctx, row);
        }
    }
    return NULL;
}
