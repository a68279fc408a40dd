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

#include "xfctl.h"

#include "ovsdb-data.h"
#include "ovsdb-idl-provider.h"
#include "util.h"

/* What operators set: one line per key.  Types, ranges and enumerations are the
 * schema's. */

#define COL(TABLE, COLUMN) &xfrec_##TABLE##_col_##COLUMN

static const struct xf_field host_keys[] = {
    { "kind", COL(host, kind), NULL, "xenflow", NULL, NULL },
    { "enabled", COL(host, enabled), NULL, "true", NULL, NULL },
    { "addresses", COL(host, addresses), NULL, "", NULL, NULL },
    { "power", COL(host, power), NULL, "on", NULL, NULL },
    { "wake-mac", COL(host, wake_mac), NULL, "", xf_check_mac, NULL },
};

static const struct xf_field trunk_keys[] = {
    { "end1", COL(physical_link, host1), NULL, NULL, NULL,
      COL(physical_link, port1) },
    { "end2", COL(physical_link, host2), NULL, NULL, NULL,
      COL(physical_link, port2) },
    { "bandwidth", COL(physical_link, bandwidth), NULL, "0", NULL, NULL },
};

static const struct xf_field net_keys[] = {
    { "prefixes", COL(network, prefixes), NULL, "", xf_check_prefix, NULL },
};

static const struct xf_field segment_keys[] = {
    { "vlan", COL(segment, vlan), NULL, NULL, NULL, NULL },
    { "network", COL(segment, network), NULL, "", NULL, NULL },
};

static const struct xf_field edge_keys[] = {
    { "segment", COL(edge_port, segment), NULL, "", NULL, NULL },
};

#define SETTING(NAME) { NAME, COL(router, settings), NAME, "", NULL, NULL }
#define PROTOCOL(NAME) { NAME, COL(router, protocols), NAME, "", NULL, NULL }

static const struct xf_field router_keys[] = {
    { "network", COL(router, network), NULL, "", NULL, NULL },
    { "host", COL(router, host), NULL, "", NULL, NULL },
    { "role", COL(router, role), NULL, "router", NULL, NULL },
    { "state", COL(router, state), NULL, "running", NULL, NULL },
    { "restart", COL(router, restart), NULL, "on-failure", NULL, NULL },
    { "backend", COL(router, backend), NULL, "none", NULL, NULL },
    { "image", COL(router, image), NULL, "", NULL, NULL },
    { "memory", COL(router, memory), NULL, "160", NULL, NULL },
    { "vcpus", COL(router, vcpus), NULL, "1", NULL, NULL },
    { "separated", COL(router, separated), NULL, "true", NULL, NULL },
    { "translation", COL(router, translation), NULL, "auto", NULL, NULL },
    SETTING("ecmp-seed"), SETTING("max-routes"), SETTING("max-nexthops"),
    SETTING("max-neighbors"), SETTING("max-ports"), SETTING("max-addresses"),
    SETTING("max-filters"), SETTING("max-flows"), SETTING("filter-default"),
    SETTING("listen"), SETTING("peer-name"), SETTING("device"),
    SETTING("punt-rate"), SETTING("stale"), SETTING("settle"),
    SETTING("reachable"), SETTING("fail"),
    { "routing", COL(router, routing), NULL, "frr", NULL, NULL },
    PROTOCOL("ospf"), PROTOCOL("ospf-dead"), PROTOCOL("bgp"), PROTOCOL("asn"),
    PROTOCOL("announce"), PROTOCOL("feed"),
    { "config", COL(router, config), NULL, "", xf_check_config, NULL },
};

static const struct xf_field if_keys[] = {
    { "segment", COL(interface, segment), NULL, "", NULL, NULL },
    { "address", COL(interface, addresses), NULL, "", xf_check_address, NULL },
    { "mac", COL(interface, mac), NULL, "", xf_check_mac, NULL },
    { "mtu", COL(interface, mtu), NULL, "1500", NULL, NULL },
    { "up", COL(interface, up), NULL, "true", NULL, NULL },
    { "vif", COL(interface, vif), NULL, "", NULL, NULL },
    { "ifindex", COL(interface, ifindex), NULL, "", NULL, NULL },
};

static const struct xf_field link_keys[] = {
    { "end1", COL(link, interface1), NULL, NULL, NULL, NULL },
    { "end2", COL(link, interface2), NULL, NULL, NULL, COL(link, edge) },
    { "bandwidth", COL(link, bandwidth), NULL, "0", NULL, NULL },
    { "policy", COL(link, policy), NULL, "hops", NULL, NULL },
    { "path", COL(link, path), NULL, "", xf_check_path, NULL },
};

#define KEYS(ARRAY) ARRAY, ARRAY_SIZE(ARRAY)

/* In the order in which files have them: what others refer to first. */
const struct xf_kind xf_kinds[] = {
    { "host", "switch", &xfrec_table_host, COL(host, name),
      NULL, NULL, NULL, "HOST", 0, KEYS(host_keys) },
    { "trunk", NULL, &xfrec_table_physical_link, COL(physical_link, name),
      NULL, NULL, NULL, "TRUNK", 2, KEYS(trunk_keys) },
    { "net", "network", &xfrec_table_network, COL(network, name),
      NULL, NULL, NULL, "NETWORK", 0, KEYS(net_keys) },
    { "segment", NULL, &xfrec_table_segment, COL(segment, name),
      NULL, NULL, NULL, "SEGMENT", 0, KEYS(segment_keys) },
    { "edge", NULL, &xfrec_table_edge_port, NULL, COL(edge_port, host),
      COL(edge_port, port), COL(edge_port, vlan), "HOST:PORT[:VLAN]", 0,
      KEYS(edge_keys) },
    { "router", "element", &xfrec_table_router, COL(router, name),
      NULL, NULL, NULL, "ROUTER", 0, KEYS(router_keys) },
    { "if", "interface", &xfrec_table_interface, NULL, COL(interface, router),
      COL(interface, name), NULL, "ROUTER:INTERFACE", 0, KEYS(if_keys) },
    { "link", NULL, &xfrec_table_link, COL(link, name),
      NULL, NULL, NULL, "LINK", 2, KEYS(link_keys) },
};
const size_t xf_n_kinds = ARRAY_SIZE(xf_kinds);

const struct xf_kind *
xf_kind_find(const char *name)
{
    for (size_t i = 0; i < xf_n_kinds; i++) {
        if (!strcmp(name, xf_kinds[i].name)
            || (xf_kinds[i].alias && !strcmp(name, xf_kinds[i].alias))) {
            return &xf_kinds[i];
        }
    }
    return NULL;
}

const struct xf_kind *
xf_kind_of_table(const char *table_name)
{
    for (size_t i = 0; i < xf_n_kinds; i++) {
        if (!strcmp(table_name, xf_kinds[i].table->name)) {
            return &xf_kinds[i];
        }
    }
    return NULL;
}

/* What sentences call 'kind'. */
const char *
xf_kind_noun(const struct xf_kind *kind)
{
    return (kind->table == &xfrec_table_interface ? "interface"
            : kind->table == &xfrec_table_network ? "network"
            : kind->table == &xfrec_table_edge_port ? "edge port"
            : kind->name);
}

/* '_' is understood for '-'. */
const struct xf_field *
xf_key_find(const struct xf_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->n_keys; i++) {
        const char *p = kind->keys[i].name, *q = name;

        while (*p && *p == (*q == '_' ? '-' : *q)) {
            p++, q++;
        }
        if (!*p && !*q) {
            return &kind->keys[i];
        }
    }
    return NULL;
}

/* "a, b or c", to be freed by the caller. */
char *
xf_keys_names(const struct xf_kind *kind)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < kind->n_keys; i++) {
        ds_put_format(&ds, "%s%s", !i ? "" : i + 1 < kind->n_keys ? ", "
                      : " or ", kind->keys[i].name);
    }
    return ds_steal_cstr(&ds);
}

/* ---- Names. ---- */

/* A name that goes into commands, files and references to interfaces. */
char *
xf_name_check(const char *s, char **canonical OVS_UNUSED)
{
    size_t length = strlen(s);
    bool bad = !length || length > 63 || s[0] == '-';

    for (const char *p = s; *p; p++) {
        unsigned char c = *p;
        bad = bad || c <= ' ' || c >= 127 || strchr(",=/:[]\"'\\", c);
    }
    return (bad ? xasprintf("'%s' is no name: use 1 to 63 printable characters "
                            "without space , = / : [ ] \\ and quotes, the first "
                            "not '-'", s)
            : NULL);
}

/* The parts of a name PARENT:NAME or HOST:PORT[:VLAN]. */
struct parts {
    char *copy, *parent, *name;
    uint64_t number;
};

static char * OVS_WARN_UNUSED_RESULT
parts_parse(const struct xf_kind *kind, const char *name, struct parts *parts)
{
    char *save = NULL;

    parts->copy = xstrdup(name);
    parts->parent = strtok_r(parts->copy, ":", &save);
    parts->name = strtok_r(NULL, ":", &save);
    parts->number = 0;

    char *number = kind->number ? strtok_r(NULL, ":", &save) : NULL;
    bool bad = !parts->name || strtok_r(NULL, ":", &save)
               || name[0] == ':' || name[strlen(name) - 1] == ':';
    unsigned int vlan = 0;
    if (number && (!str_to_uint(number, 10, &vlan) || vlan > 4094
                   || number[strspn(number, "0123456789")])) {
        bad = true;
    }
    parts->number = vlan;
    char *error = (bad ? xasprintf("'%s' is no %s: write %s%s", name,
                                   kind->number ? "edge port" : "interface",
                                   kind->usage,
                                   kind->number ? ", VLAN from 0 to 4094" : "")
                   : xf_name_check(parts->name, NULL));
    if (error) {
        free(parts->copy);
    }
    return error;
}

/* ---- Indexes. ---- */

/* By name: of objects PARENT:NAME by both columns.  Of the one database that
 * this program talks to. */
static struct ovsdb_idl_index *name_indexes[ARRAY_SIZE(xf_kinds)];
static struct ovsdb_idl_index *mac_index;

void
xf_indexes_create(struct ovsdb_idl *idl)
{
    if (mac_index) {
        return;
    }
    for (size_t i = 0; i < xf_n_kinds; i++) {
        const struct xf_kind *kind = &xf_kinds[i];

        name_indexes[i] = (kind->name_column
                           ? ovsdb_idl_index_create1(idl, kind->name_column)
                           : ovsdb_idl_index_create2(idl, kind->sub_name,
                                                     kind->parent));
    }
    mac_index = ovsdb_idl_index_create1(idl, &xfrec_interface_col_mac);
    xf_child_indexes_create(idl);
}

/* Writes of rows to look for in an index. */
static void
index_write(struct ovsdb_idl_row *key, const struct ovsdb_idl_column *column,
            const union ovsdb_atom *atom)
{
    struct ovsdb_datum datum;

    ovsdb_datum_init_empty(&datum);
    datum.n = 1;
    datum.keys = xmemdup(atom, sizeof *atom);
    ovsdb_idl_index_write(key, column, &datum, key->table->class_);
}

void
xf_index_string(struct ovsdb_idl_row *key,
                const struct ovsdb_idl_column *column, const char *s)
{
    union ovsdb_atom atom = { .s = ovsdb_atom_string_create(s) };

    index_write(key, column, &atom);
}

void
xf_index_integer(struct ovsdb_idl_row *key,
                 const struct ovsdb_idl_column *column, int64_t integer)
{
    union ovsdb_atom atom = { .integer = integer };

    index_write(key, column, &atom);
}

void
xf_index_ref(struct ovsdb_idl_row *key, const struct ovsdb_idl_column *column,
             xf_row *target)
{
    union ovsdb_atom atom = { .uuid = target->uuid };

    index_write(key, column, &atom);
}

/* An interface with that MAC that isn't 'except', or NULL. */
xf_row *
xf_mac_find(xf_row *except, const char *mac)
{
    struct ovsdb_idl_row *key = ovsdb_idl_index_init_row(mac_index);
    xf_row *row;

    xf_index_string(key, &xfrec_interface_col_mac, mac);
    struct ovsdb_idl_cursor c = ovsdb_idl_cursor_first_eq(mac_index, key);

    while ((row = ovsdb_idl_cursor_data(&c)) && row == except) {
        ovsdb_idl_cursor_next_eq(&c);
    }
    ovsdb_idl_index_destroy_row(key);
    return row;
}

/* ---- Objects. ---- */

/* The object of 'kind' with that name, or those parts, or NULL. */
static xf_row *
find_named(const struct xf_kind *kind, const char *name,
           const struct parts *parts, xf_row *parent)
{
    struct ovsdb_idl_index *index = name_indexes[kind - xf_kinds];
    struct ovsdb_idl_row *key = ovsdb_idl_index_init_row(index);
    xf_row *row;

    if (kind->name_column) {
        xf_index_string(key, kind->name_column, name);
    } else {
        xf_index_string(key, kind->sub_name, parts->name);
        xf_index_ref(key, kind->parent, parent);
    }
    struct ovsdb_idl_cursor c = ovsdb_idl_cursor_first_eq(index, key);

    while ((row = ovsdb_idl_cursor_data(&c)) && kind->number
           && xf_integer_get(row, kind->number) != parts->number) {
        ovsdb_idl_cursor_next_eq(&c);
    }
    ovsdb_idl_index_destroy_row(key);
    return row;
}

/* Stores the object of 'kind' called 'name', or NULL, in '*rowp'; a sentence
 * if that is no name. */
char *
xf_object_find(struct ctl_context *ctx, const struct xf_kind *kind,
               const char *name, xf_row **rowp)
{
    struct parts parts = { .copy = NULL };
    xf_row *parent = NULL;
    char *error;

    *rowp = NULL;
    if (kind->name_column) {
        error = xf_name_check(name, NULL);
    } else {
        error = parts_parse(kind, name, &parts);
        if (!error) {
            error = xf_object_find(ctx, xf_kind_of_table(
                kind->parent->type.key.uuid.refTableName), parts.parent,
                &parent);
            if (error || !parent) {
                free(parts.copy);
                return error;
            }
        }
    }
    if (error) {
        return error;
    }
    *rowp = find_named(kind, name, &parts, parent);
    free(parts.copy);
    return NULL;
}

/* As xf_object_find(); a sentence if there is none. */
char *
xf_object_get(struct ctl_context *ctx, const struct xf_kind *kind,
              const char *name, xf_row **rowp)
{
    char *error = xf_object_find(ctx, kind, name, rowp);

    if (!error && !*rowp) {
        error = xasprintf("there is no %s '%s': see %s-list, or add it with "
                          "%s-add", xf_kind_noun(kind), name, kind->name,
                          kind->name);
    }
    return error;
}

/* Creates an object that xf_object_find() didn't find. */
char *
xf_object_create(struct ctl_context *ctx, const struct xf_kind *kind,
                 const char *name, xf_row **rowp)
{
    struct parts parts = { .copy = NULL };
    xf_row *row, *parent = NULL;

    *rowp = NULL;
    if (!kind->name_column) {
        char *error = parts_parse(kind, name, &parts);

        if (!error) {
            error = xf_object_get(ctx, xf_kind_of_table(
                kind->parent->type.key.uuid.refTableName), parts.parent,
                &parent);
            if (error) {
                free(parts.copy);
            }
        }
        if (error) {
            return error;
        }
    }
    row = ovsdb_idl_txn_insert(ctx->txn, kind->table, NULL);
    if (kind->name_column) {
        xf_string_set(row, kind->name_column, name);
    } else {
        xf_ref_set(row, kind->parent, parent);
        xf_string_set(row, kind->sub_name, parts.name);
        if (kind->number) {
            xf_integer_set(row, kind->number, parts.number);
        }
        free(parts.copy);
    }
    *rowp = row;
    return NULL;
}

/* Appends the name by which xf_object_find() finds 'row'. */
void
xf_object_name(const struct ovsdb_idl *idl, const struct xf_kind *kind,
               xf_row *row, struct ds *ds)
{
    if (kind->name_column) {
        ds_put_cstr(ds, xf_string_get(row, kind->name_column));
        return;
    }

    xf_row *parent = xf_ref_get(idl, row, kind->parent);
    if (parent) {
        xf_object_name(idl, xf_kind_of_table(
            kind->parent->type.key.uuid.refTableName), parent, ds);
    }
    ds_put_format(ds, ":%s", xf_string_get(row, kind->sub_name));
    if (kind->number && xf_integer_get(row, kind->number)) {
        ds_put_format(ds, ":%"PRId64, xf_integer_get(row, kind->number));
    }
}

struct named {
    char *name;
    xf_row *row;
};

static int
compare_named(const void *a_, const void *b_)
{
    const struct named *a = a_, *b = b_;

    return strcmp(a->name, b->name);
}

/* All objects of 'kind' by their names; the caller frees the array. */
xf_row **
xf_rows_sorted(struct ovsdb_idl *idl, const struct xf_kind *kind, size_t *n)
{
    struct named *named = NULL;
    size_t allocated = 0;
    xf_row *row;

    *n = 0;
    for (row = ovsdb_idl_first_row(idl, kind->table); row;
         row = ovsdb_idl_next_row(row)) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        if (*n >= allocated) {
            named = x2nrealloc(named, &allocated, sizeof *named);
        }
        xf_object_name(idl, kind, row, &ds);
        named[*n].name = ds_steal_cstr(&ds);
        named[(*n)++].row = row;
    }
    if (named) {
        qsort(named, *n, sizeof *named, compare_named);
    }

    xf_row **rows = xmalloc((*n + 1) * sizeof *rows);
    for (size_t i = 0; i < *n; i++) {
        rows[i] = named[i].row;
        free(named[i].name);
    }
    free(named);
    return rows;
}
