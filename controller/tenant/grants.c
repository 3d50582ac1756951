/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/tenant/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"

struct scoped {
  char *project_id;
  struct osm_cloud *cloud;
};

struct osm_grants {
  struct osm_cloud *cloud;
  struct osm_store *store;
  char *lock_path;
  int lock; /* held while there are roles to take back; -1 */
  struct scoped *scoped;
  size_t nr_scoped;
};

struct osm_grants *
osm_grants_new (struct osm_cloud *cloud, struct osm_store *store, const char *state_dir)
{
  struct osm_grants *grants = osm_calloc (1, sizeof *grants);
  OSM_CLEANUP_FREE char *quoted = osm_quote_url (osm_cloud_name (cloud));

  grants->cloud = cloud;
  grants->store = store;
  grants->lock_path = osm_asprintf ("%s/grants-%s.lock", state_dir, quoted);
  grants->lock = -1;
  return grants;
}

void
osm_grants_free (struct osm_grants *grants)
{
  if (!grants)
    return;
  for (size_t i = 0; i < grants->nr_scoped; i++) {
    osm_cloud_free (grants->scoped[i].cloud);
    free (grants->scoped[i].project_id);
  }
  free (grants->scoped);
  if (grants->lock != -1)
    close (grants->lock);
  free (grants->lock_path);
  free (grants);
}

const json_t *
osm_grants_choose (const json_t *roles)
{
  static const char *const names[] = { "member", "_member_", "Member", "admin" };
  const json_t *role;
  size_t i;

  for (size_t n = 0; n < sizeof names / sizeof names[0]; n++)
    json_array_foreach (roles, i, role)
    {
      const json_t *domain = json_object_get (role, "domain_id");

      if (osm_str_equal (osm_json_str (role, "name"), names[n]) && osm_json_str (role, "id") &&
          (!domain || json_is_null (domain)))
        return role;
    }
  return NULL;
}

/* ---- lock ---- */

/* 1: it is ours. 0: another process has it. */
static int
take_lock (struct osm_grants *grants, struct osm_error *err)
{
  OSM_CLEANUP_FD int fd = -1;

  if (grants->lock != -1)
    return 1;
  fd = open (grants->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd == -1)
    return osm_error_set_errno (err, errno, "%s", grants->lock_path);
  if (flock (fd, LOCK_EX | LOCK_NB) == -1)
    return errno == EWOULDBLOCK ? 0
                                : osm_error_set_errno (err, errno, "lock %s", grants->lock_path);
  grants->lock = osm_take_fd (&fd);
  return 1;
}

/* ---- one grant ---- */

static char *
grant_path (const char *project_id, const char *user_id, const char *role_id)
{
  OSM_CLEANUP_FREE char *project = osm_quote_url (project_id), *user = osm_quote_url (user_id),
                        *role = osm_quote_url (role_id);

  return osm_asprintf ("/projects/%s/users/%s/roles/%s", project, user, role);
}

static int
list_assignments (struct osm_grants *grants, const char *project_id, const char *user_id,
                  const char *how, json_t **ret, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *user = osm_quote_url (user_id), *project = osm_quote_url (project_id),
                        *path = osm_asprintf ("/role_assignments?user.id=%s&scope.project.id=%s%s",
                                              user, project, how);

  return osm_cloud_list (grants->cloud, OSM_IDENTITY, path, "role_assignments", ret, err);
}

/* Direct, of a group, inherited or implied. */
static int
has_a_role (struct osm_grants *grants, const char *project_id, bool *ret, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *assignments = NULL;

  if (list_assignments (grants, project_id, osm_cloud_user_id (grants->cloud), "&effective",
                        &assignments, err) == -1)
    return -1;
  *ret = json_array_size (assignments) > 0;
  return 0;
}

/* Who may not give roles may not take them back, either: then what was refused is known not to be there. */
static bool
is_not_there (struct osm_grants *grants, const char *project_id, const char *user_id,
              const char *role_id)
{
  OSM_CLEANUP_JSON json_t *assignments = NULL;
  const json_t *a;
  size_t i;
  OSM_ERROR (ignored);

  if (list_assignments (grants, project_id, user_id, "", &assignments, &ignored) == -1)
    return false;
  json_array_foreach (assignments, i, a)
  {
    const char *id = osm_json_str (json_object_get (a, "role"), "id");

    if (!id || osm_str_equal (id, role_id))
      return false;
  }
  return true;
}

static int
give (struct osm_grants *grants, const char *project_id, const char *label, const json_t *role,
      struct osm_error *err)
{
  const struct osm_role_grant g = { .cloud = osm_cloud_name (grants->cloud),
                                    .project_id = project_id,
                                    .user_id = osm_cloud_user_id (grants->cloud),
                                    .role_id = osm_json_str (role, "id"),
                                    .project = label,
                                    .role = osm_json_str (role, "name"),
                                    .url = osm_cloud_url (grants->cloud) };
  OSM_CLEANUP_FREE char *path = grant_path (project_id, g.user_id, g.role_id);

  if (osm_store_grant_intend (grants->store, &g, err) == -1)
    return -1;
  /* Also when it is refused it may be there, by an earlier attempt of the same request: it is taken back at the end. */
  return osm_cloud_put (grants->cloud, OSM_IDENTITY, path, NULL, NULL, NULL, err);
}

static int
take_back (struct osm_grants *grants, const json_t *row, struct osm_error *err)
{
  const char *project = osm_json_str (row, "project_id"), *user = osm_json_str (row, "user_id"),
             *role = osm_json_str (row, "role_id"), *url = osm_json_str (row, "url");
  OSM_CLEANUP_FREE char *path = grant_path (project, user, role);
  OSM_ERROR (why);

  /* One that is not there was not given, or went with its project; elsewhere that says nothing. */
  if (!osm_str_equal (url, osm_cloud_url (grants->cloud)))
    osm_error_set (&why, OSM_ERROR_USER, 0,
                   "it was given at %s, and clouds.yaml has %s for cloud '%s' now", url,
                   osm_cloud_url (grants->cloud), osm_cloud_name (grants->cloud));
  else if (osm_cloud_delete (grants->cloud, OSM_IDENTITY, path, &why) == -1 && why.code == 403 &&
           is_not_there (grants, project, user, role))
    osm_error_clear (&why);
  if (osm_error_is_set (&why)) {
    osm_error_move (err, &why);
    return osm_error_wrap (err, "the role '%s' that osm has in the project %s stays",
                           osm_json_str (row, "role"), osm_json_str (row, "project"));
  }
  return osm_store_grant_revoked (grants->store, osm_cloud_name (grants->cloud), project, user,
                                  role, err);
}

/* ---- all of them ---- */

static int
take_all_back (struct osm_grants *grants, size_t *ret_revoked, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  const json_t *row;
  size_t i, nr = 0;

  if (osm_store_grant_list (grants->store, osm_cloud_name (grants->cloud), &rows, err) == -1)
    return -1;
  json_array_foreach (rows, i, row)
  {
    OSM_ERROR (why);

    if (take_back (grants, row, &why) == 0)
      nr++;
    else if (!osm_error_is_set (err))
      osm_error_move (err, &why);
  }
  if (ret_revoked)
    *ret_revoked = nr;
  return osm_error_is_set (err)
             ? osm_error_hint (err, "osm-controller revoke-grants takes it back; list --grants "
                                    "shows what is left")
             : 0;
}

int
osm_grants_end (struct osm_grants *grants, size_t *ret_revoked, struct osm_error *err)
{
  int r;

  if (ret_revoked)
    *ret_revoked = 0;
  if (grants->lock == -1)
    return 0;
  osm_interrupt_hold ();
  r = take_all_back (grants, ret_revoked, err);
  osm_interrupt_release ();
  close (grants->lock);
  grants->lock = -1;
  return r;
}

int
osm_grants_recover (struct osm_grants *grants, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;

  if (osm_store_grant_list (grants->store, osm_cloud_name (grants->cloud), &rows, err) == -1)
    return -1;
  if (json_array_size (rows) == 0)
    return 0;
  switch (take_lock (grants, err)) {
  case -1:
    return -1;
  case 0:
    return 0;
  default:
    return osm_grants_end (grants, NULL, err);
  }
}

/* ---- tokens ---- */

static int
busy (const struct osm_grants *grants, struct osm_error *err)
{
  osm_error_set (err, OSM_ERROR_USER, EBUSY,
                 "in use by another osm-controller, which has given itself roles");
  return osm_error_hint (err, "wait until it has ended (%s is locked)", grants->lock_path);
}

/* A role of the journal is there only until whoever gave it has ended; if nobody holds the lock, that is us. */
static int
check_others (struct osm_grants *grants, const char *project_id, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *rows = NULL;
  const json_t *row;
  bool given = false;
  size_t i;
  int locked;

  if (osm_store_grant_list (grants->store, osm_cloud_name (grants->cloud), &rows, err) == -1)
    return -1;
  json_array_foreach (rows, i, row) given =
      given || osm_str_equal (osm_json_str (row, "project_id"), project_id);
  if (!given)
    return 0;
  locked = take_lock (grants, err);
  return locked == 0 ? busy (grants, err) : locked == -1 ? -1 : 0;
}

static int
get_a_role (struct osm_grants *grants, const char *project_id, const char *label,
            struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *roles = NULL;
  const json_t *role;
  bool has = false;
  int locked;

  if (check_others (grants, project_id, err) == -1 ||
      has_a_role (grants, project_id, &has, err) == -1)
    return -1;
  /* It may have been given just now. */
  if (has)
    return check_others (grants, project_id, err);
  if (osm_cloud_list (grants->cloud, OSM_IDENTITY, "/roles", "roles", &roles, err) == -1)
    return -1;
  role = osm_grants_choose (roles);
  if (!role)
    return osm_error_set (err, OSM_ERROR_USER, 0,
                          "cloud '%s' has no role 'member' that osm could give itself in the "
                          "project %s",
                          osm_cloud_name (grants->cloud), label);
  locked = take_lock (grants, err);
  if (locked == 0)
    return busy (grants, err);
  return locked == -1 ? -1 : give (grants, project_id, label, role, err);
}

int
osm_grants_open (struct osm_grants *grants, const char *project_id, const char *label,
                 struct osm_cloud **ret, struct osm_error *err)
{
  struct osm_cloud *cloud = NULL;

  if (osm_str_equal (project_id, osm_cloud_project_id (grants->cloud))) {
    *ret = grants->cloud;
    return 0;
  }
  for (size_t i = 0; i < grants->nr_scoped; i++)
    if (osm_str_equal (grants->scoped[i].project_id, project_id)) {
      *ret = grants->scoped[i].cloud;
      return 0;
    }
  if (get_a_role (grants, project_id, label, err) == -1 ||
      osm_cloud_open_project (grants->cloud, project_id, &cloud, err) == -1)
    return osm_error_wrap (err, "a token of the project %s", label);
  grants->scoped = osm_realloc (grants->scoped, grants->nr_scoped + 1, sizeof *grants->scoped);
  grants->scoped[grants->nr_scoped++] =
      (struct scoped){ .project_id = osm_strdup (project_id), .cloud = cloud };
  *ret = cloud;
  return 0;
}
