#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh DIR [meson options]: configures DIR once and builds it. Quiet unless something is wrong.
set -eu
dir=$1
shift
cd "$(dirname "$0")/.."
if [ ! -f "$dir/build.ninja" ]; then
	meson setup "$dir" "$@" >"/tmp/lastack-setup.$$" 2>&1 || {
		cat "/tmp/lastack-setup.$$" >&2
		rm -f "/tmp/lastack-setup.$$"
		exit 1
	}
	rm -f "/tmp/lastack-setup.$$"
fi
out=$(ninja -C "$dir" --quiet 2>&1) || {
	printf '%s\n' "$out"
	exit 1
}
