# SPDX-License-Identifier: Apache-2.0
"""Plan files: what plan writes of real servers, where migrate-server --plan says that it does not fit, and two servers that
are moved by an edited one."""
import hashlib
import json
import types

import pytest
import yaml

from cloudlib import side_by_side
from conftest import ADDRESS, CIDR, MAC, NETWORK
from demo import Demo
from osmlib import inventory, own, server_state
from test_5_kinds import boot_volume, create, small_volume

pytestmark = pytest.mark.usefixtures('hosts', 'source', 'elsewhere', 'unchanged')

OTHER_CIDR, OTHER_ADDRESS, OTHER_MAC = '10.79.0.0/24', '10.79.0.9', 'fa:16:3e:79:00:09'


@pytest.fixture(scope='module')
def elsewhere(dst, surroundings):
    """A network that only the destination has."""
    n = dst.api.network
    network = n.create_network(name='e2e-plan-net')
    subnet = n.create_subnet(network_id=network.id, name='e2e-plan-subnet', ip_version=4, cidr=OTHER_CIDR)
    yield types.SimpleNamespace(id=network.id, subnet_id=subnet.id)
    n.delete_network(network)


class File:
    def __init__(self, osm, path, *servers, status=0, **changes):
        self.osm, self.path, self.changes = osm, str(path), changes
        osm.run('plan', *servers, '--output-file', self.path, **changes).expect(status)
        with open(self.path, encoding='utf-8') as f:
            self.text = f.read()
        self.plan = yaml.safe_load(self.text)
        self.server = self.plan['servers'][0]

    def save(self):
        with open(self.path, 'w', encoding='utf-8') as f:
            yaml.safe_dump(self.plan, f, sort_keys=False)

    def migrate(self, *words):
        return self.osm.run('migrate-server', '--plan', self.path, *words)

    def refused(self):
        """{path: text} of the places."""
        r = self.migrate().expect(4).says(self.path, 'does not fit')
        return {e['path']: e['text'] for e in r.events if e.get('event') == 'mismatch'}


@pytest.fixture
def file(osm, tmp_path):
    return lambda *servers, **changes: File(osm, tmp_path / 'plan.yaml', *servers, **changes)


def test_plan_has_every_decision_and_touches_nothing(file, src, source):
    before = server_state(src, source.id)
    f = file('e2e-a')
    s, (port,) = f.server, f.server['ports']
    assert (s['id'], s['name'], s['flavor'], s['key_pair'], s['power']) == (source.id, 'e2e-a', 'm1.tiny', 'e2e-key', 'keep')
    assert [(v['id'], v['name'], v['size_gb'], v['boot'], v['type'], v['access'], v['use']) for v in s['volumes']] == [
        (source.volumes['e2e-boot'], 'e2e-boot', 2, True, 'lab', 'snapshot', None),
        (source.volumes['e2e-data'], 'e2e-data', 1, False, 'fast', 'detach', None),
        (source.volumes['e2e-odd'], 'e2e-odd', 1, False, 'lab', 'detach', None)]
    assert (port['id'], port['network'], port['mac_address']) == (source.port_id, NETWORK, MAC)
    assert port['fixed_ips'] == [{'address': ADDRESS, 'subnet': NETWORK + '-subnet'}]
    assert sorted(port['security_groups']) == ['e2e-ssh', 'e2e-web']
    assert [(i['mode'], i['network']) for i in s['floating_ips']] == [('new', 'public')]
    assert server_state(src, source.id) == before


def test_plan_that_nobody_edited_is_the_plan(file, osm):
    f = file('e2e-a')
    plan = json.loads(osm.run('migrate-server', '--dry-run', 'e2e-a').expect(0).out)
    assert json.loads(f.migrate('--dry-run').expect(0).out) == plan
    f.save()  # as another program writes YAML
    assert json.loads(f.migrate('--dry-run').expect(0).out) == plan


def test_file_that_is_there_is_left_alone(file, osm):
    f = file('e2e-a')
    osm.run('plan', 'e2e-a', '--output-file', f.path).expect(1).says(f.path, 'is there already')
    with open(f.path, encoding='utf-8') as again:
        assert again.read() == f.text


def test_network_and_flavor_that_went_away(file, src, dst, source):
    n, c = dst.api.network, dst.admin.compute
    network = n.create_network(name='e2e-plan-gone')
    n.create_subnet(network_id=network.id, name='e2e-plan-gone', ip_version=4, cidr=CIDR)
    flavor = c.create_flavor(name='e2e-plan-gone', vcpus=1, ram=512, disk=1)
    try:
        f = file('e2e-a', map={'networks': {'e2e-*': 'e2e-plan-gone'}, 'flavors': {'m1.tiny': 'e2e-plan-gone'}})
    finally:
        n.delete_network(network)
        c.delete_flavor(flavor)
    places = f.refused()
    assert set(places) == {'flavor', 'ports[0].network'}
    line = 1 + f.text[:f.text.index('network: e2e-plan-gone')].count('\n')
    assert places['ports[0].network'].startswith('%s:%d:' % (f.path, line))
    assert "cloud 'dst' has no network 'e2e-plan-gone'" in places['ports[0].network']
    assert source.status() == 'ACTIVE'


def test_volumes_and_ports_that_are_not_those_of_the_server(file, source):
    f = file('e2e-a')
    gone, boot = dict(f.server['volumes'].pop(), id=source.port_id), f.server['volumes'][0]
    f.server['volumes'].append(gone)
    boot['size_gb'], boot['access'] = 3, 'detach'
    f.server['ports'][0]['fixed_ips'][0]['subnet'] = 'e2e-plan-subnet'
    f.save()
    places = f.refused()
    assert set(places) == {'volumes[0].size_gb', 'volumes[0].access', 'volumes[2]', 'volumes', 'ports[0].fixed_ips[0].subnet'}
    assert 'it is 2 now' in places['volumes[0].size_gb'] and source.volumes['e2e-odd'] in places['volumes']
    assert source.status() == 'ACTIVE'


def test_mistake_in_the_file(file):
    f = file('e2e-a')
    f.server['ports'][0]['netwrok'] = f.server['ports'][0].pop('network')
    f.save()
    f.migrate().expect(1).says(f.path, 'servers[0].ports[0].netwrok', 'unknown key', "did you mean 'network'?")


def test_address_that_the_edit_takes_is_in_use(file, dst):
    """What is edited is checked as everything else."""
    n = dst.api.network
    f = file('e2e-a')
    f.server['ports'][0]['fixed_ips'][0]['address'] = '10.78.0.77'
    f.save()
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-occupant', fixed_ips=[{'ip_address': '10.78.0.77'}])
    try:
        r = f.migrate().expect(4)
        assert r.findings()['destination-address-in-use']['object'] == '10.78.0.77'
    finally:
        n.delete_port(port)


def test_project_that_is_not_the_mapped_one(osm, src, dst):
    project = src.api.current_project_id
    osm.run('migrate-server', '--dry-run', 'e2e-a', map={'projects': {project: dst.api.current_project_id}}).expect(0)
    r = osm.run('migrate-server', 'e2e-a', map={'projects': {project: 'e2e-other'}}).expect(4).says('e2e-other')
    assert r.findings()['destination-project-differs']['severity'] == 'blocker'


# ------------------------------------------------------------------ two servers by one plan
def delete_servers(cloud, names):
    c, b, n = cloud.api.compute, cloud.api.block_storage, cloud.api.network
    servers = [s for s in c.servers() if s.name in names]
    for s in servers:
        c.delete_server(s)
    for s in servers:
        c.wait_for_delete(s, interval=0.2, wait=60)
    volumes = [v for v in b.volumes() if v.name.startswith('e2e-plan-') and v.status != 'deleting']
    for v in volumes:
        b.delete_volume(v)
    for v in volumes:
        b.wait_for_delete(v, interval=0.2, wait=60)
    for p in n.ports(project_id=cloud.api.current_project_id):
        if p.name.startswith('e2e-plan-') and not p.device_id:
            n.delete_port(p)


@pytest.fixture
def pair(src, dst, unchanged):
    """Two servers, and a volume of the destination that has the data of the first one's second already."""
    n = src.api.network
    network, group = n.find_network(NETWORK).id, n.find_security_group('e2e-ssh').id

    def port(name, address):
        return n.create_port(network_id=network, name=name, fixed_ips=[{'ip_address': address}], security_group_ids=[group]).id

    def there():
        v = dst.volume('e2e-plan-there', 1, volume_type='fast', metadata={'whose': 'the tenant'})
        Demo.odd_content(dst.volume_file(v.id))
        return v.id

    try:
        one, two, data, existing = side_by_side(
            lambda: boot_volume(src, 'e2e-plan-1'), lambda: boot_volume(src, 'e2e-plan-2'),
            lambda: small_volume(src, 'e2e-plan-data'), there)
        servers = side_by_side(
            lambda: create(src, 'e2e-plan-1', [port('e2e-plan-1', '10.78.0.61')], [one, data]),
            lambda: create(src, 'e2e-plan-2', [port('e2e-plan-2', '10.78.0.62')], [two]))
        yield types.SimpleNamespace(ids=servers, data=data, existing=existing)
    finally:
        side_by_side(lambda: delete_servers(src, ('e2e-plan-1', 'e2e-plan-2')),
                     lambda: delete_servers(dst, ('e2e-plan-1', 'e2e-plan-2', 'e2e-plan-new')))


def start_of(cloud, volume):
    """Digest of the first GiB."""
    digest = hashlib.sha256()
    with open(cloud.volume_file(volume), 'rb') as f:
        for _ in range(256):
            digest.update(f.read(1 << 22))
    return digest.hexdigest()


def edit(f, pair):
    first, second = f.plan['servers']
    first.update(name='e2e-plan-new', flavor='m1.tiny', power='off')
    port, = first['ports']
    port.update(network='e2e-plan-net', mac_address=OTHER_MAC, security_groups=['e2e-web'])
    port['fixed_ips'] = [{'address': OTHER_ADDRESS, 'subnet': None}]
    boot, data = first['volumes']
    boot.update(name='e2e-plan-boot', type='fast', new_size_gb=2)
    data.update(use=pair.existing, delete_on_termination=False)
    second['ports'][0]['fixed_ips'][0]['address'] = '10.78.0.63'
    f.save()


def test_two_servers_are_moved_by_an_edited_plan_and_taken_back(file, osm, src, dst, elsewhere, pair, monkeypatch):
    monkeypatch.setattr(osm, 'seconds', 600)  # for both
    f = file('e2e-plan-1', 'e2e-plan-2')
    edit(f, pair)
    volume = dst.sha256(pair.existing)
    states = [server_state(src, i) for i in pair.ids]
    there = inventory(dst)
    results = [e for e in f.migrate().expect(0).events if e.get('event') == 'result']
    new, other = (dst.api.compute.get_server(r['destination_id']) for r in results)
    assert (new.name, new.status, other.name, other.status) == ('e2e-plan-new', 'SHUTOFF', 'e2e-plan-2', 'ACTIVE')
    assert server_state(dst, new.id)['server']['flavor']['original_name'] == 'm1.tiny'

    n = dst.api.network
    port, = n.ports(device_id=new.id)
    assert (port.network_id, port.mac_address) == (elsewhere.id, OTHER_MAC)
    assert [(i['ip_address'], i['subnet_id']) for i in port.fixed_ips] == [(OTHER_ADDRESS, elsewhere.subnet_id)]
    assert port.security_group_ids == [n.find_security_group('e2e-web').id]
    assert [i['ip_address'] for p in n.ports(device_id=other.id) for i in p.fixed_ips] == ['10.78.0.63']

    (_, boot, _), (_, data, goes) = dst.attachments(new.id)
    assert (data, goes) == (pair.existing, False)
    boot = dst.api.block_storage.get_volume(boot)
    assert (boot.name, boot.volume_type, boot.size) == ('e2e-plan-boot', 'fast', 2)
    assert start_of(dst, boot.id) == start_of(src, src.attachments(pair.ids[0])[0][1])
    # As it was: neither written nor marked.
    used = dst.api.block_storage.get_volume(pair.existing)
    assert used.metadata == {'whose': 'the tenant'} == own(used.metadata)
    assert dst.sha256(pair.existing) == volume
    # Not taken from its server.
    assert pair.data in [v for _, v, _ in src.attachments(pair.ids[0])]

    f.migrate().expect(3)
    for r in results:
        osm.run('rollback', r['id']).expect(0)
    assert inventory(dst) == there
    assert dst.api.block_storage.get_volume(pair.existing).status == 'available'
    assert dst.sha256(pair.existing) == volume
    for i, before in zip(pair.ids, states):
        now = server_state(src, i)
        assert (now['server']['status'], now['attachments']) == (before['server']['status'], before['attachments'])


def test_volume_to_use_that_does_not_fit(file, src, dst, pair):
    f = file('e2e-plan-1')
    f.server['volumes'][0].update(use=pair.existing, delete_on_termination=False)
    f.save()
    r = f.migrate().expect(4)
    assert 'not bootable' in r.findings()['destination-volume-unfit']['text']
    f.server['volumes'][0]['use'] = 'e2e-nothing'
    f.save()
    assert set(f.refused()) == {'volumes[0].use'}


def test_one_server_that_cannot_be_moved_keeps_the_others_from_being_begun(file, src, pair):
    f = file('e2e-plan-1', 'e2e-plan-2')
    src.api.compute.lock_server(pair.ids[1])
    try:
        f.migrate().expect(4).says('e2e-plan-2')
    finally:
        src.api.compute.unlock_server(pair.ids[1])
    assert [src.api.compute.get_server(i).status for i in pair.ids] == ['ACTIVE'] * 2
