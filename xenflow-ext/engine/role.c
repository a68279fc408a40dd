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

#include "engine/engine-private.h"

#include "hash.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "util.h"

/* Elements that aren't routers: their segments, as readers see them, and what
 * is refused of their interfaces. */

/* An element's place in the index by VLAN. */
struct member {
    struct cmap_node cmap_node; /* In engine's 'members'. */
    struct ovs_list list_node;  /* In the element's 'members'. */
    struct xf_router *element;
    uint16_t vlan;
};

static uint32_t
member_hash(uint16_t vlan)
{
    return hash_int(vlan, 0);
}

/* The name of 'role' as operators write it. */
const char *
xf_role_name(enum xf_role role)
{
    switch (role) {
    case XF_ROLE_ROUTER:
        return "router";
    case XF_ROLE_SWITCH:
        return "switch";
    case XF_ROLE_MIDDLEBOX:
        return "middlebox";
    case XF_N_ROLES:
    default:
        OVS_NOT_REACHED();
    }
}

/* ---- Readers: any thread, RCU. ---- */

/* See engine/role.h. */
enum xf_role
xf_router_role(const struct xf_router *router)
{
    return router->role;
}

/* See engine/role.h. */
const struct xf_segments *
xf_router_segments(const struct xf_router *router)
{
    return ovsrcu_get(struct xf_segments *, &router->segments);
}

/* See engine/role.h. */
const struct xf_rule_set *
xf_router_selections(const struct xf_router *router, bool reverse)
{
    return router->selections[reverse];
}

/* Puts 'element' in its place, unless it is there already or there are too
 * many. */
static size_t
insert_element(struct xf_router *elements[XF_ELEMENTS_MAX], size_t n,
               struct xf_router *element)
{
    size_t i = n;

    while (i && elements[i - 1]->id > element->id) {
        i--;
    }
    if (i >= XF_ELEMENTS_MAX || (i && elements[i - 1] == element)) {
        return n;
    }
    n = MIN(n + 1, XF_ELEMENTS_MAX);
    memmove(&elements[i + 1], &elements[i],
            (n - i - 1) * sizeof elements[0]);
    elements[i] = element;
    return n;
}

/* See engine/role.h. */
size_t
xf_engine_elements(const struct xf_engine *engine, uint16_t vlan,
                   enum xf_role role,
                   bool (*match)(const struct xf_router *, const void *aux),
                   const void *aux,
                   struct xf_router *elements[XF_ELEMENTS_MAX], size_t n)
{
    const struct member *m;

    CMAP_FOR_EACH_WITH_HASH (m, cmap_node, member_hash(vlan),
                             &engine->members) {
        if (m->vlan == vlan && m->element->role == role
            && match(m->element, aux)) {
            n = insert_element(elements, n, m->element);
        }
    }
    return n;
}

/* ---- Engine's thread. ---- */

/* RCU callback. */
static void
segments_free(struct xf_segments *segments)
{
    for (size_t i = 0; segments && i < segments->n; i++) {
        for (int j = 0; j < XF_N_SEGMENT_STATS; j++) {
            xf_stat_unref(segments->segments[i].stats[j]);
        }
    }
    free(segments);
}

static void
publish(struct xf_router *element, struct xf_segments *new)
{
    struct xf_segments *old = ovsrcu_get_protected(struct xf_segments *,
                                                   &element->segments);

    ovsrcu_set(&element->segments, new);
    if (old) {
        ovsrcu_postpone(segments_free, old);
    }
}

static const struct xf_segment *
find_segment(const struct xf_segments *segments, const char *name)
{
    for (size_t i = 0; segments && i < segments->n; i++) {
        if (!strcmp(segments->segments[i].name, name)) {
            return &segments->segments[i];
        }
    }
    return NULL;
}

/* What collect_segment() works on. */
struct collect {
    const struct xf_segments *old;
    struct xf_segments *new;
};

static bool
collect_segment(const struct xf_iface *iface, void *c_)
{
    struct collect *c = c_;
    struct xf_segment *s = &c->new->segments[c->new->n++];
    const struct xf_segment *old = find_segment(c->old, iface->name);

    ovs_strlcpy_arrays(s->name, iface->name);
    ovs_strlcpy_arrays(s->vif, iface->vif);
    s->vlan = iface->vlan;
    s->up = iface->up;
    for (int i = 0; i < XF_N_SEGMENT_STATS; i++) {
        s->stats[i] = old ? xf_stat_ref(old->stats[i]) : xf_stat_create();
    }
    return true;
}

static int
compare_segments(const void *a_, const void *b_)
{
    const struct xf_segment *a = a_;
    const struct xf_segment *b = b_;

    return a->vlan != b->vlan ? (a->vlan < b->vlan ? -1 : 1)
                              : strcmp(a->name, b->name);
}

static void
remove_member(struct xf_engine *engine, struct member *m)
{
    cmap_remove(&engine->members, &m->cmap_node, member_hash(m->vlan));
    ovs_list_remove(&m->list_node);
    ovsrcu_postpone(free, m);
}

static bool
has_vlan(const struct xf_segments *segments, uint16_t vlan)
{
    for (size_t i = 0; i < segments->n; i++) {
        if (segments->segments[i].vlan == vlan) {
            return true;
        }
    }
    return false;
}

/* Brings the index in line with 'segments'. */
static void
update_members(struct xf_router *element, const struct xf_segments *segments)
{
    struct xf_engine *engine = element->engine;
    struct member *m;

    LIST_FOR_EACH_SAFE (m, list_node, &element->members) {
        if (!has_vlan(segments, m->vlan)) {
            remove_member(engine, m);
        }
    }
    for (size_t i = 0; i < segments->n; i++) {
        uint16_t vlan = segments->segments[i].vlan;
        bool found = false;

        LIST_FOR_EACH (m, list_node, &element->members) {
            found = found || m->vlan == vlan;
        }
        if (!found) {
            m = xzalloc(sizeof *m);
            m->element = element;
            m->vlan = vlan;
            ovs_list_push_back(&element->members, &m->list_node);
            cmap_insert(&engine->members, &m->cmap_node, member_hash(vlan));
        }
    }
}

/* Lets readers see the interfaces and settings of 'element' as they are
 * now. */
void
xf_role_update(struct xf_router *element)
{
    struct xf_rt_usage usage;

    xf_rt_get_usage(element->rt, &usage);

    struct collect c = {
        .old = ovsrcu_get_protected(struct xf_segments *,
                                    &element->segments),
        .new = xzalloc(sizeof *c.new
                       + usage.n_ifaces * sizeof c.new->segments[0]),
    };
    c.new->fails_open = element->config.fails_open;
    xf_rt_for_each_iface(element->rt, collect_segment, &c);
    ovs_assert(c.new->n == usage.n_ifaces);
    qsort(c.new->segments, c.new->n, sizeof c.new->segments[0],
          compare_segments);
    update_members(element, c.new);
    publish(element, c.new);
}

/* Makes what a new 'element' has because of its role. */
void
xf_role_init(struct xf_router *element)
{
    if (element->role == XF_ROLE_MIDDLEBOX) {
        for (int i = 0; i < 2; i++) {
            element->selections[i] = xf_rule_set_create(
                XF_RULES_MAX_DEFAULT, xf_retire, NULL);
        }
    }
    xf_role_update(element);
}

/* Lets readers see 'element' no more. */
void
xf_role_uninit(struct xf_router *element)
{
    struct member *m;

    LIST_FOR_EACH_SAFE (m, list_node, &element->members) {
        remove_member(element->engine, m);
    }
}

/* RCU callback: frees what xf_role_init() made. */
void
xf_role_free(struct xf_router *element)
{
    segments_free(ovsrcu_get_protected(struct xf_segments *,
                                       &element->segments));
    for (int i = 0; element->selections[0] && i < 2; i++) {
        xf_rule_set_destroy(element->selections[i]);
    }
}

/* ---- What is refused. ---- */

/* Interfaces of 'role' can't have the options of 'given'. */
static char * OVS_WARN_UNUSED_RESULT
check_options(const struct xf_router *element, uint32_t given)
{
    const char *bad = (given & XF_OPT_ADDRESS ? "address"
                       : given & XF_OPT_IFINDEX ? "ifindex"
                       : given & XF_OPT_MTU ? "mtu"
                       : given & XF_OPT_VIF
                         && element->role == XF_ROLE_SWITCH ? "vif" : NULL);

    return bad ? xasprintf("%s means nothing to a %s: '%s' takes vlan, %smac "
                           "and up", bad, xf_role_name(element->role),
                           element->name,
                           element->role == XF_ROLE_SWITCH ? "" : "vif, ")
               : NULL;
}

/* Whether both are known to be ports of the same bridge. */
static bool
same_bridge(const struct xf_router *a, const struct xf_router *b)
{
    const struct xf_switch *sw = a->engine->sw;
    char bridge_a[XF_NAME_MAX], bridge_b[XF_NAME_MAX];

    sw->router_binding(sw, a->name, bridge_a);
    sw->router_binding(sw, b->name, bridge_b);
    return bridge_a[0] && !strcmp(bridge_a, bridge_b);
}

/* The segment of another element of the same role and bridge that is in the
 * way of 'iface', or NULL.  '*n_others' is how many others there are in its
 * VLAN. */
static const struct xf_segment *
find_rival(const struct xf_router *element, const struct xf_iface *iface,
           const struct xf_router **rivalp, size_t *n_others)
{
    const struct member *m;

    *n_others = 0;

    CMAP_FOR_EACH_WITH_HASH (m, cmap_node, member_hash(iface->vlan),
                             &element->engine->members) {
        const struct xf_segments *segments;

        if (m->vlan != iface->vlan || m->element == element
            || m->element->role != element->role
            || !same_bridge(m->element, element)) {
            continue;
        }
        ++*n_others;
        segments = xf_router_segments(m->element);
        for (size_t i = 0; i < segments->n; i++) {
            const struct xf_segment *s = &segments->segments[i];

            if (s->vlan == iface->vlan
                && (element->role == XF_ROLE_SWITCH
                    || !strcmp(s->vif, iface->vif))) {
                *rivalp = m->element;
                return s;
            }
        }
    }
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
check_switch_iface(const struct xf_router *element,
                   const struct xf_iface *iface, const struct xf_segment *s,
                   size_t n_others)
{
    if (s && s->vlan == iface->vlan) {
        return xasprintf("VLAN %"PRIu16" is joined by port '%s' of switch "
                         "'%s' already: give another vlan", iface->vlan,
                         s->name, element->name);
    }
    if (n_others >= XF_JOINED_MAX) {
        return xasprintf("switch '%s' joins %d VLANs, the most one has: "
                         "delete a port first", element->name, XF_JOINED_MAX);
    }
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
check_middlebox_iface(const struct xf_router *element,
                      const struct xf_iface *iface,
                      const struct xf_segment *other, size_t n_others)
{
    if (!iface->vif[0]) {
        return xasprintf("vif is missing: a port of middlebox '%s' needs "
                         "vif=NAME, the switch port of its VM",
                         element->name);
    }
    if (!other) {
        return NULL;
    }
    if (n_others > 1) {
        return xasprintf("middlebox '%s' has two ports, the most there are: "
                         "delete one first", element->name);
    }
    if (other->vlan != iface->vlan) {
        return xasprintf("port '%s' of middlebox '%s' is in VLAN %"PRIu16": "
                         "give the same vlan, a middlebox is in one segment",
                         other->name, element->name, other->vlan);
    }
    if (!strcmp(other->vif, iface->vif)) {
        return xasprintf("vif '%s' is that of port '%s' already: a middlebox "
                         "with one vif has one port", iface->vif,
                         other->name);
    }
    return NULL;
}

/* Checks that 'iface', with the options of 'given', makes sense for
 * 'element', whatever its role.  Returns NULL or a sentence. */
char *
xf_role_check_iface(const struct xf_router *element,
                    const struct xf_iface *iface, uint32_t given)
{
    const struct xf_segments *segments = xf_router_segments(element);
    const struct xf_segment *other = NULL;
    size_t n_others = 0;

    if (element->role == XF_ROLE_ROUTER) {
        return NULL;
    }

    char *error = check_options(element, given);
    for (size_t i = 0; !error && segments && i < segments->n; i++) {
        const struct xf_segment *s = &segments->segments[i];

        if (strcmp(s->name, iface->name)) {
            n_others++;
            if (!other || s->vlan == iface->vlan) {
                other = s;
            }
        }
    }
    if (!error) {
        error = (element->role == XF_ROLE_SWITCH
                 ? check_switch_iface(element, iface, other, n_others)
                 : check_middlebox_iface(element, iface, other, n_others));
    }
    if (!error) {
        const struct xf_router *rival = NULL;
        const struct xf_segment *s = find_rival(element, iface, &rival,
                                                &n_others);

        if (!s && element->role == XF_ROLE_MIDDLEBOX
            && n_others >= XF_MIDDLEBOXES_MAX) {
            error = xasprintf("VLAN %"PRIu16" has %d middleboxes, the most "
                              "there are: give another vlan", iface->vlan,
                              XF_MIDDLEBOXES_MAX);
        } else if (s) {
            error = xasprintf("VLAN %"PRIu16"%s%s belongs to port '%s' of %s "
                              "'%s' in the same bridge: give another one, or "
                              "delete that port first", iface->vlan,
                              iface->vif[0] ? " of vif " : "", iface->vif,
                              s->name, xf_role_name(rival->role),
                              rival->name);
        }
    }
    return error;
}

/* A MAC for an interface that was given none.  It names the interface in
 * tables and is never seen in a frame. */
struct eth_addr
xf_role_default_mac(const struct xf_router *element, const char *port)
{
    uint32_t a = hash_string(element->name, 0);
    uint32_t b = hash_string(port, a);
    struct eth_addr mac = {
        .ea = { 0x02, b >> 24, b >> 16, b >> 8, b, a },
    };

    return mac;
}

/* Finds the element called 'name', as xf_router_by_name(), if it has
 * 'role'. */
struct xf_router *
xf_router_of_role(const struct xf_engine *engine, const char *name,
                  enum xf_role role, char **errorp)
{
    struct xf_router *router = xf_router_by_name(engine, name, errorp);

    if (router && router->role != role) {
        *errorp = xasprintf("'%s' is a %s: this is for a %s, see "
                            "xenflow/router-list", name,
                            xf_role_name(router->role), xf_role_name(role));
        return NULL;
    }
    return router;
}
