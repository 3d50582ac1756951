/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "controller/cloud/catalog.h"

static json_t *
json (const char *text)
{
  json_t *value = json_loads (text, 0, NULL);

  assert_non_null (value);
  return value;
}

static const char catalog_text[] =
    "[{\"type\": \"volumev2\", \"endpoints\": [{\"interface\": \"public\", \"region\": \"A\", "
    "\"url\": \"http://old\"}]},"
    " {\"type\": \"volumev3\", \"endpoints\": ["
    "   {\"interface\": \"internal\", \"region_id\": \"A\", \"url\": \"http://inner\"},"
    "   {\"interface\": \"public\", \"region_id\": \"B\", \"region\": \"A\", \"url\": "
    "\"http://b\"},"
    "   {\"interface\": \"public\", \"region_id\": \"A\", \"url\": \"http://a\"}]},"
    " {\"type\": \"image\"}, {}, 5]";

TEST (an_endpoint_is_of_a_region_and_an_interface)
{
  OSM_CLEANUP_JSON json_t *catalog = json (catalog_text);

  assert_string_equal (osm_catalog_find (catalog, OSM_VOLUME, "A", "public"), "http://a");
  assert_string_equal (osm_catalog_find (catalog, OSM_VOLUME, "B", "public"), "http://b");
  assert_string_equal (osm_catalog_find (catalog, OSM_VOLUME, "A", "internal"), "http://inner");
  assert_string_equal (osm_catalog_find (catalog, OSM_VOLUME, NULL, "public"), "http://b");
  assert_null (osm_catalog_find (catalog, OSM_VOLUME, "C", "public"));
  assert_null (osm_catalog_find (catalog, OSM_VOLUME, "A", "admin"));
}

TEST (a_service_without_endpoints_is_not_there)
{
  OSM_CLEANUP_JSON json_t *catalog = json (catalog_text);

  assert_null (osm_catalog_find (catalog, OSM_IMAGE, NULL, "public"));
  assert_null (osm_catalog_find (catalog, OSM_COMPUTE, NULL, "public"));
  assert_null (osm_catalog_find (NULL, OSM_COMPUTE, NULL, "public"));
}

TEST (the_newest_name_of_a_type_wins)
{
  OSM_CLEANUP_JSON json_t *catalog =
      json ("[{\"type\": \"volume\", \"endpoints\": [{\"interface\": \"public\", \"url\": "
            "\"http://v1\"}]},"
            " {\"type\": \"block-storage\", \"endpoints\": [{\"interface\": \"public\", \"url\": "
            "\"http://v3\"}]}]");

  assert_string_equal (osm_catalog_find (catalog, OSM_VOLUME, NULL, "public"), "http://v3");
}

TEST (an_override_has_any_name_of_the_type)
{
  OSM_CLEANUP_JSON json_t *overrides =
      json ("{\"compute\": \"http://c\", \"block_storage\": \"http://b\", \"image\": null}");

  assert_string_equal (osm_catalog_override (overrides, OSM_COMPUTE), "http://c");
  assert_string_equal (osm_catalog_override (overrides, OSM_VOLUME), "http://b");
  assert_null (osm_catalog_override (overrides, OSM_IMAGE));
  assert_null (osm_catalog_override (overrides, OSM_NETWORK));
}

#define assert_text(call, expected)       \
  do {                                    \
    OSM_CLEANUP_FREE char *got_ = call;   \
    assert_string_equal (got_, expected); \
  } while (0)

TEST (a_url_gets_its_version)
{
  assert_text (osm_endpoint_base ("http://h:9696", OSM_NETWORK), "http://h:9696/v2.0");
  assert_text (osm_endpoint_base ("http://h:9696/", OSM_NETWORK), "http://h:9696/v2.0");
  assert_text (osm_endpoint_base ("https://h/image//", OSM_IMAGE), "https://h/image/v2");
  assert_text (osm_endpoint_base ("https://h/volume", OSM_VOLUME), "https://h/volume/v3");
  assert_text (osm_endpoint_base ("https://h:5000", OSM_IDENTITY), "https://h:5000/v3");
}

TEST (a_url_keeps_its_version)
{
  assert_text (osm_endpoint_base ("http://h:8774/v2.1/", OSM_COMPUTE), "http://h:8774/v2.1");
  assert_text (osm_endpoint_base ("http://h:8776/v3/0123abc", OSM_VOLUME),
               "http://h:8776/v3/0123abc");
  assert_text (osm_endpoint_base ("http://h/identity/v3", OSM_IDENTITY), "http://h/identity/v3");
}

TEST (an_old_version_is_replaced)
{
  assert_text (osm_endpoint_base ("http://h:8774/v2/abc", OSM_COMPUTE), "http://h:8774/v2.1/abc");
  assert_text (osm_endpoint_base ("http://h:8776/v2/abc", OSM_VOLUME), "http://h:8776/v3/abc");
  assert_text (osm_endpoint_base ("http://h:5000/v2.0/", OSM_IDENTITY), "http://h:5000/v3");
  assert_text (osm_endpoint_base ("http://h:9292/v1", OSM_IMAGE), "http://h:9292/v2");
}

TEST (what_only_looks_like_a_version_is_none)
{
  assert_text (osm_endpoint_base ("http://v2.example.com", OSM_IMAGE), "http://v2.example.com/v2");
  assert_text (osm_endpoint_base ("http://h/v2x/volume", OSM_VOLUME), "http://h/v2x/volume/v3");
  assert_text (osm_endpoint_base ("http://h/v", OSM_VOLUME), "http://h/v/v3");
}

TEST (the_root_ends_with_the_version)
{
  assert_text (osm_endpoint_root ("http://h:8776/v3/abc"), "http://h:8776/v3/");
  assert_text (osm_endpoint_root ("http://v1.h/compute/v2.1"), "http://v1.h/compute/v2.1/");
  assert_text (osm_endpoint_root ("http://h"), "http://h/");
}

TEST (links_to_next_pages)
{
  /* Nova's and Cinder's own address, one behind a proxy, one that has lost the prefix. */
  assert_text (osm_endpoint_link ("http://h:8774/v2.1", "http://h:8774/v2.1/servers?marker=1"),
               "/servers?marker=1");
  assert_text (
      osm_endpoint_link ("http://h:8776/v3/p", "http://h:8776/v3/p/volumes?limit=2&marker=1"),
      "/volumes?limit=2&marker=1");
  assert_text (
      osm_endpoint_link ("https://pub/volume/v3/p", "http://10.0.0.1:8776/v3/p/volumes?marker=1"),
      "/volumes?marker=1");
  /* Glance: a path only. */
  assert_text (osm_endpoint_link ("http://h:9292/v2", "/v2/images?marker=1"), "/images?marker=1");
  assert_text (osm_endpoint_link ("https://h/image/v2", "/v2/images?marker=1"), "/images?marker=1");
  assert_text (osm_endpoint_link ("https://h/v2", "/v2x/images"), "/v2x/images");
}

TEST (microversions_are_compared_as_numbers)
{
  assert_true (osm_microversion_compare ("2.9", "2.10") < 0);
  assert_true (osm_microversion_compare ("3.0", "2.93") > 0);
  assert_int_equal (osm_microversion_compare ("2.79", "2.79"), 0);
  assert_true (osm_microversion_compare ("", "2.1") < 0);
}

TEST (the_highest_that_both_know_is_chosen)
{
  assert_text (osm_microversion_choose ("2.1", "2.42", "2.93"), "2.42");
  assert_text (osm_microversion_choose ("2.1", "2.100", "2.93"), "2.93");
  assert_text (osm_microversion_choose ("2.93", "2.93", "2.93"), "2.93");
  assert_null (osm_microversion_choose ("2.94", "2.100", "2.93"));
  assert_null (osm_microversion_choose (NULL, "2.100", "2.93"));
  assert_null (osm_microversion_choose ("2.1", "2.x", "2.93"));
  assert_null (osm_microversion_choose ("2.1", "-2.5", "2.93"));
}

TEST (the_version_of_an_answer)
{
  OSM_CLEANUP_JSON json_t *one = json ("{\"version\": {\"id\": \"v2.1\", \"version\": \"2.93\"}}");
  OSM_CLEANUP_JSON json_t *list =
      json ("{\"versions\": [{\"id\": \"v2.0\", \"version\": \"\"},"
            " {\"id\": \"v2.1\", \"version\": \"2.93\"}, {\"id\": \"x\"}]}");
  OSM_CLEANUP_JSON json_t *none = json ("{\"versions\": []}");

  assert_string_equal (osm_json_str (osm_version_of (one), "version"), "2.93");
  assert_string_equal (osm_json_str (osm_version_of (list), "id"), "v2.1");
  assert_null (osm_version_of (none));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (an_endpoint_is_of_a_region_and_an_interface),
    cmocka_unit_test (a_service_without_endpoints_is_not_there),
    cmocka_unit_test (the_newest_name_of_a_type_wins),
    cmocka_unit_test (an_override_has_any_name_of_the_type),
    cmocka_unit_test (a_url_gets_its_version),
    cmocka_unit_test (a_url_keeps_its_version),
    cmocka_unit_test (an_old_version_is_replaced),
    cmocka_unit_test (what_only_looks_like_a_version_is_none),
    cmocka_unit_test (the_root_ends_with_the_version),
    cmocka_unit_test (links_to_next_pages),
    cmocka_unit_test (microversions_are_compared_as_numbers),
    cmocka_unit_test (the_highest_that_both_know_is_chosen),
    cmocka_unit_test (the_version_of_an_answer),
  };

  return cmocka_run_group_tests_name ("cloud/catalog", tests, NULL, NULL);
}
