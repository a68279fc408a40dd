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


/* xenflow-slice: gives virtual machines slices of OpenFlow switches.  See
 * Documentation/topics/slices.rst and slice/slice.h. */

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
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vconn.h"
#include "openvswitch/vlog.h"
#include "ovs-thread.h"
#include "slice/slice.h"
#include "stream-ssl.h"
#include "timeval.h"
#include "unixctl.h"
#include "util.h"
#include "xenflow-slice-link.h"

VLOG_DEFINE_THIS_MODULE(xenflow_slice);

#define MAX_FILE_SIZE (1 << 20)

/* What the commands need. */
struct slice_daemon {
    char *file_name;
    struct links *links;
    bool exiting;
};

/* ---- Configuration. ---- */

/* Reads file 'name' into '*textp', to be freed.  Returns NULL or a sentence. */
static char *
read_file(const char *name, char **textp)
{
    FILE *stream = fopen(name, "r");
    struct ds text = DS_EMPTY_INITIALIZER;
    char *error = NULL;

    if (!stream) {
        return xasprintf("%s: can't be read (%s)", name, ovs_strerror(errno));
    }
    for (;;) {
        char buf[4096];
        size_t n = fread(buf, 1, sizeof buf, stream);

        if (!n) {
            break;
        }
        ds_put_buffer(&text, buf, n);
        if (text.length > MAX_FILE_SIZE || memchr(buf, '\0', n)) {
            error = xasprintf("%s: isn't a text of at most %d bytes", name,
                              MAX_FILE_SIZE);
            break;
        }
    }
    if (!error && ferror(stream)) {
        error = xasprintf("%s: can't be read (%s)", name,
                          ovs_strerror(errno));
    }
    fclose(stream);
    *textp = error ? NULL : ds_steal_cstr(&text);
    ds_destroy(&text);
    return error;
}

/* Takes the configuration file over.  Returns NULL, or a sentence, and then
 * nothing changed. */
static char *
load(struct slice_daemon *d)
{
    struct xf_slice_file file;
    char *text, *error;

    error = read_file(d->file_name, &text);
    if (error) {
        return error;
    }
    error = xf_slice_file_parse(text, &file);
    free(text);
    if (error) {
        char *sentence = xasprintf("%s: %s", d->file_name, error);

        free(error);
        return sentence;
    }
    links_configure(d->links, &file);
    xf_slice_file_uninit(&file);
    return NULL;
}

/* ---- Commands. ---- */

/* What a command that shows slices collects. */
struct show {
    const char *name;           /* Of the slice to show, or NULL: all. */
    bool brief;
    struct ds *text;            /* For people... */
    struct json *json;          /* ...or an array for programs. */
    size_t n;                   /* Slices shown. */
};

static void
show_slice(struct xf_slice *slice, struct show *show)
{
    show->n++;
    if (show->json) {
        json_array_add(show->json, xf_slice_to_json(slice));
    } else {
        struct ds all = DS_EMPTY_INITIALIZER;

        xf_slice_format(slice, &all);
        if (show->brief) {
            ds_truncate(&all, strcspn(ds_cstr(&all), "\n") + 1);
            ds_put_cstr(show->text, "  ");
        }
        ds_put_buffer(show->text, all.string, all.length);
        ds_destroy(&all);
    }
}

static void
show_switch(struct xf_slice_switch *sw, void *show_)
{
    struct ovs_list *slices = xf_slice_switch_slices(sw);
    struct show *show = show_;

    if (show->text && !show->name) {
        xf_slice_switch_format(sw, show->text);
    }
    for (struct ovs_list *node = slices->next; node != slices;
         node = node->next) {
        struct xf_slice *slice = xf_slice_from_node(node);

        if (!show->name
            || !strcmp(xf_slice_get_config(slice)->name, show->name)) {
            show_slice(slice, show);
        }
    }
}

/* "slice/list" and "slice/show": their arguments are [--json] and, for the
 * latter, [SLICE]. */
static void
cmd_show(struct unixctl_conn *conn, int argc, const char *argv[],
         void *daemon_)
{
    struct slice_daemon *d = daemon_;
    struct ds text = DS_EMPTY_INITIALIZER;
    struct show show = { .brief = !strcmp(argv[0], "slice/list") };
    bool is_json = argc > 1 && !strcmp(argv[1], "--json");

    if (argc > 1 + is_json + !show.brief
        || (argc > 1 + is_json && argv[1 + is_json][0] == '-')) {
        char *error = xasprintf("'%s' isn't understood here: %s has the "
                                "arguments [--json]%s", argv[argc - 1],
                                argv[0], show.brief ? "" : " [SLICE]");
        unixctl_command_reply_error(conn, error);
        free(error);
        return;
    }
    show.name = argc > 1 + is_json ? argv[1 + is_json] : NULL;
    if (is_json) {
        show.json = json_array_create_empty();
    } else {
        show.text = &text;
    }
    links_for_each_switch(d->links, show_switch, &show);
    if (is_json) {
        char *s = json_to_string(show.json, JSSF_SORT);

        ds_put_format(&text, "%s\n", s);
        free(s);
        json_destroy(show.json);
    }
    if (show.name && !show.n) {
        char *error = xasprintf("there is no slice '%s': slice/list shows "
                                "those that there are", show.name);

        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        unixctl_command_reply(conn, ds_cstr(&text));
    }
    ds_destroy(&text);
}

static void
cmd_reload(struct unixctl_conn *conn, int argc OVS_UNUSED,
           const char *argv[] OVS_UNUSED, void *daemon_)
{
    char *error = load(daemon_);

    if (error) {
        VLOG_WARN("not reloaded: %s", error);
        unixctl_command_reply_error(conn, error);
        free(error);
    } else {
        VLOG_INFO("reloaded");
        unixctl_command_reply(conn, NULL);
    }
}

static void
cmd_exit(struct unixctl_conn *conn, int argc OVS_UNUSED,
         const char *argv[] OVS_UNUSED, void *daemon_)
{
    struct slice_daemon *d = daemon_;

    d->exiting = true;
    unixctl_command_reply(conn, NULL);
}

/* ---- Command line. ---- */

OVS_NO_RETURN static void
usage(void)
{
    printf("%s: slices of OpenFlow switches\n"
           "usage: %s [OPTIONS] FILE\n"
           "where FILE says which switches and slices there are.\n"
           "\nOther options:\n"
           "  --check                 only say what is wrong with FILE\n"
           "  --unixctl=SOCKET        override default control socket name\n"
           "  -h, --help              display this help message\n"
           "  -V, --version           display version information\n",
           program_name, program_name);
    vconn_usage(true, true, false);
    daemon_usage();
    vlog_usage();
    exit(EXIT_SUCCESS);
}

/* Options of xenflow-slice itself. */
struct options {
    char *unixctl_path;
    bool check;
};

static void
parse_options(int argc, char *argv[], struct options *options)
{
    enum {
        OPT_UNIXCTL = UCHAR_MAX + 1,
        OPT_CHECK,
        VLOG_OPTION_ENUMS,
        DAEMON_OPTION_ENUMS,
        SSL_OPTION_ENUMS,
    };
    static const struct option long_options[] = {
        {"unixctl", required_argument, NULL, OPT_UNIXCTL},
        {"check", no_argument, NULL, OPT_CHECK},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        DAEMON_LONG_OPTIONS,
        VLOG_LONG_OPTIONS,
        STREAM_SSL_LONG_OPTIONS,
        {NULL, 0, NULL, 0},
    };
    char *short_options = ovs_cmdl_long_options_to_short_options(long_options);
    int c;

    while ((c = getopt_long(argc, argv, short_options, long_options,
                            NULL)) != -1) {
        switch (c) {
        case 'h':
            usage();
        case 'V':
            ovs_print_version(0, 0);
            exit(EXIT_SUCCESS);
        case OPT_CHECK:
            options->check = true;
            break;
        case OPT_UNIXCTL:
            options->unixctl_path = optarg;
            break;
        VLOG_OPTION_HANDLERS
        DAEMON_OPTION_HANDLERS
        STREAM_SSL_OPTION_HANDLERS
        case '?':
            exit(EXIT_FAILURE);
        default:
            abort();
        }
    }
    free(short_options);
}

static void
serve(struct slice_daemon *d, struct unixctl_server *unixctl)
{
    while (!d->exiting) {
        links_run(d->links);
        unixctl_server_run(unixctl);
        links_wait(d->links);
        unixctl_server_wait(unixctl);
        if (d->exiting) {
            poll_immediate_wake();
        }
        poll_block();
    }
}

int
main(int argc, char *argv[])
{
    struct slice_daemon d = { .links = NULL };
    struct unixctl_server *unixctl;
    struct options options = { .unixctl_path = NULL };
    char *error;

    ovs_cmdl_proctitle_init(argc, argv);
    set_program_name(argv[0]);
    service_start(&argc, &argv);
    parse_options(argc, argv, &options);
    fatal_ignore_sigpipe();
    argc -= optind;
    argv += optind;
    if (argc != 1) {
        ovs_fatal(0, "one argument is needed, the configuration file; use "
                  "--help for usage");
    }
    d.file_name = abs_file_name(NULL, argv[0]);
    if (options.check) {
        struct xf_slice_file file;
        char *text;

        error = read_file(d.file_name, &text);
        error = error ? error : xf_slice_file_parse(text, &file);
        if (error) {
            ovs_fatal(0, "%s", error);
        }
        exit(EXIT_SUCCESS);
    }

    daemon_become_new_user(false);
    daemonize_start(false);
    if (unixctl_server_create(options.unixctl_path, &unixctl)) {
        exit(EXIT_FAILURE);
    }
    d.links = links_create();
    unixctl_command_register("slice/list", "[--json]", 0, 1, cmd_show, &d);
    unixctl_command_register("slice/show", "[--json] [SLICE]", 0, 2, cmd_show,
                             &d);
    unixctl_command_register("slice/reload", "", 0, 0, cmd_reload, &d);
    unixctl_command_register("exit", "", 0, 0, cmd_exit, &d);
    error = load(&d);
    if (error) {
        ovs_fatal(0, "%s", error);
    }
    daemonize_complete();
    serve(&d, unixctl);
    links_destroy(d.links);
    unixctl_server_destroy(unixctl);
    free(d.file_name);
    return 0;
}
