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

#ifndef XF_CONFIG_H
#define XF_CONFIG_H 1

/* What commands configure, kept over a restart of the switch.
 * ===========================================================
 *
 * Until a database of XenFlow's own takes over, the configuration of a virtual
 * element is kept in the column external_ids of the Interface row of its port
 * (type=xenflow), as the arguments of the commands that made it, an object a
 * key:
 *
 *   xenflow-router                      listen=169.254.1.1 stale=60
 *   xenflow-port-eth1                   vlan=10 mac=52:54:00:00:01:01
 *   xenflow-neigh-eth1,10.0.1.2         aa:00:00:00:01:02
 *   xenflow-rule-10.9.0.0/16            via 10.0.2.2
 *   xenflow-rule-10.9.0.0/16,metric,5   blackhole metric 5
 *   xenflow-filter-tcp,tp_dst=80,priority=7  tcp,tp_dst=80 deny priority=7
 *   xenflow-select-tcp tp_dst=80,direction=both,priority=9
 *                                       via=in direction=both priority=9
 *
 * Why external_ids: ovs-vswitchd's main loop doesn't replicate that column, so
 * that a write costs forwarding nothing (a change of other_config reconfigures
 * every bridge); the keys go when the port goes; ovs-vsctl shows and edits
 * them.
 *
 * Which way
 * ---------
 * - A command that succeeded is written.  Keys that wait to be written win over
 *   what the row says.
 * - Otherwise the row wins: at start, when the row appears and when an operator
 *   edits it, what differs is parsed as the command would be and carried out.
 *   What is refused changes nothing, is logged once, shown by config-list and
 *   router-show, and tried again every second: a device to listen on, say, may
 *   come later than the switch.
 * - A row that appears without "xenflow-router" while its router exists (a
 *   router that was added before its port, or a port that was deleted and added
 *   again) is written to in full.
 * - A row that goes away (del-port, del-br) takes only its keys along: the
 *   router goes on until "router-del" or the end of the process.
 *
 * The database XenFlow
 * --------------------
 * A router of that database (engine/db.h) is kept in the same way, so that it is
 * there when the switch restarts while that database is away.  Its key
 * xenflow-database says so.  What the database says wins over the row, commands
 * that would change it are refused, and the row gets what is in effect.  Of
 * rules, filters and so on only the first XF_CONFIG_KEPT_MAX are kept: a
 * transaction costs as much as the row has keys, and a change of one row of a
 * large router isn't to.
 *
 * Adding a kind
 * -------------
 * A command whose effect is to be kept needs one entry in 'kinds' of config.c:
 * names of the commands that add, set (KEY=VALUE options; NULL: adding again
 * replaces) and delete such an object, how many words after ROUTER name it, and
 * how it is called in the key.  Words of these commands hold no spaces.
 *
 * Cost
 * ----
 * 150 bytes and both texts per key.  Writes are collected: one transaction at a
 * time, and after each a pause as long as it took.  A row with N keys costs the
 * database O(N) per transaction, whatever their number; hence the pauses.  A
 * command's reply waits for its write, but no longer than XF_CONFIG_WRITE_MS.
 *
 * Threads: the engine's own.  The database is reached through a connection of
 * this module (config-db.c), which never blocks and may be lost and come
 * back. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "uuid.h"

struct ds;
struct json;
struct ovsrec_interface;
struct smap;
struct xf_args;
struct xf_command;
struct xf_config;
struct xf_config_db;
struct xf_db_object;
struct xf_engine;
struct xf_job;

/* Commands don't wait longer than this for their write. */
#define XF_CONFIG_WRITE_MS 20
/* Commands at start wait this long for the configuration to be read. */
#define XF_CONFIG_LOAD_MS 5000

/* ---- For the engine. ---- */

struct xf_config *xf_config_create(struct xf_engine *, const char *remote);
void xf_config_destroy(struct xf_config *);
void xf_config_run(struct xf_config *, long long int now_ms);
void xf_config_wait(struct xf_config *);

/* Connects to the database, if that isn't done yet.  Before that, what is
 * configured waits to be written. */
void xf_config_load(struct xf_config *, long long int now_ms);

/* Whether commands may run: what the database says is in effect, or it can't
 * be reached. */
bool xf_config_is_loaded(const struct xf_config *, long long int now_ms);

/* Text that the command of 'n' arguments 'argv' will leave in the database, to
 * be freed by the caller; NULL if it leaves none.  Any thread. */
char *xf_config_text(const struct xf_command *, int n, const char *argv[]);

/* The command of 'job' succeeded. */
void xf_config_note(struct xf_config *, struct xf_job *);

/* Whether what 'job' changed is written, or can't be now. */
bool xf_config_is_written(const struct xf_config *, const struct xf_job *);

/* Why the command of 'job' may not run; NULL: it may. */
char *xf_config_check_job(const struct xf_config *, const struct xf_job *)
    OVS_WARN_UNUSED_RESULT;

/* Something that a refused entry may depend on has changed. */
void xf_config_retry(struct xf_config *);

/* What router-show says; to be freed by the caller. */
struct json *xf_config_to_json(const struct xf_config *, const char *router);

/* ---- What the files of this module share. ---- */

#define XF_CONFIG_PREFIX "xenflow-"
#define XF_CONFIG_SEPARATOR "," /* Of an object's words in its key. */
/* Beginning of the keys of xenflow-hostd: see xf_config_hostd_run(). */
#define XF_CONFIG_HOSTD "hostd-"
/* Key of routers that the database XenFlow has. */
#define XF_CONFIG_DATABASE XF_CONFIG_PREFIX "database"
/* Objects of such a router that are kept, ports and the router apart. */
#define XF_CONFIG_KEPT_MAX 1000

/* How objects of one kind are kept. */
struct xf_config_kind {
    const char *name;           /* In the key. */
    const char *add, *set, *del; /* Commands; 'set' may be NULL. */
    int n_words;                /* Arguments of 'add' after ROUTER that name
                                 * the object. */
    /* Appends what the object of 'args' is called in the key: the arguments
     * of 'del' after ROUTER, with XF_CONFIG_SEPARATOR between them. */
    void (*object)(const struct xf_args *args, struct ds *);
};

/* Kinds that are treated specially are at these places of the table. */
#define XF_N_CONFIG_KINDS 7
extern const struct xf_config_kind xf_config_kinds[XF_N_CONFIG_KINDS];
#define XF_KIND_ROUTER (&xf_config_kinds[0])
#define XF_KIND_PORT (&xf_config_kinds[1])
#define XF_KIND_NEIGH (&xf_config_kinds[2])
#define XF_KIND_RULE (&xf_config_kinds[3])

enum xf_config_state {
    XF_CONFIG_CLEAN,            /* As in the row. */
    XF_CONFIG_DIRTY,            /* To be written. */
    XF_CONFIG_SENT,             /* In the transaction under way. */
};

/* One key of a row. */
struct xf_config_entry {
    struct hmap_node node;      /* In owner's 'entries'. */
    struct ovs_list list_node;  /* By 'state': owner's 'dirty', or 'sent'. */
    struct ovs_list refused_node; /* In owner's 'refused', if 'error'. */
    struct ovs_list released_node; /* In db's 'released', or empty. */
    enum xf_config_state state;
    const struct xf_config_kind *kind; /* NULL: there is none. */
    struct xf_config_owner *owner;
    char *key;
    char *text;                 /* NULL: to be removed from the row. */
    char *effect;               /* Text that is in effect, which may be 'text'
                                 * itself; NULL: none is. */
    char *error;                /* Why 'text' isn't in effect. */
    unsigned int seen;          /* Comparison that found it in the row. */
    struct xf_db_object *stated_by; /* Row of the database XenFlow that states
                                 * 'text'; NULL: none does. */
    bool kept;                  /* Stated and written to the row. */
};

/* A port of type xenflow, or a router without one. */
struct xf_config_owner {
    struct hmap_node node;      /* In config's 'owners'. */
    struct ovs_list dirty_node; /* In config's 'dirty', if it has a row and
                                 * 'dirty' isn't empty. */
    struct ovs_list changed_node; /* In config's 'changed'. */
    struct ovs_list refused_node; /* In config's 'refused', if any is. */
    char *name;
    const struct ovsrec_interface *row; /* NULL: none. */
    const struct smap *ids;     /* The row's external_ids. */
    struct uuid uuid;           /* Of the last row. */
    bool fresh;                 /* This row wasn't compared yet. */
    struct xf_config *config;
    char *hostd;                /* What xenflow-hostd said in the row last, or
                                 * NULL. */
    bool from_database;         /* The database XenFlow has this router. */
    size_t n_kept;              /* Entries with 'kept'. */
    struct hmap entries;        /* Of 'struct xf_config_entry'. */
    struct ovs_list dirty;
    struct ovs_list refused;
    size_t n_refused;
};

struct xf_config {
    struct xf_engine *engine;
    struct xf_config_db *db;
    struct hmap owners;
    struct ovs_list dirty;      /* Owners with something to write. */
    struct ovs_list changed;    /* Owners whose row is to be compared. */
    struct ovs_list refused;    /* Owners with refused entries. */
    struct ovs_list sent;       /* Entries in the transaction under way. */
    uint64_t seq;               /* Counts what became dirty, */
    uint64_t sent_seq;          /* that number when it was sent last, */
    uint64_t written_seq;       /* and when all before was written. */
    unsigned int n_compared;
    long long int next_compare_ms;
    long long int last_retry_ms;
    bool retry_soon;            /* Something has changed since. */
    bool loading;               /* A connection was asked for, */
    long long int load_ms;      /* at that time, */
    bool loaded;                /* and its content is in effect, */
    bool late;                  /* or isn't waited for any longer. */
    bool follows;               /* A database XenFlow is configured, */
    bool in_step;               /* and all that it says is stated here. */
};

/* config-entry.c: kinds and keys. */
const struct xf_config_kind *xf_config_kind_of_key(const char *key);
const char *xf_config_object_of_key(const struct xf_config_kind *,
                                    const char *key);
char *xf_config_explain_key(void);
char *xf_config_make_key(const struct xf_config_kind *,
                         const struct xf_args *);

/* config-entry.c: entries. */
struct xf_config_entry *xf_config_entry_find(const struct xf_config_owner *,
                                             const struct xf_config_kind *,
                                             const char *key);
struct xf_config_entry *xf_config_entry_create(struct xf_config_owner *,
                                               const struct xf_config_kind *,
                                               const char *key);
void xf_config_entry_destroy(struct xf_config_entry *);
void xf_config_entry_set_error(struct xf_config_entry *, char *error);
void xf_config_entry_set_text(struct xf_config_entry *, char *text);
void xf_config_entry_set_effect(struct xf_config_entry *, char *effect);
void xf_config_entry_dirty(struct xf_config *, struct xf_config_entry *);
void xf_config_port_gone(struct xf_config *, struct xf_config_owner *,
                         const char *port, bool removed);

/* config-entry.c: owners. */
struct xf_config_owner *xf_config_owner_find(const struct xf_config *,
                                             const char *name);
struct xf_config_owner *xf_config_owner_get(struct xf_config *,
                                            const char *name);
void xf_config_owner_destroy(struct xf_config *, struct xf_config_owner *);
void xf_config_owner_reap(struct xf_config *, struct xf_config_owner *);

/* config-entry.c: what others need of it. */
void xf_config_put_word(struct ds *, const char *word);
void xf_config_entry_remove(struct xf_config *, struct xf_config_entry *);
const struct xf_config_kind *xf_config_kind_of_job(const struct xf_job *);

/* config.c: carries out 'text' of an entry, or that it has none any more. */
void xf_config_apply(struct xf_config *, struct xf_config_entry *);
void xf_config_unapply(struct xf_config *, struct xf_config_entry *);

/* config-stated.c: what the database XenFlow states. */
bool xf_config_entry_keep(struct xf_config_entry *);
const char *xf_config_entry_kept(const struct xf_config_entry *);
struct xf_config_entry *xf_config_state(struct xf_config *,
                                        const struct xf_config_kind *,
                                        const char *router, const char *key,
                                        char *text, struct xf_db_object *);
bool xf_config_is_in_effect(struct xf_config_entry *);
void xf_config_withdraw(struct xf_config *, struct xf_config_entry *);
void xf_config_follow(struct xf_config *, bool follows);
struct xf_config_entry *xf_config_mark(struct xf_config *,
                                       struct xf_config_owner *);
void xf_config_restate(struct xf_config *, struct xf_config_owner *);
void xf_config_hostd_run(struct xf_config_owner *);

/* config-db.c */
struct xf_config_db *xf_config_db_create(const char *remote);
void xf_config_db_connect(struct xf_config_db *);
void xf_config_db_destroy(struct xf_config_db *);
void xf_config_db_run(struct xf_config *, long long int now_ms);
void xf_config_db_wait(struct xf_config *);
bool xf_config_db_is_connected(const struct xf_config_db *);
bool xf_config_db_has_content(const struct xf_config_db *);
bool xf_config_db_is_busy(const struct xf_config_db *);

/* config.c, for config-db.c. */
void xf_config_row_add(struct xf_config *, const char *name,
                       const struct ovsrec_interface *,
                       const struct uuid *, const struct smap *ids);
void xf_config_row_remove(struct xf_config *, const char *name,
                          const struct ovsrec_interface *);
void xf_config_sent(struct xf_config *, struct xf_config_owner *);
void xf_config_sent_done(struct xf_config *, bool success);

#endif /* engine/config.h */
