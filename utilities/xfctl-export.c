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

#include "ovsdb-idl-provider.h"
#include "util.h"

/* Rows to a file that import makes them of again. */

/* Appends 'text', which may have several lines, as the value of a key. */
static void
put_text(struct ds *ds, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (p == text && strchr(text, '\n')) {
            ds_put_cstr(ds, "\n    ");
        }
        ds_put_char(ds, *p);
        if (*p == '\n' && p[1]) {
            ds_put_cstr(ds, "    ");
        }
    }
    ds_chomp(ds, '\n');
    ds_put_char(ds, '\n');
}

/* Appends the keys of 'row' that don't have their initial value. */
static void
put_keys(const struct ovsdb_idl *idl, const struct xf_kind *kind, xf_row *row,
         struct ds *ds)
{
    struct ds ends = DS_EMPTY_INITIALIZER;

    for (size_t i = 0; i < kind->n_keys; i++) {
        const struct xf_field *key = &kind->keys[i];
        struct ds value = DS_EMPTY_INITIALIZER;

        xf_key_get(idl, row, key, &value);
        if (i < kind->n_positional) {
            ds_put_format(&ends, " %s", ds_cstr(&value));
        } else if (!key->initial || strcmp(key->initial, ds_cstr(&value))) {
            ds_put_format(ds, "%s =%s", key->name,
                          strchr(ds_cstr(&value), '\n') ? "" : " ");
            put_text(ds, ds_cstr(&value));
        }
        ds_destroy(&value);
    }
    if (ends.length) {
        ds_put_format(ds, "ends =%s\n", ds_cstr(&ends));
    }
    ds_destroy(&ends);
}

/* "SEGMENT|- ADDRESS... KEY=VALUE..." */
static void
put_interface(const struct xfrec_interface *iface, struct ds *ds)
{
    const char *name = iface->name;
    bool short_name = !strncmp(name, "eth", 3) && name[3]
        && !name[3 + strspn(name + 3, "0123456789")];

    ds_put_format(ds, "%s%s = %s", short_name ? "" : "if ", name,
                  iface->segment ? iface->segment->name : "-");
    for (size_t i = 0; i < iface->n_addresses; i++) {
        ds_put_format(ds, " %s", iface->addresses[i]);
    }
    ds_put_format(ds, " mac=%s", iface->mac);
    if (iface->mtu != 1500) {
        ds_put_format(ds, " mtu=%"PRId64, iface->mtu);
    }
    if (!iface->up) {
        ds_put_cstr(ds, " up=false");
    }
    if (iface->vif[0]) {
        ds_put_format(ds, " vif=%s", iface->vif);
    }
    if (iface->ifindex) {
        ds_put_format(ds, " ifindex=%"PRId64, iface->ifindex);
    }
    ds_put_char(ds, '\n');
}

static void
put_router_parts(struct ovsdb_idl *idl, xf_row *row, struct ds *ds)
{
    const struct xf_kind *kind = xf_kind_find("if");
    size_t n;
    xf_row **rows = xf_rows_sorted(idl, kind, &n);

    for (size_t i = 0; i < n; i++) {
        if (xf_refers(rows[i], kind->parent, row)) {
            put_interface(CONTAINER_OF(rows[i], struct xfrec_interface,
                                       header_), ds);
        }
    }
    free(rows);
    for (size_t i = 0; i < xf_n_child_kinds; i++) {
        char **texts = xf_children_format(&xf_child_kinds[i], row, &n);

        if (n) {
            ds_put_format(ds, "%s =\n", xf_child_kinds[i].name);
        }
        for (size_t j = 0; j < n; j++) {
            ds_put_format(ds, "    %s\n", texts[j]);
            free(texts[j]);
        }
        free(texts);
    }
}

/* Whether 'row' belongs to 'net', of which a part is exported; NULL: all is. */
static bool
is_exported(struct ovsdb_idl *idl, const struct xf_kind *kind, xf_row *row,
            xf_row *net)
{
    if (!net || row == net) {
        return true;
    } else if (kind->table == &xfrec_table_router) {
        return xf_ref_get(idl, row, &xfrec_router_col_network) == net;
    } else if (kind->table == &xfrec_table_segment) {
        return xf_ref_get(idl, row, &xfrec_segment_col_network) == net;
    } else if (kind->table == &xfrec_table_edge_port) {
        xf_row *segment = xf_ref_get(idl, row, &xfrec_edge_port_col_segment);

        return segment
               && xf_ref_get(idl, segment, &xfrec_segment_col_network) == net;
    } else if (kind->table == &xfrec_table_link) {
        xf_row *end = xf_ref_get(idl, row, &xfrec_link_col_interface1);
        xf_row *router = end ? xf_ref_get(idl, end,
                                          &xfrec_interface_col_router) : NULL;

        return router
               && xf_ref_get(idl, router, &xfrec_router_col_network) == net;
    } else {
        return false;
    }
}

void
xf_cmd_export(struct ctl_context *ctx)
{
    xf_row *net = NULL;

    if (ctx->argc > 1) {
        ctx->error = xf_object_get(ctx, xf_kind_find("net"), ctx->argv[1],
                                   &net);
        if (ctx->error) {
            return;
        }
    }
    for (size_t k = 0; k < xf_n_kinds; k++) {
        const struct xf_kind *kind = &xf_kinds[k];
        size_t n;

        if (kind->table == &xfrec_table_interface) {
            continue;           /* In their routers. */
        }

        xf_row **rows = xf_rows_sorted(ctx->idl, kind, &n);
        for (size_t i = 0; i < n; i++) {
            if (!is_exported(ctx->idl, kind, rows[i], net)) {
                continue;
            }
            ds_put_format(&ctx->output, "%s[%s ", ctx->output.length ? "\n"
                          : "", kind->name);
            xf_object_name(ctx->idl, kind, rows[i], &ctx->output);
            ds_put_cstr(&ctx->output, "]\n");
            put_keys(ctx->idl, kind, rows[i], &ctx->output);
            if (kind->table == &xfrec_table_router) {
                put_router_parts(ctx->idl, rows[i], &ctx->output);
            }
        }
        free(rows);
    }
}
