#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""embedding.py embedding.md INCLUDE-DIR liblastack.so liblastack.a CC... - the program in docs/embedding.md is complete, at most
60 lines long, compiles without a warning, and prints what the page says it prints, linked either way."""
import os
import re
import subprocess
import sys
import tempfile

page, include, shared, static, *cc = sys.argv[1:]
blocks = re.findall(r'^```(c?)\n(.*?)^```$', open(page).read(), re.M | re.S)
assert [language for language, _ in blocks] == ['c', ''], 'a program and what it prints'
program, expected = (text for _, text in blocks)
assert program.count('\n') <= 60, f'{program.count(chr(10))} lines'
with tempfile.TemporaryDirectory() as folder:
    source = os.path.join(folder, 'example.c')
    with open(source, 'w') as f:
        f.write(program)
    for library in (shared, static):
        binary = os.path.join(folder, 'example')
        subprocess.run([*cc, '-std=c17', '-Wall', '-Wextra', '-Wpedantic', '-Werror', '-I', include, source, library, '-o', binary],
                       check=True)
        env = {**os.environ, 'LD_LIBRARY_PATH': os.path.dirname(os.path.abspath(shared))}
        printed = subprocess.run([binary], stdout=subprocess.PIPE, check=True, text=True, timeout=60, env=env).stdout
        assert printed == expected, f'{os.path.basename(library)}: it printed\n{printed}'
