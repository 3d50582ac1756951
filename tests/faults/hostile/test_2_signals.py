# SPDX-License-Identifier: Apache-2.0
"""Signals, closed terminals, and a standard output that takes no more, in the middle of a copy."""
import json
import os
import pty
import signal
import subprocess
import time

import pytest

from cloudlib import wait_for
from osmlib import host_id, inventory

pytestmark = pytest.mark.usefixtures('hosts')
LIMIT = '30M'  # a second: some seconds of copying


def as_in_a_terminal():
    """What nohup and background jobs of a shell ignore is inherited."""
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


class Run:
    """A migration of the volume, its output wherever a test wants it."""

    def __init__(self, osm, volume, *words, output='json', stdout=subprocess.PIPE, shell=None, **kwargs):
        self.osm = osm
        argv = osm.argv([*words, 'migrate-volume', '--limit', LIMIT, volume.id], None, {})
        argv[argv.index('json')] = output
        if shell:
            argv = ['sh', '-c', 'exec "$@" ' + shell, 'sh', *argv]
        before = {m['id'] for m in osm.migrations()}
        self.err = open(osm.folder + '/hangup-stderr', 'w+b')
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=self.err, env=osm.env(),
                                        preexec_fn=as_in_a_terminal, **kwargs)
        self.id = wait_for('the migration', lambda: next(
            (m['id'] for m in osm.migrations() if m['id'] not in before), None), 60)

    def copying(self):
        def some():
            assert self.process.poll() is None, self.said()
            return 0 < self.row()['bytes_done'] < self.row()['bytes_total']
        wait_for('the copy', some, 90)
        return self

    def row(self):
        return next(m for m in self.osm.migrations() if m['id'] == self.id)

    def said(self):
        self.err.seek(0)
        text = self.err.read().decode(errors='replace')
        self.osm.printed.append(text)
        return text

    def end(self):
        return self.process.wait(150)


@pytest.fixture
def start(osm, loose, src, dst):
    before = inventory(dst)
    runs = []

    def start_one(*words, **kwargs):
        runs.append(Run(osm, loose, *words, **kwargs))
        return runs[-1]

    yield start_one
    for r in runs:
        if r.process.poll() is None:
            r.process.send_signal(signal.SIGCONT)
            r.process.kill()
            r.process.wait()
        if r.process.stdout:
            r.process.stdout.close()
        r.err.close()
        assert osm.run('rollback', r.id).status in (0, 3)
    assert inventory(dst) == before
    for cloud in (src, dst):
        assert cloud.attachments(host_id(cloud)) == []


def completed(run):
    assert run.end() == 0, run.said()
    assert run.row()['state'] == 'completed'


def test_second_sigterm_ends_at_once_and_is_resumed(start, osm):
    run = start().copying()
    run.process.send_signal(signal.SIGSTOP)
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGCONT)
    time.sleep(0.2)  # both are to arrive, one after the other
    run.process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    assert run.end() in (-signal.SIGTERM, 130)
    assert time.monotonic() - started < 10
    osm.run('resume', run.id).expect(0)


def test_sigterm_stops_and_says_how_to_resume(start, osm):
    run = start().copying()
    run.process.terminate()
    assert run.end() == 130, run.said()
    assert run.row()['state'] == 'interrupted'
    assert 'resume ' + run.id in run.said()


def test_closed_terminal_does_not_stop_a_migration(start):
    master, slave = pty.openpty()
    run = start(output='text', stdout=slave, start_new_session=True)
    os.close(slave)
    run.copying()
    os.close(master)
    run.process.send_signal(signal.SIGHUP)
    completed(run)


def test_closed_terminal_stops_it_if_so_wished(start, osm):
    run = start('--on-hangup', 'stop').copying()
    run.process.send_signal(signal.SIGHUP)
    assert run.end() == 130, run.said()
    assert run.row()['state'] == 'interrupted'


def test_reader_that_goes_away(start):
    run = start().copying()
    run.process.stdout.readline()
    run.process.stdout.close()
    completed(run)
    assert run.said().count('cannot write to standard output') == 1


def test_full_disk_behind_standard_output(start):
    with open('/dev/full', 'wb') as full:
        run = start(stdout=full)
    completed(run)
    assert run.said().count('cannot write to standard output') == 1


def test_no_descriptors_at_all(start, osm):
    run = start(shell='<&- >&- 2>&-')
    completed(run)
    assert run.said() == ''
    with open(osm.state_dir + '/osm.db', 'rb') as f:
        assert f.read(16) == b'SQLite format 3\0'


def test_stopped_and_continued(start):
    run = start().copying()
    run.process.send_signal(signal.SIGTSTP)
    os.waitpid(run.process.pid, os.WUNTRACED)
    time.sleep(3)  # what is under test: time passes for everybody else
    run.process.send_signal(signal.SIGCONT)
    completed(run)
    json.dumps(run.row())
