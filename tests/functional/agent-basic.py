#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""osm-agent as it runs in a conversion host (agenthost.py).  The one agent is source and destination
at the same time."""

import contextlib
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agenthost import (BIN, BUILD, CONTROL, DEV, EXPORTS, LIMIT, MIB, NOBODY,  # noqa: E402
                       SOURCE, TOP, AgentTest, Channel, Refused, as_user, main, server,
                       processes, read, run, service_pid, wait_for, worker)

HOST = None


class Basic(AgentTest):
    def refused(self, text, method, agent=None, **params):
        with self.assertRaisesRegex(Refused, text) as caught:
            (agent or self.agent).call(method, **params)
        return caught.exception.error

    def volumes(self, size, holes=True):
        """Source with data (and holes), destination full of other data."""
        rng = random.Random(size)
        content = rng.randbytes(size)
        if holes:
            content = content[:size // 4] + bytes(size // 2) + content[size // 4 * 3:]
        return (self.disk(size, content[:size], link="scsi-0QEMU_QEMU_HARDDISK_%s"),
                self.disk(size, b"\xff" * size))

    def export(self, disk, name="export-1"):
        return self.agent.call("export.start", id=name, volume_id=disk.volume_id,
                               size_bytes=disk.size)["socket"]

    def copy(self, disk, path, name="copy-1", agent=None, **changes):
        return (agent or self.agent).call(
            "copy.start", id=name, volume_id=disk.volume_id, size_bytes=disk.size,
            source=HOST.peer_source(path, **changes))


class Greeting(Basic):
    def test_hello(self):
        hello = self.agent.hello
        self.assertEqual(hello["protocol"], 1)
        self.assertEqual(set(hello["features"]) - {"sparse"},
                         {"export", "copy", "digest", "link-test", "zstd", "limit", "carrier", "any-size"})
        self.assertEqual(hello["boot_id"], read("/proc/sys/kernel/random/boot_id").decode().strip())
        self.assertGreater(hello["cpu"]["count"], 0)
        self.assertEqual(self.agent.call("ping", payload="äöü")["payload"], "äöü")

    def test_through_ssh_and_the_gateway(self):
        with Channel(HOST.ssh("osm", TOP + "/controller")) as agent:
            self.assertEqual(agent.call("ping", payload="x"), {"payload": "x"})
            self.assertEqual(agent.hello["start_id"], self.agent.hello["start_id"])

    def test_what_was_asked_is_answered_after_the_end_of_the_input(self):
        with Channel(["setpriv", "--reuid=osm", "--regid=osm", "--clear-groups",
                      BIN + "/osm-agent", "gateway"]) as agent:
            slow = agent.start("device.find", volume_id=str(uuid.uuid4()), size_bytes=1,
                               timeout_ms=500)
            agent.socket.shutdown(socket.SHUT_WR)
            with self.assertRaises(Refused):
                agent.finish(slow)
            self.assertIsNone(agent.receive())

    def test_methods_are_those_of_the_protocol(self):
        with open(SOURCE + "/docs/PROTOCOL.md", encoding="utf-8") as f:
            names = re.findall(r"^\| `([a-z.]+)` \|", f.read(), re.M)
        self.assertGreater(len(names), 15)
        for name in names:
            with self.subTest(method=name):
                try:
                    self.agent.call(name)
                except Refused as e:
                    self.assertNotIn("no method", str(e))
        self.refused("there is no method 'job.fly'", "job.fly")

    def test_commands_are_those_of_the_manual_page(self):
        with open(SOURCE + "/docs/osm-agent.pod", encoding="utf-8") as f:
            described = set(re.findall(r"^=head2 ([a-z-]+)", f.read(), re.M))
        out = run(BUILD + "/osm-agent", "__commands", stdout=subprocess.PIPE, text=True).stdout
        self.assertEqual({line.split("\t")[0] for line in out.splitlines()} 
                         - {"*", "worker"}, described)


class BadInput(Basic):
    def closes(self, data, greeted=True):
        with Channel(hello=greeted) as agent:
            if not greeted:
                agent.receive()
            with contextlib.suppress(BrokenPipeError):
                agent.socket.sendall(data)
            last = agent.receive()
            self.assertIn("error", last)
            self.assertNotIn("id", last)
            self.assertIsNone(agent.receive())
        self.agent.call("ping")
        return last["error"]["message"]

    def test_frames(self):
        def frame(text):
            return struct.pack(">I", len(text)) + text
        self.assertIn("4294967295 bytes", self.closes(b"\xff" * 4))
        self.assertIn("1048577 bytes", self.closes(struct.pack(">I", MIB + 1)))
        self.assertIn("0 bytes", self.closes(struct.pack(">I", 0)))
        self.closes(frame(b"nonsense"))
        self.closes(frame(b"[1]"))
        self.closes(frame(b"[" * 100000))
        self.closes(frame(b'{"id":1,"method":"pi\xffng"}'))
        self.assertIn("no request", self.closes(frame(b'{"id":"x","method":"ping"}')))
        self.assertIn("no request", self.closes(frame(b'{"id":1,"method":1}')))
        self.assertIn("no request", self.closes(frame(b'{"id":1,"method":"ping","params":[]}')))

    def test_hello(self):
        def frame(text):
            return struct.pack(">I", len(text)) + text
        self.assertIn("protocol 1", self.closes(frame(b'{"hello":{"protocol":2}}'), greeted=False))
        self.closes(frame(b'{"id":1,"method":"ping"}'), greeted=False)

    def test_largest_frame(self):
        text = "x" * (MIB - 100)
        self.assertEqual(self.agent.call("ping", payload=text)["payload"], text)

    def test_a_frame_in_pieces(self):
        data = json.dumps({"id": 9, "method": "ping"}).encode()
        data = struct.pack(">I", len(data)) + data
        for i in range(len(data)):
            self.agent.socket.sendall(data[i:i + 1])
        self.assertEqual(self.agent.finish(9), {})

    def test_identifiers(self):
        for bad in ("", "../x", "a/b", ".x", "a b", "x" * 129, "a\n", "ä", 7, None):
            with self.subTest(id=bad):
                self.refused("'id'", "export.start", id=bad, test_bytes=512)
                self.refused("'id'", "job.forget", id=bad)
                self.refused("'volume_id'", "device.find", volume_id=bad, size_bytes=1)

    def test_numbers(self):
        for bad in (-1, 1.5, "1", None, 1 << 62, {}):
            with self.subTest(number=bad):
                self.refused("'test_bytes'", "export.start", id="x", test_bytes=bad)
                self.refused("'chunk_bytes'", "digest.start", id="x", volume_id="v" * 36,
                             size_bytes=1, chunk_bytes=bad)
        self.refused("power of two", "digest.start", id="x", volume_id="v" * 36, size_bytes=1,
                     chunk_bytes=5000)

    def test_sources(self):
        good = HOST.peer_source("/exports/x")
        for key, value in (("address", None), ("address", 5), ("address", "x" * 256), ("port", 65536),
                           ("port", "22"), ("host_keys", []), ("host_keys", "x"),
                           ("host_keys", [1]), ("host_keys", ["x"] * 33), ("socket", ""),
                           ("user", 3)):
            with self.subTest(key=key, value=value):
                self.refused("source", "copy.start", id="x", volume_id="v" * 36, size_bytes=1,
                             source=dict(good, **{key: value}))
        self.assertEqual(self.agent.call("job.list"), {"jobs": []})

    def test_peers(self):
        key = read(TOP + "/stranger.pub").decode().strip()
        for bad in ("", "ssh-ed25519", "ssh-ed25519 AAAA", key + "\n" + key, "x " + key,
                    'command="/bin/sh" ' + key, "ssh-dss AAAA", key.replace("AAAA", "AAA"),
                    key.replace(" ", "\n", 1)):
            with self.subTest(key=bad):
                self.refused("peer bad|public_key", "peer.authorize", id="bad", public_key=bad)
        for bad in ('127.0.0.1" ', "127.0.0.1\n", "", 'a",command="sh', 5, "!10.0.0.1 "):
            with self.subTest(address=bad):
                self.refused("'from'", "peer.authorize", id="bad", public_key=key, **{"from": bad})
        self.assertEqual(self.agent.call("peer.list"), {"peers": []})


class Limits(Basic):
    def test_a_slow_request_does_not_hold_up_others(self):
        slow = self.agent.start("device.find", volume_id=str(uuid.uuid4()), size_bytes=1,
                                timeout_ms=100000)
        self.agent.call("ping")
        with Channel() as other:
            other.call("ping")
        self.assertNotIn(slow, self.agent.answers)

    def test_requests_that_wait(self):
        for _ in range(64):
            self.agent.start("device.find", volume_id=str(uuid.uuid4()), size_bytes=1,
                             timeout_ms=100000)
        self.assertEqual(self.refused("wait already", "ping")["class"], "retry")
        with Channel() as other:
            other.call("ping")

    def test_connections_that_nobody_closed(self):
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(Channel())
            for _ in range(70):
                stack.enter_context(Channel())
            stack.enter_context(Channel()).call("ping")
            self.assertIsNone(first.receive())

    def test_exports(self):
        for i in range(64):
            self.agent.call("export.start", id="e%d" % i, test_bytes=512)
        error = self.refused("there are 64 exports", "export.start", id="more", test_bytes=512)
        self.assertEqual(error["class"], "retry")
        self.assertEqual(len(self.agent.call("export.list")["exports"]), 64)

    def test_an_answer_that_is_not_read(self):
        with Channel() as deaf:
            payload = "x" * (MIB - 100)
            with contextlib.suppress(OSError):
                deaf.socket.settimeout(5)
                for _ in range(40):
                    deaf.start("ping", payload=payload)
            self.agent.call("ping")
            rss = int(re.search(r"VmRSS:\s+(\d+)", read("/proc/%d/status" % service_pid()).decode())[1])
            self.assertLess(rss, (1000 if HOST.sanitized else 200) * 1024)


class Devices(Basic):
    def find(self, disk, timeout_ms=0, **changes):
        return self.agent.call("device.find", **dict(
            {"volume_id": disk.volume_id, "size_bytes": disk.size, "timeout_ms": timeout_ms},
            **changes))

    def test_found_by_every_kind_of_link(self):
        for link in ("virtio-%.20s", "scsi-0QEMU_QEMU_HARDDISK_%s", "scsi-SQEMU_QEMU_HARDDISK_%s",
                     "ata-QEMU_HARDDISK_%.20s", "nvme-QEMU_NVMe_Ctrl_%.20s",
                     "nvme-QEMU_NVMe_Ctrl_%.20s_1"):
            with self.subTest(link=link):
                disk = self.disk(MIB, link=link)
                self.assertEqual(self.find(disk), {"path": disk.path, "size_bytes": MIB})

    def test_absent(self):
        disk = self.disk(MIB, link="wwn-%s")
        with self.assertRaisesRegex(Refused, "no disk with the id of volume") as caught:
            self.find(disk, 300)
        self.assertEqual(caught.exception.error["class"], "retry")
        self.assertEqual(caught.exception.error["code"], 2)
        self.assertIn("hot-plugging", caught.exception.error["hint"])

    def test_appears_while_it_is_looked_for(self):
        disk = self.disk(MIB, link=None)
        number = self.agent.start("device.find", volume_id=disk.volume_id, size_bytes=MIB,
                                  timeout_ms=LIMIT * 1000)
        self.agent.call("ping")
        self.assertNotIn(number, self.agent.answers)
        os.chmod(disk.path, 0o600)  # as before udev's rules
        disk.add_link()
        self.agent.call("ping")
        os.chmod(disk.path, 0o660)
        self.assertEqual(self.agent.finish(number)["path"], disk.path)

    def test_a_partition_is_no_disk(self):
        disk = self.disk(MIB, link="virtio-%.20s-part1")
        with self.assertRaisesRegex(Refused, "no disk"):
            self.find(disk)

    def test_two_disks(self):
        disk, other = self.disk(MIB), self.disk(MIB, link=None)
        other.volume_id = disk.volume_id
        other.add_link("scsi-0QEMU_QEMU_HARDDISK_%s")
        with self.assertRaisesRegex(Refused, "two disks carry the id"):
            self.find(disk)

    def test_two_links_of_one_disk(self):
        disk = self.disk(MIB)
        second = "%s/disk/by-id/ata-QEMU_HARDDISK_%.20s" % (DEV, disk.volume_id)
        os.symlink(disk.path, second)
        self.addCleanup(os.unlink, second)
        self.assertEqual(self.find(disk)["path"], disk.path)

    def test_other_size(self):
        disk = self.disk(MIB)
        with self.assertRaisesRegex(Refused, "has 1048576 bytes, the volume has 1048577"):
            self.find(disk, size_bytes=MIB + 1)
        with self.assertRaisesRegex(Refused, "has 1048576 bytes, the volume has 1048577"):
            self.find(disk, size_bytes=MIB + 1, larger=True)

    def test_any_size(self):
        disk = self.disk(MIB)
        found = {"path": disk.path, "size_bytes": MIB}
        self.assertEqual(self.find(disk, size_bytes=MIB - 1, larger=True), found)
        self.assertEqual(self.agent.call("device.find", volume_id=disk.volume_id, timeout_ms=0), found)

    def test_in_use(self):
        disk = self.disk(MIB)
        fd = os.open(disk.path, os.O_RDONLY | os.O_EXCL)
        try:
            listed = {d["path"]: d for d in self.agent.call("device.list")["devices"]}
            self.assertTrue(listed[disk.path]["in_use"])
            with self.assertRaisesRegex(Refused, "is in use") as caught:
                self.find(disk)
            self.assertEqual(caught.exception.error["code"], 16)
        finally:
            os.close(fd)
        listed = {d["path"]: d for d in self.agent.call("device.list")["devices"]}
        self.assertEqual(listed[disk.path], {"path": disk.path, "serial": disk.volume_id[:20],
                                             "size_bytes": MIB, "in_use": False})


class Work(Basic):
    def test_export_copy_digest(self):
        size = 40 * MIB + 3 * 512
        source, destination = self.volumes(size)
        self.linked()
        path = self.export(source)
        self.assertEqual(path, "/exports/export-1")
        self.assertEqual(self.export(source), path)
        self.refused("other parameters", "export.start", id="export-1", test_bytes=5)
        job = self.copy(destination, path)
        self.assertEqual((job["state"], job["kind"], job["size_bytes"]), ("running", "copy", size))
        self.refused("is running", "job.forget", id="copy-1")
        done = self.agent.wait("copy-1")
        self.assertEqual(done["state"], "done", done)
        self.assertEqual(done["done_bytes"], size)
        self.assertEqual(done["sent_bytes"] + done["zero_bytes"], size)
        self.assertGreaterEqual(done["zero_bytes"], size // 2 - MIB)
        self.assertRegex(done["cipher"], "aes128-gcm|chacha20")
        self.assertEqual(source.content(), destination.content())

        manifests = []
        for disk in source, destination:
            name = "digest-" + disk.volume_id
            self.agent.call("digest.start", id=name, volume_id=disk.volume_id, size_bytes=size,
                            chunk_bytes=MIB, drop_cache=disk is destination)
            ended = self.agent.wait(name)
            self.assertEqual(ended["state"], "done", ended)
            chunks = self.agent.call("digest.chunks", id=name, first=1, count=3)["chunks"]
            self.assertRegex(chunks, "^[0-9a-f]{96}$")
            manifests.append((ended["manifest"], chunks))
        self.assertEqual(manifests[0], manifests[1])
        self.assertEqual(manifests[0][0]["chunks"], 41)
        self.refused("at most 16384", "digest.chunks", id=name, first=0, count=16385)
        self.refused("has 41 chunks", "digest.chunks", id=name, first=42, count=1)

        # Finished: the same request gives the same answer, another one with that id is refused.
        self.assertEqual(self.copy(destination, path)["state"], "done")
        self.assertEqual(self.refused("other parameters", "copy.start", id="copy-1",
                                      volume_id=source.volume_id, size_bytes=size,
                                      source=HOST.peer_source(path))["code"], 17)
        self.agent.call("job.forget", id="copy-1")
        self.assertEqual(self.refused("no job copy-1", "job.get", ids=["copy-1"])["code"], 2)
        self.agent.call("export.stop", id="export-1")
        self.agent.call("export.stop", id="export-1")
        self.assertEqual(os.listdir(EXPORTS), [])

    def test_copy_onto_a_larger_disk(self):
        """As from a volume that its cloud encrypts: the header makes its disk smaller than the volume."""
        size, more = 10 * MIB - 7 * 512, 10 * MIB
        source, _ = self.volumes(size)
        destination = self.disk(more, b"\xff" * more)
        self.linked()
        path = self.export(source)
        wanted = {"volume_id": destination.volume_id, "size_bytes": size, "source": HOST.peer_source(path)}
        self.refused("has %d bytes, the volume has %d" % (more, size), "copy.start", id="copy-1", **wanted)
        self.agent.call("copy.start", id="copy-1", larger=True, **wanted)
        self.assertEqual(self.agent.wait("copy-1")["done_bytes"], size)
        self.assertEqual(destination.content()[:size], source.content())
        self.assertEqual(destination.content()[size:], b"\xff" * (more - size))
        sums = []
        for disk in source, destination:
            name = "digest-" + disk.volume_id
            self.agent.call("digest.start", id=name, volume_id=disk.volume_id, size_bytes=size, chunk_bytes=MIB,
                            drop_cache=disk is destination, larger=disk is destination)
            ended = self.agent.wait(name)
            self.assertEqual(ended["state"], "done", ended)
            sums.append(ended["manifest"])
        self.assertEqual(sums[0], sums[1])

    def test_compressed_copy(self):
        size = 8 * MIB
        source, destination = self.volumes(size)
        text = b"all work and no play makes a dull disk\n" * (size // 39)
        with open(source.path, "wb") as f:
            f.write(text)
        self.linked()
        path = self.export(source)
        self.refused("auto, on or off", "copy.start", id="copy-1", volume_id=destination.volume_id,
                     size_bytes=size, source=HOST.peer_source(path), compression="much")
        self.agent.call("copy.start", id="copy-1", volume_id=destination.volume_id, size_bytes=size,
                        source=HOST.peer_source(path), compression="on")
        done = self.agent.wait("copy-1")
        self.assertEqual(done["state"], "done", done)
        self.assertEqual(source.content(), destination.content())
        self.assertGreaterEqual(done["sent_bytes"], len(text))
        self.assertLess(done["wire_bytes"], len(text) // 10)
        # The compressed socket comes back like the export itself.
        os.kill(worker("compress"), signal.SIGKILL)
        self.agent.call("job.forget", id="copy-1")
        self.agent.call("copy.start", id="copy-1", volume_id=destination.volume_id, size_bytes=size,
                        source=HOST.peer_source(path), compression="on")
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.refused("must not end", "export.start", id="export-1.zst", test_bytes=512)

    def test_link_test(self):
        self.linked()
        path = self.agent.call("export.start", id="test", test_bytes=1 << 30)["socket"]
        found = self.agent.call("link.test", source=HOST.peer_source(path), bytes=16 * MIB, seconds=20)
        self.assertGreaterEqual(found["bytes"], 16 * MIB)
        self.assertGreater(found["rtt_us"], 0)
        self.assertGreater(found["bytes_per_second"], 0)
        self.assertTrue(found["cipher"])
        self.assertEqual(self.agent.call("job.list"), {"jobs": []})

    def test_wrong_host_key(self):
        source, destination = self.volumes(MIB)
        self.linked()
        stranger = " ".join(read(TOP + "/stranger.pub").decode().split()[:2])
        self.copy(destination, self.export(source), host_keys=[stranger])
        ended = self.agent.wait("copy-1")
        self.assertEqual((ended["state"], ended["error"]["class"]), ("failed", "user"), ended)
        self.assertRegex(ended["error"]["message"], "host key")
        self.assertEqual(destination.content(), b"\xff" * MIB)

    def test_a_disk_that_is_in_use_is_not_written(self):
        source, destination = self.volumes(MIB)
        self.linked()
        path = self.export(source)
        fd = os.open(destination.path, os.O_RDONLY | os.O_EXCL)
        try:
            with self.assertRaisesRegex(Refused, "in use"):
                self.copy(destination, path)
        finally:
            os.close(fd)
        self.assertEqual(destination.content(), b"\xff" * MIB)
        self.assertEqual(self.agent.call("job.list"), {"jobs": []})

    def stalled_copy(self, size=64 * MIB):
        """A copy whose source has stopped in the middle."""
        source, destination = self.volumes(size, holes=False)
        self.linked()
        path = self.export(source)
        os.kill(server(), signal.SIGSTOP)
        self.copy(destination, path)
        worker("copy")
        return source, destination, path

    def test_cancel_and_start_again(self):
        source, destination, path = self.stalled_copy()
        self.assertEqual(self.agent.call("job.get", ids=["copy-1"])["jobs"][0]["state"], "running")
        self.assertEqual(self.agent.call("job.cancel", id="copy-1")["state"], "cancelled")
        self.assertEqual(processes("worker copy$"), [])
        self.assertEqual(self.agent.call("job.cancel", id="copy-1")["state"], "cancelled")
        os.kill(server(), signal.SIGCONT)
        self.assertEqual(self.copy(destination, path)["state"], "running")
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.assertEqual(source.content(), destination.content())

    def test_worker_killed(self):
        source, destination, path = self.stalled_copy()
        os.kill(worker("copy"), signal.SIGKILL)
        ended = self.agent.wait("copy-1")
        self.assertEqual((ended["state"], ended["error"]["class"]), ("failed", "retry"), ended)
        self.assertIn("killed by signal 9", ended["error"]["message"])
        os.kill(server(), signal.SIGCONT)
        self.copy(destination, path)
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.assertEqual(source.content(), destination.content())

    def test_server_killed(self):
        source, destination, _ = self.stalled_copy()
        os.kill(server(), signal.SIGKILL)
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.assertEqual(self.agent.call("export.list")["exports"][0]["state"], "running")
        self.assertEqual(source.content(), destination.content())

    def restarted(self, old):
        wait_for(lambda: service_pid() not in (None, old), "another service")
        wait_for(HOST.answers, "the service")
        self.agent.close()
        self.agent = Channel()

    def test_service_killed(self):
        source, destination, _ = self.stalled_copy()
        before, pid, stopped = self.agent.hello, service_pid(), server()
        os.kill(pid, signal.SIGKILL)
        self.restarted(pid)
        self.assertNotEqual(self.agent.hello["start_id"], before["start_id"])
        self.assertEqual(self.agent.hello["boot_id"], before["boot_id"])
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.assertEqual(source.content(), destination.content())
        self.assertEqual(self.agent.call("export.list")["exports"][0]["volume_id"], source.volume_id)
        os.kill(stopped, signal.SIGCONT)
        wait_for(lambda: stopped not in processes("worker export$"), "the end of the old server")
        self.assertEqual(len(processes("worker export$")), 1)
        self.assertEqual(len(self.agent.call("peer.list")["peers"]), 1)

    def test_service_stopped(self):
        source, destination, _ = self.stalled_copy()
        pid = service_pid()
        os.kill(pid, signal.SIGTERM)
        # Its workers have ended before it ends.
        wait_for(lambda: not os.path.exists("/proc/%d/exe" % pid) or service_pid() != pid, "its end")
        self.restarted(pid)
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        self.assertEqual(source.content(), destination.content())

    def test_disk_gone_while_the_service_was_away(self):
        source, destination = self.volumes(MIB)
        self.export(source)
        link, destination_link = source.link, destination.link
        os.rename(link, link + "-away")
        pid = service_pid()
        os.kill(pid, signal.SIGKILL)
        self.restarted(pid)
        self.assertEqual(self.agent.call("export.list")["exports"][0]["state"], "restarting")
        os.rename(link + "-away", link)
        wait_for(lambda: self.agent.call("export.list")["exports"][0]["state"] == "running", "export")
        self.assertTrue(destination_link)


class Strangers(Basic):
    def connects(self, uid, path):
        code = "import socket,sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
        return as_user(uid, "/usr/bin/python3", "-c", code, path).returncode == 0

    def test_sockets(self):
        osm, peer = pwd.getpwnam("osm").pw_uid, pwd.getpwnam("osm-peer").pw_uid
        self.agent.call("export.start", id="e", test_bytes=512)
        export = EXPORTS + "/e"
        self.assertEqual([self.connects(uid, CONTROL) for uid in (osm, peer, NOBODY)],
                         [True, False, False])
        self.assertEqual([self.connects(uid, export) for uid in (osm, peer, NOBODY)],
                         [True, True, False])
        self.assertEqual(stat.S_IMODE(os.stat(CONTROL).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(export).st_mode), 0o660)

    def test_credentials_are_checked_too(self):
        """Even when the modes let somebody in."""
        os.chmod("/run/osm", 0o755)
        os.chmod(CONTROL, 0o666)
        try:
            code = ("import socket,sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
                    "sys.exit(len(s.recv(1)))")
            self.assertEqual(as_user(NOBODY, "/usr/bin/python3", "-c", code, CONTROL).returncode, 0)
        finally:
            os.chmod(CONTROL, 0o600)
            os.chmod("/run/osm", 0o700)

    def test_gateway(self):
        out = as_user(NOBODY, BIN + "/osm-agent", "gateway", input=b"")
        self.assertEqual(out.returncode, 1)
        self.assertIn("may not talk", json.loads(out.stdout[4:])["error"]["message"])

    def test_state(self):
        self.linked()
        self.assertEqual(stat.S_IMODE(os.stat("/var/lib/osm").st_mode), 0o700)
        for name in os.listdir("/var/lib/osm"):
            path = "/var/lib/osm/" + name
            if not os.path.isdir(path):
                self.assertEqual((name, stat.S_IMODE(os.stat(path).st_mode)), (name, 0o600))


class Ssh(Basic):
    """What keys open, and what they do not."""

    def setUp(self):
        super().setUp()
        self.key = TOP + "/peer"
        if not os.path.exists(self.key):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        self.peer = {"id": "peer", "public_key": read(self.key + ".pub").decode().strip()}
        self.agent.call("peer.authorize", **self.peer)

    def ssh(self, user, *arguments, key=None, command=(), timeout=20):
        return run(*HOST.ssh(user, key or self.key, *arguments), *command, check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                   timeout=timeout)

    def assert_no_login(self, out):
        self.assertEqual(out.returncode, 255)
        self.assertIn(b"Permission denied", out.stderr)

    def test_who_logs_in_as_whom(self):
        self.assert_no_login(self.ssh("osm"))
        self.assert_no_login(self.ssh("osm", key=TOP + "/stranger"))
        self.assert_no_login(self.ssh("osm-peer", key=TOP + "/controller"))
        self.assert_no_login(self.ssh("osm-peer", key=TOP + "/stranger"))
        self.agent.call("peer.revoke", id="peer")
        self.assert_no_login(self.ssh("osm-peer"))

    def test_passwords_are_not_asked_for(self):
        for user in "osm", "osm-peer":
            out = self.ssh(user, "-o", "PubkeyAuthentication=no")
            self.assertIn(b"Permission denied (publickey)", out.stderr)

    def test_controller_gets_the_gateway_whatever_it_asks_for(self):
        out = self.ssh("osm", key=TOP + "/controller", command=["id; echo shell"])
        self.assertIn(b'"hello"', out.stdout)
        self.assertNotIn(b"uid=", out.stdout)
        self.assertNotIn(b"shell", out.stdout)
        out = self.ssh("osm", "-tt", key=TOP + "/controller")
        self.assertIn(b"PTY allocation request failed", out.stderr)

    def test_controller_forwards_nothing(self):
        for arguments in (["-W", "127.0.0.1:22"], ["-N", "-R", "2222:127.0.0.1:22"],
                          ["-N", "-R", "/run/osm/x:127.0.0.1:22"]):
            with self.subTest(arguments=arguments):
                out = self.ssh("osm", *arguments, key=TOP + "/controller")
                self.assertEqual(out.returncode, 255)
                self.assertNotIn(b"SSH-2.0", out.stdout)

    def test_peer_has_no_session(self):
        for arguments, command in (([], []), ([], ["id"]), (["-tt"], []), (["-s"], ["sftp"])):
            with self.subTest(arguments=arguments, command=command):
                out = self.ssh("osm-peer", *arguments, command=command)
                self.assertNotEqual(out.returncode, 0)
                self.assertEqual(out.stdout, b"")

    def test_peer_has_no_tcp(self):
        self.agent.call("export.start", id="e", test_bytes=512)
        for where in ("127.0.0.1:22", "localhost:22", "[::1]:22", "[/exports/e]:22", "0:22"):
            with self.subTest(where=where):
                out = self.ssh("osm-peer", "-W", where)
                self.assertEqual(out.returncode, 255)
                self.assertNotIn(b"SSH-2.0", out.stdout)
        for remote in ("2222:127.0.0.1:22", "/exports/r:127.0.0.1:22", "127.0.0.1:0:127.0.0.1:22"):
            with self.subTest(remote=remote):
                out = self.ssh("osm-peer", "-N", "-R", remote)
                self.assertEqual(out.returncode, 255)
        self.assertEqual(sorted(os.listdir(EXPORTS)), ["e", "e.zst"])

    @contextlib.contextmanager
    def forward(self, path):
        """A local socket that ssh forwards to a path at the other side."""
        local = TOP + "/forward"
        if os.path.exists(local):
            os.unlink(local)
        process = subprocess.Popen(HOST.ssh("osm-peer", self.key, "-N", "-L", local + ":" + path),
                                   stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(local) or process.poll() is not None, "ssh -L")
            self.assertIsNone(process.poll())
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(LIMIT)
                s.connect(local)
                yield s
        finally:
            process.kill()
            process.wait()

    def greets(self, path):
        """Does an NBD server answer there?"""
        with self.forward(path) as s:
            try:
                return s.recv(8) == b"NBDMAGIC"
            except ConnectionResetError:
                return False

    def test_peer_reaches_exports_and_nothing_else(self):
        self.agent.call("export.start", id="e", test_bytes=512)
        self.assertTrue(self.greets("/exports/e"))
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(EXPORTS + "/other")  # a socket in the chroot that is no export
            shutil.chown(EXPORTS + "/other", "osm", "osm-peer")
            os.chmod(EXPORTS + "/other", 0o660)
            other.listen()
            self.addCleanup(os.unlink, EXPORTS + "/other")
            for path in ("/exports/other", CONTROL, "/run/osm-peer/exports/e", "/exports/../exports/e",
                         "//exports/e", "/exports/e2"):
                with self.subTest(path=path):
                    self.assertFalse(self.greets(path))
            other.setblocking(False)
            with self.assertRaises(BlockingIOError):
                other.accept()

    def test_export_that_was_stopped(self):
        self.agent.call("export.start", id="e", test_bytes=512)
        self.agent.call("export.stop", id="e")
        self.assertFalse(self.greets("/exports/e"))

    def test_from(self):
        self.agent.call("peer.authorize", **self.peer, **{"from": "192.0.2.0/24,198.51.100.7"})
        self.assert_no_login(self.ssh("osm-peer"))
        self.agent.call("peer.authorize", **self.peer, **{"from": "192.0.2.0/24,127.0.0.1"})
        self.agent.call("export.start", id="e", test_bytes=512)
        self.assertTrue(self.greets("/exports/e"))

    def test_keys_for_other_users(self):
        for user in ("root", "", "osm-pee"):
            out = run(BIN + "/osm-agent", "authorized-keys", user, stdout=subprocess.PIPE)
            self.assertEqual(out.stdout, b"")


class Setup(Basic):
    def test_again_changes_nothing(self):
        def everything():
            return (service_pid(), HOST.sshd.pid, read("/etc/passwd"), read("/etc/group"),
                    read("/etc/shadow"), read("/etc/ssh/sshd_config"),
                    sorted(os.listdir("/etc/ssh/sshd_config.d")),
                    os.stat("/etc/ssh/sshd_config.d/osm.conf").st_mtime_ns)
        before = everything()
        HOST.setup()
        HOST.setup("--boot")
        self.assertEqual(everything(), before)
        self.assertEqual(len(processes("^%s/osm-agent service$" % BIN)), 1)
        self.assertEqual(len(processes("osm-agent service")), 1)

    def test_a_new_program_replaces_the_running_one(self):
        pid = service_pid()
        shutil.copy(BIN + "/osm-agent", BIN + "/new")
        os.rename(BIN + "/new", BIN + "/osm-agent")
        HOST.setup()
        wait_for(lambda: service_pid() not in (None, pid), "the new service")
        wait_for(HOST.answers, "the service")

    def test_the_log_does_not_grow_for_ever(self):
        """Without systemd: the file is emptied under the service, and the one before it is kept."""
        log = "/var/log/osm-agent.log"
        self.kill_service()
        self.boot(OSM_LOG_LOOK_SECONDS="0.1")
        pid = service_pid()
        os.truncate(log, 11 * 1000 * 1000)
        wait_for(lambda: os.path.exists(log + ".1") and os.stat(log).st_size < 1000000, "the other file")
        self.assertEqual(os.stat(log + ".1").st_size, 11 * 1000 * 1000)
        self.assertEqual(stat.S_IMODE(os.stat(log + ".1").st_mode), 0o640)
        self.assertEqual(service_pid(), pid)
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: service_pid() not in (None, pid) and HOST.answers(), "the service again")
        # Appended at the beginning: there is no hole before it.
        self.assertNotIn(b"\0", read(log))
        self.assertIn(b"ready at", read(log))
        os.unlink(log + ".1")

    @staticmethod
    def kill_service():
        """With its supervisor."""
        for pid in processes("/osm-agent .*osm-agent.log$") + [service_pid()]:
            with contextlib.suppress(ProcessLookupError):  # a child of one that went before
                os.kill(pid, signal.SIGKILL)
        wait_for(lambda: service_pid() is None, "its end")
        os.unlink("/run/osm-agent.lock")

    @staticmethod
    def boot(**environment):
        run("/var/lib/cloud/scripts/per-boot/osm-agent", env=dict(HOST.environment, **environment))
        wait_for(HOST.answers, "the service")

    def test_boot(self):
        """As after a reboot: /run is empty, nothing of ours is running."""
        with Channel() as agent:
            agent.call("export.start", id="e", test_bytes=512)
        self.kill_service()
        for path in ("/run/osm", "/run/osm-peer"):
            shutil.rmtree(path)
        self.boot()
        with Channel() as agent:
            self.assertEqual(agent.call("export.list")["exports"][0]["id"], "e")
        self.assertEqual(sorted(os.listdir(EXPORTS)), ["e", "e.zst"])

    def test_a_configuration_that_sshd_refuses_is_taken_back(self):
        path = "/etc/ssh/sshd_config.d/zz-broken.conf"
        with open(path, "w", encoding="ascii") as f:
            f.write("NoSuchKeyword yes\n")
        os.unlink("/etc/ssh/sshd_config.d/osm.conf")
        out = run(TOP + "/libexec/osm/agent-setup", env=HOST.environment, check=False,
                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual(out.returncode, 1)
        self.assertIn(b"took osm.conf away", out.stderr)
        self.assertFalse(os.path.exists("/etc/ssh/sshd_config.d/osm.conf"))
        os.unlink(path)
        HOST.setup()
        self.assertTrue(os.path.exists("/etc/ssh/sshd_config.d/osm.conf"))

    def test_log(self):
        self.assertIn(b"ready at", read("/var/log/osm-agent.log"))
        self.assertEqual(stat.S_IMODE(os.stat("/var/log/osm-agent.log").st_mode), 0o640)


if __name__ == "__main__":
    main(__file__)
