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

/* Translation through virtual links.
 * ==================================
 *
 * What ---- NORMAL switching hands over here, once it knows a frame's VLAN,
 * before anything else.  If (port, VLAN) is a side of a hop, the frame leaves
 * by the other side, whatever it is: nothing is learned, looked up or flooded.
 *
 * At a router's end the VLAN is that of the interface.  What comes out of the
 * link there is received by the router as in a segment: data for its MAC by
 * its rule table, all else by its machine's port.  What the router or its
 * machine sends in that VLAN goes into the link.  Frames of that VLAN from any
 * other port are dropped: it is the link's alone.
 *
 * While a router moves, what is for its machine goes into the transfer way, or
 * waits in the datapath (engine/link.h).  Who asks for one of its addresses by
 * ARP is answered: hosts give a router up that is silent for some seconds, and
 * a machine may stand still for longer, and takes a while to come to itself.
 *
 * Into a cable, a link with a bandwidth sends by its queue (xenflow/hops.h),
 * whatever queue a rule has chosen: there are no others at that port.  So does
 * what comes behind a router in either translation, as it passes here too.
 *
 * Probes (core/link-probe.h) that come out of a way go to the engine, by the
 * slow path, as each of them is to be seen.  Nobody can send any in: at an end
 * they are dropped, and in a bridge where no link takes them, too.
 *
 * Invariants
 * ----------
 * - A frame leaves by exactly one way.
 * - By (port, VLAN) that is a side of a hop, NORMAL sends nothing but what the
 *   link does: what it floods would be in the link.
 * - Nothing here enters the pipeline again, except through a router.
 *
 * Threads: any translating thread, inside RCU, no locks. */

#ifndef XF_XLATE_LINK_H
#define XF_XLATE_LINK_H 1

#include "core/link-probe.h"
#include "engine/link.h"

/* 'xvlan' as it is in 'vlan'. */
static struct xvlan
xf_in_vlan(const struct xvlan *xvlan, uint16_t vlan)
{
    struct xvlan x = *xvlan;

    x.v[0].vid = vlan;
    if (!x.v[0].tpid) {
        x.v[0].tpid = ETH_TYPE_VLAN_8021Q;
    }
    return x;
}

/* ---- Which way. ---- */

/* The router whose port is 'xport', or NULL. */
static const struct xf_router *
xf_router_of_port(const struct xf_engine *engine, const struct xport *xport)
{
    return (xport && xf_is_router_port(xport)
            ? xf_engine_router(engine, netdev_get_name(xport->netdev))
            : NULL);
}

/* Whether 'vif' is the machine's port of an interface of 'router' in 'vlan'.
 * */
static bool
xf_is_vif_of(const struct xf_router *router, uint16_t vlan, const char *vif)
{
    const struct xf_rt *rt = xf_router_rt(router);
    const struct xf_iface *iface = NULL;

    while ((iface = xf_rt_iface_by_vlan(rt, vlan, iface)) != NULL) {
        if (!strcmp(iface->vif, vif)) {
            return true;
        }
    }
    return false;
}

/* What takes a frame that came by 'in_xbundle' in 'vlan': its way, or NULL
 * with '*taken' true if it may go nowhere, false if it is of no link. */
static const struct xf_way *
xf_find_way(const struct xf_engine *engine, const struct xbridge *xbridge,
            const struct xbundle *in_xbundle, uint16_t vlan, bool *taken)
{
    const struct xf_link_table *table = xf_engine_links(engine);
    const struct xf_way *way = NULL;

    *taken = false;
    if (OVS_LIKELY(!xf_link_table_count(table))) {
        return NULL;
    }
    way = xf_link_table_lookup(table, in_xbundle->name, vlan);
    if (way) {
        *taken = true;
        return way;
    }

    /* A machine's port has the VLAN of an interface. */
    while ((way = xf_link_table_next(table, vlan, way)) != NULL) {
        const char *port = way->hop->sides[way->in].port;
        const struct xf_router *router = xf_router_of_port(
            engine, xf_port_by_name(xbridge, port));

        if (router) {
            *taken = true;
            if (xf_is_vif_of(router, vlan, in_xbundle->name)) {
                return xf_link_table_lookup(table, port, vlan);
            }
        }
    }
    return NULL;
}

/* Whether frames of 'vlan' from 'in_xbundle' are a link's. */
static bool
xf_belongs_to_link(const struct xf_engine *engine,
                   const struct xbridge *xbridge,
                   const struct xbundle *in_xbundle, uint16_t vlan)
{
    bool taken;

    xf_find_way(engine, xbridge, in_xbundle, vlan, &taken);
    return taken;
}

/* Whether (out_xbundle, VLAN) is a side of a hop, so that only xf_output_side()
 * sends by it. */
static bool
xf_is_side(const struct xbundle *out_xbundle, const struct xvlan *xvlan)
{
    const struct xf_engine *engine = xf_switch_engine();

    return (engine
            && xf_link_table_lookup(xf_engine_links(engine),
                                    out_xbundle->name, xvlan->v[0].vid));
}

/* output_normal() for the side of a hop by which 'way' leaves. */
static void
xf_output_side(struct xlate_ctx *ctx, const struct xf_way *way,
               const struct xport *port, const struct xvlan *xvlan)
{
    union flow_vlan_hdr old_vlans[FLOW_MAX_VLAN_HEADERS];
    struct flow *flow = &ctx->xin->flow;
    uint32_t old_priority = flow->skb_priority;
    uint32_t queue = xf_hop_queue(way->hop, !way->in);
    struct xvlan out;

    if (queue) {
        xlate_report(ctx, OFT_DETAIL, "queue %"PRIu32, queue);
        WC_MASK_FIELD(ctx->wc, skb_priority);
        dpif_queue_to_priority(ctx->xbridge->dpif, queue,
                               &flow->skb_priority);
    }
    check_and_set_cvlan_mask(ctx->wc, port->xbundle);
    xvlan_output_translate(port->xbundle, xvlan, &out);
    if (port->xbundle->use_priority_tags) {
        out.v[0].pcp = ntohs(flow->vlans[0].tci) & VLAN_PCP_MASK;
    }
    memcpy(old_vlans, flow->vlans, sizeof old_vlans);
    xvlan_put(flow, &out, port->xbundle->use_priority_tags);
    compose_output_action(ctx, port->ofp_port, NULL, false, false);
    memcpy(flow->vlans, old_vlans, sizeof old_vlans);
    flow->skb_priority = old_priority;
}

/* ---- While a router moves. ---- */

/* Has the frame wait in the datapath.  'vif' may be NULL. */
static void
xf_compose_hold(struct xlate_ctx *ctx, const struct xf_visit *v,
                const struct xport *vif)
{
    union flow_vlan_hdr old_vlans[FLOW_MAX_VLAN_HEADERS];
    struct flow *flow = &ctx->xin->flow;
    struct xvlan x = v->xvlan;
    struct xf_odp_spec spec;

    xlate_report(ctx, OFT_DETAIL, "router %s: what is for interface %s waits "
                 "for its machine", xf_router_name(v->router),
                 v->iface->name);
    memset(&spec, 0, sizeof spec);
    spec.router = xf_router_id(v->router);
    spec.verdict = XF_ODP_HOLD;
    spec.mtu = v->iface->vlan;

    /* As the machine's port hands it over. */
    memcpy(old_vlans, flow->vlans, sizeof old_vlans);
    xvlan_pop(&x);
    xvlan_put(flow, &x, PORT_PRIORITY_TAGS_NEVER);
    xlate_commit_actions(ctx);
    memcpy(flow->vlans, old_vlans, sizeof old_vlans);

    struct flow base_flow = ctx->base_flow;
    size_t outer = nl_msg_start_nested(ctx->odp_actions,
                                       OVS_ACTION_ATTR_XENFLOW);
    nl_msg_put_unspec(ctx->odp_actions, XF_ODP_ATTR_SPEC, &spec, sizeof spec);
    if (vif && vif->xbundle) {
        size_t inner = nl_msg_start_nested(ctx->odp_actions,
                                           XF_ODP_ATTR_PUNT);
        output_normal(ctx, vif->xbundle, &v->xvlan);
        nl_msg_end_nested(ctx->odp_actions, inner);
    }
    nl_msg_end_nested(ctx->odp_actions, outer);
    ctx->base_flow = base_flow;
}

static void xf_leave_link(struct xlate_ctx *, const struct xf_way *,
                          const struct xvlan *);

/* Turns an ARP request (RFC 826) for an address of the router into the answer.
 * Returns false if it isn't one, or can't go back. */
static bool
xf_answer_arp(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct xf_way *way = xf_link_table_lookup(
        xf_engine_links(v->engine), xf_router_name(v->router),
        v->iface->vlan);
    struct flow *flow = &ctx->xin->flow;
    struct in6_addr wanted;

    if (flow->dl_type != htons(ETH_TYPE_ARP) || !way
        || xf_hop_is_transfer(way->hop)) {
        return false;
    }
    WC_MASK_FIELD(ctx->wc, nw_proto);
    WC_MASK_FIELD(ctx->wc, nw_dst);
    in6_addr_set_mapped_ipv4(&wanted, flow->nw_dst);
    if (flow->nw_proto != ARP_OP_REQUEST
        || !xf_rt_has_addr(v->rt, v->iface, &wanted)) {
        return false;
    }
    xlate_report(ctx, OFT_DETAIL, "router %s moves: "IP_FMT" is answered for",
                 xf_router_name(v->router), IP_ARGS(flow->nw_dst));
    /* What is read, and what is written. */
    WC_MASK_FIELD(ctx->wc, nw_src);
    WC_MASK_FIELD(ctx->wc, arp_sha);
    WC_MASK_FIELD(ctx->wc, arp_tha);
    WC_MASK_FIELD(ctx->wc, dl_src);
    WC_MASK_FIELD(ctx->wc, dl_dst);

    struct flow asked = *flow;
    flow->nw_proto = ARP_OP_REPLY;
    flow->nw_src = asked.nw_dst;
    flow->nw_dst = asked.nw_src;
    flow->arp_tha = asked.arp_sha;
    flow->dl_dst = asked.dl_src;
    flow->arp_sha = flow->dl_src = v->iface->mac;
    xf_leave_link(ctx, way, &v->xvlan);
    *flow = asked;
    return true;
}

/* Sends what is for the machine of a router that moves where it is to go.
 * Returns false if that is 'vif', as always. */
static bool
xf_output_elsewhere(struct xlate_ctx *ctx, const struct xf_visit *v,
                    const struct xport *vif)
{
    if (xf_router_is_answered_for(v->router) && xf_answer_arp(ctx, v)) {
        return true;
    }
    if (xf_router_is_transferring(v->router)) {
        const struct xf_way *way = xf_link_table_transfer(
            xf_engine_links(v->engine), xf_router_name(v->router),
            v->iface->vlan);
        const struct xf_hop_side *out = way ? xf_way_out(way) : NULL;
        const struct xport *port
            = out ? xf_port_by_name(ctx->xbridge, out->port) : NULL;

        if (port && port->xbundle) {
            struct xvlan x = xf_in_vlan(&v->xvlan, out->vlan);

            xlate_report(ctx, OFT_DETAIL, "router %s moves: to %s VLAN "
                         "%"PRIu16" of link %s", xf_router_name(v->router),
                         out->port, out->vlan, way->hop->link);
            xf_add_credit(ctx, xf_credit_traffic(way->hop->stats[way->in],
                                                 NULL));
            xf_output_side(ctx, way, port, &x);
            return true;
        }
    }
    if (xf_router_is_holding(v->router) && ctx->xbridge->support.xenflow) {
        xf_compose_hold(ctx, v, vif);
        return true;
    }
    return false;
}

/* ---- Out of a link. ---- */

/* At the end of the way: the frame is the router's whose port is 'port', in
 * the VLAN 'xvlan'. */
static void
xf_enter_router(struct xlate_ctx *ctx, const struct xf_way *way,
                const struct xport *port, const struct xvlan *xvlan)
{
    const char *name = netdev_get_name(port->netdev);
    struct eth_addr mac = ctx->xin->flow.dl_dst;
    uint16_t vlan = xvlan->v[0].vid;
    struct xf_visit v = {
        .engine = xf_switch_engine(),
        .port = port,
        .xvlan = *xvlan,
    };
    const struct xf_iface *first;

    v.router = xf_engine_router(v.engine, name);
    if (!v.router) {
        xlate_report(ctx, OFT_WARN, "no router is called %s, dropping", name);
        return;
    }
    v.rt = xf_router_rt(v.router);
    first = xf_rt_iface_by_vlan(v.rt, vlan, NULL);
    if (!first) {
        xlate_report(ctx, OFT_WARN, "router %s has no interface in VLAN "
                     "%"PRIu16", dropping", name, vlan);
        return;
    }

    v.iface = (eth_addr_is_multicast(mac) || xf_hop_is_transfer(way->hop)
               ? NULL : xf_rt_iface_by_segment(v.rt, vlan, mac));
    if (v.iface && xf_router_is_separated(v.router)) {
        xf_receive(ctx, &v);
        return;
    } else if (v.iface && xf_apply_rules(ctx, &v)) {
        return;
    }
    v.iface = first;
    if (eth_addr_is_multicast(mac) && !xf_hop_is_transfer(way->hop)) {
        xf_hear_neighbor(ctx, &v);
    }
    xf_output_vif(ctx, &v);
}

/* Whether the frame is a probe, or looks like one. */
static bool
xf_looks_like_probe(const struct flow *flow)
{
    return (flow->dl_type == htons(XF_PROBE_ETHERTYPE)
            && xf_probe_is_mac(flow->dl_dst));
}

/* A frame that is, or looks like, a probe: returns true if it goes no further.
 * 'from_end': it comes from where the way ends. */
static bool
xf_take_probe(struct xlate_ctx *ctx, const struct xf_engine *engine,
              const struct xf_way *way, bool from_end)
{
    const struct xf_hop_side *out = xf_way_out(way);
    const struct dp_packet *packet = ctx->xin->packet;
    struct xf_probe probe;

    if (!xf_looks_like_probe(&ctx->xin->flow)) {
        return false;
    }
    if (from_end) {
        xlate_report(ctx, OFT_DETAIL, "probes come from switches only, "
                     "dropping");
        return true;
    }
    if (!out->edge && !xf_router_of_port(engine, xf_port_by_name(
                                             ctx->xbridge, out->port))) {
        return false;           /* It merely passes. */
    }
    xlate_report(ctx, OFT_DETAIL, "a probe of the link");
    ctx->xout->slow |= SLOW_ACTION;
    if (packet && ctx->xin->allow_side_effects && !ctx->xin->trace) {
        const uint8_t *l3 = dp_packet_l3(packet);
        const uint8_t *tail = dp_packet_tail(packet);

        if (l3 && xf_probe_parse(l3, tail - l3, &probe)) {
            xf_engine_probe_news(CONST_CAST(struct xf_engine *, engine), way,
                                 &probe);
        }
    }
    return true;
}

/* ---- The way in. ---- */

/* Hears of neighbours by what the machine says to all. */
static void
xf_hear_machine(struct xlate_ctx *ctx, const struct xf_engine *engine,
                const struct xf_way *way, const struct xvlan *xvlan)
{
    const struct xf_hop_side *in = &way->hop->sides[way->in];
    struct xf_visit v = {
        .engine = CONST_CAST(struct xf_engine *, engine),
        .port = xf_port_by_name(ctx->xbridge, in->port),
        .xvlan = *xvlan,
    };

    v.router = xf_router_of_port(engine, v.port);
    v.rt = v.router ? xf_router_rt(v.router) : NULL;
    v.iface = v.rt ? xf_rt_iface_by_vlan(v.rt, in->vlan, NULL) : NULL;
    if (v.iface) {
        xf_hear_neighbor(ctx, &v);
    }
}

/* Sends the frame out of 'way'. */
static void
xf_leave_link(struct xlate_ctx *ctx, const struct xf_way *way,
              const struct xvlan *xvlan)
{
    const struct xf_hop_side *out = xf_way_out(way);
    const struct xport *port = xf_port_by_name(ctx->xbridge, out->port);
    struct xvlan x = xf_in_vlan(xvlan, out->vlan);

    xlate_report(ctx, OFT_DETAIL, "link %s generation %"PRIu64": to %s VLAN "
                 "%"PRIu16"%s", way->hop->link, way->hop->generation,
                 out->port, out->vlan,
                 xf_hop_is_transfer(way->hop) ? " (transfer)" : "");
    if (!port || !port->xbundle) {
        xlate_report(ctx, OFT_WARN, "bridge %s has no port %s, dropping",
                     ctx->xbridge->name, out->port);
    } else if (xf_is_router_port(port)) {
        xf_enter_router(ctx, way, port, &x);
    } else {
        if (!out->vlan) {
            xvlan_pop(&x);
        }
        xf_output_side(ctx, way, port, &x);
    }
}

/* In NORMAL switching of a frame that entered through 'in_xbundle' into the
 * segment 'xvlan': returns true if a link took it. */
static bool
xf_xlate_link(struct xlate_ctx *ctx, const struct xf_engine *engine,
              const struct xbundle *in_xbundle, const struct xvlan *xvlan)
{
    uint16_t vlan = xvlan->v[0].vid;
    bool taken;
    const struct xf_way *way = xf_find_way(engine, ctx->xbridge, in_xbundle,
                                           vlan, &taken);
    if (!way) {
        if (xf_looks_like_probe(&ctx->xin->flow)) {
            /* Of a way that isn't complete: it must not get astray. */
            xlate_report(ctx, OFT_DETAIL, "a probe of no link here, dropping");
            taken = true;
        } else if (taken) {
            xlate_report(ctx, OFT_DETAIL, "VLAN %"PRIu16" belongs to a link "
                         "that doesn't come by %s, dropping", vlan,
                         in_xbundle->name);
        }
        return taken;
    }

    const struct xf_hop_side *in = &way->hop->sides[way->in];
    bool is_vif = strcmp(in->port, in_xbundle->name);
    bool from_end = (is_vif || in->edge || xf_is_router_bundle(in_xbundle));

    if (xf_take_probe(ctx, engine, way, from_end)) {
        return true;
    }
    if (from_end && !in->edge && xf_hop_is_transfer(way->hop)) {
        xlate_report(ctx, OFT_DETAIL, "link %s has no way here but a "
                     "transfer, dropping", way->hop->link);
        return true;
    }
    xf_add_credit(ctx, xf_credit_traffic(way->hop->stats[way->in], NULL));
    if (is_vif && eth_addr_is_multicast(ctx->xin->flow.dl_dst)) {
        xf_hear_machine(ctx, engine, way, xvlan);
    }
    xf_leave_link(ctx, way, xvlan);
    return true;
}

#endif /* seam/xf-xlate-link.h */
