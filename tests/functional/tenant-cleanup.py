#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""cleanup-source: what is deleted at the source, and above all what is not."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import conflict, new_id  # noqa: E402
from tenantcase import CONTROLLER, Files  # noqa: E402


class Cleanup(Files):
    def setUp(self):
        super().setUp()
        s, d = self.source, self.destination
        d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])
        self.prepare()
        self.export("all")
        self.run_osm(0, "import", "all")
        s.seen.clear()
        d.seen.clear()

    def prepare(self):
        # A route keeps its interface, and so all below it; of that one test tells.
        self.of(self.source, "r1", "routers")["routes"] = []

    def migration(self, source, destination, state="held", migration_id="0123abcd"):
        with contextlib.closing(sqlite3.connect(self.folder + "/state/osm.db")) as db, db:
            db.execute("INSERT INTO migration (id, kind, state, source_cloud, destination_cloud, object_id, object_name,"
                       " created_ms, updated_ms) VALUES (?, 'server', ?, ?, ?, ?, 'web1', 1, 1)",
                       (migration_id, state, source, destination, new_id()))

    def of(self, cloud, name, kind="networks"):
        return next(o for o in cloud.all("network/" + kind) if o["name"] == name)

    def clean(self, status, *words):
        """{(TYPE, NAME): row}"""
        words = words if words and not words[0].startswith("-") else ("all", *words)
        report = self.run_osm(status, "cleanup-source", *words)
        return {(o["type"], o["name"]): o for o in report["objects"]}

    def now(self, *words, status=0):
        return self.clean(status, *words, "--older-than", "0", "--yes")

    def plan(self, *words):
        """The same as a dry run, which touches nothing."""
        before = json.dumps([self.source.objects, self.destination.objects], sort_keys=True)
        self.source.seen.clear()
        found = self.clean(0, *words, "--older-than", "0")
        self.assertEqual(json.dumps([self.source.objects, self.destination.objects], sort_keys=True), before)
        self.assertEqual(self.source.calls("DELETE") + self.source.calls("PUT"), [])
        return found

    def reason(self, word, *key, words=()):
        """It stays, for this reason; in the dry run and really."""
        name = key if len(key) == 2 else ("networks", *key)
        dry = self.plan(*words)
        done = self.now(*words)
        for found in (dry, done):
            self.assertEqual(found[name]["result"], "left", found[name])
            self.assertIn(word, found[name]["reason"])
        self.assertIn(done[name]["id"], [i for objects in self.source.objects.values() for i in objects])
        return done


class Deletes(Cleanup):
    def test_dry_run_first_then_everything_in_the_right_order(self):
        self.assertEqual({o["result"] for o in self.clean(0).values()}, {"left"})  # the hold period
        self.assertIn("was imported only", self.clean(0)["networks", "n1"]["reason"])
        dry = self.plan()
        self.assertEqual({k[0] for k, o in dry.items() if o["result"] == "would delete"},
                         {"networks", "subnets", "routers", "router_interfaces", "security_groups"})
        done = self.now()
        self.assertEqual({k: o["result"].replace("would delete", "deleted") for k, o in dry.items()},
                         {k: o["result"] for k, o in done.items()})
        s = self.source
        self.assertEqual(sorted(n["name"] for n in s.all("network/networks")), ["osm-net", "public"])
        self.assertEqual([g["name"] for g in s.all("network/security-groups")], ["default"])
        self.assertEqual((s.all("network/subnets"), s.all("network/routers")), ([], []))
        self.assertEqual([i["name"] for i in s.all("image/images")], ["cirros", "others"])
        self.assertEqual([k["name"] for k in s.all("compute/os-keypairs")], ["k1"])
        # Nothing at the destination.
        self.assertEqual([m for m, p in self.destination.seen if m != "GET" and "auth" not in p], [])
        # The mapping still tells what became of what.
        known = {(o["type"], o.get("name")): o for o in self.run_osm(0, "list", "--objects")}
        self.assertEqual(known["networks", "n1"]["destination_id"], self.of(self.destination, "n1")["id"])
        self.assertIn("source_deleted_ms", known["networks", "n1"])
        self.assertNotIn("source_deleted_ms", known["security_groups", "default"])
        # The default group is found by its name, and so it is told of again, like the image, which is never deleted.
        self.assertEqual(sorted(self.now()), [("images", "cirros"), ("security_groups", "default")])
        self.now("networks", status=3)
        self.assertIn("nothing is left to do", self.err)
        # The files still mean what was made of them.
        self.assertEqual({o["result"] for o in self.run_osm(0, "import", "all")["objects"]}, {"equal"})

    def test_types_and_filters(self):
        self.assertEqual(set(self.plan("networks", "--filter", "o*")), {("networks", "on")})
        self.assertEqual(self.now("networks", "--filter", "o*")["networks", "on"]["result"], "deleted")
        self.assertEqual(sorted(n["name"] for n in self.source.all("network/networks")), ["n1", "osm-net", "public"])
        self.run_osm(2, "cleanup-source", "network")
        self.assertIn("did you mean 'networks'?", self.err)
        self.run_osm(2, "cleanup-source", "networks", "--older-than", "long")

    def test_what_somebody_else_has_deleted_is_gone(self):
        del self.source.objects["network/networks"][self.of(self.source, "on")["id"]]
        self.assertEqual(self.plan("networks")["networks", "on"]["result"], "gone")
        # That it is not shown to this user does not mean that it is not there: it is looked for each time.
        for _ in range(2):
            self.assertEqual(self.now("networks", "--filter", "on")["networks", "on"]["result"], "gone")
        known = {(o["type"], o.get("name")): o for o in self.run_osm(0, "list", "--objects")}
        self.assertNotIn("source_deleted_ms", known["networks", "on"])

    def test_an_edit_in_the_file_is_no_difference(self):
        self.edit("networks.yml", "mtu: 1450", "mtu: 1400")
        self.run_osm(0, "import", "networks", "--update")
        self.now()
        self.assertNotIn("n1", [n["name"] for n in self.source.all("network/networks")])

    def test_changed_between_the_look_and_the_deed(self):
        s, on = self.source, self.of(self.source, "on")

        def change():
            on["shared"] = True
            return 200, {"subnets": s.all("network/subnets")}
        s.answers["GET", "network/subnets"] = [(200, {"subnets": s.all("network/subnets")}), change]
        self.assertIn("changed by somebody", self.now("networks")["networks", "on"]["reason"])
        on["shared"] = False
        self.assertEqual(self.now("networks")["networks", "on"]["result"], "deleted")

    def test_a_network_that_is_shared_between_the_look_and_the_deed(self):
        s, n1 = self.source, self.of(self.source, "n1")

        def change():
            n1["shared"] = True
            return 200, {"subnets": s.all("network/subnets")}
        s.answers["GET", "network/subnets"] = [(200, {"subnets": s.all("network/subnets")}), change]
        found = self.now("subnets", "router_interfaces")
        self.assertEqual({o["result"] for o in found.values()}, {"left"})
        interface = next(o for k, o in found.items() if k[0] == "router_interfaces")
        self.assertIn("is on a network that has been changed by somebody right now", interface["reason"])

    def test_a_server_that_comes_between_the_look_and_the_deed(self):
        s = self.source
        n1, shown = self.of(s, "n1")["id"], s.all("network/ports")

        def come():
            # Lists of ports of that network alone; only the interface's own look comes last.
            s.add("network/ports", network_id=n1, device_id=new_id(), device_owner="compute:nova", fixed_ips=[])
            return 200, {"ports": s.all("network/ports")}
        interface = next(p for p in shown if p["device_owner"] == "network:router_interface")
        s.answers["GET", "network/ports"] = [
            (200, {"ports": [interface]}), (200, {"ports": shown}), (200, {"port": interface}), come]
        found = self.now("router_interfaces")
        row, = found.values()
        self.assertEqual(row["result"], "left")
        self.assertIn("is used by the server", row["reason"])

    def router_deleted_and(self, what):
        """The source deletes its router, and then that happens."""
        def answer():
            self.source.objects["network/routers"].clear()
            what()
            return 204, None
        self.source.answers["DELETE", "network/routers"] = [answer]

    def assert_ended_early(self, found):
        self.assertEqual((found["routers", "r1"]["result"], found["networks", "n1"]["result"]), ("deleted", "would delete"))
        self.assertIn("n1", [n["name"] for n in self.source.all("network/networks")])
        known = {(o["type"], o.get("name")): o for o in self.run_osm(0, "list", "--objects")}
        self.assertIn("source_deleted_ms", known["routers", "r1"])

    def test_a_migration_that_is_started_meanwhile_ends_it(self):
        def start():
            self.migration("other", "src")
        self.router_deleted_and(start)
        found = self.now(status=4)
        self.assertIn("nothing more is deleted: migrations from or to this cloud are not finished: 0123abcd (web1, held)", self.err)
        self.assert_ended_early(found)

    def test_what_was_deleted_is_told_when_the_operator_stops_it(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        began, go = threading.Event(), threading.Event()

        def stop():
            began.set()
            go.wait(30)
        self.router_deleted_and(stop)
        with subprocess.Popen([CONTROLLER, "cleanup-source", "all", "--yes", "--older-than", "0", "--source-cloud", "src",
                               "--destination-cloud", "dst", "--state-dir", self.folder + "/state", "--data-dir", self.data,
                               "--output", "json"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.assertTrue(began.wait(30))
            process.send_signal(signal.SIGINT)
            go.set()
            out, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, err)
        found = {(o["type"], o["name"]): o for o in json.loads(out)["objects"]}
        self.assertIn(found["routers", "r1"]["result"], ("deleted", "would delete"))
        interface = next(o for k, o in found.items() if k[0] == "router_interfaces")
        self.assertEqual((interface["result"], found["networks", "n1"]["result"]), ("deleted", "would delete"))

    def test_groups_that_let_each_other_in(self):
        s = self.source
        web = self.of(s, "web", "security-groups")["id"]
        db = s.add("network/security-groups", name="db", description="", stateful=True, tags=[])["id"]
        for group, remote in ((web, db), (db, web)):
            s.add("network/security-group-rules", security_group_id=group, remote_group_id=remote, direction="ingress",
                  ethertype="IPv4", protocol="tcp", port_range_min=5, port_range_max=5, remote_ip_prefix=None)
        self.export("all")
        self.run_osm(0, "import", "all")
        self.now("security_groups", "--filter", "web")
        self.assertEqual(len([g for g in s.all("network/security-groups") if g["name"] in ("db", "web")]), 2)
        self.now("security_groups")
        self.assertEqual([g["name"] for g in s.all("network/security-groups")], ["default"])


class Stays(Cleanup):
    def server(self):
        server = self.source.add("compute/servers", name="web1")["id"]
        port = self.source.add("network/ports", network_id=self.of(self.source, "n1")["id"], device_id=server,
                               device_owner="compute:nova", security_groups=[self.of(self.source, "web", "security-groups")["id"]],
                               fixed_ips=[{"subnet_id": self.of(self.source, "s1", "subnets")["id"], "ip_address": "10.1.0.3"}])
        return server, port

    def test_what_servers_use(self):
        self.server()
        found = self.reason("is used by the server web1", "n1")
        for key in (("subnets", "s1"), ("security_groups", "web")):
            self.assertIn("is used by the server web1", found[key]["reason"])
        interface = next(o for k, o in found.items() if k[0] == "router_interfaces")
        self.assertIn("is used by the server web1", interface["reason"])
        self.assertIn("is used by the router interface", found["routers", "r1"]["reason"])
        self.assertEqual(found["networks", "on"]["result"], "deleted")

    def test_what_a_route_needs(self):
        self.of(self.source, "r1", "routers")["routes"] = [{"destination": "10.9.0.0/24", "nexthop": "10.1.0.3"}]
        found = self.plan("--accept-differences")
        interface = next(o for k, o in found.items() if k[0] == "router_interfaces")
        self.assertIn("the route by 10.1.0.3 of the router r1", interface["reason"])
        self.assertEqual(found["networks", "n1"]["result"], "left")

    def test_adopted_and_registered(self):
        self.run_osm(0, "register-external", "networks", "n1", "public")
        self.run_osm(0, "forget", "networks", "on")
        self.run_osm(0, "import", "networks")
        self.reason("was registered", "n1")
        self.reason("found at the destination by its name", "on")
        self.assertIn("by its name", self.plan()["security_groups", "default"]["reason"])

    def test_what_is_not_at_the_destination_any_more(self):
        del self.destination.objects["network/networks"][self.of(self.destination, "on")["id"]]
        self.reason("is not at the destination any more", "on", words=("--accept-differences",))

    def test_differences_unless_they_are_accepted(self):
        self.of(self.destination, "on")["mtu"] = 1300
        self.reason("mtu: 1500, there 1300", "on")
        self.assertEqual(self.now("networks", "--filter", "on", "--accept-differences")["networks", "on"]["result"], "deleted")

    def test_what_the_destination_cannot_have(self):
        del self.of(self.destination, "n1")["port_security_enabled"]
        self.reason("is_port_security_enabled: true, there nothing", "n1", words=("networks",))

    def test_changes_at_the_source(self):
        self.of(self.source, "on")["description"] = "new"
        self.reason('description: "new"', "on")
        self.of(self.source, "on")["name"] = "other"
        self.reason("has another name than when it was imported: 'other', then 'on'", "other",
                    words=("--accept-differences",))

    def test_both_have_changed(self):
        self.edit("networks.yml", "mtu: 1500", "mtu: 1400")
        self.run_osm(0, "import", "networks", "--update")
        self.of(self.source, "on")["mtu"] = 1300
        self.reason("conflicts that are not resolved: mtu", "on")

    def test_rules_that_the_destination_lacks(self):
        rule = next(r for r in self.destination.all("network/security-group-rules") if r["port_range_min"] == 80)
        del self.destination.objects["network/security-group-rules"][rule["id"]]
        found = self.reason("the destination lacks rules of it: web ingress IPv4 tcp 80 80", "security_groups", "web")
        self.assertEqual(found["networks", "on"]["result"], "deleted")

    def test_rules_that_cannot_be_read_or_are_of_another_group(self):
        s, d = self.source, self.destination
        web = self.of(s, "web", "security-groups")["id"]
        rule = s.add("network/security-group-rules", security_group_id=web, direction="ingress", ethertype="IPv4", protocol="udp",
                     port_range_min=5, port_range_max=5, remote_ip_prefix=None, remote_group_id=None, description="")
        self.reason("lacks rules of it: web ingress IPv4 udp 5 5", "security_groups", "web", words=("security_groups",))
        # A group of the same name that was made by hand has it.
        other = d.add("network/security-groups", name="web", description="", stateful=True, tags=[])["id"]
        d.add("network/security-group-rules", **{k: v for k, v in rule.items() if k != "id"} | {"security_group_id": other})
        self.reason("lacks rules of it: web ingress IPv4 udp 5 5", "security_groups", "web", words=("security_groups",))
        for change in ({"project_id": "e" * 32}, {"project_id": s.project, "remote_group_id": new_id()}):
            rule.update(change)
            self.reason("lacks rules of it: %s, which cannot be read" % rule["id"], "security_groups", "web",
                        words=("security_groups",))

    def test_shared_external_and_others(self):
        s = self.source
        for values, word in (({"shared": True}, "is shared"), ({"router:external": True}, "is an external network"),
                             ({"project_id": "e" * 32}, "belongs to another project")):
            old = {k: self.of(s, "on").get(k) for k in values}
            self.of(s, "on").update(values)
            self.reason(word, "on", words=("networks", "--accept-differences"))
            self.of(s, "on").update(old)
        policy = s.add("network/rbac-policies", object_type="network", object_id=self.of(s, "on")["id"], action="access_as_shared",
                       target_tenant="x")
        self.reason("an RBAC policy", "on", words=("networks",))

    def test_what_is_on_a_network_of_others_or_for_others(self):
        s = self.source
        n1 = self.of(s, "n1")
        interface = next(k for k in self.plan() if k[0] == "router_interfaces")
        words = ("subnets", "router_interfaces", "--accept-differences")
        for values, word in (({"shared": True}, "on a network that is shared"), ({"router:external": True}, "on an external network"),
                             ({"project_id": "e" * 32}, "on a network that is not this project's")):
            old = {k: n1.get(k) for k in values}
            n1.update(values)
            for key in (("subnets", "s1"), interface):
                self.reason(word, *key, words=words)
            n1.update(old)
        s.add("network/rbac-policies", object_type="network", object_id=n1["id"], action="access_as_shared", target_tenant="x")
        for key in (("subnets", "s1"), interface):
            self.reason("an RBAC policy", *key, words=words)

    def test_what_is_shown_to_nobody_else_is_not_gone(self):
        on = self.source.objects["network/networks"].pop(self.of(self.source, "on")["id"])
        self.source.hidden.add(on["id"])
        found = self.now("networks")
        self.assertEqual((found["networks", "on"]["result"], found["networks", "on"]["reason"]),
                         ("left", "belongs to others: this user may not see it"))
        self.assertEqual(found["networks", "n1"]["result"], "left")  # its subnet was not named

    def test_entries_of_the_operators_own(self):
        text = self.text("networks.yml")
        old = self.of(self.source, "on")["id"]
        self.assertEqual(text.count(old), 1)
        self.write("networks.yml", text.replace(old, "../subnets/" + self.of(self.source, "s1", "subnets")["id"]))
        self.run_osm(0, "forget", "networks", "on")
        del self.destination.objects["network/networks"][self.of(self.destination, "on")["id"]]
        self.run_osm(0, "import", "networks")
        self.assertEqual({o["type"] for o in self.run_osm(0, "list", "--objects") if o.get("name") == "on"}, {"networks"})
        self.assertNotIn(("networks", "on"), self.plan())

    def test_images_ports_and_trunks(self):
        s, net = self.source, self.of(self.source, "on")["id"]
        vip = s.add("network/ports", name="vip", network_id=net, mac_address="fa:16:3e:00:00:01", device_id="", device_owner="",
                    fixed_ips=[], security_groups=[])
        s.add("network/trunks", name="t1", port_id=vip["id"], tags=[], admin_state_up=True, description="", sub_ports=[])
        self.export("all")
        self.run_osm(0, "import", "all")
        for key in (("images", "cirros"), ("ports", "vip"), ("trunks", "t1")):
            self.reason("is of a kind that is not deleted by osm", *key, words=(key[0], "--accept-differences"))
        self.reason("is used by the port vip", "on")

    def test_a_server_group_with_members(self):
        group = self.source.add("compute/os-server-groups", name="g1", policy="anti-affinity", rules={}, members=[])
        self.export("server_groups")
        self.run_osm(0, "import", "server_groups")
        group["members"] = [self.server()[0]]
        self.reason("is used by the server web1", "server_groups", "g1")
        group["members"] = []
        self.now("server_groups")
        self.assertEqual(self.source.all("compute/os-server-groups"), [])

    def test_what_the_cloud_refuses_is_left_and_so_is_what_stands_below_it(self):
        self.source.answers["DELETE", "network/subnets"] = [conflict("SubnetInUse", "somebody has it")] * 3
        found = self.now()
        self.assertEqual((found["subnets", "s1"]["result"], found["networks", "n1"]["result"]), ("left", "left"))
        self.assertIn("somebody has it", found["subnets", "s1"]["reason"])
        self.assertEqual(found["networks", "on"]["result"], "deleted")

    def test_a_failure_is_one(self):
        self.source.answers["DELETE", "network/networks"] = [(403, {"message": "not you"})]
        found = self.now("networks", "--filter", "on", status=1)
        self.assertEqual(found["networks", "on"]["result"], "failed")
        self.assertIn("not you", found["networks", "on"]["reason"])
        self.source.answers["DELETE", "network/networks"] = [(403, {"message": "not you"})]
        self.assertEqual(self.now(status=5)["networks", "n1"]["result"], "deleted")

    def test_nothing_is_deleted_where_not_everything_is_seen(self):
        for kind in ("network/ports", "compute/servers", "network/floatingips"):
            self.source.refused.add(kind)
            self.run_osm(1, "cleanup-source", "networks", "--older-than", "0", "--yes")
            self.source.refused.remove(kind)
        self.assertEqual(self.source.calls("DELETE"), [])

    def test_without_extensions(self):
        self.source.unknown |= {"network/trunks", "network/floatingips", "network/rbac-policies"}
        self.destination.unknown |= {"network/trunks", "network/rbac-policies"}
        self.assertEqual(self.now()["networks", "n1"]["result"], "deleted")

    def test_unfinished_migrations(self):
        self.migration("src", "dst")
        self.run_osm(4, "cleanup-source", "all", "--older-than", "0", "--yes")
        self.assertIn("0123abcd (web1, held)", self.err)
        self.assertEqual(self.source.calls("DELETE"), [])
        self.plan()
        self.assertIn("--yes is refused", self.err)
        self.migration("other", "src", "planned", "0123abce")
        with contextlib.closing(sqlite3.connect(self.folder + "/state/osm.db")) as db, db:
            db.execute("UPDATE migration SET state = 'rolled-back' WHERE state = 'held'")
        self.run_osm(4, "cleanup-source", "all", "--older-than", "0", "--yes")
        self.assertIn("0123abce (web1, planned)", self.err)
        self.assertEqual(self.source.calls("DELETE"), [])
        with contextlib.closing(sqlite3.connect(self.folder + "/state/osm.db")) as db, db:
            db.execute("UPDATE migration SET state = 'rolled-back'")
        self.assertEqual(self.now()["networks", "n1"]["result"], "deleted")

    def test_without_files_source_and_destination_are_compared(self):
        os.rename(self.data, self.data + ".away")
        self.of(self.destination, "on")["mtu"] = 1300
        self.reason("mtu: 1500, there 1300", "on")
        self.assertNotIn("n1", [n["name"] for n in self.source.all("network/networks")])


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
