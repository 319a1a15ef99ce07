/* SPDX-License-Identifier: MIT */
#include "tests/unit/t.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knob/knob.h"
#include "obs/netns.h"
#include "obs/obs.h"

enum { PORT = 8080, CLOSED = 6, DEAD = 12, CHURNED = 30 };

/* ---- the words of --netns ---- */

TEST(scope__words_of_the_command_line__are_told_apart)
{
	struct obs_cfg c = {.depth = OBS_LEAKS, .root = "/x"};

	assert_true(obs_scope_parse("all", &c));
	assert_int_equal(c.scope, OBS_NETNS_ALL);
	assert_true(obs_scope_parse("self", &c));
	assert_int_equal(c.scope, OBS_NETNS_SELF);
	assert_true(obs_scope_parse("4711", &c));
	assert_int_equal(c.scope, OBS_NETNS_PID);
	assert_int_equal(c.pid, 4711);
	assert_true(obs_scope_parse("web-1", &c));
	assert_int_equal(c.scope, OBS_NETNS_NAME);
	assert_string_equal(c.name, "web-1");
	assert_true(c.depth == OBS_LEAKS);
	assert_string_equal(c.root, "/x");
}

TEST(scope__what_is_no_name_and_no_pid__is_refused)
{
	static const char *const bad[] = {"", "0", "99999999999", "../etc", "a/b", ".hidden", "-v"};
	struct obs_cfg c = {.pid = 7};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(obs_scope_parse(bad[i], &c));
	assert_int_equal(c.pid, 7);
}

/* ---- a namespace of our own ---- */

static bool in_own_namespace;

static int enter_own_namespace(void **state)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int sock;

	(void)state;
	if (unshare(CLONE_NEWNET) < 0)
		return 0;
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(sock >= 0);
	assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &lo), 0);
	close(sock);
	in_own_namespace = true;
	return 0;
}

#define NEEDS_ROOT()                                                                                                   \
	do {                                                                                                           \
		if (!in_own_namespace)                                                                                 \
			skip();                                                                                        \
	} while (0)

static struct sockaddr_in server_address(void)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

static int listen_here(void)
{
	struct sockaddr_in a = server_address();
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
	assert_int_equal(setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int)), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(sock, 64), 0);
	return sock;
}

static int connect_there(void)
{
	struct sockaddr_in a = server_address();
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(sock, (struct sockaddr *)&a, sizeof(a)), 0);
	return sock;
}

static int accept_one(int listener)
{
	int sock = accept(listener, NULL, NULL);

	assert_true(sock >= 0);
	return sock;
}

static void wait_for(int sock, short events)
{
	struct pollfd p = {.fd = sock, .events = events};

	assert_int_equal(poll(&p, 1, 5000), 1);
}

/* The accepted end after its peer closed: CLOSE_WAIT, or dead if the peer reset it. */
static int abandoned(int listener, bool reset)
{
	int client = connect_there(), sock = accept_one(listener);

	if (reset)
		assert_int_equal(
			setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger)), 0);
	close(client);
	wait_for(sock, reset ? POLLHUP : POLLRDHUP);
	return sock;
}

/* The client closes first, and the server's answer to it is on its way before this returns. */
static void churn(int listener)
{
	int client = connect_there(), sock = accept_one(listener);

	close(client);
	wait_for(sock, POLLRDHUP);
	close(sock);
}

static struct snapshot look(const struct obs_cfg *cfg)
{
	struct snapshot s = {0};
	struct why w = {""};
	struct obs *o;

	assert_int_equal(obs_new(cfg, &o, &w), 0);
	assert_int_equal(obs_snapshot(o, &s, &w), 0);
	obs_free(o);
	return s;
}

static const struct listener *listener_at(const struct netns *ns, uint16_t port)
{
	for (size_t i = 0; i < ns->n_listeners; i++)
		if (ns->listeners[i].port == port)
			return &ns->listeners[i];
	must_not_reach("no such listener");
}

static const struct holder *holder_of(const struct netns *ns, enum holder_kind kind)
{
	for (size_t i = 0; i < ns->n_holders; i++)
		if (ns->holders[i].kind == kind)
			return &ns->holders[i];
	must_not_reach("no such holder");
}

static int32_t pid_of(const struct snapshot *s, int32_t proc)
{
	const struct proc *p = snapshot_proc(s, proc);

	return p ? p->pid : 0;
}

static const struct obs_cfg self = {.scope = OBS_NETNS_SELF, .depth = OBS_LEAKS, .root = ""};

TEST(snapshot__listener_with_abandoned_and_dead_sockets__names_process_descriptors_and_options)
{
	int listener, closed[CLOSED], dead[DEAD];
	const struct holder *h;
	const struct listener *l;
	struct snapshot s;

	NEEDS_ROOT();
	listener = listen_here();
	for (size_t i = 0; i < CLOSED; i++)
		closed[i] = abandoned(listener, false);
	for (size_t i = 0; i < DEAD; i++)
		dead[i] = abandoned(listener, true);
	s = look(&self);
	assert_int_equal(s.n_netns, 1);
	l = listener_at(&s.netns[0], PORT);
	assert_int_equal(pid_of(&s, l->proc), getpid());
	assert_true(l->opts.known && l->opts.reuseaddr && l->opts.keepalive && !l->opts.reuseport);
	assert_int_equal(l->opts.linger_s, -1);
	assert_int_equal(l->states.n[ST_CLOSE_WAIT], CLOSED);
	h = holder_of(&s.netns[0], HOLD_CLOSE_WAIT_UNREAD);
	assert_int_equal(h->n, CLOSED);
	assert_int_equal(h->lport, PORT);
	assert_int_equal(pid_of(&s, h->proc), getpid());
	h = holder_of(&s.netns[0], HOLD_INVISIBLE);
	assert_int_equal(h->n, DEAD);
	assert_int_equal(h->lport, PORT);
	assert_int_equal(h->fd[0], dead[0]);
	assert_true(h->opts.known);
	assert_int_equal(pid_of(&s, h->proc), getpid());
	assert_int_equal(s.n_procs, 1);
	snapshot_done(&s);
	for (size_t i = 0; i < CLOSED; i++)
		close(closed[i]);
	for (size_t i = 0; i < DEAD; i++)
		close(dead[i]);
	close(listener);
}

TEST(snapshot__without_processes__looks_for_none)
{
	const struct obs_cfg cfg = {.scope = OBS_NETNS_SELF, .depth = OBS_COUNTS, .root = ""};
	struct snapshot s;
	int listener;

	NEEDS_ROOT();
	listener = listen_here();
	s = look(&cfg);
	assert_int_equal(s.n_procs, 0);
	assert_int_equal(s.n_netns, 1);
	assert_int_equal(listener_at(&s.netns[0], PORT)->proc, -1);
	assert_int_equal(s.netns[0].n_holders, 0);
	snapshot_done(&s);
	close(listener);
}

TEST(snapshot__child_namespace__has_the_machines_knobs_and_its_own)
{
	struct snapshot s;

	NEEDS_ROOT();
	s = look(&self);
	assert_true(s.ehash_entries > 0);
	assert_true(s.netns[0].knob_known[KNOB_max_orphans]);
	assert_true(s.netns[0].knob_known[KNOB_tw_reuse]);
	assert_true(s.kernel_version >= KV(4, 0));
	assert_true(s.netns[0].sockstat.known);
	assert_true(s.netns[0].counters.n > 50);
	snapshot_done(&s);
}

/* A child in a namespace of its own, until it is told to end. */
static pid_t child_elsewhere(int *ret_go)
{
	int ready[2], go[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(ready[1]);
	close(go[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	*ret_go = go[1];
	return pid;
}

TEST(snapshot__of_another_process__is_its_namespace_and_we_come_back)
{
	struct obs_cfg cfg = {.scope = OBS_NETNS_PID, .depth = OBS_LEAKS, .root = ""};
	struct snapshot s;
	uint64_t inode;
	int go, own;

	NEEDS_ROOT();
	cfg.pid = child_elsewhere(&go);
	own = netns_open("/proc/self/ns/net", NULL);
	inode = netns_inode(own);
	s = look(&cfg);
	assert_int_equal(s.n_netns, 1);
	assert_int_not_equal(s.netns[0].inode, inode);
	assert_int_equal(s.netns[0].pid, cfg.pid);
	close(own);
	own = netns_open("/proc/thread-self/ns/net", NULL);
	assert_int_equal(netns_inode(own), inode);
	snapshot_done(&s);
	cfg.scope = OBS_NETNS_ALL;
	s = look(&cfg);
	assert_true(s.n_netns >= 2);
	for (size_t i = 1; i < s.n_netns; i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(s.netns[i].inode, s.netns[k].inode);
	snapshot_done(&s);
	close(own);
	close(go);
	assert_int_equal(waitpid(cfg.pid, NULL, 0), cfg.pid);
}

TEST(obs_new__nobody_there__says_so)
{
	const struct obs_cfg pid = {.scope = OBS_NETNS_PID, .pid = INT32_MAX, .root = ""};
	const struct obs_cfg name = {.scope = OBS_NETNS_NAME, .name = "no-such-namespace", .root = ""};
	struct obs *o = NULL;
	struct why w = {""};

	assert_int_equal(obs_new(&pid, &o, &w), -ENOENT);
	assert_string_equal(w.text, "there is no process 2147483647");
	assert_int_equal(obs_new(&name, &o, &w), -ENOENT);
	assert_string_equal(w.text, "there is no network namespace named no-such-namespace");
	assert_null(o);
}

/* A client that connects on 'c' and closes on 'x'; each is answered. */
static pid_t client_on_demand(int *ret_sock)
{
	int s[2], sock = -1;
	char byte;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid)
		return close(s[1]), *ret_sock = s[0], pid;
	close(s[0]);
	while (read(s[1], &byte, 1) == 1) {
		if (byte == 'c')
			sock = connect_there();
		else
			close(sock);
		if (write(s[1], "k", 1) != 1)
			break;
	}
	_exit(0);
}

struct demand {
	int child, listener, accepted;
	unsigned ticks;
	double last;
};

static void demand(struct demand *d, char what)
{
	char byte;

	assert_int_equal(write(d->child, &what, 1), 1);
	assert_int_equal(read(d->child, &byte, 1), 1);
}

static bool connect_then_close(void *ctx, double done)
{
	struct demand *d = ctx;

	assert_true(done >= d->last && done < 1);
	d->last = done;
	if (d->ticks == 0) {
		demand(d, 'c');
		d->accepted = accept_one(d->listener);
	} else if (d->ticks == 3) {
		demand(d, 'x');
		wait_for(d->accepted, POLLRDHUP);
		close(d->accepted);
	}
	d->ticks++;
	return true;
}

TEST(observe__time_waits_whose_program_shows_itself_in_between__get_its_name)
{
	struct demand d = {.child = -1};
	struct observation ob = {.n = 0};
	struct why w = {""};
	struct obs *o;
	pid_t pid;

	NEEDS_ROOT();
	pid = client_on_demand(&d.child); /* before listen_here(): it must not inherit the listener */
	d.listener = listen_here();
	for (size_t i = 0; i < CHURNED; i++)
		churn(d.listener);
	assert_int_equal(obs_new(&self, &o, &w), 0);
	assert_int_equal(obs_observe(o, 3000, connect_then_close, &d, &ob, &w), 0);
	assert_int_equal(ob.n, 2);
	assert_true(d.ticks > 3);
	assert_true(observation_interval_s(&ob) >= 1.0);
	for (unsigned i = 0; i < ob.n; i++) {
		const struct snapshot *s = &ob.s[i];

		assert_int_equal(s->netns[0].n_dests, 1);
		assert_true(s->netns[0].dests[0].states.n[ST_TIME_WAIT] >= CHURNED);
		assert_int_equal(pid_of(s, s->netns[0].dests[0].proc), pid);
	}
	observation_done(&ob);
	obs_free(o);
	close(d.listener);
	close(d.child);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static bool stop(void *ctx, double done) { return (void)done, (*(unsigned *)ctx)++ < 1; }

TEST(observe__tick_says_stop__ends_with_eintr)
{
	struct observation ob = {.n = 0};
	struct why w = {""};
	unsigned ticks = 0;
	struct obs *o;

	assert_int_equal(obs_new(&self, &o, &w), 0);
	assert_int_equal(obs_observe(o, 60000, stop, &ticks, &ob, &w), -EINTR);
	assert_int_equal(ticks, 2);
	assert_int_equal(ob.n, 0);
	obs_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(scope__words_of_the_command_line__are_told_apart),
		T(scope__what_is_no_name_and_no_pid__is_refused),
		T(snapshot__listener_with_abandoned_and_dead_sockets__names_process_descriptors_and_options),
		T(snapshot__without_processes__looks_for_none),
		T(snapshot__child_namespace__has_the_machines_knobs_and_its_own),
		T(snapshot__of_another_process__is_its_namespace_and_we_come_back),
		T(obs_new__nobody_there__says_so),
		T(observe__time_waits_whose_program_shows_itself_in_between__get_its_name),
		T(observe__tick_says_stop__ends_with_eintr),
	};

	return cmocka_run_group_tests(tests, enter_own_namespace, NULL);
}
