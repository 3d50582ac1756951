/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Verifies one volume as a migration does, with an agent that is source and destination at the same time; no cloud.
 *
 *   verify-driver STATE-DIR PRIVATE-KEY HOST-KEY COPY-JOB SOURCE-DIGEST-JOB DESTINATION-DIGEST-JOB VOLUME SIZE-GB
 *
 * COPY-JOB "-": only compare. Events are JSON lines; the journal is STATE-DIR/osm.db. Status 0: equal. */

#include <config.h>

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/strbuf.h"
#include "controller/link/link.h"
#include "controller/migration/verify.h"

static int
run (char **argv, struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *path = osm_asprintf ("%s/osm.db", argv[1]);
  OSM_CLEANUP_STORE struct osm_store *store = NULL;
  OSM_CLEANUP_LINK struct osm_link *link = NULL;
  OSM_CLEANUP_STRV char **keys = NULL;
  OSM_CLEANUP_JSON json_t *volume = NULL;
  struct osm_host hosts[2] = { 0 };
  struct osm_verify verify = { .copy_id = strcmp (argv[4], "-") == 0 ? NULL : argv[4],
                               .digest_id = { argv[5], argv[6] } };
  uint64_t size_gb;
  struct osm_link_target target = { .name = "the host",
                                    .address = "127.0.0.1",
                                    .port = 22,
                                    .user = "osm",
                                    .private_key_path = argv[2],
                                    .connect_timeout_ms = 5000 };

  osm_strv_append (&keys, argv[3]);
  target.host_keys = keys;
  if (osm_parse_uint (argv[8], "size", 1, 1000, &size_gb, err) == -1 ||
      osm_store_open (path, &store, err) == -1 || osm_link_open (&target, &link, err) == -1)
    return -1;
  volume = osm_json_pack ("{s:s, s:s, s:I}", "id", argv[7], "name", "data", "size_gb",
                          (json_int_t)size_gb);
  verify.volume = volume;
  hosts[0].link = hosts[1].link = link;
  m->host[0] = &hosts[0];
  m->host[1] = &hosts[1];
  m->context.store = store;
  if (osm_store_migration_add (store, m->row, err) == -1)
    return -1;
  return osm_verify_volume (m, &verify, err);
}

int
main (int argc, char **argv)
{
  struct osm_config config = { 0 };
  struct osm_migration_row row = { 0 };
  struct osm_migration m = { .row = &row, .context = { .config = &config } };
  OSM_CLEANUP_JSON json_t *error = NULL, *plan = json_object ();
  OSM_CLEANUP_FREE char *text = NULL,
                        *uuid = osm_asprintf ("object-%lld", (long long)osm_wall_ms ());
  OSM_ERROR (err);

  if (argc != 9)
    osm_abort ("wrong operands");
  osm_log_init ("verify-driver", OSM_LOG_WARNING);
  config.state_dir = argv[1];
  row.kind = row.object_name = (char *)"volume";
  row.state = (char *)"planned";
  row.source_cloud = row.destination_cloud = (char *)"cloud";
  row.object_id = uuid;
  row.plan = plan;
  m.context.ui = osm_ui_new (OSM_UI_JSON);
  if (run (argv, &m, &err) == -1) {
    error = osm_json_pack ("{s:o}", "error", osm_error_to_json (&err));
    text = osm_json_dump (error);
    puts (text);
  }
  osm_ui_free (m.context.ui);
  free (row.id);
  return (int)err.class;
}
