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


/* Wire protocol, decoder (the encoder is in wire-encode.c).
 * =========================================================
 *
 * What a speaker really sends: FRR 8.4.4 of Debian 12, "zebra -M
 * dplane_fpm_nl", read from our own captures (Documentation/internals/fpm.rst
 * has the whole list; the bytes are in tests/wire.at):
 *
 * - One frame per change; a replacement is one frame with two messages,
 *   RTM_DELROUTE (rtm_type 0) and RTM_NEWROUTE of the same prefix.
 * - nlmsg_seq is 0, nlmsg_pid a constant, NLM_F_ACK is never set.
 *   RTM_NEWROUTE has NLM_F_CREATE, and NLM_F_REPLACE only for IPv4.
 * - RTA_PRIORITY is always 20, whatever the distance and metric in zebra;
 *   connected routes come too (protocol kernel, RTA_OIF alone), also fe80::/64
 *   for one interface at a time; routes of type local never come.
 * - Tables: rtm_table 254.  Weights: rtnh_hops, or the weight of a group
 *   member.
 * - With next-hop groups: after a connect all RTM_NEWNEXTHOP in no particular
 *   order, so a group can precede its members; a route names an id by
 *   RTA_NH_ID, blackhole and reject routes have none.
 *
 * Where this decoder departs from the kernel
 * ------------------------------------------
 * - What would be wrong if it were taken as a plain route is refused: TOS,
 *   source prefixes, RTN_THROW, encapsulations.
 * - A next hop with RTNH_F_DEAD or RTNH_F_LINKDOWN is left out; an addition
 *   that is left with none becomes the deletion of what it names.
 * - An IPv6 address in ::ffff:0:0/96 is refused: inside XenFlow that is an
 *   IPv4 address.
 *
 * The decoder is in four: wire.c (frames, routes, next hops), wire-link.c
 * (neighbours, addresses, links), wire-guest.c (messages of our own),
 * wire-attr.c (what all need).
 *
 * Cost: O(bytes of the message), no allocation.
 *
 * Source: rtnetlink(7), netlink(7), the kernel's public headers; RFC 8950. */

#include <config.h>
#include "core/wire.h"

#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/wire-attr.h"
#include "core/wire-copy.h"
#include "core/wire-guest.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

#define FPM_VERSION 1
#define FPM_TYPE_NETLINK 1

/* Families that name tables of no interest here. */
#define FAMILY_IPMR 128
#define FAMILY_IP6MR 129
#define FAMILY_MPLS 28

/* RTNH_F_* of a next hop that can't be used. */
#define NH_UNUSABLE (RTNH_F_DEAD | RTNH_F_LINKDOWN)

/* Highest attribute types that are looked at, and one. */
#define N_RTA (RTA_NH_ID + 1)
#define N_NHA (NHA_FDB + 1)

static xf_wire_decode_fn decode_route, decode_nexthop;
static enum xf_wire_error decode_body(const struct nlmsghdr *,
                                      const uint8_t *body, size_t size,
                                      struct xf_wire_msg *);
static void reset_msg(struct xf_wire_msg *, const struct nlmsghdr *);

int
xf_wire_frame_size(const void *data_, size_t size)
{
    const uint8_t *data = data_;

    if (size >= 1 && data[0] != FPM_VERSION) {
        return -XF_WIRE_E_VERSION;
    }
    if (size >= 2 && data[1] != FPM_TYPE_NETLINK) {
        return -XF_WIRE_E_PROTO;
    }
    if (size < XF_WIRE_HEADER_SIZE) {
        return 0;
    }

    int frame_size = data[2] << 8 | data[3];
    if (frame_size < XF_WIRE_HEADER_SIZE + (int) sizeof(struct nlmsghdr)) {
        return -XF_WIRE_E_FRAME;
    }
    return frame_size;
}

enum xf_wire_error
xf_wire_decode(const uint8_t **payload, size_t *size, struct xf_wire_msg *msg)
{
    struct nlmsghdr nlh;

    if (*size < sizeof nlh) {
        reset_msg(msg, NULL);
        *payload += *size;
        *size = 0;
        return XF_WIRE_E_TRUNCATED;
    }
    memcpy(&nlh, *payload, sizeof nlh);

    const uint8_t *body = *payload + sizeof nlh;
    enum xf_wire_error error;
    size_t step = *size;

    reset_msg(msg, &nlh);
    if (nlh.nlmsg_len < sizeof nlh || nlh.nlmsg_len > *size) {
        error = XF_WIRE_E_TRUNCATED;
    } else {
        error = decode_body(&nlh, body, nlh.nlmsg_len - sizeof nlh, msg);
        if (error != XF_WIRE_E_TRUNCATED) {
            step = MIN(ROUND_UP((size_t) nlh.nlmsg_len, NLMSG_ALIGNTO), *size);
        }
    }
    if (error || msg->type == XF_WIRE_IGNORED) {
        reset_msg(msg, &nlh);
    }
    *payload += step;
    *size -= step;
    return error;
}

/* Clears 'msg', except for the arrays, whose counts become 0, and takes seq,
 * pid, type and flags from 'nlh' if it is nonnull. */
static void
reset_msg(struct xf_wire_msg *msg, const struct nlmsghdr *nlh)
{
    const size_t after_nexthops = offsetof(struct xf_wire_msg, n_nexthops);
    const size_t after_members = offsetof(struct xf_wire_msg, n_members);

    memset(msg, 0, offsetof(struct xf_wire_msg, nexthops));
    memset(&msg->n_nexthops, 0,
           offsetof(struct xf_wire_msg, members) - after_nexthops);
    memset(&msg->n_members, 0, sizeof *msg - after_members);
    msg->type = XF_WIRE_IGNORED;
    if (nlh) {
        msg->seq = nlh->nlmsg_seq;
        msg->pid = nlh->nlmsg_pid;
        msg->ack = (nlh->nlmsg_flags & NLM_F_ACK) != 0;
        msg->nlmsg_type = nlh->nlmsg_type;
    }
}

static enum xf_wire_error
decode_body(const struct nlmsghdr *nlh, const uint8_t *body, size_t size,
            struct xf_wire_msg *msg)
{
    enum xf_wire_error error;

    switch (nlh->nlmsg_type) {
    case NLMSG_NOOP:
    case NLMSG_ERROR:
        return XF_WIRE_OK;
    case NLMSG_DONE:
        msg->type = XF_WIRE_END;
        return XF_WIRE_OK;
    case RTM_NEWROUTE:
        error = decode_route(body, size, false, msg);
        break;
    case RTM_NEWNEXTHOP:
        error = decode_nexthop(body, size, false, msg);
        break;
    case RTM_NEWNEIGH:
        error = xf_wire_decode_neigh(body, size, false, msg);
        break;
    case RTM_NEWADDR:
        error = xf_wire_decode_addr(body, size, false, msg);
        break;
    case RTM_NEWLINK:
        error = xf_wire_decode_link(body, size, false, msg);
        break;
    case XF_NLMSG_HELLO:
        return xf_wire_decode_hello(body, size, false, msg);
    case XF_NLMSG_LOAD:
        return xf_wire_decode_load(body, size, false, msg);
    case XF_NLMSG_COPY:
        return xf_wire_decode_copy(body, size, false, msg);
    case XF_NLMSG_COUNTS:
        return xf_wire_decode_counts(body, size, false, msg);
    case XF_NLMSG_RESYNC:
        msg->type = XF_WIRE_RESYNC;
        return XF_WIRE_OK;
    case RTM_DELROUTE:
        return decode_route(body, size, true, msg);
    case RTM_DELNEXTHOP:
        return decode_nexthop(body, size, true, msg);
    case RTM_DELNEIGH:
        return xf_wire_decode_neigh(body, size, true, msg);
    case RTM_DELADDR:
        return xf_wire_decode_addr(body, size, true, msg);
    case RTM_DELLINK:
        return xf_wire_decode_link(body, size, true, msg);
    default:
        return XF_WIRE_E_TYPE;
    }
    /* Only here: in a deletion the same bit has another meaning. */
    msg->replace = (nlh->nlmsg_flags & NLM_F_REPLACE) != 0;
    return error;
}

/* ---- Routes. ---- */

/* True if 'addr' has a bit set beyond its first 'len' ones, counted in its
 * family ('len' is within the family's bounds). */
static bool
has_host_bits(const struct in6_addr *addr, uint8_t len)
{
    unsigned int bit = len + (xf_addr_is_v4(addr) ? XF_V4_OFS : 0);
    unsigned int i = bit / 8;

    if (bit % 8) {
        if (addr->s6_addr[i++] & (0xff >> bit % 8)) {
            return true;
        }
    }
    for (; i < sizeof addr->s6_addr; i++) {
        if (addr->s6_addr[i]) {
            return true;
        }
    }
    return false;
}

/* Sets the gateway of 'nh' from RTA_GATEWAY or RTA_VIA, of which either may be
 * absent.  An address of zeros is no gateway.  A route of 'family' AF_INET may
 * have a gateway of AF_INET6 (RFC 8950), not the other way round. */
static enum xf_wire_error
get_gateway(const struct xf_wire_attr *gateway,
            const struct xf_wire_attr *via, uint8_t family,
            struct xf_nexthop *nh)
{
    const uint8_t *data = gateway->data;
    size_t size = gateway->size;

    memset(&nh->gateway, 0, sizeof nh->gateway);
    if (via->data) {
        uint16_t via_family;

        if (data || via->size < sizeof via_family) {
            return XF_WIRE_E_ATTR;
        }
        memcpy(&via_family, via->data, sizeof via_family);
        if (via_family != family
            && (via_family != AF_INET6 || family != AF_INET)) {
            return XF_WIRE_E_FAMILY;
        }
        family = via_family;
        data = via->data + sizeof via_family;
        size = via->size - sizeof via_family;
    }
    if (!data) {
        return XF_WIRE_OK;
    }

    struct in6_addr addr;
    if (!xf_wire_get_addr__(data, size, family, &addr)) {
        return XF_WIRE_E_ATTR;
    }
    if (family == AF_INET && !in6_addr_get_mapped_ipv4(&addr)) {
        return XF_WIRE_OK;
    }
    nh->gateway = addr;
    return XF_WIRE_OK;
}

/* Refuses an encapsulation; type 0 alone is none. */
static enum xf_wire_error
check_encap(const struct xf_wire_attr *encap_type,
            const struct xf_wire_attr *encap)
{
    uint16_t type = 0;

    if (encap_type->data) {
        if (encap_type->size != sizeof type) {
            return XF_WIRE_E_ATTR;
        }
        memcpy(&type, encap_type->data, sizeof type);
    }
    return type || encap->data ? XF_WIRE_E_ENCAP : XF_WIRE_OK;
}

/* Translates rtm_type.  Returns false if it is of no interest (multicast),
 * with '*error' set if it is refused. */
static bool
get_route_type(uint8_t rtm_type, bool del, enum xf_route_type *type,
               enum xf_wire_error *error)
{
    *error = XF_WIRE_OK;
    switch (rtm_type) {
    case RTN_UNICAST:
        *type = XF_ROUTE_UNICAST;
        return true;
    case RTN_LOCAL:
    case RTN_BROADCAST:
    case RTN_ANYCAST:
        *type = XF_ROUTE_LOCAL;
        return true;
    case RTN_BLACKHOLE:
        *type = XF_ROUTE_BLACKHOLE;
        return true;
    case RTN_UNREACHABLE:
        *type = XF_ROUTE_UNREACHABLE;
        return true;
    case RTN_PROHIBIT:
        *type = XF_ROUTE_PROHIBIT;
        return true;
    case RTN_MULTICAST:
        return false;
    case RTN_UNSPEC:
        *type = XF_ROUTE_UNICAST;
        *error = del ? XF_WIRE_OK : XF_WIRE_E_RANGE;
        return del;
    default:
        *error = XF_WIRE_E_RANGE;
        return false;
    }
}

/* Appends the next hop described by 'attrs' to 'msg'. */
static enum xf_wire_error
add_nexthop(const struct xf_wire_attr *attrs, uint8_t family, uint32_t ifindex,
            unsigned int weight, struct xf_wire_msg *msg)
{
    if (msg->n_nexthops >= XF_NH_MAX) {
        return XF_WIRE_E_RANGE;
    }

    struct xf_nexthop *nh = &msg->nexthops[msg->n_nexthops];
    enum xf_wire_error error = check_encap(&attrs[RTA_ENCAP_TYPE],
                                           &attrs[RTA_ENCAP]);
    if (!error) {
        error = get_gateway(&attrs[RTA_GATEWAY], &attrs[RTA_VIA], family, nh);
    }
    if (error) {
        return error;
    }
    nh->ifindex = ifindex;
    nh->weight = weight;
    msg->n_nexthops++;
    return XF_WIRE_OK;
}

/* Decodes RTA_MULTIPATH; next hops that are down are checked and left out. */
static enum xf_wire_error
decode_multipath(const struct xf_wire_attr *multipath, uint8_t family,
                 struct xf_wire_msg *msg)
{
    const uint8_t *p = multipath->data;
    size_t size = multipath->size;

    if (!size) {
        return XF_WIRE_E_ATTR;
    }
    while (size) {
        struct xf_wire_attr attrs[N_RTA];
        struct rtnexthop rtnh;

        if (size < sizeof rtnh) {
            return XF_WIRE_E_TRUNCATED;
        }
        memcpy(&rtnh, p, sizeof rtnh);
        if (rtnh.rtnh_len < sizeof rtnh || rtnh.rtnh_len > size) {
            return XF_WIRE_E_TRUNCATED;
        }

        enum xf_wire_error error = xf_wire_parse_attrs(p + sizeof rtnh,
                                               rtnh.rtnh_len - sizeof rtnh,
                                               attrs, N_RTA);
        if (!error && rtnh.rtnh_ifindex <= 0) {
            error = XF_WIRE_E_RANGE;
        }
        if (!error) {
            error = add_nexthop(attrs, family, rtnh.rtnh_ifindex,
                                rtnh.rtnh_hops + 1, msg);
        }
        if (error) {
            return error;
        }
        if (rtnh.rtnh_flags & NH_UNUSABLE) {
            msg->n_nexthops--;
        }

        size_t step = MIN(ROUND_UP((size_t) rtnh.rtnh_len, RTNH_ALIGNTO),
                          size);
        p += step;
        size -= step;
    }
    return XF_WIRE_OK;
}

/* Decodes the next hops of a unicast route. */
static enum xf_wire_error
decode_route_nexthops(const struct rtmsg *rtm,
                      const struct xf_wire_attr *attrs,
                      struct xf_wire_msg *msg)
{
    enum xf_wire_error error;

    if (attrs[RTA_MULTIPATH].data) {
        if (attrs[RTA_GATEWAY].data || attrs[RTA_VIA].data) {
            return XF_WIRE_E_ATTR;
        }
        error = decode_multipath(&attrs[RTA_MULTIPATH], rtm->rtm_family, msg);
    } else if (attrs[RTA_OIF].data || !attrs[RTA_NH_ID].data) {
        uint32_t ifindex;

        error = xf_wire_get_ifindex(&attrs[RTA_OIF], &ifindex);
        if (!error) {
            error = add_nexthop(attrs, rtm->rtm_family, ifindex, 1, msg);
        }
        if (!error && rtm->rtm_flags & NH_UNUSABLE) {
            msg->n_nexthops--;
        }
    } else {
        error = check_encap(&attrs[RTA_ENCAP_TYPE], &attrs[RTA_ENCAP]);
    }
    if (error) {
        return error;
    }

    if (attrs[RTA_NH_ID].data) {
        /* The kernel's dumps give the group's resolution beside its id. */
        if (!xf_wire_get_u32(&attrs[RTA_NH_ID], &msg->route.nhid)) {
            return XF_WIRE_E_ATTR;
        }
        if (!msg->route.nhid) {
            return XF_WIRE_E_RANGE;
        }
        msg->n_nexthops = 0;
    } else if (!msg->n_nexthops) {
        msg->type = XF_WIRE_ROUTE_DEL;
        return XF_WIRE_OK;
    }
    msg->route.nexthops = msg->n_nexthops ? msg->nexthops : NULL;
    msg->route.n_nexthops = msg->n_nexthops;
    return XF_WIRE_OK;
}

/* Decodes the prefix of a route. */
static enum xf_wire_error
decode_route_prefix(const struct rtmsg *rtm, const struct xf_wire_attr *dst,
                    struct xf_prefix *prefix)
{
    if (rtm->rtm_dst_len > (rtm->rtm_family == AF_INET ? 32 : 128)) {
        return XF_WIRE_E_RANGE;
    }
    if (dst->data) {
        if (!xf_wire_get_addr(dst, rtm->rtm_family, &prefix->addr)
            || has_host_bits(&prefix->addr, rtm->rtm_dst_len)) {
            return XF_WIRE_E_ATTR;
        }
    } else if (rtm->rtm_dst_len) {
        return XF_WIRE_E_MISSING;
    } else if (rtm->rtm_family == AF_INET) {
        in6_addr_set_mapped_ipv4(&prefix->addr, 0);
    }
    prefix->len = rtm->rtm_dst_len;
    return XF_WIRE_OK;
}

/* Finds out whether a route is in a table that counts: main or local. */
static enum xf_wire_error
check_route_table(const struct rtmsg *rtm, const struct xf_wire_attr *attr,
                  bool *wanted)
{
    uint32_t table = rtm->rtm_table;

    if (attr->data && !xf_wire_get_u32(attr, &table)) {
        return XF_WIRE_E_ATTR;
    }
    *wanted = (table == RT_TABLE_UNSPEC || table == RT_TABLE_MAIN
               || table == RT_TABLE_LOCAL);
    return XF_WIRE_OK;
}

/* Decodes RTA_PRIORITY, whose absence is 0 in an addition and "any" in a
 * deletion. */
static enum xf_wire_error
decode_route_metric(const struct xf_wire_attr *attr, bool del,
                    uint32_t *metric)
{
    *metric = del ? UINT32_MAX : 0;
    if (attr->data && !xf_wire_get_u32(attr, metric)) {
        return XF_WIRE_E_ATTR;
    }
    return del || *metric != UINT32_MAX ? XF_WIRE_OK : XF_WIRE_E_RANGE;
}

static enum xf_wire_error
decode_route(const uint8_t *body, size_t size, bool del,
             struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[N_RTA];
    struct rtmsg rtm;

    enum xf_wire_error error = xf_wire_parse_body(body, size, &rtm, sizeof rtm,
                                                  attrs, N_RTA);
    if (error) {
        return error;
    }
    if (!xf_wire_family_is_ip(rtm.rtm_family)) {
        return (rtm.rtm_family == FAMILY_MPLS ? XF_WIRE_E_ENCAP
                : rtm.rtm_family == FAMILY_IPMR
                  || rtm.rtm_family == FAMILY_IP6MR ? XF_WIRE_OK
                : XF_WIRE_E_FAMILY);
    }

    bool wanted;
    error = check_route_table(&rtm, &attrs[RTA_TABLE], &wanted);
    if (error || !wanted || rtm.rtm_flags & RTM_F_CLONED) {
        return error;
    }
    if (!get_route_type(rtm.rtm_type, del, &msg->route.type, &error)) {
        return error;
    }
    if (rtm.rtm_tos || rtm.rtm_src_len) {
        return XF_WIRE_E_RANGE;
    }

    error = decode_route_prefix(&rtm, &attrs[RTA_DST], &msg->route.prefix);
    if (!error) {
        error = decode_route_metric(&attrs[RTA_PRIORITY], del,
                                    &msg->route.metric);
    }
    if (error) {
        return error;
    }
    msg->type = del ? XF_WIRE_ROUTE_DEL : XF_WIRE_ROUTE_ADD;
    msg->route.protocol = rtm.rtm_protocol;
    if (del || msg->route.type != XF_ROUTE_UNICAST) {
        return XF_WIRE_OK;
    }
    return decode_route_nexthops(&rtm, attrs, msg);
}

/* ---- Next-hop objects. ---- */

static enum xf_wire_error
decode_nexthop_group(const struct xf_wire_attr *attrs, struct xf_wire_msg *msg)
{
    const struct xf_wire_attr *group = &attrs[NHA_GROUP];
    const struct xf_wire_attr *type = &attrs[NHA_GROUP_TYPE];
    struct nexthop_grp grp;

    if (attrs[NHA_OIF].data || attrs[NHA_GATEWAY].data
        || attrs[NHA_BLACKHOLE].data || !group->size
        || group->size % sizeof grp) {
        return XF_WIRE_E_ATTR;
    }
    if (type->data) {
        uint16_t value;

        if (type->size != sizeof value) {
            return XF_WIRE_E_ATTR;
        }
        memcpy(&value, type->data, sizeof value);
        if (value > NEXTHOP_GRP_TYPE_MAX) {
            return XF_WIRE_E_RANGE;
        }
    }
    if (group->size / sizeof grp > XF_NH_MAX) {
        return XF_WIRE_E_RANGE;
    }

    for (size_t ofs = 0; ofs < group->size; ofs += sizeof grp) {
        memcpy(&grp, group->data + ofs, sizeof grp);
        if (!grp.id || grp.id == msg->nexthop_id) {
            return XF_WIRE_E_RANGE;
        }
        msg->members[msg->n_members].id = grp.id;
        msg->members[msg->n_members].weight = grp.weight + 1;
        msg->n_members++;
    }
    msg->type = XF_WIRE_NEXTHOP_GROUP_ADD;
    return XF_WIRE_OK;
}

/* Decodes the object of a single next hop. */
static enum xf_wire_error
decode_nexthop_single(const struct nhmsg *nhm,
                      const struct xf_wire_attr *attrs,
                      struct xf_wire_msg *msg)
{
    static const struct xf_wire_attr no_via;
    struct xf_nexthop *nh = &msg->nexthops[0];

    msg->type = XF_WIRE_NEXTHOP_ADD;
    if (attrs[NHA_BLACKHOLE].data) {
        if (attrs[NHA_BLACKHOLE].size || attrs[NHA_OIF].data
            || attrs[NHA_GATEWAY].data) {
            return XF_WIRE_E_ATTR;
        }
        msg->blackhole = true;
        return XF_WIRE_OK;
    }
    if (!xf_wire_family_is_ip(nhm->nh_family)) {
        return XF_WIRE_E_FAMILY;
    }

    enum xf_wire_error error = check_encap(&attrs[NHA_ENCAP_TYPE],
                                           &attrs[NHA_ENCAP]);
    if (!error) {
        error = xf_wire_get_ifindex(&attrs[NHA_OIF], &nh->ifindex);
    }
    if (!error) {
        error = get_gateway(&attrs[NHA_GATEWAY], &no_via, nhm->nh_family, nh);
    }
    if (error) {
        return error;
    }
    nh->weight = 1;
    if (nhm->nh_flags & NH_UNUSABLE) {
        msg->type = XF_WIRE_NEXTHOP_DEL;
    } else {
        msg->n_nexthops = 1;
    }
    return XF_WIRE_OK;
}

static enum xf_wire_error
decode_nexthop(const uint8_t *body, size_t size, bool del,
               struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[N_NHA];
    struct nhmsg nhm;

    enum xf_wire_error error = xf_wire_parse_body(body, size, &nhm, sizeof nhm,
                                                  attrs, N_NHA);
    if (error) {
        return error;
    }
    if (nhm.nh_family != AF_UNSPEC && !xf_wire_family_is_ip(nhm.nh_family)) {
        return nhm.nh_family == FAMILY_MPLS ? XF_WIRE_E_ENCAP
                                            : XF_WIRE_E_FAMILY;
    }
    if (attrs[NHA_FDB].data) {
        return XF_WIRE_OK;
    }
    if (!attrs[NHA_ID].data) {
        return XF_WIRE_E_MISSING;
    }
    if (!xf_wire_get_u32(&attrs[NHA_ID], &msg->nexthop_id)) {
        return XF_WIRE_E_ATTR;
    }
    if (!msg->nexthop_id) {
        return XF_WIRE_E_RANGE;
    }
    if (del) {
        msg->type = XF_WIRE_NEXTHOP_DEL;
        return XF_WIRE_OK;
    }
    return attrs[NHA_GROUP].data ? decode_nexthop_group(attrs, msg)
                                 : decode_nexthop_single(&nhm, attrs, msg);
}
