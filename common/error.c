/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#define OSM_ERROR_C

#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/strbuf.h"

static const char *const class_names[] = {
  [OSM_ERROR_NONE] = "none",     [OSM_ERROR_USER] = "user", [OSM_ERROR_RETRY] = "retry",
  [OSM_ERROR_REMOTE] = "remote", [OSM_ERROR_BUG] = "bug",   [OSM_ERROR_INTERRUPTED] = "interrupted",
};
#define NR_CLASSES (sizeof class_names / sizeof class_names[0])

void
osm_oom (void)
{
  static const char text[] = "out of memory\n";

  if (write (STDERR_FILENO, text, sizeof text - 1) == -1) {
    /* Nobody is left to tell. */
  }
  abort ();
}

void
osm_abort (const char *format, ...)
{
  va_list args;
  char text[512];
  size_t len;

  va_start (args, format);
  vsnprintf (text, sizeof text - 1, format, args);
  va_end (args);
  len = strlen (text);
  text[len++] = '\n';
  if (write (STDERR_FILENO, text, len) == -1) {
    /* Nobody is left to tell. */
  }
  abort ();
}

void
osm_error_done (struct osm_error *err)
{
  free (err->message);
  free (err->hint);
  *err = (struct osm_error){ 0 };
}

void
osm_error_clear (struct osm_error *err)
{
  osm_error_done (err);
}

static void
set_message (struct osm_error *err, enum osm_error_class error_class, int code, char *message)
{
  err->class = error_class == OSM_ERROR_NONE ? OSM_ERROR_BUG : error_class;
  err->code = code;
  free (err->message);
  err->message = message;
}

int
osm_error_set (struct osm_error *err, enum osm_error_class error_class, int code,
               const char *format, ...)
{
  if (!osm_error_is_set (err)) {
    va_list args;

    va_start (args, format);
    set_message (err, error_class, code, osm_vasprintf (format, args));
    va_end (args);
  }
  return -1;
}

static enum osm_error_class
class_of_errno (int errnum)
{
  switch (errnum) {
  case EINTR:
  case EAGAIN:
  case EBUSY:
  case ECONNABORTED:
  case ECONNREFUSED:
  case ECONNRESET:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENETDOWN:
  case ENETRESET:
  case ENETUNREACH:
  case ENOTCONN:
  case EPIPE:
  case ESHUTDOWN:
  case ETIMEDOUT:
    return OSM_ERROR_RETRY;
  default:
    return OSM_ERROR_USER;
  }
}

int
osm_error_set_errno (struct osm_error *err, int errnum, const char *format, ...)
{
  if (!osm_error_is_set (err)) {
    char buf[128];
    const char *reason = strerror_r (errnum, buf, sizeof buf);
    va_list args;
    char *text;

    va_start (args, format);
    text = osm_vasprintf (format, args);
    va_end (args);
    set_message (err, class_of_errno (errnum), errnum, osm_asprintf ("%s: %s", text, reason));
    free (text);
  }
  return -1;
}

int
osm_error_wrap (struct osm_error *err, const char *format, ...)
{
  va_list args;
  char *context;

  va_start (args, format);
  context = osm_vasprintf (format, args);
  va_end (args);
  if (osm_error_is_set (err)) {
    set_message (err, err->class, err->code,
                 osm_asprintf ("%s: %s", context, err->message ? err->message : "failed"));
  }
  else {
    set_message (err, OSM_ERROR_BUG, 0, osm_asprintf ("%s: failed without saying why", context));
  }
  free (context);
  return -1;
}

int
osm_error_hint (struct osm_error *err, const char *format, ...)
{
  va_list args;
  char *hint;

  va_start (args, format);
  hint = osm_vasprintf (format, args);
  va_end (args);
  free (err->hint);
  err->hint = hint;
  return -1;
}

void
osm_error_move (struct osm_error *to, struct osm_error *from)
{
  if (to == from)
    return;
  osm_error_done (to);
  *to = *from;
  *from = (struct osm_error){ 0 };
}

void
osm_error_copy (struct osm_error *to, const struct osm_error *from)
{
  struct osm_error copy = {
    .class = from->class,
    .code = from->code,
    .message = osm_strdup (from->message),
    .hint = osm_strdup (from->hint),
  };

  osm_error_done (to);
  *to = copy;
}

const char *
osm_error_class_name (enum osm_error_class error_class)
{
  if ((size_t)error_class >= NR_CLASSES)
    return class_names[OSM_ERROR_BUG];
  return class_names[error_class];
}

enum osm_error_class
osm_error_class_from_name (const char *name)
{
  for (size_t i = 0; name && i < NR_CLASSES; i++)
    if (osm_str_equal (name, class_names[i]))
      return (enum osm_error_class)i;
  return OSM_ERROR_BUG;
}
