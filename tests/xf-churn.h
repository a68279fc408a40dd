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


#ifndef XF_CHURN_H
#define XF_CHURN_H 1

/* Random route changes with a known end.
 *
 * A set of distinct prefixes, nested in each other, in 10.128.0.0/9 and
 * 2001:db8:8000::/33 (so that the networks of a test's links can be outside);
 * every step adds an absent one, or replaces or deletes a present one.  All
 * routes have metric 20, as FRR's. */

#include <stdio.h>

#include "core/wire.h"

struct xf_churn;

struct xf_churn_gateway {
    struct in6_addr addr;       /* Decides for which prefixes it is used. */
    uint32_t ifindex;
};

/* A step: 'msg', after the deletion of the same prefix, in one frame, if
 * 'del_first' (FRR's way to replace). */
struct xf_churn_step {
    struct xf_wire_msg msg;
    bool del_first;
};

void xf_churn_destroy(struct xf_churn *);
/* IPv6 prefixes are made if there are IPv6 gateways, and likewise for IPv4.
 * Copies 'gateways', of which there must be at least one. */
struct xf_churn *xf_churn_create(uint32_t seed, size_t n_prefixes,
                                 const struct xf_churn_gateway *gateways,
                                 size_t n_gateways);
/* A change of a random prefix. */
void xf_churn_next(struct xf_churn *, struct xf_churn_step *);
/* The addition of the 'i'th prefix; 'i' < n_prefixes. */
void xf_churn_add(struct xf_churn *, size_t i, struct xf_churn_step *);
/* Writes the table as it is after all steps taken: lines "PREFIX via
 * GATEWAY,IFINDEX[*WEIGHT]..." or "PREFIX blackhole", sorted by their bytes.
 * ("via" stands before each next hop.) */
void xf_churn_write(const struct xf_churn *, FILE *);

#endif /* xf-churn.h */
