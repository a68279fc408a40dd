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


/* Wire protocol, encoder and names (the decoder is in wire.c).
 *
 * What is encoded decodes to an equal message.  Routes of type local go to the
 * kernel's local table, all others to its main table, as the kernel has
 * them. */

#include <config.h>
#include "core/wire.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "core/wire-put.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

static uint8_t
addr_family(const struct in6_addr *addr)
{
    return xf_addr_is_v4(addr) ? AF_INET : AF_INET6;
}

/* Stores the address in '*data' and '*size' in its family's own form. */
static void
addr_bytes(const struct in6_addr *addr, const void **data, size_t *size)
{
    if (xf_addr_is_v4(addr)) {
        *data = &addr->s6_addr[XF_V4_OFS / 8];
        *size = sizeof(ovs_be32);
    } else {
        *data = addr;
        *size = sizeof *addr;
    }
}

static void
put_addr(struct xf_wire_writer *w, uint16_t type, const struct in6_addr *addr)
{
    const void *data;
    size_t size;

    addr_bytes(addr, &data, &size);
    xf_wire_put_attr(w, type, data, size);
}

/* Appends the gateway of a route of 'family', as RTA_VIA where the families
 * differ. */
static void
put_gateway(struct xf_wire_writer *w, const struct in6_addr *gateway,
            uint8_t family)
{
    uint16_t gateway_family = addr_family(gateway);

    if (IN6_IS_ADDR_UNSPECIFIED(gateway)) {
        return;
    }
    if (gateway_family == family) {
        put_addr(w, RTA_GATEWAY, gateway);
        return;
    }

    uint8_t via[sizeof gateway_family + sizeof *gateway];
    const void *data;
    size_t size;

    addr_bytes(gateway, &data, &size);
    memcpy(via, &gateway_family, sizeof gateway_family);
    memcpy(via + sizeof gateway_family, data, size);
    xf_wire_put_attr(w, RTA_VIA, via, sizeof gateway_family + size);
}

static void
put_multipath(struct xf_wire_writer *w, const struct xf_route_spec *route,
              uint8_t family)
{
    size_t outer = xf_wire_put_attr(w, RTA_MULTIPATH, NULL, 0);

    for (size_t i = 0; i < route->n_nexthops; i++) {
        const struct xf_nexthop *nh = &route->nexthops[i];
        struct rtnexthop rtnh = {
            .rtnh_hops = nh->weight - 1,
            .rtnh_ifindex = nh->ifindex,
        };
        size_t inner = xf_wire_put(w, &rtnh, sizeof rtnh);

        put_gateway(w, &nh->gateway, family);
        xf_wire_set_length(w, inner);
    }
    xf_wire_set_length(w, outer);
}

static uint8_t
route_type_to_rtm(enum xf_route_type type)
{
    switch (type) {
    case XF_ROUTE_UNICAST:
        return RTN_UNICAST;
    case XF_ROUTE_LOCAL:
        return RTN_LOCAL;
    case XF_ROUTE_BLACKHOLE:
        return RTN_BLACKHOLE;
    case XF_ROUTE_UNREACHABLE:
        return RTN_UNREACHABLE;
    case XF_ROUTE_PROHIBIT:
        return RTN_PROHIBIT;
    default:
        return RTN_UNSPEC;
    }
}

static bool
put_route(struct xf_wire_writer *w, const struct xf_wire_msg *msg)
{
    const struct xf_route_spec *route = &msg->route;
    uint8_t family = addr_family(&route->prefix.addr);
    bool del = msg->type == XF_WIRE_ROUTE_DEL;
    struct rtmsg rtm = {
        .rtm_family = family,
        .rtm_dst_len = route->prefix.len,
        .rtm_table = (route->type == XF_ROUTE_LOCAL ? RT_TABLE_LOCAL
                      : RT_TABLE_MAIN),
        .rtm_protocol = route->protocol,
        .rtm_type = route_type_to_rtm(route->type),
    };

    if (rtm.rtm_type == RTN_UNSPEC || route->n_nexthops > XF_NH_MAX) {
        return false;
    }
    xf_wire_put(w, &rtm, sizeof rtm);
    if (route->prefix.len) {
        put_addr(w, RTA_DST, &route->prefix.addr);
    }
    if (route->metric != (del ? UINT32_MAX : 0)) {
        xf_wire_put_u32(w, RTA_PRIORITY, route->metric);
    }
    if (del || route->type != XF_ROUTE_UNICAST) {
        return true;
    }
    if (route->nhid) {
        xf_wire_put_u32(w, RTA_NH_ID, route->nhid);
    } else if (route->n_nexthops == 1 && route->nexthops[0].weight == 1) {
        put_gateway(w, &route->nexthops[0].gateway, family);
        xf_wire_put_u32(w, RTA_OIF, route->nexthops[0].ifindex);
    } else {
        put_multipath(w, route, family);
    }
    return route->nhid || route->n_nexthops;
}

static bool
put_nexthop(struct xf_wire_writer *w, const struct xf_wire_msg *msg)
{
    const struct xf_nexthop *nh = &msg->nexthops[0];
    bool single = msg->type == XF_WIRE_NEXTHOP_ADD && !msg->blackhole;
    bool has_gateway = single && !IN6_IS_ADDR_UNSPECIFIED(&nh->gateway);
    struct nhmsg nhm = {
        .nh_family = (msg->type == XF_WIRE_NEXTHOP_ADD
                      ? (has_gateway ? addr_family(&nh->gateway) : AF_INET)
                      : AF_UNSPEC),
        .nh_protocol = RTPROT_ZEBRA,
    };

    xf_wire_put(w, &nhm, sizeof nhm);
    xf_wire_put_u32(w, NHA_ID, msg->nexthop_id);
    if (msg->type == XF_WIRE_NEXTHOP_GROUP_ADD) {
        size_t ofs = xf_wire_put_attr(w, NHA_GROUP, NULL, 0);

        for (size_t i = 0; i < msg->n_members; i++) {
            struct nexthop_grp grp = {
                .id = msg->members[i].id,
                .weight = msg->members[i].weight - 1,
            };
            xf_wire_put(w, &grp, sizeof grp);
        }
        xf_wire_set_length(w, ofs);
        return msg->n_members > 0 && msg->n_members <= XF_NH_MAX;
    } else if (single) {
        if (has_gateway) {
            put_addr(w, NHA_GATEWAY, &nh->gateway);
        }
        xf_wire_put_u32(w, NHA_OIF, nh->ifindex);
        return msg->n_nexthops == 1;
    } else if (msg->type == XF_WIRE_NEXTHOP_ADD) {
        xf_wire_put_attr(w, NHA_BLACKHOLE, NULL, 0);
    }
    return true;
}

static bool
put_neigh(struct xf_wire_writer *w, const struct xf_wire_msg *msg)
{
    bool add = msg->type == XF_WIRE_NEIGH_ADD;
    struct ndmsg ndm = {
        .ndm_family = addr_family(&msg->ip),
        .ndm_ifindex = msg->ifindex,
        .ndm_state = (!add ? NUD_NONE
                      : msg->permanent ? NUD_PERMANENT : NUD_REACHABLE),
    };

    xf_wire_put(w, &ndm, sizeof ndm);
    put_addr(w, NDA_DST, &msg->ip);
    if (add) {
        xf_wire_put_attr(w, NDA_LLADDR, &msg->mac, sizeof msg->mac);
    }
    return true;
}

static bool
put_ifaddr(struct xf_wire_writer *w, const struct xf_wire_msg *msg)
{
    struct ifaddrmsg ifa = {
        .ifa_family = addr_family(&msg->ip),
        .ifa_prefixlen = msg->prefix_len,
        .ifa_flags = msg->temporary ? 0 : IFA_F_PERMANENT,
        .ifa_index = msg->ifindex,
    };

    xf_wire_put(w, &ifa, sizeof ifa);
    put_addr(w, IFA_ADDRESS, &msg->ip);
    if (ifa.ifa_family == AF_INET) {
        put_addr(w, IFA_LOCAL, &msg->ip);
    }
    return true;
}

static bool
put_link(struct xf_wire_writer *w, const struct xf_wire_msg *msg)
{
    struct ifinfomsg ifi = {
        .ifi_type = ARPHRD_ETHER,
        .ifi_index = msg->ifindex,
        .ifi_flags = msg->up ? IFF_UP | IFF_RUNNING : 0,
    };

    xf_wire_put(w, &ifi, sizeof ifi);
    if (!eth_addr_is_zero(msg->mac)) {
        xf_wire_put_attr(w, IFLA_ADDRESS, &msg->mac, sizeof msg->mac);
    }
    if (msg->ifname[0]) {
        xf_wire_put_attr(w, IFLA_IFNAME, msg->ifname,
                 strnlen(msg->ifname, sizeof msg->ifname - 1) + 1);
    }
    if (msg->mtu) {
        xf_wire_put_u32(w, IFLA_MTU, msg->mtu);
    }
    return true;
}

/* nlmsg_type of each enum xf_wire_type, and how its body is written. */
static const struct kind {
    const char *name;
    uint16_t nlmsg_type;        /* 0: not encoded here. */
    bool new;                   /* RTM_NEW*: NLM_F_CREATE, may replace. */
    bool (*put_body)(struct xf_wire_writer *, const struct xf_wire_msg *);
} kinds[] = {
    [XF_WIRE_ROUTE_ADD] = { "route-add", RTM_NEWROUTE, true, put_route },
    [XF_WIRE_ROUTE_DEL] = { "route-del", RTM_DELROUTE, false, put_route },
    [XF_WIRE_NEXTHOP_ADD] = { "nexthop-add", RTM_NEWNEXTHOP, true,
                              put_nexthop },
    [XF_WIRE_NEXTHOP_GROUP_ADD] = { "nexthop-group-add", RTM_NEWNEXTHOP, true,
                                    put_nexthop },
    [XF_WIRE_NEXTHOP_DEL] = { "nexthop-del", RTM_DELNEXTHOP, false,
                              put_nexthop },
    [XF_WIRE_NEIGH_ADD] = { "neigh-add", RTM_NEWNEIGH, true, put_neigh },
    [XF_WIRE_NEIGH_DEL] = { "neigh-del", RTM_DELNEIGH, false, put_neigh },
    [XF_WIRE_ADDR_ADD] = { "addr-add", RTM_NEWADDR, true, put_ifaddr },
    [XF_WIRE_ADDR_DEL] = { "addr-del", RTM_DELADDR, false, put_ifaddr },
    [XF_WIRE_LINK_ADD] = { "link-add", RTM_NEWLINK, true, put_link },
    [XF_WIRE_LINK_DEL] = { "link-del", RTM_DELLINK, false, put_link },
    [XF_WIRE_END] = { "end", NLMSG_DONE, false, NULL },
    [XF_WIRE_NEIGH_USE] = { "neigh-use", 0, false, NULL },
    [XF_WIRE_HELLO] = { "hello", 0, false, NULL },
    [XF_WIRE_LOAD] = { "load", 0, false, NULL },
    [XF_WIRE_RESYNC] = { "resync", 0, false, NULL },
    [XF_WIRE_COPY] = { "copy", 0, false, NULL },
    [XF_WIRE_COUNTS] = { "counts", 0, false, NULL },
    [XF_WIRE_IGNORED] = { "ignored", 0, false, NULL },
};

const char *
xf_wire_type_name(enum xf_wire_type type)
{
    return (size_t) type < ARRAY_SIZE(kinds) ? kinds[type].name : "<unknown>";
}

const char *
xf_wire_error_name(enum xf_wire_error error)
{
    switch (error) {
    case XF_WIRE_OK: return "ok";
#define XF_WIRE_ERROR(ENUM, NAME) case XF_WIRE_E_##ENUM: return NAME;
    XF_WIRE_ERRORS
#undef XF_WIRE_ERROR
    case XF_N_WIRE_ERRORS:
    default: return "<unknown>";
    }
}

size_t
xf_wire_encode(const struct xf_wire_msg *msg, void *buffer, size_t capacity)
{
    if ((size_t) msg->type >= ARRAY_SIZE(kinds)
        || !kinds[msg->type].nlmsg_type) {
        return 0;
    }

    const struct kind *kind = &kinds[msg->type];
    struct nlmsghdr nlh = {
        .nlmsg_type = kind->nlmsg_type,
        .nlmsg_flags = (NLM_F_REQUEST
                        | (kind->new ? NLM_F_CREATE : 0)
                        | (kind->new && msg->replace ? NLM_F_REPLACE : 0)
                        | (msg->ack ? NLM_F_ACK : 0)),
        .nlmsg_seq = msg->seq,
        .nlmsg_pid = msg->pid,
    };
    struct xf_wire_writer w;

    xf_wire_start_frame(&w, buffer, capacity, &nlh);
    if (kind->put_body && !kind->put_body(&w, msg)) {
        return 0;
    }
    return xf_wire_finish_frame(&w);
}

/* ---- Acknowledgements. ---- */

size_t
xf_wire_encode_ack(uint32_t seq, uint32_t pid, uint16_t nlmsg_type, int error,
                   void *buffer, size_t capacity)
{
    struct nlmsghdr nlh = {
        .nlmsg_type = NLMSG_ERROR,
        .nlmsg_flags = NLM_F_CAPPED,
        .nlmsg_seq = seq,
        .nlmsg_pid = pid,
    };
    struct nlmsgerr err = {
        .error = -error,
        .msg = {
            .nlmsg_len = sizeof err.msg,
            .nlmsg_type = nlmsg_type,
            .nlmsg_flags = NLM_F_ACK,
            .nlmsg_seq = seq,
            .nlmsg_pid = pid,
        },
    };
    struct xf_wire_writer w;

    xf_wire_start_frame(&w, buffer, capacity, &nlh);
    xf_wire_put(&w, &err, sizeof err);
    return xf_wire_finish_frame(&w);
}

bool
xf_wire_decode_ack(const void *frame, size_t size, uint32_t *seq, int *error)
{
    const size_t need = (XF_WIRE_HEADER_SIZE + sizeof(struct nlmsghdr)
                         + sizeof(struct nlmsgerr));
    int frame_size = xf_wire_frame_size(frame, size);
    struct nlmsghdr nlh;
    struct nlmsgerr err;

    if (frame_size < 0 || (size_t) frame_size != size || size < need) {
        return false;
    }
    memcpy(&nlh, (const uint8_t *) frame + XF_WIRE_HEADER_SIZE, sizeof nlh);
    memcpy(&err, (const uint8_t *) frame + XF_WIRE_HEADER_SIZE + sizeof nlh,
           sizeof err);
    if (nlh.nlmsg_type != NLMSG_ERROR
        || nlh.nlmsg_len < sizeof nlh + sizeof err
        || nlh.nlmsg_len > size - XF_WIRE_HEADER_SIZE
        || err.error > 0 || err.error == INT32_MIN) {
        return false;
    }
    *seq = nlh.nlmsg_seq;
    *error = -err.error;
    return true;
}

/* ---- Text. ---- */

static void
format_prefix(const struct in6_addr *addr, uint8_t len, struct ds *s)
{
    char buf[INET6_ADDRSTRLEN];

    ds_put_format(s, "%s/%"PRIu8, xf_addr_string(buf, addr), len);
}

static void
format_nexthops(const struct xf_nexthop *nexthops, size_t n, struct ds *s)
{
    for (size_t i = 0; i < n; i++) {
        const struct xf_nexthop *nh = &nexthops[i];

        if (!IN6_IS_ADDR_UNSPECIFIED(&nh->gateway)) {
            ds_put_cstr(s, " via ");
            ipv6_format_mapped(&nh->gateway, s);
        } else {
            ds_put_cstr(s, " direct");
        }
        ds_put_format(s, " ifindex %"PRIu32" weight %"PRIu16, nh->ifindex,
                      nh->weight);
    }
}

static void
format_route(const struct xf_wire_msg *msg, struct ds *s)
{
    const struct xf_route_spec *route = &msg->route;

    ds_put_char(s, ' ');
    format_prefix(&route->prefix.addr, route->prefix.len, s);
    if (msg->type == XF_WIRE_ROUTE_DEL) {
        if (route->metric != UINT32_MAX) {
            ds_put_format(s, " metric %"PRIu32, route->metric);
        }
        return;
    }
    ds_put_format(s, " %s proto %"PRIu8" metric %"PRIu32,
                  xf_route_type_name(route->type), route->protocol,
                  route->metric);
    if (route->nhid) {
        ds_put_format(s, " nhid %"PRIu32, route->nhid);
    }
    format_nexthops(route->nexthops, route->n_nexthops, s);
}

static void
format_nexthop(const struct xf_wire_msg *msg, struct ds *s)
{
    ds_put_format(s, " %"PRIu32, msg->nexthop_id);
    if (msg->blackhole) {
        ds_put_cstr(s, " blackhole");
    }
    format_nexthops(msg->nexthops, msg->n_nexthops, s);
    for (size_t i = 0; i < msg->n_members; i++) {
        ds_put_format(s, " member %"PRIu32" weight %"PRIu16,
                      msg->members[i].id, msg->members[i].weight);
    }
}

static void
format_link(const struct xf_wire_msg *msg, struct ds *s)
{
    ds_put_format(s, " ifindex %"PRIu32, msg->ifindex);
    if (msg->ifname[0]) {
        ds_put_format(s, " name %s", msg->ifname);
    }
    if (!eth_addr_is_zero(msg->mac)) {
        ds_put_format(s, " mac "ETH_ADDR_FMT, ETH_ADDR_ARGS(msg->mac));
    }
    if (msg->mtu) {
        ds_put_format(s, " mtu %"PRIu32, msg->mtu);
    }
    if (msg->type == XF_WIRE_LINK_ADD) {
        ds_put_cstr(s, msg->up ? " up" : " down");
    }
}

/* Formats what follows the name of the type. */
static void
format_body(const struct xf_wire_msg *msg, struct ds *s)
{
    switch (msg->type) {
    case XF_WIRE_ROUTE_ADD:
    case XF_WIRE_ROUTE_DEL:
        format_route(msg, s);
        break;
    case XF_WIRE_NEXTHOP_ADD:
    case XF_WIRE_NEXTHOP_GROUP_ADD:
    case XF_WIRE_NEXTHOP_DEL:
        format_nexthop(msg, s);
        break;
    case XF_WIRE_NEIGH_ADD:
    case XF_WIRE_NEIGH_DEL:
        ds_put_char(s, ' ');
        ipv6_format_mapped(&msg->ip, s);
        ds_put_format(s, " ifindex %"PRIu32, msg->ifindex);
        if (msg->type == XF_WIRE_NEIGH_ADD) {
            ds_put_format(s, " mac "ETH_ADDR_FMT, ETH_ADDR_ARGS(msg->mac));
        }
        ds_put_cstr(s, msg->permanent ? " permanent" : "");
        break;
    case XF_WIRE_ADDR_ADD:
    case XF_WIRE_ADDR_DEL:
        ds_put_char(s, ' ');
        format_prefix(&msg->ip, msg->prefix_len, s);
        ds_put_format(s, " ifindex %"PRIu32, msg->ifindex);
        break;
    case XF_WIRE_LINK_ADD:
    case XF_WIRE_LINK_DEL:
        format_link(msg, s);
        break;
    case XF_WIRE_NEIGH_USE:
        ds_put_char(s, ' ');
        ipv6_format_mapped(&msg->ip, s);
        ds_put_format(s, " ifindex %"PRIu32, msg->ifindex);
        break;
    case XF_WIRE_HELLO:
        ds_put_format(s, " %s", msg->ifname);
        break;
    case XF_WIRE_IGNORED:
        ds_put_format(s, " type %"PRIu16, msg->nlmsg_type);
        break;
    case XF_WIRE_END:
    case XF_WIRE_LOAD:
    case XF_WIRE_RESYNC:
    case XF_WIRE_COPY:
    case XF_WIRE_COUNTS:
    default:
        break;
    }
}

char *
xf_wire_msg_to_string(const struct xf_wire_msg *msg)
{
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_cstr(&s, xf_wire_type_name(msg->type));
    format_body(msg, &s);
    if (msg->replace) {
        ds_put_cstr(&s, " replace");
    }
    if (msg->ack) {
        ds_put_format(&s, " ack seq %"PRIu32, msg->seq);
    }
    return ds_steal_cstr(&s);
}
