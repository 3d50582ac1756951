/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/quote.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/strbuf.h"

/* Length of the well-formed UTF-8 sequence at s (RFC 3629: shortest form, no surrogates, at most
 * U+10FFFF), or 0. */
static size_t
utf8_decode (const unsigned char *s, uint32_t *ret_c)
{
  uint32_t c, min;
  size_t len;

  if (s[0] < 0x80) {
    *ret_c = s[0];
    return 1;
  }
  if (s[0] >= 0xc2 && s[0] <= 0xdf)
    len = 2, c = s[0] & 0x1fU, min = 0x80;
  else if ((s[0] & 0xf0) == 0xe0)
    len = 3, c = s[0] & 0x0fU, min = 0x800;
  else if (s[0] >= 0xf0 && s[0] <= 0xf4)
    len = 4, c = s[0] & 0x07U, min = 0x10000;
  else
    return 0;
  for (size_t i = 1; i < len; i++) {
    /* The final NUL is no continuation byte, so this never reads past it. */
    if ((s[i] & 0xc0) != 0x80)
      return 0;
    c = (c << 6) | (s[i] & 0x3fU);
  }
  if (c < min || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
    return 0;
  *ret_c = c;
  return len;
}

/* Characters that steer a terminal or change how the rest of the line looks. */
static bool
steers (uint32_t c)
{
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

char *
osm_quote_shell (const char *s)
{
  struct osm_strbuf b = { 0 };

  osm_strbuf_add (&b, "'");
  for (; *s; s++) {
    if (*s == '\'')
      osm_strbuf_add (&b, "'\\''");
    else
      osm_strbuf_add_mem (&b, s, 1);
  }
  osm_strbuf_add (&b, "'");
  return osm_strbuf_take (&b);
}

char *
osm_quote_yaml (const char *s)
{
  const unsigned char *p = (const unsigned char *)s;
  struct osm_strbuf b = { 0 };

  osm_strbuf_add (&b, "\"");
  while (*p) {
    uint32_t c;
    size_t len = utf8_decode (p, &c);

    if (len == 0) {
      osm_strbuf_add (&b, "\xef\xbf\xbd");
      p++;
      continue;
    }
    if (c == '"' || c == '\\')
      osm_strbuf_addf (&b, "\\%c", (int)c);
    else if (c == '\n')
      osm_strbuf_add (&b, "\\n");
    else if (c == '\t')
      osm_strbuf_add (&b, "\\t");
    else if (c == '\r')
      osm_strbuf_add (&b, "\\r");
    else if (steers (c) || c == 0xfffe || c == 0xffff)
      osm_strbuf_addf (&b, "\\u%04x", c);
    else
      osm_strbuf_add_mem (&b, p, len);
    p += len;
  }
  osm_strbuf_add (&b, "\"");
  return osm_strbuf_take (&b);
}

char *
osm_quote_json (const char *json)
{
  const unsigned char *p = (const unsigned char *)json;
  struct osm_strbuf b = { 0 };

  while (*p) {
    uint32_t c = 0;
    size_t len = utf8_decode (p, &c);

    if (len == 0)
      len = 1; /* no JSON library lets it through */
    if (c >= 0x7f && steers (c))
      osm_strbuf_addf (&b, "\\u%04x", c); /* all of them are below U+10000 */
    else
      osm_strbuf_add_mem (&b, p, len);
    p += len;
  }
  return osm_strbuf_take (&b);
}

static bool
unreserved (unsigned char c)
{
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

char *
osm_quote_url (const char *s)
{
  struct osm_strbuf b = { 0 };

  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;

    if (unreserved (c))
      osm_strbuf_add_mem (&b, s, 1);
    else
      osm_strbuf_addf (&b, "%%%02X", c);
  }
  return osm_strbuf_take (&b);
}

char *
osm_quote_terminal (const char *s)
{
  const unsigned char *p = (const unsigned char *)s;
  struct osm_strbuf b = { 0 };

  if (!s)
    return NULL;
  while (*p) {
    uint32_t c = 0;
    size_t len = utf8_decode (p, &c);

    if (len > 0 && !steers (c))
      osm_strbuf_add_mem (&b, p, len);
    else {
      if (len == 0)
        len = 1;
      for (size_t i = 0; i < len; i++)
        osm_strbuf_addf (&b, "\\x%02x", p[i]);
    }
    p += len;
  }
  return osm_strbuf_take (&b);
}
