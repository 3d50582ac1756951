#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Findings that neither a unit test nor the lab shows: one row each, with what is different in the answers of two made-up clouds, and
what is said about it."""

import json
import sqlite3
import sys
import unittest

import plancase
from plancase import SECOND, fakecloud

THERE = "2b000000-0000-4000-8000-000000000001"
SLAAC = {"cidr": "fd00::/64", "ip_version": 6, "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"}


# ---- what is different
def in_a_zone(t):
    t.server()["OS-EXT-AZ:availability_zone"] = "cellar"


def address_that_slaac_does_not_give(t):
    t.port()["fixed_ips"][0]["ip_address"] = "fd00::5"
    t.subnet("dst").update(SLAAC)


def no_qos_policy_there(t):
    t.document("/dst/network/v2.0/qos/policies")["policies"].clear()


def qos_policy_hidden(t):
    t.answer("/src/network/v2.0/qos/policies", {"policies": []})
    t.answer("/src/network/v2.0/qos/policies/", None)


def old_nova_there(t):
    t.document("/dst/compute/v2.1/")["version"]["version"] = "2.89"


def no_volume_is_the_root_device(t):
    t.server()["OS-EXT-SRV-ATTR:root_device_name"] = "/dev/vdq"


def two_ports_without_an_address(t):
    t.server()["addresses"] = {}
    interfaces = t.document("/src/compute/v2.1/servers/%s/os-interface" % fakecloud.SERVER)["interfaceAttachments"]
    interfaces.append(dict(interfaces[0], mac_addr="fa:16:3e:00:00:02"))


def root_disk_of_no_size(t):
    t.boot_from_image()
    t.server()["flavor"]["disk"] = 0
    t.document("/src/image/v2/images/" + plancase.IMAGE["src"])["min_disk"] = 0


def no_room_for_a_server_group(t):
    t.document("/dst/compute/v2.1/limits")["limits"]["absolute"].update(maxServerGroups=3, totalServerGroupsUsed=3)


def in_a_task(t):
    t.server()["OS-EXT-STS:task_state"] = "powering-off"


def server_group_hidden(t):
    t.answer("/src/compute/v2.1/os-server-groups", {"server_groups": []})
    t.answer("/src/compute/v2.1/os-server-groups/", None)


def no_room_for_a_clone(t):
    t.document("/src/volume/v3/os-quota-sets/" + fakecloud.PROJECT["src"])["quota_set"]["volumes"]["limit"] = 1


def volume_in_error(t):
    t.volume_of("src", fakecloud.DATA)["status"] = "error"


def long_user_data(t):
    t.server()["OS-EXT-SRV-ATTR:user_data"] = "A" * 65536


def loose_volume_claimed(t):
    t.volume_of("src", fakecloud.LOOSE)["metadata"]["osm.migration"] = "0123abcd"


def loose_volume_in_error(t):
    t.volume_of("src", fakecloud.LOOSE)["status"] = "error_restoring"


#: (id, severity, object, words of the text, what is different, what is asked for)
ROWS = (
    ("availability-zone-not-kept", "info", "web", "in availability zone 'cellar'; the destination chooses one", in_a_zone, {}),
    ("destination-address-automatic", "blocker", "fd00::5", "subnet 'subnet' of cloud 'dst' gives addresses by itself",
     address_that_slaac_does_not_give, {}),
    ("destination-qos-policy-missing", "warning", fakecloud.PORT, "cloud 'dst' has no QoS policy 'slow', so the new port has none",
     no_qos_policy_there, {}),
    ("destination-qos-policy-missing", "blocker", fakecloud.PORT, "cloud 'dst' has no QoS policy 'gold'", None,
     {"map": {"qos_policies": {"slow": "gold"}}}),
    ("destination-quota", "blocker", "server groups", "quota of server groups is 3, 3 used, 1 more needed", no_room_for_a_server_group, {}),
    ("destination-server-group-missing", "blocker", "spread", "cloud 'dst' has no server group 'spread'", None,
     {"map": {"server_groups": {"apart": "spread"}}}),
    ("floating-ip-no-network", "warning", "172.24.4.5", "so the new server gets none", None, {"floating_ip": "auto"}),
    ("floating-ip-no-network", "blocker", "172.24.4.5", "no router of cloud 'dst' connects the server's network", None,
     {"floating_ip": "new"}),
    ("hostname-changes", "warning", "web", "has the hostname 'other', which cannot be given at cloud 'dst': it is told 'web' there",
     old_nova_there, {}),
    ("source-boot-volume-unknown", "blocker", "web", "which of its 2 volumes it boots from", no_volume_is_the_root_device, {}),
    ("source-port-order", "warning", "web", "the order of all of its 2 ports", two_ports_without_an_address, {}),
    ("source-qos-policy-hidden", "warning", fakecloud.PORT, "cannot see (%s)" % fakecloud.TYPE, qos_policy_hidden, {}),
    ("source-root-size-unknown", "blocker", "web", "neither its flavor nor its image", root_disk_of_no_size, {}),
    ("source-server-busy", "blocker", "web", "in the middle of a task: powering-off", in_a_task, {}),
    ("source-server-group-hidden", "warning", "web", "cannot see (%s)" % fakecloud.TOGETHER, server_group_hidden, {}),
    ("source-volume-quota", "blocker", "volumes", "cloud 'src': quota of volumes is 1, 1 used, 1 more needed", no_room_for_a_clone, {}),
    ("source-volume-state", "blocker", "data", "in state 'error'", volume_in_error, {}),
    ("user-data-too-long", "blocker", "web", "has 65536 bytes, Nova takes 65535", long_user_data, {}),
)
#: the same of migrate-volume
OF_A_VOLUME = (
    ("source-volume-claimed", "blocker", "loose", "claimed by migration 0123abcd", loose_volume_claimed, {}),
    ("source-volume-state", "blocker", "loose", "in state 'error_restoring'", loose_volume_in_error, {}),
)


class Case(plancase.PlanCase):
    def port(self):
        return self.document("/src/network/v2.0/ports/" + fakecloud.PORT)["port"]

    def subnet(self, cloud):
        return self.document("/%s/network/v2.0/subnets/%s" % (cloud, fakecloud.SUBNET[cloud]))["subnet"]

    def volume_of(self, cloud, id):
        return self.document("/%s/volume/v3/volumes/%s" % (cloud, id))["volume"]

    def told(self, plan, id, severity, object, words):
        found = self.finding(plan, id)
        self.assertEqual((found["severity"], found["object"]), (severity, object), found)
        self.assertIn(words, found["text"])
        return found


class Rows(Case):
    """Each is there because of what is different, and not without it."""

    def rows(self, rows, **how):
        for id, severity, object, words, different, config in rows:
            with self.subTest(id, severity=severity):
                self.doCleanups()
                self.setUp()
                before = self.plan(status=0, **how)
                self.assertNotIn(id, [f["id"] for f in before["findings"]])
                if different:
                    different(self)
                plan = self.plan(status=4 if severity == "blocker" else 0, **how, **config)
                self.told(plan, id, severity, object, words)

    def test_servers(self):
        self.rows(ROWS)

    def test_volumes(self):
        self.rows(OF_A_VOLUME, command="migrate-volume", what="loose")


class Others(Case):
    def test_address_that_slaac_does_give(self):
        """EUI-64 of the MAC address: Neutron takes it only from the subnet."""
        self.port()["fixed_ips"][0]["ip_address"] = "fd00::f816:3eff:fe00:1"
        self.subnet("dst").update(SLAAC)
        plan = self.plan()
        self.assertEqual(plan["ports"][0]["create"]["fixed_ips"], [{"subnet_id": fakecloud.SUBNET["dst"]}])
        self.assertNotIn("destination-address-automatic", [f["id"] for f in plan["findings"]])

    def test_several_server_groups_of_the_mapped_name(self):
        groups = self.document("/dst/compute/v2.1/os-server-groups")["server_groups"]
        groups += [{"id": id, "name": "spread", "policy": "anti-affinity"} for id in (THERE, SECOND)]
        found = self.finding(self.plan(status=4, map={"server_groups": {"apart": "spread"}}), "destination-server-group-missing")
        self.assertEqual(found["severity"], "blocker")
        self.assertIn("has 2 server groups named 'spread'", found["text"])

    def test_volume_that_the_plan_file_names(self):
        path = self.folder + "/plan.yaml"
        self.osm("plan", "web", "--output-file", path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("use: null", text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("use: null", "use: nowhere", 1))
        out = self.osm("migrate-server", "--plan", path, "--dry-run", status=4).stdout
        self.assertIn("volumes[0].use: cloud 'dst' has no volume 'nowhere'", out)
        plan = json.loads(out[out.rindex("\n{"):])
        self.told(plan, "destination-volume-missing", "blocker", "boot", "cloud 'dst' has no volume 'nowhere'")

    def test_migrated_before(self):
        self.osm("list")
        with sqlite3.connect(self.folder + "/state/osm.db") as db:
            db.execute("INSERT INTO mapping (source_cloud, destination_cloud, type, source_id, destination_id, updated_ms)"
                       " VALUES ('src', 'dst', 'server', ?, ?, 1)", (fakecloud.SERVER, THERE))
        db.close()
        found = self.told(json.loads(self.osm("check-server", "web").stdout), "migrated-before", "info", "web", THERE)
        self.assertIn("in cloud 'dst'", found["text"])

    def test_conversion_host_that_is_off(self):
        host = {"id": THERE, "name": "osm-conversion", "status": "SHUTOFF", "addresses": {}, "image": "",
                "metadata": {"osm.role": "conversion-host", "osm.pair": "osm-conversion"}}
        self.document("/src/compute/v2.1/servers/detail")["servers"].append(host)
        self.answer("/src/compute/v2.1/servers/%s$" % THERE, {"server": host})
        self.answer("/src/compute/v2.1/servers/%s/os-volume_attachments" % THERE, {"volumeAttachments": []})
        report = json.loads(self.osm("check-server", "web").stdout)
        found = self.told(report, "conversion-host-unreachable", "warning", "src", "is SHUTOFF, not ACTIVE")
        self.assertIn("deploy-conversion-hosts", found["remedy"])
        # The other one is not there at all, and neither is of interest to a plan.
        self.told(report, "conversion-host-missing", "info", "dst", "no conversion host in cloud 'dst'")
        self.assertFalse([f for f in self.plan()["findings"] if f["id"].startswith("conversion-host-")])

    def test_clones_of_two_servers(self):
        """There is room for each of them, one after the other."""
        self.second_server()
        mail = self.document("/src/compute/v2.1/servers/" + SECOND)["server"]
        mail.update(image="")
        self.document("/src/compute/v2.1/servers/%s/os-volume_attachments" % SECOND)["volumeAttachments"].append(
            {"volumeId": fakecloud.LOOSE, "serverId": SECOND, "device": "/dev/vda", "tag": None, "delete_on_termination": False,
             "attachment_id": THERE, "id": fakecloud.LOOSE})
        self.volume_of("src", fakecloud.LOOSE).update(status="in-use", bootable="true")
        quota = self.document("/src/volume/v3/os-quota-sets/" + fakecloud.PROJECT["src"])["quota_set"]
        quota["volumes"]["limit"] = 2
        report = json.loads(self.osm("check-servers", "web", "mail").stdout)
        self.told(report["together"], "together-source-quota", "warning", "volumes",
                  "cloud 'src': quota of volumes is 2, 1 used, 2 more needed by all together")
        for one in report["servers"]:
            self.assertNotIn("source-volume-quota", [f["id"] for f in one["findings"]])
        quota["volumes"]["limit"] = 3
        together = json.loads(self.osm("check-servers", "web", "mail").stdout)["together"]
        self.assertNotIn("together-source-quota", [f["id"] for f in together["findings"]])


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
