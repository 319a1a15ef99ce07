/* SPDX-License-Identifier: MIT */
#include "sim/path.h"

#include "sim/middlebox.h"
#include "wire/csum.h"

const char *const fault_names[N_FAULTS] = {
#define FAULT(id, name, what) name,
#include "sim/faults.def"
#undef FAULT
};

/* ---- places ---- */

struct packet_slot *path_slot(struct net *n)
{
	if (n->n_free > 0)
		return &n->slot[n->free[--n->n_free]];
	return n->n_used < PACKETS_MAX ? &n->slot[n->n_used++] : &n->spare;
}

void path_slot_free(struct net *n, struct packet_slot *p)
{
	if (p != &n->spare)
		n->free[n->n_free++] = (uint16_t)(p - n->slot);
}

/* p arrives at that time; it is no longer the caller's. */
static void arrive(struct net *n, struct packet_slot *p, nsec_t at)
{
	if (p != &n->spare && agenda_add(&n->agenda, at, (uint32_t)(p - n->slot)))
		return;
	n->fault[FAULT_OVERFLOW]++;
	path_slot_free(n, p);
}

static void arrive_copy(struct net *n, const struct packet_slot *p, nsec_t at)
{
	struct packet_slot *copy = path_slot(n);

	if (copy != p) {
		memcpy(copy, p, offsetof(struct packet_slot, octets) + p->len);
		arrive(n, copy, at);
	}
}

/* ---- faults ---- */

static nsec_t below(struct rng *r, nsec_t n) { return n ? rng_u64(r) % n : 0; }

/* When a packet that sets out at `from` is there. */
static nsec_t arrival(struct net *n, struct path *p, nsec_t from, bool late)
{
	nsec_t d = p->delay + below(&n->rng, p->jitter), at;

	if (late)
		d += below(&n->rng, 4 * (p->delay + p->jitter) + NSEC_PER_MS);
	if (d > n->lifetime)
		d = n->lifetime;
	at = from + d;
	if (p->in_order && !late) {
		at = at < p->last_at ? p->last_at : at;
		p->last_at = at;
	}
	return at;
}

/*
 * Flips one bit, or a run of up to 15 with both its ends among them: a one's complement sum of 16 bits sees each of
 * these. Not in the first eight octets of IPv6, where a length or a traffic class has no checksum above it.
 */
static void damage(struct net *n, struct packet_slot *p)
{
	uint32_t bits = p->len * 8U, first = p->octets[0] >> 4 == 6 ? 64 : 0;
	uint32_t run = rng_chance(&n->rng, 0.5) ? 1 : 2 + rng_below(&n->rng, 14), at;
	uint64_t pattern = rng_u64(&n->rng);

	if (first + run >= bits)
		return;
	at = first + rng_below(&n->rng, bits - first - run);
	for (uint32_t i = 0; i < run; i++)
		if (i == 0 || i == run - 1 || pattern >> i & 1)
			p->octets[(at + i) / 8] ^= (uint8_t)(0x80 >> (at + i) % 8);
	p->damaged = true;
}

static void write_icmp6(uint8_t *o, const struct addr *router, const struct addr *to, uint16_t payload)
{
	uint16_t sum;

	o[0] = 0x60;
	o[4] = (uint8_t)(payload >> 8);
	o[5] = (uint8_t)payload;
	o[6] = 58;
	o[7] = 64;
	memcpy(o + 8, router->b, 16);
	memcpy(o + 24, to->b, 16);
	sum = csum_fold(csum_add(csum_pseudo(router, to, 58, payload), o + 40, payload));
	memcpy(o + 42, &sum, 2);
}

static void write_icmp4(uint8_t *o, const struct addr *router, const struct addr *to, uint16_t payload)
{
	uint16_t sum, len = (uint16_t)(payload + 20);

	o[0] = 0x45;
	o[2] = (uint8_t)(len >> 8);
	o[3] = (uint8_t)len;
	o[8] = 64;
	o[9] = 1;
	memcpy(o + 12, router->b + 12, 4);
	memcpy(o + 16, to->b + 12, 4);
	sum = csum_fold(csum_add(0, o, 20));
	memcpy(o + 10, &sum, 2);
	sum = csum_fold(csum_add(0, o + 20, payload));
	memcpy(o + 22, &sum, 2);
}

/* What a router on the way says about a packet. */
struct message {
	uint8_t type, code;
	uint32_t mtu;
};

static void send_icmp(struct net *n, const struct packet_slot *lost, nsec_t at, struct message m)
{
	struct packet_slot *p = path_slot(n);
	bool v6 = lost->octets[0] >> 4 == 6;
	size_t head = v6 ? 40 : 20, quoted = v6 ? 60 : 28;
	struct addr to, router;

	if (p == lost || p == &n->spare || lost->len < quoted) {
		path_slot_free(n, p);
		return;
	}
	memset(p, 0, offsetof(struct packet_slot, octets) + 128);
	p->octets[head] = m.type;
	p->octets[head + 1] = m.code;
	word_put(p->octets + head + 4, be32(m.mtu)); /* RFC 4443 3.2; the low half of it in RFC 1191 4 */
	memcpy(p->octets + head + 8, lost->octets, quoted);
	to = v6 ? addr_from_v6(lost->octets + 8) : addr_from_v4(lost->octets + 12);
	router = to;
	router.b[15] = 254;
	if (v6)
		write_icmp6(p->octets, &router, &to, (uint16_t)(8 + quoted));
	else
		write_icmp4(p->octets, &router, &to, (uint16_t)(8 + quoted));
	p->len = (uint16_t)(head + 8 + quoted);
	p->to = lost->from;
	p->from = NOBODY;
	p->icmp = true;
	arrive(n, p, at);
}

static struct message unreachable(struct net *n, const struct packet_slot *lost)
{
	static const uint8_t codes4[] = {0, 1, 2, 3, 13}, codes6[] = {0, 1, 3, 4};

	if (lost->octets[0] >> 4 == 6)
		return (struct message){.type = 1, .code = codes6[rng_below(&n->rng, ARRAY_LEN(codes6))]};
	return (struct message){.type = 3, .code = codes4[rng_below(&n->rng, ARRAY_LEN(codes4))]};
}

static struct message too_big(const struct packet_slot *lost, uint32_t mtu)
{
	if (lost->octets[0] >> 4 == 6)
		return (struct message){.type = 2, .mtu = mtu};
	return (struct message){.type = 3, .code = 4, .mtu = mtu};
}

/* A size that is none (0 is what routers before RFC 1191 said), too small, or larger than what was sent; or the numbers of another packet. */
static void lie(struct net *n, const struct packet_slot *about, nsec_t at)
{
	static const uint16_t sizes[] = {0, 1, 67, 68, 296, 551, 576, 1279, 1280, 9000, 65535};
	struct packet_slot *copy = path_slot(n);

	if (copy == &n->spare || copy == about)
		return;
	memcpy(copy, about, offsetof(struct packet_slot, octets) + about->len);
	if (rng_chance(&n->rng, 0.5))
		copy->octets[(copy->octets[0] >> 4 == 6 ? 40 : 20) + 4] ^= (uint8_t)(1 + rng_below(&n->rng, 255));
	n->fault[FAULT_LIE]++;
	send_icmp(n, copy, at, too_big(copy, sizes[rng_below(&n->rng, ARRAY_LEN(sizes))]));
	path_slot_free(n, copy);
}

/* ---- the way ---- */

/* True, and counted, with a chance of of_65536. */
static bool happens(struct net *n, uint16_t of_65536, uint64_t chance, enum fault f)
{
	if ((chance & 0xffff) >= of_65536)
		return false;
	n->fault[f]++;
	return true;
}

static void lose(struct net *n, struct packet_slot *p, const struct path *way)
{
	if (way->icmp && rng_below(&n->rng, 65536) < way->icmp) {
		n->fault[FAULT_ICMP]++;
		send_icmp(n, p, n->now + way->delay, unreachable(n, p));
	}
	path_slot_free(n, p);
}

static void lose_too_big(struct net *n, struct packet_slot *p, const struct path *way)
{
	n->fault[FAULT_TOO_BIG]++;
	if (rng_below(&n->rng, 65536) < way->too_big)
		send_icmp(n, p, n->now + way->delay, too_big(p, way->mtu));
	path_slot_free(n, p);
}

static void change(struct net *n, struct packet_slot *p, const struct path *way)
{
	if (way->bleaches && middlebox_ecn(p->octets) != IP_NOT_ECT) {
		middlebox_set_ecn(p->octets, IP_NOT_ECT);
		n->fault[FAULT_BLEACHED]++;
	}
	if (way->strips)
		n->fault[FAULT_STRIPPED] += middlebox_strip_sack(p->octets, p->len);
}

/* When the packet has passed the bottleneck; false: it is lost there. */
static bool squeeze(struct net *n, struct packet_slot *p, struct path *way, nsec_t *ret_at)
{
	bool mark = false;

	*ret_at = n->now;
	if (!way->neck.rate)
		return true;
	if (!bottleneck_pass(&way->neck, n->now, p->len, middlebox_ecn(p->octets) != IP_NOT_ECT, ret_at, &mark)) {
		n->fault[FAULT_QUEUE]++;
		return false;
	}
	if (mark) {
		middlebox_set_ecn(p->octets, IP_CE);
		n->fault[FAULT_MARKED]++;
	}
	return true;
}

static void travel(struct net *n, struct packet_slot *p, struct path *way)
{
	uint64_t a = rng_u64(&n->rng), b = rng_u64(&n->rng);
	nsec_t from;

	if (way->cut) {
		n->fault[FAULT_PARTITION]++;
		lose(n, p, way);
		return;
	}
	if (way->lie && rng_below(&n->rng, 65536) < way->lie)
		lie(n, p, n->now + way->delay);
	if (way->mtu && p->len > way->mtu) {
		lose_too_big(n, p, way);
		return;
	}
	change(n, p, way);
	if (happens(n, way->replay, a, FAULT_REPLAY))
		arrive_copy(n, p, n->now + below(&n->rng, n->lifetime));
	if (happens(n, way->stale, a >> 16, FAULT_STALE))
		arrive_copy(n, p, n->now + n->lifetime + below(&n->rng, 9 * n->lifetime));
	if (happens(n, way->loss, a >> 32, FAULT_LOSS) || !squeeze(n, p, way, &from)) {
		lose(n, p, way);
		return;
	}
	if (happens(n, way->duplicate, a >> 48, FAULT_DUPLICATE))
		arrive_copy(n, p, arrival(n, way, from, false));
	if (happens(n, way->damage, b, FAULT_DAMAGE))
		damage(n, p);
	arrive(n, p, arrival(n, way, from, happens(n, way->late, b >> 16, FAULT_LATE)));
}

void path_send(struct net *n, unsigned from, struct packet_slot *p)
{
	struct packet parsed;
	enum wire_verdict v = packet_parse(&parsed, p->octets, p->len, 0);

	n->packets++;
	n->octets += p->len;
	p->from = (uint8_t)from;
	p->forged = p->damaged = p->icmp = false;
	if (v != WIRE_TCP || net_owner(n, parsed.seg.src.b) != from) {
		FAIL(n->v, CHECK_WIRE, from, NULL, NULL, "sends a packet of %u octets with verdict %u, from %s", p->len,
		     (unsigned)v, v == WIRE_TCP ? addr_text(&parsed.seg.src).s : "?");
		path_slot_free(n, p);
		return;
	}
	if (n->ops.sent)
		n->ops.sent(n->ops.arg, from, &parsed.seg);
	if (n->w)
		watch_out(n->w, from, &parsed.seg);
	p->to = (uint8_t)net_owner(n, parsed.seg.dst.b);
	if (p->to == NOBODY || (n->ops.filter && !n->ops.filter(n->ops.arg, from, &parsed.seg)))
		path_slot_free(n, p);
	else
		travel(n, p, &n->path[from][p->to]);
}

void net_forge(struct net *n, nsec_t at, const struct seg *s)
{
	struct packet_slot *p = path_slot(n);

	p->len = (uint16_t)packet_write(p->octets, sizeof(p->octets), s, 0);
	p->from = NOBODY;
	p->to = (uint8_t)net_owner(n, s->dst.b);
	p->forged = true;
	p->damaged = p->icmp = false;
	must(p->len > 0 && p->to != NOBODY);
	n->fault[FAULT_FORGED]++;
	arrive(n, p, at);
}

void net_replay(struct net *n, nsec_t at, const void *packet, size_t len)
{
	struct packet_slot *p = path_slot(n);
	struct packet parsed;

	must(len <= sizeof(p->octets) && packet_parse(&parsed, packet, len, 0) == WIRE_TCP);
	memcpy(p->octets, packet, len);
	p->len = (uint16_t)len;
	p->from = NOBODY;
	p->to = (uint8_t)net_owner(n, parsed.seg.dst.b);
	p->forged = p->damaged = p->icmp = false;
	must(p->to != NOBODY);
	n->fault[FAULT_REPLAY]++;
	arrive(n, p, at);
}

void net_cut(struct net *n, unsigned a, unsigned b, bool cut) { n->path[a][b].cut = n->path[b][a].cut = cut; }
