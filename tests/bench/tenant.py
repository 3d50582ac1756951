#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How long export, import and diff take for a large tenant (50 networks with subnets, 10 routers, 30 ports, 200 rules) and for a
small one (all types, one network), and how many requests they send.  In the lab:

    tests/lab/lab exec tests/bench/tenant.py BUILD [large|small ...]

Makes the tenants in the source with openstacksdk, compares what arrived with what it made, and removes both."""
import json
import os
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, TOP + '/tests/e2e')
os.environ.setdefault('OSM_DATADIR', TOP)
from cloudlib import Cloud, side_by_side  # noqa: E402
from demo import key_pair  # noqa: E402
from osmlib import Osm  # noqa: E402

P = 'bench-'
SIZES = {'large': dict(networks=50, routers=10, ports=30, rules=200), 'small': dict(networks=1, routers=1, ports=1, rules=6)}
KINDS = ('networks', 'subnets', 'routers', 'ports', 'security_groups')


def make(cloud, networks, routers, ports, rules):
    n = cloud.api.network

    def network(i):
        net = n.create_network(name='%snet%d' % (P, i))
        return net, n.create_subnet(network_id=net.id, name='%ssubnet%d' % (P, i), ip_version=4, cidr='10.%d.0.0/24' % (100 + i),
                                    gateway_ip='10.%d.0.1' % (100 + i), dns_nameservers=['9.9.9.9'])

    made = [network(i) for i in range(networks)]
    for i in range(routers):
        router = n.create_router(name='%srouter%d' % (P, i), external_gateway_info={'network_id': n.find_network('public').id})
        n.add_interface_to_router(router, subnet_id=made[i][1].id)
    groups = [n.create_security_group(name='%sgroup%d' % (P, i)) for i in range(max(1, rules // 50))]
    for i, group in enumerate(groups):
        body = [dict(security_group_id=group.id, direction='ingress', ethertype='IPv4', protocol='tcp', port_range_min=port + 1,
                     port_range_max=port + 1) for port in range(i, rules, len(groups))]
        answer = n.post('/security-group-rules', json={'security_group_rules': body})
        assert answer.ok, answer.text
    for i in range(ports):
        net, subnet = made[i % networks]
        n.create_port(network_id=net.id, name='%sport%d' % (P, i), security_groups=[groups[0].id],
                      fixed_ips=[{'subnet_id': subnet.id, 'ip_address': '10.%d.0.%d' % (100 + i % networks, 20 + i)}])
    with tempfile.TemporaryDirectory() as folder:
        cloud.api.compute.create_keypair(name=P + 'key', public_key=key_pair(folder + '/key'))
    cloud.api.compute.create_server_group(name=P + 'apart', policy='anti-affinity')


def remove(cloud):
    n, project = cloud.api.network, cloud.api.current_project_id

    def ours(items):
        return [x for x in items if (x.name or '').startswith(P)]

    for r in ours(n.routers(project_id=project)):
        for p in n.ports(device_id=r.id, device_owner='network:router_interface'):
            n.remove_interface_from_router(r, port_id=p.id)
        n.delete_router(r)
    for p in ours(n.ports(project_id=project)):
        n.delete_port(p)
    for net in ours(n.networks(project_id=project)):
        n.delete_network(net)
    for g in ours(n.security_groups(project_id=project)):
        n.delete_security_group(g)
    for k in ours(cloud.api.compute.keypairs()):
        cloud.api.compute.delete_keypair(k)
    for g in ours(cloud.api.compute.server_groups()):
        cloud.api.compute.delete_server_group(g)


def what_is_there(cloud):
    """{kind: names}, and the rules of the groups by name of the group."""
    n, project = cloud.api.network, cloud.api.current_project_id
    found = {kind: sorted(x.name for x in getattr(n, kind)(project_id=project) if (x.name or '').startswith(P)) for kind in KINDS}
    groups = {g.id: g.name for g in n.security_groups(project_id=project) if g.name.startswith(P)}
    found['rules'] = sorted((groups[r.security_group_id], r.direction, r.ether_type, str(r.protocol), str(r.port_range_min))
                            for r in n.security_group_rules(project_id=project) if r.security_group_id in groups)
    found['interfaces'] = len([p for r in n.routers(project_id=project) if r.name.startswith(P)
                               for p in n.ports(device_id=r.id, device_owner='network:router_interface')])
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    os.environ['OSM_BUILD'] = os.path.abspath(sys.argv[1])
    src, dst = Cloud('src'), Cloud('dst')
    status = 0
    for size in sys.argv[2:] or SIZES:
        side_by_side(lambda: remove(src), lambda: remove(dst))
        make(src, **SIZES[size])
        with tempfile.TemporaryDirectory() as folder:
            osm = Osm(folder, os.environ['OS_CLIENT_CONFIG_FILE'])
            osm.seconds = 1200
            print('%s tenant, load %.1f\n  %-14s %8s %8s  %s' % (size, os.getloadavg()[0], '', 'seconds', 'requests', 'objects'))
            for name, command, want in (('export', ('export', 'all'), (0, 5)), ('import', ('import', 'all'), (0, 5)),
                                        ('import again', ('import', 'all', '--update'), (0, 5)), ('diff', ('diff', 'all'), (0, 5))):
                r = osm.run(*command, '--data-dir', folder + '/data', '--filter', P + '*')
                if r.status not in want:
                    sys.exit(repr(r))
                report = json.loads(r.out)
                print('  %-14s %8.1f %8s  %s' % (name, report['seconds'], ' + '.join(map(str, report['requests'].values())),
                                                 ', '.join('%d %s' % (n, k) for k, n in report['counts'].items())), flush=True)
                for o in report['objects']:
                    if o['result'] in ('failed', 'skipped', 'differs', 'missing', 'extra'):
                        print('    ', o.get('type'), o.get('name'), o['result'], o.get('reason'))
        sides = side_by_side(lambda: what_is_there(src), lambda: what_is_there(dst))
        if sides[0] != sides[1]:
            print('  NOT equal: %s\n         and %s' % sides)
            status = 1
        side_by_side(lambda: remove(src), lambda: remove(dst))
    return status


if __name__ == '__main__':
    sys.exit(main())
