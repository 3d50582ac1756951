#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Free space found by the agent, with libguestfs: nothing that a file system uses is lost, and what it does not use is not sent.

One disk with everything on it, taken while its file systems are mounted.  With --all also single file systems,
whose bytes on the wire are counted.  Without libguestfs: the agent says so, and that is all."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import stat
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agenthost import (BUILD, DEV, MIB, TOP, AgentTest, Channel, Disk, Host,  # noqa: E402
                       enter, finish, processes, read, run, wait_for)

HOST = None
ALL = "--all" in sys.argv
APPLIANCE_LIMIT = 600  # seconds; a slow machine builds the appliance and emulates a processor
KVM_SECONDS = 15  # where it is there and does not work
CACHE = "/var/cache/osm-tests"
WITH = re.search(r"^#define HAVE_LIBGUESTFS 1", read(BUILD + "/config.h").decode(), re.M)


class ImageDisk(Disk):
    """A disk with the content of a file, or full of what must not be there afterwards."""

    def __init__(self, size, image=None):
        self.image = image
        super().__init__(size)

    def make_file(self, content):
        if self.image:
            run("cp", "--sparse=always", self.image, self.file)
        else:
            garbage(self.file, self.size)


def garbage(path, size):
    block = random.Random(size).randbytes(MIB)
    with open(path, "wb") as f:
        for _ in range(size // MIB):
            f.write(block)
        f.truncate(size)


class Loop:
    """A part of a file as a device."""

    def __init__(self, path, offset=0, size=None):
        size = size or os.path.getsize(path) - offset
        for _ in range(50):
            number = int(run("losetup", "-f", stdout=subprocess.PIPE).stdout.split(b"loop")[1])
            self.path = "%s/loop%d" % (DEV, number)
            if not os.path.exists(self.path):
                os.mknod(self.path, 0o660 | stat.S_IFBLK, os.makedev(7, number))
            if run("losetup", "-o", str(offset), "--sizelimit", str(size), self.path, path,
                   check=False).returncode == 0:
                return
        raise AssertionError("no free loop device")

    def __enter__(self):
        return self.path

    def __exit__(self, *exc):
        run("losetup", "-d", self.path)
        os.unlink(self.path)


@contextlib.contextmanager
def mounted(device, *options):
    folder = TOP + "/mnt-" + os.path.basename(device)
    os.makedirs(folder, exist_ok=True)
    run("mount", *options, device, folder, stdout=subprocess.DEVNULL)
    try:
        yield folder
    finally:
        wait_for(lambda: run("umount", folder, check=False, stderr=subprocess.DEVNULL).returncode == 0,
                 "umount " + folder)


def tree(folder):
    """What can be seen of a file system."""
    seen = {}
    for parent, _, files in os.walk(folder):
        seen[os.path.relpath(parent, folder)] = "folder"
        for name in files:
            path = os.path.join(parent, name)
            with open(path, "rb") as f:
                seen[os.path.relpath(path, folder)] = hashlib.sha256(f.read()).hexdigest()
    return seen


def fill(folder, rng, mib):
    """Files of many sizes; every second one is deleted. Returns the folder's open, deleted file."""
    names = []
    while sum(os.path.getsize(n) for n in names) < mib * MIB:
        path = "%s/d%d/f%d" % (folder, len(names) % 7, len(names))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(rng.randbytes(rng.choice((100, 5000, 70000, 300000, 2 * MIB, 5 * MIB))))
        names.append(path)
    return names


def delete_half(names):
    for name in names[::2]:
        os.unlink(name)


def unfinished(folder, rng, orphans=True):
    """Leaves a journal that was not replayed, and files that are deleted but open."""
    still_open = []
    with open(folder + "/before", "wb") as f:
        f.write(rng.randbytes(3 * MIB))
    os.sync()
    if orphans:
        for n in range(5):
            f = open("%s/orphan%d" % (folder, n), "wb")
            for k in range(60):  # in many pieces, so that their list needs blocks of its own
                f.seek(k * 40000)
                f.write(rng.randbytes(5000))
                if k % 10 == 0:
                    os.fsync(f.fileno())
            os.fsync(f.fileno())
            still_open.append(f)
        for n in range(5):
            os.unlink("%s/orphan%d" % (folder, n))
    for n in range(20):
        with open("%s/late%d" % (folder, n), "wb") as f:
            f.write(rng.randbytes(50000))
            f.flush()
            os.fsync(f.fileno())
    os.rename(folder + "/late1", folder + "/renamed")
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    return still_open


# Name, MiB, type of the partition
PARTS = [("fat", 64, "ef00"), ("ext4", 256, "8300"), ("xfs", 320, "8300"), ("swap", 32, "8200"),
         ("lvm", 200, "8e00"), ("luks", 24, "8309"), ("btrfs", 256, "8300"), ("gap", 32, None),
         ("ntfs", 64, "0700"), ("unknown", 8, "8300")]
TAIL = 32


class Everything:
    """A GPT disk. Its free places hold garbage, as those of a disk that was in use do."""

    def __init__(self, path):
        self.path = path
        self.rng = random.Random(7)
        self.size = (1 + sum(mib for _, mib, _ in PARTS) + TAIL) * MIB
        self.parts = {}
        garbage(path, self.size)
        run("sgdisk", "--zap-all", path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        at, arguments = 1, []
        for name, mib, code in PARTS:
            self.parts[name] = (at * MIB, mib * MIB)
            if code:
                number = len(arguments) // 4 + 1
                arguments += ["-n", "%d:%d:%d" % (number, at * 2048, (at + mib) * 2048 - 1),
                              "-t", "%d:%s" % (number, code)]
            at += mib
        run("sgdisk", *arguments, path, stdout=subprocess.DEVNULL)
        for name in ("fat", "swap", "lvm", "luks", "ntfs"):
            with Loop(path, *self.parts[name]) as device:
                getattr(self, "make_" + name)(device)

    def part(self, name, path=None):
        if name == "lv":
            offset = self.parts["lvm"][0] + MIB  # the first extent
            return Loop(path or self.path, offset, 100 * MIB)
        return Loop(path or self.path, *self.parts[name])

    def make_fat(self, device):
        run("mkfs.vfat", "-n", "EFI", device, stdout=subprocess.DEVNULL)
        for n in range(20):
            name = "%s/fat%d" % (TOP, n)
            with open(name, "wb") as f:
                f.write(self.rng.randbytes(MIB + n))
            run("mcopy", "-i", device, name, "::", stderr=subprocess.DEVNULL)
            os.unlink(name)
        run("mdel", "-i", device, *["::fat%d" % n for n in range(0, 20, 2)], stderr=subprocess.DEVNULL)

    @staticmethod
    def make_swap(device):
        run("mkswap", "-L", "swapspace", device, stdout=subprocess.DEVNULL)

    def make_lvm(self, device):
        lvm = ["lvm"]
        # Without the kernel's device mapper: only what is written on the disk is wanted.
        config = 'devices { use_devicesfile=0 scan=[ "%s" ] filter=[ "a|^%s$|", "r|.*|" ] ' \
                 'obtain_device_list_from_udev=0 external_device_info_source="none" } ' \
                 'global { activation=0 use_lvmpolld=0 locking_dir="%s" }' % (DEV, device, TOP)
        for command in (["pvcreate", "-ff", "-y", device], ["vgcreate", "vg0", device],
                        ["lvcreate", "-an", "-Zn", "-Wn", "-L", "100m", "-n", "root", "vg0"],
                        ["lvcreate", "-an", "-Zn", "-Wn", "-L", "24m", "-n", "raw", "vg0"]):
            run(*lvm, command[0], "--config", config, *command[1:], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)

    @staticmethod
    def make_luks(device):
        with open(TOP + "/secret", "w", encoding="ascii") as f:
            f.write("secret")
        run("cryptsetup", "-q", "luksFormat", "--type", "luks2", "--pbkdf", "pbkdf2",
            "--pbkdf-force-iterations", "1000", device, TOP + "/secret")

    def make_ntfs(self, device):
        run("mkntfs", "-q", "-F", "-f", device, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with mounted(device, "-t", "ntfs-3g") as folder:
            names = fill(folder, self.rng, 20)
            delete_half(names)

    def crash(self, path):
        """The state of the disk while it is in use."""
        make = {"ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"], "lv": ["mkfs.ext4", "-q", "-E", "nodiscard"],
                "xfs": ["mkfs.xfs", "-q", "-f", "-K"], "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"]}
        with contextlib.ExitStack() as stack:
            folders = []
            for name, command in make.items():
                with self.part(name) as device:
                    run(*command, device)
            for name in make:
                device = stack.enter_context(self.part(name))
                folders.append(stack.enter_context(mounted(device)))
                names = fill(folders[-1], self.rng, 60)
                os.sync()
                delete_half(names)
                os.sync()
            still_open = [f for folder in folders for f in unfinished(folder, self.rng)]
            run("cp", "--sparse=never", self.path, path)
            for f in still_open:
                f.close()


def mountable(name):
    return ("-t", "ntfs-3g", "-o", "ro") if name == "ntfs" else ()


def report_of(argv, device):
    """What fsck says, without the name of the device; some of its lines come in any order."""
    out = run(*argv, device, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = out.stdout.replace(device.encode(), b"DEVICE").split(b"\n")
    return out.returncode, b"\n".join(sorted(lines))


class Sparse(AgentTest):
    def setUp(self):
        super().setUp()
        self.linked()

    def image(self, size, path=None):
        return self.disk(size, path, kind=ImageDisk)

    def wait(self, job):
        end = time.monotonic() + APPLIANCE_LIMIT
        while time.monotonic() < end:
            now = self.agent.call("job.wait", ids=[job], timeout_ms=5000)["jobs"][0]
            if now["state"] != "running":
                return now
        raise AssertionError("job %s does not end: %s" % (job, now))

    def volume(self, disk):
        return {"volume_id": disk.volume_id, "size_bytes": disk.size}

    def search(self, disk, **options):
        self.agent.call("sparse.start", id="sparse-1", **self.volume(disk), **options)

    def migrate(self, image, **options):
        """Returns both disks, what was found, and the copy. Map first, so that what is sent can be counted."""
        size = os.path.getsize(image)
        source, destination = self.image(size, image), self.image(size)
        self.search(source, **options)
        sparse = self.wait("sparse-1")
        self.assertEqual(sparse["state"], "done", sparse)
        print(sparse, file=sys.stderr)
        path = self.agent.call("export.start", id="export-1", free="sparse-1",
                               **self.volume(source))["socket"]
        self.agent.call("copy.start", id="copy-1", free_map=True, **self.volume(destination),
                        source=HOST.peer_source(path))
        copy = self.agent.wait("copy-1")
        self.assertEqual(copy["state"], "done", copy)
        self.assertEqual(copy["free_bytes"], sparse["free_bytes"])
        self.agent.call("digest.start", id="digest-1", free="sparse-1", **self.volume(source))
        self.agent.call("digest.start", id="digest-2", drop_cache=True, **self.volume(destination))
        self.assertEqual(self.agent.wait("digest-1")["manifest"]["sha256"],
                         self.agent.wait("digest-2")["manifest"]["sha256"])
        self.assertEqual(read(source.file) == read(image), True)
        return source, destination, sparse, copy

    def same_tree(self, loops, *options):
        seen = []
        for loop in loops:
            with loop as device, mounted(device, *options) as folder:
                seen.append(tree(folder))
        self.assertEqual(seen[0], seen[1])
        return seen[0]

    def same_report(self, loops, *argv):
        reports = []
        for loop in loops:
            with loop as device:
                reports.append(report_of(argv, device))
        self.assertEqual(reports[0], reports[1])
        return reports[0]


class Tests(Sparse):
    def test_everything(self):
        image = Everything(TOP + "/image")
        crashed = TOP + "/crashed"
        image.crash(crashed)
        os.unlink(image.path)
        _, destination, sparse, copy = self.migrate(crashed, kvm_seconds=KVM_SECONDS, appliance_bytes=1)
        found = {one["device"]: one for one in sparse["found"]}
        names = [name for name, _, code in PARTS if code]
        for number, (name, kind) in enumerate(zip(names, (
                "vfat", "ext4", "xfs", "swap", "LVM2_member", "crypto_LUKS", "btrfs", "ntfs",
                "unknown")), 1):
            one = found["partition %d" % number]
            self.assertEqual(one["type"], kind)
            self.assertEqual("left" in one, name in ("luks", "unknown"), one)
            if name in ("luks", "unknown"):
                self.assertEqual(one["free_bytes"], 0)
            elif name != "swap":
                self.assertGreater(one["free_bytes"], one["size_bytes"] // 5, one)
        self.assertGreater(found["partition 4"]["free_bytes"], 31 * MIB)
        self.assertIn("encrypted", found["partition 6"]["left"])
        self.assertNotIn("left", found["vg0/root"])
        self.assertIn("left", found["vg0/raw"])
        self.assertGreater(found["vg0 (unused extents)"]["free_bytes"], 60 * MIB)
        offset, size = image.parts["gap"]
        with open(destination.file, "rb") as f:
            f.seek(offset + MIB)
            self.assertEqual(f.read(size - 2 * MIB).strip(b"\0"), b"")
        self.assertLessEqual(copy["sent_bytes"],
                             (copy["size_bytes"] - sparse["free_bytes"]) * 1.02)

        # What no file system of ours is in is as it was.
        for name in ("luks", "unknown"):
            offset, size = image.parts[name]
            with open(crashed, "rb") as a, open(destination.file, "rb") as b:
                a.seek(offset)
                b.seek(offset)
                self.assertTrue(a.read(size) == b.read(size), name)
        run("sgdisk", "--verify", destination.file, stdout=subprocess.DEVNULL)
        with image.part("swap", destination.file) as device:
            label = run("blkid", "-p", "-o", "value", "-s", "LABEL", device, stdout=subprocess.PIPE).stdout
            self.assertEqual(label, b"swapspace\n")

        # Journals are replayed on copies of both, by fsck and by mounting.
        copies = [TOP + "/a", TOP + "/b"]
        run("cp", crashed, copies[0])
        run("cp", destination.file, copies[1])
        for name, fsck in (("ext4", ["e2fsck", "-fy"]), ("lv", ["e2fsck", "-fy"])):
            code, text = self.same_report([image.part(name, c) for c in copies], *fsck)
            self.assertIn(code, (0, 1), text)
            self.assertIn(b"recovering journal", text)
            self.assertNotIn(b"UNEXPECTED", text)
        run("cp", crashed, copies[0])
        run("cp", destination.file, copies[1])
        for name in ("ext4", "lv", "xfs", "btrfs", "ntfs"):
            seen = self.same_tree([image.part(name, c) for c in copies], *mountable(name))
            self.assertGreater(len(seen), 10)
            if name != "ntfs":
                self.assertIn("renamed", seen)
        for name, fsck in (("ext4", ["e2fsck", "-fn"]), ("lv", ["e2fsck", "-fn"]),
                           ("xfs", ["xfs_repair", "-n"]), ("fat", ["fsck.vfat", "-n"]),
                           ("btrfs", ["btrfs", "check", "--check-data-csum"]),
                           ("ntfs", ["ntfsfix", "-n"])):
            code, text = self.same_report([image.part(name, c) for c in copies], *fsck)
            self.assertEqual(code, 0, text)
        files = []
        for c in copies:
            with image.part("fat", c) as device:
                out = TOP + "/fat-out"
                os.makedirs(out)
                run("mcopy", "-s", "-i", device, "::", out, stdout=subprocess.DEVNULL)
                files.append(tree(out))
                shutil.rmtree(out)
        self.assertEqual(files[0], files[1])
        self.assertEqual(len([f for f in files[0] if "fat" in f]), 10)
        for path in copies + [crashed]:
            os.unlink(path)

    @staticmethod
    def small():
        """What only libguestfs can read."""
        path = TOP + "/small"
        garbage(path, 16 * MIB)
        run("mkntfs", "-q", "-F", "-f", path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return path

    def test_the_copy_does_not_wait(self):
        image = self.small()
        size = os.path.getsize(image)
        source, destination = self.image(size, image), self.image(size)
        path = self.agent.call("export.start", id="export-1", free="sparse-1",
                               **self.volume(source))["socket"]
        self.search(source, appliance_bytes=1)
        self.agent.call("copy.start", id="copy-1", free_map=True, **self.volume(destination),
                        source=HOST.peer_source(path))
        copy = self.agent.wait("copy-1")
        self.assertEqual((copy["state"], copy["free_bytes"]), ("done", 0))
        self.assertEqual(self.agent.call("job.get", ids=["sparse-1"])["jobs"][0]["state"], "running")
        wait_for(lambda: processes("qemu-system"), "qemu")
        self.agent.call("job.cancel", id="sparse-1")
        self.assertEqual(self.agent.call("job.get", ids=["sparse-1"])["jobs"][0]["state"],
                         "cancelled")
        # The export that the copy reads stays.
        wait_for(lambda: not processes("qemu-system|worker appliance$") and len(processes("worker export$")) == 1,
                 "the end of qemu")
        self.assertFalse(os.path.exists("/var/lib/osm/sparse"))
        self.assertFalse(os.path.exists("/run/osm/sparse"))
        self.assertTrue(read(destination.file) == read(image))
        os.unlink(image)

    def test_unknown_content_is_left(self):
        source = self.image(8 * MIB)
        self.search(source, appliance_bytes=1)
        job = self.wait("sparse-1")
        self.assertEqual(job["state"], "done", job)
        self.assertEqual(job["free_bytes"], 0)
        self.assertNotIn("accelerator", job)  # it would not know more
        self.assertEqual(job["found"], [{"device": "whole volume", "type": "unknown", "free_bytes": 0,
                                         "size_bytes": source.size, "left": "its content is not known"}])

    def test_quick_look_when_the_appliance_fails(self):
        image = TOP + "/half"
        garbage(image, 64 * MIB)
        run("sgdisk", "--zap-all", "-n", "1:0:+30M", "-n", "2:0:+20M", image, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        with Loop(image, MIB, 30 * MIB) as device:
            run("mkfs.ext4", "-q", device)
        with Loop(image, 31 * MIB, 20 * MIB) as device:
            run("mkfs.vfat", device, stdout=subprocess.DEVNULL)
        _, _, sparse, copy = self.migrate(image, seconds=1, appliance_bytes=1)
        self.assertGreater(copy["free_bytes"], 30 * MIB)
        self.assertIn("took too long", sparse["found"][1]["left"])
        self.assertNotIn("left", sparse["found"][0])

    def test_too_long(self):
        image = self.small()
        source = self.image(os.path.getsize(image), image)
        self.search(source, seconds=2, appliance_bytes=1)
        job = self.wait("sparse-1")
        self.assertEqual(job["state"], "failed")
        self.assertIn("took too long", job["error"]["message"])
        self.assertFalse(processes("qemu-system"))


class Ratios(Sparse):
    """Whole volumes without a partition table, filled and half deleted: make check-sparse."""

    def one(self, make, crash, *options, full_journal=False, most=1.05):
        rng = random.Random(3)
        image, snapshot = TOP + "/whole", TOP + "/snapshot"
        with open(image, "wb") as f:
            f.truncate(1024 * MIB)
        loop = Loop(image)
        run(*make, loop.path)
        with mounted(loop.path, *options) as folder:
            names = fill(folder, rng, 600)
            os.sync()
            delete_half(names)
            os.sync()
            still_open = unfinished(folder, rng) if crash else []
            s = os.statvfs(folder)
            used = (s.f_blocks - s.f_bfree) * s.f_frsize
            run("cp", "--sparse=always", image, snapshot)
            for f in still_open:
                f.close()
        loop.__exit__()
        if not crash:
            run("cp", "--sparse=always", image, snapshot)
        os.unlink(image)
        _, destination, sparse, copy = self.migrate(snapshot)
        self.assertNotIn("left", sparse["found"][0])
        print("used %d, sent %d: %.3f" % (used, copy["sent_bytes"], copy["sent_bytes"] / used),
              file=sys.stderr)
        if full_journal:  # in use, but df does not count it
            text = run("dumpe2fs", "-h", snapshot, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
            used += int(re.search(rb"Total journal size: *([0-9]+)M", text)[1]) * MIB
        self.assertLessEqual(copy["sent_bytes"], most * used)
        run("cp", destination.file, image)
        self.same_tree([Loop(snapshot), Loop(image)], *options)
        os.unlink(snapshot)
        return image

    def fsck(self, image, *argv):
        with Loop(image) as device:
            code, text = report_of(argv, device)
            self.assertEqual(code, 0, text)
        os.unlink(image)

    def test_ext4(self):
        self.fsck(self.one(["mkfs.ext4", "-q"], False), "e2fsck", "-fn")

    def test_ext4_crashed(self):
        self.fsck(self.one(["mkfs.ext4", "-q"], True), "e2fsck", "-fn")

    def test_ext4_crashed_data_journal(self):
        # The replay writes what was deleted since, too; such clusters of the overlay stay.
        self.fsck(self.one(["mkfs.ext4", "-q"], True, "-o", "data=journal", full_journal=True, most=1.1),
                  "e2fsck", "-fn")

    def test_ext3_crashed(self):
        self.fsck(self.one(["mkfs.ext3", "-q"], True, full_journal=True), "e2fsck", "-fn")

    def test_xfs(self):
        self.fsck(self.one(["mkfs.xfs", "-q"], False), "xfs_repair", "-n")

    def test_xfs_crashed(self):
        self.fsck(self.one(["mkfs.xfs", "-q"], True), "xfs_repair", "-n")

    def test_btrfs_crashed(self):
        self.fsck(self.one(["mkfs.btrfs", "-q"], True), "btrfs", "check", "--check-data-csum")


class Without(Sparse):
    def test_tool_is_missing(self):
        self.assertNotIn("libguestfs", self.agent.hello["tools"])

    def test_quick_look_is_enough(self):
        image = TOP + "/half"
        with open(image, "wb") as f:
            f.truncate(64 * MIB)
        for name, command in (("a", ["mkfs.ext4", "-q"]), ("b", ["mkfs.vfat"])):
            run("sgdisk", "-n", "0:0:+%dM" % (30 if name == "a" else 20), image, stdout=subprocess.DEVNULL)
            with Loop(image, MIB if name == "a" else 31 * MIB, 20 * MIB) as device:
                run(*command, device, stdout=subprocess.DEVNULL)
        _, _, sparse, _ = self.migrate(image, appliance_bytes=1)
        self.assertIn("built without libguestfs", sparse["found"][1]["left"])


def main():
    global HOST
    # Of which the appliance is made; the host hides all of /var/lib.
    packages = CACHE + "/packages"
    os.makedirs(packages, exist_ok=True)
    run("mount", "--bind", "/var/lib/dpkg", packages)
    HOST = Host()
    os.makedirs("/var/lib/dpkg")
    run("mount", "--bind", packages, "/var/lib/dpkg")
    # The appliance takes long to build: kept from run to run.
    cache = CACHE + "/appliance"
    os.makedirs(cache, exist_ok=True)
    os.makedirs("/var/lib/osm/appliance", mode=0o700)
    run("mount", "--bind", cache, "/var/lib/osm/appliance")
    run("chown", "-R", "osm:osm", "/var/lib/osm/appliance")
    loader = unittest.TestLoader()
    arguments = [a for a in sys.argv[2:] if a != "--all"]
    if arguments:
        tests = loader.loadTestsFromNames(arguments, sys.modules[__name__])
    elif WITH:
        tests = unittest.TestSuite([loader.loadTestsFromTestCase(Tests)])
        if ALL:
            tests.addTests(loader.loadTestsFromTestCase(Ratios))
    else:
        tests = loader.loadTestsFromTestCase(Without)
    finish(HOST, unittest.TextTestRunner(verbosity=2).run(tests))


if __name__ == "__main__":
    if sys.argv[1:2] != ["--inside"]:
        enter(__file__)
    main()
