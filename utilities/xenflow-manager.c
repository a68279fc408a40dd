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

/* xenflow-manager: coordinates migrations.  See
 * Documentation/ref/xenflow-manager.8.rst, and xenflow-manager.h for what it does
 * with the database XenFlow. */

#include <config.h>

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command-line.h"
#include "daemon.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "stream-ssl.h"
#include "stream.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "xenflow-manager.h"
#include "xenflow-ext/xenflow-idl.h"

VLOG_DEFINE_THIS_MODULE(xenflow_manager);

struct options {
    char *unixctl_path;
    const char *remote;
    const char *name;
};

/* What the commands need. */
struct serving {
    struct manager *mgr;
    bool exiting;
};

/* ---- Commands. ---- */

/* Command xenflow-manager/show [--json]. */
static void
cmd_show(struct unixctl_conn *conn, int argc, const char *argv[],
         void *serving_)
{
    struct serving *serving = serving_;

    if (argc > 1 && strcmp(argv[1], "--json")) {
        unixctl_command_reply_error(conn, "the only argument is --json");
    } else if (argc > 1) {
        struct json *json = manager_to_json(serving->mgr);
        char *s = json_to_string(json, JSSF_SORT);

        unixctl_command_reply(conn, s);
        free(s);
        json_destroy(json);
    } else {
        struct ds ds = DS_EMPTY_INITIALIZER;

        manager_format(serving->mgr, &ds);
        unixctl_command_reply(conn, ds_cstr(&ds));
        ds_destroy(&ds);
    }
}

static void
cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *serving_)
{
    struct serving *serving = serving_;

    serving->exiting = true;
    unixctl_command_reply(conn, NULL);
}

/* ---- Command line. ---- */

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: coordinates migrations of virtual routers and links\n"
           "usage: %s [OPTIONS]\n"
           "\nOptions:\n"
           "  --db=REMOTE             database XenFlow (default: $XF_DB)\n"
           "  --name=NAME             what Migration:coordinator says (default:\n"
           "                          host name and process id)\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           program_name, program_name);
    stream_usage("database", true, false, false);
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

enum {
    OPT_UNIXCTL = UCHAR_MAX + 1,
    OPT_DB,
    OPT_NAME,
    SSL_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
    DAEMON_OPTION_ENUMS,
};

static const struct option long_options[] = {
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    {"db", required_argument, NULL, OPT_DB},
    {"name", required_argument, NULL, OPT_NAME},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    STREAM_SSL_LONG_OPTIONS,
    DAEMON_LONG_OPTIONS,
    VLOG_LONG_OPTIONS,
    {NULL, 0, NULL, 0},
};

/* Takes an option of our own. */
static void
set_option(struct options *options, int option, char *argument)
{
    if (option == OPT_UNIXCTL) {
        options->unixctl_path = argument;
    } else if (option == OPT_DB) {
        options->remote = argument;
    } else if (option == OPT_NAME) {
        if (!argument[0] || strlen(argument) > 255) {
            ovs_fatal(0, "--name has 1 to 255 characters");
        }
        options->name = argument;
    } else {
        abort();
    }
}

static void
parse_options(int argc, char *argv[], struct options *options)
{
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);

    for (;;) {
        int c = getopt_long(argc, argv, short_options, long_options, NULL);

        if (c == -1) {
            break;
        }
        switch (c) {
        DAEMON_OPTION_HANDLERS
        VLOG_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS
        case '?':
            exit(EXIT_FAILURE);
        case 'V':
            ovs_print_version(0, 0);
            exit(EXIT_SUCCESS);
        case 'h':
            usage();
        default:
            set_option(options, c, optarg);
        }
    }
    free(short_options);
    if (optind != argc) {
        ovs_fatal(0, "'%s' isn't understood: there are no arguments; use "
                  "--help for usage", argv[optind]);
    }
    if (!options->remote) {
        options->remote = getenv("XF_DB");
    }
    if (!options->remote) {
        ovs_fatal(0, "where is the database XenFlow? Use --db=REMOTE, or set "
                  "$XF_DB");
    }
}

/* A name that no other manager has; to be freed. */
static char *
make_name(const char *given)
{
    char host[64];

    if (given) {
        return xstrdup(given);
    }
    if (gethostname(host, sizeof host)) {
        strcpy(host, "manager");
    }
    host[sizeof host - 1] = '\0';
    return xasprintf("%s:%ld", host, (long int) getpid());
}

static void
serve(struct serving *serving, struct unixctl_server *unixctl)
{
    while (!serving->exiting) {
        manager_run(serving->mgr);
        unixctl_server_run(unixctl);
        manager_wait(serving->mgr);
        unixctl_server_wait(unixctl);
        if (serving->exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
}

int
main(int argc, char *argv[])
{
    struct options options = { .unixctl_path = NULL };
    struct serving serving = { .exiting = false };
    struct unixctl_server *unixctl;
    char *name;

    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    service_start(&argc, &argv);
    parse_options(argc, argv, &options);
    fatal_ignore_sigpipe();

    daemonize_start(false);
    if (unixctl_server_create(options.unixctl_path, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    unixctl_command_register("xenflow-manager/show", "[--json]", 0, 1,
                             cmd_show, &serving);
    unixctl_command_register("exit", "", 0, 0, cmd_exit, &serving);
    name = make_name(options.name);
    serving.mgr = manager_create(options.remote, name);
    daemonize_complete();
    VLOG_INFO("%s, database %s", name, options.remote);
    serve(&serving, unixctl);
    manager_destroy(serving.mgr);
    unixctl_server_destroy(unixctl);
    free(name);
    return 0;
}
