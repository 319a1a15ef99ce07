/* SPDX-License-Identifier: MIT */
#include "tests/unit/report/document.h"

#include "base/json.h"

void document_of_close(FILE *out, const struct conn *c)
{
	struct json j;

	json_begin(&j, out, false);
	report_close_json(&j, c, 0);
	json_end(&j);
}

void document_of_services(FILE *out, const struct services *s, const struct findings *f)
{
	struct json j;

	json_begin(&j, out, true);
	json_object(&j);
	report_services_json(&j, s, f);
	json_object_end(&j);
	json_end(&j);
}
