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

#include "xenflow-openflow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flow.h"
#include "hash.h"
#include "openvswitch/hmap.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-switch.h"
#include "openvswitch/ofp-util.h"
#include "openvswitch/ofpbuf.h"
#include "openvswitch/rconn.h"
#include "openvswitch/shash.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "packets.h"
#include "socket-util.h"
#include "simap.h"
#include "util.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xenflow_openflow);

#define OF_VERSION OFP13_VERSION
#define PROTOCOL OFPUTIL_P_OF13_OXM
#define PROBE_S 5
#define MAX_BACKOFF_S 4
#define PRIORITY 60000          /* Of our flows, in table 0. */
#define BATCH 50                /* Messages read before others' turn. */
#define FLOWS_MAX 8192          /* Of one switch, each way. */

/* What comes by one side of a hop. */
struct of_flow {
    struct hmap_node node;      /* By 'in_port' and 'in_vlan'. */
    ofp_port_t in_port, out_port;
    uint16_t in_vlan, out_vlan; /* 0: no tag. */
    uint32_t cookie;            /* Its lower half. */
    bool in_use;                /* Of Link:generation. */
};

/* What is known of a switch in this connection. */
enum of_stage {
    OF_DOWN,                    /* Nothing. */
    OF_PORTS,                   /* Its ports were asked for. */
    OF_FLOWS,                   /* Our flows are on their way. */
    OF_STALE,                   /* They are there; old ones may be, too: they
                                 * were asked for. */
    OF_LAST,                    /* Old ones are removed. */
    OF_READY
};

struct of_switch {
    char *name;
    char *target;
    struct rconn *rconn;
    unsigned int conn_seqno;    /* Of the connection that 'stage' is of. */
    enum of_stage stage;
    bool present;               /* The row is there. */
    struct simap ports;         /* Name to number. */
    struct hmap flows;          /* What was sent: struct of_flow. */
    ovs_be32 barrier;           /* xid of the barrier under way; 0: none. */
    /* Numbers of XF_Global:cfg, -1: none. */
    int64_t sent;               /* Of the rows that were carried out last. */
    int64_t asked;              /* Which 'barrier' stands for. */
    int64_t acked;
    bool refused;               /* A flow, since all were sent: what it has
                                 * isn't known. */
    char *error;                /* Why it refused one, until it takes all. */
    struct shash errors;        /* By the name of a link: why a hop of that
                                 * can't be. */
};

struct xf_openflow {
    struct shash switches;      /* Of struct of_switch, by name. */
    unsigned int seqno;
    unsigned int idl_seqno;     /* Of rows that were looked at. */
};

struct xf_openflow *
xf_openflow_create(void)
{
    struct xf_openflow *of = xzalloc(sizeof *of);

    shash_init(&of->switches);
    return of;
}

/* ---- Flows. ---- */

static uint32_t
key_hash(ofp_port_t in_port, uint16_t in_vlan)
{
    return hash_2words(ofp_to_u16(in_port), in_vlan);
}

static struct of_flow *
flow_find(const struct hmap *flows, ofp_port_t in_port, uint16_t in_vlan)
{
    struct of_flow *flow;

    HMAP_FOR_EACH_WITH_HASH (flow, node, key_hash(in_port, in_vlan), flows) {
        if (flow->in_port == in_port && flow->in_vlan == in_vlan) {
            return flow;
        }
    }
    return NULL;
}

static void
flows_clear(struct hmap *flows)
{
    struct of_flow *flow;

    HMAP_FOR_EACH_POP (flow, node, flows) {
        free(flow);
    }
}

static bool
flow_equals(const struct of_flow *a, const struct of_flow *b)
{
    return (a->out_port == b->out_port && a->out_vlan == b->out_vlan
            && a->cookie == b->cookie);
}

static void
put_actions(const struct of_flow *flow, struct ofpbuf *ofpacts)
{
    if (flow->out_vlan && flow->out_vlan != flow->in_vlan) {
        struct ofpact_vlan_vid *vid = ofpact_put_SET_VLAN_VID(ofpacts);

        vid->vlan_vid = flow->out_vlan;
        vid->push_vlan_if_needed = !flow->in_vlan;
        vid->flow_has_vlan = flow->in_vlan != 0;
    } else if (!flow->out_vlan && flow->in_vlan) {
        ofpact_put_STRIP_VLAN(ofpacts);
    }
    ofpact_put_OUTPUT(ofpacts)->port
        = flow->out_port == flow->in_port ? OFPP_IN_PORT : flow->out_port;
}

/* Sends 'flow', with 'command'. */
static void
send_flow(struct of_switch *sw, const struct of_flow *flow,
          enum ofp_flow_mod_command command)
{
    struct ofpbuf ofpacts;
    struct match match;
    struct ofputil_flow_mod fm = {
        .priority = PRIORITY,
        .new_cookie = htonll((uint64_t) XF_OPENFLOW_COOKIE << 32
                             | flow->cookie),
        .command = command,
        .buffer_id = UINT32_MAX,
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
    };

    ofpbuf_init(&ofpacts, 64);
    match_init_catchall(&match);
    match_set_in_port(&match, flow->in_port);
    if (flow->in_vlan) {
        match_set_dl_vlan(&match, htons(flow->in_vlan), 0);
    } else {
        match_set_dl_tci(&match, htons(0));
    }
    if (command == OFPFC_ADD) {
        put_actions(flow, &ofpacts);
    }
    minimatch_init(&fm.match, &match);
    fm.ofpacts = ofpacts.data;
    fm.ofpacts_len = ofpacts.size;
    rconn_send(sw->rconn, ofputil_encode_flow_mod(&fm, PROTOCOL), NULL);
    minimatch_destroy(&fm.match);
    ofpbuf_uninit(&ofpacts);
}

/* ---- What is wanted. ---- */

static void
set_error(struct of_switch *sw, char *error)
{
    if (error && (!sw->error || strcmp(error, sw->error))) {
        VLOG_WARN("switch %s: %s", sw->name, error);
    }
    free(sw->error);
    sw->error = error;
}

/* Takes 'errors' over. */
static void
set_errors(struct of_switch *sw, struct shash *errors)
{
    const struct shash_node *node;

    SHASH_FOR_EACH (node, errors) {
        const char *old = shash_find_data(&sw->errors, node->name);

        if (!old || strcmp(old, node->data)) {
            VLOG_WARN("switch %s: %s", sw->name, (const char *) node->data);
        }
    }
    shash_swap(&sw->errors, errors);
    shash_clear_free_data(errors);
}

static bool
find_port(const struct of_switch *sw, const char *name, ofp_port_t *port)
{
    const struct simap_node *node = simap_find(&sw->ports, name);

    if (node) {
        *port = u16_to_ofp(node->data);
    }
    return node != NULL;
}

/* Enters one direction of 'hop' in 'flows'. */
static void
want_flow(struct hmap *flows, const struct xfrec_hop *hop, ofp_port_t in_port,
          int64_t in_vlan, ofp_port_t out_port, int64_t out_vlan)
{
    struct of_flow *flow = flow_find(flows, in_port, in_vlan);
    bool in_use = hop->generation == hop->link->generation;

    if (flow && (flow->in_use || !in_use)) {
        return;
    } else if (!flow) {
        flow = xzalloc(sizeof *flow);
        flow->in_port = in_port;
        flow->in_vlan = in_vlan;
        hmap_insert(flows, &flow->node, key_hash(in_port, in_vlan));
    }
    flow->out_port = out_port;
    flow->out_vlan = out_vlan;
    flow->cookie = hop->header_.uuid.parts[0];
    flow->in_use = in_use;
}

static char *
no_port(const struct xfrec_hop *hop, const char *port)
{
    return xasprintf("it has no port '%s', which link '%s' goes over", port,
                     hop->link->name);
}

/* Makes 'flows' those of the rows, and 'errors' sentences, by link, of those
 * that can't be. */
static void
want_flows(const struct of_switch *sw, struct ovsdb_idl *idl,
           struct hmap *flows, struct shash *errors)
{
    const struct xfrec_hop *hop;

    XFREC_HOP_FOR_EACH (hop, idl) {
        ofp_port_t port1, port2;
        char *error = NULL;

        if (strcmp(hop->host->name, sw->name)) {
            continue;
        } else if (!find_port(sw, hop->port1, &port1)) {
            error = no_port(hop, hop->port1);
        } else if (!find_port(sw, hop->port2, &port2)) {
            error = no_port(hop, hop->port2);
        } else if (hmap_count(flows) + 2 > FLOWS_MAX) {
            error = xasprintf("more than %d flows are wanted", FLOWS_MAX);
        } else {
            want_flow(flows, hop, port1, hop->vlan1, port2, hop->vlan2);
            want_flow(flows, hop, port2, hop->vlan2, port1, hop->vlan1);
        }
        if (error) {
            free(shash_replace(errors, hop->link->name, error));
        }
    }
}

/* Sends what differs, new flows first, and takes 'flows' over. */
static void
update_flows(struct of_switch *sw, struct hmap *flows)
{
    const struct of_flow *flow, *old;

    HMAP_FOR_EACH (flow, node, flows) {
        old = flow_find(&sw->flows, flow->in_port, flow->in_vlan);
        if (!old || !flow_equals(flow, old)) {
            send_flow(sw, flow, OFPFC_ADD);
        }
    }
    HMAP_FOR_EACH (old, node, &sw->flows) {
        if (!flow_find(flows, old->in_port, old->in_vlan)) {
            send_flow(sw, old, OFPFC_DELETE_STRICT);
        }
    }
    flows_clear(&sw->flows);
    hmap_swap(&sw->flows, flows);
}

/* Sends a barrier; its answer comes after all that was sent before. */
static void
send_barrier(struct of_switch *sw)
{
    struct ofpbuf *msg = ofputil_encode_barrier_request(OF_VERSION);

    sw->barrier = ((const struct ofp_header *) msg->data)->xid;
    sw->asked = sw->sent;
    rconn_send(sw->rconn, msg, NULL);
}

/* Carries the rows out.  'number': of XF_Global:cfg with them. */
static void
carry_out(struct of_switch *sw, struct ovsdb_idl *idl, int64_t number)
{
    struct hmap flows = HMAP_INITIALIZER(&flows);
    struct shash errors = SHASH_INITIALIZER(&errors);

    if (sw->refused) {
        /* All is tried again, as in a new connection; the barrier under way
         * doesn't stand for that. */
        sw->refused = false;
        flows_clear(&sw->flows);
        sw->stage = OF_FLOWS;
        sw->barrier = 0;
    }
    want_flows(sw, idl, &flows, &errors);
    set_errors(sw, &errors);
    shash_destroy(&errors);
    update_flows(sw, &flows);
    hmap_destroy(&flows);
    sw->sent = number;
    if (!sw->barrier) {
        send_barrier(sw);
    }
}

/* ---- Connections. ---- */

static void
ask_ports(struct of_switch *sw)
{
    simap_clear(&sw->ports);
    flows_clear(&sw->flows);
    sw->refused = false;
    sw->acked = sw->sent = -1;
    sw->stage = OF_PORTS;
    rconn_send(sw->rconn,
               ofputil_encode_port_desc_stats_request(OF_VERSION, OFPP_ANY),
               NULL);
    send_barrier(sw);
}

/* Of what a switch says by itself, ports that come and go are wanted, and no
 * packets. */
static void
ask_port_changes(struct of_switch *sw)
{
    struct ofputil_switch_config config = {
        .frag = OFPUTIL_FRAG_NORMAL,
        .miss_send_len = UINT16_MAX, /* 0: nothing at all, says Open vSwitch. */
    };
    struct ofputil_async_cfg async = OFPUTIL_ASYNC_CFG_INIT;

    async.primary[OAM_PORT_STATUS] = async.secondary[OAM_PORT_STATUS]
        = 1u << OFPPR_ADD | 1u << OFPPR_DELETE | 1u << OFPPR_MODIFY;
    rconn_send(sw->rconn, ofputil_encode_set_config(&config, OF_VERSION),
               NULL);
    rconn_send(sw->rconn, ofputil_encode_set_async_config(
                   &async, (1u << OAM_N_TYPES) - 1, OF_VERSION), NULL);
}

static void
ask_flows(struct of_switch *sw)
{
    struct ofputil_flow_stats_request fsr = {
        .cookie = htonll((uint64_t) XF_OPENFLOW_COOKIE << 32),
        .cookie_mask = htonll(UINT64_C(0xffffffff) << 32),
        .out_port = OFPP_ANY,
        .out_group = OFPG_ANY,
        .table_id = 0,
    };

    sw->stage = OF_STALE;
    match_init_catchall(&fsr.match);
    rconn_send(sw->rconn, ofputil_encode_flow_stats_request(&fsr, PROTOCOL),
               NULL);
    send_barrier(sw);
}

static void
receive_ports(struct of_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_phy_port pp;

    ofpraw_pull_assert(&b);
    while (simap_count(&sw->ports) < FLOWS_MAX
           && !ofputil_pull_phy_port(OF_VERSION, &b, &pp)) {
        simap_put(&sw->ports, pp.name, ofp_to_u16(pp.port_no));
    }
}

/* Removes flows with our cookie that nobody wants; none while it refuses one,
 * which may be why others are of use. */
static void
receive_flows(struct of_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf b = ofpbuf_const_initializer(oh, ntohs(oh->length));
    struct ofputil_flow_stats fs;
    struct ofpbuf ofpacts;

    if (sw->refused) {
        return;
    }
    ofpbuf_init(&ofpacts, 64);
    while (!ofputil_decode_flow_stats_reply(&fs, &b, false, &ofpacts)) {
        struct of_flow stale = {
            .in_port = fs.match.flow.in_port.ofp_port,
            .in_vlan = vlan_tci_to_vid(fs.match.flow.vlans[0].tci),
        };

        if (!flow_find(&sw->flows, stale.in_port, stale.in_vlan)) {
            send_flow(sw, &stale, OFPFC_DELETE_STRICT);
        }
    }
    ofpbuf_uninit(&ofpacts);
}

/* It keeps what it has; with the next rows, all is tried again. */
static void
receive_error(struct of_switch *sw, const struct ofp_header *oh)
{
    struct ofpbuf payload;
    enum ofperr error = ofperr_decode_msg(oh, &payload);

    sw->refused = true;
    set_error(sw, xasprintf("it refuses a flow (%s)", ofperr_get_name(error)));
    ofpbuf_uninit(&payload);
}

static void
receive_barrier(struct xf_openflow *of, struct of_switch *sw, ovs_be32 xid)
{
    if (xid != sw->barrier) {
        return;
    }
    sw->barrier = 0;
    if (sw->stage == OF_PORTS) {
        sw->stage = OF_FLOWS;
        of->idl_seqno = 0;      /* Rows are carried out. */
    } else if (sw->stage == OF_FLOWS) {
        ask_flows(sw);
    } else if (sw->stage == OF_STALE) {
        sw->stage = OF_LAST;
        send_barrier(sw);
    } else {
        sw->stage = OF_READY;
        if (!sw->refused) {
            set_error(sw, NULL);
            sw->acked = sw->asked;
            of->seqno++;
        }
        if (sw->sent != sw->asked) {
            send_barrier(sw);
        }
    }
}

static void
receive(struct xf_openflow *of, struct of_switch *sw, const struct ofpbuf *msg)
{
    const struct ofp_header *oh = msg->data;
    enum ofptype type;

    if (ofptype_decode(&type, oh)) {
        return;
    } else if (type == OFPTYPE_ECHO_REQUEST) {
        rconn_send(sw->rconn, ofputil_encode_echo_reply(oh), NULL);
    } else if (type == OFPTYPE_PORT_DESC_STATS_REPLY
               && sw->stage == OF_PORTS) {
        receive_ports(sw, oh);
    } else if (type == OFPTYPE_PORT_STATUS) {
        if (sw->stage != OF_PORTS) {
            ask_ports(sw);      /* Numbers may have changed. */
        }
    } else if (type == OFPTYPE_FLOW_STATS_REPLY && sw->stage == OF_STALE) {
        receive_flows(sw, oh);
    } else if (type == OFPTYPE_BARRIER_REPLY) {
        receive_barrier(of, sw, oh->xid);
    } else if (type == OFPTYPE_ERROR) {
        receive_error(sw, oh);
    }
}

static void
switch_run(struct xf_openflow *of, struct of_switch *sw)
{
    rconn_run(sw->rconn);
    if (!rconn_is_connected(sw->rconn)) {
        sw->stage = OF_DOWN;
        sw->acked = -1;
        return;
    }
    if (sw->stage == OF_DOWN
        || rconn_get_connection_seqno(sw->rconn) != sw->conn_seqno) {
        sw->conn_seqno = rconn_get_connection_seqno(sw->rconn);
        VLOG_INFO("switch %s: connected", sw->name);
        ask_port_changes(sw);
        ask_ports(sw);
    }
    for (int i = 0; i < BATCH; i++) {
        struct ofpbuf *msg = rconn_recv(sw->rconn);

        if (!msg) {
            break;
        }
        receive(of, sw, msg);
        ofpbuf_delete(msg);
    }
}

/* ---- Rows. ---- */

static void
switch_destroy(struct of_switch *sw)
{
    rconn_destroy(sw->rconn);
    simap_destroy(&sw->ports);
    flows_clear(&sw->flows);
    hmap_destroy(&sw->flows);
    shash_destroy_free_data(&sw->errors);
    free(sw->error);
    free(sw->target);
    free(sw->name);
    free(sw);
}

static void
switch_create(struct xf_openflow *of, const char *name, const char *target)
{
    struct of_switch *sw = xzalloc(sizeof *sw);

    sw->name = xstrdup(name);
    sw->target = xstrdup(target);
    sw->rconn = rconn_create(PROBE_S, MAX_BACKOFF_S, DSCP_DEFAULT,
                             1u << OF_VERSION);
    rconn_connect(sw->rconn, target, target);
    sw->acked = sw->sent = -1;
    simap_init(&sw->ports);
    hmap_init(&sw->flows);
    shash_init(&sw->errors);
    shash_add(&of->switches, name, sw);
}

/* Makes the switches those of the rows; none if 'idl' is NULL. */
static void
sync_switches(struct xf_openflow *of, struct ovsdb_idl *idl)
{
    const struct xfrec_host *host;
    struct shash_node *node;

    SHASH_FOR_EACH (node, &of->switches) {
        struct of_switch *sw = node->data;

        sw->present = false;
    }
    if (idl) {
        XFREC_HOST_FOR_EACH (host, idl) {
            struct of_switch *sw = shash_find_data(&of->switches, host->name);

            if (strcmp(host->kind, "openflow") || !host->enabled
                || !host->n_addresses) {
                continue;
            } else if (!sw && !vconn_verify_name(host->addresses[0])) {
                switch_create(of, host->name, host->addresses[0]);
                sw = shash_find_data(&of->switches, host->name);
            }
            if (sw) {
                sw->present = !strcmp(sw->target, host->addresses[0]);
            }
        }
    }
    SHASH_FOR_EACH_SAFE (node, &of->switches) {
        struct of_switch *sw = node->data;

        if (!sw->present) {
            switch_destroy(sw);
            shash_delete(&of->switches, node);
            of->idl_seqno = 0;
        }
    }
}

void
xf_openflow_destroy(struct xf_openflow *of)
{
    if (of) {
        sync_switches(of, NULL);
        shash_destroy(&of->switches);
        free(of);
    }
}

void
xf_openflow_run(struct xf_openflow *of, struct ovsdb_idl *idl)
{
    const struct xfrec_xf_global *global
        = idl ? xfrec_xf_global_first(idl) : NULL;
    struct shash_node *node;
    bool changed;

    sync_switches(of, idl);
    SHASH_FOR_EACH (node, &of->switches) {
        switch_run(of, node->data);
    }
    changed = idl && of->idl_seqno != ovsdb_idl_get_seqno(idl);
    if (changed && global) {
        of->idl_seqno = ovsdb_idl_get_seqno(idl);
        SHASH_FOR_EACH (node, &of->switches) {
            struct of_switch *sw = node->data;

            if (sw->stage >= OF_FLOWS) {
                carry_out(sw, idl, global->cfg);
            }
        }
    }
}

void
xf_openflow_wait(struct xf_openflow *of)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &of->switches) {
        struct of_switch *sw = node->data;

        rconn_run_wait(sw->rconn);
        rconn_recv_wait(sw->rconn);
    }
}

char *
xf_openflow_late(const struct xf_openflow *of, const char *name,
                 const struct xfrec_link **links, size_t n, int64_t number)
{
    const struct of_switch *sw = shash_find_data(&of->switches, name);
    const char *error;

    if (!sw) {
        return xstrdup("no usable address");
    } else if (sw->stage == OF_DOWN) {
        return xasprintf("not connected at %s", sw->target);
    } else if (sw->error) {
        return xstrdup(sw->error);
    }
    for (size_t i = 0; i < n; i++) {
        error = shash_find_data(&sw->errors, links[i]->name);
        if (error) {
            return xstrdup(error);
        }
    }
    return (sw->acked >= number ? NULL
            : xasprintf("OpenFlow at %"PRId64" of %"PRId64,
                        MAX(sw->acked, 0), number));
}

unsigned int
xf_openflow_seqno(const struct xf_openflow *of)
{
    return of->seqno;
}
