#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Files that say all (--exact), and what things need (--with-dependencies) and contain (--with-members)."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import conflict, new_id  # noqa: E402
from tenantcase import CONTROLLER, Files  # noqa: E402


class More(Files):
    def results(self, status, *words):
        return {(o["type"], o.get("name", "(all)")): o for o in self.run_osm(status, *words)["objects"]}

    def names(self, cloud, kind):
        return sorted(o["name"] for o in cloud.all("network/" + kind))


class Exact(More):
    def setUp(self):
        super().setUp()
        self.destination.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        self.export("security_groups", "security_group_rules")
        self.results(0, "import", "security_groups", "security_group_rules")
        d = self.destination
        self.web = next(g for g in d.all("network/security-groups") if g["name"] == "web")["id"]
        self.other = d.add("network/security-groups", name="other", description="")["id"]
        for group in (self.web, self.other):
            d.add("network/security-group-rules", security_group_id=group, direction="ingress", ethertype="IPv4",
                  protocol="udp", port_range_min=53, port_range_max=53, remote_ip_prefix=None, remote_group_id=None,
                  description="")

    def rules(self, group):
        return sorted(r["port_range_min"] or 0 for r in self.destination.all("network/security-group-rules")
                      if r["security_group_id"] == group)

    def test_rules_are_added_and_removed(self):
        self.results(0, "import", "security_group_rules")
        self.assertEqual(self.rules(self.web), [22, 53, 80])
        found = self.results(0, "import", "security_group_rules", "--exact", "--dry-run")
        self.assertEqual([o["result"] for o in found.values()].count("deleted"), 1)
        self.assertEqual(self.rules(self.web), [22, 53, 80])
        rule = next(r for r in self.destination.all("network/security-group-rules") if r["port_range_min"] == 80)
        del self.destination.objects["network/security-group-rules"][rule["id"]]
        self.destination.seen.clear()
        self.results(0, "import", "security_group_rules", "--exact")
        self.assertEqual(self.rules(self.web), [22, 80])
        self.assertEqual([m for m, p in self.destination.seen if m in ("POST", "DELETE") and "auth" not in p],
                         ["POST", "DELETE"])
        # Of what no file is about nothing is known.
        self.assertEqual(self.rules(self.other), [53])
        self.assertEqual({o["result"] for o in self.results(0, "import", "security_group_rules", "--exact").values()},
                         {"equal"})

    def test_an_edited_rule_takes_the_place_of_the_old_one(self):
        self.write("security_group_rules.yml",
                   self.text("security_group_rules.yml").replace("port_range_max: 80", "port_range_max: 81")
                   .replace("port_range_min: 80", "port_range_min: 81"))
        found = self.run_osm(0, "import", "security_group_rules")["objects"]
        self.assertEqual(sorted(o["result"] for o in found), ["created", "equal"])
        self.assertEqual(self.rules(self.web), [22, 53, 80, 81])
        self.results(0, "import", "security_group_rules", "--exact")
        self.assertEqual(self.rules(self.web), [22, 81])
        # Rules are what they say: nothing is to be remembered.
        self.assertNotIn("security_group_rules", {o["type"] for o in self.run_osm(0, "list", "--objects")})

    def test_not_of_others_groups_and_not_of_filtered_ones(self):
        self.results(0, "import", "security_group_rules", "--exact", "--filter", "db*")
        self.assertEqual(self.rules(self.web), [22, 53, 80])
        self.run_osm(0, "register-external", "security_groups", "web", self.web)
        self.results(0, "import", "security_group_rules", "--exact")
        self.assertEqual(self.rules(self.web), [22, 53, 80])

    def test_a_rule_in_another_spelling_is_not_deleted(self):
        shutil.rmtree(self.folder + "/state")
        text = self.text("security_group_rules.yml")
        for protocol in ("TCP", "'6'"):
            last = text.rindex("protocol: tcp")
            self.write("security_group_rules.yml", text[:last] + text[last:].replace("protocol: tcp", "protocol: " + protocol, 1))
            self.destination.seen.clear()
            told = []
            for words in (("--dry-run",), (), ("--exact", "--dry-run"), ("--exact",), ("--exact",)):
                found = self.run_osm(0, "import", "security_group_rules", *words)["objects"]
                told.append(sorted((o["result"], o.get("reason", "")) for o in found if o["name"].startswith("web")))
                self.assertIn(("equal", "the cloud has the same one, in another spelling"), told[-1])
            # What is deleted is the rule that is in no file, and both say so.
            self.assertEqual((told[0], told[2]), (told[1], told[3]))
            self.assertEqual(self.rules(self.web), [22, 80])
            self.assertEqual(self.destination.calls("POST"), [])
        found = self.run_osm(0, "diff", "security_group_rules", "--filter", "web")["objects"]
        self.assertEqual({o["result"] for o in found}, {"equal"})

    def test_a_rule_that_only_the_cloud_knows_to_be_the_same(self):
        d = self.destination
        rule = next(r for r in d.all("network/security-group-rules") if r["port_range_min"] == 80)
        rule["port_range_max"] = 81
        found = self.run_osm(0, "import", "security_group_rules", "--exact", "--dry-run")["objects"]
        self.assertEqual(sorted(o["result"] for o in found), ["created", "deleted", "deleted", "equal"])
        for o in found:
            if o["result"] == "deleted":
                self.assertIn("stays if the cloud takes", o["reason"])
        d.answers["POST", "network/security-group-rules"] = [conflict("SecurityGroupRuleExists", "exists")] * 3
        found = self.run_osm(5, "import", "security_group_rules", "--exact")["objects"]
        self.assertEqual(sorted(o["result"] for o in found), ["equal", "equal", "skipped", "skipped"])
        self.assertIn("another spelling", next(o for o in found if o["result"] == "skipped")["reason"])

    def test_nothing_is_deleted_where_something_could_not_be_made(self):
        d = self.destination
        rule = next(r for r in d.all("network/security-group-rules") if r["port_range_min"] == 80)
        del d.objects["network/security-group-rules"][rule["id"]]
        d.answers["POST", "network/security-group-rules"] = [(400, {"NeutronError": {"type": "X", "message": "no", "detail": ""}})]
        found = self.run_osm(5, "import", "security_group_rules", "--exact")["objects"]
        self.assertEqual(sorted(o["result"] for o in found), ["equal", "failed", "skipped"])
        self.assertEqual(self.rules(self.web), [22, 53])
        self.results(0, "import", "security_group_rules", "--exact")
        self.assertEqual(self.rules(self.web), [22, 80])

    def test_not_of_a_strangers_group_of_the_same_name(self):
        d = self.destination
        stranger = d.add("network/security-groups", name="web", description="")["id"]
        d.add("network/security-group-rules", security_group_id=stranger, direction="ingress", ethertype="IPv4",
              protocol="udp", port_range_min=514, port_range_max=514, remote_ip_prefix=None, remote_group_id=None,
              description="")
        self.results(0, "import", "security_group_rules", "--exact")
        self.assertEqual((self.rules(self.web), self.rules(stranger)), ([22, 80], [514]))
        # Nobody knows any more which of them it is.
        self.run_osm(0, "forget", "security_groups", "web")
        d.add("network/security-group-rules", security_group_id=self.web, direction="ingress", ethertype="IPv4",
              protocol="udp", port_range_min=53, port_range_max=53, remote_ip_prefix=None, remote_group_id=None,
              description="")
        self.run_osm(5, "import", "security_group_rules", "--exact")
        self.assertEqual((self.rules(self.web), self.rules(stranger)), ([22, 53, 80], [514]))


class Conflicts(More):
    """409 is not always "the same one is there already"."""

    def setUp(self):
        super().setUp()
        self.destination.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        self.export("all")

    def test_a_quota_that_is_used_up_is_a_failure(self):
        self.results(0, "import", "security_groups")
        d = self.destination
        d.objects["network/security-group-rules"].clear()
        d.answers["POST", "network/security-group-rules"] = [
            conflict("OverQuota", "Quota exceeded for resources: ['security_group_rule'].")] * 2
        found = self.run_osm(5, "import", "security_group_rules")["objects"]
        self.assertEqual(sorted(o["result"] for o in found), ["created", "failed"])
        self.assertIn("Quota exceeded", next(o for o in found if o["result"] == "failed")["reason"])

    def test_many_rules_are_one_request_unless_that_is_refused(self):
        self.results(0, "import", "security_groups")
        d = self.destination

        def posts():
            return len([p for p in d.calls("POST") if p.endswith("/security-group-rules")])
        d.objects["network/security-group-rules"].clear()
        before = posts()
        found = self.run_osm(0, "import", "security_group_rules")["objects"]
        self.assertEqual([o["result"] for o in found], ["created"] * 2)
        self.assertEqual(posts() - before, 1)
        self.assertEqual({o["id"] for o in found}, {r["id"] for r in d.all("network/security-group-rules")})
        d.objects["network/security-group-rules"].clear()
        d.answers["POST", "network/security-group-rules"] = [
            (400, {"NeutronError": {"type": "BadRequest", "message": "Bulk operation not supported", "detail": ""}})]
        found = self.run_osm(0, "import", "security_group_rules")["objects"]
        self.assertEqual([o["result"] for o in found], ["created"] * 2)
        self.assertEqual(len(d.all("network/security-group-rules")), 2)

    def interface(self):
        return [p for p in self.destination.all("network/ports") if p.get("device_owner") == "network:router_interface"]

    def test_an_address_that_another_port_has_is_a_failure(self):
        self.results(0, "import", "networks", "subnets", "routers")
        d = self.destination
        subnet, = d.all("network/subnets")
        d.add("network/ports", network_id=subnet["network_id"], name="mine", device_id="", device_owner="",
              fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "10.1.0.1"}])
        found, = self.run_osm(1, "import", "router_interfaces")["objects"]
        self.assertEqual(found["result"], "failed")
        self.assertIn("in use", found["reason"])
        self.assertEqual(self.interface(), [])

    def test_the_port_of_an_interrupted_import_is_taken_up(self):
        self.results(0, "import", "networks", "subnets", "routers")
        d = self.destination
        subnet, = d.all("network/subnets")
        left = d.add("network/ports", network_id=subnet["network_id"], name="", device_id="", device_owner="",
                     fixed_ips=[{"subnet_id": subnet["id"], "ip_address": "10.1.0.1"}])
        found, = self.run_osm(0, "import", "router_interfaces")["objects"]
        self.assertEqual((found["result"], found["id"]), ("created", left["id"]))
        self.assertEqual([p["id"] for p in self.interface()], [left["id"]])
        self.assertEqual(self.run_osm(0, "import", "router_interfaces")["objects"][0]["result"], "equal")


class DefaultRules(More):
    """A new group lets everything out; that goes if its rules come from a file, and only then."""

    def setUp(self):
        super().setUp()
        self.source.add("network/security-groups", name="lb", description="", stateful=True, tags=[])
        lb = next(g for g in self.source.all("network/security-groups") if g["name"] == "lb")["id"]
        for rule in self.source.all("network/security-group-rules"):
            rule["remote_group_id"] = lb
        self.export("security_groups", "security_group_rules")

    def egress(self, name):
        groups = [g["id"] for g in self.destination.all("network/security-groups") if g["name"] == name]
        self.assertEqual(len(groups), 1)
        return len([r for r in self.destination.all("network/security-group-rules")
                    if r["security_group_id"] == groups[0] and r["direction"] == "egress"])

    def test_with_rules(self):
        self.results(0, "import", "security_groups", "security_group_rules")
        self.assertEqual((self.egress("web"), self.egress("lb")), (0, 0))

    def test_without_their_file(self):
        os.unlink(self.data + "/security_group_rules.yml")
        self.results(0, "import", "all")
        self.assertEqual((self.egress("web"), self.egress("lb")), (2, 2))

    def test_of_a_group_that_is_only_referred_to(self):
        self.results(0, "import", "security_group_rules", "--filter", "web", "--with-dependencies")
        self.assertEqual((self.egress("web"), self.egress("lb")), (0, 2))

    def test_a_group_that_cannot_be_emptied_is_not_left(self):
        self.destination.answers["DELETE", "network/security-group-rules"] = [(204, None), (403, {"message": "no"})]
        found = self.run_osm(1, "import", "security_groups", "security_group_rules", "--filter", "web")["objects"]
        self.assertEqual(found[0]["result"], "failed")
        self.assertNotIn("web", self.names(self.destination, "security-groups"))
        self.results(0, "import", "security_groups", "security_group_rules")
        self.assertEqual(self.egress("web"), 0)

    def test_nor_is_it_when_the_operator_stops_in_between(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        began, go = threading.Event(), threading.Event()

        def stop():
            began.set()
            go.wait(30)
            return 204, None
        self.destination.answers["DELETE", "network/security-group-rules"] = [stop]
        with subprocess.Popen([CONTROLLER, "import", "security_groups", "security_group_rules", "--filter", "web",
                               "--source-cloud", "src", "--destination-cloud", "dst", "--state-dir", self.folder + "/state",
                               "--data-dir", self.data], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            self.assertTrue(began.wait(30))
            process.send_signal(signal.SIGINT)
            go.set()
        self.assertNotEqual(process.returncode, 0)
        self.assertNotIn("web", self.names(self.destination, "security-groups"))


class Whose(More):
    def test_what_is_ours_is_not_looked_for_among_others(self):
        self.export("networks", "subnets")
        # Shared with us; who its project is, is not shown.
        theirs = self.destination.add("network/networks", name="n1", project_id=new_id().replace("-", ""), shared=True)["id"]
        found = self.results(1, "import", "subnets")
        self.assertIn("there is no network 'n1' in this project", found["subnets", "s1"]["reason"])
        self.assertEqual(self.destination.all("network/subnets"), [])
        self.results(0, "import", "networks", "subnets")
        subnet, = self.destination.all("network/subnets")
        self.assertNotEqual(subnet["network_id"], theirs)


class Refused(More):
    def test_interfaces_are_not_gone_when_routers_are_not_shown(self):
        self.export("router_interfaces")
        before = self.text("router_interfaces.yml")
        self.source.broken.add("network/routers")
        for types in (("router_interfaces",), ("routers", "router_interfaces")):
            found = self.export(*types, status=1)
            self.assertEqual(found["router_interfaces", "(all)"]["result"], "failed")
            self.assertIn("it is broken", found["router_interfaces", "(all)"]["reason"])
            self.assertEqual(self.text("router_interfaces.yml"), before)


class Needs(More):
    def test_export_and_import_of_what_is_needed(self):
        results = self.export("router_interfaces", "--with-dependencies")
        self.assertEqual({(k[0], k[1]) for k in results if k[0] != "router_interfaces"},
                         {("networks", "n1"), ("subnets", "s1"), ("routers", "r1")})
        self.assertEqual(sorted(f for f in os.listdir(self.data) if f != ".osm"),
                         ["networks.yml", "router_interfaces.yml", "routers.yml", "subnets.yml"])
        self.export("all")
        self.destination.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        found = self.results(0, "import", "subnets", "--filter", "s1", "--with-dependencies")
        self.assertEqual({k: o["result"] for k, o in found.items()}, {("networks", "n1"): "created", ("subnets", "s1"): "created"})
        self.assertEqual(self.names(self.destination, "networks"), ["n1", "public"])
        found = self.results(0, "import", "router_interfaces", "--with-dependencies")
        self.assertEqual(sorted(k[0] for k, o in found.items() if o["result"] == "created"), ["router_interfaces", "routers"])
        self.assertEqual(self.destination.all("image/images"), [])

    def test_rules_bring_their_groups(self):
        self.export("security_group_rules", "--filter", "web", "--with-dependencies")
        self.assertIn("name: web\n", self.text("security_groups.yml"))
        self.assertNotIn("name: default\n", self.text("security_groups.yml"))


class Members(More):
    def setUp(self):
        super().setUp()
        net = next(n["id"] for n in self.source.all("network/networks") if n["name"] == "on")
        self.source.add("network/subnets", name="s2", network_id=net, cidr="10.2.0.0/24", ip_version=4, tags=[])
        self.source.add("network/ports", name="vip", network_id=net, device_id="", device_owner="", tags=[], fixed_ips=[],
                        mac_address="fa:16:3e:00:00:09")

    def keys(self, found):
        return {(k[0], k[1]) for k in found if k[0] not in ("router_interfaces", "security_group_rules")}

    def test_of_one_network(self):
        found = self.export("networks", "--filter", "on", "--with-members")
        self.assertEqual(self.keys(found), {("networks", "on"), ("subnets", "s2"), ("ports", "vip")})
        found = self.export("networks", "--filter", "n1", "--with-members")
        self.assertEqual(self.keys(found), {("networks", "n1"), ("subnets", "s1")})

    def test_of_a_router_with_what_these_need(self):
        found = self.export("routers", "--with-members")
        self.assertEqual(self.keys(found), {("routers", "r1")})
        self.assertIn("router_interfaces", {k[0] for k in found})
        found = self.export("routers", "--with-members", "--with-dependencies")
        self.assertEqual(self.keys(found), {("routers", "r1"), ("networks", "n1"), ("subnets", "s1")})

    def test_import(self):
        self.export("all")
        found = self.results(0, "import", "networks", "--filter", "on", "--with-members")
        self.assertEqual({k: o["result"] for k, o in found.items()},
                         {("networks", "on"): "created", ("subnets", "s2"): "created", ("ports", "vip"): "created"})

    def test_a_group_gets_the_rules_of_the_files_and_no_others(self):
        self.export("all")
        found = self.results(0, "import", "security_groups", "--filter", "web", "--with-members")
        self.assertEqual({k[0] for k in found}, {"security_groups", "security_group_rules"})
        group = next(g["id"] for g in self.destination.all("network/security-groups") if g["name"] == "web")
        rules = [r for r in self.destination.all("network/security-group-rules") if r["security_group_id"] == group]
        self.assertEqual(sorted(r["port_range_min"] for r in rules), [22, 80])


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
