# SPDX-License-Identifier: Apache-2.0
"""What needs the rights of an administrator, between two real clouds: several projects at once, QoS policies, subnet pools, address
groups and scopes, volume types with all that belongs to them. What is made is compared with openstacksdk."""
import json

import pytest

from osmlib import PREFIX, get

P = PREFIX + 'admin-'
FILTER = ('--filter', P + '*')
ADMINS = {'source': {'cloud': 'src-admin'}, 'destination': {'cloud': 'dst-admin'}}
TEAMS = (P + 'a', P + 'b')


def named(items):
    return [x for x in items if (x.name or '').startswith(P)]


def remove(cloud):
    """In the order in which it can go; of all projects."""
    o = cloud.admin
    n, b = o.network, o.block_storage
    teams = {p.id: p for p in named(o.identity.projects())}
    for r in [r for r in n.routers() if r.project_id in teams or r in named([r])]:
        for p in n.ports(device_id=r.id, device_owner='network:router_interface'):
            n.remove_interface_from_router(r, port_id=p.id)
        n.delete_router(r)
    for net in [x for x in n.networks() if x.project_id in teams or x in named([x])]:
        for p in n.ports(network_id=net.id):
            if not p.device_owner:
                n.delete_port(p)
        n.delete_network(net)
    for g in [x for x in n.security_groups() if x.project_id in teams or x in named([x])]:
        n.delete_security_group(g)
    for g in named(n.address_groups()):
        n.delete_address_group(g)
    for pool in named(n.subnet_pools()):
        n.delete_subnet_pool(pool)
    for scope in named(n.address_scopes()):
        n.delete_address_scope(scope)
    for q in named(n.qos_policies()):
        n.delete_qos_policy(q)
    for g in get(o.compute, '/os-server-groups?all_projects=True', microversion='2.64')['server_groups']:
        if g['name'].startswith(P) or g['project_id'] in teams:
            o.compute.delete_server_group(g['id'])
    for i in o.image.images():
        if i.owner in teams:
            o.image.delete_image(i)
    for t in named(b.types(is_public='None')):
        b.delete_type(t)
    for q in get(b, '/qos-specs')['qos_specs']:
        if q['name'].startswith(P):
            assert b.delete('/qos-specs/%s?force=true' % q['id']).ok
    for t in teams.values():
        o.identity.delete_project(t)


@pytest.fixture(scope='module')
def clean(src, dst):
    for cloud in (src, dst):
        remove(cloud)
    yield
    for cloud in (src, dst):
        remove(cloud)


@pytest.fixture(scope='module')
def run(osm, folder, clean):
    def do(status, command, *words, where='admin'):
        data_dir = ('--data-dir', str(folder / where)) if command in ('export', 'import', 'diff', 'validate') else ()
        r = osm.run(command, *data_dir, *words, **ADMINS).expect(status)
        report = json.loads(r.out)
        rows = report if isinstance(report, list) else report.get('objects', ())
        do.report = report
        return {(o.get('project'), o['type'], o.get('name')): o for o in rows} if command not in ('list', 'validate') else rows
    return do


def one(items, name):
    found = [x for x in items if x.name == P + name]
    assert len(found) == 1, (name, found)
    return found[0]


# ------------------------------------------------------------------ what networks are governed by
NETWORK_TYPES = ('address_scopes', 'subnet_pools', 'address_groups', 'qos_policies', 'networks', 'subnets', 'security_groups',
                 'security_group_rules')


@pytest.fixture(scope='module')
def governed(src, clean):
    n = src.admin.network
    scope = n.create_address_scope(name=P + 'scope', ip_version=4)
    pool = n.create_subnet_pool(name=P + 'pool', prefixes=['10.90.0.0/16'], default_prefix_length=24, minimum_prefix_length=20,
                                maximum_prefix_length=28, address_scope_id=scope.id, description='for tests')
    n.set_tags(pool, ['b', 'a'])
    policy = n.create_qos_policy(name=P + 'gold', description='fast')
    n.set_tags(policy, ['gold', 'fast'])
    n.create_qos_bandwidth_limit_rule(policy, max_kbps=3000, max_burst_kbps=300, direction='egress')
    n.create_qos_dscp_marking_rule(policy, dscp_mark=26)
    # Of no network: the lab's has no such rules.
    n.create_qos_minimum_bandwidth_rule(n.create_qos_policy(name=P + 'silver'), min_kbps=10, direction='egress')
    net = n.create_network(name=P + 'net', qos_policy_id=policy.id)
    n.create_subnet(name=P + 'subnet', network_id=net.id, ip_version=4, cidr='10.90.3.0/24', subnet_pool_id=pool.id)
    offices = n.create_address_group(name=P + 'offices', addresses=['10.0.0.0/8', '192.0.2.0/24'])
    group = n.create_security_group(name=P + 'group')
    assert n.post('/security-group-rules', json={'security_group_rule': {
        'security_group_id': group.id, 'direction': 'ingress', 'ethertype': 'IPv4', 'protocol': 'tcp', 'port_range_min': 443,
        'port_range_max': 443, 'remote_address_group_id': offices.id}}).ok
    return policy


def rules(cloud, name='gold'):
    policy, = get(cloud.admin.network, '/qos/policies?name=' + P + name)['policies']
    return {(r['type'], r.get('direction')): {k: v for k, v in r.items() if k not in ('id', 'qos_policy_id', 'tags')}
            for r in policy['rules']}


def test_what_networks_are_governed_by(run, src, dst, governed):
    run(0, 'export', *NETWORK_TYPES, *FILTER)
    run(0, 'validate')
    found = run(0, 'import', *NETWORK_TYPES, *FILTER)
    assert {o['result'] for o in found.values()} == {'created'}, found
    n, s = dst.admin.network, src.admin.network
    pool, source_pool = one(n.subnet_pools(), 'pool'), one(s.subnet_pools(), 'pool')
    for key in ('prefixes', 'default_prefix_length', 'minimum_prefix_length', 'maximum_prefix_length', 'description',
                'is_shared', 'is_default', 'default_quota'):
        assert pool[key] == source_pool[key], key
    assert sorted(pool.tags) == ['a', 'b']
    scope = one(n.address_scopes(), 'scope')
    assert (pool.address_scope_id, scope.ip_version) == (scope.id, 4)
    assert rules(dst) == rules(src) and len(rules(dst)) == 2
    assert rules(dst, 'silver')['minimum_bandwidth', 'egress']['min_kbps'] == 10
    assert one(n.networks(), 'net').qos_policy_id == one(n.qos_policies(), 'gold').id
    assert sorted(one(n.qos_policies(), 'gold').tags) == ['fast', 'gold']
    subnet = one(n.subnets(), 'subnet')
    assert (subnet.cidr, subnet.subnet_pool_id) == ('10.90.3.0/24', pool.id)
    offices = one(n.address_groups(), 'offices')
    assert sorted(offices.addresses) == ['10.0.0.0/8', '192.0.2.0/24']
    rule, = [r for r in get(n, '/security-group-rules?security_group_id=' + one(n.security_groups(), 'group').id)[
        'security_group_rules'] if r['protocol'] == 'tcp']
    assert rule['remote_address_group_id'] == offices.id
    again = run(0, 'import', *NETWORK_TYPES, *FILTER, '--update')
    assert {o['result'] for o in again.values()} == {'equal'}, again
    run(0, 'diff', *NETWORK_TYPES, *FILTER)


def test_what_changed_at_the_source_is_changed(run, src, dst, governed):
    s = src.admin.network
    policy = s.get_qos_policy(governed.id)
    for r in policy.rules:
        if r['type'] == 'bandwidth_limit':
            s.update_qos_bandwidth_limit_rule(r['id'], policy, max_kbps=4000)
        if r['type'] == 'dscp_marking':
            s.delete_qos_dscp_marking_rule(r['id'], policy)
    s.create_qos_bandwidth_limit_rule(policy, max_kbps=500, max_burst_kbps=0, direction='ingress')
    offices = one(s.address_groups(), 'offices')
    s.add_addresses_to_address_group(offices, ['172.16.0.0/12'])
    s.remove_addresses_from_address_group(offices, ['10.0.0.0/8'])
    s.update_subnet_pool(one(s.subnet_pools(), 'pool'), prefixes=['10.90.0.0/16', '10.91.0.0/16'])
    types = ('subnet_pools', 'address_groups', 'qos_policies')
    run(0, 'export', *types, *FILTER)
    found = run(0, 'import', *types, *FILTER, '--update')
    assert {k[2]: o['result'] for k, o in found.items()} == {P + 'pool': 'updated', P + 'offices': 'updated', P + 'gold': 'updated',
                                                             P + 'silver': 'equal'}
    assert rules(dst) == rules(src)
    assert ('dscp_marking', None) not in rules(dst) and rules(dst)['bandwidth_limit', 'egress']['max_kbps'] == 4000
    n = dst.admin.network
    assert sorted(one(n.address_groups(), 'offices').addresses) == ['172.16.0.0/12', '192.0.2.0/24']
    # Neutron joins prefixes that are neighbours.
    assert sorted(one(n.subnet_pools(), 'pool').prefixes) == sorted(one(s.subnet_pools(), 'pool').prefixes)
    again = run(0, 'import', *types, *FILTER, '--update')
    assert {o['result'] for o in again.values()} == {'equal'}, again


def test_a_type_that_the_clouds_do_not_know(run):
    """The lab's Neutron has no trunks."""
    found = run(0, 'export', 'trunks', where='trunks')
    assert found[None, 'trunks', None]['result'] == 'unavailable'


# ------------------------------------------------------------------ volume types
def volume_type(cloud, name):
    b = cloud.admin.block_storage
    t = one(b.types(is_public='None'), name)
    full = get(b, '/types/' + t.id)['volume_type']
    encryption = get(b, '/types/%s/encryption' % t.id)
    access = [] if full['is_public'] else sorted(
        cloud.admin.identity.get_project(a['project_id']).name
        for a in get(b, '/types/%s/os-volume-type-access' % t.id)['volume_type_access'])
    qos = full.get('qos_specs_id') and get(b, '/qos-specs/' + full['qos_specs_id'])['qos_specs']
    return {'encryption': {k: encryption.get(k) for k in ('provider', 'cipher', 'key_size', 'control_location')},
            'access': access, 'qos': qos and {k: qos[k] for k in ('name', 'consumer', 'specs')}, 'is_public': full['is_public'],
            'specs': full['extra_specs'], 'description': full['description'], 'id': t.id}


def post(proxy, path, body):
    answer = proxy.post(path, json=body)
    assert answer.ok, '%s: %s' % (path, answer.text)
    return answer.json() if answer.content else None


def test_volume_types_with_all_that_belongs_to_them(run, src, dst):
    b, i = src.admin.block_storage, src.admin.identity
    for cloud in (src, dst):
        cloud.admin.identity.create_project(name=P + 'guests', domain_id='default')
    qos = post(b, '/qos-specs', {'qos_specs': {'name': P + 'slow', 'consumer': 'front-end', 'total_iops_sec': '100'}})['qos_specs']
    secret = b.create_type(name=P + 'secret', is_public=False, description='encrypted', extra_specs={'volume_backend_name': 'lab'})
    post(b, '/types/%s/encryption' % secret.id, {'encryption': {'provider': 'luks', 'cipher': 'aes-xts-plain64', 'key_size': 256,
                                                                'control_location': 'front-end'}})
    post(b, '/types/%s/action' % secret.id, {'addProjectAccess': {'project': i.find_project(P + 'guests').id}})
    plain = b.create_type(name=P + 'plain', extra_specs={'volume_backend_name': 'lab'})
    assert b.get('/qos-specs/%s/associate?vol_type_id=%s' % (qos['id'], plain.id)).ok
    types = ('volume_qos_specs', 'volume_types')
    run(0, 'export', *types, *FILTER)
    found = run(0, 'import', *types, *FILTER)
    assert {o['result'] for o in found.values()} == {'created'}, found
    for name in ('secret', 'plain'):
        here, there = volume_type(src, name), volume_type(dst, name)
        assert dict(here, id=None) == dict(there, id=None)
    again = run(0, 'import', *types, *FILTER, '--update')
    assert {o['result'] for o in again.values()} == {'equal'}, again
    # What was changed there is put right.
    d, t = dst.admin.block_storage, volume_type(dst, 'secret')['id']
    e = get(d, '/types/%s/encryption' % t)['encryption_id']
    assert d.put('/types/%s/encryption/%s' % (t, e), json={'encryption': {'key_size': 512}}).ok
    post(d, '/types/%s/action' % t, {'addProjectAccess': {'project': dst.admin.current_project_id}})
    p = volume_type(dst, 'plain')['id']
    other = post(d, '/qos-specs', {'qos_specs': {'name': P + 'other', 'consumer': 'back-end'}})['qos_specs']['id']
    assert d.get('/qos-specs/%s/disassociate_all' % get(d, '/types/' + p)['volume_type']['qos_specs_id']).ok
    assert d.get('/qos-specs/%s/associate?vol_type_id=%s' % (other, p)).ok
    found = run(5, 'diff', 'volume_types', *FILTER)
    assert {o['result'] for o in found.values()} == {'differs'}, found
    run(0, 'import', *types, *FILTER, '--update')
    for name in ('secret', 'plain'):
        assert dict(volume_type(src, name), id=None) == dict(volume_type(dst, name), id=None)


def test_tenants_are_told_what_they_may_not(osm, folder):
    r = osm.run('export', 'volume_qos_specs', '--data-dir', str(folder / 'tenants')).expect(1)
    row, = json.loads(r.out)['objects']
    assert (row['result'], row['type']) == ('skipped', 'volume_qos_specs')


# ------------------------------------------------------------------ several projects
@pytest.fixture(scope='module')
def teams(src, clean):
    o = src.admin
    made = {}
    for number, name in enumerate(TEAMS):
        project = o.identity.create_project(name=name, domain_id='default', description='team')
        n = o.network
        net = n.create_network(name=P + 'same', project_id=project.id, description=name)
        subnet = n.create_subnet(name=P + 'same', network_id=net.id, project_id=project.id, ip_version=4,
                                 cidr='10.9%d.0.0/24' % (3 + number))
        router = n.create_router(name=P + 'same', project_id=project.id,
                                 external_gateway_info={'network_id': n.find_network('public').id})
        n.add_interface_to_router(router, subnet_id=subnet.id)
        group = n.create_security_group(name=P + 'same', project_id=project.id)
        n.create_security_group_rule(security_group_id=group.id, project_id=project.id, direction='ingress', ether_type='IPv4',
                                     protocol='tcp', port_range_min=80 + number, port_range_max=80 + number,
                                     remote_group_id=group.id)
        image = o.image.create_image(name=P + 'same', data=name.encode() * 1000, disk_format='raw', container_format='bare',
                                     allow_duplicates=True, owner=project.id)
        assert image.owner == project.id
        # Nova makes them for the token's project.
        user, member = o.current_user_id, o.identity.find_role('member')
        o.identity.assign_project_role_to_user(project, user, member)
        scoped = o.connect_as_project(project)
        scoped.compute.create_server_group(name=P + 'same', policy='anti-affinity')
        o.identity.unassign_project_role_from_user(project, user, member)
        made[name] = project
    return made


def assignments(cloud):
    return sorted((a.user['id'], a.scope['project']['id'], a.role['id']) for a in cloud.admin.identity.role_assignments()
                  if a.user and a.scope and 'project' in a.scope)


def same(cloud, items, owner='project_id'):
    """{team: object} of those that are called the same in every team."""
    names = {p.id: p.name for p in named(cloud.admin.identity.projects())}

    def of(x, key):
        return x[key] if type(x) is dict else getattr(x, key)  # pylint: disable=unidiomatic-typecheck
    return {names.get(of(x, owner), of(x, owner)): x for x in items if of(x, 'name') == P + 'same'}


def test_objects_land_in_their_projects(run, src, dst, teams):
    projects = ('--projects', P + '[ab]')
    types = ('projects', 'all', '--filter', P + '*')
    run(0, 'export', *types, *projects, where='teams')
    before = assignments(dst)
    found = run(0, 'import', *types, *projects, where='teams')
    # The administrator's other projects (of the test before) are among the types of no project.
    assert {o['result'] for o in found.values()} <= {'created', 'equal'}, found
    assert run.report['roles_taken_back'] == 2
    assert assignments(dst) == before
    assert run(0, 'list', '--grants') == []
    o = dst.admin
    for items, owner in ((o.network.networks(), 'project_id'), (o.network.subnets(), 'project_id'),
                         (o.network.routers(), 'project_id'), (o.network.security_groups(), 'project_id'),
                         (o.image.images(), 'owner'),
                         (get(o.compute, '/os-server-groups?all_projects=True', microversion='2.64')['server_groups'], 'project_id')):
        assert set(same(dst, items, owner)) == set(TEAMS)
    nets, subnets = same(dst, o.network.networks()), same(dst, o.network.subnets())
    routers, groups = same(dst, o.network.routers()), same(dst, o.network.security_groups())
    images = same(dst, o.image.images(), 'owner')
    sources = same(src, src.admin.image.images(), 'owner')
    for number, name in enumerate(TEAMS):
        project = o.identity.find_project(name).id
        assert (nets[name].description, subnets[name].network_id) == (name, nets[name].id)
        port, = o.network.ports(device_id=routers[name].id, device_owner='network:router_interface')
        assert (port.project_id, port.network_id) == (project, nets[name].id)
        assert routers[name].external_gateway_info['network_id'] == o.network.find_network('public').id
        rule, = [r for r in o.network.security_group_rules(security_group_id=groups[name].id) if r.direction == 'ingress']
        assert (rule.port_range_min, rule.remote_group_id, rule.project_id) == (80 + number, groups[name].id, project)
        assert (images[name].hash_value, images[name].status) == (sources[name].hash_value, 'active')
    again = run(0, 'import', *types, *projects, '--update', where='teams')
    assert {o['result'] for o in again.values()} == {'equal'}, again
    assert 'roles_taken_back' not in run.report


def test_a_project_of_another_name(run, osm, folder, dst, teams):
    o = dst.admin
    elsewhere = o.identity.create_project(name=P + 'elsewhere', domain_id='default')
    words = ('import', 'networks', 'subnets', 'server_groups', '--projects', TEAMS[0], '--data-dir', str(folder / 'teams'))
    changes = dict(ADMINS, map={'projects': {TEAMS[0]: P + 'elsewhere'}}, state_dir=osm.folder + '/another-state')
    before = assignments(dst)
    osm.run(*words, **changes).expect(0)
    nets = same(dst, o.network.networks())
    assert nets[P + 'elsewhere'].project_id == elsewhere.id
    assert assignments(dst) == before


def test_a_role_that_is_there_already_stays(run, osm, folder, dst, teams):
    o = dst.admin
    given = o.identity.create_project(name=P + 'given', domain_id='default')
    o.identity.assign_project_role_to_user(given, o.current_user_id, o.identity.find_role('member'))
    before = assignments(dst)
    changes = dict(ADMINS, map={'projects': {TEAMS[0]: P + 'given'}}, state_dir=osm.folder + '/a-third-state')
    osm.run('import', 'server_groups', '--projects', TEAMS[0], '--data-dir', str(folder / 'teams'), **changes).expect(0)
    groups = get(o.compute, '/os-server-groups?all_projects=True', microversion='2.64')['server_groups']
    assert same(dst, groups)[P + 'given']['project_id'] == given.id
    assert assignments(dst) == before


def test_tenants_have_one_project(osm, folder):
    osm.run('export', 'networks', '--projects', 'all', '--data-dir', str(folder / 'nobody')).expect(1).says(
        'only administrators see other projects')
