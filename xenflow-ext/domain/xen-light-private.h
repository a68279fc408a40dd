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

#ifndef XF_DOMAIN_XEN_LIGHT_PRIVATE_H
#define XF_DOMAIN_XEN_LIGHT_PRIVATE_H 1

/* What xen-light.c (the list of domains, and jobs) and xen-light-move.c (jobs
 * that move a domain) share.  Only where libxenlight is. */

#include <libxl.h>
#include <stdint.h>
#include <xentoollog.h>

#include "domain/xen-private.h"

struct xf_xen_logger {
    xentoollog_logger up;
    bool in_child;
    int n_lines;
    char *first;                /* Error since the beginning, or NULL. */
};

struct xf_xen_work {
    const struct xf_domain *d;
    const struct xf_domain_config *config;
    libxl_ctx *ctx;
    struct xf_xen_logger logger;
    uint32_t id;                /* Xen's number of the domain. */
};

/* Files that a job of send or receive has: those of its request. */
#define XF_XEN_MEMORY_FD 3
#define XF_XEN_WORD_FD 4
#define XF_XEN_FIRST_FREE_FD 5

/* ---- xen-light.c ---- */

/* Each returns NULL, or a sentence. */

/* With what libxenlight said first. */
char *xf_xen_failed(const struct xf_xen_work *, const char *what);

/* Whether Xen has the memory; it's told so late, and so darkly. */
char *xf_xen_check_memory(struct xf_xen_work *);

/* Builds the domain, paused, out of its image or, with 'fd', of its memory;
 * with its cards. */
char *xf_xen_build(struct xf_xen_work *, int fd);

/* Runs the domain that is in state 'presence'. */
char *xf_xen_continue(struct xf_xen_work *, enum xf_xen_presence presence);

enum xf_xen_presence xf_xen_presence_of(const libxl_dominfo *);

/* ---- xen-light-move.c ---- */

char *xf_xen_do_send(struct xf_xen_work *);
char *xf_xen_do_receive(struct xf_xen_work *);

#endif /* domain/xen-light-private.h */
