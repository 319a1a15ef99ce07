/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/base.h"
#include "cli/bench.h"
#include "cli/bulk.h"

/*
 * An application writes and reads in pieces of CHUNK octets. PACKET_NS: virtual time goes on, so that timers run and
 * congestion control sees round trips; a microsecond is about what a packet takes on the machine, too.
 */
enum { SERVER_PORT = 80, CHUNK = 16384, PACKET_NS = 1000, PACKET_MAX = 2048, QUIET_MAX = 10000 };
enum { HEADERS_V4 = 40, HEADERS_V6 = 60, TIMESTAMPS = 12 };

static struct la_config config(const struct bulk_cfg *cfg)
{
	uint32_t headers = (cfg->ipv6 ? HEADERS_V6 : HEADERS_V4) + (cfg->timestamps ? TIMESTAMPS : 0);

	return (struct la_config){
		.seed = {UINT64_C(0x6c61737461636b21), 2026},
		.max_sockets = 8,
		.max_time_wait4 = 64,
		.max_time_wait6 = 64,
		.send_buffer = cfg->buffer,
		.receive_buffer = cfg->buffer,
		.mtu = BULK_SEGMENT + headers,
	};
}

/* ---- the two applications ---- */

static void write_all(struct bulk *b, uint64_t until)
{
	while (b->written < until) {
		size_t n = until - b->written < CHUNK ? (size_t)(until - b->written) : CHUNK;
		int64_t took = la_send(b->e, b->from, b->text, n, 0);

		if (took <= 0)
			return;
		b->written += (uint64_t)took;
	}
}

static void read_all(struct bulk *b)
{
	int64_t n;

	while ((n = la_recv(b->e, b->to, b->got, CHUNK, 0)) > 0)
		b->read += (uint64_t)n;
}

static void on_events(struct bulk *b, uint64_t until)
{
	struct la_event ev;

	while (la_event(b->e, &ev)) {
		if (ev.sock == b->listener)
			b->to = la_accept(b->e, b->listener, NULL);
		else if (ev.sock == b->from && ev.events & LA_OUT)
			write_all(b, until);
		else if (ev.sock == b->to && ev.events & LA_IN)
			read_all(b);
	}
}

/* One packet, if there is one. */
static bool turn(struct bulk *b, uint64_t until)
{
	uint8_t packet[PACKET_MAX];
	size_t len;

	b->now += PACKET_NS;
	len = la_output(b->e, b->now, packet, sizeof(packet));
	if (len == 0)
		return false;
	b->packets++;
	la_input(b->e, b->now, packet, len);
	on_events(b, until);
	return true;
}

/* Nothing under way: time goes on to what is next, a delayed ACK. */
static void wait(struct bulk *b, uint64_t until)
{
	la_time next = la_next_at(b->e);

	if (next != LA_NEVER && next > b->now)
		b->now = next;
	la_advance(b->e, b->now);
	on_events(b, until);
}

int bulk_move(struct bulk *b, uint64_t octets)
{
	uint64_t until = b->read + octets;
	unsigned quiet = 0;

	write_all(b, until);
	while (b->read < until) {
		uint64_t before = b->read;

		if (!turn(b, until))
			wait(b, until);
		quiet = b->read == before ? quiet + 1 : 0;
		if (quiet > QUIET_MAX)
			return -EPROTO;
	}
	return 0;
}

/* ---- set up ---- */

static int set_up(struct bulk *b, struct why *w)
{
	struct la_endpoint at = bench_endpoint(b->cfg.ipv6, 1, SERVER_PORT);
	int family = b->cfg.ipv6 ? LA_INET6 : LA_INET;

	if (!b->cfg.timestamps && la_knob_set(b->e, "net.ipv4.tcp_timestamps", "0"))
		return why_errno(w, EINVAL, "net.ipv4.tcp_timestamps");
	if (la_address_add(b->e, at.addr))
		return why_errno(w, EINVAL, "an address");
	b->listener = la_socket(b->e, family);
	b->from = la_socket(b->e, family);
	if (b->listener < 0 || la_bind(b->e, b->listener, &at) || la_listen(b->e, b->listener, 1))
		return why_errno(w, EINVAL, "a listener");
	if (la_connect(b->e, b->from, &at) != -EINPROGRESS)
		return why_errno(w, EINVAL, "a connection");
	while (turn(b, 0))
		continue;
	return b->to > 0 ? 0 : why_errno(w, EPROTO, "the connection is not established");
}

int bulk_init(struct bulk *b, const struct bulk_cfg *cfg, struct why *w)
{
	struct la_config lc = config(cfg);
	int err;

	*b = (struct bulk){.cfg = *cfg, .now = NSEC_PER_S, .mem_size = la_size(&lc)};
	if (b->mem_size == 0)
		return why_errno(w, EINVAL, "buffers of %u octets", (unsigned)cfg->buffer);
	b->mem_size = (b->mem_size + 4095) & ~(size_t)4095;
	b->mem =
		mmap(NULL, b->mem_size + 2 * (size_t)CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->mem == MAP_FAILED)
		return why_errno(w, errno, "%zu octets for the engine", b->mem_size);
	madvise(b->mem, b->mem_size, MADV_HUGEPAGE); /* only makes it faster */
	b->text = (uint8_t *)b->mem + b->mem_size;
	b->got = b->text + CHUNK;
	for (size_t i = 0; i < CHUNK; i++)
		b->text[i] = (uint8_t)(i * 7 + (i >> 8));
	err = la_init(b->mem, b->mem_size, &lc, &b->e);
	if (err)
		why_errno(w, -err, "la_init");
	else
		err = set_up(b, w);
	if (err)
		bulk_done(b);
	return err;
}

void bulk_done(struct bulk *b) { munmap(b->mem, b->mem_size + 2 * (size_t)CHUNK); }
