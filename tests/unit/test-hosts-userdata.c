/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "common/yaml.h"
#include "controller/hosts/hosts.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPrkiHH osm-controller"

static char folder[64];

/* The template of the source tree, unless a test brings its own. */
static int
setup (void **state)
{
  const char *top = getenv ("top_srcdir");

  (void)state;
  setenv ("OSM_DATADIR", top ? top : ".", 1);
  snprintf (folder, sizeof folder, "/tmp/osm-test-userdata.XXXXXX");
  return mkdtemp (folder) ? 0 : -1;
}

static int
teardown (void **state)
{
  char *argv[] = { (char *)"rm", (char *)"-rf", folder, NULL };
  OSM_ERROR (err);

  (void)state;
  return osm_run_capture (argv, 0, NULL, &err);
}

static void
own_template (const char *text)
{
  OSM_CLEANUP_FREE char *cloud_init = osm_asprintf ("%s/cloud-init", folder),
                        *path = osm_asprintf ("%s/conversion-host.yaml", cloud_init);
  OSM_ERROR (err);

  assert_int_equal (osm_mkdir_p (cloud_init, 0700, &err), 0);
  assert_int_equal (osm_file_write (path, text, strlen (text), 0600, &err), 0);
  setenv ("OSM_DATADIR", folder, 1);
}

static int
render (const char *agent_install, const char *key, char **ret, struct osm_error *err)
{
  struct osm_config config = { 0 };

  config.host[OSM_DESTINATION].agent_install = (char *)agent_install;
  return osm_hosts_render_user_data (&config, OSM_DESTINATION, key, ret, err);
}

static json_t *
rendered (const char *agent_install, const char *key)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_YAML struct osm_yaml *doc = NULL;
  OSM_ERROR (err);

  render (agent_install, key, &text, &err);
  assert_no_error (&err);
  assert_true (osm_str_starts_with (text, "#cloud-config\n"));
  assert_null (strchr (text, '\t'));
  osm_yaml_parse (text, strlen (text), "user data", &doc, &err);
  assert_no_error (&err);
  return json_deep_copy (osm_yaml_root (doc));
}

static const char *
controller_keys (const json_t *data)
{
  return osm_json_str (json_array_get (json_object_get (data, "write_files"), 0), "content");
}

TEST (an_image_with_the_agent_runs_its_setup)
{
  OSM_CLEANUP_JSON json_t *data = rendered ("image", KEY);
  const json_t *command = json_array_get (json_object_get (data, "runcmd"), 0);

  assert_string_equal (controller_keys (data), KEY "\n");
  assert_string_equal (json_string_value (json_array_get (command, 0)), "sh");
  assert_non_null (strstr (json_string_value (json_array_get (command, 2)), "agent-setup"));
  assert_null (json_object_get (data, "packages"));
  assert_null (json_object_get (data, "ssh_authorized_keys"));
}

TEST (a_stock_image_gets_packages_and_lets_the_controller_in)
{
  OSM_CLEANUP_JSON json_t *data = rendered ("upload", KEY);

  assert_true (json_array_size (json_object_get (data, "packages")) > 3);
  assert_true (json_is_true (json_object_get (data, "package_update")));
  assert_string_equal (
      json_string_value (json_array_get (json_object_get (data, "ssh_authorized_keys"), 0)), KEY);
  assert_null (json_object_get (data, "runcmd"));
}

TEST (nobody_logs_in_with_a_password_or_as_root)
{
  OSM_CLEANUP_JSON json_t *data = rendered ("image", KEY);

  assert_true (json_is_true (json_object_get (data, "disable_root")));
  assert_true (json_is_false (json_object_get (data, "ssh_pwauth")));
  assert_null (json_object_get (data, "password"));
  assert_null (json_object_get (data, "chpasswd"));
}

TEST (the_console_shows_the_host_keys)
{
  OSM_CLEANUP_JSON json_t *data = rendered ("image", KEY);

  assert_true (
      json_is_true (json_object_get (json_object_get (data, "ssh"), "emit_keys_to_console")));
  assert_int_equal (json_array_size (json_object_get (data, "ssh_genkeytypes")), 2);
}

TEST (what_a_key_contains_stays_in_its_string)
{
  static const char *const hostile[] = {
    "x\"\nruncmd: [[\"reboot\"]]\n#", "@COMMANDS@", "\\",       "'\"`$(reboot)`", "a: b # c",
    "\xe2\x80\xa8new: line",          "tab\there",  "%TAG ! x",
  };

  for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
    OSM_CLEANUP_JSON json_t *data = rendered ("upload", hostile[i]);
    OSM_CLEANUP_FREE char *line = osm_asprintf ("%s\n", hostile[i]);

    assert_string_equal (controller_keys (data), line);
    assert_string_equal (
        json_string_value (json_array_get (json_object_get (data, "ssh_authorized_keys"), 0)),
        hostile[i]);
    assert_null (json_object_get (data, "runcmd"));
    assert_null (json_object_get (data, "new"));
  }
}

TEST (what_is_no_placeholder_is_kept)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (err);

  own_template ("a@b.c @@ @lower@ @\nlast @PACKAGE_UPDATE@ line");
  render ("image", KEY, &text, &err);
  assert_no_error (&err);
  assert_string_equal (text, "a@b.c @@ @lower@ @\nlast false line\n");
}

TEST (an_unknown_placeholder_is_named)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (err);

  own_template ("key: @SECRET@\n");
  assert_int_equal (render ("image", KEY, &text, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "unknown placeholder 'SECRET'");
}

TEST (a_template_that_is_not_there_is_named)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (err);

  setenv ("OSM_DATADIR", folder, 1);
  assert_int_equal (render ("image", KEY, &text, &err), -1);
  assert_non_null (strstr (err.message, folder));
}

#define test(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    test (an_image_with_the_agent_runs_its_setup),
    test (a_stock_image_gets_packages_and_lets_the_controller_in),
    test (nobody_logs_in_with_a_password_or_as_root),
    test (the_console_shows_the_host_keys),
    test (what_a_key_contains_stays_in_its_string),
    test (what_is_no_placeholder_is_kept),
    test (an_unknown_placeholder_is_named),
    test (a_template_that_is_not_there_is_named),
  };

  return cmocka_run_group_tests_name ("controller/hosts/userdata", tests, NULL, NULL);
}
