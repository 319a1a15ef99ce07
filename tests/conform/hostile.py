#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hostile.py LIBRARY: segments that no TCP sends, or not there, made with scapy, and what the engine must answer to each: nothing, an ACK of
what it has, or a RST with the right number. TAP; what left is then read by tshark, which must find no malformed packet and no bad checksum."""
import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path

try:
    from scapy.all import ICMP, IP, TCP, Raw
except ImportError:  # Debian's package is for Debian's python3
    if sys.executable != '/usr/bin/python3' and os.path.exists('/usr/bin/python3'):
        os.execv('/usr/bin/python3', ['/usr/bin/python3', *sys.argv])
    print('1..0 # SKIP scapy is not installed')
    sys.exit(0)

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tshark  # noqa: E402
from adapter import Stack  # noqa: E402

US, PEER, PORT, ISS = '192.168.0.1', '192.0.2.1', 8080, 5000
WRAP = 1 << 32
FLAGS = 'net.ipv4.tcp_invalid_ratelimit=0'


class Connection:
    """An accepted connection, its peer made by hand: nothing sent yet, RCV.NXT is `nxt`, SND.NXT is `una`."""

    def __init__(self, library, pcap, options=()):
        self.s = Stack(library, f'{FLAGS} pcap={pcap}')
        self.listener = self.s.listener(US, PORT)
        self.sport, self.nxt, self.una = 40000, ISS + 1, 0
        first = self.answer(flags='S', seq=ISS, options=[('MSS', 1000), ('WScale', 7), *options])
        assert str(first[TCP].flags) == 'SA' and first[TCP].ack == ISS + 1, first.summary()
        self.una = (first[TCP].seq + 1) % WRAP
        self.tsval = dict(first[TCP].options).get('Timestamp', (0, 0))[0]
        again = [('Timestamp', (t[1][0] + 10, self.tsval)) for t in options if t[0] == 'Timestamp']
        assert self.say(options=again) == []
        self.fd = self.s.accept(self.listener)

    def packet(self, text=b'', **fields):
        fields = {'sport': self.sport, 'dport': PORT, 'seq': self.nxt, 'ack': self.una, 'flags': 'A', 'window': 500, **fields}
        return IP(src=PEER, dst=US) / TCP(**fields) / Raw(text)

    def put(self, packet):
        """What comes back at once."""
        self.s.send(bytes(packet))
        return [IP(p) for p in self.s.answers()]

    def say(self, text=b'', **fields):
        return self.put(self.packet(text, **fields))

    def answer(self, text=b'', **fields):
        got = self.say(text, **fields)
        assert len(got) == 1, f'{len(got)} answers: {[p.summary() for p in got]}'
        return got[0]

    def acks(self, got):
        """got is one ACK, of exactly what we have."""
        assert len(got) == 1, f'{len(got)} answers: {[p.summary() for p in got]}'
        t = got[0][TCP]
        assert str(t.flags) == 'A' and t.seq == self.una and t.ack == self.nxt and not bytes(t.payload), got[0].summary()

    def silent(self, got):
        assert got == [], [p.summary() for p in got]

    def alive(self):
        """The connection still takes data where it stood, and nothing else was taken."""
        self.say(b'alive', flags='PA')
        assert self.s.read(self.fd) == b'alive'

    def error(self):
        try:
            return self.s.read(self.fd)
        except OSError as e:
            return e.errno


def checked(packet, **broken):
    """The packet's octets with fields of its TCP header forced, checksums right all the same: scapy keeps what is set."""
    p = IP(bytes(packet))
    for name, value in broken.items():
        setattr(p[TCP], name, value)
    del p[TCP].chksum
    return IP(bytes(p))


# ---- established: RFC 5961, 9293 3.10.7.4 ----

def rst_outside_window__nothing(c):
    c.silent(c.say(flags='R', seq=c.nxt - 1))
    c.silent(c.say(flags='R', seq=c.nxt + 10_000_000))
    c.alive()


def rst_in_window_not_next__challenge(c):
    c.acks(c.say(flags='R', seq=c.nxt + 1))
    c.acks(c.say(flags='R', seq=c.nxt + 1000))
    c.alive()


def rst_next__connection_reset(c):
    c.silent(c.say(flags='R'))
    assert c.error() == errno.ECONNRESET


def syn__challenge(c):
    for seq in (ISS, c.nxt, c.nxt + 1000, c.nxt + 10_000_000):
        c.acks(c.say(flags='S', seq=seq))
    c.alive()


def ack_of_what_was_never_sent__ack(c):
    c.acks(c.say(ack=c.una + 1))
    c.acks(c.say(b'blind', ack=c.una + 5000))
    c.alive()


def ack_of_long_ago__challenge(c):
    c.acks(c.say(b'blind', ack=(c.una - 70_000) % WRAP))
    c.alive()


def data_outside_window__ack(c):
    c.acks(c.say(b'old', seq=c.nxt - 3))
    c.acks(c.say(b'far', seq=c.nxt + 10_000_000))
    c.alive()


def fin_outside_window__ack(c):
    c.acks(c.say(flags='FA', seq=c.nxt + 10_000_000))
    c.alive()


def without_ack__nothing(c):
    c.silent(c.say(b'data', flags=''))
    c.silent(c.say(b'data', flags='P'))
    c.silent(c.say(flags='F'))
    c.alive()


def every_flag__challenge(c):
    c.acks(c.say(flags='FSRPAUEC', seq=c.nxt + 1))
    c.alive()


def overlap_with_other_data__first_kept(c):
    c.say(b'first', seq=c.nxt + 5)
    c.say(b'XXXXX', seq=c.nxt + 5)
    c.say(b'beginXXX')
    assert c.s.read(c.fd) == b'beginfirst'


def urgent_pointer_anywhere__data_in_line(c):
    c.say(b'abc', flags='PAU', urgptr=65535)
    assert c.s.read(c.fd) == b'abc'


def paws_old_timestamp__ack(c):
    got = c.say(b'old', options=[('Timestamp', (1, c.tsval))])
    assert len(got) == 1 and got[0][TCP].ack == c.nxt and got[0][TCP].seq == c.una
    c.say(b'new', options=[('Timestamp', (1100, c.tsval))])
    assert c.s.read(c.fd) == b'new'


paws_old_timestamp__ack.options = [('Timestamp', (1000, 0))]


def sack_of_nonsense__ignored(c):
    c.s.write(c.fd, b'x' * 3000)
    c.s.answers()
    una = c.una
    for edges in ((una - 5000, una - 4000), (una + 2000, una + 1000), (una + 1000, una + 90_000), (una, una), (0, WRAP - 1)):
        c.say(options=[('SAck', tuple(e % WRAP for e in edges))])
    got = c.say(ack=una + 3000)
    assert got == [], got
    c.alive()


sack_of_nonsense__ignored.options = [('SAckOK', b'')]


# ---- headers that are none ----

def bad_checksums__nothing(c):
    tcp = IP(bytes(c.packet(b'data')))
    tcp[TCP].chksum ^= 1
    c.silent(c.put(tcp))
    ip = IP(bytes(c.packet(b'data')))
    ip.chksum ^= 1
    c.silent(c.put(ip))
    c.alive()


def data_offset_wrong__nothing(c):
    for offset in (0, 4, 8, 15):
        c.silent(c.put(checked(c.packet(b'data'), dataofs=offset)))
    c.alive()


def options_wrong__nothing_or_data(c):
    """Lengths that cannot be: the segment is dropped. Kinds nobody knows: skipped."""
    for octets in (b'\x03\x00\x00\x00', b'\x03\x01\x00\x00', b'\x08\x28\x00\x00', b'\xfe\xff\x00\x00', b'\x01\x01\x01\x05'):
        p = IP(bytes(c.packet())) / Raw(octets + b'data')
        del p.len, p.chksum
        c.silent(c.put(checked(IP(bytes(p)), dataofs=6)))
    p = IP(bytes(c.packet())) / Raw(b'\xfd\x04ab' + b'data')
    del p.len, p.chksum
    c.put(checked(IP(bytes(p)), dataofs=6))
    assert c.s.read(c.fd) == b'data'


def truncated_anywhere__nothing(c):
    whole = bytes(c.packet(b'0123456789'))
    for cut in range(len(whole)):
        c.silent(c.put(whole[:cut]))
    c.alive()


def fragments__nothing(c):
    first = c.packet(b'data')
    first.flags = 'MF'
    c.silent(c.put(first))
    rest = IP(src=PEER, dst=US, proto=6, frag=1) / Raw(b'01234567')
    c.silent(c.put(rest))
    c.alive()


def source_nobody_can_have__nothing(c):
    for source in ('224.0.0.1', '255.255.255.255', '0.0.0.0'):
        p = c.packet(flags='S', sport=5555, seq=1)
        p.src = source
        c.silent(c.put(p))
    c.alive()


def another_host__nothing(c):
    p = c.packet(flags='S', sport=5555, seq=1)
    p.dst = '224.0.0.9'
    c.silent(c.put(p))
    c.alive()


# ---- listeners and closed ports ----

def closed_port__rst_with_the_right_number(c):
    t = c.answer(b'abc', dport=9, sport=7, seq=100, ack=4242, flags='A')[TCP]
    assert str(t.flags) == 'R' and t.seq == 4242
    t = c.answer(b'abc', dport=9, sport=7, seq=100, flags='S')[TCP]
    assert str(t.flags) == 'RA' and t.seq == 0 and t.ack == 104
    c.silent(c.say(dport=9, sport=7, flags='R'))
    c.silent(c.say(dport=9, sport=7, flags='RA'))


def ack_for_listener__rst(c):
    t = c.answer(sport=5555, seq=1, ack=777, flags='A')[TCP]
    assert str(t.flags) == 'R' and t.seq == 777


def listener_nonsense_flags__nothing(c):
    for flags in ('', 'F', 'P', 'FPU', 'R', 'SR', 'SF', 'RA'):
        c.silent(c.say(sport=5555, seq=1, flags=flags))


def syn_ack_for_listener__rst(c):
    t = c.answer(sport=5555, seq=1, ack=777, flags='SA')[TCP]
    assert str(t.flags) == 'R' and t.seq == 777


def land__no_storm(c):
    p = c.packet(flags='S', sport=PORT, seq=1)
    p.src = US
    assert len(c.put(p)) <= 1
    c.alive()


# ---- ICMP: RFC 5927 ----

def about(c, seq, **fields):
    inner = IP(src=US, dst=PEER) / TCP(sport=PORT, dport=c.sport, seq=seq % WRAP, ack=c.nxt, flags='A')
    return IP(src='192.0.2.254', dst=US) / ICMP(type=3, **fields) / Raw(bytes(inner)[:28])


def icmp_for_nothing_in_flight__ignored(c):
    for code in (0, 1, 2, 3, 4):
        for seq in (c.una - 1_000_000, c.una + 1_000_000):
            c.silent(c.put(about(c, seq, code=code, nexthopmtu=600)))
    c.s.write(c.fd, b'x' * 1000)
    got = [IP(p) for p in c.s.answers()]
    assert [len(bytes(p[TCP].payload)) for p in got] == [1000], [p.summary() for p in got]


def icmp_tiny_mtu__never_below_the_floor(c):
    c.s.write(c.fd, b'x' * 1000)
    c.s.answers()
    for mtu in (0, 1, 68, 88):
        c.put(about(c, c.una, code=4, nexthopmtu=mtu))
    c.s.write(c.fd, b'y' * 1000)
    sent = c.s.answers() + c.s.after(20_000_000)
    assert len(sent) > 2 and all(len(p) >= 500 for p in sent[:-1]), [len(p) for p in sent]
    c.alive()


TESTS = [rst_outside_window__nothing, rst_in_window_not_next__challenge, rst_next__connection_reset, syn__challenge,
         ack_of_what_was_never_sent__ack, ack_of_long_ago__challenge, data_outside_window__ack, fin_outside_window__ack,
         without_ack__nothing, every_flag__challenge, overlap_with_other_data__first_kept, urgent_pointer_anywhere__data_in_line,
         paws_old_timestamp__ack, sack_of_nonsense__ignored, bad_checksums__nothing, data_offset_wrong__nothing,
         options_wrong__nothing_or_data, truncated_anywhere__nothing, fragments__nothing, source_nobody_can_have__nothing,
         another_host__nothing, closed_port__rst_with_the_right_number, ack_for_listener__rst, listener_nonsense_flags__nothing,
         syn_ack_for_listener__rst, land__no_storm, icmp_for_nothing_in_flight__ignored, icmp_tiny_mtu__never_below_the_floor]


def run(library, test, pcap):
    c = Connection(library, pcap, getattr(test, 'options', ()))
    try:
        test(c)
    finally:
        c.s.free()


def joined(folder):
    """One capture of all: the header of the first, the packets of every one."""
    whole = Path(folder, 'all.pcap')
    with whole.open('wb') as out:
        for n, part in enumerate(sorted(Path(folder).glob('*__*.pcap'))):
            out.write(part.read_bytes()[24 if n else 0:])
    return str(whole)


def verdict(n, name, error):
    print(f'{"not " if error else ""}ok {n} {name}' + (f'\n# {error}' if error else ''), flush=True)


def main():
    print(f'1..{len(TESTS) + 1}')
    with tempfile.TemporaryDirectory() as folder:
        for n, test in enumerate(TESTS, 1):
            try:
                run(sys.argv[1], test, f'{folder}/{test.__name__}.pcap')
                verdict(n, test.__name__, None)
            except (AssertionError, OSError, IndexError, TypeError) as e:
                at = [f.lineno for f in traceback.extract_tb(e.__traceback__) if f.filename.endswith('hostile.py')]
                verdict(n, test.__name__, f'lines {at[1:]}: {e}')
        name = 'what_left__is_well_formed_for_tshark'
        if tshark.path():
            verdict(len(TESTS) + 1, name, tshark.wrong(joined(folder), f'ip.src == {US}', tshark.ERROR))
        else:
            print(f'ok {len(TESTS) + 1} {name} # SKIP tshark is not installed')


if __name__ == '__main__':
    main()
