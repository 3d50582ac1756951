#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Types that OS Migrate does not know: server groups, standalone ports, trunks, RBAC policies, quotas, volume types."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import new_id  # noqa: E402
from tenantcase import Files  # noqa: E402


class Types(Files):
    def setUp(self):
        super().setUp()
        d = self.destination
        d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])

    def of(self, cloud, name, kind):
        return next(o for o in cloud.all(kind) if o["name"] == name)

    def results(self, status, *words):
        return {(o["type"], o.get("name", "(all)")): o for o in self.run_osm(status, *words)["objects"]}

    def there_and_back(self, *types, status=0):
        """Export, import, and again, which changes nothing."""
        self.export(*types)
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        first = self.results(status, "import", *types)
        before = json.dumps(self.destination.objects, sort_keys=True)
        again = self.results(status, "import", *types, "--update")
        self.assertEqual({o["result"] for o in again.values()}, {"equal"}, again)
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)
        return first

    def port(self, name, **values):
        net = self.of(self.source, "n1", "network/networks")["id"]
        subnet = self.of(self.source, "s1", "network/subnets")["id"]
        web = self.of(self.source, "web", "network/security-groups")["id"]
        n = len(self.source.all("network/ports"))
        return self.source.add("network/ports", **dict(
            {"name": name, "network_id": net, "device_id": "", "device_owner": "", "admin_state_up": True, "tags": ["a"],
             "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.1.0.%d" % (40 + n)}], "security_groups": [web],
             "description": "", "mac_address": "fa:16:3e:00:00:%02x" % n}, **values))


class OfTenants(Types):
    def test_server_groups(self):
        self.source.add("compute/os-server-groups", name="apart", policy="anti-affinity",
                        rules={"max_server_per_host": 2}, members=[new_id()], project_id=self.source.project)
        self.there_and_back("server_groups")
        made, = self.destination.all("compute/os-server-groups")
        self.assertEqual((made["name"], made["policy"], made["rules"]),
                         ("apart", "anti-affinity", {"max_server_per_host": 2}))
        self.assertNotIn("members", made)

    def test_standalone_ports(self):
        vip = self.port("vip", allowed_address_pairs=[{"ip_address": "10.1.0.50"}])
        unnamed = self.port("", port_security_enabled=False, security_groups=[])
        self.port("of-a-server", device_id=new_id(), device_owner="compute:nova")
        self.port("on-its-way", tags=["osm.migration=12345678"])
        self.there_and_back("networks", "subnets", "security_groups", "ports")
        made = {p["mac_address"]: p for p in self.destination.all("network/ports")}
        self.assertEqual(set(made), {vip["mac_address"], unnamed["mac_address"]})
        port = made[vip["mac_address"]]
        self.assertEqual((port["name"], port["allowed_address_pairs"], port["tags"]),
                         ("vip", [{"ip_address": "10.1.0.50"}], ["a"]))
        self.assertEqual(port["fixed_ips"], [{"ip_address": vip["fixed_ips"][0]["ip_address"],
                                              "subnet_id": self.of(self.destination, "s1", "network/subnets")["id"]}])
        self.assertEqual(port["security_groups"], [self.of(self.destination, "web", "network/security-groups")["id"]])
        self.assertEqual((made[unnamed["mac_address"]]["port_security_enabled"],
                          made[unnamed["mac_address"]]["security_groups"]), (False, []))

    def test_a_tag_that_is_no_text(self):
        self.port("vip", tags=[7, None])
        self.assertEqual(self.export("ports", status=0)["ports", "vip"]["result"], "created")

    def test_a_port_that_a_server_uses_since(self):
        self.port("vip")
        self.export("networks", "subnets", "security_groups", "ports")
        self.results(0, "import", "networks", "subnets", "security_groups", "ports")
        made = self.of(self.destination, "vip", "network/ports")
        made.update(device_id=new_id(), device_owner="compute:nova")
        before = json.dumps(self.destination.objects, sort_keys=True)
        row = self.results(0, "import", "ports", "--update")["ports", "vip"]
        self.assertEqual((row["result"], row["id"]), ("equal", made["id"]))
        self.assertIn("in use", row["reason"])
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)

    def test_trunks(self):
        parent, sub = self.port("parent"), self.port("", device_owner="trunk:subport")
        trunk = self.source.add("network/trunks", name="t", admin_state_up=True, port_id=parent["id"], tags=["x"],
                                description="", sub_ports=[{"port_id": sub["id"], "segmentation_id": 7,
                                                            "segmentation_type": "vlan"}])
        sub["device_id"] = trunk["id"]
        self.export("trunks", "--with-dependencies")
        self.there_and_back("networks", "subnets", "security_groups", "ports", "trunks")
        made, = self.destination.all("network/trunks")
        ports = {p["mac_address"]: p["id"] for p in self.destination.all("network/ports")}
        self.assertEqual((made["port_id"], made["sub_ports"], made["tags"]), (
            ports[parent["mac_address"]], [{"port_id": ports[sub["mac_address"]], "segmentation_id": 7,
                                            "segmentation_type": "vlan"}], ["x"]))

    def test_trunks_alone_find_ports_without_names(self):
        parent, sub = self.port(""), self.port("", device_owner="trunk:subport")
        trunk = self.source.add("network/trunks", name="t", admin_state_up=True, port_id=parent["id"], tags=[], description="",
                                sub_ports=[{"port_id": sub["id"], "segmentation_id": 7, "segmentation_type": "vlan"}])
        sub["device_id"] = trunk["id"]
        self.export("networks", "subnets", "security_groups", "ports", "trunks")
        self.results(0, "import", "networks", "subnets", "security_groups", "ports")
        self.assertEqual(self.results(0, "import", "trunks")["trunks", "t"]["result"], "created")
        made, = self.destination.all("network/trunks")
        ports = {p["mac_address"]: p["id"] for p in self.destination.all("network/ports")}
        self.assertEqual((made["port_id"], made["sub_ports"][0]["port_id"]),
                         (ports[parent["mac_address"]], ports[sub["mac_address"]]))
        self.assertEqual(self.results(0, "import", "trunks", "--update")["trunks", "t"]["result"], "equal")

    def test_a_cloud_without_trunks_has_none(self):
        self.source.unknown.add("network/trunks")
        self.export("all")
        self.assertIn("resources: []", self.text("osm/trunks.yml"))

    def test_rbac_policies(self):
        net = self.of(self.source, "n1", "network/networks")["id"]
        other = new_id().replace("-", "")
        for target in ("*", other):
            self.source.add("network/rbac-policies", object_type="network", object_id=net, action="access_as_shared",
                            target_tenant=target)
        self.source.add("network/rbac-policies", object_type="address_scope", object_id=new_id(), action="access_as_shared",
                        target_tenant="*")
        found = self.export("networks", "rbac_policies", status=5)
        self.assertEqual(sorted(o["result"] for k, o in found.items() if k[0] == "rbac_policies"), ["created", "created", "failed"])
        # Whose project that is elsewhere only the operator knows.
        found = self.results(5, "import", "networks", "rbac_policies")
        failed, = [o for o in found.values() if o["result"] == "failed"]
        self.assertIn("there is no project '%s'" % other, failed["reason"])
        made, = self.destination.all("network/rbac-policies")
        self.assertEqual((made["object_id"], made["action"], made["target_tenant"]),
                         (self.of(self.destination, "n1", "network/networks")["id"], "access_as_shared", "*"))
        found = self.results(5, "import", "rbac_policies")
        self.assertEqual(sorted(o["result"] for o in found.values()), ["equal", "failed"])


class OfAdministrators(Types):
    def quotas(self, cloud, cores, volumes):
        cloud.objects["compute/os-quota-sets"] = {cloud.project: {"id": cloud.project, "cores": cores, "ram": -1}}
        cloud.objects["network/quotas"] = {cloud.project: {"network": 10, "port": 100}}
        cloud.objects["volume/os-quota-sets"] = {cloud.project: {"id": cloud.project, "volumes": volumes, "volumes_lvm": 3}}

    def test_quotas(self):
        self.quotas(self.source, 40, 7)
        self.quotas(self.destination, 20, 7)
        self.export("quotas")
        self.assertNotIn("volumes_lvm", self.text("osm/quotas.yml"))
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        found = self.results(5, "import", "quotas")
        self.assertIn("cores: 40 in the file, 20 in the cloud", found["quotas", "compute"]["reason"])
        self.destination.seen.clear()
        found = self.results(0, "import", "quotas", "--update")
        self.assertEqual({k[1]: o["result"] for k, o in found.items()},
                         {"compute": "updated", "network": "equal", "volume": "equal"})
        self.assertEqual(self.destination.objects["compute/os-quota-sets"][self.destination.project]["cores"], 40)
        self.assertEqual(len(self.destination.calls("PUT")), 1)

    def test_quotas_without_the_rights_are_skipped(self):
        self.quotas(self.source, 40, 7)
        self.quotas(self.destination, 20, 7)
        self.destination.refused.add(("PUT", "compute/os-quota-sets"))
        self.export("quotas")
        found = self.results(5, "import", "quotas", "--update")
        self.assertEqual(found["quotas", "compute"]["result"], "skipped")
        self.assertIn("no right to do this", found["quotas", "compute"]["reason"])

    def test_volume_types(self):
        self.source.add("volume/types", name="fast", description="", extra_specs={"volume_backend_name": "ssd"},
                        qos_specs_id=None, **{"os-volume-type-access:is_public": True})
        self.there_and_back("volume_types")
        made, = self.destination.all("volume/types")
        self.assertEqual((made["name"], made["extra_specs"]), ("fast", {"volume_backend_name": "ssd"}))
        made["name"] = "other"
        self.run_osm(0, "forget", "volume_types", "fast")
        self.destination.refused.add(("POST", "volume/types"))
        found = self.results(1, "import", "volume_types")
        self.assertEqual(found["volume_types", "fast"]["result"], "skipped")
        self.assertIn("403", found["volume_types", "fast"]["reason"])


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
