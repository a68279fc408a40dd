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
#ifndef FAKE_SWITCH_H
#define FAKE_SWITCH_H 1

/* A switch for the engine's tests: it remembers what the engine does to it,
 * and completes revalidations at once or when told to.
 *
 * Threads: any, except init and uninit. */

#include "openvswitch/dynamic-string.h"
#include "ovs-thread.h"
#include "xenflow/switch.h"

struct fake_switch {
    struct xf_switch up;
    struct ovs_mutex mutex;
    struct seq *seq;            /* Changes with 'tickets' and 'completed'. */
    struct seq *entered;        /* Changes when a router is to be added. */
    uint64_t tickets OVS_GUARDED;   /* Revalidations asked for, */
    uint64_t completed OVS_GUARDED; /* and completed. */
    bool manual OVS_GUARDED;        /* Complete only when told to. */
    atomic_bool fib;                /* The datapath looks packets up. */
    struct ds events OVS_GUARDED;   /* Frames, routers added and deleted. */
};

void fake_switch_init(struct fake_switch *);
void fake_switch_uninit(struct fake_switch *);
void fake_switch_set_manual(struct fake_switch *, bool manual);
void fake_switch_complete(struct fake_switch *);
uint64_t fake_switch_tickets(struct fake_switch *);
void fake_switch_print_frames(struct fake_switch *);

/* Stalls the engine's thread where it adds a router: it waits until
 * fake_switch_unstall().  fake_switch_await_stalled() waits until it does. */
uint64_t fake_switch_stall(struct fake_switch *fake)
    OVS_ACQUIRES(fake->mutex);
void fake_switch_await_stalled(struct fake_switch *, uint64_t seqno);
void fake_switch_unstall(struct fake_switch *fake)
    OVS_RELEASES(fake->mutex);

#endif /* fake-switch.h */
