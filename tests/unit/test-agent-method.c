/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What requests are answered before anything is started. */

#include <config.h>

#include "tests/unit/test-agent.h"

#include <errno.h>
#include <stdbool.h>

#include "agent/method.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"

#define ID "0f14c2e6-5d2a-4b3e-9a77-52c1c3a1d0b4"
#define VOLUME "\"volume_id\": \"" ID "\", \"size_bytes\": 4096"
#define SOURCE \
  "\"source\": {\"address\": \"192.0.2.1\", \"host_keys\": [\"x\"], \"socket\": \"/exports/a\"}"

static struct osm_agent agent;

static int
setup (void **state)
{
  OSM_ERROR (err);

  if (agent_setup (state) == -1 || osm_exports_load (&agent.exports, &err) == -1 ||
      osm_jobs_load (&agent.jobs, &err) == -1)
    return -1;
  return 0;
}

static int
teardown (void **state)
{
  osm_exports_free (agent.exports);
  osm_jobs_free (agent.jobs);
  return agent_teardown (state);
}

/* The result, or NULL with err set. */
static json_t *
ask (const char *method, const char *params, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = NULL, *state = NULL;
  json_t *result = NULL;

  if (osm_json_parse (params, strlen (params), "test", &object, err) == -1)
    fail_msg ("%s: %s", params, err->message);
  assert_int_equal (osm_method_call (&agent, method, object, osm_now_ms (), &state, &result, err),
                    OSM_ANSWER_NOW);
  assert_true ((result == NULL) == osm_error_is_set (err));
  return result;
}

static void
refuses (const char *method, const char *params, const char *text)
{
  OSM_ERROR (err);

  assert_null (ask (method, params, &err));
  if (!strstr (err.message, text))
    fail_msg ("%s %s: %s", method, params, err.message);
  assert_error (&err, OSM_ERROR_USER, text);
}

TEST (unknown_methods)
{
  static const char *const names[] = { "", "job", "job.", "job.list ", "JOB.LIST", "shell" };

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    refuses (names[i], "{}", "there is no method");
}

TEST (what_needs_no_parameters)
{
  static const char *const names[] = { "ping",      "job.list", "export.list",
                                       "peer.list", "peer.key", "device.list" };

  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    OSM_ERROR (err);
    OSM_CLEANUP_JSON json_t *result = ask (names[i], "{\"unknown\": 1}", &err);

    assert_no_error (&err);
    assert_true (json_is_object (result));
  }
}

TEST (identifiers)
{
  static const char *const bad[] = { "{}",
                                     "{\"id\": null}",
                                     "{\"id\": 1}",
                                     "{\"id\": \"\"}",
                                     "{\"id\": \"..\"}",
                                     "{\"id\": \"a/b\"}",
                                     "{\"id\": \"a b\"}",
                                     "{\"id\": \"a\\nb\"}",
                                     "{\"id\": \"-x\"}" };
  static const char *const methods[] = { "export.start", "export.stop",    "copy.start",
                                         "digest.start", "digest.chunks",  "job.cancel",
                                         "job.forget",   "peer.authorize", "peer.revoke" };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++)
      refuses (methods[k], bad[i], "'id'");
}

TEST (volumes)
{
  refuses ("device.find", "{}", "'volume_id'");
  refuses ("device.find", "{\"volume_id\": \"../x\", \"size_bytes\": 1}", "'volume_id'");
  refuses ("export.start", "{\"id\": \"a\", \"volume_id\": \"" ID "\"}", "'size_bytes'");
  refuses ("device.find", "{\"volume_id\": \"" ID "\", \"size_bytes\": -1}", "'size_bytes'");
  refuses ("device.find", "{\"volume_id\": \"" ID "\", \"size_bytes\": 1.0}", "'size_bytes'");
  refuses ("device.find", "{" VOLUME ", \"timeout_ms\": 600001}", "'timeout_ms'");
}

TEST (an_absent_disk_says_what_to_look_at)
{
  OSM_ERROR (err);

  assert_null (ask ("device.find", "{" VOLUME "}", &err));
  assert_int_equal (err.code, ENOENT);
  assert_non_null (strstr (err.hint, "hot-plugging"));
  assert_error (&err, OSM_ERROR_RETRY, "no disk with the id of volume");
}

TEST (an_absent_disk_is_waited_for)
{
  OSM_CLEANUP_JSON json_t *params =
      osm_json_pack ("{s:s, s:i, s:i}", "volume_id", ID, "size_bytes", 1, "timeout_ms", 1000);
  json_t *kept = NULL, *result = NULL;
  uint64_t now = osm_now_ms ();
  OSM_ERROR (err);

  assert_int_equal (osm_method_call (&agent, "device.find", params, now, &kept, &result, &err),
                    OSM_ANSWER_LATER);
  assert_no_error (&err);
  assert_int_equal (
      osm_method_call (&agent, "device.find", params, now - 1001, &kept, &result, &err),
      OSM_ANSWER_NOW);
  assert_error (&err, OSM_ERROR_RETRY, "no disk");
}

TEST (sources)
{
  static const char *const bad[] = {
    "{\"id\": \"a\", " VOLUME "}",
    "{\"id\": \"a\", " VOLUME ", \"source\": 1}",
    "{\"id\": \"a\", " VOLUME ", \"source\": {\"host_keys\": [\"x\"], \"socket\": \"/a\"}}",
    "{\"id\": \"a\", " VOLUME ", \"source\": {\"address\": \"a\", \"socket\": \"/a\"}}",
    "{\"id\": \"a\", " VOLUME
    ", \"source\": {\"address\": \"a\", \"host_keys\": [], \"socket\": \"/a\"}}",
    "{\"id\": \"a\", " VOLUME
    ", \"source\": {\"address\": \"a\", \"host_keys\": [\"x\"], \"socket\": \"/a\", \"port\": "
    "65536}}",
  };

  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    refuses ("copy.start", bad[i], "source");
  refuses ("link.test", "{}", "source");
  refuses ("link.test", "{" SOURCE ", \"seconds\": 121}", "'seconds'");
  refuses ("link.test", "{" SOURCE ", \"bytes\": 99999999999999}", "'bytes'");
  refuses ("copy.start", "{\"id\": \"a\", " VOLUME ", " SOURCE ", \"connections\": 17}",
           "'connections'");
  refuses ("copy.start", "{\"id\": \"a\", " VOLUME ", " SOURCE ", \"requests\": 1000}",
           "'requests'");
}

TEST (digests)
{
  refuses ("digest.start", "{\"id\": \"a\", " VOLUME ", \"chunk_bytes\": 6000}", "power of two");
  refuses ("digest.start", "{\"id\": \"a\", " VOLUME ", \"chunk_bytes\": 2048}", "power of two");
  refuses ("digest.start", "{\"id\": \"a\", " VOLUME ", \"drop_cache\": 1}", "'drop_cache'");
  refuses ("digest.chunks", "{\"id\": \"a\"}", "'count'");
  refuses ("digest.chunks", "{\"id\": \"a\", \"count\": 1}", "there is no job a");
}

/* A job that cannot start leaves nothing behind, so that it can be tried again. */
TEST (a_job_without_its_disk_is_not_kept)
{
  OSM_CLEANUP_JSON json_t *list = NULL;
  OSM_CLEANUP_FREE char *path = agent_path ("state/jobs/a.json");
  OSM_ERROR (err);

  assert_null (ask ("copy.start", "{\"id\": \"a\", " VOLUME ", " SOURCE "}", &err));
  assert_int_equal (err.code, ENOENT);
  assert_error (&err, OSM_ERROR_RETRY, "job a: no disk");
  list = ask ("job.list", "{}", &err);
  assert_int_equal (json_array_size (json_object_get (list, "jobs")), 0);
  assert_false (osm_file_exists (path));
}

TEST (an_export_without_its_disk_is_not_kept)
{
  OSM_CLEANUP_JSON json_t *list = NULL;
  OSM_CLEANUP_FREE char *socket = agent_path ("p/exports/a");
  OSM_ERROR (err);

  assert_null (ask ("export.start", "{\"id\": \"a\", " VOLUME "}", &err));
  assert_error (&err, OSM_ERROR_RETRY, "export a: no disk");
  list = ask ("export.list", "{}", &err);
  assert_int_equal (json_array_size (json_object_get (list, "exports")), 0);
  assert_false (osm_file_exists (socket));
}

TEST (jobs_that_are_not)
{
  refuses ("job.get", "{}", "'ids'");
  refuses ("job.get", "{\"ids\": \"a\"}", "'ids'");
  refuses ("job.get", "{\"ids\": [\"a\"]}", "there is no job a");
  refuses ("job.get", "{\"ids\": [1]}", "there is no job");
  refuses ("job.wait", "{\"ids\": [\"a\"], \"timeout_ms\": 1}", "there is no job a");
  refuses ("job.wait", "{\"ids\": [], \"timeout_ms\": 30001}", "'timeout_ms'");
  refuses ("job.cancel", "{\"id\": \"a\"}", "there is no job a");
  refuses ("job.forget", "{\"id\": \"a\"}", "there is no job a");
}

TEST (stopping_an_export_that_is_not)
{
  OSM_ERROR (err);
  OSM_CLEANUP_JSON json_t *result = ask ("export.stop", "{\"id\": \"a\"}", &err);

  assert_non_null (result);
}

TEST (peers_are_checked)
{
  refuses ("peer.authorize", "{\"id\": \"a\"}", "'public_key'");
  refuses ("peer.authorize", "{\"id\": \"a\", \"public_key\": \"x\"}", "peer a");
  refuses ("peer.authorize", "{\"id\": \"a\", \"public_key\": \"x\", \"from\": 1}", "'from'");
}

#define METHOD_TEST(f) cmocka_unit_test_setup_teardown (f, setup, teardown)

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
    METHOD_TEST (unknown_methods),
    METHOD_TEST (what_needs_no_parameters),
    METHOD_TEST (identifiers),
    METHOD_TEST (volumes),
    METHOD_TEST (an_absent_disk_says_what_to_look_at),
    METHOD_TEST (an_absent_disk_is_waited_for),
    METHOD_TEST (sources),
    METHOD_TEST (digests),
    METHOD_TEST (a_job_without_its_disk_is_not_kept),
    METHOD_TEST (an_export_without_its_disk_is_not_kept),
    METHOD_TEST (jobs_that_are_not),
    METHOD_TEST (stopping_an_export_that_is_not),
    METHOD_TEST (peers_are_checked),
  };

  /* If something were started it would be this program. */
  if (argc > 1 && strcmp (argv[1], "worker") == 0)
    return 1;
  osm_log_init ("test", OSM_LOG_ERROR);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
