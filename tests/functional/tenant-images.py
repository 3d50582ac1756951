#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The data of images from cloud to cloud: right bytes, little memory, and what becomes of it when something breaks."""

import contextlib
import hashlib
import os
import pty
import random
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import new_id  # noqa: E402
from tenantcase import CONTROLLER, Files  # noqa: E402


class Images(Files):
    def setUp(self):
        super().setUp()
        self.source.objects["image/images"].clear()

    def image(self, name, data=b"0123456789" * 100000, **values):
        image = self.source.add("image/images", name=name, owner=self.source.project, disk_format="raw", tags=[],
                                container_format="bare", visibility="private", **values)
        self.source.set_data(image, data)
        return image

    def run_import(self, status, *words):
        report = self.run_osm(status, "import", "images", *words)
        return {o.get("name", "(all)"): o for o in report["objects"]}

    def made(self, name):
        return [i for i in self.destination.all("image/images") if i["name"] == name]

    def assert_right(self, name):
        source = next(i for i in self.source.all("image/images") if i["name"] == name)
        made, = self.made(name)
        self.assertEqual(made["status"], "active")
        self.assertEqual(self.destination.data[made["id"]], self.source.data[source["id"]])
        self.assertEqual(made["osm.import"], source["id"])
        return made

    def test_several_at_once_with_their_properties(self):
        for i in range(8):
            self.image("i%d" % i, random.Random(i).randbytes(300000 + i), my_own="a/~b", protected=i == 3)
        self.export("images")
        results = self.run_import(0)
        self.assertEqual({r["result"] for r in results.values()}, {"created"})
        for i in range(8):
            made = self.assert_right("i%d" % i)
            self.assertEqual((made["my_own"], made["protected"]), ("a/~b", i == 3))
        self.assertLessEqual(self.source.most_streams, 3)
        self.assertEqual({r["result"] for r in self.run_import(0).values()}, {"equal"})
        self.assertEqual(len(self.destination.all("image/images")), 8)

    def test_nothing_at_all_is_data_too(self):
        self.image("empty", b"")
        self.export("images")
        self.run_import(0)
        self.assert_right("empty")

    def test_memory_is_bounded(self):
        self.image("large", bytes(1024) * 64 * 1024)
        self.export("images")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        most = 0
        with subprocess.Popen([CONTROLLER, "import", "images", "--source-cloud", "src", "--destination-cloud", "dst",
                               "--state-dir", self.folder + "/state", "--data-dir", self.data], env=env,
                              stdout=subprocess.PIPE, text=True) as process:
            while process.poll() is None:
                with open("/proc/%d/status" % process.pid, encoding="utf-8") as f:
                    most = max([most] + [int(x.split()[1]) for x in f if x.startswith("VmHWM:")])
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            out = process.stdout.read()
        self.assertEqual(process.returncode, 0, out)
        self.assert_right("large")
        self.assertGreater(most, 1024)
        # Sanitizers have their own idea of memory.
        self.assertLess(most, (50 if "ASAN_OPTIONS" not in os.environ else 1000) * 1024)
        self.assertIn("large", out)

    def test_bars_on_a_terminal_leave_the_results(self):
        self.image("one")
        self.export("images")
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder, TERM="xterm")
        terminal, end = pty.openpty()
        with subprocess.Popen([CONTROLLER, "import", "images", "--source-cloud", "src", "--destination-cloud", "dst",
                               "--state-dir", self.folder + "/state", "--data-dir", self.data], env=env, stdout=end) as process:
            os.close(end)
            out = b""
            with contextlib.suppress(OSError):
                while part := os.read(terminal, 65536):
                    out += part
        os.close(terminal)
        self.assertEqual(process.returncode, 0)
        self.assertIn(b"100%", out)
        # Nothing is erased after the table.
        self.assertNotIn(b"\033[", out[out.rindex(b"1 created"):])

    def test_a_download_that_breaks_goes_on_where_it_was(self):
        for no_range in (False, True):
            with self.subTest(no_range=no_range):
                self.tearDown()
                self.doCleanups()
                self.setUp()
                image = self.image("cut", random.Random(1).randbytes(900000))
                self.source.faults.update(cut_download=500000, no_range=no_range)
                self.export("images")
                self.run_import(0)
                self.assert_right("cut")
                files = [p for p in self.source.calls() if p.endswith(image["id"] + "/file")]
                self.assertEqual(len(files), 2)
                self.assertEqual(len([p for p in self.destination.calls("PUT") if p.endswith("/file")]), 1)

    def test_an_upload_that_breaks_begins_anew(self):
        self.image("cut", random.Random(1).randbytes(5000000))
        self.destination.faults["cut_upload"] = 1000000
        self.export("images")
        self.run_import(0)
        self.assert_right("cut")

    def test_wrong_data_is_deleted_and_nothing_else(self):
        self.image("bad")
        theirs = self.destination.add("image/images", name="good", owner=self.destination.project, status="active")
        self.export("images")
        self.destination.faults["other_data"] = b"0123456789" * 99999 + b"012345678x"
        row = self.run_import(1)["bad"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("the destination says sha512", row["reason"])
        self.assertIn("was deleted", row["reason"])
        self.assertEqual(self.destination.all("image/images"), [theirs])
        self.run_import(0)
        self.assert_right("bad")

    def test_a_source_that_has_rotted_is_noticed(self):
        image = self.image("rotten")
        self.export("images")
        self.source.data[image["id"]] = self.source.data[image["id"]][:-1] + b"x"
        self.assertIn("the source says sha512", self.run_import(1)["rotten"]["reason"])
        self.assertEqual(self.made("rotten"), [])
        # Fewer and more bytes than it says.
        for data in (b"0" * 999999, b"0" * 1000001):
            self.source.data[image["id"]] = data
            row = self.run_import(1)["rotten"]
            self.assertEqual(row["result"], "failed")
            self.assertEqual([i for i in self.made("rotten") if i["status"] == "active"], [])

    def test_an_interrupted_one_is_taken_up_again(self):
        image = self.image("half")
        self.export("images")
        left = self.destination.add("image/images", name="half", owner=self.destination.project, status="queued",
                                    protected=False, **{"osm.import": image["id"]})
        row = self.run_import(0)["half"]
        self.assertEqual((row["result"], row["id"]), ("created", left["id"]))
        self.assertIn("taken up again", row["reason"])
        self.assert_right("half")

    def test_one_that_was_killed_is_taken_up_again(self):
        self.image("killed", random.Random(1).randbytes(30000000))
        self.export("images")
        reached, go = self.destination.faults["pause_upload"] = threading.Event(), threading.Event()
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        with subprocess.Popen([CONTROLLER, "import", "images", "--source-cloud", "src", "--destination-cloud", "dst",
                               "--state-dir", self.folder + "/state", "--data-dir", self.data], env=env,
                              stdout=subprocess.DEVNULL) as process:
            self.assertTrue(reached.wait(30))
            process.kill()
        go.set()
        left, = self.made("killed")
        self.assertIn(left["status"], ("saving", "queued"))
        row = self.run_import(0)["killed"]
        self.assertEqual((row["result"], row["id"]), ("created", left["id"]))
        self.assert_right("killed")

    def test_what_another_import_has_made_meanwhile_is_not_deleted(self):
        image = self.image("twice", random.Random(1).randbytes(9000000))
        self.export("images")
        self.destination.faults["rival_data"] = self.source.data[image["id"]]
        row = self.run_import(1)["twice"]
        self.assertEqual(row["result"], "failed")
        self.assert_right("twice")
        self.assertEqual(self.run_import(0)["twice"]["result"], "equal")

    def test_one_that_was_begun_for_another_is_not_taken_up(self):
        self.image("half")
        self.export("images")
        left = self.destination.add("image/images", name="half", owner=self.destination.project, status="queued",
                                    protected=False, **{"osm.import": new_id()})
        row = self.run_import(1)["half"]
        self.assertEqual(row["result"], "failed")
        self.assertIn("was begun for the source's image " + left["osm.import"], row["reason"])
        self.assertEqual((left["status"], self.destination.calls("PUT")), ("queued", []))
        self.destination.objects["image/images"].clear()
        self.run_import(0)
        self.assert_right("half")

    def test_that_of_others_is_left_alone(self):
        self.image("half")
        self.export("images")
        self.destination.add("image/images", name="half", owner=self.destination.project, status="queued",
                             disk_format="raw", container_format="bare")
        row = self.run_import(1, "--update")["half"]
        self.assertEqual(row["result"], "skipped")
        self.assertIn("hash_value", row["reason"])
        self.assertEqual(self.destination.calls("PUT"), [])

    def test_another_hash_is_compared_by_what_both_have(self):
        image = self.image("old")
        data = self.source.data[image["id"]]
        image.update(os_hash_algo="sha256", os_hash_value=hashlib.sha256(data).hexdigest())
        self.export("images")
        self.run_import(0)
        self.assert_right("old")
        self.assertEqual(self.run_import(0)["old"]["result"], "equal")
        image.update(os_hash_value="0" * 64)
        self.destination.objects["image/images"].clear()
        self.assertIn("the source says sha256 0000", self.run_import(1)["old"]["reason"])

    def test_edits_of_properties_are_applied(self):
        self.image("edited", os_distro="debian", one="1", two="2")
        self.export("images")
        self.run_import(0)
        self.edit("images.yml", "os_distro: debian", "os_distro: ubuntu")
        self.edit("images.yml", "      one: '1'\n", "")
        self.assertEqual(self.run_import(0, "--update")["edited"]["result"], "updated")
        made = self.assert_right("edited")
        self.assertEqual((made["os_distro"], made.get("one"), made["two"]), ("ubuntu", None, "2"))

    def test_a_kernel_comes_first(self):
        kernel = self.image("z-kernel")
        self.image("a-system", kernel_id=kernel["id"])
        self.export("images")
        self.run_import(0)
        self.assertEqual(self.assert_right("a-system")["kernel_id"], self.assert_right("z-kernel")["id"])

    def test_an_image_without_data_is_not_made(self):
        self.image("queued")["status"] = "queued"
        self.image("volume", b"", block_device_mapping="[]")
        gone = self.image("gone")
        self.export("images")
        del self.source.objects["image/images"][gone["id"]]
        rows = self.run_import(1)
        self.assertIn("it has no data", rows["queued"]["reason"])
        self.assertIn("refers to snapshots", rows["volume"]["reason"])
        self.assertIn("404", rows["gone"]["reason"])
        self.assertEqual(self.destination.all("image/images"), [])

    def test_blobs_of_os_migrate(self):
        image = self.image("blob")
        self.export("images")
        os.mkdir(self.data + "/image_blobs")
        with open("%s/image_blobs/%s-blob" % (self.data, image["id"]), "wb") as f:
            f.write(self.source.data[image["id"]])
        self.source.seen.clear()
        self.run_import(0, "--image-blobs", self.data + "/image_blobs")
        self.assert_right("blob")
        self.assertEqual(self.source.calls(), [])
        self.destination.objects["image/images"].clear()
        os.unlink("%s/image_blobs/%s-blob" % (self.data, image["id"]))
        row = self.run_import(1, "--image-blobs", self.data + "/image_blobs")["blob"]
        self.assertIn("there is no file", row["reason"])

    def test_a_truth_value_is_no_name(self):
        self.image("hand")
        self.export("images")
        self.edit("images.yml", "name: hand\n", "name: true\n")
        self.run_osm(1, "import", "images", "--image-blobs", self.data)
        self.assertIn("name: must be text", self.err)
        self.assertEqual(self.destination.all("image/images"), [])

    def test_who_imports_them_by_hand_is_told(self):
        self.image("hand")
        self.export("images")
        self.edit("images.yml", "    id: ", "    was: ")
        self.run_osm(1, "import", "images")
        self.assertIn("_info.id", self.err)


if __name__ == "__main__":
    unittest.main(verbosity=2 if sys.stdout.isatty() else 1)
