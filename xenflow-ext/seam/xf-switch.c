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

#include <config.h>

#include "seam/xf-switch.h"

#include <errno.h>

#include "connectivity.h"
#include "coverage.h"
#include "dp-packet.h"
#include "dpif.h"
#include "engine/engine.h"
#include "engine/link.h"
#include "flow.h"
#include "hash.h"
#include "latch.h"
#include "netdev.h"
#include "odp-util.h"
#include "ofproto/ofproto-dpif-upcall.h"
#include "ofproto/ofproto-dpif.h"
#include "ofproto/ofproto-provider.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/list.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/shash.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "ovs-thread.h"
#include "packets.h"
#include "seam/xf-credit.h"
#include "seam/xf-fwd.h"
#include "seam/xf-hold.h"
#include "seam/xf-mem.h"
#include "seam/xf-odp.h"
#include "seam/xf-ports.h"
#include "seq.h"
#include "sset.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_switch);

COVERAGE_DEFINE(xf_inject);
COVERAGE_DEFINE(xf_inject_dropped);
COVERAGE_DEFINE(xf_revalidate);

/* Frames, and releases of held ones, that may wait for the main thread. */
#define MAX_INJECTS 1024
/* Frames released in one run of the main thread, and runs after which frames
 * pass though some still wait. */
#define RELEASE_FRAMES (2 * XF_HOLD_FRAMES_MAX)
#define RELEASE_RUNS 4

enum inject_kind {
    INJECT_ROUTER,              /* As coming from the router 'port'. */
    INJECT_OUTPUT,              /* By 'port'. */
    INJECT_RELEASE,             /* What is held for router 'id' in 'vlan', by
                                 * 'port'. */
    INJECT_PASS,                /* Nothing is held for 'id' any more. */
};

/* A frame, or frames, on the way from the engine's thread to the main
 * thread. */
struct inject {
    struct ovs_list node;
    enum inject_kind kind;
    char port[XF_NAME_MAX];
    uint16_t vlan;
    uint32_t id;
    unsigned int n_runs;        /* That couldn't release all. */
    struct dp_packet *packet;   /* NULL: none. */
};

/* What one datapath still owes for the last revalidation asked for. */
struct owed {
    uint64_t udpif_ticket;
};

struct seam {
    struct xf_switch ops;       /* What the engine sees. */
    struct xf_engine *engine;

    OVSRCU_TYPE(struct xf_ports *) ports;
    uint64_t connectivity_seq;  /* 'ports' is as of this, */
    size_t n_fib;               /* and this, of xf_ports_count_fib(), */
    uint64_t links_seq;         /* and this. Main thread. */

    /* Revalidation: the engine raises 'asked'; the main thread brings 'begun'
     * and then 'done' up to it. */
    atomic_uint64_t asked;
    uint64_t begun;             /* Main thread. */
    atomic_uint64_t done;
    struct shash owed;          /* Of struct owed by backer type. Main. */
    struct seq *done_seq;       /* Changes when 'done' does. */
    struct xf_fwd_reader readers[XF_RT_N_COUNTED]; /* Engine's. */
    struct latch wakeup;        /* Wakes the main thread. */

    struct ovs_mutex mutex;
    struct ovs_list injects OVS_GUARDED; /* Of struct inject. */
    size_t n_injects OVS_GUARDED;
};

/* The one seam of the process: ovs-vswitchd's translations reach it from
 * anywhere and have nothing to hand to it. */
static ATOMIC(struct seam *) the_seam;

static struct seam *
seam_get(void)
{
    struct seam *s;

    atomic_read_explicit(&the_seam, &s, memory_order_acquire);
    return s;
}

struct xf_engine *
xf_switch_engine(void)
{
    struct seam *s = seam_get();

    return s ? s->engine : NULL;
}

static const struct xf_ports *
ports_get(const struct seam *s)
{
    return s ? ovsrcu_get(struct xf_ports *, &s->ports) : NULL;
}

ofp_port_t
xf_switch_port(const struct ofproto_dpif *ofproto, const char *name)
{
    const struct xf_port *p = xf_ports_find(ports_get(seam_get()), ofproto,
                                           name);
    return p ? p->ofp_port : OFPP_NONE;
}

static void
add_name(const char *name, void *names)
{
    sset_add(names, name);
}

/* Publishes the table of ports anew if ports may have changed. */
static void
run_ports(struct seam *s)
{
    uint64_t seq = seq_read(connectivity_seq_get());
    uint64_t links_seq = seq_read(xf_engine_links_seq(s->engine));
    size_t n_fib = xf_ports_count_fib();

    if (seq == s->connectivity_seq && n_fib == s->n_fib
        && links_seq == s->links_seq) {
        return;
    }
    s->connectivity_seq = seq;
    s->n_fib = n_fib;
    s->links_seq = links_seq;

    struct xf_ports *old = ovsrcu_get_protected(struct xf_ports *, &s->ports);
    struct sset hops = SSET_INITIALIZER(&hops);

    xf_link_table_get_ports(xf_engine_links(s->engine), add_name, &hops);
    struct xf_ports *table = xf_ports_create(&hops);
    sset_destroy(&hops);
    if (xf_ports_equals(old, table)) {
        xf_ports_destroy(table);
        return;
    }
    if (!hmap_is_empty(&table->ports)) {
        xf_engine_load(s->engine);
    }
    ovsrcu_set(&s->ports, table);
    ovsrcu_postpone(xf_ports_destroy, old);
    xf_engine_ports_changed(s->engine);

    uint64_t orig;
    atomic_add(&s->asked, 1, &orig);
}

/* ---- Revalidation. ---- */

static uint64_t
seam_revalidate(const struct xf_switch *sw)
{
    struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    uint64_t orig;

    atomic_add(&s->asked, 1, &orig);
    latch_set(&s->wakeup);
    return orig + 1;
}

static bool
seam_revalidated(const struct xf_switch *sw, uint64_t ticket)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    uint64_t done;

    atomic_read(&CONST_CAST(struct seam *, s)->done, &done);
    return done >= ticket;
}

static void
seam_revalidated_wait(const struct xf_switch *sw, uint64_t ticket)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    uint64_t seq = seq_read(s->done_seq);

    if (seam_revalidated(sw, ticket)) {
        poll_immediate_wake();
    } else {
        seq_wait(s->done_seq, seq);
    }
}

/* Begins a revalidation of every datapath if one was asked for. */
static void
begin_revalidation(struct seam *s)
{
    const struct shash_node *node;
    uint64_t asked;

    atomic_read(&s->asked, &asked);
    if (asked == s->begun) {
        return;
    }
    s->begun = asked;
    shash_clear_free_data(&s->owed);
    SHASH_FOR_EACH (node, &all_dpif_backers) {
        struct dpif_backer *backer = node->data;
        struct owed *owed = xmalloc(sizeof *owed);

        COVERAGE_INC(xf_revalidate);
        owed->udpif_ticket = udpif_revalidate_ticket(backer->udpif);
        shash_add(&s->owed, node->name, owed);
    }
}

/* True if every datapath that is still there has revalidated; if not, wakes
 * poll_block() when one does. */
static bool
nothing_owed(const struct seam *s)
{
    const struct shash_node *node;

    SHASH_FOR_EACH (node, &s->owed) {
        const struct owed *owed = node->data;
        const struct dpif_backer *backer
            = shash_find_data(&all_dpif_backers, node->name);

        if (backer && !udpif_revalidated(backer->udpif, owed->udpif_ticket)) {
            return false;
        }
    }
    return true;
}

static void
run_revalidation(struct seam *s)
{
    uint64_t done;

    atomic_read(&s->done, &done);
    if (done != s->begun && nothing_owed(s)) {
        done = s->begun;
        atomic_store(&s->done, done);
        seq_change(s->done_seq);
    }
    /* One after the other: if each request began anew, ports that keep
     * changing would keep all of them from being complete. */
    if (done == s->begun) {
        begin_revalidation(s);
    }
}

/* ---- Frames from the engine. ---- */

static void
inject_destroy(struct inject *in)
{
    dp_packet_delete(in->packet);
    free(in);
}

/* Hands 'in' to the main thread, unless it is a frame and there are too
 * many. */
static void
inject_post(const struct xf_switch *sw, struct inject *in)
{
    struct seam *s = CONTAINER_OF(sw, struct seam, ops);

    ovs_mutex_lock(&s->mutex);
    bool full = in->packet && s->n_injects >= MAX_INJECTS;
    if (!full) {
        ovs_list_push_back(&s->injects, &in->node);
        s->n_injects++;
    }
    ovs_mutex_unlock(&s->mutex);

    if (full) {
        COVERAGE_INC(xf_inject_dropped);
        inject_destroy(in);
    } else {
        latch_set(&s->wakeup);
    }
}

static void
inject_frame(const struct xf_switch *sw, enum inject_kind kind,
             const char *port, uint16_t vlan, const void *frame, size_t size)
{
    struct inject *in = xzalloc(sizeof *in);

    in->kind = kind;
    ovs_strlcpy(in->port, port, sizeof in->port);
    in->vlan = vlan;
    in->packet = dp_packet_clone_data_with_headroom(frame, size,
                                                    VLAN_HEADER_LEN);
    inject_post(sw, in);
}

static void
seam_inject(const struct xf_switch *sw, const char *router, uint16_t vlan,
            const void *frame, size_t size)
{
    inject_frame(sw, INJECT_ROUTER, router, vlan, frame, size);
}

static void
seam_output(const struct xf_switch *sw, const char *port, uint16_t vlan,
            const void *frame, size_t size)
{
    inject_frame(sw, INJECT_OUTPUT, port, vlan, frame, size);
}

static void
seam_hold_release(const struct xf_switch *sw, uint32_t id,
                  const char *router OVS_UNUSED, uint16_t vlan,
                  const char *vif)
{
    struct inject *in = xzalloc(sizeof *in);

    in->kind = vif ? INJECT_RELEASE : INJECT_PASS;
    ovs_strlcpy(in->port, vif ? vif : "", sizeof in->port);
    in->vlan = vlan;
    in->id = id;
    inject_post(sw, in);
}

/* Sends 'packet', not taken over: into table 0 as from 'p', or by it. */
static void
inject_packet(const struct xf_port *p, bool by, struct dp_packet *packet)
{
    struct ofproto_dpif *ofproto
        = p ? ofproto_dpif_lookup_by_name(p->bridge) : NULL;

    if (!ofproto || ofproto != p->ofproto) {
        COVERAGE_INC(xf_inject_dropped);
        return;
    }
    COVERAGE_INC(xf_inject);

    uint64_t stub[64 / 8];
    struct ofpbuf ofpacts = OFPBUF_STUB_INITIALIZER(stub);
    struct flow flow;

    flow_extract(packet, &flow);
    if (by) {
        ofpact_put_SET_QUEUE(&ofpacts)->queue_id = xf_link_table_queue(
            xf_engine_links(xf_switch_engine()), p->name,
            vlan_tci_to_vid(flow.vlans[0].tci));
        ofpact_put_OUTPUT(&ofpacts)->port = p->ofp_port;
    } else {
        struct ofpact_resubmit *resubmit = ofpact_put_RESUBMIT(&ofpacts);

        resubmit->in_port = p->ofp_port;
        resubmit->table_id = 0;
    }
    flow.in_port.ofp_port = by ? OFPP_NONE : p->ofp_port;
    ofproto_dpif_execute_actions(
        ofproto, ofproto_dpif_get_tables_version(ofproto), &flow, NULL,
        ofpacts.data, ofpacts.size, packet);
    ofpbuf_uninit(&ofpacts);
}

/* Sends what is held for a router in a segment by 'p', as much as one run may.
 * Returns false if some still waits: it may be that frames come as fast as
 * they are released. */
static bool
release_run(const struct xf_port *p, struct inject *in)
{
    struct dp_packet *packet;

    if (in->n_runs >= RELEASE_RUNS) {
        xf_hold_open(in->id, in->vlan);
    }
    for (int i = 0; i < RELEASE_FRAMES; i++) {
        packet = xf_hold_next(in->id, in->vlan);
        if (!packet) {
            return true;
        }
        inject_packet(p, true, packet);
        dp_packet_delete(packet);
    }
    in->n_runs++;
    return false;
}

/* Returns false if 'in' is to be run again, before any other. */
static bool
inject_run(const struct seam *s, struct inject *in)
{
    const struct xf_ports *ports = ports_get(s);

    if (in->packet && in->vlan) {
        eth_push_vlan(in->packet, htons(ETH_TYPE_VLAN_8021Q),
                      htons(in->vlan));
    }
    switch (in->kind) {
    case INJECT_ROUTER:
        inject_packet(xf_ports_find_router(ports, in->port), false,
                      in->packet);
        break;
    case INJECT_OUTPUT:
        inject_packet(xf_ports_find(ports, NULL, in->port), true, in->packet);
        break;
    case INJECT_RELEASE:
        return release_run(xf_ports_find(ports, NULL, in->port), in);
    case INJECT_PASS:
        xf_hold_pass(in->id);
        break;
    }
    return true;
}

static void
run_injects(struct seam *s)
{
    struct ovs_list injects;

    ovs_mutex_lock(&s->mutex);
    ovs_list_move(&injects, &s->injects);
    ovs_list_init(&s->injects);
    s->n_injects = 0;
    ovs_mutex_unlock(&s->mutex);

    while (!ovs_list_is_empty(&injects)) {
        struct inject *in = CONTAINER_OF(ovs_list_front(&injects),
                                         struct inject, node);
        if (!inject_run(s, in)) {
            break;
        }
        ovs_list_remove(&in->node);
        inject_destroy(in);
    }
    if (!ovs_list_is_empty(&injects)) {
        /* What is left goes on in the next run, in order. */
        ovs_mutex_lock(&s->mutex);
        s->n_injects += ovs_list_size(&injects);
        ovs_list_splice(s->injects.next, injects.next, &injects);
        ovs_mutex_unlock(&s->mutex);
        latch_set(&s->wakeup);
    }
}

/* ---- Datapath objects and shows. ---- */

static void
seam_router_add(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                const char *name OVS_UNUSED, uint32_t punt_rate)
{
    xf_odp_router_add(id, punt_rate);
}

static void
seam_router_del(const struct xf_switch *sw OVS_UNUSED, uint32_t id)
{
    xf_odp_router_del(id);
    xf_fwd_forget();
    xf_hold_end(id);
}

static void
seam_router_set_table(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                      const struct xf_rt *rt, uint32_t seed)
{
    xf_odp_router_set_table(id, rt, seed);
}

static bool
seam_has_fib(const struct xf_switch *sw, const char *router)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    const struct xf_port *p = xf_ports_find_router(ports_get(s), router);

    return !p || p->has_fib;
}

static void
seam_router_counts(const struct xf_switch *sw, uint32_t id,
                   enum xf_rt_counted kind, struct xf_counted_reader *reader)
{
    struct seam *s = CONST_CAST(struct seam *,
                                CONTAINER_OF(sw, struct seam, ops));

    xf_fwd_reader_init(&s->readers[kind], id, kind);
    reader->get = xf_fwd_read;
    reader->aux = &s->readers[kind];
}

static void
seam_router_account(const struct xf_switch *sw, uint32_t id,
                    const char *name)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);

    if (xf_ports_find_router(ports_get(s), name)) {
        xf_credit_port(id, name);
    }
}

static bool
seam_router_stats(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                  struct xf_dp_stats *stats)
{
    return xf_odp_router_stats(id, stats);
}

static void
seam_router_binding(const struct xf_switch *sw, const char *router,
                    char bridge[XF_NAME_MAX])
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    const struct xf_port *p = xf_ports_find_router(ports_get(s), router);

    ovs_strlcpy(bridge, p ? p->bridge : "", XF_NAME_MAX);
}

static bool
seam_vif_exists(const struct xf_switch *sw, const char *router,
                const char *vif)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    const struct xf_ports *table = ports_get(s);
    const struct xf_port *p = xf_ports_find_router(table, router);

    return p && xf_ports_find(table, p->ofproto, vif);
}

static bool
seam_port_exists(const struct xf_switch *sw, const char *port)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);

    return xf_ports_find(ports_get(s), NULL, port);
}

static void
seam_hold_begin(const struct xf_switch *sw OVS_UNUSED, uint32_t id)
{
    xf_hold_begin(id);
}

static bool
seam_hold_released(const struct xf_switch *sw OVS_UNUSED, uint32_t id)
{
    return xf_hold_is_released(id);
}

static bool
seam_hold_stats(const struct xf_switch *sw OVS_UNUSED, uint32_t id,
                struct xf_hold_stats *stats)
{
    return xf_hold_get_stats(id, stats);
}

static void
seam_for_each_mac(const struct xf_switch *sw, const char *router,
                  uint16_t vlan,
                  bool (*cb)(struct eth_addr, const char *port, int age_s,
                             void *aux),
                  void *aux)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    const struct xf_port *p = xf_ports_find_router(ports_get(s), router);

    if (p) {
        xf_xlate_for_each_mac(p->bridge, vlan, cb, aux);
    }
}

/* Names of the datapath's ports, for formatting. */
static void
get_portno_names(const struct dpif *dpif, struct hmap *names)
{
    struct dpif_port_dump dump;
    struct dpif_port port;

    DPIF_PORT_FOR_EACH (&port, &dump, dpif) {
        odp_portno_names_set(names, port.port_no, port.name);
    }
}

static bool
dump_flow(const struct dpif_flow *f, const char *marker,
          const struct hmap *names,
          bool (*cb)(const char *, uint64_t, uint64_t, long long int,
                     const char *, void *), void *aux)
{
    struct ds actions = DS_EMPTY_INITIALIZER;
    struct ds flow = DS_EMPTY_INITIALIZER;
    bool more = true;

    format_odp_actions(&actions, f->actions, f->actions_len, names);
    if (strstr(ds_cstr(&actions), marker)) {
        odp_flow_format(f->key, f->key_len, f->mask, f->mask_len, names,
                        &flow, false);
        more = cb(ds_cstr(&flow), f->stats.n_packets, f->stats.n_bytes,
                  f->stats.used, ds_cstr(&actions), aux);
    }
    ds_destroy(&flow);
    ds_destroy(&actions);
    return more;
}

static int
seam_dump_flows(const struct xf_switch *sw, uint32_t id,
                bool (*cb)(const char *, uint64_t, uint64_t, long long int,
                           const char *, void *), void *aux)
{
    const struct seam *s = CONTAINER_OF(sw, struct seam, ops);
    const struct xf_ports *table = ports_get(s);
    struct dpif *dpif;

    if (!table || !table->dpif_name) {
        return 0;
    }

    int error = dpif_open(table->dpif_name, table->dpif_type, &dpif);
    if (error) {
        return error;
    }

    char *marker = xasprintf("xenflow(router=%"PRIu32",", id);
    struct hmap names = HMAP_INITIALIZER(&names);
    struct dpif_flow_dump *dump = dpif_flow_dump_create(dpif, false, NULL);
    struct dpif_flow_dump_thread *thread = dpif_flow_dump_thread_create(dump);
    struct dpif_flow f;

    get_portno_names(dpif, &names);
    while (dpif_flow_dump_next(thread, &f, 1)
           && dump_flow(&f, marker, &names, cb, aux)) {
        continue;
    }
    dpif_flow_dump_thread_destroy(thread);
    error = dpif_flow_dump_destroy(dump);
    odp_portno_names_destroy(&names);
    hmap_destroy(&names);
    free(marker);
    dpif_close(dpif);
    return error;
}

/* ---- Main loop. ---- */

static const struct xf_switch seam_ops = {
    .revalidate = seam_revalidate,
    .revalidated = seam_revalidated,
    .revalidated_wait = seam_revalidated_wait,
    .inject = seam_inject,
    .output = seam_output,
    .port_exists = seam_port_exists,
    .hold_begin = seam_hold_begin,
    .hold_release = seam_hold_release,
    .hold_released = seam_hold_released,
    .hold_stats = seam_hold_stats,
    .router_add = seam_router_add,
    .router_del = seam_router_del,
    .router_set_table = seam_router_set_table,
    .has_fib = seam_has_fib,
    .router_counts = seam_router_counts,
    .router_account = seam_router_account,
    .router_stats = seam_router_stats,
    .router_binding = seam_router_binding,
    .vif_exists = seam_vif_exists,
    .for_each_mac = seam_for_each_mac,
    .dump_flows = seam_dump_flows,
};

void
xf_switch_init(const char *remote)
{
    struct seam *s = xzalloc(sizeof *s);

    s->ops = seam_ops;
    s->ops.fib_mem = xf_mem();
    shash_init(&s->owed);
    s->done_seq = seq_create();
    latch_init(&s->wakeup);
    ovs_mutex_init(&s->mutex);
    ovs_list_init(&s->injects);
    s->engine = xf_engine_create(&s->ops);
    xf_engine_keep(s->engine, remote);
    atomic_store_explicit(&the_seam, s, memory_order_release);
}

void
xf_switch_run(void)
{
    struct seam *s = seam_get();

    latch_poll(&s->wakeup);
    run_ports(s);
    run_revalidation(s);
    run_injects(s);
    xf_engine_run(s->engine);
}

void
xf_switch_wait(void)
{
    struct seam *s = seam_get();

    latch_wait(&s->wakeup);
    seq_wait(connectivity_seq_get(), s->connectivity_seq);
    seq_wait(xf_engine_links_seq(s->engine), s->links_seq);
    if (s->begun) {
        uint64_t done;

        atomic_read(&s->done, &done);
        if (done != s->begun && nothing_owed(s)) {
            poll_immediate_wake();
        }
    }
    xf_engine_wait(s->engine);
}

static void
seam_destroy(struct seam *s)
{
    struct inject *in;

    LIST_FOR_EACH_POP (in, node, &s->injects) {
        inject_destroy(in);
    }
    xf_ports_destroy(ovsrcu_get_protected(struct xf_ports *, &s->ports));
    shash_destroy_free_data(&s->owed);
    seq_destroy(s->done_seq);
    latch_destroy(&s->wakeup);
    ovs_mutex_destroy(&s->mutex);
    free(s);
}

/* Translations may still run until the bridges are gone: what they can reach is
 * freed after a grace period. */
void
xf_switch_exit(void)
{
    struct seam *s = seam_get();

    atomic_store_explicit(&the_seam, NULL, memory_order_release);
    ovsrcu_synchronize();
    xf_engine_destroy(s->engine);
    ovsrcu_postpone(seam_destroy, s);
}

void
xf_switch_configure(const struct smap *external_ids)
{
    xf_engine_configure(seam_get()->engine, external_ids);
}

bool
xf_switch_keys_trylock(void)
{
    return xf_tls_trylock();
}

void
xf_switch_keys_unlock(void)
{
    xf_tls_unlock();
}
