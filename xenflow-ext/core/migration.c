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

#include "core/migration.h"

#include <limits.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/util.h"
#include "util.h"

static const char *const stage_names[XF_MIGRATION_N_STAGES] = {
    "none", "planned", "prewire", "moving", "flipping", "draining", "done",
    "failed", "undoing", "undone",
};

static const char *const action_names[XF_MIGRATION_N_ACTIONS] = {
    "wait", "refuse", "lay", "move", "flip", "drain", "clear", "finish",
    "undo", "give-up",
};

void
xf_migration_enter(struct xf_migration *m, enum xf_migration_stage stage,
                   long long int now_ms)
{
    m->stage = stage;
    m->entered_ms = m->moved_ms = now_ms;
    m->progress = 0;
}

/* Appends ITEM to 'ds' as another thing that is waited for. */
static void
also(struct ds *ds, const char *item)
{
    ds_put_format(ds, "%s%s", ds->length ? "; " : "", item);
}

/* Steals the text; NULL if there is none. */
static char *
sentence(struct ds *ds)
{
    char *s = ds->length ? ds_steal_cstr(ds) : NULL;

    ds_destroy(ds);
    return s;
}

static enum xf_migration_action
undo(char **why, char *reason)
{
    *why = reason;
    return XF_MIGRATION_UNDO;
}

/* Waits for the hosts to acknowledge. */
static enum xf_migration_action
wait_for_hosts(const struct xf_migration_seen *seen, char **why)
{
    *why = xasprintf("not carried out yet by %s",
                     seen->late ? seen->late : "all hosts");
    return XF_MIGRATION_WAIT;
}

/* What keeps it from going on, as one of the two hosts says or an operator
 * wants, or NULL. */
static char *
find_error(const struct xf_migration_seen *seen)
{
    if (seen->b.is_out || seen->a.is_out) {
        return xasprintf("the %s was disabled or switched off",
                         seen->b.is_out ? "destination" : "source");
    } else if (seen->b.error) {
        return xasprintf("the destination says: %s", seen->b.error);
    }
    return (seen->a.error
            ? xasprintf("the source says: %s", seen->a.error) : NULL);
}

static enum xf_migration_action
run_planned(const struct xf_migration_seen *seen, char **why)
{
    if (seen->cancelled) {
        *why = xstrdup("cancelled before it began");
        return XF_MIGRATION_REFUSE;
    } else if (seen->refusal) {
        *why = xstrdup(seen->refusal);
        return XF_MIGRATION_REFUSE;
    }
    return XF_MIGRATION_LAY;
}

/* Whether the new way is complete; if not, what is missing. */
static char *
find_unready(const struct xf_migration_seen *seen)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (!seen->acked) {
        ds_put_format(&ds, "not carried out yet by %s",
                      seen->late ? seen->late : "all hosts");
    }
    if (!seen->proven) {
        char *s = xasprintf("no probe came back on %s",
                            seen->unproven ? seen->unproven : "a link");
        also(&ds, s);
        free(s);
    }
    if (!seen->is_link) {
        if (!seen->is_native && !seen->in_step) {
            char *s = xasprintf("the table isn't in step at the destination"
                                "%s%s", seen->table ? ": " : "",
                                seen->table ? seen->table : "");
            also(&ds, s);
            free(s);
        }
        if (seen->b.stage != XF_MIGRATION_PREWIRE) {
            also(&ds, "the destination isn't ready to receive the machine");
        }
    }
    return sentence(&ds);
}

static enum xf_migration_action
run_prewire(const struct xf_migration *m, const struct xf_migration_seen *seen,
            long long int now_ms, char **why)
{
    char *unready, *error;

    if (seen->cancelled) {
        return undo(why, xstrdup("cancelled"));
    }
    error = seen->is_link ? NULL : find_error(seen);
    if (error) {
        return undo(why, error);
    }
    unready = find_unready(seen);
    if (!unready) {
        return seen->is_link ? XF_MIGRATION_FLIP : XF_MIGRATION_MOVE;
    } else if (now_ms >= m->entered_ms + XF_MIGRATION_PREWIRE_MS) {
        char *reason = xasprintf("the new way wasn't ready in %d s: %s",
                                 XF_MIGRATION_PREWIRE_MS / 1000, unready);
        free(unready);
        return undo(why, reason);
    }
    *why = unready;
    return XF_MIGRATION_WAIT;
}

static enum xf_migration_action
run_moving(struct xf_migration *m, const struct xf_migration_seen *seen,
           long long int now_ms, char **why)
{
    int progress = seen->a.progress + seen->b.progress;
    char *error;

    if (seen->b.stage == XF_MIGRATION_MOVING) {
        return XF_MIGRATION_FLIP;
    } else if (seen->cancelled) {
        return undo(why, xstrdup("cancelled"));
    }
    error = find_error(seen);
    if (error) {
        return undo(why, error);
    }
    if (progress > m->progress) {
        m->progress = progress;
        m->moved_ms = now_ms;
    } else if (now_ms >= m->moved_ms + XF_MIGRATION_MOVING_MS) {
        return undo(why, xasprintf(
            "the machine made no progress for %d s%s%s",
            XF_MIGRATION_MOVING_MS / 1000, seen->late ? ": nothing is heard of "
            : "", seen->late ? seen->late : ""));
    }
    *why = xstrdup("the machine moves");
    return XF_MIGRATION_WAIT;
}

/* Whether 'host' has taken back what it did: it says so, or it never began, or
 * nobody expects it to. */
static bool
has_taken_back(const struct xf_migration_host *host)
{
    return (host->stage == XF_MIGRATION_UNDONE || host->is_out
            || (host->stage == XF_MIGRATION_NONE && host->acked));
}

static enum xf_migration_action
run_undoing(const struct xf_migration_seen *seen, char **why)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    if (!seen->is_laid) {
        return (seen->acked ? XF_MIGRATION_GIVE_UP
                : wait_for_hosts(seen, why));
    } else if (seen->is_link) {
        return XF_MIGRATION_CLEAR;
    } else if (seen->b.stage == XF_MIGRATION_MOVING && seen->b.acked
               && ((seen->a.stage == XF_MIGRATION_MOVING && seen->a.acked)
                   || seen->a.is_out)) {
        /* The machine has arrived: there is no way back. */
        return XF_MIGRATION_FLIP;
    } else if (has_taken_back(&seen->a) && has_taken_back(&seen->b)) {
        return XF_MIGRATION_CLEAR;
    }
    if (!has_taken_back(&seen->a)) {
        also(&ds, "the source hasn't said yet that the machine runs there");
    }
    if (!has_taken_back(&seen->b)) {
        also(&ds, "the destination hasn't said yet that nothing is left there");
    }
    if (seen->late) {
        char *s = xasprintf("not carried out yet by %s", seen->late);

        also(&ds, s);
        free(s);
    }
    *why = sentence(&ds);
    return XF_MIGRATION_WAIT;
}

static enum xf_migration_action
run_draining(const struct xf_migration *m,
             const struct xf_migration_seen *seen, long long int now_ms,
             char **why)
{
    if (seen->is_laid) {
        if (now_ms >= m->entered_ms + XF_MIGRATION_DRAIN_MS) {
            return XF_MIGRATION_CLEAR;
        }
        *why = xstrdup("the old way empties");
        return XF_MIGRATION_WAIT;
    } else if (!seen->acked) {
        return wait_for_hosts(seen, why);
    } else if (!seen->is_link && seen->a.has_machine && !seen->a.is_out) {
        *why = xstrdup("the source still has something of the machine");
        return XF_MIGRATION_WAIT;
    }
    return XF_MIGRATION_FINISH;
}

/* Its object was removed: the rest goes, and that's it. */
static enum xf_migration_action
run_gone(const struct xf_migration_seen *seen, char **why)
{
    if (seen->is_laid) {
        return XF_MIGRATION_CLEAR;
    }
    *why = xasprintf("the %s was removed", seen->is_link ? "link" : "router");
    return XF_MIGRATION_REFUSE;
}

enum xf_migration_action
xf_migration_run(struct xf_migration *m, const struct xf_migration_seen *seen,
                 long long int now_ms, char **why)
{
    *why = NULL;
    if (xf_migration_is_ended(m->stage)) {
        return XF_MIGRATION_WAIT;
    } else if (seen->is_gone) {
        return run_gone(seen, why);
    }

    switch (m->stage) {
    case XF_MIGRATION_PLANNED:
        return run_planned(seen, why);
    case XF_MIGRATION_PREWIRE:
        return run_prewire(m, seen, now_ms, why);
    case XF_MIGRATION_MOVING:
        return run_moving(m, seen, now_ms, why);
    case XF_MIGRATION_FLIPPING:
        return (seen->acked ? XF_MIGRATION_DRAIN
                : wait_for_hosts(seen, why));
    case XF_MIGRATION_DRAINING:
        return run_draining(m, seen, now_ms, why);
    case XF_MIGRATION_UNDOING:
        return run_undoing(seen, why);
    case XF_MIGRATION_NONE:
    case XF_MIGRATION_DONE:
    case XF_MIGRATION_FAILED:
    case XF_MIGRATION_UNDONE:
    case XF_MIGRATION_N_STAGES:
    default:
        return XF_MIGRATION_WAIT;
    }
}

enum xf_migration_stage
xf_migration_next(enum xf_migration_stage stage,
                  enum xf_migration_action action)
{
    switch (action) {
    case XF_MIGRATION_REFUSE:
        return XF_MIGRATION_FAILED;
    case XF_MIGRATION_LAY:
        return XF_MIGRATION_PREWIRE;
    case XF_MIGRATION_MOVE:
        return XF_MIGRATION_MOVING;
    case XF_MIGRATION_FLIP:
        return XF_MIGRATION_FLIPPING;
    case XF_MIGRATION_DRAIN:
        return XF_MIGRATION_DRAINING;
    case XF_MIGRATION_FINISH:
        return XF_MIGRATION_DONE;
    case XF_MIGRATION_UNDO:
        return XF_MIGRATION_UNDOING;
    case XF_MIGRATION_GIVE_UP:
        return XF_MIGRATION_UNDONE;
    case XF_MIGRATION_WAIT:
    case XF_MIGRATION_CLEAR:
    case XF_MIGRATION_N_ACTIONS:
    default:
        return stage;
    }
}

long long int
xf_migration_timeout(const struct xf_migration *m)
{
    switch (m->stage) {
    case XF_MIGRATION_PREWIRE:
        return m->entered_ms + XF_MIGRATION_PREWIRE_MS;
    case XF_MIGRATION_MOVING:
        return m->moved_ms + XF_MIGRATION_MOVING_MS;
    case XF_MIGRATION_DRAINING:
        return m->entered_ms + XF_MIGRATION_DRAIN_MS;
    case XF_MIGRATION_NONE:
    case XF_MIGRATION_PLANNED:
    case XF_MIGRATION_FLIPPING:
    case XF_MIGRATION_DONE:
    case XF_MIGRATION_FAILED:
    case XF_MIGRATION_UNDOING:
    case XF_MIGRATION_UNDONE:
    case XF_MIGRATION_N_STAGES:
    default:
        return LLONG_MAX;
    }
}

int
xf_migration_percent(const struct xf_migration *m,
                     const struct xf_migration_seen *seen)
{
    switch (m->stage) {
    case XF_MIGRATION_PREWIRE:
        return 5 + 5 * seen->acked + 5 * seen->proven + 5 * seen->in_step;
    case XF_MIGRATION_MOVING:
        return 20 + MAX(seen->a.progress, seen->b.progress) * 6 / 10;
    case XF_MIGRATION_FLIPPING:
        return 85;
    case XF_MIGRATION_DRAINING:
        return seen->is_laid ? 90 : 95;
    case XF_MIGRATION_DONE:
        return 100;
    case XF_MIGRATION_NONE:
    case XF_MIGRATION_PLANNED:
    case XF_MIGRATION_FAILED:
    case XF_MIGRATION_UNDOING:
    case XF_MIGRATION_UNDONE:
    case XF_MIGRATION_N_STAGES:
    default:
        return 0;
    }
}

bool
xf_migration_is_ended(enum xf_migration_stage stage)
{
    return (stage == XF_MIGRATION_DONE || stage == XF_MIGRATION_FAILED
            || stage == XF_MIGRATION_UNDONE);
}

const char *
xf_migration_stage_to_string(enum xf_migration_stage stage)
{
    return stage_names[stage];
}

enum xf_migration_stage
xf_migration_stage_from_string(const char *name)
{
    for (int i = 0; i < XF_MIGRATION_N_STAGES; i++) {
        if (!strcmp(name, stage_names[i])) {
            return i;
        }
    }
    return XF_MIGRATION_NONE;
}

const char *
xf_migration_action_to_string(enum xf_migration_action action)
{
    return action_names[action];
}
