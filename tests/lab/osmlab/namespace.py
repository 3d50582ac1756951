# SPDX-License-Identifier: Apache-2.0
"""The private namespaces of the lab, seen from outside: start, enter, end.

Everything runs below one process (pid1.py) in its own pid, mount, network and
uts namespaces.  When that process ends, all processes, mounts and networks of
the lab are gone; only loop devices have to be swept."""
import json
import os
import shutil
import signal
import socket
import subprocess
import time

from osmlab import settings
from osmlab.settings import LabError, say


def init_pid():
    """Pid of the lab's process 1, or None."""
    try:
        with open('/proc/1/cmdline', 'rb') as f:
            if b'_pid1' in f.read():        # we are inside
                return 1
        with open(settings.STATE + '/init.pid') as f:
            pid = int(f.read())
        with open('/proc/%d/cmdline' % pid, 'rb') as f:
            if b'_pid1' in f.read():
                return pid
    except (OSError, ValueError):
        pass
    return None


def enter_argv(argv, directory=None):
    pid = init_pid()
    if pid is None:
        raise LabError("the lab is down; start it with 'lab up'")
    where = ['--wdns=' + directory] if directory else []
    return ['nsenter', '-t', str(pid), '-m', '-n', '-p', '-u', *where, '--', *argv]


def enter(argv, check=True, **kw):
    return subprocess.run(enter_argv(argv), check=check, **kw)


def rpc(**request):
    """One request to process 1."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(settings.SOCKET)
        s.sendall((json.dumps(request) + '\n').encode())
        answer = json.loads(s.makefile().readline())
    if 'error' in answer:
        raise LabError('process 1 of the lab: ' + answer['error'])
    return answer


def log_file(name):
    return '%s/%s.log' % (settings.LOGS, name)


def spawn(name, argv, env=None):
    return rpc(op='spawn', name=name, argv=argv, env=env, log=log_file(name))


def log_tail(name, lines=25):
    try:
        with open(log_file(name), 'rb') as f:
            f.seek(0, 2)
            f.seek(max(0, f.tell() - 20000))
            return '\n'.join(f.read().decode(errors='replace').splitlines()[-lines:])
    except OSError:
        return '(no log)'


def install_program():
    """Copy the lab's program to the state directory."""
    if settings.SOURCE == settings.PROGRAM:
        return
    new = settings.PROGRAM + '.new'
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(settings.SOURCE, new, ignore=shutil.ignore_patterns('__pycache__'))
    old = settings.PROGRAM + '.old'
    shutil.rmtree(old, ignore_errors=True)
    if os.path.isdir(settings.PROGRAM):
        os.rename(settings.PROGRAM, old)
    os.rename(new, settings.PROGRAM)
    shutil.rmtree(old, ignore_errors=True)


def make_disks_file():
    """A sparse XFS: volumes and images clone at once by sharing extents."""
    if os.path.exists(settings.DISKS_FILE):
        return
    new = settings.DISKS_FILE + '.new'
    st = os.statvfs(settings.STATE)
    free_gib = st.f_bavail * st.f_frsize >> 30
    with open(new, 'wb') as f:
        f.truncate(max(20, int(free_gib * 0.8)) << 30)
    subprocess.run(['mkfs.xfs', '-q', '-f', '-m', 'reflink=1', '-K', new], check=True)
    os.rename(new, settings.DISKS_FILE)


def start():
    """Start the namespaces, if they are not there."""
    if init_pid():
        return
    os.makedirs(settings.LOGS, exist_ok=True)
    os.makedirs(settings.DISKS, exist_ok=True)
    sweep_loops()
    make_disks_file()
    try:
        os.unlink(settings.SOCKET)
    except FileNotFoundError:
        pass
    with open(settings.LOGS + '/pid1.log', 'ab') as out:
        unshare = subprocess.Popen(
            ['unshare', '-m', '-n', '-p', '-u', '--propagation', 'slave', '--fork',
             '--mount-proc', '--kill-child',
             '/usr/bin/python3', settings.PROGRAM + '/lab', '_pid1'],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    deadline = time.time() + 20
    while not os.path.exists(settings.SOCKET):
        if unshare.poll() is not None or time.time() > deadline:
            raise LabError('the namespaces do not start:\n' + log_tail('pid1'))
        time.sleep(0.05)
    with open('/proc/%d/task/%d/children' % (unshare.pid, unshare.pid)) as f:
        pid = f.read().split()[0]
    with open(settings.STATE + '/init.pid', 'w') as f:
        f.write(pid)
    say('namespaces up, process', pid)


def stop():
    """End everything.  The database gets an orderly end, the rest is killed."""
    pid = init_pid()
    if pid:
        try:
            for name in rpc(op='list'):
                if name != 'mariadb':
                    rpc(op='kill', name=name, sig=int(signal.SIGKILL))
            rpc(op='kill', name='mariadb', sig=int(signal.SIGTERM))
            for _ in range(100):
                if rpc(op='list').get('mariadb', {}).get('rc', 0) is not None:
                    break
                time.sleep(0.1)
        except (OSError, LabError, ValueError):
            pass
        os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            if not os.path.exists('/proc/%d' % pid):
                break
            time.sleep(0.1)
    for name in ('/init.pid', '/init.sock'):
        try:
            os.unlink(settings.STATE + name)
        except FileNotFoundError:
            pass
    sweep_loops()


def _loops():
    out = subprocess.run(['losetup', '-J', '-l', '-O', 'NAME,BACK-FILE,BACK-MAJ:MIN,MAJ:MIN'],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = json.loads(out)['loopdevices'] if out.strip() else []
    return [{k: (v or '').strip() for k, v in r.items()} for r in rows]


def our_loops():
    """Loop devices over files of the state directory or of its XFS.  When the
    XFS is no longer mounted their files have paths without the mount point."""
    loops = _loops()
    ours = [l for l in loops if l['back-file'].split(' (deleted)')[0]
            .startswith(settings.STATE + '/')]
    disks = {l['maj:min'] for l in ours
             if l['back-file'].startswith(settings.DISKS_FILE)}
    return ours + [l for l in loops if l not in ours and l['back-maj:min'] in disks]


def sweep_loops():
    for _ in range(50):
        loops = our_loops()
        if not loops:
            return
        for l in loops:
            subprocess.run(['losetup', '-d', l['name']], stderr=subprocess.DEVNULL)
        time.sleep(0.1)


def leftovers():
    """What is still there after stop(): a list of words."""
    left = ['loop device %s over %s' % (l['name'], l['back-file']) for l in our_loops()]
    with open('/proc/mounts') as f:
        left += ['mount ' + l.split()[1] for l in f
                 if l.split()[1].startswith(settings.STATE + '/')]
    for p in os.listdir('/proc'):
        if not p.isdigit() or int(p) == os.getpid():
            continue
        try:
            with open('/proc/%s/cmdline' % p, 'rb') as f:
                words = f.read().split(b'\0')
        except OSError:
            continue
        if any(w.startswith(settings.PROGRAM.encode()) for w in words):
            left.append('process ' + p)
    return left
