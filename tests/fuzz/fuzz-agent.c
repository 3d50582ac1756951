/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "controller/hosts/internal.h"
#include "controller/hosts/path.h"
#include "controller/migration/plan-internal.h"
#include "controller/migration/internal.h"
#include "controller/migration/manifest.h"
#include "controller/migration/verify.h"
#include "tests/fuzz/fuzz.h"

/* Agents that answer anything. The first byte says what the controller does, each line after it is the answer to one request: a result, or
 * {"error": ...}. It may end in any error; nothing that was not told right may be taken for a verified copy. Everything below the requests
 * (the link, the journal, the clouds) is made up here. */

#define SIZE_BYTES (UINT64_C (3) * 1048576 + 5)
#define CHUNKS 4
#define VOLUME "0f14c2e6-5d2a-4b3e-9a77-52c1c3a1d0b4"

static const char *input;
static size_t left;
static json_t *hello, *volumes, *facts;

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  osm_log_init ("fuzz", OSM_LOG_ERROR);
  hello = osm_json_pack ("{s:[s]}", "features", "sparse");
  volumes = osm_json_pack ("[{s:s, s:s}]", "id", VOLUME, "name", "data");
  return freopen ("/dev/null", "w", stdout) ? 0 : -1;
}
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* ---- the link ---- */

int
osm_link_call_timeout (struct osm_link *link, const char *method, json_t *params,
                       uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  const char *end = memchr (input, '\n', left);
  size_t len = end ? (size_t)(end - input) : left;
  OSM_CLEANUP_JSON json_t *answer = NULL;
  OSM_CLEANUP_FREE char *request = osm_json_dump (params);

  (void)link;
  (void)timeout_ms;
  json_decref (params);
  if (left == 0)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "no more answers");
  if (osm_json_parse (input, len, method, &answer, err) == -1) {
    left = 0;
    return -1;
  }
  len += end != NULL;
  input += len;
  left -= len;
  if (json_object_get (answer, "error"))
    return osm_error_from_json (json_object_get (answer, "error"), err);
  /* So does controller/link/link.c. */
  if (!json_is_object (answer))
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "no result");
  *ret = osm_take (answer);
  return 0;
}

int
osm_link_call (struct osm_link *link, const char *method, json_t *params, json_t **ret,
               struct osm_error *err)
{
  return osm_link_call_timeout (link, method, params, 0, ret, err);
}

const json_t *
osm_link_hello (const struct osm_link *link)
{
  (void)link;
  return hello;
}

/* ---- the migration ---- */

int
osm_migration_agent (struct osm_migration *m, enum osm_side side, const char *method,
                     json_t *params, uint64_t timeout_ms, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;

  if (osm_link_call_timeout (m->host[side]->link, method, params, timeout_ms, &answer, err) == -1)
    return osm_error_wrap (err, "%s conversion host", osm_side_name (side));
  if (ret) {
    json_decref (*ret);
    *ret = osm_take (answer);
  }
  return 0;
}

int
osm_migration_open_hosts (struct osm_migration *m, struct osm_error *err)
{
  (void)m;
  (void)err;
  return 0;
}

void
osm_migration_try_open_hosts (struct osm_migration *m)
{
  (void)m;
}

const json_t *
osm_migration_volumes (const struct osm_migration *m)
{
  (void)m;
  return volumes;
}

const char *
osm_volume_label (const json_t *volume)
{
  return osm_json_str (volume, "name");
}

uint64_t
osm_volume_bytes (const json_t *volume)
{
  (void)volume;
  return SIZE_BYTES;
}

int
osm_each_volume (struct osm_migration *m,
                 int (*run) (struct osm_migration *m, const json_t *volume, size_t index,
                             struct osm_error *err),
                 struct osm_error *err)
{
  return run (m, json_array_get (volumes, 0), 0, err);
}

char *
osm_role_of (const char *role, const char *id)
{
  return osm_asprintf ("%s:%s", role, id);
}

int
osm_made_id (struct osm_migration *m, enum osm_side side, enum osm_made kind, const char *role,
             char **ret_id, struct osm_error *err)
{
  (void)m;
  (void)side;
  (void)kind;
  (void)role;
  (void)err;
  *ret_id = osm_strdup ("made");
  return 0;
}

int
osm_source_exported_id (struct osm_migration *m, const json_t *volume, char **ret_id,
                        struct osm_error *err)
{
  (void)m;
  (void)volume;
  (void)err;
  *ret_id = osm_strdup ("exported");
  return 0;
}

int
osm_limit_for_start (struct osm_migration *m, json_t *params, struct osm_error *err)
{
  (void)m;
  (void)params;
  (void)err;
  return 0;
}

void
osm_limit_apply (struct osm_migration *m)
{
  (void)m;
}

/* ---- the path ---- */

int
osm_data_open_path (struct osm_migration *m, struct osm_error *err)
{
  (void)m;
  (void)err;
  return 0;
}

int
osm_data_close_path (struct osm_migration *m, struct osm_error *err)
{
  (void)m;
  (void)err;
  return 0;
}

void
osm_data_explain (struct osm_migration *m, struct osm_error *err)
{
  (void)m;
  ASSERT (osm_error_is_set (err));
}

bool
osm_path_trouble (struct osm_path *path, struct osm_error *ret)
{
  (void)path;
  (void)ret;
  return false;
}

json_t *
osm_path_source_json (const struct osm_path *path, const char *socket, const char *cipher)
{
  (void)path;
  (void)socket;
  (void)cipher;
  return json_object ();
}

int __wrap_osm_chunks_save (const char *state_dir, const char *migration_id, const char *volume_id,
                            const unsigned char *digests, uint64_t chunks, struct osm_error *err);
int
__wrap_osm_chunks_save (const char *state_dir, const char *migration_id, const char *volume_id,
                        const unsigned char *digests, uint64_t chunks, struct osm_error *err)
{
  (void)state_dir;
  (void)migration_id;
  (void)volume_id;
  (void)err;
  ASSERT (digests && chunks == CHUNKS);
  return 0;
}

/* ---- the journal ---- */

int
osm_store_fact_set (struct osm_store *store, const char *id, const char *key, const json_t *value,
                    struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)err;
  ASSERT (json_is_object (value) || json_is_array (value));
  json_object_set_new (facts, key, json_deep_copy (value));
  return 0;
}

int
osm_store_fact_get (struct osm_store *store, const char *id, const char *key, json_t **ret,
                    struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)err;
  *ret = json_incref (json_object_get (facts, key));
  return 0;
}

int
osm_store_event_add (struct osm_store *store, const char *id, const char *text,
                     struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)err;
  ASSERT (text);
  return 0;
}

int
osm_store_migration_set_progress (struct osm_store *store, const char *id, uint64_t bytes_total,
                                  uint64_t bytes_done, uint64_t bytes_sent, struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)bytes_total;
  (void)bytes_done;
  (void)bytes_sent;
  (void)err;
  return 0;
}

int
osm_store_step_end (struct osm_store *store, const char *id, unsigned seq, const char *state,
                    const json_t *error, struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)seq;
  (void)error;
  (void)err;
  ASSERT (state);
  return 0;
}

int
osm_store_step_list (struct osm_store *store, const char *id, json_t **ret, struct osm_error *err)
{
  (void)store;
  (void)id;
  (void)err;
  *ret = osm_json_pack ("[{s:s, s:s}]", "name", "copy", "state", "done");
  return 0;
}

int
osm_store_host_set (struct osm_store *store, const char *cloud, const char *name,
                    const json_t *value, struct osm_error *err)
{
  (void)store;
  (void)cloud;
  (void)name;
  (void)err;
  ASSERT (json_is_object (value));
  return 0;
}

int
osm_store_host_get (struct osm_store *store, const char *cloud, const char *name, json_t **ret,
                    struct osm_error *err)
{
  (void)store;
  (void)cloud;
  (void)name;
  (void)err;
  *ret = NULL;
  return 0;
}

char *
osm_host_store_key (const struct osm_cloud *cloud)
{
  (void)cloud;
  return osm_strdup ("cloud");
}

/* The copy is as large as its source. */
json_int_t
osm_plan_new_size (const json_t *planned)
{
  return json_integer_value (json_object_get (planned, "size_gb"));
}

/* ---- waiting, which is not done here: linked with --wrap ---- */

int __wrap_osm_wait_ms (uint64_t ms, struct osm_error *err);
int
__wrap_osm_wait_ms (uint64_t ms, struct osm_error *err)
{
  (void)ms;
  (void)err;
  return 0;
}

/* ---- what the controller does ---- */

static void
check_verified (void)
{
  const json_t *manifest = json_object_get (facts, "manifest:" VOLUME);
  const char *sha256 = osm_json_str (manifest, "sha256");

  ASSERT (sha256 && strspn (sha256, "0123456789abcdef") == 64 && sha256[64] == '\0');
  ASSERT (osm_json_uint (manifest, "chunks") == CHUNKS);
  ASSERT (json_object_size (manifest) == 3);
}

static int
act (struct osm_migration *m, unsigned what, struct osm_error *err)
{
  struct osm_hosts_context hosts = { .config = m->context.config };
  OSM_CLEANUP_JSON json_t *result = NULL;
  int r;

  switch (what % 4) {
  case 0:
    if (osm_data_export (m, err) == -1 || osm_data_copy (m, err) == -1)
      return -1;
    r = osm_data_verify (m, err);
    break;
  case 1:
    r = osm_migration_verify (m, err);
    break;
  case 2:
    if (osm_data_unexport (m, err) == -1)
      return -1;
    return osm_data_forget (m, err);
  default:
    return osm_hosts_choose_cipher (&hosts, m->path, 1024, &result, err);
  }
  if (r == 0)
    check_verified ();
  return r;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct osm_config config = { .sparse = (char *)"auto", .state_dir = (char *)"/nonexistent" };
  struct osm_migration_row row = { .id = (char *)"00000001", .state = (char *)"copying" };
  struct osm_host hosts[2] = { { .side = OSM_SOURCE, .peer_address = (char *)"192.0.2.1" },
                               { .side = OSM_DESTINATION, .peer_address = (char *)"192.0.2.2" } };
  struct osm_path path = { .kind = size > 0 && data[0] & 8 ? OSM_PATH_REVERSE : OSM_PATH_DIRECT,
                           .source = &hosts[0],
                           .destination = &hosts[1] };
  struct osm_migration m = {
    .context = { .config = &config }, .row = &row, .path = &path, .host = { &hosts[0], &hosts[1] }
  };
  OSM_ERROR (err);
  int r;

  if (size == 0)
    return 0;
  input = (const char *)data + 1;
  left = size - 1;
  config.host[OSM_DESTINATION].name = (char *)"osm-conversion";
  row.plan = osm_json_pack ("{s:O, s:s}", "volumes", volumes, "compression", "auto");
  facts = osm_json_pack ("{s:{s:b}}", "sparse:" VOLUME, "wanted", 1);
  m.context.ui = osm_ui_new (data[0] & 4 ? OSM_UI_JSON : OSM_UI_PLAIN);
  r = act (&m, data[0], &err);
  ASSERT ((r == -1) == osm_error_is_set (&err));
  osm_ui_free (m.context.ui);
  osm_str_set (&hosts[1].measured_cipher, NULL);
  json_decref (osm_take (facts));
  json_decref (row.plan);
  free (m.sizes);
  return 0;
}
