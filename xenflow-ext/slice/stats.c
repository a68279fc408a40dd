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


/* Statistics of flows, tables and ports, and the count of a slice's flows. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-table.h"
#include "openvswitch/ofp-util.h"

/* ---- Requests. ---- */

static enum ofperr
flow_stats_request(struct xf_slice *slice, enum ofptype type,
                   const struct ofp_header *oh, long long int now_ms)
{
    struct ofputil_flow_stats_request fsr;
    uint32_t groups[2], in_port;
    size_t n_groups;
    enum ofperr error = ofputil_decode_flow_stats_request(&fsr, oh, NULL,
                                                          NULL);

    if (error) {
        return xf_refuse(slice, XF_SLICE_R_MALFORMED, error,
                         "a request for statistics of flows");
    }
    error = xf_match_to_switch(slice, &fsr.match, &in_port);
    if (!error) {
        error = xf_filter_groups(slice, fsr.out_port, fsr.out_group, groups,
                                 &n_groups);
    }
    if (error) {
        return error;
    }
    if (fsr.table_id != OFPTT_ALL && fsr.table_id >= xf_n_tables(slice)) {
        return xf_refuse(slice, XF_SLICE_R_TABLE, OFPERR_OFPBRC_BAD_TABLE_ID,
                         "statistics of table %d: the slice has tables 0 to "
                         "%d", fsr.table_id, xf_n_tables(slice) - 1);
    }

    xf_charge_flows(slice);
    struct xf_pending *pending = xf_pending_add(slice, type, oh, now_ms);
    int first = fsr.table_id == OFPTT_ALL ? 0 : fsr.table_id;
    int last = fsr.table_id == OFPTT_ALL ? xf_n_tables(slice) - 1 : first;
    if (fsr.out_port != OFPP_CONTROLLER) {
        fsr.out_port = OFPP_ANY;
    }
    for (int table = first; table <= last; table++) {
        for (size_t i = 0; i < n_groups; i++) {
            fsr.table_id = slice->config.first_table + table;
            fsr.out_group = groups[i];
            xf_pending_send(slice, pending,
                            ofputil_encode_flow_stats_request(&fsr,
                                                              XF_OFPUTIL));
        }
    }
    return 0;
}

static struct ofpbuf *
encode_table_stats_request(void)
{
    return ofpraw_alloc(OFPRAW_OFPST_TABLE_REQUEST, XF_OFP, 0);
}

/* The counters of a whole port are its slice's.  Those of a VLAN aren't kept:
 * all ones, as OpenFlow has it for counters that a switch doesn't have. */
static void
append_unknown_port(const struct xf_vport *port, struct ovs_list *replies)
{
    struct ofputil_port_stats ops = {
        .port_no = u16_to_ofp(port->config.number),
        .duration_sec = UINT32_MAX,
        .duration_nsec = UINT32_MAX,
    };

    memset(&ops.stats, 0xff, sizeof ops.stats);
    ofputil_append_port_stat(replies, &ops);
}

static enum ofperr
port_stats_request(struct xf_slice *slice, enum ofptype type,
                   const struct ofp_header *oh, long long int now_ms)
{
    struct xf_pending *pending;
    struct ovs_list replies;
    ofp_port_t port_no;
    enum ofperr error = ofputil_decode_port_stats_request(oh, &port_no);

    if (error || (port_no != OFPP_ANY
                  && !xf_vport_find(slice, ofp_to_u16(port_no)))) {
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBRC_BAD_PORT,
                         "statistics of port %"PRIu32, ofp_to_u16(port_no));
    }
    ofpmp_init(&replies, oh);
    pending = xf_pending_add(slice, type, oh, now_ms);
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];

        if (!port->bound || (port_no != OFPP_ANY && ofp_to_u16(port_no)
                             != port->config.number)) {
            continue;
        } else if (port->config.vlan) {
            append_unknown_port(port, &replies);
        } else {
            xf_pending_send(slice, pending, ofputil_encode_dump_ports_request(
                                XF_OFP, port->phy.port_no));
        }
    }
    xf_list_to_controller(slice, &replies, pending->n > 0);
    if (!pending->n) {
        xf_pending_destroy(slice, pending);
    }
    return 0;
}

/* OFPMP_FLOW, OFPMP_AGGREGATE, OFPMP_TABLE and OFPMP_PORT_STATS. */
enum ofperr
xf_stats_request(struct xf_slice *slice, enum ofptype type,
                 const struct ofp_header *oh, long long int now_ms)
{
    struct xf_pending *pending;

    switch ((int) type) {
    case OFPTYPE_FLOW_STATS_REQUEST:
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        return flow_stats_request(slice, type, oh, now_ms);
    case OFPTYPE_PORT_STATS_REQUEST:
        return port_stats_request(slice, type, oh, now_ms);
    default:
        pending = xf_pending_add(slice, type, oh, now_ms);
        xf_pending_send(slice, pending, encode_table_stats_request());
        return 0;
    }
}

/* Asks the switch how many flows 'slice' has, if that isn't under way and the
 * count may have changed. */
void
xf_count_flows(struct xf_slice *slice, long long int now_ms)
{
    struct xf_pending *pending;

    if (slice->counting
        || (slice->counted && !slice->n_flows
            && slice->n_adds == slice->adds_counted)) {
        return;
    }
    slice->counting = true;
    slice->counted_ms = now_ms;
    pending = xf_pending_add(slice, OFPTYPE_TABLE_STATS_REQUEST, NULL,
                             now_ms);
    pending->mark = slice->n_adds;
    /* Adds that a switch still has in hand would not be counted. */
    pending->n_left++;
    pending->first = xf_to_switch(slice,
                                  ofputil_encode_barrier_request(XF_OFP),
                                  NULL);
    pending->n = 1;
    xf_pending_send(slice, pending, encode_table_stats_request());
}

/* ---- Replies. ---- */

static void
flow_stats_reply(struct xf_slice *slice, const struct ofp_header *oh,
                 struct ovs_list *replies)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_flow_stats fs;
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 256);
    while (!ofputil_decode_flow_stats_reply(&fs, &b, false, &ofpacts)) {
        uint8_t table = fs.table_id - slice->config.first_table;
        struct ofpbuf actions;
        uint32_t in_port;

        if (table >= xf_n_tables(slice)
            || !xf_match_from_switch(slice, &fs.match)) {
            continue;
        }
        in_port = ofp_to_u16(fs.match.flow.in_port.ofp_port
                             & fs.match.wc.masks.in_port.ofp_port);
        ofpbuf_init(&actions, 256);
        xf_actions_from_switch(slice, in_port, fs.ofpacts, fs.ofpacts_len,
                               &actions);
        fs.table_id = table;
        fs.ofpacts = actions.data;
        fs.ofpacts_len = actions.size;
        ofputil_append_flow_stats_reply(&fs, replies, NULL);
        ofpbuf_uninit(&actions);
    }
    ofpbuf_uninit(&ofpacts);
}

static void
aggregate_reply(struct xf_slice *slice, struct xf_pending *pending,
                const struct ofp_header *oh, bool last)
{
    struct ofputil_aggregate_stats stats;

    if (!ofputil_decode_aggregate_stats_reply(&stats, oh)) {
        pending->sum.packet_count += stats.packet_count;
        pending->sum.byte_count += stats.byte_count;
        pending->sum.flow_count += stats.flow_count;
    }
    if (last) {
        xf_to_controller(slice, ofputil_encode_aggregate_stats_reply(
                             &pending->sum, pending->request->data));
    }
}

/* The tables of 'slice' in 'oh', with our numbers: appended to 'replies' if
 * that isn't null.  Returns how many flows are in them. */
static uint32_t
table_stats_reply(struct xf_slice *slice, const struct ofp_header *oh,
                  struct ovs_list *replies)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    const struct ofp13_table_stats *ots;
    uint32_t n_flows = 0;

    ofpraw_pull_assert(&b);
    while ((ots = ofpbuf_try_pull(&b, sizeof *ots)) != NULL) {
        uint8_t table = ots->table_id - slice->config.first_table;

        if (table >= xf_n_tables(slice)) {
            continue;
        }
        n_flows += ntohl(ots->active_count);
        if (replies) {
            struct ofp13_table_stats *new = ofpmp_append(replies, sizeof *new);

            *new = *ots;
            new->table_id = table;
        }
    }
    return n_flows;
}

static void
port_stats_reply(struct xf_slice *slice, const struct ofp_header *oh,
                 struct ovs_list *replies)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_port_stats ops;

    while (!ofputil_decode_port_stats(&ops, &b)) {
        for (size_t i = 0; i < slice->config.n_ports; i++) {
            const struct xf_vport *port = &slice->ports[i];

            if (port->bound && !port->config.vlan
                && port->phy.port_no == ops.port_no) {
                struct ofputil_port_stats copy = ops;

                copy.port_no = u16_to_ofp(port->config.number);
                ofputil_append_port_stat(replies, &copy);
                break;
            }
        }
        netdev_free_custom_stats_counters(&ops.custom_stats);
    }
}

static void
count_reply(struct xf_slice *slice, struct xf_pending *pending,
            enum ofptype type, const struct ofp_header *oh, bool last)
{
    if (type == OFPTYPE_TABLE_STATS_REPLY) {
        pending->n_active += table_stats_reply(slice, oh, NULL);
    }
    if (last) {
        slice->counted = true;
        slice->n_flows = pending->n_active;
        slice->adds_counted = pending->mark;
    }
}

/* A reply of the switch to a part of 'pending'; 'last' if none follows. */
void
xf_stats_reply(struct xf_slice *slice, struct xf_pending *pending,
               const struct ofp_header *oh, bool last)
{
    enum ofptype type, expected;
    struct ovs_list replies;

    if (ofptype_decode(&type, oh)) {
        return;
    }
    if (pending->ours) {
        count_reply(slice, pending, type, oh, last);
        return;
    }
    /* In all of enum ofptype, a reply follows its request. */
    expected = pending->type + 1;
    if (type != expected) {
        slice->sw->n_lost++;
        return;
    }
    if (type == OFPTYPE_BARRIER_REPLY) {
        xf_to_controller(slice, ofpraw_alloc_reply(
                             OFPRAW_OFPT11_BARRIER_REPLY,
                             pending->request->data, 0));
        return;
    } else if (type == OFPTYPE_AGGREGATE_STATS_REPLY) {
        aggregate_reply(slice, pending, oh, last);
        return;
    }
    ofpmp_init(&replies, pending->request->data);
    switch ((int) type) {
    case OFPTYPE_FLOW_STATS_REPLY:
        flow_stats_reply(slice, oh, &replies);
        break;
    case OFPTYPE_TABLE_STATS_REPLY:
        table_stats_reply(slice, oh, &replies);
        break;
    case OFPTYPE_PORT_STATS_REPLY:
        port_stats_reply(slice, oh, &replies);
        break;
    case OFPTYPE_GROUP_STATS_REPLY:
    case OFPTYPE_GROUP_DESC_STATS_REPLY:
        xf_group_reply(slice, pending, oh, &replies);
        break;
    case OFPTYPE_METER_STATS_REPLY:
    case OFPTYPE_METER_CONFIG_STATS_REPLY:
        xf_meter_reply(slice, pending, oh, &replies);
        break;
    }
    xf_list_to_controller(slice, &replies, !last);
}
