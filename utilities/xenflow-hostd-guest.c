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

/* A router's rows -> the configuration of its domain: cards, and the files that
 * make the image this router (see utilities/lab/guest-init). */

#include <config.h>

#include "xenflow-hostd.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "packets.h"
#include "util.h"
#include "uuid.h"

#define MANAGEMENT "mgmt"       /* Interface of that link in the guest. */
#define DEFAULT_IMAGE "default"
#define DEFAULT_MTU 1500
#define LINUX_NAME_MAX 15
/* A machine that was started again needs so long to learn its routes. */
#define GUESTD_HOLD_S 60

/* Management links are /30 networks of 169.254.0.0/16 without its first and
 * last 256 addresses, which RFC 3927 reserves. */
#define LINK_LOCAL 0xa9fe0100u
#define N_LINKS (254 * 64)

static const char *const sysctls[] = {
    "net.ipv4.ip_forward 1",
    "net.ipv6.conf.all.forwarding 1",
    "net.ipv4.conf.all.rp_filter 0",
    "net.ipv4.conf.default.rp_filter 0",
    "net.ipv4.fib_multipath_hash_policy 1",
    "net.ipv6.fib_multipath_hash_policy 1",
    "net.ipv4.conf.all.send_redirects 0",
    "net.ipv4.conf.default.send_redirects 0",
    "net.ipv6.conf.all.accept_dad 0",
    "net.ipv6.conf.default.accept_dad 0",
};

/* Two routers of a host may get the same network: speakers are told apart by
 * the tap that the listener is bound to, not by addresses. */
void
join_place_init(struct join_place *place, const struct uuid *router)
{
    uint32_t hash = uuid_hash(router);
    uint32_t network = LINK_LOCAL + hash_int(hash, 0) % N_LINKS * 4;

    snprintf(place->tap, sizeof place->tap, "xm%08x%03x", router->parts[0],
             router->parts[1] >> 20);
    place->host_ip = htonl(network + 1);
    place->guest_ip = htonl(network + 2);
    place->host_mac = (struct eth_addr) ETH_ADDR_C(02,58,00,00,00,00);
    place->host_mac.ea[3] = hash >> 16;
    place->host_mac.ea[4] = hash >> 8;
    place->host_mac.ea[5] = hash;
    place->guest_mac = place->host_mac;
    place->guest_mac.ea[2] = 1;
}

void
join_vif_name(const struct xfrec_interface *iface,
              char name[JOIN_PORT_MAX + 1])
{
    const struct uuid *uuid = &iface->header_.uuid;

    if (iface->vif[0]) {
        ovs_strlcpy(name, iface->vif, JOIN_PORT_MAX + 1);
    } else {
        snprintf(name, JOIN_PORT_MAX + 1, "xv%08x%03x", uuid->parts[0],
                 uuid->parts[1] >> 20);
    }
}

/* ---- Interfaces. ---- */

static int
compare_interfaces(const void *a_, const void *b_)
{
    const struct xfrec_interface *const *a = a_, *const *b = b_;
    size_t a_len = strlen((*a)->name), b_len = strlen((*b)->name);

    return (a_len != b_len ? (a_len < b_len ? -1 : 1)
            : strcmp((*a)->name, (*b)->name));
}

const struct xfrec_interface **
join_interfaces(const struct join *j, const struct xfrec_router *router,
                size_t *np)
{
    struct xfrec_interface *key = xfrec_interface_index_init_row(
        j->interfaces);
    const struct xfrec_interface **ifaces = NULL;
    const struct xfrec_interface *iface;
    size_t n = 0, allocated = 0;

    xfrec_interface_index_set_router(key, router);
    XFREC_INTERFACE_FOR_EACH_EQUAL (iface, key, j->interfaces) {
        if (n >= allocated) {
            ifaces = x2nrealloc(ifaces, &allocated, sizeof *ifaces);
        }
        ifaces[n++] = iface;
    }
    xfrec_interface_index_destroy_row(key);
    if (n) {
        qsort(ifaces, n, sizeof *ifaces, compare_interfaces);
    }
    *np = n;
    return ifaces;
}

/* Says what of 'iface' a Linux machine can't have, or NULL. */
static char *
check_interface(const struct xfrec_interface *iface)
{
    struct eth_addr mac;

    if (strlen(iface->name) > LINUX_NAME_MAX
        || strspn(iface->name, "abcdefghijklmnopqrstuvwxyz"
                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
           != strlen(iface->name)
        || !strcmp(iface->name, MANAGEMENT) || !strcmp(iface->name, "lo")
        || iface->name[0] == '.') {
        return xasprintf("interface '%s': its name isn't 1 to %d letters, "
                         "digits, '_', '.' and '-', or is one of the "
                         "machine's own", iface->name, LINUX_NAME_MAX);
    } else if (!eth_addr_from_string(iface->mac, &mac)) {
        return xasprintf("interface '%s': '%s' isn't a MAC address",
                         iface->name, iface->mac);
    } else if (strlen(iface->vif) > JOIN_PORT_MAX) {
        return xasprintf("interface '%s': vif '%s' has more than %d "
                         "characters", iface->name, iface->vif,
                         JOIN_PORT_MAX);
    }
    for (size_t i = 0; i < iface->n_addresses; i++) {
        const char *s = iface->addresses[i];
        struct in6_addr ipv6;
        unsigned int plen;
        ovs_be32 ipv4;
        char *error = (strchr(s, ':') ? ipv6_parse_cidr(s, &ipv6, &plen)
                       : ip_parse_cidr(s, &ipv4, &plen));

        if (error) {
            char *sentence = xasprintf("interface '%s': %s", iface->name,
                                       error);
            free(error);
            return sentence;
        }
    }
    return NULL;
}

/* ---- /etc/xenflow/network. ---- */

/* "mac MAC NAME" of all.  The kernel calls them eth1, eth2, ...: if one is to
 * have another's name, all go by a third one. */
static void
put_names(struct ds *ds, const struct xfrec_interface **ifaces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *name = xasprintf("eth%"PRIuSIZE, i + 1);
        bool moves = (!strncmp(ifaces[i]->name, "eth", 3)
                      && strcmp(ifaces[i]->name, name));

        free(name);
        if (moves) {
            for (size_t k = 0; k < n; k++) {
                ds_put_format(ds, "mac %s xf-%"PRIuSIZE"\n", ifaces[k]->mac,
                              k);
            }
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        ds_put_format(ds, "mac %s %s\n", ifaces[i]->mac, ifaces[i]->name);
    }
}

static void
put_interface(struct ds *ds, const struct xfrec_interface *iface)
{
    if (iface->mtu != DEFAULT_MTU) {
        ds_put_format(ds, "run ip link set dev %s mtu %"PRId64"\n",
                      iface->name, iface->mtu);
    }
    if (iface->up) {
        ds_put_format(ds, "up %s\n", iface->name);
        for (size_t i = 0; i < iface->n_addresses; i++) {
            ds_put_format(ds, "address %s %s\n", iface->name,
                          iface->addresses[i]);
        }
    }
}

/* Lines of Router:config as arguments of ip(8), for routers without routing
 * software. */
static void
put_static(struct ds *ds, const char *config)
{
    char *copy = xstrdup(config), *save = NULL;

    for (char *line = strtok_r(copy, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        ds_put_format(ds, "run ip %s\n", line);
    }
    free(copy);
}

static char *
network_file(const struct xfrec_router *row, const struct join_place *place,
             const struct xfrec_interface **ifaces, size_t n)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, "hostname %s\n", row->name);
    for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
        ds_put_format(&ds, "sysctl %s\n", sysctls[i]);
    }
    ds_put_format(&ds, "mac "ETH_ADDR_FMT" "MANAGEMENT"\n"
                  "address "MANAGEMENT" "IP_FMT"/30\n",
                  ETH_ADDR_ARGS(place->guest_mac), IP_ARGS(place->guest_ip));
    put_names(&ds, ifaces, n);
    for (size_t i = 0; i < n; i++) {
        put_interface(&ds, ifaces[i]);
    }
    if (!strcmp(row->routing, "frr")) {
        join_frr_daemons(row, ifaces, n, &ds);
    } else if (!strcmp(row->routing, "bird")) {
        ds_put_cstr(&ds, "run bird\n");
    } else {
        put_static(&ds, row->config);
    }
    if (!join_frr_speaks(row)) {
        ds_put_format(&ds, "guestd --remote=tcp:"IP_FMT":%d --management="
                      MANAGEMENT" --interval=1 --hold=%d\n",
                      IP_ARGS(place->host_ip), XF_FPM_PORT, GUESTD_HOLD_S);
    }
    return ds_steal_cstr(&ds);
}

/* ---- The whole. ---- */

static void
add_file(struct xf_domain_config *config, const char *path, char *content)
{
    config->files = xrealloc(config->files, (config->n_files + 1)
                             * sizeof *config->files);
    config->files[config->n_files++] = (struct xf_domain_file) {
        .path = xstrdup(path),
        .content = content,
        .mode = 0644,
    };
}

static char *
add_files(struct xf_domain_config *config, const struct xfrec_router *row,
          const struct join_place *place,
          const struct xfrec_interface **ifaces, size_t n)
{
    add_file(config, "etc/xenflow/network",
             network_file(row, place, ifaces, n));
    if (!strcmp(row->routing, "frr")) {
        struct ds ds = DS_EMPTY_INITIALIZER;
        char *error = join_frr_config(row, ifaces, n, place->host_ip, &ds);

        add_file(config, "etc/frr/frr.conf", ds_steal_cstr(&ds));
        return error;
    } else if (!smap_is_empty(&row->protocols)) {
        return xasprintf("protocols: hostd configures them for FRR alone; "
                         "state the lines of %s in config", row->routing);
    } else if (!strcmp(row->routing, "bird")) {
        add_file(config, "etc/bird/bird.conf", xstrdup(row->config));
    }
    return NULL;
}

static void
add_nics(struct xf_domain_config *config, const struct join_place *place,
         const struct xfrec_interface **ifaces, size_t n)
{
    config->nics = xzalloc((n + 1) * sizeof *config->nics);
    config->n_nics = n + 1;
    ovs_strlcpy(config->nics[0].tap, place->tap, sizeof config->nics[0].tap);
    config->nics[0].mac = place->guest_mac;
    for (size_t i = 0; i < n; i++) {
        join_vif_name(ifaces[i], config->nics[i + 1].tap);
        ignore(eth_addr_from_string(ifaces[i]->mac,
                                    &config->nics[i + 1].mac));
    }
}

/* Folder of the image called 'name'; NULL if that is no name. */
static char *
image_path(const struct join *j, const char *name)
{
    if (!name[0]) {
        name = DEFAULT_IMAGE;
    }
    return (strchr(name, '/') || name[0] == '.' ? NULL
            : xasprintf("%s/%s", j->settings.images, name));
}

/* What doesn't come from the interfaces. */
static char *
start_config(const struct join *j, const struct xfrec_router *row,
             struct xf_domain_config *config)
{
    char *image = image_path(j, row->image);

    if (!image) {
        return xasprintf("image '%s' isn't the name of one in %s", row->image,
                         j->settings.images);
    }
    *config = (struct xf_domain_config) {
        .name = xstrdup(row->name),
        .uuid = row->header_.uuid,
        .backend = xstrdup(row->backend),
        .image = image,
        .memory_mb = row->memory,
        .n_vcpus = row->vcpus,
        .numa_node = -1,
        .accel = XF_DOMAIN_ACCEL_AUTO,
        .kernel_args = xstrdup(""),
        .stop_s = 0,            /* The image ignores the power button. */
        .script = xstrdup(""),
    };
    return NULL;
}

char *
join_guest_config(const struct join *j, const struct xfrec_router *row,
                  struct xf_domain_config *config)
{
    const struct xfrec_interface **ifaces;
    struct join_place place;
    size_t n;
    char *error;

    memset(config, 0, sizeof *config);
    ifaces = join_interfaces(j, row, &n);
    join_place_init(&place, &row->header_.uuid);
    error = (n + 1 <= XF_DOMAIN_NICS_MAX ? NULL
             : xasprintf("%"PRIuSIZE" interfaces: %d is the most that a "
                         "machine can have", n, XF_DOMAIN_NICS_MAX - 1));
    for (size_t i = 0; i < n && !error; i++) {
        error = check_interface(ifaces[i]);
    }
    error = error ? error : start_config(j, row, config);
    if (!error) {
        add_nics(config, &place, ifaces, n);
        error = add_files(config, row, &place, ifaces, n);
    }
    if (!error) {
        /* The names, sizes and limits of domains are checked in one place. */
        struct json *json = xf_domain_config_to_json(config);

        xf_domain_config_uninit(config);
        error = xf_domain_config_parse(json, config);
        json_destroy(json);
    } else {
        xf_domain_config_uninit(config);
    }
    free(ifaces);
    return error;
}
