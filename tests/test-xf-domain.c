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

/* Test of parts of domain/.
 *
 * test-xf-domain config < FILE
 *     reads a configuration for each line that begins with "{", prints what is
 *     wrong with it, or "good"; other lines are repeated
 *
 * test-xf-domain cpio < FILE
 *     prints the archive of the files of the configuration in FILE
 *
 * test-xf-domain qmp < TRANSCRIPT
 *     a server that speaks as the transcript says, and our client, with a
 *     clock of its own.  Repeats the lines, each after "> ", and says what
 *     happens:
 *
 *     accept            takes the client's connection
 *     say TEXT          sends a line to it
 *     bytes N C         sends character C, N times
 *     hear              prints what it sent
 *     hangup            closes the connection
 *     ignore            stops listening
 *     command NAME MS   gives a command, to be answered within MS
 *     run [MS]          moves the clock, runs until nothing more happens */

#include <config.h>
#undef NDEBUG

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "domain/cpio.h"
#include "domain/qmp.h"
#include "fatal-signal.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "openvswitch/vlog.h"
#include "util.h"
#include "xenflow/domain.h"

#define SOCKET_NAME "qmp.sock"
#define TURNS 20                /* Enough for a handshake. */

/* ---- config and cpio. ---- */

static void
test_config(void)
{
    struct ds line = DS_EMPTY_INITIALIZER;

    while (!ds_get_line(&line, stdin)) {
        if (line.string[0] != '{') {
            printf("%s\n", ds_cstr(&line));
            continue;
        }

        struct json *json = json_from_string(ds_cstr(&line));
        struct xf_domain_config config;
        char *error = xf_domain_config_parse(json, &config);

        printf("    %s\n", error ? error : "good");
        free(error);
        json_destroy(json);
        xf_domain_config_uninit(&config);
    }
    ds_destroy(&line);
}

static void
test_cpio(void)
{
    struct json *json = json_from_stream(stdin);
    struct xf_domain_config config;
    struct ds out = DS_EMPTY_INITIALIZER;
    char *error = xf_domain_config_parse(json, &config);

    if (error) {
        ovs_fatal(0, "%s", error);
    }
    xf_cpio_put(config.files, config.n_files, &out);
    fwrite(out.string, 1, out.length, stdout);
    ds_destroy(&out);
    json_destroy(json);
    xf_domain_config_uninit(&config);
}

/* ---- qmp. ---- */

struct server {
    int listener, fd;           /* -1: none. */
    struct xf_qmp *qmp;
    long long int now_ms;
};

static void
answered(const struct json *result, const char *error, void *server OVS_UNUSED)
{
    char *s = result ? json_to_string(result, JSSF_SORT) : NULL;

    printf("answer: %s\n", error ? error : s);
    free(s);
}

static void
event(const char *name, const struct json *data, void *server OVS_UNUSED)
{
    char *s = data ? json_to_string(data, JSSF_SORT) : xstrdup("-");

    printf("event: %s %s\n", name, s);
    free(s);
}

static void
listen_(struct server *server)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };

    unlink(SOCKET_NAME);
    ovs_strlcpy(sun.sun_path, SOCKET_NAME, sizeof sun.sun_path);
    server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    ovs_assert(!bind(server->listener, (struct sockaddr *) &sun, sizeof sun));
    ovs_assert(!listen(server->listener, 1));
}

static void
accept_(struct server *server)
{
    struct pollfd pfd = { .fd = server->listener, .events = POLLIN };

    if (poll(&pfd, 1, 0) <= 0) {
        printf("nobody connects\n");
        return;
    }
    server->fd = accept(server->listener, NULL, NULL);
    ovs_assert(server->fd >= 0);
}

static void
hear(struct server *server)
{
    char buf[65536];
    ssize_t n = recv(server->fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n > 0) {
        fwrite(buf, 1, n, stdout);
    } else {
        printf(n ? "nothing\n" : "closed\n");
    }
}

static void
run(struct server *server, int ms)
{
    server->now_ms += ms;
    for (int i = 0; i < TURNS; i++) {
        xf_qmp_run(server->qmp, server->now_ms);
    }
    printf("%s\n", xf_qmp_is_ready(server->qmp) ? "ready" : "not ready");
}

/* Sends 'n' bytes, letting the client read meanwhile.  Returns false if it
 * hung up. */
static bool
send_all(struct server *server, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = send(server->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN) {
            printf("the client hung up\n");
            return false;
        } else if (sent > 0) {
            p += sent;
            n -= sent;
        }
        xf_qmp_run(server->qmp, server->now_ms);
    }
    return true;
}

static void
hang_up(struct server *server)
{
    close(server->fd);
    server->fd = -1;
}

static void
do_line(struct server *server, char *line)
{
    char *save = NULL;
    char *verb = strtok_r(line, " ", &save);
    char *rest = strtok_r(NULL, "", &save);

    if (!strcmp(verb, "accept")) {
        accept_(server);
    } else if (!strcmp(verb, "say")) {
        send_all(server, rest, strlen(rest));
        send_all(server, "\r\n", 2);
    } else if (!strcmp(verb, "bytes")) {
        char *c = strrchr(rest, ' ') + 1;

        for (int i = atoi(rest); i > 0 && send_all(server, c, 1); i--) {
            continue;
        }
    } else if (!strcmp(verb, "hear")) {
        hear(server);
    } else if (!strcmp(verb, "hangup")) {
        hang_up(server);
    } else if (!strcmp(verb, "ignore")) {
        close(server->listener);
        unlink(SOCKET_NAME);
    } else if (!strcmp(verb, "command")) {
        char *name = strtok_r(rest, " ", &save);
        char *ms = strtok_r(NULL, " ", &save);

        xf_qmp_command(server->qmp, name, NULL, server->now_ms + atoi(ms),
                       answered);
    } else if (!strcmp(verb, "run")) {
        run(server, rest ? atoi(rest) : 0);
    } else {
        ovs_fatal(0, "'%s' isn't understood", verb);
    }
}

static void
test_qmp(void)
{
    struct server server = { .fd = -1, .now_ms = 1000 };
    struct ds line = DS_EMPTY_INITIALIZER;

    listen_(&server);
    server.qmp = xf_qmp_create(SOCKET_NAME, event, &server);
    while (!ds_get_line(&line, stdin)) {
        printf("> %s\n", ds_cstr(&line));
        if (line.length && line.string[0] != '#') {
            do_line(&server, line.string);
        }
    }
    xf_qmp_destroy(server.qmp);
    ds_destroy(&line);
}

int
main(int argc, char *argv[])
{
    set_program_name(argv[0]);
    vlog_set_levels(NULL, VLF_ANY_DESTINATION, VLL_OFF);
    fatal_ignore_sigpipe();
    if (argc == 2 && !strcmp(argv[1], "config")) {
        test_config();
    } else if (argc == 2 && !strcmp(argv[1], "cpio")) {
        test_cpio();
    } else if (argc == 2 && !strcmp(argv[1], "qmp")) {
        test_qmp();
    } else {
        ovs_fatal(0, "usage: %s config|cpio|qmp", program_name);
    }
    return 0;
}
