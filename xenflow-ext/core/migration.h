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

#ifndef XF_CORE_MIGRATION_H
#define XF_CORE_MIGRATION_H 1

/* What a migration's coordinator does next.
 * =========================================
 *
 * What.  A virtual router moves from host A to host B, or a virtual link to
 * another way, in stages (Documentation/topics/migration.rst).  This is the
 * state machine: (stage, what the rows say, time) -> the next transaction.  It
 * does nothing itself.
 *
 * Why so.  All that counts is in the database, so a coordinator that is killed
 * between any two transactions is continued by another one, which knows no more
 * than the rows say.  The only things a coordinator remembers are clocks; one
 * that takes over begins to count anew.
 *
 * Shape.  Each action is one transaction.  Where hosts have to answer, the
 * transaction raises XF_Global:cfg, and 'acked' says that all hosts concerned
 * have carried out that number.
 *
 *     planned -> LAY -> prewire -> MOVE -> moving -> FLIP -> flipping -> DRAIN
 *        |                 |                  |                            |
 *        |                 `---- UNDO --------'                         draining
 *        |                        |    \                                   |
 *        |                    undoing   `-> FLIP: it runs at B           CLEAR
 *     REFUSE                      | CLEAR                                  |
 *        |                      UNDONE                                  FINISH
 *     failed                    undone                                   done
 *
 * A link has no machine: prewire goes to flipping.  An object that is gone ends
 * in failed after CLEAR, from each stage.
 *
 * Invariants.  FLIP only if the machine runs at B.  CLEAR removes what isn't in
 * use: before the flip the new way, after it the old one; in undoing only when
 * the machine runs at A and nothing of it is left at B, in draining only when all
 * switches have acknowledged the flip.  An end is reached only when nothing is
 * left.  From flipping on it only goes forward.
 *
 * Threads: pure functions. */

#include <stdbool.h>

#include "openvswitch/compiler.h"

/* In the order of column Migration:stage. */
enum xf_migration_stage {
    XF_MIGRATION_NONE,          /* A host has said nothing yet. */
    XF_MIGRATION_PLANNED,       /* Wanted; nothing has changed. */
    XF_MIGRATION_PREWIRE,       /* The new way is built and proven. */
    XF_MIGRATION_MOVING,        /* The machine moves. */
    XF_MIGRATION_FLIPPING,      /* The new way is put to use. */
    XF_MIGRATION_DRAINING,      /* The old way empties, then goes. */
    XF_MIGRATION_DONE,          /* End: it is at B, whole. */
    XF_MIGRATION_FAILED,        /* End: refused, or its object is gone. */
    XF_MIGRATION_UNDOING,       /* The new way is taken back. */
    XF_MIGRATION_UNDONE,        /* End: it is at A, whole. */
    XF_MIGRATION_N_STAGES
};

/* A transaction. */
enum xf_migration_action {
    XF_MIGRATION_WAIT,          /* None: something else has to happen first. */
    XF_MIGRATION_REFUSE,        /* stage failed, lock open. */
    XF_MIGRATION_LAY,           /* New hops, destination = B, stage prewire. */
    XF_MIGRATION_MOVE,          /* Stage moving. */
    XF_MIGRATION_FLIP,          /* New generations in use, host = B,
                                 * destination = A, stage flipping. */
    XF_MIGRATION_DRAIN,         /* Stage draining. */
    XF_MIGRATION_CLEAR,         /* Hops that aren't in use go; destination
                                 * empty.  The stage stays. */
    XF_MIGRATION_FINISH,        /* Stage done, lock open. */
    XF_MIGRATION_UNDO,          /* Stage undoing. */
    XF_MIGRATION_GIVE_UP,       /* Stage undone, lock open. */
    XF_MIGRATION_N_ACTIONS
};

/* Time limits, in milliseconds. */
#define XF_MIGRATION_PREWIRE_MS 60000   /* From prewire to undoing. */
#define XF_MIGRATION_MOVING_MS 120000   /* Without progress, to undoing. */
#define XF_MIGRATION_DRAIN_MS 500       /* What is under way on the old way.  Our
                                         * switches acknowledge the flip only
                                         * when that is empty; others don't
                                         * know. */

/* What a host says of the migration. */
struct xf_migration_host {
    enum xf_migration_stage stage; /* Migration_State:stage, or NONE. */
    bool acked;                 /* Has carried out the transaction's number. */
    bool has_machine;           /* Has a domain or a Router_State of R. */
    bool is_out;                /* An operator took it out: disabled, or off.
                                 * Nobody waits for it. */
    int progress;               /* Percent of the stage it is in. */
    const char *error;          /* Why it can't go on, or NULL. */
};

/* What the rows say.  Strings are sentences of the caller's, which keeps them. */
struct xf_migration_seen {
    bool is_link;               /* A link without a router. */
    bool is_native;             /* No table to copy, and no transfer. */
    bool cancelled;             /* An operator wants it undone. */
    bool is_gone;               /* The router or the link was removed. */
    bool is_laid;               /* Hops that aren't in use, or a destination. */
    bool in_step;               /* Table_State of B. */
    bool proven;                /* All new ways; the transfer, too. */
    bool acked;                 /* All hosts concerned. */
    const char *refusal;        /* PLANNED: why it can't be, or NULL. */
    const char *late;           /* Not 'acked': which hosts. */
    const char *unproven;       /* Not 'proven': which links. */
    const char *table;          /* Not 'in_step': what B says of it. */
    struct xf_migration_host a; /* Source. */
    struct xf_migration_host b; /* Destination. */
};

/* The machine.  A coordinator that takes over initialises it anew. */
struct xf_migration {
    enum xf_migration_stage stage; /* As in the row. */
    long long int entered_ms;   /* When this coordinator saw it first. */
    long long int moved_ms;     /* When the machine's progress last grew. */
    int progress;               /* MOVING: the hosts' percentage then. */
};

/* Puts 'm' into 'stage', as the row says, at 'now_ms'. */
void xf_migration_enter(struct xf_migration *, enum xf_migration_stage,
                        long long int now_ms);

/* Returns the next transaction.  '*why' becomes a sentence that the caller
 * frees: with WAIT what is waited for; with REFUSE, UNDO and GIVE_UP the reason
 * (NULL: the row has it already); else NULL.  After the transaction has been
 * committed the caller calls xf_migration_enter() with
 * xf_migration_next(). */
enum xf_migration_action xf_migration_run(struct xf_migration *,
                                          const struct xf_migration_seen *,
                                          long long int now_ms, char **why)
    OVS_WARN_UNUSED_RESULT;

/* The stage after 'action' in 'stage'. */
enum xf_migration_stage xf_migration_next(enum xf_migration_stage,
                                          enum xf_migration_action);

/* When xf_migration_run() has to be called again if nothing happens;
 * LLONG_MAX: not at all. */
long long int xf_migration_timeout(const struct xf_migration *);

/* Percent of the whole. */
int xf_migration_percent(const struct xf_migration *,
                         const struct xf_migration_seen *);

bool xf_migration_is_ended(enum xf_migration_stage);
const char *xf_migration_stage_to_string(enum xf_migration_stage);
/* NONE if there is no stage of that name. */
enum xf_migration_stage xf_migration_stage_from_string(const char *);
const char *xf_migration_action_to_string(enum xf_migration_action);

#endif /* core/migration.h */
