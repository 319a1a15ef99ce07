#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs what meets the kernel (tests/host, in TAP) on other kernels of Debian, in QEMU: BPF programs, sock_diag and /proc differ from one to the next.
#
#   tools/kernels.sh BUILD [-t TEST]... [PACKAGE...]
#
#   BUILD      the folder with lastack; kernels are kept in BUILD/kernels
#   -t TEST    trace, top, causes, clients or host [trace top]
#   PACKAGE    [linux-image-amd64 linux-image-6.12-amd64]: Debian 12's own and the one of its backports
#
# The guest has this machine's root, read-only with a layer of memory on it, and no network. QEMU emulates: no KVM is needed, and nothing
# here is a measurement. Installs nothing; says what is missing. Exit 0: all passed; 1: some did not; 2: could not run.
set -eu

give_up() {
	echo "kernels: $1" >&2
	exit 2
}

here=$(cd "$(dirname "$0")/.." && pwd)
[ $# -ge 1 ] || give_up "usage: tools/kernels.sh BUILD [-t TEST]... [PACKAGE...]"
build=$(cd "$1" && pwd)
shift
tests=()
while getopts 't:' o; do
	case $o in
	t) tests+=("$OPTARG") ;;
	*) give_up "usage: tools/kernels.sh BUILD [-t TEST]... [PACKAGE...]" ;;
	esac
done
shift $((OPTIND - 1))
[ ${#tests[@]} -gt 0 ] || tests=(trace top)
[ $# -gt 0 ] || set -- linux-image-amd64 linux-image-6.12-amd64
[ -x "$build/lastack" ] || give_up "no $build/lastack: run make first"
for tool in qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio xz:xz-utils; do
	command -v "${tool%:*}" >/dev/null || give_up "${tool%:*} is missing: apt-get install --no-install-recommends ${tool#*:}"
done
store=$build/kernels
mkdir -p "$store"

# The package that a name without a version stands for: linux-image-amd64 -> linux-image-6.1.0-50-amd64.
newest() {
	apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

unpack() { # PACKAGE
	[ ! -d "$store/$1" ] || return 0
	(cd "$store" && apt-get download -q "$1" >/dev/null 2>&1) || give_up "$1 cannot be downloaded: apt-get update, and backports for a newer kernel"
	dpkg -x "$store/$1"_*.deb "$store/$1.part"
	rm "$store/$1"_*.deb
	mv "$store/$1.part" "$store/$1"
}

modules='drivers/virtio/virtio drivers/virtio/virtio_ring drivers/virtio/virtio_pci_legacy_dev drivers/virtio/virtio_pci_modern_dev
drivers/virtio/virtio_pci fs/netfs/netfs fs/fscache/fscache net/9p/9pnet net/9p/9pnet_virtio fs/9p/9p fs/overlayfs/overlay net/ipv4/inet_diag net/ipv4/tcp_diag'

# What the guest starts: modules in order, the layers, the tests, the end.
init() {
	cat <<-'GUEST'
		#!/bin/busybox sh
		b=/bin/busybox
		$b mount -t proc none /proc
		for m in /modules/*.ko /modules/*.ko; do $b insmod $m 2>/dev/null; done # twice: what one needs may come after it
		$b mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=loose,ro root /lower
		$b mount -t tmpfs -o size=2g none /upper
		$b mkdir /upper/changed /upper/work
		$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/changed,workdir=/upper/work none /root
		for m in proc:proc sysfs:sys devtmpfs:dev cgroup2:sys/fs/cgroup tracefs:sys/kernel/tracing bpf:sys/fs/bpf tmpfs:run; do
			$b mount -t ${m%:*} none /root/${m#*:}
		done
		$b mkdir -p /root/dev/pts /root/dev/shm /root/run/netns
		$b mount -t devpts none /root/dev/pts
		$b mount -t tmpfs none /root/dev/shm
		$b ln -s /proc/self/fd /root/dev/fd
		$b ip link set lo up
		$b echo
		$b cp /job /root/run/job
		PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root $b chroot /root /bin/bash /run/job
		$b poweroff -f
	GUEST
}

job() { # what the tests are called, and that all of them ended
	printf 'ulimit -n 8192; cd %q\n' "$here"
	for t in "${tests[@]}"; do
		printf "echo '== %s'; timeout 600 /usr/bin/python3 -u tests/host/%s.py %q" "$t" "$t" "$build/lastack"
		[ "$t" = top ] || printf ' %q' "$build/tests/bench/fill"
		printf ' 2>&1 | cat\n'
	done
	echo 'echo == end'
}

image() { # PACKAGE KERNEL: prints the initial file system
	local root n=10 m f
	root=$(mktemp -d)
	mkdir -p "$root"/{bin,modules,proc,lower,upper,root}
	cp "$(command -v busybox)" "$root/bin/busybox"
	init >"$root/init"
	chmod +x "$root/init"
	job >"$root/job"
	for m in $modules; do # what is built in has no file
		for f in "$store/$1/lib/modules/$2/kernel/$m".ko*; do
			case $f in
			*.xz) xz -dc "$f" >"$root/modules/$n.ko" ;;
			*.ko) cp "$f" "$root/modules/$n.ko" ;;
			esac
		done
		n=$((n + 1))
	done
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1)
	rm -r "$root"
}

boot() { # PACKAGE KERNEL: what the guest says
	image "$1" "$2" >"$store/$2.img"
	timeout 1800 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 4G -smp 2 -nographic -no-reboot -net none \
		-kernel "$store/$1/boot/vmlinuz-$2" -initrd "$store/$2.img" -append "console=ttyS0 quiet panic=-1" \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=root </dev/null |
		tr -d '\r'
}

status=0
for package in "$@"; do
	case $package in
	linux-image-[0-9]*.*.*) ;;
	*) package=$(newest "$package") ;;
	esac
	[ -n "$package" ] || give_up "apt knows no such kernel"
	unpack "$package"
	kernel=${package#linux-image-}
	kernel=${kernel%-unsigned}
	boot "$package" "$kernel" >"$store/$kernel.log" || :
	for t in "${tests[@]}"; do
		part=$(sed -n "/^== $t\$/,/^== /p" "$store/$kernel.log")
		ok=$(grep -c '^ok' <<<"$part" || :) bad=$(grep -c '^not ok' <<<"$part" || :)
		echo "$kernel: $t: $ok passed, $bad failed"
		[ "$ok" -gt 0 ] && [ "$bad" -eq 0 ] || status=1
	done
	grep -q '^== end' "$store/$kernel.log" || {
		echo "$kernel: did not come to its end: see $store/$kernel.log"
		status=1
	}
done
exit $status
