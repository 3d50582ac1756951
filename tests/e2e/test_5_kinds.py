# SPDX-License-Identifier: Apache-2.0
"""Servers of every kind that the lab can express, compared field by field after the move; docs/SUPPORT.md names these
tests.  Most have small volumes with nothing to boot on them."""
import contextlib
import json
import types

import pytest

from cloudlib import side_by_side, wait_for
from conftest import set_image_metadata
from demo import Demo, key_pair
from osmlib import get, inventory, own, server_state, sums

pytestmark = pytest.mark.usefixtures('hosts')

NEWEST = '2.93'
# What of an object is another one in another cloud.  Whatever else differs is a fault.
MAY_DIFFER = {
    'server': {'id', 'links', 'created', 'updated', 'hostId', 'tenant_id', 'user_id', 'OS-SRV-USG:launched_at', 'progress',
               'addresses'},  # compared in their order, and without, below,
    'port': {'id', 'project_id', 'tenant_id', 'device_id', 'created_at', 'updated_at', 'revision_number', 'status'},
    'volume': {'id', 'links', 'attachments', 'created_at', 'updated_at', 'user_id', 'os-vol-tenant-attr:tenant_id',
               'snapshot_id', 'source_volid', 'volume_type_id', 'service_uuid', 'provider_id'},
}
FRONT_MAC, BACK_MAC, WILD_MAC = ('fa:16:3e:81:00:%02x' % n for n in (1, 2, 3))


# ------------------------------------------------------------------ the tenant's networks, on both sides
def make_networks(cloud):
    """e2e-kinds-a has IPv4 and IPv6 by DHCP, e2e-kinds-b has IPv4 and SLAAC."""
    n = cloud.api.network
    for name, cidr, cidr6, mode in (('e2e-kinds-a', '10.81.0.0/24', 'fd00:81::/64', 'dhcpv6-stateful'),
                                    ('e2e-kinds-b', '10.82.0.0/24', 'fd00:82::/64', 'slaac')):
        network = n.create_network(name=name)
        n.create_subnet(network_id=network.id, name=name + '-4', ip_version=4, cidr=cidr)
        n.create_subnet(network_id=network.id, name=name + '-6', ip_version=6, cidr=cidr6, ipv6_address_mode=mode,
                        ipv6_ra_mode=mode)
    cloud.admin.network.create_qos_policy(name='e2e-kinds-slow', is_shared=True)


@pytest.fixture(scope='module')
def networks(clouds, surroundings):
    side_by_side(*[lambda c=c: make_networks(c) for c in clouds])


@pytest.fixture(scope='module')
def flavor(clouds):
    """With an ephemeral disk and swap."""
    def delete(cloud):
        old = cloud.admin.compute.find_flavor('e2e-kinds-local')
        if old:
            cloud.admin.compute.delete_flavor(old)

    def make(cloud):
        delete(cloud)
        return cloud.admin.compute.create_flavor(name='e2e-kinds-local', vcpus=1, ram=128, disk=1, ephemeral=1, swap=64)

    made = side_by_side(*[lambda c=c: make(c) for c in clouds])
    yield made[0]
    side_by_side(*[lambda c=c: delete(c) for c in clouds])


# ------------------------------------------------------------------ servers
def small_volume(cloud, name, **args):
    v = cloud.volume(name, 1, **args)
    Demo.odd_content(cloud.volume_file(v.id))
    return v.id


def boot_volume(cloud, name):
    v = small_volume(cloud, name)
    assert cloud.api.block_storage.post('/volumes/%s/action' % v, json={'os-set_bootable': {'bootable': True}}).ok
    # Nobody is there who would stop when asked.
    set_image_metadata(cloud, v, hw_disk_bus='virtio', os_shutdown_timeout='1')
    return v


def create(cloud, name, ports, volumes, flavor='m1.nano', hints=None, **fields):
    """ports and volumes: ids, or pairs of id and device tag.  The first volume is the boot disk."""
    def tagged(x):
        return x if isinstance(x, tuple) else (x, None)

    def device(key, x, **more):
        value, tag = tagged(x)
        return dict({key: value}, **more, **({'tag': tag} if tag else {}))

    compute = cloud.api.compute
    body = {'server': dict(
        name=name, flavorRef=compute.find_flavor(flavor).id, networks=[device('port', p) for p in ports],
        block_device_mapping_v2=[device('uuid', v, source_type='volume', destination_type='volume',
                                        boot_index=0 if i == 0 else -1, delete_on_termination=i == 0)
                                 for i, v in enumerate(volumes)], **fields)}
    if hints:
        body['os:scheduler_hints'] = hints
    answer = compute.post('/servers', json=body, microversion=NEWEST)
    assert answer.ok, answer.text
    return compute.wait_for_server(compute.get_server(answer.json()['server']['id']), interval=0.3, wait=120).id


def simple(cloud, name, address, **args):
    n = cloud.api.network
    port = n.create_port(network_id=n.find_network('e2e-kinds-a').id, name=name,
                         fixed_ips=[{'ip_address': address, 'subnet_id': n.find_subnet('e2e-kinds-a-4').id}])
    return create(cloud, name, [port.id], [boot_volume(cloud, name)], **args)


@pytest.fixture(scope='module')
def groups(clouds, surroundings):
    """A server group at the source; at the end none of that name in either cloud."""
    def delete(cloud):
        for g in cloud.api.compute.server_groups():
            if g.name == 'e2e-kinds-apart':
                cloud.api.compute.delete_server_group(g)

    side_by_side(*[lambda c=c: delete(c) for c in clouds])
    src = clouds[0]
    answer = src.api.compute.post('/os-server-groups', microversion='2.64', json={'server_group': {
        'name': 'e2e-kinds-apart', 'policy': 'soft-anti-affinity'}})
    assert answer.ok, answer.text
    yield answer.json()['server_group']['id']
    side_by_side(*[lambda c=c: delete(c) for c in clouds])


def everything(src, group, key):
    """A server with all that can be said of one."""
    n = src.api.network
    a, b = (n.find_network('e2e-kinds-' + x).id for x in 'ab')
    a4, a6, b4 = (n.find_subnet('e2e-kinds-' + x).id for x in ('a-4', 'a-6', 'b-4'))
    ssh, web = (n.find_security_group('e2e-' + x).id for x in ('ssh', 'web'))
    src.api.compute.create_keypair(name='e2e-kinds-key', public_key=key_pair(key + '-kinds'))
    # Not made in the order of the server.
    wild = n.create_port(network_id=n.find_network('e2e-net').id, name='e2e-kinds-wild', mac_address=WILD_MAC,
                         fixed_ips=[{'ip_address': '10.78.0.50'}], is_port_security_enabled=False)
    front = n.create_port(network_id=b, name='e2e-kinds-front', mac_address=FRONT_MAC, description='in front',
                          fixed_ips=[{'subnet_id': b4, 'ip_address': '10.82.0.20'}], security_group_ids=[ssh, web],
                          allowed_address_pairs=[{'ip_address': '10.82.0.99'}],
                          extra_dhcp_opts=[{'opt_name': 'mtu', 'opt_value': '1400'}],
                          qos_policy_id=n.find_qos_policy('e2e-kinds-slow').id)
    back = n.create_port(network_id=a, name='e2e-kinds-back', mac_address=BACK_MAC, security_group_ids=[ssh],
                         fixed_ips=[{'subnet_id': a4, 'ip_address': '10.81.0.21'},
                                    {'subnet_id': a4, 'ip_address': '10.81.0.22'},
                                    {'subnet_id': a6, 'ip_address': 'fd00:81::21'}])
    n.set_tags(front, ['mine', 'front'])
    boot, data, last = side_by_side(
        lambda: boot_volume(src, 'e2e-kinds-boot'),
        lambda: small_volume(src, 'e2e-kinds-data', volume_type='fast', description='data', metadata={'a': 'b'}),
        lambda: small_volume(src, 'e2e-kinds-last'))
    return create(src, 'e2e-kinds', [(front.id, 'front'), back.id, (wild.id, 'wild')], [boot, (data, 'data'), last],
                  hints={'group': group}, key_name='e2e-kinds-key', hostname='another-name', tags=['blue', 'a b'],
                  description='of every kind', metadata={'owner': 'kinds'}, config_drive=True,
                  **{'OS-DCF:diskConfig': 'AUTO'})


# ------------------------------------------------------------------ field by field
def without(kind, obj):
    return {k: v for k, v in obj.items() if k not in MAY_DIFFER[kind]}


def described(cloud, server_id):
    """All that the APIs say about the server; what they name by id, by its name."""
    o = cloud.api
    networks = {n.id: n.name for n in o.network.networks()}
    subnets = {s.id: s.name for s in o.network.subnets()}
    policies = {p.id: p.name for p in o.network.qos_policies()}
    security = {g.id: g.name for g in o.network.security_groups()}
    all_groups = {g['id']: (g['name'], g['policy'], g['rules']) for g in
                  get(o.compute, '/os-server-groups', microversion='2.64')['server_groups']}
    server = get(o.compute, '/servers/' + server_id, microversion=NEWEST)['server']
    attached = get(o.compute, '/servers/%s/os-volume_attachments' % server_id, microversion='2.79')['volumeAttachments']
    attached.sort(key=lambda a: a['device'])
    volumes = [get(o.block_storage, '/volumes/' + a['volumeId'])['volume'] for a in attached]
    interfaces = get(o.compute, '/servers/%s/os-interface' % server_id, microversion='2.70')['interfaceAttachments']
    macs = [a['OS-EXT-IPS-MAC:mac_addr'] for entries in server['addresses'].values() for a in entries]
    interfaces.sort(key=lambda i: macs.index(i['mac_addr']))
    ports = [get(o.network, '/ports/' + i['port_id'])['port'] for i in interfaces]

    def port(p):
        return dict(without('port', p), network_id=networks[p['network_id']],
                    qos_policy_id=policies.get(p['qos_policy_id']),
                    security_groups=sorted(security[g] for g in p['security_groups']),
                    tags=sorted(t for t in p['tags'] if not t.startswith('osm.')),
                    fixed_ips=sorted((subnets[f['subnet_id']], f['ip_address']) for f in p['fixed_ips']))

    return {
        'server': dict(without('server', server), metadata=own(server['metadata']),
                       server_groups=[all_groups[g] for g in server['server_groups']],
                       security_groups=sorted(g['name'] for g in server['security_groups']),
                       **{'os-extended-volumes:volumes_attached': len(server['os-extended-volumes:volumes_attached'])}),
        'networks': list(server['addresses']),
        'addresses': {k: sorted(v, key=json.dumps) for k, v in server['addresses'].items()},
        'tags of devices': [i['tag'] for i in interfaces],
        'ports': [port(p) for p in ports],
        'attachments': [(a['device'], a['tag'], a['delete_on_termination'], v['name']) for a, v in zip(attached, volumes)],
        'volumes': [dict(without('volume', v), metadata=own(v['metadata'])) for v in volumes]}


def differences(a, b, path=''):
    if isinstance(a, dict) and isinstance(b, dict):
        return [d for k in sorted(a.keys() | b.keys()) for d in differences(a.get(k), b.get(k), '%s/%s' % (path, k))]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, '%s/%d' % (path, i))]
    return [] if a == b else ['%s: %r at the source, %r at the destination' % (path, a, b)]


def copies(cloud, server_id):
    return {v['name']: v['id'] for v in server_state(cloud, server_id)['volumes'].values()}


def groups_of(cloud):
    return [g['members'] for g in get(cloud.api.compute, '/os-server-groups')['server_groups']
            if g['name'] == 'e2e-kinds-apart']


# ------------------------------------------------------------------ a server of every kind, and one that follows it
@pytest.fixture(scope='module')
def moved(osm, src, dst, networks, groups, flavor, surroundings):
    first, second = side_by_side(lambda: everything(src, groups, surroundings),
                                 lambda: simple(src, 'e2e-kinds-second', '10.81.0.30', flavor='e2e-kinds-local',
                                                hints={'group': groups}))
    before = described(src, first)
    inventories = inventory(dst)
    keys = types.SimpleNamespace(source=sums(src, copies(src, first)))
    run = osm.run('migrate-server', 'e2e-kinds').expect(0)
    return types.SimpleNamespace(run=run, source=first, second=second, before=before, sums=keys.source,
                                 id=run.result()['destination_id'], migration=run.result()['id'], there=inventories)


def test_server_is_the_same_field_by_field(moved, dst):
    assert differences(moved.before, described(dst, moved.id)) == []


def test_its_volumes_are_equal(moved, dst):
    assert sums(dst, copies(dst, moved.id)) == moved.sums


def test_source_has_its_tags_and_devices_back(moved, src):
    now = described(src, moved.source)
    for key in ('attachments', 'tags of devices', 'ports', 'addresses'):
        assert now[key] == moved.before[key], key
    assert now['server']['tags'] == moved.before['server']['tags']


def test_key_pair_is_imported(moved, src, dst):
    a, b = (get(c.api.compute, '/os-keypairs/e2e-kinds-key')['keypair'] for c in (src, dst))
    assert (a['public_key'], a['fingerprint']) == (b['public_key'], b['fingerprint'])
    assert moved.run.findings()['key-pair-imported']['severity'] == 'info'


def test_server_group_is_made(moved, dst):
    assert groups_of(dst) == [[moved.id]]
    assert moved.run.findings()['server-group-made']['severity'] == 'info'


def test_local_disks_are_refused(osm, moved):
    r = osm.run('migrate-server', '--dry-run', 'e2e-kinds-second').expect(4)
    found = [f for f in json.loads(r.out)['findings'] if f['id'] == 'source-local-disk']
    assert [f['severity'] for f in found] == ['blocker'] * 2
    assert 'ephemeral disk of 1 GiB' in found[0]['text'] and 'swap disk of 64 MiB' in found[1]['text']


def test_second_member_of_the_group_without_local_disks_and_off(osm, moved, src, dst):
    """It was running; the group is there already, and stays when this one is taken back."""
    r = osm.run('migrate-server', '--local-disks', 'drop', '--power', 'off', 'e2e-kinds-second').expect(0)
    assert r.findings()['source-local-disk']['severity'] == 'warning'
    assert dst.api.compute.get_server(r.result()['destination_id']).status == 'SHUTOFF'
    assert [sorted(g) for g in groups_of(dst)] == [sorted([moved.id, r.result()['destination_id']])]
    osm.run('rollback', r.result()['id']).expect(0)
    assert groups_of(dst) == [[moved.id]]
    assert src.api.compute.get_server(moved.second).status == 'ACTIVE'


def test_rollback_takes_key_pair_and_group_back(osm, moved, src, dst):
    osm.run('rollback', moved.migration).expect(0)
    assert groups_of(dst) == []
    assert not [k for k in dst.api.compute.keypairs() if k.name == 'e2e-kinds-key']
    assert inventory(dst) == moved.there
    wait_for('all ports are up', lambda: all(p['status'] == 'ACTIVE' for p in
                                             server_state(src, moved.source)['ports'].values()), 20)
    assert differences(moved.before, described(src, moved.source)) == []


def test_another_key_of_the_same_name(osm, moved, folder, dst):
    dst.api.compute.create_keypair(name='e2e-kinds-key', public_key=key_pair(str(folder / 'another-key')))
    try:
        plan = json.loads(osm.run('migrate-server', '--dry-run', 'e2e-kinds').expect(0).out)
    finally:
        dst.api.compute.delete_keypair('e2e-kinds-key')
    assert [f['severity'] for f in plan['findings'] if f['id'] == 'destination-key-pair-differs'] == ['warning']
    assert plan['server']['key_name'] == 'e2e-kinds-key' and 'key_pair' not in plan['server']


# ------------------------------------------------------------------ states
@pytest.fixture(scope='module')
def plain(src, networks):
    return simple(src, 'e2e-kinds-plain', '10.81.0.40')


@contextlib.contextmanager
def in_state(cloud, server, wanted):
    c, admin = cloud.api.compute, cloud.admin.compute
    there, back = {
        'PAUSED': (c.pause_server, c.unpause_server),
        'SUSPENDED': (c.suspend_server, c.resume_server),
        'SHELVED_OFFLOADED': (c.shelve_server, c.unshelve_server),
        'ERROR': (lambda s: admin.reset_server_state(s, 'error'), lambda s: admin.reset_server_state(s, 'active')),
    }[wanted]

    def until(status):
        wait_for('server is ' + status, lambda: c.get_server(server).status == status and
                 not c.get_server(server).task_state, 60)

    there(server)
    until(wanted)
    try:
        yield
    finally:
        back(server)
        until('ACTIVE')


@pytest.mark.parametrize('state, remedy', [
    ('PAUSED', 'unpause'), ('SUSPENDED', 'resume'), ('SHELVED_OFFLOADED', 'unshelve'), ('ERROR', 'reboot --hard')])
def test_state_that_is_refused(osm, src, plain, state, remedy):
    with in_state(src, plain, state):
        r = osm.run('migrate-server', '--dry-run', 'e2e-kinds-plain').expect(4)
    f, = [f for f in json.loads(r.out)['findings'] if f['id'] == 'source-server-state']
    assert f['severity'] == 'blocker' and state in f['text'] and 'openstack server %s' % remedy in f['remedy']


# ------------------------------------------------------------------ a volume of two servers
@pytest.fixture(scope='module')
def shared(src, plain):
    """The plain server's second volume, which is also another one's."""
    admin = src.admin.block_storage
    for old in admin.types():
        if old.name == 'e2e-kinds-multi':
            admin.delete_type(old)
    kind = admin.create_type(name='e2e-kinds-multi', extra_specs={'volume_backend_name': 'lab',
                                                                  'multiattach': '<is> True'})
    other = simple(src, 'e2e-kinds-other', '10.81.0.41')
    v = small_volume(src, 'e2e-kinds-shared', volume_type='e2e-kinds-multi')
    for s in (plain, other):
        answer = src.api.compute.post('/servers/%s/os-volume_attachments' % s, microversion='2.60',
                                      json={'volumeAttachment': {'volumeId': v}})
        assert answer.ok, answer.text
        wait_for('it is attached', lambda: s in [a['server_id'] for a in get(
            src.api.block_storage, '/volumes/' + v)['volume']['attachments']])
    wait_for('it is in use', lambda: src.api.block_storage.get_volume(v).status == 'in-use')
    yield types.SimpleNamespace(volume=v, other=other)

    def left(server):
        if server not in [a['server_id'] for a in get(src.api.block_storage, '/volumes/' + v)['volume']['attachments']]:
            return True
        # Refused as long as it is leaving the other one.
        src.api.compute.delete('/servers/%s/os-volume_attachments/%s' % (server, v))
        return False

    for s in (plain, other):
        wait_for('it has left the server', lambda: left(s), interval=1)
    wait_for('it is free', lambda: src.api.block_storage.get_volume(v).status == 'available')
    src.api.block_storage.delete_volume(v)
    wait_for('it is gone', lambda: not src.api.block_storage.find_volume(v))
    admin.delete_type(kind)


def test_volume_of_two_servers_needs_the_other_one_off(osm, src, dst, plain, shared):
    r = osm.run('migrate-server', '--dry-run', 'e2e-kinds-plain').expect(4)
    f, = [f for f in json.loads(r.out)['findings'] if f['id'] == 'source-volume-shared']
    assert f['severity'] == 'blocker' and "'e2e-kinds-other' (ACTIVE)" in f['text']

    src.api.compute.stop_server(shared.other)
    wait_for('the other is off', lambda: src.api.compute.get_server(shared.other).status == 'SHUTOFF')
    before = server_state(src, plain)['attachments']
    r = osm.run('migrate-server', 'e2e-kinds-plain').expect(0)
    assert r.findings()['source-volume-shared']['severity'] == 'warning'
    there = copies(dst, r.result()['destination_id'])
    assert sums(dst, there) == sums(src, copies(src, plain))
    assert sorted(there) == ['e2e-kinds-plain', 'e2e-kinds-shared']
    assert server_state(src, plain)['attachments'] == before
    osm.run('rollback', r.result()['id']).expect(0)
