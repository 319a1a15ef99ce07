#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py - every test, in one go: sets up, reads the tree, builds with gcc, tests, provokes every finding on the
real kernel, then builds with clang and the sanitizers and tests again. Most tests wait: that second build, and clang-tidy
after it, take what processor time they leave. Ends with `N passed, N failed, N skipped`.
What cannot run here (no root, a tool missing) is counted as skipped and says why."""
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.chdir(Path(__file__).resolve().parent.parent)
BUILD, ASAN = 'build', 'build-asan'
FUZZ_SECONDS = 20
SEEDS, SEEDS_SANITIZED = 20000, 200
total = {'passed': 0, 'failed': 0, 'skipped': 0}
started = time.monotonic()


def count(what, passed=0, failed=0, skipped=0, why=''):
    total['passed'] += passed
    total['failed'] += failed
    total['skipped'] += skipped
    counts = ', '.join(f'{n} {word}' for n, word in ((passed, 'passed'), (failed, 'failed'), (skipped, 'skipped')) if n)
    print(f'{time.monotonic() - started:5.0f} s  {what}: {counts or "nothing ran"}{" (" + why + ")" if why else ""}', flush=True)


def run(*command, env=None, timeout=1200):
    """The command's exit status and everything it printed."""
    try:
        p = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           env={**os.environ, **(env or {})}, timeout=timeout)
        return p.returncode, p.stdout.decode(errors='replace')
    except subprocess.TimeoutExpired as e:
        return 124, (e.stdout or b'').decode(errors='replace') + f'\ntimed out after {timeout} s\n'


def one(what, *command, needs=None, env=None):
    """A check that is one test."""
    if needs and not shutil.which(needs):
        return count(what, skipped=1, why=f'{needs} is not installed')
    status, out = run(*command, env=env)
    if status == 77:
        return count(what, skipped=1, why=out.strip()[-200:])
    if status:
        print(out[-6000:])
    count(what, passed=int(not status), failed=int(bool(status)))


def tracked(*suffixes):
    """Files git knows or would take; in an unpacked archive without git, all of them."""
    status, out = run('git', 'ls-files', '-co', '--exclude-standard')
    names = out.splitlines() if status == 0 else [str(p) for p in Path('.').rglob('*') if p.is_file()]
    return sorted(n for n in names if n.endswith(suffixes) and not n.startswith('build') and Path(n).exists())


def meson_tests(what, build, *args, env=None):
    log = Path(build, 'meson-logs', 'testlog.json')
    log.unlink(missing_ok=True)
    status, out = run('meson', 'test', '-C', build, '--no-rebuild', *args, env=env)
    passed = failed = skipped = 0
    reasons = set()
    for line in log.read_text().splitlines() if log.exists() else []:
        test = json.loads(line)
        tap = re.findall(r'^(not ok|ok) \d+(.*)$', test.get('stdout') or '', re.M)
        if tap and test['result'] in ('OK', 'FAIL'):
            skips = sum('# SKIP' in rest for _, rest in tap)
            bad = sum(word == 'not ok' and '# SKIP' not in rest for word, rest in tap)
            skipped += skips
            failed += bad
            passed += len(tap) - skips - bad
            # cmocka 1.1.5 says "not ok # SKIP", which meson takes for a failure; its exit status tells the truth.
            if test['result'] == 'FAIL' and not bad and test.get('returncode'):
                failed += 1
        elif test['result'] == 'OK':
            passed += 1
        elif test['result'] == 'SKIP':
            skipped += 1
            reasons.add((test.get('stdout') or test.get('stderr') or '').strip()[-100:])
        else:
            failed += 1
        if test['result'] not in ('OK', 'SKIP') and (test.get('returncode') or not tap):
            print(f'--- {test["name"]}: {test["result"]}\n{(test.get("stdout") or "")[-5000:]}\n{(test.get("stderr") or "")[-3000:]}')
    if not passed + failed + skipped or (status and not failed and not skipped):
        print(out[-3000:])
        failed += 1
    count(what, passed, failed, skipped, '; '.join(sorted(reasons)))


def lab():
    if os.geteuid() != 0:
        status, out = run(f'{BUILD}/lastack', 'lab', 'list')
        return count('experiments on this kernel', skipped=max(1, out.count('\n')), why='making network namespaces needs root')
    status, out = run(f'{BUILD}/lastack', 'lab', 'run', 'all', timeout=420)
    m = re.search(r'^(\d+) passed, (\d+) failed, (\d+) skipped$', out, re.M)
    if status or not m:
        print(out[-8000:])
    if not m:
        return count('experiments on this kernel', failed=1, why=f'exit status {status}')
    passed, failed, skipped = map(int, m.groups())
    count('experiments on this kernel', passed, failed or int(status not in (0, 77)), skipped)


def interop():
    """The engine against this kernel, curl and nginx; each part is a test."""
    status, out = run(f'{BUILD}/lastack', 'interop', '--json', timeout=400)
    try:
        doc = json.loads(out)
    except ValueError:
        print(out[-4000:])
        return count('the engine with this kernel, curl and nginx', failed=1, why=f'exit status {status}')
    bad = [f'{p["part"]}: {p["text"]}' for p in doc['parts'] if p['result'] != 'pass']
    count('the engine with this kernel, curl and nginx', doc['passed'], doc['failed'], doc['skipped'], '; '.join(bad))


def simulation(build, seeds, env=None, all_edges=False):
    """Each seed is a run of virtual hosts on a bad network; all of them count as one test, and that every change of
    state in edges.def happened in them as another."""
    status, out = run(f'{build}/lastack', 'sim', '--seed', '1', '--runs', str(seeds), '--json', env=env)
    if status:
        print(out[-6000:])
    count(f'simulation, {seeds} seeds ({build})', passed=int(not status), failed=int(bool(status)))
    if all_edges and not status:
        never = [name for name, n in json.loads(out)['edges'].items() if not n]
        count('every edge of edges.def in that simulation', passed=int(not never), failed=int(bool(never)), why=' '.join(never))


class Aside:
    """The build with clang, and clang-tidy, beside the tests. They say nothing before their turn."""

    def __init__(self):
        self.threads = []
        self.pool = ThreadPoolExecutor(os.cpu_count() or 1, initializer=self.idle)
        self.build, self.lints = None, []
        if not shutil.which('clang'):
            return
        self.build = self.pool.submit(run, 'tools/build.sh', ASAN, '-Db_sanitize=address,undefined', '-Db_lundef=false', '-Dfuzz=true',
                                      '-Doptimization=1', env={'CC': 'clang'})
        if shutil.which('clang-tidy'):
            self.lints = [self.pool.submit(self.lint, s) for s in tracked('.c') if s.startswith(('src/', 'tests/unit/'))]

    def idle(self):
        """What this thread starts runs only where a processor would be idle: what is tested is as quick as if nothing else ran."""
        self.threads.append(threading.get_native_id())
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except OSError:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)

    def lint(self, source):
        self.build.result()  # it makes headers
        return run('clang-tidy', '--quiet', '-p', ASAN, source)

    def built(self):
        if not self.build:
            count('address and undefined-behaviour sanitizers', skipped=1, why='clang is not installed')
            return False
        status, out = self.build.result()
        if status:
            print(out[-6000:])
        count('build with clang and sanitizers', passed=int(not status), failed=int(bool(status)))
        return not status

    def linted(self):
        if not self.lints:
            return count('clang-tidy', skipped=1, why='clang-tidy or clang is not installed')
        for thread in self.threads:  # no test is left that would feel it
            with contextlib.suppress(OSError):
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        bad = [out for status, out in (lint.result() for lint in self.lints) if status]
        lines = [line for out in bad for line in re.findall('^.*: (?:error|warning): .*$', out, re.M) or [out[-2000:]]]
        if bad:
            print('\n'.join(dict.fromkeys(lines))[:12000])  # many read the same header
        count('clang-tidy', passed=int(not bad), failed=int(bool(bad)))

    def end(self):
        self.pool.shutdown(cancel_futures=True)


def sanitized():
    env = {'UBSAN_OPTIONS': 'halt_on_error=1:print_stacktrace=1', 'ASAN_OPTIONS': 'detect_stack_use_after_return=1:allocator_may_return_null=1'}
    meson_tests('tests under sanitizers', ASAN, '--timeout-multiplier', '4', env=env)
    simulation(ASAN, SEEDS_SANITIZED, env)
    one(f'fuzzers, {FUZZ_SECONDS} s each', 'tools/fuzz.sh', str(FUZZ_SECONDS), ASAN)


def main():
    run_setup = subprocess.run(['tools/setup.sh'], stdin=subprocess.DEVNULL)
    one('folder graph, rules, licences (tools/tidy.py)', 'tools/tidy.py')
    one('clang-format', 'clang-format', '--dry-run', '-Werror', *tracked('.c', '.h'), needs='clang-format')
    one('spelling', 'codespell', '-L', 'whats,nd,ndoes,hel,reord,ect', *tracked('.c', '.h', '.md', '.def', '.py', '.sh'), needs='codespell')
    one('shell scripts', 'shellcheck', *tracked('.sh'), '.ci/run', needs='shellcheck')
    if run_setup.returncode:
        # On Debian, as root, setting up is part of the job: there it must not pass for a skipped step.
        promised = os.geteuid() == 0 and Path('/etc/debian_version').exists()
        return count('build and every test of it', failed=int(promised), skipped=int(not promised), why='see what to install above')
    status, out = run('tools/build.sh', BUILD)
    if status:
        print(out[-8000:])
        return count('build with gcc', failed=1)
    count('build with gcc', passed=1)
    one('pure libraries call nothing of the system', 'tools/tidy.py', '--nm', BUILD)
    aside = Aside()
    try:
        meson_tests('tests', BUILD)
        simulation(BUILD, SEEDS, all_edges=True)
        lab()
        interop()
        if aside.built():
            sanitized()
        aside.linted()
    finally:
        aside.end()


main()
print(f'{total["passed"]} passed, {total["failed"]} failed, {total["skipped"]} skipped')
sys.exit(bool(total['failed']) or not total['passed'])
