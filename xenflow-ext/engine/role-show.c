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
#include "packets.h"
#include "util.h"

/* What is shown of elements that aren't routers.  Engine's thread. */

/* ---- stats-show. ---- */

static const struct xf_column element_columns[] = {
    { "router", "router", false, NULL },
    { "role", "role", false, NULL },
};

static const struct xf_column switch_columns[] = {
    { "port", "PORT", false, NULL },
    { "vlan", "VLAN", true, NULL },
    { "rx_packets", "RX-PACKETS", true, NULL },
    { "rx_bytes", "RX-BYTES", true, NULL },
    { "tx_packets", "TX-PACKETS", true, NULL },
    { "tx_bytes", "TX-BYTES", true, NULL },
    { "flooded_packets", "FLOODED", true, NULL },
};

static const struct xf_column middlebox_columns[] = {
    { "port", "PORT", false, NULL },
    { "vif", "VIF", false, NULL },
    { "tx_packets", "TO-VM", true, NULL },
    { "tx_bytes", "TO-VM-BYTES", true, NULL },
    { "rx_packets", "FROM-VM", true, NULL },
    { "rx_bytes", "FROM-VM-BYTES", true, NULL },
    { "bypassed_packets", "BYPASSED", true, NULL },
    { "refused_packets", "REFUSED", true, NULL },
};

static void
put_stat(struct json *row, const char *what, struct xf_stat *stat)
{
    uint64_t n_packets, n_bytes;
    char key[32];

    atomic_read_relaxed(&stat->n_packets, &n_packets);
    atomic_read_relaxed(&stat->n_bytes, &n_bytes);
    snprintf(key, sizeof key, "%s_packets", what);
    xf_json_put_int(row, key, n_packets);
    snprintf(key, sizeof key, "%s_bytes", what);
    xf_json_put_int(row, key, n_bytes);
}

static struct json *
segment_to_json(const struct xf_segment *s, enum xf_role role)
{
    struct json *row = json_object_create();

    json_object_put_string(row, "port", s->name);
    xf_json_put_int(row, "vlan", s->vlan);
    put_stat(row, "rx", s->stats[XF_SEGMENT_RX]);
    put_stat(row, "tx", s->stats[XF_SEGMENT_TX]);
    if (role == XF_ROLE_SWITCH) {
        put_stat(row, "flooded", s->stats[XF_SEGMENT_FLOODED]);
    } else {
        json_object_put_string(row, "vif", s->vif);
        put_stat(row, "bypassed", s->stats[XF_SEGMENT_BYPASSED]);
        put_stat(row, "refused", s->stats[XF_SEGMENT_REFUSED]);
    }
    return row;
}

/* Appends the counters of 'element' to 'out' as text and returns NULL, or
 * returns them as JSON, to be freed by the caller. */
struct json *
xf_role_put_stats(const struct xf_router *element, bool json, struct ds *out)
{
    const struct xf_segments *segments = xf_router_segments(element);
    bool is_switch = element->role == XF_ROLE_SWITCH;
    struct json *object = json_object_create();
    struct json *rows = json_array_create_empty();

    json_object_put_string(object, "router", element->name);
    json_object_put_string(object, "role", xf_role_name(element->role));
    for (size_t i = 0; i < segments->n; i++) {
        json_array_add(rows, segment_to_json(&segments->segments[i],
                                             element->role));
    }
    if (json) {
        json_object_put(object, "segments", rows);
        return object;
    }

    struct xf_table table;
    xf_object_put(element_columns, ARRAY_SIZE(element_columns), false, object,
                  out);
    xf_table_init(&table, is_switch ? switch_columns : middlebox_columns,
                  is_switch ? ARRAY_SIZE(switch_columns)
                            : ARRAY_SIZE(middlebox_columns), false);
    for (size_t i = 0; i < json_array(rows)->n; i++) {
        xf_table_add(&table, json_clone(json_array(rows)->elems[i]));
    }
    xf_table_finish(&table, out);
    json_destroy(rows);
    json_destroy(object);
    return NULL;
}

/* ---- mac-list. ---- */

static const struct xf_column mac_columns[] = {
    { "mac", "MAC", false, NULL },
    { "segment", "SEGMENT", false, NULL },
    { "vlan", "VLAN", true, NULL },
    { "port", "PORT", false, NULL },
    { "age", "AGE", true, NULL },
};

struct mac_list_aux {
    const struct xf_segment *segment;
    struct xf_table *table;
    struct xf_page page;
};

static bool
list_mac(struct eth_addr mac, const char *port, int age_s, void *aux_)
{
    struct mac_list_aux *aux = aux_;

    if (xf_page_take(&aux->page)) {
        struct json *row = json_object_create();

        xf_json_put_mac(row, "mac", mac);
        json_object_put_string(row, "segment", aux->segment->name);
        xf_json_put_int(row, "vlan", aux->segment->vlan);
        json_object_put_string(row, "port", port);
        json_object_put(row, "age", age_s < 0 ? json_null_create()
                                              : json_integer_create(age_s));
        xf_table_add(aux->table, row);
    }
    return true;
}

/* mac-list: what the switch has learned in its segments. */
char *
xf_run_mac_list(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_switch *sw = engine->sw;
    char *error = NULL;
    struct xf_router *element = xf_router_of_role(engine, job->args.router,
                                                  XF_ROLE_SWITCH, &error);
    if (!element) {
        return error;
    }

    const struct xf_segments *segments = xf_router_segments(element);
    struct xf_table table;
    struct mac_list_aux aux = {
        .table = &table,
        .page = { .skip = job->args.skip, .limit = job->args.limit },
    };
    xf_table_init(&table, mac_columns, ARRAY_SIZE(mac_columns), job->json);
    for (size_t i = 0; i < segments->n; i++) {
        aux.segment = &segments->segments[i];
        sw->for_each_mac(sw, element->name, aux.segment->vlan, list_mac,
                         &aux);
    }
    xf_table_finish_page(&table, &aux.page, &job->body);
    return NULL;
}
