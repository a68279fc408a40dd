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
#include "engine/speaker-ready.h"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/util.h"
#include "util.h"

/* Sockets told at a time; the rest are told at the next run. */
#define EVENTS_MAX 64

struct xf_ready *
xf_ready_create(void)
{
    struct xf_ready *ready = xzalloc(sizeof *ready);

    ready->fd = epoll_create1(EPOLL_CLOEXEC);
    ovs_list_init(&ready->all);
    ovs_list_init(&ready->awake);
    return ready;
}

void
xf_ready_destroy(struct xf_ready *ready)
{
    if (ready) {
        if (ready->fd >= 0) {
            close(ready->fd);
        }
        free(ready);
    }
}

void
xf_ready_add(struct xf_ready *ready, struct xf_ready_item *item)
{
    ovs_list_push_back(&ready->all, &item->all_node);
    item->is_awake = false;
    xf_ready_wake(ready, item);
}

void
xf_ready_remove(struct xf_ready_item *item)
{
    xf_ready_sleep(item);
    ovs_list_remove(&item->all_node);
}

bool
xf_ready_watch(struct xf_ready *ready, int fd, struct xf_ready_item *item)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = item };

    return (ready->fd >= 0
            && !epoll_ctl(ready->fd, EPOLL_CTL_ADD, fd, &event));
}

void
xf_ready_wake(struct xf_ready *ready, struct xf_ready_item *item)
{
    if (!item->is_awake) {
        item->is_awake = true;
        ovs_list_push_back(&ready->awake, &item->awake_node);
    }
}

void
xf_ready_wake_all(struct xf_ready *ready)
{
    struct xf_ready_item *item;

    LIST_FOR_EACH (item, all_node, &ready->all) {
        xf_ready_wake(ready, item);
    }
}

void
xf_ready_sleep(struct xf_ready_item *item)
{
    if (item->is_awake) {
        item->is_awake = false;
        ovs_list_remove(&item->awake_node);
    }
}

void
xf_ready_run(struct xf_ready *ready)
{
    struct epoll_event events[EVENTS_MAX];
    int n = ready->fd < 0 ? 0 : epoll_wait(ready->fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        struct xf_ready_item *item = events[i].data.ptr;

        item->is_ready = true;
        xf_ready_wake(ready, item);
    }
}

void
xf_ready_wait(const struct xf_ready *ready)
{
    if (ready->fd >= 0) {
        poll_fd_wait(ready->fd, POLLIN);
    }
}
