#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole of osm once, as an operator would use it, in the lab: conversion hosts, a server with its volumes to the
other cloud, every byte compared independently of osm.  Used by quickstart and by tests/bench/e2e."""
import argparse
import json
import os
import shlex
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cloudlib import Cloud, side_by_side, ssh, wait_ssh  # noqa: E402
from demo import Demo  # noqa: E402


class Failed(Exception):
    pass


class Walkthrough:
    def __init__(self, args):
        self.args = args
        os.makedirs(args.state_dir, exist_ok=True)
        self.config = args.state_dir + '/osm.yaml'
        with open(self.config, 'w') as f:
            f.write('source: {cloud: src}\ndestination: {cloud: dst}\nstate_dir: %s/state\n'
                    'conversion_hosts: {image: osm-conversion-host, flavor: osm.conversion}\n' % args.state_dir)
        self.src, self.dst = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
        self.rows, self.times = [], []

    def osm(self, *words, what=None):
        command = [self.args.controller, '--config', self.config, *words]
        print('\n$ osm-controller ' + shlex.join(words), flush=True)
        started = time.monotonic()
        status = subprocess.run(command).returncode
        seconds = time.monotonic() - started
        if status:
            raise Failed('osm-controller %s: exit status %d' % (words[0], status))
        if what:
            self.times.append((what, seconds))
        return seconds

    def json(self, *words):
        out = subprocess.run([self.args.controller, '--config', self.config, '-o', 'json', *words],
                             stdout=subprocess.PIPE, check=True, text=True).stdout
        return json.loads(out)

    def prepare(self):
        print('\nA tenant with a server: boot volume from an image, a volume with files, one of odd content', flush=True)
        side_by_side(*[lambda c=c: c.image('osm-conversion-host', self.args.conversion_image)
                       for c in (self.src, self.dst)])
        self.demo = Demo(self.src, self.dst, self.args.guest_image, self.args.state_dir + '/demo-key')
        self.demo.create(odd_gb=0 if self.args.bench else 1)
        print("server 'demo' (%s) answers at %s" % (self.demo.server.id, self.demo.address), flush=True)

    def migrate(self):
        """In two commands, so that the volumes can be compared before the new server writes to its boot disk; with what
        deleted files have left, so that they can be compared bit by bit."""
        first = self.osm('migrate-server', '--no-sparse', '--hold', 'demo')
        migration = self.json('list')[0]['id']
        self.compare()
        second = self.osm('resume', migration)
        self.times.append(('migrate the server, verification included', first + second))

    def compare(self):
        """By reading where each cloud keeps its volumes."""
        by_name = {v.name: v.id for v in self.dst.api.block_storage.volumes()}
        for role, volume_id in self.demo.volumes.items():
            source = self.src.sha256(volume_id)
            copy = self.dst.sha256(by_name['demo-' + role])
            self.rows.append(('demo-' + role, source, copy))

    def look_inside(self):
        server = self.dst.api.compute.find_server('demo')
        port = next(self.dst.api.network.ports(device_id=server.id))
        address = next(self.dst.api.network.ips(port_id=port.id)).floating_ip_address
        wait_ssh(address, self.demo.key)
        data_id = {v.name: v.id for v in self.dst.api.block_storage.volumes()}['demo-data']
        said = ssh(address, self.demo.key,
                   'cat /etc/demo-marker; sudo mount /dev/disk/by-id/virtio-%s /mnt && cat /mnt/letter && cd /mnt && '
                   'sudo sed s,/data/,/mnt/, random.sha256 | sudo sha256sum --check --quiet && echo "files intact"'
                   % data_id[:20])
        if said.split('\n') != ['still here', 'written before the move', 'files intact']:
            raise Failed('the new server says: ' + said)
        print('\nThe new server at %s: %s' % (address, said.replace('\n', ', ')), flush=True)

    def report(self):
        equal = all(a == b for _, a, b in self.rows)
        print('\n%-12s %-20s %-20s' % ('VOLUME', 'SHA-256 IN src', 'SHA-256 IN dst'))
        for name, a, b in self.rows:
            print('%-12s %-20s %-20s %s' % (name, a[:16] + '...', b[:16] + '...', 'equal' if a == b else 'DIFFERENT'))
        print()
        for what, seconds in self.times:
            print('%6.1f s  %s' % (seconds, what))
        sys.stdout.flush()
        if not equal or len(self.rows) != len(self.demo.volumes):
            raise Failed('the volumes are not equal')

    def bench(self):
        """A server with a boot volume of 2 GB and a data volume of 1 GB, in one go."""
        self.prepare()
        deploy = self.osm('deploy-conversion-hosts')
        move = self.osm('migrate-server', 'demo')
        print('\n%6.1f s  deploy the conversion hosts (goal: 65 s or less)' % deploy)
        print('%6.1f s  migrate a server of 2 + 1 GB, verification included (goal: 39 s or less)' % move)
        print('load average at the end: %s' % open('/proc/loadavg').read().split()[0])

    def run(self):
        self.prepare()
        self.osm('deploy-conversion-hosts', what='deploy the conversion hosts')
        self.osm('check-conversion-hosts')
        self.osm('migrate-server', '--dry-run', 'demo')
        self.migrate()
        self.look_inside()
        if not self.args.keep:
            self.osm('cleanup', self.json('list')[0]['id'])
            self.osm('delete-conversion-hosts', what='delete the conversion hosts')
        self.report()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--controller', required=True)
    p.add_argument('--guest-image', required=True)
    p.add_argument('--conversion-image', required=True)
    p.add_argument('--state-dir', required=True)
    p.add_argument('--keep', action='store_true')
    p.add_argument('--bench', action='store_true', help='measure only')
    try:
        walkthrough = Walkthrough(p.parse_args())
        walkthrough.bench() if walkthrough.args.bench else walkthrough.run()
    except (Failed, AssertionError) as e:
        sys.exit('walkthrough: %s' % e)


main()
