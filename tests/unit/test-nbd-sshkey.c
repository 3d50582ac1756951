/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/sshkey.h"

/* Keys of no machine, with what ssh-keygen -l says of them. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIaepe1tKYBZoE3YJMenfz/mspzetlXrVTS13zzqMBmm"
#define ED25519_PRINT "SHA256:u+gAR2S4jVgOcPwVeKL/zKAl8uP5EzoTsuJAtmhMDWM"
#define ECDSA                                                                             \
  "ecdsa-sha2-nistp256 "                                                                  \
  "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKg/JVt5mvkIu4XXLO52EWtgbdfdXwFLY" \
  "6Gv83fEr6qgyWoEiGggj4TPoGdEL0dME+qMDSastoRmYNTt66TAYUw="
#define ECDSA_PRINT "SHA256:7VS0Y01zxPDoxmaTzZpRtlgtfxaxkLyy+/m0hXsAP1M"
#define RSA                                                                                  \
  "ssh-rsa "                                                                                 \
  "AAAAB3NzaC1yc2EAAAADAQABAAABgQCo0nmV9vrAv4aA3Mcvyvh2tYUSqIxj/Xveck3SJFxCZiJbwwcVwlXeJ4hs" \
  "NKSvFEA/VzxiqEXyUwYzIV0uzy6YXhW2zEyZSzp0IN2Krlx0qasKS1W7+GjIm1Q3DWP73ETLjuF9n0PnN0H8LcCU" \
  "dlW24Wmldgrpd+p7GzODj2mHHSPDqaqRgqp15E1nfCoryH3abc0+MXTfCwmlwobdB5xGdYwHjddy0oq5SOtM2zEe" \
  "eKogJVv9BmeUmxV+fiwY10GFxBU/SgYuzMi1dzHVjmCL9Yai3gkaSb1ttAlQoyX9zOjTgbQb9/85tzUIyWdJflz6" \
  "ezqZ+NXSNwMXylGMaD/zLsNErlNhZlM8jYMz4Wy062aHPi7FY24DieQlkF5InLT77udvXrleoALWyQuZQg5KKgb+" \
  "P59Ys4GjG3ZRMi+gGnq+6ZDJkyTpLIUYl02P/zaBSVT/s8yIhri1Hq5Ur4gZVcHFVf+sSq+7kNPCYWVm4AFSp+BV" \
  "CbZ7n5217wknGVM="
#define RSA_PRINT "SHA256:XWScToWXnWktEwcV50hrlZQK7HqARThzPvryAYQUV2o"

static void
fingerprints_are_those_of_ssh_keygen (void **state)
{
  static const char *const keys[][2] = { { ED25519, ED25519_PRINT },
                                         { ECDSA " some comment", ECDSA_PRINT },
                                         { RSA, RSA_PRINT } };
  (void)state;

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    OSM_ERROR (err);
    OSM_CLEANUP_FREE char *text = NULL;

    assert_int_equal (osm_sshkey_fingerprint (keys[i][0], &text, &err), 0);
    assert_string_equal (text, keys[i][1]);
  }
}

static void
normalizing_drops_the_comment (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE char *line = NULL;
  OSM_CLEANUP_FREE char *type = NULL;
  OSM_CLEANUP_FREE char *base64 = NULL;
  (void)state;

  assert_int_equal (osm_sshkey_normalize (ED25519 " me@here  too", &line, &err), 0);
  assert_string_equal (line, ED25519);
  assert_int_equal (osm_sshkey_parse (ECDSA, &type, &base64, &err), 0);
  assert_string_equal (type, "ecdsa-sha2-nistp256");
  assert_string_equal (base64, strchr (ECDSA, ' ') + 1);
}

static void
comments_do_not_make_keys_differ (void **state)
{
  (void)state;
  assert_true (osm_sshkey_equal (ED25519, ED25519 " x"));
  assert_false (osm_sshkey_equal (ED25519, ECDSA));
  assert_false (osm_sshkey_equal ("", ""));
}

static void
what_is_no_key_is_refused (void **state)
{
  static const char *const wrong[] = {
    "",
    "ssh-ed25519",
    "ssh-ed25519 ",
    "ssh-ed25519 AAAA",
    "ssh-ed25519 !!!!",
    "ssh-dss AAAAB3NzaC1kc3MAAACBAP==",
    "command=\"x\" " ED25519,
    "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIIaepe1tKYBZoE3YJMenfz/mspzetlXrVTS13zzqMBmm",
    ED25519 "\n" ED25519,
    "# comment"
  };
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_STRBUF (b);
  (void)state;

  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    OSM_ERROR (err);

    assert_int_equal (osm_sshkey_normalize (wrong[i], &text, &err), -1);
    assert_int_equal (err.class, OSM_ERROR_USER);
  }
  osm_strbuf_add (&b, ED25519 " ");
  while (b.len <= OSM_SSHKEY_LINE_MAX)
    osm_strbuf_add (&b, "long comment ");
  {
    OSM_ERROR (err);
    assert_int_equal (osm_sshkey_normalize (osm_strbuf_str (&b), &text, &err), -1);
  }
}

static void
a_new_pair_is_one_that_openssh_reads (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE char *line = NULL;
  OSM_CLEANUP_FREE char *again = NULL;
  OSM_CLEANUP_FREE char *openssh = NULL;
  char folder[] = "/tmp/osm-test-XXXXXX";
  char path[64];
  char *argv[] = { (char *)"ssh-keygen", (char *)"-y", (char *)"-f", path, NULL };
  struct stat st;
  (void)state;

  assert_non_null (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/key", folder);
  assert_int_equal (osm_sshkey_ensure (path, "the comment", &line, &err), 0);
  assert_true (osm_str_starts_with (line, "ssh-ed25519 "));
  assert_true (osm_str_ends_with (line, " the comment"));
  assert_int_equal (stat (path, &st), 0);
  assert_int_equal (st.st_mode & 07777, 0600);
  assert_int_equal (osm_sshkey_ensure (path, "the comment", &again, &err), 0);
  assert_string_equal (again, line);
  assert_int_equal (osm_run_capture (argv, 65536, &openssh, &err), 0);
  openssh[strcspn (openssh, "\n")] = '\0';
  assert_true (osm_sshkey_equal (line, openssh));
  unlink (path);
  rmdir (folder);
}

static void
two_pairs_differ (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE char *a = NULL;
  OSM_CLEANUP_FREE char *b = NULL;
  char path[] = "/tmp/osm-test-XXXXXX";
  (void)state;

  close (mkstemp (path));
  assert_int_equal (osm_sshkey_generate (path, NULL, &a, &err), 0);
  assert_int_equal (osm_sshkey_generate (path, NULL, &b, &err), 0);
  assert_false (osm_sshkey_equal (a, b));
  unlink (path);
}

static void
a_missing_private_key_is_named (void **state)
{
  OSM_ERROR (err);
  OSM_CLEANUP_FREE char *line = NULL;
  (void)state;

  assert_int_equal (osm_sshkey_public ("/nonexistent/key", NULL, &line, &err), -1);
  assert_int_equal (err.class, OSM_ERROR_USER);
  assert_non_null (strstr (err.message, "/nonexistent/key"));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (fingerprints_are_those_of_ssh_keygen),
    cmocka_unit_test (normalizing_drops_the_comment),
    cmocka_unit_test (comments_do_not_make_keys_differ),
    cmocka_unit_test (what_is_no_key_is_refused),
    cmocka_unit_test (a_new_pair_is_one_that_openssh_reads),
    cmocka_unit_test (two_pairs_differ),
    cmocka_unit_test (a_missing_private_key_is_named),
  };

  return cmocka_run_group_tests_name ("nbd/sshkey", tests, NULL, NULL);
}
