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

#include "core/rule-table-private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "packets.h"

/* The least MTU that IPv4 works with (RFC 791 3.2). */
#define RT_MIN_MTU 68
#define RT_MAX_VLAN 4094

/* ---- Interfaces. ---- */

/* Returns the interface called 'name' or NULL. */
struct rt_iface *
rt_iface_find(const struct xf_rt *rt, const char *name)
{
    struct rt_iface *iface;

    HMAP_FOR_EACH_WITH_HASH (iface, name_node, hash_string(name, 0),
                             &rt->ifaces) {
        if (!strcmp(iface->pub->iface.name, name)) {
            return iface;
        }
    }
    return NULL;
}

/* Returns the interface called 'name' or NULL. */
const struct xf_iface *
xf_rt_iface_by_name(const struct xf_rt *rt, const char *name)
{
    const struct rt_iface *iface = rt_iface_find(rt, name);

    return iface ? &iface->pub->iface : NULL;
}

/* Returns the interface of 'ifindex' or NULL. */
const struct xf_iface *
xf_rt_iface_by_ifindex(const struct xf_rt *rt, uint32_t ifindex)
{
    struct rt_link *link;

    HMAP_FOR_EACH_WITH_HASH (link, node, rt_hash(rt, ifindex, NULL),
                             &rt->links) {
        if (link->ifindex == ifindex) {
            const struct rt_pub *pub = ovsrcu_get_protected(struct rt_pub *,
                                                            &link->pub);
            return pub ? &pub->iface : NULL;
        }
    }
    return NULL;
}

/* Returns the interface at ('vlan', 'mac') or NULL.  Any thread. */
const struct rt_pub *
rt_pub_by_segment(const struct xf_rt *rt, uint16_t vlan, struct eth_addr mac)
{
    const struct rt_pub *pub;

    CMAP_FOR_EACH_WITH_HASH (pub, vlan_node, hash_int(vlan, 0), &rt->vlans) {
        if (pub->iface.vlan == vlan && eth_addr_equals(pub->iface.mac, mac)) {
            return pub;
        }
    }
    return NULL;
}

const struct xf_iface *
xf_rt_iface_by_segment(const struct xf_rt *rt, uint16_t vlan,
                       struct eth_addr mac)
{
    const struct rt_pub *pub = rt_pub_by_segment(rt, vlan, mac);

    return pub ? &pub->iface : NULL;
}

const struct xf_iface *
xf_rt_iface_by_vlan(const struct xf_rt *rt, uint16_t vlan,
                    const struct xf_iface *prev)
{
    const struct rt_iface *owner =
        prev ? CONTAINER_OF(prev, struct rt_pub, iface)->owner : NULL;
    const struct rt_pub *pub;

    CMAP_FOR_EACH_WITH_HASH (pub, vlan_node, hash_int(vlan, 0), &rt->vlans) {
        if (pub->iface.vlan == vlan) {
            if (!owner) {
                return &pub->iface;
            }
            if (pub->owner == owner) {
                owner = NULL;
            }
        }
    }
    return NULL;
}

/* Returns NULL if 'iface' makes sense, else a sentence. */
static char *
iface_check(const struct xf_iface *iface)
{
    if (!iface->name[0] || !memchr(iface->name, 0, sizeof iface->name)
        || !memchr(iface->vif, 0, sizeof iface->vif)) {
        return xasprintf("interface name \"%.*s\" or the name of its port is "
                         "not valid; use 1 to %d characters",
                         XF_NAME_MAX - 1, iface->name, XF_NAME_MAX - 1);
    }
    if (iface->vlan > RT_MAX_VLAN) {
        return xasprintf("VLAN %d of interface \"%s\" is out of range; use 0 "
                         "(untagged) to %d", iface->vlan, iface->name,
                         RT_MAX_VLAN);
    }
    if (eth_addr_is_zero(iface->mac) || eth_addr_is_multicast(iface->mac)) {
        return xasprintf("MAC "ETH_ADDR_FMT" of interface \"%s\" is not a "
                         "unicast address; give the VM's own",
                         ETH_ADDR_ARGS(iface->mac), iface->name);
    }
    if (iface->mtu < RT_MIN_MTU) {
        return xasprintf("MTU %d of interface \"%s\" is too small; use at "
                         "least %d", iface->mtu, iface->name, RT_MIN_MTU);
    }
    return NULL;
}

/* Checks that no interface but 'self' has what 'iface' wants as its own. */
static int
iface_check_unique(const struct xf_rt *rt, const struct rt_iface *self,
                   const struct xf_iface *iface, char **errorp)
{
    const struct xf_iface *own = self ? &self->pub->iface : NULL;
    const struct xf_iface *other;

    other = iface->ifindex ? xf_rt_iface_by_ifindex(rt, iface->ifindex) : NULL;
    if (other && other != own) {
        return rt_error(errorp, EEXIST, "ifindex %"PRIu32" of interface "
                        "\"%s\" belongs to \"%s\"; remove that one first",
                        iface->ifindex, iface->name, other->name);
    }
    other = xf_rt_iface_by_segment(rt, iface->vlan, iface->mac);
    if (other && other != own) {
        return rt_error(errorp, EEXIST, "MAC "ETH_ADDR_FMT" of interface "
                        "\"%s\" is used by \"%s\" in the same VLAN %d; give "
                        "another MAC or VLAN", ETH_ADDR_ARGS(iface->mac),
                        iface->name, other->name, iface->vlan);
    }
    return 0;
}

static int
iface_validate(const struct xf_rt *rt, const struct rt_iface *self,
               const struct xf_iface *iface, char **errorp)
{
    char *problem = iface_check(iface);

    if (problem) {
        int error = rt_error(errorp, EINVAL, "%s", problem);

        free(problem);
        return error;
    }
    return iface_check_unique(rt, self, iface, errorp);
}

/* Exchanges what the segments' map says of an interface. */
static void
vlans_replace(struct xf_rt *rt, struct rt_pub *old, struct rt_pub *new)
{
    if (old && new && old->iface.vlan == new->iface.vlan) {
        cmap_replace(&rt->vlans, &old->vlan_node, &new->vlan_node,
                     hash_int(new->iface.vlan, 0));
        return;
    }
    if (new) {
        cmap_insert(&rt->vlans, &new->vlan_node,
                    hash_int(new->iface.vlan, 0));
    }
    if (old) {
        cmap_remove(&rt->vlans, &old->vlan_node,
                    hash_int(old->iface.vlan, 0));
    }
}

/* Makes 'new' (NULL: nothing) what readers see of 'iface'. */
static void
iface_publish(struct xf_rt *rt, struct rt_iface *iface, struct rt_pub *new)
{
    struct rt_pub *old = iface->pub;
    struct rt_link *old_link = iface->link;
    struct rt_addr *addr;

    iface->pub = new;
    iface->link = (new && new->iface.ifindex
                   ? rt_link_get(rt, new->iface.ifindex) : NULL);
    vlans_replace(rt, old, new);
    rt_link_publish(rt, iface->self, new);
    if (iface->link) {
        rt_link_publish(rt, iface->link, new);
    }
    if (old_link) {
        if (old_link != iface->link) {
            rt_link_publish(rt, old_link, NULL);
        }
        rt_link_put(rt, old_link);
    }
    LIST_FOR_EACH (addr, iface_node, &iface->addrs) {
        if (addr->derived[RT_D_CONNECTED]) {
            rt_route_set_down(rt, addr->derived[RT_D_CONNECTED],
                              !new || !new->iface.up);
        }
    }
    if (old) {
        rt_retire(rt, free, old, sizeof *old);
    }
}

static struct rt_pub *
pub_create(struct xf_rt *rt, struct rt_iface *owner,
           const struct xf_iface *iface)
{
    struct rt_pub *pub = rt_alloc(rt, sizeof *pub);

    pub->iface = *iface;
    pub->owner = owner;
    return pub;
}

int
xf_rt_iface_add(struct xf_rt *rt, const struct xf_iface *new, char **errorp)
{
    int error = iface_validate(rt, NULL, new, errorp);
    struct rt_iface *iface;

    if (error) {
        return error;
    }
    if (rt_iface_find(rt, new->name)) {
        return rt_error(errorp, EEXIST, "there is an interface \"%s\" "
                        "already; choose another name", new->name);
    }
    if (hmap_count(&rt->ifaces) >= rt->limits.max_ifaces) {
        return rt_error(errorp, ENOSPC, "interface \"%s\" is beyond the "
                        "maximum of %"PRIu32" interfaces; raise max-ports or "
                        "remove interfaces", new->name,
                        rt->limits.max_ifaces);
    }

    iface = rt_alloc(rt, sizeof *iface);
    iface->self = rt_link_create(rt, 0);
    ovs_list_init(&iface->addrs);
    ovs_list_init(&iface->neighs);
    iface_publish(rt, iface, pub_create(rt, iface, new));
    hmap_insert(&rt->ifaces, &iface->name_node, hash_string(new->name, 0));
    rt_neigh_purge_own(rt, new->vlan);
    return 0;
}

/* Returns ENOENT, with a sentence, for the interface called 'name'. */
static int
iface_unknown(const char *name, char **errorp)
{
    return rt_error(errorp, ENOENT, "there is no interface \"%.*s\"; add it "
                    "first", XF_NAME_MAX - 1, name);
}

int
xf_rt_iface_update(struct xf_rt *rt, const struct xf_iface *new,
                   char **errorp)
{
    char *problem = iface_check(new);
    if (problem) {
        int error = rt_error(errorp, EINVAL, "%s", problem);

        free(problem);
        return error;
    }

    struct rt_iface *iface = rt_iface_find(rt, new->name);
    int error = (iface ? iface_check_unique(rt, iface, new, errorp)
                 : iface_unknown(new->name, errorp));
    if (!error) {
        iface_publish(rt, iface, pub_create(rt, iface, new));
        rt_neigh_purge_own(rt, new->vlan);
    }
    return error;
}

/* Removes 'iface' with its addresses and neighbours. */
void
rt_iface_remove(struct xf_rt *rt, struct rt_iface *iface)
{
    struct rt_neigh *neigh;
    struct rt_addr *addr;

    LIST_FOR_EACH_SAFE (addr, iface_node, &iface->addrs) {
        rt_addr_remove(rt, addr);
    }
    LIST_FOR_EACH_SAFE (neigh, iface_node, &iface->neighs) {
        rt_neigh_remove(rt, neigh);
    }
    hmap_remove(&rt->ifaces, &iface->name_node);
    iface_publish(rt, iface, NULL);
    rt_link_put(rt, iface->self);
    rt_retire(rt, free, iface, sizeof *iface);
}

int
xf_rt_iface_del(struct xf_rt *rt, const char *name, char **errorp)
{
    struct rt_iface *iface = rt_iface_find(rt, name);

    if (!iface) {
        return rt_error(errorp, ENOENT, "there is no interface \"%.*s\"; list "
                        "the router to see its interfaces", XF_NAME_MAX - 1,
                        name);
    }
    rt_iface_remove(rt, iface);
    return 0;
}

/* ---- Addresses. ---- */

static struct rt_addr *
addr_find(const struct xf_rt *rt, const struct rt_source *source,
          const struct rt_iface *iface, const struct in6_addr *ip,
          uint8_t prefix_len)
{
    struct rt_addr *addr;

    CMAP_FOR_EACH_WITH_HASH (addr, node, rt_hash_at(rt, iface, ip),
                             &rt->addrs) {
        if (addr->iface == iface && addr->prefix_len == prefix_len
            && addr->stmt.source == source
            && IN6_ARE_ADDR_EQUAL(&addr->addr, ip)) {
            return addr;
        }
    }
    return NULL;
}

/* True if 'ip' is an address of 'iface' itself.  Any thread. */
bool
rt_addr_is_own(const struct xf_rt *rt, const struct rt_iface *iface,
               const struct in6_addr *ip)
{
    const struct rt_addr *addr;

    CMAP_FOR_EACH_WITH_HASH (addr, node, rt_hash_at(rt, iface, ip),
                             &rt->addrs) {
        if (addr->iface == iface && IN6_ARE_ADDR_EQUAL(&addr->addr, ip)) {
            return true;
        }
    }
    return false;
}

/* A station was heard to use 'ip', an address of the router: the router itself
 * on 'iface' if 'is_own_mac', which is noted, or another one.  Returns true if
 * it is another one, and that 'iface' has the address was only learned.  Any
 * thread. */
bool
rt_addr_hear(const struct xf_rt *rt, const struct rt_iface *iface,
             const struct in6_addr *ip, bool is_own_mac, long long int now_ms)
{
    struct rt_addr *addr;
    bool is_learned = false;

    CMAP_FOR_EACH_WITH_HASH (addr, node, rt_hash_at(rt, iface, ip),
                             &rt->addrs) {
        if (addr->iface != iface || !IN6_ARE_ADDR_EQUAL(&addr->addr, ip)) {
            continue;
        }
        if (is_own_mac) {
            atomic_store_relaxed(&addr->heard_ms, now_ms);
        } else if (addr->stmt.source->preference != XF_PREF_LEARNED) {
            return false;
        }
        is_learned = !is_own_mac;
    }
    return is_learned;
}

bool
xf_rt_has_addr(const struct xf_rt *rt, const struct xf_iface *iface,
               const struct in6_addr *ip)
{
    return rt_addr_is_own(rt, CONTAINER_OF(iface, struct rt_pub,
                                           iface)->owner, ip);
}

/* The routes that follow from 'addr'.  A link-local address has none: its
 * prefix is punted anyway, and it may be on several interfaces. */
static void
addr_derive(struct xf_rt *rt, struct rt_addr *addr)
{
    bool is_v4 = xf_addr_is_v4(&addr->addr);
    uint8_t n_bits = xf_addr_bits(&addr->addr);
    struct xf_key key = xf_key_from_addr(&addr->addr);
    struct xf_key first = xf_key_mask(key, addr->prefix_len);
    struct rt_source *source = addr->stmt.source;
    struct xf_prefix p = { addr->addr, n_bits };

    if (rt_ip_is_linklocal(&addr->addr)) {
        return;
    }
    addr->derived[RT_D_LOCAL] = rt_route_derive(rt, source, &p,
                                                XF_ROUTE_LOCAL, NULL);

    if (addr->prefix_len <= n_bits - 2) {
        struct xf_key edge = first;

        if (is_v4) {            /* Broadcast; else subnet-router anycast. */
            edge.hi |= (UINT64_MAX >> addr->prefix_len) & (UINT64_MAX << 32);
        }
        if (edge.hi != key.hi || edge.lo != key.lo) {
            p.addr = xf_key_to_addr(edge, is_v4);
            addr->derived[RT_D_EDGE] = rt_route_derive(rt, source, &p,
                                                       XF_ROUTE_LOCAL, NULL);
        }
    }
    if (addr->prefix_len < n_bits) {
        struct rt_route *route;

        p.addr = xf_key_to_addr(first, is_v4);
        p.len = addr->prefix_len;
        route = rt_route_derive(rt, source, &p, XF_ROUTE_UNICAST,
                                rt_nh_onlink(rt, addr->iface->self));
        rt_route_set_down(rt, route, !addr->iface->pub->iface.up);
        addr->derived[RT_D_CONNECTED] = route;
    }
}

/* Removes 'addr' with the routes that follow from it. */
void
rt_addr_remove(struct xf_rt *rt, struct rt_addr *addr)
{
    rt_follow_gone(rt, &addr->stmt);
    for (size_t i = 0; i < RT_N_DERIVED; i++) {
        if (addr->derived[i]) {
            rt_route_remove(rt, addr->derived[i]);
        }
    }
    rt_stmt_uninit(&addr->stmt);
    ovs_list_remove(&addr->iface_node);
    cmap_remove(&rt->addrs, &addr->node,
                rt_hash_at(rt, addr->iface, &addr->addr));
    rt_retire(rt, free, addr, sizeof *addr);
}

/* Finds source and interface of an address, checks it, and finds what the
 * source stated of it, or NULL. */
static int
addr_check(const struct xf_rt *rt, uint32_t source_id, const char *name,
           const struct in6_addr *ip, uint8_t prefix_len,
           struct rt_source **source, struct rt_iface **iface,
           struct rt_addr **addrp, char **errorp)
{
    int error = rt_source_get(rt, source_id, source, errorp);
    if (error) {
        return error;
    }
    *iface = rt_iface_find(rt, name);
    if (!*iface) {
        return iface_unknown(name, errorp);
    }

    char addr[INET6_ADDRSTRLEN];
    xf_addr_string(addr, ip);
    if (prefix_len < 1 || prefix_len > xf_addr_bits(ip)) {
        return rt_error(errorp, EINVAL, "prefix length %d of address %s on "
                        "\"%s\" is out of range; use 1 to %d", prefix_len,
                        addr, name, xf_addr_bits(ip));
    }
    if (rt_ip_is_special(ip) && !rt_ip_is_linklocal(ip)) {
        return rt_error(errorp, EINVAL, "address %s can't belong to interface "
                        "\"%s\"; give a unicast address", addr, name);
    }
    *addrp = addr_find(rt, *source, *iface, ip, prefix_len);
    return 0;
}

int
xf_rt_addr_add(struct xf_rt *rt, uint32_t source_id, const char *name,
               const struct in6_addr *ip, uint8_t prefix_len, char **errorp)
{
    struct rt_source *source;
    struct rt_iface *iface;
    struct rt_addr *addr;
    int error = addr_check(rt, source_id, name, ip, prefix_len, &source,
                           &iface, &addr, errorp);
    if (error) {
        return error;
    }
    if (addr) {
        rt_stmt_touch(&addr->stmt);
        for (size_t i = 0; i < RT_N_DERIVED; i++) {
            if (addr->derived[i]) {
                rt_stmt_touch(&addr->derived[i]->stmt);
            }
        }
        return 0;
    }
    if (cmap_count(&rt->addrs) >= rt->limits.max_addresses) {
        char text[INET6_ADDRSTRLEN];

        return rt_error(errorp, ENOSPC, "address %s/%d is beyond the maximum "
                        "of %"PRIu32" addresses; raise max-addresses or "
                        "remove addresses", xf_addr_string(text, ip),
                        prefix_len, rt->limits.max_addresses);
    }

    addr = rt_alloc(rt, sizeof *addr);
    rt_stmt_init(&addr->stmt, source, RT_ADDR);
    addr->iface = iface;
    addr->addr = *ip;
    addr->prefix_len = prefix_len;
    atomic_init(&addr->heard_ms, 0);
    ovs_list_push_back(&iface->addrs, &addr->iface_node);
    cmap_insert(&rt->addrs, &addr->node, rt_hash_at(rt, iface, ip));
    addr_derive(rt, addr);

    struct rt_neigh *neigh = rt_neigh_find(rt, iface, ip);
    if (neigh) {
        rt_neigh_remove(rt, neigh);
    }
    return 0;
}

int
xf_rt_addr_del(struct xf_rt *rt, uint32_t source_id, const char *name,
               const struct in6_addr *ip, uint8_t prefix_len, char **errorp)
{
    struct rt_source *source;
    struct rt_iface *iface;
    struct rt_addr *addr;
    int error = addr_check(rt, source_id, name, ip, prefix_len, &source,
                           &iface, &addr, errorp);
    if (error) {
        return error;
    }
    if (!addr) {
        char text[INET6_ADDRSTRLEN];

        return rt_error(errorp, ENOENT, "\"%s\" states no address %s/%d on "
                        "\"%s\"; list the router to see its addresses",
                        source->name, xf_addr_string(text, ip),
                        prefix_len, name);
    }
    rt_addr_remove(rt, addr);
    return 0;
}
