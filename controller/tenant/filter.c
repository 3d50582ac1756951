/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/filter.h"

#include <fnmatch.h>
#include <regex.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/strbuf.h"

struct pattern {
  enum { EXACT, GLOB, REGEX } kind;
  char *text;
  regex_t regex; /* if it is one */
};

struct osm_filter {
  struct pattern *patterns;
  size_t nr;
  bool with_names; /* then these, and what the other one takes */
  const struct osm_filter *other;
  json_t *names;
};

static int
add_regex (struct pattern *p, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *inner = osm_strndup (p->text + 1, strlen (p->text) - 2);
  char why[200];
  int r = regcomp (&p->regex, inner, REG_EXTENDED | REG_NOSUB);

  if (r == 0) {
    p->kind = REGEX;
    return 0;
  }
  regerror (r, NULL, why, sizeof why);
  return osm_error_set (err, OSM_ERROR_USER, 0, "--filter %s: not a regular expression: %s",
                        p->text, why);
}

int
osm_filter_new (char *const *patterns, struct osm_filter **ret, struct osm_error *err)
{
  OSM_CLEANUP_FILTER struct osm_filter *filter = osm_calloc (1, sizeof *filter);
  size_t nr = osm_strv_len (patterns);

  filter->patterns = osm_calloc (nr + 1, sizeof *filter->patterns);
  for (size_t i = 0; i < nr; i++) {
    struct pattern *p = &filter->patterns[filter->nr++];
    size_t len = strlen (patterns[i]);

    p->text = osm_strdup (patterns[i]);
    p->kind = strpbrk (p->text, "*?[") ? GLOB : EXACT;
    if (len > 2 && p->text[0] == '/' && p->text[len - 1] == '/') {
      p->kind = EXACT; /* until it is compiled */
      if (add_regex (p, err) == -1)
        return -1;
    }
  }
  *ret = osm_take (filter);
  return 0;
}

struct osm_filter *
osm_filter_with_names (const struct osm_filter *other, const json_t *names)
{
  struct osm_filter *filter = osm_calloc (1, sizeof *filter);

  filter->with_names = true;
  filter->other = other;
  filter->names = json_incref ((json_t *)names);
  return filter;
}

void
osm_filter_free (struct osm_filter *filter)
{
  if (!filter)
    return;
  for (size_t i = 0; i < filter->nr; i++) {
    free (filter->patterns[i].text);
    if (filter->patterns[i].kind == REGEX)
      regfree (&filter->patterns[i].regex);
  }
  free (filter->patterns);
  json_decref (filter->names);
  free (filter);
}

static bool
takes (const struct pattern *p, const char *name)
{
  if (p->kind == REGEX)
    return regexec (&p->regex, name, 0, NULL, 0) == 0;
  return p->kind == GLOB ? fnmatch (p->text, name, 0) == 0 : strcmp (p->text, name) == 0;
}

bool
osm_filter_takes (const struct osm_filter *filter, const char *name)
{
  if (filter->with_names)
    return (name && json_object_get (filter->names, name)) ||
           (filter->other && osm_filter_takes (filter->other, name));
  for (size_t i = 0; i < filter->nr; i++)
    if (takes (&filter->patterns[i], name ? name : ""))
      return true;
  return filter->nr == 0;
}
