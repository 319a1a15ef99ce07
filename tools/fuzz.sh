#!/bin/sh
# SPDX-License-Identifier: MIT
# fuzz.sh SECONDS [BUILD]: runs every fuzzer that long from its corpus, all side by side. Inputs that break something
# are left in BUILD/crashes; new inputs go to a scratch folder, the corpus in git stays as it is.
set -u
seconds=$1
build=${2:-build-asan}
cd "$(dirname "$0")/.." || exit 1
command -v clang >/dev/null || {
	echo "clang is not installed"
	exit 77
}
CC=clang tools/build.sh "$build" -Db_sanitize=address,undefined -Db_lundef=false -Dfuzz=true -Doptimization=1 || exit 1

mkdir -p "$build/crashes"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

fuzz() {
	name=$1
	mkdir -p "$scratch/$name"
	dict=
	[ -f "tests/fuzz/$name.dict" ] && dict="-dict=tests/fuzz/$name.dict"
	# shellcheck disable=SC2086 # no dictionary is no argument
	UBSAN_OPTIONS=halt_on_error=1 "$build/tests/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 $dict \
		-artifact_prefix="$build/crashes/$name-" "$scratch/$name" "tests/fuzz/corpus/$name" >"$scratch/$name.log" 2>&1 && return 0
	tail -n 40 "$scratch/$name.log"
	echo "fuzz_$name failed; the input is in $build/crashes"
	return 1
}

pids=
for name in tests/fuzz/corpus/*/; do
	fuzz "$(basename "$name")" &
	pids="$pids $!"
done
for pid in $pids; do
	wait "$pid" || status=1
done
exit $status
