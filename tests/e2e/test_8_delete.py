# SPDX-License-Identifier: Apache-2.0
"""The end of the conversion hosts, in use and forgotten."""
import shutil
import signal

from conftest import osm_left
from osmlib import assert_server_state, inventory, server_state


def test_force_gives_volumes_back_to_their_server(hosts, osm, clouds, source):
    src, dst = clouds
    before = server_state(src, source.id), inventory(dst)
    run = osm.start('migrate-server', 'e2e-a')
    run.copying()
    run.signal(signal.SIGKILL)
    run.end()
    migration = osm.migrations()[0]['id']
    osm.run('delete-conversion-hosts').expect(1).says(migration)
    osm.run('delete-conversion-hosts', '--force').expect(0)
    for cloud in clouds:
        assert osm_left(cloud) == []
    assert server_state(src, source.id)['attachments'] == before[0]['attachments']
    osm.run('rollback', migration).expect(0)
    assert_server_state(src, source.id, before[0])
    assert not [name for (kind, id), name in inventory(dst).items() if kind == 'volume' and (kind, id) not in before[1]]


def test_everything_is_found_by_its_marks_when_the_state_is_lost(osm, clouds, big):
    before = [inventory(c) for c in clouds]
    osm.run('deploy-conversion-hosts').expect(0)
    run = osm.start('migrate-volume', big)
    run.copying()
    migration = osm.migrations()[0]['id']
    run.signal(signal.SIGKILL)
    run.end()
    shutil.rmtree(osm.state_dir)
    # Also the key is lost that the agents let in: nobody can tell them to close the volumes.
    osm.run('recover', migration).expect(0)
    osm.run('rollback', migration).expect(0).says('switched off')
    assert not [v for v in clouds[0].api.block_storage.volumes() if 'osm.migration' in v.metadata]
    osm.run('delete-conversion-hosts').expect(0)
    for cloud, was in zip(clouds, before):
        assert osm_left(cloud) == []
        assert inventory(cloud) == was
    osm.run('delete-conversion-hosts').expect(3)
