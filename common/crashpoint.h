/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Points at which a test ends this program with SIGKILL, as a crash or a lost machine would. There are none unless osm was configured
 * with --enable-crash-points.
 *
 *   osm_crash_where ("copy");                                 what is being done, for the names of the points that follow
 *   osm_crash_point (OSM_CRASH_BEFORE, "journal step-begin");
 *   ...
 *   osm_crash_point (OSM_CRASH_AFTER, "journal step-begin");
 *
 * A point is called "WHERE: WHAT: before|during|after" and the number of times it was passed, "#1" being the first. In the environment,
 * OSM_CRASH_TRACE=FILE has each point appended to the file, after the number of its thread; OSM_CRASH_AT=NAME#NUMBER ends the program
 * there. OSM_CRASH_DURING stands right before what happens outside of this program: the end comes a moment later, in the middle of it. */

#ifndef OSM_COMMON_CRASHPOINT_H
#define OSM_COMMON_CRASHPOINT_H

enum osm_crash { OSM_CRASH_BEFORE, OSM_CRASH_DURING, OSM_CRASH_AFTER };

#ifdef OSM_CRASH_POINTS
void osm_crash_where (const char *where);
void osm_crash_point (enum osm_crash when, const char *what);
#else
static inline void
osm_crash_where (const char *where)
{
  (void)where;
}

static inline void
osm_crash_point (enum osm_crash when, const char *what)
{
  (void)when;
  (void)what;
}
#endif

#endif
