# SPDX-License-Identifier: Apache-2.0
"""Everything that dies or is taken away in the middle of a copy."""
import signal

import pytest

from conftest import BIG_BYTES
from osmlib import assert_server_state, host_id, inventory, kill_processes, processes, server_state

pytestmark = pytest.mark.usefixtures('hosts')


@pytest.fixture
def copying(osm, big, dst):
    """A migration of the big volume in the middle of its copy; all of it is rolled back afterwards."""
    before = inventory(dst)
    run = osm.start('migrate-volume', big)
    run.copying()
    run.id = osm.migrations()[0]['id']
    yield run
    run.kill()
    assert osm.run('rollback', run.id).status in (0, 3)
    assert inventory(dst) == before


def assert_copied(result, big, src, dst):
    r = result.expect(0).result()
    assert r['state'] == 'completed'
    assert dst.sha256(r['destination_id']) == src.sha256(big)
    for cloud in (src, dst):
        assert cloud.attachments(host_id(cloud)) == []


def test_killed_controller_is_resumed(copying, osm, big, src, dst):
    copying.signal(signal.SIGKILL)
    assert copying.end().status == -signal.SIGKILL
    assert_copied(osm.run('resume', copying.id), big, src, dst)


def test_ctrl_c_is_status_130_and_says_resume(copying, osm, big, src, dst):
    copying.signal(signal.SIGINT)
    copying.end().expect(130).says('resume ' + copying.id)
    assert osm.migrations()[0]['state'] == 'interrupted'
    assert_copied(osm.run('resume', copying.id), big, src, dst)


def sent_on_the_network(cloud):
    """Bytes, by the counters of the conversion host's interfaces."""
    pid = processes(host_id(cloud), 'osm-agent', 'service')[0]
    with open('/proc/%d/net/dev' % pid) as f:
        lines = [line.split(':') for line in f if ':' in line]
    return sum(int(rest.split()[8]) for name, rest in lines if name.strip() != 'lo')


@pytest.fixture
def network(src):
    """What the source's conversion host had sent before the copy."""
    return sent_on_the_network(src)


@pytest.mark.parametrize('side, words', [
    ('dst', ('osm-agent', 'worker', 'copy')),
    ('dst', ('osm-agent', 'service')),
    ('src', ('osm-agent', 'service')),
    ('src', ('osm-agent', 'worker', 'export')),
], ids=['copy worker', 'destination agent', 'source agent', 'export'])
def test_killed_in_the_conversion_host(osm, big, src, dst, side, words, network, copying):
    kill_processes({'src': src, 'dst': dst}[side], *words)
    r = copying.end()
    if r.status != 0:
        r.expect(1).says('resume ' + copying.id)
        r = osm.run('resume', copying.id)
    assert_copied(r, big, src, dst)
    # What is in the volume, SSH's own, and at most 64 MiB once more.
    assert BIG_BYTES < sent_on_the_network(src) - network < 1.02 * BIG_BYTES + (64 << 20)


def test_tokens_revoked_in_the_middle(osm, src, dst, big):
    """Disabling a user revokes every token of theirs; enabled again, the password is good for a new one."""
    users = []
    for cloud in (src, dst):
        identity = cloud.admin.identity
        for old in identity.users(name='e2e-second'):
            identity.delete_user(old)
        user = identity.create_user(name='e2e-second', password='e2e-second', domain_id='default')
        identity.assign_project_role_to_user(cloud.api.current_project_id, user, identity.find_role('member'))
        users.append((identity, user))
    before = inventory(dst)
    try:
        run = osm.start('migrate-volume', big, source={'cloud': 'second-src'}, destination={'cloud': 'second-dst'})
        run.copying()
        for identity, user in users:
            identity.update_user(user, is_enabled=False)
            identity.update_user(user, is_enabled=True)
        r = run.end()
        assert_copied(r, big, src, dst)
        osm.run('rollback', r.result()['id'], source={'cloud': 'second-src'},
                destination={'cloud': 'second-dst'}).expect(0)
        assert inventory(dst) == before
    finally:
        for identity, user in users:
            identity.delete_user(user)


def test_second_migration_of_a_server_is_refused_and_ctrl_c_gives_everything_back(osm, src, dst, source):
    before = server_state(src, source.id), inventory(src), inventory(dst)
    run = osm.start('migrate-server', 'e2e-a')
    run.copying()
    first = osm.migrations()[0]['id']
    run.signal(signal.SIGSTOP)
    second = osm.run('migrate-server', 'e2e-a')
    run.signal(signal.SIGCONT)
    run.signal(signal.SIGINT)
    end = run.end()
    second.expect(4).says(first)
    assert 'source-server-claimed' in second.findings()
    end.expect(130).says('resume ' + first, 'rollback ' + first)
    osm.run('rollback', first).expect(0)
    assert_server_state(src, source.id, before[0])
    assert (inventory(src), inventory(dst)) == before[1:]
