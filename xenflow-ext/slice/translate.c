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


/* Matches and actions, both ways.  What isn't listed here can't reach the
 * switch. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-group.h"
#include "packets.h"

/* What a controller may match, and what it may set: the fields of OpenFlow 1.3
 * that are in the packet.  (The others belong to the switch: tunnels, marks,
 * registers, connection tracking.) */
bool
xf_is_packet_field(int id)
{
    return id >= MFF_ETH_SRC && id <= MFF_ND_TLL;
}

/* ---- To the switch. ---- */

/* Changes 'match' from the controller's to the switch's.  Sets '*in_portp' to
 * the virtual input port it names, or to 0. */
enum ofperr
xf_match_to_switch(struct xf_slice *slice, struct match *match,
                   uint32_t *in_portp)
{
    struct flow_wildcards *wc = &match->wc;

    *in_portp = 0;
    for (int id = 0; id < MFF_N_IDS; id++) {
        if (!mf_is_all_wild(mf_from_id(id), wc) && !xf_is_packet_field(id)
            && id != MFF_METADATA && id != MFF_IN_PORT
            && id != MFF_IN_PORT_OXM
            && !(id == MFF_PACKET_TYPE
                 && match->flow.packet_type == htonl(PT_ETH))) {
            return xf_refuse(slice, XF_SLICE_R_MATCH, OFPERR_OFPBMC_BAD_FIELD,
                             "a match of '%s'", mf_from_id(id)->name);
        }
    }
    if (ntohll(wc->masks.metadata) & XF_METADATA_OURS) {
        return xf_refuse(slice, XF_SLICE_R_METADATA, OFPERR_OFPBMC_BAD_MASK,
                         "a match of metadata beyond its lower 32 bits");
    }
    if (wc->masks.in_port.ofp_port) {
        uint32_t number = ofp_to_u16(match->flow.in_port.ofp_port);
        uint64_t ours = (uint64_t) number << XF_METADATA_SHIFT;

        if (wc->masks.in_port.ofp_port != u16_to_ofp(UINT16_MAX)
            || !xf_vport_find(slice, number)) {
            return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBMC_BAD_VALUE,
                             "a match of in_port %"PRIu32, number);
        }
        match->flow.in_port.ofp_port = 0;
        wc->masks.in_port.ofp_port = 0;
        match->flow.metadata |= htonll(ours);
        wc->masks.metadata |= htonll(XF_METADATA_OURS);
        *in_portp = number;
    }
    return 0;
}

static void
put_group(struct ofpbuf *out, uint32_t group_id)
{
    ofpact_put_GROUP(out)->group_id = group_id;
}

/* Appends to 'out' what tags a packet with 'vlan', if that isn't 0. */
void
xf_put_push_tag(struct ofpbuf *out, uint16_t vlan)
{
    if (vlan) {
        const struct mf_field *vid = mf_from_id(MFF_VLAN_VID);
        union mf_value value = { .be16 = htons(vlan | VLAN_CFI) };

        ofpact_put_PUSH_VLAN(out)->ethertype = htons(ETH_TYPE_VLAN_8021Q);
        ofpact_put_set_field(out, vid, &value, NULL)->flow_has_vlan = true;
    }
}

static enum ofperr
refuse_unknown_input(struct xf_slice *slice, const char *what)
{
    return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBAC_BAD_OUT_PORT,
                     "output to %s without in_port, on which it depends, "
                     "because virtual ports share a port of the switch: match "
                     "in_port", what);
}

/* Counts 'n' more copies of a packet.  Without a bound, a few bytes of flow
 * could make thousands of one. */
static enum ofperr
count_copies(struct xf_slice *slice, struct xf_action_scope *scope, size_t n)
{
    scope->n_copies += n;
    if (scope->n_copies > XF_MAX_COPIES) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT, OFPERR_OFPBAC_TOO_MANY,
                         "actions that make more than %d packets of one",
                         XF_MAX_COPIES);
    }
    return 0;
}

/* Output to virtual port 'number'. */
static enum ofperr
output_to_vport(struct xf_slice *slice, struct xf_action_scope *scope,
                uint32_t number, struct ofpbuf *out)
{
    const struct xf_vport *to = xf_vport_find(slice, number);
    const struct xf_vport *from = xf_vport_find(slice, scope->in_port);
    enum xf_group_kind kind = XF_GROUP_OUT;

    if (!to) {
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBAC_BAD_OUT_PORT,
                         "output to port %"PRIu32, number);
    }
    if (to->shared) {
        char name[16];

        if (!from && scope->where != XF_IN_PACKET_OUT) {
            snprintf(name, sizeof name, "port %"PRIu32, number);
            return refuse_unknown_input(slice, name);
        } else if (from == to) {
            return 0;           /* As switches do: not back, unless asked. */
        } else if (from && !strcmp(from->config.name, to->config.name)) {
            kind = XF_GROUP_BACK;
        }
    }
    put_group(out, xf_group_ours(slice, kind, number));
    return count_copies(slice, scope, 1);
}

static enum ofperr
output_to_in_port(struct xf_slice *slice, struct xf_action_scope *scope,
                  struct ofpbuf *out)
{
    if (!scope->in_port && slice->tagged) {
        return refuse_unknown_input(slice, "IN_PORT");
    }
    put_group(out, xf_group_ours(slice, XF_GROUP_BACK,
                                 slice->tagged ? scope->in_port : 0));
    return count_copies(slice, scope, 1);
}

static enum ofperr
output_to_all(struct xf_slice *slice, struct xf_action_scope *scope,
              struct ofpbuf *out)
{
    const struct xf_vport *from = xf_vport_find(slice, scope->in_port);

    if (!from && scope->where != XF_IN_PACKET_OUT) {
        for (size_t i = 0; i < slice->config.n_ports; i++) {
            if (slice->ports[i].shared) {
                return refuse_unknown_input(slice, "ALL or FLOOD");
            }
        }
    }
    put_group(out, xf_group_ours(slice, XF_GROUP_FLOOD,
                                 from && from->shared ? scope->in_port : 0));
    return count_copies(slice, scope, slice->config.n_ports);
}

static enum ofperr
output_to_table(struct xf_slice *slice, struct xf_action_scope *scope,
                struct ofpbuf *out)
{
    const struct xf_vport *from = xf_vport_find(slice, scope->in_port);

    /* From CONTROLLER, table 0 would not know whose packet it is. */
    if (scope->where != XF_IN_PACKET_OUT || !from) {
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBAC_BAD_OUT_PORT,
                         "output to TABLE but by a packet-out with an input "
                         "port of the slice");
    }
    xf_put_push_tag(out, from->config.vlan);
    ofpact_put_OUTPUT(out)->port = OFPP_TABLE;
    if (from->config.vlan) {
        ofpact_put_STRIP_VLAN(out);
    }
    return count_copies(slice, scope, XF_GROUP_COPIES);
}

static enum ofperr
output_to_switch(struct xf_slice *slice, struct xf_action_scope *scope,
                 const struct ofpact_output *output, struct ofpbuf *out)
{
    struct ofpact_output *new;

    switch (ofp_to_u16(output->port)) {
    case OFP_PORT_C(0xfff8):    /* OFPP_IN_PORT */
        return output_to_in_port(slice, scope, out);
    case OFP_PORT_C(0xfffb):    /* OFPP_FLOOD */
    case OFP_PORT_C(0xfffc):    /* OFPP_ALL */
        return output_to_all(slice, scope, out);
    case OFP_PORT_C(0xfff9):    /* OFPP_TABLE */
        return output_to_table(slice, scope, out);
    case OFP_PORT_C(0xfffd):    /* OFPP_CONTROLLER */
        if (scope->where == XF_IN_PACKET_OUT) {
            return xf_refuse(slice, XF_SLICE_R_PORT,
                             OFPERR_OFPBAC_BAD_OUT_PORT,
                             "output to CONTROLLER by a packet-out");
        }
        new = ofpact_put_OUTPUT(out);
        new->port = OFPP_CONTROLLER;
        new->max_len = UINT16_MAX; /* Whole: there are no buffers. */
        return count_copies(slice, scope, 1);
    case OFP_PORT_C(0xfffa):    /* OFPP_NORMAL */
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBAC_BAD_OUT_PORT,
                         "output to NORMAL, which knows no slices");
    case OFP_PORT_C(0xfffe):    /* OFPP_LOCAL */
        return xf_refuse(slice, XF_SLICE_R_PORT, OFPERR_OFPBAC_BAD_OUT_PORT,
                         "output to LOCAL");
    default:
        return output_to_vport(slice, scope, ofp_to_u16(output->port), out);
    }
}

static enum ofperr
group_to_switch(struct xf_slice *slice, struct xf_action_scope *scope,
                const struct ofpact_group *group, struct ofpbuf *out)
{
    if (scope->where == XF_IN_BUCKET) {
        return xf_refuse(slice, XF_SLICE_R_GROUP,
                         OFPERR_OFPGMFC_CHAINING_UNSUPPORTED,
                         "a group in a group");
    }
    if (group->group_id >= XF_GROUPS || !slice->config.max_groups
        || !bitmap_is_set(slice->groups, group->group_id)) {
        return xf_refuse(slice, XF_SLICE_R_GROUP,
                         OFPERR_OFPBAC_BAD_OUT_GROUP, "output to group "
                         "%"PRIu32", which the slice doesn't have",
                         group->group_id);
    }
    put_group(out, xf_group_base(slice) | group->group_id);
    return count_copies(slice, scope, XF_GROUP_COPIES);
}

static enum ofperr
set_field_to_switch(struct xf_slice *slice, const struct ofpact *a,
                    struct ofpbuf *out)
{
    const struct mf_field *field = ofpact_get_SET_FIELD(a)->field;

    if (!xf_is_packet_field(field->id)) {
        return xf_refuse(slice, XF_SLICE_R_ACTION,
                         OFPERR_OFPBAC_BAD_SET_TYPE,
                         "an action that sets '%s'", field->name);
    }
    ofpbuf_put(out, a, OFPACT_ALIGN(a->len));
    return 0;
}

static enum ofperr
goto_to_switch(struct xf_slice *slice, const struct ofpact *a,
               struct ofpbuf *out)
{
    uint8_t table_id = ofpact_get_GOTO_TABLE(a)->table_id;

    if (table_id >= xf_n_tables(slice)) {
        return xf_refuse(slice, XF_SLICE_R_TABLE, OFPERR_OFPBIC_BAD_TABLE_ID,
                         "goto_table %d: the slice has tables 0 to %d",
                         table_id, xf_n_tables(slice) - 1);
    }
    ofpact_put_GOTO_TABLE(out)->table_id = (slice->config.first_table
                                            + table_id);
    return 0;
}

static enum ofperr
metadata_to_switch(struct xf_slice *slice, const struct ofpact *a,
                   struct ofpbuf *out)
{
    const struct ofpact_metadata *om = ofpact_get_WRITE_METADATA(a);

    if (ntohll(om->mask) & XF_METADATA_OURS) {
        return xf_refuse(slice, XF_SLICE_R_METADATA,
                         OFPERR_OFPBIC_UNSUP_METADATA_MASK,
                         "write_metadata beyond the lower 32 bits");
    }
    ofpbuf_put(out, a, OFPACT_ALIGN(a->len));
    return 0;
}

static enum ofperr
meter_to_switch(struct xf_slice *slice, const struct ofpact *a,
                struct ofpbuf *out)
{
    uint32_t meter_id = ofpact_get_METER(a)->meter_id;
    struct ofpact_meter *om;

    if (meter_id >= XF_METERS || !bitmap_is_set(slice->meters, meter_id)) {
        return xf_refuse(slice, XF_SLICE_R_METER, OFPERR_OFPMMFC_UNKNOWN_METER,
                         "meter %"PRIu32", which the slice doesn't have",
                         meter_id);
    }
    om = ofpact_put_METER(out);
    om->meter_id = xf_meter_base(slice) | meter_id;
    om->provider_meter_id = UINT32_MAX;
    return 0;
}

static enum ofperr
write_actions_to_switch(struct xf_slice *slice,
                        struct xf_action_scope *scope,
                        const struct ofpact *a, struct ofpbuf *out)
{
    const struct ofpact_nest *nest = ofpact_get_WRITE_ACTIONS(a);
    size_t ofs = out->size;
    enum ofperr error;

    ofpact_put_WRITE_ACTIONS(out);
    error = xf_actions_to_switch(slice, scope, nest->actions,
                                 ofpact_nest_get_action_len(nest), out);
    if (!error) {
        struct ofpact_nest *new = ofpbuf_at_assert(out, ofs, sizeof *new);

        out->header = new;
        ofpact_finish_WRITE_ACTIONS(out, &new);
    }
    return error;
}

/* The extension of dec_ttl may name controllers of others. */
static enum ofperr
dec_ttl_to_switch(struct xf_slice *slice, const struct ofpact *a,
                  struct ofpbuf *out)
{
    const struct ofpact_cnt_ids *ids = ofpact_get_DEC_TTL(a);

    if (ids->n_controllers != 1 || ids->cnt_ids[0]) {
        return xf_refuse(slice, XF_SLICE_R_EXPERIMENTER,
                         OFPERR_OFPBAC_BAD_TYPE,
                         "dec_ttl with identifiers of controllers");
    }
    ofpbuf_put(out, a, OFPACT_ALIGN(a->len));
    return 0;
}

/* Appends to 'out' what action or instruction 'a' becomes. */
static enum ofperr
action_to_switch(struct xf_slice *slice, struct xf_action_scope *scope,
                 const struct ofpact *a, struct ofpbuf *out)
{
    switch ((int) a->type) {
    case OFPACT_OUTPUT:
        return output_to_switch(slice, scope, ofpact_get_OUTPUT(a), out);
    case OFPACT_GROUP:
        return group_to_switch(slice, scope, ofpact_get_GROUP(a), out);
    case OFPACT_SET_FIELD:
        return set_field_to_switch(slice, a, out);
    case OFPACT_GOTO_TABLE:
        return goto_to_switch(slice, a, out);
    case OFPACT_WRITE_METADATA:
        return metadata_to_switch(slice, a, out);
    case OFPACT_METER:
        return meter_to_switch(slice, a, out);
    case OFPACT_WRITE_ACTIONS:
        return write_actions_to_switch(slice, scope, a, out);
    case OFPACT_DEC_TTL:
        return dec_ttl_to_switch(slice, a, out);
    case OFPACT_STRIP_VLAN:
    case OFPACT_PUSH_VLAN:
    case OFPACT_SET_IP_TTL:
    case OFPACT_CLEAR_ACTIONS:
        ofpbuf_put(out, a, OFPACT_ALIGN(a->len));
        return 0;
    default:
        return xf_refuse(slice, XF_SLICE_R_ACTION, OFPERR_OFPBAC_BAD_TYPE,
                         "action '%s'", ofpact_name(a->type));
    }
}

/* Appends to 'out' what the actions and instructions of a controller become.
 * 'scope' says where they stand. */
enum ofperr
xf_actions_to_switch(struct xf_slice *slice,
                     struct xf_action_scope *scope,
                     const struct ofpact *ofpacts, size_t ofpacts_len,
                     struct ofpbuf *out)
{
    const struct ofpact *a;
    size_t n = 0;

    OFPACT_FOR_EACH (a, ofpacts, ofpacts_len) {
        enum ofperr error;

        if (++n > XF_MAX_ACTIONS) {
            return xf_refuse(slice, XF_SLICE_R_LIMIT, OFPERR_OFPBAC_TOO_MANY,
                             "more than %d actions", XF_MAX_ACTIONS);
        }
        error = action_to_switch(slice, scope, a, out);
        if (error) {
            return error;
        }
    }
    return 0;
}

/* ---- From the switch. ---- */

/* Changes 'match' from the switch's to the controller's.  Returns false if it
 * is none of the controller's. */
bool
xf_match_from_switch(const struct xf_slice *slice, struct match *match)
{
    uint64_t mask = ntohll(match->wc.masks.metadata) & XF_METADATA_OURS;
    uint64_t metadata = ntohll(match->flow.metadata);
    uint32_t number = metadata >> XF_METADATA_SHIFT;

    if (match->wc.masks.in_port.ofp_port) {
        return false;
    }
    match->wc.masks.metadata &= ~htonll(XF_METADATA_OURS);
    match->flow.metadata &= match->wc.masks.metadata;
    if (mask) {
        if (mask != XF_METADATA_OURS || !xf_vport_find(slice, number)) {
            return false;
        }
        match_set_in_port(match, u16_to_ofp(number));
    }
    return true;
}

static void
group_from_switch(const struct xf_slice *slice, uint32_t in_port,
                  uint32_t group_id, struct ofpbuf *out)
{
    uint32_t id = group_id - xf_group_base(slice);
    struct ofpact_output *output;

    if (id < XF_GROUPS) {
        put_group(out, id);
        return;
    }
    output = ofpact_put_OUTPUT(out);
    output->port = u16_to_ofp(id & XF_GROUP_PORT_MASK);
    switch ((id & ~XF_GROUP_OURS) >> XF_GROUP_KIND_SHIFT) {
    case XF_GROUP_FLOOD:
        output->port = OFPP_FLOOD;
        break;
    case XF_GROUP_BACK:
        if (!(id & XF_GROUP_PORT_MASK)
            || (id & XF_GROUP_PORT_MASK) == in_port) {
            output->port = OFPP_IN_PORT;
        }
        break;
    }
}

static void
action_from_switch(const struct xf_slice *slice, uint32_t in_port,
                   const struct ofpact *a, struct ofpbuf *out)
{
    switch ((int) a->type) {
    case OFPACT_GROUP:
        group_from_switch(slice, in_port, ofpact_get_GROUP(a)->group_id, out);
        break;
    case OFPACT_GOTO_TABLE:
        ofpact_put_GOTO_TABLE(out)->table_id
            = ofpact_get_GOTO_TABLE(a)->table_id - slice->config.first_table;
        break;
    case OFPACT_METER:
        ofpact_put_METER(out)->meter_id
            = ofpact_get_METER(a)->meter_id - xf_meter_base(slice);
        break;
    case OFPACT_WRITE_ACTIONS: {
        const struct ofpact_nest *nest = ofpact_get_WRITE_ACTIONS(a);
        size_t ofs = out->size;

        ofpact_put_WRITE_ACTIONS(out);
        xf_actions_from_switch(slice, in_port, nest->actions,
                               ofpact_nest_get_action_len(nest), out);
        struct ofpact_nest *new = ofpbuf_at_assert(out, ofs, sizeof *new);
        out->header = new;
        ofpact_finish_WRITE_ACTIONS(out, &new);
        break;
    }
    default:
        ofpbuf_put(out, a, OFPACT_ALIGN(a->len));
        break;
    }
}

/* Appends to 'out' what actions and instructions of the slice's flows and
 * groups are to its controller.  'in_port' is the virtual port that the flow
 * matches, or 0. */
void
xf_actions_from_switch(const struct xf_slice *slice, uint32_t in_port,
                       const struct ofpact *ofpacts, size_t ofpacts_len,
                       struct ofpbuf *out)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, ofpacts_len) {
        action_from_switch(slice, in_port, a, out);
    }
}
