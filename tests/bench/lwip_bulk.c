/* SPDX-License-Identifier: MIT */
/*
 * lwip_bulk.c - the loop of `lastack bench bulk` on lwIP: one connection, one end writes all it can, the other reads all
 * there is. Both ends in one stack and one thread; packets wait in a queue between output and input. The applications' octets
 * are copied in and out, as la_send() and la_recv() do; --no-copy lends them to lwIP and looks at none, as only its own API can.
 *
 *   lwip-bulk [--no-copy]
 *
 * Built by tools/bench_lwip.sh, for lwIP comes as source.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

enum { QUEUE = 4096, BATCHES = 41, BATCH = 32 << 20, CHUNK = 16384, SERVER_PORT = 80, QUIET_MAX = 1000 };

static struct netif wire;
static struct pbuf *queue[QUEUE];
static unsigned queue_head, queue_tail;
static unsigned long packets;
static uint64_t written, until, taken;
static uint32_t now_ms;
static bool no_copy, connected;
static uint8_t text[CHUNK], got[CHUNK];

static void give_up(const char *why)
{
	fprintf(stderr, "lwip_bulk: %s\n", why);
	exit(4);
}

u32_t sys_now(void) { return now_ms; }

/* ---- the wire ---- */

/* A copy into a buffer of the pool, as a driver gives them to lwIP. */
static err_t wire_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	struct pbuf *copy = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL);

	if (!copy || queue_tail - queue_head == QUEUE)
		give_up("the wire is full");
	pbuf_copy(copy, p);
	queue[queue_tail++ % QUEUE] = copy;
	return ERR_OK;
}

static err_t wire_init(struct netif *n)
{
	n->output = wire_output;
	n->mtu = 1500;
	n->name[0] = 'w';
	n->flags = NETIF_FLAG_UP | NETIF_FLAG_LINK_UP;
	return ERR_OK;
}

static bool wire_deliver(void)
{
	bool any = queue_head != queue_tail;

	while (queue_head != queue_tail) {
		packets++;
		ip4_input(queue[queue_head++ % QUEUE], &wire);
	}
	return any;
}

/* ---- the two ends ---- */

static err_t server_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	if (!p)
		give_up("the connection ended");
	if (!no_copy)
		pbuf_copy_partial(p, got, p->tot_len, 0);
	taken += p->tot_len;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	return ERR_OK;
}

static err_t server_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	tcp_recv(pcb, server_received);
	return ERR_OK;
}

static void write_all(struct tcp_pcb *pcb)
{
	while (written < until) {
		uint64_t n = until - written < CHUNK ? until - written : CHUNK;

		if (n > tcp_sndbuf(pcb))
			n = tcp_sndbuf(pcb);
		if (n == 0 || tcp_write(pcb, text, (tcpwnd_size_t)n, no_copy ? 0 : TCP_WRITE_FLAG_COPY) != ERR_OK)
			break;
		written += n;
	}
	tcp_output(pcb);
}

static err_t client_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
	write_all(pcb);
	return ERR_OK;
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	connected = true;
	return ERR_OK;
}

static struct tcp_pcb *open_both(void)
{
	ip4_addr_t address, mask, gateway;
	struct tcp_pcb *listener, *client;
	ip_addr_t host;

	lwip_init();
	IP4_ADDR(&address, 10, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	IP4_ADDR(&gateway, 0, 0, 0, 0);
	if (!netif_add(&wire, &address, &mask, &gateway, NULL, wire_init, ip4_input))
		give_up("no interface");
	netif_set_up(&wire);
	ip_addr_copy_from_ip4(host, address);
	listener = tcp_new();
	if (!listener || tcp_bind(listener, &host, SERVER_PORT) != ERR_OK || !(listener = tcp_listen(listener)))
		give_up("cannot listen");
	tcp_accept(listener, server_accepted);
	client = tcp_new();
	if (!client || tcp_connect(client, &host, SERVER_PORT, client_connected) != ERR_OK)
		give_up("cannot connect");
	tcp_nagle_disable(client);
	tcp_sent(client, client_sent);
	wire_deliver();
	if (!connected)
		give_up("not connected");
	return client;
}

/* ---- the measurement ---- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* as lastack bench */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double batch(struct tcp_pcb *pcb)
{
	double start = seconds();

	until = taken + BATCH;
	write_all(pcb);
	for (unsigned quiet = 0; taken < until; quiet++) {
		if (wire_deliver()) {
			quiet = 0;
			continue;
		}
		if (quiet == QUIET_MAX)
			give_up("nothing arrives any more");
		now_ms += TCP_TMR_INTERVAL;
		tcp_tmr();
	}
	return BATCH / (seconds() - start) / 1e9;
}

int main(int argc, char **argv)
{
	double rates[BATCHES];
	struct tcp_pcb *pcb;

	no_copy = argc > 1 && strcmp(argv[1], "--no-copy") == 0;
	for (unsigned i = 0; i < CHUNK; i++)
		text[i] = (uint8_t)(i * 7 + (i >> 8));
	pcb = open_both();
	batch(pcb); /* slow start and cold caches */
	for (unsigned i = 0; i < BATCHES; i++)
		rates[i] = batch(pcb);
	qsort(rates, BATCHES, sizeof(rates[0]), by_value);
	printf("{\"gigabytes_per_s\":%.3f,\"packets_per_segment\":%.2f,\"buffer\":%d}\n", rates[BATCHES / 2],
	       (double)packets / ((double)taken / TCP_MSS), BULK_WINDOW);
	return 0;
}
