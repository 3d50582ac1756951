/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* One quoting function per language. */

#ifndef OSM_COMMON_QUOTE_H
#define OSM_COMMON_QUOTE_H

/* POSIX shell word: always inside single quotes.  Caller frees. */
char *osm_quote_shell (const char *s);
/* YAML (and JSON) double-quoted scalar, with its quotes; not UTF-8 bytes become U+FFFD. Caller frees. */
char *osm_quote_yaml (const char *s);
/* JSON text whose characters that steer a terminal, of which JSON itself escapes only the oldest, are written as \uNNNN: the same
 * value to every parser. Caller frees. */
char *osm_quote_json (const char *json);
/* RFC 3986 percent-encoding of everything but unreserved characters. Caller frees. */
char *osm_quote_url (const char *s);
/* Replace control characters and invalid UTF-8 by \xNN: for terminals and logs. NULL gives NULL. Caller frees. */
char *osm_quote_terminal (const char *s);

#endif
