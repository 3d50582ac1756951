/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Volumes that their cloud encrypts. A conversion host sees them in the clear, as any server does: Nova opens them with the key that Cinder
 * has for them. The header of the encryption (2 MiB of LUKS1, 16 MiB of LUKS2) takes its room from the volume's own, so that the disk
 * which a server sees is smaller than the volume; how much smaller shows only when it is attached (devices.c). */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/quote.h"
#include "common/strbuf.h"

/* ---- pure ---- */

enum osm_known
osm_plan_encryption_of (const json_t *answer)
{
  /* {} of a type that has none. */
  return !json_is_object (answer) ? OSM_NOT_KNOWN
         : osm_json_str (answer, "provider") || osm_json_str (answer, "encryption_id")
             ? OSM_KNOWN_YES
             : OSM_KNOWN_NO;
}

static void
clear_at_destination (json_t *plan, const char *label, const char *type, bool known)
{
  osm_plan_finding (plan, "destination-volume-unencrypted", "warning", label,
                    "map its type to one that encrypts: map: { volume_types: { OLD: NEW } }; or "
                    "accept it: --accept destination-volume-unencrypted",
                    known ? "volume '%s' is encrypted by its cloud, and type '%s' of its copy does "
                            "not encrypt: the destination keeps it as it is"
                          : "volume '%s' is encrypted by its cloud; whether type '%s' of its copy "
                            "encrypts is not shown to these credentials: the destination perhaps "
                            "keeps it as it is",
                    label, type ? type : "(the default)");
  osm_plan_must_accept (plan);
}

void
osm_plan_check_encryption (json_t *plan, const char *label, const char *type,
                           enum osm_known destination, json_t *planned)
{
  json_int_t size = json_integer_value (json_object_get (planned, "size_gb"));

  if (json_is_true (json_object_get (planned, "encrypted"))) {
    if (destination != OSM_KNOWN_YES)
      clear_at_destination (plan, label, type, destination == OSM_KNOWN_NO);
    else
      osm_plan_finding (plan, "source-volume-encrypted", "info", label, NULL,
                        "volume '%s' is encrypted by its cloud, and so is its copy, with a key of "
                        "the destination; if the header of the destination's encryption is larger, "
                        "the migration stops before anything is copied",
                        label);
    return;
  }
  if (destination == OSM_NOT_KNOWN && osm_plan_new_size (planned) <= size &&
      !osm_plan_has_finding (plan, "destination-volume-encryption-hidden", type))
    osm_plan_finding (plan, "destination-volume-encryption-hidden", "info", type,
                      "ask the cloud's administrator; if it does, have a larger copy: --new-size "
                      "or new_size_gb in a plan file",
                      "whether type '%s' encrypts is not shown to these credentials: if it does, "
                      "the header of that takes room from the copies, and the migration stops "
                      "before anything is copied, unless they are larger than their sources "
                      "(volume '%s', for example)",
                      type ? type : "(the default)", label);
  if (destination != OSM_KNOWN_YES)
    return;
  if (!json_object_get (planned, "new_size_gb"))
    json_object_set_new (planned, "new_size_gb", json_integer (size + 1));
  osm_plan_finding (plan, "destination-volume-encrypted", "info", label,
                    "new_size_gb in a plan file decides otherwise",
                    "type '%s' encrypts the copy of volume '%s', and the header of that needs "
                    "room: the copy has %" JSON_INTEGER_FORMAT
                    " GiB, the source %" JSON_INTEGER_FORMAT,
                    type ? type : "(the default)", label, osm_plan_new_size (planned), size);
}

/* ---- asking ---- */

/* By default only administrators are told. */
static int
ask (struct osm_cloud *cloud, const char *path, json_t **ret, struct osm_error *err)
{
  OSM_ERROR (why);

  if (osm_cloud_get (cloud, OSM_VOLUME, path, NULL, ret, &why) == 0 ||
      (why.code >= 400 && why.code < 500 && why.code != 401))
    return 0;
  osm_error_move (err, &why);
  return -1;
}

int
osm_plan_encryption (const struct osm_plan_input *input, json_t *plan, const char *label,
                     const json_t *type, json_t *planned, struct osm_error *err)
{
  struct osm_cloud *cloud = input->cloud[OSM_DESTINATION];
  OSM_CLEANUP_JSON json_t *standard = NULL, *answer = NULL;
  const char *id, *name;

  if (!type && ask (cloud, "/types/default", &standard, err) == -1)
    return -1;
  if (!type)
    type = json_object_get (standard, "volume_type");
  id = osm_json_str (type, "id");
  name = osm_json_str (type, "name");
  if (id) {
    OSM_CLEANUP_FREE char *quoted = osm_quote_url (id),
                          *path = osm_asprintf ("/types/%s/encryption", quoted);

    if (ask (cloud, path, &answer, err) == -1)
      return -1;
  }
  osm_plan_check_encryption (plan, label, name, osm_plan_encryption_of (answer), planned);
  return 0;
}
