/* SPDX-License-Identifier: MIT */
/*
 * lwip_churn.c - the churn loop of `lastack bench churn` on lwIP: connect, one octet, its echo, the client closes first,
 * the server closes. Both ends in one stack, one connection at a time; packets wait in a queue between output and input.
 *
 *   lwip-plain [--time-wait 0,1000,10000] [--seconds 1] [--batch 50]
 *
 * The number of TIME_WAITs is held constant: those that a batch made are freed after it, outside the time measured, and
 * lwIP's slow timer does not run. The ones held were made by real connections from ports that connect() does not choose,
 * kept out of lwIP's list meanwhile, for making them takes lwIP time in proportion to their square.
 * Built by tools/bench_lwip.sh, for lwIP comes as source.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <lwip/init.h>
#include <lwip/ip4.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

enum { QUEUE = 64, SLICES = 21, FILL_CHUNK = 250, FILL_PORTS = 40000, FILL_PORT_LOW = 2000, SERVER_PORT = 80 };

static struct netif wire;
static struct pbuf *queue[QUEUE];
static unsigned queue_head, queue_tail;
static ip_addr_t host;
static unsigned long packets, echoed;
static uint32_t now_ms;

static void give_up(const char *why)
{
	fprintf(stderr, "lwip_churn: %s\n", why);
	exit(4);
}

/* lwIP's clock, for timestamps and timers. */
u32_t sys_now(void) { return now_ms; }

/* ---- the wire ---- */

/* A copy, as a wire makes one: lwIP keeps the packet to send it again. */
static err_t wire_output(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	struct pbuf *copy = pbuf_clone(PBUF_LINK, PBUF_RAM, p);

	if (!copy || queue_tail - queue_head == QUEUE)
		give_up("the wire is full");
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

static void wire_deliver(void)
{
	while (queue_head != queue_tail) {
		packets++;
		ip4_input(queue[queue_head++ % QUEUE], &wire);
	}
}

/* ---- the two ends ---- */

static err_t server_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	u8_t octet;

	if (!p)
		return tcp_close(pcb);
	octet = *(u8_t *)p->payload;
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	if (tcp_write(pcb, &octet, 1, TCP_WRITE_FLAG_COPY) != ERR_OK)
		give_up("the server cannot write");
	return ERR_OK;
}

static err_t server_accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
	tcp_recv(pcb, server_received);
	return ERR_OK;
}

static err_t client_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	if (!p || *(u8_t *)p->payload != 'x')
		give_up("no echo");
	tcp_recved(pcb, p->tot_len);
	pbuf_free(p);
	tcp_recv(pcb, NULL);
	echoed++;
	return tcp_close(pcb);
}

static err_t client_connected(void *arg, struct tcp_pcb *pcb, err_t err)
{
	static const u8_t octet = 'x';

	if (tcp_write(pcb, &octet, 1, TCP_WRITE_FLAG_COPY) != ERR_OK)
		give_up("the client cannot write");
	return ERR_OK;
}

static struct tcp_pcb *listen_on(u16_t port)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb || tcp_bind(pcb, &host, port) != ERR_OK || !(pcb = tcp_listen(pcb)))
		give_up("cannot listen");
	tcp_accept(pcb, server_accepted);
	return pcb;
}

/* A whole connection. local_port 0: lwIP chooses. */
static void connect_once(u16_t local_port, u16_t port)
{
	struct tcp_pcb *pcb = tcp_new();

	if (!pcb)
		give_up("no room for a connection");
	if (local_port && tcp_bind(pcb, &host, local_port) != ERR_OK)
		give_up("cannot bind");
	tcp_recv(pcb, client_received);
	if (tcp_connect(pcb, &host, port, client_connected) != ERR_OK)
		give_up("cannot connect");
	wire_deliver();
}

/* ---- how many are held ---- */

static struct tcp_pcb *held;

/* Takes all TIME_WAITs out of lwIP's list into ours. */
static void set_aside(void)
{
	struct tcp_pcb *last = tcp_tw_pcbs;

	if (!last)
		return;
	while (last->next)
		last = last->next;
	last->next = held;
	held = tcp_tw_pcbs;
	tcp_tw_pcbs = NULL;
}

/* Every FILL_PORTS of them need another listener; it goes again, for listeners cost lwIP time too. */
static void hold(unsigned from, unsigned to)
{
	set_aside();
	for (unsigned i = from; i < to;) {
		u16_t port = (u16_t)(SERVER_PORT + 1 + i / FILL_PORTS);
		struct tcp_pcb *listener = listen_on(port);

		do {
			connect_once((u16_t)(FILL_PORT_LOW + i % FILL_PORTS), port);
			if (i % FILL_CHUNK == 0)
				set_aside();
		} while (++i < to && i % FILL_PORTS);
		tcp_close(listener);
	}
	set_aside();
	tcp_tw_pcbs = held;
	held = NULL;
}

static unsigned count(const struct tcp_pcb *list)
{
	unsigned n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID,
		      &t); /* as lastack bench: what others take away on a busy machine does not count */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The rate in batches for at least this long. The newest TIME_WAITs are the first of the list. */
static double slice(unsigned batch, double at_least)
{
	double spent = 0;
	unsigned long n = 0;

	while (spent < at_least) {
		double start = seconds();

		for (unsigned i = 0; i < batch; i++)
			connect_once(0, SERVER_PORT);
		spent += seconds() - start;
		n += batch;
		for (unsigned i = 0; i < batch; i++)
			tcp_abort(tcp_tw_pcbs);
		now_ms++;
	}
	return (double)n / spent;
}

/* The median of slices: others use this machine too. */
static double measure(unsigned batch, double at_least)
{
	double rates[SLICES];

	slice(batch, at_least / SLICES); /* warm */
	for (unsigned i = 0; i < SLICES; i++)
		rates[i] = slice(batch, at_least / SLICES);
	qsort(rates, SLICES, sizeof(rates[0]), by_value);
	return rates[SLICES / 2];
}

static void wire_up(void)
{
	ip4_addr_t address, mask, gateway;

	lwip_init();
	IP4_ADDR(&address, 10, 0, 0, 1);
	IP4_ADDR(&mask, 255, 0, 0, 0);
	IP4_ADDR(&gateway, 0, 0, 0, 0);
	if (!netif_add(&wire, &address, &mask, &gateway, NULL, wire_init, ip4_input))
		give_up("no interface");
	netif_set_up(&wire);
	ip_addr_copy_from_ip4(host, address);
	listen_on(SERVER_PORT);
}

int main(int argc, char **argv)
{
	const char *list = "0,1000,10000";
	unsigned batch = 50, before = 0;
	double at_least = 1;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--time-wait") == 0)
			list = argv[i + 1];
		else if (strcmp(argv[i], "--seconds") == 0)
			at_least = strtod(argv[i + 1], NULL);
		else if (strcmp(argv[i], "--batch") == 0)
			batch = (unsigned)strtoul(argv[i + 1], NULL, 10);
	}
	if (!batch || at_least <= 0)
		return 2;
	wire_up();
	printf("{\"peer\":\"%s\",\"rows\":[", LWIP_CHURN_NAME);
	for (const char *p = list; *p;) {
		char *end;
		unsigned n = (unsigned)strtoul(p, &end, 10);
		double rate;

		if (end == p || n < before) {
			fprintf(stderr, "lwip_churn: --time-wait: numbers that do not fall\n");
			return 2;
		}
		hold(before, n);
		rate = measure(batch, at_least);
		if (count(tcp_tw_pcbs) != n || tcp_active_pcbs || !echoed)
			give_up("other connections than expected are left");
		printf("%s{\"time_wait\":%u,\"connections_per_s\":%.1f,\"bytes_per_entry\":%zu}", p == list ? "" : ",",
		       n, rate, n ? sizeof(struct tcp_pcb) : 0);
		before = n;
		p = *end ? end + 1 : end;
	}
	printf("],\"packets_per_connection\":%.2f}\n", (double)packets / (double)echoed);
	return 0;
}
