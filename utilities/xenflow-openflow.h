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

#ifndef XENFLOW_OPENFLOW_H
#define XENFLOW_OPENFLOW_H 1

/* Plain OpenFlow switches as hops of virtual links.
 * =================================================
 *
 * What.  Hosts of kind "openflow" have no daemon of ours: xenflow-manager is
 * their controller (OpenFlow 1.3), and makes two flows of each of their rows of
 * Hop, one per direction: what comes by (port, VLAN) of one side leaves by that
 * of the other.  See Documentation/topics/openflow.rst.
 *
 * Shape.  A flow is named by where frames come from.  Two hops of a link that
 * share an end are two generations of it, and the flow is that of
 * Link:generation: so a flip is one change of one flow.  At most FLOWS_MAX per
 * switch.  Cookies have XF_OPENFLOW_COOKIE in their upper half, and in the lower
 * one a part of the hop's UUID.
 *
 * Acknowledgement.  Flows are sent when rows change, then a barrier; its answer
 * stands for XF_Global:cfg at that time.  A link whose hops can't be (a port
 * is missing) is late, others aren't; a flow that the switch refuses makes all
 * late, and while it does, nothing that it has is removed.
 *
 * When something dies.  The switch keeps its flows when the manager goes away.
 * On a new connection all wanted flows are added, which changes nothing where
 * they are there, and only then those with our cookies that aren't wanted are
 * removed: no packet finds a gap.
 *
 * One thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ovsdb_idl;
struct xf_openflow;
struct xfrec_link;

#define XF_OPENFLOW_COOKIE 0x58464850

struct xf_openflow *xf_openflow_create(void);
void xf_openflow_destroy(struct xf_openflow *);

/* Drives the switches that 'idl' has; none if that is NULL. */
void xf_openflow_run(struct xf_openflow *, struct ovsdb_idl *);
void xf_openflow_wait(struct xf_openflow *);

/* Why switch 'name' hasn't acknowledged 'number' yet as far as the 'n' of
 * 'links' are concerned, to be freed; NULL: it has. */
char *xf_openflow_late(const struct xf_openflow *, const char *name,
                       const struct xfrec_link **links, size_t n,
                       int64_t number);

/* Grows with each acknowledgement. */
unsigned int xf_openflow_seqno(const struct xf_openflow *);

#endif /* xenflow-openflow.h */
