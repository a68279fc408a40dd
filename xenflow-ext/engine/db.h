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

#ifndef XF_DB_H
#define XF_DB_H 1

/* The switch as a client of the database XenFlow.
 * ===============================================
 *
 * external_ids of Open_vSwitch say where it is (xenflow-remote) and what this
 * host is called there (xenflow-host; else system-id, hostname, the machine's
 * name).  Without xenflow-remote there is no client.
 *
 * From rows to routers
 * --------------------
 * A row (Router, Interface, Static_Route, Filter, Flow, Selection, Neighbor)
 * becomes the arguments of the command that would make the same object, and
 * from there on it is what engine/config.h keeps: it is parsed and carried out
 * by the functions of that command, and kept with the router's port, so that
 * it is in effect when the switch restarts while the database is away.
 *
 * What rows say is compared with what is in effect, so whatever comes twice (a
 * new connection, a row replaced by one that says the same) touches nothing.
 * One batch is carried out as: routers that go, then what goes of others, then
 * what comes, routers first; what was refused is tried again while others
 * succeed (addresses that change places).  After that it is tried again from
 * time to time, as engine/config.h says.
 *
 * Which rows
 * ----------
 * OVSDB's conditions can't follow references.  So: the Host row with our name;
 * routers whose host or destination it is; the children of these, by a
 * condition that lists them and is sent anew when one comes or goes.  'in
 * step' means that all of that was asked for and has come.  Only then is
 * anything taken away that the database doesn't have, and only if it has our
 * Host row: an empty database takes nothing away.
 *
 * Virtual links are apart from that: see db-link.c.
 *
 * What depends on the host and not on the operator (a machine's back-end, the
 * number of its interface in its kernel, where its routing daemon is to be
 * heard) xenflow-hostd says in Open_vSwitch, in external_ids of the router's
 * port: see xf_config_hostd_run().  What the rows say wins.
 *
 * Acknowledgement
 * ---------------
 * In step, nothing left to carry out, and all changes up to then acknowledged
 * by the datapath (engine.h): Switch_State:cfg becomes the XF_Global:cfg that
 * was seen before.  Row_Error has what was refused, XF_DB_ERRORS_MAX rows at
 * most.  Children of a router that was refused have none of their own.  There
 * is one transaction at a time, and XF_DB_WRITE_MS between two of them.
 *
 * Cost
 * ----
 * A changed row costs O(log n) in the connection and O(1) here; db-show
 * counts.  A change of a Router row also looks at the router's children, a
 * router that comes or goes at all routers.  Carrying out stops after
 * XF_DB_TURN_US and goes on in the next turn of the engine's thread.
 *
 * Threads: the engine's own, all of it.  TLS uses the one context of
 * lib/stream-ssl, whose keys bridge.c sets: see xf_tls_lock(). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/hmap.h"
#include "openvswitch/list.h"
#include "ovsdb-idl.h"
#include "uuid.h"

struct smap;
struct svec;
struct xf_config_entry;
struct xf_config_kind;
struct xf_db;
struct xf_engine;

/* What our rows of Row_Error say in 'daemon'. */
#define XF_DB_DAEMON "ovs-vswitchd"
#define XF_DB_ERRORS_MAX 1000
#define XF_DB_WRITE_MS 100      /* Between two transactions, */
#define XF_DB_ERROR_MS 5000     /* and after one that was refused. */
#define XF_DB_WRITE_ROWS 100    /* Of Row_Error in one transaction. */
#define XF_DB_TURN_US 5000
#define XF_DB_PASSES_MAX 4      /* Attempts at what was refused in a batch. */
/* Silence after which the server is probed.  It may be busy with an import; we
 * go on without it anyway. */
#define XF_DB_PROBE_MS 30000

/* ---- For the engine. ---- */

/* What the host is called, to be freed by the caller.  Any thread. */
char *xf_db_host_name(const struct smap *external_ids);

/* What is stated stays in effect after the destruction.  Accepts NULL. */
void xf_db_destroy(struct xf_db *);
struct xf_db *xf_db_create(struct xf_engine *, const char *remote,
                           const char *host);
void xf_db_run(struct xf_db *, long long int now_ms);
void xf_db_wait(struct xf_db *);

/* For config-entry.c: the error of what 'object' states has changed. */
struct xf_db_object;
void xf_db_error_changed(struct xf_db_object *);

/* For config-stated.c: xenflow-hostd says something else of 'object'. */
void xf_db_look_again(struct xf_db_object *);

/* ---- What the files of this module share. ---- */

/* How the rows of one table become objects. */
struct xf_db_table {
    const char *name;
    const struct ovsdb_idl_table_class *class;
    const struct xf_config_kind *kind;
    /* Reads columns of rows that it refers to, the router apart. */
    bool looks_further;
    /* Appends the arguments of the command, the router first.  Returns false
     * if the row states nothing (yet). */
    bool (*words)(const struct xf_db *, const struct ovsdb_idl_row *,
                  struct svec *);
    /* Appends to 'words' what xenflow-hostd has 'said', as far as the row
     * doesn't say it; NULL: it says nothing of such. */
    void (*complete)(const struct ovsdb_idl_row *, const struct svec *said,
                     struct svec *words);
    /* Name of its router, or NULL. */
    const char *(*router)(const struct ovsdb_idl_row *);
    /* Condition "router is 'router'". */
    void (*clause)(struct ovsdb_idl_condition *, enum ovsdb_function,
                   const struct uuid *router);
};

/* db-row.c: Router first. */
#define XF_N_DB_TABLES 7
extern const struct xf_db_table xf_db_tables[XF_N_DB_TABLES];

/* A row that states something, or is to. */
struct xf_db_object {
    struct hmap_node node;      /* In db's 'objects'. */
    struct ovs_list list_node;  /* In db's 'changed', 'apply' or 'again', or
                                 * empty. */
    struct xf_db *db;
    const struct xf_db_table *table;
    struct uuid uuid;
    struct xf_config_entry *entry; /* What it states; NULL: nothing. */
    char *error;                /* Why it doesn't state what it says. */

    /* While it is in 'changed'. */
    bool gone;
    char *router, *key, *text;  /* What it is to state; NULL: nothing. */
};

/* A row of Row_Error that exists or is to. */
struct xf_db_report {
    struct hmap_node node;      /* In db's 'reports'. */
    struct ovs_list list_node;  /* In db's 'dirty', 'sent' or 'withheld', or
                                 * empty. */
    struct uuid uuid;           /* Of the row that it is about. */
    const char *table;
    char *error;                /* NULL: it is to be removed. */
    bool written;
};

struct xf_db {
    struct xf_engine *engine;
    char *remote, *host;
    bool tls;                   /* Perhaps. */
    struct ovsdb_idl *idl;
    struct ovsdb_idl_index *errors_by_object;

    /* What is monitored. */
    bool has_host;
    struct uuid host_uuid;
    bool routers_changed;       /* Conditions are to be sent again. */
    unsigned int cond_seqno;    /* In step from this on. */
    unsigned int idl_seqno;     /* Of rows when that was looked at. */
    bool in_step;
    bool swept;                 /* What the database doesn't have was found. */

    /* What is to be carried out. */
    struct hmap objects;
    size_t n_objects[XF_N_DB_TABLES];
    struct ovs_list changed;
    struct ovs_list released[XF_N_DB_TABLES]; /* Entries, by kind. */
    struct ovs_list apply[XF_N_DB_TABLES]; /* Objects, by kind. */
    struct ovs_list again;      /* Refused in this batch. */
    bool progress;              /* Something succeeded since. */
    int n_passes;

    /* Links: db-link.c. */
    bool links_changed;         /* Hops are to be taken anew. */
    struct hmap link_ends;      /* Interfaces that hops give a VLAN. */
    unsigned int link_ends_seqno; /* Of the database, as they are of. */
    struct xf_hop *left_out;    /* Hops beyond XF_HOPS_MAX, by id. */
    size_t n_left_out;
    uint64_t link_states_seq;   /* 'state_seq' of the engine's links that is
                                 * written; UINT64_MAX: who knows. */

    /* For db-show: rows looked at, and what was done. */
    uint64_t n_read, n_applied, n_withdrawn, n_written_txns;

    /* Acknowledgement. */
    int64_t cfg;                /* Seen; -1: none. */
    int64_t wait_cfg;           /* Waits for the datapath; -1: none. */
    uint64_t wait_generation;
    int64_t acked_cfg;          /* -1: none. */

    /* db-write.c */
    struct hmap reports;
    struct ovs_list dirty, sent, withheld;
    size_t n_errors;            /* Reports with an error, */
    size_t n_written;           /* and those with 'written'. */
    struct ovsdb_idl_txn *txn;  /* Under way, or NULL. */
    long long int next_txn_ms;
    char *write_error;          /* Of the last transaction, or NULL. */
};

/* db.c */
bool xf_db_is_busy(const struct xf_db *);
void xf_db_row(struct xf_db *, const struct xf_db_table *,
               const struct ovsdb_idl_row *, bool deleted);
void xf_db_forget(struct xf_db *);

/* db-conn.c */
void xf_db_conn_create(struct xf_db *);
void xf_db_conn_run(struct xf_db *);
void xf_db_conn_wait(struct xf_db *);

/* db-link.c */
struct xfrec_interface;
void xf_db_links_monitor(struct ovsdb_idl *);
void xf_db_links_init(struct xf_db *);
void xf_db_links_destroy(struct xf_db *);
void xf_db_links_look(struct xf_db *);
void xf_db_links_run(struct xf_db *);
bool xf_db_link_vlan(const struct xf_db *, const struct xfrec_interface *,
                     uint16_t *vlan);
bool xf_db_links_have_news(const struct xf_db *);
void xf_db_links_put(struct xf_db *);

/* db-write.c */
void xf_db_report(struct xf_db *, const struct xf_db_object *,
                  const char *error);
void xf_db_recheck(struct xf_db *, const struct uuid *);
void xf_db_recheck_all(struct xf_db *);
void xf_db_reports_forget(struct xf_db *);
void xf_db_write_run(struct xf_db *, long long int now_ms);
void xf_db_write_wait(struct xf_db *);
void xf_db_write_destroy(struct xf_db *);

#endif /* engine/db.h */
