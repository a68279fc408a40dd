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

/* Domains on Xen that move.
 *
 * A job (see xen-private.h) of the source has libxenlight write the domain's
 * memory into a socket, one of the destination has it build a domain out of
 * another; this process carries the bytes from one to the other, so that they
 * take the way, the encryption and the rate that we choose.
 *
 *   source                             destination
 *   begin: the job starts, copies      begin: the job starts: is there room?
 *   word "ready": phase ready          word "ready": phase waiting
 *   halt: word "halt"                  the job ends: phase received; built,
 *   the job ends: phase sent           with its cards, paused
 *   resume: the domain goes on         take: another job lets it run
 *
 * If Xen can log what a running domain writes, memory is copied meanwhile, and
 * libxenlight suspends it when little is left, without asking.  Then "ready"
 * comes from a watch in xenstore, where the guest is told to suspend itself:
 * the guest has yet to freeze its processes and devices, so what waits for
 * that word has some milliseconds.  Else the job waits for "halt", suspends it, and
 * copies all.
 *
 * A domain that was sent is Xen's still, suspended, until it is destroyed or
 * goes on.  A job that fails lets it go on by itself: that is before anything
 * was promised.
 *
 * Who ends a job early closes its sockets; it isn't killed, for libxenlight
 * has to take back what it changed. */

#include <config.h>
#include "domain/xen-private.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "domain/image.h"
#include "domain/process.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_xen_move);

#define BURST_MS 20             /* Of a rate: what may come at once. */
#define BACK_MS 120000          /* For a job that fails to take all back. */

static struct xen *
xen_cast(const struct xf_domain *d)
{
    return CONTAINER_OF(d, struct xen, up);
}

static void
close_fd(int *fdp)
{
    if (*fdp >= 0) {
        close(*fdp);
        *fdp = -1;
    }
}

void
xf_xen_close_move(struct xen *x)
{
    close_fd(&x->memory_fd);
    close_fd(&x->word_fd);
}

/* Makes the sockets of a job to be started.  Returns NULL, or a sentence. */
static char *
open_move(struct xen *x)
{
    int *ours[] = { &x->memory_fd, &x->word_fd };
    int error = 0;

    xf_xen_close_move(x);
    for (size_t i = 0; i < ARRAY_SIZE(ours) && !error; i++) {
        int fds[2];

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) {
            error = errno;
        } else {
            *ours[i] = fds[0];
            x->child_fds[i] = fds[1];
            error = set_nonblocking(fds[0]);
        }
    }
    if (error) {
        xf_xen_close_move(x);
        close_fd(&x->child_fds[0]);
        close_fd(&x->child_fds[1]);
    }
    x->is_saved = false;
    x->n_bytes = x->budget = 0;
    x->budget_ms = x->now_ms;
    return error ? xasprintf("sockets for its memory can't be made (%s)",
                             ovs_strerror(error)) : NULL;
}

/* ---- Source. ---- */

/* Has the machine go on here. */
static void
go_back(struct xen *x, enum xf_xen_presence presence)
{
    xf_xen_close_move(x);
    if (presence == XF_XEN_SAVED || presence == XF_XEN_PAUSED) {
        xf_xen_start_job(x, XF_XEN_CONTINUE);
    } else {
        /* If it doesn't run, xen.c will see that, and how it ended. */
        xf_xen_finish(x, XF_DOMAIN_RUNNING, NULL);
    }
}

/* It can't be sent; takes ownership of 'error'. */
static void
fail_send(struct xen *x, enum xf_xen_presence presence, char *error)
{
    VLOG_INFO("%s: it can't be sent: %s", x->up.config.name, error);
    if (!x->up.move.why) {
        x->up.move.why = error;
    } else {
        free(error);
    }
    x->up.move.is_back = true;
    go_back(x, presence);
}

static void
send_ended(struct xen *x, enum xf_xen_presence presence, char *error)
{
    enum xf_move_phase phase = x->up.move.phase;

    if (x->up.move.is_back && x->job == XF_XEN_CONTINUE) {
        xf_xen_finish(x, presence == XF_XEN_SAVED || presence == XF_XEN_PAUSED
                      ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING, error);
    } else if (x->up.move.is_back) {
        free(error);            /* It was ended. */
        go_back(x, presence);
    } else if (error || presence != XF_XEN_SAVED) {
        fail_send(x, presence, error ? error
                  : xstrdup("the guest didn't let itself be suspended"));
    } else {
        x->is_saved = true;
        x->up.move.progress = 100;
        xf_domain_set_phase(&x->up, phase == XF_MOVE_SENDING ? XF_MOVE_READY
                            : phase == XF_MOVE_HALTING ? XF_MOVE_SENT
                            : phase);
    }
}

static void
begin_send(struct xen *x)
{
    char *error = open_move(x);

    if (error) {
        fail_send(x, XF_XEN_RUNNING, error);
    } else {
        xf_xen_start_job(x, XF_XEN_SEND);
    }
}

static void
xen_halt(struct xf_domain *d, long long int now_ms)
{
    struct xen *x = xen_cast(d);
    char word = XF_XEN_WORD_HALT;

    x->now_ms = now_ms;
    if (x->is_saved) {
        xf_domain_set_phase(d, XF_MOVE_SENT);
    } else if (x->word_fd >= 0 && send(x->word_fd, &word, 1, MSG_NOSIGNAL) < 0
               && errno != EPIPE) {
        VLOG_WARN("%s: its job can't be told to suspend it (%s)",
                  d->config.name, ovs_strerror(errno));
    }
    x->deadline_ms = now_ms + XF_XEN_MEMORY_JOB_MS;
}

static void
xen_resume(struct xf_domain *d, long long int now_ms)
{
    struct xen *x = xen_cast(d);
    struct xf_xen_info info;
    char *error;

    x->now_ms = now_ms;
    x->op = XF_DOMAIN_OP_SEND;
    xf_xen_close_move(x);
    if (x->worker) {            /* When that has ended. */
        x->deadline_ms = MIN(x->deadline_ms, now_ms + BACK_MS);
        return;
    }
    xf_xen_forget_list();
    error = xf_xen_look(&d->config.uuid, now_ms, &info);
    if (error) {
        xf_xen_finish(x, XF_DOMAIN_PAUSED, error);
    } else {
        x->id = info.id;
        go_back(x, info.presence);
    }
}

/* ---- Destination. ---- */

static void
receive_ended(struct xen *x, enum xf_xen_presence presence, char *error)
{
    if (x->job == XF_XEN_CONTINUE) {
        xf_xen_finish(x, presence == XF_XEN_SAVED || presence == XF_XEN_PAUSED
                      ? XF_DOMAIN_PAUSED : XF_DOMAIN_RUNNING, error);
    } else if (error || presence != XF_XEN_PAUSED) {
        xf_process_forget(x->up.folder);
        xf_xen_finish(x, XF_DOMAIN_STOPPED, error ? error
                      : xstrdup("Xen hasn't built it of its memory"));
    } else {
        xf_xen_close_move(x);
        xf_domain_set_state(&x->up, XF_DOMAIN_PAUSED, NULL);
        xf_domain_set_phase(&x->up, XF_MOVE_RECEIVED);
    }
}

static void
begin_receive(struct xen *x)
{
    char *error = xf_image_check(x->up.config.image);

    error = error ? error : xf_xen_check_host();
    error = error ? error : open_move(x);
    if (error) {
        xf_xen_finish(x, XF_DOMAIN_STOPPED, error);
    } else {
        xf_xen_start_job(x, XF_XEN_RECEIVE);
    }
}

static void
xen_take(struct xf_domain *d, long long int now_ms)
{
    struct xen *x = xen_cast(d);

    x->now_ms = now_ms;
    x->op = XF_DOMAIN_OP_RECEIVE;
    xf_xen_start_job(x, XF_XEN_CONTINUE);
}

/* ---- Both. ---- */

void
xf_xen_move_ended(struct xen *x, enum xf_xen_presence presence, char *error)
{
    if (x->op == XF_DOMAIN_OP_SEND) {
        send_ended(x, presence, error);
    } else {
        receive_ended(x, presence, error);
    }
}

void
xf_xen_run_move(struct xen *x)
{
    char word;
    int n = x->word_fd < 0 ? -1 : recv(x->word_fd, &word, 1, 0);

    if (!n) {
        close_fd(&x->word_fd);  /* The job's end will tell. */
    } else if (n == 1 && word == XF_XEN_WORD_READY) {
        if (x->up.move.phase == XF_MOVE_SENDING && !x->up.move.is_back) {
            x->deadline_ms = LLONG_MAX;
            xf_domain_set_phase(&x->up, XF_MOVE_READY);
        } else if (x->up.move.phase == XF_MOVE_PREPARING) {
            x->deadline_ms = LLONG_MAX;     /* As long as the source likes. */
            xf_domain_set_phase(&x->up, XF_MOVE_WAITING);
        }
    }
}

void
xf_xen_wait_move(const struct xen *x)
{
    if (x->word_fd >= 0) {
        poll_fd_wait(x->word_fd, POLLIN);
    }
}

static void
xen_move_begin(struct xf_domain *d, enum xf_domain_op op,
               long long int now_ms)
{
    struct xen *x = xen_cast(d);

    x->now_ms = now_ms;
    x->op = op;
    if (op == XF_DOMAIN_OP_SEND) {
        begin_send(x);
    } else {
        begin_receive(x);
    }
}

static void
xen_get_machine(const struct xf_domain *d OVS_UNUSED,
                struct xf_move_machine *machine OVS_UNUSED)
{
}

/* ---- Memory. ---- */

/* How much of 'size' the rate lets go now. */
static size_t
allowed(struct xen *x, size_t size)
{
    unsigned long long int rate = x->up.move.settings.rate_bps;
    long long int now = time_msec();

    if (!rate) {
        return size;
    }
    x->budget = MIN(x->budget + rate * (now - x->budget_ms) / 1000,
                    MAX(rate * BURST_MS / 1000, 1));
    x->budget_ms = now;
    return MIN(size, x->budget);
}

static int
xen_read(struct xf_domain *d, void *p, size_t size)
{
    struct xen *x = xen_cast(d);
    unsigned long long int total = d->config.memory_mb * 1024ULL * 1024;
    size_t max = allowed(x, size);
    ssize_t n;

    if (x->memory_fd < 0 || !max) {
        return -EAGAIN;
    }
    n = recv(x->memory_fd, p, max, 0);
    if (n < 0) {
        return -errno;
    }
    x->budget -= MIN(x->budget, n);
    x->n_bytes += n;
    if (x->deadline_ms != LLONG_MAX) {
        x->deadline_ms = time_msec() + XF_XEN_MEMORY_JOB_MS;
    }
    if (!x->is_saved) {
        x->up.move.progress = MIN(99, x->n_bytes * 100 / total);
    }
    return n;
}

/* A job that reads no more has failed: its end will tell why. */
static int
xen_write(struct xf_domain *d, const void *p, size_t size)
{
    struct xen *x = xen_cast(d);
    ssize_t n;

    if (x->memory_fd < 0) {
        return -EAGAIN;
    }
    n = send(x->memory_fd, p, size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) {
        close_fd(&x->memory_fd);
        return -EAGAIN;
    }
    return n < 0 ? -errno : n;
}

static void
xen_write_end(struct xf_domain *d)
{
    struct xen *x = xen_cast(d);

    if (x->memory_fd >= 0) {
        shutdown(x->memory_fd, SHUT_WR);
    }
    x->deadline_ms = time_msec() + XF_XEN_MEMORY_JOB_MS;
}

static void
xen_read_wait(const struct xf_domain *d)
{
    struct xen *x = xen_cast(d);

    if (x->memory_fd >= 0 && allowed(x, 1)) {
        poll_fd_wait(x->memory_fd, POLLIN);
    } else if (x->memory_fd >= 0) {
        poll_timer_wait(1);
    }
}

static void
xen_write_wait(const struct xf_domain *d)
{
    const struct xen *x = xen_cast(d);

    if (x->memory_fd >= 0) {
        poll_fd_wait(x->memory_fd, POLLOUT);
    }
}

const struct xf_move_backend xf_xen_move = {
    .cards_come_last = true,
    .get_machine = xen_get_machine,
    .begin = xen_move_begin,
    .halt = xen_halt,
    .resume = xen_resume,
    .take = xen_take,
    .read = xen_read,
    .write = xen_write,
    .write_end = xen_write_end,
    .read_wait = xen_read_wait,
    .write_wait = xen_write_wait,
};
