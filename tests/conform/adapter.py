# SPDX-License-Identifier: MIT
"""adapter.py - liblastack-packetdrill.so from Python: the engine on virtual time, by the hooks packetdrill uses."""
import ctypes
import os
import socket

NAMES = '''userdata free socket bind listen accept connect read readv recv recvfrom recvmsg write writev send sendto sendmsg fcntl ioctl close
    shutdown getsockopt setsockopt poll netdev_send netdev_receive usleep gettimeofday epoll_create epoll_ctl epoll_wait pipe splice'''.split()
POINTER, INT, SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t
TYPES = {  # what follows userdata; the result is an int, but for read and write
    'free': [], 'socket': [INT, INT, INT], 'bind': [INT, POINTER, ctypes.c_uint], 'listen': [INT, INT],
    'accept': [INT, POINTER, POINTER], 'connect': [INT, POINTER, ctypes.c_uint], 'read': [INT, POINTER, SIZE],
    'write': [INT, POINTER, SIZE], 'close': [INT], 'shutdown': [INT, INT], 'fcntl': [INT, INT, INT], 'netdev_send': [POINTER, SIZE],
    'netdev_receive': [POINTER, POINTER, POINTER], 'usleep': [ctypes.c_uint]}


class Interface(ctypes.Structure):
    _fields_ = [(name, POINTER) for name in NAMES]


def sockaddr(addr, port):
    return ctypes.create_string_buffer(socket.AF_INET.to_bytes(2, 'little') + port.to_bytes(2, 'big') + socket.inet_aton(addr) + bytes(8), 16)


class Stack:
    """One engine. Calls that fail raise OSError with the errno of the hook."""

    def __init__(self, library, flags=''):
        self.library = ctypes.CDLL(library, use_errno=True)
        self.interface = Interface()
        self.library.packetdrill_interface_init(f'still {flags}'.encode(), ctypes.byref(self.interface))
        self.room = ctypes.create_string_buffer(65536)

    def call(self, name, *args):
        prototype = ctypes.CFUNCTYPE(ctypes.c_ssize_t if name in ('read', 'write') else INT, POINTER, *TYPES[name], use_errno=True)
        ret = prototype(getattr(self.interface, name))(self.interface.userdata, *args)
        if ret < 0:
            raise OSError(ctypes.get_errno(), f'{name}: {os.strerror(ctypes.get_errno())}')
        return ret

    def free(self):
        ctypes.CFUNCTYPE(None, POINTER)(self.interface.free)(self.interface.userdata)

    def listener(self, addr, port, backlog=16):
        fd = self.call('socket', socket.AF_INET, socket.SOCK_STREAM, 0)
        self.call('bind', fd, sockaddr(addr, port), 16)
        self.call('listen', fd, backlog)
        return fd

    def accept(self, fd):
        child = self.call('accept', fd, None, None)
        self.call('fcntl', child, 4, os.O_NONBLOCK | os.O_RDWR)  # F_SETFL
        return child

    def read(self, fd, most=65536):
        size = self.call('read', fd, self.room, min(most, len(self.room)))
        return self.room.raw[:size]

    def write(self, fd, data):
        return self.call('write', fd, data, len(data))

    def send(self, packet):
        self.call('netdev_send', packet, len(packet))

    def receive(self):
        """The next packet out; None: there is none now."""
        size, at = SIZE(len(self.room)), ctypes.c_longlong()
        self.call('netdev_receive', self.room, ctypes.byref(size), ctypes.byref(at))
        return self.room.raw[:size.value] if size.value else None

    def answers(self):
        return list(iter(self.receive, None))

    def after(self, us):
        """Lets time go by; what left meanwhile."""
        self.call('usleep', us)
        return self.answers()
