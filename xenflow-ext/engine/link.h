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

#ifndef XF_LINK_H
#define XF_LINK_H 1

/* Virtual links in this switch.
 * =============================
 *
 * What ---- The hops of this host, as the database XenFlow (engine/db-link.c)
 * or commands state them, become one table (core/link-table.h) that
 * translations read. The ends of ways that are here are probed (link-probe.c),
 * and while a router moves, what is for its machine takes another way or waits
 * (transfer.c).
 *
 * Kept ---- All hops are written to the file XF_LINKS_FILE in the folder of
 * databases (ovs_dbdir()), a line each, and read when the engine starts.  So a
 * switch that restarts forwards before the database answers.  What the
 * database says replaces all of it, once the switch is in step.  Not in
 * external_ids of ports: a transit host has no port of ours that they could be
 * kept with.
 *
 * Publication
 * -----------
 * All hops of one batch are published by one store, as one change that the
 * datapath acknowledges (engine.h).
 *
 * Threads: readers anywhere under RCU; all else the engine's. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/link-probe.h"
#include "core/link-table.h"

struct xf_engine;
struct xf_router;

#define XF_LINKS_FILE "xenflow-links"

/* ---- Readers (any thread, RCU). ---- */

/* The table in force; NULL: there are no links. */
const struct xf_link_table *xf_engine_links(const struct xf_engine *);

/* What is for the router's machine goes into the transfer ways; is held. */
bool xf_router_is_transferring(const struct xf_router *);
bool xf_router_is_holding(const struct xf_router *);
/* Whether its machine moves, or has moved not long ago: the switch answers ARP
 * for it. */
bool xf_router_is_answered_for(const struct xf_router *);

/* 'probe' came out of 'way', at an end.  Lock-free; dropped and counted when
 * too many wait. */
void xf_engine_probe_news(struct xf_engine *, const struct xf_way *,
                          const struct xf_probe *);

#endif /* engine/link.h */
