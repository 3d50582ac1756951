#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A journal of 10,000 finished migrations: as quick as an empty one, and it can be made smaller.

Times are those of the processor, the least of several, since other tests run at the same time."""

import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.environ.get("top_builddir", os.getcwd())
CONTROLLER = os.path.join(BUILD, "osm-controller")
NUMBER = 10000

# A server of three volumes leaves about this much behind.
FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
  INSERT INTO migration (id, kind, state, source_cloud, destination_cloud, object_id, object_name, result_id,
                         created_ms, updated_ms, bytes_total, bytes_done, bytes_sent, plan)
  SELECT printf ('%%08x', i * 7919), 'server', iif (i %% 2, 'cleaned', 'rolled-back'), 'old', 'new',
    printf ('00000000-0000-4000-8000-%%012x', i), 'server ' || i, printf ('00000000-0000-4000-8000-%%012x', i + 1000000),
    %d - (%d - i) * 3600000, %d - (%d - i) * 3600000, 4294967296, 4294967296, 1073741824,
    '{"kind":"server","source":{"id":"x"},"volumes":[],"text":"' || hex (zeroblob (2500)) || '"}' FROM n;
WITH RECURSIVE s (j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM s WHERE j < 13)
  INSERT INTO step (migration, seq, name, state, started_ms, ended_ms)
  SELECT number, j, 'step-' || j, 'done', created_ms + j, created_ms + j + 1 FROM migration, s;
WITH RECURSIVE s (j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM s WHERE j < 9)
  INSERT INTO object (migration, key, cloud, type, state, object_id)
  SELECT number, 'volume:' || j, 'new', 'volume', 'deleted', printf ('00000000-0000-4000-9000-%%012x', number * 16 + j)
  FROM migration, s;
WITH RECURSIVE s (j) AS (SELECT 0 UNION ALL SELECT j + 1 FROM s WHERE j < 29)
  INSERT INTO event (migration, time_ms, text)
  SELECT number, created_ms + j, 'something of some length happened to the server, number ' || j FROM migration, s;
INSERT INTO fact (migration, key, value) SELECT number, 'manifest:x', '{"sha256":"' || hex (zeroblob (32)) || '"}' FROM migration;
"""


class Journal:
    def __init__(self, number):
        self.folder = tempfile.mkdtemp(prefix="osm-journal-")
        self.path = self.folder + "/osm.db"
        self.run("list")
        if number:
            now = int(time.time() * 1000)
            with self.sql() as db:
                db.executescript(FILL % (number, now, number, now, number))

    def sql(self):
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA foreign_keys = ON")
        return db

    def run(self, *words, status=0):
        config = self.folder + "/osm.yaml"
        with open(config, "w", encoding="utf-8") as f:
            json.dump({"source": {"cloud": "old"}, "destination": {"cloud": "new"}, "state_dir": self.folder}, f)
        r = subprocess.run([CONTROLLER, "--config", config, *words], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, check=False)
        assert r.returncode == status, (r.returncode, r.stdout[-500:], r.stderr)
        return r

    def milliseconds(self, *words, status=0):
        """Of processor time, the least of five."""
        best = None
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.run(*words, status=status)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            best = spent if best is None else min(best, spent)
        return best

    def bytes(self):
        return sum(os.stat(self.path + end).st_size for end in ("", "-wal", "-shm") if os.path.exists(self.path + end))

class Long(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.empty, cls.full = Journal(0), Journal(NUMBER)

    @classmethod
    def tearDownClass(cls):
        for j in (cls.empty, cls.full):
            shutil.rmtree(j.folder)

    def check_quick(self, *words, twice=3):
        """At most so many times what it takes with an empty journal, and never 100 ms more."""
        nothing, much = self.empty.milliseconds("list"), self.full.milliseconds(*words)
        print("%s: %.0f ms; an empty list: %.0f ms" % (" ".join(words), much, nothing))
        self.assertLess(much, max(nothing * twice, nothing + 10))
        self.assertLess(much - nothing, 100)

    def test_list(self):
        self.check_quick("list")
        r = self.full.run("list")
        self.assertEqual(len(r.stdout.splitlines()), 101)
        self.assertIn("9900 older ones are finished", r.stderr)

    def test_list_of_few_and_of_a_state(self):
        self.check_quick("list", "--limit", "20")
        self.check_quick("list", "--state", "failed")

    def test_show(self):
        self.check_quick("show", "00001eef")

    def test_an_unfinished_one_is_never_left_out(self):
        with self.full.sql() as db:
            db.execute("UPDATE migration SET state = 'failed' WHERE number = 17")
        try:
            r = self.full.run("list")
            self.assertEqual(len(r.stdout.splitlines()), 102)
            self.assertIn("server 17 ", r.stdout.splitlines()[-1])
            self.assertIn("9899 older ones are finished", r.stderr)
        finally:
            with self.full.sql() as db:
                db.execute("UPDATE migration SET state = 'cleaned' WHERE number = 17")

    def test_all_of_them(self):
        self.assertEqual(len(self.full.run("list", "--all").stdout.splitlines()), NUMBER + 1)
        self.assertEqual(len(json.loads(self.full.run("--output", "json", "list").stdout)), NUMBER)

    def test_a_question_to_the_journal_reads_no_table_from_end_to_end(self):
        """What each migration asks again and again; the plan of a query says SCAN for a whole table."""
        questions = {
            "unfinished of an object": "SELECT id, state FROM migration WHERE source_cloud = 'a' AND kind = 'server'"
            " AND object_id = 'x' AND state NOT IN ('completed', 'rolled-back', 'cleaned')",
            "by the beginning of an id": "SELECT id FROM migration WHERE id >= 'ab' AND id < 'ac' ORDER BY id LIMIT 9",
            "fact": "SELECT value FROM fact JOIN migration ON number = migration WHERE id = 'x' AND key = 'y'",
            "events": "SELECT text FROM event WHERE migration = (SELECT number FROM migration WHERE id = 'x')"
            " AND number > 5",
            "lease": "SELECT host FROM lease WHERE migration = (SELECT number FROM migration WHERE id = 'x')"}
        with self.full.sql() as db:
            for what, question in questions.items():
                plan = [row[3] for row in db.execute("EXPLAIN QUERY PLAN " + question)]
                with self.subTest(what):
                    self.assertFalse([p for p in plan if p.startswith("SCAN")], plan)


class Prune(unittest.TestCase):
    """In the order of their names."""

    def setUp(self):
        self.journal = Journal(1000)
        self.addCleanup(shutil.rmtree, self.journal.folder)

    def states(self):
        with self.journal.sql() as db:
            return dict(db.execute("SELECT state, count (*) FROM migration GROUP BY state"))

    def test_only_what_is_over_and_old(self):
        j = self.journal
        with j.sql() as db:
            for state, number in (("completed", 1), ("failed", 3), ("held", 5), ("rolling-back", 7)):
                db.execute("UPDATE migration SET state = ? WHERE number = ?", (state, number))
            db.execute("INSERT INTO mapping (source_cloud, destination_cloud, type, source_id, destination_id, updated_ms)"
                       " VALUES ('old', 'new', 'server', 'x', 'y', 1)")
            kept, gone = [r[0] for r in db.execute("SELECT id FROM migration WHERE number IN (1, 2) ORDER BY number")]
        for identity in (kept, gone):
            os.makedirs(j.folder + "/manifests/" + identity)
            with open(j.folder + "/manifests/%s/volume" % identity, "wb") as f:
                f.write(bytes(160))
        before = j.bytes()
        # One an hour: 1000 are 41 days; those of the last 10 days stay.
        self.assertIn("would be forgotten", j.run("prune", "--older-than", "10", "--dry-run").stdout)
        self.assertEqual(sum(self.states().values()), 1000)
        number = int(j.run("prune", "--older-than", "10").stdout.split()[0])
        self.assertAlmostEqual(number, 1000 - 240 - 4, delta=2)
        left = self.states()
        self.assertEqual(sum(left.values()), 1000 - number)
        for state in ("completed", "failed", "held", "rolling-back"):
            self.assertEqual(left[state], 1)
        with j.sql() as db:
            for table in ("step", "object", "event", "fact"):
                self.assertEqual(db.execute("SELECT count (*) FROM %s WHERE migration NOT IN (SELECT number FROM"
                                            " migration)" % table).fetchone()[0], 0)
            self.assertEqual(db.execute("SELECT count (*) FROM mapping").fetchone()[0], 1)
        self.assertEqual(os.listdir(j.folder + "/manifests"), [kept])
        print("%d bytes, then %d" % (before, j.bytes()))
        self.assertLess(j.bytes(), before / 2)

    def test_nothing_to_forget(self):
        self.assertIn("nothing to forget", self.journal.run("prune", status=3).stdout)
        self.assertEqual(sum(self.states().values()), 1000)

    def test_while_another_process_reads(self):
        """It forgets all the same, and what is read stays as it was at the beginning."""
        db = self.journal.sql()
        self.addCleanup(db.close)
        db.execute("BEGIN")
        self.assertEqual(db.execute("SELECT count (*) FROM migration").fetchone()[0], 1000)
        r = json.loads(self.journal.run("--output", "json", "prune", "--older-than", "0").stdout)
        self.assertEqual((r["changed"], len(r["ids"])), (True, 1000))
        self.assertEqual(db.execute("SELECT count (*) FROM migration").fetchone()[0], 1000)
        db.execute("ROLLBACK")
        self.assertEqual(self.states(), {})


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False, verbosity=2).result.wasSuccessful() else 1)
