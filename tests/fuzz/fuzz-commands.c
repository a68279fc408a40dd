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

#include "engine/engine-private.h"
#include "fake-switch.h"
#include "openvswitch/dynamic-string.h"
#include "openvswitch/poll-loop.h"
#include "svec.h"

/* Commands: each line of the input is a command with its arguments, posted to
 * a real engine over the fake switch.  What is refused must change nothing:
 * the router that it names is the same before and after.  At the end all
 * routers are deleted. */

#define LINES_MAX 40
#define CHARACTERS_MAX 4000

static struct fake_switch fake;
static struct xf_engine *engine;

/* How a command was answered. */
struct answer {
    bool done;
    bool ok;
    struct ds body;
};

static void
answered(void *answer_, bool ok, const char *body)
{
    struct answer *answer = answer_;

    answer->done = true;
    answer->ok = ok;
    ds_put_cstr(&answer->body, body ? body : "");
}

/* Posts the command of 'words' and waits for the answer.  Returns whether it
 * was carried out; its text is appended to 'body' if that is nonnull. */
static bool
run(const struct svec *words, struct ds *body)
{
    struct answer answer = { .body = DS_EMPTY_INITIALIZER };

    xf_command_post(engine, words->n, (const char **) words->names, answered,
                    &answer);
    for (;;) {
        xf_engine_run(engine);
        if (answer.done) {
            break;
        }
        xf_engine_wait(engine);
        poll_block();
    }
    /* A refusal says something. */
    FUZZ_CHECK(answer.ok || answer.body.length);
    FUZZ_CHECK(!memchr(ds_cstr(&answer.body), '\0', answer.body.length));
    if (body) {
        ds_put_cstr(body, ds_cstr(&answer.body));
    }
    ds_destroy(&answer.body);
    return answer.ok;
}

static bool
run_words(struct ds *body, const char *command, const char *argument)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;

    svec_add(&words, command);
    if (argument) {
        svec_add(&words, argument);
    }
    svec_terminate(&words);

    bool ok = run(&words, body);
    svec_destroy(&words);
    return ok;
}

/* All that can be seen of 'router' and that no time changes. */
static char *
dump(const char *router)
{
    static const char *const lists[] = {
        "xenflow/port-list", "xenflow/rule-list", "xenflow/neigh-list",
        "xenflow/speaker-list",
    };
    struct ds ds = DS_EMPTY_INITIALIZER;

    run_words(&ds, "xenflow/router-list", NULL);
    for (size_t i = 0; router && i < ARRAY_SIZE(lists); i++) {
        run_words(&ds, lists[i], router);
    }
    return ds_steal_cstr(&ds);
}

/* Opens a socket wherever the input says: leave those out.  (Listening on the
 * loopback interface with a port of the kernel's choice is fine.) */
static bool
is_fit(const struct svec *words)
{
    for (size_t i = 0; i < words->n; i++) {
        const char *word = words->names[i];

        if (!strncmp(word, "listen=", 7) && strcmp(word, "listen=none")
            && strcmp(word, "listen=127.0.0.1:0")) {
            return false;
        }
    }
    return words->n && xf_command_find(words->names[0]);
}

static void
run_line(const char *line)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;

    svec_parse_words(&words, line);
    svec_terminate(&words);
    if (is_fit(&words)) {
        const char *router = words.n > 1 ? words.names[1] : NULL;
        char *before = dump(router);

        if (!run(&words, NULL)) {
            char *after = dump(router);

            if (strcmp(before, after)) {
                fprintf(stderr, "refused, but not without effect: %s\n"
                        "before:\n%s\nafter:\n%s\n", line, before, after);
                abort();
            }
            free(after);
        }
        free(before);
    }
    svec_destroy(&words);
}

static void
add_name(struct xf_router *router, void *names)
{
    svec_add(names, xf_router_name(router));
}

static void
delete_routers(void)
{
    struct svec names = SVEC_EMPTY_INITIALIZER;

    xf_engine_for_each_router(engine, add_name, &names);
    for (size_t i = 0; i < names.n; i++) {
        FUZZ_CHECK(run_words(NULL, "xenflow/router-del", names.names[i]));
    }
    svec_destroy(&names);
}

/* Stops the engine, so that leaks are seen. */
static void
stop(void)
{
    xf_engine_destroy(engine);
    engine = NULL;
}

int
LLVMFuzzerInitialize(int *argc OVS_UNUSED, char ***argv OVS_UNUSED)
{
    fuzz_init();
    fake_switch_init(&fake);
    engine = xf_engine_create(&fake.up);
    atexit(stop);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t ofs = 0;

    for (int i = 0; ofs < size && i < LINES_MAX; i++) {
        const uint8_t *end = memchr(data + ofs, '\n', size - ofs);
        size_t n = end ? end - (data + ofs) : size - ofs;

        if (n <= CHARACTERS_MAX) {
            char *line = xmemdup0((const char *) data + ofs, n);

            run_line(line);
            free(line);
        }
        ofs += n + 1;
    }
    delete_routers();
    return 0;
}
