/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "controller/migration/findings.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

const char *const osm_finding_ids[] = {
  "api-too-old",
  "availability-zone-not-kept",
  "conversion-host-busy",
  "conversion-host-missing",
  "conversion-host-too-small",
  "conversion-host-unreachable",
  "destination-address-automatic",
  "destination-address-in-use",
  "destination-availability-zone-missing",
  "destination-flavor-missing",
  "destination-flavor-too-small",
  "destination-image-differs",
  "destination-image-missing",
  "destination-image-properties-differ",
  "destination-key-pair-differs",
  "destination-key-pair-missing",
  "destination-network-missing",
  "destination-network-quota",
  "destination-network-shared",
  "destination-no-server-tags",
  "destination-port-extension",
  "destination-project-differs",
  "destination-qos-policy-missing",
  "destination-quota",
  "destination-same-name",
  "destination-security-group-missing",
  "destination-server-group-differs",
  "destination-server-group-missing",
  "destination-subnet-missing",
  "destination-volume-encrypted",
  "destination-volume-encryption-hidden",
  "destination-volume-missing",
  "destination-volume-quota",
  "destination-volume-too-large",
  "destination-volume-type-missing",
  "destination-volume-unencrypted",
  "destination-volume-unfit",
  "flavor-differs",
  "flavor-extra-specs-differ",
  "flavor-extra-specs-hidden",
  "floating-ip-changes",
  "floating-ip-in-use",
  "floating-ip-missing",
  "floating-ip-no-network",
  "floating-ip-port-forwarding",
  "floating-ip-property-not-carried",
  "floating-ip-stays",
  "hostname-changes",
  "image-property-not-carried",
  "key-pair-imported",
  "migrated-before",
  "platform-accelerator",
  "platform-architecture",
  "platform-bare-metal",
  "platform-config-drive",
  "platform-cpu-pinning",
  "platform-firmware",
  "platform-huge-pages",
  "platform-hypervisor",
  "platform-machine-type",
  "platform-memory-encryption",
  "platform-numa",
  "platform-pci-passthrough",
  "platform-persistent-memory",
  "platform-realtime",
  "platform-resources",
  "platform-secure-boot",
  "platform-tpm",
  "platform-traits",
  "platform-vgpu",
  "port-bare-metal",
  "port-binding-profile",
  "port-property-not-carried",
  "port-resource-request",
  "port-trunk",
  "port-trusted",
  "port-vnic-type",
  "quota-hidden",
  "security-group-differs",
  "server-group-made",
  "server-property-not-carried",
  "source-backups-stay",
  "source-boot-volume-unknown",
  "source-flavor-changed",
  "source-flavor-gone",
  "source-image-booted",
  "source-image-gone",
  "source-image-quota",
  "source-kernel-image",
  "source-local-disk",
  "source-port-dns-name",
  "source-port-order",
  "source-qos-policy-hidden",
  "source-root-disk-dropped",
  "source-root-size-unknown",
  "source-server-busy",
  "source-server-claimed",
  "source-server-group-hidden",
  "source-server-locked",
  "source-server-state",
  "source-snapshots-stay",
  "source-user-data-hidden",
  "source-volume-claimed",
  "source-volume-encrypted",
  "source-volume-in-use",
  "source-volume-multiattach",
  "source-volume-quota",
  "source-volume-read-only",
  "source-volume-shared",
  "source-volume-state",
  "together-destination-quota",
  "together-same-address",
  "together-same-server",
  "together-shared-volume",
  "together-source-quota",
  "user-data-too-long",
  "volume-availability-zone-not-kept",
  "volume-not-copied",
  "volume-property-not-carried",
  NULL,
};

int
osm_findings_check_accepted (char *const *ids, struct osm_error *err)
{
  for (size_t i = 0; ids && ids[i]; i++) {
    OSM_STRBUF (known);
    bool found = false;

    for (size_t k = 0; osm_finding_ids[k]; k++) {
      found |= strcmp (ids[i], osm_finding_ids[k]) == 0;
      osm_strbuf_addf (&known, "%s%s", k > 0 ? ", " : "", osm_finding_ids[k]);
    }
    if (!found) {
      osm_error_set (err, OSM_ERROR_USER, 0, "--accept: there is no finding '%s'", ids[i]);
      return osm_error_hint (err, "the findings are %s", osm_strbuf_str (&known));
    }
  }
  return 0;
}

size_t
osm_findings_accept (json_t *plan, char *const *ids)
{
  size_t i, n = 0;
  json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    const char *id = osm_json_str (finding, "id");

    if (!id || !osm_str_equal (osm_json_str (finding, "severity"), "warning"))
      continue;
    if (ids && osm_strv_contains (ids, id))
      json_object_set_new (finding, "accepted", json_true ());
    else
      n++;
  }
  return n;
}

void
osm_plan_must_accept (json_t *plan)
{
  const json_t *findings = json_object_get (plan, "findings");

  json_object_set_new (json_array_get (findings, json_array_size (findings) - 1), "must_accept",
                       json_true ());
}

size_t
osm_findings_unaccepted (const json_t *plan)
{
  size_t i, n = 0;
  const json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    if (json_is_true (json_object_get (finding, "must_accept")) &&
        !json_is_true (json_object_get (finding, "accepted")))
      n++;
  }
  return n;
}

bool
osm_plan_has_finding (const json_t *plan, const char *id, const char *object)
{
  size_t i;
  const json_t *finding;

  json_array_foreach (json_object_get (plan, "findings"), i, finding)
  {
    if (osm_str_equal (osm_json_str (finding, "id"), id) &&
        osm_str_equal (osm_json_str (finding, "object"), object ? object : ""))
      return true;
  }
  return false;
}
