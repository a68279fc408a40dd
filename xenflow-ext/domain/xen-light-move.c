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

/* Xen by its library libxenlight: the jobs that move a domain.  See
 * xen-move.c, and xen-private.h for their words.
 *
 * libxenlight suspends a domain when it likes, and tells nobody.  But it asks
 * the guest by xenstore, "control/shutdown": a process of our own watches that
 * (libxenstore's watches take a thread, which would be here while libxenlight
 * forks), and ends with the job. */

#include <config.h>
#include "domain/xen-private.h"

#include "util.h"

#if __has_include(<libxl.h>)

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xenstore.h>

#include "domain/xen-light-private.h"

static void
say(char word)
{
    /* If nobody listens, nobody takes the memory either. */
    ignore(send(XF_XEN_WORD_FD, &word, 1, MSG_NOSIGNAL) == 1);
}

/* Returns false if nobody says it any more. */
static bool
wait_for(char wanted)
{
    char word;
    ssize_t n;

    do {
        n = read(XF_XEN_WORD_FD, &word, 1);
    } while ((n < 0 && errno == EINTR) || (n == 1 && word != wanted));
    return n == 1;
}

/* Says "ready" when the guest is told to suspend itself; until it's killed. */
static void OVS_NO_RETURN
watch(unsigned int id)
{
    char *path = xasprintf("/local/domain/%u/control/shutdown", id);
    struct xs_handle *xs;

    /* The end of memory is seen when all have closed it. */
    close(XF_XEN_MEMORY_FD);
    close_range(XF_XEN_FIRST_FREE_FD, ~0U, 0);
    xs = xs_open(0);
    if (xs && xs_watch(xs, path, "")) {
        /* The first event says that it watches. */
        for (bool is_first = true; ; is_first = false) {
            unsigned int n;
            char **event = xs_read_watch(xs, &n);

            if (!event) {
                break;
            }
            free(event);
            if (!is_first) {
                say(XF_XEN_WORD_READY);
            }
        }
    }
    for (;;) {
        pause();
    }
}

/* Returns the number of the process that watches, or -1. */
static pid_t
start_watch(unsigned int id)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(0);
        }
        watch(id);
    }
    return pid;
}

/* Whether Xen can say which memory a running domain has written to. */
static bool
can_copy(struct xf_xen_work *job)
{
    libxl_physinfo info;
    bool can = false;

    libxl_physinfo_init(&info);
    if (!libxl_get_physinfo(job->ctx, &info)) {
        can = (job->d->backend == &xf_domain_xen_pv ? info.cap_shadow
               : info.cap_hap || info.cap_shadow);
    }
    libxl_physinfo_dispose(&info);
    return can;
}

/* Has the domain go on after what failed, whatever it has come to. */
static void
undo(struct xf_xen_work *job)
{
    libxl_dominfo info;

    libxl_dominfo_init(&info);
    if (!libxl_domain_info(job->ctx, &info, job->id)
        && xf_xen_presence_of(&info) == XF_XEN_SAVED) {
        free(xf_xen_continue(job, XF_XEN_SAVED));
    }
    libxl_dominfo_dispose(&info);
}

char *
xf_xen_do_send(struct xf_xen_work *job)
{
    bool is_live = can_copy(job);
    char *error = NULL;
    pid_t watcher = -1;

    if (is_live) {
        watcher = start_watch(job->id);
    } else {
        say(XF_XEN_WORD_READY);
        if (!wait_for(XF_XEN_WORD_HALT)) {
            return xstrdup("it was told no more");
        }
    }
    if (libxl_domain_suspend(job->ctx, job->id, XF_XEN_MEMORY_FD,
                             is_live ? LIBXL_SUSPEND_LIVE : 0, NULL)) {
        error = xf_xen_failed(job, "Xen can't send the domain");
        undo(job);
    }
    if (watcher > 0) {
        kill(watcher, SIGKILL);
    }
    return error;
}

char *
xf_xen_do_receive(struct xf_xen_work *job)
{
    char *error = xf_xen_check_memory(job);

    if (!error) {
        say(XF_XEN_WORD_READY);
        error = xf_xen_build(job, XF_XEN_MEMORY_FD);
    }
    return error;
}

#endif
