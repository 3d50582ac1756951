/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <errno.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/sshcarrier.h"

static struct osm_carrier_options
options (void)
{
  return (struct osm_carrier_options){ .address = "192.0.2.7",
                                       .user = "osm-carrier",
                                       .private_key_path = "/state/key",
                                       .listen_port = 20480,
                                       .to_address = "127.0.0.1",
                                       .to_port = 22,
                                       .known_hosts_path = "/state/known hosts" };
}

static char *
command_line (const struct osm_carrier_options *o)
{
  OSM_CLEANUP_STRV char **argv = NULL;
  OSM_ERROR (err);

  assert_int_equal (osm_carrier_argv (o, &argv, &err), 0);
  return osm_strv_join (argv, " ");
}

TEST (one_forward_and_pinned_keys)
{
  struct osm_carrier_options o = options ();
  OSM_CLEANUP_FREE char *line = command_line (&o);

  assert_non_null (strstr (line, "ssh -N -T -F none -i /state/key "));
  assert_non_null (strstr (line, " -R 127.0.0.1:20480:127.0.0.1:22 "));
  assert_non_null (strstr (line, "StrictHostKeyChecking=yes"));
  assert_non_null (strstr (line, "UserKnownHostsFile=\"/state/known hosts\""));
  assert_non_null (strstr (line, "ExitOnForwardFailure=yes"));
  assert_true (osm_str_ends_with (
      line, " -p 22 -R 127.0.0.1:20480:127.0.0.1:22 -l osm-carrier -- 192.0.2.7"));
}

TEST (addresses_of_the_sixth_version)
{
  struct osm_carrier_options o = options ();
  OSM_CLEANUP_FREE char *line = NULL;

  o.address = "2001:db8::1";
  o.to_address = "2001:db8::2";
  o.port = 2222;
  line = command_line (&o);
  assert_true (osm_str_ends_with (
      line, " -p 2222 -R 127.0.0.1:20480:[2001:db8::2]:22 -l osm-carrier -- 2001:db8::1"));
}

TEST (the_cipher_that_was_chosen_comes_first)
{
  struct osm_carrier_options o = options ();
  OSM_CLEANUP_FREE char *aes = NULL, *chacha = NULL;

  o.cipher = OSM_SSH_CIPHER_AES_GCM;
  aes = command_line (&o);
  assert_non_null (strstr (aes, "Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20"));
  o.cipher = OSM_SSH_CIPHER_CHACHA20;
  chacha = command_line (&o);
  assert_non_null (strstr (chacha, "Ciphers=chacha20-poly1305@openssh.com,aes128"));
}

TEST (tokens_of_file_names_mean_themselves)
{
  struct osm_carrier_options o = options ();
  OSM_CLEANUP_FREE char *line = NULL;

  o.private_key_path = "/state/100%h";
  line = command_line (&o);
  assert_non_null (strstr (line, " -i /state/100%%h "));
}

TEST (what_ssh_would_misunderstand_is_refused)
{
  static const char *const addresses[] = {
    "", "-oProxyCommand=id", "a b", "a;b", "user@host", NULL
  };
  static const char *const files[] = { "relative", "/a\"b", "/a\\b", "/${HOME}", "/a\nb" };

  for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
    struct osm_carrier_options o = options (), p = options ();
    OSM_CLEANUP_STRV char **argv = NULL;
    OSM_ERROR (err);

    o.address = addresses[i];
    assert_int_equal (osm_carrier_argv (&o, &argv, &err), -1);
    assert_error (&err, OSM_ERROR_USER, "is no address");
    p.to_address = addresses[i];
    osm_error_clear (&err);
    assert_int_equal (osm_carrier_argv (&p, &argv, &err), -1);
  }
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
    struct osm_carrier_options o = options ();
    OSM_CLEANUP_STRV char **argv = NULL;
    OSM_ERROR (err);

    o.known_hosts_path = files[i];
    assert_int_equal (osm_carrier_argv (&o, &argv, &err), -1);
    assert_error (&err, OSM_ERROR_USER, "cannot be told the file name");
  }
}

static void
assert_means (const char *said, enum osm_error_class class, int code, const char *text)
{
  OSM_ERROR (err);

  osm_carrier_error ("192.0.2.7", said, "exited with status 255", &err);
  assert_int_equal (err.class, class);
  assert_int_equal (err.code, code);
  assert_non_null (strstr (err.message, text));
}

TEST (last_words)
{
  assert_means ("@@@@@@\r\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\n\r\n"
                "Host key verification failed.\r\n",
                OSM_ERROR_USER, 0, "another host key answers");
  assert_means ("osm-carrier@192.0.2.7: Permission denied (publickey).\r\n", OSM_ERROR_USER, EACCES,
                "ssh to 192.0.2.7: osm-carrier@192.0.2.7: Permission denied (publickey).");
  assert_means ("a warning\nssh: connect to host 192.0.2.7 port 22: Connection timed out\n",
                OSM_ERROR_RETRY, 0, "ssh to 192.0.2.7: ssh: connect to host");
  assert_means ("", OSM_ERROR_RETRY, 0, "ssh to 192.0.2.7: exited with status 255");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (one_forward_and_pinned_keys),
    cmocka_unit_test (addresses_of_the_sixth_version),
    cmocka_unit_test (the_cipher_that_was_chosen_comes_first),
    cmocka_unit_test (tokens_of_file_names_mean_themselves),
    cmocka_unit_test (what_ssh_would_misunderstand_is_refused),
    cmocka_unit_test (last_words),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
