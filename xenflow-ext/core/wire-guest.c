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
#include "core/wire-guest.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "core/wire-attr.h"
#include "core/wire-put.h"
#include "openvswitch/util.h"
#include "packets.h"
#include "util.h"

/* Copies a name if every character of it can be shown. */
static bool
get_name(const struct xf_wire_attr *attr, char name[XF_NAME_MAX])
{
    size_t len = attr->size ? strnlen((const char *) attr->data, attr->size)
                            : 0;

    if (!len || len >= XF_NAME_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (attr->data[i] <= ' ' || attr->data[i] >= 0x7f) {
            return false;
        }
    }
    memcpy(name, attr->data, len);
    name[len] = '\0';
    return true;
}

enum xf_wire_error
xf_wire_decode_hello(const uint8_t *body, size_t size, bool del OVS_UNUSED,
                     struct xf_wire_msg *msg)
{
    struct xf_wire_attr attrs[XF_N_HELLO];
    uint32_t version;

    enum xf_wire_error error = xf_wire_parse_attrs(body, size, attrs,
                                                   XF_N_HELLO);
    if (error) {
        return error;
    }
    if (!attrs[XF_HELLO_VERSION].data || !attrs[XF_HELLO_NAME].data) {
        return XF_WIRE_E_MISSING;
    }
    if (!xf_wire_get_u32(&attrs[XF_HELLO_VERSION], &version)
        || !get_name(&attrs[XF_HELLO_NAME], msg->ifname)) {
        return XF_WIRE_E_ATTR;
    }
    if (!version) {
        return XF_WIRE_E_RANGE;
    }
    msg->type = XF_WIRE_HELLO;
    return XF_WIRE_OK;
}

/* Stores the numbers of attributes 1 to 'n' - 1, which must all be there, in
 * 'v'. */
static enum xf_wire_error
get_numbers(const struct xf_wire_attr *attrs, size_t n, uint64_t *v)
{
    v[0] = 0;
    for (size_t i = 1; i < n; i++) {
        if (!attrs[i].data) {
            return XF_WIRE_E_MISSING;
        }
        if (attrs[i].size != sizeof v[i]) {
            return XF_WIRE_E_ATTR;
        }
        memcpy(&v[i], attrs[i].data, sizeof v[i]);
    }
    return XF_WIRE_OK;
}

static enum xf_wire_error
decode_iface(const uint8_t *body, size_t size, struct xf_guest_load *load)
{
    struct xf_wire_attr attrs[XF_N_LOAD_IFACE];
    struct xf_guest_iface *iface;

    if (load->n_ifaces >= XF_GUEST_IFACES_MAX) {
        return XF_WIRE_E_RANGE;
    }
    enum xf_wire_error error = xf_wire_parse_attrs(body, size, attrs,
                                                   XF_N_LOAD_IFACE);
    if (error) {
        return error;
    }
    iface = &load->ifaces[load->n_ifaces];
    error = get_numbers(attrs, XF_LOAD_IFACE_NAME, iface->v);
    if (error) {
        return error;
    }
    if (!attrs[XF_LOAD_IFACE_NAME].data) {
        return XF_WIRE_E_MISSING;
    }
    if (!get_name(&attrs[XF_LOAD_IFACE_NAME], iface->name)) {
        return XF_WIRE_E_ATTR;
    }
    for (size_t i = 0; i < load->n_ifaces; i++) {
        if (load->ifaces[i].v[XF_LOAD_IFACE_INDEX]
            == iface->v[XF_LOAD_IFACE_INDEX]) {
            return XF_WIRE_E_RANGE;
        }
    }
    load->n_ifaces++;
    return XF_WIRE_OK;
}

enum xf_wire_error
xf_guest_load_decode(const uint8_t *body, size_t size,
                     struct xf_guest_load *load)
{
    struct xf_wire_attr attrs[XF_N_LOAD];
    enum xf_wire_error error = xf_wire_parse_attrs(body, size, attrs,
                                                   XF_N_LOAD);

    load->n_ifaces = 0;
    if (!error) {
        error = get_numbers(attrs, XF_LOAD_IFACE, load->v);
    }
    if (error) {
        return error;
    }
    if (!load->v[XF_LOAD_N_CPUS]
        || load->v[XF_LOAD_N_CPUS] > XF_GUEST_CPUS_MAX
        || (load->v[XF_LOAD_MEM_AVAILABLE_BYTES]
            > load->v[XF_LOAD_MEM_TOTAL_BYTES])) {
        return XF_WIRE_E_RANGE;
    }

    /* The interfaces: xf_wire_parse_attrs() has checked every length. */
    for (size_t ofs = 0; ofs < size; ) {
        struct rtattr rta;

        memcpy(&rta, body + ofs, sizeof rta);
        if ((rta.rta_type & NLA_TYPE_MASK) == XF_LOAD_IFACE) {
            error = decode_iface(body + ofs + sizeof rta,
                                 rta.rta_len - sizeof rta, load);
            if (error) {
                return error;
            }
        }
        ofs += ROUND_UP((size_t) rta.rta_len, RTA_ALIGNTO);
    }
    return XF_WIRE_OK;
}

enum xf_wire_error
xf_wire_decode_load(const uint8_t *body, size_t size, bool del OVS_UNUSED,
                    struct xf_wire_msg *msg)
{
    struct xf_guest_load load;
    enum xf_wire_error error = xf_guest_load_decode(body, size, &load);

    if (!error) {
        msg->type = XF_WIRE_LOAD;
        msg->body = body;
        msg->body_size = size;
    }
    return error;
}

/* ---- Encoders. ---- */

size_t
xf_guest_load_encode(const struct xf_guest_load *load, uint32_t seq,
                     void *buffer, size_t capacity)
{
    const struct nlmsghdr nlh = {
        .nlmsg_type = XF_NLMSG_LOAD,
        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
        .nlmsg_seq = seq,
    };
    struct xf_wire_writer w;

    xf_wire_start_frame(&w, buffer, capacity, &nlh);
    for (int i = 1; i < XF_LOAD_IFACE; i++) {
        xf_wire_put_u64(&w, i, load->v[i]);
    }
    for (size_t i = 0; i < load->n_ifaces; i++) {
        const struct xf_guest_iface *iface = &load->ifaces[i];
        size_t ofs = xf_wire_put_attr(&w, XF_LOAD_IFACE, NULL, 0);

        for (int j = 1; j < XF_LOAD_IFACE_NAME; j++) {
            xf_wire_put_u64(&w, j, iface->v[j]);
        }
        xf_wire_put_attr(&w, XF_LOAD_IFACE_NAME, iface->name,
                         strlen(iface->name) + 1);
        xf_wire_set_length(&w, ofs);
    }
    return xf_wire_finish_frame(&w);
}

size_t
xf_guest_hello_encode(const char *name, void *buffer, size_t capacity)
{
    char shown[XF_NAME_MAX];
    struct xf_wire_writer w;
    size_t n = 0;

    for (; *name && n < sizeof shown - 1; name++) {
        if (*name > ' ' && *name < 0x7f) {
            shown[n++] = *name;
        }
    }
    if (!n) {
        shown[n++] = '-';
    }
    shown[n++] = '\0';
    xf_wire_start_request(&w, XF_NLMSG_HELLO, buffer, capacity);
    xf_wire_put_u32(&w, XF_HELLO_VERSION, XF_GUEST_VERSION);
    xf_wire_put_attr(&w, XF_HELLO_NAME, shown, n);
    return xf_wire_finish_frame(&w);
}

size_t
xf_guest_resync_encode(void *buffer, size_t capacity)
{
    struct xf_wire_writer w;

    xf_wire_start_request(&w, XF_NLMSG_RESYNC, buffer, capacity);
    return xf_wire_finish_frame(&w);
}

size_t
xf_guest_use_encode(uint32_t ifindex, const struct in6_addr *ip,
                    void *buffer, size_t capacity)
{
    bool v4 = xf_addr_is_v4(ip);
    const struct ndmsg ndm = {
        .ndm_family = v4 ? AF_INET : AF_INET6,
        .ndm_ifindex = ifindex,
        .ndm_flags = NTF_USE,
    };
    struct xf_wire_writer w;

    xf_wire_start_request(&w, RTM_NEWNEIGH, buffer, capacity);
    xf_wire_put(&w, &ndm, sizeof ndm);
    xf_wire_put_attr(&w, NDA_DST, v4 ? &ip->s6_addr[12] : ip->s6_addr,
                     v4 ? 4 : 16);
    return xf_wire_finish_frame(&w);
}

/* ---- Reckoning. ---- */

double
xf_guest_cpu_percent(const struct xf_guest_load *before,
                     const struct xf_guest_load *after, int attribute)
{
    uint64_t t0 = before->v[XF_LOAD_UPTIME_MS];
    uint64_t t1 = after->v[XF_LOAD_UPTIME_MS];
    uint64_t n_cpus = after->v[XF_LOAD_N_CPUS];

    if (t1 <= t0 || after->v[attribute] < before->v[attribute] || !n_cpus) {
        return 0;
    }

    double percent = (100.0 * (after->v[attribute] - before->v[attribute])
                      / (t1 - t0) / n_cpus);
    return MIN(percent, 100.0);
}
