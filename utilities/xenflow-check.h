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

#ifndef XENFLOW_CHECK_H
#define XENFLOW_CHECK_H 1

/* Whether a migration can be: every reason against it, before it begins.
 *
 * Shared by xfctl (--dry-run, and before it begins one) and xenflow-manager,
 * which looks again when it takes it up.  Ways of links are planned as they would
 * be (xenflow-plan.h), and not written.
 *
 * Reasons are sentences in 'reasons', the more important first.  One thread. */

#include <stdbool.h>

#include "xenflow-ext/xenflow-idl.h"

struct ovsdb_idl;
struct svec;

/* 'router' to host 'to' with 'technique'.  'self': the row of this very
 * migration, or NULL.  'now_ms': of the epoch. */
void xf_check_router_move(struct ovsdb_idl *, const struct xfrec_router *,
                          const struct xfrec_host *to, const char *technique,
                          const struct xfrec_migration *self,
                          long long int now_ms, struct svec *reasons);

/* The same without ways of links, which cost most. */
void xf_check_router_place(struct ovsdb_idl *, const struct xfrec_router *,
                           const struct xfrec_host *to, const char *technique,
                           const struct xfrec_migration *self,
                           long long int now_ms, struct svec *reasons);

/* 'link' to another way. */
void xf_check_link_move(struct ovsdb_idl *, const struct xfrec_link *,
                        const struct xfrec_migration *self,
                        long long int now_ms, struct svec *reasons);

/* The migration of a router or link that hasn't ended, or NULL; never
 * 'except'. */
const struct xfrec_migration *
xf_check_router_moves(struct ovsdb_idl *, const struct xfrec_router *,
                      const struct xfrec_migration *except);
const struct xfrec_migration *
xf_check_link_moves(struct ovsdb_idl *, const struct xfrec_link *,
                    const struct xfrec_migration *except);

/* Whether its stage is an end. */
bool xf_check_is_ended(const struct xfrec_migration *);

/* The technique that a router was made for. */
const char *xf_check_technique(const struct xfrec_router *);

#endif /* xenflow-check.h */
