# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the hostile tests in the lab: two clouds, conversion hosts, and names as nobody should give them."""
import importlib.util
import os
import secrets
import sys

import pytest
import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, HERE + '/../../e2e']
import osmlib  # noqa: E402

osmlib.PAIR, osmlib.PREFIX = 'hst-conversion', 'hst-'
from cloudlib import Cloud, side_by_side, user_data  # noqa: E402

SPEC = importlib.util.spec_from_file_location('e2e_conftest', HERE + '/../../e2e/conftest.py')
e2e = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(e2e)

IMAGE = 'hst-conversion-host'
NETWORK_CIDR, ADDRESS, MAC = '10.81.0.0/24', '10.81.0.42', 'fa:16:3e:81:00:42'

# The worst first: what an API refuses, the next one replaces.
STEER = '\x1b[31m\x9b1m\x07\u202e\n'
QUOTES = ' $(touch hst-pwned) `id` "q" \'q\' \\ , ; % %s {{x}} <b> -rf ../..'
NASTY = ['hst-' + STEER + QUOTES, 'hst-\u202e' + QUOTES, 'hst-' + QUOTES]
LONG = ['hst-' + '\u8a9e' * 251]


def pytest_addoption(parser):
    parser.addoption('--keep', action='store_true', help='leave the objects in the clouds')


def accepted(make, names):
    """make(name) with the first name that the API takes."""
    for i, name in enumerate(names):
        try:
            return make(name)
        except Exception:  # noqa: BLE001 - openstacksdk's, or what the service broke with
            if i + 1 == len(names):
                raise
    return None


class Secrets:
    """What must be seen nowhere: {what it is: text}."""

    def __init__(self):
        self.password = 'hst-pw-' + secrets.token_hex(16)
        self.user_data = 'hst-ud-' + secrets.token_hex(16)
        self.bytes = 'hst-bytes-' + secrets.token_hex(32)
        self.application = None
        self.private_key = None


@pytest.fixture(scope='session')
def secret():
    return Secrets()


@pytest.fixture(scope='session')
def clouds(request):
    src, dst = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
    side_by_side(lambda: e2e.purge(src), lambda: e2e.purge(dst))
    before = [osmlib.inventory(c) for c in (src, dst)]
    yield src, dst
    if not request.config.getoption('--keep'):
        side_by_side(lambda: e2e.purge(src), lambda: e2e.purge(dst))
        left = [set(osmlib.inventory(c).items()) - set(b.items()) for c, b in zip((src, dst), before)]
        print('\n%d left over' % sum(map(len, left)))
        assert left == [set(), set()]


@pytest.fixture(scope='session')
def src(clouds):
    return clouds[0]


@pytest.fixture(scope='session')
def dst(clouds):
    return clouds[1]


@pytest.fixture(scope='session')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('osm')


@pytest.fixture(scope='session')
def clouds_file(folder, clouds, secret):
    """The source as an operator with a password, the destination by an application credential."""
    src, dst = clouds
    with open(os.environ['OS_CLIENT_CONFIG_FILE'], encoding='utf-8') as f:
        c = yaml.safe_load(f)['clouds']
    identity = src.admin.identity
    for old in identity.users(name='hst-operator'):
        identity.delete_user(old)
    user = identity.create_user(name='hst-operator', password=secret.password, domain_id='default')
    for role in ('member', 'admin'):
        identity.assign_project_role_to_user(src.api.current_project_id, user, identity.find_role(role))
    dst_user = dst.api.current_user_id
    for old in dst.api.identity.application_credentials(dst_user):
        if old.name.startswith('hst-'):
            dst.api.identity.delete_application_credential(dst_user, old)
    made = dst.api.identity.create_application_credential(dst_user, 'hst-app')
    secret.application = made.secret
    auth_url = c['dst']['auth']['auth_url']
    own = {'src': dict(c['src'], auth=dict(c['src']['auth'], username='hst-operator', password=secret.password)),
           'dst': {k: v for k, v in c['dst'].items() if k not in ('auth', 'auth_type')}}
    own['dst'].update(auth_type='v3applicationcredential', auth={
        'auth_url': auth_url, 'application_credential_id': made.id, 'application_credential_secret': made.secret})
    path = folder / 'clouds.yaml'
    path.write_text(yaml.safe_dump({'clouds': own}))
    yield path
    identity.delete_user(user)
    dst.api.identity.delete_application_credential(dst_user, made.id)


@pytest.fixture(scope='session')
def image(clouds):
    def again(cloud):
        for old in cloud.admin.image.images(name=IMAGE):
            cloud.admin.image.delete_image(old)

    path = os.environ['OSM_CONVERSION_IMAGE']
    side_by_side(*[lambda c=c: again(c) for c in clouds])
    side_by_side(*[lambda c=c: c.image(IMAGE, path) for c in clouds])
    yield
    side_by_side(*[lambda c=c: again(c) for c in clouds])


class Osm(osmlib.Osm):
    """Remembers everything that was ever printed."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.printed = []

    def run(self, *words, **kwargs):
        result = super().run(*words, **kwargs)
        self.printed += [result.out, result.err]
        return result

    def text(self, *words):
        """A command for people: (status, stdout, stderr) as bytes."""
        argv = self.argv(words, None, {})
        argv[argv.index('json')] = 'text'
        r = osmlib.subprocess.run(argv, stdin=osmlib.subprocess.DEVNULL, stdout=osmlib.subprocess.PIPE,
                                  stderr=osmlib.subprocess.PIPE, env=self.env(), timeout=240)
        self.printed += [r.stdout.decode(errors='replace'), r.stderr.decode(errors='replace')]
        return r.returncode, r.stdout, r.stderr


@pytest.fixture(scope='session')
def osm(folder, clouds_file):
    return Osm(folder, clouds_file, image=IMAGE)


@pytest.fixture(scope='session')
def hosts(request, osm, clouds, image, secret):
    yield osm.run('-vv', 'deploy-conversion-hosts').expect(0)
    if not request.config.getoption('--keep'):
        assert osm.run('delete-conversion-hosts', '--force').status in (0, 3)


@pytest.fixture(scope='session')
def loose(src, secret):
    """A detached volume with some data: what is copied again and again."""
    v = accepted(lambda name: src.volume(name, 1, volume_type='fast'), NASTY)
    with open('/dev/urandom', 'rb') as random, open(src.volume_file(v.id), 'r+b') as f:
        f.write(random.read(100 << 20))
        f.write(secret.bytes.encode() * 64)
    return v


@pytest.fixture(scope='session')
def nasty(src, dst, secret):
    """A server whose everything has such a name; its network and security group are in both clouds."""
    def surroundings(cloud):
        n = cloud.api.network
        net = accepted(lambda name: n.create_network(name=name), NASTY)
        n.create_subnet(network_id=net.id, name=net.name, ip_version=4, cidr=NETWORK_CIDR)
        group = accepted(lambda name: n.create_security_group(name=name, description=STEER + QUOTES), NASTY)
        return net, group

    (net, group), _ = side_by_side(lambda: surroundings(src), lambda: surroundings(dst))
    guest = src.image('guest', os.environ.get('OSM_GUEST_IMAGE', ''))
    boot = accepted(lambda name: src.volume(name, 2, image_id=guest.id, volume_type='lab'), LONG)
    data = accepted(lambda name: src.volume(name, 1, volume_type='fast', description=STEER + QUOTES,
                                            metadata={'k': QUOTES, 'long': '\u8a9e' * 255}), NASTY)
    port = accepted(lambda name: src.api.network.create_port(
        network_id=net.id, name=name, description=STEER + QUOTES, mac_address=MAC, security_group_ids=[group.id],
        fixed_ips=[{'ip_address': ADDRESS}]), NASTY)
    server = accepted(lambda name: src.server(
        name, 'm1.tiny', [port], [(boot.id, True), (data.id, False)], description='\u8a9e' * 255,
        metadata={'k': QUOTES, 'long': '\u8a9e' * 255, 'empty': ''},
        user_data=user_data('#!/bin/sh\n# ' + secret.user_data + '\n')), NASTY)
    src.api.compute.stop_server(server)
    src.api.compute.wait_for_server(server, status='SHUTOFF', interval=0.3, wait=60)
    server.port, server.net, server.boot, server.data = port, net, boot, data
    return server
