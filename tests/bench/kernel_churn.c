/* SPDX-License-Identifier: MIT */
/*
 * kernel_churn.c - the churn loop of `lastack bench churn` on the kernel, over loopback in a network namespace of its
 * own: connect, one octet, its echo, the client closes first, the server closes; 64 connections at a time.
 *
 *   kernel_churn [--time-wait 0,100000,1000000] [--cores 1]
 *
 * Two processes, on one core like the engine's two ends, or on one each. 64 source addresses, or ports would run out.
 * TIME_WAITs cannot be held constant in a kernel: a row begins when there are as many as it says, and lasts for WINDOW
 * connections. A row is left out if so many cannot be made before the first ones expire. Exit 77: it may not make a namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	CONCURRENT = 64,
	SOURCES = 64,
	EVENTS = 128,
	BACKLOG = 1024,
	PORT = 8080,
	WINDOW = 30000,
	CHUNK = 5000,
	REACH_S = 45
};

static void give_up(const char *what)
{
	fprintf(stderr, "kernel_churn: %s: %s\n", what, strerror(errno));
	exit(4);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The last one, or the one before it: the first has the interrupts. */
static void use_core(bool another)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN) - 1 - another;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n > 0 ? (size_t)n : 0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up("sched_setaffinity");
}

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events | EPOLLET, .data = {.fd = fd}};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e))
		give_up("epoll_ctl");
}

static int wait_for(int epoll, struct epoll_event *events)
{
	int n;

	do
		n = epoll_wait(epoll, events, EVENTS, -1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		give_up("epoll_wait");
	return n;
}

/* ---- the namespace ---- */

static void put_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		give_up(path);
	close(fd);
}

static void make_namespace(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "kernel_churn: a network namespace: %s; this needs root\n", strerror(errno));
		exit(77);
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &lo))
		give_up("lo");
	close(fd);
	put_sysctl("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535");
	put_sysctl("/proc/sys/net/ipv4/tcp_max_tw_buckets", "8000000");
	put_sysctl("/proc/sys/net/ipv4/ip_local_reserved_ports", "8080");
}

static unsigned long number_after(const char *path, const char *line, const char *word)
{
	char text[8192], *at;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		give_up(path);
	close(fd);
	text[n] = 0;
	at = strstr(text, line);
	at = at ? strstr(at, word) : NULL;
	return at ? strtoul(at + strlen(word), NULL, 10) : 0;
}

static unsigned long time_waits(void) { return number_after("/proc/self/net/sockstat", "TCP:", " tw "); }
static double slab_bytes(void) { return 1024.0 * (double)number_after("/proc/meminfo", "\nSlab:", ":"); }

/* ---- the server ---- */

static void take_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		watch(epoll, fd, EPOLLIN | EPOLLRDHUP);
	if (errno != EAGAIN)
		give_up("accept");
}

static void serve_one(int fd)
{
	char octet;
	ssize_t n;

	while ((n = read(fd, &octet, 1)) == 1)
		if (write(fd, &octet, 1) != 1)
			give_up("the server's write");
	if (n == 0)
		close(fd);
	else if (errno != EAGAIN)
		give_up("the server's read");
}

static _Noreturn void serve(int listener)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event events[EVENTS];

	watch(epoll, listener, EPOLLIN);
	for (;;) {
		int n = wait_for(epoll, events);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take_all(epoll, listener);
			else
				serve_one(events[i].data.fd);
		}
	}
}

static int listen_here(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof(at)) || listen(fd, BACKLOG))
		give_up("listen");
	return fd;
}

/* ---- the client ---- */

struct client {
	int epoll;
	unsigned begun, in_flight, source;
};

static void begin(struct client *c)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f010000 + c->source++ % SOURCES)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) ||
	    bind(fd, (const struct sockaddr *)&from, sizeof(from)))
		give_up("a client's socket");
	watch(c->epoll, fd, EPOLLIN | EPOLLOUT);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		give_up("connect");
	c->begun++;
	c->in_flight++;
}

/* EPOLLOUT alone: connected. EPOLLIN: the echo. */
static void step(struct client *c, const struct epoll_event *e)
{
	int fd = e->data.fd;
	char octet = 'x';

	if (e->events & (EPOLLERR | EPOLLHUP)) {
		give_up("a connection failed");
	} else if (e->events & EPOLLIN) {
		if (read(fd, &octet, 1) != 1 || octet != 'x')
			give_up("no echo");
		close(fd);
		c->in_flight--;
	} else if (write(fd, &octet, 1) != 1) {
		give_up("the client's write");
	}
}

/* n connections, the last ones to their end; how many a second. */
static double churn(struct client *c, unsigned n)
{
	struct epoll_event events[EVENTS];
	double start = seconds();

	for (c->begun = 0; c->begun < n || c->in_flight;) {
		int got;

		while (c->begun < n && c->in_flight < CONCURRENT)
			begin(c);
		got = wait_for(c->epoll, events);
		for (int i = 0; i < got; i++)
			step(c, &events[i]);
	}
	return n / (seconds() - start);
}

static void rows(const char *list, struct client *c)
{
	double slab = slab_bytes(), rate = 0;
	unsigned long before = 0;

	printf("{\"peer\":\"kernel\",\"rows\":[");
	for (const char *p = list; *p;) {
		char *end;
		unsigned long n = strtoul(p, &end, 10), there;
		double bytes;

		if (end == p || n < before) {
			fprintf(stderr, "kernel_churn: --time-wait: numbers that do not fall\n");
			exit(2);
		}
		if (rate > 0 && (double)n / rate > REACH_S) {
			fprintf(stderr, "kernel_churn: %lu TIME_WAITs are out of reach at %.0f connections/s\n", n,
				rate);
			break;
		}
		while ((there = time_waits()) < n)
			churn(c, n - there < CHUNK ? (unsigned)(n - there) : CHUNK);
		bytes = n ? (slab_bytes() - slab) / (double)there : 0;
		rate = churn(c, WINDOW);
		printf("%s{\"time_wait\":%lu,\"connections_per_s\":%.1f,\"bytes_per_entry\":%.1f}",
		       p == list ? "" : ",", n, rate, bytes);
		before = n;
		p = *end ? end + 1 : end;
	}
	printf("]}\n");
}

int main(int argc, char **argv)
{
	const char *list = "0,100000,1000000";
	struct client c = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	bool two_cores = false;
	int listener;
	pid_t server;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--time-wait") == 0)
			list = argv[i + 1];
		else if (strcmp(argv[i], "--cores") == 0)
			two_cores = strcmp(argv[i + 1], "2") == 0;
	}
	make_namespace();
	listener = listen_here();
	server = fork();
	if (server < 0)
		give_up("fork");
	use_core(server == 0 && two_cores);
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(listener);
	}
	close(listener);
	rows(list, &c);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return 0;
}
