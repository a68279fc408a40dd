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

#ifndef XENFLOW_GUESTD_KERNEL_H
#define XENFLOW_GUESTD_KERNEL_H 1

/* The kernel's side of the guest daemon: rtnetlink events and dumps into a
 * mirror (core/mirror.h), and neighbours to be probed into the kernel.
 *
 * A reading dumps links, addresses, next hops, neighbours and routes, a
 * bounded number of messages at a time, while events go on.  It is begun when the
 * subscription begins, when events were lost (ENOBUFS), when the mirror asks
 * for it, and when the host does.  After a reading the next one waits for
 * READ_PAUSE times as long as it took, and at least READ_PAUSE_MIN_MS. */

#include <stdbool.h>
#include <stdint.h>

struct guestd_kernel;
struct in6_addr;
struct xf_mirror;

struct guestd_kernel_stats {
    uint64_t n_overflows;       /* ENOBUFS: events were lost. */
    uint64_t n_readings;        /* Complete ones. */
    uint64_t n_used;            /* Neighbours to be probed. */
};

/* 'buffer_bytes' is the size of the socket's buffer, 0: the library's. */
void guestd_kernel_destroy(struct guestd_kernel *);
struct guestd_kernel *guestd_kernel_create(struct xf_mirror *,
                                           int buffer_bytes);

/* Subscribes to events and begins a first reading.  Returns 0 or a positive
 * errno. */
int guestd_kernel_open(struct guestd_kernel *);
void guestd_kernel_close(struct guestd_kernel *);

/* Takes what has come.  Returns 0, or a positive errno that ends the
 * subscription. */
int guestd_kernel_run(struct guestd_kernel *, long long int now_ms);
void guestd_kernel_wait(const struct guestd_kernel *);

/* Asks for a reading. */
void guestd_kernel_read(struct guestd_kernel *);

/* True if a reading was completed since the subscription began. */
bool guestd_kernel_is_read(const struct guestd_kernel *);

/* Makes the kernel probe neighbour 'ip' on 'ifindex', unless it was confirmed
 * of late. */
void guestd_kernel_use(struct guestd_kernel *, uint32_t ifindex,
                       const struct in6_addr *ip);

void guestd_kernel_get_stats(const struct guestd_kernel *,
                             struct guestd_kernel_stats *);

#endif /* xenflow-guestd-kernel.h */
