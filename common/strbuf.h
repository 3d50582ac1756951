/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A growing string, and the few string helpers that libc lacks.  Memory shortage aborts. */

#ifndef OSM_COMMON_STRBUF_H
#define OSM_COMMON_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct osm_strbuf {
  char *s; /* NUL-terminated, or NULL while empty */
  size_t len, allocated;
};

#define OSM_STRBUF(name) __attribute__ ((cleanup (osm_strbuf_done))) struct osm_strbuf name = { 0 }
void osm_strbuf_done (struct osm_strbuf *b);
void osm_strbuf_clear (struct osm_strbuf *b);
void osm_strbuf_add (struct osm_strbuf *b, const char *s);
void osm_strbuf_add_mem (struct osm_strbuf *b, const void *data, size_t len);
void osm_strbuf_addf (struct osm_strbuf *b, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
/* The string so far, "" if empty; owned by the buffer. */
const char *osm_strbuf_str (const struct osm_strbuf *b);
/* The string, owned by the caller; the buffer is empty afterwards. Never NULL. */
char *osm_strbuf_take (struct osm_strbuf *b);

char *osm_strdup (const char *s); /* NULL gives NULL */
char *osm_strndup (const char *s, size_t n);
char *osm_asprintf (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
char *osm_vasprintf (const char *format, va_list args) __attribute__ ((format (printf, 1, 0)));
void *osm_calloc (size_t n, size_t size);
void *osm_realloc (void *p, size_t n, size_t size); /* checked n * size */
bool osm_str_equal (const char *a, const char *b);  /* NULL equals NULL only */
bool osm_str_starts_with (const char *s, const char *prefix);
bool osm_str_ends_with (const char *s, const char *suffix);
/* Replace *dst by a copy of s. */
void osm_str_set (char **dst, const char *s);

/* NULL-terminated vectors; the result of split is owned by the caller. Empty parts are kept. */
char **osm_strv_split (const char *s, char separator);
static inline size_t
osm_strv_len (char *const *v)
{
  size_t n = 0;

  while (v && v[n])
    n++;
  return n;
}
void osm_strv_append (char ***v, const char *s);
bool osm_strv_contains (char *const *v, const char *s);
char *osm_strv_join (char *const *v, const char *separator);

/* Overwrite memory that held a secret, then free. */
void osm_secret_free (char *s);

#endif
