/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A folder of its own for each test of agent/, with every root of the agent below it.
 *
 *   cmocka_unit_test_setup_teardown (something_is_so, agent_setup, agent_teardown)
 *   agent_file ("dev/disk/by-id/virtio-x", "");
 */

#ifndef OSM_TESTS_UNIT_TEST_AGENT_H
#define OSM_TESTS_UNIT_TEST_AGENT_H

#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/run.h"
#include "common/strbuf.h"

static char agent_top[64];

static inline char *
agent_path (const char *name)
{
  return osm_asprintf ("%s/%s", agent_top, name);
}

static inline void
agent_folder (const char *name)
{
  OSM_CLEANUP_FREE char *path = agent_path (name);
  OSM_ERROR (err);

  assert_int_equal (osm_mkdir_p (path, 0755, &err), 0);
}

/* The folder must be there. */
static inline void
agent_file (const char *name, const char *text)
{
  OSM_CLEANUP_FREE char *path = agent_path (name);
  OSM_ERROR (err);

  assert_int_equal (osm_file_write (path, text, strlen (text), 0600, &err), 0);
}

static inline int
agent_setup (void **state)
{
  static const char *const roots[][2] = {
    { "OSM_AGENT_STATE", "state" },    { "OSM_AGENT_RUNTIME", "run" },
    { "OSM_AGENT_PEER_RUNTIME", "p" }, { "OSM_AGENT_CONFIG", "etc" },
    { "OSM_AGENT_DEV", "dev" },        { "OSM_AGENT_SYS", "sys" },
  };

  (void)state;
  snprintf (agent_top, sizeof agent_top, "/tmp/osm-agent.XXXXXX");
  if (!mkdtemp (agent_top))
    return -1;
  for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
    OSM_CLEANUP_FREE char *path = agent_path (roots[i][1]);

    if (mkdir (path, 0700) == -1 || setenv (roots[i][0], path, 1) == -1)
      return -1;
  }
  agent_folder ("p/exports");
  return 0;
}

static inline int
agent_teardown (void **state)
{
  char *argv[] = { (char *)"rm", (char *)"-rf", (char *)"--", agent_top, NULL };
  OSM_ERROR (err);

  (void)state;
  return osm_run_capture (argv, 4096, NULL, &err);
}

#endif
