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

#ifndef XENFLOW_ACTIONS_H
#define XENFLOW_ACTIONS_H 1

/* Payloads of a router's rules (core/rule-set.h): what a filter and a flow
 * do.  Their text is that of ovs-ofctl(8), with names of ports. */

#include "openvswitch/types.h"
#include "xenflow/types.h"

/* Payload of a filter. */
struct xf_filter {
    bool permit;
};

/* What a step of a flow does, and what of 'struct xf_step' it takes. */
enum xf_step_type {
    XF_STEP_OUTPUT,             /* To 'port', as the packet now is. */
    XF_STEP_IN_PORT,            /* To where it came from, likewise. */
    XF_STEP_NORMAL,             /* Ordinary routing or switching. */
    XF_STEP_PUNT,               /* To the router's virtual machine. */
    XF_STEP_SET_QUEUE,          /* 'number' */
    XF_STEP_VLAN_VID,           /* 'number' */
    XF_STEP_VLAN_PCP,           /* 'number' */
    XF_STEP_STRIP_VLAN,
    XF_STEP_DL_SRC,             /* 'mac' */
    XF_STEP_DL_DST,             /* 'mac' */
    XF_STEP_NW_SRC,             /* 'ip' */
    XF_STEP_NW_DST,             /* 'ip' */
    XF_STEP_NW_TOS,             /* 'number', the lower two bits zero. */
    XF_STEP_TP_SRC,             /* 'number' */
    XF_STEP_TP_DST,             /* 'number' */
};

/* Padding and members that aren't taken are zero: steps are compared as
 * bytes. */
struct xf_step {
    enum xf_step_type type;
    uint32_t number;
    ovs_be32 ip;
    struct eth_addr mac;
    char port[XF_NAME_MAX];     /* Name of a port of the switch. */
};

#define XF_STEPS_MAX 16

/* Payload of a flow: its steps, in order.  None: the packet is dropped. */
struct xf_flow_actions {
    size_t n;
    struct xf_step steps[XF_STEPS_MAX]; /* The first 'n' are there. */
};

#endif /* xenflow/actions.h */
