# SPDX-License-Identifier: Apache-2.0
"""Runs one OpenStack service in one process, or a zygote: a process that
imports a whole project once and forks the services of both clouds.

usage: lab _service SERVICE --config-file F...
       lab _service zygote PROJECT SPEC.json"""
import os
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DRIVERS = HERE + '/drivers'
CACHE = os.environ.get('OSM_LAB_CACHE', '/var/cache/osm-lab')

#: imported by the zygote in any case; the rest is recorded by the first run
ENTRY_MODULES = {
    'nova': ('nova.cmd.api_os_compute', 'nova.cmd.conductor', 'nova.cmd.scheduler',
             'nova.cmd.compute', 'nova.compute.manager', 'nova.conductor.manager',
             'nova.scheduler.manager', 'nova.api.openstack.compute', 'nova.virt.fake'),
    'cinder': ('cinder.cmd.api', 'cinder.cmd.scheduler', 'cinder.cmd.volume',
               'cinder.volume.manager', 'cinder.scheduler.manager', 'cinder.api.v3.router'),
    'neutron': ('neutron.cmd.eventlet.server', 'neutron.plugins.ml2.plugin',
                'neutron.services.l3_router.l3_router_plugin'),
    'glance': ('glance.cmd.api', 'glance.api.v2.router')}


def modules_file(project):
    return '%s/modules-%s.txt' % (CACHE, project)


def record_modules(service):
    """SIGRTMIN: append the names of the loaded modules (for the pre-import).
    Not SIGUSR2: that is oslo's report."""
    import signal

    def dump(*_):
        names = [m for m in list(sys.modules)
                 if not m.startswith(('__', 'osmlab', 'six.moves')) and 'labdriver' not in m
                 and 'labcinder' not in m and not m.startswith('labnova')]
        with open(modules_file(service.split('-')[0]), 'a') as f:
            f.write('\n'.join(names) + '\n')
    signal.signal(signal.SIGRTMIN, dump)


def nova_path():
    import nova.virt
    nova.virt.__path__.append(DRIVERS + '/nova_virt')
    sys.path.append(DRIVERS)


def nova(module):
    import importlib
    importlib.import_module('nova.monkey_patch')      # eventlet first
    if DRIVERS not in sys.path:
        nova_path()
    importlib.import_module('nova.cmd.' + module).main()


def cinder_api():
    import eventlet
    eventlet.monkey_patch()
    import cinder.cmd.api
    from cinder import service

    class InProcess:                    # instead of a forking launcher
        def launch_service(self, server, workers=1):
            service.serve(server)

        def wait(self):
            service.wait()
    service.process_launcher = InProcess
    cinder.cmd.api.main()


def cinder_scheduler():
    from cinder.cmd import scheduler
    scheduler.main()


def cinder_volume():
    if DRIVERS not in sys.path:
        sys.path.append(DRIVERS)
    import cinder.cmd.volume
    from cinder import service
    from oslo_config import cfg
    from oslo_service import service as oslo_service

    class InProcess:
        def __init__(self):
            self.launcher = None

        def launch_service(self, server, workers=1):
            if self.launcher is None:
                self.launcher = oslo_service.ServiceLauncher(cfg.CONF)
            self.launcher.launch_service(server)

        def wait(self):
            self.launcher.wait()
    service.get_launcher = InProcess
    cinder.cmd.volume.main()


def glance_api():
    import eventlet
    eventlet.patcher.monkey_patch()
    from glance.cmd import api
    api.main()


def neutron_server():
    import eventlet
    eventlet.monkey_patch()
    from neutron_lib.plugins import directory
    from neutron import service
    # RPC and the plugins' periodic workers in this very process
    service._get_rpc_workers = lambda plugin=None: [
        service.RpcWorker(directory.get_plugins().values(), worker_process_count=0)]
    get_plugins_workers = service._get_plugins_workers

    def in_process():
        workers = get_plugins_workers()
        for w in workers:
            w._worker_process_count = 0
        return workers
    service._get_plugins_workers = in_process
    from neutron.cmd.eventlet import server
    server.main()


def one_privsep():
    """One privileged daemon per agent instead of one per context (90 MB each).
    Before anything of neutron that uses the contexts is imported."""
    from neutron import privileged as p
    p.dhcp_release_cmd = p.ovs_vsctl_cmd = p.namespace_cmd = p.default
    p.conntrack_cmd = p.link_cmd = p.default


def privsep_helper():
    one_privsep()
    from oslo_privsep import daemon
    daemon.helper_main()


def neutron_lb():
    one_privsep()
    from neutron.cmd.eventlet.plugins import linuxbridge_neutron_agent
    from neutron.plugins.ml2.drivers.linuxbridge.agent import arp_protect
    # ebtables over nf_tables cannot delete the rules it made, and the agent
    # tries for a minute; iptables keeps wrong addresses out all the same
    for name in ('setup_arp_spoofing_protection', 'delete_arp_spoofing_protection',
                 'delete_unreferenced_arp_protection'):
        setattr(arp_protect, name, lambda *_: None)
    linuxbridge_neutron_agent.main()


def neutron_l3():
    one_privsep()
    from neutron.cmd.eventlet.agents import l3
    l3.main()


SERVICES = {
    'privsep-helper': privsep_helper,
    'nova-api': lambda: nova('api_os_compute'),
    'nova-conductor': lambda: nova('conductor'),
    'nova-scheduler': lambda: nova('scheduler'),
    'nova-compute': lambda: nova('compute'),
    'cinder-api': cinder_api, 'cinder-scheduler': cinder_scheduler,
    'cinder-volume': cinder_volume, 'glance-api': glance_api,
    'neutron-server': neutron_server, 'neutron-lb': neutron_lb, 'neutron-l3': neutron_l3}


def preimport(project, config_files):
    import importlib
    import gc
    import warnings
    warnings.simplefilter('ignore')
    if project == 'nova':
        importlib.import_module('nova.monkey_patch')
        nova_path()
    else:
        import eventlet
        eventlet.monkey_patch()
        if project == 'neutron':
            one_privsep()
    # some modules read the configuration when they are imported (spacing of
    # periodic tasks): parse it now, forget it again before forking
    from oslo_config import cfg
    cfg.CONF(config_files, project=project, default_config_files=[])
    cfg.CONF._args = None
    names = list(ENTRY_MODULES[project])
    try:
        with open(modules_file(project)) as f:
            names = list(dict.fromkeys(f.read().split())) + names
    except OSError:
        pass
    failed = 0
    for name in names:
        try:
            importlib.import_module(name)
        except BaseException:           # a module may even call sys.exit ()
            failed += 1
    cfg.CONF.clear()
    gc.collect()
    gc.freeze()
    return len(names), failed


def enter_host(netns):
    """The network namespace of a compute host, and a /sys that shows it.  Mounts
    still propagate: servers and agents share /run/netns."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    clone_newns, clone_newnet, ms_private = 0x20000, 0x40000000, 1 << 18
    fd = os.open('/run/netns/' + netns, os.O_RDONLY)
    if (libc.setns(fd, clone_newnet) or libc.unshare(clone_newns) or
            libc.mount(b'none', b'/sys', None, ms_private, None) or
            libc.mount(b'sysfs', b'/sys', b'sysfs', 0, None)):
        raise OSError(ctypes.get_errno(), 'cannot enter ' + netns)
    os.close(fd)


class Zygote:
    def __init__(self, project, todo):
        self.todo = todo
        self.children = {}
        self.failures = {}
        first = [a for s in todo for a in s['argv'][:2]][:2]
        from time import monotonic
        t = monotonic()
        n, failed = preimport(project, first)
        print('zygote %s: %d modules (%d failed) in %.1f s'
              % (project, n, failed, monotonic() - t), flush=True)
        from eventlet import patcher
        self.os, self.time, self.socket, self.signal = (
            patcher.original(m) for m in ('os', 'time', 'socket', 'signal'))

    def listening(self, ip, port):
        with self.socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex((ip, port)) == 0

    def start(self, spec):
        pid = self.os.fork()
        if pid:
            self.children[pid] = spec
            with open(spec['pidfile'], 'w') as f:
                f.write(str(pid))
            return
        try:
            self.os.setsid()
            self.signal.signal(self.signal.SIGTERM, self.signal.SIG_DFL)
            fd = self.os.open(spec['log'], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            self.os.dup2(fd, 1)
            self.os.dup2(fd, 2)
            if spec['netns']:
                enter_host(spec['netns'])
            sys.argv[:] = [spec['service']] + spec['argv']
            try:
                import setproctitle
                setproctitle.setproctitle(spec['name'])
            except ImportError:
                pass
            import eventlet.hubs
            eventlet.hubs.use_hub()
            import random
            random.seed()
            record_modules(spec['service'])
            SERVICES[spec['service']]()
        except SystemExit as e:
            self.os._exit(e.code if isinstance(e.code, int) else 1)
        except BaseException:
            import traceback
            traceback.print_exc()
            self.os._exit(1)
        self.os._exit(0)

    def terminate(self, *_):
        for pid in self.children:
            try:
                self.os.kill(pid, 9)
            except OSError:
                pass
        self.os._exit(0)

    def run(self):
        self.signal.signal(self.signal.SIGTERM, self.terminate)
        begin = self.time.time()
        while True:
            now = self.time.time()
            for spec in list(self.todo):
                if spec.get('not_before', 0) <= now and (
                        now - begin > 60 or all(self.listening(*a) for a in spec['after'])):
                    self.todo.remove(spec)
                    self.start(dict(spec, started=now))
            try:
                pid, status = self.os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid in self.children:
                self.ended(self.children.pop(pid), status)
            elif not pid:
                self.time.sleep(0.1 if self.todo else 0.3)

    def ended(self, spec, status):
        """Start it again, unless it keeps dying young."""
        now = self.time.time()
        name = spec['name']
        print('%s ended, status %d' % (name, status), flush=True)
        if now - spec['started'] > 30:
            self.failures[name] = 0
        self.failures[name] = self.failures.get(name, 0) + 1
        if self.failures[name] < 10:
            self.todo.append(dict(spec, not_before=now + (1 if self.failures[name] > 1 else 0)))


def main():
    name = sys.argv.pop(1)
    if name == 'zygote':
        import json
        with open(sys.argv[2]) as f:
            todo = json.load(f)
        Zygote(sys.argv[1], todo).run()
    else:
        sys.argv[0] = name
        SERVICES[name]()
