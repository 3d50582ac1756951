# SPDX-License-Identifier: Apache-2.0
"""The two clouds of the lab as a test sees them: with openstacksdk and by reading the volumes' files,
never through osm.  Must run inside the lab (tests/lab/lab exec)."""
import base64
import concurrent.futures
import hashlib
import ipaddress
import os
import subprocess
import time

import openstack

STATE = os.environ.get('OSM_LAB_STATE', '/var/lib/osm-lab')
SSH = ['ssh', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR',
       '-o', 'ConnectTimeout=5', '-o', 'BatchMode=yes']


def wait_for(what, probe, seconds=60, interval=0.2):
    """The first true answer of probe(); fails after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError('%s: not so after %d s' % (what, seconds))
        time.sleep(interval)


class Cloud:
    """One cloud, as its tenant (name) and its administrator (name-admin)."""

    def __init__(self, name):
        self.name = name
        self.api = openstack.connect(cloud=name)
        self.admin = openstack.connect(cloud=name + '-admin')

    # ---------------------------------------------------------------- what a tenant has
    def volume_file(self, volume_id):
        return '%s/disks/%s/volumes/volume-%s' % (STATE, self.name, volume_id)

    def sha256(self, volume_id):
        """Of the bytes of the volume where the cloud keeps them."""
        digest = hashlib.sha256()
        with open(self.volume_file(volume_id), 'rb') as f:
            for block in iter(lambda: f.read(1 << 22), b''):
                digest.update(block)
        return digest.hexdigest()

    def image(self, name, path, **properties):
        found = self.admin.image.find_image(name)
        if found:
            return found
        return self.admin.image.create_image(name, filename=path, disk_format='qcow2', container_format='bare',
                                             visibility='public', wait=True, validate_checksum=False, **properties)

    def network(self, name, cidr):
        """Network, subnet and router to 'public'; same names everywhere."""
        n = self.api.network
        net = n.create_network(name=name)
        first = ipaddress.ip_network(cidr)[1]
        subnet = n.create_subnet(network_id=net.id, name=name + '-subnet', ip_version=4, cidr=cidr,
                                 gateway_ip=str(first))
        public = n.find_network('public')
        router = n.create_router(name=name + '-router', external_gateway_info={'network_id': public.id})
        n.add_interface_to_router(router, subnet_id=subnet.id)
        return net

    def security_group(self, name, ports=(22,)):
        n = self.api.network
        group = n.create_security_group(name=name)
        for port in ports:
            n.create_security_group_rule(security_group_id=group.id, direction='ingress', protocol='tcp',
                                         port_range_min=port, port_range_max=port)
        return group

    def volume(self, name, size, **args):
        b = self.api.block_storage
        v = b.create_volume(name=name, size=size, **args)
        return b.wait_for_status(v, 'available', interval=0.3, wait=120)

    def server(self, name, flavor, ports, volumes, key=None, **args):
        """Booted from volumes[0], the others attached; delete_on_termination as volumes say: [(id, flag)]."""
        devices = [{'uuid': v, 'source_type': 'volume', 'destination_type': 'volume',
                    'boot_index': 0 if i == 0 else -1, 'delete_on_termination': flag}
                   for i, (v, flag) in enumerate(volumes)]
        if key:  # Nova takes no null
            args['key_name'] = key
        s = self.api.compute.create_server(name=name, flavor_id=self.api.compute.find_flavor(flavor).id,
                                           networks=[{'port': p.id} for p in ports], block_device_mapping=devices,
                                           **args)
        return self.api.compute.wait_for_server(s, interval=0.3, wait=180)

    def floating_ip(self, port_id, **args):
        public = self.api.network.find_network('public')
        return self.api.network.create_ip(floating_network_id=public.id, port_id=port_id, **args).floating_ip_address

    def attachments(self, server_id):
        """[(device, volume id, delete_on_termination)] sorted by device."""
        answer = self.api.compute.get('/servers/%s/os-volume_attachments' % server_id, microversion='2.79')
        assert answer.ok, answer.text
        return sorted((a['device'], a['volumeId'], a['delete_on_termination'])
                      for a in answer.json()['volumeAttachments'])

    def inventory(self):
        """Everything of the tenant, as {kind: {id: name}}: what a test compares before and after."""
        o, project = self.api, self.api.current_project_id
        kinds = {
            'server': o.compute.servers(),
            'volume': o.block_storage.volumes(),
            'snapshot': o.block_storage.snapshots(),
            'port': o.network.ports(project_id=project),
            'network': o.network.networks(project_id=project),
            'router': o.network.routers(project_id=project),
            'security group': o.network.security_groups(project_id=project),
            'floating ip': o.network.ips(project_id=project),
            'keypair': o.compute.keypairs(),
            'image': o.image.images(owner=project),
        }
        return {kind: {x.id or x.name: x.name for x in items} for kind, items in kinds.items()}


def ssh(address, key, command, user='debian', check=True):
    r = subprocess.run(SSH + ['-i', key, '%s@%s' % (user, address), command], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if check and r.returncode:
        raise AssertionError('%s: %s: %s' % (address, command, r.stdout))
    return r.stdout.strip()


def wait_ssh(address, key, seconds=60):
    wait_for('SSH at ' + address, lambda: subprocess.run(
        SSH + ['-i', key, 'debian@' + address, 'true'], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0, seconds)


def side_by_side(*functions):
    with concurrent.futures.ThreadPoolExecutor(len(functions)) as pool:
        return [f.result() for f in [pool.submit(f) for f in functions]]


def user_data(text):
    return base64.b64encode(text.encode()).decode()
