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


#ifndef XF_SLICE_PRIVATE_H
#define XF_SLICE_PRIVATE_H 1

/* What the files of slice/ share.  See slice.h. */

#include "slice/slice.h"

#include "bitmap.h"
#include "byte-order.h"
#include "flow.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-errors.h"
#include "openvswitch/ofp-flow.h"
#include "openvswitch/ofp-msgs.h"
#include "openvswitch/ofp-port.h"
#include "openvswitch/ofp-protocol.h"
#include "openvswitch/ofpbuf.h"
#include "unaligned.h"
#include "util.h"

/* The one protocol spoken on both sides. */
#define XF_OFP OFP13_VERSION
#define XF_OFPUTIL OFPUTIL_P_OF13_OXM

/* OpenFlow 1.3 on the wire, where it's looked at before it is decoded. */
#define XF_OFPT_EXPERIMENTER 4
#define XF_OFPT_GROUP_MOD 15
#define XF_OFPT_METER_MOD 29
#define XF_OFPMP_EXPERIMENTER 0xffff
#define XF_OFPMPF_MORE 1
#define XF_NO_BUFFER UINT32_MAX
struct xf_multipart {
    struct ofp_header header;
    ovs_be16 type;
    ovs_be16 flags;
    ovs_be32 pad;
};
BUILD_ASSERT_DECL(sizeof(struct xf_multipart) == 16);

/* Metadata: the upper half is ours (virtual input port), the lower half the
 * controller's. */
#define XF_METADATA_OURS UINT64_C(0xffffffff00000000)
#define XF_METADATA_SHIFT 32

/* Groups of the switch: slice's first table << XF_GROUP_SHIFT, then either
 * the controller's number or, with XF_GROUP_OURS, kind and virtual port. */
#define XF_GROUP_SHIFT 20
#define XF_GROUP_OURS 0x80000
#define XF_GROUP_KIND_SHIFT 17
#define XF_GROUP_PORT_MASK 0x1ffff
#define XF_GROUPS 65536         /* Numbers that a controller may use. */

/* What a group of ours does with a packet. */
enum xf_group_kind {
    XF_GROUP_OUT,               /* Out of the virtual port. */
    XF_GROUP_BACK,              /* Likewise, where it shares the port of the
                                 * switch that the packet came in by. */
    XF_GROUP_FLOOD,             /* Out of all virtual ports but this one. */
};

/* Meters of the switch: first table << XF_METER_SHIFT | controller's number. */
#define XF_METER_SHIFT 8
#define XF_METERS 256

/* Identifiers of messages to the switch: slot << 24 | counter.  Slot 0 is our
 * own, the slots of slices are their first tables. */
#define XF_XID_SHIFT 24
#define XF_XID_MASK ((1u << XF_XID_SHIFT) - 1)

/* Cookies of our flows in table 0: "XFS" (24 bits), table, identity. */
#define XF_COOKIE UINT64_C(0x5846530000000000)
#define XF_COOKIE_MASK UINT64_C(0xffffff0000000000)
#define XF_DISPATCH_PRIORITY 65000

#define XF_MAX_ACTIONS 128      /* In a flow, a bucket, a packet-out. */
#define XF_MAX_COPIES 128       /* Of a packet by these; by a group at all. */
#define XF_GROUP_COPIES 32      /* That an action with a group counts as. */
#define XF_FLOWS_PER_WORK 64    /* Looked through for one message's worth. */
#define XF_MAX_BUCKETS 64       /* In a group. */
#define XF_MAX_GROUP_SIZE 16384 /* Bytes of actions of all its buckets. */
#define XF_RECENT 1024          /* Messages whose errors can be mapped. */
#define XF_MAX_PENDING 64       /* Requests under way, per slice. */
#define XF_PENDING_MS 30000     /* After that an answer won't come. */
#define XF_POLL_MS 1000         /* Between counts of flows. */
#define XF_HEAD 64              /* Of a message, quoted in an error. */

/* A message that went to the switch. */
struct xf_recent {
    uint32_t xid;               /* As the switch knows it.  0: none. */
    size_t size;                /* Bytes in 'head'. */
    uint8_t head[XF_HEAD];      /* The controller's message. */
};

/* A request under way: one of a controller, or of ours, that became one or
 * more for the switch. */
struct xf_pending {
    struct ovs_list node;       /* In 'pending' of slice or switch. */
    enum ofptype type;          /* Of the request. */
    uint32_t first;             /* First xid at the switch. */
    uint32_t n;                 /* How many xids from there. */
    uint32_t n_left;            /* Of them still unanswered. */
    long long int begin_ms;
    bool ours;                  /* Of the slice, but not the controller's. */
    uint64_t mark;              /* Count of flows: adds before the request. */
    uint32_t n_active;          /* Count of flows: so far. */
    struct ofputil_aggregate_stats sum; /* For aggregate requests. */
    struct ofpbuf *request;     /* The controller's. */
};

/* A virtual port. */
struct xf_vport {
    struct xf_slice_port_config config;
    bool shared;                /* Other ports of the slice are on the same
                                 * port of the switch. */
    bool bound;                 /* The switch has the port. */
    struct ofputil_phy_port phy; /* If 'bound': as the switch has it. */
};

/* A group of the switch.  Those of ours have one output per bucket. */
struct xf_frame_group {
    uint32_t id;                /* As the switch numbers it. */
    bool known;                 /* It is one as we make them: what follows. */
    size_t n_outputs;
    uint32_t outputs[XF_SLICE_MAX_PORTS]; /* Each VLAN << 16 | port. */
};

/* A flow of ours in table 0. */
struct xf_dispatch {
    ofp_port_t port_no;         /* Port of the switch. */
    uint16_t vlan;              /* 0: all of it. */
    uint16_t number;            /* The virtual port. */
};

/* A flow in table 0 with a cookie of ours that the switch had already. */
struct xf_found {
    struct ovs_list node;       /* In struct xf_slice_switch's 'found'. */
    struct minimatch match;
    uint16_t priority;
    uint64_t cookie;
    bool known;                 /* It is one as we make them: what follows. */
    struct xf_dispatch dispatch;
    uint8_t table_id;           /* Where it leads. */
};

/* A slice. */
struct xf_slice {
    struct ovs_list node;       /* In struct xf_slice_switch's 'slices'. */
    struct xf_slice_switch *sw;
    unsigned int generation;    /* Unlike that of any slice before. */
    struct xf_slice_config config;
    struct xf_vport ports[XF_SLICE_MAX_PORTS]; /* config.n_ports of them. */
    bool tagged;                /* Has a port that is a VLAN. */
    bool ready;                 /* The switch holds its frame. */
    const char *unready;        /* Why it isn't, if not the connection. */

    /* Its frame: what of ours the switch holds. */
    struct xf_frame_group *frame_groups; /* Groups of ours. */
    size_t n_frame_groups, allocated_frame_groups;
    struct xf_dispatch dispatch[XF_SLICE_MAX_PORTS]; /* Flows in table 0. */
    size_t n_dispatch;

    /* Towards the switch. */
    uint32_t next_xid;          /* Counter part. */
    struct xf_recent *recent;   /* XF_RECENT of them, by xid. */
    struct ovs_list pending;    /* Contains struct xf_pending. */
    size_t n_pending;
    unsigned long *groups;      /* Bitmap of the controller's groups. */
    size_t n_groups;
    unsigned long *meters;      /* Bitmap of the controller's meters. */
    size_t n_meters;
    uint64_t n_adds;            /* Flows added since connected. */
    uint64_t adds_counted;      /* Adds that 'n_flows' includes. */
    uint32_t n_flows;           /* By the switch's last count. */
    bool counted;               /* 'n_flows' is known. */
    bool counting;              /* A count is under way. */
    long long int counted_ms;   /* When it began. */

    /* Towards the controller. */
    bool connected;
    enum ofp12_controller_role role;
    bool have_generation_id;
    uint64_t generation_id;
    uint16_t miss_send_len;
    struct ofputil_async_cfg async;
    long long int tokens_ms;    /* Packet-in limit: time of last refill. */
    uint64_t tokens;            /* In thousandths. */

    struct xf_slice_counters counters;
    char *last_refusal;         /* A sentence, or null. */
};

/* State of the conversation with a switch. */
enum xf_sync {
    XF_SYNC_DOWN,               /* Not connected. */
    XF_SYNC_ASKED,              /* Asked what there is. */
    XF_SYNC_READY,
};

struct xf_slice_switch {
    char *name;
    const struct xf_slice_ops *ops;
    void *aux;
    struct ovs_list slices;     /* Contains struct xf_slice. */
    unsigned int last_generation;
    enum xf_sync sync;
    uint32_t next_xid;
    uint32_t barrier;           /* Ends what was asked; its xid. */

    /* What the switch said. */
    uint64_t dpid;
    int n_tables;
    struct ofputil_phy_port *ports;
    size_t n_ports, allocated_ports;
    struct ovs_list found;      /* Contains struct xf_found: our flows. */
    struct xf_frame_group *groups; /* Groups in our range of numbers. */
    size_t n_groups, allocated_groups;
    uint32_t *meters;
    size_t n_meters, allocated_meters;

    uint64_t n_errors;          /* Errors about our own messages. */
    uint64_t n_foreign;         /* Packet-ins and such of nobody. */
    uint64_t n_lost;            /* Replies of nobody. */
};

/* slice.c */
enum ofperr xf_refuse(struct xf_slice *, enum xf_slice_refusal, enum ofperr,
                      const char *format, ...) OVS_PRINTF_FORMAT(4, 5);
void xf_to_controller(struct xf_slice *, struct ofpbuf *);
void xf_list_to_controller(struct xf_slice *, struct ovs_list *, bool more);
uint32_t xf_to_switch(struct xf_slice *, struct ofpbuf *,
                      const struct ofp_header *origin);
enum ofperr xf_change_to_switch(struct xf_slice *, struct ofpbuf *,
                                const struct ofp_header *origin);
void xf_event(struct xf_slice_switch *, struct xf_slice *,
              const char *format, ...) OVS_PRINTF_FORMAT(3, 4);
struct xf_pending *xf_pending_add(struct xf_slice *, enum ofptype,
                                  const struct ofp_header *request,
                                  long long int now_ms);
void xf_pending_send(struct xf_slice *, struct xf_pending *, struct ofpbuf *);
void xf_pending_destroy(struct xf_slice *, struct xf_pending *);
void xf_pending_clear(struct xf_slice *);
struct xf_vport *xf_vport_find(const struct xf_slice *, uint32_t number);

static inline uint8_t
xf_n_tables(const struct xf_slice *slice)
{
    return slice->config.last_table - slice->config.first_table + 1;
}

/* Charges 'slice' for the switch looking through all of its flows. */
static inline void
xf_charge_flows(struct xf_slice *slice)
{
    slice->counters.work += slice->n_flows / XF_FLOWS_PER_WORK;
}

static inline uint32_t
xf_group_base(const struct xf_slice *slice)
{
    return (uint32_t) slice->config.first_table << XF_GROUP_SHIFT;
}

static inline uint32_t
xf_group_ours(const struct xf_slice *slice, enum xf_group_kind kind,
              uint16_t port)
{
    return (xf_group_base(slice) | XF_GROUP_OURS
            | (uint32_t) kind << XF_GROUP_KIND_SHIFT | port);
}

static inline uint32_t
xf_meter_base(const struct xf_slice *slice)
{
    return (uint32_t) slice->config.first_table << XF_METER_SHIFT;
}

/* translate.c: all that confinement rests on. */

/* Where actions stand. */
struct xf_action_scope {
    enum { XF_IN_FLOW, XF_IN_BUCKET, XF_IN_PACKET_OUT } where;
    uint32_t in_port;           /* Virtual input port, 0 if unknown. */
    size_t n_copies;            /* Of a packet that actions made so far. */
};
enum ofperr xf_match_to_switch(struct xf_slice *, struct match *,
                               uint32_t *in_portp);
enum ofperr xf_actions_to_switch(struct xf_slice *, struct xf_action_scope *,
                                 const struct ofpact *, size_t,
                                 struct ofpbuf *out);
bool xf_match_from_switch(const struct xf_slice *, struct match *);
void xf_actions_from_switch(const struct xf_slice *, uint32_t in_port,
                            const struct ofpact *, size_t,
                            struct ofpbuf *out);
void xf_put_push_tag(struct ofpbuf *out, uint16_t vlan);

bool xf_is_packet_field(int mf_field_id);

/* features.c */
void xf_features_request(struct xf_slice *, const struct ofp_header *);
void xf_desc_request(struct xf_slice *, const struct ofp_header *);
void xf_port_desc_request(struct xf_slice *, const struct ofp_header *);
enum ofperr xf_table_features_request(struct xf_slice *,
                                      const struct ofp_header *);

/* modify.c */
enum ofperr xf_flow_mod(struct xf_slice *, const struct ofp_header *);
enum ofperr xf_packet_out(struct xf_slice *, const struct ofp_header *);
enum ofperr xf_filter_groups(struct xf_slice *, ofp_port_t out_port,
                             uint32_t out_group, uint32_t groups[2],
                             size_t *n_groups);

/* group.c */
enum ofperr xf_group_mod(struct xf_slice *, const struct ofp_header *);
enum ofperr xf_meter_mod(struct xf_slice *, const struct ofp_header *);
enum ofperr xf_group_request(struct xf_slice *, enum ofptype,
                             const struct ofp_header *, long long int now_ms);
enum ofperr xf_meter_request(struct xf_slice *, enum ofptype,
                             const struct ofp_header *, long long int now_ms);
void xf_group_reply(struct xf_slice *, const struct xf_pending *,
                    const struct ofp_header *, struct ovs_list *replies);
void xf_meter_reply(struct xf_slice *, const struct xf_pending *,
                    const struct ofp_header *, struct ovs_list *replies);

/* stats.c */
enum ofperr xf_stats_request(struct xf_slice *, enum ofptype,
                             const struct ofp_header *, long long int now_ms);
void xf_stats_reply(struct xf_slice *, struct xf_pending *,
                    const struct ofp_header *, bool last);
void xf_count_flows(struct xf_slice *, long long int now_ms);
struct ofputil_phy_port xf_vport_desc(const struct xf_slice *,
                                      const struct xf_vport *);

/* sync.c: what the switch holds when it connects. */
void xf_sync_start(struct xf_slice_switch *);
bool xf_sync_reply(struct xf_slice_switch *, enum ofptype,
                   const struct ofp_header *);
void xf_sync_clear(struct xf_slice_switch *);

/* frame.c: what the switch holds for a slice, apart from what its controller
 * put there. */
uint64_t xf_frame_cookie(const struct xf_slice *);
void xf_frame_init(struct xf_slice *);
void xf_frame_reset(struct xf_slice *);
void xf_frame_wipe(struct xf_slice *);
void xf_frame_remove(struct xf_slice *);
void xf_frame_install(struct xf_slice *);
void xf_frame_reconfigure(struct xf_slice *, const struct xf_slice_config *,
                          int round);
void xf_frame_port_status(struct xf_slice_switch *,
                          const struct ofputil_port_status *);
void xf_frame_repair(struct xf_slice *, uint64_t cookie);
bool xf_frame_wants(const struct xf_slice *, const struct xf_found *);
void xf_frame_have_group(struct xf_slice *, const struct xf_frame_group *);
void xf_frame_have_dispatch(struct xf_slice *, const struct xf_found *);
void xf_delete_group(struct xf_slice *, uint32_t group_id);
void xf_delete_meter(struct xf_slice *, uint32_t meter_id);

#endif /* xenflow-ext/slice/slice-private.h */
