#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compression on the tunnel: a real sshd behind a link that can be slow, osm's NBD server and its compressed twin."""

import contextlib
import importlib.util
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

spec = importlib.util.spec_from_file_location(
    "nbd_copy", os.path.join(os.path.dirname(os.path.abspath(__file__)), "nbd-copy.py"))
nbd_copy = importlib.util.module_from_spec(spec)
spec.loader.exec_module(nbd_copy)

MIB = nbd_copy.MIB
DRIVER = nbd_copy.DRIVER


class Link:
    """A TCP proxy; all connections together get so many bytes a second from the server."""

    def __init__(self, port, bytes_per_second):
        self.target = port
        self.rate = bytes_per_second
        self.free_at = time.monotonic()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                for a, b, slow in ((client, server, False), (server, client, True)):
                    a.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 256 << 10)
                    threading.Thread(target=self.carry, args=(a, b, slow), daemon=True).start()

    def carry(self, a, b, slow):
        with contextlib.suppress(OSError):
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if slow:
                    with self.lock:
                        now = time.monotonic()
                        self.free_at = max(self.free_at, now - 0.01) + len(data) / self.rate
                        wait = self.free_at - now
                    if wait > 0:
                        time.sleep(wait)  # this is what a slow link does
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        if slow:
            a.close()  # the other thread has been woken by the shutdown
            b.close()


class Compress(nbd_copy.Copy):
    """The helpers of Copy, none of its tests."""

    def text(self, size):
        """What a log is like: compresses to about a fifth."""
        path = self.path("source")
        rng = random.Random(size)
        with open(path, "wb") as f:
            left = size
            while left > 0:
                lines = "".join("Nov 21 09:%02d:%02d host sshd[%d]: Accepted publickey for user%d\n" %
                                (rng.randrange(60), rng.randrange(60), rng.randrange(99999),
                                 rng.randrange(999)) for _ in range(4000)).encode()
                block = (lines * (MIB // len(lines) + 1))[:min(MIB, left)]
                f.write(block)
                left -= len(block)
        return path

    def twin(self, nbd):
        """The compressed socket beside the plain one."""
        path = nbd + ".zst"
        if os.path.exists(path):
            os.unlink(path)
        process = subprocess.Popen([DRIVER, "-T", path, nbd])
        self.addCleanup(self.stop, process)
        nbd_copy.wait_for(lambda: os.path.exists(path), "the compressed socket")
        return process

    def link(self, bytes_per_second):
        link = Link(self.sshd.port, bytes_per_second)
        self.addCleanup(link.close)
        argument = self.sshd.argument()
        argument[1] = argument[1].replace(",%d," % self.sshd.port, ",%d," % link.port)
        return argument

    def timed(self, ssh, mode, nbd, source, size):
        destination = self.destination(size)
        start = time.monotonic()
        result = self.drive(*ssh, "-C", mode, nbd, size, destination)
        seconds = time.monotonic() - start
        self.assertTrue(nbd_copy.same(source, destination), mode)
        self.assertEqual(result["done"], size)
        return seconds, result

    def watched_twin(self, nbd):
        """A socket in the twin's place that nobody should come to; returns the list of who did."""
        came = []
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(nbd + ".zst"):
            os.unlink(nbd + ".zst")
        listener.bind(nbd + ".zst")
        listener.listen()
        self.addCleanup(lambda: [s.close() for s in came + [listener]])

        def accept():
            with contextlib.suppress(OSError):
                while True:
                    came.append(listener.accept()[0])
        threading.Thread(target=accept, daemon=True).start()
        return came

    def test_compressible_data_on_a_slow_link(self):
        size = 160 * MIB + 4097
        source = self.text(size)
        nbd = self.export(source)
        self.twin(nbd)
        ssh = self.link(16 << 20)
        off, plain = self.timed(ssh, "off", nbd, source, size)
        on, compressed = self.timed(ssh, "on", nbd, source, size)
        auto, decided = self.timed(ssh, "auto", nbd, source, size)
        print("slow link: off %.2f s, on %.2f s, auto %.2f s; %d, %d, %d MiB on the wire" % (
            off, on, auto, plain["wire"] / MIB, compressed["wire"] / MIB, decided["wire"] / MIB))
        self.assertGreaterEqual(plain["wire"], size)
        self.assertLess(plain["wire"], size + MIB)
        self.assertLess(compressed["wire"], size / 2.5)
        self.assertLess(on, off / 2)
        self.assertLess(auto, off / 2)

    def test_random_data_stays_plain(self):
        size = 120 * MIB + 1
        source = self.image(size)
        nbd = self.export(source)
        came = self.watched_twin(nbd)
        for name, ssh in (("fast", self.sshd.argument()), ("slow", self.link(40 << 20))):
            seconds, result = self.timed(ssh, "auto", nbd, source, size)
            print("random data, %s link: %.2f s, %d MiB on the wire" % (
                name, seconds, result["wire"] / MIB))
            self.assertGreaterEqual(result["wire"], size)
            self.assertEqual(came, [])

    def test_data_that_changes_its_kind(self):
        """Text, then random: compression comes and goes, every byte is right."""
        size = 96 * MIB
        source = self.text(size // 2)
        with open(source, "ab") as f:
            f.write(random.Random(1).randbytes(size // 2))
        nbd = self.export(source)
        self.twin(nbd)
        for mode in ("on", "auto"):
            self.timed(self.link(16 << 20), mode, nbd, source, size)

    def test_sizes_and_holes(self):
        for size in (0, 1, 4097, 10 * MIB + 7):
            source = self.image(size, [(0, size // 3)], seed=size)
            nbd = self.export(source)
            self.twin(nbd)
            with self.subTest(size=size):
                self.timed(self.sshd.argument(), "on", nbd, source, size)

    def test_lost_connections_and_a_twin_that_dies(self):
        size = 64 * MIB + 11
        source = self.text(size)
        destination = self.destination(size)
        nbd = self.serve("--filter=rate", "file", source, "rate=240M")
        twin = self.twin(nbd)
        process = self.start(*self.sshd.argument(), "-C", "on", nbd, size, destination)
        self.wait_done(process, 8 * MIB)
        for pid in self.sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        self.wait_done(process, 24 * MIB)
        twin.kill()
        twin.wait()
        self.twin(nbd)
        result = self.finish(process)
        self.assertTrue(nbd_copy.same(source, destination))
        self.assertGreaterEqual(result["reconnects"], 2)

    def test_source_without_a_twin(self):
        size = 48 * MIB
        source = self.text(size)
        nbd = self.export(source)
        if os.path.exists(nbd + ".zst"):
            os.unlink(nbd + ".zst")
        _, result = self.timed(self.link(16 << 20), "auto", nbd, source, size)
        self.assertGreaterEqual(result["wire"], size)
        result = self.drive(*self.sshd.argument(), "-C", "on", nbd, size, self.path("untouched"),
                            status=nbd_copy.REMOTE)
        self.assertIn(".zst", result["error"]["message"])

    def test_hostile_twin(self):
        size = MIB
        nbd = self.export(self.image(size))
        for what in (b"NBDMAGICIHAVEOPT" * 64, b"\x28\xb5\x2f\xfd" + b"\xff" * 4096, b"\0" * 70000):
            came = self.watched_twin(nbd)
            process = self.start(*self.sshd.argument(), "-C", "on", nbd, size, self.path("untouched"))
            nbd_copy.wait_for(lambda: came, "a connection")  # pylint: disable=cell-var-from-loop
            with contextlib.suppress(OSError):
                came[0].sendall(what)
            result = self.finish(process, nbd_copy.REMOTE)
            self.assertIn("damaged compressed data", result["error"]["message"])


for name in [n for n in dir(nbd_copy.Copy) if n.startswith("test_")]:
    if name not in Compress.__dict__:
        setattr(Compress, name, None)
del spec, name

if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
