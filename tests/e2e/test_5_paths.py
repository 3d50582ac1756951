# SPDX-License-Identifier: Apache-2.0
"""Networks in which the destination's conversion host cannot connect to the source's."""
import contextlib
import json
import os
import signal
import subprocess

import pytest

from osmlib import assert_server_state, copies_of, host_id, inventory, processes, server_state, sums
from test_2_hosts import floating_address, rules

pytestmark = pytest.mark.usefixtures('hosts')


@contextlib.contextmanager
def firewall(*pairs):
    """Between the clouds: nothing to port 22 from the one to the other, whoever began."""
    lines = [['FORWARD', '-s', floating_address(a), '-d', floating_address(b), '-p', 'tcp', '--dport', '22', '-j', 'DROP']
             for a, b in pairs]
    for line in lines:
        subprocess.run(['iptables', '-I', *line], check=True)
    try:
        yield
    finally:
        for line in lines:
            subprocess.run(['iptables', '-D', *line], check=True)


@pytest.fixture(scope='module', autouse=True)
def direct_again(osm, hosts, src, dst):
    yield
    osm.run('deploy-conversion-hosts').expect(0)
    assert check(osm)['path'] == 'direct'
    assert not is_let_in(src, dst)


def check(osm, status=0, **changes):
    return json.loads(osm.run('check-conversion-hosts', **changes).expect(status).out)['link']


def is_let_in(one, at):
    return floating_address(one) + '/32' in {r.remote_ip_prefix for r in rules(at)}


def tried(link):
    return [t['path'] for t in link['tried']]


def assert_copied(result, big, src, dst):
    r = result.expect(0).result()
    assert r['state'] == 'completed'
    assert dst.sha256(r['destination_id']) == src.sha256(big)
    return r['id']


def carriers(pid):
    """The carriers of a relay: children of the controller."""
    found = []
    for entry in os.listdir('/proc'):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                with open('/proc/%s/cmdline' % entry, 'rb') as f:
                    argv = f.read().split(b'\0')
                with open('/proc/%s/stat' % entry) as f:
                    parent = int(f.read().rsplit(')', 1)[1].split()[1])
                if parent == pid and argv[0] == b'ssh' and b'osm-carrier' in argv:
                    found.append(int(entry))
    return found


def kill(pids):
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def afterwards(osm, dst):
    """Ids of migrations to be taken back."""
    before, ids = inventory(dst), []
    yield ids
    for migration in ids:
        assert osm.run('rollback', migration).status in (0, 3)
    assert inventory(dst) == before


def nothing_is_left(clouds):
    """No carrier is left at the source's agent."""
    return not processes(host_id(clouds[0]), 'ssh')


# ------------------------------------------------------------------ what works
def test_directly_where_nothing_is_in_the_way(osm, src, dst):
    link = check(osm)
    assert (link['path'], link['tried']) == ('direct', [])
    assert not is_let_in(src, dst)


def test_reverse_is_found_and_its_rule_is_as_narrow_as_an_address(osm, src, dst, clouds):
    with firewall((dst, src)):
        link = check(osm)
        assert (link['path'], tried(link)) == ('reverse', ['direct'])
        assert link['bytes_per_second'] > 0 and 'cannot connect' in link['tried'][0]['error']['message']
        assert is_let_in(src, dst)
        assert {(r.protocol, r.port_range_min, r.port_range_max) for r in rules(dst)} == {('tcp', 22, 22)}
        # It stays as it is.
        assert osm.run('deploy-conversion-hosts').expect(0).result()['changed'] is False
        assert is_let_in(src, dst)
    assert nothing_is_left(clouds)


def test_deploy_closes_what_is_not_needed_any_more(osm, src, dst):
    with firewall((dst, src)):
        check(osm)
    assert is_let_in(src, dst)
    assert osm.run('deploy-conversion-hosts').expect(0).result()['changed'] is True
    assert not is_let_in(src, dst)
    assert osm.run('deploy-conversion-hosts').expect(0).result()['changed'] is False


def test_relay_is_found_and_no_rule_is_left(osm, src, dst):
    with firewall((dst, src), (src, dst)):
        link = check(osm)
        assert (link['path'], tried(link)) == ('relay', ['direct', 'reverse'])
        assert link['bytes_per_second'] > 0
        assert 'ssh to ' + floating_address(dst) in link['tried'][1]['error']['message']
    assert not is_let_in(src, dst)


def test_none_works(osm, src, dst, big):
    with firewall((dst, src), (src, dst)):
        link = check(osm, status=1, copy={'path': 'direct'})
        assert tried(link) == ['direct'] and 'does not reach' in link['error']['message']
        assert 'direct' in link['error']['hint']


# ------------------------------------------------------------------ copies
@contextlib.contextmanager
def held(osm, src, dst, source):
    """The server's migration, copied and held; its result and its events.  Taken back, whatever happens."""
    before = server_state(src, source.id), inventory(dst)
    r = osm.run('migrate-server', '--hold', 'e2e-a')
    migration = osm.migrations()[0]['id']
    try:
        assert r.expect(0).result()['id'] == migration
        assert sums(dst, copies_of(dst, source.volumes)) == sums(src, source.volumes)
        yield [e['text'] for e in json.loads(osm.run('show', migration).out)['events']]
    finally:
        back = osm.run('rollback', migration)
    assert back.expect(0).result()['state'] == 'rolled-back'
    assert_server_state(src, source.id, before[0])
    assert inventory(dst) == before[1]


def test_server_by_reverse(osm, src, dst, source, clouds):
    with firewall((dst, src)):
        check(osm)
        with held(osm, src, dst, source) as events:
            assert 'path: reverse (the source connects to the destination)' in events
            assert nothing_is_left(clouds)


def test_server_by_relay(osm, src, dst, source):
    with firewall((dst, src), (src, dst)):
        check(osm)
        with held(osm, src, dst, source) as events:
            assert [e for e in events if e.startswith('path: relay')]


def test_reverse_carrier_killed_in_the_middle(osm, src, dst, big, afterwards, clouds):
    run = osm.start('migrate-volume', '--path', 'reverse', big)
    run.copying()
    kill(processes(host_id(src), 'ssh'))
    afterwards.append(assert_copied(run.end(), big, src, dst))
    assert nothing_is_left(clouds)


def test_relay_carrier_killed_in_the_middle(osm, src, dst, big, afterwards):
    run = osm.start('migrate-volume', '--path', 'relay', big)
    run.copying()
    kill(carriers(run.process.pid))
    afterwards.append(assert_copied(run.end(), big, src, dst))


def test_controller_of_a_relay_killed_and_resumed(osm, src, dst, big, afterwards):
    run = osm.start('migrate-volume', '--path', 'relay', big)
    run.copying()
    afterwards.append(osm.migrations()[0]['id'])
    run.kill()
    assert_copied(osm.run('resume', afterwards[0]), big, src, dst)


def test_resume_looks_for_another_path(osm, src, dst, big, afterwards):
    with firewall((dst, src)):
        check(osm)
        run = osm.start('migrate-volume', big)
        run.copying()
        afterwards.append(osm.migrations()[0]['id'])
        run.kill()
    with firewall((dst, src), (src, dst)):
        assert_copied(osm.run('resume', afterwards[0]), big, src, dst)
    events = [e['text'].split()[1] for e in json.loads(osm.run('show', afterwards[0]).out)['events']
              if e['text'].startswith('path: ')]
    assert events == ['reverse', 'relay']
