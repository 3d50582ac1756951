#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The section map of osm.yaml: what the destination calls otherwise is found, and is in the plan; without the mapping it is not."""

import sys
import unittest

import plancase
from plancase import IMAGE, fakecloud

#: what the destination has beside what is called as at the source
OTHER = "3c000000-0000-4000-8000-000000000001"


class Mapping(plancase.PlanCase):
    def more(self, path, key, wrapped=None, **changes):
        """One more in a list of the destination, otherwise as the first of that list of the source."""
        old = self.document("/src" + path)[key][0]
        new = dict(old[wrapped] if wrapped else old, **changes)
        self.document("/dst" + path)[key].append({wrapped: new} if wrapped else new)

    def both(self, map):
        """The plans without it and with it."""
        return self.plan(status=None), self.plan(map=map)

    def test_availability_zones(self):
        self.server()["OS-EXT-AZ:availability_zone"] = "cellar"
        self.more("/compute/v2.1/os-availability-zone", "availabilityZoneInfo", zoneName="attic")
        before, plan = self.both({"availability_zones": {"cellar": "attic"}})
        self.assertNotIn("availability_zone", before["server"])
        self.assertEqual(plan["server"]["availability_zone"], "attic")
        self.assertNotIn("availability-zone-not-kept", [f["id"] for f in plan["findings"]])
        found = self.finding(self.plan(status=4, map={"availability_zones": {"cellar": "roof"}}), "destination-availability-zone-missing")
        self.assertIn("no availability zone 'roof'; there is nova, attic", found["text"])

    def test_flavors(self):
        self.more("/compute/v2.1/flavors/detail", "flavors", id=OTHER, name="c2.small")
        self.answer("/dst/compute/v2.1/flavors/%s$" % OTHER,
                    {"flavor": self.document("/dst/compute/v2.1/flavors/detail")["flavors"][-1]})
        for map in ({"small": "c2.small"}, {"small": OTHER}, {"*": "c2.*"}, {"s*l": "c2.s*l"}, {"x*": "y", "sm*": "c2.small"}):
            with self.subTest(map):
                before, plan = self.both({"flavors": map})
                self.assertEqual((before["server"]["flavor_id"], plan["server"]["flavor_id"]), (fakecloud.FLAVOR, OTHER))

    def test_images(self):
        """What a volume says of the image that it was made from."""
        boot = self.document("/src/volume/v3/volumes/" + fakecloud.BOOT)["volume"]
        boot["volume_image_metadata"].update(image_id=IMAGE["src"], image_name="debian")
        self.document("/dst/image/v2/images")["images"].append({"id": IMAGE["dst"], "name": "bookworm", "status": "active"})
        for name in ("debian", IMAGE["src"]):
            with self.subTest(name):
                before, plan = self.both({"images": {name: "bookworm"}})
                self.assertEqual(self.volume(before, fakecloud.BOOT)["image_metadata"]["image_id"], IMAGE["src"])
                self.assertEqual(self.volume(plan, fakecloud.BOOT)["image_metadata"],
                                 {"image_id": IMAGE["dst"], "image_name": "bookworm", "os_distro": "debian"})

    def test_key_pairs(self):
        self.more("/compute/v2.1/os-keypairs", "keypairs", wrapped="keypair", name="theirs")
        before, plan = self.both({"key_pairs": {"mine": "theirs"}})
        self.assertEqual(before["server"]["key_name"], "mine")
        self.finding(before, "key-pair-imported")
        self.assertEqual(plan["server"]["key_name"], "theirs")
        self.assertFalse([f for f in plan["findings"] if "key-pair" in f["id"]])

    def test_networks(self):
        self.more("/network/v2.0/networks", "networks", id=OTHER, name="tenant-net", project_id=fakecloud.PROJECT["dst"])
        self.document("/dst/network/v2.0/subnets")["subnets"].append(
            {"id": OTHER, "name": "subnet", "cidr": "10.0.0.0/24", "network_id": OTHER, "project_id": fakecloud.PROJECT["dst"]})
        for map in ({"net": "tenant-net"}, {fakecloud.NETWORK["src"]: "tenant-net"}, {"n*": "tenant-n*"}):
            with self.subTest(map):
                before, plan = self.both({"networks": map})
                self.assertEqual([p["ports"][0]["create"]["network_id"] for p in (before, plan)], [fakecloud.NETWORK["dst"], OTHER])
                self.assertEqual(plan["ports"][0]["network_name"], "tenant-net")

    def test_network_of_floating_ips(self):
        """Where the new ones come from; with keep the same address is asked for."""
        self.answer("/src/network/v2.0/networks/%s$" % IMAGE["src"], {"network": {"id": IMAGE["src"], "name": "public"}})
        self.document("/src/network/v2.0/floatingips")["floatingips"][0]["floating_network_id"] = IMAGE["src"]
        self.more("/network/v2.0/networks", "networks", id=OTHER, name="outside")
        for mode, address in (("new", {}), ("auto", {}), ("keep", {"floating_ip_address": "172.24.4.5"})):
            with self.subTest(mode):
                plan = self.plan(floating_ip=mode, map={"networks": {"public": "outside"}})
                self.assertEqual([ip["create"] for ip in plan["floating_ips"]], [dict(address, floating_network_id=OTHER)])
                self.assertEqual("floating-ip-changes" in [f["id"] for f in plan["findings"]], mode != "keep")

    def test_qos_policies(self):
        self.more("/network/v2.0/qos/policies", "policies", id=OTHER, name="bronze", project_id=fakecloud.PROJECT["dst"])
        before, plan = self.both({"qos_policies": {"slow": "bronze"}})
        self.assertEqual([p["ports"][0]["create"]["qos_policy_id"] for p in (before, plan)], [fakecloud.TYPE, OTHER])

    def test_security_groups(self):
        self.more("/network/v2.0/security-groups", "security_groups", id=OTHER, name="login", project_id=fakecloud.PROJECT["dst"])
        before, plan = self.both({"security_groups": {"ssh": "login"}})
        self.assertEqual([p["ports"][0]["create"]["security_groups"] for p in (before, plan)], [[fakecloud.GROUP["dst"]], [OTHER]])

    def test_server_groups(self):
        self.more("/compute/v2.1/os-server-groups", "server_groups", id=OTHER, name="spread", members=[])
        before, plan = self.both({"server_groups": {"apart": "spread"}})
        self.assertIsNone(before["server"]["server_group"]["id"])
        self.assertEqual(before["needs"]["destination"]["server_groups"], 1)
        self.assertEqual(plan["server"]["server_group"], {"name": "spread", "id": OTHER, "policy": "anti-affinity"})
        self.assertNotIn("server-group-made", [f["id"] for f in plan["findings"]])
        self.assertNotIn("server_groups", plan["needs"]["destination"])

    def test_subnets(self):
        self.more("/network/v2.0/subnets", "subnets", id=OTHER, name="wide", cidr="10.0.0.0/16", network_id=fakecloud.NETWORK["dst"])
        for name in ("subnet", fakecloud.SUBNET["src"]):
            with self.subTest(name):
                before, plan = self.both({"subnets": {name: "wide"}})
                self.assertEqual([p["ports"][0]["create"]["fixed_ips"][0]["subnet_id"] for p in (before, plan)],
                                 [fakecloud.SUBNET["dst"], OTHER])

    def test_volume_types(self):
        self.more("/volume/v3/types", "volume_types", id=OTHER, name="ssd")
        before, plan = self.both({"volume_types": {"fast": "ssd"}})
        self.assertEqual([[v["type"] for v in p["volumes"]] for p in (before, plan)], [["fast"] * 2, ["ssd"] * 2])
        self.assertEqual(plan["volumes"][0]["chosen"]["type"]["id"], OTHER)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
