# SPDX-License-Identifier: Apache-2.0
"""Volumes with a file system that was filled and half deleted: what is free is not sent, and the files are the same."""
import filecmp
import os
import random
import subprocess
import tempfile
import types

import pytest

from cloudlib import side_by_side, wait_for
from osmlib import inventory, sums

pytestmark = pytest.mark.usefixtures('hosts')

MIB = 1 << 20
FILES, DELETED, FILE_MIB = 60, 40, 10


class FileSystem:
    """A volume with a file system that was filled and half deleted."""

    def __init__(self, src, kind):
        self.cloud, self.kind = src, kind
        self.name = 'e2e-' + kind
        self.id = src.volume(self.name, 1, volume_type='lab').id
        self.path = src.volume_file(self.id)
        subprocess.check_call(['mkfs.' + kind, '-q', self.path])
        with mounted(self.path, 'rw') as folder:
            for i in range(FILES):
                with open('%s/%d' % (folder, i), 'wb') as f:
                    f.write(random.Random(i).randbytes(FILE_MIB * MIB))
            os.sync()
            for i in range(DELETED):
                os.unlink('%s/%d' % (folder, i * 7 % FILES))
        self.used = (FILES - DELETED) * FILE_MIB * MIB


class mounted:
    def __init__(self, path, options):
        self.path, self.options = path, options

    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        subprocess.check_call(['mount', '-o', 'loop,nouuid,' + self.options if is_xfs(self.path) else
                               'loop,' + self.options, self.path, self.folder])
        return self.folder

    def __exit__(self, *exc):
        subprocess.check_call(['umount', self.folder])
        os.rmdir(self.folder)


def data_bytes(path, block=65536):
    """Bytes in blocks that are not zero."""
    zero, found = bytes(block), 0
    with open(path, 'rb') as f:
        for data in iter(lambda: f.read(block), b''):
            found += len(data) if data != zero[:len(data)] else 0
    return found


def is_xfs(path):
    with open(path, 'rb') as f:
        return f.read(4) == b'XFSB'


def assert_same_files(a, b):
    with mounted(a, 'ro') as one, mounted(b, 'ro') as other:
        names = sorted(os.listdir(one))
        assert names == sorted(os.listdir(other)) and len(names) >= FILES - DELETED
        names = [n for n in names if os.path.isfile(one + '/' + n)]
        assert filecmp.cmpfiles(one, other, names, shallow=False) == (names, [], [])


CHECK = {'ext4': ['e2fsck', '-fn'], 'xfs': ['xfs_repair', '-n']}


@pytest.fixture(scope='module')
def file_systems(src):
    found = [FileSystem(src, kind) for kind in CHECK]
    yield found
    for fs in found:
        src.api.block_storage.delete_volume(fs.id)
    for fs in found:
        wait_for('%s is deleted' % fs.name, lambda: fs.id not in [v.id for v in src.api.block_storage.volumes()])


@pytest.fixture(scope='module')
def skipped(osm, src, dst, file_systems):
    """Copies without what is free, both at the same time; {kind: what was seen}."""
    config = osm.config(copy={'sparse': 'auto'})

    def migrate(fs):
        r = osm.run('migrate-volume', fs.name, config=config).expect(0)
        return types.SimpleNamespace(fs=fs, run=r, id=r.result()['id'],
                                     found=[e for e in r.events if e.get('event', '').startswith('sparse')],
                                     path=dst.volume_file(r.result()['destination_id']))

    before = inventory(dst)
    seen = side_by_side(*[lambda fs=fs: migrate(fs) for fs in file_systems])
    yield {s.fs.kind: s for s in seen}
    for s in seen:
        osm.run('rollback', s.id)
    assert inventory(dst) == before


@pytest.mark.parametrize('kind', CHECK)
def test_free_space_is_found_and_not_sent(skipped, kind):
    s = skipped[kind]
    found, = s.found
    assert found['event'] == 'sparse' and found['type'] == kind
    assert 0.9 * DELETED * FILE_MIB * MIB < found['free_bytes']
    assert s.fs.used <= s.run.result()['bytes_sent'] <= 1.05 * s.fs.used + 2 * MIB
    last = [e for e in s.run.events if e.get('event') == 'progress'][-1]
    assert last['free_bytes'] > 0.9 * DELETED * FILE_MIB * MIB


@pytest.mark.parametrize('kind', CHECK)
def test_files_are_equal_and_the_file_system_is_in_order(skipped, kind):
    s = skipped[kind]
    subprocess.check_call(CHECK[kind] + [s.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert_same_files(s.fs.path, s.path)


def test_nothing_of_deleted_files_is_at_the_destination(skipped):
    s = skipped['ext4']
    assert data_bytes(s.path) <= 1.05 * s.fs.used + 2 * MIB
    assert data_bytes(s.fs.path) > FILES * FILE_MIB * MIB


def test_no_sparse_copies_all(osm, src, dst, skipped):
    s = skipped['ext4']
    osm.run('rollback', s.id).expect(0)
    r = osm.run('migrate-volume', '--no-sparse', s.fs.name, config=osm.config(copy={'sparse': 'auto'})).expect(0)
    assert not [e for e in r.events if e.get('event', '').startswith('sparse')]
    assert r.result()['bytes_sent'] >= FILES * FILE_MIB * MIB
    assert sums(dst, {'': r.result()['destination_id']}) == sums(src, {'': s.fs.id})
    osm.run('rollback', r.result()['id']).expect(0)
