# SPDX-License-Identifier: Apache-2.0
"""The journal is lost; two operators at once; a tenant who does not leave the source alone."""
import glob
import json
import os
import shutil
import signal
import subprocess

import pytest

from cloudlib import wait_for
from osmlib import PAIR, Osm, assert_server_state, inventory, server_state

pytestmark = pytest.mark.usefixtures('hosts')


def lose_journal(osm):
    """As rm would: what osm made in the clouds stays, and so does the key of the conversion hosts."""
    for path in glob.glob(osm.state_dir + '/osm.db*'):
        os.unlink(path)


def recover(osm, *words):
    r = osm.run('recover', *words)
    return r, (json.loads(r.out) if r.status in (0, 3) else None)


def interrupted_copy(osm, *words):
    """Id of a migration whose controller was killed in the middle of its copy."""
    run = osm.start(*words)
    run.copying()
    found = osm.migrations()[0]['id']
    run.signal(signal.SIGKILL)
    assert run.end().status == -signal.SIGKILL
    return found


def marks(cloud):
    """Everything of the tenant with a mark of osm, but the conversion hosts."""
    o = cloud.api
    found = [x.id for items in (o.compute.servers(), o.block_storage.volumes(), o.block_storage.snapshots())
             for x in items if any(k.startswith('osm.') for k in x.metadata) and x.metadata.get('osm.pair') != PAIR]
    return found + [p.id for p in o.network.ports(project_id=o.current_project_id)
                    if any(t.startswith('osm.migration') for t in p.tags)]


def test_server_is_rolled_back_without_its_journal(osm, src, dst, source):
    before = server_state(src, source.id), inventory(src), inventory(dst)
    lost = interrupted_copy(osm, 'migrate-server', 'e2e-a')
    lose_journal(osm)
    # Nothing is taken over that the operator does not name.
    r, found = recover(osm)
    assert '--yes' in r.expect(0).err
    m = next(m for m in found['migrations'] if m['id'] == lost)
    assert (m['kind'], m['unfinished'], m['action'], m['resume']) == ('server', True, 'found', None)
    assert m['plan']['source'] == {'cloud': 'src', 'id': source.id, 'name': 'e2e-a', 'status': 'ACTIVE'}
    assert {o['what'] for o in m['objects']} >= {'the source server', 'temporary snapshot of a source volume',
                                                 'temporary copy of a source volume', 'copy of a volume'}
    assert osm.migrations() == []
    recover(osm, '--dry-run', '--yes')[0].expect(0)
    assert osm.migrations() == []
    assert 'ffffffff' in recover(osm, 'ffffffff')[0].expect(1).err
    r, found = recover(osm, lost)
    assert [m['action'] for m in found['migrations'] if m['id'] == lost] == ['rebuilt']
    assert [(m['id'], m['state']) for m in osm.migrations()] == [(lost, 'interrupted')]
    # Once more changes nothing.
    r, found = recover(osm, '--yes')
    r.expect(3)
    assert [m['action'] for m in found['migrations'] if m['id'] == lost] == ['known']
    osm.run('rollback', lost).expect(0)
    assert_server_state(src, source.id, before[0])
    assert (inventory(src), inventory(dst)) == before[1:]
    assert marks(src) == marks(dst) == []


def test_volume_is_resumed_and_its_result_known_without_the_journal(osm, src, dst, big):
    before = inventory(src), inventory(dst)
    lost = interrupted_copy(osm, 'migrate-volume', big)
    lose_journal(osm)
    recover(osm, '--yes')[0].expect(0)
    copy = osm.run('resume', lost).expect(0).result()['destination_id']
    assert src.sha256(big) == dst.sha256(copy)
    lose_journal(osm)
    r, found = recover(osm, lost[:5])
    assert [(m['id'], m['unfinished'], m['action']) for m in found['migrations']] == [(lost, False, 'rebuilt')]
    assert osm.migrations()[0]['state'] == 'completed'
    osm.run('migrate-volume', big).expect(3)
    osm.run('rollback', lost).expect(0)
    assert (inventory(src), inventory(dst)) == before
    assert marks(src) == marks(dst) == []


def test_orphans_are_listed_with_a_command_that_removes_them(osm, src, dst, big):
    b = src.api.block_storage
    snapshot = b.create_snapshot(volume_id=big, name='e2e-orphan', is_forced=True,
                                 metadata={'osm.migration': '0badcafe', 'osm.role': 'snapshot:' + big})
    b.wait_for_status(snapshot, 'available', interval=0.3, wait=60)
    r, found = recover(osm, '--yes')
    r.expect(0)
    assert [(o['id'], o['command']) for o in found['orphans']] == \
        [(snapshot.id, 'openstack --os-cloud src volume snapshot delete ' + snapshot.id)]
    assert b.find_snapshot(snapshot.id)  # osm deletes nothing by itself
    b.delete_snapshot(snapshot)
    b.wait_for_delete(snapshot, interval=0.3, wait=60)
    recover(osm)[0].expect(3)


@pytest.fixture(autouse=True)
def nothing_stays(osm):
    """A test that fails must not take those after it with it."""
    yield
    osm.run('recover', '--yes')
    for m in osm.migrations():
        if m['state'] not in ('rolled-back', 'cleaned'):
            osm.run('rollback', m['id'])


@pytest.fixture
def second(osm, tmp_path):
    """Another operator: another journal, with the same key for the conversion hosts."""
    other = Osm(tmp_path, osm.clouds_file, image=osm.base['conversion_hosts']['image'])
    shutil.copytree(osm.state_dir, other.state_dir, ignore=shutil.ignore_patterns('osm.db*'))
    other.run('list').expect(0)
    return other


def test_only_one_of_two_operators_gets_a_server(osm, second, src, dst, source):
    before = server_state(src, source.id), inventory(src), inventory(dst)
    both = osm, second
    runs = [x.start('migrate-server', 'e2e-a', limits={'rate': '20M'}) for x in both]
    ends = [None, None]
    try:
        winner = wait_for('the loser ends', lambda: [1 - i for i in (0, 1) if runs[i].process.poll() is not None],
                          200)[0]
        loser = 1 - winner
        ends[loser] = runs[loser].end()
        assert ends[loser].status in (1, 4), ends[loser]
        ends[loser].says('is claimed by migration')
        runs[winner].copying()
        runs[winner].signal(signal.SIGINT)
        ends[winner] = runs[winner].end().expect(130)
    finally:
        for run in runs:
            if run.process.poll() is None:
                run.kill()
    # What the loser takes back is not the winner's. (Its journal knows migrations of earlier tests, too.)
    for m in both[loser].migrations():
        if m['state'] not in ('rolled-back', 'cleaned'):
            both[loser].run('rollback', m['id']).expect(0)
    assert src.api.compute.get_server(source.id).status == 'SHUTOFF'
    both[winner].run('rollback', both[winner].migrations()[0]['id']).expect(0)
    assert_server_state(src, source.id, before[0])
    assert (inventory(src), inventory(dst)) == before[1:]


def test_volumes_wait_in_line_for_a_slot(osm, second, src, dst, big):
    before = inventory(dst)
    other = src.volume('e2e-small', 1)
    run = osm.start('migrate-volume', big)
    try:
        run.copying()
        narrow = dict(second.base['conversion_hosts'], max_attachments=1)
        waiting = second.start('migrate-volume', other.id, conversion_hosts=narrow)
        waiting.until('it waits', lambda e: e.get('event') == 'step' and 'wait in line' in json.dumps(e))
        run.signal(signal.SIGINT)
        run.end().expect(130)
        osm.run('rollback', osm.migrations()[0]['id']).expect(0)
        r = waiting.end().expect(0).result()
        assert src.sha256(other.id) == dst.sha256(r['destination_id'])
        second.run('rollback', r['id']).expect(0)
    finally:
        run.kill()
        src.api.block_storage.delete_volume(other)
    assert inventory(dst) == before


def test_journal_on_a_full_disk(osm, second, src, dst):
    """Nothing is lost: what was under way goes on when there is room."""
    before = inventory(src), inventory(dst)
    volume = src.volume('e2e-full', 1)
    with open('/dev/urandom', 'rb') as random, open(src.volume_file(volume.id), 'r+b') as f:
        f.write(random.read(200 << 20))
    keys = second.folder + '/keys'
    shutil.copytree(second.state_dir + '/keys', keys)
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'osm-e2e', second.state_dir], check=True)
    try:
        shutil.copytree(keys, second.state_dir + '/keys')
        run = second.start('migrate-volume', volume.id, limits={'rate': '20M'})
        run.copying()
        with open(second.state_dir + '/fill', 'wb', buffering=0) as f, pytest.raises(OSError):
            while True:
                f.write(bytes(4096))
        run.end().expect(1).says('cannot grow', 'make room')
        os.unlink(second.state_dir + '/fill')
        found = second.migrations()[0]['id']
        copy = second.run('resume', found).expect(0).result()['destination_id']
        assert src.sha256(volume.id) == dst.sha256(copy)
        second.run('rollback', found).expect(0)
    finally:
        subprocess.run(['umount', '-l', second.state_dir], check=True)
        src.api.block_storage.delete_volume(volume)
    wait_for('the volume is gone', lambda: (inventory(src), inventory(dst)) == before)


def test_changes_of_the_tenant_are_found_before_the_cutover(osm, src, dst, source):
    before = server_state(src, source.id), inventory(src), inventory(dst)
    c, b = src.api.compute, src.api.block_storage
    held = osm.run('migrate-server', '--hold', 'e2e-a').expect(0).result()['id']
    odd = source.volumes['e2e-odd']
    device = next(d for d, v, _ in src.attachments(source.id) if v == odd)

    def attach(volume, **where):
        c.create_volume_attachment(source.id, volume_id=volume, **where)
        b.wait_for_status(b.get_volume(volume), 'in-use', interval=0.3, wait=60)

    def detach(volume):
        c.delete_volume_attachment(volume, source.id, ignore_missing=False)
        b.wait_for_status(b.get_volume(volume), 'available', interval=0.3, wait=60)

    detach(odd)
    osm.run('resume', held).expect(1).says('was detached from it', 'e2e-odd', 'rollback ' + held)
    extra = src.volume('e2e-extra', 1)
    attach(extra.id, device='/dev/vdk')
    osm.run('resume', held).expect(1).says('volume %s was attached to it' % extra.id, 'was detached')
    detach(extra.id)
    b.delete_volume(extra)
    attach(odd, device=device)
    port = src.api.network.get_port(source.port_id)
    added = c.create_server_interface(source.id, net_id=port.network_id).port_id
    osm.run('resume', held).expect(1).says('port %s was added' % added)
    c.delete_server_interface(added, server=source.id)
    wait_for('the port is gone', lambda: not src.api.network.find_port(added))
    c.start_server(source.id)
    c.wait_for_server(c.get_server(source.id), interval=0.3, wait=60)
    osm.run('resume', held).expect(1).says('it ran after it was copied')
    assert not [n for (kind, _), n in inventory(dst).items() if kind == 'server' and n == 'e2e-a']
    osm.run('rollback', held).expect(0)
    assert_server_state(src, source.id, before[0])
    assert (inventory(src), inventory(dst)) == before[1:]
