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

#include <ctype.h>

#include "util.h"

/* Network files: sections of keys with texts, in the notation of xenflow-lab's
 * topology files.
 *
 *   [KIND NAME]
 *   key = text         ; a comment
 *   key =
 *       a line of the text
 *       another one
 *
 * Lines whose first character is ';' or '#' are comments.  Keys stand once per
 * section, sections once per file. */

#define FILE_BYTES_MAX (64 * 1024 * 1024)
#define QUOTED_MAX 60           /* Characters of a line that are quoted. */

static struct xf_file_section *
add_section(struct xf_file *file)
{
    if (!(file->n_sections & (file->n_sections + 1))) {
        file->sections = xrealloc(file->sections, 2 * (file->n_sections + 1)
                                  * sizeof *file->sections);
    }

    struct xf_file_section *section = &file->sections[file->n_sections++];
    memset(section, 0, sizeof *section);
    return section;
}

static char * OVS_WARN_UNUSED_RESULT
parse_heading(struct xf_file *file, char *line, int number)
{
    char *end = line + strlen(line) - 1;
    char *save = NULL;

    if (*end != ']') {
        return xasprintf("line %d: '%.*s' has no ']' at its end", number,
                         QUOTED_MAX, line);
    }
    *end = '\0';

    char *kind = strtok_r(line + 1, " \t", &save);
    char *name = strtok_r(NULL, " \t", &save);
    char *rest = strtok_r(NULL, " \t", &save);
    if (!kind || !name || rest) {
        return xasprintf("line %d: a heading is [KIND NAME], with one space",
                         number);
    }

    char *heading = xasprintf("%s %s", kind, name);
    const void *first = shash_find_data(&file->headings, heading);
    char *error = (first ? xasprintf("line %d: a second [%s], after that of "
                                     "line %"PRIdPTR, number, heading,
                                     (intptr_t) first)
                   : NULL);
    shash_add_once(&file->headings, heading, (void *) (intptr_t) number);
    free(heading);
    if (error) {
        return error;
    }

    struct xf_file_section *section = add_section(file);
    section->kind = xstrdup(kind);
    section->name = xstrdup(name);
    section->number = number;
    return NULL;
}

/* Takes spaces off both ends. */
static char *
strip(char *s)
{
    char *end;

    s += strspn(s, " \t");
    end = s + strlen(s);
    while (end > s && isspace((unsigned char) end[-1])) {
        *--end = '\0';
    }
    return s;
}

static char * OVS_WARN_UNUSED_RESULT
parse_key(struct xf_file *file, char *line, int number)
{
    struct xf_file_section *section
        = file->n_sections ? &file->sections[file->n_sections - 1] : NULL;
    char *eq = strchr(line, '=');

    if (!eq || eq == line || !section) {
        return xasprintf("line %d: '%.*s' is neither [KIND NAME] nor KEY = "
                         "TEXT in a section", number, QUOTED_MAX, line);
    }
    *eq = '\0';

    const char *key = strip(line);
    for (size_t i = 0; i < section->n_lines; i++) {
        if (!strcmp(section->lines[i].key, key)) {
            return xasprintf("line %d: a second '%s' in [%s %s], after that of "
                             "line %d", number, key, section->kind,
                             section->name, section->lines[i].number);
        }
    }

    const char *text = strip(eq + 1);
    section->lines = xrealloc(section->lines, (section->n_lines + 1)
                              * sizeof *section->lines);
    section->lines[section->n_lines++] = (struct xf_file_line) {
        .key = xstrdup(key),
        .text = xstrdup(text),
        .length = strlen(text),
        .number = number,
        .numbers = xmemdup(&number, sizeof number),
        .n_numbers = 1,
    };
    return NULL;
}

/* Adds an indented line to the text before it. */
static char * OVS_WARN_UNUSED_RESULT
parse_continuation(struct xf_file *file, char *line, int number)
{
    struct xf_file_section *section
        = file->n_sections ? &file->sections[file->n_sections - 1] : NULL;

    if (!section || !section->n_lines) {
        return xasprintf("line %d: '%.*s' is indented, but nothing stands "
                         "before it that it could go on with", number,
                         QUOTED_MAX, strip(line));
    }

    struct xf_file_line *last = &section->lines[section->n_lines - 1];
    size_t n = strlen(strip(line));
    last->text = xrealloc(last->text, last->length + n + 2);
    last->text[last->length++] = '\n';
    memcpy(&last->text[last->length], strip(line), n + 1);
    last->length += n;
    last->numbers = xrealloc(last->numbers, (last->n_numbers + 1)
                             * sizeof *last->numbers);
    last->numbers[last->n_numbers++] = number;
    return NULL;
}

static char * OVS_WARN_UNUSED_RESULT
parse_line(struct xf_file *file, char *line, int number)
{
    char *p;

    for (p = line; *p; p++) {
        unsigned char c = *p;

        if ((c < ' ' && c != '\t' && c != '\r') || c == 127) {
            return xasprintf("line %d: character 0x%02x isn't allowed",
                             number, c);
        }
        if (c == ';' && (p == line || p[-1] == ' ' || p[-1] == '\t')) {
            *p = '\0';
            break;
        }
    }

    bool indented = line[0] == ' ' || line[0] == '\t';
    char *text = strip(line);
    if (!text[0] || text[0] == '#') {
        return NULL;
    } else if (indented) {
        return parse_continuation(file, text, number);
    } else if (text[0] == '[') {
        return parse_heading(file, text, number);
    } else {
        return parse_key(file, text, number);
    }
}

/* Parses 'length' bytes of 'text', whatever they are. */
char *
xf_file_parse(const char *text, size_t length, struct xf_file *file)
{
    const char *p = text, *end = text + length;
    char *error = NULL;

    *file = (struct xf_file) {
        .headings = SHASH_INITIALIZER(&file->headings)
    };
    if (length > FILE_BYTES_MAX) {
        return xasprintf("it has more than %d bytes", FILE_BYTES_MAX);
    }
    for (int number = 1; p < end && !error; number++) {
        const char *newline = memchr(p, '\n', end - p);
        size_t n = (newline ? newline : end) - p;

        if (memchr(p, '\0', n)) {
            error = xasprintf("line %d: character 0x00 isn't allowed", number);
        } else {
            char *line = xmemdup0(p, n);

            error = parse_line(file, line, number);
            free(line);
        }
        p += n + 1;
    }
    return error;
}

void
xf_file_destroy(struct xf_file *file)
{
    for (size_t i = 0; i < file->n_sections; i++) {
        struct xf_file_section *section = &file->sections[i];

        for (size_t j = 0; j < section->n_lines; j++) {
            free(CONST_CAST(char *, section->lines[j].key));
            free(section->lines[j].text);
            free(section->lines[j].numbers);
        }
        free(section->lines);
        free(section->kind);
        free(section->name);
    }
    free(file->sections);
    shash_destroy(&file->headings);
}
