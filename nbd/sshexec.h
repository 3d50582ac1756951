/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* A command on another host, spoken with in frames (common/frame.h) over its stdin and stdout.
 *
 *   struct osm_ssh_exec e = { 0 };
 *   osm_ssh_exec_open (&e, session, "osm-agent digest-stdio", request, request_len, err);
 *   while (osm_ssh_exec_read (&e, &frame, err) == 0 && frame) ...    {"error": ...} is err
 *   osm_ssh_exec_done (&e);
 *
 * The session is in blocking mode.  The channel may be taken over after any frame. */

#ifndef OSM_NBD_SSHEXEC_H
#define OSM_NBD_SSHEXEC_H

#include <jansson.h>
#include <libssh/libssh.h>
#include <stdatomic.h>
#include <stddef.h>

#include "common/error.h"
#include "common/strbuf.h"

struct osm_ssh_exec {
  ssh_channel channel;
  const atomic_bool *cancel; /* may be NULL */
  struct osm_strbuf said;    /* on stderr, so far */
};

/* Starts command (a line for the shell there) and sends it request: an encoded frame. */
int osm_ssh_exec_open (struct osm_ssh_exec *e, ssh_session session, const char *command,
                       const char *request, size_t request_len, struct osm_error *err);
/* Blocks. *ret is NULL at the end of its stdout, unless it said nothing but on stderr: REMOTE. */
int osm_ssh_exec_read (struct osm_ssh_exec *e, json_t **ret, struct osm_error *err);
void osm_ssh_exec_done (struct osm_ssh_exec *e);

#endif
