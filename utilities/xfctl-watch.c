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
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "openvswitch/poll-loop.h"
#include "ovsdb-idl.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"
#include "xenflow-check.h"

/* Begins migrations one after the other, and waits for each.
 *
 * xenflow-manager does them; who stops waiting (a signal, a time-out) stops
 * nothing but what wasn't begun yet. */

#define STAGE_LEN 32            /* Of a stage's name, with its end. */
#define UNCLAIMED_MS 5000       /* Then no xenflow-manager seems to run. */

/* What is to be moved. */
struct job {
    char *name;                 /* Of a router or link. */
    char *to;                   /* Hosts, with commas; "": any.  NULL: a
                                 * link. */
    char *technique;
};

static struct job *jobs;
static size_t n_jobs, allocated_jobs;
static bool wanted;             /* There is something to be done. */
static bool no_wait;
static char *emptied;           /* A host that is evacuated, or NULL. */
static bool power_off;          /* It is switched off then. */

/* For the signal's handler. */
static char farewell[256];

void
xf_watch_begin(bool no_wait_)
{
    for (size_t i = 0; i < n_jobs; i++) {
        free(jobs[i].name);
        free(jobs[i].to);
        free(jobs[i].technique);
    }
    n_jobs = 0;
    no_wait = no_wait_;
    free(emptied);
    emptied = NULL;
    wanted = false;
}

static void
add_job(const char *name, const char *to, const char *technique)
{
    struct job *job;

    if (n_jobs >= allocated_jobs) {
        jobs = x2nrealloc(jobs, &allocated_jobs, sizeof *jobs);
    }
    job = &jobs[n_jobs++];
    job->name = xstrdup(name);
    job->to = nullable_xstrdup(to);
    job->technique = xstrdup(technique);
    wanted = true;
}

void
xf_watch_router(const char *name, const char *to, const char *technique)
{
    add_job(name, to, technique);
}

void
xf_watch_link(const char *name)
{
    add_job(name, NULL, "separated");
}

void
xf_watch_host(const char *name, bool power_off_)
{
    free(emptied);
    emptied = xstrdup(name);
    power_off = power_off_;
    wanted = true;
}

bool
xf_watch_is_wanted(void)
{
    return wanted;
}

/* ---- Where to. ---- */

static size_t
count_routers(struct ovsdb_idl *idl, const struct xfrec_host *host)
{
    const struct xfrec_router *router;
    size_t n = 0;

    XFREC_ROUTER_FOR_EACH (router, idl) {
        n += router->host == host || router->destination == host;
    }
    return n;
}

/* A sentence about one of 'names' that no host has, or NULL. */
static char *
find_unknown(struct ovsdb_idl *idl, const struct svec *names)
{
    for (size_t i = 0; i < names->n; i++) {
        const struct xfrec_host *host;
        bool found = false;

        XFREC_HOST_FOR_EACH (host, idl) {
            found = found || !strcmp(host->name, names->names[i]);
        }
        if (!found) {
            return xasprintf("there is no host '%s': see host-list",
                             names->names[i]);
        }
    }
    return NULL;
}

struct candidate {
    const struct xfrec_host *host;
    size_t n_routers;
};

static int
compare_candidates(const void *a_, const void *b_)
{
    const struct candidate *a = a_, *b = b_;

    return (a->n_routers < b->n_routers ? -1
            : a->n_routers > b->n_routers ? 1
            : strcmp(a->host->name, b->host->name));
}

/* Hosts of 'names' (none: any) where 'router' isn't, those with the fewest
 * routers first; to be freed. */
static struct candidate *
find_candidates(struct ovsdb_idl *idl, const struct xfrec_router *router,
                const struct svec *names, size_t *n)
{
    struct candidate *candidates = NULL;
    const struct xfrec_host *host;
    size_t allocated = 0;

    *n = 0;
    XFREC_HOST_FOR_EACH (host, idl) {
        if (host == router->host || strcmp(host->kind, "xenflow")
            || (names->n && !svec_contains(names, host->name))) {
            continue;
        }
        if (*n >= allocated) {
            candidates = x2nrealloc(candidates, &allocated,
                                    sizeof *candidates);
        }
        candidates[*n].host = host;
        candidates[(*n)++].n_routers = count_routers(idl, host);
    }
    if (*n) {
        qsort(candidates, *n, sizeof *candidates, compare_candidates);
    }
    return candidates;
}

/* Whether 'router' can move to 'host'; if not, the first reason goes to
 * 'reasons'.  Ways, which cost most, come last. */
static bool
is_possible(struct ovsdb_idl *idl, const struct xfrec_router *router,
            const struct xfrec_host *host, struct svec *reasons)
{
    const char *technique = xf_check_technique(router);
    struct svec against = SVEC_EMPTY_INITIALIZER;
    long long int now_ms = time_wall_msec();
    bool possible;

    xf_check_router_place(idl, router, host, technique, NULL, now_ms,
                          &against);
    if (!against.n) {
        xf_check_router_move(idl, router, host, technique, NULL, now_ms,
                             &against);
    }
    possible = !against.n;
    if (!possible) {
        svec_add(reasons, against.names[0]);
    }
    svec_destroy(&against);
    return possible;
}

/* Chooses that host of 'to' (names with commas; NULL or "": any) for 'router'
 * that has the fewest routers of those that nothing speaks against.  Returns a
 * sentence if there is none. */
char *
xf_watch_choose(struct ovsdb_idl *idl, const struct xfrec_router *router,
                const char *to, const struct xfrec_host **best)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;
    struct svec reasons = SVEC_EMPTY_INITIALIZER;
    struct candidate *candidates;
    char *error = NULL;
    size_t n;

    *best = NULL;
    for (const char *p = to ? to : ""; *p; ) {
        size_t len = strcspn(p, ",");

        svec_add_nocopy(&names, xmemdup0(p, len));
        p += len + (p[len] == ',');
    }
    svec_sort_unique(&names);
    error = find_unknown(idl, &names);
    candidates = find_candidates(idl, router, &names, &n);
    for (size_t i = 0; i < n && !error && !*best; i++) {
        if (is_possible(idl, router, candidates[i].host, &reasons)) {
            *best = candidates[i].host;
        }
    }
    if (!*best && !error) {
        svec_sort_unique(&reasons);
        char *list = svec_join(&reasons, "\n  ", "");
        error = xasprintf("there is no host for router '%s'%s%s",
                          router->name, reasons.n ? ":\n  " : "", list);
        free(list);
    }
    free(candidates);
    svec_destroy(&names);
    svec_destroy(&reasons);
    return error;
}

/* ---- Begin. ---- */

static const struct xfrec_router *
find_router(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_router *router;

    XFREC_ROUTER_FOR_EACH (router, idl) {
        if (!strcmp(router->name, name)) {
            return router;
        }
    }
    return NULL;
}

static const struct xfrec_link *
find_link(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_link *link;

    XFREC_LINK_FOR_EACH (link, idl) {
        if (!strcmp(link->name, name)) {
            return link;
        }
    }
    return NULL;
}

static void
insert_router(struct ovsdb_idl *idl, const struct job *job,
              struct xfrec_migration *row)
{
    const struct xfrec_router *router = find_router(idl, job->name);
    const struct xfrec_host *to;
    char *error;

    if (!router) {
        ctl_fatal("there is no router '%s' any more", job->name);
    }
    error = xf_watch_choose(idl, router, job->to, &to);
    if (error) {
        ctl_fatal("%s", error);
    }
    xfrec_router_verify_migration(router);
    xfrec_router_verify_host(router);
    xfrec_router_set_migration(router, row);
    xfrec_migration_set_router(row, router);
    xfrec_migration_set_source(row, router->host);
    xfrec_migration_set_destination(row, to);
}

/* Writes the row that begins it, into 'txn'. */
static struct xfrec_migration *
insert_job(struct ovsdb_idl *idl, struct ovsdb_idl_txn *txn,
           const struct job *job)
{
    struct xfrec_migration *row = xfrec_migration_insert(txn);

    xfrec_migration_set_name(row, job->name);
    xfrec_migration_set_technique(row, job->technique);
    xfrec_migration_set_stage(row, "planned");
    xfrec_migration_set_coordinator(row, "none");
    xfrec_migration_set_begun_ms(row, time_wall_msec());
    if (job->to) {
        insert_router(idl, job, row);
    } else {
        const struct xfrec_link *link = find_link(idl, job->name);

        if (!link) {
            ctl_fatal("there is no link '%s' any more", job->name);
        }
        xfrec_migration_set_link(row, link);
    }
    return row;
}

/* Fails if 'emptied' has a router, or gets one. */
static void
check_empty(struct ovsdb_idl *idl)
{
    const struct xfrec_router *router;

    XFREC_ROUTER_FOR_EACH (router, idl) {
        if ((router->host && !strcmp(router->host->name, emptied))
            || (router->destination
                && !strcmp(router->destination->name, emptied))) {
            ctl_fatal("host '%s' isn't empty: router '%s' has come there "
                      "meanwhile; give the command again to move that, too",
                      emptied, router->name);
        }
    }
}

/* Switches 'emptied' off, if it still is empty when that is committed. */
static void
set_power_off(struct ovsdb_idl *idl)
{
    const struct xfrec_router *router;
    const struct xfrec_host *host;

    check_empty(idl);
    XFREC_ROUTER_FOR_EACH (router, idl) {
        xfrec_router_verify_host(router);
        xfrec_router_verify_destination(router);
    }
    XFREC_HOST_FOR_EACH (host, idl) {
        if (!strcmp(host->name, emptied)) {
            xfrec_host_set_power(host, "off");
        }
    }
}

/* Commits 'job' (NULL: host 'emptied' goes off); waits while others change the
 * database. */
static struct uuid
commit_job(struct ovsdb_idl *idl, const struct job *job)
{
    for (;;) {
        struct ovsdb_idl_txn *txn = ovsdb_idl_txn_create(idl);
        struct xfrec_migration *row = NULL;
        enum ovsdb_idl_txn_status status;
        struct uuid uuid = UUID_ZERO;

        ovsdb_idl_txn_add_comment(txn, "xfctl: migration");
        if (job) {
            row = insert_job(idl, txn, job);
            uuid = row->header_.uuid;
        } else {
            set_power_off(idl);
        }
        status = ovsdb_idl_txn_commit_block(txn);
        if (status == TXN_SUCCESS && row) {
            const struct uuid *real
                = ovsdb_idl_txn_get_insert_uuid(txn, &uuid);

            uuid = real ? *real : UUID_ZERO;
        }
        if (status != TXN_SUCCESS && status != TXN_UNCHANGED
            && status != TXN_TRY_AGAIN) {
            ctl_fatal("the database refused the transaction: %s",
                      ovsdb_idl_txn_get_error(txn));
        }
        ovsdb_idl_txn_destroy(txn);
        if (status != TXN_TRY_AGAIN) {
            return uuid;
        }
        xf_alive_or_die(idl);
    }
}

/* ---- Wait. ---- */

/* What is on the line of a terminal. */
static void
put_line(const struct xfrec_migration *row)
{
    const char *waits = smap_get(&row->external_ids, "waits");

    printf("\r\033[K%s: %s, %"PRId64" %%", row->name, row->stage,
           row->progress);
    if (row->n_memory_kb) {
        printf(", %"PRId64" MiB of memory", *row->memory_kb / 1024);
    }
    if (waits) {
        printf(" (%.60s)", waits);
    }
    fflush(stdout);
}

/* How far it is: one line on a terminal, else one per stage. */
static void
put_progress(const struct xfrec_migration *row, char stage[STAGE_LEN])
{
    if (xf_color) {
        put_line(row);
    } else if (strcmp(stage, row->stage)) {
        printf("%s: %s\n", row->name, row->stage);
        fflush(stdout);
    }
    ovs_strlcpy(stage, row->stage, STAGE_LEN);
}

static void
put_end(const struct xfrec_migration *row)
{
    if (xf_color) {
        printf("\r\033[K");
    }
    if (strcmp(row->stage, "done")) {
        fflush(stdout);
        ctl_fatal("%s wasn't moved: %s", row->name,
                  row->error[0] ? row->error : row->stage);
    }
    printf("%s moved", row->name);
    if (row->destination) {
        printf(" to %s", row->destination->name);
    }
    printf(" in %.3f s", (row->ended_ms - row->begun_ms) / 1000.0);
    if (row->n_suspended_ms) {
        printf(", machine suspended for %"PRId64" ms", *row->suspended_ms);
    }
    printf("\n");
    fflush(stdout);
}

static void
say_farewell(int signal_number)
{
    ssize_t n = write(STDERR_FILENO, farewell, strlen(farewell));

    _exit(n >= 0 ? 128 + signal_number : EXIT_FAILURE);
}

/* From now on a signal says what becomes of the migration of 'name'. */
static void
prepare_farewell(const char *name)
{
    struct sigaction action;

    snprintf(farewell, sizeof farewell,
             "\nxfctl: the migration goes on; \"xfctl migration-show %s\" shows "
             "it, \"xfctl migration-cancel %s\" undoes it\n", name, name);
    memset(&action, 0, sizeof action);
    action.sa_handler = say_farewell;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Waits until the migration has ended, or 'deadline_ms' (0: never); fails if it
 * failed. */
static void
watch_job(struct ovsdb_idl *idl, const struct uuid *uuid, const char *name,
          long long int deadline_ms)
{
    long long int claim_ms = time_msec() + UNCLAIMED_MS;
    char stage[STAGE_LEN] = "";

    for (;;) {
        const struct xfrec_migration *row;

        xf_alive_or_die(idl);
        row = xfrec_migration_get_for_uuid(idl, uuid);
        if (!row) {
            ctl_fatal("the record of the migration of '%s' was removed", name);
        } else if (xf_check_is_ended(row)) {
            put_end(row);
            break;
        }
        put_progress(row, stage);
        if (deadline_ms && time_msec() >= deadline_ms) {
            ctl_fatal("the migration of '%s' is %s, and goes on: "
                      "migration-show %s shows it", name, row->stage, name);
        }
        if (claim_ms && !strcmp(row->coordinator, "none")) {
            if (time_msec() >= claim_ms) {
                claim_ms = 0;
                fprintf(stderr, "xfctl: no xenflow-manager has taken it up yet: "
                        "start one\n");
            } else {
                poll_timer_wait_until(claim_ms);
            }
        }
        if (deadline_ms) {
            poll_timer_wait_until(deadline_ms);
        }
        ovsdb_idl_wait(idl);
        poll_block();
    }
}

/* Does all that was queued, one after the other. */
void
xf_watch_run(struct ovsdb_idl *idl, long long int deadline_ms)
{
    long long int begun_ms = time_msec();

    for (size_t i = 0; i < n_jobs; i++) {
        struct uuid uuid = commit_job(idl, &jobs[i]);

        prepare_farewell(jobs[i].name);
        if (!no_wait) {
            watch_job(idl, &uuid, jobs[i].name, deadline_ms);
        }
    }
    if (emptied) {
        check_empty(idl);
        printf("%s is empty: %"PRIuSIZE" routers moved in %.3f s\n", emptied,
               n_jobs, (time_msec() - begun_ms) / 1000.0);
        if (power_off) {
            commit_job(idl, NULL);
            printf("%s is switched off\n", emptied);
        }
        fflush(stdout);
    }
    xf_watch_begin(false);
    free(jobs);
}
