#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The data plane with osm's NBD server, nbdkit where that can do more, and a real sshd on the loopback."""

import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
DRIVER = os.path.join(BUILD, "tests/functional/copy-driver")
USER, RETRY, REMOTE, INTERRUPTED = 1, 2, 3, 5
MIB = 1 << 20
LIMIT = 60  # seconds, for anything that should take one


def wait_for(condition, what):
    """Waits until condition() is true."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as f:
        return [int(x) for x in f.read().split()]


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(path) == 0


def same(a, b):
    return subprocess.run(["cmp", a, b], check=False).returncode == 0


class Sshd:
    """A sshd of this user on a free port; host and client keys of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.client_key = os.path.join(folder, "client")
        self.host_keys = os.path.join(folder, "host_keys")
        for name in ("host", "other", "stranger"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            os.path.join(folder, name)], check=True)
        out = subprocess.run([DRIVER, "-k", self.client_key], check=True, stdout=subprocess.PIPE)
        self.public_key = json.loads(out.stdout)["public_key"]
        self.write("authorized_keys", self.public_key + "\n")
        self.write("host_keys", self.read("host.pub"))
        self.write("other_keys", self.read("other.pub"))
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.start()

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
            return f.read()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(os.path.join(self.folder, name), 0o600)

    def start(self):
        for _ in range(20):  # another process may take the port between the two binds
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
            self.write("config", "\n".join([
                "Port %d" % self.port, "ListenAddress 127.0.0.1",
                "HostKey %s/host" % self.folder,
                "AuthorizedKeysFile %s/authorized_keys" % self.folder,
                "StrictModes no", "UsePAM no", "PasswordAuthentication no",
                "KbdInteractiveAuthentication no", "AllowStreamLocalForwarding yes",
                "PermitRootLogin prohibit-password", "PidFile none",
                "RekeyLimit 32M",  # so that new keys in the middle of a copy are tested
                ""]))
            sshd = shutil.which("sshd", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
            if not sshd:
                raise AssertionError("sshd not found: apt-get install openssh-server")
            with open(self.folder + "/sshd.log", "ab") as log:
                self.process = subprocess.Popen([sshd, "-D", "-e", "-f", self.folder + "/config"],
                                                stderr=log)
            wait_for(lambda: self.process.poll() is not None or self.listening(), "sshd")
            if self.process.poll() is None:
                return
        raise AssertionError("sshd does not start:\n" + self.read("sshd.log"))

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def sessions(self):
        return children(self.process.pid)

    def stop(self):
        for pid in self.sessions():
            os.kill(pid, signal.SIGKILL)
        self.process.terminate()
        self.process.wait()

    def argument(self, key=None, host_keys=None, cipher=None):
        parts = ["127.0.0.1", str(self.port), self.user, key or self.client_key,
                 host_keys or self.host_keys]
        return ["-S", ",".join(parts + ([cipher] if cipher else []))]


class Copy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="osm-nbd-")
        cls.sshd = Sshd(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.sshd.stop()
        shutil.rmtree(cls.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def image(self, size, islands=None, seed=1):
        """A file of random data; with islands (offset, length): a sparse one with data there."""
        path = self.path("source")
        if os.path.exists(path):
            os.unlink(path)
        rng = random.Random(seed)
        with open(path, "wb") as f:
            f.truncate(size)
            for offset, length in [(0, size)] if islands is None else islands:
                f.seek(offset)
                f.write(rng.randbytes(length))
        return path

    def destination(self, size):
        """Full of ones: whatever is not written shows."""
        path = self.path("destination")
        with open(path, "wb") as f:
            left = size
            while left > 0:
                f.write(b"\xff" * min(left, MIB))
                left -= min(left, MIB)
        return path

    def serve(self, *arguments):
        """Starts nbdkit; returns its socket."""
        path = self.path("nbd.sock")
        pidfile = self.path("nbdkit.pid")
        for stale in (path, pidfile):
            if os.path.exists(stale):
                os.unlink(stale)
        # One thread: nbdkit 1.32 aborts when a client vanishes while several answer it.
        process = subprocess.Popen(["nbdkit", "-f", "-r", "-t", "1", "-P", pidfile, "-U", path] +
                                   list(arguments), stderr=subprocess.DEVNULL)
        self.addCleanup(self.stop, process)
        wait_for(lambda: process.poll() is not None or os.path.exists(pidfile), "nbdkit")
        self.assertIsNone(process.poll(), "nbdkit did not start")
        return path

    def export(self, source, *options):
        """Starts osm's own server of a file, or ("-", size) of synthetic data; returns its socket."""
        path = self.path("nbd.sock")
        if os.path.exists(path):
            os.unlink(path)
        size = os.stat(source).st_size if source != "-" else options[-1]
        process = subprocess.Popen([DRIVER, *options[:-1 if source == "-" else None], "-N", path,
                                    str(size), source])
        self.server = process
        self.addCleanup(self.stop, process)
        wait_for(lambda: process.poll() is not None or answers(path), "the server")
        self.assertIsNone(process.poll(), "the server did not start")
        return path

    @staticmethod
    def stop(process):
        """nbdkit's libraries may hang in their destructors (p11-kit's freelocale)."""
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def drive(self, *arguments, status=0):
        out = subprocess.run([DRIVER] + [str(a) for a in arguments], stdout=subprocess.PIPE,
                             timeout=LIMIT, check=False)
        result = json.loads(out.stdout)
        self.assertEqual(out.returncode, status, result)
        return result

    def check_copy(self, size, islands=None, through_ssh=True, options=()):
        source = self.image(size, islands, seed=size)
        destination = self.destination(size)
        nbd = self.export(source)
        ssh = self.sshd.argument() if through_ssh else []
        result = self.drive(*ssh, *options, nbd, size, destination)
        self.assertTrue(same(source, destination))
        self.assertEqual(result["done"], size)
        self.assertEqual(result["sent"] + result["zero"], size)
        return result

    def test_odd_sizes(self):
        for size in (0, 1, 511, 512, 4095, 4097, 10 * MIB + 7):
            with self.subTest(size=size):
                self.check_copy(size, through_ssh=False)

    def test_odd_sizes_through_ssh(self):
        for size in (0, 1, 4097, 10 * MIB + 7):
            with self.subTest(size=size):
                result = self.check_copy(size)
                self.assertIn(result["cipher"], ("aes128-gcm@openssh.com",
                                                 "chacha20-poly1305@openssh.com"))

    def test_sparse_with_islands(self):
        size = 200 * MIB + 513
        islands = [(0, 5 * MIB), (50 * MIB + 17, 3 * MIB + 1), (120 * MIB, 40 * MIB),
                   (size - 100, 100)]
        data = sum(length for _, length in islands)
        result = self.check_copy(size, islands)
        self.assertLess(result["sent"], data + 16 * 65536)
        blocks = os.stat(self.path("destination")).st_blocks * 512
        self.assertLess(blocks, data + MIB)

    def test_zeros_of_a_server_without_extents(self):
        size = 20 * MIB + 5
        source = self.image(size, [(MIB, 100), (19 * MIB, MIB + 5)])
        destination = self.destination(size)
        nbd = self.serve("--filter=noextents", "file", source)
        result = self.drive(nbd, size, destination)
        self.assertTrue(same(source, destination))
        self.assertEqual(result["sent"], size)
        self.assertLess(os.stat(destination).st_blocks * 512, 4 * MIB)

    def test_destination_that_is_zero(self):
        size = 8 * MIB + 1
        source = self.image(size, [(3 * MIB, 70000)])
        nbd = self.export(source)
        destination = self.path("destination")
        if os.path.exists(destination):
            os.unlink(destination)
        self.drive("-z", nbd, size, destination)
        self.assertTrue(same(source, destination))

    def write_map(self, size, ranges):
        path = self.path("free")
        self.drive("-W", ",".join("%d+%d" % r for r in ranges), size, path + ".new")
        os.rename(path + ".new", path)

    def free_copy(self, size, ranges, before, through_ssh=False):
        """Copies random data; what is free is zero at the destination, and in both digests."""
        source = self.image(size, seed=size)
        destination = self.destination(size)
        if os.path.exists(self.path("free")):
            os.unlink(self.path("free"))
        if before:
            self.write_map(size, ranges)
        nbd = self.export(source, "-F", self.path("free"))
        ssh = self.sshd.argument() if through_ssh else []
        if not before:
            bitmap = self.path("bitmap")
            if os.path.exists(bitmap):
                os.unlink(bitmap)
            self.drive(*ssh, "-f", "-b", bitmap, "-x", 8 * MIB, nbd, size, destination, status=INTERRUPTED)
            self.write_map(size, ranges)
            ssh = ssh + ["-b", bitmap]
        result = self.drive(*ssh, "-f", nbd, size, destination)
        free = sum(length for _, length in ranges)
        self.assertEqual(result["free"], free)
        expected = self.path("expected")
        shutil.copy(source, expected)
        with open(expected, "r+b") as f:
            for offset, length in ranges:
                f.seek(offset)
                f.write(bytes(length))
        self.assertTrue(same(expected, destination))
        digest = self.drive("-d", MIB, "-F", self.path("free"), size, source)["sha256"]
        self.assertEqual(digest, self.drive("-d", MIB, size, destination)["sha256"])
        return result, free

    def test_free_ranges_are_neither_sent_nor_kept(self):
        size = 64 * MIB + 77
        ranges = [(65536, 65536), (MIB, 30 * MIB), (40 * MIB + 65536, 4096),
                  (50 * MIB, size - 50 * MIB)]
        result, free = self.free_copy(size, ranges, before=True)
        self.assertLessEqual(result["sent"], size - free + 4 * 65536)

    def test_map_of_free_space_that_comes_while_it_is_copied(self):
        size = 64 * MIB + 77
        ranges = [(65536 * n, 65536) for n in range(0, 1000, 3)]
        self.free_copy(size, ranges, before=False, through_ssh=True)

    def test_no_map_of_free_space(self):
        size = 5 * MIB + 1
        source = self.image(size)
        destination = self.destination(size)
        nbd = self.export(source, "-F", self.path("none"))
        result = self.drive("-f", nbd, size, destination)
        self.assertEqual(result["free"], 0)
        self.assertTrue(same(source, destination))

    def test_chacha20(self):
        size = 40 * MIB + 3
        source = self.image(size)
        destination = self.destination(size)
        nbd = self.export(source)
        result = self.drive(*self.sshd.argument(cipher="chacha20"), "-c", 4, nbd, size, destination)
        self.assertTrue(same(source, destination))
        self.assertEqual(result["cipher"], "chacha20-poly1305@openssh.com")

    def start(self, *arguments):
        process = subprocess.Popen([DRIVER, "-p"] + [str(a) for a in arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_done(self, process, least):
        """Reads the progress until that many bytes are finished."""
        for line in process.stderr:
            match = re.match(r"done (\d+) ", line)
            if match and int(match.group(1)) >= least:
                return
        self.fail("the copy ended too early: " + process.stdout.read())

    def finish(self, process, status=0):
        for _ in process.stderr:
            pass
        result = json.loads(process.stdout.read())
        self.assertEqual(process.wait(), status, result)
        return result

    def test_lost_connections(self):
        size = 48 * MIB + 11
        source = self.image(size)
        destination = self.destination(size)
        nbd = self.serve("--filter=rate", "file", source, "rate=240M")
        process = self.start(*self.sshd.argument(), nbd, size, destination)
        for least in (4 * MIB, 20 * MIB):
            self.wait_done(process, least)
            for pid in self.sshd.sessions():
                os.kill(pid, signal.SIGKILL)
        result = self.finish(process)
        self.assertTrue(same(source, destination))
        self.assertGreaterEqual(result["reconnects"], 2)
        self.assertEqual(result["done"], size)
        self.assertLess(result["sent"], size + 40 * MIB)

    def test_server_gone_for_good(self):
        size = 48 * MIB
        source = self.image(size)
        destination = self.destination(size)
        nbd = self.serve("--filter=rate", "file", source, "rate=80M")
        process = self.start("-t", 1000, nbd, size, destination)
        self.wait_done(process, 2 * MIB)
        with open(self.path("nbdkit.pid"), encoding="ascii") as f:
            os.kill(int(f.read()), signal.SIGKILL)
        result = self.finish(process, RETRY)
        self.assertEqual(result["error"]["class"], "retry")
        self.assertIn("no answer for 1 s", result["error"]["message"])

    def test_cancel_and_resume(self):
        size = 40 * MIB + 1
        source = self.image(size)
        destination = self.destination(size)
        bitmap = self.path("bitmap")
        if os.path.exists(bitmap):
            os.unlink(bitmap)
        nbd = self.serve("--filter=rate", "file", source, "rate=320M")
        first = self.drive("-b", bitmap, "-x", 16 * MIB, nbd, size, destination,
                           status=INTERRUPTED)
        self.assertIn("cancelled", first["error"]["message"])
        self.assertGreaterEqual(first["done"], 16 * MIB)
        self.assertLess(first["done"], size)
        second = self.drive("-b", bitmap, nbd, size, destination)
        self.assertTrue(same(source, destination))
        self.assertEqual(second["done"], size)
        self.assertEqual(second["sent"], size - first["done"])
        third = self.drive("-b", bitmap, nbd, size, destination)
        self.assertEqual(third["sent"], 0)

    def test_wrong_host_key(self):
        size = MIB
        nbd = self.export(self.image(size))
        destination = self.path("untouched")
        result = self.drive(*self.sshd.argument(host_keys=self.path("other_keys")), nbd, size,
                            destination, status=USER)
        for name in ("host", "other"):
            line = subprocess.run(["ssh-keygen", "-lf", self.path(name + ".pub")], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout
            self.assertIn(line.split()[1], result["error"]["message"])
        self.assertEqual(os.stat(destination).st_size, 0)

    def test_host_key_of_another_type(self):
        self.sshd.write("rsa_keys", "ssh-rsa " + RSA_KEY + "\n")
        result = self.drive(*self.sshd.argument(host_keys=self.path("rsa_keys")), "/none", 1, "-",
                            status=USER)
        self.assertIn("of another type", result["error"]["message"])

    def test_key_that_is_not_authorized(self):
        result = self.drive(*self.sshd.argument(key=self.path("stranger")), "/none", 1, "-",
                            status=USER)
        self.assertIn("does not accept the key SHA256:", result["error"]["message"])

    def test_socket_that_is_not_there(self):
        result = self.drive(*self.sshd.argument(), self.path("none.sock"), 1, "-", status=REMOTE)
        self.assertIn("none.sock", result["error"]["message"])

    def test_nobody_listens(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            argument = self.sshd.argument()
            argument[1] = argument[1].replace(",%d," % self.sshd.port,
                                              ",%d," % s.getsockname()[1])
            result = self.drive(*argument, "-t", 300, "/none", 1, "-", status=RETRY)
        self.assertIn("Connection refused", result["error"]["message"])

    def test_source_of_another_size(self):
        nbd = self.export(self.image(MIB))
        destination = self.path("untouched")
        result = self.drive(nbd, MIB + 1, destination, status=USER)
        self.assertIn("has 1048576 bytes, expected 1048577", result["error"]["message"])
        self.assertEqual(os.stat(destination).st_size, 0)

    def test_read_error_names_the_place(self):
        bad = 5 * MIB + 4096
        nbd = self.serve(
            "eval", "get_size=echo 16M",
            "pread=if [ $4 -le %d ] && [ $(($3 + $4)) -gt %d ]; then echo 'EIO bad disk' >&2; exit 1; "
            "fi; head -c $3 /dev/zero" % (bad, bad))
        result = self.drive(nbd, 16 * MIB, "-", status=REMOTE)
        self.assertIn("cannot read 4096 bytes at offset %d: Input/output error" % bad,
                      result["error"]["message"])

    def test_link(self):
        nbd = self.export("-", 256 * MIB)
        result = self.drive(*self.sshd.argument(), "-l", 32 * MIB, nbd)
        self.assertGreaterEqual(result["bytes"], 32 * MIB)
        self.assertGreater(result["bytes_per_second"], 0)
        self.assertGreater(result["rtt_us"], 0)
        self.assertTrue(result["cipher"])

    def test_digest_of_a_copy(self):
        size = 30 * MIB + 77
        self.check_copy(size, [(3, 10), (9 * MIB + 1, 5 * MIB)], through_ssh=False)
        sums = [self.drive("-d", 65536, size, self.path(name))["sha256"]
                for name in ("source", "destination")]
        self.assertEqual(sums[0], sums[1])
        with open(self.path("destination"), "r+b") as f:
            f.seek(29 * MIB)
            f.write(b"\1")
        self.assertNotEqual(self.drive("-d", 65536, size, self.path("destination"))["sha256"],
                            sums[0])


# Of no machine.
RSA_KEY = (
    "AAAAB3NzaC1yc2EAAAADAQABAAABAQC7dR+MoDuEbYPzAWUs4cYILoMRkZmPU8/4HnLRxARV5v5iQOqJk2hYEDJG"
    "LFFkhE3ILcbg3LONYkNHi8glxsFthbKRzVNceT2XIBHIMN4cd4tdXHSjDBzzFT6bBSDCSZhHp6ZZCqs2d0XZu6k/"
    "wGnAqYWqLR2swZzM4snxdnu/D7IEjLwMv1IGcOt+9XpFQfNh1EONMeql6Qe05rUlTVnNVHK8wGaJFto1cc5WWq8n"
    "0v6Iar3Anb69ryRcpqPKql+66P7Wvz5tWdgOTabcwtXQn4HutyFUNwcXDdfmtiry8qTtcSphMwdntiYzmxz3VJO7"
    "ZenU3AxUx1sO1cmXr1Dh")

if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
