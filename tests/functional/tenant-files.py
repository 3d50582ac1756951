#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""export, validate, diff and import with clouds in memory: what is in the files, how many requests it takes, what becomes of
edits, what is made."""

import json
import os
import re
import stat
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import new_id  # noqa: E402
from tenantcase import AUTH, Files  # noqa: E402


class Export(Files):
    def test_all_of_a_tenant(self):
        results = self.export("all")
        self.assertEqual({r["result"] for r in results.values()}, {"created"})
        self.assertEqual(sorted(os.listdir(self.data)), sorted([
            ".osm", "networks.yml", "subnets.yml", "routers.yml", "router_interfaces.yml", "security_groups.yml",
            "security_group_rules.yml", "keypairs.yml", "images.yml", "osm"]))
        # OS Migrate refuses files that it does not know, in its own folder.
        self.assertEqual(sorted(os.listdir(self.data + "/osm")),
                         ["address_groups.yml", "address_scopes.yml", "ports.yml", "qos_policies.yml", "rbac_policies.yml",
                          "server_groups.yml", "subnet_pools.yml", "trunks.yml"])
        for name in os.listdir(self.data):
            if name not in (".osm", "osm"):
                self.assertEqual(stat.S_IMODE(os.stat(self.data + "/" + name).st_mode), 0o600)
        # A list for each type; the external network, its owner, and the subnet that is not shown.
        calls = self.source.calls()
        self.assertLessEqual(len(calls), 21, calls)
        self.assertNotIn(("networks", "osm-net"), results)
        self.assertNotIn(("networks", "public"), results)
        self.assertNotIn(("images", "others"), results)
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)

    def test_a_network_and_its_text(self):
        self.export("networks")
        text = self.text("networks.yml")
        self.assertTrue(text.startswith("os_migrate_version: 1.0.5\nresources:\n- _info:\n    availability_zones: null\n"))
        self.assertIn("    name: n1\n", text)
        self.assertIn("    name: 'on'\n", text)  # not the truth value
        self.assertIn("    description: 'osm: ''quoted'', 12:34'\n", text)
        self.assertIn("    tags:\n    - a\n    - b\n", text)
        self.assertIn("  type: openstack.network.Network\n", text)
        self.assertNotIn("_osm_params", text)

    def test_subnet_keeps_the_order_of_its_name_servers(self):
        self.export("subnets")
        text = self.text("subnets.yml")
        self.assertIn("    dns_nameservers:\n    - 9.9.9.9\n    - 1.1.1.1\n", text)
        self.assertIn("    gateway_ip: null\n", text)
        self.assertIn("    - end: 10.1.0.9\n      start: 10.1.0.2\n    - end: 10.1.0.30\n", text)
        self.assertIn("    network_ref:\n      domain_name: '%auth%'\n      name: n1\n      project_name: '%auth%'\n", text)

    def test_router_with_what_os_migrate_loses(self):
        self.export("routers", "router_interfaces")
        text = self.text("routers.yml")
        self.assertIn("    external_gateway_refinfo:\n      network_ref:\n        domain_name: null\n"
                      "        name: public\n        project_name: null\n", text)
        self.assertIn("  _osm_params:\n    is_snat_enabled: false\n    routes:\n"
                      "    - destination: 10.9.0.0/24\n", text)
        text = self.text("router_interfaces.yml")
        self.assertEqual(text.count("device_owner:"), 1)
        self.assertIn("    fixed_ips_refs:\n    - ip_address: 10.1.0.1\n      subnet_ref:\n", text)

    def test_image_and_its_properties(self):
        self.export("images")
        text = self.text("images.yml")
        self.assertIn("    hw_cpu_cores: 2\n", text)
        self.assertIn("    properties:\n      my_own: 'yes'\n", text)
        self.assertIn("  _osm_params:\n    tags:\n    - t\n", text)

    def test_filters(self):
        self.export("networks", "--filter", "n*")
        self.assertIn("name: n1", self.text("networks.yml"))
        self.assertNotIn("name: 'on'", self.text("networks.yml"))
        self.export("security_group_rules", "--filter", "/^w.b$/")
        self.assertEqual(self.text("security_group_rules.yml").count("direction:"), 2)
        self.export("keypairs", "--filter", "nobody")
        self.assertEqual(self.text("keypairs.yml"), "os_migrate_version: 1.0.5\nresources: []\n")
        self.run_osm(2, "export", "networks", "--filter", "/(/")
        self.assertIn("not a regular expression", self.err)

    def test_unknown_type(self):
        self.run_osm(2, "export", "network")
        self.assertIn("did you mean 'networks'?", self.err)

    def test_administrators_things_are_skipped(self):
        self.export("users", "keypairs", status=5)
        results = self.export("users", "keypairs", status=5)
        self.assertEqual(results["users", "(all)"]["result"], "skipped")
        self.assertIn("403", results["users", "(all)"]["reason"])
        self.assertEqual(results["keypairs", "k1"]["result"], "equal")

    def test_a_service_that_fails_keeps_nothing_else_from_being_exported(self):
        self.source.broken.add("image/images")
        results = self.export("images", "networks", status=5)
        self.assertEqual(results["images", "(all)"]["result"], "failed")
        self.assertEqual(results["networks", "n1"]["result"], "created")

    def test_what_cannot_be_told_fails_alone(self):
        self.source.add("network/subnets", name="lost", network_id=new_id())
        results = self.export("subnets", status=5)
        self.assertEqual(results["subnets", "lost"]["result"], "failed")
        self.assertIn("network_ref: refers to the network", results["subnets", "lost"]["reason"])
        self.assertEqual(results["subnets", "s1"]["result"], "created")

    def test_big_tenant_takes_no_more_requests(self):
        c = self.source
        group = new_id()
        c.add("network/security-groups", id=group, name="many", description="")
        for i in range(50):
            n = c.add("network/networks", name="net-%d" % i)["id"]
            s = c.add("network/subnets", name="sub-%d" % i, network_id=n, cidr="10.%d.0.0/24" % i)["id"]
            if i < 10:
                r = c.add("network/routers", name="router-%d" % i, external_gateway_info=None)["id"]
                c.add("network/ports", network_id=n, device_id=r, device_owner="network:router_interface",
                      fixed_ips=[{"subnet_id": s, "ip_address": "10.%d.0.1" % i}])
        for i in range(200):
            c.add("network/security-group-rules", security_group_id=group, direction="ingress", ethertype="IPv4",
                  protocol="tcp", port_range_min=i + 1, port_range_max=i + 1, remote_ip_prefix=None, remote_group_id=None)
        report = self.run_osm(0, "export", "all")
        self.assertGreater(report["counts"]["created"], 310)
        self.assertLessEqual(len(c.calls()), 21, c.calls())
        # What it says that it sent is what arrived.
        self.assertEqual(report["requests"], {"source": len(c.seen)})
        self.assertGreater(report["seconds"], 0)
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        d = self.destination
        report = self.run_osm(5, "import", "all")
        self.assertEqual(report["requests"]["destination"], len(d.seen))
        self.assertLessEqual(len(d.calls()), 29, d.calls())
        self.assertLessEqual(len(d.calls("POST") + d.calls("PUT")), report["counts"]["created"] - 150)


class Again(Files):
    def test_nothing_new_leaves_the_file_alone(self):
        self.export("networks")
        self.edit("networks.yml", "resources:", "# mine\nresources:")
        results = self.export("networks")
        self.assertEqual({r["result"] for r in results.values()}, {"equal"})
        self.assertIn("# mine\n", self.text("networks.yml"))

    def test_edits_stay_and_changes_come(self):
        self.export("networks")
        self.edit("networks.yml", "mtu: 1450", "mtu: 1400")
        net = next(n for n in self.source.all("network/networks") if n["name"] == "n1")
        net["description"] = "new"
        results = self.export("networks")
        self.assertEqual(results["networks", "n1"]["result"], "updated")
        text = self.text("networks.yml")
        self.assertIn("mtu: 1400", text)
        self.assertIn("description: new", text)

    def test_both_changed_is_a_conflict(self):
        self.export("networks")
        self.edit("networks.yml", "mtu: 1450", "mtu: 1400")
        next(n for n in self.source.all("network/networks") if n["name"] == "n1")["mtu"] = 1300
        row = self.export("networks")["networks", "n1"]
        self.assertEqual(row["conflicts"], [{"field": "mtu", "file": 1400, "source": 1300}])
        self.assertIn("mtu: 1400", self.text("networks.yml"))

    def conflict(self):
        """The file has mtu 1400 instead of 1450, and the source 1300."""
        self.export("networks")
        self.edit("networks.yml", "mtu: 1450", "mtu: 1400")
        net = next(n for n in self.source.all("network/networks") if n["name"] == "n1")
        net["mtu"] = 1300
        self.export("networks")
        return net

    MARK = "    # conflict: mtu: the source has now: %d\n    mtu: %d\n"

    def test_a_conflict_is_marked_until_it_is_resolved(self):
        net = self.conflict()
        self.assertIn(self.MARK % (1300, 1400), self.text("networks.yml"))
        before = self.text("networks.yml")
        # Nothing is new, and nothing resolved.
        row = self.export("networks")["networks", "n1"]
        self.assertEqual((row["result"], row["conflicts"]), ("equal", [{"field": "mtu", "file": 1400, "source": 1300}]))
        self.assertIn("still differs from the source, the file's value stays: mtu", row["reason"])
        self.assertEqual(self.text("networks.yml"), before)
        # Nor does it matter when other things are exported, or change.
        self.export("networks", "--filter", "on")
        net["description"] = "new"
        self.export("networks")
        self.assertIn(self.MARK % (1300, 1400), self.text("networks.yml"))
        net["mtu"] = 1200
        self.export("networks")
        self.assertIn(self.MARK % (1200, 1400), self.text("networks.yml"))
        self.edit("networks.yml", "mtu: 1400", "mtu: 1350")
        self.export("networks")
        self.assertIn(self.MARK % (1200, 1350), self.text("networks.yml"))
        self.edit("networks.yml", "mtu: 1350", "mtu: 1200")
        self.assertNotIn("conflicts", self.export("networks")["networks", "n1"])
        self.assertNotIn("conflict", self.text("networks.yml"))

    def test_a_conflict_whose_mark_is_deleted_is_resolved(self):
        net = self.conflict()
        self.edit("networks.yml", "    # conflict: mtu: the source has now: 1300\n", "")
        self.assertNotIn("conflicts", self.export("networks")["networks", "n1"])
        self.assertNotIn("conflict", self.text("networks.yml"))
        self.assertIn("mtu: 1400", self.text("networks.yml"))
        # Until the source changes once more.
        net["mtu"] = 1250
        self.assertIn("conflicts", self.export("networks")["networks", "n1"])
        self.assertIn(self.MARK % (1250, 1400), self.text("networks.yml"))
        # What is gone there keeps its mark.
        del self.source.objects["network/networks"][net["id"]]
        self.assertEqual(self.export("networks")["networks", "n1"]["result"], "gone")
        self.assertIn(self.MARK % (1250, 1400), self.text("networks.yml"))

    def test_a_conflict_of_what_is_no_number(self):
        self.export("networks", "routers")
        self.edit("networks.yml", "    - a\n", "    - c\n")
        net = next(n for n in self.source.all("network/networks") if n["name"] == "n1")
        net["tags"] = ["x", "\u00e9\n\x7f"]
        self.edit("routers.yml", "    is_snat_enabled: false\n", "")
        router = self.source.all("network/routers")[0]
        router["external_gateway_info"]["enable_snat"] = True
        self.export("networks", "routers")
        self.assertIn('    # conflict: tags: the source has now: ["x","\\u00E9\\n\\u007f"]\n    tags:\n    - c\n    - b\n',
                      self.text("networks.yml"))
        # The key is in the file no more.
        self.assertIn("# conflict: is_snat_enabled: the source has now: true\n- _info:", self.text("routers.yml"))
        before = self.text("networks.yml"), self.text("routers.yml")
        self.export("networks", "routers")
        self.assertEqual((self.text("networks.yml"), self.text("routers.yml")), before)

    def test_conflicts_are_told_and_not_imported(self):
        self.conflict()
        report = self.run_osm(0, "validate")
        self.assertEqual((report["errors"], report["conflicts"], report["notes"]), (0, 1, 0))
        line = self.text("networks.yml").split("\n").index("    # conflict: mtu: the source has now: 1300") + 1
        self.assertEqual(report["problems"][0]["severity"], "conflict")
        self.assertIn("networks.yml:%d:1: n1: mtu: conflict, the source has now: 1300" % line, report["problems"][0]["message"])
        for words in ((), ("--dry-run",)):
            self.run_osm(1, "import", "networks", *words)
            self.assertIn("networks.yml: n1: mtu", self.err)
        self.assertEqual(self.destination.calls("POST"), [])
        self.run_osm(0, "import", "networks", "--filter", "on")
        self.run_osm(0, "diff", "networks", "--filter", "on")
        self.run_osm(0, "import", "networks", "--accept-conflicts")
        self.assertEqual({n["mtu"] for n in self.destination.all("network/networks")}, {1400, 1500})

    def test_comments_stay_when_something_changes(self):
        self.export("networks")
        self.edit("networks.yml", "os_migrate_version", "# of mine\nos_migrate_version")
        self.edit("networks.yml", "    mtu: 1450\n", "    # smaller, for the tunnel\n    mtu: 1400  # was 1450\n")
        self.edit("networks.yml", "    name: 'on'\n", "    name: 'on'  # quoted\n")
        self.write("networks.yml", self.text("networks.yml") + "# the end\n")
        net = next(n for n in self.source.all("network/networks") if n["name"] == "n1")
        net.update(description="new", mtu=1300)
        self.source.add("network/networks", name="a1", admin_state_up=True, shared=False, mtu=9000)
        self.export("networks")
        text = self.text("networks.yml")
        self.assertTrue(text.startswith("# of mine\nos_migrate_version"))
        self.assertTrue(text.endswith("# the end\n"))
        self.assertIn("    # smaller, for the tunnel\n    # conflict: mtu: the source has now: 1300\n    mtu: 1400  # was 1450\n", text)
        self.assertIn("    name: 'on'  # quoted\n", text)
        self.assertIn("description: new\n", text)
        self.assertIn("name: a1\n", text)

    def test_gone_at_the_source_and_taken_out_of_the_file(self):
        self.export("networks")
        text = self.text("networks.yml")
        entries = re.split(r"(?m)^(?=- )", text)
        self.assertEqual(len(entries), 3)
        gone = next(n for n in self.source.all("network/networks") if n["name"] == "n1")
        del self.source.objects["network/networks"][gone["id"]]
        self.write("networks.yml", "".join(e for e in entries if "name: 'on'" not in e))
        results = self.export("networks")
        self.assertEqual(results["networks", "n1"]["result"], "gone")
        self.assertEqual(results["networks", "on"]["result"], "skipped")
        self.assertIn("name: n1", self.text("networks.yml"))

    def test_a_broken_file_is_not_overwritten(self):
        self.export("networks")
        self.edit("networks.yml", "mtu: 1450", "mtu: many")
        before = self.text("networks.yml")
        results = self.export("networks", "keypairs", status=5)
        self.assertIn("mtu: must be a whole number", results["networks", "(all)"]["reason"])
        self.assertEqual(self.text("networks.yml"), before)
        self.assertIn(("keypairs", "k1"), results)


class Validate(Files):
    def problems(self, old, new, name="networks.yml"):
        self.export("networks", "subnets")
        self.edit(name, old, new)
        report = self.run_osm(1, "validate")
        line = self.text(name).split("\n").index(next(x for x in self.text(name).split("\n") if new.split("\n")[0] in x)) + 1
        for p in report["problems"]:
            self.assertRegex(p["message"], r"^%s/%s:\d+:\d+: " % (re.escape(self.data), name))
        return report["problems"], line

    def test_each_kind_of_mistake(self):
        for old, new, message, hint in (
                ("mtu: 1450", "mut: 1450", "params.mut: a network has no such key", "did you mean 'mtu'?"),
                ("name: n1", "name: ''", "name is empty", "cannot be found again"),
                ("name: n1", "name: 'on'", "the network 'on' is in this file twice", "rename or remove"),
                ("name: n1", "name: 12", "name: must be text", "put it in quotes"),
                ("mtu: 1450", "mtu: large", "mtu: must be a whole number", None)):
            with self.subTest(new):
                self.tearDown()
                self.doCleanups()
                self.setUp()
                problems, line = self.problems(old, new)
                found = [p for p in problems if message in p["message"]]
                self.assertEqual(len(found), 1, problems)
                if hint:
                    self.assertIn(hint, found[0]["hint"])
                if "twice" not in message:
                    self.assertIn(":%d:" % line, found[0]["message"])

    def test_two_entries_of_one_id_are_not_imported(self):
        self.export("networks")
        for n in self.source.all("network/networks"):
            text = self.text("networks.yml").replace("    id: %s\n" % n["id"], "    id: new\n")
            self.write("networks.yml", text)
        report = self.run_osm(1, "validate")
        self.assertIn("_info.id 'new' is that of another entry, too", report["problems"][0]["message"])
        self.run_osm(1, "import", "networks", "--update")
        self.assertEqual(self.destination.calls("POST") + self.destination.calls("PUT"), [])

    def test_no_yaml_and_no_files(self):
        self.run_osm(3, "validate")
        os.mkdir(self.data)
        self.write("networks.yml", "a: [\n")
        self.assertIn("networks.yml:2:1:", self.run_osm(1, "validate")["problems"][0]["message"])
        self.write("networks.yml", "")
        self.assertIn("the file is empty", self.run_osm(1, "validate")["problems"][0]["message"])

    def test_other_versions_are_read_with_a_note(self):
        self.export("networks")
        self.edit("networks.yml", "os_migrate_version: 1.0.5", "os_migrate_version: 0.17.0")
        report = self.run_osm(0, "validate")
        self.assertEqual((report["errors"], report["notes"]), (0, 1))
        self.assertIn("0.17.0", report["problems"][0]["message"])


class Import(Files):
    """The destination has an external network of the same name, of another project, and its default group."""

    def setUp(self):
        super().setUp()
        d = self.destination
        d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])
        self.export("all")

    def results(self, status, *words):
        report = self.run_osm(status, *words)
        return report, {(o["type"], o.get("name", "(all)")): o for o in report["objects"]}

    def names(self, kind):
        return sorted(o["name"] for o in self.destination.all("network/" + kind))

    def test_dry_run_makes_nothing_and_import_makes_all_in_order(self):
        _, dry = self.results(0, "import", "all", "--dry-run")
        self.assertEqual(self.destination.calls("POST") + self.destination.calls("PUT"), [])
        _, done = self.results(0, "import", "all")
        self.assertEqual({k: o["result"] for k, o in dry.items()}, {k: o["result"] for k, o in done.items()})
        self.assertEqual({o["result"] for o in done.values()}, {"created", "equal"})
        self.assertEqual([k for k, o in done.items() if o["result"] == "equal"], [("security_groups", "default")])
        d = self.destination
        self.assertEqual(self.names("networks"), ["n1", "on", "public"])
        net = next(n for n in d.all("network/networks") if n["name"] == "n1")
        self.assertEqual((net["mtu"], net["tags"], net["admin_state_up"]), (1450, ["a", "b"], True))
        subnet = d.all("network/subnets")[0]
        self.assertEqual((subnet["network_id"], subnet["gateway_ip"], subnet["dns_nameservers"], subnet["enable_dhcp"]),
                         (net["id"], None, ["9.9.9.9", "1.1.1.1"], False))
        router = d.all("network/routers")[0]
        # What only administrators may ask for is left out and told.
        self.assertIn("only administrators may ask for it: is_snat_enabled", done["routers", "r1"]["reason"])
        public = next(n for n in d.all("network/networks") if n["name"] == "public")
        self.assertEqual(router["external_gateway_info"], {"network_id": public["id"]})
        self.assertEqual(router["routes"], [{"destination": "10.9.0.0/24", "nexthop": "10.1.0.3"}])
        port = d.all("network/ports")[0]
        self.assertEqual((port["device_id"], port["fixed_ips"]),
                         (router["id"], [{"ip_address": "10.1.0.1", "subnet_id": subnet["id"]}]))
        # Not those that a new group comes with.
        self.assertEqual(sorted(r["port_range_min"] for r in d.all("network/security-group-rules")), [22, 80])
        self.assertEqual(d.all("compute/os-keypairs")[0]["public_key"], "ssh-ed25519 AAAA me@here")

    def test_second_import_changes_nothing(self):
        self.results(0, "import", "all")
        before = json.dumps(self.destination.objects, sort_keys=True)
        report, again = self.results(0, "import", "all")
        self.assertEqual({o["result"] for o in again.values()}, {"equal"})
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)
        report, _ = self.results(0, "diff", "all")
        self.assertEqual((report["counts"]["missing"], report["counts"]["differs"], report["counts"]["extra"]), (0, 0, 0))

    def test_edits_in_the_file_and_at_the_destination(self):
        self.destination.roles = ["member", "admin"]
        self.results(0, "import", "networks", "subnets", "routers")
        next(n for n in self.destination.all("network/networks") if n["name"] == "n1")["mtu"] = 1300
        report, found = self.results(5, "diff", "networks")
        self.assertEqual(found["networks", "n1"]["differences"],
                         [{"field": "mtu", "wanted": 1450, "is": 1300, "fixed": False}])
        _, skipped = self.results(5, "import", "networks")
        self.assertEqual(skipped["networks", "n1"]["result"], "skipped")
        self.assertIn("--update changes it", skipped["networks", "n1"]["reason"])
        self.destination.seen.clear()
        _, updated = self.results(0, "import", "networks", "--update")
        self.assertEqual((updated["networks", "n1"]["result"], updated["networks", "n1"]["reason"]),
                         ("updated", "mtu: 1450 in the file, 1300 in the cloud"))
        self.assertEqual(len(self.destination.calls("PUT")), 1)
        self.edit("subnets.yml", "    cidr: 10.1.0.0/24", "    cidr: 10.2.0.0/24")
        _, fixed = self.results(1, "import", "subnets", "--update")
        self.assertEqual(fixed["subnets", "s1"]["result"], "skipped")
        self.assertIn("cannot be changed: cidr", fixed["subnets", "s1"]["reason"])
        self.edit("routers.yml", "  _osm_params:\n", "  _osm_params:\n    external_fixed_ips:\n"
                  "    - ip_address: 203.0.113.8\n      subnet_ref: null\n")
        self.results(0, "import", "routers", "--update")
        info = self.destination.all("network/routers")[0]["external_gateway_info"]
        self.assertEqual((info["enable_snat"], info["external_fixed_ips"]), (False, [{"ip_address": "203.0.113.8"}]))
        self.assertIn("network_id", info)

    def test_what_is_not_there_fails_alone_and_ambiguity_names_the_candidates(self):
        for name in ("on", "on"):
            self.destination.add("network/networks", name=name)
        _, found = self.results(5, "import", "networks", "router_interfaces")
        self.assertEqual(found["networks", "n1"]["result"], "created")
        self.assertIn("several", found["networks", "on"]["reason"])
        failed = [o for k, o in found.items() if k[0] == "router_interfaces"]
        self.assertEqual([o["result"] for o in failed], ["failed"])
        self.assertIn("there is no subnet 's1' in this project", failed[0]["reason"])

    def test_what_an_older_cloud_does_not_know_is_left_out_and_told(self):
        self.destination.extensions.remove("stateful-security-group")
        _, found = self.results(0, "import", "security_groups")
        self.assertIn("does not know it: is_stateful", found["security_groups", "web"]["reason"])
        group = next(g for g in self.destination.all("network/security-groups") if g["name"] == "web")
        self.assertNotIn("stateful", group)
        _, again = self.results(0, "import", "security_groups")
        self.assertEqual({o["result"] for o in again.values()}, {"equal"})

    def test_nothing_is_touched_if_a_file_is_wrong(self):
        self.edit("subnets.yml", "ip_version: 4", "ip_version: four")
        self.run_osm(1, "import", "networks", "subnets")
        self.assertIn("ip_version: must be a whole number", self.err)
        self.assertEqual(self.destination.calls("POST"), [])

    def test_filter(self):
        self.results(0, "import", "networks", "--filter", "n*")
        self.assertEqual(self.names("networks"), ["n1", "public"])


class Administrator(Files):
    administrator = True

    def test_projects_users_and_their_roles(self):
        c = self.source
        role = c.add("identity/roles", name="member", domain_id=None)["id"]
        c.add("identity/role_assignments", id=new_id(), role={"id": role}, user={"id": c.user},
              scope={"project": {"id": c.project}})
        c.add("identity/role_assignments", id=new_id(), role={"id": role}, group={"id": "g"},
              scope={"project": {"id": c.project}})
        c.add("compute/flavors", name="m1.nano", ram=64, vcpus=1, disk=1, swap="", rxtx_factor=1.0,
              extra_specs={"hw:x": "1"}, **{"os-flavor-access:is_public": True, "OS-FLV-EXT-DATA:ephemeral": 0})
        results = self.export("projects", "users", "user_project_role_assignments", "flavors", "users_keypairs")
        self.assertEqual({r["result"] for r in results.values()}, {"created"})
        self.assertIn("    swap: 0\n", self.text("flavors.yml"))
        text = self.text("user_project_role_assignments.yml")
        self.assertEqual(text.count("role_ref:"), 1)
        self.assertIn("    user_ref:\n      domain_name: '%auth%'\n      name: '%auth%'\n", text)
        self.assertIn("    parent_ref:\n      domain_name: null\n      name: Default\n", self.text("projects.yml"))
        self.assertEqual(self.run_osm(0, "validate")["errors"], 0)
        self.destination.add("identity/roles", name="member", domain_id=None)
        types = ("projects", "users", "user_project_role_assignments", "flavors")
        report = self.run_osm(0, "import", *types)
        self.assertEqual({o["result"] for o in report["objects"]}, {"created"})
        self.assertEqual({o["result"] for o in self.run_osm(0, "import", *types)["objects"]}, {"equal"})
        flavor = self.destination.all("compute/flavors")[0]
        self.assertEqual((flavor["extra_specs"], flavor["ram"], flavor["swap"]), ({"hw:x": "1"}, 64, 0))
        assignment = self.destination.all("identity/role_assignments")[0]
        self.assertEqual(assignment["user"], {"id": self.destination.user})


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
