#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""plan and migrate-server --plan against two made-up clouds: what is written, what is taken over from the file, and where it is
said not to fit."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
SOURCE = os.environ.get("top_srcdir", os.getcwd())
sys.path.insert(0, os.path.join(SOURCE, "tests", "faults", "hostile"))
sys.dont_write_bytecode = True
import fakecloud  # noqa: E402

OTHER = {"network": "7a000000-0000-4000-8000-000000000001", "subnet": "7a000000-0000-4000-8000-000000000002",
         "group": "7a000000-0000-4000-8000-000000000003", "flavor": "7a000000-0000-4000-8000-000000000004",
         "type": "7a000000-0000-4000-8000-000000000005", "volume": "7a000000-0000-4000-8000-000000000006"}


def more_of_the_destination(clouds):
    """Beside what is called as at the source: something else to choose."""
    docs = {path: document for pattern, document in clouds.routes for path in [pattern.pattern] if path.startswith("^/dst/")}

    def copy_of(path, key, **changes):
        items = next(d for p, d in docs.items() if p.endswith(path))[key]
        items.append(dict(items[0], **changes))

    copy_of("/networks", "networks", id=OTHER["network"], name="tenant-net")
    copy_of("/subnets", "subnets", id=OTHER["subnet"], name="tenant-subnet", network_id=OTHER["network"])
    copy_of("/security-groups", "security_groups", id=OTHER["group"], name="web")
    copy_of("/flavors/detail", "flavors", id=OTHER["flavor"], name="c2.small", vcpus=2)
    copy_of("/types", "volume_types", id=OTHER["type"], name="standard")
    there = fakecloud.volume("dst", OTHER["volume"], "copied-before", False, None)
    docs[r"^/dst/volume/v3/volumes/detail"]["volumes"].append(there)
    clouds.routes.append((re.compile("^/dst/volume/v3/volumes/%s$" % OTHER["volume"]), {"volume": there}))
    clouds.routes.append((re.compile("^/dst/compute/v2.1/flavors/%s$" % OTHER["flavor"]),
                          {"flavor": next(d for p, d in docs.items() if p.endswith("/flavors/detail"))["flavors"][1]}))


class Clouds(fakecloud.FakeClouds):
    """Neutron answers only for the network that was asked for."""

    def answer_to(self, path):
        i, document = super().answer_to(path)
        wanted = re.search(r"/dst/network/v2\.0/subnets\?.*network_id=([\w-]+)", path)
        if wanted:
            document = {"subnets": [s for s in document["subnets"] if s["network_id"] == wanted[1]]}
        return i, document


class PlanFiles(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.clouds = Clouds()
        more_of_the_destination(cls.clouds)

    @classmethod
    def tearDownClass(cls):
        cls.clouds.shutdown()
        cls.clouds.server_close()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="osm-plan-file.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.clouds.mutation = None
        self.path = os.path.join(self.folder, "plan.yaml")
        with open(os.path.join(self.folder, "clouds.yaml"), "w", encoding="utf-8") as f:
            json.dump(self.clouds.clouds_yaml(), f)

    def osm(self, *words, status=0, output="text", **config):
        """No floating IPs: these clouds have no routers."""
        path = os.path.join(self.folder, "osm.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(dict({"source": {"cloud": "src"}, "destination": {"cloud": "dst"}, "floating_ip": "skip",
                            "state_dir": self.folder + "/state"}, **config), f)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        r = subprocess.run([os.path.join(BUILD, "osm-controller"), "--config", path, "--output", output, *words],
                           env=dict(env, OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml"), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual(r.returncode, status, r.stdout + r.stderr)
        return r

    def write_plan(self, *edits, **config):
        """A plan, edited: (from, to) of each, that must be there."""
        text = self.osm("plan", "web", **config).stdout
        for old, new in edits:
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text)
        return text

    def dry_run(self, status=0):
        return self.osm("migrate-server", "--plan", self.path, "--dry-run", status=status)

    def planned(self):
        r = self.osm("migrate-server", "--plan", self.path, "--dry-run", output="json")
        return json.loads(r.stdout)

    def refused(self, *places):
        """It says all of these, and nothing was asked of a cloud but to read."""
        self.clouds.seen.clear()
        r = self.osm("migrate-server", "--plan", self.path, status=4)
        for place in places:
            self.assertIn(place, r.stdout)
        self.assertIn("%s does not fit server 'web'" % self.path, r.stderr)
        self.assertEqual([s for s in self.clouds.seen if s[0] != "GET" and not s[1].endswith("/auth/tokens")], [])
        return r

    def line(self, words):
        with open(self.path, encoding="utf-8") as f:
            return next(i for i, line in enumerate(f, 1) if words in line)

    def test_written_plan_is_done_unchanged(self):
        self.osm("plan", "web", "--output-file", self.path)
        with open(self.path, encoding="utf-8") as f:
            text = f.read()
        for words in ("source_cloud: src\n", 'id: "%s"' % fakecloud.SERVER, "flavor: small  # " + fakecloud.FLAVOR,
                      "network: net  # " + fakecloud.NETWORK["dst"], "subnet: subnet", "- ssh  # " + fakecloud.GROUP["dst"],
                      "qos_policy: slow", "type: fast", "mode: skip", "server_group: apart", "key_pair: mine"):
            self.assertIn(words, text)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        plain = json.loads(self.osm("migrate-server", "--dry-run", "web", output="json").stdout)
        self.assertEqual(self.planned(), plain)

    def test_json_is_a_plan_file_too(self):
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(self.osm("plan", "web", output="json").stdout)
        self.dry_run()

    def test_file_that_is_there_is_left_alone(self):
        self.write_plan()
        r = self.osm("plan", "web", "--output-file", self.path, status=1)
        self.assertIn("is there already", r.stderr)

    def test_file_that_is_not_there(self):
        r = self.osm("migrate-server", "--plan", self.path, status=1)
        self.assertIn("No such file", r.stderr)
        self.assertIn("hint: write one with 'osm-controller plan SERVER --output-file %s'" % self.path, r.stderr)

    def test_edits_are_taken_over(self):
        self.write_plan(("flavor: small", "flavor: c2.small"), ("    name: web", "    name: web2"),
                        ("network: net", "network: tenant-net"), ("address: \"10.0.0.5\"", "address: \"10.0.0.77\""),
                        ("subnet: subnet", "subnet: " + OTHER["subnet"]), ("- ssh", "- web\n          - ssh"),
                        ("qos_policy: slow", "qos_policy: null"), ("fa:16:3e:00:00:01", "fa:16:3e:00:00:99"),
                        ("type: fast", "type: standard"), ("access: detach", "access: snapshot"),
                        ("key_pair: mine", "key_pair: null"), ("server_group: apart", "server_group: null"),
                        ("power: keep", "power: \"off\""), ("availability_zone: null", "availability_zone: nova"),
                        ("user_data: source", "user_data: none"), ("name: data", "name: data2"))
        plan = self.planned()
        server, port = plan["server"], plan["ports"][0]
        self.assertEqual((server["name"], server["flavor_id"], server["power"], server["availability_zone"]),
                         ("web2", OTHER["flavor"], "off", "nova"))
        for key in ("key_name", "key_pair", "server_group", "user_data_of_source"):
            self.assertNotIn(key, server)
        self.assertEqual(port["create"]["network_id"], OTHER["network"])
        self.assertEqual(port["create"]["fixed_ips"], [{"subnet_id": OTHER["subnet"], "ip_address": "10.0.0.77"}])
        self.assertEqual(port["create"]["security_groups"], [OTHER["group"], fakecloud.GROUP["dst"]])
        self.assertEqual(port["create"]["mac_address"], "fa:16:3e:00:00:99")
        self.assertNotIn("qos_policy_id", port["create"])
        # What the source server is compared with before the end.
        self.assertEqual((port["addresses"], port["source_mac"]), ("10.0.0.5", "fa:16:3e:00:00:01"))
        self.assertEqual([(v["name"], v.get("type"), v["access"]) for v in plan["volumes"]],
                         [("boot", "standard", "snapshot"), ("data2", "fast", "snapshot")])

    def test_address_that_the_subnet_gives(self):
        self.write_plan(("address: \"10.0.0.5\"", "address: null"))
        self.assertEqual(self.planned()["ports"][0]["create"]["fixed_ips"], [{"subnet_id": fakecloud.SUBNET["dst"]}])

    def test_floating_ips(self):
        mapping = {"networks": {"net": "tenant-net"}}
        text = self.osm("plan", "web", "--floating-ip", "new", map=mapping).stdout
        self.assertIn("mode: new  #", text)

        def planned(*edit):
            with open(self.path, "w", encoding="utf-8") as f:
                f.write(text.replace(*edit))
            return self.planned()["floating_ips"]

        at_end = "network: tenant-net  # %s; the external" % OTHER["network"]
        self.assertIn(at_end, text)
        self.assertEqual(planned("", "")[0]["create"]["floating_network_id"], OTHER["network"])
        self.assertEqual(planned(at_end, "network: net  #")[0]["create"]["floating_network_id"], fakecloud.NETWORK["dst"])
        self.assertEqual(planned("mode: new", "mode: skip"), [])
        # It leads to the address that the new port will have.
        self.assertEqual(planned("", "")[0]["fixed_ip_address"], "10.0.0.5")
        self.assertEqual(planned('address: "10.0.0.5"', 'address: "10.0.0.77"')[0]["fixed_ip_address"], "10.0.0.77")
        self.assertIsNone(planned('address: "10.0.0.5"', "address: null")[0]["fixed_ip_address"])
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(text.replace(at_end, "network: nowhere  #"))
        self.refused("floating_ips[0].network: cloud 'dst' has no network 'nowhere'")

    def use(self, name):
        """For the second volume."""
        text = self.write_plan()
        first, last = text.rsplit("use: null", 1)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("%suse: %s%s" % (first, name, last))

    def test_volume_of_the_destination_is_used(self):
        self.use("copied-before")
        plan = self.planned()
        self.assertEqual([v["id"] for v in plan["volumes"]], [fakecloud.BOOT])
        self.assertEqual([(v["id"], v["use"], v["delete_on_termination"]) for v in plan["existing_volumes"]],
                         [(fakecloud.DATA, OTHER["volume"], False)])
        self.assertEqual(plan["needs"]["destination"]["volumes"], 1)
        self.assertIn("volume-not-copied", [f["id"] for f in plan["findings"]])

    def test_volume_to_use_that_is_not_there(self):
        self.use("nothing")
        self.refused("volumes[1].use: cloud 'dst' has no volume 'nothing'")

    def test_keys_that_are_taken_out_are_decided_again(self):
        text = self.write_plan()
        with open(self.path, "w", encoding="utf-8") as f:
            f.write("".join(line for line in text.splitlines(True)
                            if not re.match(r" *(flavor|power|network|type|subnet|mode):", line)))
        self.dry_run()

    def test_places_that_the_destination_has_not(self):
        self.write_plan(("flavor: small", "flavor: huge"), ("network: net", "network: elsewhere"), ("- ssh", "- nobody"),
                        ("type: fast", "type: gold"))
        self.refused("%s:%d:" % (self.path, self.line("flavor: huge")), "flavor: cloud 'dst' has no flavor 'huge'",
                         "ports[0].network: cloud 'dst' has no network 'elsewhere'",
                         "ports[0].security_groups[0]: cloud 'dst' has no security group 'nobody'",
                         "volumes[0].type: cloud 'dst' has no volume type 'gold'")
        self.assertIn("in 4 places", self.refused().stderr)

    def test_subnet_of_another_network(self):
        self.write_plan(("subnet: subnet", "subnet: tenant-subnet"))
        self.refused("ports[0].fixed_ips[0].subnet: cloud 'dst' has no subnet 'tenant-subnet'", "destination-subnet-missing")

    def test_source_that_went_on(self):
        """A volume grew, another one came, a port is gone."""
        self.write_plan(("size_gb: 1", "size_gb: 9"), ("id: \"%s\"" % fakecloud.DATA, "id: \"%s\"" % fakecloud.LOOSE),
                        ("id: \"%s\"" % fakecloud.PORT, "id: \"%s\"" % OTHER["network"]))
        self.refused("volumes[0].size_gb: it is 1 now, the plan was made with 9",
                     "volumes[1]: the server has no volume " + fakecloud.LOOSE,
                     "volumes: the server also has volume %s ('data')" % fakecloud.DATA,
                     "ports[0]: the server has no port " + OTHER["network"],
                     "ports: the server also has port " + fakecloud.PORT)

    def test_mistakes_are_found_before_a_cloud_is_asked(self):
        self.write_plan(("flavor:", "flavour:"))
        self.clouds.seen.clear()
        r = self.osm("migrate-server", "--plan", self.path, status=1)
        self.assertIn("%s:%d:5: servers[0].flavour: unknown key" % (self.path, self.line("flavour:")), r.stderr)
        self.assertIn("did you mean 'flavor'?", r.stderr)
        self.assertEqual(self.clouds.seen, [])

    def test_plan_for_other_clouds(self):
        self.write_plan(("destination_cloud: dst", "destination_cloud: dst2"))
        r = self.osm("migrate-server", "--plan", self.path, status=1)
        self.assertIn("destination_cloud: the plan is for 'dst2', not for 'dst'", r.stderr)

    def test_server_that_the_file_has_not(self):
        self.write_plan()
        r = self.osm("migrate-server", "--plan", self.path, "mail", status=1)
        self.assertIn("has no server 'mail'", r.stderr)

    def test_options_that_the_file_decides(self):
        self.write_plan()
        r = self.osm("migrate-server", "--plan", self.path, "--power", "on", status=2)
        self.assertIn("--power does not go with --plan", r.stderr)

    def test_what_is_mapped_is_in_the_plan(self):
        """By pattern, by id, by name."""
        text = self.write_plan(map={"networks": {"n*t": "tenant-n*t"}, "subnets": {fakecloud.SUBNET["src"]: "tenant-subnet"},
                                    "flavors": {"small": OTHER["flavor"]}})
        self.assertIn("network: tenant-net  # " + OTHER["network"], text)
        self.assertIn("subnet: tenant-subnet  # " + OTHER["subnet"], text)
        self.assertIn('flavor: "%s"' % OTHER["flavor"], text)
        # The file says it all: the mapping is not needed any more.
        self.assertEqual(self.planned()["ports"][0]["create"]["network_id"], OTHER["network"])

    def test_blockers_are_in_the_file_and_can_be_edited_away(self):
        r = self.osm("plan", "web", status=4, map={"networks": {"net": "missing"}})
        self.assertIn("# blocker [destination-network-missing]", r.stdout)
        self.assertIn("network: missing  # not found at the destination", r.stdout)
        with open(self.path, "w", encoding="utf-8") as f:
            f.write(r.stdout.replace("network: missing", "network: net"))
        self.assertEqual(self.planned()["ports"][0]["create"]["fixed_ips"],
                         [{"subnet_id": fakecloud.SUBNET["dst"], "ip_address": "10.0.0.5"}])

    def test_one_server_without_a_plan(self):
        self.assertIn("no server is named", self.osm("migrate-server", status=2).stderr)
        self.assertIn("only one server", self.osm("migrate-server", "web", "mail", status=2).stderr)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
