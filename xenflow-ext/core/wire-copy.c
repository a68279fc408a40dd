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
#include "core/wire-copy.h"

#include <string.h>

#include "core/wire-attr.h"
#include "core/wire-put.h"
#include "openvswitch/util.h"
#include "util.h"

BUILD_ASSERT_DECL(sizeof(struct xf_copy_count) == 48);

/* Copies a string of printable characters to 'text' of 'max' bytes. */
static enum xf_wire_error
get_text(const struct xf_wire_attr *attr, char *text, size_t max)
{
    size_t len;

    if (!attr->data) {
        return XF_WIRE_OK;
    }
    len = attr->size ? strnlen((const char *) attr->data, attr->size) : 0;
    if (!len || len >= max) {
        return XF_WIRE_E_ATTR;
    }
    for (size_t i = 0; i < len; i++) {
        if (attr->data[i] < ' ' || attr->data[i] >= 0x7f) {
            return XF_WIRE_E_ATTR;
        }
    }
    memcpy(text, attr->data, len);
    text[len] = '\0';
    return XF_WIRE_OK;
}

static enum xf_wire_error
get_number(const struct xf_wire_attr *attr, uint32_t *value)
{
    return (attr->data && !xf_wire_get_u32(attr, value)
            ? XF_WIRE_E_ATTR : XF_WIRE_OK);
}

/* Whether 'copy' has what its kind needs. */
static bool
is_complete(const struct xf_copy_msg *copy, bool has_router)
{
    switch (copy->kind) {
    case XF_COPY_REQUEST:
        return has_router && copy->host[0];
    case XF_COPY_BEGIN:
        return copy->host[0] && copy->state;
    case XF_COPY_STATE:
        return copy->state;
    case XF_COPY_REFUSAL:
        return copy->text[0];
    case XF_COPY_N_KINDS:
    default:
        return false;
    }
}

enum xf_wire_error
xf_copy_decode(const uint8_t *body, size_t size, struct xf_copy_msg *copy)
{
    struct xf_wire_attr attrs[XF_N_COPY_A];
    uint32_t kind = 0, state = 0;
    enum xf_wire_error error = xf_wire_parse_attrs(body, size, attrs,
                                                   XF_N_COPY_A);

    memset(copy, 0, sizeof *copy);
    error = error ? error : get_number(&attrs[XF_COPY_A_VERSION],
                                       &copy->version);
    error = error ? error : get_number(&attrs[XF_COPY_A_KIND], &kind);
    error = error ? error : get_number(&attrs[XF_COPY_A_SEED], &copy->seed);
    error = error ? error : get_number(&attrs[XF_COPY_A_STATE], &state);
    error = error ? error : get_text(&attrs[XF_COPY_A_HOST], copy->host,
                                     sizeof copy->host);
    error = error ? error : get_text(&attrs[XF_COPY_A_TEXT], copy->text,
                                     sizeof copy->text);
    if (error) {
        return error;
    }

    const struct xf_wire_attr *router = &attrs[XF_COPY_A_ROUTER];
    if (router->data) {
        if (router->size != sizeof copy->router) {
            return XF_WIRE_E_ATTR;
        }
        memcpy(copy->router, router->data, sizeof copy->router);
    }
    if (!copy->version || kind >= XF_COPY_N_KINDS
        || state >= XF_COPY_N_STATES) {
        return XF_WIRE_E_RANGE;
    }
    copy->kind = kind;
    copy->state = state;
    return (is_complete(copy, router->data) ? XF_WIRE_OK
            : XF_WIRE_E_MISSING);
}

enum xf_wire_error
xf_wire_decode_copy(const uint8_t *body, size_t size, bool del OVS_UNUSED,
                    struct xf_wire_msg *msg)
{
    struct xf_copy_msg copy;
    enum xf_wire_error error = xf_copy_decode(body, size, &copy);

    if (!error) {
        msg->type = XF_WIRE_COPY;
        msg->body = body;
        msg->body_size = size;
    }
    return error;
}

/* What isn't printable becomes '?'. */
static void
put_text(struct xf_wire_writer *w, uint16_t type, const char *text)
{
    char shown[XF_COPY_TEXT_MAX];
    size_t n;

    for (n = 0; text[n] && n < sizeof shown - 1; n++) {
        shown[n] = text[n] < ' ' || text[n] >= 0x7f ? '?' : text[n];
    }
    shown[n] = '\0';
    if (n) {
        xf_wire_put_attr(w, type, shown, n + 1);
    }
}

size_t
xf_copy_encode(const struct xf_copy_msg *copy, void *buffer, size_t capacity)
{
    struct xf_wire_writer w;

    xf_wire_start_request(&w, XF_NLMSG_COPY, buffer, capacity);
    xf_wire_put_u32(&w, XF_COPY_A_VERSION, copy->version);
    xf_wire_put_u32(&w, XF_COPY_A_KIND, copy->kind);
    if (copy->kind == XF_COPY_REQUEST) {
        xf_wire_put_attr(&w, XF_COPY_A_ROUTER, copy->router,
                         sizeof copy->router);
    }
    put_text(&w, XF_COPY_A_HOST, copy->host);
    xf_wire_put_u32(&w, XF_COPY_A_SEED, copy->seed);
    if (copy->state) {
        xf_wire_put_u32(&w, XF_COPY_A_STATE, copy->state);
    }
    put_text(&w, XF_COPY_A_TEXT, copy->text);
    return xf_wire_finish_frame(&w);
}

/* ---- Counters. ---- */

bool
xf_copy_next_count(const uint8_t **body, size_t *size,
                   struct xf_copy_count *count)
{
    if (*size < sizeof *count) {
        return false;
    }
    memcpy(count, *body, sizeof *count);
    *body += sizeof *count;
    *size -= sizeof *count;
    return true;
}

enum xf_wire_error
xf_wire_decode_counts(const uint8_t *body, size_t size, bool del OVS_UNUSED,
                      struct xf_wire_msg *msg)
{
    const uint8_t *p = body;
    size_t left = size;
    struct xf_copy_count count;

    if (size % sizeof count
        || size / sizeof count > XF_COPY_COUNTS_MAX) {
        return XF_WIRE_E_ATTR;
    }
    while (xf_copy_next_count(&p, &left, &count)) {
        if (count.is_neigh > 1 || count.zero
            || count.len > xf_addr_bits(&count.ip)) {
            return XF_WIRE_E_RANGE;
        }
    }
    msg->type = XF_WIRE_COUNTS;
    msg->body = body;
    msg->body_size = size;
    return XF_WIRE_OK;
}

size_t
xf_copy_counts_encode(const struct xf_copy_count *counts, size_t n,
                      void *buffer, size_t capacity)
{
    struct xf_wire_writer w;

    xf_wire_start_request(&w, XF_NLMSG_COUNTS, buffer, capacity);
    xf_wire_put(&w, counts, n * sizeof *counts);
    return xf_wire_finish_frame(&w);
}
