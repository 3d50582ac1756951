/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/coredump.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"

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
