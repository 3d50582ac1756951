/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/harden.h"

#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/coredump.h"

/* The lowest free number is what open gives. */
static void
fill_standard_descriptors (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd <= STDERR_FILENO && fcntl (fd, F_SETFD, 0) == 0);
  if (fd > STDERR_FILENO)
    close (fd);
}

void
osm_wipe_and_free (void *p)
{
  if (p)
    explicit_bzero (p, malloc_usable_size (p));
  free (p);
}

void *
osm_wipe_and_realloc (void *p, size_t size)
{
  size_t had = p ? malloc_usable_size (p) : 0;
  void *q = malloc (size);

  if (!q)
    return NULL;
  if (p)
    memcpy (q, p, had < size ? had : size);
  osm_wipe_and_free (p);
  return q;
}

void
osm_harden (void)
{
  fill_standard_descriptors ();
  umask (077);
  /* Credentials, tokens and user data are strings in JSON objects. */
  json_set_alloc_funcs (malloc, osm_wipe_and_free);
  osm_no_core_dumps ();
}
