/* SPDX-License-Identifier: MIT */
#include "lab/experiment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "lab/harness.h"

#define EXPERIMENT(id) extern const struct experiment experiment_##id;
#include "lab/experiments.def"
#undef EXPERIMENT

const struct experiment *const experiments[] = {
#define EXPERIMENT(id) &experiment_##id,
#include "lab/experiments.def"
#undef EXPERIMENT
};
const size_t n_experiments = ARRAY_LEN(experiments);

const struct experiment *experiment_find(const char *id)
{
	for (size_t i = 0; i < n_experiments; i++)
		if (strcasecmp(experiments[i]->id, id) == 0)
			return experiments[i];
	return NULL;
}

void child_begin(pid_t parent, const char *comm, const struct record *r)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(3); /* it died before the line above */
	prctl(PR_SET_NAME, comm);
	record_child(r);
	signal(SIGINT, SIG_IGN); /* the supervisor answers them, and ends us */
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void end(struct lab *l, enum verdict v)
{
	fflush(l->log);
	fflush(l->out);
	l->outcome->verdict = v;
	_exit(0); /* the kernel ends the workers and the namespaces */
}

void lab_fail(struct lab *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->outcome->reason, sizeof(l->outcome->reason), fmt, ap);
	va_end(ap);
	end(l, VERDICT_FAIL);
}

void lab_skip(struct lab *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->outcome->reason, sizeof(l->outcome->reason), fmt, ap);
	va_end(ap);
	end(l, VERDICT_SKIP);
}

void lab_note(struct lab *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(l->log, fmt, ap);
	va_end(ap);
	fputc('\n', l->log);
}

static const char *unmet_need(unsigned needs)
{
	if (geteuid() != 0)
		return "needs root";
	if ((needs & NEED_NFT) && access("/usr/sbin/nft", X_OK) && access("/sbin/nft", X_OK))
		return "needs nft (package nftables)";
	if ((needs & NEED_CONNTRACK) && access("/proc/sys/net/netfilter/nf_conntrack_max", F_OK))
		return "needs connection tracking (nf_conntrack), which this kernel lacks or has not loaded";
	if ((needs & NEED_IPV6) && access("/proc/sys/net/ipv6", F_OK))
		return "needs IPv6, which this kernel lacks";
	return NULL;
}

void experiment_process(struct lab *l, pid_t supervisor)
{
	const char *unmet;
	char comm[16];

	snprintf(comm, sizeof(comm), "lab-%s", l->exp->id);
	child_begin(supervisor, comm, l->record);
	alarm(EXPERIMENT_LIFE_S);
	unmet = unmet_need(l->exp->needs);
	if (unmet)
		lab_skip(l, "%s", unmet);
	l->exp->run(l);
	end(l, VERDICT_PASS);
}

/* ---- where ---- */

static int new_ns(struct lab *l)
{
	struct why w = {0};
	int ns = space_new(&w);

	if (ns == -EPERM)
		lab_skip(l, "may not make a network namespace: %s", w.text);
	if (ns < 0)
		lab_fail(l, "%s", w.text);
	return ns;
}

static void must_work(struct lab *l, int err, const struct why *w)
{
	if (err)
		lab_fail(l, "%s", w->text);
}

static void expect_fresh(struct lab *l, int ns)
{
	const struct sight *s = lab_look(l, ns, 0);

	lab_expect_silent(l, s, SEV_INFO);
}

static void link_up(struct lab *l, struct space_end a, struct space_end b)
{
	struct why w = {0};

	must_work(l, space_veth(a, b, &w), &w);
}

void lab_lo(struct lab *l)
{
	l->client = l->server = new_ns(l);
	expect_fresh(l, l->client);
}

void lab_pair(struct lab *l)
{
	l->client = new_ns(l);
	l->server = new_ns(l);
	link_up(l, (struct space_end){l->client, "veth0", LAB_CLIENT "/24"},
		(struct space_end){l->server, "veth0", LAB_SERVER "/24"});
	expect_fresh(l, l->client);
	expect_fresh(l, l->server);
}

void lab_ipv6(struct lab *l)
{
	struct why w = {0};

	must_work(l, space_ipv6((struct space_end){l->client, "veth0", LAB_CLIENT6 "/64"}, &w), &w);
	must_work(l, space_ipv6((struct space_end){l->server, "veth0", LAB_SERVER6 "/64"}, &w), &w);
	expect_fresh(l, l->client);
	expect_fresh(l, l->server);
}

void lab_chain(struct lab *l)
{
	struct why w = {0};

	l->client = new_ns(l);
	l->middle = new_ns(l);
	l->server = new_ns(l);
	link_up(l, (struct space_end){l->client, "veth0", "10.77.1.1/24"},
		(struct space_end){l->middle, "veth0", "10.77.1.2/24"});
	link_up(l, (struct space_end){l->middle, "veth1", "10.77.2.2/24"},
		(struct space_end){l->server, "veth0", "10.77.2.1/24"});
	must_work(l, space_route(l->client, "10.77.2.0/24", "10.77.1.2", &w), &w);
	must_work(l, space_route(l->server, "10.77.1.0/24", "10.77.2.2", &w), &w);
	lab_sysctl(l, l->middle, "net.ipv4.ip_forward", "1");
	expect_fresh(l, l->client);
	expect_fresh(l, l->middle);
	expect_fresh(l, l->server);
}

void lab_sysctl(struct lab *l, int ns, const char *name, const char *value)
{
	struct why w = {0};

	must_work(l, space_sysctl(ns, name, value, &w), &w);
	lab_note(l, "sysctl -w %s=\"%s\"", name, value);
}

void lab_etc(struct lab *l, const char *name, const char *text)
{
	static char root[160];
	char path[256];
	FILE *f;

	snprintf(root, sizeof(root), "%s/%s", l->record->dir, l->exp->id);
	if (mkdir(root, 0700) && errno != EEXIST)
		lab_fail(l, "create %s: %s", root, strerror(errno));
	snprintf(path, sizeof(path), "%s/etc", root);
	if (mkdir(path, 0700) && errno != EEXIST)
		lab_fail(l, "create %s: %s", path, strerror(errno));
	append(path, sizeof(path), "/%s", name);
	f = fopen(path, "we");
	if (!f || fputs(text, f) < 0)
		lab_fail(l, "write %s: %s", path, strerror(errno));
	fclose(f);
	l->root = root;
}

static int feed(const char *text, int to, int from)
{
	ssize_t n;

	close(from);
	n = write(to, text, strlen(text));
	close(to);
	return n == (ssize_t)strlen(text) ? 0 : -EIO;
}

void lab_nft(struct lab *l, int ns, const char *ruleset)
{
	struct why w = {0};
	int p[2], status;
	pid_t me = getpid(), pid;

	if (pipe2(p, O_CLOEXEC))
		lab_fail(l, "pipe: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		lab_fail(l, "fork: %s", strerror(errno));
	if (pid == 0) {
		child_begin(me, "nft", l->record);
		if (space_enter(ns, &w) || dup2(p[0], 0) < 0 || dup2(fileno(l->log), 1) < 0 ||
		    dup2(fileno(l->log), 2) < 0)
			_exit(3);
		signal(SIGPIPE, SIG_DFL); /* an ignored signal stays ignored across execve(2) */
		execl("/usr/sbin/nft", "nft", "-f", "-", (char *)NULL);
		execl("/sbin/nft", "nft", "-f", "-", (char *)NULL);
		_exit(127);
	}
	if (feed(ruleset, p[1], p[0]) || waitpid(pid, &status, 0) != pid || status != 0)
		lab_fail(l, "nft refused the rules (-v shows why)");
}
