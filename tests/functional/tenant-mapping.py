#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What import remembers: which object of the destination is which of the source, and who made it."""

import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import new_id  # noqa: E402
from tenantcase import Files  # noqa: E402


class Mapping(Files):
    def setUp(self):
        super().setUp()
        d = self.destination
        self.public = d.add("network/networks", name="public", project_id="f" * 32, **{"router:external": True})
        d.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])
        self.export("all")

    def results(self, status, *words):
        return {(o["type"], o.get("name", "(all)")): o for o in self.run_osm(status, *words)["objects"]}

    def objects(self):
        report = self.run_osm(0, "list", "--objects")
        return {(o["type"], o.get("name")): o for o in report}

    def of(self, cloud, name, kind="networks"):
        return next(o for o in cloud.all("network/" + kind) if o["name"] == name)

    def test_what_was_made_and_what_was_found_is_listed(self):
        self.results(0, "import", "networks", "security_groups", "--dry-run")
        self.assertEqual(self.objects(), {})
        self.results(0, "import", "all")
        known = self.objects()
        n1 = known["networks", "n1"]
        self.assertEqual((n1["source_id"], n1["destination_id"], n1["origin"], n1["source_cloud"], n1["destination_cloud"]),
                         (self.of(self.source, "n1")["id"], self.of(self.destination, "n1")["id"], "created", "src", "dst"))
        self.assertEqual(known["security_groups", "default"]["origin"], "adopted")
        self.assertEqual(known["images", "cirros"]["origin"], "created")
        self.results(0, "import", "all")
        self.assertEqual(self.objects(), known)

    def test_what_was_renamed_is_found_and_so_is_what_refers_to_it(self):
        self.results(0, "import", "all")
        self.of(self.destination, "n1")["name"] = "renamed"
        before = json.dumps(self.destination.objects, sort_keys=True)
        found = self.results(5, "diff", "all")
        self.assertEqual(found["networks", "n1"]["differences"],
                         [{"field": "name", "wanted": "n1", "is": "renamed", "fixed": False}])
        self.assertEqual({o["result"] for k, o in found.items() if k != ("networks", "n1")}, {"equal"})
        found = self.results(5, "import", "all")
        self.assertEqual(found["networks", "n1"]["result"], "skipped")
        self.assertEqual(json.dumps(self.destination.objects, sort_keys=True), before)
        # Also when the networks are not imported, too.
        self.destination.objects["network/subnets"].clear()
        self.results(0, "import", "subnets")
        self.assertEqual(self.destination.all("network/subnets")[0]["network_id"],
                         self.of(self.destination, "renamed")["id"])

    def test_a_name_that_went_to_another_one_means_that(self):
        self.results(0, "import", "networks", "subnets")
        old = self.of(self.destination, "n1")["id"]
        self.of(self.source, "n1")["name"] = "n1-old"
        new = self.source.add("network/networks", name="n1", admin_state_up=True, shared=False, mtu=1500)["id"]
        self.source.add("network/subnets", name="s2", network_id=new, cidr="10.2.0.0/24", ip_version=4)
        self.export("networks", "subnets")
        found = self.results(5, "import", "networks", "subnets", "--dry-run")
        self.assertEqual([found[k]["result"] for k in (("networks", "n1-old"), ("networks", "n1"), ("subnets", "s2"))],
                         ["skipped", "created", "created"])
        found = self.results(5, "import", "networks", "subnets")
        self.assertEqual((found["subnets", "s1"]["result"], found["subnets", "s2"]["result"]), ("equal", "created"))
        nets = {s["name"]: s["network_id"] for s in self.destination.all("network/subnets")}
        self.assertEqual((nets["s1"], nets["s2"]), (old, self.results(5, "import", "networks")["networks", "n1"]["id"]))
        self.assertNotEqual(nets["s2"], old)
        self.results(0, "import", "networks", "subnets", "--update")
        self.assertEqual({o["result"] for o in self.results(0, "import", "subnets").values()}, {"equal"})

    def test_what_was_deleted_there_is_made_again(self):
        self.results(0, "import", "networks")
        old = self.of(self.destination, "n1")["id"]
        del self.destination.objects["network/networks"][old]
        self.assertEqual(self.results(0, "import", "networks")["networks", "n1"]["result"], "created")
        new = self.of(self.destination, "n1")["id"]
        self.assertEqual(self.objects()["networks", "n1"]["destination_id"], new)

    def test_several_of_a_name_and_which_is_meant(self):
        one = self.destination.add("network/networks", name="n1", admin_state_up=True, shared=False, mtu=1450)
        self.destination.add("network/networks", name="n1")
        row = self.results(5, "import", "networks")["networks", "n1"]
        self.assertIn(one["id"], row["reason"])
        self.assertIn("register-external", row["reason"])
        self.run_osm(1, "register-external", "networks", "n1", "n1")
        self.assertIn(one["id"], self.err)
        self.run_osm(0, "register-external", "networks", "n1", one["id"])
        row = self.results(0, "import", "networks")["networks", "n1"]
        self.assertEqual((row["result"], row["id"]), ("equal", one["id"]))
        self.assertIn("registered", row["reason"])
        self.results(0, "import", "subnets")
        self.assertEqual(self.destination.all("network/subnets")[0]["network_id"], one["id"])

    def test_what_cannot_be_read_is_not_made_a_second_time(self):
        hidden = {"id": new_id(), "name": "gold"}
        self.destination.add("network/networks", name="n1", qos_policy_id=hidden["id"])
        row = self.results(5, "import", "networks")["networks", "n1"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("the network 'n1', which cannot be read: qos_policy_ref", row["reason"])
        self.assertEqual(len([n for n in self.destination.all("network/networks") if n["name"] == "n1"]), 1)
        # Likewise when it is known by its id.
        of_n1 = self.of(self.destination, "n1")
        of_n1["qos_policy_id"] = None
        self.results(5, "import", "networks")
        of_n1.update(qos_policy_id=hidden["id"], name="renamed")
        before = json.dumps(of_n1)
        row = self.results(5, "import", "networks", "--update")["networks", "n1"]
        self.assertIn("the network 'renamed', which cannot be read", row["reason"])
        self.assertEqual(json.dumps(of_n1), before)

    def test_what_is_registered_may_be_anybodys_and_is_left_alone(self):
        self.run_osm(0, "register-external", "networks", "n1", "public")
        self.assertEqual(self.objects()["networks", "n1"]["origin"], "registered")
        before = json.dumps(self.public, sort_keys=True)
        found = self.results(0, "import", "networks", "subnets", "--update")
        self.assertEqual(found["networks", "n1"]["result"], "equal")
        self.assertEqual(json.dumps(self.public, sort_keys=True), before)
        self.assertEqual(self.destination.all("network/subnets")[0]["network_id"], self.public["id"])
        self.assertEqual(self.results(0, "import", "subnets")["subnets", "s1"]["result"], "equal")

    def test_what_is_forgotten_goes_by_its_name_again(self):
        self.results(0, "import", "networks")
        self.run_osm(0, "forget", "networks", "n1")
        self.assertNotIn(("networks", "n1"), self.objects())
        self.run_osm(1, "forget", "networks", "n1")
        self.assertIn("nothing is known of 'n1'", self.err)
        self.assertEqual(self.results(0, "import", "networks")["networks", "n1"]["result"], "equal")
        self.assertEqual(self.objects()["networks", "n1"]["origin"], "adopted")

    def test_words_that_are_none(self):
        self.run_osm(2, "register-external", "network", "a", "b")
        self.assertIn("did you mean 'networks'?", self.err)
        self.run_osm(1, "register-external", "networks", "nowhere", "public")
        self.assertIn("no network 'nowhere'", self.err)
        self.run_osm(2, "forget", "all", "b")


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
