#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A cloud that lies: every value of every answer that a plan is made of, replaced by every value of a list, and whole bodies
that are no answer.  osm-controller ends by itself, in bounded time and memory, says what is wrong, and writes nothing that
steers a terminal.  Without the lab.

usage: answers.py [--points N] [--seed N]      POINTS and SEED are the defaults; 0 points: all"""
import argparse
import concurrent.futures
import json
import os
import random
import sys
import tempfile
import threading
import time

import fakecloud
from table import Table

BUILD = os.environ.get('OSM_BUILD') or os.environ.get('top_builddir') or os.getcwd()
PROGRAM = os.path.join(BUILD, 'osm-controller')
SECONDS, PROCESSOR_SECONDS, MEGABYTES = 120, 30, 700
BENCHES = 8  # at once

VALUES = [
    ('null', None), ('true', True), ('zero', 0), ('minus one', -1), ('a huge number', (1 << 63) - 1),
    ('a number beyond 64 bits', 1 << 70), ('a negative huge number', -(1 << 63)), ('a fraction', 1.5), ('1e308', 1e308),
    ('no text', ''), ('blanks', '   '), ('a long text', 'x' * 300000), ('a list', []), ('an object', {}),
    ('a list of nothings', [None, 1, 'a', {}, []]), ('an object in an object', {'id': {'id': {}}, 'name': []}),
    ('dots', '..'), ('a path', '../../../etc/passwd'), ('a slash', 'a/b'), ('quotes', 'a"b\'c`d'), ('percent', '%2e%2e%2fx%s%n'),
    ('a question', 'a?b=c&d#e'), ('a newline', 'a\nosm-controller: error: forged\r\nb'), ('escapes', '\x1b[2J\x1b]0;x\x07\x9b31m'),
    ('right to left', '\u202eabc\u2066'), ('shell', '$(touch /tmp/x) `id` ; rm -rf'), ('NUL', 'a\0b'),
    ('multi-byte', '\U0001f41f' * 255), ('a bare \\', 'a\\'), ('comma', 'a,b=c'), ('a minus', '-rf'),
]


def raw(body, status=200, headers=()):
    def answer(handler):
        handler.send(status, body, headers)
    return answer


def endless(handler):
    handler.send_response(200)
    handler.send_header('Transfer-Encoding', 'chunked')
    handler.end_headers()
    block = b'%x\r\n%s\r\n' % (1 << 20, b' ' * (1 << 20))
    while True:
        handler.wfile.write(block)


def gibibyte(handler):
    handler.send_response(200)
    handler.send_header('Content-Length', str(1 << 30))
    handler.end_headers()
    for _ in range(1 << 10):
        handler.wfile.write(b'[' * (1 << 20))


def endless_headers(handler):
    handler.send_response(200)
    handler.flush_headers()
    while True:
        handler.wfile.write(b'X-Header: ' + b'y' * 60000 + b'\r\n')


def endless_pages(key):
    def answer(handler):
        n = len(handler.server.seen)
        handler.send(200, json.dumps({key: [{'id': '1', 'name': 'n%d' % i} for i in range(1000)], key + '_links': [
            {'rel': 'next', 'href': handler.path.split('?')[0] + '?marker=%d' % n}]}).encode())
    return answer


BODIES = [
    ('nothing', raw(b'')), ('half an object', raw(b'{"server": {"id"')), ('not UTF-8', raw(b'{"servers": [{"name": "\xff\xfe"}]}')),
    ('only brackets', raw(b'[' * 1000000)), ('brackets in keys', raw(b'{"a":' * 500000)),
    ('ten million objects', raw(b'{"servers": [' + b'{},' * 10000000 + b'{}]}')),
    ('fifty million numbers', raw(b'[' + b'1,' * 25000000 + b'1]')),
    ('a string of 60 MiB', raw(b'{"server": {"id": "' + b'a' * (60 << 20) + b'"}}')),
    ('the same key twice', raw(b'{"server": {"id": "1", "id": "2"}}')), ('HTML', raw(b'<html><title>\x1b[31mlogin</title></html>')),
    ('a GiB', gibibyte), ('no end', endless), ('headers without end', endless_headers),
    ('pages without end', endless_pages('servers')), ('pages of volumes without end', endless_pages('volumes')),
    ('error with escapes', raw(b'{"badRequest": {"message": "\\u001b[2J\\nforged \\u202e"}}', 400, [('x-openstack-request-id', 'a\x1bb')])),
    ('redirect', raw(b'', 302, [('Location', 'file:///etc/passwd')])),
    ('redirect with escapes', raw(b'', 301, [('Location', 'http://127.0.0.1:1/\x1b[31m')])),
    ('a long token', raw(b'{"token": {}}', 201, [('X-Subject-Token', 'x' * 60000)])),
]

# (name, arguments); each with both outputs
COMMANDS = [('server', ['migrate-server', '--dry-run', 'web']), ('volume', ['migrate-volume', '--dry-run', 'loose'])]


class Bench:
    """One pair of fake clouds and the folder that osm-controller runs in."""

    def __init__(self, folder):
        self.clouds = fakecloud.FakeClouds()
        self.folder = folder
        os.makedirs(folder)
        with open(folder + '/clouds.yaml', 'w', encoding='utf-8') as f:
            json.dump(self.clouds.clouds_yaml(), f)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(('OS_', 'OSM_', 'XDG_')) and
                    not k.lower().endswith('_proxy')}
        self.env.update(HOME=folder, OS_CLIENT_CONFIG_FILE=folder + '/clouds.yaml', OSM_STATE_DIR=folder + '/state',
                        OSM_SOURCE_CLOUD='src', OSM_DESTINATION_CLOUD='dst', LC_ALL='C.UTF-8')

    def run(self, words, output):
        """(exit status or -signal, stdout, stderr, peak MiB, seconds of the processor or a quarter of the clock's, as the machine may be busy)"""
        self.clouds.seen.clear()
        with tempfile.TemporaryFile(dir=self.folder) as out, tempfile.TemporaryFile(dir=self.folder) as err:
            started = time.monotonic()
            argv = [PROGRAM, '--output', output, *words]
            pid = os.posix_spawn(PROGRAM, argv, self.env, file_actions=[
                (os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, err.fileno(), 2)])
            watchdog = threading.Timer(SECONDS, os.kill, (pid, 9))
            watchdog.start()
            _, status, usage = os.wait4(pid, 0)
            watchdog.cancel()
            seconds = max(usage.ru_utime + usage.ru_stime, (time.monotonic() - started) / 4)
            out.seek(0)
            err.seek(0)
            return os.waitstatus_to_exitcode(status), out.read(), err.read(), usage.ru_maxrss / 1024, seconds


def is_plain(data):
    """No byte and no character that a terminal obeys."""
    try:
        text = data.decode('utf-8')
    except UnicodeDecodeError:
        return False
    return not any((ord(c) < 32 and c != '\n') or 0x7f <= ord(c) < 0xa0 or c in '\u061c\u200e\u200f\ufeff' or
                   0x2028 <= ord(c) <= 0x202e or 0x2066 <= ord(c) <= 0x2069 for c in text)


def problem(result, output, seen):
    """What is wrong with that end; None if it is a good one."""
    status, out, err, megabytes, seconds = result
    if status < 0:
        return 'killed by signal %d%s: %s' % (-status, ' (too slow?)' if status == -9 else '', err[-300:])
    if status not in (0, 1, 3, 4):
        return 'exit status %d: %s' % (status, err[-300:])
    if status == 1 and b'error: ' not in err:
        return 'failed without an error'
    if b'internal error' in err:
        return 'internal error: %s' % err[-300:]
    if not is_plain(out) or not is_plain(err):
        return 'something steers the terminal: %r' % (out[-300:] + err[-300:])
    if any(not line.startswith(b'osm-controller: ') for line in err.splitlines()):
        return 'a forged line: %r' % err[-300:]
    if output == 'json':
        try:
            if out.strip():
                json.loads(out)
        except ValueError:
            try:
                for line in out.splitlines():
                    json.loads(line)
            except ValueError:
                return 'no JSON: %r' % out[:300]
    if megabytes > MEGABYTES:
        return '%.0f MiB of memory' % megabytes
    if seconds > PROCESSOR_SECONDS:
        return '%.0f seconds' % seconds
    outside = [p for _, p in seen if not p.startswith(('/src/', '/dst/')) or '..' in p.split('?')[0]]
    if outside:
        return 'asked for %s' % outside[0]
    writes = [p for m, p in seen if m != 'GET' and not p.endswith('/auth/tokens')]
    return 'a dry run sent %s' % writes[0] if writes else None


def points(bench):
    """Everything there is to try: (name, mutation, command, output)."""
    for what, words in COMMANDS:
        bench.clouds.mutation = None
        for output in ('text', 'json'):
            result = bench.run(words, output)
            wrong = problem(result, output, bench.clouds.seen)
            if wrong or result[0] != 0:
                raise SystemExit('the fake clouds do not even do for a %s: %s %r' % (what, wrong, result))
        routes = sorted({bench.clouds.answer_to(p)[0] for _, p in bench.clouds.seen} - {None})
        for route in routes:
            pattern, document = bench.clouds.routes[route]
            at = pattern.pattern.strip('^$').replace('\\', '')
            for pointer in fakecloud.pointers(document or {}):
                for name, value in VALUES:
                    if document is not None:
                        yield ('value', '%s: %s %s is %s' % (what, at, '.'.join(map(str, pointer)), name),
                               (route, pointer, value), words)
            for name, body in BODIES:
                yield 'body', '%s: %s is %s' % (what, at, name), (route, body, None), words


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--points', type=int, default=int(os.environ.get('POINTS') or 0))
    p.add_argument('--seed', type=int, default=int(os.environ.get('SEED') or random.SystemRandom().randrange(1 << 31)))
    args = p.parse_args()
    rng = random.Random(args.seed)
    table = Table('answers of a cloud', args.seed)
    with tempfile.TemporaryDirectory(prefix='osm-hostile.') as folder:
        # Most of the time osm waits before it asks again.
        benches = [Bench('%s/%d' % (folder, i)) for i in range(BENCHES)]
        todo = list(points(benches[0]))
        everything = len(todo)
        if args.points:
            bodies = [t for t in todo if t[0] == 'body']
            values = [t for t in todo if t[0] == 'value']
            few = min(len(bodies), max(1, args.points // 8))
            todo = rng.sample(values, min(len(values), args.points - few)) + rng.sample(bodies, few)
        rng.shuffle(todo)
        print('%d of %d points, seed %d' % (len(todo), everything, args.seed), flush=True)
        lock = threading.Lock()

        def work(bench):
            while True:
                with lock:
                    if not todo:
                        return
                    kind, name, mutation, words = todo.pop()
                    output = rng.choice(('text', 'json'))
                bench.clouds.mutation = mutation
                result = bench.run(words, output)
                wrong = problem(result, output, bench.clouds.seen)
                with lock:
                    table.add({'value': 'a wrong value in an answer', 'body': 'a body that is no answer'}[kind],
                              wrong and '%s (%s): %s' % (name, output, wrong))

        with concurrent.futures.ThreadPoolExecutor(len(benches)) as pool:
            for f in [pool.submit(work, b) for b in benches]:
                f.result()
    return table.end()


if __name__ == '__main__':
    sys.exit(main())
