/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/parse.h"
#include "common/ranges.h"
#include "common/strbuf.h"
#include "controller/migration/devices.h"
#include "controller/migration/manifest.h"
#include "controller/migration/sparse.h"

#define AGENT_TIMEOUT_MS 60000
#define POLL_MS 250
#define CHUNKS_AT_ONCE 16384 /* docs/PROTOCOL.md */
#define RANGES_MAX 4096      /* likewise */
#define RANGES_SHOWN 8

#define FACT_POLICY "bad-blocks"

/* ---- jobs ---- */

static int
get_job (struct osm_migration *m, enum osm_side side, const char *id, json_t **ret,
         struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *answer = NULL;
  const json_t *job;

  if (osm_migration_agent (m, side, "job.get", osm_json_pack ("{s:[s]}", "ids", id),
                           AGENT_TIMEOUT_MS, &answer, err) == -1)
    return -1;
  job = json_array_get (json_object_get (answer, "jobs"), 0);
  if (!osm_json_str (job, "state"))
    return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO, "the agent knows nothing of job %s", id);
  json_decref (*ret);
  *ret = json_incref ((json_t *)job);
  return 0;
}

static void
show_progress (struct osm_migration *m, const struct osm_verify *v, const char *phase,
               const json_t *job)
{
  const struct osm_ui_progress progress = { .name = osm_volume_label (v->volume),
                                            .phase = phase,
                                            .size_bytes = osm_devices_bytes (m, v->volume),
                                            .done_bytes = osm_json_uint (job, "done_bytes"),
                                            .sent_bytes = osm_json_uint (job, "sent_bytes"),
                                            .zero_bytes = osm_json_uint (job, "zero_bytes") };

  osm_ui_bar (m->context.ui, v->index, &progress);
}

static void
cancel_job (struct osm_migration *m, enum osm_side side, const char *id)
{
  OSM_ERROR (ignored);

  osm_interrupt_hold ();
  if (osm_migration_agent (m, side, "job.cancel", osm_json_pack ("{s:s}", "id", id),
                           AGENT_TIMEOUT_MS, NULL, &ignored) == -1)
    osm_debug ("cancel %s: %s", id, ignored.message);
  osm_interrupt_release ();
}

/* Until it is done; its last word in *ret. */
static int
follow_job (struct osm_migration *m, const struct osm_verify *v, enum osm_side side, const char *id,
            const char *phase, json_t **ret, struct osm_error *err)
{
  for (;;) {
    const char *state;

    if (get_job (m, side, id, ret, err) == -1)
      return -1;
    show_progress (m, v, phase, *ret);
    state = osm_json_str (*ret, "state");
    if (strcmp (state, "done") == 0)
      return 0;
    if (strcmp (state, "running") != 0) {
      if (json_object_get (*ret, "error"))
        osm_error_from_json (json_object_get (*ret, "error"), err);
      else
        osm_error_set (err, OSM_ERROR_REMOTE, 0, "the job is %s", state);
      return osm_error_wrap (err, "%s of volume '%s'", phase, osm_volume_label (v->volume));
    }
    if (osm_wait_ms (POLL_MS, err) == -1)
      return -1;
  }
}

static int
wait_for_job (struct osm_migration *m, const struct osm_verify *v, enum osm_side side,
              const char *id, const char *phase, json_t **ret, struct osm_error *err)
{
  int r = follow_job (m, v, side, id, phase, ret, err);

  if (r == -1 && osm_interrupted ())
    cancel_job (m, side, id);
  return r;
}

/* Cancel and forget a job of this name on both sides. */
static void
forget (struct osm_migration *m, const char *id)
{
  static const char *const methods[] = { "job.cancel", "job.forget" };

  osm_interrupt_hold ();
  for (int k = 0; k < 4; k++) {
    OSM_ERROR (ignored);

    if (osm_migration_agent (m, k < 2 ? OSM_SOURCE : OSM_DESTINATION, methods[k % 2],
                             osm_json_pack ("{s:s}", "id", id), AGENT_TIMEOUT_MS, NULL,
                             &ignored) == -1)
      osm_debug ("%s", ignored.message);
  }
  osm_interrupt_release ();
}

/* ---- comparison ---- */

struct comparison {
  uint64_t chunks;
  json_t *manifest[2]; /* the agents' */
  unsigned char *digests[2];
  struct osm_ranges differing;
};

static void
comparison_done (struct comparison *c)
{
  for (int side = 0; side < 2; side++) {
    json_decref (c->manifest[side]);
    free (c->digests[side]);
  }
  osm_ranges_done (&c->differing);
}
#define COMPARISON(name) __attribute__ ((cleanup (comparison_done))) struct comparison name = { 0 }

static int
get_manifest (struct osm_migration *m, const struct osm_verify *v, enum osm_side side,
              struct comparison *c, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *job = NULL;
  const json_t *manifest;
  const char *sha256;
  unsigned char digest[2 * OSM_CHUNK_DIGEST_LEN];
  uint64_t size = osm_devices_bytes (m, v->volume);

  if (get_job (m, side, v->digest_id[side], &job, err) == -1)
    return -1;
  manifest = json_object_get (job, "manifest");
  c->chunks = size / OSM_VERIFY_CHUNK_BYTES + (size % OSM_VERIFY_CHUNK_BYTES != 0);
  sha256 = osm_json_str (manifest, "sha256");
  /* As long as two digests of chunks. */
  if (!osm_chunks_parse_hex (sha256, 2, digest) ||
      osm_json_uint (manifest, "chunks") != c->chunks ||
      osm_json_uint (manifest, "chunk_bytes") != OSM_VERIFY_CHUNK_BYTES)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0, "volume '%s': a digest is incomplete",
                          osm_volume_label (v->volume));
  /* Kept and shown: what else the agent says is left out. */
  json_decref (c->manifest[side]);
  c->manifest[side] =
      osm_json_pack ("{s:I, s:I, s:s}", "chunk_bytes", (json_int_t)OSM_VERIFY_CHUNK_BYTES, "chunks",
                     (json_int_t)c->chunks, "sha256", sha256);
  return 0;
}

/* All chunk digests of one side. */
static int
get_digests (struct osm_migration *m, const struct osm_verify *v, enum osm_side side,
             struct comparison *c, struct osm_error *err)
{
  OSM_CLEANUP_FREE unsigned char *digests =
      osm_calloc (c->chunks ? c->chunks : 1, OSM_CHUNK_DIGEST_LEN);

  for (uint64_t at = 0; at < c->chunks; at += CHUNKS_AT_ONCE) {
    OSM_CLEANUP_JSON json_t *answer = NULL;
    uint64_t n = c->chunks - at < CHUNKS_AT_ONCE ? c->chunks - at : CHUNKS_AT_ONCE;

    if (osm_migration_agent (m, side, "digest.chunks",
                             osm_json_pack ("{s:s, s:I, s:I}", "id", v->digest_id[side], "first",
                                            (json_int_t)at, "count", (json_int_t)n),
                             AGENT_TIMEOUT_MS, &answer, err) == -1)
      return -1;
    if (!osm_chunks_parse_hex (osm_json_str (answer, "chunks"), n,
                               digests + at * OSM_CHUNK_DIGEST_LEN))
      return osm_error_set (err, OSM_ERROR_REMOTE, EPROTO,
                            "the %s agent's list of digests is not what was asked for",
                            osm_side_name (side));
  }
  free (c->digests[side]);
  c->digests[side] = osm_take (digests);
  return 0;
}

/* Both manifests; where they differ, if they do. */
static int
compare (struct osm_migration *m, const struct osm_verify *v, struct comparison *c,
         struct osm_error *err)
{
  uint64_t size = osm_devices_bytes (m, v->volume);

  osm_ranges_done (&c->differing);
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (get_manifest (m, v, side, c, err) == -1)
      return -1;
  if (strcmp (osm_json_str (c->manifest[0], "sha256"), osm_json_str (c->manifest[1], "sha256")) ==
      0)
    return 0;
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (get_digests (m, v, side, c, err) == -1)
      return -1;
  for (uint64_t i = 0; i < c->chunks; i++) {
    uint64_t offset = i * OSM_VERIFY_CHUNK_BYTES;

    if (memcmp (c->digests[0] + i * OSM_CHUNK_DIGEST_LEN, c->digests[1] + i * OSM_CHUNK_DIGEST_LEN,
                OSM_CHUNK_DIGEST_LEN) != 0)
      osm_ranges_add (&c->differing, offset,
                      size - offset < OSM_VERIFY_CHUNK_BYTES ? size - offset
                                                             : OSM_VERIFY_CHUNK_BYTES);
  }
  if (c->differing.nr == 0)
    return osm_error_set (err, OSM_ERROR_REMOTE, 0,
                          "volume '%s': the digests differ, but none of their chunks does",
                          osm_volume_label (v->volume));
  return 0;
}

static int
they_differ (struct osm_migration *m, const struct osm_verify *v, const struct comparison *c,
             bool repaired, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *text = osm_ranges_text (&c->differing, RANGES_SHOWN);

  osm_error_set (err, OSM_ERROR_REMOTE, 0, "volume '%s': the copy differs from the source%s: %s",
                 osm_volume_label (v->volume),
                 repaired ? ", although this was copied once more" : "", text);
  return osm_error_hint (err,
                         "nothing was handed over; 'osm-controller resume %s' copies it once more, "
                         "'osm-controller rollback %s' gives everything back",
                         m->row->id, m->row->id);
}

/* The digests that the migration itself has are of before: its next run reads both volumes again, and repairs. */
static int
forget_verification (struct osm_migration *m, const struct osm_verify *v, struct osm_error *err)
{
  static const char *const names[] = { "export", "copy", "verify" };
  OSM_CLEANUP_FREE char *id = osm_asprintf ("%s-digest-%u", m->row->id, v->index);
  OSM_CLEANUP_JSON json_t *steps = NULL;
  size_t i;
  const json_t *step;

  if (osm_store_step_list (m->context.store, m->row->id, &steps, err) == -1)
    return -1;
  json_array_foreach (steps, i, step)
  {
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
      if (osm_str_equal (osm_json_str (step, "name"), names[k]) &&
          osm_str_equal (osm_json_str (step, "state"), "done") &&
          osm_store_step_end (m->context.store, m->row->id, (unsigned)osm_json_uint (step, "seq"),
                              "to repeat", NULL, err) == -1)
        return -1;
  }
  forget (m, id);
  return 0;
}

/* ---- repair ---- */

static void
tell (struct osm_migration *m, const struct osm_verify *v, const char *event,
      const struct osm_ranges *ranges, const char *text)
{
  json_t *object =
      osm_json_pack ("{s:s, s:s, s:s, s:I, s:o}", "event", event, "severity", "warning",
                     "volume_id", osm_json_str (v->volume, "id"), "bytes",
                     (json_int_t)osm_ranges_bytes (ranges), "ranges", osm_ranges_to_json (ranges));
  OSM_CLEANUP_FREE char *line = osm_asprintf ("warning: %s", text);
  OSM_ERROR (why);

  json_object_set_new (object, "text", json_string (text));
  osm_ui_event (m->context.ui, object, line);
  if (osm_store_event_add (m->context.store, m->row->id, text, &why) == -1)
    osm_warning ("%s", why.message);
}

static int
remember_repair (struct osm_migration *m, const struct osm_verify *v,
                 const struct osm_ranges *ranges, const char *result, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *key = osm_asprintf ("repair:%s", osm_json_str (v->volume, "id"));
  OSM_CLEANUP_JSON json_t *fact = osm_json_pack (
      "{s:s, s:I, s:o, s:I}", "result", result, "bytes", (json_int_t)osm_ranges_bytes (ranges),
      "ranges", osm_ranges_to_json (ranges), "time_ms", (json_int_t)osm_wall_ms ());

  return osm_store_fact_set (m->context.store, m->row->id, key, fact, err);
}

static int
ask_again (struct osm_migration *m, const struct osm_verify *v, enum osm_side side,
           const char *method, const char *id, const struct osm_ranges *ranges,
           struct osm_error *err)
{
  if (osm_migration_agent (
          m, side, method,
          osm_json_pack ("{s:s, s:o}", "id", id, "ranges", osm_ranges_to_json (ranges)),
          AGENT_TIMEOUT_MS, NULL, err) == -1)
    return osm_error_wrap (err, "volume '%s'", osm_volume_label (v->volume));
  return 0;
}

/* What differs is copied once more and read again on both sides. A repair that is cut off at any line is begun again by the next
 * run: the digests of before still differ then. */
static int
repair (struct osm_migration *m, const struct osm_verify *v, struct comparison *c,
        struct osm_error *err)
{
  OSM_CLEANUP_FREE char *where = NULL, *text = NULL;
  OSM_CLEANUP_JSON json_t *job = NULL;
  struct osm_ranges ranges = c->differing;
  int r = -1;

  c->differing = (struct osm_ranges){ 0 };
  osm_ranges_coarsen (&ranges, RANGES_MAX);
  where = osm_ranges_text (&ranges, RANGES_SHOWN);
  osm_ui_step (m->context.ui, "volume '%s': the copy differs: %s; copying that once more",
               osm_volume_label (v->volume), where);
  if (remember_repair (m, v, &ranges, "running", err) == -1 ||
      ask_again (m, v, OSM_DESTINATION, "copy.repair", v->copy_id, &ranges, err) == -1 ||
      wait_for_job (m, v, OSM_DESTINATION, v->copy_id, "repair", &job, err) == -1)
    goto out;
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (ask_again (m, v, side, "digest.repeat", v->digest_id[side], &ranges, err) == -1)
      goto out;
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (wait_for_job (m, v, side, v->digest_id[side], "verify", &job, err) == -1)
      goto out;
  if (compare (m, v, c, err) == -1)
    goto out;
  if (c->differing.nr > 0) {
    OSM_ERROR (why);

    if (remember_repair (m, v, &ranges, "failed", &why) == -1)
      osm_warning ("%s", why.message);
    they_differ (m, v, c, true, err);
    goto out;
  }
  text = osm_asprintf ("volume '%s': the copy differed from the source and was repaired: %s",
                       osm_volume_label (v->volume), where);
  if (remember_repair (m, v, &ranges, "repaired", err) == -1)
    goto out;
  tell (m, v, "repaired", &ranges, text);
  r = 0;
out:
  osm_ranges_done (&ranges);
  return r;
}

/* ---- what could not be read ---- */

int
osm_verify_add_bad_blocks (struct osm_migration *m, json_t *params, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *policy = NULL;

  if (osm_store_fact_get (m->context.store, m->row->id, FACT_POLICY, &policy, err) == -1)
    return -1;
  osm_json_set_str (params, "bad_blocks", osm_json_str (policy, "policy"));
  return 0;
}

int
osm_migration_set_bad_blocks (struct osm_migration *m, const char *policy, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *fact = osm_json_pack ("{s:s}", "policy", policy);

  return osm_store_fact_set (m->context.store, m->row->id, FACT_POLICY, fact, err);
}

static int
note_bad_blocks (struct osm_migration *m, const struct osm_verify *v, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *job = NULL, *fact = NULL;
  OSM_CLEANUP_FREE char *key = osm_asprintf ("unreadable:%s", osm_json_str (v->volume, "id")),
                        *where = NULL, *text = NULL;
  OSM_RANGES (ranges);

  if (get_job (m, OSM_DESTINATION, v->copy_id, &job, err) == -1)
    return -1;
  if (!json_object_get (job, "bad_blocks"))
    return 0;
  if (osm_ranges_from_json (json_object_get (job, "bad_blocks"), osm_devices_bytes (m, v->volume),
                            RANGES_MAX, &ranges, err) == -1)
    return osm_error_wrap (err, "job %s", v->copy_id);
  if (ranges.nr == 0)
    return 0;
  fact = osm_json_pack ("{s:I, s:o}", "bytes", (json_int_t)osm_ranges_bytes (&ranges), "ranges",
                        osm_ranges_to_json (&ranges));
  if (osm_store_fact_set (m->context.store, m->row->id, key, fact, err) == -1)
    return -1;
  where = osm_ranges_text (&ranges, RANGES_SHOWN);
  text = osm_asprintf ("volume '%s': the source could not be read everywhere, "
                       "the copy has zeros there: %s",
                       osm_volume_label (v->volume), where);
  tell (m, v, "unreadable", &ranges, text);
  return 0;
}

/* ---- one volume ---- */

static char *
manifest_key (const json_t *volume)
{
  return osm_asprintf ("manifest:%s", osm_json_str (volume, "id"));
}

int
osm_verify_volume (struct osm_migration *m, const struct osm_verify *v, struct osm_error *err)
{
  COMPARISON (c);
  OSM_CLEANUP_FREE char *key = manifest_key (v->volume);

  if (compare (m, v, &c, err) == -1)
    return -1;
  if (c.differing.nr > 0) {
    if (!v->copy_id) {
      if (forget_verification (m, v, err) == -1)
        return -1;
      return they_differ (m, v, &c, false, err);
    }
    if (repair (m, v, &c, err) == -1)
      return -1;
  }
  if (get_digests (m, v, OSM_DESTINATION, &c, err) == -1 ||
      osm_chunks_save (m->context.config->state_dir, m->row->id, osm_json_str (v->volume, "id"),
                       c.digests[OSM_DESTINATION], c.chunks, err) == -1)
    return -1;
  if (v->copy_id && note_bad_blocks (m, v, err) == -1)
    return -1;
  return osm_store_fact_set (m->context.store, m->row->id, key, c.manifest[OSM_DESTINATION], err);
}

/* ---- the command 'verify': any time the volumes are there ---- */

struct check {
  struct osm_verify verify;
  char *id;        /* of the jobs */
  char *volume[2]; /* ids */
};

static void
check_done (struct check *c)
{
  free (c->id);
  free (c->volume[0]);
  free (c->volume[1]);
}

static int
not_attached (struct osm_migration *m, const struct check *c, enum osm_side side,
              struct osm_error *err)
{
  bool over = osm_str_equal (m->row->state, "completed") ||
              osm_str_equal (m->row->state, "cleaned") ||
              osm_str_equal (m->row->state, "rolled-back") || osm_str_equal (m->row->state, "held");

  osm_error_clear (err);
  osm_error_set (err, OSM_ERROR_USER, ENOENT,
                 "volume '%s' (%s) is not attached to the %s conversion host",
                 osm_volume_label (c->verify.volume),
                 c->volume[side] ? c->volume[side] : "does not exist", osm_side_name (side));
  return over ? osm_error_hint (
                    err,
                    "migration %s is %s, its volumes have been given back; "
                    "'osm-controller show %s --manifest' has the digests of its verification",
                    m->row->id, m->row->state, m->row->id)
              : osm_error_hint (err, "'osm-controller resume %s' attaches, copies and compares it",
                                m->row->id);
}

static int
find_volumes (struct osm_migration *m, struct check *c, struct osm_error *err)
{
  OSM_CLEANUP_FREE char *role =
      osm_role_of (OSM_ROLE_VOLUME, osm_json_str (c->verify.volume, "id"));

  if (osm_source_exported_id (m, c->verify.volume, &c->volume[OSM_SOURCE], err) == -1 ||
      osm_made_id (m, OSM_DESTINATION, OSM_MADE_VOLUME, role, &c->volume[OSM_DESTINATION], err) ==
          -1)
    return -1;
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    OSM_CLEANUP_JSON json_t *params =
        osm_json_pack ("{s:s?, s:I, s:i}", "volume_id", c->volume[side], "size_bytes",
                       (json_int_t)osm_devices_bytes (m, c->verify.volume), "timeout_ms", 0);

    if (!c->volume[side])
      return not_attached (m, c, side, err);
    if (side == OSM_DESTINATION)
      osm_devices_add_larger (m, c->verify.volume, params);
    if (osm_migration_agent (m, side, "device.find", osm_take (params), AGENT_TIMEOUT_MS, NULL,
                             err) == -1)
      return err->code == ENOENT ? not_attached (m, c, side, err) : -1;
  }
  return 0;
}

static int
start_check (struct osm_migration *m, struct check *c, struct osm_error *err)
{
  forget (m, c->id); /* of a command that was cut off */
  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++) {
    OSM_CLEANUP_JSON json_t *params =
        osm_json_pack ("{s:s, s:s, s:I, s:i, s:b}", "id", c->id, "volume_id", c->volume[side],
                       "size_bytes", (json_int_t)osm_devices_bytes (m, c->verify.volume),
                       "chunk_bytes", OSM_VERIFY_CHUNK_BYTES, "drop_cache", 1);

    if (side == OSM_DESTINATION)
      osm_devices_add_larger (m, c->verify.volume, params);
    if (side == OSM_SOURCE &&
        (osm_verify_add_bad_blocks (m, params, err) == -1 ||
         osm_sparse_add_free (m, c->verify.volume, c->verify.index, params, err) == -1))
      return -1;
    if (osm_migration_agent (m, side, "digest.start", osm_take (params), AGENT_TIMEOUT_MS, NULL,
                             err) == -1)
      return osm_error_wrap (err, "volume '%s'", osm_volume_label (c->verify.volume));
  }
  return 0;
}

static int
finish_check (struct osm_migration *m, const struct check *c, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *job = NULL, *manifest = NULL;
  OSM_CLEANUP_FREE char *text = NULL, *key = manifest_key (c->verify.volume);

  for (enum osm_side side = OSM_SOURCE; side <= OSM_DESTINATION; side++)
    if (wait_for_job (m, &c->verify, side, c->id, "verify", &job, err) == -1)
      return -1;
  if (osm_verify_volume (m, &c->verify, err) == -1 ||
      osm_store_fact_get (m->context.store, m->row->id, key, &manifest, err) == -1)
    return -1;
  text =
      osm_asprintf ("volume '%s': source and copy are equal", osm_volume_label (c->verify.volume));
  osm_ui_event (m->context.ui,
                osm_json_pack ("{s:s, s:s, s:s, s:b, s:O}", "event", "verified", "source_id",
                               c->volume[OSM_SOURCE], "destination_id", c->volume[OSM_DESTINATION],
                               "equal", 1, "manifest", manifest),
                text);
  return 0;
}

static int
copy_is_finished (struct osm_migration *m, struct osm_error *err)
{
  OSM_CLEANUP_JSON json_t *steps = NULL;
  size_t i;
  const json_t *step;

  if (osm_store_step_list (m->context.store, m->row->id, &steps, err) == -1)
    return -1;
  json_array_foreach (steps, i, step)
  {
    if (osm_str_equal (osm_json_str (step, "name"), "copy") &&
        osm_str_equal (osm_json_str (step, "state"), "done"))
      return 0;
  }
  osm_error_set (err, OSM_ERROR_USER, 0, "migration %s is %s: it has no finished copy to compare",
                 m->row->id, m->row->state);
  return osm_error_hint (err, "see 'osm-controller show %s'", m->row->id);
}

int
osm_migration_verify (struct osm_migration *m, struct osm_error *err)
{
  size_t n = json_array_size (osm_migration_volumes (m)), started = 0;
  OSM_CLEANUP_FREE struct check *checks = NULL;
  OSM_ERROR (first);
  int r = -1;

  if (copy_is_finished (m, err) == -1 || osm_migration_open_hosts (m, err) == -1 ||
      osm_devices_load (m, err) == -1)
    return -1;
  checks = osm_calloc (n ? n : 1, sizeof *checks);
  for (size_t i = 0; i < n; i++) {
    struct check *c = &checks[i];

    c->id = osm_asprintf ("%s-verify-%zu", m->row->id, i);
    c->verify = (struct osm_verify){ .volume = json_array_get (osm_migration_volumes (m), i),
                                     .index = (unsigned)i,
                                     .digest_id = { c->id, c->id } };
    if (find_volumes (m, c, err) == -1)
      goto out;
  }
  for (; started < n; started++)
    if (start_check (m, &checks[started], err) == -1) {
      started++;
      goto out;
    }
  /* All of them, also when one differs: the operator wants to know how bad it is. */
  for (size_t i = 0; i < n; i++) {
    OSM_ERROR (why);

    if (finish_check (m, &checks[i], &why) == 0)
      continue;
    if (osm_error_is_set (&first))
      osm_warning ("%s", why.message);
    else
      osm_error_move (&first, &why);
    if (first.class == OSM_ERROR_INTERRUPTED)
      break;
  }
  r = osm_error_is_set (&first) ? -1 : 0;
  if (r == -1)
    osm_error_move (err, &first);
out:
  for (size_t i = 0; i < started; i++)
    forget (m, checks[i].id);
  for (size_t i = 0; i < n; i++)
    check_done (&checks[i]);
  return r;
}
