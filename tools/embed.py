#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embed.py OUT.c PAGE.md... - the pages of docs/findings as C text, for src/report/pages.h."""
import re
import sys
from pathlib import Path

TITLE = re.compile(r'# ([A-Z]+[0-9]{3}): \S')


def fail(path, what):
    sys.exit(f'embed.py: {path}: {what}')


def literal(line):
    """One C string literal; the pages are ASCII, so that every terminal can show them."""
    return '"' + line.replace('\\', '\\\\').replace('"', '\\"').replace('?', '\\?') + '\\n"'


def page(path):
    text = path.read_bytes().decode('ascii', errors='replace')
    for number, line in enumerate(text.splitlines(), 1):
        if not all(' ' <= c <= '~' for c in line):
            fail(path, f'line {number} holds something else than printable ASCII')
    title = TITLE.match(text)
    if not title:
        fail(path, 'the first line is not "# ID: title"')
    if title.group(1) != path.stem:
        fail(path, f'the first line speaks of {title.group(1)}')
    lines = '\n\t '.join(literal(line) for line in text.splitlines())
    return f'\t{{"{path.stem}",\n\t {lines}}},\n'


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    paths = sorted((Path(p) for p in sys.argv[2:]), key=lambda p: p.stem)
    rows = ''.join(page(p) for p in paths)
    Path(sys.argv[1]).write_text(
        '/* SPDX-License-Identifier: MIT */\n/* Made by tools/embed.py from docs/findings. */\n'
        '#include "report/pages.h"\n\n'
        # a page is longer than the strings that ISO C asks every compiler to accept
        '#pragma GCC diagnostic ignored "-Woverlength-strings"\n\n'
        f'const struct page pages[] = {{\n{rows}}};\n'
        'const size_t n_pages = sizeof(pages) / sizeof(pages[0]);\n')


main()
