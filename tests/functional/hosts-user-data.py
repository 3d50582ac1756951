#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The user data of the conversion hosts is what cloud-init takes, and the same each time."""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
SOURCE = os.environ.get("top_srcdir", BUILD)


class UserData(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="osm-user-data-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def render(self, side, agent_install):
        with open(self.path("osm.yaml"), "w", encoding="utf-8") as f:
            f.write("conversion_hosts: {agent_install: %s}\n" % agent_install)
        out = subprocess.run(
            [os.path.join(BUILD, "osm-controller"), "--config", self.path("osm.yaml"), "--state-dir",
             self.path("state"), "deploy-conversion-hosts", "--print-user-data", side],
            env=dict(os.environ, OSM_DATADIR=SOURCE), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            check=False)
        self.assertEqual(out.returncode, 0, out.stderr)
        return out.stdout

    def test_cloud_init_takes_it(self):
        cloud_init = shutil.which("cloud-init")
        self.assertTrue(cloud_init, "cloud-init not found: apt-get install cloud-init")
        for side, install in itertools.product(("source", "destination"), ("image", "upload")):
            with self.subTest(side=side, install=install):
                with open(self.path("user-data"), "wb") as f:
                    f.write(self.render(side, install))
                out = subprocess.run([cloud_init, "schema", "--config-file", self.path("user-data")],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                     check=False)
                self.assertEqual(out.returncode, 0, out.stdout)
                self.assertIn("Valid", out.stdout)
                self.assertNotIn("deprecat", out.stdout)

    def test_it_is_the_same_each_time_and_holds_no_secret(self):
        first = self.render("source", "image")
        self.assertEqual(first, self.render("source", "image"))
        self.assertNotIn(b"PRIVATE", first)
        with open(self.path("state/keys/controller"), "rb") as f:
            secret = f.read().split(b"\n")[2]
        self.assertNotIn(secret, first)

    def test_the_controllers_key_is_its_owners_alone(self):
        self.render("source", "image")
        self.assertEqual(os.stat(self.path("state/keys/controller")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.path("state/keys")).st_mode & 0o777, 0o700)

    def test_no_cloud_is_needed(self):
        """There is no clouds.yaml at all."""
        os.environ["OS_CLIENT_CONFIG_FILE"] = self.path("none.yaml")
        self.addCleanup(os.environ.pop, "OS_CLIENT_CONFIG_FILE")
        self.assertIn(b"#cloud-config", self.render("destination", "image"))


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
