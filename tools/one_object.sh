#!/bin/sh
# SPDX-License-Identifier: MIT
# one_object.sh WHOLE.a OUT.a CC [LINK-ARG...] - all objects of an archive as one, in which only what is exported (LA_API)
# keeps its name: a static library that takes no other name from the program it is linked into.
set -eu
whole=$1 out=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
case " $* " in
*' -flto'*) set -- "$@" -flinker-output=nolto-rel ;;
esac
"$@" -r -nostdlib -o "$dir/lastack.o" -Wl,--whole-archive "$whole" -Wl,--no-whole-archive
objcopy --localize-hidden "$dir/lastack.o"
rm -f "$out"
ar rcs "$out" "$dir/lastack.o"
