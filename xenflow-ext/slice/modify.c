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


/* Changes that a controller asks for: flows and packets. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-packet.h"

/* ---- Flows. ---- */

/* What a request filters by output: sets '*n_groups' and 'groups' to the groups
 * of the switch to ask for, one after the other.  'groups[0]' is OFPG_ANY if
 * it doesn't filter. */
enum ofperr
xf_filter_groups(struct xf_slice *slice, ofp_port_t out_port,
                 uint32_t out_group, uint32_t groups[2], size_t *n_groups)
{
    const struct xf_vport *port = xf_vport_find(slice, ofp_to_u16(out_port));

    *n_groups = 1;
    groups[0] = OFPG_ANY;
    if (out_port != OFPP_ANY && out_port != OFPP_CONTROLLER) {
        if (!port || out_group != OFPG_ANY) {
            return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBRC_BAD_PORT,
                             "a filter by out_port %"PRIu32"%s",
                             ofp_to_u16(out_port),
                             port ? " and a group at the same time" : "");
        }
        groups[0] = xf_group_ours(slice, XF_GROUP_OUT, port->config.number);
        if (port->shared) {
            groups[1] = xf_group_ours(slice, XF_GROUP_BACK,
                                      port->config.number);
            *n_groups = 2;
        }
    } else if (out_group != OFPG_ANY) {
        if (out_group >= XF_GROUPS) {
            return xf_refuse(slice, XF_SLICE_R_GROUP,
                             OFPERR_OFPGMFC_UNKNOWN_GROUP,
                             "a filter by out_group %"PRIu32, out_group);
        }
        groups[0] = xf_group_base(slice) | out_group;
    }
    return 0;
}

static bool
is_delete(const struct ofputil_flow_mod *fm)
{
    return fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT;
}

/* The count of the switch is a little old, and adds since then may have
 * replaced flows or failed: so this is the most that there can be. */
static enum ofperr
check_room(struct xf_slice *slice)
{
    uint64_t most = slice->n_flows + (slice->n_adds - slice->adds_counted);

    if (most >= slice->config.max_flows) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT, OFPERR_OFPFMFC_TABLE_FULL,
                         "a flow beyond the slice's maximum of %"PRIu32
                         " (max-flows)", slice->config.max_flows);
    }
    slice->n_adds++;
    return 0;
}

/* Sends 'fm', complete but for table and filters, to all tables it concerns:
 * those that it names and that are the slice's. */
static enum ofperr
send_to_tables(struct xf_slice *slice, struct ofputil_flow_mod *fm,
               const struct ofp_header *oh)
{
    uint8_t first = fm->table_id, last = fm->table_id;
    uint32_t groups[2] = { OFPG_ANY, OFPG_ANY };
    size_t n_groups = 1;

    if (fm->table_id == OFPTT_ALL && is_delete(fm)) {
        first = 0;
        last = xf_n_tables(slice) - 1;
    } else if (fm->table_id >= xf_n_tables(slice)) {
        return xf_refuse(slice, XF_SLICE_R_TABLE,
                         OFPERR_OFPFMFC_BAD_TABLE_ID,
                         "a flow in table %d: the slice has tables 0 to %d",
                         fm->table_id, xf_n_tables(slice) - 1);
    }
    if (is_delete(fm)) {
        enum ofperr error = xf_filter_groups(slice, fm->out_port,
                                             fm->out_group, groups,
                                             &n_groups);
        if (error) {
            return error;
        }
    }
    if (fm->out_port != OFPP_CONTROLLER || !is_delete(fm)) {
        fm->out_port = OFPP_ANY;
    }
    if (fm->command == OFPFC_ADD) {
        enum ofperr error = check_room(slice);

        if (error) {
            return error;
        }
    }
    if (fm->command == OFPFC_DELETE || fm->command == OFPFC_MODIFY) {
        xf_charge_flows(slice);
    }
    for (int table = first; table <= last; table++) {
        for (size_t i = 0; i < n_groups; i++) {
            fm->table_id = slice->config.first_table + table;
            fm->out_group = groups[i];

            enum ofperr error = xf_change_to_switch(
                slice, ofputil_encode_flow_mod(fm, XF_OFPUTIL), oh);
            if (error) {
                return error;
            }
        }
    }
    return 0;
}

/* Replaces the match and actions of 'fm' by the switch's, with actions in
 * 'actions', and sends it. */
static enum ofperr
translate_flow_mod(struct xf_slice *slice, struct ofputil_flow_mod *fm,
                   const struct ofp_header *oh, struct ofpbuf *actions)
{
    struct xf_action_scope scope = { .where = XF_IN_FLOW };
    struct match match;
    enum ofperr error;

    if (fm->buffer_id != XF_NO_BUFFER && !is_delete(fm)) {
        return xf_refuse(slice, XF_SLICE_R_BUFFER,
                         OFPERR_OFPBRC_BUFFER_UNKNOWN,
                         "a flow for buffer %"PRIu32": there are none",
                         fm->buffer_id);
    }
    fm->buffer_id = XF_NO_BUFFER;
    minimatch_expand(&fm->match, &match);
    error = xf_match_to_switch(slice, &match, &scope.in_port);
    if (error) {
        return error;
    }
    if (!is_delete(fm)) {
        error = xf_actions_to_switch(slice, &scope, fm->ofpacts,
                                     fm->ofpacts_len, actions);
        if (error) {
            return error;
        }
    }
    fm->ofpacts = actions->data;
    fm->ofpacts_len = actions->size;
    minimatch_destroy(&fm->match);
    minimatch_init(&fm->match, &match);
    return send_to_tables(slice, fm, oh);
}

/* OFPT_FLOW_MOD. */
enum ofperr
xf_flow_mod(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts, actions;
    enum ofperr error;

    ofpbuf_init(&ofpacts, 256);
    ofpbuf_init(&actions, 256);
    error = ofputil_decode_flow_mod(&fm, oh, XF_OFPUTIL, NULL, NULL, &ofpacts,
                                    OFPP_MAX, 255);
    if (error) {
        xf_refuse(slice, XF_SLICE_R_MALFORMED, error, "a flow mod");
    } else {
        error = translate_flow_mod(slice, &fm, oh, &actions);
        minimatch_destroy(&fm.match);
    }
    ofpbuf_uninit(&ofpacts);
    ofpbuf_uninit(&actions);
    return error;
}

/* ---- Packets. ---- */

/* The virtual port that 'po' says the packet came in by: sets '*in_portp' to
 * its number, or to 0 for the controller itself. */
static enum ofperr
packet_out_in_port(struct xf_slice *slice, const struct ofputil_packet_out *po,
                   uint32_t *in_portp)
{
    ofp_port_t port = po->flow_metadata.flow.in_port.ofp_port;

    *in_portp = 0;
    if (port == OFPP_CONTROLLER || port == OFPP_NONE) {
        return 0;
    }
    if (!xf_vport_find(slice, ofp_to_u16(port))) {
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBRC_BAD_PORT,
                         "a packet-out with input port %"PRIu32,
                         ofp_to_u16(port));
    }
    *in_portp = ofp_to_u16(port);
    return 0;
}

static enum ofperr
translate_packet_out(struct xf_slice *slice, struct ofputil_packet_out *po,
                     const struct ofp_header *oh, struct ofpbuf *actions)
{
    struct xf_action_scope scope = { .where = XF_IN_PACKET_OUT };
    const struct xf_vport *from;
    enum ofperr error;

    if (po->buffer_id != UINT32_MAX) {
        return xf_refuse(slice, XF_SLICE_R_BUFFER,
                         OFPERR_OFPBRC_BUFFER_UNKNOWN,
                         "a packet-out of buffer %"PRIu32": there are none",
                         po->buffer_id);
    }
    error = packet_out_in_port(slice, po, &scope.in_port);
    if (!error) {
        error = xf_actions_to_switch(slice, &scope, po->ofpacts,
                                     po->ofpacts_len, actions);
    }
    if (error) {
        return error;
    }
    from = xf_vport_find(slice, scope.in_port);
    if (from && !from->bound) {
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBRC_BAD_PORT,
                         "a packet-out with input port %"PRIu32", which the "
                         "switch doesn't have now", scope.in_port);
    }
    match_init_catchall(&po->flow_metadata);
    match_set_in_port(&po->flow_metadata,
                      from ? from->phy.port_no : OFPP_CONTROLLER);
    po->ofpacts = actions->data;
    po->ofpacts_len = actions->size;
    slice->counters.packet_outs++;
    return xf_change_to_switch(slice,
                               ofputil_encode_packet_out(po, XF_OFPUTIL), oh);
}

/* OFPT_PACKET_OUT. */
enum ofperr
xf_packet_out(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_packet_out po;
    struct ofpbuf ofpacts, actions;
    enum ofperr error;

    ofpbuf_init(&ofpacts, 256);
    ofpbuf_init(&actions, 256);
    error = ofputil_decode_packet_out(&po, oh, NULL, &ofpacts);
    if (error) {
        xf_refuse(slice, XF_SLICE_R_MALFORMED, error, "a packet-out");
    } else {
        error = translate_packet_out(slice, &po, oh, &actions);
    }
    ofpbuf_uninit(&ofpacts);
    ofpbuf_uninit(&actions);
    return error;
}
