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
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "domain/cpio.h"
#include "domain/qmp.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/json.h"
#include "xenflow/domain.h"

/* What comes from QEMU, and configurations of domains.
 *
 * First byte even: the rest is a configuration.  One that is good is the same
 * after it was written and read again.  Odd: it is cut into pieces (a byte
 * each says how long, and what happens between), which a QEMU says to our
 * client over a real socket, after a greeting or not. */

#define PIECES_MAX 64
#define GREETING "{\"QMP\": {}}\r\n{\"return\": {}, \"id\": 0}\r\n"

static char folder[] = "/tmp/fuzz-domain-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int listener;

static void
clean_up(void)
{
    unlink(address.sun_path);
    rmdir(folder);
}

int
LLVMFuzzerInitialize(int *argc OVS_UNUSED, char ***argv OVS_UNUSED)
{
    fuzz_init();
    FUZZ_CHECK(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/qmp", folder);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(!bind(listener, (struct sockaddr *) &address, sizeof address));
    FUZZ_CHECK(!listen(listener, 1));
    atexit(clean_up);
    return 0;
}

static void
fuzz_config(const struct fuzz_input *in)
{
    char *text = xmemdup0((const char *) in->data, in->size);
    struct json *json = json_from_string(text);
    struct xf_domain_config config, again;
    char *error = xf_domain_config_parse(json, &config);

    if (!error) {
        struct json *first = xf_domain_config_to_json(&config);
        struct ds archive = DS_EMPTY_INITIALIZER;

        error = xf_domain_config_parse(first, &again);
        FUZZ_CHECK(!error);

        struct json *second = xf_domain_config_to_json(&again);
        FUZZ_CHECK(json_equal(first, second));
        xf_cpio_put(config.files, config.n_files, &archive);
        FUZZ_CHECK(archive.length % 4 == 0);
        ds_destroy(&archive);
        json_destroy(first);
        json_destroy(second);
        xf_domain_config_uninit(&config);
        xf_domain_config_uninit(&again);
    }
    free(error);
    json_destroy(json);
    free(text);
}

static void
answered(const struct json *result, const char *error, void *n_)
{
    int *n = n_;

    FUZZ_CHECK(!result != !error);
    (*n)++;
}

static void
event(const char *name, const struct json *data, void *n OVS_UNUSED)
{
    FUZZ_CHECK(name);
    FUZZ_CHECK(!data || data->type == JSON_OBJECT);
}

static void
say(int *fd, const void *p, size_t n)
{
    if (*fd >= 0 && send(*fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        close(*fd);
        *fd = -1;
    }
}

static int
accept_(struct xf_qmp *qmp, long long int now_ms)
{
    xf_qmp_run(qmp, now_ms);    /* Connects. */
    return accept4(listener, NULL, NULL, SOCK_NONBLOCK);
}

static void
fuzz_qmp(struct fuzz_input *in)
{
    long long int now_ms = 1000;
    int n_given = 0, n_answered = 0;
    struct xf_qmp *qmp = xf_qmp_create(address.sun_path, event, &n_answered);
    int fd = accept_(qmp, now_ms);

    FUZZ_CHECK(fd >= 0);
    if (fuzz_u8(in) & 1) {
        say(&fd, GREETING, strlen(GREETING));
    }
    for (int i = 0; in->size && i < PIECES_MAX; i++) {
        uint8_t how = fuzz_u8(in);
        size_t n = how & 1 ? fuzz_u8(in) : in->size;

        n = MIN(n, in->size);
        if (how & 2) {
            xf_qmp_command(qmp, "query-status", NULL, now_ms + 500, answered);
            n_given++;
        }
        say(&fd, in->data, n);
        in->data += n;
        in->size -= n;
        now_ms += how & 4 ? 0 : how;
        xf_qmp_run(qmp, now_ms);
    }
    if (fd >= 0) {
        close(fd);
    }
    /* Nobody answers any more: every command ends all the same. */
    for (int i = 0; i < 3; i++) {
        now_ms += 500;
        xf_qmp_run(qmp, now_ms);
    }
    FUZZ_CHECK(n_answered == n_given);
    xf_qmp_destroy(qmp);
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        close(fd);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    if (fuzz_u8(&in) & 1) {
        fuzz_qmp(&in);
    } else {
        fuzz_config(&in);
    }
    return 0;
}
