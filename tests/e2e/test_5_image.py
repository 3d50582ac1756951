# SPDX-License-Identifier: Apache-2.0
"""A running server that booted from an image and has a data volume besides."""
import types

import pytest

from cloudlib import ssh, wait_for, wait_ssh
from conftest import NETWORK
from osmlib import assert_server_state, get, inventory, server_state, volumes_of

pytestmark = pytest.mark.usefixtures('hosts')


@pytest.fixture(scope='module')
def imaged(src, base, surroundings):
    n, compute = src.api.network, src.api.compute
    guest = src.api.image.find_image('guest')
    volume = src.volume('e2e-image-data', 1)
    with open(src.volume_file(volume.id), 'r+b') as f:
        f.write(b'a letter' * 65536)
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-image',
                         security_group_ids=[n.find_security_group('e2e-ssh').id])
    server = compute.create_server(name='e2e-image', flavor_id=compute.find_flavor('m1.tiny').id, key_name='e2e-key',
                                   image_id=guest.id, networks=[{'port': port.id}])
    server = compute.wait_for_server(server, interval=0.3, wait=180)
    compute.create_volume_attachment(server, volume_id=volume.id)
    src.api.block_storage.wait_for_status(src.api.block_storage.get_volume(volume), 'in-use', interval=0.3, wait=60)
    address = src.floating_ip(port.id)
    wait_ssh(address, surroundings)
    ssh(address, surroundings, 'echo "written before the move" | sudo tee /etc/letter >/dev/null; sync')
    yield types.SimpleNamespace(id=server.id, volume=volume.id, key=surroundings)
    ids = {ip.id for ip in n.ips(port_id=port.id)}
    for i in ids:
        n.delete_ip(i)
    compute.delete_server(server)
    wait_for('the server is gone', lambda: server.id not in [s.id for s in compute.servers()])
    n.delete_port(port)
    src.api.block_storage.delete_volume(volume)
    src.api.block_storage.wait_for_delete(volume, interval=0.3)


@pytest.fixture(scope='module')
def moved(osm, src, dst, imaged):
    before = types.SimpleNamespace(state=server_state(src, imaged.id), src=inventory(src), dst=inventory(dst))
    r = osm.run('migrate-server', 'e2e-image')
    if r.status != 0:  # nothing of it must be in the way of others
        osm.run('rollback', osm.migrations()[0]['id'])
    id = r.expect(0).result()['destination_id']
    yield types.SimpleNamespace(run=r, id=r.result()['id'], volumes=volumes_of(dst, id), before=before,
                                server=get(dst.api.compute, '/servers/' + id, microversion='2.79')['server'])


def test_root_disk_becomes_a_volume(moved):
    root, data = moved.volumes
    assert moved.server['image'] == '' and moved.server['status'] == 'ACTIVE'
    assert (root['name'], root['size'], root['bootable'], root['delete_on_termination']) == \
        ('e2e-image-boot', 2, 'true', True)
    assert (data['name'], data['size'], data['delete_on_termination']) == ('e2e-image-data', 1, False)
    assert moved.run.findings()['source-image-booted']['severity'] == 'info'


def test_data_volume_is_equal(moved, src, dst, imaged):
    assert dst.sha256(moved.volumes[1]['id']) == src.sha256(imaged.volume)


def test_new_server_boots_with_what_was_written(moved, imaged):
    address = moved.run.result()['floating_ips'][0]['destination']
    wait_ssh(address, imaged.key)
    assert ssh(address, imaged.key, 'cat /etc/letter').strip() == 'written before the move'


def test_no_image_and_no_temporary_volume_is_left(moved, src):
    assert inventory(src) == moved.before.src


def test_rollback_of_it(moved, osm, src, dst, imaged):
    osm.run('rollback', moved.id).expect(0)
    assert_server_state(src, imaged.id, moved.before.state)
    assert (inventory(src), inventory(dst)) == (moved.before.src, moved.before.dst)
