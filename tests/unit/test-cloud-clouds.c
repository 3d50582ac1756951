/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"
#include "controller/cloud/clouds.h"

static char *folder; /* the working directory of each test, with home/ and xdg/ */

static void
write_text (const char *path, const char *text)
{
  OSM_ERROR (err);

  osm_file_write (path, text, strlen (text), 0600, &err);
  assert_no_error (&err);
}

static int
fresh (void **state)
{
  static const char *const variables[] = {
    "OS_CLIENT_CONFIG_FILE",
    "OS_CLIENT_SECURE_FILE",
    "XDG_CONFIG_HOME",
    "OS_AUTH_URL",
    "OS_USERNAME",
    "OS_PASSWORD",
    "OS_PROJECT_NAME",
    "OS_INSECURE",
    "OS_TENANT_NAME",
    "OS_CACERT",
    "OS_TOKEN",
  };
  char template[] = "/tmp/osm-test-clouds-XXXXXX";
  OSM_CLEANUP_FREE char *home = NULL;
  OSM_ERROR (err);

  (void)state;
  for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
    unsetenv (variables[i]);
  folder = osm_strdup (mkdtemp (template));
  home = osm_asprintf ("%s/home", folder);
  setenv ("HOME", home, 1);
  osm_mkdir_p (home, 0700, &err);
  return chdir (folder);
}

static int
remove_folder (void **state)
{
  static const char *const files[] = { "clouds.yaml",
                                       "secure.yaml",
                                       "other.yaml",
                                       "home/.config/openstack/clouds.yaml",
                                       "home/.config/openstack",
                                       "home/.config",
                                       "xdg/openstack/clouds.yaml",
                                       "xdg/openstack",
                                       "xdg",
                                       "home" };

  (void)state;
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    remove (files[i]);
  if (chdir ("/") == -1 || rmdir (folder) == -1)
    return -1;
  free (osm_take (folder));
  return 0;
}

#define LOAD(c, name)                                       \
  OSM_CLEANUP_CREDENTIALS struct osm_credentials *c = NULL; \
  OSM_ERROR (c##_err);                                      \
  osm_credentials_load (name, &c, &c##_err);                \
  assert_no_error (&c##_err)

#define assert_refused(name, expected)                              \
  do {                                                              \
    struct osm_credentials *c_ = NULL;                              \
    OSM_ERROR (err_);                                               \
    assert_int_equal (osm_credentials_load (name, &c_, &err_), -1); \
    assert_error (&err_, OSM_ERROR_USER, expected);                 \
  } while (0)

#define AUTH "    auth:\n      auth_url: http://h:5000/v3\n      username: u\n      password: p\n"

TEST (a_usual_cloud)
{
  write_text ("clouds.yaml",
              "clouds:\n  a:\n" AUTH "      project_name: demo\n"
              "      user_domain_name: Users\n      project_domain_id: default\n"
              "    region_name: RegionOne\n    interface: internal\n    cacert: ~/ca.pem\n"
              "    identity_api_version: 3\n    compute_api_version: '2.1'\n"
              "    compute_endpoint_override: http://c/v2.1\n  b: {}\n");
  LOAD (c, "a");

  assert_string_equal (c->name, "a");
  assert_string_equal (c->auth_type, "password");
  assert_string_equal (c->auth_url, "http://h:5000/v3");
  assert_string_equal (c->username, "u");
  assert_string_equal (c->password, "p");
  assert_string_equal (c->project_name, "demo");
  assert_string_equal (c->user_domain_name, "Users");
  assert_null (c->user_domain_id);
  assert_string_equal (c->project_domain_id, "default");
  assert_string_equal (c->region_name, "RegionOne");
  assert_string_equal (c->interface, "internal");
  assert_true (osm_str_ends_with (c->ca_file, "/home/ca.pem"));
  assert_true (c->verify);
  assert_string_equal (osm_json_str (c->overrides, "compute"), "http://c/v2.1");
}

TEST (secrets_come_from_secure_yaml)
{
  write_text ("clouds.yaml",
              "clouds:\n  a:\n    auth:\n      auth_url: http://h\n      username: u\n"
              "      password: not-this-one\n    region_name: R\n");
  write_text ("secure.yaml",
              "clouds:\n  a:\n    auth:\n      password: this\n  c:\n    auth: {password: x}\n");
  LOAD (c, "a");

  assert_string_equal (c->password, "this");
  assert_string_equal (c->username, "u");
  assert_string_equal (c->region_name, "R");
}

TEST (the_secure_file_may_be_elsewhere)
{
  write_text ("clouds.yaml", "clouds:\n  a:\n    auth: {auth_url: http://h, username: u}\n");
  write_text ("other.yaml", "clouds:\n  a:\n    auth: {password: 12345}\n");
  setenv ("OS_CLIENT_SECURE_FILE", "other.yaml", 1);
  LOAD (c, "a");

  assert_string_equal (c->password, "12345");
}

TEST (an_error_in_secure_yaml_is_shown_there)
{
  write_text ("clouds.yaml", "clouds:\n  a:\n" AUTH);
  write_text ("secure.yaml", "clouds:\n  a:\n    auth:\n      password: [x]\n");
  assert_refused ("a", "secure.yaml:4:7: cloud 'a': 'password' must be a string (quote it)");
}

TEST (files_are_looked_for_where_openstacksdk_does)
{
  OSM_ERROR (err);

  osm_mkdir_p ("home/.config/openstack", 0700, &err);
  write_text ("home/.config/openstack/clouds.yaml",
              "clouds: {a: {auth: {auth_url: http://home, username: u, password: p}}}");
  {
    LOAD (c, "a");
    assert_string_equal (c->auth_url, "http://home");
  }
  osm_mkdir_p ("xdg/openstack", 0700, &err);
  write_text ("xdg/openstack/clouds.yaml",
              "clouds: {a: {auth: {auth_url: http://xdg, username: u, password: p}}}");
  setenv ("XDG_CONFIG_HOME", "xdg", 1);
  {
    LOAD (c, "a");
    assert_string_equal (c->auth_url, "http://xdg");
  }
  write_text ("clouds.yaml",
              "clouds: {a: {auth: {auth_url: http://here, username: u, password: p}}}");
  {
    LOAD (c, "a");
    assert_string_equal (c->auth_url, "http://here");
  }
  write_text ("other.yaml",
              "clouds: {a: {auth: {auth_url: http://given, username: u, password: p}}}");
  setenv ("OS_CLIENT_CONFIG_FILE", "other.yaml", 1);
  {
    LOAD (c, "a");
    assert_string_equal (c->auth_url, "http://given");
  }
}

TEST (a_file_that_was_named_must_be_there)
{
  setenv ("OS_CLIENT_CONFIG_FILE", "/nonexistent/clouds.yaml", 1);
  assert_refused ("a", "/nonexistent/clouds.yaml");
}

TEST (an_unknown_cloud_lists_the_known_ones)
{
  struct osm_credentials *c = NULL;
  OSM_ERROR (err);

  write_text ("clouds.yaml", "clouds:\n  one: {}\n  two: {}\n");
  osm_credentials_load ("moon", &c, &err);
  assert_string_equal (err.hint, "it has: one, two");
  assert_error (&err, OSM_ERROR_USER, "there is no cloud 'moon' in clouds.yaml");
}

TEST (files_that_are_wrong)
{
  write_text ("clouds.yaml", "cloud: {}\n");
  assert_refused ("a", "clouds.yaml:1:1: there is no mapping 'clouds'");
  write_text ("clouds.yaml", "clouds:\n  a: [\n");
  assert_refused ("a", "clouds.yaml:3:1:");
  write_text ("clouds.yaml", "clouds:\n  a:\n" AUTH "    verify: perhaps\n");
  assert_refused ("a", "clouds.yaml:7:5: cloud 'a': 'verify' must be true or false");
  write_text ("clouds.yaml", "clouds:\n  a:\n" AUTH "    api_timeout: soon\n");
  assert_refused ("a", "clouds.yaml:7:5: cloud 'a': 'api_timeout' must be a number of seconds");
  write_text ("clouds.yaml", "clouds:\n  a:\n" AUTH "    api_timeout: 0\n");
  assert_refused ("a", "'api_timeout' must be a number of seconds");
  write_text ("clouds.yaml",
              "clouds:\n  a:\n    auth:\n      auth_url: http://h\n      password: 1.5\n");
  assert_refused ("a", "clouds.yaml:5:7: cloud 'a': 'password' must be a string (quote it)");
  write_text ("clouds.yaml", "clouds:\n  a:\n    profile: rackspace\n");
  assert_refused ("a", "clouds.yaml:3:5: cloud 'a': profiles are not supported");
}

TEST (credentials_that_are_not_enough)
{
  write_text (
      "clouds.yaml",
      "clouds:\n"
      "  url: {auth: {username: u, password: p}}\n"
      "  scheme: {auth: {auth_url: 'h:5000', username: u, password: p}}\n"
      "  user: {auth: {auth_url: http://h, password: p}}\n"
      "  password: {auth: {auth_url: http://h, username: u}}\n"
      "  token: {auth_type: token, auth: {auth_url: http://h}}\n"
      "  secret: {auth: {auth_url: http://h, application_credential_id: i}}\n"
      "  id: {auth_type: v3applicationcredential, auth: {auth_url: http://h, "
      "application_credential_secret: s}}\n"
      "  owner: {auth: {auth_url: http://h, application_credential_name: n, "
      "application_credential_secret: s}}\n"
      "  type: {auth_type: v3kerberos, auth: {auth_url: http://h}}\n"
      "  interface: {interface: private, auth: {auth_url: http://h, username: u, password: p}}\n"
      "  system: {auth: {auth_url: http://h, username: u, password: p, system_scope: some}}\n");
  assert_refused ("url", "cloud 'url' has no auth_url");
  assert_refused ("scheme", "auth_url 'h:5000' does not start with http:// or https://");
  assert_refused ("user", "cloud 'user' has no username");
  assert_refused ("password", "cloud 'password' has no password");
  assert_refused ("token", "cloud 'token' has no token");
  assert_refused ("secret", "cloud 'secret' has no application_credential_secret");
  assert_refused ("id", "cloud 'id' has no application_credential_id");
  assert_refused ("owner", "cloud 'owner' has no username");
  assert_refused ("type", "auth_type 'v3kerberos' is not supported");
  assert_refused ("interface", "interface 'private' is none of public, internal, admin");
  assert_refused ("system", "system_scope is 'some'");
}

static void
assert_type (const char *name, const char *expected)
{
  LOAD (c, name);

  assert_string_equal (c->auth_type, expected);
}

TEST (the_type_follows_from_what_is_there)
{
  write_text (
      "clouds.yaml",
      "clouds:\n"
      "  p: {auth_type: v3password, auth: {auth_url: http://h, username: u, password: p}}\n"
      "  t: {auth: {auth_url: http://h, token: t}}\n"
      "  t3: {auth_type: v3token, auth: {auth_url: http://h, token: t}}\n"
      "  a: {auth: {auth_url: http://h, application_credential_id: i, "
      "application_credential_secret: s}}\n"
      "  o: {auth_type: V2Password, auth: {auth_url: http://h, username: u, password: p}}\n");
  assert_type ("p", "password");
  assert_type ("t", "token");
  assert_type ("t3", "token");
  assert_type ("a", "v3applicationcredential");
  assert_type ("o", "v2password");
}

TEST (a_domain_given_once_is_of_user_and_project)
{
  write_text ("clouds.yaml",
              "clouds:\n"
              "  a:\n" AUTH
              "      project_name: demo\n      domain_name: D\n      user_domain_id: U\n"
              "  b:\n" AUTH "      domain_name: D\n");
  {
    LOAD (c, "a");
    assert_string_equal (c->user_domain_id, "U");
    assert_null (c->user_domain_name);
    assert_string_equal (c->project_domain_name, "D");
    assert_null (c->domain_name);
  }
  {
    LOAD (c, "b");
    assert_string_equal (c->domain_name, "D");
    assert_null (c->user_domain_name);
  }
}

TEST (api_timeout_in_seconds)
{
  write_text ("clouds.yaml", "clouds:\n"
                             "  a:\n" AUTH "    api_timeout: 30\n"
                             "  b:\n" AUTH "    api_timeout: 2.6\n"
                             "  c:\n" AUTH "    api_timeout: '0.1'\n"
                             "  d:\n" AUTH);
  {
    LOAD (c, "a");
    assert_int_equal (c->silence_s, 30);
  }
  {
    LOAD (c, "b");
    assert_int_equal (c->silence_s, 3);
  }
  {
    LOAD (c, "c");
    assert_int_equal (c->silence_s, 1);
  }
  {
    LOAD (c, "d");
    assert_int_equal (c->silence_s, 0);
  }
}

TEST (verification_ends_only_when_told_so)
{
  write_text ("clouds.yaml", "clouds:\n"
                             "  a:\n" AUTH "    verify: false\n"
                             "  b:\n" AUTH "    verify: no\n"
                             "  c:\n" AUTH "    insecure: true\n"
                             "  d:\n" AUTH "    verify:\n"
                             "  e:\n" AUTH "    insecure: false\n");
  {
    LOAD (c, "a");
    assert_false (c->verify);
  }
  {
    LOAD (c, "b");
    assert_false (c->verify);
  }
  {
    LOAD (c, "c");
    assert_false (c->verify);
  }
  {
    LOAD (c, "d");
    assert_true (c->verify);
  }
  {
    LOAD (c, "e");
    assert_true (c->verify);
  }
}

TEST (other_spellings)
{
  write_text (
      "clouds.yaml",
      "base: &base\n  endpoint_type: adminURL\n  regions: [{name: R1}, R2]\n"
      "clouds:\n  a:\n    <<: *base\n" AUTH "      tenant_name: t\n"
      "  b:\n    auth_url: http://beside\n    username: u\n    password: p\n    region_name: ''\n");
  {
    LOAD (c, "a");
    assert_string_equal (c->project_name, "t");
    assert_string_equal (c->interface, "admin");
    assert_string_equal (c->region_name, "R1");
  }
  {
    LOAD (c, "b");
    assert_string_equal (c->auth_url, "http://beside");
    assert_null (c->region_name);
  }
}

TEST (variables_make_a_cloud)
{
  setenv ("OS_AUTH_URL", "http://env", 1);
  setenv ("OS_USERNAME", "u", 1);
  setenv ("OS_PASSWORD", "p", 1);
  setenv ("OS_TENANT_NAME", "t", 1);
  setenv ("OS_INSECURE", "1", 1);
  setenv ("OS_CACERT", "", 1);
  {
    LOAD (c, "envvars");
    assert_string_equal (c->name, "envvars");
    assert_string_equal (c->auth_url, "http://env");
    assert_string_equal (c->project_name, "t");
    assert_null (c->ca_file);
    assert_false (c->verify);
  }
  {
    LOAD (c, NULL);
    assert_string_equal (c->username, "u");
  }
  setenv ("OS_INSECURE", "perhaps", 1);
  assert_refused (NULL, "OS_INSECURE");
}

TEST (nothing_at_all)
{
  assert_refused ("envvars", "cloud 'envvars' has no auth_url");
  osm_credentials_free (NULL);
}

#define cloud_test(name) cmocka_unit_test_setup_teardown (name, fresh, remove_folder)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cloud_test (a_usual_cloud),
    cloud_test (secrets_come_from_secure_yaml),
    cloud_test (the_secure_file_may_be_elsewhere),
    cloud_test (an_error_in_secure_yaml_is_shown_there),
    cloud_test (files_are_looked_for_where_openstacksdk_does),
    cloud_test (a_file_that_was_named_must_be_there),
    cloud_test (an_unknown_cloud_lists_the_known_ones),
    cloud_test (files_that_are_wrong),
    cloud_test (credentials_that_are_not_enough),
    cloud_test (the_type_follows_from_what_is_there),
    cloud_test (a_domain_given_once_is_of_user_and_project),
    cloud_test (api_timeout_in_seconds),
    cloud_test (verification_ends_only_when_told_so),
    cloud_test (other_spellings),
    cloud_test (variables_make_a_cloud),
    cloud_test (nothing_at_all),
  };

  return cmocka_run_group_tests_name ("cloud/clouds", tests, NULL, NULL);
}
