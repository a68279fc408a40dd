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

#include "packets.h"
#include "timeval.h"
#include "util.h"

/* Commands that change a router.  Engine's thread.  Each changes all that it
 * says or nothing. */

#define IPV6_MTU_MIN 1280       /* RFC 8200 5. */
#define SYNC_MAX_MS 30000       /* "router-sync" gives up after that. */

/* ---- Routers. ---- */

/* router-add */
char *
xf_run_router_add(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_create(engine, job->args.router,
                                                &job->args.config, &error);

    if (router) {
        job->generation = router->generation;
    }
    return error;
}

/* Takes over 'given' unless it is UINT32_MAX: not given. */
static void
overlay_limit(uint32_t *limit, uint32_t given)
{
    if (given != UINT32_MAX) {
        *limit = given;
    }
}

static void
overlay_limits(struct xf_rt_limits *limits, const struct xf_rt_limits *given)
{
    overlay_limit(&limits->max_routes, given->max_routes);
    overlay_limit(&limits->max_nexthops, given->max_nexthops);
    overlay_limit(&limits->max_neighbors, given->max_neighbors);
    overlay_limit(&limits->max_ifaces, given->max_ifaces);
    overlay_limit(&limits->max_addresses, given->max_addresses);
}

/* Gives 'config' what means something to some roles only. */
static char * OVS_WARN_UNUSED_RESULT
overlay_role(struct xf_router_config *config, const struct xf_router *router,
             const struct xf_args *args)
{
    if (args->given & XF_OPT_FAIL) {
        config->fails_open = args->config.fails_open;
        if (router->role != XF_ROLE_MIDDLEBOX) {
            return xasprintf("fail means nothing to a %s: it is for a "
                             "middlebox", xf_role_name(router->role));
        }
    }
    if (args->given & XF_OPT_FILTER_DEFAULT) {
        config->filter_deny = args->config.filter_deny;
        if (router->role != XF_ROLE_ROUTER) {
            return xasprintf("filter-default means nothing to a %s: filters "
                             "are for a router", xf_role_name(router->role));
        }
    }
    return xf_translation_check(router->name, router->role,
                                config->translation);
}

/* router-set */
char *
xf_run_router_set(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);
    if (!router) {
        return error;
    }

    struct xf_router_config config = router->config;
    if (args->given & XF_OPT_LISTEN) {
        ovs_strlcpy_arrays(config.listen, args->config.listen);
        config.listen_port = args->config.listen_port;
        config.listen_tls = args->config.listen_tls;
    }
    if (args->given & XF_OPT_PEER_NAME) {
        ovs_strlcpy_arrays(config.peer_name, args->config.peer_name);
    }
    if (args->given & XF_OPT_DEVICE) {
        ovs_strlcpy_arrays(config.device, args->config.device);
    }
    if (args->given & XF_OPT_PUNT_RATE) {
        config.punt_rate = args->config.punt_rate;
    }
    if (args->given & XF_OPT_STALE) {
        config.stale_ms = args->config.stale_ms;
    }
    if (args->given & XF_OPT_SETTLE) {
        config.settle_ms = args->config.settle_ms;
    }
    if (args->given & XF_OPT_REACHABLE) {
        config.reachable_ms = args->config.reachable_ms;
    }
    if (args->given & XF_OPT_SEPARATED) {
        config.separated = args->config.separated;
    }
    if (args->given & XF_OPT_TRANSLATION) {
        config.translation = args->config.translation;
    }
    overlay_limits(&config.limits, &args->config.limits);
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        overlay_limit(&config.max_rules[i], args->config.max_rules[i]);
    }
    error = overlay_role(&config, router, args);
    if (error) {
        return error;
    }
    if (config.device[0] && !config.listen[0]) {
        return xasprintf("router '%s' doesn't listen, so it can't have a "
                         "device: give listen=ADDRESS:PORT, or device=",
                         router->name);
    }
    error = xf_router_configure(router, &config);
    job->generation = router->generation;
    return error;
}

/* router-del */
char *
xf_run_router_del(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (router) {
        xf_router_delete(router);
        job->generation = router->generation;
    }
    return error;
}

/* router-sync: begins; xf_router_sync_done() goes on. */
char *
xf_run_router_sync(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    if (router) {
        job->router_id = router->id;
    }
    return error;
}

/* Carries the "router-sync" of 'job' on.  Returns true when its listener has
 * read what there was to read (or the router is gone); 'job->generation' is
 * then what remains to be acknowledged. */
bool
xf_router_sync_done(struct xf_engine *engine, struct xf_job *job,
                    long long int now_ms)
{
    struct xf_router *router = xf_engine_router_by_id(engine,
                                                      job->router_id);

    if (!router) {
        job->failed = true;
        ds_put_format(&job->body, "router '%s' was deleted meanwhile",
                      job->args.router);
        return true;
    }
    job->generation = engine->generation;
    if (!router->listener || xf_listener_is_idle(router->listener)) {
        return true;
    }
    if (!job->sync_ms) {
        job->sync_ms = now_ms;
    }
    if (now_ms - job->sync_ms >= SYNC_MAX_MS) {
        job->failed = true;
        job->generation = 0;
        ds_put_format(&job->body, "router '%s': its speaker hasn't stopped "
                      "sending for %d seconds: see xenflow/speaker-list",
                      router->name, SYNC_MAX_MS / 1000);
        return true;
    }
    return false;
}

/* ---- Ports. ---- */

/* An address as listed in a table. */
struct listed_addr {
    struct in6_addr addr;
    uint8_t len;
    uint32_t source;
};

/* The addresses of one interface. */
struct addr_list {
    const char *iface;
    struct listed_addr *addrs;
    size_t n, allocated;
};

static bool
collect_addr(const struct xf_addr_info *info, void *list_)
{
    struct addr_list *list = list_;

    if (!strcmp(info->iface, list->iface)) {
        if (list->n >= list->allocated) {
            list->addrs = x2nrealloc(list->addrs, &list->allocated,
                                     sizeof *list->addrs);
        }
        struct listed_addr *a = &list->addrs[list->n++];
        a->addr = info->addr;
        a->len = info->prefix_len;
        a->source = info->source;
    }
    return true;
}

static bool
args_have_addr(const struct xf_args *args, const struct listed_addr *a)
{
    for (size_t i = 0; i < args->n_addrs; i++) {
        if (args->addrs[i].len == a->len
            && ipv6_addr_equals(&args->addrs[i].addr, &a->addr)) {
            return true;
        }
    }
    return false;
}

/* Whether the operator has stated 'a' in 'list'. */
static bool
list_has_addr(const struct addr_list *list, const struct xf_addr_arg *a)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->addrs[i].source == XF_SOURCE_OPERATOR
            && list->addrs[i].len == a->len
            && ipv6_addr_equals(&list->addrs[i].addr, &a->addr)) {
            return true;
        }
    }
    return false;
}

/* Checks that 'mtu' is enough for IPv6 if 'args' or 'list' have such an
 * address. */
static char * OVS_WARN_UNUSED_RESULT
check_mtu(const char *port, uint16_t mtu, const struct xf_args *args,
          const struct addr_list *list)
{
    bool has_v6 = false;

    for (size_t i = 0; i < args->n_addrs; i++) {
        has_v6 = has_v6 || !xf_addr_is_v4(&args->addrs[i].addr);
    }
    for (size_t i = 0; i < list->n; i++) {
        has_v6 = has_v6 || ((list->addrs[i].source != XF_SOURCE_OPERATOR
                             || !(args->given & XF_OPT_ADDRESS))
                            && !xf_addr_is_v4(&list->addrs[i].addr));
    }
    if (has_v6 && mtu < IPV6_MTU_MIN) {
        return xasprintf("port '%s' has IPv6 addresses and mtu %"PRIu16": "
                         "give at least mtu=%d", port, mtu, IPV6_MTU_MIN);
    }
    return NULL;
}

/* Checks that no other interface than 'iface' of 'router' has its segment and
 * MAC. */
static char * OVS_WARN_UNUSED_RESULT
check_claim(const struct xf_router *router, const struct xf_iface *iface)
{
    const struct xf_claim *claim
        = xf_engine_find_claim(router->engine, iface->vlan, iface->mac);

    if (claim && (claim->router != router
                  || strcmp(claim->iface, iface->name))) {
        return xasprintf("MAC "ETH_ADDR_FMT" on VLAN %"PRIu16" belongs to "
                         "port '%s' of router '%s': give another mac or vlan",
                         ETH_ADDR_ARGS(iface->mac), iface->vlan,
                         claim->iface, claim->router->name);
    }
    return NULL;
}

/* Adds the addresses of 'args' that aren't in 'list'.  On an error none of
 * them stays. */
static char * OVS_WARN_UNUSED_RESULT
add_addrs(struct xf_router *router, const char *port,
          const struct xf_args *args, const struct addr_list *list)
{
    char *error = NULL;
    size_t i;

    for (i = 0; i < args->n_addrs; i++) {
        const struct xf_addr_arg *a = &args->addrs[i];

        if (!list_has_addr(list, a)
            && xf_rt_addr_add(router->rt, XF_SOURCE_OPERATOR, port,
                              &a->addr, a->len, &error)) {
            break;
        }
    }
    if (error) {
        while (i-- > 0) {
            const struct xf_addr_arg *a = &args->addrs[i];

            if (!list_has_addr(list, a)) {
                xf_rt_addr_del(router->rt, XF_SOURCE_OPERATOR, port,
                               &a->addr, a->len, NULL);
            }
        }
    }
    return error;
}

/* port-add */
char *
xf_run_port_add(struct xf_engine *engine, struct xf_job *job)
{
    struct xf_args *args = &job->args;
    struct addr_list none = { .iface = args->port };
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);
    if (!router) {
        return error;
    }

    ovs_strlcpy_arrays(args->iface.name, args->port);
    if (xf_rt_iface_by_name(router->rt, args->port)) {
        return xasprintf("port '%s' of router '%s' exists already: choose "
                         "another name, or change it with xenflow/port-set",
                         args->port, router->name);
    }
    if (!(args->given & XF_OPT_MAC)) {
        if (router->role == XF_ROLE_ROUTER) {
            return xstrdup("mac is missing: add mac=XX:XX:XX:XX:XX:XX, the "
                           "MAC of the VM's interface");
        }
        args->iface.mac = xf_role_default_mac(router, args->port);
    }
    error = xf_role_check_iface(router, &args->iface, args->given);
    error = error ? error : check_claim(router, &args->iface);
    error = error ? error : check_mtu(args->port, args->iface.mtu, args,
                                      &none);
    if (error || xf_rt_iface_add(router->rt, &args->iface, &error)) {
        return error;
    }
    error = add_addrs(router, args->port, args, &none);
    if (error) {
        xf_rt_iface_del(router->rt, args->port, NULL);
        xf_router_changed(router);      /* Readers may have seen it. */
        return error;
    }
    xf_router_update_claims(router);
    if (router->listener) {
        xf_listener_iface_added(router->listener);
    }
    xf_copies_iface_added(engine->copies, router);
    job->generation = xf_router_changed(router);
    return NULL;
}

/* Gives 'iface' what the operator gave. */
static void
overlay_iface(struct xf_iface *iface, const struct xf_args *args)
{
    if (args->given & XF_OPT_VLAN) {
        iface->vlan = args->iface.vlan;
    }
    if (args->given & XF_OPT_MAC) {
        iface->mac = args->iface.mac;
    }
    if (args->given & XF_OPT_VIF) {
        ovs_strlcpy_arrays(iface->vif, args->iface.vif);
    }
    if (args->given & XF_OPT_IFINDEX) {
        iface->ifindex = args->iface.ifindex;
    }
    if (args->given & XF_OPT_MTU) {
        iface->mtu = args->iface.mtu;
    }
    if (args->given & XF_OPT_UP) {
        iface->up = args->iface.up;
    }
}

/* Removes the operator's addresses that are in 'list' but not in 'args'. */
static void
remove_other_addrs(struct xf_router *router, const char *port,
                   const struct xf_args *args, const struct addr_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct listed_addr *a = &list->addrs[i];

        if (a->source == XF_SOURCE_OPERATOR && !args_have_addr(args, a)) {
            xf_rt_addr_del(router->rt, XF_SOURCE_OPERATOR, port, &a->addr,
                           a->len, NULL);
        }
    }
}

/* port-set */
char *
xf_run_port_set(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    struct addr_list list = { .iface = args->port };
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);
    if (!router) {
        return error;
    }
    const struct xf_iface *current = xf_rt_iface_by_name(router->rt,
                                                         args->port);
    if (!current) {
        return xasprintf("router '%s' has no port '%s': see "
                         "xenflow/port-list, or add it with "
                         "xenflow/port-add", router->name, args->port);
    }

    struct xf_iface old = *current;
    struct xf_iface new = old;
    overlay_iface(&new, args);
    if (eth_addr_is_zero(new.mac) && router->role != XF_ROLE_ROUTER) {
        new.mac = xf_role_default_mac(router, args->port);
    }
    xf_rt_for_each_addr(router->rt, collect_addr, &list);
    error = xf_role_check_iface(router, &new, args->given);
    error = error ? error : check_claim(router, &new);
    error = error ? error : check_mtu(args->port, new.mtu, args, &list);
    if (error || xf_rt_iface_update(router->rt, &new, &error)) {
        goto out;
    }
    error = add_addrs(router, args->port, args, &list);
    if (error) {
        xf_rt_iface_update(router->rt, &old, NULL);
        xf_router_changed(router);      /* Readers may have seen it. */
        goto out;
    }
    if (args->given & XF_OPT_ADDRESS) {
        remove_other_addrs(router, args->port, args, &list);
    }
    xf_router_update_claims(router);
    job->generation = xf_router_changed(router);

out:
    free(list.addrs);
    return error;
}

/* port-del */
char *
xf_run_port_del(struct xf_engine *engine, struct xf_job *job)
{
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, job->args.router,
                                                 &error);
    error = router ? xf_role_check_port_del(router, job->args.port) : error;
    if (error
        || xf_rt_iface_del(router->rt, job->args.port, &error)) {
        return error;
    }
    xf_router_update_claims(router);
    job->generation = xf_router_changed(router);
    return NULL;
}

/* ---- Neighbours. ---- */

/* neigh-add: permanent. */
char *
xf_run_neigh_add(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_of_role(engine, args->router,
                                                 XF_ROLE_ROUTER, &error);

    if (router
        && !xf_neigh_set(router, XF_SOURCE_OPERATOR, args->port, &args->ip,
                         args->mac, XF_NEIGH_PERMANENT, time_msec(),
                         &error)) {
        job->generation = xf_router_table_changed(router);
    }
    return error;
}

/* neigh-del: any neighbour. */
char *
xf_run_neigh_del(struct xf_engine *engine, struct xf_job *job)
{
    const struct xf_args *args = &job->args;
    char *error = NULL;
    struct xf_router *router = xf_router_by_name(engine, args->router,
                                                 &error);

    if (router
        && !xf_rt_neigh_del(router->rt, args->port, &args->ip, &error)) {
        job->generation = xf_router_table_changed(router);
    }
    return error;
}
