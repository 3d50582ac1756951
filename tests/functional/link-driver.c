/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Does with controller/link what a line of standard input says, one JSON line of answer each:
 *
 *   link-driver ADDRESS PORT USER PRIVATE-KEY HOST-KEYS-FILE
 *     open | open-wait MS | call METHOD PARAMS-JSON TIMEOUT-MS | patience MS | hello | close | run MS COMMAND | host-keys MS
 */

#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/link/link.h"
#include "controller/link/remote.h"

static struct osm_link_target target;
static struct osm_link *session;

static uint64_t
number (const char *text)
{
  uint64_t n = 0;
  OSM_ERROR (err);

  if (!text || osm_parse_uint (text, "number", 0, 1000000, &n, &err) == -1)
    osm_abort ("bad number");
  return n;
}

static int
call (char *const *words, json_t **ret, struct osm_error *err)
{
  json_t *params = json_loads (words[2], 0, NULL);

  if (!params)
    osm_abort ("bad parameters: %s", words[2]);
  return osm_link_call_timeout (session, words[1], params, number (words[3]), ret, err);
}

static int
host_keys (uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **keys = NULL;

  if (osm_remote_host_keys (target.address, target.port, timeout_ms, &keys, err) == -1)
    return -1;
  *ret = osm_json_pack ("[s]", keys[0]);
  return 0;
}

/* The input of the command is this program's own file, so that the test can compare. */
static int
run (uint64_t timeout_ms, const char *command, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);

  return osm_remote_run (&target, command, fd, timeout_ms, err);
}

static int
perform (const char *line, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_STRV char **words = osm_strv_split (line, '\t');

  if (strcmp (words[0], "open") == 0)
    return osm_link_open (&target, &session, err);
  if (strcmp (words[0], "open-wait") == 0)
    return osm_link_open_wait (&target, number (words[1]), &session, err);
  if (strcmp (words[0], "call") == 0)
    return call (words, ret, err);
  if (strcmp (words[0], "run") == 0)
    return run (number (words[1]), words[2], err);
  if (strcmp (words[0], "host-keys") == 0)
    return host_keys (number (words[1]), ret, err);
  if (strcmp (words[0], "hello") == 0)
    *ret = json_incref ((json_t *)osm_link_hello (session));
  else if (strcmp (words[0], "patience") == 0)
    osm_link_set_patience (session, number (words[1]));
  else if (strcmp (words[0], "close") == 0)
    osm_link_free (osm_take (session));
  else
    osm_abort ("unknown word: %s", words[0]);
  return 0;
}

static void
answer (const char *line)
{
  OSM_CLEANUP_JSON json_t *result = NULL, *object = NULL;
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (err);

  if (perform (line, &result, &err) == -1)
    object = osm_json_pack ("{s:o}", "error", osm_error_to_json (&err));
  else
    object = osm_json_pack ("{s:O?}", "result", result);
  text = osm_json_dump (object);
  puts (text);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  OSM_CLEANUP_FREE char *keys = NULL, *line = NULL;
  OSM_CLEANUP_STRV char **host_key_lines = NULL;
  size_t len = 0, size = 0;
  ssize_t n;
  OSM_ERROR (err);

  if (argc != 6)
    osm_abort ("usage: link-driver ADDRESS PORT USER PRIVATE-KEY HOST-KEYS-FILE");
  if (osm_file_read (argv[5], 65536, &keys, &len, &err) == -1)
    osm_abort ("%s", err.message);
  keys[strcspn (keys, "\n")] = '\0';
  osm_strv_append (&host_key_lines, keys);
  target = (struct osm_link_target){ .name = "the host",
                                     .address = argv[1],
                                     .port = (uint16_t)number (argv[2]),
                                     .user = argv[3],
                                     .private_key_path = argv[4],
                                     .host_keys = host_key_lines,
                                     .connect_timeout_ms = 5000 };
  osm_interrupt_init ();
  while ((n = getline (&line, &size, stdin)) > 0) {
    line[strcspn (line, "\n")] = '\0';
    answer (line);
  }
  osm_link_free (session);
  return 0;
}
