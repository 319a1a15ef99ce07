#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py LASTACK MAKE_CAPTURES: the verdicts of `lastack pcap` on every capture of labels.tsv (of real programs) and made.tsv
(of make_captures.c), with HTTP headers read and not, held against what is right; what it says of captures that lack packets; and of files that are none. TAP."""
import json
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAID = ('HTTP/1.0', 'client asked')  # who asked for the close, where headers tell
ran = []


def ok(what, wrong):
    ran.append(bool(wrong))
    print(f'{"not " if wrong else ""}ok {len(ran)} {what}', *(f'\n# {w}' for w in wrong), sep='', flush=True)


def pcap(octets, *options):
    return subprocess.run([sys.argv[1], 'pcap', '-', *options], input=octets, capture_output=True, timeout=120)


def verdicts(octets, *options):
    run = pcap(octets, '--json', *options)
    if run.returncode > 1:
        return None, run.stderr.decode().strip()
    return json.loads(run.stdout), ''


def wanted_of(label):
    return {w.strip() for w in re.split(r' \+ ', re.sub(r' ?\([^)]*\)|:.*', '', label))}


def frames(octets):
    """Of a pcap or pcapng file: what stands before its packets, packets."""
    is_ng, at, head, packets = octets[:4] == b'\n\r\r\n', 24, octets[:24], []
    order = '<' if octets[8:12] == b'\x4d\x3c\x2b\x1a' or octets[1:4:2] == b'\xc3\xa1' or octets[1:4:2] == b'\x3c\xa1' else '>'
    if is_ng:
        at, head = 0, b''
    while at < len(octets):
        kind, size = struct.unpack_from(f'{order}II', octets, at) if is_ng else (6, 16 + struct.unpack_from(f'{order}I', octets, at + 8)[0])
        if kind == 6:
            packets.append(octets[at:at + size])
        else:
            head += octets[at:at + size]
        at += size
    return head, packets


def bare(verdict):
    """Without who asked, and without a number that is a bound: the shortest idle time that failed."""
    return re.sub(r' \(.*|(?<=MIDDLEBOX_IDLE_DROP) .*', '', verdict)


def holed(name, label, octets):
    """Two or three in ten packets lost: what is missing was not seen, so nothing wrong is said with more than low confidence."""
    head, packets = frames(octets)
    wanted = {bare(w) for w in wanted_of(label)} | {'INSUFFICIENT'}
    wrong = set()
    for seed, lost in enumerate((0.3, 0.2, 0.3, 0.2)):
        rng = random.Random(seed)
        rest = head + b''.join(p for p in packets if rng.random() >= lost)
        for options in ((), ('--no-headers',)):
            found, error = verdicts(rest, *options)
            wrong |= {error} if found is None else {f'{f["verdict"]} is said, {f["confidence"]}' for f in found['findings']
                                                   if bare(f['verdict']) not in wanted and f['confidence'] != 'low'}
    ok(f'{name}, two or three in ten lost', sorted(wrong))


def poor(name, label, octets):
    """Of what remains of a capture nothing wrong may be said: less is right."""
    head, packets = frames(octets)
    kept = [p for i, p in enumerate(packets) if i * 7919 % 1000 >= 100]
    swapped = [packets[i + 1 - 2 * (i % 2)] if i % 14 < 2 and i | 1 < len(packets) else p for i, p in enumerate(packets)]
    for what, rest in (('one in ten lost', kept), ('neighbours exchanged', swapped), ('everything twice', [p for p in packets for _ in range(2)]),
                       ('the second half', packets[len(packets) // 2:])):
        found, error = verdicts(head + b''.join(rest))
        said = {error} if found is None else {f['verdict'].split(' (')[0] for f in found['findings']}
        ok(f'{name}, {what}', sorted(f'{s} is said' for s in said - wanted_of(label) - {'INSUFFICIENT'}))


def judge(name, label, octets, *options):
    """A label: verdicts joined by ' + '; in brackets others that will do ('... is acceptable'), or who asked."""
    what = f'{name}{" without headers" if options else ""}'
    found, error = verdicts(octets, *options)
    if found is None:
        return ok(what, [error])
    texts = [f['verdict'] for f in found['findings']]
    bare = {t.split(' (')[0] for t in texts}
    brackets = ' '.join(re.findall(r'\(([^)]*)\)', label))
    wanted = wanted_of(label)
    others = set(re.findall(r'\b[A-Z][A-Z_]{5,}\b', brackets)) if 'acceptable' in brackets else set()
    wrong = []
    if bare != wanted and not (len(bare) == 1 and bare <= others):
        wrong.append(f'{" + ".join(sorted(bare))}, not {label}')
    wrong += [f'{said} is not said: {texts}' for said in SAID if said in brackets and not any(said in t for t in texts)]
    ok(what, wrong)


def rows(name):
    for line in (HERE / name).read_text().splitlines()[1:]:
        cells = line.split('\t')
        yield cells[0], cells[2], cells[2] if cells[3] == 'same' else cells[3]


def damaged():
    """Captures cut anywhere, and files that are none: a line and a status, never a crash."""
    whole = subprocess.run([sys.argv[2], 'linger0'], capture_output=True, check=True).stdout
    for kept in (0, 3, 24, 30, 41, 5000, len(whole) - 1):
        run = pcap(whole[:kept])
        wrong = [] if run.returncode in (0, 1, 2, 3) and (run.returncode == 0 or run.stderr or run.returncode == 1) else [run.stderr.decode()]
        if kept in (0, 3) and run.returncode != 2:
            wrong.append(f'status {run.returncode}')
        if run.stderr.count(b'\n') > 1:
            wrong.append('more than one line of complaint')
        ok(f'cut after {kept} octets', wrong)
    run = subprocess.run([sys.argv[1], 'pcap', str(HERE)], capture_output=True, check=False)
    ok('a folder', [] if run.returncode == 2 and b'empty' not in run.stderr else [run.stderr.decode()])
    run = pcap(b'GET / HTTP/1.1\r\n\r\n' * 9)
    ok('no capture at all', [] if run.returncode == 2 and run.stderr.count(b'\n') == 1 else [run.stderr.decode()])


def interrupted():
    """ctrl-C in `tcpdump -w - | lastack pcap -` reaches both: what was captured is told all the same."""
    octets = subprocess.run([sys.argv[2], 'server-abort'], capture_output=True, check=True).stdout
    run = subprocess.Popen([sys.argv[1], 'pcap', '-', '--json'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    run.stdin.write(octets[:500000])  # more than a pipe holds: it has begun to read
    run.stdin.flush()
    run.send_signal(signal.SIGINT)
    said = run.communicate(octets[500000:], timeout=60)[0]
    conns = json.loads(said)['capture']['conns'] if said else 0
    ok('interrupted', [] if conns == 120 else [f'{conns} connections, status {run.returncode}'])


def main():
    if shutil.which('xz'):
        for name, blind, read in rows('labels.tsv'):
            octets = subprocess.run(['xz', '-dc', HERE / f'{name}.pcap.xz'], capture_output=True, check=True).stdout
            judge(name, blind, octets, '--no-headers')
            judge(name, read, octets)
            poor(name, read, octets)
            holed(name, read, octets)
    else:
        print('# xz is not installed: captures of real programs are left out')
    for name, blind, read in rows('made.tsv'):
        octets = subprocess.run([sys.argv[2], name], capture_output=True, check=True).stdout
        judge(name, blind, octets, '--no-headers')
        judge(name, read, octets)
        holed(name, read, octets)
    damaged()
    interrupted()
    print(f'1..{len(ran)}')


if __name__ == '__main__':
    main()
