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
 * inline. */

#include <netinet/in.h>
#include <netinet/ip6.h>

#include "dp-packet.h"
#include "packets.h"
#include "unaligned.h"
#include "xenflow/types.h"

/* 4 or 6 if 'packet' is so far whole that its destination can be looked up, as
 * in miniflow_extract(); else 0, and '*reason' says why. */
static inline int
xf_packet_family(const struct dp_packet *packet, enum xf_punt_reason *reason)
{
    const uint8_t *l3 = dp_packet_l3(packet);
    size_t size = dp_packet_l3_size(packet);

    *reason = XF_PUNT_MALFORMED;
    if (!l3 || !size || !dp_packet_is_eth(packet)) {
        return 0;
    }
    if (l3 - (const uint8_t *) dp_packet_data(packet) > VLAN_ETH_HEADER_LEN) {
        *reason = XF_PUNT_NON_IP;
        return 0;
    }

    ovs_be16 type = get_unaligned_be16(ALIGNED_CAST(const ovs_be16 *, l3 - 2));
    if (type == htons(ETH_TYPE_IP)) {
        const struct ip_header *ip = dp_packet_l3(packet);
        size_t ihl = IP_IHL(ip->ip_ihl_ver) * 4;

        return (size >= IP_HEADER_LEN && ihl >= IP_HEADER_LEN
                && ntohs(ip->ip_tot_len) >= ihl
                && ntohs(ip->ip_tot_len) <= size ? 4 : 0);
    } else if (type == htons(ETH_TYPE_IPV6)) {
        const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);

        return (size >= IPV6_HEADER_LEN
                && IPV6_HEADER_LEN + ntohs(ip6->ip6_plen) <= size ? 6 : 0);
    }
    *reason = XF_PUNT_NON_IP;
    return 0;
}

static inline bool
xf_check_ipv4(const struct ip_header *ip, size_t size, uint16_t mtu,
              enum xf_punt_reason *reason)
{
    if (size < IP_HEADER_LEN || IP_IHL(ip->ip_ihl_ver) < 5) {
        *reason = XF_PUNT_MALFORMED;
        return false;
    }

    size_t tot_len = ntohs(ip->ip_tot_len);
    uint8_t src = ((const uint8_t *) &ip->ip_src)[0];

    if (tot_len < IP_HEADER_LEN || tot_len > size) {
        *reason = XF_PUNT_MALFORMED;
    } else if (IP_IHL(ip->ip_ihl_ver) > 5) {
        *reason = XF_PUNT_OPTIONS;
    } else if (src == 0 || src == 127 || src >= 224) {
        *reason = XF_PUNT_MARTIAN;      /* RFC 1812 5.3.7. */
    } else if (ip->ip_ttl <= 1) {
        *reason = XF_PUNT_TTL;
    } else if (tot_len > mtu) {
        *reason = XF_PUNT_TOO_BIG;
    } else {
        return true;
    }
    return false;
}

static inline bool
xf_check_ipv6(const struct ovs_16aligned_ip6_hdr *ip6, size_t size,
              uint16_t mtu, enum xf_punt_reason *reason)
{
    if (size < IPV6_HEADER_LEN) {
        *reason = XF_PUNT_MALFORMED;
        return false;
    }

    size_t tot_len = IPV6_HEADER_LEN + ntohs(ip6->ip6_plen);
    struct in6_addr src;

    memcpy(&src, &ip6->ip6_src, sizeof src);
    if (tot_len > size) {
        *reason = XF_PUNT_MALFORMED;
    } else if (ip6->ip6_nxt == 0) {
        *reason = XF_PUNT_HOP_BY_HOP;
    } else if (IN6_IS_ADDR_MULTICAST(&src) || IN6_IS_ADDR_LINKLOCAL(&src)
               || IN6_IS_ADDR_UNSPECIFIED(&src) || IN6_IS_ADDR_LOOPBACK(&src)
               || IN6_IS_ADDR_V4MAPPED(&src)) {
        *reason = XF_PUNT_MARTIAN;      /* RFC 4291 2.5.6, 2.7. */
    } else if (ip6->ip6_hlim <= 1) {
        *reason = XF_PUNT_TTL;
    } else if (tot_len > mtu) {
        *reason = XF_PUNT_TOO_BIG;
    } else {
        return true;
    }
    return false;
}

/* The checks of a forwarding action with egress 'mtu'.  True if 'packet' may be
 * forwarded, otherwise stores why not. */
static inline bool
xf_packet_check(const struct dp_packet *packet, uint16_t mtu,
                enum xf_punt_reason *reason)
{
    const uint8_t *l3 = dp_packet_l3(packet);
    const uint8_t *tail = dp_packet_tail(packet);

    *reason = XF_PUNT_MALFORMED;
    if (!l3 || l3 >= tail || !dp_packet_is_eth(packet)) {
        return false;
    }

    if (l3 - (const uint8_t *) dp_packet_data(packet) > VLAN_ETH_HEADER_LEN) {
        /* A second VLAN header, whose absence no megaflow can match, or
         * IEEE 802.2 SNAP. */
        *reason = XF_PUNT_NON_IP;
        return false;
    }

    size_t size = tail - l3;
    size_t pad = dp_packet_l2_pad_size(packet);
    if (pad >= size) {
        return false;
    }
    size -= pad;
    if (dp_packet_hwol_is_tso(packet)) {
        mtu = UINT16_MAX;       /* It will be cut to size on output. */
    }

    /* The version must be the one by which the packet was looked up. */
    ovs_be16 type = get_unaligned_be16(ALIGNED_CAST(const ovs_be16 *, l3 - 2));
    if (type == htons(ETH_TYPE_IP) && l3[0] >> 4 == 4) {
        return xf_check_ipv4(ALIGNED_CAST(const struct ip_header *, l3), size,
                             mtu, reason);
    } else if (type == htons(ETH_TYPE_IPV6) && l3[0] >> 4 == 6) {
        return xf_check_ipv6(ALIGNED_CAST(const struct ovs_16aligned_ip6_hdr *,
                                          l3), size, mtu, reason);
    }
    return false;
}

/* Gives 'packet', which passed xf_packet_check(), new MACs and its next TTL. */
static inline void
xf_packet_rewrite(struct dp_packet *packet, struct eth_addr src,
                  struct eth_addr dst)
{
    struct eth_header *eth = dp_packet_eth(packet);
    uint8_t *l3 = dp_packet_l3(packet);

    eth->eth_dst = dst;
    eth->eth_src = src;
    if (l3[0] >> 4 == 4) {
        struct ip_header *ip = ALIGNED_CAST(struct ip_header *, l3);

        /* RFC 1624, equation 3: ~m + m' is 0xfeff for the 16 bits whose first
         * byte is the TTL. */
        uint32_t sum = (0xffff ^ ntohs(ip->ip_csum)) + 0xfeff;

        ip->ip_csum = htons(0xffff ^ ((sum & 0xffff) + (sum >> 16)));
        ip->ip_ttl--;
    } else {
        struct ovs_16aligned_ip6_hdr *ip6
            = ALIGNED_CAST(struct ovs_16aligned_ip6_hdr *, l3);

        ip6->ip6_hlim--;
    }
}

#endif /* seam/xf-packet.h */
