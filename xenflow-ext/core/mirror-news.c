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
#include "core/mirror-news.h"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "core/wire-attr.h"
#include "packets.h"
#include "util.h"

/* Stores in '*key' what 'msg' is about.  Returns false if that is nothing. */
static bool
key_from_msg(const struct xf_wire_msg *msg, struct xf_mirror_key *key)
{
    memset(key, 0, sizeof *key);
    switch (msg->type) {
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
        key->kind = XF_MIRROR_LINK;
        key->id = msg->ifindex;
        return true;
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_ADDR_DEL:
        key->kind = XF_MIRROR_ADDR;
        key->id = msg->ifindex;
        key->ip = msg->ip;
        key->len = msg->prefix_len;
        return true;
    case XF_WIRE_NEIGH_ADD:
    case XF_WIRE_NEIGH_DEL:
        key->kind = XF_MIRROR_NEIGH;
        key->id = msg->ifindex;
        key->ip = msg->ip;
        return true;
    case XF_WIRE_NEXTHOP_ADD:
    case XF_WIRE_NEXTHOP_GROUP_ADD:
    case XF_WIRE_NEXTHOP_DEL:
        key->kind = XF_MIRROR_NEXTHOP;
        key->id = msg->nexthop_id;
        return true;
    case XF_WIRE_ROUTE_ADD:
    case XF_WIRE_ROUTE_DEL:
        key->kind = XF_MIRROR_ROUTE;
        /* Absent from a message of the kernel's it is 0. */
        key->id = (msg->route.metric == UINT32_MAX ? 0 : msg->route.metric);
        key->ip = msg->route.prefix.addr;
        key->len = msg->route.prefix.len;
        key->local = msg->route.type == XF_ROUTE_LOCAL;
        return true;
    case XF_WIRE_END:
    case XF_WIRE_NEIGH_USE:
    case XF_WIRE_HELLO:
    case XF_WIRE_LOAD:
    case XF_WIRE_RESYNC:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    case XF_WIRE_IGNORED:
    default:
        return false;
    }
}

/* Looks at what xf_wire_decode() doesn't tell. */
static void
look_inside(const uint8_t *nlmsg, size_t size, struct xf_mirror_news *news)
{
    const uint8_t *body = nlmsg + sizeof(struct nlmsghdr);
    size_t body_size = size - sizeof(struct nlmsghdr);
    struct xf_wire_attr attrs[RTA_NH_ID + 1];

    uint8_t kind = news->key.kind;

    if (kind == XF_MIRROR_NEIGH && body_size >= sizeof(struct ndmsg)) {
        struct ndmsg ndm;

        memcpy(&ndm, body, sizeof ndm);
        news->ndm_state = ndm.ndm_state;
    } else if (kind == XF_MIRROR_ROUTE && body_size >= sizeof(struct rtmsg)
               && !xf_wire_parse_attrs(body + sizeof(struct rtmsg),
                                       body_size - sizeof(struct rtmsg),
                                       attrs, ARRAY_SIZE(attrs))) {
        if (attrs[RTA_OIF].data) {
            xf_wire_get_u32(&attrs[RTA_OIF], &news->oif);
        }
        news->has_nhid = attrs[RTA_NH_ID].data != NULL;
        news->has_multipath = attrs[RTA_MULTIPATH].data != NULL;
    }
}

/* Decodes the route message 'nlmsg', which was refused, as the deletion of
 * what it names. */
static bool
decode_as_deletion(const uint8_t *nlmsg, size_t size, struct xf_wire_msg *msg)
{
    uint8_t *copy = xmemdup(nlmsg, size);
    const uint8_t *p = copy;
    struct nlmsghdr nlh;
    struct rtmsg rtm;
    bool ok = false;

    if (size >= sizeof nlh + sizeof rtm) {
        memcpy(&nlh, copy, sizeof nlh);
        memcpy(&rtm, copy + sizeof nlh, sizeof rtm);
        if (nlh.nlmsg_type == RTM_NEWROUTE) {
            nlh.nlmsg_type = RTM_DELROUTE;
            rtm.rtm_type = RTN_UNSPEC;
            memcpy(copy, &nlh, sizeof nlh);
            memcpy(copy + sizeof nlh, &rtm, sizeof rtm);
            ok = !xf_wire_decode(&p, &size, msg);
        }
    }
    free(copy);
    return ok;
}

bool
xf_mirror_news_decode(const void *nlmsg, size_t size,
                      struct xf_mirror_news *news, uint64_t *n_unsupported)
{
    const uint8_t *p = nlmsg;
    size_t left = size;
    struct nlmsghdr nlh;

    if (size < sizeof nlh) {
        return false;
    }
    memcpy(&nlh, nlmsg, sizeof nlh);
    news->type = nlh.nlmsg_type;
    news->flags = nlh.nlmsg_flags;
    news->oif = news->ndm_state = 0;
    news->has_nhid = news->has_multipath = news->unsupported = false;
    if (xf_wire_decode(&p, &left, &news->msg)) {
        ++*n_unsupported;
        if (!decode_as_deletion(nlmsg, size, &news->msg)) {
            return false;
        }
        news->unsupported = true;
    }
    if (!key_from_msg(&news->msg, &news->key)) {
        return false;
    }
    look_inside(nlmsg, size, news);
    /* Canonical: equal objects have equal hashes. */
    news->msg.seq = news->msg.pid = 0;
    news->msg.ack = news->msg.replace = false;
    return true;
}

bool
xf_mirror_is_link_only(const struct in6_addr *ip)
{
    if (xf_addr_is_v4(ip)) {
        return ip->s6_addr[12] == 127;
    }
    return IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_LOOPBACK(ip);
}

bool
xf_mirror_news_is_deletion(const struct xf_mirror_news *news)
{
    switch (news->msg.type) {
    case XF_WIRE_LINK_DEL:
    case XF_WIRE_ADDR_DEL:
    case XF_WIRE_NEIGH_DEL:
    case XF_WIRE_NEXTHOP_DEL:
    case XF_WIRE_ROUTE_DEL:
        return true;
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_NEIGH_ADD:
    case XF_WIRE_NEXTHOP_ADD:
    case XF_WIRE_NEXTHOP_GROUP_ADD:
    case XF_WIRE_ROUTE_ADD:
    case XF_WIRE_END:
    case XF_WIRE_NEIGH_USE:
    case XF_WIRE_HELLO:
    case XF_WIRE_LOAD:
    case XF_WIRE_RESYNC:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    case XF_WIRE_IGNORED:
    default:
        return false;
    }
}

bool
xf_mirror_news_is_collected(const struct xf_mirror_news *news)
{
    return (news->type == RTM_DELNEIGH
            && news->ndm_state & (NUD_STALE | NUD_REACHABLE | NUD_DELAY
                                  | NUD_PROBE));
}
