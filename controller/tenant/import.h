/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Files into a cloud: what is missing is made, what differs is changed if that was asked for, what is equal is left alone.
 *
 *   osm_tenant_import (cloud, &options, &report, err);
 *   report: {"objects": [{"type", "name", "id", "result", "reason"}], "counts": {...}, "dry_run": false}
 *
 * Results: created, updated, equal, skipped, failed, deleted. All files are read and checked before anything is touched. */

#ifndef OSM_CONTROLLER_TENANT_IMPORT_H
#define OSM_CONTROLLER_TENANT_IMPORT_H

#include "controller/cloud/cloud.h"
#include "controller/store/store.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/type.h"

struct osm_import_options {
  const struct osm_tenant_type *const *types; /* NULL-terminated */
  const struct osm_filter *filter;
  const char *hosts; /* name of osm's conversion hosts there, or NULL */
  const char *data_dir;
  struct osm_store *store; /* remembers what became of what; NULL: names are all that there is */
  const char *source;      /* name of the cloud that the files are of; NULL: likewise */
  bool dry_run;
  unsigned with;         /* also what these need or contain of other types: enum osm_needs */
  bool exact;            /* delete rules that are in no file, of groups that are in one */
  bool accept_conflicts; /* that export has marked: the file's values are meant */
  bool update;           /* change objects that are there already and differ */
  const struct osm_tenant_project *project; /* whose objects are made; NULL: the token's */
  const struct osm_image_source *images;    /* NULL: images are skipped */
};

int osm_tenant_import (struct osm_cloud *cloud, const struct osm_import_options *options,
                       json_t **ret_report, struct osm_error *err);
/* The rows of osm_tenant_compare for all types, with what is in no file; nothing is changed. */
int osm_tenant_diff_cloud (struct osm_cloud *cloud, const struct osm_import_options *options,
                           json_t **ret_report, struct osm_error *err);

#endif
