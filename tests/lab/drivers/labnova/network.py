# SPDX-License-Identifier: Apache-2.0
"""Network of a server: a network namespace, and per port a veth pair with
tap<port> in the bridge of the linuxbridge agent and ethN in the server."""
import os

from labnova.common import run


def namespace(uuid):
    return 'i-' + uuid[:13]


def tap(port_id):
    return ('tap' + port_id)[:14]


def make_namespace(uuid):
    name = namespace(uuid)
    if not os.path.exists('/run/netns/' + name):
        run('ip', 'netns', 'add', name)


def delete_namespace(uuid):
    run('ip', 'netns', 'del', namespace(uuid), check_exit_code=False)


def plug(uuid, vif, number):
    device, host, peer = 'eth%d' % number, tap(vif['id']), 'g' + vif['id'][:11]
    bridge = (vif['network'].get('bridge') or 'brq' + vif['network']['id'])[:14]
    mtu = str(vif['network'].get_meta('mtu') or 1500)
    if not os.path.exists('/sys/class/net/' + bridge):
        # the agent may make it at the same moment
        run('ip', 'link', 'add', bridge, 'type', 'bridge', 'forward_delay', '0',
            check_exit_code=[0, 2])
        run('ip', 'link', 'set', bridge, 'up')
    if os.path.exists('/sys/class/net/' + host):
        run('ip', 'link', 'del', host)
    run('ip', 'link', 'add', host, 'mtu', mtu, 'type', 'veth',
        'peer', 'name', peer, 'mtu', mtu)
    # not up: the agent does that when the security group's rules are in place
    run('ip', 'link', 'set', host, 'master', bridge)
    run('ip', 'link', 'set', peer, 'address', vif['address'], 'netns', namespace(uuid),
        'name', device)
    lines = ['link set lo up', 'link set %s up' % device]
    routes = []
    for subnet in vif['network']['subnets']:
        length = subnet['cidr'].split('/')[1]
        for ip in subnet['ips']:
            lines.append('addr replace %s/%s dev %s%s' % (
                ip['address'], length, device, ' nodad' if ':' in ip['address'] else ''))
        routes += ['route replace %s via %s' % (r['cidr'], r['gateway']['address'])
                   for r in subnet.get('routes') or []]
        gateway = (subnet.get('gateway') or {}).get('address')
        if gateway and subnet['ips'] and number == 0:
            routes.append('route replace default via %s dev %s' % (gateway, device))
    batch = ['ip', '-n', namespace(uuid), '-batch', '-']
    run(*batch, process_input='\n'.join(lines) + '\n')
    # a route that does not fit is the user's mistake, not the host's
    run('ip', '-n', namespace(uuid), '-force', '-batch', '-', check_exit_code=False,
        process_input='\n'.join(routes) + '\n')


def unplug(port_id):
    run('ip', 'link', 'del', tap(port_id), check_exit_code=False)
