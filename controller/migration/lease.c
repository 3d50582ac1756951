/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/lease.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/strbuf.h"

#define RENEW_SECONDS 15

struct osm_lease_keeper {
  struct osm_store *store;
  char *migration_id;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  bool stop;
};

static void *
keep (void *data)
{
  struct osm_lease_keeper *k = data;

  pthread_mutex_lock (&k->lock);
  while (!k->stop) {
    struct timespec until;
    OSM_ERROR (err);

    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += RENEW_SECONDS;
    if (pthread_cond_timedwait (&k->wake, &k->lock, &until) != ETIMEDOUT || k->stop)
      continue;
    pthread_mutex_unlock (&k->lock);
    if (osm_store_lease_renew (k->store, k->migration_id, &err) == -1)
      osm_warning ("migration %s: lease not renewed: %s", k->migration_id, err.message);
    pthread_mutex_lock (&k->lock);
  }
  pthread_mutex_unlock (&k->lock);
  return NULL;
}

int
osm_lease_keeper_new (struct osm_store *store, const char *migration_id,
                      struct osm_lease_keeper **ret, struct osm_error *err)
{
  struct osm_lease_keeper *k;
  pthread_condattr_t attributes;
  int r;

  if (osm_store_lease_take (store, migration_id, err) == -1)
    return -1;
  k = osm_calloc (1, sizeof *k);
  k->store = store;
  k->migration_id = osm_strdup (migration_id);
  pthread_mutex_init (&k->lock, NULL);
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&k->wake, &attributes);
  pthread_condattr_destroy (&attributes);
  r = pthread_create (&k->thread, NULL, keep, k);
  if (r != 0) {
    OSM_ERROR (ignored);

    k->stop = true;
    osm_store_lease_release (store, migration_id, &ignored);
    pthread_cond_destroy (&k->wake);
    pthread_mutex_destroy (&k->lock);
    free (k->migration_id);
    free (k);
    return osm_error_set_errno (err, r, "start the thread that keeps the lease");
  }
  *ret = k;
  return 0;
}

void
osm_lease_keeper_free (struct osm_lease_keeper *k)
{
  OSM_ERROR (err);

  if (!k)
    return;
  pthread_mutex_lock (&k->lock);
  k->stop = true;
  pthread_cond_signal (&k->wake);
  pthread_mutex_unlock (&k->lock);
  pthread_join (k->thread, NULL);
  if (osm_store_lease_release (k->store, k->migration_id, &err) == -1)
    osm_warning ("migration %s: lease not given back: %s", k->migration_id, err.message);
  pthread_cond_destroy (&k->wake);
  pthread_mutex_destroy (&k->lock);
  free (k->migration_id);
  free (k);
}
