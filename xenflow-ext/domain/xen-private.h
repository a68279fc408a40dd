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

#ifndef XF_DOMAIN_XEN_PRIVATE_H
#define XF_DOMAIN_XEN_PRIVATE_H 1

/* What the files of the backends for Xen share: xen.c (operations), xen-move.c
 * (to another host), and xen-light.c and xen-light-move.c, the only ones that
 * know libxenlight.
 *
 * libxenlight blocks, forks and takes over SIGCHLD, so what changes something
 * is a *job*: done by a child process from its beginning to its end, also if
 * xenflow-hostd ends meanwhile.  This process only lists Xen's domains, which
 * is one hypercall. */

#include <stdbool.h>

#include "domain/domain-private.h"

/* There from the moment a domain is built in full until the next start. */
#define XF_XEN_BUILT "built"

enum xf_xen_job {
    XF_XEN_START,               /* Build and run. */
    XF_XEN_RESTORE,             /* Build from file "memory", remove that, run. */
    XF_XEN_CONTINUE,            /* Run one that is paused. */
    XF_XEN_STOP,                /* Ask the guest to shut down, then remove. */
    XF_XEN_SUSPEND,             /* Save to file "memory", then remove. */
    XF_XEN_REMOVE,              /* At once. */
    XF_XEN_SEND,                /* Memory to file 'memory_fd'; see below. */
    XF_XEN_RECEIVE,             /* Build from that file; don't run. */
};

/* What Xen knows of a domain. */
enum xf_xen_presence {
    XF_XEN_ABSENT,
    XF_XEN_RUNNING,
    XF_XEN_PAUSED,
    XF_XEN_SAVED,               /* Stopped itself to be saved. */
    XF_XEN_POWEROFF,            /* The guest's ends. */
    XF_XEN_REBOOT,
    XF_XEN_CRASHED,
};

struct xf_xen_info {
    enum xf_xen_presence presence;
    unsigned int id;            /* Xen's number. */
    unsigned long long int cpu_ms, memory_mb;   /* Only xf_xen_look_at(). */
};

/* NULL if this host can run domains, or a sentence that says why not. */
char *xf_xen_check_host(void);

/* Fills in what Xen knows of the domain with 'uuid' (names aren't unique while
 * domains move).  The list is at most XF_XEN_LIST_MS old.  On a host without
 * Xen everything is absent.  Returns NULL, or a sentence. */
#define XF_XEN_LIST_MS 500
char *xf_xen_look(const struct uuid *, long long int now_ms,
                  struct xf_xen_info *) OVS_WARN_UNUSED_RESULT;

/* The next look asks Xen. */
void xf_xen_forget_list(void);

/* Asks of domain 'info->id' alone, which costs a fraction of the list.  Returns
 * true if Xen has it and it's the one with 'uuid'. */
bool xf_xen_look_at(const struct uuid *, struct xf_xen_info *info);

struct xf_xen_request {
    enum xf_xen_job job;
    const struct xf_domain *domain;
    /* Of send and receive, else -1: where memory goes, or comes from, and
     * where words of one byte go both ways. */
    int memory_fd, word_fd;
};

/* Words.  The job says "ready": of send, the machine is about to be suspended;
 * of receive, there is room for it, and memory is read.  It is told "halt": of
 * send, now it may suspend the machine; one that copies while that runs
 * doesn't wait for it. */
#define XF_XEN_WORD_READY 'r'
#define XF_XEN_WORD_HALT 'h'

/* Does a job, in a child process: closes all files and writes what libxenlight
 * says to standard error.  Returns NULL or a sentence. */
char *xf_xen_do(void *request);

/* ---- Between xen.c and xen-move.c. ---- */

struct xf_process;

struct xen {
    struct xf_domain up;
    struct xf_process *worker;  /* Does 'job', or NULL. */
    enum xf_xen_job job;
    bool is_cleaning;           /* 'job' isn't the operation's. */
    bool is_queued;             /* The operation begins when 'job' ends. */
    long long int deadline_ms;  /* Of 'job'. */
    bool late;                  /* The worker was killed at that time. */

    enum xf_domain_op op;       /* In progress. */
    char *error;                /* Why it fails, once all is removed. */
    long long int now_ms;       /* As of the last call. */
    long long int look_ms;      /* When to look for it again. */
    unsigned int id;            /* Xen's number, 0: none. */

    /* Of one that moves; see xen-move.c. */
    int memory_fd, word_fd;     /* Our ends, or -1. */
    int child_fds[2];           /* The ends of a job to be started, or -1. */
    bool is_saved;              /* All of its memory has left Xen. */
    unsigned long long int n_bytes;     /* Of memory that was read. */
    unsigned long long int budget;      /* Bytes that may be read now... */
    long long int budget_ms;    /* ...as of this time. */
};

#define XF_XEN_MEMORY_JOB_MS 300000     /* That copies memory. */

extern const struct xf_move_backend xf_xen_move;

void xf_xen_start_job(struct xen *, enum xf_xen_job);

/* The operation is over; takes ownership of 'error'. */
void xf_xen_finish(struct xen *, enum xf_domain_state, char *error);

/* Our ends of what a job of send or receive has are closed: it fails if it
 * still needs them. */
void xf_xen_close_move(struct xen *);

/* A job of send or receive, or one that lets such a domain go on, has ended;
 * takes ownership of 'error'. */
void xf_xen_move_ended(struct xen *, enum xf_xen_presence, char *error);

/* While it moves. */
void xf_xen_run_move(struct xen *);
void xf_xen_wait_move(const struct xen *);

#endif /* domain/xen-private.h */
