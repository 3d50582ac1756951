# SPDX-License-Identifier: Apache-2.0
"""check-server and check-servers against the two clouds: findings from real answers, exit status, nothing touched."""
import contextlib
import json
import types

import pytest

from cloudlib import wait_for
from conftest import ADDRESS, NETWORK
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
    """Another server, that only together with the first one is too much."""
    n = src.api.network
    volume = src.volume('e2e-second-boot', 2, source_volume_id=base.id)
    port = n.create_port(network_id=n.find_network(NETWORK).id, name='e2e-second')
    server = src.server('e2e-second', 'm1.nano', [port], [(volume.id, False)])
    yield types.SimpleNamespace(id=server.id)
    c = src.api.compute
    c.delete_server(server)
    c.wait_for_delete(server, interval=0.2, wait=60)
    n.delete_port(port)
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
    assert {f['id'] for f in report['findings']} <= {'floating-ip-changes', 'source-user-data-hidden'}
    for side in ('source', 'destination'):
        assert 'error' not in report['conversion_hosts'][side] and report['conversion_hosts'][side]['free_slots'] > 3
    assert server_state(src, source.id) == before


def test_for_people(osm, source):
    r = osm.run('check-server', 'e2e-a', '--output', 'text').expect(0)
    assert "server 'e2e-a' (%s), ACTIVE" % source.id in r.out and '4.0 GiB to compare' in r.out
    assert '0 blockers' in r.out and 'SEVERITY' in r.out


def test_measured_link(osm):
    report = check(osm, 0, '--measure', 'e2e-a')
    assert report['conversion_hosts']['link']['bytes_per_second'] > 0 and report['copy_seconds'] > 0


def test_strict_and_accepted_warnings(osm):
    findings = check(osm, 0, 'e2e-a')['findings']
    ids = sorted({f['id'] for f in findings if f['severity'] == 'warning'})
    assert 'floating-ip-changes' in ids
    check(osm, 4, '--strict', 'e2e-a')
    accepted = [word for i in ids for word in ('--accept', i)]
    report = check(osm, 0, '--strict', *accepted, 'e2e-a')
    assert report['warnings'] == 0 and all(f['accepted'] for f in report['findings'] if f['severity'] == 'warning')
    # migrate-server does not begin with one that was not thought about.
    r = osm.run('migrate-server', '--strict', *accepted[2:], 'e2e-a').expect(4).says('--strict')
    assert not osm.migrations() or osm.migrations()[0]['state'] != 'running', r


def test_exhausted_quotas(osm, dst):
    project = dst.api.current_project_id
    instances = get(dst.api.compute, '/limits')['limits']['absolute']['totalInstancesUsed']
    with quota(dst.admin.compute, '/os-quota-sets/' + project, instances=instances), \
            quota(dst.admin.block_storage, '/os-quota-sets/' + project, gigabytes_fast=0, per_volume_gigabytes=1), \
            quota(dst.admin.network, '/quotas/' + project, floatingip=0):
        findings = check(osm, 4, 'e2e-a')['findings']
    blockers = {(f['id'], f['object']) for f in findings if f['severity'] == 'blocker'}
    assert blockers == {('destination-quota', 'instances'), ('destination-volume-quota', 'gigabytes_fast'),
                        ('destination-volume-too-large', 'per_volume_gigabytes'),
                        ('destination-network-quota', 'floating IPs')}


def test_security_group_with_other_rules(osm, dst):
    n = dst.api.network
    rule = n.create_security_group_rule(security_group_id=n.find_security_group('e2e-web').id, direction='ingress',
                                        protocol='udp', port_range_min=53, port_range_max=53)
    try:
        f, = found(check(osm, 0, 'e2e-a')['findings'], 'security-group-differs')
        assert f['object'] == 'e2e-web' and 'only at the destination: ingress IPv4 udp 53 from anywhere' in f['text']
    finally:
        n.delete_security_group_rule(rule)


def test_flavor_with_other_specs(osm, dst):
    flavor = dst.admin.compute.find_flavor('m1.tiny')
    dst.admin.compute.create_flavor_extra_specs(flavor, {'hw:cpu_policy': 'dedicated'})
    try:
        f, = found(check(osm, 0, 'e2e-a')['findings'], 'flavor-extra-specs-differ')
        assert "hw:cpu_policy is 'dedicated', was not set" in f['text']
    finally:
        dst.admin.compute.delete_flavor_extra_specs_property(flavor, 'hw:cpu_policy')


def test_availability_zone_that_is_not_there(osm):
    f, = found(check(osm, 4, '--availability-zone', 'e2e-zone', 'e2e-a')['findings'],
               'destination-availability-zone-missing')
    assert f['object'] == 'e2e-zone' and 'nova' in f['text']


def test_snapshots_that_stay(osm, src, source):
    b = src.api.block_storage
    s = b.create_snapshot(volume_id=source.volumes['e2e-data'], name='e2e-kept', force=True)
    b.wait_for_status(s, 'available', interval=0.2, wait=60)
    try:
        f, = found(check(osm, 0, 'e2e-a')['findings'], 'source-snapshots-stay')
        assert (f['object'], f['severity']) == ('e2e-data', 'info')
    finally:
        b.delete_snapshot(s)
        b.wait_for_delete(s, interval=0.2)


def test_server_that_is_not_there(osm):
    osm.run('check-server', 'e2e-nobody').expect(1).says('e2e-nobody')
    report = check(osm, 5, 'e2e-a', 'e2e-nobody', command='check-servers')
    assert [('error' in r, r['server']['name']) for r in report['servers']] == [(False, 'e2e-a'), (True, 'e2e-nobody')]


def test_two_servers_whose_sum_is_too_much(osm, dst, second):
    project = dst.api.current_project_id
    used = get(dst.api.block_storage, '/os-quota-sets/%s?usage=true' % project)['quota_set']['volumes']['in_use']
    assert check(osm, 0, 'e2e-a', 'e2e-second', command='check-servers')['blockers'] == 0
    with quota(dst.admin.block_storage, '/os-quota-sets/' + project, volumes=used + 3):
        report = check(osm, 4, 'e2e-a', 'e2e-second', command='check-servers')
    assert [r['blockers'] for r in report['servers']] == [0, 0]
    f, = found(report['together']['findings'], 'together-destination-quota')
    assert f['object'] == 'volumes' and '4 more needed by all together' in f['text']
    assert report['together']['needs']['destination']['instances'] == 2


def test_two_servers_that_want_one_address(osm, src, dst, second, source):
    """Both networks of the source lead to one of the destination."""
    n = src.api.network
    other = n.create_network(name='e2e-twin')
    subnet = n.create_subnet(network_id=other.id, name='e2e-twin-subnet', ip_version=4, cidr='10.78.0.0/24')
    port = n.create_port(network_id=other.id, name='e2e-twin', fixed_ips=[{'subnet_id': subnet.id, 'ip_address': ADDRESS}])
    src.api.compute.create_server_interface(second.id, port_id=port.id)
    try:
        r = check(osm, 4, 'e2e-a', second.id, command='check-servers', map={'networks': {'e2e-twin': NETWORK}})
        f, = found(r['together']['findings'], 'together-same-address')
        assert f['object'] == ADDRESS and 'e2e-a' in f['text'] and 'e2e-second' in f['text']
    finally:
        interface = next(i for i in src.api.compute.server_interfaces(second.id) if i.port_id == port.id)
        src.api.compute.delete_server_interface(interface, server=second.id)
        wait_for('the port is free', lambda: not n.get_port(port.id).device_id)
        n.delete_port(port)
        n.delete_network(other)


def test_all_servers(osm, second, source):
    r = osm.run('check-servers', '--all')
    assert r.status in (0, 4), r  # there may be servers of others
    report = json.loads(r.out)
    assert {source.id, second.id} <= {s['server']['id'] for s in report['servers']}
    assert PAIR not in {s['server']['name'] for s in report['servers']}
    assert report['together']['needs']['destination']['instances'] == len(report['servers'])
