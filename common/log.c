/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/quote.h"
#include "common/strbuf.h"

static const struct {
  const char *word;
  int syslog; /* sd-daemon(3) */
} levels[] = {
  [OSM_LOG_ERROR] = { "error: ", 3 }, [OSM_LOG_WARNING] = { "warning: ", 4 },
  [OSM_LOG_INFO] = { "", 6 },         [OSM_LOG_DEBUG] = { "debug: ", 7 },
  [OSM_LOG_TRACE] = { "trace: ", 7 },
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int current_level = OSM_LOG_WARNING;
static char program_name[64] = "osm";
static bool to_journal;
static void (*sink_function) (void *data, enum osm_log_level level, const char *line);
static void *sink_data;

/* systemd.exec(5): JOURNAL_STREAM holds device and inode of the stream; a stderr that was redirected
 * since must not get the prefix. */
static bool
stderr_is_journal (void)
{
  const char *value = getenv ("JOURNAL_STREAM");
  char ours[64];
  struct stat st;

  if (value == NULL || fstat (STDERR_FILENO, &st) == -1)
    return false;
  snprintf (ours, sizeof ours, "%llu:%llu", (unsigned long long)st.st_dev,
            (unsigned long long)st.st_ino);
  return strcmp (value, ours) == 0;
}

void
osm_log_init (const char *program, enum osm_log_level level)
{
  OSM_LOCKED (&lock);

  snprintf (program_name, sizeof program_name, "%s", program);
  to_journal = stderr_is_journal ();
  atomic_store (&current_level, (int)level);
}

void
osm_log_set_level (enum osm_log_level level)
{
  atomic_store (&current_level, (int)level);
}

bool
osm_log_enabled (enum osm_log_level level)
{
  return (int)level <= atomic_load (&current_level);
}

void
osm_log_set_sink (void (*sink) (void *data, enum osm_log_level level, const char *line), void *data)
{
  OSM_LOCKED (&lock);

  sink_function = sink;
  sink_data = data;
}

/* One write, so that lines of several processes do not mix. */
static void
write_line (const char *line)
{
  OSM_STRBUF (out);
  size_t done = 0;

  osm_strbuf_add (&out, line);
  osm_strbuf_add (&out, "\n");
  while (done < out.len) {
    ssize_t r = write (STDERR_FILENO, out.s + done, out.len - done);

    if (r == -1 && errno == EINTR)
      continue;
    if (r <= 0)
      break;
    done += (size_t)r;
  }
}

void
osm_log (enum osm_log_level level, const char *format, ...)
{
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_CLEANUP_FREE char *clean = NULL;
  OSM_CLEANUP_FREE char *line = NULL;
  int saved_errno = errno;
  va_list args;

  if (!osm_log_enabled (level))
    return;
  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  clean = osm_quote_terminal (text);
  {
    OSM_LOCKED (&lock);

    if (to_journal && sink_function == NULL)
      line = osm_asprintf ("<%d>%s", levels[level].syslog, clean);
    else
      line = osm_asprintf ("%s: %s%s", program_name, levels[level].word, clean);
    if (sink_function)
      sink_function (sink_data, level, line);
    else
      write_line (line);
  }
  errno = saved_errno;
}
