/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "common/frame.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/strbuf.h"

#define HEADER 4

static uint32_t
get_length (const unsigned char *p)
{
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
check_length (uint32_t len, struct osm_error *err)
{
  if (len == 0 || len > OSM_FRAME_MAX)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "control channel: a frame of %u bytes, allowed are 1 to %d", len,
                          OSM_FRAME_MAX);
  return 0;
}

static int
parse_object (const unsigned char *text, size_t len, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *object = NULL;

  if (osm_json_parse ((const char *)text, len, "control channel: frame", &object, err) == -1)
    return -1;
  if (!json_is_object (object))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "control channel: a frame holds something else than an object");
  *ret = osm_take (object);
  return 0;
}

/* 1: all bytes, 0: the stream ended before the first one, -1: error. */
static int
read_all (const struct osm_frame_io *io, unsigned char *buf, size_t len, struct osm_error *err)
{
  size_t done = 0;

  while (done < len) {
    ssize_t r = io->read (io->data, buf + done, len - done, err);

    if (r < 0)
      return -1;
    if (r == 0 && done == 0)
      return 0;
    if (r == 0 || (size_t)r > len - done)
      return osm_error_set (err, OSM_ERROR_RETRY, ECONNRESET,
                            "control channel: the stream ended inside a frame");
    done += (size_t)r;
  }
  return 1;
}

int
osm_frame_read (const struct osm_frame_io *io, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE unsigned char *text = NULL;
  unsigned char header[HEADER];
  uint32_t len;
  int r;

  r = read_all (io, header, sizeof header, err);
  if (r == 0)
    *ret = NULL;
  if (r <= 0)
    return r;
  len = get_length (header);
  if (check_length (len, err) == -1)
    return -1;
  text = osm_realloc (NULL, len, 1);
  r = read_all (io, text, len, err);
  if (r == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, ECONNRESET,
                          "control channel: the stream ended inside a frame");
  if (r == -1)
    return -1;
  return parse_object (text, len, ret, err);
}

int
osm_frame_encode (const json_t *object, char **ret_data, size_t *ret_len, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = NULL;
  unsigned char *data;
  size_t len;

  if (!json_is_object (object))
    return osm_error_set (err, OSM_ERROR_BUG, 0, "control channel: only objects can be sent");
  text = osm_json_dump (object);
  len = strlen (text);
  if (len > OSM_FRAME_MAX)
    return osm_error_set (err, OSM_ERROR_BUG, EMSGSIZE,
                          "control channel: message of %zu bytes, allowed are %d", len,
                          OSM_FRAME_MAX);
  data = osm_realloc (NULL, HEADER + len, 1);
  data[0] = (unsigned char)(len >> 24);
  data[1] = (unsigned char)(len >> 16);
  data[2] = (unsigned char)(len >> 8);
  data[3] = (unsigned char)len;
  memcpy (data + HEADER, text, len);
  *ret_data = (char *)data;
  *ret_len = HEADER + len;
  return 0;
}

int
osm_frame_write (const struct osm_frame_io *io, const json_t *object, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *data = NULL;
  size_t len;

  if (osm_frame_encode (object, &data, &len, err) == -1)
    return -1;
  return io->write (io->data, data, len, err);
}

void
osm_frame_parser_done (struct osm_frame_parser *p)
{
  free (p->buf);
  *p = (struct osm_frame_parser){ 0 };
}

int
osm_frame_parser_feed (struct osm_frame_parser *p, const void *data, size_t len,
                       struct osm_error *err)
{
  const size_t max = OSM_FRAME_PARSER_MAX;

  if (len > max - p->len)
    return osm_error_set (err, OSM_ERROR_REMOTE, EMSGSIZE,
                          "control channel: more than %zu bytes wait to be taken", max);
  if (p->len + len > p->allocated) {
    size_t size = p->allocated ? p->allocated : 4096;

    while (size < p->len + len)
      size *= 2;
    p->buf = osm_realloc (p->buf, size, 1);
    p->allocated = size;
  }
  if (len > 0)
    memcpy (p->buf + p->len, data, len);
  p->len += len;
  return 0;
}

int
osm_frame_parser_take (struct osm_frame_parser *p, json_t **ret, struct osm_error *err)
{
  uint32_t len;

  if (p->len < HEADER) {
    *ret = NULL;
    return 0;
  }
  len = get_length (p->buf);
  if (check_length (len, err) == -1)
    return -1;
  if (p->len - HEADER < len) {
    *ret = NULL;
    return 0;
  }
  if (parse_object (p->buf + HEADER, len, ret, err) == -1)
    return -1;
  p->len -= HEADER + len;
  memmove (p->buf, p->buf + HEADER + len, p->len);
  return 0;
}

static ssize_t
fds_read (void *data, void *buf, size_t len, struct osm_error *err)
{
  const struct osm_frame_fds *fds = data;
  ssize_t r;

  do
    r = read (fds->in, buf, len);
  while (r == -1 && errno == EINTR);
  if (r == -1)
    return osm_error_set_errno (err, errno, "control channel: read");
  return r;
}

static int
fds_write (void *data, const void *buf, size_t len, struct osm_error *err)
{
  const struct osm_frame_fds *fds = data;

  if (osm_write_full (fds->out, buf, len, err) == -1)
    return osm_error_wrap (err, "control channel");
  return 0;
}

struct osm_frame_io
osm_frame_io_fds (struct osm_frame_fds *fds)
{
  return (struct osm_frame_io){ .read = fds_read, .write = fds_write, .data = fds };
}
