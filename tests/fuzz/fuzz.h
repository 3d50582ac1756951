/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What the fuzz targets have in common. Each is a program of its own: libFuzzer calls the function with its inputs. */

#ifndef OSM_TESTS_FUZZ_H
#define OSM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* What must never be, whatever the input. */
#define ASSERT(condition) \
  do                      \
    if (!(condition))     \
      abort ();           \
  while (0)

#endif
