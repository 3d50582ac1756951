/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "common/strbuf.h"

static bool
is_digit (char c)
{
  return c >= '0' && c <= '9';
}

/* Digits at *s, which is moved behind them.  False if there are none or too many. */
static bool
parse_digits (const char **s, uint64_t *ret)
{
  const char *p = *s;
  uint64_t n = 0;

  if (!is_digit (*p))
    return false;
  for (; is_digit (*p); p++)
    if (!osm_mul_u64 (n, 10, &n) || !osm_add_u64 (n, (uint64_t)(*p - '0'), &n))
      return false;
  *s = p;
  *ret = n;
  return true;
}

int
osm_parse_uint (const char *s, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
                struct osm_error *err)
{
  const char *p = s;
  uint64_t n;

  if (!parse_digits (&p, &n) || *p != '\0' || n < min || n > max)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "%s '%s' is not a whole number from %" PRIu64 " to %" PRIu64, what, s,
                          min, max);
  *ret = n;
  return 0;
}

int
osm_parse_size (const char *s, const char *what, uint64_t *ret_bytes, struct osm_error *err)
{
  static const char units[] = "KMGTPE";
  const char *p = s;
  uint64_t n, factor = 1;

  if (!parse_digits (&p, &n))
    goto bad;
  if (*p) {
    /* Binary letters in either case; "GB" is refused because people disagree what it is. */
    char letter = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
    const char *unit = strchr (units, letter);

    if (unit == NULL)
      goto bad;
    factor = (uint64_t)1 << (10 * (unit - units + 1));
    p++;
    if (*p && !osm_str_equal (p, "iB"))
      goto bad;
  }
  if (!osm_mul_u64 (n, factor, &n))
    goto bad;
  *ret_bytes = n;
  return 0;
bad:
  osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' is not a size", what, s);
  return osm_error_hint (err, "write bytes, or a number with K, M, G or T (powers of 1024)");
}

int
osm_parse_rate (const char *s, const char *what, uint64_t *ret_bytes_per_second,
                struct osm_error *err)
{
  static const struct {
    const char *suffix;
    uint64_t bits;
  } units[] = { { "kbit", 1000 }, { "Mbit", 1000000 }, { "Gbit", 1000000000 } };
  const char *p = s;
  uint64_t n;

  if (strcmp (s, "unlimited") == 0) {
    *ret_bytes_per_second = 0;
    return 0;
  }
  if (!parse_digits (&p, &n))
    goto bad;
  for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
    if (strcmp (p, units[i].suffix) == 0) {
      if (!osm_mul_u64 (n, units[i].bits, &n))
        goto bad;
      n /= 8;
      goto check;
    }
  if (osm_parse_size (s, what, &n, err) == -1) {
    osm_error_clear (err);
    goto bad;
  }
check:
  if (n < 1024 || n > INT64_MAX)
    goto bad;
  *ret_bytes_per_second = n;
  return 0;
bad:
  osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' is not a rate", what, s);
  return osm_error_hint (err,
                         "write 50M (K, M, G, T: binary bytes per second, at least 1K), 200Mbit "
                         "(kbit, Mbit, Gbit: decimal bits) or unlimited");
}

int
osm_parse_duration (const char *s, const char *what, uint64_t *ret_ms, struct osm_error *err)
{
  static const struct {
    const char *suffix;
    uint64_t ms;
  } units[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
                { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
  const char *p = s;
  uint64_t n;

  if (parse_digits (&p, &n))
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
      if (osm_str_equal (p, units[i].suffix) && osm_mul_u64 (n, units[i].ms, &n)) {
        *ret_ms = n;
        return 0;
      }
  osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' is not a duration", what, s);
  return osm_error_hint (err, "write seconds, or a number with ms, s, m, h or d");
}

int
osm_parse_bool (const char *s, const char *what, bool *ret, struct osm_error *err)
{
  static const char *const words[][2] = {
    { "false", "true" }, { "no", "yes" }, { "off", "on" }, { "0", "1" }
  };

  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    for (int value = 0; value < 2; value++)
      if (strcasecmp (s, words[i][value]) == 0) {
        *ret = value;
        return 0;
      }
  return osm_error_set (err, OSM_ERROR_USER, 0, "%s '%s' is neither true nor false", what, s);
}

static bool
is_hex (char c)
{
  return is_digit (c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool
osm_is_uuid (const char *s)
{
  size_t i;

  for (i = 0; i < OSM_UUID_LEN; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;

    if (dash ? s[i] != '-' : !is_hex (s[i]))
      return false;
  }
  return s[i] == '\0';
}

bool
osm_is_safe_name (const char *s)
{
  const size_t max = 128;
  size_t i;

  for (i = 0; s[i]; i++) {
    char c = s[i];
    bool letter = is_digit (c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

    if (i >= max || !(letter || (i > 0 && (c == '.' || c == '_' || c == '-'))))
      return false;
  }
  return i > 0;
}

void
osm_uuid_new (char ret[OSM_UUID_LEN + 1])
{
  unsigned char b[16];
  size_t got = 0;

  while (got < sizeof b) {
    ssize_t r = getrandom (b + got, sizeof b - got, 0);

    if (r == -1 && errno == EINTR)
      continue;
    if (r <= 0)
      osm_oom (); /* no kernel that runs this lacks it */
    got += (size_t)r;
  }
  /* RFC 4122, 4.4: version 4, variant 1. */
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  snprintf (ret, OSM_UUID_LEN + 1,
            "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
            b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
            b[15]);
}

const char *
osm_human_size (uint64_t bytes, char buf[OSM_HUMAN_LEN])
{
  static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
  uint64_t unit = 1024;
  size_t i = 0;

  if (bytes < 1024) {
    snprintf (buf, OSM_HUMAN_LEN, "%u B", (unsigned)bytes);
    return buf;
  }
  while (i + 1 < sizeof units / sizeof units[0] && bytes / unit >= 1024) {
    unit *= 1024;
    i++;
  }
  snprintf (buf, OSM_HUMAN_LEN, "%" PRIu64 ".%u %s", bytes / unit,
            (unsigned)(bytes % unit / (unit / 1024) * 10 / 1024), units[i]);
  return buf;
}

const char *
osm_human_duration (uint64_t ms, char buf[OSM_HUMAN_LEN])
{
  uint64_t s = ms / 1000;

  if (s < 10)
    snprintf (buf, OSM_HUMAN_LEN, "%u.%us", (unsigned)s, (unsigned)(ms % 1000 / 100));
  else if (s < 60)
    snprintf (buf, OSM_HUMAN_LEN, "%us", (unsigned)s);
  else if (s < 3600)
    snprintf (buf, OSM_HUMAN_LEN, "%um %02us", (unsigned)(s / 60), (unsigned)(s % 60));
  else
    snprintf (buf, OSM_HUMAN_LEN, "%" PRIu64 "h %02um", s / 3600, (unsigned)(s % 3600 / 60));
  return buf;
}
