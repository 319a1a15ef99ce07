#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""exports.py lastack.h liblastack.3 liblastack.so liblastack.a - both libraries have the names of lastack.h and no other,
the man page has each of them, the libraries keep no state of their own, and the header is C++ too."""
import os
import re
import shutil
import subprocess
import sys

header, page, shared, static = sys.argv[1:]


def out(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


text = open(header).read()
names = set(re.findall(r'^LA_API [^;(]*?\b(la_\w+)\(', text, re.M))
assert len(names) == text.count('LA_API ') - 1, 'a declaration that this test cannot read' # one is the macro's
for what, command in (('liblastack.so', ('nm', '-D', '--defined-only', shared)), ('liblastack.a', ('nm', '-g', '--defined-only', static))):
    found = {line.split()[-1] for line in out(*command).splitlines() if re.match(r'^[0-9a-f]+ [A-Z] ', line)}
    assert found == names, f'{what}: {sorted(found ^ names)}'
shown = re.findall(r'^\.Fn (la_\w+)(.*)$', open(page).read(), re.M)
assert {name for name, _ in shown} == names, f'{page}: {sorted({name for name, _ in shown} ^ names)}'
for name, args in shown:
    declared = re.search(rf'^LA_API [^;(]*\b{name}\(([^)]*)\);', text, re.M).group(1)
    declared = ' '.join(declared.split())
    written = ', '.join(re.findall(r'"([^"]*)"', args)) or args.strip()
    assert not args.strip() or declared == written, f'{name}: {declared!r} in the header, {written!r} in the man page'
# What is written to lies in .data or .bss; tables of pointers that the loader has filled in are .data.rel.ro.
state = [line for line in out('objdump', '-t', static).splitlines()
         if re.search(r'\s\.(data|bss|tdata|tbss)(\.(?!rel\.ro)\S+)?\s+0*[1-9a-f]', line) and ' .rodata' not in line]
assert not state, 'state of its own:\n' + '\n'.join(state)
if shutil.which('c++'):
    subprocess.run(['c++', '-std=c++17', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only', '-I', os.path.dirname(header), '-x', 'c++', '-'],
                   check=True, text=True, input='#include <lastack.h>\nint main() { return la_size(nullptr) != 0; }\n')
if shutil.which('mandoc'):
    subprocess.run(['mandoc', '-Tlint', '-W', 'warning', page], check=True)
