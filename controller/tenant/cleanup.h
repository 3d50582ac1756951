/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* The source, rid of what import has made at the destination: the only thing in this folder that deletes there.
 *
 *   osm_tenant_cleanup (source, destination, &options, &report, err);
 *   report: {"objects": [{"type", "name", "id", "destination_id", "result", "reason"}], "counts": {...}, "dry_run": true}
 *
 * Results: would delete (without `really`), deleted, left, gone, failed. verdict.h has the rules. What is deleted is noted in the journal and not
 * looked at again. */

#ifndef OSM_CONTROLLER_TENANT_CLEANUP_H
#define OSM_CONTROLLER_TENANT_CLEANUP_H

#include "controller/cloud/cloud.h"
#include "controller/store/store.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

struct osm_cleanup_options {
  const struct osm_tenant_type *const *types; /* NULL-terminated */
  const struct osm_filter *filter;
  const char
      *hosts[2]; /* name of osm's conversion hosts at the source and at the destination, or NULL */
  const char *data_dir; /* what the operator has edited is no difference; need not be there */
  struct osm_store *store;
  uint64_t hold_ms; /* what was imported later stays */
  bool accept_differences;
  bool really;
  /* Asked before each deletion; -1 ends it all. May be NULL. */
  int (*may_delete) (void *data, struct osm_error *err);
  void *data;
};

/* *ret_report is also there when it ended early, after something may have been deleted; else NULL. */
int osm_tenant_cleanup (struct osm_cloud *source, struct osm_cloud *destination,
                        const struct osm_cleanup_options *options, json_t **ret_report,
                        struct osm_error *err);

#endif
