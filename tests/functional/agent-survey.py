#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Free space found without libguestfs: osm-agent copy of file systems, compared file by file.

They are filled and half deleted; the destination is full of garbage before. What is not wholly in order is copied as
it is. Needs root."""

import importlib.machinery
import importlib.util
import os
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import agenthost
from agenthost import MIB, TOP, run
from sparse import Loop, delete_half, fill, garbage, mounted, report_of, tree, unfinished


def module(name):
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py"))
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(loaded)
    return loaded


copying = module("agent-copy")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


class Survey(copying.Copy):
    """Its fixture, not its tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        os.makedirs(agenthost.DEV, exist_ok=True)

    def make(self, *mkfs, size=256, mib=90, crash=False, name="image", options=()):
        """An image of a file system; crash: as it is while it is in use. And the bytes in use."""
        image, rng = self.path(name), random.Random(5)
        garbage(image, size * MIB)  # free space is not empty
        run(*mkfs, image, **QUIET)
        with Loop(image) as device:
            with mounted(device, *options) as folder:
                names = fill(folder, rng, mib)
                os.sync()
                delete_half(names)
                os.sync()
                if crash:
                    still_open = unfinished(folder, rng)
                    run("cp", image, image + ".crashed")
                    for f in still_open:
                        f.close()
            with mounted(device, "-o", "ro") as folder:
                s = os.statvfs(folder)
                used = (s.f_blocks - s.f_bfree) * s.f_frsize
        return image + ".crashed" if crash else image, used

    def copy(self, image, *arguments, ssh=False):
        target = self.path("target")
        garbage(target, os.path.getsize(image) + MIB)
        out = self.run_copy("--output", "json", *arguments, self.remote(image) if ssh else image,
                            target, ssh=ssh)
        os.truncate(target, os.path.getsize(image))
        result = copying.json.loads(out.stdout)
        self.assertTrue(result["verified"])
        return target, result, out.stderr

    def same_files(self, image, target, *fsck, options=()):
        seen = []
        for path in (image, target):
            with Loop(path) as device, mounted(device, *options) as folder:
                seen.append(tree(folder))
        self.assertGreater(len(seen[0]), 10)
        self.assertEqual(*seen)
        with Loop(target) as device:
            code, text = report_of(fsck, device)
            self.assertEqual(code, 0, text)

    def whole(self, image, why, *arguments):
        """Nothing is known to be free: every byte is copied."""
        target, result, error = self.copy(image, *arguments)
        self.assertEqual(result["free_bytes"], 0)
        self.assertTrue(copying.same(image, target))
        self.assertIn(why, error)

    # file systems

    def check_kind(self, *mkfs, fsck, metadata=0, **options):
        image, used = self.make(*mkfs, **options)
        before = self.path("before")
        run("cp", image, before)
        target, result, _ = self.copy(image)
        self.assertTrue(copying.same(image, before))
        self.assertGreater(result["free_bytes"], os.path.getsize(image) // 5)
        # garbage() leaves no zeros: what is not sent is free
        self.assertEqual(result["sent_bytes"] + result["zero_bytes"], result["bytes"])
        self.assertLess(result["sent_bytes"], used * 1.05 + metadata)
        self.same_files(image, target, *fsck)

    def check_crashed(self, *mkfs, **options):
        image, _ = self.make(*mkfs, crash=True, **options)
        self.whole(image, "it was not unmounted")

    def test_ext(self):
        for mkfs in (["mkfs.ext4", "-q", "-E", "nodiscard"],
                     ["mkfs.ext4", "-q", "-b", "1024", "-E", "nodiscard"],
                     ["mkfs.ext4", "-q", "-O", "bigalloc", "-E", "nodiscard"],
                     ["mkfs.ext4", "-q", "-O", "meta_bg,^resize_inode", "-E", "nodiscard"],
                     ["mkfs.ext4", "-q", "-O", "^flex_bg,^metadata_csum,^64bit", "-E", "nodiscard"],
                     ["mkfs.ext3", "-q", "-E", "nodiscard"], ["mkfs.ext2", "-q", "-E", "nodiscard"]):
            with self.subTest(mkfs):
                # The journal, which df does not count, and inode tables that were not written yet.
                self.check_kind(*mkfs, fsck=["e2fsck", "-fn"], metadata=28 * MIB)

    def test_ext_crashed(self):
        for kind in ("ext4", "ext3", "ext2"):
            with self.subTest(kind):
                self.check_crashed("mkfs." + kind, "-q")

    def test_xfs(self):
        for options in ((), ("-b", "size=1024"), ("-d", "su=64k,sw=4,agcount=2"), ("-s", "size=4096"),
                        ("-m", "rmapbt=0,reflink=0"), ("--unsupported", "-d", "agcount=9", "-l", "size=8m")):
            with self.subTest(options):
                self.check_kind("mkfs.xfs", "-q", "-K", *options, size=320, fsck=["xfs_repair", "-n"],
                                metadata=MIB)

    def test_xfs_crashed(self):
        self.check_crashed("mkfs.xfs", "-q", "-K", size=320)

    def test_xfs_log_in_every_place(self):
        """The log is small, and is written around again and again: is it seen where it ends?"""
        image = self.path("image")
        with open(image, "wb") as f:
            f.truncate(64 * MIB)
        run("mkfs.xfs", "-q", "--unsupported", "-l", "size=6m", image, **QUIET)
        for n in range(12):
            with Loop(image) as device:
                with mounted(device) as folder:
                    for k in range(150 + 90 * n):
                        path = "%s/%d-%d" % (folder, n % 2, k)
                        with open(path, "wb") as f:
                            f.write(b"x" * 500)
                        if k % 50 == 0:
                            run("xfs_io", "-c", "syncfs", folder)
                    for name in os.listdir(folder):
                        if name.startswith("%d-" % ((n + 1) % 2)):
                            os.unlink(os.path.join(folder, name))
                    os.sync()
                    run("cp", image, image + ".crashed")
            for path, clean in ((image, True), (image + ".crashed", False)):
                with Loop(path) as device:
                    state = run("xfs_logprint", "-t", device, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, check=False).stdout
                self.assertIn(b"<CLEAN>" if clean else b"<DIRTY>", state)
                result = self.copy(path)[1]
                self.assertEqual(result["free_bytes"] > 0, clean, (n, path))

    def test_ssh_and_compressed(self):
        image, _ = self.make("mkfs.ext4", "-q", "-E", "nodiscard", size=64, mib=20)
        results = [self.copy(image, *options, ssh=True)
                   for options in ((), ("--compress", "on"), ("--connections", "4"))]
        for target, result, _ in results:
            self.assertEqual(result["free_bytes"], results[0][1]["free_bytes"])
            self.assertGreater(result["free_bytes"], 20 * MIB)
            self.same_files(image, target, "e2fsck", "-fn")

    def test_without(self):
        image, _ = self.make("mkfs.ext4", "-q", size=64, mib=20)
        self.whole(image, "", "--no-sparse")

    def test_swap(self):
        image = self.path("image")
        garbage(image, 16 * MIB)
        run("mkswap", "-L", "label", image, **QUIET)
        target, result, _ = self.copy(image)
        self.assertEqual(result["free_bytes"], 16 * MIB - 65536)
        self.assertTrue(copying.same(image, target, 65536))

    def test_resume_after_a_copy_without(self):
        """What was copied before the map was asked for is made zero, too."""
        image, _ = self.make("mkfs.ext4", "-q", "-E", "nodiscard", size=128, mib=30)
        bitmap = self.path("bitmap")
        slow = copying.make_slow(self.path("agent"), 20 * MIB)
        process = subprocess.Popen(
            self.command("--progress", "--no-sparse", "--resume", bitmap, self.remote(image),
                         self.path("to"), agent=slow),
            stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        process.stderr.readline()
        process.terminate()
        process.communicate(timeout=agenthost.LIMIT)
        self.run_copy("--resume", bitmap, self.remote(image), self.path("to"))
        self.same_files(image, self.path("to"), "e2fsck", "-fn")

    # partitions

    def disk(self, script, parts):
        """A disk full of garbage, partitioned by sfdisk; `parts`: number -> command."""
        image = self.path("disk")
        garbage(image, 256 * MIB)
        run("sfdisk", "-q", image, input=script.encode(), **QUIET)
        table = copying.json.loads(run("sfdisk", "--json", image, stdout=subprocess.PIPE).stdout)
        places = {}
        for part in table["partitiontable"]["partitions"]:
            number = int(re.search("[0-9]+$", part["node"])[0])
            places[number] = (part["start"] * 512, part["size"] * 512)
        for number, command in parts.items():
            with Loop(image, *places[number]) as device:
                run(*command, device, **QUIET)
        return image, places

    def check_disk(self, script, parts, least):
        image, places = self.disk(script, parts)
        target, result, _ = self.copy(image)
        self.assertGreater(result["free_bytes"], least)
        for number, command in parts.items():
            if "ext4" in command[0]:
                with Loop(target, *places[number]) as device:
                    self.assertEqual(report_of(["e2fsck", "-fn"], device)[0], 0)
        return image, target, places

    def test_gpt(self):
        image, target, places = self.check_disk(
            "label: gpt\nsize=100M\nstart=130M,size=20M\nsize=16M\n",
            {1: ["mkfs.ext4", "-q", "-E", "nodiscard"], 2: ["mkfs.vfat"]}, 85 * MIB + 80 * MIB)
        run("sgdisk", "--verify", target, **QUIET)
        self.assertTrue(copying.same(image, target, MIB))
        for number in (2, 3):  # not known: as they were
            with Loop(image, *places[number]) as a, Loop(target, *places[number]) as b:
                self.assertTrue(copying.same(a, b))

    def test_mbr_with_logical_partitions(self):
        _, target, places = self.check_disk(
            "label: dos\nsize=40M\nsize=150M,type=5\n/dev/x5: size=50M\n/dev/x6: size=60M\n",
            {1: ["mkfs.ext4", "-q"], 5: ["mkfs.ext4", "-q"], 6: ["mkfs.ext4", "-q"]}, 100 * MIB)
        table = run("sfdisk", "--json", target, stdout=subprocess.PIPE).stdout
        self.assertEqual(len(copying.json.loads(table)["partitiontable"]["partitions"]), len(places))

    def test_overlapping_partitions(self):
        image, places = self.disk("label: dos\nsize=100M\nsize=50M\n",
                                  {1: ["mkfs.ext4", "-q"], 2: ["mkfs.ext4", "-q"]})
        with open(image, "r+b") as f:  # the second begins in the middle of the first
            f.seek(446 + 16 + 8)
            f.write(((places[1][0] + 50 * MIB) // 512).to_bytes(4, "little"))
        self.whole(image, "partitions overlap")

    # what is damaged

    def damage(self, image, offset, what=b"\xff\xff\xff\xff"):
        with open(image, "r+b") as f:
            f.seek(offset)
            f.write(what)

    def test_damaged_xfs(self):
        image, _ = self.make("mkfs.xfs", "-q", "-K", size=320, mib=20)
        text = run("xfs_db", "-r", "-c", "agf 1", "-c", "addr bnoroot", "-c", "daddr", image,
                   stdout=subprocess.PIPE).stdout
        tree_at = int(re.search(rb"([0-9]+)\s*$", text)[1]) * 512
        size = 320 * MIB // 4
        for what, offset in (("superblock", 90), ("header of an allocation group", size + 512 + 20),
                             ("lists of free space", tree_at + 60)):
            with self.subTest(what):
                copy = self.path("damaged")
                run("cp", image, copy)
                self.damage(copy, offset)
                # A superblock that is wrong is none.
                self.whole(copy, "" if what == "superblock" else "is copied whole")

    def test_damaged_ext4(self):
        image, _ = self.make("mkfs.ext4", "-q", size=64, mib=20)
        text = run("dumpe2fs", image, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        bitmap = int(re.search(rb"Block bitmap at ([0-9]+)", text)[1])
        block = int(re.search(rb"Block size: *([0-9]+)", text)[1])
        self.damage(image, bitmap * block + 100, bytes(64))
        self.whole(image, "is copied whole")

    def test_errors_and_open_files(self):
        for command, why in (("ssv state 3", "having errors"), ("ssv last_orphan 13", "were open"),
                             ("feature needs_recovery", "was not unmounted")):
            with self.subTest(command):
                image, _ = self.make("mkfs.ext4", "-q", size=64, mib=20)
                run("debugfs", "-w", "-R", command, image, **QUIET)
                self.whole(image, why)


# The class it is made of has tests of its own, which run elsewhere.
TESTS = [name for name in vars(Survey) if name.startswith("test_")]


if __name__ == "__main__":
    if "--inside" not in sys.argv:
        agenthost.enter(__file__)
    sys.argv.remove("--inside")
    wanted = sys.argv[1:] or TESTS
    suite = unittest.TestSuite(Survey(name) for name in wanted)
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
