/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "nbd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "nbd/wire.h"

#define TRANSMISSION_FLAGS (1u | 2u | 1u << 8) /* has flags, read-only, several connections */
#define CHUNK_ERROR_PLAIN (CHUNK_ERROR | 1u)
#define CONTEXT_ID 1u

#define OPTIONS_MAX 64 /* of one handshake */
#define OPTION_BODY_MAX 8192u
#define NAME_MAX_BYTES 4096u
#define REQUEST_MAX (UINT32_C (32) << 20)
#define PIPE_BYTES (1 << 20)
#define PIPE_MIN (32u << 10) /* less is copied: it costs no more */
#define PAGE 4096u
#define EXTENTS_MAX 8192 /* in one answer */
#define INPUT_BYTES 4096 /* requests that are read at once */
#define HANDSHAKE_S 30

struct connection {
  struct osm_volume *volume;
  struct osm_reader *reader;
  int in_fd, out_fd;
  int pipe[2];       /* -1: data is read and written */
  size_t pipe_bytes; /* of data, with a header before them */
  bool structured, contexts, no_zeroes;
  char context_export[NAME_MAX_BYTES + 1]; /* that contexts are of */
  char *buf;
  size_t allocated;
  struct osm_extents extents;
  size_t at, end; /* of what is in input */
  char input[INPUT_BYTES];
};

/* ---- in and out; -1 without an error that is set: the client has gone ---- */

static int
broken (struct osm_error *err, const char *what)
{
  return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "the NBD client breaks the protocol: %s",
                        what);
}

static int
receive (struct connection *c, void *buf, size_t len)
{
  char *p = buf;

  while (len > 0) {
    size_t n = c->end - c->at;

    if (n == 0) {
      ssize_t r = read (c->in_fd, c->input, sizeof c->input);

      if (r == -1 && errno == EINTR)
        continue;
      if (r <= 0)
        return -1;
      c->at = 0;
      n = c->end = (size_t)r;
    }
    if (n > len)
      n = len;
    memcpy (p, c->input + c->at, n);
    c->at += n;
    p += n;
    len -= n;
  }
  return 0;
}

static int
skip (struct connection *c, size_t len)
{
  char ignored[1024];

  while (len > 0) {
    size_t n = len < sizeof ignored ? len : sizeof ignored;

    if (receive (c, ignored, n) == -1)
      return -1;
    len -= n;
  }
  return 0;
}

static int
say (struct connection *c, const void *bytes, size_t len)
{
  const char *p = bytes;

  while (len > 0) {
    ssize_t n = write (c->out_fd, p, len);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    p += n;
    len -= (size_t)n;
  }
  return 0;
}

static char *
need (struct connection *c, size_t len)
{
  if (len > c->allocated) {
    free (c->buf);
    c->buf = osm_calloc (len, 1);
    c->allocated = len;
  }
  return c->buf;
}

/* ---- handshake ---- */

static int
answer (struct connection *c, uint32_t option, uint32_t type, const void *body, size_t len)
{
  char buf[20 + 64], *p = buf;

  p = put64 (p, MAGIC_OPTION_REPLY);
  p = put32 (p, option);
  p = put32 (p, type);
  p = put32 (p, (uint32_t)len);
  memcpy (p, body, len);
  return say (c, buf, (size_t)(p - buf) + len);
}

/* The name that begins an option's body; false: there is none. */
static bool
take_name (const char **p, size_t *len, char name[NAME_MAX_BYTES + 1])
{
  uint32_t n;

  if (*len < 4 || (n = get32 (*p)) > *len - 4 || n > NAME_MAX_BYTES || memchr (*p + 4, '\0', n))
    return false;
  memcpy (name, *p + 4, n);
  name[n] = '\0';
  *p += 4 + n;
  *len -= 4 + n;
  return true;
}

static void
begin (struct connection *c, const char *name)
{
  c->contexts = c->contexts && strcmp (c->context_export, name) == 0;
  c->reader = osm_volume_open (c->volume, name);
}

static int
on_export_name (struct connection *c, const char *body, size_t len, struct osm_error *err)
{
  char buf[10 + 124] = { 0 }, *p = buf;
  char name[NAME_MAX_BYTES + 1];

  if (len > NAME_MAX_BYTES || memchr (body, '\0', len))
    return broken (err, "an export name that is none");
  memcpy (name, body, len);
  name[len] = '\0';
  begin (c, name);
  p = put64 (p, osm_volume_size (c->volume));
  put16 (p, TRANSMISSION_FLAGS);
  return say (c, buf, c->no_zeroes ? 10 : sizeof buf);
}

static int
on_go (struct connection *c, uint32_t option, const char *body, size_t len)
{
  char name[NAME_MAX_BYTES + 1], info[16], *p;
  bool block_size = false;
  size_t nr;

  if (!take_name (&body, &len, name) || len < 2 || (nr = get16 (body)) * 2 != len - 2)
    return answer (c, option, REP_ERR_INVALID, "", 0);
  for (size_t i = 0; i < nr; i++)
    block_size = block_size || get16 (body + 2 + i * 2) == INFO_BLOCK_SIZE;
  p = put16 (info, INFO_EXPORT);
  p = put64 (p, osm_volume_size (c->volume));
  p = put16 (p, TRANSMISSION_FLAGS);
  if (answer (c, option, REP_INFO, info, (size_t)(p - info)) == -1)
    return -1;
  p = put16 (info, INFO_BLOCK_SIZE);
  p = put32 (p, 1);
  p = put32 (p, PAGE);
  p = put32 (p, REQUEST_MAX);
  if (block_size && answer (c, option, REP_INFO, info, (size_t)(p - info)) == -1)
    return -1;
  if (option == OPT_GO)
    begin (c, name);
  return answer (c, option, REP_ACK, "", 0);
}

static bool
matches (const char *query, size_t len, bool list)
{
  return (len == strlen (CONTEXT) && memcmp (query, CONTEXT, len) == 0) ||
         (list && len == strlen ("base:") && memcmp (query, "base:", len) == 0);
}

static int
on_context (struct connection *c, uint32_t option, const char *body, size_t len)
{
  bool list = option == OPT_LIST_META_CONTEXT, found;
  char name[NAME_MAX_BYTES + 1], reply[4 + sizeof CONTEXT - 1];
  uint32_t nr;

  if (!list)
    c->contexts = false;
  if (!c->structured || !take_name (&body, &len, name) || len < 4)
    return answer (c, option, REP_ERR_INVALID, "", 0);
  nr = get32 (body);
  body += 4;
  len -= 4;
  found = list && nr == 0;
  for (uint32_t i = 0; i < nr; i++) {
    uint32_t n;

    if (len < 4 || (n = get32 (body)) > len - 4)
      return answer (c, option, REP_ERR_INVALID, "", 0);
    found = found || matches (body + 4, n, list);
    body += 4 + n;
    len -= 4 + n;
  }
  if (len != 0)
    return answer (c, option, REP_ERR_INVALID, "", 0);
  put32 (reply, list ? 0 : CONTEXT_ID);
  memcpy (reply + 4, CONTEXT, sizeof CONTEXT - 1);
  if (found && answer (c, option, REP_META_CONTEXT, reply, sizeof reply) == -1)
    return -1;
  if (!list && found) {
    c->contexts = true;
    memcpy (c->context_export, name, sizeof name);
  }
  return answer (c, option, REP_ACK, "", 0);
}

static int
on_option (struct connection *c, uint32_t option, const char *body, size_t len,
           struct osm_error *err)
{
  switch (option) {
  case OPT_EXPORT_NAME:
    return on_export_name (c, body, len, err);
  case OPT_ABORT:
    (void)answer (c, option, REP_ACK, "", 0);
    return -1;
  case OPT_LIST:
    if (len != 0)
      return answer (c, option, REP_ERR_INVALID, "", 0);
    return answer (c, option, REP_SERVER, "\0\0\0", 4) == -1 ||
                   answer (c, option, REP_ACK, "", 0) == -1
               ? -1
               : 0;
  case OPT_INFO:
  case OPT_GO:
    return on_go (c, option, body, len);
  case OPT_STRUCTURED_REPLY:
    c->structured = c->structured || len == 0;
    return answer (c, option, len == 0 ? REP_ACK : REP_ERR_INVALID, "", 0);
  case OPT_LIST_META_CONTEXT:
  case OPT_SET_META_CONTEXT:
    return on_context (c, option, body, len);
  default:
    return answer (c, option, REP_ERR_UNSUP, "", 0);
  }
}

static int
handshake (struct connection *c, struct osm_error *err)
{
  char buf[18], *p = buf, body[OPTION_BODY_MAX];
  uint32_t flags;

  p = put64 (p, MAGIC_SERVER);
  p = put64 (p, MAGIC_OPTION);
  put16 (p, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
  if (say (c, buf, sizeof buf) == -1 || receive (c, buf, 4) == -1)
    return -1;
  flags = get32 (buf);
  if (flags & ~(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES))
    return broken (err, "flags that nobody knows");
  c->no_zeroes = flags & FLAG_NO_ZEROES;
  for (int i = 0; !c->reader; i++) {
    uint32_t len;

    if (i == OPTIONS_MAX)
      return broken (err, "options without end");
    if (receive (c, buf, 16) == -1)
      return -1;
    len = get32 (buf + 12);
    if (get64 (buf) != MAGIC_OPTION || len > sizeof body)
      return broken (err, "an option that is none");
    if (receive (c, body, len) == -1 || on_option (c, get32 (buf + 8), body, len, err) == -1)
      return -1;
  }
  return 0;
}

/* ---- transmission ---- */

static size_t
put_chunk (char *buf, uint16_t flags, uint16_t type, uint64_t cookie, uint32_t len)
{
  char *p = put32 (buf, MAGIC_CHUNK);

  p = put16 (p, flags);
  p = put16 (p, type);
  p = put64 (p, cookie);
  p = put32 (p, len);
  return (size_t)(p - buf);
}

static size_t
put_simple (char *buf, int error, uint64_t cookie)
{
  char *p = put32 (buf, MAGIC_SIMPLE);

  p = put32 (p, (uint32_t)error);
  p = put64 (p, cookie);
  return (size_t)(p - buf);
}

static int
refuse (struct connection *c, uint64_t cookie, int error)
{
  char buf[32];
  size_t n;

  if (!c->structured)
    return say (c, buf, put_simple (buf, error, cookie));
  n = put_chunk (buf, CHUNK_DONE, CHUNK_ERROR_PLAIN, cookie, 6);
  put16 (put32 (buf + n, (uint32_t)error), 0);
  return say (c, buf, n + 6);
}

static int
drain (struct connection *c, size_t len)
{
  while (len > 0) {
    ssize_t n = splice (c->pipe[0], NULL, c->out_fd, NULL, len, SPLICE_F_MOVE);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0)
      return -1;
    len -= (size_t)n;
  }
  return 0;
}

static void
close_pipe (struct connection *c)
{
  for (int i = 0; i < 2; i++)
    if (c->pipe[i] >= 0)
      close (osm_take_fd (&c->pipe[i]));
  c->pipe_bytes = 0;
}

static void
open_pipe (struct connection *c)
{
  int size;

  c->pipe[0] = c->pipe[1] = -1;
  c->pipe_bytes = 0;
  if (pipe2 (c->pipe, O_CLOEXEC) == -1)
    return;
  size = fcntl (c->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
  if (size == -1)
    size = fcntl (c->pipe[1], F_GETPIPE_SZ);
  /* One page for the header, one because the data may begin within a page. */
  if (size > 16 * (int)PAGE)
    c->pipe_bytes = (size_t)size - 2 * PAGE;
  else
    close_pipe (c);
}

/* 0: said, or a positive errno: nothing was. */
static int
say_by_pipe (struct connection *c, const char *header, size_t n, uint64_t offset, size_t len)
{
  int e;

  if (write (c->pipe[1], header, n) != (ssize_t)n)
    return -1;
  e = osm_volume_pipe (c->reader, c->pipe[1], offset, len);
  if (e == 0)
    return drain (c, n + len);
  /* What is in it already must not be seen by anybody. */
  close_pipe (c);
  open_pipe (c);
  return e;
}

/* One piece of an answer; a positive errno: nothing was said of it. */
static int
say_data (struct connection *c, const char *header, size_t n, uint64_t offset, size_t len)
{
  int e =
      c->pipe_bytes >= len && len >= PIPE_MIN ? say_by_pipe (c, header, n, offset, len) : ENOTSUP;
  char *buf;

  if (e != ENOTSUP)
    return e;
  buf = need (c, n + len);
  memcpy (buf, header, n);
  e = osm_volume_read (c->reader, buf + n, offset, len);
  return e ? e : say (c, buf, n + len);
}

static int
on_read (struct connection *c, uint64_t cookie, uint64_t offset, uint32_t len)
{
  char header[32];
  size_t n, piece = c->pipe_bytes ? c->pipe_bytes : PIPE_BYTES;
  int e = 0;

  if (!c->structured)
    e = say_data (c, header, put_simple (header, 0, cookie), offset, len);
  while (c->structured && len > 0 && e == 0) {
    if (piece > len)
      piece = len;
    n = put_chunk (header, piece == len ? CHUNK_DONE : 0, CHUNK_DATA, cookie, (uint32_t)piece + 8);
    put64 (header + n, offset);
    e = say_data (c, header, n + 8, offset, piece);
    offset += piece;
    len -= (uint32_t)piece;
  }
  return e > 0 ? refuse (c, cookie, e) : e;
}

static int
on_status (struct connection *c, uint64_t cookie, uint64_t offset, uint32_t len, bool one)
{
  const struct osm_extents *e = &c->extents;
  size_t nr, n;
  char *buf, *p;

  osm_volume_extents (c->reader, offset, len, &c->extents);
  nr = one ? 1 : e->nr < EXTENTS_MAX ? e->nr : EXTENTS_MAX;
  buf = need (c, 32 + nr * 8);
  n = put_chunk (buf, CHUNK_DONE, CHUNK_STATUS, cookie, (uint32_t)(4 + nr * 8));
  p = put32 (buf + n, CONTEXT_ID);
  for (size_t i = 0; i < nr; i++) {
    p = put32 (p, (uint32_t)e->v[i].length);
    p = put32 (p, e->v[i].zero ? STATE_HOLE_ZERO : 0);
  }
  return say (c, buf, (size_t)(p - buf));
}

/* 1: it says farewell. */
static int
on_request (struct connection *c, struct osm_error *err)
{
  uint64_t size = osm_volume_size (c->volume), cookie, offset;
  uint16_t flags, type;
  uint32_t len;
  char buf[28];

  if (receive (c, buf, sizeof buf) == -1)
    return -1;
  if (get32 (buf) != MAGIC_REQUEST)
    return broken (err, "a request that is none");
  flags = get16 (buf + 4);
  type = get16 (buf + 6);
  cookie = get64 (buf + 8);
  offset = get64 (buf + 16);
  len = get32 (buf + 24);
  if (type == CMD_DISC)
    return 1;
  if (type == CMD_WRITE && len > REQUEST_MAX)
    return broken (err, "it writes too much");
  if (type == CMD_WRITE && skip (c, len) == -1)
    return -1;
  if (type == CMD_WRITE || type == CMD_TRIM || type == CMD_WRITE_ZEROES)
    return refuse (c, cookie, EPERM);
  if (len == 0 || offset > size || len > size - offset)
    return refuse (c, cookie, EINVAL);
  if (type == CMD_READ && flags == 0 && len <= REQUEST_MAX)
    return on_read (c, cookie, offset, len);
  if (type == CMD_BLOCK_STATUS && (flags & ~CMD_FLAG_ONE) == 0 && c->contexts)
    return on_status (c, cookie, offset, len, flags & CMD_FLAG_ONE);
  return refuse (c, cookie, EINVAL);
}

/* Whoever connects and says nothing does not keep others out for ever. Of a pipe: it has its process for itself. */
static void
set_deadline (const struct connection *c, int seconds)
{
  const struct timeval tv = { .tv_sec = seconds };

  (void)setsockopt (c->in_fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
}

int
osm_serve (struct osm_volume *v, int in_fd, int out_fd, struct osm_error *err)
{
  struct connection *c = osm_calloc (1, sizeof *c);
  int r;

  c->volume = v;
  c->in_fd = in_fd;
  c->out_fd = out_fd;
  c->pipe[0] = c->pipe[1] = -1;
  set_deadline (c, HANDSHAKE_S);
  r = handshake (c, err);
  set_deadline (c, 0);
  if (r == 0)
    open_pipe (c);
  while (r == 0)
    r = on_request (c, err);
  osm_volume_close (c->reader);
  osm_extents_done (&c->extents);
  close_pipe (c);
  free (c->buf);
  free (c);
  return osm_error_is_set (err) ? -1 : 0;
}
