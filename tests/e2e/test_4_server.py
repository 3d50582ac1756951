# SPDX-License-Identifier: Apache-2.0
"""A running server with three volumes: held, taken back, held again, finished, taken back."""
import types

import pytest

from cloudlib import ssh, wait_ssh
from conftest import ADDRESS, MAC, NETWORK
from osmlib import assert_server_state, host_id, inventory, own, server_state, sums, volumes_of

pytestmark = pytest.mark.usefixtures('hosts', 'source')


@pytest.fixture(scope='module')
def before(src, dst, source):
    return types.SimpleNamespace(state=server_state(src, source.id), volumes=volumes_of(src, source.id),
                                 src=inventory(src), dst=inventory(dst))


@pytest.fixture(scope='module')
def held(osm, before, src, dst):
    """Held, with what was to be seen then."""
    r = osm.run('migrate-server', '--hold', 'e2e-a').expect(0)
    copies = {v.name: v.id for v in dst.api.block_storage.volumes() if v.name.startswith('e2e-')}
    return types.SimpleNamespace(run=r, id=r.result()['id'], state=r.result()['state'], copies=copies,
                                 sums=sums(dst, copies), dst=inventory(dst),
                                 src=inventory(src))


def assert_nothing_attached_to_the_hosts(clouds):
    for cloud in clouds:
        assert cloud.attachments(host_id(cloud)) == [], cloud.name


def assert_source_as_before_but_off(src, source, before):
    state = server_state(src, source.id)
    was = before.state
    assert state['server']['status'] == 'SHUTOFF'
    assert state['attachments'] == was['attachments']
    assert state['volumes'] == was['volumes']
    assert state['server']['locked'] is False
    assert own(state['server']['metadata']) == was['server']['metadata']


# ------------------------------------------------------------------ held
def test_hold_stops_in_state_held(held):
    assert held.state == 'held'


def test_held_copies_have_every_byte(held, src, source):
    # What the server wrote while it stopped is in them, too.
    assert held.sums == sums(src, source.volumes)


def test_held_made_volumes_and_a_floating_ip_only(held, before):
    new = sorted(kind for kind, _ in held.dst.keys() - before.dst.keys())
    assert new == ['floating ip', 'volume', 'volume', 'volume']


def test_held_source_is_as_before_but_off(held, src, source, before):
    assert_source_as_before_but_off(src, source, before)


def test_held_left_no_temporaries(held, before, clouds):
    assert held.src == before.src
    assert_nothing_attached_to_the_hosts(clouds)


def test_server_that_is_held_cannot_be_migrated_a_second_time(held, osm):
    r = osm.run('migrate-server', 'e2e-a').expect(4).says(held.id)
    assert 'source-server-claimed' in r.findings()


def test_conversion_hosts_are_not_deleted_while_one_is_held(held, osm, src, dst):
    now = inventory(src), inventory(dst)
    osm.run('delete-conversion-hosts').expect(1).says(held.id, '--force')
    assert (inventory(src), inventory(dst)) == now


def test_rollback_of_a_held_migration_restores_everything(held, osm, src, dst, source, before):
    assert osm.run('rollback', held.id).expect(0).result()['state'] == 'rolled-back'
    assert_server_state(src, source.id, before.state)
    assert inventory(dst) == before.dst and inventory(src) == before.src
    osm.run('rollback', held.id).expect(3)


# ------------------------------------------------------------------ completed
@pytest.fixture(scope='module')
def moved(osm, before, src, dst, source):
    """Held, then resumed: completed."""
    r = osm.run('migrate-server', '--hold', 'e2e-a').expect(0)
    copies = {v.name: v.id for v in dst.api.block_storage.volumes() if v.name.startswith('e2e-')}
    assert sums(dst, copies) == sums(src, source.volumes)
    findings = r.findings()
    r = osm.run('resume', r.result()['id']).expect(0).result()
    return types.SimpleNamespace(findings=findings, floating_ips=r['floating_ips'], id=r['id'], state=r['state'], server=r['destination_id'],
                                 now=server_state(dst, r['destination_id']),
                                 volumes=volumes_of(dst, r['destination_id']))


def test_resume_of_a_held_migration_completes_it(moved):
    assert moved.state == 'completed'
    assert moved.now['server']['status'] == 'ACTIVE'


@pytest.mark.parametrize('field', ['name', 'description', 'key_name', 'config_drive', 'flavor'])
def test_server_keeps(moved, before, field):
    assert moved.now['server'][field] == before.state['server'][field]


def test_server_keeps_its_metadata(moved, before):
    assert own(moved.now['server']['metadata']) == before.state['server']['metadata']


def test_server_keeps_its_disks_in_their_order(moved, before):
    def order(volumes):
        return [(v['device'], v['name'], v['delete_on_termination']) for v in volumes]
    assert order(moved.volumes) == order(before.volumes)


def test_server_keeps_its_boot_disk(moved):
    assert moved.volumes[0]['name'] == 'e2e-boot' and moved.volumes[0]['device'] == '/dev/vda'


@pytest.mark.parametrize('field', ['size', 'volume_type', 'description', 'bootable', 'volume_image_metadata'])
def test_volumes_keep(moved, before, field):
    assert [(v['name'], v.get(field)) for v in moved.volumes] == [(v['name'], v.get(field)) for v in before.volumes]


def test_volumes_keep_their_metadata(moved, before):
    assert [own(v['metadata']) for v in moved.volumes] == [v['metadata'] for v in before.volumes]


def test_port_keeps_name_addresses_and_groups(moved, dst):
    ports = list(moved.now['ports'].values())
    assert len(ports) == 1
    port, = ports
    assert (port['name'], port['mac_address'], port['description']) == ('e2e-port', MAC, 'a port')
    assert [ip['ip_address'] for ip in port['fixed_ips']] == [ADDRESS]
    assert port['network_id'] == dst.api.network.find_network(NETWORK).id
    wanted = {dst.api.network.find_security_group(name).id for name in ('e2e-ssh', 'e2e-web')}
    assert set(port['security_groups']) == wanted


def test_source_is_as_before_but_off(moved, src, source, before):
    assert_source_as_before_but_off(src, source, before)
    state = server_state(src, source.id)
    assert state['server']['metadata'] == before.state['server']['metadata']
    assert {k: p['fixed_ips'] for k, p in state['ports'].items()} == \
        {k: p['fixed_ips'] for k, p in before.state['ports'].items()}


def test_no_temporaries_are_left(moved, src, dst, before, clouds):
    assert inventory(src) == before.src
    new = sorted(kind for kind, _ in inventory(dst).keys() - before.dst.keys())
    assert new == ['floating ip', 'port', 'server', 'volume', 'volume', 'volume']
    assert_nothing_attached_to_the_hosts(clouds)


def test_migrating_again_is_nothing_to_do(moved, osm, dst):
    now = inventory(dst)
    osm.run('migrate-server', 'e2e-a').expect(3)
    assert inventory(dst) == now


def floating_ip_of(moved, dst):
    port_id, = moved.now['ports']
    ip, = dst.api.network.ips(port_id=port_id)
    return ip


def test_new_server_has_a_floating_ip_and_that_is_said(moved, src, dst, source):
    old, = src.api.network.ips(port_id=source.port_id)
    new = floating_ip_of(moved, dst)
    assert moved.floating_ips == [{'source': old.floating_ip_address, 'destination': new.floating_ip_address}]
    assert new.description == old.description == 'leads to e2e-a'
    assert moved.findings['floating-ip-changes']['severity'] == 'warning'


def test_new_server_answers_ssh_and_has_the_files(moved, source, dst):
    address = floating_ip_of(moved, dst).floating_ip_address
    wait_ssh(address, source.key)
    data = moved.volumes[1]
    said = ssh(address, source.key, 'cat /etc/letter; sudo mount /dev/disk/by-id/virtio-%s /mnt && cat /mnt/letter;'
               'sudo umount /mnt' % data['id'][:20])
    assert said.split('\n') == ['written before the move'] * 2


def test_rollback_of_a_completed_migration_restores_everything(moved, osm, src, dst, source, before):
    assert osm.run('rollback', moved.id).expect(0).result()['state'] == 'rolled-back'
    assert_server_state(src, source.id, before.state)
    assert inventory(dst) == before.dst and inventory(src) == before.src
