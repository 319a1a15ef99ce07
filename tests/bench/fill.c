/* SPDX-License-Identifier: MIT */
/*
 * fill.c - makes the sockets that the benchmarks look at, in the network namespace it is started in (which must be a
 * private one: it refuses the machine's own). Everything stays on loopback and is bounded by its arguments.
 *
 *   fill time-wait N      N TIME_WAITs on a listening port, from 127.1.0.1, 127.1.0.2, ... and waits likewise
 *   fill destinations N   N destinations 127.2.x.y:7002 with one TIME_WAIT each
 *   fill close-wait N     N CLOSE_WAITs held by this process, which then waits for its standard input to end
 *
 * Prints "ready COUNT SECONDS" when done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 7001, PORTS = 50000, CONNECTIONS_MAX = 2000000 };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "fill: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in loopback(uint32_t low_24_bits, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
				    .sin_port = htons(port),
				    .sin_addr.s_addr = htonl((uint32_t)127 << 24 | low_24_bits)};
}

static int listen_everywhere(uint16_t port)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, (const struct sockaddr *)&any, sizeof(any)) || listen(fd, 1024))
		die("listen");
	return fd;
}

/* from NULL: the kernel chooses. Returns both ends of a new connection. */
static void pair(int listener, const struct sockaddr_in *from, struct sockaddr_in to, int *client, int *server)
{
	*client = socket(AF_INET, SOCK_STREAM, 0);
	if (*client < 0)
		die("socket");
	if (from && bind(*client, (const struct sockaddr *)from, sizeof(*from)))
		die("bind");
	if (connect(*client, (const struct sockaddr *)&to, sizeof(to)))
		die("connect");
	*server = accept(listener, NULL, NULL);
	if (*server < 0)
		die("accept");
}

/* The first to close keeps the TIME_WAIT. */
static void close_in_order(int first, int second)
{
	close(first);
	close(second);
}

static void refuse_the_host(void)
{
	struct stat own, first;

	if (stat("/proc/self/ns/net", &own) == 0 && stat("/proc/1/ns/net", &first) == 0 && own.st_ino == first.st_ino) {
		fputs("fill: this is the machine's own network namespace; start it with unshare -n\n", stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	struct timespec begin, end;
	struct rlimit files;
	int listener;
	char byte;

	if (n < 1 || n > CONNECTIONS_MAX) {
		fputs("usage: fill time-wait|destinations|close-wait N\n", stderr);
		return 2;
	}
	refuse_the_host();
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	listener = listen_everywhere(*argv[1] == 't' ? PORT : *argv[1] == 'd' ? PORT + 1 : PORT + 2);
	for (long i = 0; i < n; i++) {
		int client, server;

		if (strcmp(argv[1], "time-wait") == 0) {
			/* An own port each: a port that comes again would take its TIME_WAIT over. */
			struct sockaddr_in from =
				loopback(0x010001 + (uint32_t)(i / PORTS), (uint16_t)(PORT + 1 + i % PORTS));

			pair(listener, &from, loopback(1, PORT), &client, &server);
			close_in_order(server, client);
		} else if (strcmp(argv[1], "destinations") == 0) {
			pair(listener, NULL, loopback(0x020001 + (uint32_t)i, PORT + 1), &client, &server);
			close_in_order(client, server);
		} else {
			pair(listener, NULL, loopback(1, PORT + 2), &client, &server);
			close(client);
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("ready %ld %.1f\n", n,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	fflush(stdout);
	if (*argv[1] != 'd')
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
	return 0;
}
