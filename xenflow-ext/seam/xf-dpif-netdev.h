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

#ifndef XF_DPIF_NETDEV_H
#define XF_DPIF_NETDEV_H 1

/* Fib actions in the userspace datapath.
 * ======================================
 *
 * What
 * ----
 * This file ends lib/dpif-netdev.c, which includes it: what a datapath thread
 * is, and its flows, is private to that file.
 *
 * A fib action forwards a batch (seam/xf-fwd.h), then sends the packets of each
 * adjacency out.  Behind the router the bridge's pipeline decides, as ever: the
 * packets are recirculated with the router's port as their input port, and a
 * megaflow, which upstream makes and revalidates, says what becomes of them.
 *
 * Why
 * ---
 * Most such megaflows match nothing but the Ethernet header and do nothing but
 * output.  Then a second classification of each packet would tell what is known
 * already: the thread remembers the megaflow with the adjacency, and while it
 * lives, counts the packets for it and does what it says.  So a rule, a MAC
 * entry, or a mirror that changes needs no invalidation of ours: it changes or
 * removes the megaflow.
 *
 * Threads: a datapath thread; that of NON_PMD_CORE_ID under 'non_pmd_mutex'. */

#include "seam/xf-fwd.h"
#include "seam/xf-odp.h"

/* What a megaflow behind a router does, if it is simple. */
struct xf_simple_output {
    odp_port_t port;
    bool pop_vlan;              /* The segment's tag goes before. */
};

/* True if all that 'flow' does is "output", perhaps after "pop_vlan". */
static bool
xf_flow_is_simple_output(const struct dp_netdev_flow *flow,
                         struct xf_simple_output *simple)
{
    const struct dp_netdev_actions *actions = dp_netdev_flow_get_actions(flow);
    const struct nlattr *a = actions->actions;
    size_t left = actions->size;

    if (!left) {
        return false;
    }
    simple->pop_vlan = nl_attr_type(a) == OVS_ACTION_ATTR_POP_VLAN;
    if (simple->pop_vlan) {
        left -= MIN(left, nl_attr_len_pad(a, left));
        a = nl_attr_next(a);
    }
    if (left != NLA_ALIGN(NLA_HDRLEN + sizeof(odp_port_t))
        || nl_attr_type(a) != OVS_ACTION_ATTR_OUTPUT) {
        return false;
    }
    simple->port = nl_attr_get_odp_port(a);
    return true;
}

/* True if 'flow' matches nothing but what all packets of an adjacency and a
 * family have in common, if they aren't fragments. */
static bool
xf_flow_matches_l2(const struct dp_netdev_flow *flow)
{
    struct flow mask;

    miniflow_expand(&flow->cr.mask->mf, &mask);
    mask.in_port.odp_port = 0;
    mask.recirc_id = 0;
    mask.packet_type = 0;
    mask.dl_src = mask.dl_dst = eth_addr_zero;
    mask.dl_type = 0;
    memset(mask.vlans, 0, sizeof mask.vlans);
    mask.nw_frag = 0;
    return is_all_zeros(&mask, sizeof mask);
}

/* Makes 'packet' carry the tag of 'vlan', or none if that is 0. */
static void
xf_set_vlan(struct dp_packet *packet, uint16_t vlan)
{
    const uint8_t *data = dp_packet_data(packet);
    const uint8_t *l3 = dp_packet_l3(packet);
    bool is_tagged = l3 - data == VLAN_ETH_HEADER_LEN;

    if (is_tagged) {
        eth_pop_vlan(packet);
    }
    if (vlan) {
        eth_push_vlan(packet, htons(ETH_TYPE_VLAN_8021Q), htons(vlan));
    }
}

/* Kinds of packets of an adjacency, which have a megaflow each. */
enum { XF_IPV6, XF_IPV4, XF_OTHER, XF_N_KINDS };

static int
xf_kind(const struct dp_packet *packet)
{
    const uint8_t *l3 = dp_packet_l3(packet);

    if (l3[0] >> 4 == 4) {
        const struct ip_header *ip = dp_packet_l3(packet);

        return IP_IS_FRAGMENT(ip->ip_frag_off) ? XF_OTHER : XF_IPV4;
    }

    const struct ovs_16aligned_ip6_hdr *ip6 = dp_packet_l3(packet);
    switch (ip6->ip6_nxt) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_ICMPV6:
        return XF_IPV6;
    default:
        return XF_OTHER;        /* Perhaps a fragment. */
    }
}

/* Packets of one adjacency and kind. */
struct xf_group {
    struct xf_adj *adj;
    int kind;
    uint32_t n_bytes;
    uint16_t tcp_flags;
    struct dp_packet_batch batch;
};

/* The TCP flags of 'packet' of IPv4 or IPv6 without extension headers. */
static uint16_t
xf_tcp_flags(const struct dp_packet *packet, int kind)
{
    const uint8_t *l3 = dp_packet_l3(packet);
    size_t ofs = kind == XF_IPV4 ? IP_HEADER_LEN : IPV6_HEADER_LEN;
    uint8_t proto = kind == XF_IPV4 ? l3[9] : l3[6];
    const struct tcp_header *tcp;

    if (proto != IPPROTO_TCP || dp_packet_l3_size(packet)
                                < ofs + TCP_HEADER_LEN) {
        return 0;
    }
    tcp = ALIGNED_CAST(const struct tcp_header *, l3 + ofs);
    return ntohs(TCP_FLAGS_BE16(tcp->tcp_ctl));
}

/* Sends 'group' into the pipeline behind the router.  If its megaflow is simple
 * by then, it is remembered. */
static void
xf_recirculate(struct dp_netdev_pmd_thread *pmd, struct xf_group *group,
               uint32_t recirc_id)
{
    uint32_t *depth = recirc_depth_get();
    struct xf_egress *egress = (group->kind != XF_OTHER
                                ? &group->adj->egress[group->kind] : NULL);
    struct dp_packet *packet;

    if (*depth >= MAX_RECIRC_DEPTH) {
        COVERAGE_ADD(datapath_drop_recirc_error,
                     dp_packet_batch_size(&group->batch));
        dp_packet_delete_batch(&group->batch, true);
        return;
    }
    DP_PACKET_BATCH_FOR_EACH (i, packet, &group->batch) {
        xf_set_vlan(packet, group->adj->vlan);
        packet->md.recirc_id = recirc_id;
    }
    if (egress && !(egress->n_tries++ % 16)) {
        struct netdev_flow_key key;
        struct dp_netdev_flow *flow;
        struct xf_simple_output simple;

        miniflow_extract(group->batch.packets[0], &key.mf);
        key.len = netdev_flow_key_size(miniflow_n_values(&key.mf));
        flow = dp_netdev_pmd_lookup_flow(pmd, &key, NULL);
        if (flow && xf_flow_matches_l2(flow)
            && xf_flow_is_simple_output(flow, &simple)
            && dp_netdev_flow_ref(flow)) {
            egress->flow = flow;
        } else if (!flow) {
            egress->n_tries = 0; /* It will be there soon. */
        }
    }
    (*depth)++;
    dp_netdev_recirculate(pmd, &group->batch);
    (*depth)--;
}

/* Sends 'group' out, by what is remembered if there is something. */
static void
xf_send_group(struct dp_netdev_pmd_thread *pmd, struct xf_group *group,
              uint32_t recirc_id)
{
    struct xf_simple_output simple;

    if (group->kind != XF_OTHER) {
        struct xf_egress *egress = &group->adj->egress[group->kind];
        struct dp_netdev_flow *flow = egress->flow;

        if (flow && !flow->dead && xf_flow_is_simple_output(flow, &simple)) {
            struct dp_packet *packet;

            dp_netdev_flow_used(flow, dp_packet_batch_size(&group->batch),
                                group->n_bytes, group->tcp_flags,
                                pmd->ctx.now / 1000);
            DP_PACKET_BATCH_FOR_EACH (i, packet, &group->batch) {
                xf_set_vlan(packet, simple.pop_vlan ? 0 : group->adj->vlan);
            }
            dp_execute_output_action(pmd, &group->batch, true, simple.port);
            return;
        }
        if (flow) {
            dp_netdev_flow_unref(flow);
            egress->flow = NULL;
            egress->n_tries = 0;
        }
    }
    xf_recirculate(pmd, group, recirc_id);
}

/* Sends what 'result' says to be forwarded. */
static void
xf_send(struct dp_netdev_pmd_thread *pmd, struct xf_fwd_result *result,
        uint32_t recirc_id)
{
    struct xf_group groups[NETDEV_MAX_BURST];
    size_t n_groups = 0;

    for (size_t i = 0; i < result->n; i++) {
        struct dp_packet *packet = result->packets[i];
        int kind = xf_kind(packet);
        size_t j = 0;

        while (j < n_groups && (groups[j].adj != result->adjs[i]
                                || groups[j].kind != kind)) {
            j++;
        }

        struct xf_group *group = &groups[j];
        if (j == n_groups) {
            n_groups++;
            group->adj = result->adjs[i];
            group->kind = kind;
            group->n_bytes = 0;
            group->tcp_flags = 0;
            dp_packet_batch_init(&group->batch);
        }
        group->n_bytes += dp_packet_size(packet);
        if (kind != XF_OTHER) {
            group->tcp_flags |= xf_tcp_flags(packet, kind);
        }
        dp_packet_batch_add(&group->batch, packet);
    }
    for (size_t i = 0; i < n_groups; i++) {
        xf_send_group(pmd, &groups[i], recirc_id);
    }
}

/* Executes fib action 'a' on 'packets'. */
static void
xf_execute_fib(struct dp_netdev_execute_aux *aux,
               struct dp_packet_batch *packets, const struct nlattr *a,
               bool should_steal)
{
    struct dp_packet_batch copies;
    struct xf_fwd_result result;
    struct xf_odp_fib fib;

    if (!should_steal) {
        dp_packet_batch_clone(&copies, packets);
        dp_packet_batch_reset_cutlen(packets);
        packets = &copies;
    }
    dp_packet_batch_apply_cutlen(packets);

    xf_odp_fib_get(a, &fib);
    xf_fwd_batch(aux->pmd->xf_fwd, fib.router, packets, &result);
    xf_send(aux->pmd, &result, fib.recirc_id);
    if (!dp_packet_batch_is_empty(&result.punts)) {
        odp_execute_actions(aux, &result.punts, true,
                            fib.punt ? nl_attr_get(fib.punt) : NULL,
                            fib.punt ? nl_attr_get_size(fib.punt) : 0,
                            dp_execute_cb);
    }
}

#endif /* seam/xf-dpif-netdev.h */
