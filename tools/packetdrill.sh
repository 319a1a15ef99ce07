#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs packetdrill scripts against the engine, or natively against this kernel, each in a network namespace of its own, and
# prints a table and the share that passed. packetdrill is no part of this project: give its binary with -p.
#
#   tools/packetdrill.sh -p PACKETDRILL [-l LIBRARY] [-n] [-v] [-6|-m] [-t USECS] [-f FLAGS] [-o OPTION]... SCRIPT|FOLDER...
#
#   -p FILE    the packetdrill binary ($PACKETDRILL)
#   -l FILE    liblastack-packetdrill.so [build/src/packetdrill/liblastack-packetdrill.so]
#   -n         natively: this kernel instead of the engine
#   -v         show what packetdrill says of a script that fails, not its first line only
#   -6, -m     over IPv6, over IPv4-mapped addresses
#   -t USECS   how late a packet may be [each script's own; natively 14000]
#   -f FLAGS   for the library: report, pcap=FILE, mtu=N, engine.policy=rfc9293 ...
#   -o OPTION  one more option for packetdrill, e.g. -o --verbose
#
# As root. Exit 0: all passed; 1: some did not; 2: could not run.
set -u

usage() {
	sed -n '6s/^# *//p' "$0" >&2
	exit 2
}

here=$(cd "$(dirname "$0")/.." && pwd)
tool=${PACKETDRILL-} library=$here/build/src/packetdrill/liblastack-packetdrill.so
native=false verbose=false flags='' options=() version=4 mtu=1500
tolerance=''
while getopts 'p:l:nv6mt:f:o:' o; do
	case $o in
	p) tool=$OPTARG ;;
	l) library=$OPTARG ;;
	n) native=true ;;
	v) verbose=true ;;
	6) version=6 ;;
	m) version=m ;;
	t) tolerance=$OPTARG ;;
	f) flags=$OPTARG ;;
	o) options+=("$OPTARG") ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ ! -x "$tool" ] || [ $# -eq 0 ]; then usage; fi
tool=$(realpath "$tool") library=$(realpath "$library")
$native || [ -f "$library" ] || { echo "packetdrill.sh: no $library" >&2; exit 2; }

# The addresses and definitions that the scripts of packetdrill's own suite are written for.
v4=(--local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0 --remote_ip=192.0.2.1 -D TFO_COOKIE=3021b9d889017eeb
	-D CODE=host_unreachable)
case $version in
4) how=(--ip_version=ipv4 "${v4[@]}" -D CMSG_LEVEL_IP=SOL_IP -D CMSG_TYPE_RECVERR=IP_RECVERR) ;;
m) how=(--ip_version=ipv4-mapped-ipv6 "${v4[@]}" -D CMSG_LEVEL_IP=SOL_IPV6 -D CMSG_TYPE_RECVERR=IPV6_RECVERR) ;;
6) mtu=1520 how=(--ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1
	--remote_ip=fd3d:fa7b:d17d::1 -D TFO_COOKIE=c1d1e9742a47a9bc -D CMSG_LEVEL_IP=SOL_IPV6 -D CMSG_TYPE_RECVERR=IPV6_RECVERR) ;;
esac

# Init commands of scripts end in "tc qdisc add dev tun0", so there must be one. Virtual time needs no real-time priority.
run() {
	local setup='ip link set lo up' rights=(setpriv --bounding-set -sys_nice)
	local cmd=("$tool" --send_omit_free "${how[@]}" "${options[@]}")

	if $native; then
		rights=() cmd+=("--tolerance_usecs=${tolerance:-14000}")
	else
		setup="$setup; ip tuntap add dev tun0 mode tun; ip link set tun0 mtu $mtu up"
		cmd=(env "LD_PRELOAD=$library" "${cmd[@]}" "--so_filename=$library" "--so_flags=$flags" ${tolerance:+"--tolerance_usecs=$tolerance"})
	fi
	cd "$(dirname "$1")" || exit
	timeout 100 unshare -n sh -c "$setup; exec \"\$@\"" sh "${rights[@]}" "${cmd[@]}" "$(basename "$1")" </dev/null 2>&1
}

passed=0 total=0
while IFS= read -r script; do
	total=$((total + 1))
	if said=$(run "$(realpath "$script")"); then
		passed=$((passed + 1))
		printf 'pass  %s\n' "$script"
	elif $verbose; then
		printf 'FAIL  %s\n%s\n' "$script" "$said"
	else
		printf 'FAIL  %s  %s\n' "$script" "$(grep -m 1 -E ':[0-9]+: ' <<<"$said" || head -n 1 <<<"$said")"
	fi
done < <(for what in "$@"; do
	if [ -d "$what" ]; then find "$what" -name '*.pkt' | sort; else printf '%s\n' "$what"; fi
done)
[ $total -gt 0 ] || { echo 'packetdrill.sh: no scripts' >&2; exit 2; }
printf '%d of %d passed, %d %%\n' $passed $total $((passed * 100 / total))
[ $passed -eq $total ]
