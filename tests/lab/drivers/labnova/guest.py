# SPDX-License-Identifier: Apache-2.0
"""Processes of a server: pid, mount, uts, ipc and network namespaces whose
root is the root file system on the server's root disk."""
import os
import shutil
import signal
import stat
import subprocess
import time

import eventlet

from nova.api.metadata import base as instance_metadata
from nova import exception

from labnova import disks
from labnova import network
from labnova.common import PROGRAM, read, run, start_time

CHARACTER_DEVICES = (('null', 1, 3, 0o666), ('zero', 1, 5, 0o666), ('full', 1, 7, 0o666),
                     ('random', 1, 8, 0o666), ('urandom', 1, 9, 0o666), ('tty', 5, 0, 0o666))
SYMLINKS = (('fd', '/proc/self/fd'), ('stdin', 'fd/0'), ('stdout', 'fd/1'),
            ('stderr', 'fd/2'), ('ptmx', 'pts/ptmx'))


def write_config_drive(directory, instance, network_info, files, password):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    metadata = instance_metadata.InstanceMetadata(
        instance, content=files or [], network_info=network_info,
        extra_md={'admin_pass': password} if password else {})
    for path, value in metadata.metadata_for_config_drive():
        path = os.path.join(directory, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(value if isinstance(value, bytes) else value.encode())


def make_dev(dev):
    """A tmpfs that the server sees as /dev; attach makes a node here."""
    os.makedirs(dev, exist_ok=True)
    if not os.path.ismount(dev):
        run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', dev)
    for name, major, minor, mode in CHARACTER_DEVICES:
        path = dev + '/' + name
        if not os.path.exists(path):
            os.mknod(path, stat.S_IFCHR, os.makedev(major, minor))
            os.chmod(path, mode)
    for name, target in SYMLINKS:
        if not os.path.lexists(dev + '/' + name):
            os.symlink(target, dev + '/' + name)
    # the console is a pipe into console.log: nobody can truncate it
    if not os.path.exists(dev + '/console'):
        os.mkfifo(dev + '/console', 0o600)


def start(servers, server, network_info):
    """Start the server; fills in its pid and saves it."""
    uuid = server['uuid']
    directory = servers.directory(uuid)
    network.make_namespace(uuid)
    server['vifs'] = {}
    for number, vif in enumerate(network_info or []):
        network.plug(uuid, vif, number)
        server['vifs'][vif['id']] = number
    dev = directory + '/dev'
    make_dev(dev)
    root = '-'
    for disk in server['disks']:
        disk['loop'] = disks.attach_loop(disk['path'], disk.get('offset', 0))
        disks.make_nodes(dev, disk)
        if disk['root']:
            root = disks.root_device(disk)
    servers.save(server)
    pidfile = directory + '/unshare.pid'
    try:
        os.unlink(pidfile)
    except FileNotFoundError:
        pass
    launcher = subprocess.Popen(
        [PROGRAM + '/guest/guest-run', directory, network.namespace(uuid), root,
         server['hostname']],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True)
    server['pid'] = _first_child(pidfile)
    server['pidstart'] = start_time(server['pid'])[1]
    server['paused'] = False
    servers.save(server)
    eventlet.spawn(launcher.wait)


def _first_child(pidfile):
    deadline = time.time() + 10
    while time.time() < deadline:
        try:
            pid = int(read(pidfile))
            children = read('/proc/%d/task/%d/children' % (pid, pid)).split()
            # until unshare has forked, what it runs is not there
            if children:
                return int(children[0])
        except (OSError, ValueError):
            pass
        eventlet.sleep(0.02)
    raise exception.InstanceDeployFailure(reason='the server does not start')


def stop(servers, server, timeout):
    """Ask it to end when timeout is not 0, then end it; release its devices."""
    if servers.alive(server):
        try:
            if timeout:
                os.kill(server['pid'], signal.SIGCONT)
                os.kill(server['pid'], signal.SIGTERM)
            _until_dead(servers, server, timeout)
            if servers.alive(server):
                os.kill(server['pid'], signal.SIGKILL)
                _until_dead(servers, server, 5)
        except ProcessLookupError:
            pass
    server['pid'] = None
    for port_id in server['vifs']:
        network.unplug(port_id)
    server['vifs'] = {}
    network.delete_namespace(server['uuid'])
    run('umount', '-l', servers.directory(server['uuid']) + '/dev', check_exit_code=False)
    for disk in server['disks']:
        if disk.get('loop'):
            loop, disk['loop'] = disk['loop'], None
            servers.save(server)
            disks.detach_loop(servers, loop, disk['path'])
    servers.save(server)


def _until_dead(servers, server, timeout):
    deadline = time.time() + timeout
    while servers.alive(server) and time.time() < deadline:
        eventlet.sleep(0.05)


def pid_namespace(server):
    try:
        return os.readlink('/proc/%d/ns/pid' % server['pid'])
    except (OSError, TypeError):
        return None


def signal_all(server, number):
    namespace = pid_namespace(server)
    for p in os.listdir('/proc'):
        try:
            if p.isdigit() and os.readlink('/proc/%s/ns/pid' % p) == namespace:
                os.kill(int(p), number)
        except OSError:
            pass
