/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/marks.h"

#define ID "0123abcd"

/* Text in JSON of each list; "" is empty. */
struct lists {
  const char *servers, *volumes, *snapshots, *ports, *floating_ips, *images;
};

static json_t *
parse (const char *text)
{
  OSM_CLEANUP_FREE char *array = osm_asprintf ("[%s]", text ? text : "");
  json_error_t error;
  json_t *value = json_loads (array, 0, &error);

  if (!value)
    fail_msg ("%s: %s", error.text, array);
  return value;
}

static json_t *
group (const struct lists *source, const struct lists *destination)
{
  struct osm_marks_input in = { .cloud = { "src", "dst" } };
  const struct lists *lists[] = { source, destination };
  json_t *found;

  for (size_t i = 0; i < 2; i++) {
    in.servers[i] = parse (lists[i]->servers);
    in.volumes[i] = parse (lists[i]->volumes);
    in.snapshots[i] = parse (lists[i]->snapshots);
    in.ports[i] = parse (lists[i]->ports);
    in.floating_ips[i] = parse (lists[i]->floating_ips);
    in.images[i] = parse (lists[i]->images);
  }
  found = osm_marks_group (&in);
  for (size_t i = 0; i < 2; i++) {
    json_decref (in.servers[i]);
    json_decref (in.volumes[i]);
    json_decref (in.snapshots[i]);
    json_decref (in.ports[i]);
    json_decref (in.floating_ips[i]);
    json_decref (in.images[i]);
  }
  return found;
}

static const json_t *
at (const json_t *object, const char *key, size_t index)
{
  return json_array_get (json_object_get (object, key), index);
}

#define HOST                                                                             \
  "{\"id\": \"H\", \"name\": \"osm-conversion\", \"status\": \"ACTIVE\", \"metadata\": " \
  "{\"osm.role\": \"conversion-host\", \"osm.pair\": \"p\"}}"
#define SERVER                                                                 \
  "{\"id\": \"S\", \"name\": \"web\", \"status\": \"SHUTOFF\", \"metadata\": " \
  "{\"osm.migration\": \"" ID "\", \"osm.was\": \"ACTIVE:here\", \"own\": \"1\"}}"

static void
a_server_in_the_middle_of_its_copy (void **state)
{
  const struct lists source = {
    .servers = HOST "," SERVER,
    .volumes = "{\"id\": \"B\", \"name\": \"boot\", \"size\": 2, \"bootable\": \"true\","
               "  \"metadata\": {}},"
               "{\"id\": \"C\", \"size\": 2, \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"temporary-volume:B\"}},"
               "{\"id\": \"E\", \"name\": \"e\", \"size\": 1, \"metadata\": {\"osm.migration\":"
               " \"" ID "\", \"osm.home\": \"S:/dev/vdc\"}},"
               /* a crash came between its two marks */
               "{\"id\": \"D\", \"name\": \"d\", \"size\": 1, \"metadata\":"
               " {\"osm.home\": \"S:/dev/vdb:delete\"}}",
    .snapshots = "{\"id\": \"N\", \"metadata\": {\"osm.migration\": \"" ID
                 "\", \"osm.role\": \"snapshot:B\"}}",
  };
  const struct lists destination = {
    .servers = HOST,
    .volumes = "{\"id\": \"b\", \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"volume:B\"}}",
    .ports = "{\"id\": \"p\", \"tags\": [\"osm.migration=" ID "\", \"osm.role=port:P\"]},"
             "{\"id\": \"q\", \"description\": \"osm.migration=" ID " osm.role=port:Q\"}",
  };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination);
  const json_t *m = at (found, "migrations", 0), *plan = json_object_get (m, "plan");

  (void)state;
  assert_int_equal (json_array_size (json_object_get (found, "migrations")), 1);
  assert_int_equal (json_array_size (json_object_get (found, "orphans")), 0);
  assert_int_equal (json_array_size (json_object_get (found, "hosts")), 2);
  assert_string_equal (osm_json_str (m, "kind"), "server");
  assert_string_equal (osm_json_str (m, "claimed_on"), "here");
  assert_true (json_is_true (json_object_get (m, "unfinished")));
  assert_null (osm_json_str (m, "why"));
  assert_int_equal (json_array_size (json_object_get (m, "objects")), 8);
  assert_string_equal (osm_json_str (json_object_get (plan, "source"), "id"), "S");
  assert_string_equal (osm_json_str (json_object_get (plan, "source"), "status"), "ACTIVE");
  /* In the order of their devices; one without comes last. */
  assert_int_equal (json_array_size (json_object_get (plan, "volumes")), 3);
  assert_string_equal (osm_json_str (at (plan, "volumes", 0), "id"), "D");
  assert_string_equal (osm_json_str (at (plan, "volumes", 0), "access"), "detach");
  assert_true (json_is_true (json_object_get (at (plan, "volumes", 0), "delete_on_termination")));
  assert_string_equal (osm_json_str (at (plan, "volumes", 1), "device"), "/dev/vdc");
  assert_string_equal (osm_json_str (at (plan, "volumes", 2), "access"), "snapshot");
  assert_int_equal (json_array_size (json_object_get (plan, "ports")), 2);
}

static void
a_complete_server (void **state)
{
  const struct lists source = { .servers = "{\"id\": \"S\", \"name\": \"web\", \"metadata\": {}}",
                                .volumes = "{\"id\": \"B\", \"size\": 2, \"metadata\": {}}" };
  const struct lists destination = {
    .servers = "{\"id\": \"s\", \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"server\", \"osm.source\": \"S:SHUTOFF\"}}",
    .volumes =
        "{\"id\": \"b\", \"metadata\": {\"osm.migration\": \"" ID "\", \"osm.role\": \"volume:B\"}}"
  };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination);
  const json_t *m = at (found, "migrations", 0), *plan = json_object_get (m, "plan");

  (void)state;
  assert_false (json_is_true (json_object_get (m, "unfinished")));
  assert_string_equal (osm_json_str (json_object_get (plan, "source"), "status"), "SHUTOFF");
  /* Nothing tells that osm took it away: it stays where it is. */
  assert_string_equal (osm_json_str (at (plan, "volumes", 0), "access"), "copied");
}

static void
a_volume_alone (void **state)
{
  const struct lists source = { .servers = HOST,
                                .volumes =
                                    "{\"id\": \"V\", \"name\": \"v\", \"size\": 1, \"attachments\":"
                                    " [{\"server_id\": \"H\"}], \"metadata\": {\"osm.migration\":"
                                    " \"" ID "\"}}" };
  const struct lists finished = { .volumes = "{\"id\": \"V\", \"size\": 1, \"metadata\": {}}" };
  const struct lists destination = { .volumes = "{\"id\": \"v\", \"metadata\": "
                                                "{\"osm.migration\": \"" ID
                                                "\", \"osm.role\": \"volume:V\"}}" };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination),
                          *later = group (&finished, &destination);
  const json_t *m = at (found, "migrations", 0);

  (void)state;
  assert_string_equal (osm_json_str (m, "kind"), "volume");
  assert_true (json_is_true (json_object_get (m, "unfinished")));
  assert_string_equal (osm_json_str (at (json_object_get (m, "plan"), "volumes", 0), "access"),
                       "direct");
  assert_false (json_is_true (json_object_get (at (later, "migrations", 0), "unfinished")));
}

/* What is the tenant's own is never proposed for deletion. */
static void
orphans_have_a_command_each (void **state)
{
  const struct lists source = {
    .volumes = "{\"id\": \"D\", \"metadata\": {\"osm.home\": \"GONE:/dev/vdb\"}}",
    .snapshots = "{\"id\": \"N\", \"metadata\": {\"osm.migration\": \"" ID
                 "\", \"osm.role\": \"snapshot:B\"}}",
  };
  const struct lists destination = {
    .servers = "{\"id\": \"s\", \"metadata\": {\"osm.migration\": \"ffff0000\","
               " \"osm.role\": \"server\", \"osm.source\": \"GONE:ACTIVE\"}}",
    .volumes = "{\"id\": \"b\", \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"volume:B\"}, \"attachments\": [{\"server_id\": \"H\"}]},"
               "{\"id\": \"own\", \"metadata\": {\"colour\": \"blue\"}}",
    .ports = "{\"id\": \"p\", \"tags\": [\"osm.migration=ffff0000\", \"osm.role=port:P\"]}",
  };
  static const char *const commands[] = {
    "openstack --os-cloud src volume unset --property osm.home D",
    "openstack --os-cloud src volume snapshot delete N",
    "openstack --os-cloud dst volume delete b   # after: openstack --os-cloud dst server remove "
    "volume H b",
    "openstack --os-cloud dst server unset --property osm.migration --property osm.role "
    "--property osm.source s",
    "openstack --os-cloud dst port unset --tag osm.migration=ffff0000 --tag osm.role=port:P p",
  };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination);
  const json_t *orphans = json_object_get (found, "orphans");

  (void)state;
  assert_int_equal (json_array_size (orphans), 5);
  for (size_t i = 0; i < 5; i++)
    assert_string_equal (osm_json_str (json_array_get (orphans, i), "command"), commands[i]);
}

/* Marks of a destination in a source, and the other way round, belong to migrations in the other direction. */
static void
the_other_direction_is_not_ours (void **state)
{
  const struct lists source = { .volumes = "{\"id\": \"v\", \"metadata\": {\"osm.migration\": \"" ID
                                           "\", \"osm.role\": \"volume:V\"}}" };
  const struct lists destination = { .servers = SERVER };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination);

  (void)state;
  assert_int_equal (json_array_size (json_object_get (found, "migrations")), 0);
  assert_int_equal (json_array_size (json_object_get (found, "orphans")), 0);
}

static void
nonsense_is_an_orphan (void **state)
{
  const struct lists source = {
    .servers = "{\"id\": \"S\", \"metadata\": {\"osm.migration\": \"'; rm -rf\\n\"}}, 7,"
               "{\"metadata\": {\"osm.migration\": \"" ID "\"}}",
    .volumes = "{\"id\": \"V\", \"metadata\": {\"osm.home\": \"::\"}},"
               "{\"id\": \"W\", \"metadata\": {\"osm.migration\": 3}}, null",
    .ports = "{\"id\": \"P\", \"description\": \"osm.migration=\", \"tags\": [3, \"osm.role\"]}",
  };
  const struct lists none = { .servers = "" };
  OSM_CLEANUP_JSON json_t *found = group (&source, &none);

  (void)state;
  assert_int_equal (json_array_size (json_object_get (found, "migrations")), 0);
  assert_int_equal (json_array_size (json_object_get (found, "orphans")), 3);
}

static void
a_server_that_booted_from_an_image (void **state)
{
  const struct lists source = {
    .servers = HOST "," SERVER,
    .volumes = "{\"id\": \"C\", \"size\": 2, \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"temporary-volume:S\"}}",
    .images = "{\"id\": \"I\", \"name\": \"osm-" ID "\", \"status\": \"active\", \"metadata\":"
              " {\"osm.migration\": \"" ID "\", \"osm.role\": \"image:S\"}}",
  };
  const struct lists destination = {
    .volumes = "{\"id\": \"N\", \"size\": 2, \"metadata\": {\"osm.migration\": \"" ID
               "\", \"osm.role\": \"volume:S\"}}",
    .floating_ips =
        "{\"id\": \"F\", \"tags\": [\"osm.migration=" ID "\", \"osm.role=floating-ip:G\"]}",
  };
  OSM_CLEANUP_JSON json_t *found = group (&source, &destination), *orphans = NULL;
  const json_t *migration = at (found, "migrations", 0),
               *plan = json_object_get (migration, "plan"), *volume = at (plan, "volumes", 0);

  (void)state;
  assert_int_equal (json_array_size (json_object_get (found, "orphans")), 0);
  assert_string_equal (osm_json_str (migration, "kind"), "server");
  assert_int_equal (json_array_size (json_object_get (plan, "volumes")), 1);
  assert_string_equal (osm_json_str (volume, "id"), "S");
  assert_string_equal (osm_json_str (volume, "access"), "image");
  assert_string_equal (osm_json_str (at (plan, "floating_ips", 0), "id"), "G");
  orphans = osm_marks_orphans (migration, "it is so");
  assert_int_equal (json_array_size (orphans), 5);
  for (size_t i = 0; i < 5; i++) {
    const json_t *orphan = json_array_get (orphans, i);
    const char *kind = osm_json_str (orphan, "kind"), *command = osm_json_str (orphan, "command");

    if (strcmp (kind, "image") == 0)
      assert_string_equal (command, "openstack --os-cloud src image delete I");
    if (strcmp (kind, "floating IP") == 0)
      assert_string_equal (command, "openstack --os-cloud dst floating ip delete F");
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_server_that_booted_from_an_image),
    cmocka_unit_test (a_server_in_the_middle_of_its_copy),
    cmocka_unit_test (a_complete_server),
    cmocka_unit_test (a_volume_alone),
    cmocka_unit_test (orphans_have_a_command_each),
    cmocka_unit_test (the_other_direction_is_not_ours),
    cmocka_unit_test (nonsense_is_an_orphan),
  };

  return cmocka_run_group_tests_name ("controller/migration/marks", tests, NULL, NULL);
}
