#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""causes.py LASTACK FILL: why connections of real programs end, told by lastack trace and doctor --trace in network namespaces of their
own: nginx, ab, curl, redis and sockets of ours, each cause configured in turn. TAP. A program that is not here skips its rows."""
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

import host
from host import LASTACK, Skip, in_new_namespace, test

host.tests.clear()

NGINX = """daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
  server {{ listen 127.0.0.1:8001; {1} location / {{ return 200 "hello"; }} }}
  server {{ listen 127.0.0.1:8002; keepalive_timeout 75s; location / {{ proxy_pass http://127.0.0.1:8001; {2} }} }} }}
"""


HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
frontend f
  bind 127.0.0.1:8003
  {}
  default_backend b
backend b
  {}
  server s 127.0.0.1:8001
"""


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skip(f'{p} is not installed')


@contextlib.contextmanager
def server(port, *command):
    """A server that is up when it can be connected to."""
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert p.poll() is None and time.monotonic() < deadline, f'{command[0]} does not start'
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(('127.0.0.1', port)).close()
                break
            select.select([], [], [], 0.02)
        yield
    finally:
        p.terminate()
        p.wait()


@contextlib.contextmanager
def nginx(settings='', proxy=''):
    need('nginx')
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        path = os.path.join(d, 'nginx.conf')
        with open(path, 'w', encoding='ascii') as f:
            f.write(NGINX.format(d, settings, proxy))
        with server(8001, 'nginx', '-c', path, '-p', d):
            yield


@contextlib.contextmanager
def haproxy(front='', back=''):
    need('haproxy')
    with nginx(), tempfile.NamedTemporaryFile('w', suffix='.cfg') as f:
        f.write(HAPROXY.format(front, back))
        f.flush()
        with server(8003, 'haproxy', '-db', '-f', f.name):
            yield


def traced(load):
    """What lastack trace says after load(): verdicts by service ('on 127.0.0.1:8001'), and its findings."""
    p = subprocess.Popen([LASTACK, 'trace', '--json', '--netns', 'self'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        text = b''
        probe = socket.create_server(('127.0.0.1', 9))
        deadline = time.monotonic() + 20
        while b':9"' not in text:  # it follows when it reports a connection of ours
            if p.poll() is not None:
                why = p.stderr.read().decode()
                raise Skip(why.strip()) if p.returncode == 3 else AssertionError(why)
            assert time.monotonic() < deadline, 'lastack trace does not begin'
            socket.create_connection(('127.0.0.1', 9)).close()
            probe.accept()[0].close()
            if select.select([p.stdout], [], [], 0.05)[0]:
                text += os.read(p.stdout.fileno(), 65536)
        probe.close()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(p.stdout.fileno())
                load()
                status = 0
            finally:
                os._exit(status)
        done = 0
        while not done:  # its lines must be read meanwhile
            done, status = os.waitpid(pid, os.WNOHANG)
            if select.select([p.stdout], [], [], 0.02)[0]:
                text += os.read(p.stdout.fileno(), 1 << 20)
        assert status == 0, f'the load ended with {status}'
        select.select([], [], [], 0.3)  # ends that are under way
        p.send_signal(signal.SIGINT)
        rest, _ = p.communicate(timeout=30)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
    end = json.loads((text + rest).strip().splitlines()[-1])
    return {s['service']: s['verdicts'] for s in end['services']}, end['findings']


def program(*command):
    need(command[0])
    return lambda: subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
                                  timeout=60)


def request(sock, n=1):
    for _ in range(n):
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        assert sock.recv(4096)


def wants(found, service, *verdicts):
    said, findings = found
    told = sorted(v.split()[0] for v in said.get(service, []))
    assert told == sorted(verdicts), (service, said, [(f['evidence'], f['service']) for f in findings])
    return [f for f in findings if f.get('service') == service]


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
            socks = []
            for _ in range(30):
                socks.append(socket.create_connection(('127.0.0.1', 8001)))
                request(socks[-1], 2)
                select.select([], [], [], 0.01)
            for s in socks:
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
            socks = []
            for _ in range(30):
                socks.append(socket.create_connection(('127.0.0.1', 8001)))
                request(socks[-1], 2)
                select.select([], [], [], 0.01)
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
        with nginx(proxy='proxy_http_version 1.1; proxy_set_header Connection "";'):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8002/'))
            for f in wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_CLIENT'):
                assert f['process'].startswith('nginx['), f
    in_new_namespace(body)


@test()
def a_proxy_as_it_comes_lets_its_server_close():
    def body():
        with nginx(proxy='proxy_http_version 1.0; proxy_set_header Connection close;'):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8002/'))
            wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_SERVER')
    in_new_namespace(body)


@test()
def haproxy_that_closes_towards_its_server_as_it_asks():
    def body():
        with haproxy(back='option http-server-close'):
            found = traced(program('ab', '-k', '-n', '400', '-c', '5', 'http://127.0.0.1:8003/'))
            wants(found, 'to 127.0.0.1:8001', 'CLOSE_PER_REQUEST_BY_SERVER')
    in_new_namespace(body)


@test()
def haproxy_resets_idle_connections_to_its_server_and_that_is_harmless():
    def body():
        with haproxy():
            found = traced(program('ab', '-n', '400', '-c', '5', 'http://127.0.0.1:8003/'))
            for f in wants(found, 'to 127.0.0.1:8001', 'LINGER0'):
                assert f['severity'] == 'info' and f['process'].startswith('haproxy['), f
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
        with haproxy(front='option nolinger'):
            found = traced(lambda: waits_for_reset(8003, 60))
            wants(found, 'on 127.0.0.1:8003', 'FIN_THEN_RST', 'CLOSE_PER_REQUEST_BY_SERVER')
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


host.main()
