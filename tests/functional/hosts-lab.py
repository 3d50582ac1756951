#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Conversion hosts in the lab: deployed, damaged, repaired, deleted; checked with openstacksdk.

tests/lab/lab exec tests/functional/hosts-lab.py --image FILE [--bare-image FILE --agent-root DIR]

FILE: images that images/build-image has made for conversion hosts, with the agent and without; DIR: where the
agent was installed with DESTDIR. What it makes is named hosts-test, and deleted at the end."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/e2e"))
from cloudlib import Cloud, side_by_side, wait_for  # noqa: E402

CONTROLLER = os.path.join(os.environ.get("top_builddir", TOP), "osm-controller")
PAIR = "hosts-test"
MARK = "osm.role=conversion-host osm.pair=" + PAIR
ARGS = None


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return "exit status %d\n%s\n%s" % (self.status, self.out[-3000:], self.err[-3000:])

    def json(self):
        return json.loads(self.out)

    def events(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def changed(self):
        return next(e["changed"] for e in self.events() if e["event"] == "result")


class Osm:
    def __init__(self, folder):
        self.folder = folder
        self.state_dir = folder + "/state"
        self.agent_root = None

    def argv(self, words, hosts):
        config = {"source": {"cloud": "src"}, "destination": {"cloud": "dst"}, "state_dir": self.state_dir,
                  "conversion_hosts": dict({"name": PAIR, "image": "osm-conversion-host", "flavor": "osm.conversion"},
                                           **hosts)}
        with open(self.folder + "/osm.yaml", "w", encoding="utf-8") as f:
            json.dump(config, f)
        return [CONTROLLER, "--config", self.folder + "/osm.yaml", "--output", "json", *words]

    def env(self):
        env = dict(os.environ, OSM_DATADIR=TOP)
        if self.agent_root:
            env["OSM_AGENT_ROOT"] = self.agent_root
        return env

    def run(self, *words, **hosts):
        r = subprocess.run(self.argv(words, hosts), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=self.env(), text=True, timeout=900, check=False)
        return Result(r.returncode, r.stdout, r.stderr)

    def killed_after(self, word, *words):
        """SIGKILL as soon as it says a line with that word; False if it ended before."""
        p = subprocess.Popen(self.argv(words, {}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, env=self.env(), text=True)
        with p:
            for line in p.stdout:
                if word in json.loads(line).get("text", ""):
                    p.send_signal(signal.SIGKILL)
                    p.communicate()
                    return True
        return False


def ours(cloud):
    """What deploy has made, {kind: [id]}."""
    network = cloud.api.network
    networks = [n for n in network.networks() if n.description == MARK]
    kinds = {
        "server": [s for s in cloud.api.compute.servers() if s.metadata.get("osm.pair") == PAIR],
        "network": networks,
        "subnet": [s for n in networks for s in network.subnets(network_id=n.id)],
        "router": [r for r in network.routers() if r.description == MARK],
        "port": [p for p in network.ports() if p.description == MARK],
        "group": [g for g in network.security_groups() if g.description == MARK],
        "floating": [f for f in network.ips() if f.description == MARK],
        "key pair": [k for k in cloud.api.compute.keypairs() if k.name.startswith(PAIR)],
    }
    return {kind: sorted(x.id or x.name for x in objects) for kind, objects in kinds.items() if objects}


def all_names(cloud):
    """Everything of the tenant that has our name, whoever made it."""
    api = cloud.api
    lists = (api.compute.servers(), api.compute.keypairs(), api.block_storage.volumes(), api.network.networks(),
             api.network.routers(), api.network.ports(), api.network.security_groups())
    return sorted(x.name for objects in lists for x in objects if (x.name or "").startswith(PAIR))


class Hosts(unittest.TestCase):
    """In the order of their names; each leaves the hosts as they should be."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="osm-hosts-")
        cls.osm = Osm(cls.folder)
        cls.clouds = cls.src, cls.dst = side_by_side(lambda: Cloud("src"), lambda: Cloud("dst"))
        if ARGS.image:
            side_by_side(*[lambda c=c: c.image("osm-conversion-host", ARGS.image) for c in cls.clouds])
        for cloud in cls.clouds:
            assert not ours(cloud) and not all_names(cloud), "left of an earlier run: delete it"

    @classmethod
    def tearDownClass(cls):
        cls.osm.run("delete-conversion-hosts", "--force")
        shutil.rmtree(cls.folder)

    def ok(self, *words, status=0, **hosts):
        r = self.osm.run(*words, **hosts)
        self.assertEqual(r.status, status, r)
        return r

    def says(self, result, *words):
        for word in words:
            self.assertIn(word, result.err, result)
        return result

    def server(self, cloud):
        return cloud.api.compute.get_server(ours(cloud)["server"][0])

    def prefixes(self, cloud):
        rules = cloud.api.network.security_group_rules(security_group_id=ours(cloud)["group"][0], direction="ingress")
        return sorted((r.protocol, r.port_range_min, r.port_range_max, r.remote_ip_prefix) for r in rules)

    # ---- one pair, from its first object to its last

    def test_10_a_deployment_killed_at_any_time_is_carried_on(self):
        killed = [self.osm.killed_after(word, "deploy-conversion-hosts")
                  for word in ("created", "port", "server", "associated")]
        self.assertTrue(all(killed), killed)
        self.ok("deploy-conversion-hosts")
        for cloud in self.clouds:
            self.assertEqual({kind: len(ids) for kind, ids in ours(cloud).items()},
                             {"server": 1, "network": 1, "subnet": 1, "router": 1, "port": 1, "group": 1,
                              "floating": 1})

    def test_11_a_second_run_changes_nothing_and_says_so(self):
        before = [ours(c) for c in self.clouds]
        self.assertFalse(self.ok("deploy-conversion-hosts").changed())
        self.assertEqual([ours(c) for c in self.clouds], before)

    def test_11a_one_at_a_time(self):
        process = subprocess.Popen(self.osm.argv(["deploy-conversion-hosts"], {}), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.osm.env(), text=True)
        with process:
            self.assertIn("answers", process.stdout.readline())
            self.says(self.ok("delete-conversion-hosts", status=1), "process %d" % process.pid)
            process.communicate()
        self.assertEqual(process.returncode, 0)

    def test_12_check_shows_both_sides_and_the_link(self):
        result = self.ok("check-conversion-hosts").json()
        for side in ("source", "destination"):
            self.assertEqual(result[side]["status"], "ACTIVE")
            self.assertEqual(result[side]["free_slots"], 25)
            self.assertTrue(result[side]["agent"]["version"])
        self.assertGreater(result["link"]["bytes_per_second"], 1 << 20)

    def test_13_without_the_journal_keys_are_read_from_the_console_again(self):
        for name in os.listdir(self.osm.state_dir):
            if name.startswith("osm.db"):
                os.unlink(os.path.join(self.osm.state_dir, name))
        self.ok("check-conversion-hosts")
        self.assertFalse(self.ok("deploy-conversion-hosts").changed())

    def test_14_accepting_a_host_key_is_said(self):
        for name in os.listdir(self.osm.state_dir):
            if name.startswith("osm.db"):
                os.unlink(os.path.join(self.osm.state_dir, name))
        r = self.ok("deploy-conversion-hosts", "--host-key-policy", "accept-new")
        self.assertEqual(r.out.count("accepted without proof"), 2)
        # Pinned now: nothing is accepted a second time.
        r = self.ok("deploy-conversion-hosts", "--host-key-policy", "accept-new")
        self.assertNotIn("accepted", r.out)

    def test_15_another_controllers_hosts_are_left_alone(self):
        stranger = Osm(self.folder)
        stranger.state_dir = self.folder + "/stranger"
        before = [ours(c) for c in self.clouds]
        r = stranger.run("deploy-conversion-hosts")
        self.assertEqual(r.status, 1)
        self.says(r, "lets in the key SHA256:", "keys/controller")
        self.assertEqual([ours(c) for c in self.clouds], before)
        r = stranger.run("check-conversion-hosts")
        self.assertEqual(r.status, 1)
        self.assertIn("SHA256:", r.json()["source"]["error"]["message"])

    def test_16_rules_that_were_changed_are_put_right(self):
        network = self.src.api.network
        group = ours(self.src)["group"][0]
        before = self.prefixes(self.src)
        self.assertEqual(len(before), 2)
        for rule in network.security_group_rules(security_group_id=group, direction="ingress"):
            network.delete_security_group_rule(rule)
        network.create_security_group_rule(security_group_id=group, direction="ingress", protocol="tcp",
                                           port_range_min=22, port_range_max=22)
        network.create_security_group_rule(security_group_id=group, direction="ingress", protocol="icmp")
        self.assertTrue(self.ok("deploy-conversion-hosts").changed())
        self.assertEqual(self.prefixes(self.src), before)

    def test_17_what_is_wrong_with_a_host_is_told_and_the_other_shown(self):
        server = self.server(self.dst)
        self.dst.api.compute.stop_server(server)
        wait_for("SHUTOFF", lambda: self.server(self.dst).status == "SHUTOFF")
        result = self.ok("check-conversion-hosts", status=1).json()
        self.assertEqual(result["destination"]["status"], "SHUTOFF")
        self.assertIn("deploy-conversion-hosts", result["destination"]["error"]["hint"])
        self.assertEqual(result["source"]["status"], "ACTIVE")
        self.assertNotIn("error", result["source"])
        self.assertTrue(self.ok("deploy-conversion-hosts").changed())
        self.assertEqual(self.server(self.dst).id, server.id)

    def test_18_a_server_in_error_is_made_anew(self):
        old = self.server(self.dst).id
        self.dst.admin.compute.reset_server_state(old, "error")
        self.assertTrue(self.ok("deploy-conversion-hosts").changed())
        self.assertNotEqual(self.server(self.dst).id, old)
        # The source lets the new one in.
        self.assertGreater(self.ok("check-conversion-hosts").json()["link"]["bytes_per_second"], 0)

    def test_20_attached_volumes_forbid_deletion_unless_forced(self):
        volume = self.src.volume(PAIR + "-volume", 1)
        self.addCleanup(self.src.api.block_storage.delete_volume, volume)
        before = ours(self.src)
        self.src.api.compute.create_volume_attachment(self.server(self.src), volume_id=volume.id)
        wait_for("in-use", lambda: self.src.api.block_storage.get_volume(volume.id).status == "in-use")
        self.says(self.ok("delete-conversion-hosts", status=1), volume.id, "--force")
        self.assertEqual(ours(self.src), before)
        self.assertEqual(self.ok("check-conversion-hosts").json()["source"]["attached_volumes"], 1)
        self.ok("delete-conversion-hosts", "--force")
        self.assertEqual(self.src.api.block_storage.get_volume(volume.id).status, "available")

    def test_21_nothing_is_left_and_that_is_said(self):
        for cloud in self.clouds:
            self.assertEqual(ours(cloud), {})
            self.assertEqual([n for n in all_names(cloud) if not n.endswith("-volume")], [])
        self.assertFalse(self.ok("delete-conversion-hosts", status=3).changed())

    # ---- what was there before

    def theirs(self, cloud):
        """A network with its router, a group, a key pair and a floating IP of the operator's own."""
        net = cloud.network(PAIR + "-theirs", "192.168.77.0/24")
        group = cloud.security_group(PAIR + "-their-group")
        key = cloud.api.compute.create_keypair(name=PAIR + "-their-key")
        public = cloud.api.network.find_network("public")
        ip = cloud.api.network.create_ip(floating_network_id=public.id)
        return net, group, key, ip

    def remove_theirs(self, cloud, net, group, key, ip):
        network = cloud.api.network
        network.delete_ip(ip)
        router = network.find_router(PAIR + "-theirs-router")
        for subnet in network.subnets(network_id=net.id):
            network.remove_interface_from_router(router, subnet_id=subnet.id)
        network.delete_router(router)
        network.delete_network(net)
        network.delete_security_group(group)
        cloud.api.compute.delete_keypair(key)

    def test_30_what_the_operator_named_is_used_and_stays(self):
        parts = side_by_side(*[lambda c=c: self.theirs(c) for c in self.clouds])
        named = {side: {"network": p[0].name, "security_group": p[1].name, "key_pair": p[2].name,
                        "floating_ip": p[3].floating_ip_address}
                 for side, p in zip(("source", "destination"), parts)}
        named["source"].update(boot_from_volume=True, boot_volume_gb=3)
        names = [all_names(c) for c in self.clouds]
        self.ok("deploy-conversion-hosts", **named)
        for cloud in self.clouds:
            self.assertEqual({kind: len(ids) for kind, ids in ours(cloud).items() if kind != "key pair"},
                             {"server": 1, "port": 1})
        result = self.ok("check-conversion-hosts", **named).json()
        self.assertEqual(result["source"]["address"], parts[0][3].floating_ip_address)
        self.assertEqual(result["source"]["attached_volumes"], 0)
        boot = self.src.attachments(self.server(self.src).id)
        self.assertEqual(len(boot), 1)
        # A second one with our marks, as a deployment gone wrong would leave it: nothing is guessed, both are deleted.
        compute = self.src.api.compute
        compute.create_server(name=PAIR, flavor_id=compute.find_flavor("m1.nano").id, networks="none",
                              image_id=self.src.api.image.find_image("osm-conversion-host").id,
                              metadata={"osm.role": "conversion-host", "osm.pair": PAIR})
        self.says(self.ok("deploy-conversion-hosts", status=1, **named), "two conversion hosts", "delete")
        self.ok("delete-conversion-hosts", **named)
        for cloud in self.clouds:
            self.assertEqual([k for k in ours(cloud) if k != "key pair"], [])
        self.assertEqual([all_names(c) for c in self.clouds], names)
        self.assertIsNone(self.src.api.block_storage.find_volume(boot[0][1]))
        for cloud, p in zip(self.clouds, parts):
            self.assertIsNone(cloud.api.network.get_ip(p[3].id).port_id)
            self.remove_theirs(cloud, *p)

    def test_31_a_network_of_ours_on_their_router(self):
        public = self.src.api.network.find_network("public")
        router = self.src.api.network.create_router(name=PAIR + "-their-router",
                                                    external_gateway_info={"network_id": public.id})
        self.addCleanup(self.src.api.network.delete_router, router)
        # Far enough for the interface, not for a server.
        self.osm.killed_after("associated", "deploy-conversion-hosts")
        self.ok("delete-conversion-hosts")
        hosts = {"source": {"router": router.name}}
        process = subprocess.Popen(self.osm.argv(["deploy-conversion-hosts"], hosts), stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=self.osm.env(), text=True)
        wait_for("the interface", lambda: any(
            p.device_owner.startswith("network:router_interface")
            for p in self.src.api.network.ports(device_id=router.id)) or process.poll() is not None, 120)
        process.kill()
        process.communicate()
        self.ok("delete-conversion-hosts")
        for cloud in self.clouds:
            self.assertEqual(ours(cloud), {})
        self.assertTrue(self.src.api.network.get_router(router.id))

    # ---- an image without the agent

    def test_40_the_agent_is_brought_to_a_stock_image(self):
        self.assertTrue(ARGS.bare_image and ARGS.agent_root, "--bare-image and --agent-root are not given")
        side_by_side(*[lambda c=c: c.image("hosts-test-bare", ARGS.bare_image) for c in self.clouds])
        self.osm.agent_root = ARGS.agent_root
        hosts = {"image": "hosts-test-bare", "agent_install": "upload"}
        r = self.ok("deploy-conversion-hosts", **hosts)
        self.assertEqual(r.out.count("agent brought there"), 2)
        r = self.ok("deploy-conversion-hosts", **hosts)
        self.assertFalse(r.changed())
        self.assertNotIn("agent brought there", r.out)
        self.assertIn("key pair", ours(self.src))
        self.ok("delete-conversion-hosts", **hosts)
        for cloud in self.clouds:
            self.assertEqual(ours(cloud), {})

    def test_41_an_image_without_the_agent_is_told_soon(self):
        self.assertTrue(ARGS.bare_image, "--bare-image is not given")
        r = self.ok("deploy-conversion-hosts", status=1, source={"image": "hosts-test-bare"})
        self.says(r, "has no osm agent", "agent_install")
        self.ok("delete-conversion-hosts")
        for cloud in self.clouds:
            image = cloud.admin.image.find_image("hosts-test-bare")
            cloud.admin.image.delete_image(image)


def main():
    global ARGS
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--image")
    p.add_argument("--bare-image")
    p.add_argument("--agent-root")
    ARGS, rest = p.parse_known_args()
    result = unittest.main(argv=[sys.argv[0], *rest], verbosity=2, warnings="ignore", exit=False).result
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (max(result.testsRun - bad, 0), bad))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
