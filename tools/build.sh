#!/bin/sh
# SPDX-License-Identifier: MIT
# build.sh DIR [meson options]: configures DIR once and builds it. Quiet unless something is wrong. With gcc and no further options the
# engine is built with a profile of its own making (docs/adr/0053), made anew when its sources change.
set -eu
dir=$1
shift
cd "$(dirname "$0")/.."

quietly() {
	out=$("$@" 2>&1) || {
		printf '%s\n' "$out" >&2
		exit 1
	}
}

# What a connection's life runs: short ones with few and many TIME_WAITs, bulk, and hosts on bad networks.
train() {
	[ -z "$(find meson_options.txt -newer "$dir/build.ninja")" ] || quietly meson setup --reconfigure "$dir" # an option that DIR does not know yet
	quietly meson configure "$dir" -Dprofile=make
	quietly ninja -C "$dir" --quiet lastack
	find "$dir/src" -name '*.gcda' -delete
	quietly "$dir/lastack" bench churn --time-wait 0,10000
	quietly "$dir/lastack" bench bulk
	quietly "$dir/lastack" sim --seed 1 --runs 200
	quietly meson configure "$dir" -Dprofile=use
}

sources() {
	cat meson.build src/base/*.[ch] src/wire/*.[ch] src/knob/*.[ch] src/knob/*.def src/engine/*.[ch] src/engine/*.def | cksum
}

[ -f "$dir/build.ninja" ] || quietly meson setup "$dir" "$@"
if [ $# = 0 ] && [ "${CC:-cc}" = cc ] && cc --version | grep -q 'Free Software Foundation'; then
	now=$(sources)
	if [ "$now" != "$(cat "$dir/profile.of" 2>/dev/null)" ]; then
		train
		echo "$now" >"$dir/profile.of"
	fi
fi
quietly ninja -C "$dir" --quiet
