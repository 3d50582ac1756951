/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/paths.h"
#include "agent/stdio.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/frame.h"
#include "common/json.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/sshexec.h"
#include "nbd/sshknown.h"

#define PROGRAM "osm-agent"
#define GLOBAL_KNOWN_HOSTS "/etc/ssh/ssh_known_hosts"

struct osm_reach {
  const char *path;
  bool local;
  uint64_t size_bytes;
  bool in_use;

  struct osm_tunnel_source tunnel;
  char **host_keys;
  char *user, *private_key, *nbd_command, *digest_command;
  char *request; /* encoded frame: what path is meant */
  size_t request_len;
  char *compressed_request;
  size_t compressed_request_len;
  bool search;
  json_t *survey; /* of the first connection */

  pthread_mutex_t lock;
  struct osm_source_connection first; /* made by osm_reach_open, for the engine */
  bool has_first;
};

/* ---- notation ---- */

void
osm_endpoint_done (struct osm_endpoint *e)
{
  free (e->user);
  free (e->host);
  free (e->path);
  memset (e, 0, sizeof *e);
}

int
osm_endpoint_parse (const char *text, struct osm_endpoint *ret, struct osm_error *err)
{
  const char *slash = strchr (text, '/');
  const char *at, *host = text, *host_end, *colon;
  bool brackets;

  /* As scp: user@[address]:path, and host:path where no slash comes before the colon. */
  at = strchr (text, '@');
  if (at && (!slash || at < slash))
    host = at + 1;
  brackets = *host == '[' && strchr (host, ']') && strchr (host, ']')[1] == ':';
  host_end = brackets ? strchr (host, ']') : strchr (host, ':');
  colon = brackets ? host_end + 1 : host_end;
  memset (ret, 0, sizeof *ret);
  if (!colon || (slash && colon > slash)) {
    if (!*text)
      return osm_error_set (err, OSM_ERROR_USER, EINVAL, "the path is empty");
    ret->path = osm_strdup (text);
    return 0;
  }
  if (brackets)
    host++;
  if (host_end == host || !colon[1] || at == text)
    return osm_error_set (err, OSM_ERROR_USER, EINVAL, "'%s' is not [USER@]HOST:PATH", text);
  if (at && (!slash || at < slash))
    ret->user = osm_strndup (text, (size_t)(at - text));
  ret->host = osm_strndup (host, (size_t)(host_end - host));
  ret->path = osm_strdup (colon + 1);
  return 0;
}

/* ---- SSH as the user has it ---- */

static int
home_and_user (char **ret_home, char **ret_user, struct osm_error *err)
{
  char buf[4096];
  struct passwd pw, *found = NULL;
  int e = getpwuid_r (getuid (), &pw, buf, sizeof buf, &found);

  if (!found)
    return osm_error_set_errno (err, e ? e : ENOENT, "user %u of this machine", getuid ());
  *ret_home = osm_strdup (found->pw_dir);
  *ret_user = osm_strdup (found->pw_name);
  return 0;
}

static int
find_host_keys (struct osm_reach *r, const struct osm_endpoint *e,
                const struct osm_reach_options *options, const char *home, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *own = osm_asprintf ("%s/.ssh/known_hosts", home);
  const char *files[] = { options->known_hosts ? options->known_hosts : own,
                          options->known_hosts ? NULL : GLOBAL_KNOWN_HOSTS };
  OSM_CLEANUP_FREE char *port = options->port ? osm_asprintf ("-p %u ", options->port) : NULL;

  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    if (files[i] &&
        osm_known_host_keys (files[i], e->host, options->port, &r->host_keys, err) == -1)
      return -1;
  if (r->host_keys)
    return 0;
  osm_error_set (err, OSM_ERROR_USER, ENOENT,
                 "the host key of %s is not known: %s does not have it", e->host, files[0]);
  return osm_error_hint (err, "connect once with ssh and compare the key: ssh %s%s%s%s%s@%s",
                         options->known_hosts ? "-o UserKnownHostsFile=" : "",
                         options->known_hosts ? options->known_hosts : "",
                         options->known_hosts ? " " : "", port ? port : "", r->user, e->host);
}

/* NULL stands for the SSH agent. */
static size_t
find_keys (const struct osm_reach_options *options, const char *home, char *ret[5])
{
  static const char *const names[] = { "id_ed25519", "id_ecdsa", "id_rsa" };
  const char *agent = getenv ("SSH_AUTH_SOCK");
  size_t n = 0;

  if (options->identity) {
    ret[n++] = osm_strdup (options->identity);
    return n;
  }
  if (agent && *agent)
    ret[n++] = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/.ssh/%s", home, names[i]);

    if (osm_file_exists (path))
      ret[n++] = osm_take (path);
  }
  return n;
}

/* ---- requests ---- */

static int
encode_request (const struct osm_reach *r, bool compress, const struct osm_digest_options *digest,
                char **ret, size_t *ret_len, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *request =
      osm_json_pack ("{s:i, s:s}", "protocol", OSM_STDIO_PROTOCOL, "path", r->path);

  if (compress)
    json_object_set_new (request, "compress", json_true ());
  if (r->search)
    json_object_set_new (request, "search", json_true ());
  osm_json_set_str (request, "map", osm_json_str (r->survey, "map"));
  if (digest) {
    json_object_set_new (request, "chunk_bytes", json_integer ((json_int_t)digest->chunk_bytes));
    json_object_set_new (request, "drop_cache", json_boolean (digest->drop_cache));
  }
  return osm_frame_encode (request, ret, ret_len, err);
}

/* Those of connections; again when it is known what the first one saw. */
static int
encode_requests (struct osm_reach *r, struct osm_error *err)
{
  free (osm_take (r->request));
  free (osm_take (r->compressed_request));
  if (encode_request (r, false, NULL, &r->request, &r->request_len, err) == -1 ||
      encode_request (r, true, NULL, &r->compressed_request, &r->compressed_request_len, err) == -1)
    return -1;
  r->tunnel.end.request = r->request;
  r->tunnel.end.request_len = r->request_len;
  r->tunnel.compressed_end.request = r->compressed_request;
  r->tunnel.compressed_end.request_len = r->compressed_request_len;
  return 0;
}

/* ---- connections ---- */

struct local {
  struct osm_fd_stream *stream;
  pid_t pid;
  json_t *reply;
};

static void
local_close (void *handle)
{
  struct local *l = handle;

  osm_fd_stream_free (l->stream);
  /* Its end of the socket is closed; it reads from a disk, and may not notice for long. */
  kill (l->pid, SIGKILL);
  while (waitpid (l->pid, NULL, 0) == -1 && errno == EINTR)
    ;
  json_decref (l->reply);
  free (l);
}

/* The same program that a remote host would run, at one end of a socket pair. */
static int
local_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  const struct osm_reach *r = data;
  char *argv[] = { (char *)PROGRAM, (char *)OSM_STDIO_NBD, NULL };
  OSM_CLEANUP_FD int ours = -1, theirs = -1;
  struct osm_run_spec spec = {
    .program = osm_path_program (), .argv = argv, .stderr_fd = -1, .new_session = true
  }; /* Ctrl-C is for us alone */
  struct local *l;
  struct osm_frame_fds fds;
  struct osm_frame_io io;
  int pair[2];
  const json_t *error;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
    return osm_error_set_errno (err, errno, "socketpair");
  ours = pair[0];
  theirs = pair[1];
  spec.stdin_fd = spec.stdout_fd = theirs;
  l = osm_calloc (1, sizeof *l);
  if (osm_run_start (&spec, &l->pid, err) == -1) {
    free (l);
    return -1;
  }
  close (osm_take_fd (&theirs));
  fds = (struct osm_frame_fds){ ours, ours };
  io = osm_frame_io_fds (&fds);
  if (osm_write_full (ours, r->request, r->request_len, err) == -1 ||
      osm_frame_read (&io, &l->reply, err) == -1)
    goto fail;
  if (!l->reply) {
    osm_error_set (err, OSM_ERROR_BUG, 0, "%s %s ended without an answer", PROGRAM, OSM_STDIO_NBD);
    goto fail;
  }
  error = json_object_get (l->reply, "error");
  if (error) {
    osm_error_from_json (error, err);
    goto fail;
  }
  l->stream = osm_fd_stream_new (osm_take_fd (&ours));
  *ret = (struct osm_source_connection){
    .stream = osm_fd_stream (l->stream), .handle = l, .reply = l->reply, .close = local_close
  };
  return 0;
fail:
  local_close (l);
  return -1;
}

static int
reach_connect (struct osm_reach *r, struct osm_source_connection *ret, struct osm_error *err)
{
  struct osm_source source = osm_source_tunnel (&r->tunnel);

  return r->local ? local_open (r, ret, err) : source.open (source.data, ret, err);
}

static int
reach_open (void *data, struct osm_source_connection *ret, struct osm_error *err)
{
  struct osm_reach *r = data;

  {
    OSM_LOCKED (&r->lock);
    if (r->has_first) {
      *ret = r->first;
      r->has_first = false;
      return 0;
    }
  }
  return reach_connect (r, ret, err);
}

struct osm_source
osm_reach_source (struct osm_reach *r)
{
  return (struct osm_source){ .open = reach_open, .data = r };
}

/* ---- opening ---- */

static int
first_connection (struct osm_reach *r, struct osm_error *err)
{
  json_int_t size;

  if (reach_connect (r, &r->first, err) == -1)
    return -1;
  r->has_first = true;
  size = json_integer_value (json_object_get (r->first.reply, "size_bytes"));
  if (size < 0)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "%s has %" JSON_INTEGER_FORMAT " bytes",
                          r->path, size);
  r->size_bytes = (uint64_t)size;
  r->in_use = json_is_true (json_object_get (r->first.reply, "in_use"));
  r->survey = json_incref (json_object_get (r->first.reply, "survey"));
  return encode_requests (r, err);
}

/* The first of the keys that the host accepts. */
static int
try_keys (struct osm_reach *r, char *const *keys, size_t nr_keys, struct osm_error *err)
{
  if (nr_keys == 0)
    return osm_error_set (err, OSM_ERROR_USER, EACCES, "there is no SSH key for %s@%s", r->user,
                          r->tunnel.target.address);
  for (size_t i = 0; i < nr_keys; i++) {
    OSM_ERROR (why);

    osm_str_set (&r->private_key, keys[i]);
    r->tunnel.target.private_key_path = r->private_key;
    if (first_connection (r, &why) == 0)
      return 0;
    /* Another key may help only if it was this one that did not. */
    if (why.class != OSM_ERROR_USER || r->has_first ||
        (why.code != EACCES && !strstr (why.message, "private key")) || i + 1 == nr_keys) {
      osm_error_move (err, &why);
      return -1;
    }
  }
  return -1;
}

static int
remote_prepare (struct osm_reach *r, const struct osm_endpoint *e,
                const struct osm_reach_options *options, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *home = NULL, *user = NULL;
  const char *program = options->program ? options->program : PROGRAM;
  char *keys[5] = { NULL };
  size_t nr_keys;
  int result;

  if (home_and_user (&home, &user, err) == -1)
    return -1;
  r->user = osm_strdup (e->user ? e->user : user);
  r->nbd_command = osm_asprintf ("%s %s", program, OSM_STDIO_NBD);
  r->digest_command = osm_asprintf ("%s %s", program, OSM_STDIO_DIGEST);
  if (find_host_keys (r, e, options, home, err) == -1)
    return -1;
  r->tunnel = (struct osm_tunnel_source){
    .target = { .address = e->host,
                .port = options->port,
                .user = r->user,
                .host_keys = r->host_keys },
    .end = { .command = r->nbd_command, .request = r->request, .request_len = r->request_len },
    .compressed_end = { .command = r->nbd_command,
                        .request = r->compressed_request,
                        .request_len = r->compressed_request_len },
    .compression = options->compression,
  };
  nr_keys = find_keys (options, home, keys);
  result = try_keys (r, keys, nr_keys, err);
  for (size_t i = 0; i < nr_keys; i++)
    free (keys[i]);
  if (result == -1 && err->class == OSM_ERROR_REMOTE && !err->hint)
    osm_error_hint (err, "osm-agent must be installed on %s; --remote-agent says where", e->host);
  else if (result == -1 && err->code == EACCES && !options->identity && !r->has_first)
    osm_error_hint (err, "name the key with --identity FILE, or add it to the SSH agent");
  return result;
}

int
osm_reach_open (const struct osm_endpoint *e, const struct osm_reach_options *options,
                struct osm_reach **ret, struct osm_error *err)
{
  OSM_CLEANUP_REACH struct osm_reach *r = osm_calloc (1, sizeof *r);

  pthread_mutex_init (&r->lock, NULL);
  r->path = e->path;
  r->local = e->host == NULL;
  r->search = options->search;
  if (encode_requests (r, err) == -1)
    return -1;
  if ((r->local ? first_connection (r, err) : remote_prepare (r, e, options, err)) == -1)
    return -1;
  *ret = osm_take (r);
  return 0;
}

void
osm_reach_free (struct osm_reach *r)
{
  if (!r)
    return;
  if (r->has_first)
    r->first.close (r->first.handle);
  osm_strv_free (r->host_keys);
  free (r->user);
  free (r->private_key);
  free (r->nbd_command);
  free (r->digest_command);
  free (r->request);
  free (r->compressed_request);
  json_decref (r->survey);
  pthread_mutex_destroy (&r->lock);
  free (r);
}

uint64_t
osm_reach_size (const struct osm_reach *r)
{
  return r->size_bytes;
}

bool
osm_reach_in_use (const struct osm_reach *r)
{
  return r->in_use;
}

const json_t *
osm_reach_survey (const struct osm_reach *r)
{
  return r->survey;
}

/* ---- digests ---- */

static int
local_digest (const struct osm_reach *r, const struct osm_digest_options *given,
              struct osm_manifest *ret, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = open (r->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  OSM_SURVEY (survey);
  struct osm_digest_options options = *given;
  OSM_ERROR (why);

  if (fd == -1)
    return osm_error_set_errno (err, errno, "cannot open %s", r->path);
  if (osm_stdio_survey (r->search, osm_json_str (r->survey, "map"), fd, r->size_bytes, &survey,
                        &why, err) == -1)
    return osm_error_wrap (err, "%s", r->path);
  options.free = &survey.map;
  return osm_digest_run (r->path, r->size_bytes, &options, ret, err);
}

/* {"chunks": "hex..."} frames in order, then {"sha256": "..."}. */
static int
read_manifest (struct osm_ssh_exec *exec, struct osm_manifest *m, struct osm_error *err)
{
  uint64_t have = 0;

  for (;;) {
    OSM_CLEANUP_JSON json_t *frame = NULL;
    const char *chunks, *sum;

    if (osm_ssh_exec_read (exec, &frame, err) == -1)
      return -1;
    chunks = osm_json_str (frame, "chunks");
    sum = osm_json_str (frame, "sha256");
    if (chunks) {
      int n = osm_manifest_from_hex (m, have, chunks);

      if (n < 0)
        break;
      have += (uint64_t)n;
    }
    else if (sum && strlen (sum) + 1 == sizeof m->sha256 && have == m->nr_chunks) {
      memcpy (m->sha256, sum, sizeof m->sha256);
      return 0;
    }
    else if (!frame)
      return osm_error_set (err, OSM_ERROR_RETRY, 0, "the connection ended");
    else if (chunks || sum)
      break;
  }
  return osm_error_set (err, OSM_ERROR_REMOTE, 0, "what it answers is no digest of this disk");
}

static int
remote_digest (struct osm_reach *r, const struct osm_digest_options *options,
               struct osm_manifest *m, struct osm_error *err)
{
  OSM_CLEANUP_SSH ssh_session session = NULL;
  struct osm_ssh_exec exec = { .cancel = options->cancel };
  OSM_CLEANUP_FREE char *request = NULL;
  size_t len;
  int result;

  if (encode_request (r, false, options, &request, &len, err) == -1 ||
      osm_ssh_connect (&r->tunnel.target, &session, err) == -1)
    return -1;
  result = osm_ssh_exec_open (&exec, session, r->digest_command, request, len, err);
  if (result == 0)
    result = read_manifest (&exec, m, err);
  osm_ssh_exec_done (&exec);
  return result;
}

int
osm_reach_digest (struct osm_reach *r, const struct osm_digest_options *options,
                  struct osm_manifest *ret, struct osm_error *err)
{
  OSM_MANIFEST (m);

  if (r->local)
    return local_digest (r, options, ret, err);
  if (osm_manifest_init (&m, r->size_bytes, options->chunk_bytes, err) == -1 ||
      remote_digest (r, options, &m, err) == -1)
    return osm_error_wrap (err, "digest of %s at %s", r->path, r->tunnel.target.address);
  osm_manifest_done (ret);
  *ret = m;
  memset (&m, 0, sizeof m);
  return 0;
}
