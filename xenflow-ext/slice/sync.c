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


/* What a switch holds when it connects, and what becomes of it.  Flows of a
 * slice that is still the same stay as they are. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "packets.h"

/* ---- Asking. ---- */

static uint32_t
ask(struct xf_slice_switch *sw, struct ofpbuf *msg)
{
    sw->next_xid = (sw->next_xid + 1) & XF_XID_MASK;
    ((struct ofp_header *) msg->data)->xid = htonl(sw->next_xid);
    ofpmsg_update_length(msg);
    sw->ops->transmit(sw->aux, NULL, msg);
    return sw->next_xid;
}

/* Asks the switch what it holds.  The answer to the barrier is the last. */
void
xf_sync_start(struct xf_slice_switch *sw)
{
    struct ofputil_flow_stats_request fsr = {
        .cookie = htonll(XF_COOKIE),
        .cookie_mask = htonll(XF_COOKIE_MASK),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = 0,
    };

    sw->sync = XF_SYNC_ASKED;
    match_init_catchall(&fsr.match);
    ask(sw, ofpraw_alloc(OFPRAW_OFPT_FEATURES_REQUEST, XF_OFP, 0));
    ask(sw, ofpraw_alloc(OFPRAW_OFPT_GET_CONFIG_REQUEST, XF_OFP, 0));
    ask(sw, ofputil_encode_port_desc_stats_request(XF_OFP, OFPP_ANY));
    ask(sw, ofputil_encode_group_desc_request(XF_OFP, OFPG_ALL));
    ask(sw, ofputil_encode_meter_request(XF_OFP, OFPUTIL_METER_CONFIG,
                                         OFPM13_ALL));
    ask(sw, ofputil_encode_flow_stats_request(&fsr, XF_OFPUTIL));
    sw->barrier = ask(sw, ofputil_encode_barrier_request(XF_OFP));
}

/* Forgets the switch's answers. */
void
xf_sync_clear(struct xf_slice_switch *sw)
{
    struct xf_found *found;

    LIST_FOR_EACH_POP (found, node, &sw->found) {
        minimatch_destroy(&found->match);
        free(found);
    }
    free(sw->ports);
    free(sw->groups);
    free(sw->meters);
    sw->ports = NULL;
    sw->groups = NULL;
    sw->meters = NULL;
    sw->n_ports = sw->allocated_ports = 0;
    sw->n_groups = sw->allocated_groups = 0;
    sw->n_meters = sw->allocated_meters = 0;
    sw->sync = XF_SYNC_DOWN;
}

/* ---- Answers. ---- */

static void
config_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofputil_switch_config config;

    ofputil_decode_get_config_reply(oh, &config);
    config.miss_send_len = UINT16_MAX;
    ask(sw, ofputil_encode_set_config(&config, XF_OFP));
}

static void
port_desc_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_phy_port pp;

    ofpraw_pull_assert(&b);
    while (!ofputil_pull_phy_port(XF_OFP, &b, &pp)) {
        if (sw->n_ports >= sw->allocated_ports) {
            sw->ports = x2nrealloc(sw->ports, &sw->allocated_ports,
                                   sizeof *sw->ports);
        }
        sw->ports[sw->n_ports++] = pp;
    }
}

/* Sets what 'group' does from 'gd', if it is as we make them. */
static void
learn_group(struct xf_frame_group *group, const struct ofputil_group_desc *gd)
{
    const struct ofputil_bucket *bucket;

    memset(group, 0, sizeof *group);
    group->id = gd->group_id;
    if (gd->type != OFPGT11_ALL
        || ovs_list_size(&gd->buckets) > XF_SLICE_MAX_PORTS) {
        return;
    }
    LIST_FOR_EACH (bucket, list_node, &gd->buckets) {
        const struct ofpact *a = bucket->ofpacts;
        const struct ofpact *end = ofpact_end(a, bucket->ofpacts_len);
        uint16_t vlan = 0;

        if (a < end && a->type == OFPACT_PUSH_VLAN && ofpact_next(a) < end
            && ofpact_next(a)->type == OFPACT_SET_FIELD) {
            const struct ofpact_set_field *sf;

            sf = ofpact_get_SET_FIELD(ofpact_next(a));
            if (sf->field->id != MFF_VLAN_VID) {
                return;
            }
            vlan = ntohs(sf->value->be16) & VLAN_VID_MASK;
            a = ofpact_next(ofpact_next(a));
        }
        if (a >= end || a->type != OFPACT_OUTPUT || ofpact_next(a) != end) {
            return;
        }
        group->outputs[group->n_outputs++]
            = (uint32_t) vlan << 16 | ofp_to_u16(ofpact_get_OUTPUT(a)->port);
    }
    group->known = true;
}

static void
group_desc_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_group_desc gd;

    while (!ofputil_decode_group_desc_reply(&gd, &b, XF_OFP)) {
        if (gd.group_id >> XF_GROUP_SHIFT) {
            if (sw->n_groups >= sw->allocated_groups) {
                sw->groups = x2nrealloc(sw->groups, &sw->allocated_groups,
                                        sizeof *sw->groups);
            }
            learn_group(&sw->groups[sw->n_groups++], &gd);
        }
        ofputil_uninit_group_desc(&gd);
    }
}

static void
meter_config_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_meter_config config;
    struct ofpbuf bands;

    ofpbuf_init(&bands, 64);
    while (!ofputil_decode_meter_config(&b, &config, &bands)) {
        if (sw->n_meters >= sw->allocated_meters) {
            sw->meters = x2nrealloc(sw->meters, &sw->allocated_meters,
                                    sizeof *sw->meters);
        }
        sw->meters[sw->n_meters++] = config.meter_id;
    }
    ofpbuf_uninit(&bands);
}

/* Sets what 'found' does from 'fs', if it is as we make them. */
static void
learn_flow(struct xf_found *found, const struct ofputil_flow_stats *fs)
{
    const struct ofpact *a = fs->ofpacts;
    const struct ofpact *end = ofpact_end(a, fs->ofpacts_len);
    struct xf_dispatch *d = &found->dispatch;
    const struct ofpact_metadata *om;

    d->port_no = fs->match.flow.in_port.ofp_port;
    if (fs->match.wc.masks.vlans[0].tci) {
        d->vlan = vlan_tci_to_vid(fs->match.flow.vlans[0].tci);
    }
    if (d->vlan) {
        if (a >= end || a->type != OFPACT_STRIP_VLAN) {
            return;
        }
        a = ofpact_next(a);
    }
    if (a >= end || a->type != OFPACT_WRITE_METADATA) {
        return;
    }
    om = ofpact_get_WRITE_METADATA(a);
    a = ofpact_next(a);
    if (a >= end || a->type != OFPACT_GOTO_TABLE || ofpact_next(a) != end
        || om->mask != OVS_BE64_MAX
        || ntohll(om->metadata) & ~XF_METADATA_OURS
        || ntohll(om->metadata) >> XF_METADATA_SHIFT > UINT16_MAX) {
        return;
    }
    d->number = ntohll(om->metadata) >> XF_METADATA_SHIFT;
    found->table_id = ofpact_get_GOTO_TABLE(a)->table_id;
    found->known = true;
}

static void
flow_stats_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_flow_stats fs;
    struct ofpbuf ofpacts;

    ofpbuf_init(&ofpacts, 64);
    while (!ofputil_decode_flow_stats_reply(&fs, &b, false, &ofpacts)) {
        struct xf_found *found = xzalloc(sizeof *found);

        /* A match of a VLAN implies Ethernet, which isn't on the wire. */
        fs.match.wc.masks.packet_type = 0;
        match_zero_wildcarded_fields(&fs.match);
        minimatch_init(&found->match, &fs.match);
        found->priority = fs.priority;
        found->cookie = ntohll(fs.cookie);
        learn_flow(found, &fs);
        ovs_list_push_back(&sw->found, &found->node);
    }
    ofpbuf_uninit(&ofpacts);
}

/* ---- Consequences. ---- */

static void
delete_found(struct xf_slice_switch *sw, const struct xf_found *found)
{
    struct ofputil_flow_mod fm = {
        .command = OFPFC_DELETE_STRICT,
        .priority = found->priority,
        .cookie = htonll(found->cookie),
        .cookie_mask = OVS_BE64_MAX,
        .new_cookie = OVS_BE64_MAX,
        .buffer_id = XF_NO_BUFFER,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    minimatch_clone(&fm.match, &found->match);
    ask(sw, ofputil_encode_flow_mod(&fm, XF_OFPUTIL));
    minimatch_destroy(&fm.match);
}

static bool
was_there(const struct xf_slice *slice)
{
    const struct xf_found *found;

    LIST_FOR_EACH (found, node, &slice->sw->found) {
        if (found->cookie == xf_frame_cookie(slice)) {
            return true;
        }
    }
    return false;
}

/* Takes over what the switch holds of 'slice'. */
static void
adopt(struct xf_slice *slice)
{
    const struct xf_slice_switch *sw = slice->sw;
    const struct xf_found *found;

    LIST_FOR_EACH (found, node, &sw->found) {
        if (found->cookie == xf_frame_cookie(slice)) {
            xf_frame_have_dispatch(slice, found);
        }
    }
    for (size_t i = 0; i < sw->n_groups; i++) {
        uint32_t id = sw->groups[i].id - xf_group_base(slice);

        if (id < XF_GROUPS) {
            bitmap_set1(slice->groups, id);
            slice->n_groups++;
        } else if (id >> XF_GROUP_SHIFT == 0) {
            xf_frame_have_group(slice, &sw->groups[i]);
        }
    }
    for (size_t i = 0; i < sw->n_meters; i++) {
        uint32_t id = sw->meters[i] - xf_meter_base(slice);

        if (id && id < XF_METERS) {
            bitmap_set1(slice->meters, id);
            slice->n_meters++;
        }
    }
}

static struct xf_slice *
slice_of(const struct xf_slice_switch *sw, const struct xf_found *found)
{
    struct xf_slice *slice;

    LIST_FOR_EACH (slice, node, &sw->slices) {
        if (found->cookie == xf_frame_cookie(slice)) {
            return slice;
        }
    }
    return NULL;
}

/* All answers are there. */
static void
finish(struct xf_slice_switch *sw)
{
    struct xf_found *found;
    struct xf_slice *slice;

    sw->sync = XF_SYNC_READY;
    LIST_FOR_EACH (found, node, &sw->found) {
        if (!slice_of(sw, found)) {
            delete_found(sw, found);
        }
    }
    LIST_FOR_EACH (slice, node, &sw->slices) {
        if (was_there(slice)) {
            adopt(slice);
        } else {
            xf_frame_wipe(slice);
        }
    }
    LIST_FOR_EACH (slice, node, &sw->slices) {
        xf_frame_install(slice);
    }
    LIST_FOR_EACH (found, node, &sw->found) {
        slice = slice_of(sw, found);
        if (slice && !xf_frame_wants(slice, found)) {
            delete_found(sw, found);
        }
    }
    xf_event(sw, NULL, "ready: %"PRIuSIZE" slices",
             ovs_list_size(&sw->slices));
}

/* 'oh' has an identifier of ours.  Returns true if it is an answer to
 * xf_sync_start(). */
bool
xf_sync_reply(struct xf_slice_switch *sw, enum ofptype type,
              const struct ofp_header *oh)
{
    struct ofputil_switch_features features;
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));

    switch ((int) type) {
    case OFPTYPE_FEATURES_REPLY:
        if (!ofputil_pull_switch_features(&b, &features)) {
            sw->dpid = features.datapath_id;
            sw->n_tables = features.n_tables;
        }
        return true;
    case OFPTYPE_GET_CONFIG_REPLY:
        config_reply(sw, oh);
        return true;
    case OFPTYPE_PORT_DESC_STATS_REPLY:
        port_desc_reply(sw, oh);
        return true;
    case OFPTYPE_GROUP_DESC_STATS_REPLY:
        group_desc_reply(sw, oh);
        return true;
    case OFPTYPE_METER_CONFIG_STATS_REPLY:
        meter_config_reply(sw, oh);
        return true;
    case OFPTYPE_FLOW_STATS_REPLY:
        flow_stats_reply(sw, oh);
        return true;
    case OFPTYPE_BARRIER_REPLY:
        if (sw->sync == XF_SYNC_ASKED && ntohl(oh->xid) == sw->barrier) {
            finish(sw);
        }
        return true;
    default:
        return false;
    }
}
