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


/* Messages of a slice's controller: which there are, and the answers that need
 * no switch. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"

/* ---- Answers that need no switch. ---- */

static void
get_config_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .miss_send_len = slice->miss_send_len,
        .invalid_ttl_to_controller = -1,
    };

    xf_to_controller(slice, ofputil_encode_get_config_reply(oh, &config));
}

static enum ofperr
set_config(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_switch_config config;
    enum ofperr error = ofputil_decode_set_config(oh, &config);

    if (error) {
        return xf_refuse(slice, XF_SLICE_R_MALFORMED, error,
                         "a configuration of the switch");
    }
    if (config.frag != OFPUTIL_FRAG_NORMAL) {
        return xf_refuse(slice, XF_SLICE_R_MESSAGE, OFPERR_OFPSCFC_EPERM,
                         "a change of how fragments are handled, which would "
                         "concern all slices");
    }
    slice->miss_send_len = config.miss_send_len;
    return 0;
}

/* A role means something between the controllers of one switch.  A slice has
 * one at a time, and its role is its own affair. */
static enum ofperr
role_request(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_role_request request, reply;
    enum ofperr error = ofputil_decode_role_message(oh, &request);

    if (error) {
        return xf_refuse(slice, XF_SLICE_R_MALFORMED, error, "a role");
    }
    if (request.role == OFPCR12_ROLE_PRIMARY
        || request.role == OFPCR12_ROLE_SECONDARY) {
        if (slice->have_generation_id
            && (int64_t) (request.generation_id - slice->generation_id) < 0) {
            return xf_refuse(slice, XF_SLICE_R_MESSAGE, OFPERR_OFPRRFC_STALE,
                             "a role with an old generation_id");
        }
        slice->have_generation_id = true;
        slice->generation_id = request.generation_id;
    }
    if (request.role != OFPCR12_ROLE_NOCHANGE) {
        slice->role = request.role;
    }
    reply.role = slice->role;
    reply.have_generation_id = slice->have_generation_id;
    reply.generation_id = slice->generation_id;
    xf_to_controller(slice, ofputil_encode_role_reply(oh, &reply));
    return 0;
}

static enum ofperr
set_async(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_async_cfg async;
    enum ofperr error = ofputil_decode_set_async_config(oh, true,
                                                        &slice->async, &async);

    if (error) {
        return xf_refuse(slice, XF_SLICE_R_MALFORMED, error,
                         "a choice of asynchronous messages");
    }
    slice->async = async;
    return 0;
}

/* ---- Which messages there are. ---- */

static enum ofperr
barrier_request(struct xf_slice *slice, const struct ofp_header *oh,
                long long int now_ms)
{
    struct xf_pending *pending = xf_pending_add(slice,
                                                OFPTYPE_BARRIER_REQUEST, oh,
                                                now_ms);

    xf_pending_send(slice, pending, ofputil_encode_barrier_request(XF_OFP));
    return 0;
}

/* Messages that a slice doesn't have.  Those of OpenFlow 1.3 that change or
 * show the switch itself have an error of their own. */
static enum ofperr
refuse_message(struct xf_slice *slice, enum ofptype type)
{
    static const struct {
        enum ofptype type;
        enum ofperr error;
    } known[] = {
        { OFPTYPE_PORT_MOD, OFPERR_OFPPMFC_EPERM },
        { OFPTYPE_TABLE_MOD, OFPERR_OFPTMFC_EPERM },
        { OFPTYPE_QUEUE_GET_CONFIG_REQUEST, OFPERR_OFPQOFC_EPERM },
        { OFPTYPE_QUEUE_STATS_REQUEST, OFPERR_OFPQOFC_EPERM },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (known[i].type == type) {
            return xf_refuse(slice, XF_SLICE_R_MESSAGE, known[i].error,
                             "message %s", ofptype_get_name(type));
        }
    }
    return xf_refuse(slice, XF_SLICE_R_EXPERIMENTER, OFPERR_OFPBRC_EPERM,
                     "message %s", ofptype_get_name(type));
}

/* Messages that change something. */
static bool
is_change(enum ofptype type)
{
    return (type == OFPTYPE_FLOW_MOD || type == OFPTYPE_GROUP_MOD
            || type == OFPTYPE_METER_MOD || type == OFPTYPE_PACKET_OUT);
}

/* Messages that take a place among the requests under way. */
static bool
is_request(enum ofptype type)
{
    return (type == OFPTYPE_BARRIER_REQUEST
            || type == OFPTYPE_FLOW_STATS_REQUEST
            || type == OFPTYPE_AGGREGATE_STATS_REQUEST
            || type == OFPTYPE_TABLE_STATS_REQUEST
            || type == OFPTYPE_PORT_STATS_REQUEST
            || type == OFPTYPE_GROUP_STATS_REQUEST
            || type == OFPTYPE_GROUP_DESC_STATS_REQUEST
            || type == OFPTYPE_METER_STATS_REQUEST
            || type == OFPTYPE_METER_CONFIG_STATS_REQUEST);
}

static enum ofperr
handle_change(struct xf_slice *slice, enum ofptype type,
              const struct ofp_header *oh)
{
    if (slice->role == OFPCR12_ROLE_SECONDARY) {
        return xf_refuse(slice, XF_SLICE_R_SECONDARY,
                         OFPERR_OFPBRC_IS_SECONDARY,
                         "a change by a secondary controller");
    }
    switch ((int) type) {
    case OFPTYPE_FLOW_MOD:
        return xf_flow_mod(slice, oh);
    case OFPTYPE_GROUP_MOD:
        return xf_group_mod(slice, oh);
    case OFPTYPE_METER_MOD:
        return xf_meter_mod(slice, oh);
    default:
        return xf_packet_out(slice, oh);
    }
}

static enum ofperr
handle_request(struct xf_slice *slice, enum ofptype type,
               const struct ofp_header *oh, long long int now_ms)
{
    if (ofpmsg_is_stat(oh) && ofpmp_more(oh)) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT,
                         OFPERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW,
                         "a request in several parts");
    }
    if (slice->n_pending >= XF_MAX_PENDING) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT,
                         OFPERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW,
                         "a request while %d others are unanswered",
                         XF_MAX_PENDING);
    }
    switch ((int) type) {
    case OFPTYPE_BARRIER_REQUEST:
        return barrier_request(slice, oh, now_ms);
    case OFPTYPE_GROUP_STATS_REQUEST:
    case OFPTYPE_GROUP_DESC_STATS_REQUEST:
        return xf_group_request(slice, type, oh, now_ms);
    case OFPTYPE_METER_STATS_REQUEST:
    case OFPTYPE_METER_CONFIG_STATS_REQUEST:
        return xf_meter_request(slice, type, oh, now_ms);
    default:
        return xf_stats_request(slice, type, oh, now_ms);
    }
}

static enum ofperr
handle(struct xf_slice *slice, enum ofptype type, const struct ofp_header *oh,
       long long int now_ms)
{
    if (is_change(type)) {
        return handle_change(slice, type, oh);
    } else if (is_request(type)) {
        return handle_request(slice, type, oh, now_ms);
    }
    switch ((int) type) {
    case OFPTYPE_HELLO:
    case OFPTYPE_ERROR:
    case OFPTYPE_ECHO_REPLY:
        return 0;
    case OFPTYPE_ECHO_REQUEST:
        xf_to_controller(slice, ofputil_encode_echo_reply(oh));
        return 0;
    case OFPTYPE_FEATURES_REQUEST:
        xf_features_request(slice, oh);
        return 0;
    case OFPTYPE_GET_CONFIG_REQUEST:
        get_config_request(slice, oh);
        return 0;
    case OFPTYPE_SET_CONFIG:
        return set_config(slice, oh);
    case OFPTYPE_ROLE_REQUEST:
        return role_request(slice, oh);
    case OFPTYPE_GET_ASYNC_REQUEST:
        xf_to_controller(slice,
                         ofputil_encode_get_async_reply(oh, &slice->async));
        return 0;
    case OFPTYPE_SET_ASYNC_CONFIG:
        return set_async(slice, oh);
    case OFPTYPE_DESC_STATS_REQUEST:
        xf_desc_request(slice, oh);
        return 0;
    case OFPTYPE_PORT_DESC_STATS_REQUEST:
        xf_port_desc_request(slice, oh);
        return 0;
    case OFPTYPE_TABLE_FEATURES_STATS_REQUEST:
        return xf_table_features_request(slice, oh);
    case OFPTYPE_GROUP_FEATURES_STATS_REQUEST:
        return xf_group_request(slice, type, oh, now_ms);
    case OFPTYPE_METER_FEATURES_STATS_REQUEST:
        return xf_meter_request(slice, type, oh, now_ms);
    default:
        return refuse_message(slice, type);
    }
}

/* The same messages in the dialects of Nicira and of later versions decode to
 * the same types.  Of those, slices have none. */
static bool
is_standard(const struct ofp_header *oh)
{
    if (oh->type == XF_OFPT_EXPERIMENTER) {
        return false;
    }
    if (ofpmsg_is_stat_request(oh)) {
        const struct xf_multipart *mp = (const void *) oh;

        return mp->type != htons(XF_OFPMP_EXPERIMENTER);
    }
    return true;
}

/* A message of the controller of 'slice', which must be connected.  Whatever
 * it is: what the switch gets is confined to the slice, and the controller gets
 * an error for what was refused. */
void
xf_slice_from_controller(struct xf_slice *slice, const struct ofpbuf *msg,
                         long long int now_ms)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;
    enum ofperr error;

    slice->counters.from_controller++;
    if (msg->size < sizeof *oh || ntohs(oh->length) != msg->size) {
        xf_refuse(slice, XF_SLICE_R_MALFORMED, OFPERR_OFPBRC_BAD_LEN,
                  "%"PRIu32" bytes that are no message", msg->size);
        return;
    }
    if (oh->version != XF_OFP) {
        error = xf_refuse(slice, XF_SLICE_R_MALFORMED,
                          OFPERR_OFPBRC_BAD_VERSION, "OpenFlow version %d",
                          oh->version);
    } else {
        error = ofptype_decode(&type, oh);
        if (error) {
            xf_refuse(slice, (oh->type == XF_OFPT_EXPERIMENTER
                              ? XF_SLICE_R_EXPERIMENTER
                              : XF_SLICE_R_MALFORMED), error,
                      "a message of type %d", oh->type);
        } else if (!is_standard(oh)) {
            error = xf_refuse(slice, XF_SLICE_R_EXPERIMENTER,
                              OFPERR_OFPBRC_EPERM, "message %s",
                              ofptype_get_name(type));
        } else if (!slice->ready && (is_change(type) || is_request(type))) {
            error = xf_refuse(slice, XF_SLICE_R_MESSAGE, OFPERR_OFPBRC_EPERM,
                              "%s while the switch isn't connected",
                              ofptype_get_name(type));
        } else {
            error = handle(slice, type, oh, now_ms);
        }
    }
    if (error) {
        xf_to_controller(slice, ofperr_encode_reply(error, oh));
    }
}

/* Likewise, with bytes as they may come from anywhere: one or more messages,
 * whole or not. */
void
xf_slice_receive_bytes(struct xf_slice *slice, const void *data, size_t size,
                       long long int now_ms)
{
    const uint8_t *p = data;

    while (size) {
        size_t length = size;

        if (size >= sizeof(struct ofp_header)) {
            struct ofp_header oh;

            memcpy(&oh, p, sizeof oh);
            length = ntohs(oh.length);
            if (length < sizeof oh || length > size) {
                length = size;
            }
        }

        struct ofpbuf *msg = ofpbuf_clone_data(p, length);
        xf_slice_from_controller(slice, msg, now_ms);
        ofpbuf_delete(msg);
        p += length;
        size -= length;
    }
}
