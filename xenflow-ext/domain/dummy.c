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

/* A backend without machines, for tests and for many routers.
 *
 * Its script (configuration "script", or xf_domain_set_script()) is a list of
 * words:
 *     delay=MS        each of an operation's two steps takes so long (0)
 *     fail=OP         OP fails before it has done anything
 *     fail=OP:2       OP fails half way
 *     crash=MS        the machine crashes so long after it began to run
 *     crash           it crashes now, if it's running
 *     shutdown        it shuts itself down now, if it's running
 *     fail=send       its memory can't be read
 *     fail=send:2     the rest of it can't, when it stands still
 *     fail=receive    what it needs can't be made
 *     fail=receive:2  it can't go on when it's taken
 *
 * Its memory is a line with its UUID and how often it has moved, which is in
 * file "memory" too.
 *
 * The state is in file "state" of the domain's folder, so that it's there
 * again after a restart.  Half way an operation is lost, as a real one: a
 * start or a restore is back where it was, a stop or a suspend still runs. */

#include <config.h>
#include "domain/domain-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "uuid.h"

VLOG_DEFINE_THIS_MODULE(xf_dummy);

#define MS_MAX 3600000
#define STEPS 2
#define MEMORY_MAX 127

struct script {
    int delay_ms;
    int crash_ms;               /* 0: doesn't. */
    enum xf_domain_op fail_op;  /* XF_DOMAIN_OP_NONE: none. */
    int fail_step;
    bool crash, shutdown;       /* Now. */
};

struct dummy {
    struct xf_domain up;
    struct script script;
    enum xf_domain_op op;       /* In progress. */
    int step;                   /* Of 'op', from 1. */
    enum xf_domain_state before;    /* State when 'op' began. */
    long long int step_ms;      /* End of the step; 0: there is none. */
    long long int crash_ms;     /* When it crashes; LLONG_MAX: never. */
    char memory[MEMORY_MAX + 1];    /* That moves, so far. */
    size_t n_memory;            /* Bytes of it... */
    size_t n_read;              /* ...and those that were read. */
    bool all_written;
};

static struct dummy *
dummy_cast(const struct xf_domain *d)
{
    return CONTAINER_OF(d, struct dummy, up);
}

/* ---- The script. ---- */

/* Reads word "fail=" without that.  Returns false if it's wrong. */
static bool
parse_fail(char *s, struct script *script)
{
    char *step = strchr(s, ':');

    script->fail_step = 1;
    if (step) {
        *step++ = '\0';
        if (strcmp(step, "1") && strcmp(step, "2")) {
            return false;
        }
        script->fail_step = atoi(step);
    }
    return xf_domain_op_from_string(s, &script->fail_op);
}

static bool
parse_word(char *word, struct script *script)
{
    if (!strncmp(word, "fail=", 5)) {
        return parse_fail(word + 5, script);
    } else if (!strncmp(word, "delay=", 6)) {
        return str_to_int(word + 6, 10, &script->delay_ms)
               && script->delay_ms >= 0 && script->delay_ms <= MS_MAX;
    } else if (!strncmp(word, "crash=", 6)) {
        return str_to_int(word + 6, 10, &script->crash_ms)
               && script->crash_ms > 0 && script->crash_ms <= MS_MAX;
    } else if (!strcmp(word, "crash")) {
        script->crash = true;
    } else if (!strcmp(word, "shutdown")) {
        script->shutdown = true;
    } else {
        return false;
    }
    return true;
}

/* Returns NULL or a sentence. */
static char *
parse_script(const char *text, struct script *script)
{
    char *copy = xstrdup(text), *save = NULL, *error = NULL;

    memset(script, 0, sizeof *script);
    for (char *word = strtok_r(copy, " ", &save); word && !error;
         word = strtok_r(NULL, " ", &save)) {
        char *whole = xstrdup(word);

        if (!parse_word(word, script)) {
            error = xasprintf("script: '%.80s' isn't delay=MS, fail=OPERATION"
                              "[:2], crash=MS, crash or shutdown", whole);
        }
        free(whole);
    }
    free(copy);
    return error;
}

/* ---- State. ---- */

/* Moves to 'state' and keeps that. */
static void
keep(struct dummy *dummy, enum xf_domain_state state, long long int now_ms)
{
    char *path = xf_domain_path(&dummy->up, "state");
    int error = xf_domain_write_file(path, xf_domain_state_to_string(state));

    if (error) {
        VLOG_WARN("%s: can't be written (%s)", path, ovs_strerror(error));
    }
    free(path);
    dummy->crash_ms = (state == XF_DOMAIN_RUNNING && dummy->script.crash_ms
                       ? now_ms + dummy->script.crash_ms : LLONG_MAX);
}

static enum xf_domain_state
kept(const struct dummy *dummy)
{
    char *path = xf_domain_path(&dummy->up, "state");
    FILE *f = fopen(path, "r");
    char text[16] = "";
    enum xf_domain_state state = XF_DOMAIN_STOPPED;

    if (f) {
        text[fread(text, 1, sizeof text - 1, f)] = '\0';
        fclose(f);
    }
    for (int i = XF_DOMAIN_RUNNING; i <= XF_DOMAIN_CRASHED; i++) {
        if (!strcmp(text, xf_domain_state_to_string(i))) {
            state = i;
        }
    }
    free(path);
    return state;
}

/* ---- The backend. ---- */

static struct xf_domain *
dummy_alloc(const struct xf_domain_config *config)
{
    struct dummy *dummy = xzalloc(sizeof *dummy);

    free(parse_script(config->script, &dummy->script));
    dummy->crash_ms = LLONG_MAX;
    return &dummy->up;
}

static char *
dummy_check(const struct xf_domain_config *config)
{
    struct script script;

    return parse_script(config->script, &script);
}

static void
dummy_adopt(struct xf_domain *d, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);
    enum xf_domain_state state = kept(dummy);

    xf_domain_set_state(d, state, state == XF_DOMAIN_CRASHED
                        ? xstrdup("it had crashed before xenflow-hostd "
                                  "started") : NULL);
    keep(dummy, state, now_ms);
}

static void
dummy_close(struct xf_domain *d)
{
    free(dummy_cast(d));
}

static void
dummy_begin(struct xf_domain *d, enum xf_domain_op op, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);

    dummy->op = op;
    dummy->step = 1;
    dummy->before = d->state;
    dummy->step_ms = now_ms + dummy->script.delay_ms;
}

/* The step's time is over. */
static void
end_step(struct dummy *dummy, long long int now_ms)
{
    static const enum xf_domain_state results[] = {
        [XF_DOMAIN_OP_START] = XF_DOMAIN_RUNNING,
        [XF_DOMAIN_OP_STOP] = XF_DOMAIN_STOPPED,
        [XF_DOMAIN_OP_SUSPEND] = XF_DOMAIN_SUSPENDED,
        [XF_DOMAIN_OP_RESTORE] = XF_DOMAIN_RUNNING,
        [XF_DOMAIN_OP_DESTROY] = XF_DOMAIN_ABSENT,
    };
    /* What an operation leaves that fails in its second step. */
    static const enum xf_domain_state halves[] = {
        [XF_DOMAIN_OP_START] = XF_DOMAIN_STOPPED,
        [XF_DOMAIN_OP_STOP] = XF_DOMAIN_CRASHED,
        [XF_DOMAIN_OP_SUSPEND] = XF_DOMAIN_PAUSED,
        [XF_DOMAIN_OP_RESTORE] = XF_DOMAIN_PAUSED,
        [XF_DOMAIN_OP_DESTROY] = XF_DOMAIN_STOPPED,
    };
    enum xf_domain_op op = dummy->op;
    enum xf_domain_state state = results[op];
    char *error = NULL;

    if ((dummy->script.fail_op == op || dummy->script.fail_op == dummy->up.op)
        && dummy->script.fail_step == dummy->step) {
        error = xasprintf("step %d of %s fails as its script says",
                          dummy->step, xf_domain_op_to_string(op));
        state = (dummy->step == STEPS ? halves[op]
                 : dummy->before != XF_DOMAIN_STARTING ? dummy->before
                 : op == XF_DOMAIN_OP_RESTORE ? XF_DOMAIN_SUSPENDED
                 : XF_DOMAIN_STOPPED);
    } else if (dummy->step < STEPS) {
        dummy->step++;
        dummy->step_ms = now_ms + dummy->script.delay_ms;
        return;
    }
    dummy->op = XF_DOMAIN_OP_NONE;
    dummy->step_ms = 0;
    keep(dummy, state, now_ms);
    xf_domain_finish(&dummy->up, state, error);
}

static void move_run(struct dummy *, long long int now_ms);

static void
dummy_run(struct xf_domain *d, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);

    while (dummy->op != XF_DOMAIN_OP_NONE && now_ms >= dummy->step_ms) {
        end_step(dummy, now_ms);
    }
    move_run(dummy, now_ms);
    if (now_ms >= dummy->crash_ms && d->op == XF_DOMAIN_OP_NONE) {
        keep(dummy, XF_DOMAIN_CRASHED, now_ms);
        xf_domain_set_state(d, XF_DOMAIN_CRASHED,
                            xstrdup("its script says so"));
    }
}

static void
dummy_wait(const struct xf_domain *d)
{
    const struct dummy *dummy = dummy_cast(d);

    if (dummy->op != XF_DOMAIN_OP_NONE) {
        poll_timer_wait_until(dummy->step_ms);
    } else if (dummy->step_ms && d->move.phase != XF_MOVE_NONE) {
        poll_timer_wait_until(dummy->step_ms);
    } else if (dummy->all_written && d->move.phase == XF_MOVE_WAITING) {
        poll_immediate_wake();
    } else if (dummy->crash_ms != LLONG_MAX && d->op == XF_DOMAIN_OP_NONE) {
        poll_timer_wait_until(dummy->crash_ms);
    }
}

/* ---- Moving. ---- */

/* How often it has moved, as file "memory" says. */
static unsigned int
n_moves(const struct dummy *dummy)
{
    char *path = xf_domain_path(&dummy->up, "memory");
    FILE *f = fopen(path, "r");
    unsigned int n = 0;

    if (f) {
        if (fscanf(f, "%*36s %u", &n) != 1) {
            n = 0;
        }
        fclose(f);
    }
    free(path);
    return n;
}

/* The next step of a move that needs no word of the caller. */
static void
move_step(struct dummy *dummy, long long int now_ms)
{
    struct xf_domain *d = &dummy->up;
    bool fails = dummy->script.fail_op == d->op;
    int fail_step = dummy->script.fail_step;

    switch ((int) d->move.phase) {
    case XF_MOVE_SENDING:
        if (fails && fail_step == 1) {
            xf_domain_finish(d, XF_DOMAIN_RUNNING,
                             xstrdup("its memory can't be read, as its "
                                     "script says"));
        } else {
            d->move.progress = 90;
            xf_domain_set_phase(d, XF_MOVE_READY);
        }
        break;
    case XF_MOVE_HALTING:
        if (fails && fail_step == 2) {
            keep(dummy, XF_DOMAIN_RUNNING, now_ms);
            xf_domain_finish(d, XF_DOMAIN_RUNNING,
                             xstrdup("the rest of its memory can't be read, "
                                     "as its script says"));
        } else {
            snprintf(dummy->memory, sizeof dummy->memory, UUID_FMT" %u\n",
                     UUID_ARGS(&d->config.uuid), n_moves(dummy));
            dummy->n_memory = strlen(dummy->memory);
            dummy->n_read = 0;
            d->move.progress = 100;
            xf_domain_set_phase(d, XF_MOVE_SENT);
        }
        break;
    case XF_MOVE_PREPARING:
        if (fails && fail_step == 1) {
            xf_domain_finish(d, XF_DOMAIN_STOPPED,
                             xstrdup("it can't be prepared, as its script "
                                     "says"));
        } else {
            xf_domain_set_phase(d, XF_MOVE_WAITING);
        }
        break;
    default:
        break;
    }
}

/* All of the memory was written: is it that of this machine? */
static void
take_memory(struct dummy *dummy, long long int now_ms)
{
    struct xf_domain *d = &dummy->up;
    struct uuid uuid;
    unsigned int n;

    dummy->memory[dummy->n_memory] = '\0';
    if (uuid_from_string_prefix(&uuid, dummy->memory)
        && uuid_equals(&uuid, &d->config.uuid)
        && ovs_scan(dummy->memory + UUID_LEN, " %u", &n)) {
        char *path = xf_domain_path(d, "memory");

        snprintf(dummy->memory, sizeof dummy->memory, UUID_FMT" %u\n",
                 UUID_ARGS(&uuid), n + 1);
        ignore(xf_domain_write_file(path, dummy->memory));
        free(path);
        keep(dummy, XF_DOMAIN_PAUSED, now_ms);
        xf_domain_set_state(d, XF_DOMAIN_PAUSED, NULL);
        xf_domain_set_phase(d, XF_MOVE_RECEIVED);
    } else {
        xf_domain_finish(d, XF_DOMAIN_STOPPED,
                         xstrdup("what was received isn't its memory"));
    }
}

static void
move_run(struct dummy *dummy, long long int now_ms)
{
    enum xf_move_phase phase = dummy->up.move.phase;

    if (phase == XF_MOVE_WAITING) {
        if (dummy->all_written) {
            take_memory(dummy, now_ms);
        }
    } else if (dummy->step_ms && now_ms >= dummy->step_ms
               && (phase == XF_MOVE_SENDING || phase == XF_MOVE_HALTING
                   || phase == XF_MOVE_PREPARING)) {
        dummy->step_ms = 0;
        move_step(dummy, now_ms);
    }
}

static void
dummy_get_machine(const struct xf_domain *d OVS_UNUSED,
                  struct xf_move_machine *machine OVS_UNUSED)
{
}

static void
dummy_move_begin(struct xf_domain *d, enum xf_domain_op op OVS_UNUSED,
                 long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);

    dummy->n_memory = dummy->n_read = 0;
    dummy->all_written = false;
    dummy->step_ms = now_ms + dummy->script.delay_ms;
}

static void
dummy_halt(struct xf_domain *d, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);

    keep(dummy, XF_DOMAIN_PAUSED, now_ms);
    dummy->step_ms = now_ms + dummy->script.delay_ms;
}

static void
dummy_resume(struct xf_domain *d, long long int now_ms)
{
    keep(dummy_cast(d), XF_DOMAIN_RUNNING, now_ms);
    xf_domain_finish(d, XF_DOMAIN_RUNNING, NULL);
}

static void
dummy_take(struct xf_domain *d, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);

    if (dummy->script.fail_op == XF_DOMAIN_OP_RECEIVE
        && dummy->script.fail_step == 2) {
        xf_domain_finish(d, XF_DOMAIN_PAUSED,
                         xstrdup("it can't go on, as its script says"));
    } else {
        keep(dummy, XF_DOMAIN_RUNNING, now_ms);
        xf_domain_finish(d, XF_DOMAIN_RUNNING, NULL);
    }
}

static int
dummy_read(struct xf_domain *d, void *p, size_t size)
{
    struct dummy *dummy = dummy_cast(d);
    size_t n = MIN(size, dummy->n_memory - dummy->n_read);

    if (d->move.phase < XF_MOVE_SENT) {
        return -EAGAIN;
    }
    memcpy(p, dummy->memory + dummy->n_read, n);
    dummy->n_read += n;
    return n;
}

static int
dummy_write(struct xf_domain *d, const void *p, size_t size)
{
    struct dummy *dummy = dummy_cast(d);
    size_t n = MIN(size, MEMORY_MAX - dummy->n_memory);

    memcpy(dummy->memory + dummy->n_memory, p, n);
    dummy->n_memory += n;
    return n ? n : -EFBIG;
}

static void
dummy_write_end(struct xf_domain *d)
{
    dummy_cast(d)->all_written = true;
    poll_immediate_wake();
}

static void
dummy_move_wait(const struct xf_domain *d OVS_UNUSED)
{
}

static const struct xf_move_backend dummy_move = {
    .get_machine = dummy_get_machine,
    .begin = dummy_move_begin,
    .halt = dummy_halt,
    .resume = dummy_resume,
    .take = dummy_take,
    .read = dummy_read,
    .write = dummy_write,
    .write_end = dummy_write_end,
    .read_wait = dummy_move_wait,
    .write_wait = dummy_move_wait,
};

static void
dummy_show(const struct xf_domain *d, struct json *object)
{
    unsigned int n = n_moves(dummy_cast(d));

    if (n) {
        json_object_put(object, "moves", json_integer_create(n));
    }
}
static char *
dummy_set_script(struct xf_domain *d, const char *text, long long int now_ms)
{
    struct dummy *dummy = dummy_cast(d);
    struct script script;
    char *error = parse_script(text, &script);

    if (error) {
        return error;
    }
    dummy->script = script;
    if ((script.crash || script.shutdown) && d->state == XF_DOMAIN_RUNNING
        && d->op == XF_DOMAIN_OP_NONE) {
        enum xf_domain_state state = (script.crash ? XF_DOMAIN_CRASHED
                                      : XF_DOMAIN_STOPPED);

        keep(dummy, state, now_ms);
        xf_domain_set_state(d, state, xstrdup(
            script.crash ? "its script says so"
            : "the guest shut itself down"));
    }
    return NULL;
}

const struct xf_domain_backend xf_domain_dummy = {
    .name = "dummy",
    .alloc = dummy_alloc,
    .check = dummy_check,
    .adopt = dummy_adopt,
    .close = dummy_close,
    .begin = dummy_begin,
    .run = dummy_run,
    .wait = dummy_wait,
    .show = dummy_show,
    .set_script = dummy_set_script,
    .move = &dummy_move,
};
