#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers and volumes that the lab cannot express, or not easily, against two made-up clouds: what is asked of the clouds, and what comes
out of the answers in the plan."""

import json
import re
import sqlite3
import sys
import unittest

import plancase
from plancase import IMAGE, SECOND, fakecloud

LUKS = {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"}


class Kinds(plancase.PlanCase):
    def encryption(self, cloud, answer):
        self.answer("/%s/volume/v3/types/%s/encryption$" % (cloud, fakecloud.TYPE), answer)

    def encrypt(self, volume):
        self.document("/src/volume/v3/volumes/" + volume)["volume"]["encrypted"] = True


class Encrypted(Kinds):
    def test_into_a_type_that_encrypts(self):
        self.encrypt(fakecloud.DATA)
        self.encryption("dst", LUKS)
        plan = self.plan()
        data = self.volume(plan)
        self.assertTrue(data["encrypted"])
        self.assertNotIn("new_size_gb", data)
        self.assertEqual(self.finding(plan, "source-volume-encrypted")["severity"], "info")
        # The other one is not encrypted, and becomes so.
        self.assertEqual(self.volume(plan, fakecloud.BOOT)["new_size_gb"], 2)
        self.assertEqual(self.finding(plan, "destination-volume-encrypted")["object"], "boot")
        self.assertEqual(plan["needs"]["destination"]["gigabytes"], 3)

    def test_into_a_type_that_does_not(self):
        self.encrypt(fakecloud.DATA)
        self.encryption("dst", {})
        found = self.finding(self.plan(status=4), "destination-volume-unencrypted")
        self.assertEqual((found["severity"], found["must_accept"], found["object"]), ("warning", True, "data"))
        self.assertIn("does not encrypt", found["text"])
        self.osm("check-server", "web", status=4)
        self.osm("check-servers", "web", status=4)
        found = self.finding(self.plan("--accept", "destination-volume-unencrypted"), "destination-volume-unencrypted")
        self.assertTrue(found["accepted"])

    def test_into_a_type_of_which_it_is_not_shown(self):
        self.encrypt(fakecloud.DATA)
        self.encryption("dst", None)
        self.assertIn("not shown", self.finding(self.plan(status=4), "destination-volume-unencrypted")["text"])

    def test_nothing_is_asked_of_a_volume_that_is_not_and_stays_so(self):
        self.encryption("dst", None)
        self.assertFalse({"source-volume-encrypted", "destination-volume-encrypted", "destination-volume-unencrypted"} &
                         {f["id"] for f in self.plan()["findings"]})

    def test_the_default_type(self):
        """The destination has none of that name."""
        self.encrypt(fakecloud.DATA)
        other = "1a000000-0000-4000-8000-00000000000f"
        self.answer("/dst/volume/v3/types$", {"volume_types": []})
        self.answer("/dst/volume/v3/types/default$", {"volume_type": {"id": other, "name": "usual"}})
        self.answer("/dst/volume/v3/types/%s/encryption$" % other, {})
        self.assertIn("type 'usual'", self.finding(self.plan(status=4), "destination-volume-unencrypted")["text"])

    def test_a_volume_by_itself(self):
        plan = self.plan("--new-size", "5", command="migrate-volume", what="loose")
        self.assertEqual((plan["volumes"][0]["new_size_gb"], plan["needs"]["destination"]["gigabytes"]), (5, 5))
        self.osm("migrate-volume", "--dry-run", "--new-size", "x", "loose", status=2)
        self.document("/src/volume/v3/volumes/" + fakecloud.LOOSE)["volume"]["size"] = 9
        r = self.osm("migrate-volume", "--dry-run", "--new-size", "5", "loose", status=1)
        self.assertIn("cannot have 5", r.stderr)

    def test_a_plan_file_decides_the_size(self):
        self.encryption("dst", LUKS)
        path = self.folder + "/plan.yaml"
        self.osm("plan", "web", "--output-file", path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(re.findall("new_size_gb: (.*?)(?:  #.*)?\n", text), ["2", "2"])
        for size, status, planned in (("1", 0, 1), ("7", 0, 7), ("null", 0, 2), ("0", 4, None)):
            with self.subTest(size), open(path, "w", encoding="utf-8") as f:
                f.write(text.replace("new_size_gb: 2", "new_size_gb: " + size))
                f.flush()
                r = self.osm("migrate-server", "--plan", path, "--dry-run", status=status)
                if planned:
                    self.assertEqual([v["new_size_gb"] for v in json.loads(r.stdout)["volumes"]], [planned] * 2)
                else:
                    self.assertIn("volumes[0].new_size_gb: 0 cannot be", r.stdout)


class BootImage(Kinds):
    def test_copied_unless_it_is_asked_for(self):
        self.boot_from_image()
        plan = self.plan()
        self.assertEqual([(v["access"], v["size_gb"]) for v in plan["volumes"]], [("image", 5), ("detach", 1)])
        self.assertNotIn("image", plan["server"])
        self.assertEqual(plan["needs"]["source"]["images"], 1)

    def test_made_anew_of_the_destinations_image(self):
        self.boot_from_image()
        plan = self.plan("--boot-disk", "image")
        self.assertEqual([v["id"] for v in plan["volumes"]], [fakecloud.DATA])
        self.assertEqual(plan["server"]["image"], {"id": IMAGE["dst"], "name": "debian", "metadata": {"hw_disk_bus": "virtio"}})
        self.assertEqual(plan["needs"]["destination"]["volumes"], 1)
        self.assertEqual(plan["needs"]["source"], {})
        self.assertEqual(self.finding(plan, "source-root-disk-dropped")["severity"], "warning")
        self.assertEqual(self.plan(boot_disk="image"), plan)

    def test_image_of_other_bytes(self):
        self.boot_from_image(sums=("a", "b"))
        self.assertEqual(self.finding(self.plan("--boot-disk", "image", status=4), "destination-image-differs")["severity"], "blocker")
        self.plan()

    def test_image_of_another_name_by_the_mapping(self):
        self.boot_from_image(name="bookworm")
        self.finding(self.plan("--boot-disk", "image", status=4), "destination-image-missing")
        plan = self.plan("--boot-disk", "image", map={"images": {"debian": "bookworm"}})
        self.assertEqual(plan["server"]["image"]["id"], IMAGE["dst"])

    def test_image_that_is_gone_at_the_source(self):
        self.boot_from_image()
        self.answer("/src/image/v2/images/%s$" % IMAGE["src"], None)
        self.assertEqual(self.finding(self.plan("--boot-disk", "image", status=4), "source-image-gone")["severity"], "blocker")
        self.assertEqual(self.finding(self.plan(), "source-image-gone")["severity"], "warning")

    def test_server_of_a_volume_is_not_concerned(self):
        self.assertEqual(self.plan("--boot-disk", "image"), self.plan())

    def test_plan_file(self):
        self.boot_from_image()
        path = self.folder + "/plan.yaml"
        self.osm("plan", "web", "--boot-disk", "image", "--output-file", path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("boot_disk: image", text)
        self.assertEqual(json.loads(self.osm("migrate-server", "--plan", path, "--dry-run").stdout), self.plan("--boot-disk", "image"))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("boot_disk: image", "boot_disk: copy"))
        self.assertEqual(json.loads(self.osm("migrate-server", "--plan", path, "--dry-run").stdout), self.plan())

    def test_glances_quota(self):
        self.boot_from_image()
        self.answer("/src/image/v2/info/usage$", {"usage": {"image_count_total": {"limit": 2, "usage": 2},
                                                            "image_size_total": {"limit": 1000, "usage": 0}}})
        found = [(f["object"], f["severity"]) for f in self.plan(status=4)["findings"] if f["id"] == "source-image-quota"]
        self.assertEqual(sorted(found), [("images", "blocker"), ("images (MiB)", "warning")])


class Claims(Kinds):
    def room_for(self, servers):
        limits = self.document("/dst/compute/v2.1/limits")["limits"]["absolute"]
        limits["maxTotalInstances"] = limits["totalInstancesUsed"] + servers

    def test_port_without_a_mac_address(self):
        port, = (p for _, document in self.clouds.routes for p in [(document or {}).get("port")] if p)
        port["mac_address"] = ""
        self.assertIn("the answer has no 'mac_address'", self.osm("migrate-server", "--dry-run", "web", status=1).stderr)

    def test_servers_of_a_plan_are_added_up(self):
        self.second_server()
        path = self.folder + "/plan.yaml"
        self.osm("plan", "web", "mail", "--output-file", path)
        self.room_for(2)
        self.assertEqual(len(json.loads(self.osm("migrate-server", "--plan", path, "--dry-run").stdout)), 2)
        self.room_for(1)
        r = self.osm("migrate-server", "--plan", path, status=4)
        self.assertIn("quota of instances is 2, 1 used, 2 more needed by all together", r.stdout)
        self.assertEqual([s for s in self.clouds.seen if s[0] != "GET" and not s[1].endswith("/auth/tokens")], [])
        self.osm("migrate-server", "--plan", path, "--dry-run", "mail")

    def test_migrations_of_the_journal_count(self):
        plan = self.plan()
        self.osm("list")
        with sqlite3.connect(self.folder + "/state/osm.db") as db:
            db.execute("INSERT INTO migration (id, kind, state, source_cloud, destination_cloud, object_id, object_name, plan, created_ms,"
                       " updated_ms) VALUES ('aaaaaaaa', 'server', 'running', 'src', 'dst', ?, 'other', ?, 1, 1)",
                       (SECOND, json.dumps(plan)))
        db.close()
        self.room_for(2)
        self.plan()
        self.room_for(1)
        found = self.finding(self.plan(status=4), "destination-quota")
        self.assertIn("1 used, 1 more needed by migrations that the journal has, 1 more needed", found["text"])
        self.osm("check-server", "web", status=4)
        with sqlite3.connect(self.folder + "/state/osm.db") as db:
            db.execute("UPDATE migration SET state = 'failed'")
        db.close()
        self.plan()



class Carried(Kinds):
    """What does not come along is named, and in time."""
    FIP = "2a000000-0000-4000-8000-000000000001"
    EXTERNAL = "2a000000-0000-4000-8000-000000000002"

    def ids(self, plan):
        return {f["id"] for f in plan["findings"]}

    def port(self):
        return self.document("/src/network/v2.0/ports/" + fakecloud.PORT)["port"]

    def floating_ip(self, **members):
        """The server's, and an external network at the destination to take one from."""
        ip = self.document("/src/network/v2.0/floatingips")["floatingips"][0]
        ip.update(members)
        self.answer("/dst/network/v2.0/ports", {"ports": [{"id": self.FIP, "device_owner": "network:router_interface",
                                                              "device_id": "r"}]})
        self.answer("/dst/network/v2.0/ports[?].*(fixed_ips|mac_address)=.*$", {"ports": []})
        self.answer("/dst/network/v2.0/routers", {"routers": [{"id": "r", "external_gateway_info": {"network_id": self.EXTERNAL}}]})
        self.answer("/dst/network/v2.0/networks[?].*router:external.*$", {"networks": [{"id": self.EXTERNAL, "name": "net"}]})
        return ip

    def test_tags_and_qos_policy_of_a_floating_ip(self):
        self.floating_ip(tags=["osm.role=x", "web"], qos_policy_id=fakecloud.TYPE, a_member_of_2099="x")
        self.document("/dst/network/v2.0/extensions")["extensions"].append({"alias": "qos-fip"})
        plan = self.plan(floating_ip="new")
        self.assertIn("a_member_of_2099=x", self.finding(plan, "floating-ip-property-not-carried")["text"])
        ip, = plan["floating_ips"]
        self.assertEqual(ip["tags"], ["web"])
        self.assertEqual(ip["create"], {"floating_network_id": self.EXTERNAL, "qos_policy_id": fakecloud.TYPE})

    def test_qos_policy_of_a_floating_ip_where_neutron_has_none(self):
        self.floating_ip(qos_policy_id=fakecloud.TYPE)
        plan = self.plan(floating_ip="new")
        self.assertIn("qos-fip", self.finding(plan, "floating-ip-property-not-carried")["text"])
        self.assertNotIn("qos_policy_id", plan["floating_ips"][0]["create"])

    def test_port_forwardings_are_named(self):
        """In a floating IP they do not say which port they lead to; an address alone may be another network's."""
        own = {"protocol": "tcp", "external_port": 2222, "internal_ip_address": "10.0.0.5", "internal_port": 22}
        self.answer("/src/network/v2.0/floatingips[?]port_id=.*$", {"floatingips": []})
        self.document("/src/network/v2.0/floatingips")["floatingips"].append(
            {"id": self.FIP, "floating_ip_address": "172.24.4.9", "port_id": None, "port_forwardings": [own]})
        at = "/src/network/v2.0/floatingips/%s/port_forwardings" % self.FIP
        self.answer(at, {"port_forwardings": [dict(own, internal_port_id=fakecloud.PORT)]})
        found = self.finding(self.plan(), "floating-ip-port-forwarding")
        self.assertEqual((found["severity"], found["object"]), ("info", "172.24.4.9"))
        self.assertIn("tcp 2222 to 10.0.0.5 port 22", found["text"])
        self.assertEqual(self.finding(self.plan("--floating-ip", "auto"), "floating-ip-port-forwarding")["severity"], "warning")
        self.answer(at, None)
        self.finding(self.plan(), "floating-ip-port-forwarding")
        self.answer(at, {"port_forwardings": [dict(own, internal_port_id=self.EXTERNAL)]})
        self.assertNotIn("floating-ip-port-forwarding", self.ids(self.plan()))

    def test_binding_profile(self):
        self.port()["binding:profile"] = {"capabilities": ["switchdev"]}
        self.assertIn('capabilities=["switchdev"]', self.finding(self.plan(), "port-binding-profile")["text"])

    def test_read_only_volume(self):
        self.document("/src/volume/v3/volumes/" + fakecloud.DATA)["volume"]["metadata"].update(readonly="True", attached_mode="ro")
        plan = self.plan()
        self.assertEqual(self.volume(plan)["metadata"], {"tier": "gold"})
        self.assertEqual(self.finding(plan, "source-volume-read-only")["object"], "data")

    def test_zone_of_a_volume(self):
        asked = "/dst/volume/v3/os-availability-zone"
        self.plan()
        self.assertNotIn(("GET", asked), self.clouds.seen)
        self.document("/src/volume/v3/volumes/" + fakecloud.DATA)["volume"]["availability_zone"] = "east"
        self.assertIn("not shown", self.finding(self.plan(), "volume-availability-zone-not-kept")["text"])
        self.answer(asked + "$", {"availabilityZoneInfo": [{"zoneName": "west", "zoneState": {"available": True}}]})
        self.assertIn("(west)", self.finding(self.plan(), "volume-availability-zone-not-kept")["text"])
        self.answer(asked + "$", {"availabilityZoneInfo": [{"zoneName": "east", "zoneState": {"available": True}}]})
        self.assertNotIn("volume-availability-zone-not-kept", self.ids(self.plan()))

    def test_kernel_that_is_an_image(self):
        metadata = self.document("/src/volume/v3/volumes/" + fakecloud.BOOT)["volume"]["volume_image_metadata"]
        metadata.update(kernel_id=IMAGE["src"], ramdisk_id=IMAGE["src"])
        plan = self.plan()
        self.assertEqual(self.volume(plan, fakecloud.BOOT)["image_metadata"], {"os_distro": "debian"})
        self.assertIn("kernel_id=" + IMAGE["src"], self.finding(plan, "source-kernel-image")["text"])
        metadata.clear()
        self.document("/src/compute/v2.1/servers/" + fakecloud.SERVER)["server"]["OS-EXT-SRV-ATTR:ramdisk_id"] = "R"
        self.assertIn("ramdisk_id=R", self.finding(self.plan(), "source-kernel-image")["text"])

    def test_config_drive(self):
        self.assertEqual(self.finding(self.plan(), "platform-config-drive")["severity"], "info")
        self.document("/src/compute/v2.1/servers/" + fakecloud.SERVER)["server"]["config_drive"] = ""
        self.assertNotIn("platform-config-drive", self.ids(self.plan()))

    def test_bare_metal_of_another_class(self):
        flavor = self.document("/src/compute/v2.1/servers/" + fakecloud.SERVER)["server"]["flavor"]
        flavor["extra_specs"] = {"resources:CUSTOM_GOLD": "1", "resources:VCPU": "0"}
        self.assertEqual(self.finding(self.plan(status=4), "platform-bare-metal")["severity"], "blocker")

    def test_clear_volume_into_a_type_of_which_it_is_not_shown(self):
        self.encryption("dst", None)
        found = self.finding(self.plan(), "destination-volume-encryption-hidden")
        self.assertEqual((found["severity"], found["object"]), ("info", "fast"))
        self.assertNotIn("destination-volume-encryption-hidden",
                         self.ids(self.plan("--new-size", "5", command="migrate-volume", what="loose")))

    def test_network_of_another_project(self):
        self.document("/dst/network/v2.0/networks")["networks"][0]["project_id"] = "f" * 32
        self.document("/dst/network/v2.0/networks/" + fakecloud.NETWORK["dst"])["network"]["project_id"] = "f" * 32
        self.port().update(port_security_enabled=False)
        found = self.finding(self.plan(status=4), "destination-network-shared")
        self.assertTrue(found["must_accept"])
        self.assertIn("address 10.0.0.5, MAC address fa:16:3e:00:00:01, port security off", found["text"])
        self.osm("check-server", "web", status=4)
        self.plan("--accept", "destination-network-shared")
        self.document("/dst/identity/v3/auth/tokens")["token"]["roles"] = [{"id": "1", "name": "admin"}]
        self.assertNotIn("destination-network-shared", self.ids(self.plan()))

    def test_reason_of_a_lock(self):
        self.document("/src/compute/v2.1/servers/" + fakecloud.SERVER)["server"].update(locked=True, locked_reason="audit")
        self.assertIn("(reason: 'audit')", self.finding(self.plan(status=4), "source-server-locked")["text"])


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
