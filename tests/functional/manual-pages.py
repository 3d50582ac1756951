#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages list exactly the commands, options and keys that there are."""

import os
import re
import subprocess
import sys
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
SOURCE = os.environ.get("top_srcdir", os.getcwd())


def source(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return f.read()


def bold(text):
    """The words in B<...>."""
    return re.findall(r"B<([^>]*)>", text)


def in_program(program):
    """{command: (operands, {options})}; "*" is what goes with every command."""
    text = subprocess.run([os.path.join(BUILD, program), "__commands"], stdout=subprocess.PIPE,
                          text=True, timeout=60, check=True).stdout
    table = {}
    for line in text.splitlines():
        name, operands, options = line.split("\t")
        table[name] = (operands, {o.partition("=")[0] for o in options.split()})
    return table


def in_page(page):
    """The same from the sections COMMANDS and OPTIONS of a page."""
    table = {"*": ("", set())}
    section = command = None
    for line in source(page).splitlines():
        if line.startswith("=head1 "):
            section, command = line[7:], None
        elif line.startswith("=head2 ") and section == "COMMANDS":
            command, _, operands = re.sub(r"[BI]<([^>]*)>", r"\1", line[7:]).partition(" ")
            table[command] = (operands, set())
        elif line.startswith("=item "):
            options = {w for w in bold(line) if w.startswith("-")}
            if section == "OPTIONS":
                table["*"][1].update(options)
            elif command:
                table[command][1].update(options)
    return table


class Pages(unittest.TestCase):
    maxDiff = None

    def test_commands_and_options(self):
        pages = [p for p in os.listdir(os.path.join(SOURCE, "docs"))
                 if p in ("osm-controller.pod", "osm-agent.pod")]
        self.assertIn("osm-controller.pod", pages)
        for page in pages:
            with self.subTest(page):
                self.assertEqual(in_page("docs/" + page), in_program(page[:-len(".pod")]))

    def test_types(self):
        """The help of each command that takes some names them, and the manual has them all."""
        section = re.search(r"^=head1 TYPES$(.*?)^=head1", source("docs/osm-controller.pod"), re.S | re.M)[1]
        listed = [w for line in section.splitlines() if line.startswith("=item") for w in bold(line)]
        for command, (operands, _) in in_program("osm-controller").items():
            text = subprocess.run([os.path.join(BUILD, "osm-controller"), "help", command], stdout=subprocess.PIPE,
                                  text=True, timeout=60, check=True).stdout if command != "*" else ""
            if "TYPE" not in operands:
                self.assertNotIn("TYPE is", text)
                continue
            with self.subTest(command):
                known = re.findall(r"\b[a-z_]+\b", re.sub(r"For administrators.*", "", re.search(r"TYPE is [^:]*:\n(.*)", text, re.S)[1]))
                self.assertEqual(sorted(known), sorted(listed))

    def test_keys_of_osm_yaml(self):
        config = source("controller/config.c")
        known = set(re.findall(r'\.name = "(\w+)"', config))
        for table in ("top_sections", "map_kinds"):
            body = re.search(r"\b%s\[\] = \{(.*?)\};" % table, config, re.S)[1]
            known.update(re.findall(r'"(\w+)"', body))
        keys = set()
        for line in source("docs/osm.yaml.pod").splitlines():
            if line.startswith("=item B<"):
                # Words with a colon are keys of their own, also the one in { ... }.
                keys.update(bold(line)[:1] + re.findall(r"B<(\w+)>:", line))
        self.assertEqual(keys, known)

    def test_pages_are_valid(self):
        pages = [os.path.join(SOURCE, "docs", p) for p in os.listdir(os.path.join(SOURCE, "docs"))
                 if p.endswith(".pod")]
        self.assertGreaterEqual(len(pages), 2)
        r = subprocess.run(["podchecker", "-warnings", *pages], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                           check=False)
        self.assertEqual(r.returncode, 0, r.stdout)
        self.assertNotIn("WARNING", r.stdout)

    def test_exit_statuses_are_all_described(self):
        header = source("common/command.h")
        statuses = re.findall(r"OSM_EXIT_\w+ = (\d+)", header)
        self.assertEqual(re.findall(r"=item Z<>(\d+)", source("docs/osm-controller.pod")), statuses)

    def test_states_are_all_described(self):
        states = re.findall(r'\[OSM_STATE_\w+\] = \{ "([\w-]+)"', source("controller/migration/state.c"))
        section = source("docs/osm-controller.pod").split("=head1 STATES")[1].split("=head1")[0]
        self.assertEqual(re.findall(r"=item B<([\w-]+)>", section), states)


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
