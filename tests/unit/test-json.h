/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* JSON of unit tests as text: what a cloud answers, and what is wanted. */

#ifndef OSM_TESTS_UNIT_TEST_JSON_H
#define OSM_TESTS_UNIT_TEST_JSON_H

#include "tests/unit/test.h"

#include <jansson.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* Any value; ' may stand for ". A new one. */
__attribute__ ((unused)) static json_t *
parse (const char *text)
{
  OSM_CLEANUP_FREE char *quoted = osm_strdup (text);
  json_error_t error;
  json_t *value;

  for (char *p = quoted; *p; p++)
    if (*p == '\'')
      *p = '"';
  value = json_loads (quoted, JSON_DECODE_ANY, &error);
  if (!value)
    fail_msg ("%s: %s", error.text, text);
  return value;
}

__attribute__ ((unused)) static void
assert_json (const json_t *value, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *w = parse (wanted);

  if (!value || !json_equal (value, w)) {
    OSM_CLEANUP_FREE char *text = value ? json_dumps (value, JSON_ENCODE_ANY) : NULL;

    fail_msg ("%s\nis not\n%s", text ? text : "(nothing)", wanted);
  }
}

#endif
