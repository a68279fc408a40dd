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

#ifndef XF_TX_H
#define XF_TX_H 1

/* Sending packets of OpenFlow queues by AF_PACKET sockets.
 *
 * An AF_PACKET socket gives its priority (SO_PRIORITY) to all that it sends, and
 * that names the class of a classful qdisc such as HTB.  Packets without a queue
 * leave by the socket that they always left by; for others each sending thread
 * has a socket of its own, whose priority it changes when the queue does.
 *
 * Threads: any; a thread's socket is closed when it ends.
 *
 * This file is part of libopenvswitch: lib/netdev-linux.c calls it. */

#include <stdint.h>

struct dp_packet_batch;

/* The socket by which the packets of 'batch' from number 'ofs' on are to be
 * sent that go to the same queue; '*n' is how many those are.  'sock' is the
 * socket of packets without a queue, and of all if there is no other. */
int xf_tx_queue_sock(int sock, const struct dp_packet_batch *batch,
                     uint32_t ofs, uint32_t *n);

#endif /* seam/xf-tx.h */
