#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""causes.py LASTACK FILL: why connections of real programs end, told by lastack trace and doctor --trace in network namespaces of their
own: nginx, haproxy, ab, wrk, curl, redis and sockets of ours, each cause configured in turn. TAP. A program that is not here skips its rows."""
import contextlib
import ctypes
import json
import os
import random
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import host
from host import LASTACK, Skip, in_new_namespace, test
from programs import (
    HELLO, IDLE_NOW, PER_REQUEST, QUIET, forwarding, haproxy_of, listening, need, nginx, nginx_of, plain, pool, program, request, server,
    told_of, traced, wants, with_service)

host.tests.clear()


@test()
def ab_and_nginx_that_keeps_nothing():
    def body():
        with nginx('keepalive_timeout 0;'):
            found = traced(program('ab', '-n', '600', '-c', '5', 'http://127.0.0.1:8001/'))
            for f in wants(found, 'on 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_SERVER'):
                assert f['process'].startswith('nginx['), f
    in_new_namespace(body)


@test()
def ab_and_a_cap_of_100():
    def body():
        with nginx('keepalive_requests 100;'):
            found = traced(program('ab', '-k', '-n', '5000', '-c', '5', 'http://127.0.0.1:8001/'))
            wants(found, 'on 127.0.0.1:8001', 'REQUEST_CAP')
            assert any(f['verdict'] == 'REQUEST_CAP 100' for f in found[1])
    in_new_namespace(body)


@test()
def clients_idle_for_longer_than_nginx_waits():
    def body():
        def load():
            for s in pool(30, plain(8001), 0.01):
                assert s.recv(1) == b''
                s.close()
        with nginx('keepalive_timeout 1s;'):
            found = traced(load)
            wants(found, 'on 127.0.0.1:8001', 'SERVER_IDLE_TIMEOUT')
            assert any(f['verdict'].startswith('SERVER_IDLE_TIMEOUT 1.0') for f in found[1]), found
    in_new_namespace(body)


@test()
def a_pool_that_does_not_look():
    def body():
        def load():
            socks = pool(30, plain(8001), 0.01)
            select.select([], [], [], 1.5)
            for s in socks:
                with contextlib.suppress(OSError):
                    s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
                    s.recv(1)
                s.close()
        with nginx('keepalive_timeout 1s;'):
            for f in wants(traced(load), 'to 127.0.0.1:8001', 'STALE_REUSE', 'SERVER_IDLE_TIMEOUT'):
                assert f['id'] != 'KA008' or f['what'].startswith('30 requests lost'), f
    in_new_namespace(body)


@test()
def a_proxy_with_half_a_fix_closes_towards_its_server():
    def body():
        with nginx_of(listening(8001), forwarding(8002, 8001, 'proxy_http_version 1.1; proxy_set_header Connection "";')):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8002/'))
            for f in wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_CLIENT'):
                assert f['process'].startswith('nginx['), f
    in_new_namespace(body)


@test()
def a_proxy_as_it_comes_lets_its_server_close():
    def body():
        with nginx_of(listening(8001), forwarding(8002, 8001, 'proxy_http_version 1.0; proxy_set_header Connection close;')):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8002/'))
            wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_SERVER')
    in_new_namespace(body)


@test()
def an_upstream_that_is_down():
    def body():
        with nginx_of(listening(8001), forwarding(8002, 8009)):
            found = traced(program('ab', '-k', '-n', '60', '-c', '5', 'http://127.0.0.1:8002/'))
            for f in wants(found, 'to 127.0.0.1:8009', 'OPENS_FAIL'):
                assert f['severity'] == 'warn' and f['process'].startswith('nginx['), f
    in_new_namespace(body)


@test()
def haproxy_that_closes_towards_its_server_as_it_asks():
    def body():
        with haproxy_of((8103, '', 'option http-server-close')):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8103/'))
            wants(found, 'to 127.0.0.1:8003', 'CLOSE_PER_REQUEST_BY_SERVER')
    in_new_namespace(body)


@test()
def haproxy_resets_idle_connections_to_its_server_and_that_is_harmless():
    def body():
        with haproxy_of((8103, '', '')):
            found = traced(program('ab', '-n', '400', '-c', '5', 'http://127.0.0.1:8103/'))
            for f in wants(found, 'to 127.0.0.1:8003', 'LINGER0'):
                assert f['severity'] == 'info' and f['process'].startswith('haproxy['), f
    in_new_namespace(body)


def keeps_two_of_twenty(port):
    """Twenty requests at a time, twelve times, of a pool that keeps two."""
    kept = []
    for _ in range(12):
        socks = kept + [socket.create_connection(('127.0.0.1', port)) for _ in range(20 - len(kept))]
        for s in socks:
            request(s)
        kept = socks[:2]
        for s in socks[2:]:
            s.close()
    for s in kept:
        s.close()


@test()
def a_pool_of_two_for_twenty_requests_at_a_time():
    def body():
        with nginx():
            found = traced(lambda: keeps_two_of_twenty(8001))
            wants(found, 'to 127.0.0.1:8001', 'CLIENT_POOL_TOO_SMALL')
            wants(found, 'on 127.0.0.1:8001', 'CLIENT_POOL_TOO_SMALL')
            same_as = {f['service']: f['same_as'] for f in found[1] if f['service'].endswith(':8001')}
            assert same_as == {'to 127.0.0.1:8001': None, 'on 127.0.0.1:8001': 'to 127.0.0.1:8001'}, same_as  # one problem
    in_new_namespace(body)


def waits_for_reset(port, n):
    """n requests of a client that closes after the RST, so that who closed first is no race (curl's with haproxy is one)."""
    for _ in range(n):
        with socket.create_connection(('127.0.0.1', port)) as s:
            s.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            with contextlib.suppress(ConnectionResetError):
                while s.recv(4096):
                    pass
            reset = select.poll()
            reset.register(s, 0)  # POLLERR is told unasked
            reset.poll(20_000)


@test()
def haproxy_with_nolinger_in_front_cuts_answers():
    def body():
        with haproxy_of((8103, 'option nolinger', '')):
            found = traced(lambda: waits_for_reset(8103, 60))
            wants(found, 'on 127.0.0.1:8103', 'FIN_THEN_RST', 'CLOSE_PER_REQUEST_BY_SERVER')
    in_new_namespace(body)


@test()
def redis_benchmark_without_keep_alive():
    def body():
        need('redis-server')
        with server(6379, 'redis-server', '--port', '6379', '--save', ''):
            found = traced(program('redis-benchmark', '-k', '0', '-n', '500', '-c', '5', '-t', 'set'))
            for f in wants(found, 'to 127.0.0.1:6379', 'CLOSE_PER_REQUEST_BY_CLIENT'):
                assert f['process'].startswith('redis-benchmark['), f
    in_new_namespace(body)


@test()
def curl_again_and_again():
    def body():
        need('curl')
        with nginx():
            found = traced(program('sh', '-c', 'for i in $(seq 60); do curl -s http://127.0.0.1:8001/; done'))
            for f in wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_CLIENT'):
                assert f['process'] == 'curl', f  # sixty of them: no pid
    in_new_namespace(body)


@test()
def a_server_with_linger_0():
    def body():
        def load():
            listener = socket.create_server(('127.0.0.1', 8001))
            for _ in range(60):
                client = socket.create_connection(('127.0.0.1', 8001))
                s = listener.accept()[0]
                client.sendall(b'question')
                s.recv(100)
                s.sendall(b'answer')
                client.recv(100)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                s.close()
                client.close()
        for f in wants(traced(load), 'on 127.0.0.1:8001', 'LINGER0'):
            assert f['confidence'] == 'high' and f['process'], f
    in_new_namespace(body)


@test()
def one_connection_tells_nothing():
    def body():
        def load():
            with socket.create_connection(('127.0.0.1', 8001)) as s:
                request(s, 50)
        with nginx():
            wants(traced(load), 'to 127.0.0.1:8001', 'INSUFFICIENT')
    in_new_namespace(body)


@test()
def doctor_trace_takes_causes_into_its_findings():
    def body():
        with nginx('keepalive_timeout 0;'):
            p = subprocess.Popen([LASTACK, 'doctor', '--trace', '3', '--netns', 'self', '--json'], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
            while p.poll() is None:
                with socket.create_connection(('127.0.0.1', 8001)) as s:
                    request(s)
                    s.recv(1)
                select.select([], [], [], 0.02)
            out, err = p.communicate()
            d = json.loads(out)
            if any(m['what'] == 'closes' for m in d['missing']):
                raise Skip('BPF programs do not load')
            f = [f for f in d['findings'] if f['id'] == 'KA001']
            assert p.returncode == 1 and len(f) == 1, (p.returncode, err, d['findings'])
            assert f[0]['what'].startswith('on 127.0.0.1:8001: nginx['), f
            assert f[0]['process'].startswith('nginx['), f
    in_new_namespace(body)


def greeted(port):
    """A connection with TLS."""
    about = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    about.check_hostname = False
    about.verify_mode = ssl.CERT_NONE
    return about.wrap_socket(socket.create_connection(('127.0.0.1', port)))


def tls_once(port, stays, n=1):
    """n requests; then the client closes, or waits until the server does."""
    with greeted(port) as s:
        request(s, n)
        while stays and s.recv(4096):
            pass
        if stays:  # close_notify is not the FIN yet
            fin = select.poll()
            fin.register(s, select.POLLRDHUP)
            fin.poll(20_000)


def tls_late_goodbye(port):
    socks = pool(30, lambda: greeted(port), 0.02)
    for s in socks:
        assert s.recv(1) == b''
    for s in socks:  # long since closed by the server
        with contextlib.suppress(OSError):
            s.unwrap().close()
        s.close()


@test()
def through_tls_what_cannot_be_known_is_said_with_low_confidence():
    def body():
        need('openssl')
        with tempfile.TemporaryDirectory() as d:
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                            '-subj', '/CN=a', '-keyout', f'{d}/key', '-out', f'{d}/cert'], check=True, capture_output=True)
            with_tls = f'ssl_certificate {d}/cert; ssl_certificate_key {d}/key; ssl_protocols TLSv1.'
            rows = []  # nginx's settings, load, verdict
            for version in '2', '3':
                rows += [
                    (version, 'keepalive_timeout 0;', lambda p: [tls_once(p, True) for _ in range(60)], 'CLOSE_PER_REQUEST_BY_SERVER'),
                    (version, '', lambda p: [tls_once(p, False) for _ in range(60)], 'CLOSE_PER_REQUEST_BY_CLIENT'),
                    (version, 'keepalive_timeout 2s;', tls_late_goodbye, 'SERVER_IDLE_TIMEOUT'),
                    (version, 'keepalive_requests 100;', lambda p: [tls_once(p, True, 100) for _ in range(15)], 'REQUEST_CAP')]
            servers = [f'server {{ listen 127.0.0.1:{8100 + i} ssl; {with_tls}{version}; {settings} {HELLO} }}'
                       for i, (version, settings, _, _) in enumerate(rows)]
            with nginx_of(listening(8001), *servers):
                found = traced(lambda: [load(8100 + i) for i, (*_, load, _) in enumerate(rows)])
            for i, (*_, verdict) in enumerate(rows):
                for end in 'on', 'to':
                    for f in wants(found, f'{end} 127.0.0.1:{8100 + i}', verdict):
                        assert f['verdict'].startswith(('REQUEST_CAP 100', 'SERVER_IDLE_TIMEOUT 2.0')) or f['confidence'] == 'low', f
                        assert f['confidence'] != 'high', f
    in_new_namespace(body)


@contextlib.contextmanager
def second_namespace(serve):
    """10.91.0.2 in a namespace of its own, before which 10.91.0.1 is ours; serve() runs there, on listeners of ports 8001 and 8002."""
    r, w = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            r.close()
            assert ctypes.CDLL(None).unshare(host.CLONE_NEWNET) == 0
            w.sendall(b'1')
            w.recv(1)  # the link is there
            for command in ('addr add 10.91.0.2/24 dev vb', 'link set vb up'):
                subprocess.run(['ip', *command.split()], check=True)
            listeners = [socket.create_server(('10.91.0.2', port)) for port in (8001, 8002)]
            w.sendall(b'2')
            serve(*listeners)
        finally:
            os._exit(0)
    try:
        w.close()
        r.recv(1)
        for command in (f'link add va type veth peer name vb netns {pid}', 'addr add 10.91.0.1/24 dev va', 'link set va up'):
            subprocess.run(['ip', *command.split()], check=True)
        r.sendall(b'1')
        assert r.recv(1) == b'2'
        yield
    finally:
        r.close()
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@test()
def both_ends_in_two_namespaces_are_one_problem():
    def serve(closes, waits):
        while True:
            for listener in select.select([closes, waits], [], [])[0]:
                s = listener.accept()[0]
                while s.recv(4096):
                    s.sendall(b'answer')
                    if listener == closes:
                        break
                s.close()

    def load():
        for port in 8001, 8002:
            for _ in range(60):
                with socket.create_connection(('10.91.0.2', port)) as s:
                    s.sendall(b'question')
                    while s.recv(4096) and port == 8001:
                        pass

    def body():
        with second_namespace(serve):
            found = traced(load, 'all')
            for port, verdict, told in ((8001, 'CLOSE_PER_REQUEST_BY_SERVER', 'on'), (8002, 'CLOSE_PER_REQUEST_BY_CLIENT', 'to')):
                for end in 'on', 'to':
                    for f in wants(found, f'{end} 10.91.0.2:{port}', verdict):
                        assert f['same_as'] == (None if end == told else f'{told} 10.91.0.2:{port}'), f
                        assert end != told or f['process'], f
    in_new_namespace(body)


def ab(port, *options):
    return program('ab', *options, f'http://127.0.0.1:{port}/')


def wrk(port, seconds, *options):
    return program('wrk', '-t', '1', '-d', str(seconds), *options, f'http://127.0.0.1:{port}/')


def capped(port, cap):
    """wrk until a cap was met often enough, however slow the machine is."""
    def load():
        done = 0
        while done < 16 * cap:
            p = subprocess.run(['wrk', '-t', '1', '-c', '2', '-d', '1', f'http://127.0.0.1:{port}/'], stdin=subprocess.DEVNULL,
                               capture_output=True, text=True, check=True, timeout=60)
            done += int(re.search(r'(\d+) requests in', p.stdout)[1])
    return load




@test()
def loads_straight_at_nginx():
    def body():
        need('ab', 'wrk')
        with nginx_of(listening(8001), listening(8011), listening(8012), listening(8013, 'keepalive_timeout 0;'),
                      listening(8014, 'keepalive_requests 100;'), listening(8015, 'keepalive_requests 1000;'),
                      listening(8016, 'keepalive_requests 100000;'), listening(8017)):
            found = with_service((
                ('on 127.0.0.1:8011', ab(8011, '-n', '400', '-c', '5'), ['CLOSE_PER_REQUEST_BY_SERVER']),
                ('on 127.0.0.1:8012', ab(8012, '-k', '-n', '1000', '-c', '20'), [QUIET]),
                ('on 127.0.0.1:8013', ab(8013, '-k', '-n', '400', '-c', '5'), ['CLOSE_PER_REQUEST_BY_SERVER']),
                ('on 127.0.0.1:8014', capped(8014, 100), ['REQUEST_CAP']),
                ('on 127.0.0.1:8015', capped(8015, 1000), ['REQUEST_CAP']),
                ('on 127.0.0.1:8016', wrk(8016, 1, '-c', '20'), [QUIET]),
                ('on 127.0.0.1:8017', wrk(8017, 1, '-c', '5', '-H', 'Connection: close'), [PER_REQUEST])))
            for service, cap in (('on 127.0.0.1:8014', 'REQUEST_CAP 100'), ('on 127.0.0.1:8015', 'REQUEST_CAP 1000')):
                assert found[0][service] == [cap], (service, found[0][service])
    in_new_namespace(body)


def thinks(port, n, seconds):
    """A pool of n connections, each used again after a time of its own, whether it is open still or not."""
    def one(seed):
        rng, end, s = random.Random(seed), time.monotonic() + seconds, None
        while time.monotonic() < end:
            try:
                s = s or socket.create_connection(('127.0.0.1', port))
                request(s)
                select.select([], [], [], rng.expovariate(1 / 0.5))
            except (OSError, AssertionError):
                s.close()
                s = None
        if s:
            s.close()

    def load():
        threads = [threading.Thread(target=one, args=(i,)) for i in range(n)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    return load


@test()
def a_pool_that_thinks_for_a_while_and_does_not_look():
    def body():
        with nginx('keepalive_timeout 1s;'):
            found = traced(thinks(8001, 40, 5))
            wants(found, 'to 127.0.0.1:8001', 'STALE_REUSE', 'SERVER_IDLE_TIMEOUT')
            wants(found, 'on 127.0.0.1:8001', 'SERVER_IDLE_TIMEOUT|STALE_REUSE', *told_of(found, 'on 127.0.0.1:8001')[1:])
    in_new_namespace(body)


@test()
def nginx_as_a_proxy_with_half_a_fix_and_with_a_pool():
    small = 'CLIENT_POOL_TOO_SMALL|' + QUIET
    half = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    rows = (  # proxy, pool, upstream, concurrency, verdict
        ('proxy_http_version 1.1; proxy_set_header Connection close;', 'keepalive 32;', '', 5, 'CLOSE_PER_REQUEST_BY_SERVER'),
        ('proxy_http_version 1.0; proxy_set_header Connection "";', 'keepalive 32;', '', 5, 'CLOSE_PER_REQUEST_BY_SERVER'),
        ('proxy_http_version 1.0; proxy_set_header Connection keep-alive;', 'keepalive 8;', '', 20, small),
        (half, 'keepalive 8;', '', 20, small),
        (half, 'keepalive 2;', '', 20, small),  # how many requests run at once is up to the scheduler
        (half, 'keepalive 8;', 'keepalive_requests 100;', 20, small),
        (half, 'keepalive 32;', '', 20, IDLE_NOW))

    def body():
        need('ab')
        blocks = [listening(8001)]
        loads = []
        for i, (proxy, keeps, upstream, concurrency, verdict) in enumerate(rows):
            blocks += [listening(8100 + i, upstream), forwarding(8200 + i, 8100 + i, proxy, keeps)]
            loads.append((f'to 127.0.0.1:{8100 + i}', ab(8200 + i, '-k', '-n', '1000', '-c', str(concurrency)), [verdict]))
        with nginx_of(*blocks):
            with_service(loads)
    in_new_namespace(body)


@test()
def haproxy_in_each_mode():
    def body():
        need('ab', 'haproxy')
        keeps, short = ('-k', '-n', '400', '-c', '20'), ('-n', '400', '-c', '5')
        purged = IDLE_NOW + '|LINGER0'  # it resets what was idle for 5 s
        rows = (  # front, back, load, verdict towards its server, of its clients
            ('', 'http-reuse safe', keeps, [purged], [QUIET]),
            ('', 'http-reuse always', keeps, [purged], [QUIET]),
            ('', 'http-reuse never', keeps, [purged], [QUIET]),
            ('option httpclose', 'option httpclose', keeps, ['CLOSE_PER_REQUEST_BY_SERVER'], [PER_REQUEST]),
            ('mode tcp', 'mode tcp', short, [PER_REQUEST], [PER_REQUEST]),
            ('', 'http-reuse always', short, [purged], [PER_REQUEST]),
            ('', 'http-reuse aggressive', short, ['LINGER0'], [PER_REQUEST]))
        with haproxy_of(*((8200 + i, front, back) for i, (front, back, *_) in enumerate(rows))):
            loads = []
            for i, (_, _, load, behind, before) in enumerate(rows):
                loads += [(f'to 127.0.0.1:{8100 + i}', ab(8200 + i, *load), behind), (f'on 127.0.0.1:{8200 + i}', lambda: None, before)]
            with_service(loads)
    in_new_namespace(body)


@test()
def redis_benchmark_with_a_quota_is_no_cap():
    def body():
        need('redis-server')
        with server(6379, 'redis-server', '--port', '6379', '--save', ''):
            found = traced(program('redis-benchmark', '-k', '1', '-n', '2000', '-c', '20', '-t', 'set'))
            wants(found, 'to 127.0.0.1:6379', QUIET)
            wants(found, 'on 127.0.0.1:6379', QUIET)
    in_new_namespace(body)


host.main()
