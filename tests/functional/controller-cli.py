#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""osm-controller without a cloud: command line, configuration, journal, terminal, completion."""

import fcntl
import json
import os
import pty
import re
import shutil
import signal
import sqlite3
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
PROGRAM = os.path.join(BUILD, "osm-controller")
MIB = 1 << 20
LIMIT = 60  # seconds, for anything that should take one
COMMANDS = ["deploy-conversion-hosts", "check-conversion-hosts", "delete-conversion-hosts",
            "migrate-server", "migrate-volume", "plan", "check-server", "check-servers", "list", "show", "watch",
            "throttle", "resume", "verify", "rollback", "cleanup", "prune", "recover", "export", "validate", "diff",
            "import", "register-external", "forget", "cleanup-source", "revoke-grants", "completion", "version"]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="osm-test-cli.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.state = os.path.join(self.folder, "state")
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OS_", "OSM_", "XDG_"))}
        self.env.update(HOME=self.folder, OSM_STATE_DIR=self.state, LC_ALL="C.UTF-8", TERM="xterm")

    def run_it(self, *args, **kwargs):
        return subprocess.run([PROGRAM, *args], env=self.env, cwd=self.folder, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=LIMIT, check=False, **kwargs)

    def refused(self, status, message, *args):
        r = self.run_it(*args)
        self.assertEqual(r.stdout, "")
        self.assertEqual(r.stderr, "".join("osm-controller: error: %s\n" % m for m in message))
        self.assertEqual(r.returncode, status)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path


class CommandLine(Case):
    def test_help_fits_eighty_columns(self):
        for args in [["--help"]] + [["help", c] for c in COMMANDS] + [[c, "-h"] for c in COMMANDS]:
            r = self.run_it(*args)
            self.assertEqual((r.returncode, r.stderr), (0, ""))
            self.assertTrue(r.stdout.startswith("Usage: osm-controller"))
            for line in r.stdout.splitlines():
                self.assertLessEqual(len(line), 79, line)
                self.assertEqual(line, line.rstrip())

    def test_the_table_has_all_commands_in_order(self):
        lines = self.run_it("__commands").stdout.splitlines()
        self.assertEqual([l.split("\t")[0] for l in lines], ["*"] + COMMANDS)

    def test_no_command_is_a_usage_error(self):
        r = self.run_it()
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("Usage:", r.stderr)

    def test_unknown_command(self):
        self.refused(2, ["unknown command 'migrate-sevrer'",
                         "hint: did you mean 'migrate-server'? 'osm-controller help' lists all "
                         "commands"], "migrate-sevrer", "web1")

    def test_unknown_option(self):
        self.refused(2, ["unknown option --dry-rnu",
                         "hint: did you mean --dry-run? 'osm-controller help migrate-server' lists "
                         "all options"], "migrate-server", "web1", "--dry-rnu")

    def test_unknown_choice(self):
        self.refused(2, ["option --output: 'xml' is none of text|json",
                         "hint: 'osm-controller help list' shows how it is used"],
                     "list", "-o", "xml")

    def test_wrong_number_of_operands(self):
        self.assertEqual(self.run_it("migrate-server").returncode, 2)
        self.assertEqual(self.run_it("show", "a", "b").returncode, 2)

    def test_unknown_state_lists_the_states(self):
        r = self.run_it("list", "--state", "faild")
        self.assertEqual(r.returncode, 2)
        self.assertRegex(r.stderr, "the states are planned, running, .*failed, .*cleaned")

    def test_version(self):
        for args in (["--version"], ["version"]):
            self.assertRegex(self.run_it(*args).stdout, r"\Aosm-controller \d+\.\d+\.\d+\n\Z")

    def test_full_output_is_an_error(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            r = subprocess.run([PROGRAM, "--help"], env=self.env, stdout=full,
                               stderr=subprocess.PIPE, text=True, timeout=LIMIT, check=False)
        self.assertEqual(r.returncode, 1)
        self.assertIn("cannot write to standard output", r.stderr)


class Configuration(Case):
    def test_unknown_key(self):
        path = self.write("osm.yaml", "source: { cloud: a }\nconversion_hosts:\n  flavr: x\n")
        self.refused(1, [path + ":3:3: conversion_hosts.flavr: unknown key",
                         "hint: did you mean 'flavor'?"], "list", "--config", path)

    def test_wrong_value(self):
        path = self.write("osm.yaml", "conversion_hosts: { boot_volume_gb: -1 }\n")
        self.refused(1, [path + ":1:21: conversion_hosts.boot_volume_gb: must be a whole number "
                         "from 1 to 10000"], "list", "--config", path)

    def test_not_yaml(self):
        path = self.write("osm.yaml", "a: [\n")
        r = self.run_it("list", "--config", path)
        self.assertEqual(r.returncode, 1)
        self.assertIn(path + ":2:1: ", r.stderr)

    def test_missing_file(self):
        self.refused(1, ["configuration: open /nonexistent: No such file or directory"],
                     "list", "--config", "/nonexistent")

    def test_the_example_is_valid(self):
        example = os.path.join(os.environ.get("top_srcdir", "."), "packaging/osm.yaml.example")
        self.assertEqual(self.run_it("list", "--config", example).returncode, 0)


class Clouds(Case):
    def setUp(self):
        super().setUp()
        auth = "auth: {auth_url: 'http://127.0.0.1:1/v3', username: u, password: p, project_name: x}"
        self.env["OS_CLIENT_CONFIG_FILE"] = self.write(
            "clouds.yaml", "clouds:\n  one: {%s}\n  two: {%s}\n" % (auth, auth))

    def test_no_cloud_given(self):
        self.refused(1, ["no source cloud is given",
                         "hint: name one with --source-cloud, OSM_SOURCE_CLOUD, or 'source: "
                         "{ cloud: NAME }' in osm.yaml"], "migrate-server", "web1")
        self.env["OSM_SOURCE_CLOUD"] = "one"
        r = self.run_it("migrate-server", "web1")
        self.assertIn("no destination cloud is given", r.stderr)

    def test_unknown_cloud_lists_the_known_ones(self):
        r = self.run_it("--src-cloud", "eno", "--dst-cloud", "two", "migrate-server", "web1")
        self.assertEqual(r.returncode, 1)
        self.assertIn("eno", r.stderr)
        self.assertIn("one", r.stderr)
        self.assertIn("clouds.yaml", r.stderr)


PLAN = {"version": 1, "kind": "server", "source": {"cloud": "one", "id": "s-1", "name": "web"},
        "volumes": [], "ports": [], "findings": []}


class WithJournal(Case):
    def setUp(self):
        super().setUp()
        self.assertEqual(self.run_it("list").returncode, 0)
        self.db = sqlite3.connect(os.path.join(self.state, "osm.db"), isolation_level=None,
                                  timeout=LIMIT)
        self.addCleanup(self.db.close)

    def add(self, migration_id, state, name="web", total=0, done=0, error=None):
        now = int(time.time() * 1000)
        self.db.execute(
            "INSERT INTO migration (id, kind, state, source_cloud, destination_cloud, object_id,"
            " object_name, created_ms, updated_ms, bytes_total, bytes_done, error, plan)"
            " VALUES (?, 'server', ?, 'one', 'two', ?, ?, ?, ?, ?, ?, ?, ?)",
            (migration_id, state, "s-" + migration_id, name, now, now, total, done, error,
             json.dumps(PLAN)))

    def lease(self, migration_id):
        """This process is at work on it."""
        with open("/proc/self/stat", encoding="ascii") as f:
            start = f.read().rpartition(")")[2].split()[19]
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as f:
            kernel = f.read().strip() + " " + os.readlink("/proc/self/ns/pid")
        self.db.execute("INSERT INTO lease SELECT number, 'here', ?, ?, ?, 0 FROM migration"
                        " WHERE id = ?", (kernel, os.getpid(), start, migration_id))

    def event(self, migration_id, text):
        self.db.execute("INSERT INTO event (migration, time_ms, text)"
                        " SELECT number, 1, ? FROM migration WHERE id = ?", (text, migration_id))

    def set(self, migration_id, **values):
        for name, value in values.items():
            self.db.execute("UPDATE migration SET %s = ? WHERE id = ?" % name,
                            (value, migration_id))


class Journal(WithJournal):
    def test_only_its_owner_can_read_it(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)
        for name in os.listdir(self.state):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.state, name)).st_mode), 0o600)

    def test_an_empty_list(self):
        r = self.run_it("list")
        self.assertEqual((r.returncode, r.stdout, r.stderr), (0, "", "no migrations\n"))
        self.assertEqual(json.loads(self.run_it("list", "-o", "json").stdout), [])

    def test_list(self):
        self.add("00000001", "completed", total=100, done=100)
        self.add("00000002", "running", name="evil\033[2J\nname", total=1000, done=420)
        self.add("00000003", "running", name="\u65e5\u672c")
        self.lease("00000003")
        lines = self.run_it("list").stdout.splitlines()
        self.assertEqual(re.split(r"  +", lines[0]),
                         ["ID", "KIND", "NAME", "STATE", "PROGRESS", "SOURCE -> DESTINATION", "AGE"])
        self.assertEqual(re.split(r"  +", lines[1])[:6],
                         ["00000003", "server", "\u65e5\u672c", "running", "-", "one -> two"])
        self.assertEqual(re.split(r"  +", lines[2])[:5],
                         ["00000002", "server", "evil\\x1b[2J\\x0aname", "running (no process)",
                          "42%"])
        self.assertEqual(len(lines), 4)

    def test_list_as_json(self):
        self.add("00000001", "completed", name="evil\033", total=100, done=100)
        self.add("00000002", "running")
        rows = json.loads(self.run_it("list", "-o", "json").stdout)
        self.assertEqual([r["id"] for r in rows], ["00000002", "00000001"])
        self.assertEqual([r["alive"] for r in rows], [False, True])
        self.assertEqual(rows[1]["name"], "evil\033")
        self.assertEqual(rows[1]["bytes_total"], 100)
        self.assertRegex(rows[1]["created"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_list_of_a_state(self):
        self.add("00000001", "completed")
        self.add("00000002", "failed")
        rows = json.loads(self.run_it("list", "-o", "json", "-s", "failed").stdout)
        self.assertEqual([r["id"] for r in rows], ["00000002"])
        rows = json.loads(self.run_it("list", "-o", "json", "--limit", "1").stdout)
        self.assertEqual(len(rows), 1)

    def test_show(self):
        self.add("0000000a", "failed", total=3 << 30, done=1 << 30,
                 error='{"class": "retry", "message": "it \\u001b broke", "hint": "mend it"}')
        self.event("0000000a", "planned -> running")
        self.db.execute("INSERT INTO step SELECT number, 0, 'stop', 'done', 1000, 3500, NULL"
                        " FROM migration")
        self.db.execute("INSERT INTO object (migration, key, cloud, type, state, object_id)"
                        " SELECT number, 'volume:1', 'two', 'volume', 'created', 'v-1'"
                        " FROM migration")
        r = self.run_it("show", "0000000A")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        for expected in ["Migration 0000000a: server 'web'\n", "state        failed\n",
                         "copied       1.0 GiB of 3.0 GiB", "stop  done   2.5s\n",
                         "volume  two    created  v-1  volume:1\n",
                         "1970-01-01T00:00:00Z  planned -> running\n",
                         "Error: it \\x1b broke\nHint: mend it\nNext: finish it with "
                         "'osm-controller resume 0000000a'"]:
            self.assertIn(expected, r.stdout)

    def test_show_as_json(self):
        self.add("0000000a", "completed")
        shown = json.loads(self.run_it("show", "0", "-o", "json").stdout)
        self.assertEqual(shown["plan"], PLAN)
        self.assertEqual(shown["steps"], [])
        self.assertIn("cleanup 0000000a", shown["advice"])

    def test_show_the_manifest(self):
        self.add("0000000a", "completed")
        r = self.run_it("show", "0000000a", "--manifest")
        self.assertEqual((r.returncode, r.stdout), (1, ""))
        self.assertIn("has no manifest", r.stderr)
        self.db.execute("INSERT INTO fact SELECT number, 'manifest:v-1', '{\"sha256\": \"ab\"}'"
                        " FROM migration")
        shown = json.loads(self.run_it("show", "0000000a", "--manifest").stdout)
        self.assertEqual(shown, {"v-1": {"sha256": "ab"}})

    def test_show_the_manifest_with_its_digests(self):
        self.add("0000000a", "completed")
        self.db.execute("INSERT INTO fact SELECT number, 'manifest:v-1', '{\"chunks\": 2, \"chunk_bytes\":"
                        " 1048576, \"sha256\": \"ab\"}' FROM migration")
        os.makedirs(self.state + "/manifests/0000000a")
        with open(self.state + "/manifests/0000000a/v-1", "wb") as f:
            f.write(bytes(range(32)))
        shown = json.loads(self.run_it("show", "0000000a", "--manifest").stdout)
        self.assertEqual(shown, {"v-1": {"chunks": 2, "chunk_bytes": MIB, "sha256": "ab", "digest": "XXH3-128",
                                         "digests": [bytes(range(16)).hex(), bytes(range(16, 32)).hex()]}})
        with open(self.state + "/manifests/0000000a/v-1", "ab") as f:
            f.write(b"x")
        r = self.run_it("show", "0000000a", "--manifest")
        self.assertEqual(json.loads(r.stdout)["v-1"]["sha256"], "ab")
        self.assertIn("is larger than", r.stderr)

    def test_show_repairs_and_what_could_not_be_read(self):
        self.add("0000000a", "completed")
        for key, more in (("repair:v-1", '"result": "repaired", '), ("unreadable:v-2", "")):
            self.db.execute("INSERT INTO fact SELECT number, ?, ? FROM migration",
                            (key, '{%s"bytes": 512, "ranges": [[4096, 512]]}' % more))
        text = self.run_it("show", "0000000a").stdout
        self.assertIn("Copied once more in volume v-1 (repaired): 512 bytes at offset 4096\n", text)
        self.assertIn("zeros in the copy in volume v-2: 512 bytes at offset 4096\n", text)
        shown = json.loads(self.run_it("show", "0000000a", "-o", "json").stdout)
        self.assertEqual(shown["repairs"]["v-1"]["ranges"], [[4096, 512]])
        self.assertEqual(shown["unreadable"], {"v-2": {"bytes": 512, "ranges": [[4096, 512]]}})

    def test_bad_blocks_can_only_be_zero(self):
        for command in ("migrate-server", "migrate-volume", "resume"):
            self.refused(2, ["--bad-blocks can only be 'zero'"], command, "x", "--bad-blocks=skip")
            self.refused(2, ["rate 'foo' is not a rate", "hint: write 50M (K, M, G, T: binary bytes per second, at least 1K), "
                             "200Mbit (kbit, Mbit, Gbit: decimal bits) or unlimited"], command, "x", "--limit=foo")

    def test_unknown_migration(self):
        for command in ("show", "watch"):
            self.refused(1, ["there is no migration 'abc'",
                             "hint: 'osm-controller list' shows them"], command, "abc")

    def test_a_newer_journal_is_refused(self):
        self.db.execute("INSERT INTO schema_version VALUES (99, 1, 'osm 9')")
        r = self.run_it("list")
        self.assertEqual(r.returncode, 1)
        self.assertIn("was written by a newer osm (schema 99, this one knows ", r.stderr)


class Watch(WithJournal):
    def start(self, *args):
        p = subprocess.Popen([PROGRAM, "watch", *args], env=self.env, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.stderr.close)
        self.addCleanup(p.kill)
        return p

    def finish(self, process):
        out, err = process.communicate(timeout=LIMIT)
        return process.returncode, out, err

    def test_it_follows_until_the_end(self):
        self.add("00000001", "running", total=100)
        self.lease("00000001")
        self.event("00000001", "planned -> running")
        p = self.start("0")
        self.assertIn("planned -> running", p.stdout.readline())
        self.set("00000001", bytes_done=50)
        self.assertIn("copy 50%", p.stdout.readline())
        self.event("00000001", "running -> completed")
        self.set("00000001", state="completed", bytes_done=100)
        status, out, err = self.finish(p)
        self.assertEqual((status, err), (0, ""))
        self.assertIn("running -> completed\nmigration 00000001 is completed\n", out)

    def test_steps_and_their_undo_are_shown_in_order(self):
        self.add("00000001", "rolled-back")
        self.db.execute("INSERT INTO event (migration, time_ms, text)"
                        " SELECT number, 2500, 'running -> rolling-back' FROM migration")
        for seq, name, state, start in [(0, "claim", "undone", 4000), (1, "stop", "undone", 3000),
                                        (2, "copy", "failed", 2000)]:
            self.db.execute("INSERT INTO step SELECT number, ?, ?, ?, ?, ?, NULL FROM migration",
                            (seq, name, state, start, start + 500))
        out = self.run_it("watch", "00000001").stdout
        self.assertEqual([l.partition("Z  ")[2] for l in out.splitlines()[:4]],
                         ["step: copy", "running -> rolling-back", "step: undo of stop",
                          "step: undo of claim"])

    def test_the_status_is_that_of_the_migration(self):
        for state, status in [("completed", 0), ("failed", 1), ("interrupted", 130),
                              ("rolled-back", 1), ("rollback-failed", 1), ("cleaned", 0),
                              ("held", 0)]:
            with self.subTest(state):
                self.db.execute("DELETE FROM migration")
                self.add("00000001", state, error=None if status == 0 else
                         '{"class": "remote", "message": "no more disks"}')
                r = self.run_it("watch", "00000001")
                self.assertEqual(r.returncode, status)
                self.assertIn("migration 00000001 is " + state, r.stdout)
                self.assertEqual("no more disks" in r.stderr, status != 0)

    def test_a_migration_without_a_process(self):
        self.add("00000001", "running")
        r = self.run_it("watch", "00000001")
        self.assertEqual(r.returncode, 1)
        self.assertIn("no process is at work on migration 00000001", r.stderr)
        self.assertIn("osm-controller resume 00000001", r.stderr)

    def test_interrupting_it_ends_only_the_watching(self):
        self.add("00000001", "running")
        self.lease("00000001")
        self.event("00000001", "planned -> running")
        p = self.start("00000001")
        p.stdout.readline()
        p.send_signal(signal.SIGINT)
        status, _, err = self.finish(p)
        self.assertEqual(status, 130)
        self.assertIn("migration 00000001 goes on", err)

    def test_json_lines(self):
        self.add("00000001", "running", total=100, done=10)
        self.lease("00000001")
        self.event("00000001", "planned -> running")
        p = self.start("00000001", "-o", "json")
        first, second = json.loads(p.stdout.readline()), json.loads(p.stdout.readline())
        self.assertEqual((first["event"], first["text"]), ("journal", "planned -> running"))
        self.assertEqual((second["event"], second["done_bytes"]), ("progress", 10))
        self.set("00000001", state="completed")
        status, out, _ = self.finish(p)
        self.assertEqual(status, 0)
        last = json.loads(out.splitlines()[-1])
        self.assertEqual((last["event"], last["state"]), ("result", "completed"))


class Terminal(WithJournal):
    """What `watch` draws on a terminal of a given width."""

    def draw(self, columns, bars=True, **env):
        self.add("00000001", "running", name="v\u00f6lume \u65e5\u672c", total=4 << 30, done=1 << 30)
        self.lease("00000001")
        main, sub = pty.openpty()
        fcntl.ioctl(sub, termios.TIOCSWINSZ, struct.pack("HHHH", 10, columns, 0, 0))
        p = subprocess.Popen([PROGRAM, "watch", "00000001"], env={**self.env, **env}, stdin=sub,
                             stdout=sub, stderr=sub, start_new_session=True)
        os.close(sub)
        out = b""
        try:
            while b"25%" not in out:
                out += os.read(main, 65536)
            self.set("00000001", bytes_done=2 << 30)
            while bars and b"50%" not in out:
                out += os.read(main, 65536)
            self.event("00000001", "something happened")
            while b"something happened" not in out:
                out += os.read(main, 65536)
            self.set("00000001", state="failed", error='{"class":"user","message":"broken"}')
            while True:
                out += os.read(main, 65536)
        except OSError:  # the end of a terminal
            pass
        finally:
            os.close(main)
            self.assertEqual(p.wait(timeout=LIMIT), 1)
        return out.decode().replace("\r\n", "\n")

    def check_width(self, text, columns):
        for line in re.sub(r"\033\[[0-9;]*[A-Za-z]|\r", "", text).split("\n"):
            if "%" in line:
                wide = sum(c in "\u65e5\u672c" for c in line)
                self.assertLess(len(line) + wide, columns, line)

    def test_bars_are_redrawn_in_place(self):
        text = self.draw(100)
        self.check_width(text, 100)
        self.assertIn("1.0 GiB/4.0 GiB", text)
        self.assertIn("[####", text)
        self.assertIn("\033[1A\033[J", text)
        # The event stands above the bar, which follows it.
        self.assertRegex(text, r"\033\[1A\033\[J[^\n]*something happened\n[^\n]*50%")

    def test_bars_fit_a_narrow_terminal(self):
        self.check_width(self.draw(30), 30)

    def test_no_colour(self):
        text = self.draw(80, NO_COLOR="1")
        self.assertNotIn("\033[3", text)

    def test_a_dumb_terminal_gets_lines(self):
        text = self.draw(80, bars=False, TERM="dumb")
        self.assertNotIn("\033", text)


class Completion(WithJournal):
    def complete(self, line):
        """What <Tab> offers at the end of the line."""
        words = line.split(" ")
        script = ('source <("%s" completion); PATH="%s:$PATH"; COMP_WORDS=("$@"); COMP_CWORD=%d;'
                  '_osm_controller; printf "%%s\\n" "${COMPREPLY[@]}"'
                  % (PROGRAM, os.path.dirname(PROGRAM), len(words) - 1))
        r = subprocess.run(["bash", "-eu", "-c", script, "bash", *words], env=self.env, text=True,
                           cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=LIMIT, check=False)
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        return sorted(r.stdout.split())

    def test_commands(self):
        self.assertEqual(self.complete("osm-controller migrate-"),
                         ["migrate-server", "migrate-volume"])
        self.assertEqual(self.complete("osm-controller --src-cloud list sho"), ["show"])
        self.assertEqual(self.complete("osm-controller help re"), ["recover", "register-external", "resume", "revoke-grants"])

    def test_options_of_the_command_and_of_all(self):
        self.assertEqual(self.complete("osm-controller migrate-server --d"),
                         ["--destination-cloud", "--dry-run", "--dst-cloud"])
        self.assertEqual(self.complete("osm-controller list --st"), ["--state", "--state-dir"])

    def test_values(self):
        self.assertEqual(self.complete("osm-controller list -o "), ["json", "text"])
        self.assertEqual(self.complete("osm-controller --output = j"), ["json"])
        self.write("some.yaml", "")
        self.assertEqual(self.complete("osm-controller --config so"), ["some.yaml"])
        self.assertEqual(self.complete("osm-controller --src-cloud "), [])

    def test_ids(self):
        self.add("00000001", "failed")
        self.add("abcd0002", "failed")
        self.assertEqual(self.complete("osm-controller show 0"), ["00000001"])
        self.assertEqual(self.complete("osm-controller watch "), ["00000001", "abcd0002"])


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
