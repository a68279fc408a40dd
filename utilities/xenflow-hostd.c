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

/* xenflow-hostd: the virtual machines of one host.  See
 * Documentation/ref/xenflow-hostd.8.rst, xenflow/domain.h, and xenflow-hostd.h
 * for what it does with the database XenFlow. */

#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "command-line.h"
#include "daemon.h"
#include "dirs.h"
#include "dummy.h"
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
#include "xenflow/domain.h"
#include "xenflow-hostd.h"

VLOG_DEFINE_THIS_MODULE(xenflow_hostd);

struct hostd {
    struct xf_domains *domains;
    struct join *join;
    bool exiting;
};

struct options {
    char *unixctl_path;
    char *folder;
    struct join_settings join;
};

/* ---- Commands. ---- */

/* Answers with 'error' (takes ownership), or with nothing if that is NULL. */
static void
reply(struct unixctl_conn *conn, char *error)
{
    if (error) {
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, NULL);
    }
}

/* Finds a domain, or answers that there is none and returns NULL. */
static struct xf_domain *
find(const struct hostd *h, struct unixctl_conn *conn, const char *name)
{
    struct xf_domain *d = xf_domains_find(h->domains, name);

    if (!d) {
        reply(conn, xasprintf("there is no domain '%s': domain/list shows "
                              "those that there are", name));
    }
    return d;
}

/* Command domain/create FILE. */
static void
cmd_create(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
           void *hostd_)
{
    struct hostd *h = hostd_;
    struct xf_domain_config config;
    struct xf_domain *d;
    struct json *json = json_from_file(argv[1]);
    char *error = xf_domain_config_parse(json, &config);

    json_destroy(json);
    if (!error) {
        error = xf_domains_create(h->domains, &config, &d);
        xf_domain_config_uninit(&config);
    }
    if (error) {
        char *sentence = xasprintf("%s: %s", argv[1], error);

        free(error);
        error = sentence;
    }
    reply(conn, error);
}

/* Commands domain/OPERATION NAME. */
static void
cmd_begin(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
          void *hostd_)
{
    struct xf_domain *d = find(hostd_, conn, argv[1]);
    enum xf_domain_op op;

    if (d) {
        ovs_assert(xf_domain_op_from_string(strchr(argv[0], '/') + 1, &op));
        reply(conn, xf_domain_begin(d, op, time_msec()));
    }
}

/* Command domain/script NAME SCRIPT. */
static void
cmd_script(struct unixctl_conn *conn, int argc OVS_UNUSED, const char *argv[],
           void *hostd_)
{
    struct xf_domain *d = find(hostd_, conn, argv[1]);

    if (d) {
        reply(conn, xf_domain_set_script(d, argv[2], time_msec()));
    }
}

/* Takes "--json" away from the front of the arguments. */
static bool
take_json(int *argc, const char **argv[])
{
    if (*argc > 1 && !strcmp((*argv)[1], "--json")) {
        (*argc)--;
        (*argv)++;
        return true;
    }
    return false;
}

/* Answers with 'json' (takes ownership). */
static void
reply_json(struct unixctl_conn *conn, struct json *json)
{
    char *s = json_to_string(json, JSSF_SORT);

    unixctl_command_reply(conn, s);
    free(s);
    json_destroy(json);
}

static void
list_line(const struct xf_domain *d, struct ds *ds)
{
    struct xf_domain_status status;

    xf_domain_get_status(d, &status);
    ds_put_format(ds, "%s %s", xf_domain_get_config(d)->name,
                  xf_domain_state_to_string(status.state));
    if (status.op != XF_DOMAIN_OP_NONE) {
        ds_put_format(ds, " (%s)", xf_domain_op_to_string(status.op));
    }
    ds_put_char(ds, '\n');
}

/* Command domain/list [--json]. */
static void
cmd_list(struct unixctl_conn *conn, int argc, const char *argv[],
         void *hostd_)
{
    struct hostd *h = hostd_;
    size_t n = xf_domains_count(h->domains);
    bool is_json = take_json(&argc, &argv);
    struct xf_domain **domains;

    if (argc > 1) {
        reply(conn, xasprintf("'%s' isn't understood here: the only argument "
                              "is --json", argv[1]));
        return;
    }
    domains = xf_domains_sorted(h->domains);
    if (is_json) {
        struct json *array = json_array_create_empty();

        for (size_t i = 0; i < n; i++) {
            json_array_add(array, xf_domain_to_json(domains[i]));
        }
        reply_json(conn, array);
    } else {
        struct ds ds = DS_EMPTY_INITIALIZER;

        for (size_t i = 0; i < n; i++) {
            list_line(domains[i], &ds);
        }
        unixctl_command_reply(conn, ds_cstr(&ds));
        ds_destroy(&ds);
    }
    free(domains);
}

/* Command domain/show [--json] NAME. */
static void
cmd_show(struct unixctl_conn *conn, int argc, const char *argv[],
         void *hostd_)
{
    bool is_json = take_json(&argc, &argv);
    struct xf_domain *d;

    if (argc != 2) {
        reply(conn, xstrdup("which domain? The arguments are [--json] NAME"));
        return;
    }
    d = find(hostd_, conn, argv[1]);
    if (d && is_json) {
        reply_json(conn, xf_domain_to_json(d));
    } else if (d) {
        struct ds ds = DS_EMPTY_INITIALIZER;

        xf_domain_format(d, &ds);
        unixctl_command_reply(conn, ds_cstr(&ds));
        ds_destroy(&ds);
    }
}

static void
cmd_join_show(struct unixctl_conn *conn, int argc OVS_UNUSED,
              const char *argv[] OVS_UNUSED, void *hostd_)
{
    struct hostd *h = hostd_;
    struct ds ds = DS_EMPTY_INITIALIZER;

    join_format(h->join, &ds);
    unixctl_command_reply(conn, ds_cstr(&ds));
    ds_destroy(&ds);
}

static void
cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *hostd_)
{
    struct hostd *h = hostd_;

    h->exiting = true;
    unixctl_command_reply(conn, NULL);
}

static void
register_commands(struct hostd *h, bool dummies)
{
    static const char *const begin[] = {
        "domain/start", "domain/stop", "domain/restart", "domain/suspend",
        "domain/restore", "domain/destroy",
    };

    for (size_t i = 0; i < ARRAY_SIZE(begin); i++) {
        unixctl_command_register(begin[i], "NAME", 1, 1, cmd_begin, h);
    }
    unixctl_command_register("domain/create", "FILE", 1, 1, cmd_create, h);
    unixctl_command_register("domain/list", "[--json]", 0, 1, cmd_list, h);
    unixctl_command_register("domain/show", "[--json] NAME", 1, 2, cmd_show,
                             h);
    if (dummies) {
        unixctl_command_register("domain/script", "NAME SCRIPT", 2, 2,
                                 cmd_script, h);
        timeval_dummy_register();
    }
    unixctl_command_register("join/show", "", 0, 0, cmd_join_show, h);
    unixctl_command_register("exit", "", 0, 0, cmd_exit, h);
}

/* ---- Command line. ---- */

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: virtual machines of this host\n"
           "usage: %s [OPTIONS]\n"
           "\nOptions:\n"
           "  --domains=FOLDER        where the machines are kept (default: "
           "%s/domains)\n"
           "  --images=FOLDER         where images are (default: %s/images)\n"
           "  --ovs=REMOTE            database of the switch, or \"none\"\n"
           "                          (default: unix:%s/db.sock)\n"
           "  --db=REMOTE             database XenFlow (default: "
           "external_ids:xenflow-remote\n"
           "                          of the switch's database)\n"
           "  --host=NAME             name of this host there (default: "
           "external_ids:xenflow-host)\n"
           "  --power-off-command=COMMAND  what switches this host off "
           "(default: nothing)\n"
           "  --enable-dummy          allow the backend dummy (for tests)\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           program_name, program_name, ovs_dbdir(), ovs_dbdir(),
           ovs_rundir());
    stream_usage("database", true, false, false);
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

enum {
    OPT_UNIXCTL = UCHAR_MAX + 1,
    OPT_DOMAINS,
    OPT_IMAGES,
    OPT_OVS,
    OPT_DB,
    OPT_HOST,
    OPT_POWER_OFF,
    OPT_ENABLE_DUMMY,
    SSL_OPTION_ENUMS,
    VLOG_OPTION_ENUMS,
    DAEMON_OPTION_ENUMS,
};

static const struct option long_options[] = {
    {"unixctl", required_argument, NULL, OPT_UNIXCTL},
    {"domains", required_argument, NULL, OPT_DOMAINS},
    {"images", required_argument, NULL, OPT_IMAGES},
    {"ovs", required_argument, NULL, OPT_OVS},
    {"db", required_argument, NULL, OPT_DB},
    {"host", required_argument, NULL, OPT_HOST},
    {"power-off-command", required_argument, NULL, OPT_POWER_OFF},
    {"enable-dummy", no_argument, NULL, OPT_ENABLE_DUMMY},
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
    switch (option) {
    case OPT_UNIXCTL:
        options->unixctl_path = argument;
        break;
    case OPT_DOMAINS:
        options->folder = argument;
        break;
    case OPT_IMAGES:
        options->join.images = argument;
        break;
    case OPT_OVS:
        options->join.ovs = argument;
        break;
    case OPT_DB:
        options->join.remote = argument;
        break;
    case OPT_HOST:
        options->join.host = argument;
        break;
    case OPT_POWER_OFF:
        options->join.power_off = argument;
        break;
    case OPT_ENABLE_DUMMY:
        options->join.dummies = true;
        break;
    default:
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
}

static void
domain_changed(struct xf_domain *d, void *h_)
{
    struct hostd *h = h_;

    join_domain_changed(h->join, d, time_msec());
}

static void
serve(struct hostd *h, struct unixctl_server *unixctl)
{
    while (!h->exiting) {
        xf_domains_run(h->domains, time_msec(), domain_changed, h);
        join_run(h->join, time_msec());
        unixctl_server_run(unixctl);
        xf_domains_wait(h->domains);
        join_wait(h->join);
        unixctl_server_wait(unixctl);
        if (h->exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
}

/* Fills in what no option says. */
static void
complete_options(struct options *options)
{
    struct join_settings *join = &options->join;

    options->folder = (options->folder ? abs_file_name(NULL, options->folder)
                       : xasprintf("%s/domains", ovs_dbdir()));
    join->images = (join->images ? abs_file_name(NULL, join->images)
                    : xasprintf("%s/images", ovs_dbdir()));
    join->ovs = (join->ovs ? xstrdup(join->ovs)
                 : xasprintf("unix:%s/db.sock", ovs_rundir()));
}

static void
free_options(struct options *options)
{
    free(options->folder);
    free(options->join.images);
    free(options->join.ovs);
}

int
main(int argc, char *argv[])
{
    struct hostd h = { .exiting = false };
    struct options options = { .folder = NULL };
    struct unixctl_server *unixctl;
    char *error;

    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    service_start(&argc, &argv);
    parse_options(argc, argv, &options);
    fatal_ignore_sigpipe();
    complete_options(&options);

    daemonize_start(false);
    if (unixctl_server_create(options.unixctl_path, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    register_commands(&h, options.join.dummies);
    error = xf_domains_open(options.folder, options.join.dummies, time_msec(),
                            &h.domains);
    if (error) {
        ovs_fatal(0, "%s", error);
    }
    h.join = join_create(h.domains, &options.join);
    daemonize_complete();
    VLOG_INFO("%"PRIuSIZE" domains in %s", xf_domains_count(h.domains),
              options.folder);
    serve(&h, unixctl);
    join_destroy(h.join);
    xf_domains_close(h.domains);
    unixctl_server_destroy(unixctl);
    free_options(&options);
    return 0;
}
