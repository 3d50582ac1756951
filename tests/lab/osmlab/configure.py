# SPDX-License-Identifier: Apache-2.0
"""Writes the configuration of every service of a cloud, and clouds.yaml."""
import os

from osmlab import settings
from osmlab.database import rabbit_url, url
from osmlab.settings import DISKS, PROGRAM, STATE


def ini(path, sections):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'w') as f:
        for name, values in sections.items():
            f.write('[%s]\n' % name)
            for k, v in values.items():
                f.write('%s = %s\n' % (k, v))
            f.write('\n')


class Configuration:
    """Every option of one cloud.  cloud() writes them all."""

    def __init__(self, cloud):
        self.c = cloud
        self.etc = '%s/%s/etc' % (STATE, cloud.name)
        self.var = '%s/%s' % (STATE, cloud.name)
        self.disks = '%s/%s' % (DISKS, cloud.name)
        self.host = cloud.name + '-compute1'
        self.messages = {'transport_url': rabbit_url(cloud), 'rpc_response_timeout': 60}
        self.common = {
            'oslo_concurrency': {'lock_path': self.var + '/locks'},
            'oslo_messaging_rabbit': {'heartbeat_in_pthread': 'false',
                                      'kombu_reconnect_delay': 0.3}}

    def user(self, name, **more):
        d = {'auth_type': 'password',
             'auth_url': 'http://%s:%d/v3' % (self.c.ip, settings.KEYSTONE),
             'user_domain_name': 'Default', 'project_domain_name': 'Default',
             'project_name': 'service', 'region_name': 'RegionOne',
             'password': settings.SERVICE_PASSWORD, 'username': name}
        d.update(more)
        return d

    def token_check(self, name):
        return self.user(
            name, www_authenticate_uri='http://%s:%d/v3' % (self.c.ip, settings.KEYSTONE),
            service_token_roles='service', service_token_roles_required='true',
            memcached_servers='')

    def database(self, name):
        return {'connection': url(self.c, name), 'max_pool_size': 5, 'max_overflow': 30}

    def all(self):
        for d in ('locks', 'nova', 'cinder', 'neutron', 'keys/fernet', 'keys/credential',
                  'keystone', 'conversion'):
            os.makedirs(self.var + '/' + d, exist_ok=True)
        self.keystone()
        self.placement()
        self.glance()
        self.nova()
        self.cinder()
        self.neutron()

    def keystone(self):
        keys = self.var + '/keys/'
        ini(self.etc + '/keystone/keystone.conf', {
            'DEFAULT': {'use_stderr': 'true'}, 'database': self.database('keystone'),
            'token': {'provider': 'fernet',
                      'expiration': os.environ.get('OSM_LAB_TOKEN_SECONDS', 86400)},
            'identity': {'password_hash_rounds': 4},
            'cache': {'enabled': 'true', 'backend': 'oslo_cache.dict'},
            'fernet_tokens': {'key_repository': keys + 'fernet'},
            'credential': {'key_repository': keys + 'credential'}})

    def placement(self):
        ini(self.etc + '/placement/placement.conf', {
            'DEFAULT': {}, 'placement_database': self.database('placement'),
            'api': {'auth_strategy': 'keystone'},
            'keystone_authtoken': self.token_check('placement')})

    def glance(self):
        images = self.disks + '/images'
        ini(self.etc + '/glance.conf', {
            'DEFAULT': dict(self.messages, bind_host=self.c.ip, bind_port=settings.GLANCE,
                            workers=0, use_stderr='true',
                            # without the brackets image create is a 500
                            enabled_import_methods='[glance-direct,web-download,copy-image]',
                            node_staging_uri='file://%s/.staging' % images,
                            filesystem_store_datadir=images),
            'database': self.database('glance'),
            'keystone_authtoken': self.token_check('glance'),
            'paste_deploy': {'flavor': 'keystone',
                             'config_file': '/etc/glance/glance-api-paste.ini'},
            'glance_store': {'stores': 'file,http', 'default_store': 'file',
                             'filesystem_store_datadir': images,
                             'filesystem_thin_provisioning': 'true'},
            **self.common})

    def nova(self):
        conf = {
            'DEFAULT': dict(
                self.messages, host=self.host, my_ip=self.c.ip, state_path=self.var + '/nova',
                instances_path=self.disks + '/instances',
                compute_driver='labdriver.LabDriver',
                osapi_compute_listen=self.c.ip, osapi_compute_listen_port=settings.NOVA,
                osapi_compute_workers=1, enabled_apis='osapi_compute', use_stderr='true',
                force_config_drive='true', vif_plugging_is_fatal='false',
                vif_plugging_timeout=20, running_deleted_instance_poll_interval=600,
                sync_power_state_interval=30, heal_instance_info_cache_interval=60,
                instance_usage_audit='false', periodic_fuzzy_delay=5,
                block_device_allocate_retries=600, block_device_allocate_retries_interval=1,
                resume_guests_state_on_host_boot='true', shutdown_timeout=10),
            'api_database': self.database('nova_api'), 'database': self.database('nova'),
            'api': {'auth_strategy': 'keystone'},
            'keystone_authtoken': self.token_check('nova'),
            'conductor': {'workers': 1},
            'scheduler': {'workers': 1, 'discover_hosts_in_cells_interval': 5},
            'quota': {'instances': 20, 'cores': 64, 'ram': 131072},
            'glance': {'service_type': 'image', 'region_name': 'RegionOne'},
            'placement': self.user('placement'),
            'service_user': dict(self.user('nova'), send_service_user_token='true'),
            'neutron': dict(self.user('neutron'), service_metadata_proxy='false'),
            'cinder': dict(self.user('cinder'), os_region_name='RegionOne',
                           catalog_info='volumev3:cinderv3:publicURL'),
            'vnc': {'enabled': 'false'}, 'spice': {'enabled': 'false'},
            'key_manager': {'backend': 'nova.keymgr.conf_key_mgr.ConfKeyManager'},
            'upgrade_levels': {'compute': 'auto'},
            'lab': {'cache': self.disks + '/image-cache'},
            **self.common}
        ini(self.etc + '/nova.conf', conf)
        # nova-compute refuses to run when it can see a database
        for name in ('api_database', 'database'):
            del conf[name]
        ini(self.etc + '/nova-compute.conf', conf)

    def cinder(self):
        ini(self.etc + '/cinder.conf', {
            'DEFAULT': dict(
                self.messages, host=self.c.name + '-cinder', my_ip=self.c.ip,
                state_path=self.var + '/cinder', use_stderr='true',
                osapi_volume_listen=self.c.ip, osapi_volume_listen_port=settings.CINDER,
                osapi_volume_workers=1, auth_strategy='keystone', enabled_backends='lab',
                default_volume_type='lab', api_paste_config='/etc/cinder/api-paste.ini',
                rootwrap_config='/etc/cinder/rootwrap.conf',
                glance_api_servers='http://%s:%d' % (self.c.ip, settings.GLANCE),
                image_conversion_dir=self.var + '/conversion', volume_clear='none',
                periodic_interval=30, report_interval=10, enable_force_upload='true',
                quota_volumes=50, quota_snapshots=50, quota_gigabytes=2000),
            'database': self.database('cinder'),
            'keystone_authtoken': self.token_check('cinder'),
            'lab': {'volume_driver': 'labcinder.LabDriver', 'volume_backend_name': 'lab',
                    'lab_volumes_dir': self.disks + '/volumes',
                    'lab_image_cache': self.disks + '/image-cache'},
            'nova': dict(self.user('nova'), interface='public'),
            # CVE-2023-2088: detach is refused without a service token
            'service_user': dict(self.user('cinder'), send_service_user_token='true'),
            'key_manager': {'backend': 'cinder.keymgr.conf_key_mgr.ConfKeyManager'},
            'coordination': {'backend_url': 'file://' + self.var + '/cinder'},
            **self.common})

    def neutron(self):
        conf = self.etc + '/neutron.conf'
        ini(conf, {
            'DEFAULT': dict(
                # the agents must have the host name of nova-compute, else PortBindingFailed
                self.messages, host=self.host, bind_host=self.c.ip,
                bind_port=settings.NEUTRON, core_plugin='ml2', service_plugins='router,qos',
                state_path=self.var + '/neutron', use_stderr='true',
                api_paste_config='/etc/neutron/api-paste.ini', api_workers=0, rpc_workers=0,
                rpc_state_report_workers=0, auth_strategy='keystone',
                notify_nova_on_port_status_changes='true',
                notify_nova_on_port_data_changes='true', send_events_interval=1,
                dhcp_agent_notification='false', allow_overlapping_ips='true',
                api_extensions_path='', interface_driver='linuxbridge'),
            'database': self.database('neutron'),
            'keystone_authtoken': self.token_check('neutron'), 'nova': self.user('nova'),
            'agent': {'root_helper': '/usr/bin/env', 'report_interval': 10,
                      'polling_interval': 1,
                      'use_helper_for_ns_read': 'false'},
            'privsep': {'helper_command': '/usr/bin/python3 %s/lab _service privsep-helper '
                                          '--config-file %s' % (PROGRAM, conf)},
            'quotas': {'quota_network': 50, 'quota_subnet': 50, 'quota_port': 200,
                       'quota_router': 20, 'quota_floatingip': 50,
                       'quota_security_group': 50, 'quota_security_group_rule': 500},
            'experimental': {'linuxbridge': 'true'},
            **self.common})
        ini(self.etc + '/ml2.conf', {
            'ml2': {'type_drivers': 'flat,local', 'tenant_network_types': 'local',
                    'mechanism_drivers': 'linuxbridge',
                    'extension_drivers': 'port_security,qos'},
            'ml2_type_flat': {'flat_networks': 'public'},
            'securitygroup': {'enable_security_group': 'true',
                              'firewall_driver': 'iptables', 'enable_ipset': 'true'},
            'linux_bridge': {'physical_interface_mappings': 'public:pub-' + self.c.name},
            'vxlan': {'enable_vxlan': 'false'}})
        ini(self.etc + '/l3.conf', {
            'DEFAULT': {'agent_mode': 'legacy', 'enable_metadata_proxy': 'false',
                        'external_ingress_mark': '0x2'}})


def write_clouds_yaml():
    text = 'clouds:\n'
    for c in settings.CLOUDS:
        for name, user, project, password in (
                (c.name, c.user, c.project, c.password),
                (c.name + '-admin', 'admin', 'admin', c.admin_password)):
            text += ('  %s:\n'
                     '    auth:\n'
                     '      auth_url: http://%s:%d/v3\n'
                     '      username: %s\n'
                     '      password: %s\n'
                     '      project_name: %s\n'
                     '      user_domain_name: Default\n'
                     '      project_domain_name: Default\n'
                     '    region_name: RegionOne\n'
                     '    identity_api_version: 3\n'
                     % (name, c.ip, settings.KEYSTONE, user, password, project))
    with open(settings.CLOUDS_YAML, 'w') as f:
        f.write(text)
