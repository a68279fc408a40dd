# Copyright (c) 2026 The XenFlow Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at:
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""INI files: sections of keys with texts, and where each stands.

parse() takes bytes of any kind and returns a File, or raises IniError: nothing
else, whatever the bytes are.  ';' and '#' begin a comment, ';' after a space
also behind something.  A line that is indented goes on with the text of the
line before it.

Shape: at most MAX_BYTES.  Keys are in small letters, each once per section;
sections have one heading each.
"""

import re

MAX_BYTES = 1 << 20
HEADING_RE = re.compile(r"\[([^][]*)\]$")


class IniError(Exception):
    """A sentence that names the line."""


class File:
    """The sections of a file, in its order."""

    def __init__(self):
        self.sections = {}      # {name: {key: text}}
        self.lines = {}         # {name or (name, key): number of the line}

    def get(self, section, key, fallback=None):
        return self.sections.get(section, {}).get(key, fallback)

    def locate(self, section, key=None):
        """Line of 'key' in 'section', or else of the heading; or None."""
        return self.lines.get((section, key), self.lines.get(section))


def _decode(data):
    if len(data) > MAX_BYTES:
        raise IniError("it has more than %d bytes" % MAX_BYTES)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise IniError("line %d: byte 0x%02x isn't UTF-8" % (
            data.count(b"\n", 0, e.start) + 1, data[e.start])) from None
    for number, line in enumerate(text.split("\n"), 1):
        bad = re.search("[\x00-\x08\x0b-\x1f\x7f]", line.rstrip("\r"))
        if bad:
            raise IniError("line %d: character 0x%02x isn't allowed"
                           % (number, ord(bad.group())))
    return text


def _strip(line):
    """'line' without comment and without space at its end."""
    if line.lstrip()[:1] in (";", "#"):
        return ""
    return re.sub(r"\s;.*", "", line).rstrip()


def parse(data):
    """The File of 'data' (bytes)."""
    result = File()
    section = key = None
    for number, raw in enumerate(_decode(data).split("\n"), 1):
        line = _strip(raw)
        if not line:
            continue
        if line[0].isspace() and key is not None:
            result.sections[section][key] += "\n" + line.strip()
            continue
        heading = HEADING_RE.match(line.strip())
        if heading:
            section, key = heading.group(1), None
            if section in result.sections:
                raise IniError("line %d: a second [%s], after that of line %d"
                               % (number, section, result.lines[section]))
            result.sections[section] = {}
            result.lines[section] = number
            continue
        key, equals, text = line.partition("=")
        key = key.strip().lower()
        if not equals or not key or section is None:
            raise IniError("line %d: '%s' is neither [KIND NAME] nor KEY = "
                           "TEXT in a section" % (number, line.strip()[:60]))
        if key in result.sections[section]:
            raise IniError("line %d: a second '%s' in [%s], after that of "
                           "line %d" % (number, key, section,
                                        result.lines[section, key]))
        result.sections[section][key] = text.strip()
        result.lines[section, key] = number
    return result
