/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One error object for the whole program and for the control channel.
 *
 *   int f (..., struct osm_error *err)
 *   {
 *     if (open_it (&fd, err) == -1)
 *       return osm_error_wrap (err, "export volume %s", volume_id);
 *     if (size != expected)
 *       return osm_error_set (err, OSM_ERROR_USER, 0, "device %s has %" PRIu64 " bytes, expected %" PRIu64, ...);
 *     return 0;
 *   }
 *
 * The caller owns the object: `OSM_ERROR (err);` declares an empty one that is released at scope
 * exit.  `err` is never NULL.  Setting an error twice keeps the first message (the cause). */

#ifndef OSM_COMMON_ERROR_H
#define OSM_COMMON_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* The class alone decides retry and exit status. */
enum osm_error_class {
  OSM_ERROR_NONE = 0,
  OSM_ERROR_USER,        /* the operator can fix it: input, configuration, state of an object */
  OSM_ERROR_RETRY,       /* may go away by itself: lost connection, 503, busy */
  OSM_ERROR_REMOTE,      /* the other side refused or failed for good */
  OSM_ERROR_BUG,         /* ours */
  OSM_ERROR_INTERRUPTED, /* the operator asked to stop (Ctrl-C, cancel) */
};

struct osm_error {
  enum osm_error_class class;
  int code;      /* errno, HTTP status or 0 */
  char *message; /* one sentence without a final full stop; what failed, on which object, why */
  char *hint;    /* what to do next, or NULL */
};

void osm_error_done (struct osm_error *err);
#define OSM_ERROR(name) __attribute__ ((cleanup (osm_error_done))) struct osm_error name = { 0 }

/* Each returns -1, so that `return osm_error_set (...)` reads well.  If err already holds an error,
 * osm_error_set leaves it as it is. A code that is an errno is NOT appended to the message:
 * use osm_error_set_errno for that. */
int osm_error_set (struct osm_error *err, enum osm_error_class error_class, int code,
                   const char *format, ...) __attribute__ ((format (printf, 4, 5)));

/* Class from the errno (EINTR, EAGAIN, ECONNRESET, ... -> RETRY; else USER), ": strerror" appended. */
int osm_error_set_errno (struct osm_error *err, int errnum, const char *format, ...)
    __attribute__ ((format (printf, 3, 4)));

/* Put context before the message: "CONTEXT: old message".  Always returns -1. */
int osm_error_wrap (struct osm_error *err, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* Set (replace) what the operator should do next.  Always returns -1. */
int osm_error_hint (struct osm_error *err, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

/* Move *from into *to (which is released first); *from is empty afterwards. */
void osm_error_move (struct osm_error *to, struct osm_error *from);
void osm_error_copy (struct osm_error *to, const struct osm_error *from);
void osm_error_clear (struct osm_error *err);
static inline bool
osm_error_is_set (const struct osm_error *err)
{
  return err->class != OSM_ERROR_NONE;
}

/* "user", "retry", "remote", "bug", "interrupted", "none"; and back (BUG if unknown). */
const char *osm_error_class_name (enum osm_error_class error_class);
enum osm_error_class osm_error_class_from_name (const char *name);

/* Static analysis sees one file at a time (make analyze): that these always return -1. */
#if defined OSM_ANALYZE && !defined OSM_ERROR_C
#define osm_error_set(...) (osm_error_set (__VA_ARGS__), -1)
#define osm_error_set_errno(...) (osm_error_set_errno (__VA_ARGS__), -1)
#define osm_error_wrap(...) (osm_error_wrap (__VA_ARGS__), -1)
#define osm_error_hint(...) (osm_error_hint (__VA_ARGS__), -1)
#endif

/* A mistake in the code that cannot be returned: message on stderr, abort. */
void osm_abort (const char *format, ...) __attribute__ ((noreturn, format (printf, 1, 2)));
/* Out of memory is not an error that any caller can handle: message on stderr, abort. */
void osm_oom (void) __attribute__ ((noreturn));

#endif
