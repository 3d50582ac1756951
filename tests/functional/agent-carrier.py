#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carriers: the source's agent opens a port at the destination that leads to the source's sshd, and what a carrier's key can
do there (agenthost.py).  The one agent is source and destination at the same time."""

import os
import random
import signal
import socket
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from agenthost import (BIN, EXPORTS, LIMIT, MIB, TOP, AgentTest, Channel, Refused, main, server,  # noqa: E402
                       processes, read, run, service_pid, wait_for, worker)

HOST = None
FIRST_PORT = 20480


def client():
    """The numbers of the carriers' ssh processes."""
    return processes(r"^ssh -N -T -F none .* osm-carrier -- 127\.0\.0\.1$")


def listening(port, address="127.0.0.1"):
    with socket.socket() as s:
        return s.connect_ex((address, port)) == 0


class CarrierTest(AgentTest):
    def authorized(self, name="carrier-1", key=None, **more):
        """The port that the agent's own key may open."""
        key = key or self.agent.call("peer.key")["public_key"]
        answer = self.agent.call("peer.authorize", id=name, public_key=key, listen=True, **more)
        self.assertEqual(answer["user"], "osm-carrier")
        return answer["port"]

    def start(self, listen_port, name="carrier-1", **target):
        target = dict({"address": "127.0.0.1", "port": 22, "user": "osm-carrier",
                       "host_keys": [HOST.host_key]}, **target)
        return self.agent.call("carrier.start", id=name, listen_port=listen_port, target=target)

    def state(self, name="carrier-1"):
        return [c for c in self.agent.call("carrier.list")["carriers"] if c["id"] == name][0]

    def ready(self, port):
        wait_for(lambda: listening(port), "the carrier's port")

    def refused(self, text, method, **params):
        with self.assertRaisesRegex(Refused, text):
            self.agent.call(method, **params)

    def carried(self, size=MIB, **target):
        """Source, destination, and a source object that goes through a carrier."""
        content = random.Random(size).randbytes(size)
        source, destination = self.disk(size, content), self.disk(size, b"\xff" * size)
        self.linked()
        port = self.authorized()
        self.start(port, **target)
        self.ready(port)
        path = self.agent.call("export.start", id="e", volume_id=source.volume_id, size_bytes=size)["socket"]
        return source, destination, HOST.peer_source(path, port=port)

    def copy(self, disk, source, **more):
        return self.agent.call("copy.start", id="copy-1", volume_id=disk.volume_id, size_bytes=disk.size,
                               source=source, **more)


class Copies(CarrierTest):
    def test_copy_and_digests(self):
        source, destination, path = self.carried(8 * MIB)
        self.copy(destination, path)
        self.assertEqual(self.agent.wait("copy-1")["state"], "done")
        manifests = []
        for name, disk in (("s", source), ("d", destination)):
            self.agent.call("digest.start", id=name, volume_id=disk.volume_id, size_bytes=disk.size)
            manifests.append(self.agent.wait(name)["manifest"])
        self.assertEqual(manifests[0], manifests[1])
        self.assertEqual(source.content(), destination.content())
        self.assertEqual(self.state()["state"], "running")

    def test_compressed_and_with_the_other_cipher(self):
        source, destination, path = self.carried(4 * MIB, cipher="chacha20")
        self.copy(destination, dict(path, cipher="chacha20"), compression="on")
        ended = self.agent.wait("copy-1")
        self.assertEqual(ended["state"], "done", ended)
        self.assertIn("chacha20", ended["cipher"])
        self.assertEqual(source.content(), destination.content())

    def test_link_test(self):
        self.linked()
        port = self.authorized()
        self.start(port)
        self.ready(port)
        self.agent.call("export.start", id="t", test_bytes=MIB)
        result = self.agent.call("link.test", bytes=MIB, source=HOST.peer_source("/exports/t", port=port))
        self.assertEqual(result["bytes"], MIB)

    def test_the_source_proves_itself_through_the_carrier(self):
        """Whoever stands in between, or opens the port in its place, is not the source."""
        _, destination, path = self.carried()
        stranger = " ".join(read(TOP + "/stranger.pub").decode().split()[:2])
        self.copy(destination, dict(path, host_keys=[stranger]), reconnect_seconds=1)
        ended = self.agent.wait("copy-1")
        self.assertEqual((ended["state"], ended["error"]["class"]), ("failed", "user"), ended)
        self.assertIn("host key of 127.0.0.1 is", ended["error"]["message"])

    def stalled(self):
        source, destination, path = self.carried(16 * MIB)
        stopped = server()
        os.kill(stopped, signal.SIGSTOP)
        self.copy(destination, path)
        worker("copy")
        return source, destination, path, stopped

    def finishes(self, source, destination, stopped):
        os.kill(stopped, signal.SIGCONT)
        ended = self.agent.wait("copy-1")
        self.assertEqual(ended["state"], "done", ended)
        self.assertEqual(source.content(), destination.content())

    def test_killed_in_the_middle_of_a_copy(self):
        source, destination, _, stopped = self.stalled()
        for pid in client():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.state()["ends"] > 0, "its end")
        self.finishes(source, destination, stopped)
        self.assertRegex(self.state()["error"]["message"], "ssh to 127.0.0.1: killed by signal 9")

    def test_worker_killed_in_the_middle_of_a_copy(self):
        source, destination, _, stopped = self.stalled()
        old, pid = client(), worker("carrier")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: client() and not set(client()) & set(old), "another client")
        self.finishes(source, destination, stopped)

    def test_sshd_of_it_killed_in_the_middle_of_a_copy(self):
        source, destination, _, stopped = self.stalled()
        for pid in processes("^sshd: osm-carrier"):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.state()["ends"] > 0, "its end")
        self.finishes(source, destination, stopped)

    def test_service_killed_in_the_middle_of_a_copy(self):
        source, destination, _, _ = self.stalled()
        pid, stopped = service_pid(), server()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: service_pid() not in (None, pid), "another service")
        wait_for(HOST.answers, "the service")
        self.agent.close()
        self.agent = Channel()
        self.finishes(source, destination, stopped)
        self.assertEqual(self.state()["id"], "carrier-1")
        wait_for(lambda: len(client()) == 1, "one client")


class Life(CarrierTest):
    def test_starting_twice_is_starting_once(self):
        port = self.authorized()
        self.start(port)
        self.ready(port)
        before = client()
        self.start(port)
        self.assertEqual(client(), before)
        self.refused("other parameters", "carrier.start", id="carrier-1", listen_port=port + 1,
                     target={"address": "127.0.0.1", "host_keys": [HOST.host_key]})

    def test_stopped(self):
        port = self.authorized()
        self.start(port)
        self.ready(port)
        self.agent.call("carrier.stop", id="carrier-1")
        self.agent.call("carrier.stop", id="carrier-1")
        self.assertEqual(self.agent.call("carrier.list"), {"carriers": []})
        wait_for(lambda: not client() and not listening(port), "its end")
        self.assertEqual(os.listdir("/var/lib/osm/carriers"), [])

    def test_wrong_host_key(self):
        port = self.authorized()
        stranger = " ".join(read(TOP + "/stranger.pub").decode().split()[:2])
        self.start(port, host_keys=[stranger])
        error = wait_for(lambda: self.state().get("error"), "its end")
        self.assertEqual(error["class"], "user")
        self.assertIn("another host key answers", error["message"])
        self.assertFalse(listening(port))
        self.assertEqual(self.state()["state"], "restarting")

    def test_key_that_is_not_authorized(self):
        self.start(FIRST_PORT)
        error = wait_for(lambda: self.state().get("error"), "its end")
        self.assertEqual((error["class"], error["code"]), ("user", 13))
        self.assertIn("Permission denied", error["message"])

    def test_port_that_is_not_permitted(self):
        port = self.authorized()
        self.start(port + 1)
        error = wait_for(lambda: self.state().get("error"), "its end")
        self.assertIn("remote port forwarding failed for listen port %d" % (port + 1), error["message"])
        self.assertFalse(listening(port + 1))

    def test_nobody_answers(self):
        self.start(self.authorized(), port=1)
        error = wait_for(lambda: self.state().get("error"), "its end")
        self.assertEqual(error["class"], "retry")
        self.assertIn("Connection refused", error["message"])

    def test_a_port_that_was_in_use_is_taken_as_soon_as_it_is_free(self):
        port = self.authorized()
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            s.listen()
            self.start(port)
            wait_for(lambda: self.state().get("error"), "its end")
        wait_for(lambda: self.state()["state"] == "running" and listening(port), "the port")

    def test_parameters(self):
        good = {"address": "127.0.0.1", "host_keys": [HOST.host_key]}
        for params in ({"id": "../x"}, {"listen_port": 0}, {"listen_port": 65536}, {"listen_port": "x"},
                       {"target": None}, {"target": dict(good, host_keys=[])}, {"target": dict(good, port=0)},
                       {"target": dict(good, host_keys=["x"])}, {"target": dict(good, host_keys=[HOST.host_key + "\n*"])},
                       {"target": {"host_keys": good["host_keys"]}}, {"target": dict(good, cipher="none")}):
            with self.subTest(params=params):
                self.refused("parameter|no public key|key|cipher", "carrier.start",
                             **dict({"id": "x", "listen_port": 20480, "target": good}, **params))
        self.assertEqual(self.agent.call("carrier.list"), {"carriers": []})

    def test_an_address_that_is_an_option(self):
        for address in ("-oProxyCommand=touch /tmp/x", "a b", "x;y", "$(x)"):
            self.start(FIRST_PORT, name="odd", address=address)
            error = wait_for(lambda: self.state("odd").get("error"), "its end")
            self.assertIn("is no address", error["message"])
            self.agent.call("carrier.stop", id="odd")


class Keys(CarrierTest):
    """What a carrier's key opens, and what it does not."""

    def setUp(self):
        super().setUp()
        self.key = TOP + "/carrier"
        if not os.path.exists(self.key):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        self.public = read(self.key + ".pub").decode().strip()
        self.port = self.authorized(key=self.public)

    def ssh(self, user, *arguments, command=(), key=None):
        return run(*HOST.ssh(user, key or self.key, *arguments), *command, check=False, stdin=subprocess.DEVNULL,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)

    def opens(self, forward):
        """Does sshd accept this remote forward?"""
        process = subprocess.Popen(HOST.ssh("osm-carrier", self.key, "-N", "-o", "LogLevel=DEBUG1", "-R", forward),
                                   stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            for line in process.stderr:
                if b"remote forward success" in line:
                    return True
                if b"remote forward failure" in line or b"remote port forwarding failed" in line or \
                        b"remote forwarding failed" in line.lower():
                    return False
            return False
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    def test_its_port_and_no_other(self):
        self.assertTrue(self.opens("127.0.0.1:%d:127.0.0.1:22" % self.port))
        wait_for(lambda: not listening(self.port), "the end of the forward")
        for forward in ("127.0.0.1:%d" % (self.port + 1), "127.0.0.1:0", "127.0.0.1:2222", "0.0.0.0:%d" % self.port,
                        "*:%d" % self.port, "[::1]:%d" % self.port, "[::]:%d" % self.port, "127.0.0.2:%d" % self.port,
                        "/exports/x", "/x"):
            with self.subTest(forward=forward):
                self.assertFalse(self.opens(forward + ":127.0.0.1:22"))
        self.assertEqual(os.listdir(EXPORTS), [])

    def test_no_way_out_and_no_session(self):
        self.agent.call("export.start", id="e", test_bytes=512)
        for where in ("127.0.0.1:22", "localhost:22", "[/exports/e]:22"):
            with self.subTest(where=where):
                out = self.ssh("osm-carrier", "-W", where)
                self.assertEqual(out.returncode, 255)
                self.assertNotIn(b"SSH-2.0", out.stdout)
        for arguments, command in (([], []), ([], ["id"]), (["-tt"], []), (["-s"], ["sftp"])):
            with self.subTest(arguments=arguments, command=command):
                out = self.ssh("osm-carrier", *arguments, command=command)
                self.assertNotEqual(out.returncode, 0)
                self.assertEqual(out.stdout, b"")

    def test_exports_are_not_reached_by_their_socket(self):
        self.agent.call("export.start", id="e", test_bytes=512)
        local = TOP + "/carrier-forward"
        process = subprocess.Popen(HOST.ssh("osm-carrier", self.key, "-N", "-L", local + ":/exports/e"),
                                   stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: os.path.exists(local) or process.poll() is not None, "ssh -L")
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(LIMIT)
                s.connect(local)
                try:
                    self.assertEqual(s.recv(8), b"")
                except ConnectionResetError:
                    pass
        finally:
            process.kill()
            process.wait()
            os.unlink(local)

    def test_who_logs_in_as_whom(self):
        for user, key in (("osm-peer", self.key), ("osm", self.key), ("osm-carrier", TOP + "/controller"),
                          ("osm-carrier", TOP + "/stranger")):
            with self.subTest(user=user, key=key):
                self.assertIn(b"Permission denied", self.ssh(user, "-N", key=key).stderr)
        self.agent.call("peer.authorize", id="carrier-1", public_key=self.public)  # now one for the exports
        self.assertIn(b"Permission denied", self.ssh("osm-carrier", "-N").stderr)

    def test_revoked(self):
        self.agent.call("peer.revoke", id="carrier-1")
        self.assertFalse(self.opens("127.0.0.1:%d:127.0.0.1:22" % self.port))

    def test_from(self):
        self.authorized(key=self.public, **{"from": "192.0.2.0/24"})
        self.assertFalse(self.opens("127.0.0.1:%d:127.0.0.1:22" % self.port))
        self.authorized(key=self.public, **{"from": "127.0.0.1"})
        self.assertTrue(self.opens("127.0.0.1:%d:127.0.0.1:22" % self.port))

    def test_one_key_with_several_ports(self):
        other = self.authorized("carrier-2", key=self.public)
        self.assertNotEqual(other, self.port)
        for port in self.port, other:
            self.assertTrue(self.opens("127.0.0.1:%d:127.0.0.1:22" % port))
        self.agent.call("peer.revoke", id="carrier-1")
        self.assertFalse(self.opens("127.0.0.1:%d:127.0.0.1:22" % self.port))
        self.assertTrue(self.opens("127.0.0.1:%d:127.0.0.1:22" % other))

    def test_the_port_stays_as_long_as_the_peer(self):
        stranger = read(TOP + "/stranger.pub").decode().strip()
        ports = [self.authorized("c%d" % i, key=self.public) for i in range(3)]
        self.assertEqual([self.authorized("c%d" % i, key=stranger) for i in range(3)], ports)
        self.assertEqual(len(set(ports + [self.port])), 4)
        listed = {p["id"]: p.get("port") for p in self.agent.call("peer.list")["peers"]}
        self.assertEqual(listed["c1"], ports[1])
        self.agent.call("peer.revoke", id="c1")
        self.assertEqual(self.authorized("another", key=stranger), ports[1])

    def test_state(self):
        self.start(self.authorized())
        wait_for(lambda: os.listdir("/var/lib/osm/carriers"), "the file of the host keys")
        for path in ("/var/lib/osm/carriers.json", "/var/lib/osm/carriers/carrier-1"):
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        out = run(BIN + "/osm-agent", "authorized-keys", "osm-carrier", stdout=subprocess.PIPE).stdout
        self.assertIn(b'permitlisten="127.0.0.1:%d"' % self.port, out)


if __name__ == "__main__":
    main(__file__)
