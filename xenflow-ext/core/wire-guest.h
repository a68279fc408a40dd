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

#ifndef XF_CORE_WIRE_GUEST_H
#define XF_CORE_WIRE_GUEST_H 1

/* Wire protocol, the messages of our own between a guest daemon and the host.
 *
 * What
 * ----
 * Netlink messages whose types the kernel doesn't use.  Their attributes are
 * netlink's: 16-bit length, 16-bit type, value in host byte order, padded to 4
 * bytes.  Unknown attributes are skipped, so that more can be added.
 *
 *   XF_NLMSG_HELLO    guest to host, first in a connection: the speaker is a
 *                     guest daemon and understands what follows
 *   XF_NLMSG_LOAD     guest to host, every few seconds: load of the machine
 *   XF_NLMSG_RESYNC   host to guest, no body: state everything again (an
 *                     interface was added that statements were lost for)
 *
 * and RTM_NEWNEIGH with NTF_USE, host to guest: packets are sent to this
 * neighbour, so the guest's kernel shall keep it alive.
 *
 * Limits
 * ------
 * A name has up to 63 printable characters; a report has up to
 * XF_GUEST_IFACES_MAX interfaces, each once.
 *
 * Threads: pure functions. */

#include <linux/netlink.h>

#include "core/wire.h"

#define XF_NLMSG_HELLO 0x5801
#define XF_NLMSG_LOAD 0x5802
#define XF_NLMSG_RESYNC 0x5803

/* Version of these messages; a larger one is taken for this one. */
#define XF_GUEST_VERSION 1

/* Attributes of XF_NLMSG_HELLO. */
enum {
    XF_HELLO_VERSION = 1,       /* u32, 1 or more. */
    XF_HELLO_NAME = 2,          /* String: the machine's host name. */
    XF_N_HELLO
};

/* Attributes of XF_NLMSG_LOAD: u64, but for the last. */
enum {
    XF_LOAD_UPTIME_MS = 1,
    XF_LOAD_MEM_TOTAL_BYTES,
    XF_LOAD_MEM_AVAILABLE_BYTES,
    XF_LOAD_CPU_USER_MS,        /* Since the machine began, of all CPUs. */
    XF_LOAD_CPU_SYSTEM_MS,
    XF_LOAD_N_CPUS,
    XF_LOAD_IFACE,              /* Nested: XF_LOAD_IFACE_*; may repeat. */
    XF_N_LOAD
};

/* Attributes of XF_LOAD_IFACE: u64, but for the last. */
enum {
    XF_LOAD_IFACE_INDEX = 1,
    XF_LOAD_IFACE_RX_PACKETS,
    XF_LOAD_IFACE_RX_BYTES,
    XF_LOAD_IFACE_RX_DROPPED,
    XF_LOAD_IFACE_TX_PACKETS,
    XF_LOAD_IFACE_TX_BYTES,
    XF_LOAD_IFACE_TX_DROPPED,
    XF_LOAD_IFACE_NAME,         /* String. */
    XF_N_LOAD_IFACE
};

#define XF_GUEST_IFACES_MAX 32
#define XF_GUEST_CPUS_MAX 4096

/* One interface of a report. */
struct xf_guest_iface {
    uint64_t v[XF_LOAD_IFACE_NAME]; /* By attribute; v[0] isn't used. */
    char name[XF_NAME_MAX];
};

/* A report. */
struct xf_guest_load {
    uint64_t v[XF_LOAD_IFACE];  /* By attribute; v[0] isn't used. */
    size_t n_ifaces;
    struct xf_guest_iface ifaces[XF_GUEST_IFACES_MAX];
};

/* Decodes the body of a message, that is, 'msg->body' of a struct xf_wire_msg
 * of type XF_WIRE_LOAD.  On a refusal '*load' may hold anything. */
enum xf_wire_error xf_guest_load_decode(const uint8_t *body, size_t size,
                                        struct xf_guest_load *load);

/* Encodes 'load' as one whole frame that wants the answer 'seq'.  Returns its
 * size, or 0 if 'capacity' is too small. */
size_t xf_guest_load_encode(const struct xf_guest_load *load, uint32_t seq,
                            void *buffer, size_t capacity);

/* Encodes the other messages likewise; of 'name' what is printable, up to the
 * limit. */
size_t xf_guest_hello_encode(const char *name, void *buffer, size_t capacity);
size_t xf_guest_resync_encode(void *buffer, size_t capacity);
size_t xf_guest_use_encode(uint32_t ifindex, const struct in6_addr *ip,
                           void *buffer, size_t capacity);

/* CPU time of one kind in percent of all CPUs between two reports of
 * 'attribute', XF_LOAD_CPU_USER_MS or XF_LOAD_CPU_SYSTEM_MS; 0 if they don't
 * tell (the machine began anew, its clock stood still). */
double xf_guest_cpu_percent(const struct xf_guest_load *before,
                            const struct xf_guest_load *after,
                            int attribute);

#endif /* core/wire-guest.h */
