#!/bin/sh
# SPDX-License-Identifier: MIT
# The main job in two acts: diagnose this host, then make the classic outage in private namespaces and diagnose that.
set -u
build=$1
cd "$(dirname "$0")/.." || exit 1

tools/setup.sh || {
	echo "demo: cannot build here, see above" >&2
	exit 1
}
tools/build.sh "$build" || exit 1

printf '\n== 1. This host: lastack doctor\n\n'
"$build/lastack" doctor
status=$?
# 1: findings; 3: nothing found but not everything could be seen. Both are answers.
case $status in
0 | 1 | 3) ;;
*) exit "$status" ;;
esac

printf '\n== 2. The classic outage, in private network namespaces: lastack lab run outage (about 80 s)\n\n'
if [ "$(id -u)" -ne 0 ]; then
	echo "demo: making network namespaces needs root; run: sudo make demo"
	exit 0
fi
exec "$build/lastack" lab run outage
