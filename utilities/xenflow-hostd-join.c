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

/* Both databases.  See xenflow-hostd.h. */

#include <config.h>

#include "xenflow-hostd.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dirs.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "smap.h"
#include "stream-ssl.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_join);

#define TRY_AGAIN_MS 100        /* After a transaction that was interrupted, */
#define ERROR_MS 5000           /* and after one that was refused. */

/* ---- Transactions. ---- */

/* Whether a transaction can begin. */
static bool
db_can_write(const struct join_db *db, long long int now_ms)
{
    return (!db->txn && now_ms >= db->next_ms
            && ovsdb_idl_is_connected(db->idl));
}

/* Carries the transaction under way on.  Returns true if it has ended, and
 * then '*success'. */
static bool
db_commit(struct join_db *db, const char *what, long long int now_ms,
          bool *success)
{
    enum ovsdb_idl_txn_status status = ovsdb_idl_txn_commit(db->txn);

    if (status == TXN_INCOMPLETE) {
        return false;
    }
    *success = status == TXN_SUCCESS || status == TXN_UNCHANGED;
    if (status == TXN_TRY_AGAIN) {
        db->next_ms = now_ms + TRY_AGAIN_MS;
    } else if (!*success) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);

        VLOG_ERR_RL(&rl, "the database %s refuses what this host writes (%s): "
                    "see the log of its ovsdb-server", what,
                    ovsdb_idl_txn_get_error(db->txn));
        db->next_ms = now_ms + ERROR_MS;
    }
    ovsdb_idl_txn_destroy(db->txn);
    db->txn = NULL;
    return true;
}

static void
db_wait(struct join_db *db, bool writes)
{
    ovsdb_idl_wait(db->idl);
    if (db->txn) {
        ovsdb_idl_txn_wait(db->txn);
    } else if (writes && ovsdb_idl_is_connected(db->idl)) {
        poll_timer_wait_until(db->next_ms);
    }
}

static void
db_close(struct join_db *db)
{
    if (db->txn) {
        ovsdb_idl_txn_destroy(db->txn);
    }
    ovsdb_idl_destroy(db->idl);
    memset(db, 0, sizeof *db);
}

/* ---- What is monitored. ---- */

static void
monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &xfrec_xf_global_col_cfg,
        &xfrec_host_col_name, &xfrec_host_col_kind, &xfrec_host_col_enabled,
        &xfrec_host_col_power, &xfrec_host_col_wake_mac,
        &xfrec_host_col_other_config, &xfrec_host_col_addresses,
        &xfrec_physical_link_col_host1, &xfrec_physical_link_col_port1,
        &xfrec_physical_link_col_host2, &xfrec_physical_link_col_port2,
        &xfrec_physical_link_col_bandwidth, &xfrec_link_col_bandwidth,
        &xfrec_segment_col_name, &xfrec_segment_col_vlan,
        &xfrec_edge_port_col_host, &xfrec_edge_port_col_port,
        &xfrec_edge_port_col_vlan, &xfrec_edge_port_col_segment,
        &xfrec_router_col_name, &xfrec_router_col_role,
        &xfrec_router_col_host, &xfrec_router_col_state,
        &xfrec_router_col_restart, &xfrec_router_col_boot,
        &xfrec_router_col_backend, &xfrec_router_col_image,
        &xfrec_router_col_memory, &xfrec_router_col_vcpus,
        &xfrec_router_col_routing, &xfrec_router_col_protocols,
        &xfrec_router_col_config, &xfrec_router_col_destination,
        &xfrec_router_col_migration,
        &xfrec_interface_col_router, &xfrec_interface_col_name,
        &xfrec_interface_col_segment, &xfrec_interface_col_mac,
        &xfrec_interface_col_addresses, &xfrec_interface_col_mtu,
        &xfrec_interface_col_up, &xfrec_interface_col_vif,
        &xfrec_link_col_interface1, &xfrec_link_col_interface2,
        &xfrec_link_col_edge, &xfrec_link_col_generation,
        &xfrec_hop_col_link, &xfrec_hop_col_generation,
        &xfrec_hop_col_position, &xfrec_hop_col_host,
        &xfrec_hop_col_port1, &xfrec_hop_col_vlan1,
        &xfrec_hop_col_port2, &xfrec_hop_col_vlan2,
        &xfrec_router_state_col_host, &xfrec_router_state_col_router,
        &xfrec_router_state_col_state, &xfrec_router_state_col_routes,
        &xfrec_router_state_col_load,
        &xfrec_router_state_col_boot, &xfrec_router_state_col_restarts,
        &xfrec_router_state_col_error,
        &xfrec_trace_col_host, &xfrec_trace_col_port,
        &xfrec_trace_col_packet,
        &xfrec_trace_state_col_host, &xfrec_trace_state_col_trace,
        &xfrec_trace_state_col_text, &xfrec_trace_state_col_error,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
    join_probe_monitor(idl);
    join_moves_monitor(idl);
    join_host_monitor(idl);
    ovsdb_idl_track_add_all(idl);
}

static void
set_condition(struct join *j, const struct ovsdb_idl_table_class *table,
              struct ovsdb_idl_condition *condition)
{
    unsigned int seqno = ovsdb_idl_set_condition(j->xf.idl, table, condition);

    if ((int) (seqno - j->conditions_seqno) > 0) {
        j->conditions_seqno = seqno;
    }
    ovsdb_idl_condition_destroy(condition);
}

/* Tables whose rows say by name whose they are. */
static void
set_conditions_by_name(struct join *j)
{
    struct ovsdb_idl_condition c;

#define OURS(TABLE) \
    ovsdb_idl_condition_init(&c); \
    xfrec_##TABLE##_add_clause_host(&c, OVSDB_F_EQ, j->name); \
    set_condition(j, &xfrec_table_##TABLE, &c)
    OURS(host_state);
    OURS(router_state);
    OURS(migration_state);
    OURS(physical_link_state);
    OURS(event);
    OURS(trace_state);
#undef OURS
}

/* Tables whose rows refer to this host: none while it has no row. */
static void
set_conditions_by_host(struct join *j, const struct uuid *host)
{
    struct ovsdb_idl_condition c;

    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_router_add_clause_host(&c, OVSDB_F_EQ, host);
        xfrec_router_add_clause_destination(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_router, &c);
    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_migration_add_clause_source(&c, OVSDB_F_EQ, host);
        xfrec_migration_add_clause_destination(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_migration, &c);
    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_edge_port_add_clause_host(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_edge_port, &c);
    /* Of links, whose condition would be all interfaces of this host, all. */
    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_hop_add_clause_host(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_hop, &c);
    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_physical_link_add_clause_host1(&c, OVSDB_F_EQ, host);
        xfrec_physical_link_add_clause_host2(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_physical_link, &c);
    ovsdb_idl_condition_init(&c);
    if (host) {
        xfrec_trace_add_clause_host(&c, OVSDB_F_EQ, host);
    }
    set_condition(j, &xfrec_table_trace, &c);
}

/* Whether all rows that were asked for are here. */
static bool
has_rows(const struct join *j)
{
    return (int) (ovsdb_idl_get_condition_seqno(j->xf.idl)
                  - j->conditions_seqno) >= 0;
}

/* Asks for the rows that belong to this host and its routers.
 *
 * What has no answer when the connection ends is asked for again as the next
 * one begins, and that answer isn't counted (lib/ovsdb-cs.c): so what to wait
 * for is found anew as long as it is waited for. */
static void
update_conditions(struct join *j)
{
    const struct xfrec_router *router;
    struct ovsdb_idl_condition c;
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (j->me) {
        ds_put_format(&ds, UUID_FMT, UUID_ARGS(&j->me->header_.uuid));
    }
    XFREC_ROUTER_FOR_EACH (router, j->xf.idl) {
        ds_put_format(&ds, " "UUID_FMT, UUID_ARGS(&router->header_.uuid));
    }
    if (j->conditions && !strcmp(j->conditions, ds_cstr(&ds))
        && has_rows(j)) {
        ds_destroy(&ds);
        return;
    }
    free(j->conditions);
    j->conditions = ds_steal_cstr(&ds);
    j->conditions_seqno = ovsdb_idl_get_condition_seqno(j->xf.idl);
    set_conditions_by_name(j);
    set_conditions_by_host(j, j->me ? &j->me->header_.uuid : NULL);
    ovsdb_idl_condition_init(&c);
    XFREC_ROUTER_FOR_EACH (router, j->xf.idl) {
        xfrec_interface_add_clause_router(&c, OVSDB_F_EQ,
                                          &router->header_.uuid);
    }
    set_condition(j, &xfrec_table_interface, &c);
}

bool
join_is_complete(const struct join *j)
{
    return (j->xf.idl && j->me && j->me->enabled
            && ovsdb_idl_has_ever_connected(j->xf.idl) && has_rows(j));
}

bool
join_is_settled(const struct join *j)
{
    const struct join_router *r;

    if (!join_is_complete(j) || !ovs_list_is_empty(&j->dirty)
        || j->ports_dirty || j->ovs.txn || !sset_is_empty(&j->replaced)) {
        return false;
    }
    HMAP_FOR_EACH (r, node, &j->routers) {
        if (!r->settled) {
            return false;
        }
    }
    return true;
}

/* ---- Joining and leaving. ---- */

static void
leave(struct join *j)
{
    struct join_router *r;

    HMAP_FOR_EACH_SAFE (r, node, &j->routers) {
        join_router_free(j, r);
    }
    join_probe_destroy(j);
    join_trace_clear(j->trace);
    join_moves_clear(j);
    db_close(&j->xf);
    free(j->conditions);
    free(j->remote);
    free(j->name);
    j->conditions = j->remote = j->name = NULL;
    j->conditions_seqno = 0;
    j->me = NULL;
}

static void
join(struct join *j, const char *remote, const char *name)
{
    VLOG_INFO("host %s joins the database at %s", name, remote);
    j->remote = xstrdup(remote);
    j->name = xstrdup(name);
    j->xf.idl = ovsdb_idl_create(remote, &xfrec_idl_class, false, true);
    ovsdb_idl_set_leader_only(j->xf.idl, false);
    monitor(j->xf.idl);
    j->interfaces = ovsdb_idl_index_create1(j->xf.idl,
                                            &xfrec_interface_col_router);
    j->states = ovsdb_idl_index_create1(j->xf.idl,
                                        &xfrec_router_state_col_router);
    update_conditions(j);
}

/* Keys for TLS: options, else the switch's (ovs-vsctl set-ssl), also when these
 * are renewed. */
static void
configure_keys(const struct join *j)
{
    const struct ovsrec_open_vswitch *cfg =
        j->ovs.idl ? ovsrec_open_vswitch_first(j->ovs.idl) : NULL;

    if (cfg && cfg->ssl && !j->keys_given) {
        stream_ssl_set_key_and_cert(cfg->ssl->private_key,
                                    cfg->ssl->certificate);
        stream_ssl_set_ca_cert_file(cfg->ssl->ca_cert,
                                    cfg->ssl->bootstrap_ca_cert);
    }
}

/* Which database to join, and as whom: options, else the switch's database. */
static void
configure(struct join *j)
{
    const struct ovsrec_open_vswitch *cfg =
        j->ovs.idl ? ovsrec_open_vswitch_first(j->ovs.idl) : NULL;
    /* As the switch does. */
    static const char *const name_keys[] = { "xenflow-host", "system-id",
                                             "hostname" };
    const char *remote = j->settings.remote, *name = j->settings.host;
    char buf[256];

    if (!remote && cfg) {
        remote = smap_get(&cfg->external_ids, "xenflow-remote");
    }
    for (size_t i = 0; i < ARRAY_SIZE(name_keys) && !name && cfg; i++) {
        name = smap_get(&cfg->external_ids, name_keys[i]);
    }
    if (!name && !gethostname(buf, sizeof buf)) {
        buf[sizeof buf - 1] = '\0';
        name = buf;
    }
    if (j->ovs.idl && !ovsdb_idl_has_ever_connected(j->ovs.idl)
        && (!j->settings.remote || !j->settings.host)) {
        return;
    }
    if (nullable_string_is_equal(remote, j->remote)
        && nullable_string_is_equal(name, j->name)) {
        return;
    }
    if (j->xf.idl) {
        VLOG_INFO("host %s leaves the database at %s", j->name, j->remote);
        leave(j);
    }
    if (remote && name) {
        join(j, remote, name);
    }
}

struct join *
join_create(struct xf_domains *domains, const struct join_settings *settings)
{
    struct join *j = xzalloc(sizeof *j);

    j->domains = domains;
    j->settings = *settings;
    j->keys_given = stream_ssl_is_configured();
    hmap_init(&j->routers);
    sset_init(&j->replaced);
    smap_init(&j->queue_trouble);
    hmap_init(&j->links);
    ovs_list_init(&j->dirty);
    ovs_list_init(&j->unwritten);
    j->host = join_host_create();
    j->ospf = join_ospf_create();
    j->load = join_load_create();
    j->trace = join_trace_create();
    j->moves = join_moves_create();
    if (settings->dummies) {
        join_moves_register(j->moves);
    }
    if (strcmp(settings->ovs, "none")) {
        j->ovs.idl = ovsdb_idl_create(settings->ovs, &ovsrec_idl_class, false,
                                      true);
        join_ports_monitor(j->ovs.idl);
    }
    return j;
}

void
join_destroy(struct join *j)
{
    leave(j);
    if (j->ovs.idl) {
        db_close(&j->ovs);
    }
    join_host_destroy(j->host);
    join_ospf_destroy(j->ospf);
    join_load_destroy(j->load);
    join_trace_destroy(j->trace);
    join_moves_destroy(j->moves);
    hmap_destroy(&j->routers);
    sset_destroy(&j->replaced);
    smap_destroy(&j->queue_trouble);
    hmap_destroy(&j->links);
    free(j->port_trouble);
    free(j);
}

/* ---- Rows that changed. ---- */

static void
all_dirty(struct join *j)
{
    struct join_router *r;

    HMAP_FOR_EACH (r, node, &j->routers) {
        join_router_dirty(j, r);
    }
}

static void
take_hosts(struct join *j)
{
    const struct xfrec_host *row, *me = NULL;
    bool changed = false;

    XFREC_HOST_FOR_EACH (row, j->xf.idl) {
        if (!strcmp(row->name, j->name)) {
            me = row;
        }
    }
    XFREC_HOST_FOR_EACH_TRACKED (row, j->xf.idl) {
        changed = true;
        if (!xfrec_host_is_deleted(row) && !xfrec_host_is_new(row)
            && row != me && !strcmp(row->power, "on") && row->wake_mac
            && xfrec_host_is_updated(row, XFREC_HOST_COL_POWER)) {
            join_host_wake(row->wake_mac);
        }
    }
    if (changed || me != j->me) {
        j->me = me;
        j->ports_dirty = true;
        all_dirty(j);
    }
}

static void
take_routers(struct join *j)
{
    const struct xfrec_router_state *state;
    const struct xfrec_router *row;

    XFREC_ROUTER_FOR_EACH_TRACKED (row, j->xf.idl) {
        struct join_router *r = join_router_find(j, &row->header_.uuid);

        if (!r && !xfrec_router_is_deleted(row)) {
            r = join_router_add(j, &row->header_.uuid);
        }
        if (r) {
            /* What failed, failed with what was wanted before. */
            r->due_ms = 0;
            r->n_failures = 0;
            join_router_dirty(j, r);
        }
        j->ports_dirty = true;
    }
    /* Of one that was removed, or went to another host, while we were away. */
    XFREC_ROUTER_STATE_FOR_EACH_TRACKED (state, j->xf.idl) {
        struct join_router *r;

        if (xfrec_router_state_is_new(state)
            && !xfrec_router_state_is_deleted(state)) {
            r = join_router_find(j, &state->router);
            join_router_dirty(j, r ? r : join_router_add(j, &state->router));
        }
    }
}

static void
take_interfaces(struct join *j)
{
    const struct xfrec_interface *row;

    XFREC_INTERFACE_FOR_EACH_TRACKED (row, j->xf.idl) {
        j->ports_dirty = true;
        if (!xfrec_interface_is_deleted(row) && row->router
            && (xfrec_interface_is_new(row)
                || !xfrec_interface_is_updated(row,
                                               XFREC_INTERFACE_COL_ROUTER))) {
            struct join_router *r;

            r = join_router_find(j, &row->router->header_.uuid);
            if (r) {
                join_router_dirty(j, r);
            }
        } else {
            all_dirty(j);       /* Whose it was isn't known any more. */
        }
    }
}

/* Whether a port of this host may be as 'link' says. */
static bool
is_link_here(const struct join *j, const struct xfrec_link *link)
{
    const struct xfrec_hop *hop;

    if (link->edge && link->edge->host == j->me) {
        return true;
    }
    XFREC_HOP_FOR_EACH (hop, j->xf.idl) {
        if (hop->link == link) {
            return true;
        }
    }
    return false;
}

static void
take_others(struct join *j)
{
    const struct xfrec_physical_link *link;
    const struct xfrec_edge_port *edge;
    const struct xfrec_segment *segment;
    const struct xfrec_link *vlink;
    const struct xfrec_hop *hop;

    /* Of a link without an edge now, what it had isn't known any more. */
    XFREC_LINK_FOR_EACH_TRACKED (vlink, j->xf.idl) {
        j->ports_dirty = (j->ports_dirty || xfrec_link_is_deleted(vlink)
                          || xfrec_link_is_updated(vlink,
                                                   XFREC_LINK_COL_BANDWIDTH)
                          || xfrec_link_is_updated(vlink,
                                                   XFREC_LINK_COL_EDGE)
                          || is_link_here(j, vlink));
    }
    XFREC_HOP_FOR_EACH_TRACKED (hop, j->xf.idl) {
        j->ports_dirty = true;
    }
    XFREC_SEGMENT_FOR_EACH_TRACKED (segment, j->xf.idl) {
        j->ports_dirty = true;
    }
    XFREC_EDGE_PORT_FOR_EACH_TRACKED (edge, j->xf.idl) {
        j->ports_dirty = true;
    }
    XFREC_PHYSICAL_LINK_FOR_EACH_TRACKED (link, j->xf.idl) {
        j->ports_dirty = true;
    }
    join_probe_update(j);
}

static void
take_changes(struct join *j)
{
    unsigned int seqno = ovsdb_idl_get_seqno(j->xf.idl);

    if (seqno != j->xf.seqno) {
        j->xf.seqno = seqno;
        take_hosts(j);
        take_routers(j);
        join_moves_update(j);
        take_interfaces(j);
        take_others(j);
        ovsdb_idl_track_clear(j->xf.idl);
        update_conditions(j);
    }
}

/* ---- Writing to XenFlow. ---- */

static void
write_done(struct join *j, bool success)
{
    struct join_router *r;

    join_host_written(j, success);
    if (!success) {
        join_probe_unwritten(j);
        join_moves_unwritten(j);
        HMAP_FOR_EACH (r, node, &j->routers) {
            join_router_unwritten(j, r);
        }
    }
}

static void
write_run(struct join *j, long long int now_ms)
{
    bool success;

    if (!j->xf.txn && join_is_complete(j) && db_can_write(&j->xf, now_ms)
        && (!ovs_list_is_empty(&j->unwritten)
            || join_probe_is_due(j) || join_trace_is_due(j)
            || join_moves_is_due(j, now_ms)
            || join_host_is_due(j, now_ms))) {
        j->xf.txn = ovsdb_idl_txn_create(j->xf.idl);
        while (!ovs_list_is_empty(&j->unwritten)) {
            struct join_router *r = CONTAINER_OF(
                ovs_list_pop_front(&j->unwritten), struct join_router,
                unwritten);

            ovs_list_init(&r->unwritten);
            join_router_write(j, r);
        }
        join_trace_write(j);
        join_moves_write(j, now_ms);
        join_host_write(j, now_ms);
    }
    if (j->xf.txn && db_commit(&j->xf, "XenFlow", now_ms, &success)) {
        write_done(j, success);
    }
}

/* ---- The loop. ---- */

void
join_domain_changed(struct join *j, struct xf_domain *d, long long int now_ms)
{
    struct join_router *r = join_router_find(
        j, &xf_domain_get_config(d)->uuid);

    if (r) {
        join_router_observe(j, r, d, now_ms);
        j->ports_dirty = true;
    }
}

static void
routers_run(struct join *j, long long int now_ms)
{
    struct ovs_list todo = OVS_LIST_INITIALIZER(&todo);
    struct join_router *r;

    HMAP_FOR_EACH (r, node, &j->routers) {
        if (r->due_ms && now_ms >= r->due_ms) {
            r->due_ms = 0;
            join_router_dirty(j, r);
        }
    }
    /* What makes itself dirty again waits for something to happen. */
    if (!ovs_list_is_empty(&j->dirty)) {
        ovs_list_splice(&todo, j->dirty.next, &j->dirty);
    }
    while (!ovs_list_is_empty(&todo)) {
        r = CONTAINER_OF(ovs_list_pop_front(&todo), struct join_router, dirty);
        ovs_list_init(&r->dirty);
        join_router_step(j, r, now_ms);
    }
}

static void
ovs_run(struct join *j, long long int now_ms)
{
    unsigned int seqno;
    bool success;

    ovsdb_idl_run(j->ovs.idl);
    seqno = ovsdb_idl_get_seqno(j->ovs.idl);
    if (seqno != j->ovs.seqno) {
        j->ovs.seqno = seqno;
        j->ports_dirty = true;
    }
    if (j->ovs.txn && db_commit(&j->ovs, "Open_vSwitch", now_ms, &success)
        && !success) {
        j->ports_dirty = true;
    }
}

void
join_run(struct join *j, long long int now_ms)
{
    bool success;

    if (j->ovs.idl) {
        ovs_run(j, now_ms);
    }
    configure_keys(j);
    configure(j);
    if (!j->xf.idl) {
        return;
    }
    ovsdb_idl_run(j->xf.idl);
    take_changes(j);
    if (join_is_complete(j)) {
        routers_run(j, now_ms);
        if (!j->ovs.idl) {
            j->ports_dirty = false;
        } else if (j->ports_dirty && db_can_write(&j->ovs, now_ms)) {
            j->ports_dirty = false;
            join_ports_run(j, now_ms);
            if (j->ovs.txn && db_commit(&j->ovs, "Open_vSwitch", now_ms,
                                        &success) && !success) {
                j->ports_dirty = true;
            }
        }
        join_moves_run(j, now_ms);
        join_probe_run(j, now_ms);
        join_ospf_run(j, now_ms);
        join_load_run(j, now_ms);
        join_trace_run(j, now_ms);
        join_host_power(j);
    }
    write_run(j, now_ms);
}

void
join_wait(struct join *j)
{
    const struct join_router *r;

    if (j->ovs.idl) {
        db_wait(&j->ovs, j->ports_dirty && join_is_complete(j));
    }
    if (!j->xf.idl) {
        return;
    }
    db_wait(&j->xf, !ovs_list_is_empty(&j->unwritten)
            && join_is_complete(j));
    if (join_is_complete(j)) {
        join_host_wait(j);
        join_probe_wait(j);
        join_ospf_wait(j);
        join_load_wait(j);
        join_trace_wait(j);
        join_moves_wait(j);
        HMAP_FOR_EACH (r, node, &j->routers) {
            if (r->due_ms) {
                poll_timer_wait_until(r->due_ms);
            }
        }
    }
}

/* Appends what join/show says. */
void
join_format(const struct join *j, struct ds *ds)
{
    const struct join_router *r;
    struct svec lines = SVEC_EMPTY_INITIALIZER;

    if (!j->xf.idl) {
        ds_put_cstr(ds, "not joined: the host joins with ovs-vsctl set "
                    "open_vswitch . external_ids:xenflow-remote=REMOTE "
                    "external_ids:xenflow-host=NAME\n");
        return;
    }
    ds_put_format(ds, "host %s, database %s: %s\n", j->name, j->remote,
                  !ovsdb_idl_is_connected(j->xf.idl) ? "not connected"
                  : !j->me ? "has no host of that name (xfctl host-add)"
                  : !j->me->enabled ? "the host is disabled there"
                  : join_is_settled(j) ? "all carried out"
                  : "something is left to do");
    HMAP_FOR_EACH (r, node, &j->routers) {
        const struct xfrec_router *row = join_router_row(j, &r->uuid);

        svec_add_nocopy(&lines, xasprintf(
            "router %s: domain %s, restarts %"PRId64"%s%s%s",
            row ? row->name : "(not here any more)",
            r->domain ? r->domain : "none", r->n_restarts,
            r->settled ? "" : ", something is left to do",
            r->failure || r->refusal ? ": " : "",
            r->refusal ? r->refusal : r->failure ? r->failure : ""));
    }
    join_moves_format(j, &lines);
    svec_sort(&lines);
    for (size_t i = 0; i < lines.n; i++) {
        ds_put_format(ds, "%s\n", lines.names[i]);
    }
    svec_destroy(&lines);
}
