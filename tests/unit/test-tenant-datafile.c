/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include "controller/tenant/datafile.h"
#include "controller/tenant/filter.h"

#define HEAD "os_migrate_version: 1.0.5\nresources:\n"
#define GROUP_OF_ID(id, name)              \
  "- _info: {id: " id ", project_id: x}\n" \
  "  _migration_params: {}\n"              \
  "  params:\n"                            \
  "    description: null\n"                \
  "    name: " name "\n"                   \
  "  type: openstack.network.SecurityGroup\n"
#define GROUP(name) GROUP_OF_ID ("1f", name)

static struct osm_datafile *
read_file (const char *text)
{
  struct osm_datafile *file = NULL;
  OSM_ERROR (err);

  osm_datafile_parse (text, strlen (text), "f.yml", &file, &err);
  assert_no_error (&err);
  return file;
}

/* The only problem has these words in message and hint. */
static void
assert_problem (const struct osm_tenant_type *type, const char *text, const char *severity,
                const char *message, const char *hint)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = read_file (text);
  OSM_CLEANUP_JSON json_t *problems = json_array ();
  size_t errors = osm_datafile_check (file, type, problems);
  const json_t *problem = json_array_get (problems, 0);
  OSM_CLEANUP_FREE char *all = osm_json_dump (problems);

  if (json_array_size (problems) != 1 || !strstr (osm_json_str (problem, "message"), message) ||
      (hint && !strstr (osm_json_str (problem, "hint"), hint)))
    fail_msg ("expected one problem, %s: %s", message, all);
  assert_string_equal (osm_json_str (problem, "severity"), severity);
  assert_int_equal (errors, strcmp (severity, "error") == 0);
}

TEST (file_of_os_migrate_is_right)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file =
      read_file (HEAD GROUP ("web") GROUP_OF_ID ("2f", "db"));
  OSM_CLEANUP_JSON json_t *problems = json_array ();

  assert_int_equal (osm_datafile_check (file, &osm_type_security_group, problems), 0);
  assert_int_equal (json_array_size (problems), 0);
  assert_int_equal (json_array_size (osm_datafile_resources (file)), 2);
  assert_string_equal (osm_datafile_version (file), "1.0.5");
}

/* Folded at 80 columns, with its own ways to quote. */
TEST (text_as_pyyaml_writes_it)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = read_file (
      "os_migrate_version: 1.0.5\nresources:\n- _info:\n    created_at: '2026-11-21T21:00:00Z'\n"
      "    id: 0f2fbf6e-1111-4222-8333-123456789012\n    project_id: "
      "17032cd12b8d4ba9bb00e535a561c162\n"
      "    revision_number: 1\n    updated_at: null\n  _migration_params: {}\n  params:\n"
      "    description: a b c d\n      e f 'g'\n    name: \"line\\nand \\xE4 word \\\n      \\ "
      "end\"\n"
      "  type: openstack.network.SecurityGroup\n");
  OSM_CLEANUP_JSON json_t *problems = json_array ();
  const json_t *entry = json_array_get (osm_datafile_resources (file), 0);

  assert_int_equal (osm_datafile_check (file, &osm_type_security_group, problems), 0);
  assert_int_equal (json_array_size (problems), 0);
  assert_string_equal (osm_json_str (json_object_get (entry, "params"), "description"),
                       "a b c d e f 'g'");
  assert_string_equal (osm_json_str (json_object_get (entry, "params"), "name"),
                       "line\nand \xc3\xa4 word  end");
}

TEST (text_of_a_file_comes_back)
{
  OSM_CLEANUP_JSON json_t *entries =
      parse ("[{'type': 't', 'params': {'name': 'yes', 'k': 1}, '_info': {}}]");
  OSM_CLEANUP_FREE char *text = osm_datafile_text (entries, NULL, NULL);
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = read_file (text);

  assert_string_equal (text, HEAD "- _info: {}\n  params:\n    k: 1\n    name: 'yes'\n  type: t\n");
  assert_true (json_equal (osm_datafile_resources (file), entries));
}

TEST (what_is_no_list_of_resources)
{
  static const char *const texts[][2] = {
    { "", "f.yml: the file is empty" },
    { "- a\n", "f.yml:1:1: not a mapping" },
    { "os_migrate_version: 1.0.5\n", "'resources' is missing" },
    { "resources: {}\n", "f.yml:1:1: the key 'resources' is missing or not a list" },
  };

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    OSM_CLEANUP_DATAFILE struct osm_datafile *file = NULL;
    OSM_ERROR (err);

    osm_datafile_parse (texts[i][0], strlen (texts[i][0]), "f.yml", &file, &err);
    assert_error (&err, OSM_ERROR_USER, texts[i][1]);
  }
}

TEST (each_mistake_has_its_place_and_remedy)
{
  const struct osm_tenant_type *group = &osm_type_security_group;

  assert_problem (group, HEAD "- 5\n", "error", "f.yml:3:3: not a mapping", NULL);
  assert_problem (group, HEAD "- params: {}\n", "error", "f.yml:3:3: the key 'type' is missing",
                  "openstack.network.SecurityGroup");
  assert_problem (group, HEAD "- params: {}\n  type: openstack.network.Securitygroup\n", "error",
                  "f.yml:4:3: unknown type", "openstack.network.SecurityGroup");
  assert_problem (group, HEAD "- params: {}\n  type: openstack.network.Router\n", "error",
                  "f.yml:4:3: a router in the file of the security_groups", "routers.yml");
  assert_problem (group, HEAD GROUP ("''"), "error", "f.yml:7:5: name is empty", "found again");
  assert_problem (group, HEAD GROUP ("12"), "error", "f.yml:7:5: name: must be text", "quotes");
  assert_problem (group, HEAD GROUP ("true"), "error", "f.yml:7:5: name: must be text", "quotes");
  assert_problem (group, HEAD GROUP ("a\n    descripton: x"), "error",
                  "f.yml:8:5: params.descripton", "did you mean 'description'?");
  assert_problem (group, HEAD GROUP ("a\n    is_stateful: true"), "error", "params.is_stateful",
                  "_osm_params");
  assert_problem (group, HEAD GROUP ("a") GROUP_OF_ID ("2f", "a"), "error",
                  "f.yml:9:3: the security group 'a' is in this file twice", "rename");
  assert_problem (group, HEAD GROUP ("a") GROUP ("b"), "error",
                  "f.yml:9:11: _info.id '1f' is that of another entry, too", "no other entry");
  assert_problem (group,
                  HEAD "- _info: {}\n  _migration_params: {}\n  params: {name: a, description: x}\n"
                       "  type: openstack.network.SecurityGroup\n",
                  "error", "f.yml:3:10: _info.id is missing", "any text");
}

#define RULE(rest)                                                                                \
  HEAD "- _info: {id: a}\n  _migration_params: {}\n  type: openstack.network.SecurityGroupRule\n" \
       "  params:\n    description: null\n    direction: ingress\n    ether_type: IPv4\n"         \
       "    port_range_max: null\n    port_range_min: null\n    protocol: null\n"                 \
       "    remote_ip_prefix: null\n" rest

TEST (references_are_looked_into)
{
  const struct osm_tenant_type *rule = &osm_type_security_group_rule;

  assert_problem (rule,
                  RULE ("    remote_group_ref: web\n    security_group_ref: {name: web, "
                        "project_name: null, domain_name: null}\n"),
                  "error", "f.yml:14:5: remote_group_ref: must be null, or a mapping", NULL);
  assert_problem (rule,
                  RULE ("    remote_group_ref: null\n    security_group_ref: {name: web, "
                        "project_name: null}\n"),
                  "error", "security_group_ref.domain_name: is missing", "%auth%");
  assert_problem (rule, RULE ("    remote_group_ref: null\n    security_group_ref: null\n"),
                  "error", "f.yml:15:5: security_group_ref is empty", "found again");
  assert_problem (rule, RULE ("    remote_group_ref: null\n"), "error",
                  "params.security_group_ref is missing", "security_group_ref: null");
}

TEST (what_other_versions_lack_is_only_noted)
{
  OSM_CLEANUP_DATAFILE struct osm_datafile *file = read_file (
      "os_migrate_version: 0.17.0\nresources:\n- _info: {id: a}\n  _migration_params: {}\n"
      "  params: {name: a, newer: 1}\n  type: openstack.network.SecurityGroup\n");
  OSM_CLEANUP_JSON json_t *problems = json_array ();

  assert_int_equal (osm_datafile_check (file, &osm_type_security_group, problems), 0);
  assert_int_equal (json_array_size (problems), 3);
  assert_problem (&osm_type_security_group, "resources: []\n", "note", "written by version ''",
                  NULL);
}

TEST (names_globs_and_regular_expressions)
{
  static const struct {
    const char *pattern, *name;
    bool takes;
  } cases[] = {
    { "web", "web", true },       { "web", "web1", false },   { "web*", "web1", true },
    { "w?b", "web", true },       { "/^w.b$/", "web", true }, { "/^w.b$/", "webs", false },
    { "/eb/", "webs", true },     { "a.b", "axb", false },    { "/", "/", true },
    { "/(a|b)+$/", "xab", true }, { "*", "", true },          { "[ab]", "b", true },
  };

  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char *patterns[] = { (char *)(uintptr_t)cases[i].pattern, NULL };
    OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
    OSM_ERROR (err);

    osm_filter_new (patterns, &filter, &err);
    assert_no_error (&err);
    if (osm_filter_takes (filter, cases[i].name) != cases[i].takes)
      fail_msg ("%s with %s", cases[i].pattern, cases[i].name);
  }
}

TEST (a_regular_expression_that_is_none)
{
  char pattern[] = "/(/", *patterns[] = { pattern, NULL };
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_error (&err, OSM_ERROR_USER, "--filter /(/: not a regular expression");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (file_of_os_migrate_is_right),
    cmocka_unit_test (text_as_pyyaml_writes_it),
    cmocka_unit_test (text_of_a_file_comes_back),
    cmocka_unit_test (what_is_no_list_of_resources),
    cmocka_unit_test (each_mistake_has_its_place_and_remedy),
    cmocka_unit_test (references_are_looked_into),
    cmocka_unit_test (what_other_versions_lack_is_only_noted),
    cmocka_unit_test (names_globs_and_regular_expressions),
    cmocka_unit_test (a_regular_expression_that_is_none),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
