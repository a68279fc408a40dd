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

/* One router: what is wanted, what its domain is, and what to do next.  See
 * xenflow-hostd.h.
 *
 * Restart policy: a machine that ended by itself is started again as
 * Router:restart says, the first time at once, then after 1, 2, 4, ... 60
 * seconds; an operation that failed is tried again after the same times.  A
 * minute's life makes failures forgotten. */

#include <config.h>

#include "xenflow-hostd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_join_router);

#define DELAY_MIN_MS 1000
#define DELAY_MAX_MS 60000
#define HEALTHY_MS 60000        /* A life of that length forgets failures. */

/* ---- Finding. ---- */

struct join_router *
join_router_find(const struct join *j, const struct uuid *uuid)
{
    struct join_router *r;

    HMAP_FOR_EACH_WITH_HASH (r, node, uuid_hash(uuid), &j->routers) {
        if (uuid_equals(&r->uuid, uuid)) {
            return r;
        }
    }
    return NULL;
}

const struct xfrec_router *
join_router_any_row(const struct join *j, const struct uuid *uuid)
{
    const struct xfrec_router *row = xfrec_router_get_for_uuid(j->xf.idl,
                                                               uuid);

    /* A row that isn't monitored any more is still found while another, of
     * Migration, refers to it; nothing may be read of it. */
    return row && row->header_.old_datum ? row : NULL;
}

const struct xfrec_router *
join_router_row(const struct join *j, const struct uuid *uuid)
{
    const struct xfrec_router *row = join_router_any_row(j, uuid);

    return row && j->me && row->host == j->me ? row : NULL;
}

const struct xfrec_router_state *
join_router_state(const struct join *j, const struct uuid *uuid)
{
    struct xfrec_router_state *key =
        xfrec_router_state_index_init_row(j->states);
    const struct xfrec_router_state *state, *found = NULL;

    xfrec_router_state_index_set_router(key, *uuid);
    XFREC_ROUTER_STATE_FOR_EACH_EQUAL (state, key, j->states) {
        if (!strcmp(state->host, j->name)) {
            found = state;
        }
    }
    xfrec_router_state_index_destroy_row(key);
    return found;
}

struct xf_domain *
join_router_domain(const struct join *j, const struct join_router *r)
{
    struct xf_domain *d = (r->domain ? xf_domains_find(j->domains, r->domain)
                           : NULL);

    return (d && uuid_equals(&xf_domain_get_config(d)->uuid, &r->uuid)
            ? d : NULL);
}

void
join_router_dirty(struct join *j, struct join_router *r)
{
    if (ovs_list_is_empty(&r->dirty)) {
        ovs_list_push_back(&j->dirty, &r->dirty);
    }
}

void
join_router_unwritten(struct join *j, struct join_router *r)
{
    if (ovs_list_is_empty(&r->unwritten)) {
        ovs_list_push_back(&j->unwritten, &r->unwritten);
    }
}

/* ---- Making and removing. ---- */

struct join_router *
join_router_add(struct join *j, const struct uuid *uuid)
{
    struct join_router *r = xzalloc(sizeof *r);

    r->uuid = *uuid;
    r->state = XF_DOMAIN_ABSENT;
    ovs_list_init(&r->dirty);
    ovs_list_init(&r->unwritten);
    hmap_insert(&j->routers, &r->node, uuid_hash(uuid));
    return r;
}

void
join_router_free(struct join *j, struct join_router *r)
{
    ovs_list_remove(&r->dirty);
    ovs_list_remove(&r->unwritten);
    hmap_remove(&j->routers, &r->node);
    free(r->domain);
    free(r->failure);
    free(r->refusal);
    free(r->warning);
    free(r);
}

/* Replaces '*sentence' by 'new' (takes ownership), which may be NULL. */
static void
say(struct join *j, struct join_router *r, char **sentence, char *new)
{
    if (!nullable_string_is_equal(*sentence, new)) {
        join_router_unwritten(j, r);
    }
    free(*sentence);
    *sentence = new;
}

/* ---- What its machine does. ---- */

static long long int
delay_ms(unsigned int n_failures)
{
    return (!n_failures ? 0
            : n_failures > 6 ? DELAY_MAX_MS
            : MIN(DELAY_MAX_MS, DELAY_MIN_MS << (n_failures - 1)));
}

/* Nothing is begun for a while that grows with each failure. */
static void
back_off(struct join_router *r, long long int now_ms)
{
    if (r->running_ms && now_ms - r->running_ms >= HEALTHY_MS) {
        r->n_failures = 0;
    }
    r->running_ms = 0;
    r->due_ms = (r->n_failures ? now_ms + delay_ms(r->n_failures) : 0);
    r->n_failures++;
}

/* The machine ended without us. */
static void
ended(struct join *j, struct join_router *r, const char *name,
      const struct xf_domain_status *status, long long int now_ms)
{
    const struct xfrec_router *row = join_router_row(j, &r->uuid);
    bool crashed = status->state == XF_DOMAIN_CRASHED;
    char *object = xasprintf("router %s", name);

    if (!row || strcmp(row->state, "running")) {
        /* It isn't wanted: so much the better. */
    } else if (!strcmp(row->restart, "always")
               || (crashed && !strcmp(row->restart, "on-failure"))) {
        back_off(r, now_ms);
        r->n_restarts++;
        say(j, r, &r->failure, xasprintf(
            "its machine ended: %s", status->reason ? status->reason
            : status->error ? status->error : "it crashed"));
        join_event(j, "warning", object, "%s; it is started again",
                   r->failure);
    } else {
        r->resting = true;
        say(j, r, &r->failure, xasprintf(
            "its machine ended (%s) and isn't started again (restart=%s): "
            "xfctl vm-restart %s does that", status->reason ? status->reason
            : "it crashed", row->restart, row->name));
        join_event(j, crashed ? "error" : "info", object, "%s", r->failure);
    }
    free(object);
}

/* An operation that we began has ended. */
static void
op_ended(struct join *j, struct join_router *r, const char *name,
         const struct xf_domain_status *status, long long int now_ms)
{
    r->op_begun = false;
    if (status->error) {
        char *object = xasprintf("router %s", name);

        back_off(r, now_ms);
        say(j, r, &r->failure, xasprintf(
            "%s failed: %s", xf_domain_op_to_string(status->last_op),
            status->error));
        join_event(j, "error", object, "%s", r->failure);
        free(object);
    } else if (status->state != XF_DOMAIN_RUNNING) {
        r->running_ms = 0;
    } else {
        r->running_ms = now_ms;
        say(j, r, &r->failure, NULL);
    }
}

/* The management tap is there: gives it the host's address. */
void
join_router_set_addresses(struct join_router *r, const struct xf_domain *d)
{
    struct join_place place;
    int error;

    join_place_init(&place, &r->uuid);
    error = xf_domain_set_host_address(d, place.tap, place.host_mac,
                                       place.host_ip, htonl(UINT32_MAX << 2));
    if (error) {
        VLOG_WARN("%s: tap %s can't be given its address (%s): the router "
                  "won't tell its routes", xf_domain_get_config(d)->name,
                  place.tap, ovs_strerror(error));
    }
    r->can_be_heard = !error;
}

void
join_router_observe(struct join *j, struct join_router *r,
                    struct xf_domain *d, long long int now_ms)
{
    const char *name = xf_domain_get_config(d)->name;
    struct xf_domain_status status;

    xf_domain_get_status(d, &status);
    join_router_unwritten(j, r);
    join_router_dirty(j, r);
    if (status.op != XF_DOMAIN_OP_NONE || !r->recalled) {
        return;
    }
    if (r->op_begun) {
        op_ended(j, r, name, &status, now_ms);
    }
    if (join_moves_owns(j, &r->uuid)) {
        /* Its end isn't one by itself. */
    } else if ((status.state == XF_DOMAIN_CRASHED
         || (status.state == XF_DOMAIN_STOPPED && status.reason))
        && (status.state != r->state || status.n_crashes != r->n_crashes)) {
        ended(j, r, name, &status, now_ms);
    }
    if (status.state == XF_DOMAIN_RUNNING && r->state != status.state) {
        join_router_set_addresses(r, d);
    }
    r->state = status.state;
    r->n_crashes = status.n_crashes;
    if (status.state == XF_DOMAIN_ABSENT) {
        struct join_router *other;

        /* Another router may wait for the name. */
        HMAP_FOR_EACH (other, node, &j->routers) {
            if (!other->domain) {
                join_router_dirty(j, other);
            }
        }
        free(r->domain);
        r->domain = NULL;
        r->can_be_heard = false;
    }
}

/* Takes what a predecessor of this process left: its words in the database,
 * and a domain. */
static void
recall(struct join *j, struct join_router *r, long long int now_ms)
{
    const struct xfrec_router_state *state = join_router_state(j, &r->uuid);
    const struct xfrec_router *row = join_router_any_row(j, &r->uuid);
    struct xf_domain **domains = xf_domains_sorted(j->domains);
    size_t n = xf_domains_count(j->domains);

    r->recalled = true;
    r->boot = state ? state->boot : row ? row->boot : 0;
    r->n_restarts = state ? state->restarts : 0;
    for (size_t i = 0; i < n; i++) {
        const struct xf_domain_config *config =
            xf_domain_get_config(domains[i]);

        if (uuid_equals(&config->uuid, &r->uuid)) {
            r->domain = xstrdup(config->name);
            /* A suspended machine believes that it's still connected. */
            r->can_be_heard = join_ports_is_heard(j, config->name);
            join_router_observe(j, r, domains[i], now_ms);
        }
    }
    free(domains);
}

/* ---- One step. ---- */

static void
begin(struct join *j, struct join_router *r, struct xf_domain *d,
      enum xf_domain_op op, long long int now_ms)
{
    char *error;

    if (r->due_ms) {
        /* While it waits after a failure, that is all there is to say. */
        r->settled = r->failure != NULL;
        return;
    }
    r->op_begun = true;
    error = xf_domain_begin(d, op, now_ms);
    if (error) {
        r->op_begun = false;
        back_off(r, now_ms);
        say(j, r, &r->failure, error);
    }
}

/* What 'row' wants its machine to be. */
static const char *
wanted_state(const struct join *j, const struct xfrec_router *row)
{
    return !strcmp(j->me->power, "on") ? row->state : "stopped";
}

static bool
is_wanted(const struct join *j, const struct xfrec_router *row,
          const char *state)
{
    return !strcmp(wanted_state(j, row), state);
}

static void
step_to_running(struct join *j, struct join_router *r, struct xf_domain *d,
                enum xf_domain_state state, long long int now_ms)
{
    bool is_down = state == XF_DOMAIN_STOPPED || state == XF_DOMAIN_CRASHED;

    if (state == XF_DOMAIN_RUNNING || (is_down && r->resting)) {
        r->settled = true;
    } else {
        begin(j, r, d, state == XF_DOMAIN_SUSPENDED ? XF_DOMAIN_OP_RESTORE
              : XF_DOMAIN_OP_START, now_ms);
    }
}

static void
step_domain(struct join *j, struct join_router *r, struct xf_domain *d,
            const struct xfrec_router *row, long long int now_ms)
{
    struct xf_domain_status status;
    bool is_up;

    xf_domain_get_status(d, &status);
    is_up = (status.state == XF_DOMAIN_RUNNING
             || status.state == XF_DOMAIN_PAUSED);
    if (is_wanted(j, row, "running")) {
        step_to_running(j, r, d, status.state, now_ms);
        return;
    }
    r->resting = false;
    if (is_wanted(j, row, "suspended") && is_up) {
        begin(j, r, d, XF_DOMAIN_OP_SUSPEND, now_ms);
    } else if (is_wanted(j, row, "stopped")
               && status.state != XF_DOMAIN_STOPPED) {
        begin(j, r, d, XF_DOMAIN_OP_STOP, now_ms);
    } else {
        r->settled = true;
        say(j, r, &r->failure, is_wanted(j, row, "suspended")
            && status.state != XF_DOMAIN_SUSPENDED
            ? xstrdup("its machine doesn't run: there is nothing to suspend")
            : NULL);
    }
}

/* Whether both describe the same machine; where it is placed may differ. */
static bool
is_same(const struct xf_domain_config *a, const struct xf_domain_config *b)
{
    struct json *ja = xf_domain_config_to_json(a);
    struct json *jb = xf_domain_config_to_json(b);
    bool same;

    json_object_put(ja, "numa", json_integer_create(0));
    json_object_put(jb, "numa", json_integer_create(0));
    same = json_equal(ja, jb);
    json_destroy(ja);
    json_destroy(jb);
    return same;
}

/* Makes the domain of 'config' (takes over what is in it). */
static void
create(struct join *j, struct join_router *r, struct xf_domain_config *config,
       long long int now_ms)
{
    struct xf_domain *d;
    char *warning, *error;

    if (!join_router_state(j, &r->uuid)) {
        join_router_unwritten(j, r);    /* First we say that we have it. */
        return;
    }
    if (r->due_ms) {
        r->settled = r->failure != NULL;
        return;
    }
    warning = join_host_place(j, config->name, config, &config->numa_node);
    if (warning && !nullable_string_is_equal(warning, r->warning)) {
        char *object = xasprintf("router %s", config->name);

        join_event(j, "warning", object, "%s", warning);
        free(object);
    }
    free(r->warning);
    r->warning = warning;
    error = xf_domains_create(j->domains, config, &d);
    if (error) {
        back_off(r, now_ms);
        say(j, r, &r->failure, error);
        r->settled = true;
        return;
    }
    r->domain = xstrdup(xf_domain_get_config(d)->name);
    if (!r->resting) {
        say(j, r, &r->failure, NULL);
    }
}

/* Its domain 'd' (NULL: none) isn't made of what the rows say now ('config');
 * takes over what is in 'config'.  Returns true if it can be as it is. */
static bool
step_config(struct join *j, struct join_router *r, struct xf_domain *d,
            struct xf_domain_config *config, long long int now_ms)
{
    struct xf_domain_status status;

    if (!d) {
        create(j, r, config, now_ms);
        return false;
    }
    xf_domain_get_status(d, &status);
    if (is_same(config, xf_domain_get_config(d))) {
        say(j, r, &r->refusal, NULL);
    } else if (status.state == XF_DOMAIN_STOPPED
               || status.state == XF_DOMAIN_CRASHED) {
        say(j, r, &r->refusal, NULL);
        begin(j, r, d, XF_DOMAIN_OP_DESTROY, now_ms);
        return false;
    } else {
        say(j, r, &r->refusal, xasprintf(
            "its machine was made of older rows: xfctl vm-restart %s gives it "
            "the present ones", config->name));
    }
    return true;
}

/* The operator asked for a restart: stops it, the rest follows.  Returns true
 * if that is under way. */
static bool
step_boot(struct join *j, struct join_router *r, struct xf_domain *d,
          const struct xfrec_router *row, long long int now_ms)
{
    struct xf_domain_status status;

    if (row->boot == r->boot) {
        return false;
    }
    r->boot = row->boot;
    r->resting = false;
    r->n_failures = 0;
    r->due_ms = 0;
    join_router_unwritten(j, r);
    if (!d) {
        return false;
    }
    xf_domain_get_status(d, &status);
    if (is_wanted(j, row, "running") && (status.state == XF_DOMAIN_RUNNING
                                         || status.state == XF_DOMAIN_PAUSED
                                         || status.state
                                            == XF_DOMAIN_SUSPENDED)) {
        begin(j, r, d, XF_DOMAIN_OP_STOP, now_ms);
        return r->op_begun;
    }
    return false;
}

static void
step_wanted(struct join *j, struct join_router *r, struct xf_domain *d,
            const struct xfrec_router *row, long long int now_ms)
{
    struct xf_domain_config config;
    bool can_go_on = true;
    char *error;

    if (step_boot(j, r, d, row, now_ms)) {
        return;
    }
    error = join_guest_config(j, row, &config);
    if (error) {
        can_go_on = d != NULL;
        r->settled = true;
        say(j, r, &r->refusal, error);
    } else {
        if (!d) {
            say(j, r, &r->refusal, NULL);
        }
        can_go_on = step_config(j, r, d, &config, now_ms);
        xf_domain_config_uninit(&config);
    }
    if (can_go_on) {
        step_domain(j, r, d, row, now_ms);
    } else if (!d && r->domain) {
        join_router_dirty(j, r);
        step_domain(j, r, join_router_domain(j, r), row, now_ms);
    }
}

/* Domain 'd' may be in the middle of a move of which there is no row any more:
 * no word of the other host will come.  Returns true if that is to end first. */
static bool
step_left_over(struct join *j, struct join_router *r, struct xf_domain *d,
               long long int now_ms)
{
    struct xf_move_status move;
    char *error = NULL;

    xf_domain_get_move(d, &move);
    if (move.phase == XF_MOVE_NONE || join_moves_has(j, &r->uuid)) {
        return false;
    } else if (move.phase == XF_MOVE_TAKEN) {
        xf_domain_settle(d);
        return false;
    } else if (r->due_ms) {
        return true;
    } else if (move.phase < XF_MOVE_GIVEN) {
        error = xf_domain_take_back(d, "its migration is gone", now_ms);
    } else if (join_router_state(j, &r->uuid)
               && (move.phase != XF_MOVE_GIVEN
                   || !join_router_row(j, &r->uuid))) {
        /* One given away that is to be here still may be all there is. */
        error = xf_domain_drop(d, now_ms);
    }
    if (error) {
        back_off(r, now_ms);
        say(j, r, &r->failure, error);
    }
    return true;
}

void
join_router_step(struct join *j, struct join_router *r, long long int now_ms)
{
    const struct xfrec_router *row = join_router_row(j, &r->uuid);
    struct xf_domain_status status;
    struct xf_domain *d;

    if (!r->recalled) {
        recall(j, r, now_ms);
    }
    d = join_router_domain(j, r);
    r->settled = false;
    if (join_moves_owns(j, &r->uuid)) {
        /* An operation of its domain that waits is no reason to wait: what the
         * coordinator waits for is in Migration_State. */
        r->settled = true;
        if (!join_router_state(j, &r->uuid)) {
            join_router_unwritten(j, r);
        }
        return;
    }
    if (d) {
        if (step_left_over(j, r, d, now_ms)) {
            return;
        }
        xf_domain_get_status(d, &status);
        if (status.op != XF_DOMAIN_OP_NONE) {
            return;
        }
    }
    if (row && strcmp(row->backend, "none")) {
        step_wanted(j, r, d, row, now_ms);
    } else if (d && (row || join_router_state(j, &r->uuid))) {
        begin(j, r, d, XF_DOMAIN_OP_DESTROY, now_ms);
    } else if (row) {
        r->settled = true;
        r->boot = row->boot;
        say(j, r, &r->refusal, NULL);
        say(j, r, &r->failure, NULL);
        join_router_unwritten(j, r);
    } else if (join_router_state(j, &r->uuid)) {
        join_router_unwritten(j, r);    /* Which removes the state. */
        join_router_dirty(j, r);
    } else {
        join_router_free(j, r);
    }
}

/* ---- Router_State. ---- */

static const char *
state_text(const struct join *j, const struct xfrec_router *row,
           struct xf_domain *d, bool is_moving)
{
    static const char *const texts[] = {
        [XF_DOMAIN_ABSENT] = "absent",
        [XF_DOMAIN_STARTING] = "creating",
        [XF_DOMAIN_RUNNING] = "running",
        [XF_DOMAIN_PAUSED] = "suspended",
        [XF_DOMAIN_SUSPENDED] = "suspended",
        [XF_DOMAIN_STOPPED] = "stopped",
        [XF_DOMAIN_CRASHED] = "crashed",
    };
    struct xf_domain_status status;
    struct xf_move_status move;

    if (d) {
        xf_domain_get_status(d, &status);
        xf_domain_get_move(d, &move);
        return (move.phase != XF_MOVE_NONE && move.phase != XF_MOVE_TAKEN
                ? "migrating" : texts[status.state]);
    }
    return (is_moving ? "migrating"
            : !row ? "absent"
            : !strcmp(row->backend, "none") ? wanted_state(j, row)
            : "creating");
}

void
join_router_write(struct join *j, struct join_router *r)
{
    const struct xfrec_router_state *state = join_router_state(j, &r->uuid);
    const struct xfrec_router *row = join_router_row(j, &r->uuid);
    struct xf_domain *d = join_router_domain(j, r);
    struct ds error = DS_EMPTY_INITIALIZER;

    if (!row && !d && !join_moves_is_here(j, &r->uuid)) {
        if (state) {
            xfrec_router_state_delete(state);
        }
        return;
    }
    if (!state) {
        struct xfrec_router_state *new;

        new = xfrec_router_state_insert(j->xf.txn);
        xfrec_router_state_set_host(new, j->name);
        xfrec_router_state_set_router(new, r->uuid);
        state = new;
    }
    ds_put_format(&error, "%s%s%s", r->refusal ? r->refusal : "",
                  r->refusal && r->failure ? "; " : "",
                  r->failure ? r->failure : "");
    if (error.length && row) {
        struct ds named = DS_EMPTY_INITIALIZER;

        ds_put_format(&named, "router %s: %s", row->name, ds_cstr(&error));
        ds_swap(&named, &error);
        ds_destroy(&named);
    }
    xfrec_router_state_set_state(state, r->refusal && !d ? "absent"
                                 : state_text(j, row, d,
                                              join_moves_owns(j, &r->uuid)));
    xfrec_router_state_set_boot(state, r->boot);
    xfrec_router_state_set_restarts(state, r->n_restarts);
    xfrec_router_state_set_error(state, ds_cstr(&error));
    ds_destroy(&error);
}
