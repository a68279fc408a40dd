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

#ifndef XF_SNOOP_H
#define XF_SNOOP_H 1

/* What a frame says about where an address is: ARP (RFC 826) and neighbour
 * discovery (RFC 4861).  Frames come from anyone.
 *
 * Invariant: the fields that decide are in the mask of the megaflow, so each
 * frame that the megaflow covers says the same.
 *
 * Threads: any. */

#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "flow.h"
#include "openvswitch/match.h"
#include "packets.h"

/* If the frame says where an address is, stores that and returns true.  ARP:
 * the sender of requests and replies.  ND: the source of a solicitation, the
 * target of an advertisement, with their link-layer options and hop limit
 * 255. */
static inline bool
xf_neighbor_of_flow(const struct flow *flow, struct flow_wildcards *wc,
                    struct in6_addr *ip, struct eth_addr *mac)
{
    if (flow->dl_type == htons(ETH_TYPE_ARP)) {
        WC_MASK_FIELD(wc, nw_proto);
        WC_MASK_FIELD(wc, nw_src);
        WC_MASK_FIELD(wc, arp_sha);
        if (flow->nw_proto != ARP_OP_REQUEST
            && flow->nw_proto != ARP_OP_REPLY) {
            return false;
        }
        in6_addr_set_mapped_ipv4(ip, flow->nw_src);
        *mac = flow->arp_sha;
        return (flow->nw_src && flow->nw_src != htonl(INADDR_BROADCAST)
                && !eth_addr_is_zero(*mac) && !eth_addr_is_multicast(*mac));
    }
    if (flow->dl_type == htons(ETH_TYPE_IPV6) && is_nd(flow, wc)) {
        bool solicit = flow->tp_src == htons(ND_NEIGHBOR_SOLICIT);

        WC_MASK_FIELD(wc, nw_ttl);
        WC_MASK_FIELD(wc, ipv6_src);
        WC_MASK_FIELD(wc, nd_target);
        WC_MASK_FIELD(wc, arp_sha);
        WC_MASK_FIELD(wc, arp_tha);
        *ip = solicit ? flow->ipv6_src : flow->nd_target;
        *mac = solicit ? flow->arp_sha : flow->arp_tha;
        return (flow->nw_ttl == 255 && !IN6_IS_ADDR_UNSPECIFIED(ip)
                && !IN6_IS_ADDR_MULTICAST(ip)
                && !eth_addr_is_zero(*mac) && !eth_addr_is_multicast(*mac));
    }
    return false;
}

#endif /* seam/xf-snoop.h */
