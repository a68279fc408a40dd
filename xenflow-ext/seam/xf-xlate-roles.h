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

/* Translation through virtual switches and middleboxes.
 * =====================================================
 *
 * What
 * ----
 * NORMAL switching hands over here, once it knows a frame's VLAN and has learned
 * its source.  In a VLAN without elements of these roles nothing happens.
 *
 * A switch joins VLANs.  The destination is looked for in all of them, in the
 * bridge's own MAC table; a frame goes out with the VLAN where it was found, or
 * to all ports of all of them.  That it is one table with an entry per (VLAN,
 * MAC), of which those of other joined VLANs go when a MAC is learned in one, is
 * what keeps aging, fairness, bounds, static entries and revalidation those of
 * the bridge.
 *
 * A middlebox is two ports (or one) of a VM, by which selected frames leave the
 * segment and come back to it.  What comes back goes on as if it had just
 * come from where its source is.  The ports belong to no segment: nothing is
 * learned there, nothing is flooded to them.
 *
 * Invariants
 * ----------
 * - Nothing here enters the pipeline again, so nothing here can loop.
 * - A frame never leaves by the port and VLAN where its source is.
 * - Frames on their way forward meet middleboxes by ascending id, those on
 *   their way back by descending id: each at most once.
 *
 * Threads: any translating thread, inside RCU; the MAC table's lock. */

#ifndef XF_XLATE_ROLES_H
#define XF_XLATE_ROLES_H 1

#include "engine/role.h"

/* A port of a middlebox. */
struct xf_leg {
    const struct xf_router *box;
    const struct xf_segment *segment;
    const struct xbundle *xbundle; /* NULL: the VM's port is missing. */
    bool usable;                /* It is there, up, and has a carrier. */
};

/* A segment with all that is joined to it. */
struct xf_net {
    const struct xf_router *sw; /* The switch that joins it; NULL: none. */
    uint16_t vlans[XF_JOINED_MAX]; /* The frame's own first. */
    size_t n_vlans;
    struct xf_leg legs[2 * XF_ELEMENTS_MAX]; /* By ascending id of box. */
    size_t n_legs;
    bool has_more;              /* Middleboxes beyond those. */
};

/* A frame's source: it doesn't go back there. */
struct xf_origin {
    const struct xbundle *xbundle; /* NULL: unknown. */
    uint16_t vlan;
};

/* ---- What there is. ---- */

static const struct xf_segment *
xf_segment_of_vlan(const struct xf_router *element, uint16_t vlan)
{
    const struct xf_segments *s = element ? xf_router_segments(element) : NULL;

    for (size_t i = 0; s && i < s->n; i++) {
        if (s->segments[i].vlan == vlan) {
            return &s->segments[i];
        }
    }
    return NULL;
}

/* The switch of this bridge that joins 'vlan', or NULL. */
static const struct xf_router *
xf_switch_of_vlan(const struct xbridge *xbridge,
                  const struct xf_engine *engine, uint16_t vlan)
{
    struct xf_router *switches[XF_ELEMENTS_MAX];

    if (!xf_engine_elements(engine, vlan, XF_ROLE_SWITCH, xf_claim_in_bridge,
                            xbridge, switches, 0)) {
        return NULL;
    }
    const struct xf_segment *s = xf_segment_of_vlan(switches[0], vlan);
    return (s && s->up && xf_router_is_separated(switches[0]) ? switches[0]
            : NULL);
}

static void
xf_add_legs(const struct xbridge *xbridge, const struct xf_router *box,
            struct xf_net *net)
{
    const struct xf_segments *s = xf_router_segments(box);

    for (size_t i = 0; i < MIN(s->n, 2); i++) {
        const struct xport *vif = xf_port_by_name(xbridge,
                                                  s->segments[i].vif);
        struct xf_leg *leg = &net->legs[net->n_legs++];

        leg->box = box;
        leg->segment = &s->segments[i];
        leg->xbundle = vif ? vif->xbundle : NULL;
        leg->usable = (leg->xbundle && s->segments[i].up
                       && !(vif->config & OFPUTIL_PC_PORT_DOWN)
                       && !(vif->state & OFPUTIL_PS_LINK_DOWN));
    }
}

/* Stores what there is in 'vlan' of 'xbridge'; returns false if it is a plain
 * VLAN. */
static bool
xf_net_init(struct xf_net *net, const struct xbridge *xbridge,
            const struct xf_engine *engine, uint16_t vlan)
{
    struct xf_router *boxes[XF_ELEMENTS_MAX];
    size_t n_boxes = 0;

    net->sw = xf_switch_of_vlan(xbridge, engine, vlan);
    net->vlans[0] = vlan;
    net->n_vlans = 1;
    net->n_legs = 0;
    net->has_more = false;
    if (net->sw) {
        const struct xf_segments *s = xf_router_segments(net->sw);

        for (size_t i = 0; i < s->n && net->n_vlans < XF_JOINED_MAX; i++) {
            if (s->segments[i].up && s->segments[i].vlan != vlan) {
                net->vlans[net->n_vlans++] = s->segments[i].vlan;
            }
        }
    }
    for (size_t i = 0; i < net->n_vlans; i++) {
        n_boxes = xf_engine_elements(engine, net->vlans[i],
                                     XF_ROLE_MIDDLEBOX, xf_claim_in_bridge,
                                     xbridge, boxes, n_boxes);
    }
    net->has_more = n_boxes >= XF_ELEMENTS_MAX;
    for (size_t i = 0; i < n_boxes; i++) {
        xf_add_legs(xbridge, boxes[i], net);
    }
    return net->sw || net->n_legs;
}

/* The leg that 'xbundle' is in 'vlan', or NULL. */
static const struct xf_leg *
xf_leg_of_bundle(const struct xf_net *net, const struct xbundle *xbundle,
                 uint16_t vlan)
{
    for (size_t i = 0; i < net->n_legs; i++) {
        if (net->legs[i].xbundle == xbundle
            && net->legs[i].segment->vlan == vlan) {
            return &net->legs[i];
        }
    }
    return NULL;
}

static void
xf_count(struct xlate_ctx *ctx, const struct xf_segment *segment,
         enum xf_segment_stat stat)
{
    if (segment) {
        xf_add_credit(ctx, xf_credit_traffic(segment->stats[stat], NULL));
    }
}

/* ---- MAC table. ---- */

/* Where 'mac' was seen last in 'net': its port, or NULL, and '*vlan'. */
static const struct xbundle *
xf_find_mac(const struct xlate_ctx *ctx, const struct xf_net *net,
            struct eth_addr mac, uint16_t *vlan)
{
    struct mac_learning *ml = ctx->xbridge->ml;
    const struct ofbundle *port = NULL;
    int best = INT_MAX;

    ovs_rwlock_rdlock(&ml->rwlock);
    for (size_t i = 0; i < net->n_vlans; i++) {
        const struct mac_entry *e = mac_learning_lookup(ml, mac,
                                                        net->vlans[i]);
        int age = e ? mac_entry_age(ml, e) : INT_MAX;

        if (e && age == MAC_ENTRY_AGE_STATIC_ENTRY) {
            age = -1;           /* What is stated is the best. */
        }
        if (e && (!port || age < best)) {
            port = mac_entry_get_port(ml, e);
            best = age;
            *vlan = net->vlans[i];
        }
    }
    ovs_rwlock_unlock(&ml->rwlock);

    return port ? xbundle_lookup(ctx->xcfg, port) : NULL;
}

/* Forgets 'mac' in the VLANs of 'net' but the first: it is there now. */
static void
xf_forget_elsewhere(struct mac_learning *ml, const struct xf_net *net,
                    struct eth_addr mac)
{
    ovs_rwlock_wrlock(&ml->rwlock);
    for (size_t i = 1; i < net->n_vlans; i++) {
        struct mac_entry *e = mac_learning_lookup(ml, mac, net->vlans[i]);

        if (e && mac_entry_age(ml, e) != MAC_ENTRY_AGE_STATIC_ENTRY) {
            mac_learning_expire(ml, e);
        }
    }
    ovs_rwlock_unlock(&ml->rwlock);
}

/* Whether the MAC table learns 'mac' in 'vlan' from 'in_xbundle': nothing from
 * the port of an element or of a middlebox's VM, which say where frames go,
 * not where they come from. */
static bool
xf_may_learn(const struct xbridge *xbridge, const struct xbundle *in_xbundle,
             struct eth_addr mac, uint16_t vlan)
{
    const struct xf_engine *engine = xf_switch_engine();
    struct mac_learning *ml = xbridge->ml;
    struct xf_net net;

    if (xf_is_router_bundle(in_xbundle)
        || (engine && xf_belongs_to_link(engine, xbridge, in_xbundle,
                                         vlan))) {
        return false;
    }
    if (!engine || !xf_net_init(&net, xbridge, engine, vlan)) {
        return true;
    }
    if (xf_leg_of_bundle(&net, in_xbundle, vlan)) {
        return false;
    }
    if (net.n_vlans > 1 && !eth_addr_is_multicast(mac)) {
        ovs_rwlock_rdlock(&ml->rwlock);
        const struct mac_entry *e = mac_learning_lookup(ml, mac, vlan);
        bool known = e && mac_entry_get_port(ml, e) == in_xbundle->ofbundle;
        ovs_rwlock_unlock(&ml->rwlock);

        if (!known) {
            xf_forget_elsewhere(ml, &net, mac);
        }
    }
    return true;
}

/* ---- Switch. ---- */

static bool
xf_may_flood(const struct xlate_ctx *ctx, const struct xf_net *net,
             struct xbundle *xbundle, const struct xbundle *in_xbundle,
             const struct xf_origin *origin, const struct xvlan *xvlan)
{
    uint16_t vlan = xvlan->v[0].vid;

    return (xbundle_includes_vlan(xbundle, xvlan)
            && xbundle->floodable
            && !(xbundle == origin->xbundle && vlan == origin->vlan)
            && !(xbundle == in_xbundle && xf_is_router_bundle(xbundle))
            && !xf_leg_of_bundle(net, xbundle, vlan)
            && !xbundle_mirror_out(ctx->xbridge, xbundle));
}

static void
xf_flood(struct xlate_ctx *ctx, const struct xf_net *net,
         const struct xbundle *in_xbundle, const struct xf_origin *origin,
         const struct xvlan *xvlan)
{
    uint16_t in_vlan = xvlan->v[0].vid;

    xf_count(ctx, xf_segment_of_vlan(net->sw, in_vlan), XF_SEGMENT_FLOODED);
    for (size_t i = 0; i < net->n_vlans; i++) {
        struct xvlan x = xf_in_vlan(xvlan, net->vlans[i]);
        struct xbundle *xbundle;

        if (net->vlans[i] != in_vlan) {
            xf_count(ctx, xf_segment_of_vlan(net->sw, net->vlans[i]),
                     XF_SEGMENT_TX);
        }
        LIST_FOR_EACH (xbundle, list_node, &ctx->xbridge->xbundles) {
            if (xf_may_flood(ctx, net, xbundle, in_xbundle, origin, &x)) {
                output_normal(ctx, xbundle, &x);
            }
        }
    }
    ctx->nf_output_iface = NF_OUT_FLOOD;
}

/* Sends the frame to where its destination is, or everywhere. */
static void
xf_switch_frame(struct xlate_ctx *ctx, const struct xf_net *net,
                const struct xbundle *in_xbundle,
                const struct xf_origin *origin, const struct xvlan *xvlan)
{
    struct eth_addr dst = ctx->xin->flow.dl_dst;
    uint16_t vlan = 0;
    const struct xbundle *out = xf_find_mac(ctx, net, dst, &vlan);

    if (!out || xf_leg_of_bundle(net, out, vlan)) {
        xlate_report(ctx, OFT_DETAIL, "no learned MAC for destination in %zu "
                     "VLANs, flooding", net->n_vlans);
        xf_flood(ctx, net, in_xbundle, origin, xvlan);
        return;
    }
    if (xbundle_mirror_out(ctx->xbridge, CONST_CAST(struct xbundle *, out))) {
        xlate_report(ctx, OFT_WARN, "learned port is a mirror port, dropping");
    } else if (out == origin->xbundle && vlan == origin->vlan) {
        xlate_report(ctx, OFT_DETAIL,
                     "learned port is where the source is, dropping");
    } else {
        struct xvlan x = xf_in_vlan(xvlan, vlan);

        xlate_report(ctx, OFT_DETAIL, "forwarding to learned port %s in VLAN "
                     "%"PRIu16, out->name, vlan);
        xf_count(ctx, xf_segment_of_vlan(net->sw, vlan), XF_SEGMENT_TX);
        output_normal(ctx, out, &x);
    }
}

/* Whether a router of any VLAN of 'net' takes the frame. */
static bool
xf_claim_in_net(struct xlate_ctx *ctx, const struct xf_net *net,
                const struct xbundle *in_xbundle, const struct xvlan *xvlan)
{
    for (size_t i = 0; i < net->n_vlans; i++) {
        struct xvlan x = (i ? xf_in_vlan(xvlan, net->vlans[i]) : *xvlan);

        if (xf_xlate_claim(ctx, in_xbundle, &x)) {
            if (i) {
                xf_count(ctx, xf_segment_of_vlan(net->sw, net->vlans[i]),
                         XF_SEGMENT_TX);
            }
            return true;
        }
    }
    return false;
}

/* ---- Middlebox. ---- */

/* The rule by which 'box' selects the frame in the direction of 'reverse', or
 * NULL. */
static const struct xf_rule *
xf_box_rule(struct xlate_ctx *ctx, const struct xf_router *box,
            const struct xf_net *net, bool reverse)
{
    const struct xf_rule_set *rules = xf_router_selections(box, reverse);
    const struct xport *in_port = get_ofp_port(
        ctx->xbridge, ctx->xin->flow.in_port.ofp_port);
    struct flow flow = ctx->xin->flow;

    if (!rules || xf_rule_set_is_empty(rules)
        || !xf_router_is_separated(box)) {
        return NULL;
    }
    /* Rules see the segment's VLAN, whatever the port's mode. */
    uint16_t pcp = ntohs(flow.vlans[0].tci) & VLAN_PCP_MASK;
    flow.vlans[0].tci = (net->vlans[0]
                         ? htons(net->vlans[0] | pcp | VLAN_CFI) : 0);
    return xf_rule_set_lookup(rules, &flow, in_port && in_port->netdev
                              ? netdev_get_name(in_port->netdev) : "",
                              ctx->wc);
}

/* The leg of 'box' that 'via' means; '*usable': whether a frame that goes there
 * can come back. */
static const struct xf_leg *
xf_leg_by_via(const struct xf_net *net, const struct xf_router *box,
              const struct xf_via *via, bool *usable)
{
    const struct xf_leg *found = NULL;
    const struct xf_leg *other = NULL;

    *usable = true;
    for (size_t i = 0; i < net->n_legs; i++) {
        const struct xf_leg *leg = &net->legs[i];

        if (leg->box == box) {
            *usable = *usable && leg->usable;
            if (!strcmp(leg->segment->name, via->port)) {
                found = leg;
            } else {
                other = leg;
            }
        }
    }
    found = via->other && other ? other : found;
    *usable = *usable && found;
    return found;
}

/* Hands the frame, which 'rule' of 'box' selected, to the VM; returns false if
 * it can't and the frame passes the middlebox by. */
static bool
xf_visit_box(struct xlate_ctx *ctx, const struct xf_net *net,
             const struct xf_router *box, const struct xf_rule *rule,
             const struct xvlan *xvlan)
{
    const struct xf_via *via = rule->payload;
    bool fails_open = xf_router_segments(box)->fails_open;
    bool usable;
    const struct xf_leg *leg = xf_leg_by_via(net, box, via, &usable);
    const struct xf_segment *segment = leg ? leg->segment : NULL;

    xf_add_credit(ctx, xf_credit_traffic(rule->stat, NULL));
    if (usable) {
        struct xvlan x = xf_in_vlan(xvlan, segment->vlan);

        xlate_report(ctx, OFT_DETAIL, "middlebox %s: to %s by port %s",
                     xf_router_name(box), leg->xbundle->name,
                     segment->name);
        xf_count(ctx, segment, XF_SEGMENT_TX);
        output_normal(ctx, leg->xbundle, &x);
        return true;
    }
    xlate_report(ctx, OFT_WARN, "middlebox %s: its VM's ports aren't all there "
                 "and up, %s", xf_router_name(box),
                 fails_open ? "passing it by" : "dropping");
    xf_count(ctx, segment,
             fails_open ? XF_SEGMENT_BYPASSED : XF_SEGMENT_REFUSED);
    return !fails_open;
}

/* Whether a middlebox takes the frame, which comes from 'from' or, if that is
 * NULL, from elsewhere. */
static bool
xf_select(struct xlate_ctx *ctx, const struct xf_net *net,
          const struct xf_leg *from, const struct xvlan *xvlan,
          bool reverse)
{
    const struct xf_router *last = NULL;

    for (size_t i = 0; i < net->n_legs; i++) {
        const struct xf_leg *leg
            = &net->legs[reverse ? net->n_legs - 1 - i : i];
        const struct xf_rule *rule;

        if (leg->box == last
            || (from && (reverse
                         ? xf_router_id(leg->box) >= xf_router_id(from->box)
                         : xf_router_id(leg->box)
                           <= xf_router_id(from->box)))) {
            continue;
        }
        last = leg->box;
        rule = xf_box_rule(ctx, leg->box, net, reverse);
        if (rule && xf_visit_box(ctx, net, leg->box, rule, xvlan)) {
            return true;
        }
    }
    return false;
}

/* ---- The way in. ---- */

/* In NORMAL switching of a frame that entered through 'in_xbundle' into the
 * segment 'xvlan': returns true if it was dealt with, as in virtual links and in
 * segments with a switch or a middlebox. */
static bool
xf_xlate_segment(struct xlate_ctx *ctx, const struct xbundle *in_xbundle,
                 const struct xvlan *xvlan)
{
    const struct xf_engine *engine = xf_switch_engine();
    uint16_t vlan = xvlan->v[0].vid;
    struct xf_origin origin = { in_xbundle, vlan };
    struct xf_net net;

    if (!engine) {
        return false;
    }
    if (xf_xlate_link(ctx, engine, in_xbundle, xvlan)) {
        return true;
    }
    if (!xf_net_init(&net, ctx->xbridge, engine, vlan)) {
        return false;
    }

    if (net.has_more) {
        /* It might miss one that has to see it. */
        xlate_report_error(ctx, "VLAN %"PRIu16" is joined to %d or more "
                           "middleboxes, dropping", vlan, XF_ELEMENTS_MAX);
        return true;
    }

    const struct xf_leg *from = xf_leg_of_bundle(&net, in_xbundle, vlan);
    if (from) {
        xlate_report(ctx, OFT_DETAIL, "middlebox %s: back by port %s",
                     xf_router_name(from->box), from->segment->name);
        xf_count(ctx, from->segment, XF_SEGMENT_RX);
        origin.xbundle = xf_find_mac(ctx, &net, ctx->xin->flow.dl_src,
                                     &origin.vlan);
    } else {
        xf_count(ctx, xf_segment_of_vlan(net.sw, vlan), XF_SEGMENT_RX);
    }
    if (!xf_select(ctx, &net, from, xvlan, false)
        && !xf_select(ctx, &net, from, xvlan, true)
        && !xf_claim_in_net(ctx, &net, in_xbundle, xvlan)) {
        xf_switch_frame(ctx, &net, in_xbundle, &origin, xvlan);
    }
    return true;
}

/* ---- Listing. ---- */

/* A MAC as copied out of the table. */
struct xf_listed_mac {
    struct eth_addr mac;
    int age_s;
    const void *port;
};

/* Copies what 'ml' has in 'vlan': the lock isn't held for longer. */
static struct xf_listed_mac *
xf_copy_macs(struct mac_learning *ml, uint16_t vlan, size_t *np)
{
    struct xf_listed_mac *macs;
    const struct mac_entry *e;
    size_t n = 0;

    ovs_rwlock_rdlock(&ml->rwlock);
    macs = xmalloc(MAX(1, hmap_count(&ml->table)) * sizeof *macs);
    HMAP_FOR_EACH (e, hmap_node, &ml->table) {
        if (e->vlan == vlan) {
            int age = mac_entry_age(ml, e);

            macs[n].mac = e->mac;
            macs[n].age_s = age == MAC_ENTRY_AGE_STATIC_ENTRY ? -1 : age;
            macs[n++].port = mac_entry_get_port(ml, e);
        }
    }
    ovs_rwlock_unlock(&ml->rwlock);
    *np = n;
    return macs;
}

static int
xf_compare_macs(const void *a_, const void *b_)
{
    const struct xf_listed_mac *a = a_;
    const struct xf_listed_mac *b = b_;

    return eth_addr_compare_3way(a->mac, b->mac);
}

/* See seam/xf-switch.h. */
void
xf_xlate_for_each_mac(const char *bridge, uint16_t vlan,
                      bool (*cb)(struct eth_addr, const char *port,
                                 int age_s, void *aux),
                      void *aux)
{
    struct xlate_cfg *xcfg = ovsrcu_get(struct xlate_cfg *, &xcfgp);
    const struct xbridge *xbridge;

    HMAP_FOR_EACH (xbridge, hmap_node, &xcfg->xbridges) {
        if (!strcmp(xbridge->name, bridge)) {
            size_t n;
            struct xf_listed_mac *macs = xf_copy_macs(xbridge->ml, vlan, &n);
            bool more = true;

            qsort(macs, n, sizeof *macs, xf_compare_macs);
            for (size_t i = 0; i < n && more; i++) {
                const struct xbundle *xbundle
                    = xbundle_lookup(xcfg, macs[i].port);

                more = cb(macs[i].mac, xbundle ? xbundle->name : "",
                          macs[i].age_s, aux);
            }
            free(macs);
            return;
        }
    }
}

#endif /* seam/xf-xlate-roles.h */
