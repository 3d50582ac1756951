# SPDX-License-Identifier: Apache-2.0
"""Runs last: greps everything that the tests before printed, wrote and left in processes for what is secret."""
import base64
import os
import re
import stat
import threading
import time

import pytest

from osmlib import host_id, processes

pytestmark = pytest.mark.usefixtures('hosts')
TOKEN = re.compile(rb'gAAAAA[A-Za-z0-9_-]{60,}')  # Keystone's Fernet tokens


def needles(secret, osm):
    """{what: [bytes]}; what is encoded in base64 appears in three ways."""
    texts = {'password': secret.password, 'application credential': secret.application, 'user data': secret.user_data,
             'bytes of a volume': secret.bytes}
    found = {}
    for what, text in texts.items():
        data = text.encode()
        found[what] = [data] + [base64.b64encode(b'x' * shift + data)[4:-4] for shift in range(3)]
    with open(osm.state_dir + '/keys/controller', 'rb') as f:
        lines = [line for line in f.read().splitlines() if b'-----' not in line]
    found['private key'] = [lines[len(lines) // 2]]
    return found


def what_is_in(data, secrets):
    found = [what for what, forms in secrets.items() if any(form in data for form in forms)]
    return found + (['a token'] if TOKEN.search(data) else [])


NO_CORE = (0, ('0', '0'))  # nothing of the memory; soft and hard limit


def files(folder):
    for path, _, names in os.walk(folder):
        for name in names:
            full = os.path.join(path, name)
            if os.path.isfile(full) and not os.path.islink(full):
                yield full


def core_limits(pid):
    with open('/proc/%s/coredump_filter' % pid, encoding='ascii') as f:
        filters = int(f.read(), 16)
    with open('/proc/%s/limits' % pid, encoding='ascii') as f:
        return filters, re.search(r'Max core file size +(\S+) +(\S+)', f.read()).groups()


def settled(pid):
    """Its limits; what sshd or systemd has just started is not in main yet, and gets a moment.  OSError: it is over."""
    end = time.monotonic() + 0.3
    while core_limits(pid) != NO_CORE and time.monotonic() < end:
        time.sleep(0.005)
    return core_limits(pid)


class Sampler(threading.Thread):
    """Command lines and environments of all processes of osm, again and again, while something runs."""

    def __init__(self, secrets):
        super().__init__(daemon=True)
        self.secrets, self.stop, self.found, self.seen, self.limits = secrets, threading.Event(), [], set(), {}

    def run(self):
        while not self.stop.wait(0.05):
            for pid in filter(str.isdigit, os.listdir('/proc')):
                try:
                    with open('/proc/%s/cmdline' % pid, 'rb') as f:
                        cmdline = f.read()
                    name = os.path.basename(cmdline.split(b'\0')[0])
                    if name not in (b'osm-controller', b'osm-agent', b'ssh'):
                        continue
                    with open('/proc/%s/environ' % pid, 'rb') as f:
                        environ = f.read()
                    self.seen.add(name.decode())
                    if name != b'ssh' and b'gateway' not in cmdline:
                        self.limits[pid] = (name.decode(), cmdline, *settled(pid))
                except (OSError, ValueError, AttributeError):
                    continue
                for what in what_is_in(cmdline + b'\0' + environ, self.secrets):
                    self.found.append((what, cmdline))


def memory_of(pid):
    parts = []
    with open('/proc/%d/maps' % pid, encoding='utf-8') as maps, open('/proc/%d/mem' % pid, 'rb', 0) as mem:
        for line in maps:
            range_, mode = line.split()[:2]
            if not mode.startswith('rw'):
                continue
            begin, end = (int(x, 16) for x in range_.split('-'))
            try:
                mem.seek(begin)
                parts.append(mem.read(end - begin))
            except (OSError, ValueError, OverflowError):
                continue
    return b''.join(parts)


@pytest.fixture(scope='module')
def sampled(osm, loose, secret):
    """One more migration with -vv, watched; in its middle the memory of the controller is read."""
    secrets = needles(secret, osm)
    sampler = Sampler(secrets)
    sampler.start()
    run = osm.start('-vv', 'migrate-volume', '--limit', '40M', loose.id)
    run.copying()
    time.sleep(0.5)
    memory = memory_of(run.process.pid)
    end = run.end()
    sampler.stop.set()
    sampler.join()
    osm.printed += [end.out, end.err]
    end.expect(0)
    osm.run('rollback', end.result()['id']).expect(0)
    return sampler, memory


def test_nothing_printed(osm, secret, sampled):
    # Commands that fail, too.
    for words in (['-vvv', 'migrate-server', 'hst-no-such'], ['-vv', 'migrate-volume', '--user-data', '/nonexistent', 'x'],
                  ['-vv', 'show', 'ffffffff']):
        osm.run(*words)
    for text in osm.printed:
        assert what_is_in(text.encode(errors='replace'), needles(secret, osm)) == []


def test_nothing_in_the_state_folder_but_the_key(osm, secret, sampled):
    secrets = needles(secret, osm)
    seen = 0
    for path in files(osm.state_dir):
        seen += 1
        with open(path, 'rb') as f:
            found = what_is_in(f.read(), secrets)
        assert found == (['private key'] if path.endswith('/keys/controller') else []), path
    assert seen > 2


def test_state_folder_is_its_owners_alone(osm, sampled):
    for path, folders, names in os.walk(osm.state_dir):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700, path
        for name in names:
            mode = stat.S_IMODE(os.lstat(os.path.join(path, name)).st_mode)
            assert mode & 0o077 == 0 or name.endswith('.pub'), (path, name, oct(mode))


def test_folder_that_was_open_is_closed(osm):
    os.chmod(osm.state_dir, 0o755)
    os.chmod(osm.state_dir + '/osm.db', 0o644)
    assert 'is 0700 now' in osm.run('list').expect(0).err
    assert stat.S_IMODE(os.stat(osm.state_dir).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(osm.state_dir + '/osm.db').st_mode) == 0o600


def test_nothing_in_arguments_and_environments(sampled):
    sampler, _ = sampled
    assert {'osm-controller', 'osm-agent'} <= sampler.seen
    assert sampler.found == []


def test_no_process_dumps_core(sampled):
    sampler, _ = sampled
    assert {v[0] for v in sampler.limits.values()} == {'osm-controller', 'osm-agent'}
    bad = [v for v in sampler.limits.values() if v[2:] != NO_CORE]
    assert bad == [], bad


def test_memory_holds_credentials_once(sampled, secret):
    """They are needed for the next token; every further copy is one that was not cleared."""
    _, memory = sampled
    assert memory.count(secret.password.encode()) <= 1
    assert memory.count(secret.application.encode()) <= 1


@pytest.mark.parametrize('side', ['src', 'dst'])
def test_nothing_in_a_conversion_host(side, src, dst, osm, secret, sampled):
    cloud = {'src': src, 'dst': dst}[side]
    pid = processes(host_id(cloud), 'osm-agent', 'service')[0]
    root = '/proc/%d/root' % pid
    secrets, seen = needles(secret, osm), 0
    for folder in ('/var/lib/osm', '/var/lib/osm-agent', '/run/osm', '/var/log', '/etc/osm'):
        for path in files(root + folder):
            if os.path.getsize(path) > 64 << 20:
                continue
            seen += 1
            with open(path, 'rb') as f:
                data = f.read()
            assert what_is_in(data, secrets) == [], path
            if b'PRIVATE KEY-----' in data:
                assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0, path
    assert seen > 0
