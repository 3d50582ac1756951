#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""controller/cloud against the two real clouds of the lab, checked with openstacksdk.

tests/lab/lab exec tests/functional/cloud-lab.py [IMAGE]      IMAGE: what `tests/lab/lab image` prints

Makes objects named cloud-test-... in the source cloud's tenant and removes them."""

import base64
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

import openstack

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVER = os.path.join(os.environ.get("top_builddir", TOP), "tests/functional/cloud-driver")
NAME = "cloud-test-" + uuid.uuid4().hex[:8]
LIMIT = 90
# At every boot: the third disk is mounted as soon as there is one.
MOUNT = """#cloud-config
bootcmd:
- [ sh, -c, "sh -c 'until [ -b /dev/vdc ]; do sleep 0.2; done; mkfs.ext4 -q /dev/vdc; mount /dev/vdc /mnt &&
   echo it-is-mounted > /dev/console' > /dev/null 2>&1 &" ]
"""


class Driver:
    """One cloud-driver process."""

    def __init__(self, cloud, **environment):
        self.stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen([DRIVER, cloud], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr, env=dict(os.environ, **environment), text=True)
        self.opened = self.read()

    def read(self):
        watchdog = threading.Timer(LIMIT, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline()
        watchdog.cancel()
        if not line:
            self.stderr.seek(0)
            raise AssertionError("cloud-driver ended: " + self.stderr.read().decode())
        return json.loads(line)

    def __call__(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self.read()

    def ok(self, *command):
        answer = self(*command)
        if "error" in answer:
            raise AssertionError("%s: %s" % (command, answer))
        return answer["ok"]

    def close(self):
        self.process.stdin.close()
        status = self.process.wait(LIMIT)
        self.process.stdout.close()
        self.stderr.seek(0)
        log = self.stderr.read().decode()
        self.stderr.close()
        if status not in (0, 1) or "-password" in log:
            raise AssertionError("cloud-driver: status %d\n%s" % (status, log))
        return status


class Shared:
    """What the tests have in common: a server on a network of its own, made and removed by osm."""

    image_file = None


def setUpModule():
    s = Shared
    s.src = openstack.connect(cloud="src")
    s.admin = openstack.connect(cloud="src-admin")
    s.d = Driver("src")
    assert "ok" in s.d.opened, s.d.opened
    unittest.addModuleCleanup(s.d.close)
    image = s.src.image.create_image(NAME, filename=s.image_file, disk_format="qcow2", container_format="bare", wait=True,
                                     validate_checksum=False)
    unittest.addModuleCleanup(s.src.image.delete_image, image.id)
    s.network = s.d.ok("network-create", "network", {"name": NAME})
    unittest.addModuleCleanup(s.d.ok, "network-delete", "network", s.network["id"])
    s.subnet = s.d.ok("network-create", "subnet", {"network_id": s.network["id"], "ip_version": 4,
                                                   "cidr": "10.98.0.0/24", "name": NAME})
    s.body = {"server": {
        "name": NAME, "flavorRef": s.d.ok("find", "flavor", "m1.tiny")["id"],
        "imageRef": s.d.ok("find", "image", NAME)["id"], "networks": [{"uuid": s.network["id"]}],
        "user_data": base64.b64encode(MOUNT.encode()).decode()}}
    s.server = s.d.ok("server-create", s.body)["id"]
    unittest.addModuleCleanup(s.d.ok, "server-delete", s.server)


class LabTest(unittest.TestCase):
    def setUp(self):
        self.__dict__.update({k: v for k, v in vars(Shared).items() if not k.startswith("_")})

    def volume(self, **spec):
        volume = self.d.ok("volume-create", dict({"size": 1, "name": NAME}, **spec))
        self.addCleanup(self.d.ok, "volume-delete", volume["id"])
        return volume

    def assert_error(self, answer, error_class, *texts):
        self.assertIn("error", answer)
        self.assertEqual(answer["error"]["class"], error_class, answer)
        for text in texts:
            self.assertIn(text, answer["error"]["message"] + "\n" + (answer["error"].get("hint") or ""))


class Requests(LabTest):
    def test_both_clouds_open_and_speak_the_versions_this_was_written_for(self):
        dst = Driver("dst")
        self.addCleanup(dst.close)
        for driver in [self.d, dst]:
            self.assertEqual(driver.ok("microversion", "compute"), "2.93")
            self.assertEqual(driver.ok("microversion", "volume"), "3.70")
        self.assertIn("maxTotalInstances", dst.ok("limits")["compute"])

    def test_a_wrong_password(self):
        c = self.src.config.config["auth"]
        d = Driver("envvars", OS_AUTH_URL=c["auth_url"], OS_USERNAME=c["username"], OS_PASSWORD="wrong",
                   OS_PROJECT_NAME=c["project_name"], OS_USER_DOMAIN_NAME="Default")
        self.assert_error(d.opened, "user", "cloud 'envvars': identity at", "refuses the credentials of", "HTTP 401",
                          "check user, password, project and domains")
        self.assertEqual(d.close(), 1)

    def test_an_unknown_cloud(self):
        d = Driver("moon")
        self.assert_error(d.opened, "user", "there is no cloud 'moon' in ", "dst, dst-admin", os.environ["OS_CLIENT_CONFIG_FILE"])
        self.assertEqual(d.close(), 1)

    def test_an_application_credential(self):
        credential = self.src.identity.create_application_credential(self.src.current_user_id, NAME)
        self.addCleanup(self.src.identity.delete_application_credential, self.src.current_user_id, credential.id)
        d = Driver("envvars", OS_AUTH_URL=self.src.config.config["auth"]["auth_url"],
                   OS_APPLICATION_CREDENTIAL_ID=credential.id, OS_APPLICATION_CREDENTIAL_SECRET=credential.secret)
        self.addCleanup(d.close)
        self.assertIn("ok", d.opened)
        self.assertEqual(d.ok("find", "server", NAME)["id"], self.server)

    def test_a_token_revoked_in_mid_run_is_replaced(self):
        for _ in range(3):
            before = self.d.ok("token")
            r = self.admin.session.delete(self.admin.config.config["auth"]["auth_url"] + "/auth/tokens",
                                          headers={"X-Subject-Token": before["token"]})
            self.assertEqual(r.status_code, 204)
            # Nova and the others remember for minutes that it was good; Keystone does not.
            self.d.ok("together", "identity", "/auth/projects", "projects")
            self.assertEqual(self.d.ok("token")["generation"], before["generation"] + 1)

    def test_lists_are_read_page_by_page(self):
        flavors = self.d.ok("list", "compute", "/flavors?limit=1", "flavors")
        self.assertEqual({f["id"] for f in flavors}, {f.id for f in self.src.compute.flavors()})
        images = self.d.ok("list", "image", "/images?limit=1", "images")
        self.assertEqual({i["id"] for i in images}, {i.id for i in self.src.image.images()})
        ports = self.d.ok("list", "network", "/ports?limit=1", "ports")
        self.assertEqual(len(ports), len({p["id"] for p in ports}))
        self.assertIn(self.server, [p["device_id"] for p in ports])

    def test_objects_are_found_by_name_and_by_id(self):
        self.assertEqual(self.d.ok("find", "server", NAME)["id"], self.server)
        self.assertEqual(self.d.ok("find", "server", self.server)["name"], NAME)
        self.assertEqual(self.d.ok("find", "network", NAME)["id"], self.network["id"])
        self.assertEqual(self.d.ok("find", "volume type", "lab")["name"], "lab")
        self.assertEqual(self.d.ok("find", "security group", "default")["name"], "default")

    def test_what_is_not_there(self):
        for what in ["server", "flavor", "key pair", "volume", "snapshot", "volume type", "network", "router", "port",
                     "security group", "image"]:
            for name in ["no-such-thing", str(uuid.uuid4()), "detail", "strange & named/thing?"]:
                answer = self.d("find", what, name)
                self.assert_error(answer, "user", "cloud 'src' has no %s '%s'" % (what, name))
                self.assertEqual(answer["error"]["code"], 404)

    def test_a_name_that_two_have(self):
        ids = [self.volume(name=NAME + "-twice")["id"] for _ in range(2)]
        self.assert_error(self.d("find", "volume", NAME + "-twice"), "user", "has 2 volumes named", "name it by id", *ids)
        self.assertEqual(self.d.ok("find", "volume", ids[0])["id"], ids[0])

    def test_an_administrator_finds_the_security_group_of_the_own_project(self):
        d = Driver("src-admin")
        self.addCleanup(d.close)
        self.assertEqual(d.ok("find", "security group", "default")["project_id"], self.admin.current_project_id)

    def test_what_an_administrator_may_is_refused(self):
        self.assert_error(self.d("post", "compute", "/flavors", "flavor", {"flavor": {
            "name": NAME, "ram": 1, "vcpus": 1, "disk": 1}}), "user", "HTTP 403", "(req-", "no right to do this")

    def test_a_used_up_quota_is_told_at_once(self):
        answer = self.d("volume-create", {"size": 1 << 20, "name": NAME})
        self.assert_error(answer, "user", "HTTP 413", "quota", "free something or ask for more")
        self.assertLess(answer["ms"], 5000)

    def test_a_port_with_tags(self):
        port = self.d.ok("network-create", "port", {"network_id": self.network["id"], "name": NAME})
        self.d.ok("network-tag", "port", port["id"], ["osm.migration=1", "osm.role=port"])
        self.assertEqual(sorted(self.src.network.get_port(port["id"]).tags), ["osm.migration=1", "osm.role=port"])
        self.d.ok("network-delete", "port", port["id"])
        self.d.ok("network-delete", "port", port["id"])
        self.assertIsNone(self.src.network.find_port(port["id"]))

    def test_a_subnet_of_a_router_twice(self):
        router = self.d.ok("network-create", "router", {"name": NAME})
        for verb in ["add", "add", "remove", "remove"]:
            self.d.ok("router-subnet", verb, router["id"], self.subnet["id"])
        self.d.ok("network-delete", "router", router["id"])

    def test_a_key_pair_twice(self):
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS %s" % NAME
        self.d.ok("keypair", NAME, key)
        self.addCleanup(self.src.compute.delete_keypair, NAME)
        self.d.ok("keypair", NAME, key)
        self.assert_error(self.d("keypair", NAME, key + "x"), "remote", "HTTP 409", NAME)


class Volumes(LabTest):
    def test_a_volume_lives_and_dies(self):
        volume = self.volume(volume_type="fast", metadata={"a": "b"})
        self.assertEqual(self.src.block_storage.get_volume(volume["id"]).volume_type, "fast")
        self.assertEqual([v["id"] for v in self.d.ok("volume-mark", volume["id"], "osm.test", NAME)], [volume["id"]])
        self.d.ok("volume-delete", volume["id"])
        self.assertIsNone(self.src.block_storage.find_volume(volume["id"]))
        self.d.ok("volume-delete", volume["id"])

    def test_a_snapshot_lives_and_dies(self):
        volume = self.volume()
        snapshot = self.d.ok("snapshot-create", {"volume_id": volume["id"], "name": NAME})
        clone = self.volume(snapshot_id=snapshot["id"])
        self.assertEqual(clone["size"], 1)
        answer = self.d("volume-delete", volume["id"])
        self.assert_error(answer, "remote", "HTTP 400", "snapshot")
        self.d.ok("snapshot-delete", snapshot["id"])
        self.assertIsNone(self.src.block_storage.find_snapshot(snapshot["id"]))

    def test_deleting_what_is_being_deleted(self):
        volume = self.volume()
        other = Driver("src")
        self.addCleanup(other.close)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            both = [pool.submit(d.ok, "volume-delete", volume["id"]) for d in (self.d, other)]
        for f in both:
            f.result()

    def test_a_volume_in_error_tells_cinders_reason(self):
        kind = self.admin.block_storage.create_type(name=NAME, extra_specs={"volume_backend_name": "nowhere"})
        self.addCleanup(self.admin.block_storage.delete_type, kind.id)
        answer = self.d("volume-create", {"size": 1, "name": NAME + "-bad", "volume_type": NAME})
        self.d.ok("volume-delete", self.d.ok("find", "volume", NAME + "-bad")["id"])
        self.assert_error(answer, "remote", "is in state 'error': ", "backend")

    def test_attach_and_detach(self):
        volume = self.volume()["id"]
        for _ in range(2):  # at once again: Nova must have forgotten the first
            attached = self.d.ok("attach", self.server, volume)
            self.assertEqual([(a["volume_id"], a["delete_on_termination"]) for a in attached], [(volume, True)])
            self.assertEqual(self.src.block_storage.get_volume(volume).status, "in-use")
            self.d.ok("attach", self.server, volume)
            self.assertEqual(self.d.ok("detach", self.server, volume), [])
            self.assertEqual(self.src.block_storage.get_volume(volume).status, "available")
            self.d.ok("detach", self.server, volume)

    def test_a_volume_that_another_server_has(self):
        volume = self.volume()["id"]
        other = self.d.ok("server-create", self.body)["id"]
        self.addCleanup(self.d.ok, "server-delete", other)
        self.d.ok("attach", other, volume)
        answer = self.d("attach", self.server, volume)
        self.assert_error(answer, "remote", "attach volume %s to server %s" % (volume, self.server), "HTTP 400")
        self.d.ok("detach", other, volume)

    def release(self, *volumes):
        self.d.ok("server-power", "stop", self.server)
        for volume in volumes:
            self.assertNotIn(volume, [a["volume_id"] for a in self.d.ok("detach", self.server, volume)])
        self.d.ok("server-power", "start", self.server)

    def test_a_server_that_does_not_let_go(self):
        first, second = self.volume()["id"], self.volume()["id"]
        self.addCleanup(self.release, second, first)
        self.d.ok("attach", self.server, first)
        self.d.ok("attach", self.server, second)
        end = time.monotonic() + LIMIT
        while "it-is-mounted" not in self.d.ok("action", "compute", "/servers/%s/action" % self.server, "output",
                                               {"os-getConsoleOutput": {}}):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.3)
        answer = self.d("detach", self.server, second)
        self.assert_error(answer, "retry", "does not let go of volume " + second, "still uses it")
        self.assertEqual(self.src.block_storage.get_volume(second).status, "in-use")


class Servers(LabTest):
    def test_stop_and_start_twice(self):
        self.assertEqual(self.d.ok("server-power", "stop", self.server)["status"], "SHUTOFF")
        self.assertEqual(self.d.ok("server-power", "start", self.server)["status"], "ACTIVE")

    def test_lock_and_unlock(self):
        self.d.ok("lock", self.server)
        self.assertFalse(self.src.compute.get_server(self.server).is_locked)

    def test_a_server_in_error_tells_novas_reason(self):
        flavor = self.admin.compute.create_flavor(name=NAME, ram=1 << 24, vcpus=1, disk=1)
        self.addCleanup(self.admin.compute.delete_flavor, flavor)
        self.admin.set_compute_quotas(self.src.current_project_id, ram=-1)
        self.addCleanup(self.admin.set_compute_quotas, self.src.current_project_id, ram=131072)
        answer = self.d("server-create", {"server": dict(self.body["server"], name=NAME + "-big", flavorRef=flavor.id)})
        self.d.ok("server-delete", self.d.ok("find", "server", NAME + "-big")["id"])
        self.assert_error(answer, "remote", "is in state ERROR: No valid host")


def main():
    if len(sys.argv) > 1 and os.path.exists(sys.argv[1]):
        Shared.image_file = sys.argv.pop(1)
    else:
        Shared.image_file = subprocess.run([os.path.join(TOP, "tests/lab/lab"), "image"], check=True,
                                           stdout=subprocess.PIPE, text=True).stdout.strip()
    result = unittest.main(verbosity=2, warnings="ignore", exit=False).result
    bad = len(result.failures) + len(result.errors)
    print("%d passed, %d failed" % (max(result.testsRun - bad, 0), bad))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
