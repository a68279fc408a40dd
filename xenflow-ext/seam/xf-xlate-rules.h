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

/* A router's filters and flows, in translation.
 * =============================================
 *
 * Part of seam/xf-xlate.h, which includes this file in its middle; see there.
 *
 * What rules see: a unicast frame that came to the router, before routing.
 * Filters see the IP packets among them, ND for the router itself excepted,
 * which is to IPv6 what ARP is to IPv4.  Multicast and broadcast frames are
 * ordinary switching: they come to the VM as to each member of the segment.
 *
 * "dl_vlan" is the VLAN of the segment, whether the frame has a header or came
 * in by an access port; "in_port" is the name of the port.
 *
 * Invariants
 * ----------
 * - The megaflow matches what the classifier looked at, no more.
 * - A flow's changes of headers end with the visit.
 * - Frames that flows send from router to router in a circle end with an error
 *   of translation, as resubmissions do. */

/* The frame as rules see it: 'key', and the name of its input port, or "". */
static const char *
xf_rules_key(const struct xlate_ctx *ctx, const struct xf_visit *v,
             struct flow *key)
{
    const struct xport *in = get_ofp_port(ctx->xbridge,
                                          ctx->xin->flow.in_port.ofp_port);
    uint16_t vid = v->xvlan.v[0].vid;

    *key = ctx->xin->flow;
    if (vid && !(key->vlans[0].tci & htons(VLAN_CFI))) {
        key->vlans[0].tpid = htons(ETH_TYPE_VLAN_8021Q);
        key->vlans[0].tci = htons(VLAN_CFI | vid);
    }
    return in && in->netdev ? netdev_get_name(in->netdev) : "";
}

/* Looks 'rs' up, counts the packet for the rule, and says so in a trace. */
static const struct xf_rule *
xf_rules_lookup(struct xlate_ctx *ctx, const struct xf_visit *v,
                const struct xf_rule_set *rs, const char *kind)
{
    struct flow key;
    const char *in_port = xf_rules_key(ctx, v, &key);
    const struct xf_rule *rule = xf_rule_set_lookup(rs, &key, in_port,
                                                    ctx->wc);

    if (rule && OVS_UNLIKELY(ctx->xin->trace)) {
        struct ds s = DS_EMPTY_INITIALIZER;
        struct xf_match m;

        xf_rule_get_match(rule, &m);
        xf_match_format(&m, &s);
        xlate_report(ctx, OFT_DETAIL, "router %s: %s \"%s\" priority %d",
                     xf_router_name(v->router), kind, ds_cstr(&s),
                     xf_rule_priority(rule));
        ds_destroy(&s);
    }
    return rule;
}

/* ---- Filters. ---- */

/* Whether the frame is neighbour discovery with the router itself. */
static bool
xf_is_own_nd(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct flow *flow = &ctx->xin->flow;
    struct xf_rt_result r;

    if (!is_nd(flow, ctx->wc)) {
        return false;
    }
    WC_MASK_FIELD(ctx->wc, nw_ttl);
    if (flow->nw_ttl != 255) {
        return false;
    }
    xf_rt_lookup(v->rt, &flow->ipv6_dst, 0, &r);
    xf_mask_decision(flow, ctx->wc, &r);
    return (r.verdict == XF_PUNT
            && (r.reason == XF_PUNT_LOCAL || r.reason == XF_PUNT_SPECIAL));
}

/* Asks the router's filters.  Returns false if the packet is denied. */
static bool
xf_filters_permit(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    const struct flow *flow = &ctx->xin->flow;

    if (!xf_router_has_filters(v->router)
        || (flow->dl_type != htons(ETH_TYPE_IP)
            && (flow->dl_type != htons(ETH_TYPE_IPV6)
                || xf_is_own_nd(ctx, v)))) {
        return true;
    }

    const struct xf_rule *rule
        = xf_rules_lookup(ctx, v, xf_router_filters(v->router), "filter");
    const struct xf_filter *filter = rule ? rule->payload : NULL;
    bool permit = (filter ? filter->permit
                   : !xf_router_denies_by_default(v->router));

    xf_add_credit(ctx, xf_credit_traffic(
        rule ? rule->stat : xf_router_default_stat(v->router),
        permit ? NULL : xf_router_denied_stat(v->router)));
    xlate_report(ctx, OFT_DETAIL, "router %s: %s%s", xf_router_name(v->router),
                 permit ? "permitted" : "denied, dropping",
                 rule ? "" : " by default");
    return permit;
}

/* ---- Flows. ---- */

/* Carries out one step that changes headers or the queue. */
static void
xf_flow_change(struct xlate_ctx *ctx, const struct xf_step *step)
{
    uint64_t stub[64 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);

    switch (step->type) {
    case XF_STEP_SET_QUEUE:
        ofpact_put_SET_QUEUE(&ofpacts)->queue_id = step->number;
        break;
    case XF_STEP_VLAN_VID: {
        struct ofpact_vlan_vid *a = ofpact_put_SET_VLAN_VID(&ofpacts);
        a->vlan_vid = step->number;
        a->push_vlan_if_needed = true;
        break;
    }
    case XF_STEP_VLAN_PCP: {
        struct ofpact_vlan_pcp *a = ofpact_put_SET_VLAN_PCP(&ofpacts);
        a->vlan_pcp = step->number;
        a->push_vlan_if_needed = true;
        break;
    }
    case XF_STEP_STRIP_VLAN:
        ofpact_put_STRIP_VLAN(&ofpacts);
        break;
    case XF_STEP_DL_SRC:
        ofpact_put_SET_ETH_SRC(&ofpacts)->mac = step->mac;
        break;
    case XF_STEP_DL_DST:
        ofpact_put_SET_ETH_DST(&ofpacts)->mac = step->mac;
        break;
    case XF_STEP_NW_SRC:
        ofpact_put_SET_IPV4_SRC(&ofpacts)->ipv4 = step->ip;
        break;
    case XF_STEP_NW_DST:
        ofpact_put_SET_IPV4_DST(&ofpacts)->ipv4 = step->ip;
        break;
    case XF_STEP_NW_TOS:
        ofpact_put_SET_IP_DSCP(&ofpacts)->dscp = step->number;
        break;
    case XF_STEP_TP_SRC:
        ofpact_put_SET_L4_SRC_PORT(&ofpacts)->port = step->number;
        break;
    case XF_STEP_TP_DST:
        ofpact_put_SET_L4_DST_PORT(&ofpacts)->port = step->number;
        break;
    case XF_STEP_OUTPUT:
    case XF_STEP_IN_PORT:
    case XF_STEP_NORMAL:
    case XF_STEP_PUNT:
        OVS_NOT_REACHED();
    }
    do_xlate_actions(ofpacts.data, ofpacts.size, ctx, false, false);
    ofpbuf_uninit(&ofpacts);
}

/* Outputs the frame as it is to the port called 'name', VLAN header and all. */
static void
xf_flow_output(struct xlate_ctx *ctx, const struct xf_visit *v,
               const char *name)
{
    const struct xport *out = xf_port_by_name(ctx->xbridge, name);

    if (!out) {
        xlate_report(ctx, OFT_WARN, "router %s: bridge %s has no port %s, "
                     "dropping", xf_router_name(v->router),
                     ctx->xbridge->name, name);
    } else if (out == v->port) {
        xlate_report(ctx, OFT_WARN, "router %s: output to the router itself, "
                     "dropping", name);
    } else if (out->ofp_port == ctx->xin->flow.in_port.ofp_port) {
        xlate_report(ctx, OFT_DETAIL, "router %s: %s is the input port, "
                     "skipping", xf_router_name(v->router), name);
    } else {
        compose_output_action(ctx, out->ofp_port, NULL, false, false);
    }
}

/* Outputs the frame as it is to the port that it came in by. */
static void
xf_flow_output_in_port(struct xlate_ctx *ctx)
{
    ofp_port_t in_port = ctx->xin->flow.in_port.ofp_port;

    ctx->xin->flow.in_port.ofp_port = OFPP_NONE;
    compose_output_action(ctx, in_port, NULL, false, false);
    ctx->xin->flow.in_port.ofp_port = in_port;
}

/* "normal": the frame is routed, if it is still one for the router's interface
 * in its segment, else switched.  'came' is how it came. */
static void
xf_flow_normal(struct xlate_ctx *ctx, const struct xf_visit *v,
               const struct flow *came)
{
    const struct flow *flow = &ctx->xin->flow;

    if (!eth_addr_equals(flow->dl_dst, came->dl_dst)
        || (flow->vlans[0].tci ^ came->vlans[0].tci)
           & htons(VLAN_VID_MASK | VLAN_CFI)) {
        xlate_normal(ctx);
    } else {
        xf_forward(ctx, v);
    }
}

static void
xf_flow_steps(struct xlate_ctx *ctx, const struct xf_visit *v,
              const struct xf_flow_actions *actions)
{
    struct flow came = ctx->xin->flow;

    for (size_t i = 0; i < actions->n && !ctx->error; i++) {
        const struct xf_step *step = &actions->steps[i];

        switch (step->type) {
        case XF_STEP_OUTPUT:
            xf_flow_output(ctx, v, step->port);
            break;
        case XF_STEP_IN_PORT:
            xf_flow_output_in_port(ctx);
            break;
        case XF_STEP_NORMAL:
            xf_flow_normal(ctx, v, &came);
            break;
        case XF_STEP_PUNT: {
            struct xf_rt_result r;
            xf_set_punt(&r, XF_PUNT_RULE);
            xf_compose(ctx, v, &r);
            break;
        }
        case XF_STEP_SET_QUEUE: case XF_STEP_VLAN_VID: case XF_STEP_VLAN_PCP:
        case XF_STEP_STRIP_VLAN: case XF_STEP_DL_SRC: case XF_STEP_DL_DST:
        case XF_STEP_NW_SRC: case XF_STEP_NW_DST: case XF_STEP_NW_TOS:
        case XF_STEP_TP_SRC: case XF_STEP_TP_DST:
            xf_flow_change(ctx, step);
            break;
        }
    }
    ctx->xin->flow = came;
}

/* Asks the router's flows.  Returns false if none matches: the frame goes on
 * as if there were none. */
static bool
xf_flows_take(struct xlate_ctx *ctx, const struct xf_visit *v)
{
    if (!xf_router_has_flows(v->router)) {
        return false;
    }

    const struct xf_rule *rule
        = xf_rules_lookup(ctx, v, xf_router_flows(v->router), "flow");
    if (!rule) {
        return false;
    }

    const struct xf_flow_actions *actions = rule->payload;
    xf_add_credit(ctx, xf_credit_traffic(rule->stat, NULL));
    if (!actions->n) {
        xlate_report(ctx, OFT_DETAIL, "router %s: drop",
                     xf_router_name(v->router));
    } else if (xlate_resubmit_resource_check(ctx)) {
        ctx->depth++;
        ctx->resubmits++;
        xf_flow_steps(ctx, v, actions);
        ctx->depth--;
    }
    return true;
}
