/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <string.h>

#include "nbd/client.h"
#include "tests/fuzz/fuzz.h"

/* A NBD server that says anything. What it says may end the connection; it must not write beside the buffers that were offered,
 * finish a request twice, or finish a read that was not filled. The first byte is the length of the pieces. */

#define READS 4
#define LENGTH 4096
#define STATUS 1048576

struct server {
  const uint8_t *data;
  size_t left, piece;
};

struct client {
  unsigned char memory[READS][LENGTH];
  unsigned finished[READS], status, extents;
  uint64_t covered;
};

static int
server_receive (void *data, int timeout_ms, osm_sink_fn sink, void *sink_data,
                struct osm_error *err)
{
  struct server *s = data;
  size_t n = s->left < s->piece ? s->left : s->piece;

  (void)timeout_ms;
  if (n == 0)
    return osm_error_set (err, OSM_ERROR_RETRY, 0, "end");
  s->data += n;
  s->left -= n;
  return sink (sink_data, s->data - n, n, err) == -1 ? -1 : 1;
}

static int
server_write (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  (void)data;
  (void)bytes;
  (void)len;
  (void)err;
  return 0;
}

static void
read_done (void *data, void *cookie, int error)
{
  struct client *c = data;
  size_t i = (size_t)((unsigned char (*)[LENGTH])cookie - c->memory);

  (void)error;
  ASSERT (i < READS);
  ASSERT (++c->finished[i] == 1);
}

static void
extent (void *data, void *cookie, uint64_t length, bool zero)
{
  struct client *c = data;

  (void)cookie;
  (void)zero;
  ASSERT (c->status == 0);
  ASSERT (length > 0);
  ASSERT (c->covered < STATUS); /* only the last may reach beyond */
  c->covered += length;
  c->extents++;
}

static void
status_done (void *data, void *cookie, int error)
{
  struct client *c = data;

  (void)cookie;
  (void)error;
  ASSERT (++c->status == 1);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct server server;
  struct client *client;
  const struct osm_stream stream = { .receive = server_receive,
                                     .write = server_write,
                                     .data = &server };
  struct osm_nbd_callbacks callbacks = { .read_done = read_done,
                                         .extent = extent,
                                         .status_done = status_done };
  struct osm_nbd *nbd;
  OSM_ERROR (err);
  int r;

  if (size == 0)
    return 0;
  server = (struct server){ .data = data + 1, .left = size - 1, .piece = data[0] ? data[0] : size };
  client = calloc (1, sizeof *client);
  ASSERT (client);
  callbacks.data = client;
  nbd = osm_nbd_new (&stream, "", &callbacks);
  while ((r = osm_nbd_handshake (nbd, 0, &err)) == 0)
    ;
  /* The engine does not ask beyond what the server has. */
  if (r == 1 && osm_nbd_size (nbd) >= STATUS) {
    if (osm_nbd_has_extents (nbd))
      ASSERT (osm_nbd_block_status (nbd, STATUS, 0, client, &err) == 0);
    if (osm_nbd_max_request (nbd) >= LENGTH)
      for (unsigned i = 0; i < READS; i++)
        ASSERT (osm_nbd_read (nbd, client->memory[i], LENGTH, (uint64_t)i * LENGTH,
                              client->memory[i], &err) == 0);
    while (osm_nbd_receive (nbd, 0, &err) >= 0)
      ;
    ASSERT (osm_error_is_set (&err));
  }
  osm_nbd_free (nbd);
  free (client);
  return 0;
}
