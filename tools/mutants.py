#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py [NAME...]: break the engine on purpose, one way at a time, and see which test notices. Works on a copy of
the tree; prints a table and ends with `N caught, N survived`. A mutant is a row of tests/mutants.tsv: name, file,
the text to be replaced (it must occur exactly once), the replacement, what that breaks."""
import csv
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = 400


def run(command, cwd, timeout=600):
    try:
        p = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
        return p.returncode, p.stdout.decode(errors='replace')
    except subprocess.TimeoutExpired:
        return 124, 'timed out'


def copy_tree(to):
    names = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def judges(tree):
    """What may catch a mutant, cheapest first: (name, command)."""
    tests = sorted(p for p in (tree / 'build/tests/unit').glob('*/test_*') if p.is_file() and p.parent.name in ('engine', 'sim', 'wire'))  # the parsers of hosts have nothing to say
    for test in tests:
        yield test.name.replace('test_engine_', ''), [str(test)]
    yield f'lastack sim, {SEEDS} seeds', ['build/lastack', 'sim', '--seed', '1', '--runs', str(SEEDS)]
    yield 'model check', ['build/tests/sim/model_check', '--quick']


def build(tree):
    """Only what judges() runs; as it is optimised anyway, so that the simulator is quick."""
    targets = [t for t in run(['ninja', '-C', 'build', '-t', 'targets', 'all'], tree)[1].splitlines()
               if re.match(r'(tests/unit/(engine|sim|wire)/test_\w+|lastack|tests/sim/model_check): ', t)]
    return run(['ninja', '-C', 'build', '-k', '0', '-j', '2', *(t.split(':')[0] for t in targets)], tree)


def caught_by(tree):
    status, out = build(tree)
    if status:
        return f'does not build, bring tests/mutants.tsv up to date: {out[-300:]}'
    for name, command in judges(tree):
        if run(command, tree, timeout=120)[0]:
            return name
    return None


def mutate(tree, row):
    path = tree / row['file']
    text = path.read_text()
    if text.count(row['text']) != 1:
        return f'{row["file"]}: the text occurs {text.count(row["text"])} times; bring tests/mutants.tsv up to date'
    path.write_text(text.replace(row['text'], row['replacement']))
    try:
        return caught_by(tree)
    finally:
        path.write_text(text)


def prepare(tree):
    """A tree of its own for each worker, built and tested unchanged."""
    copy_tree(tree)
    status, out = run(['meson', 'setup', 'build', '-Dfast=false', '-Ddebug=false', '-Dwerror=false'], tree)
    by = caught_by(tree) if status == 0 else out[-2000:]
    if by:
        sys.exit(f'mutants: the unchanged tree does not pass: {by}')


def main():
    with open(ROOT / 'tests/mutants.tsv', newline='') as f:
        rows = [r for r in csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE) if not sys.argv[1:] or r['name'] in sys.argv[1:]]
    if not rows:
        sys.exit('mutants: no such mutant')
    workers = min(len(rows), os.cpu_count() or 1)
    survived = stale = 0
    with tempfile.TemporaryDirectory(prefix='mutants-') as d, ThreadPoolExecutor(workers) as pool:
        trees = queue.SimpleQueue()
        for i in range(workers):
            trees.put(Path(d, str(i)))
        list(pool.map(lambda i: prepare(Path(d, str(i))), range(workers)))

        def one(row):
            tree = trees.get()
            try:
                return mutate(tree, row)
            finally:
                trees.put(tree)

        for row, by in zip(rows, pool.map(one, rows)):
            stale += bool(by and 'up to date' in by)
            survived += by is None
            print(f'{row["name"]:28}{row["what"]:72}{by or "NOBODY"}', flush=True)
    print(f'{len(rows) - survived - stale} caught, {survived} survived' + (f', {stale} stale' if stale else ''))
    sys.exit(bool(survived or stale))


main()
