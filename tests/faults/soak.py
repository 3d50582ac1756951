# SPDX-License-Identifier: Apache-2.0
"""Long runs, inside the lab: what must not grow, and what ends or is replaced while a migration runs.

tests/faults/check-soak starts this; arguments: rounds, agents, tokens (which parts), and --rounds N."""
import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback


TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, 'tests/e2e'))
import osmlib  # noqa: E402

# Objects of our own: the other suites use the same clouds.
osmlib.PREFIX, osmlib.PAIR = 'soak-', 'soak-conversion'
from cloudlib import Cloud, side_by_side, wait_for  # noqa: E402
from conftest import osm_left, purge  # noqa: E402
from osmlib import Osm, assert_server_state, controller_path, host_id, inventory, processes, server_state  # noqa: E402

IMAGE = 'soak-conversion-host'
MIB = 1 << 20
OTHER_VERSION = b'0.1.9'
# What a service may have more after any number of rounds than after the first few: malloc's own, not a leak.
MEMORY_KIB = 1024
WARM_ROUNDS = 4


class Table:
    """point | tried | survived"""

    def __init__(self):
        self.points = {}

    def point(self, name, function, *args):
        tried, survived = self.points.get(name, (0, 0))
        try:
            function(*args)
            survived += 1
        except Exception:  # the others are tried all the same
            traceback.print_exc()
            print('%s: FAILED' % name, file=sys.stderr, flush=True)
        self.points[name] = tried + 1, survived

    def print(self):
        width = max(map(len, self.points), default=5)
        print('%-*s | tried | survived' % (width, 'point'))
        for name, (tried, survived) in self.points.items():
            print('%-*s | %5d | %8d' % (width, name, tried, survived))
        passed = sum(s for _, s in self.points.values())
        failed = sum(t for t, _ in self.points.values()) - passed
        print('%d passed, %d failed' % (passed, failed), flush=True)
        return failed == 0


class Soak(Osm):
    """With another program or another agent to bring, where asked for."""
    agent_root = None
    seconds = 900  # bringing the agent waits for cloud-init, which looks for packages

    def env(self):
        env = super().env()
        if self.agent_root:
            env['OSM_AGENT_ROOT'] = self.agent_root
        return env


# ------------------------------------------------------------------ the conversion hosts from outside
def number(path, word):
    with open(path) as f:
        return int(re.search(r'^%s:\s+(\d+)' % word, f.read(), re.M)[1])


class Agent:
    """The service in the conversion host of a cloud."""

    def __init__(self, cloud):
        self.cloud, self.server = cloud, host_id(cloud)

    def pid(self):
        pids = processes(self.server, 'osm-agent', 'service')
        assert len(pids) == 1, '%s: services: %r' % (self.cloud.name, pids)
        return pids[0]

    def workers(self):
        return processes(self.server, 'osm-agent', 'worker') + \
            processes(self.server, 'osm-agent', 'gateway')

    def at_rest(self):
        wait_for('%s: no worker is left' % self.cloud.name, lambda: not self.workers(), 20)

    def look(self):
        """{what: how much}, while nothing is done."""
        self.at_rest()
        pid = self.pid()
        return {'pid': pid, 'descriptors': len(os.listdir('/proc/%d/fd' % pid)),
                'threads': number('/proc/%d/status' % pid, 'Threads'),
                'memory_kib': number('/proc/%d/status' % pid, 'RssAnon'), 'files': len(self.files()),
                'log_bytes': self.log_bytes()}

    def files(self):
        """What is in its folders, but its keys."""
        found = []
        for top in ('/var/lib/osm', '/run/osm', '/run/osm-peer'):
            root = '/proc/%d/root%s' % (self.pid(), top)
            for folder, _, files in os.walk(root):
                found += [os.path.join(folder, f)[len(root) - len(top):] for f in files]
        return sorted(found)

    def log_bytes(self):
        try:
            return os.stat('/proc/%d/root/var/log/osm-agent.log' % self.pid()).st_size
        except FileNotFoundError:
            return 0


# ------------------------------------------------------------------ what is moved
class World:
    def __init__(self, folder, args):
        self.folder, self.args = folder, args
        self.clouds = self.src, self.dst = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
        side_by_side(*[lambda c=c: purge(c) for c in self.clouds])
        self.clouds_file = os.environ['OS_CLIENT_CONFIG_FILE']
        self.osm = self.program(controller_path(), None)
        self.empty = self.inventories()
        self.image = IMAGE if args.image else 'osm-conversion-host'
        if args.image:
            self.remove_images()
            side_by_side(*[lambda c=c: c.image(IMAGE, args.image) for c in self.clouds])

    def program(self, path, agent_root):
        osm = Soak(self.folder, self.clouds_file, path, image=IMAGE if self.args.image else 'osm-conversion-host')
        osm.base['conversion_hosts']['agent_install'] = 'upload'
        osm.agent_root = agent_root or self.args.agent_root
        osm.nr = 1000 if agent_root else 0
        return osm

    def inventories(self):
        return side_by_side(*[lambda c=c: inventory(c) for c in self.clouds])

    def remove_images(self):
        for cloud in self.clouds:
            for old in cloud.admin.image.images(name=IMAGE):
                cloud.admin.image.delete_image(old)

    def deploy(self):
        since = time.monotonic()
        self.osm.run('deploy-conversion-hosts').expect(0)
        print('conversion hosts: %.0f s' % (time.monotonic() - since), flush=True)
        self.agents = [Agent(c) for c in self.clouds]

    def volume(self, name, megabytes):
        v = self.src.volume(name, 1, volume_type='lab')
        with open('/dev/urandom', 'rb') as random, open(self.src.volume_file(v.id), 'r+b') as f:
            for i in range(megabytes):
                f.seek(i * MIB * (1024 // megabytes))
                f.write(random.read(MIB))
        return v.id

    def server(self):
        def surroundings(cloud):
            cloud.network('soak-net', '10.79.0.0/24')
            return cloud.security_group('soak-ssh')

        group, _ = side_by_side(*[lambda c=c: surroundings(c) for c in self.clouds])
        guest = self.src.image('guest', os.environ['OSM_GUEST_IMAGE'])
        boot = self.src.volume('soak-boot', 2, image_id=guest.id, volume_type='lab')
        data = self.volume('soak-data', 8)
        n = self.src.api.network
        port = n.create_port(network_id=n.find_network('soak-net').id, security_group_ids=[group.id])
        return self.src.server('soak-server', 'm1.tiny', [port], [(boot.id, False), (data, False)]).id

    def forget_copy(self, kind, object_id):
        """Deletes what a migration has made and osm gave away (cleanup), as its new owner."""
        compute, volumes = self.dst.api.compute, self.dst.api.block_storage
        if kind == 'server':
            copies = [v for _, v, _ in self.dst.attachments(object_id)]
            ports = [p.id for p in self.dst.api.network.ports(device_id=object_id)]
            compute.delete_server(object_id)
            wait_for('the server is gone', lambda: object_id not in [s.id for s in compute.servers()], 60)
            for p in ports:
                self.dst.api.network.delete_port(p)
        else:
            copies = [object_id]
        for v in copies:
            if volumes.find_volume(v):
                volumes.delete_volume(v)
        wait_for('the volumes are gone', lambda: not {v.id for v in volumes.volumes()} & set(copies), 60)

    def end(self):
        self.osm.run('delete-conversion-hosts', '--force')
        side_by_side(*[lambda c=c: purge(c) for c in self.clouds])
        if self.args.image:
            self.remove_images()

    def nothing_left(self):
        for cloud in self.clouds:
            assert not osm_left(cloud), '%s: %r' % (cloud.name, osm_left(cloud))
        now = self.inventories()
        left = sum(len(set(n) - set(e)) for n, e in zip(now, self.empty))
        print('%d left over in both clouds' % left)
        assert left == 0, [set(n) ^ set(e) for n, e in zip(now, self.empty)]


# ------------------------------------------------------------------ many, one after the other
class Rounds:
    """Migrations of a volume and of a server through the same two hosts, in turn accepted and taken back."""

    def __init__(self, world, table, rounds):
        self.world, self.table, self.rounds = world, table, rounds
        self.volume = world.volume('soak-volume', 32)
        self.server = world.server()
        self.sha = world.src.sha256(self.volume)
        self.samples = []
        self.migrations = []

    def one(self, kind, end):
        w = self.world
        before = w.inventories()
        state = server_state(w.src, self.server) if kind == 'server' else None
        r = w.osm.run('migrate-' + kind, self.server if kind == 'server' else self.volume).expect(0).result()
        self.migrations.append(r['id'])
        assert r['state'] == 'completed'
        if kind == 'volume':
            assert w.dst.sha256(r['destination_id']) == self.sha
        w.osm.run(end, r['id']).expect(0)
        if end == 'cleanup':
            w.forget_copy(kind, r['destination_id'])
        elif state:
            assert_server_state(w.src, self.server, state)
        assert w.inventories() == before

    def run(self):
        for i in range(self.rounds):
            kind = 'server' if i % 5 == 1 else 'volume'
            end = 'rollback' if (i // 5 + i) % 2 else 'cleanup'
            since = time.monotonic()
            self.table.point('migrate-%s, %s' % (kind, end), self.one, kind, end)
            look = [a.look() for a in self.world.agents]
            self.samples.append(look)
            print('round %d of %d: migrate-%s, %s: %.1f s; %s' % (
                i + 1, self.rounds, kind, end, time.monotonic() - since,
                '; '.join('%s: %d KiB, %d descriptors' % (a.cloud.name, x['memory_kib'], x['descriptors'])
                          for a, x in zip(self.world.agents, look))), flush=True)
        for side, agent in enumerate(self.world.agents):
            series = [s[side] for s in self.samples]
            for what, check in (('memory is flat', self.flat), ('descriptors, threads and processes do not grow', self.same),
                                ('state folders are empty again', self.no_files), ('log is short', self.log)):
                self.table.point('agent of %s: %s' % (agent.cloud.name, what), check, agent, series)
        self.table.point('journal: all finished, nothing of them runs', self.journal)

    @staticmethod
    def flat(agent, series):
        warm = series[:max(1, min(WARM_ROUNDS, len(series) - 1))]
        high = max(s['memory_kib'] for s in warm)
        print('%s: memory %d KiB after the first rounds, %d KiB at the end' % (
            agent.cloud.name, high, series[-1]['memory_kib']))
        assert series[-1]['memory_kib'] <= high + MEMORY_KIB

    @staticmethod
    def same(agent, series):
        for s in series[1:]:
            assert {k: s[k] for k in ('pid', 'descriptors', 'threads')} == \
                {k: series[0][k] for k in ('pid', 'descriptors', 'threads')}, (series[0], s)

    def no_files(self, agent, series):
        left = [f for f in agent.files() if any(m in f for m in self.migrations)]
        assert not left, left
        assert series[-1]['files'] == series[0]['files'], agent.files()

    @staticmethod
    def log(agent, series):
        if len(series) > 1:
            each = (series[-1]['log_bytes'] - series[0]['log_bytes']) / (len(series) - 1)
            print('%s: %d bytes of log for a migration' % (agent.cloud.name, each))
            assert each < 20000

    def journal(self):
        rows = [r for r in self.world.osm.migrations() if r['id'] in self.migrations]
        assert len(rows) == len(self.migrations)
        assert {r['state'] for r in rows} <= {'cleaned', 'rolled-back'}
        folder = self.world.osm.state_dir
        size = sum(os.stat(os.path.join(folder, f)).st_size for f in os.listdir(folder) if f.startswith('osm.db'))
        print('journal: %d bytes for a migration' % (size // len(rows)))
        assert not os.path.exists(folder + '/osm.db-wal') or os.stat(folder + '/osm.db-wal').st_size < 5 * MIB


# ------------------------------------------------------------------ another version of the agent
class Agents:
    """The agents are replaced by those of another version, as `deploy-conversion-hosts` with `agent_install: upload`
    does it, between two steps and while a copy runs."""

    def __init__(self, world, table):
        self.world, self.table = world, table
        self.other = self.program_of_another_version()
        self.volume = world.volume('soak-upgrade', 256)
        self.sha = world.src.sha256(self.volume)

    def program_of_another_version(self):
        root = os.path.join(self.world.folder, 'other')
        shutil.copytree(self.world.args.agent_root, root, symlinks=True)
        agents = [os.path.join(d, 'osm-agent') for d, _, files in os.walk(root) if 'osm-agent' in files and 'bin' in d]
        assert len(agents) == 1, agents
        controller = os.path.join(self.world.folder, 'osm-controller-other')
        for source, path in ((agents[0], agents[0]), (controller_path(), controller)):
            with open(source, 'rb') as f:
                program = f.read()
            assert b'0.1.0' in program
            with open(path, 'wb') as f:
                f.write(program.replace(b'0.1.0', OTHER_VERSION))
            os.chmod(path, 0o755)
        return self.world.program(controller, root)

    def start(self, osm, limit='24M'):
        run = osm.start('migrate-volume', '--limit', limit, self.volume)
        run.copying()
        return run, osm.migrations()[0]['id']

    def check_copied(self, result, identity, osm):
        w = self.world
        if result.status != 0:
            result.expect(1).says('resume ' + identity)
            osm.run('throttle', 'unlimited', identity)
            result = osm.run('resume', identity)
        r = result.expect(0).result()
        assert r['state'] == 'completed'
        assert w.dst.sha256(r['destination_id']) == self.sha
        osm.run('rollback', identity).expect(0)

    def refused(self):
        """Both ways: versions are named, and what to do; nothing is begun."""
        w, old, new = self.world, '0.1.0', OTHER_VERSION.decode()
        before = w.inventories()
        self.other.run('migrate-volume', self.volume).expect(1).says(old, new, 'deploy-conversion-hosts')
        assert w.inventories() == before

    def replace(self, osm):
        starts = [a.pid() for a in self.world.agents]
        osm.run('deploy-conversion-hosts').expect(0)
        assert all(a.pid() != s for a, s in zip(self.world.agents, starts)), 'the agents were not replaced'

    def while_interrupted(self):
        """Interrupted by the old program; the new one brings its agents, and resumes."""
        run, identity = self.start(self.world.osm)
        run.signal(signal.SIGINT)
        run.end().expect(130)
        self.other.run('resume', identity).expect(1).says('0.1.0', OTHER_VERSION.decode(), 'deploy-conversion-hosts')
        self.replace(self.other)
        self.other.run('throttle', 'unlimited', identity).expect(0)
        self.check_copied(self.other.run('resume', identity), identity, self.other)

    def while_copying(self):
        """Under the running controller: its copy goes on with the other agents, or can be resumed."""
        run, identity = self.start(self.other)
        self.replace(self.world.osm)
        self.check_copied(run.end(), identity, self.world.osm)

    def between_steps(self):
        """Held by one version, finished by the other."""
        r = self.world.osm.run('migrate-volume', self.volume).expect(0).result()
        self.replace(self.other)
        self.other.run('rollback', r['id']).expect(0)
        self.replace(self.world.osm)

    def run(self):
        self.table.point('agent of another version: refused, and what to do', self.refused)
        self.table.point('agents replaced while a migration is interrupted', self.while_interrupted)
        self.table.point('agents replaced while it copies', self.while_copying)
        self.table.point('agents replaced between migration and rollback', self.between_steps)


# ------------------------------------------------------------------ tokens
class Tokens:
    """Keystones that give tokens for a minute, and a copy that takes longer than two of them."""

    def __init__(self, world, table):
        self.world, self.table = world, table
        self.volume = world.volume('soak-tokens', 128)
        self.sha = world.src.sha256(self.volume)

    def are_short(self):
        for cloud in self.world.clouds:
            fresh = Cloud(cloud.name)
            auth = fresh.api.session.auth.get_access(fresh.api.session)
            print('%s: tokens for %d s' % (cloud.name, (auth.expires - auth.issued).total_seconds()))
            assert (auth.expires - auth.issued).total_seconds() <= 60

    def copy(self):
        w = self.world
        before = w.inventories()
        since = time.monotonic()
        run = w.osm.start('migrate-volume', '--limit', '1M', self.volume)
        run.copying()
        pid = run.process.pid
        first = len(os.listdir('/proc/%d/fd' % pid)), number('/proc/%d/status' % pid, 'RssAnon')
        event = run.until('almost the end', lambda e: e.get('event') == 'progress' and e['phase'] == 'copy' and
                          time.monotonic() - since > 100)
        last = len(os.listdir('/proc/%d/fd' % pid)), number('/proc/%d/status' % pid, 'RssAnon')
        print('controller: %d KiB, %d descriptors; %d KiB, %d descriptors %.0f s later' % (
            first[1], first[0], last[1], last[0], time.monotonic() - since))
        assert last[0] <= first[0] and last[1] <= first[1] + MEMORY_KIB, event
        r = run.end().expect(0).result()
        assert time.monotonic() - since > 120, 'the copy was over before two tokens were'
        assert w.dst.sha256(r['destination_id']) == self.sha
        w.osm.run('rollback', r['id']).expect(0)
        assert w.inventories() == before

    def run(self):
        self.table.point('tokens of both clouds end after 60 s', self.are_short)
        self.table.point('copy of more than two tokens, and what comes after it', self.copy)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('parts', nargs='+', choices=['rounds', 'agents', 'tokens'])
    parser.add_argument('--rounds', type=int, default=50)
    parser.add_argument('--image', help='of a conversion host, made by images/build-image')
    parser.add_argument('--agent-root', required=True, help='where the product was installed with DESTDIR')
    args = parser.parse_args()
    since = time.monotonic()
    table = Table()
    with tempfile.TemporaryDirectory(prefix='osm-soak-') as folder:
        world = World(folder, args)
        try:
            world.deploy()
            if 'rounds' in args.parts:
                Rounds(world, table, args.rounds).run()
            if 'agents' in args.parts:
                Agents(world, table).run()
            if 'tokens' in args.parts:
                Tokens(world, table).run()
        except Exception:  # of what is before the points
            traceback.print_exc()
            table.points['everything is there that the points need'] = 1, 0
        finally:
            table.point('conversion hosts and all else are gone', world.end)
            table.point('nothing is left over', world.nothing_left)
    print('%.0f s' % (time.monotonic() - since))
    return 0 if table.print() else 1


if __name__ == '__main__':
    sys.exit(main())
