/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* export, diff and import with --projects: the same for what belongs to no project and for each of the projects, as one report.
 *
 *   struct osm_cmd_projects p = { .session = session, .side = OSM_SOURCE, .types = types, .data_dir = dir, .run = run, .data = data };
 *   osm_cmd_projects_filter (args, &p.filter, err);       NULL: there is no --projects
 *   osm_cmd_projects_run (&p, &report, err); */

#ifndef OSM_CONTROLLER_CMD_PROJECTS_H
#define OSM_CONTROLLER_CMD_PROJECTS_H

#include "controller/cmd/common.h"
#include "controller/tenant/filter.h"
#include "controller/tenant/grants.h"
#include "controller/tenant/type.h"

struct osm_cmd_projects {
  struct osm_session *session;
  enum osm_side side;        /* source: the cloud's projects; destination: those that have files */
  struct osm_filter *filter; /* ours to free */
  const struct osm_tenant_type *const *types;
  const char *data_dir;
  bool dry_run;              /* what would be made is taken for made */
  struct osm_grants *grants; /* NULL: nothing is made */
  /* One of them. */
  int (*run) (void *data, const struct osm_tenant_type *const *types, const char *data_dir,
              const struct osm_tenant_project *project, json_t **ret_report, struct osm_error *err);
  void *data;
};

/* All --projects; "all" is each. */
int osm_cmd_projects_filter (const struct osm_args *args, struct osm_filter **ret,
                             struct osm_error *err);
/* The reports of all: rows of a project have the member "project". What fails for one is a row, and does not keep the others. */
int osm_cmd_projects_run (const struct osm_cmd_projects *projects, json_t **ret_report,
                          struct osm_error *err);

#endif
