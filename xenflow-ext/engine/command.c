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

#include "packets.h"
#include "unixctl.h"
#include "util.h"

/* The commands: what each is called and takes.  Main thread. */

/* The engine that answers unixctl commands.  Commands can't be unregistered
 * from unixctl, so what they reach is looked up when they come: main thread
 * only. */
static struct xf_engine *command_engine;

/* ---- Parsing. ---- */

/* Takes the leading ROUTER. */
static char * OVS_WARN_UNUSED_RESULT
parse_router(struct xf_args *args, int n, const char *argv[])
{
    return n ? xf_args_parse_name(argv[0], "router", args->router) : NULL;
}

/* Takes the leading ROUTER PORT. */
static char * OVS_WARN_UNUSED_RESULT
parse_port(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_args_parse_name(argv[1], "port", args->port);
}

static char *
parse_nothing(struct xf_args *args OVS_UNUSED, int n OVS_UNUSED,
              const char *argv[] OVS_UNUSED)
{
    return NULL;
}

static char *
parse_router_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    if (error) {
        return error;
    }
    xf_router_config_init(&args->config, args->router);
    error = xf_args_parse_router_options(args, n - 1, argv + 1);
    if (!error && args->given & XF_OPT_FAIL
        && args->config.role != XF_ROLE_MIDDLEBOX) {
        error = xstrdup("fail is for a middlebox: add role=middlebox, or "
                        "leave it out");
    }
    if (!error && args->given & XF_OPT_FILTER_DEFAULT
        && args->config.role != XF_ROLE_ROUTER) {
        error = xstrdup("filter-default is for a router: leave it out");
    }
    if (!error) {
        error = xf_translation_check(args->router, args->config.role,
                                     args->config.translation);
    }
    if (!error && args->config.device[0] && !args->config.listen[0]) {
        error = xstrdup("device is given without listen: add "
                        "listen=ADDRESS:PORT");
    }
    return error;
}

static char *
parse_router_set(struct xf_args *args, int n, const char *argv[])
{
    const struct xf_rt_limits unset = { UINT32_MAX, UINT32_MAX, UINT32_MAX,
                                        UINT32_MAX, UINT32_MAX };
    char *error = parse_router(args, n, argv);

    if (error) {
        return error;
    }
    args->config.limits = unset;
    for (int i = 0; i < XF_N_RULE_KINDS; i++) {
        args->config.max_rules[i] = UINT32_MAX;
    }
    error = xf_args_parse_router_options(args, n - 1, argv + 1);
    if (!error && args->given & (XF_OPT_ECMP_SEED | XF_OPT_ROLE)) {
        error = xstrdup("role and ecmp-seed can't change while the router "
                        "exists: give them to xenflow/router-add");
    }
    return error;
}

static char *
parse_port_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_port(args, n, argv);

    args->iface.mtu = 1500;
    args->iface.up = true;
    error = error ? error : xf_args_parse_port_options(args, n - 2, argv + 2);
    if (!error && !(args->given & XF_OPT_VLAN)) {
        error = xstrdup("vlan is missing: add vlan=N, 0 for an untagged "
                        "segment");
    }
    return error;
}

static char *
parse_port_set(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_port(args, n, argv);

    return error ? error : xf_args_parse_port_options(args, n - 2, argv + 2);
}

static char *
parse_rule_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_args_parse_rule(args, n - 1, argv + 1);
}

/* ROUTER PREFIX [metric N] */
static char *
parse_rule_del(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);
    uint64_t metric = UINT32_MAX;

    error = error ? error : xf_args_parse_prefix(argv[1], &args->prefix);
    if (!error && n > 2) {
        if (strcmp(argv[2], "metric") || n == 3) {
            error = xasprintf("'%s' isn't understood: after the prefix comes "
                              "nothing, or metric N", argv[2]);
        } else {
            error = xf_args_parse_uint("metric", argv[3], 0, UINT32_MAX - 1,
                                       &metric);
        }
    }
    args->metric = metric;
    return error;
}

/* ROUTER [PREFIX|all|best] [skip=N] [limit=N] */
static char *
parse_rule_list(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);
    int i = 1;

    if (!error && n > 1 && !strchr(argv[1], '=')) {
        i++;
        if (!strcmp(argv[1], "best")) {
            args->best_only = true;
        } else if (strcmp(argv[1], "all")) {
            args->has_prefix = true;
            error = xf_args_parse_prefix(argv[1], &args->prefix);
            if (error) {
                free(error);
                error = xasprintf("'%s' is no part of a table: use "
                                  "ADDRESS/LENGTH, all or best", argv[1]);
            }
        }
    }
    return error ? error : xf_args_parse_listing_options(args, n - i,
                                                         argv + i);
}

/* ROUTER [skip=N] [limit=N] */
static char *
parse_long_list(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_args_parse_listing_options(args, n - 1,
                                                         argv + 1);
}

/* [ROUTER] [skip=N] [limit=N] */
static char *
parse_config_list(struct xf_args *args, int n, const char *argv[])
{
    int i = n && !strchr(argv[0], '=');
    char *error = parse_router(args, i, argv);

    return error ? error : xf_args_parse_listing_options(args, n - i,
                                                         argv + i);
}

/* ROUTER DST [OPTION...] */
static char *
parse_route_lookup(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    error = error ? error : xf_args_parse_ip(argv[1], &args->ip);
    args->src = in6addr_any;
    error = error ? error : xf_args_parse_lookup_options(args, n - 2,
                                                         argv + 2);
    if (!error && args->given & XF_OPT_SRC
        && xf_addr_is_v4(&args->src) != xf_addr_is_v4(&args->ip)) {
        error = xasprintf("source and destination are of different families: "
                          "give src as an %s address",
                          xf_addr_is_v4(&args->ip) ? "IPv4" : "IPv6");
    }
    if (!error && xf_addr_is_v4(&args->ip) && !(args->given & XF_OPT_SRC)) {
        args->src = in6_addr_mapped_ipv4(0);
    }
    return error;
}

/* ROUTER PORT IP [MAC] */
static char *
parse_neigh(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_port(args, n, argv);

    error = error ? error : xf_args_parse_ip(argv[2], &args->ip);
    if (!error && n > 3) {
        error = xf_args_parse_mac(argv[3], &args->mac);
    }
    return error;
}

/* MIDDLEBOX MATCH [OPTION...] */
static char *
parse_select_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    error = error ? error : xf_match_parse(argv[1], &args->select.match);
    error = error ? error : xf_args_parse_select_options(args, n - 2,
                                                         argv + 2);
    if (!error && !(args->given & XF_OPT_VIA)) {
        error = xstrdup("via is missing: add via=PORT, the port of the "
                        "middlebox to which these packets go");
    }
    return error;
}

/* MIDDLEBOX MATCH [OPTION...] */
static char *
parse_select_del(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    error = error ? error : xf_match_parse(argv[1], &args->select.match);
    error = error ? error : xf_args_parse_select_options(args, n - 2,
                                                         argv + 2);
    if (!error && args->given & XF_OPT_VIA) {
        error = xstrdup("via isn't needed to delete: leave it out");
    }
    return error;
}

/* ROUTER MATCH permit|deny [priority=N] */
static char *
parse_filter_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_rule_args_parse_filter(&args->rule, n - 1,
                                                     argv + 1);
}

/* ROUTER MATCH actions=ACTIONS [OPTION...] */
static char *
parse_flow_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_rule_args_parse_flow(&args->rule, n - 1,
                                                   argv + 1);
}

/* ROUTER {MATCH [priority=N] | all} */
static char *
parse_rule_set_del(struct xf_args *args, int n, const char *argv[])
{
    char *error = parse_router(args, n, argv);

    return error ? error : xf_rule_args_parse_del(&args->rule, n - 1,
                                                  argv + 1);
}

/* LINK and the words of a hop. */
static char *
parse_link_add(struct xf_args *args, int n, const char *argv[])
{
    char *error = xf_hop_parse(&args->hop, n, argv);

    return error ? error : xf_hop_check(&args->hop);
}

/* LINK GENERATION */
static char *
parse_link_use(struct xf_args *args, int n OVS_UNUSED, const char *argv[])
{
    char *error = xf_args_parse_name(argv[0], "link", args->hop.link);

    return error ? error : xf_args_parse_uint("generation", argv[1], 0,
                                              INT64_MAX, &args->hop.use);
}

/* LINK [GENERATION] */
static char *
parse_link_del(struct xf_args *args, int n, const char *argv[])
{
    char *error = xf_args_parse_name(argv[0], "link", args->hop.link);

    args->hop.generation = UINT64_MAX;
    if (!error && n > 1) {
        error = xf_args_parse_uint("generation", argv[1], 0, INT64_MAX,
                                   &args->hop.generation);
    }
    return error;
}

/* [LINK] */
static char *
parse_link_show(struct xf_args *args, int n, const char *argv[])
{
    return n ? xf_args_parse_name(argv[0], "link", args->router) : NULL;
}

/* ---- The table. ---- */

#define ROUTER_SET_USAGE                                                  \
    "[max-routes=N] [max-nexthops=N] [max-neighbors=N] [max-ports=N] "    \
    "[max-addresses=N] [max-filters=N] [max-flows=N] "                    \
    "[filter-default=permit|deny] "                                       \
    "[listen=[pssl:]ADDR:PORT|none] [peer-name=NAME] [device=IFNAME] "    \
    "[punt-rate=PPS] "                                                    \
    "[stale=SECONDS] [settle=SECONDS] [reachable=SECONDS] "               \
    "[separated=true|false] [translation=auto|flow|fib] [fail=open|closed]"
#define PORT_USAGE                                                        \
    "[vif=NAME] [ifindex=N] [mtu=N] [up=true|false] "                     \
    "[address=ADDR/LEN[,ADDR/LEN]...]"
#define RULE_ARGS_MAX (2 + 7 * XF_NH_MAX + 4)

static const struct xf_command commands[] = {
    { "xenflow/router-list", "[--json]", 0, 0, true,
      parse_nothing, xf_run_router_list },
    { "xenflow/router-add",
      "ROUTER [role=router|switch|middlebox] [ecmp-seed=N] " ROUTER_SET_USAGE,
      1, 21, false, parse_router_add, xf_run_router_add },
    { "xenflow/router-set", "ROUTER " ROUTER_SET_USAGE, 2, 20, false,
      parse_router_set, xf_run_router_set },
    { "xenflow/router-del", "ROUTER", 1, 1, false,
      parse_router, xf_run_router_del },
    { "xenflow/router-show", "[--json] ROUTER", 1, 1, true,
      parse_router, xf_run_router_show },
    { "xenflow/router-sync", "ROUTER", 1, 1, false,
      parse_router, xf_run_router_sync },
    { "xenflow/port-list", "[--json] ROUTER", 1, 1, true,
      parse_router, xf_run_port_list },
    { "xenflow/port-add", "ROUTER PORT vlan=N [mac=MAC] " PORT_USAGE, 3, 9,
      false, parse_port_add, xf_run_port_add },
    { "xenflow/port-set", "ROUTER PORT [vlan=N] [mac=MAC] " PORT_USAGE, 3, 9,
      false, parse_port_set, xf_run_port_set },
    { "xenflow/port-del", "ROUTER PORT", 2, 2, false,
      parse_port, xf_run_port_del },
    { "xenflow/rule-add",
      "ROUTER PREFIX {[via GW] [dev PORT] [weight N] [nexthop ...]... | "
      "blackhole | unreachable | prohibit | local} [metric N] [proto N]",
      3, RULE_ARGS_MAX, false, parse_rule_add, xf_run_rule_add },
    { "xenflow/rule-del", "ROUTER PREFIX [metric N]", 2, 4, false,
      parse_rule_del, xf_run_rule_del },
    { "xenflow/rule-list",
      "[--json] ROUTER [PREFIX|all|best] [skip=N] [limit=N]", 1, 4, true,
      parse_rule_list, xf_run_rule_list },
    { "xenflow/route-lookup",
      "[--json] ROUTER DST [proto=N] [src=ADDR] [sport=N] [dport=N]", 2, 6,
      true, parse_route_lookup, xf_run_route_lookup },
    { "xenflow/neigh-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3, true,
      parse_long_list, xf_run_neigh_list },
    { "xenflow/neigh-add", "ROUTER PORT ADDR MAC", 4, 4, false,
      parse_neigh, xf_run_neigh_add },
    { "xenflow/neigh-del", "ROUTER PORT ADDR", 3, 3, false,
      parse_neigh, xf_run_neigh_del },
    { "xenflow/filter-add", "ROUTER MATCH {permit|deny} [priority=N]", 3, 5,
      false, parse_filter_add, xf_run_filter_add },
    { "xenflow/filter-del", "ROUTER {MATCH [priority=N] | all}", 2, 20, false,
      parse_rule_set_del, xf_run_filter_del },
    { "xenflow/filter-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3, true,
      parse_long_list, xf_run_filter_list },
    { "xenflow/flow-add",
      "ROUTER MATCH actions=ACTIONS [priority=N] [idle=S] [hard=S]", 3, 9,
      false, parse_flow_add, xf_run_flow_add },
    { "xenflow/flow-del", "ROUTER {MATCH [priority=N] | all}", 2, 20, false,
      parse_rule_set_del, xf_run_flow_del },
    { "xenflow/flow-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3, true,
      parse_long_list, xf_run_flow_list },
    { "xenflow/megaflow-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3,
      true, parse_long_list, xf_run_megaflow_list },
    { "xenflow/mac-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3, true,
      parse_long_list, xf_run_mac_list },
    { "xenflow/select-list", "[--json] ROUTER [skip=N] [limit=N]", 1, 3,
      true, parse_long_list, xf_run_select_list },
    { "xenflow/select-add",
      "ROUTER MATCH via=PORT [direction=forward|reverse|both] [priority=N]",
      2, 5, false, parse_select_add, xf_run_select_add },
    { "xenflow/select-del",
      "ROUTER MATCH [direction=forward|reverse|both] [priority=N]", 2, 4,
      false, parse_select_del, xf_run_select_del },
    { "xenflow/stats-show", "[--json] [ROUTER]", 0, 1, true,
      parse_router, xf_run_stats_show },
    { "xenflow/speaker-list", "[--json] [ROUTER]", 0, 1, true,
      parse_router, xf_run_speaker_list },
    { "xenflow/guest-show", "[--json] ROUTER", 1, 1, true,
      parse_router, xf_run_guest_show },
    { "xenflow/config-list", "[--json] [ROUTER] [skip=N] [limit=N]", 0, 3,
      true, parse_config_list, xf_run_config_list },
    { "xenflow/db-show", "[--json] [skip=N] [limit=N]", 0, 2, true,
      parse_config_list, xf_run_db_show },
    { "xenflow/link-show", "[--json] [LINK]", 0, 1, true,
      parse_link_show, xf_run_link_show },
    { "xenflow/link-add",
      "LINK generation=N position=N port1=NAME vlan1=N port2=NAME vlan2=N "
      "[edge=1|2] [use=N] [uuid=UUID]", 7, 11, false,
      parse_link_add, xf_run_link_add },
    { "xenflow/link-use", "LINK GENERATION", 2, 2, false,
      parse_link_use, xf_run_link_use },
    { "xenflow/link-del", "LINK [GENERATION]", 1, 2, false,
      parse_link_del, xf_run_link_del },
    { "xenflow/transfer-show", "[--json]", 0, 0, true,
      parse_nothing, xf_run_transfer_show },
    { "xenflow/transfer-begin", "ROUTER", 1, 1, false,
      parse_router, xf_run_transfer_begin },
    { "xenflow/transfer-end", "ROUTER", 1, 1, false,
      parse_router, xf_run_transfer_end },
    { "xenflow/hold-begin", "ROUTER", 1, 1, false,
      parse_router, xf_run_hold_begin },
    { "xenflow/hold-end", "ROUTER", 1, 1, false,
      parse_router, xf_run_hold_end },
    { "xenflow/copy-show", "[--json]", 0, 0, true,
      parse_nothing, xf_run_copy_show },
    { "xenflow/memory-show", "[--json]", 0, 0, true,
      parse_nothing, xf_run_memory_show },
};

/* ---- Jobs. ---- */

void
xf_job_destroy(struct xf_job *job)
{
    free(job->args.hops);
    free(job->text);
    ds_destroy(&job->body);
    free(job);
}

/* Answers 'job' with what the engine's thread found, and destroys it. */
void
xf_job_answer(struct xf_job *job)
{
    job->reply(job->reply_aux, !job->failed, ds_cstr(&job->body));
    xf_job_destroy(job);
}

/* Answers 'job' with 'error', and destroys it. */
void
xf_job_refuse(struct xf_job *job, const char *error)
{
    job->reply(job->reply_aux, false, error);
    xf_job_destroy(job);
}

/* The command called 'name', with "xenflow/", or NULL.  Any thread. */
const struct xf_command *
xf_command_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (!strcmp(commands[i].name, name)) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Checks the number of arguments and parses them into a new job.  Any
 * thread. */
struct xf_job *
xf_job_create(const struct xf_command *command, int n, const char *argv[],
              char **errorp)
{
    bool json = n && !strcmp(argv[0], "--json");

    if (json && !command->lists) {
        *errorp = xasprintf("%s lists nothing: leave --json out",
                            command->name);
        return NULL;
    }
    n -= json;
    argv += json;
    if (n < command->min_args || n > command->max_args) {
        *errorp = xasprintf("%s has too %s arguments: use %s %s",
                            command->name,
                            n < command->min_args ? "few" : "many",
                            command->name, command->usage);
        return NULL;
    }

    struct xf_job *job = xzalloc(sizeof *job);
    job->command = command;
    job->json = json;
    ds_init(&job->body);
    *errorp = command->parse(&job->args, n, argv);
    if (*errorp) {
        xf_job_destroy(job);
        return NULL;
    }
    job->text = xf_config_text(command, n, argv);
    return job;
}

/* Posts the command 'argv[0]', one of xenflow/, with its arguments to
 * 'engine'.  'reply' is called with 'aux' exactly once: at once if a syntax
 * error is found, else from xf_engine_run() or xf_engine_destroy(). */
void
xf_command_post(struct xf_engine *engine, int argc, const char *argv[],
                xf_reply_fn *reply, void *aux)
{
    const struct xf_command *command = xf_command_find(argv[0]);
    char *error;
    struct xf_job *job = xf_job_create(command, argc - 1, argv + 1, &error);

    if (!job) {
        reply(aux, false, error);
        free(error);
        return;
    }
    job->reply = reply;
    job->reply_aux = aux;
    ovs_mutex_lock(&engine->mutex);
    ovs_list_push_back(&engine->jobs, &job->node);
    ovs_mutex_unlock(&engine->mutex);
    xf_engine_wake(engine);
}

/* ---- unixctl. ---- */

static void
unixctl_reply(void *conn_, bool ok, const char *body)
{
    struct unixctl_conn *conn = conn_;

    if (ok) {
        unixctl_command_reply(conn, body);
    } else {
        unixctl_command_reply_error(conn, body);
    }
}

static void
unixctl_xenflow(struct unixctl_conn *conn, int argc, const char *argv[],
                void *aux OVS_UNUSED)
{
    if (!command_engine) {
        unixctl_command_reply_error(conn, "the engine isn't running");
        return;
    }
    xf_command_post(command_engine, argc, argv, unixctl_reply, conn);
}

/* Makes the unixctl commands reach 'engine'. */
void
xf_commands_register(struct xf_engine *engine)
{
    command_engine = engine;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        const struct xf_command *c = &commands[i];

        /* Numbers of arguments are checked here: the sentence has the
         * usage. */
        unixctl_command_register(c->name, c->usage, 0, INT_MAX,
                                 unixctl_xenflow, NULL);
    }
}

/* Makes the unixctl commands say that there is no engine, if they reached
 * 'engine'. */
void
xf_commands_unregister(struct xf_engine *engine)
{
    if (command_engine == engine) {
        command_engine = NULL;
    }
}
