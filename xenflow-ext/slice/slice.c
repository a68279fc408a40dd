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


/* Slices and switches as objects, and what goes out of them. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/ofp-connection.h"

/* ---- Out. ---- */

/* Tells the log. */
void
xf_event(struct xf_slice_switch *sw, struct xf_slice *slice,
         const char *format, ...)
{
    va_list args;

    va_start(args, format);
    char *sentence = xvasprintf(format, args);
    va_end(args);
    sw->ops->event(sw->aux, slice, sentence);
    free(sentence);
}

/* Counts a refusal of what 'slice''s controller asked for, in the words of
 * 'format'.  Returns 'error', which the caller is to return. */
enum ofperr
xf_refuse(struct xf_slice *slice, enum xf_slice_refusal refusal,
          enum ofperr error, const char *format, ...)
{
    va_list args;

    slice->counters.refused[refusal]++;
    free(slice->last_refusal);
    va_start(args, format);
    slice->last_refusal = xvasprintf(format, args);
    va_end(args);
    xf_event(slice->sw, slice, "refused %s (%s)", slice->last_refusal,
             ofperr_get_name(error));
    return error;
}

/* Sends 'msg', taking ownership, to the controller of 'slice'. */
void
xf_to_controller(struct xf_slice *slice, struct ofpbuf *msg)
{
    if (!slice->connected || msg->size > UINT16_MAX) {
        ofpbuf_delete(msg);
        return;
    }
    ofpmsg_update_length(msg);
    slice->counters.to_controller++;
    slice->sw->ops->transmit(slice->sw->aux, slice, msg);
}

/* Sends the parts of a multipart reply.  'more' says that others follow. */
void
xf_list_to_controller(struct xf_slice *slice, struct ovs_list *parts,
                      bool more)
{
    struct ofpbuf *msg;

    LIST_FOR_EACH_POP (msg, list_node, parts) {
        if (more) {
            struct xf_multipart *mp = msg->data;

            mp->flags |= htons(XF_OFPMPF_MORE);
        }
        xf_to_controller(slice, msg);
    }
}

static uint32_t
take_xid(uint32_t slot, uint32_t *next)
{
    *next = (*next + 1) & XF_XID_MASK;
    return slot << XF_XID_SHIFT | *next;
}

static void
set_xid(struct ofpbuf *msg, uint32_t xid)
{
    ((struct ofp_header *) msg->data)->xid = htonl(xid);
    ofpmsg_update_length(msg);
}

/* Sends 'msg', taking ownership, which the change 'origin' of the controller
 * became, unless it has grown too long.  (With a length that wrapped around,
 * the switch would read the controller's bytes as messages.) */
enum ofperr
xf_change_to_switch(struct xf_slice *slice, struct ofpbuf *msg,
                    const struct ofp_header *origin)
{
    if (msg->size > UINT16_MAX) {
        ofpbuf_delete(msg);
        return xf_refuse(slice, XF_SLICE_R_LIMIT, OFPERR_OFPBRC_BAD_LEN,
                         "a message that is too long once translated");
    }
    xf_to_switch(slice, msg, origin);
    return 0;
}

/* Sends 'msg', taking ownership, to the switch on behalf of 'slice'.  'origin'
 * is the controller's message behind it, to be quoted in an error, or NULL.
 * Returns the identifier that 'msg' got. */
uint32_t
xf_to_switch(struct xf_slice *slice, struct ofpbuf *msg,
             const struct ofp_header *origin)
{
    uint32_t xid = take_xid(slice->config.first_table, &slice->next_xid);
    struct xf_recent *recent = &slice->recent[xid % XF_RECENT];

    ovs_assert(msg->size <= UINT16_MAX);
    recent->xid = xid;
    recent->size = 0;
    if (origin) {
        recent->size = MIN(ntohs(origin->length), XF_HEAD);
        memcpy(recent->head, origin, recent->size);
    }
    slice->counters.to_switch++;
    slice->counters.work++;
    set_xid(msg, xid);
    slice->sw->ops->transmit(slice->sw->aux, NULL, msg);
    return xid;
}

/* ---- Requests under way. ---- */

/* Begins a request of 'slice', of which 'request' is the controller's, or NULL
 * if it is ours.  xf_pending_send() sends what it becomes. */
struct xf_pending *
xf_pending_add(struct xf_slice *slice, enum ofptype type,
               const struct ofp_header *request, long long int now_ms)
{
    struct xf_pending *pending = xzalloc(sizeof *pending);

    pending->type = type;
    pending->ours = !request;
    pending->begin_ms = now_ms;
    pending->request = (request
                        ? ofpbuf_clone_data(request, ntohs(request->length))
                        : NULL);
    ovs_list_push_back(&slice->pending, &pending->node);
    slice->n_pending++;
    return pending;
}

/* Sends 'msg', taking ownership, as one more part of 'pending'. */
void
xf_pending_send(struct xf_slice *slice, struct xf_pending *pending,
                struct ofpbuf *msg)
{
    uint32_t xid = xf_to_switch(slice, msg, (pending->request
                                             ? pending->request->data
                                             : NULL));

    if (!pending->n++) {
        pending->first = xid;
    }
    pending->n_left++;
}

void
xf_pending_destroy(struct xf_slice *slice, struct xf_pending *pending)
{
    if (pending->ours) {
        slice->counting = false;
    }
    ovs_list_remove(&pending->node);
    slice->n_pending--;
    ofpbuf_delete(pending->request);
    free(pending);
}

void
xf_pending_clear(struct xf_slice *slice)
{
    struct xf_pending *pending;

    LIST_FOR_EACH_SAFE (pending, node, &slice->pending) {
        xf_pending_destroy(slice, pending);
    }
}

/* ---- Slices. ---- */

/* Returns the virtual port of 'slice' with that number, or NULL. */
struct xf_vport *
xf_vport_find(const struct xf_slice *slice, uint32_t number)
{
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        if (slice->ports[i].config.number == number) {
            return CONST_CAST(struct xf_vport *, &slice->ports[i]);
        }
    }
    return NULL;
}

static struct xf_slice *
slice_create(struct xf_slice_switch *sw, const struct xf_slice_config *config)
{
    struct xf_slice *slice = xzalloc(sizeof *slice);

    slice->sw = sw;
    slice->generation = ++sw->last_generation;
    slice->config = *config;
    slice->recent = xcalloc(XF_RECENT, sizeof *slice->recent);
    slice->groups = bitmap_allocate(XF_GROUPS);
    slice->meters = bitmap_allocate(XF_METERS);
    ovs_list_init(&slice->pending);
    ovs_list_push_back(&sw->slices, &slice->node);
    xf_frame_init(slice);
    return slice;
}

static void
slice_destroy(struct xf_slice *slice)
{
    xf_pending_clear(slice);
    ovs_list_remove(&slice->node);
    bitmap_free(slice->groups);
    bitmap_free(slice->meters);
    free(slice->frame_groups);
    free(slice->recent);
    free(slice->last_refusal);
    free(slice);
}

/* Slice in a list of xf_slice_switch_slices(). */
struct xf_slice *
xf_slice_from_node(const struct ovs_list *node)
{
    return CONTAINER_OF(node, struct xf_slice, node);
}

const struct xf_slice_config *
xf_slice_get_config(const struct xf_slice *slice)
{
    return &slice->config;
}

const struct xf_slice_counters *
xf_slice_get_counters(const struct xf_slice *slice)
{
    return &slice->counters;
}

/* May the controller of 'slice' be talked to? */
bool
xf_slice_is_ready(const struct xf_slice *slice)
{
    return slice->ready && slice->counted;
}

/* Are so many requests under way that no more messages should be read? */
bool
xf_slice_is_busy(const struct xf_slice *slice)
{
    return slice->n_pending >= XF_MAX_PENDING / 2;
}

/* A number that no other slice has or had; with it, a caller sees that a slice
 * was replaced by one of the same name. */
unsigned int
xf_slice_generation(const struct xf_slice *slice)
{
    return slice->generation;
}

/* A controller connected: it finds a switch that was just switched on, as far
 * as the connection's own state goes. */
void
xf_slice_controller_connected(struct xf_slice *slice)
{
    slice->connected = true;
    slice->role = OFPCR12_ROLE_EQUAL;
    slice->miss_send_len = OFP_DEFAULT_MISS_SEND_LEN;
    slice->async = ofputil_async_cfg_default(XF_OFP);
}

/* The controller went away.  Nothing changes in the switch. */
void
xf_slice_controller_disconnected(struct xf_slice *slice)
{
    slice->connected = false;
    slice->have_generation_id = false;
    xf_pending_clear(slice);
}

/* ---- Switches. ---- */

/* Makes a switch without slices.  'ops' and 'aux' must outlive it. */
struct xf_slice_switch *
xf_slice_switch_create(const char *name, const struct xf_slice_ops *ops,
                       void *aux)
{
    struct xf_slice_switch *sw = xzalloc(sizeof *sw);

    sw->name = xstrdup(name);
    sw->ops = ops;
    sw->aux = aux;
    ovs_list_init(&sw->slices);
    ovs_list_init(&sw->found);
    return sw;
}

/* Frees 'sw' and its slices.  The switch itself keeps what it holds. */
void
xf_slice_switch_destroy(struct xf_slice_switch *sw)
{
    struct xf_slice *slice;

    if (sw) {
        LIST_FOR_EACH_SAFE (slice, node, &sw->slices) {
            slice_destroy(slice);
        }
        xf_sync_clear(sw);
        free(sw->name);
        free(sw);
    }
}

static const struct xf_slice_config *
find_config(const struct xf_slice_file *file, const char *switch_name,
            const char *name)
{
    const struct xf_slice_config *config;

    LIST_FOR_EACH (config, node, &file->slices) {
        if (!strcmp(config->name, name)
            && !strcmp(config->switch_name, switch_name)) {
            return config;
        }
    }
    return NULL;
}

/* Makes the slices of 'sw' those that 'file' has for it.  Slices that are the
 * same as before aren't touched.  One whose tables or datapath id changed is a
 * new one, without flows. */
void
xf_slice_switch_configure(struct xf_slice_switch *sw,
                          const struct xf_slice_file *file)
{
    const struct xf_slice_config *config;
    struct xf_slice *slice;

    LIST_FOR_EACH_SAFE (slice, node, &sw->slices) {
        config = find_config(file, sw->name, slice->config.name);
        if (!config
            || config->first_table != slice->config.first_table
            || config->last_table != slice->config.last_table
            || config->dpid != slice->config.dpid) {
            if (sw->sync == XF_SYNC_READY) {
                xf_frame_remove(slice);
            }
            slice_destroy(slice);
        }
    }
    /* A port may move from one slice to another: take, then give. */
    for (int round = 0; round < 2; round++) {
        LIST_FOR_EACH (slice, node, &sw->slices) {
            config = find_config(file, sw->name, slice->config.name);
            xf_frame_reconfigure(slice, config, round);
        }
    }
    LIST_FOR_EACH (config, node, &file->slices) {
        if (!strcmp(config->switch_name, sw->name)
            && !xf_slice_switch_find(sw, config->name)) {
            slice = slice_create(sw, config);
            if (sw->sync == XF_SYNC_READY) {
                xf_frame_wipe(slice);
                xf_frame_install(slice);
            }
        }
    }
}

/* The switch connected: asks it what it holds. */
void
xf_slice_switch_connected(struct xf_slice_switch *sw)
{
    xf_slice_switch_disconnected(sw);
    xf_sync_start(sw);
}

/* The switch went away, with all that its slices were waiting for. */
void
xf_slice_switch_disconnected(struct xf_slice_switch *sw)
{
    struct xf_slice *slice;

    xf_sync_clear(sw);
    LIST_FOR_EACH (slice, node, &sw->slices) {
        xf_frame_reset(slice);
        xf_pending_clear(slice);
        memset(slice->recent, 0, XF_RECENT * sizeof *slice->recent);
    }
}

/* Does the switch hold what its slices need? */
bool
xf_slice_switch_is_ready(const struct xf_slice_switch *sw)
{
    return sw->sync == XF_SYNC_READY;
}

struct xf_slice *
xf_slice_switch_find(const struct xf_slice_switch *sw, const char *name)
{
    struct xf_slice *slice;

    LIST_FOR_EACH (slice, node, &sw->slices) {
        if (!strcmp(slice->config.name, name)) {
            return slice;
        }
    }
    return NULL;
}

struct ovs_list *
xf_slice_switch_slices(struct xf_slice_switch *sw)
{
    return &sw->slices;
}

/* Does what is due at 'now_ms': counts flows, gives up on answers. */
void
xf_slice_switch_run(struct xf_slice_switch *sw, long long int now_ms)
{
    struct xf_pending *pending;
    struct xf_slice *slice;

    LIST_FOR_EACH (slice, node, &sw->slices) {
        LIST_FOR_EACH_SAFE (pending, node, &slice->pending) {
            if (now_ms - pending->begin_ms > XF_PENDING_MS) {
                xf_pending_destroy(slice, pending);
            }
        }
        if (slice->ready && now_ms - slice->counted_ms >= XF_POLL_MS) {
            xf_count_flows(slice, now_ms);
        }
    }
}
