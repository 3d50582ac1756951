/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Forgetting what is over. */

#include <config.h>

#include "controller/store/store.h"

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "controller/store/internal.h"

/* What osm_migration_state_may_follow lets nothing come after. A completed one can still be rolled back. */
#define OVER "state IN ('cleaned', 'rolled-back') AND updated_ms < ?"

int
osm_store_prunable (struct osm_store *store, int64_t before_ms, char ***ret, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  OSM_CLEANUP_STMT sqlite3_stmt *s = NULL;
  OSM_CLEANUP_STRV char **ids = NULL;
  size_t nr = 0, allocated = 0;
  int r;

  if (osm_sql_prepare (store, &s, err, "SELECT id FROM migration WHERE " OVER " ORDER BY number",
                       "i", before_ms) == -1)
    return -1;
  while ((r = osm_sql_step (store, s, err)) == 1) {
    if (nr + 1 >= allocated) {
      allocated = allocated ? allocated * 2 : 64;
      ids = osm_realloc (ids, allocated, sizeof *ids);
    }
    ids[nr++] = osm_sql_text (s, 0);
    ids[nr] = NULL;
  }
  if (r == -1)
    return -1;
  *ret = osm_take (ids);
  return 0;
}

int
osm_store_prune (struct osm_store *store, int64_t before_ms, struct osm_error *err)
{
  /* What belongs to them goes with them: ON DELETE CASCADE. */
  return osm_sql_run_alone (store, NULL, err, "DELETE FROM migration WHERE " OVER, "i", before_ms);
}

int
osm_store_shrink (struct osm_store *store, struct osm_error *err)
{
  OSM_TRANSACTION (t, store);
  int code = sqlite3_exec (store->db, "VACUUM; PRAGMA wal_checkpoint (TRUNCATE)", NULL, NULL, NULL);

  return code == SQLITE_OK ? 0 : osm_sql_error (store, code, err);
}
