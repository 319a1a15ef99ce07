#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py BUILD: how fast and how small, as ratios against a peer in the same run, interleaved; medians of rounds.
Not a test: the machines are noisy. Works in a network namespace of its own; docs/performance.md explains the figures."""
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS, TIME_WAITS, DESTINATIONS, CLOSE_WAITS = 9, 450_000, 10_000, 10_000
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else 'build')
LASTACK = BUILD / 'lastack'
FILL, BARE, MEASURE = (BUILD / 'tests/bench' / tool for tool in ('fill', 'bare_dump', 'measure'))


def once(command):
    """Wall ms, CPU ms (user and system) and peak KiB of a command."""
    said = subprocess.run([MEASURE, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    return tuple(map(float, said.split()))


def interleaved(rounds, commands):
    """{name: (median wall ms, median CPU ms, highest peak KiB)}, one of each command a round."""
    seen = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            seen[name].append(once(command))
    return {name: (statistics.median(r[0] for r in v), statistics.median(r[1] for r in v), max(r[2] for r in v))
            for name, v in seen.items()}


def table(title, result):
    print(f'\n{title}\n  {"":40}{"wall ms":>10}{"CPU ms":>10}{"peak MiB":>10}')
    for name, (wall, cpu, peak) in result.items():
        print(f'  {name:40}{wall:10.1f}{cpu:10.1f}{peak / 1024:10.1f}')


def verdict(what, value, bound, unit='', at_least=False):
    met = value >= bound if at_least else value <= bound
    print(f'  {what}: {value:.2f}{unit} (wanted {"at least" if at_least else "at most"} {bound}{unit}): {"met" if met else "MISSED"}')


def doctor(*more):
    return [LASTACK, 'doctor', '--once', '--netns', 'self', *more]


def inside():
    for command in (['ip', 'link', 'set', 'lo', 'up'], ['sysctl', '-qw', 'net.ipv4.tcp_max_tw_buckets=2000000']):
        subprocess.run(command, check=True)

    idle = interleaved(ROUNDS, {'lastack doctor --once': doctor()})
    table('Idle namespace', idle)
    verdict('doctor --once', idle['lastack doctor --once'][0], 50, ' ms')

    print(f'\nmaking {TIME_WAITS:,} TIME_WAITs', flush=True)
    server = subprocess.Popen([FILL, 'time-wait', str(TIME_WAITS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdout.readline()
    pile = interleaved(ROUNDS, {'lastack status --once': [LASTACK, 'status', '--once', '--netns', 'self'],
                                'bare inet_diag dump': [BARE],
                                'ss -Htan state time-wait | wc -l': ['sh', '-c', 'ss -Htan state time-wait | wc -l']})
    left = subprocess.run(['sh', '-c', "awk '/^TCP:/{print $7}' /proc/net/sockstat"], capture_output=True, text=True, check=True)
    table(f'{TIME_WAITS:,} TIME_WAITs in one namespace ({int(left.stdout):,} left at the end)', pile)
    status, bare, ss = (pile[k] for k in pile)
    verdict('ss wall / status wall', ss[0] / status[0], 4, at_least=True)
    verdict('status CPU / bare dump CPU', status[1] / bare[1], 2)
    verdict('status peak memory', status[2] / 1024, 24, ' MiB')
    server.stdin.close()
    server.wait()

    leak = subprocess.Popen([FILL, 'close-wait', str(CLOSE_WAITS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    leak.stdout.readline()
    subprocess.run([FILL, 'destinations', str(DESTINATIONS)], check=True, stdout=subprocess.DEVNULL)
    crowd = interleaved(ROUNDS, {'lastack doctor --once': doctor(), 'lastack doctor --once --json': doctor('--json'),
                                 'ss -Htanp': ['sh', '-c', 'ss -Htanp | wc -l']})
    table(f'{DESTINATIONS:,} destinations and {CLOSE_WAITS:,} CLOSE_WAIT with an owner', crowd)
    verdict('doctor --once', crowd['lastack doctor --once'][0] / 1e3, 1, ' s')
    leak.stdin.close()
    leak.wait()


if os.environ.get('LASTACK_BENCH') == 'inside':
    inside()
elif os.geteuid() != 0:
    sys.exit('bench: making a network namespace needs root')
else:
    sys.exit(subprocess.run(['unshare', '-n', sys.executable, __file__, str(BUILD)],
                            env={**os.environ, 'LASTACK_BENCH': 'inside'}, check=False).returncode)
