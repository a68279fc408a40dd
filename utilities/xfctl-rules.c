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
#include "ovsdb-idl-provider.h"
#include "packets.h"
#include "sset.h"
#include "util.h"

/* What a router has in rows of their own.  A command's words are those of the
 * engine's command of the same name, parsed by the engine's parsers; rows hold
 * their canonical form, so that two texts of one rule are one row. */

/* ---- Common. ---- */

static char *
match_text(const struct xf_match *match)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    xf_match_format(match, &ds);
    return ds_steal_cstr(&ds);
}

static char * OVS_WARN_UNUSED_RESULT
find_iface(struct ctl_context *ctx, const struct xfrec_router *router,
           const char *name, const struct xfrec_interface **iface)
{
    char *full = xasprintf("%s:%s", router->name, name);
    xf_row *row;
    char *error = xf_object_find(ctx, xf_kind_find("if"), full, &row);

    free(full);
    if (!error && !row) {
        error = xasprintf("router '%s' has no interface '%s': see if-list, or "
                          "add it with if-add", router->name, name);
    }
    *iface = error ? NULL : CONTAINER_OF(row, struct xfrec_interface, header_);
    return error;
}

/* ---- Routes. ---- */

static const char *
route_action(enum xf_route_type type)
{
    return (type == XF_ROUTE_BLACKHOLE ? "blackhole"
            : type == XF_ROUTE_UNREACHABLE ? "unreachable"
            : type == XF_ROUTE_PROHIBIT ? "prohibit"
            : type == XF_ROUTE_LOCAL ? "local" : "forward");
}

/* "via A dev P weight N" */
static void
put_hop(struct sset *hops, const struct xf_hop_arg *hop)
{
    struct ds ds = DS_EMPTY_INITIALIZER;
    char buf[INET6_ADDRSTRLEN];

    if (!ipv6_addr_equals(&hop->gateway, &in6addr_any)) {
        ds_put_format(&ds, "via %s", xf_addr_string(buf, &hop->gateway));
    }
    if (hop->dev[0]) {
        ds_put_format(&ds, "%sdev %s", ds.length ? " " : "", hop->dev);
    }
    if (hop->weight != 1) {
        ds_put_format(&ds, " weight %"PRIu16, hop->weight);
    }
    sset_add(hops, ds_cstr(&ds));
    ds_destroy(&ds);
}

static const struct xfrec_static_route *
find_route(const struct xfrec_router *router, const char *prefix,
           int64_t metric)
{
    const struct xfrec_static_route *found = NULL;
    struct xf_rows rows = xf_children_with_string(
        xf_child_kind_find("rule"), &router->header_, prefix);

    for (size_t i = 0; i < rows.n; i++) {
        const struct xfrec_static_route *route = CONTAINER_OF(
            rows.rows[i], struct xfrec_static_route, header_);

        found = route->metric == metric ? route : found;
    }
    free(rows.rows);
    return found;
}

static void
write_route(struct ctl_context *ctx, const struct xfrec_router *router,
            const char *prefix, const struct xf_args *args)
{
    const struct xfrec_static_route *route
        = find_route(router, prefix, args->metric);
    struct sset hops = SSET_INITIALIZER(&hops);

    for (size_t i = 0; i < args->n_hops; i++) {
        put_hop(&hops, &args->hops[i]);
    }
    if (!route) {
        route = xfrec_static_route_insert(ctx->txn);
        xfrec_static_route_set_router(route, router);
        xfrec_static_route_set_prefix(route, prefix);
        xfrec_static_route_set_metric(route, args->metric);
    }
    xfrec_static_route_set_protocol(route, args->protocol);
    xfrec_static_route_set_action(route, route_action(args->type));
    const char **array = sset_array(&hops);
    xfrec_static_route_set_nexthops(route, array, sset_count(&hops));
    free(array);
    sset_destroy(&hops);
}

static char *
rule_add(struct ctl_context *ctx, const struct xfrec_router *router, int n,
         const char *argv[])
{
    struct xf_args args;
    char *error;

    memset(&args, 0, sizeof args);
    error = xf_args_parse_rule(&args, n, argv);
    for (size_t i = 0; !error && i < args.n_hops; i++) {
        const struct xfrec_interface *iface;

        if (args.hops[i].dev[0]) {
            error = find_iface(ctx, router, args.hops[i].dev, &iface);
        }
    }
    if (!error) {
        struct ds prefix = DS_EMPTY_INITIALIZER;

        xf_prefix_format(&args.prefix, &prefix);
        write_route(ctx, router, ds_cstr(&prefix), &args);
        ds_destroy(&prefix);
    }
    free(args.hops);
    return error;
}

static char *
rule_del(struct ctl_context *ctx OVS_UNUSED,
         const struct xfrec_router *router, int n, const char *argv[],
         bool *found)
{
    struct xf_prefix prefix;
    char *error = xf_args_parse_prefix(argv[0], &prefix);
    uint64_t metric = 0;

    if (!error && n == 2) {
        error = xasprintf("'%s' isn't understood: write metric N", argv[1]);
    } else if (!error && n > 2) {
        error = (strcmp(argv[1], "metric") || n > 3
                 ? xasprintf("'%s' isn't understood: write metric N",
                             argv[n > 3 ? 3 : 1])
                 : xf_args_parse_uint("metric", argv[2], 0, UINT32_MAX - 1,
                                      &metric));
    }
    if (!error) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        xf_prefix_format(&prefix, &ds);
        const struct xfrec_static_route *route
            = find_route(router, ds_cstr(&ds), metric);
        *found = route;
        if (route) {
            xfrec_static_route_delete(route);
        }
        ds_destroy(&ds);
    }
    return error;
}

static void
rule_format(xf_row *row, struct ds *ds)
{
    const struct xfrec_static_route *route
        = CONTAINER_OF(row, struct xfrec_static_route, header_);

    ds_put_cstr(ds, route->prefix);
    if (strcmp(route->action, "forward")) {
        ds_put_format(ds, " %s", route->action);
    }
    for (size_t i = 0; i < route->n_nexthops; i++) {
        ds_put_format(ds, "%s %s", i ? " nexthop" : "", route->nexthops[i]);
    }
    if (route->metric) {
        ds_put_format(ds, " metric %"PRId64, route->metric);
    }
    if (route->protocol != 4) {
        ds_put_format(ds, " proto %"PRId64, route->protocol);
    }
}

/* ---- Filters and flows. ---- */

/* The columns of a table of rules with match and priority. */
struct ruled {
    const char *kind;
    const struct ovsdb_idl_column *match;
    const struct ovsdb_idl_column *does;
};

static const struct ruled filters = {
    "filter", &xfrec_filter_col_match, &xfrec_filter_col_action
};
static const struct ruled flows = {
    "flow", &xfrec_flow_col_match, &xfrec_flow_col_actions
};

/* Stores in '*found' the row of that match and priority, or NULL.  A sentence
 * about another row that contradicts 'does', which may be NULL. */
static char * OVS_WARN_UNUSED_RESULT
find_ruled(const struct ruled *ruled, const struct xfrec_router *router,
           const struct xf_rule_args *rule, const char *match,
           const char *does, xf_row **found)
{
    struct xf_rows rows = xf_children_with_integer(
        xf_child_kind_find(ruled->kind), &router->header_, rule->priority);
    char *error = NULL;

    *found = NULL;
    for (size_t i = 0; i < rows.n && !error; i++) {
        const char *other_match = xf_string_get(rows.rows[i], ruled->match);
        const char *other_does = xf_string_get(rows.rows[i], ruled->does);
        struct xf_match other;

        if (!strcmp(other_match, match)) {
            *found = rows.rows[i];
            continue;
        } else if (!does || !strcmp(other_does, does)) {
            continue;
        }

        char *bad = xf_match_parse(other_match, &other);
        if (!bad && xf_match_overlaps(&other, &rule->match)) {
            error = xasprintf("%s '%s' of priority %d says %s for some of the "
                              "same packets: use another priority",
                              ruled->kind, other_match, rule->priority,
                              other_does);
        }
        free(bad);
    }
    free(rows.rows);
    return error;
}

/* Adds the row that 'rule' and 'does' say, or makes the one with its match and
 * priority do that. */
static char *
ruled_add(struct ctl_context *ctx, const struct ruled *ruled,
          const struct xfrec_router *router, const struct xf_rule_args *rule,
          const char *does)
{
    const struct xf_child_kind *kind = xf_child_kind_find(ruled->kind);
    char *match = match_text(&rule->match);
    xf_row *row;
    char *error = find_ruled(ruled, router, rule, match, does, &row);

    if (!error) {
        if (!row) {
            row = ovsdb_idl_txn_insert(ctx->txn, kind->table, NULL);
            xf_ref_set(row, kind->router, &router->header_);
            xf_string_set(row, ruled->match, match);
            xf_integer_set(row, kind->key, rule->priority);
        }
        xf_string_set(row, ruled->does, does);
    }
    free(match);
    return error;
}

static char *
ruled_del(const struct ruled *ruled, const struct xfrec_router *router, int n,
          const char *argv[], bool *found)
{
    struct xf_rule_args rule;
    xf_row *row = NULL;
    char *error;

    memset(&rule, 0, sizeof rule);
    error = xf_rule_args_parse_del(&rule, n, argv);
    if (!error) {
        char *match = match_text(&rule.match);

        error = find_ruled(ruled, router, &rule, match, NULL, &row);
        free(match);
    }
    *found = row;
    if (row) {
        ovsdb_idl_txn_delete(row);
    }
    return error;
}

static char *
filter_add(struct ctl_context *ctx, const struct xfrec_router *router, int n,
           const char *argv[])
{
    struct xf_rule_args rule;
    char *error;

    memset(&rule, 0, sizeof rule);
    error = xf_rule_args_parse_filter(&rule, n, argv);
    return (error ? error
            : ruled_add(ctx, &filters, router, &rule,
                        rule.filter.permit ? "permit" : "deny"));
}

static char *
filter_del(struct ctl_context *ctx OVS_UNUSED,
           const struct xfrec_router *router, int n, const char *argv[],
           bool *found)
{
    return ruled_del(&filters, router, n, argv, found);
}

static void
filter_format(xf_row *row, struct ds *ds)
{
    const struct xfrec_filter *filter
        = CONTAINER_OF(row, struct xfrec_filter, header_);

    ds_put_format(ds, "%s %s priority=%"PRId64, filter->match, filter->action,
                  filter->priority);
}

static char *
flow_add(struct ctl_context *ctx, const struct xfrec_router *router, int n,
         const char *argv[])
{
    struct xf_rule_args rule;
    char *error;

    memset(&rule, 0, sizeof rule);
    error = xf_rule_args_parse_flow(&rule, n, argv);
    if (!error && (rule.idle_s || rule.hard_s)) {
        error = xstrdup("a flow of the database stays until it is removed: "
                        "leave idle and hard out, or use ovs-appctl "
                        "xenflow/flow-add");
    }
    if (!error) {
        struct ds actions = DS_EMPTY_INITIALIZER;

        xf_flow_actions_format(&rule.flow, &actions);
        error = ruled_add(ctx, &flows, router, &rule, ds_cstr(&actions));
        ds_destroy(&actions);
    }
    return error;
}

static char *
flow_del(struct ctl_context *ctx OVS_UNUSED,
         const struct xfrec_router *router, int n, const char *argv[],
         bool *found)
{
    return ruled_del(&flows, router, n, argv, found);
}

static void
flow_format(xf_row *row, struct ds *ds)
{
    const struct xfrec_flow *flow
        = CONTAINER_OF(row, struct xfrec_flow, header_);

    ds_put_format(ds, "%s actions=%s priority=%"PRId64, flow->match,
                  flow->actions, flow->priority);
}

/* ---- What a middlebox gets. ---- */

static const struct xfrec_selection *
find_selection(const struct xfrec_router *router, const char *match,
               int64_t priority, const char *direction)
{
    const struct xfrec_selection *found = NULL;
    struct xf_rows rows = xf_children_with_integer(
        xf_child_kind_find("select"), &router->header_, priority);

    for (size_t i = 0; i < rows.n; i++) {
        const struct xfrec_selection *s = CONTAINER_OF(
            rows.rows[i], struct xfrec_selection, header_);

        if (!strcmp(s->direction, direction) && !strcmp(s->match, match)) {
            found = s;
        }
    }
    free(rows.rows);
    return found;
}

static char * OVS_WARN_UNUSED_RESULT
parse_select(int n, const char *argv[], struct xf_args *args)
{
    memset(args, 0, sizeof *args);
    args->select.priority = XF_RULE_PRIORITY_DEFAULT;
    char *error = xf_match_parse(argv[0], &args->select.match);

    error = error ? error : xf_args_parse_select_options(args, n - 1,
                                                         argv + 1);
    if (!error && args->select.both) {
        error = xstrdup("direction=both is two rows: give the match of each "
                        "direction with direction=forward and reverse");
    }
    return error;
}

static char *
select_add(struct ctl_context *ctx, const struct xfrec_router *router, int n,
           const char *argv[])
{
    const struct xfrec_interface *via;
    struct xf_args args;
    char *error = parse_select(n, argv, &args);

    if (!error && strcmp(router->role, "middlebox")) {
        error = xasprintf("router '%s' is a %s: only a middlebox selects",
                          router->name, router->role);
    }
    if (!error && !(args.given & XF_OPT_VIA)) {
        error = xstrdup("via is missing: add via=INTERFACE, where these "
                        "packets go");
    }
    error = error ? error : find_iface(ctx, router, args.select.via.port,
                                       &via);
    if (error) {
        return error;
    }

    const char *direction = args.select.reverse ? "reverse" : "forward";
    char *match = match_text(&args.select.match);
    const struct xfrec_selection *s
        = find_selection(router, match, args.select.priority, direction);
    if (!s) {
        s = xfrec_selection_insert(ctx->txn);
        xfrec_selection_set_router(s, router);
        xfrec_selection_set_match(s, match);
        xfrec_selection_set_priority(s, args.select.priority);
        xfrec_selection_set_direction(s, direction);
    }
    xfrec_selection_set_via(s, via);
    free(match);
    return NULL;
}

static char *
select_del(struct ctl_context *ctx OVS_UNUSED,
           const struct xfrec_router *router, int n, const char *argv[],
           bool *found)
{
    struct xf_args args;
    char *error = parse_select(n, argv, &args);

    if (!error) {
        char *match = match_text(&args.select.match);
        const struct xfrec_selection *s = find_selection(
            router, match, args.select.priority,
            args.select.reverse ? "reverse" : "forward");
        *found = s;
        if (s) {
            xfrec_selection_delete(s);
        }
        free(match);
    }
    return error;
}

static void
select_format(xf_row *row, struct ds *ds)
{
    const struct xfrec_selection *s
        = CONTAINER_OF(row, struct xfrec_selection, header_);

    ds_put_format(ds, "%s via=%s direction=%s priority=%"PRId64, s->match,
                  s->via ? s->via->name : "", s->direction, s->priority);
}

/* ---- Neighbours. ---- */

static char * OVS_WARN_UNUSED_RESULT
find_neigh(struct ctl_context *ctx, const struct xfrec_router *router,
           const char *argv[], const struct xfrec_interface **iface,
           struct in6_addr *ip, const struct xfrec_neighbor **found)
{
    char buf[INET6_ADDRSTRLEN];
    char *error = find_iface(ctx, router, argv[0], iface);

    *found = NULL;
    error = error ? error : xf_args_parse_ip(argv[1], ip);
    if (!error) {
        struct xf_rows rows = xf_children_with_string(
            xf_child_kind_find("neigh"), &router->header_,
            xf_addr_string(buf, ip));

        for (size_t i = 0; i < rows.n; i++) {
            const struct xfrec_neighbor *neigh = CONTAINER_OF(
                rows.rows[i], struct xfrec_neighbor, header_);

            *found = neigh->interface == *iface ? neigh : *found;
        }
        free(rows.rows);
    }
    return error;
}

static char *
neigh_add(struct ctl_context *ctx, const struct xfrec_router *router, int n,
          const char *argv[])
{
    const struct xfrec_interface *iface;
    const struct xfrec_neighbor *neigh;
    char *mac = NULL;
    struct in6_addr ip;
    char *error = (n != 3 ? xstrdup("write INTERFACE ADDRESS MAC")
                   : find_neigh(ctx, router, argv, &iface, &ip, &neigh));

    error = error ? error : xf_check_mac(argv[2], &mac);
    if (!error) {
        char buf[INET6_ADDRSTRLEN];

        if (!neigh) {
            neigh = xfrec_neighbor_insert(ctx->txn);
            xfrec_neighbor_set_router(neigh, router);
            xfrec_neighbor_set_interface(neigh, iface);
            xfrec_neighbor_set_address(neigh, xf_addr_string(buf, &ip));
        }
        xfrec_neighbor_set_mac(neigh, mac);
        free(mac);
    }
    return error;
}

static char *
neigh_del(struct ctl_context *ctx, const struct xfrec_router *router, int n,
          const char *argv[], bool *found)
{
    const struct xfrec_interface *iface;
    const struct xfrec_neighbor *neigh = NULL;
    struct in6_addr ip;
    char *error = (n != 2 ? xstrdup("write INTERFACE ADDRESS")
                   : find_neigh(ctx, router, argv, &iface, &ip, &neigh));

    *found = neigh;
    if (neigh) {
        xfrec_neighbor_delete(neigh);
    }
    return error;
}

static void
neigh_format(xf_row *row, struct ds *ds)
{
    const struct xfrec_neighbor *neigh
        = CONTAINER_OF(row, struct xfrec_neighbor, header_);

    ds_put_format(ds, "%s %s %s",
                  neigh->interface ? neigh->interface->name : "",
                  neigh->address, neigh->mac);
}

const struct xf_child_kind xf_child_kinds[] = {
    { "rule", &xfrec_table_static_route, &xfrec_static_route_col_router,
      &xfrec_static_route_col_prefix,
      "PREFIX WHAT...", "PREFIX [metric N]", rule_add, rule_del,
      rule_format },
    { "filter", &xfrec_table_filter, &xfrec_filter_col_router,
      &xfrec_filter_col_priority,
      "MATCH permit|deny [priority=N]", "MATCH [priority=N]", filter_add,
      filter_del, filter_format },
    { "flow", &xfrec_table_flow, &xfrec_flow_col_router,
      &xfrec_flow_col_priority,
      "MATCH actions=ACTIONS [priority=N]", "MATCH [priority=N]", flow_add,
      flow_del, flow_format },
    { "select", &xfrec_table_selection, &xfrec_selection_col_router,
      &xfrec_selection_col_priority,
      "MATCH via=INTERFACE [direction=forward|reverse] [priority=N]",
      "MATCH [direction=forward|reverse] [priority=N]", select_add,
      select_del, select_format },
    { "neigh", &xfrec_table_neighbor, &xfrec_neighbor_col_router,
      &xfrec_neighbor_col_address,
      "INTERFACE ADDRESS MAC", "INTERFACE ADDRESS", neigh_add, neigh_del,
      neigh_format },
};
const size_t xf_n_child_kinds = ARRAY_SIZE(xf_child_kinds);
