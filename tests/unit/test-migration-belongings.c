/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-json.h"

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/migration/belongings.h"

static void
the_mark_says_what_was_made (void **state)
{
  OSM_CLEANUP_FREE char *key = osm_belongings_text (true, false),
                        *group = osm_belongings_text (false, true),
                        *both = osm_belongings_text (true, true);

  (void)state;
  assert_null (osm_belongings_text (false, false));
  assert_string_equal (key, "key_pair");
  assert_string_equal (group, "server_group");
  assert_string_equal (both, "key_pair,server_group");
}

static const char groups_text[] =
    "[{'id': 'other', 'name': 'x', 'members': ['T']}, "
    "{'id': 'g', 'name': 'apart', 'policy': 'anti-affinity', 'members': ['S']}]";

static void
what_the_server_says_becomes_the_journals (void **state)
{
  OSM_CLEANUP_JSON json_t *groups = parse (groups_text),
                          *server = parse ("{'id': 'S', 'key_name': 'k', 'metadata': {'osm.made': "
                                           "'key_pair,server_group'}}"),
                          *plain = parse ("{'id': 'S', 'key_name': 'k', 'metadata': {}}"),
                          *nonsense = parse (
                              "{'id': 'U', 'metadata': {'osm.made': 'key_pair,,server_group,x'}}"),
                          *made = osm_belongings_of (server, groups),
                          *none = osm_belongings_of (plain, groups),
                          *nothing = osm_belongings_of (nonsense, groups), *rows = parse ("[]"),
                          *plan = parse ("{}"), *same = parse ("{}");

  (void)state;
  assert_json (made, "{'key_pair': {'name': 'k'}, 'server_group': {'id': 'g', 'name': 'apart', "
                     "'policy': 'anti-affinity'}}");
  assert_json (none, "{}");
  assert_json (nothing, "{}");
  osm_belongings_restore (none, "dst", rows, same);
  assert_json (same, "{}");
  osm_belongings_restore (made, "dst", rows, plan);
  assert_json (rows, "[{'key': 'key_pair', 'cloud': 'dst', 'type': 'key pair', 'object_id': 'k'}, "
                     "{'key': 'server_group', 'cloud': 'dst', 'type': 'server group', "
                     "'object_id': 'g'}]");
  assert_string_equal (
      osm_json_str (json_object_get (json_object_get (plan, "server"), "key_pair"), "name"), "k");
}

/* How many orphans there are; *ret_command: of the first, borrowed until the next call. */
static size_t
orphans_of (const char *objects_text, const char *servers_text, const char *keys_text,
            const char *list_text, const char **ret_command)
{
  static char command[256];
  OSM_CLEANUP_JSON json_t *plan = parse ("{'server': {'key_pair': {'name': 'k', 'fingerprint': "
                                         "'aa'}, 'server_group': {'name': 'apart'}}}"),
                          *objects = parse (objects_text),
                          *servers = servers_text ? parse (servers_text) : NULL,
                          *keys = keys_text ? parse (keys_text) : NULL,
                          *groups = list_text ? parse (list_text) : NULL, *orphans = parse ("[]");

  osm_belongings_add_orphans (plan, objects, "dst", servers, keys, groups, orphans);
  if (ret_command) {
    const char *text = osm_json_str (json_array_get (orphans, 0), "command");

    snprintf (command, sizeof command, "%s", text ? text : "");
    *ret_command = command;
  }
  return json_array_size (orphans);
}

static const char key_made[] = "[{'key': 'key_pair', 'state': 'created', 'object_id': 'k'}]",
                  group_made[] = "[{'key': 'server_group', 'state': 'created', 'object_id': 'g'}]",
                  key_there[] = "[{'keypair': {'name': 'k', 'fingerprint': 'aa'}}]";

static void
only_what_is_certain_is_an_orphan (void **state)
{
  const char *command;

  (void)state;
  assert_int_equal (orphans_of (key_made, "[]", key_there, "[]", &command), 1);
  assert_string_equal (command, "openstack --os-cloud dst keypair delete 'k'");
  assert_int_equal (orphans_of (key_made, "[{'key_name': 'k'}]", key_there, "[]", NULL), 0);
  assert_int_equal (
      orphans_of (key_made, "[{'key_name': 'k', 'status': 'DELETED'}]", key_there, "[]", NULL), 1);
  assert_int_equal (
      orphans_of (key_made, "[]", "[{'keypair': {'name': 'k', 'fingerprint': 'bb'}}]", "[]", NULL),
      0);
  assert_int_equal (orphans_of (key_made, "[]", "[]", "[]", NULL), 0);
  assert_int_equal (orphans_of (key_made, NULL, key_there, "[]", NULL), 0);
  assert_int_equal (orphans_of (key_made, "[]", NULL, NULL, NULL), 0);
  assert_int_equal (
      orphans_of ("[{'key': 'key_pair', 'state': 'deleted'}]", "[]", key_there, "[]", NULL), 0);
  assert_int_equal (
      orphans_of ("[{'key': 'key_pair', 'state': 'intended'}]", "[]", key_there, "[]", NULL), 0);
  assert_int_equal (orphans_of (group_made, "[]", "[]",
                                "[{'id': 'g', 'name': 'apart', 'members': []}]", &command),
                    1);
  assert_string_equal (command, "openstack --os-cloud dst server group delete 'g'");
  assert_int_equal (orphans_of (group_made, "[]", "[]", groups_text, NULL), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (the_mark_says_what_was_made),
    cmocka_unit_test (what_the_server_says_becomes_the_journals),
    cmocka_unit_test (only_what_is_certain_is_an_orphan),
  };

  return cmocka_run_group_tests_name ("controller/migration/belongings", tests, NULL, NULL);
}
