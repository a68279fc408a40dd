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

#include <inttypes.h>

#include "openvswitch/json.h"
#include "openvswitch/shash.h"
#include "ovs-thread.h"
#include "packets.h"
#include "timeval.h"
#include "util.h"

/* Commands that list.  Engine's thread. */

/* ---- Routers and ports. ---- */

static const struct xf_column router_columns[] = {
    { "name", "ROUTER", false, NULL },
    { "id", "ID", true, NULL },
    { "role", "ROLE", false, NULL },
    { "bridge", "BRIDGE", false, NULL },
    { "separated", "SEPARATED", false, NULL },
    { "translation", "TRANSLATION", false, NULL },
    { "translation_in_force", "IN-FORCE", false, NULL },
    { "ports", "PORTS", true, NULL },
    { "routes", "ROUTES", true, NULL },
    { "neighbors", "NEIGHBORS", true, NULL },
    { "listen", "LISTEN", false, NULL },
};

static void
put_listen(struct json *object, const struct xf_router *router)
{
    const struct xf_router_config *config = &router->config;

    if (router->listener) {
        json_object_put_format(object, "listen",
                               strchr(config->listen, ':')
                               ? "%s[%s]:%"PRIu16 : "%s%s:%"PRIu16,
                               config->listen_tls ? "pssl:" : "",
                               config->listen,
                               xf_listener_port(router->listener));
        if (config->device[0]) {
            json_object_put_string(object, "device", config->device);
        }
        if (config->listen_tls && config->peer_name[0]) {
            json_object_put_string(object, "peer_name", config->peer_name);
        }
    }
}

static struct json *
router_to_json(const struct xf_router *router)
{
    const struct xf_switch *sw = router->engine->sw;
    struct json *row = json_object_create();
    char bridge[XF_NAME_MAX] = "";
    struct xf_rt_usage usage;

    xf_rt_get_usage(router->rt, &usage);
    sw->router_binding(sw, router->name, bridge);
    json_object_put_string(row, "name", router->name);
    xf_json_put_int(row, "id", router->id);
    json_object_put_string(row, "role", xf_role_name(router->role));
    json_object_put_string(row, "bridge", bridge);
    xf_json_put_bool(row, "separated", router->config.separated);
    if (router->role == XF_ROLE_ROUTER) {
        json_object_put_string(row, "translation", xf_translation_name(
                                   router->config.translation));
        json_object_put_string(row, "translation_in_force",
                               xf_translation_name(xf_router_is_fib(router)
                                                   ? XF_TRANSLATION_FIB
                                                   : XF_TRANSLATION_FLOW));
    }
    xf_json_put_int(row, "ports", usage.n_ifaces);
    xf_json_put_int(row, "routes", usage.n_routes);
    xf_json_put_int(row, "neighbors", usage.n_neighbors);
    put_listen(row, router);
    return row;
}

static int
compare_routers(const void *a_, const void *b_)
{
    const struct xf_router *const *a = a_;
    const struct xf_router *const *b = b_;

    return strcmp((*a)->name, (*b)->name);
}

/* Returns the routers sorted by name, to be freed by the caller; only the one
 * called 'name' if that isn't empty. */
static struct xf_router **
sorted_routers(const struct xf_engine *engine, const char *name, size_t *n)
{
    struct xf_router **routers = xcalloc(MAX(1, engine->n_routers),
                                         sizeof *routers);
    struct xf_router *router;

    *n = 0;
    LIST_FOR_EACH (router, node, &engine->routers) {
        if (!name[0] || !strcmp(router->name, name)) {
            routers[(*n)++] = router;
        }
    }
    qsort(routers, *n, sizeof *routers, compare_routers);
    return routers;
}

/* router-list */
char *
xf_run_router_list(struct xf_engine *engine, struct xf_job *job)
{
    struct xf_table table;
    size_t n;
    struct xf_router **routers = sorted_routers(engine, "", &n);

    xf_table_init(&table, router_columns, ARRAY_SIZE(router_columns),
                  job->json);
    for (size_t i = 0; i < n; i++) {
        xf_table_add(&table, router_to_json(routers[i]));
    }
    xf_table_finish(&table, &job->body);
    free(routers);
    return NULL;
}

static const struct xf_column port_columns[] = {
    { "name", "PORT", false, NULL },
    { "vlan", "VLAN", true, NULL },
    { "mac", "MAC", false, NULL },
    { "vif", "VIF", false, NULL },
    { "vif_exists", "FOUND", false, NULL },
    { "ifindex", "IFINDEX", true, NULL },
    { "mtu", "MTU", true, NULL },
    { "up", "UP", false, NULL },
    { "addresses", "ADDRESSES", false, NULL },
};

struct port_list_aux {
    const struct xf_router *router;
    struct xf_table *table;     /* Or NULL, then: */
    struct json *array;
};

/* The addresses of one interface, as strings. */
struct port_addrs {
    const char *iface;
    struct json *array;
};

static bool
list_addr(const struct xf_addr_info *info, void *aux_)
{
    struct port_addrs *aux = aux_;

    if (!strcmp(info->iface, aux->iface)) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        xf_addr_format(&info->addr, &ds);
        ds_put_format(&ds, "/%"PRIu8, info->prefix_len);
        json_array_add(aux->array,
                       json_string_create_nocopy(ds_steal_cstr(&ds)));
    }
    return true;
}

static bool
list_port(const struct xf_iface *iface, void *aux_)
{
    struct port_list_aux *aux = aux_;
    const struct xf_switch *sw = aux->router->engine->sw;
    struct json *row = json_object_create();
    struct port_addrs addrs = {
        .iface = iface->name,
        .array = json_array_create_empty(),
    };

    xf_rt_for_each_addr(aux->router->rt, list_addr, &addrs);
    json_object_put_string(row, "name", iface->name);
    xf_json_put_int(row, "vlan", iface->vlan);
    xf_json_put_mac(row, "mac", iface->mac);
    json_object_put_string(row, "vif", iface->vif);
    xf_json_put_bool(row, "vif_exists",
                     iface->vif[0]
                     && sw->vif_exists(sw, aux->router->name, iface->vif));
    xf_json_put_int(row, "ifindex", iface->ifindex);
    xf_json_put_int(row, "mtu", iface->mtu);
    xf_json_put_bool(row, "up", iface->up);
    json_object_put(row, "addresses", addrs.array);
    if (aux->table) {
        xf_table_add(aux->table, row);
    } else {
        json_array_add(aux->array, row);
    }
    return true;
}

/* Appends the ports of 'router' as a table. */
static void
put_ports(const struct xf_router *router, bool json, struct ds *out)
{
    struct xf_table table;
    struct port_list_aux aux = { .router = router, .table = &table };

    xf_table_init(&table, port_columns, ARRAY_SIZE(port_columns), json);
    xf_rt_for_each_iface(router->rt, list_port, &aux);
    xf_table_finish(&table, out);
}

/* port-list */
char *
xf_run_port_list(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (router) {
        put_ports(router, job->json, &job->body);
    }
    return error;
}

static const struct xf_column router_show_columns[] = {
    { "name", "router", false, NULL },
    { "id", "id", false, NULL },
    { "role", "role", false, NULL },
    { "bridge", "bridge", false, NULL },
    { "separated", "separated", false, NULL },
    { "translation", "translation", false, NULL },
    { "translation_in_force", "in-force", false, NULL },
    { "fail", "fail", false, NULL },
    { "ecmp_seed", "ecmp-seed", false, NULL },
    { "punt_rate", "punt-rate", false, NULL },
    { "listen", "listen", false, NULL },
    { "peer_name", "peer-name", false, NULL },
    { "device", "device", false, NULL },
    { "stale", "stale", false, NULL },
    { "settle", "settle", false, NULL },
    { "reachable", "reachable", false, NULL },
    { "fib_bytes", "fib-bytes", false, NULL },
    { "routes", "routes", false, NULL },
    { "max_routes", "max-routes", false, NULL },
    { "nexthops", "nexthops", false, NULL },
    { "max_nexthops", "max-nexthops", false, NULL },
    { "neighbors", "neighbors", false, NULL },
    { "max_neighbors", "max-neighbors", false, NULL },
    { "ports", "ports", false, NULL },
    { "max_ports", "max-ports", false, NULL },
    { "addresses", "addresses", false, NULL },
    { "max_addresses", "max-addresses", false, NULL },
    { "filter_default", "filter-default", false, NULL },
    { "filters", "filters", false, NULL },
    { "max_filters", "max-filters", false, NULL },
    { "flows", "flows", false, NULL },
    { "max_flows", "max-flows", false, NULL },
    { "changes", "changes", false, NULL },
    { "acknowledged", "acknowledged", false, NULL },
};

static void
put_limits(struct json *object, const struct xf_router *router)
{
    const struct xf_rt_limits *limits = xf_rt_limits(router->rt);
    struct xf_rt_usage usage;

    xf_rt_get_usage(router->rt, &usage);
    xf_json_put_int(object, "nexthops", usage.n_nexthops);
    xf_json_put_int(object, "addresses", usage.n_addresses);
    xf_json_put_int(object, "max_routes", limits->max_routes);
    xf_json_put_int(object, "max_nexthops", limits->max_nexthops);
    xf_json_put_int(object, "max_neighbors", limits->max_neighbors);
    xf_json_put_int(object, "max_ports", limits->max_ifaces);
    xf_json_put_int(object, "max_addresses", limits->max_addresses);
}

/* Appends 'value' as lines "key: value", keys with 'prefix'. */
static void
put_members(const char *prefix, const struct json *value, struct ds *out)
{
    const struct shash_node **nodes = shash_sort(json_object(value));

    for (size_t i = 0; i < shash_count(json_object(value)); i++) {
        const struct json *member = nodes[i]->data;

        if (member->type == JSON_OBJECT) {
            char *inner = xasprintf("%s%s.", prefix, nodes[i]->name);

            put_members(inner, member, out);
            free(inner);
        } else if (member->type == JSON_STRING) {
            if (json_string(member)[0]) {
                ds_put_format(out, "speaker %s%s: %s\n", prefix,
                              nodes[i]->name, json_string(member));
            }
        } else {
            ds_put_format(out, "speaker %s%s: ", prefix, nodes[i]->name);
            json_to_ds(member, JSSF_SORT, out);
            ds_put_char(out, '\n');
        }
    }
    free(nodes);
}

/* Appends what is kept of the router, as xf_config_to_json() says. */
static void
put_config(const struct json *config, struct ds *out)
{
    const struct shash *members = json_object(config);
    const struct json *refused = shash_find_data(members, "refused");
    const struct json *n = shash_find_data(members, "objects");
    const struct json *written = shash_find_data(members, "written");
    const struct json *port = shash_find_data(members, "port_exists");

    ds_put_format(out, "kept objects: %lld%s\n",
                  (long long int) json_integer(n),
                  port->type != JSON_TRUE ? " (the port doesn't exist yet)"
                  : written->type != JSON_TRUE ? " (not all written yet)"
                  : "");
    for (size_t i = 0; i < json_array(refused)->n; i++) {
        const struct shash *row = json_object(json_array(refused)->elems[i]);

        ds_put_format(out, "refused %s: %s\n",
                      json_string(shash_find_data(row, "key")),
                      json_string(shash_find_data(row, "error")));
    }
}

/* router-show */
char *
xf_run_router_show(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (!router) {
        return error;
    }

    const struct xf_router_config *config = &router->config;
    struct json *object = router_to_json(router);
    if (router->role == XF_ROLE_MIDDLEBOX) {
        json_object_put_string(object, "fail",
                               config->fails_open ? "open" : "closed");
    }
    if (xf_rt_fib_is_enabled(router->rt)) {
        xf_json_put_int(object, "fib_bytes", xf_rt_fib_bytes(router->rt));
    }
    xf_json_put_int(object, "ecmp_seed", router->ecmp_seed);
    xf_json_put_int(object, "punt_rate", config->punt_rate);
    xf_json_put_int(object, "stale", config->stale_ms / 1000);
    xf_json_put_int(object, "settle", config->settle_ms / 1000);
    xf_json_put_int(object, "reachable", config->reachable_ms / 1000);
    xf_json_put_int(object, "changes", router->n_changes);
    xf_json_put_bool(object, "acknowledged",
                     router->generation <= engine->acked);
    put_limits(object, router);
    xf_rules_put_settings(&router->rules, object);
    if (engine->config) {
        json_object_put(object, "config",
                        xf_config_to_json(engine->config, router->name));
    }
    if (router->listener) {
        json_object_put(object, "speaker",
                        xf_listener_to_json(router->listener, time_msec()));
    }
    if (job->json) {
        struct port_list_aux aux = {
            .router = router,
            .array = json_array_create_empty(),
        };
        xf_rt_for_each_iface(router->rt, list_port, &aux);
        json_object_put(object, "port_list", aux.array);
    }
    xf_object_put(router_show_columns, ARRAY_SIZE(router_show_columns),
                  job->json, object, &job->body);
    if (!job->json) {
        struct json *speaker = shash_find_data(json_object(object),
                                               "speaker");
        if (speaker) {
            put_members("", speaker, &job->body);
        }
        if (engine->config) {
            put_config(shash_find_data(json_object(object), "config"),
                       &job->body);
        }
        put_ports(router, false, &job->body);
    }
    json_destroy(object);
    return NULL;
}

/* ---- Neighbours. ---- */

static const struct xf_column neigh_columns[] = {
    { "address", "ADDRESS", false, NULL },
    { "port", "PORT", false, NULL },
    { "mac", "MAC", false, NULL },
    { "state", "STATE", false, NULL },
    { "source", "SOURCE", false, NULL },
    { "packets", "PACKETS", true, NULL },
    { "bytes", "BYTES", true, NULL },
    { "confirmed", "CONFIRMED", true, NULL },
};

struct neigh_list_aux {
    struct xf_table *table;
    struct xf_page page;
    long long int now_ms;
};

static const char *
source_name(uint32_t source)
{
    switch (source) {
    case XF_SOURCE_OPERATOR:
        return "operator";
    case XF_SOURCE_LEARNED:
        return "learned";
    case XF_SOURCE_SPEAKER:
    case XF_SOURCE_SPEAKER_ALT:
        return "speaker";
    default:
        return "other";
    }
}

static bool
list_neigh(const struct xf_neigh_info *info, void *aux_)
{
    struct neigh_list_aux *aux = aux_;
    struct xf_stat *stat = CONST_CAST(struct xf_stat *, info->stat);
    uint64_t n_packets = 0, n_bytes = 0;

    if (!xf_page_take(&aux->page)) {
        return true;
    }
    struct json *row = json_object_create();
    if (stat) {
        atomic_read_relaxed(&stat->n_packets, &n_packets);
        atomic_read_relaxed(&stat->n_bytes, &n_bytes);
    }
    xf_json_put_addr(row, "address", &info->ip);
    json_object_put_string(row, "port", info->iface->name);
    xf_json_put_mac(row, "mac", info->mac);
    json_object_put_string(row, "state",
                           xf_neighbor_state_name(info->state));
    json_object_put_string(row, "source", source_name(info->source));
    xf_json_put_int(row, "packets", n_packets);
    xf_json_put_int(row, "bytes", n_bytes);
    json_object_put(row, "confirmed",
                    info->state == XF_NEIGH_PERMANENT
                    ? json_null_create()
                    : json_integer_create(
                        MAX(0, aux->now_ms - info->confirmed_ms) / 1000));
    xf_table_add(aux->table, row);
    return true;
}

/* neigh-list */
char *
xf_run_neigh_list(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (!router) {
        return error;
    }
    xf_router_fold(router, time_msec());

    struct xf_table table;
    struct neigh_list_aux aux = {
        .table = &table,
        .page = { .skip = job->args.skip, .limit = job->args.limit },
        .now_ms = time_msec(),
    };
    xf_table_init(&table, neigh_columns, ARRAY_SIZE(neigh_columns),
                  job->json);
    xf_rt_for_each_neigh(router->rt, list_neigh, &aux);
    xf_table_finish_page(&table, &aux.page, &job->body);
    return NULL;
}

/* ---- Flows. ---- */

struct flow_list_aux {
    bool json;
    struct xf_page page;
    struct ds *out;
    long long int now_ms;
};

static bool
list_flow(const char *flow, uint64_t n_packets, uint64_t n_bytes,
          long long int used_ms, const char *actions, void *aux_)
{
    struct flow_list_aux *aux = aux_;
    long long int age_ms = MAX(0, aux->now_ms - used_ms);

    if (!xf_page_take(&aux->page)) {
        return true;
    }
    if (aux->json) {
        struct json *row = json_object_create();

        json_object_put_string(row, "flow", flow);
        json_object_put_string(row, "actions", actions);
        xf_json_put_int(row, "packets", n_packets);
        xf_json_put_int(row, "bytes", n_bytes);
        json_object_put(row, "used",
                        used_ms ? json_real_create(age_ms / 1000.0)
                        : json_null_create());
        ds_put_cstr(aux->out, aux->out->length ? ",\n " : "[");
        json_to_ds(row, JSSF_SORT, aux->out);
        json_destroy(row);
    } else {
        ds_put_format(aux->out, "%s, packets:%"PRIu64", bytes:%"PRIu64
                      ", used:", flow, n_packets, n_bytes);
        if (used_ms) {
            ds_put_format(aux->out, "%.3fs", age_ms / 1000.0);
        } else {
            ds_put_cstr(aux->out, "never");
        }
        ds_put_format(aux->out, ", actions:%s\n", actions);
    }
    return true;
}

/* megaflow-list */
char *
xf_run_megaflow_list(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_switch *sw = engine->sw;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (!router) {
        return error;
    }

    struct flow_list_aux aux = {
        .json = job->json,
        .page = { .skip = job->args.skip, .limit = job->args.limit },
        .out = &job->body,
        .now_ms = time_msec(),
    };
    int err = sw->dump_flows(sw, router->id, list_flow, &aux);
    if (err) {
        return xasprintf("router '%s': the datapath's flows can't be listed "
                         "(%s): repeat the command", router->name,
                         ovs_strerror(err));
    }
    if (!job->json) {
        xf_page_put(&aux.page, &job->body);
        return NULL;
    }
    struct json *more = xf_page_to_json(&aux.page);
    if (more) {
        ds_put_cstr(&job->body, job->body.length ? ",\n " : "[");
        json_to_ds(more, JSSF_SORT, &job->body);
        json_destroy(more);
    }
    ds_put_cstr(&job->body, job->body.length ? "]\n" : "[]\n");
    return NULL;
}

/* ---- Speakers. ---- */

/* Formats the sum of counters by kind. */
static void
sum_format(const struct json *counters, struct ds *out)
{
    struct shash_node *node;
    long long int sum = 0;

    SHASH_FOR_EACH (node, json_object(counters)) {
        sum += json_integer(node->data);
    }
    ds_put_format(out, "%lld", sum);
}

static const struct xf_column speaker_columns[] = {
    { "router", "ROUTER", false, NULL },
    { "address", "LISTEN", false, NULL },
    { "port", "PORT", true, NULL },
    { "device", "DEVICE", false, NULL },
    { "peer", "PEER", false, NULL },
    { "epoch", "EPOCH", false, NULL },
    { "routes", "ROUTES", true, NULL },
    { "stale_routes", "STALE", true, NULL },
    { "messages", "MESSAGES", true, sum_format },
    { "refused", "REFUSED", true, sum_format },
    { "acks", "ACKS", true, NULL },
};

/* speaker-list */
char *
xf_run_speaker_list(struct xf_engine *engine, struct xf_job *job)
{
    const char *name = job->args.router;
    struct xf_table table;
    char *error = NULL;
    size_t n;

    if (name[0] && !xf_router_by_name(engine, name, &error)) {
        return error;
    }
    struct xf_router **routers = sorted_routers(engine, name, &n);
    xf_table_init(&table, speaker_columns, ARRAY_SIZE(speaker_columns),
                  job->json);
    for (size_t i = 0; i < n; i++) {
        if (routers[i]->listener) {
            struct json *row = xf_listener_to_json(routers[i]->listener,
                                                   time_msec());
            json_object_put_string(row, "router", routers[i]->name);
            xf_table_add(&table, row);
        }
    }
    xf_table_finish(&table, &job->body);
    free(routers);
    return NULL;
}

/* ---- Guest. ---- */

static const struct xf_column guest_columns[] = {
    { "router", "router", false, NULL },
    { "connected", "connected", false, NULL },
    { "name", "name", false, NULL },
    { "neighbors_used", "neighbors used", true, NULL },
    { "resyncs", "resyncs", true, NULL },
    { "age_ms", "age ms", true, NULL },
    { "uptime", "uptime s", true, NULL },
    { "cpus", "cpus", true, NULL },
    { "cpu_user_ms", "cpu user ms", true, NULL },
    { "cpu_system_ms", "cpu system ms", true, NULL },
    { "cpu_user_percent", "cpu user %", true, NULL },
    { "cpu_system_percent", "cpu system %", true, NULL },
    { "memory_total", "memory total", true, NULL },
    { "memory_available", "memory available", true, NULL },
};

static const struct xf_column guest_iface_columns[] = {
    { "name", "INTERFACE", false, NULL },
    { "ifindex", "IFINDEX", true, NULL },
    { "rx_packets", "RX-PACKETS", true, NULL },
    { "rx_bytes", "RX-BYTES", true, NULL },
    { "rx_dropped", "RX-DROPPED", true, NULL },
    { "tx_packets", "TX-PACKETS", true, NULL },
    { "tx_bytes", "TX-BYTES", true, NULL },
    { "tx_dropped", "TX-DROPPED", true, NULL },
};

/* The interfaces of 'guest' as text. */
static void
put_guest_ifaces(const struct json *guest, struct ds *out)
{
    const struct json *ifaces = shash_find_data(json_object(guest),
                                                "interfaces");
    struct xf_table table;

    if (!ifaces) {
        return;
    }
    xf_table_init(&table, guest_iface_columns,
                  ARRAY_SIZE(guest_iface_columns), false);
    for (size_t i = 0; i < json_array(ifaces)->n; i++) {
        xf_table_add(&table, json_clone(json_array(ifaces)->elems[i]));
    }
    xf_table_finish(&table, out);
}

/* guest-show */
char *
xf_run_guest_show(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (!router) {
        return error;
    }
    if (!router->listener) {
        return xasprintf("router '%s' has no listener that a guest daemon "
                         "could report to: give it one with "
                         "xenflow/router-set listen=ADDRESS", router->name);
    }

    struct json *guest = xf_listener_guest_to_json(router->listener,
                                                   time_msec());
    json_object_put_string(guest, "router", router->name);
    xf_object_put(guest_columns, ARRAY_SIZE(guest_columns), job->json, guest,
                  &job->body);
    if (!job->json) {
        put_guest_ifaces(guest, &job->body);
    }
    json_destroy(guest);
    return NULL;
}
