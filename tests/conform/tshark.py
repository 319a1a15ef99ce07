#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tshark.py LASTACK: what tshark says of the packets of simulations without faults and of their headers with faults: no malformed packet, no bad
checksum, nothing in the sequence of segments that it calls wrong. TAP."""
import shutil
import subprocess
import sys
import tempfile

SEEDS = range(1, 17)
DISSECT = [*(a for p in ('http', 'echo', 'discard', 'daytime') for a in ('--disable-protocol', p)), '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-o', 'tcp.relative_sequence_numbers:FALSE']
# Said of segments that are as they should be: connections end with RST, windows fill.
ALLOWED = ('Connection reset', 'TCP window specified by the receiver is now completely full', 'TCP Zero Window segment', 'D-SACK Sequence')
WARN, ERROR = 0x600000, 0x800000  # as tshark numbers them


def path():
    return shutil.which('tshark')


def messages(pcap, select):
    """(frame, severity, text) of every remark on frames that match."""
    fields = ['frame.number', '_ws.expert.severity', '_ws.expert.message']
    out = subprocess.run([path(), '-r', pcap, *DISSECT, '-Y', f'({select}) && _ws.expert', '-T', 'fields',
                          *(a for f in fields for a in ('-e', f))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    for line in out.stdout.decode(errors='replace').splitlines():
        frame, severities, texts = (line.split('\t') + ['', ''])[:3]
        for severity, text in zip(severities.split(','), texts.split(',')):
            yield int(frame), int(severity, 0), text


def wrong(pcap, select='ip or ipv6', least=WARN):
    return [f'frame {n}: {text}' for n, severity, text in messages(pcap, select) if severity >= least and not text.startswith(ALLOWED)]


def main():
    lastack = sys.argv[1]
    if not path():
        print('1..0 # SKIP tshark is not installed')
        return
    print(f'1..{len(SEEDS)}')
    # A SYN on ports that a stray segment of an earlier connection used looks out of order to tshark.
    with tempfile.TemporaryDirectory() as folder:
        for n, seed in enumerate(SEEDS, 1):
            pcap = f'{folder}/{seed}.pcap'
            run = subprocess.run([lastack, 'sim', '--seed', str(seed), '--faults', 'none', '--pcap', pcap], stdout=subprocess.DEVNULL)
            found = ['the simulation failed'] if run.returncode else wrong(pcap, '(ip or ipv6) && !tcp.analysis.reused_ports')
            print(f'{"not " if found else ""}ok {n} seed {seed}', *(f'\n# {w}' for w in found[:5]), sep='', flush=True)


if __name__ == '__main__':
    main()
