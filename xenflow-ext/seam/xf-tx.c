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

#include "seam/xf-tx.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/pkt_sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coverage.h"
#include "dp-packet.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "socket-util.h"
#include "userspace-tso.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(xf_tx);

COVERAGE_DEFINE(xf_tx_queue_switch);
COVERAGE_DEFINE(xf_tx_queue_error);

/* The major number of the qdisc that netdev-linux installs. */
#define QDISC_MAJOR 1

/* A thread's socket for packets of queues. */
struct queue_sock {
    int fd;
    uint32_t queue;             /* Whose priority it has; 0: none yet. */
};

static void
queue_sock_close(void *qs_)
{
    struct queue_sock *qs = qs_;

    close(qs->fd);
    free(qs);
}

/* Opens what lib/netdev-linux.c's af_packet_sock() opens.  Returns a file
 * descriptor or a negative errno. */
static int
open_packet_sock(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    int val = 1;

    if (fd < 0) {
        return -errno;
    }
    int error = set_nonblocking(fd);
    if (!error && userspace_tso_enabled()
        && setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &val, sizeof val)) {
        error = errno;
    }
    if (error) {
        close(fd);
        return -error;
    }
    return fd;
}

/* The calling thread's socket, or NULL. */
static struct queue_sock *
queue_sock_get(void)
{
    static struct ovsthread_once once = OVSTHREAD_ONCE_INITIALIZER;
    static ovsthread_key_t key;

    if (ovsthread_once_start(&once)) {
        ovsthread_key_create(&key, queue_sock_close);
        ovsthread_once_done(&once);
    }

    struct queue_sock *qs = ovsthread_getspecific(key);
    if (!qs) {
        int fd = open_packet_sock();

        if (fd < 0) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

            VLOG_WARN_RL(&rl, "no packet socket for queues (%s): packets of "
                         "queues go to the default one", ovs_strerror(-fd));
            return NULL;
        }
        qs = xmalloc(sizeof *qs);
        qs->fd = fd;
        qs->queue = 0;
        ovsthread_setspecific(key, qs);
    }
    return qs;
}

/* Gives 'qs' the priority that names the class of 'queue'; returns false if
 * that fails. */
static bool
queue_sock_set(struct queue_sock *qs, uint32_t queue)
{
    if (qs->queue != queue) {
        /* As netdev-linux numbers its classes: queue N is 1:N+1.  The
         * userspace datapath's priority is the queue's number. */
        uint32_t priority = TC_H_MAKE(QDISC_MAJOR << 16, queue + 1);

        COVERAGE_INC(xf_tx_queue_switch);
        if (setsockopt(qs->fd, SOL_SOCKET, SO_PRIORITY, &priority,
                       sizeof priority)) {
            static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(1, 1);

            VLOG_WARN_RL(&rl, "queue %"PRIu32": priority refused (%s): its "
                         "packets go to the default queue", queue,
                         ovs_strerror(errno));
            return false;
        }
        qs->queue = queue;
    }
    return true;
}

/* See seam/xf-tx.h. */
int
xf_tx_queue_sock(int sock, const struct dp_packet_batch *batch, uint32_t ofs,
                 uint32_t *n)
{
    uint32_t queue = batch->packets[ofs]->md.skb_priority;
    uint32_t end = ofs + 1;

    while (end < batch->count
           && batch->packets[end]->md.skb_priority == queue) {
        end++;
    }
    *n = end - ofs;
    if (!queue) {
        return sock;
    }

    struct queue_sock *qs = queue_sock_get();
    if (!qs || !queue_sock_set(qs, queue)) {
        COVERAGE_INC(xf_tx_queue_error);
        return sock;
    }
    return qs->fd;
}
