/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Several projects: which are meant, where their files are, what they are called elsewhere; and which role osm takes. */

#include <config.h>

#include "tests/unit/test-tenant.h"

#include <string.h>

#include "common/strbuf.h"
#include "controller/tenant/convert.h"
#include "controller/tenant/fetch.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/grants.h"
#include "controller/tenant/mapping.h"
#include "controller/tenant/projects.h"
#include "controller/tenant/rename.h"

#define PROJECTS                                                                   \
  "[{'id': '1', 'name': 'web', 'domain_name': 'Default', 'label': 'Default/web'}," \
  " {'id': '2', 'name': 'web', 'domain_name': 'other', 'label': 'other/web'},"     \
  " {'id': '3', 'name': 'db', 'domain_name': 'Default', 'label': 'Default/db'}]"

static void
assert_chosen (const char *pattern, const char *wanted)
{
  OSM_CLEANUP_JSON json_t *projects = parse (PROJECTS), *chosen = NULL;
  char *patterns[] = { (char *)pattern, NULL };
  OSM_CLEANUP_FILTER struct osm_filter *filter = NULL;
  OSM_STRBUF (b);
  const json_t *p;
  size_t i;
  OSM_ERROR (err);

  osm_filter_new (patterns, &filter, &err);
  assert_no_error (&err);
  chosen = osm_projects_chosen (projects, filter);
  json_array_foreach (chosen, i, p) osm_strbuf_add (&b, osm_json_str (p, "id"));
  assert_string_equal (osm_strbuf_str (&b), wanted);
}

TEST (projects_are_chosen_by_name_and_domain)
{
  assert_chosen ("web", "12");
  assert_chosen ("other/*", "2");
  assert_chosen ("Default/web", "1");
  assert_chosen ("/^d/", "3");
  assert_chosen ("*", "123");
  assert_chosen ("nobody", "");
}

TEST (several_of_a_name_must_say_the_domain)
{
  OSM_CLEANUP_JSON json_t *projects = parse (PROJECTS);
  const json_t *p = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_projects_find (projects, "other", "web", &p, &err), 0);
  assert_string_equal (osm_json_str (p, "id"), "2");
  assert_int_equal (osm_projects_find (projects, NULL, "db", &p, &err), 0);
  assert_int_equal (osm_projects_find (projects, NULL, "web", &p, &err), -1);
  assert_non_null (strstr (err.message, "Default/web, other/web"));
  osm_error_clear (&err);
  assert_int_equal (osm_projects_find (projects, "other", "db", &p, &err), -1);
  assert_int_equal (err.code, 404);
}

static void
assert_there_and_back (const char *name, const char *wanted)
{
  OSM_CLEANUP_FREE char *folder = osm_projects_folder ("data", "Default", name), *back = NULL;

  assert_string_equal (folder, wanted);
  back = osm_projects_unquote (strrchr (folder, '/') + 1);
  assert_string_equal (back, name);
}

TEST (folders_have_names_that_lead_nowhere_else)
{
  static const char *const wrong[] = { "",    ".",   "..",  ".osm", "%",    "%4",
                                       "%zz", "%00", "%2e", "%FF",  "a%C3", "\xff" };

  assert_there_and_back ("demo", "data/projects/Default/demo");
  assert_there_and_back ("..", "data/projects/Default/%2E.");
  assert_there_and_back ("a/b c%", "data/projects/Default/a%2Fb%20c%25");
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    OSM_CLEANUP_FREE char *name = osm_projects_unquote (wrong[i]);

    assert_null (name);
  }
}

static void
assert_applied (const char *said, const char *wanted)
{
  OSM_CLEANUP_FREE char *domain = osm_strdup ("d"), *name = osm_strdup ("n"), *both = NULL;

  osm_projects_apply (said, &domain, &name);
  both = osm_asprintf ("%s|%s", domain, name);
  assert_string_equal (both, wanted);
}

TEST (what_a_configuration_says_of_a_project)
{
  assert_applied ("new", "d|new");
  assert_applied ("other/new", "other|new");
  assert_applied ("/new", "d|/new");
  assert_applied ("new/", "d|new/");
}

/* "a" is "b" elsewhere, and its domain another one. */
static void
a_is_b (void *data, char **domain, char **name)
{
  (void)data;
  if (strcmp (*name, "a") != 0)
    return;
  osm_str_set (name, "b");
  if (*domain)
    osm_str_set (domain, "new");
}

TEST (references_say_what_projects_are_called_here)
{
  const struct osm_tenant_project one = { .id = "p2", .rename = a_is_b };
  OSM_CLEANUP_JSON json_t *subnets =
      parse ("[{'params': {'name': 'a', 'network_ref': {'name': 'a', 'project_name': 'a',"
             "  'domain_name': 'Default'}, 'x_ref': {'name': 'a', 'project_name': '%auth%',"
             "  'domain_name': '%auth%'}}}]");
  OSM_CLEANUP_JSON json_t *policies =
      parse ("[{'params': {'target_project_ref': {'name': 'a', 'project_name': null, 'domain_name':"
             "  'Default'}}}, {'params': {'target_project_ref': {'name': '*', 'project_name': null,"
             "  'domain_name': null}}}]");
  OSM_CLEANUP_JSON json_t *projects =
      parse ("[{'params': {'name': 'a', 'domain_ref': {'name': 'Default', 'project_name': null,"
             "  'domain_name': null}}}, {'params': {'name': 'c'}}]");
  OSM_CLEANUP_JSON json_t *untouched = json_deep_copy (subnets);

  osm_rename_projects (&osm_type_subnet, NULL, subnets);
  assert_true (json_equal (subnets, untouched));
  osm_rename_projects (&osm_type_subnet, &one, subnets);
  assert_json (subnets,
               "[{'params': {'name': 'a', 'network_ref': {'name': 'a', 'project_name': 'b',"
               "  'domain_name': 'new'}, 'x_ref': {'name': 'a', 'project_name': '%auth%',"
               "  'domain_name': '%auth%'}}}]");
  osm_rename_projects (&osm_type_rbac_policy, &one, policies);
  assert_json (policies,
               "[{'params': {'target_project_ref': {'name': 'b', 'project_name': null,"
               "  'domain_name': 'new'}}}, {'params': {'target_project_ref': {'name': '*',"
               "  'project_name': null, 'domain_name': null}}}]");
  osm_rename_projects (&osm_type_project, &one, projects);
  assert_json (projects, "[{'params': {'name': 'b', 'domain_ref': {'name': 'new', 'project_name':"
                         "  null, 'domain_name': null}}, '_name_at_source': 'a'},"
                         " {'params': {'name': 'c'}, '_name_at_source': 'c'}]");
}

static void
assert_mapped (const char *rows, const char *known, const char *domain, const char *name,
               const char *wanted)
{
  OSM_CLEANUP_JSON json_t *projects = parse (PROJECTS), *r = parse (rows), *k = parse (known);
  const char *id = osm_json_str (osm_projects_mapped (projects, r, k, domain, name), "id");

  assert_string_equal (id ? id : "", wanted);
}

#define ROW(source_id, destination_id, name, origin)                                      \
  "{'type': 'projects', 'source_id': '" source_id "', 'destination_id': '" destination_id \
  "', 'name': '" name "', 'origin': '" origin "'}"

TEST (which_project_the_journal_means)
{
  static const char known[] = "{'a': {'domain_name': 'Default', 'name': 'web'},"
                              " 'b': {'domain_name': 'other', 'name': 'web'}}";

  /* By the id at the source, whatever the journal calls it. */
  assert_mapped ("[" ROW ("a", "3", "old", "registered") "]", known, "Default", "web", "3");
  assert_mapped ("[" ROW ("a", "3", "web", "registered") "]", known, "other", "web", "");
  assert_mapped ("[" ROW ("a", "1", "web", "created") "]", known, "other", "web", "");
  assert_mapped ("[" ROW ("a", "1", "web", "created") "," ROW ("b", "3", "web", "registered") "]",
                 known, "other", "web", "3");
  /* By name, where nobody knows the id. */
  assert_mapped ("[" ROW ("x", "1", "web", "created") "]", "{}", "Default", "web", "1");
  assert_mapped ("[" ROW ("x", "1", "web", "created") "]", "{}", "other", "web", "");
  assert_mapped ("[" ROW ("x", "3", "web", "registered") "]", "{}", "other", "web", "3");
  assert_mapped ("[" ROW ("x", "1", "web", "created") "]", "{}", NULL, "web", "1");
  /* One that is another's. */
  assert_mapped ("[" ROW ("a", "3", "web", "registered") "]",
                 "{'a': {'domain_name': 'Default', 'name': 'web'}}", "other", "web", "");
  /* Gone, and several. */
  assert_mapped ("[" ROW ("a", "9", "web", "created") "]", known, "Default", "web", "");
  assert_mapped (
      "[" ROW ("x", "1", "web", "registered") "," ROW ("y", "2", "web", "registered") "]", "{}",
      NULL, "web", "");
}

/* Every project has a group of that name. */
TEST (names_of_other_projects_mean_nothing_in_this_one)
{
  const struct osm_tenant_project one = { .id = "p2" };
  OSM_CLEANUP_INVENTORY struct osm_inventory *inv = osm_inventory_new ("p2", "u");
  OSM_CLEANUP_JSON json_t *ref = parse ("{'name': 'web', 'project_name': '%auth%'}"), *id = NULL;
  OSM_ERROR (err);

  add (inv, &osm_type_security_group,
       "[{'id': 'x', 'name': 'web', 'project_id': 'p1'}, {'id': 'y', 'name': 'web',"
       "  'project_id': 'p2'}]",
       true);
  osm_inventory_set_project (inv, &one);
  assert_ptr_equal (osm_inventory_of_project (inv), &one);
  assert_int_equal (osm_inventory_id (inv, "security_groups", ref, &id, &err), 0);
  assert_json (id, "'y'");
}

TEST (the_least_role_is_taken)
{
  OSM_CLEANUP_JSON json_t *roles =
      parse ("[{'id': '1', 'name': 'admin'}, {'id': '2', 'name': 'reader'},"
             " {'id': '3', 'name': 'member', 'domain_id': 'd'}, {'id': '4', 'name': '_member_'}]");
  OSM_CLEANUP_JSON json_t *none = parse ("[{'id': '2', 'name': 'reader'}]");

  assert_string_equal (osm_json_str (osm_grants_choose (roles), "id"), "4");
  json_array_append_new (roles, parse ("{'id': '5', 'name': 'member', 'domain_id': null}"));
  assert_string_equal (osm_json_str (osm_grants_choose (roles), "id"), "5");
  assert_null (osm_grants_choose (none));
}

TEST (types_that_belong_to_projects)
{
  assert_true (osm_tenant_type_is_of_project (&osm_type_network));
  assert_true (osm_tenant_type_is_of_project (&osm_type_image));
  assert_true (osm_tenant_type_is_of_project (&osm_type_quota));
  assert_true (osm_tenant_type_is_of_project (&osm_type_server_group));
  assert_true (osm_tenant_type_is_of_project (&osm_type_router_interface));
  assert_false (osm_tenant_type_is_of_project (&osm_type_keypair));
  assert_false (osm_tenant_type_is_of_project (&osm_type_project));
  assert_false (osm_tenant_type_is_of_project (&osm_type_flavor));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (projects_are_chosen_by_name_and_domain),
    cmocka_unit_test (several_of_a_name_must_say_the_domain),
    cmocka_unit_test (folders_have_names_that_lead_nowhere_else),
    cmocka_unit_test (what_a_configuration_says_of_a_project),
    cmocka_unit_test (references_say_what_projects_are_called_here),
    cmocka_unit_test (which_project_the_journal_means),
    cmocka_unit_test (names_of_other_projects_mean_nothing_in_this_one),
    cmocka_unit_test (the_least_role_is_taken),
    cmocka_unit_test (types_that_belong_to_projects),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
