# SPDX-License-Identifier: Apache-2.0
"""A whole tenant by one sequence of commands: export all, validate, import all, migrate-server. Nothing of it is at the destination
before, and the server needs no further preparation."""
import json

import pytest

from cloudlib import ssh, user_data, wait_ssh
from demo import key_pair
from osmlib import PREFIX, inventory, own

P = PREFIX + 'whole-'
CIDR, ADDRESS, MAC = '10.88.0.0/24', '10.88.0.21', 'fa:16:3e:88:00:21'
KINDS = ('networks', 'subnets', 'routers', 'router_interfaces', 'security_groups', 'security_group_rules', 'keypairs',
         'server_groups')

pytestmark = pytest.mark.usefixtures('hosts')


@pytest.fixture(scope='module')
def tenant(src, base, folder):
    """What the server stands on, and the server; the path of the tenant's private key."""
    key = str(folder / 'whole-key')
    n, c = src.api.network, src.api.compute
    net = src.network(P + 'net', CIDR)
    group = src.security_group(P + 'ssh', (22, 443))
    c.create_keypair(name=P + 'key', public_key=key_pair(key))
    apart = c.create_server_group(name=P + 'apart', policy='anti-affinity')
    boot = src.volume(P + 'boot', 2, source_volume_id=base.id)
    port = n.create_port(network_id=net.id, name=P + 'port', mac_address=MAC, fixed_ips=[{'ip_address': ADDRESS}],
                         security_group_ids=[group.id])
    server = src.server(P + 'server', 'm1.tiny', [port], [(boot.id, True)], key=P + 'key', metadata={'of': 'a whole tenant'},
                        scheduler_hints={'group': apart.id},
                        user_data=user_data('#cloud-config\nwrite_files:\n- {path: /etc/whole, content: "once"}\n'))
    address = src.floating_ip(port.id)
    wait_ssh(address, key)
    ssh(address, key, 'sudo sh -c "echo before > /etc/letter"; sync')
    return {'server': server.id, 'key': key, 'boot': boot.id}


def test_whole_tenant(osm, src, dst, tenant, folder):
    before = inventory(dst)
    assert not [name for name in before.values() if name.startswith(P)]
    data = ('--data-dir', str(folder / 'whole'), '--filter', P + '*')

    exported = osm.run('export', 'all', *data).expect(0)
    assert {o['type'] for o in json.loads(exported.out)['objects']} >= set(KINDS)
    osm.run('validate', *data[:2]).expect(0)
    imported = json.loads(osm.run('import', 'all', *data).expect(0).out)
    assert {o['result'] for o in imported['objects']} == {'created'}
    again = json.loads(osm.run('import', 'all', *data).expect(0).out)
    assert {o['result'] for o in again['objects']} == {'equal'}
    r = osm.run('migrate-server', P + 'server').expect(0)
    assert r.result()['state'] == 'completed'
    assert not [f for f in r.findings().values() if f['severity'] == 'blocker']

    server = dst.api.compute.get_server(r.result()['destination_id'])
    was = src.api.compute.get_server(tenant['server'])
    assert (server.name, server.status, server.key_name) == (P + 'server', 'ACTIVE', P + 'key')
    assert own(server.metadata) == {'of': 'a whole tenant'}
    assert [g['name'] for g in server.security_groups] == [P + 'ssh']
    port, = dst.api.network.ports(device_id=server.id)
    assert (port.name, port.mac_address, [f['ip_address'] for f in port.fixed_ips]) == (P + 'port', MAC, [ADDRESS])
    assert port.network_id == dst.api.network.find_network(P + 'net').id
    apart = dst.api.compute.find_server_group(P + 'apart')
    assert server.id in dst.api.compute.get_server_group(apart.id).member_ids
    assert was.status == 'SHUTOFF'
    # Nothing was made twice by the migration.
    for kind in ('network', 'security group', 'key pair', 'server group', 'router', 'subnet'):
        assert sorted(n for (k, _), n in inventory(dst).items() if k == kind and n.startswith(P)) == \
            sorted(n for (k, _), n in inventory(src).items() if k == kind and n.startswith(P)), kind
    address = r.result()['floating_ips'][0]['destination']
    wait_ssh(address, tenant['key'])
    assert ssh(address, tenant['key'], 'cat /etc/letter') == 'before'


def test_whole_tenant_after_the_rollback(osm, src, dst, tenant):
    """What was imported stays, what the migration made goes."""
    assert osm.run('rollback', osm.migrations()[0]['id']).expect(0).result()['state'] == 'rolled-back'
    assert src.api.compute.get_server(tenant['server']).status == 'ACTIVE'
    names = inventory(dst)
    assert P + 'net' in names.values() and P + 'apart' in names.values()
    assert not [n for (kind, _), n in names.items() if kind in ('server', 'volume', 'port') and n.startswith(P)]
