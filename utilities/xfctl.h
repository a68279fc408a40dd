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

#ifndef XFCTL_H
#define XFCTL_H 1

/* xfctl: the command line over the database "XenFlow".
 * ====================================================
 *
 * What an object of the database is called, which columns an operator sets, and
 * how they are written is in one table (xfctl-kind.c).  Commands (KIND-add, -set,
 * -del, -list), import and export all go by it, and the types, ranges and
 * enumerations are the schema's own: a new column is one line there.
 *
 *   xfctl.c          options, the transaction, output
 *   xfctl-kind.c     the table; finds and creates objects by their names
 *   xfctl-value.c    text of a value <-> datum of a column
 *   xfctl-check.c    what the schema can't say: syntax as the engine has it
 *   xfctl-place.c    host=any
 *   xfctl-link.c     ways of virtual links
 *   xfctl-object.c   commands on objects; what goes with a removed object
 *   xfctl-child.c    commands on routes, filters, flows, selections, neighbours
 *   xfctl-rules.c    their words and rows
 *   xfctl-file.c     network files: sections, keys, lines
 *   xfctl-import.c   a file to rows, in the command's transaction
 *   xfctl-export.c   rows to a file
 *   xfctl-show.c     the tree
 *   xfctl-vm.c       virtual machines of routers
 *   xfctl-trace.c    a packet's way, as the hosts' switches say
 *   xfctl-migrate.c  migrations: checks, lists
 *   xfctl-watch.c    migrations: begins them and waits for their ends
 *   xfctl-wait.c     waiting for hosts
 *
 * Errors are sentences that the caller frees; NULL: none.  One thread. */

#include "db-ctl-base.h"
#include "openvswitch/compiler.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/shash.h"
#include "ovsdb-idl.h"
#include "xenflow-ext/xenflow-idl.h"
#include "xenflow-late.h"

struct hmapx;
struct json;
struct sset;

typedef const struct ovsdb_idl_row xf_row;

/* What an operator sets of an object. */
struct xf_field {
    const char *name;           /* As the operator writes it. */
    const struct ovsdb_idl_column *column;
    const char *map_key;        /* Of a map: the key.  NULL: the whole column. */
    const char *initial;        /* Value of a new object; NULL: must be given,
                                 * "": may be left out. */
    /* Says what the schema can't: whether 's' is right, and if so its
     * canonical form in '*canonical' (allocated), which stays NULL if 's' is
     * canonical.  NULL: whatever the schema allows. */
    char *(*check)(const char *s, char **canonical);
    /* The second column of an end: see xf_end_set(). */
    const struct ovsdb_idl_column *other;
};

/* A kind of objects. */
struct xf_kind {
    const char *name;           /* "router": in commands, files, sentences. */
    const char *alias;          /* Other name in files, or NULL. */
    const struct ovsdb_idl_table_class *table;
    const struct ovsdb_idl_column *name_column; /* NULL: see 'parent'. */
    /* Objects that are called PARENT:NAME, or HOST:PORT[:VLAN]. */
    const struct ovsdb_idl_column *parent;
    const struct ovsdb_idl_column *sub_name;
    const struct ovsdb_idl_column *number;
    const char *usage;          /* Names of the words that name one. */
    int n_positional;           /* Keys that may be given without KEY=. */
    const struct xf_field *keys;
    size_t n_keys;
};

extern const struct xf_kind xf_kinds[];
extern const size_t xf_n_kinds;

/* xfctl-kind.c */
const struct xf_kind *xf_kind_find(const char *name);
const struct xf_kind *xf_kind_of_table(const char *table_name);
const char *xf_kind_noun(const struct xf_kind *);
const struct xf_field *xf_key_find(const struct xf_kind *, const char *name);
void xf_indexes_create(struct ovsdb_idl *);
void xf_index_string(struct ovsdb_idl_row *key,
                     const struct ovsdb_idl_column *, const char *);
void xf_index_integer(struct ovsdb_idl_row *key,
                      const struct ovsdb_idl_column *, int64_t);
void xf_index_ref(struct ovsdb_idl_row *key, const struct ovsdb_idl_column *,
                  xf_row *target);
xf_row *xf_mac_find(xf_row *except, const char *mac);
char *xf_keys_names(const struct xf_kind *);
char *xf_name_check(const char *s, char **canonical) OVS_WARN_UNUSED_RESULT;
char *xf_object_find(struct ctl_context *, const struct xf_kind *,
                     const char *name, xf_row **) OVS_WARN_UNUSED_RESULT;
char *xf_object_get(struct ctl_context *, const struct xf_kind *,
                    const char *name, xf_row **) OVS_WARN_UNUSED_RESULT;
char *xf_object_create(struct ctl_context *, const struct xf_kind *,
                       const char *name, xf_row **) OVS_WARN_UNUSED_RESULT;
void xf_object_name(const struct ovsdb_idl *, const struct xf_kind *,
                    xf_row *, struct ds *);
xf_row **xf_rows_sorted(struct ovsdb_idl *, const struct xf_kind *, size_t *n);

/* xfctl-value.c */
char *xf_key_set(struct ctl_context *, const struct xf_kind *, xf_row *,
                 const struct xf_field *, const char *text)
    OVS_WARN_UNUSED_RESULT;
void xf_key_get(const struct ovsdb_idl *, xf_row *, const struct xf_field *,
                struct ds *);
xf_row *xf_ref_get(const struct ovsdb_idl *, xf_row *,
                   const struct ovsdb_idl_column *);
bool xf_refers(xf_row *, const struct ovsdb_idl_column *, xf_row *target);
const char *xf_string_get(xf_row *, const struct ovsdb_idl_column *);
int64_t xf_integer_get(xf_row *, const struct ovsdb_idl_column *);
void xf_string_set(xf_row *, const struct ovsdb_idl_column *, const char *);
void xf_integer_set(xf_row *, const struct ovsdb_idl_column *, int64_t);
void xf_ref_set(xf_row *, const struct ovsdb_idl_column *, xf_row *);
const struct ovsdb_idl_table_class *xf_table_find(const char *name);

/* xfctl-place.c: a router whose key "host" says XF_ANY gets a host when all its
 * keys are set. */
#define XF_ANY "any"
void xf_place_later(xf_row *router);
void xf_place_none(void);
char *xf_place(struct ctl_context *, xf_row *router) OVS_WARN_UNUSED_RESULT;

/* xfctl-link.c: what was set otherwise than it was, and the ways that links get
 * for it once all commands have run. */
void xf_wire_none(void);
bool xf_wire_raises(void);
void xf_wire_later(xf_row *);
bool xf_wire_depends(const struct xf_kind *, const struct xf_field *);
char *xf_wire(struct ctl_context *) OVS_WARN_UNUSED_RESULT;
char *xf_link_check_removal(struct ovsdb_idl *, const struct hmapx *gone)
    OVS_WARN_UNUSED_RESULT;
char *xf_link_check_vlan(struct ovsdb_idl *, int64_t vlan, xf_row *host)
    OVS_WARN_UNUSED_RESULT;
struct json *xf_link_to_json(struct ovsdb_idl *, const struct xfrec_link *,
                             bool whole);
void xf_link_commands_register(void);

/* xfctl-check.c */
char *xf_check_mac(const char *, char **) OVS_WARN_UNUSED_RESULT;
char *xf_check_prefix(const char *, char **) OVS_WARN_UNUSED_RESULT;
char *xf_check_address(const char *, char **) OVS_WARN_UNUSED_RESULT;
char *xf_check_config(const char *, char **) OVS_WARN_UNUSED_RESULT;
char *xf_check_path(const char *, char **) OVS_WARN_UNUSED_RESULT;
char *xf_check_setting(const char *key, const char *value)
    OVS_WARN_UNUSED_RESULT;
char *xf_check_object(struct ctl_context *, const struct xf_kind *, xf_row *)
    OVS_WARN_UNUSED_RESULT;
void xf_make_mac(struct ctl_context *, xf_row *);

/* xfctl-object.c */
char *xf_object_change(struct ctl_context *, const struct xf_kind *, xf_row *,
                       int n, char *argv[], bool fresh) OVS_WARN_UNUSED_RESULT;
char *xf_object_remove(struct ctl_context *, const struct xf_kind *, xf_row *,
                       bool all) OVS_WARN_UNUSED_RESULT;
void xf_object_commands_register(void);
void xf_pre_all(struct ctl_context *);

/* xfctl-child.c: what a router has in rows of their own. */
struct xf_child_kind {
    const char *name;           /* "rule". */
    const struct ovsdb_idl_table_class *table;
    const struct ovsdb_idl_column *router;
    const struct ovsdb_idl_column *key; /* Few rows of a router share one. */
    const char *usage;          /* Words of an -add command after ROUTER. */
    const char *key_usage;      /* Words of a -del command after ROUTER. */
    /* Adds or replaces by words; removes by words. */
    char *(*add)(struct ctl_context *, const struct xfrec_router *, int n,
                 const char *argv[]);
    char *(*del)(struct ctl_context *, const struct xfrec_router *, int n,
                 const char *argv[], bool *found);
    void (*format)(xf_row *, struct ds *); /* Words that make it again. */
};
extern const struct xf_child_kind xf_child_kinds[];
extern const size_t xf_n_child_kinds;
const struct xf_child_kind *xf_child_kind_find(const char *name);
/* Rows, whatever becomes of the database meanwhile; 'rows' is the caller's. */
struct xf_rows {
    xf_row **rows;
    size_t n;
};
void xf_child_indexes_create(struct ovsdb_idl *);
struct xf_rows xf_children_with_string(const struct xf_child_kind *,
                                       xf_row *router, const char *key);
struct xf_rows xf_children_with_integer(const struct xf_child_kind *,
                                        xf_row *router, int64_t key);
size_t xf_children_remove(const struct xf_child_kind *, xf_row *router);
void xf_children_retain(const struct xf_child_kind *, xf_row *router,
                        struct sset *rules);
char **xf_children_format(const struct xf_child_kind *, xf_row *router,
                          size_t *n);
void xf_child_commands_register(void);

/* xfctl-file.c */
struct xf_file_line {
    const char *key;
    char *text;                 /* Continuation lines after '\n'. */
    size_t length;              /* Of 'text'. */
    int number;
    int *numbers;               /* Of the line itself and its continuations. */
    size_t n_numbers;
};
struct xf_file_section {
    char *kind, *name;
    int number;
    struct xf_file_line *lines;
    size_t n_lines;
};
struct xf_file {
    struct xf_file_section *sections;
    size_t n_sections;
    struct shash headings;      /* "KIND NAME" to the line. */
};
char *xf_file_parse(const char *text, size_t length, struct xf_file *)
    OVS_WARN_UNUSED_RESULT;
void xf_file_destroy(struct xf_file *);

/* xfctl-import.c, xfctl-export.c, xfctl-show.c, xfctl-wait.c */
void xf_cmd_import(struct ctl_context *);
void xf_cmd_export(struct ctl_context *);
void xf_cmd_show(struct ctl_context *);
/* Prints the array 'key' of 'json' as "show" prints objects. */
void xf_tree_put(struct ds *, const struct json *, const char *key,
                 const char *noun);
char *xf_wait_check(struct ovsdb_idl *, int64_t cfg, bool *done)
    OVS_WARN_UNUSED_RESULT;

/* What the host that is to carry the router says of it, or NULL. */
const struct xfrec_router_state *xf_router_state(struct ovsdb_idl *,
                                                 const struct xfrec_router *);

/* xfctl-vm.c */
void xf_vm_commands_register(void);

/* xfctl-trace.c */
void xf_cmd_trace(struct ctl_context *);
bool xf_trace_is_wanted(void);
void xf_trace_run(struct ovsdb_idl *, long long int deadline_ms);

/* xfctl-migrate.c */
char *xf_migration_check(xf_row *, const struct xf_field *, const char *old,
                         const char *text)
    OVS_WARN_UNUSED_RESULT;
void xf_migration_commands_register(void);

/* xfctl-watch.c: migrations that are to be begun, one after the other, when the
 * transaction is through.  'to': names of hosts with commas, "": any. */
void xf_watch_begin(bool no_wait);
void xf_watch_router(const char *name, const char *to, const char *technique);
void xf_watch_link(const char *name);
void xf_watch_host(const char *name, bool power_off);
char *xf_watch_choose(struct ovsdb_idl *, const struct xfrec_router *,
                      const char *to, const struct xfrec_host **best)
    OVS_WARN_UNUSED_RESULT;
bool xf_watch_is_wanted(void);
void xf_watch_run(struct ovsdb_idl *, long long int deadline_ms);

/* xfctl.c */
extern bool xf_json;            /* -f json. */
extern bool xf_color;           /* Standard output is a terminal. */
extern bool xf_wait;            /* "wait" or --wait. */
extern bool xf_dry_run;         /* --dry-run. */
/* Receives from the database; fails if no server answers. */
void xf_alive_or_die(struct ovsdb_idl *);

#endif /* xfctl.h */
