#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The kill matrix.  A controller with crash points (configure --enable-crash-points) migrates a server; it is killed at
one point after the other, and then the migration is finished, or taken back, and everything looked at without osm.

usage: crash.py [--points N] [--seed N] [--kinds LIST] [--only REGEX] [--lanes N] [--seconds N] [--json FILE]
                [--continue] [--keep]

Runs inside the lab (make check-crash).  Without --points: the whole matrix, which takes hours: --seconds ends it early,
--json writes down what was tried, and --continue goes on from there another time."""
import argparse
import json
import os
import queue
import random
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

os.environ.setdefault('OSM_E2E_PREFIX', 'crash-')
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [TOP + '/tests/e2e', TOP + '/tests/faults']

from cloudlib import Cloud, side_by_side, wait_for  # noqa: E402
from conftest import IMAGE, delete_images, osm_left, purge  # noqa: E402
from osmlib import PREFIX, host_id, inventory, processes  # noqa: E402
from lane import CIDR, NETWORK, Lane, LaneOsm  # noqa: E402

KILLED = -signal.SIGKILL
#: where a migration stands when its rollback is what is killed
MIDDLE = ('verify: journal step_begin: after#1', 'copy: destination agent copy.start: after#1',
          'create-server: journal migration_set_result: after#1')
#: processes of the conversion hosts: cloud, name, command line
PROCESSES = (('dst', 'service', ('osm-agent', 'service')), ('src', 'service', ('osm-agent', 'service')),
             ('dst', 'copy', ('osm-agent', 'worker', 'copy')), ('src', 'export', ('osm-agent', 'worker', 'export')),
             ('src', 'digest', ('osm-agent', 'worker', 'digest')),
             ('dst', 'digest', ('osm-agent', 'worker', 'digest')),
             ('dst', 'gateway', ('osm-agent', 'gateway')), ('src', 'gateway', ('osm-agent', 'gateway')))


# ------------------------------------------------------------------ points
def traced(path):
    """[(thread, point)] of a trace."""
    with open(path) as f:
        return [tuple(line.rstrip('\n').split('\t')) for line in f]


def distinct(trace):
    """Between the end of one act and the beginning of the thread's next one nothing changes anywhere: one point of
    the two is enough."""
    last, points = {}, []
    for thread, point in trace:
        if ': before#' not in point or ': after#' not in last.get(thread, ''):
            points.append(point)
        last[thread] = point
    return points


class Try:
    """One kill, or two, and what is done after it."""

    def __init__(self, kind, point, then, second=None, middle=None):
        self.kind, self.point, self.then, self.second, self.middle = kind, point, then, second, middle
        self.ok, self.why, self.seconds, self.reached = None, '', 0.0, True

    def text(self):
        if self.kind == 'rollback':
            return '%s; %s' % (self.middle, self.point)
        return self.point + ('; then %s' % self.second if self.second else '')

    def key(self):
        return self.kind, self.text(), self.then

    def json(self):
        return {'kind': self.kind, 'point': self.text(), 'then': self.then, 'survived': self.ok,
                'seconds': round(self.seconds, 1), 'why': self.why}


# ------------------------------------------------------------------ the trials
class Matrix:
    def __init__(self, options, clouds, folder):
        self.options, self.clouds, self.folder = options, clouds, folder
        self.src, self.dst = clouds
        self.random = random.Random(options.seed)
        self.print_lock = threading.Lock()
        self.reference = None
        self.programs = 0
        self.done = []
        self.earlier = {}  # what survived in the runs that this one continues

    def osm(self):
        osm = LaneOsm(self.folder, os.environ['OS_CLIENT_CONFIG_FILE'], image=IMAGE)
        for side in ('source', 'destination'):  # administrators may have made more of them
            osm.base['conversion_hosts'][side] = {'external_network': 'public'}
        self.programs += 1
        osm.nr = 1000 * self.programs  # of its configuration files
        return osm

    # ------------------------------------------------------------ setting up
    def surroundings(self):
        """Networks on both sides, and the volumes that the servers' volumes are cloned from."""
        def network(cloud):
            if not cloud.api.network.find_network(NETWORK):
                cloud.network(NETWORK, CIDR)

        def template(name, mebibytes):
            v = self.src.volume(PREFIX + 'base-' + name, 1)
            with open('/dev/urandom', 'rb') as data, open(self.src.volume_file(v.id), 'r+b') as f:
                for i in range(mebibytes):
                    f.seek(i * 7 << 20)
                    f.write(data.read(1 << 20))
            return v.id

        side_by_side(*[lambda c=c: network(c) for c in self.clouds])
        boot, data = template('boot', 8), template('data', self.options.mebibytes)
        answer = self.src.api.block_storage.post('/volumes/%s/action' % boot,
                                                 json={'os-set_bootable': {'bootable': True}})
        assert answer.ok, answer.text
        return {'boot': boot, 'data': data}

    def hosts(self):
        if self.options.keep and self.osm().run('check-conversion-hosts').status == 0:
            return
        image = os.environ.get('OSM_CONVERSION_IMAGE')
        if image:
            delete_images(self.clouds)
            side_by_side(*[lambda c=c: c.image(IMAGE, image) for c in self.clouds])
        r = self.osm().run('deploy-conversion-hosts')
        assert r.status in (0, 3), r

    def trace(self, lane, name, *words):
        path = '%s/%s.trace' % (self.folder, re.sub(r'\W+', '-', name))
        if os.path.exists(path):
            os.unlink(path)
        lane.run(*words, trace=path).expect(0)
        self.points[name] = distinct(traced(path))

    def trace_migration(self, lane):
        """One that nothing disturbs, and its rollback."""
        self.trace(lane, 'run', 'migrate-server', lane.name)
        migration = lane.new_migration()
        self.reference = lane.assert_moved(migration, None)
        self.trace(lane, 'rollback completed', 'rollback', migration)
        lane.assert_as_before(migration)

    def trace_rollback(self, lane, middle):
        assert lane.run('migrate-server', lane.name, at=middle).status == KILLED, middle
        migration = lane.new_migration()
        self.trace(lane, 'rollback ' + middle, 'rollback', migration)
        lane.assert_as_before(migration)

    def trace_cleanup(self, lane):
        lane.run('migrate-server', lane.name).expect(0)
        migration = lane.new_migration()
        self.trace(lane, 'cleanup', 'cleanup', migration)
        self.discard(lane)
        lane.assert_as_before(migration)

    def trace_all(self, lanes):
        """What is passed in a migration, its rollback, rollbacks that begin elsewhere and a clean-up."""
        self.points = {}
        work = [self.trace_migration, self.trace_cleanup]
        work += [lambda lane, m=m: self.trace_rollback(lane, m) for m in
                 (MIDDLE[:1] if self.options.points else MIDDLE)]
        kinds = self.options.kinds.split(',') if self.options.kinds else ('rollback', 'cleanup')
        if 'rollback' not in kinds:
            work[2:] = []
        if 'cleanup' not in kinds:
            del work[1]
        side_by_side(*[lambda i=i, lane=lane: [w(lane) for w in work[i::len(lanes)]]
                       for i, lane in enumerate(lanes)])

    def discard(self, lane):
        """What remains to be done by hand after a clean-up, to begin anew."""
        o = self.dst.api
        for s in [s for s in o.compute.servers() if s.name == lane.name]:
            assert not [k for k in s.metadata if k.startswith('osm.')], s.metadata
            o.compute.delete_server(s)
            o.compute.wait_for_delete(s, interval=0.3, wait=120)

        def copies_are_gone():
            copies = [v for v in o.block_storage.volumes() if v.name in lane.volumes]
            for v in copies:
                assert not [k for k in v.metadata if k.startswith('osm.')], v.metadata
                if v.status == 'available':
                    o.block_storage.delete_volume(v)
            return not copies

        for p in o.network.ports(project_id=o.current_project_id):
            if p.name == lane.name + '-port':
                assert not p.tags, p.tags
                o.network.delete_port(p)
        for ip in lane.floating_ips(self.dst):
            assert not ip.tags, ip.tags
            o.network.delete_ip(ip)
        lane.delete_belongings(self.dst)
        wait_for('copies are gone', copies_are_gone)
        self.src.api.compute.start_server(lane.id)
        wait_for('source runs', lambda: self.src.api.compute.get_server(lane.id).status == 'ACTIVE')

    # ------------------------------------------------------------ what there is to try
    def all_tries(self):
        tries = []
        for point in self.points['run']:
            tries += [Try('run', point, 'resume'), Try('run', point, 'rollback')]
        for name, points in sorted(self.points.items()):
            if name.startswith('rollback '):
                tries += [Try('rollback', p, 'rollback', middle=name.split(' ', 1)[1]) for p in points]
        steps = [p for p in self.points['run'] if not p.startswith('begin')]
        if steps:
            for _ in range(24):
                a, b = sorted(self.random.sample(range(len(steps)), 2))
                again = re.sub(r'#\d+$', '#1', steps[b])
                tries.append(Try('twice', steps[a], 'resume', second=again))
        tries += [Try('cleanup', p, 'cleanup') for p in self.points.get('cleanup', ())]
        for cloud, name, _ in PROCESSES:
            tries.append(Try('agents', '%s %s' % (cloud, name), 'resume'))
        for cloud in ('src', 'dst'):
            tries.append(Try('reboot', 'conversion host of ' + cloud, 'resume'))
        kinds = self.options.kinds.split(',') if self.options.kinds else None
        only = re.compile(self.options.only or '')
        tries = [t for t in tries if (not kinds or t.kind in kinds) and only.search(t.kind + ' ' + t.text())]
        tries.sort(key=lambda t: (t.kind, t.text(), t.then))
        self.total = len(tries)
        tries = [t for t in tries if t.key() not in self.earlier]
        if self.options.points and self.options.points < len(tries):
            tries = self.random.sample(tries, self.options.points)
        elif self.options.shuffle:
            self.random.shuffle(tries)
        return tries

    # ------------------------------------------------------------ trying
    def attempt(self, lane, t):
        getattr(self, 'try_' + t.kind)(lane, t)

    def killed(self, lane, t, words, at):
        r = lane.run(*words, at=at)
        if r.status != KILLED and r.status in (0, 3):
            t.reached = False
        elif r.status != KILLED:
            raise AssertionError('it did not get to the point: %r' % r)
        return r

    def back(self, lane, migration):
        assert lane.run('rollback', migration).status in (0, 3)
        lane.assert_as_before(migration)

    def finish(self, lane, migration):
        r = lane.run('resume', migration)
        assert r.status in (0, 3), r
        lane.assert_moved(migration, self.reference)

    def try_run(self, lane, t):
        """Killed, then finished or taken back."""
        self.killed(lane, t, ('migrate-server', lane.name), t.point)
        migration = lane.new_migration()
        if not migration:  # nothing was begun
            lane.assert_as_before()
        elif t.then == 'resume':
            self.finish(lane, migration)
            self.back(lane, migration)
        else:
            r = lane.run('rollback', migration)
            assert r.status in (0, 3), r
            lane.assert_as_before(migration)

    def try_rollback(self, lane, t):
        """The rollback itself is killed, and repeated."""
        if t.middle == 'completed':
            lane.run('migrate-server', lane.name).expect(0)
        else:
            assert lane.run('migrate-server', lane.name, at=t.middle).status == KILLED
        migration = lane.new_migration()
        self.killed(lane, t, ('rollback', migration), t.point)
        r = lane.run('rollback', migration)
        assert r.status in (0, 3), r
        lane.assert_as_before(migration)

    def try_twice(self, lane, t):
        """Killed, resumed, killed again, resumed."""
        self.killed(lane, t, ('migrate-server', lane.name), t.point)
        migration = lane.new_migration()
        self.killed(lane, t, ('resume', migration), t.second)
        self.finish(lane, migration)
        self.back(lane, migration)

    def try_cleanup(self, lane, t):
        lane.run('migrate-server', lane.name).expect(0)
        migration = lane.new_migration()
        self.killed(lane, t, ('cleanup', migration), t.point)
        assert lane.run('cleanup', migration).status in (0, 3)
        self.discard(lane)
        lane.assert_as_before(migration)

    def disturbed(self, lane, disturb):
        """A migration in the middle of which something happens to its conversion hosts."""
        run = lane.start('migrate-server', lane.name, '--limit', '6M')
        disturb(run)
        migration = lane.new_migration()
        r = run.end()
        if r.status != 0:
            r.expect(1).says('resume ' + migration)
            self.finish(lane, migration)
        else:
            lane.assert_moved(migration, self.reference)
        self.back(lane, migration)

    def try_agents(self, lane, t):
        side, name = t.point.split()
        cloud = {'src': self.src, 'dst': self.dst}[side]
        words = next(w for c, n, w in PROCESSES if (c, n) == (side, name))

        def disturb(run):
            if name != 'digest':
                run.copying()
            pids = wait_for('a process ' + ' '.join(words), lambda: processes(host_id(cloud), *words), 60, 0.01)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.disturbed(lane, disturb)

    def try_reboot(self, lane, t):
        cloud = {'src': self.src, 'dst': self.dst}[t.point.split()[-1]]

        def disturb(run):
            run.copying()
            cloud.api.compute.reboot_server(host_id(cloud), 'HARD')
            wait_for('it reboots', lambda: cloud.api.compute.get_server(host_id(cloud)).status != 'ACTIVE', 30, 0.1)
            wait_for('it is back', lambda: cloud.api.compute.get_server(host_id(cloud)).status == 'ACTIVE')
        self.disturbed(lane, disturb)

    # ------------------------------------------------------------ running
    def one(self, lane, t):
        started = time.monotonic()
        try:
            self.attempt(lane, t)
            t.ok = True
        except Exception as e:  # noqa: BLE001 - all that can go wrong is a failed try
            t.ok, t.why = False, str(e) or traceback.format_exc()
        t.seconds = time.monotonic() - started
        with self.print_lock:
            self.show(t)
            self.done.append(t)
            self.write(time.monotonic() - self.began)
        if not t.ok:
            try:
                lane.new_migration()
                for r in lane.rows():
                    if r['state'] not in ('rolled-back', 'cleaned'):
                        lane.run('rollback', r['id'])
                lane.assert_as_before()
            except Exception:  # noqa: BLE001
                lane.rebuild()

    def show(self, t):
        mark = 'survived' if t.ok and t.reached else 'survived (point not passed)' if t.ok else 'FAILED'
        print('%-8s | %-88s | %-8s | %5.1f s | %s' % (t.kind, t.text(), t.then, t.seconds, mark), flush=True)
        if not t.ok:
            print('    ' + t.why.replace('\n', '\n    '), flush=True)

    def survived(self):
        return len(self.earlier) + sum(t.ok for t in self.done)

    def read(self):
        """What --continue continues, the seed with it: some tries are chosen with it."""
        with open(self.options.json, encoding='utf-8') as f:
            kept = json.load(f)
        self.options.seed = kept['seed']
        self.random = random.Random(kept['seed'])
        self.earlier = {(t['kind'], t['point'], t['then']): t for t in kept['tries'] if t['survived']}

    def write(self, seconds):
        """After each try: this process may be killed, too."""
        if not self.options.json:
            return
        with open(self.options.json + '.new', 'w', encoding='utf-8') as f:
            json.dump({'seed': self.options.seed, 'whole': self.total, 'survived': self.survived(),
                       'seconds': round(seconds), 'tries': list(self.earlier.values()) +
                       [t.json() for t in self.done]}, f, indent=1, ensure_ascii=False)
        os.replace(self.options.json + '.new', self.options.json)

    def work(self, lane, todo):
        while True:
            try:
                t = todo.get_nowait()
            except queue.Empty:
                return
            if self.options.seconds and time.monotonic() - self.began > self.options.seconds:
                continue
            self.one(lane, t)

    def run(self, lanes, tries):
        self.began = time.monotonic()
        alone = [t for t in tries if t.kind in ('agents', 'reboot')]
        for group, some in (([t for t in tries if t not in alone], lanes), (alone, lanes[:1])):
            todo = queue.Queue()
            for t in group:
                todo.put(t)
            threads = [threading.Thread(target=self.work, args=(lane, todo)) for lane in some]
            for t in threads:
                t.start()
            for t in threads:
                t.join()


def tidy(cloud, migrations):
    """What another run left, but the conversion hosts and their network."""
    o = cloud.api
    servers = [s for s in o.compute.servers() if s.name.startswith(PREFIX + 'server-')]
    for s in servers:
        o.compute.unlock_server(s)
        o.compute.delete_server(s)
    for s in servers:
        o.compute.wait_for_delete(s, interval=0.3, wait=120)
    for p in o.network.ports(project_id=o.current_project_id):
        if p.name.startswith(PREFIX + 'server-'):
            for ip in o.network.ips(port_id=p.id):
                o.network.delete_ip(ip)
            o.network.delete_port(p)
    for g in [g for g in o.compute.server_groups() if g.name.startswith(PREFIX + 'server-')]:
        o.compute.delete_server_group(g)
    for k in [k for k in o.compute.keypairs() if k.name.startswith(PREFIX + 'server-')]:
        o.compute.delete_keypair(k)

    def ours(x):
        return (x.name or '').startswith((PREFIX + 'server-', PREFIX + 'base-')) or \
            x.metadata.get('osm.migration') in migrations

    for v in o.block_storage.volumes():
        for a in v.attachments if ours(v) else ():
            o.compute.delete('/servers/%s/os-volume_attachments/%s' % (a['server_id'], v.id))
    wait_for('volumes are free', lambda: not any(v.attachments for v in o.block_storage.volumes() if ours(v)))
    for some in (lambda: [('volumes', v) for v in o.block_storage.volumes() if ours(v) and v.snapshot_id],
                 lambda: [('snapshots', s) for s in o.block_storage.snapshots() if ours(s)],
                 lambda: [('volumes', v) for v in o.block_storage.volumes() if ours(v)]):
        for kind, x in some():
            cloud.admin.block_storage.post('/%s/%s/action' % (kind, x.id), json={'os-force_delete': {}})
        wait_for('they are gone', lambda: not some())


def besides(clouds, lanes):
    """What there is in each cloud that is not of a lane: those that were rebuilt have other ids now."""
    found = side_by_side(*[lambda c=c: inventory(c) for c in clouds])
    return [set(has.items()) - {x for lane in lanes for x in lane.mine()[i].items()} - {
        (('floating ip', ip.id), ip.floating_ip_address) for lane in lanes for ip in lane.floating_ips(cloud)}
        for i, (cloud, has) in enumerate(zip(clouds, found))]


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument('--points', type=int, default=0)
    p.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 31))
    p.add_argument('--kinds', default='')
    p.add_argument('--only', default='')
    p.add_argument('--lanes', type=int, default=3)
    p.add_argument('--seconds', type=int, default=0)
    p.add_argument('--mebibytes', type=int, default=24)
    p.add_argument('--json', default='')
    p.add_argument('--continue', dest='go_on', action='store_true')
    p.add_argument('--folder', default='')
    p.add_argument('--shuffle', action='store_true')
    p.add_argument('--list', action='store_true')
    p.add_argument('--keep', action='store_true')
    return p.parse_args()


def main():
    options = arguments()
    clouds = side_by_side(lambda: Cloud('src'), lambda: Cloud('dst'))
    folder = options.folder or tempfile.mkdtemp(prefix='osm-crash.')
    os.makedirs(folder, exist_ok=True)
    m = Matrix(options, clouds, Path(folder))
    if options.go_on and os.path.exists(options.json):
        m.read()
    print('seed %d' % options.seed, flush=True)
    first = time.monotonic()
    known = {r['id'] for r in m.osm().migrations()} if options.keep else set()
    side_by_side(*[lambda c=c: tidy(c, known) if options.keep else purge(c) for c in clouds])
    empty = [inventory(c) for c in clouds]
    m.hosts()
    print('conversion hosts deployed in %.0f s' % (time.monotonic() - first), flush=True)
    base = m.surroundings()
    number = min(options.lanes, options.points or options.lanes)
    lanes = side_by_side(*[lambda i=i: Lane(i, clouds, base, m.osm()) for i in range(number)])
    quiet = besides(clouds, lanes)
    m.trace_all(lanes)
    tries = m.all_tries()
    print('%d points of %s, %d tries in the whole matrix, %d of them now; set up in %.0f s' % (
        sum(len(p) for p in m.points.values()), ', '.join(m.points), m.total, len(tries),
        time.monotonic() - first), flush=True)
    if options.list:
        for t in tries:
            print(t.kind, '|', t.text(), '|', t.then)
        tries = []
    m.run(lanes, tries)
    left = [k for a, b in zip(besides(clouds, lanes), quiet) for k in a ^ b]
    if not options.keep:
        m.osm().run('delete-conversion-hosts', '--force')
        for c in clouds:
            assert not osm_left(c), c.name
        side_by_side(*[lambda c=c: purge(c) for c in clouds])
        if os.environ.get('OSM_CONVERSION_IMAGE'):
            delete_images(clouds)
        left += [k for a, b in zip([inventory(c) for c in clouds], empty) for k in a.items() ^ b.items()]
    passed, failed = sum(t.ok for t in m.done), sum(not t.ok for t in m.done)
    if left:
        print('left over or lost: %s' % left)
        failed += 1
    print('%d tried, %d survived, %d left over, seed %d, %.0f s' % (len(m.done), passed, len(left), options.seed,
                                                                  time.monotonic() - first))
    print('of the whole matrix of %d tries %d survived so far' % (m.total, m.survived()))
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not (m.done or m.earlier or options.list) else 0


if __name__ == '__main__':
    sys.exit(main())
