#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""top.py LASTACK: `lastack top` driven in a terminal (tmux in control mode, which tells when the screen changed), in a
network namespace of its own where that is allowed. TAP."""
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

LASTACK = os.path.abspath(sys.argv[1])
PATIENCE_S = 30
tests = []


def test(f):
    tests.append(f)
    return f


class Terminal:
    """A tmux server with one window that runs a command; its screen is read whenever tmux says that it changed."""

    def __init__(self, command, width=80, height=24, **env):
        self.folder = tempfile.TemporaryDirectory()
        self.tmux = ['tmux', '-u', '-S', self.folder.name + '/socket', '-f', '/dev/null']
        wrap = ['unshare', '-n'] if os.geteuid() == 0 else []
        env = {**os.environ, 'LC_ALL': 'C.UTF-8', 'TERM': 'xterm-256color', **env}
        self.p = subprocess.Popen([*wrap, *self.tmux, '-C', 'new-session', '-x', str(width), '-y', str(height),
                                   f'{command}; echo "exit status $?"; read -r x'],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, bufsize=0)
        self.rest = b''

    def __enter__(self):
        while not self.line().startswith('%session-changed'):  # until then, commands have "no current target"
            pass
        return self

    def __exit__(self, *_):
        subprocess.run([*self.tmux, 'kill-server'], stderr=subprocess.DEVNULL, check=False)
        self.p.stdin.close()
        self.p.wait(PATIENCE_S)
        self.p.stdout.close()
        self.folder.cleanup()

    def line(self):
        while b'\n' not in self.rest:
            if not select.select([self.p.stdout], [], [], PATIENCE_S)[0]:
                raise AssertionError('the screen does not change any more')
            more = os.read(self.p.stdout.fileno(), 65536)
            assert more, 'tmux ended'
            self.rest += more
        line, self.rest = self.rest.split(b'\n', 1)
        return line.decode(errors='replace')

    def do(self, command):
        """What tmux answers, between its %begin and %end."""
        self.p.stdin.write(command.encode() + b'\n')
        answer = None
        while True:
            line = self.line()
            if line.startswith('%begin') and line.endswith(' 1'):  # 1: the answer to a command of this client
                answer = []
            elif answer is not None and line.startswith(('%end', '%error')):
                assert line.startswith('%end'), f'{command}: {answer}'
                return answer
            elif answer is not None:
                answer.append(line)

    def until(self, wanted, what):
        """The screen, once wanted(lines) holds."""
        end = time.monotonic() + PATIENCE_S
        while True:
            lines = self.do('capture-pane -p')
            if wanted(lines):
                return lines
            assert time.monotonic() < end, f'never seen: {what}; the screen is\n' + '\n'.join(lines)
            while not self.line().startswith('%output'):
                pass

    def until_text(self, text):
        return self.until(lambda lines: any(text in line for line in lines), text)

    def keys(self, *keys):
        self.do('send-keys ' + ' '.join(f'"{k}"' for k in keys))


def top(*more, **env):
    return Terminal(f'{LASTACK} top --netns self -i 0.2 {" ".join(more)}', **env)


@test
def first_screen_and_q():
    with top() as t:
        lines = t.until_text('q quit')
        assert lines[0].startswith('lastack top'), lines
        assert any('TIME_WAIT' in line for line in lines) and any('DESTINATION' in line for line in lines), lines
        assert len(lines) == 24, lines
        t.keys('q')
        t.until_text('exit status 0')


@test
def help_comes_and_goes():
    with top() as t:
        t.until_text('q quit')
        t.keys('?')
        t.until_text('this help')
        t.keys('?')
        t.until_text('DESTINATION')


@test
def lists_filter_and_sort():
    with top() as t:
        t.until_text('q quit')
        t.keys('l')
        t.until_text('LISTENER')
        t.keys('s')
        t.until_text('sort: TIME_WAIT')
        t.keys('r')
        t.until_text('sort: TIME_WAIT reversed')
        t.keys('/', '8', '0', 'x', 'BSpace')
        t.until_text('/80_')
        t.keys('Enter')
        t.until_text('/ filter: 80')
        t.keys('Escape')
        t.until(lambda lines: 'filter: 80' not in lines[-1], 'no filter')
        t.keys('o')
        t.until_text('FINDINGS')


@test
def pause_stops_the_clock():
    with top() as t:
        t.until_text('q quit')
        t.keys('p')
        t.until_text('PAUSED')
        t.keys('p')
        t.until(lambda lines: 'PAUSED' not in lines[0], 'going on')


@test
def a_new_listener_shows_up():
    listener = socket.socket()
    with listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        # a terminal in this namespace: no unshare
        port = listener.getsockname()[1]
        with Terminal(f'{LASTACK} top --netns {os.getpid()} -i 0.2') as t:
            t.until_text('q quit')
            t.keys('l', '/', *str(port), 'Enter')
            t.until_text(f'127.0.0.1:{port}')


CLOSER = '''
import os, socket, struct, time
listener = socket.create_server(('127.0.0.1', 8080))
end = time.monotonic() + 60
while time.monotonic() < end and os.getppid() != 1:
    for linger in True, False, False:
        c = socket.create_connection(('127.0.0.1', 8080))
        s = listener.accept()[0]
        c.sendall(b'q')
        s.recv(1)
        s.sendall(b'a')
        c.recv(1)
        if linger:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        s.close()
        c.close()
'''


@test
def who_closes_and_why_as_root_or_one_line_without():
    if os.geteuid() != 0:
        with top() as t:
            t.until_text('closers by TIME_WAIT')
        return
    with tempfile.NamedTemporaryFile('w') as script:
        script.write(CLOSER)
        script.flush()
        with Terminal(f'ip link set lo up; {sys.executable} {script.name} & {LASTACK} top --netns self -i 0.5') as t:
            lines = t.until(lambda lines: any('KA0' in line or 'closers by TIME_WAIT' in line for line in lines), 'a cause')
            if not any('closers by TIME_WAIT' in line for line in lines):
                t.until_text('RST005')
                t.keys('c')
                lines = t.until_text('by RST')
                row = next(line for line in lines if line.startswith('python3['))
                assert int(row.split()[-1].replace(',', '')) > 0, row
            t.keys('q')
            t.until_text('exit status 0')
        with Terminal(f'setpriv --reuid 65534 --regid 65534 --clear-groups {LASTACK} top') as t:
            t.until_text('closers by TIME_WAIT')
        with Terminal(f'{LASTACK} top --no-trace') as t:
            lines = t.until_text('q quit')
            assert not any('closers by TIME_WAIT' in line for line in lines), lines


@test
def resized_narrow_and_wide():
    with top() as t:
        t.until_text('q quit')
        t.do('resize-window -x 40 -y 12')
        t.until(lambda lines: len(lines) == 12 and lines[-1].startswith('q quit'), '12 rows')
        t.do('resize-window -x 20 -y 5')
        t.until_text('too small')
        t.do('resize-window -x 130 -y 40')
        t.until(lambda lines: len(lines) == 40 and lines[-1].startswith('q quit') and 'LISTEN ' in lines[1], '40 rows')


@test
def ctrl_c_leaves_a_clean_terminal():
    with top() as t:
        t.until_text('q quit')
        t.keys('C-c')
        lines = t.until_text('exit status 130')
        assert not any('DESTINATION' in line for line in lines), lines


@test
def without_colour_or_utf8():
    with top(NO_COLOR='1', LC_ALL='C') as t:
        t.until_text('q quit')
        colours = [line for line in t.do('capture-pane -p -e') if re.search(r'\x1b\[(\d+;)*3[0-7]', line)]
        assert not colours, colours


@test
def a_terminal_that_cannot():
    with Terminal(f'TERM=dumb {LASTACK} top') as t:
        t.until_text('exit status')
        assert any('lastack top:' in line for line in t.do('capture-pane -p'))


@test
def a_terminal_that_goes_away_is_the_end():
    pid, fd = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.execve(LASTACK, [LASTACK, 'top', '--netns', 'self', '--no-trace'], {**os.environ, 'TERM': 'xterm'})
    seen = b''
    while b'quit' not in seen:
        seen += os.read(fd, 65536)
    os.write(fd, b'p')  # it looks at keys only
    while b'PAUSED' not in seen:
        seen += os.read(fd, 65536)
    os.close(fd)
    ended = os.pidfd_open(pid)
    gone = select.select([ended], [], [], PATIENCE_S)[0]
    if not gone:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(ended)
    assert gone and os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP, status


@test
def a_pipe_is_refused():
    p = subprocess.run([LASTACK, 'top'], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert p.returncode == 2 and p.stdout == '', p
    assert p.stderr.count('\n') == 1 and 'needs a terminal' in p.stderr, p.stderr


def main():
    if not shutil.which('tmux'):
        print('1..0 # SKIP tmux is not installed')
        return 0
    print(f'1..{len(tests)}')
    failed = 0
    for i, f in enumerate(tests, 1):
        try:
            f()
            print(f'ok {i} - {f.__name__}', flush=True)
        except Exception as e:  # pylint: disable=broad-except
            failed += 1
            said = '\n# '.join(f'{type(e).__name__}: {e}'.split('\n'))
            print(f'not ok {i} - {f.__name__}\n# {said}', flush=True)
    return failed != 0


sys.exit(main())
