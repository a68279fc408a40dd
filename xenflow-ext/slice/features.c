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


/* What a slice is as a switch: answers that need no switch. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "nx-match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-table.h"

/* OFPT_FEATURES_REQUEST. */
void
xf_features_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_switch_features features = {
        .datapath_id = slice->config.dpid,
        .n_tables = xf_n_tables(slice),
        .capabilities = (OFPUTIL_C_FLOW_STATS | OFPUTIL_C_TABLE_STATS
                         | OFPUTIL_C_PORT_STATS
                         | (slice->config.max_groups
                            ? OFPUTIL_C_GROUP_STATS : 0)),
    };

    xf_to_controller(slice, ofputil_encode_switch_features(&features,
                                                           XF_OFPUTIL,
                                                           oh->xid));
}

/* OFPMP_DESC. */
void
xf_desc_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofpbuf *reply = ofpraw_alloc_stats_reply(oh, 0);
    struct ofp_desc_stats *ods = ofpbuf_put_zeros(reply, sizeof *ods);

    ovs_strlcpy(ods->mfr_desc, "XenFlow", sizeof ods->mfr_desc);
    ovs_strlcpy(ods->hw_desc, "Slice of a switch", sizeof ods->hw_desc);
    ovs_strlcpy(ods->sw_desc, VERSION, sizeof ods->sw_desc);
    ovs_strlcpy(ods->serial_num, "None", sizeof ods->serial_num);
    ovs_strlcpy(ods->dp_desc, slice->config.name, sizeof ods->dp_desc);
    xf_to_controller(slice, reply);
}

/* OFPMP_PORT_DESC. */
void
xf_port_desc_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ovs_list replies;

    ofpmp_init(&replies, oh);
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        if (slice->ports[i].bound) {
            struct ofputil_phy_port pp = xf_vport_desc(slice,
                                                       &slice->ports[i]);

            ofputil_append_port_desc_stats_reply(&pp, &replies);
        }
    }
    xf_list_to_controller(slice, &replies, false);
}

/* Leaves in 'fields' those of the packet and, if 'match', those of the pipeline
 * that a controller may match. */
static void
limit_fields(struct mf_bitmap *fields, bool match)
{
    for (int id = 0; id < MFF_N_IDS; id++) {
        if (!xf_is_packet_field(id)
            && !(match && (id == MFF_IN_PORT_OXM || id == MFF_METADATA))) {
            bitmap_set0(fields->bm, id);
        }
    }
}

static void
table_features(const struct xf_slice *slice, uint8_t table_id,
               struct ofputil_table_features *f)
{
    uint32_t instructions = ((1u << OVSINST_OFPIT11_APPLY_ACTIONS)
                             | (1u << OVSINST_OFPIT11_WRITE_ACTIONS)
                             | (1u << OVSINST_OFPIT11_CLEAR_ACTIONS)
                             | (1u << OVSINST_OFPIT11_WRITE_METADATA));

    memset(f, 0, sizeof *f);
    f->table_id = table_id;
    f->metadata_match = f->metadata_write = htonll(~XF_METADATA_OURS);
    f->max_entries = slice->config.max_flows;
    f->any_properties = true;
    for (int next = table_id + 1; next < xf_n_tables(slice); next++) {
        bitmap_set1(f->nonmiss.next, next);
        instructions |= 1u << OVSINST_OFPIT11_GOTO_TABLE;
    }
    if (slice->config.max_meters) {
        instructions |= 1u << OVSINST_OFPIT13_METER;
    }
    f->nonmiss.instructions = instructions;
    f->nonmiss.write.ofpacts = (UINT64_C(1) << OFPACT_OUTPUT
                                | UINT64_C(1) << OFPACT_GROUP
                                | UINT64_C(1) << OFPACT_SET_FIELD
                                | UINT64_C(1) << OFPACT_PUSH_VLAN
                                | UINT64_C(1) << OFPACT_STRIP_VLAN
                                | UINT64_C(1) << OFPACT_SET_IP_TTL
                                | UINT64_C(1) << OFPACT_DEC_TTL);
    f->nonmiss.write.set_fields = oxm_writable_fields();
    limit_fields(&f->nonmiss.write.set_fields, false);
    f->nonmiss.apply = f->nonmiss.write;
    f->miss = f->nonmiss;
    f->match = oxm_matchable_fields();
    limit_fields(&f->match, true);
    f->mask = oxm_maskable_fields();
    limit_fields(&f->mask, true);
    f->wildcard = f->match;
}

/* OFPMP_TABLE_FEATURES. */
enum ofperr
xf_table_features_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ovs_list replies;

    if (ntohs(oh->length) != sizeof(struct xf_multipart) || ofpmp_more(oh)) {
        return xf_refuse(slice, XF_SLICE_R_MESSAGE, OFPERR_OFPTFFC_EPERM,
                         "a change of the features of tables");
    }
    ofpmp_init(&replies, oh);
    for (int i = 0; i < xf_n_tables(slice); i++) {
        struct ofputil_table_features f;

        table_features(slice, i, &f);
        ofputil_append_table_features(&f, NULL, &replies);
    }
    xf_list_to_controller(slice, &replies, false);
    return 0;
}
