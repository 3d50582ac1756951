/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/parse.h"
#include "common/strbuf.h"

static int
value_of (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
osm_chunks_parse_hex (const char *text, uint64_t chunks, unsigned char *ret)
{
  uint64_t n = chunks * OSM_CHUNK_DIGEST_LEN;

  if (!text || chunks > OSM_CHUNKS_MAX || strlen (text) != 2 * n)
    return false;
  for (uint64_t i = 0; i < n; i++) {
    int high = value_of (text[2 * i]), low = value_of (text[2 * i + 1]);

    if (high < 0 || low < 0)
      return false;
    ret[i] = (unsigned char)(high << 4 | low);
  }
  return true;
}

void
osm_chunk_hex (const unsigned char *digest, char *ret)
{
  static const char digits[] = "0123456789abcdef";

  for (size_t i = 0; i < OSM_CHUNK_DIGEST_LEN; i++) {
    ret[2 * i] = digits[digest[i] >> 4];
    ret[2 * i + 1] = digits[digest[i] & 15];
  }
  ret[2 * OSM_CHUNK_DIGEST_LEN] = '\0';
}

int
osm_chunks_save (const char *state_dir, const char *migration_id, const char *volume_id,
                 const unsigned char *digests, uint64_t chunks, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = NULL, *path = NULL;

  /* They are ids of a cloud, but nothing from a cloud becomes a path unseen. */
  if (!osm_is_safe_name (migration_id) || !osm_is_safe_name (volume_id))
    return osm_error_set (err, OSM_ERROR_REMOTE, EINVAL, "'%s' is no id of a volume", volume_id);
  folder = osm_asprintf ("%s/manifests/%s", state_dir, migration_id);
  path = osm_asprintf ("%s/%s", folder, volume_id);
  if (osm_mkdir_p (folder, 0700, err) == -1)
    return -1;
  return osm_file_write (path, digests, chunks * OSM_CHUNK_DIGEST_LEN, 0600, err);
}

int
osm_chunks_load (const char *state_dir, const char *migration_id, const char *volume_id,
                 uint64_t chunks, unsigned char **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = NULL, *data = NULL;
  size_t len;

  if (!osm_is_safe_name (migration_id) || !osm_is_safe_name (volume_id) || chunks > OSM_CHUNKS_MAX)
    return osm_error_set (err, OSM_ERROR_USER, ENOENT, "'%s' is no id of a volume", volume_id);
  path = osm_asprintf ("%s/manifests/%s/%s", state_dir, migration_id, volume_id);
  if (!osm_file_exists (path))
    return osm_error_set (err, OSM_ERROR_USER, ENOENT, "there is no file %s", path);
  if (osm_file_read (path, chunks * OSM_CHUNK_DIGEST_LEN, &data, &len, err) == -1)
    return -1;
  if (len != chunks * OSM_CHUNK_DIGEST_LEN)
    return osm_error_set (err, OSM_ERROR_USER, 0, "%s has %zu bytes, expected %" PRIu64, path, len,
                          chunks * OSM_CHUNK_DIGEST_LEN);
  *ret = (unsigned char *)osm_take (data);
  return 0;
}

int
osm_chunks_forget (const char *state_dir, const char *migration_id, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *folder = NULL;
  const struct dirent *e;
  int failed = 0;
  DIR *d;

  if (!osm_is_safe_name (migration_id))
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "'%s' is no id of a migration",
                          migration_id);
  folder = osm_asprintf ("%s/manifests/%s", state_dir, migration_id);
  d = opendir (folder);
  if (!d)
    return errno == ENOENT ? 0 : osm_error_set_errno (err, errno, "the folder %s", folder);
  while ((e = readdir (d)) != NULL)
    if (strcmp (e->d_name, ".") != 0 && strcmp (e->d_name, "..") != 0 &&
        unlinkat (dirfd (d), e->d_name, 0) == -1 && errno != ENOENT)
      failed = errno;
  closedir (d);
  if (!failed && rmdir (folder) == -1 && errno != ENOENT)
    failed = errno;
  return failed ? osm_error_set_errno (err, failed, "delete the folder %s", folder) : 0;
}
