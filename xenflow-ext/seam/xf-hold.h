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

#ifndef XF_HOLD_H
#define XF_HOLD_H 1

/* Frames that wait for a router's machine.
 * ========================================
 *
 * What
 * ----
 * A router comes to this host.  Until its machine runs, what is for it waits
 * here, a queue per segment of the router, by a datapath action (verdict
 * XF_ODP_HOLD of seam/xf-odp.h) that takes frames as they would have been
 * handed over.  Queues are bounded; of a full one the oldest frame goes.
 *
 * Release
 * -------
 * The main thread sends what waits, and while it does so frames go on to join
 * the queue.  When it finds the queue empty, under its lock, frames pass from
 * then on: the action lets them through.  So none overtakes another, but where
 * frames come for long as fast as they are sent: then they pass before the
 * queue is empty, and may overtake what it still has.
 *
 * Threads: begin and end in one thread; all else any.
 *
 * This file is part of libopenvswitch, as xf-odp.c is. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_packet;
struct dp_packet_batch;
struct xf_hold_stats;

#define XF_HOLD_FRAMES_MAX 512  /* In a queue. */
#define XF_HOLD_QUEUES_MAX 256  /* Of one router. */

/* Frames of router 'id' wait from now on; what its queues had is gone. */
void xf_hold_begin(uint32_t id);
void xf_hold_end(uint32_t id);

/* Takes the frames in 'batch', which is empty then, if they are to wait.
 * False: they may pass. */
bool xf_hold_take(uint32_t id, uint16_t vlan, struct dp_packet_batch *batch);

/* The next frame that waits, now the caller's; NULL: there is none, and from
 * now on frames pass. */
struct dp_packet *xf_hold_next(uint32_t id, uint16_t vlan);

/* Frames pass in 'vlan' from now on; what still waits is for xf_hold_next().
 * */
void xf_hold_open(uint32_t id, uint16_t vlan);

/* Frames pass in all segments from now on; what still waits is dropped. */
void xf_hold_pass(uint32_t id);

/* Whether that is so. */
bool xf_hold_is_released(uint32_t id);

/* False if router 'id' has never held any. */
bool xf_hold_get_stats(uint32_t id, struct xf_hold_stats *);

#endif /* seam/xf-hold.h */
