#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""osm-agent copy: files, loop devices and a real sshd, in namespaces of its own. Needs root."""

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import agenthost
from agenthost import BUILD, LIMIT, MIB, TOP, wait_for

AGENT = BUILD + "/osm-agent"
WORK = TOP + "/work"
WRAPPER = TOP + "/bin/osm-agent"  # what the remote side runs


def module(name):
    loader = importlib.machinery.SourceFileLoader(
        name.replace("-", "_"), os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py"))
    loaded = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(loaded)
    return loaded


def script(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)


def make_agent(path=WRAPPER, before=""):
    script(path, "%s\nexec %s \"$@\"\n" % (before, AGENT))
    return path


SLOW = '''
import subprocess, sys, time
agent = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, bufsize=0)
begin, said = time.monotonic(), 0
while True:
    data = agent.stdout.read(65536)
    if not data:
        break
    said += len(data)
    time.sleep(max(0, begin + said / float(sys.argv[1]) - time.monotonic()))
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
'''


def make_slow(path, rate):
    """An agent each of whose connections says so many bytes per second."""
    script(path + ".py", SLOW)
    script(path, "exec %s %s.py %d %s \"$@\"\n" % (sys.executable, path, rate, AGENT))
    return path


LIAR = '''
import json, os, shutil, struct, subprocess, sys
def say(*frames):
    for frame in frames:
        data = json.dumps(frame).encode()
        sys.stdout.buffer.write(struct.pack(">I", len(data)) + data)
    sys.stdout.buffer.flush()
def true_with(**lies):
    agent = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, bufsize=0)
    n, = struct.unpack(">I", agent.stdout.read(4))
    say(dict(json.loads(agent.stdout.read(n)), **lies))
    while True:
        data = agent.stdout.read(65536)
        if not data:
            break
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
'''


def write(path, size, islands=((0, None),), seed=1):
    """Data at (offset, length), holes elsewhere; it depends on the seed alone."""
    stream = hashlib.shake_128(b"%d" % seed)
    with open(path, "wb") as f:
        f.truncate(size)
        for offset, length in islands:
            f.seek(offset)
            f.write(stream.digest(size if length is None else length))
    return path


def same(a, b, size=None):
    limit = ["-n", str(size)] if size is not None else []
    return subprocess.run(["cmp", *limit, a, b], check=False).returncode == 0


class Copy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        agenthost.private_folders()
        agenthost.loopback_up()
        os.makedirs(WORK)
        agenthost.run("sed", "-i", "/^root:/s/[^:]*$/\\/bin\\/sh/", "/etc/passwd")  # reads no files
        nbd_copy = module("nbd-copy")
        nbd_copy.LIMIT = LIMIT
        cls.sshd = nbd_copy.Sshd(WORK)
        cls.host_key = cls.sshd.read("host.pub").split()[:2]
        cls.sshd.write("known", "[127.0.0.1]:%d %s\n" % (cls.sshd.port, " ".join(cls.host_key)))
        make_agent()
        cls.environment = dict(os.environ)
        cls.environment.pop("SSH_AUTH_SOCK", None)

    @classmethod
    def tearDownClass(cls):
        cls.sshd.stop()

    def setUp(self):
        self.folder = os.path.join(TOP, "test")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, *arguments, ssh=True, agent=WRAPPER):
        options = ["--port", self.sshd.port, "--identity", self.sshd.client_key, "--known-hosts",
                   WORK + "/known", "--remote-agent", agent] if ssh else []
        return [AGENT, "copy"] + [str(a) for a in options + list(arguments)]

    def run_copy(self, *arguments, status=0, **options):
        out = subprocess.run(self.command(*arguments, **options), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, check=False, timeout=LIMIT,
                             env=self.environment)
        self.assertEqual(out.returncode, status, out.stdout + out.stderr)
        return out

    def json_copy(self, *arguments, **options):
        return json.loads(self.run_copy("--output", "json", *arguments, **options).stdout)

    def refused(self, *arguments, status=1, **options):
        return self.run_copy(*arguments, status=status, **options).stderr

    def disk(self, size):
        disk = agenthost.Disk(size, link=None)
        self.addCleanup(disk.remove)
        return disk

    def remote(self, path):
        return "%s@127.0.0.1:%s" % (self.sshd.user, path)

    # what is copied

    def test_file_to_new_file(self):
        size = 20 * MIB + 77
        source = write(self.path("source"), size, [(0, 3 * MIB), (15 * MIB + 1, 100)])
        result = self.json_copy(source, self.path("new"), ssh=False)
        self.assertTrue(same(source, self.path("new")))
        self.assertEqual(result["bytes"], size)
        self.assertEqual(result["sent_bytes"] + result["zero_bytes"], size)
        self.assertLess(result["sent_bytes"], 4 * MIB)
        self.assertTrue(result["verified"])
        self.assertRegex(result["sha256"], "^[0-9a-f]{64}$")
        self.assertNotIn("cipher", result)
        new = os.stat(self.path("new"))
        self.assertLess(new.st_blocks * 512, 4 * MIB)
        self.assertEqual(stat.S_IMODE(new.st_mode), 0o600)

    def test_odd_sizes_through_ssh(self):
        for size in (0, 1, 4097, 9 * MIB + 5):
            with self.subTest(size=size):
                source = write(self.path("source"), size, seed=size)
                result = self.json_copy(self.remote(source), self.path("to-%d" % size))
                self.assertTrue(same(source, self.path("to-%d" % size)))
                self.assertEqual(result["bytes"], size)
                self.assertIn(result["cipher"], ("aes128-gcm@openssh.com",
                                                 "chacha20-poly1305@openssh.com"))

    def test_device_to_larger_device(self):
        source, target = self.disk(24 * MIB), self.disk(40 * MIB)
        self.fill(source.path, [(0, 2 * MIB), (20 * MIB + 512, 4 * MIB - 512)])
        self.fill(target.path, [(0, 40 * MIB)], seed=2)
        before = target.content()
        result = self.json_copy("--connections", 3, "--requests", 4, self.remote(source.path),
                                target.path)
        after = target.content()
        self.assertEqual(after[:24 * MIB], source.content())
        self.assertEqual(after[24 * MIB:], before[24 * MIB:])
        self.assertTrue(result["verified"])

    @staticmethod
    def change_home(old, new):
        """In our own copy of /etc."""
        with open("/etc/passwd", "r+", encoding="utf-8") as f:
            text = f.read().replace(":%s:" % old, ":%s:" % new, 1)
            f.seek(0)
            f.truncate()
            f.write(text)

    @staticmethod
    def fill(path, islands, seed=1):
        stream = hashlib.shake_128(b"%d" % seed)
        with open(path, "r+b") as f:
            for offset, length in islands:
                f.seek(offset)
                f.write(stream.digest(length))

    def test_compressed(self):
        with open(self.path("source"), "wb") as f:
            f.write(b"all work and no play makes a dull disk\n" * (8 * MIB // 39))
        size = os.path.getsize(self.path("source"))
        for mode, least, most in (("on", 1000, size // 10), ("off", size, size + MIB),
                                  ("auto", 1000, size + MIB)):
            with self.subTest(mode=mode):
                result = self.json_copy("--compress", mode, self.remote(self.path("source")),
                                        self.path("to-" + mode))
                self.assertTrue(same(self.path("source"), self.path("to-" + mode)))
                self.assertGreaterEqual(result["wire_bytes"], least)
                self.assertLess(result["wire_bytes"], most)
        self.assertIn("none of auto|on|off", self.refused("--compress", "much", self.path("source"),
                                                      self.path("never"), status=2, ssh=False))

    def test_existing_file_is_overwritten(self):
        source = write(self.path("source"), 5 * MIB, [(MIB, MIB)])
        target = write(self.path("target"), 6 * MIB, seed=2)
        self.run_copy(source, target, ssh=False)
        self.assertTrue(same(source, target, 5 * MIB))

    def test_path_that_a_shell_would_not_like(self):
        source = write(self.path("a 'b\" $(c);d"), MIB + 1)
        self.run_copy(self.remote(source), self.path("to"))
        self.assertTrue(same(source, self.path("to")))

    def test_text_and_without_verification(self):
        source = write(self.path("source"), MIB)
        text = self.run_copy(self.remote(source), self.path("one")).stdout
        self.assertRegex(text, r"copied 1.0 MiB in .*: 1.0 MiB sent.*(gcm|chacha20).*\n"
                               r"verified in .*SHA-256 of the manifest [0-9a-f]{64}\n")
        text = self.run_copy("--no-verify", self.remote(source), self.path("two")).stdout
        self.assertNotIn("verified", text)
        self.assertTrue(same(source, self.path("two")))

    def test_as_ssh_has_it(self):
        """known_hosts, key and user without any option for them."""
        home = pwd.getpwuid(os.getuid()).pw_dir
        self.change_home(home, self.folder)
        self.addCleanup(self.change_home, self.folder, home)
        home = self.folder
        os.makedirs(home + "/.ssh", 0o700)
        shutil.copy(WORK + "/known", home + "/.ssh/known_hosts")
        shutil.copy(WORK + "/stranger", home + "/.ssh/id_ecdsa")  # not accepted: the next is tried
        shutil.copy(self.sshd.client_key, home + "/.ssh/id_rsa")
        write(home + "/relative.raw", MIB)
        self.run_copy("-p", self.sshd.port, "--remote-agent", WRAPPER, "127.0.0.1:relative.raw",
                      self.path("to"), ssh=False)
        self.assertTrue(same(home + "/relative.raw", self.path("to")))

    # what is refused

    def test_unknown_host(self):
        empty = self.path("empty")
        source = write(self.path("source"), MIB)
        error = self.refused("--known-hosts", empty, self.remote(source), self.path("to"))
        self.assertIn("the host key of 127.0.0.1 is not known", error)
        self.assertIn("hint: connect once with ssh", error)
        self.assertFalse(os.path.exists(self.path("to")))

    def test_changed_host_key(self):
        other = " ".join(self.sshd.read("other.pub").split()[:2])
        with open(self.path("known"), "w", encoding="ascii") as f:
            f.write("[127.0.0.1]:%d %s\n" % (self.sshd.port, other))
        error = self.refused("--known-hosts", self.path("known"), self.remote("/none"),
                             self.path("to"))
        self.assertRegex(error, "host key of 127.0.0.1 is SHA256:.* expected SHA256:")

    def test_key_that_is_not_accepted(self):
        error = self.refused("--identity", WORK + "/stranger", self.remote("/none"), self.path("to"))
        self.assertIn("does not accept the key SHA256:", error)

    def test_source_that_is_not_there(self):
        for source in (self.remote(self.path("none")), self.path("none")):
            error = self.refused(source, self.path("to"))
            self.assertIn("cannot open %s: No such file" % self.path("none"), error)
        error = self.refused(self.remote(self.folder), self.path("to"))
        self.assertIn("neither a block device nor a file", error)
        self.assertFalse(os.path.exists(self.path("to")))

    def test_target_too_small(self):
        target = self.disk(4 * MIB)
        self.fill(target.path, [(0, 4 * MIB)], seed=3)
        before = target.content()
        source = write(self.path("source"), 4 * MIB + 1)
        error = self.refused(self.remote(source), target.path)
        self.assertIn("has 4194304 bytes, the source %s has 4194305" % source, error)
        self.assertEqual(target.content(), before)

    def test_target_in_use(self):
        target = self.disk(4 * MIB)
        source = write(self.path("source"), MIB)
        held = os.open(target.path, os.O_RDWR | os.O_EXCL)  # as a mount would
        try:
            error = self.refused(source, target.path)
        finally:
            os.close(held)
        self.assertIn("is in use (mounted, or part of LVM or RAID): nothing was written", error)
        self.assertEqual(target.content(), bytes(4 * MIB))
        self.run_copy(source, target.path)

    def test_source_in_use_is_a_warning(self):
        disk = self.disk(MIB)
        held = os.open(disk.path, os.O_RDWR | os.O_EXCL)
        try:
            out = self.run_copy(self.remote(disk.path), self.path("to"))
        finally:
            os.close(held)
        self.assertIn("is in use", out.stderr)

    def test_source_is_the_target(self):
        source = write(self.path("source"), MIB)
        os.link(source, self.path("link"))
        self.assertIn("are the same", self.refused(source, self.path("link")))

    def test_no_agent_there(self):
        error = self.refused(self.remote("/none"), self.path("to"), agent="/nonexistent/osm-agent")
        self.assertIn("/nonexistent/osm-agent", error)
        self.assertIn("hint: osm-agent must be installed on 127.0.0.1", error)

    def test_usage(self):
        for arguments in (("only-one",), ("a", "host:b"), ("a", ""), ("--port", "0", "a", "b"),
                          ("--connections", "17", "a", "b"), ("--output", "yaml", "a", "b")):
            with self.subTest(arguments):
                self.run_copy(*arguments, ssh=False, status=2)

    # what goes wrong on the way

    def test_difference_is_found(self):
        source = write(self.path("source"), 9 * MIB)
        agent = make_agent(self.path("agent"), before=(
            'if [ "$1" = digest-stdio ]; then printf x | dd of="%s" bs=1 seek=%d conv=notrunc '
            'status=none; fi' % (source, 5 * MIB)))
        error = self.refused(self.remote(source), self.path("to"), agent=agent)
        self.assertIn("first difference within 4194304 bytes from offset 4194304", error)
        self.assertFalse(os.path.exists(self.path("to")))

    def liar(self, command, code):
        """An agent of which one command is Python: say() sends frames, sys.argv is that of the true agent."""
        with open(self.path("liar.py"), "w", encoding="utf-8") as f:
            f.write(LIAR + code)
        return make_agent(self.path("agent"), before='if [ "$1" = %s ]; then exec %s "%s" "%s" "$@"; fi' % (
            command, sys.executable, self.path("liar.py"), WRAPPER))

    def test_digests_that_are_none(self):
        source = write(self.path("source"), 9 * MIB)  # three chunks
        whole = '{"chunks": "0" * 96}'
        for code, message in (
                ('say({"sha256": "0" * 64})', "no digest of this disk"),
                ('say({"chunks": "0" * 64}, {"sha256": "0" * 64})', "no digest of this disk"),
                ('say({"chunks": "0" * 128}, {"sha256": "0" * 64})', "no digest of this disk"),
                ('say(%s, {"chunks": "0" * 32})' % whole, "no digest of this disk"),
                ('say({"chunks": "0" * 95})', "no digest of this disk"),
                ('say({"chunks": "z" * 96})', "no digest of this disk"),
                ('say(%s, {"sha256": "0" * 63})' % whole, "no digest of this disk"),
                ('say(%s, {"sha256": "0" * 64})' % whole, "first difference within 4194304 bytes from offset 0"),
                ('sys.stdout.buffer.write(b"\\xff" * 64)', "4294967295 bytes"),
                ('say([])', "object")):
            with self.subTest(code=code):
                error = self.refused(self.remote(source), self.path("to"), agent=self.liar("digest-stdio", code))
                self.assertIn(message, error)
                self.assertFalse(os.path.exists(self.path("to")))

    def test_a_size_that_is_none(self):
        source = write(self.path("source"), MIB)
        for size, message in (("-1", "has -1 bytes"), ("1048575", "has 1048576 bytes, expected 1048575"),
                              ("1 << 40", "has 1048576 bytes, expected 1099511627776"), ('"1"', "has 1048576 bytes, expected 0")):
            with self.subTest(size=size):
                error = self.refused(self.remote(source), self.path("to"),
                                     agent=self.liar("nbd-stdio", "true_with(size_bytes=%s)" % size))
                self.assertIn(message, error)
                self.assertFalse(os.path.exists(self.path("to")))

    def test_interrupt_and_resume(self):
        size = 200 * MIB + 3
        source = write(self.path("source"), size, [(i * 10 * MIB, 9 * MIB) for i in range(20)])
        bitmap = self.path("bitmap")
        slow = make_slow(self.path("agent"), 30 * MIB)
        arguments = ["--resume", bitmap, "--output", "json", self.remote(source), self.path("to")]
        process = subprocess.Popen(self.command("--progress", *arguments, agent=slow),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        # On a busy machine the first lines tell of little.
        for line in process.stderr:
            copied, unit = re.match(r"copied ([\d.]+) (\w+) of 200.0 MiB ", line).groups()
            if unit == "MiB" and float(copied) >= 16:
                break
        self.assertRegex(line, r"^copied [\d.]+ MiB of 200.0 MiB \(\d+%\), .* sent, .*/s, .* left\n")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn("hint: the same command carries on from " + bitmap, error)
        self.assertTrue(os.path.exists(bitmap))
        result = json.loads(self.run_copy(*arguments).stdout)
        self.assertTrue(same(source, self.path("to")))
        self.assertLess(result["sent_bytes"], 175 * MIB)
        self.assertTrue(result["verified"])
        self.assertFalse(os.path.exists(bitmap))

    def test_interrupt_leaves_no_half_file(self):
        source = write(self.path("source"), 100 * MIB)
        slow = make_slow(self.path("agent"), 10 * MIB)
        process = subprocess.Popen(self.command(self.remote(source), self.path("to"), agent=slow),
                                   stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        wait_for(lambda: os.path.exists(self.path("to")), "the destination")
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 130, error)
        self.assertFalse(os.path.exists(self.path("to")))

    def test_bitmap_without_its_file(self):
        source = write(self.path("source"), MIB)
        write(self.path("bitmap"), 100)
        error = self.refused("--resume", self.path("bitmap"), source, self.path("to"))
        self.assertIn("hint: remove %s to copy from the start" % self.path("bitmap"), error)
        write(self.path("to"), MIB, seed=2)
        error = self.refused("--resume", self.path("bitmap"), source, self.path("to"))
        self.assertIn("damaged", error)

    def test_lost_connection(self):
        source = write(self.path("source"), 120 * MIB)
        slow = make_slow(self.path("agent"), 20 * MIB)
        process = subprocess.Popen(
            self.command("--progress", "--output", "json", self.remote(source), self.path("to"),
                         agent=slow),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        self.assertIn("copied", process.stderr.readline())
        for pid in self.sshd.sessions():
            os.kill(pid, signal.SIGKILL)
        out, error = process.communicate(timeout=LIMIT)
        self.assertEqual(process.returncode, 0, error)
        self.assertGreater(json.loads(out)["reconnects"], 0)
        self.assertTrue(same(source, self.path("to")))


if __name__ == "__main__":
    if "--inside" not in sys.argv:
        agenthost.enter(__file__)
    sys.argv.remove("--inside")
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
