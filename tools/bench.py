#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py BUILD [look|churn|bulk|goodput|trace|pcap]: how fast and how small, as ratios against a peer in the same run, interleaved; medians of
rounds. Not a test: the machines are noisy. look: lastack beside ss, in a network namespace of its own. churn: the engine
beside lwIP and the kernel; bulk: octets a second of one connection beside lwIP's; goodput:
over random loss, in simulation, beside CUBIC's model and the kernel. trace: a connect/close loop of the kernel with and
without lastack trace; pcap: captures read. docs/performance.md explains the figures."""
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS, TIME_WAITS, DESTINATIONS, CLOSE_WAITS = 9, 450_000, 10_000, 10_000
BUILD = Path(sys.argv[1] if len(sys.argv) > 1 else 'build')
LASTACK = BUILD / 'lastack'
FILL, BARE, MEASURE, KERNEL, CLOSE_LOOP = (BUILD / 'tests/bench' / tool for tool in ('fill', 'bare_dump', 'measure', 'kernel_churn', 'close_loop'))
CHURN_ROUNDS, CHURN_PAIRS, BULK_ROUNDS, PCAP_ROUNDS, OURS = 3, 15, 7, 5, 'lastack'


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


# ---- churn: the engine, lwIP, the kernel ----

def one_core():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def churn_once(commands):
    """{TIME_WAITs held: row} of the commands of one peer; None if it cannot run here."""
    rows = {}
    for command in commands:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False, preexec_fn=one_core)
        if run.returncode == 77:
            return None
        if run.returncode:
            sys.exit(f'bench: {command[0]}: exit {run.returncode}')
        rows |= {row['time_wait']: row for row in json.loads(run.stdout)['rows']}
    return rows


def has_lwip(folder):
    """Builds lwIP's programs there; False if it is not to be had."""
    lwip = subprocess.run([Path(__file__).parent / 'bench_lwip.sh', folder], check=False).returncode
    if lwip not in (0, 77):
        sys.exit('bench: tools/bench_lwip.sh failed')
    return lwip == 0


def churn_peers(folder, lwip):
    """{name: commands}. Which numbers of TIME_WAITs a peer is asked for is what it can do in seconds."""
    peers = {OURS: [[LASTACK, 'bench', 'churn', '--json', '--time-wait', '0,1000,10000,100000,1000000,10000000']]}
    if lwip:
        peers['lwIP plain'] = [[folder / 'lwip-plain', '--time-wait', '0,1000,10000'],
                               [folder / 'lwip-plain-malloc', '--time-wait', '100000']]
        peers['lwIP full'] = [[folder / 'lwip-full', '--time-wait', '0,1000,10000']]
        for kind in ('plain', 'full'): # the compiler's help is no merit of ours
            peers[f'lwIP {kind}, -O3 -flto as the engine'] = [[folder / f'lwip-{kind}-lto', '--time-wait', '0']]
    peers['kernel loopback'] = [[KERNEL, '--time-wait', '0,100000,1000000']]
    return peers


def churn_ratio(rounds, peer, held):
    """Ours by the peer's in the same round, half a minute apart, then the median."""
    return statistics.median(r[OURS][held]['connections_per_s'] / r[peer][held]['connections_per_s'] for r in rounds)


def churn_pairs(command):
    """Ours by the peer's with no TIME_WAIT, each a second or two after the other; the median of such pairs."""
    ours, theirs = [LASTACK, 'bench', 'churn', '--json', '--time-wait', '0'], [command[0], '--time-wait', '0']
    return statistics.median(churn_once([ours])[0]['connections_per_s'] / churn_once([theirs])[0]['connections_per_s']
                             for _ in range(CHURN_PAIRS))


def churn_table(rounds, peer):
    print(f'\n{peer}\n  {"TIME_WAIT":>12}{"connections/s":>15}{"lowest":>12}{"highest":>12}{"of its 0":>10}{"bytes each":>12}{"lastack/it":>12}')
    for held in sorted(set.intersection(*(set(r[peer]) for r in rounds))):
        rates = [r[peer][held]['connections_per_s'] for r in rounds]
        share = statistics.median(r[peer][held]['connections_per_s'] / r[peer][0]['connections_per_s'] for r in rounds)
        each = statistics.median(r[peer][held].get('bytes_per_entry', 0) for r in rounds)
        ratio = f'{churn_ratio(rounds, peer, held):12.2f}' if peer != OURS else ''
        print(f'  {held:12,}{statistics.median(rates):15,.0f}{min(rates):12,.0f}{max(rates):12,.0f}{share:9.1%}'
              f'{f"{each:.1f}" if held else "":>13}{ratio}')


def churn(folder, lwip):
    print('\nConnect, one octet, echo, the client closes first; both ends on one core', flush=True)
    peers, rounds = churn_peers(folder, lwip), []
    for n in range(CHURN_ROUNDS):
        rounds.append({})
        for name in list(peers):
            rounds[n][name] = churn_once(peers[name])
            if rounds[n][name] is None: # said why; it will not do better later
                del peers[name], rounds[n][name]
    for name in peers:
        churn_table(rounds, name)
    print()
    for peer, wanted in (('lwIP plain', 1.0), ('lwIP full', 1.3)):
        if peer in peers:
            verdict(f'lastack / {peer}, no TIME_WAIT', churn_pairs(peers[peer][0]), wanted, at_least=True)
    for held, wanted in ((100_000, 0.90), (1_000_000, 0.85), (10_000_000, 0.75)):
        share = statistics.median(r[OURS][held]['connections_per_s'] / r[OURS][0]['connections_per_s'] for r in rounds)
        verdict(f'lastack with {held:,} TIME_WAITs / without', share, wanted, at_least=True)
    verdict('bytes a TIME_WAIT, IPv4', rounds[0][OURS][10_000_000]['bytes_per_entry'], 40)
    six = churn_once([[LASTACK, 'bench', 'churn', '--json', '--ipv6', '--time-wait', '0,10000000']])
    verdict('bytes a TIME_WAIT, IPv6', six[10_000_000]['bytes_per_entry'], 64)


# ---- bulk: the engine, lwIP ----

def bulk_once(command):
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=one_core)
    return json.loads(run.stdout)['gigabytes_per_s']


def bulk(folder, lwip):
    print('\nOne connection in memory, segments of 1460 octets, checksums made and checked, both ends on one core; GB/s of payload', flush=True)
    peers = {OURS: [LASTACK, 'bench', 'bulk', '--json']}
    if lwip:
        for window in ('64k', '256k'):
            peers[f'lwIP, window {window}'] = [folder / f'lwip-bulk-{window}']
            peers[f'lwIP, window {window}, -O3 -flto as the engine'] = [folder / f'lwip-bulk-{window}-lto']
        peers['lwIP, window 64k, -O3 -flto, octets lent, not copied'] = [folder / 'lwip-bulk-64k-lto', '--no-copy']
    rounds = [{name: bulk_once(command) for name, command in peers.items()} for _ in range(BULK_ROUNDS)]
    print(f'  {"":55}{"GB/s":>8}{"lowest":>8}{"highest":>8}{"lastack/it":>12}')
    for name in peers:
        rates = [r[name] for r in rounds]
        ratio = statistics.median(r[OURS] / r[name] for r in rounds)
        print(f'  {name:55}{statistics.median(rates):8.2f}{min(rates):8.2f}{max(rates):8.2f}{f"{ratio:12.2f}" if name != OURS else ""}')
    print()
    verdict('lastack, GB/s', statistics.median(r[OURS] for r in rounds), 2, at_least=True)
    if lwip: # the better of its windows, built as Debian builds it
        best = max(('64k', '256k'), key=lambda w: statistics.median(r[f'lwIP, window {w}'] for r in rounds))
        verdict('lastack / lwIP', statistics.median(r[OURS] / r[f'lwIP, window {best}'] for r in rounds), 1.5, at_least=True)


# ---- goodput over loss, fairness: the simulation, CUBIC's model, the kernel ----

def goodput():
    print(flush=True)
    run = subprocess.run([LASTACK, 'bench', 'goodput', '--json'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(run.stdout)
    print('One flow, 1 Gbit/s, 20 ms, 1 % of its packets lost; Mbit/s: model '
          f'{said["model_mbit_per_s"]:.2f}, kernel {said.get("kernel_mbit_per_s", float("nan")):.2f}, lastack {said["lastack_mbit_per_s"]:.2f}')
    verdict('lastack / the better', said['lastack_of_the_better'], 0.9, at_least=True)
    for row in said['fairness']:
        verdict(f'Jain\'s index of {row["flows"]} flows', row['jain'], 0.95, at_least=True)


# ---- trace: what it costs to be watched ----

TRACE_ROUNDS, LOOP, HELD, HELD_PAIRS, TRACE_PROGRAMS = 45, 12_000, 8_000, 32, 6
CONCURRENT, CLOSES_PER_S = 15_000, 50_000


class Tracing:
    """lastack trace --summary, from when it follows sockets."""

    def __enter__(self):
        self.p = subprocess.Popen([LASTACK, 'trace', '--summary', '--json'], stdout=subprocess.PIPE, text=True)
        while sum('link_type' in text for text in self.descriptors()) < TRACE_PROGRAMS:
            if self.p.poll() is not None:
                sys.exit('bench: lastack trace does not run here')
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()

    def descriptors(self):
        folder = f'/proc/{self.p.pid}/fdinfo'
        for name in os.listdir(folder):
            try:
                yield Path(folder, name).read_text()
            except FileNotFoundError:  # closed meanwhile
                pass

    def memory(self):
        """MiB of the process at its peak, MiB of the maps that it made."""
        peak = re.search(r'VmHWM:\s*(\d+)', Path(f'/proc/{self.p.pid}/status').read_text())
        maps = {}
        for text in self.descriptors():
            if 'map_id' in text:
                maps[re.search(r'map_id:\s*(\d+)', text)[1]] = int(re.search(r'memlock:\s*(\d+)', text)[1])
        return int(peak[1]) / 1024, sum(maps.values()) / 2**20

    def lost(self, sockets):
        """How many of so many ends it did not tell."""
        self.p.send_signal(signal.SIGINT)
        return max(0, sockets - json.loads(self.p.communicate()[0].splitlines()[-1])['connections'])


class InitsShare:
    """Ends of sockets on loopback that came while a thread of process 1 was interrupted by them. On some sandboxes' kernels no tracing program
    runs then, whoever loads it: sched_switch, counted by BPF, knows all threads but those."""

    def __enter__(self):
        self.folder = Path('/sys/kernel/tracing/instances/lastack_bench')
        self.event = self.folder / 'events/sock/inet_sock_set_state'
        self.__exit__()  # one that was killed may have left it
        try:
            self.folder.mkdir()
            (self.folder / 'set_event_pid').write_text(' '.join(os.listdir('/proc/1/task')))
            (self.folder / 'options/event-fork').write_text('1')  # threads that begin later, too
            (self.event / 'filter').write_text('newstate==7 && oldstate!=10')
            (self.event / 'enable').write_text('1')
        except OSError:  # no tracefs: they count as lost
            pass
        return self

    def count(self):
        try:
            return sum('saddr=127.0.0.' in line for line in (self.folder / 'trace').read_text().splitlines())
        except OSError:
            return 0

    def __exit__(self, *_):
        try:
            (self.event / 'enable').write_text('0')
            self.folder.rmdir()
        except OSError:
            pass


def loop_once():
    return json.loads(subprocess.run([CLOSE_LOOP, str(LOOP)], capture_output=True, text=True, check=True).stdout)


def lost_verdict(what, lost, unseen):
    """Where fewer are lost than came while process 1 ran, programs do run then, and nothing is excused."""
    if 0 < unseen <= lost:
        print(f'  {unseen:,} more {what}: while process 1 ran, in which this kernel runs no program')
        lost -= unseen
    verdict(what, lost, 0)


def trace():
    print('\nConnect and close over loopback, one after another, nothing sent, with and without lastack trace --summary', flush=True)
    ratios, cpu, lost, rates = [], [], 0, []
    with InitsShare() as init:
        for _ in range(TRACE_ROUNDS):
            without = loop_once()
            with Tracing() as t:
                watched = loop_once()
                lost += t.lost(2 * LOOP)
            ratios.append(watched['connections_per_s'] / without['connections_per_s'])
            cpu.append(watched['cpu_us'] - without['cpu_us'])
            rates.append(watched['connections_per_s'])
        unseen = init.count()
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f'  watched {statistics.median(rates):,.0f} connections/s; CPU of the loop +{statistics.median(cpu):.2f} us a connection; '
          f'{TRACE_ROUNDS} pairs, the middle half {low:.2f} to {high:.2f}')
    verdict('connections/s watched / not', middle, 0.92, at_least=True)
    lost_verdict(f'records lost of {2 * LOOP * TRACE_ROUNDS:,}', lost, unseen)
    trace_held()


def held(connections, pairs):
    """That many connections in each of so many pairs of processes, followed, then all closed at once: sockets, MiB of the tracing
    process, MiB of its maps, closes/s, records lost, ends that came while process 1 ran."""
    with InitsShare() as init, Tracing() as t:
        loop = subprocess.Popen([CLOSE_LOOP, 'hold', str(connections), str(pairs)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if not loop.stdout.readline():
            sys.exit('bench: close_loop hold does not run here')
        process, maps = t.memory()
        took = json.loads(loop.communicate()[0])['seconds']
        sockets = 2 * connections * pairs  # each end is closed by a process of its own, and has a record
        return sockets, process, maps, sockets / took, t.lost(sockets), init.count()


def trace_held():
    *_, rate, lost, unseen = held(CONCURRENT, 1)
    lost_verdict(f'records lost with {CONCURRENT:,} concurrent connections (both ends closed at {rate:,.0f}/s)', lost, unseen)
    sockets, process, maps, rate, lost, unseen = held(HELD, HELD_PAIRS)
    verdict(f'peak memory with {sockets:,} sockets followed', process, 64, ' MiB')
    print(f'  and {maps:.1f} MiB of maps in the kernel')
    bursts = [(rate, lost, unseen, sockets, HELD_PAIRS)]
    for more in (2, 4):  # with more processes, if so few do not close fast enough
        if max(bursts)[0] < CLOSES_PER_S:
            sockets, *_, rate, lost, unseen = held(HELD // more, HELD_PAIRS * more)
            bursts.append((rate, lost, unseen, sockets, HELD_PAIRS * more))
    for rate, lost, unseen, sockets, pairs in bursts:
        lost_verdict(f'records lost of {sockets:,} closes by {2 * pairs} processes at {rate:,.0f}/s', lost, unseen)
    if max(bursts)[0] < CLOSES_PER_S:
        print(f'  this machine closes at most {max(bursts)[0]:,.0f}/s: what happens at {CLOSES_PER_S:,}/s was not seen')


# ---- captures ----

def pcap(folder):
    """Two captures of the same kind, one ten times as long: connections are short, a thousand are open at a time."""
    sizes = {}
    for name, times in (('short', 4), ('long', 40)):
        with open(folder / name, 'wb') as out:
            subprocess.run([BUILD / 'tests/captures/make_captures', 'load', str(times)], stdout=out, check=True)
        said = subprocess.run([LASTACK, 'pcap', folder / name, '--json'], stdout=subprocess.PIPE, text=True).stdout  # and it is cached now
        sizes[name] = json.loads(said)['capture']
    result = interleaved(PCAP_ROUNDS, {name: [LASTACK, 'pcap', folder / name] for name in sizes})
    table('lastack pcap', {f'{sizes[n]["tcp"]:,} packets, {sizes[n]["octets"] / 1e6:,.0f} MB': r for n, r in result.items()})
    wall, _, peak = result['long']
    verdict('million packets/s', sizes['long']['tcp'] / wall / 1e3, 1, at_least=True)
    verdict('MB/s', sizes['long']['octets'] / wall / 1e3, 300, at_least=True)
    verdict('memory, ten times the connections', peak / result['short'][2], 1.1, ' times')


WHAT = sys.argv[2] if len(sys.argv) > 2 else 'all'
if os.environ.get('LASTACK_BENCH') == 'inside':
    inside()
elif WHAT not in ('all', 'look', 'churn', 'bulk', 'goodput', 'trace', 'pcap'):
    sys.exit(__doc__)
elif os.geteuid() != 0:
    sys.exit('bench: making a network namespace needs root')
else:
    if WHAT in ('all', 'look'):
        subprocess.run(['unshare', '-n', sys.executable, __file__, str(BUILD)], env={**os.environ, 'LASTACK_BENCH': 'inside'}, check=True)
    if WHAT in ('all', 'trace'):
        trace()
    if WHAT in ('all', 'goodput'):
        goodput()
    if WHAT in ('all', 'pcap'):
        with tempfile.TemporaryDirectory(prefix='lastack-bench-') as name:
            pcap(Path(name))
    if WHAT in ('all', 'churn', 'bulk'):
        with tempfile.TemporaryDirectory(prefix='lastack-bench-') as name:
            HAS_LWIP = has_lwip(Path(name))
            if WHAT in ('all', 'churn'):
                churn(Path(name), HAS_LWIP)
            if WHAT in ('all', 'bulk'):
                bulk(Path(name), HAS_LWIP)
