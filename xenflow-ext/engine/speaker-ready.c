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

struct xf_ready {
    int fd;
};

struct xf_ready *
xf_ready_create(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    if (fd < 0) {
        return NULL;
    }

    struct xf_ready *ready = xmalloc(sizeof *ready);
    ready->fd = fd;
    return ready;
}

void
xf_ready_destroy(struct xf_ready *ready)
{
    if (ready) {
        close(ready->fd);
        free(ready);
    }
}

bool
xf_ready_add(struct xf_ready *ready, int fd, bool *flag)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = flag };

    return !epoll_ctl(ready->fd, EPOLL_CTL_ADD, fd, &event);
}

void
xf_ready_run(struct xf_ready *ready)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(ready->fd, events, EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        *(bool *) events[i].data.ptr = true;
    }
}

void
xf_ready_wait(const struct xf_ready *ready)
{
    poll_fd_wait(ready->fd, POLLIN);
}
