/* SPDX-License-Identifier: MIT */
#include "engine/tuple.h"

/* ::ffff:0:0/96 */
static bool is_v4(const struct addr *a)
{
	static const uint8_t prefix[4] = {0, 0, 0xff, 0xff};

	return a->d[0] == 0 && memcmp(&a->w[2], prefix, sizeof(prefix)) == 0;
}

/*
 * An IPv4 tuple is a message of 10 octets, one of IPv6 has 22: no two of different families are alike. The order of
 * lport and laddr is not that of the struct: a compiler would read both at once, and wait for their separate stores.
 */
uint64_t tuple_hash(struct hash_key key, const struct tuple *t)
{
	struct sip s = sip_start(key);
	uint64_t laddr = t->laddr, lport = t->lport, rport = t->rport;

	if (is_v4(&t->raddr)) {
		sip_word(&s, t->raddr.w[3] | lport << 32 | laddr << 48);
		return sip_end(&s, rport | UINT64_C(10) << 56);
	}
	sip_word(&s, t->raddr.d[0]);
	sip_word(&s, t->raddr.d[1]);
	return sip_end(&s, lport | laddr << 16 | rport << 32 | UINT64_C(22) << 56);
}
