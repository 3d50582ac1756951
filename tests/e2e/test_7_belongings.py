# SPDX-License-Identifier: Apache-2.0
"""Key pair and server group, which can carry no mark: taken back when the journal is lost, and listed when a rollback had to leave
them."""
import types

import pytest

from cloudlib import side_by_side, wait_for
from conftest import NETWORK
from demo import key_pair
from osmlib import get
from test_5_kinds import boot_volume, create
from test_7_recover import lose_journal, recover

pytestmark = pytest.mark.usefixtures('hosts')

NAME = 'e2e-owner'


def groups(cloud):
    return [g for g in get(cloud.api.compute, '/os-server-groups')['server_groups'] if g['name'] == NAME]


def keys(cloud):
    return [k.name for k in cloud.api.compute.keypairs() if k.name == NAME]


def delete_belongings(cloud):
    for g in groups(cloud):
        cloud.api.compute.delete_server_group(g['id'])
    for k in keys(cloud):
        cloud.api.compute.delete_keypair(k)


def delete_server(cloud, server):
    cloud.api.compute.delete_server(server)
    wait_for('the server is gone', lambda: server not in [s.id for s in cloud.api.compute.servers()], 60)


@pytest.fixture(scope='module')
def owner(clouds, src, surroundings):
    """A server with a key pair and in a group that only its cloud has."""
    side_by_side(*[lambda c=c: delete_belongings(c) for c in clouds])
    n, b = src.api.network, src.api.block_storage
    src.api.compute.create_keypair(name=NAME, public_key=key_pair(surroundings + '-owner'))
    answer = src.api.compute.post('/os-server-groups', microversion='2.64', json={'server_group': {
        'name': NAME, 'policy': 'soft-anti-affinity'}})
    assert answer.ok, answer.text
    port = n.create_port(network_id=n.find_network(NETWORK).id, name=NAME)
    boot = boot_volume(src, NAME)
    server = create(src, NAME, [port.id], [boot], hints={'group': answer.json()['server_group']['id']}, key_name=NAME)
    yield types.SimpleNamespace(id=server)
    delete_server(src, server)
    n.delete_port(port, ignore_missing=True)
    wait_for('its volume is gone, too', lambda: not b.find_volume(boot), 60)
    side_by_side(*[lambda c=c: delete_belongings(c) for c in clouds])


@pytest.fixture(autouse=True)
def nothing_stays(osm, dst):
    """A test that fails must not take those after it with it."""
    yield
    osm.run('recover', '--yes')
    for m in osm.migrations():
        if m['name'] == NAME and m['state'] not in ('rolled-back', 'cleaned'):
            osm.run('rollback', m['id'])
    delete_belongings(dst)


def test_they_are_taken_back_without_the_journal(osm, dst, owner):
    r = osm.run('migrate-server', NAME).expect(0).result()
    assert dst.api.compute.get_server(r['destination_id']).metadata['osm.made'] == 'key_pair,server_group'
    assert (len(groups(dst)), len(keys(dst))) == (1, 1)
    lose_journal(osm)
    assert [m['action'] for m in recover(osm, r['id'])[1]['migrations'] if m['id'] == r['id']] == ['rebuilt']
    osm.run('rollback', r['id']).expect(0)
    assert (groups(dst), keys(dst)) == ([], [])


def test_what_was_there_before_stays(osm, src, dst, owner):
    key = get(src.api.compute, '/os-keypairs/' + NAME)['keypair']
    dst.api.compute.create_keypair(name=NAME, public_key=key['public_key'])
    r = osm.run('migrate-server', NAME).expect(0).result()
    assert dst.api.compute.get_server(r['destination_id']).metadata['osm.made'] == 'server_group'
    lose_journal(osm)
    recover(osm, r['id'])[0].expect(0)
    osm.run('rollback', r['id']).expect(0)
    assert (groups(dst), keys(dst)) == ([], [NAME])


def test_what_had_to_stay_is_listed_when_it_is_free(osm, src, dst, owner):
    r = osm.run('migrate-server', NAME).expect(0).result()
    group, = groups(dst)
    n = dst.api.network
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-user')
    volume = boot_volume(dst, 'e2e-user')
    user = create(dst, 'e2e-user', [port.id], [volume], hints={'group': group['id']}, key_name=NAME)
    try:
        osm.run('rollback', r['id']).expect(0)
        assert (len(groups(dst)), len(keys(dst))) == (1, 1)
        assert recover(osm)[1]['orphans'] == []
    finally:
        delete_server(dst, user)
        n.delete_port(port, ignore_missing=True)
    wait_for('its volume is gone', lambda: not dst.api.block_storage.find_volume(volume), 60)
    # Nova counts a deleted server as a member for a moment longer.
    found = wait_for('both are listed', lambda: [o for o in [recover(osm)[1]['orphans']] if len(o) == 2], 30)[0]
    assert {(o['kind'], o['id']) for o in found} == {('key pair', NAME), ('server group', group['id'])}
    assert {o['command'] for o in found} == {"openstack --os-cloud dst keypair delete '%s'" % NAME,
                                             "openstack --os-cloud dst server group delete '%s'" % group['id']}
    delete_belongings(dst)
    recover(osm)[0].expect(3)
