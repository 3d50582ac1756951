#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each promise of docs/RELIABILITY.md names a test; each test that is named there or in docs/SUPPORT.md exists."""

import os
import re
import sys
import unittest

SOURCE = os.environ.get("top_srcdir", os.getcwd())


def source(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return f.read()


def promises():
    """[(promise, [(file, test)])] of the tables of the section Promises."""
    section = source("docs/RELIABILITY.md").split("\n## Promises\n")[1].split("\n## ")[0]
    found = []
    for line in section.splitlines():
        if not line.startswith("|") or line.startswith(("|---", "| promise |")):
            continue
        promise, tests = line.strip("| ").rsplit(" | ", 1)
        found.append((promise, re.findall(r"`([\w./-]+)::([\w-]+)`", tests)))
    return found


class Promises(unittest.TestCase):
    def test_each_names_a_test(self):
        self.assertGreater(len(promises()), 30)
        for promise, tests in promises():
            self.assertTrue(tests, promise)

    def test_each_test_exists(self):
        for promise, tests in promises():
            for path, name in tests:
                with self.subTest(promise=promise, test=name):
                    self.assertTrue(path.startswith("tests/"), path)
                    self.assertRegex(source(path), r"\b%s\b" % re.escape(name))

    def test_each_kind_names_a_test_or_none(self):
        rows = [line.strip("| ").split(" | ") for line in source("docs/SUPPORT.md").splitlines()
                if line.startswith("|") and not line.startswith(("|---", "| kind |"))]
        self.assertGreater(len(rows), 30)
        for row in rows:
            tests = re.findall(r"`([\w./-]+)::([\w-]+)`", row[-1])
            self.assertTrue(tests or row[-1] == "not tested", row)
            for path, name in tests:
                with self.subTest(kind=row[0], test=name):
                    self.assertRegex(source(path), r"\b%s\b" % re.escape(name))

    def test_every_suite_is_run_by_something(self):
        """A test that no list of the build names is never run: unit tests and functional tests are listed by path."""
        listed = "".join(source(p) for p in ("agent/local.mk", "common/local.mk", "controller/local.mk", "nbd/local.mk",
                                             "docs/local.mk", "tests/local.mk", "check"))
        for _, tests in promises():
            for path, _ in tests:
                if path.startswith(("tests/unit/", "tests/functional/")):
                    self.assertIn(path.removesuffix(".c"), listed)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
