#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every id of a finding in the code is in the list of ids and in docs/FINDINGS.md, with its severities, and the other way round;
and each is in a test."""

import glob
import os
import re
import subprocess
import sys
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
SOURCE = os.environ.get("top_srcdir", os.getcwd())
SEVERITIES = {"blocker", "warning", "info"}


def source(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return f.read()


def sources():
    for path in sorted(glob.glob(os.path.join(SOURCE, "controller", "*", "*.c"))):
        yield source(os.path.relpath(path, SOURCE))


def arguments(text, function):
    """The arguments of each call of it, as text."""
    for m in re.finditer(r"\b%s \(" % function, text):
        depth, start, found, quoted, i = 1, m.end(), [], False, m.end()
        while depth > 0:
            c = text[i]
            if c == "\\" and quoted:
                i += 1
            elif c == '"':
                quoted = not quoted
            elif not quoted and c in "([{":
                depth += 1
            elif not quoted and c in ")]}":
                depth -= 1
            if (c == "," and depth == 1 and not quoted) or depth == 0:
                found.append(text[start:i])
                start = i + 1
            i += 1
        yield found


def strings(text):
    return re.findall(r'"([^"]*)"', text)


def look_ups():
    """Ids that osm_plan_look_up makes of the words for what it looks for."""
    words = {}
    for text in sources():
        words.update(re.findall(r"struct osm_collection (osm_\w+) =\s*(?:\{[^}]*?\.what =|COLLECTION \()\s*\"([^\"]+)\"", text))
    for text in sources():
        for found in arguments(text, "osm_plan_look_up"):
            name = re.search(r"&(osm_\w+)", ",".join(found))
            if name:
                yield "destination-%s-missing" % words[name[1]].replace(" ", "-")


def in_code():
    """{id: set of severities, empty where the code computes it}"""
    found = {}
    for text in sources():
        for call in arguments(text, "osm_plan_finding"):
            for i in strings(call[1]) if len(call) > 2 else ():
                found.setdefault(i, set()).update(SEVERITIES & set(strings(call[2])))
        # Tables: their severities stand beside the ids.
        for entry in re.findall(r"\{[^{}]*\.id = \"[^{}]*(?:\{[^{}]*\}[^{}]*)*\}", text):
            severities = re.findall(r'\.severity\w* = "([^"]+)"', entry)
            if severities:
                found.setdefault(re.search(r'\.id = "([^"]+)"', entry)[1], set()).update(severities)
        for i in re.findall(r'\{ "(source-(?:snapshots|backups)-stay)"', text):
            found.setdefault(i, set()).add("info")
    for i in look_ups():
        found.setdefault(i, set()).add("blocker")
    return found


def in_list():
    body = re.search(r"osm_finding_ids\[\] = \{(.*?)\};", source("controller/migration/findings.c"), re.S)[1]
    return strings(body)


def in_page():
    """[(id, severities, meaning)] of the table."""
    rows = []
    for line in source("docs/FINDINGS.md").splitlines():
        m = re.match(r"\| `([\w-]+)` \| ([\w, ]+) \| (.+?) \|", line)
        if m:
            rows.append((m[1], set(m[2].split(", ")), m[3]))
    return rows


class Findings(unittest.TestCase):
    maxDiff = None

    def test_code_and_list_have_the_same_ids(self):
        self.assertGreater(len(in_list()), 80)
        self.assertEqual(sorted(in_code()), in_list())

    def test_list_and_page_have_the_same_ids_in_order(self):
        self.assertEqual([i for i, _, _ in in_page()], in_list())

    def test_ids_are_kebab_case_and_sorted(self):
        for i in in_list():
            self.assertRegex(i, r"\A[a-z]+(-[a-z]+)*\Z")
        self.assertEqual(in_list(), sorted(set(in_list())))

    def test_each_is_in_a_test(self):
        tests = "".join(source(os.path.relpath(path, SOURCE)) for pattern in ("unit/*.c", "functional/*.py", "e2e/*.py")
                        for path in sorted(glob.glob(os.path.join(SOURCE, "tests", pattern))))
        named = set(re.findall(r"\b[a-z]+(?:-[a-z]+)+\b", tests))
        self.assertEqual([i for i in in_list() if i not in named], [])

    def test_severities_are_those_of_the_code(self):
        code = in_code()
        for i, severities, _ in in_page():
            with self.subTest(i):
                self.assertLessEqual(severities, SEVERITIES)
                if i.startswith("together-"):  # one call for both quotas
                    self.assertLessEqual(severities, code[i])
                elif i != "api-too-old":  # from a table of features
                    self.assertEqual(severities, code[i])

    def test_scheduler_hints_are_not_seen(self):
        """Nova shows them from 2.100 on: both pages say that osm does not ask so."""
        spoken = re.search(r'\[OSM_COMPUTE\] = .*"(2\.\d+)" \}', source("controller/cloud/catalog.c"))[1]
        self.assertLess(int(spoken.split(".")[1]), 100)
        for page in ("docs/FINDINGS.md", "docs/SUPPORT.md"):
            self.assertIn("osm speaks %s at most" % spoken, source(page))

    def test_an_unknown_id_is_refused_and_all_are_listed(self):
        r = subprocess.run([os.path.join(BUILD, "osm-controller"), "check-server", "--accept", "no-such-thing", "web"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("there is no finding 'no-such-thing'", r.stderr)
        for i in in_list():
            self.assertIn(i, r.stderr)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
