#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tidy.py - what the compiler cannot check: who may include whom, who may call the outside world, and that every
rule has its test, its page and its experiment. `tidy.py` reads the tree; `tidy.py --nm build` the pure libraries."""
import re
import subprocess
import sys
from pathlib import Path

# folder: folders it may include from. This table is the architecture (docs/architecture.md).
MAY_INCLUDE = {
    'base': [],
    'bpf': [],
    'wire': ['base'],
    'knob': ['base'],
    'model': ['base'],
    'engine': ['base', 'wire', 'knob'],
    'sim': ['base', 'wire', 'knob', 'engine'],
    'flow': ['base', 'wire', 'model'],
    'io': ['base', 'wire'],
    'packetdrill': ['base', 'engine'],
    'script': ['base', 'wire', 'knob', 'engine', 'sim', 'io'],
    'obs': ['base', 'knob', 'model', 'bpf'],
    'diag': ['base', 'knob', 'model'],
    'plan': ['base', 'knob', 'model', 'engine', 'sim'],
    'fix': ['base', 'knob', 'model', 'obs'],
    'report': ['base', 'model', 'diag', 'plan'],
    'lab': ['base', 'wire', 'knob', 'model', 'engine', 'sim', 'io', 'script', 'obs', 'diag'],
    'cli': ['base', 'wire', 'knob', 'model', 'engine', 'sim', 'flow', 'io', 'script', 'obs', 'diag', 'plan', 'fix', 'report', 'lab'],
}
PURE = {'wire', 'engine', 'sim', 'knob', 'diag', 'model', 'plan', 'flow'}
PURE_HEADERS = set('assert errno inttypes limits math stdalign stdbool stddef stdint stdio stdlib string strings'.split())
# What a pure library may ask of the C library: memory, strings, sorting, arithmetic. No clock, no file, no socket.
PURE_SYMBOLS = set('''memcpy memmove memset memcmp memchr strcmp strcasecmp strncasecmp strncmp strlen strnlen strcpy strncpy strchr strrchr strspn strcspn
    strstr strpbrk strtoll strtoul snprintf sprintf qsort calloc free reallocarray realloc malloc ceil floor fmin fmax lround llround isinf pow sqrt
    __stack_chk_fail _GLOBAL_OFFSET_TABLE_ __isoc99_sscanf __memcpy_chk __memset_chk __snprintf_chk __sprintf_chk
    __strcpy_chk __vsnprintf_chk'''.split())
SOURCES = ('.c', '.h', '.def')
SLEEP = re.compile(r'\b(sleep|usleep|nanosleep|clock_nanosleep)\s*\(')
errors = []


def files(*folders):
    return sorted(p for d in folders for p in Path(d).rglob('*') if p.is_file())


def check_source(path):
    folder = path.parts[1] if path.parts[0] == 'src' and len(path.parts) > 2 else None
    text = path.read_text()
    if 'SPDX-License-Identifier:' not in text[:200]:
        errors.append(f'{path}: no SPDX-License-Identifier line')
    if text.count('\n') > 800:
        errors.append(f'{path}: {text.count(chr(10))} lines; 800 is the limit')
    for n, line in enumerate(text.splitlines(), 1):
        m = re.match(r'\s*#\s*include "([a-z]+)/', line)
        if folder and m and m[1] != folder and m[1] not in MAY_INCLUDE.get(folder, []):
            errors.append(f'{path}:{n}: {folder}/ may not include {m[1]}/')
        quoted = re.match(r'\s*#\s*include "([^"]+)"', line)
        kinds = 'h|def|c' if path.parts[0] == 'tests' else 'h|def'  # a test may compile a module in, to count what it does
        if quoted and not re.match(rf'(tests/|build/)?([a-z]+)/[\w/]+\.({kinds})$', quoted[1]) and path.parts[0] not in ('tools', 'bpf'):
            errors.append(f'{path}:{n}: includes are written from src/: "{quoted[1]}"')
        m = re.match(r'\s*#\s*include <([\w/]+)\.h>', line)
        if folder in PURE and m and m[1] not in PURE_HEADERS:
            errors.append(f'{path}:{n}: {folder}/ is pure and may not include <{m[1]}.h>')
        if line != line.rstrip():
            errors.append(f'{path}:{n}: trailing space')
        if re.search(r'\b(TODO|FIXME|XXX)\b', line):
            errors.append(f'{path}:{n}: unfinished: {line.strip()}')
        if folder == 'engine' and path.name != 'conn.c' and re.search(r'->state\s*=[^=]', line):
            errors.append(f'{path}:{n}: only conn_go() writes a connection state')
        if path.parts[0] == 'tests' and SLEEP.search(line):
            errors.append(f'{path}:{n}: a test waits for an event, it does not sleep')


def rows(path, macro):
    return re.findall(rf'^{macro}\((\w+)', Path(path).read_text(), re.M) if Path(path).exists() else []


def check_rules():
    """A rule, its unit tests, the experiment that provokes it and its page carry the same id."""
    rules = rows('src/diag/rules.def', 'RULE')
    if rules != sorted(rules):
        errors.append('src/diag/rules.def: not sorted')
    tests = ''.join(p.read_text() for p in files('tests/unit/diag') if p.suffix == '.c')
    experiments = rows('src/lab/experiments.def', 'EXPERIMENT')
    for rule in rules:
        if not Path(f'docs/findings/{rule}.md').exists():
            errors.append(f'docs/findings/{rule}.md: missing')
        if f'TEST({rule}_' not in tests:
            errors.append(f'tests/unit/diag: no TEST({rule}_...)')
        if rule not in experiments:
            errors.append(f'src/lab/experiments.def: no EXPERIMENT({rule}, ...)')
    causes = check_causes(tests)
    for page in Path('docs/findings').glob('*.md'):
        if page.stem not in rules + causes:
            errors.append(f'{page}: no such rule')


def check_causes(tests):
    """A cause, its unit tests and its page carry the same id; the page gives the verdict's name."""
    causes = re.findall(r'^CAUSE\((\w+), (\w+)\)', Path('src/diag/causes.def').read_text(), re.M)
    ids = [cause for cause, _ in causes]
    if ids != sorted(ids):
        errors.append('src/diag/causes.def: not sorted')
    for cause, verdict in causes:
        page = Path(f'docs/findings/{cause}.md')
        if not page.exists() or f'\nVerdict: {verdict}\n' not in page.read_text():
            errors.append(f'{page}: missing, or does not say "Verdict: {verdict}"')
        if f'TEST({cause}_' not in tests:
            errors.append(f'tests/unit/diag: no TEST({cause}_...)')
    return ids


def check_rfc(table):
    """Every label of the RFC once, each with a status; every cite resolves: FILE:NAME in src/, test names in tests/."""
    tests = ''.join(p.read_text() for p in files('tests/unit') if p.suffix in ('.c', '.h'))
    seen = []
    for n, line in enumerate(Path(table).read_text().splitlines(), 1):
        cells = line.split('\t')
        if len(cells) != 6 or not cells[3]:
            errors.append(f'{table}:{n}: label, section, requirement, status, code, test; found {len(cells)} cells')
            continue
        if n == 1:
            continue
        seen.append(cells[0])
        for cite in filter(None, cells[4].split(' ')):
            name, _, what = cite.partition(':')
            if not Path('src', name).exists() or not re.search(rf'\b{re.escape(what)}\b', Path('src', name).read_text()):
                errors.append(f'{table}:{n}: no {cite}')
        for test in filter(None, cells[5].split(' ')):
            if not re.search(rf'\b{re.escape(test)}\b', tests):
                errors.append(f'{table}:{n}: no test {test}')
        if cells[3].startswith('done') and not (cells[4] and cells[5]):
            errors.append(f'{table}:{n}: {cells[0]} is done, but code or test is not named')
        adr = re.search(r'ADR (\d+)', cells[3])
        if adr and not list(Path('docs/adr').glob(f'{int(adr[1]):04}-*.md')):
            errors.append(f'{table}:{n}: no decision {adr[1]}')
    counts = {'MUST': 69, 'SHLD': 31, 'MAY': 18, 'REC': 1}
    wanted = [f'{word}-{i}' for word, top in counts.items() for i in range(1, top + 1)]
    if sorted(seen) != sorted(wanted):
        errors.append(f'{table}: labels missing or twice: {sorted(set(wanted) ^ set(seen)) or "twice"}')


def check_tree():
    for path in files('src', 'bpf', 'tests', 'tools'):
        if path.suffix in SOURCES:
            check_source(path)
    for path in files('tests', 'tools'):
        if path.suffix == '.py' and path.name != 'tidy.py' and SLEEP.search(path.read_text()):
            errors.append(f'{path}: a test waits for an event, it does not sleep')
    check_rules()
    check_rfc('docs/rfc/9293.tsv')
    for script in ('tools/gen_docs.py',):
        if Path(script).exists():
            run = subprocess.run([sys.executable, script, '--check'], capture_output=True, text=True)
            if run.returncode:
                errors.append((run.stdout + run.stderr).strip())


def symbols(lib):
    out = subprocess.run(['nm', lib], capture_output=True, text=True, check=True).stdout
    defined = {l.split()[-1] for l in out.splitlines() if re.search(r' [TDRBVWdrbt] ', l)}
    undefined = {l.split()[-1] for l in out.splitlines() if ' U ' in l}
    return defined, undefined


def check_libraries(build):
    libs = {f: Path(build, 'src', f, f'lib{f}.a') for f in MAY_INCLUDE}
    libs = {f: p for f, p in libs.items() if p.exists()}
    defined = {f: symbols(p)[0] for f, p in libs.items()}
    for f in sorted(PURE & set(libs)):
        known = set().union(defined[f], *(defined[d] for d in MAY_INCLUDE[f] if d in defined))
        for s in sorted(symbols(libs[f])[1] - known - PURE_SYMBOLS):
            if not s.startswith(('__asan', '__ubsan', '__sanitizer')):
                errors.append(f'{libs[f]}: {f}/ is pure and may not call {s}()')
    for f in sorted(f for f in PURE if Path('src', f).is_dir() and f not in libs):
        errors.append(f'{build}: src/{f} is pure, but lib{f}.a was not built')


if len(sys.argv) == 3 and sys.argv[1] == '--nm':
    check_libraries(sys.argv[2])
elif len(sys.argv) == 1:
    check_tree()
else:
    sys.exit('usage: tidy.py [--nm BUILD]')
print('\n'.join(errors) or 'tidy', file=sys.stderr if errors else sys.stdout)
sys.exit(bool(errors))
