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

#ifndef XENFLOW_OSPF_H
#define XENFLOW_OSPF_H 1

/* What OSPF says of cables
 * ========================
 *
 * What
 * ----
 * The text that FRR's ospfd answers to "show ip ospf database router json"
 * becomes a list of links between routers, and that list says what the metric
 * of the link at an address of this router is.
 *
 * A link of a router-LSA counts if it is used both ways, as in OSPF's own
 * computation of routes: the router at the other end has one back, or, in a
 * network with a designated router, any other router is in it too.  LSAs that
 * are being withdrawn (of age MaxAge) don't count, nor do links without an
 * address of their own.
 *
 * Shape: an array in the order of the text, of at most XF_OSPF_LINKS_MAX.
 * Cost: O(text); a question is O(links).  The text is whatever somebody at the
 * other end of a socket wrote: what isn't understood is an error, never more.
 *
 * Pure: no clock, no I/O, no log.
 *
 * Source: RFC 2328, sections 12.1.1, 12.4.1, 14 and 16.1; the names of JSON's
 * members are those of FRR 8.4. */

#include <stddef.h>
#include <stdint.h>

#include "openvswitch/compiler.h"
#include "openvswitch/types.h"

/* The command whose answer is meant. */
#define XF_OSPF_COMMAND "show ip ospf database router json"

#define XF_OSPF_TEXT_MAX (4 * 1024 * 1024)
#define XF_OSPF_LINKS_MAX 65536
#define XF_OSPF_METRIC_MAX 65535

enum xf_ospf_kind {
    XF_OSPF_POINT_TO_POINT,     /* 'peer' is the neighbour's router id. */
    XF_OSPF_TRANSIT,            /* It is the designated router's address. */
};

/* A link in a router-LSA. */
struct xf_ospf_link {
    enum xf_ospf_kind kind;
    ovs_be32 router;            /* Id of the router that says so. */
    ovs_be32 address;           /* Its own in the link. */
    ovs_be32 peer;
    uint16_t metric;            /* In the direction from 'router' on. */
};

struct xf_ospf {
    ovs_be32 router;            /* Id of the one that was asked. */
    struct xf_ospf_link *links;
    size_t n;
};

/* Parses 'text' into '*ospf', to be destroyed by the caller.  Returns NULL or
 * a sentence (caller frees), and then '*ospf' holds nothing. */
char *xf_ospf_parse(const char *text, struct xf_ospf *ospf)
    OVS_WARN_UNUSED_RESULT;
void xf_ospf_destroy(struct xf_ospf *);

/* The metric of the link in which the router that was asked has 'address', at
 * least 1 (OSPF's 0 counts as 1); 0: there is none that is used both ways. */
unsigned int xf_ospf_metric(const struct xf_ospf *, ovs_be32 address);

#endif /* xenflow-ospf.h */
