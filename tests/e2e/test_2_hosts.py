# SPDX-License-Identifier: Apache-2.0
"""The conversion hosts: deployed once, for all that follows."""
import json
import subprocess

from osmlib import PAIR, host_id, inventory


def rules(cloud):
    group = next(g for g in cloud.api.network.security_groups() if (g.description or '').endswith('osm.pair=' + PAIR))
    return [r for r in cloud.api.network.security_group_rules(security_group_id=group.id) if r.direction == 'ingress']


def floating_address(cloud):
    port = next(cloud.api.network.ports(device_id=host_id(cloud)))
    return next(cloud.api.network.ips(port_id=port.id)).floating_ip_address


def test_deploy_makes_one_server_in_each_cloud(hosts, clouds):
    assert hosts.result()['changed'] is True
    for cloud, before in zip(clouds, hosts.before):
        new = {kind for kind, _ in inventory(cloud).keys() - before.keys()}
        assert new == {'server', 'port', 'network', 'subnet', 'router', 'security group', 'floating ip'}
        assert cloud.api.compute.get_server(host_id(cloud)).status == 'ACTIVE'


def test_second_deploy_changes_nothing_and_says_so(hosts, osm, clouds):
    before = [inventory(c) for c in clouds]
    assert osm.run('deploy-conversion-hosts').expect(0).result()['changed'] is False
    assert [inventory(c) for c in clouds] == before


def test_ssh_only_from_the_migrator_and_from_the_peer(hosts, src, dst):
    own = {subprocess.check_output(['ip', '-json', 'route', 'get', floating_address(c)], text=True) for c in (src, dst)}
    own = {json.loads(text)[0]['prefsrc'] + '/32' for text in own}
    peer = floating_address(dst) + '/32'
    for cloud, wanted in ((src, own | {peer}), (dst, own)):
        assert {(r.protocol, r.port_range_min, r.port_range_max) for r in rules(cloud)} == {('tcp', 22, 22)}
        assert {r.remote_ip_prefix for r in rules(cloud)} <= wanted
        assert all(r.remote_ip_prefix for r in rules(cloud))
    assert peer in {r.remote_ip_prefix for r in rules(src)}
    assert peer not in {r.remote_ip_prefix for r in rules(dst)}


def test_check_measures_the_link(hosts, osm):
    r = json.loads(osm.run('check-conversion-hosts').expect(0).out)
    assert r['link']['bytes_per_second'] > 0 and r['link']['rtt_us'] > 0
    for side in ('source', 'destination'):
        assert r[side]['status'] == 'ACTIVE' and r[side]['attached_volumes'] == 0


def test_user_data_has_no_secret(hosts, osm):
    for side in ('source', 'destination'):
        text = osm.run('deploy-conversion-hosts', '--print-user-data', side).expect(0).out
        assert text.startswith('#cloud-config') and 'PRIVATE' not in text and 'password' not in text.lower()
