# SPDX-License-Identifier: Apache-2.0
"""What takes too long for every run (make check-recover): conversion hosts replaced in the middle, a journal that somebody
locks for long, an agent that has lost its memory."""
import glob
import os
import signal
import sqlite3

import pytest

from osmlib import assert_server_state, host_id, inventory, kill_processes, processes, server_state

pytestmark = pytest.mark.usefixtures('hosts')


def interrupted_copy(osm, *words):
    run = osm.start(*words)
    run.copying()
    found = osm.migrations()[0]['id']
    run.signal(signal.SIGKILL)
    run.end()
    return found


@pytest.mark.parametrize('end', ['resume', 'rollback'])
def test_conversion_hosts_are_replaced_in_the_middle(osm, src, dst, source, end):
    before = server_state(src, source.id), inventory(dst)
    migration = interrupted_copy(osm, 'migrate-server', 'e2e-a')
    osm.run('delete-conversion-hosts', '--force').expect(0)
    if end == 'resume':
        osm.run('deploy-conversion-hosts').expect(0)
        r = osm.run('resume', migration).expect(0).result()
        copies = dict(zip(sorted(source.volumes), sorted(source.volumes)))
        for device, volume, _ in dst.attachments(r['destination_id']):
            name = dst.api.block_storage.get_volume(volume).name
            assert name in copies
            if name != 'e2e-boot':  # a server that runs writes to that one
                assert dst.sha256(volume) == src.sha256(source.volumes[name])
    osm.run('rollback', migration).expect(0)
    assert_server_state(src, source.id, before[0])
    osm.run('deploy-conversion-hosts')
    assert {v for (k, _), v in inventory(dst).items() if k == 'volume'} == \
        {v for (k, _), v in before[1].items() if k == 'volume'}


@pytest.mark.parametrize('end', ['resume', 'rollback'])
def test_agents_lose_their_memory(osm, src, dst, big, end):
    before = inventory(src), inventory(dst)
    migration = interrupted_copy(osm, 'migrate-volume', big)
    for cloud in (src, dst):
        pid = processes(host_id(cloud), 'osm-agent', 'service')[0]
        for path in glob.glob('/proc/%d/root/var/lib/osm/jobs/*' % pid):
            os.unlink(path)
        kill_processes(cloud, 'osm-agent', 'service')
    if end == 'resume':
        copy = osm.run('resume', migration).expect(0).result()['destination_id']
        assert src.sha256(big) == dst.sha256(copy)
    osm.run('rollback', migration).expect(0)
    assert (inventory(src), inventory(dst)) == before


def test_journal_is_locked_for_long_in_the_middle(osm, src, dst, big):
    before = inventory(src), inventory(dst)
    run = osm.start('migrate-volume', big)
    run.copying()
    migration = osm.migrations()[0]['id']
    db = sqlite3.connect(osm.state_dir + '/osm.db', isolation_level=None, timeout=30)
    db.execute('BEGIN IMMEDIATE')
    try:
        run.end().expect(1).says('is locked by another process')
    finally:
        db.execute('ROLLBACK')
        db.close()
    copy = osm.run('resume', migration).expect(0).result()['destination_id']
    assert src.sha256(big) == dst.sha256(copy)
    osm.run('rollback', migration).expect(0)
    assert (inventory(src), inventory(dst)) == before
