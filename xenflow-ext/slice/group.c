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


/* Groups and meters of a controller: changes, requests, replies. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-meter.h"

/* ---- Changes of groups. ---- */

/* Deletes group 'group_id' of the controller's numbers. */
void
xf_delete_group(struct xf_slice *slice, uint32_t group_id)
{
    struct ofputil_group_mod gm = {
        .command = OFPGC11_DELETE,
        .type = OFPGT11_ALL,
        .group_id = xf_group_base(slice) | group_id,
    };

    ovs_list_init(&gm.buckets);
    xf_to_switch(slice, ofputil_encode_group_mod(XF_OFP, &gm, NULL, -1),
                 NULL);
    if (bitmap_is_set(slice->groups, group_id)) {
        bitmap_set0(slice->groups, group_id);
        slice->n_groups--;
    }
}

/* Replaces the actions of all buckets of 'gm' by the switch's. */
static enum ofperr
translate_buckets(struct xf_slice *slice, struct ofputil_group_mod *gm)
{
    /* Copies are counted over all buckets. */
    struct xf_action_scope scope = { .where = XF_IN_BUCKET };
    struct ofputil_bucket *bucket;
    size_t n_buckets = 0, size = 0;

    LIST_FOR_EACH (bucket, list_node, &gm->buckets) {
        struct ofpbuf actions;
        enum ofperr error;

        size += bucket->ofpacts_len;
        if (++n_buckets > XF_MAX_BUCKETS || size > XF_MAX_GROUP_SIZE) {
            return xf_refuse(slice, XF_SLICE_R_LIMIT,
                             OFPERR_OFPGMFC_OUT_OF_BUCKETS,
                             "a group of more than %d buckets or %d bytes",
                             XF_MAX_BUCKETS, XF_MAX_GROUP_SIZE);
        }
        if (ofputil_bucket_has_liveness(bucket)) {
            return xf_refuse(slice, XF_SLICE_R_GROUP,
                             OFPERR_OFPGMFC_WATCH_UNSUPPORTED,
                             "a bucket that watches a port or group");
        }
        ofpbuf_init(&actions, 64);
        error = xf_actions_to_switch(slice, &scope, bucket->ofpacts,
                                     bucket->ofpacts_len, &actions);
        free(bucket->ofpacts);
        bucket->ofpacts_len = actions.size;
        bucket->ofpacts = ofpbuf_steal_data(&actions);
        if (error) {
            return error;
        }
    }
    return 0;
}

static enum ofperr
check_group_number(struct xf_slice *slice, const struct ofputil_group_mod *gm)
{
    if (gm->group_id >= XF_GROUPS) {
        return xf_refuse(slice, XF_SLICE_R_GROUP,
                         OFPERR_OFPGMFC_INVALID_GROUP, "group %"PRIu32": the "
                         "slice has groups 0 to %d", gm->group_id,
                         XF_GROUPS - 1);
    }
    if (gm->command == OFPGC11_ADD
        && !bitmap_is_set(slice->groups, gm->group_id)
        && slice->n_groups >= slice->config.max_groups) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT,
                         OFPERR_OFPGMFC_OUT_OF_GROUPS,
                         "a group beyond the slice's maximum of %"PRIu32
                         " (max-groups)", slice->config.max_groups);
    }
    return 0;
}

static enum ofperr
delete_groups(struct xf_slice *slice, const struct ofputil_group_mod *gm)
{
    size_t id;

    if (gm->group_id == OFPG_ALL) {
        BITMAP_FOR_EACH_1 (id, XF_GROUPS, slice->groups) {
            xf_delete_group(slice, id);
        }
    } else if (gm->group_id < XF_GROUPS) {
        xf_delete_group(slice, gm->group_id);
    }
    return 0;
}

static enum ofperr
change_group(struct xf_slice *slice, struct ofputil_group_mod *gm,
             const struct ofp_header *oh)
{
    enum ofperr error;

    if (!slice->config.max_groups) {
        return xf_refuse(slice, XF_SLICE_R_GROUP, OFPERR_OFPGMFC_EPERM,
                         "a group: the slice has none (max-groups)");
    }
    if (gm->command == OFPGC11_DELETE) {
        return delete_groups(slice, gm);
    }
    if (gm->command != OFPGC11_ADD && gm->command != OFPGC11_MODIFY) {
        return xf_refuse(slice, XF_SLICE_R_EXPERIMENTER,
                         OFPERR_OFPGMFC_BAD_COMMAND, "group command %d",
                         gm->command);
    }
    if (gm->type == OFPGT11_FF) {
        return xf_refuse(slice, XF_SLICE_R_GROUP, OFPERR_OFPGMFC_BAD_TYPE,
                         "a group of type ff");
    }
    error = check_group_number(slice, gm);
    error = error ? error : translate_buckets(slice, gm);
    if (error) {
        return error;
    }

    uint32_t id = gm->group_id;
    gm->group_id |= xf_group_base(slice);
    error = xf_change_to_switch(slice,
                                ofputil_encode_group_mod(XF_OFP, gm, NULL,
                                                         -1), oh);
    if (!error && gm->command == OFPGC11_ADD
        && !bitmap_is_set(slice->groups, id)) {
        bitmap_set1(slice->groups, id);
        slice->n_groups++;
    }
    return error;
}

/* OFPT_GROUP_MOD. */
enum ofperr
xf_group_mod(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_group_mod gm;
    enum ofperr error = ofputil_decode_group_mod(oh, &gm);

    if (error) {
        return xf_refuse(slice, XF_SLICE_R_MALFORMED, error, "a group mod");
    }
    error = change_group(slice, &gm, oh);
    ofputil_uninit_group_mod(&gm);
    return error;
}

/* ---- Changes of meters. ---- */

/* Deletes meter 'meter_id' of the controller's numbers. */
void
xf_delete_meter(struct xf_slice *slice, uint32_t meter_id)
{
    struct ofputil_meter_mod mm = {
        .command = OFPMC13_DELETE,
        .meter.meter_id = xf_meter_base(slice) | meter_id,
    };

    xf_to_switch(slice, ofputil_encode_meter_mod(XF_OFP, &mm), NULL);
    if (bitmap_is_set(slice->meters, meter_id)) {
        bitmap_set0(slice->meters, meter_id);
        slice->n_meters--;
    }
}

static enum ofperr
change_meter(struct xf_slice *slice, struct ofputil_meter_mod *mm,
             const struct ofp_header *oh)
{
    uint32_t meter_id = mm->meter.meter_id;
    bool known = meter_id < XF_METERS && bitmap_is_set(slice->meters,
                                                       meter_id);

    if (!slice->config.max_meters) {
        return xf_refuse(slice, XF_SLICE_R_METER, OFPERR_OFPMMFC_OUT_OF_METERS,
                         "a meter: the slice has none (max-meters)");
    }
    if (mm->command == OFPMC13_DELETE) {
        size_t id;

        BITMAP_FOR_EACH_1 (id, XF_METERS, slice->meters) {
            if (meter_id == OFPM13_ALL || meter_id == id) {
                xf_delete_meter(slice, id);
            }
        }
        return 0;
    }
    if (!meter_id || meter_id >= XF_METERS) {
        return xf_refuse(slice, XF_SLICE_R_METER,
                         OFPERR_OFPMMFC_INVALID_METER, "meter %"PRIu32": the "
                         "slice has meters 1 to %d", meter_id, XF_METERS - 1);
    }
    if (mm->command == OFPMC13_ADD && !known
        && slice->n_meters >= slice->config.max_meters) {
        return xf_refuse(slice, XF_SLICE_R_LIMIT,
                         OFPERR_OFPMMFC_OUT_OF_METERS,
                         "a meter beyond the slice's maximum of %"PRIu32
                         " (max-meters)", slice->config.max_meters);
    }
    mm->meter.meter_id |= xf_meter_base(slice);

    enum ofperr error = xf_change_to_switch(
        slice, ofputil_encode_meter_mod(XF_OFP, mm), oh);
    if (!error && mm->command == OFPMC13_ADD && !known) {
        bitmap_set1(slice->meters, meter_id);
        slice->n_meters++;
    }
    return error;
}

/* OFPT_METER_MOD. */
enum ofperr
xf_meter_mod(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_meter_mod mm;
    struct ofpbuf bands;
    enum ofperr error;

    ofpbuf_init(&bands, 64);
    error = ofputil_decode_meter_mod(oh, &mm, &bands);
    if (error) {
        xf_refuse(slice, XF_SLICE_R_MALFORMED, error, "a meter mod");
    } else {
        error = change_meter(slice, &mm, oh);
    }
    ofpbuf_uninit(&bands);
    return error;
}

/* ---- Requests. ---- */

/* Answers 'oh' with an empty multipart reply. */
static void
reply_empty(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ovs_list replies;

    ofpmp_init(&replies, oh);
    xf_list_to_controller(slice, &replies, false);
}

static void
group_features(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_group_features features;

    memset(&features, 0, sizeof features);
    if (slice->config.max_groups) {
        static const enum ofp11_group_type types[] = {
            OFPGT11_ALL, OFPGT11_SELECT, OFPGT11_INDIRECT,
        };

        features.capabilities = OFPGFC12_SELECT_WEIGHT;
        for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
            features.types |= 1u << types[i];
            features.max_groups[types[i]] = slice->config.max_groups;
            features.ofpacts[types[i]]
                = (UINT64_C(1) << OFPACT_OUTPUT
                   | UINT64_C(1) << OFPACT_SET_FIELD
                   | UINT64_C(1) << OFPACT_PUSH_VLAN
                   | UINT64_C(1) << OFPACT_STRIP_VLAN
                   | UINT64_C(1) << OFPACT_SET_IP_TTL
                   | UINT64_C(1) << OFPACT_DEC_TTL);
        }
    }
    xf_to_controller(slice, ofputil_encode_group_features_reply(&features,
                                                                oh));
}

/* OFPMP_GROUP, OFPMP_GROUP_DESC and OFPMP_GROUP_FEATURES. */
enum ofperr
xf_group_request(struct xf_slice *slice, enum ofptype type,
                 const struct ofp_header *oh, long long int now_ms)
{
    struct xf_pending *pending;
    uint32_t group_id;
    size_t id;

    if (type == OFPTYPE_GROUP_FEATURES_STATS_REQUEST) {
        group_features(slice, oh);
        return 0;
    }
    if (!slice->n_groups) {
        reply_empty(slice, oh);
        return 0;
    }
    if (type == OFPTYPE_GROUP_DESC_STATS_REQUEST) {
        pending = xf_pending_add(slice, type, oh, now_ms);
        xf_pending_send(slice, pending,
                        ofputil_encode_group_desc_request(XF_OFP, OFPG_ALL));
        return 0;
    }

    ofputil_decode_group_stats_request(oh, &group_id);
    if (group_id != OFPG_ALL
        && (group_id >= XF_GROUPS || !bitmap_is_set(slice->groups,
                                                    group_id))) {
        reply_empty(slice, oh);
        return 0;
    }
    pending = xf_pending_add(slice, type, oh, now_ms);
    BITMAP_FOR_EACH_1 (id, XF_GROUPS, slice->groups) {
        if (group_id == OFPG_ALL || group_id == id) {
            xf_pending_send(slice, pending,
                            ofputil_encode_group_stats_request(
                                XF_OFP, xf_group_base(slice) | id));
        }
    }
    return 0;
}

static void
meter_features(struct xf_slice *slice, const struct ofp_header *oh)
{
    struct ofputil_meter_features features;

    memset(&features, 0, sizeof features);
    if (slice->config.max_meters) {
        features.max_meters = slice->config.max_meters;
        features.band_types = 1u << OFPMBT13_DROP;
        features.capabilities = (OFPMF13_KBPS | OFPMF13_PKTPS | OFPMF13_BURST
                                 | OFPMF13_STATS);
        features.max_bands = 1;
    }
    xf_to_controller(slice, ofputil_encode_meter_features_reply(&features,
                                                                oh));
}

/* OFPMP_METER, OFPMP_METER_CONFIG and OFPMP_METER_FEATURES. */
enum ofperr
xf_meter_request(struct xf_slice *slice, enum ofptype type,
                 const struct ofp_header *oh, long long int now_ms)
{
    struct xf_pending *pending;
    uint32_t meter_id;
    size_t id;

    if (type == OFPTYPE_METER_FEATURES_STATS_REQUEST) {
        meter_features(slice, oh);
        return 0;
    }
    ofputil_decode_meter_request(oh, &meter_id);
    if (!slice->n_meters
        || (meter_id != OFPM13_ALL
            && (meter_id >= XF_METERS || !bitmap_is_set(slice->meters,
                                                        meter_id)))) {
        reply_empty(slice, oh);
        return 0;
    }
    pending = xf_pending_add(slice, type, oh, now_ms);
    BITMAP_FOR_EACH_1 (id, XF_METERS, slice->meters) {
        if (meter_id == OFPM13_ALL || meter_id == id) {
            xf_pending_send(slice, pending,
                            ofputil_encode_meter_request(
                                XF_OFP,
                                type == OFPTYPE_METER_STATS_REQUEST
                                ? OFPUTIL_METER_STATS : OFPUTIL_METER_CONFIG,
                                xf_meter_base(slice) | id));
        }
    }
    return 0;
}

/* ---- Replies. ---- */

static void
group_desc_from_switch(struct xf_slice *slice, struct ofputil_group_desc *gd,
                       struct ovs_list *replies)
{
    uint32_t id = gd->group_id - xf_group_base(slice);
    struct ofputil_bucket *bucket;

    if (id >= XF_GROUPS) {
        return;                 /* Of another, or one of ours. */
    }
    LIST_FOR_EACH (bucket, list_node, &gd->buckets) {
        struct ofpbuf actions;

        ofpbuf_init(&actions, 64);
        xf_actions_from_switch(slice, 0, bucket->ofpacts, bucket->ofpacts_len,
                               &actions);
        free(bucket->ofpacts);
        bucket->ofpacts_len = actions.size;
        bucket->ofpacts = ofpbuf_steal_data(&actions);
    }
    gd->group_id = id;
    ofputil_append_group_desc_reply(gd, &gd->buckets, replies);
}

/* Appends to 'replies' what 'oh', of groups, is to the controller. */
void
xf_group_reply(struct xf_slice *slice, const struct xf_pending *pending,
               const struct ofp_header *oh, struct ovs_list *replies)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_group_stats gs;
    struct ofputil_group_desc gd;

    if (pending->type == OFPTYPE_GROUP_DESC_STATS_REQUEST) {
        while (!ofputil_decode_group_desc_reply(&gd, &b, XF_OFP)) {
            group_desc_from_switch(slice, &gd, replies);
            ofputil_uninit_group_desc(&gd);
        }
        return;
    }
    while (!ofputil_decode_group_stats_reply(&b, &gs)) {
        gs.group_id -= xf_group_base(slice);
        if (gs.group_id < XF_GROUPS) {
            ofputil_append_group_stats(replies, &gs);
        }
        free(gs.bucket_stats);
    }
}

/* Likewise, of meters. */
void
xf_meter_reply(struct xf_slice *slice, const struct xf_pending *pending,
               const struct ofp_header *oh, struct ovs_list *replies)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_meter_config config;
    struct ofputil_meter_stats stats;
    struct ofpbuf bands;

    ofpbuf_init(&bands, 64);
    if (pending->type == OFPTYPE_METER_CONFIG_STATS_REQUEST) {
        while (!ofputil_decode_meter_config(&b, &config, &bands)) {
            config.meter_id -= xf_meter_base(slice);
            ofputil_append_meter_config(replies, &config);
        }
    } else {
        while (!ofputil_decode_meter_stats(&b, &stats, &bands)) {
            stats.meter_id -= xf_meter_base(slice);
            ofputil_append_meter_stats(replies, &stats);
        }
    }
    ofpbuf_uninit(&bands);
}
