#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What osm-agent does for the verification: repair of copies that differ, disks with unreadable sectors."""

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agenthost import (BUILD, LIMIT, MIB, TOP, AgentTest, BadDisk, Channel,  # noqa: E402
                       Refused, main, read, run, server, service_pid, wait_for, worker)

HOST = None


class Verify(AgentTest):
    def setUp(self):
        super().setUp()
        self.linked()

    def export(self, disk):
        return self.agent.call("export.start", id="export-1", volume_id=disk.volume_id,
                               size_bytes=disk.size)["socket"]

    def start(self, disk, path, **options):
        return self.agent.call("copy.start", id="copy-1", volume_id=disk.volume_id,
                               size_bytes=disk.size, source=HOST.peer_source(path), **options)

    def copy(self, disk, path, **options):
        self.start(disk, path, **options)
        return self.agent.wait("copy-1")

    def digest(self, name, disk, **options):
        self.agent.call("digest.start", id=name, volume_id=disk.volume_id, size_bytes=disk.size,
                        chunk_bytes=MIB, **options)
        return self.agent.wait(name)

    def chunks(self, name, count):
        text = self.agent.call("digest.chunks", id=name, first=0, count=count)["chunks"]
        return re.findall(".{32}", text)

    def differing(self, count):
        return [[i * MIB, MIB] for i, (a, b) in
                enumerate(zip(self.chunks("source", count), self.chunks("destination", count))) if a != b]

    def refused(self, text, method, **params):
        with self.assertRaisesRegex(Refused, text) as caught:
            self.agent.call(method, **params)
        return caught.exception.error


def corrupt(disk, *offsets):
    """Bits that nobody has written turn over."""
    with open(disk.path, "r+b", buffering=0) as f:
        for offset in offsets:
            byte = os.pread(f.fileno(), 1, offset)[0]
            os.pwrite(f.fileno(), bytes([byte ^ 1]), offset)
        os.fsync(f.fileno())


class Repair(Verify):
    def copied(self, size=32 * MIB):
        content = random.Random(size).randbytes(size)
        self.source = self.disk(size, content, link="scsi-0QEMU_QEMU_HARDDISK_%s")
        self.destination = self.disk(size, b"\xff" * size)
        self.path = self.export(self.source)
        self.sent = self.copy(self.destination, self.path)["sent_bytes"]

    def test_what_differs_is_copied_again(self):
        self.copied()
        corrupt(self.destination, 5 * MIB, 6 * MIB - 1, 31 * MIB + 77)
        a = self.digest("source", self.source)["manifest"]
        b = self.digest("destination", self.destination, drop_cache=True)["manifest"]
        self.assertNotEqual(a, b)
        ranges = self.differing(32)
        self.assertEqual(ranges, [[5 * MIB, MIB], [31 * MIB, MIB]])
        self.agent.call("copy.repair", id="copy-1", ranges=ranges)
        again = self.agent.wait("copy-1")
        self.assertEqual(again["state"], "done", again)
        self.assertEqual((again["done_bytes"], again["sent_bytes"]), (32 * MIB, 2 * MIB))
        self.assertEqual(self.source.content(), self.destination.content())
        # The source is read again where it matters only; a repaired manifest is that of all the volume.
        for name in "source", "destination":
            self.agent.call("digest.repeat", id=name, ranges=ranges)
            self.assertEqual(self.agent.wait(name)["manifest"], a)
        self.assertEqual(self.differing(32), [])

    def test_a_digest_that_is_repeated_reads_only_there(self):
        self.copied(4 * MIB)
        before = self.digest("destination", self.destination)["manifest"]
        corrupt(self.destination, 100, 3 * MIB)
        self.agent.call("digest.repeat", id="destination", ranges=[[2 * MIB, 1], [2 * MIB + 9, 1]])
        self.assertEqual(self.agent.wait("destination")["manifest"], before)
        self.agent.call("digest.repeat", id="destination", ranges=[[MIB - 1, 1]])
        once = self.agent.wait("destination")["manifest"]
        self.assertNotEqual(once["sha256"], before["sha256"])
        self.agent.call("digest.repeat", id="destination", ranges=[[0, 4 * MIB]])
        whole = self.agent.wait("destination")["manifest"]
        self.assertNotIn(whole["sha256"], (before["sha256"], once["sha256"]))
        self.agent.call("job.forget", id="destination")
        self.assertEqual(self.digest("destination", self.destination)["manifest"], whole)

    def test_requests_that_make_no_sense(self):
        self.copied(2 * MIB)
        self.digest("source", self.source)
        for ranges in (None, 5, [5], [[0]], [[0, 0]], [[2 * MIB, 1]], [[0, 2 * MIB + 1]], [[-1, 5]],
                       [[i * 2, 1] for i in range(4097)]):
            with self.subTest(ranges=str(ranges)[:40]):
                self.refused("'ranges'", "copy.repair", id="copy-1", ranges=ranges)
                self.refused("'ranges'", "digest.repeat", id="source", ranges=ranges)
        self.refused("no job", "copy.repair", id="none", ranges=[[0, 1]])
        self.refused("is no digest", "digest.repeat", id="copy-1", ranges=[[0, 1]])
        self.refused("is no copy", "copy.repair", id="source", ranges=[[0, 1]])
        self.assertEqual(self.agent.call("job.get", ids=["copy-1"])["jobs"][0]["state"], "done")

    def test_a_repair_that_was_cut_off_is_finished_after_a_restart(self):
        self.copied()
        corrupt(self.destination, 7 * MIB)
        os.kill(server(), signal.SIGSTOP)
        self.agent.call("copy.repair", id="copy-1", ranges=[[7 * MIB, MIB]])
        worker("copy")
        self.assertEqual(self.agent.call("copy.repair", id="copy-1", ranges=[[7 * MIB, MIB]])["state"],
                         "running")
        self.refused("is running", "copy.repair", id="copy-1", ranges=[[8 * MIB, MIB]])
        pid = service_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: service_pid() not in (None, pid), "another service")
        wait_for(HOST.answers, "the service")
        self.agent.close()
        self.agent = Channel()
        again = self.agent.wait("copy-1")
        self.assertEqual((again["state"], again["sent_bytes"]), ("done", MIB), again)
        self.assertEqual(self.source.content(), self.destination.content())


class Controller(Verify):
    """What the controller makes of it (controller/migration/verify.c), with both ends at this one agent."""
    SIZE = 1 << 30

    def setUp(self):
        super().setUp()
        rng = random.Random(9)
        self.data = rng.randbytes(3 * MIB)
        self.state = tempfile.mkdtemp(prefix="osm-verify-", dir=TOP)
        self.source = self.disk(self.SIZE, self.data, link="scsi-0QEMU_QEMU_HARDDISK_%s")
        self.destination = self.disk(self.SIZE)
        self.path = self.export(self.source)

    def digests(self, **options):
        self.copy(self.destination, self.path, **options)
        self.again(**options)

    def again(self, **options):
        for name, disk in (("source", self.source), ("destination", self.destination)):
            with contextlib.suppress(Refused):
                self.agent.call("job.forget", id=name)
            self.assertEqual(self.digest(name, disk, **options)["state"], "done")

    def verify(self, status, copy="copy-1"):
        out = run(BUILD + "/tests/functional/verify-driver", self.state, TOP + "/controller", HOST.host_key,
                  copy, "source", "destination", "v-1", "1", check=False, text=True,
                  stdout=subprocess.PIPE, timeout=2 * LIMIT)
        self.assertEqual(out.returncode, status, out.stdout[-2000:])
        return [json.loads(line) for line in out.stdout.splitlines()]

    def facts(self):
        with contextlib.closing(sqlite3.connect(self.state + "/osm.db")) as db:
            return {k: json.loads(v) for k, v in db.execute("SELECT key, value FROM fact")}

    def manifest(self):
        folder = self.state + "/manifests"
        return read("%s/%s/v-1" % (folder, sorted(os.listdir(folder))[-1]))

    def test_equal(self):
        self.digests()
        events = self.verify(0)
        self.assertEqual([e for e in events if e["event"] != "progress"], [])
        facts = self.facts()
        self.assertEqual(list(facts), ["manifest:v-1"])
        self.assertEqual(hashlib.sha256(self.manifest()).hexdigest(), facts["manifest:v-1"]["sha256"])
        self.assertEqual(len(self.manifest()), 16 * 1024)

    def test_a_difference_is_repaired_and_told(self):
        self.digests()
        corrupt(self.destination, MIB + 5, 700 * MIB)
        self.again()
        events = {e["event"]: e for e in self.verify(0)}
        self.assertEqual(events["repaired"]["ranges"], [[MIB, MIB], [700 * MIB, MIB]])
        facts = self.facts()
        self.assertEqual((facts["repair:v-1"]["result"], facts["repair:v-1"]["bytes"]), ("repaired", 2 * MIB))
        self.assertEqual(hashlib.sha256(self.manifest()).hexdigest(), facts["manifest:v-1"]["sha256"])
        with contextlib.closing(sqlite3.connect(self.state + "/osm.db")) as db:
            self.assertIn("was repaired: 1048576 bytes at offset 1048576, 1048576 bytes at offset 734003200",
                          "".join(t for (t,) in db.execute("SELECT text FROM event")))
        # The next run has nothing to do.
        self.assertNotIn("repaired", {e["event"] for e in self.verify(0)})

    def test_a_difference_that_stays_is_an_error_with_its_place(self):
        """The disk is one that forgets: what is written through the agent goes elsewhere."""
        self.digests()
        corrupt(self.source, 2 * MIB)
        # The export serves what the page cache of the device has; the digests see another disk.
        self.agent.call("job.forget", id="source")
        other = self.disk(self.SIZE, self.data[:2 * MIB] + b"other")
        self.digest("source", other)
        error = self.verify(3)[-1]["error"]
        self.assertIn("volume 'data': the copy differs from the source, although this was copied once more: "
                      "1048576 bytes at offset 2097152", error["message"])
        self.assertIn("rollback", error["hint"])
        self.assertEqual(self.facts()["repair:v-1"]["result"], "failed")
        self.assertNotIn("manifest:v-1", self.facts())

    def test_only_compared(self):
        self.digests()
        corrupt(self.destination, 5 * MIB)
        self.again()
        error = self.verify(3, copy="-")[-1]["error"]
        self.assertIn("the copy differs from the source: 1048576 bytes at offset 5242880", error["message"])
        with open(self.destination.path, "rb") as f:
            f.seek(5 * MIB)
            self.assertEqual(f.read(1), b"\1")


class BadBlocks(Verify):
    SIZE = 8 * MIB
    BAD = [(3 * MIB + 512, 512), (5 * MIB, 12288)]

    def setUp(self):
        super().setUp()
        content = random.Random(5).randbytes(self.SIZE)
        self.source = self.disk(self.SIZE, content, self.BAD, kind=BadDisk,
                                link="scsi-0QEMU_QEMU_HARDDISK_%s")
        self.destination = self.disk(self.SIZE, b"\xff" * self.SIZE)
        self.path = self.export(self.source)

    def test_the_copy_fails_and_names_the_place(self):
        ended = self.copy(self.destination, self.path)
        self.assertEqual((ended["state"], ended["error"]["class"]), ("failed", "remote"), ended)
        place = int(re.search(r"cannot read \d+ bytes at offset (\d+)", ended["error"]["message"])[1])
        self.assertIn(place, (3 * MIB, 5 * MIB))
        self.assertNotIn("bad_blocks", ended)
        ended = self.digest("source", self.source)
        self.assertEqual(ended["state"], "failed", ended)
        self.assertRegex(ended["error"]["message"], "at offset %d: Input/output error" % (3 * MIB))

    def test_zeros_take_their_place(self):
        self.refused("bad_blocks", "copy.start", id="x", volume_id="v", size_bytes=1, bad_blocks="skip",
                     source=HOST.peer_source(self.path))
        # A copy that has failed goes on with them.
        self.copy(self.destination, self.path)
        ended = self.copy(self.destination, self.path, bad_blocks="zero")
        self.assertEqual(ended["state"], "done", ended)
        listed = ended["bad_blocks"]
        self.check_listed(listed)
        expected = bytearray(read(self.source.good))
        for offset, length in listed:
            expected[offset:offset + length] = bytes(length)
        self.assertEqual(self.destination.content(), bytes(expected))
        a = self.digest("source", self.source, bad_blocks="zero")
        b = self.digest("destination", self.destination, drop_cache=True)
        self.assertEqual(a["manifest"], b["manifest"])
        self.assertEqual(a["bad_blocks"], listed)
        self.assertNotIn("bad_blocks", b)

    def check_listed(self, listed):
        """All that is bad; a FUSE file loses what the kernel has read together with it, too."""
        bad = {o // 512 for offset, length in self.BAD for o in range(offset, offset + length, 512)}
        found = {o // 512 for offset, length in listed for o in range(offset, offset + length, 512)}
        self.assertEqual(bad - found, set())
        self.assertLess(len(found) * 512, MIB)

    def test_the_list_survives_a_worker_that_is_killed(self):
        self.start(self.destination, self.path, bad_blocks="zero")
        with contextlib.suppress(AssertionError):
            os.kill(worker("copy"), signal.SIGKILL)
        self.agent.wait("copy-1")
        first = self.copy(self.destination, self.path, bad_blocks="zero")
        self.check_listed(first["bad_blocks"])
        # Nothing is left to copy: the list is that of the run before.
        pid = service_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: service_pid() not in (None, pid), "another service")
        wait_for(HOST.answers, "the service")
        self.agent.close()
        self.agent = Channel()
        job = self.agent.call("job.get", ids=["copy-1"])["jobs"][0]
        self.assertEqual((job["state"], job["bad_blocks"]), ("done", first["bad_blocks"]))
        # A place that is copied again is judged again.
        self.agent.call("copy.repair", id="copy-1", ranges=[[3 * MIB, 1]])
        again = self.agent.wait("copy-1")
        self.assertEqual(again["state"], "done", again)
        self.assertEqual(again["bad_blocks"], first["bad_blocks"])
        self.assertEqual(again["sent_bytes"], MIB)


if __name__ == "__main__":
    main(__file__)
