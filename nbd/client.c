/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/client.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/strbuf.h"
#include "nbd/wire.h"

#define MAX_REQUEST_DEFAULT (UINT32_C (32) << 20) /* what a server has to take that does not say */
#define OPTION_BODY_MAX 65536u
#define ERROR_BODY_MAX 8192u
#define STATUS_BODY_MAX (4u + (8u << 20)) /* a million extents: that is what nbdkit says at most */
#define OPTION_REPLIES_MAX 64             /* of one option: a server that never ends is none */

struct request {
  bool used, is_read;
  uint64_t cookie; /* on the wire */
  void *user;
  char *buf;
  uint64_t offset;
  uint32_t length, got;
  int error;
};

struct osm_nbd {
  struct osm_stream stream;
  const char *export;
  struct osm_nbd_callbacks callbacks;
  bool dead, ready, structured, extents;
  uint64_t size;
  uint32_t max_request, context_id;

  /* Where the next bytes go: payload first, if there is any; else `want` bytes into head, then `next` looks at them. */
  char *payload;
  size_t payload_left;
  char *head;
  size_t have, want, allocated;
  int (*next) (struct osm_nbd *nbd, struct osm_error *err);

  uint32_t option; /* that waits for its answer */
  unsigned option_replies;
  uint64_t option_sent_us, rtt_us;
  struct request *current; /* whose answer is being read */
  uint16_t chunk_flags, chunk_type;
  uint32_t chunk_length;

  uint64_t serial;
  unsigned nr_requests;
  struct request requests[OSM_NBD_REQUESTS_MAX];
};

static int
broken (struct osm_error *err, const char *what)
{
  return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "the NBD server breaks the protocol: %s",
                        what);
}

static void
expect (struct osm_nbd *nbd, size_t want, int (*next) (struct osm_nbd *, struct osm_error *))
{
  if (want > nbd->allocated) {
    nbd->head = osm_realloc (nbd->head, want, 1);
    nbd->allocated = want;
  }
  nbd->have = 0;
  nbd->want = want;
  nbd->next = next;
}

static int
write_all (struct osm_nbd *nbd, const void *bytes, size_t len, struct osm_error *err)
{
  if (nbd->stream.write (nbd->stream.data, bytes, len, err) == 0)
    return 0;
  nbd->dead = true;
  return -1;
}

/* ---- answers ---- */

static int on_magic (struct osm_nbd *nbd, struct osm_error *err);

static struct request *
find_request (struct osm_nbd *nbd, uint64_t cookie)
{
  struct request *r = &nbd->requests[cookie % OSM_NBD_REQUESTS_MAX];

  return r->used && r->cookie == cookie ? r : NULL;
}

static int
complete (struct osm_nbd *nbd, struct request *r, struct osm_error *err)
{
  const struct osm_nbd_callbacks *cb = &nbd->callbacks;

  if (r->is_read && !r->error && r->got != r->length)
    return broken (err, "an answer is shorter than what was asked for");
  r->used = false;
  nbd->nr_requests--;
  if (r->is_read)
    cb->read_done (cb->data, r->user, r->error);
  else
    cb->status_done (cb->data, r->user, r->error);
  return 0;
}

static int
chunk_done (struct osm_nbd *nbd, struct osm_error *err)
{
  expect (nbd, 4, on_magic);
  return nbd->chunk_flags & CHUNK_DONE ? complete (nbd, nbd->current, err) : 0;
}

/* NBD's numbers are those of Linux. */
static int
error_of (uint32_t code)
{
  return code < 4096 ? (int)code : EIO;
}

static int
start_payload (struct osm_nbd *nbd, uint32_t length)
{
  nbd->payload = nbd->current->buf + nbd->current->got;
  nbd->payload_left = length;
  nbd->current->got += length;
  nbd->want = 0;
  return 0;
}

static int
on_simple (struct osm_nbd *nbd, struct osm_error *err)
{
  struct request *r = find_request (nbd, get64 (nbd->head + 4));

  if (!r || !r->is_read || r->got > 0)
    return broken (err, "a simple answer to nothing that was asked");
  r->error = error_of (get32 (nbd->head));
  nbd->current = r;
  nbd->chunk_flags = CHUNK_DONE;
  return r->error ? chunk_done (nbd, err) : start_payload (nbd, r->length);
}

static int
on_data_offset (struct osm_nbd *nbd, struct osm_error *err)
{
  const struct request *r = nbd->current;
  uint32_t length = nbd->chunk_length - 8;

  /* Any order would be allowed; all servers keep it, and then nothing can be missing. */
  if (get64 (nbd->head) != r->offset + r->got || length > r->length - r->got)
    return broken (err, "data that was not asked for");
  return start_payload (nbd, length);
}

static int
on_hole (struct osm_nbd *nbd, struct osm_error *err)
{
  struct request *r = nbd->current;
  uint32_t length = get32 (nbd->head + 8);

  if (get64 (nbd->head) != r->offset + r->got || length == 0 || length > r->length - r->got)
    return broken (err, "a hole that was not asked for");
  memset (r->buf + r->got, 0, length);
  r->got += length;
  return chunk_done (nbd, err);
}

static int
on_status (struct osm_nbd *nbd, struct osm_error *err)
{
  const struct osm_nbd_callbacks *cb = &nbd->callbacks;
  struct request *r = nbd->current;
  uint64_t total = 0;

  if (get32 (nbd->head) != nbd->context_id || r->got > 0)
    return broken (err, "extents of a context that was not asked for");
  for (size_t at = 4; at < nbd->want; at += 8) {
    uint32_t length = get32 (nbd->head + at);

    if (length == 0 || total >= r->length)
      return broken (err, "extents beyond what was asked for");
    total += length;
    cb->extent (cb->data, r->user, length, get32 (nbd->head + at + 4) & STATE_ZERO);
  }
  r->got = 1; /* once only */
  return chunk_done (nbd, err);
}

static int
on_error (struct osm_nbd *nbd, struct osm_error *err)
{
  nbd->current->error = error_of (get32 (nbd->head));
  /* No error at all is one, too. */
  if (!nbd->current->error)
    nbd->current->error = EIO;
  return chunk_done (nbd, err);
}

static int
on_chunk (struct osm_nbd *nbd, struct osm_error *err)
{
  struct request *r = find_request (nbd, get64 (nbd->head + 4));
  uint32_t length = get32 (nbd->head + 12);

  nbd->chunk_flags = get16 (nbd->head);
  nbd->chunk_type = get16 (nbd->head + 2);
  nbd->chunk_length = length;
  nbd->current = r;
  if (!r)
    return broken (err, "an answer to nothing that was asked");
  if (nbd->chunk_type & CHUNK_ERROR && length >= 6 && length <= ERROR_BODY_MAX)
    expect (nbd, length, on_error);
  else if (nbd->chunk_type == CHUNK_NONE && length == 0)
    return chunk_done (nbd, err);
  else if (nbd->chunk_type == CHUNK_DATA && r->is_read && length > 8)
    expect (nbd, 8, on_data_offset);
  else if (nbd->chunk_type == CHUNK_HOLE && r->is_read && length == 12)
    expect (nbd, length, on_hole);
  else if (nbd->chunk_type == CHUNK_STATUS && !r->is_read && length >= 12 && length % 8 == 4 &&
           length <= STATUS_BODY_MAX)
    expect (nbd, length, on_status);
  else
    return broken (err, "a chunk of an answer that does not fit to what was asked");
  return 0;
}

static int
on_magic (struct osm_nbd *nbd, struct osm_error *err)
{
  uint32_t magic = get32 (nbd->head);

  if (magic == MAGIC_CHUNK && nbd->structured)
    expect (nbd, 16, on_chunk);
  else if (magic == MAGIC_SIMPLE)
    expect (nbd, 12, on_simple);
  else
    return broken (err, "an answer that is none");
  return 0;
}

/* ---- handshake ---- */

static int on_option_reply (struct osm_nbd *nbd, struct osm_error *err);

static char *
put_option (char *p, uint32_t option, uint32_t length)
{
  p = put64 (p, MAGIC_OPTION);
  p = put32 (p, option);
  return put32 (p, length);
}

static char *
put_name (char *p, const char *name)
{
  size_t len = strnlen (name, OSM_NBD_NAME_MAX);

  p = put32 (p, (uint32_t)len);
  memcpy (p, name, len);
  return p + len;
}

/* All options at once: a server answers one after the other, and each round trip would cost as much as a megabyte. */
static int
send_options (struct osm_nbd *nbd, uint32_t flags, struct osm_error *err)
{
  char buf[4 + 3 * 16 + 2 * OSM_NBD_NAME_MAX + 64], *p = buf;
  uint32_t name = 4 + (uint32_t)strnlen (nbd->export, OSM_NBD_NAME_MAX);

  p = put32 (p, flags);
  p = put_option (p, OPT_STRUCTURED_REPLY, 0);
  p = put_option (p, OPT_SET_META_CONTEXT, name + 8 + (uint32_t)strlen (CONTEXT));
  p = put_name (p, nbd->export);
  p = put32 (p, 1);
  p = put32 (p, (uint32_t)strlen (CONTEXT));
  memcpy (p, CONTEXT, strlen (CONTEXT));
  p += strlen (CONTEXT);
  p = put_option (p, OPT_GO, name + 4);
  p = put_name (p, nbd->export);
  p = put16 (p, 1);
  p = put16 (p, INFO_BLOCK_SIZE);
  nbd->option_sent_us = osm_now_us ();
  return write_all (nbd, buf, (size_t)(p - buf), err);
}

/* The next of the answers is to this one. */
static void
await_option (struct osm_nbd *nbd, uint32_t option)
{
  nbd->option = option;
  nbd->option_replies = 0;
  expect (nbd, 20, on_option_reply);
}

/* The option was answered to the end. */
static int
option_done (struct osm_nbd *nbd, bool accepted, struct osm_error *err)
{
  switch (nbd->option) {
  case OPT_STRUCTURED_REPLY:
    nbd->structured = accepted;
    await_option (nbd, OPT_SET_META_CONTEXT);
    return 0;
  case OPT_SET_META_CONTEXT:
    nbd->extents = nbd->extents && accepted && nbd->structured;
    await_option (nbd, OPT_GO);
    return 0;
  default:
    if (nbd->size == UINT64_MAX)
      return broken (err, "it does not tell the size");
    nbd->ready = true;
    expect (nbd, 4, on_magic);
    return 0;
  }
}

static int
on_info (struct osm_nbd *nbd, struct osm_error *err)
{
  uint16_t type = get16 (nbd->head);

  if (type == INFO_EXPORT) {
    if (nbd->want != 12 || (nbd->size = get64 (nbd->head + 2)) > INT64_MAX)
      return broken (err, "a size that is none");
  }
  else if (type == INFO_BLOCK_SIZE) {
    if (nbd->want != 14)
      return broken (err, "block sizes that are none");
    nbd->max_request = get32 (nbd->head + 10);
    if (nbd->max_request > MAX_REQUEST_DEFAULT)
      nbd->max_request = MAX_REQUEST_DEFAULT;
    if (nbd->max_request < 512)
      return broken (err, "a largest request of nearly nothing");
  }
  expect (nbd, 20, on_option_reply);
  return 0;
}

static int
on_context (struct osm_nbd *nbd, struct osm_error *err)
{
  (void)err;
  if (nbd->want == 4 + strlen (CONTEXT) && memcmp (nbd->head + 4, CONTEXT, strlen (CONTEXT)) == 0) {
    nbd->context_id = get32 (nbd->head);
    nbd->extents = true;
  }
  expect (nbd, 20, on_option_reply);
  return 0;
}

static int
on_ignored (struct osm_nbd *nbd, struct osm_error *err)
{
  (void)err;
  expect (nbd, 20, on_option_reply);
  return 0;
}

static int
on_refusal (struct osm_nbd *nbd, struct osm_error *err)
{
  if (nbd->option == OPT_GO)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "the NBD server refuses: %.*s",
                          (int)strnlen (nbd->head, nbd->want < 256 ? nbd->want : 256), nbd->head);
  return option_done (nbd, false, err);
}

static int
on_option_reply (struct osm_nbd *nbd, struct osm_error *err)
{
  uint32_t type = get32 (nbd->head + 12), length = get32 (nbd->head + 16);

  if (get64 (nbd->head) != MAGIC_OPTION_REPLY || get32 (nbd->head + 8) != nbd->option ||
      length > OPTION_BODY_MAX || ++nbd->option_replies > OPTION_REPLIES_MAX)
    return broken (err, "an answer to an option that is none");
  if (nbd->rtt_us == UINT64_MAX)
    nbd->rtt_us = osm_now_us () - nbd->option_sent_us;
  if (type & REP_ERROR) {
    if (length > 0) {
      expect (nbd, length, on_refusal);
      return 0;
    }
    nbd->want = 0;
    return on_refusal (nbd, err);
  }
  if (type == REP_ACK) {
    if (length != 0)
      return broken (err, "an acknowledgement with a body");
    return option_done (nbd, true, err);
  }
  if (type == REP_INFO && nbd->option == OPT_GO && length >= 2)
    expect (nbd, length, on_info);
  else if (type == REP_META_CONTEXT && nbd->option == OPT_SET_META_CONTEXT && length >= 4)
    expect (nbd, length, on_context);
  else if (length > 0)
    expect (nbd, length, on_ignored);
  else
    return on_ignored (nbd, err);
  return 0;
}

static int
on_greeting (struct osm_nbd *nbd, struct osm_error *err)
{
  uint16_t flags = get16 (nbd->head + 16);

  if (get64 (nbd->head) != MAGIC_SERVER || get64 (nbd->head + 8) != MAGIC_OPTION)
    return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "what answers is not an NBD server");
  if (!(flags & FLAG_FIXED_NEWSTYLE))
    return broken (err, "it speaks only the oldest one");
  await_option (nbd, OPT_STRUCTURED_REPLY);
  return send_options (nbd, flags & (FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES), err);
}

/* ---- in ---- */

static int
feed (void *data, const void *bytes, size_t len, struct osm_error *err)
{
  struct osm_nbd *nbd = data;
  const char *p = bytes;

  while (len > 0) {
    size_t n;

    if (nbd->payload_left > 0) {
      n = len < nbd->payload_left ? len : nbd->payload_left;
      memcpy (nbd->payload, p, n);
      nbd->payload += n;
      nbd->payload_left -= n;
      if (nbd->payload_left == 0 && chunk_done (nbd, err) == -1)
        return -1;
    }
    else {
      n = nbd->want - nbd->have;
      if (n > len)
        n = len;
      memcpy (nbd->head + nbd->have, p, n);
      nbd->have += n;
      if (nbd->have == nbd->want && nbd->next (nbd, err) == -1)
        return -1;
    }
    p += n;
    len -= n;
  }
  return 0;
}

int
osm_nbd_receive (struct osm_nbd *nbd, int timeout_ms, struct osm_error *err)
{
  int r = nbd->stream.receive (nbd->stream.data, timeout_ms, feed, nbd, err);

  if (r == -1)
    nbd->dead = true;
  return r;
}

int
osm_nbd_handshake (struct osm_nbd *nbd, int timeout_ms, struct osm_error *err)
{
  if (!nbd->ready && osm_nbd_receive (nbd, timeout_ms, err) == -1)
    return -1;
  return nbd->ready;
}

/* ---- out ---- */

static int
send_request (struct osm_nbd *nbd, uint16_t type, uint64_t offset, uint32_t length, uint64_t cookie,
              struct osm_error *err)
{
  char buf[28], *p = buf;

  p = put32 (p, MAGIC_REQUEST);
  p = put16 (p, 0);
  p = put16 (p, type);
  p = put64 (p, cookie);
  p = put64 (p, offset);
  put32 (p, length);
  return write_all (nbd, buf, sizeof buf, err);
}

static int
ask (struct osm_nbd *nbd, uint16_t type, void *buf, uint32_t length, uint64_t offset, void *user,
     struct osm_error *err)
{
  struct request *r = NULL;
  size_t i = 0;

  if (!nbd->ready || nbd->nr_requests == OSM_NBD_REQUESTS_MAX || length == 0 ||
      offset > nbd->size || length > nbd->size - offset)
    return osm_error_set (err, OSM_ERROR_BUG, EINVAL,
                          "NBD request of %" PRIu32 " bytes at %" PRIu64, length, offset);
  while (nbd->requests[i].used)
    i++;
  r = &nbd->requests[i];
  *r = (struct request){ .used = true,
                         .is_read = type == CMD_READ,
                         .cookie = ++nbd->serial * OSM_NBD_REQUESTS_MAX + i,
                         .user = user,
                         .buf = buf,
                         .offset = offset,
                         .length = length };
  nbd->nr_requests++;
  return send_request (nbd, type, offset, length, r->cookie, err);
}

int
osm_nbd_read (struct osm_nbd *nbd, void *buf, uint32_t length, uint64_t offset, void *cookie,
              struct osm_error *err)
{
  return ask (nbd, CMD_READ, buf, length, offset, cookie, err);
}

int
osm_nbd_block_status (struct osm_nbd *nbd, uint32_t length, uint64_t offset, void *cookie,
                      struct osm_error *err)
{
  if (!nbd->extents)
    return osm_error_set (err, OSM_ERROR_BUG, ENOTSUP, "the NBD server has no block status");
  return ask (nbd, CMD_BLOCK_STATUS, NULL, length, offset, cookie, err);
}

/* ---- */

struct osm_nbd *
osm_nbd_new (const struct osm_stream *stream, const char *export,
             const struct osm_nbd_callbacks *callbacks)
{
  struct osm_nbd *nbd = osm_calloc (1, sizeof *nbd);

  nbd->stream = *stream;
  nbd->export = export;
  nbd->callbacks = *callbacks;
  nbd->size = nbd->rtt_us = UINT64_MAX;
  nbd->max_request = MAX_REQUEST_DEFAULT;
  expect (nbd, 18, on_greeting);
  return nbd;
}

void
osm_nbd_free (struct osm_nbd *nbd)
{
  OSM_ERROR (ignored);

  if (!nbd)
    return;
  if (nbd->ready && !nbd->dead)
    (void)send_request (nbd, CMD_DISC, 0, 0, 0, &ignored);
  free (nbd->head);
  free (nbd);
}

uint64_t
osm_nbd_size (const struct osm_nbd *nbd)
{
  return nbd->size;
}

uint32_t
osm_nbd_max_request (const struct osm_nbd *nbd)
{
  return nbd->max_request;
}

uint64_t
osm_nbd_rtt_us (const struct osm_nbd *nbd)
{
  return nbd->rtt_us;
}

bool
osm_nbd_has_extents (const struct osm_nbd *nbd)
{
  return nbd->extents;
}
