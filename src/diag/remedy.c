/* SPDX-License-Identifier: MIT */
#include "diag/remedy.h"
#include "base/text.h"

enum {
	PORTS = 65536,
	WIDE_LOW = 1024,
	WIDE_HIGH = 65535, /* with WIDE_LOW of different parity, as ip-sysctl.rst wants */
	GAP_MAX = 16, /* ports between two listeners that may be reserved for brevity */
	DELAY_FLOOR_MS = 100, /* below it PAWS is blind for peers with a coarse clock */
};

struct port_set {
	uint8_t bit[PORTS / 8];
};

static void set_add(struct port_set *s, uint32_t port) { s->bit[port / 8] |= (uint8_t)(1U << port % 8); }
static bool set_has(const struct port_set *s, uint32_t port) { return s->bit[port / 8] >> port % 8 & 1; }

/* false: does not fit. Ports at most `gap` apart become one range. */
static bool set_text(const struct port_set *s, uint32_t gap, char *buf, size_t cap)
{
	buf[0] = '\0';
	for (uint32_t port = 1; port < PORTS; port++) {
		uint32_t last = port;
		size_t len;

		if (!set_has(s, port))
			continue;
		for (uint32_t next = port + 1; next < PORTS && next <= last + gap; next++)
			if (set_has(s, next))
				last = next;
		len = append(buf, cap, last > port ? "%s%u-%u" : "%s%u", buf[0] ? "," : "", port, last);
		if (len + 1 >= cap)
			return false;
		port = last;
	}
	return true;
}

struct reserve reserve_listeners(const struct view *v, uint32_t low, uint32_t high)
{
	struct port_set set = {{0}};
	struct reserve r = {.hint = ""};
	/* what a command holds less the words of the longest one, that of PORT004 which writes to sysctl.d */
	size_t room = sizeof(((struct remedy *)0)->command) - strlen(view_prefix(v).s) - 88;
	uint32_t gap = 1;

	for (size_t i = 0; i < v->now->n_reserved; i++)
		for (uint32_t p = v->now->reserved[i].low; p <= v->now->reserved[i].high; p++)
			set_add(&set, p);
	for (size_t i = 0; i < v->now->n_listeners; i++) {
		const struct listener *l = &v->now->listeners[i];

		if (!l->listening || l->port < low || l->port > high || set_has(&set, l->port))
			continue;
		set_add(&set, l->port);
		r.added++;
	}
	if (!r.added)
		return r;
	while (!set_text(&set, gap, r.list, room < sizeof(r.list) ? room : sizeof(r.list))) {
		gap *= 2;
		r.hint = "; near ones are joined to ranges to keep the list short";
		if (gap <= GAP_MAX)
			continue;
		r.list[0] = '\0';
		r.hint = "; they are too many for a line here: take them from ss -Hltn, and keep the old list";
		break;
	}
	return r;
}

void remedy_reuse_connections(struct finding *f, const struct view *v, const struct dest *d)
{
	struct proc_text who = proc_text(snapshot_proc(v->host, d->proc));
	uint64_t time_wait = d->states.n[ST_TIME_WAIT], live = state_counts_sum(&d->states) - time_wait;
	struct remedy *m = finding_remedy(f, "");

	if (live > time_wait) {
		SAY(m->action, "Hold fewer connections open%s%s: %s to %s are live; bound the pool, close idle ones",
		    who.s[0] ? " in " : "", who.s, num(live).s, ip_port_text(d->dst, d->dport).s);
		return;
	}
	SAY(m->action, "Reuse connections%s%s: keep-alive and a pool as large as the peak concurrency towards %s",
	    who.s[0] ? " in " : "", who.s, ip_port_text(d->dst, d->dport).s);
	SAY(m->precondition, "the pool drops idle connections sooner than the server's idle timeout; "
			     "nginx needs keepalive, proxy_http_version 1.1 and Connection \"\" together");
}

void remedy_more_tuples(struct finding *f, const struct dest *d)
{
	struct remedy *m = finding_remedy(f, "");

	if (d->loopback)
		SAY(m->action, "Spread over more destinations: every address of 127.0.0.0/8 has the whole range again");
	else
		SAY(m->action,
		    "Spread over more destination addresses or ports, or over more source addresses: each has the "
		    "whole range again");
	SAY(m->precondition, "a program that bind()s its source address sets IP_BIND_ADDRESS_NO_PORT (Linux 4.2), "
			     "else bind() takes the port from everybody");
}

void remedy_widen_range(struct finding *f, const struct view *v)
{
	uint32_t width = v->ports.high - v->ports.low + 1, wide = WIDE_HIGH - WIDE_LOW + 1;
	struct ns_prefix in = view_prefix(v);
	struct reserve r;
	struct remedy *m;

	if (!v->ports.known || width + width / 10 > wide)
		return;
	r = reserve_listeners(v, WIDE_LOW, WIDE_HIGH);
	if (r.added) {
		m = finding_remedy(f, "");
		SAY(m->action, "Reserve the %s listening port%s inside the wider range, before widening it",
		    r.added == 1 ? "one" : num(r.added).s, r.added == 1 ? "" : "s");
		SAY(m->precondition, "the list also has the ports of services that are down now%s", r.hint);
		if (r.list[0])
			SAY(m->command, "%ssysctl -w net.ipv4.ip_local_reserved_ports=%s", in.s, r.list);
	}
	m = finding_remedy(f, "");
	SAY(m->action, "Widen the local port range from %s to %s ports", num(width).s, num(wide).s);
	SAY(m->precondition, "%sno firewall rule and no Kubernetes NodePort (30000-32767) relies on the old range",
	    r.added ? "the reservation above is done; " : "");
	SAY(m->command, "%ssysctl -w net.ipv4.ip_local_port_range=\"%d %d\"", in.s, WIDE_LOW, WIDE_HIGH);
	SAY(m->risk, "an unreserved service port in the range can be taken: its service then fails to start with "
		     "EADDRINUSE");
}

/* The next step towards earlier reuse: switch it on, or let it happen sooner. */
void remedy_tw_reuse(struct finding *f, const struct view *v, const struct dest *d)
{
	bool on = dest_may_reuse(d, &v->ports);
	struct ns_prefix in = view_prefix(v);
	int64_t timestamps, reuse, delay;
	struct remedy *m;

	if (!view_knob(v, KNOB_timestamps, &timestamps) || !view_knob(v, KNOB_tw_reuse, &reuse))
		return;
	if (on) {
		if (!view_knob(v, KNOB_tw_reuse_delay_ms, &delay) || delay <= DELAY_FLOOR_MS)
			return;
		m = finding_remedy(f, "");
		SAY(m->action, "Let connect() take over a TIME_WAIT after %d ms instead of %lld ms", DELAY_FLOOR_MS,
		    (long long)delay);
		SAY(m->precondition, "the peers' timestamp clock ticks at least every %d ms (Linux: 1 ms)",
		    DELAY_FLOOR_MS);
		SAY(m->command, "%ssysctl -w net.ipv4.tcp_tw_reuse_delay=%d", in.s, DELAY_FLOOR_MS);
		SAY(m->risk, "old segments of a peer with a coarser clock pass PAWS");
		return;
	}
	m = finding_remedy(f, "");
	if (timestamps == 0) {
		SAY(m->action, "Switch on TCP timestamps%s: without them tcp_tw_reuse does nothing",
		    reuse == 1 ? "" : ", then tcp_tw_reuse");
		SAY(m->precondition, "timestamps are on at %s too; TIME_WAITs of old connections still last 60 s",
		    ip_text(d->dst).s);
		SAY(m->command, "%ssysctl -w net.ipv4.tcp_timestamps=1%s", in.s,
		    reuse == 1 ? "" : " net.ipv4.tcp_tw_reuse=1");
		return;
	}
	SAY(m->action, "Let connect() take over a TIME_WAIT after %s: tcp_tw_reuse=1",
	    seconds_text(v->ports.reuse_delay_s).s);
	SAY(m->precondition,
	    "timestamps are on at %s too; only connections this host opens profit, and none whose program bind()s "
	    "before connect()",
	    ip_text(d->dst).s);
	SAY(m->command, "%ssysctl -w net.ipv4.tcp_tw_reuse=1", in.s);
	SAY(m->risk, "acts on every outgoing connection of this network namespace");
}

static void address_filter(char *buf, size_t cap, const char *word, struct ip ip)
{
	if (ip.family && !ip_is_any(ip))
		append(buf, cap, ip.family == 6 ? " %s '[%s]'" : " %s %s", word, ip_text(ip).s);
}

void remedy_destroy_time_wait(struct finding *f, const struct view *v, const struct dest *d)
{
	struct remedy *m;

	/* TIME_WAIT sockets can be destroyed since 6.0; without an address the filter would hit everybody's. */
	if (v->host->kernel_version < KV(6, 0) || !d->dst.family || ip_is_any(d->dst))
		return;
	m = finding_remedy(f, "Emergency: destroy the TIME_WAITs towards this destination only; they come back");
	SAY(m->precondition, "a person decides; root; the program is fixed next");
	SAY(m->command, "%sss -K state time-wait", view_prefix(v).s);
	address_filter(m->command, sizeof(m->command), "src", d->src);
	address_filter(m->command, sizeof(m->command), "dst", d->dst);
	append(m->command, sizeof(m->command), " dport = :%u", d->dport);
	SAY(m->risk, "TIME-WAIT assassination (RFC 1337): a late segment can reach the next connection");
}
