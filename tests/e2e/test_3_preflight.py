# SPDX-License-Identifier: Apache-2.0
"""check-server and check-servers against the two clouds: findings from real answers, exit status, nothing touched."""
import contextlib
import json

import pytest

from conftest import ADDRESS, CIDR, NETWORK
from osmlib import PAIR, get, server_state

pytestmark = pytest.mark.usefixtures('hosts', 'source', 'second', 'unchanged')


def check(osm, status, *words, command='check-server', **changes):
    r = osm.run(command, *words, **changes).expect(status)
    return json.loads(r.out)


def found(findings, id):
    return [f for f in findings if f['id'] == id]


@contextlib.contextmanager
def quota(proxy, path, **values):
    """Limits of the project as its administrator sets them, and as they were."""
    key = 'quota' if '/quotas/' in path else 'quota_set'
    was = get(proxy, path)[key]
    answer = proxy.put(path, json={key: values})
    assert answer.ok, answer.text
    try:
        yield
    finally:
        answer = proxy.put(path, json={key: {k: was[k] for k in values}})
        assert answer.ok, answer.text


@pytest.fixture(scope='module')
def second(src, base, source):
    """Another server, that only together with the first one is too much. Its second network has the first one's range."""
    n = src.api.network
    twin = n.create_network(name='e2e-twin')
    subnet = n.create_subnet(network_id=twin.id, name='e2e-twin-subnet', ip_version=4, cidr=CIDR)
    ports = [n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-second'),
             n.create_port(network_id=twin.id, name='e2e-twin',
                           fixed_ips=[{'subnet_id': subnet.id, 'ip_address': ADDRESS}])]
    volume = src.volume('e2e-second-boot', 2, source_volume_id=base.id)
    server = src.server('e2e-second', 'm1.nano', ports, [(volume.id, False)])
    yield server.id
    c = src.api.compute
    c.delete_server(server)
    c.wait_for_delete(server, interval=0.2, wait=60)
    for port in ports:
        n.delete_port(port)
    n.delete_network(twin)
    src.api.block_storage.delete_volume(volume)
    src.api.block_storage.wait_for_delete(volume, interval=0.2)


def test_healthy_server(osm, src, source):
    before = server_state(src, source.id)
    report = check(osm, 0, 'e2e-a')
    assert report['server']['id'] == source.id and report['blockers'] == 0
    assert (report['volumes'], report['bytes']) == (3, 4 << 30)
    assert report['needs']['destination'] == {
        'instances': 1, 'cores': 1, 'ram': 512, 'volumes': 3, 'gigabytes': 4, 'volumes_lab': 2, 'gigabytes_lab': 3,
        'volumes_fast': 1, 'gigabytes_fast': 1, 'per_volume_gigabytes': 2, 'ports': 1, 'floating_ips': 1}
    assert report['needs']['source'] == {'volumes': 1, 'volumes_lab': 1, 'gigabytes': 4, 'gigabytes_lab': 4,
                                         'snapshots': 1, 'snapshots_lab': 1}
    # The clouds are equal but for what belongs to a cloud.
    assert {f['id'] for f in report['findings']} <= {
        'floating-ip-changes', 'source-user-data-hidden', 'platform-config-drive',
        'destination-volume-encryption-hidden'}
    for side in ('source', 'destination'):
        assert 'error' not in report['conversion_hosts'][side] and report['conversion_hosts'][side]['free_slots'] > 3
    assert server_state(src, source.id) == before


def test_for_people_with_a_measured_link(osm, source):
    r = osm.run('check-server', 'e2e-a', '--measure', '--output', 'text').expect(0)
    assert "server 'e2e-a' (%s), ACTIVE" % source.id in r.out and '4.0 GiB to compare' in r.out
    assert 'SEVERITY' in r.out and 'floating-ip-changes' in r.out and '0 blockers' in r.out
    assert 'a copy of all of it takes' in r.out and 'the server is off for as long' in r.out


def test_downtime_of_several_servers(osm, source):
    r = osm.run('check-servers', '--measure', 'e2e-a').expect(0)
    report, = json.loads(r.out)['servers']
    assert 0 < report['downtime_seconds'] == report['copy_seconds'] < 600


def test_strict_and_accepted_warnings(osm, source):
    findings = check(osm, 4, '--strict', 'e2e-a')['findings']
    ids = sorted({f['id'] for f in findings if f['severity'] == 'warning'})
    assert 'floating-ip-changes' in ids
    accepted = [word for i in ids for word in ('--accept', i)]
    report = check(osm, 0, '--strict', *accepted, 'e2e-a')
    assert report['warnings'] == 0 and all(f['accepted'] for f in report['findings'] if f['severity'] == 'warning')
    # migrate-server does not begin with one that was not thought about.
    osm.run('migrate-server', '--strict', *accepted[2:], 'e2e-a').expect(4).says('--strict')
    assert source.status() == 'ACTIVE'


def test_what_the_destination_has_not(osm, dst):
    project = dst.api.current_project_id
    instances = get(dst.api.compute, '/limits')['limits']['absolute']['totalInstancesUsed']
    with quota(dst.admin.compute, '/os-quota-sets/' + project, instances=instances), \
            quota(dst.admin.block_storage, '/os-quota-sets/' + project, gigabytes_fast=0, per_volume_gigabytes=1), \
            quota(dst.admin.network, '/quotas/' + project, floatingip=0):
        findings = check(osm, 4, '--availability-zone', 'e2e-zone', 'e2e-a')['findings']
    assert {(f['id'], f['object']) for f in findings if f['severity'] == 'blocker'} == {
        ('destination-quota', 'instances'), ('destination-volume-quota', 'gigabytes_fast'),
        ('destination-volume-too-large', 'per_volume_gigabytes'), ('destination-network-quota', 'floating IPs'),
        ('destination-availability-zone-missing', 'e2e-zone')}
    assert 'nova' in found(findings, 'destination-availability-zone-missing')[0]['text']


def test_what_is_different_and_what_stays(osm, src, dst, source):
    n, b = dst.api.network, src.api.block_storage
    flavor = dst.admin.compute.find_flavor('m1.tiny')
    with contextlib.ExitStack() as undo:
        rule = n.create_security_group_rule(security_group_id=n.find_security_group('e2e-web').id, direction='ingress',
                                            protocol='udp', port_range_min=53, port_range_max=53)
        undo.callback(n.delete_security_group_rule, rule)
        dst.admin.compute.create_flavor_extra_specs(flavor, {'hw:cpu_policy': 'dedicated'})
        undo.callback(dst.admin.compute.delete_flavor_extra_specs_property, flavor, 'hw:cpu_policy')
        snapshot = b.create_snapshot(volume_id=source.volumes['e2e-data'], name='e2e-kept', force=True)
        undo.callback(b.wait_for_delete, snapshot, interval=0.2)
        undo.callback(b.delete_snapshot, snapshot)
        b.wait_for_status(snapshot, 'available', interval=0.2, wait=60)
        findings = check(osm, 0, 'e2e-a')['findings']
    f, = found(findings, 'security-group-differs')
    assert f['object'] == 'e2e-web' and 'only at the destination: ingress IPv4 udp 53 from anywhere' in f['text']
    f, = found(findings, 'flavor-extra-specs-differ')
    assert "hw:cpu_policy is 'dedicated', was not set" in f['text']
    f, = found(findings, 'source-snapshots-stay')
    assert (f['object'], f['severity']) == ('e2e-data', 'info')


def test_two_servers_whose_sum_is_too_much_and_that_want_one_address(osm, dst, second):
    project = dst.api.current_project_id
    used = get(dst.api.block_storage, '/os-quota-sets/%s?usage=true' % project)['quota_set']['volumes']['in_use']
    with quota(dst.admin.block_storage, '/os-quota-sets/' + project, volumes=used + 3):
        report = check(osm, 4, 'e2e-a', 'e2e-second', command='check-servers', map={'networks': {'e2e-twin': NETWORK}})
    assert [r['blockers'] for r in report['servers']] == [0, 0]
    blockers = {f['object']: f for f in report['together']['findings'] if f['severity'] == 'blocker'}
    assert {o: f['id'] for o, f in blockers.items()} == {'volumes': 'together-destination-quota',
                                                         ADDRESS: 'together-same-address'}
    assert '4 more needed by all together' in blockers['volumes']['text']
    assert 'e2e-a' in blockers[ADDRESS]['text'] and 'e2e-second' in blockers[ADDRESS]['text']
    assert report['together']['needs']['destination']['instances'] == 2


def test_all_servers_and_one_that_is_not_there(osm, second, source):
    report = check(osm, 5, '--all', 'e2e-nobody', command='check-servers')
    failed, *others = report['servers']
    assert failed['server'] == {'name': 'e2e-nobody'} and 'e2e-nobody' in failed['error']['message']
    assert {source.id, second} <= {s['server']['id'] for s in others}
    assert PAIR not in {s['server']['name'] for s in others}
    assert report['together']['needs']['destination']['instances'] == len(others)
