# SPDX-License-Identifier: Apache-2.0
"""A server that is migrated again and again, and what it has to be like before, after and after it was taken back.
Several lanes work side by side: in this suite most time is spent waiting."""
import json
import os
import re
import time

from cloudlib import side_by_side, wait_for
from conftest import set_image_metadata
from osmlib import PREFIX, Osm, assert_server_state, host_id, inventory, own, processes, server_state, without

NETWORK, CIDR = PREFIX + 'net', '10.79.0.0/24'
UUID = re.compile(r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}')
# What differs between two servers made of the same plan.
MADE_ANEW = ('created', 'created_at', 'OS-EXT-SRV-ATTR:instance_name', 'hostId', 'addresses', 'mac_address',
             'fixed_ips', 'ip_address', 'dns_assignment', 'name', 'OS-EXT-SRV-ATTR:hostname',
             'bootable_since', 'host_id', 'osm.migration', 'tags', 'key_name')
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHc2UBdTpcPsfB5Zr+NXyBQ+j0oE1YHXJyD8J0uTiIhu crash'
AGENT_FOLDERS = ('/var/lib/osm', '/run/osm', '/run/osm-peer')


def anonymous(state):
    """The same for two servers that differ only in their identity."""
    names = {}
    text = json.dumps(without(state, *MADE_ANEW), sort_keys=True)
    return UUID.sub(lambda m: names.setdefault(m.group(), 'id-%d' % len(names)), text)


def sorted_state(cloud, server_id):
    """server_state with lists instead of objects by id, which would be in another order each time."""
    s = server_state(cloud, server_id)
    order = [a['volumeId'] for a in s['attachments']]
    return dict(s, volumes=[s['volumes'][v] for v in order], ports=list(s['ports'].values()))


def first_difference(path, other):
    """Offset of the first MiB that differs, or None."""
    with open(path, 'rb') as a, open(other, 'rb') as b:
        offset = 0
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if x != y:
                return offset
            if not x:
                return None
            offset += len(x)


def kept_by_agents(clouds, migration):
    """Files that the agents keep for a migration."""
    found = []
    for cloud in clouds:
        pids = processes(host_id(cloud), 'osm-agent', 'service')
        assert pids, 'no agent runs in the conversion host of ' + cloud.name
        for folder in AGENT_FOLDERS:
            for path, folders, files in os.walk('/proc/%d/root%s' % (pids[0], folder)):
                found += ['%s:%s/%s' % (cloud.name, path.split('/root', 1)[1], f) for f in folders + files
                          if migration in f]
    return found


class Lane:
    def __init__(self, number, clouds, base, osm):
        self.name = '%sserver-%d' % (PREFIX, number)
        self.clouds, self.src, self.dst = clouds, clouds[0], clouds[1]
        self.base, self.address = base, '10.79.0.%d' % (40 + number)
        self.osm = osm
        self.config = osm.config()
        self.seen = {}  # id of each migration of this lane's servers
        self.build()

    # ---------------------------------------------------------------- the server
    def build(self):
        src = self.src
        n = src.api.network
        boot, data = side_by_side(
            lambda: src.volume(self.name + '-boot', 1, source_volume_id=self.base['boot'], metadata={'disk': 'boot'}),
            lambda: src.volume(self.name + '-data', 1, source_volume_id=self.base['data'], description='data',
                               metadata={'tier': 'ü'}))
        # There is nothing to boot on it, so that nobody but osm can change a byte; and nobody who stops when asked.
        set_image_metadata(src, boot.id, os_distro='debian', hw_disk_bus='virtio', os_shutdown_timeout='1')
        port = n.create_port(network_id=n.find_network(NETWORK).id, name=self.name + '-port', description='a port',
                             fixed_ips=[{'ip_address': self.address}])
        # Both are missing at the destination.
        src.api.compute.create_keypair(name=self.name + '-key', public_key=KEY)
        group = src.api.compute.post('/os-server-groups', microversion='2.64', json={
            'server_group': {'name': self.name + '-group', 'policy': 'soft-anti-affinity'}})
        assert group.ok, group.text
        server = src.server(self.name, 'm1.tiny', [port], [(boot.id, True), (data.id, False)],
                            key=self.name + '-key', scheduler_hints={'group': group.json()['server_group']['id']},
                            metadata={'owner': 'crash'}, description='to be moved')
        self.id = server.id
        self.volumes = {self.name + '-boot': boot.id, self.name + '-data': data.id}
        src.floating_ip(port.id, description='leads to ' + self.name)
        self.before = wait_for('ports and addresses of %s are up' % self.name, self.settled, 60, 0.5)
        self.things = self.mine()

    def settled(self):
        """The state of the server, when its ports are up and Nova has heard of its floating IP, or None."""
        state = server_state(self.src, self.id)
        up = all(p['status'] == 'ACTIVE' for p in state['ports'].values())
        return state if up and '"floating"' in json.dumps(state['server']['addresses']) else None

    def mine(self):
        """What there is of this lane in both clouds, as the clouds list it."""
        def is_mine(name):
            return (name or '').startswith(self.name + '-') or name == self.name or \
                any(name == 'osm-' + i for i in self.seen)
        return [{**{k: v for k, v in found.items() if is_mine(v)},
                 **{('floating ip', ip.id): self.name for ip in self.floating_ips(cloud)}}
                for cloud, found in zip(self.clouds, side_by_side(*[lambda c=c: inventory(c) for c in self.clouds]))]

    def floating_ips(self, cloud):
        """Those that lead to the server, and those of its migrations that do not yet, or no more."""
        n = cloud.api.network
        return [ip for ip in n.ips(project_id=cloud.api.current_project_id)
                if ip.description == 'leads to ' + self.name or any(i in ip.description for i in self.seen)]

    def delete_belongings(self, cloud):
        """Nova lists no marks of key pairs and server groups: they go by their names."""
        for g in cloud.api.compute.server_groups():
            if g.name == self.name + '-group':
                cloud.api.compute.delete_server_group(g)
        cloud.api.compute.delete_keypair(self.name + '-key')

    def rebuild(self):
        """After a failure: everything of it deleted by an administrator, and made anew."""
        for cloud in self.clouds:
            o, admin = cloud.api, cloud.admin
            servers = [s for s in o.compute.servers() if s.name == self.name]
            for s in servers:
                admin.compute.unlock_server(s.id)
                o.compute.delete_server(s.id)
            for s in servers:
                o.compute.wait_for_delete(s, interval=0.3, wait=120)
            names = {self.name + '-boot', self.name + '-data'} | {'osm-' + i for i in self.seen}
            host = host_id(cloud)
            volumes = [v for v in o.block_storage.volumes() if v.name in names]
            for v in volumes:
                for a in v.attachments:
                    if a['server_id'] == host:
                        cloud.api.compute.delete('/servers/%s/os-volume_attachments/%s' % (host, v.id))
            end = time.monotonic() + 60
            while any(v.attachments for v in volumes) and time.monotonic() < end:
                time.sleep(0.5)
                volumes = [o.block_storage.get_volume(v.id) for v in volumes]
            for kind, items in (('volumes', [v for v in volumes if v.snapshot_id]),
                                ('snapshots', [s for s in o.block_storage.snapshots() if s.name in names]),
                                ('volumes', [v for v in volumes if not v.snapshot_id])):
                action = 'os-force_delete'
                for x in items:
                    admin.block_storage.post('/%s/%s/action' % (kind, x.id), json={action: {}})
                for x in items:
                    end = time.monotonic() + 60
                    while cloud.api.block_storage.get('/%s/%s' % (kind, x.id)).status_code != 404 and \
                            time.monotonic() < end:
                        time.sleep(0.3)
            for p in o.network.ports(project_id=o.current_project_id):
                if p.name == self.name + '-port':
                    o.network.delete_port(p)
            for ip in self.floating_ips(cloud):
                o.network.delete_ip(ip)
            self.delete_belongings(cloud)
        self.build()

    # ---------------------------------------------------------------- osm
    def run(self, *words, at=None, trace=None):
        self.osm.extra = {k: v for k, v in (('OSM_CRASH_AT', at), ('OSM_CRASH_TRACE', trace)) if v}
        return self.osm.run(*words, config=self.config)

    def start(self, *words):
        self.osm.extra = {}
        return self.osm.start(*words, config=self.config)

    def rows(self):
        """The migrations of this server, newest first."""
        self.osm.extra = {}
        return [r for r in json.loads(self.osm.run('list', config=self.config).expect(0).out)
                if self.id in json.dumps(r)]

    def new_migration(self):
        """The one that was not there before, or None: killed before anything was written."""
        new = [r for r in self.rows() if r['id'] not in self.seen]
        assert len(new) <= 1, new
        if not new:
            return None
        self.seen[new[0]['id']] = True
        return new[0]['id']

    # ---------------------------------------------------------------- what must be
    def assert_as_before(self, migration=None):
        assert_server_state(self.src, self.id, self.before)
        now = self.mine()
        assert now == self.things, 'left over or lost: %s' % [
            sorted(set(a.items()) ^ set(b.items())) for a, b in zip(now, self.things)]
        self.assert_bytes(self.src, self.volumes)
        if migration:
            assert not kept_by_agents(self.clouds, migration)

    def assert_bytes(self, cloud, volumes):
        """Every byte is that of the template which the source's volumes are made of."""
        for name, volume in volumes.items():
            wanted = self.src.volume_file(self.base[name.rsplit('-', 1)[1]])
            where = first_difference(cloud.volume_file(volume), wanted)
            assert where is None, '%s: bytes of %s differ from offset %d on' % (cloud.name, name, where)

    def assert_moved(self, migration, reference):
        """reference: (source, destination) after a migration that nothing disturbed, or None: then it is made."""
        rows = [r for r in self.rows() if r['id'] == migration]
        assert rows[0]['state'] == 'completed', rows
        there = [s.id for s in self.dst.api.compute.servers() if s.name == self.name]
        assert len(there) == 1, there
        copies = {v.name: v.id for v in self.dst.api.block_storage.volumes() if v.name in self.volumes}
        assert sorted(copies) == sorted(self.volumes)
        self.assert_bytes(self.src, self.volumes)
        self.assert_bytes(self.dst, copies)
        now = self.mine()
        assert now[0] == self.things[0], 'at the source: %s' % (set(now[0].items()) ^ set(self.things[0].items()))
        kinds = sorted(kind for kind, _ in now[1])
        assert kinds == ['floating ip', 'key pair', 'port', 'server', 'server group', 'volume', 'volume'], now[1]
        assert self.dst.api.compute.get_server(there[0]).key_name == self.name + '-key'
        ports = self.dst.api.network.ports(device_id=there[0])
        assert [ip['ip_address'] for p in ports for ip in p.fixed_ips] == [self.address]
        assert not kept_by_agents(self.clouds, migration)
        states = [anonymous(sorted_state(self.src, self.id)), anonymous(sorted_state(self.dst, there[0]))]
        if reference:
            end = time.monotonic() + 20
            while states != list(reference) and time.monotonic() < end:
                time.sleep(0.5)
                states = [anonymous(sorted_state(self.src, self.id)), anonymous(sorted_state(self.dst, there[0]))]
            for a, b, cloud in zip(states, reference, self.clouds):
                assert a == b, '%s is not as after an undisturbed migration:\n%s\n%s' % (cloud.name, a, b)
        return states


class LaneOsm(Osm):
    seconds = 600
    extra = {}

    def env(self):
        return dict(super().env(), **self.extra)
