# SPDX-License-Identifier: Apache-2.0
"""A cloud in memory: the lists, filters and members of OpenStack's APIs as far as the tenant's objects need them."""

import hashlib
import http.server
import json
import re
import socket
import sys
import threading
import time
import urllib.parse
import uuid

import memoryextras

SINGULAR = {"policies": "policy", "rbac-policies": "rbac_policy", "types": "volume_type"}


def new_id():
    return str(uuid.uuid4())


def conflict(kind, message="it is not possible"):
    """Neutron's answer of that kind."""
    return 409, {"NeutronError": {"type": kind, "message": message, "detail": ""}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, status, body=None, headers=()):
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def read_body(self, faults=None):
        """All of it, or as much as came."""
        left = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body, limit = bytearray(), (faults or {}).pop("cut_upload", None)
        while left or chunked:
            if chunked:
                left = int(self.rfile.readline(), 16) + 2
            part = self.rfile.read(min(left, 65536))
            left -= len(part)
            body += part[:-2] if chunked else part
            if (chunked and len(part) == 2) or not part:
                break
            if "pause_upload" in (faults or {}):
                reached, go = faults.pop("pause_upload")
                reached.set()
                go.wait(30)
            if limit is not None and len(body) > limit:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return None
        return bytes(body)

    def image_file(self, image_id):
        cloud = self.server
        with cloud.lock:
            cloud.seen.append((self.command, self.path))
            image, data = cloud.objects["image/images"].get(image_id), cloud.data.get(image_id)
        if not image:
            return self.answer(404, {"message": "no image"})
        if self.command == "PUT":
            if "rival_data" in cloud.faults:
                cloud.set_data(image, cloud.faults.pop("rival_data"))
                self.rfile.read(100000)
            if image["status"] != "queued":
                self.answer(409, {"message": "it is not queued"})
                self.close_connection = True
                while self.rfile.read1(65536):
                    pass
                return None
            image["status"] = "saving"
            data = self.read_body(cloud.faults)
            if data is None or len(data) < int(self.headers.get("Content-Length") or 0):
                image["status"] = "queued"
                return None
            cloud.set_data(image, cloud.faults.pop("other_data", data))
            return self.answer(204)
        start = 0
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        if wanted and not cloud.faults.get("no_range"):
            start = int(wanted[1])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data)))
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        cut = cloud.faults.pop("cut_download", None)
        with cloud.lock:
            cloud.streams += 1
            cloud.most_streams = max(cloud.streams, cloud.most_streams)
        self.wfile.write(data[start:cut])
        if cut:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        with cloud.lock:
            cloud.streams -= 1
        return None

    def do(self):
        url = urllib.parse.urlsplit(self.path)
        data = re.match(r"/image/v2/images/([^/]+)/file$", url.path)
        if data:
            self.image_file(data[1])
            return
        body = json.loads(self.read_body() or "null")
        with self.server.lock:
            self.server.seen.append((self.command, self.path))
            self.server.scope = memoryextras.project_of_token(self.server, self.headers.get("X-Auth-Token"))
            self.answer(*self.server.handle(self.command, url.path, urllib.parse.parse_qs(url.query), body))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do


class FakeCloud(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, name, administrator=False):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server_address[1]
        self.name, self.administrator = name, administrator
        self.lock = threading.Lock()
        self.seen = []
        self.project, self.user = uuid.uuid4().hex, uuid.uuid4().hex
        self.scope = self.project  # of the token of the request that is answered
        # {"network/networks": {ID: object}}
        self.objects = {}
        self.refused = set()  # of these, every GET is answered with 403
        if not administrator:
            self.refused = {"identity/projects", "identity/users", "identity/domains", "identity/role_assignments"}
        self.extensions = ["network_availability_zone", "dns-integration", "port-security", "external-net", "ext-gw-mode",
                           "net-mtu-writable", "qos", "router_availability_zone", "stateful-security-group",
                           "allowed-address-pairs", "binding", "extra_dhcp_opt", "trunk", "address-group", "address-scope",
                           "security-groups-remote-address-group", "default-subnetpools", "qos-default"]
        self.unknown = set()  # likewise with 404
        self.broken = set()  # likewise with 400
        self.hidden = set()  # ids whose GET is answered with 403
        self.roles = ["admin" if administrator else "member"]
        self.max_limit = 1000  # of Nova
        self.data = {}  # of images
        self.encryption, self.type_access, self.types_in_use = {}, {}, set()  # of volume types, by their ids
        self.answers = {}  # {(METHOD, KIND): [(status, body) or a function that returns them, ...]}: given first, one each
        self.faults = {}  # what happens once to the data of an image
        self.streams = self.most_streams = 0
        self.add("identity/domains", id="default", name="Default")
        self.add("identity/projects", id=self.project, name=name, domain_id="default", parent_id="default",
                 description="", enabled=True, is_domain=False, tags=[])
        self.add("identity/users", id=self.user, name=name + "-user", domain_id="default", enabled=True,
                 default_project_id=None)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def handle_error(self, request, client_address):
        """Connections that the other side gives up are part of the tests."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def close(self):
        self.shutdown()
        self.server_close()

    def add(self, kind, /, **values):
        obj = dict({"id": new_id()}, **values)
        if kind.startswith("network/"):
            obj.setdefault("project_id", self.project)
        self.objects.setdefault(kind, {})[obj["id"]] = obj
        return obj

    def set_data(self, image, data):
        self.data[image["id"]] = data
        image.update(status="active", size=len(data), checksum=hashlib.md5(data).hexdigest(), os_hash_algo="sha512",
                     os_hash_value=hashlib.sha512(data).hexdigest())

    def all(self, kind):
        return list(self.objects.get(kind, {}).values())

    def calls(self, method="GET"):
        return [path for m, path in self.seen if m == method and "/auth/tokens" not in path]

    # ------------------------------------------------------------ requests
    def token(self, body):
        project, roles = memoryextras.scope_of(self, body)
        if not roles:
            return 401, {"error": {"code": 401, "message": "The request you have made requires authentication."}}
        now = time.time()

        def stamp(t):
            return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(t))
        catalog = [{"type": t, "endpoints": [{"interface": "public", "region_id": "R", "url": self.url + path}]}
                   for t, path in (("compute", "/compute/v2.1"), ("network", "/network"), ("image", "/image"),
                                   ("volumev3", "/volume/v3"))]
        return 201, {"token": {"issued_at": stamp(now), "expires_at": stamp(now + 3600), "project": {"id": project},
                               "user": {"id": self.user}, "roles": [{"name": r} for r in roles],
                               "catalog": catalog}}, [("X-Subject-Token", memoryextras.token_of(self, project))]

    def handle(self, method, path, query, body):
        if path.endswith("/auth/tokens"):
            return self.token(body)
        if path == "/compute/v2.1/":
            return 200, {"version": {"id": "v2.1", "version": "2.90", "min_version": "2.1"}}
        if path == "/volume/v3/":
            return 200, {"versions": [{"id": "v3.0", "version": "3.70", "min_version": "3.0"}]}
        match = re.match(r"/(\w+)/v[0-9.]+/(.+)$", path)
        if not match:
            return 404, {"message": "no such path"}
        service, parts = match[1], match[2].split("/")
        if parts == ["extensions"]:
            return 200, {"extensions": [{"alias": a} for a in self.extensions]}
        if parts[:2] in (["flavors", "detail"], ["servers", "detail"]) and service == "compute":
            parts = parts[:1]
        if parts[:2] == ["qos", "policies"]:
            if parts[3:] == ["tags"]:  # neutron/db/qos/models.py: api_collections
                return 404, {"message": "The resource could not be found."}
            parts = parts[1:]
        kind = "%s/%s" % (service, parts[0])
        if (method == "GET" and kind in self.refused) or (method, kind) in self.refused:
            return 403, {"error": {"code": 403, "message": "You are not authorized"}}
        if method == "GET" and kind in self.unknown:
            return 404, {"message": "The resource could not be found."}
        if method == "GET" and kind in self.broken:
            return 400, {"message": "it is broken"}
        if self.answers.get((method, kind)):
            answer = self.answers[method, kind].pop(0)
            return answer() if callable(answer) else answer
        return (memoryextras.handle(self, method, service, parts, query, body) or
                getattr(self, method.lower())(service, kind, parts, query, body))

    @staticmethod
    def plural(service, parts):
        return parts[0].replace("os-", "") if service in ("compute", "volume") else parts[0]

    def show(self, service, plural, obj):
        if service == "image":
            return obj
        return {SINGULAR.get(plural, plural.rstrip("s")).replace("-", "_"): obj}

    def with_rules(self, kind, obj):
        if kind != "network/security-groups":
            return obj
        return dict(obj, security_group_rules=[r for r in self.all("network/security-group-rules")
                                               if r["security_group_id"] == obj["id"]])

    def get(self, service, kind, parts, query, body):
        plural = self.plural(service, parts)
        if len(parts) > 1:
            if parts[1] in self.hidden:
                return 403, {"message": "not yours"}
            obj = self.objects.get(kind, {}).get(parts[1])
            return (200, self.show(service, plural, self.with_rules(kind, obj))) if obj else (404, {"message": "not found"})
        found = [self.with_rules(kind, o) for o in self.all(kind)
                 if all(str(o.get(k)) in v for k, v in query.items() if k in o and k != "is_public")]
        if kind == "compute/os-keypairs":
            found = [{"keypair": {k: v for k, v in o.items() if k not in ("id", "user_id")}} for o in found
                     if o["user_id"] == query.get("user_id", [self.user])[0]]
        if kind == "volume/types":
            plural = "volume_types"
        return 200, {plural.replace("-", "_"): found}

    @staticmethod
    def normalise_rule(rule):
        """As Neutron stores it, whatever was asked for."""
        if rule.get("protocol"):
            rule["protocol"] = rule["protocol"].lower()
        if rule.get("remote_ip_prefix") and "/" not in rule["remote_ip_prefix"]:
            rule["remote_ip_prefix"] += "/32"

    def post(self, service, kind, parts, query, body):
        if kind == "image/images":
            forbidden = {"os_hash_algo", "os_hash_value", "checksum", "size", "status", "file", "self"} & set(body)
            if "owner" in body and not self.administrator:  # glance/api/policies/image.py: add_image
                forbidden.add("owner")
            if forbidden:
                return 403, {"message": "read-only: %s" % forbidden}
            return 201, self.add(kind, **dict({"status": "queued", "owner": self.scope, "os_hash_algo": None,
                                               "os_hash_value": None, "checksum": None, "size": None, "tags": [],
                                               "protected": False, "os_hidden": False}, **body))
        values = next(iter(body.values()))
        plural = self.plural(service, parts)
        if isinstance(values, list):
            return self.post_many(service, kind, parts, plural, values)
        if parts[-1] in ("os-extra_specs", "extra_specs"):
            self.objects[kind][parts[1]]["extra_specs"] = dict(values)
            return 200, body
        if kind == "network/security-group-rules":
            self.normalise_rule(values)
            rules = [{k: r.get(k) for k in values if k != "description"} for r in self.all(kind)]
            if {k: v for k, v in values.items() if k != "description"} in rules:
                return conflict("SecurityGroupRuleExists", "exists")
        taken = {(ip.get("subnet_id"), ip.get("ip_address")) for p in self.all(kind) for ip in p.get("fixed_ips", ())
                 if ip.get("ip_address")}
        if kind == "network/ports" and any((ip.get("subnet_id"), ip.get("ip_address")) in taken
                                           for ip in values.get("fixed_ips", ())):
            return conflict("IpAddressAlreadyAllocated", "the address is in use")
        if kind == "compute/os-keypairs":
            obj = self.add(kind, **dict({"user_id": self.user, "fingerprint": "aa"}, **values))
        else:
            obj = self.add(kind, **values)
        if kind == "network/security-groups":
            obj["security_group_rules"] = [
                self.add("network/security-group-rules", security_group_id=obj["id"], direction="egress", ethertype=e,
                         protocol=None, port_range_min=None, port_range_max=None, remote_ip_prefix=None,
                         remote_group_id=None, description=None) for e in ("IPv4", "IPv6")]
        for sub in values.get("sub_ports", ()):
            self.objects["network/ports"][sub["port_id"]].update(device_owner="trunk:subport", device_id=obj["id"])
        if kind == "network/routers":
            obj.setdefault("routes", [])
        return 201, self.show(service, plural, obj)

    def post_many(self, service, kind, parts, plural, bodies):
        """As neutron/db/securitygroups_db.py does: all or none, and only of one group."""
        if len({b["security_group_id"] for b in bodies}) != 1:
            return 400, {"NeutronError": {"type": "SecurityGroupNotSingleGroupRules", "message": "one at a time", "detail": ""}}
        before, made = dict(self.objects.get(kind, {})), []
        for body in bodies:
            status, answer = self.post(service, kind, parts, {}, {"x": body})[:2]
            if status != 201:
                self.objects[kind] = before
                return status, answer
            made += answer.values()
        return 201, {plural.replace("-", "_"): made}

    def put(self, service, kind, parts, query, body):
        if kind == "identity/projects" and len(parts) == 6:
            self.add("identity/role_assignments", role={"id": parts[5]}, user={"id": parts[3]},
                     scope={"project": {"id": parts[1]}})
            return 204, None
        obj = self.objects.get(kind, {}).get(parts[1])
        if not obj:
            return 404, {"message": "not found"}
        if parts[-1] == "add_router_interface":
            port = self.objects["network/ports"][body["port_id"]]
            port.update(device_id=obj["id"], device_owner="network:router_interface")
            return 200, {}
        if parts[-1] == "remove_router_interface":
            port = self.objects["network/ports"][body["port_id"]]
            if any(r["nexthop"].rpartition(".")[0] == ip["ip_address"].rpartition(".")[0]
                   for r in obj.get("routes", ()) for ip in port["fixed_ips"]):
                return conflict("RouterInterfaceInUseByRoute", "a route needs it")
            del self.objects["network/ports"][body["port_id"]]
            return 200, {}
        if parts[-1] == "tags":
            obj["tags"] = body["tags"]
            return 200, body
        obj.update(next(iter(body.values())))
        return 200, body

    def patch(self, service, kind, parts, query, body):
        if kind != "image/images":
            return self.put(service, kind, parts, query, body)
        image = self.objects[kind][parts[1]]
        for operation in body:
            key = operation["path"][1:].replace("~1", "/").replace("~0", "~")
            if operation["op"] == "remove":
                del image[key]
            else:
                image[key] = operation["value"]
        return 200, image

    def users(self, kind, object_id):
        """What Neutron lets keep an object of that kind from being deleted."""
        ports = [p for p in self.all("network/ports") if p.get("device_owner") != "network:dhcp"]
        if kind == "network/networks":
            return [p for p in ports if p.get("network_id") == object_id]
        if kind == "network/subnets":
            return [p for p in ports if object_id in [ip["subnet_id"] for ip in p.get("fixed_ips", ())]]
        if kind == "network/security-groups":
            return [p for p in ports if object_id in p.get("security_groups", ())]
        if kind == "network/routers":
            return [p for p in ports if p.get("device_id") == object_id and "interface" in p["device_owner"]]
        return []

    def delete(self, service, kind, parts, query, body):
        obj = self.objects.get(kind, {}).get(parts[1], {})
        if obj.get("protected"):
            return 403, {"message": "it is protected"}
        if kind == "network/security-groups" and obj.get("name") == "default":
            return conflict("SecurityGroupCannotRemoveDefault")
        if self.users(kind, parts[1]):
            return conflict("InUse", "%s is in use" % parts[1])
        self.objects.get(kind, {}).pop(parts[1], None)
        if kind == "network/security-groups":
            rules = self.objects.get("network/security-group-rules", {})
            for rule in [r for r in rules.values() if parts[1] in (r["security_group_id"], r["remote_group_id"])]:
                del rules[rule["id"]]
        return 204, None
