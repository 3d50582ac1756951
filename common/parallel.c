/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/parallel.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/strbuf.h"

struct pool {
  const struct osm_task *tasks;
  struct osm_error *errors; /* one per task */
  size_t nr_tasks;
  atomic_size_t next;
  bool hold;
};

static void *
worker (void *data)
{
  struct pool *pool = data;
  size_t i;

  if (pool->hold)
    osm_interrupt_hold ();
  while ((i = atomic_fetch_add (&pool->next, 1)) < pool->nr_tasks) {
    const struct osm_task *task = &pool->tasks[i];
    struct osm_error *err = &pool->errors[i];

    if (task->run (task->data, err) == -1) {
      if (!osm_error_is_set (err))
        osm_error_set (err, OSM_ERROR_BUG, 0, "task %zu failed without saying why", i);
    }
    else {
      osm_error_clear (err);
    }
  }
  if (pool->hold)
    osm_interrupt_release ();
  return NULL;
}

/* The first failure, with the messages of the others behind it. */
static int
collect (struct osm_error *errors, size_t nr_tasks, struct osm_error *err)
{
  const size_t max_also = 8;
  struct osm_error *first = NULL;
  size_t others = 0;

  for (size_t i = 0; i < nr_tasks; i++) {
    char *longer;

    if (!osm_error_is_set (&errors[i]))
      continue;
    if (first == NULL) {
      first = &errors[i];
      continue;
    }
    if (++others > max_also)
      continue;
    longer = osm_asprintf ("%s; also: %s", first->message, errors[i].message);
    free (first->message);
    first->message = longer;
  }
  if (first == NULL)
    return 0;
  if (others > max_also) {
    char *longer = osm_asprintf ("%s; and %zu more", first->message, others - max_also);

    free (first->message);
    first->message = longer;
  }
  if (!osm_error_is_set (err))
    osm_error_move (err, first);
  return -1;
}

int
osm_parallel (const struct osm_task *tasks, size_t nr_tasks, struct osm_error *err)
{
  struct pool pool = { .tasks = tasks, .nr_tasks = nr_tasks, .hold = osm_interrupt_held () };
  pthread_t threads[OSM_PARALLEL_MAX];
  size_t nr_threads = 0;
  int r;

  pool.errors = osm_calloc (nr_tasks, sizeof *pool.errors);
  /* The calling thread is one of the workers, so a machine that gives no threads still works. */
  while (nr_threads + 1 < nr_tasks && nr_threads < OSM_PARALLEL_MAX - 1) {
    if (pthread_create (&threads[nr_threads], NULL, worker, &pool) != 0)
      break;
    nr_threads++;
  }
  worker (&pool);
  for (size_t i = 0; i < nr_threads; i++)
    pthread_join (threads[i], NULL);
  r = collect (pool.errors, nr_tasks, err);
  for (size_t i = 0; i < nr_tasks; i++)
    osm_error_done (&pool.errors[i]);
  free (pool.errors);
  return r;
}
