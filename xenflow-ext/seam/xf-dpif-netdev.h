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
 * The same holds before the router: where a megaflow does nothing but a fib
 * action and matches nothing but the Ethernet header, later packets with the
 * same header from the same port go to the action at once, without extraction
 * of their flow.
 *
 * Threads: a datapath thread; that of NON_PMD_CORE_ID under 'non_pmd_mutex'. */

#include "seam/xf-fwd.h"
#include "seam/xf-odp.h"
#include "unaligned.h"

/* Known headers, by a hash of theirs. */
#define XF_N_INPUTS 1024

/* The Ethernet header of packets that a megaflow lets a router forward. */
struct xf_input_key {
    uint64_t macs;              /* The first 8 bytes, */
    uint64_t macs_type;         /* 8 bytes from the 6th on, */
    uint64_t port_vlan;         /* Upper half: input port; lower half: 4 bytes
                                 * from the 14th on if tagged, else 0. */
};

struct xf_input {
    struct xf_input_key key;
    struct dp_netdev_flow *flow; /* Referenced; NULL: nothing known. */
    uint32_t burst;             /* That used it last, */
    uint32_t use;               /* and its number there. */
};

/* What a datapath thread has for fib actions. */
struct xf_pmd {
    struct xf_fwd *fwd;
    uint32_t n_bursts;          /* Of input; numbers them from 1 on. */
    uint32_t n_sends;           /* Of xf_send(); the same. */
    struct xf_input inputs[XF_N_INPUTS];
};

static struct xf_pmd *
xf_pmd_create(void)
{
    struct xf_pmd *xf = xzalloc(sizeof *xf);

    xf->fwd = xf_fwd_create(dp_netdev_flow_unref);
    return xf;
}

static void
xf_pmd_destroy(struct xf_pmd *xf)
{
    for (size_t i = 0; i < XF_N_INPUTS; i++) {
        if (xf->inputs[i].flow) {
            dp_netdev_flow_unref(xf->inputs[i].flow);
        }
    }
    xf_fwd_destroy(xf->fwd);
    free(xf);
}

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

/* Bytes of the VLAN tag of 'p'. */
static inline size_t
xf_tag_size(const struct xf_packet *p)
{
    return p->l3 - p->l2 - ETH_HEADER_LEN;
}

/* A fib action for some of the packets of a burst. */
struct xf_use {
    struct dp_netdev_execute_aux *aux;
    struct xf_odp_fib fib;
};

/* Packets of one adjacency, kind and use. */
struct xf_group {
    struct xf_adj *adj;
    uint8_t kind;               /* enum xf_packet_kind. */
    uint8_t use;
    bool is_tagged;             /* One of the packets, as it came. */
    uint16_t tcp_flags;
    uint32_t n_bytes;           /* With the segment's tag. */
    struct dp_packet_batch batch;
};

/* Makes the packets of 'group' carry the tag of 'vlan', or none if that is 0. */
static void
xf_set_vlan(struct xf_group *group, uint16_t vlan)
{
    struct dp_packet *packet;

    if (!group->is_tagged && !vlan) {
        return;
    }
    DP_PACKET_BATCH_FOR_EACH (i, packet, &group->batch) {
        if (packet->l3_ofs > ETH_HEADER_LEN) {
            eth_pop_vlan(packet);
        }
        if (vlan) {
            eth_push_vlan(packet, htons(ETH_TYPE_VLAN_8021Q), htons(vlan));
        }
    }
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
    xf_set_vlan(group, group->adj->vlan);
    DP_PACKET_BATCH_FOR_EACH (i, packet, &group->batch) {
        packet->md.recirc_id = recirc_id;
    }
    if (egress && !egress->flow && !(egress->n_tries++ % 16)) {
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

/* Packets of a burst by the port that they leave by. */
#define XF_N_OUTS 16
struct xf_outs {
    uint32_t used;              /* Bit i: 'batches[i]' has packets. */
    odp_port_t ports[XF_N_OUTS];
    struct dp_packet_batch batches[XF_N_OUTS];
};

/* Adds the packets of 'batch' to those that leave by 'port'. */
static inline void
xf_outs_add(struct dp_netdev_pmd_thread *pmd, struct xf_outs *outs,
            odp_port_t port, const struct dp_packet_batch *batch)
{
    size_t i = odp_to_u32(port) % XF_N_OUTS;
    struct dp_packet_batch *out = &outs->batches[i];

    if (outs->used & (1u << i) && OVS_UNLIKELY(outs->ports[i] != port)) {
        dp_execute_output_action(pmd, out, true, outs->ports[i]);
        outs->used &= ~(1u << i);
    }
    if (!(outs->used & (1u << i))) {
        outs->used |= 1u << i;
        outs->ports[i] = port;
        dp_packet_batch_init(out);
    }
    memcpy(&out->packets[out->count], batch->packets,
           batch->count * sizeof out->packets[0]);
    out->count += batch->count;
}

static inline void
xf_outs_flush(struct dp_netdev_pmd_thread *pmd, struct xf_outs *outs)
{
    size_t i;

    ULLONG_FOR_EACH_1 (i, outs->used) {
        dp_execute_output_action(pmd, &outs->batches[i], true,
                                 outs->ports[i]);
    }
}

/* Sends 'group' out, by what is remembered if there is something; then it is
 * left in 'outs'. */
static void
xf_send_group(struct dp_netdev_pmd_thread *pmd, struct xf_group *group,
              uint32_t recirc_id, struct xf_outs *outs)
{
    struct xf_simple_output simple;

    if (group->kind != XF_OTHER) {
        struct xf_egress *egress = &group->adj->egress[group->kind];
        struct dp_netdev_flow *flow = egress->flow;

        if (flow && !flow->dead && flow->flow.recirc_id != recirc_id) {
            /* Other packets, whose past differs: perhaps in mirrors. */
            xf_recirculate(pmd, group, recirc_id);
            return;
        }
        if (flow && !flow->dead && xf_flow_is_simple_output(flow, &simple)) {
            dp_netdev_flow_used(flow, dp_packet_batch_size(&group->batch),
                                group->n_bytes, group->tcp_flags,
                                pmd->ctx.now / 1000);
            xf_set_vlan(group, simple.pop_vlan ? 0 : group->adj->vlan);
            xf_outs_add(pmd, outs, simple.port, &group->batch);
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

/* Where packets that no group is for yet are counted. */
static inline void
xf_group_init(struct xf_group *group)
{
    group->kind = group->use = 0;
    group->is_tagged = false;
    group->n_bytes = 0;
    group->tcp_flags = 0;
    dp_packet_batch_init(&group->batch);
}

/* The number of the group of 'groups' for 'p', perhaps a new one. */
static size_t
xf_group_find(const struct xf_group groups[], size_t n_groups,
              const struct xf_packet *p)
{
    size_t i;

    for (i = 0; i < n_groups; i++) {
        if (groups[i].adj == p->adj && groups[i].kind == p->kind
            && groups[i].use == p->group) {
            break;
        }
    }
    return i;
}

/* The group of 'groups' for 'p' of send number 'send'.  The one behind the last
 * is made ready each time: which packets are the first of a group can't be
 * predicted, so there is no branch for it. */
static inline struct xf_group *
xf_group_get(struct xf_group groups[], size_t *n_groups,
             const struct xf_packet *p, uint32_t send)
{
    struct xf_adj *adj = p->adj;
    /* Where packets of this adjacency went last. */
    size_t i = adj->send == send ? adj->group : *n_groups;

    if (OVS_UNLIKELY((i < *n_groups) & ((groups[i].kind != p->kind)
                                        | (groups[i].use != p->group)))) {
        i = xf_group_find(groups, *n_groups, p);
    }
    adj->send = send;
    adj->group = i;
    groups[i].adj = adj;
    groups[i].kind = p->kind;
    groups[i].use = p->group;
    *n_groups += i == *n_groups;
    xf_group_init(&groups[*n_groups]);
    return &groups[i];
}

/* Sends what 'result' says to be forwarded. */
static void
xf_send(struct dp_netdev_pmd_thread *pmd, const struct xf_use uses[],
        const struct xf_fwd_result *result)
{
    struct xf_group groups[NETDEV_MAX_BURST + 1];
    const uint32_t send = ++pmd->xf->n_sends;
    struct xf_outs outs;        /* Large, so not all of it is set. */
    size_t n_groups = 0;

    outs.used = 0;
    xf_group_init(&groups[0]);
    for (size_t i = 0; i < result->n; i++) {
        const struct xf_packet *p = result->packets[i];
        struct xf_group *group = xf_group_get(groups, &n_groups, p, send);
        size_t tag_size = xf_tag_size(p);

        group->is_tagged |= tag_size > 0;
        group->n_bytes += (p->n_bytes - tag_size
                           + (p->adj->vlan ? VLAN_HEADER_LEN : 0));
        group->tcp_flags |= p->tcp_flags;
        dp_packet_batch_add(&group->batch, p->packet);
    }
    for (size_t i = 0; i < n_groups; i++) {
        xf_send_group(pmd, &groups[i], uses[groups[i].use].fib.recirc_id,
                      &outs);
    }
    xf_outs_flush(pmd, &outs);
}

/* Executes what use number 'i' says of packets for the virtual machine. */
static void
xf_punt(const struct xf_use *use, const struct xf_fwd_result *result,
        uint8_t i)
{
    const struct nlattr *punt = use->fib.punt;
    struct dp_packet_batch batch;

    dp_packet_batch_init(&batch);
    for (size_t j = 0; j < result->n_punts; j++) {
        if (result->punts[j]->group == i) {
            dp_packet_batch_add(&batch, result->punts[j]->packet);
        }
    }
    if (!dp_packet_batch_is_empty(&batch)) {
        odp_execute_actions(use->aux, &batch, true,
                            punt ? nl_attr_get(punt) : NULL,
                            punt ? nl_attr_get_size(punt) : 0,
                            dp_execute_cb);
    }
}

/* Forwards the packets of 'burst', whose groups are 'n_uses' 'uses'. */
static void
xf_forward(struct dp_netdev_pmd_thread *pmd, struct xf_fwd_burst *burst,
           const struct xf_use uses[], size_t n_uses)
{
    xf_fwd_finish(burst);
    xf_send(pmd, uses, &burst->result);
    for (size_t i = 0; burst->result.n_punts && i < n_uses; i++) {
        xf_punt(&uses[i], &burst->result, i);
    }
}

/* Executes fib action 'a' on 'packets'. */
static void
xf_execute_fib(struct dp_netdev_execute_aux *aux,
               struct dp_packet_batch *packets, const struct nlattr *a,
               bool should_steal)
{
    struct dp_packet_batch copies;

    if (!should_steal) {
        dp_packet_batch_clone(&copies, packets);
        dp_packet_batch_reset_cutlen(packets);
        packets = &copies;
    }
    dp_packet_batch_apply_cutlen(packets);

    struct xf_use use = { .aux = aux };
    struct xf_fwd_burst burst;
    struct dp_packet *packet;

    xf_odp_fib_get(a, &use.fib);
    xf_fwd_begin(&burst, aux->pmd->xf->fwd);
    xf_fwd_group(&burst, use.fib.router);
    DP_PACKET_BATCH_FOR_EACH (i, packet, packets) {
        xf_packet_read(xf_fwd_next(&burst), packet);
        xf_fwd_add(&burst, 0);
    }
    xf_forward(aux->pmd, &burst, &use, 1);
}

/* ---- Input. ---- */

/* The only action of 'flow', if that is a fib action; else NULL. */
static const struct nlattr *
xf_only_fib(const struct dp_netdev_flow *flow)
{
    const struct dp_netdev_actions *actions = dp_netdev_flow_get_actions(flow);
    const struct nlattr *a = actions->actions;

    return (actions->size && nl_attr_type(a) == OVS_ACTION_ATTR_XENFLOW
            && NLA_ALIGN(a->nla_len) >= actions->size && xf_odp_is_fib(a)
            ? a : NULL);
}

/* Reads 'packet', just received from 'in_port', into 'p', and its 'key'.  Returns
 * false if its way may depend on more: if it is no plain IPv4 or IPv6, or
 * perhaps a fragment. */
static inline bool
xf_input_read(struct dp_packet *packet, odp_port_t in_port,
              struct xf_packet *p, struct xf_input_key *key)
{
    uint8_t *data = dp_packet_data(packet);
    const ovs_be16 *type = ALIGNED_CAST(const ovs_be16 *, data + 12);
    size_t size = dp_packet_size(packet);

    if (size < ETH_HEADER_LEN + IP_HEADER_LEN || !dp_packet_is_eth(packet)) {
        return false;
    }
    p->packet = packet;
    p->l2 = data;
    p->l3 = data + ETH_HEADER_LEN;
    p->n_bytes = size;
    memcpy(&key->macs, data, 8);
    memcpy(&key->macs_type, data + 6, 8);
    key->port_vlan = (uint64_t) odp_to_u32(in_port) << 32;
    if (*type == htons(ETH_TYPE_VLAN_8021Q)) {
        uint32_t vlan;

        memcpy(&vlan, p->l3, sizeof vlan);
        key->port_vlan |= vlan;
        p->l3 += VLAN_HEADER_LEN;
        type = ALIGNED_CAST(const ovs_be16 *, data + 16);
    }
    xf_packet_read_ip(p, *type, size - (p->l3 - data));
    return (p->family && p->kind != XF_OTHER
            && (p->family == 4 ? p->l3[0] == 0x45 : p->l3[0] >> 4 == 6));
}

static struct xf_input *
xf_input_find(struct xf_pmd *xf, const struct xf_input_key *key)
{
    uint64_t hash = (key->macs ^ key->macs_type * UINT64_C(0x9e3779b97f4a7c15)
                     ^ key->port_vlan * UINT64_C(0xff51afd7ed558ccd))
                    * UINT64_C(0xd6e8feb86659fd93);

    return &xf->inputs[hash >> 54];
}
BUILD_ASSERT_DECL(XF_N_INPUTS == 1 << 10);

static bool
xf_input_key_equals(const struct xf_input_key *a, const struct xf_input_key *b)
{
    return (a->macs == b->macs && a->macs_type == b->macs_type
            && a->port_vlan == b->port_vlan);
}

/* 'packets' are about to be handled by 'flow': if that does nothing but a fib
 * action, remembers the header of the first. */
static void
xf_learn(struct dp_netdev_pmd_thread *pmd, struct dp_netdev_flow *flow,
         const struct dp_packet_batch *packets)
{
    struct xf_input_key key;
    struct xf_input *input;
    struct xf_packet p;

    if (OVS_LIKELY(!xf_only_fib(flow)) || flow->flow.recirc_id
        || dp_packet_batch_is_empty(packets)
        || !xf_input_read(packets->packets[0], flow->flow.in_port.odp_port,
                          &p, &key)) {
        return;
    }
    input = xf_input_find(pmd->xf, &key);
    if ((input->flow == flow && xf_input_key_equals(&input->key, &key))
        || !xf_flow_matches_l2(flow) || !dp_netdev_flow_ref(flow)) {
        return;
    }
    if (input->flow) {
        dp_netdev_flow_unref(input->flow);
    }
    input->key = key;
    input->flow = flow;
}

/* Packets of a burst whose headers are known.  'flows' and 'uses' are what they
 * were when the burst was made: flows and actions may change meanwhile. */
struct xf_known {
    size_t n_uses;
    struct dp_netdev_flow *flows[NETDEV_MAX_BURST];
    struct xf_use uses[NETDEV_MAX_BURST];
    struct dp_netdev_execute_aux auxs[NETDEV_MAX_BURST];
    struct {
        uint32_t n_packets;
        uint32_t n_bytes;
        uint16_t tcp_flags;
    } sums[NETDEV_MAX_BURST];
    struct xf_fwd_burst burst;  /* A group per use. */
};

/* Finds the use for packets with 'key', made if their way is known and valid;
 * else returns false. */
static bool
xf_known_use(struct dp_netdev_pmd_thread *pmd, struct xf_known *known,
             const struct xf_input_key *key, size_t *use)
{
    struct xf_input *input = xf_input_find(pmd->xf, key);
    const struct nlattr *action;
    size_t i;

    if (!input->flow || !xf_input_key_equals(&input->key, key)) {
        return false;
    }
    if (OVS_LIKELY(input->burst == pmd->xf->n_bursts)) {
        *use = input->use;
        return true;
    }
    action = xf_only_fib(input->flow);
    if (input->flow->dead || !action) {
        return false;
    }
    i = known->n_uses++;
    input->burst = pmd->xf->n_bursts;
    input->use = i;
    known->flows[i] = input->flow;
    known->auxs[i].pmd = pmd;
    known->auxs[i].flow = &input->flow->flow;
    known->uses[i].aux = &known->auxs[i];
    xf_odp_fib_get(action, &known->uses[i].fib);
    memset(&known->sums[i], 0, sizeof known->sums[i]);
    xf_fwd_group(&known->burst, known->uses[i].fib.router);
    *use = i;
    return true;
}

/* Counts and forwards what is known. */
static void
xf_known_forward(struct dp_netdev_pmd_thread *pmd,
                 struct xf_known *known, size_t n)
{
    pmd_perf_update_counter(&pmd->perf_stats, PMD_STAT_RECV, n);
    pmd_perf_update_counter(&pmd->perf_stats, PMD_STAT_SIMPLE_HIT, n);
    for (size_t i = 0; i < known->n_uses; i++) {
        dp_netdev_flow_used(known->flows[i], known->sums[i].n_packets,
                            known->sums[i].n_bytes, known->sums[i].tcp_flags,
                            pmd->ctx.now / 1000);
    }
    xf_forward(pmd, &known->burst, known->uses, known->n_uses);
}

/* Takes from 'packets', received on 'in_port', those that a router forwards and
 * whose header is known, and forwards them.
 *
 * The caller reads the clock after this: to read it is to wait for all packets'
 * memory.  To a thread that polls, the time of its last turn is good enough;
 * the other may have slept since. */
static void
xf_input(struct dp_netdev_pmd_thread *pmd, struct dp_packet_batch *packets,
         odp_port_t in_port)
{
    const size_t n = dp_packet_batch_size(packets);
    struct xf_known known;
    struct dp_packet *packet;
    size_t i;

    if (pmd->core_id == NON_PMD_CORE_ID) {
        pmd_thread_ctx_time_update(pmd);
    }
    known.n_uses = 0;
    pmd->xf->n_bursts++;
    xf_fwd_begin(&known.burst, pmd->xf->fwd);
    for (i = 0; i < n; i++) {
        OVS_PREFETCH(dp_packet_data(packets->packets[i]));
    }
    DP_PACKET_BATCH_REFILL_FOR_EACH (i, n, packet, packets) {
        struct xf_packet *p = xf_fwd_next(&known.burst);
        struct xf_input_key key;
        size_t use;

        if (!xf_input_read(packet, in_port, p, &key)
            || !xf_known_use(pmd, &known, &key, &use)) {
            dp_packet_batch_refill(packets, packet, i);
            continue;
        }
        pkt_metadata_init(&packet->md, in_port);
        dp_packet_reset_offsets(packet);
        packet->l3_ofs = p->l3 - p->l2;
        known.sums[use].n_packets++;
        known.sums[use].n_bytes += p->n_bytes;
        known.sums[use].tcp_flags |= p->tcp_flags;
        xf_fwd_add(&known.burst, use);
    }
    if (known.n_uses) {
        xf_known_forward(pmd, &known, n - dp_packet_batch_size(packets));
    }
}

#endif /* seam/xf-dpif-netdev.h */
