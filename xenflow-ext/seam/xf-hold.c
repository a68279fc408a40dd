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

#include <config.h>

#include "seam/xf-hold.h"

#include <string.h>

#include "dp-packet.h"
#include "openvswitch/hmap.h"
#include "hash.h"
#include "ovs-thread.h"
#include "util.h"
#include "xenflow/switch.h"

/* Frames of one segment. */
struct queue {
    uint16_t vlan;
    bool passes;                /* Nothing waits any more. */
    size_t first, n;            /* Of 'frames', a ring. */
    struct dp_packet *frames[XF_HOLD_FRAMES_MAX];
};

/* A router that holds frames, or did. */
struct hold {
    struct hmap_node node;      /* In 'holds', by 'id'. */
    uint32_t id;
    bool passes;                /* All of it does. */
    size_t n_queues;
    struct queue *queues[XF_HOLD_QUEUES_MAX];
    uint64_t n_dropped;
    uint64_t n_released;
};

/* All routers of the process, as of xf-odp.c.  Only routers that move come
 * here, so one lock does. */
static struct ovs_mutex mutex = OVS_MUTEX_INITIALIZER;
static struct hmap holds OVS_GUARDED_BY(mutex) = HMAP_INITIALIZER(&holds);

static struct hold *
find(uint32_t id)
    OVS_REQUIRES(mutex)
{
    struct hold *hold;

    HMAP_FOR_EACH_WITH_HASH (hold, node, hash_int(id, 0), &holds) {
        if (hold->id == id) {
            return hold;
        }
    }
    return NULL;
}

static void
destroy(struct hold *hold)
    OVS_REQUIRES(mutex)
{
    hmap_remove(&holds, &hold->node);
    for (size_t i = 0; i < hold->n_queues; i++) {
        struct queue *q = hold->queues[i];

        for (size_t j = 0; j < q->n; j++) {
            dp_packet_delete(q->frames[(q->first + j) % XF_HOLD_FRAMES_MAX]);
        }
        free(q);
    }
    free(hold);
}

/* See seam/xf-hold.h. */
void
xf_hold_end(uint32_t id)
{
    ovs_mutex_lock(&mutex);
    struct hold *hold = find(id);
    if (hold) {
        destroy(hold);
    }
    ovs_mutex_unlock(&mutex);
}

/* See seam/xf-hold.h. */
void
xf_hold_begin(uint32_t id)
{
    xf_hold_end(id);
    ovs_mutex_lock(&mutex);
    struct hold *hold = xzalloc(sizeof *hold);
    hold->id = id;
    hmap_insert(&holds, &hold->node, hash_int(id, 0));
    ovs_mutex_unlock(&mutex);
}

/* The queue for 'vlan', which is made if need be; NULL: there are too many. */
static struct queue *
get_queue(struct hold *hold, uint16_t vlan)
    OVS_REQUIRES(mutex)
{
    for (size_t i = 0; i < hold->n_queues; i++) {
        if (hold->queues[i]->vlan == vlan) {
            return hold->queues[i];
        }
    }
    if (hold->n_queues >= XF_HOLD_QUEUES_MAX) {
        return NULL;
    }
    struct queue *q = xzalloc(sizeof *q);
    q->vlan = vlan;
    q->passes = hold->passes;
    hold->queues[hold->n_queues++] = q;
    return q;
}

static struct dp_packet *
pop(struct queue *q)
{
    struct dp_packet *frame = q->frames[q->first];

    q->first = (q->first + 1) % XF_HOLD_FRAMES_MAX;
    q->n--;
    return frame;
}

/* Frames that come from DPDK's memory would keep its buffers: what waits is a
 * copy. */
static void
push(struct hold *hold, struct queue *q, struct dp_packet *packet)
    OVS_REQUIRES(mutex)
{
    if (q->n >= XF_HOLD_FRAMES_MAX) {
        dp_packet_delete(pop(q));
        hold->n_dropped++;
    }
    q->frames[(q->first + q->n++) % XF_HOLD_FRAMES_MAX]
        = dp_packet_clone_data_with_headroom(dp_packet_data(packet),
                                             dp_packet_size(packet), 64);
    dp_packet_delete(packet);
}

/* See seam/xf-hold.h. */
bool
xf_hold_take(uint32_t id, uint16_t vlan, struct dp_packet_batch *batch)
{
    struct dp_packet *packet;
    bool taken = false;

    ovs_mutex_lock(&mutex);
    struct hold *hold = find(id);
    struct queue *q = hold ? get_queue(hold, vlan) : NULL;
    if (q && !q->passes) {
        DP_PACKET_BATCH_FOR_EACH (i, packet, batch) {
            push(hold, q, packet);
        }
        dp_packet_batch_init(batch);
        taken = true;
    }
    ovs_mutex_unlock(&mutex);
    return taken;
}

/* See seam/xf-hold.h. */
struct dp_packet *
xf_hold_next(uint32_t id, uint16_t vlan)
{
    struct dp_packet *frame = NULL;

    ovs_mutex_lock(&mutex);
    struct hold *hold = find(id);
    struct queue *q = hold ? get_queue(hold, vlan) : NULL;
    if (q && q->n) {
        frame = pop(q);
        hold->n_released++;
    } else if (q) {
        q->passes = true;
    }
    ovs_mutex_unlock(&mutex);
    return frame;
}

/* See seam/xf-hold.h. */
void
xf_hold_open(uint32_t id, uint16_t vlan)
{
    ovs_mutex_lock(&mutex);
    struct hold *hold = find(id);
    struct queue *q = hold ? get_queue(hold, vlan) : NULL;
    if (q) {
        q->passes = true;
    }
    ovs_mutex_unlock(&mutex);
}

/* See seam/xf-hold.h. */
bool
xf_hold_is_released(uint32_t id)
{
    ovs_mutex_lock(&mutex);
    const struct hold *hold = find(id);
    bool released = !hold || hold->passes;
    ovs_mutex_unlock(&mutex);
    return released;
}

/* See seam/xf-hold.h. */
void
xf_hold_pass(uint32_t id)
{
    ovs_mutex_lock(&mutex);
    struct hold *hold = find(id);
    for (size_t i = 0; hold && i < hold->n_queues; i++) {
        struct queue *q = hold->queues[i];

        q->passes = true;
        while (q->n) {
            dp_packet_delete(pop(q));
            hold->n_dropped++;
        }
    }
    if (hold) {
        hold->passes = true;
    }
    ovs_mutex_unlock(&mutex);
}

/* See seam/xf-hold.h. */
bool
xf_hold_get_stats(uint32_t id, struct xf_hold_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    ovs_mutex_lock(&mutex);
    const struct hold *hold = find(id);
    if (hold) {
        for (size_t i = 0; i < hold->n_queues; i++) {
            stats->n_held += hold->queues[i]->n;
        }
        stats->n_dropped = hold->n_dropped;
        stats->n_released = hold->n_released;
    }
    ovs_mutex_unlock(&mutex);
    return hold;
}
