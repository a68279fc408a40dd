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

#include "xfctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "command-line.h"
#include "dirs.h"
#include "fatal-signal.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-data.h"
#include "process.h"
#include "stream-ssl.h"
#include "stream.h"
#include "table.h"
#include "timeval.h"
#include "util.h"

/* Options, the transaction, and what comes out.  All commands of one call are one
 * transaction; it is tried again while others change the database. */

VLOG_DEFINE_THIS_MODULE(xfctl);

bool xf_json;
bool xf_color;
bool xf_wait;
bool xf_dry_run;

/* Where the database is. */
static const char *db;
static unsigned int timeout_s;
static struct table_style table_style = TABLE_STYLE_DEFAULT;

/* How long some server of a cluster has to answer, and until when. */
#define ANSWER_MS 30000
#define AGAIN_MS 500
static long long int answer_by_ms;

/* For xfctl_exit(), which cleans up. */
static struct ovsdb_idl *the_idl;
static struct ovsdb_idl_txn *the_txn;

OVS_NO_RETURN static void xfctl_exit(int status);

/* ---- Command line. ---- */

static void
usage(void)
{
    printf("\
%s: command line over the XenFlow database\n\
usage: %s [OPTIONS] COMMAND [ARG...] [-- COMMAND [ARG...]]...\n\
\n\
  init                        make the database's own rows\n\
  show                        print the system as a tree, with states\n\
  wait                        wait until hosts carried out all changes\n\
  import FILE                 make the database as FILE says ('-': input)\n\
  export [NETWORK]            print it as such a file\n\
  trace WHERE PACKET          ask the hosts where a packet goes; WHERE is\n\
                              ROUTER:INTERFACE or HOST:PORT[:VLAN]\n\
  KIND-add NAME [KEY=VALUE]...   add an object\n\
  KIND-set NAME KEY=VALUE...     change it\n\
  [--if-exists] [--all] KIND-del NAME   remove it (and all that is in it)\n\
  KIND-show NAME              print its keys\n\
  KIND-list                   print all objects of a kind\n\
    KINDs: host, trunk, net, segment, edge, router, link, and if with the\n\
    two words ROUTER INTERFACE as its NAME\n\
  router-start, router-stop, router-suspend ROUTER   desired state\n\
  vm-list, vm-show ROUTER     virtual machines of routers\n\
  vm-start, vm-stop, vm-restart, vm-suspend, vm-resume ROUTER\n\
  net-start, net-stop, net-suspend NETWORK   the same for a whole network\n\
  router-migrate ROUTER --to=HOST [--technique=T] [--dry-run] [--no-wait]\n\
                              move a router, without loss\n\
  router-swap ROUTER ROUTER   move two to each other's host\n\
  link-move LINK [--path=P]   move a link to another way\n\
  host-evacuate HOST [--to=HOST,...]   move all routers of a host\n\
  host-power-off HOST [--to=HOST,...]  then switch it off\n\
  migration-list, migration-show NAME, migration-cancel NAME\n\
  rule-add ROUTER PREFIX WHAT...             routes\n\
  filter-add ROUTER MATCH permit|deny [priority=N]\n\
  flow-add ROUTER MATCH actions=ACTIONS [priority=N]\n\
  select-add ROUTER MATCH via=INTERFACE [direction=D] [priority=N]\n\
  neigh-add ROUTER INTERFACE ADDRESS MAC\n\
    and -del, -list of each: see xfctl(8)\n\
  link-show [LINK]            print ways of links\n\
  link-plan [LINK]...         look for others, after a trunk failed\n\
%s%s\n\
Options:\n\
  --db=DATABASE               connect to DATABASE\n\
                              (default: $XF_DB or %s)\n\
  -t, --timeout=SECS          wait at most SECS seconds\n\
  --wait                      then wait as command \"wait\" does\n\
  --dry-run                   check all, change nothing\n\
  --commands                  list all commands, for scripts\n",
           program_name, program_name, ctl_get_db_cmd_usage(),
           ctl_list_db_tables_usage(), ctl_default_db());
    table_usage();
    vlog_usage();
    stream_usage("database", true, true, false);
    printf("\nOther options:\n\
  -h, --help                  display this help message\n\
  -V, --version               display version information\n");
    exit(EXIT_SUCCESS);
}

enum {
    OPT_DB = UCHAR_MAX + 1,
    OPT_DRY_RUN,
    OPT_WAIT,
    OPT_COMMANDS,
    OPT_LOCAL,
    VLOG_OPTION_ENUMS,
    TABLE_OPTION_ENUMS,
    SSL_OPTION_ENUMS,
};

static const struct option global_options[] = {
    { "db", required_argument, NULL, OPT_DB },
    { "dry-run", no_argument, NULL, OPT_DRY_RUN },
    { "wait", no_argument, NULL, OPT_WAIT },
    { "commands", no_argument, NULL, OPT_COMMANDS },
    { "timeout", required_argument, NULL, 't' },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    VLOG_LONG_OPTIONS,
    TABLE_LONG_OPTIONS,
    STREAM_SSL_LONG_OPTIONS,
    { NULL, 0, NULL, 0 },
};

/* One of our own options, or one of the libraries'. */
static void
apply_option(int c)
{
    switch (c) {
    case OPT_DB:
        db = optarg;
        break;
    case OPT_DRY_RUN:
        xf_dry_run = true;
        break;
    case OPT_WAIT:
        xf_wait = true;
        break;
    case OPT_COMMANDS:
        ctl_print_commands();
        break;
    case 't':
        if (!str_to_uint(optarg, 10, &timeout_s) || !timeout_s) {
            ctl_fatal("'%s' is no time-out: use a number of seconds", optarg);
        }
        break;
    case 'h':
        usage();
        break;
    case 'V':
        ovs_print_version(0, 0);
        printf("DB Schema %s\n", xfrec_get_db_version());
        exit(EXIT_SUCCESS);
    VLOG_OPTION_HANDLERS
    TABLE_OPTION_HANDLERS(&table_style)
    STREAM_SSL_OPTION_HANDLERS
    case '?':
        exit(EXIT_FAILURE);
    default:
        OVS_NOT_REACHED();
    }
}

/* Options of commands before the first command go to 'local'. */
static void
parse_options(int argc, char *argv[], struct shash *local)
{
    struct option *options = xmemdup(global_options, sizeof global_options);
    size_t n = ARRAY_SIZE(global_options) - 1, allocated = n + 1;
    char *letters = ovs_cmdl_long_options_to_short_options(global_options);
    char *short_options = xasprintf("+%s", letters);
    int c, index;

    ctl_add_cmd_options(&options, &n, &allocated, OPT_LOCAL);
    while ((c = getopt_long(argc, argv, short_options, options, &index))
           != -1) {
        if (c != OPT_LOCAL) {
            apply_option(c);
            continue;
        }

        char *name = xasprintf("--%s", options[index].name);
        if (!shash_add_once(local, name, nullable_xstrdup(optarg))) {
            ctl_fatal("%s is given twice: give it once", name);
        }
        free(name);
    }
    for (size_t i = ARRAY_SIZE(global_options) - 1; options[i].name; i++) {
        free(CONST_CAST(char *, options[i].name));
    }
    free(options);
    free(short_options);
    free(letters);
}

/* ---- Commands of this file. ---- */

/* Monitors all tables: removal looks at whatever may refer to an object. */
void
xf_pre_all(struct ctl_context *ctx)
{
    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        ovsdb_idl_add_table(ctx->idl, &xfrec_table_classes[i]);
        for (size_t j = 0; j < xfrec_table_classes[i].n_columns; j++) {
            ovsdb_idl_add_column(ctx->idl,
                                 &xfrec_table_classes[i].columns[j]);
        }
    }
    xf_indexes_create(ctx->idl);
}

#define HOST_ROLE "xenflow-host"

/* Makes role xenflow-host: a host writes the rows that have its name, in the
 * tables that hosts write, and nothing else. */
static void
make_role(struct ctl_context *ctx)
{
    const char *tables[XFREC_N_TABLES];
    struct xfrec_rbac_permission *permissions[XFREC_N_TABLES];
    const char *authorization[] = { "host" };
    size_t n = 0;

    for (size_t i = 0; i < XFREC_N_TABLES; i++) {
        const struct ovsdb_idl_table_class *table = &xfrec_table_classes[i];
        const char *columns[64];
        size_t n_columns = 0;
        bool writes = false;

        for (size_t j = 0; j < table->n_columns; j++) {
            const struct ovsdb_idl_column *column = &table->columns[j];

            if (strcmp(column->name, "host")) {
                columns[n_columns++] = column->name;
            } else {
                writes = column->type.key.type == OVSDB_TYPE_STRING;
            }
        }
        if (writes) {
            permissions[n] = xfrec_rbac_permission_insert(ctx->txn);
            xfrec_rbac_permission_set_table(permissions[n], table->name);
            xfrec_rbac_permission_set_authorization(permissions[n],
                                                    authorization, 1);
            xfrec_rbac_permission_set_insert_delete(permissions[n], true);
            xfrec_rbac_permission_set_update(permissions[n], columns,
                                             n_columns);
            tables[n++] = table->name;
        }
    }

    struct xfrec_rbac_role *role = xfrec_rbac_role_insert(ctx->txn);
    xfrec_rbac_role_set_name(role, HOST_ROLE);
    xfrec_rbac_role_set_permissions(role, tables, permissions, n);
}

static void
cmd_init(struct ctl_context *ctx)
{
    const struct xfrec_rbac_permission *permission, *next_permission;
    const struct xfrec_rbac_role *role, *next_role;

    if (!xfrec_xf_global_first(ctx->idl)) {
        xfrec_xf_global_insert(ctx->txn);
    }

    /* Made anew, since a new schema may have other tables. */
    XFREC_RBAC_ROLE_FOR_EACH_SAFE (role, next_role, ctx->idl) {
        if (!strcmp(role->name, HOST_ROLE)) {
            xfrec_rbac_role_delete(role);
        }
    }
    XFREC_RBAC_PERMISSION_FOR_EACH_SAFE (permission, next_permission,
                                         ctx->idl) {
        xfrec_rbac_permission_delete(permission);
    }
    make_role(ctx);
}

/* See main(). */
static void
cmd_wait(struct ctl_context *ctx OVS_UNUSED)
{
}

static const struct ctl_command_syntax commands_of_ours[] = {
    { "init", 0, 0, "", xf_pre_all, cmd_init, NULL, "", RW },
    { "wait", 0, 0, "", xf_pre_all, cmd_wait, NULL, "", RW },
    { "show", 0, 0, "", xf_pre_all, xf_cmd_show, NULL, "", RO },
    { "import", 1, 1, "FILE", xf_pre_all, xf_cmd_import, NULL, "", RW },
    { "export", 0, 1, "[NETWORK]", xf_pre_all, xf_cmd_export, NULL, "", RO },
    { "trace", 2, 2, "WHERE PACKET", xf_pre_all, xf_cmd_trace, NULL, "", RO },
    { NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, RO },
};

/* How the generic commands (list, set, ...) find rows. */
#define BY_NAME(TABLE) { { { &xfrec_##TABLE##_col_name, NULL, NULL } } }
#define BY_HOST(TABLE) { { { &xfrec_##TABLE##_col_host, NULL, NULL } } }

static const struct ctl_table_class tables[XFREC_N_TABLES] = {
    [XFREC_TABLE_HOST] = BY_NAME(host),
    [XFREC_TABLE_HOST_STATE] = BY_HOST(host_state),
    [XFREC_TABLE_LINK] = BY_NAME(link),
    [XFREC_TABLE_NETWORK] = BY_NAME(network),
    [XFREC_TABLE_PHYSICAL_LINK] = BY_NAME(physical_link),
    [XFREC_TABLE_RBAC_ROLE] = BY_NAME(rbac_role),
    [XFREC_TABLE_ROUTER] = BY_NAME(router),
    [XFREC_TABLE_SEGMENT] = BY_NAME(segment),
    [XFREC_TABLE_SWITCH_STATE] = BY_HOST(switch_state),
};

static void
xfctl_exit(int status)
{
    if (the_txn) {
        ovsdb_idl_txn_abort(the_txn);
        ovsdb_idl_txn_destroy(the_txn);
    }
    ovsdb_idl_destroy(the_idl);
    exit(status);
}

/* ---- The transaction. ---- */

static void
run_prerequisites(struct ctl_command *commands, size_t n,
                  struct ovsdb_idl *idl)
{
    ovsdb_idl_add_table(idl, &xfrec_table_xf_global);
    ovsdb_idl_add_column(idl, &xfrec_xf_global_col_cfg);
    for (size_t i = 0; i < n; i++) {
        struct ctl_context ctx;

        ds_init(&commands[i].output);
        commands[i].table = NULL;
        ctl_context_init(&ctx, &commands[i], idl, NULL, NULL, NULL);
        if (xf_wait) {
            xf_pre_all(&ctx);
        }
        if (commands[i].syntax->prerequisites) {
            commands[i].syntax->prerequisites(&ctx);
        }
        if (ctx.error) {
            ctl_fatal("%s", ctx.error);
        }
        ctl_context_done(&ctx, &commands[i]);
    }
}

/* Runs the commands; false if one wants to be tried again. */
static bool
run_commands(struct ctl_command *commands, size_t n, struct ovsdb_idl *idl,
             struct ovsdb_idl_txn *txn, struct ovsdb_symbol_table *symtab)
{
    struct ctl_context ctx;
    bool try_again = false;

    ctl_context_init(&ctx, NULL, idl, txn, symtab, NULL);
    for (size_t i = 0; i < n && !try_again; i++) {
        ds_init(&commands[i].output);
        commands[i].table = NULL;
        ctl_context_init_command(&ctx, &commands[i], i + 1 == n);
        if (commands[i].syntax->run) {
            commands[i].syntax->run(&ctx);
        }
        if (ctx.error) {
            ctl_fatal("%s", ctx.error);
        }
        ctl_context_done_command(&ctx, &commands[i]);
        try_again = ctx.try_again;
    }
    char *error = try_again ? NULL : xf_wire(&ctx);
    if (error) {
        ctl_fatal("%s", error);
    }
    ctl_context_done(&ctx, NULL);
    return !try_again;
}

/* Commands that want to know what became of their rows ("create"). */
static void
run_postprocess(struct ctl_command *commands, size_t n, struct ovsdb_idl *idl,
                struct ovsdb_idl_txn *txn, struct ovsdb_symbol_table *symtab)
{
    for (size_t i = 0; i < n; i++) {
        struct ctl_context ctx;

        if (commands[i].syntax->postprocess) {
            ctl_context_init(&ctx, &commands[i], idl, txn, symtab, NULL);
            commands[i].syntax->postprocess(&ctx);
            if (ctx.error) {
                ctl_fatal("%s", ctx.error);
            }
            ctl_context_done(&ctx, &commands[i]);
        }
    }
}

static void
check_symbols(const struct ovsdb_symbol_table *symtab)
{
    struct shash_node *node;

    SHASH_FOR_EACH (node, &symtab->sh) {
        const struct ovsdb_symbol *symbol = node->data;

        if (!symbol->created) {
            ctl_fatal("row '%s' is referred to, but no command creates it: "
                      "add -- --id=%s create ...", node->name, node->name);
        }
    }
}

static void
print_output(struct ctl_command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (commands[i].table) {
            table_print(commands[i].table, &table_style);
            table_destroy(commands[i].table);
            free(commands[i].table);
        } else {
            fputs(ds_cstr(&commands[i].output), stdout);
        }
        ds_destroy(&commands[i].output);
        shash_destroy_free_data(&commands[i].options);
    }
    fflush(stdout);
}

static void
discard_output(struct ctl_command *commands, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ds_destroy(&commands[i].output);
        table_destroy(commands[i].table);
        free(commands[i].table);
    }
}

/* Tries once.  Returns false if it is to be tried again after a change of the
 * database.  '*cfg' becomes the number that hosts are to acknowledge. */
static bool
try_once(const char *args, struct ctl_command *commands, size_t n,
         struct ovsdb_idl *idl, int64_t *cfg)
{
    struct ovsdb_symbol_table *symtab = ovsdb_symbol_table_create();
    struct ovsdb_idl_txn *txn = the_txn = ovsdb_idl_txn_create(idl);
    enum ovsdb_idl_txn_status status = TXN_TRY_AGAIN;
    const struct xfrec_xf_global *global;

    ovsdb_idl_txn_add_comment(txn, "xfctl: %s", args);
    xf_place_none();
    xf_wire_none();
    global = xfrec_xf_global_first(idl);
    if (!global) {
        global = xfrec_xf_global_insert(txn);
    }
    if (run_commands(commands, n, idl, txn, symtab)) {
        check_symbols(symtab);
        if (xf_dry_run) {
            ovsdb_idl_txn_set_dry_run(txn);
        }
        if (xf_wait || xf_wire_raises()) {
            ovsdb_idl_txn_increment(txn, &global->header_,
                                    &xfrec_xf_global_col_cfg, xf_wait);
        }
        status = ovsdb_idl_txn_commit_block(txn);
    }
    if (status == TXN_SUCCESS || status == TXN_UNCHANGED) {
        *cfg = (xf_wait && !xf_dry_run
                ? ovsdb_idl_txn_get_increment_new_value(txn)
                : 0);
        run_postprocess(commands, n, idl, txn, symtab);
        print_output(commands, n);
    } else if (status == TXN_TRY_AGAIN) {
        discard_output(commands, n);
    } else {
        ctl_fatal("the database refused the transaction: %s",
                  ovsdb_idl_txn_get_error(txn));
    }
    ovsdb_symbol_table_destroy(symtab);
    ovsdb_idl_txn_destroy(txn);
    the_txn = NULL;
    return status != TXN_TRY_AGAIN;
}

static bool
is_cluster(void)
{
    return strchr(db, ',') != NULL;
}

/* Tries all servers of a cluster again after half a second without any, then a
 * bit later each time.  An election takes a second or two, and a daemon's delay
 * between two attempts soon is longer. */
static void
try_all_again(struct ovsdb_idl *idl)
{
    static long long int delay_ms = AGAIN_MS, again_ms;

    if (!again_ms || ovsdb_idl_is_connected(idl)) {
        again_ms = time_msec() + delay_ms;
    } else if (time_msec() >= again_ms) {
        ovsdb_idl_set_remote(idl, NULL, true);
        ovsdb_idl_set_remote(idl, db, true);
        ovsdb_idl_run(idl);
        delay_ms += AGAIN_MS / 2;
        again_ms = time_msec() + delay_ms;
    }
    poll_timer_wait_until(MIN(again_ms, answer_by_ms));
}

/* Fails if no server answers: at once if there is one address, for of several
 * another may be about to lead. */
void
xf_alive_or_die(struct ovsdb_idl *idl)
{
    bool connected;

    ovsdb_idl_run(idl);
    connected = ovsdb_idl_has_ever_connected(idl);
    if (!connected && is_cluster()) {
        try_all_again(idl);
    }
    if (!ovsdb_idl_is_alive(idl)
        || (!connected && is_cluster() && time_msec() >= answer_by_ms)) {
        ctl_fatal("can't talk to the database at %s (%s): start it, or name "
                  "another with --db", db,
                  ovs_retval_to_string(ovsdb_idl_get_last_error(idl)));
    }
}

/* Waits until all hosts have acknowledged 'cfg', which they are asked for until
 * 'deadline_ms' (0: forever); then says who hasn't and fails. */
static void
wait_for_hosts(struct ovsdb_idl *idl, int64_t cfg, long long int deadline_ms)
{
    for (;;) {
        bool done;

        xf_alive_or_die(idl);
        char *error = xf_wait_check(idl, cfg, &done);
        if (done && !error) {
            return;
        } else if (done || (deadline_ms && time_msec() >= deadline_ms)) {
            ctl_fatal("%s", error);
        }
        free(error);
        if (deadline_ms) {
            poll_timer_wait_until(deadline_ms);
        }
        ovsdb_idl_wait(idl);
        poll_block();
    }
}

static void
run(const char *args, struct ctl_command *commands, size_t n)
{
    struct ovsdb_idl *idl
        = the_idl = ovsdb_idl_create(db, &xfrec_idl_class, false,
                                     is_cluster());
    long long int deadline_ms = timeout_s ? time_msec() + timeout_s * 1000LL
                                : 0;
    unsigned int seqno = ovsdb_idl_get_seqno(idl);
    int64_t cfg = 0;

    /* If there is one address, that server is meant, be it the leader or not:
     * it passes on what is written. */
    ovsdb_idl_set_leader_only(idl, is_cluster());
    answer_by_ms = time_msec() + ANSWER_MS;
    run_prerequisites(commands, n, idl);
    for (;;) {
        xf_alive_or_die(idl);
        if (seqno != ovsdb_idl_get_seqno(idl)) {
            seqno = ovsdb_idl_get_seqno(idl);
            if (try_once(args, commands, n, idl, &cfg)) {
                break;
            }
        }
        if (seqno == ovsdb_idl_get_seqno(idl)) {
            ovsdb_idl_wait(idl);
            poll_block();
        }
    }
    free(commands);
    if (cfg) {
        wait_for_hosts(idl, cfg, deadline_ms);
    }
    if (xf_trace_is_wanted() && !xf_dry_run) {
        xf_trace_run(idl, deadline_ms);
    }
    if (xf_watch_is_wanted() && !xf_dry_run) {
        xf_watch_run(idl, deadline_ms);
    }
    ovsdb_idl_destroy(idl);
}

/* Whether a command goes on when its transaction is through. */
static bool
is_alone(const char *name)
{
    static const char *const names[] = {
        "trace", "router-migrate", "router-swap", "link-move",
        "host-evacuate", "host-power-off",
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(name, names[i])) {
            return true;
        }
    }
    return false;
}

int
main(int argc, char *argv[])
{
    struct shash local = SHASH_INITIALIZER(&local);
    struct ctl_command *commands;
    size_t n;

    set_program_name(argv[0]);
    fatal_ignore_sigpipe();
    vlog_set_levels(NULL, VLF_CONSOLE, VLL_WARN);
    vlog_set_levels_from_string_assert("reconnect:warn");
    /* A large file takes its time, and nothing else waits for us. */
    vlog_set_levels_from_string_assert("timeval:console:off");
    /* These say what our own sentences say. */
    vlog_set_levels_from_string_assert("socket_util:console:off");
    vlog_set_levels_from_string_assert("ovsdb_idl:console:off");
    vlog_set_levels(NULL, VLF_SYSLOG, VLL_OFF);

    ctl_init(&xfrec_idl_class, xfrec_table_classes, tables, NULL, xfctl_exit);
    ctl_register_commands(commands_of_ours);
    xf_object_commands_register();
    xf_child_commands_register();
    xf_link_commands_register();
    xf_vm_commands_register();
    xf_migration_commands_register();

    char *args = process_escape_args(argv);
    table_style.format = TF_TABLE;
    parse_options(argc, argv, &local);
    if (!db) {
        db = getenv("XF_DB") ? getenv("XF_DB") : ctl_default_db();
    }
    xf_json = table_style.format == TF_JSON;
    xf_color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");

    char *error = ctl_parse_commands(argc - optind, argv + optind, &local,
                                     &commands, &n);
    if (error) {
        ctl_fatal("%s", error);
    }
    bool waits = false;
    for (size_t i = 0; i < n; i++) {
        xf_wait = xf_wait || commands[i].syntax->run == cmd_wait;
        if (is_alone(commands[i].syntax->name)) {
            if (n > 1) {
                ctl_fatal("%s goes with no other command: use calls of their "
                          "own", commands[i].syntax->name);
            }
            waits = true;
        }
    }

    /* Who waits for hosts says himself who is late. */
    ctl_timeout_setup(timeout_s && (xf_wait || waits) ? timeout_s + 2 : timeout_s);
    run(args, commands, n);
    free(args);
    return EXIT_SUCCESS;
}
