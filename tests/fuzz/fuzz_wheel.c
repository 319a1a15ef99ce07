/* SPDX-License-Identifier: MIT */
/* Octets are arms, cancels and leaps of time; a plain array says what must come out. */
#include "engine/wheel.h"

enum { N = 32 };

struct model {
	struct wheel w;
	struct wheel_timer t[N];
	nsec_t due[N]; /* NSEC_NEVER: idle */
	nsec_t now;
};

static nsec_t first_due(const struct model *m)
{
	nsec_t first = NSEC_NEVER;

	for (int i = 0; i < N; i++)
		if (m->due[i] < first)
			first = m->due[i];
	return first == NSEC_NEVER ? first : (first + WHEEL_TICK - 1) / WHEEL_TICK * WHEEL_TICK;
}

static void leap(struct model *m, uint64_t by)
{
	nsec_t promised = wheel_next_at(&m->w), first = first_due(m);
	struct wheel_timer *t;

	must(promised <= first);
	must((promised == NSEC_NEVER) == (first == NSEC_NEVER));
	m->now += by;
	while ((t = wheel_expire(&m->w, m->now)) != NULL) {
		size_t i = (size_t)(t - m->t);

		must(m->due[i] == t->deadline_at && t->deadline_at <= m->now);
		m->due[i] = NSEC_NEVER;
	}
	for (int i = 0; i < N; i++)
		must(m->due[i] == NSEC_NEVER ? !wheel_is_armed(&m->t[i]) : m->due[i] + WHEEL_TICK > m->now);
}

/* Three octets each: what and which timer, how many bits, the upper ones of them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct model m;

	memset(&m, 0, sizeof(m));
	m.now = len ? (nsec_t)data[0] << 42 : 0;
	wheel_init(&m.w, m.now);
	for (int i = 0; i < N; i++)
		m.due[i] = NSEC_NEVER;
	for (; len >= 3; data += 3, len -= 3) {
		unsigned i = data[0] % N;
		uint64_t span = ((uint64_t)data[2] << 45 | 0x155555555555) >> data[1] % 53;

		switch (data[0] / N % 4) {
		case 0:
		case 1:
			m.due[i] = m.now + span;
			wheel_arm(&m.w, &m.t[i], m.due[i]);
			break;
		case 2:
			m.due[i] = NSEC_NEVER;
			wheel_cancel(&m.w, &m.t[i]);
			break;
		default:
			leap(&m, span);
		}
	}
	leap(&m, UINT64_C(1) << 56);
	must(m.w.armed == 0);
	return 0;
}
