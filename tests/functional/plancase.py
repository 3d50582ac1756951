# SPDX-License-Identifier: Apache-2.0
"""Plans of migrations between two made-up clouds (tests/faults/hostile/fakecloud.py), whose answers a test changes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
SOURCE = os.environ.get("top_srcdir", os.getcwd())
sys.path.insert(0, os.path.join(SOURCE, "tests", "faults", "hostile"))
sys.dont_write_bytecode = True
import fakecloud  # noqa: E402

IMAGE = {"src": "1a000000-0000-4000-8000-000000000001", "dst": "1a000000-0000-4000-8000-000000000002"}
SECOND = "1a000000-0000-4000-8000-000000000003"


class PlanCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.clouds = fakecloud.FakeClouds()
        self.addCleanup(self.clouds.server_close)
        self.addCleanup(self.clouds.shutdown)
        self.folder = tempfile.mkdtemp(prefix="osm-plan.")
        self.addCleanup(shutil.rmtree, self.folder)
        with open(os.path.join(self.folder, "clouds.yaml"), "w", encoding="utf-8") as f:
            json.dump(self.clouds.clouds_yaml(), f)

    # ---- the clouds
    def answer(self, path, document):
        """Before all others; document None: 404."""
        self.clouds.routes.insert(0, (re.compile("^" + path), document))

    def document(self, path):
        """What is answered; to be changed."""
        return self.clouds.answer_to(path)[1]

    def server(self):
        return self.document("/src/compute/v2.1/servers/" + fakecloud.SERVER)["server"]

    def boot_from_image(self, sums=("a", "a"), name="debian"):
        """The server's root disk is none of its volumes."""
        server = self.server()
        server["image"] = {"id": IMAGE["src"]}
        server["flavor"]["disk"] = 5
        attachments = self.document("/src/compute/v2.1/servers/%s/os-volume_attachments" % fakecloud.SERVER)
        del attachments["volumeAttachments"][0]
        for cloud, sum_, its_name in (("src", sums[0], "debian"), ("dst", sums[1], name)):
            image = {"id": IMAGE[cloud], "name": its_name, "status": "active", "checksum": sum_, "min_disk": 1, "hw_disk_bus": "virtio"}
            self.answer("/%s/image/v2/images" % cloud, {"images": [image]})
            self.answer("/%s/image/v2/images/%s$" % (cloud, IMAGE[cloud]), image)

    def second_server(self):
        """Another one, without volumes and ports of its own."""
        other = json.loads(json.dumps(self.server()))
        other.update(id=SECOND, name="mail", addresses={}, image={"id": IMAGE["src"]}, server_groups=[])
        self.document("/src/compute/v2.1/servers/detail")["servers"].append(other)
        self.answer("/src/compute/v2.1/servers/%s$" % SECOND, {"server": other})
        self.answer("/src/compute/v2.1/servers/%s/os-volume_attachments" % SECOND, {"volumeAttachments": []})
        self.answer("/src/compute/v2.1/servers/%s/os-interface" % SECOND, {"interfaceAttachments": []})
        self.answer("/src/image/v2/images/%s$" % IMAGE["src"], {"id": IMAGE["src"], "name": "debian", "status": "active", "min_disk": 1})

    # ---- the program
    def osm(self, *words, status=0, **config):
        """status None: whatever it is."""
        path = os.path.join(self.folder, "osm.yaml")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(dict({"source": {"cloud": "src"}, "destination": {"cloud": "dst"}, "floating_ip": "skip",
                            "state_dir": self.folder + "/state"}, **config), f)
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        r = subprocess.run([os.path.join(BUILD, "osm-controller"), "--config", path, "--output", "json", *words],
                           env=dict(env, OS_CLIENT_CONFIG_FILE=self.folder + "/clouds.yaml"), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        if status is not None:
            self.assertEqual(r.returncode, status, r.stdout + r.stderr)
        return r

    def plan(self, *words, command="migrate-server", what="web", status=0, **config):
        return json.loads(self.osm(command, "--dry-run", *words, what, status=status, **config).stdout)

    def finding(self, plan, id):
        found = [f for f in plan["findings"] if f["id"] == id]
        self.assertEqual(len(found), 1, plan["findings"])
        return found[0]

    def volume(self, plan, id=fakecloud.DATA):
        return next(v for v in plan["volumes"] if v["id"] == id)
