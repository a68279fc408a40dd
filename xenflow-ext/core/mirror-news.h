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

#ifndef XF_CORE_MIRROR_NEWS_H
#define XF_CORE_MIRROR_NEWS_H 1

/* One message of a guest's kernel, as the mirror (core/mirror.h) sees it:
 * which object it is about, and what it says of it.  Used by mirror*.c alone.
 *
 * Threads: pure functions. */

#include "core/wire.h"
#include "openvswitch/util.h"

/* Sorts of objects. */
enum xf_mirror_kind {
    XF_MIRROR_LINK,
    XF_MIRROR_ADDR,
    XF_MIRROR_NEXTHOP,
    XF_MIRROR_NEIGH,
    XF_MIRROR_ROUTE,
};

/* Names an object, without padding. */
struct xf_mirror_key {
    struct in6_addr ip;         /* ADDR, NEIGH, ROUTE. */
    uint32_t id;                /* Ifindex, next-hop id or metric. */
    uint8_t kind;               /* Of 'enum xf_mirror_kind'. */
    uint8_t len;                /* ADDR, ROUTE: prefix length. */
    uint8_t local;              /* ROUTE: of the local table. */
    uint8_t zero;
};
BUILD_ASSERT_DECL(sizeof(struct xf_mirror_key) == 24);

/* A message of the kernel, understood. */
struct xf_mirror_news {
    struct xf_wire_msg msg;
    struct xf_mirror_key key;
    uint16_t type;              /* nlmsg_type. */
    uint16_t flags;             /* nlmsg_flags. */
    uint32_t oif;               /* Routes: RTA_OIF, or 0. */
    bool has_nhid;              /* Routes: RTA_NH_ID. */
    bool has_multipath;         /* Routes: RTA_MULTIPATH. */
    uint16_t ndm_state;         /* Neighbours. */
    bool unsupported;           /* A route that can't be said: 'msg' is its
                                 * deletion. */
};

/* Decodes 'nlmsg', one netlink message with its header.  Returns false if it
 * is about nothing that the host might have to know.  '*n_unsupported' grows
 * if the wire protocol can't say it. */
bool xf_mirror_news_decode(const void *nlmsg, size_t size,
                           struct xf_mirror_news *, uint64_t *n_unsupported);

/* True if the message says that its object isn't there, or isn't usable. */
bool xf_mirror_news_is_deletion(const struct xf_mirror_news *);

/* True if a neighbour is deleted in a state that it could be used in: by the
 * kernel's garbage collection. */
bool xf_mirror_news_is_collected(const struct xf_mirror_news *);

/* True if packets to 'ip' are never forwarded. */
bool xf_mirror_is_link_only(const struct in6_addr *ip);

#endif /* core/mirror-news.h */
