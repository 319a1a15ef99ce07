/* SPDX-License-Identifier: MIT */
/*
 * stack.c - the engine, the virtual clock and the lock of stack.h.
 *
 * The clock stands still but in stack_run(), stack_step() and stack_look(). While somebody sleeps in a blocking call,
 * whatever moves the engine wakes that thread and waits until it sleeps again or, its call over, has asked for the time:
 * packetdrill stamps the end of a call by that, so the time must not have moved on.
 */
#include "packetdrill/stack.h"
#include "packetdrill/pcap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define START_AT (1000 * NSEC_PER_S)
enum {
	SOCKETS = 64,
	SEND_BUFFER = 1 << 22, /* the greatest default of tcp_wmem[2] */
	RECEIVE_BUFFER = 1 << 25, /* the greatest tcp_rmem[2] of the scripts */
	MTU = 1500,
	MTU_MAX = 65535,
	STEPS_MAX = 1000000, /* timers at one instant: more is an engine that turns on the spot */
};

static la_time max_time(la_time a, la_time b) { return a > b ? a : b; }
static la_time min_time(la_time a, la_time b) { return a < b ? a : b; }

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "liblastack-packetdrill: %s\n", what);
	exit(EXIT_FAILURE);
}

/* ---- the sleeper ---- */

static void wake_sleeper(struct stack *s)
{
	if (s->sleeper != SLEEPER_ASLEEP || pthread_equal(pthread_self(), s->blocked))
		return;
	s->sleeper = SLEEPER_AWAKE;
	pthread_cond_broadcast(&s->moved);
	while (s->sleeper == SLEEPER_AWAKE)
		pthread_cond_wait(&s->moved, &s->lock);
}

static void sleeper_is_done(struct stack *s)
{
	if (s->sleeper != SLEEPER_AWAKE || !pthread_equal(pthread_self(), s->blocked))
		return;
	s->sleeper = SLEEPER_NONE;
	s->wake_at = LA_NEVER;
	pthread_cond_broadcast(&s->moved);
}

la_time stack_deadline(const struct stack *s, la_time patience) { return patience ? s->now + patience : LA_NEVER; }

bool stack_wait(struct stack *s, la_time deadline)
{
	if (s->now >= deadline)
		return false;
	if (pthread_equal(pthread_self(), s->driver)) { /* nobody else moves the clock */
		if (stack_step(s, deadline == LA_NEVER ? LA_NEVER : deadline - s->now))
			return true;
		if (deadline != LA_NEVER)
			stack_run(s, deadline);
		return false;
	}
	s->blocked = pthread_self();
	s->sleeper = SLEEPER_ASLEEP;
	s->wake_at = deadline;
	pthread_cond_broadcast(&s->moved);
	while (s->sleeper == SLEEPER_ASLEEP)
		pthread_cond_wait(&s->moved, &s->lock);
	return s->now < deadline;
}

/* ---- what comes out of the engine ---- */

static void take_packets(struct stack *s)
{
	uint8_t packet[MTU_MAX];
	size_t len;

	while ((len = la_output(s->engine, s->now, packet, sizeof(packet))) != 0) {
		struct sent_packet *p = malloc(sizeof(*p) + len);

		if (!p)
			die("no memory");
		*p = (struct sent_packet){.at = s->now, .len = len};
		memcpy(p->data, packet, len);
		*s->last = p;
		s->last = &p->next;
		pcap_packet(s->pcap, s->now, packet, len);
	}
}

static void take_events(struct stack *s)
{
	struct la_event ev;

	while (la_event(s->engine, &ev)) {
		if (ev.events & LA_LINGERED)
			s->has_lingered = true;
		else
			epoll_raise(s, (int)ev.user);
	}
}

void stack_settle(struct stack *s)
{
	take_packets(s);
	take_events(s);
	wake_sleeper(s);
}

void stack_input(struct stack *s, const void *packet, size_t len)
{
	pcap_packet(s->pcap, s->now, packet, len);
	la_input(s->engine, s->now, packet, len);
}

size_t stack_take(struct stack *s, void *packet, size_t cap, long long *ret_us)
{
	struct sent_packet *p = s->first;
	size_t len;

	if (!p || p->len > cap)
		return 0;
	len = p->len;
	memcpy(packet, p->data, len);
	*ret_us = (long long)(p->at / 1000);
	s->first = p->next;
	if (!s->first)
		s->last = &s->first;
	free(p);
	return len;
}

/* ---- time ---- */

static la_time next_at(const struct stack *s) { return min_time(la_next_at(s->engine), s->wake_at); }

static void go_to(struct stack *s, la_time at)
{
	s->now = max_time(s->now, at);
	la_advance(s->engine, s->now);
	stack_settle(s);
	if (s->wake_at <= s->now)
		s->wake_at = LA_NEVER;
}

void stack_run(struct stack *s, la_time until)
{
	for (unsigned steps = 0; next_at(s) <= until; steps++) {
		must(steps < STEPS_MAX);
		go_to(s, next_at(s));
	}
	s->now = max_time(s->now, until);
}

bool stack_step(struct stack *s, la_time most)
{
	const la_time next = next_at(s);

	if (next == LA_NEVER || (next > s->now && next - s->now > most))
		return false;
	go_to(s, next);
	return true;
}

/* packetdrill turns on the spot until its event is due: then the clock must go, or it would for ever. */
void stack_look(struct stack *s)
{
	if (s->looks++)
		stack_run(s, s->now + 1000);
	sleeper_is_done(s);
}

void stack_lock(struct stack *s)
{
	pthread_mutex_lock(&s->lock);
	s->looks = 0;
}

void stack_unlock(struct stack *s) { pthread_mutex_unlock(&s->lock); }

/* ---- files: real descriptors that stand for ours ---- */

struct file *stack_file(struct stack *s, int fd, enum file_kind kind)
{
	return fd >= 0 && fd < FILES_MAX && s->files[fd].kind == kind ? &s->files[fd] : NULL;
}

int stack_open(struct stack *s, enum file_kind kind, int flags)
{
	const int fd = eventfd(0, EFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fd >= FILES_MAX) {
		syscall(SYS_close, fd);
		return -EMFILE;
	}
	s->files[fd] = (struct file){.kind = kind, .flags = flags & O_NONBLOCK};
	return fd;
}

void stack_close(struct stack *s, int fd)
{
	epoll_forget(s, fd);
	free(s->files[fd].items);
	s->files[fd] = (struct file){0};
	syscall(SYS_close, fd); /* close() may be ours: preload.c */
}

/* ---- the whole ---- */

void stack_learn_address(struct stack *s, const uint8_t addr[16])
{
	(void)la_address_add(s->engine, addr); /* there already, or none that could be ours */
}

static void add_address(struct stack *s, const char *text)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET, text, addr + 12) != 1 && inet_pton(AF_INET6, text, addr) != 1)
		die("flags: local= wants an address");
	stack_learn_address(s, addr);
}

static void make_engine(struct stack *s, uint32_t mtu)
{
	const struct la_config cfg = {
		.seed = {s->flags.seed, 1},
		.max_sockets = SOCKETS,
		.send_buffer = SEND_BUFFER,
		.receive_buffer = RECEIVE_BUFFER,
		.mtu = mtu,
		.now = s->now,
	};

	s->mtu = mtu;
	s->mem_size = la_size(&cfg);
	s->mem = mmap(NULL, s->mem_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (!s->mem_size || s->mem == MAP_FAILED || la_init(s->mem, s->mem_size, &cfg, &s->engine) < 0)
		die("no engine of this configuration");
	add_address(s, "192.168.0.1"); /* packetdrill's own defaults; it names others with bind() or in a packet */
	add_address(s, "fd3d:fa7b:d17d::1");
	if (*s->flags.local)
		add_address(s, s->flags.local);
	for (unsigned i = 0; i < s->flags.n_knobs; i++)
		if (la_knob_set(s->engine, s->flags.knobs[i].name, s->flags.knobs[i].value) < 0)
			die("flags: no such tunable, or no such value");
}

/* 0: there is no tun0. */
static uint32_t tun_mtu(void)
{
	struct ifreq r = {.ifr_name = "tun0"};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const bool ok = fd >= 0 && ioctl(fd, SIOCGIFMTU, &r) == 0;

	if (fd >= 0)
		syscall(SYS_close, fd);
	return ok && r.ifr_mtu > 0 ? (uint32_t)r.ifr_mtu : 0;
}

void stack_first_socket(struct stack *s)
{
	const uint32_t mtu = s->flags.mtu ? s->flags.mtu : tun_mtu();

	if (s->has_sockets)
		return;
	s->has_sockets = true;
	if (!mtu || mtu == s->mtu)
		return;
	munmap(s->mem, s->mem_size);
	make_engine(s, mtu);
}

struct stack *stack_new(const char *flags)
{
	struct stack *s = calloc(1, sizeof(*s));

	if (!s)
		die("no memory");
	if (!flags_parse(&s->flags, flags))
		die("flags: words of local=ADDR mtu=N seed=N pcap=FILE report still and NAME=VALUE of a tunable");
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->moved, NULL);
	s->driver = pthread_self();
	s->wake_at = LA_NEVER;
	s->now = START_AT;
	s->last = &s->first;
	/* Nothing here depends on real time, so packetdrill's mlockall() need not make a gigabyte of buffers real. */
	munlockall();
	make_engine(s, s->flags.mtu ? s->flags.mtu : MTU);
	if (*s->flags.pcap && !(s->pcap = pcap_open(s->flags.pcap)))
		die("flags: pcap= cannot be written");
	return s;
}

static void report_rest(const struct stack *s)
{
	for (const struct sent_packet *p = s->first; p; p = p->next)
		fprintf(stderr, "liblastack-packetdrill: nobody expected the packet of %zu octets at %.6f\n", p->len,
			(double)(p->at - START_AT) / (double)NSEC_PER_S);
}

void stack_free(struct stack *s)
{
	struct sent_packet *p;

	if (s->flags.report)
		report_rest(s);
	while ((p = s->first) != NULL) {
		s->first = p->next;
		free(p);
	}
	for (int fd = 0; fd < FILES_MAX; fd++)
		if (s->files[fd].kind != FILE_NONE)
			stack_close(s, fd);
	if (s->pcap)
		fclose(s->pcap);
	munmap(s->mem, s->mem_size);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
