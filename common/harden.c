/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/harden.h"

#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

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

/* Credentials, tokens and user data are strings in JSON objects. */
static void
wipe_and_free (void *p)
{
  if (p)
    explicit_bzero (p, malloc_usable_size (p));
  free (p);
}

void
osm_no_core_dumps (void)
{
  const struct rlimit none = { 0, 0 };
  /* A core_pattern that is a pipe does not ask for the limit: this filter is inherited, too, and leaves all memory out (core(5)).
   * It must come before the last line, after which the file is root's. */
  OSM_CLEANUP_FD int fd = open ("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

  if (fd >= 0 && write (fd, "0", 1) != 1) {
    /* A kernel without it. */
  }
  setrlimit (RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they trace themselves */
  prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void
osm_harden (void)
{
  fill_standard_descriptors ();
  umask (077);
  json_set_alloc_funcs (malloc, wipe_and_free);
  osm_no_core_dumps ();
}
