# SPDX-License-Identifier: Apache-2.0
"""A virtual machine for tests: QEMU with TCG, a disk image, a NoCloud seed.

    with Vm (workdir, image, user_data) as vm:
        vm.wait_for_boot (240)
        print (vm.root ("systemctl is-system-running"))
        disk = vm.add_disk ("virtio", path, volume_id)
        vm.remove_disk (disk)

The machine boots from its own disk: firmware, GRUB, the kernel in the image.
Network: QEMU's user mode; ports of 127.0.0.1 lead to port 22 (the sshd under
test) and port 2222 (a second sshd with its own configuration and host key,
through which the test is root, whatever the first one allows).
"""
import json
import os
import re
import shlex
import socket
import subprocess
import time

VENDOR_DATA = """#cloud-boothook
#!/bin/sh
mkdir -p /run/check /run/sshd
umask 077
cat > /run/check/key <<'EOF'
{host_key}EOF
cat > /run/check/authorized_keys <<'EOF'
{root_key}
EOF
cat > /run/check/config <<'EOF'
Port 2222
HostKey /run/check/key
AuthorizedKeysFile /run/check/authorized_keys
AllowUsers root
PermitRootLogin prohibit-password
PasswordAuthentication no
StrictModes no
UseDNS no
PidFile none
Subsystem sftp internal-sftp
EOF
systemd-run --quiet --no-block --unit=check-sshd -p Restart=on-failure \\
  /usr/sbin/sshd -D -f /run/check/config
"""


class VmError(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*argv, **kw):
    kw.setdefault("check", True)
    return subprocess.run(argv, stdin=subprocess.DEVNULL, text=True, **kw)


def make_key(path):
    """An Ed25519 key pair; returns the public line."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "check", "-f", path)
    with open(path + ".pub", encoding="ascii") as f:
        return f.read().strip()


def wait_until(what, seconds, condition, interval=0.2):
    """Poll condition () until it is true; its value is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise VmError(f"{what}: not within {seconds} s")
        time.sleep(interval)


class Qmp:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw", encoding="utf-8")
        self.events = []
        self.read()
        self.command("qmp_capabilities")

    def read(self):
        line = self.file.readline()
        if not line:
            raise VmError("QEMU closed its control socket")
        return json.loads(line)

    def command(self, name, **arguments):
        self.file.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = self.read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise VmError(f"QMP {name}: {answer['error']['desc']}")
            else:
                return answer["return"]


class Vm:
    def __init__(self, workdir, image, user_data, memory_mib=1024, accel="tcg,thread=multi"):
        self.dir = workdir
        self.image = os.path.abspath(image)
        self.user_data = user_data
        self.memory_mib = memory_mib
        self.accel = accel
        self.ssh_port = free_port()
        self.root_port = free_port()
        self.serial = os.path.join(workdir, "serial.log")
        self.host_keys = []
        self.process = None
        self.qmp = None
        self.disks = 0

    def path(self, name):
        return os.path.join(self.dir, name)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()

    def make_seed(self):
        root_key = make_key(self.path("root-key"))
        host_public = make_key(self.path("root-host-key"))
        with open(self.path("root-host-key"), encoding="ascii") as f:
            host_key = f.read()
        kind, blob = host_public.split()[:2]
        with open(self.path("known-root"), "w", encoding="ascii") as f:
            f.write(f"[127.0.0.1]:{self.root_port} {kind} {blob}\n")
        seed = self.path("seed")
        os.mkdir(seed)
        files = {
            "user-data": self.user_data,
            "vendor-data": VENDOR_DATA.format(host_key=host_key, root_key=root_key),
            "meta-data": "instance-id: check-systemd\nlocal-hostname: conversion\n",
        }
        for name, text in files.items():
            with open(os.path.join(seed, name), "w", encoding="utf-8") as f:
                f.write(text)
        run("genisoimage", "-quiet", "-V", "cidata", "-J", "-r", "-o", self.path("seed.iso"),
            *[os.path.join(seed, n) for n in files])

    def start(self):
        self.make_seed()
        overlay = self.path("disk.qcow2")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", self.image, overlay)
        argv = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot",
            "-machine", "pc", "-accel", self.accel, "-cpu", "max", "-smp", "2",
            "-m", str(self.memory_mib), "-display", "none",
            "-serial", f"file:{self.serial}",
            "-qmp", f"unix:{self.path('qmp')},server=on,wait=off",
            "-drive", f"file={overlay},if=virtio,format=qcow2,cache=unsafe",
            "-drive", f"file={self.path('seed.iso')},if=virtio,format=raw,readonly=on",
            "-device", "virtio-scsi-pci,id=scsi0",
            "-device", "virtio-rng-pci",
            "-netdev", "user,id=net0,ipv6=off"
            f",hostfwd=tcp:127.0.0.1:{self.ssh_port}-:22"
            f",hostfwd=tcp:127.0.0.1:{self.root_port}-:2222",
            "-device", "virtio-net-pci,netdev=net0,romfile=",
        ]
        with open(self.path("qemu.log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("QEMU's control socket", 20,
                   lambda: os.path.exists(self.path("qmp")) or self.dead())
        self.alive()
        self.qmp = Qmp(self.path("qmp"))

    def dead(self):
        return self.process.poll() is not None

    def alive(self):
        if self.dead():
            with open(self.path("qemu.log"), encoding="utf-8") as f:
                raise VmError(f"QEMU ended with {self.process.returncode}: {f.read().strip()}")
        return True

    def stop(self):
        if self.process is None:
            return
        if not self.dead():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def console(self):
        try:
            with open(self.serial, encoding="utf-8", errors="replace") as f:
                return f.read().replace("\r", "")
        except FileNotFoundError:
            return ""

    def read_host_keys(self):
        """The host keys as cloud-init prints them on the console, or []."""
        match = re.search(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----",
                          self.console(), re.S)
        if not match:
            return []
        return [" ".join(m) for m in
                re.findall(r"^(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) ([A-Za-z0-9+/=]+)", match[1], re.M)]

    def wait_for_ssh(self, seconds):
        """Until the second sshd lets root in; the answer of the first try that works."""
        def attempt():
            self.alive()
            return self.root_try("true", timeout=30).returncode == 0
        wait_until("SSH as root", seconds, attempt, 1)

    def wait_for_boot(self, seconds):
        """Until the console shows the host keys, which are then pinned."""
        self.host_keys = wait_until("host keys on the console", seconds,
                                    lambda: self.alive() and self.read_host_keys())
        with open(self.path("known-hosts"), "w", encoding="ascii") as f:
            for key in self.host_keys:
                f.write(f"[127.0.0.1]:{self.ssh_port} {key}\n")

    def ssh_argv(self, user, key, *options):
        """An ssh command line to the sshd under test, as user with key."""
        return ["ssh", "-F", "/dev/null", "-i", key, "-p", str(self.ssh_port),
                "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.path('known-hosts')}",
                "-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=30", "-o", "LogLevel=ERROR",
                *options, f"{user}@127.0.0.1"]

    def root_try(self, command, timeout=60, data=None):
        """Run a shell command as root; returns the CompletedProcess."""
        argv = ["ssh", "-F", "/dev/null", "-i", self.path("root-key"), "-p", str(self.root_port),
                "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={self.path('known-root')}",
                "-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR",
                "-o", "ControlMaster=auto", "-o", "ControlPersist=600",
                "-o", f"ControlPath={self.path('mux')}",
                "root@127.0.0.1", command]
        stderr = self.path("ssh.err")
        # stderr is a file: the persistent master would hold a pipe open
        with open(stderr, "w", encoding="utf-8") as err:
            try:
                done = subprocess.run(argv, input=data or "", text=True, errors="replace",
                                      stdout=subprocess.PIPE, stderr=err, timeout=timeout, check=False)
            except subprocess.TimeoutExpired:
                done = subprocess.CompletedProcess(argv, 255, "", None)
        with open(stderr, encoding="utf-8", errors="replace") as err:
            done.stderr = err.read()
        return done

    def root(self, command, timeout=60, data=None):
        """Run a shell command as root, which must succeed; returns its output."""
        done = self.root_try(command, timeout, data)
        if done.returncode != 0:
            raise VmError(f"{shlex.quote(command)} in the machine: status {done.returncode}: "
                          f"{done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.strip()

    def add_disk(self, bus, path, serial):
        """Hot-plug the raw file as a virtio or scsi disk; returns its name."""
        self.disks += 1
        name = f"hot{self.disks}"
        self.qmp.command("blockdev-add", **{
            "node-name": f"node-{name}", "driver": "raw",
            "file": {"driver": "file", "filename": os.path.abspath(path)}})
        device = {"id": name, "drive": f"node-{name}", "serial": serial}
        if bus == "virtio":
            device["driver"] = "virtio-blk-pci"
        elif bus == "scsi":
            # device_id is what libvirt sets; it becomes the by-id link
            device.update(driver="scsi-hd", bus="scsi0.0", device_id=serial)
        else:
            raise ValueError(bus)
        self.qmp.command("device_add", **device)
        return name

    def remove_disk(self, name, seconds=30):
        """Hot-unplug, and wait until the machine has let it go."""
        self.qmp.events.clear()
        self.qmp.command("device_del", id=name)

        def gone():
            self.qmp.command("query-status")
            return any(e["event"] == "DEVICE_DELETED" and e["data"].get("device") == name
                       for e in self.qmp.events)
        wait_until(f"removal of disk {name}", seconds, gone)
        self.qmp.command("blockdev-del", **{"node-name": f"node-{name}"})
