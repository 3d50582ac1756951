/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-agent.h"

#include "agent/peers.h"
#include "common/json.h"

/* Keys of no machine. */
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIaepe1tKYBZoE3YJMenfz/mspzetlXrVTS13zzqMBmm"
#define OTHER                                                                             \
  "ecdsa-sha2-nistp256 "                                                                  \
  "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKg/JVt5mvkIu4XXLO52EWtgbdfdXwFLY" \
  "6Gv83fEr6qgyWoEiGggj4TPoGdEL0dME+qMDSastoRmYNTt66TAYUw="

static void
assert_keys (const char *user, const char *expected)
{
  OSM_CLEANUP_FREE char *lines = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_authorized_keys (user, &lines, &err), 0);
  assert_string_equal (lines, expected);
}

TEST (nobody_at_first)
{
  assert_keys ("osm", "");
  assert_keys ("osm-peer", "");
  assert_keys ("root", "");
  assert_keys ("", "");
}

TEST (controllers_get_the_gateway)
{
  agent_file ("etc/controller_keys", "# comment\n\n" KEY " somebody@somewhere\n" OTHER "\n");
  assert_keys ("osm", "restrict,command=\"" OSM_BINDIR "/osm-agent gateway\" " KEY "\n"
                      "restrict,command=\"" OSM_BINDIR "/osm-agent gateway\" " OTHER "\n");
  assert_keys ("osm-peer", "");
}

TEST (lines_that_are_not_one_plain_key_open_nothing)
{
  agent_file ("etc/controller_keys", "command=\"/bin/sh\" " KEY "\n"
                                     "port-forwarding " KEY "\n"
                                     "@cert-authority " KEY "\n"
                                     "ssh-ed25519\n"
                                     "ssh-ed25519 AAAA\n"
                                     "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIaepe1tKYBZoE3YJMenfz\n"
                                     "ssh-dss AAAAB3NzaC1kc3MAAACBAO\n");
  assert_keys ("osm", "");
}

static int
authorize (const char *id, const char *key, const char *from)
{
  OSM_ERROR (err);

  return osm_peer_authorize (id, key, from, NULL, &err);
}

TEST (a_peer_without_exports_reaches_nothing)
{
  assert_int_equal (authorize ("peer-1", KEY " comment", NULL), 0);
  assert_keys ("osm-peer", "restrict,port-forwarding,permitopen=\"[/none]:*\" " KEY " peer-1\n");
  assert_keys ("osm", "");
}

TEST (a_peer_reaches_the_exports)
{
  assert_int_equal (authorize ("peer-1", KEY, NULL), 0);
  agent_file ("state/exports.json", "[{\"id\":\"a\",\"test_bytes\":1},{\"id\":\"b-2\"}]");
  assert_keys ("osm-peer", "restrict,port-forwarding,permitopen=\"[/exports/a]:*\","
                           "permitopen=\"[/exports/a.zst]:*\","
                           "permitopen=\"[/exports/b-2]:*\","
                           "permitopen=\"[/exports/b-2.zst]:*\" " KEY " peer-1\n");
}

TEST (from_is_passed_on)
{
  assert_int_equal (authorize ("p", KEY, "192.0.2.7,2001:db8::/32"), 0);
  assert_keys ("osm-peer", "restrict,port-forwarding,permitopen=\"[/none]:*\","
                           "from=\"192.0.2.7,2001:db8::/32\" " KEY " p\n");
}

static uint16_t
listens (const char *id, const char *key, const char *from)
{
  uint16_t port = 0;
  OSM_ERROR (err);

  assert_int_equal (osm_peer_authorize (id, key, from, &port, &err), 0);
  return port;
}

TEST (a_carrier_opens_its_port_and_reaches_nothing)
{
  assert_int_equal (listens ("c", KEY, "192.0.2.7"), 20480);
  assert_int_equal (listens ("c", KEY, "192.0.2.7"), 20480);
  assert_keys ("osm-peer", "");
  assert_keys ("osm-carrier", "restrict,port-forwarding,permitopen=\"[/none]:*\","
                              "permitlisten=\"127.0.0.1:20480\",from=\"192.0.2.7\" " KEY " c\n");
}

/* sshd takes the first line of a key. */
TEST (all_ports_of_a_key_are_in_each_of_its_lines)
{
  assert_int_equal (listens ("a", KEY, NULL), 20480);
  assert_int_equal (listens ("b", KEY, NULL), 20481);
  assert_int_equal (listens ("c", OTHER, NULL), 20482);
  assert_int_equal (listens ("d", KEY, "192.0.2.7"), 20483);
  assert_keys ("osm-carrier",
               "restrict,port-forwarding,permitopen=\"[/none]:*\",permitlisten=\"127.0.0.1:20480\","
               "permitlisten=\"127.0.0.1:20481\" " KEY " a\n"
               "restrict,port-forwarding,permitopen=\"[/none]:*\",permitlisten=\"127.0.0.1:20480\","
               "permitlisten=\"127.0.0.1:20481\" " KEY " b\n"
               "restrict,port-forwarding,permitopen=\"[/none]:*\","
               "permitlisten=\"127.0.0.1:20482\" " OTHER " c\n"
               "restrict,port-forwarding,permitopen=\"[/none]:*\","
               "permitlisten=\"127.0.0.1:20483\",from=\"192.0.2.7\" " KEY " d\n");
}

TEST (odd_ports_open_nothing)
{
  agent_file ("state/peers.json", "{\"a\": {\"public_key\": \"" KEY "\", \"port\": 22},"
                                  " \"b\": {\"public_key\": \"" KEY "\", \"port\": \"20480\"},"
                                  " \"c\": {\"public_key\": \"" KEY "\", \"port\": 99999}}");
  assert_keys ("osm-carrier", "");
  assert_keys ("osm-peer", "");
}

TEST (a_key_is_one_key)
{
  static const char *const bad[] = { "",
                                     KEY "\n" KEY,
                                     "\n" KEY,
                                     KEY "\r\n",
                                     "command=\"id\" " KEY,
                                     "ssh-ed25519\nAAAA",
                                     "none",
                                     "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (authorize ("p", bad[i], NULL) == 0)
      fail_msg ("%s", bad[i]);
  assert_keys ("osm-peer", "");
}

TEST (from_ends_no_quotes)
{
  static const char *const bad[] = { "",          "\"",        "1.2.3.4\" ssh-ed25519",
                                     "1.2.3.4\n", "host.name", " 1.2.3.4" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    if (authorize ("p", KEY, bad[i]) == 0)
      fail_msg ("%s", bad[i]);
  assert_keys ("osm-peer", "");
}

/* Whoever can write there is osm already; a slip of the pen must not open more than was meant. */
TEST (what_is_odd_in_the_files_is_left_out)
{
  agent_file ("state/peers.json",
              "{\"a b\": {\"public_key\": \"" KEY "\"},"
              " \"x\": {\"public_key\": \"command=\\\"id\\\" " KEY "\"},"
              " \"y\": {\"public_key\": \"" KEY "\", \"from\": \"1.2.3.4\\\"\"},"
              " \"z\": {}, \"v\": 1,"
              " \"w\": {\"public_key\": \"" KEY "\"}}");
  agent_file ("state/exports.json", "[{\"id\":\"../x\"},{\"id\":\"a\\\"b\"},{},5,{\"id\":7}]");
  assert_keys ("osm-peer", "restrict,port-forwarding,permitopen=\"[/none]:*\" " KEY " w\n");
}

TEST (damaged_files_open_nothing)
{
  OSM_CLEANUP_FREE char *lines = NULL;
  OSM_ERROR (err);

  agent_file ("state/peers.json", "[1]");
  assert_int_equal (osm_authorized_keys ("osm-peer", &lines, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "is damaged");
  agent_file ("state/peers.json", "{\"a\": ");
  assert_int_equal (osm_authorized_keys ("osm-peer", &lines, &err), -1);
  osm_error_clear (&err);
  assert_null (lines);
}

TEST (authorize_is_idempotent_and_revoke_ends_it)
{
  OSM_CLEANUP_JSON json_t *peers = NULL;
  OSM_ERROR (err);

  assert_int_equal (authorize ("p", KEY, NULL), 0);
  assert_int_equal (authorize ("p", KEY " again", NULL), 0);
  assert_int_equal (authorize ("q", OTHER, NULL), 0);
  assert_int_equal (osm_peer_revoke ("p", &err), 0);
  assert_int_equal (osm_peer_revoke ("p", &err), 0);
  assert_int_equal (osm_peer_list (&peers, &err), 0);
  assert_int_equal (json_array_size (peers), 1);
  assert_string_equal (osm_json_str (json_array_get (peers, 0), "id"), "q");
}

TEST (there_is_an_end_to_peers)
{
  OSM_ERROR (err);

  for (int i = 0; i < 64; i++) {
    OSM_CLEANUP_FREE char *id = osm_asprintf ("p%d", i);

    assert_int_equal (authorize (id, KEY, NULL), 0);
  }
  assert_int_equal (osm_peer_authorize ("one-more", KEY, NULL, NULL, &err), -1);
  assert_error (&err, OSM_ERROR_USER, "64 peers already");
  assert_int_equal (authorize ("p3", OTHER, NULL), 0);
}

TEST (the_key_of_this_host_stays_the_same)
{
  OSM_CLEANUP_FREE char *first = NULL, *second = NULL, *path = agent_path ("state/peer_key");
  struct stat st;
  OSM_ERROR (err);

  assert_int_equal (osm_peer_key (&first, &err), 0);
  assert_int_equal (osm_peer_key (&second, &err), 0);
  assert_string_equal (first, second);
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0600);
}

#define AGENT_TEST(f) cmocka_unit_test_setup_teardown (f, agent_setup, agent_teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    AGENT_TEST (nobody_at_first),
    AGENT_TEST (controllers_get_the_gateway),
    AGENT_TEST (lines_that_are_not_one_plain_key_open_nothing),
    AGENT_TEST (a_peer_without_exports_reaches_nothing),
    AGENT_TEST (a_peer_reaches_the_exports),
    AGENT_TEST (from_is_passed_on),
    AGENT_TEST (a_carrier_opens_its_port_and_reaches_nothing),
    AGENT_TEST (all_ports_of_a_key_are_in_each_of_its_lines),
    AGENT_TEST (odd_ports_open_nothing),
    AGENT_TEST (a_key_is_one_key),
    AGENT_TEST (from_ends_no_quotes),
    AGENT_TEST (what_is_odd_in_the_files_is_left_out),
    AGENT_TEST (damaged_files_open_nothing),
    AGENT_TEST (authorize_is_idempotent_and_revoke_ends_it),
    AGENT_TEST (there_is_an_end_to_peers),
    AGENT_TEST (the_key_of_this_host_stays_the_same),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
