/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* What every unit test starts with: cmocka and the headers it wants before it. */

#ifndef OSM_TESTS_UNIT_TEST_H
#define OSM_TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
