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


#ifndef XF_SLICE_SLICE_H
#define XF_SLICE_SLICE_H 1

/* Slices of an OpenFlow switch.
 *
 * What
 * ====
 *
 * A slice is a set of virtual ports, each a port of a switch or a VLAN on one,
 * a range of the switch's flow tables, and an OpenFlow 1.3 controller that
 * sees nothing but these.  Towards the controller the slice is a switch of its
 * own; towards the switch all of its slices are one controller.
 *
 * Why confinement holds
 * =====================
 *
 * Table 0 of the switch sends a packet of (port, VLAN) to the first table of
 * the slice that has that virtual port, its VLAN tag popped and the number of
 * the virtual port in the upper half of the packet's metadata.  From there:
 *
 *   - The controller's flows go into the slice's tables only, and
 *     goto_table stays in them.  So no flow of a slice ever sees a packet of
 *     another.
 *
 *   - Flows name no physical port.  A match of in_port becomes one of the
 *     metadata's upper half, which a controller can neither match nor write.
 *     An output becomes a group that belongs to the slice but not to its
 *     controller: it pushes the virtual port's tag and outputs to its port.
 *     What the controller set or pushed before is then inside of that tag.
 *
 *   - All that remains of actions is a short list (slice/translate.c), and of
 *     messages another (slice/request.c).  What isn't in them is refused.
 *
 * So a controller's flow is one flow of the switch.  Nothing has to be joined
 * when statistics are read, a delete of "all" is a delete of all in a few
 * tables, and no table of flows is kept here: if this process or the
 * controller dies, the switch goes on, and a later instance goes on from what
 * is in the switch.  If a port gets another number, only its groups change.
 *
 * Shape
 * =====
 *
 * Pure: a message, or bytes, and the time come in; messages and events go out
 * through callbacks.  No I/O, no clock, no log.
 *
 *     controller --> xf_slice_from_controller() --> transmit(NULL, to switch)
 *                              |
 *                              +--> transmit(slice, answers and errors)
 *
 *     switch --> xf_slice_switch_receive() --> transmit(slice, ...)
 *                              |
 *                              +--> transmit(NULL, repairs)
 *
 * Numbers: virtual ports 1 to 65279, chosen by the operator; tables 0 to n - 1
 * are the switch's FIRST to LAST; groups 0 to 65535 are the switch's from
 * FIRST << 20; meters 1 to 255 are the switch's from FIRST << 8.
 *
 * Cost: O(message) and, where a message concerns all tables, O(tables of the
 * slice).  Memory per slice is bounded: 1024 recent messages (to map errors),
 * 64 requests under way, 8 kB for the groups.
 *
 * Invariants: a message for the switch has passed the functions of
 * slice/translate.c; a reply of the switch reaches only the slice whose
 * request it answers, found by its xid, which no controller chooses.
 *
 * Threads: none; objects that share a switch are used by one thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "openvswitch/list.h"
#include "openvswitch/types.h"

struct ds;
struct ofpbuf;
struct xf_slice;
struct xf_slice_switch;

#define XF_SLICE_MAX_PORTS 64
#define XF_SLICE_NAME_LEN 31
#define XF_SLICE_REMOTE_LEN 255
#define XF_SLICE_PORT_NAME_LEN 15       /* As OpenFlow 1.3 has it. */

/* Configuration: a file's text becomes one of these, or a sentence. */

/* A virtual port. */
struct xf_slice_port_config {
    uint16_t number;            /* What the controller calls it. */
    uint16_t vlan;              /* 1 to 4094, or 0: the whole port. */
    char name[XF_SLICE_PORT_NAME_LEN + 1]; /* Port of the switch. */
};

/* A slice. */
struct xf_slice_config {
    struct ovs_list node;       /* In struct xf_slice_file's 'slices'. */
    int line;                   /* Where the file has it. */
    char name[XF_SLICE_NAME_LEN + 1];
    char switch_name[XF_SLICE_NAME_LEN + 1];
    char remote[XF_SLICE_REMOTE_LEN + 1]; /* Its controller. */
    uint64_t dpid;              /* Of the slice as a switch. */
    uint8_t first_table;        /* Tables of the switch: from here... */
    uint8_t last_table;         /* ...to here. */
    uint32_t max_flows;
    uint32_t max_groups;        /* 0: groups are refused. */
    uint32_t max_meters;        /* 0: meters are refused. */
    uint32_t packet_in_pps;     /* Most packet-ins per second. */
    uint32_t message_rate;      /* Most messages taken per second. */
    size_t n_ports;
    struct xf_slice_port_config ports[XF_SLICE_MAX_PORTS];
};

/* A switch. */
struct xf_slice_switch_config {
    struct ovs_list node;       /* In struct xf_slice_file's 'switches'. */
    int line;
    char name[XF_SLICE_NAME_LEN + 1];
    char remote[XF_SLICE_REMOTE_LEN + 1];
};

/* A whole file. */
struct xf_slice_file {
    struct ovs_list switches;   /* Contains struct xf_slice_switch_config. */
    struct ovs_list slices;     /* Contains struct xf_slice_config. */
};

char *xf_slice_file_parse(const char *text, struct xf_slice_file *)
    OVS_WARN_UNUSED_RESULT;
void xf_slice_file_uninit(struct xf_slice_file *);
const struct xf_slice_switch_config *xf_slice_file_find_switch(
    const struct xf_slice_file *, const char *name);

/* Why a controller's message was refused: what is counted. */
enum xf_slice_refusal {
    XF_SLICE_R_MALFORMED,       /* Not OpenFlow 1.3, or contradicts itself. */
    XF_SLICE_R_MESSAGE,         /* A message that slices don't have. */
    XF_SLICE_R_EXPERIMENTER,    /* An extension: message, match or action. */
    XF_SLICE_R_MATCH,           /* A field that can't be matched. */
    XF_SLICE_R_ACTION,          /* An action or instruction. */
    XF_SLICE_R_PORT,            /* A port that isn't the slice's. */
    XF_SLICE_R_TABLE,           /* A table that isn't the slice's. */
    XF_SLICE_R_GROUP,
    XF_SLICE_R_METER,
    XF_SLICE_R_METADATA,        /* The half that isn't the controller's. */
    XF_SLICE_R_BUFFER,          /* There are no buffers. */
    XF_SLICE_R_LIMIT,           /* A maximum of the slice is reached. */
    XF_SLICE_R_SECONDARY,       /* The controller made itself secondary. */
    XF_SLICE_N_REFUSALS
};
const char *xf_slice_refusal_to_string(enum xf_slice_refusal);

/* Counters of a slice, since it was configured. */
struct xf_slice_counters {
    uint64_t from_controller;   /* Messages. */
    uint64_t to_controller;
    uint64_t to_switch;
    uint64_t work;              /* What the switch had to do for it: messages,
                                 * and more where it looks at many flows. */
    uint64_t packet_ins;        /* Passed on. */
    uint64_t packet_ins_limited; /* Dropped: over the rate. */
    uint64_t packet_outs;
    uint64_t switch_errors;     /* Errors of the switch, passed on. */
    uint64_t refused[XF_SLICE_N_REFUSALS];
};

/* What leaves the pure part. */
struct xf_slice_ops {
    /* Sends 'msg', whose ownership goes over, to the controller of 'slice' or,
     * if that is null, to the switch. */
    void (*transmit)(void *aux, struct xf_slice *slice, struct ofpbuf *msg);

    /* Something an operator may want to read in a log.  'slice' is null if it
     * concerns the switch. */
    void (*event)(void *aux, struct xf_slice *slice, const char *sentence);
};

/* Switches. */
struct xf_slice_switch *xf_slice_switch_create(const char *name,
                                               const struct xf_slice_ops *,
                                               void *aux);
void xf_slice_switch_destroy(struct xf_slice_switch *);
void xf_slice_switch_configure(struct xf_slice_switch *,
                               const struct xf_slice_file *);
void xf_slice_switch_connected(struct xf_slice_switch *);
void xf_slice_switch_disconnected(struct xf_slice_switch *);
bool xf_slice_switch_is_ready(const struct xf_slice_switch *);
void xf_slice_switch_receive(struct xf_slice_switch *, struct ofpbuf *,
                             long long int now_ms);
void xf_slice_switch_run(struct xf_slice_switch *, long long int now_ms);
struct xf_slice *xf_slice_switch_find(const struct xf_slice_switch *,
                                      const char *name);
struct ovs_list *xf_slice_switch_slices(struct xf_slice_switch *);
void xf_slice_switch_format(const struct xf_slice_switch *, struct ds *);

/* Slices.  They belong to their switch: xf_slice_switch_configure() makes and
 * destroys them. */
struct xf_slice *xf_slice_from_node(const struct ovs_list *);
const struct xf_slice_config *xf_slice_get_config(const struct xf_slice *);
const struct xf_slice_counters *xf_slice_get_counters(const struct xf_slice *);
bool xf_slice_is_ready(const struct xf_slice *);
bool xf_slice_is_busy(const struct xf_slice *);
unsigned int xf_slice_generation(const struct xf_slice *);
void xf_slice_controller_connected(struct xf_slice *);
void xf_slice_controller_disconnected(struct xf_slice *);
void xf_slice_from_controller(struct xf_slice *, const struct ofpbuf *,
                              long long int now_ms);
void xf_slice_receive_bytes(struct xf_slice *, const void *, size_t,
                            long long int now_ms);
void xf_slice_format(const struct xf_slice *, struct ds *);
struct json *xf_slice_to_json(const struct xf_slice *);

#endif /* xenflow-ext/slice/slice.h */
