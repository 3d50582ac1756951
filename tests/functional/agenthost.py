# SPDX-License-Identifier: Apache-2.0
"""A conversion host in namespaces of its own, for tests: the real agent-setup, sshd, service and disks.

Everything runs in private mount, process and network namespaces with a copy of /etc, so that users
are made and sshd is configured as on a conversion host, and nothing of it is left.  Needs root.

    enter(__file__)              starts the program again, inside
    host = Host()                users, sshd, the service
    with Channel() as agent:     the control socket, as root
        agent.call("ping")

Programs of tests: class X (AgentTest) ..., HOST = None, and main(__file__) at the end.
"""

import contextlib
import fcntl
import json
import os
import pwd
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import time
import unittest
import uuid

BUILD = os.path.abspath(os.environ.get("top_builddir", os.getcwd()))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", BUILD))
TOP = "/run/osm-test"
BIN = TOP + "/bin"
DEV = TOP + "/dev"
CONTROL = "/run/osm/control.sock"
EXPORTS = "/run/osm-peer/exports"
MIB = 1 << 20
LIMIT = 60  # seconds, for anything that should take a few
NOBODY = 65534


# ---- the namespaces ----

def enter(program):
    """Start again, in the namespaces; --inside then is the first argument."""
    if os.getuid() != 0:
        print("1..0 # SKIP needs root: users, disks and namespaces are made")
        sys.exit(77)
    os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
                          "--mount-proc", "--propagation", "private", sys.executable,
                          os.path.abspath(program), "--inside"] + sys.argv[1:])


def run(*argv, **options):
    options.setdefault("check", True)
    options.setdefault("timeout", LIMIT)
    return subprocess.run(argv, **options)


def mount(*arguments):
    run("mount", *arguments)


def private_folders():
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    run("cp", "-a", "/etc", "/run/etc")
    mount("--bind", "/run/etc", "/etc")
    for folder in ("/var/lib", "/var/log"):
        mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for folder in (BIN, DEV + "/disk/by-id", TOP + "/share", TOP + "/libexec/osm", "/run/sshd"):
        os.makedirs(folder)
    os.chmod(TOP, 0o755)


def loopback_up():
    with socket.socket() as s:
        request = struct.pack("16sh22x", b"lo", 0x1 | 0x40)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(s, 0x8914, request)  # SIOCSIFFLAGS


# ---- small helpers ----

def wait_for(condition, what):
    end = time.monotonic() + LIMIT
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited in vain for " + what)
        time.sleep(0.01)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def processes(pattern):
    """Numbers of the living processes whose command line matches."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            line = read("/proc/%s/cmdline" % name).replace(b"\0", b" ").decode().strip()
            state = read("/proc/%s/stat" % name).decode().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if state != "Z" and re.search(pattern, line):
            found.append(int(name))
    return found


def service_pid():
    found = processes("^%s/osm-agent service$" % BIN)
    return found[0] if found else None


def worker(kind):
    return wait_for(lambda: processes("worker %s$" % kind), "worker " + kind)[0]


def server():
    """Of an export."""
    return worker("export")


def as_user(uid, *argv, **options):
    return run("setpriv", "--reuid=%d" % uid, "--regid=%d" % pwd.getpwuid(uid).pw_gid,
               "--clear-groups", *argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


class Disk:
    """A loop device with the by-id link that a volume would have."""

    def __init__(self, size, content=b"", link="virtio-%.20s"):
        self.volume_id = str(uuid.uuid4())
        self.size = size
        self.file = "%s/%s.raw" % (TOP, self.volume_id)
        self.make_file(content)
        self.path = self.link = None
        for _ in range(50):
            number = int(run("losetup", "-f", stdout=subprocess.PIPE).stdout.split(b"loop")[1])
            path = "%s/loop%d" % (DEV, number)
            if not os.path.exists(path):
                os.mknod(path, 0o660 | stat.S_IFBLK, os.makedev(7, number))
            if run("losetup", path, self.file, check=False).returncode == 0:
                self.path = path
                break
        assert self.path, "no free loop device"
        os.chmod(self.path, 0o660)
        shutil.chown(self.path, "root", "disk")
        if link:
            self.add_link(link)

    def make_file(self, content):
        with open(self.file, "wb") as f:
            f.truncate(self.size)
            f.write(content)

    def add_link(self, link="virtio-%.20s"):
        self.link = "%s/disk/by-id/%s" % (DEV, link % self.volume_id)
        os.symlink(self.path, self.link)

    def content(self):
        run("blockdev", "--flushbufs", self.path)
        return read(self.path)

    def remove(self):
        if self.link:
            os.unlink(self.link)
            self.link = None
        run("losetup", "-d", self.path)
        os.unlink(self.path)
        os.unlink(self.file)


class BadDisk(Disk):
    """A disk with sectors that cannot be read: [(offset, length), ...]."""

    def __init__(self, size, content, bad, **options):
        self.bad = bad
        self.processes = []
        super().__init__(size, content, **options)

    def make_file(self, content):
        super().make_file(content)
        self.good, self.file = self.file, self.file + "-bad"
        socket_path = self.good + ".sock"
        with open(self.file, "wb"):
            pass
        tests = "".join("[ $4 -ge %d ] || [ $(($3 + $4)) -le %d ] || bad; " % (offset + length, offset)
                        for offset, length in self.bad)
        self.processes.append(subprocess.Popen(
            ["nbdkit", "-f", "-r", "-U", socket_path, "eval", "get_size=echo %d" % self.size,
             "pread=bad() { echo 'EIO bad sector' >&2; exit 1; }; %s"
             "dd if=%s iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=1M status=none" %
             (tests, self.good)], stderr=subprocess.DEVNULL))
        wait_for(lambda: os.path.exists(socket_path), "nbdkit")
        self.processes.append(subprocess.Popen(
            ["nbdfuse", self.file, "nbd+unix:///?socket=" + socket_path], stderr=subprocess.DEVNULL))
        wait_for(lambda: os.stat(self.file).st_size == self.size, "nbdfuse")

    def expected(self):
        content = bytearray(read(self.good))
        for offset, length in self.bad:
            content[offset:offset + length] = bytes(length)
        return bytes(content)

    def remove(self):
        if self.link:
            os.unlink(self.link)
        run("losetup", "-d", self.path)
        os.unlink(self.path)
        # Lazily: a server whose service was killed may still be about to let go of the disk.
        run("umount", "-l", self.file)
        for process in self.processes:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # as long as somebody holds the disk, nbdfuse serves it
                process.kill()
                process.wait()
        os.unlink(self.file)
        os.unlink(self.good)


class Refused(Exception):
    """An error answer."""

    def __init__(self, error):
        super().__init__("%(class)s: %(message)s" % error)
        self.error = error


class Channel:
    """Frames over the control socket, or over the stdin and stdout of a command."""

    def __init__(self, argv=None, hello=True, **options):
        self.process = None
        self.next = 1
        self.answers = {}
        ours = socket.socket(socket.AF_UNIX)
        if argv is None:
            try:
                ours.connect(CONTROL)
            except OSError:
                ours.close()
                raise
        else:
            ours.close()
            ours, theirs = socket.socketpair()
            self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, **options)
            theirs.close()
        ours.settimeout(LIMIT)
        self.socket = ours
        self.hello = None
        if hello:
            self.send({"hello": {"protocol": 1, "version": "test"}})
            first = self.receive()
            assert first and "hello" in first, first
            self.hello = first["hello"]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()
        if self.process:
            self.process.wait(timeout=LIMIT)

    def send(self, message):
        text = json.dumps(message).encode()
        self.socket.sendall(struct.pack(">I", len(text)) + text)

    def exactly(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        return data

    def receive(self):
        """The next frame, or None at the end."""
        head = self.exactly(4)
        if head is None:
            return None
        return json.loads(self.exactly(struct.unpack(">I", head)[0]))

    def start(self, method, **params):
        number, self.next = self.next, self.next + 1
        self.send({"id": number, "method": method, "params": params})
        return number

    def finish(self, number):
        while number not in self.answers:
            frame = self.receive()
            assert frame and "id" in frame, frame
            self.answers[frame["id"]] = frame
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def call(self, method, **params):
        return self.finish(self.start(method, **params))

    def wait(self, job):
        end = time.monotonic() + 2 * LIMIT
        while time.monotonic() < end:
            now = self.call("job.wait", ids=[job], timeout_ms=5000)["jobs"][0]
            if now["state"] != "running":
                return now
        raise AssertionError("job %s does not end: %s" % (job, now))


# ---- the host ----

class Host:
    """What agent-setup made, and a sshd."""

    def __init__(self):
        private_folders()
        loopback_up()
        shutil.copy(BUILD + "/osm-agent", BIN)
        with open("/etc/group", encoding="ascii") as f:
            assert not re.search("^osm", f.read(), re.M), "this machine is a conversion host"
        self.environment = dict(os.environ, OSM_AGENT_DEV=DEV)
        self.sanitized = bool(re.search(r"/lib(asan|tsan)", run(
            "ldd", BIN + "/osm-agent", stdout=subprocess.PIPE, text=True).stdout))
        for name, folder in (("agent-setup", TOP + "/libexec/osm"), ("sshd-osm.conf", TOP + "/share")):
            with open("%s/packaging/%s.in" % (SOURCE, name), encoding="ascii") as f:
                text = f.read()
            for key, value in (("bindir", BIN), ("pkgdatadir", TOP + "/share"),
                               ("libexecdir", TOP + "/libexec"), ("systemdsystemunitdir", TOP)):
                text = text.replace("@%s@" % key, value)
            with open("%s/%s" % (folder, name), "w", encoding="ascii") as f:
                f.write(text)
        os.chmod(TOP + "/libexec/osm/agent-setup", 0o755)
        run("ssh-keygen", "-A", stdout=subprocess.DEVNULL)
        for name in ("controller", "stranger"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", TOP + "/" + name)
        os.makedirs("/etc/osm")
        with open("/etc/osm/controller_keys", "w", encoding="ascii") as f:
            f.write("# who may control this agent\n\ncommand=\"/bin/sh\" %s%s" %
                    (read(TOP + "/stranger.pub").decode(), read(TOP + "/controller.pub").decode()))
        self.sshd = None
        self.start_sshd()
        self.setup()
        self.host_key = " ".join(read("/etc/ssh/ssh_host_ed25519_key.pub").decode().split()[:2])
        with open(TOP + "/known_hosts", "w", encoding="ascii") as f:
            f.write("127.0.0.1 %s\n" % self.host_key)

    def setup(self, *arguments):
        run(TOP + "/libexec/osm/agent-setup", *arguments, env=self.environment,
            stdout=subprocess.DEVNULL)
        wait_for(self.answers, "the service")

    @staticmethod
    def answers():
        with contextlib.suppress(OSError):
            with Channel():
                return True
        return False

    def start_sshd(self):
        with open(TOP + "/sshd.log", "ab") as log:
            self.sshd = subprocess.Popen(
                ["/usr/sbin/sshd", "-D", "-e", "-o", "ListenAddress=127.0.0.1", "-o",
                 "LogLevel=VERBOSE", "-o", "MaxStartups=100", "-o", "PidFile=/run/sshd.pid"],
                stderr=log)

        def listening():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", 22)) == 0
        wait_for(listening, "sshd")

    @staticmethod
    def ssh(user, key, *arguments):
        return ["ssh", "-F", "none", "-i", key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=%s/known_hosts" % TOP,
                "-o", "ExitOnForwardFailure=yes", *arguments, user + "@127.0.0.1"]

    def peer_source(self, path, **changes):
        return dict({"address": "127.0.0.1", "port": 22, "user": "osm-peer",
                     "host_keys": [self.host_key], "socket": path}, **changes)


# ---- tests ----
class AgentTest(unittest.TestCase):
    """Talks to the service; what it leaves there is gone after each test."""

    def setUp(self):
        self.agent = Channel()
        self.addCleanup(lambda: self.agent.close())
        self.disks = []
        self.addCleanup(self.clean)

    def clean(self):
        with Channel() as agent:
            for one in agent.call("export.list")["exports"]:
                agent.call("export.stop", id=one["id"])
            for one in agent.call("job.list")["jobs"]:
                if one["state"] == "running":
                    agent.call("job.cancel", id=one["id"])
                with contextlib.suppress(Refused):  # results of link tests go by themselves
                    agent.call("job.forget", id=one["id"])
            for one in agent.call("carrier.list")["carriers"]:
                agent.call("carrier.stop", id=one["id"])
            for one in agent.call("peer.list")["peers"]:
                agent.call("peer.revoke", id=one["id"])
        self.assertEqual(os.listdir("/var/lib/osm/jobs"), [])
        for disk in self.disks:
            disk.remove()

    def disk(self, *arguments, kind=Disk, **options):
        disk = kind(*arguments, **options)
        self.disks.append(disk)
        return disk

    def linked(self):
        """The agent may log in to itself as its peer."""
        key = self.agent.call("peer.key")["public_key"]
        answer = self.agent.call("peer.authorize", id="pair", public_key=key)
        self.assertEqual(answer["user"], "osm-peer")


def finish(host, result):
    """Ends the program: well if all tests passed, and the service's log tells of no bug."""
    host.sshd.kill()
    host.sshd.wait()
    good = result.wasSuccessful()
    if re.search(rb"Sanitizer|runtime error:|Assertion", read("/var/log/osm-agent.log")):
        print("FAIL: the log of the service tells of a bug", file=sys.stderr)
        good = False
    if not good:
        for name in ("/var/log/osm-agent.log", TOP + "/sshd.log"):
            with contextlib.suppress(OSError):
                print("---- %s ----\n%s" % (name, read(name)[-8000:].decode(errors="replace")),
                      file=sys.stderr)
    sys.exit(0 if good else 1)


def main(program):
    """All tests of a program, with a conversion host in its global HOST."""
    if sys.argv[1:2] != ["--inside"]:
        enter(program)
    module = sys.modules["__main__"]
    module.HOST = Host()
    finish(module.HOST, unittest.main(module=module, argv=[sys.argv[0]] + sys.argv[2:], exit=False,
                                      verbosity=2).result)
