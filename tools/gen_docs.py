#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gen_docs.py [--check] - docs/knobs.md from src/knob/knobs.def. --check: only say whether the file is up to date."""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / 'src/knob/knobs.def'
TARGET = ROOT / 'docs/knobs.md'
COLUMNS = ('field', 'name', 'word', 'unit', 'min', 'max', 'default', 'scope', 'since', 'until', 'safe_min', 'safe_max',
           'help', 'danger')
TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|KV\(\s*\d+\s*,\s*\d+\s*\)|[^,()"\s]+|[,()])')
UNITS = {'NONE': '', 'BOOL': '0/1', 'MS': 'ms', 'S': 's', 'COUNT': '', 'PORT': 'port'}
WORDS = {'BOOT': 'by memory, at boot', 'ANY': '', 'INT32_MAX': '2147483647', 'INT32_MIN': '-2147483648',
         'INT32_MAX/1000': '2147483', 'N_POLICIES-1': '3', 'N_TW_FULL-1': '2', 'POLICY_LINUX_6_18': 'linux-6.18',
         'TW_FULL_RECYCLE_OLDEST': 'recycle-oldest', 'N_CONGESTIONS-1': '1', 'CONGESTION_CUBIC': 'cubic'}

HEAD = """# Knobs

Made by `tools/gen_docs.py` from `src/knob/knobs.def`; do not edit. `lastack knobs` prints the same rows with this host's values.

- **scope**: `netns` each network namespace has its own value, `global` the machine has one, `const` compiled into the kernel.
- **since**, **until**: the first Linux release that has it, the first that has it no more.
- A value outside **safe** is reported as dangerous, for the reason given in the last column.
- A sysctl with several numbers (`ip_local_port_range`, `tcp_rmem`) has one row for each.

| knob | unit | default | range | scope | since | until | what it does | safe | why outside is dangerous |
|---|---|---|---|---|---|---|---|---|---|
"""

ENGINE = """
## Of the engine

Knobs of lastack's own TCP (`la_knob_set()`, and lines of a sysctl.conf that it loads). They are never read from a host or written to one.
The sysctls above that are no matter of connection tracking have the same meaning there. `engine.policy` is done first, whatever the order.

| knob | unit | default | range | what it does | safe | why outside is dangerous |
|---|---|---|---|---|---|---|
"""


def without_comments(text):
    return re.sub(r'/\*.*?\*/', ' ', text, flags=re.S)


def arguments(text, at):
    """The arguments of the call whose '(' stands at `at`, and where it ends."""
    args, depth, current = [], 0, []
    while True:
        match = TOKEN.match(text, at)
        if not match:
            sys.exit(f'{SOURCE}: cannot read: {text[at:at + 60]!r}')
        token, at = match.group(1), match.end()
        if token == '(':
            depth += 1
        elif token == ')':
            depth -= 1
        if token == ')' and depth == 0:
            return args + [' '.join(current)], at
        if token == ',' and depth == 1:
            args.append(' '.join(current))
            current = []
        elif not (token == '(' and depth == 1):
            current.append(token)


def string(argument):
    """Adjacent literals joined, as the compiler does."""
    return ''.join(re.sub(r'\\(.)', r'\1', part) for part in re.findall(r'"((?:[^"\\]|\\.)*)"', argument))


def knobs(text):
    rows = []
    for call in re.finditer(r'\bKNOB(?=\()', text):
        args, _ = arguments(text, call.end())
        if len(args) != len(COLUMNS):
            sys.exit(f'{SOURCE}: {args[0]}: {len(args)} columns, not {len(COLUMNS)}')
        row = dict(zip(COLUMNS, args))
        for column in ('name', 'help', 'danger'):
            row[column] = string(row[column])
        rows.append(row)
    return rows


def value(text):
    return WORDS.get(text.replace(' ', ''), text)


def version(text):
    major, minor = re.findall(r'\d+', text)
    return '' if (major, minor) == ('0', '0') else f'{major}.{minor}'


def safe(row):
    low, high = row['safe_min'], row['safe_max']
    if low == high == 'ANY':
        return 'any'
    if low == high:
        return value(low)
    if high == 'ANY':
        return 'the boot value or more' if low == 'BOOT' else f'{value(low)} or more'
    if low == 'ANY':
        return f'{value(high)} or less'
    return f'{value(low)} to {value(high)}'


def line(row):
    words = f' (word {int(row["word"]) + 1})' if row['name'].endswith('range') else ''
    cells = (f'`{row["name"]}`{words}', UNITS[row['unit']], value(row['default']),
             f'{value(row["min"])} to {value(row["max"])}', row['scope'].lower(), version(row['since']),
             version(row['until']), row['help'], safe(row), row['danger'])
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |\n'


def engine_line(row):
    cells = (f'`{row["name"]}`', UNITS[row['unit']], value(row['default']), f'{value(row["min"])} to {value(row["max"])}',
             row['help'], safe(row), row['danger'])
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |\n'


def main():
    rows = knobs(without_comments(SOURCE.read_text()))
    if not rows:
        sys.exit(f'{SOURCE}: no knobs found')
    text = HEAD + ''.join(line(row) for row in rows if row['scope'] != 'ENGINE')
    text += ENGINE + ''.join(engine_line(row) for row in rows if row['scope'] == 'ENGINE')
    if sys.argv[1:] == ['--check']:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit('docs/knobs.md is not what tools/gen_docs.py makes of src/knob/knobs.def: run it and commit')
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    TARGET.write_text(text)


main()
