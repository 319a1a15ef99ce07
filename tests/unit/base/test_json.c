/* SPDX-License-Identifier: MIT */
#include "base/json.h"
#include "tests/unit/t.h"
#include <math.h>
#include <stdlib.h>

static char *written;
static size_t written_len;
static FILE *out;

static struct json begin(bool pretty)
{
	struct json j;

	out = open_memstream(&written, &written_len);
	json_begin(&j, out, pretty);
	return j;
}

static void expect(struct json *j, const char *text)
{
	json_end(j);
	fclose(out);
	assert_string_equal(written, text);
	free(written);
}

TEST(json__nested_values__get_commas_where_they_belong)
{
	struct json j = begin(false);

	json_object(&j);
	json_kv_int(&j, "a", -1);
	json_key(&j, "b");
	json_array(&j);
	json_uint(&j, UINT64_MAX);
	json_object(&j);
	json_object_end(&j);
	json_null(&j);
	json_array_end(&j);
	json_kv_bool(&j, "c", true);
	json_kv_str(&j, "d", NULL);
	json_object_end(&j);
	expect(&j, "{\"a\":-1,\"b\":[18446744073709551615,{},null],\"c\":true,\"d\":null}\n");
}

TEST(json__pretty__is_one_element_a_line)
{
	struct json j = begin(true);

	json_object(&j);
	json_key(&j, "v");
	json_array(&j);
	json_int(&j, 1);
	json_int(&j, 2);
	json_array_end(&j);
	json_kv_real(&j, "r", 0.5);
	json_object_end(&j);
	expect(&j, "{\n  \"v\": [\n    1,\n    2\n  ],\n  \"r\": 0.5\n}\n");
}

TEST(json__not_finite__is_null)
{
	struct json j = begin(false);

	json_array(&j);
	json_real(&j, (double)INFINITY);
	json_real(&j, (double)NAN);
	json_array_end(&j);
	expect(&j, "[null,null]\n");
}

TEST(json__hostile_strings__stay_strings)
{
	struct json j = begin(false);

	json_array(&j);
	json_str(&j, "\"\\\n\t\x01\x7f");
	json_str(&j, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
	json_str(&j, "\xff \xc0\x80 \xed\xa0\x80 \xe2\x82"); /* stray, overlong, surrogate, cut */
	json_array_end(&j);
	expect(&j,
	       "[\"\\\"\\\\\\n\\t\\u0001\\u007f\",\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\","
	       "\"\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd\"]\n");
}

RUN(T(json__nested_values__get_commas_where_they_belong), T(json__pretty__is_one_element_a_line),
    T(json__not_finite__is_null), T(json__hostile_strings__stay_strings))
