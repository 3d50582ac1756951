#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The controller's link to an agent, with a real sshd and an agent that behaves as each test says."""

import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
DRIVER = os.path.join(BUILD, "tests/functional/link-driver")
VERSION = subprocess.run([os.path.join(BUILD, "osm-controller"), "--version"], stdout=subprocess.PIPE,
                         text=True, check=True).stdout.split()[-1]
LIMIT = 60  # seconds, for anything that should take one

# What sshd runs for the key of the link. The file "behaviour" says what is to happen.
GATEWAY = r'''
import json, os, struct, sys, time
folder = sys.argv[1]
with open(folder + "/behaviour") as f:
    b = json.load(f)
with open(folder + "/log", "a") as f:
    f.write(json.dumps({"command": os.environ.get("SSH_ORIGINAL_COMMAND")}) + "\n")
def read_exact(n):
    data = b""
    while len(data) < n:
        more = sys.stdin.buffer.read(n - len(data))
        if not more:
            sys.exit(0)
        data += more
    return data
def receive():
    frame = json.loads(read_exact(struct.unpack(">I", read_exact(4))[0]))
    with open(folder + "/log", "a") as f:
        f.write(json.dumps(frame) + "\n")
    return frame
def send(frame):
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    raw(struct.pack(">I", len(data)) + data)
def raw(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
def once(name):
    """True at the first time of all."""
    try:
        os.close(os.open(folder + "/" + name, os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False
if b.get("raw"):
    raw(b["raw"].encode("latin-1"))
    sys.exit(0)
if b.get("first_hello") and once("hello"):
    send(b["first_hello"])
    sys.exit(0)
send(b["hello"])
receive()
while True:
    request = receive()
    method = request["method"]
    if method == "lose" or (method == "lose-once" and once("lost")):
        sys.exit(0)
    if method == "silent":
        continue
    if method == "stale":
        send({"id": request["id"] - 1, "result": "of another request"})
        send({"method": "news", "params": {}})
    if method == "talk":
        while True:
            send({"id": 0, "result": {}})
    if method == "trickle":
        raw(struct.pack(">I", 1 << 20))
        while True:
            raw(b" ")
            time.sleep(0.05)
    if method == "fail":
        send({"id": request["id"], "error": {"class": "user", "code": 2, "message": "no such job", "hint": "look"}})
    elif method == "nothing":
        send({"id": request["id"]})
    elif method == "odd":
        send({"id": request["id"], "result": request["params"]["answer"]})
    else:
        send({"id": request["id"], "result": {"method": method, "params": request.get("params")}})
'''


def wait_for(condition, what):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Link(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="osm-link-")
        for name in ("host", "other", "client", "login"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", cls.at(name)], check=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def at(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def read(cls, name):
        with open(cls.at(name), encoding="utf-8") as f:
            return f.read()

    @classmethod
    def write(cls, name, text):
        with open(cls.at(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(cls.at(name), 0o600)

    def setUp(self):
        self.sshd = self.driver = None
        self.port = free_port()
        self.write("gateway.py", GATEWAY)
        for name in ("hello", "lost", "log"):
            if os.path.exists(self.at(name)):
                os.unlink(self.at(name))
        self.behave()
        self.allow_client()

    def tearDown(self):
        self.stop()
        if self.driver:
            self.driver.stdin.close()
            self.driver.wait(LIMIT)
            self.driver.stdout.close()

    def behave(self, **more):
        hello = {"hello": {"protocol": 1, "version": VERSION, "tools": {}}}
        self.write("behaviour", json.dumps(dict({"hello": hello}, **more)))

    def allow_client(self, allowed=True):
        command = 'command="%s %s %s" ' % (sys.executable, self.at("gateway.py"), self.folder)
        self.write("authorized_keys", (command + self.read("client.pub") if allowed else "") + self.read("login.pub"))

    def start(self):
        for _ in range(20):  # another process may take the port in between
            self.write("config", "\n".join([
                "Port %d" % self.port, "ListenAddress 127.0.0.1", "HostKey " + self.at("host"),
                "AuthorizedKeysFile " + self.at("authorized_keys"), "StrictModes no", "UsePAM no",
                "PasswordAuthentication no", "KbdInteractiveAuthentication no",
                "PermitRootLogin yes", "PidFile none", "MaxAuthTries 100", ""]))
            sshd = shutil.which("sshd", path="/usr/sbin:/sbin:" + os.environ.get("PATH", ""))
            self.assertTrue(sshd, "sshd not found: apt-get install openssh-server")
            with open(self.at("sshd.log"), "ab") as log:
                self.sshd = subprocess.Popen([sshd, "-D", "-e", "-f", self.at("config")], stderr=log)
            wait_for(lambda: self.sshd.poll() is not None or self.listening(), "sshd")
            if self.sshd.poll() is None:
                return
            if self.driver:  # it waits for this very port
                break
            self.port = free_port()
        self.fail("sshd does not start:\n" + self.read("sshd.log"))

    def listening(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if not self.sshd:
            return
        with open("/proc/%d/task/%d/children" % (self.sshd.pid, self.sshd.pid), encoding="ascii") as f:
            for pid in f.read().split():
                os.kill(int(pid), signal.SIGKILL)
        self.sshd.terminate()
        self.sshd.wait()
        self.sshd = None

    def ask(self, *words, key="client", host_key="host"):
        if not self.driver:
            user = pwd.getpwuid(os.getuid()).pw_name
            with open(self.at("driver.log"), "wb") as log:
                self.driver = subprocess.Popen(
                    [DRIVER, "127.0.0.1", str(self.port), user, self.at(key), self.at(host_key + ".pub")],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.driver.stdin.write("\t".join(map(str, words)) + "\n")
        self.driver.stdin.flush()

    def answer(self):
        line = self.driver.stdout.readline()
        self.assertTrue(line, "the driver has died")
        return json.loads(line)

    def say(self, *words, **options):
        self.ask(*words, **options)
        return self.answer()

    def open(self):
        self.start()
        self.assertNotIn("error", self.say("open"))

    def call(self, method, params=None, timeout_ms=20000):
        return self.say("call", method, json.dumps(params or {}), timeout_ms)

    def heard(self):
        return [json.loads(line) for line in self.read("log").splitlines()]

    # ---- the greeting

    def test_both_sides_greet_and_the_command_is_constant(self):
        self.open()
        self.assertEqual(self.say("hello")["result"]["version"], VERSION)
        self.assertEqual(self.call("ping", {"a": [1, "\u00e4"]})["result"]["params"], {"a": [1, "\u00e4"]})
        heard = self.heard()
        self.assertEqual(heard[0], {"command": "osm-agent gateway"})
        self.assertEqual(heard[1], {"hello": {"protocol": 1, "version": VERSION}})
        self.assertGreater(heard[2]["id"], 0)

    def test_another_protocol_is_refused_with_both_versions(self):
        self.start()
        self.behave(hello={"hello": {"protocol": 7, "version": "9.9.9"}})
        error = self.say("open-wait", 30000)["error"]
        self.assertEqual(error["class"], "user")
        for text in ("9.9.9", "protocol 7", VERSION):
            self.assertIn(text, error["message"])
        self.assertIn("delete-conversion-hosts", error["hint"])

    def test_an_error_instead_of_the_greeting_is_shown(self):
        self.start()
        self.behave(hello={"error": {"class": "retry", "code": 111, "message": "no service", "hint": "the log"}})
        error = self.say("open")["error"]
        self.assertIn("no service", error["message"])
        self.assertEqual(error["hint"], "the log")

    def test_what_is_no_agent_is_told_from_one(self):
        self.start()
        for raw in ("Welcome to Debian!\r\n", "", "\0\0", "\0\0\0\0", "\x7f\xff\xff\xff", "\0\0\0\4null",
                    "\0\0\0\2{}", "\0\0\0\5{\"a\":"):
            with self.subTest(raw):
                self.behave(raw=raw)
                if raw == "":
                    self.behave(hello={"hello": 5})
                self.assertIn("error", self.say("open"))

    # ---- requests

    def test_an_error_of_the_agent_is_the_operators(self):
        self.open()
        error = self.call("fail")["error"]
        self.assertEqual((error["class"], error["code"], error["hint"]), ("user", 2, "look"))
        self.assertEqual(error["message"], "the host: fail: no such job")

    def test_answers_to_others_are_left_aside(self):
        self.open()
        self.assertEqual(self.call("stale")["result"]["method"], "stale")

    def test_an_answer_without_result_is_an_error(self):
        self.open()
        self.assertIn("without a result", self.call("nothing")["error"]["message"])
        for answer in (None, True, 5, "ok", [], [{}]):
            self.assertIn("without a result", self.call("odd", {"answer": answer})["error"]["message"])

    def test_a_request_as_large_as_a_frame_may_be(self):
        self.open()
        text = "x" * 1000000
        self.assertEqual(self.call("ping", {"t": text})["result"]["params"]["t"], text)
        self.assertIn("error", self.call("ping", {"t": "x" * (1 << 20)}))
        self.assertIn("result", self.call("ping"))

    # ---- losses

    def test_a_lost_connection_is_made_anew_once(self):
        self.open()
        self.assertEqual(self.call("lose-once")["result"]["method"], "lose-once")
        self.assertEqual(sum("command" in h for h in self.heard()), 2)

    def test_patience_outlasts_a_reboot(self):
        """Nobody listens for a while, then the key is not accepted, then all is well."""
        self.open()
        self.say("patience", str(LIMIT * 1000))
        self.stop()
        self.allow_client(False)
        before = len(self.read("sshd.log"))
        self.ask("call", "later", "{}", 5000)

        def reboot():
            self.start()
            wait_for(lambda: "authenticating user" in self.read("sshd.log")[before:], "a refusal")
            self.allow_client()
        thread = threading.Thread(target=reboot)
        thread.start()
        answer = self.answer()
        thread.join()
        self.assertEqual(answer["result"]["method"], "later")

    def test_patience_ends(self):
        self.open()
        self.say("patience", "1000")
        self.stop()
        before = time.monotonic()
        error = self.call("later")["error"]
        self.assertEqual(error["class"], "retry")
        self.assertGreaterEqual(time.monotonic() - before, 1)

    def test_ctrl_c_ends_patience_at_once(self):
        self.open()
        self.say("patience", "1000000")
        self.stop()
        self.ask("call", "later", "{}", 5000)
        wait_for(lambda: "trying again" in self.read("driver.log"), "the warning")
        before = time.monotonic()
        self.driver.send_signal(signal.SIGINT)
        self.assertEqual(self.answer()["error"]["class"], "interrupted")
        self.assertLess(time.monotonic() - before, 5)

    def test_a_connection_lost_again_is_an_error(self):
        self.open()
        error = self.call("lose")["error"]
        self.assertEqual(error["class"], "retry")
        self.assertEqual(sum("command" in h for h in self.heard()), 2)
        self.assertIn("result", self.call("ping"))

    def test_silence_ends(self):
        self.open()
        error = self.call("silent", timeout_ms=300)["error"]
        self.assertEqual(error["class"], "retry")
        self.assertIn("does not answer", error["message"])
        self.assertIn("result", self.call("ping"))

    def test_talk_without_an_answer_ends(self):
        """Frames of others without end, or one frame that never becomes whole."""
        self.open()
        for method in ("talk", "trickle"):
            error = self.call(method, timeout_ms=700)["error"]
            self.assertEqual(error["class"], "retry")
            self.assertIn("does not answer", error["message"])
        self.assertIn("result", self.call("ping"))

    def interrupted(self, method):
        self.open()
        self.ask("call", method, "{}", 1000000)
        wait_for(lambda: method in self.read("log"), "the request")
        self.driver.send_signal(signal.SIGINT)
        self.assertEqual(self.answer()["error"]["class"], "interrupted")

    def test_ctrl_c_ends_a_call_to_one_who_talks(self):
        self.interrupted("talk")

    def test_ctrl_c_ends_a_call_to_one_who_trickles(self):
        self.interrupted("trickle")

    def test_a_host_that_went_away_is_named(self):
        self.open()
        self.stop()
        error = self.call("ping")["error"]
        self.assertEqual(error["class"], "retry")
        self.assertIn("the host", error["message"])

    # ---- a host that boots

    def test_waits_until_somebody_listens(self):
        timer = threading.Timer(1, self.start)
        timer.start()
        self.assertNotIn("error", self.say("open-wait", 30000))
        timer.join()

    def test_waits_until_the_key_is_known(self):
        self.allow_client(False)
        self.start()
        self.assertEqual(self.say("open")["error"]["code"], 13)
        timer = threading.Timer(1, self.allow_client)
        timer.start()
        self.assertNotIn("error", self.say("open-wait", 30000))
        timer.join()

    def test_waits_until_the_service_is_there(self):
        self.start()
        self.behave(first_hello={"error": {"class": "retry", "code": 111, "message": "not yet"}})
        self.assertNotIn("error", self.say("open-wait", 30000))

    def test_waiting_has_an_end(self):
        error = self.say("open-wait", 700)["error"]
        self.assertEqual(error["class"], "retry")
        self.assertIn("port %d" % self.port, error["message"])

    def test_another_host_key_is_never_waited_for(self):
        self.start()
        started = time.monotonic()
        error = self.say("open-wait", 30000, host_key="other")["error"]
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(error["class"], "user")
        self.assertEqual(error["message"].count("SHA256:"), 2)
        self.assertFalse(os.path.exists(self.at("log")))

    # ---- before there is an agent

    def test_a_command_gets_its_input(self):
        self.start()
        with open(os.path.join(BUILD, "tests/functional/.libs/link-driver")
                  if os.path.exists(os.path.join(BUILD, "tests/functional/.libs/link-driver")) else DRIVER, "rb") as f:
            digest = hashlib.sha256(f.read()).hexdigest()
        answer = self.say("run", 30000, "sha256sum > %s" % self.at("sum"), key="login")
        self.assertNotIn("error", answer)
        self.assertEqual(self.read("sum").split()[0], digest)

    def test_a_command_that_fails_is_quoted(self):
        self.start()
        error = self.say("run", 30000, "cat > /dev/null; echo out; echo no room left >&2; exit 3",
                         key="login")["error"]
        self.assertEqual(error["class"], "remote")
        self.assertIn("status 3", error["message"])
        self.assertIn("no room left", error["message"])

    def test_a_command_that_does_not_read_fails_all_the_same(self):
        self.start()
        error = self.say("run", 30000, "echo not for you >&2; exit 1", key="login")["error"]
        self.assertIn("not for you", error["message"])

    def test_a_command_that_says_much_is_cut(self):
        self.start()
        error = self.say("run", 30000, "cat > /dev/null; seq 200000; exit 1", key="login")["error"]
        self.assertIn("200000", error["message"])
        self.assertLess(len(error["message"]), 20000)

    def test_a_command_that_hangs_is_given_up(self):
        self.start()
        error = self.say("run", 500, "cat > /dev/null; exec sleep 60", key="login")["error"]
        self.assertEqual(error["class"], "retry")
        self.assertIn("does not end", error["message"])

    def test_the_host_key_that_answers_can_be_asked_for(self):
        self.start()
        keys = self.say("host-keys", 5000)["result"]
        self.assertEqual(keys[0].split(), self.read("host.pub").split()[:2])


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
