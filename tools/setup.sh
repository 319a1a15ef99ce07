#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what building and testing need, as far as it is missing. On Debian as root it installs; anywhere else it
# says what to install. Exit 0: everything needed to build is there; 3: something is missing, named on stderr.
set -u

BUILD='build-essential meson ninja-build pkg-config python3 libmnl-dev libjansson-dev libbpf-dev libpcap-dev clang bpftool libcmocka-dev libncurses-dev'
CHECK='procps clang-format clang-tidy libclang-rt-14-dev iproute2 nftables net-tools codespell shellcheck mandoc git curl nginx-light haproxy redis-server apache2-utils wrk tmux xz-utils tshark python3-scapy golang-go gunicorn nodejs'

missing() {
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$p"
	done
}

can_build() {
	for tool in cc meson ninja pkg-config python3; do
		command -v "$tool" >/dev/null || return 1
	done
	pkg-config --exists libmnl jansson libbpf libpcap cmocka ncursesw
}

if ! command -v dpkg-query >/dev/null; then
	can_build && exit 0
	echo "setup: not a Debian system; install what these Debian packages hold: $BUILD" >&2
	echo "setup: and, for every check: $CHECK" >&2
	exit 3
fi

# shellcheck disable=SC2086 # lists of words
need=$(missing $BUILD $CHECK)
[ -z "$need" ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "setup: not root; to have everything, run: sudo apt-get install --no-install-recommends $need" >&2
	can_build && exit 0
	exit 3
fi

echo "setup: installing $need"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# nginx, haproxy and redis are wanted as programs, not as servers of this host: they must not be started, now or at the next boot.
no_start=
if [ ! -e /usr/sbin/policy-rc.d ]; then
	no_start=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$no_start" && chmod 755 "$no_start"
fi
# shellcheck disable=SC2086 # nothing if it is empty
trap 'rm -f "$log" $no_start' EXIT
# shellcheck disable=SC2086
if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $need; } </dev/null >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "setup: apt-get failed" >&2
	can_build && exit 0
	exit 3
fi
for server in nginx-light haproxy redis-server; do
	case " $need" in
	*" $server"*) ! command -v systemctl >/dev/null || systemctl -q disable "${server%-light}" >/dev/null 2>&1 || : ;;
	esac
done
