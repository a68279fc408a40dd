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


/* See xenflow-slice-link.h. */

#include <config.h>
#include "xenflow-slice-link.h"

#include <errno.h>

#include "openvswitch/ofpbuf.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/rconn.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "socket-util.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_slice);

#define VERSIONS (1u << OFP13_VERSION)
#define PROBE_S 5
#define MAX_BACKOFF_S 4
#define BATCH 50                /* Messages read before others' turn. */
#define MAX_QUEUED_SWITCH 500   /* Messages: then controllers aren't read. */
#define MAX_QUEUED_CONTROLLER 100 /* Likewise, this controller. */
#define MAX_UNREAD 1000         /* Then it doesn't read: start again. */
#define FLUSH_MS 1000           /* For the last words to a switch. */

/* A connection that is made or, if the target begins with 'p', awaited. */
struct endpoint {
    char target[XF_SLICE_REMOTE_LEN + 1];
    struct rconn *rconn;
    struct pvconn *pvconn;
    long long int listen_ms;    /* When to try to listen again. */
    bool wanted;
    unsigned int seqno;         /* Of the connection last seen. */
    bool was_connected;
};

/* The controller of a slice. */
struct controller {
    struct ovs_list node;       /* In struct link's 'controllers'. */
    char name[XF_SLICE_NAME_LEN + 1];
    unsigned int generation;    /* Of the slice. */
    struct endpoint ep;
    long long int tokens;       /* Messages that may be read, thousandths. */
    long long int tokens_ms;    /* When that was so. */
    bool is_mute;               /* Doesn't read. */
};

/* A switch. */
struct link {
    struct ovs_list node;       /* In struct links' 'all'. */
    char name[XF_SLICE_NAME_LEN + 1];
    struct endpoint ep;
    struct xf_slice_switch *sw;
    struct ovs_list controllers;
};

struct links {
    struct ovs_list all;
};

/* ---- Endpoints. ---- */

static bool
is_passive(const char *target)
{
    return target[0] == 'p';
}

static void
endpoint_init(struct endpoint *ep, const char *target)
{
    memset(ep, 0, sizeof *ep);
    ovs_strlcpy(ep->target, target, sizeof ep->target);
    ep->rconn = rconn_create(PROBE_S, MAX_BACKOFF_S, DSCP_DEFAULT, VERSIONS);
}

static void
endpoint_stop(struct endpoint *ep)
{
    rconn_disconnect(ep->rconn);
    pvconn_close(ep->pvconn);
    ep->pvconn = NULL;
    ep->wanted = false;
}

static void
endpoint_uninit(struct endpoint *ep)
{
    endpoint_stop(ep);
    rconn_destroy(ep->rconn);
}

static void
endpoint_listen(struct endpoint *ep)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(2, 5);

    if (!ep->pvconn && time_msec() >= ep->listen_ms) {
        int error = pvconn_open(ep->target, VERSIONS, DSCP_DEFAULT,
                                &ep->pvconn);
        if (error) {
            VLOG_WARN_RL(&rl, "%s: can't listen (%s): trying again every "
                         "second", ep->target, ovs_strerror(error));
            ep->listen_ms = time_msec() + 1000;
        }
    }
    if (ep->pvconn) {
        struct vconn *vconn;

        /* The newest wins: what moved to another host left a connection
         * behind that will never say that it ended. */
        if (!pvconn_accept(ep->pvconn, &vconn)) {
            rconn_connect_unreliably(ep->rconn, vconn, ep->target);
        }
    }
}

/* Keeps 'ep' connected, or awaited, if it is 'wanted'. */
static void
endpoint_run(struct endpoint *ep, bool wanted)
{
    if (!wanted) {
        if (ep->wanted) {
            endpoint_stop(ep);
        }
        return;
    }
    if (is_passive(ep->target)) {
        endpoint_listen(ep);
    } else if (!ep->wanted) {
        rconn_connect(ep->rconn, ep->target, ep->target);
    }
    ep->wanted = true;
    rconn_run(ep->rconn);
}

static void
endpoint_wait(struct endpoint *ep)
{
    if (ep->wanted) {
        rconn_run_wait(ep->rconn);
        if (ep->pvconn) {
            pvconn_wait(ep->pvconn);
        } else if (is_passive(ep->target)) {
            poll_timer_wait_until(ep->listen_ms);
        }
    }
}

/* Did the connection begin ('*began') or end ('*ended') since the last call?
 * Both, if it was replaced. */
static void
endpoint_events(struct endpoint *ep, bool *began, bool *ended)
{
    bool connected = rconn_is_connected(ep->rconn);
    unsigned int seqno = rconn_get_connection_seqno(ep->rconn);
    bool replaced = seqno != ep->seqno;

    *ended = ep->was_connected && (!connected || replaced);
    *began = connected && (!ep->was_connected || replaced);
    ep->was_connected = connected;
    ep->seqno = seqno;
}

/* ---- Between the pure part and the connections. ---- */

static struct controller *
find_controller(const struct link *link, const char *name)
{
    struct controller *c;

    LIST_FOR_EACH (c, node, &link->controllers) {
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

static void
send_message(void *link_, struct xf_slice *slice, struct ofpbuf *msg)
{
    struct link *link = link_;
    struct controller *c;

    if (!slice) {
        rconn_send(link->ep.rconn, msg, NULL);
        return;
    }
    c = find_controller(link, xf_slice_get_config(slice)->name);
    if (!c || c->is_mute) {
        ofpbuf_delete(msg);
        return;
    }
    c->is_mute = rconn_count_txqlen(c->ep.rconn) > MAX_UNREAD;
    rconn_send(c->ep.rconn, msg, NULL);
}

static void
log_event(void *link_, struct xf_slice *slice, const char *sentence)
{
    static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(60, 20);
    const struct link *link = link_;

    if (slice) {
        VLOG_INFO_RL(&rl, "slice %s: %s", xf_slice_get_config(slice)->name,
                     sentence);
    } else {
        VLOG_INFO_RL(&rl, "switch %s: %s", link->name, sentence);
    }
}

static const struct xf_slice_ops ops = {
    .transmit = send_message,
    .event = log_event,
};

/* ---- Controllers. ---- */

static void
controller_destroy(struct controller *c)
{
    endpoint_uninit(&c->ep);
    ovs_list_remove(&c->node);
    free(c);
}

/* Makes 'link->controllers' those of its slices. */
static void
update_controllers(struct link *link)
{
    struct ovs_list *slices = xf_slice_switch_slices(link->sw);
    struct controller *c;
    struct ovs_list *node;

    LIST_FOR_EACH_SAFE (c, node, &link->controllers) {
        struct xf_slice *slice = xf_slice_switch_find(link->sw, c->name);

        if (!slice || xf_slice_generation(slice) != c->generation
            || strcmp(xf_slice_get_config(slice)->remote, c->ep.target)) {
            if (slice && xf_slice_generation(slice) == c->generation) {
                xf_slice_controller_disconnected(slice);
            }
            controller_destroy(c);
        }
    }
    for (node = slices->next; node != slices; node = node->next) {
        const struct xf_slice *slice = xf_slice_from_node(node);
        const struct xf_slice_config *config = xf_slice_get_config(slice);

        if (!find_controller(link, config->name)) {
            c = xzalloc(sizeof *c);
            ovs_strlcpy(c->name, config->name, sizeof c->name);
            c->generation = xf_slice_generation(slice);
            endpoint_init(&c->ep, config->remote);
            ovs_list_push_back(&link->controllers, &c->node);
        }
    }
}

static void
refill(struct controller *c, const struct xf_slice *slice)
{
    long long int rate = xf_slice_get_config(slice)->message_rate;
    long long int passed_ms = MIN(MAX(time_msec() - c->tokens_ms, 0), 1000);

    c->tokens_ms = time_msec();
    c->tokens = MIN(c->tokens + passed_ms * rate, rate * 1000);
}

/* May another message of 'c' be read?  If 'wait', and only time is missing,
 * wakes the poll loop then. */
static bool
may_read(const struct link *link, const struct controller *c,
         const struct xf_slice *slice, bool wait)
{
    if (xf_slice_is_busy(slice)
        || rconn_count_txqlen(link->ep.rconn) > MAX_QUEUED_SWITCH
        || rconn_count_txqlen(c->ep.rconn) > MAX_QUEUED_CONTROLLER) {
        return false;
    }
    if (c->tokens <= 0) {
        if (wait) {
            long long int rate = xf_slice_get_config(slice)->message_rate;

            poll_timer_wait(-c->tokens / rate + 1);
        }
        return false;
    }
    return true;
}

static void
controller_run(struct link *link, struct controller *c)
{
    struct xf_slice *slice = xf_slice_switch_find(link->sw, c->name);
    bool began, ended;

    endpoint_run(&c->ep, xf_slice_is_ready(slice));
    if (c->is_mute) {
        VLOG_WARN("slice %s: its controller doesn't read: disconnected",
                  c->name);
        c->is_mute = false;
        rconn_reconnect(c->ep.rconn);
    }
    endpoint_events(&c->ep, &began, &ended);
    if (ended) {
        VLOG_INFO("slice %s: its controller went away", c->name);
        xf_slice_controller_disconnected(slice);
    }
    if (began) {
        VLOG_INFO("slice %s: controller %s is connected", c->name,
                  rconn_get_name(c->ep.rconn));
        xf_slice_controller_connected(slice);
    }
    refill(c, slice);
    for (int i = 0; i < BATCH && may_read(link, c, slice, false); i++) {
        uint64_t before = xf_slice_get_counters(slice)->work;
        struct ofpbuf *msg = rconn_recv(c->ep.rconn);

        if (!msg) {
            break;
        }
        xf_slice_from_controller(slice, msg, time_msec());
        ofpbuf_delete(msg);

        uint64_t n = xf_slice_get_counters(slice)->work - before;
        c->tokens -= 1000 * (long long int) MAX(n, 1);
    }
}

static void
controller_wait(struct link *link, struct controller *c)
{
    const struct xf_slice *slice = xf_slice_switch_find(link->sw, c->name);

    endpoint_wait(&c->ep);
    if (may_read(link, c, slice, true)) {
        rconn_recv_wait(c->ep.rconn);
    }
}

/* ---- Switches. ---- */

static struct link *
link_create(struct links *links, const struct xf_slice_switch_config *config)
{
    struct link *link = xzalloc(sizeof *link);

    ovs_strlcpy(link->name, config->name, sizeof link->name);
    endpoint_init(&link->ep, config->remote);
    link->sw = xf_slice_switch_create(config->name, &ops, link);
    ovs_list_init(&link->controllers);
    ovs_list_push_back(&links->all, &link->node);
    return link;
}

static void
link_destroy(struct link *link)
{
    struct controller *c;

    LIST_FOR_EACH_SAFE (c, node, &link->controllers) {
        controller_destroy(c);
    }
    xf_slice_switch_destroy(link->sw);
    endpoint_uninit(&link->ep);
    ovs_list_remove(&link->node);
    free(link);
}

/* Gives the switch what was said to it last, for a bounded time. */
static void
link_flush(struct link *link)
{
    long long int until_ms = time_msec() + FLUSH_MS;

    while (rconn_is_connected(link->ep.rconn)
           && rconn_count_txqlen(link->ep.rconn)
           && time_msec() < until_ms) {
        rconn_run(link->ep.rconn);
        rconn_run_wait(link->ep.rconn);
        poll_timer_wait_until(until_ms);
        poll_block();
    }
}

static void
link_run(struct link *link)
{
    struct controller *c;
    bool began, ended;

    endpoint_run(&link->ep, true);
    endpoint_events(&link->ep, &began, &ended);
    if (ended) {
        VLOG_INFO("switch %s: went away", link->name);
        xf_slice_switch_disconnected(link->sw);
    }
    if (began) {
        VLOG_INFO("switch %s: connected", link->name);
        xf_slice_switch_connected(link->sw);
    }
    for (int i = 0; i < BATCH; i++) {
        struct ofpbuf *msg = rconn_recv(link->ep.rconn);

        if (!msg) {
            break;
        }
        xf_slice_switch_receive(link->sw, msg, time_msec());
        ofpbuf_delete(msg);
    }
    xf_slice_switch_run(link->sw, time_msec());
    LIST_FOR_EACH (c, node, &link->controllers) {
        controller_run(link, c);
    }
}

static void
link_wait(struct link *link)
{
    struct controller *c;

    endpoint_wait(&link->ep);
    rconn_recv_wait(link->ep.rconn);
    LIST_FOR_EACH (c, node, &link->controllers) {
        controller_wait(link, c);
    }
}

/* ---- All of them. ---- */

struct links *
links_create(void)
{
    struct links *links = xzalloc(sizeof *links);

    ovs_list_init(&links->all);
    return links;
}

/* Closes all connections.  The switches keep what they hold. */
void
links_destroy(struct links *links)
{
    struct link *link;

    LIST_FOR_EACH_SAFE (link, node, &links->all) {
        link_destroy(link);
    }
    free(links);
}

static struct link *
find_link(const struct links *links, const char *name)
{
    struct link *link;

    LIST_FOR_EACH (link, node, &links->all) {
        if (!strcmp(link->name, name)) {
            return link;
        }
    }
    return NULL;
}

/* Makes switches and slices what 'file' says.  What is the same as before isn't
 * touched. */
void
links_configure(struct links *links, const struct xf_slice_file *file)
{
    const struct xf_slice_switch_config *config;
    struct link *link;

    LIST_FOR_EACH_SAFE (link, node, &links->all) {
        config = xf_slice_file_find_switch(file, link->name);
        if (!config || strcmp(config->remote, link->ep.target)) {
            if (!config) {
                xf_slice_switch_configure(link->sw, file);
                link_flush(link);
            }
            link_destroy(link);
        }
    }
    LIST_FOR_EACH (config, node, &file->switches) {
        link = find_link(links, config->name);
        link = link ? link : link_create(links, config);
        xf_slice_switch_configure(link->sw, file);
        update_controllers(link);
    }
}

void
links_run(struct links *links)
{
    struct link *link;

    LIST_FOR_EACH (link, node, &links->all) {
        link_run(link);
    }
}

void
links_wait(struct links *links)
{
    struct link *link;

    LIST_FOR_EACH (link, node, &links->all) {
        link_wait(link);
    }
    /* Counts of flows. */
    poll_timer_wait(1000);
}

/* Calls 'cb' for each switch. */
void
links_for_each_switch(struct links *links,
                      void (*cb)(struct xf_slice_switch *, void *aux),
                      void *aux)
{
    struct link *link;

    LIST_FOR_EACH (link, node, &links->all) {
        cb(link->sw, aux);
    }
}
