/* osm: moves servers between OpenStack clouds.
 * SPDX-License-Identifier: Apache-2.0 */

#include <config.h>

#include "tests/unit/test-agent.h"

#include <errno.h>

#include "agent/device.h"
#include "common/json.h"

#define ID "0f14c2e6-5d2a-4b3e-9a77-52c1c3a1d0b4"
#define SHORT "0f14c2e6-5d2a-4b3e-9"

TEST (links_that_name_a_volume)
{
  static const char *const links[] = {
    "virtio-" SHORT,
    "scsi-0QEMU_QEMU_HARDDISK_" ID,
    "scsi-0QEMU_QEMU_HARDDISK_" SHORT,
    "scsi-SQEMU_QEMU_HARDDISK_" ID,
    "ata-QEMU_HARDDISK_" SHORT,
    "nvme-QEMU_NVMe_Ctrl_" SHORT,
    "nvme-QEMU_NVMe_Ctrl_" SHORT "_1",
    "nvme-QEMU_NVMe_Ctrl_" SHORT "_128",
  };

  for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
    if (!osm_device_link_names (links[i], ID))
      fail_msg ("%s", links[i]);
}

TEST (links_that_do_not)
{
  static const char *const links[] = {
    "",
    SHORT,
    ID,
    "-" SHORT,
    "wwn-" ID,
    "dm-name-" ID,
    "lvm-pv-uuid-" ID,
    "virtio-" SHORT "-part1",
    "scsi-0QEMU_QEMU_HARDDISK_" ID "-part12",
    "virtio-x" SHORT,            /* only the end of a serial */
    "virtio-0f14c2e6-5d2a-4b3e", /* only its beginning */
    "virtio-1f14c2e6-5d2a-4b3e-9",
    "virtio-" SHORT "_1", /* namespaces are NVMe's */
    "nvme-QEMU_NVMe_Ctrl_" SHORT "_1-part1",
    "nvme-QEMU_NVMe_Ctrl_" SHORT "_",
    "nvme-QEMU_NVMe_Ctrl_" SHORT "_x",
    "nvme-1",
    "nvme-_1",
  };

  for (size_t i = 0; i < sizeof links / sizeof links[0]; i++)
    if (osm_device_link_names (links[i], ID))
      fail_msg ("%s", links[i]);
}

TEST (an_id_too_short_to_be_one_names_nothing)
{
  assert_false (osm_device_link_names ("virtio-abc", "abc"));
  assert_false (osm_device_link_names ("virtio-", ""));
}

static void
assert_absent (void)
{
  OSM_ERROR (err);
  char *path = NULL;

  assert_int_equal (
      osm_device_find (ID, (struct osm_device_size){ .bytes = 4096 }, &path, NULL, &err), -1);
  assert_null (path);
  assert_int_equal (err.code, ENOENT);
  assert_error (&err, OSM_ERROR_RETRY, "no disk with the id of volume " ID);
}

TEST (no_folders_no_disk)
{
  assert_absent ();
}

TEST (a_link_to_something_else_than_a_disk_is_none)
{
  OSM_CLEANUP_FREE char *link = NULL;

  agent_folder ("dev/disk/by-id");
  agent_file ("dev/disk/by-id/virtio-" SHORT, "a file");
  link = agent_path ("dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_" ID);
  assert_int_equal (symlink ("/nowhere", link), 0);
  assert_absent ();
}

TEST (a_serial_in_sysfs_needs_its_device_node)
{
  agent_folder ("sys/block/vdb");
  agent_file ("sys/block/vdb/serial", SHORT "\n");
  assert_absent ();
  agent_file ("sys/block/vdb/dev", "253:16\n");
  assert_absent ();
  agent_file ("dev/vdb", "a file");
  assert_absent ();
}

TEST (what_has_no_link_is_not_listed)
{
  OSM_CLEANUP_JSON json_t *list = osm_device_list ();

  assert_int_equal (json_array_size (list), 0);
}

TEST (a_file_is_not_opened_as_a_disk)
{
  OSM_CLEANUP_FREE char *path = agent_path ("file");
  OSM_ERROR (err);

  agent_file ("file", "precious");
  assert_int_equal (osm_device_open (ID, path, (struct osm_device_size){ .bytes = 8 }, true, &err),
                    -1);
  assert_error (&err, OSM_ERROR_USER, "is not a block device");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (links_that_name_a_volume),
    cmocka_unit_test (links_that_do_not),
    cmocka_unit_test (an_id_too_short_to_be_one_names_nothing),
    cmocka_unit_test_setup_teardown (no_folders_no_disk, agent_setup, agent_teardown),
    cmocka_unit_test_setup_teardown (a_link_to_something_else_than_a_disk_is_none, agent_setup,
                                     agent_teardown),
    cmocka_unit_test_setup_teardown (a_serial_in_sysfs_needs_its_device_node, agent_setup,
                                     agent_teardown),
    cmocka_unit_test_setup_teardown (what_has_no_link_is_not_listed, agent_setup, agent_teardown),
    cmocka_unit_test_setup_teardown (a_file_is_not_opened_as_a_disk, agent_setup, agent_teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
