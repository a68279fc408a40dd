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


/* Wire protocol, decoders of neighbours, addresses and links, as rtnetlink(7)
 * sends them and a guest daemon forwards them (FRR's FPM sends none). */

#include <config.h>
#include "core/wire-attr.h"

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>

#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

/* Smallest MTU of IPv4 (RFC 791) and largest of struct xf_iface. */
#define MTU_MIN 68
#define MTU_MAX UINT16_MAX

/* Highest attribute types that are looked at, and one. */
#define N_NDA (NDA_LLADDR + 1)
#define N_IFA (IFA_FLAGS + 1)
#define N_IFLA (IFLA_MTU + 1)

/* Stores what 'attr' gives, if it can be the address of one Ethernet
 * station. */
static bool
get_mac(const struct xf_wire_attr *attr, struct eth_addr *mac)
{
    if (attr->size != sizeof *mac) {
        return false;
    }
    memcpy(mac, attr->data, sizeof *mac);
    return !eth_addr_is_zero(*mac) && !eth_addr_is_multicast(*mac);
}

enum xf_wire_error
xf_wire_decode_neigh(const uint8_t *body, size_t size, bool del,
                     struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[N_NDA];
    struct ndmsg ndm;

    enum xf_wire_error error = xf_wire_parse_body(body, size, &ndm, sizeof ndm,
                                                  attrs, N_NDA);
    if (error) {
        return error;
    }
    if (!xf_wire_family_is_ip(ndm.ndm_family)) {
        return ndm.ndm_family == AF_BRIDGE ? XF_WIRE_OK : XF_WIRE_E_FAMILY;
    }
    if (ndm.ndm_flags & NTF_PROXY) {
        return XF_WIRE_OK;
    }
    if (ndm.ndm_ifindex <= 0) {
        return XF_WIRE_E_RANGE;
    }
    if (!attrs[NDA_DST].data) {
        return XF_WIRE_E_MISSING;
    }
    if (!xf_wire_get_addr(&attrs[NDA_DST], ndm.ndm_family, &msg->ip)) {
        return XF_WIRE_E_ATTR;
    }
    if (xf_wire_addr_is_special(&msg->ip)) {
        /* The kernel lists multicast addresses as neighbours too. */
        return XF_WIRE_OK;
    }
    msg->ifindex = ndm.ndm_ifindex;
    if (!del && ndm.ndm_flags & NTF_USE) {
        msg->type = XF_WIRE_NEIGH_USE;
        return XF_WIRE_OK;
    }
    if (del || ndm.ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) {
        msg->type = XF_WIRE_NEIGH_DEL;
        return XF_WIRE_OK;
    }
    if (ndm.ndm_state == NUD_NONE) {
        return XF_WIRE_OK;
    }
    if (!attrs[NDA_LLADDR].data) {
        return XF_WIRE_E_MISSING;
    }
    if (!get_mac(&attrs[NDA_LLADDR], &msg->mac)) {
        return XF_WIRE_E_ATTR;
    }
    msg->permanent = (ndm.ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
    msg->confirmed = msg->permanent || ndm.ndm_state & NUD_REACHABLE;
    msg->type = XF_WIRE_NEIGH_ADD;
    return XF_WIRE_OK;
}

/* Finds the interface's own address among IFA_LOCAL and IFA_ADDRESS.  If they
 * differ, IFA_ADDRESS is the other end of the link: then the own address
 * stands alone, as the prefix is the other end's. */
static enum xf_wire_error
decode_addr_ip(const struct ifaddrmsg *ifa, const struct xf_wire_attr *attrs,
               struct xf_wire_msg *msg)
{
    const struct xf_wire_attr *local = &attrs[IFA_LOCAL];
    const struct xf_wire_attr *address = &attrs[IFA_ADDRESS];
    struct in6_addr peer;

    if (!local->data && !address->data) {
        return XF_WIRE_E_MISSING;
    }
    if (ifa->ifa_prefixlen > (ifa->ifa_family == AF_INET ? 32 : 128)) {
        return XF_WIRE_E_RANGE;
    }
    if (!xf_wire_get_addr(local->data ? local : address, ifa->ifa_family,
                          &msg->ip)
        || xf_wire_addr_is_special(&msg->ip)) {
        return XF_WIRE_E_ATTR;
    }
    msg->prefix_len = ifa->ifa_prefixlen;
    if (local->data && address->data) {
        if (!xf_wire_get_addr(address, ifa->ifa_family, &peer)) {
            return XF_WIRE_E_ATTR;
        }
        if (!ipv6_addr_equals(&msg->ip, &peer)) {
            msg->prefix_len = xf_addr_bits(&msg->ip);
        }
    }
    return XF_WIRE_OK;
}

enum xf_wire_error
xf_wire_decode_addr(const uint8_t *body, size_t size, bool del,
                    struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[N_IFA];
    struct ifaddrmsg ifa;

    enum xf_wire_error error = xf_wire_parse_body(body, size, &ifa, sizeof ifa,
                                                  attrs, N_IFA);
    if (error) {
        return error;
    }
    if (!xf_wire_family_is_ip(ifa.ifa_family)) {
        return XF_WIRE_E_FAMILY;
    }
    if (!ifa.ifa_index || ifa.ifa_index > INT32_MAX) {
        return XF_WIRE_E_RANGE;
    }

    uint32_t flags = ifa.ifa_flags;
    if (attrs[IFA_FLAGS].data && !xf_wire_get_u32(&attrs[IFA_FLAGS], &flags)) {
        return XF_WIRE_E_ATTR;
    }
    error = decode_addr_ip(&ifa, attrs, msg);
    if (error) {
        return error;
    }
    if (!del && flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
        && !(flags & IFA_F_OPTIMISTIC)) {
        /* Not usable; the kernel tells again when it is. */
        return XF_WIRE_OK;
    }
    msg->ifindex = ifa.ifa_index;
    msg->temporary = !(flags & IFA_F_PERMANENT);
    msg->type = del ? XF_WIRE_ADDR_DEL : XF_WIRE_ADDR_ADD;
    return XF_WIRE_OK;
}

/* Copies an interface's name if it is one that can be shown. */
static bool
get_ifname(const struct xf_wire_attr *attr, char ifname[XF_NAME_MAX])
{
    size_t len = attr->size ? strnlen((const char *) attr->data, attr->size)
                            : 0;

    if (!len || len >= IFNAMSIZ) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (attr->data[i] <= ' ' || attr->data[i] >= 0x7f
            || attr->data[i] == '/') {
            return false;
        }
    }
    memcpy(ifname, attr->data, len);
    ifname[len] = '\0';
    return true;
}

enum xf_wire_error
xf_wire_decode_link(const uint8_t *body, size_t size, bool del,
                    struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[N_IFLA];
    struct ifinfomsg ifi;

    enum xf_wire_error error = xf_wire_parse_body(body, size, &ifi, sizeof ifi,
                                                  attrs, N_IFLA);
    if (error) {
        return error;
    }
    if (ifi.ifi_family != AF_UNSPEC) {
        return ifi.ifi_family == AF_BRIDGE ? XF_WIRE_OK : XF_WIRE_E_FAMILY;
    }
    if (ifi.ifi_index <= 0) {
        return XF_WIRE_E_RANGE;
    }
    if (ifi.ifi_type != ARPHRD_ETHER) {
        return XF_WIRE_OK;
    }
    if (attrs[IFLA_ADDRESS].data && !get_mac(&attrs[IFLA_ADDRESS],
                                             &msg->mac)) {
        return XF_WIRE_E_ATTR;
    }
    if (attrs[IFLA_IFNAME].data && !get_ifname(&attrs[IFLA_IFNAME],
                                               msg->ifname)) {
        return XF_WIRE_E_ATTR;
    }
    if (attrs[IFLA_MTU].data) {
        if (!xf_wire_get_u32(&attrs[IFLA_MTU], &msg->mtu)) {
            return XF_WIRE_E_ATTR;
        }
        if (msg->mtu < MTU_MIN || msg->mtu > MTU_MAX) {
            return XF_WIRE_E_RANGE;
        }
    }
    msg->ifindex = ifi.ifi_index;
    msg->up = (!del && ifi.ifi_flags & IFF_UP && ifi.ifi_flags & IFF_RUNNING);
    msg->type = del ? XF_WIRE_LINK_DEL : XF_WIRE_LINK_ADD;
    return XF_WIRE_OK;
}
