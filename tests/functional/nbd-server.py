#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""osm's NBD server beside other people's clients, and clients that mean no good."""

import importlib.machinery
import importlib.util
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
LOADER = importlib.machinery.SourceFileLoader("nbd_copy", HERE + "/nbd-copy.py")
nbd = importlib.util.module_from_spec(importlib.util.spec_from_loader("nbd_copy", LOADER))
LOADER.exec_module(nbd)
DRIVER, LIMIT, MIB, wait_for = nbd.DRIVER, nbd.LIMIT, nbd.MIB, nbd.wait_for

OPTION = 0x49484156454F5054
CONNECTIONS = 64  # OSM_SERVE_CONNECTIONS_MAX
ISLANDS = [(0, 5 * MIB), (17 * MIB + 513, 3 * MIB + 1), (50 * MIB, 70000)]
SIZE = 64 * MIB + 777


def run(*argv, **options):
    return subprocess.run([str(a) for a in argv], check=True, stdout=subprocess.PIPE, timeout=LIMIT, text=True,
                          **options).stdout


class Client:
    """The least that there is: no contexts, simple answers."""

    def __init__(self, path, begin=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(path)
        if begin:
            try:
                self.get(18)
                self.socket.sendall(struct.pack(">IQII", 3, OPTION, 1, 0))
                self.size, _ = struct.unpack(">QH", self.get(10))
            except OSError:
                self.socket.close()
                raise

    def get(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise ConnectionError("the server closed it")
            data += more
        return data

    def ask(self, offset, length, kind=0):
        self.socket.sendall(struct.pack(">IHHQQI", 0x25609513, 0, kind, 7, offset, length))

    def answer(self, length):
        magic, error, cookie = struct.unpack(">IIQ", self.get(16))
        assert (magic, cookie) == (0x67446698, 7)
        return error or self.get(length)

    def read(self, offset, length):
        self.ask(offset, length)
        return self.answer(length)

    def close(self):
        self.socket.close()


class Server(nbd.Copy):
    """Nothing of it needs sshd."""

    @classmethod
    def setUpClass(cls):
        cls.folder = nbd.tempfile.mkdtemp(prefix="osm-nbd-")

    @classmethod
    def tearDownClass(cls):
        nbd.shutil.rmtree(cls.folder)

    def start_server(self, *options):
        self.source = self.image(SIZE, ISLANDS)
        path = self.export(self.source, *options)
        return path, "nbd+unix:///?socket=" + path

    def client(self, path, **options):
        client = Client(path, **options)
        self.addCleanup(client.close)
        return client

    def still_serves(self, path):
        with open(self.source, "rb") as f:
            self.assertEqual(self.client(path).read(MIB, 65536), f.read()[MIB:MIB + 65536])


# What the base class tests is tested there.
for name in [n for n in dir(nbd.Copy) if n.startswith("test_")]:
    setattr(Server, name, None)


class Others(Server):
    def test_nbdinfo(self):
        _, uri = self.start_server()
        export = json.loads(run("nbdinfo", "--json", uri))["exports"][0]
        self.assertEqual(export["export-size"], SIZE)
        self.assertTrue(export["is_read_only"])
        self.assertTrue(export["can_multi_conn"])
        self.assertFalse(export["can_trim"])
        self.assertFalse(export["can_zero"])
        self.assertIn("base:allocation", export["contexts"])
        self.assertEqual(len(json.loads(run("nbdinfo", "--list", "--json", uri))["exports"]), 1)

    def test_extents(self):
        """They are complete, and nothing that is said to be zero is not."""
        _, uri = self.start_server()
        with open(self.source, "rb") as f:
            content = f.read()
        theirs = json.loads(run("nbdinfo", "--json", "--map", uri))
        qemu = json.loads(run("qemu-img", "map", "-f", "raw", "--output=json", uri))
        for extents, zero in ((theirs, lambda e: e["type"] == 3), (qemu, lambda e: e["zero"])):
            at, data = 0, 0
            for e in extents:
                begin, length = e.get("offset", 0) if "type" in e else e["start"], e["length"]
                self.assertEqual(begin, at)
                at += length
                if zero(e):
                    self.assertEqual(content[begin:begin + length].strip(b"\0"), b"")
                else:
                    data += length
            self.assertIn(at, (SIZE, SIZE + 511 - (SIZE - 1) % 512))  # qemu counts in sectors
            self.assertLess(data, sum(n for _, n in ISLANDS) + 8 * 65536)

    def test_copies(self):
        _, uri = self.start_server()
        for command in (["nbdcopy", uri], ["nbdcopy", "--synchronous", uri],
                        ["nbdcopy", "--request-size=%d" % (4 * MIB), "--sparse=0", uri],
                        ["nbdcopy", "--connections=1", "--request-size=4096", uri],
                        ["qemu-img", "convert", "-f", "raw", "-O", "raw", uri],
                        ["qemu-img", "convert", "-m", "16", "-W", "-S", "0", "-f", "raw", "-O", "raw", uri]):
            with self.subTest(command=command):
                run(*command, self.path("copied"))
                self.assertTrue(subprocess.run(["cmp", "-n", str(SIZE), self.source, self.path("copied")],
                                               check=False).returncode == 0)
                os.unlink(self.path("copied"))

    def test_overlay(self):
        """As libguestfs's appliance uses it: a qcow2 file over the export."""
        _, uri = self.start_server()
        overlay = self.path("overlay.qcow2")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", uri, overlay)
        run("qemu-io", "-c", "write -P 0x55 %d 65536" % (2 * MIB), overlay)
        run("qemu-img", "convert", "-O", "raw", overlay, self.path("merged"))
        with open(self.source, "rb") as f, open(self.path("merged"), "rb") as g:
            expected, merged = bytearray(f.read()), g.read()
        self.assertNotEqual(expected[2 * MIB:2 * MIB + 65536], b"\x55" * 65536)
        expected[2 * MIB:2 * MIB + 65536] = b"\x55" * 65536
        self.assertEqual(bytes(expected), merged[:SIZE])

    def test_nobody_writes(self):
        path, uri = self.start_server()
        before = os.stat(self.source).st_mtime_ns
        for command in ("write -P 1 0 4096", "write -z 0 4096", "discard 0 4096"):
            out = subprocess.run(["qemu-io", "-f", "raw", "-c", command, uri], check=False, timeout=LIMIT,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertRegex(out.stdout, "(?i)read.only|permi", command)
        client = self.client(path)
        client.ask(0, 4096, kind=1)
        client.socket.sendall(b"x" * 4096)
        self.assertEqual(client.answer(0), 1)
        self.still_serves(path)
        self.assertEqual(os.stat(self.source).st_mtime_ns, before)


class Hostile(Server):
    def test_garbage(self):
        path, _ = self.start_server()
        rng = random.Random(4)
        for round_number in range(200):
            client = self.client(path, begin=round_number % 2 == 0)
            try:
                client.socket.sendall(rng.randbytes(rng.randint(1, 5000)))
                client.socket.shutdown(socket.SHUT_WR)
                while client.socket.recv(65536):
                    pass
            except OSError:
                pass
            client.close()
        self.still_serves(path)

    def test_clients_that_vanish(self):
        """In the middle of what they asked for."""
        path, _ = self.start_server()
        rng = random.Random(5)
        for _ in range(50):
            client = self.client(path)
            for _ in range(rng.randint(1, 8)):
                client.ask(0, 5 * MIB)
            client.get(rng.randint(1, MIB))
            client.close()
        self.still_serves(path)

    def test_a_client_that_does_not_read(self):
        path, _ = self.start_server()
        stalled = [self.client(path) for _ in range(8)]
        for client in stalled:
            for _ in range(16):
                client.ask(0, 5 * MIB)
        self.still_serves(path)
        with open(self.source, "rb") as f:
            expected = f.read(5 * MIB)
        for _ in range(16):
            self.assertEqual(stalled[0].answer(5 * MIB), expected)

    def test_too_many(self):
        path, _ = self.start_server()
        clients = [self.client(path) for _ in range(CONNECTIONS)]
        with self.assertRaises(ConnectionError):
            self.client(path)
        clients.pop().close()

        def has_room():
            try:
                self.client(path)
                return True
            except ConnectionError:
                return False
        wait_for(has_room, "room for another")
        self.assertEqual(len(clients[0].read(0, 4096)), 4096)

    def test_many_at_once(self):
        path, _ = self.start_server()
        with open(self.source, "rb") as f:
            content = f.read()
        wrong = []

        def read(seed):
            rng = random.Random(seed)
            client = Client(path)
            for _ in range(40):
                offset = rng.randrange(SIZE)
                length = rng.randint(1, min(SIZE - offset, rng.choice((512, 65536, 3 * MIB))))
                if client.read(offset, length) != content[offset:offset + length]:
                    wrong.append((offset, length))
            client.close()
        threads = [threading.Thread(target=read, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_what_it_holds(self):
        """Neither memory nor descriptors grow with what clients do."""
        path, _ = self.start_server()
        pid = self.server.pid

        def descriptors():
            return len(os.listdir("/proc/%d/fd" % pid))
        wait_for(lambda: descriptors() <= 6, "an idle server")
        before = descriptors()
        for _ in range(150):
            client = self.client(path)
            client.ask(0, 4 * MIB)
            client.get(100000)
            client.close()
        wait_for(lambda: descriptors() <= before, "the connections' end")
        with open("/proc/%d/status" % pid, encoding="ascii") as f:
            memory = int(f.read().split("VmHWM:")[1].split()[0])
        with open("/proc/%d/maps" % pid, encoding="ascii") as f:
            sanitized = re.search("/lib[at]san", f.read())  # keeps what was freed for a while
        self.assertLess(memory, (600 if sanitized else 96) * 1024)

    def test_ended_in_the_middle(self):
        """The client sees the end of the connection, not wrong data."""
        path, _ = self.start_server()
        client = self.client(path)
        client.ask(0, 5 * MIB)
        client.get(1000)
        self.server.send_signal(signal.SIGTERM)
        with self.assertRaises(ConnectionError):
            client.get(64 * MIB)


if __name__ == "__main__":
    unittest.main(verbosity=2)
