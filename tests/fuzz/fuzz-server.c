/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nbd/server.h"
#include "tests/fuzz/fuzz.h"

/* A NBD client that says anything. The first byte: whether it has shaken hands already. */

#define SIZE (1 << 20)

static const char hands[] = "\0\0\0\3"
                            "IHAVEOPT\0\0\0\10\0\0\0\0"
                            "IHAVEOPT\0\0\0\12\0\0\0\33\0\0\0\0\0\0\0\1\0\0\0\17"
                            "base:allocation"
                            "IHAVEOPT\0\0\0\7\0\0\0\6\0\0\0\0\0\0";

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static struct osm_volume *volume;
  static int null;
  int fds[2];
  OSM_ERROR (err);

  if (!volume) {
    struct osm_volume_options options = { .fd = memfd_create ("volume", MFD_CLOEXEC),
                                          .size_bytes = SIZE };

    ASSERT (ftruncate (options.fd, SIZE) == 0);
    ASSERT (pwrite (options.fd, "data", 4, SIZE / 2) == 4);
    ASSERT (osm_volume_new (&options, &volume, &err) == 0);
    null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
    signal (SIGPIPE, SIG_IGN);
  }
  if (size == 0)
    return 0;
  ASSERT (pipe (fds) == 0); /* holds 64 KiB */
  if (data[0] & 1)
    ASSERT (write (fds[1], hands, sizeof hands - 1) == sizeof hands - 1);
  ASSERT (write (fds[1], data + 1, size - 1) == (ssize_t)(size - 1));
  close (fds[1]);
  (void)osm_serve (volume, fds[0], null, &err);
  close (fds[0]);
  return 0;
}
