#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of osm-agent's copies: rates that hold, change while it copies and are shared, connections and memory of many disks; and
what it tells of its progress.  The one agent is source and destination at the same time (agenthost.py)."""

import os
import random
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agenthost import (MIB, AgentTest, Channel, Refused, main, processes, read,  # noqa: E402
                       service_pid, wait_for)

HOST = None
WINDOW = 5  # seconds over which a rate is measured
WINDOWS = 3  # a limit holds in each; a machine that does other things may make a copy fall short of it in one
TOLERANCE = 0.10
SLOW = 100000  # so that no copy ends while others are being prepared, on a busy machine


class Case(AgentTest):
    def setUp(self):
        super().setUp()
        self.linked()

    def clean(self):
        with Channel() as agent:
            agent.call("host.limit", bytes_per_second=0)
        super().clean()

    def copy(self, name, mib, limit=None, content=None, **more):
        """A copy of so many MiB of data begins. (source, destination)"""
        source = self.disk(mib * MIB, content or random.Random(mib).randbytes(mib * MIB))
        destination = self.disk(mib * MIB, b"\xff" * MIB)
        path = self.agent.call("export.start", id="e-" + name, volume_id=source.volume_id,
                               size_bytes=source.size)["socket"]
        if limit is not None:
            more["limit_bytes_per_second"] = limit
        self.agent.call("copy.start", id=name, volume_id=destination.volume_id,
                        size_bytes=destination.size, source=HOST.peer_source(path), **more)
        return source, destination

    def jobs(self, *names):
        return self.agent.call("job.get", ids=list(names))["jobs"]

    def job(self, name):
        return self.jobs(name)[0]

    def sent(self, *names):
        """Bytes sent of each at the moment when the last of them said something new, and that moment."""
        before = [j["sent_bytes"] for j in self.jobs(*names)]

        def changed():
            now = [j["sent_bytes"] for j in self.jobs(*names)]
            return now if all(a != b for a, b in zip(before, now)) else None
        return wait_for(changed, "progress of %s" % (names,)), time.monotonic()

    def rates(self, *names):
        """Bytes per second of each over a window, by the counters."""
        first, start = self.sent(*names)
        while True:
            last, end = self.sent(*names)
            if end - start >= WINDOW:
                return [(b - a) / (end - start) for a, b in zip(first, last)]

    def assert_rates(self, limits, shares=None):
        """{names, with spaces: bytes per second}: the rate of these together. Limits are never exceeded; shares are what
        each of several gets, and more while another one has no time for its own."""
        shares = shares or {}
        names = sorted({n for group in (*limits, *shares) for n in group.split()})
        for _ in range(WINDOWS):
            rates = dict(zip(names, self.rates(*names)))
            ratio = {g: sum(rates[n] for n in g.split()) / wanted for g, wanted in (*limits.items(), *shares.items())}
            for group in limits:
                self.assertLess(ratio[group], 1 + TOLERANCE, group)
            if all(abs(r - 1) < TOLERANCE for r in ratio.values()):
                return
        self.fail("in none of %d windows: %s" % (WINDOWS, ratio))

    def ended(self, *names):
        for name in names:
            job = self.agent.wait(name)
            self.assertEqual(job["state"], "done", job)

    def restarted(self):
        old = service_pid()
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: service_pid() not in (None, old), "another service")
        wait_for(HOST.answers, "the service")
        self.agent.close()
        self.agent = Channel()


class Rate(Case):
    def test_a_rate_holds_and_changes_while_copying(self):
        source, destination = self.copy("c", 144, limit=4 * MIB)
        self.assertEqual(self.job("c")["limit_bytes_per_second"], 4 * MIB)
        self.assertEqual(self.job("c")["allowed_bytes_per_second"], 4 * MIB)
        self.assert_rates({"c": 4 * MIB})
        wait_for(lambda: abs(self.job("c")["bytes_per_second"] / (4 * MIB) - 1) < TOLERANCE, "the rate that is told")
        self.assertEqual(self.agent.call("copy.limit", id="c", bytes_per_second=MIB)["limit_bytes_per_second"], MIB)
        self.assert_rates({"c": MIB})
        self.agent.call("copy.limit", id="c", bytes_per_second=3 * MIB)
        self.assert_rates({"c": 3 * MIB})
        start = time.monotonic()
        self.agent.call("copy.limit", id="c", bytes_per_second=0)
        self.ended("c")
        self.assertLess(time.monotonic() - start, WINDOW)
        self.assertEqual(source.content(), destination.content())

    def test_a_low_rate_holds(self):
        self.copy("c", 4, limit=100000)
        self.assert_rates({"c": 100000})

    def test_two_copies_share_the_limit_of_the_host(self):
        self.agent.call("host.limit", bytes_per_second=SLOW)
        self.copy("a", 96)
        self.copy("b", 192)
        self.sent("a", "b")
        self.assertEqual(self.agent.call("host.limit", bytes_per_second=4 * MIB),
                         {"bytes_per_second": 4 * MIB})
        self.assert_rates({"a b": 4 * MIB}, shares={"a": 2 * MIB, "b": 2 * MIB})
        # What one may not use the other gets.
        self.agent.call("copy.limit", id="a", bytes_per_second=MIB)
        self.assert_rates({"a": MIB, "a b": 4 * MIB})
        # And all of it when it is alone.
        self.agent.call("job.cancel", id="a")
        self.assert_rates({"b": 4 * MIB})

    def test_what_an_idle_copy_does_not_use_the_other_gets(self):
        self.agent.call("host.limit", bytes_per_second=SLOW)
        self.copy("stopped", 64)
        self.copy("busy", 96)
        self.sent("stopped", "busy")
        self.agent.call("host.limit", bytes_per_second=4 * MIB)
        for pid in processes("worker export$"):
            if self.disks[0].volume_id and any(
                    os.path.realpath("/proc/%d/fd/%s" % (pid, fd)) == self.disks[0].path
                    for fd in os.listdir("/proc/%d/fd" % pid)):
                os.kill(pid, signal.SIGSTOP)
                self.addCleanup(os.kill, pid, signal.SIGCONT)
        wait_for(lambda: self.job("busy")["allowed_bytes_per_second"] > 3.5 * MIB, "a larger share")
        self.assert_rates({"busy": 4 * MIB})

    def test_the_copies_of_a_group_share_a_limit(self):
        self.copy("a", 64, group="g", group_limit_bytes_per_second=2 * MIB)
        self.copy("b", 64, group="g")
        self.copy("other", 64, limit=2 * MIB)
        self.agent.call("copy.limit", group="g", bytes_per_second=4 * MIB)
        self.assert_rates({"a b": 4 * MIB, "other": 2 * MIB})
        self.assertEqual([j.get("group_limit_bytes_per_second") for j in self.jobs("a", "b", "other")],
                         [4 * MIB, 4 * MIB, None])

    def test_limits_survive_the_service(self):
        self.agent.call("host.limit", bytes_per_second=5 * MIB)
        self.copy("c", 64, limit=2 * MIB)
        self.sent("c")
        self.restarted()
        self.assertEqual(self.agent.call("host.limit"), {"bytes_per_second": 5 * MIB})
        self.assertEqual(self.job("c")["limit_bytes_per_second"], 2 * MIB)
        self.assert_rates({"c": 2 * MIB})

    def test_bad_limits(self):
        for bad in (-1, 1, 1023, 1.5, "10M", None, []):
            with self.subTest(limit=bad), self.assertRaisesRegex(Refused, "bytes_per_second"):
                self.agent.call("copy.limit", id="c", bytes_per_second=bad)
        with self.assertRaisesRegex(Refused, "bytes_per_second"):
            self.agent.call("host.limit", bytes_per_second="10M")
        with self.assertRaisesRegex(Refused, "no job c"):
            self.agent.call("copy.limit", id="c", bytes_per_second=0)
        with self.assertRaisesRegex(Refused, "no copy of the group g"):
            self.agent.call("copy.limit", group="g", bytes_per_second=0)
        for bad in ("", "../g", 5, None):
            with self.subTest(group=bad), self.assertRaisesRegex(Refused, "'group'"):
                self.agent.call("copy.limit", group=bad, bytes_per_second=0)
        disk = self.disk(MIB)
        self.agent.call("digest.start", id="d", volume_id=disk.volume_id, size_bytes=MIB)
        with self.assertRaisesRegex(Refused, "is no copy"):
            self.agent.call("copy.limit", id="d", bytes_per_second=0)
        self.ended("d")


class ManyDisks(Case):
    def test_six_copies_share_connections_and_memory(self):
        names = ["c%d" % i for i in range(6)]
        self.agent.call("host.limit", bytes_per_second=SLOW)
        disks = [self.copy(name, 32 + i) for i, name in enumerate(names)]
        wait_for(lambda: [j.get("connections") for j in self.jobs(*names)] == [1] * 6,
                 "one connection for each")
        self.agent.call("host.limit", bytes_per_second=9 * MIB)
        self.assert_rates({" ".join(names): 9 * MIB})
        memory = 0
        for pid in processes("worker copy$"):
            memory += int(re.search(r"VmRSS:\s+(\d+)", read("/proc/%d/status" % pid).decode())[1])
        if not HOST.sanitized:
            self.assertLess(memory, 256 * 1024)
        self.agent.call("host.limit", bytes_per_second=0)
        self.ended(*names)
        for source, destination in disks:
            self.assertEqual(source.content(), destination.content())

    def test_who_stays_alone_gets_more_connections(self):
        names = ["c%d" % i for i in range(6)]
        self.agent.call("host.limit", bytes_per_second=SLOW)
        disks = [self.copy(name, 24) for name in names]
        wait_for(lambda: self.job("c0").get("connections") == 1, "one connection")
        for name in names[1:]:
            self.agent.call("job.cancel", id=name)
        wait_for(lambda: self.job("c0").get("connections", 9) > 1, "more connections")
        self.agent.call("host.limit", bytes_per_second=0)
        self.ended("c0")
        self.assertEqual(disks[0][0].content(), disks[0][1].content())


class Progress(Case):
    def test_counts_are_true(self):
        content = random.Random(1).randbytes(24 * MIB) + bytes(24 * MIB) + random.Random(2).randbytes(16 * MIB)
        self.copy("c", 64, limit=4 * MIB, content=content)
        seen_eta = False

        def look():
            nonlocal seen_eta
            j = self.job("c")
            if j["state"] != "running":
                return j
            if j["sent_bytes"]:
                self.assertLessEqual(j["sent_bytes"], j["found_bytes"])
                self.assertLessEqual(j["left_bytes"], j["found_bytes"])
                self.assertLessEqual(j["done_bytes"] + j["unknown_bytes"], j["size_bytes"])
            seen_eta = seen_eta or 0 < j.get("eta_ms", -1) < 120000
            return None
        end = wait_for(look, "the end")
        self.assertTrue(seen_eta)
        self.assertEqual(end["state"], "done", end)
        self.assertNotIn("eta_ms", end)
        self.assertEqual((end["found_bytes"], end["zero_bytes"], end["sent_bytes"]),
                         (40 * MIB, 24 * MIB, 40 * MIB))
        self.assertEqual((end["left_bytes"], end["unknown_bytes"], end["free_bytes"],
                          end["bytes_per_second"]), (0, 0, 0, 0))

    def test_what_was_sent_is_not_sent_again_after_a_cancel(self):
        self.copy("c", 32, limit=4 * MIB)
        wait_for(lambda: self.job("c")["done_bytes"] > 4 * MIB, "some progress")
        cancelled = self.agent.call("job.cancel", id="c")
        self.agent.call("copy.limit", id="c", bytes_per_second=0)
        source, destination = self.disks
        self.agent.call("copy.start", id="c", volume_id=destination.volume_id,
                        size_bytes=destination.size, source=HOST.peer_source("/exports/e-c"))
        end = self.agent.wait("c")
        self.assertEqual(end["state"], "done", end)
        self.assertEqual(end["done_bytes"], 32 * MIB)
        self.assertEqual((end["left_bytes"], end["unknown_bytes"]), (0, 0))
        self.assertGreaterEqual(cancelled["sent_bytes"] + end["sent_bytes"], 32 * MIB)
        self.assertLess(cancelled["sent_bytes"] + end["sent_bytes"], 36 * MIB)
        self.assertEqual(source.content(), destination.content())


if __name__ == "__main__":
    main(__file__)
