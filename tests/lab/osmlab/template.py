# SPDX-License-Identifier: Apache-2.0
"""The pristine clouds, kept in the cache: a fresh lab is a copy of them."""
import hashlib
import os
import shutil
import signal
import subprocess
import time

from osmlab import settings
from osmlab.database import MYSQL, sql
from osmlab.settings import CACHE, SOURCE, STATE, say

PACKAGES = ('python3-nova', 'python3-cinder', 'python3-neutron', 'python3-keystone',
            'python3-glance', 'python3-placement', 'mariadb-server')
#: what decides the content of the databases
FILES = ('settings.py', 'database.py', 'bootstrap.py')
INITIALISED = STATE + '/initialised'


def path():
    h = hashlib.sha256()
    for name in FILES:
        with open(SOURCE + '/osmlab/' + name, 'rb') as f:
            h.update(f.read())
    h.update(STATE.encode())
    h.update(subprocess.run(['dpkg-query', '-W', '-f', '${Package} ${Version}\n', *PACKAGES],
                            check=True, stdout=subprocess.PIPE).stdout)
    return '%s/template-%s' % (CACHE, h.hexdigest()[:16])


def save():
    """Databases and keys, taken while the clouds run.

    The files of a stopped mariadbd are what a power cut would leave, and
    InnoDB starts from that; the log is flushed every second."""
    sql('FLUSH TABLES; FLUSH ENGINE LOGS; SET GLOBAL innodb_max_dirty_pages_pct = 0;')
    time.sleep(1.5)
    with open(MYSQL + '/pid') as f:
        inner = f.read().strip()
    pid = mariadb_pid(inner)
    to = path()
    new = to + '.new'
    shutil.rmtree(new, ignore_errors=True)
    os.makedirs(new)
    items = ['mysql', 'initialised'] + [c.name + '/keys' for c in settings.CLOUDS]
    os.kill(pid, signal.SIGSTOP)
    try:
        subprocess.run(['cp', '-a', '--parents', '--sparse=always', *items, new],
                       check=True, cwd=STATE)
    finally:
        os.kill(pid, signal.SIGCONT)
    sql('SET GLOBAL innodb_max_dirty_pages_pct = 90;')
    for name in ('/mysql/mysqld.sock', '/mysql/pid'):
        try:
            os.unlink(new + name)
        except FileNotFoundError:
            pass
    for old in os.listdir(CACHE):
        if old.startswith('template-') and CACHE + '/' + old != new:
            shutil.rmtree(CACHE + '/' + old, ignore_errors=True)
    os.rename(new, to)
    say('template saved in', to)


def mariadb_pid(inner):
    """Host pid of a pid in the lab's namespace."""
    for p in os.listdir('/proc'):
        if not p.isdigit():
            continue
        try:
            with open('/proc/%s/status' % p) as f:
                line = [l for l in f if l.startswith('NSpid:')][0].split()
            with open('/proc/%s/comm' % p) as f:
                comm = f.read().strip()
        except (OSError, IndexError):
            continue
        if len(line) > 2 and line[-1] == inner and comm.startswith('mariadbd'):
            return int(p)
    raise settings.LabError('mariadbd is not running')


def restore():
    """True when there was a template."""
    t = path()
    if not os.path.isdir(t):
        return False
    os.makedirs(STATE, exist_ok=True)
    subprocess.run(['cp', '-a', '--sparse=always', t + '/.', STATE], check=True)
    say('pristine clouds copied from', t)
    return True
