/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/cidr.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/strbuf.h"

char *
osm_cidr_canonical (const char *text)
{
  const char *slash = strchr (text, '/');
  OSM_CLEANUP_FREE char *address = slash ? osm_strndup (text, (size_t)(slash - text)) : NULL;
  int family = strchr (text, ':') ? AF_INET6 : AF_INET;
  unsigned max_bits = family == AF_INET6 ? 128 : 32;
  unsigned char bytes[16];
  char buf[INET6_ADDRSTRLEN];
  uint64_t bits = max_bits;
  OSM_ERROR (ignored);

  if (inet_pton (family, address ? address : text, bytes) != 1 ||
      (slash && osm_parse_uint (slash + 1, "prefix", 0, max_bits, &bits, &ignored) == -1))
    return NULL;
  for (unsigned bit = (unsigned)bits; bit < max_bits; bit++)
    bytes[bit / 8] &= (unsigned char)~(0x80u >> bit % 8);
  inet_ntop (family, bytes, buf, sizeof buf);
  return osm_asprintf ("%s/%u", buf, (unsigned)bits);
}

bool
osm_cidr_contains (const char *cidr, const char *address)
{
  const char *slash = strchr (cidr, '/');
  OSM_CLEANUP_FREE char *wanted = osm_cidr_canonical (cidr);
  OSM_CLEANUP_FREE char *beside =
      slash && !strchr (address, '/') ? osm_asprintf ("%s%s", address, slash) : NULL;
  OSM_CLEANUP_FREE char *is = beside ? osm_cidr_canonical (beside) : NULL;

  return wanted && is && strcmp (wanted, is) == 0;
}
