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

/* Translation through a virtual router.
 * =====================================
 *
 * What
 * ----
 * This file ends ofproto-dpif-xlate.c, which includes it: translation's context
 * is private to that file, and so the patch to it stays a handful of calls.
 *
 * A frame comes to a router in two ways.  In NORMAL switching, a unicast frame
 * whose (VLAN, destination MAC) is a router's interface is claimed before the
 * MAC table is asked.  And whatever is output to the router's port by an
 * OpenFlow rule, or flooded, arrives there as at a patch port.
 *
 * The rule table decides.  To forward, the flow gets its new MACs and VLAN and
 * enters table 0 again with the router's port as in_port, so that users' rules,
 * NORMAL, mirrors and meters apply; what that yields becomes the "forward" list
 * of one datapath action (seam/xf-odp.h), and the way to the VM its "punt"
 * list.
 *
 * Invariants
 * ----------
 * - The megaflow matches the destination bits that decided, the 5-tuple only if
 *   ECMP was used, and nothing of what the action checks per packet.
 * - What the router rewrites (MACs) is constant below it: matching on it there
 *   adds nothing to the megaflow.
 * - ARP and ND of the router's segments are heard, never consumed.
 *
 * Threads: any translating thread, inside RCU, no locks. */

#ifndef XF_XLATE_H
#define XF_XLATE_H 1

#include "engine/engine.h"
#include "engine/link.h"
#include "engine/role.h"
#include "seam/xf-credit.h"
#include "seam/xf-odp.h"
#include "seam/xf-snoop.h"
#include "seam/xf-switch.h"
#include "xenflow/actions.h"

/* A frame at a router's interface. */
struct xf_visit {
    struct xf_engine *engine;
    const struct xf_router *router;
    const struct xf_rt *rt;
    const struct xf_iface *iface;
    const struct xport *port;   /* The router's. */
    struct xvlan xvlan;         /* Segment the frame came from. */
};

static bool
xf_is_router_port(const struct xport *xport)
{
    return xport->netdev && !strcmp(netdev_get_type(xport->netdev), "xenflow");
}

static bool
xf_is_router_bundle(const struct xbundle *xbundle)
{
    if (ovs_list_is_empty(&xbundle->xports)) {
        return false;
    }
    return xf_is_router_port(CONTAINER_OF(ovs_list_front(&xbundle->xports),
                                          struct xport, bundle_node));
}

/* The port of bridge 'xbridge' called 'name', or NULL. */
static const struct xport *
xf_port_by_name(const struct xbridge *xbridge, const char *name)
{
    if (!name[0]) {
        return NULL;
    }

    const struct xport *xport
        = get_ofp_port(xbridge, xf_switch_port(xbridge->ofproto, name));
    return (xport && xport->netdev
            && !strcmp(netdev_get_name(xport->netdev), name) ? xport : NULL);
}

static void
xf_add_credit(struct xlate_ctx *ctx, struct xf_credit *credit)
{
    if (ctx->xin->resubmit_stats) {
        xf_credit_push(credit, ctx->xin->resubmit_stats);
    }
    if (ctx->xin->xcache) {
        xlate_cache_add_entry(ctx->xin->xcache, XC_XENFLOW)->xenflow = credit;
    } else {
        xf_credit_destroy(credit);
    }
}

/* ---- Neighbours. ---- */

static void
xf_hear_neighbor(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct flow *flow = &ctx->xin->flow;
    struct in6_addr ip;
    struct eth_addr mac;

    if (!xf_neighbor_of_flow(flow, ctx->wc, &ip, &mac)) {
        return;
    }

    const struct xport *vif = xf_port_by_name(ctx->xbridge, v->iface->vif);
    bool from_vm = vif && vif->ofp_port == flow->in_port.ofp_port;

    if (OVS_UNLIKELY(ctx->xin->trace)) {
        char s[INET6_ADDRSTRLEN];

        xlate_report(ctx, OFT_DETAIL, "router %s hears on %s that %s is at "
                     ETH_ADDR_FMT, xf_router_name(v->router), v->iface->name,
                     xf_addr_string(s, &ip), ETH_ADDR_ARGS(mac));
    }
    if (ctx->xin->allow_side_effects) {
        xf_add_credit(ctx, xf_credit_neighbor(v->router, v->iface, &ip, mac,
                                              from_vm));
    }
}

/* ---- Ways out. ---- */

static bool xf_output_elsewhere(struct xlate_ctx *, const struct xf_visit *,
                                const struct xport *vif);

/* Sends the frame, as it came, to the VM's back-end. */
static void
xf_output_vif(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct xport *vif = xf_port_by_name(ctx->xbridge, v->iface->vif);

    if (xf_output_elsewhere(ctx, v, vif)) {
        return;
    } else if (!vif || !vif->xbundle) {
        xlate_report(ctx, OFT_WARN, "router %s: interface %s has no back-end "
                     "port in bridge %s, dropping", xf_router_name(v->router),
                     v->iface->name, ctx->xbridge->name);
    } else if (vif->ofp_port == ctx->xin->flow.in_port.ofp_port) {
        xlate_report(ctx, OFT_DETAIL, "back-end port %s is the input port, "
                     "dropping", v->iface->vif);
    } else {
        output_normal(ctx, vif->xbundle, &v->xvlan);
    }
}

/* Gives the flow the headers it has after routing. */
static void
xf_rewrite_flow(struct flow *flow, const struct xf_rt_result *r)
{
    flow->dl_src = r->out->mac;
    flow->dl_dst = r->dmac;
    memset(flow->vlans, 0, sizeof flow->vlans);
    if (r->out->vlan) {
        flow->vlans[0].tpid = htons(ETH_TYPE_VLAN_8021Q);
        flow->vlans[0].tci = htons(r->out->vlan | VLAN_CFI);
    }
    if (flow->nw_ttl) {
        flow->nw_ttl--;
    }
}

/* Composes what happens to a packet that was routed.  'by_action': the datapath
 * rewrites MACs and TTL by our action, else by ordinary set actions. */
static void
xf_compose_forward(struct xlate_ctx *ctx, const struct xf_visit *v,
                   const struct xf_rt_result *r, bool by_action)
{
    struct flow old_flow = ctx->xin->flow;
    struct flow old_base = ctx->base_flow;
    struct eth_addr mask_src = ctx->wc->masks.dl_src;
    struct eth_addr mask_dst = ctx->wc->masks.dl_dst;

    xf_rewrite_flow(&ctx->xin->flow, r);
    if (by_action) {
        ctx->base_flow.dl_src = ctx->xin->flow.dl_src;
        ctx->base_flow.dl_dst = ctx->xin->flow.dl_dst;
        ctx->base_flow.nw_ttl = ctx->xin->flow.nw_ttl;
    }
    ctx->xin->flow.in_port.ofp_port = v->port->ofp_port;
    mirror_ingress_packet(ctx);
    ctx->xin->flow.in_port = old_flow.in_port;
    patch_port_output(ctx, v->port, CONST_CAST(struct xport *, v->port), true);

    ctx->xin->flow = old_flow;
    ctx->base_flow = old_base;
    if (by_action) {
        ctx->wc->masks.dl_src = mask_src;
        ctx->wc->masks.dl_dst = mask_dst;
    }
}

/* Composes the way to the VM, without a trace in mirrors and sFlow's count of
 * outputs: it is taken instead of the other way, not with it. */
static void
xf_compose_punt(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    struct flow old_base = ctx->base_flow;
    mirror_mask_t mirrors = ctx->mirrors;
    uint32_t n_outputs = ctx->sflow_n_outputs;
    odp_port_t odp_port = ctx->sflow_odp_port;
    ofp_port_t nf_iface = ctx->nf_output_iface;

    xf_output_vif(ctx, v);

    ctx->base_flow = old_base;
    ctx->mirrors = mirrors;
    ctx->sflow_n_outputs = n_outputs;
    ctx->sflow_odp_port = odp_port;
    ctx->nf_output_iface = nf_iface;
}

/* For a datapath that lacks the action: plain actions.  It can't see options
 * or lengths; TTL becomes part of the megaflow. */
static void
xf_compose_plain(struct xlate_ctx *ctx, const struct xf_visit *v,
                 const struct xf_rt_result *r)
{
    if (r->verdict == XF_FORWARD) {
        WC_MASK_FIELD(ctx->wc, nw_ttl);
        if (ctx->xin->flow.nw_ttl > 1) {
            xf_compose_forward(ctx, v, r, false);
            return;
        }
    }
    if (r->verdict != XF_DROP) {
        xf_compose_punt(ctx, v);
    }
}

static void
xf_compose_action(struct xlate_ctx *ctx, const struct xf_visit *v,
                  const struct xf_rt_result *r)
{
    struct xf_odp_spec spec;

    memset(&spec, 0, sizeof spec);
    spec.router = xf_router_id(v->router);
    spec.verdict = r->verdict;
    if (r->verdict == XF_FORWARD) {
        spec.mtu = r->out->mtu;
        spec.src = r->out->mac;
        spec.dst = r->dmac;
    } else if (r->verdict == XF_PUNT) {
        spec.reason = r->reason;
    }

    size_t start = ctx->odp_actions->size;
    size_t outer = nl_msg_start_nested(ctx->odp_actions,
                                       OVS_ACTION_ATTR_XENFLOW);
    nl_msg_put_unspec(ctx->odp_actions, XF_ODP_ATTR_SPEC, &spec, sizeof spec);
    if (r->verdict != XF_DROP) {
        size_t inner = nl_msg_start_nested(ctx->odp_actions, XF_ODP_ATTR_PUNT);
        xf_compose_punt(ctx, v);
        nl_msg_end_nested(ctx->odp_actions, inner);
    }
    if (r->verdict == XF_FORWARD) {
        size_t inner = nl_msg_start_nested(ctx->odp_actions,
                                           XF_ODP_ATTR_FORWARD);
        xf_compose_forward(ctx, v, r, true);
        nl_msg_end_nested(ctx->odp_actions, inner);
    }
    if (ctx->odp_actions->size - start > UINT16_MAX) {
        /* A netlink attribute can't say its length. */
        ctx->odp_actions->size = start;
        xlate_report_error(ctx, "router %s: too many datapath actions, "
                           "dropping", xf_router_name(v->router));
        return;
    }
    nl_msg_end_nested(ctx->odp_actions, outer);
}

/* ---- The decision. ---- */

/* Fills 'r' with a punt for 'reason'. */
static void
xf_set_punt(struct xf_rt_result *r, enum xf_punt_reason reason)
{
    memset(r, 0, sizeof *r);
    r->verdict = XF_PUNT;
    r->reason = reason;
}

/* The hash that picks among equal next hops. */
static uint32_t
xf_visit_hash(const struct xf_visit *v, const struct flow *flow,
             const struct in6_addr *src, const struct in6_addr *dst)
{
    bool ports = !(flow->nw_frag & FLOW_NW_FRAG_ANY)
                 && (flow->nw_proto == IPPROTO_TCP
                     || flow->nw_proto == IPPROTO_UDP
                     || flow->nw_proto == IPPROTO_SCTP);

    return xf_router_flow_hash(v->router, src, dst, flow->nw_proto,
                               ports ? flow->tp_src : 0,
                               ports ? flow->tp_dst : 0);
}

/* Un-wildcards what decided. */
static void
xf_mask_decision(const struct flow *flow, struct flow_wildcards *wc,
                 const struct xf_rt_result *r)
{
    bool v4 = flow->dl_type == htons(ETH_TYPE_IP);

    if (v4) {
        wc->masks.nw_dst |= be32_prefix_mask(r->n_bits);
    } else {
        struct in6_addr bits = ipv6_create_mask(r->n_bits);

        for (size_t i = 0; i < sizeof bits.s6_addr; i++) {
            wc->masks.ipv6_dst.s6_addr[i] |= bits.s6_addr[i];
        }
    }
    if (r->used_hash) {
        if (v4) {
            WC_MASK_FIELD(wc, nw_src);
            WC_MASK_FIELD(wc, nw_dst);
        } else {
            WC_MASK_FIELD(wc, ipv6_src);
            WC_MASK_FIELD(wc, ipv6_dst);
        }
        WC_MASK_FIELD(wc, nw_proto);
        if (!(flow->nw_frag & FLOW_NW_FRAG_ANY)) {
            WC_MASK_FIELD(wc, tp_src);
            WC_MASK_FIELD(wc, tp_dst);
        }
    }
}

static void
xf_decide(struct xlate_ctx *ctx, const struct xf_visit *v,
          struct xf_rt_result *r)
{
    const struct flow *flow = &ctx->xin->flow;
    struct in6_addr src, dst;

    WC_MASK_FIELD_MASK(ctx->wc, vlans[1].tci, htons(VLAN_CFI));
    if (flow->vlans[1].tci & htons(VLAN_CFI) || v->xvlan.v[1].tpid) {
        xf_set_punt(r, XF_PUNT_NON_IP);
        return;
    }
    if (flow->dl_type == htons(ETH_TYPE_IP)) {
        in6_addr_set_mapped_ipv4(&src, flow->nw_src);
        in6_addr_set_mapped_ipv4(&dst, flow->nw_dst);
    } else if (flow->dl_type == htons(ETH_TYPE_IPV6)) {
        src = flow->ipv6_src;
        dst = flow->ipv6_dst;
        if (IN6_IS_ADDR_V4MAPPED(&dst)) {
            /* Not to be taken for an IPv4 address. */
            xf_set_punt(r, XF_PUNT_SPECIAL);
            r->n_bits = XF_V4_OFS;
            xf_mask_decision(flow, ctx->wc, r);
            return;
        }
    } else {
        xf_set_punt(r, XF_PUNT_NON_IP);
        return;
    }
    xf_rt_lookup(v->rt, &dst, xf_visit_hash(v, flow, &src, &dst), r);
    xf_mask_decision(flow, ctx->wc, r);
}

/* Says in a trace what was decided and why. */
static void
xf_report_decision(struct xlate_ctx *ctx, const struct xf_visit *v,
                   const struct xf_rt_result *r)
{
    if (OVS_LIKELY(!ctx->xin->trace)) {
        return;
    }

    char addr[INET6_ADDRSTRLEN];
    struct ds s = DS_EMPTY_INITIALIZER;

    ds_put_format(&s, "router %s, in %s: ", xf_router_name(v->router),
                  v->iface->name);
    if (r->has_route) {
        ds_put_format(&s, "%s/%"PRIu8" (%"PRIu8" bits decided)",
                      xf_addr_string(addr, &r->prefix.addr), r->prefix.len,
                      r->n_bits);
    }
    if (r->out) {
        ds_put_format(&s, " via %s dev %s",
                      xf_addr_string(addr, &r->nexthop), r->out->name);
    }
    if (r->verdict == XF_FORWARD) {
        ds_put_format(&s, ": forward to "ETH_ADDR_FMT" vlan %"PRIu16
                      " mtu %"PRIu16, ETH_ADDR_ARGS(r->dmac), r->out->vlan,
                      r->out->mtu);
        if (ctx->xin->flow.nw_ttl <= 1) {
            ds_put_cstr(&s, " (a packet with this TTL is punted)");
        }
    } else if (r->verdict == XF_PUNT) {
        ds_put_format(&s, "%spunt to %s (%s)", r->has_route ? ": " : "",
                      v->iface->vif[0] ? v->iface->vif : "nowhere",
                      xf_punt_reason_name(r->reason));
    } else {
        ds_put_cstr(&s, ": blackhole, drop");
    }
    xlate_report(ctx, OFT_DETAIL, "%s", ds_cstr(&s));
    ds_destroy(&s);
}

/* Composes what 'r' says. */
static void
xf_compose(struct xlate_ctx *ctx, const struct xf_visit *v,
           const struct xf_rt_result *r)
{
    xlate_commit_actions(ctx);
    if (ctx->xbridge->support.xenflow) {
        xf_compose_action(ctx, v, r);
    } else {
        xf_compose_plain(ctx, v, r);
    }
}

/* ---- Translation "fib". ---- */

/* True if the bridge that the packet entered by exports what becomes of it, to
 * sFlow, NetFlow or IPFIX: then the translation must know. */
static bool
xf_is_exported(const struct xlate_ctx *ctx)
{
    const struct xbridge *in = xbridge_lookup(ctx->xcfg, ctx->xin->ofproto);

    return in && (in->sflow || in->netflow || in->ipfix);
}

/* True if packets are looked up by the datapath, one by one.  Not where each
 * packet has the same fate anyway. */
static bool
xf_is_fib(const struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct flow *flow = &ctx->xin->flow;

    WC_MASK_FIELD_MASK(ctx->wc, vlans[1].tci, htons(VLAN_CFI));
    return (ctx->xbridge->support.xenflow && xf_router_is_fib(v->router)
            && !xf_is_exported(ctx) && is_ip_any(flow)
            && !(flow->vlans[1].tci & htons(VLAN_CFI))
            && !v->xvlan.v[1].tpid);
}

/* The id by which a packet goes on behind the router: in table 0 of its bridge,
 * with its port as the input port.  0 if there is none left. */
static uint32_t
xf_recirc_id(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    struct flow flow;

    memset(&flow, 0, sizeof flow);
    flow.in_port.ofp_port = v->port->ofp_port;
    flow.actset_output = OFPP_UNSET;

    struct frozen_state state = {
        .ofproto_uuid = ctx->xbridge->ofproto->uuid,
        .mirrors = ctx->mirrors,
        .xport_uuid = v->port->uuid,
    };
    frozen_metadata_from_flow(&state.metadata, &flow);

    uint32_t id = recirc_alloc_id_ctx(&state);
    if (id) {
        recirc_refs_add(&ctx->xout->recircs, id);
    } else {
        xlate_report_error(ctx, "Failed to allocate recirculation id");
        ctx->error = XLATE_NO_RECIRCULATION_CONTEXT;
    }
    return id;
}

/* In a trace: says what the datapath will do with this packet, and has it traced
 * behind the router. */
static void
xf_explain_fib(struct xlate_ctx *ctx, const struct xf_visit *v,
               uint32_t recirc_id)
{
    if (OVS_LIKELY(!ctx->xin->trace)) {
        return;
    }

    struct flow_wildcards old_wc = *ctx->wc;
    struct xf_rt_result r;

    xf_decide(ctx, v, &r);
    xf_report_decision(ctx, v, &r);
    *ctx->wc = old_wc;
    if (r.verdict == XF_FORWARD && ctx->xin->flow.nw_ttl > 1
        && ctx->xin->recirc_queue) {
        struct flow flow = ctx->xin->flow;

        xf_rewrite_flow(&flow, &r);
        oftrace_add_recirc_node(ctx->xin->recirc_queue, OFT_RECIRC_BOND,
                                &flow, NULL, ctx->xin->packet, recirc_id, 0);
    }
}

/* Composes the action that lets the datapath look each packet up. */
static void
xf_compose_fib(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    struct xf_odp_spec spec;

    xlate_commit_actions(ctx);
    memset(&spec, 0, sizeof spec);
    spec.router = xf_router_id(v->router);
    spec.verdict = XF_ODP_FIB;

    uint32_t recirc_id = xf_recirc_id(ctx, v);
    if (!recirc_id) {
        return;
    }
    xf_explain_fib(ctx, v, recirc_id);
    if (ctx->conntracked || ctx->xin->frozen_state) {
        /* Behind the router the packet is an untracked one. */
        nl_msg_put_flag(ctx->odp_actions, OVS_ACTION_ATTR_CT_CLEAR);
    }
    size_t outer = nl_msg_start_nested(ctx->odp_actions,
                                       OVS_ACTION_ATTR_XENFLOW);
    nl_msg_put_unspec(ctx->odp_actions, XF_ODP_ATTR_SPEC, &spec, sizeof spec);
    nl_msg_put_u32(ctx->odp_actions, XF_ODP_ATTR_RECIRC, recirc_id);
    size_t inner = nl_msg_start_nested(ctx->odp_actions, XF_ODP_ATTR_PUNT);
    xf_compose_punt(ctx, v);
    nl_msg_end_nested(ctx->odp_actions, inner);
    nl_msg_end_nested(ctx->odp_actions, outer);
}

/* Routes a unicast frame for the router's own MAC, or gives it to the VM that
 * does so. */
static void
xf_forward(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    struct xf_rt_result r;

    if (!xf_router_is_separated(v->router)) {
        xlate_report(ctx, OFT_DETAIL, "router %s: planes not separated",
                     xf_router_name(v->router));
        xf_output_vif(ctx, v);
        return;
    }

    if (xf_is_fib(ctx, v)) {
        xf_compose_fib(ctx, v);
        return;
    }
    if (is_ip_any(&ctx->xin->flow)) {
        xf_router_note_translated(v->router);
    }
    xf_decide(ctx, v, &r);
    xf_report_decision(ctx, v, &r);
    if (r.route_stat || r.neigh_stat) {
        xf_add_credit(ctx, xf_credit_traffic(r.route_stat, r.neigh_stat));
    }
    xf_compose(ctx, v, &r);
}

/* ---- Rules before routing. ---- */

#include "seam/xf-xlate-rules.h"

/* What comes before routing.  Returns false if nothing does. */
static bool
xf_apply_rules(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    WC_MASK_FIELD(ctx->wc, dl_dst);
    return !xf_filters_permit(ctx, v) || xf_flows_take(ctx, v);
}

/* Receives a unicast frame for the router's own MAC. */
static void
xf_receive(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    WC_MASK_FIELD(ctx->wc, dl_dst);
    xf_hear_neighbor(ctx, v);
    if (!xf_apply_rules(ctx, v)) {
        xf_forward(ctx, v);
    }
}

/* ---- Ways in. ---- */

static bool
xf_claim_in_bridge(const struct xf_router *router, const void *xbridge_)
{
    const struct xbridge *xbridge = xbridge_;

    return xf_port_by_name(xbridge, xf_router_name(router)) != NULL;
}

/* In NORMAL switching of a frame that entered through 'in_xbundle' into the
 * segment 'xvlan': returns true if a router took it. */
static bool
xf_xlate_claim(struct xlate_ctx *ctx, const struct xbundle *in_xbundle,
               const struct xvlan *xvlan)
{
    const struct eth_addr mac = ctx->xin->flow.dl_dst;
    struct xf_visit v = { .engine = xf_switch_engine(), .xvlan = *xvlan };

    if (!v.engine || eth_addr_is_multicast(mac)) {
        return false;
    }
    v.router = xf_engine_claim(v.engine, xvlan->v[0].vid, mac,
                               xf_claim_in_bridge, ctx->xbridge);
    if (!v.router) {
        return false;
    }
    v.rt = xf_router_rt(v.router);
    v.iface = xf_rt_iface_by_segment(v.rt, xvlan->v[0].vid, mac);
    v.port = xf_port_by_name(ctx->xbridge, xf_router_name(v.router));
    if (!v.iface || !v.port || v.port->xbundle == in_xbundle) {
        return false;
    }
    if (!xf_router_is_separated(v.router)) {
        /* What no rule takes is switched to the VM, as any frame. */
        return xf_apply_rules(ctx, &v);
    }
    xf_receive(ctx, &v);
    return true;
}

/* The segment of a frame that is being output: its VLAN header, or else that
 * of the port it came in by. */
static void
xf_segment_of_output(struct xlate_ctx *ctx, struct xvlan *xvlan)
{
    const struct flow *flow = &ctx->xin->flow;
    struct xvlan in_xvlan;

    WC_MASK_FIELD_MASK(ctx->wc, vlans[0].tci, htons(VLAN_VID_MASK | VLAN_CFI));
    xvlan_extract(flow, &in_xvlan);
    *xvlan = in_xvlan;
    if (!in_xvlan.v[0].vid) {
        struct xbundle *in
            = lookup_input_bundle__(ctx->xbridge, flow->in_port.ofp_port,
                                    NULL);
        if (in && in != &ofpp_none_bundle) {
            xvlan_input_translate(in, &in_xvlan, xvlan);
        }
    }
}

/* In output to 'xport': returns true if it is a router's port, in which case
 * the frame was dealt with. */
static bool
xf_xlate_output(struct xlate_ctx *ctx, const struct xport *xport)
{
    struct xf_visit v = { .engine = xf_switch_engine(), .port = xport };

    if (!xf_is_router_port(xport)) {
        return false;
    }

    const char *name = netdev_get_name(xport->netdev);
    v.router = v.engine ? xf_engine_router(v.engine, name) : NULL;
    if (!v.router) {
        xlate_report(ctx, OFT_WARN, "no router is called %s: add it by "
                     "\"ovs-appctl xenflow/router-add\"", name);
        return true;
    }
    if (xf_router_role(v.router) != XF_ROLE_ROUTER) {
        xlate_report(ctx, OFT_DETAIL, "%s is a %s: its port takes no frames",
                     name, xf_role_name(xf_router_role(v.router)));
        return true;
    }
    v.rt = xf_router_rt(v.router);
    xf_segment_of_output(ctx, &v.xvlan);

    uint16_t vlan = v.xvlan.v[0].vid;
    if (eth_addr_is_multicast(ctx->xin->flow.dl_dst)) {
        while ((v.iface = xf_rt_iface_by_vlan(v.rt, vlan, v.iface))) {
            xf_hear_neighbor(ctx, &v);
        }
        return true;
    }
    v.iface = xf_rt_iface_by_segment(v.rt, vlan, ctx->xin->flow.dl_dst);
    if (v.iface) {
        xf_receive(ctx, &v);
    } else {
        xlate_report(ctx, OFT_DETAIL, "router %s: not its MAC in VLAN %"PRIu16,
                     name, vlan);
    }
    return true;
}

#include "seam/xf-xlate-link.h"
#include "seam/xf-xlate-roles.h"

#endif /* seam/xf-xlate.h */
