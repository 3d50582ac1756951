# SPDX-License-Identifier: Apache-2.0
"""A proxy between osm-controller and the APIs of the lab's clouds, which fails requests as it is told.

    proxy = Proxy({'src': 'http://10.99.1.1:5000/v3', 'dst': ...})
    auth_url = proxy.auth_url('src')          # for clouds.yaml; the catalogue in Keystone's answers leads here, too
    rule = proxy.add(Rule('http-503', 'dst', 'volume', 'POST', '/volumes$', count=2))
    proxy.chaos = Chaos(seed, 0.05)
    ...
    assert rule.hits == 2                     # it really happened
    proxy.log                                 # [Injected]
    proxy.clear()

What no rule says is passed on as it is. Each request goes out on a connection of its own, so that the proxy
never has to guess whether a request was taken."""
import collections
import hashlib
import http.client
import http.server
import json
import re
import select
import socket
import struct
import threading
import time
import urllib.parse

UUID = re.compile(r'[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{32}')
VERSION = re.compile(r'^/v[0-9.]+(?=/|$)')
HOP_BY_HOP = {'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'te', 'trailer', 'upgrade'}
SERVICES = {'volumev3': 'volume', 'block-storage': 'volume', 'volume': 'volume'}
REASON = 'injected by the test'
REQUEST_ID = 'req-00000000-fa17-4000-8000-000000000000'

Injected = collections.namedtuple('Injected', 'fault cloud service method path')
Answer = collections.namedtuple('Answer', 'status reason headers body')


class Request:
    def __init__(self, cloud, service, method, path, headers, body):
        self.cloud, self.service, self.method, self.headers, self.body = cloud, service, method, headers, body
        self.target = path
        self.path = VERSION.sub('', path.split('?')[0]) or '/'
        if service == 'volume':  # Cinder's of before 3.67 have the project in the path
            self.path = re.sub(r'^/[0-9a-f]{32}(?=/)', '', self.path)
        try:
            self.json = json.loads(body) if body else None
        except ValueError:
            self.json = None
        self.action = next(iter(self.json), '') if isinstance(self.json, dict) else ''
        self.authenticates = service == 'identity' and self.path == '/auth/tokens'

    def shape(self):
        return ' '.join((self.cloud, self.service, self.method, UUID.sub('*', self.path), self.action))


class Rule:
    """Fails the requests that match, from the nth on, count of them (None: all). What is asked for once more, because
    it failed or was failed by another rule, is not another request: only those that just look are counted each. Of the
    others the nth alone is failed, count times at most, or all from it on."""

    def __init__(self, fault, cloud=None, service=None, method=None, path='', action=None, nth=1, count=1, **args):
        self.fault, self.cloud, self.service, self.method, self.action = fault, cloud, service, method, action
        self.path, self.nth, self.count, self.args = re.compile(path), nth, count, args
        self.seen = self.hits = 0
        self.known = {}  # requests that change something: the how manieth

    def takes(self, r):
        if self.cloud not in (None, r.cloud) or self.service not in (None, r.service) or \
                self.method not in (None, r.method) or self.action not in (None, r.action) or \
                not self.path.search(r.path):
            return False
        if r.method == 'GET' or (r.path, r.body) not in self.known:
            self.seen += 1
            self.known[r.path, r.body] = self.seen
        if r.method == 'GET' or self.count is None:
            return self.seen >= self.nth and (self.count is None or self.hits < self.count)
        return self.known[r.path, r.body] == self.nth and self.hits < self.count


class Chaos:
    """Fails a share of all requests. What happens to a request depends on the seed and on what it asks for how
    often, not on the order in which the threads come: as far as two runs ask the same, they get the same."""
    KINDS = ('http-500', 'http-502', 'http-503', 'http-429', 'http-409', 'token', 'timeout', 'timeout-after',
             'cut-before', 'cut-after', 'truncate', 'garble', 'drip', 'redirect', 'error')
    #: Keystone is asked for a token with a password: an answer that says that it is wrong is believed
    AUTHENTICATION = ('http-500', 'http-502', 'http-503', 'http-429', 'timeout', 'cut-before', 'cut-after',
                      'truncate', 'drip')

    def __init__(self, seed, share):
        self.seed, self.share, self.nr = seed, share, collections.Counter()

    def fault(self, r):
        shape = r.shape()
        self.nr[shape] += 1
        digest = hashlib.sha256(('%s %s %d' % (self.seed, shape, self.nr[shape])).encode()).digest()
        if int.from_bytes(digest[:4], 'big') >= self.share * 2 ** 32:
            return None
        kinds = self.AUTHENTICATION if r.authenticates else self.KINDS
        kind = kinds[digest[4] % len(kinds)]
        if kind == 'error' and not (r.method == 'GET' and re.search(r'/(volumes|snapshots|servers)/[0-9a-f-]{36}$',
                                                                    r.path)):
            kind = 'http-500'
        return kind


class Gone(Exception):
    """The client's connection was ended on purpose."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError, Gone):
            self.close_connection = True

    def do(self):
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        proxy = self.server.proxy
        parts = self.path.split('/', 3)  # '', cloud, service, rest
        if len(parts) < 3 or (parts[1], parts[2].split('?')[0]) not in proxy.origins:
            self.give(Answer(404, 'Not Found', [], b'{"message": "the proxy knows no such endpoint"}'))
            return
        request = Request(parts[1], parts[2], self.command, '/' + (parts[3] if len(parts) > 3 else ''),
                          self.headers, body)
        fault, args = proxy.decide(request)
        if fault is None:
            self.give(proxy.forward(request))
        else:
            getattr(self, 'fault_' + fault.split('-')[0])(request, fault, **args)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do

    def head(self, a, length):
        self.send_response_only(a.status, a.reason)
        for name, value in a.headers:
            self.send_header(name, value)
        if a.status != 204:
            self.send_header('Content-Length', str(length))
        self.end_headers()

    def give(self, a):
        self.head(a, len(a.body))
        if a.status != 204:
            self.wfile.write(a.body)

    def cut(self):
        """A reset, as of a service that crashed."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.connection.close()
        raise Gone

    # ---------------------------------------------------------------- faults
    def fault_http(self, request, fault, retry_after='1', message=None):
        status = int(fault.split('-')[1])
        headers = [('Content-Type', 'application/json'), ('x-openstack-request-id', REQUEST_ID)]
        if status in (429, 503):
            headers.append(('Retry-After', retry_after))
        text = {'computeFault': {'code': status, 'message': message or REASON}}
        self.give(Answer(status, 'Fault', headers, json.dumps(text).encode()))

    def fault_token(self, request, fault):
        """The token is not valid any more: what the service itself says then."""
        self.server.proxy.revoke(request)
        self.give(self.server.proxy.forward(request))

    def silence(self):
        """Until the client gives up, or the test ends."""
        while not self.server.proxy.closed:
            readable, _, _ = select.select([self.connection], [], [], 0.2)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                break
        raise Gone

    def fault_timeout(self, request, fault):
        if fault == 'timeout-after':
            self.server.proxy.forward(request)
        self.silence()

    def fault_cut(self, request, fault):
        if fault == 'cut-after':
            self.server.proxy.forward(request)
        self.cut()

    def fault_truncate(self, request, fault):
        a = self.server.proxy.forward(request)
        if not a.body:
            self.wfile.write(b'HTTP/1.1 2')
            self.cut()
        self.head(a, len(a.body))
        self.wfile.write(a.body[:len(a.body) // 2])
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        raise Gone

    def fault_garble(self, request, fault):
        a = self.server.proxy.forward(request)
        self.give(a._replace(body=b'\x00\xff{"' + a.body[4:][::-1]))

    def fault_drip(self, request, fault, seconds=2.0):
        a = self.server.proxy.forward(request)
        self.head(a, len(a.body))
        step = max(1, len(a.body) // 20)
        for i in range(0, len(a.body), step):
            self.wfile.write(a.body[i:i + step])
            self.wfile.flush()
            time.sleep(seconds / 20)

    def fault_redirect(self, request, fault):
        self.give(Answer(302, 'Found', [('Location', 'https://maintenance.invalid/'),
                                        ('x-openstack-request-id', REQUEST_ID)], b''))

    def fault_error(self, request, fault):
        self.fault_edit(request, fault, status='ERROR' if request.service == 'compute' else 'error')

    def fault_edit(self, request, fault, status, detach=False):
        """The object has another status than it really has."""
        a = self.server.proxy.forward(request)
        if a.status == 200:
            answer = json.loads(a.body)
            for kind in ('server', 'volume', 'snapshot'):
                if kind in answer:
                    answer[kind]['status'] = status
                    if status == 'ERROR':
                        answer[kind]['fault'] = {'code': 500, 'message': REASON}
                    if detach:
                        answer[kind]['attachments'] = []
            a = a._replace(body=json.dumps(answer).encode())
        self.give(a)

    def fault_call(self, request, fault, function):
        """Something happens behind osm's back just before the request."""
        function(request)
        self.give(self.server.proxy.forward(request))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        self.proxy.errors.append(repr(__import__('sys').exc_info()[1]))


class Proxy:
    def __init__(self, auth_urls):
        self.server = Server(('127.0.0.1', 0), Handler)
        self.server.proxy = self
        self.url = 'http://127.0.0.1:%d' % self.server.server_address[1]
        self.lock = threading.Lock()
        self.closed = False
        self.origins = {}  # (cloud, service): 'host:port'
        self.auth_paths = {}
        for cloud, url in auth_urls.items():
            parsed = urllib.parse.urlsplit(url)
            self.origins[cloud, 'identity'] = parsed.netloc
            self.auth_paths[cloud] = parsed.path
        self.errors = []  # of the proxy itself: the test must see that there are none
        self.clear()
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.1}, daemon=True).start()

    def clear(self):
        with self.lock if hasattr(self, 'rules') else threading.Lock():
            self.rules, self.chaos, self.log, self.nr_requests, self.dead = [], None, [], 0, set()
            self.shapes = collections.Counter()

    def close(self):
        self.closed = True
        self.server.shutdown()
        self.server.server_close()

    def auth_url(self, cloud):
        return '%s/%s/identity%s' % (self.url, cloud, self.auth_paths[cloud])

    def add(self, rule):
        with self.lock:
            self.rules.append(rule)
        return rule

    def decide(self, request):
        with self.lock:
            self.nr_requests += 1
            self.shapes[request.shape()] += 1
            taking = [rule for rule in self.rules if rule.takes(request)]
            if taking:
                taking[0].hits += 1
                fault, args = taking[0].fault, taking[0].args
            else:
                fault, args = self.chaos.fault(request) if self.chaos else None, {}
            if fault:
                self.log.append(Injected(fault, request.cloud, request.service, request.method, request.path))
        return fault, args

    def revoke(self, request):
        with self.lock:
            self.dead.add(request.headers.get('X-Auth-Token'))

    def forward(self, request):
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP_BY_HOP | {'host'}}
        if headers.get('X-Auth-Token') in self.dead:
            headers['X-Auth-Token'] = 'revoked'
        connection = http.client.HTTPConnection(self.origins[request.cloud, request.service], timeout=120)
        try:
            connection.request(request.method, request.target, request.body or None,
                               dict(headers, Connection='close'))
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
        if request.authenticates and answer.status == 201:
            body = self.rewrite(request.cloud, body)
        return Answer(answer.status, answer.reason, kept, body)

    def rewrite(self, cloud, body):
        """Every endpoint of the catalogue leads through here."""
        answer = json.loads(body)
        for service in answer['token'].get('catalog', []):
            kind = SERVICES.get(service['type'], service['type'])
            for endpoint in service['endpoints']:
                url = urllib.parse.urlsplit(endpoint['url'])
                with self.lock:
                    self.origins[cloud, kind] = url.netloc
                endpoint['url'] = '%s/%s/%s%s' % (self.url, cloud, kind, url.path)
        return json.dumps(answer).encode()
