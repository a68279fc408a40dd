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

#include <inttypes.h>

#include "openvswitch/json.h"
#include "ovsdb-idl-provider.h"
#include "timeval.h"
#include "util.h"

/* The tree of the whole system: what is wanted and what is.  It is made once, as
 * JSON; text is printed from that. */

#define RED "\033[31m"
#define GREEN "\033[32m"
#define PLAIN "\033[0m"

static void
put(struct json *object, const char *key, const char *value)
{
    if (value && value[0]) {
        json_object_put_string(object, key, value);
    }
}

/* Puts the load 'keys' and 'values', in percent of a CPU and MiB, into 'json'. */
static void
put_load(struct json *json, char *const keys[], const double values[],
         size_t n)
{
    struct json *load = json_object_create();

    for (size_t i = 0; i < n; i++) {
        json_object_put(load, keys[i], json_real_create(values[i]));
    }
    json_object_put(json, "load", load);
}

/* ---- Hosts. ---- */

static const char *
host_condition(const struct xfrec_host *host,
               const struct xfrec_host_state *state)
{
    if (strcmp(host->kind, "xenflow")) {
        return host->kind;
    }
    return (!host->enabled ? "disabled"
            : !state ? "unknown"
            : xf_host_is_up(state, time_wall_msec()) ? "up" : "down");
}

static struct json *
host_to_json(struct ovsdb_idl *idl, const struct xfrec_host *host)
{
    const struct xfrec_host_state *state = xf_host_state(idl, host->name);
    struct json *json = json_object_create();

    put(json, "name", host->name);
    put(json, "state", host_condition(host, state));
    if (strcmp(host->power, "on")) {
        put(json, "wanted", host->power);
    }
    if (state) {
        json_object_put(json, "cfg", json_integer_create(state->cfg));
        put_load(json, state->key_load, state->value_load, state->n_load);
        put(json, "error", state->error);
    }
    return json;
}

static struct json *
trunk_to_json(struct ovsdb_idl *idl, const struct xfrec_physical_link *link)
{
    const struct xfrec_physical_link_state *state;
    struct json *json = json_object_create();

    put(json, "name", link->name);
    json_object_put_format(json, "ends", "%s:%s %s:%s", link->host1->name,
                           link->port1, link->host2->name, link->port2);
    XFREC_PHYSICAL_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &link->header_.uuid)) {
            put(json, "state", state->up ? "up" : "down");
            json_object_put(json, "latency_us",
                            json_integer_create(state->latency_us));
            if (state->up) {
                json_object_put_format(json, "latency", "%.3f ms",
                                       state->latency_us / 1000.0);
            }
            if (state->n_metric) {
                json_object_put(json, "metric",
                                json_integer_create(*state->metric));
            }
            break;
        }
    }
    return json;
}

/* ---- Routers. ---- */

const struct xfrec_router_state *
xf_router_state(struct ovsdb_idl *idl, const struct xfrec_router *router)
{
    const struct xfrec_router_state *state;

    XFREC_ROUTER_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->router, &router->header_.uuid)
            && router->host && !strcmp(state->host, router->host->name)) {
            return state;
        }
    }
    return NULL;
}

static struct json *
interface_to_json(const struct xfrec_interface *iface)
{
    struct json *json = json_object_create();
    struct ds ds = DS_EMPTY_INITIALIZER;

    put(json, "name", iface->name);
    put(json, "segment", iface->segment ? iface->segment->name : NULL);
    put(json, "mac", iface->mac);
    for (size_t i = 0; i < iface->n_addresses; i++) {
        ds_put_format(&ds, "%s%s", i ? " " : "", iface->addresses[i]);
    }
    put(json, "addresses", ds_cstr(&ds));
    ds_destroy(&ds);
    return json;
}

static struct json *
interfaces_to_json(const struct xfrec_router *router, xf_row **rows, size_t n)
{
    struct json *array = json_array_create_empty();

    for (size_t i = 0; i < n; i++) {
        if (xf_refers(rows[i], &xfrec_interface_col_router,
                      &router->header_)) {
            json_array_add(array, interface_to_json(
                CONTAINER_OF(rows[i], struct xfrec_interface, header_)));
        }
    }
    return array;
}

static struct json *
router_to_json(struct ovsdb_idl *idl, const struct xfrec_router *router,
               xf_row **ifaces, size_t n_ifaces)
{
    const struct xfrec_router_state *state = xf_router_state(idl, router);
    struct json *json = json_object_create();

    put(json, "name", router->name);
    put(json, "role", router->role);
    put(json, "wanted", router->state);
    put(json, "state", (state ? state->state
                        : router->host ? "unknown" : "not placed"));
    put(json, "host", router->host ? router->host->name : NULL);
    put(json, "destination",
        router->destination ? router->destination->name : NULL);
    if (state) {
        json_object_put(json, "routes", json_integer_create(state->routes));
        put_load(json, state->key_load, state->value_load, state->n_load);
        put(json, "error", state->error);
    }
    json_object_put(json, "interfaces",
                    interfaces_to_json(router, ifaces, n_ifaces));
    return json;
}

/* ---- All. ---- */

struct show {
    struct ovsdb_idl *idl;
    xf_row **ifaces;
    size_t n_ifaces;
};

static struct json *
row_to_json(const struct show *show, const struct xf_kind *kind, xf_row *row)
{
    if (kind->table == &xfrec_table_host) {
        return host_to_json(show->idl, CONTAINER_OF(row, struct xfrec_host,
                                                    header_));
    } else if (kind->table == &xfrec_table_physical_link) {
        return trunk_to_json(show->idl, CONTAINER_OF(
            row, struct xfrec_physical_link, header_));
    } else if (kind->table == &xfrec_table_router) {
        return router_to_json(show->idl, CONTAINER_OF(
            row, struct xfrec_router, header_), show->ifaces, show->n_ifaces);
    } else {
        return xf_link_to_json(show->idl, CONTAINER_OF(row, struct xfrec_link,
                                                       header_), false);
    }
}

/* The objects of kind 'name'; of routers, those of 'net' if 'by_net'. */
static struct json *
rows_to_json(const struct show *show, const char *name, bool by_net,
             xf_row *net)
{
    const struct xf_kind *kind = xf_kind_find(name);
    struct json *array = json_array_create_empty();
    size_t n;
    xf_row **rows = xf_rows_sorted(show->idl, kind, &n);

    for (size_t i = 0; i < n; i++) {
        if (!by_net || xf_ref_get(show->idl, rows[i],
                                  &xfrec_router_col_network) == net) {
            json_array_add(array, row_to_json(show, kind, rows[i]));
        }
    }
    free(rows);
    return array;
}

static struct json *
nets_to_json(const struct show *show)
{
    const struct xf_kind *kind = xf_kind_find("net");
    struct json *array = json_array_create_empty();
    size_t n;
    xf_row **rows = xf_rows_sorted(show->idl, kind, &n);

    for (size_t i = 0; i < n; i++) {
        struct json *json = json_object_create();

        put(json, "name", xf_string_get(rows[i], kind->name_column));
        json_object_put(json, "routers",
                        rows_to_json(show, "router", true, rows[i]));
        json_array_add(array, json);
    }
    free(rows);
    return array;
}

/* ---- Text. ---- */

static const char *
member(const struct json *object, const char *key)
{
    const struct json *json = shash_find_data(json_object(object), key);

    return json && json->type == JSON_STRING ? json_string(json) : NULL;
}

/* What is as it should be is green, what isn't red. */
static void
put_state(struct ds *ds, const struct json *object)
{
    const char *state = member(object, "state");
    const char *wanted = member(object, "wanted");
    bool good = state && (wanted ? !strcmp(state, wanted)
                          : !strcmp(state, "up") || !strcmp(state, "proven")
                            || !strcmp(state, "openflow"));

    if (!state) {
        return;
    }
    ds_put_format(ds, ": %s%s%s", !xf_color ? "" : good ? GREEN : RED, state,
                  xf_color ? PLAIN : "");
    if (wanted && strcmp(state, wanted)) {
        ds_put_format(ds, ", wanted: %s", wanted);
    }
}

static double
load_get(const struct json *load, const char *key)
{
    const struct json *json = shash_find_data(json_object(load), key);

    return json ? json_real(json) : 0;
}

/* What 'object', a host or a router, takes and holds, as far as it's known. */
static void
put_usage(struct ds *ds, const struct json *object)
{
    const struct shash *members = json_object(object);
    const struct json *routes = shash_find_data(members, "routes");
    const struct json *load = shash_find_data(members, "load");

    if (routes && json_integer(routes)) {
        ds_put_format(ds, ", %"PRId64" routes", json_integer(routes));
    }
    if (load && !shash_is_empty(json_object(load))) {
        ds_put_format(ds, ", CPU %.0f %%, %.0f MB",
                      load_get(load, "cpu-user")
                      + load_get(load, "cpu-system"),
                      load_get(load, "memory-used"));
    }
}

static void put_array(struct ds *, const struct json *object, const char *key,
                      const char *noun, int indent);

/* One line, and what is below it. */
static void
put_object(struct ds *ds, const struct json *object, const char *noun,
           int indent)
{
    static const char *const details[] = { "ends", "segment", "mac",
                                           "addresses", "latency", "way",
                                           "bandwidth", "sides", "of" };
    const char *role = member(object, "role");

    ds_put_format(ds, "%*s%s %s", indent, "", role ? role : noun,
                  member(object, "name"));
    put_state(ds, object);
    if (member(object, "host")) {
        ds_put_format(ds, " on %s", member(object, "host"));
    }
    if (member(object, "destination")) {
        ds_put_format(ds, ", moving to %s", member(object, "destination"));
    }
    put_usage(ds, object);
    for (size_t i = 0; i < ARRAY_SIZE(details); i++) {
        if (member(object, details[i])) {
            ds_put_format(ds, " %s", member(object, details[i]));
        }
    }
    ds_put_char(ds, '\n');
    if (member(object, "error")) {
        ds_put_format(ds, "%*serror: %s\n", indent + 4, "",
                      member(object, "error"));
    }
    put_array(ds, object, "interfaces", "interface", indent + 4);
    put_array(ds, object, "routers", "router", indent + 4);
    put_array(ds, object, "hops", "hop", indent + 4);
}

static void
put_array(struct ds *ds, const struct json *object, const char *key,
          const char *noun, int indent)
{
    const struct json *array = shash_find_data(json_object(object), key);

    for (size_t i = 0; array && i < array->array.n; i++) {
        put_object(ds, array->array.elems[i], noun, indent);
    }
}

void
xf_tree_put(struct ds *ds, const struct json *json, const char *key,
            const char *noun)
{
    if (xf_json) {
        json_to_ds(shash_find_data(json_object(json), key), JSSF_SORT, ds);
        ds_put_char(ds, '\n');
    } else {
        put_array(ds, json, key, noun, 0);
    }
}

void
xf_cmd_show(struct ctl_context *ctx)
{
    struct show show = { .idl = ctx->idl };
    struct json *json = json_object_create();

    show.ifaces = xf_rows_sorted(ctx->idl, xf_kind_find("if"),
                                 &show.n_ifaces);
    json_object_put(json, "hosts", rows_to_json(&show, "host", false, NULL));
    json_object_put(json, "trunks", rows_to_json(&show, "trunk", false,
                                                 NULL));
    json_object_put(json, "networks", nets_to_json(&show));
    json_object_put(json, "routers", rows_to_json(&show, "router", true,
                                                  NULL));
    json_object_put(json, "links", rows_to_json(&show, "link", false, NULL));
    if (xf_json) {
        json_to_ds(json, JSSF_SORT, &ctx->output);
        ds_put_char(&ctx->output, '\n');
    } else {
        put_array(&ctx->output, json, "hosts", "host", 0);
        put_array(&ctx->output, json, "trunks", "trunk", 0);
        put_array(&ctx->output, json, "networks", "network", 0);
        put_array(&ctx->output, json, "routers", "router", 0);
        put_array(&ctx->output, json, "links", "link", 0);
    }
    json_destroy(json);
    free(show.ifaces);
}
