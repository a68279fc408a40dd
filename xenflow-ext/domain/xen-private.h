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

/* What the files of the backends for Xen share: xen.c (operations) and
 * xen-light.c, the only one that knows libxenlight.
 *
 * libxenlight blocks, forks and takes over SIGCHLD, so what changes something
 * is a *job*: done by a child process from its beginning to its end, also if
 * xenflow-hostd ends meanwhile.  This process only lists Xen's domains, which
 * is one hypercall. */

#include <stdbool.h>

#include "xenflow/domain.h"

/* There from the moment a domain is built in full until the next start. */
#define XF_XEN_BUILT "built"

enum xf_xen_job {
    XF_XEN_START,               /* Build and run. */
    XF_XEN_RESTORE,             /* Build from file "memory", remove that, run. */
    XF_XEN_CONTINUE,            /* Run one that is paused. */
    XF_XEN_STOP,                /* Ask the guest to shut down, then remove. */
    XF_XEN_SUSPEND,             /* Save to file "memory", then remove. */
    XF_XEN_REMOVE,              /* At once. */
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
};

/* Does a job, in a child process: closes all files and writes what libxenlight
 * says to standard error.  Returns NULL or a sentence. */
char *xf_xen_do(void *request);

#endif /* domain/xen-private.h */
