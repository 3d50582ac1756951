# SPDX-License-Identifier: Apache-2.0
"""What the suites of faults share: a small server to migrate again and again, conversion hosts that are deployed
once, and the checks that nothing is lost and nothing left. Runs inside the lab."""
import contextlib
import hashlib
import os
import random
import shutil
import sys
import tempfile
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), d) for d in ('e2e', 'lab/drivers')]
import osmlib  # noqa: E402

osmlib.PAIR, osmlib.PREFIX = 'flt-conversion', 'flt-'
from cloudlib import STATE, Cloud, side_by_side  # noqa: E402, F401
from conftest import delete_images, osm_left, purge, set_image_metadata, IMAGE  # noqa: E402
from osmlib import Osm, assert_server_state, inventory, server_state  # noqa: E402

NETWORK, CIDR, ADDRESS, MAC = 'flt-net', '10.79.0.0/24', '10.79.0.42', 'fa:16:3e:79:00:42'
SERVER = 'flt-server'
API_TIMEOUT = 8  # seconds of silence; the slowest answer on a machine that is busy takes less


def odd_content(path, seed):
    """Random islands at odd places; no file system, so that a server that runs from it changes nothing."""
    rng, size = random.Random(seed), os.stat(path).st_size
    with open(path, 'r+b') as f:
        f.write(rng.randbytes(4096))
        for _ in range(30):
            f.seek(rng.randrange(0, size - 70000))
            f.write(rng.randbytes(rng.choice([1, 511, 4096, 65537])))
        f.seek(size - 777)
        f.write(rng.randbytes(777))


BLOCK = 1 << 16


def digest(path):
    """SHA-256 of where there is something other than zeros, and what: holes take no time."""
    sha, done = hashlib.sha256(b'%d' % os.stat(path).st_size), 0
    with open(path, 'rb') as f:
        fd = f.fileno()
        while True:
            try:
                at = max(os.lseek(fd, done, os.SEEK_DATA) // BLOCK * BLOCK, done)
            except OSError:  # nothing but a hole
                return sha.hexdigest()
            end = os.lseek(fd, max(at, os.lseek(fd, done, os.SEEK_DATA)), os.SEEK_HOLE)
            while at < end:
                block = os.pread(fd, BLOCK, at)
                if block.count(0) != len(block):
                    sha.update(b'%d:' % at + block)
                at += BLOCK
            done = at


def sums(cloud, volumes):
    """{name: digest} of {name: volume id}, read where the cloud keeps them."""
    return {name: digest(cloud.volume_file(v)) for name, v in volumes.items()}


class World:
    """Both clouds, a server with two volumes in the one, conversion hosts in both."""

    def __init__(self, folder):
        self.folder = folder
        self.clouds = self.src, self.dst = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
        with open(os.environ['OS_CLIENT_CONFIG_FILE']) as f:
            self.clouds_config = yaml.safe_load(f)
        self.direct = self.clouds_file('clouds.yaml', {})
        self.osm = Osm(folder, self.direct, image=IMAGE)
        self.osm.base['conversion_hosts']['name'] = osmlib.PAIR

    def clouds_file(self, name, changes):
        """clouds.yaml with other auth_urls."""
        path = os.path.join(self.folder, name)
        config = yaml.safe_load(yaml.safe_dump(self.clouds_config))
        for cloud, url in changes.items():
            config['clouds'][cloud]['auth']['auth_url'] = url
            config['clouds'][cloud]['api_timeout'] = API_TIMEOUT
        with open(path, 'w') as f:
            yaml.safe_dump(config, f)
        return path

    def start(self):
        side_by_side(*[lambda c=c: purge(c) for c in self.clouds])
        delete_images(self.clouds)
        side_by_side(*[lambda c=c: c.image(IMAGE, os.environ['OSM_CONVERSION_IMAGE']) for c in self.clouds])
        self.empty = self.inventories()
        side_by_side(*[lambda c=c: c.network(NETWORK, CIDR) for c in self.clouds], self.deploy)
        self.make_server()
        self.before = self.inventories()
        self.state = server_state(self.src, self.server)
        self.sums = sums(self.src, self.volumes)

    def deploy(self):
        self.osm.run('deploy-conversion-hosts').expect(0)

    def make_server(self):
        src = self.src
        boot, data = side_by_side(lambda: src.volume('flt-boot', 1), lambda: src.volume('flt-data', 1))
        self.volumes = {'flt-boot': boot.id, 'flt-data': data.id}
        for i, v in enumerate(self.volumes.values()):
            odd_content(src.volume_file(v), i)
        src.api.block_storage.set_volume_bootable_status(boot, True)
        set_image_metadata(src, boot.id, os_shutdown_timeout='1')
        port = src.api.network.create_port(network_id=src.api.network.find_network(NETWORK).id, mac_address=MAC,
                                           fixed_ips=[{'ip_address': ADDRESS}])
        self.server = src.server(SERVER, 'm1.tiny', [port], [(boot.id, False), (data.id, True)],
                                 metadata={'owner': 'faults'}).id
        # A port becomes ACTIVE a moment after its server.
        end = time.monotonic() + 20
        while src.api.network.get_port(port.id).status != 'ACTIVE' and time.monotonic() < end:
            time.sleep(0.3)

    def stop(self):
        """Everything away; what is left over, as a list of texts."""
        left = ['osm: %r' % r for r in [self.osm.run('delete-conversion-hosts', '--force')] if r.status not in (0, 3)]
        left += ['%s: %s' % (c.name, x) for c in self.clouds for x in osm_left(c)]
        side_by_side(*[lambda c=c: purge(c) for c in self.clouds])
        now = self.inventories()
        left += ['%s' % (x,) for was, is_ in zip(self.empty, now) for x in is_.items() - was.items()]
        delete_images(self.clouds)
        return left

    # ---------------------------------------------------------------- checks
    def inventories(self):
        return side_by_side(*[lambda c=c: inventory(c) for c in self.clouds])

    def assert_as_before(self):
        assert_server_state(self.src, self.server, self.state)
        now = self.inventories()
        for cloud, was, is_ in zip(self.clouds, self.before, now):
            assert is_ == was, 'cloud %s: left over: %s; missing: %s' % (
                cloud.name, sorted(set(is_.items()) - set(was.items())), sorted(set(was.items()) - set(is_.items())))
        assert sums(self.src, self.volumes) == self.sums, 'the source has other bytes than before'

    def assert_migrated(self, result):
        """The result event of a completed migration."""
        assert result['state'] == 'completed', result
        new = server_state(self.dst, result['destination_id'])
        assert new['server']['status'] == self.state['server']['status'], new['server']['status']
        copies = {v['name']: k for k, v in new['volumes'].items()}
        assert sums(self.dst, copies) == self.sums, 'the copies differ'
        assert [(a['device'], a['delete_on_termination']) for a in new['attachments']] == \
            [(a['device'], a['delete_on_termination']) for a in self.state['attachments']]
        assert [p['mac_address'] for p in new['ports'].values()] == [MAC]
        source = server_state(self.src, self.server)
        assert source['server']['status'] == 'SHUTOFF' and not source['server']['locked']
        assert source['attachments'] == self.state['attachments'] and source['volumes'] == self.state['volumes']
        assert self.inventories()[0] == self.before[0], 'left over at the source'
        extra = {kind for kind, _ in self.inventories()[1].keys() - self.before[1].keys()}
        assert extra == {'server', 'volume', 'port'}, extra
        assert len(self.inventories()[1]) == len(self.before[1]) + 4, 'left over at the destination'

    def last_id(self):
        """Of the newest migration that is not at its end."""
        for m in self.osm.migrations():
            if m['state'] not in ('rolled-back', 'cleaned'):
                return m['id']
        return None


@contextlib.contextmanager
def world():
    """With everything made and taken away again; its `left` is what was left over then."""
    keep = os.environ.get('FAULTS_KEEP')  # a folder: hosts and server stay for the next run
    folder = keep or tempfile.mkdtemp(prefix='osm-faults.')
    w = World(folder)
    try:
        if keep and os.path.exists(keep + '/state'):
            adopt(w)
        else:
            w.start()
        yield w
    finally:
        w.left = [] if keep else w.stop()
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def adopt(w):
    w.server = next(s.id for s in w.src.api.compute.servers() if s.name == SERVER)
    w.volumes = {v.name: v.id for v in w.src.api.block_storage.volumes() if v.name in ('flt-boot', 'flt-data')}
    w.before, w.state, w.sums = w.inventories(), server_state(w.src, w.server), sums(w.src, w.volumes)


class Table:
    """point | tried | survived"""

    def __init__(self):
        self.rows, self.failures = {}, []

    def point(self, name, error=None):
        tried, survived = self.rows.get(name, (0, 0))
        self.rows[name] = (tried + 1, survived + (error is None))
        if error is not None:
            self.failures.append((name, error))
            print('NOT SURVIVED: %s: %s' % (name, error), flush=True)

    def print(self):
        width = max([len(n) for n in self.rows] + [5])
        print('%-*s | tried | survived' % (width, 'point'))
        for name, (tried, survived) in self.rows.items():
            print('%-*s | %5d | %8d%s' % (width, name, tried, survived, '' if tried == survived else '  <--'))

    def totals(self):
        tried = sum(t for t, _ in self.rows.values())
        return tried - len(self.failures), len(self.failures)
