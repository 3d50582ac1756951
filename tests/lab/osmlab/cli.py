# SPDX-License-Identifier: Apache-2.0
"""The command line of the lab."""
import fcntl
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from osmlab import settings
from osmlab.settings import BY_NAME, CLOUDS, LabError, STATE, say, warn

USAGE = '''\
usage: lab COMMAND

  up [--fresh]        start both clouds (idempotent); --fresh: forget the old state
  down                end everything, keep the state for the next up
  status              what runs; exit status 0 only if everything does
  exec CMD [ARG...]   run a command inside the lab (the clouds answer only there)
  reset               delete all objects of both tenants, restore their quotas
  restart SERVICE...  restart services with the present program, drivers, options
  fault CLOUD OPERATION error|slow|stuck|missing [NTH [COUNT [SECONDS]]]
                      the driver fails it, from the NTH (1) on, COUNT times (1; 0: always)
  fault list|clear    what is told to fail, and how often it did; end that
  logs [-f] [SERVICE] the end of a service's log; without SERVICE the log files
  install LIST...     install the Debian packages of list files; starts no service
  image               build the demo servers' image if needed, print its path
  save-template       keep the present state for later up --fresh (the first up does)
  wipe                down, and delete the state

Clouds in clouds.yaml: src, dst (tenants), src-admin, dst-admin.
Environment: OSM_LAB_STATE (/var/lib/osm-lab), OSM_LAB_CACHE (/var/cache/osm-lab).
'''


class Lock:
    """One lab command that changes things at a time."""

    def __enter__(self):
        os.makedirs(os.path.dirname(STATE), exist_ok=True)
        self.f = open(STATE + '.lock', 'w')
        try:
            fcntl.flock(self.f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another lab command")
            fcntl.flock(self.f, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.f.close()


def inner(*words, quiet=False):
    """A hidden command of this program, inside the lab."""
    from osmlab import namespace
    env = dict(os.environ, PYTHONUNBUFFERED='1')
    r = namespace.enter(['/usr/bin/python3', settings.SOURCE + '/lab', *map(str, words)],
                        check=False, env=env)
    if r.returncode:
        raise LabError("'%s' failed" % ' '.join(map(str, words)))


def up(fresh):
    from osmlab import configure, database, namespace, packages, services, template
    if fresh:
        down(quiet=True)
        shutil.rmtree(STATE, ignore_errors=True)
    os.makedirs(settings.LOGS, exist_ok=True)
    os.makedirs(settings.CACHE, exist_ok=True)
    packages.install(settings.CACHE + '/packages.log', packages.LIST)
    if namespace.init_pid() and all_up():
        say('already up')
        return
    first = not os.path.exists(template.INITIALISED)
    if first and not namespace.init_pid() and template.restore():
        first = False
    since = time.time()
    if not namespace.init_pid():
        namespace.install_program()
        namespace.start()
    database.start_mariadb()
    database.start_rabbit()
    for c in CLOUDS:
        configure.Configuration(c).all()
    configure.write_clouds_yaml()
    database.wait_mariadb()
    if first:
        first_databases()
    for c in CLOUDS:
        services.start_wsgi(c)
    services.wait_port('rabbit', settings.MESSAGES_IP, 5672)
    for c in CLOUDS:
        services.wait_http(c.name + '-keystone',
                           'http://%s:%d/v3' % (c.ip, settings.KEYSTONE))
    say('database, message queue, keystone up')
    if first:
        for c in CLOUDS:
            database.create_cell(c)
            inner('_identity', c.name)
    services.start_zygotes()
    services.wait_apis()
    say('all APIs listen')
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda c: inner('_ready', c.name, int(since), *(['first'] if first else [])),
                      CLOUDS))
    if first:
        with open(template.INITIALISED, 'w') as f:
            f.write('1\n')
        template.save()
    record_modules()
    say('up: export OS_CLIENT_CONFIG_FILE=%s; lab exec openstack --os-cloud src server list'
        % settings.CLOUDS_YAML)


def first_databases():
    from osmlab import database
    model, others = CLOUDS[0], CLOUDS[1:]
    database.create_databases(model)
    database.sync_schemas(model)
    for c in others:
        database.create_databases(c)
        database.copy_schemas(model, c)
    for c in CLOUDS:
        database.bootstrap_keystone(c)
    say('keystones bootstrapped')


def record_modules():
    """What the services have loaded is what later zygotes import at once."""
    from osmlab import namespace, service, services
    if all(os.path.exists(service.modules_file(p)) for p in services.PROJECTS):
        return
    for project in services.PROJECTS:
        try:
            os.unlink(service.modules_file(project))
        except FileNotFoundError:
            pass
    for name, (pid, running, _) in services.states().items():
        if running and name.split('-', 1)[-1] in services.PYTHON_SERVICES and \
                name.startswith(CLOUDS[0].name):
            namespace.enter(['bash', '-c', 'kill -RTMIN %d' % pid], check=False)


def all_up():
    from osmlab import services
    states = services.states()
    return all(n in states and states[n][1] for n in services.names()) and all(
        services.listening(c.ip, p) for c in CLOUDS
        for p in (settings.KEYSTONE,) + settings.API_PORTS)


def down(quiet=False):
    from osmlab import namespace
    namespace.stop()
    left = namespace.leftovers()
    for _ in range(20):
        if not left:
            break
        time.sleep(0.1)
        left = namespace.leftovers()
    if left:
        raise LabError('left behind: ' + ', '.join(left))
    if not quiet:
        say('down: no process, loop device, mount or network of the lab is left')


def status():
    from osmlab import namespace, services
    if not namespace.init_pid():
        print('down')
        return 1
    bad = 0
    states = services.states()
    for name in services.names():
        pid, running, restarts = states.get(name, (0, False, 0))
        bad += not running
        print('%-22s %-8s pid %-7d%s' % (name, 'running' if running else 'DEAD', pid,
                                         ' restarts %d' % restarts if restarts else ''))
    for c in CLOUDS:
        for port in (settings.KEYSTONE,) + settings.API_PORTS:
            if not services.listening(c.ip, port):
                bad += 1
                print('%s: nothing listens on %s:%d' % (c.name, c.ip, port))
    return 1 if bad else 0


def exec_(argv):
    from osmlab import namespace
    os.environ['OS_CLIENT_CONFIG_FILE'] = settings.CLOUDS_YAML
    command = namespace.enter_argv(argv, os.getcwd())
    sys.stdout.flush()
    os.execvp(command[0], command)


def reset():
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda c: inner('_reset', c.name), CLOUDS))


def restart(names):
    from osmlab import configure, namespace, services
    namespace.install_program()
    for c in CLOUDS:
        configure.Configuration(c).all()
    for name in names:
        services.restart(name)
        say(name, 'restarted')


def logs(argv):
    follow = '-f' in argv
    names = [a for a in argv if a != '-f']
    if not names:
        for f in sorted(os.listdir(settings.LOGS)):
            print(settings.LOGS + '/' + f)
        return 0
    paths = ['%s/%s.log' % (settings.LOGS, n) for n in names]
    return subprocess.run(['tail', '-n', '100'] + (['-f'] if follow else []) + paths).returncode


def fault(argv):
    """Faults of the drivers: see labfault.py."""
    sys.path.insert(0, settings.SOURCE + '/drivers')
    import labfault
    folders = {c.name: '%s/%s/faults' % (STATE, c.name) for c in CLOUDS}
    if argv == ['list']:
        for name, folder in folders.items():
            for operation, f in labfault.listing(folder).items():
                print('%s %s %s nth %d count %d: %d seen, %d failed' % (
                    name, operation, f['kind'], f['nth'], f['count'], f['seen'], f['hits']))
    elif argv == ['clear']:
        for name, folder in folders.items():
            for operation, hits in labfault.clear(folder).items():
                print('%s %s failed %d times' % (name, operation, hits))
    elif 3 <= len(argv) <= 6 and argv[0] in folders and argv[2] in labfault.OPERATIONS.get(argv[1], ()) and \
            all(a.isdigit() for a in argv[3:]):
        numbers = dict(zip(('nth', 'count', 'seconds'), (int(a) for a in argv[3:])))
        labfault.set_fault(folders[argv[0]], argv[1], argv[2], **numbers)
    else:
        raise LabError('usage: lab fault CLOUD OPERATION KIND [NTH [COUNT [SECONDS]]]; operations and kinds: ' + '; '.join(
            '%s: %s' % (o, ', '.join(kinds)) for o, kinds in labfault.OPERATIONS.items()))


def hidden(command, argv):
    """Commands that the program runs itself."""
    if command == '_pid1':
        from osmlab import pid1
        pid1.main()
    elif command == '_identity':
        from osmlab import bootstrap
        bootstrap.identity(BY_NAME[argv[0]])
    elif command == '_ready':
        from osmlab import bootstrap
        bootstrap.ready(BY_NAME[argv[0]], float(argv[1]), 'first' in argv)
    elif command == '_reset':
        from osmlab.reset import Reset
        Reset(BY_NAME[argv[0]]).all()
    else:
        raise LabError("no command '%s'; 'lab help' lists them" % command)


def dispatch(command, argv):
    if command == 'up' and (not argv or argv == ['--fresh']):
        with Lock():
            up(bool(argv))
    elif command == 'down' and not argv:
        with Lock():
            down()
    elif command == 'wipe' and not argv:
        with Lock():
            down()
            shutil.rmtree(STATE, ignore_errors=True)
    elif command == 'status' and not argv:
        return status()
    elif command == 'exec' and argv:
        exec_(argv[1:] if argv[0] == '--' else argv)
    elif command == 'reset' and not argv:
        with Lock():
            reset()
    elif command == 'restart' and argv:
        with Lock():
            restart(argv)
    elif command == 'fault':
        fault(argv)
    elif command == 'logs':
        return logs(argv)
    elif command == 'image' and not argv:
        from osmlab import image, packages
        os.makedirs(settings.CACHE, exist_ok=True)
        with Lock():
            packages.install(settings.CACHE + '/packages.log', image.PACKAGES)
            print(image.guest(settings.CACHE + '/image.log'))
    elif command == 'install' and argv:
        from osmlab import packages
        os.makedirs(settings.CACHE, exist_ok=True)
        with Lock():
            for list_file in argv:
                packages.install(settings.CACHE + '/packages.log', list_file)
    elif command == 'save-template' and not argv:
        from osmlab import template
        with Lock():
            template.save()
    else:
        warn("wrong usage: '%s'" % ' '.join([command] + argv))
        sys.stderr.write(USAGE)
        return 2
    return 0


def main(argv):
    if not argv or argv[0] in ('help', '--help', '-h'):
        sys.stdout.write(USAGE)
        return 0 if argv else 2
    if os.geteuid() != 0:
        warn('must be run as root (it makes namespaces, mounts and loop devices)')
        return 1
    try:
        if argv[0].startswith('_'):
            hidden(argv[0], argv[1:])
            return 0
        return dispatch(argv[0], argv[1:])
    except LabError as e:
        warn(e)
        return 1
    except (BrokenPipeError, KeyboardInterrupt):
        return 1
