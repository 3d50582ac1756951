/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/base64.h"

#include <stdint.h>

#include "common/strbuf.h"

char *
osm_base64_encode (const void *data, size_t len)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *p = data;
  char *out = osm_calloc ((len + 2) / 3 + 1, 4), *o = out;

  for (size_t i = 0; i < len; i += 3) {
    uint32_t v = (uint32_t)p[i] << 16;

    if (i + 1 < len)
      v |= (uint32_t)p[i + 1] << 8;
    if (i + 2 < len)
      v |= p[i + 2];
    *o++ = digits[v >> 18];
    *o++ = digits[(v >> 12) & 63];
    *o++ = i + 1 < len ? digits[(v >> 6) & 63] : '=';
    *o++ = i + 2 < len ? digits[v & 63] : '=';
  }
  *o = '\0';
  return out;
}
