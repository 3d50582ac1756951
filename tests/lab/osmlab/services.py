# SPDX-License-Identifier: Apache-2.0
"""The services of the clouds: what they are called, how they are started,
whether they answer."""
import json
import os
import signal
import subprocess
import time

from osmlab import settings
from osmlab.namespace import enter, init_pid, log_file, log_tail, rpc, spawn
from osmlab.settings import LabError, PIDS, PROGRAM, STATE

PYTHON_SERVICES = ('neutron-server', 'nova-conductor', 'nova-api', 'cinder-api',
                   'glance-api', 'nova-scheduler', 'cinder-scheduler', 'cinder-volume',
                   'nova-compute', 'neutron-lb', 'neutron-l3')
#: one warm process each, from which the services of both clouds are forked
PROJECTS = ('nova', 'cinder', 'neutron', 'glance')


def _uwsgi(cloud, port, wsgi_file):
    # 'Connection: close': uwsgi's http-socket says HTTP/1.1 and closes all the same
    return ['uwsgi', '--plugins', 'python3', '--http-socket', '%s:%d' % (cloud.ip, port),
            '--wsgi-file', wsgi_file, '--master', '--processes', '1', '--threads', '6',
            '--enable-threads', '--lazy-apps', '--die-on-term', '--need-app',
            '--buffer-size', '65535', '--disable-logging', '--no-orphans',
            '--listen', '100', '--add-header', 'Connection: close']


def start_wsgi(cloud):
    etc = '%s/%s/etc' % (STATE, cloud.name)
    spawn(cloud.name + '-keystone',
          _uwsgi(cloud, settings.KEYSTONE, '/usr/bin/keystone-wsgi-public'),
          {'OS_KEYSTONE_CONFIG_FILES': etc + '/keystone/keystone.conf',
           'OS_KEYSTONE_CONFIG_DIR': etc + '/keystone'})
    spawn(cloud.name + '-placement',
          _uwsgi(cloud, settings.PLACEMENT, '/usr/bin/placement-api'),
          {'OS_PLACEMENT_CONFIG_DIR': etc + '/placement'})


def _config_files(cloud, service):
    names = {'glance-api': ['glance.conf'], 'nova-compute': ['nova-compute.conf'],
             'neutron-server': ['neutron.conf', 'ml2.conf'],
             'neutron-lb': ['neutron.conf', 'ml2.conf'],
             'neutron-l3': ['neutron.conf', 'ml2.conf', 'l3.conf']}
    argv = []
    for name in names.get(service, [service.split('-')[0] + '.conf']):
        argv += ['--config-file', '%s/%s/etc/%s' % (STATE, cloud.name, name)]
    return argv


def start_zygotes():
    os.makedirs(PIDS, exist_ok=True)
    for project in PROJECTS:
        todo = []
        for service in PYTHON_SERVICES:
            if service.split('-')[0] != project:
                continue
            for c in settings.CLOUDS:
                name = c.name + '-' + service
                # an agent that is up before the server waits for a 60 s time-out
                after = [[c.ip, settings.NEUTRON]] if service in ('neutron-lb', 'neutron-l3') else []
                todo.append({'name': name, 'service': service, 'after': after,
                             'argv': _config_files(c, service), 'log': log_file(name),
                             'pidfile': PIDS + '/' + name,
                             'netns': (settings.host_netns(c) if
                                       service in settings.HOST_SERVICES else None)})
        spec = '%s/zygote-%s.json' % (STATE, project)
        with open(spec, 'w') as f:
            json.dump(todo, f)
        spawn('zygote-' + project,
              ['/usr/bin/python3', PROGRAM + '/lab', '_service', 'zygote', project, spec])


def names():
    """Every service, by the name of its log."""
    return (['mariadb', 'rabbit'] + ['zygote-' + p for p in PROJECTS] +
            [c.name + '-' + s for c in settings.CLOUDS
             for s in ('keystone', 'placement') + PYTHON_SERVICES])


def states():
    """name -> (pid, running, restarts) of every service; pids of the lab's namespace."""
    result = {}
    for name, p in rpc(op='list').items():
        result[name] = (p['pid'], p['rc'] is None, p['restarts'])
    pids = {}
    for name in names():
        if name not in result:
            try:
                with open(PIDS + '/' + name) as f:
                    pids[name] = int(f.read())
            except (OSError, ValueError):
                pids[name] = 0
    proc = '/proc/%d/root/proc' % init_pid()
    for name, pid in pids.items():
        alive = False
        try:
            with open('%s/%d/stat' % (proc, pid)) as f:
                alive = f.read().rsplit(')', 1)[1].split()[0] != 'Z'
        except OSError:
            pass
        result[name] = (pid, alive, 0)
    return {n: result[n] for n in names() if n in result}


def listening(ip, port):
    return subprocess.run(
        ['nsenter', '-t', str(init_pid()), '-n', 'bash', '-c',
         'exec 3<>/dev/tcp/%s/%d' % (ip, port)], stderr=subprocess.DEVNULL).returncode == 0


def given_up(name):
    """Whether a service is dead and was so several times."""
    p = rpc(op='list').get(name)
    return p and p['rc'] is not None and p['restarts'] >= 3


def wait_port(name, ip, port, limit=120):
    deadline = time.time() + limit
    while not listening(ip, port):
        if time.time() > deadline or given_up(name):
            raise LabError('%s does not listen on %s:%d; end of its log (%s):\n%s'
                           % (name, ip, port, log_file(name), log_tail(name)))
        time.sleep(0.2)


def wait_http(name, address, limit=120):
    deadline = time.time() + limit
    while True:
        r = enter(['curl', '-s', '-o', '/dev/null', '-m', '5', '-w', '%{http_code}', address],
                  check=False, stdout=subprocess.PIPE, text=True)
        if r.stdout in ('200', '300'):
            return
        if time.time() > deadline or given_up(name):
            raise LabError('%s does not answer on %s (%s); end of its log (%s):\n%s'
                           % (name, address, r.stdout, log_file(name), log_tail(name)))
        time.sleep(0.3)


def wait_apis():
    ports = {settings.PLACEMENT: 'placement', settings.GLANCE: 'glance-api',
             settings.NOVA: 'nova-api', settings.CINDER: 'cinder-api',
             settings.NEUTRON: 'neutron-server'}
    for c in settings.CLOUDS:
        for port, service in ports.items():
            wait_port(c.name + '-' + service, c.ip, port)


def restart(name):
    """End one service; its parent starts it again with the present program."""
    now = states()
    if name not in now:
        raise LabError("no service '%s'; 'lab status' lists them" % name)
    if name.startswith('zygote-'):
        # on SIGTERM it ends the services it forked, then itself
        rpc(op='kill', name=name, sig=int(signal.SIGTERM))
        while rpc(op='list')[name]['rc'] is None:
            time.sleep(0.1)
        start_zygotes()
    elif name in rpc(op='list'):
        rpc(op='kill', name=name, sig=int(signal.SIGKILL), again=True)
    elif now[name][1]:
        enter(['kill', '-KILL', str(now[name][0])], check=False)
    deadline = time.time() + 30
    while time.time() < deadline:
        time.sleep(0.2)
        state = states()[name]
        if state[1] and state[0] != now[name][0]:
            return
    raise LabError('%s does not come back; end of its log:\n%s' % (name, log_tail(name)))
