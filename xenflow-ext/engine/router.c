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

#include "engine/engine-private.h"

#include <errno.h>

#include "hash.h"
#include "openvswitch/vlog.h"
#include "ovs-rcu.h"
#include "packets.h"
#include "seq.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_router);

/* A table of so many routes is freed by a thread of its own. */
#define REAPER_MIN_ROUTES 10000

static const struct xf_listener_ops listener_ops;

/* ---- Readers: any thread, RCU. ---- */

static uint32_t
claim_hash(uint16_t vlan, struct eth_addr mac)
{
    return hash_mac(mac, vlan, 0);
}

/* See engine/engine.h. */
struct xf_router *
xf_engine_router(const struct xf_engine *engine, const char *port)
{
    struct xf_router *router;

    CMAP_FOR_EACH_WITH_HASH (router, name_node, hash_string(port, 0),
                             &engine->routers_by_name) {
        if (!strcmp(router->name, port)) {
            return router;
        }
    }
    return NULL;
}

/* See engine/engine.h. */
struct xf_router *
xf_engine_router_by_id(const struct xf_engine *engine, uint32_t id)
{
    struct xf_router *router;

    CMAP_FOR_EACH_WITH_HASH (router, id_node, hash_int(id, 0),
                             &engine->routers_by_id) {
        if (router->id == id) {
            return router;
        }
    }
    return NULL;
}

/* See engine/engine.h. */
struct xf_router *
xf_engine_claim(const struct xf_engine *engine, uint16_t vlan,
                struct eth_addr mac,
                bool (*match)(const struct xf_router *, const void *aux),
                const void *aux)
{
    const struct xf_claim *claim;

    CMAP_FOR_EACH_WITH_HASH (claim, cmap_node, claim_hash(vlan, mac),
                             &engine->claims) {
        if (claim->vlan == vlan && eth_addr_equals(claim->mac, mac)
            && (xf_router_is_separated(claim->router)
                || xf_router_has_filters(claim->router)
                || xf_router_has_flows(claim->router))
            && match(claim->router, aux)) {
            return claim->router;
        }
    }
    return NULL;
}

/* Finds the claim at (vlan, mac), of whichever router, or NULL. */
const struct xf_claim *
xf_engine_find_claim(const struct xf_engine *engine, uint16_t vlan,
                     struct eth_addr mac)
{
    const struct xf_claim *claim;

    CMAP_FOR_EACH_WITH_HASH (claim, cmap_node, claim_hash(vlan, mac),
                             &engine->claims) {
        if (claim->vlan == vlan && eth_addr_equals(claim->mac, mac)) {
            return claim;
        }
    }
    return NULL;
}

/* See engine/engine.h. */
void
xf_engine_for_each_router(const struct xf_engine *engine,
                          void (*cb)(struct xf_router *, void *aux),
                          void *aux)
{
    struct xf_router *router;

    CMAP_FOR_EACH (router, id_node, &engine->routers_by_id) {
        cb(router, aux);
    }
}

const char *
xf_router_name(const struct xf_router *router)
{
    return router->name;
}

uint32_t
xf_router_id(const struct xf_router *router)
{
    return router->id;
}

const struct xf_rt *
xf_router_rt(const struct xf_router *router)
{
    return router->rt;
}

bool
xf_router_is_separated(const struct xf_router *router)
{
    bool separated;

    atomic_read_relaxed(&CONST_CAST(struct xf_router *, router)->separated,
                        &separated);
    return separated;
}

bool
xf_router_is_fib(const struct xf_router *router)
{
    bool fib;

    atomic_read_explicit(&CONST_CAST(struct xf_router *, router)->fib, &fib,
                         memory_order_acquire);
    return fib;
}

uint32_t
xf_router_ecmp_seed(const struct xf_router *router)
{
    return router->ecmp_seed;
}

uint32_t
xf_router_flow_hash(const struct xf_router *router,
                    const struct in6_addr *src, const struct in6_addr *dst,
                    uint8_t proto, ovs_be16 sport, ovs_be16 dport)
{
    return xf_flow_hash(router->ecmp_seed, src, dst, proto, sport, dport);
}

/* ---- Engine's thread: life. ---- */

/* A table's memory is released after an RCU grace period. */
void
xf_retire(void (*destroy)(void *obj), void *obj, void *aux OVS_UNUSED)
{
    ovsrcu_postpone__(destroy, obj);
}

/* The same for the table of 'router', which nobody reads any more while it is
 * reaped. */
static void
retire_of_table(void (*destroy)(void *obj), void *obj, void *router_)
{
    struct xf_router *router = router_;

    if (!router->reaping) {
        ovsrcu_postpone__(destroy, obj);
        return;
    }
    destroy(obj);
    if (!(++router->n_reaped % 1024)) {
        ovsrcu_quiesce();
    }
}

/* See engine-private.h.  The default seed follows from the name, so that a
 * router made anew, or on another host, keeps its paths. */
void
xf_router_config_init(struct xf_router_config *config, const char *name)
{
    struct xf_rt_limits limits = XF_RT_LIMITS_DEFAULT;
    uint32_t seed = 0;

    memset(config, 0, sizeof *config);
    for (const char *p = name; *p; p++) {
        seed = mhash_add(seed, (unsigned char) *p);
    }
    config->limits = limits;
    config->ecmp_seed = mhash_finish(seed);
    config->punt_rate = 1000;
    config->stale_ms = 120 * 1000;
    config->settle_ms = 5 * 1000;
    config->reachable_ms = 30 * 1000;
    config->separated = true;
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        config->max_rules[i] = XF_RULES_MAX_DEFAULT;
    }
}

/* Adds the sources that every table has. */
static void
add_sources(struct xf_rt *rt)
{
    int error = xf_rt_source_add(rt, XF_SOURCE_OPERATOR, "operator",
                                 XF_PREF_OPERATOR, NULL);
    ovs_assert(!error);
    error = xf_rt_source_add(rt, XF_SOURCE_LEARNED, "learned",
                             XF_PREF_LEARNED, NULL);
    ovs_assert(!error);
}

/* Starts a listener as 'config' says, as source 'source'.  Returns NULL
 * without a sentence in '*errorp' if 'config' wants none. */
static struct xf_listener *
start_listener(struct xf_router *router, const struct xf_router_config *config,
               enum xf_engine_source source, char **errorp)
{
    *errorp = NULL;
    if (!config->listen[0]) {
        return NULL;
    }

    if (config->listen_tls && config->device[0]) {
        *errorp = xasprintf("router '%s': a TLS listener knows its peer by "
                            "its certificate and can't be bound to a device: "
                            "leave device= out, or pssl:", router->name);
        return NULL;
    }

    struct xf_listener_config lc = {
        .address = config->listen,
        .port = config->listen_port,
        .tls_peer = (!config->listen_tls ? NULL
                     : config->peer_name[0] ? config->peer_name
                     : router->name),
        .device = config->device,
        .ready = router->engine->ready,
        .adopt = router->has_copy,
        .source = source,
        .source_name = "speaker",
        .neigh_source = XF_SOURCE_LEARNED,
        .stale_ms = config->stale_ms,
        .settle_ms = config->settle_ms,
    };
    return xf_listener_create(&lc, router->rt, &listener_ops, router, errorp);
}

/* Creates a router.  Returns NULL with a sentence in '*errorp', which the
 * caller frees, if the name is taken, there are too many, or the listener
 * can't be started. */
struct xf_router *
xf_router_create(struct xf_engine *engine, const char *name,
                 const struct xf_router_config *config, char **errorp)
{
    const struct xf_switch *sw = engine->sw;

    if (xf_engine_router(engine, name)) {
        *errorp = xasprintf("router '%s' exists already: choose another name, "
                            "or change it with xenflow/router-set", name);
        return NULL;
    }
    if (engine->n_routers >= XF_ROUTERS_MAX) {
        *errorp = xasprintf("router '%s' refused: there are %d routers, the "
                            "most one switch has; delete one first",
                            name, XF_ROUTERS_MAX);
        return NULL;
    }

    struct xf_router *router = xzalloc(sizeof *router);
    router->engine = engine;
    router->name = xstrdup(name);
    router->id = ++engine->last_id;
    router->ecmp_seed = config->ecmp_seed;
    router->role = config->role;
    router->rt = xf_rt_create(&config->limits, retire_of_table, router);
    router->config = *config;
    xf_rules_init(&router->rules, config->max_rules, config->filter_deny);
    atomic_init(&router->separated, config->separated);
    xf_transfer_init(router);
    ovs_list_init(&router->claims);
    ovs_list_init(&router->members);
    ovsrcu_init(&router->segments, NULL);
    xf_neigh_init(router);
    add_sources(router->rt);
    router->listener_source = XF_SOURCE_SPEAKER;
    router->listener = start_listener(router, config, XF_SOURCE_SPEAKER,
                                      errorp);
    if (*errorp) {
        xf_neigh_uninit(router);
        xf_rules_uninit(&router->rules);
        xf_rt_destroy(router->rt);
        free(router->name);
        free(router);
        return NULL;
    }

    if (router->role != XF_ROLE_ROUTER) {
        xf_role_init(router);
    }
    sw->router_add(sw, router->id, name, config->punt_rate);
    xf_router_update_translation(router);
    ovs_list_push_back(&engine->routers, &router->node);
    engine->n_routers++;
    cmap_insert(&engine->routers_by_id, &router->id_node,
                hash_int(router->id, 0));
    cmap_insert(&engine->routers_by_name, &router->name_node,
                hash_string(name, 0));
    xf_router_changed(router);
    xf_copies_look_again(engine->copies);
    seq_change(engine->config_seq);
    VLOG_INFO("router %s (id %"PRIu32"): added", name, router->id);
    return router;
}

/* Removes 'claim'; its memory goes after a grace period. */
static void
remove_claim(struct xf_claim *claim)
{
    cmap_remove(&claim->router->engine->claims, &claim->cmap_node,
                claim_hash(claim->vlan, claim->mac));
    ovs_list_remove(&claim->list_node);
    ovsrcu_postpone(free, claim);
}

/* Takes 'router' out of the registry.  It stays in 'dying' until that is
 * acknowledged. */
void
xf_router_delete(struct xf_router *router)
{
    struct xf_engine *engine = router->engine;
    struct xf_claim *claim;

    LIST_FOR_EACH_SAFE (claim, list_node, &router->claims) {
        remove_claim(claim);
    }
    xf_copies_router_gone(engine->copies, router);
    xf_role_uninit(router);
    cmap_remove(&engine->routers_by_name, &router->name_node,
                hash_string(router->name, 0));
    cmap_remove(&engine->routers_by_id, &router->id_node,
                hash_int(router->id, 0));
    ovs_list_remove(&router->node);
    engine->n_routers--;

    xf_listener_abandon(router->listener);
    router->listener = NULL;
    xf_neigh_uninit(router);
    xf_router_changed(router);
    ovs_list_push_back(&engine->dying, &router->node);
    seq_change(engine->config_seq);
    VLOG_INFO("router %s (id %"PRIu32"): deleted", router->name, router->id);
}

/* Frees a router that nobody holds any more. */
static void *
reap(void *router_)
{
    struct xf_router *router = router_;

    router->reaping = true;
    xf_role_free(router);
    xf_rules_uninit(&router->rules);
    xf_rt_destroy(router->rt);
    free(router->name);
    free(router);
    return NULL;
}

static void *
reaper_main(void *router)
{
    pthread_detach(pthread_self());
    return reap(router);
}

/* RCU callback: no reader can hold the router any more.  Large tables take long:
 * meanwhile other callbacks, of acknowledgements for one, are called. */
static void
router_free(struct xf_router *router)
{
    struct xf_rt_usage usage;

    xf_rt_get_usage(router->rt, &usage);
    if (usage.n_routes < REAPER_MIN_ROUTES) {
        reap(router);
    } else {
        ovs_thread_create("xf_reaper", reaper_main, router);
    }
}

/* Lets a router of 'dying' go: no cached translation names it any more. */
void
xf_router_release(struct xf_router *router)
{
    const struct xf_switch *sw = router->engine->sw;

    ovs_list_remove(&router->node);
    sw->router_account(sw, router->id, router->name);
    sw->router_del(sw, router->id);
    ovsrcu_postpone(router_free, router);
}

/* Finds the router called 'name'.  If there is none, returns NULL and stores a
 * sentence in '*errorp', which the caller frees. */
struct xf_router *
xf_router_by_name(const struct xf_engine *engine, const char *name,
                  char **errorp)
{
    struct xf_router *router = xf_engine_router(engine, name);

    if (!router) {
        *errorp = xasprintf("there is no router '%s': see "
                            "xenflow/router-list, or add it with "
                            "xenflow/router-add", name);
    }
    return router;
}

/* Notes a change of 'router'; as xf_engine_changed(). */
uint64_t
xf_router_changed(struct xf_router *router)
{
    router->n_changes++;
    router->generation = xf_engine_changed(router->engine, true);
    return router->generation;
}

/* The same for a change of routes, next hops or neighbours: translations don't
 * depend on them where the datapath looks packets up. */
uint64_t
xf_router_table_changed(struct xf_router *router)
{
    router->n_changes++;
    router->generation = xf_engine_changed(router->engine,
                                           !xf_router_is_fib(router));
    return router->generation;
}

/* Any thread. */
void
xf_router_note_translated(const struct xf_router *router)
{
    if (xf_router_is_fib(router)) {
        atomic_store(&router->engine->fib_translated, true);
    }
}

/* ---- Engine's thread: configuration. ---- */

/* Ends the listener 'l' of 'router'.  A copy from another switch stays. */
static void
end_listener(const struct xf_router *router, struct xf_listener *l)
{
    if (router->has_copy) {
        xf_listener_abandon(l);
    } else {
        xf_listener_destroy(l);
    }
}

/* Replaces the listener so that it is as 'config' says.  Another address or
 * port is listened on before the old one is given up; the routes of the old
 * speaker go with it. */
static char *
replace_listener(struct xf_router *router,
                 const struct xf_router_config *config)
{
    const struct xf_router_config *old = &router->config;
    enum xf_engine_source source
        = (router->has_copy ? router->listener_source
           : router->listener_source == XF_SOURCE_SPEAKER
           ? XF_SOURCE_SPEAKER_ALT : XF_SOURCE_SPEAKER);
    bool same_address = (!strcmp(old->listen, config->listen)
                         && old->listen_port == config->listen_port);
    char *error;

    if (same_address) {
        end_listener(router, router->listener);
        router->listener = NULL;
    }
    struct xf_listener *listener = start_listener(router, config, source,
                                                  &error);
    if (error) {
        if (same_address) {
            char *again;

            router->listener = start_listener(router, old,
                                              router->listener_source,
                                              &again);
            if (again) {
                VLOG_ERR("router %s: the listener on %s port %"PRIu16" is "
                         "lost (%s): set it with xenflow/router-set",
                         router->name, old->listen, old->listen_port, again);
                free(again);
            }
        }
        return error;
    }
    end_listener(router, router->listener);
    router->listener = listener;
    router->listener_source = source;
    return NULL;
}

/* Gives 'router' what of 'config' can change at run time.  On an error nothing
 * has changed. */
char *
xf_router_configure(struct xf_router *router,
                    const struct xf_router_config *config)
{
    const struct xf_switch *sw = router->engine->sw;
    struct xf_router_config *mine = &router->config;
    char *error;

    error = xf_rules_set_max(&router->rules, config->max_rules);
    if (error) {
        return error;
    }
    if (xf_rt_set_limits(router->rt, &config->limits, &error)) {
        free(xf_rules_set_max(&router->rules, mine->max_rules));
        return error;
    }
    if (strcmp(mine->listen, config->listen)
        || mine->listen_port != config->listen_port
        || mine->listen_tls != config->listen_tls
        || (config->listen_tls
            && strcmp(mine->peer_name, config->peer_name))
        || strcmp(mine->device, config->device)) {
        error = replace_listener(router, config);
        if (error) {
            xf_rt_set_limits(router->rt, &mine->limits, NULL);
            free(xf_rules_set_max(&router->rules, mine->max_rules));
            return error;
        }
    } else if (router->listener) {
        xf_listener_set_timers(router->listener, config->stale_ms,
                               config->settle_ms);
    }
    if (mine->punt_rate != config->punt_rate) {
        sw->router_add(sw, router->id, router->name, config->punt_rate);
    }
    if (mine->separated != config->separated) {
        atomic_store(&router->separated, config->separated);
        seq_change(router->engine->config_seq);
        xf_neigh_scan(router);
        VLOG_INFO("router %s: data plane is %s", router->name,
                  config->separated ? "in the switch" : "in the VM");
    }
    xf_rules_set_deny(&router->rules, config->filter_deny);
    *mine = *config;
    xf_router_update_translation(router);
    if (router->role != XF_ROLE_ROUTER) {
        xf_role_update(router);
    }
    xf_router_changed(router);
    return NULL;
}

/* Checks that 'args' change nothing of 'router' that can't change while it
 * exists. */
char *
xf_router_check_fixed(const struct xf_router *router,
                      const struct xf_args *args)
{
    if (args->config.role != router->role) {
        return xasprintf("router '%s' has role %s, which can't change while "
                         "it exists: put that back, or delete the router "
                         "first", router->name, xf_role_name(router->role));
    }
    if (args->config.ecmp_seed != router->ecmp_seed) {
        return xasprintf("router '%s' has ecmp-seed %"PRIu32", which can't "
                         "change while it exists: put that back, or delete "
                         "the router first", router->name, router->ecmp_seed);
    }
    return NULL;
}

/* ---- Engine's thread: claims. ---- */

static struct xf_claim *
claim_by_iface(const struct xf_router *router, const char *iface)
{
    struct xf_claim *claim;

    LIST_FOR_EACH (claim, list_node, &router->claims) {
        if (!strcmp(claim->iface, iface)) {
            return claim;
        }
    }
    return NULL;
}

/* Makes the claim of 'iface', unless another router has it already: what an
 * operator was refused, no guest gets by announcing another MAC. */
static bool
claim_iface(const struct xf_iface *iface, void *router_)
{
    struct xf_router *router = router_;
    struct xf_engine *engine = router->engine;

    if (claim_by_iface(router, iface->name)) {
        return true;
    }

    const struct xf_claim *other
        = xf_engine_find_claim(engine, iface->vlan, iface->mac);
    if (other) {
        static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 5);
        VLOG_WARN_RL(&rl, "router %s: port %s has MAC "ETH_ADDR_FMT" on VLAN "
                     "%"PRIu16", which port %s of router %s has already: its "
                     "packets go to that one",
                     router->name, iface->name, ETH_ADDR_ARGS(iface->mac),
                     iface->vlan, other->iface, other->router->name);
        return true;
    }

    struct xf_claim *claim = xzalloc(sizeof *claim);
    claim->router = router;
    claim->vlan = iface->vlan;
    claim->mac = iface->mac;
    claim->ifindex = iface->ifindex;
    ovs_strlcpy_arrays(claim->iface, iface->name);
    cmap_insert(&engine->claims, &claim->cmap_node,
                claim_hash(claim->vlan, claim->mac));
    ovs_list_push_back(&router->claims, &claim->list_node);
    return true;
}

/* Brings the registry's claims in line with the interfaces of 'router'; the
 * operator's routes follow an interface whose guest index changed. */
void
xf_router_update_claims(struct xf_router *router)
{
    struct xf_claim *claim;

    if (router->role != XF_ROLE_ROUTER) {
        xf_role_update(router);
        seq_change(router->engine->config_seq);
        return;
    }
    LIST_FOR_EACH_SAFE (claim, list_node, &router->claims) {
        const struct xf_iface *iface = xf_rt_iface_by_name(router->rt,
                                                           claim->iface);
        if (iface && iface->ifindex && iface->ifindex != claim->ifindex) {
            uint32_t old = claim->ifindex;

            claim->ifindex = iface->ifindex;
            if (old) {
                xf_router_renumber(router, old, iface->ifindex);
            }
        }
        if (!iface || iface->vlan != claim->vlan
            || !eth_addr_equals(iface->mac, claim->mac)) {
            remove_claim(claim);
        }
    }
    xf_rt_for_each_iface(router->rt, claim_iface, router);
    if (router->engine->config) {
        xf_config_retry(router->engine->config);
    }
    /* Also if no claim changed: a back-end's name may have. */
    seq_change(router->engine->config_seq);
}

/* ---- Engine's thread: what the listener says. ---- */

static uint64_t
listener_changed(void *router_)
{
    struct xf_router *router = router_;

    return xf_router_table_changed(router);
}

static void
listener_iface_changed(void *router_)
{
    struct xf_router *router = router_;

    xf_router_update_claims(router);
    xf_router_changed(router);
}

static const struct xf_listener_ops listener_ops = {
    .changed = listener_changed,
    .iface_changed = listener_iface_changed,
};
