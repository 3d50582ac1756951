#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is left of credentials in the memory of osm-controller while it waits for an answer of a cloud: nothing but the one copy
that the next token needs."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from memorycloud import FakeCloud  # noqa: E402

CONTROLLER = os.path.join(os.environ.get("top_builddir", os.getcwd()), "osm-controller")
SECRET = "memory-of-secrets-6e1f0b7c93d2"
LARGEST = 1 << 31  # a sanitizer's shadow is larger


def copies(pid):
    """What is around each copy of the secret in what the process may write to."""
    found = []
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
        for line in maps:
            range_, mode = line.split()[:2]
            begin, end = (int(x, 16) for x in range_.split("-"))
            if not mode.startswith("rw") or end - begin > LARGEST:
                continue
            try:
                mem.seek(begin)
                data = mem.read(end - begin)
            except (OSError, OverflowError):
                continue
            found += [data[max(0, m.start() - 100):m.end() + 20] for m in re.finditer(SECRET.encode(), data)]
    return found


class Memory(unittest.TestCase):
    def copies_after_login(self, auth, **more):
        cloud, found = FakeCloud("src"), []
        self.addCleanup(cloud.close)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        with open(folder.name + "/clouds.yaml", "w", encoding="utf-8") as f:
            json.dump({"clouds": {"src": dict(region_name="R", auth=dict(auth, auth_url=cloud.url + "/identity/v3"), **more)}}, f)

        def look():
            found.append(copies(process.pid))
            return 200, {"routers": []}
        cloud.answers["GET", "network/routers"] = [look]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_"))}
        env.update(OS_CLIENT_CONFIG_FILE=folder.name + "/clouds.yaml", XDG_CONFIG_HOME=folder.name)
        process = subprocess.Popen([CONTROLLER, "export", "routers", "--source-cloud", "src", "--state-dir", folder.name + "/state",
                                    "--data-dir", folder.name + "/data"], env=env, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        said = process.communicate(timeout=60)[0]
        self.assertEqual((process.returncode, len(found)), (0, 1), said)
        self.assertTrue(any("/auth/tokens" in path for _, path in cloud.seen))
        return found[0]

    def test_password(self):
        found = self.copies_after_login({"username": "u", "password": SECRET, "project_name": "src",
                                         "user_domain_name": "Default", "project_domain_name": "Default"})
        self.assertEqual(len(found), 1, found)

    def test_application_credential(self):
        found = self.copies_after_login({"application_credential_id": "a" * 32, "application_credential_secret": SECRET},
                                        auth_type="v3applicationcredential")
        self.assertEqual(len(found), 1, found)


if __name__ == "__main__":
    unittest.main()
