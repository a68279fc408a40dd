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

#include <errno.h>
#include <stdio.h>

#include "sset.h"
#include "svec.h"
#include "util.h"

/* A file to rows.  What the file names becomes as the file says: keys that aren't
 * there get their initial value, interfaces and rules that aren't there go.
 * What it doesn't name is left alone.  So a second import changes nothing. */

/* "line N: [KIND NAME]: 'key': sentence"; takes 'error' over. */
static char *
locate(const struct xf_file_section *section, const struct xf_file_line *line,
       char *error)
{
    char *text;

    if (!error) {
        return NULL;
    }
    text = xasprintf("line %d: [%s %s]: %s%s%s%s",
                     line ? line->number : section->number, section->kind,
                     section->name, line ? "'" : "", line ? line->key : "",
                     line ? "': " : "", error);
    free(error);
    return text;
}

#define SENTENCE_MAX 1000       /* Characters of a sentence. */

/* Whether 'key' says an interface: "ethN" or "if NAME", whose name is '*name'. */
static bool
is_interface_key(const char *key, const char **name)
{
    if (!strncmp(key, "eth", 3) && key[3]
        && !key[3 + strspn(key + 3, "0123456789")]) {
        *name = key;
        return true;
    }
    *name = key + 3;
    return !strncmp(key, "if ", 3);
}

/* ---- Routers. ---- */

/* Creates or changes interface 'name' of 'router' by "SEGMENT|- ADDRESS...
 * KEY=VALUE...". */
static char * OVS_WARN_UNUSED_RESULT
import_interface(struct ctl_context *ctx, const char *router,
                 const char *name, const char *text)
{
    const struct xf_kind *kind = xf_kind_find("if");
    char *full = xasprintf("%s:%s", router, name);
    struct svec words = SVEC_EMPTY_INITIALIZER;
    struct ds addresses = DS_EMPTY_INITIALIZER;
    struct svec args = SVEC_EMPTY_INITIALIZER;
    xf_row *row;
    char *error = xf_object_find(ctx, kind, full, &row);

    svec_parse_words(&words, text);
    if (!error && !words.n) {
        error = xstrdup("write SEGMENT or '-', then addresses, then "
                        "KEY=VALUE");
    }
    ds_put_cstr(&addresses, "address=");
    for (size_t i = 0; i < words.n; i++) {
        if (!i) {
            svec_add_nocopy(&args, xasprintf(
                "segment=%s", strcmp(words.names[0], "-") ? words.names[0]
                : ""));
        } else if (strchr(words.names[i], '=')) {
            svec_add(&args, words.names[i]);
        } else {
            ds_put_format(&addresses, " %s", words.names[i]);
        }
    }
    svec_add(&args, ds_cstr(&addresses));
    if (!error && row) {
        static const char *const defaults[] = { "mtu=1500", "up=true", "vif=",
                                                "ifindex=0" };

        for (size_t i = 0; i < ARRAY_SIZE(defaults) && !error; i++) {
            char *word = xstrdup(defaults[i]);

            error = xf_object_change(ctx, kind, row, 1, &word, false);
            free(word);
        }
        error = error ? error : xf_object_change(ctx, kind, row, args.n,
                                                 args.names, false);
    } else if (!error) {
        error = xf_object_create(ctx, kind, full, &row);
        error = error ? error : xf_object_change(ctx, kind, row, args.n,
                                                 args.names, true);
    }
    ds_destroy(&addresses);
    svec_destroy(&words);
    svec_destroy(&args);
    free(full);
    return error;
}

static bool
has_interface(const struct xf_file_section *section, const char *name)
{
    for (size_t i = 0; i < section->n_lines; i++) {
        const char *other;

        if (is_interface_key(section->lines[i].key, &other)
            && !strcmp(other, name)) {
            return true;
        }
    }
    return false;
}

/* Removes interfaces of 'router' that the section doesn't have. */
static char * OVS_WARN_UNUSED_RESULT
remove_interfaces(struct ctl_context *ctx, xf_row *router,
                  const struct xf_file_section *section)
{
    const struct xf_kind *kind = xf_kind_find("if");
    char *error = NULL;
    xf_row *row, *next;

    for (row = ovsdb_idl_first_row(ctx->idl, kind->table); row && !error;
         row = next) {
        next = ovsdb_idl_next_row(row);
        if (xf_refers(row, kind->parent, router)
            && !has_interface(section, xf_string_get(row, kind->sub_name))) {
            error = xf_object_remove(ctx, kind, row, false);
        }
    }
    return error;
}

/* Adds a rule by its line. */
static char * OVS_WARN_UNUSED_RESULT
import_child(struct ctl_context *ctx, const struct xf_child_kind *kind,
             const struct xfrec_router *router, const char *text)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    char *error;

    svec_parse_words(&words, text);
    svec_terminate(&words);
    error = (words.n < 2
             ? xasprintf("'%s' is too short: write %s", text, kind->usage)
             : kind->add(ctx, router, words.n, (const char **) words.names));
    svec_destroy(&words);
    return error;
}

/* Makes the rules of one kind those of 'line', or none if that is NULL.  Rows
 * whose canonical text is a line of it stay as they are. */
static char * OVS_WARN_UNUSED_RESULT
import_children(struct ctl_context *ctx, const struct xf_child_kind *kind,
                xf_row *router, const struct xf_file_section *section,
                const struct xf_file_line *line)
{
    struct sset rules = SSET_INITIALIZER(&rules);
    struct svec texts = SVEC_EMPTY_INITIALIZER;
    char *copy = xstrdup(line ? line->text : "");
    char *rest = copy;
    char *error = NULL;

    for (char *s = strsep(&rest, "\n"); s; s = strsep(&rest, "\n")) {
        svec_add(&texts, s);
        if (s[0]) {
            sset_add(&rules, s);
        }
    }
    xf_children_retain(kind, router, &rules);
    for (size_t i = 0; i < texts.n && !error; i++) {
        if (sset_contains(&rules, texts.names[i])) {
            struct xf_file_line at = *line;

            at.number = line->numbers[i];
            error = locate(section, &at, import_child(
                ctx, kind, CONTAINER_OF(router, struct xfrec_router, header_),
                texts.names[i]));
        }
    }
    sset_destroy(&rules);
    svec_destroy(&texts);
    free(copy);
    return error;
}

static const struct xf_file_line *
find_line(const struct xf_file_section *section, const char *key)
{
    for (size_t i = 0; i < section->n_lines; i++) {
        if (!strcmp(section->lines[i].key, key)) {
            return &section->lines[i];
        }
    }
    return NULL;
}

/* Interfaces and rules of a router. */
static char * OVS_WARN_UNUSED_RESULT
import_router_parts(struct ctl_context *ctx, xf_row *row,
                    const struct xf_file_section *section)
{
    char *error = NULL;

    for (size_t i = 0; i < section->n_lines && !error; i++) {
        const struct xf_file_line *line = &section->lines[i];
        const char *name;

        if (is_interface_key(line->key, &name)) {
            error = locate(section, line,
                           import_interface(ctx, section->name, name,
                                            line->text));
        }
    }
    if (!error) {
        error = locate(section, NULL, remove_interfaces(ctx, row, section));
    }
    for (size_t i = 0; i < xf_n_child_kinds && !error; i++) {
        const struct xf_file_line *line
            = find_line(section, xf_child_kinds[i].name);

        error = import_children(ctx, &xf_child_kinds[i], row, section, line);
    }
    return error;
}

/* ---- Sections. ---- */

/* "ends = A B" */
static char * OVS_WARN_UNUSED_RESULT
import_ends(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
            const char *text)
{
    struct svec words = SVEC_EMPTY_INITIALIZER;
    char *error = NULL;

    svec_parse_words(&words, text);
    if (words.n != 2) {
        error = xasprintf("'%s' isn't two ends: write END1 END2", text);
    }
    for (size_t i = 0; i < 2 && !error; i++) {
        error = xf_key_set(ctx, kind, row, &kind->keys[i], words.names[i]);
    }
    svec_destroy(&words);
    return error;
}

/* Whether a section of 'kind' may have 'line'; does what it says, unless that is
 * done later. */
static char * OVS_WARN_UNUSED_RESULT
import_line(struct ctl_context *ctx, const struct xf_kind *kind, xf_row *row,
            const struct xf_file_line *line)
{
    const struct xf_field *key = xf_key_find(kind, line->key);
    bool router = kind->table == &xfrec_table_router;
    const char *name;

    if (key) {
        const char *text = line->text + (line->text[0] == '\n');

        return xf_key_set(ctx, kind, row, key, text);
    } else if (kind->n_positional && !strcmp(line->key, "ends")) {
        return import_ends(ctx, kind, row, line->text);
    } else if (router && (is_interface_key(line->key, &name)
                          || xf_child_kind_find(line->key))) {
        return NULL;
    }

    char *names = xf_keys_names(kind);
    char *error = xasprintf("unknown key: use %s%s", names,
                            router ? ", ethN, 'if NAME', rule, filter, flow, "
                            "select or neigh"
                            : kind->n_positional ? ", or ends" : "");
    free(names);
    return error;
}

static bool
is_given(const struct xf_kind *kind, const struct xf_field *key,
         const struct xf_file_section *section)
{
    for (size_t i = 0; i < section->n_lines; i++) {
        if (xf_key_find(kind, section->lines[i].key) == key) {
            return true;
        }
    }
    return (key < kind->keys + kind->n_positional
            && find_line(section, "ends"));
}

/* Gives keys that the section doesn't have their initial value. */
static char * OVS_WARN_UNUSED_RESULT
import_initial(struct ctl_context *ctx, const struct xf_kind *kind,
               xf_row *row, const struct xf_file_section *section)
{
    for (size_t i = 0; i < kind->n_keys; i++) {
        const struct xf_field *key = &kind->keys[i];

        if (is_given(kind, key, section)) {
            continue;
        } else if (!key->initial) {
            return xasprintf("%s is missing: add '%s = ...'", key->name,
                             i < kind->n_positional ? "ends" : key->name);
        }

        char *error = xf_key_set(ctx, kind, row, key, key->initial);
        if (error) {
            return error;
        }
    }
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
import_section(struct ctl_context *ctx, const struct xf_kind *kind,
               const struct xf_file_section *section)
{
    xf_row *row = NULL;
    char *error = xf_object_find(ctx, kind, section->name, &row);

    if (!error && !row) {
        error = xf_object_create(ctx, kind, section->name, &row);
    }
    if (!error) {
        error = import_initial(ctx, kind, row, section);
    }
    error = locate(section, NULL, error);
    for (size_t i = 0; i < section->n_lines && !error; i++) {
        error = locate(section, &section->lines[i],
                       import_line(ctx, kind, row, &section->lines[i]));
    }
    if (!error && kind->table == &xfrec_table_router) {
        error = import_router_parts(ctx, row, section);
    }
    return error;
}

/* What sections may not be beside each other, once all are there. */
static char * OVS_WARN_UNUSED_RESULT
check_section(struct ctl_context *ctx, const struct xf_kind *kind,
              const struct xf_file_section *section)
{
    const struct xf_kind *if_kind = xf_kind_find("if");
    xf_row *row;
    char *error = xf_object_get(ctx, kind, section->name, &row);

    error = locate(section, NULL,
                   error ? error : xf_check_object(ctx, kind, row));
    for (size_t i = 0; i < section->n_lines && !error
         && kind->table == &xfrec_table_router; i++) {
        const struct xf_file_line *line = &section->lines[i];
        const char *name;

        if (is_interface_key(line->key, &name)) {
            char *full = xasprintf("%s:%s", section->name, name);

            error = xf_object_get(ctx, if_kind, full, &row);
            error = error ? error : xf_check_object(ctx, if_kind, row);
            error = locate(section, line, error);
            free(full);
        }
    }
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
import_file(struct ctl_context *ctx, const struct xf_file *file)
{
    char *error = NULL;

    for (size_t i = 0; i < file->n_sections && !error; i++) {
        const struct xf_file_section *section = &file->sections[i];
        const struct xf_kind *kind = xf_kind_find(section->kind);

        if (!kind || kind->table == &xfrec_table_interface) {
            error = xasprintf("line %d: [%s %s]: '%s' is no kind of section: "
                              "use host, trunk, net, segment, edge, router or "
                              "link", section->number, section->kind,
                              section->name, section->kind);
        }
    }
    for (int check = 0; check < 2; check++) {
        for (size_t k = 0; k < xf_n_kinds; k++) {
            for (size_t i = 0; i < file->n_sections && !error; i++) {
                const struct xf_file_section *section = &file->sections[i];

                if (xf_kind_find(section->kind) == &xf_kinds[k]) {
                    error = (check
                             ? check_section(ctx, &xf_kinds[k], section)
                             : import_section(ctx, &xf_kinds[k], section));
                }
            }
        }
    }
    return error;
}

static char * OVS_WARN_UNUSED_RESULT
read_all(const char *name, struct ds *ds)
{
    FILE *stream = strcmp(name, "-") ? fopen(name, "rb") : stdin;
    char buffer[65536];
    size_t n;

    if (!stream) {
        return xasprintf("can't read it (%s)", ovs_strerror(errno));
    }
    while ((n = fread(buffer, 1, sizeof buffer, stream)) > 0) {
        ds_put_buffer(ds, buffer, n);
    }

    char *error = ferror(stream)
        ? xasprintf("can't read it (%s)", ovs_strerror(errno)) : NULL;
    if (stream != stdin) {
        fclose(stream);
    }
    return error;
}

void
xf_cmd_import(struct ctl_context *ctx)
{
    /* Standard input can be read only once, transactions be tried again. */
    static struct ds input = DS_EMPTY_INITIALIZER;
    const char *name = ctx->argv[1];
    bool is_input = !strcmp(name, "-");
    struct ds text = DS_EMPTY_INITIALIZER;
    struct xf_file file = { .headings = SHASH_INITIALIZER(&file.headings) };
    char *error = NULL;

    if (is_input && input.length) {
        ds_put_buffer(&text, input.string, input.length);
    } else {
        error = read_all(name, &text);
        if (is_input) {
            ds_put_buffer(&input, ds_cstr(&text), text.length);
        }
    }
    error = error ? error : xf_file_parse(ds_cstr(&text), text.length, &file);
    error = error ? error : import_file(ctx, &file);
    xf_file_destroy(&file);
    ds_destroy(&text);
    if (error) {
        size_t n = strlen(error);
        int head = n > SENTENCE_MAX ? SENTENCE_MAX / 2 : n;

        /* A word of the file may be as long as the file. */
        ctx->error = xasprintf("%s: %.*s%s%s",
                               is_input ? "standard input" : name, head, error,
                               head < n ? " ... " : "",
                               head < n ? &error[n - head] : "");
        free(error);
    }
}
