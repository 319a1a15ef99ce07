/* SPDX-License-Identifier: MIT */
#include "lab/interop/flow.h"

#include <errno.h>

#include "base/link.h"
#include "lab/interop/octets.h"

enum { CHUNK = 16384, REST = 2 * NSEC_PER_MS };

static void end_flow(struct flow *f, int error)
{
	f->error = error;
	f->closed = true;
	(void)end_close(&f->end);
}

static void write_some(struct flow *f)
{
	uint8_t buf[CHUNK];

	while (!f->closed && f->sent < f->cfg.to_send && (f->eof || !f->cfg.answers)) {
		size_t want = f->cfg.to_send - f->sent < CHUNK ? f->cfg.to_send - f->sent : CHUNK;
		int64_t n;

		octets_fill(f->cfg.seed, f->sent, buf, want);
		n = end_send(&f->end, buf, want);
		if (n == -EAGAIN || (n == -ENOTCONN && !f->connected))
			return;
		if (n < 0) {
			end_flow(f, (int)n);
			return;
		}
		f->connected = true;
		f->hash_sent = octets_hash(f->hash_sent, buf, (size_t)n);
		f->sent += (uint32_t)n;
	}
}

static void read_some(struct flow *f)
{
	uint8_t buf[CHUNK];

	while (!f->closed && !f->eof && f->read_at == NSEC_NEVER) {
		int64_t n = end_recv(&f->end, buf, f->cfg.lazy ? LAZY_CHUNK : sizeof(buf), false);

		if (n == -EAGAIN || (n == -ENOTCONN && !f->connected))
			return;
		if (n < 0) {
			end_flow(f, (int)n);
			return;
		}
		f->connected = true;
		f->eof = n == 0;
		f->hash_received = octets_hash(f->hash_received, buf, (size_t)n);
		f->received += (uint32_t)n;
		if (f->cfg.lazy && n > 0)
			f->read_at = f->end.d->now + REST;
	}
}

static void finish(struct flow *f)
{
	/* Before it is connected a shutdown() would be the end of trying, on Linux too. */
	if (f->closed || !f->connected || f->sent < f->cfg.to_send || (f->cfg.answers && !f->eof))
		return;
	if (f->cfg.ends == FLOW_WHEN_DONE && f->received >= f->cfg.to_receive) {
		end_flow(f, 0);
		return;
	}
	if (f->cfg.ends == FLOW_SHUT && !f->shut) {
		int err = end_shutdown(&f->end, false);

		if (err) {
			end_flow(f, err);
			return;
		}
		f->shut = true;
	}
	if (f->eof)
		end_flow(f, 0);
}

/* Without anything to send only the error, or its absence, tells that connecting is over. */
static void look_connected(struct flow *f)
{
	struct la_tcp_info info;
	char c;

	if (f->connected)
		return;
	if (f->end.side == SIDE_ENGINE)
		f->connected = la_tcp_info(f->end.d->e, f->end.sock, &info) == 0 && info.tcpi_state == 1;
	else
		f->connected = end_recv(&f->end, &c, 1, true) == -EAGAIN && end_send(&f->end, "", 0) == 0;
}

static void ready(struct end *e)
{
	struct flow *f = container_of(e, struct flow, end);

	look_connected(f);
	write_some(f);
	read_some(f);
	write_some(f); /* an answer */
	finish(f);
}

void flow_tick(struct flow *f, nsec_t now)
{
	if (f->closed || now < f->read_at)
		return;
	f->read_at = NSEC_NEVER;
	ready(&f->end);
}

void flow_start(struct flow *f, const struct flow_cfg *cfg)
{
	f->cfg = *cfg;
	f->sent = f->received = 0;
	f->hash_sent = f->hash_received = OCTETS_HASH;
	f->connected = f->eof = f->shut = f->closed = false;
	f->error = 0;
	f->read_at = NSEC_NEVER;
	f->end.ready = ready;
	ready(&f->end);
}
