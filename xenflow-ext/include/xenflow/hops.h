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

#ifndef XENFLOW_HOPS_H
#define XENFLOW_HOPS_H 1

/* What switch, xenflow-hostd and planner agree on about hops.
 *
 * Positions of hops of a virtual link (column Hop:position).
 *
 * From 0: the way of the link, from interface1 on.  From XF_PLAN_TRANSFER: the
 * transfer way of the router at interface1, from its old host to its new one.
 * From XF_PLAN_TRANSFER2: that of the router at interface2 or, if one router
 * has both ends, its second one; it runs from the new host to the old one.
 *
 * The orders differ so that a router is on one side of its way's hop on the new
 * host and on the other side of the transfer's: of one generation, no two hops
 * of a host have the same side, port and VLAN. */

#define XF_PLAN_TRANSFER 128
#define XF_PLAN_TRANSFER2 192
#define XF_PLAN_END 256

/* A hop of a link with a bandwidth sends into a cable by the OpenFlow queue
 * of this number plus the hop's VLAN there, which no other link has.
 * xenflow-hostd makes the queue.  Numbers of operators' queues are small. */
#define XF_LINK_QUEUE 0x8000

#endif /* xenflow/hops.h */
