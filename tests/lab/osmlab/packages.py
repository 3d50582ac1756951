# SPDX-License-Identifier: Apache-2.0
"""Installs the Debian packages of the lab.  No service of theirs is started
or left enabled: the lab runs them itself, in its namespaces."""
import glob
import os
import shutil
import subprocess
import tempfile

from osmlab.settings import LabError, SOURCE, say

LIST = SOURCE + '/packages-lab.txt'
POLICY = '/usr/sbin/policy-rc.d'
#: nothing is to be configured by the packages' own scripts
PRESEED = '''\
keystone keystone/configure_db boolean false
keystone keystone/create-admin-tenant boolean false
keystone keystone/register-endpoint boolean false
glance-common glance/configure_db boolean false
glance-api glance/register-endpoint boolean false
nova-common nova/configure_db boolean false
nova-api nova/register-endpoint boolean false
cinder-common cinder/configure_db boolean false
cinder-api cinder/register-endpoint boolean false
neutron-common neutron/configure_db boolean false
neutron-api neutron/register-endpoint boolean false
placement-common placement/configure_db boolean false
placement-api placement/register-endpoint boolean false
'''


def wanted(list_file):
    with open(list_file) as f:
        return [l.strip() for l in f if l.strip() and not l.startswith('#')]


def missing(list_file):
    names = wanted(list_file)
    out = subprocess.run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', *names],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    have = {l.split()[0] for l in out.splitlines() if l.endswith(' installed')}
    return [p for p in names if p not in have]


def _enabled():
    """Links that make a service start with the machine."""
    return set(glob.glob('/etc/systemd/system/*.wants/*') + glob.glob('/etc/rc?.d/S*') +
               glob.glob('/etc/systemd/system/*.service') +
               glob.glob('/etc/systemd/system/*.socket'))


class NoServices:
    """While this context lasts packages cannot start services (policy-rc.d);
    at its end those they enabled are disabled again."""

    def __enter__(self):
        self.saved = None
        self.before = _enabled()
        if os.path.lexists(POLICY):
            fd, self.saved = tempfile.mkstemp(dir='/usr/sbin', prefix='policy-rc.d.')
            os.close(fd)
            os.rename(POLICY, self.saved)
        with open(POLICY, 'w') as f:
            f.write('#!/bin/sh\nexit 101\n')
        os.chmod(POLICY, 0o755)

    def __exit__(self, *_):
        os.unlink(POLICY)
        if self.saved:
            os.rename(self.saved, POLICY)
        for link in _enabled() - self.before:
            name = os.path.basename(link)
            if link.startswith('/etc/rc'):
                if os.path.lexists(link):
                    subprocess.run(['update-rc.d', name[3:], 'disable'],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            elif os.path.islink(link):
                os.unlink(link)


def _apt(arguments, log):
    env = dict(os.environ, DEBIAN_FRONTEND='noninteractive', LC_ALL='C.UTF-8')
    with open(log, 'ab') as f:
        return subprocess.run(['apt-get', '-q', '-o', 'DPkg::Lock::Timeout=600', *arguments],
                              env=env, stdin=subprocess.DEVNULL, stdout=f, stderr=f).returncode


def install(log, list_file):
    """Install what is missing of the packages in a list."""
    if not shutil.which('dpkg-query'):
        raise LabError('the lab needs Debian 12 (its OpenStack packages)')
    names = missing(list_file)
    if not names:
        return
    say('installing %d packages and what they need (log: %s)' % (len(names), log))
    subprocess.run(['debconf-set-selections'], input=PRESEED, text=True, check=True)
    with NoServices():
        command = ['install', '-y', '--no-install-recommends', *names]
        if _apt(command, log):
            _apt(['update'], log)       # lists may be missing or old
            if _apt(command, log):
                with open(log, errors='replace') as f:
                    tail = ''.join(f.readlines()[-15:])
                raise LabError('apt-get install failed; end of %s:\n%s' % (log, tail))
    say('packages installed')
