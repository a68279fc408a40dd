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
#undef NDEBUG

#include "xf-utilities/xenflow-plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "ovsdb-idl.h"
#include "timeval.h"
#include "util.h"

/* Plans of links whose router moves, as xenflow-manager makes them.
 *
 *   test-xf-plan DATABASE show ROUTER HOST     prints new ways and transfers
 *   test-xf-plan DATABASE prewire ROUTER HOST  and writes them, as of the next
 *                                              generation
 *   test-xf-plan DATABASE flip ROUTER HOST     the next generation is in use, and
 *                                              the router there
 *   test-xf-plan DATABASE undo ROUTER HOST     removes what isn't in use
 *   test-xf-plan DATABASE end ROUTER HOST      likewise, and transfers */

static void
print_plan(const char *what, const struct xf_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        const struct xf_plan_hop *hop = &plan->hops[i];

        printf("    %s %d %s %s/%d %s/%d\n", what, hop->position,
               hop->host->name, hop->port1, hop->vlan1, hop->port2,
               hop->vlan2);
    }
}

struct move {
    struct ovsdb_idl *idl;
    struct ovsdb_idl_txn *txn;
    struct xf_plan_session *session;
    const struct xfrec_router *router;
    const struct xfrec_host *to;
    bool writes;
};

/* Prints, and writes if that is asked for. */
static void
take_plan(const struct move *m, const struct xfrec_link *link,
          const char *what, const struct xf_plan *plan, int64_t generation)
{
    print_plan(what, plan);
    if (m->writes) {
        xf_plan_insert(m->txn, link, generation, plan);
    }
}

static char *
plan_link(const struct move *m, const struct xfrec_link *link)
{
    const struct xfrec_interface *ends[] = { link->interface1,
                                             link->interface2 };
    int64_t generation = xf_plan_next_generation(m->idl, link);
    struct xf_plan way;
    char *error = xf_plan_link(m->session, link, m->router, m->to, &way);

    if (error) {
        return error;
    }
    printf("link %s generation %"PRId64"%s\n", link->name, generation,
           xf_plan_differs(m->idl, link, link->generation, &way)
           ? "" : ", as before");
    take_plan(m, link, "way", &way, generation);
    for (int i = 0; i < 2 && !error; i++) {
        struct xf_plan transfer;

        if (!ends[i] || ends[i]->router != m->router) {
            continue;
        }
        error = xf_plan_transfer(m->session, link, ends[i], m->router->host,
                                 m->to, &way, &transfer);
        if (!error) {
            take_plan(m, link, "transfer", &transfer, generation);
            xf_plan_destroy(&transfer);
        }
    }
    xf_plan_destroy(&way);
    return error;
}

static void
change_link(const struct move *m, const struct xfrec_link *link,
            const char *command)
{
    if (!strcmp(command, "flip")) {
        xfrec_link_set_generation(
            link, xf_plan_next_generation(m->idl, link) - 1);
    } else {
        xf_plan_remove(m->idl, link, XF_PLAN_UNUSED);
        if (!strcmp(command, "end")) {
            xf_plan_remove(m->idl, link, XF_PLAN_TRANSFERS);
        }
    }
}

static void
run(struct move *m, const char *command)
{
    bool plans = !strcmp(command, "show") || !strcmp(command, "prewire");
    size_t n;
    const struct xfrec_link **links = xf_plan_links(m->idl, m->router, &n);
    char *error = NULL;

    m->writes = !strcmp(command, "prewire");
    for (size_t i = 0; i < n && !error; i++) {
        if (plans) {
            error = plan_link(m, links[i]);
        } else {
            change_link(m, links[i], command);
        }
    }
    if (error) {
        printf("%s\n", error);
        free(error);
        exit(EXIT_FAILURE);
    }
    if (!strcmp(command, "flip")) {
        xfrec_router_set_host(m->router, m->to);
    }
    free(links);
}

static const struct xfrec_host *
find_host(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_host *host;

    XFREC_HOST_FOR_EACH (host, idl) {
        if (!strcmp(host->name, name)) {
            return host;
        }
    }
    ovs_fatal(0, "there is no host %s", name);
}

static const struct xfrec_router *
find_router(struct ovsdb_idl *idl, const char *name)
{
    const struct xfrec_router *router;

    XFREC_ROUTER_FOR_EACH (router, idl) {
        if (!strcmp(router->name, name)) {
            return router;
        }
    }
    ovs_fatal(0, "there is no router %s", name);
}

int
main(int argc, char *argv[])
{
    enum ovsdb_idl_txn_status status;
    struct ovsdb_idl *idl;

    set_program_name(argv[0]);
    if (argc != 5) {
        ovs_fatal(0, "see the head of test-xf-plan.c for usage");
    }
    idl = ovsdb_idl_create(argv[1], &xfrec_idl_class, false, true);
    xf_plan_monitor(idl);
    while (!ovsdb_idl_has_ever_connected(idl)) {
        ovsdb_idl_run(idl);
        ovsdb_idl_wait(idl);
        poll_timer_wait(100);
        poll_block();
    }

    struct move m = {
        .idl = idl,
        .txn = ovsdb_idl_txn_create(idl),
        .session = xf_plan_session_create(idl, time_wall_msec()),
        .router = find_router(idl, argv[3]),
        .to = find_host(idl, argv[4]),
    };
    run(&m, argv[2]);
    xf_plan_session_destroy(m.session);
    status = ovsdb_idl_txn_commit_block(m.txn);
    if (status != TXN_SUCCESS && status != TXN_UNCHANGED) {
        ovs_fatal(0, "%s", ovsdb_idl_txn_get_error(m.txn));
    }
    ovsdb_idl_txn_destroy(m.txn);
    ovsdb_idl_destroy(idl);
    return 0;
}
