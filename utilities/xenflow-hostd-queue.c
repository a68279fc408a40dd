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

/* Queues of links with a bandwidth, at the cables of this host.
 *
 * What ---- While any link has a bandwidth, each cable whose bandwidth is
 * known has a QoS of type linux-htb in Open_vSwitch, as fast as the cable.
 * Each hop of a link with a bandwidth has a queue there of at least so much
 * (XF_LINK_QUEUE plus its VLAN there: the switch sends by it).  What is left
 * is queue 0's, of all others.  Any queue takes what others don't use: a
 * promise is a minimum.
 *
 * All cables, for making a QoS may lose packets that are under way, making
 * queues doesn't: a link moves to another cable without a loss.
 *
 * Both generations of a link that moves have a queue of all its bandwidth,
 * and of what is left it is taken off once, as the plan counts it: no more
 * than one of them carries the traffic at a time.
 *
 * Whose ---- Rows of ours have external_ids:xenflow-owner=hostd.  A port with
 * a QoS of somebody else's keeps it, and an event says so.  QoS and Queue rows
 * stay in their database when nothing refers to them, so those of ours that
 * aren't wanted are deleted by name, also those that another run has left.
 *
 * Cost: O(hops and cables of this host) per change. */

#include <config.h>

#include "xenflow-hostd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "hmapx.h"
#include "lib/vswitch-idl.h"
#include "openvswitch/hmap.h"
#include "openvswitch/shash.h"
#include "openvswitch/type-props.h"
#include "smap.h"
#include "util.h"
#include "xenflow/hops.h"

#define TYPE "linux-htb"
#define REST_QUEUE 0
#define PORT_KEY "xenflow-port" /* Of a QoS: the port that has it. */

/* HTB's rates are 32 bits of bytes. */
#define RATE_MAX (INT64_C(8) * UINT32_MAX)

/* What queue 0 has at least, so that ARP and probes get through. */
#define REST_MIN_PERCENT 1

/* How late the kernel may be, on a busy host, without a queue losing any of
 * its minimum. */
#define BURST_MS 20

/* A link in a cable. */
struct share {
    struct hmap_node node;      /* In struct cable, by 'link'. */
    const struct xfrec_link *link;
};

/* A cable that has queues. */
struct cable {
    int64_t rate;               /* Bits per second. */
    int64_t promised;           /* Of that. */
    struct hmap shares;         /* struct share: what 'promised' counts. */
    struct smap queues;         /* Minimum by number, as texts. */
};

void
join_queues_monitor(struct ovsdb_idl *idl)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_port_col_qos,
        &ovsrec_qos_col_type, &ovsrec_qos_col_other_config,
        &ovsrec_qos_col_queues, &ovsrec_qos_col_external_ids,
        &ovsrec_queue_col_other_config, &ovsrec_queue_col_external_ids,
    };

    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

/* ---- What there should be. ---- */

/* Counts 'link' in 'cable', unless it is counted already. */
static void
add_share(struct cable *cable, const struct xfrec_link *link)
{
    uint32_t hash = hash_pointer(link, 0);
    struct share *share;

    HMAP_FOR_EACH_WITH_HASH (share, node, hash, &cable->shares) {
        if (share->link == link) {
            return;
        }
    }
    share = xmalloc(sizeof *share);
    share->link = link;
    hmap_insert(&cable->shares, &share->node, hash);
    cable->promised += MIN(link->bandwidth, cable->rate);
}

/* 'link' goes by ('port', 'vlan'), which may be a cable. */
static void
want_queue(const struct xfrec_link *link, const char *port, int64_t vlan,
           struct shash *cables)
{
    struct cable *cable = shash_find_data(cables, port);

    if (cable) {
        char key[INT_STRLEN(int64_t) + 1];

        add_share(cable, link);
        snprintf(key, sizeof key, "%"PRId64, XF_LINK_QUEUE + vlan);
        smap_replace_nocopy(&cable->queues, key,
                            xasprintf("%"PRId64, MIN(link->bandwidth,
                                                     cable->rate)));
    }
}

static void
want_cable(const char *port, int64_t rate, struct shash *cables)
{
    if (rate && !shash_find(cables, port)) {
        struct cable *cable = xzalloc(sizeof *cable);

        cable->rate = rate;
        hmap_init(&cable->shares);
        smap_init(&cable->queues);
        shash_add(cables, port, cable);
    }
}

/* Whether any link has a bandwidth. */
static bool
is_any_promised(const struct join *j)
{
    const struct xfrec_link *link;

    XFREC_LINK_FOR_EACH (link, j->xf.idl) {
        if (link->bandwidth) {
            return true;
        }
    }
    return false;
}

/* Fills 'cables' in with struct cable by port. */
static void
want_all(const struct join *j, struct shash *cables)
{
    const struct xfrec_physical_link *cable;
    const struct shash_node *node;
    const struct xfrec_hop *hop;

    if (!is_any_promised(j)) {
        return;
    }
    XFREC_PHYSICAL_LINK_FOR_EACH (cable, j->xf.idl) {
        if (cable->host1 == j->me) {
            want_cable(cable->port1, cable->bandwidth, cables);
        }
        if (cable->host2 == j->me) {
            want_cable(cable->port2, cable->bandwidth, cables);
        }
    }
    XFREC_HOP_FOR_EACH (hop, j->xf.idl) {
        if (hop->host == j->me && hop->link && hop->link->bandwidth) {
            want_queue(hop->link, hop->port1, hop->vlan1, cables);
            want_queue(hop->link, hop->port2, hop->vlan2, cables);
        }
    }
    SHASH_FOR_EACH (node, cables) {
        struct cable *c = node->data;
        int64_t rest = MAX(c->rate - c->promised,
                           c->rate * REST_MIN_PERCENT / 100);

        smap_add_format(&c->queues, OVS_STRINGIZE(REST_QUEUE), "%"PRId64,
                        rest);
    }
}

static void
cables_destroy(struct shash *cables)
{
    struct shash_node *node;
    struct share *share;

    SHASH_FOR_EACH (node, cables) {
        struct cable *cable = node->data;

        HMAP_FOR_EACH_POP (share, node, &cable->shares) {
            free(share);
        }
        hmap_destroy(&cable->shares);
        smap_destroy(&cable->queues);
    }
    shash_destroy_free_data(cables);
}

/* ---- What there is. ---- */

/* Tells of ports that can't have queues, with why, each once. */
static void
tell(struct join *j, const struct smap *trouble)
{
    const struct smap_node *node;

    SMAP_FOR_EACH (node, trouble) {
        if (!nullable_string_is_equal(smap_get(&j->queue_trouble, node->key),
                                      node->value)) {
            char *object = xasprintf("port %s", node->key);

            join_event(j, "warning", object, "%s", node->value);
            free(object);
        }
    }
    smap_destroy(&j->queue_trouble);
    smap_clone(&j->queue_trouble, trouble);
}

/* Why 'row' can't have the queues of 'cable'; NULL: it can. */
static const char *
find_trouble(const struct ovsrec_port *row, const struct cable *cable)
{
    const char *type = row->n_interfaces ? row->interfaces[0]->type : "";

    return (row->qos && !join_is_ours(&row->qos->external_ids)
            ? "it has a QoS that xenflow-hostd hasn't made, so no link has "
              "its bandwidth there: clear column qos of the port"
            : row->n_interfaces != 1
            ? "it is a bond, so no link has its bandwidth there"
            : type[0] && strcmp(type, "system")
            ? "queues need a port of the kernel's, so no link has its "
              "bandwidth there"
            : cable->rate > RATE_MAX
            ? "its cable is faster than HTB can be (34.3 Gbit/s), so no link "
              "has its bandwidth there"
            : NULL);
}

/* The queue of number 'key' of 'qos', if it is ours, or NULL. */
static const struct ovsrec_queue *
find_queue(const struct ovsrec_qos *qos, int64_t key)
{
    for (size_t i = 0; i < qos->n_queues; i++) {
        const struct ovsrec_queue *queue = qos->value_queues[i];

        if (qos->key_queues[i] == key
            && join_is_ours(&queue->external_ids)) {
            return queue;
        }
    }
    return NULL;
}

/* Has 'qos' the queues of 'cable', which are added to 'kept'. */
static void
set_queues(struct join *j, const struct ovsrec_qos *qos,
           const struct cable *cable, struct hmapx *kept)
{
    size_t n = smap_count(&cable->queues), i = 0;
    struct ovsrec_queue **values = xmalloc(n * sizeof *values);
    const struct smap owner = SMAP_CONST1(&owner, JOIN_OWNER_KEY, JOIN_OWNER);
    int64_t *keys = xmalloc(n * sizeof *keys);
    const struct smap_node *node;

    SMAP_FOR_EACH (node, &cable->queues) {
        int64_t rate = strtoll(node->value, NULL, 10);
        struct smap config = SMAP_INITIALIZER(&config);
        const struct ovsrec_queue *queue;

        smap_add(&config, "min-rate", node->value);
        smap_add_format(&config, "burst", "%"PRId64, rate * BURST_MS / 1000);
        keys[i] = strtoll(node->key, NULL, 10);
        queue = find_queue(qos, keys[i]);
        if (!queue) {
            queue = ovsrec_queue_insert(j->ovs.txn);
            ovsrec_queue_set_external_ids(queue, &owner);
        }
        ovsrec_queue_set_other_config(queue, &config);
        smap_destroy(&config);
        values[i++] = CONST_CAST(struct ovsrec_queue *, queue);
        hmapx_add(kept, values[i - 1]);
    }
    ovsrec_qos_set_queues(qos, keys, values, n);
    free(keys);
    free(values);
}

/* Has 'port' the queues of 'cable'; adds rows that stay to 'kept'. */
static void
set_qos(struct join *j, const struct ovsrec_port *port,
        const struct cable *cable, struct hmapx *kept)
{
    const struct ovsrec_qos *qos = port->qos;
    struct smap config = SMAP_INITIALIZER(&config);
    struct smap ids = SMAP_INITIALIZER(&ids);

    if (!qos || strcmp(smap_get_def(&qos->external_ids, PORT_KEY, ""),
                       port->name)) {
        qos = ovsrec_qos_insert(j->ovs.txn);
        ovsrec_port_set_qos(port, qos);
    }
    smap_add(&ids, JOIN_OWNER_KEY, JOIN_OWNER);
    smap_add(&ids, PORT_KEY, port->name);
    smap_add_format(&config, "max-rate", "%"PRId64, cable->rate);
    ovsrec_qos_set_type(qos, TYPE);
    ovsrec_qos_set_external_ids(qos, &ids);
    ovsrec_qos_set_other_config(qos, &config);
    set_queues(j, qos, cable, kept);
    hmapx_add(kept, CONST_CAST(struct ovsrec_qos *, qos));
    smap_destroy(&ids);
    smap_destroy(&config);
}

/* Deletes rows of ours but those in 'kept', and those that others use. */
static void
sweep(struct join *j, struct hmapx *kept)
{
    const struct ovsrec_queue *queue;
    const struct ovsrec_qos *qos;

    OVSREC_QOS_FOR_EACH_SAFE (qos, j->ovs.idl) {
        if (!join_is_ours(&qos->external_ids)) {
            for (size_t i = 0; i < qos->n_queues; i++) {
                hmapx_add(kept, qos->value_queues[i]);
            }
        } else if (!hmapx_contains(kept, qos)) {
            ovsrec_qos_delete(qos);
        }
    }
    OVSREC_QUEUE_FOR_EACH_SAFE (queue, j->ovs.idl) {
        if (join_is_ours(&queue->external_ids)
            && !hmapx_contains(kept, queue)) {
            ovsrec_queue_delete(queue);
        }
    }
}

void
join_queues_run(struct join *j)
{
    struct shash cables = SHASH_INITIALIZER(&cables);
    struct hmapx kept = HMAPX_INITIALIZER(&kept);
    struct smap trouble = SMAP_INITIALIZER(&trouble);
    const struct ovsrec_port *port;

    want_all(j, &cables);
    OVSREC_PORT_FOR_EACH (port, j->ovs.idl) {
        const struct cable *cable = shash_find_data(&cables, port->name);
        const char *why = cable ? find_trouble(port, cable) : NULL;

        if (why) {
            smap_add(&trouble, port->name, why);
        }
        if (cable && !why) {
            set_qos(j, port, cable, &kept);
        } else if (port->qos && join_is_ours(&port->qos->external_ids)) {
            ovsrec_port_set_qos(port, NULL);
        }
    }
    sweep(j, &kept);
    tell(j, &trouble);
    smap_destroy(&trouble);
    hmapx_destroy(&kept);
    cables_destroy(&cables);
}
