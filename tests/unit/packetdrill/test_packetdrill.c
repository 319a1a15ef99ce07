/* SPDX-License-Identifier: MIT */
/* Drives liblastack-packetdrill.so as packetdrill does: dlopen(), hooks, a second thread for calls that block. */
#include "base/base.h"
#include "packetdrill/interface.h"
#include "tests/unit/t.h"
#include "wire/packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PORT = 8080, PEER_PORT = 40000, WINDOW = 30000, PEER_ISS = 1000 };

static const char *library;

static struct rig {
	struct packetdrill_interface i;
	void *u;
	uint8_t octets[65536]; /* of the packet taken last */
	struct packet p;
	seq_t their_iss;
} r;

static struct addr ours, peers;

static void begin(const char *flags)
{
	void *lib = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void (*init)(const char *, struct packetdrill_interface *);

	assert_non_null(lib);
	*(void **)&init = dlsym(lib, "packetdrill_interface_init");
	assert_non_null(init);
	memset(&r, 0, sizeof(r));
	init(flags, &r.i);
	r.u = r.i.userdata;
	ours = addr_v4(192, 168, 0, 1);
	peers = addr_v4(192, 0, 2, 1);
}

static void end(void) { r.i.free(r.u); }

static long long now_us(void)
{
	struct timeval tv;

	assert_int_equal(r.i.gettimeofday(r.u, &tv, NULL), 0);
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* Virtual time. */
static void go_by(useconds_t us)
{
	int (*const hook)(void *userdata, useconds_t us) = r.i.usleep;

	assert_int_equal(hook(r.u, us), 0);
}

/* The next packet of the stack into r.p; when it left. */
static long long take(void)
{
	size_t len = sizeof(r.octets);
	long long at = -1;

	assert_int_equal(r.i.netdev_receive(r.u, r.octets, &len, &at), 0);
	assert_true(len > 0);
	assert_int_equal(packet_parse(&r.p, r.octets, len, 0), WIRE_TCP);
	return at;
}

static void put(struct seg s)
{
	uint8_t buf[2048];
	size_t len;

	s.src = peers;
	s.dst = ours;
	len = packet_write(buf, sizeof(buf), &s, 0);
	assert_true(len > 0);
	assert_int_equal(r.i.netdev_send(r.u, buf, len), 0);
}

static struct sockaddr_in name_of(const struct addr *a, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	memcpy(&in.sin_addr, a->b + 12, 4);
	return in;
}

static int listener(void)
{
	const struct sockaddr_in at = name_of(&ours, PORT);
	const int fd = r.i.socket(r.u, AF_INET, SOCK_STREAM, IPPROTO_TCP);

	assert_true(fd >= 0);
	assert_int_equal(r.i.bind(r.u, fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(r.i.listen(r.u, fd, 5), 0);
	return fd;
}

static void shake_hands(void)
{
	put((struct seg){.sport = PEER_PORT,
			 .dport = PORT,
			 .seq = seq(PEER_ISS),
			 .flags = F_SYN,
			 .wnd = WINDOW,
			 .opts = {.has_mss = true, .mss = 1000}});
	take();
	assert_int_equal(r.p.seg.flags, F_SYN | F_ACK);
	r.their_iss = r.p.seg.seq;
	put((struct seg){.sport = PEER_PORT,
			 .dport = PORT,
			 .seq = seq(PEER_ISS + 1),
			 .ack = seq_add(r.their_iss, 1),
			 .flags = F_ACK,
			 .wnd = WINDOW});
}

static void data_from_peer(uint32_t from, uint32_t len)
{
	static const uint8_t text[1000];

	put((struct seg){.sport = PEER_PORT,
			 .dport = PORT,
			 .seq = seq(PEER_ISS + 1 + from),
			 .ack = seq_add(r.their_iss, 1),
			 .flags = F_ACK | F_PSH,
			 .wnd = WINDOW,
			 .len = len,
			 .text = text});
}

static int connection(void)
{
	const int l = listener();
	int fd;

	shake_hands();
	fd = r.i.accept(r.u, l, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(r.i.close(r.u, l), 0);
	return fd;
}

/* A call that blocks, on a thread of its own, and the look at the clock after it. */
struct blocked {
	pthread_t thread;
	ssize_t (*call)(int fd);
	int fd;
	ssize_t ret;
	int err;
	long long returned_us;
};

static void *blocked_main(void *arg)
{
	struct blocked *b = arg;

	b->ret = b->call(b->fd);
	b->err = errno;
	b->returned_us = now_us();
	return NULL;
}

static bool is_asleep(pid_t tid)
{
	char path[64], stat[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	f = fopen(path, "re");
	if (!f)
		return false;
	stat[fread(stat, 1, sizeof(stat) - 1, f)] = '\0';
	fclose(f);
	return strrchr(stat, ')') && strrchr(stat, ')')[2] == 'S';
}

static volatile pid_t blocked_tid;

static void *blocked_first(void *arg)
{
	blocked_tid = gettid();
	return blocked_main(arg);
}

static void block(struct blocked *b)
{
	blocked_tid = 0;
	assert_int_equal(pthread_create(&b->thread, NULL, blocked_first, b), 0);
	while (!blocked_tid || !is_asleep(blocked_tid))
		sched_yield();
}

static ssize_t call_read(int fd)
{
	char buf[100];

	return r.i.read(r.u, fd, buf, sizeof(buf));
}

static ssize_t call_accept(int fd) { return r.i.accept(r.u, fd, NULL, NULL); }

static ssize_t call_connect(int fd)
{
	const struct sockaddr_in to = name_of(&peers, PORT);

	return r.i.connect(r.u, fd, (const struct sockaddr *)&to, sizeof(to));
}

static ssize_t call_poll(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return r.i.poll(r.u, &p, 1, 250);
}

TEST(clock__looked_at_twice__goes_on_by_a_microsecond_a_look)
{
	long long t;

	begin(NULL);
	t = now_us();
	assert_int_equal(now_us(), t + 1);
	assert_int_equal(now_us(), t + 2);
	go_by(500);
	assert_int_equal(now_us(), t + 502);
	end();
}

TEST(netdev_receive__nothing_will_come__is_0_octets)
{
	size_t len = sizeof(r.octets);
	long long at;

	begin(NULL);
	assert_int_equal(r.i.netdev_receive(r.u, r.octets, &len, &at), 0);
	assert_int_equal(len, 0);
	end();
}

TEST(blocking_accept__handshake__returns_at_that_time)
{
	struct blocked b = {.call = call_accept};
	long long t;

	begin(NULL);
	b.fd = listener();
	block(&b);
	go_by(100000);
	t = now_us();
	shake_hands();
	pthread_join(b.thread, NULL);
	assert_true(b.ret >= 0);
	assert_int_equal(b.returned_us, t);
	end();
}

TEST(blocking_connect__syn_ack__returns_at_that_time)
{
	struct blocked b = {.call = call_connect};
	long long t;

	begin(NULL);
	b.fd = r.i.socket(r.u, AF_INET, SOCK_STREAM, 0);
	block(&b);
	take();
	assert_int_equal(r.p.seg.flags, F_SYN);
	go_by(30000);
	t = now_us();
	put((struct seg){.sport = PORT,
			 .dport = r.p.seg.sport,
			 .seq = seq(7),
			 .ack = seq_add(r.p.seg.seq, 1),
			 .flags = F_SYN | F_ACK,
			 .wnd = WINDOW});
	pthread_join(b.thread, NULL);
	assert_int_equal(b.ret, 0);
	assert_int_equal(b.returned_us, t);
	end();
}

TEST(blocking_read__data_then_more__returns_with_the_first)
{
	struct blocked b = {.call = call_read};
	long long t;

	begin(NULL);
	b.fd = connection();
	block(&b);
	go_by(70000);
	t = now_us();
	data_from_peer(0, 40);
	data_from_peer(40, 40);
	pthread_join(b.thread, NULL);
	assert_int_equal(b.ret, 40);
	assert_int_equal(b.returned_us, t);
	assert_int_equal(call_read(b.fd), 40);
	end();
}

TEST(poll__nothing_comes__ends_when_its_time_is_over)
{
	struct blocked b = {.call = call_poll};
	long long t;

	begin(NULL);
	b.fd = connection();
	t = now_us();
	block(&b);
	go_by(1000000);
	pthread_join(b.thread, NULL);
	assert_int_equal(b.ret, 0);
	assert_int_equal(b.returned_us, t + 250000);
	end();
}

TEST(write__no_ack__is_sent_again_in_virtual_time)
{
	long long first, again;
	int fd;

	begin("net.ipv4.tcp_timestamps=0");
	fd = connection();
	assert_int_equal(r.i.write(r.u, fd, "hello", 5), 5);
	first = take();
	assert_int_equal(r.p.seg.len, 5);
	do
		again = take();
	while (seq_lt(seq_add(r.their_iss, 1), r.p.seg.seq));
	assert_int_equal(r.p.seg.len, 5);
	assert_true(again - first >= 200000);
	assert_true(again - first <= 1200000);
	end();
}

TEST(nonblocking__nothing_there__is_eagain)
{
	char c;
	int fd, n = -1;

	begin(NULL);
	fd = connection();
	assert_int_equal(r.i.fcntl(r.u, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	assert_int_equal(r.i.fcntl(r.u, fd, F_GETFL), O_RDWR | O_NONBLOCK);
	errno = 0;
	assert_int_equal(r.i.read(r.u, fd, &c, 1), -1);
	assert_int_equal(errno, EAGAIN);
	data_from_peer(0, 300);
	assert_int_equal(r.i.ioctl(r.u, fd, (unsigned long)FIONREAD, &n), 0);
	assert_int_equal(n, 300);
	end();
}

TEST(epoll_edge__each_arrival__is_told_once)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.fd = 77}, got;
	int fd, ep;

	begin(NULL);
	fd = connection();
	ep = r.i.epoll_create(r.u, 1);
	assert_true(ep >= 0);
	assert_int_equal(r.i.epoll_ctl(r.u, ep, EPOLL_CTL_ADD, fd, &ev), 0);
	assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, 0), 0);
	for (uint32_t from = 0; from < 300; from += 100) {
		data_from_peer(from, 100);
		assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, 0), 1);
		assert_int_equal(got.events, EPOLLIN);
		assert_int_equal(got.data.fd, 77);
		assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, 0), 0);
	}
	end();
}

TEST(epoll_level__unread__is_told_again)
{
	struct epoll_event ev = {.events = EPOLLIN}, got;
	char buf[100];
	int fd, ep;

	begin(NULL);
	fd = connection();
	ep = r.i.epoll_create(r.u, 1);
	assert_int_equal(r.i.epoll_ctl(r.u, ep, EPOLL_CTL_ADD, fd, &ev), 0);
	data_from_peer(0, 100);
	assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, 0), 1);
	assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, -1), 1);
	assert_int_equal(r.i.recv(r.u, fd, buf, sizeof(buf), 0), 100);
	assert_int_equal(r.i.epoll_wait(r.u, ep, &got, 1, 0), 0);
	end();
}

TEST(recvmsg__tcp_inq__tells_what_is_left)
{
	char buf[60], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov[2] = {{buf, 10}, {buf + 10, 50}};
	struct msghdr msg = {
		.msg_iov = iov, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr head;
	const int on = 1;
	int fd, inq = -1;

	begin(NULL);
	fd = connection();
	assert_int_equal(r.i.setsockopt(r.u, fd, IPPROTO_TCP, 36 /* TCP_INQ */, &on, sizeof(on)), 0);
	data_from_peer(0, 100);
	assert_int_equal(r.i.recvmsg(r.u, fd, &msg, 0), 60);
	assert_int_equal(msg.msg_controllen, sizeof(control));
	memcpy(&head, control, sizeof(head));
	assert_int_equal(head.cmsg_type, 36);
	memcpy(&inq, control + CMSG_LEN(0), sizeof(inq));
	assert_int_equal(inq, 40);
	end();
}

TEST(close__gives_the_descriptor_back__and_sends_fin)
{
	int fd;

	begin(NULL);
	fd = connection();
	assert_int_not_equal(fcntl(fd, F_GETFD), -1); /* a real one stands for it */
	assert_int_equal(r.i.close(r.u, fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	take();
	assert_true(r.p.seg.flags & F_FIN);
	errno = 0;
	assert_int_equal(r.i.close(r.u, fd), -1);
	assert_int_equal(errno, EBADF);
	end();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(clock__looked_at_twice__goes_on_by_a_microsecond_a_look),
		T(netdev_receive__nothing_will_come__is_0_octets),
		T(blocking_accept__handshake__returns_at_that_time),
		T(blocking_connect__syn_ack__returns_at_that_time),
		T(blocking_read__data_then_more__returns_with_the_first),
		T(poll__nothing_comes__ends_when_its_time_is_over),
		T(write__no_ack__is_sent_again_in_virtual_time),
		T(nonblocking__nothing_there__is_eagain),
		T(epoll_edge__each_arrival__is_told_once),
		T(epoll_level__unread__is_told_again),
		T(recvmsg__tcp_inq__tells_what_is_left),
		T(close__gives_the_descriptor_back__and_sends_fin),
	};

	assert(argc == 2);
	library = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
