/* SPDX-License-Identifier: MIT */
/* The reader. Apart from the writer, because base/json.h and jansson.h use the same names. */
#include "base/text.h"
#include "knob/knob.h"
#include "obs/saved_fields.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

enum { MEMORY_MAX = 1 << 30 }; /* what all arrays of an observation together may take */

/* Where in the file a value stands; the names are only put together when something is wrong there. */
struct place {
	const struct place *up;
	const char *key; /* NULL: an element of an array */
	size_t index;
};

struct reader {
	struct why *w;
	const struct snapshot *snapshot; /* the one being filled */
	size_t bytes;
};

static void append_place(char *buf, size_t cap, const struct place *at)
{
	const struct place *chain[SAVED_DEPTH_MAX];
	size_t n = 0;

	for (; at && n < ARRAY_LEN(chain); at = at->up)
		chain[n++] = at;
	while (n--) {
		if (!chain[n]->key)
			append(buf, cap, "[%zu]", chain[n]->index);
		else
			append(buf, cap, *buf ? ".%s" : "%s", chain[n]->key);
	}
}

/* Returns -EINVAL. */
PRINTF(3, 4) static int bad(struct reader *r, const struct place *at, const char *fmt, ...)
{
	char where[160] = "", what[128], line[256];
	va_list ap;

	append_place(where, sizeof(where), at);
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	copy_printable(line, sizeof(line), where); /* names of counters and knobs come from the file */
	append(line, sizeof(line), ": ");
	copy_printable(line + strlen(line), sizeof(line) - strlen(line), what);
	why_set(r->w, "%s", line);
	return -EINVAL;
}

static int get_number(struct reader *r, const struct place *at, const json_t *j, int64_t bounds[2], int64_t *ret)
{
	int64_t v;

	if (!json_is_integer(j))
		return bad(r, at, "must be a whole number");
	v = json_integer_value(j);
	if (v < bounds[0])
		return bad(r, at, "%" PRId64 " is below %" PRId64, v, bounds[0]);
	if (v > bounds[1])
		return bad(r, at, "%" PRId64 " is above %" PRId64, v, bounds[1]);
	*ret = v;
	return 0;
}

static int get_count(struct reader *r, const struct place *at, const json_t *j, uint32_t *ret)
{
	int64_t v = 0;
	int err = get_number(r, at, j, (int64_t[]){0, SOCKETS_MAX}, &v);

	if (!err)
		*ret = (uint32_t)v;
	return err;
}

static void store(const struct field *f, int64_t v, void *p)
{
	if (f->size == sizeof(uint16_t))
		*(uint16_t *)p = (uint16_t)v;
	else if (f->size == sizeof(uint32_t))
		*(uint32_t *)p = (uint32_t)v;
	else if (f->size == sizeof(uint64_t))
		*(uint64_t *)p = (uint64_t)v;
	else
		must_not_reach("a number of this size");
}

static int get_int(struct reader *r, const struct place *at, const struct field *f, const json_t *j, void *p)
{
	int64_t v = 0;
	int err = get_number(r, at, j, (int64_t[]){f->min, f->max}, &v);

	if (!err)
		store(f, v, p);
	return err;
}

static int get_u64(struct reader *r, const struct place *at, const json_t *j, uint64_t *ret)
{
	const char *s = json_string_value(j);
	int64_t v = 0;
	char *end;
	int err;

	if (s) {
		errno = 0;
		uint64_t big = strtoull(s, &end, 10);

		if (*s < '0' || *s > '9' || *end || errno)
			return bad(r, at, "must be a whole number");
		*ret = big;
		return 0;
	}
	err = get_number(r, at, j, (int64_t[]){0, INT64_MAX}, &v);
	if (!err)
		*ret = (uint64_t)v;
	return err;
}

static int get_bool(struct reader *r, const struct place *at, const json_t *j, bool *ret)
{
	if (!json_is_boolean(j))
		return bad(r, at, "must be true or false");
	*ret = json_is_true(j);
	return 0;
}

static int get_text(struct reader *r, const struct place *at, const struct field *f, const json_t *j, char *ret)
{
	if (!json_is_string(j))
		return bad(r, at, "must be a string");
	copy_printable(ret, f->size, json_string_value(j));
	return 0;
}

static int get_ip(struct reader *r, const struct place *at, const json_t *j, struct ip *ret)
{
	const char *s = json_string_value(j);

	return s && ip_parse(s, ret) ? 0 : bad(r, at, "must be an IP address");
}

static int get_states(struct reader *r, const struct place *at, const json_t *j, struct state_counts *ret)
{
	int err = 0;

	if (!json_is_object(j))
		return bad(r, at, "must be an object");
	for (size_t s = 0; s < N_STATES && !err; s++) {
		const json_t *v = json_object_get(j, state_descs[s].json);

		if (v)
			err = get_count(r, &(struct place){at, state_descs[s].json, 0}, v, &ret->n[s]);
	}
	return err;
}

static int get_ages(struct reader *r, const struct place *at, const json_t *j, struct tw_ages *ret)
{
	size_t n = json_array_size(j);
	uint64_t sum = 0;

	if (!json_is_array(j))
		return bad(r, at, "must be an array");
	if (n > AGE_SECONDS)
		return bad(r, at, "%zu seconds are more than %d", n, AGE_SECONDS);
	for (size_t i = 0; i < n; i++) {
		int err = get_count(r, &(struct place){at, NULL, i}, json_array_get(j, i), &ret->s[i]);

		if (err)
			return err;
		sum += ret->s[i];
	}
	return sum > SOCKETS_MAX ? bad(r, at, "the sum %" PRIu64 " is above %d", sum, SOCKETS_MAX) : 0;
}

static int get_holder_kind(struct reader *r, const struct place *at, const json_t *j, enum holder_kind *ret)
{
	const char *s = json_string_value(j);

	for (int i = 0; s && i < N_HOLDER_KINDS; i++)
		if (strcmp(s, holder_kind_names[i]) == 0) {
			*ret = (enum holder_kind)i;
			return 0;
		}
	return bad(r, at, "is no kind of holder that this version knows");
}

static int get_proc(struct reader *r, const struct place *at, const json_t *j, int32_t *ret)
{
	int64_t v = -1;
	int err = get_number(r, at, j, (int64_t[]){-1, INT32_MAX}, &v);

	if (err)
		return err;
	if (v >= (int64_t)r->snapshot->n_procs)
		return bad(r, at, "there is no process %" PRId64 ", the file has %zu", v, r->snapshot->n_procs);
	*ret = (int32_t)v;
	return 0;
}

static int get_fds(struct reader *r, const struct place *at, const json_t *j, struct holder *h)
{
	size_t n = json_array_size(j);

	if (!json_is_array(j))
		return bad(r, at, "must be an array");
	if (n > FDS_SHOWN)
		return bad(r, at, "%zu descriptors are more than %d", n, FDS_SHOWN);
	for (size_t i = 0; i < n; i++) {
		int64_t v = 0;
		int err = get_number(r, &(struct place){at, NULL, i}, json_array_get(j, i), (int64_t[]){0, INT32_MAX},
				     &v);

		if (err)
			return err;
		h->fd[i] = (int)v;
	}
	h->n_fd = (uint32_t)n;
	return 0;
}

static int get_counters(struct reader *r, const struct place *at, json_t *j, struct counters *ret)
{
	size_t n = json_object_size(j);
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return bad(r, at, "must be an object");
	if (n > COUNTERS_MAX)
		return bad(r, at, "%zu counters are more than %d", n, COUNTERS_MAX);
	ret->v = calloc(n ? n : 1, sizeof(*ret->v));
	if (!ret->v)
		return why_errno(r->w, ENOMEM, "counters");
	ret->cap = n ? n : 1;
	json_object_foreach(j, key, value)
	{
		struct counter *c = &ret->v[ret->n];
		int err = get_u64(r, &(struct place){at, key, 0}, value, &c->value);

		if (err)
			return err;
		copy_printable(c->name, sizeof(c->name), key);
		ret->n++;
	}
	counters_sort(ret);
	return 0;
}

/* Names that this version does not know are skipped: a newer one may have more of them. */
static int get_knobs(struct reader *r, const struct place *at, const json_t *j, struct netns *ns)
{
	int err = 0;

	if (!json_is_object(j))
		return bad(r, at, "must be an object");
	for (size_t i = 0; i < N_HOST_KNOBS && !err; i++) {
		const struct knob_desc *d = &knob_descs[i];
		const json_t *v = json_object_get(j, d->field);
		int64_t port[2] = {0, UINT16_MAX}, any[2] = {KNOB_VALUE_MIN, KNOB_VALUE_MAX};

		if (!v)
			continue;
		err = get_number(r, &(struct place){at, d->field, 0}, v, d->unit == UNIT_PORT ? port : any,
				 &ns->knob[i]);
		ns->knob_known[i] = !err;
	}
	return err;
}

static int get_struct(struct reader *r, const struct place *at, const struct field_table *t, json_t *j, void *ret);

static int get_vec(struct reader *r, const struct place *at, const struct field *f, json_t *j, char *base)
{
	size_t n = json_array_size(j), size = f->of->size;
	char *v;
	int err = 0;

	if (!json_is_array(j))
		return bad(r, at, "must be an array");
	if (n < (size_t)f->min || n > (size_t)f->max)
		return bad(r, at, "has %zu elements, not %" PRId64 " to %" PRId64, n, f->min, f->max);
	if (n == 0)
		return 0;
	if (n * size > MEMORY_MAX - r->bytes) {
		bad(r, at, "the file describes more than fits in %d MiB", MEMORY_MAX >> 20);
		return -EFBIG;
	}
	v = calloc(n, size);
	if (!v)
		return why_errno(r->w, ENOMEM, "%s", f->name);
	r->bytes += n * size;
	*(void **)(base + f->offset) = v; /* from here on snapshot_done() frees it */
	*(size_t *)(base + f->n_offset) = n;
	for (size_t i = 0; i < n && !err; i++)
		err = get_struct(r, &(struct place){at, NULL, i}, f->of, json_array_get(j, i), v + i * size);
	return err;
}

static int get_known(struct reader *r, const struct place *at, const struct field *f, json_t *j, void *ret)
{
	int err = get_struct(r, at, f->of, j, ret);

	if (!err)
		*(bool *)ret = true;
	return err;
}

static int get_field(struct reader *r, const struct place *at, const struct field *f, json_t *j, char *base)
{
	void *p = base + f->offset;

	switch (f->type) {
	case F_BOOL:
		return get_bool(r, at, j, p);
	case F_INT:
		return get_int(r, at, f, j, p);
	case F_U64:
		return get_u64(r, at, j, p);
	case F_TEXT:
		return get_text(r, at, f, j, p);
	case F_IP:
		return get_ip(r, at, j, p);
	case F_STATES:
		return get_states(r, at, j, p);
	case F_AGES:
		return get_ages(r, at, j, p);
	case F_HOLDER_KIND:
		return get_holder_kind(r, at, j, p);
	case F_PROC:
		return get_proc(r, at, j, p);
	case F_FDS:
		return get_fds(r, at, j, (struct holder *)(void *)base);
	case F_KNOWN:
		return get_known(r, at, f, j, p);
	case F_VEC:
		return get_vec(r, at, f, j, base);
	case F_COUNTERS:
		return get_counters(r, at, j, p);
	case F_KNOBS:
		return get_knobs(r, at, j, (struct netns *)(void *)base);
	}
	must_not_reach("a field type without a reader");
}

static int get_absent(struct reader *r, const struct place *at, const struct field *f, char *base)
{
	if (f->type == F_HOLDER_KIND || (f->type == F_VEC && f->min > 0))
		return bad(r, at, "is missing");
	if (f->absent) {
		must(f->type == F_INT || f->type == F_PROC);
		store(f, f->absent, base + f->offset);
	}
	return 0;
}

/* ret is zeroed memory. */
static int get_struct(struct reader *r, const struct place *at, const struct field_table *t, json_t *j, void *ret)
{
	int err = 0;

	if (!json_is_object(j))
		return bad(r, at, "must be an object");
	for (size_t i = 0; i < t->n && !err; i++) {
		const struct field *f = &t->v[i];
		const struct place here = {at, f->name, 0};
		json_t *v = json_object_get(j, f->name);

		err = v ? get_field(r, &here, f, v, ret) : get_absent(r, &here, f, ret);
	}
	return err;
}

/* Rules subtract the reserved ports from the range, so these must not overlap. */
static int check_reserved(struct reader *r, const struct place *snapshot)
{
	const struct place netns = {snapshot, "netns", 0};

	for (size_t i = 0; i < r->snapshot->n_netns; i++) {
		const struct netns *ns = &r->snapshot->netns[i];
		const struct place one = {&netns, NULL, i}, reserved = {&one, "reserved", 0};

		for (size_t k = 0; k < ns->n_reserved; k++)
			if (ns->reserved[k].low > ns->reserved[k].high ||
			    (k && ns->reserved[k].low <= ns->reserved[k - 1].high))
				return bad(r, &(struct place){&reserved, NULL, k}, "port ranges must ascend");
	}
	return 0;
}

int saved_get(json_t *root, struct observation *ret, struct why *w)
{
	struct reader reader = {.w = w}, *r = &reader;
	const json_t *schema = json_object_get(root, "schema");
	const char *kind = json_string_value(json_object_get(root, "kind"));
	json_t *snapshots = json_object_get(root, "snapshots");
	const struct place top = {NULL, "snapshots", 0};
	size_t n = json_array_size(snapshots);
	int err = 0;

	if (!kind || strcmp(kind, "lastack-observation") != 0)
		return bad(r, &(struct place){NULL, "kind", 0}, "this is JSON, but not a saved lastack observation");
	if (json_integer_value(schema) != 1)
		return bad(r, &(struct place){NULL, "schema", 0}, "this version of lastack reads only schema 1");
	if (!json_is_array(snapshots) || n < 1 || n > ARRAY_LEN(ret->s))
		return bad(r, &top, "must be an array of one or two");
	for (size_t i = 0; i < n && !err; i++) {
		const struct place at = {&top, NULL, i};

		r->snapshot = &ret->s[i];
		err = get_struct(r, &at, &snapshot_fields, json_array_get(snapshots, i), &ret->s[i]);
		if (!err)
			err = check_reserved(r, &at);
	}
	if (!err && n == 2 && ret->s[1].taken_at < ret->s[0].taken_at)
		err = bad(r, &(struct place){&top, NULL, 1}, "was taken before the first one");
	ret->n = (unsigned)n;
	return err;
}
