# SPDX-License-Identifier: Apache-2.0
"""A server that booted from an image, made anew of the destination's own image: --boot-disk image."""
import contextlib
import json
import os
import types

import pytest

from cloudlib import wait_for
from conftest import NETWORK
from demo import Demo
from osmlib import assert_server_state, get, inventory, server_state, volumes_of

pytestmark = pytest.mark.usefixtures('hosts')

NAME = 'e2e-fresh'


@pytest.fixture(scope='module')
def fresh(src, dst, surroundings):
    """With a volume besides. Its image is in both clouds."""
    there = dst.api.image.find_image('guest')
    src_image, dst_image = (c.image('guest', os.environ.get('OSM_GUEST_IMAGE', '')) for c in (src, dst))
    n, compute, b = src.api.network, src.api.compute, src.api.block_storage
    volume = src.volume(NAME + '-data', 1)
    Demo.odd_content(src.volume_file(volume.id))
    port = n.create_port(network_id=n.find_network(NETWORK).id, name=NAME)
    server = compute.create_server(name=NAME, flavor_id=compute.find_flavor('m1.tiny').id,
                                   image_id=src_image.id, networks=[{'port': port.id}])
    server = compute.wait_for_server(server, interval=0.3, wait=180)
    compute.create_volume_attachment(server, volume_id=volume.id)
    b.wait_for_status(b.get_volume(volume), 'in-use', interval=0.3, wait=60)
    yield types.SimpleNamespace(id=server.id, volume=volume.id)
    compute.delete_server(server)
    wait_for('the server is gone', lambda: server.id not in [s.id for s in compute.servers()])
    n.delete_port(port)
    b.delete_volume(volume)
    b.wait_for_delete(volume, interval=0.3)
    if not there:
        dst.admin.image.delete_image(dst_image)


@contextlib.contextmanager
def other_image(dst, folder, name):
    """An image of the destination with other bytes."""
    path = str(folder / 'other-image')
    with open(path, 'wb') as f:
        f.write(b'something else' * 4096)
    image = dst.admin.image.create_image(name, filename=path, disk_format='raw', container_format='bare', visibility='public',
                                         wait=True, validate_checksum=False)
    try:
        yield image
    finally:
        dst.admin.image.delete_image(image)


def findings(run):
    return {f['id']: f for f in json.loads(run.out)['findings']}


def test_another_image_of_that_name(osm, dst, fresh, folder):
    with other_image(dst, folder, 'e2e-other-bytes'):
        found = findings(osm.run('migrate-server', '--dry-run', '--boot-disk', 'image', NAME,
                                 map={'images': {'guest': 'e2e-other-bytes'}}).expect(4))
    assert found['destination-image-differs']['severity'] == 'blocker'
    assert 'checksum' in found['destination-image-differs']['text']


def test_image_that_is_not_there(osm, fresh):
    found = findings(osm.run('migrate-server', '--dry-run', '--boot-disk', 'image', NAME,
                             map={'images': {'guest': 'e2e-no-such-image'}}).expect(4))
    assert found['destination-image-missing']['severity'] == 'blocker'


def test_it_must_be_asked_for(osm, fresh):
    plan = json.loads(osm.run('migrate-server', '--dry-run', NAME).expect(0).out)
    assert [v['access'] for v in plan['volumes']] == ['image', 'detach'] and 'image' not in plan['server']
    plan = json.loads(osm.run('migrate-server', '--dry-run', NAME, boot_disk='image').expect(0).out)
    assert [v['access'] for v in plan['volumes']] == ['detach'] and plan['server']['image']['name'] == 'guest'


@pytest.fixture(scope='module')
def moved(osm, src, dst, fresh):
    before = types.SimpleNamespace(state=server_state(src, fresh.id), src=inventory(src), dst=inventory(dst))
    r = osm.run('migrate-server', '--boot-disk', 'image', NAME)
    if r.status != 0:  # nothing of it must be in the way of others
        osm.run('rollback', osm.migrations()[0]['id'])
    new = r.expect(0).result()['destination_id']
    return types.SimpleNamespace(run=r, id=r.result()['id'], new=new, before=before,
                                 server=get(dst.api.compute, '/servers/' + new, microversion='2.79')['server'])


def test_new_server_boots_from_the_image_with_its_volume(moved, src, dst, fresh):
    assert moved.server['status'] == 'ACTIVE'
    assert moved.server['image']['id'] == dst.api.image.find_image('guest').id
    data, = volumes_of(dst, moved.new)
    assert (data['name'], data['size'], data['device'], data['delete_on_termination']) == (NAME + '-data', 1, '/dev/vdb', False)
    assert dst.sha256(data['id']) == src.sha256(fresh.volume)


def test_it_is_said_what_is_lost(moved):
    assert moved.run.findings()['source-root-disk-dropped']['severity'] == 'warning'
    assert 'source-image-booted' not in moved.run.findings()


def test_no_image_of_the_server_was_made(moved, src):
    assert inventory(src) == moved.before.src


def test_rollback_of_it(moved, osm, src, dst, fresh):
    osm.run('rollback', moved.id).expect(0)
    assert_server_state(src, fresh.id, moved.before.state)
    assert (inventory(src), inventory(dst)) == (moved.before.src, moved.before.dst)


def test_plan_file_decides_it(osm, src, dst, fresh, tmp_path):
    path = tmp_path / 'plan.yaml'
    osm.run('plan', NAME, '--output-file', str(path)).expect(0)
    text = path.read_text(encoding='utf-8')
    assert 'boot_disk: copy' in text
    path.write_text(text.replace('boot_disk: copy', 'boot_disk: image'), encoding='utf-8')
    plan = json.loads(osm.run('migrate-server', '--plan', str(path), '--dry-run').expect(0).out)
    assert plan['server']['image']['id'] == dst.api.image.find_image('guest').id
    assert [v['access'] for v in plan['volumes']] == ['detach']
