# SPDX-License-Identifier: Apache-2.0
"""Where the lab lives and what its two clouds are called."""
import os
import sys
import time
from collections import namedtuple

STATE = os.path.abspath(os.environ.get('OSM_LAB_STATE', '/var/lib/osm-lab'))
CACHE = os.path.abspath(os.environ.get('OSM_LAB_CACHE', '/var/cache/osm-lab'))
#: the tree this program was started from
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
#: the copy the running services use, so that a changed tree does not disturb them
PROGRAM = STATE + '/program'
LOGS = STATE + '/log'
PIDS = STATE + '/pids'
#: images, volumes and root disks of both clouds: an XFS of their own (cheap clones)
DISKS = STATE + '/disks'
DISKS_FILE = STATE + '/disks.xfs'
SOCKET = STATE + '/init.sock'
CLOUDS_YAML = STATE + '/clouds.yaml'

#: what the services of a cloud use among themselves
SERVICE_PASSWORD = 'lab-service'

Cloud = namedtuple('Cloud', 'name ip prefix bridge project user password admin_password')

CLOUDS = (
    Cloud('src', '10.99.1.1', '172.24.4', 'br-src',
          'demo', 'demo', 'src-demo-password', 'src-admin-password'),
    Cloud('dst', '10.99.2.1', '172.24.5', 'br-dst',
          'tenant', 'tenant', 'dst-tenant-password', 'dst-admin-password'),
)
#: the services that run on the compute host of a cloud, in its network namespace
HOST_SERVICES = ('nova-compute', 'neutron-lb', 'neutron-l3')


def host_netns(cloud):
    return 'host-' + cloud.name


BY_NAME = {c.name: c for c in CLOUDS}

#: RabbitMQ: the compute hosts have network namespaces of their own
MESSAGES_IP = '10.99.0.1'

KEYSTONE, PLACEMENT, GLANCE, NOVA, CINDER, NEUTRON = 5000, 8778, 9292, 8774, 8776, 9696
API_PORTS = (PLACEMENT, GLANCE, NOVA, CINDER, NEUTRON)

STARTED = time.time()


class LabError(Exception):
    """What went wrong, in words for the person who ran the command."""


def say(*words):
    print('[%6.1f s]' % (time.time() - STARTED), *words,
          file=sys.stderr, flush=True)


def warn(*words):
    print('lab:', *words, file=sys.stderr, flush=True)
