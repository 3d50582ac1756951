/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/strbuf.h"
#include "nbd/sshknown.h"

/* Keys of no machine. */
#define ONE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBZvOB+vzRiFC6CnmJhKK9ev00S6mP6y5E7qZpPjPTUk"
#define TWO "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIECMd5YUtYCpCck7BK5t+L+0ybfO+15yi7moVy+OU8rK"
/* hidden.example and [hidden.example]:2222, as ssh-keygen -H writes them */
#define HIDDEN "|1|8Gof04rtLGMevHguh37pfnj3qLA=|bbht6o9zSmzK86Bkhit5VoKysV0="
#define HIDDEN_2222 "|1|xSXy+15KQoaS276314lzsJvmGqo=|O5PQNyN1S+H4mHcDCEsV0PwsYb0="

static void
assert_keys (const char *text, const char *host, uint16_t port, const char *expected)
{
  char path[] = "/tmp/osm-known-XXXXXX";
  OSM_CLEANUP_FD int fd = mkstemp (path);
  OSM_CLEANUP_STRV char **keys = NULL;
  OSM_CLEANUP_FREE char *joined = NULL;
  OSM_ERROR (err);

  assert_true (fd >= 0);
  assert_int_equal (osm_write_full (fd, text, strlen (text), &err), 0);
  assert_int_equal (osm_known_host_keys (path, host, port, &keys, &err), 0);
  unlink (path);
  joined = keys ? osm_strv_join (keys, ",") : osm_strdup ("");
  assert_string_equal (joined, expected);
}

TEST (names_and_addresses)
{
  static const char text[] =
      "# comment\n\nplain.example,192.0.2.7 " ONE " note\nother.example " TWO;

  assert_keys (text, "plain.example", 0, ONE);
  assert_keys (text, "192.0.2.7", 22, ONE);
  assert_keys (text, "other.example", 0, TWO);
  assert_keys (text, "plain.exampl", 0, "");
  assert_keys (text, "192.0.2.70", 0, "");
}

TEST (all_keys_of_a_host_once)
{
  assert_keys ("a " ONE "\na " TWO "\na " ONE "\n", "a", 0, ONE "," TWO);
}

TEST (another_port_is_another_host)
{
  static const char text[] = "a " ONE "\n[a]:2222 " TWO "\n[::1]:2222 " ONE "\n";

  assert_keys (text, "a", 22, ONE);
  assert_keys (text, "a", 2222, TWO);
  assert_keys (text, "a", 2223, "");
  assert_keys (text, "::1", 2222, ONE);
}

TEST (hashed_names)
{
  static const char text[] = HIDDEN " " ONE "\n" HIDDEN_2222 " " TWO "\n";

  assert_keys (text, "hidden.example", 0, ONE);
  assert_keys (text, "hidden.example", 2222, TWO);
  assert_keys (text, "other.example", 0, "");
}

TEST (patterns)
{
  assert_keys ("*.example,!bad.example " ONE "\n", "good.example", 0, ONE);
  assert_keys ("*.example,!bad.example " ONE "\n", "bad.example", 0, "");
}

TEST (markers)
{
  assert_keys ("@cert-authority a " ONE "\n", "a", 0, "");
  assert_keys ("a " ONE "\n@revoked a " ONE "\na " TWO "\n", "a", 0, TWO);
}

TEST (rubbish)
{
  assert_keys ("a\na ssh-ed25519\na ssh-ed25519 !!!\n|1|x|y " ONE "\na what " ONE "\na " TWO "\n",
               "a", 0, TWO);
}

TEST (no_file_no_keys)
{
  char **keys = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_known_host_keys ("/nonexistent/known_hosts", "a", 0, &keys, &err), 0);
  assert_null (keys);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (names_and_addresses),
    cmocka_unit_test (all_keys_of_a_host_once),
    cmocka_unit_test (another_port_is_another_host),
    cmocka_unit_test (hashed_names),
    cmocka_unit_test (patterns),
    cmocka_unit_test (markers),
    cmocka_unit_test (rubbish),
    cmocka_unit_test (no_file_no_keys),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
