# SPDX-License-Identifier: Apache-2.0
"""Images with their data, exact rules, what is remembered, and types that OS Migrate does not know, between two real clouds."""
import hashlib
import json
import random

import pytest

from osmlib import PREFIX

P = PREFIX + 'more-'
FILTER = ('--filter', P + '*')
SIZE = 24 * 1024 * 1024


def named(items):
    return {x.name: x for x in items if (x.name or '').startswith(P)}


def remove(cloud):
    n, project = cloud.api.network, cloud.api.current_project_id
    for p in named(n.ports(project_id=project)).values():
        n.delete_port(p)
    for net in named(n.networks(project_id=project)).values():
        n.delete_network(net)
    for g in named(n.security_groups(project_id=project)).values():
        n.delete_security_group(g)
    for g in named(cloud.api.compute.server_groups()).values():
        cloud.api.compute.delete_server_group(g)
    for i in named(cloud.api.image.images(owner=project)).values():
        if i.is_protected:
            cloud.api.image.update_image(i, is_protected=False)
        cloud.api.image.delete_image(i)


@pytest.fixture(scope='module')
def tenant(src, dst):
    for cloud in (src, dst):
        remove(cloud)
    n = src.api.network
    net = n.create_network(name=P + 'net')
    subnet = n.create_subnet(network_id=net.id, name=P + 'subnet', ip_version=4, cidr='10.87.0.0/24')
    group = n.create_security_group(name=P + 'web')
    n.create_security_group_rule(security_group_id=group.id, direction='ingress', ether_type='IPv4', protocol='tcp',
                                 port_range_min=80, port_range_max=80)
    n.create_port(name=P + 'vip', network_id=net.id, security_groups=[group.id],
                  fixed_ips=[{'subnet_id': subnet.id, 'ip_address': '10.87.0.50'}],
                  allowed_address_pairs=[{'ip_address': '10.87.0.60'}])
    src.api.compute.create_server_group(name=P + 'apart', policy='anti-affinity')
    images = {}
    for i in range(4):
        data = random.Random(i).randbytes(SIZE)
        images[P + 'image%d' % i] = hashlib.sha512(data).hexdigest()
        src.api.create_image(name=P + 'image%d' % i, data=data, disk_format='raw', container_format='bare', wait=True,
                             allow_duplicates=True, min_disk=1, os_distro='debian', my_own='yes', is_protected=i == 0)
    yield images
    for cloud in (src, dst):
        remove(cloud)


@pytest.fixture(scope='module')
def run(osm, folder, tenant):
    def do(status, command, *words):
        data_dir = ('--data-dir', str(folder / 'more')) if command in ('export', 'import', 'diff', 'validate') else ()
        r = osm.run(command, *data_dir, *words).expect(status)
        report = json.loads(r.out)
        return {(o['type'], o.get('name')): o for o in (report if isinstance(report, list) else report.get('objects', ()))}
    return do


def test_images_arrive_with_their_data(run, dst, tenant):
    run(0, 'export', 'images', *FILTER)
    found = run(0, 'import', 'images', *FILTER)
    assert {o['result'] for o in found.values()} == {'created'}
    made = named(dst.api.image.images(owner=dst.api.current_project_id))
    for name, sha512 in tenant.items():
        image = made[name]
        assert (image.status, image.size, image.hash_algo, image.hash_value) == ('active', SIZE, 'sha512', sha512)
        assert (image.min_disk, image.os_distro, image.properties['my_own']) == (1, 'debian', 'yes')
        assert image.is_protected == name.endswith('image0')
    again = run(0, 'import', 'images', *FILTER, '--update')
    assert {o['result'] for o in again.values()} == {'equal'}
    run(0, 'diff', 'images', *FILTER)


def test_what_is_needed_comes_with_it(run, dst):
    run(0, 'export', 'ports', 'security_group_rules', 'server_groups', *FILTER, '--with-dependencies')
    types = ('ports', 'security_group_rules', 'server_groups')
    found = run(0, 'import', *types, *FILTER, '--with-dependencies')
    assert {('networks', P + 'net'), ('security_groups', P + 'web')} <= set(found)
    port = dst.api.network.find_port(P + 'vip')
    assert [f['ip_address'] for f in port.fixed_ips] == ['10.87.0.50']
    assert [p['ip_address'] for p in port.allowed_address_pairs] == ['10.87.0.60']
    assert dst.api.compute.find_server_group(P + 'apart').policy == 'anti-affinity'
    again = run(0, 'import', *types, *FILTER, '--with-dependencies')
    assert {o['result'] for o in again.values()} == {'equal'}


def test_exact_rules(run, dst):
    n = dst.api.network
    group = n.find_security_group(P + 'web')
    n.create_security_group_rule(security_group_id=group.id, direction='ingress', ether_type='IPv4', protocol='udp')
    found = run(0, 'import', 'security_group_rules', *FILTER, '--exact')
    assert [o['result'] for o in found.values()].count('deleted') == 1
    assert 'udp' not in {r.protocol for r in n.security_group_rules(security_group_id=group.id)}


def test_what_was_renamed_is_still_known(run, dst):
    known = run(0, 'list', '--objects')
    assert known['networks', P + 'net']['origin'] == 'created'
    n = dst.api.network
    net = n.get_network(known['networks', P + 'net']['destination_id'])
    n.update_network(net, name=P + 'renamed')
    found = run(5, 'diff', 'networks', 'subnets', *FILTER)
    assert [d['field'] for d in found['networks', P + 'net']['differences']] == ['name']
    assert found['subnets', P + 'subnet']['result'] == 'equal'
    run(0, 'import', 'networks', *FILTER, '--update')
    assert n.get_network(net.id).name == P + 'net'
