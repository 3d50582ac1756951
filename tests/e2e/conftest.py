# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the end-to-end tests.  They run inside the lab: tests/lab/lab exec /usr/bin/python3 -m pytest tests/e2e
The files are numbered: each builds on what the one before it proved."""
import os
import sys

import pytest
import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cloudlib import Cloud, side_by_side, user_data, wait_for, wait_ssh, ssh  # noqa: E402
from demo import Demo, key_pair  # noqa: E402
from osmlib import FOREIGN, PAIR, PREFIX, Osm, get, inventory  # noqa: E402

NETWORK, CIDR, ADDRESS, MAC = 'e2e-net', '10.78.0.0/24', '10.78.0.42', 'fa:16:3e:78:00:42'
IMAGE = PREFIX + 'conversion-host'
BIG_BYTES = 1500 << 20  # of data in the volume 'big'
OTHER_ADDRESS, OTHER_MAC = '10.78.0.43', 'fa:16:3e:78:00:43'


def pytest_addoption(parser):
    parser.addoption('--keep', action='store_true', help='leave the objects in the clouds')


# ------------------------------------------------------------------ clean
def purge(cloud):
    """Deletes what a run of these tests left in a cloud."""
    o, project = cloud.api, cloud.api.current_project_id

    def ours(x):
        return (x.name or '').startswith(PREFIX)

    servers = [s for s in o.compute.servers() if ours(s)]
    migrations = {s.metadata['osm.migration'] for s in servers if 'osm.migration' in s.metadata}
    for s in servers:
        if s.status == 'PAUSED':
            o.compute.unpause_server(s)
        o.compute.unlock_server(s)
        o.compute.delete_server(s)
    for s in servers:
        o.compute.wait_for_delete(s, interval=0.3, wait=120)
    networks = [n for n in o.network.networks(project_id=project) if ours(n)]
    ids = {n.id for n in networks}
    ports = [p for p in o.network.ports(project_id=project) if p.network_id in ids]
    for ip in o.network.ips(project_id=project):
        if ip.port_id in {p.id for p in ports} or (ip.description or '').endswith('osm.pair=' + PAIR) or \
                (ip.description or '').startswith((PREFIX, 'osm.migration=')):
            o.network.delete_ip(ip)

    def temporary(x):
        return ours(x) or x.metadata.get('osm.migration') in migrations

    def gone(kind, what):
        wait_for('%ss are gone from %s' % (kind, cloud.name), lambda: not any(temporary(x) for x in what()), 120)

    for v in o.block_storage.volumes():
        if temporary(v) and v.status != 'deleting' and v.snapshot_id:
            o.block_storage.delete_volume(v)
    for s in o.block_storage.snapshots():
        if temporary(s):
            o.block_storage.delete_snapshot(s)
    gone('snapshot', o.block_storage.snapshots)
    for v in o.block_storage.volumes():
        if temporary(v) and v.status != 'deleting':
            o.block_storage.delete_volume(v)
    gone('volume', o.block_storage.volumes)
    for p in ports:
        if p.device_owner == 'network:router_interface':
            o.network.remove_interface_from_router(p.device_id, port_id=p.id)
        elif not p.device_owner:
            o.network.delete_port(p)
    for r in o.network.routers(project_id=project):
        if ours(r):
            o.network.delete_router(r)
    for n in networks:
        o.network.delete_network(n)
    for g in o.network.security_groups(project_id=project):
        if ours(g):
            o.network.delete_security_group(g)
    if o.network.find_extension('qos'):
        for q in cloud.admin.network.qos_policies():
            if ours(q):
                cloud.admin.network.delete_qos_policy(q)
    for g in o.compute.server_groups():
        if ours(g):
            o.compute.delete_server_group(g)
    for k in o.compute.keypairs():
        if ours(k):
            o.compute.delete_keypair(k)


def osm_left(cloud):
    """Everything with a mark of this pair of conversion hosts or of any migration."""
    o, project = cloud.api, cloud.api.current_project_id
    marked = [s.name for s in o.compute.servers() if s.metadata.get('osm.pair') == PAIR]
    marked += [x.name for items in (o.network.ports(project_id=project), o.network.networks(project_id=project),
                                    o.network.subnets(project_id=project), o.network.routers(project_id=project),
                                    o.network.security_groups(project_id=project)) for x in items
               if (x.description or '').endswith('osm.pair=' + PAIR)]
    marked += [x.floating_ip_address for x in o.network.ips(project_id=project)
               if (x.description or '').endswith('osm.pair=' + PAIR)]
    marked += [k.name for k in o.compute.keypairs() if k.name.startswith(PAIR)]
    return marked


# ------------------------------------------------------------------ session
@pytest.fixture(scope='session')
def clouds(request):
    src, dst = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
    side_by_side(lambda: purge(src), lambda: purge(dst))
    yield src, dst
    if not request.config.getoption('--keep'):
        side_by_side(lambda: purge(src), lambda: purge(dst))


@pytest.fixture(scope='session')
def src(clouds):
    return clouds[0]


@pytest.fixture(scope='session')
def dst(clouds):
    return clouds[1]


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('osm')


@pytest.fixture(scope='session')
def clouds_file(folder):
    """The lab's clouds.yaml and entries of our own: a wrong password, an operator (administrator in the tenant's
    project), a second member of the projects whose tokens a test can revoke."""
    with open(os.environ['OS_CLIENT_CONFIG_FILE']) as f:
        config = yaml.safe_load(f)
    c = config['clouds']

    def like(name, **auth):
        return dict(c[name], auth=dict(c[name]['auth'], **auth))

    c['wrong'] = like('src', password='not this one')
    c['operator'] = like('src-admin', project_name=c['src']['auth']['project_name'])
    c['second-src'] = like('src', username='e2e-second', password='e2e-second')
    c['second-dst'] = like('dst', username='e2e-second', password='e2e-second')
    path = folder / 'clouds.yaml'
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.fixture(scope='session')
def osm(folder, clouds_file):
    return Osm(folder, clouds_file, image=IMAGE if os.environ.get('OSM_CONVERSION_IMAGE') else 'osm-conversion-host')


@pytest.fixture(scope='session')
def image(clouds):
    """The conversion hosts' image in both clouds: that of OSM_CONVERSION_IMAGE, or else what is there already."""
    path = os.environ.get('OSM_CONVERSION_IMAGE')
    if path:
        delete_images(clouds)
        side_by_side(*[lambda c=c: c.image(IMAGE, path) for c in clouds])
    else:
        for cloud in clouds:
            assert cloud.api.image.find_image('osm-conversion-host'), \
                'set OSM_CONVERSION_IMAGE to the file that images/build-image made'
    yield
    if path:
        delete_images(clouds)


def delete_images(clouds):
    for cloud in clouds:
        for old in cloud.admin.image.images(name=IMAGE):
            cloud.admin.image.delete_image(old)


@pytest.fixture(scope='session')
def surroundings(clouds, folder):
    """What a server needs on both sides; the path of the tenant's private key."""
    key = str(folder / 'tenant-key')
    public = key_pair(key)

    def make(cloud):
        cloud.network(NETWORK, CIDR)
        for name, ports in (('e2e-ssh', (22,)), ('e2e-web', (80,))):
            cloud.security_group(name, ports)
        cloud.api.compute.create_keypair(name='e2e-key', public_key=public)

    side_by_side(*[lambda c=c: make(c) for c in clouds])
    return key


@pytest.fixture(scope='session')
def hosts(request, osm, clouds, image):
    """The conversion hosts; its value is what the deployment said."""
    before = [inventory(c) for c in clouds]
    result = osm.run('deploy-conversion-hosts')
    result.before = before
    yield result.expect(0)
    if not request.config.getoption('--keep'):
        assert osm.run('delete-conversion-hosts', '--force').status in (0, 3)
        for cloud in clouds:
            assert not osm_left(cloud), cloud.name


# ------------------------------------------------------------------ objects to move
def set_image_metadata(cloud, volume_id, **values):
    answer = cloud.api.block_storage.post('/volumes/%s/action' % volume_id,
                                          json={'os-set_image_metadata': {'metadata': values}})
    assert answer.ok, answer.text


@pytest.fixture(scope='session')
def base(src):
    """A boot volume from an image, to be cloned."""
    guest = src.image('guest', os.environ.get('OSM_GUEST_IMAGE', ''))
    return src.volume('e2e-base', 2, image_id=guest.id, volume_type='lab')


class Source:
    """A server of three volumes with everything set that can be set."""

    def __init__(self, src, base, key):
        self.cloud, self.key = src, key
        n = src.api.network
        boot, data, odd = side_by_side(
            lambda: src.volume('e2e-boot', 2, source_volume_id=base.id, metadata={'disk': 'boot'},
                               description='the boot disk'),
            lambda: src.volume('e2e-data', 1, volume_type='fast', metadata={'disk': 'data', 'tier': 'ü'}),
            lambda: src.volume('e2e-odd', 1, volume_type='lab', description='odd content'))
        set_image_metadata(src, boot.id, hw_qemu_guest_agent='no', os_distro='debian', hw_disk_bus='virtio')
        Demo.odd_content(src.volume_file(odd.id))
        groups = [n.find_security_group(name).id for name in ('e2e-ssh', 'e2e-web')]
        port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-port', security_group_ids=groups,
                             mac_address=MAC, fixed_ips=[{'ip_address': ADDRESS}], description='a port')
        server = src.server('e2e-a', 'm1.tiny', [port], [(boot.id, True), (data.id, True), (odd.id, False)],
                            key='e2e-key', metadata={'owner': 'e2e', 'line': 'a "quoted" word'}, config_drive=True,
                            description='a server to move',
                            user_data=user_data('#cloud-config\nwrite_files:\n- {path: /etc/e2e, content: "once"}\n'))
        self.id, self.port_id = server.id, port.id
        self.volumes = {'e2e-boot': boot.id, 'e2e-data': data.id, 'e2e-odd': odd.id}
        address = src.floating_ip(port.id, description='leads to e2e-a')
        wait_ssh(address, key)
        ssh(address, key, 'set -e; d=/dev/disk/by-id/virtio-%s; sudo mkfs.ext4 -q $d; sudo mount $d /mnt;'
            'echo "written before the move" | sudo tee /mnt/letter /etc/letter >/dev/null;'
            'sudo dd if=/dev/urandom of=/mnt/random bs=1M count=100 status=none; sync; sudo umount /mnt' % data.id[:20])

    def status(self):
        return self.cloud.api.compute.get_server(self.id).status


@pytest.fixture(scope='session')
def source(src, base, surroundings):
    return Source(src, base, surroundings)


@pytest.fixture(scope='session')
def scsi(src, base, surroundings):
    """A server that is off, with disks on a SCSI bus and a volume type that only its cloud has."""
    n = src.api.network
    boot, data = side_by_side(
        lambda: src.volume('e2e-scsi-boot', 2, source_volume_id=base.id),
        lambda: src.volume('e2e-scsi-data', 1, volume_type='src-only'))
    set_image_metadata(src, boot.id, hw_disk_bus='scsi', hw_scsi_model='virtio-scsi')
    Demo.odd_content(src.volume_file(data.id))
    port = n.create_port(network_id=n.find_network(NETWORK).id, mac_address=OTHER_MAC,
                         fixed_ips=[{'ip_address': OTHER_ADDRESS}])
    server = src.server('e2e-scsi', 'm1.tiny', [port], [(boot.id, False), (data.id, False)],
                        user_data=user_data('#cloud-config\n{}\n'))
    src.api.compute.stop_server(server)
    src.api.compute.wait_for_server(server, status='SHUTOFF', interval=0.3, wait=60)
    return server


@pytest.fixture(scope='session')
def big(src):
    """A detached volume that takes a while: random bytes and a hole."""
    v = src.volume('e2e-big', 2, volume_type='fast', description='big', metadata={'kind': 'big'})
    with open('/dev/urandom', 'rb') as random, open(src.volume_file(v.id), 'r+b') as f:
        for _ in range(BIG_BYTES >> 20):
            f.write(random.read(1 << 20))
    return v.id


def inventories(clouds):
    return side_by_side(*[lambda c=c: inventory(c) for c in clouds])


@pytest.fixture(scope='module')
def last_inventories():
    return []


@pytest.fixture
def unchanged(clouds, last_inventories):
    """Both clouds must have the same objects after the test as before (which is as after the one before it, if that
    was unchanged too)."""
    before = last_inventories.pop() if last_inventories else inventories(clouds)
    yield
    now = inventories(clouds)
    assert now == before
    last_inventories.append(now)
