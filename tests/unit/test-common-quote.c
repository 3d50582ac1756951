/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <jansson.h>
#include <stdlib.h>

#include "common/cleanup.h"
#include "common/quote.h"
#include "common/run.h"

#define assert_quoted(function, input, expected)      \
  do {                                                \
    OSM_CLEANUP_FREE char *quoted = function (input); \
    assert_string_equal (quoted, expected);           \
  } while (0)

TEST (shell_words_are_always_in_quotes)
{
  assert_quoted (osm_quote_shell, "", "''");
  assert_quoted (osm_quote_shell, "plain", "'plain'");
  assert_quoted (osm_quote_shell, "it's", "'it'\\''s'");
  assert_quoted (osm_quote_shell, "$(reboot)`x`\\", "'$(reboot)`x`\\'");
}

TEST (the_shell_reads_back_what_was_quoted)
{
  const char *hostile = "a'b\"c$HOME`id`\\ \n\t*?[]{}~#;&|<>()!%\xc3\xa4";
  OSM_CLEANUP_FREE char *quoted = osm_quote_shell (hostile);
  OSM_CLEANUP_FREE char *command = NULL;
  OSM_CLEANUP_FREE char *out = NULL;
  OSM_ERROR (err);

  assert_true (asprintf (&command, "printf %%s %s", quoted) > 0);
  osm_run_capture ((char *[]){ (char *)"sh", (char *)"-c", command, NULL }, 4096, &out, &err);
  assert_no_error (&err);
  assert_string_equal (out, hostile);
}

TEST (yaml_escapes_what_would_end_or_hide)
{
  assert_quoted (osm_quote_yaml, "", "\"\"");
  assert_quoted (osm_quote_yaml, "a\"b\\c", "\"a\\\"b\\\\c\"");
  assert_quoted (osm_quote_yaml, "a\nb\tc\r", "\"a\\nb\\tc\\r\"");
  assert_quoted (osm_quote_yaml, "\x01\x1b\x7f", "\"\\u0001\\u001b\\u007f\"");
  assert_quoted (osm_quote_yaml, "\xc2\x85", "\"\\u0085\"");
  assert_quoted (osm_quote_yaml, "\xe2\x80\xa8", "\"\\u2028\"");
  assert_quoted (osm_quote_yaml, "\xc3\xa4 \xf0\x9f\x98\x80", "\"\xc3\xa4 \xf0\x9f\x98\x80\"");
}

TEST (yaml_replaces_invalid_utf8)
{
  assert_quoted (osm_quote_yaml, "\xff", "\"\xef\xbf\xbd\"");
  /* Overlong, surrogate, beyond Unicode, cut off. */
  assert_quoted (osm_quote_yaml, "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  assert_quoted (osm_quote_yaml, "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  assert_quoted (osm_quote_yaml, "\xf4\x90\x80\x80",
                 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
  assert_quoted (osm_quote_yaml, "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST (a_yaml_scalar_is_a_json_string)
{
  char all[256];
  OSM_CLEANUP_FREE char *quoted = NULL;
  OSM_CLEANUP_JSON json_t *value = NULL;

  for (int i = 1; i < 256; i++)
    all[i - 1] = (char)i;
  all[255] = '\0';
  quoted = osm_quote_yaml (all);
  value = json_loads (quoted, JSON_DECODE_ANY, NULL);
  assert_true (json_is_string (value));
  assert_memory_equal (json_string_value (value), all, 0x7f);
}

TEST (urls_keep_only_unreserved_characters)
{
  assert_quoted (osm_quote_url, "", "");
  assert_quoted (osm_quote_url, "aZ09-._~", "aZ09-._~");
  assert_quoted (osm_quote_url, "a/b?c=d&e#f%", "a%2Fb%3Fc%3Dd%26e%23f%25");
  assert_quoted (osm_quote_url, " \n\xc3\xa4\xff", "%20%0A%C3%A4%FF");
}

TEST (terminals_get_no_control_characters)
{
  assert_quoted (osm_quote_terminal, "plain \xc3\xa4", "plain \xc3\xa4");
  assert_quoted (osm_quote_terminal, "a\nb\r\x1b[31m", "a\\x0ab\\x0d\\x1b[31m");
  /* CSI as one C1 character, right-to-left override, DEL. */
  assert_quoted (osm_quote_terminal, "\xc2\x9b", "\\xc2\\x9b");
  assert_quoted (osm_quote_terminal, "\xe2\x80\xae", "\\xe2\\x80\\xae");
  assert_quoted (osm_quote_terminal, "\x7f", "\\x7f");
}

TEST (terminals_get_no_invalid_utf8)
{
  assert_quoted (osm_quote_terminal, "\xff\xc3", "\\xff\\xc3");
  assert_quoted (osm_quote_terminal, "\xf0\x9f\x98", "\\xf0\\x9f\\x98");
}

TEST (json_for_a_terminal_is_the_same_value)
{
  OSM_CLEANUP_FREE char *q =
      osm_quote_json ("{\"a\": \"\x7f \xc2\x9b \xe2\x80\xae \xc3\xbc \xf0\x9f\x90\x9f \\n\"}\n");

  assert_string_equal (q, "{\"a\": \"\\u007f \\u009b \\u202e \xc3\xbc \xf0\x9f\x90\x9f \\n\"}\n");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (json_for_a_terminal_is_the_same_value),
    cmocka_unit_test (shell_words_are_always_in_quotes),
    cmocka_unit_test (the_shell_reads_back_what_was_quoted),
    cmocka_unit_test (yaml_escapes_what_would_end_or_hide),
    cmocka_unit_test (yaml_replaces_invalid_utf8),
    cmocka_unit_test (a_yaml_scalar_is_a_json_string),
    cmocka_unit_test (urls_keep_only_unreserved_characters),
    cmocka_unit_test (terminals_get_no_control_characters),
    cmocka_unit_test (terminals_get_no_invalid_utf8),
  };

  return cmocka_run_group_tests_name ("common/quote", tests, NULL, NULL);
}
