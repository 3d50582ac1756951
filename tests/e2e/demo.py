# SPDX-License-Identifier: Apache-2.0
"""A tenant's server as operators have them: boot volume from an image, a data volume with a file system and
files, one of odd content; and everything the destination needs before the server can come."""
import os
import random
import subprocess

from cloudlib import side_by_side, ssh, user_data, wait_ssh

NETWORK, CIDR = 'demo-net', '10.77.0.0/24'
ADDRESS, MAC = '10.77.0.42', 'fa:16:3e:77:00:42'
USER_DATA = '#cloud-config\nwrite_files:\n- {path: /etc/demo-user-data, content: "from user data"}\n'


def key_pair(path):
    if not os.path.exists(path):
        subprocess.check_call(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'demo', '-f', path])
    with open(path + '.pub') as f:
        return f.read().strip()


class Demo:
    def __init__(self, src, dst, guest_image, key):
        self.src, self.dst, self.guest_image, self.key = src, dst, guest_image, key

    def surroundings(self, cloud):
        """Network, security group, key pair: the tenant's own, on both sides."""
        net = cloud.network(NETWORK, CIDR)
        group = cloud.security_group('demo-ssh')
        cloud.api.compute.create_keypair(name='demo-key', public_key=key_pair(self.key))
        return net, group

    def create(self, name='demo', boot_gb=2, data_gb=1, odd_gb=1):
        """Returns the running source server; self.address is where its SSH answers. odd_gb 0: no third volume."""
        src = self.src
        image = src.image('guest', self.guest_image)
        (net, group), _ = side_by_side(lambda: self.surroundings(src), lambda: self.surroundings(self.dst))
        made = side_by_side(
            lambda: src.volume(name + '-boot', boot_gb, image_id=image.id, volume_type='lab', metadata={'disk': 'boot'}),
            lambda: src.volume(name + '-data', data_gb, volume_type='fast', description='files'),
            *([lambda: src.volume(name + '-odd', odd_gb, volume_type='lab')] if odd_gb else []))
        self.volumes = dict(zip(('boot', 'data', 'odd'), [v.id for v in made]))
        if odd_gb:
            self.odd_content(src.volume_file(self.volumes['odd']))
        port = src.api.network.create_port(
            network_id=net.id, name=name + '-port', security_group_ids=[group.id], mac_address=MAC,
            fixed_ips=[{'ip_address': ADDRESS}])
        self.server = src.server(
            name, 'm1.tiny', [port], [(v, role == 'boot') for role, v in self.volumes.items()], key='demo-key',
            metadata={'owner': 'demo', 'purpose': 'a server to move'}, user_data=user_data(USER_DATA))
        self.address = src.floating_ip(port.id)
        wait_ssh(self.address, self.key)
        self.fill(self.volumes['data'])
        return self.server

    @staticmethod
    def odd_content(path):
        """Random islands at odd places, the last bytes of the volume among them; the rest holes."""
        rng = random.Random(7)
        size = os.stat(path).st_size
        with open(path, 'r+b') as f:
            for _ in range(60):
                f.seek(rng.randrange(0, size - 70000))
                f.write(rng.randbytes(rng.choice([1, 511, 4096, 65537])))
            f.seek(size - 777)
            f.write(rng.randbytes(777))

    def fill(self, data_id):
        ssh(self.address, self.key,
            'set -e; d=/dev/disk/by-id/virtio-%s; sudo mkfs.ext4 -q $d; sudo mkdir -p /data; sudo mount $d /data;'
            'echo "written before the move" | sudo tee /data/letter >/dev/null;'
            'sudo dd if=/dev/urandom of=/data/random bs=1M count=150 status=none;'
            'sudo sha256sum /data/random | sudo tee /data/random.sha256 >/dev/null;'
            'echo "still here" | sudo tee /etc/demo-marker >/dev/null; sync; sudo umount /data' % data_id[:20])
