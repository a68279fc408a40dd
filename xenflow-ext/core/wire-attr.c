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
#include "core/wire-attr.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

enum xf_wire_error
xf_wire_parse_attrs(const uint8_t *p, size_t size, struct xf_wire_attr *attrs,
                    size_t n_attrs)
{
    memset(attrs, 0, n_attrs * sizeof *attrs);
    while (size) {
        struct rtattr rta;

        if (size < sizeof rta) {
            return XF_WIRE_E_TRUNCATED;
        }
        memcpy(&rta, p, sizeof rta);
        if (rta.rta_len < sizeof rta || rta.rta_len > size) {
            return XF_WIRE_E_TRUNCATED;
        }

        uint16_t type = rta.rta_type & NLA_TYPE_MASK;
        if (type < n_attrs) {
            attrs[type].data = p + sizeof rta;
            attrs[type].size = rta.rta_len - sizeof rta;
        }

        size_t step = MIN(ROUND_UP((size_t) rta.rta_len, RTA_ALIGNTO), size);
        p += step;
        size -= step;
    }
    return XF_WIRE_OK;
}

enum xf_wire_error
xf_wire_parse_body(const uint8_t *body, size_t size, void *fixed,
                   size_t fixed_size, struct xf_wire_attr *attrs,
                   size_t n_attrs)
{
    if (size < fixed_size) {
        return XF_WIRE_E_TRUNCATED;
    }
    memcpy(fixed, body, fixed_size);
    return xf_wire_parse_attrs(body + fixed_size, size - fixed_size, attrs,
                               n_attrs);
}

bool
xf_wire_get_u32(const struct xf_wire_attr *attr, uint32_t *value)
{
    if (attr->size != sizeof *value) {
        return false;
    }
    memcpy(value, attr->data, sizeof *value);
    return true;
}

bool
xf_wire_get_addr__(const uint8_t *data, size_t size, uint8_t family,
                   struct in6_addr *addr)
{
    if (family == AF_INET) {
        ovs_be32 ip;

        if (size != sizeof ip) {
            return false;
        }
        memcpy(&ip, data, sizeof ip);
        in6_addr_set_mapped_ipv4(addr, ip);
        return true;
    }
    if (size != sizeof *addr) {
        return false;
    }
    memcpy(addr, data, sizeof *addr);
    return !IN6_IS_ADDR_V4MAPPED(addr);
}

bool
xf_wire_get_addr(const struct xf_wire_attr *attr, uint8_t family,
                 struct in6_addr *addr)
{
    return xf_wire_get_addr__(attr->data, attr->size, family, addr);
}

bool
xf_wire_family_is_ip(uint8_t family)
{
    return family == AF_INET || family == AF_INET6;
}

bool
xf_wire_addr_is_special(const struct in6_addr *addr)
{
    if (xf_addr_is_v4(addr)) {
        ovs_be32 ip = in6_addr_get_mapped_ipv4(addr);

        return !ip || ip_is_multicast(ip) || ip == OVS_BE32_MAX;
    }
    return IN6_IS_ADDR_UNSPECIFIED(addr) || IN6_IS_ADDR_MULTICAST(addr);
}

enum xf_wire_error
xf_wire_get_ifindex(const struct xf_wire_attr *attr, uint32_t *ifindex)
{
    if (!attr->data) {
        return XF_WIRE_E_MISSING;
    }
    if (!xf_wire_get_u32(attr, ifindex)) {
        return XF_WIRE_E_ATTR;
    }
    return *ifindex && *ifindex <= INT32_MAX ? XF_WIRE_OK : XF_WIRE_E_RANGE;
}
