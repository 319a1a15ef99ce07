/* SPDX-License-Identifier: MIT */
#include "obs/caps.h"
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/text.h"
#include "knob/knob.h"
#include "obs/conntrack.h"
#include "obs/diag.h"
#include "obs/netns.h"
#include "obs/procfile.h"
#include "obs/procnet.h"
#include "obs/scan.h"
#include "obs/sockopts.h"
#include "obs/trace_load.h"

bool has_capability(int cap)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(SYS_capget, &head, data) == 0 && (data[CAP_TO_INDEX(cap)].effective & CAP_TO_MASK(cap));
}

bool kernel_version_parse(const char *release, int *major, int *minor)
{
	char *end;
	long a, b;

	if (*release < '0' || *release > '9')
		return false;
	a = strtol(release, &end, 10);
	if (*end != '.' || end[1] < '0' || end[1] > '9')
		return false;
	b = strtol(end + 1, NULL, 10);
	if (a > INT16_MAX || b > INT16_MAX)
		return false;
	*major = (int)a;
	*minor = (int)b;
	return true;
}

bool mount_find(const char *mounts, const char *type, char *ret, size_t cap)
{
	char line[1024], device[256], where[256], kind[32];

	while (next_line(&mounts, line, sizeof(line))) {
		const char *cursor = line;

		if (next_word(&cursor, device, sizeof(device)) && next_word(&cursor, where, sizeof(where)) &&
		    next_word(&cursor, kind, sizeof(kind)) && strcmp(kind, type) == 0) {
			if (ret)
				copy_printable(ret, cap, where);
			return true;
		}
	}
	return false;
}

void lockdown_parse(const char *text, char *ret, size_t cap)
{
	const char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	must(cap > 0);
	ret[0] = '\0';
	if (close)
		snprintf(ret, cap, "%.*s", (int)(close - open - 1), open + 1);
}

/* ---- one probe a row ---- */

struct rows {
	struct capability *v;
	size_t n;
};

PRINTF(5, 6)
static void row(struct rows *r, const char *name, bool have, const char *lost, const char *fmt, ...)
{
	struct capability *c;
	char detail[sizeof(c->detail)];
	va_list ap;

	must(r->n < CAPABILITIES_MAX);
	c = &r->v[r->n++];
	*c = (struct capability){.have = have};
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	copy_printable(c->name, sizeof(c->name), name);
	copy_printable(c->detail, sizeof(c->detail), detail);
	if (!have)
		copy_printable(c->lost, sizeof(c->lost), lost);
}

static void count_row(void *ctx, const struct diag_row *r) { *(unsigned *)ctx += r->bound; }

static void nothing(void *ctx) { (void)ctx; }

static void probe_sock_diag(struct rows *r)
{
	const struct diag_query listening = {.states = DIAG_STATE(ST_LISTEN)};
	unsigned n = 0;
	const struct diag_sink sink = {count_row, nothing, &n};
	struct diag *d = NULL;
	struct why w = {""};
	bool torn;
	int err = diag_open(&d, &w);

	if (err == 0)
		err = diag_dump(d, &listening, &sink, &torn, &w);
	diag_close(d);
	row(r, "sock_diag", err == 0, "every count of sockets, and all findings made from them", "%s",
	    err == 0 ? "a dump of listening sockets succeeded" : w.text);
}

/* Only a socket that is bound and no more can tell whether dumps show such sockets. */
static void probe_bound(struct rows *r)
{
	const struct diag_query bound = {.bound = true};
	unsigned n = 0;
	const struct diag_sink sink = {count_row, nothing, &n};
	struct sockaddr_in any_port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
	struct diag *d = NULL;
	bool torn;

	if (sock >= 0 && bind(sock, (struct sockaddr *)&any_port, sizeof(any_port)) == 0 && diag_open(&d, NULL) == 0)
		(void)diag_dump(d, &bound, &sink, &torn, NULL);
	diag_close(d);
	if (sock >= 0)
		close(sock);
	row(r, "sockets that are only bound", n > 0, "how many ports bind() before connect() holds (PORT003)", "%s",
	    n ? "sock_diag showed one of ours (BOUND_INACTIVE)" : "sock_diag does not show ours; needs kernel 6.8");
}

static void probe_destroy(struct rows *r)
{
	struct utsname u;
	int major = 0, minor = 0;
	bool new_enough =
		uname(&u) == 0 && kernel_version_parse(u.release, &major, &minor) && KV(major, minor) >= KV(6, 0);

	row(r, "TIME_WAIT destroy", new_enough && has_capability(CAP_NET_ADMIN), "clearing TIME_WAITs by hand (ss -K)",
	    "%s",
	    !new_enough                     ? "needs kernel 6.0"
	    : has_capability(CAP_NET_ADMIN) ? "judged by the kernel version and CAP_NET_ADMIN, not tried"
					    : "no CAP_NET_ADMIN");
}

static bool folder_opens(const char *path)
{
	DIR *d = opendir(path);

	if (d)
		closedir(d);
	return d != NULL;
}

static void probe_proc(struct rows *r)
{
	char link[64];
	bool may = has_capability(CAP_SYS_PTRACE), one = readlink("/proc/1/ns/net", link, sizeof(link)) > 0;

	row(r, "own /proc", folder_opens("/proc/self/fd"), "which process has a socket", "/proc/self/fd");
	row(r, "other users' /proc", may, "which process has a socket, leaks by process (CW001, CW002, CW003)", "%s",
	    may && one                    ? "CAP_SYS_PTRACE, and even process 1 shows its links"
	    : may                         ? "CAP_SYS_PTRACE; but process 1 does not show its links"
	    : access("/proc/1", F_OK) < 0 ? "/proc is mounted with hidepid"
					  : "no CAP_SYS_PTRACE; run as root");
}

static void probe_pidfd(struct rows *r)
{
	static const char lost[] = "socket options (RESTART001, RST002, CFG008), descriptors of dead sockets (CW003)";
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), self = pidfd(getpid());
	int copy = sock < 0 ? sock : self < 0 ? self : tcp_borrow(self, sock);

	row(r, "pidfd_getfd", copy >= 0, lost, "%s",
	    copy >= 0 ? has_capability(CAP_SYS_PTRACE) ? "borrowed a socket of our own; others' by CAP_SYS_PTRACE"
						       : "borrowed a socket of our own; others' need CAP_SYS_PTRACE"
	    : copy == -ENOSYS ? "needs kernel 5.6"
			      : strerror(-copy));
	for (size_t i = 0; i < 3; i++) {
		int fd = (const int[]){sock, self, copy}[i];

		if (fd >= 0)
			close(fd);
	}
}

static void probe_netns(struct rows *r)
{
	int own = netns_open("/proc/thread-self/ns/net", NULL), err = own < 0 ? own : netns_enter(own, NULL);

	if (own >= 0)
		close(own);
	row(r, "other network namespaces", err == 0, "everything in containers (--netns all, PID, NAME)", "%s",
	    err == 0 ? "setns into our own was allowed" : "setns needs CAP_SYS_ADMIN; run as root");
}

static void probe_conntrack(struct rows *r)
{
	struct conntrack c = {.known = false};
	bool stats;
	int err = conntrack_read(&c, &stats);

	row(r, "conntrack", err == 0, "whether the table is full (NAT001)", "%s",
	    err == 0         ? "/proc/sys/net/netfilter"
	    : err == -ENOENT ? "nf_conntrack is not loaded"
			     : strerror(-err));
	row(r, "conntrack counters", stats, "insert failures and drops (NAT001)", "/proc/net/stat/nf_conntrack");
}

static void probe_counters(struct rows *r)
{
	struct counters c = {NULL, 0, 0};
	char absent[96] = "";
	int err = counters_read(&c);
	const char *name, *lost;
	size_t cursor = 0;

	while (err == 0 && (name = counter_absent(&c, &cursor, &lost)))
		append(absent, sizeof(absent), " %s", name);
	if (err < 0)
		row(r, "counters", false, "every rate, resets and drops", "/proc/net/netstat: %s", strerror(-err));
	else
		row(r, "counters", !absent[0], "findings that look at these counters say less", "%zu by name%s%s", c.n,
		    absent[0] ? "; absent:" : ", none that rules ask for is absent", absent);
	free(c.v);
}

static void probe_bpf(struct rows *r)
{
	static const struct {
		enum bpf_prog_type type;
		const char *name, *lost;
	} program[] = {
		{BPF_PROG_TYPE_RAW_TRACEPOINT, "BPF raw tracepoint programs", "watching state changes as they happen"},
		{BPF_PROG_TYPE_CGROUP_SOCK, "BPF cgroup socket programs",
		 "which process closed a connection, with certainty"},
		{BPF_PROG_TYPE_TRACING, "BPF fentry programs", "nothing: raw tracepoints and cgroup hooks do the same"},
	};
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* libraries do not print here */
	bool btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	row(r, "BTF", btf, "BPF programs that follow the kernel's own structures", "/sys/kernel/btf/vmlinux");
	for (size_t i = 0; i < ARRAY_LEN(program); i++) {
		int got = libbpf_probe_bpf_prog_type(program[i].type, NULL);

		row(r, program[i].name, got == 1, program[i].lost, "%s",
		    got == 1                                                     ? "a probe program was loaded"
		    : !has_capability(CAP_BPF) && !has_capability(CAP_SYS_ADMIN) ? "no CAP_BPF; run as root"
		    : got == 0                                                   ? "the kernel refused a probe program"
										 : strerror(-got));
	}
	libbpf_set_print(print);
}

/* The programs of `lastack trace` themselves, loaded and thrown away. */
static void probe_trace(struct rows *r)
{
	const struct trace_load_cfg small = {.sockets = 16, .ring = 1 << 16};
	struct trace_load *l = NULL;
	struct why w = {""};
	int err = trace_load_new(&small, &l, &w);
	struct trace_parts p = err ? (struct trace_parts){false} : trace_load_parts(l);
	char lost[sizeof(r->v->lost)] = "";

	trace_load_free(l);
	if (err) {
		row(r, "trace, run", false, "who closed first and why, process by process (lastack trace, run)", "%s",
		    w.text[0] ? w.text : strerror(-err));
		return;
	}
	row(r, "trace, run", true, "", "BPF: states%s%s%s%s", p.calls ? ", closing process" : "",
	    p.reads ? ", exchanges" : "", p.resets ? p.reasons ? ", resets with reasons" : ", resets" : "",
	    p.retransmits ? ", retransmissions" : "");
	append(lost, sizeof(lost), "%s%s%s", p.calls ? "" : "close() and shutdown() told apart, who sent a RST; ",
	       p.reads ? "" : "requests on a connection; ", p.reasons ? "" : "why a RST was sent; ");
	copy_printable(r->v[r->n - 1].lost, sizeof(lost), lost);
}

static void probe_kernel(struct rows *r)
{
	char text[256], where[64] = "", word[32] = "";
	int err;
	char *mounts = procfile_all("/proc/self/mounts", &err);
	bool cgroup2 = mounts && mount_find(mounts, "cgroup2", where, sizeof(where));
	ssize_t n = procfile_read(AT_FDCWD, "/sys/kernel/security/lockdown", text, sizeof(text));

	free(mounts);
	row(r, "cgroup2", cgroup2, "attaching BPF programs to groups of processes", "%s",
	    cgroup2 ? where : "not mounted");
	if (n > 0)
		lockdown_parse(text, word, sizeof(word));
	row(r, "no kernel lockdown", strcmp(word, "none") == 0,
	    word[0] ? "kprobes and fentry, which are not needed" : "", "%s",
	    word[0] ? word : "cannot tell: no /sys/kernel/security/lockdown");
	n = procfile_read(AT_FDCWD, knob_path(KNOB_ehash_entries).s, text, sizeof(text));
	row(r, "tcp_ehash_entries", n > 0, "whether tcp_max_tw_buckets is below its boot value (CFG002)", "%s",
	    n > 0 ? "a sysctl of this kernel" : "needs kernel 6.1");
}

size_t obs_capabilities(struct capability ret[CAPABILITIES_MAX])
{
	struct rows r = {ret, 0};

	probe_sock_diag(&r);
	probe_bound(&r);
	probe_destroy(&r);
	probe_proc(&r);
	probe_pidfd(&r);
	probe_netns(&r);
	probe_conntrack(&r);
	probe_counters(&r);
	probe_bpf(&r);
	probe_trace(&r);
	probe_kernel(&r);
	return r.n;
}
