# SPDX-License-Identifier: Apache-2.0
"""The program under test, and what a test compares before and after it ran."""
import json
import os
import re
import signal
import subprocess
import time

import yaml

from cloudlib import side_by_side

# Names of all that a suite makes: suites with names of their own leave each other's objects alone.
PREFIX = os.environ.get('OSM_E2E_PREFIX', 'e2e-')
PAIR = PREFIX + 'conversion'
# Names of objects in the tenants that belong to somebody else who works with the same lab.
FOREIGN = re.compile(os.environ.get('OSM_E2E_IGNORE') or r'(?!)')


def controller_path():
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    for folder in (os.environ.get('OSM_BUILD'), top, top + '/_build'):
        if folder and os.access(folder + '/osm-controller', os.X_OK):
            os.environ.setdefault('OSM_DATADIR', top)
            return folder + '/osm-controller'
    return '/usr/bin/osm-controller'


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.events = []
        for line in out.splitlines():
            try:
                self.events.append(json.loads(line))
            except ValueError:
                pass

    def __repr__(self):
        return 'exit status %d\n--- stdout\n%s\n--- stderr\n%s' % (self.status, self.out[-4000:], self.err[-4000:])

    def findings(self):
        return {e['id']: e for e in self.events if e.get('event') == 'finding'}

    def result(self):
        found = [e for e in self.events if e.get('event') == 'result']
        assert found, self
        return found[-1]

    def expect(self, status):
        assert self.status == status, 'expected exit status %d: %r' % (status, self)
        return self

    def says(self, *words):
        """Every word is in what went to stderr, or in a finding."""
        text = self.err + json.dumps([f for f in self.events if f.get('event') == 'finding'], ensure_ascii=False)
        for word in words:
            assert word in text, '%r is not said: %r' % (word, self)
        return self


class Running:
    """An osm-controller with --output json in another process; its events are read one by one."""

    def __init__(self, argv, env):
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=env, text=True)
        self.lines = []

    def until(self, what, wanted):
        """The first event that is wanted; fails if the program ends before."""
        for line in self.process.stdout:
            self.lines.append(line)
            event = json.loads(line)
            if wanted(event):
                return event
        raise AssertionError('ended before %s: %r' % (what, self.end()))

    def copying(self, some=1):
        """Until bytes were copied, and not all."""
        return self.until('the copy', lambda e: e.get('event') == 'progress' and e['phase'] == 'copy' and
                          some <= e['done_bytes'] < e['size_bytes'])

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        rest, err = self.process.communicate(timeout=300)
        return Result(self.process.returncode, ''.join(self.lines) + rest, err)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        return self.end()


class Osm:
    seconds = 240  # for a command

    def __init__(self, folder, clouds_file, controller=None, image='osm-conversion-host'):
        self.folder, self.clouds_file = str(folder), str(clouds_file)
        self.controller = controller or controller_path()
        self.state_dir = self.folder + '/state'
        self.base = {'source': {'cloud': 'src'}, 'destination': {'cloud': 'dst'}, 'state_dir': self.state_dir,
                     # Most tests compare volumes bit by bit.
                     'copy': {'sparse': 'off'},
                     'conversion_hosts': {'name': PAIR, 'image': image, 'flavor': 'osm.conversion'}}
        self.nr = 0

    def config(self, **changes):
        """A configuration file: the usual one with these top-level keys replaced."""
        self.nr += 1
        path = '%s/osm-%d.yaml' % (self.folder, self.nr)
        with open(path, 'w') as f:
            yaml.safe_dump(dict(self.base, **changes), f)
        return path

    def argv(self, words, config, changes):
        return [self.controller, '--config', config or self.config(**changes), '--output', 'json', *words]

    def env(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(('OS_', 'OSM_'))}
        return dict(env, OS_CLIENT_CONFIG_FILE=self.clouds_file, OSM_DATADIR=os.environ.get('OSM_DATADIR', ''))

    def run(self, *words, config=None, **changes):
        r = subprocess.run(self.argv(words, config, changes), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, env=self.env(), text=True, timeout=self.seconds)
        return Result(r.returncode, r.stdout, r.stderr)

    def start(self, *words, config=None, **changes):
        return Running(self.argv(words, config, changes), self.env())

    def migrations(self):
        """Newest first."""
        return json.loads(self.run('list').expect(0).out)


# ------------------------------------------------------------------ before and after
def inventory(cloud):
    """Everything that the tenant has, {(kind, id): name}, but what is foreign."""
    o, project = cloud.api, cloud.api.current_project_id
    foreign = {n.id for n in o.network.networks(project_id=project) if FOREIGN.search(n.name or '')}
    kinds = {'server': o.compute.servers(), 'volume': o.block_storage.volumes(), 'snapshot': o.block_storage.snapshots(),
             'port': (p for p in o.network.ports(project_id=project)
                      if p.network_id not in foreign),
             'network': o.network.networks(project_id=project), 'subnet': (
                 s for s in o.network.subnets(project_id=project) if s.network_id not in foreign),
             'router': o.network.routers(project_id=project),
             'security group': o.network.security_groups(project_id=project),
             'key pair': o.compute.keypairs(), 'server group': o.compute.server_groups(),
             'image': o.image.images(owner=project)}
    found = {(kind, x.id or x.name): x.name for kind, items in kinds.items() for x in items
             if not FOREIGN.search(x.name or '')}
    foreign_ports = {p.id for p in o.network.ports(project_id=project) if p.network_id in foreign}
    found.update({('floating ip', x.id): x.floating_ip_address for x in o.network.ips(project_id=project)
                  if x.port_id not in foreign_ports and not FOREIGN.search(x.description or '')})
    return found


def without(obj, *keys):
    if isinstance(obj, dict):
        return {k: without(v, *keys) for k, v in obj.items() if k not in keys}
    if isinstance(obj, list):
        return [without(x, *keys) for x in obj]
    return obj


def get(proxy, path, **args):
    answer = proxy.get(path, **args)
    assert answer.ok, '%s: %s' % (path, answer.text)
    return answer.json()


def server_state(cloud, server_id):
    """All that the APIs say about a server, its volumes and ports, without what changes when a volume is attached
    anew or a server starts again: time stamps, ids of attachments, revision numbers."""
    o = cloud.api
    server = get(o.compute, '/servers/' + server_id, microversion='2.79')['server']
    attachments = get(o.compute, '/servers/%s/os-volume_attachments' % server_id,
                      microversion='2.79')['volumeAttachments']
    volumes = {a['volumeId']: get(o.block_storage, '/volumes/' + a['volumeId'])['volume'] for a in attachments}
    ports = {p.id: get(o.network, '/ports/' + p.id)['port'] for p in o.network.ports(device_id=server_id)}
    state = {'server': server, 'attachments': sorted(attachments, key=lambda a: a['device']),
             'volumes': volumes, 'ports': ports}
    # Nova lists volumes_attached in the order of attaching, which is that of the devices.
    return without(state, 'updated', 'updated_at', 'OS-SRV-USG:launched_at', 'attachment_id', 'attached_at',
                   'revision_number', 'progress', 'OS-EXT-STS:task_state', 'links')


def differences(now, wanted, path=''):
    """Where two answers differ, a line each."""
    if isinstance(now, dict) and isinstance(wanted, dict):
        return [line for k in sorted({*now, *wanted})
                for line in differences(now.get(k), wanted.get(k), '%s/%s' % (path, k))]
    if isinstance(now, list) and isinstance(wanted, list) and len(now) == len(wanted):
        return [line for i, (a, b) in enumerate(zip(now, wanted)) for line in differences(a, b, '%s/%d' % (path, i))]
    return [] if now == wanted else ['%s: %r, should be %r' % (path, now, wanted)]


def assert_server_state(cloud, server_id, wanted):
    """Ports of a server that was started a moment ago become ACTIVE a moment later: so within some seconds."""
    end = time.monotonic() + 30
    while server_state(cloud, server_id) != wanted and time.monotonic() < end:
        time.sleep(0.5)
    found = differences(server_state(cloud, server_id), wanted)
    assert not found, '\n'.join(found)


def sums(cloud, volumes):
    """{name: SHA-256} of {name: volume id}."""
    return dict(zip(volumes, side_by_side(*[lambda v=v: cloud.sha256(v) for v in volumes.values()])))


def copies_of(cloud, volumes):
    """{name: volume id} of the volumes in that cloud with these names."""
    return {v.name: v.id for v in cloud.api.block_storage.volumes() if v.name in volumes}


def volumes_of(cloud, server_id):
    """Cinder's words about the server's volumes, in the order of the devices, with device and
    delete_on_termination."""
    return [dict(get(cloud.api.block_storage, '/volumes/' + v)['volume'], device=d, delete_on_termination=flag)
            for d, v, flag in cloud.attachments(server_id)]


def own(metadata):
    return {k: v for k, v in metadata.items() if not k.startswith('osm.')}


def host_id(cloud):
    return next(s.id for s in cloud.api.compute.servers()
                if s.metadata.get('osm.pair') == PAIR and s.metadata.get('osm.role') == 'conversion-host')


# ------------------------------------------------------------------ processes in a server of the lab
def processes(server_id, *words):
    """Pids of the processes in that server whose command line begins with the words."""
    children, commands = {}, {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        try:
            with open('/proc/%s/cmdline' % entry, 'rb') as f:
                commands[int(entry)] = f.read().decode(errors='replace').split('\0')
            with open('/proc/%s/stat' % entry) as f:
                parent = int(f.read().rsplit(')', 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry))
    def is_guest(argv):
        return any('guest-run' in word for word in argv)

    todo = [p for p, argv in commands.items() if is_guest(argv) and any(server_id in word for word in argv)]
    found = []
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        argv = commands.get(pid, [''])
        if not is_guest(argv) and (os.path.basename(argv[0]), *argv[1:len(words)]) == words:
            found.append(pid)
    return found


def kill_processes(cloud, *words):
    """SIGKILL to such processes of the conversion host."""
    pids = processes(host_id(cloud), *words)
    assert pids, 'no process with %s' % (words,)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
