# SPDX-License-Identifier: Apache-2.0
"""Servers and destinations that a migration cannot start with: a clear finding, status 4 (or 1 where the object itself
is unclear), and both clouds as they were."""
import contextlib
import json
import os

import pytest

from cloudlib import side_by_side, wait_for
from conftest import ADDRESS, MAC, NETWORK
from osmlib import Osm, controller_path, server_state

pytestmark = pytest.mark.usefixtures('hosts', 'source', 'unchanged')


@pytest.fixture(autouse=True)
def server_untouched(source, src):
    before = server_state(src, source.id)
    yield
    assert server_state(src, source.id) == before


def blocked(result, finding, *words):
    result.expect(4).says(*words)
    assert result.findings()[finding]['severity'] == 'blocker', result
    return result.findings()[finding]


@contextlib.contextmanager
def status(src, source, do, undo, wanted):
    do(source.id)
    src.api.compute.wait_for_server(src.api.compute.get_server(source.id), status=wanted, interval=0.2)
    try:
        yield
    finally:
        undo(source.id)
        src.api.compute.wait_for_server(src.api.compute.get_server(source.id), status='ACTIVE', interval=0.2)


def test_dry_run_prints_the_plan_and_touches_nothing(osm, source):
    plan = json.loads(osm.run('migrate-server', '--dry-run', 'e2e-a').expect(0).out)
    assert plan['source']['id'] == source.id
    assert [(v['name'], v['boot']) for v in plan['volumes']] == [('e2e-boot', True), ('e2e-data', False),
                                                                 ('e2e-odd', False)]
    assert not [f for f in plan['findings'] if f['severity'] == 'blocker']


def test_floating_ip_that_must_be_there_is_missing(osm, src, source):
    old, = src.api.network.ips(port_id=source.port_id)
    f = blocked(osm.run('migrate-server', '--floating-ip', 'existing', 'e2e-a'), 'floating-ip-missing',
                old.floating_ip_address)
    assert f['object'] == old.floating_ip_address


def test_floating_ip_that_stays(osm, source):
    plan = json.loads(osm.run('migrate-server', '--floating-ip', 'skip', '--dry-run', 'e2e-a').expect(0).out)
    assert plan['floating_ips'] == []
    assert [f['severity'] for f in plan['findings'] if f['id'] == 'floating-ip-stays'] == ['info']


def test_floating_ip_that_this_tenant_may_not_choose_fails_before_the_server_is_stopped(osm, src, source):
    osm.run('migrate-server', '--floating-ip', 'keep', 'e2e-a').expect(1).says('--floating-ip existing', 'rollback')
    assert src.api.compute.get_server(source.id).status == 'ACTIVE'
    osm.run('rollback', osm.migrations()[0]['id']).expect(0)


def test_paused_server(osm, src, source):
    with status(src, source, src.api.compute.pause_server, src.api.compute.unpause_server, 'PAUSED'):
        f = blocked(osm.run('migrate-server', 'e2e-a'), 'source-server-state', 'e2e-a', 'PAUSED')
        assert 'unpause' in f['remedy']


def test_locked_server(osm, src, source):
    src.api.compute.lock_server(source.id)
    try:
        f = blocked(osm.run('migrate-server', 'e2e-a'), 'source-server-locked', 'e2e-a', 'locked')
        assert 'unlock' in f['remedy']
    finally:
        src.api.compute.unlock_server(source.id)


@pytest.mark.parametrize('kind, name, finding', [
    ('networks', NETWORK, 'destination-network-missing'),
    ('flavors', 'm1.tiny', 'destination-flavor-missing'),
    ('key_pairs', 'e2e-key', 'destination-key-pair-missing'),
    ('security_groups', 'e2e-web', 'destination-security-group-missing'),
    ('volume_types', 'fast', 'destination-volume-type-missing'),
])
def test_missing_at_the_destination(osm, kind, name, finding):
    r = osm.run('migrate-server', 'e2e-a', map={kind: {name: 'e2e-missing'}})
    f = blocked(r, finding, "'dst'", 'e2e-missing')
    assert kind in f['remedy']


def test_network_without_a_subnet_for_the_address(osm, dst):
    network = dst.api.network.create_network(name='e2e-narrow')
    dst.api.network.create_subnet(network_id=network.id, name='e2e-narrow', ip_version=4, cidr='10.99.77.0/24')
    try:
        blocked(osm.run('migrate-server', 'e2e-a', map={'networks': {NETWORK: 'e2e-narrow'}}),
                'destination-subnet-missing', 'e2e-narrow', ADDRESS)
    finally:
        dst.api.network.delete_network(network)


def test_address_in_use_at_the_destination(osm, dst):
    n = dst.api.network
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-occupant',
                         fixed_ips=[{'ip_address': ADDRESS}])
    try:
        blocked(osm.run('migrate-server', 'e2e-a'), 'destination-address-in-use', "'dst'", ADDRESS, port.id)
    finally:
        n.delete_port(port)


def test_mac_address_in_use_at_the_destination(osm, dst):
    n = dst.api.network
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-occupant', mac_address=MAC)
    try:
        blocked(osm.run('migrate-server', 'e2e-a'), 'destination-address-in-use', "'dst'", MAC, port.id)
    finally:
        n.delete_port(port)


def test_volume_quota_of_the_destination_too_small(osm, dst):
    admin, project = dst.admin.block_storage, dst.api.current_project_id
    path = '/os-quota-sets/' + project
    was = admin.get(path).json()['quota_set']
    used = len(list(dst.api.block_storage.volumes()))
    assert admin.put(path, json={'quota_set': {'volumes': used + 2}}).ok
    try:
        blocked(osm.run('migrate-server', 'e2e-a'), 'destination-volume-quota', "'dst'", 'volumes', '3 more')
    finally:
        assert admin.put(path, json={'quota_set': {'volumes': was['volumes']}}).ok


def test_ambiguous_name_lists_the_candidates(osm, src, source):
    """Two volumes of one name: as for servers, but sooner made."""
    twins = side_by_side(*[lambda: src.volume('e2e-twin', 1)] * 2)
    try:
        osm.run('migrate-volume', 'e2e-twin').expect(1).says('e2e-twin', *[v.id for v in twins])
    finally:
        for v in twins:
            src.api.block_storage.delete_volume(v)
        for v in twins:
            src.api.block_storage.wait_for_delete(v, interval=0.2)


def test_volume_in_use(osm):
    f = blocked(osm.run('migrate-volume', 'e2e-data'), 'source-volume-in-use', 'e2e-data')
    assert 'migrate-server' in f['remedy']


def test_agent_of_another_version(osm, folder, clouds_file):
    """The same program with another version in it."""
    path = str(folder / 'osm-controller-other')
    with open(controller_path(), 'rb') as f:
        program = f.read()
    assert b'0.1.0' in program
    with open(path, 'wb') as f:
        f.write(program.replace(b'0.1.0', b'9.9.9'))
    os.chmod(path, 0o755)
    other = Osm(folder, clouds_file, path)
    other.nr = 1000
    other.run('migrate-server', 'e2e-a').expect(1).says('0.1.0', '9.9.9', 'conversion host')
