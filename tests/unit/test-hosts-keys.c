/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"
#include "nbd/sshkey.h"

#define BEGIN "-----BEGIN SSH HOST KEY KEYS-----\n"
#define END "-----END SSH HOST KEY KEYS-----\n"

static char *key[3]; /* "ssh-ed25519 AAAA..." */

static int
setup (void **state)
{
  char path[] = "/tmp/osm-test-key.XXXXXX";
  int fd = mkstemp (path);
  OSM_ERROR (err);

  (void)state;
  if (fd == -1)
    return -1;
  close (fd);
  for (size_t i = 0; i < 3; i++) {
    OSM_CLEANUP_FREE char *line = NULL;

    if (osm_sshkey_generate (path, "root@host", &line, &err) == -1 ||
        osm_sshkey_normalize (line, &key[i], &err) == -1)
      return -1;
  }
  return unlink (path);
}

static int
teardown (void **state)
{
  (void)state;
  for (size_t i = 0; i < 3; i++)
    free (key[i]);
  return 0;
}

/* The keys in a console log of that text, joined by commas; "" is a block without any. */
static void
parse (char *console, const char *expected)
{
  OSM_CLEANUP_FREE char *owned = console, *joined = NULL;
  OSM_CLEANUP_STRV char **keys = osm_host_keys_parse (console);

  if (!expected) {
    assert_null (keys);
    return;
  }
  assert_non_null (keys);
  joined = osm_strv_join (keys, ",");
  assert_string_equal (joined, expected);
}

TEST (keys_stand_between_two_lines)
{
  OSM_CLEANUP_FREE char *both = osm_asprintf ("%s,%s", key[0], key[1]);

  parse (osm_asprintf ("[    0.000000] Linux version 6.1\r\n" BEGIN "%s root@host\n%s\n" END
                       "login: ",
                       key[0], key[1]),
         both);
}

TEST (a_serial_console_ends_lines_with_two_characters)
{
  parse (osm_asprintf ("-----BEGIN SSH HOST KEY KEYS-----\r\n%s root@host\r\n"
                       "-----END SSH HOST KEY KEYS-----\r\n",
                       key[0]),
         key[0]);
}

TEST (a_log_without_the_block_has_no_keys)
{
  parse (osm_strdup (""), NULL);
  parse (osm_asprintf ("%s root@host\n", key[0]), NULL);
}

TEST (a_block_that_is_still_being_written_has_no_keys)
{
  parse (osm_asprintf (BEGIN "%s\n", key[0]), NULL);
  parse (osm_asprintf (BEGIN "%s\n-----END SSH HOST KEY", key[0]), NULL);
}

TEST (the_end_of_a_block_that_was_cut_off_is_none)
{
  parse (osm_asprintf ("%s\n" END, key[0]), NULL);
}

TEST (the_last_complete_block_counts)
{
  parse (osm_asprintf (BEGIN "%s\n" END "reboot\n" BEGIN "%s\n" END, key[0], key[1]), key[1]);
  parse (osm_asprintf (BEGIN "%s\n" END "reboot\n" BEGIN "%s\n", key[0], key[1]), key[0]);
  parse (osm_asprintf (BEGIN "%s\n" BEGIN "%s\n" END, key[0], key[1]), key[1]);
}

TEST (what_the_kernel_says_in_between_is_left_out)
{
  parse (osm_asprintf (BEGIN "[   12.3] e1000: link is up\n%s\n\nssh-ed25519 AAAAgarbage\n" END,
                       key[0]),
         key[0]);
}

TEST (a_key_that_the_kernel_wrote_into_is_no_key)
{
  parse (osm_asprintf (BEGIN "[   12.3] %s\n%.20s[ 12.4] foo%s\n" END, key[0], key[1], key[1] + 20),
         NULL);
}

TEST (terminal_escapes_do_not_get_into_a_key)
{
  parse (osm_asprintf (BEGIN "\x1b[0;32m%s\x1b[0m\n%s \x1b]0;title\x07\n" END, key[0], key[1]),
         key[1]);
}

TEST (lines_with_options_are_no_host_keys)
{
  parse (osm_asprintf (BEGIN "command=\"sh\" %s\n" END, key[0]), NULL);
}

TEST (a_log_may_hold_any_bytes)
{
  parse (osm_asprintf ("\xff\xfe\x01%s" BEGIN "\xc3\x28\n%s\n" END, "\xf0\x9f", key[0]), key[0]);
}

TEST (a_block_without_end_of_keys_is_limited)
{
  OSM_STRBUF (console);
  OSM_CLEANUP_STRV char **keys = NULL;

  osm_strbuf_add (&console, BEGIN);
  for (size_t i = 0; i < 1000; i++)
    osm_strbuf_addf (&console, "%s\n", key[i % 3]);
  osm_strbuf_add (&console, END);
  keys = osm_host_keys_parse (osm_strbuf_str (&console));
  assert_int_equal (osm_strv_len (keys), 16);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (keys_stand_between_two_lines),
    cmocka_unit_test (a_serial_console_ends_lines_with_two_characters),
    cmocka_unit_test (a_log_without_the_block_has_no_keys),
    cmocka_unit_test (a_block_that_is_still_being_written_has_no_keys),
    cmocka_unit_test (the_end_of_a_block_that_was_cut_off_is_none),
    cmocka_unit_test (the_last_complete_block_counts),
    cmocka_unit_test (what_the_kernel_says_in_between_is_left_out),
    cmocka_unit_test (a_key_that_the_kernel_wrote_into_is_no_key),
    cmocka_unit_test (terminal_escapes_do_not_get_into_a_key),
    cmocka_unit_test (lines_with_options_are_no_host_keys),
    cmocka_unit_test (a_log_may_hold_any_bytes),
    cmocka_unit_test (a_block_without_end_of_keys_is_limited),
  };

  return cmocka_run_group_tests_name ("controller/hosts/hostkeys", tests, setup, teardown);
}
