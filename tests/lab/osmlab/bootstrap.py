# SPDX-License-Identifier: Apache-2.0
"""What a new cloud gets: users, endpoints, external network, flavors, volume
types; and the wait until its services report that they are up.

Runs inside the lab: lab _identity CLOUD, lab _ready CLOUD SINCE [first]."""
import datetime
import time

from osmlab import namespace
from osmlab import settings
from osmlab.settings import LabError, say

#: name, vcpus, ram MB, disk GB; the same in both clouds
FLAVORS = (('m1.nano', 1, 128, 1), ('m1.tiny', 1, 512, 2), ('m1.small', 1, 1024, 5),
           ('m1.medium', 2, 2048, 10), ('osm.conversion', 2, 2048, 10))
#: the first is the default type
VOLUME_TYPES = {'src': ('lab', 'fast', 'src-only'), 'dst': ('lab', 'fast')}

NOVA_SERVICES = {'nova-conductor', 'nova-scheduler', 'nova-compute'}
CINDER_SERVICES = {'cinder-scheduler', 'cinder-volume'}
NEUTRON_AGENTS = {'neutron-linuxbridge-agent', 'neutron-l3-agent'}

#: where the log of a service has another name
LOG_NAMES = {'neutron-linuxbridge-agent': 'neutron-lb', 'neutron-l3-agent': 'neutron-l3'}


def connect(cloud):
    import openstack
    return openstack.connect(
        auth_url='http://%s:%d/v3' % (cloud.ip, settings.KEYSTONE), username='admin',
        password=cloud.admin_password, project_name='admin', user_domain_name='Default',
        project_domain_name='Default', region_name='RegionOne', identity_api_version='3',
        load_yaml_config=False, load_envvars=False)


def identity(cloud):
    conn = connect(cloud)
    k = conn.identity
    roles = {r.name: r for r in k.roles()}
    if 'service' not in roles:
        roles['service'] = k.create_role(name='service')
    service = k.create_project(name='service', domain_id='default')
    for name in ('nova', 'glance', 'cinder', 'neutron', 'placement'):
        u = k.create_user(name=name, password=settings.SERVICE_PASSWORD, domain_id='default',
                          default_project_id=service.id)
        for role in ('admin', 'service'):
            k.assign_project_role_to_user(service, u, roles[role])
    base = 'http://%s:' % cloud.ip
    for name, kind, url in (
            ('glance', 'image', base + '%d' % settings.GLANCE),
            ('placement', 'placement', base + '%d' % settings.PLACEMENT),
            ('nova', 'compute', base + '%d/v2.1' % settings.NOVA),
            ('neutron', 'network', base + '%d' % settings.NEUTRON),
            ('cinderv3', 'volumev3', base + '%d/v3/%%(project_id)s' % settings.CINDER),
            ('cinder', 'block-storage', base + '%d/v3/%%(project_id)s' % settings.CINDER)):
        s = k.create_service(name=name, type=kind)
        for interface in ('public', 'internal', 'admin'):
            k.create_endpoint(service_id=s.id, interface=interface, url=url,
                              region_id='RegionOne')
    project = k.create_project(name=cloud.project, domain_id='default')
    user = k.create_user(name=cloud.user, password=cloud.password, domain_id='default',
                         default_project_id=project.id)
    k.assign_project_role_to_user(project, user, roles['member'])
    say(cloud.name, 'users and endpoints made')


def _wait(cloud, what, missing, limit=120):
    """Until missing() is an empty set."""
    deadline = time.time() + limit
    while True:
        try:
            left = missing()
        except Exception as e:      # an API that is still starting answers anything
            left = e
        if not left:
            return
        if time.time() > deadline:
            logs = ''.join('\nend of the log of %s:\n%s' % (n, namespace.log_tail(n))
                           for n in (cloud.name + '-' + LOG_NAMES.get(b, b) for b in left)
                           ) if isinstance(left, set) else ''
            raise LabError('%s: %s not up: %s%s' % (cloud.name, what, left, logs))
        time.sleep(0.3)


def ready(cloud, since, first):
    conn = connect(cloud)

    def recent(stamp):      # reported since this start: not a row of the last run
        t = datetime.datetime.fromisoformat(stamp[:19]).replace(tzinfo=datetime.timezone.utc)
        return t.timestamp() >= since - 1

    def nova():
        return NOVA_SERVICES - {s.binary for s in conn.compute.services()
                                if s.state == 'up' and recent(s.updated_at)}

    def cinder():
        rows = conn.block_storage.get('/os-services').json()['services']
        return CINDER_SERVICES - {s['binary'] for s in rows
                                  if s['state'] == 'up' and recent(s['updated_at'])}

    def neutron():
        return NEUTRON_AGENTS - {a.binary for a in conn.network.agents()
                                 if a.is_alive and recent(a.last_heartbeat_at)}
    _wait(cloud, 'nova services', nova)
    _wait(cloud, 'cinder services', cinder)
    _wait(cloud, 'neutron agents', neutron)
    if first:
        furnish(cloud, conn)
    say(cloud.name, 'ready')


def furnish(cloud, conn):
    net = conn.network.create_network(
        name='public', is_router_external=True, is_shared=True,
        provider_network_type='flat', provider_physical_network='public')
    conn.network.create_subnet(
        network_id=net.id, name='public', ip_version=4, cidr=cloud.prefix + '.0/24',
        gateway_ip=cloud.prefix + '.1', enable_dhcp=False,
        allocation_pools=[{'start': cloud.prefix + '.10', 'end': cloud.prefix + '.250'}])
    for name, vcpus, ram, disk in FLAVORS:
        conn.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)
    for name in VOLUME_TYPES[cloud.name]:
        conn.block_storage.create_type(
            name=name, extra_specs={'volume_backend_name': 'lab'})
    _wait(cloud, 'hypervisor', lambda: not list(conn.compute.hypervisors()))
