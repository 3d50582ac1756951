/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/error.h"

void
osm_strbuf_done (struct osm_strbuf *b)
{
  free (b->s);
  *b = (struct osm_strbuf){ 0 };
}

void
osm_strbuf_clear (struct osm_strbuf *b)
{
  b->len = 0;
  if (b->s)
    b->s[0] = '\0';
}

/* Room for `more` bytes and the final NUL. */
static void
reserve (struct osm_strbuf *b, size_t more)
{
  size_t need, size;
  char *grown;

  if (__builtin_add_overflow (b->len, more, &need) || need > SIZE_MAX / 4)
    osm_oom ();
  need++;
  if (need <= b->allocated)
    return;
  size = b->allocated ? b->allocated : 32;
  while (size < need)
    size *= 2;
  /* Not realloc: what is left behind may be a secret. */
  grown = osm_realloc (NULL, size, 1);
  if (b->s) {
    memcpy (grown, b->s, b->len + 1);
    explicit_bzero (b->s, b->len);
    free (b->s);
  }
  b->s = grown;
  b->allocated = size;
}

void
osm_strbuf_add_mem (struct osm_strbuf *b, const void *data, size_t len)
{
  reserve (b, len);
  if (len > 0)
    memcpy (b->s + b->len, data, len);
  b->len += len;
  b->s[b->len] = '\0';
}

void
osm_strbuf_add (struct osm_strbuf *b, const char *s)
{
  osm_strbuf_add_mem (b, s, strlen (s));
}

void
osm_strbuf_addf (struct osm_strbuf *b, const char *format, ...)
{
  va_list args;
  char *text;

  va_start (args, format);
  text = osm_vasprintf (format, args);
  va_end (args);
  osm_strbuf_add (b, text);
  free (text);
}

const char *
osm_strbuf_str (const struct osm_strbuf *b)
{
  return b->s ? b->s : "";
}

char *
osm_strbuf_take (struct osm_strbuf *b)
{
  char *s = b->s ? b->s : osm_strdup ("");

  *b = (struct osm_strbuf){ 0 };
  return s;
}

char *
osm_strdup (const char *s)
{
  return s ? osm_strndup (s, strlen (s)) : NULL;
}

char *
osm_strndup (const char *s, size_t n)
{
  size_t len = strnlen (s, n);
  char *copy = osm_realloc (NULL, len + 1, 1);

  memcpy (copy, s, len);
  copy[len] = '\0';
  return copy;
}

char *
osm_vasprintf (const char *format, va_list args)
{
  char *s;

  if (vasprintf (&s, format, args) == -1)
    osm_oom ();
  return s;
}

char *
osm_asprintf (const char *format, ...)
{
  va_list args;
  char *s;

  va_start (args, format);
  s = osm_vasprintf (format, args);
  va_end (args);
  return s;
}

void *
osm_calloc (size_t n, size_t size)
{
  void *p = calloc (n ? n : 1, size ? size : 1);

  if (p == NULL)
    osm_oom ();
  return p;
}

void *
osm_realloc (void *p, size_t n, size_t size)
{
  size_t bytes;

  if (__builtin_mul_overflow (n, size, &bytes))
    osm_oom ();
  p = realloc (p, bytes ? bytes : 1);
  if (p == NULL)
    osm_oom ();
  return p;
}

bool
osm_str_equal (const char *a, const char *b)
{
  if (a == NULL || b == NULL)
    return a == b;
  return strcmp (a, b) == 0;
}

bool
osm_str_starts_with (const char *s, const char *prefix)
{
  return strncmp (s, prefix, strlen (prefix)) == 0;
}

bool
osm_str_ends_with (const char *s, const char *suffix)
{
  size_t len = strlen (s), suffix_len = strlen (suffix);

  return len >= suffix_len && memcmp (s + len - suffix_len, suffix, suffix_len) == 0;
}

void
osm_str_set (char **dst, const char *s)
{
  char *copy = osm_strdup (s);

  free (*dst);
  *dst = copy;
}

void
osm_strv_free (char **v)
{
  for (size_t i = 0; v && v[i]; i++)
    free (v[i]);
  free (v);
}

void
osm_strv_append (char ***v, const char *s)
{
  size_t n = osm_strv_len (*v);

  *v = osm_realloc (*v, n + 2, sizeof **v);
  (*v)[n] = osm_strdup (s);
  (*v)[n + 1] = NULL;
}

char **
osm_strv_split (const char *s, char separator)
{
  size_t parts = 1;
  char **v;

  for (const char *p = s; *p; p++)
    parts += *p == separator;
  v = osm_calloc (parts + 1, sizeof *v);
  for (size_t i = 0; i < parts; i++) {
    const char *end = strchrnul (s, separator);

    v[i] = osm_strndup (s, (size_t)(end - s));
    s = end + 1;
  }
  return v;
}

bool
osm_strv_contains (char *const *v, const char *s)
{
  for (size_t i = 0; v && v[i]; i++)
    if (osm_str_equal (v[i], s))
      return true;
  return false;
}

char *
osm_strv_join (char *const *v, const char *separator)
{
  struct osm_strbuf b = { 0 };

  for (size_t i = 0; v && v[i]; i++) {
    if (i > 0)
      osm_strbuf_add (&b, separator);
    osm_strbuf_add (&b, v[i]);
  }
  return osm_strbuf_take (&b);
}

void
osm_secret_free (char *s)
{
  if (s)
    explicit_bzero (s, strlen (s));
  free (s);
}
