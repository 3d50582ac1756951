# SPDX-License-Identifier: Apache-2.0
"""Volumes that their cloud encrypts.  The lab's hypervisor does what is to be seen of that in a server: the disk begins behind a
header, which takes its room from the volume's own."""
import hashlib
import json
import os
import random
import types

import pytest

from cloudlib import side_by_side, wait_for
from osmlib import get, inventory

pytestmark = pytest.mark.usefixtures('hosts')

TYPE = 'e2e-secret'
HEADER = 2 << 20  # as labnova/disks.py has it
SIZE = 1 << 30
ACCEPT = ('--accept', 'destination-volume-unencrypted')


def delete_type(cloud):
    b = cloud.admin.block_storage
    for old in b.types():
        if old.name == TYPE:
            b.delete_type(old)


def make_type(cloud):
    delete_type(cloud)
    b = cloud.admin.block_storage
    made = b.create_type(name=TYPE, extra_specs={'volume_backend_name': 'lab'})
    answer = b.post('/types/%s/encryption' % made.id, json={'encryption': {
        'provider': 'luks', 'cipher': 'aes-xts-plain64', 'key_size': 256, 'control_location': 'front-end'}})
    assert answer.ok, answer.text


def fill(path, offset):
    rng = random.Random(11)
    with open(path, 'r+b') as f:
        for at in (0, 12345, 300 << 20, SIZE - offset - 4096):
            f.seek(offset + at)
            f.write(rng.randbytes(4096))


def content(cloud, volume, offset, length):
    """Digest of what a server sees."""
    digest, left = hashlib.sha256(), length
    with open(cloud.volume_file(volume), 'rb') as f:
        f.seek(offset)
        while left:
            block = f.read(min(left, 1 << 22))
            assert block
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


@pytest.fixture(scope='module')
def volumes(clouds, src, surroundings):
    """One that is encrypted, and one that is not."""
    side_by_side(*[lambda c=c: make_type(c) for c in clouds])
    secret, clear = src.volume('e2e-secret', 1, volume_type=TYPE), src.volume('e2e-clear', 1)
    assert get(src.api.block_storage, '/volumes/' + secret.id)['volume']['encrypted']
    fill(src.volume_file(secret.id), HEADER)
    fill(src.volume_file(clear.id), 0)
    yield types.SimpleNamespace(secret=secret.id, clear=clear.id)
    b = src.api.block_storage
    for v in (secret, clear):
        b.delete_volume(v)
        b.wait_for_delete(v, interval=0.2, wait=60)
    side_by_side(*[lambda c=c: delete_type(c) for c in clouds])


@pytest.fixture(autouse=True)
def taken_back(osm, dst, volumes):
    """Each test leaves the destination as it was."""
    there = inventory(dst)
    yield
    for m in osm.migrations():
        if m['state'] not in ('rolled-back', 'cleaned') and m['name'] in ('e2e-secret', 'e2e-clear'):
            osm.run('rollback', m['id']).expect(0)
    wait_for('the destination is as it was', lambda: inventory(dst) == there, 30)


def test_encrypted_to_clear_must_be_accepted(osm, src, dst, volumes):
    mapped = {'volume_types': {TYPE: 'fast'}}
    r = osm.run('migrate-volume', 'e2e-secret', map=mapped).expect(4).says('must be accepted')
    found = r.findings()['destination-volume-unencrypted']
    assert found['severity'] == 'warning' and found['must_accept']
    assert src.api.block_storage.get_volume(volumes.secret).status == 'available'
    copy = osm.run('migrate-volume', *ACCEPT, 'e2e-secret', map=mapped).expect(0).result()['destination_id']
    assert not get(dst.api.block_storage, '/volumes/' + copy)['volume']['encrypted']
    assert content(dst, copy, 0, SIZE - HEADER) == content(src, volumes.secret, HEADER, SIZE - HEADER)


def test_encrypted_to_encrypted(osm, src, dst, volumes):
    """A tenant is not told that the type encrypts."""
    copy = osm.run('migrate-volume', *ACCEPT, 'e2e-secret').expect(0).result()['destination_id']
    assert get(dst.api.block_storage, '/volumes/' + copy)['volume']['encrypted']
    assert os.stat(dst.volume_file(copy)).st_size == SIZE
    assert content(dst, copy, HEADER, SIZE - HEADER) == content(src, volumes.secret, HEADER, SIZE - HEADER)


def test_clear_to_encrypted_needs_room(osm, src, dst, volumes):
    mapped = {'volume_types': {'*': TYPE}}
    osm.run('migrate-volume', 'e2e-clear', map=mapped).expect(1).says('does not fit into its copy', '--new-size')
    failed = osm.migrations()[0]
    assert failed['name'] == 'e2e-clear'
    osm.run('rollback', failed['id']).expect(0)
    r = osm.run('migrate-volume', '--new-size', '2', 'e2e-clear', map=mapped).expect(0)
    copy = r.result()['destination_id']
    shown = get(dst.api.block_storage, '/volumes/' + copy)['volume']
    assert (shown['encrypted'], shown['size']) == (True, 2)
    assert content(dst, copy, HEADER, SIZE) == content(src, volumes.clear, 0, SIZE)


def test_size_that_is_no_larger(osm, volumes):
    osm.run('migrate-volume', '--new-size', '0', 'e2e-clear').expect(2)
    plan = json.loads(osm.run('migrate-volume', '--dry-run', '--new-size', '3', 'e2e-clear').expect(0).out)
    assert plan['volumes'][0]['new_size_gb'] == 3 and plan['needs']['destination']['gigabytes'] == 3
