/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Strict parsing of numbers, sizes, durations and identifiers, and their printing for people. */

#ifndef OSM_COMMON_PARSE_H
#define OSM_COMMON_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* Decimal digits only (no sign, blank, or empty string), within [min, max].
 * `what` names the thing in the message. */
int osm_parse_uint (const char *s, const char *what, uint64_t min, uint64_t max, uint64_t *ret,
                    struct osm_error *err);
/* "4096", "64K", "64M", "10G", "1T" (powers of 1024; KiB, MiB ... accepted) -> bytes. */
int osm_parse_size (const char *s, const char *what, uint64_t *ret_bytes, struct osm_error *err);
/* Bytes per second: "50M" as in osm_parse_size, "200Mbit" (kbit, Mbit, Gbit: decimal bits), "unlimited": 0. At least 1024. */
int osm_parse_rate (const char *s, const char *what, uint64_t *ret_bytes_per_second,
                    struct osm_error *err);
/* "500ms", "30s" or "30", "5m", "2h" -> milliseconds. */
int osm_parse_duration (const char *s, const char *what, uint64_t *ret_ms, struct osm_error *err);
/* "true/false/yes/no/on/off/1/0" */
int osm_parse_bool (const char *s, const char *what, bool *ret, struct osm_error *err);

/* 8-4-4-4-12 hexadecimal digits. */
bool osm_is_uuid (const char *s);
/* [A-Za-z0-9][A-Za-z0-9._-]*, at most 128 characters: safe as a file name and in a path. */
bool osm_is_safe_name (const char *s);
/* A fresh random UUID (getrandom), lower case. */
#define OSM_UUID_LEN 36
void osm_uuid_new (char ret[OSM_UUID_LEN + 1]);

/* For people: "1.5 GiB", "12.0 MiB", "3m 20s", "1h 05m". Buffers of OSM_HUMAN_LEN. */
#define OSM_HUMAN_LEN 32
const char *osm_human_size (uint64_t bytes, char buf[OSM_HUMAN_LEN]);
const char *osm_human_duration (uint64_t ms, char buf[OSM_HUMAN_LEN]);

/* Checked arithmetic: false on overflow. */
static inline bool
osm_add_u64 (uint64_t a, uint64_t b, uint64_t *ret)
{
  return !__builtin_add_overflow (a, b, ret);
}
static inline bool
osm_mul_u64 (uint64_t a, uint64_t b, uint64_t *ret)
{
  return !__builtin_mul_overflow (a, b, ret);
}

#endif
