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


/* The frame of a slice: what the switch holds for it, apart from what its
 * controller put there.  These are its flows in table 0 and its groups for
 * virtual ports; and at its beginning and end, everything in its tables. */

#include <config.h>
#include "slice/slice-private.h"

#include <errno.h>
#include <inttypes.h>

#include "hash.h"
#include "openvswitch/match.h"
#include "openvswitch/ofp-actions.h"
#include "openvswitch/ofp-connection.h"
#include "openvswitch/ofp-group.h"
#include "openvswitch/ofp-monitor.h"
#include "packets.h"

/* ---- Flows in table 0. ---- */

/* The cookie of the slice's flows in table 0.  It tells a later instance of
 * this program whether the tables hold this slice's flows. */
uint64_t
xf_frame_cookie(const struct xf_slice *slice)
{
    const struct xf_slice_config *config = &slice->config;
    uint32_t identity = hash_string(config->name, config->last_table);

    return XF_COOKIE | (uint64_t) config->first_table << 32 | identity;
}

static void
init_flow_mod(struct ofputil_flow_mod *fm, enum ofp_flow_mod_command command,
              uint8_t table_id, const struct match *match)
{
    memset(fm, 0, sizeof *fm);
    minimatch_init(&fm->match, match);
    fm->command = command;
    fm->table_id = table_id;
    fm->buffer_id = XF_NO_BUFFER;
    fm->out_port = OFPP_ANY;
    fm->out_group = OFPG_ANY;
    fm->new_cookie = OVS_BE64_MAX;
}

static void
send_flow_mod(struct xf_slice *slice, struct ofputil_flow_mod *fm)
{
    xf_to_switch(slice, ofputil_encode_flow_mod(fm, XF_OFPUTIL), NULL);
    minimatch_destroy(&fm->match);
}

static void
dispatch_match(const struct xf_dispatch *d, struct match *match)
{
    match_init_catchall(match);
    match_set_in_port(match, d->port_no);
    if (d->vlan) {
        match_set_dl_vlan(match, htons(d->vlan), 0);
    }
    /* It also sets an Ethertype, which isn't matched. */
    match_zero_wildcarded_fields(match);
}

/* Sends the packets of 'd' to the tables of 'slice'. */
static void
add_dispatch(struct xf_slice *slice, const struct xf_dispatch *d)
{
    struct ofputil_flow_mod fm;
    struct ofpbuf actions;
    struct match match;

    dispatch_match(d, &match);
    init_flow_mod(&fm, OFPFC_ADD, 0, &match);
    fm.priority = XF_DISPATCH_PRIORITY;
    fm.new_cookie = htonll(xf_frame_cookie(slice));
    fm.flags = OFPUTIL_FF_SEND_FLOW_REM;

    ofpbuf_init(&actions, 64);
    if (d->vlan) {
        ofpact_put_STRIP_VLAN(&actions);
    }
    struct ofpact_metadata *om = ofpact_put_WRITE_METADATA(&actions);
    om->metadata = htonll((uint64_t) d->number << XF_METADATA_SHIFT);
    om->mask = OVS_BE64_MAX;
    ofpact_put_GOTO_TABLE(&actions)->table_id = slice->config.first_table;
    fm.ofpacts = actions.data;
    fm.ofpacts_len = actions.size;
    send_flow_mod(slice, &fm);
    ofpbuf_uninit(&actions);
}

static void
delete_dispatch(struct xf_slice *slice, const struct xf_dispatch *d)
{
    struct ofputil_flow_mod fm;
    struct match match;

    dispatch_match(d, &match);
    init_flow_mod(&fm, OFPFC_DELETE_STRICT, 0, &match);
    fm.priority = XF_DISPATCH_PRIORITY;
    /* The port may be another slice's by now. */
    fm.cookie = htonll(xf_frame_cookie(slice));
    fm.cookie_mask = OVS_BE64_MAX;
    send_flow_mod(slice, &fm);
}

static bool
has_dispatch(const struct xf_dispatch *list, size_t n,
             const struct xf_dispatch *d)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].port_no == d->port_no && list[i].vlan == d->vlan
            && list[i].number == d->number) {
            return true;
        }
    }
    return false;
}

/* Makes the flows of 'slice' in table 0 what its ports want. */
static void
install_dispatch(struct xf_slice *slice)
{
    struct xf_dispatch old[XF_SLICE_MAX_PORTS];
    size_t n_old = slice->n_dispatch;

    memcpy(old, slice->dispatch, sizeof old);
    slice->n_dispatch = 0;
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];

        if (port->bound) {
            slice->dispatch[slice->n_dispatch++] = (struct xf_dispatch) {
                .port_no = port->phy.port_no,
                .vlan = port->config.vlan,
                .number = port->config.number,
            };
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        if (!has_dispatch(slice->dispatch, slice->n_dispatch, &old[i])) {
            delete_dispatch(slice, &old[i]);
        }
    }
    for (size_t i = 0; i < slice->n_dispatch; i++) {
        if (!has_dispatch(old, n_old, &slice->dispatch[i])) {
            add_dispatch(slice, &slice->dispatch[i]);
        }
    }
}

static bool
is_dispatch(const struct xf_found *found, const struct xf_dispatch *d)
{
    struct minimatch wanted;
    struct match match;

    dispatch_match(d, &match);
    minimatch_init(&wanted, &match);
    bool equal = (found->priority == XF_DISPATCH_PRIORITY
                  && minimatch_equal(&wanted, &found->match));
    minimatch_destroy(&wanted);
    return equal;
}

/* Notes that the switch has flow 'found', if it is one of this slice as it is
 * now. */
void
xf_frame_have_dispatch(struct xf_slice *slice, const struct xf_found *found)
{
    if (found->known && is_dispatch(found, &found->dispatch)
        && found->table_id == slice->config.first_table
        && slice->n_dispatch < XF_SLICE_MAX_PORTS) {
        slice->dispatch[slice->n_dispatch++] = found->dispatch;
    }
}

/* Is 'found' one of the flows that install_dispatch() adds? */
bool
xf_frame_wants(const struct xf_slice *slice, const struct xf_found *found)
{
    for (size_t i = 0; i < slice->n_dispatch; i++) {
        if (is_dispatch(found, &slice->dispatch[i])) {
            return true;
        }
    }
    return false;
}

/* A flow in table 0 with that cookie went away.  If it was one that 'slice'
 * still wants, somebody else deleted it: puts all of them back. */
void
xf_frame_repair(struct xf_slice *slice, uint64_t cookie)
{
    if (slice->ready && cookie == xf_frame_cookie(slice)) {
        for (size_t i = 0; i < slice->n_dispatch; i++) {
            add_dispatch(slice, &slice->dispatch[i]);
        }
    }
}

/* ---- Groups for virtual ports. ---- */

static void
delete_flows(struct xf_slice *slice, uint8_t table_id,
             const struct match *match)
{
    struct ofputil_flow_mod fm;

    init_flow_mod(&fm, OFPFC_DELETE, table_id, match);
    send_flow_mod(slice, &fm);
}

/* Notes that the switch has 'group', one of ours. */
void
xf_frame_have_group(struct xf_slice *slice, const struct xf_frame_group *group)
{
    if (slice->n_frame_groups >= slice->allocated_frame_groups) {
        slice->frame_groups = x2nrealloc(slice->frame_groups,
                                         &slice->allocated_frame_groups,
                                         sizeof *slice->frame_groups);
    }
    slice->frame_groups[slice->n_frame_groups++] = *group;
}

static const struct xf_frame_group *
find_group(const struct xf_frame_group *groups, size_t n, uint32_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (groups[i].id == id) {
            return &groups[i];
        }
    }
    return NULL;
}

static void
add_output(struct xf_frame_group *group, uint16_t vlan, ofp_port_t port)
{
    group->outputs[group->n_outputs++] = ((uint32_t) vlan << 16
                                          | ofp_to_u16(port));
}

/* Sets the outputs of 'group' to those of a flood that came in by 'from', NULL
 * if by any port. */
static void
add_flood(const struct xf_slice *slice, struct xf_frame_group *group,
          const struct xf_vport *from)
{
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];

        if (port->bound && port != from) {
            bool back = from && !strcmp(from->config.name, port->config.name);

            add_output(group, port->config.vlan,
                       back ? OFPP_IN_PORT : port->phy.port_no);
        }
    }
}

static void
send_group(struct xf_slice *slice, const struct xf_frame_group *group,
           uint16_t command)
{
    struct ofputil_group_mod gm = {
        .command = command,
        .type = OFPGT11_ALL,
        .group_id = group->id,
    };

    ovs_list_init(&gm.buckets);
    for (size_t i = 0; i < group->n_outputs; i++) {
        struct ofputil_bucket *bucket = xzalloc(sizeof *bucket);
        struct ofpbuf actions;

        ofpbuf_init(&actions, 64);
        xf_put_push_tag(&actions, group->outputs[i] >> 16);
        ofpact_put_OUTPUT(&actions)->port = u16_to_ofp(group->outputs[i]
                                                       & UINT16_MAX);
        bucket->watch_port = OFPP_ANY;
        bucket->watch_group = OFPG_ANY;
        bucket->ofpacts_len = actions.size;
        bucket->ofpacts = ofpbuf_steal_data(&actions);
        ovs_list_push_back(&gm.buckets, &bucket->list_node);
    }
    xf_to_switch(slice, ofputil_encode_group_mod(XF_OFP, &gm, NULL, -1),
                 NULL);
    ofputil_bucket_list_destroy(&gm.buckets);
}

/* Makes the switch have the group of 'kind' for 'port' (NULL: of none), as the
 * bound ports want it.  'old' are the groups that it has. */
static void
put_group(struct xf_slice *slice, enum xf_group_kind kind,
          const struct xf_vport *port, const struct xf_frame_group *old,
          size_t n_old)
{
    struct xf_frame_group group = {
        .id = xf_group_ours(slice, kind, port ? port->config.number : 0),
        .known = true,
    };
    const struct xf_frame_group *was = find_group(old, n_old, group.id);

    if (kind == XF_GROUP_FLOOD) {
        add_flood(slice, &group, port);
    } else if (!port || port->bound) {
        add_output(&group, port ? port->config.vlan : 0,
                   kind == XF_GROUP_BACK ? OFPP_IN_PORT : port->phy.port_no);
    }
    if (!was) {
        send_group(slice, &group, OFPGC11_ADD);
    } else if (!was->known || was->n_outputs != group.n_outputs
               || memcmp(was->outputs, group.outputs,
                         group.n_outputs * sizeof group.outputs[0])) {
        send_group(slice, &group, OFPGC11_MODIFY);
    }
    xf_frame_have_group(slice, &group);
}

/* Deletes group 'id', numbered as the switch does.  Flows that use it go with
 * it. */
static void
delete_switch_group(struct xf_slice *slice, uint32_t id)
{
    struct ofputil_group_mod gm = {
        .command = OFPGC11_DELETE,
        .type = OFPGT11_ALL,
        .group_id = id,
    };

    ovs_list_init(&gm.buckets);
    xf_to_switch(slice, ofputil_encode_group_mod(XF_OFP, &gm, NULL, -1),
                 NULL);
}

/* Makes the groups of ours what the ports of 'slice' want. */
static void
install_groups(struct xf_slice *slice)
{
    struct xf_frame_group *old = slice->frame_groups;
    size_t n_old = slice->n_frame_groups;

    slice->frame_groups = NULL;
    slice->n_frame_groups = slice->allocated_frame_groups = 0;
    put_group(slice, XF_GROUP_FLOOD, NULL, old, n_old);
    if (!slice->tagged) {
        put_group(slice, XF_GROUP_BACK, NULL, old, n_old);
    }
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];

        put_group(slice, XF_GROUP_OUT, port, old, n_old);
        if (slice->tagged) {
            put_group(slice, XF_GROUP_BACK, port, old, n_old);
        }
        if (port->shared) {
            put_group(slice, XF_GROUP_FLOOD, port, old, n_old);
        }
    }
    for (size_t i = 0; i < n_old; i++) {
        if (!find_group(slice->frame_groups, slice->n_frame_groups,
                        old[i].id)) {
            delete_switch_group(slice, old[i].id);
        }
    }
    free(old);
}

/* ---- Beginning and end. ---- */

static void
derive_ports(struct xf_slice *slice)
{
    slice->tagged = false;
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        struct xf_vport *port = &slice->ports[i];

        port->shared = false;
        slice->tagged |= port->config.vlan != 0;
        for (size_t j = 0; j < slice->config.n_ports; j++) {
            port->shared |= (i != j && !strcmp(port->config.name,
                                               slice->ports[j].config.name));
        }
    }
}

/* Finds the ports of 'slice' among those of the switch. */
static void
bind_ports(struct xf_slice *slice)
{
    const struct xf_slice_switch *sw = slice->sw;

    for (size_t i = 0; i < slice->config.n_ports; i++) {
        struct xf_vport *port = &slice->ports[i];

        port->bound = false;
        for (size_t j = 0; j < sw->n_ports; j++) {
            if (!strcmp(sw->ports[j].name, port->config.name)) {
                port->bound = true;
                port->phy = sw->ports[j];
            }
        }
    }
}

/* Sets the ports of a new 'slice' up, from its configuration. */
void
xf_frame_init(struct xf_slice *slice)
{
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        slice->ports[i].config = slice->config.ports[i];
    }
    derive_ports(slice);
    bind_ports(slice);
}

/* Forgets what the switch holds: it isn't connected. */
void
xf_frame_reset(struct xf_slice *slice)
{
    slice->ready = false;
    slice->unready = NULL;
    slice->n_frame_groups = 0;
    slice->n_dispatch = 0;
    bitmap_set_multiple(slice->groups, 0, XF_GROUPS, false);
    bitmap_set_multiple(slice->meters, 0, XF_METERS, false);
    slice->n_groups = slice->n_meters = 0;
    slice->counted = false;
    slice->counted_ms = 0;
}

/* Makes the switch hold the frame of 'slice'.  From here on its controller may
 * talk. */
void
xf_frame_install(struct xf_slice *slice)
{
    const struct xf_slice_switch *sw = slice->sw;

    slice->unready = NULL;
    if (slice->config.last_table >= sw->n_tables) {
        slice->unready = "the switch has too few tables";
        xf_event(slice->sw, slice, "tables %d-%d aren't there: the switch has "
                 "tables 0 to %d", slice->config.first_table,
                 slice->config.last_table, sw->n_tables - 1);
        return;
    }
    bind_ports(slice);
    install_groups(slice);
    install_dispatch(slice);
    slice->ready = true;
}

/* Empties the tables of 'slice' and deletes all groups and meters in its
 * range: whoever they are of, it isn't this slice. */
void
xf_frame_wipe(struct xf_slice *slice)
{
    const struct xf_slice_switch *sw = slice->sw;
    struct match match;
    size_t id;

    match_init_catchall(&match);
    for (int table = slice->config.first_table;
         table <= MIN(slice->config.last_table, sw->n_tables - 1); table++) {
        delete_flows(slice, table, &match);
    }
    BITMAP_FOR_EACH_1 (id, XF_GROUPS, slice->groups) {
        xf_delete_group(slice, id);
    }
    BITMAP_FOR_EACH_1 (id, XF_METERS, slice->meters) {
        xf_delete_meter(slice, id);
    }
    for (size_t i = 0; i < sw->n_groups; i++) {
        uint32_t table = sw->groups[i].id >> XF_GROUP_SHIFT;

        if (table >= slice->config.first_table
            && table <= slice->config.last_table) {
            delete_switch_group(slice, sw->groups[i].id);
        }
    }
    for (size_t i = 0; i < sw->n_meters; i++) {
        if (sw->meters[i] >> XF_METER_SHIFT == slice->config.first_table) {
            xf_delete_meter(slice, sw->meters[i] & (XF_METERS - 1));
        }
    }
    slice->counted = true;
    slice->n_flows = 0;
    slice->adds_counted = slice->n_adds;
}

/* Takes all that the switch holds for 'slice' away. */
void
xf_frame_remove(struct xf_slice *slice)
{
    for (size_t i = 0; i < slice->n_dispatch; i++) {
        delete_dispatch(slice, &slice->dispatch[i]);
    }
    slice->n_dispatch = 0;
    for (size_t i = 0; i < slice->n_frame_groups; i++) {
        delete_switch_group(slice, slice->frame_groups[i].id);
    }
    slice->n_frame_groups = 0;
    if (slice->ready) {
        xf_frame_wipe(slice);
    }
    slice->ready = false;
}

/* ---- Ports that come and go. ---- */

/* The port as the controller sees it. */
struct ofputil_phy_port
xf_vport_desc(const struct xf_slice *slice OVS_UNUSED,
              const struct xf_vport *port)
{
    struct ofputil_phy_port pp = port->phy;

    pp.port_no = u16_to_ofp(port->config.number);
    if (port->config.vlan) {
        char tag[8];

        int len = snprintf(tag, sizeof tag, ".%d", port->config.vlan);
        memset(pp.name, 0, sizeof pp.name);
        snprintf(pp.name, sizeof pp.name, "%.*s%s",
                 XF_SLICE_PORT_NAME_LEN - len, port->config.name, tag);
    }
    return pp;
}

static void
tell_controller(struct xf_slice *slice, const struct xf_vport *port,
                enum ofp_port_reason reason)
{
    struct ofputil_port_status ps = {
        .reason = reason,
        .desc = xf_vport_desc(slice, port),
    };
    const uint32_t *masks = (slice->role == OFPCR12_ROLE_SECONDARY
                             ? slice->async.secondary : slice->async.primary);

    if (slice->connected && masks[OAM_PORT_STATUS] & (1u << reason)) {
        xf_to_controller(slice, ofputil_encode_port_status(&ps, XF_OFPUTIL));
    }
}

/* Brings 'sw->ports' up to date with 'ps'. */
static void
update_ports(struct xf_slice_switch *sw, const struct ofputil_port_status *ps)
{
    size_t n = 0;

    for (size_t i = 0; i < sw->n_ports; i++) {
        if (sw->ports[i].port_no != ps->desc.port_no
            && strcmp(sw->ports[i].name, ps->desc.name)) {
            sw->ports[n++] = sw->ports[i];
        }
    }
    sw->n_ports = n;
    if (ps->reason != OFPPR_DELETE) {
        if (sw->n_ports >= sw->allocated_ports) {
            sw->ports = x2nrealloc(sw->ports, &sw->allocated_ports,
                                   sizeof *sw->ports);
        }
        sw->ports[sw->n_ports++] = ps->desc;
    }
}

/* The switch says that one of its ports came, went or changed. */
void
xf_frame_port_status(struct xf_slice_switch *sw,
                     const struct ofputil_port_status *ps)
{
    struct xf_slice *slice;

    update_ports(sw, ps);
    LIST_FOR_EACH (slice, node, &sw->slices) {
        struct xf_vport old[XF_SLICE_MAX_PORTS];
        bool moved = false;

        memcpy(old, slice->ports, sizeof old);
        bind_ports(slice);
        for (size_t i = 0; i < slice->config.n_ports; i++) {
            const struct xf_vport *port = &slice->ports[i];

            if (old[i].bound && !port->bound) {
                tell_controller(slice, &old[i], OFPPR_DELETE);
            } else if (!old[i].bound && port->bound) {
                tell_controller(slice, port, OFPPR_ADD);
            } else if (port->bound
                       && memcmp(&old[i].phy, &port->phy, sizeof port->phy)) {
                tell_controller(slice, port, OFPPR_MODIFY);
            }
            moved |= (old[i].bound != port->bound
                      || (port->bound
                          && old[i].phy.port_no != port->phy.port_no));
        }
        if (moved && slice->ready) {
            install_groups(slice);
            install_dispatch(slice);
        }
    }
}

/* Removes the ports of 'slice' that 'config' doesn't have, with the flows that
 * know them. */
static void
remove_ports(struct xf_slice *slice, const struct xf_slice_config *config)
{
    size_t n = 0;

    for (size_t i = 0; i < slice->config.n_ports; i++) {
        const struct xf_vport *port = &slice->ports[i];
        bool stays = false;

        for (size_t j = 0; j < config->n_ports; j++) {
            const struct xf_slice_port_config *new = &config->ports[j];

            stays |= (new->number == port->config.number
                      && new->vlan == port->config.vlan
                      && !strcmp(new->name, port->config.name));
        }
        if (stays) {
            slice->ports[n++] = *port;
            continue;
        }
        if (port->bound) {
            tell_controller(slice, port, OFPPR_DELETE);
        }
        for (int table = 0; slice->ready && table < xf_n_tables(slice);
             table++) {
            struct match match;

            match_init_catchall(&match);
            match_set_metadata_masked(
                &match,
                htonll((uint64_t) port->config.number << XF_METADATA_SHIFT),
                htonll(XF_METADATA_OURS));
            delete_flows(slice, slice->config.first_table + table, &match);
        }
    }
    slice->config.n_ports = n;
    for (size_t i = 0; i < n; i++) {
        slice->config.ports[i] = slice->ports[i].config;
    }
}

/* Gives 'slice' the ports of 'config' that it doesn't have. */
static void
add_ports(struct xf_slice *slice, const struct xf_slice_config *config)
{
    struct xf_vport old[XF_SLICE_MAX_PORTS];
    size_t n_old = slice->config.n_ports;

    memcpy(old, slice->ports, sizeof old);
    slice->config = *config;
    memset(slice->ports, 0, sizeof slice->ports);
    xf_frame_init(slice);
    for (size_t i = 0; i < slice->config.n_ports; i++) {
        bool known = false;

        for (size_t j = 0; j < n_old; j++) {
            known |= old[j].config.number == slice->ports[i].config.number;
        }
        if (!known && slice->ports[i].bound) {
            tell_controller(slice, &slice->ports[i], OFPPR_ADD);
        }
    }
}

/* Gives 'slice' a new configuration with the same tables.  In round 0 it loses
 * ports, in round 1 it gets them: call it for all slices once with each. */
void
xf_frame_reconfigure(struct xf_slice *slice,
                     const struct xf_slice_config *config, int round)
{
    size_t n_before = slice->config.n_ports;
    bool ports_changed;

    if (round == 0) {
        remove_ports(slice, config);
        ports_changed = slice->config.n_ports != n_before;
        derive_ports(slice);
    } else {
        ports_changed = slice->config.n_ports != config->n_ports;
        add_ports(slice, config);
    }
    if (ports_changed && slice->ready) {
        install_groups(slice);
        install_dispatch(slice);
    }
}
