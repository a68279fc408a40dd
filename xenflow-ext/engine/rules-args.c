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

#include "engine/engine-private.h"

#include "openvswitch/dynamic-string.h"
#include "packets.h"
#include "util.h"

/* Syntax of the arguments of filters and flows.  Main thread; knows nothing of
 * routers. */

#define TIMEOUT_MAX_S (7 * 24 * 3600)

static char *parse_actions(const char *s, struct xf_flow_actions *)
    OVS_WARN_UNUSED_RESULT;
static char *check_actions(const struct xf_match *,
                           const struct xf_flow_actions *)
    OVS_WARN_UNUSED_RESULT;

/* ---- Options: "priority=N", or "priority" and "N". ---- */

/* If 'argv[*i]' is 'key', stores its value and goes on to its last word. */
static bool
match_option(const char *key, int n, const char *argv[], int *i,
             const char **value)
{
    size_t length = strlen(key);

    if (strncmp(argv[*i], key, length)) {
        return false;
    }
    if (argv[*i][length] == '=') {
        *value = argv[*i] + length + 1;
        return true;
    }
    if (!argv[*i][length] && *i + 1 < n) {
        *value = argv[++*i];
        return true;
    }
    return false;
}

/* Parses the options of 'n' words; 'timeouts': idle and hard are among them. */
static char * OVS_WARN_UNUSED_RESULT
parse_options(struct xf_rule_args *args, int n, const char *argv[],
              bool timeouts)
{
    static const char *const keys[] = { "priority", "idle", "hard" };
    uint64_t x[] = { XF_RULE_PRIORITY_DEFAULT, 0, 0 };
    bool seen[] = { false, false, false };

    for (int i = 0; i < n; i++) {
        const char *value = NULL;
        int j;

        for (j = 0; j < (timeouts ? 3 : 1); j++) {
            if (match_option(keys[j], n, argv, &i, &value)) {
                break;
            }
        }
        if (!value) {
            return xasprintf("'%s' isn't understood here: use priority=N%s",
                             argv[i],
                             timeouts ? ", idle=SECONDS or hard=SECONDS" : "");
        }
        if (seen[j]) {
            return xasprintf("'%s' is given twice: give it once", keys[j]);
        }
        seen[j] = true;
        char *error = xf_args_parse_uint(keys[j], value, j ? 1 : 0,
                                         j ? TIMEOUT_MAX_S : UINT16_MAX,
                                         &x[j]);
        if (error) {
            return error;
        }
    }
    args->priority = x[0];
    args->idle_s = x[1];
    args->hard_s = x[2];
    return NULL;
}

/* ---- Commands. ---- */

/* Parses a match. */
char *
xf_rule_args_parse_match(struct xf_rule_args *args, const char *match)
{
    char *error = xf_match_parse(match, &args->match);
    char name[XF_NAME_MAX];

    if (!error && args->match.in_port[0]) {
        error = xf_args_parse_name(args->match.in_port, "switch port", name);
    }
    return error;
}

/* MATCH permit|deny [priority=N] */
char *
xf_rule_args_parse_filter(struct xf_rule_args *args, int n,
                          const char *argv[])
{
    char *error = xf_rule_args_parse_match(args, argv[0]);

    if (error) {
        return error;
    }
    uint16_t dl_type = ntohs(args->match.match.flow.dl_type);
    if (dl_type && dl_type != ETH_TYPE_IP && dl_type != ETH_TYPE_IPV6) {
        return xasprintf("'%s' matches no IP packet, and filters see nothing "
                         "else: use xenflow/flow-add", argv[0]);
    }
    if (strcmp(argv[1], "permit") && strcmp(argv[1], "deny")) {
        return xasprintf("'%s' is nothing that a filter does: use permit or "
                         "deny", argv[1]);
    }
    args->filter.permit = !strcmp(argv[1], "permit");
    return parse_options(args, n - 2, argv + 2, false);
}

/* MATCH actions=ACTIONS [priority=N] [idle=S] [hard=S] */
char *
xf_rule_args_parse_flow(struct xf_rule_args *args, int n, const char *argv[])
{
    char *error = xf_rule_args_parse_match(args, argv[0]);

    if (!error && strncmp(argv[1], "actions=", 8)) {
        error = xasprintf("'%s' stands where the actions belong: write "
                          "actions=ACTION[,ACTION]... after the match",
                          argv[1]);
    }
    error = error ? error : parse_actions(argv[1] + 8, &args->flow);
    error = error ? error : check_actions(&args->match, &args->flow);
    return error ? error : parse_options(args, n - 2, argv + 2, true);
}

/* all | MATCH [priority=N].  The fields of MATCH may be words. */
char *
xf_rule_args_parse_del(struct xf_rule_args *args, int n, const char *argv[])
{
    struct ds match = DS_EMPTY_INITIALIZER;
    char *error;
    int i;

    args->all = !strcmp(argv[0], "all");
    if (args->all) {
        return (n > 1
                ? xasprintf("'%s' isn't understood here: all stands alone",
                            argv[1])
                : NULL);
    }
    for (i = 0; i < n && strncmp(argv[i], "priority", 8); i++) {
        ds_put_format(&match, "%s%s", i ? "," : "", argv[i]);
    }
    error = xf_rule_args_parse_match(args, ds_cstr(&match));
    ds_destroy(&match);
    return error ? error : parse_options(args, n - i, argv + i, false);
}

/* ---- Actions. ---- */

enum value_type { V_NONE, V_NUMBER, V_PORT, V_MAC, V_IP };

static const struct action {
    const char *name;
    enum xf_step_type step;
    enum value_type value;
    uint32_t max;               /* Numbers. */
} actions[] = {
    { "output", XF_STEP_OUTPUT, V_PORT, 0 },
    { "in_port", XF_STEP_IN_PORT, V_NONE, 0 },
    { "normal", XF_STEP_NORMAL, V_NONE, 0 },
    { "punt", XF_STEP_PUNT, V_NONE, 0 },
    { "set_queue", XF_STEP_SET_QUEUE, V_NUMBER, UINT32_MAX - 1 },
    { "mod_vlan_vid", XF_STEP_VLAN_VID, V_NUMBER, 4094 },
    { "mod_vlan_pcp", XF_STEP_VLAN_PCP, V_NUMBER, 7 },
    { "strip_vlan", XF_STEP_STRIP_VLAN, V_NONE, 0 },
    { "mod_dl_src", XF_STEP_DL_SRC, V_MAC, 0 },
    { "mod_dl_dst", XF_STEP_DL_DST, V_MAC, 0 },
    { "mod_nw_src", XF_STEP_NW_SRC, V_IP, 0 },
    { "mod_nw_dst", XF_STEP_NW_DST, V_IP, 0 },
    { "mod_nw_tos", XF_STEP_NW_TOS, V_NUMBER, 255 },
    { "mod_tp_src", XF_STEP_TP_SRC, V_NUMBER, UINT16_MAX },
    { "mod_tp_dst", XF_STEP_TP_DST, V_NUMBER, UINT16_MAX },
};

static char * OVS_WARN_UNUSED_RESULT
unknown_action(const char *name)
{
    struct ds ds = DS_EMPTY_INITIALIZER;

    ds_put_format(&ds, "'%s' is no action: use drop alone, or", name);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        ds_put_format(&ds, "%s %s%s", i ? "," : "", actions[i].name,
                      actions[i].value == V_NONE ? ""
                      : actions[i].value == V_PORT ? ":PORT" : ":VALUE");
    }
    return ds_steal_cstr(&ds);
}

static char * OVS_WARN_UNUSED_RESULT
parse_value(const struct action *a, const char *s, struct xf_step *step)
{
    char *error = NULL;
    uint64_t x = 0;

    switch (a->value) {
    case V_NONE:
        break;
    case V_NUMBER:
        error = xf_args_parse_uint(a->name, s, 0, a->max, &x);
        if (!error && a->step == XF_STEP_NW_TOS && x & 3) {
            error = xasprintf("'%s' is no value for mod_nw_tos: its lower two "
                              "bits are zero", s);
        }
        step->number = x;
        break;
    case V_PORT:
        error = xf_args_parse_name(s, "switch port", step->port);
        break;
    case V_MAC:
        if (!eth_addr_from_string(s, &step->mac)) {
            error = xasprintf("'%s' is no MAC address: use six bytes, "
                              "xx:xx:xx:xx:xx:xx", s);
        }
        break;
    case V_IP:
        if (!ip_parse(s, &step->ip)) {
            error = xasprintf("'%s' is no IPv4 address", s);
        }
        break;
    }
    return error;
}

/* Parses one NAME[:VALUE]. */
static char * OVS_WARN_UNUSED_RESULT
parse_action(char *word, struct xf_flow_actions *out)
{
    char *colon = strchr(word, ':');
    size_t i;

    if (colon) {
        *colon = '\0';
    }
    for (i = 0; i < ARRAY_SIZE(actions); i++) {
        if (!strcmp(word, actions[i].name)) {
            break;
        }
    }
    if (i >= ARRAY_SIZE(actions)) {
        return unknown_action(word);
    }
    if (!colon != (actions[i].value == V_NONE)) {
        return xasprintf(colon ? "action %s takes no value: leave :%s out"
                         : "action %s has no value: write %s:VALUE", word,
                         colon ? colon + 1 : word);
    }
    if (out->n >= XF_STEPS_MAX) {
        return xasprintf("more than %d actions: give fewer", XF_STEPS_MAX);
    }
    if (out->n && (out->steps[out->n - 1].type == XF_STEP_NORMAL
                   || out->steps[out->n - 1].type == XF_STEP_PUNT)) {
        return xasprintf("'%s' comes after normal or punt: these are the last "
                         "action", word);
    }

    struct xf_step *step = &out->steps[out->n++];
    memset(step, 0, sizeof *step);
    step->type = actions[i].step;
    return parse_value(&actions[i], colon ? colon + 1 : "", step);
}

static char *
parse_actions(const char *s, struct xf_flow_actions *out)
{
    char *copy = xstrdup(s);
    char *save = NULL;
    char *error = NULL;

    out->n = 0;
    if (strcmp(s, "drop")) {
        for (char *word = strtok_r(copy, ", \t", &save); word && !error;
             word = strtok_r(NULL, ", \t", &save)) {
            error = parse_action(word, out);
        }
        if (!error && !out->n) {
            error = xstrdup("there are no actions: write drop if the packets "
                            "are to be dropped");
        }
    }
    free(copy);
    return error;
}

/* Refuses changes of headers that packets of the match needn't have. */
static char *
check_actions(const struct xf_match *m, const struct xf_flow_actions *flow)
{
    uint16_t dl_type = ntohs(m->match.flow.dl_type);
    uint8_t proto = m->match.flow.nw_proto;
    bool ip = dl_type == ETH_TYPE_IP || dl_type == ETH_TYPE_IPV6;

    for (size_t i = 0; i < flow->n; i++) {
        switch (flow->steps[i].type) {
        case XF_STEP_NW_SRC:
        case XF_STEP_NW_DST:
            if (dl_type != ETH_TYPE_IP) {
                return xstrdup("mod_nw_src and mod_nw_dst need ip, tcp, udp "
                               "or icmp in the match");
            }
            break;
        case XF_STEP_NW_TOS:
            if (!ip) {
                return xstrdup("mod_nw_tos needs ip or ipv6 in the match");
            }
            break;
        case XF_STEP_TP_SRC:
        case XF_STEP_TP_DST:
            if (!ip || (proto != IPPROTO_TCP && proto != IPPROTO_UDP
                        && proto != IPPROTO_SCTP)) {
                return xstrdup("mod_tp_src and mod_tp_dst need tcp, udp, "
                               "sctp, tcp6, udp6 or sctp6 in the match");
            }
            break;
        case XF_STEP_OUTPUT: case XF_STEP_IN_PORT: case XF_STEP_NORMAL:
        case XF_STEP_PUNT: case XF_STEP_SET_QUEUE: case XF_STEP_VLAN_VID:
        case XF_STEP_VLAN_PCP: case XF_STEP_STRIP_VLAN: case XF_STEP_DL_SRC:
        case XF_STEP_DL_DST:
            break;
        }
    }
    return NULL;
}

/* Appends the text of 'flow'. */
void
xf_flow_actions_format(const struct xf_flow_actions *flow, struct ds *out)
{
    if (!flow->n) {
        ds_put_cstr(out, "drop");
    }
    for (size_t i = 0; i < flow->n; i++) {
        const struct xf_step *step = &flow->steps[i];
        const struct action *a = actions;

        while (a->step != step->type) {
            a++;
        }
        ds_put_format(out, "%s%s%s", i ? "," : "", a->name,
                      a->value == V_NONE ? "" : ":");
        switch (a->value) {
        case V_NONE:
            break;
        case V_NUMBER:
            ds_put_format(out, "%"PRIu32, step->number);
            break;
        case V_PORT:
            ds_put_cstr(out, step->port);
            break;
        case V_MAC:
            ds_put_format(out, ETH_ADDR_FMT, ETH_ADDR_ARGS(step->mac));
            break;
        case V_IP:
            ds_put_format(out, IP_FMT, IP_ARGS(step->ip));
            break;
        }
    }
}
