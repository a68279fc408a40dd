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

#ifndef XF_RX_H
#define XF_RX_H 1

/* Packets received by AF_PACKET sockets.
 *
 * This file is part of libopenvswitch: lib/netdev-linux.c calls it. */

struct dp_packet;

/* Writes the checksum of a TCP or UDP packet whose sender left it to a network
 * card, as Xen's guests and veth devices do; of others, nothing changes.  The
 * packet begins with its Ethernet header; it isn't parsed yet. */
void xf_rx_finish_checksum(struct dp_packet *);

#endif /* seam/xf-rx.h */
