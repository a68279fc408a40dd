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

/* Bridge and ports of this host in Open_vSwitch.
 *
 * - Each router is a port of type xenflow.  What the switch can't know of its
 *   machine is in external_ids of its Interface row, as words of the switch's
 *   commands: hostd-router (listen=, device=), hostd-port-NAME (vif=, ifindex=).
 * - Each interface of a machine that is in a segment is a port with the tap's
 *   name and the segment's VLAN, and iface-id and attached-mac.  One that is in
 *   a virtual link has the VLAN of the link's hop at its router on this host.
 * - Ends of physical links carry all VLANs; edge ports those of their segments,
 *   or the one they have as the end of a link.
 *
 * Which ports there should be is computed as a whole and compared: O(ports +
 * hops of this host) per change.
 *
 * Cards of Xen's machines end with the machine, and a new one may have the old
 * name.  The switch goes on with the old one unless it saw the port go: so
 * hostd-card is the number of the card, when that changes the port is removed,
 * and none of its name is made before the switch has carried that out. */

#include <config.h>

#include "xenflow-hostd.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "lib/vswitch-idl.h"
#include "netlink-socket.h"
#include "netlink.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "packets.h"
#include "smap.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_join_port);

#define BRIDGE "br0"
#define DATAPATH_TYPE "netdev"
#define GUEST_FIRST_IFINDEX 2   /* After lo; that of the first card. */

/* What we write to external_ids of an Interface: these, and all that begin with
 * HOSTD. */
#define HOSTD "hostd-"
static const char *const id_keys[] = { "iface-id", "attached-mac" };

/* A port that there should be. */
struct port {
    const char *type;           /* Of its interface. */
    int tag;                    /* VLAN of untagged frames; -1: none. */
    bool carries_all;           /* All VLANs tagged... */
    int64_t *trunks;            /* ...or these. */
    size_t n_trunks;
    struct smap ids;            /* Of those that we write. */
    bool keeps_ids;             /* Those that are there stay. */
};

/* An interface that is an end of a link on this host. */
struct link_end {
    struct hmap_node node;      /* In struct wanted, by 'iface'. */
    const struct xfrec_interface *iface;
    const struct xfrec_hop *hop;    /* Its way's. */
    int tag;                    /* VLAN of 'iface' there. */
};

/* All that there should be. */
struct wanted {
    struct shash *ports;        /* struct port, by name. */
    struct hmap ends;           /* struct link_end. */
};

void
join_ports_monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_open_vswitch_col_bridges,
        &ovsrec_open_vswitch_col_external_ids,
        &ovsrec_open_vswitch_col_ssl,
        &ovsrec_ssl_col_private_key, &ovsrec_ssl_col_certificate,
        &ovsrec_ssl_col_ca_cert, &ovsrec_ssl_col_bootstrap_ca_cert,
        &ovsrec_open_vswitch_col_next_cfg,
        &ovsrec_open_vswitch_col_cur_cfg,
        &ovsrec_bridge_col_name, &ovsrec_bridge_col_ports,
        &ovsrec_bridge_col_datapath_type, &ovsrec_bridge_col_fail_mode,
        &ovsrec_bridge_col_external_ids,
        &ovsrec_port_col_name, &ovsrec_port_col_interfaces,
        &ovsrec_port_col_tag, &ovsrec_port_col_trunks,
        &ovsrec_port_col_vlan_mode, &ovsrec_port_col_external_ids,
        &ovsrec_interface_col_name, &ovsrec_interface_col_type,
        &ovsrec_interface_col_external_ids,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
    join_queues_monitor(idl);
}

const char *
join_bridge_name(const struct join *j)
{
    const struct ovsrec_open_vswitch *cfg =
        j->ovs.idl ? ovsrec_open_vswitch_first(j->ovs.idl) : NULL;

    return cfg ? smap_get_def(&cfg->external_ids, "xenflow-bridge", BRIDGE)
           : NULL;
}

/* ---- What there should be. ---- */

static struct port *
port_get(struct shash *ports, const char *name)
{
    struct port *port = shash_find_data(ports, name);

    if (!port) {
        port = xzalloc(sizeof *port);
        port->type = "";
        port->tag = -1;
        smap_init(&port->ids);
        shash_add(ports, name, port);
    }
    return port;
}

static void
ports_destroy(struct shash *ports)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, ports) {
        struct port *port = node->data;

        free(port->trunks);
        smap_destroy(&port->ids);
    }
    shash_destroy_free_data(ports);
}

/* Number that card 'tap' of the machine has in its kernel, 0: it has none. */
static int
guest_ifindex(const struct xf_domain_config *config, const char *tap)
{
    for (size_t i = 0; i < config->n_nics; i++) {
        if (!strcmp(config->nics[i].tap, tap)) {
            return GUEST_FIRST_IFINDEX + i;
        }
    }
    return 0;
}

/* Whether 'hop' is nearer to what side 'side' of 'link' is to have here than
 * 'best' (NULL: none): the generation in use if 'in_use', else the newest; a way
 * before a transfer. */
static bool
is_better_hop(const struct xfrec_hop *hop, const struct xfrec_hop *best,
              bool in_use)
{
    return ((!in_use || hop->generation == hop->link->generation)
            && (!best || hop->generation > best->generation
                || (hop->generation == best->generation
                    && hop->position < best->position)));
}

static struct link_end *
find_end(const struct hmap *ends, const struct xfrec_interface *iface)
{
    struct link_end *end;

    HMAP_FOR_EACH_WITH_HASH (end, node, hash_pointer(iface, 0), ends) {
        if (end->iface == iface) {
            return end;
        }
    }
    return NULL;
}

/* Takes 'hop' for the end of a link that 'iface' is, if it is nearer to what
 * that is to have here than another. */
static void
take_end(const struct join *j, const struct xfrec_hop *hop, bool side2,
         struct hmap *ends)
{
    const struct xfrec_interface *iface = (side2 ? hop->link->interface2
                                           : hop->link->interface1);
    struct link_end *end;

    if (!iface || !iface->router
        || strcmp(side2 ? hop->port2 : hop->port1, iface->router->name)) {
        return;
    }
    end = find_end(ends, iface);
    /* A router that is about to come has only the way that is being made. */
    if (is_better_hop(hop, end ? end->hop : NULL,
                      iface->router->host == j->me)) {
        if (!end) {
            end = xmalloc(sizeof *end);
            end->iface = iface;
            hmap_insert(ends, &end->node, hash_pointer(iface, 0));
        }
        end->hop = hop;
        end->tag = side2 ? hop->vlan2 : hop->vlan1;
    }
}

/* Fills 'ends' in with the interfaces that are ends of links on this host. */
static void
find_ends(const struct join *j, struct hmap *ends)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, j->xf.idl) {
        if (hop->host == j->me && hop->link) {
            take_end(j, hop, false, ends);
            take_end(j, hop, true, ends);
        }
    }
}

static void
ends_destroy(struct hmap *ends)
{
    struct link_end *end;

    HMAP_FOR_EACH_POP (end, node, ends) {
        free(end);
    }
    hmap_destroy(ends);
}

/* The VLAN of 'iface' on this host if it is an end of a link, or -1. */
static int
link_tag(const struct wanted *wanted, const struct xfrec_interface *iface)
{
    const struct link_end *end = find_end(&wanted->ends, iface);

    return end ? end->tag : -1;
}

/* The number of network card 'name', or 0.  As if_nametoindex(), but the kernel
 * starts no program to look for a module of that name: cards that aren't made
 * yet are asked for again and again. */
static unsigned int
find_card(const char *name)
{
    const struct ifinfomsg *ifinfo;
    struct ofpbuf request, *reply;
    unsigned int ifindex = 0;

    ofpbuf_init(&request, 0);
    nl_msg_put_nlmsghdr(&request, sizeof *ifinfo, RTM_GETLINK, NLM_F_REQUEST);
    ofpbuf_put_zeros(&request, sizeof *ifinfo);
    nl_msg_put_string(&request, IFLA_IFNAME, name);
    if (!nl_transact(NETLINK_ROUTE, &request, &reply)) {
        ifinfo = ofpbuf_at(reply, NLMSG_HDRLEN, sizeof *ifinfo);
        ifindex = ifinfo ? ifinfo->ifi_index : 0;
        ofpbuf_delete(reply);
    }
    ofpbuf_uninit(&request);
    return ifindex;
}

/* The port of 'iface'; 'router' is that of its router, which is told of it. */
static void
want_vif(const struct wanted *wanted, struct port *router,
         const struct xfrec_interface *iface,
         const struct xf_domain_config *config)
{
    char name[JOIN_PORT_MAX + 1];
    unsigned int card;
    int ifindex, tag;

    if (!config && !iface->vif[0]) {
        return;
    }
    tag = iface->segment ? iface->segment->vlan : link_tag(wanted, iface);
    if (tag < 0) {
        return;
    }
    join_vif_name(iface, name);
    ifindex = config ? guest_ifindex(config, name) : 0;
    card = find_card(name);
    if (config && (!ifindex || (strcmp(config->backend, "dummy") && !card))) {
        return;                 /* It isn't made yet. */
    }

    struct port *port = port_get(wanted->ports, name);
    port->tag = tag;
    smap_add_format(&port->ids, "iface-id", UUID_FMT,
                    UUID_ARGS(&iface->header_.uuid));
    smap_add(&port->ids, "attached-mac", iface->mac);
    if (config && card) {
        smap_add_format(&port->ids, HOSTD"card", "%u", card);
    }
    if (config) {
        smap_add_nocopy(&router->ids,
                        xasprintf(HOSTD"port-%s", iface->name),
                        xasprintf("vif=%s ifindex=%d", name, ifindex));
    }
}

static void
want_router(struct join *j, const struct wanted *wanted,
            const struct xfrec_router *row)
{
    const struct join_router *r = join_router_find(j, &row->header_.uuid);
    struct xf_domain *d = r ? join_router_domain(j, r) : NULL;
    const struct xf_domain_config *config =
        d ? xf_domain_get_config(d) : NULL;
    const struct xfrec_interface **ifaces;
    struct port *port = port_get(wanted->ports, row->name);
    size_t n;

    port->type = "xenflow";
    smap_add_format(&port->ids, "iface-id", UUID_FMT,
                    UUID_ARGS(&row->header_.uuid));
    if (config && r->can_be_heard) {
        struct join_place place;

        join_place_init(&place, &row->header_.uuid);
        smap_add_format(&port->ids, HOSTD"router",
                        "listen="IP_FMT":%d device=%s",
                        IP_ARGS(place.host_ip), XF_FPM_PORT, place.tap);
    }
    /* What the switch knows of a machine that goes away with its router still
     * here stays with its table: packets go by it until the flip, and after. */
    port->keeps_ids = (join_moves_leaves(j, &row->header_.uuid)
                       || (!config && row->host != j->me));
    if (!config && strcmp(row->backend, "none")) {
        return;
    }
    ifaces = join_interfaces(j, row, &n);
    for (size_t i = 0; i < n; i++) {
        want_vif(wanted, port, ifaces[i], config);
    }
    free(ifaces);
}

static bool
is_linked(const struct join *j, const struct xfrec_edge_port *edge)
{
    const struct xfrec_link *link;

    XFREC_LINK_FOR_EACH (link, j->xf.idl) {
        if (link->edge == edge) {
            return true;
        }
    }
    return false;
}

/* Returns a sentence, or NULL. */
static char *
want_edge(const struct join *j, struct shash *ports,
          const struct xfrec_edge_port *edge)
{
    struct port *port;

    if (!edge->segment && !is_linked(j, edge)) {
        return NULL;            /* Nothing uses it. */
    } else if (edge->segment && edge->vlan && edge->vlan != edge->segment->vlan) {
        return xasprintf("edge %s:%s:%"PRId64": segment %s has VLAN %"PRId64
                         ", and a port can't have another VLAN than its "
                         "segment", edge->host->name, edge->port, edge->vlan,
                         edge->segment->name, edge->segment->vlan);
    }
    port = port_get(ports, edge->port);
    if (edge->segment && !edge->vlan) {
        port->tag = edge->segment->vlan;
    } else {
        /* VLAN 0, of a link: what is untagged, and nothing else. */
        port->trunks = xrealloc(port->trunks, (port->n_trunks + 1)
                                * sizeof *port->trunks);
        port->trunks[port->n_trunks++] = edge->vlan;
    }
    return NULL;
}

static void
want_all(struct join *j, struct shash *ports)
{
    const struct xfrec_physical_link *link;
    const struct xfrec_edge_port *edge;
    const struct xfrec_router *row;
    struct wanted wanted = {
        .ports = ports,
        .ends = HMAP_INITIALIZER(&wanted.ends),
    };
    char *trouble = NULL;

    find_ends(j, &wanted.ends);
    XFREC_ROUTER_FOR_EACH (row, j->xf.idl) {
        if (row->host == j->me || join_moves_is_here(j, &row->header_.uuid)) {
            want_router(j, &wanted, row);
        }
    }
    ends_destroy(&wanted.ends);
    XFREC_PHYSICAL_LINK_FOR_EACH (link, j->xf.idl) {
        if (link->host1 == j->me) {
            port_get(ports, link->port1)->carries_all = true;
        }
        if (link->host2 == j->me) {
            port_get(ports, link->port2)->carries_all = true;
        }
    }
    XFREC_EDGE_PORT_FOR_EACH (edge, j->xf.idl) {
        if (edge->host == j->me && !trouble) {
            trouble = want_edge(j, ports, edge);
        } else if (edge->host == j->me) {
            free(want_edge(j, ports, edge));
        }
    }
    free(j->port_trouble);
    j->port_trouble = trouble;
}

/* ---- What there is. ---- */

bool
join_is_ours(const struct smap *external_ids)
{
    return !strcmp(smap_get_def(external_ids, JOIN_OWNER_KEY, ""),
                   JOIN_OWNER);
}

bool
join_ports_is_heard(const struct join *j, const char *name)
{
    const struct ovsrec_interface *iface;

    if (j->ovs.idl) {
        OVSREC_INTERFACE_FOR_EACH (iface, j->ovs.idl) {
            if (!strcmp(iface->name, name)) {
                return smap_get(&iface->external_ids, HOSTD"router") != NULL;
            }
        }
    }
    return false;
}

/* Makes a port with one interface of its name. */
static const struct ovsrec_port *
insert_port(struct join *j, const char *name, const char *type,
            const struct smap *iface_ids)
{
    struct ovsrec_interface *iface = ovsrec_interface_insert(j->ovs.txn);
    struct ovsrec_port *port = ovsrec_port_insert(j->ovs.txn);
    const struct smap owner = SMAP_CONST1(&owner, JOIN_OWNER_KEY, JOIN_OWNER);

    ovsrec_interface_set_name(iface, name);
    ovsrec_interface_set_type(iface, type);
    ovsrec_port_set_name(port, name);
    ovsrec_port_set_interfaces(port, &iface, 1);
    ovsrec_port_set_external_ids(port, &owner);
    ovsrec_interface_set_external_ids(iface, iface_ids);
    return port;
}

static void
insert_bridge(struct join *j, const struct ovsrec_open_vswitch *cfg,
              const char *name)
{
    const struct smap none = SMAP_INITIALIZER(&none);
    struct ovsrec_bridge *bridge = ovsrec_bridge_insert(j->ovs.txn);
    struct ovsrec_port *local = CONST_CAST(
        struct ovsrec_port *, insert_port(j, name, "internal", &none));
    const struct smap owner = SMAP_CONST1(&owner, JOIN_OWNER_KEY, JOIN_OWNER);

    VLOG_INFO("bridge %s: made", name);
    ovsrec_bridge_set_name(bridge, name);
    ovsrec_bridge_set_datapath_type(
        bridge, smap_get_def(&cfg->external_ids, "xenflow-datapath-type",
                             DATAPATH_TYPE));
    ovsrec_bridge_set_fail_mode(bridge, "standalone");
    ovsrec_bridge_set_external_ids(bridge, &owner);
    ovsrec_bridge_set_ports(bridge, &local, 1);
    ovsrec_open_vswitch_update_bridges_addvalue(cfg, bridge);
}

static bool
is_our_key(const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(id_keys); i++) {
        if (!strcmp(key, id_keys[i])) {
            return true;
        }
    }
    return !strncmp(key, HOSTD, strlen(HOSTD));
}

static void
update_ids(const struct ovsrec_interface *iface, const struct smap *ids)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, &iface->external_ids) {
        if (is_our_key(node->key) && !smap_get(ids, node->key)) {
            ovsrec_interface_update_external_ids_delkey(iface, node->key);
        }
    }
    SMAP_FOR_EACH (node, ids) {
        if (!nullable_string_is_equal(smap_get(&iface->external_ids,
                                               node->key), node->value)) {
            ovsrec_interface_update_external_ids_setkey(iface, node->key,
                                                        node->value);
        }
    }
}

static void
set_vlans(const struct ovsrec_port *row, const struct port *wanted)
{
    int64_t tag = wanted->tag;
    bool is_trunk = wanted->carries_all || wanted->n_trunks;

    ovsrec_port_set_tag(row, &tag, wanted->tag >= 0);
    ovsrec_port_set_trunks(row, wanted->trunks,
                           wanted->carries_all ? 0 : wanted->n_trunks);
    ovsrec_port_set_vlan_mode(row, is_trunk && wanted->tag >= 0
                              ? "native-untagged" : NULL);
}

/* Number of the card of 'row', or NULL. */
static const char *
card_of(const struct ovsrec_port *row)
{
    return (row->n_interfaces
            ? smap_get(&row->interfaces[0]->external_ids, HOSTD"card") : NULL);
}

/* Whether 'row' has another card than is 'wanted'. */
static bool
has_another_card(const struct ovsrec_port *row, const struct port *wanted)
{
    const char *card = smap_get(&wanted->ids, HOSTD"card");

    return card_of(row) && card && strcmp(card_of(row), card);
}

/* Removes a port.  If it has a card, keeps ports of its name away until the
 * switch has carried that out. */
static void
remove_port(struct join *j, const struct ovsrec_bridge *bridge,
            const struct ovsrec_port *row)
{
    const struct ovsrec_open_vswitch *cfg = ovsrec_open_vswitch_first(
        j->ovs.idl);

    if (card_of(row)) {
        j->replaced_cfg = cfg->next_cfg + 1;
        ovsrec_open_vswitch_verify_next_cfg(cfg);
        ovsrec_open_vswitch_set_next_cfg(cfg, j->replaced_cfg);
        sset_add(&j->replaced, row->name);
    }
    ovsrec_bridge_update_ports_delvalue(bridge, row);
}

/* Removes ports of ours in 'bridge' that aren't wanted, or that are of another
 * type or card; brings the others up to date.  Takes what is there, ours or
 * not, out of 'ports'. */
static void
update_bridge(struct join *j, const struct ovsrec_bridge *bridge,
              bool is_right, struct shash *ports)
{
    for (size_t i = 0; i < bridge->n_ports; i++) {
        const struct ovsrec_port *row = bridge->ports[i];
        struct shash_node *node = shash_find(ports, row->name);
        const struct port *wanted = node ? node->data : NULL;
        bool is_local = !strcmp(row->name, bridge->name);

        if (join_is_ours(&row->external_ids) && !is_local) {
            const char *type = (row->n_interfaces ? row->interfaces[0]->type
                                : "");

            if (!wanted || !is_right || strcmp(type, wanted->type)) {
                VLOG_INFO("bridge %s: port %s: removed", bridge->name,
                          row->name);
                remove_port(j, bridge, row);
                continue;
            } else if (has_another_card(row, wanted)) {
                VLOG_INFO("bridge %s: port %s: made anew", bridge->name,
                          row->name);
                remove_port(j, bridge, row);
                continue;
            }
            set_vlans(row, wanted);
            if (row->n_interfaces && !wanted->keeps_ids) {
                update_ids(row->interfaces[0], &wanted->ids);
            }
        }
        if (node) {
            struct port *port = node->data;

            shash_delete(ports, node);
            free(port->trunks);
            smap_destroy(&port->ids);
            free(port);
        }
    }
}

void
join_ports_run(struct join *j, long long int now_ms OVS_UNUSED)
{
    const struct ovsrec_open_vswitch *cfg = ovsrec_open_vswitch_first(
        j->ovs.idl);
    const struct ovsrec_bridge *bridge, *right = NULL;
    struct shash ports = SHASH_INITIALIZER(&ports);
    const char *name = join_bridge_name(j);
    struct shash_node *node;

    if (!name) {
        return;
    }
    if (cfg->cur_cfg >= MIN(j->replaced_cfg, cfg->next_cfg)) {
        sset_clear(&j->replaced);
    }
    want_all(j, &ports);
    j->ovs.txn = ovsdb_idl_txn_create(j->ovs.idl);
    ovsdb_idl_txn_add_comment(j->ovs.txn, "xenflow-hostd");
    OVSREC_BRIDGE_FOR_EACH (bridge, j->ovs.idl) {
        bool is_right = !strcmp(bridge->name, name);

        right = is_right ? bridge : right;
        update_bridge(j, bridge, is_right, &ports);
    }
    if (!right) {
        /* Its ports follow when it's there. */
        insert_bridge(j, cfg, name);
    }
    SHASH_FOR_EACH (node, &ports) {
        if (right && !sset_contains(&j->replaced, node->name)) {
            const struct port *wanted = node->data;
            const struct ovsrec_port *row;

            VLOG_INFO("bridge %s: port %s: made", name, node->name);
            row = insert_port(j, node->name, wanted->type, &wanted->ids);
            set_vlans(row, wanted);
            ovsrec_bridge_update_ports_addvalue(right, row);
        }
    }
    ports_destroy(&ports);
    join_queues_run(j);
}
