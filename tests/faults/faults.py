#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Migrations through a proxy that fails requests to the clouds' APIs. Run it inside the lab: tests/lab/lab exec.

Environment: POINTS=n: a random sample: n single faults in a migration, one for good, one of a driver, and a migration
under random ones; SEED=s; FAULTS_POINT=name,...: only these; FAULTS_LOG=file: all that osm said; CHAOS=n migrations;
ONLY=words: of transient, permanent, rollback, behind, drivers, chaos; OSM_BUILD, OSM_DATADIR, OSM_CONVERSION_IMAGE."""
import os
import random
import re
import sys
import time
import traceback

from faultlib import SERVER, Table, world, STATE
import labfault
from proxy import Chaos, Proxy, REQUEST_ID, Rule

ID = '/[0-9a-f-]{36}'
ATTACHMENTS = '^/servers%s/os-volume_attachments' % ID
#: name: cloud, service, method, path, action, nth: the requests of a migration of a server that runs
POINTS = {
    'src token': ('src', 'identity', 'POST', '^/auth/tokens$'),
    'src compute versions': ('src', 'compute', 'GET', '^/$'),
    'src look at server': ('src', 'compute', 'GET', '^/servers%s$' % ID),
    'src find host': ('src', 'compute', 'GET', '^/servers/detail$'),
    'src claim': ('src', 'compute', 'POST', '/metadata$'),
    'src record of actions': ('src', 'compute', 'GET', '/os-instance-actions$'),
    'src stop': ('src', 'compute', 'POST', '/action$', 'os-stop'),
    'src snapshot': ('src', 'volume', 'POST', '^/snapshots$'),
    'src wait for snapshot': ('src', 'volume', 'GET', '^/snapshots%s$' % ID),
    'src clone': ('src', 'volume', 'POST', '^/volumes$'),
    'src look at volume': ('src', 'volume', 'GET', '^/volumes%s$' % ID, None, 4),
    'src mark home': ('src', 'volume', 'PUT', '/metadata/osm.home$'),
    'src detach': ('src', 'compute', 'DELETE', ATTACHMENTS),
    'src attach': ('src', 'compute', 'POST', ATTACHMENTS),
    'src attach to host': ('src', 'compute', 'POST', ATTACHMENTS, None, 2),
    'src lock': ('src', 'compute', 'POST', '/action$', 'lock'),
    'src unlock': ('src', 'compute', 'POST', '/action$', 'unlock'),
    'src detach from host': ('src', 'compute', 'DELETE', ATTACHMENTS, None, 3),
    'src delete clone': ('src', 'volume', 'DELETE', '^/volumes%s$' % ID),
    'src delete snapshot': ('src', 'volume', 'DELETE', '^/snapshots%s$' % ID),
    'src give back': ('src', 'compute', 'POST', ATTACHMENTS, None, 3),
    'src unmark home': ('src', 'volume', 'DELETE', '/metadata/osm.home$'),
    'src unclaim': ('src', 'compute', 'DELETE', '/metadata/osm.migration$'),
    'dst token': ('dst', 'identity', 'POST', '^/auth/tokens$'),
    'dst volume versions': ('dst', 'volume', 'GET', '^/$'),
    'dst create volume': ('dst', 'volume', 'POST', '^/volumes$'),
    'dst look at volume': ('dst', 'volume', 'GET', '^/volumes%s$' % ID),
    'dst bootable': ('dst', 'volume', 'POST', '/action$', 'os-set_bootable'),
    'dst image metadata': ('dst', 'volume', 'POST', '/action$', 'os-set_image_metadata'),
    'dst attach': ('dst', 'compute', 'POST', ATTACHMENTS),
    'dst detach': ('dst', 'compute', 'DELETE', ATTACHMENTS),
    'dst create port': ('dst', 'network', 'POST', '^/ports$'),
    'dst tag port': ('dst', 'network', 'PUT', '^/ports%s/tags$' % ID),
    'dst describe port': ('dst', 'network', 'PUT', '^/ports%s$' % ID),
    'dst create server': ('dst', 'compute', 'POST', '^/servers$'),
    'dst look at server': ('dst', 'compute', 'GET', '^/servers%s$' % ID, None, 3),
    'dst termination flag': ('dst', 'compute', 'PUT', ATTACHMENTS),
}
KINDS = Chaos.KINDS
GETS_OBJECT = {n for n, p in POINTS.items() if p[2] == 'GET' and p[3].endswith(ID + '$')}
#: those after which nothing has happened yet: there is no migration to roll back
BEFORE = {'src token', 'dst token', 'src compute versions', 'dst volume versions', 'src look at server', 'src find host'}
#: in a rollback of a migration that failed at src unlock: everything is away and locked
UNDO = {
    'src unlock': ('src', 'compute', 'POST', '/action$', 'unlock'),
    'src detach from host': ('src', 'compute', 'DELETE', ATTACHMENTS),
    'src delete clone': ('src', 'volume', 'DELETE', '^/volumes%s$' % ID),
    'src delete snapshot': ('src', 'volume', 'DELETE', '^/snapshots%s$' % ID),
    'src give back': ('src', 'compute', 'POST', ATTACHMENTS),
    'src unmark home': ('src', 'volume', 'DELETE', '/metadata/osm.home$'),
    'src start': ('src', 'compute', 'POST', '/action$', 'os-start'),
    'src unclaim': ('src', 'compute', 'DELETE', '/metadata/osm.migration$'),
    'dst detach': ('dst', 'compute', 'DELETE', ATTACHMENTS),
    'dst delete volume': ('dst', 'volume', 'DELETE', '^/volumes%s$' % ID),
}


def rule(fault, point, count, table=POINTS, **args):
    words = table[point]
    cloud, service, method, path, action, nth = words + (None, 1)[len(words) - 4:]
    return Rule(fault, cloud, service, method, path, action, nth, count, **args)


def suits(point, kind):
    if 'token' in point:
        return kind in Chaos.AUTHENTICATION
    return kind != 'error' or point in GETS_OBJECT


class Suite:
    def __init__(self, w, seed):
        self.w, self.table, self.seed, self.rng = w, Table(), seed, random.Random(seed)
        config = w.clouds_config['clouds']
        self.proxy = Proxy({c: config[c]['auth']['auth_url'] for c in ('src', 'dst')})
        self.through = w.clouds_file('proxied.yaml', {c: self.proxy.auth_url(c) for c in ('src', 'dst')})
        w.osm.clouds_file = self.through

    def osm(self, *words):
        began = time.monotonic()
        r = self.w.osm.run('-vv', *words)
        if os.environ.get('FAULTS_LOG'):
            with open(os.environ['FAULTS_LOG'], 'a') as f:
                f.write('==== %s: status %d, %.1f s\n%s\n%s\n' % (words, r.status, time.monotonic() - began, r.out, r.err))
        return r

    def said(self, r):
        """What the operator sees without -vv."""
        return '\n'.join(line for line in r.err.splitlines() if not re.match(r'^\S*(debug|info)\S*:? ', line))

    def back(self):
        """No fault any more: everything as it was. An error text or None."""
        self.proxy.clear()
        migration = self.w.last_id()
        if migration:
            r = self.osm('rollback', migration)
            if r.status != 0:
                return 'rollback: %s' % self.short(r)
        try:
            self.w.assert_as_before()
        except AssertionError as e:
            return 'after the rollback: %s' % str(e)[:1500]
        return None

    def short(self, r):
        errors = [line for line in r.err.splitlines() if 'debug' not in line]
        return 'status %d: %s' % (r.status, '\n    '.join(errors[-6:])[-1500:])

    def migrated(self, r):
        try:
            assert r.status == 0, self.short(r)
            self.w.assert_migrated(r.result())
        except AssertionError as e:
            return str(e)[:1500]
        return None

    def end_of(self, what, began):
        if self.proxy.errors:
            raise SystemExit('the proxy itself failed: %s' % self.proxy.errors)
        print('# %-70s %5.1f s' % (what, time.monotonic() - began), flush=True)

    # ---------------------------------------------------------------- transient
    def transient(self, pairs):
        """Single faults that go away: many of them in one migration, each at another request."""
        todo = list(pairs)
        while todo:
            this, rest = {}, []
            for point, kind in todo:
                (this.__setitem__(point, kind) if point not in this else rest.append((point, kind)))
            reached = self.transient_migration(this)
            if not reached:
                break
            todo = rest + [(p, k) for p, k in this.items() if p not in reached]

    @staticmethod
    def is_named(error, one):
        """Does the message speak of the request that the rule failed?"""
        return any(one.cloud == cloud and one.service == service and one.method in (None, method) and
                   one.path.search(path.split('?')[0].rstrip(':'))
                   for cloud, service, method, path in
                   re.findall(r"cloud '(\w+)': (\w+): (GET|PUT|POST|DELETE) (/\S*)", error))

    def transient_migration(self, faults):
        began = time.monotonic()
        rules = {}
        for point, kind in faults.items():
            # Once or twice; a revoked token stays so, and an error is believed when it is there twice.
            count = 1 if kind in ('token', 'error', 'timeout', 'timeout-after') else self.rng.choice((1, 2))
            rules[point] = self.proxy.add(rule(kind, point, count))
        r = self.osm('migrate-server', SERVER)
        last = self.proxy.log[-1] if self.proxy.log else None
        hit = [p for p in faults if rules[p].hits]
        error = self.migrated(r)
        wrong = self.back()
        blamed = [p for p in hit if error and self.is_named(error, rules[p])] or \
            [p for p in hit if error and last and rules[p].path.search(last.path) and
             rules[p].cloud == last.cloud and rules[p].method == last.method]
        for point in hit:
            self.table.point('once or twice, ' + point,
                             '%s: %s' % (faults[point], error) if point in blamed else None)
        if error and not blamed:
            self.table.point('a migration under single faults', error)
        if wrong:
            self.table.point('rollback of a migration under single faults', wrong)
        if not error:
            for point in set(faults) - set(hit):
                self.table.point('once or twice, ' + point, '%s: the request never came' % faults[point])
            hit = list(faults)
        self.end_of('%d single faults in a migration, %d answered' % (len(faults), len(hit)), began)
        return hit

    # ---------------------------------------------------------------- permanent
    def assert_clean(self, r, point, kind, migration):
        cloud = 'src' if point.startswith('src') else 'dst'
        text = self.short(r)
        # What is missing before anything has begun may also be a finding that blocks.
        assert r.status == 1 or (r.status == 4 and point in BEFORE), 'not status 1: ' + text
        assert "cloud '%s'" % cloud in text, 'does not say which cloud: ' + text
        if kind.startswith('http'):
            assert 'HTTP ' + kind.split('-')[1] in text, 'no reason: ' + text
            # Of what was asked for versions only the status is of interest.
            assert 'injected by the test' in text or 'versions' in point, 'not in its words: ' + text
        if kind.startswith('http') and 'token' not in point and 'versions' not in point:
            assert REQUEST_ID in text, 'no request id: ' + text
        if migration:
            assert 'rollback ' + migration in text, 'does not say what to do: ' + text

    def permanent(self, pairs):
        for point, kind in pairs:
            began = time.monotonic()
            self.w.osm.run('list')
            one = self.proxy.add(rule(kind, point, None))
            r = self.osm('migrate-server', SERVER)
            migration, error = self.w.last_id(), None
            try:
                assert one.hits, 'the request never came: ' + self.short(r)
                self.assert_clean(r, point, kind, migration)
                assert point in BEFORE or migration, 'no migration: ' + self.short(r)
            except AssertionError as e:
                error = '%s: %s' % (kind, e)
            wrong = self.back()
            self.table.point('for good, ' + point, error or (wrong and '%s: %s' % (kind, wrong)))
            self.end_of('%s for good at %s' % (kind, point), began)

    # ---------------------------------------------------------------- rollback
    def rollback(self, pairs):
        """A fault for good in the rollback: it says so, gives back what it can, and the next one ends it."""
        for point, kind in pairs:
            began = time.monotonic()
            self.proxy.add(rule('http-403', 'src unlock', None))
            self.osm('migrate-server', SERVER)
            migration, error = self.w.last_id(), None
            self.proxy.clear()
            one = self.proxy.add(rule(kind, point, None, UNDO))
            r = self.osm('rollback', migration)
            try:
                assert one.hits, 'the request never came: ' + self.short(r)
                self.assert_clean(r, point, kind, migration)
            except AssertionError as e:
                error = '%s: %s' % (kind, e)
            wrong = self.back()
            self.table.point('in the rollback, ' + point, error or (wrong and '%s: %s' % (kind, wrong)))
            self.end_of('%s in the rollback at %s' % (kind, point), began)

    # ---------------------------------------------------------------- behind osm's back
    def behind(self, names=None):
        dst, src = self.w.dst, self.w.src

        def is_ours(metadata):
            """Others may work in the same clouds."""
            return metadata.get('osm.migration') == self.w.last_id()

        def volumes_of_migration(cloud):
            return [v for v in cloud.admin.block_storage.volumes(details=True, all_projects=True)
                    if is_ours(v.metadata) and 'osm.home' not in v.metadata]

        def delete_copies(_):
            for v in volumes_of_migration(dst):
                dst.admin.block_storage.delete_volume(v)

        def delete_clone(_):
            for v in volumes_of_migration(src):
                src.admin.block_storage.delete_volume(v)
                src.admin.block_storage.wait_for_delete(v, interval=0.3)

        def delete_snapshot(request):
            for s in src.admin.block_storage.snapshots(details=True, all_projects=True):
                if is_ours(s.metadata):
                    src.admin.block_storage.delete_snapshot(s)
                    src.admin.block_storage.wait_for_delete(s, interval=0.3)

        def delete_ports(_):
            for p in dst.admin.network.ports():
                if 'osm.migration=%s' % self.w.last_id() in p.tags:
                    dst.admin.network.delete_port(p)

        def delete_server(_):
            for s in dst.admin.compute.servers(all_projects=True):
                if is_ours(s.metadata):
                    dst.admin.compute.delete_server(s)
                    dst.admin.compute.wait_for_delete(s, interval=0.3)

        cases = {'copies deleted before the server': ('dst create server', delete_copies),
                 'clone deleted before it is attached': ('src attach', delete_clone),
                 'snapshot deleted before it is cloned': ('src clone', delete_snapshot),
                 'ports deleted before the server': ('dst create server', delete_ports),
                 'new server deleted while it is built': ('dst look at server', delete_server)}
        for name in [n for n in cases if names is None or n in names]:
            began = time.monotonic()
            point, function = cases[name]
            one = self.proxy.add(rule('call', point, 1, function=function))
            r = self.osm('migrate-server', SERVER)
            migration, error = self.w.last_id(), None
            try:
                assert one.hits, 'the request never came: ' + self.short(r)
                self.assert_clean(r, point, 'behind', migration)
            except AssertionError as e:
                error = str(e)
            self.table.point('behind its back, ' + name, error or self.back())
            self.end_of(name, began)

    # ---------------------------------------------------------------- drivers
    #: name: cloud, operation, kind, nth, count, seconds, does it go away?
    DRIVERS = {
        'first attach at the source fails': ('src', 'attach', 'error', 1, 1, 0, True),
        'second attach at the destination fails': ('dst', 'attach', 'error', 2, 1, 0, True),
        'detach at the source fails once': ('src', 'detach', 'error', 1, 1, 0, True),
        'detach is slow': ('dst', 'detach', 'slow', 1, 1, 12, True),
        'snapshot ends in error': ('src', 'snapshot', 'error', 1, 1, 0, True),
        'clone ends in error': ('src', 'clone', 'error', 1, 1, 0, True),
        'new volume ends in error': ('dst', 'create', 'error', 1, 1, 0, True),
        'no new volume can be made': ('dst', 'create', 'error', 1, 0, 0, False),
        'no volume can be attached at the destination': ('dst', 'attach', 'error', 1, 0, 0, False),
        'new server cannot be built': ('dst', 'start', 'error', 1, 0, 0, False),
        'device never appears': ('dst', 'attach', 'missing', 1, 1, 0, False),
    }

    def drivers(self, names=None):
        names = list(self.DRIVERS) if names is None else names
        # Those that go away all in one migration: no two are of the same operation of a cloud.
        together = [n for n in names if self.DRIVERS[n][-1]]
        for group in ([together] if together else []) + [[n] for n in names if n not in together]:
            self.drivers_migration(group, group is together)

    def drivers_migration(self, names, goes_away):
        began = time.monotonic()
        folders = {c: '%s/%s/faults' % (STATE, c) for c in ('src', 'dst')}
        for name in names:
            cloud, operation, *numbers, _ = self.DRIVERS[name]
            labfault.set_fault(folders[cloud], operation, *numbers)
        try:
            r = self.osm('migrate-server', SERVER)
        finally:
            hits = {c: labfault.clear(folder) for c, folder in folders.items()}
        migration, error = self.w.last_id(), None
        if goes_away:
            error = self.migrated(r)
        else:
            cloud, _, kind, *_ = self.DRIVERS[names[0]]
            try:
                assert r.status == 1 and migration and 'rollback ' + migration in r.err, self.short(r)
                assert "cloud '%s'" % cloud in r.err or kind == 'missing', 'does not say which cloud: ' + self.short(r)
            except AssertionError as e:
                error = str(e)
        error = error or self.back()
        for name in names:
            cloud, operation = self.DRIVERS[name][:2]
            self.table.point('drivers, ' + name, error if hits[cloud][operation] else 'the driver was never asked')
        self.end_of('drivers, ' + '; '.join(names), began)

    # ---------------------------------------------------------------- random
    def chaos(self, nr, share=0.05):
        for i in range(nr):
            began = time.monotonic()
            self.proxy.chaos = chaos = Chaos('%s/%d' % (self.seed, i), share)
            r = self.osm('migrate-server', SERVER)
            resumes, error = 0, None
            while r.status != 0 and resumes < 3 and self.w.last_id():
                resumes += 1
                error = 'needed a resume after: ' + self.short(r)
                r = self.osm('resume', self.w.last_id())
            nr_injected, nr_requests = len(self.proxy.log), self.proxy.nr_requests
            if not nr_injected:
                error = 'no fault happened'
            failed = self.migrated(r)
            r = self.osm('rollback', self.w.last_id()) if self.w.last_id() else r
            if not failed and not error and r.status != 0:
                failed = 'rollback under faults: ' + self.short(r)
            wrong = self.back()
            self.table.point('%g %% of all requests' % (share * 100), failed or error or wrong)
            self.end_of('%d of %d requests failed, %d resumes' % (nr_injected, nr_requests, resumes), began)
            assert chaos.share


def main():
    seed = os.environ.get('SEED') or str(random.SystemRandom().randrange(10 ** 9))
    points = int(os.environ.get('POINTS') or 0)
    only = (os.environ.get('ONLY') or 'transient permanent rollback behind drivers chaos').split()
    print('SEED=%s' % seed, flush=True)
    rng = random.Random(seed)
    transient = [(p, k) for k in KINDS for p in POINTS if suits(p, k)]
    # Each migration takes one kind for each request, another one for each, so that all pairs come.
    rng.shuffle(transient)
    permanent, undo = [], []
    for i, p in enumerate(POINTS):
        kinds = [k for k in ('http-500', 'http-409', 'http-403', 'garble', 'truncate', 'http-503', 'redirect', 'error')
                 # What is made although its answer is garbled is found by its mark, and what a PUT says is not read.
                 if suits(p, k) and (k not in ('garble', 'truncate') or POINTS[p][2] == 'GET')]
        if 'token' in p:
            kinds = ['http-500', 'http-403', 'http-503']
        permanent.append((p, rng.choice(kinds)))
    for p in UNDO:
        undo.append((p, rng.choice(['http-500', 'http-409', 'http-403', 'http-503', 'redirect'])))
    behind = drivers = None
    if os.environ.get('FAULTS_POINT'):
        want = os.environ['FAULTS_POINT'].split(',')
        drivers, behind = [d for d in Suite.DRIVERS if d in want], want
        transient, permanent, undo = ([x for x in some if '%s=%s' % x in want or x[0] in want]
                                      for some in (transient, permanent, undo))
    nr_chaos = int(os.environ.get('CHAOS') or 6)
    if points:
        first = {}  # one migration takes any number of transient faults, at one request one
        for p, k in transient:
            first.setdefault(p, k)
        transient = rng.sample(list(first.items()), min(points, len(first)))
        permanent, undo = rng.sample(permanent, min(1, points)), rng.sample(undo, min(1, points))
        only = [o for o in only if o not in ('behind', 'rollback')]
        drivers, nr_chaos = rng.sample(list(Suite.DRIVERS), 1), 1
    with world() as w:
        suite = Suite(w, seed)
        try:
            if 'transient' in only:
                suite.transient(transient)
            if 'permanent' in only:
                suite.permanent(permanent)
            if 'rollback' in only:
                suite.rollback(undo)
            if 'behind' in only:
                suite.behind(behind)
            if 'drivers' in only:
                suite.drivers(drivers)
            if 'chaos' in only:
                suite.chaos(nr_chaos)
        except Exception:  # the table is wanted all the same
            traceback.print_exc()
            suite.table.point('the suite itself', 'ended early')
        finally:
            suite.proxy.close()
            w.osm.clouds_file = w.direct
    suite.table.point('left over', '; '.join(w.left) if w.left else None)
    suite.table.print()
    print('SEED=%s, %d left over' % (seed, len(w.left)))
    passed, failed = suite.table.totals()
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
