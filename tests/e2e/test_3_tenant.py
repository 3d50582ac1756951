# SPDX-License-Identifier: Apache-2.0
"""What servers stand on, from one real cloud to the other through files: export, validate, import, diff. What is made is
compared with openstacksdk, field by field."""
import json
import time

import pytest
import yaml

from osmlib import PREFIX

P = PREFIX + 'tenant-'
TYPES = ('networks', 'subnets', 'routers', 'router_interfaces', 'security_groups', 'security_group_rules', 'keypairs')
# What belongs to a cloud and not to an object.
OWN = {'id', 'project_id', 'tenant_id', 'created_at', 'updated_at', 'revision_number', 'location', 'subnet_ids',
       'network_id', 'availability_zones', 'provider_segmentation_id', 'external_gateway_info', 'security_group_rules',
       'user_id', 'status', 'if_match', 'router_id', 'external_gateways'}


def remove(cloud):
    """All that these tests make; the suite's own purge knows neither subnets' order nor other names."""
    n, project = cloud.api.network, cloud.api.current_project_id
    for r in n.routers(project_id=project):
        if not r.name.startswith(P):
            continue
        n.update_router(r, routes=[])
        for p in n.ports(device_id=r.id, device_owner='network:router_interface'):
            n.remove_interface_from_router(r, port_id=p.id)
        n.delete_router(r)
    for net in n.networks(project_id=project):
        if net.name.startswith(P):
            n.delete_network(net)
    for g in n.security_groups(project_id=project):
        if g.name.startswith(P):
            n.delete_security_group(g)
    for k in cloud.api.compute.keypairs():
        if k.name.startswith(P):
            cloud.api.compute.delete_keypair(k)


@pytest.fixture(scope='module')
def tenant(src, dst):
    for cloud in (src, dst):
        remove(cloud)
    n = src.api.network
    net = n.create_network(name=P + 'net', description="12:30 'quoted' ü", is_admin_state_up=True)
    n.set_tags(net, ['b', 'a'])
    n.create_network(name=P + 'down', is_admin_state_up=False)
    subnet = n.create_subnet(network_id=net.id, name=P + 'subnet', ip_version=4, cidr='10.83.0.0/24',
                             gateway_ip='10.83.0.1', dns_nameservers=['9.9.9.9', '1.1.1.1'],
                             allocation_pools=[{'start': '10.83.0.20', 'end': '10.83.0.30'},
                                               {'start': '10.83.0.2', 'end': '10.83.0.9'}],
                             host_routes=[{'destination': '10.84.0.0/24', 'nexthop': '10.83.0.3'}])
    n.create_subnet(network_id=net.id, name=P + 'isolated', ip_version=4, cidr='10.85.0.0/24', gateway_ip=None,
                    is_dhcp_enabled=False)
    router = n.create_router(name=P + 'router', external_gateway_info={'network_id': n.find_network('public').id})
    n.add_interface_to_router(router, subnet_id=subnet.id)
    n.update_router(router, routes=[{'destination': '10.86.0.0/24', 'nexthop': '10.83.0.5'}])
    web = n.create_security_group(name=P + 'web', description='web servers')
    db = n.create_security_group(name=P + 'db')
    rule = dict(direction='ingress', ether_type='IPv4', protocol='tcp')
    n.create_security_group_rule(security_group_id=web.id, port_range_min=80, port_range_max=81,
                                 remote_ip_prefix='10.0.0.0/8', description='http', **rule)
    n.create_security_group_rule(security_group_id=db.id, port_range_min=5432, port_range_max=5432,
                                 remote_group_id=web.id, **rule)
    n.create_security_group_rule(security_group_id=db.id, direction='ingress', ether_type='IPv6', protocol='icmpv6')
    src.api.compute.create_keypair(name=P + 'key', public_key='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHc2UBdTpcPsfB5Zr+NXyBQ+'
                                   'j0oE1YHXJyD8J0uTiIhu tenant')
    yield
    for cloud in (src, dst):
        remove(cloud)


@pytest.fixture(scope='module')
def run(osm, folder, tenant):
    def do(status, command, *words):
        r = osm.run(command, '--data-dir', str(folder / 'tenant'), *words).expect(status)
        report = json.loads(r.out)
        return report, {(o['type'], o.get('name')): o for o in report.get('objects', ())}
    return do


FILTER = ('--filter', P + '*')


@pytest.fixture(scope='module')
def exported(run):
    began = time.monotonic()
    report, found = run(0, 'export', *TYPES, *FILTER)
    print('exported %d objects in %.1f s' % (len(found), time.monotonic() - began))
    return found


@pytest.fixture(scope='module')
def imported(run, exported):
    assert run(0, 'validate')[0]['errors'] == 0
    _, dry = run(0, 'import', *TYPES, *FILTER, '--dry-run')
    began = time.monotonic()
    _, found = run(0, 'import', *TYPES, *FILTER)
    print('imported %d objects in %.1f s' % (len(found), time.monotonic() - began))
    assert {k: o['result'] for k, o in dry.items()} == {k: o['result'] for k, o in found.items()}
    return found


def entries(folder, name):
    with open(folder / 'tenant' / (name + '.yml'), encoding='utf-8') as f:
        content = yaml.safe_load(f)
    assert content['os_migrate_version'] == '1.0.5'
    return content['resources']


def in_order(items):
    return sorted(items, key=lambda x: json.dumps(x, sort_keys=True))


def test_files_say_what_the_source_has(src, folder, exported):
    """Keys in params are names of attributes of openstacksdk."""
    n = src.api.network
    finders = {'networks': n.get_network, 'subnets': n.get_subnet, 'routers': n.get_router,
               'security_groups': n.get_security_group, 'security_group_rules': n.get_security_group_rule}
    unordered = ('tags', 'allocation_pools', 'host_routes', 'availability_zone_hints')
    for kind, get in finders.items():
        assert entries(folder, kind)
        for e in entries(folder, kind):
            obj = get(e['_info']['id']).to_dict()
            for key, value in e['params'].items():
                if key.endswith(('_ref', '_refinfo')):
                    continue
                is_now = obj[key]
                if key in unordered and is_now:
                    value, is_now = in_order(value), in_order(is_now)
                assert (value or None) == (is_now or None) if key in unordered else value == is_now, (kind, key)


def test_references_are_by_name(folder, exported):
    ours = {'project_name': '%auth%', 'domain_name': '%auth%'}
    subnets = {e['params']['name']: e for e in entries(folder, 'subnets')}
    assert subnets[P + 'subnet']['params']['network_ref'] == dict(ours, name=P + 'net')
    router, = entries(folder, 'routers')
    assert router['params']['external_gateway_refinfo']['network_ref']['name'] == 'public'
    assert router['_osm_params']['routes'] == [{'destination': '10.86.0.0/24', 'nexthop': '10.83.0.5'}]
    interface, = entries(folder, 'router_interfaces')
    assert interface['params']['fixed_ips_refs'] == [
        {'ip_address': '10.83.0.1', 'subnet_ref': dict(ours, name=P + 'subnet')}]
    key, = entries(folder, 'keypairs')
    assert key['params']['user_ref'] == {'name': '%auth%', 'domain_name': '%auth%', 'project_name': None}


def comparable(items, names):
    """By name, without what belongs to the cloud; ids of other objects as their names."""
    found = {}
    for x in items:
        if (x.name or '').startswith(P):
            found[x.name] = {k: names.get(v, v) if isinstance(v, str) else v for k, v in x.to_dict().items()
                             if k not in OWN}
            for key in ('tags', 'allocation_pools', 'host_routes'):
                if found[x.name].get(key):
                    found[x.name][key] = in_order(found[x.name][key])
    return found


def test_destination_is_like_the_source(src, dst, imported):
    assert {o['result'] for o in imported.values()} == {'created'}
    sides = []
    for cloud in (src, dst):
        n, project = cloud.api.network, cloud.api.current_project_id
        groups = list(n.security_groups(project_id=project))
        names = {g.id: g.name for g in groups}
        rules = sorted(str({k: names.get(str(v), v or None) for k, v in r.to_dict().items() if k not in OWN})
                       for r in n.security_group_rules(project_id=project)
                       if names.get(r.security_group_id, '').startswith(P))
        routers = list(n.routers(project_id=project, name=P + 'router'))
        ports = [p for r in routers for p in n.ports(device_id=r.id, device_owner='network:router_interface')]
        sides.append({
            'networks': comparable(n.networks(project_id=project), {}),
            'subnets': comparable(n.subnets(project_id=project), {}), 'routers': comparable(routers, {}),
            'gateways': [n.get_network(r.external_gateway_info['network_id']).name for r in routers],
            'interfaces': [[f['ip_address'] for f in p.fixed_ips] for p in ports],
            'groups': comparable(groups, {}), 'rules': rules,
            'keys': comparable(cloud.api.compute.keypairs(), {})})
    assert sides[0] == sides[1]


def test_second_import_changes_nothing(run, dst, imported):
    def revisions():
        n, project = dst.api.network, dst.api.current_project_id
        return {x.id: x.revision_number for items in (n.networks, n.subnets, n.routers, n.security_groups)
                for x in items(project_id=project)}
    before = revisions()
    _, again = run(0, 'import', *TYPES, *FILTER, '--update')
    assert {o['result'] for o in again.values()} == {'equal'}
    assert revisions() == before
    report, _ = run(0, 'diff', *TYPES, *FILTER)
    assert report['counts']['missing'] == report['counts']['differs'] == report['counts']['extra'] == 0


def test_edit_in_the_file_is_applied(run, dst, folder, imported):
    path = folder / 'tenant' / 'subnets.yml'
    text = path.read_text(encoding='utf-8')
    assert text.count('- 9.9.9.9') == 1
    path.write_text(text.replace('- 9.9.9.9', '- 8.8.8.8'), encoding='utf-8')
    _, kept = run(5, 'import', 'subnets', *FILTER)
    assert '--update' in kept['subnets', P + 'subnet']['reason']
    _, found = run(0, 'import', 'subnets', *FILTER, '--update')
    assert found['subnets', P + 'subnet']['result'] == 'updated'
    assert dst.api.network.find_subnet(P + 'subnet').dns_nameservers == ['8.8.8.8', '1.1.1.1']
    # A new export leaves the edit.
    _, again = run(0, 'export', 'subnets', *FILTER)
    assert again['subnets', P + 'subnet']['result'] == 'equal'
    assert '- 8.8.8.8' in path.read_text(encoding='utf-8')


def test_edit_at_the_destination_is_reported(run, dst, imported):
    n = dst.api.network
    n.update_network(n.find_network(P + 'down'), is_admin_state_up=True)
    n.create_network(name=P + 'new')
    _, found = run(5, 'diff', 'networks', *FILTER)
    assert found['networks', P + 'down']['differences'] == [
        {'field': 'is_admin_state_up', 'wanted': False, 'is': True, 'fixed': False}]
    assert found['networks', P + 'new']['result'] == 'extra'
    assert found['networks', P + 'net']['result'] == 'equal'


def test_tenant_may_not_see_users(osm, folder, tenant):
    r = osm.run('export', '--data-dir', str(folder / 'tenant'), 'users')
    assert r.status == 1
    row, = json.loads(r.out)['objects']
    assert row['result'] == 'skipped' and '403' in row['reason']
