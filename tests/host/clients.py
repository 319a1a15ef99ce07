#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clients.py LASTACK FILL: as causes.py, for what languages bring along: Python's and Go's clients, gunicorn, node."""
import contextlib
import http.client
import importlib.util
import os
import subprocess
import sys
import tempfile
import urllib.request

import host
from host import LASTACK, in_new_namespace, test
from programs import PER_REQUEST, QUIET, listening, need, nginx_of, plain, pool, program, server, with_service

host.tests.clear()


def many(n, f):
    return lambda: [f() for _ in range(n)]


def one_call(port, path='/', reads=True):
    c = http.client.HTTPConnection('127.0.0.1', port)
    c.request('GET', path)
    answer = c.getresponse()
    if reads:
        answer.read()
    c.close()
    return answer


def reuses(port, n):
    c = http.client.HTTPConnection('127.0.0.1', port)
    for _ in range(n):
        c.request('GET', '/')
        c.getresponse().read()
    c.close()


def without_session(port):
    import requests
    requests.get(f'http://127.0.0.1:{port}/', timeout=20)


@test()
def clients_in_python():
    def body():
        with nginx_of(listening(8001), *(listening(8010 + i) for i in range(4)),
                      listening(8014, does='location / { root .; }')) as folder, \
                server(8015, sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', '--directory', '/etc/apt', '8015'):
            with open(os.path.join(folder, 'big'), 'wb') as f:
                f.write(bytes(200_000))
            rows = [
                ('to 127.0.0.1:8010', many(60, lambda: urllib.request.urlopen('http://127.0.0.1:8010/').read()), [PER_REQUEST]),
                ('to 127.0.0.1:8011', many(60, lambda: one_call(8011)), ['CLOSE_PER_REQUEST_BY_CLIENT']),
                ('to 127.0.0.1:8012', lambda: reuses(8012, 60), [QUIET]),
                ('to 127.0.0.1:8014', many(60, lambda: one_call(8014, '/big', False)), ['CLIENT_ABORT_RST']),
                # of HTTP/1.0: either side closes first, as it comes
                ('to 127.0.0.1:8015', many(60, lambda: one_call(8015)), [PER_REQUEST + '|CLOSE_PER_REQUEST_BY_CLIENT'])]
            if importlib.util.find_spec('requests'):
                rows.append(('to 127.0.0.1:8013', many(60, lambda: without_session(8013)), ['CLOSE_PER_REQUEST_BY_CLIENT']))
            with_service(rows)
    in_new_namespace(body)


def left_idle(port, n, requests=2):
    """n connections of so many requests, one after another in 2 s, left until the server closes them."""
    def load():
        for s in pool(n, plain(port), 2 / n, requests):
            s.settimeout(30)
            while s.recv(4096):
                pass
            s.close()
    return load


WSGI = """def app(environ, start):
    start('200 OK', [('Content-Length', '5')])
    return [b'hello']
"""


@test()
def gunicorn_with_workers_that_keep_nothing_and_threads_that_wait_2_s():
    def body():
        need('gunicorn')
        with tempfile.TemporaryDirectory() as d, contextlib.ExitStack() as servers:
            with open(os.path.join(d, 'hello.py'), 'w', encoding='ascii') as f:
                f.write(WSGI)
            for port, command, more in ((8020, ['gunicorn'], []), (8021, ['gunicorn'], ['--threads', '2']),
                                        (8022, ['/usr/bin/python3', '-m', 'gunicorn'], ['--threads', '2'])):
                servers.enter_context(server(port, *command, '--chdir', d, '--bind', f'127.0.0.1:{port}', *more, 'hello:app'))
            found = with_service([
                ('on 127.0.0.1:8020', left_idle(8020, 60, 1), ['CLOSE_PER_REQUEST_BY_SERVER']),
                ('on 127.0.0.1:8021', left_idle(8021, 30), ['SERVER_IDLE_TIMEOUT']),
                ('on 127.0.0.1:8022', left_idle(8022, 30), ['SERVER_IDLE_TIMEOUT'])])
        told = {f['service']: f for f in found[1]}
        assert told['on 127.0.0.1:8020']['remedies'][0]['action'].startswith('gunicorn: --worker-class gthread'), told
        for service in ('on 127.0.0.1:8021', 'on 127.0.0.1:8022'):
            assert 'the default of gunicorn (--keep-alive 2, threads)' in told[service]['what'], told[service]
    in_new_namespace(body)


NODE_SERVER = "require('http').createServer((_, answer) => answer.end('hello')).listen(8020, '127.0.0.1')"


@test()
def node_and_its_timeout():
    def body():
        need('node')
        with server(8020, 'node', '-e', NODE_SERVER):
            found = with_service([('on 127.0.0.1:8020', left_idle(8020, 30), ['SERVER_IDLE_TIMEOUT'])])
        f = next(f for f in found[1] if f['service'] == 'on 127.0.0.1:8020')
        assert 'the default of Node.js (keepAliveTimeout 5 s' in f['what'], f
        assert f['process'].startswith('node['), f
        assert f['remedies'][0]['action'].startswith('node: server.keepAliveTimeout'), f
    in_new_namespace(body)


GO_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'goclient.go')


@contextlib.contextmanager
def go_client():
    """goclient.go, built: gives what makes a load of it."""
    need('go')
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(['go', 'build', '-o', d, GO_CLIENT], cwd=d, check=True, timeout=120, stdin=subprocess.DEVNULL,
                       env={**os.environ, 'GO111MODULE': 'off', 'CGO_ENABLED': '0', 'GOCACHE': f'{os.path.dirname(LASTACK)}/go-cache'})

        def client(port, mode, n, concurrent=1, path='/', pause='0s', linger='0s'):
            return program('env', f'PAUSE={pause}', f'LINGER={linger}', f'{d}/goclient', f'http://127.0.0.1:{port}{path}', mode, str(n),
                           str(concurrent))
        yield client


@test()
def go_clients_right_and_wrong():
    def body():
        idle = 'keepalive_timeout 1s;'
        slow = 'auth_basic a; auth_basic_user_file /dev/null; auth_delay 20ms;'  # so that 50 requests do run at once
        files = 'location / { root .; }'
        blocks = [listening(8010 + i, idle) for i in (0, 1, 4, 5, 6, 8)] + [listening(8010 + i, slow, files) for i in (2, 3)]
        with go_client() as go, nginx_of(listening(8001), *blocks, listening(8017, idle, files), listening(8019, idle, files)) as folder:
            with open(os.path.join(folder, 'big'), 'wb') as f:
                f.write(bytes(200_000))
            rows = (
                ('to 127.0.0.1:8010', go(8010, 'never-read', 30, pause='20ms', linger='3s'), ['PEER_IGNORES_FIN', 'SERVER_IDLE_TIMEOUT']),
                # The server's FIN waits behind data: nobody is in CLOSE_WAIT. Its last data go out when the window lets them, with or without
                # a probe 50 ms later: where half of them did, no idle time is that of most.
                ('on 127.0.0.1:8017', go(8017, 'never-read', 30, path='/big', pause='20ms', linger='3s'),
                 ['SERVER_IDLE_TIMEOUT|INSUFFICIENT']),
                ('to 127.0.0.1:8011', go(8011, 'close-unread', 100), ['CLOSE_PER_REQUEST_BY_CLIENT']),
                ('to 127.0.0.1:8019', go(8019, 'close-unread', 100, path='/big'), ['CLIENT_ABORT_RST']),
                ('to 127.0.0.1:8012', go(8012, 'read', 1000, 50), ['CLIENT_POOL_TOO_SMALL']),
                ('to 127.0.0.1:8013', go(8013, 'pool', 1000, 50), [QUIET]),
                ('to 127.0.0.1:8014', go(8014, 'no-keep-alive', 100), [PER_REQUEST]),
                ('to 127.0.0.1:8015', go(8015, 'transport-each', 60, pause='20ms', linger='2s'), ['SERVER_IDLE_TIMEOUT']),
                ('to 127.0.0.1:8016', go(8016, 'read', 100), [QUIET]),
                ('to 127.0.0.1:8018', go(8018, 'never-close', 100), [QUIET]))
            told = {(f['service'], f['id']): f['what'] for f in with_service(rows)[1]}
            assert 'sits in CLOSE_WAIT' in told['to 127.0.0.1:8010', 'KA009'], told
            assert 'opens another instead' in told['to 127.0.0.1:8015', 'KA006'], told
    in_new_namespace(body)


host.main()
