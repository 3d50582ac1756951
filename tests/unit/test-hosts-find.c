/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"

#define FROM_VOLUME "{\"image\": \"\"}"
#define FROM_IMAGE "{\"image\": {\"id\": \"i\"}}"
#define DISK(id, device, dot) \
  "{\"volume_id\": \"" id "\", \"device\": \"" device "\", \"delete_on_termination\": " dot "}"

/* The ids of the boot volumes, which a server takes with it. */
static void
boot_volumes (const char *server_text, const char *attachments_text, const char *expected)
{
  OSM_CLEANUP_JSON json_t *server = json_loads (server_text, 0, NULL);
  OSM_CLEANUP_JSON json_t *attachments = json_loads (attachments_text, 0, NULL);
  OSM_STRBUF (found);
  size_t i;
  json_t *attachment;

  assert_non_null (server);
  assert_non_null (attachments);
  json_array_foreach (attachments, i, attachment)
  {
    if (osm_host_is_boot_volume (server, attachments, attachment))
      osm_strbuf_add (&found, osm_json_str (attachment, "volume_id"));
  }
  assert_string_equal (osm_strbuf_str (&found), expected);
}

TEST (the_first_disk_of_a_server_from_a_volume_is_its_own)
{
  boot_volumes (FROM_VOLUME, "[" DISK ("a", "/dev/vda", "true") "]", "a");
  boot_volumes (FROM_VOLUME,
                "[" DISK ("b", "/dev/vdb", "false") ", " DISK ("a", "/dev/vda", "true") "]", "a");
}

TEST (a_data_volume_is_never_its_own_whatever_its_flag)
{
  boot_volumes (FROM_VOLUME,
                "[" DISK ("a", "/dev/vda", "true") ", " DISK ("b", "/dev/vdb", "true") "]", "a");
  boot_volumes (FROM_VOLUME,
                "[" DISK ("z", "/dev/vdaa", "true") ", " DISK ("b", "/dev/vdb", "true") "]", "b");
  boot_volumes (FROM_IMAGE, "[" DISK ("b", "/dev/vdb", "true") "]", "");
}

TEST (a_volume_that_would_stay_is_not_its_own)
{
  boot_volumes (FROM_VOLUME, "[" DISK ("a", "/dev/vda", "false") "]", "");
}

TEST (attachments_without_a_device_are_survived)
{
  boot_volumes (FROM_VOLUME, "[{\"volume_id\": \"a\"}, {}, " DISK ("b", "/dev/vda", "true") "]",
                "b");
}

TEST (the_key_pairs_name_tells_the_key)
{
  struct osm_host_config config = { .name = (char *)"osm-conversion" };
  OSM_CLEANUP_FREE char *a = osm_host_key_pair_name (
      &config,
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPrkiHH+xbvNqoqjwOCzHxh7lsP8VxZl09VhSgZzeqQI x");
  OSM_CLEANUP_FREE char *b = osm_host_key_pair_name (
      &config,
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPrkiHH+xbvNqoqjwOCzHxh7lsP8VxZl09VhSgZzeqQI y");

  assert_string_equal (a, b);
  assert_string_equal (a, "osm-conversion-V5QNsBmn");
}

TEST (a_server_that_lets_in_another_key_is_refused)
{
  static const char key[] =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPrkiHH+xbvNqoqjwOCzHxh7lsP8VxZl09VhSgZzeqQI x";
  OSM_CLEANUP_JSON json_t *other =
                              json_loads ("{\"metadata\": {\"osm.key\": \"SHA256:x\"}}", 0, NULL),
                          *same = json_loads ("{\"metadata\": {\"osm.key\": \"SHA256:V5QNsBmnvFg/"
                                              "k3r0Zo99TOW5oMaQ1oPHg9bseF5ayLA\"}}",
                                              0, NULL),
                          *none = json_loads ("{\"metadata\": {}}", 0, NULL);
  OSM_ERROR (err);

  assert_int_equal (osm_host_check_key ("src", same, key, &err), 0);
  assert_int_equal (osm_host_check_key ("src", none, key, &err), 0);
  assert_int_equal (osm_host_check_key ("src", other, key, &err), -1);
  assert_non_null (strstr (err.hint, "delete-conversion-hosts"));
  assert_error (&err, OSM_ERROR_USER, "lets in the key SHA256:x");
}

TEST (this_machines_own_address_is_the_routes)
{
  OSM_CLEANUP_FREE char *own = NULL, *none = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_host_own_address ("127.0.0.5", &own, &err), 0);
  assert_string_equal (own, "127.0.0.1");
  assert_int_equal (osm_host_own_address ("no-address", &none, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "no-address");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_first_disk_of_a_server_from_a_volume_is_its_own),
    cmocka_unit_test (a_data_volume_is_never_its_own_whatever_its_flag),
    cmocka_unit_test (a_volume_that_would_stay_is_not_its_own),
    cmocka_unit_test (attachments_without_a_device_are_survived),
    cmocka_unit_test (the_key_pairs_name_tells_the_key),
    cmocka_unit_test (a_server_that_lets_in_another_key_is_refused),
    cmocka_unit_test (this_machines_own_address_is_the_routes),
  };

  return cmocka_run_group_tests_name ("controller/hosts/find", tests, NULL, NULL);
}
