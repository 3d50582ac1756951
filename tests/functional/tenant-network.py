#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Address scopes, subnet pools, QoS policies with their rules, address groups; sub-ports of trunks that are there; volume types with
encryption, QoS and access lists."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import new_id  # noqa: E402
from tenantcase import Files  # noqa: E402


class Case(Files):
    def setUp(self):
        super().setUp()
        d = self.destination
        d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])

    def of(self, cloud, name, kind):
        return next(o for o in cloud.all(kind) if o["name"] == name)

    def results(self, status, *words):
        return {(o["type"], o.get("name", "(all)")): o for o in self.run_osm(status, *words)["objects"]}

    def nothing_more(self, *types):
        before = json.dumps(self.destination.objects, sort_keys=True)
        again = self.results(0, "import", *types, "--update")
        self.assertEqual({o["result"] for o in again.values()}, {"equal"}, again)
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)

    def there_and_back(self, *types):
        self.export(*types)
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        first = self.results(0, "import", *types)
        self.nothing_more(*types)
        return first


class Network(Case):
    administrator = True

    def policy(self, cloud, *rules):
        return cloud.add("network/policies", name="gold", description="", shared=False, is_default=False, tags=["q"],
                         rules=[dict(r, id=new_id(), qos_policy_id="x") for r in rules])

    def test_scopes_pools_and_their_subnets(self):
        s = self.source
        scope = s.add("network/address-scopes", name="v4", ip_version=4, shared=False)["id"]
        pool = s.add("network/subnetpools", name="pool", description="", prefixes=["10.1.0.0/16"], default_prefixlen="24",
                     min_prefixlen="8", max_prefixlen="28", default_quota=None, is_default=False, shared=False, ip_version=4,
                     address_scope_id=scope, tags=["p"])["id"]
        self.of(s, "s1", "network/subnets")["subnetpool_id"] = pool
        self.there_and_back("address_scopes", "subnet_pools", "networks", "subnets")
        d = self.destination
        made = self.of(d, "pool", "network/subnetpools")
        self.assertEqual({k: made[k] for k in ("prefixes", "default_prefixlen", "min_prefixlen", "max_prefixlen", "tags",
                                               "address_scope_id")},
                         {"prefixes": ["10.1.0.0/16"], "default_prefixlen": "24", "min_prefixlen": "8", "max_prefixlen": "28",
                          "tags": ["p"], "address_scope_id": self.of(d, "v4", "network/address-scopes")["id"]})
        self.assertEqual(self.of(d, "s1", "network/subnets")["subnetpool_id"], made["id"])
        # More prefixes are no problem; fewer are Neutron's to refuse.
        self.edit("osm/subnet_pools.yml", "- 10.1.0.0/16", "- 10.1.0.0/16\n    - 10.2.0.0/16")
        self.assertEqual(self.results(0, "import", "subnet_pools", "--update")["subnet_pools", "pool"]["result"], "updated")
        self.assertEqual(made["prefixes"], ["10.1.0.0/16", "10.2.0.0/16"])
        self.edit("osm/subnet_pools.yml", "    - 10.1.0.0/16\n", "")
        row = self.results(1, "import", "subnet_pools", "--update")["subnet_pools", "pool"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("Illegal update", row["reason"])

    def test_what_needs_a_pool_brings_it(self):
        s = self.source
        pool = s.add("network/subnetpools", name="pool", prefixes=["10.1.0.0/16"], shared=False)["id"]
        self.of(s, "s1", "network/subnets")["subnetpool_id"] = pool
        self.assertIn(("subnet_pools", "pool"), self.export("subnets", "--with-dependencies"))
        found = self.results(0, "import", "subnets", "--with-dependencies")
        self.assertEqual(found["subnet_pools", "pool"]["result"], "created")

    def test_qos_policies_with_their_rules(self):
        limit = {"type": "bandwidth_limit", "max_kbps": 1000, "max_burst_kbps": 100, "direction": "egress"}
        policy = self.policy(self.source, limit, {"type": "dscp_marking", "dscp_mark": 26},
                             {"type": "minimum_bandwidth", "min_kbps": 10, "direction": "egress"})
        self.of(self.source, "n1", "network/networks")["qos_policy_id"] = policy["id"]
        self.there_and_back("qos_policies", "networks")
        made = self.of(self.destination, "gold", "network/policies")

        def rules():
            return {(r["type"], r.get("direction")): r for r in made["rules"]}
        first = rules()
        self.assertEqual(set(first), {("bandwidth_limit", "egress"), ("dscp_marking", None), ("minimum_bandwidth", "egress")})
        self.assertEqual((first["bandwidth_limit", "egress"]["max_kbps"], made["tags"]), (1000, ["q"]))
        self.assertEqual(self.of(self.destination, "n1", "network/networks")["qos_policy_id"], made["id"])
        # A changed one is changed in place, another one comes, one goes.
        self.edit("osm/qos_policies.yml", "max_kbps: 1000", "max_kbps: 2000")
        self.edit("osm/qos_policies.yml", "    - dscp_mark: 26\n      type: dscp_marking\n",
                  "    - max_kbps: 500\n      direction: ingress\n      type: bandwidth_limit\n")
        self.assertEqual(self.results(0, "import", "qos_policies", "--update")["qos_policies", "gold"]["result"], "updated")
        now = rules()
        self.assertEqual(set(now), {("bandwidth_limit", "egress"), ("bandwidth_limit", "ingress"), ("minimum_bandwidth", "egress")})
        self.assertEqual((now["bandwidth_limit", "egress"]["max_kbps"], now["bandwidth_limit", "egress"]["id"]),
                         (2000, first["bandwidth_limit", "egress"]["id"]))

    def test_a_kind_of_rule_that_the_destination_lacks(self):
        self.source.extensions += ["qos-pps"]
        self.policy(self.source, {"type": "packet_rate_limit", "max_kpps": 10, "max_burst_kpps": 1, "direction": "egress"})
        self.export("qos_policies")
        row = self.results(1, "import", "qos_policies")["qos_policies", "gold"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("the cloud has no rules of type packet_rate_limit", row["reason"])
        self.destination.extensions += ["qos-pps"]
        self.results(0, "import", "qos_policies", "--update")
        self.assertEqual([r["max_kpps"] for r in self.of(self.destination, "gold", "network/policies")["rules"]], [10])

    def test_what_a_cloud_does_not_know_is_not_available(self):
        kinds = {"network/" + k for k in ("policies", "subnetpools", "address-scopes", "address-groups")}
        self.policy(self.source)
        self.export("all")
        self.destination.unknown |= kinds
        found = self.results(5, "import", "all")
        self.assertEqual(found["qos_policies", "(all)"]["result"], "skipped")
        self.assertIn("not available: cloud 'dst' does not know this kind of object", found["qos_policies", "(all)"]["reason"])
        # Of the others there is nothing to import.
        self.assertEqual([o["result"] for o in found.values() if o["result"] in ("skipped", "failed")], ["skipped"])
        self.assertEqual(found["networks", "n1"]["result"], "created")
        self.source.unknown |= kinds
        found = self.export("qos_policies", "networks")
        self.assertEqual(found["qos_policies", "(all)"]["result"], "unavailable")
        self.assertEqual(found["networks", "n1"]["result"], "equal")

    def test_address_groups_and_rules_that_refer_to_them(self):
        s = self.source
        group = s.add("network/address-groups", name="offices", description="", addresses=["10.0.0.0/8", "192.0.2.0/24"])
        web = self.of(s, "web", "network/security-groups")["id"]
        s.add("network/security-group-rules", security_group_id=web, direction="ingress", ethertype="IPv4", protocol="udp",
              port_range_min=53, port_range_max=53, remote_ip_prefix=None, remote_group_id=None,
              remote_address_group_id=group["id"], description="")
        self.there_and_back("address_groups", "security_groups", "security_group_rules")
        made = self.of(self.destination, "offices", "network/address-groups")
        rule = next(r for r in self.destination.all("network/security-group-rules") if r["protocol"] == "udp")
        self.assertEqual((made["addresses"], rule["remote_address_group_id"]), (["10.0.0.0/8", "192.0.2.0/24"], made["id"]))
        self.edit("osm/address_groups.yml", "- 10.0.0.0/8", "- 172.16.0.0/12")
        self.edit("osm/address_groups.yml", "description: ''", "description: new")
        self.assertEqual(self.results(0, "import", "address_groups", "--update")["address_groups", "offices"]["result"],
                         "updated")
        self.assertEqual((made["addresses"], made["description"]), (["172.16.0.0/12", "192.0.2.0/24"], "new"))
        self.assertEqual({o["result"] for o in self.results(0, "import", "address_groups").values()}, {"equal"})

    def test_a_rule_is_not_made_wider_than_it_is(self):
        s, d = self.source, self.destination
        group = s.add("network/address-groups", name="admins", description="", addresses=["192.0.2.0/24"])
        web = self.of(s, "web", "network/security-groups")["id"]
        for port in (53, 54):
            s.add("network/security-group-rules", security_group_id=web, direction="ingress", ethertype="IPv4", protocol="udp",
                  port_range_min=port, port_range_max=port, remote_ip_prefix=None, remote_group_id=None,
                  remote_address_group_id=group["id"], description="")
        self.export("all")
        d.extensions.remove("security-groups-remote-address-group")
        for words in (("--dry-run",), ()):
            found = self.run_osm(5, "import", "all", *words)["objects"]
            failed = [o for o in found if o["result"] == "failed"]
            self.assertEqual([o["type"] for o in failed], ["security_group_rules"] * 2)
            self.assertIn("does not know remote_address_group_ref: without it the security group rule would allow more",
                          failed[0]["reason"])
        self.assertEqual([r for r in d.all("network/security-group-rules") if r["protocol"] == "udp"], [])
        self.assertEqual(len([r for r in d.all("network/security-group-rules") if r["protocol"] == "tcp"]), 2)

    def trunk(self):
        s = self.source
        net = self.of(s, "n1", "network/networks")["id"]
        subnet = self.of(s, "s1", "network/subnets")["id"]
        ports = [s.add("network/ports", name="p%d" % i, network_id=net, device_id="", device_owner="", admin_state_up=True,
                       fixed_ips=[{"subnet_id": subnet, "ip_address": "10.1.0.%d" % (50 + i)}], security_groups=[], tags=[],
                       description="", mac_address="fa:16:3e:00:01:%02x" % i) for i in range(4)]
        trunk = s.add("network/trunks", name="t", admin_state_up=True, port_id=ports[0]["id"], tags=[], description="",
                      sub_ports=[{"port_id": ports[i]["id"], "segmentation_id": i, "segmentation_type": "vlan"} for i in (1, 2)])
        for i in (1, 2):
            ports[i].update(device_owner="trunk:subport", device_id=trunk["id"])
        return trunk, ports

    def test_sub_ports_come_and_go(self):
        trunk, ports = self.trunk()
        types = ("networks", "subnets", "security_groups", "ports", "trunks")
        self.there_and_back(*types)
        made = self.of(self.destination, "t", "network/trunks")

        def subs():
            names = {p["id"]: p["name"] for p in self.destination.all("network/ports")}
            return {names[s["port_id"]]: s["segmentation_id"] for s in made["sub_ports"]}
        self.assertEqual(subs(), {"p1": 1, "p2": 2})
        # p1 goes, p2 gets its VLAN, p3 comes; and two things that have nothing to do with it.
        trunk["sub_ports"] = [{"port_id": ports[2]["id"], "segmentation_id": 1, "segmentation_type": "vlan"},
                              {"port_id": ports[3]["id"], "segmentation_id": 9, "segmentation_type": "vlan"}]
        trunk.update(description="new", tags=["x"])
        ports[1].update(device_owner="", device_id="")
        self.export(*types)
        row = self.results(1, "import", "trunks")["trunks", "t"]
        self.assertEqual(row["result"], "skipped")
        row = self.results(0, "import", "trunks", "--update")["trunks", "t"]
        self.assertEqual(row["result"], "updated")
        self.assertEqual((subs(), made["description"], made["tags"]), ({"p2": 1, "p3": 9}, "new", ["x"]))
        owners = {p["name"]: p.get("device_owner", "") for p in self.destination.all("network/ports")}
        self.assertEqual(owners, {"p0": "", "p1": "", "p2": "trunk:subport", "p3": "trunk:subport"})
        self.assertEqual({o["result"] for o in self.results(0, "import", "trunks", "--update").values()}, {"equal"})


class OfTenants(Case):
    def test_policies_that_only_administrators_may_make(self):
        self.source.add("network/policies", name="gold", description="", shared=False, rules=[])
        self.export("qos_policies")
        found = self.results(1, "import", "qos_policies")["qos_policies", "gold"]
        self.assertEqual(found["result"], "skipped")
        self.assertIn("no right", found["reason"])


class VolumeTypes(Case):
    administrator = True

    def type(self, cloud, name, public=True, **values):
        return cloud.add("volume/types", name=name, description="", extra_specs={}, qos_specs_id=None,
                         **{"os-volume-type-access:is_public": public}, **values)

    def setUp(self):
        super().setUp()
        s = self.source
        self.fast = self.type(s, "fast")
        self.secret = self.type(s, "secret", public=False)
        s.encryption[self.secret["id"]] = {"encryption_id": new_id(), "provider": "luks", "cipher": "aes-xts-plain64",
                                           "key_size": 256, "control_location": "front-end", "deleted": False,
                                           "volume_type_id": self.secret["id"], "created_at": "now"}
        qos = s.add("volume/qos-specs", name="slow", consumer="front-end", specs={"total_iops_sec": "100"})
        self.fast["qos_specs_id"] = qos["id"]
        for cloud in (s, self.destination):
            cloud.add("identity/projects", id="%032x" % (17 if cloud is s else 18), name="guests", domain_id="default",
                      parent_id="default", enabled=True)
        s.type_access[self.secret["id"]] = ["%032x" % 17, "%032x" % 99]  # the last one was deleted long ago

    def test_with_all_that_belongs_to_them(self):
        self.export("volume_qos_specs", "volume_types")
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        self.results(0, "import", "volume_qos_specs", "volume_types")
        d = self.destination
        fast, secret = self.of(d, "fast", "volume/types"), self.of(d, "secret", "volume/types")
        slow, = d.all("volume/qos-specs")
        self.assertEqual((slow["name"], slow["consumer"], slow["specs"]), ("slow", "front-end", {"total_iops_sec": "100"}))
        self.assertEqual((fast["qos_specs_id"], secret["qos_specs_id"] if "qos_specs_id" in secret else None), (slow["id"], None))
        self.assertEqual({k: d.encryption[secret["id"]][k] for k in ("provider", "cipher", "key_size", "control_location")},
                         {"provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"})
        self.assertNotIn(fast["id"], d.encryption)
        self.assertEqual(d.type_access[secret["id"]], ["%032x" % 18])
        self.assertEqual(set(secret) & {"encryption", "access"}, set())
        self.nothing_more("volume_qos_specs", "volume_types")

    def test_what_differs_is_changed(self):
        self.export("volume_qos_specs", "volume_types")
        self.results(0, "import", "volume_qos_specs", "volume_types")
        d = self.destination
        fast, secret = self.of(d, "fast", "volume/types"), self.of(d, "secret", "volume/types")
        other = d.add("volume/qos-specs", name="other", consumer="back-end", specs={})
        fast["qos_specs_id"] = other["id"]
        d.encryption[secret["id"]]["key_size"] = 512
        d.encryption[fast["id"]] = {"encryption_id": new_id(), "provider": "luks"}
        d.type_access[secret["id"]] = ["%032x" % 0x77, d.project]
        slow = self.of(d, "slow", "volume/qos-specs")
        slow["specs"] = {"total_iops_sec": "7", "read_iops_sec": "1"}
        d.add("identity/projects", id="%032x" % 0x77, name="strangers", domain_id="default", enabled=True)
        found = self.results(1, "import", "volume_qos_specs", "volume_types")
        self.assertEqual({o["result"] for o in found.values()}, {"skipped"})
        self.assertIn("encryption", found["volume_types", "secret"]["reason"])
        found = self.results(0, "import", "volume_qos_specs", "volume_types", "--update")
        self.assertEqual({o["result"] for o in found.values()}, {"updated"})
        self.assertEqual((fast["qos_specs_id"], d.encryption[secret["id"]]["key_size"], d.type_access[secret["id"]]),
                         (slow["id"], 256, ["%032x" % 18]))
        self.assertNotIn(fast["id"], d.encryption)
        self.assertEqual(slow["specs"], {"total_iops_sec": "100"})
        self.nothing_more("volume_qos_specs", "volume_types")

    def test_what_encryption_has_too_much_goes(self):
        del self.source.encryption[self.secret["id"]]["key_size"]
        self.source.encryption[self.secret["id"]]["cipher"] = None
        self.export("volume_qos_specs", "volume_types")
        self.results(0, "import", "volume_qos_specs", "volume_types")
        secret = self.of(self.destination, "secret", "volume/types")["id"]
        self.destination.encryption[secret].update(key_size=512, cipher="aes-xts-plain64")
        found = self.results(0, "import", "volume_types", "--update")
        self.assertEqual(found["volume_types", "secret"]["result"], "updated")
        now = self.destination.encryption[secret]
        self.assertEqual((now["key_size"], now["cipher"], now["provider"]), (None, None, "luks"))
        self.nothing_more("volume_qos_specs", "volume_types")
        self.edit("osm/volume_types.yml", "      control_location: front-end\n", "")
        row = self.results(5, "import", "volume_types", "--update")["volume_types", "secret"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("encryption: needs provider and control_location", row["reason"])

    def test_access_of_projects_with_other_names(self):
        for cloud, names in ((self.source, "xy"), (self.destination, "pq")):
            for i, name in enumerate(names):
                cloud.add("identity/projects", id="%032x" % (0x100 + i), name=name, domain_id="default", enabled=True)
        self.source.type_access[self.secret["id"]] = ["%032x" % 0x100, "%032x" % 0x101]
        os.makedirs(self.folder + "/osm")
        with open(self.folder + "/osm/osm.yaml", "w", encoding="utf-8") as f:
            f.write("map: { projects: { x: q, y: p } }\n")
        words = ("volume_types", "security_groups", "--projects", "src", "--filter", "secret")
        self.run_osm(0, "export", *words)
        self.run_osm(5, "import", *words)
        secret = self.of(self.destination, "secret", "volume/types")
        self.assertEqual(sorted(self.destination.type_access[secret["id"]]), ["%032x" % 0x100, "%032x" % 0x101])
        found = {o["name"]: o["result"] for o in self.run_osm(5, "import", *words, "--update")["objects"]}
        self.assertEqual(found["secret"], "equal")

    def test_access_of_nobody_is_an_error(self):
        self.export("volume_qos_specs", "volume_types")
        text = self.text("osm/volume_types.yml")
        self.write("osm/volume_types.yml", text.replace("access_refs:\n    -", "access_refs:\n    - project_ref: null\n    -"))
        row = self.results(5, "import", "volume_qos_specs", "volume_types")["volume_types", "secret"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("access_refs: entry 1 names no project", row["reason"])
        # Nor does a cloud's answer end it.
        self.write("osm/volume_types.yml", text)
        self.results(0, "import", "volume_qos_specs", "volume_types")
        secret = self.of(self.destination, "secret", "volume/types")
        self.destination.type_access[secret["id"]] = [None]
        row = self.results(5, "import", "volume_types", "--update")["volume_types", "secret"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("has no project_id", row["reason"])

    def test_a_type_without_an_id_is_an_error(self):
        self.export("volume_types")
        self.destination.answers["POST", "volume/types"] = [(200, {"volume_type": {"name": "secret"}})]
        row = self.results(1, "import", "volume_types", "--filter", "secret")["volume_types", "secret"]
        self.assertIn("did not tell its id", row["reason"])

    def test_encryption_of_a_type_in_use_is_told(self):
        self.export("volume_qos_specs", "volume_types")
        self.results(0, "import", "volume_qos_specs", "volume_types")
        secret = self.of(self.destination, "secret", "volume/types")
        self.destination.encryption[secret["id"]]["key_size"] = 512
        self.destination.types_in_use.add(secret["id"])
        row = self.results(5, "import", "volume_types", "--update")["volume_types", "secret"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("Volume type in use", row["reason"])

    def test_a_type_that_cannot_be_encrypted_is_not_left(self):
        self.export("volume_types")
        self.destination.answers["POST", "volume/types"] = [
            lambda: (200, {"volume_type": self.destination.add("volume/types", name="secret", **{
                "os-volume-type-access:is_public": False})}),
            (403, {"forbidden": {"code": 403, "message": "no encryption for you"}})]
        row = self.results(1, "import", "volume_types", "--filter", "secret")["volume_types", "secret"]
        self.assertEqual(row["result"], "skipped")
        self.assertIn("encryption", row["reason"])
        self.assertEqual(self.destination.all("volume/types"), [])

    def test_tenants_see_less(self):
        self.source.administrator = False
        self.source.roles = ["member"]
        self.export("volume_types")
        text = self.text("osm/volume_types.yml")
        self.assertNotIn("encryption:", text)
        self.assertNotIn("access_refs", text)
        found = self.export("volume_qos_specs", status=1)
        self.assertEqual(found["volume_qos_specs", "(all)"]["result"], "skipped")


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
