/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

/* Is the destination's flavor the same, and what do flavor and image ask of a hypervisor?
 * https://docs.openstack.org/nova/latest/configuration/extra-specs.html
 * https://docs.openstack.org/glance/latest/admin/useful-image-properties.html */

#include <config.h>

#include "controller/migration/plan-internal.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/strbuf.h"

/* ---- differences ---- */

static void
compare_sizes (json_t *plan, const char *flavor_name, const json_t *old, const json_t *new)
{
  static const char *const keys[] = { "vcpus", "ram", "disk", "ephemeral", "swap" };

  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    const char *key = keys[i];
    json_int_t was = json_integer_value (json_object_get (old, key));
    json_int_t is = json_integer_value (
        json_object_get (new, strcmp (key, "ephemeral") == 0 ? "OS-FLV-EXT-DATA:ephemeral" : key));

    if (was != is && json_object_get (old, key))
      osm_plan_finding (plan, "flavor-differs", "warning", flavor_name,
                        "map it to another one, if there is one: map: { flavors: { OLD: NEW } }",
                        "flavor '%s' at the destination has %s %" JSON_INTEGER_FORMAT
                        ", the server was made with %" JSON_INTEGER_FORMAT,
                        osm_json_str (new, "name"), key, is, was);
  }
}

static void
add_difference (struct osm_strbuf *b, const char *key, const json_t *was, const json_t *is)
{
  const char *old = json_string_value (was), *new = json_string_value (is);

  osm_strbuf_addf (b, "%s%s is ", b->len ? "; " : "", key);
  if (is)
    osm_strbuf_addf (b, "'%s'", new ? new : "?");
  else
    osm_strbuf_add (b, "not set");
  if (was)
    osm_strbuf_addf (b, ", was '%s'", old ? old : "?");
  else
    osm_strbuf_add (b, ", was not set");
}

char *
osm_plan_specs_difference (const json_t *old, const json_t *new)
{
  const char *key;
  json_t *value;
  OSM_STRBUF (b);

  json_object_foreach ((json_t *)old, key, value)
  {
    if (!json_equal (value, json_object_get (new, key)))
      add_difference (&b, key, value, json_object_get (new, key));
  }
  json_object_foreach ((json_t *)new, key, value)
  {
    if (!json_object_get (old, key))
      add_difference (&b, key, NULL, value);
  }
  return b.len ? osm_strbuf_take (&b) : NULL;
}

/* ---- what a hypervisor must have ---- */

#define MAX_PATTERNS 8
struct rule {
  const char *id;
  const char *patterns
      [MAX_PATTERNS]; /* of extra specs and image properties; the first rule that fits takes it */
  const char *what;
  const char *severity;      /* the destination asks for the same */
  const char *severity_lost; /* its flavor does not */
  const char *remedy;
};

static const struct rule rules[] = {
  { .id = "platform-bare-metal",
    .patterns = { "resources*:CUSTOM_BAREMETAL*", "baremetal:*" },
    .what = "is a machine of its own (bare metal)",
    .severity = "blocker",
    .severity_lost = "blocker",
    .remedy = "its disks cannot be read through the API: install a new one and copy inside" },
  { .id = "platform-tpm",
    .patterns = { "hw:tpm_version", "hw:tpm_model", "hw_tpm_version", "hw_tpm_model" },
    .what =
        "has a TPM, whose content cannot be copied; what is sealed by it (disk encryption) stays "
        "closed in the new server",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "keep recovery keys at hand, or unseal before" },
  { .id = "platform-persistent-memory",
    .patterns = { "hw:pmem" },
    .what = "has persistent memory, whose content is not copied",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "move what is in it to a volume first" },
  { .id = "platform-secure-boot",
    .patterns = { "os:secure_boot", "os_secure_boot" },
    .what = "boots with secure boot; keys that were enrolled in its firmware do not come along",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "what it boots must be signed by the keys of the destination's firmware" },
  { .id = "platform-firmware",
    .patterns = { "hw_firmware_type" },
    .what =
        "boots by UEFI; the variables of its firmware (order of boot entries) do not come along",
    .severity = "info",
    .severity_lost = "info",
    .remedy = "its boot loader must be at the standard place, EFI/BOOT, too" },
  { .id = "platform-cpu-pinning",
    .patterns = { "hw:cpu_policy", "hw_cpu_policy", "hw:cpu_thread_policy", "hw_cpu_thread_policy",
                  "hw:emulator_threads_policy", "hw:cpu_dedicated_mask", "resources*:PCPU" },
    .what = "needs processors of its own",
    .severity = "info",
    .severity_lost = "warning",
    .remedy =
        "hosts of the destination must offer dedicated processors, and its flavor ask for them" },
  { .id = "platform-realtime",
    .patterns = { "hw:cpu_realtime", "hw:cpu_realtime_mask", "hw_cpu_realtime",
                  "hw_cpu_realtime_mask" },
    .what = "needs realtime processors",
    .severity = "info",
    .severity_lost = "warning",
    .remedy = "hosts of the destination must run a realtime kernel, and its flavor ask for it" },
  { .id = "platform-numa",
    .patterns = { "hw:numa_*", "hw_numa_*", "hw:pci_numa_affinity_policy",
                  "hw_pci_numa_affinity_policy" },
    .what = "has a NUMA topology",
    .severity = "info",
    .severity_lost = "warning",
    .remedy =
        "the destination's scheduler needs its NUMATopologyFilter, and the flavor these specs" },
  { .id = "platform-huge-pages",
    .patterns = { "hw:mem_page_size", "hw_mem_page_size", "hw:locked_memory", "hw_locked_memory" },
    .what = "needs pages of memory of a certain size",
    .severity = "info",
    .severity_lost = "warning",
    .remedy = "hosts of the destination must have such pages, and its flavor ask for them" },
  { .id = "platform-memory-encryption",
    .patterns = { "hw:mem_encryption", "hw_mem_encryption", "resources*:MEM_ENCRYPTION_CONTEXT" },
    .what = "needs encrypted memory",
    .severity = "info",
    .severity_lost = "warning",
    .remedy = "hosts of the destination must have it, and its flavor ask for it" },
  { .id = "platform-pci-passthrough",
    .patterns = { "pci_passthrough:alias" },
    .what = "has a device of its host (PCI passthrough)",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy =
        "the destination must have such a device under that alias, and its flavor ask for it" },
  { .id = "platform-vgpu",
    .patterns = { "resources*:VGPU", "resources*:PGPU" },
    .what = "has a virtual GPU",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "the destination must have GPUs for it, and its flavor ask for one" },
  { .id = "platform-accelerator",
    .patterns = { "accel:device_profile" },
    .what = "has an accelerator",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "the destination's Cyborg must have that device profile, and its flavor ask for it" },
  { .id = "platform-resources",
    .patterns = { "resources*:*" },
    .what = "needs special resources",
    .severity = "info",
    .severity_lost = "warning",
    .remedy = "hosts of the destination must have them, and its flavor ask for them" },
  { .id = "platform-traits",
    .patterns = { "trait*:*" },
    .what = "needs hosts with certain traits (features of the processor, for example)",
    .severity = "info",
    .severity_lost = "warning",
    .remedy = "hosts of the destination must have these traits, and its flavor ask for them" },
  { .id = "platform-machine-type",
    .patterns = { "hw_machine_type", "hw:machine_type" },
    .what = "needs a certain machine type",
    .severity = "info",
    .severity_lost = "warning",
    .remedy =
        "hypervisors of the destination must know it; types of a distribution are not known by "
        "others" },
  { .id = "platform-architecture",
    .patterns = { "architecture", "hw_architecture" },
    .what = "is of another architecture than x86_64",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "the destination must have hosts of this architecture" },
  { .id = "platform-hypervisor",
    .patterns = { "hypervisor_type", "img_hv_type", "vm_mode", "hw_vm_mode" },
    .what = "is made for a certain hypervisor",
    .severity = "warning",
    .severity_lost = "warning",
    .remedy = "its drivers must fit the destination's hypervisor, and no host is found if that is "
              "another one: take the property off the volume" },
};
#define NR_RULES (sizeof rules / sizeof rules[0])

#define BARE_METAL_KEY "resources:CUSTOM_BAREMETAL"

/* A value that asks for nothing special. */
static bool
is_usual (const char *value)
{
  static const char *const usual[] = { "",         "no",    "false",  "0",      "none",
                                       "shared",   "small", "share",  "prefer", "disabled",
                                       "optional", "bios",  "x86_64", "i686",   "kvm",
                                       "qemu",     "hvm" };

  for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
    if (strcasecmp (value, usual[i]) == 0)
      return true;
  return false;
}

/* Index of the rule for a key, NR_RULES if there is none. */
static size_t
rule_of (const char *key)
{
  for (size_t i = 0; i < NR_RULES; i++)
    for (size_t k = 0; k < MAX_PATTERNS && rules[i].patterns[k]; k++)
      if (fnmatch (rules[i].patterns[k], key, 0) == 0)
        return i;
  return NR_RULES;
}

/* Ironic's way: a class of nodes, whatever it is called, and nothing of the processors. */
static bool
is_bare_metal (const json_t *specs)
{
  const char *key;
  json_t *value;
  bool custom = false, no_processors = false, dedicated = false;

  json_object_foreach ((json_t *)specs, key, value)
  {
    const char *text = json_string_value (value);
    bool none = text && strcmp (text, "0") == 0;

    custom |= fnmatch ("resources*:CUSTOM_*", key, 0) == 0 && !none;
    no_processors |= fnmatch ("resources*:VCPU", key, 0) == 0 && none;
    dedicated |= fnmatch ("resources*:PCPU", key, 0) == 0 && !none;
  }
  return custom && no_processors && !dedicated;
}

struct found {
  struct osm_strbuf keys; /* "hw:cpu_policy=dedicated, ..." */
  bool lost;
};

static void
look_at (struct found *found, const json_t *properties, const json_t *there, bool carried)
{
  const char *key;
  json_t *value;
  bool bare_metal = is_bare_metal (properties);

  json_object_foreach ((json_t *)properties, key, value)
  {
    const char *text = json_string_value (value);
    size_t i =
        rule_of (bare_metal && fnmatch ("resources*:CUSTOM_*", key, 0) == 0 ? BARE_METAL_KEY : key);

    if (i == NR_RULES || !text || is_usual (text))
      continue;
    osm_strbuf_addf (&found[i].keys, "%s%s=%s", found[i].keys.len ? ", " : "", key, text);
    if (!carried && !json_equal (value, json_object_get (there, key)))
      found[i].lost = true;
  }
}

void
osm_plan_platform (json_t *plan, const char *server_name, const json_t *old_specs,
                   const json_t *new_specs, const json_t *image_properties)
{
  struct found found[NR_RULES] = { 0 };

  look_at (found, old_specs, new_specs, false);
  look_at (found, image_properties, NULL, true);
  for (size_t i = 0; i < NR_RULES; i++) {
    if (found[i].keys.len > 0)
      osm_plan_finding (
          plan, rules[i].id, found[i].lost ? rules[i].severity_lost : rules[i].severity,
          server_name, rules[i].remedy, "server '%s' %s (%s)%s", server_name, rules[i].what,
          osm_strbuf_str (&found[i].keys),
          found[i].lost ? "; the destination's flavor does not ask for the same" : "");
    osm_strbuf_done (&found[i].keys);
  }
}

void
osm_plan_compare_flavors (json_t *plan, const char *flavor_name, const json_t *old,
                          const json_t *new)
{
  const json_t *old_specs = json_object_get (old, "extra_specs"),
               *new_specs = json_object_get (new, "extra_specs");
  OSM_CLEANUP_FREE char *difference = NULL;

  compare_sizes (plan, flavor_name, old, new);
  if (!json_is_object (old_specs) || !json_is_object (new_specs)) {
    osm_plan_finding (plan, "flavor-extra-specs-hidden", "info", flavor_name, NULL,
                      "the %s cloud does not show the extra specs of flavors to these credentials: "
                      "they were not compared",
                      json_is_object (old_specs) ? "destination" : "source");
    return;
  }
  difference = osm_plan_specs_difference (old_specs, new_specs);
  if (difference)
    osm_plan_finding (plan, "flavor-extra-specs-differ", "warning", flavor_name,
                      "map it to another one, if there is one: map: { flavors: { OLD: NEW } }",
                      "flavor '%s' at the destination has other extra specs than the server was "
                      "made with: %s",
                      osm_json_str (new, "name"), difference);
}
