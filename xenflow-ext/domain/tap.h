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

#ifndef XF_DOMAIN_TAP_H
#define XF_DOMAIN_TAP_H 1

/* The host's side of network cards. */

#include "openvswitch/types.h"

/* Makes tap 'name', up, with a queue that takes bursts; one that is there is
 * taken.  Returns NULL, or a sentence (caller frees). */
char *xf_tap_create(const char *name);

/* Gives the host's side of 'name' MAC and IPv4 address.  Returns 0 or an
 * errno. */
int xf_tap_set_addresses(const char *name, struct eth_addr, ovs_be32 ip,
                         ovs_be32 netmask);

/* Gives network card 'old', which is down, another name.  Returns 0 or an
 * errno. */
int xf_tap_rename(const char *old, const char *new);

/* Sets the queue of network card 'name', keeps the host itself from speaking on
 * it, and brings it up.  Returns 0 or an errno. */
int xf_tap_configure(const char *name);

/* Removes it.  Returns 0 or an errno; no error if it isn't there. */
int xf_tap_destroy(const char *name);

#endif /* domain/tap.h */
