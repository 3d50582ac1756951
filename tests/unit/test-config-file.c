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
#include "controller/config.h"

static char folder[64];
static char *path;

static int
setup (void **state)
{
  (void)state;
  snprintf (folder, sizeof folder, "/tmp/osm-test-config.XXXXXX");
  if (!mkdtemp (folder))
    return -1;
  path = osm_asprintf ("%s/osm.yaml", folder);
  setenv ("HOME", folder, 1);
  unsetenv ("OSM_CONFIG");
  unsetenv ("XDG_CONFIG_HOME");
  unsetenv ("XDG_STATE_HOME");
  return 0;
}

static int
teardown (void **state)
{
  char *argv[] = { (char *)"rm", (char *)"-rf", folder, NULL };
  OSM_ERROR (err);

  (void)state;
  free (path);
  return osm_run_capture (argv, 0, NULL, &err);
}

static void
write_to (const char *where, const char *text)
{
  OSM_ERROR (err);

  osm_file_write (where, text, strlen (text), 0600, &err);
  assert_no_error (&err);
}

static struct osm_config *
load (const char *text)
{
  struct osm_config *config = NULL;
  OSM_ERROR (err);

  write_to (path, text);
  osm_config_load (path, &config, &err);
  assert_no_error (&err);
  return config;
}

/* The whole message: it is what the operator reads. */
static void
assert_refused (const char *text, const char *expected)
{
  struct osm_config *config = NULL;
  OSM_CLEANUP_FREE char *whole = osm_asprintf ("%s%s", path, expected);
  OSM_ERROR (err);

  write_to (path, text);
  assert_int_equal (osm_config_load (path, &config, &err), -1);
  assert_string_equal (err.message, whole);
  assert_int_equal (err.class, OSM_ERROR_USER);
}

TEST (an_empty_file_gives_the_defaults)
{
  OSM_CLEANUP_CONFIG struct osm_config *config = load ("");
  const struct osm_host_config *host = &config->host[OSM_DESTINATION];

  assert_string_equal (config->path, path);
  assert_null (config->cloud[OSM_SOURCE]);
  assert_false (config->allow_same_project);
  assert_string_equal (host->name, "osm-conversion");
  assert_string_equal (host->image, "osm-conversion-host");
  assert_string_equal (host->flavor, "osm.conversion");
  assert_null (host->network);
  assert_string_equal (host->subnet_cidr, "192.168.199.0/24");
  assert_string_equal (host->floating_ip, "new");
  assert_int_equal (osm_strv_len (host->dns_servers), 0);
  assert_int_equal (osm_strv_len (host->allow_ssh_from), 1);
  assert_string_equal (host->allow_ssh_from[0], "auto");
  assert_false (host->boot_from_volume);
  assert_int_equal (host->boot_volume_gb, 10);
  assert_string_equal (host->agent_install, "image");
  assert_int_equal (host->max_attachments, 25);
}

TEST (a_side_has_its_own_values_over_the_common_ones)
{
  OSM_CLEANUP_CONFIG struct osm_config *config = load ("source: {cloud: old}\n"
                                                       "destination: {cloud: new}\n"
                                                       "conversion_hosts:\n"
                                                       "  source:\n"
                                                       "    flavor: tiny\n"
                                                       "    dns_servers: [9.9.9.9, '2620:fe::fe']\n"
                                                       "    network: null\n"
                                                       "  flavor: big\n"
                                                       "  network: net\n"
                                                       "  boot_from_volume: true\n"
                                                       "  max_attachments: 7\n");

  assert_string_equal (config->cloud[OSM_SOURCE], "old");
  assert_string_equal (config->cloud[OSM_DESTINATION], "new");
  assert_string_equal (config->host[OSM_SOURCE].flavor, "tiny");
  assert_string_equal (config->host[OSM_DESTINATION].flavor, "big");
  assert_int_equal (osm_strv_len (config->host[OSM_SOURCE].dns_servers), 2);
  assert_int_equal (osm_strv_len (config->host[OSM_DESTINATION].dns_servers), 0);
  assert_null (config->host[OSM_SOURCE].network);
  assert_string_equal (config->host[OSM_DESTINATION].network, "net");
  assert_true (config->host[OSM_SOURCE].boot_from_volume);
  assert_int_equal (config->host[OSM_DESTINATION].max_attachments, 7);
}

/* "": the map says nothing. */
static void
assert_maps (const struct osm_config *config, const char *kind, const char *name, const char *id,
             const char *expected)
{
  OSM_CLEANUP_FREE char *target = osm_config_map (config, kind, name, id);

  assert_string_equal (target ? target : "", expected);
}

TEST (a_map_translates_and_leaves_the_rest)
{
  OSM_CLEANUP_CONFIG struct osm_config *config =
      load ("map:\n  flavors: {m1.small: c2.small}\n  networks:\n");

  assert_maps (config, "flavors", "m1.small", NULL, "c2.small");
  assert_maps (config, "flavors", "other", NULL, "");
  assert_maps (config, "networks", "m1.small", NULL, "");
  assert_true (json_is_object (json_object_get (config->map, "subnets")));
}

TEST (a_map_knows_names_then_ids_then_patterns_in_their_order)
{
  OSM_CLEANUP_CONFIG struct osm_config *config = load ("map:\n"
                                                       "  networks:\n"
                                                       "    'old-*': new-*\n"
                                                       "    old-b: special\n"
                                                       "    77f1: by-id\n"
                                                       "    '*-b': '*'\n"
                                                       "    '*.example': shared\n"
                                                       "    'a*a': '<*>'\n");

  assert_maps (config, "networks", "old-a", "77f1", "by-id");
  assert_maps (config, "networks", "old-b", "77f1", "special");
  assert_maps (config, "networks", "old-a", "77f2", "new-a");
  assert_maps (config, "networks", "old-", NULL, "new-");
  assert_maps (config, "networks", "x-b", NULL, "x");
  assert_maps (config, "networks", "my.example", NULL, "shared");
  assert_maps (config, "networks", "aa", NULL, "<>");
  assert_maps (config, "networks", "a", NULL, "");
  assert_maps (config, "networks", "", "77f1", "by-id");
  assert_maps (config, "networks", NULL, NULL, "");
  /* What stands in a name is no pattern. */
  assert_maps (config, "networks", "old-[x]?", NULL, "new-[x]?");
}

TEST (a_pattern_has_one_star)
{
  assert_refused ("map: {networks: {'a*b*': c}}\n",
                  ":1:18: map.networks.a*b*: a pattern has one '*', and its target at most one");
  assert_refused ("map: {networks: {'a*': 'b*c*'}}\n",
                  ":1:18: map.networks.a*: a pattern has one '*', and its target at most one");
}

TEST (an_unknown_key_is_named_with_its_place)
{
  struct osm_config *config = NULL;
  OSM_ERROR (err);

  assert_refused ("source: {cloud: a}\nconversion_hosts:\n  flavr: big\n",
                  ":3:3: conversion_hosts.flavr: unknown key");
  assert_int_equal (osm_config_load (path, &config, &err), -1);
  assert_string_equal (err.hint, "did you mean 'flavor'?");
  assert_refused ("suorce: {cloud: a}\n", ":1:1: suorce: unknown key");
  assert_refused ("source: {clod: a}\n", ":1:10: source.clod: unknown key");
  assert_refused ("conversion_hosts: {source: {nam: a}}\n",
                  ":1:29: conversion_hosts.source.nam: unknown key");
  assert_refused ("map: {flavours: {}}\n", ":1:7: map.flavours: unknown key");
}

TEST (a_value_of_the_wrong_kind_is_named_with_its_place)
{
  assert_refused ("conversion_hosts:\n  boot_from_volume: 1\n",
                  ":2:3: conversion_hosts.boot_from_volume: must be true or false");
  assert_refused ("conversion_hosts:\n  boot_volume_gb: 0\n",
                  ":2:3: conversion_hosts.boot_volume_gb: must be a whole number from 1 to 10000");
  assert_refused ("conversion_hosts:\n  boot_volume_gb: ten\n",
                  ":2:3: conversion_hosts.boot_volume_gb: must be a whole number from 1 to 10000");
  assert_refused ("conversion_hosts:\n  flavor: 1\n",
                  ":2:3: conversion_hosts.flavor: must be a string: put it in quotes");
  assert_refused ("conversion_hosts:\n  flavor: [a]\n",
                  ":2:3: conversion_hosts.flavor: must be a string");
  assert_refused ("conversion_hosts:\n  flavor: ''\n",
                  ":2:3: conversion_hosts.flavor: must not be empty");
  assert_refused ("conversion_hosts:\n  flavor: \"a\\e[31m\"\n",
                  ":2:3: conversion_hosts.flavor: has a control character");
  assert_refused ("conversion_hosts:\n  agent_install: ftp\n",
                  ":2:3: conversion_hosts.agent_install: must be image or upload");
  assert_refused ("conversion_hosts:\n  dns_servers: 9.9.9.9\n",
                  ":2:3: conversion_hosts.dns_servers: must be a list: [ ... ]");
  assert_refused ("conversion_hosts:\n  dns_servers: [nine]\n",
                  ":2:3: conversion_hosts.dns_servers: must be a list of IP addresses");
  assert_refused ("conversion_hosts:\n  allow_ssh_from: [10.0.0.0/33]\n",
                  ":2:3: conversion_hosts.allow_ssh_from: must be a list of CIDRs, IP addresses or "
                  "auto");
  assert_refused ("conversion_hosts:\n  allow_ssh_from: []\n",
                  ":2:3: conversion_hosts.allow_ssh_from: must name at least one address, or auto");
  assert_refused ("conversion_hosts:\n  subnet_cidr: 10.0.0.0\n",
                  ":2:3: conversion_hosts.subnet_cidr: must be an address with a prefix length, "
                  "such as 192.168.199.0/24");
  assert_refused ("conversion_hosts:\n  floating_ip: maybe\n",
                  ":2:3: conversion_hosts.floating_ip: must be new, none, or an IP address");
  assert_refused ("conversion_hosts:\n  name: ../x\n",
                  ":2:3: conversion_hosts.name: must be at most 40 letters, digits, dots, dashes "
                  "or underscores, and start with a letter or digit");
  assert_refused ("state_dir: state\n",
                  ":1:1: state_dir: must be an absolute path (~/ is your home)");
  assert_refused ("map: {flavors: {a: 1}}\n",
                  ":1:17: map.flavors.a: must be a string: put it in quotes");
}

TEST (a_section_without_keys_of_its_own_is_refused)
{
  assert_refused ("conversion_hosts: yes please\n",
                  ":1:1: conversion_hosts: must have keys of its own");
  assert_refused ("source: src\n", ":1:1: source: must have keys of its own");
  assert_refused ("- a\n", ":1:1: must consist of keys and values");
}

TEST (a_value_is_at_most_255_bytes_long)
{
  char text[400];
  OSM_CLEANUP_CONFIG struct osm_config *config = NULL;

  snprintf (text, sizeof text, "conversion_hosts: {flavor: %0255d}\n", 0);
  memcpy (strstr (text, "000"), "x", 1);
  config = load (text);
  snprintf (text, sizeof text, "conversion_hosts: {flavor: %0256d}\n", 0);
  memcpy (strstr (text, "000"), "x", 1);
  assert_refused (text, ":1:20: conversion_hosts.flavor: is longer than 255 bytes");
}

TEST (broken_yaml_is_named_with_its_place)
{
  struct osm_config *config = NULL;
  OSM_ERROR (err);

  write_to (path, "source: {cloud: a\nx: [\n");
  assert_int_equal (osm_config_load (path, &config, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "osm.yaml:2:");
}

TEST (a_file_that_was_named_must_exist)
{
  struct osm_config *config = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_config_load ("/nonexistent/osm.yaml", &config, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "/nonexistent/osm.yaml: No such file");
  setenv ("OSM_CONFIG", "/nonexistent/env.yaml", 1);
  assert_int_equal (osm_config_load (NULL, &config, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "/nonexistent/env.yaml: No such file");
}

TEST (files_are_looked_for_in_order)
{
  OSM_CLEANUP_FREE char *xdg = osm_asprintf ("%s/xdg", folder);
  OSM_CLEANUP_FREE char *first = osm_asprintf ("%s/osm/osm.yaml", xdg);
  OSM_CLEANUP_FREE char *first_folder = osm_asprintf ("%s/osm", xdg);
  OSM_CLEANUP_FREE char *second = osm_asprintf ("%s/.config/osm/osm.yaml", folder);
  OSM_CLEANUP_FREE char *second_folder = osm_asprintf ("%s/.config/osm", folder);
  OSM_CLEANUP_CONFIG struct osm_config *a = NULL;
  OSM_CLEANUP_CONFIG struct osm_config *b = NULL;
  OSM_CLEANUP_CONFIG struct osm_config *c = NULL;
  OSM_CLEANUP_CONFIG struct osm_config *d = NULL;
  OSM_ERROR (err);

  osm_mkdir_p (first_folder, 0700, &err);
  osm_mkdir_p (second_folder, 0700, &err);
  write_to (path, "source: {cloud: from-env}\n");
  write_to (first, "source: {cloud: from-xdg}\n");
  write_to (second, "source: {cloud: from-home}\n");

  osm_config_load (NULL, &a, &err);
  assert_no_error (&err);
  assert_string_equal (a->cloud[OSM_SOURCE], "from-home");
  setenv ("XDG_CONFIG_HOME", "relative", 1);
  osm_config_load (NULL, &b, &err);
  assert_no_error (&err);
  assert_string_equal (b->cloud[OSM_SOURCE], "from-home");
  setenv ("XDG_CONFIG_HOME", xdg, 1);
  osm_config_load (NULL, &c, &err);
  assert_no_error (&err);
  assert_string_equal (c->cloud[OSM_SOURCE], "from-xdg");
  setenv ("OSM_CONFIG", path, 1);
  osm_config_load (NULL, &d, &err);
  assert_no_error (&err);
  assert_string_equal (d->cloud[OSM_SOURCE], "from-env");
}

TEST (the_state_folder_is_absolute)
{
  OSM_CLEANUP_FREE char *expected = osm_asprintf ("%s/s/osm", folder);
  OSM_CLEANUP_CONFIG struct osm_config *given = load ("state_dir: /a/b\n");
  OSM_CLEANUP_CONFIG struct osm_config *home = load ("state_dir: ~/s/osm\n");
  OSM_CLEANUP_CONFIG struct osm_config *fallback = load ("");
  OSM_CLEANUP_CONFIG struct osm_config *xdg = NULL;

  assert_string_equal (given->state_dir, "/a/b");
  assert_string_equal (home->state_dir, expected);
  if (geteuid () == 0)
    assert_string_equal (fallback->state_dir, "/var/lib/osm-controller");
  else
    assert_true (osm_str_ends_with (fallback->state_dir, "/.local/state/osm"));
  setenv ("XDG_STATE_HOME", "/xdg", 1);
  xdg = load ("");
  assert_string_equal (xdg->state_dir, "/xdg/osm");
}

#define config_test(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

TEST (limits_have_a_rate_and_windows)
{
  OSM_CLEANUP_CONFIG struct osm_config *config =
      load ("limits:\n"
            "  rate: 50M\n"
            "  windows:\n"
            "    - { days: mon-fri, from: \"08:00\", to: \"18:00\", rate: 10M }\n"
            "    - { from: 22:00, to: 06:00, rate: unlimited }\n");

  assert_int_equal (config->limits.bytes_per_second, 50 << 20);
  assert_int_equal (config->limits.nr_windows, 2);
  assert_int_equal (config->limits.windows[0].days, 0x3e);
  assert_int_equal (config->limits.windows[0].bytes_per_second, 10 << 20);
  assert_int_equal (config->limits.windows[1].days, 0x7f);
  assert_int_equal (config->limits.windows[1].from_minute, 22 * 60);
}

TEST (bad_limits_are_refused)
{
  assert_refused ("limits: { rat: 1M }\n", ":1:11: limits.rat: unknown key");
  assert_refused ("limits: { rate: fast }\n", ":1:11: limits.rate: rate 'fast' is not a rate");
  assert_refused ("limits: { windows: 5 }\n",
                  ":1:11: limits.windows: must be a list of at most 64");
  assert_refused ("limits: { windows: [{ from: '08:00', rate: 1M }] }\n",
                  ":1:21: limits.windows: to: is missing");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown (limits_have_a_rate_and_windows, setup, teardown),
    cmocka_unit_test_setup_teardown (bad_limits_are_refused, setup, teardown),
    config_test (an_empty_file_gives_the_defaults),
    config_test (a_side_has_its_own_values_over_the_common_ones),
    config_test (a_map_translates_and_leaves_the_rest),
    config_test (a_map_knows_names_then_ids_then_patterns_in_their_order),
    config_test (a_pattern_has_one_star),
    config_test (an_unknown_key_is_named_with_its_place),
    config_test (a_value_of_the_wrong_kind_is_named_with_its_place),
    config_test (a_section_without_keys_of_its_own_is_refused),
    config_test (a_value_is_at_most_255_bytes_long),
    config_test (broken_yaml_is_named_with_its_place),
    config_test (a_file_that_was_named_must_exist),
    config_test (files_are_looked_for_in_order),
    config_test (the_state_folder_is_absolute),
  };

  return cmocka_run_group_tests_name ("controller/config", tests, NULL, NULL);
}
