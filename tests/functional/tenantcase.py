# SPDX-License-Identifier: Apache-2.0
"""What the tests of export and import have in common: two clouds in memory, a tenant in one of them, and osm-controller."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import FakeCloud, new_id  # noqa: E402

BUILD = os.environ.get("top_builddir", os.getcwd())
CONTROLLER = os.path.join(BUILD, "osm-controller")
AUTH = {"project_name": "%auth%", "domain_name": "%auth%"}


def fill(c):
    """A tenant with two networks, a router, groups, keys and an image; and what others have."""
    other = c.add("identity/projects", id=new_id().replace("-", ""), name="admin", domain_id="default")["id"]
    public = c.add("network/networks", name="public", project_id=other, **{"router:external": True})["id"]
    net = c.add("network/networks", name="n1", admin_state_up=True, shared=False, mtu=1450, tags=["b", "a"],
                port_security_enabled=True, description="", availability_zone_hints=[], subnets=[],
                **{"router:external": False})["id"]
    c.add("network/networks", name="on", admin_state_up=False, shared=False, mtu=1500, tags=[],
          description="osm: 'quoted', 12:34")
    c.add("network/networks", name="osm-net", description="osm.role=conversion-host osm.pair=osm-conversion")
    subnet = c.add("network/subnets", name="s1", network_id=net, cidr="10.1.0.0/24", ip_version=4, gateway_ip=None,
                   dns_nameservers=["9.9.9.9", "1.1.1.1"], enable_dhcp=False, tags=[], host_routes=[],
                   allocation_pools=[{"start": "10.1.0.20", "end": "10.1.0.30"}, {"start": "10.1.0.2", "end": "10.1.0.9"}],
                   ipv6_address_mode=None, ipv6_ra_mode=None, subnetpool_id=None, segment_id=None)["id"]
    router = c.add("network/routers", name="r1", admin_state_up=True, tags=[], flavor_id=None,
                   routes=[{"destination": "10.9.0.0/24", "nexthop": "10.1.0.3"}],
                   external_gateway_info={"network_id": public, "enable_snat": False, "external_fixed_ips": [
                       {"ip_address": "203.0.113.7", "subnet_id": new_id()}]})["id"]
    c.add("network/ports", network_id=net, device_id=router, device_owner="network:router_interface",
          fixed_ips=[{"subnet_id": subnet, "ip_address": "10.1.0.1"}])
    c.add("network/ports", network_id=public, device_id=router, device_owner="network:router_gateway", fixed_ips=[])
    web = c.add("network/security-groups", name="web", description="", stateful=True, tags=[])["id"]
    c.add("network/security-groups", name="default", description="Default security group", stateful=True, tags=[])
    for port in (22, 80):
        c.add("network/security-group-rules", security_group_id=web, direction="ingress", ethertype="IPv4",
              protocol="tcp", port_range_min=port, port_range_max=port, remote_ip_prefix=None, remote_group_id=web,
              description="")
    c.add("compute/os-keypairs", name="k1", public_key="ssh-ed25519 AAAA me@here", type="ssh", user_id=c.user,
          fingerprint="11:22")
    image = c.add("image/images", name="cirros", owner=c.project, disk_format="qcow2", container_format="bare", min_disk=1,
          min_ram=0, visibility="private", protected=False, os_hidden=False, hw_cpu_cores="2", hw_disk_bus="virtio",
          tags=["t"], stores="fast", file="/v2/x", schema="/v2/schemas/image", self="/v2/x",
                  my_own="yes")
    c.set_data(image, b"0123456789")
    c.add("image/images", name="others", owner=other, visibility="public")


class Files(unittest.TestCase):
    maxDiff = None
    administrator = False

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = self.folder + "/data"
        self.source, self.destination = FakeCloud("src", self.administrator), FakeCloud("dst", self.administrator)
        self.addCleanup(self.source.close)
        self.addCleanup(self.destination.close)
        with open(self.folder + "/clouds.yaml", "w", encoding="utf-8") as f:
            json.dump({"clouds": {c.name: {"region_name": "R", "auth": {
                "auth_url": c.url + "/identity/v3", "username": "u", "password": "p", "project_name": c.name,
                "user_domain_name": "Default", "project_domain_name": "Default"}}
                for c in (self.source, self.destination)}}, f)
        fill(self.source)

    def run_osm(self, status, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml", XDG_CONFIG_HOME=self.folder)
        command, *rest = words
        r = subprocess.run([CONTROLLER, command, "--source-cloud", "src", "--destination-cloud", "dst", "--state-dir", self.folder + "/state",
                            "--output", "json",
                            *(("--data-dir", self.data) if command in ("export", "validate", "diff", "import", "cleanup-source") else ()), *rest], env=env, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual(r.returncode, status, r.stdout + r.stderr)
        self.err = r.stderr
        return json.loads(r.stdout) if r.stdout else None

    def export(self, *words, status=0):
        report = self.run_osm(status, "export", *words)
        return {(o["type"], o.get("name", "(all)")): o for o in report["objects"]}

    def text(self, name):
        with open("%s/%s" % (self.data, name), encoding="utf-8") as f:
            return f.read()

    def write(self, name, text):
        with open("%s/%s" % (self.data, name), "w", encoding="utf-8") as f:
            f.write(text)

    def edit(self, name, old, new):
        text = self.text(name)
        self.assertEqual(text.count(old), 1, text)
        self.write(name, text.replace(old, new))
