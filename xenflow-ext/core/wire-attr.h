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


#ifndef XF_CORE_WIRE_ATTR_H
#define XF_CORE_WIRE_ATTR_H 1

/* Wire protocol, what the decoders share: netlink attributes and the values in
 * them.  Used by wire*.c alone.
 *
 * Bytes of a message may stand at any address, so every value is copied out.
 *
 * Threads: pure functions. */

#include "core/wire.h"

/* An attribute's value inside the message; 'data' NULL: absent. */
struct xf_wire_attr {
    const uint8_t *data;
    size_t size;
};

/* Splits 'size' bytes at 'p' into attributes; of those with a type below
 * 'n_attrs' the last of each is stored in 'attrs', the others are skipped. */
enum xf_wire_error xf_wire_parse_attrs(const uint8_t *p, size_t size,
                                       struct xf_wire_attr *attrs,
                                       size_t n_attrs);

/* Splits a message's body of 'size' bytes: copies its fixed part, 'fixed_size'
 * bytes, to '*fixed' and parses what follows into 'attrs', as above. */
enum xf_wire_error xf_wire_parse_body(const uint8_t *body, size_t size,
                                      void *fixed, size_t fixed_size,
                                      struct xf_wire_attr *attrs,
                                      size_t n_attrs);

/* Stores the 32-bit number of an attribute that is present in '*value'; false
 * if its size isn't that of one. */
bool xf_wire_get_u32(const struct xf_wire_attr *, uint32_t *value);

/* Stores the address of 'family' (AF_INET or AF_INET6) in the 'size' bytes at
 * 'data' in '*addr'; false if the size is wrong, or if it is an IPv6 address
 * that would stand for an IPv4 one. */
bool xf_wire_get_addr__(const uint8_t *data, size_t size, uint8_t family,
                        struct in6_addr *addr);
bool xf_wire_get_addr(const struct xf_wire_attr *, uint8_t family,
                      struct in6_addr *addr);

/* Stores in '*ifindex' what an attribute, which may be absent, gives. */
enum xf_wire_error xf_wire_get_ifindex(const struct xf_wire_attr *,
                                       uint32_t *ifindex);

/* True for AF_INET and AF_INET6. */
bool xf_wire_family_is_ip(uint8_t family);

/* True if 'addr' can't be the address of one host: unspecified, multicast,
 * 255.255.255.255. */
bool xf_wire_addr_is_special(const struct in6_addr *addr);

/* Decoders of message bodies; 'del' for RTM_DEL*.  They set 'msg->type' last
 * or leave it XF_WIRE_IGNORED; on a refusal 'msg' may hold anything.  (Those
 * of routes and next hops are in wire.c.) */
typedef enum xf_wire_error xf_wire_decode_fn(const uint8_t *body, size_t size,
                                             bool del, struct xf_wire_msg *);
xf_wire_decode_fn xf_wire_decode_neigh;
xf_wire_decode_fn xf_wire_decode_addr;
xf_wire_decode_fn xf_wire_decode_link;
/* (In wire-guest.c.) */
xf_wire_decode_fn xf_wire_decode_hello;
xf_wire_decode_fn xf_wire_decode_load;
/* (In wire-copy.c.) */
xf_wire_decode_fn xf_wire_decode_copy;
xf_wire_decode_fn xf_wire_decode_counts;

#endif /* core/wire-attr.h */
