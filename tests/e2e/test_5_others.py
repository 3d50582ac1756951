# SPDX-License-Identifier: Apache-2.0
"""A server that is off, on a SCSI bus, with everything mapped and user data; cleaned up.  A detached volume."""
import base64
import contextlib
import json
import types

import pytest

from conftest import NETWORK, OTHER_ADDRESS, OTHER_MAC, set_image_metadata
from osmlib import assert_server_state, get, inventory, own, server_state, volumes_of

pytestmark = pytest.mark.usefixtures('hosts')


@pytest.fixture(scope='module')
def operator(src):
    """The administrator may work in the tenant's project, so that user data is shown."""
    identity = src.admin.identity
    user, role = identity.find_user('admin'), identity.find_role('admin')
    args = src.api.current_project_id, user, role
    identity.assign_project_role_to_user(*args)
    yield {'cloud': 'operator'}
    identity.unassign_project_role_from_user(*args)


@pytest.fixture(scope='module')
def moved(osm, scsi, operator, src, dst):
    before = inventory(src)
    r = osm.run('migrate-server', 'e2e-scsi', source=operator,
                map={'flavors': {'m1.tiny': 'm1.small'}, 'volume_types': {'src-only': 'fast'}}).expect(0)
    server = get(dst.api.compute, '/servers/' + r.result()['destination_id'], microversion='2.79')['server']
    return types.SimpleNamespace(run=r, id=r.result()['id'], server=server, volumes=volumes_of(dst, server['id']),
                                 before=before)


def test_server_that_was_off_stays_off(moved):
    assert moved.server['status'] == 'SHUTOFF'


def test_scsi_disks_keep_their_names(moved):
    assert [v['device'] for v in moved.volumes] == ['/dev/sda', '/dev/sdb']
    assert moved.volumes[0]['volume_image_metadata']['hw_disk_bus'] == 'scsi'
    assert moved.volumes[0]['volume_image_metadata']['hw_scsi_model'] == 'virtio-scsi'


def test_flavor_is_mapped(moved):
    assert moved.server['flavor']['original_name'] == 'm1.small'


def test_volume_types_are_mapped(moved):
    assert [v['volume_type'] for v in moved.volumes] == ['lab', 'fast']


def test_operator_brings_the_user_data(moved, dst):
    assert 'source-user-data-hidden' not in moved.run.findings(), moved.run
    shown = get(dst.admin.compute, '/servers/' + moved.server['id'], microversion='2.79')['server']
    assert base64.b64decode(shown['OS-EXT-SRV-ATTR:user_data']) == b'#cloud-config\n{}\n'


def test_volumes_of_a_server_that_stays_off_are_equal(moved, src, dst, scsi):
    source = volumes_of(src, scsi.id)
    assert [src.sha256(v['id']) for v in source][1:] == [dst.sha256(v['id']) for v in moved.volumes][1:]


def test_cleanup_takes_the_marks_off(moved, osm, operator, dst, src):
    assert osm.run('cleanup', moved.id, source=operator).expect(0).result()['state'] == 'cleaned'
    server = get(dst.api.compute, '/servers/' + moved.server['id'], microversion='2.79')['server']
    assert not [k for k in server['metadata'] if k.startswith('osm.')]
    for v in volumes_of(dst, server['id']):
        assert not [k for k in v['metadata'] if k.startswith('osm.')]
    for p in dst.api.network.ports(device_id=server['id']):
        assert p.mac_address == OTHER_MAC and p.fixed_ips[0]['ip_address'] == OTHER_ADDRESS
        assert p.tags == [] and 'osm' not in (p.description or '')
    assert inventory(src) == moved.before
    osm.run('cleanup', moved.id, source=operator).expect(3)
    osm.run('rollback', moved.id, source=operator).expect(1)


def test_user_data_of_a_file(osm, source, folder):
    """In the plan: that the new server gets it was seen above."""
    path = folder / 'user-data'
    path.write_text('#cloud-config\npassword: opensesame\n')
    run = osm.run('migrate-server', '--dry-run', '--user-data', str(path), 'e2e-a').expect(0)
    plan = json.loads(run.out)
    assert plan['server']['user_data_file'] == str(path)
    assert base64.b64encode(path.read_bytes()).decode() not in run.out and 'opensesame' not in run.out
    assert 'source-user-data-hidden' not in [f['id'] for f in plan['findings']]


def test_detached_volume(osm, src, dst):
    v = src.volume('e2e-alone', 1, volume_type='fast', description='alone', metadata={'a': 'b'})
    with open(src.volume_file(v.id), 'r+b') as f:
        f.seek(123456789)
        f.write(b'an island')
    was, before = get(src.api.block_storage, '/volumes/' + v.id)['volume'], inventory(dst)
    r = osm.run('migrate-volume', 'e2e-alone').expect(0).result()
    new = get(dst.api.block_storage, '/volumes/' + r['destination_id'])['volume']
    assert dst.sha256(new['id']) == src.sha256(v.id)
    assert own(new['metadata']) == {'a': 'b'}
    for key in ('name', 'size', 'volume_type', 'description', 'bootable', 'status', 'attachments'):
        assert new[key] == was[key], key
    now = get(src.api.block_storage, '/volumes/' + v.id)['volume']
    del now['updated_at'], was['updated_at']
    assert now == was
    osm.run('migrate-volume', 'e2e-alone').expect(3)
    osm.run('rollback', r['id']).expect(0)
    assert inventory(dst) == before


# ------------------------------------------------------------------ the same floating IP
@pytest.fixture
def same_address(src, dst, source):
    """The destination has the server's floating IP already: on an external network that a second router leads to."""
    old, = src.api.network.ips(port_id=source.port_id)
    n, admin = dst.api.network, dst.admin.network
    with contextlib.ExitStack() as stack:
        def made(thing, delete):
            stack.callback(delete, thing)
            return thing

        outside = made(admin.create_network(name='e2e-outside', is_router_external=True), admin.delete_network)
        made(admin.create_subnet(network_id=outside.id, name='e2e-outside', ip_version=4, cidr='172.24.4.0/24',
                                 enable_dhcp=False), admin.delete_subnet)
        router = made(n.create_router(name='e2e-outside', external_gateway_info={'network_id': outside.id}),
                      n.delete_router)
        port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-outside')
        n.add_interface_to_router(router, port_id=port.id)
        stack.callback(lambda: n.remove_interface_from_router(router, port_id=port.id))
        yield made(admin.create_ip(floating_network_id=outside.id, project_id=dst.api.current_project_id,
                                   floating_ip_address=old.floating_ip_address, description='mine'), admin.delete_ip)


def planned_floating_ips(osm, mode, status=0):
    plan = json.loads(osm.run('migrate-server', '--dry-run', '--floating-ip', mode, 'e2e-a').expect(status).out)
    findings = {f['id']: f['severity'] for f in plan['findings'] if f['id'].startswith('floating-ip')}
    return [(p.get('use'), 'create' in p) for p in plan['floating_ips']], findings


def test_floating_ip_of_the_same_address_is_used_and_given_back(osm, src, dst, source, same_address):
    before = server_state(src, source.id), inventory(dst)
    for mode in ('auto', 'keep', 'existing'):
        assert planned_floating_ips(osm, mode) == ([(same_address.id, False)], {})
    assert planned_floating_ips(osm, 'new') == ([(None, True)], {'floating-ip-changes': 'warning'})
    r = osm.run('migrate-server', '--floating-ip', 'existing', 'e2e-a').expect(0)
    try:
        address = same_address.floating_ip_address
        assert r.result()['floating_ips'] == [{'source': address, 'destination': address}]
        now = dst.api.network.get_ip(same_address.id)
        assert dst.api.network.get_port(now.port_id).device_id == r.result()['destination_id']
        assert (now.description, now.tags) == ('mine', [])
        # In use now; the addresses of the ports are, too, which blocks.
        assert planned_floating_ips(osm, 'existing', 4) == ([], {'floating-ip-in-use': 'blocker'})
        assert planned_floating_ips(osm, 'auto', 4) == ([(None, True)], {'floating-ip-in-use': 'warning',
                                                                        'floating-ip-changes': 'warning'})
    finally:
        osm.run('rollback', r.result()['id']).expect(0)
    assert dst.api.network.get_ip(same_address.id).port_id is None
    assert inventory(dst) == before[1]
    assert_server_state(src, source.id, before[0])


@pytest.mark.parametrize('bus, device', [('ide', '/dev/hda'), ('xen', '/dev/xvda')])
def test_root_disk_of_another_name(osm, src, dst, base, surroundings, bus, device):
    """And a zone that is asked for."""
    boot = src.volume('e2e-%s' % bus, 2, source_volume_id=base.id)
    set_image_metadata(src, boot.id, hw_disk_bus=bus)
    port = src.api.network.create_port(network_id=src.api.network.find_network(NETWORK).id)
    server = src.server('e2e-%s' % bus, 'm1.tiny', [port], [(boot.id, False)])
    assert [a[0] for a in src.attachments(server.id)] == [device]
    src.api.compute.stop_server(server)
    src.api.compute.wait_for_server(server, status='SHUTOFF', interval=0.3, wait=60)
    r = osm.run('migrate-server', '--power', 'on', '--availability-zone', 'nova', server.id).expect(0).result()
    moved = get(dst.api.compute, '/servers/' + r['destination_id'], microversion='2.79')['server']
    assert (moved['status'], moved['OS-EXT-AZ:availability_zone']) == ('ACTIVE', 'nova')
    copy, = volumes_of(dst, moved['id'])
    assert (copy['device'], copy['volume_image_metadata']['hw_disk_bus']) == (device, bus)
    osm.run('rollback', r['id']).expect(0)
