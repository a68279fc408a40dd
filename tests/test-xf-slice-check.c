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


/* The oracle of test-xf-slice: does a message for the switch concern more than
 * one slice?  It is written from slice.h alone, not from the code. */

#include <config.h>
#undef NDEBUG
#include "test-xf-slice.h"

#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "openvswitch/match.h"
#include "openvswitch/meta-flow.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-print.h"
#include "openvswitch/ofpbuf.h"
#include "util.h"

#define CHECK(EXPR)                                                     \
    do {                                                                \
        if (!(EXPR)) {                                                  \
            ovs_fatal(0, "not confined: %s: %s", #EXPR, text);          \
        }                                                               \
    } while (0)

/* Is 'group_id' of the slice, and of the controller ('user') or the frame? */
static void
check_group(const struct xf_slice_config *c, uint32_t group_id, bool user,
            bool ours, const char *text)
{
    CHECK(group_id >> 20 == c->first_table);
    CHECK((user && !(group_id & 0xf0000)) || (ours && group_id & 0x80000));
}

static void
check_actions(const struct xf_slice_config *c, const struct ofpact *ofpacts,
              size_t len, bool bucket, bool packet_out, const char *text)
{
    const struct ofpact *a;

    OFPACT_FOR_EACH (a, ofpacts, len) {
        switch ((int) a->type) {
        case OFPACT_GROUP:
            check_group(c, ofpact_get_GROUP(a)->group_id, !bucket, true, text);
            break;
        case OFPACT_OUTPUT:
            CHECK(ofpact_get_OUTPUT(a)->port
                  == (packet_out ? OFPP_TABLE : OFPP_CONTROLLER));
            break;
        case OFPACT_SET_FIELD: {
            enum mf_field_id id = ofpact_get_SET_FIELD(a)->field->id;

            CHECK(id >= MFF_ETH_SRC && id <= MFF_ND_TLL);
            break;
        }
        case OFPACT_GOTO_TABLE:
            CHECK(ofpact_get_GOTO_TABLE(a)->table_id > c->first_table);
            CHECK(ofpact_get_GOTO_TABLE(a)->table_id <= c->last_table);
            break;
        case OFPACT_WRITE_METADATA:
            CHECK(!(ntohll(ofpact_get_WRITE_METADATA(a)->mask) >> 32));
            break;
        case OFPACT_METER:
            CHECK(ofpact_get_METER(a)->meter_id >> 8 == c->first_table);
            break;
        case OFPACT_WRITE_ACTIONS: {
            const struct ofpact_nest *on = ofpact_get_WRITE_ACTIONS(a);

            check_actions(c, on->actions, ofpact_nest_get_action_len(on),
                          bucket, packet_out, text);
            break;
        }
        case OFPACT_STRIP_VLAN:
        case OFPACT_PUSH_VLAN:
        case OFPACT_SET_IP_TTL:
        case OFPACT_DEC_TTL:
        case OFPACT_CLEAR_ACTIONS:
            break;
        default:
            CHECK(!"action");
        }
    }
}

static void
check_match(const struct xf_slice_config *c, const struct match *match,
            const char *text)
{
    uint64_t mask = ntohll(match->wc.masks.metadata) >> 32;
    uint64_t number = ntohll(match->flow.metadata) >> 32;
    bool known = !mask;

    CHECK(!match->wc.masks.in_port.ofp_port);
    for (size_t i = 0; i < c->n_ports; i++) {
        known |= mask == UINT32_MAX && c->ports[i].number == number;
    }
    CHECK(known);
}

static void
check_table(const struct xf_slice_config *c, uint8_t table_id,
            const char *text)
{
    CHECK(table_id >= c->first_table && table_id <= c->last_table);
}

static void
check_filter(const struct xf_slice_config *c, ofp_port_t out_port,
             uint32_t out_group, const char *text)
{
    CHECK(out_port == OFPP_ANY || out_port == OFPP_CONTROLLER);
    if (out_group != OFPG_ANY) {
        check_group(c, out_group, true, true, text);
    }
}

static void
check_flow_mod(const struct xf_slice_config *c, const struct ofp_header *oh,
               const char *text)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf ofpacts;
    struct match match;

    ofpbuf_init(&ofpacts, 64);
    CHECK(!ofputil_decode_flow_mod(&fm, oh, OFPUTIL_P_OF13_OXM, NULL, NULL,
                                   &ofpacts, OFPP_MAX, 255));
    minimatch_expand(&fm.match, &match);
    check_table(c, fm.table_id, text);
    check_match(c, &match, text);
    check_filter(c, fm.out_port, fm.out_group, text);
    CHECK(fm.buffer_id == UINT32_MAX);
    check_actions(c, fm.ofpacts, fm.ofpacts_len, false, false, text);
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

static void
check_group_mod(const struct xf_slice_config *c, const struct ofp_header *oh,
                const char *text)
{
    struct ofputil_bucket *bucket;
    struct ofputil_group_mod gm;

    CHECK(!ofputil_decode_group_mod(oh, &gm));
    check_group(c, gm.group_id, true, false, text);
    LIST_FOR_EACH (bucket, list_node, &gm.buckets) {
        CHECK(!ofputil_bucket_has_liveness(bucket));
        check_actions(c, bucket->ofpacts, bucket->ofpacts_len, true, false,
                      text);
    }
    ofputil_uninit_group_mod(&gm);
}

static bool
is_port_of(const struct xf_slice_config *c, ofp_port_t port)
{
    char name[8];

    snprintf(name, sizeof name, "p%d", ofp_to_u16(port));
    for (size_t i = 0; i < c->n_ports; i++) {
        if (!strcmp(c->ports[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void
check_packet_out(const struct xf_slice_config *c, const struct ofp_header *oh,
                 const char *text)
{
    struct ofputil_packet_out po;
    struct ofpbuf ofpacts;
    const struct ofpact *a;
    ofp_port_t in_port;

    ofpbuf_init(&ofpacts, 64);
    CHECK(!ofputil_decode_packet_out(&po, oh, NULL, &ofpacts));
    in_port = po.flow_metadata.flow.in_port.ofp_port;
    check_actions(c, po.ofpacts, po.ofpacts_len, false, true, text);
    OFPACT_FOR_EACH (a, po.ofpacts, po.ofpacts_len) {
        CHECK(a->type != OFPACT_OUTPUT || is_port_of(c, in_port));
    }
    CHECK(in_port == OFPP_CONTROLLER || is_port_of(c, in_port));
    ofpbuf_uninit(&ofpacts);
}

static void
check_stats_request(const struct xf_slice_config *c, enum ofptype type,
                    const struct ofp_header *oh, const char *text)
{
    struct ofputil_flow_stats_request fsr;
    ofp_port_t port;
    uint32_t id;

    switch ((int) type) {
    case OFPTYPE_FLOW_STATS_REQUEST:
    case OFPTYPE_AGGREGATE_STATS_REQUEST:
        CHECK(!ofputil_decode_flow_stats_request(&fsr, oh, NULL, NULL));
        check_table(c, fsr.table_id, text);
        check_match(c, &fsr.match, text);
        check_filter(c, fsr.out_port, fsr.out_group, text);
        break;
    case OFPTYPE_PORT_STATS_REQUEST:
        CHECK(!ofputil_decode_port_stats_request(oh, &port));
        CHECK(is_port_of(c, port));
        break;
    case OFPTYPE_GROUP_STATS_REQUEST:
        CHECK(!ofputil_decode_group_stats_request(oh, &id));
        check_group(c, id, true, false, text);
        break;
    case OFPTYPE_METER_STATS_REQUEST:
    case OFPTYPE_METER_CONFIG_STATS_REQUEST:
        ofputil_decode_meter_request(oh, &id);
        CHECK(id >> 8 == c->first_table && id & 0xff);
        break;
    case OFPTYPE_TABLE_STATS_REQUEST:
    case OFPTYPE_GROUP_DESC_STATS_REQUEST:
    case OFPTYPE_BARRIER_REQUEST:
        break;
    default:
        CHECK(!"message");
    }
}

/* Checks that 'msg', which goes to the switch because the controller of 'c'
 * said something, concerns only the slice. */
void
xf_slice_check_confined(const struct xf_slice_config *c, const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    char *text = ofp_to_string(msg->data, msg->size, NULL, NULL, 1);
    struct ofputil_meter_mod mm;
    struct ofpbuf bands;
    enum ofptype type;

    CHECK(ntohs(oh->length) == msg->size);
    CHECK(ntohl(oh->xid) >> 24 == c->first_table);
    CHECK(!ofptype_decode(&type, oh));
    switch ((int) type) {
    case OFPTYPE_FLOW_MOD:
        check_flow_mod(c, oh, text);
        break;
    case OFPTYPE_GROUP_MOD:
        check_group_mod(c, oh, text);
        break;
    case OFPTYPE_METER_MOD:
        ofpbuf_init(&bands, 64);
        CHECK(!ofputil_decode_meter_mod(oh, &mm, &bands));
        CHECK(mm.meter.meter_id >> 8 == c->first_table
              && mm.meter.meter_id & 0xff);
        ofpbuf_uninit(&bands);
        break;
    case OFPTYPE_PACKET_OUT:
        check_packet_out(c, oh, text);
        break;
    default:
        check_stats_request(c, type, oh, text);
        break;
    }
    free(text);
}
