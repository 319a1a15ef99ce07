#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""trace.py LASTACK FILL: lastack trace and run on the running kernel, in network namespaces of their own: each way to end a
connection, whose process is named and whose is not. TAP. Skipped where BPF programs do not load."""
import errno
import fcntl
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import host
from host import LASTACK, Skip, in_new_namespace, on_one_processor, run, shell, test

host.tests.clear()


class Tracing:
    """lastack trace --json in the background; it follows sockets from when `with` begins."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        try:
            return self.begin()
        except BaseException:
            self.__exit__()
            raise

    def begin(self):
        self.p = subprocess.Popen([LASTACK, 'trace', '--json', '--netns', 'self', *self.args], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.text = b''
        # It is ready when it reports a connection of ours: probes, until one is seen.
        listener = socket.create_server(('127.0.0.1', 9))
        deadline = time.monotonic() + 20
        while b':9"' not in self.text:
            if self.p.poll() is not None:
                why = self.p.stderr.read().decode()
                raise Skip(why.strip()) if self.p.returncode == 3 else AssertionError(why)
            assert time.monotonic() < deadline, 'lastack trace does not begin'
            socket.create_connection(('127.0.0.1', 9)).close()
            listener.accept()[0].close()
            if select.select([self.p.stdout], [], [], 0.05)[0]:
                self.text += os.read(self.p.stdout.fileno(), 65536)
        listener.close()
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
        self.p.communicate()

    def record(self):
        while b'\n' not in self.text:
            more = os.read(self.p.stdout.fileno(), 65536)
            assert more, 'lastack trace ended'
            self.text += more
        line, _, self.text = self.text.partition(b'\n')
        return json.loads(line)

    def until(self, condition):
        """Records as they come, until the condition holds for all of them."""
        seen = []
        while not condition(seen):
            record = self.record()
            if not record['server'].endswith(':9'):
                seen.append(record)
        return seen

    def both(self, port):
        """The records of both ends of one connection to this port: client's, server's."""
        def of(seen, local):
            return [r for r in seen if r['server'].endswith(f':{port}') and r['local'] == local]
        seen = self.until(lambda s: of(s, 'client') and of(s, 'server'))
        return of(seen, 'client')[0], of(seen, 'server')[0]

    def end(self):
        self.p.send_signal(signal.SIGINT)
        out, err = self.p.communicate(timeout=30)
        assert self.p.returncode == 0, (self.p.returncode, err)
        return json.loads((self.text + out).strip().splitlines()[-1])


def connected(port, family=socket.AF_INET):
    address = '127.0.0.1' if family == socket.AF_INET else '::1'
    listener = socket.create_server((address, port), family=family)
    client = socket.create_connection((address, port))
    server = listener.accept()[0]
    listener.close()
    return client, server


def exchange(client, server, n=1):
    for _ in range(n):
        client.sendall(b'q' * 100)
        server.recv(1000)
        server.sendall(b'a' * 500)
        client.recv(1000)


def ours(record):
    return record['pid'] == os.getpid() and record['comm'] == open('/proc/self/comm', encoding='ascii').read().strip()


def gives_reasons():
    """Why a RST was sent (6.10). Without it, only who received it can tell that data came too late."""
    return tuple(int(n) for n in re.findall(r'\d+', os.uname().release)[:2]) >= (6, 10)


def counter(name):
    with open('/proc/net/netstat', encoding='ascii') as f:
        names, numbers = (line.split() for line in f if line.startswith('TcpExt:'))
    return int(dict(zip(names, numbers))[name])


def until_read_eof(*socks):
    for s in socks:
        s.settimeout(10)
        assert s.recv(1) == b''


@test()
def a_close_names_its_process_side_and_requests():
    def body():
        with Tracing() as t:
            client, server = connected(8001)
            exchange(client, server, 3)
            client.close()
            until_read_eof(server)
            server.close()
            c, s = t.both(8001)
            for r in c, s:
                assert (r['how'], r['first'], r['call'], r['requests']) == ('fin', 'client', 'close', 3), r
                assert (r['client_bytes'], r['server_bytes'], r['whole']) == (300, 1500, True), r
                assert ours(r['closer']), r
            assert ours(c['opener']) and s['opener'] is None
            client, server = connected(8002, socket.AF_INET6)
            exchange(client, server)
            server.close()
            until_read_eof(client)
            client.close()
            for r in t.both(8002):
                assert (r['how'], r['first'], r['requests'], r['server']) == ('fin', 'server', 1, '[::1]:8002'), r
            end = t.end()
            assert end['lost'] == 0 and end['live'], end
    in_new_namespace(body)


@test()
def a_thread_with_a_name_of_its_own_is_its_process():
    def body():
        with Tracing() as t:
            def work():
                with open(f'/proc/self/task/{threading.get_native_id()}/comm', 'w', encoding='ascii') as f:
                    f.write('worker_1')
                client, server = connected(8001)
                client.close()
                until_read_eof(server)
                server.close()
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            for r in t.both(8001):
                assert ours(r['closer']), r['closer']
    in_new_namespace(body)


@test()
def shutdown_exit_and_close_are_told_apart():
    def body():
        with Tracing() as t:
            for port, how in ((8001, socket.SHUT_WR), (8002, socket.SHUT_RDWR)):
                client, server = connected(port)
                client.shutdown(how)
                until_read_eof(server)
                server.close()
                client.close()
                c, s = t.both(port)
                assert c['call'] == 'shutdown' and s['call'] == 'close' and ours(c['closer']), (c, s)
            client, server = connected(8003)
            r, w = os.pipe()
            child = os.fork()
            if child == 0:
                server.close()
                os.close(w)
                os.read(r, 1)  # until the client is ours alone
                os.kill(os.getpid(), signal.SIGKILL)
            client.close()
            os.close(w)
            os.waitpid(child, 0)
            until_read_eof(server)
            server.close()
            c, s = t.both(8003)
            assert c['call'] == 'exit' and c['closer']['pid'] == child, c
            assert ours(c['opener']) and ours(s['closer']), (c, s)
    in_new_namespace(body)


@test()
def a_reset_has_its_reason_and_the_peer_names_nobody():
    def body():
        with Tracing() as t:
            client, server = connected(8001)
            exchange(client, server)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            client.close()
            c, s = t.both(8001)
            assert (c['how'], c['first'], c['rst_kind'], c['call']) == ('rst', 'client', 'linger_0', 'close'), c
            assert ours(c['closer']), c
            assert (s['how'], s['first'], s['closer'], s['call']) == ('rst', 'client', None, 'unknown'), s
            server.close()
            client, server = connected(8002)
            client.sendall(b'never read')
            while not shell("ss -Htn state established 'sport = 8002'").split()[0] == '10':
                pass
            server.close()
            c, s = t.both(8002)
            assert (s['first'], s['rst_kind'], s['unanswered']) == ('server', 'unread', True) and ours(s['closer']), s
            assert c['closer'] is None and c['first'] == 'server', c
            client.close()
            client, server = connected(8003)  # with both the kernel counts unread data: TCPAbortOnClose
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            client.sendall(b'never read')
            assert server.recv(10, socket.MSG_PEEK | socket.MSG_WAITALL)
            before = counter('TCPAbortOnClose')
            server.close()
            c, s = t.both(8003)
            assert counter('TCPAbortOnClose') == before + 1 and s['rst_kind'] == 'unread', s
            client.close()
    in_new_namespace(body)


@test()
def a_close_after_shutdown_with_the_answer_unread_is_a_reset():
    def body():
        with Tracing() as t:
            for port, peer_first in ((8001, False), (8002, True)):
                client, server = connected(port)
                client.sendall(b'q')
                client.shutdown(socket.SHUT_WR)
                server.recv(1)
                until_read_eof(server)
                server.sendall(b'answer')
                assert client.recv(6, socket.MSG_PEEK | socket.MSG_WAITALL)
                if peer_first:  # its FIN makes a TIME_WAIT of it, whoever reads
                    server.close()
                    while 'TIME-WAIT' not in shell(f'ss -Htan dport = {port}'):
                        pass
                client.close()
                server.close()
                c, _ = t.both(port)
                got = c['how'], c['first'], c['rst_kind'], c['half_close_data']
                assert got == (('fin', 'client', None, True) if peer_first else ('rst', 'client', 'unread', False)), c
    in_new_namespace(body)


@test()
def a_request_on_a_closed_connection_is_late_data():
    def body():
        with Tracing() as t:
            client, server = connected(8001)
            exchange(client, server)
            server.close()
            while 'FIN-WAIT-2' not in shell('ss -Htan sport = 8001'):
                pass
            client.sendall(b'again')
            try:
                client.recv(1)
            except ConnectionResetError:
                pass
            seen = t.until(lambda s: {r['local'] for r in s} == {'client', 'server'})
            c = [r for r in seen if r['local'] == 'client'][0]
            assert (c['how'], c['first'], c['late_data'], c['rst_kind']) == ('rst', 'server', True, 'late_data'), c
            if gives_reasons():
                assert any(r['local'] == 'server' and r['late_data'] for r in seen), seen
            client.close()
    in_new_namespace(body)


@test()
def a_failed_open_says_why_and_who():
    def body():
        with Tracing() as t:
            subprocess.run(['sysctl', '-qw', 'net.ipv4.ip_local_port_range=50000 50003'], check=True)
            try:
                socket.create_connection(('127.0.0.1', 8001))
                raise AssertionError('connected')
            except ConnectionRefusedError:
                pass
            r = t.until(lambda s: s)[0]
            assert (r['how'], r['errno'], r['rst_kind']) == ('failed_open', 111, 'refused') and ours(r['opener']), r
            listener = socket.create_server(('127.0.0.1', 8002))
            held = []
            try:
                while True:
                    held.append(socket.create_connection(('127.0.0.1', 8002)))
            except OSError as e:
                assert e.errno == 99, e
            r = t.until(lambda s: s)[0]
            assert (r['how'], r['errno'], r['server']) == ('failed_open', 99, '127.0.0.1:8002') and ours(r['opener']), r
            end = t.end()
            assert any(s['no_port'] == 1 for s in end['services']), end
            assert any(f['id'] == 'PORT001' for f in end['findings']), end['findings']
            del listener
    in_new_namespace(body)


@test()
def a_connect_that_fails_before_its_syn_is_not_silence():
    def body():
        def bound():
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(('127.0.0.1', 5555))
            return s
        with Tracing() as t:
            listener = socket.create_server(('127.0.0.1', 8001))
            first = bound()
            first.connect(('127.0.0.1', 8001))
            for _ in range(12):
                with bound() as s:
                    assert s.connect_ex(('127.0.0.1', 8001)) == errno.EADDRNOTAVAIL
            for r in t.until(lambda s: len(s) == 12):
                assert (r['how'], r['no_syn'], r['server']) == ('failed_open', True, '127.0.0.1:8001') and ours(r['opener']), r
            shell('ip address add 192.0.2.1/32 dev lo && ip route add 192.0.2.2 dev lo src 192.0.2.1')
            waiting = socket.socket()  # nobody answers
            waiting.setblocking(False)
            assert waiting.connect_ex(('192.0.2.2', 8001)) == errno.EINPROGRESS
            waiting.close()
            r = t.until(lambda s: s)[0]
            assert (r['how'], r['no_syn']) == ('failed_open', False), r
            end = t.end()
            assert [s['no_syn'] for s in end['services'] if s['port'] == 8001 and s['failed']][0] == 12, end['services']
            f = next(f for f in end['findings'] if f['id'] == 'KA013')
            assert 'before a SYN' in f['what'] and 'no answer' not in f['what'], f
            first.close()
            listener.close()
    in_new_namespace(body)


@test()
def a_connection_that_was_there_before_is_not_whole():
    def body():
        client, server = connected(8001)
        with Tracing() as t:
            client.close()
            until_read_eof(server)
            server.close()
            c, s = t.both(8001)
            for r in c, s:
                assert (r['whole'], r['first'], r['start'], r['requests']) == (False, 'client', None, None), r
    in_new_namespace(body)


@test()
def a_peer_that_had_closed_before_the_trace_was_first():
    def body():
        client, server = connected(7051)
        exchange(client, server)
        client.close()
        until_read_eof(server)  # server: CLOSE_WAIT
        since = time.monotonic()
        with Tracing() as t:
            waited = time.monotonic() - since
            server.close()
            record = next(r for r in t.until(lambda s: [r for r in s if r['server'].endswith(':7051')]) if r['local'] == 'server')
            at_most = time.monotonic() - since
        assert record['first'] == 'client' and record['how'] == 'fin', record
        assert ours(record['closer']) and record['call'] == 'close', record
        stood = record['state_s']['close_wait']
        assert waited - 0.05 <= stood <= at_most + 0.05, (waited, stood, at_most)
        assert not record['whole'], record
    in_new_namespace(body)


@test()
def ends_of_more_sockets_than_the_near_table_holds_are_all_told():
    def body():
        n = 1500  # 3,000 sockets in a table of 1,024: the others are in the hash table
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        listener = socket.create_server(('127.0.0.1', 7053))  # has no cookie, and is no connection
        with Tracing() as t:
            pairs = [connected(7052) for _ in range(n)]
            for client, server in pairs:
                exchange(client, server)
            for client, server in pairs:
                client.close()
                until_read_eof(server)
                server.close()
            seen = t.until(lambda s: len(s) >= 2 * n)
            said = t.end()
        listener.close()
        assert said['lost'] == 0, {k: v for k, v in said.items() if 'lost' in k}
        assert sum(s['open'] for s in said['services']) == 0, said['services']
        assert len({(r['local'], r['client']) for r in seen}) == 2 * n
        for r in seen:
            assert r['whole'] and r['first'] == 'client' and r['exchanges'] == 1, r
    in_new_namespace(body)


def fdinfo(pid):
    """What the kernel says of each descriptor; those that are closed meanwhile are left out."""
    for fd in os.listdir(f'/proc/{pid}/fdinfo'):
        try:
            with open(f'/proc/{pid}/fdinfo/{fd}', encoding='ascii') as f:
                yield f.read()
        except FileNotFoundError:
            pass


@test()
def a_time_wait_has_the_process_that_closed_it():
    def body():
        closing = ("import socket, sys\nl = socket.create_server(('127.0.0.1', 8001)); print('ready', flush=True); sys.stdin.read(1)\n"
                   "for i in range(40):\n c = socket.create_connection(('127.0.0.1', 8001)); s = l.accept()[0]; c.close(); s.recv(1); s.close()")
        on_one_processor()
        with subprocess.Popen([sys.executable, '-c', closing], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p, \
             subprocess.Popen([LASTACK, 'status', '--trace', '3s', '--netns', 'self', '--json'], stdout=subprocess.PIPE) as status:
            p.stdout.readline()
            programs = 0
            while programs < 6:  # until it follows sockets
                if status.poll() is not None:
                    p.kill()
                    raise Skip('BPF programs do not load')
                programs = sum('link_type' in text for text in fdinfo(status.pid))
            p.communicate(b'x')
            said = json.loads(status.communicate()[0])
        d = said['netns'][0]['destinations'][0]
        assert (d['states']['time_wait'], d['tw_closer_known']) == (40, 40), d
        assert d['process']['pid'] == p.pid, d
    in_new_namespace(body)


@test()
def ctrl_c_leaves_nothing_behind():
    def body():
        with Tracing() as t:
            text = ''.join(fdinfo(t.p.pid))
            ours_there = re.findall(r'prog_id:\s*(\d+)', text)
            assert ours_there, text
            t.end()
        deadline = time.monotonic() + 10  # the kernel frees them a moment later
        while set(ours_there) & set(re.findall(r'^(\d+):', shell('PATH=$PATH:/usr/sbin bpftool prog show'), re.M)):
            assert time.monotonic() < deadline, 'programs are left behind'
    in_new_namespace(body)


@test()
def filters_let_only_through_what_they_name():
    def body():
        other = ("import socket; l = socket.create_server(('127.0.0.1', 8003)); c = socket.create_connection(('127.0.0.1', 8003));"
                 "s = l.accept()[0]; c.close(); s.close()")
        with Tracing('--pid', str(os.getpid())) as t:
            subprocess.run([sys.executable, '-c', other], check=True)
            client, server = connected(8002)
            client.close()
            server.close()
            seen = t.until(lambda s: any(r['server'].endswith(':8002') for r in s))
            assert not [r for r in seen if r['server'].endswith(':8003')], seen
    in_new_namespace(body)


@test()
def a_control_group_means_those_below_it_too():
    def body():
        root = shell("awk '$3 == \"cgroup2\" {print $2; exit}' /proc/self/mounts").strip()
        if not root:
            raise Skip('cgroup2 is not mounted')
        ours_is = f'lastack-test-{os.getpid()}'
        below = f'{root}/{ours_is}/below'
        os.makedirs(below)
        moved = (f"open('{below}/cgroup.procs', 'w').write('0'); import socket; l = socket.create_server(('127.0.0.1', 8003));"
                 "c = socket.create_connection(('127.0.0.1', 8003)); s = l.accept()[0]; c.close(); s.recv(1); s.close()")
        try:
            with subprocess.Popen([LASTACK, 'trace', '--json', '--netns', 'self', '--cgroup', ours_is, '--for', '20'],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
                line = b''
                while not line:  # it is not there from the first moment
                    subprocess.run([sys.executable, '-c', moved], check=True)
                    connected(8004)
                    if select.select([p.stdout], [], [], 0.05)[0]:
                        line = p.stdout.readline()
                        if not line:
                            raise Skip(p.stderr.read().decode())
                p.send_signal(signal.SIGINT)
                rest = p.communicate(timeout=30)[0].splitlines()[:-1]
            assert {json.loads(x)['server'] for x in [line, *rest]} == {'127.0.0.1:8003'}, rest
        finally:
            os.rmdir(below)
            os.rmdir(os.path.dirname(below))
    in_new_namespace(body)


CLIENT = '''
import os, socket
l = socket.create_server(('127.0.0.1', 0))
if os.fork() == 0:  # the whole tree counts
    c = socket.create_connection(l.getsockname())
    c.sendall(b'q')
    c.recv(1)
    c.close()
    os._exit(0)
s = l.accept()[0]
s.recv(1)
s.sendall(b'a')
s.recv(1)
s.close()
os.wait()
os._exit({status})
'''


@test()
def run_reports_the_connections_of_a_program_and_passes_its_status_on():
    def body():
        def groups():
            return shell("find $(awk '$3 == \"cgroup2\" {print $2; exit}' /proc/self/mounts) -name 'lastack-run-*'")

        def run_python(status, *args):
            return run('run', *args, '--json', '--each', '--', sys.executable, '-c', CLIENT.format(status=status))
        p = run_python(0)
        if p.returncode == 3:
            raise Skip(p.stderr.strip())
        assert p.returncode == 0, p.stderr
        records = [json.loads(line) for line in p.stderr.splitlines()]
        assert len(records) == 3 and records[-1]['connections'] == 2, p.stderr
        assert {r['local'] for r in records[:2]} == {'client', 'server'}, p.stderr
        assert all(r['first'] == 'client' and r['requests'] == 1 for r in records[:2]), p.stderr
        assert records[0]['closer']['pid'] != records[1]['closer']['pid'], p.stderr
        assert run_python(7).returncode == 7
        assert run('run', '--', 'sh', '-c', 'kill -TERM $$').returncode == 128 + signal.SIGTERM
        p = run('run', '--', '/nonexistent')
        assert p.returncode == 127 and p.stderr.count('\n') == 1, p
        for args in ['--', 'echo', '-n', 'a', 'b'], ['echo', '-n', 'a', 'b']:  # no argument twice, none of its own taken
            p = run('run', *args)
            assert (p.returncode, p.stdout) == (0, 'a b'), p
        p = run('run', '--', 'sh', '-c', 'tail -f /dev/null >/dev/null 2>&1 & echo $!')
        os.kill(int(p.stdout), signal.SIGTERM)
        assert p.stderr.startswith('1 process that it started still runs'), p.stderr
        assert groups() == '', groups()
        p = run('run', '--', 'sh', '-c', 'exit 7', preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert p.returncode == 7, p
        for sig in signal.SIGHUP, signal.SIGTERM, signal.SIGINT:
            for begun in False, True:  # while it loads its programs; while CMD runs
                with subprocess.Popen([LASTACK, 'run', '--', 'sh', '-c', 'echo begun; exec tail -f /dev/null'], stdout=subprocess.PIPE,
                                      stderr=subprocess.DEVNULL, start_new_session=True) as p:
                    while not groups():
                        assert p.poll() is None
                    if begun:
                        p.stdout.readline()
                    os.killpg(p.pid, sig)
                    assert p.wait(20) == 128 + sig, (sig, begun, p.returncode)
                assert groups() == '', (sig, begun, groups())
    in_new_namespace(body)


IN_A_GROUP_BELOW = '''
import os, socket
own = next(line for line in open('/proc/self/cgroup') if line.startswith('0::')).strip()[3:]
root = next(line.split()[1] for line in open('/proc/self/mounts') if line.split()[2] == 'cgroup2')
below = root + own + '/below/deep'
os.makedirs(below)
with open(below + '/cgroup.procs', 'w') as f:
    f.write('0')
l = socket.create_server(('127.0.0.1', 8001))
for i in range(3):
    c = socket.create_connection(('127.0.0.1', 8001))
    s = l.accept()[0]
    c.close()
    s.recv(1)
    s.close()
'''


@test()
def run_follows_groups_below_its_own_and_removes_them():
    def body():
        p = run('run', '--json', '--', sys.executable, '-c', IN_A_GROUP_BELOW)
        if p.returncode == 3:
            raise Skip(p.stderr.strip())
        assert p.returncode == 0 and json.loads(p.stderr)['connections'] == 6, p.stderr
        left = shell("find $(awk '$3 == \"cgroup2\" {print $2; exit}' /proc/self/mounts) -name 'lastack-run-*'")
        assert left == '', left
    in_new_namespace(body)


@test()
def what_has_begun_to_close_when_it_ends_is_still_closing():
    def body():
        with Tracing() as t:
            held = [connected(8001) for _ in range(5)]
            for client, server in held[:3]:
                client.shutdown(socket.SHUT_WR)
                until_read_eof(server)
            while len(shell('ss -Htan state fin-wait-2 dport = 8001').splitlines()) < 3:  # the ACK may take its time
                pass
            t.p.send_signal(signal.SIGINT)
            out = (t.text + t.p.communicate(timeout=30)[0]).strip().splitlines()
        end, seen = json.loads(out[-1]), [json.loads(line) for line in out[:-1]]
        both = [s for s in end['services'] if s['port'] == 8001]
        assert [(s['open'], s['closing'], s['whole']) for s in both] == [(3, 3, 0)] * 2, both
        of = {side: [r for r in seen if r['local'] == side and r['server'].endswith(':8001')] for side in ('client', 'server')}
        for side, state in (('client', 'fin_wait_2'), ('server', 'close_wait')):
            got = [(r['how'], r['first'], r['whole'], state in r['state_s']) for r in of[side]]
            assert got == [('open', 'client', False, True)] * 3, (side, got)
        assert all(ours(r['closer']) and r['call'] == 'shutdown' for r in of['client']), [r['closer'] for r in of['client']]
        assert all(r['closer'] is None for r in of['server']), [r['closer'] for r in of['server']]
        del held
    in_new_namespace(body)


@test(needs_root=False)
def without_privileges_one_line_says_what_is_missing():
    drop = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'] if os.geteuid() == 0 else []
    for command in ['trace', '--for', '1'], ['run', '--', 'true']:
        p = subprocess.run([*drop, LASTACK, *command], capture_output=True, text=True, check=False)
        assert p.returncode == 3 and p.stderr.count('\n') == 1, (p.returncode, p.stderr)
        assert re.search('root|BPF|BTF|control group', p.stderr), p.stderr


@test()
def a_reader_that_is_slow_gets_whole_lines_after_ctrl_c():
    def body():
        with Tracing() as t:
            fcntl.fcntl(t.p.stdout, fcntl.F_SETPIPE_SZ, 4096)
            for _ in range(20):
                for end in connected(8080):
                    end.close()
            waiting = b'\0\0\0\0'
            while struct.unpack('i', waiting)[0] < 4096:  # now it waits for us
                waiting = fcntl.ioctl(t.p.stdout, termios.FIONREAD, waiting)
            t.p.send_signal(signal.SIGINT)
            out, _ = t.p.communicate(timeout=30)
            lines = (t.text + out).strip().splitlines()
            assert len(lines) > 40, len(lines)
            for line in lines:
                json.loads(line)
    in_new_namespace(body)


host.main()
