/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* "Did you mean ...?": the known word nearest to one that is not known.
 *
 *   struct osm_suggestion s = osm_suggestion_for ("lsit");
 *   osm_suggestion_offer (&s, "list");   for each known word
 *   if (s.best) osm_error_hint (err, "did you mean '%s'?", s.best);
 */

#ifndef OSM_COMMON_SUGGEST_H
#define OSM_COMMON_SUGGEST_H

#include <stddef.h>

struct osm_suggestion {
  const char *word; /* borrowed, as are the offers */
  size_t word_len;
  const char *best; /* NULL: none is near enough */
  size_t best_distance;
};

struct osm_suggestion osm_suggestion_for (const char *word);
struct osm_suggestion osm_suggestion_for_mem (const char *word, size_t len);
void osm_suggestion_offer (struct osm_suggestion *s, const char *known);

#endif
