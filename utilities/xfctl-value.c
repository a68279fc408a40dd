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

#include "openvswitch/json.h"
#include "ovsdb-data.h"
#include "ovsdb-idl-provider.h"
#include "ovsdb-types.h"
#include "util.h"

/* Text of a value <-> datum of a column.  Types, ranges and enumerations come
 * from the schema; sentences name the key. */

/* ---- Datums of one element. ---- */

const char *
xf_string_get(xf_row *row, const struct ovsdb_idl_column *column)
{
    const struct ovsdb_datum *datum = ovsdb_idl_read(row, column);

    return datum->n ? datum->keys[0].s->string : "";
}

int64_t
xf_integer_get(xf_row *row, const struct ovsdb_idl_column *column)
{
    const struct ovsdb_datum *datum = ovsdb_idl_read(row, column);

    return datum->n ? datum->keys[0].integer : 0;
}

const struct ovsdb_idl_table_class *
xf_table_find(const char *name)
{
    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        if (!strcmp(xfrec_table_classes[i].name, name)) {
            return &xfrec_table_classes[i];
        }
    }
    return NULL;
}

/* The row that 'column' refers to, or NULL if there is none, or not any more. */
xf_row *
xf_ref_get(const struct ovsdb_idl *idl, xf_row *row,
           const struct ovsdb_idl_column *column)
{
    const struct ovsdb_datum *datum = ovsdb_idl_read(row, column);
    xf_row *target = NULL;

    if (datum->n) {
        target = ovsdb_idl_get_row_for_uuid(
            idl, xf_table_find(column->type.key.uuid.refTableName),
            &datum->keys[0].uuid);
    }
    return target && target->new_datum ? target : NULL;
}

/* Whether 'column' of 'row' refers to 'target'. */
bool
xf_refers(xf_row *row, const struct ovsdb_idl_column *column, xf_row *target)
{
    const struct ovsdb_datum *datum = ovsdb_idl_read(row, column);

    return (datum->n && target
            && uuid_equals(&datum->keys[0].uuid, &target->uuid));
}

static void
write_atom(xf_row *row, const struct ovsdb_idl_column *column,
           const union ovsdb_atom *atom)
{
    struct ovsdb_datum datum;

    ovsdb_datum_init_empty(&datum);
    if (atom) {
        datum.n = 1;
        datum.keys = xmemdup(atom, sizeof *atom);
    }
    ovsdb_idl_txn_write(row, column, &datum);
}

void
xf_string_set(xf_row *row, const struct ovsdb_idl_column *column,
              const char *s)
{
    union ovsdb_atom atom = { .s = ovsdb_atom_string_create(s) };

    write_atom(row, column, &atom);
}

void
xf_integer_set(xf_row *row, const struct ovsdb_idl_column *column, int64_t x)
{
    union ovsdb_atom atom = { .integer = x };

    write_atom(row, column, &atom);
}

/* 'target' may be NULL. */
void
xf_ref_set(xf_row *row, const struct ovsdb_idl_column *column, xf_row *target)
{
    union ovsdb_atom atom;

    if (target) {
        atom.uuid = target->uuid;
    }
    write_atom(row, column, target ? &atom : NULL);
}

/* ---- Text to atom. ---- */

static char *
enum_error(const struct xf_field *key, const char *s,
           const struct ovsdb_datum *values)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, "'%s' is no value for %s: use ", s, key->name);
    for (size_t i = 0; i < values->n; i++) {
        ds_put_format(&ds, "%s%s", !i ? "" : i + 1 < values->n ? ", " : " or ",
                      values->keys[i].s->string);
    }
    return ds_steal_cstr(&ds);
}

static char * OVS_WARN_UNUSED_RESULT
string_to_atom(const struct xf_field *key, const struct ovsdb_base_type *base,
               const char *s, union ovsdb_atom *atom)
{
    char *canonical = NULL;
    char *error = key->check ? key->check(s, &canonical) : NULL;
    size_t length = strlen(s);

    if (!error && base->enum_) {
        atom->s = ovsdb_atom_string_create(s);
        if (!ovsdb_datum_find_key(base->enum_, atom, OVSDB_TYPE_STRING,
                                  NULL)) {
            error = enum_error(key, s, base->enum_);
        }
        ovsdb_atom_destroy(atom, OVSDB_TYPE_STRING);
    } else if (!error && (length < base->string.minLen
                          || length > base->string.maxLen)) {
        error = xasprintf("'%.100s%s' is no value for %s: use %u to %u "
                          "characters", s, length > 100 ? "..." : "", key->name,
                          base->string.minLen, base->string.maxLen);
    }
    if (!error) {
        atom->s = ovsdb_atom_string_create(canonical ? canonical : s);
    }
    free(canonical);
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
integer_to_atom(const struct xf_field *key, const struct ovsdb_base_type *base,
                const char *s, union ovsdb_atom *atom)
{
    long long int x;

    if (!s[0] || s[strspn(s, "0123456789")] || !str_to_llong(s, 10, &x)
        || x < base->integer.min || x > base->integer.max) {
        return xasprintf("'%s' is no value for %s: use a number from %"PRId64
                         " to %"PRId64, s, key->name, base->integer.min,
                         base->integer.max);
    }
    atom->integer = x;
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
boolean_to_atom(const struct xf_field *key, const char *s,
                union ovsdb_atom *atom)
{
    bool yes = !strcmp(s, "true") || !strcmp(s, "yes");

    if (!yes && strcmp(s, "false") && strcmp(s, "no")) {
        return xasprintf("'%s' is no value for %s: use true or false", s,
                         key->name);
    }
    atom->boolean = yes;
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
text_to_atom(struct ctl_context *ctx, const struct xf_field *key,
             const struct ovsdb_base_type *base, const char *s,
             union ovsdb_atom *atom)
{
    xf_row *target;
    char *error;

    switch (base->type) {
    case OVSDB_TYPE_STRING:
        return string_to_atom(key, base, s, atom);
    case OVSDB_TYPE_INTEGER:
        return integer_to_atom(key, base, s, atom);
    case OVSDB_TYPE_BOOLEAN:
        return boolean_to_atom(key, s, atom);
    case OVSDB_TYPE_UUID:
        error = xf_object_get(ctx, xf_kind_of_table(base->uuid.refTableName),
                              s, &target);
        if (!error) {
            atom->uuid = target->uuid;
        }
        return error;
    case OVSDB_TYPE_VOID:
    case OVSDB_TYPE_REAL:
    case OVSDB_N_TYPES:
    default:
        OVS_NOT_REACHED();
    }
}

/* Parses the words of 's' into a set. */
static char * OVS_WARN_UNUSED_RESULT
text_to_set(struct ctl_context *ctx, const struct xf_field *key, const char *s,
            struct ovsdb_datum *datum)
{
    const struct ovsdb_type *type = &key->column->type;
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;

    ovsdb_datum_init_empty(datum);
    for (char *word = strtok_r(copy, ", \t\n", &save); word && !error;
         word = strtok_r(NULL, ", \t\n", &save)) {
        union ovsdb_atom atom;

        error = text_to_atom(ctx, key, &type->key, word, &atom);
        if (!error) {
            ovsdb_datum_add_unsafe(datum, &atom, NULL, type, NULL);
            ovsdb_atom_destroy(&atom, type->key.type);
        }
    }
    free(copy);
    ovsdb_datum_sort_unique(datum, type);
    if (!error && datum->n > type->n_max) {
        error = xasprintf("%s has %u values: give at most %u", key->name,
                          (unsigned int) datum->n, type->n_max);
    }
    if (error) {
        ovsdb_datum_destroy(datum, type);
    }
    return error;
}

/* ---- Keys. ---- */

/* Writes 'text', or removes it if that is empty, in a map. */
static char * OVS_WARN_UNUSED_RESULT
map_set(xf_row *row, const struct xf_field *key, const char *text)
{
    char *error = text[0] ? xf_check_setting(key->map_key, text) : NULL;
    struct ovsdb_datum *datum;
    struct ovsdb_datum copy;

    if (error) {
        return error;
    }
    /* Others may set other keys at the same time. */
    ovsdb_idl_txn_verify(row, key->column);
    ovsdb_datum_clone(&copy, ovsdb_idl_read(row, key->column));
    datum = &copy;
    for (size_t i = 0; i < datum->n; i++) {
        if (!strcmp(datum->keys[i].s->string, key->map_key)) {
            ovsdb_datum_remove_unsafe(datum, i, &key->column->type);
            break;
        }
    }
    if (text[0]) {
        union ovsdb_atom k = { .s = ovsdb_atom_string_create(key->map_key) };
        union ovsdb_atom v = { .s = ovsdb_atom_string_create(text) };

        ovsdb_datum_add_unsafe(datum, &k, &v, &key->column->type, NULL);
        ovsdb_atom_destroy(&k, OVSDB_TYPE_STRING);
        ovsdb_atom_destroy(&v, OVSDB_TYPE_STRING);
    }
    ovsdb_datum_sort_unique(datum, &key->column->type);
    ovsdb_idl_txn_write(row, key->column, datum);
    return NULL;
}

/* An end of a link: an interface, or else an edge port. */
static char * OVS_WARN_UNUSED_RESULT
link_end_set(struct ctl_context *ctx, xf_row *row, const struct xf_field *key,
             const char *text)
{
    xf_row *interface, *edge = NULL;
    char *error = xf_object_find(ctx, xf_kind_find("if"), text, &interface);

    if (error || !interface) {
        free(error);
        error = xf_object_find(ctx, xf_kind_find("edge"), text, &edge);
        interface = NULL;
    }
    if (!error && !interface && !edge) {
        error = xasprintf("there is neither an interface nor an edge port "
                          "'%s': see if-list and edge-list", text);
    }
    if (!error) {
        xf_ref_set(row, key->column, interface);
        xf_ref_set(row, key->other, edge);
    }
    return error;
}

/* An end of a trunk: HOST:PORT. */
static char * OVS_WARN_UNUSED_RESULT
trunk_end_set(struct ctl_context *ctx, xf_row *row, const struct xf_field *key,
              const char *text)
{
    const char *colon = strchr(text, ':');
    xf_row *host;
    char *error;

    if (!colon || !colon[1]) {
        return xasprintf("'%s' is no value for %s: write HOST:PORT", text,
                         key->name);
    }

    char *name = xmemdup0(text, colon - text);
    error = xf_object_get(ctx, xf_kind_find("host"), name, &host);
    free(name);
    error = error ? error : xf_name_check(colon + 1, NULL);
    if (!error) {
        xf_ref_set(row, key->column, host);
        xf_string_set(row, key->other, colon + 1);
    }
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
key_set(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
        const struct xf_field *key, const char *text)
{
    const struct ovsdb_type *type = &key->column->type;
    struct ovsdb_datum datum;
    char *error;

    if (key->map_key) {
        return map_set(row, key, text);
    } else if (key->column == &xfrec_router_col_host
               && !strcmp(text, XF_ANY)) {
        xf_place_later(row);
        return NULL;
    } else if (key->other) {
        return (kind->table == &xfrec_table_link
                ? link_end_set(ctx, row, key, text)
                : trunk_end_set(ctx, row, key, text));
    } else if (type->n_max > 1 || (!text[0] && !type->n_min)) {
        error = text_to_set(ctx, key, text, &datum);
    } else {
        union ovsdb_atom atom;

        error = text_to_atom(ctx, key, &type->key, text, &atom);
        if (!error) {
            ovsdb_datum_init_empty(&datum);
            datum.n = 1;
            datum.keys = xmemdup(&atom, sizeof atom);
        }
    }
    if (!error) {
        ovsdb_idl_txn_write(row, key->column, &datum);
    }
    return error;
}

/* Sets 'key' of 'row', an object of 'kind', to 'text'. */
char *
xf_key_set(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
           const struct xf_field *key, const char *text)
{
    struct ds before = DS_EMPTY_INITIALIZER;
    struct ds after = DS_EMPTY_INITIALIZER;
    char *error;

    if (!xf_wire_depends(kind, key)) {
        return key_set(ctx, kind, row, key, text);
    }
    xf_key_get(ctx->idl, row, key, &before);
    error = key_set(ctx, kind, row, key, text);
    if (!error) {
        xf_key_get(ctx->idl, row, key, &after);
        if (strcmp(ds_cstr(&before), ds_cstr(&after))) {
            xf_wire_later(row);
        }
    }
    ds_destroy(&before);
    ds_destroy(&after);
    return error;
}

static void
put_atom(const struct ovsdb_idl *idl, const struct ovsdb_base_type *base,
         const union ovsdb_atom *atom, struct ds *ds)
{
    if (base->type == OVSDB_TYPE_UUID) {
        xf_row *row = ovsdb_idl_get_row_for_uuid(
            idl, xf_table_find(base->uuid.refTableName), &atom->uuid);

        if (row) {
            xf_object_name(idl, xf_kind_of_table(base->uuid.refTableName),
                           row, ds);
        }
    } else {
        ovsdb_atom_to_bare(atom, base->type, ds);
    }
}

/* Appends the text of 'key' of 'row': nothing if it has no value. */
void
xf_key_get(const struct ovsdb_idl *idl, xf_row *row, const struct xf_field *key,
           struct ds *ds)
{
    const struct ovsdb_datum *datum = ovsdb_idl_read(row, key->column);
    const struct ovsdb_type *type = &key->column->type;

    for (size_t i = 0; i < datum->n; i++) {
        if (!key->map_key) {
            ds_put_cstr(ds, i ? " " : "");
            put_atom(idl, &type->key, &datum->keys[i], ds);
        } else if (!strcmp(datum->keys[i].s->string, key->map_key)) {
            ds_put_cstr(ds, datum->values[i].s->string);
        }
    }
    if (key->other) {
        const struct ovsdb_datum *other = ovsdb_idl_read(row, key->other);

        if (other->n) {
            ds_put_cstr(ds, datum->n ? ":" : "");
            put_atom(idl, &key->other->type.key, &other->keys[0], ds);
        }
    }
}
