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
#include <inttypes.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* rule-add, rule-del, rule-list and route-lookup.  Engine's thread. */

/* ---- Helpers. ---- */

/* The interface whose subnet holds an address. */
struct onlink_aux {
    const struct xf_rt *rt;
    struct in6_addr ip;
    const struct xf_iface *iface;
    uint8_t len;
};

static bool
find_onlink(const struct xf_addr_info *info, void *aux_)
{
    struct onlink_aux *aux = aux_;

    if (xf_addr_is_v4(&info->addr) != xf_addr_is_v4(&aux->ip)
        || (aux->iface && info->prefix_len <= aux->len)) {
        return true;
    }

    unsigned int ofs = 128 - xf_addr_bits(&aux->ip);
    struct in6_addr mask = ipv6_create_mask(info->prefix_len + ofs);
    struct in6_addr a = ipv6_addr_bitand(&info->addr, &mask);
    struct in6_addr b = ipv6_addr_bitand(&aux->ip, &mask);
    if (ipv6_addr_equals(&a, &b)) {
        aux->iface = xf_rt_iface_by_name(aux->rt, info->iface);
        aux->len = info->prefix_len;
    }
    return true;
}

/* Finds the guest interface of next hop 'hop'. */
static char * OVS_WARN_UNUSED_RESULT
resolve_hop(const struct xf_router *router, const struct xf_hop_arg *hop,
            struct xf_nexthop *nh)
{
    struct onlink_aux aux = { .rt = router->rt, .ip = hop->gateway };
    const struct xf_iface *iface;

    if (hop->dev[0]) {
        iface = xf_rt_iface_by_name(router->rt, hop->dev);
        if (!iface) {
            return xasprintf("router '%s' has no port '%s': see "
                             "xenflow/port-list, or add it with "
                             "xenflow/port-add", router->name, hop->dev);
        }
    } else {
        xf_rt_for_each_addr(router->rt, find_onlink, &aux);
        iface = aux.iface;
        if (!iface) {
            char *gw = xf_addr_to_string(&hop->gateway);
            char *error
                = xasprintf("no port of router '%s' has an address on the "
                            "subnet of gateway %s: add dev PORT, or give a "
                            "port such an address", router->name, gw);
            free(gw);
            return error;
        }
    }
    if (!iface->ifindex) {
        return xasprintf("port '%s' of router '%s' has no ifindex yet: give "
                         "the VM's own with xenflow/port-set %s %s ifindex=N",
                         iface->name, router->name, router->name,
                         iface->name);
    }
    nh->gateway = hop->gateway;
    nh->ifindex = iface->ifindex;
    nh->weight = hop->weight;
    return NULL;
}

/* One next hop as {"via": ..., "dev": ..., "weight": ...}; 'prefix' is that of
 * the route. */
static struct json *
nexthop_to_json(const struct xf_rt *rt, const struct xf_nexthop *nh,
                const struct xf_prefix *prefix)
{
    const struct xf_iface *iface = NULL;
    struct json *object = json_object_create();

    if (nh->ifindex) {
        iface = xf_rt_iface_by_ifindex(rt, nh->ifindex);
    } else {
        /* A connected route of an interface whose ifindex isn't known. */
        struct onlink_aux aux = { .rt = rt, .ip = prefix->addr };

        xf_rt_for_each_addr(rt, find_onlink, &aux);
        iface = aux.iface;
    }

    if (!ipv6_addr_equals(&nh->gateway, &in6addr_any)) {
        xf_json_put_addr(object, "via", &nh->gateway);
    }
    if (iface) {
        json_object_put_string(object, "dev", iface->name);
    } else if (nh->ifindex) {
        json_object_put_format(object, "dev", "if%"PRIu32, nh->ifindex);
    }
    xf_json_put_int(object, "weight", nh->weight);
    return object;
}

/* Next hops as "via 10.0.1.2 dev eth1 weight 2, ...". */
static void
nexthops_format(const struct json *hops, struct ds *out)
{
    for (size_t i = 0; i < json_array(hops)->n; i++) {
        const struct shash *hop = json_object(json_array(hops)->elems[i]);
        const struct json *via = shash_find_data(hop, "via");
        const struct json *dev = shash_find_data(hop, "dev");
        const struct json *weight = shash_find_data(hop, "weight");

        ds_put_cstr(out, i ? ", " : "");
        if (via) {
            ds_put_format(out, "via %s%s", json_string(via), dev ? " " : "");
        }
        if (dev) {
            ds_put_format(out, "dev %s", json_string(dev));
        }
        if (json_array(hops)->n > 1) {
            ds_put_format(out, " weight %lld",
                          (long long int) json_integer(weight));
        }
    }
}

/* ---- rule-add, rule-del. ---- */

/* rule-add */
char *
xf_run_rule_add(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, args->router,
                                                 XF_ROLE_ROUTER, &error);
    if (!router) {
        return error;
    }

    struct xf_nexthop *nhs = xcalloc(MAX(1, args->n_hops), sizeof *nhs);
    struct xf_route_spec spec = {
        .prefix = args->prefix,
        .type = args->type,
        .protocol = args->protocol,
        .metric = args->metric,
        .n_nexthops = args->n_hops,
        .nexthops = nhs,
    };
    for (size_t i = 0; i < args->n_hops && !error; i++) {
        error = resolve_hop(router, &args->hops[i], &nhs[i]);
    }
    if (!error && !xf_rt_route_add(router->rt, XF_SOURCE_OPERATOR, &spec,
                                   false, &error)) {
        job->generation = xf_router_table_changed(router);
    }
    free(nhs);
    return error;
}

/* rule-del */
char *
xf_run_rule_del(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);

    if (router
        && !xf_rt_route_del(router->rt, XF_SOURCE_OPERATOR, &args->prefix,
                            args->metric, &error)) {
        job->generation = xf_router_table_changed(router);
    }
    return error;
}

/* Routes to be stated anew. */
struct renumber_aux {
    uint32_t old_ifindex;
    struct xf_route_spec *specs; /* Each owns its 'nexthops'. */
    size_t n, allocated;
};

static bool
collect_renumber(const struct xf_route_info *info, void *aux_)
{
    struct renumber_aux *aux = aux_;
    bool uses = false;

    if (info->source != XF_SOURCE_OPERATOR || info->spec.nhid) {
        return true;
    }
    for (size_t i = 0; i < info->spec.n_nexthops; i++) {
        uses = uses || info->spec.nexthops[i].ifindex == aux->old_ifindex;
    }
    if (uses) {
        if (aux->n >= aux->allocated) {
            aux->specs = x2nrealloc(aux->specs, &aux->allocated,
                                    sizeof *aux->specs);
        }
        struct xf_route_spec *spec = &aux->specs[aux->n++];
        *spec = info->spec;
        spec->nexthops = xmemdup(info->spec.nexthops,
                                 spec->n_nexthops * sizeof *spec->nexthops);
    }
    return true;
}

/* See engine-private.h. */
void
xf_router_renumber(struct xf_router *router, uint32_t old_ifindex,
                   uint32_t new_ifindex)
{
    struct renumber_aux aux = { .old_ifindex = old_ifindex };

    xf_rt_for_each_route(router->rt, collect_renumber, &aux);
    for (size_t i = 0; i < aux.n; i++) {
        struct xf_nexthop *nhs = CONST_CAST(struct xf_nexthop *,
                                            aux.specs[i].nexthops);

        for (size_t j = 0; j < aux.specs[i].n_nexthops; j++) {
            if (nhs[j].ifindex == old_ifindex) {
                nhs[j].ifindex = new_ifindex;
            }
        }
        xf_rt_route_add(router->rt, XF_SOURCE_OPERATOR, &aux.specs[i], false,
                        NULL);
        free(nhs);
    }
    free(aux.specs);
}

/* ---- rule-list. ---- */

static const struct xf_column rule_columns[] = {
    { "prefix", "PREFIX", false, NULL },
    { "type", "TYPE", false, NULL },
    { "nexthops", "NEXT HOPS", false, nexthops_format },
    { "source", "SOURCE", false, NULL },
    { "protocol", "PROTO", false, NULL },
    { "metric", "METRIC", true, NULL },
    { "packets", "PACKETS", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "used", "USED", true, NULL },
    { "flags", "FLAGS", false, NULL },
};

struct rule_list_aux {
    const struct xf_rt *rt;
    const struct xf_args *args;
    struct xf_table table;
    long long int now_ms;
    struct xf_page page;
};

static struct json *
rule_to_json(const struct xf_rt *rt, const struct xf_route_info *info,
             long long int now_ms)
{
    const struct xf_route_spec *spec = &info->spec;
    struct json *row = json_object_create();
    struct json *hops = json_array_create_empty();
    struct json *flags = json_array_create_empty();
    char buf[8];

    xf_json_put_prefix(row, "prefix", &spec->prefix);
    json_object_put_string(row, "type", xf_route_type_name(spec->type));
    json_object_put_string(row, "source", info->source_name);
    json_object_put_string(row, "protocol",
                           xf_protocol_name(spec->protocol, buf));
    xf_json_put_int(row, "metric", spec->metric);
    if (spec->nhid) {
        xf_json_put_int(row, "nexthop_id", spec->nhid);
    }
    for (size_t i = 0; i < spec->n_nexthops; i++) {
        json_array_add(hops, nexthop_to_json(rt, &spec->nexthops[i],
                                             &spec->prefix));
    }
    json_object_put(row, "nexthops", hops);
    if (info->best) {
        json_array_add(flags, json_string_create("best"));
    }
    if (info->stale) {
        json_array_add(flags, json_string_create("stale"));
    }
    json_object_put(row, "flags", flags);
    xf_json_put_stat(row, info->stat, now_ms);
    return row;
}

static bool
list_rule(const struct xf_route_info *info, void *aux_)
{
    struct rule_list_aux *aux = aux_;
    const struct xf_args *args = aux->args;

    if (args->best_only && !info->best) {
        return true;
    }
    if (args->has_prefix
        && (args->prefix.len != info->spec.prefix.len
            || !ipv6_addr_equals(&args->prefix.addr,
                                 &info->spec.prefix.addr))) {
        return true;
    }
    if (xf_page_take(&aux->page)) {
        xf_table_add(&aux->table, rule_to_json(aux->rt, info, aux->now_ms));
    }
    return true;
}

/* rule-list */
char *
xf_run_rule_list(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);
    if (!router) {
        return error;
    }
    xf_router_fold(router, time_msec());

    struct rule_list_aux aux = {
        .rt = router->rt,
        .args = args,
        .now_ms = time_msec(),
        .page = { .skip = args->skip, .limit = args->limit },
    };
    xf_table_init(&aux.table, rule_columns, ARRAY_SIZE(rule_columns),
                  job->json);
    xf_rt_for_each_route(router->rt, list_rule, &aux);
    xf_table_finish_page(&aux.table, &aux.page, &job->body);
    return NULL;
}

/* ---- route-lookup. ---- */

static const struct xf_column lookup_columns[] = {
    { "destination", "destination", false, NULL },
    { "verdict", "verdict", false, NULL },
    { "reason", "reason", false, NULL },
    { "prefix", "prefix", false, NULL },
    { "protocol", "protocol", false, NULL },
    { "interface", "interface", false, NULL },
    { "vlan", "vlan", false, NULL },
    { "nexthop", "next hop", false, NULL },
    { "source_mac", "source mac", false, NULL },
    { "mac", "mac", false, NULL },
    { "bits", "bits", false, NULL },
    { "hash", "hash", false, NULL },
    { "nexthops", "next hops", false, nexthops_format },
};

/* The next hops of the route in use for a prefix. */
struct lookup_aux {
    const struct xf_rt *rt;
    struct xf_prefix prefix;
    struct json *hops;
};

static bool
find_nexthops(const struct xf_route_info *info, void *aux_)
{
    struct lookup_aux *aux = aux_;
    const struct xf_route_spec *spec = &info->spec;

    if (!info->best || spec->prefix.len != aux->prefix.len
        || !ipv6_addr_equals(&spec->prefix.addr, &aux->prefix.addr)) {
        return true;
    }
    for (size_t i = 0; i < spec->n_nexthops; i++) {
        json_array_add(aux->hops,
                       nexthop_to_json(aux->rt, &spec->nexthops[i],
                                       &spec->prefix));
    }
    return false;
}

static const char *
verdict_name(enum xf_verdict verdict)
{
    return (verdict == XF_FORWARD ? "forward"
            : verdict == XF_PUNT ? "punt" : "drop");
}

/* Everything that 'result' says about 'ip'. */
static struct json *
lookup_to_json(const struct xf_rt *rt, const struct in6_addr *ip,
               const struct xf_rt_result *result, uint32_t hash)
{
    struct json *object = json_object_create();
    char buf[8];

    xf_json_put_addr(object, "destination", ip);
    json_object_put_string(object, "verdict", verdict_name(result->verdict));
    if (result->verdict == XF_PUNT) {
        json_object_put_string(object, "reason",
                               xf_punt_reason_name(result->reason));
    }
    xf_json_put_int(object, "bits", result->n_bits);
    if (result->has_route) {
        xf_json_put_prefix(object, "prefix", &result->prefix);
        json_object_put_string(object, "protocol",
                               xf_protocol_name(result->protocol, buf));
    }
    if (result->out) {
        json_object_put_string(object, "interface", result->out->name);
        xf_json_put_int(object, "vlan", result->out->vlan);
        xf_json_put_addr(object, "nexthop", &result->nexthop);
    }
    if (result->verdict == XF_FORWARD) {
        xf_json_put_mac(object, "source_mac", result->out->mac);
        xf_json_put_mac(object, "mac", result->dmac);
    }
    if (result->used_hash) {
        /* Only an ECMP route needs the search for its next hops. */
        struct lookup_aux aux = {
            .rt = rt,
            .prefix = result->prefix,
            .hops = json_array_create_empty(),
        };
        xf_rt_for_each_route(rt, find_nexthops, &aux);
        json_object_put(object, "nexthops", aux.hops);
        json_object_put_format(object, "hash", "0x%08"PRIx32, hash);
    }
    return object;
}

/* route-lookup */
char *
xf_run_route_lookup(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);
    if (!router) {
        return error;
    }

    uint32_t hash = xf_router_flow_hash(router, &args->src, &args->ip,
                                        args->nw_proto, htons(args->sport),
                                        htons(args->dport));
    struct xf_rt_result result;
    xf_rt_lookup(router->rt, &args->ip, hash, &result);

    struct json *object = lookup_to_json(router->rt, &args->ip, &result,
                                         hash);
    xf_object_put(lookup_columns, ARRAY_SIZE(lookup_columns), job->json,
                  object, &job->body);
    json_destroy(object);
    return NULL;
}
