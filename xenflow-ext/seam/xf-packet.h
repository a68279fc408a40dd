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

#ifndef XF_PACKET_H
#define XF_PACKET_H 1

/* Checks and rewriting of packets that are routed: for each packet, hence
 * inline.  What is read of a packet once is kept beside it: its bytes are
 * written meanwhile, and the compiler would read all of it again. */

#include <netinet/in.h>
#include <netinet/ip6.h>

#include "dp-packet.h"
#include "packets.h"
#include "unaligned.h"
#include "xenflow/types.h"

/* What megaflows behind a router tell apart in packets of one way. */
enum xf_packet_kind {
    XF_IPV6,                    /* Without extension headers. */
    XF_IPV4,                    /* Whole packets. */
    XF_OTHER                    /* Fragments, or perhaps so. */
};

/* A packet and what was read of it. */
struct xf_packet {
    struct dp_packet *packet;
    uint8_t *l2;                /* The frame, */
    uint8_t *l3;                /* and in it the IP header. */
    uint32_t n_bytes;           /* Of the frame. */
    uint32_t ip_len;            /* Bytes to compare with an MTU: 0 if it will be
                                 * cut to size on output. */
    uint16_t tcp_flags;         /* 0: none, or behind options or extension
                                 * headers. */
    uint8_t family;             /* 4 or 6 by the type of the frame, 0 if it isn't
                                 * so far whole that its destination can be
                                 * looked up, as in miniflow_extract(). */
    uint8_t fault;              /* enum xf_punt_reason: why it can't be
                                 * forwarded; XF_N_PUNT_REASONS: it can. */
    uint8_t kind;               /* enum xf_packet_kind, if 'family'. */

    /* Of bursts (seam/xf-fwd.h). */
    uint8_t group;
    struct xf_adj *adj;
};

/* The TCP flags of an IP packet of 'size' bytes whose header without options
 * has 'hdr_len' and says that 'proto' follows. */
static inline uint16_t
xf_tcp_flags(const uint8_t *l3, size_t size, size_t hdr_len, uint8_t proto)
{
    const struct tcp_header *tcp
        = ALIGNED_CAST(const struct tcp_header *, l3 + hdr_len);

    return (proto == IPPROTO_TCP && size >= hdr_len + TCP_HEADER_LEN
            ? ntohs(TCP_FLAGS_BE16(tcp->tcp_ctl)) : 0);
}

static inline uint8_t
xf_ipv4_fault(const struct ip_header *ip)
{
    uint8_t src = ((const uint8_t *) &ip->ip_src)[0];

    /* The version must be the one by which the packet is looked up. */
    return (IP_VER(ip->ip_ihl_ver) != 4 ? XF_PUNT_MALFORMED
            : IP_IHL(ip->ip_ihl_ver) > 5 ? XF_PUNT_OPTIONS
            : src == 0 || src == 127 || src >= 224
            ? XF_PUNT_MARTIAN   /* RFC 1812 5.3.7. */
            : ip->ip_ttl <= 1 ? XF_PUNT_TTL : XF_N_PUNT_REASONS);
}

static inline uint8_t
xf_ipv6_fault(const struct ovs_16aligned_ip6_hdr *ip6)
{
    struct in6_addr src;

    memcpy(&src, &ip6->ip6_src, sizeof src);
    return (((const uint8_t *) ip6)[0] >> 4 != 6 ? XF_PUNT_MALFORMED
            : ip6->ip6_nxt == 0 ? XF_PUNT_HOP_BY_HOP
            : IN6_IS_ADDR_MULTICAST(&src) || IN6_IS_ADDR_LINKLOCAL(&src)
              || IN6_IS_ADDR_UNSPECIFIED(&src) || IN6_IS_ADDR_LOOPBACK(&src)
              || IN6_IS_ADDR_V4MAPPED(&src)
            ? XF_PUNT_MARTIAN   /* RFC 4291 2.5.6, 2.7. */
            : ip6->ip6_hlim <= 1 ? XF_PUNT_TTL : XF_N_PUNT_REASONS);
}

/* Reads the IP header of 'p', whose 'packet', 'l2', 'l3' and 'n_bytes' are known.
 * Its frame is of 'type' and ends, but for padding, 'size' bytes after the
 * header begins. */
static inline void
xf_packet_read_ip(struct xf_packet *p, ovs_be16 type, size_t size)
{
    size_t ip_len;

    p->family = 0;
    p->fault = XF_PUNT_MALFORMED;
    if (type == htons(ETH_TYPE_IP)) {
        const struct ip_header *ip
            = ALIGNED_CAST(const struct ip_header *, p->l3);
        size_t ihl;

        if (size < IP_HEADER_LEN) {
            return;
        }
        ihl = IP_IHL(ip->ip_ihl_ver) * 4;
        ip_len = ntohs(ip->ip_tot_len);
        if (ihl < IP_HEADER_LEN || ip_len < ihl || ip_len > size) {
            return;
        }
        p->family = 4;
        p->fault = xf_ipv4_fault(ip);
        p->kind = IP_IS_FRAGMENT(ip->ip_frag_off) ? XF_OTHER : XF_IPV4;
        p->tcp_flags = xf_tcp_flags(p->l3, size, IP_HEADER_LEN, ip->ip_proto);
    } else if (type == htons(ETH_TYPE_IPV6)) {
        const struct ovs_16aligned_ip6_hdr *ip6
            = ALIGNED_CAST(const struct ovs_16aligned_ip6_hdr *, p->l3);
        uint8_t proto;

        if (size < IPV6_HEADER_LEN) {
            return;
        }
        ip_len = IPV6_HEADER_LEN + ntohs(ip6->ip6_plen);
        if (ip_len > size) {
            return;
        }
        proto = ip6->ip6_nxt;
        p->family = 6;
        p->fault = xf_ipv6_fault(ip6);
        p->kind = (proto == IPPROTO_TCP || proto == IPPROTO_UDP
                   || proto == IPPROTO_ICMPV6 ? XF_IPV6 : XF_OTHER);
        p->tcp_flags = xf_tcp_flags(p->l3, size, IPV6_HEADER_LEN, proto);
    } else {
        p->fault = XF_PUNT_NON_IP;
        return;
    }
    p->ip_len = dp_packet_hwol_is_tso(p->packet) ? 0 : ip_len;
}

/* Reads 'packet', whose offsets are known, into 'p'. */
static inline void
xf_packet_read(struct xf_packet *p, struct dp_packet *packet)
{
    size_t pad = dp_packet_l2_pad_size(packet);
    size_t l2_size;

    p->packet = packet;
    p->l2 = dp_packet_data(packet);
    p->l3 = dp_packet_l3(packet);
    p->n_bytes = dp_packet_size(packet);
    p->family = 0;
    p->fault = XF_PUNT_MALFORMED;
    if (!p->l3 || !dp_packet_is_eth(packet)) {
        return;
    }
    l2_size = p->l3 - p->l2;
    if (l2_size + pad >= p->n_bytes) {
        return;
    }
    if (l2_size > VLAN_ETH_HEADER_LEN) {
        /* A second VLAN header, whose absence no megaflow can match, or
         * IEEE 802.2 SNAP. */
        p->fault = XF_PUNT_NON_IP;
        return;
    }
    xf_packet_read_ip(p, get_unaligned_be16(ALIGNED_CAST(const ovs_be16 *,
                                                         p->l3 - 2)),
                      p->n_bytes - l2_size - pad);
}

/* Why 'p' can't be forwarded where the MTU is 'mtu', or XF_N_PUNT_REASONS. */
static inline uint8_t
xf_packet_fault(const struct xf_packet *p, uint16_t mtu)
{
    return (p->fault == XF_N_PUNT_REASONS && p->ip_len > mtu
            ? XF_PUNT_TOO_BIG : p->fault);
}

/* Gives 'p', which has no fault, new MACs and its next TTL. */
static inline void
xf_packet_rewrite(const struct xf_packet *p, struct eth_addr src,
                  struct eth_addr dst)
{
    struct eth_header *eth = ALIGNED_CAST(struct eth_header *, p->l2);

    eth->eth_dst = dst;
    eth->eth_src = src;
    if (p->family == 4) {
        struct ip_header *ip = ALIGNED_CAST(struct ip_header *, p->l3);

        /* RFC 1624, equation 3: ~m + m' is 0xfeff for the 16 bits whose first
         * byte is the TTL. */
        uint32_t sum = (0xffff ^ ntohs(ip->ip_csum)) + 0xfeff;

        ip->ip_csum = htons(0xffff ^ ((sum & 0xffff) + (sum >> 16)));
        ip->ip_ttl--;
    } else {
        struct ovs_16aligned_ip6_hdr *ip6
            = ALIGNED_CAST(struct ovs_16aligned_ip6_hdr *, p->l3);

        ip6->ip6_hlim--;
    }
}

#endif /* seam/xf-packet.h */
