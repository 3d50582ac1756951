/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/schedule.h"

#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/strbuf.h"

#define DAY_MINUTES 1440
#define ALL_DAYS 0x7fU

static int
day_of (const char *s, size_t len)
{
  static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };

  for (int i = 0; i < 7; i++)
    if (len == 3 && strncasecmp (s, names[i], 3) == 0)
      return i;
  return -1;
}

static int
parse_days (const char *text, unsigned *ret)
{
  unsigned days = 0;

  for (const char *p = text;; p++) {
    size_t len = strcspn (p, ",");
    const char *dash = memchr (p, '-', len);
    int first = day_of (p, dash ? (size_t)(dash - p) : len);
    int last = dash ? day_of (dash + 1, len - (size_t)(dash + 1 - p)) : first;

    if (first == -1 || last == -1)
      return -1;
    for (int day = first;; day = (day + 1) % 7) {
      days |= 1U << day;
      if (day == last)
        break;
    }
    p += len;
    if (*p == '\0')
      break;
  }
  *ret = days;
  return 0;
}

static int
parse_minute (const char *s, bool end, unsigned *ret)
{
  unsigned hour, minute;

  if (strlen (s) != 5 || s[2] != ':')
    return -1;
  for (int i = 0; i < 5; i++)
    if (i != 2 && (s[i] < '0' || s[i] > '9'))
      return -1;
  hour = (unsigned)(s[0] - '0') * 10 + (unsigned)(s[1] - '0');
  minute = (unsigned)(s[3] - '0') * 10 + (unsigned)(s[4] - '0');
  if (minute > 59 || hour * 60 + minute > DAY_MINUTES - (end ? 0 : 1))
    return -1;
  *ret = hour * 60 + minute;
  return 0;
}

int
osm_window_parse (const char *days, const char *from, const char *to, uint64_t bytes_per_second,
                  struct osm_window *ret, struct osm_error *err)
{
  struct osm_window w = { .days = ALL_DAYS, .bytes_per_second = bytes_per_second };

  if (days && parse_days (days, &w.days) == -1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "days '%s' are not like mon, mon-fri or sat,sun",
                          days);
  if (parse_minute (from, false, &w.from_minute) == -1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "from '%s' is not like 08:00", from);
  if (parse_minute (to, true, &w.to_minute) == -1)
    return osm_error_set (err, OSM_ERROR_USER, 0, "to '%s' is not like 18:00", to);
  if (w.from_minute == w.to_minute)
    return osm_error_set (err, OSM_ERROR_USER, 0, "it ends when it begins");
  *ret = w;
  return 0;
}

static bool
holds (const struct osm_window *w, unsigned day, unsigned minute)
{
  unsigned yesterday = (day + 6) % 7;

  if (w->to_minute > w->from_minute)
    return (w->days >> day & 1) && minute >= w->from_minute && minute < w->to_minute;
  return ((w->days >> day & 1) && minute >= w->from_minute) ||
         ((w->days >> yesterday & 1) && minute < w->to_minute);
}

uint64_t
osm_rate_at (const struct osm_schedule *schedule, time_t when)
{
  struct tm tm;

  if (!localtime_r (&when, &tm))
    return schedule->bytes_per_second;
  for (size_t i = 0; i < schedule->nr_windows; i++)
    if (holds (&schedule->windows[i], (unsigned)tm.tm_wday,
               (unsigned)(tm.tm_hour * 60 + tm.tm_min)))
      return schedule->windows[i].bytes_per_second;
  return schedule->bytes_per_second;
}
