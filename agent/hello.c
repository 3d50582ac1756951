/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "agent/hello.h"

#include <string.h>
#include <unistd.h>

#include "agent/paths.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"
#include "common/parse.h"
#include "common/run.h"
#include "common/strbuf.h"
#include "nbd/sshconn.h"

/* Of libguestfs; NULL if it is not here. In a process of its own: libguestfs is large. */
static char *
sparse_version (void)
{
  char *const argv[] = { (char *)osm_path_program (), (char *)"worker", (char *)"sparse-version",
                         NULL };
  OSM_CLEANUP_FREE char *text = NULL;
  OSM_ERROR (ignored);

  if (osm_run_capture (argv, 4096, &text, &ignored) == -1)
    return NULL;
  text[strcspn (text, "\n")] = '\0';
  return osm_take (text);
}

json_t *
osm_agent_hello (void)
{
  OSM_CLEANUP_FREE char *boot_id = NULL, *sparse = sparse_version ();
  json_t *features = osm_json_pack ("[s, s, s, s, s, s, s, s, s]", "export", "copy", "digest",
                                    "link-test", "zstd", "limit", "carrier", "any-size", "sparse");
  char start_id[OSM_UUID_LEN + 1];
  json_t *tools = json_object (), *cpu;
  size_t len;
  long count = sysconf (_SC_NPROCESSORS_ONLN);
  OSM_ERROR (ignored);

  osm_uuid_new (start_id);
  osm_json_set_str (tools, "libguestfs", sparse);
  if (osm_file_read ("/proc/sys/kernel/random/boot_id", 64, &boot_id, &len, &ignored) == 0)
    boot_id[strcspn (boot_id, "\n")] = '\0';
  cpu = osm_json_pack ("{s:i}", "count", (int)count);
  if (osm_cpu_has_aes () != -1)
    json_object_set_new (cpu, "aes", json_boolean (osm_cpu_has_aes ()));
  return osm_json_pack ("{s:{s:i, s:s, s:s?, s:s, s:o, s:o, s:o}}", "hello", "protocol",
                        OSM_PROTOCOL, "version", PACKAGE_VERSION, "boot_id", boot_id, "start_id",
                        start_id, "features", features, "tools", tools, "cpu", cpu);
}
