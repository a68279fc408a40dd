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

#ifndef XF_SPEAKER_READY_H
#define XF_SPEAKER_READY_H 1

/* Which of many listeners have something to do.
 *
 * Most of 1,000 routers' listeners wait for a connection.  The kernel's epoll
 * tells which have one, and only these and those that said so are run: a wake-up
 * of the engine's thread costs what happens, not how many routers there are.
 *
 * Threads: the engine's own. */

#include <stdbool.h>

#include "openvswitch/list.h"

/* A member.  Of the two, 'is_ready' is its owner's to clear. */
struct xf_ready_item {
    struct ovs_list all_node;
    struct ovs_list awake_node; /* If 'is_awake'. */
    bool is_awake;
    bool is_ready;              /* Its socket has something to accept. */
};

struct xf_ready {
    int fd;                     /* Of epoll; -1: the kernel gave none. */
    struct ovs_list all;        /* Of struct xf_ready_item. */
    struct ovs_list awake;      /* Those to be run. */
    long long int check_ms;     /* When all are to be run. */
};

void xf_ready_destroy(struct xf_ready *);
struct xf_ready *xf_ready_create(void);

/* Members come awake. */
void xf_ready_add(struct xf_ready *, struct xf_ready_item *);
void xf_ready_remove(struct xf_ready_item *);

/* From now on xf_ready_run() wakes 'item', and sets its 'is_ready', while 'fd'
 * has something to accept.  Closing 'fd' ends that.  Returns false if the
 * kernel refuses. */
bool xf_ready_watch(struct xf_ready *, int fd, struct xf_ready_item *item);

void xf_ready_wake(struct xf_ready *, struct xf_ready_item *);
void xf_ready_wake_all(struct xf_ready *);
void xf_ready_sleep(struct xf_ready_item *);

void xf_ready_run(struct xf_ready *);
void xf_ready_wait(const struct xf_ready *);

#endif /* engine/speaker-ready.h */
