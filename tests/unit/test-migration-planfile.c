/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Plan files: a handmade plan as text, read again, edited, compared. */

#include <config.h>

#include "tests/unit/test-json.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/plan-internal.h"
#include "controller/migration/planfile.h"

static const char plan_text[] =
    "{'version': 1, 'kind': 'server', 'compression': 'on', 'local_disks': 'refuse',"
    " 'source': {'cloud': 'src', 'id': '1e10', 'name': 'web'},"
    " 'server': {'name': 'web', 'flavor_id': 'F-2', 'availability_zone': null, 'power': 'off',"
    "  'user_data_of_source': true,"
    "  'chosen': {'flavor': {'name': 'm1.small', 'id': 'F-2'}, 'key_pair': {'name': 'key', 'id': "
    "'key'},"
    "   'server_group': null}},"
    " 'volumes': [{'id': 'V-1', 'name': 'root', 'size_gb': 10, 'device': '/dev/vda', 'boot': true,"
    "   'access': 'snapshot', 'delete_on_termination': true, 'chosen': {'type': {'name': 'fast', "
    "'id': 'T-1'}}},"
    "  {'id': 'V-2', 'name': '', 'size_gb': 20, 'device': '/dev/vdb', 'boot': false,"
    "   'access': 'detach', 'delete_on_termination': false, 'chosen': {'type': null}}],"
    " 'ports': [{'id': 'P-1', 'addresses': '10.0.0.5',"
    "   'create': {'name': 'first', 'mac_address': 'fa:16:3e:00:00:01', 'network_id': 'N-1'},"
    "   'chosen': {'network': {'name': 'net', 'id': 'N-1'}, 'qos_policy': null,"
    "    'fixed_ips': [{'address': '10.0.0.5', 'subnet': {'name': 'sub', 'id': 'S-1'}}],"
    "    'security_groups': [{'name': 'default', 'id': 'G-1'}, {'name': 'web', 'id': 'G-2'}]}}],"
    " 'floating_ips': [{'id': 'I-1', 'address': '192.0.2.1', 'create': {},"
    "   'chosen': {'mode': {'name': 'new'}, 'network': {'name': 'public', 'id': 'N-9'}}}],"
    " 'other_floating_ips': [{'id': 'I-2', 'address': '192.0.2.2', 'mode': 'skip'}],"
    " 'findings': [{'id': 'floating-ip-changes', 'severity': 'warning', 'object': 'x', 'text': "
    "'another\\nservers: []'}]}";

/* With ' for ". */
static char *
text_of (const json_t *plan)
{
  OSM_CLEANUP_JSON json_t *plans = osm_json_pack ("[O]", plan);

  return osm_planfile_text (plans, "src", "dst");
}

static struct osm_planfile *
read_file (const char *text)
{
  struct osm_planfile *file = NULL;
  OSM_ERROR (err);

  if (osm_planfile_parse (text, strlen (text), "p.yaml", &file, &err) == -1)
    fail_msg ("%s in\n%s", err.message, text);
  return file;
}

/* The first place of `from` becomes `to`. Frees text. */
static char *
edit (char *text, const char *from, const char *to)
{
  char *at = strstr (text, from), *edited;

  if (!at)
    fail_msg ("'%s' is not in\n%s", from, text);
  edited = osm_asprintf ("%.*s%s%s", (int)(at - text), text, to, at + strlen (from));
  free (text);
  return edited;
}

static size_t
line_of (const char *text, const char *words)
{
  const char *at = strstr (text, words);
  size_t line = 1;

  if (!at)
    fail_msg ("'%s' is not in\n%s", words, text);
  for (const char *p = text; p < at; p++)
    line += *p == '\n';
  return line;
}

static json_t *
compare (const char *text, const json_t *plan)
{
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = read_file (text);

  return osm_planfile_compare (file, json_array_get (osm_planfile_servers (file), 0), plan, "dst");
}

/* The only mismatch. */
static void
assert_mismatch (const char *text, const json_t *plan, const char *path, const char *words)
{
  OSM_CLEANUP_JSON json_t *found = compare (text, plan);
  const json_t *first = json_array_get (found, 0);

  if (json_array_size (found) != 1) {
    OSM_CLEANUP_FREE char *all = osm_json_dump (found);

    fail_msg ("not one mismatch: %s\n%s", all, text);
  }
  assert_string_equal (osm_json_str (first, "path"), path);
  if (!strstr (osm_json_str (first, "text"), words))
    fail_msg ("'%s' is not in '%s'", words, osm_json_str (first, "text"));
}

static void
assert_has (const char *text, const char *words)
{
  if (!strstr (text, words))
    fail_msg ("'%s' is not in\n%s", words, text);
}

TEST (a_plan_shows_every_decision)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = text_of (plan);

  assert_has (text, "source_cloud: src\ndestination_cloud: dst\nservers:\n");
  /* What another parser could take for a number, a boolean or a time is in quotes. */
  assert_has (text, "  - id: \"1e10\"  # of the source\n");
  assert_has (text, "    flavor: m1.small  # F-2\n");
  assert_has (text, "    availability_zone: null  # null: the destination chooses\n");
  assert_has (text, "    server_group: null\n");
  assert_has (text, "    user_data: source  #");
  assert_has (text, "    power: \"off\"  #");
  assert_has (text, "    compression: \"on\"  #");
  assert_has (text, "    volumes:\n      - id: V-1  # of the source\n");
  assert_has (text, "        size_gb: 10  # as at the source\n");
  assert_has (text, "        type: fast  # T-1; null: the default\n");
  assert_has (text, "        mac_address: \"fa:16:3e:00:00:01\"\n        network: net  # N-1\n");
  assert_has (text,
              "        security_groups:\n          - default  # G-1\n          - web  # G-2\n");
  assert_has (text, "        fixed_ips:\n          - address: \"10.0.0.5\"  # null: the subnet");
  assert_has (text, "        mode: new  #");
  assert_has (text, "        mode: skip\n        network: null\n");
}

TEST (texts_of_a_cloud_stay_comments)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = text_of (plan);
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = read_file (text);

  assert_has (text, "  # warning [floating-ip-changes]: another\\nservers: []\n");
  assert_int_equal (json_array_size (osm_planfile_servers (file)), 1);
}

TEST (an_unchanged_plan_fits)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *found = NULL;
  OSM_CLEANUP_FREE char *text = text_of (plan);

  found = compare (text, plan);
  assert_int_equal (json_array_size (found), 0);
}

TEST (ids_of_the_destination_are_as_good_as_names)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *found = NULL;
  OSM_CLEANUP_FREE char *text = edit (text_of (plan), "flavor: m1.small", "flavor: F-2");

  found = compare (text, plan);
  assert_int_equal (json_array_size (found), 0);
}

TEST (what_is_left_out_or_left_to_osm_fits)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *found = NULL;
  char *text = edit (text_of (plan), "mode: new", "mode: auto");
  OSM_CLEANUP_FREE char *edited = edit (text, "type: fast", "type: null");

  edited = edit (edited, "    flavor: m1.small  # F-2\n", "");
  edited = edit (edited, "subnet: sub", "subnet: null");
  found = compare (edited, plan);
  assert_int_equal (json_array_size (found), 0);
}

TEST (the_clouds_went_on)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text), *port = NULL;
  OSM_CLEANUP_FREE char *text = text_of (plan), *words = NULL;
  json_t *volumes = json_object_get (plan, "volumes");

  json_object_set_new (json_array_get (volumes, 1), "size_gb", json_integer (40));
  words = osm_asprintf ("p.yaml:%zu:9: volumes[1].size_gb: it is 40 now, the plan was made with 20",
                        line_of (text, "size_gb: 20"));
  assert_mismatch (text, plan, "volumes[1].size_gb", words);
  json_array_remove (volumes, 1);
  assert_mismatch (text, plan, "volumes[1]", "the server has no volume V-2 any more");
  json_array_append_new (volumes, parse ("{'id': 'V-2', 'name': '', 'size_gb': 20, 'device': "
                                         "'/dev/vdb', 'boot': false, 'access': 'detach'}"));
  json_array_append_new (volumes, parse ("{'id': 'V-3', 'name': 'late'}"));
  assert_mismatch (text, plan, "volumes", "the server also has volume V-3 ('late')");
  json_array_remove (volumes, 2);
  port = json_incref (json_array_get (json_object_get (plan, "ports"), 0));
  json_array_clear (json_object_get (plan, "ports"));
  assert_mismatch (text, plan, "ports[0]", "the server has no port P-1 any more ('first')");
}

TEST (what_the_destination_has_not_is_named_with_its_place)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = edit (text_of (plan), "network: net", "network: other"),
                        *words = NULL;
  json_t *chosen = json_object_get (json_array_get (json_object_get (plan, "ports"), 0), "chosen");

  osm_plan_choose (json_array_get (json_object_get (plan, "ports"), 0), "network", "other", NULL);
  words = osm_asprintf ("p.yaml:%zu:9: ports[0].network: cloud 'dst' has no network 'other'",
                        line_of (text, "network: other"));
  assert_mismatch (text, plan, "ports[0].network", words);
  osm_plan_choose (json_array_get (json_object_get (plan, "ports"), 0), "network", "other", "N-2");
  json_object_del (json_array_get (json_object_get (chosen, "security_groups"), 1), "id");
  assert_mismatch (text, plan, "ports[0].security_groups[1]", "has no security group 'web'");
}

TEST (what_cannot_be_is_named)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = edit (text_of (plan), "access: snapshot", "access: detach"),
                        *other = edit (text_of (plan), "key_pair: key", "key_pair: null"),
                        *fixed = edit (text_of (plan), "size_gb: 10", "size_gb: 12");

  assert_mismatch (text, plan, "volumes[0].access", "'detach' cannot be: 'snapshot' is planned");
  assert_mismatch (other, plan, "key_pair", "key pair 'key' is planned");
  assert_mismatch (fixed, plan, "volumes[0].size_gb", "it is 10 now");
}

static void
assert_refused (const char *from, const char *to, const char *words, const char *hint)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = edit (text_of (plan), from, to);
  struct osm_planfile *file = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_planfile_parse (text, strlen (text), "p.yaml", &file, &err), -1);
  if (hint)
    assert_string_equal (err.hint, hint);
  assert_error (&err, OSM_ERROR_USER, words);
}

TEST (mistakes_in_the_file)
{
  assert_refused ("key_pair:", "keypair:", "servers[0].keypair: unknown key",
                  "did you mean 'key_pair'?");
  assert_refused ("size_gb: 10", "size: 10", "servers[0].volumes[0].size: unknown key", NULL);
  assert_refused ("qos_policy: null", "qos_polcy: null", "ports[0].qos_polcy: unknown key",
                  "did you mean 'qos_policy'?");
  assert_refused ("boot: true", "boot: 1", "volumes[0].boot: must be true or false", NULL);
  assert_refused ("flavor: m1.small", "flavor: null", "servers[0].flavor: must not be null", NULL);
  assert_refused ("flavor: m1.small", "flavor: 7", "must be a string: put it in quotes", NULL);
  assert_refused ("mode: new", "mode: nwe", "mode: must be auto or keep or existing", NULL);
  assert_refused ("\"10.0.0.5\"", "\"10.0.0.555\"", "must be an IP address", NULL);
  assert_refused ("fa:16:3e:00:00:01", "fa:16:3e:00:00:0g", "must be a MAC address", NULL);
  assert_refused ("user_data: source", "user_data: file", "must be source, none, or an abs", NULL);
  assert_refused ("- web ", "- [web] ", "ports[0].security_groups[1]: must be a string", NULL);
  assert_refused ("id: V-2", "id: V-1", "servers[0].volumes[1].id: is there twice", NULL);
  assert_refused ("id: V-2\n        size_gb", "size_gb", "servers[0].volumes[1].id: is missing",
                  NULL);
  assert_refused ("version: 1", "version: 2", "this osm knows version 1", NULL);
  assert_refused ("servers:", "server:", "server: unknown key", "did you mean 'servers'?");
}

TEST (an_entry_is_found_by_name_or_id_and_says_what_options_would)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = text_of (plan);
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = read_file (text);
  struct osm_plan_input input = { .power = "keep", .compression = "auto", .local_disks = "drop" };
  const json_t *entry = NULL, *same = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_planfile_find (file, "web", &entry, &err), 0);
  assert_int_equal (osm_planfile_find (file, "1e10", &same, &err), 0);
  assert_ptr_equal (entry, same);
  assert_int_equal (osm_planfile_find (file, "mail", &same, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "p.yaml has no server 'mail'");
  osm_planfile_input (entry, &input);
  assert_string_equal (input.object, "1e10");
  assert_string_equal (input.power, "off");
  assert_string_equal (input.compression, "on");
  assert_string_equal (input.local_disks, "refuse");
}

TEST (a_plan_is_for_its_clouds)
{
  OSM_CLEANUP_JSON json_t *plan = parse (plan_text);
  OSM_CLEANUP_FREE char *text = text_of (plan);
  OSM_CLEANUP_PLANFILE struct osm_planfile *file = read_file (text);
  OSM_ERROR (err);

  assert_int_equal (osm_planfile_check_clouds (file, "src", "dst", &err), 0);
  assert_int_equal (osm_planfile_check_clouds (file, "src", "other", &err), -1);
  assert_error (&err, OSM_ERROR_USER, "p.yaml:7:1: destination_cloud: the plan is for 'dst'");
}

/* ---- what is planned by the file ---- */

static void
assert_wanted (const struct osm_plan_input *input, const json_t *wish, const char *name,
               const char *expected, bool expect_named)
{
  bool named;
  OSM_CLEANUP_FREE char *wanted =
      osm_plan_wanted (input, wish, "network", "networks", name, NULL, &named);

  assert_string_equal (wanted ? wanted : "(none)", expected);
  assert_int_equal (named, expect_named);
}

TEST (the_file_wins_over_the_mapping_and_that_over_the_name)
{
  OSM_CLEANUP_JSON json_t *map = parse ("{'networks': {'old': 'mapped'}}"),
                          *wish = parse ("{'network': 'wished'}"),
                          *none = parse ("{'network': null}"), *silent = parse ("{}");
  struct osm_config config = { .map = map };
  const struct osm_plan_input input = { .config = &config };

  assert_wanted (&input, wish, "old", "wished", true);
  assert_wanted (&input, none, "old", "(none)", true);
  assert_wanted (&input, silent, "old", "mapped", true);
  assert_wanted (&input, NULL, "same", "same", false);
  assert_wanted (&input, NULL, "", "(none)", false);
}

TEST (ports_go_in_the_order_of_the_file)
{
  OSM_CLEANUP_JSON json_t *interfaces =
                              parse ("[{'port_id': 'A'}, {'port_id': 'B'}, {'port_id': 'C'}]"),
                          *wished = parse ("[{'id': 'C'}, {'id': 'X'}, {'id': 'A'}]"),
                          *ordered = osm_plan_wished_order (interfaces, wished),
                          *as_was = osm_plan_wished_order (interfaces, NULL);

  assert_int_equal (json_array_size (ordered), 3);
  assert_string_equal (osm_json_str (json_array_get (ordered, 0), "port_id"), "C");
  assert_string_equal (osm_json_str (json_array_get (ordered, 1), "port_id"), "A");
  assert_string_equal (osm_json_str (json_array_get (ordered, 2), "port_id"), "B");
  assert_true (json_equal (as_was, interfaces));
}

TEST (a_volume_is_named_as_the_file_says)
{
  OSM_CLEANUP_JSON json_t *planned = parse ("{'name': 'old', 'delete_on_termination': true}"),
                          *wish = parse ("{'name': 'new', 'delete_on_termination': false}");

  osm_plan_wished_volume (NULL, planned);
  assert_string_equal (osm_json_str (planned, "name"), "old");
  osm_plan_wished_volume (wish, planned);
  assert_string_equal (osm_json_str (planned, "name"), "new");
  assert_true (json_is_false (json_object_get (planned, "delete_on_termination")));
}

static void
assert_existing (const char *volume, const char *id, const char *words)
{
  OSM_CLEANUP_JSON json_t *plan = parse ("{'findings': []}"),
                          *planned = parse ("{'size_gb': 10, 'boot': true}"),
                          *there = parse (volume);
  const json_t *findings = json_object_get (plan, "findings");

  osm_plan_check_existing (plan, "data", planned, there, "dst");
  assert_int_equal (json_array_size (findings), 1);
  assert_string_equal (osm_json_str (json_array_get (findings, 0), "id"), id);
  assert_has (osm_json_str (json_array_get (findings, 0), "text"), words);
}

TEST (only_a_volume_that_fits_takes_the_place_of_a_copy)
{
  assert_existing ("{'id': 'D', 'status': 'available', 'size': 10, 'bootable': 'true'}",
                   "volume-not-copied", "volume D of cloud 'dst'");
  assert_existing ("{'id': 'D', 'status': 'available', 'size': 11, 'bootable': 'true'}",
                   "volume-not-copied", "as it is");
  assert_existing ("{'id': 'D', 'status': 'available', 'size': 9, 'bootable': 'true'}",
                   "destination-volume-unfit", "has 9 GiB, the source's has 10");
  assert_existing ("{'id': 'D', 'status': 'in-use', 'size': 10, 'bootable': 'true'}",
                   "destination-volume-unfit", "is in state 'in-use'");
  assert_existing ("{'id': 'D', 'status': 'available', 'size': 10, 'bootable': 'false'}",
                   "destination-volume-unfit", "is not bootable");
  assert_existing ("{'id': 'D', 'status': 'available', 'size': 10, 'bootable': 'true', 'metadata': "
                   "{'osm.migration': 'M'}}",
                   "destination-volume-unfit", "belongs to migration M");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_plan_shows_every_decision),
    cmocka_unit_test (texts_of_a_cloud_stay_comments),
    cmocka_unit_test (an_unchanged_plan_fits),
    cmocka_unit_test (ids_of_the_destination_are_as_good_as_names),
    cmocka_unit_test (what_is_left_out_or_left_to_osm_fits),
    cmocka_unit_test (the_clouds_went_on),
    cmocka_unit_test (what_the_destination_has_not_is_named_with_its_place),
    cmocka_unit_test (what_cannot_be_is_named),
    cmocka_unit_test (mistakes_in_the_file),
    cmocka_unit_test (an_entry_is_found_by_name_or_id_and_says_what_options_would),
    cmocka_unit_test (a_plan_is_for_its_clouds),
    cmocka_unit_test (the_file_wins_over_the_mapping_and_that_over_the_name),
    cmocka_unit_test (ports_go_in_the_order_of_the_file),
    cmocka_unit_test (a_volume_is_named_as_the_file_says),
    cmocka_unit_test (only_a_volume_that_fits_takes_the_place_of_a_copy),
  };

  return cmocka_run_group_tests_name ("controller/migration/planfile", tests, NULL, NULL);
}
