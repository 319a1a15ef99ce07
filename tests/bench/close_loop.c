/* SPDX-License-Identifier: MIT */
/*
 * close_loop.c - connections over loopback that carry nothing, in a network namespace of its own: for what watching them costs.
 *
 *   close_loop N              N one after another, the client closes first: {"connections_per_s":..., "cpu_us":...}
 *   close_loop hold N PAIRS   PAIRS pairs of processes with N connections each; "ready" when all are open; closes them at the
 *                             end of standard input; {"seconds":...} that took, once the kernel has done with all of them, too
 *
 * 64 source addresses, or ports would run out. Exit 77: it may not make a namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SOURCES = 64, PORT = 8080, BACKLOG = 1024, HELD_MAX = 16384, PATIENCE_S = 60 };

static void give_up(const char *what)
{
	fprintf(stderr, "close_loop: %s: %s\n", what, strerror(errno));
	exit(4);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
	       (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

static void own_namespace(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s;

	if (unshare(CLONE_NEWNET) < 0)
		exit(77);
	s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &lo) < 0)
		give_up("loopback");
	close(s);
}

static struct sockaddr_in address(uint32_t ip, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ip)};
}

static int listening(uint16_t port)
{
	struct sockaddr_in a = address(INADDR_LOOPBACK, port);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, BACKLOG) < 0)
		give_up("listen");
	return s;
}

static int connected(uint32_t n, uint16_t port)
{
	struct sockaddr_in from = address(INADDR_LOOPBACK + 1 + n % SOURCES, 0), to = address(INADDR_LOOPBACK, port);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (s < 0 || setsockopt(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0 ||
	    bind(s, (struct sockaddr *)&from, sizeof(from)) < 0 || connect(s, (struct sockaddr *)&to, sizeof(to)) < 0)
		give_up("connect");
	return s;
}

static int loop(uint32_t n)
{
	int l = listening(PORT);
	double from = seconds(), cpu = cpu_seconds(), took;

	for (uint32_t i = 0; i < n; i++) {
		int c = connected(i, PORT), s = accept(l, NULL, NULL);
		char octet;

		close(c);
		if (s < 0 || read(s, &octet, 1) != 0)
			give_up("accept");
		close(s);
	}
	took = seconds() - from;
	printf("{\"connections_per_s\":%.1f,\"cpu_us\":%.2f}\n", n / took, (cpu_seconds() - cpu) * 1e6 / n);
	return 0;
}

/* One end of a pair: says so when it has all its connections, keeps them until told. */
static void hold_end(int l, uint16_t port, uint32_t n, int ready, int go)
{
	static int held[HELD_MAX];
	char octet = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0; i < n; i++) {
		held[i] = l >= 0 ? accept(l, NULL, NULL) : connected(i, port);
		if (held[i] < 0)
			give_up("accept");
	}
	if (write(ready, &octet, 1) != 1 || read(go, &octet, 1) < 0)
		give_up("pipe");
	for (uint32_t i = 0; i < n; i++)
		close(held[i]);
	_exit(0);
}

static void fork_pair(uint16_t port, uint32_t n, const int ready[2], const int go[2])
{
	int l = listening(port);

	for (int client = 0; client < 2; client++) {
		pid_t pid = fork();

		if (pid < 0)
			give_up("fork");
		if (pid == 0) {
			close(go[1]);
			hold_end(client ? -1 : l, port, n, ready[1], go[0]);
		}
	}
	close(l);
}

/* Sockets of this namespace, TIME_WAITs not counted. */
static unsigned long sockets_left(void)
{
	char line[256];
	unsigned long n = 0;
	FILE *f = fopen("/proc/self/net/sockstat", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "TCP: inuse ", 11) == 0)
			n = strtoul(line + 11, NULL, 10);
	if (f)
		fclose(f);
	return n;
}

/* A machine that is short of time drops segments of its own; they are sent again. */
static void wait_for_kernel(void)
{
	double give_up_at = seconds() + PATIENCE_S;

	while (sockets_left() && seconds() < give_up_at)
		poll(NULL, 0, 10);
}

static int hold(uint32_t n, unsigned pairs)
{
	struct rlimit files;
	int ready[2], go[2];
	double from;
	char octet;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (pipe(ready) < 0 || pipe(go) < 0)
		give_up("pipe");
	for (unsigned i = 0; i < pairs; i++)
		fork_pair((uint16_t)(PORT + i), n, ready, go);
	for (unsigned i = 0; i < 2 * pairs; i++)
		if (read(ready[0], &octet, 1) != 1)
			give_up("pair");
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &octet, 1) > 0)
		;
	from = seconds();
	close(go[0]);
	close(go[1]);
	while (wait(NULL) > 0)
		;
	from = seconds() - from;
	wait_for_kernel();
	printf("{\"seconds\":%.6f}\n", from);
	return 0;
}

int main(int argc, char **argv)
{
	own_namespace();
	if (argc == 4 && strcmp(argv[1], "hold") == 0 && strtoul(argv[2], NULL, 10) <= HELD_MAX)
		return hold((uint32_t)strtoul(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
	if (argc == 2)
		return loop((uint32_t)strtoul(argv[1], NULL, 10));
	fputs("usage: close_loop N | close_loop hold N PAIRS\n", stderr);
	return 2;
}
