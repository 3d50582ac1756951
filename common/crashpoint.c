/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/crashpoint.h"

#ifdef OSM_CRASH_POINTS

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* As long as a service needs to take a request, and not to finish it. */
#define DURING_US 25000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *present;  /* what osm_crash_where said */
static json_t *passed; /* name: number of times */

static void
end (void)
{
  kill (getpid (), SIGKILL);
  for (;;)
    pause ();
}

static void *
end_soon (void *unused)
{
  (void)unused;
  usleep (DURING_US);
  end ();
  return NULL;
}

static void
trace (const char *name)
{
  const char *path = getenv ("OSM_CRASH_TRACE");
  OSM_CLEANUP_FREE char *line = osm_asprintf ("%d\t%s\n", (int)gettid (), name);
  OSM_CLEANUP_FD int fd = path ? open (path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;

  if (fd != -1 && write (fd, line, strlen (line)) == -1)
    abort ();
}

void
osm_crash_where (const char *where)
{
  pthread_mutex_lock (&lock);
  osm_str_set (&present, where);
  pthread_mutex_unlock (&lock);
}

void
osm_crash_point (enum osm_crash when, const char *what)
{
  static const char *const words[] = { "before", "during", "after" };
  const char *wanted = getenv ("OSM_CRASH_AT");
  OSM_CLEANUP_FREE char *name = NULL, *numbered = NULL;
  json_int_t number;
  pthread_t thread;

  if (!wanted && !getenv ("OSM_CRASH_TRACE"))
    return;
  pthread_mutex_lock (&lock);
  name = osm_asprintf ("%s: %s: %s", present ? present : "begin", what, words[when]);
  if (!passed)
    passed = json_object ();
  number = json_integer_value (json_object_get (passed, name)) + 1;
  json_object_set_new (passed, name, json_integer (number));
  numbered = osm_asprintf ("%s#%d", name, (int)number);
  trace (numbered);
  if (osm_str_equal (wanted, numbered)) {
    if (when != OSM_CRASH_DURING)
      end ();
    if (pthread_create (&thread, NULL, end_soon, NULL) != 0)
      abort ();
    pthread_detach (thread);
  }
  pthread_mutex_unlock (&lock);
}

#endif
