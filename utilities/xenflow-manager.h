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

#ifndef XENFLOW_MANAGER_H
#define XENFLOW_MANAGER_H 1

/* xenflow-manager: coordinates migrations.
 * ========================================
 *
 * What.  Takes rows of Migration from stage "planned" to their end, as the state
 * machine in core/migration says, and repairs what is left over.  The contract
 * with switches and hosts is Documentation/topics/migration.rst.
 *
 *   xenflow-manager.c         options, commands, main loop
 *   xenflow-manager-run.c     connection, lock, one transaction at a time
 *   xenflow-manager-see.c     rows -> what the state machine sees
 *   xenflow-manager-write.c   its actions -> rows
 *   xenflow-manager-repair.c  leftovers; links over cables that have failed
 *   xenflow-openflow.c        plain OpenFlow switches as hops
 *   xenflow-check.c           reasons against a migration (shared with xfctl)
 *   xenflow-plan.c            ways of links (shared with xfctl)
 *
 * Shape.  There is one transaction at a time, each is one step of one migration.
 * It verifies the rows that the step was decided on, and asserts the lock
 * "xenflow_manager": nothing happens if either has changed.
 *
 * Invariant.  Nothing but clocks and numbers that hosts are to acknowledge lives
 * here alone; who takes a migration over begins with a new number.
 *
 * Cost.  Each change of the database looks at all rows of states once per
 * migration under way.  At most ENDED_MAX ended migrations are kept.
 *
 * Threads: one. */

#include <stdbool.h>
#include <stdint.h>

#include "core/migration.h"
#include "openvswitch/hmap.h"
#include "openvswitch/uuid.h"
#include "xenflow-ext/xenflow-idl.h"

struct ds;
struct json;
struct ovsdb_idl;
struct ovsdb_idl_txn;
struct sset;
struct xf_openflow;

/* A migration that hasn't ended. */
struct manager_move {
    struct hmap_node node;      /* In 'moves' of struct manager, by 'uuid'. */
    struct uuid uuid;           /* Of the row. */
    bool present;               /* The row is there. */
    struct xf_migration m;      /* State machine; its time is time_msec(). */
    int64_t awaited;            /* Number that hosts are to acknowledge; 0: not
                                 * taken over yet. */
    char *waits;                /* What is waited for, or NULL. */
    int percent;
    long long int reported_ms;  /* When progress was last written. */
};

struct manager {
    struct ovsdb_idl *idl;
    char *name;                 /* For Migration:coordinator. */
    struct hmap moves;          /* Of struct manager_move. */
    struct xf_openflow *openflow; /* Plain switches. */
    unsigned int openflow_seqno; /* Of these, when last looked at. */

    /* The transaction under way, if 'txn'. */
    struct ovsdb_idl_txn *txn;
    struct uuid txn_move;       /* Whose step it is; zeros: a repair. */
    enum xf_migration_stage txn_stage; /* The stage after it. */
    bool txn_raises;            /* XF_Global:cfg. */
    long long int again_ms;     /* Not before: after one that failed. */

    unsigned int seqno;         /* Of the IDL when nothing was left to do. */
    long long int next_ms;      /* When something may be due all the same. */
    long long int cables_ms;    /* Not before: other ways for links over cables
                                 * that are down. */
};

/* xenflow-manager-run.c */
struct manager *manager_create(const char *remote, const char *name);
void manager_destroy(struct manager *);
void manager_run(struct manager *);
void manager_wait(struct manager *);
void manager_format(const struct manager *, struct ds *);
struct json *manager_to_json(const struct manager *);

/* xenflow-manager-see.c: strings that 'seen' refers to. */
struct manager_view {
    struct xf_migration_seen seen;
    char *refusal, *late, *unproven;
};
void manager_see(const struct manager *, const struct xfrec_migration *,
                 const struct manager_move *, struct manager_view *);
void manager_view_uninit(struct manager_view *);
const struct xfrec_migration_state *
manager_state_of(struct ovsdb_idl *, const struct xfrec_migration *,
                 const struct xfrec_host *);
bool manager_link_is_laid(struct ovsdb_idl *, const struct xfrec_link *);
/* The links of a migration; to be freed. */
const struct xfrec_link **manager_links(struct ovsdb_idl *,
                                        const struct xfrec_migration *,
                                        size_t *n);
/* The newest generation that 'link' has hops of. */
int64_t manager_newest(struct ovsdb_idl *, const struct xfrec_link *);

/* xenflow-manager-write.c */
void manager_adopt(const struct manager *, const struct xfrec_migration *);
char *manager_write(const struct manager *, const struct xfrec_migration *,
                    enum xf_migration_action, const char *why)
    OVS_WARN_UNUSED_RESULT;
bool manager_report(const struct manager *, const struct xfrec_migration *,
                    const struct manager_move *);
void manager_take_down(const struct manager *, const struct xfrec_link *);

/* xenflow-manager-repair.c: finds what is to be repaired, of which one thing
 * is written into a transaction; good until the database next runs. */
struct manager_repair {
    const struct xfrec_router *router; /* Has a lock or a destination. */
    const struct xfrec_link *unused; /* Has hops that aren't in use. */
    const struct xfrec_migration *old; /* A record too many. */
    const struct xfrec_link *broken; /* Is to take another way. */
    const struct xfrec_physical_link *cable; /* Which is down. */
};
bool manager_find_repair(struct manager *, struct manager_repair *);
void manager_repair(const struct manager *, const struct manager_repair *);

#endif /* xenflow-manager.h */
