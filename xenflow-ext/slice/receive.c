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


/* Messages of the switch. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/match.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-monitor.h"
#include "openvswitch/ofp-packet.h"
#include "openvswitch/ofp-util.h"

static struct xf_slice *
find_by_slot(const struct xf_slice_switch *sw, uint32_t slot)
{
    struct xf_slice *slice;

    LIST_FOR_EACH (slice, node, &sw->slices) {
        if (slice->config.first_table == slot) {
            return slice;
        }
    }
    return NULL;
}

/* The slice that has table 'table_id' of the switch, or NULL. */
static struct xf_slice *
find_by_table(const struct xf_slice_switch *sw, uint8_t table_id)
{
    struct xf_slice *slice;

    LIST_FOR_EACH (slice, node, &sw->slices) {
        if (table_id >= slice->config.first_table
            && table_id <= slice->config.last_table) {
            return slice;
        }
    }
    return NULL;
}

/* Does the controller of 'slice' want asynchronous messages of that kind? */
static bool
wants(const struct xf_slice *slice, enum ofputil_async_msg_type type,
      unsigned int reason)
{
    const uint32_t *masks = (slice->role == OFPCR12_ROLE_SECONDARY
                             ? slice->async.secondary : slice->async.primary);

    return (slice->connected && slice->ready && reason < 32
            && masks[type] & (1u << reason));
}

/* ---- Packets. ---- */

/* A token bucket of one second's tokens. */
static bool
take_token(struct xf_slice *slice, long long int now_ms)
{
    uint64_t pps = slice->config.packet_in_pps;
    uint64_t passed_ms = MIN(MAX(now_ms - slice->tokens_ms, 0), 1000);

    slice->tokens_ms = now_ms;
    slice->tokens = MIN(slice->tokens + passed_ms * pps, pps * 1000);
    if (slice->tokens < 1000) {
        return false;
    }
    slice->tokens -= 1000;
    return true;
}

static void
packet_in(struct xf_slice_switch *sw, const struct ofp_header *oh,
          long long int now_ms)
{
    struct ofputil_packet_in_private pin;
    struct xf_slice *slice;
    uint32_t buffer_id;
    uint64_t metadata;
    size_t total_len;

    memset(&pin, 0, sizeof pin);
    if (ofputil_decode_packet_in(oh, true, NULL, NULL, &pin.base, &total_len,
                                 &buffer_id, NULL)) {
        return;
    }
    slice = find_by_table(sw, pin.base.table_id);
    metadata = ntohll(pin.base.flow_metadata.flow.metadata);
    if (!slice || !xf_vport_find(slice, metadata >> XF_METADATA_SHIFT)) {
        sw->n_foreign++;
        return;
    }
    if (!wants(slice, OAM_PACKET_IN, pin.base.reason)) {
        return;
    }
    if (!take_token(slice, now_ms)) {
        slice->counters.packet_ins_limited++;
        return;
    }
    pin.base.table_id -= slice->config.first_table;
    match_init_catchall(&pin.base.flow_metadata);
    match_set_in_port(&pin.base.flow_metadata,
                      u16_to_ofp(metadata >> XF_METADATA_SHIFT));
    metadata &= ~XF_METADATA_OURS;
    if (metadata) {
        match_set_metadata(&pin.base.flow_metadata, htonll(metadata));
    }
    slice->counters.packet_ins++;
    xf_to_controller(slice,
                     ofputil_encode_packet_in_private(&pin, XF_OFPUTIL,
                                                      OFPUTIL_PACKET_IN_STD));
}

/* ---- Flows that ended. ---- */

static void
flow_removed(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    struct ofputil_flow_removed fr;
    struct xf_slice *slice;

    if (ofputil_decode_flow_removed(&fr, oh)) {
        return;
    }
    if (!fr.table_id) {
        uint64_t cookie = ntohll(fr.cookie);

        if ((cookie & XF_COOKIE_MASK) == XF_COOKIE
            && sw->sync == XF_SYNC_READY) {
            LIST_FOR_EACH (slice, node, &sw->slices) {
                xf_frame_repair(slice, cookie);
            }
        }
        return;
    }
    slice = find_by_table(sw, fr.table_id);
    if (!slice || !xf_match_from_switch(slice, &fr.match)) {
        sw->n_foreign++;
        return;
    }
    fr.table_id -= slice->config.first_table;
    if (wants(slice, OAM_FLOW_REMOVED, fr.reason)) {
        xf_to_controller(slice, ofputil_encode_flow_removed(&fr, XF_OFPUTIL));
    }
}

/* ---- Replies. ---- */

static struct xf_pending *
find_pending(const struct xf_slice *slice, uint32_t xid)
{
    struct xf_pending *pending;

    LIST_FOR_EACH (pending, node, &slice->pending) {
        if (((xid - pending->first) & XF_XID_MASK) < pending->n) {
            return pending;
        }
    }
    return NULL;
}

static void
reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    uint32_t xid = ntohl(oh->xid);
    struct xf_slice *slice = find_by_slot(sw, xid >> XF_XID_SHIFT);
    struct xf_pending *pending = slice ? find_pending(slice, xid) : NULL;
    bool more = ofpmsg_is_stat_reply(oh) && ofpmp_more(oh);

    if (!pending) {
        sw->n_lost++;           /* Of a controller that went away. */
        return;
    }
    if (!more) {
        pending->n_left--;
    }
    xf_stats_reply(slice, pending, oh, !pending->n_left);
    if (!pending->n_left) {
        xf_pending_destroy(slice, pending);
    }
}

/* A group or meter that the switch didn't take doesn't count. */
static void
forget_refused(struct xf_slice *slice, const struct xf_recent *recent,
               enum ofperr error)
{
    const struct ofp_header *oh = (const void *) recent->head;
    const uint8_t *body = recent->head + sizeof *oh;
    uint16_t command;
    uint32_t id;

    if (recent->size < sizeof *oh + 8) {
        return;
    }
    command = ntohs(get_unaligned_be16((const void *) body));
    id = ntohl(get_unaligned_be32((const void *) (body + 4)));
    if (oh->type == XF_OFPT_GROUP_MOD && command == OFPGC11_ADD
        && error != OFPERR_OFPGMFC_GROUP_EXISTS && id < XF_GROUPS
        && bitmap_is_set(slice->groups, id)) {
        bitmap_set0(slice->groups, id);
        slice->n_groups--;
    } else if (oh->type == XF_OFPT_METER_MOD && command == OFPMC13_ADD
               && error != OFPERR_OFPMMFC_METER_EXISTS && id < XF_METERS
               && bitmap_is_set(slice->meters, id)) {
        bitmap_set0(slice->meters, id);
        slice->n_meters--;
    }
}

static void
error_reply(struct xf_slice_switch *sw, const struct ofp_header *oh)
{
    uint32_t xid = ntohl(oh->xid);
    struct xf_slice *slice = find_by_slot(sw, xid >> XF_XID_SHIFT);
    enum ofperr error = ofperr_decode_msg(oh, NULL);
    const struct xf_recent *recent = (slice ? &slice->recent[xid % XF_RECENT]
                                      : NULL);

    if (!recent || recent->xid != xid || !recent->size) {
        sw->n_errors++;
        xf_event(sw, slice, "the switch refused a message of ours (%s)",
                 error ? ofperr_get_name(error) : "unknown error");
    } else {
        struct xf_pending *pending = find_pending(slice, xid);

        slice->counters.switch_errors++;
        forget_refused(slice, recent, error);
        xf_to_controller(slice, ofperr_encode_reply(
                             error ? error : OFPERR_OFPBRC_UNKNOWN,
                             (const void *) recent->head));
        if (pending) {
            xf_pending_destroy(slice, pending);
        }
    }
}

/* ---- All of them. ---- */

static void
handle(struct xf_slice_switch *sw, enum ofptype type,
       const struct ofp_header *oh, long long int now_ms)
{
    struct ofputil_port_status ps;
    struct ofpbuf *msg;

    switch ((int) type) {
    case OFPTYPE_HELLO:
    case OFPTYPE_ECHO_REPLY:
        break;
    case OFPTYPE_ECHO_REQUEST:
        msg = ofputil_encode_echo_reply(oh);
        ofpmsg_update_length(msg);
        sw->ops->transmit(sw->aux, NULL, msg);
        break;
    case OFPTYPE_PACKET_IN:
        packet_in(sw, oh, now_ms);
        break;
    case OFPTYPE_FLOW_REMOVED:
        flow_removed(sw, oh);
        break;
    case OFPTYPE_PORT_STATUS:
        if (!ofputil_decode_port_status(oh, &ps)) {
            xf_frame_port_status(sw, &ps);
        }
        break;
    case OFPTYPE_ERROR:
        error_reply(sw, oh);
        break;
    default:
        reply(sw, oh);
        break;
    }
}

/* A message of the switch. */
void
xf_slice_switch_receive(struct xf_slice_switch *sw, struct ofpbuf *msg,
                        long long int now_ms)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (sw->sync == XF_SYNC_DOWN || msg->size < sizeof *oh
        || ntohs(oh->length) != msg->size || oh->version != XF_OFP
        || ofptype_decode(&type, oh)) {
        sw->n_lost++;
    } else if (!(ntohl(oh->xid) >> XF_XID_SHIFT)
               && xf_sync_reply(sw, type, oh)) {
        return;
    } else {
        handle(sw, type, oh, now_ms);
    }
}
