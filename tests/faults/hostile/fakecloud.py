# SPDX-License-Identifier: Apache-2.0
"""Two clouds that answer whatever a test wants: enough of Keystone, Nova, Cinder, Neutron and Glance for the plan of a
migration, with any value of any answer replaced, or the whole body."""
import copy
import http.server
import json
import re
import threading
import time

PROJECT = {'src': 'a' * 32, 'dst': 'b' * 32}
SERVER = '11111111-1111-4111-8111-111111111111'
BOOT = '22222222-2222-4222-8222-222222222222'
DATA = '33333333-3333-4333-8333-333333333333'
LOOSE = '44444444-4444-4444-8444-444444444444'
PORT = '55555555-5555-4555-8555-555555555555'
NETWORK = {'src': '66666666-6666-4666-8666-666666666666', 'dst': '77777777-7777-4777-8777-777777777777'}
SUBNET = {'src': '88888888-8888-4888-8888-888888888888', 'dst': '99999999-9999-4999-8999-999999999999'}
GROUP = {'src': 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa', 'dst': 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'}
FLAVOR = 'cccccccc-cccc-4ccc-8ccc-cccccccccccc'
TYPE = 'dddddddd-dddd-4ddd-8ddd-dddddddddddd'
TOGETHER = 'eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee'


def volume(cloud, id, name, boot, server):
    return {'id': id, 'name': name, 'description': 'some text', 'size': 1, 'bootable': 'true' if boot else 'false',
            'status': 'in-use' if server else 'available', 'volume_type': 'fast', 'metadata': {'tier': 'gold'},
            'volume_image_metadata': {'os_distro': 'debian'} if boot else {}, 'encrypted': False, 'multiattach': False,
            'snapshot_id': None, 'source_volid': None, 'os-vol-tenant-attr:tenant_id': PROJECT[cloud],
            'attachments': [{'server_id': server, 'attachment_id': BOOT, 'volume_id': id, 'device': '/dev/vda',
                             'id': id, 'host_name': None}] if server else []}


def documents(cloud):
    """What each path answers, in order: (regular expression, document)."""
    own = cloud == 'src'
    server = {'id': SERVER, 'name': 'web', 'status': 'ACTIVE', 'OS-EXT-STS:task_state': None, 'locked': False,
              'metadata': {'owner': 'me'}, 'description': 'a server', 'config_drive': 'True', 'key_name': 'mine',
              'OS-EXT-AZ:availability_zone': 'nova', 'OS-EXT-SRV-ATTR:root_device_name': '/dev/vda',
              'OS-EXT-SRV-ATTR:user_data': 'aGVsbG8=', 'image': '', 'tenant_id': PROJECT[cloud], 'user_id': 'c' * 32,
              'flavor': {'original_name': 'small', 'vcpus': 1, 'ram': 512, 'disk': 1, 'extra_specs': {'hw:numa_nodes': '1'}},
              'tags': ['blue'], 'OS-EXT-SRV-ATTR:hostname': 'other', 'server_groups': [TOGETHER],
              'addresses': {'net': [{'addr': '10.0.0.5', 'OS-EXT-IPS-MAC:mac_addr': 'fa:16:3e:00:00:01'}]}, 'fault': {'message': 'none'}}
    volumes = [volume(cloud, BOOT, 'boot', True, SERVER), volume(cloud, DATA, 'data', False, SERVER),
               volume(cloud, LOOSE, 'loose', False, None)] if own else []
    port = {'id': PORT, 'name': 'port', 'description': 'text', 'mac_address': 'fa:16:3e:00:00:01', 'admin_state_up': True,
            'port_security_enabled': True, 'dns_name': '', 'network_id': NETWORK[cloud], 'device_id': SERVER,
            'fixed_ips': [{'subnet_id': SUBNET[cloud], 'ip_address': '10.0.0.5'}], 'security_groups': [GROUP[cloud]],
            'binding:vnic_type': 'normal', 'allowed_address_pairs': [], 'tags': ['mine'], 'project_id': PROJECT[cloud],
            'qos_policy_id': TYPE}
    network = {'id': NETWORK[cloud], 'name': 'net', 'router:external': False, 'project_id': PROJECT[cloud]}
    subnet = {'id': SUBNET[cloud], 'name': 'subnet', 'cidr': '10.0.0.0/24', 'network_id': NETWORK[cloud],
              'project_id': PROJECT[cloud]}
    group = {'id': GROUP[cloud], 'name': 'ssh', 'project_id': PROJECT[cloud], 'description': '', 'security_group_rules': []}
    flavor = {'id': FLAVOR, 'name': 'small', 'vcpus': 1, 'ram': 512, 'disk': 1, 'extra_specs': {'hw:numa_nodes': '1'}}
    key = {'name': 'mine', 'public_key': 'ssh-ed25519 AAAA', 'fingerprint': 'aa:bb', 'id': 1}
    together = {'id': TOGETHER, 'name': 'apart', 'policy': 'anti-affinity', 'rules': {}, 'members': [SERVER]}
    qos = {'id': TYPE, 'name': 'slow', 'project_id': PROJECT[cloud]}
    interface = {'tag': 'front', 'port_id': PORT, 'net_id': NETWORK[cloud], 'mac_addr': port['mac_address'], 'port_state': 'ACTIVE',
                 'fixed_ips': port['fixed_ips']}
    attachments = [{'volumeId': v['id'], 'serverId': SERVER, 'device': '/dev/vd' + 'ab'[i], 'tag': None,
                    'delete_on_termination': i == 0, 'attachment_id': PORT, 'id': v['id']}
                   for i, v in enumerate(volumes[:2])]
    compute_limits = {'maxTotalInstances': 10, 'totalInstancesUsed': 1, 'maxTotalCores': 20, 'totalCoresUsed': 1,
                      'maxTotalRAMSize': 51200, 'totalRAMUsed': 512}
    volume_limits = {'maxTotalVolumes': 10, 'totalVolumesUsed': 1, 'maxTotalVolumeGigabytes': 1000,
                     'totalGigabytesUsed': 1, 'maxTotalSnapshots': 10, 'totalSnapshotsUsed': 0}
    d = [
        (r'/compute/v2\.1/$', {'version': {'id': 'v2.1', 'status': 'CURRENT', 'version': '2.93', 'min_version': '2.1'}}),
        (r'/compute/v2\.1/servers/detail', {'servers': [server] if own else []}),
        (r'/compute/v2\.1/servers/%s$' % SERVER, {'server': server}) if own else None,
        (r'/compute/v2\.1/servers/%s/os-volume_attachments' % SERVER, {'volumeAttachments': attachments}),
        (r'/compute/v2\.1/servers/%s/os-interface' % SERVER, {'interfaceAttachments': [interface]}),
        (r'/compute/v2\.1/flavors/detail', {'flavors': [flavor]}),
        (r'/compute/v2\.1/os-keypairs/mine', {'keypair': key}) if own else None,
        (r'/compute/v2\.1/os-keypairs$', {'keypairs': [{'keypair': key}] if own else []}),
        (r'/compute/v2\.1/os-server-groups/%s$' % TOGETHER, {'server_group': together}) if own else None,
        (r'/compute/v2\.1/os-server-groups$', {'server_groups': [together] if own else []}),
        (r'/compute/v2\.1/limits', {'limits': {'absolute': compute_limits, 'rate': []}}),
        (r'/volume/v3/$', {'versions': [{'id': 'v3.0', 'status': 'CURRENT', 'version': '3.70', 'min_version': '3.0'}]}),
        (r'/volume/v3/volumes/detail', {'volumes': volumes}),
        *[(r'/volume/v3/volumes/%s$' % v['id'], {'volume': v}) for v in volumes],
        (r'/compute/v2\.1/os-availability-zone$', {'availabilityZoneInfo': [{'zoneName': 'nova',
                                                                            'zoneState': {'available': True}}]}),
        (r'/volume/v3/os-quota-sets/%s' % PROJECT[cloud], {'quota_set': {
            k: {'limit': 1000, 'in_use': 1, 'reserved': 0} for k in ('volumes', 'gigabytes', 'snapshots', 'gigabytes_fast',
                                                                     'per_volume_gigabytes')}}),
        (r'/volume/v3/backups/detail', {'backups': []}),
        (r'/network/v2\.0/quotas/%s' % PROJECT[cloud], {'quota': {
            k: {'limit': 100, 'used': 1, 'reserved': 0} for k in ('port', 'floatingip')}}),
        (r'/volume/v3/types', {'volume_types': [{'id': TYPE, 'name': 'fast', 'is_public': True}]}),
        (r'/volume/v3/limits', {'limits': {'absolute': volume_limits, 'rate': []}}),
        (r'/volume/v3/snapshots/detail', {'snapshots': []}),
        (r'/network/v2\.0/extensions', {'extensions': [{'alias': 'port-security'}, {'alias': 'qos'}]}),
        (r'/network/v2\.0/qos/policies/%s$' % TYPE, {'policy': qos}),
        (r'/network/v2\.0/qos/policies', {'policies': [qos]}),
        (r'/network/v2\.0/networks/%s$' % NETWORK[cloud], {'network': network}),
        (r'/network/v2\.0/networks', {'networks': [network]}),
        (r'/network/v2\.0/subnets/%s$' % SUBNET[cloud], {'subnet': subnet}),
        (r'/network/v2\.0/subnets', {'subnets': [subnet]}),
        (r'/network/v2\.0/ports/%s$' % PORT, {'port': port}) if own else None,
        (r'/network/v2\.0/ports', {'ports': [port] if own else []}),
        (r'/network/v2\.0/security-groups/%s$' % GROUP[cloud], {'security_group': group}),
        (r'/network/v2\.0/security-groups', {'security_groups': [group]}),
        (r'/network/v2\.0/floatingips', {'floatingips': [
            {'id': TYPE, 'floating_ip_address': '172.24.4.5', 'port_id': PORT, 'description': '',
             'floating_network_id': NETWORK[cloud]}] if own else []}),
        (r'/network/v2\.0/routers', {'routers': []}),
        (r'/image/v2/images', {'images': []}),
    ]
    return [('^/%s%s' % (cloud, path), document) for path, document in filter(None, d)]


def token(url, cloud):
    now = time.time()

    def stamp(t):
        return time.strftime('%Y-%m-%dT%H:%M:%S.000000Z', time.gmtime(t))

    catalog = [{'type': kind, 'name': kind, 'endpoints': [
        {'interface': 'public', 'region_id': 'R', 'region': 'R', 'id': TYPE, 'url': '%s/%s/%s' % (url, cloud, path)}]}
        for kind, path in (('compute', 'compute/v2.1'), ('volumev3', 'volume/v3'), ('network', 'network'), ('image', 'image'))]
    return {'token': {'issued_at': stamp(now), 'expires_at': stamp(now + 3600), 'project': {'id': PROJECT[cloud]},
                      'user': {'id': 'c' * 32}, 'catalog': catalog}}


def pointers(value, at=()):
    """Every place in a document."""
    if at:
        yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield from pointers(child, at + (key,))


def replaced(document, pointer, value):
    document = copy.deepcopy(document)
    place = document
    for key in pointer[:-1]:
        place = place[key]
    place[pointer[-1]] = value
    return document


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True

    def send(self, status, body, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do(self):
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        server = self.server
        server.seen.append((self.command, self.path))
        route, document = server.answer_to(self.path)
        mutation = server.mutation
        headers = ()
        if self.path.endswith('/auth/tokens'):
            headers = (('X-Subject-Token', 'a-token'),)
        elif self.command != 'GET':
            self.send(500, b'{"error": {"message": "this is a dry run"}}')
            return
        if mutation and mutation[0] == route:
            if callable(mutation[1]):
                mutation[1](self)
                return
            document = replaced(document, mutation[1], mutation[2])
        if document is None:
            self.send(404, b'{"itemNotFound": {"message": "not found"}}')
        else:
            self.send(201 if headers else 200, json.dumps(document, allow_nan=False).encode(), headers)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do


class FakeClouds(http.server.ThreadingHTTPServer):
    """mutation: None, (route, pointer, value), or (route, function of the handler, None)."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(('127.0.0.1', 0), Handler)
        self.url = 'http://127.0.0.1:%d' % self.server_address[1]
        self.mutation, self.seen = None, []
        self.routes = []
        for cloud in ('src', 'dst'):
            self.routes.append((re.compile('^/%s/identity/v3/auth/tokens$' % cloud), token(self.url, cloud)))
            self.routes += [(re.compile(path), document) for path, document in documents(cloud)]
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def answer_to(self, path):
        for i, (pattern, document) in enumerate(self.routes):
            if pattern.match(path.split('?')[0] if not pattern.pattern.endswith('$') else path):
                return i, document
        return None, None

    def clouds_yaml(self):
        return {'clouds': {name: {'region_name': 'R', 'auth': {
            'auth_url': '%s/%s/identity' % (self.url, name), 'username': 'demo', 'password': 'secret',
            'project_name': 'demo', 'domain_name': 'Default'}} for name in ('src', 'dst')}}
