/* SPDX-License-Identifier: MIT */
/*
 * make_captures.c - captures of causes that no program had to be run for: `make_captures NAME [TIMES]` writes one to
 * standard output, TIMES over with other numbers; without a NAME it lists them. made.tsv says what is right for each. Every one is another mixture of link type,
 * file format and address family, so that the reader is tried too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "tests/unit/flow/talk.h"

enum format { PCAP_US, PCAP_NS, PCAP_SWAPPED, PCAPNG_US, PCAPNG_NS };
enum { DLT_NULL_ = 0, DLT_ETHERNET = 1, DLT_RAW_IP = 101, DLT_SLL = 113, DLT_SLL2 = 276 };
enum { VLANS_NONE, VLANS_ONE, VLANS_TWO };

struct kept {
	nsec_t at;
	size_t order, begin, len;
};

static struct {
	uint8_t *octets;
	struct kept *packets;
	size_t n, n_max, used, used_max;
} all;

static struct rng rng;
static struct talk t;
static bool v6;
static uint16_t next_port;

/* ---- talks ---- */

static void keep(void *arg, nsec_t at, const uint8_t *packet, size_t len)
{
	if (all.n == all.n_max) {
		all.n_max = all.n_max ? all.n_max * 2 : 4096;
		all.packets = realloc(all.packets, all.n_max * sizeof(*all.packets));
	}
	if (all.used + len > all.used_max) {
		all.used_max = (all.used + len) * 2;
		all.octets = realloc(all.octets, all.used_max);
	}
	must(all.packets && all.octets);
	memcpy(all.octets + all.used, packet, len);
	all.packets[all.n] = (struct kept){at, all.n, all.used, len};
	all.n++;
	all.used += len;
}

/* The next connection, so long after the first frame; nothing was said yet. */
static void connection(double at_s)
{
	static const uint8_t six[2][16] = {{0x20, 1, 0xd, 0xb8, [15] = 1}, {0x20, 1, 0xd, 0xb8, [15] = 2}};

	talk_init(&t, next_port++);
	t.now = UINT64_C(1790000000) * NSEC_PER_S + (nsec_t)(at_s * 1e9);
	t.step = 40000 + rng_below(&rng, 20000);
	t.packet = keep;
	for (int s = 0; s < 2; s++) {
		t.nxt[s] = t.had[s] = seq((uint32_t)rng_u64(&rng));
		t.id[s] = (uint16_t)rng_u64(&rng);
		if (v6)
			t.addr[s] = addr_from_v6(six[s]);
	}
}

static void wait_s(double s) { talk_wait(&t, (nsec_t)(s * 1e9)); }
static double spread(double s) { return s * (double)rng_below(&rng, 1000) / 1000; } /* in [0, s) */

static void http(void)
{
	talk_say(&t, SIDE_CLIENT, "GET /a HTTP/1.1\r\nHost: shop\r\nUser-Agent: made/1\r\n\r\n");
	wait_s(0.0004 + spread(0.001));
	talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nServer: made\r\nContent-Length: 5\r\n\r\nhello");
}

static void record(enum side by, uint8_t type, uint16_t len)
{
	uint8_t text[5 + 4096] = {type, 3, 3, (uint8_t)(len >> 8), (uint8_t)len, type == 22};

	talk_send(&t, by, text, 5U + len);
}

/* TLS 1.3 (RFC 8446 2). */
static void tls_handshake(void)
{
	record(SIDE_CLIENT, 22, 517);
	record(SIDE_SERVER, 22, 122);
	record(SIDE_SERVER, 20, 1);
	record(SIDE_SERVER, 23, 2200);
	record(SIDE_CLIENT, 20, 1);
	record(SIDE_CLIENT, 23, 53);
}

static void tls_open(void)
{
	talk_open(&t);
	tls_handshake();
}

static void tls_exchange(void)
{
	record(SIDE_CLIENT, 23, 150);
	wait_s(0.0005);
	record(SIDE_SERVER, 23, 900);
}

static void tls_farewell(enum side by) { record(by, 23, 19); }

/* ---- captures ---- */

static void half_close(void)
{
	for (unsigned i = 0; i < 40; i++) {
		connection(i * 0.5);
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "all of a backup");
		talk_fin(&t, SIDE_CLIENT);
		wait_s(2 + spread(3));
		talk_say(&t, SIDE_SERVER, "stored");
		talk_fin(&t, SIDE_SERVER);
	}
}

static void tls_idle(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 0.7);
		tls_open();
		record(SIDE_SERVER, 23, 250);
		for (unsigned n = rng_below(&rng, 6); n < 6; n++) {
			tls_exchange();
			wait_s(spread(1.5));
		}
		tls_exchange();
		wait_s(5 + spread(0.004));
		tls_farewell(SIDE_SERVER);
		talk_close(&t, SIDE_SERVER);
	}
}

static void tls_per_request(void)
{
	for (unsigned i = 0; i < 200; i++) {
		connection(i * 0.06);
		tls_open();
		tls_exchange();
		tls_farewell(SIDE_CLIENT);
		talk_close(&t, SIDE_CLIENT);
	}
}

/* The server keeps nothing and says so; its clients are quicker to send a FIN. */
static void tls_goodbye(void)
{
	for (unsigned i = 0; i < 200; i++) {
		connection(i * 0.06);
		tls_open();
		tls_exchange();
		tls_farewell(SIDE_SERVER);
		talk_close(&t, SIDE_CLIENT);
	}
}

/* The server closes what is idle for 5 s; the pool looks later, and its good-bye meets nobody. */
static void tls_late_goodbye(void)
{
	static const uint8_t alert[5 + 19] = {23, 3, 3, 0, 19};

	for (unsigned i = 0; i < 60; i++) {
		connection(i * 0.7);
		tls_open();
		for (unsigned n = rng_below(&rng, 6); n < 6; n++) {
			tls_exchange();
			wait_s(spread(1.5));
		}
		tls_exchange();
		wait_s(5 + spread(0.004));
		tls_farewell(SIDE_SERVER);
		talk_fin(&t, SIDE_SERVER);
		wait_s(spread(0.8));
		talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, alert, sizeof(alert));
		talk_odd(&t, SIDE_SERVER, F_RST, t.nxt[SIDE_SERVER], seq(0), 0);
	}
}

/* A box that forgets connections after 350 s and answers for the server. */
static void middlebox(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 3);
		talk_open(&t);
		http();
		for (unsigned n = 0; n < 4; n++) {
			wait_s(20 + spread(300));
			http();
		}
		wait_s(351 + spread(300));
		talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, "GET /b HTTP/1.1\r\nHost: shop\r\n\r\n", 31);
		talk_odd(&t, SIDE_SERVER, F_RST, t.had[SIDE_SERVER], seq(0), 0);
	}
}

/* The same, but it answers nothing, and clients give up after 8 s. */
static void middlebox_silent(void)
{
	static const char late[] = "GET /b HTTP/1.1\r\nHost: shop\r\n\r\n";

	for (unsigned i = 0; i < 40; i++) {
		connection(i * 3);
		talk_open(&t);
		http();
		wait_s(100 + spread(200));
		http();
		wait_s(351 + spread(300));
		talk_seg(&t, SIDE_CLIENT, F_ACK | F_PSH, late, sizeof(late) - 1);
		for (unsigned n = 0; n < 5; n++) {
			wait_s(0.2 * (1 << n));
			talk_again(&t, SIDE_CLIENT, F_ACK | F_PSH, late, sizeof(late) - 1);
		}
		wait_s(1.8);
		talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
	}
}

/* Requests that are answered when there is news; clients keep the connection. */
static void long_poll(void)
{
	for (unsigned i = 0; i < 30; i++) {
		connection(i * 1.3);
		talk_open(&t);
		for (unsigned n = 0; n < 8; n++) {
			talk_say(&t, SIDE_CLIENT, "GET /events HTTP/1.1\r\nHost: shop\r\n\r\n");
			wait_s(3 + spread(22));
			talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnews");
		}
		wait_s(spread(40));
		talk_close(&t, SIDE_CLIENT);
	}
}

static void h2_frame(enum side by, uint8_t type, uint8_t len)
{
	uint8_t text[9 + 255] = {0, 0, len, type, [8] = 1};

	talk_send(&t, by, text, 9U + len);
}

static void http2(void)
{
	for (unsigned i = 0; i < 30; i++) {
		connection(i * 0.9);
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		h2_frame(SIDE_CLIENT, 4, 18);
		h2_frame(SIDE_SERVER, 4, 6);
		for (unsigned n = rng_below(&rng, 20); n < 25; n++) {
			h2_frame(SIDE_CLIENT, 1, 60);
			h2_frame(SIDE_SERVER, 1, 40);
			h2_frame(SIDE_SERVER, 0, 250);
			wait_s(spread(2));
		}
		h2_frame(SIDE_CLIENT, 7, 8);
		talk_close(&t, SIDE_CLIENT);
	}
}

static void linger0(void)
{
	for (unsigned i = 0; i < 120; i++) {
		connection(i * 0.1);
		talk_open(&t);
		http();
		talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
	}
}

static void fin_then_rst(void)
{
	for (unsigned i = 0; i < 120; i++) {
		connection(i * 0.1);
		talk_open(&t);
		http();
		talk_seg(&t, SIDE_SERVER, F_FIN | F_ACK, NULL, 0);
		if (i % 2) {
			talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
			continue;
		}
		talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
		talk_seg(&t, SIDE_SERVER, F_ACK, NULL, 0);
	}
}

/* Uploads refused before they were read. */
static void server_abort(void)
{
	static const uint8_t body[1400];
	seq_t had;

	for (unsigned i = 0; i < 120; i++) {
		connection(i * 0.1);
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "POST /big HTTP/1.1\r\nHost: shop\r\nContent-Length: 90000\r\n\r\n");
		talk_send(&t, SIDE_CLIENT, body, sizeof(body));
		talk_say(&t, SIDE_SERVER,
			 "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		had = t.nxt[SIDE_CLIENT];
		talk_seg(&t, SIDE_CLIENT, F_ACK, body, sizeof(body));
		talk_odd(&t, SIDE_SERVER, F_RST | F_ACK, t.nxt[SIDE_SERVER], had, 0);
		talk_seg(&t, SIDE_CLIENT, F_ACK, body, sizeof(body));
	}
}

/* A deploy: everything at once, after half a minute of work. */
static void mass_close(void)
{
	for (unsigned i = 0; i < 150; i++) {
		connection(i * 0.01);
		talk_open(&t);
		for (unsigned n = 0; n < 10; n++) {
			http();
			wait_s(spread(5.5));
		}
		http();
		t.now = UINT64_C(1790000000) * NSEC_PER_S + (nsec_t)((62 + spread(0.05)) * 1e9);
		talk_close(&t, SIDE_SERVER);
	}
}

static void client_idle(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 4);
		talk_open(&t);
		for (unsigned n = rng_below(&rng, 8); n < 9; n++) {
			http();
			wait_s(spread(30));
		}
		http();
		wait_s(90 + spread(0.004));
		talk_close(&t, SIDE_CLIENT);
	}
}

static void ignores_fin(void)
{
	for (unsigned i = 0; i < 50; i++) {
		connection(i * 0.4);
		talk_open(&t);
		http();
		wait_s(2);
		talk_fin(&t, SIDE_SERVER);
		if (i % 5 == 0)
			continue; /* still there when the capture ends */
		wait_s(20 + spread(20));
		talk_seg(&t, SIDE_CLIENT, F_FIN | F_ACK, NULL, 0);
		talk_odd(&t, SIDE_SERVER, F_RST, t.nxt[SIDE_SERVER], seq(0), 0);
	}
}

static void request_cap(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 0.8);
		talk_open(&t);
		for (unsigned n = 1; n < 25; n++) {
			http();
			wait_s(spread(0.3));
		}
		talk_say(&t, SIDE_CLIENT, "GET /a HTTP/1.1\r\nHost: shop\r\n\r\n");
		talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		talk_close(&t, SIDE_SERVER);
	}
}

/* A server that keeps connections, but not after an error; nginx and 413. */
static void errors(void)
{
	for (unsigned i = 0; i < 80; i++) {
		connection(i * 0.3);
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "POST /big HTTP/1.1\r\nHost: shop\r\nContent-Length: 4\r\n\r\nmuch");
		wait_s(0.0004 + spread(0.001));
		talk_say(
			&t, SIDE_SERVER,
			"HTTP/1.1 413 Content Too Large\r\nServer: nginx\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
		talk_close(&t, SIDE_SERVER);
	}
}

/* A healthy pool: few long connections, ended by a client that leaves. */
static void healthy(void)
{
	for (unsigned i = 0; i < 5; i++) {
		connection(i * 0.2);
		talk_open(&t);
		for (unsigned n = 0; n < 60; n++) {
			http();
			wait_s(spread(1));
		}
		talk_close(&t, SIDE_CLIENT);
	}
}

/* TLS behind a proxy that says first whose connection it is (PROXY protocol, version 2). */
static void tls_proxied(void)
{
	static const uint8_t lead[28] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x13\x88\1\xbb";

	for (unsigned i = 0; i < 30; i++) {
		connection(i * 0.8);
		talk_open(&t);
		talk_send(&t, SIDE_CLIENT, lead, sizeof(lead));
		tls_handshake();
		for (unsigned n = 0; n < 100; n++) {
			tls_exchange();
			wait_s(spread(0.01));
		}
		tls_farewell(SIDE_SERVER);
		talk_close(&t, SIDE_SERVER);
	}
}

/* Clients that vanished: keep-alive asks nine times and gives up. */
static void vanished(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 0.5);
		talk_open(&t);
		for (unsigned n = 0; n < 1 + i % 4; n++) {
			http();
			wait_s(spread(20));
		}
		wait_s(60);
		for (unsigned k = 0; k < 9; k++) {
			talk_odd(&t, SIDE_SERVER, F_ACK, seq_sub(t.nxt[SIDE_SERVER], 1), t.nxt[SIDE_CLIENT], 0);
			wait_s(10);
		}
		talk_seg(&t, SIDE_SERVER, F_RST | F_ACK, NULL, 0);
	}
}

/* A stranger's RST in the server's name, which the client does not believe (RFC 5961 3.2). */
static void forged_rst(void)
{
	for (unsigned i = 0; i < 60; i++) {
		connection(i * 0.5);
		talk_open(&t);
		http();
		talk_odd(&t, SIDE_SERVER, F_RST, seq_add(t.nxt[SIDE_SERVER], 20000), seq(0), 0);
		talk_seg(&t, SIDE_CLIENT, F_ACK, NULL, 0);
		for (unsigned n = 0; n < 1 + i % 4; n++) {
			wait_s(0.05 + spread(0.3));
			http();
		}
		wait_s(5 + spread(0.004));
		talk_close(&t, SIDE_SERVER);
	}
}

/* For the benchmark: connections of sixteen packets, a thousand at a time. */
static void load(void)
{
	static const uint8_t body[1400];

	for (unsigned i = 0; i < 2000; i++) {
		connection(i * 0.0001);
		talk_open(&t);
		talk_say(&t, SIDE_CLIENT, "GET /a HTTP/1.1\r\nHost: shop\r\nUser-Agent: made/1\r\n\r\n");
		wait_s(0.05);
		talk_say(&t, SIDE_SERVER, "HTTP/1.1 200 OK\r\nServer: made\r\nContent-Length: 4200\r\n\r\n");
		for (unsigned n = 0; n < 3; n++)
			talk_send(&t, SIDE_SERVER, body, sizeof(body));
		wait_s(0.05);
		talk_close(&t, SIDE_CLIENT);
	}
}

static const struct made {
	const char *name;
	void (*make)(void);
	enum format format;
	uint32_t link;
	bool v6;
	unsigned vlans, copies;
	uint32_t snap;
} made[] = {
	{"half-close", half_close, PCAP_US, DLT_RAW_IP, .snap = 0},
	{"tls-idle", tls_idle, PCAP_NS, DLT_SLL2, .copies = 2},
	{"tls-per-request", tls_per_request, PCAPNG_US, DLT_ETHERNET, .snap = 128},
	{"tls-goodbye", tls_goodbye, PCAP_US, DLT_ETHERNET, .v6 = true, .snap = 128},
	{"tls-late-goodbye", tls_late_goodbye, PCAPNG_NS, DLT_SLL},
	{"tls-proxied", tls_proxied, PCAP_NS, DLT_ETHERNET, .snap = 128},
	{"vanished", vanished, PCAPNG_US, DLT_SLL2, .copies = 2},
	{"forged-rst", forged_rst, PCAP_SWAPPED, DLT_SLL, .v6 = true},
	{"middlebox", middlebox, PCAP_SWAPPED, DLT_ETHERNET, .vlans = VLANS_ONE},
	{"middlebox-silent", middlebox_silent, PCAP_NS, DLT_ETHERNET, .v6 = true},
	{"long-poll", long_poll, PCAPNG_NS, DLT_SLL, .v6 = true},
	{"http2", http2, PCAP_US, DLT_NULL_, .v6 = true},
	{"linger0", linger0, PCAP_US, DLT_ETHERNET, .snap = 96},
	{"fin-then-rst", fin_then_rst, PCAPNG_US, DLT_RAW_IP, .copies = 2},
	{"server-abort", server_abort, PCAP_NS, DLT_NULL_},
	{"mass-close", mass_close, PCAP_US, DLT_ETHERNET, .v6 = true, .vlans = VLANS_TWO},
	{"client-idle", client_idle, PCAPNG_NS, DLT_ETHERNET, .v6 = true, .vlans = VLANS_ONE},
	{"ignores-fin", ignores_fin, PCAP_US, DLT_SLL},
	{"request-cap", request_cap, PCAP_SWAPPED, DLT_RAW_IP, .v6 = true},
	{"errors", errors, PCAPNG_US, DLT_ETHERNET, .v6 = true},
	{"healthy", healthy, PCAP_US, DLT_SLL2},
	{"load", load, PCAP_NS, DLT_ETHERNET},
};

/* ---- files ---- */

static bool swapped; /* numbers of the file in the other byte order */

static void put(const void *octets, size_t len) { must(fwrite(octets, 1, len, stdout) == len); }

static void put32(uint32_t v)
{
	if (swapped)
		v = __builtin_bswap32(v);
	put(&v, 4);
}

static void put16(uint16_t v)
{
	if (swapped)
		v = __builtin_bswap16(v);
	put(&v, 2);
}

static bool is_ng(const struct made *m) { return m->format == PCAPNG_US || m->format == PCAPNG_NS; }
static bool is_ns(const struct made *m) { return m->format == PCAP_NS || m->format == PCAPNG_NS; }

/* draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng: section header, interface description with if_tsresol. */
static void put_head(const struct made *m)
{
	uint32_t snap = m->snap ? m->snap : 262144;

	swapped = m->format == PCAP_SWAPPED;
	if (!is_ng(m)) {
		put32(is_ns(m) ? 0xa1b23c4d : 0xa1b2c3d4);
		put16(2);
		put16(4);
		put32(0);
		put32(0);
		put32(snap);
		put32(m->link);
		return;
	}
	put32(0x0a0d0d0a);
	put32(28);
	put32(0x1a2b3c4d);
	put16(1);
	put16(0);
	put32(UINT32_MAX);
	put32(UINT32_MAX);
	put32(28);
	put32(1);
	put32(32);
	put16((uint16_t)m->link);
	put16(0);
	put32(snap);
	put16(9);
	put16(1);
	put32(is_ns(m) ? 9 : 6);
	put32(0);
	put32(32);
}

/* What stands before the packet on the link. Its length. */
static size_t link_head(const struct made *m, uint8_t head[32])
{
	static const uint8_t tag[2][4] = {{0x81, 0, 0, 5}, {0x88, 0xa8, 0, 7}};
	uint8_t type[2] = {m->v6 ? 0x86 : 0x08, m->v6 ? 0xdd : 0};
	size_t len = 0;

	memset(head, 0, 32);
	switch (m->link) {
	case DLT_ETHERNET:
		len = 12;
		for (unsigned i = m->vlans; i > 0; i--, len += 4)
			memcpy(head + len, tag[i - 1], 4);
		memcpy(head + len, type, 2);
		return len + 2;
	case DLT_SLL:
		memcpy(head + 14, type, 2);
		return 16;
	case DLT_SLL2:
		memcpy(head, type, 2);
		return 20;
	case DLT_NULL_:
		head[0] = m->v6 ? 30 : 2;
		return 4;
	case DLT_RAW_IP:
		return 0;
	}
	must_not_reach("no such link type");
}

static void put_packet(const struct made *m, const struct kept *p, nsec_t at)
{
	static const uint8_t padding[4];
	uint8_t head[32];
	size_t head_len = link_head(m, head);
	uint32_t len = (uint32_t)(head_len + p->len), kept = m->snap && m->snap < len ? m->snap : len, pad = 0;
	uint64_t stamp = is_ns(m) ? at : at / 1000, unit = is_ns(m) ? NSEC_PER_S : 1000000;

	if (is_ng(m)) {
		pad = (4 - kept % 4) % 4;
		put32(6);
		put32(32 + kept + pad);
		put32(0);
		put32((uint32_t)(stamp >> 32));
		put32((uint32_t)stamp);
	} else {
		put32((uint32_t)(stamp / unit));
		put32((uint32_t)(stamp % unit));
	}
	put32(kept);
	put32(len);
	put(head, head_len);
	put(all.octets + p->begin, kept - head_len);
	put(padding, pad);
	if (is_ng(m))
		put32(32 + kept + pad);
}

/* The same connections again, with other numbers: later ones. */
static void number_again(const struct kept *p)
{
	uint8_t *tcp = all.octets + p->begin + (v6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN);

	for (size_t at = 4; at <= 8; at += 4)
		word_put(tcp + at, be32(get32(tcp + at) + 0x01000193));
}

static int by_time(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void write_capture(const struct made *m, unsigned times)
{
	nsec_t length;

	rng_seed(&rng, 5);
	v6 = m->v6;
	next_port = 33000;
	m->make();
	must(all.n > 0);
	qsort(all.packets, all.n, sizeof(all.packets[0]), by_time);
	length = all.packets[all.n - 1].at - all.packets[0].at + NSEC_PER_S;
	put_head(m);
	for (unsigned i = 0; i < times; i++) {
		for (size_t k = 0; k < all.n; k++) {
			for (unsigned c = 0; c < (m->copies ? m->copies : 1); c++)
				put_packet(m, &all.packets[k], all.packets[k].at + i * length + (nsec_t)c * 2000);
			number_again(&all.packets[k]);
		}
	}
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(made); i++) {
		if (argc < 2)
			puts(made[i].name);
		else if (strcmp(argv[1], made[i].name) == 0)
			write_capture(&made[i], argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1);
	}
	free(all.packets);
	free(all.octets);
	return fflush(stdout) ? 1 : 0;
}
