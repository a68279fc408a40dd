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

#ifndef XF_CORE_RULE_MATCH_H
#define XF_CORE_RULE_MATCH_H 1

/* What a rule matches, and its text.
 * ==================================
 *
 * The text is that of ovs-ofctl(8), ovs-fields(7), restricted to the 12 fields
 * of OpenFlow 1.0 and their IPv6 counterparts:
 *
 *   in_port                  name of a switch port
 *   dl_src dl_dst            MAC[/MASK]
 *   dl_type                  or a name: ip, ipv6, arp, icmp, tcp, udp, sctp,
 *                            icmp6, tcp6, udp6, sctp6
 *   dl_vlan dl_vlan_pcp      dl_vlan=0xffff: untagged; masks: vlan_tci=N/MASK
 *   nw_proto nw_src nw_dst   ADDRESS[/LENGTH|/MASK]
 *   ipv6_src ipv6_dst
 *   nw_tos                   the upper six bits; ip_dscp
 *   tp_src tp_dst            PORT[/MASK], of TCP, UDP, SCTP; icmp_type,
 *                            icmp_code
 *
 * and "any" for a match of all packets.  Fields stand in any order, separated
 * by commas. */

#include "openvswitch/match.h"
#include "xenflow/types.h"

struct ds;

struct xf_match {
    struct match match;         /* 'in_port' is always wildcarded. */
    char in_port[XF_NAME_MAX];  /* "": any. */
};

/* A match of all packets. */
void xf_match_init(struct xf_match *);

/* Parses 's'.  Returns NULL or a sentence that names what is wrong, which the
 * caller frees; then '*m' is undefined. */
char *xf_match_parse(const char *s, struct xf_match *m)
    OVS_WARN_UNUSED_RESULT;

/* Appends the canonical text: what xf_match_parse() reads as the same match,
 * the same for all texts of one match. */
void xf_match_format(const struct xf_match *, struct ds *);

/* Whether some packet matches both. */
bool xf_match_overlaps(const struct xf_match *, const struct xf_match *);

#endif /* core/rule-match.h */
