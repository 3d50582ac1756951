/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One process per migration. On the same running kernel a holder is alive while its process is; elsewhere (another host, another
 * container, before a reboot) while its heartbeat is young. Clocks differ and jump: one whose heartbeat is out of any order is dead only if
 * it is not renewed while we look, by a clock that does not jump. */

#include <config.h>

#include "controller/store/store.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

#define HEARTBEAT_MAX_MS 60000
#define LOOK_MS 500

uint64_t osm_store_lease_watch_ms = 20000; /* longer than between two renewals */

struct holder {
  char *host, *kernel, *start_time;
  int64_t pid, heartbeat_ms;
};

static void
holder_done (struct holder *h)
{
  free (h->host);
  free (h->kernel);
  free (h->start_time);
}
#define HOLDER(name) __attribute__ ((cleanup (holder_done))) struct holder name = { 0 }

/* Field 22 of /proc/PID/stat (proc(5)), NULL if there is no such process, or only what is left of it until its parent asks. The second field, the name in parentheses, may hold anything. */
static char *
start_time_of (int64_t pid)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("/proc/%" PRId64 "/stat", pid);
  OSM_CLEANUP_FREE char *text = NULL;
  const char *p;
  OSM_ERROR (ignored);

  if (osm_file_read (path, 4096, &text, NULL, &ignored) == -1 || !(p = strrchr (text, ')')) ||
      strncmp (p, ") Z", 3) == 0 || strncmp (p, ") X", 3) == 0)
    return NULL;
  for (int field = 2; field < 22; field++) {
    p = strchr (p + 1, ' ');
    if (!p)
      return NULL;
  }
  return osm_strndup (p + 1, strcspn (p + 1, " \n"));
}

static int
myself (struct holder *ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *boot = NULL;
  char host[HOST_NAME_MAX + 1] = "", pid_space[64] = "";

  if (osm_file_read ("/proc/sys/kernel/random/boot_id", 256, &boot, NULL, err) == -1)
    return -1;
  boot[strcspn (boot, "\n")] = '\0';
  if (readlink ("/proc/self/ns/pid", pid_space, sizeof pid_space - 1) == -1)
    pid_space[0] = '\0';
  gethostname (host, sizeof host - 1);
  ret->host = osm_strdup (host);
  ret->kernel = osm_asprintf ("%s %s", boot, pid_space);
  ret->pid = getpid ();
  ret->start_time = start_time_of (ret->pid);
  ret->heartbeat_ms = osm_wall_ms ();
  if (!ret->start_time)
    return osm_error_set (err, OSM_ERROR_USER, 0, "/proc/self/stat cannot be read");
  return 0;
}

static bool
same (const struct holder *a, const struct holder *b)
{
  return a->pid == b->pid && osm_str_equal (a->kernel, b->kernel) &&
         osm_str_equal (a->start_time, b->start_time);
}

static bool
is_alive (const struct holder *h, const struct holder *me)
{
  if (osm_str_equal (h->kernel, me->kernel)) {
    OSM_CLEANUP_FREE char *start_time = start_time_of (h->pid);

    return osm_str_equal (start_time, h->start_time);
  }
  return h->heartbeat_ms > me->heartbeat_ms - HEARTBEAT_MAX_MS &&
         h->heartbeat_ms < me->heartbeat_ms + HEARTBEAT_MAX_MS;
}

/* 1: there is one, 0: none, -1: error. */
static int
read_holder (struct osm_store *store, const char *id, struct holder *ret, struct osm_error *err)
{
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  int r;

  if (osm_sql_prepare (store, &s, err,
                       "SELECT host, kernel, pid, start_time, heartbeat_ms FROM lease"
                       " WHERE migration = (SELECT number FROM migration WHERE id = ?)",
                       "s", id) == -1)
    return -1;
  r = osm_sql_step (store, s, err);
  if (r == 1) {
    ret->host = osm_sql_text (s, 0);
    ret->kernel = osm_sql_text (s, 1);
    ret->pid = sqlite3_column_int64 (s, 2);
    ret->start_time = osm_sql_text (s, 3);
    ret->heartbeat_ms = sqlite3_column_int64 (s, 4);
  }
  return r;
}

static int
refuse (const char *id, const struct holder *other, struct osm_error *err)
{
  osm_error_set (err, OSM_ERROR_USER, 0,
                 "migration %s is in the hands of another process: pid %" PRId64 " on %s", id,
                 other->pid, other->host);
  return osm_error_hint (err, "'osm-controller watch %s' follows it", id);
}

/* 1: somebody elsewhere holds it whose heartbeat is old, and is not the one that was seen before. */
static int
try_take (struct osm_store *store, const char *id, const struct holder *seen, struct holder *other,
          struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  HOLDER (me);
  int r;

  if (myself (&me, err) == -1 || osm_sql_begin (&t, err) == -1 ||
      (r = read_holder (store, id, other, err)) == -1)
    return -1;
  if (r == 1 && !same (other, &me)) {
    if (is_alive (other, &me))
      return refuse (id, other, err);
    if (!osm_str_equal (other->kernel, me.kernel) &&
        !(same (other, seen) && other->heartbeat_ms == seen->heartbeat_ms))
      return 1;
  }
  r = osm_sql_run (store, err,
                   "INSERT OR REPLACE INTO lease"
                   " (migration, host, kernel, pid, start_time, heartbeat_ms)"
                   " SELECT number, ?, ?, ?, ?, ? FROM migration WHERE id = ?",
                   "ssisis", me.host, me.kernel, me.pid, me.start_time, me.heartbeat_ms, id);
  if (r == -1)
    return -1;
  if (r == 0)
    return osm_error_set (err, OSM_ERROR_USER, 404, "there is no migration '%s'", id);
  return osm_sql_commit (&t, err);
}

/* Until it is renewed or given back, or for so long that it would have been. */
static int
watch (struct osm_store *store, const char *id, const struct holder *seen, struct osm_error *err)
{
  uint64_t end = osm_now_ms () + osm_store_lease_watch_ms;

  osm_info ("migration %s: its lease of pid %" PRId64 " on %s is old; is it renewed?", id,
            seen->pid, seen->host);
  while (osm_now_ms () < end) {
    HOLDER (now);
    int r;

    pthread_mutex_lock (&store->lock);
    r = read_holder (store, id, &now, err);
    pthread_mutex_unlock (&store->lock);
    if (r == -1 ||
        (r == 1 && now.heartbeat_ms == seen->heartbeat_ms && osm_wait_ms (LOOK_MS, err) == -1))
      return -1;
    if (r == 0 || now.heartbeat_ms != seen->heartbeat_ms)
      return 0;
  }
  return 0;
}

int
osm_store_lease_take (struct osm_store *store, const char *id, struct osm_error *err)
{
  HOLDER (none);
  HOLDER (old);
  HOLDER (now);
  int r = try_take (store, id, &none, &old, err);

  if (r != 1)
    return r;
  if (watch (store, id, &old, err) == -1)
    return -1;
  r = try_take (store, id, &old, &now, err);
  return r == 1 ? refuse (id, &now, err) : r;
}

int
osm_store_lease_renew (struct osm_store *store, const char *id, struct osm_error *err)
{
  HOLDER (me);

  if (myself (&me, err) == -1)
    return -1;
  return osm_sql_run_alone (store, "lease of this process any more", err,
                            "UPDATE lease SET heartbeat_ms = ?"
                            " WHERE migration = (SELECT number FROM migration WHERE id = ?)"
                            " AND kernel = ? AND pid = ? AND start_time = ?",
                            "issis", me.heartbeat_ms, id, me.kernel, me.pid, me.start_time);
}

int
osm_store_lease_release (struct osm_store *store, const char *id, struct osm_error *err)
{
  HOLDER (me);

  if (myself (&me, err) == -1)
    return -1;
  return osm_sql_run_alone (store, NULL, err,
                            "DELETE FROM lease"
                            " WHERE migration = (SELECT number FROM migration WHERE id = ?)"
                            " AND kernel = ? AND pid = ? AND start_time = ?",
                            "ssis", id, me.kernel, me.pid, me.start_time);
}

int
osm_store_lease_held (struct osm_store *store, const char *id, bool *ret, char **ret_holder,
                      struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  HOLDER (me);
  HOLDER (holder);
  int r;

  if (myself (&me, err) == -1 || (r = read_holder (store, id, &holder, err)) == -1)
    return -1;
  *ret = r == 1 && is_alive (&holder, &me);
  *ret_holder = *ret ? osm_asprintf ("%s:%" PRId64, holder.host, holder.pid) : NULL;
  return 0;
}
