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

#ifndef XF_ENGINE_PRIVATE_H
#define XF_ENGINE_PRIVATE_H 1

/* What the files of the engine share.
 * ===================================
 *
 * engine.c    threads, queues, acknowledgement rounds
 * router.c    one virtual router: life, registry, claims, listener
 * role.c      elements that aren't routers: their segments
 * select.c    what middleboxes select
 * role-show.c their counters, MACs behind a switch
 * neigh.c     neighbour life
 * command.c   the table of commands, posting, replying
 * config*.c   what is kept over a restart (engine/config.h)
 * copy*.c     tables from switch to switch (engine/copy.h)
 * db*.c       client of the database XenFlow (engine/db.h)
 * args.c      syntax of commands' arguments (main thread)
 * change.c    commands that change a router (engine's thread)
 * route.c     rule-add, -del, -list, route-lookup (engine's thread)
 * rules.c     filters and flows of a router (rules.h); rules-args.c their
 *             syntax, rules-show.c their lists
 * show.c      commands that list (engine's thread)
 * stats.c     stats-show, memory-show (engine's thread)
 * link*.c     virtual links (link.h); transfer.c routers that move
 * output.c    rows as aligned text or as JSON
 *
 * A job is one command on its way: parsed in the main thread, posted, carried
 * out by the engine's thread, held there until its change is acknowledged,
 * posted back, answered in the main thread. */

#include "cmap.h"
#include "engine/config.h"
#include "engine/copy.h"
#include "engine/db.h"
#include "engine/engine.h"
#include "engine/link-private.h"
#include "engine/role.h"
#include "engine/rules.h"
#include "engine/speaker-ready.h"
#include "engine/speaker.h"
#include "latch.h"
#include "mpsc-queue.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "openvswitch/token-bucket.h"
#include "ovs-atomic.h"
#include "ovs-thread.h"

struct json;
struct xf_args;

/* Ids of the sources that the engine has in each table. */
enum xf_engine_source {
    XF_SOURCE_OPERATOR = 1,     /* Commands. */
    XF_SOURCE_LEARNED = 2,      /* ARP and ND seen in the switch. */
    XF_SOURCE_SPEAKER = 3,      /* The listener; it alternates with the next */
    XF_SOURCE_SPEAKER_ALT = 4,  /* one when it is replaced. */
};

/* A turn of the main loop that takes this much CPU time is a long one: a switch
 * that forwards in its main thread (AF_PACKET ports) loses packets by them. */
#define XF_LONG_TURN_NS (10 * 1000 * 1000)

/* Most routers of one engine. */
#define XF_ROUTERS_MAX 16384

/* ---- A router. ---- */

/* How packets of a router become flows of the datapath. */
enum xf_translation {
    XF_TRANSLATION_AUTO,        /* By fib where that is possible. */
    XF_TRANSLATION_FLOW,        /* A megaflow per prefix. */
    XF_TRANSLATION_FIB,         /* The datapath looks each packet up. */
};

/* What an operator can set. */
struct xf_router_config {
    struct xf_rt_limits limits;
    uint32_t ecmp_seed;
    uint32_t punt_rate;         /* Packets per second; 0: no limit. */
    long long int stale_ms;     /* See engine/speaker.h. */
    long long int settle_ms;
    long long int reachable_ms; /* Confirmed neighbours stay so long. */
    bool separated;             /* Data plane is in the switch. */
    enum xf_translation translation;
    enum xf_role role;
    bool fails_open;            /* See struct xf_segments. */
    uint32_t max_rules[XF_N_RULE_KINDS];
    bool filter_deny;           /* What no filter matches. */
    char listen[INET6_ADDRSTRLEN]; /* Listener's address; "": none. */
    uint16_t listen_port;
    bool listen_tls;
    char peer_name[XF_NAME_MAX]; /* In a TLS peer's certificate; "": the
                                  * router's name. */
    char device[XF_NAME_MAX];   /* Listener's device; "": any. */
};

struct xf_router {
    /* Immutable: any thread. */
    struct xf_engine *engine;
    char *name;
    uint32_t id;
    uint32_t ecmp_seed;
    enum xf_role role;
    struct xf_rt *rt;           /* Written by the engine's thread alone. */

    /* Any thread; written by the engine's thread. */
    struct cmap_node name_node; /* In engine's 'routers_by_name'. */
    struct cmap_node id_node;   /* In engine's 'routers_by_id'. */
    atomic_bool separated;
    atomic_bool fib;            /* Translation fib is in force. */
    atomic_bool transferring;   /* See transfer.c. */
    atomic_bool answering;      /* The same. */
    atomic_bool holding;
    OVSRCU_TYPE(struct xf_segments *) segments; /* NULL for a router. */
    struct xf_rules rules;

    /* Engine's thread only. */
    long long int answer_until_ms; /* While 'answering'. */
    struct xf_router_config config;
    struct ovs_list node;       /* In engine's 'routers' or 'dying'. */
    struct ovs_list claims;     /* Of 'struct xf_claim'. */
    struct ovs_list members;    /* See role.c. */
    struct xf_rule_set *selections[2]; /* Middlebox: forward, reverse. */
    struct xf_listener *listener;
    enum xf_engine_source listener_source;
    bool coming;                /* It isn't here yet: what is known of it comes
                                 * from another switch (engine/copy.h). */
    bool has_copy;              /* 'listener_source' may have some of that. */
    bool copy_whole;            /* That was all there was. */
    bool was_here;              /* It is being moved away, or was. */
    uint64_t generation;        /* Of the last change. */
    uint64_t n_changes;
    size_t next_fold;           /* See xf_router_fold(). */

    /* Whoever frees it, when nobody holds it any more (router.c). */
    bool reaping;
    size_t n_reaped;            /* Objects of the table. */

    /* Neighbour life, engine's thread only (neigh.c). */
    struct hmap asks;           /* Of 'struct xf_ask'. */
    long long int next_scan_ms;
    struct token_bucket news_bucket;
    uint64_t n_learned;         /* Neighbours learned or changed. */
    uint64_t n_probes;          /* Requests sent. */
    uint64_t n_expired;         /* Neighbours that didn't answer. */
    uint64_t n_refused;         /* News that a limit refused. */
    uint64_t n_evicted;         /* Neighbours that made room for others. */
};

/* (vlan, mac) of an interface, for xf_engine_claim(). */
struct xf_claim {
    struct cmap_node cmap_node; /* In engine's 'claims'. */
    struct ovs_list list_node;  /* In router's 'claims'. */
    struct xf_router *router;
    uint16_t vlan;
    struct eth_addr mac;
    uint32_t ifindex;           /* As last seen, to notice a change. */
    char iface[XF_NAME_MAX];
};

/* ---- The engine. ---- */

enum xf_ack_state {
    XF_ACK_IDLE,                /* Nothing to acknowledge. */
    XF_ACK_GRACE,               /* Readers may still see the old tables. */
    XF_ACK_REVALIDATE,          /* Cached translations may be old. */
};

struct xf_engine {
    /* Immutable. */
    const struct xf_switch *sw;
    struct seq *config_seq;
    struct seq *reply_seq;      /* Changes when 'replies' isn't empty. */
    pthread_t thread;
    struct latch exit_latch;
    struct latch wake_latch;    /* Wakes the engine's thread. */
    struct xf_ready *ready;     /* Runs the listeners. */
    struct seq *links_seq;      /* Changes with the table of links. */

    /* Any thread; written by the engine's thread. */
    struct cmap routers_by_name;
    struct cmap routers_by_id;
    struct cmap claims;
    struct cmap members;        /* Elements by VLAN, see role.c. */

    struct xf_links links;      /* See engine/link.h. */

    /* Any thread to the engine's thread. */
    struct mpsc_queue news;
    atomic_count n_news;
    atomic_uint64_t n_news_dropped;
    atomic_bool grace_over;     /* Set by the RCU callback. */

    /* Between main and engine's thread. */
    struct ovs_mutex mutex;
    struct ovs_list jobs OVS_GUARDED;    /* Posted, not yet taken. */
    struct ovs_list replies OVS_GUARDED; /* To be answered. */
    char *database OVS_GUARDED; /* For 'config'; NULL: it has it. */
    atomic_bool load;           /* 'config' is to connect. */
    char *db_remote OVS_GUARDED; /* For 'db'; NULL or "": none. */
    char *db_host OVS_GUARDED;  /* What this host is called there. */
    bool db_news OVS_GUARDED;   /* These have changed. */
    atomic_bool ports_changed;  /* See xf_translation_run(). */
    atomic_bool links_ports_changed; /* See xf_links_run(). */

    /* Engine's thread only. */
    struct ovs_list routers;
    size_t n_routers;
    struct ovs_list dying;      /* Deleted, not yet acknowledged. */
    long long int next_scan_ms; /* First of all routers'. */
    long long int next_expiry_ms; /* When to look for flows' timeouts. */
    long long int next_fold_ms; /* When to collect what datapath threads
                                 * counted. */
    atomic_bool fold_grace_over; /* Since the last time. */
    atomic_bool fib_translated; /* Some translation asked the table of a router
                                 * with translation=fib. */
    uint64_t revalidate_generation; /* The last that needs a revalidation. */
    struct ovs_list waiting;    /* Jobs, by ascending 'generation'. */
    struct ovs_list syncing;    /* Jobs of "router-sync". */
    struct ovs_list writing;    /* Jobs, acknowledged but not yet written. */
    struct xf_config *config;   /* NULL: nothing is kept. */
    struct xf_db *db;           /* NULL: none is configured. */
    struct xf_copies *copies;   /* Likewise. */
    long long int started_ms;   /* Of the epoch. */
    uint32_t last_id;
    uint64_t generation;        /* Of the last change. */
    uint64_t acked;             /* Last generation acknowledged. */
    enum xf_ack_state ack_state;
    uint64_t round_generation;  /* What the running round will acknowledge. */
    uint64_t round_ticket;
    long long int round_start_ms;
    uint64_t n_rounds;
    long long int rounds_total_ms, rounds_max_ms;

    /* Main thread, read by the engine's thread. */
    atomic_uint64_t n_turns;
    atomic_uint64_t turn_total_ns;
    atomic_uint64_t turn_max_ns;
    atomic_uint64_t n_long_turns; /* Longer than XF_LONG_TURN_NS. */

    /* Main thread only. */
    uint64_t turn_start_ns;     /* Its CPU time when the turn began. */
};

/* engine.c */
uint64_t xf_engine_changed(struct xf_engine *, bool revalidate);
void xf_engine_wake(struct xf_engine *);

/* ---- router.c: engine's thread unless said otherwise. ---- */

/* Defaults for a router called 'name' (any thread). */
void xf_router_config_init(struct xf_router_config *, const char *name);
struct xf_router *xf_router_create(struct xf_engine *, const char *name,
                                   const struct xf_router_config *,
                                   char **errorp);
void xf_router_delete(struct xf_router *);
void xf_router_release(struct xf_router *);
char *xf_router_configure(struct xf_router *,
                          const struct xf_router_config *)
    OVS_WARN_UNUSED_RESULT;
char *xf_router_check_fixed(const struct xf_router *, const struct xf_args *)
    OVS_WARN_UNUSED_RESULT;
struct xf_router *xf_router_by_name(const struct xf_engine *, const char *,
                                    char **errorp);
uint64_t xf_router_changed(struct xf_router *);
uint64_t xf_router_table_changed(struct xf_router *);
void xf_router_update_claims(struct xf_router *);
const struct xf_claim *xf_engine_find_claim(const struct xf_engine *,
                                            uint16_t vlan, struct eth_addr);

/* ---- role.c, role-show.c, select.c: engine's thread. ---- */
void xf_retire(void (*destroy)(void *obj), void *obj, void *aux);
void xf_role_init(struct xf_router *);
void xf_role_update(struct xf_router *);
void xf_role_uninit(struct xf_router *);
void xf_role_free(struct xf_router *);
char *xf_role_check_iface(const struct xf_router *, const struct xf_iface *,
                          uint32_t given)
    OVS_WARN_UNUSED_RESULT;
char *xf_role_check_port_del(const struct xf_router *, const char *port)
    OVS_WARN_UNUSED_RESULT;
struct eth_addr xf_role_default_mac(const struct xf_router *,
                                    const char *port);
struct xf_router *xf_router_of_role(const struct xf_engine *, const char *,
                                    enum xf_role, char **errorp);
struct json *xf_role_put_stats(const struct xf_router *, bool json,
                               struct ds *out);

/* ---- neigh.c: engine's thread. ---- */
void xf_neigh_init(struct xf_router *);
void xf_neigh_uninit(struct xf_router *);
void xf_neigh_scan(struct xf_router *);
void xf_neigh_run(struct xf_engine *, long long int now_ms);
void xf_neigh_wait(struct xf_engine *);
void xf_neigh_drain(struct xf_engine *);
/* As xf_rt_neigh_set(); in a full table a neighbour that was only learned makes
 * room. */
int xf_neigh_set(struct xf_router *, uint32_t source, const char *iface,
                 const struct in6_addr *ip, struct eth_addr,
                 enum xf_neighbor_state, long long int now_ms, char **errorp);

/* ---- Translation "fib" (fib.c). ---- */

const char *xf_translation_name(enum xf_translation);
char *xf_translation_check(const char *router, enum xf_role,
                           enum xf_translation)
    OVS_WARN_UNUSED_RESULT;
bool xf_router_update_translation(struct xf_router *);
void xf_translation_run(struct xf_engine *);
void xf_router_fold(struct xf_router *, long long int now_ms);
void xf_fold_run(struct xf_engine *, long long int now_ms);
void xf_fold_wait(struct xf_engine *);

/* ---- Commands. ---- */

/* Options that were given, bits of 'given'. */
enum xf_option {
    XF_OPT_LISTEN = 1 << 0,
    XF_OPT_DEVICE = 1 << 1,
    XF_OPT_ECMP_SEED = 1 << 2,
    XF_OPT_LIMIT = 1 << 3,      /* Any of the max-*. */
    XF_OPT_PUNT_RATE = 1 << 4,
    XF_OPT_STALE = 1 << 5,
    XF_OPT_SETTLE = 1 << 6,
    XF_OPT_REACHABLE = 1 << 7,
    XF_OPT_SEPARATED = 1 << 8,
    XF_OPT_VLAN = 1 << 9,
    XF_OPT_MAC = 1 << 10,
    XF_OPT_VIF = 1 << 11,
    XF_OPT_IFINDEX = 1 << 12,
    XF_OPT_MTU = 1 << 13,
    XF_OPT_ADDRESS = 1 << 14,
    XF_OPT_UP = 1 << 15,
    XF_OPT_PROTO = 1 << 16,
    XF_OPT_SRC = 1 << 17,
    XF_OPT_SPORT = 1 << 18,
    XF_OPT_DPORT = 1 << 19,
    XF_OPT_ROWS = 1 << 20,
    XF_OPT_SKIP = 1 << 21,
    XF_OPT_PEER_NAME = 1 << 22,
    XF_OPT_FILTER_DEFAULT = 1 << 23,
    XF_OPT_TRANSLATION = 1 << 24,
    XF_OPT_ROLE = 1 << 26,
    XF_OPT_FAIL = 1 << 27,
    XF_OPT_VIA = 1 << 28,
    XF_OPT_DIRECTION = 1 << 29,
    XF_OPT_PRIORITY = 1 << 30,
};

/* A next hop as an operator gives it. */
struct xf_hop_arg {
    struct in6_addr gateway;    /* All zeros: the destination is on link. */
    char dev[XF_NAME_MAX];      /* "": the one the gateway is connected to. */
    uint16_t weight;
};

/* An address with its prefix length, host bits kept. */
struct xf_addr_arg {
    struct in6_addr addr;
    uint8_t len;
};
#define XF_ADDR_ARGS_MAX 64     /* Addresses in one command. */

/* What a middlebox is to select. */
struct xf_select_arg {
    struct xf_match match;
    struct xf_via via;
    uint16_t priority;
    bool reverse;               /* It is the return traffic. */
    bool both;                  /* Also what answers it. */
};

/* Arguments of one command, parsed.  Which members are valid depends on the
 * command. */
struct xf_args {
    char router[XF_NAME_MAX];   /* "": none given. */
    char port[XF_NAME_MAX];
    uint32_t given;             /* Of 'enum xf_option'. */
    struct xf_router_config config;
    struct xf_iface iface;
    struct xf_addr_arg addrs[XF_ADDR_ARGS_MAX];
    size_t n_addrs;

    struct xf_prefix prefix;
    bool has_prefix;
    bool best_only;
    enum xf_route_type type;
    uint8_t protocol;
    uint32_t metric;
    struct xf_hop_arg *hops;    /* Owned. */
    size_t n_hops;

    struct in6_addr ip;         /* Neighbour or destination. */
    struct eth_addr mac;
    struct in6_addr src;
    uint16_t nw_proto;
    uint16_t sport, dport;
    uint64_t skip, limit;       /* Part of a listing. */
    struct xf_select_arg select;
    struct xf_rule_args rule;   /* Filter or flow. */
    struct xf_hop hop;          /* Of a link; generation UINT64_MAX: all. */
};

/* Rows that a listing gives if not told otherwise: the main thread turns the
 * reply into JSON, and may not be kept from forwarding for long. */
#define XF_ROWS_DEFAULT 10000

/* args.c: each returns NULL or a sentence that the caller frees. */
char *xf_args_parse_router_options(struct xf_args *, int n,
                                   const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_port_options(struct xf_args *, int n, const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_lookup_options(struct xf_args *, int n,
                                   const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_select_options(struct xf_args *, int n,
                                   const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_listing_options(struct xf_args *, int n,
                                    const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_rule(struct xf_args *, int n, const char *argv[])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_name(const char *s, const char *what,
                         char name[XF_NAME_MAX])
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_ip(const char *s, struct in6_addr *)
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_mac(const char *s, struct eth_addr *)
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_prefix(const char *s, struct xf_prefix *)
    OVS_WARN_UNUSED_RESULT;
char *xf_args_parse_uint(const char *what, const char *s, uint64_t min,
                         uint64_t max, uint64_t *)
    OVS_WARN_UNUSED_RESULT;

/* Called in the main thread with the answer of a command. */
typedef void xf_reply_fn(void *aux, bool ok, const char *body);

struct xf_job {
    struct ovs_list node;       /* In one of the engine's queues. */
    const struct xf_command *command;
    bool json;
    struct xf_args args;
    char *text;                 /* What it leaves in the database, or NULL. */

    /* The answer. */
    bool failed;
    struct ds body;
    uint64_t generation;        /* To be acknowledged before; 0: none. */
    uint32_t router_id;         /* "router-sync". */
    long long int sync_ms;      /* "router-sync": since when. */
    long long int waiting_ms;   /* In 'waiting' or 'writing' since. */
    uint64_t config_seq;        /* To be written before; 0: none. */

    /* Main thread. */
    xf_reply_fn *reply;
    void *reply_aux;
};

struct xf_command {
    const char *name;           /* With "xenflow/". */
    const char *usage;
    int min_args, max_args;     /* Without "--json". */
    bool lists;                 /* Takes "--json". */

    /* Main thread: syntax.  'argv[0]' is the first argument. */
    char *(*parse)(struct xf_args *, int n, const char *argv[]);

    /* Engine's thread.  Returns NULL or a sentence.  Sets the job's 'body' and
     * 'generation'. */
    char *(*run)(struct xf_engine *, struct xf_job *);
};

/* command.c: main thread. */
void xf_commands_register(struct xf_engine *);
void xf_commands_unregister(struct xf_engine *);
void xf_command_post(struct xf_engine *, int argc, const char *argv[],
                     xf_reply_fn *, void *aux);
void xf_job_answer(struct xf_job *);
void xf_job_refuse(struct xf_job *, const char *error);

/* command.c: any thread. */
const struct xf_command *xf_command_find(const char *name);
struct xf_job *xf_job_create(const struct xf_command *, int n,
                             const char *argv[], char **errorp);
void xf_job_destroy(struct xf_job *);

/* change.c, route.c, show.c: engine's thread. */
typedef char *xf_command_fn(struct xf_engine *, struct xf_job *);
xf_command_fn xf_run_router_add, xf_run_router_set, xf_run_router_del,
    xf_run_port_add, xf_run_port_set, xf_run_port_del, xf_run_neigh_add,
    xf_run_neigh_del, xf_run_router_sync;
xf_command_fn xf_run_rule_add, xf_run_rule_del, xf_run_route_lookup,
    xf_run_rule_list;
xf_command_fn xf_run_router_list, xf_run_router_show, xf_run_port_list,
    xf_run_neigh_list, xf_run_megaflow_list, xf_run_stats_show,
    xf_run_speaker_list, xf_run_guest_show, xf_run_memory_show,
    xf_run_config_list, xf_run_db_show, xf_run_copy_show;
xf_command_fn xf_run_mac_list, xf_run_select_add, xf_run_select_del,
    xf_run_select_list;
xf_command_fn xf_run_filter_add, xf_run_filter_del, xf_run_filter_list,
    xf_run_flow_add, xf_run_flow_del, xf_run_flow_list;
xf_command_fn xf_run_link_add, xf_run_link_use, xf_run_link_del,
    xf_run_link_show, xf_run_transfer_begin, xf_run_transfer_end,
    xf_run_hold_begin, xf_run_hold_end, xf_run_transfer_show;
bool xf_router_sync_done(struct xf_engine *, struct xf_job *,
                         long long int now_ms);
/* Restates the operator's routes through guest interface 'old' as through
 * 'new'. */
void xf_router_renumber(struct xf_router *, uint32_t old_ifindex,
                        uint32_t new_ifindex);

/* ---- output.c ---- */

/* A column: member 'key' of each row. */
struct xf_column {
    const char *key;            /* In JSON. */
    const char *title;          /* In text. */
    bool right;                 /* Aligned to the right. */
    /* Formats the value as text; NULL: as it is. */
    void (*format)(const struct json *, struct ds *);
};

/* Rows on their way to text or JSON. */
struct xf_table {
    const struct xf_column *columns;
    size_t n_columns;
    bool json;
    size_t n_rows;
    struct ds cells;            /* Text: cells, each with its NUL.  JSON: the
                                 * rows. */
    size_t widths[16];
};
void xf_table_init(struct xf_table *, const struct xf_column *, size_t n,
                   bool json);
void xf_table_add(struct xf_table *, struct json *row);
void xf_table_finish(struct xf_table *, struct ds *out);
void xf_object_put(const struct xf_column *, size_t n, bool json,
                   struct json *, struct ds *out);

/* Part of a listing: which rows are given. */
struct xf_page {
    uint64_t skip, limit;
    uint64_t n;                 /* Rows there are, */
    uint64_t n_shown;           /* and those given. */
};
bool xf_page_take(struct xf_page *);
struct json *xf_page_to_json(const struct xf_page *);
void xf_page_put(const struct xf_page *, struct ds *out);
void xf_table_finish_page(struct xf_table *, const struct xf_page *,
                          struct ds *out);

void xf_json_put_int(struct json *, const char *key, long long int);
void xf_json_put_bool(struct json *, const char *key, bool);
void xf_json_put_addr(struct json *, const char *key,
                      const struct in6_addr *);
void xf_json_put_prefix(struct json *, const char *key,
                        const struct xf_prefix *);
void xf_json_put_mac(struct json *, const char *key, struct eth_addr);
void xf_json_put_stat(struct json *, const struct xf_stat *,
                      long long int now_ms);
void xf_addr_format(const struct in6_addr *, struct ds *);
void xf_prefix_format(const struct xf_prefix *, struct ds *);
char *xf_addr_to_string(const struct in6_addr *);
const char *xf_protocol_name(uint8_t protocol, char buf[8]);

#endif /* engine/engine-private.h */
