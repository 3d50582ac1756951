#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The copy engine when things go wrong: connections that are cut, workers that are killed, disks that fail."""

import importlib.machinery
import importlib.util
import json
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), "%s/%s.py" % (HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


nbd = load("nbd-copy")
BUILD, DRIVER, LIMIT, MIB = nbd.BUILD, nbd.DRIVER, nbd.LIMIT, nbd.MIB
USER, RETRY, REMOTE = nbd.USER, nbd.RETRY, nbd.REMOTE
AGAIN_MAX = 64 * MIB  # what may be sent again after an interruption


class Base(nbd.Copy):
    pass


for _name in dir(Base):
    if _name.startswith("test_"):
        setattr(Base, _name, None)  # they run in their own file


class Proxy:
    """Between the engine and a TCP port or a Unix socket. Cuts each connection after so many bytes of the server's,
    or hands them on a few at a time."""

    def __init__(self, family, target, listen, budgets=None, most=65536, reset=True):
        self.family, self.target = family, target
        self.budgets, self.most, self.reset = budgets, most, reset
        self.cuts = 0
        self.listener = socket.socket(family)
        self.listener.bind(listen)
        self.listener.listen(16)
        self.stopped = False
        self.threads = [threading.Thread(target=self.serve)]
        self.threads[0].start()

    def port(self):
        return self.listener.getsockname()[1]

    def serve(self):
        while not self.stopped:
            if not select.select([self.listener], [], [], 0.1)[0]:
                continue
            client, _ = self.listener.accept()
            thread = threading.Thread(target=self.join, args=(client,))
            thread.start()
            self.threads.append(thread)

    def join(self, client):
        server = socket.socket(self.family)
        left = next(self.budgets) if self.budgets else None
        try:
            server.connect(self.target)
            while not self.stopped:
                for s in select.select([client, server], [], [], 0.1)[0]:
                    data = s.recv(self.most)
                    if not data:
                        return
                    if s is client:
                        server.sendall(data)
                        continue
                    if left is not None and len(data) >= left:
                        client.sendall(data[:left])
                        self.cuts += 1
                        if self.reset:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        return
                    client.sendall(data)
                    left = None if left is None else left - len(data)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()
        self.listener.close()


def budgets(seed, low, high):
    rng = random.Random(seed)
    while True:
        yield rng.randint(low, high)


class Connections(Base):
    def through(self, proxy, **options):
        """The arguments for the SSH server behind a proxy."""
        self.addCleanup(proxy.stop)
        argument = self.sshd.argument(**options)
        argument[1] = argument[1].replace(",%d," % self.sshd.port, ",%d," % proxy.port())
        return argument

    def cut(self, reset):
        size = 48 * MIB + 7
        source, destination = self.image(size), self.destination(size)
        path = self.export(source)
        proxy = Proxy(socket.AF_INET, ("127.0.0.1", self.sshd.port), ("127.0.0.1", 0),
                      budgets(1, 2 * MIB, 7 * MIB), reset=reset)
        result = self.drive(*self.through(proxy), path, size, destination)
        self.assertTrue(nbd.same(source, destination))
        self.assertGreater(proxy.cuts, 5)
        self.assertGreaterEqual(result["reconnects"], 5)
        # Only what was on its way when a connection was cut is sent again.
        self.assertLess(result["sent"] - size, AGAIN_MAX)
        self.assertEqual(result["done"], size)

    def test_connections_reset_every_few_megabytes(self):
        self.cut(True)

    def test_connections_ended_every_few_megabytes(self):
        self.cut(False)

    def test_connections_cut_while_they_are_made(self):
        size = 4 * MIB
        source, destination = self.image(size), self.destination(size)
        path = self.export(source)
        first = iter([10, 30, 700, 1500, 2500, 3500])
        proxy = Proxy(socket.AF_INET, ("127.0.0.1", self.sshd.port), ("127.0.0.1", 0),
                      (b for b in iter(lambda: next(first, 1 << 40), None)))
        self.drive(*self.through(proxy), path, size, destination)
        self.assertTrue(nbd.same(source, destination))

    def test_nbd_answers_cut_anywhere(self):
        """Without SSH: every length of an answer is torn apart, headers too."""
        size = 3 * MIB + 1
        source, destination = self.image(size), self.destination(size)
        real = self.export(source)
        for low, high in ((300, 2000), (100000, 600000)):
            with self.subTest(low=low):
                destination = self.destination(size)
                lengths = budgets(low, low, high)
                turns = iter(range(25))
                proxy = Proxy(socket.AF_UNIX, real, self.path("proxy.sock"),
                              iter(lambda: next(lengths) if next(turns, None) is not None else 1 << 40, None))
                try:
                    self.drive(self.path("proxy.sock"), size, destination)
                finally:
                    proxy.stop()
                    os.unlink(self.path("proxy.sock"))
                self.assertTrue(nbd.same(source, destination))

    def test_answers_in_tiny_pieces(self):
        size = MIB + 511
        source, destination = self.image(size), self.destination(size)
        real = self.export(source)
        for most in (1, 17, 1000):
            with self.subTest(most=most):
                n = size if most > 1 else 4097
                if most == 1:
                    real = self.export(self.image(n))
                destination = self.destination(n)
                proxy = Proxy(socket.AF_UNIX, real, self.path("proxy.sock"), most=most)
                try:
                    self.drive(self.path("proxy.sock"), n, destination)
                finally:
                    proxy.stop()
                    os.unlink(self.path("proxy.sock"))
                self.assertTrue(nbd.same(source, destination))
                if most == 1:
                    real = self.export(self.image(size))

    def test_a_source_that_comes_back_late(self):
        """As after a reboot of the source host: away for longer than a few attempts, within reconnect_ms."""
        size = 24 * MIB
        source, destination = self.image(size), self.destination(size)
        arguments = ("--filter=rate", "file", source, "rate=160M")
        path = self.serve(*arguments)
        process = self.start("-t", LIMIT * 1000, path, size, destination)
        self.wait_done(process, 4 * MIB)
        with open(self.path("nbdkit.pid"), encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGKILL)
        wait_until = time.monotonic() + 3
        for line in process.stderr:
            if time.monotonic() > wait_until:
                self.assertIn("connections 0", line)
                break
        self.serve(*arguments)
        self.finish(process)
        self.assertTrue(nbd.same(source, destination))


class Workers(Base):
    def interrupted(self, size, environment=None, kill_at=(70 * MIB, 130 * MIB), rate="1600M"):
        """Kills the copy at those places, starts it again each time; how much was sent in vain each time."""
        source = self.image(size)
        destination = self.destination(size)
        bitmap = self.path("bitmap")
        if os.path.exists(bitmap):
            os.unlink(bitmap)
        path = self.serve("--filter=rate", "file", source, "rate=" + rate)
        again = []
        before = None  # what had been received of the volume when it was killed
        for kill in tuple(kill_at) + (None,):
            process = subprocess.Popen([DRIVER, "-p", "-b", bitmap, path, str(size), destination],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env=environment)
            done, sent, first = 0, 0, None
            for line in process.stderr:
                match = re.match(r"done (\d+) connections \d+ sent (\d+)", line)
                if not match:
                    continue
                done, sent = int(match[1]), int(match[2])
                if first is None and done > 0:
                    first = done - sent
                if kill is not None and done >= kill:
                    process.kill()
                    break
            rest = process.stderr.read()
            for match in re.finditer(r"done (\d+) connections \d+ sent (\d+)", rest):
                done, sent = int(match[1]), int(match[2])
            out = process.stdout.read()
            process.wait()
            process.stdout.close()
            process.stderr.close()
            if kill is None:
                result = json.loads(out)
                self.assertEqual((process.returncode, result["done"]), (0, size), result)
                start = size - result["sent"]
            else:
                start = first
            if before is not None:
                again.append(before - start)
            before = start + sent
        self.assertTrue(nbd.same(source, destination))
        return again

    def test_a_killed_worker_sends_little_again(self):
        for again in self.interrupted(200 * MIB + 5):
            self.assertLessEqual(again, AGAIN_MAX)

    def test_a_killed_worker_whose_disk_is_slow_to_flush(self):
        """Much would come while a flush takes a second: the engine waits before it is too much."""
        shim = self.path("slow.so")
        with open(self.path("slow.c"), "w", encoding="ascii") as f:
            f.write("#include <unistd.h>\nint fdatasync (int fd) { sleep (1); return fsync (fd); }\n")
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-o", shim, self.path("slow.c")], check=True)
        out = subprocess.run(["ldd", DRIVER], check=True, stdout=subprocess.PIPE, text=True).stdout
        first = re.findall(r"=> (\S*/lib(?:asan|tsan)\S*)", out)
        environment = dict(os.environ, LD_PRELOAD=":".join(first + [shim]))
        for again in self.interrupted(128 * MIB, environment, kill_at=(40 * MIB, 90 * MIB)):
            self.assertLessEqual(again, AGAIN_MAX)

    def test_killed_at_random_moments(self):
        rng = random.Random(3)
        size = 40 * MIB
        self.interrupted(size, kill_at=sorted(rng.randint(1, size - MIB) for _ in range(6)), rate="800M")


class Sources(Base):
    def test_sizes(self):
        for size in (0, 1, 511, 512, 4095, 4096, 4097):
            with self.subTest(size=size):
                self.check_copy(size)
                sums = {self.drive("-d", 4096, size, self.path(name))["sha256"]
                        for name in ("source", "destination")}
                self.assertEqual(len(sums), 1)

    def test_a_sparse_tebibyte(self):
        size = 1 << 40
        islands = [(0, 70000), (size // 2 + 4097, 12345), (size - 100, 100)]
        source = self.image(size, islands)
        destination = self.path("large")
        before = time.monotonic()
        path = self.export(source)
        result = self.drive("-b", self.path("large.bitmap"), path, size, destination)
        self.assertLess(result["sent"], MIB)
        self.assertEqual(result["done"], size)
        self.assertLess(os.stat(destination).st_blocks * 512, MIB)
        for offset, length in islands:
            data = []
            for name in (source, destination):
                with open(name, "rb") as f:
                    f.seek(offset)
                    data.append(f.read(length))
            self.assertEqual(data[0], data[1])
        sums = {self.drive("-d", MIB, size, name)["sha256"] for name in (source, destination)}
        self.assertEqual(len(sums), 1)
        self.assertLess(time.monotonic() - before, LIMIT)
        os.unlink(destination)

    def test_source_larger_or_smaller_than_expected(self):
        path = self.export(self.image(MIB))
        for size in (MIB - 1, MIB + 1, 0, 1 << 40):
            with self.subTest(size=size):
                untouched = self.path("untouched")
                result = self.drive(path, size, untouched, status=USER)
                self.assertIn("has 1048576 bytes, expected %d" % size, result["error"]["message"])
                self.assertEqual(os.stat(untouched).st_size, 0)

    def test_source_that_shrinks(self):
        size = 8 * MIB
        source = self.image(size)
        path = self.export(source)
        os.truncate(source, 5 * MIB)
        result = self.drive(path, size, self.destination(size), status=REMOTE)
        self.assertIn("cannot read", result["error"]["message"])
        # Many requests are under way: which of those behind the end is answered first is not said.
        offset = int(re.search(r"at offset (\d+)", result["error"]["message"]).group(1))
        self.assertTrue(5 * MIB <= offset < size, offset)

    def bad_disk(self, size, bad):
        tests = "".join("[ $4 -ge %d ] || [ $(($3 + $4)) -le %d ] || bad; " % (offset + length, offset)
                        for offset, length in bad)
        return self.serve("eval", "get_size=echo %d" % size,
                          "pread=bad() { echo 'EIO bad sector' >&2; exit 1; }; %s"
                          "dd if=%s iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=1M status=none" %
                          (tests, self.path("source")))

    def test_bad_sectors_become_zeros(self):
        size = 4 * MIB + 513
        bad = [(512, 512), (MIB + 8192, 1536), (2 * MIB - 512, 1024), (size - 1, 1)]
        source = self.image(size)
        path = self.bad_disk(size, bad)
        destination = self.destination(size)
        result = self.drive(path, size, destination, status=REMOTE)
        self.assertRegex(result["error"]["message"], r"cannot read \d+ bytes at offset \d+: Input/output error")
        result = self.drive("-Z", path, size, destination)
        # In sectors, the last of which is short.
        self.assertEqual(result["bad_blocks"], [[512, 512], [MIB + 8192, 1536], [2 * MIB - 512, 1024],
                                                [size - 1, 1]])
        with open(source, "r+b") as f:
            for offset, length in bad:
                f.seek(offset)
                f.write(bytes(length))
        self.assertTrue(nbd.same(source, destination))

    def test_a_disk_with_too_many_bad_sectors(self):
        size = 2 * MIB
        self.image(size)
        path = self.serve("eval", "get_size=echo %d" % size,
                          "pread=if [ $3 -gt 512 ] || [ $(($4 / 512 %% 2)) = 0 ]; then echo 'EIO bad' >&2; exit 1; fi; "
                          "head -c $3 /dev/zero".replace("%%", "%"))
        result = self.drive("-Z", path, size, "-", status=REMOTE)
        self.assertIn("at more than 1024 places", result["error"]["message"])

    def test_errors_that_come_and_go(self):
        """Reads that fail now and then, with and without extents: never a wrong byte."""
        size = 16 * MIB
        source, destination = self.image(size), self.destination(size)
        path = self.serve("--filter=error", "file", source, "error-extents=EIO",
                          "error-extents-rate=50%")
        self.drive(path, size, destination)
        self.assertTrue(nbd.same(source, destination))


class Destinations(Base):
    def test_full(self):
        size = 16 * MIB
        path = self.export(self.image(size))
        script = "mount -t tmpfs -o size=6M tmpfs %s && exec \"$@\"" % self.path("small")
        os.makedirs(self.path("small"), exist_ok=True)
        unshare = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
        out = subprocess.run(unshare + ["sh", "-c", script, "sh", DRIVER, path, str(size),
                                        self.path("small/destination")],
                             stdout=subprocess.PIPE, timeout=LIMIT, check=False)
        result = json.loads(out.stdout)
        self.assertEqual(out.returncode, USER, result)
        self.assertRegex(result["error"]["message"],
                         r"write \d+ bytes at offset \d+ of the destination: .*No space left on device")

    def test_failing(self):
        """Nothing beyond 8 MiB can be written."""
        size = 16 * MIB
        path = self.export(self.image(size))
        destination = self.destination(size)
        out = subprocess.run([DRIVER, path, str(size), destination], stdout=subprocess.PIPE,
                             timeout=LIMIT, check=False, restore_signals=False,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8 * MIB, 8 * MIB)))
        result = json.loads(out.stdout)
        self.assertNotEqual(out.returncode, 0)
        place = int(re.search(r"at offset (\d+) of the destination: .*File too large",
                              result["error"]["message"])[1])
        self.assertGreaterEqual(place + 512 * 1024, 8 * MIB)

    def test_no_file_at_all(self):
        path = self.export(self.image(MIB))
        result = self.drive(path, MIB, "/dev/full", status=USER)
        self.assertIn("neither a block device nor a file", result["error"]["message"])


class Digests(Base):
    def test_truncation_is_no_digest(self):
        """What is shorter than it should be has no digest, also when the rest would be zeros."""
        size = 3 * MIB
        source = self.image(size, [(0, MIB)])
        whole = self.drive("-d", MIB, size, source)["sha256"]
        for shorter in (MIB, 2 * MIB, size - 1):
            os.truncate(source, shorter)
            result = self.drive("-d", MIB, size, source, status=USER)
            self.assertNotIn("sha256", result)
            self.assertIn("has %d bytes, expected %d" % (shorter, size), result["error"]["message"])
            # Nor is the shorter one equal to the longer one when it is digested with its own size.
            self.assertNotEqual(self.drive("-d", MIB, shorter, source)["sha256"], whole)
        os.truncate(source, size)
        self.assertEqual(self.drive("-d", MIB, size, source)["sha256"], whole)


if __name__ == "__main__":
    unittest.main(verbosity=2)
