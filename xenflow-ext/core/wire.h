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

#ifndef XF_CORE_WIRE_H
#define XF_CORE_WIRE_H 1

/* Wire protocol: netlink messages in FPM frames.
 * ==============================================
 *
 * What
 * ----
 * Decodes the byte stream of a speaker into statements about a rule table, and
 * encodes statements (acknowledgements, a table sent to another host, the test
 * speaker).
 *
 * Shape
 * -----
 * Frame: version 1 (8 bits), type 1 = netlink (8 bits), length of the whole
 * frame with its header (16 bits, network order); then one or more netlink
 * messages in host byte order, each aligned to 4 bytes (what FRR's
 * dplane_fpm_nl sends; facts from zebra's FPM documentation and rtnetlink(7)).
 *
 * Invariants
 * ----------
 * Every length is checked before it is used; nothing is read beyond 'size'.  A
 * message that is refused changes no output.  No allocation depends on a
 * length the peer gives.
 *
 * Threads: pure functions; a struct xf_wire_msg belongs to its caller. */

#include <stddef.h>
#include <stdint.h>

#include "core/rule-table.h"

#define XF_WIRE_HEADER_SIZE 4
#define XF_WIRE_MAX_FRAME 65535

enum xf_wire_type {
    XF_WIRE_ROUTE_ADD,          /* RTM_NEWROUTE */
    XF_WIRE_ROUTE_DEL,          /* RTM_DELROUTE */
    XF_WIRE_NEXTHOP_ADD,        /* RTM_NEWNEXTHOP, single or blackhole */
    XF_WIRE_NEXTHOP_GROUP_ADD,  /* RTM_NEWNEXTHOP with NHA_GROUP */
    XF_WIRE_NEXTHOP_DEL,        /* RTM_DELNEXTHOP */
    XF_WIRE_NEIGH_ADD,          /* RTM_NEWNEIGH, usable states */
    XF_WIRE_NEIGH_DEL,          /* RTM_DELNEIGH, or state failed */
    XF_WIRE_ADDR_ADD,           /* RTM_NEWADDR */
    XF_WIRE_ADDR_DEL,           /* RTM_DELADDR */
    XF_WIRE_LINK_ADD,           /* RTM_NEWLINK */
    XF_WIRE_LINK_DEL,           /* RTM_DELLINK */
    XF_WIRE_END,                /* NLMSG_DONE: the speaker's dump is complete */
    XF_WIRE_NEIGH_USE,          /* RTM_NEWNEIGH with NTF_USE: host to guest. */
    XF_WIRE_HELLO,              /* XF_NLMSG_HELLO: see core/wire-guest.h. */
    XF_WIRE_LOAD,               /* XF_NLMSG_LOAD */
    XF_WIRE_RESYNC,             /* XF_NLMSG_RESYNC */
    XF_WIRE_COPY,               /* XF_NLMSG_COPY: see core/wire-copy.h. */
    XF_WIRE_COUNTS,             /* XF_NLMSG_COUNTS */
    XF_WIRE_IGNORED,            /* Well formed, of no interest: other tables
                                 * than main and local, multicast, cloned
                                 * routes, NLMSG_NOOP, bridge families... */
};
const char *xf_wire_type_name(enum xf_wire_type);

/* Why bytes were refused; one counter each. */
#define XF_WIRE_ERRORS                                                    \
    XF_WIRE_ERROR(VERSION, "bad-version")     /* FPM version not 1. */    \
    XF_WIRE_ERROR(PROTO, "bad-protocol")      /* FPM type not netlink. */ \
    XF_WIRE_ERROR(FRAME, "bad-frame-length")                              \
    XF_WIRE_ERROR(TRUNCATED, "truncated")     /* A length beyond its
                                               * container. */            \
    XF_WIRE_ERROR(TYPE, "unknown-type")       /* nlmsg_type. */           \
    XF_WIRE_ERROR(FAMILY, "bad-family")                                   \
    XF_WIRE_ERROR(ATTR, "bad-attribute")      /* Wrong size or nonsense */\
    XF_WIRE_ERROR(MISSING, "missing-attribute")                           \
    XF_WIRE_ERROR(RANGE, "out-of-range")      /* Prefix length, counts. */\
    XF_WIRE_ERROR(ENCAP, "unsupported-encap") /* MPLS, SRv6... */
enum xf_wire_error {
    XF_WIRE_OK = 0,
#define XF_WIRE_ERROR(ENUM, NAME) XF_WIRE_E_##ENUM,
    XF_WIRE_ERRORS
#undef XF_WIRE_ERROR
    XF_N_WIRE_ERRORS
};
const char *xf_wire_error_name(enum xf_wire_error);

/* A decoded message.  Self-contained, but for 'body': 'route.nexthops' points
 * into 'nexthops' of the same struct. */
struct xf_wire_msg {
    enum xf_wire_type type;
    uint32_t seq;               /* nlmsg_seq, for the acknowledgement. */
    uint32_t pid;               /* nlmsg_pid, likewise. */
    bool ack;                   /* NLM_F_ACK: the speaker wants an answer. */
    bool replace;               /* NLM_F_REPLACE. */
    uint16_t nlmsg_type;        /* Raw, for logs. */

    struct xf_route_spec route; /* ROUTE_*: in DEL, 'metric' UINT32_MAX if the
                                 * message gives none. */
    struct xf_nexthop nexthops[XF_NH_MAX];
    size_t n_nexthops;

    uint32_t nexthop_id;        /* NEXTHOP_*. */
    bool blackhole;             /* NEXTHOP_ADD. */
    struct xf_nexthop_ref members[XF_NH_MAX]; /* NEXTHOP_GROUP_ADD. */
    size_t n_members;

    const uint8_t *body;        /* LOAD, COPY, COUNTS: inside the payload, */
    size_t body_size;           /* for the decoder of that. */

    uint32_t ifindex;           /* NEIGH_*, ADDR_*, LINK_*. */
    struct in6_addr ip;         /* NEIGH_*, ADDR_*. */
    uint8_t prefix_len;         /* ADDR_*. */
    bool temporary;             /* ADDR_*: not IFA_F_PERMANENT. */
    struct eth_addr mac;        /* NEIGH_ADD, LINK_ADD (zeros: not given). */
    bool permanent;             /* NEIGH_ADD: NUD_PERMANENT or NUD_NOARP. */
    bool confirmed;             /* NEIGH_ADD: NUD_REACHABLE or permanent. */
    char ifname[XF_NAME_MAX];   /* LINK_*, or ""; HELLO: the guest's name. */
    uint32_t mtu;               /* LINK_ADD, 0: not given. */
    bool up;                    /* LINK_ADD: IFF_UP and IFF_RUNNING. */
};

/* Looks at the start of a stream.  Returns the size of the frame at 'data' if
 * its header is whole and valid (the frame itself may still be incomplete);
 * 0 if more bytes are needed to tell; a negative enum xf_wire_error if the
 * stream is beyond repair (the caller must disconnect). */
int xf_wire_frame_size(const void *data, size_t size);

/* Decodes the next netlink message of a frame's payload.  'payload' and 'size'
 * are advanced past it, also past one that is refused, so that the next one
 * can be tried; on XF_WIRE_E_TRUNCATED 'size' becomes 0.
 * Returns XF_WIRE_OK, or why the message was refused ('msg' then holds only
 * seq, pid, ack and nlmsg_type as far as they could be read, else zeros). */
enum xf_wire_error xf_wire_decode(const uint8_t **payload, size_t *size,
                                  struct xf_wire_msg *msg);

/* Encodes 'msg' as one whole FPM frame.  Returns its size, or 0 if 'capacity'
 * is too small or 'msg' can't be encoded. */
size_t xf_wire_encode(const struct xf_wire_msg *msg, void *buffer,
                      size_t capacity);

/* Encodes NLMSG_ERROR with 'error' (0: done, in the datapath; else a positive
 * errno) as an answer to (seq, pid, nlmsg_type). */
size_t xf_wire_encode_ack(uint32_t seq, uint32_t pid, uint16_t nlmsg_type,
                          int error, void *buffer, size_t capacity);

/* Reads such an answer from one whole frame.  False if it is something else. */
bool xf_wire_decode_ack(const void *frame, size_t size, uint32_t *seq,
                        int *error);

/* Formats 'msg' on one line for logs and tests, e.g.
 * "route-add 10.1.0.0/16 unicast proto 188 metric 20 via 10.0.1.2 ifindex 2
 * weight 1".  The caller frees the string. */
char *xf_wire_msg_to_string(const struct xf_wire_msg *msg);

#endif /* core/wire.h */
