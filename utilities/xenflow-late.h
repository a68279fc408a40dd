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

#ifndef XENFLOW_LATE_H
#define XENFLOW_LATE_H 1

/* Who has carried out what, for xfctl and xenflow-manager.
 *
 * The host daemon and the switch of a host acknowledge the whole of the database
 * up to a number (XF_Global:cfg).
 *
 * One thread. */

#include <stdbool.h>
#include <stdint.h>

#include "openvswitch/dynamic-string.h"
#include "xenflow-ext/xenflow-idl.h"

struct ovsdb_idl;

const struct xfrec_host_state *xf_host_state(struct ovsdb_idl *,
                                             const char *host);

/* Whether its daemon is heard of.  'now_ms': of the epoch. */
bool xf_host_is_up(const struct xfrec_host_state *, long long int now_ms);

/* Whether the host is one of those that carry out what the database says and
 * are waited for. */
bool xf_host_is_wanted(const struct xfrec_host *);

/* Appends to 'ds' which daemons of 'host' haven't carried out 'cfg'. */
void xf_late_put(struct ovsdb_idl *, const char *host, int64_t cfg,
                 struct ds *);

#endif /* xenflow-late.h */
