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

#ifndef XENFLOW_SWITCH_H
#define XENFLOW_SWITCH_H 1

/* What the engine needs of a switch.  The seam implements it over ofproto-dpif;
 * the tests implement it with a fake.
 *
 * Threads: as said at each member. */

#include "core/rule-table-fib.h"

struct ds;

/* Counters of a router's datapath action. */
struct xf_dp_stats {
    uint64_t n_forwarded, n_forwarded_bytes;
    uint64_t n_punted[XF_N_PUNT_REASONS];
    uint64_t n_punt_limited[XF_N_PUNT_REASONS]; /* Dropped by the limit. */
    uint64_t n_dropped;         /* Blackhole. */
};

/* Frames that wait for a router's machine (transfer-show). */
struct xf_hold_stats {
    uint64_t n_held;            /* Waiting now. */
    uint64_t n_dropped;         /* By full queues, or for segments that are no
                                 * more. */
    uint64_t n_released;
};

struct xf_switch {
    /* Engine's thread.  Asks for a revalidation of all cached translations
     * that begins after this call.  Returns a ticket > 0. */
    uint64_t (*revalidate)(const struct xf_switch *);

    /* Engine's thread.  True once the revalidation of 'ticket' is complete (at
     * once if the switch has no datapath). */
    bool (*revalidated)(const struct xf_switch *, uint64_t ticket);

    /* Engine's thread.  Arranges for poll_block() to wake when revalidated()
     * may have changed. */
    void (*revalidated_wait)(const struct xf_switch *, uint64_t ticket);

    /* Engine's thread.  Sends an Ethernet frame (no VLAN header; copied) into
     * the segment of 'vlan', as coming from the router's port.  May drop. */
    void (*inject)(const struct xf_switch *, const char *router,
                   uint16_t vlan, const void *frame, size_t size);

    /* Engine's thread.  Sends an Ethernet frame (no VLAN header; copied) by the
     * switch's port 'port', with a tag of 'vlan' unless that is 0.  It doesn't
     * pass flow tables.  May drop. */
    void (*output)(const struct xf_switch *, const char *port, uint16_t vlan,
                   const void *frame, size_t size);

    /* Engine's thread.  Whether the switch has a port called 'port'; of bridges
     * without a port of a router only those of hops are known. */
    bool (*port_exists)(const struct xf_switch *, const char *port);

    /* Engine's thread.  What is for the machine of router 'id' waits in the
     * datapath where translations say so (xf_router_is_holding()). */
    void (*hold_begin)(const struct xf_switch *, uint32_t id);
    /* Releases what waits in segment 'vlan', to port 'vif'; with 'vif' NULL, as
     * the last: what is left waits no more. */
    void (*hold_release)(const struct xf_switch *, uint32_t id,
                         const char *router, uint16_t vlan, const char *vif);
    /* Whether nothing waits any more. */
    bool (*hold_released)(const struct xf_switch *, uint32_t id);
    /* False if the router never held anything. */
    bool (*hold_stats)(const struct xf_switch *, uint32_t id,
                       struct xf_hold_stats *);

    /* Engine's thread.  Router 'id' begins and ends to exist for the datapath:
     * its counters and its punt limiter.  'punt_rate' is packets per second,
     * 0 for no limit; add again to change it. */
    void (*router_add)(const struct xf_switch *, uint32_t id,
                       const char *name, uint32_t punt_rate);
    void (*router_del)(const struct xf_switch *, uint32_t id);

    /* Engine's thread.  Makes 'rt', which lives as long as the router and has
     * its compiled form, the table by which the datapath looks its packets up,
     * with 'seed' for xf_flow_hash(). */
    void (*router_set_table)(const struct xf_switch *, uint32_t id,
                             const struct xf_rt *rt, uint32_t seed);

    /* Engine's thread.  Whether the datapath of the bridge that has the port of
     * 'router' looks packets up; true as long as no bridge has it. */
    bool (*has_fib)(const struct xf_switch *, const char *router);

    /* Where compiled tables live; NULL: the heap. */
    const struct xf_fib_mem *fib_mem;

    /* Engine's thread.  Sets 'get' and 'aux' of a reader of what datapath
     * threads have counted for router 'id', good for this turn and until the
     * next call for that 'kind'. */
    void (*router_counts)(const struct xf_switch *, uint32_t id,
                          enum xf_rt_counted kind, struct xf_counted_reader *);

    /* Engine's thread.  Adds what datapath threads looked up and forwarded for
     * router 'id' since the last time to the statistics of its port. */
    void (*router_account)(const struct xf_switch *, uint32_t id,
                           const char *name);

    /* Engine's thread.  False if there is no such router. */
    bool (*router_stats)(const struct xf_switch *, uint32_t id,
                         struct xf_dp_stats *);

    /* Engine's thread.  Where the router's ports are bound, for show commands:
     * fills 'bridge' (empty if the router's port doesn't exist). */
    void (*router_binding)(const struct xf_switch *, const char *router,
                           char bridge[XF_NAME_MAX]);
    /* Likewise: whether the switch has a port called 'vif' in that bridge. */
    bool (*vif_exists)(const struct xf_switch *, const char *router,
                       const char *vif);

    /* Engine's thread.  Calls 'cb' for each MAC that the bridge of the port of
     * element 'router' knows in 'vlan', with the name of the port it is behind
     * ("" if that is gone) and its age, -1 if it is static, until it returns
     * false. */
    void (*for_each_mac)(const struct xf_switch *, const char *router,
                         uint16_t vlan,
                         bool (*cb)(struct eth_addr, const char *port,
                                    int age_s, void *aux),
                         void *aux);

    /* Engine's thread.  Calls 'cb' for each datapath flow whose actions name
     * router 'id', with text of match and actions as dpctl/dump-flows gives,
     * until it returns false.  Returns 0 or a positive errno. */
    int (*dump_flows)(const struct xf_switch *, uint32_t id,
                      bool (*cb)(const char *flow, uint64_t n_packets,
                                 uint64_t n_bytes, long long int used_ms,
                                 const char *actions, void *aux),
                      void *aux);
};

#endif /* xenflow/switch.h */
