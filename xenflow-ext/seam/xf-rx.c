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
#include "seam/xf-rx.h"

#include <netinet/in.h>

#include "csum.h"
#include "dp-packet.h"
#include "packets.h"
#include "unaligned.h"

/* An L4 header and what follows it. */
struct segment {
    char *data;
    size_t size;
    uint8_t protocol;
    uint32_t pseudo;            /* Partial sum over the pseudo-header. */
};

/* Finds the segment in the IPv4 packet 'ip' of at most 'size' bytes. */
static bool
find_in_ip4(struct ip_header *ip, size_t size, struct segment *s)
{
    size_t header = size >= IP_HEADER_LEN ? IP_IHL(ip->ip_ihl_ver) * 4 : 0;
    size_t total = header ? ntohs(ip->ip_tot_len) : 0;

    if (header < IP_HEADER_LEN || total < header || total > size
        || IP_IS_FRAGMENT(ip->ip_frag_off)) {
        return false;
    }
    s->data = (char *) ip + header;
    s->size = total - header;
    s->protocol = ip->ip_proto;
    s->pseudo = packet_csum_pseudoheader(ip);
    return true;
}

/* Likewise for IPv6.  Senders leave no checksum behind extension headers. */
static bool
find_in_ip6(struct ovs_16aligned_ip6_hdr *ip, size_t size, struct segment *s)
{
    const struct ovs_16aligned_ip6_hdrctl *ctl = &ip->ip6_ctlun.ip6_un1;

    if (size < IPV6_HEADER_LEN
        || ntohs(ctl->ip6_un1_plen) > size - IPV6_HEADER_LEN) {
        return false;
    }
    s->data = (char *) (ip + 1);
    s->size = ntohs(ctl->ip6_un1_plen);
    s->protocol = ctl->ip6_un1_nxt;
    s->pseudo = packet_csum_pseudoheader6(ip);
    return true;
}

/* Offset of the checksum in a header of 'protocol', or 0. */
static size_t
checksum_offset(uint8_t protocol, size_t size)
{
    return (protocol == IPPROTO_TCP && size >= TCP_HEADER_LEN
            ? offsetof(struct tcp_header, tcp_csum)
            : protocol == IPPROTO_UDP && size >= UDP_HEADER_LEN
            ? offsetof(struct udp_header, udp_csum) : 0);
}

void
xf_rx_finish_checksum(struct dp_packet *packet)
{
    char *p = dp_packet_data(packet);
    size_t left = dp_packet_size(packet);
    struct segment s;
    ovs_be16 type;
    bool found;

    if (left < ETH_HEADER_LEN) {
        return;
    }
    type = get_unaligned_be16(ALIGNED_CAST(ovs_be16 *,
                                           p + ETH_HEADER_LEN - 2));
    p += ETH_HEADER_LEN;
    left -= ETH_HEADER_LEN;
    while (eth_type_vlan(type) && left >= VLAN_HEADER_LEN) {
        type = get_unaligned_be16(ALIGNED_CAST(ovs_be16 *, p + 2));
        p += VLAN_HEADER_LEN;
        left -= VLAN_HEADER_LEN;
    }
    found = (type == htons(ETH_TYPE_IP)
             ? find_in_ip4(ALIGNED_CAST(struct ip_header *, p), left, &s)
             : type == htons(ETH_TYPE_IPV6)
             && find_in_ip6(ALIGNED_CAST(struct ovs_16aligned_ip6_hdr *, p),
                            left, &s));

    size_t offset = found ? checksum_offset(s.protocol, s.size) : 0;
    if (offset) {
        ovs_be16 *csum = ALIGNED_CAST(ovs_be16 *, s.data + offset);

        put_unaligned_be16(csum, 0);
        ovs_be16 sum = csum_finish(csum_continue(s.pseudo, s.data, s.size));

        /* 0 is UDP's "none". */
        put_unaligned_be16(csum, sum ? sum : htons(0xffff));
    }
}
