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

#ifndef XENFLOW_HOSTD_H
#define XENFLOW_HOSTD_H 1

/* xenflow-hostd joined to the database XenFlow
 * ============================================
 *
 *   xenflow-hostd.c         options, commands, the loop
 *   xenflow-hostd-join.c    both databases: rows in, transactions out, "cfg"
 *   xenflow-hostd-router.c  one router: what is wanted, what its domain is, and
 *                           what to do next; restart policy; Router_State
 *   xenflow-hostd-guest.c   a router's rows -> configuration of its domain
 *   xenflow-hostd-frr.c     configuration of its routing software
 *   xenflow-hostd-port.c    rows -> bridge and ports in Open_vSwitch
 *   xenflow-hostd-queue.c   links' bandwidth -> QoS and queues there
 *   xenflow-hostd-host.c    this machine: Host_State, events, power
 *   xenflow-hostd-probe.c   physical links: Physical_Link_State
 *   xenflow-hostd-ospf.c    what OSPF says of them
 *   xenflow-hostd-ask.c     questions to the switch
 *   xenflow-hostd-load.c    what routers take: Router_State
 *   xenflow-hostd-trace.c   traced packets: Trace_State
 *   xenflow-hostd-measure.c what the kernel says of it
 *   xenflow-hostd-move.h    machines that move to and from other hosts
 *
 * Shape: desired state is compared with what is, and one step towards it is
 * made; nothing is remembered that can be looked up.  So an order lost, a
 * killed process or a database that comes back needs no case of its own.
 *
 * - A router is looked at when its rows, its domain or its timer changed (list
 *   'dirty'), ports as a whole when any of them may have changed.
 * - Router_State is written before a domain is made and removed after it is
 *   gone: a domain that isn't in Router is destroyed only if this host said in
 *   the database that it has it.  So an empty database destroys nothing.
 * - Without the database the last rows stay in effect: nothing is stopped, and
 *   restart policies go on.
 * - Port, Bridge, QoS and Queue rows of ours have
 *   external_ids:xenflow-owner=hostd; no others are changed or removed.
 *
 * One thread. */

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/types.h"
#include "openvswitch/uuid.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "sset.h"
#include "svec.h"
#include "xenflow/domain.h"
#include "xenflow/ports.h"
#include "xenflow-ext/xenflow-idl.h"

struct ds;
struct json;
struct jsonrpc;

struct join_settings {
    const char *remote;         /* Of XenFlow; NULL: Open_vSwitch says. */
    const char *host;           /* Likewise. */
    char *ovs;                  /* Remote of Open_vSwitch; "none": there is
                                 * none. */
    char *images;               /* Folder. */
    const char *power_off;      /* Shell command; NULL: don't. */
    bool dummies;               /* The backend dummy can be used. */
};

/* One database. */
struct join_db {
    struct ovsdb_idl *idl;
    struct ovsdb_idl_txn *txn;  /* Under way, or NULL. */
    long long int next_ms;      /* No transaction before. */
    unsigned int seqno;         /* Of the rows that were looked at. */
};

/* A router that this host has, or had and is taking down. */
struct join_router {
    struct hmap_node node;      /* In struct join, by 'uuid'. */
    struct ovs_list dirty;      /* Likewise, or empty. */
    struct ovs_list unwritten;  /* Likewise, or empty. */
    struct uuid uuid;           /* Of its row, and of its domain. */
    char *domain;               /* Its name, or NULL. */
    bool recalled;              /* What was before us is known. */
    bool can_be_heard;          /* Its management tap has its address. */

    bool op_begun;              /* By us, and its end not yet seen. */
    enum xf_domain_state state; /* Of the domain when it was last looked at. */
    unsigned int n_crashes;     /* Likewise. */

    int64_t boot;               /* Carried out. */
    int64_t n_restarts;
    unsigned int n_failures;    /* In a row. */
    long long int due_ms;       /* Nothing is begun before; 0: at once. */
    long long int running_ms;   /* Since when it runs. */
    bool resting;               /* It ended, and is to be left at that. */
    bool settled;               /* Nothing left to do. */
    char *failure;              /* Sentence about the machine, or NULL. */
    char *refusal;              /* About the rows, or NULL. */
    struct xf_domain_usage usage;   /* Of the machine at 'usage_ms'; */
    long long int usage_ms;         /* 0: not known. */
    char *warning;              /* Told last, or NULL. */
};

struct join_host;
struct join_ospf;
struct join_load;
struct join_trace;
struct join_moves;

struct join {
    struct xf_domains *domains;
    struct join_settings settings;
    char *remote;               /* In use, or NULL. */
    char *name;                 /* Of this host, or NULL. */
    bool keys_given;            /* For TLS, by options. */

    struct join_db xf;          /* 'idl' is NULL while 'remote' or 'name' is. */
    const struct xfrec_host *me;    /* NULL: the database doesn't have us. */
    char *conditions;           /* Text of those that were asked for. */
    unsigned int conditions_seqno;
    struct ovsdb_idl_index *interfaces; /* By router. */
    struct ovsdb_idl_index *states;     /* Router_State by router. */

    struct hmap routers;        /* struct join_router. */
    struct ovs_list dirty, unwritten;
    bool ports_dirty;
    struct sset replaced;       /* Ports that wait until the switch has */
    int64_t replaced_cfg;       /* carried out so much. */

    struct hmap links;          /* struct join_link. */

    struct join_db ovs;         /* 'idl' may be NULL. */
    char *port_trouble;         /* Sentence, or NULL. */
    struct smap queue_trouble;  /* Sentences told, by port. */

    struct join_host *host;     /* See xenflow-hostd-host.c. */
    struct join_ospf *ospf;     /* See xenflow-hostd-ospf.c. */
    struct join_load *load;     /* See xenflow-hostd-load.c. */
    struct join_trace *trace;   /* See xenflow-hostd-trace.c. */
    struct join_moves *moves;   /* See xenflow-hostd-move.h. */
};

/* ---- xenflow-hostd-join.c ---- */

struct join *join_create(struct xf_domains *, const struct join_settings *);
void join_destroy(struct join *);
void join_domain_changed(struct join *, struct xf_domain *,
                         long long int now_ms);
void join_run(struct join *, long long int now_ms);
void join_wait(struct join *);
void join_format(const struct join *, struct ds *);

/* Whether all rows that concern us are there. */
bool join_is_complete(const struct join *);

/* Whether all of it is carried out. */
bool join_is_settled(const struct join *);

/* ---- xenflow-hostd-router.c ---- */

struct join_router *join_router_find(const struct join *, const struct uuid *);
struct join_router *join_router_add(struct join *, const struct uuid *);
void join_router_dirty(struct join *, struct join_router *);
void join_router_unwritten(struct join *, struct join_router *);
void join_router_free(struct join *, struct join_router *);

/* Its row, if this host is to carry it, else NULL. */
const struct xfrec_router *join_router_row(const struct join *,
                                           const struct uuid *);
/* Its row, if the database gives it to this host, whoever carries it. */
const struct xfrec_router *join_router_any_row(const struct join *,
                                               const struct uuid *);
/* Its domain, or NULL. */
struct xf_domain *join_router_domain(const struct join *,
                                     const struct join_router *);
const struct xfrec_router_state *join_router_state(const struct join *,
                                                   const struct uuid *);

/* Its domain changed. */
void join_router_observe(struct join *, struct join_router *,
                         struct xf_domain *, long long int now_ms);
/* Makes one step towards what is wanted. */
void join_router_step(struct join *, struct join_router *,
                      long long int now_ms);
/* Gives its management tap the host's address. */
void join_router_set_addresses(struct join_router *, const struct xf_domain *);
/* Writes its state, in transaction j->xf.txn. */
void join_router_write(struct join *, struct join_router *);

/* ---- xenflow-hostd-guest.c ---- */

#define JOIN_PORT_MAX 15        /* Characters. */

/* What of a router's place on this host goes by its UUID, and so is the same
 * on each host. */
struct join_place {
    char tap[JOIN_PORT_MAX + 1];    /* Of the management link. */
    ovs_be32 host_ip, guest_ip;     /* A /30. */
    struct eth_addr host_mac, guest_mac;
};
void join_place_init(struct join_place *, const struct uuid *router);

/* Port behind which the machine has the interface. */
void join_vif_name(const struct xfrec_interface *, char name[JOIN_PORT_MAX + 1]);

/* Interfaces of a router by name (eth2 before eth10); to be freed. */
const struct xfrec_interface **join_interfaces(const struct join *,
                                               const struct xfrec_router *,
                                               size_t *n);

/* Fills 'config' in with the domain of 'row'.  Returns NULL, or a sentence that
 * says what is wrong with the rows, and then 'config' holds nothing. */
char *join_guest_config(const struct join *, const struct xfrec_router *row,
                        struct xf_domain_config *config);

/* ---- xenflow-hostd-frr.c ---- */

/* Whether FRR itself tells the switch of the routes; else the guest daemon. */
bool join_frr_speaks(const struct xfrec_router *);
/* Appends the lines of frr.conf. */
char *join_frr_config(const struct xfrec_router *,
                      const struct xfrec_interface **ifaces, size_t n,
                      ovs_be32 fpm_ip, struct ds *);
/* Appends the lines of /etc/xenflow/network that start FRR's daemons. */
void join_frr_daemons(const struct xfrec_router *,
                      const struct xfrec_interface **ifaces, size_t n,
                      struct ds *);

/* ---- xenflow-hostd-port.c ---- */

void join_ports_monitor(struct ovsdb_idl *);
/* The bridge that has them, or NULL if there is no switch.  Valid until its
 * database changes. */
const char *join_bridge_name(const struct join *);
/* Has the rows of Open_vSwitch as they should be; writes what isn't. */
void join_ports_run(struct join *, long long int now_ms);
/* Whether the switch was told where it hears the machine of router 'name'. */
bool join_ports_is_heard(const struct join *, const char *name);

/* Whether a row of Open_vSwitch with these external_ids is of xenflow-hostd. */
#define JOIN_OWNER_KEY "xenflow-owner"
#define JOIN_OWNER "hostd"
bool join_is_ours(const struct smap *external_ids);

/* ---- xenflow-hostd-queue.c ---- */

void join_queues_monitor(struct ovsdb_idl *);
/* Has the queues as they should be, in transaction j->ovs.txn. */
void join_queues_run(struct join *);

/* ---- xenflow-hostd-probe.c ---- */

void join_probe_monitor(struct ovsdb_idl *);
void join_probe_destroy(struct join *);
/* Physical_Link may have changed. */
void join_probe_update(struct join *);
void join_probe_run(struct join *, long long int now_ms);
void join_probe_wait(const struct join *);
/* Whether a link has come up, gone down, or been removed. */
bool join_probe_is_due(const struct join *);
void join_probe_write(struct join *, bool all);
void join_probe_unwritten(struct join *);
/* What OSPF says of a cable: its metric, 0 if it doesn't have it... */
#define JOIN_METRIC_NONE (-1)   /* ...and this if it says nothing. */
/* Has each cable the metric that 'metric' says of its port; 'old' is what it had
 * before. */
void join_probe_set_metrics(struct join *,
                            int (*metric)(const char *port, int old,
                                          const void *aux),
                            const void *aux);

/* ---- xenflow-hostd-ospf.c ---- */

struct join_ospf *join_ospf_create(void);
void join_ospf_destroy(struct join_ospf *);
/* Asks ospfd, and takes its answer. */
void join_ospf_run(struct join *, long long int now_ms);
void join_ospf_wait(const struct join *);

/* ---- xenflow-hostd-ask.c ---- */

/* A command of the switch, under way while 'rpc' isn't NULL. */
struct join_ask {
    struct jsonrpc *rpc;
    long long int deadline_ms;
};

/* Of ovs-vswitchd, or a negative errno. */
pid_t join_switch_pid(void);
/* Begins 'command' with 'args' (takes ownership).  Returns NULL, or why it
 * can't be asked. */
char *join_ask(struct join_ask *, const char *command, struct json *args,
               long long int now_ms) OVS_WARN_UNUSED_RESULT;
/* Returns true once the answer is there: '*textp' or '*errorp' is the caller's,
 * the other one is NULL. */
bool join_ask_run(struct join_ask *, long long int now_ms, char **textp,
                  char **errorp);
void join_ask_wait(const struct join_ask *);
void join_ask_close(struct join_ask *);

/* ---- xenflow-hostd-load.c ---- */

struct join_load *join_load_create(void);
void join_load_destroy(struct join_load *);
/* Takes the switch's answer. */
void join_load_run(struct join *, long long int now_ms);
void join_load_wait(const struct join *);
/* Writes it, in transaction j->xf.txn, and asks anew. */
void join_load_write(struct join *, long long int now_ms);
/* Percent of one CPU, rounded, that a counter of ms has grown by; 0 if it has
 * begun anew. */
double join_load_percent(unsigned long long int new,
                         unsigned long long int old,
                         long long int elapsed_ms);

/* ---- xenflow-hostd-trace.c ---- */

struct join_trace *join_trace_create(void);
void join_trace_destroy(struct join_trace *);
/* Drops question and answer. */
void join_trace_clear(struct join_trace *);
/* Asks the switch; takes its answer. */
void join_trace_run(struct join *, long long int now_ms);
void join_trace_wait(const struct join *);
/* Whether an answer is to be written, or one to be removed... */
bool join_trace_is_due(const struct join *);
/* ...which this does, in transaction j->xf.txn. */
void join_trace_write(struct join *);

/* ---- xenflow-hostd-move.c ---- */

struct join_moves *join_moves_create(void);
void join_moves_monitor(struct ovsdb_idl *);
void join_moves_destroy(struct join_moves *);
/* Forgets all; domains stay as they are. */
void join_moves_clear(struct join *);
/* Registers commands for tests. */
void join_moves_register(struct join_moves *);
/* Migration or Router may have changed. */
void join_moves_update(struct join *);
void join_moves_run(struct join *, long long int now_ms);
void join_moves_wait(const struct join *);
/* Whether there is a migration of it from or to this host. */
bool join_moves_has(const struct join *, const struct uuid *router);
/* Whether what its row wants may not be done to a router now, because it
 * moves. */
bool join_moves_owns(const struct join *, const struct uuid *router);
/* Whether its machine goes from this host to another, or has gone. */
bool join_moves_leaves(const struct join *, const struct uuid *router);
/* Whether this host is the other one of a router that moves: it has ports and
 * a state of it. */
bool join_moves_is_here(const struct join *, const struct uuid *router);
/* Name for streams of a host's address. */
char *join_move_address(const struct join *, const char *address,
                        bool listens);
bool join_moves_is_due(const struct join *, long long int now_ms);
/* Writes Migration_State, in transaction j->xf.txn, that may have failed. */
void join_moves_write(struct join *, long long int now_ms);
void join_moves_unwritten(struct join *);
/* Adds lines of join/show. */
void join_moves_format(const struct join *, struct svec *lines);

/* ---- xenflow-hostd-host.c ---- */

void join_host_monitor(struct ovsdb_idl *);
struct join_host *join_host_create(void);
void join_host_destroy(struct join_host *);
bool join_host_is_due(const struct join *, long long int now_ms);
void join_host_wait(const struct join *);
/* Writes Host_State and Events, in transaction j->xf.txn... */
void join_host_write(struct join *, long long int now_ms);
/* ...that succeeded or not. */
void join_host_written(struct join *, bool success);

void join_event(struct join *, const char *severity, const char *object,
                const char *format, ...) OVS_PRINTF_FORMAT(4, 5);

/* Chooses a node for a machine ('*nodep', -1: anywhere).  Returns NULL, or a
 * sentence of warning (caller frees). */
char *join_host_place(const struct join *, const char *router,
                      const struct xf_domain_config *, int *nodep);

/* Switches this machine off, if that was asked for and allowed. */
void join_host_power(struct join *);
/* Another host is to be woken. */
void join_host_wake(const char *mac);

#endif /* xenflow-hostd.h */
