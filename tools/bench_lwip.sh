#!/bin/sh
# SPDX-License-Identifier: MIT
# bench_lwip.sh FOLDER: builds FOLDER/lwip-plain and lwip-full with Debian's -O2, lwip-plain-malloc, for more TIME_WAITs
# than lwIP's pools can hold, and lwip-plain-lto and lwip-full-lto with the flags our engine has; all from
# tests/bench/lwip_churn.c and Debian's source package of lwIP, which it fetches with apt into FOLDER. From tests/bench/lwip_bulk.c:
# lwip-bulk-64k and lwip-bulk-256k, named for their windows, and each with -lto.
# Debian's liblwip itself is built for other options, with threads and locks. LWIP_SOURCE=DIR: take lwIP from there instead.
# Exit 77: there is no lwIP to be had, with the reason on stderr.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
log=$folder/log

absent() {
	echo "bench: no lwIP: $1" >&2
	exit 77
}

# The mirror and the suite are those that this machine has liblwip-dev from.
fetch() {
	for tool in apt-get apt-cache dpkg-source; do
		command -v "$tool" >/dev/null || absent "no $tool: is this a Debian with dpkg-dev?"
	done
	where=$(apt-cache policy liblwip-dev | awk '$2 ~ "://" {sub("/", " ", $3); print $2, $3; exit}')
	[ -n "$where" ] || absent 'apt does not know liblwip-dev (apt-get update?)'
	mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial"
	echo "deb-src $where" >"$folder/apt/source.list"
	for command in update 'source --download-only lwip'; do
		# shellcheck disable=SC2086 # words of a command
		(cd "$folder" && apt-get -q -o Dir::Etc::SourceList="$folder/apt/source.list" -o Dir::Etc::SourceParts=/dev/null \
			-o Dir::State::Lists="$folder/apt/lists" -o Dir::Cache="$folder/apt/cache" $command) </dev/null >>"$log" 2>&1 ||
			absent "apt-get $command failed: $(tail -n 1 "$log")"
	done
	(cd "$folder" && dpkg-source --no-check -x lwip_*.dsc source) >>"$log" 2>&1 || absent "$(tail -n 1 "$log")"
	rm -rf "$folder/apt"
}

[ -n "${LWIP_SOURCE:-}" ] || [ -d "$folder/source" ] || fetch
lwip=${LWIP_SOURCE:-$folder/source}/src
[ -f "$lwip/core/tcp_in.c" ] || absent "no src/core/tcp_in.c in ${lwip%/src}"

bench=$here/tests/bench
build() { # NAME SOURCE plain|full|bulk FLAGS...
	program=$folder/lwip-$1 source=$2 kind=$3
	shift 3
	mkdir -p "$folder/objects"
	# lwIP is others' code: its warnings are not ours to see. Ours are.
	(cd "$folder/objects" && set -- "$@" -fno-strict-aliasing -I"$bench" -I"$bench/lwip" -I"$bench/lwip/$kind" &&
		"${CC:-cc}" -c -w "$@" -I"$lwip/include" "$lwip"/core/*.c "$lwip"/core/ipv4/*.c "$lwip"/core/ipv6/*.c &&
		"${CC:-cc}" -Wall -Wextra -Wno-unused-parameter -std=gnu17 -D_GNU_SOURCE -DLWIP_CHURN_NAME="\"lwip-$kind\"" \
			"$@" -isystem "$lwip/include" "$bench/$source" ./*.o -o "$program")
	rm -rf "$folder/objects"
}

build plain lwip_churn.c plain -O2
build full lwip_churn.c full -O2
build plain-malloc lwip_churn.c plain -O2 -DLWIP_CHURN_MALLOC
build plain-lto lwip_churn.c plain -O3 -flto=auto
build full-lto lwip_churn.c full -O3 -flto=auto
for window in 64 256; do
	build bulk-${window}k lwip_bulk.c bulk -O2 -DBULK_WINDOW=$((window << 10))
	build bulk-${window}k-lto lwip_bulk.c bulk -O3 -flto=auto -DBULK_WINDOW=$((window << 10))
done
