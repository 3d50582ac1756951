/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Release at scope exit, for every handle of the base libraries.  Declare with the macro, give
 * ownership away with osm_take.
 *
 *   OSM_CLEANUP_FREE char *s = NULL;
 *   OSM_CLEANUP_FD int fd = -1;
 *   OSM_CLEANUP_JSON json_t *body = NULL;
 *   ...
 *   return osm_take (s);
 *
 * Handles of other libraries have their macro beside the only module that uses them (libcurl in
 * controller/cloud/http.c, libssh in the link and the tunnel, sqlite in controller/store). */

#ifndef OSM_COMMON_CLEANUP_H
#define OSM_COMMON_CLEANUP_H

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define osm_take(p)          \
  (__extension__({           \
    __typeof__ (p) t_ = (p); \
    (p) = NULL;              \
    t_;                      \
  }))

static inline int
osm_take_fd (int *fd)
{
  int t = *fd;

  *fd = -1;
  return t;
}

static inline void
osm_cleanup_free (void *p)
{
  free (*(void **)p);
}

static inline void
osm_cleanup_fd (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}

static inline void
osm_cleanup_file (FILE **f)
{
  if (*f)
    fclose (*f);
}

static inline void
osm_cleanup_json (json_t **j)
{
  json_decref (*j);
}

static inline void
osm_cleanup_unlock (pthread_mutex_t **m)
{
  if (*m)
    pthread_mutex_unlock (*m);
}

/* NULL-terminated vector of strings. */
void osm_strv_free (char **v);
static inline void
osm_cleanup_strv (char ***v)
{
  osm_strv_free (*v);
}

#define OSM_CLEANUP_FREE __attribute__ ((cleanup (osm_cleanup_free)))
#define OSM_CLEANUP_FD __attribute__ ((cleanup (osm_cleanup_fd)))
#define OSM_CLEANUP_FILE __attribute__ ((cleanup (osm_cleanup_file)))
#define OSM_CLEANUP_JSON __attribute__ ((cleanup (osm_cleanup_json)))
#define OSM_CLEANUP_STRV __attribute__ ((cleanup (osm_cleanup_strv)))

/* Hold a mutex until the end of the scope. */
#define OSM_LOCKED(m)                                                                    \
  __attribute__ ((cleanup (osm_cleanup_unlock), unused)) pthread_mutex_t *locked_ = (m); \
  pthread_mutex_lock (locked_)

#endif
