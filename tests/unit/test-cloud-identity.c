/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/identity.h"

static char auth_url[] = "http://h:5000", password[] = "password", demo[] = "demo", secret[] = "s";

static struct osm_credentials
credentials (char *type)
{
  return (struct osm_credentials){
    .name = demo, .auth_type = type, .auth_url = auth_url, .username = demo, .password = secret
  };
}

static void
assert_body (const struct osm_credentials *c, const char *expected)
{
  OSM_CLEANUP_JSON json_t *body = osm_identity_token_body (c),
                          *want = json_loads (expected, 0, NULL);
  OSM_CLEANUP_FREE char *text = osm_json_dump (body);

  assert_non_null (want);
  if (!json_equal (body, want))
    fail_msg ("body is %s", text);
}

#define USER "{\"name\": \"demo\", \"domain\": {\"name\": \"Default\"}, \"password\": \"s\"}"
#define IDENTITY "\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\": " USER "}}"

TEST (a_password_with_a_project)
{
  struct osm_credentials c = credentials (password);

  c.project_name = demo;
  assert_body (&c, "{\"auth\": {" IDENTITY ", \"scope\": {\"project\": {\"name\": \"demo\","
                   " \"domain\": {\"name\": \"Default\"}}}}}");
  c.project_id = demo;
  assert_body (&c, "{\"auth\": {" IDENTITY ", \"scope\": {\"project\": {\"id\": \"demo\"}}}}");
}

TEST (ids_need_no_domains)
{
  struct osm_credentials c = credentials (password);

  c.user_id = demo;
  assert_body (&c,
               "{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\":"
               " {\"id\": \"demo\", \"password\": \"s\"}}}}}");
  c.user_id = NULL;
  c.user_domain_id = secret;
  assert_body (&c,
               "{\"auth\": {\"identity\": {\"methods\": [\"password\"], \"password\": {\"user\":"
               " {\"name\": \"demo\", \"domain\": {\"id\": \"s\"}, \"password\": \"s\"}}}}}");
}

TEST (other_scopes)
{
  struct osm_credentials c = credentials (password);

  c.domain_name = demo;
  assert_body (&c, "{\"auth\": {" IDENTITY ", \"scope\": {\"domain\": {\"name\": \"demo\"}}}}");
  c.system_scope = demo;
  assert_body (&c, "{\"auth\": {" IDENTITY ", \"scope\": {\"system\": {\"all\": true}}}}");
}

TEST (a_token_with_a_project)
{
  char type[] = "token";
  struct osm_credentials c = credentials (type);

  c.token = secret;
  c.project_id = demo;
  assert_body (&c,
               "{\"auth\": {\"identity\": {\"methods\": [\"token\"], \"token\": {\"id\": \"s\"}},"
               " \"scope\": {\"project\": {\"id\": \"demo\"}}}}");
}

TEST (an_application_credential_has_no_scope)
{
  char type[] = "v3applicationcredential";
  struct osm_credentials c = credentials (type);

  c.project_name = demo;
  c.application_credential_secret = secret;
  c.application_credential_name = demo;
  assert_body (&c, "{\"auth\": {\"identity\": {\"methods\": [\"application_credential\"], "
                   "\"application_credential\":"
                   " {\"secret\": \"s\", \"name\": \"demo\","
                   " \"user\": {\"name\": \"demo\", \"domain\": {\"name\": \"Default\"}}}}}}");
  c.application_credential_id = demo;
  assert_body (&c, "{\"auth\": {\"identity\": {\"methods\": [\"application_credential\"], "
                   "\"application_credential\":"
                   " {\"secret\": \"s\", \"id\": \"demo\"}}}}");
}

static void
assert_url (char *type, const char *url, const char *expected)
{
  struct osm_credentials c = credentials (type);
  OSM_CLEANUP_FREE char *given = osm_strdup (url), *got = NULL;

  c.auth_url = given;
  got = osm_identity_token_url (&c);
  assert_string_equal (got, expected);
}

TEST (where_tokens_are_given)
{
  char v2[] = "v2password";

  assert_url (password, "http://h:5000", "http://h:5000/v3/auth/tokens");
  assert_url (password, "https://h/identity/", "https://h/identity/v3/auth/tokens");
  assert_url (password, "http://h:5000/v3/", "http://h:5000/v3/auth/tokens");
  assert_url (password, "http://h:5000/v2.0", "http://h:5000/v3/auth/tokens");
  assert_url (v2, "http://h:5000/v2.0", "http://h:5000/v2.0/tokens");
  assert_url (v2, "http://h:5000", "http://h:5000/v2.0/tokens");
}

static int
read_text (char *type, int status, const char *subject_token, const char *text, struct osm_grant *g,
           struct osm_error *err)
{
  struct osm_credentials c = credentials (type);
  OSM_HTTP_ANSWER (a);

  a.status = status;
  a.body = osm_strdup (text);
  a.len = strlen (text);
  a.subject_token = osm_strdup (subject_token);
  return osm_identity_read (&c, &a, g, err);
}

TEST (a_token_of_version_3)
{
  OSM_GRANT (g);
  OSM_ERROR (err);

  read_text (password, 201, "T",
             "{\"token\": {\"issued_at\": \"2026-11-21T05:00:00.000000Z\","
             " \"expires_at\": \"2026-11-21T06:00:00.000000Z\", \"user\": {\"id\": \"U\"},"
             " \"project\": {\"id\": \"P\"}, \"catalog\": []}}",
             &g, &err);
  assert_no_error (&err);
  assert_string_equal (g.token, "T");
  assert_string_equal (g.project_id, "P");
  assert_string_equal (g.user_id, "U");
  assert_int_equal (g.lifetime_ms, 3600000);
}

TEST (a_token_that_does_not_tell_its_end_lives_for_minutes)
{
  OSM_GRANT (g);
  OSM_ERROR (err);

  read_text (password, 201, "T", "{\"token\": {\"expires_at\": \"soon\", \"catalog\": []}}", &g,
             &err);
  assert_no_error (&err);
  assert_int_equal (g.lifetime_ms, 300000);
  assert_null (g.project_id);
}

TEST (a_catalogue_of_version_2)
{
  char v2[] = "v2password";
  OSM_GRANT (g);
  OSM_ERROR (err);
  const json_t *endpoint;

  read_text (
      v2, 200, NULL,
      "{\"access\": {\"token\": {\"id\": \"T\", \"expires\": \"2030-01-01T00:00:00Z\", \"tenant\": "
      "{\"id\":"
      " \"P\"}}, \"user\": {\"id\": \"U\"}, \"serviceCatalog\": [{\"type\": \"compute\", "
      "\"endpoints\":"
      " [{\"region\": \"R\", \"publicURL\": \"http://p\", \"internalURL\": \"http://i\"}]}]}}",
      &g, &err);
  assert_no_error (&err);
  assert_string_equal (g.token, "T");
  assert_string_equal (g.project_id, "P");
  endpoint = json_array_get (json_object_get (json_array_get (g.catalog, 0), "endpoints"), 1);
  assert_string_equal (osm_json_str (endpoint, "interface"), "internal");
  assert_string_equal (osm_json_str (endpoint, "url"), "http://i");
  assert_string_equal (osm_json_str (endpoint, "region"), "R");
}

TEST (refusals)
{
  char token[] = "token";
  OSM_GRANT (g);
  OSM_ERROR (err);

  read_text (password, 401, NULL,
             "{\"error\": {\"message\": \"The request needs authentication.\"}}", &g, &err);
  assert_string_equal (err.hint, "check user, password, project and domains of cloud 'demo'");
  assert_int_equal (err.code, 401);
  assert_error (&err, OSM_ERROR_USER,
                "cloud 'demo': identity at http://h:5000 refuses the credentials of demo:"
                " HTTP 401: The request needs authentication.");
  read_text (token, 401, NULL, "", &g, &err);
  assert_string_equal (err.hint, "the token of cloud 'demo' has expired or is not of this cloud");
  assert_error (&err, OSM_ERROR_USER, "HTTP 401");
  read_text (password, 404, NULL, "", &g, &err);
  assert_error (&err, OSM_ERROR_USER, "there is no identity service at http://h:5000");
  read_text (password, 503, NULL, "", &g, &err);
  assert_error (&err, OSM_ERROR_RETRY, "gives no token: HTTP 503");
}

TEST (answers_that_are_no_tokens)
{
  OSM_GRANT (g);
  OSM_ERROR (err);

  read_text (password, 200, NULL, "It works!", &g, &err);
  assert_error (&err, OSM_ERROR_USER, "is not Keystone");
  read_text (password, 201, NULL, "{\"token\": {\"catalog\": []}}", &g, &err);
  assert_error (&err, OSM_ERROR_USER, "is not Keystone");
  read_text (password, 201, "T", "{\"token\": {}}", &g, &err);
  assert_string_equal (err.hint, "name a project (project_name or project_id) of cloud 'demo'");
  assert_error (&err, OSM_ERROR_USER, "the token has no catalogue");
  read_text (password, 201, "T",
             "{\"token\": {\"catalog\": [], \"project\": {\"id\": \"../../x\"}}}", &g, &err);
  assert_error (&err, OSM_ERROR_REMOTE, "has a project whose id is none");
  read_text (password, 201, "T", "{\"token\": {\"catalog\": [], \"user\": {\"id\": \"a/b\"}}}", &g,
             &err);
  assert_error (&err, OSM_ERROR_REMOTE, "has a user whose id is none");
  assert_null (g.token);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_password_with_a_project),
    cmocka_unit_test (ids_need_no_domains),
    cmocka_unit_test (other_scopes),
    cmocka_unit_test (a_token_with_a_project),
    cmocka_unit_test (an_application_credential_has_no_scope),
    cmocka_unit_test (where_tokens_are_given),
    cmocka_unit_test (a_token_of_version_3),
    cmocka_unit_test (a_token_that_does_not_tell_its_end_lives_for_minutes),
    cmocka_unit_test (a_catalogue_of_version_2),
    cmocka_unit_test (refusals),
    cmocka_unit_test (answers_that_are_no_tokens),
  };

  return cmocka_run_group_tests_name ("cloud/identity", tests, NULL, NULL);
}
