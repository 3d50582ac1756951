/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/suggest.h"

#include <stdint.h>
#include <string.h>

#define MAX_WORD 31
#define MAX_DISTANCE 3

/* Levenshtein distance of words of at most MAX_WORD characters. */
static size_t
distance (const char *a, size_t la, const char *b, size_t lb)
{
  size_t row[MAX_WORD + 1];

  if (la > MAX_WORD || lb > MAX_WORD)
    return SIZE_MAX;
  for (size_t j = 0; j <= lb; j++)
    row[j] = j;
  for (size_t i = 1; i <= la; i++) {
    size_t diagonal = row[0];

    row[0] = i;
    for (size_t j = 1; j <= lb; j++) {
      size_t change = diagonal + (a[i - 1] != b[j - 1]);

      diagonal = row[j];
      row[j] = change;
      if (diagonal + 1 < row[j])
        row[j] = diagonal + 1;
      if (row[j - 1] + 1 < row[j])
        row[j] = row[j - 1] + 1;
    }
  }
  return row[lb];
}

struct osm_suggestion
osm_suggestion_for_mem (const char *word, size_t len)
{
  return (
      struct osm_suggestion){ .word = word, .word_len = len, .best_distance = MAX_DISTANCE + 1 };
}

struct osm_suggestion
osm_suggestion_for (const char *word)
{
  return osm_suggestion_for_mem (word, strlen (word));
}

void
osm_suggestion_offer (struct osm_suggestion *s, const char *known)
{
  size_t len = strlen (known), d = distance (s->word, s->word_len, known, len);

  /* A beginning of the word is the likeliest slip. */
  if (s->word_len > 0 && s->word_len < len && memcmp (known, s->word, s->word_len) == 0)
    d = 0;
  /* A word of which hardly a letter is left is no suggestion. */
  if (d < s->best_distance && d < len && d < s->word_len) {
    s->best = known;
    s->best_distance = d;
  }
}
