# SPDX-License-Identifier: Apache-2.0
"""Small helpers and the record of a server (server.json in its directory)."""
import json
import os

from oslo_concurrency import processutils

from nova import exception

#: of the lab's program, with the guest scripts
PROGRAM = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def run(*command, **kw):
    return processutils.execute(*command, **kw)[0]


def read(path):
    with open(path) as f:
        return f.read().strip()


def start_time(pid):
    """(state, start time) of a process; tells a pid from its later reuse."""
    words = read('/proc/%d/stat' % pid).rsplit(')', 1)[1].split()
    return words[0], words[19]


class Servers:
    """server.json of every server below the instances directory:
    uuid, name, hostname, bus, pid, pidstart, paused, vifs {port: n},
    disks [{path, dev, bus, root, volume_id, serial, loop}] in boot order."""

    def __init__(self, top):
        self.top = top

    def directory(self, uuid):
        return os.path.join(self.top, uuid)

    def uuids(self):
        return [d for d in os.listdir(self.top)
                if os.path.exists(self.directory(d) + '/server.json')]

    def load(self, uuid):
        try:
            with open(self.directory(uuid) + '/server.json') as f:
                return json.load(f)
        except FileNotFoundError:
            raise exception.InstanceNotFound(instance_id=uuid)

    def save(self, server):
        path = self.directory(server['uuid']) + '/server.json'
        with open(path + '.new', 'w') as f:
            json.dump(server, f, indent=1)
        os.rename(path + '.new', path)

    def alive(self, server):
        if not server.get('pid'):
            return False
        try:
            state, started = start_time(server['pid'])
        except OSError:
            return False
        return state not in 'ZX' and started == server.get('pidstart')
