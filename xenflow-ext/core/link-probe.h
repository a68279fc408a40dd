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

#ifndef XF_CORE_LINK_PROBE_H
#define XF_CORE_LINK_PROBE_H 1

/* Probe frames of virtual links.
 * ==============================
 *
 * What
 * ----
 * The switch at one end of a way sends a request into it; the one at the other
 * end answers through the same way.  So an answer proves both directions.
 *
 * Shape
 * -----
 * EtherType 0x88b5 (IEEE 802 local experimental), destination XF_PROBE_MAC, no
 * VLAN tag of its own.  Then, big-endian:
 *
 *     0  magic "XFLP"        4  version      5  type       6  zero (2)
 *     8  UUID of the link   24  generation  32  nonce     40  sequence
 *    44  position of the hop that it was sent into, zero (3)
 *
 * padded with zeros to the least size of a frame.  An answer has the request's
 * nonce, sequence and position.  A last request says that nothing follows which
 * isn't a probe: frames don't overtake each other, so who receives it has all
 * that was sent, and who is answered knows that.
 *
 * Frames come from anyone: what isn't exactly this is no probe.
 *
 * Threads: any; no state. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/link-table.h"
#include "openvswitch/types.h"

#define XF_PROBE_ETHERTYPE 0x88b5
#define XF_PROBE_FRAME_SIZE 62  /* With its Ethernet header. */

enum xf_probe_type {
    XF_PROBE_REQUEST = 1,
    XF_PROBE_ANSWER = 2,
    XF_PROBE_LAST = 3,          /* A request, too. */
};

struct xf_probe {
    enum xf_probe_type type;
    struct xf_link_id id;       /* Of the link. */
    uint64_t generation;
    uint64_t nonce;             /* Of who asks: nobody else can answer. */
    uint32_t seq;
    uint8_t position;
};

/* Where probes go to: a group address that is nobody's. */
struct eth_addr xf_probe_mac(void);
bool xf_probe_is_mac(struct eth_addr);

/* Writes 'probe' from 'src'. */
void xf_probe_compose(const struct xf_probe *, struct eth_addr src,
                      uint8_t frame[XF_PROBE_FRAME_SIZE]);

/* Reads what follows the EtherType, 'size' bytes at 'payload'.  False, and
 * '*probe' as it was, if that isn't a probe. */
bool xf_probe_parse(const void *payload, size_t size, struct xf_probe *probe);

#endif /* core/link-probe.h */
