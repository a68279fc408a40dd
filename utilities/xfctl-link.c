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

#include <inttypes.h>

#include "hmapx.h"
#include "openvswitch/json.h"
#include "ovsdb-idl-provider.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"
#include "xenflow-plan.h"

/* Virtual links: their ways are made and changed in the transaction that adds a
 * link, changes it, or moves an end of it that stands still.
 *
 * Commands only say what has changed; when all of a call have run, the ways are
 * made together (xf_wire()).  So neither the order of commands nor that of the
 * sections of a file matters.  What didn't change keeps its way, also if there is
 * a better one: that is for link-plan.
 *
 * A new way takes what is up.  Where that doesn't lead to the other end, it takes
 * what is there: a file is imported before its hosts join.
 *
 * VLANs are free or taken by what the rows said.  So that two writers don't
 * take the same, who gives one to a hop, a segment or an edge port verifies
 * XF_Global:cfg and raises it, as xenflow-manager does. */

/* Rows of Link that were set otherwise than they were, rows of Router that have
 * another host, and whether trunks changed. */
static struct hmapx changed = HMAPX_INITIALIZER(&changed);
static bool trunks_changed;
static bool vlans_changed;

void
xf_wire_none(void)
{
    hmapx_clear(&changed);
    trunks_changed = false;
    vlans_changed = false;
}

/* Whether XF_Global:cfg has to be raised. */
bool
xf_wire_raises(void)
{
    return vlans_changed;
}

/* This transaction holds only if no other one gives VLANs away meanwhile. */
static void
claim_vlans(struct ovsdb_idl *idl)
{
    xfrec_xf_global_verify_cfg(xfrec_xf_global_first(idl));
    vlans_changed = true;
}

void
xf_wire_later(xf_row *row)
{
    if (row->table->class_ == &xfrec_table_physical_link) {
        trunks_changed = true;
    } else {
        hmapx_add(&changed, CONST_CAST(void *, (const void *) row));
    }
}

/* Whether ways of links depend on 'key'. */
bool
xf_wire_depends(const struct xf_kind *kind, const struct xf_field *key)
{
    return (kind->table == &xfrec_table_link
            || (kind->table == &xfrec_table_physical_link && key->other)
            || key->column == &xfrec_router_col_host);
}

static bool
has_changed(const struct ovsdb_idl_row *row)
{
    return hmapx_contains(&changed, CONST_CAST(void *, (const void *) row));
}

static bool
is_affected(const struct xfrec_link *link)
{
    return (trunks_changed || has_changed(&link->header_)
            || (link->interface1
                && has_changed(&link->interface1->router->header_))
            || (link->interface2
                && has_changed(&link->interface2->router->header_)));
}

static bool
is_placed(const struct xfrec_link *link)
{
    return (link->interface1 && link->interface1->router->host
            && (link->interface2 ? link->interface2->router->host
                : link->edge ? link->edge->host : NULL));
}

static bool
has_hops(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    size_t n;

    free(xf_plan_hops(idl, link, -1, &n));
    return n > 0;
}

/* Whoever migrates a link, or a router that has it, has its ways. */
static char * OVS_WARN_UNUSED_RESULT
check_still(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    const struct xfrec_router *router = xf_plan_moving(link);
    const struct xfrec_migration *row;

    if (router) {
        return xasprintf("link '%s' can't be changed while its router "
                         "'%s' moves (migration '%s'): wait until that "
                         "has ended", link->name, router->name,
                         router->migration->name);
    }
    XFREC_MIGRATION_FOR_EACH (row, idl) {
        if (row->link == link && !xf_check_is_ended(row)) {
            return xasprintf("link '%s' can't be changed while it takes "
                             "another way: wait until that has ended, or "
                             "migration-cancel %s", link->name, link->name);
        }
    }
    return NULL;
}

/* Gives 'link' the way 'plan' in place of what it has. */
static void
replace_way(struct ctl_context *ctx, const struct xfrec_link *link,
            const struct xf_plan *plan)
{
    int64_t generation = xf_plan_next_generation(ctx->idl, link);

    claim_vlans(ctx->idl);
    xf_plan_remove(ctx->idl, link, XF_PLAN_ALL);
    xf_plan_insert(ctx->txn, link, generation, plan);
    xfrec_link_set_generation(link, generation);
}

/* ---- Ways of what has changed. ---- */

/* Makes the way of 'link', unless the one it has is what it would get. */
static char * OVS_WARN_UNUSED_RESULT
wire_link(struct ctl_context *ctx, struct xf_plan_session *session,
          const struct xfrec_link *link)
{
    struct xf_plan plan;
    char *error = NULL;

    if (has_changed(&link->header_)) {
        error = xf_plan_check_path(session, link);
    }
    if (!error) {
        error = xf_plan_link(session, link, NULL, NULL, &plan);
        if (error) {
            xf_plan_session_set_wired(session, true);
            free(error);
            error = xf_plan_link(session, link, NULL, NULL, &plan);
            xf_plan_session_set_wired(session, false);
        }
    }
    if (error) {
        return error;
    }
    if (xf_plan_differs(ctx->idl, link, link->generation, &plan)) {
        error = check_still(ctx->idl, link);
        if (!error) {
            replace_way(ctx, link, &plan);
        }
    }
    xf_plan_destroy(&plan);
    return error;
}

/* Makes ways as they have to be after the commands of this call. */
char *
xf_wire(struct ctl_context *ctx)
{
    const struct xf_kind *kind = xf_kind_find("link");
    struct xf_plan_session *session = NULL;
    char *error = NULL;
    xf_row **rows;
    size_t n;

    if (hmapx_is_empty(&changed) && !trunks_changed) {
        return NULL;
    }
    rows = xf_rows_sorted(ctx->idl, kind, &n);
    for (size_t i = 0; i < n && !error; i++) {
        const struct xfrec_link *link
            = CONTAINER_OF(rows[i], struct xfrec_link, header_);

        if (!is_affected(link)) {
            continue;
        } else if (!is_placed(link)) {
            if (has_hops(ctx->idl, link)) {
                error = check_still(ctx->idl, link);
                if (!error) {
                    xf_plan_remove(ctx->idl, link, XF_PLAN_ALL);
                }
            }
        } else if (has_changed(&link->header_)
                   || !xf_plan_is_whole(ctx->idl, link)) {
            if (!session) {
                session = xf_plan_session_create(ctx->idl, time_wall_msec());
            }
            error = wire_link(ctx, session, link);
        }
    }
    free(rows);
    xf_plan_session_destroy(session);
    return error;
}

/* Whether rows that are about to be removed can be spared; 'gone' has them. */
char *
xf_link_check_removal(struct ovsdb_idl *idl, const struct hmapx *gone)
{
    struct hmapx_node *node;

    HMAPX_FOR_EACH (node, gone) {
        const struct ovsdb_idl_row *row = node->data;

        if (row->table->class_ == &xfrec_table_link) {
            const struct xfrec_link *link
                = CONTAINER_OF(row, struct xfrec_link, header_);
            char *error = check_still(idl, link);

            if (error) {
                return error;
            }
        }
    }
    return NULL;
}

/* Whether 'port' of 'hop' is the edge port where the link ends. */
static bool
is_edge(const struct xfrec_hop *hop, const char *port)
{
    const struct xfrec_edge_port *edge = hop->link->edge;

    return edge && edge->host == hop->host && !strcmp(edge->port, port);
}

/* A VLAN that is about to become that of a segment, or of an edge port of 'host'
 * (NULL: of all hosts): a sentence if a link has it there. */
char *
xf_link_check_vlan(struct ovsdb_idl *idl, int64_t vlan, xf_row *host)
{
    const struct xfrec_link *first = NULL;
    const struct xfrec_hop *hop;

    if (vlan) {
        claim_vlans(idl);
    }
    XFREC_HOP_FOR_EACH (hop, idl) {
        bool is_side1 = hop->vlan1 == vlan && !is_edge(hop, hop->port1);
        bool is_side2 = hop->vlan2 == vlan && !is_edge(hop, hop->port2);

        if (vlan && (is_side1 || is_side2)
            && (!host || host == &hop->host->header_)
            && (!first || strcmp(hop->link->name, first->name) < 0)) {
            first = hop->link;  /* The same one each time. */
        }
    }
    return (!first ? NULL
            : xasprintf("link '%s' has vlan %"PRId64"%s%s: choose another, "
                        "best a low one, since links take theirs from 4094 "
                        "down", first->name, vlan, host ? " in host " : "",
                        host ? xf_string_get(host, &xfrec_host_col_name)
                        : ""));
}

/* ---- link-plan ---- */

static const struct xfrec_link *
find_link(struct ctl_context *ctx, const char *name)
{
    xf_row *row;

    ctx->error = xf_object_get(ctx, xf_kind_find("link"), name, &row);
    return ctx->error ? NULL : CONTAINER_OF(row, struct xfrec_link, header_);
}

static char * OVS_WARN_UNUSED_RESULT
plan_again(struct ctl_context *ctx, struct xf_plan_session *session,
           const struct xfrec_link *link)
{
    struct xf_plan plan;
    char *error = check_still(ctx->idl, link);

    error = error ? error : xf_plan_link(session, link, NULL, NULL, &plan);
    if (error) {
        return error;
    }
    ds_put_format(&ctx->output, "link %s: ", link->name);
    if (xf_plan_differs(ctx->idl, link, link->generation, &plan)) {
        replace_way(ctx, link, &plan);
        ds_put_format(&ctx->output, "generation %"PRId64" by",
                      link->generation);
    } else {
        ds_put_cstr(&ctx->output, "stays on");
    }
    for (size_t i = 0; i < plan.n; i++) {
        ds_put_format(&ctx->output, " %s", plan.hops[i].host->name);
    }
    ds_put_char(&ctx->output, '\n');
    xf_plan_destroy(&plan);
    return NULL;
}

/* Links whose ways aren't up; says of which there is no other way. */
static void
plan_failed(struct ctl_context *ctx, struct xf_plan_session *session)
{
    size_t n;
    xf_row **rows = xf_rows_sorted(ctx->idl, xf_kind_find("link"), &n);

    for (size_t i = 0; i < n; i++) {
        const struct xfrec_link *link
            = CONTAINER_OF(rows[i], struct xfrec_link, header_);

        if (is_placed(link) && !xf_plan_is_up(session, link)) {
            char *error = plan_again(ctx, session, link);

            if (error) {
                ds_put_format(&ctx->output, "%s\n", error);
                free(error);
            }
        }
    }
    free(rows);
}

static void
cmd_link_plan(struct ctl_context *ctx)
{
    struct xf_plan_session *session
        = xf_plan_session_create(ctx->idl, time_wall_msec());

    if (ctx->argc == 1) {
        plan_failed(ctx, session);
    }
    for (int i = 1; i < ctx->argc && !ctx->error; i++) {
        const struct xfrec_link *link = find_link(ctx, ctx->argv[i]);

        if (link) {
            ctx->error = plan_again(ctx, session, link);
        }
    }
    xf_plan_session_destroy(session);
}

/* ---- Showing. ---- */

/* Whether 'host' says that the way in use is proven. */
static bool
is_proven_at(struct ovsdb_idl *idl, const struct xfrec_link *link,
             const struct xfrec_host *host)
{
    const struct xfrec_link_state *state;

    XFREC_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &link->header_.uuid)
            && !strcmp(state->host, host->name)
            && state->generation >= link->generation) {
            return state->proven;
        }
    }
    return false;
}

static void
put_error(struct ovsdb_idl *idl, const struct xfrec_link *link,
          struct json *json)
{
    const struct xfrec_link_state *state, *first = NULL;

    XFREC_LINK_STATE_FOR_EACH (state, idl) {
        if (uuid_equals(&state->link, &link->header_.uuid)
            && state->error[0]
            && (!first || strcmp(state->host, first->host) < 0)) {
            first = state;
        }
    }
    if (first) {
        json_object_put_string(json, "state", "broken");
        json_object_put_format(json, "error", "host %s: %s", first->host,
                               first->error);
    }
}

static void
put_hop(struct json *array, const struct xfrec_link *link,
        const struct xfrec_hop *hop)
{
    struct json *json = json_object_create();

    json_object_put_string(json, "name", hop->host->name);
    json_object_put_format(json, "sides", "%s/%"PRId64" %s/%"PRId64,
                           hop->port1, hop->vlan1, hop->port2, hop->vlan2);
    if (hop->generation != link->generation
        || hop->position >= XF_PLAN_TRANSFER) {
        json_object_put_format(json, "of", "(%sgeneration %"PRId64")",
                               hop->position >= XF_PLAN_TRANSFER
                               ? "transfer, " : "", hop->generation);
    }
    json_array_add(array, json);
}

/* Its hops, those in use first, then those of other generations. */
static struct json *
hops_to_json(struct ovsdb_idl *idl, const struct xfrec_link *link)
{
    struct json *array = json_array_create_empty();
    size_t n;
    const struct xfrec_hop **hops = xf_plan_hops(idl, link, -1, &n);

    for (int others = 0; others < 2; others++) {
        for (size_t i = 0; i < n; i++) {
            if ((hops[i]->generation != link->generation) == others) {
                put_hop(array, link, hops[i]);
            }
        }
    }
    free(hops);
    return array;
}

/* Link 'link' as a member of a tree; with 'whole', also its way. */
struct json *
xf_link_to_json(struct ovsdb_idl *idl, const struct xfrec_link *link,
                bool whole)
{
    const struct xf_kind *kind = xf_kind_find("link");
    struct json *json = json_object_create();
    struct ds ends = DS_EMPTY_INITIALIZER;
    size_t n;
    const struct xfrec_hop **hops = xf_plan_hops(idl, link, link->generation,
                                                 &n);

    json_object_put_string(json, "name", link->name);
    xf_key_get(idl, &link->header_, &kind->keys[0], &ends);
    ds_put_char(&ends, ' ');
    xf_key_get(idl, &link->header_, &kind->keys[1], &ends);
    json_object_put_string(json, "ends", ds_cstr(&ends));
    ds_destroy(&ends);
    if (n) {
        bool proven = true;

        for (size_t i = 0; i < n; i++) {
            if (!hops[i]->position || i + 1 == n
                || hops[i + 1]->position >= XF_PLAN_TRANSFER) {
                proven = proven && is_proven_at(idl, link, hops[i]->host);
            }
        }
        json_object_put_string(json, "state",
                               proven ? "proven" : "not proven");
    } else if (is_placed(link)) {
        json_object_put_string(json, "state", "no way");
    }
    put_error(idl, link, json);
    free(hops);
    if (whole) {
        json_object_put_format(json, "way", "generation %"PRId64", %s",
                               link->generation, link->policy);
        if (link->bandwidth) {
            json_object_put_format(json, "bandwidth", "%"PRId64" bit/s",
                                   link->bandwidth);
        }
        json_object_put(json, "hops", hops_to_json(idl, link));
    }
    return json;
}

static void
cmd_link_show(struct ctl_context *ctx)
{
    struct json *json = json_object_create();
    struct json *array = json_array_create_empty();
    size_t n;
    xf_row **rows = xf_rows_sorted(ctx->idl, xf_kind_find("link"), &n);
    const struct xfrec_link *only
        = ctx->argc > 1 ? find_link(ctx, ctx->argv[1]) : NULL;

    for (size_t i = 0; i < n && !ctx->error; i++) {
        const struct xfrec_link *link
            = CONTAINER_OF(rows[i], struct xfrec_link, header_);

        if (!only || only == link) {
            json_array_add(array, xf_link_to_json(ctx->idl, link, true));
        }
    }
    free(rows);
    json_object_put(json, "links", array);
    if (!ctx->error) {
        xf_tree_put(&ctx->output, json, "links", "link");
    }
    json_destroy(json);
}

void
xf_link_commands_register(void)
{
    static const struct ctl_command_syntax commands[] = {
        { "link-show", 0, 1, "[LINK]", xf_pre_all, cmd_link_show, NULL, "",
          RO },
        { "link-plan", 0, INT_MAX, "[LINK]...", xf_pre_all, cmd_link_plan, NULL,
          "", RW },
        { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
    };

    ctl_register_commands(commands);
}
