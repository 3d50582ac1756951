/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Log lines for operators: to stderr, or to the journal when the service runs under systemd.
 * Library folders (common/, nbd/) use osm_debug only; the two programs log once, at the top.
 * Control characters in what is logged are written as \xNN, so that no name from a cloud can
 * forge a line or drive a terminal. */

#ifndef OSM_COMMON_LOG_H
#define OSM_COMMON_LOG_H

#include <stdbool.h>

enum osm_log_level { OSM_LOG_ERROR, OSM_LOG_WARNING, OSM_LOG_INFO, OSM_LOG_DEBUG, OSM_LOG_TRACE };

/* program is prefixed to each line.  Default level: WARNING. */
void osm_log_init (const char *program, enum osm_log_level level);
void osm_log_set_level (enum osm_log_level level);
bool osm_log_enabled (enum osm_log_level level);

/* A function that sees each finished line instead of stderr (a progress display redraws around it);
 * NULL restores stderr.  Called with the log lock held. */
void osm_log_set_sink (void (*sink) (void *data, enum osm_log_level level, const char *line),
                       void *data);

void osm_log (enum osm_log_level level, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));
#define osm_warning(...) osm_log (OSM_LOG_WARNING, __VA_ARGS__)
#define osm_info(...) osm_log (OSM_LOG_INFO, __VA_ARGS__)
#define osm_debug(...) osm_log (OSM_LOG_DEBUG, __VA_ARGS__)
#define osm_trace(...) osm_log (OSM_LOG_TRACE, __VA_ARGS__)

#endif
