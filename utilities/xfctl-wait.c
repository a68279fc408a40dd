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

#include "openvswitch/dynamic-string.h"
#include "svec.h"
#include "timeval.h"
#include "util.h"

/* Who has carried out what.  The host daemon and the switch of a host
 * acknowledge the whole of the database up to a number (XF_Global:cfg); what
 * they refused is in Row_Error, and what they couldn't bring about in the
 * error columns of their states. */

/* What hosts say went wrong, or NULL. */
static char *
find_errors(struct ovsdb_idl *idl)
{
    const struct xfrec_router_state *router;
    const struct xfrec_row_error *row;
    const struct xfrec_link_state *link;
    struct svec errors = SVEC_EMPTY_INITIALIZER;
    char *text;

    XFREC_ROW_ERROR_FOR_EACH (row, idl) {
        svec_add_nocopy(&errors, xasprintf("%s: %s: %s", row->host, row->table,
                                           row->error));
    }
    XFREC_ROUTER_STATE_FOR_EACH (router, idl) {
        if (router->error[0]) {
            svec_add_nocopy(&errors, xasprintf("%s: %s", router->host,
                                               router->error));
        }
    }
    XFREC_LINK_STATE_FOR_EACH (link, idl) {
        if (link->error[0]) {
            svec_add_nocopy(&errors, xasprintf("%s: %s", link->host,
                                               link->error));
        }
    }
    svec_sort(&errors);
    text = errors.n ? svec_join(&errors, "\n  ", "") : NULL;
    svec_destroy(&errors);
    return text;
}

/* Whether all hosts have acknowledged 'cfg' ('*done').  Returns a sentence
 * about those that haven't, or, if all have, about what went wrong.  NULL:
 * nothing did. */
char *
xf_wait_check(struct ovsdb_idl *idl, int64_t cfg, bool *done)
{
    struct svec late = SVEC_EMPTY_INITIALIZER;
    const struct xfrec_host *host;
    char *error = NULL;

    XFREC_HOST_FOR_EACH (host, idl) {
        if (xf_host_is_wanted(host)) {
            struct ds ds = DS_EMPTY_INITIALIZER;

            xf_late_put(idl, host->name, cfg, &ds);
            if (ds.length) {
                svec_add_nocopy(&late, xasprintf("%s (%s)", host->name,
                                                 ds_cstr(&ds)));
            }
            ds_destroy(&ds);
        }
    }
    *done = !late.n;
    if (late.n) {
        svec_sort(&late);
        char *names = svec_join(&late, ", ", "");
        error = xasprintf("not carried out yet by %s: look there, or take a "
                          "host out with host-set HOST enabled=false", names);
        free(names);
    } else {
        char *text = find_errors(idl);

        if (text) {
            error = xasprintf("carried out, but for:\n  %s", text);
            free(text);
        }
    }
    svec_destroy(&late);
    return error;
}
