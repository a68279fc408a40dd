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

/* The configuration of FRR in a router's machine.
 *
 * OSPF runs in area 0 with hellos of 1 s, and as on a broadcast network: how many
 * routers a segment has may change while this one runs.  So two that come up
 * together wait for a dead interval before they elect.  Lines of Router:config
 * come last and win. */

#include <config.h>

#include "xenflow-hostd.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "smap.h"
#include "sset.h"
#include "util.h"

#define HELLO_S 1
#define DEAD_S 20
#define RETRANSMIT_S 3
/* A zebra that was started again leaves the kernel's routes alone until the
 * daemons have stated theirs. */
#define GRACE_S 60

static bool
has_address(const struct xfrec_interface *iface, int version)
{
    for (size_t i = 0; i < iface->n_addresses; i++) {
        if (!strchr(iface->addresses[i], ':') == (version == 4)) {
            return true;
        }
    }
    return false;
}

bool
join_frr_speaks(const struct xfrec_router *row)
{
    return (!strcmp(row->routing, "frr")
            && strcmp(smap_get_def(&row->protocols, "feed", ""), "guestd"));
}

/* Names in a value of Router:protocols. */
static void
words_of(const struct xfrec_router *row, const char *key, struct sset *words)
{
    sset_from_delimited_string(words, smap_get_def(&row->protocols, key, ""),
                               " ");
}

/* Whether one of the interfaces runs OSPF of that IP version. */
static bool
runs_ospf(const struct xfrec_router *row, const struct xfrec_interface **ifaces,
          size_t n, int version)
{
    struct sset ospf;
    bool found = false;

    words_of(row, "ospf", &ospf);
    for (size_t i = 0; i < n; i++) {
        found = found || (sset_contains(&ospf, ifaces[i]->name)
                          && has_address(ifaces[i], version));
    }
    sset_destroy(&ospf);
    return found;
}

/* The first IPv4 address, without prefix length, or that of the management
 * link. */
static void
put_router_id(struct ds *ds, const struct xfrec_interface **ifaces, size_t n,
              ovs_be32 fpm_ip)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < ifaces[i]->n_addresses; k++) {
            const char *s = ifaces[i]->addresses[k];

            if (!strchr(s, ':')) {
                ds_put_format(ds, "%.*s", (int) strcspn(s, "/"), s);
                return;
            }
        }
    }
    ds_put_format(ds, IP_FMT, IP_ARGS(fpm_ip));
}

static void
put_interface(struct ds *ds, const struct xfrec_interface *iface, int dead_s)
{
    static const char *const commands[] = { "ip ospf", "ipv6 ospf6" };

    ds_put_format(ds, "interface %s\n", iface->name);
    for (int i = 0; i < 2; i++) {
        if (has_address(iface, i ? 6 : 4)) {
            ds_put_format(ds, " %s area 0\n %s network broadcast\n"
                          " %s hello-interval %d\n %s dead-interval %d\n"
                          " %s retransmit-interval %d\n",
                          commands[i], commands[i], commands[i], HELLO_S,
                          commands[i], dead_s, commands[i], RETRANSMIT_S);
        }
    }
    ds_put_cstr(ds, "exit\n");
}

/* Says what of Router:protocols can't be done, or NULL. */
static char *
check(const struct xfrec_router *row, const struct xfrec_interface **ifaces,
      size_t n, int *dead_s)
{
    const char *dead = smap_get(&row->protocols, "ospf-dead");
    const char *feed = smap_get_def(&row->protocols, "feed", "fpm");
    char *error = NULL;
    struct sset ospf;
    const char *name;

    *dead_s = DEAD_S;
    if (dead && (!str_to_int(dead, 10, dead_s) || *dead_s <= HELLO_S
                 || *dead_s > UINT16_MAX)) {
        return xasprintf("protocols: ospf-dead '%s' isn't a number of "
                         "seconds from %d to %d", dead, HELLO_S + 1,
                         UINT16_MAX);
    } else if (smap_get(&row->protocols, "bgp")
               || smap_get(&row->protocols, "announce")) {
        return xstrdup("protocols: bgp and announce: the machine's image has "
                       "no BGP daemon of FRR; use routing=bird and config");
    }
    if (strcmp(feed, "fpm") && strcmp(feed, "guestd")) {
        return xasprintf("protocols: feed '%s' isn't fpm or guestd", feed);
    }
    words_of(row, "ospf", &ospf);
    for (size_t i = 0; i < n; i++) {
        sset_find_and_delete(&ospf, ifaces[i]->name);
    }
    SSET_FOR_EACH (name, &ospf) {
        free(error);
        error = xasprintf("protocols: ospf: the router has no interface '%s'",
                          name);
    }
    sset_destroy(&ospf);
    return error;
}

char *
join_frr_config(const struct xfrec_router *row,
                const struct xfrec_interface **ifaces, size_t n,
                ovs_be32 fpm_ip, struct ds *ds)
{
    struct sset ospf;
    int dead_s;
    char *error = check(row, ifaces, n, &dead_s);

    if (error) {
        return error;
    }
    ds_put_format(ds, "hostname %s\nlog syslog warnings\n", row->name);
    if (join_frr_speaks(row)) {
        ds_put_format(ds, "fpm address "IP_FMT"\n"
                      "no fpm use-next-hop-groups\n", IP_ARGS(fpm_ip));
    }
    /* Before the interfaces, which would begin to speak under another id. */
    if (runs_ospf(row, ifaces, n, 4)) {
        ds_put_cstr(ds, "router ospf\n ospf router-id ");
        put_router_id(ds, ifaces, n, fpm_ip);
        ds_put_cstr(ds, "\n timers throttle spf 0 50 500\n"
                    " timers throttle lsa all 0\n timers lsa min-arrival 0\n"
                    "exit\n");
    }
    if (runs_ospf(row, ifaces, n, 6)) {
        ds_put_cstr(ds, "router ospf6\n ospf6 router-id ");
        put_router_id(ds, ifaces, n, fpm_ip);
        ds_put_cstr(ds, "\n timers throttle spf 0 50 500\nexit\n");
    }
    words_of(row, "ospf", &ospf);
    for (size_t i = 0; i < n; i++) {
        if (sset_contains(&ospf, ifaces[i]->name)) {
            put_interface(ds, ifaces[i], dead_s);
        }
    }
    sset_destroy(&ospf);
    ds_put_cstr(ds, row->config);
    if (row->config[0] && !string_ends_with(row->config, "\n")) {
        ds_put_char(ds, '\n');
    }
    return NULL;
}

void
join_frr_daemons(const struct xfrec_router *row,
                 const struct xfrec_interface **ifaces, size_t n,
                 struct ds *ds)
{
    ds_put_format(ds, "daemon zebra -K %d%s\ndaemon staticd\n", GRACE_S,
                  join_frr_speaks(row) ? " -M dplane_fpm_nl" : "");
    if (runs_ospf(row, ifaces, n, 4)) {
        ds_put_cstr(ds, "daemon ospfd\n");
    }
    if (runs_ospf(row, ifaces, n, 6)) {
        ds_put_cstr(ds, "daemon ospf6d\n");
    }
}
