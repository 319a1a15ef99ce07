# SPDX-License-Identifier: MIT
"""programs.py: real servers and clients, what lastack trace says of them, and what it should."""
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from host import LASTACK, Skip

NGINX = """daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;
{1} }}
"""

HELLO = 'location / { return 200 "hello"; }'

HAPROXY = """defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
"""

# A front of haproxy, and what it forwards to.
FRONT = """frontend f{0}
  bind 127.0.0.1:{0}
  {1}
  default_backend b{0}
backend b{0}
  {2}
  server s 127.0.0.1:{3}
"""

QUIET = 'INSUFFICIENT|MASS_CLOSE'  # the load ends: MASS_CLOSE where the look takes more than 10 s
IDLE_NOW = QUIET + '|NOTHING'  # connections that stay open: NOTHING where none of them ended
PER_REQUEST = 'CLOSE_PER_REQUEST_BY_SERVER|CLOSE_PER_REQUEST_MIXED'  # both know that it is over, and race


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
def nginx_of(*blocks):
    """nginx with these blocks in http { }; the first server must listen at 8001. Gives its folder."""
    need('nginx')
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        path = os.path.join(d, 'nginx.conf')
        with open(path, 'w', encoding='ascii') as f:
            f.write(NGINX.format(d, ' '.join(blocks)))
        with server(8001, 'nginx', '-c', path, '-p', d):
            yield d


def listening(port, settings='', does=HELLO):
    return f'server {{ listen 127.0.0.1:{port}; {settings} {does} }}'


def forwarding(port, to, settings='', keeps=''):
    """A proxy before the server at port `to`."""
    return f'upstream u{port} {{ server 127.0.0.1:{to}; {keeps} }}' + \
        listening(port, 'keepalive_timeout 75s;', f'location / {{ proxy_pass http://u{port}; {settings} }}')


def nginx(settings=''):
    return nginx_of(listening(8001, settings))


@contextlib.contextmanager
def haproxy_of(*fronts):
    """haproxy with fronts (port, settings, its back's settings), each before an nginx of its own, at 100 less."""
    need('haproxy')
    with nginx_of(*(listening(p) for p in {8001, *(port - 100 for port, _, _ in fronts)})), \
            tempfile.NamedTemporaryFile('w', suffix='.cfg') as f:
        f.write(HAPROXY + ''.join(FRONT.format(port, front, back, port - 100) for port, front, back in fronts))
        f.flush()
        with server(fronts[0][0], 'haproxy', '-db', '-f', f.name):
            yield


def traced(load, *where):
    """What lastack trace says after load(): verdicts by service ('on 127.0.0.1:8001'), and its findings."""
    p = subprocess.Popen([LASTACK, 'trace', '--json', '--netns', *(where or ['self'])], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
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


def pool(n, connect, pause_s, requests=2):
    """n connections of connect(), each used when it is made, apart, so that a timer and an event can be told."""
    socks = []
    for _ in range(n):
        socks.append(connect())
        request(socks[-1], requests)
        select.select([], [], [], pause_s)
    return socks


def plain(port):
    return lambda: socket.create_connection(('127.0.0.1', port))


def told_of(found, service):
    return sorted(v.split()[0] for v in found[0].get(service, ['NOTHING']))


def wants(found, service, *verdicts):
    """These verdicts; one with a | in it is one of several that are as true: on loopback who closes first may be a race."""
    told = told_of(found, service)
    assert len(told) == len(verdicts) and all(t in w.split('|') for t, w in zip(told, sorted(verdicts))), \
        (service, found[0], [(f['evidence'], f['service']) for f in found[1]])
    return [f for f in found[1] if f.get('service') == service]


def with_service(rows):
    """One look at many services: rows of (service, load, verdicts), each told if it is wrong."""
    found = traced(lambda: [load() for _, load, _ in rows])
    wrong = []
    for service, _, verdicts in rows:
        try:
            wants(found, service, *verdicts)
        except AssertionError:
            why = [f['evidence'] for f in found[1] if f.get('service') == service]
            wrong.append(f'{service}: {found[0].get(service)}, not {verdicts}: {why}')
    assert not wrong, '; '.join(wrong)
    return found
