#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""host.py LASTACK FILL: the whole tool on the running kernel, against ss, netstat, nstat and /proc, in network
namespaces of its own. TAP. Without root what needs a namespace is skipped."""
import collections
import ctypes
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

LASTACK, FILL = (os.path.abspath(p) for p in sys.argv[1:3])
ROOT = os.geteuid() == 0
CLONE_NEWNET = 0x40000000
tests = []


class Skip(Exception):
    """This machine lacks what the test needs."""


def test(needs_root=True):
    def add(f):
        tests.append((f, needs_root))
        return f
    return add



def run(*args, status=None, **more):
    p = subprocess.run([LASTACK, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **more)
    if status is not None:
        allowed = status if isinstance(status, tuple) else (status,)
        assert p.returncode in allowed, f'lastack {" ".join(args)}: exit {p.returncode}, wanted {status}\n{p.stdout}\n{p.stderr}'
    return p


def shell(command):
    return subprocess.run(['sh', '-c', command], capture_output=True, text=True, check=True).stdout


def status_json(*args):
    return json.loads(run('status', '--once', '--netns', 'self', '--json', *args, status=(0, 3)).stdout)


def in_new_namespace(f):
    """Runs f in a child that has a network namespace of its own; the child's failure is ours."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), 'unshare')
            subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
            f()
            os._exit(0)
        except BaseException as e:  # the parent says it
            os.write(w, f'{type(e).__name__}: {e}'.encode()[:60000])
            os._exit(1)
    os.close(w)
    said = b''
    while chunk := os.read(r, 65536):
        said += chunk
    os.close(r)
    _, how = os.waitpid(pid, 0)
    if how:
        raise AssertionError(said.decode(errors='replace') or f'child ended with {how}')


def on_one_processor():
    """Two reorder what crosses loopback, and an ACK overtaken by its FIN ends a TIME_WAIT (RFC 1337)."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def accept_all(listener, n):
    return [listener.accept()[0] for _ in range(n)]


def a_bit_of_everything():
    """Listeners and sockets in most states, all on loopback. Returns what must stay open."""
    on_one_processor()
    keep = []
    v4 = socket.create_server(('127.0.0.1', 8001), backlog=64)
    v6 = socket.create_server(('::', 8002), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    keep += [v4, v6]

    def connect(n, port=8001, host='127.0.0.1'):
        return [socket.create_connection((host, port)) for _ in range(n)]

    established = connect(7)
    keep += established + accept_all(v4, 7)
    mapped = connect(3, 8002)  # IPv4 to a dual-stack listener: v4-mapped on its side
    keep += mapped + accept_all(v6, 3)
    six = connect(2, 8002, '::1')
    keep += six + accept_all(v6, 2)
    for c, s in zip(connect(11), accept_all(v4, 11)):  # client closes first: TIME_WAIT on its ephemeral port
        c.close()
        assert s.recv(1) == b''
        s.close()
    for c, s in zip(connect(5), accept_all(v4, 5)):  # server closes first: TIME_WAIT on the listening port
        s.close()
        assert c.recv(1) == b''
        c.close()
    for c, s in zip(connect(4), accept_all(v4, 4)):  # CLOSE_WAIT here, orphan FIN_WAIT_2 mini there
        c.close()
        keep.append(s)
    for c, s in zip(connect(2), accept_all(v4, 2)):  # half-close: FIN_WAIT_2 with a process
        c.shutdown(socket.SHUT_WR)
        keep += [c, s]
    # The ACK of a FIN may be delayed; what is compared must have come to rest. A state has no event, so it is asked for.
    deadline = time.monotonic() + 10
    while shell('ss -Htan state fin-wait-1'):
        assert time.monotonic() < deadline, 'FIN_WAIT_1 does not end'
    return keep


SS_NAMES = {'ESTAB': 'established', 'SYN-SENT': 'syn_sent', 'SYN-RECV': 'syn_recv', 'FIN-WAIT-1': 'fin_wait_1',
            'FIN-WAIT-2': 'fin_wait_2', 'TIME-WAIT': 'time_wait', 'UNCONN': 'close', 'CLOSE-WAIT': 'close_wait',
            'LAST-ACK': 'last_ack', 'LISTEN': 'listen', 'CLOSING': 'closing'}


def ss_states():
    return collections.Counter(SS_NAMES[line.split()[0]] for line in shell('ss -Htan').splitlines())


@test()
def status_counts_every_state_as_ss_does():
    def body():
        keep = a_bit_of_everything()
        ns = status_json()['netns'][0]
        want = ss_states()
        got = {k: v for k, v in ns['states'].items() if v}
        assert got == dict(want), f'{got} is not {dict(want)}'
        assert want['time_wait'] == 16 and want['close_wait'] == 6 and want['fin_wait_2'] == 6, want
        assert ns['fin_wait_2_orphans'] == 4, ns['fin_wait_2_orphans']
        del keep
    in_new_namespace(body)


@test()
def states_equals_the_netstat_one_liner():
    def body():
        keep = a_bit_of_everything()
        want = shell("netstat -n | awk '/^tcp/{++S[$NF]}END{for(a in S) print a, S[a]}'")
        got = run('status', '--states', status=0).stdout
        assert sorted(got.split('\n')) == sorted(want.split('\n')), f'{got!r} is not {want!r}'
        assert 'TIME_WAIT 16' in got, got
        del keep
    in_new_namespace(body)


@test()
def destinations_and_listeners_hold_what_ss_lists():
    def body():
        keep = a_bit_of_everything()
        ns = status_json()['netns'][0]
        dest = next(d for d in ns['destinations'] if d['dst'] == '127.0.0.1' and d['dport'] == 8001)
        rows = [line for line in shell("ss -Htan dst 127.0.0.1:8001").splitlines()]
        assert sum(dest['states'].values()) == len(rows), (dest['states'], len(rows))
        assert dest['ports_used'] <= dest['ports_usable'] == 28232, dest
        assert dest['states']['time_wait'] == 11, dest
        listener = next(l for l in ns['listeners'] if l['port'] == 8001)
        assert listener['states']['time_wait'] == 5 and listener['states']['close_wait'] == 6, listener
        dual = next(l for l in ns['listeners'] if l['port'] == 8002)
        assert dual['states']['established'] == 5, dual
        assert dual['backlog'] == 64, dual
        del keep
    in_new_namespace(body)


@test()
def saved_counters_equal_nstat():
    def body():
        keep = a_bit_of_everything()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'case.json')
            run('doctor', '--once', '--netns', 'self', '--save', path, status=(0, 1, 3))
            with open(path, encoding='utf-8') as f:
                saved = json.load(f)
            assert os.stat(path).st_mode & 0o077 == 0, 'a saved observation is for its owner only'
        text = json.dumps(saved)
        want = dict(line.split()[:2] for line in shell('nstat -asz').splitlines() if not line.startswith('#'))
        for name in ('TW', 'TCPTimeWaitOverflow', 'ListenOverflows'):
            assert re.search(rf'"{name}"\W+{want["TcpExt" + name]}\b', text) or \
                re.search(rf'"name": ?"{name}", ?"value": ?{want["TcpExt" + name]}\b', text), (name, want['TcpExt' + name])
        del keep
    in_new_namespace(body)


@test()
def a_saved_observation_gives_the_same_findings():
    def body():
        listener = socket.create_server(('127.0.0.1', 8003), backlog=64)
        for _ in range(150):  # the server closes first: a harmless pile
            with socket.create_connection(('127.0.0.1', 8003)) as client:
                listener.accept()[0].close()
                assert client.recv(1) == b''
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'case.json')
            live = json.loads(run('doctor', '--netns', 'self', '--interval', '0.2', '--json', '--save', path, status=(0, 1, 3)).stdout)
            again = json.loads(run('doctor', '--json', '--from', path, status=(0, 1, 3)).stdout)
        assert live['findings'] == again['findings'], (live['findings'], again['findings'])
        assert [f['id'] for f in live['findings']] == ['TW002'], live['findings']
    in_new_namespace(body)


@test()
def doctor_sees_every_namespace_and_names_the_leaking_process():
    leak = subprocess.Popen(['unshare', '-n', 'sh', '-c', f'ip link set lo up && exec {FILL} close-wait 120'],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        leak.stdout.readline()
        doc = json.loads(run('doctor', '--once', '--json', status=(0, 1, 3)).stdout)
        inode = os.stat(f'/proc/{leak.pid}/ns/net').st_ino
        found = [f for f in doc['findings'] if f['id'] == 'CW001' and f['netns_inode'] == inode]
        assert found, doc['findings']
        # fill accepts nothing to the end: it accepts, then never reads.
        assert f'fill[{leak.pid}]' in found[0]['process'], found[0]
        one = json.loads(run('status', '--once', '--json', '--netns', str(leak.pid), status=(0, 3)).stdout)
        assert one['netns'][0]['inode'] == inode and one['netns'][0]['states']['close_wait'] == 120, one
    finally:
        leak.stdin.close()
        leak.wait()


@test()
def a_named_namespace_is_found_by_its_name():
    name = f'lastack-test-{os.getpid()}'
    subprocess.run(['ip', 'netns', 'add', name], check=True)
    try:
        one = json.loads(run('status', '--once', '--json', '--netns', name, status=(0, 3)).stdout)
        assert one['netns'][0]['name'] == name, one
        everything = json.loads(run('status', '--once', '--json', status=(0, 3)).stdout)
        assert name in [n['name'] for n in everything['netns']], everything
    finally:
        subprocess.run(['ip', 'netns', 'delete', name], check=True)


@test()
def without_privileges_it_works_and_says_what_it_cannot_see():
    p = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', LASTACK, 'doctor', '--once', '--json'],
                       capture_output=True, text=True, check=False)
    assert p.returncode in (1, 3), (p.returncode, p.stdout, p.stderr)
    doc = json.loads(p.stdout)
    assert doc['missing'], doc
    text = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', LASTACK, 'doctor', '--once'],
                          capture_output=True, text=True, check=False).stdout
    assert 'not seen' in text.lower(), text


@test(needs_root=False)
def wrong_arguments_are_one_line_and_exit_2():
    for args in (['nonsense'], ['doctor', '--nonsense'], ['doctor', '--interval', 'soon'], ['doctor', '--fail-on', 'never'],
                 ['doctor', '--only', 'XX999'], ['explain', 'XX999'], ['status', '--netns', ''], ['doctor', '--from'],
                 ['doctor', '--interval', '-1'], ['doctor', '--interval', '1e9'], ['status', 'surplus'], ['knobs', '-x'],
                 ['doctor', '--from', '/dev/null', '--netns', 'self']):
        p = run(*args, status=2)
        assert p.stdout == '', (args, p.stdout)
        assert 1 <= len(p.stderr.strip().splitlines()) <= 2, (args, p.stderr)
        assert p.stderr.startswith('lastack'), (args, p.stderr)


@test(needs_root=False)
def a_file_that_is_no_observation_is_refused_in_one_line():
    for content in (b'', b'{', b'[]', b'{"schema":2}', b'\xff' * 100, b'{"schema":1,"kind":"lastack-observation"}', b'[' * 100000):
        with tempfile.NamedTemporaryFile() as f:
            f.write(content)
            f.flush()
            p = run('doctor', '--from', f.name)
            assert p.returncode in (2, 4) and p.stdout == '', (content[:40], p.returncode, p.stdout)
            assert len(p.stderr.strip().splitlines()) == 1 and f.name in p.stderr, (content[:40], p.stderr)
    assert run('doctor', '--from', '/no/such/file').returncode in (2, 4)


@test(needs_root=False)
def a_closed_pipe_ends_it_quietly_and_a_full_disk_does_not():
    p = subprocess.run(['sh', '-c', f'{LASTACK} knobs | head -n 1; exit 0'], capture_output=True, text=True, check=False)
    assert p.stderr == '' and len(p.stdout.splitlines()) == 1, (p.stdout, p.stderr)
    with open('/dev/full', 'w', encoding='ascii') as full:
        p = subprocess.run([LASTACK, 'knobs'], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert p.returncode == 4 and 'cannot write' in p.stderr, (p.returncode, p.stderr)


@test(needs_root=False)
def ctrl_c_during_the_interval_ends_it_at_once():
    started = time.monotonic()
    child = subprocess.Popen([LASTACK, 'doctor', '--netns', 'self', '--interval', '30'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # It has caught the signal once SIGINT is in SigCgt; that is the event to wait for.
    while True:
        with open(f'/proc/{child.pid}/status', encoding='ascii') as f:
            caught = int(re.search(r'SigCgt:\s*(\w+)', f.read())[1], 16)
        if caught & 1 << (signal.SIGINT - 1):
            break
        assert time.monotonic() - started < 10 and child.poll() is None, 'never caught SIGINT'
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=10)
    assert child.returncode == 130 and out == b'', (child.returncode, out)
    assert time.monotonic() - started < 10


def on_a_terminal(*args, rows=24, columns=80):
    """What the command prints on a terminal of this size, and its exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(LASTACK, [LASTACK, *args], {**os.environ, 'TERM': 'xterm'})
    import fcntl
    import termios
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
    out = b''
    while select.select([fd], [], [], 30)[0]:
        try:
            chunk = os.read(fd, 65536)
        except OSError:
            break
        if not chunk:
            break
        out += chunk
    _, how = os.waitpid(pid, 0)
    os.close(fd)
    return out.decode(errors='replace').replace('\r\n', '\n'), os.waitstatus_to_exitcode(how)


@test()
def the_first_screen_fits_24_lines_of_80_columns():
    def body():
        keep = a_bit_of_everything()
        leak = subprocess.Popen([FILL, 'close-wait', '150'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        leak.stdout.readline()
        subprocess.run(['sysctl', '-qw', 'net.ipv4.tcp_fin_timeout=70', 'net.ipv4.tcp_syncookies=0', 'net.ipv4.tcp_timestamps=0',
                        'net.ipv4.ip_local_port_range=40000 40031'], check=True)
        for command in ('doctor', 'status'):
            plain = run(command, '--once', '--netns', 'self', status=(0, 1, 3), env={**os.environ, 'COLUMNS': '80'}).stdout
            assert len(plain.splitlines()) <= 24, f'{command}: {len(plain.splitlines())} lines\n{plain}'
            assert max(len(line) for line in plain.splitlines()) <= 80, plain
            assert '\x1b' not in plain, 'colours in a pipe'
        coloured, _ = on_a_terminal('doctor', '--once', '--netns', 'self')
        assert '\x1b[' in coloured, 'no colours on a terminal'
        leak.stdin.close()
        leak.wait()
        del keep
    in_new_namespace(body)


def left_of_interop():
    """Processes and folders that a run of interop leaves or has now."""
    names = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/comm', encoding='utf-8', errors='replace') as f:
                names.append(f.read().strip())
        except OSError:
            pass  # it has ended
    folders = os.listdir('/run/lastack-lab') if os.path.isdir('/run/lastack-lab') else []
    return [n for n in names if n.startswith('interop-')], folders


def interop_begun(part):
    """A long run that has got as far as a process of its own for that part."""
    child = subprocess.Popen([LASTACK, 'interop', part, '--transfers', '100000'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 20
    while not any(name == f'interop-{part[:7]}' for name in left_of_interop()[0]):
        assert time.monotonic() < deadline and child.poll() is None, 'interop does not begin'
    return child


@test()
def ctrl_c_ends_interop_at_once_and_nothing_is_left():
    folders = left_of_interop()[1]
    for sig, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        child = interop_begun('transfers')
        child.send_signal(sig)
        out, err = child.communicate(timeout=20)
        assert child.returncode == status and err == b'', (child.returncode, err)
        assert b'(interrupted)' in out, out
        assert left_of_interop() == ([], folders), left_of_interop()


@test()
def what_a_killed_interop_leaves_the_next_one_takes_away():
    folders = left_of_interop()[1]
    child = interop_begun('transfers')
    child.kill()
    child.communicate(timeout=20)
    deadline = time.monotonic() + 20
    while left_of_interop()[0]:  # they die with it
        assert time.monotonic() < deadline, left_of_interop()
    run('interop', 'half', '-4', status=0)
    assert left_of_interop() == ([], folders), left_of_interop()


@test()
def wireshark_finds_nothing_wrong_in_what_the_engine_sends():
    if not shutil.which('tshark') or not shutil.which('curl'):
        raise Skip('tshark or curl is not installed')
    from_engine = '(ip.src==10.77.9.2||ipv6.src==fd77:9::2)'
    wrong = '(tcp.checksum.status==0||ip.checksum.status==0||_ws.malformed)'
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'interop.pcap')

        def found(what):
            p = subprocess.run(['tshark', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE',
                                # Transfers are of random octets: what a dissector above TCP would make of them, and of what is sent twice, is not meant.
                                '-o', 'tcp.desegment_tcp_streams:FALSE', '-Y', f'{from_engine}&&{what}'],
                               capture_output=True, text=True, check=True)
            return p.stdout
        run('interop', 'curl', 'half', '--pcap', path, status=0)
        assert len(found('tcp').splitlines()) > 1000
        # Retransmissions come of a busy machine, closed windows of a slow reader; these come of nothing but a mistake.
        noted = '(' + '||'.join(f'tcp.analysis.{x}' for x in ('lost_segment', 'ack_lost_segment', 'out_of_order', 'reused_ports')) + ')'
        assert found(wrong) == '' and found(noted) == '', found(wrong) + found(noted)
        run('interop', 'transfers', 'closings', '-4', '--pcap', path, status=0)
        assert found(wrong) == '', found(wrong)


@test()
def a_clean_namespace_has_no_findings_and_exit_0():
    def body():
        p = run('doctor', '--interval', '0.1', '--netns', 'self', '--json', status=0)
        assert json.loads(p.stdout)['findings'] == [], p.stdout
    in_new_namespace(body)


def main():
    print(f'1..{len(tests)}')
    failed = 0
    for i, (f, needs_root) in enumerate(tests, 1):
        name = f.__name__
        if needs_root and not ROOT:
            print(f'ok {i} {name} # SKIP making network namespaces needs root')
            continue
        try:
            f()
            print(f'ok {i} {name}')
        except Skip as e:
            print(f'ok {i} {name} # SKIP {e}')
        except Exception as e:  # every failure is reported, none hides the rest
            failed += 1
            print(f'not ok {i} {name}')
            print('\n'.join('# ' + line for line in f'{type(e).__name__}: {e}'.splitlines()))
        sys.stdout.flush()
    sys.exit(bool(failed))


if __name__ == '__main__':
    main()
