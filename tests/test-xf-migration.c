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

/* core/migration: transcripts, and a random walk.
 *
 *   test-xf-migration script < SCRIPT
 *   test-xf-migration walk SEED WALKS
 *
 * Lines of a script: "enter STAGE"; "time MS" (from now); "run" (prints what
 * comes out and carries it out); else "KEY [VALUE]" of what the rows say.
 *
 * In the walk there are four hosts: A, B, one that both ways have in common, and
 * one on the new way alone.  Hosts and coordinators die and come back, the
 * machine fails, an operator cancels, at any point; what has to hold always is
 * checked after each step. */

#include <config.h>

#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/migration.h"
#include "util.h"

/* ---- Transcripts. ---- */

struct script {
    struct xf_migration m;
    struct xf_migration_seen seen;
    long long int now_ms;
};

static void
set_string(const char **p, const char *value)
{
    free(CONST_CAST(char *, *p));
    *p = value[0] ? xstrdup(value) : NULL;
}

static bool
set_host(struct xf_migration_host *host, const char *key, const char *value)
{
    if (!strcmp(key, "stage")) {
        host->stage = xf_migration_stage_from_string(value);
    } else if (!strcmp(key, "acked")) {
        host->acked = atoi(value);
    } else if (!strcmp(key, "machine")) {
        host->has_machine = atoi(value);
    } else if (!strcmp(key, "out")) {
        host->is_out = atoi(value);
    } else if (!strcmp(key, "progress")) {
        host->progress = atoi(value);
    } else if (!strcmp(key, "error")) {
        set_string(&host->error, value);
    } else {
        return false;
    }
    return true;
}

static bool
set_seen(struct xf_migration_seen *seen, const char *key, const char *value)
{
    const struct {
        const char *key;
        bool *flag;
    } flags[] = {
        { "link", &seen->is_link }, { "native", &seen->is_native },
        { "cancelled", &seen->cancelled }, { "gone", &seen->is_gone },
        { "laid", &seen->is_laid }, { "in-step", &seen->in_step },
        { "proven", &seen->proven }, { "acked", &seen->acked },
    };
    const struct {
        const char *key;
        const char **string;
    } strings[] = {
        { "refusal", &seen->refusal }, { "late", &seen->late },
        { "unproven", &seen->unproven }, { "table", &seen->table },
    };

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        if (!strcmp(key, flags[i].key)) {
            *flags[i].flag = atoi(value);
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
        if (!strcmp(key, strings[i].key)) {
            set_string(strings[i].string, value);
            return true;
        }
    }
    return (!strncmp(key, "a.", 2) ? set_host(&seen->a, key + 2, value)
            : !strncmp(key, "b.", 2) ? set_host(&seen->b, key + 2, value)
            : false);
}

static void
script_run(struct script *s)
{
    enum xf_migration_stage stage = s->m.stage;
    char *why;
    enum xf_migration_action action
        = xf_migration_run(&s->m, &s->seen, s->now_ms, &why);

    printf("  %lld ms, %s, %d %%: %s%s%s\n", s->now_ms,
           xf_migration_stage_to_string(stage),
           xf_migration_percent(&s->m, &s->seen),
           xf_migration_action_to_string(action), why ? ": " : "",
           why ? why : "");
    free(why);
    if (action == XF_MIGRATION_LAY || action == XF_MIGRATION_CLEAR) {
        s->seen.is_laid = action == XF_MIGRATION_LAY;
    }
    if (action != XF_MIGRATION_WAIT && action != XF_MIGRATION_CLEAR) {
        xf_migration_enter(&s->m, xf_migration_next(stage, action),
                           s->now_ms);
        s->seen.acked = false;
    }
}

static void
script(void)
{
    struct script s = { .now_ms = 0 };
    char line[256];

    xf_migration_enter(&s.m, XF_MIGRATION_PLANNED, 0);
    while (fgets(line, sizeof line, stdin)) {
        char *value, *save = NULL;
        char *key;

        line[strcspn(line, "\n")] = '\0';
        printf("%s\n", line);
        if (!line[0] || line[0] == '#') {
            continue;
        }
        key = strtok_r(line, " ", &save);
        value = save ? save : "";
        if (!strcmp(key, "enter")) {
            xf_migration_enter(&s.m, xf_migration_stage_from_string(value),
                               s.now_ms);
        } else if (!strcmp(key, "time")) {
            s.now_ms += atoi(value);
        } else if (!strcmp(key, "run")) {
            script_run(&s);
        } else if (!set_seen(&s.seen, key, value)) {
            ovs_fatal(0, "there is no key '%s'", key);
        }
    }
    set_string(&s.seen.refusal, "");
    set_string(&s.seen.late, "");
    set_string(&s.seen.unproven, "");
    set_string(&s.seen.table, "");
    set_string(&s.seen.a.error, "");
    set_string(&s.seen.b.error, "");
}

/* ---- Random walk. ---- */

enum { A, B, COMMON, NEW, N_HOSTS };

struct world {
    uint64_t random;

    /* Rows. */
    enum xf_migration_stage stage;
    bool is_link, is_native, cancelled, locked;
    bool old_hops, new_hops, new_in_use; /* The transfer goes with the new. */
    int host, destination;      /* A, B, or -1. */
    int cfg, flip_cfg;

    /* Hosts. */
    struct {
        bool alive;
        int cfg;                /* Acknowledged. */
        enum xf_migration_stage stage;
        bool failed;            /* Migration_State:error. */
        int progress;
    } hosts[N_HOSTS];
    bool in_step, proven;
    int machine;                /* Which host runs it. */
    bool promised;              /* A won't resume by itself. */
    bool a_has_machine;
    bool b_has_something;

    /* The coordinator. */
    struct xf_migration m;
    int awaited;                /* Number that hosts are to acknowledge. */
    long long int now_ms;
};

static unsigned int
chance(struct world *w, unsigned int n)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 20) % n;
}

static bool
is_concerned(const struct world *w, int i)
{
    return !w->is_link || i >= COMMON;
}

static bool
all_acked(const struct world *w, int cfg)
{
    for (int i = 0; i < N_HOSTS; i++) {
        if (is_concerned(w, i) && w->hosts[i].cfg < cfg) {
            return false;
        }
    }
    return true;
}

static void
see_host(const struct world *w, int i, struct xf_migration_host *host)
{
    host->stage = w->hosts[i].stage;
    host->acked = w->hosts[i].cfg >= w->awaited;
    host->progress = w->hosts[i].progress;
    host->error = w->hosts[i].failed ? "it failed" : NULL;
    host->has_machine = i == A ? w->a_has_machine : w->b_has_something;
}

static void
see(const struct world *w, struct xf_migration_seen *seen)
{
    memset(seen, 0, sizeof *seen);
    seen->is_link = w->is_link;
    seen->is_native = w->is_native;
    seen->cancelled = w->cancelled;
    seen->is_laid = ((w->new_in_use ? w->old_hops : w->new_hops)
                     || w->destination >= 0);
    seen->in_step = w->in_step;
    seen->proven = w->proven;
    seen->acked = all_acked(w, w->awaited);
    see_host(w, A, &seen->a);
    see_host(w, B, &seen->b);
}

/* An action to rows, with what has to hold for it. */
static void
carry_out(struct world *w, enum xf_migration_action action)
{
    switch (action) {
    case XF_MIGRATION_LAY:
        assert(!w->new_hops && !w->new_in_use);
        w->new_hops = true;
        w->destination = w->is_link ? -1 : B;
        break;
    case XF_MIGRATION_MOVE:
        assert(!w->is_link && w->proven && (w->in_step || w->is_native));
        break;
    case XF_MIGRATION_FLIP:
        assert(w->new_hops && w->old_hops && !w->new_in_use);
        assert(w->is_link || (w->machine == B && !w->promised));
        w->new_in_use = true;
        if (!w->is_link) {
            w->host = B;
            w->destination = A;
        }
        w->flip_cfg = w->cfg + 1;
        break;
    case XF_MIGRATION_CLEAR:
        if (w->new_in_use) {
            assert(w->stage == XF_MIGRATION_DRAINING
                   && all_acked(w, w->flip_cfg));
            w->old_hops = false;
        } else {
            assert(w->stage == XF_MIGRATION_UNDOING);
            assert(w->machine == A && !w->promised && !w->b_has_something);
            w->new_hops = false;
        }
        w->destination = -1;
        break;
    case XF_MIGRATION_FINISH:
    case XF_MIGRATION_GIVE_UP:
    case XF_MIGRATION_REFUSE:
        w->locked = false;
        break;
    case XF_MIGRATION_WAIT:
        return;
    case XF_MIGRATION_DRAIN:
        assert(all_acked(w, w->flip_cfg));
        break;
    case XF_MIGRATION_UNDO:
        assert(!w->new_in_use);
        break;
    case XF_MIGRATION_N_ACTIONS:
    default:
        OVS_NOT_REACHED();
    }
    w->awaited = ++w->cfg;
}

static void
run_coordinator(struct world *w)
{
    struct xf_migration_seen seen;
    enum xf_migration_action action;
    enum xf_migration_stage stage = w->stage;
    char *why;

    see(w, &seen);
    action = xf_migration_run(&w->m, &seen, w->now_ms, &why);
    assert(action != XF_MIGRATION_WAIT || why
           || xf_migration_is_ended(stage));
    free(why);
    carry_out(w, action);
    w->stage = xf_migration_next(stage, action);
    if (w->stage != stage) {
        xf_migration_enter(&w->m, w->stage, w->now_ms);
    }
}

/* Another coordinator goes on from the rows. */
static void
take_over(struct world *w)
{
    if (!xf_migration_is_ended(w->stage)) {
        xf_migration_enter(&w->m, w->stage, w->now_ms);
        w->awaited = ++w->cfg;
    }
}

/* What hostd of A and B do with the machine, as rows say. */
static void
run_machine(struct world *w, bool may_fail)
{
    bool a = w->hosts[A].alive && w->hosts[A].cfg == w->cfg;
    bool b = w->hosts[B].alive && w->hosts[B].cfg == w->cfg;
    bool fails = may_fail && !chance(w, 6);

    if (w->promised) {
        if (w->hosts[B].alive && fails) {
            w->promised = false;    /* On disk: A may resume. */
            w->hosts[B].failed = true;
        } else if (w->hosts[B].alive) {
            w->promised = false;
            w->machine = B;
            w->hosts[B].stage = XF_MIGRATION_MOVING;
        }
    } else if (w->machine == B && a) {
        w->hosts[A].stage = XF_MIGRATION_MOVING;
        if (w->host == B && w->destination < 0) {
            w->a_has_machine = false;
        }
    } else if (w->stage == XF_MIGRATION_PREWIRE && b) {
        w->b_has_something = true;
        w->hosts[B].stage = XF_MIGRATION_PREWIRE;
        w->hosts[B].failed |= fails;
    } else if (w->stage == XF_MIGRATION_MOVING && a && b) {
        if (fails) {
            w->hosts[A].failed = true;
        } else if (w->hosts[A].progress < 100) {
            w->hosts[A].progress += 25;
        } else {
            w->promised = true;
        }
    } else if (w->stage == XF_MIGRATION_UNDOING && w->machine == A) {
        if (a) {
            w->hosts[A].stage = XF_MIGRATION_UNDONE;
        }
        if (b) {
            w->b_has_something = false;
            w->hosts[B].stage = XF_MIGRATION_UNDONE;
        }
    }
}

static void
step(struct world *w, bool may_fail)
{
    int i = chance(w, N_HOSTS);

    w->now_ms += chance(w, may_fail ? 20000 : 400);
    switch (chance(w, may_fail ? 10 : 6)) {
    case 0:
    case 1:
        run_coordinator(w);
        break;
    case 2:
    case 3:
        if (w->hosts[i].alive) {
            w->hosts[i].cfg = w->cfg;
        }
        break;
    case 4:
        if (!w->is_link) {
            run_machine(w, may_fail);
        }
        break;
    case 5:
        w->proven = w->new_hops && all_acked(w, w->cfg) && !w->promised;
        w->in_step = w->destination == B && w->hosts[B].alive;
        break;
    case 6:
        w->hosts[i].alive = !w->hosts[i].alive;
        break;
    case 7:
        take_over(w);
        break;
    case 8:
        w->cancelled = w->cancelled || !chance(w, 10);
        break;
    default:
        break;
    }
}

static void
check(const struct world *w)
{
    assert(w->new_in_use ? w->new_hops : w->old_hops);
    assert(w->is_link || w->machine == B || !w->new_in_use);
    assert(w->machine == A || w->b_has_something);
    assert(w->machine == B || w->a_has_machine);
    assert(w->locked == !xf_migration_is_ended(w->stage));
    if (xf_migration_is_ended(w->stage)) {
        assert(w->new_hops != w->old_hops && w->destination < 0);
        assert(w->is_link || w->host == w->machine);
        assert(!w->promised);
        assert(w->new_in_use == (w->stage == XF_MIGRATION_DONE));
    }
}

static void
walk(uint64_t seed, int ends[])
{
    struct world w = {
        .random = seed * 2654435761u + 88172645463325252ull,
        .stage = XF_MIGRATION_PLANNED, .locked = true, .old_hops = true,
        .host = A, .destination = -1, .machine = A, .a_has_machine = true,
    };
    int n = chance(&w, 300);

    w.is_link = !chance(&w, 5);
    w.is_native = !chance(&w, 4);
    for (int i = 0; i < N_HOSTS; i++) {
        w.hosts[i].alive = true;
    }
    xf_migration_enter(&w.m, w.stage, 0);
    for (int i = 0; i < n; i++) {
        step(&w, true);
        check(&w);
    }
    for (int i = 0; i < N_HOSTS; i++) {
        w.hosts[i].alive = true;
    }
    for (int i = 0; i < 20000 && !xf_migration_is_ended(w.stage); i++) {
        step(&w, false);
        check(&w);
    }
    if (!xf_migration_is_ended(w.stage)) {
        ovs_fatal(0, "seed %llu: it stays in %s", (unsigned long long) seed,
                  xf_migration_stage_to_string(w.stage));
    }
    ends[w.stage]++;
}

static void
walks(int first, int n)
{
    int ends[XF_MIGRATION_N_STAGES] = { 0 };

    for (int seed = first; seed < first + n; seed++) {
        fprintf(stderr, "seed %d\n", seed);
        walk(seed, ends);
    }
    for (int i = 0; i < XF_MIGRATION_N_STAGES; i++) {
        if (xf_migration_is_ended(i)) {
            printf("%s: %s\n", xf_migration_stage_to_string(i),
                   ends[i] > n / 50 ? "often" : "too rarely");
        }
    }
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    if (argc == 2 && !strcmp(argv[1], "script")) {
        script();
    } else if (argc == 4 && !strcmp(argv[1], "walk")) {
        walks(atoi(argv[2]), atoi(argv[3]));
    } else {
        ovs_fatal(0, "usage: %s script | walk SEED WALKS", argv[0]);
    }
    return 0;
}
