# SPDX-License-Identifier: Apache-2.0
"""MariaDB and RabbitMQ (both shared by the two clouds, nothing else is) and
the first-time schemas."""
import base64
import concurrent.futures
import hashlib
import json
import os
import subprocess
import time

from osmlab import settings
from osmlab.namespace import enter, log_file, log_tail, spawn
from osmlab.settings import LabError, STATE, say

MYSQL = STATE + '/mysql'
MYSQL_SOCKET = MYSQL + '/mysqld.sock'
RABBIT = STATE + '/rabbit'
NAMES = ('keystone', 'glance', 'placement', 'nova_api', 'nova', 'nova_cell0',
         'cinder', 'neutron')
CLIENT = ['--no-defaults', '-uroot', '-S', MYSQL_SOCKET]


def url(cloud, name):
    return 'mysql+pymysql://root@127.0.0.1/%s_%s?charset=utf8' % (cloud.name, name)


def rabbit_url(cloud):
    return 'rabbit://lab:%s@%s:5672/%s' % (settings.SERVICE_PASSWORD, settings.MESSAGES_IP,
                                          cloud.name)


def start_mariadb():
    if not os.path.isdir(MYSQL + '/data/mysql'):
        os.makedirs(MYSQL + '/data', exist_ok=True)
        subprocess.run(['chown', '-R', 'mysql', MYSQL], check=True)
        r = subprocess.run(
            ['mariadb-install-db', '--no-defaults', '--user=mysql',
             '--datadir=' + MYSQL + '/data', '--skip-test-db',
             '--auth-root-authentication-method=normal'],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            raise LabError('mariadb-install-db failed:\n' + r.stdout)
    # a lab may lose its last second in a power cut: no syncs at all
    spawn('mariadb', [
        'mariadbd', '--no-defaults', '--user=mysql', '--datadir=' + MYSQL + '/data',
        '--socket=' + MYSQL_SOCKET, '--pid-file=' + MYSQL + '/pid',
        '--bind-address=127.0.0.1', '--innodb-flush-log-at-trx-commit=0',
        '--innodb-doublewrite=0', '--sync-binlog=0', '--innodb-flush-method=nosync',
        '--innodb-buffer-pool-size=128M', '--innodb-log-file-size=32M',
        '--performance-schema=off', '--max-connections=1000',
        '--character-set-server=utf8mb3', '--skip-name-resolve'])


def start_rabbit():
    os.makedirs(RABBIT, exist_ok=True)
    salt = b'\1\2\3\4'
    digest = hashlib.sha256(salt + settings.SERVICE_PASSWORD.encode()).digest()
    definitions = {
        'users': [{'name': 'lab', 'tags': 'administrator',
                   'password_hash': base64.b64encode(salt + digest).decode(),
                   'hashing_algorithm': 'rabbit_password_hashing_sha256'}],
        'vhosts': [{'name': c.name} for c in settings.CLOUDS],
        'permissions': [{'user': 'lab', 'vhost': c.name, 'configure': '.*',
                         'write': '.*', 'read': '.*'} for c in settings.CLOUDS]}
    with open(RABBIT + '/definitions.json', 'w') as f:
        json.dump(definitions, f)
    with open(RABBIT + '/rabbitmq.conf', 'w') as f:
        f.write('listeners.tcp.default = %s:5672\n'
                'load_definitions = %s/definitions.json\n'
                'log.file = false\nlog.console = true\nlog.console.level = warning\n'
                'vm_memory_high_watermark.absolute = 512MB\n'
                'disk_free_limit.absolute = 50MB\n' % (settings.MESSAGES_IP, RABBIT))
    with open(RABBIT + '/plugins', 'w') as f:
        f.write('[].\n')
    spawn('rabbit', ['/usr/lib/rabbitmq/bin/rabbitmq-server'], {
        'HOME': RABBIT, 'RABBITMQ_NODENAME': 'lab@localhost',
        'RABBITMQ_MNESIA_BASE': RABBIT + '/mnesia', 'RABBITMQ_LOG_BASE': RABBIT + '/log',
        'RABBITMQ_CONFIG_FILE': RABBIT + '/rabbitmq.conf',
        'RABBITMQ_ENABLED_PLUGINS_FILE': RABBIT + '/plugins',
        'RABBITMQ_PID_FILE': RABBIT + '/pid', 'RABBITMQ_CONF_ENV_FILE': '/dev/null',
        'ERL_EPMD_ADDRESS': '127.0.0.1', 'ERL_CRASH_DUMP_SECONDS': '0',
        'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS':
            '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none'})


def wait_mariadb(limit=60):
    deadline = time.time() + limit
    while subprocess.run(['mariadb-admin', *CLIENT, 'ping'], stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL).returncode:
        if time.time() > deadline:
            raise LabError('mariadb does not start; end of its log:\n' + log_tail('mariadb'))
        time.sleep(0.1)


def sql(statement):
    return subprocess.run(['mariadb', *CLIENT, '-N', '-e', statement], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def create_databases(cloud):
    sql(''.join('CREATE DATABASE IF NOT EXISTS %s_%s CHARACTER SET utf8;'
                % (cloud.name, n) for n in NAMES))


def manage(cloud, argv):
    """Run a *-manage command inside the lab; its output goes to a log."""
    name = cloud.name + '-manage'
    with open(log_file(name), 'ab') as f:
        if enter(argv, check=False, stdout=f, stderr=f).returncode:
            raise LabError('%s failed; end of the log:\n%s' % (' '.join(argv), log_tail(name)))


def sync_schemas(cloud):
    """The schema of every service, three at a time."""
    e = '%s/%s/etc' % (STATE, cloud.name)
    nova = ['nova-manage', '--config-file', e + '/nova.conf']
    jobs = [
        [nova + ['api_db', 'sync'],
         nova + ['cell_v2', 'map_cell0', '--database_connection', url(cloud, 'nova_cell0')],
         nova + ['db', 'sync']],
        [['neutron-db-manage', '--config-file', e + '/neutron.conf',
          '--config-file', e + '/ml2.conf', 'upgrade', 'heads']],
        [['cinder-manage', '--config-file', e + '/cinder.conf', 'db', 'sync']],
        [['keystone-manage', '--config-file', e + '/keystone/keystone.conf', 'db_sync']],
        [['glance-manage', '--config-file', e + '/glance.conf', 'db_sync']],
        [['placement-manage', '--config-dir', e + '/placement', 'db', 'sync']]]

    def run(commands):
        for argv in commands:
            manage(cloud, argv)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        list(pool.map(run, jobs))
    say(cloud.name, 'schemas made')


def copy_schemas(from_cloud, cloud):
    client = ' '.join(CLIENT)
    for n in NAMES:
        subprocess.run('mariadb-dump %s %s_%s | mariadb %s %s_%s' % (
            client, from_cloud.name, n, client, cloud.name, n), shell=True, check=True)
    # the row of cell 0 was copied too: point it at this cloud's own database
    sql("UPDATE %s_nova_api.cell_mappings SET database_connection='%s' WHERE id=1"
        % (cloud.name, url(cloud, 'nova_cell0')))
    say(cloud.name, 'schemas copied')


def bootstrap_keystone(cloud):
    conf = '%s/%s/etc/keystone/keystone.conf' % (STATE, cloud.name)
    keystone = ['keystone-manage', '--config-file', conf]
    me = ['--keystone-user', 'root', '--keystone-group', 'root']
    address = 'http://%s:%d/v3' % (cloud.ip, settings.KEYSTONE)
    manage(cloud, keystone + ['fernet_setup'] + me)
    manage(cloud, keystone + ['credential_setup'] + me)
    manage(cloud, keystone + [
        'bootstrap', '--bootstrap-password', cloud.admin_password,
        '--bootstrap-public-url', address, '--bootstrap-internal-url', address,
        '--bootstrap-admin-url', address, '--bootstrap-region-id', 'RegionOne'])


def create_cell(cloud):
    manage(cloud, ['nova-manage', '--config-file', '%s/%s/etc/nova.conf' % (STATE, cloud.name),
                   'cell_v2', 'create_cell', '--name', 'cell1', '--verbose'])
