/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-store.h"

static void
note (struct osm_store *store, const char *type, const char *source_id, const char *destination_id,
      const char *origin)
{
  const struct osm_mapping m = { "src", "dst", type, source_id, destination_id, "web", origin };
  OSM_ERROR (err);

  osm_store_mapping_note (store, &m, &err);
  assert_no_error (&err);
}

/* "SOURCE=DESTINATION:ORIGIN ..." */
static void
assert_known (struct osm_store *store, const char *source, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_STRBUF (b);
  const json_t *row;
  size_t i;
  OSM_ERROR (err);

  osm_store_mapping_list (store, source, "dst", &rows, &err);
  assert_no_error (&err);
  json_array_foreach (rows, i, row)
      osm_strbuf_addf (&b, "%s%s=%s:%s", i > 0 ? " " : "", osm_json_str (row, "source_id"),
                       osm_json_str (row, "destination_id"), osm_json_str (row, "origin"));
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

STORE_TEST (what_osm_made_stays_so)
{
  note (store, "networks", "1", "a", "created");
  note (store, "networks", "1", "a", "adopted");
  assert_known (store, "src", "1=a:created");
  note (store, "networks", "1", "a", "registered");
  assert_known (store, "src", "1=a:registered");
  note (store, "networks", "1", "b", "adopted");
  assert_known (store, "src", "1=b:adopted");
  assert_known (store, "elsewhere", "");
}

STORE_TEST (servers_and_volumes_are_not_among_them)
{
  OSM_CLEANUP_FREE char *got = NULL;
  OSM_ERROR (err);

  osm_store_mapping_set (store, "src", "dst", "server", "1", "x", &err);
  note (store, "networks", "1", "a", "created");
  assert_known (store, NULL, "1=a:created");
  assert_int_equal (osm_store_mapping_forget (store, "src", "dst", "server", "1", &err), -1);
  osm_error_clear (&err);
  osm_store_mapping_get (store, "src", "dst", "server", "1", &got, &err);
  assert_no_error (&err);
  assert_string_equal (got, "x");
}

STORE_TEST (forgotten_once)
{
  OSM_ERROR (err);

  note (store, "networks", "1", "a", "created");
  note (store, "subnets", "1", "b", "created");
  osm_store_mapping_forget (store, "src", "dst", "networks", "1", &err);
  assert_no_error (&err);
  assert_known (store, "src", "1=b:created");
  assert_int_equal (osm_store_mapping_forget (store, "src", "dst", "networks", "1", &err), -1);
  assert_non_null (strstr (err.message, "nothing is known"));
}

/* What osm has deleted at the source stays known, also when it is imported again from the files. */
STORE_TEST (what_is_deleted_at_the_source_stays_known)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_ERROR (err);

  note (store, "networks", "2", "a", "created");
  note (store, "networks", "1", "b", "created");
  osm_store_mapping_source_deleted (store, "src", "dst", "networks", "2", &err);
  assert_no_error (&err);
  note (store, "networks", "2", "c", "created");
  assert_known (store, "src", "1=b:created 2=c:created");
  osm_store_mapping_list (store, "src", "dst", &rows, &err);
  assert_no_error (&err);
  assert_null (json_object_get (json_array_get (rows, 0), "source_deleted_ms"));
  assert_true (osm_json_uint (json_array_get (rows, 1), "source_deleted_ms") > 0);
  assert_int_equal (osm_store_mapping_source_deleted (store, "src", "dst", "networks", "3", &err),
                    -1);
  assert_non_null (strstr (err.message, "nothing is known"));
}

static void
assert_grants (struct osm_store *store, const char *cloud, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  OSM_STRBUF (b);
  const json_t *row;
  size_t i;
  OSM_ERROR (err);

  osm_store_grant_list (store, cloud, &rows, &err);
  assert_no_error (&err);
  json_array_foreach (rows, i, row)
      osm_strbuf_addf (&b, "%s%s:%s/%s/%s", i > 0 ? " " : "", osm_json_str (row, "cloud"),
                       osm_json_str (row, "project_id"), osm_json_str (row, "user_id"),
                       osm_json_str (row, "role_id"));
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

STORE_TEST (grants_are_known_until_they_are_taken_back)
{
  struct osm_role_grant g = { "dst", "p1", "u", "r", "demo", "member", "https://a" };
  OSM_ERROR (err);

  osm_store_grant_intend (store, &g, &err);
  osm_store_grant_intend (store, &g, &err);
  g.cloud = "elsewhere";
  osm_store_grant_intend (store, &g, &err);
  assert_no_error (&err);
  assert_grants (store, "dst", "dst:p1/u/r");
  osm_store_grant_revoked (store, "dst", "p1", "u", "other", &err);
  assert_grants (store, "dst", "dst:p1/u/r");
  osm_store_grant_revoked (store, "dst", "p1", "u", "r", &err);
  osm_store_grant_revoked (store, "dst", "p1", "u", "r", &err);
  assert_no_error (&err);
  assert_grants (store, NULL, "elsewhere:p1/u/r");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    store_unit_test (what_osm_made_stays_so),
    store_unit_test (servers_and_volumes_are_not_among_them),
    store_unit_test (forgotten_once),
    store_unit_test (what_is_deleted_at_the_source_stays_known),
    store_unit_test (grants_are_known_until_they_are_taken_back),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
