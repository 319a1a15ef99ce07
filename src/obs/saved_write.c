/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "knob/knob.h"
#include "obs/saved.h"
#include "obs/saved_fields.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>

static_assert((int)N_KNOBS <= (int)KNOB_SLOTS, "snapshot.h has too few slots for knobs.def");

static uint64_t load(const struct field *f, const void *p)
{
	if (f->min < 0) {
		must(f->size == sizeof(int32_t));
		return (uint64_t)(int64_t) * (const int32_t *)p;
	}
	if (f->size == sizeof(uint16_t))
		return *(const uint16_t *)p;
	if (f->size == sizeof(uint32_t))
		return *(const uint32_t *)p;
	must(f->size == sizeof(uint64_t));
	return *(const uint64_t *)p;
}

static void put_u64(struct json *j, const char *key, uint64_t v)
{
	char digits[24];

	if (v <= INT64_MAX) {
		json_kv_uint(j, key, v);
		return;
	}
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)v);
	json_kv_str(j, key, digits);
}

static void put_states(struct json *j, const char *key, const struct state_counts *c)
{
	if (state_counts_sum(c) == 0)
		return;
	json_key(j, key);
	json_object(j);
	for (int s = 0; s < N_STATES; s++)
		if (c->n[s])
			json_kv_uint(j, state_descs[s].json, c->n[s]);
	json_object_end(j);
}

static void put_ages(struct json *j, const char *key, const struct tw_ages *a)
{
	size_t n = AGE_SECONDS;

	while (n && a->s[n - 1] == 0)
		n--;
	if (n == 0)
		return;
	json_key(j, key);
	json_array(j);
	for (size_t i = 0; i < n; i++)
		json_uint(j, a->s[i]);
	json_array_end(j);
}

static void put_fds(struct json *j, const char *key, const int *fd, uint32_t n)
{
	must(n <= FDS_SHOWN);
	if (n == 0)
		return;
	json_key(j, key);
	json_array(j);
	for (uint32_t i = 0; i < n; i++)
		json_int(j, fd[i]);
	json_array_end(j);
}

static void put_counters(struct json *j, const char *key, const struct counters *c)
{
	if (c->n == 0)
		return;
	json_key(j, key);
	json_object(j);
	for (size_t i = 0; i < c->n; i++)
		put_u64(j, c->v[i].name, c->v[i].value);
	json_object_end(j);
}

static void put_knobs(struct json *j, const char *key, const int64_t *v, const bool *known)
{
	json_key(j, key);
	json_object(j);
	for (size_t i = 0; i < N_HOST_KNOBS; i++)
		if (known[i] && v[i] >= KNOB_VALUE_MIN && v[i] <= (int64_t)KNOB_VALUE_MAX)
			json_kv_int(j, knob_descs[i].field, v[i]);
	json_object_end(j);
}

static void put_struct(struct json *j, const struct field_table *t, const void *p);

static void put_vec(struct json *j, const struct field *f, const char *elements, size_t n)
{
	if (n == 0)
		return;
	json_key(j, f->name);
	json_array(j);
	for (size_t i = 0; i < n; i++)
		put_struct(j, f->of, elements + i * f->of->size);
	json_array_end(j);
}

static void put_int(struct json *j, const struct field *f, const void *p)
{
	int64_t v = (int64_t)load(f, p);

	if (v != f->absent)
		json_kv_int(j, f->name, v);
}

static void put_field(struct json *j, const struct field *f, const char *base)
{
	const void *p = base + f->offset;

	switch (f->type) {
	case F_BOOL:
		if (*(const bool *)p)
			json_kv_bool(j, f->name, true);
		return;
	case F_INT:
		put_int(j, f, p);
		return;
	case F_U64:
		if (*(const uint64_t *)p)
			put_u64(j, f->name, *(const uint64_t *)p);
		return;
	case F_TEXT:
		if (*(const char *)p)
			json_kv_str(j, f->name, p);
		return;
	case F_IP:
		if (((const struct ip *)p)->family)
			json_kv_str(j, f->name, ip_text(*(const struct ip *)p).s);
		return;
	case F_STATES:
		put_states(j, f->name, p);
		return;
	case F_AGES:
		put_ages(j, f->name, p);
		return;
	case F_HOLDER_KIND:
		json_kv_str(j, f->name, holder_kind_names[*(const enum holder_kind *)p]);
		return;
	case F_PROC:
		if (*(const int32_t *)p != f->absent)
			json_kv_int(j, f->name, *(const int32_t *)p);
		return;
	case F_FDS:
		put_fds(j, f->name, p, *(const uint32_t *)(base + f->n_offset));
		return;
	case F_KNOWN:
		if (!*(const bool *)p)
			return;
		json_key(j, f->name);
		put_struct(j, f->of, p);
		return;
	case F_VEC:
		put_vec(j, f, *(const char *const *)p, *(const size_t *)(base + f->n_offset));
		return;
	case F_COUNTERS:
		put_counters(j, f->name, p);
		return;
	case F_KNOBS:
		put_knobs(j, f->name, p, (const bool *)(base + f->n_offset));
		return;
	}
	must_not_reach("a field type without a writer");
}

static void put_struct(struct json *j, const struct field_table *t, const void *p)
{
	json_object(j);
	for (size_t i = 0; i < t->n; i++)
		put_field(j, &t->v[i], p);
	json_object_end(j);
}

int saved_write(FILE *out, const struct observation *o, struct why *w)
{
	struct json j;

	must(o->n >= 1 && o->n <= ARRAY_LEN(o->s));
	json_begin(&j, out, false);
	json_object(&j);
	json_kv_int(&j, "schema", 1);
	json_kv_str(&j, "kind", "lastack-observation");
	json_kv_str(&j, "written_by", LASTACK_VERSION);
	json_key(&j, "snapshots");
	json_array(&j);
	for (unsigned i = 0; i < o->n; i++)
		put_struct(&j, &snapshot_fields, &o->s[i]);
	json_array_end(&j);
	json_object_end(&j);
	json_end(&j);
	errno = 0;
	if (fflush(out) || ferror(out))
		return why_errno(w, errno ? errno : EIO, "cannot write");
	return 0;
}
