#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py [--table FILE] [--note] [-j N] [NAME...]: break the engine on purpose, one way at a time, and see which test notices. Works on
copies of the tree below build-mutants/, which are kept, so that the next run builds only what has changed; prints a table and ends
with `N caught, N survived`. A mutant is a row of tests/mutants.tsv: name, file, the text to be replaced (it must occur exactly once;
\\n and \\t stand for the end of a line and a tab), the replacement, who caught it last and is asked first, what it breaks. --note
writes down who caught it now, after each row, so that nothing is lost when a run is ended."""
import argparse
import csv
import fcntl
import os
import queue
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREES = ROOT / 'build-mutants'
SEEDS = 400
SIM, MODEL = f'lastack sim, {SEEDS} seeds', 'model check'
FORMAT = {'delimiter': '\t', 'quoting': csv.QUOTE_NONE, 'quotechar': None, 'lineterminator': '\n'}


def run(command, cwd, timeout=600):
    env = {**os.environ, 'CCACHE_BASEDIR': str(cwd), 'LC_ALL': 'C'}
    try:
        p = subprocess.run(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return p.returncode, p.stdout.decode(errors='replace')
    except subprocess.TimeoutExpired:
        return 124, 'timed out'


def copy_tree(to):
    """Only what differs: what a file was built into stays newer than it."""
    names = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {name for name in names.splitlines() if (ROOT / name).is_file()}
    for name in wanted:
        source, copy = ROOT / name, to / name
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
    for copy in to.rglob('*'):
        name = copy.relative_to(to)
        if copy.is_file() and name.parts[0] != 'build' and str(name) not in wanted:
            copy.unlink()


def judges(tree):
    """What may catch a mutant, cheapest first: {name: (target, command)}. The parsers of hosts have nothing to say."""
    ret = {}
    for line in sorted(run(['ninja', '-C', 'build', '-t', 'targets', 'all'], tree)[1].splitlines()):
        target = line.split(':')[0]
        if re.fullmatch(r'tests/unit/(engine|sim|wire)/test_\w+', target):
            ret[Path(target).name.replace('test_engine_', '')] = target, [f'build/{target}']
    ret[SIM] = 'lastack', ['build/lastack', 'sim', '--seed', '1', '--runs', str(SEEDS)]
    ret[MODEL] = 'tests/sim/model_check', ['build/tests/sim/model_check', '--quick']
    return ret


def build(tree, targets):
    return run(['ninja', '-C', 'build', '-k', '0', '-j', '2', *targets], tree, timeout=3600)


def caught_by(tree, likely=()):
    who = judges(tree)
    likely = [name for name in likely if name in who]
    for names in [[name] for name in likely] + [[name for name in who if name not in likely]]:
        status, out = build(tree, [who[name][0] for name in names])
        if status:
            return f'does not build, bring tests/mutants.tsv up to date: {out[-300:]}'
        for name in names:
            if run(who[name][1], tree, timeout=120)[0]:
                return name
    return None


def mutate(tree, row):
    path = tree / row['file']
    text = path.read_text() if path.is_file() else ''
    old, new = (row[column].replace('\\n', '\n').replace('\\t', '\t') for column in ('text', 'replacement'))
    if text.count(old) != 1:
        return f'{row["file"]}: the text occurs {text.count(old)} times; bring tests/mutants.tsv up to date'
    path.write_text(text.replace(old, new))
    try:
        return caught_by(tree, dict.fromkeys([row['by'], path.stem]))
    finally:
        path.write_text(text)


def prepare(tree):
    """A tree of its own for each worker, built and tested unchanged. As it is optimised, the simulator is quick."""
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    status, out = 0, ''
    if not (tree / 'build/build.ninja').is_file():
        cc = 'ccache gcc' if shutil.which('ccache') else 'gcc'
        status, out = run(['env', f'CC={cc}', 'meson', 'setup', 'build', '-Dfast=false', '-Ddebug=false', '-Dwerror=false'], tree)
    by = caught_by(tree) if status == 0 else out[-2000:]
    if by:
        sys.exit(f'mutants: the unchanged tree does not pass: {by}')


def judge_all(rows, workers):
    """Yields (row, who caught it) in the order of the rows."""
    trees = queue.SimpleQueue()

    def one(row):
        tree = trees.get()
        try:
            return mutate(tree, row)
        finally:
            trees.put(tree)

    with ThreadPoolExecutor(workers) as pool:
        names = [TREES / str(i) for i in range(workers)]
        list(pool.map(prepare, names))
        for name in names:
            trees.put(name)
        yield from zip(rows, pool.map(one, rows))


def write_table(path, table):
    with open(path, 'w', newline='') as f:
        out = csv.DictWriter(f, table[0].keys(), **FORMAT)
        out.writeheader()
        out.writerows(table)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--table', type=Path, default=ROOT / 'tests/mutants.tsv')
    parser.add_argument('--note', action='store_true')
    parser.add_argument('-j', type=int, default=os.cpu_count() or 1)
    parser.add_argument('names', nargs='*')
    args = parser.parse_args()
    with open(args.table, newline='') as f:
        table = list(csv.DictReader(f, **FORMAT))
    rows = [r for r in table if not args.names or r['name'] in args.names]
    if not rows:
        sys.exit('mutants: no such mutant')
    TREES.mkdir(exist_ok=True)
    lock = open(TREES / 'lock', 'w')
    fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time
    survived = stale = 0
    for row, by in judge_all(rows, min(len(rows), args.j)):
        is_stale = bool(by and 'up to date' in by)
        stale += is_stale
        survived += by is None
        row['by'] = by if by and not is_stale else row['by']
        print(f'{row["name"]:28}{row["what"]:72}{by or "NOBODY"}', flush=True)
        if args.note:
            write_table(args.table, table)
    print(f'{len(rows) - survived - stale} caught, {survived} survived' + (f', {stale} stale' if stale else ''))
    sys.exit(bool(survived or stale))


main()
