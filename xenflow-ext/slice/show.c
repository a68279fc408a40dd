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


/* Slices and switches as text and JSON. */

#include <config.h>
#include "slice/slice-private.h"

#include <inttypes.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"

static const char *const refusal_names[XF_SLICE_N_REFUSALS] = {
    [XF_SLICE_R_MALFORMED] = "malformed",
    [XF_SLICE_R_MESSAGE] = "message",
    [XF_SLICE_R_EXPERIMENTER] = "experimenter",
    [XF_SLICE_R_MATCH] = "match",
    [XF_SLICE_R_ACTION] = "action",
    [XF_SLICE_R_PORT] = "port",
    [XF_SLICE_R_TABLE] = "table",
    [XF_SLICE_R_GROUP] = "group",
    [XF_SLICE_R_METER] = "meter",
    [XF_SLICE_R_METADATA] = "metadata",
    [XF_SLICE_R_BUFFER] = "buffer",
    [XF_SLICE_R_LIMIT] = "limit",
    [XF_SLICE_R_SECONDARY] = "secondary",
};

/* The name under which 'refusal' is counted. */
const char *
xf_slice_refusal_to_string(enum xf_slice_refusal refusal)
{
    return (refusal < XF_SLICE_N_REFUSALS ? refusal_names[refusal]
            : "unknown");
}

static const char *
state_of(const struct xf_slice *slice)
{
    return (slice->connected && slice->ready ? "active"
            : slice->ready ? "waiting for its controller"
            : slice->unready ? slice->unready
            : "waiting for its switch");
}

/* A counter of slices: its name and where it is. */
struct counter {
    const char *name;
    size_t ofs;
};

static const struct counter counters[] = {
    { "from_controller", offsetof(struct xf_slice_counters,
                                  from_controller) },
    { "to_controller", offsetof(struct xf_slice_counters, to_controller) },
    { "to_switch", offsetof(struct xf_slice_counters, to_switch) },
    { "work", offsetof(struct xf_slice_counters, work) },
    { "packet_ins", offsetof(struct xf_slice_counters, packet_ins) },
    { "packet_ins_limited", offsetof(struct xf_slice_counters,
                                     packet_ins_limited) },
    { "packet_outs", offsetof(struct xf_slice_counters, packet_outs) },
    { "switch_errors", offsetof(struct xf_slice_counters, switch_errors) },
};

static uint64_t
counter_value(const struct xf_slice *slice, const struct counter *c)
{
    uint64_t value;

    memcpy(&value, (const char *) &slice->counters + c->ofs, sizeof value);
    return value;
}

/* Appends all of 'slice' to 's', for people. */
void
xf_slice_format(const struct xf_slice *slice, struct ds *s)
{
    const struct xf_slice_config *config = &slice->config;

    ds_put_format(s, "slice %s: %s\n", config->name, state_of(slice));
    ds_put_format(s, "  switch %s, tables %d-%d, datapath-id %016"PRIx64"\n",
                  config->switch_name, config->first_table,
                  config->last_table, config->dpid);
    ds_put_format(s, "  controller %s\n", config->remote);
    for (size_t i = 0; i < config->n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];

        ds_put_format(s, "  port %d: %s", port->config.number,
                      port->config.name);
        if (port->config.vlan) {
            ds_put_format(s, " vlan %d", port->config.vlan);
        }
        if (port->bound) {
            ds_put_format(s, " (port %"PRIu32" of the switch)\n",
                          ofp_to_u16(port->phy.port_no));
        } else {
            ds_put_cstr(s, " (the switch doesn't have it)\n");
        }
    }
    ds_put_format(s, "  flows %"PRIu32" of at most %"PRIu32"; groups "
                  "%"PRIuSIZE" of %"PRIu32"; meters %"PRIuSIZE" of %"PRIu32
                  "\n", slice->n_flows, config->max_flows, slice->n_groups,
                  config->max_groups, slice->n_meters, config->max_meters);
    ds_put_format(s, "  packet-ins %"PRIu32"/s, messages %"PRIu32"/s\n",
                  config->packet_in_pps, config->message_rate);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        ds_put_format(s, "  %s %"PRIu64"\n", counters[i].name,
                      counter_value(slice, &counters[i]));
    }
    ds_put_cstr(s, "  refused");
    for (int i = 0; i < XF_SLICE_N_REFUSALS; i++) {
        ds_put_format(s, " %s:%"PRIu64, refusal_names[i],
                      slice->counters.refused[i]);
    }
    ds_put_char(s, '\n');
    if (slice->last_refusal) {
        ds_put_format(s, "  last refused: %s\n", slice->last_refusal);
    }
}

static struct json *
ports_to_json(const struct xf_slice *slice)
{
    struct json *ports = json_array_create_empty();

    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];
        struct json *o = json_object_create();

        json_object_put(o, "number", json_integer_create(port->config.number));
        json_object_put_string(o, "name", port->config.name);
        json_object_put(o, "vlan", json_integer_create(port->config.vlan));
        json_object_put(o, "switch_port", json_integer_create(
                            port->bound ? ofp_to_u16(port->phy.port_no) : 0));
        json_array_add(ports, o);
    }
    return ports;
}

/* Likewise, for programs.  The caller owns the result. */
struct json *
xf_slice_to_json(const struct xf_slice *slice)
{
    const struct xf_slice_config *config = &slice->config;
    struct json *o = json_object_create();
    struct json *refused = json_object_create();

    json_object_put_string(o, "name", config->name);
    json_object_put_string(o, "switch", config->switch_name);
    json_object_put_string(o, "state", state_of(slice));
    json_object_put_string(o, "controller", config->remote);
    json_object_put_format(o, "datapath_id", "%016"PRIx64, config->dpid);
    json_object_put(o, "first_table",
                    json_integer_create(config->first_table));
    json_object_put(o, "last_table", json_integer_create(config->last_table));
    json_object_put(o, "ports", ports_to_json(slice));
    json_object_put(o, "flows", json_integer_create(slice->n_flows));
    json_object_put(o, "max_flows", json_integer_create(config->max_flows));
    json_object_put(o, "groups", json_integer_create(slice->n_groups));
    json_object_put(o, "meters", json_integer_create(slice->n_meters));
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        json_object_put(o, counters[i].name, json_integer_create(
                            counter_value(slice, &counters[i])));
    }
    for (int i = 0; i < XF_SLICE_N_REFUSALS; i++) {
        json_object_put(refused, refusal_names[i],
                        json_integer_create(slice->counters.refused[i]));
    }
    json_object_put(o, "refused", refused);
    if (slice->last_refusal) {
        json_object_put_string(o, "last_refusal", slice->last_refusal);
    }
    return o;
}

/* Appends 'sw' to 's', on a line. */
void
xf_slice_switch_format(const struct xf_slice_switch *sw, struct ds *s)
{
    static const char *const states[] = {
        [XF_SYNC_DOWN] = "not connected",
        [XF_SYNC_ASKED] = "being asked",
        [XF_SYNC_READY] = "ready",
    };

    ds_put_format(s, "switch %s: %s", sw->name, states[sw->sync]);
    if (sw->sync == XF_SYNC_READY) {
        ds_put_format(s, ", datapath-id %016"PRIx64", %d tables, "
                      "%"PRIuSIZE" ports", sw->dpid, sw->n_tables,
                      sw->n_ports);
    }
    ds_put_format(s, "; errors %"PRIu64", of nobody: packets %"PRIu64", "
                  "replies %"PRIu64"\n", sw->n_errors, sw->n_foreign,
                  sw->n_lost);
}
