# SPDX-License-Identifier: Apache-2.0
"""What crosses the network and what arrives: rates, progress, digests, repair; counted and compared without
osm, by a clock and by the files where the clouds keep their volumes."""
import ctypes
import datetime
import hashlib
import json
import os
import random
import signal
import time
import types

import pytest

from cloudlib import side_by_side, wait_for
from conftest import BIG_BYTES
from osmlib import copies_of, host_id, inventory, kill_processes, processes

pytestmark = pytest.mark.usefixtures('hosts')

MIB = 1 << 20
SENT_AGAIN_MAX = 64 * MIB
SENT_TWICE = 8 * MIB  # when a copy gives connections to others: what was under way on them


# ------------------------------------------------------------------ tools
class Digest128(ctypes.Structure):
    _fields_ = [('low', ctypes.c_uint64), ('high', ctypes.c_uint64)]


xxhash = ctypes.CDLL('libxxhash.so.0')
xxhash.XXH3_128bits.restype = Digest128
xxhash.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def digests(path):
    """XXH3-128 of each MiB, in its canonical form."""
    found = []
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(MIB), b''):
            d = xxhash.XXH3_128bits(block, len(block))
            found.append(d.high.to_bytes(8, 'big') + d.low.to_bytes(8, 'big'))
    return found


def is_copying(event):
    return event.get('event') == 'progress' and event['phase'] == 'copy'


def is_total(event):
    return event.get('event') == 'total' and event['phase'] == 'copy'


def fresh(run, wanted):
    """The next such event that was not waiting to be read, and when it came."""
    while True:
        start = time.monotonic()
        event = run.until('progress', wanted)
        now = time.monotonic()
        if now - start > 0.2:
            return event, now


def rate(run, seconds, wanted=is_copying):
    """Bytes per second that were sent, by this machine's clock."""
    first, start = fresh(run, wanted)
    while True:
        last, now = fresh(run, wanted)
        if now - start >= seconds:
            return (last['sent_bytes'] - first['sent_bytes']) / (now - start)


def assert_rate(measured, expected):
    assert 0.85 * expected < measured < 1.15 * expected


def limit_of(osm, *words, **args):
    return next(e for e in osm.run('throttle', *words, **args).expect(0).events if e['event'] == 'limit')


def shown(osm, migration, **args):
    return json.loads(osm.run('show', migration, **args).expect(0).out)


def volume_of(dst, name):
    return next(v.id for v in dst.api.block_storage.volumes() if v.name == name)


def flip(path, offset):
    with open(path, 'r+b') as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ 0x40]))
        f.flush()
        os.fsync(f.fileno())


def assert_only_grows(events, key):
    values = [e[key] for e in events]
    assert values == sorted(values), key


# ------------------------------------------------------------------ rates, and an agent that is killed
@pytest.fixture(scope='module')
def limited(osm, src, dst, big):
    """A copy with a time window that begins while it copies, limits by hand, and an agent that is killed."""
    seen = types.SimpleNamespace()
    before = inventory(dst)
    # So many seconds from now it is eight o'clock in the time zone of this migration.
    boundary = time.monotonic() + 26
    now = datetime.datetime.utcnow()
    ahead = (now - now.replace(hour=8, minute=0, second=0)).total_seconds() + 26
    zone = 'LAB%s%s' % ('-' if ahead < 0 else '', datetime.timedelta(seconds=int(abs(ahead))))
    config = osm.config(limits={'rate': '15M', 'windows': [{'from': '08:00', 'to': '09:00', 'rate': '40M'}]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TZ', zone)
        run = osm.start('migrate-volume', big, config=config)
        try:
            run.copying()
            seen.id = osm.migrations()[0]['id']
            seen.outside = rate(run, 5)
            assert time.monotonic() < boundary, 'the copy began too late'
            seen.said_outside = limit_of(osm, 'show', seen.id, config=config)
            while time.monotonic() < boundary + 2:
                fresh(run, is_copying)
            seen.window = rate(run, 5)
            seen.said_window = limit_of(osm, 'show', seen.id, config=config)
            seen.said_set = limit_of(osm, '24M', seen.id, config=config)
            seen.first_show = shown(osm, seen.id)
            seen.by_hand = rate(run, 5)
            seen.second_show = shown(osm, seen.id)
            last, at = fresh(run, is_copying)
            kill_processes(dst, 'osm-agent', 'service')
            # What it may have sent since it last said so.
            seen.sent_before_kill = last['sent_bytes'] + 24 * MIB * 1.1 * (time.monotonic() - at + 1)
            seen.done_before_kill = last['done_bytes']
            again = run.until('the copy again', lambda e: is_copying(e) and e['sent_bytes'] < last['sent_bytes'])
            seen.done_after_kill = again['done_bytes']
            seen.after_kill = rate(run, 4)
            osm.run('throttle', 'unlimited', seen.id, config=config).expect(0)
            seen.unlimited_at = time.monotonic()
            seen.end = run.end().expect(0)
            seen.unlimited_seconds = time.monotonic() - seen.unlimited_at
        finally:
            run.kill()
    seen.result = seen.end.result()
    seen.equal = dst.sha256(seen.result['destination_id']) == src.sha256(big)
    osm.run('rollback', seen.result['id']).expect(0)
    assert inventory(dst) == before
    return seen


def test_rate_of_the_configuration_holds(limited):
    assert_rate(limited.outside, 15 * MIB)
    assert (limited.said_outside['bytes_per_second'], limited.said_outside['manual']) == (15 * MIB, False)


def test_time_window_begins_while_copying(limited):
    assert_rate(limited.window, 40 * MIB)
    assert (limited.said_window['bytes_per_second'], limited.said_window['manual']) == (40 * MIB, False)


def test_throttle_wins_over_the_configuration_at_once(limited):
    assert_rate(limited.by_hand, 24 * MIB)
    assert (limited.said_set['bytes_per_second'], limited.said_set['manual']) == (24 * MIB, True)


def test_limit_outlives_the_agent(limited):
    assert_rate(limited.after_kill, 24 * MIB)


def test_throttle_unlimited_takes_the_limit_off(limited):
    # The rest would take half a minute at the rate of before.
    assert limited.unlimited_seconds < 20


def test_show_tells_the_progress_of_a_copy_in_another_process(limited):
    first, second = limited.first_show['bytes_sent'], limited.second_show['bytes_sent']
    assert first < second <= first + 24 * MIB * 12


def test_killed_agent_sends_at_most_64_mib_again(limited):
    assert limited.done_before_kill - limited.done_after_kill <= SENT_AGAIN_MAX
    sent = limited.sent_before_kill + limited.result['bytes_sent']
    assert BIG_BYTES <= sent <= BIG_BYTES + SENT_AGAIN_MAX


def test_copy_with_all_this_is_equal(limited):
    assert limited.equal


# ------------------------------------------------------------------ a server: limit of all volumes, progress, digests
@pytest.fixture(scope='module')
def held(osm, src, dst, source):
    """Three volumes under one limit; held, looked at, taken back."""
    seen = types.SimpleNamespace()
    before = inventory(dst)
    run = osm.start('migrate-server', '--hold', '--limit', '32M', 'e2e-a')
    try:
        run.copying()
        seen.id = osm.migrations()[0]['id']
        seen.limit = limit_of(osm, 'show', seen.id)
        seen.rate = rate(run, 5, is_total)
        seen.limited = [e for e in map(json.loads, run.lines) if e.get('event') == 'total']
        osm.run('throttle', 'unlimited', seen.id).expect(0)
        seen.end = run.end().expect(0)
    finally:
        run.kill()
    assert seen.end.result()['state'] == 'held'
    seen.verify = osm.run('verify', seen.id)
    seen.manifest = json.loads(osm.run('show', '--manifest', seen.id).expect(0).out)
    copies = copies_of(dst, source.volumes)
    seen.digests = {name: side_by_side(lambda: digests(src.volume_file(volume)),
                                       lambda: digests(dst.volume_file(copies[name])))
                    for name, volume in source.volumes.items()}
    seen.volumes = {index: (name, volume) for index, (name, volume) in enumerate(source.volumes.items())}
    seen.data = {name: data_bytes(src.volume_file(volume)) for name, volume in source.volumes.items()}
    osm.run('rollback', seen.id).expect(0)
    assert inventory(dst) == before
    return seen


def data_bytes(path, block=65536):
    """Bytes in blocks that are not zero."""
    zero, found = bytes(block), 0
    with open(path, 'rb') as f:
        for data in iter(lambda: f.read(block), b''):
            found += len(data) if data != zero[:len(data)] else 0
    return found


def test_limit_is_for_all_volumes_together(held):
    # Never more; less while it is found out that one of them does not use its share any more.
    assert 0.6 * 32 * MIB < held.rate < 1.15 * 32 * MIB
    assert (held.limit['bytes_per_second'], held.limit['manual']) == (32 * MIB, True)


def test_progress_only_grows_and_is_within_the_volume(held):
    progress = [e for e in held.end.events if e.get('event') == 'progress']
    assert {e['index'] for e in progress} == {0, 1, 2}
    for index in range(3):
        mine = [e for e in progress if e['index'] == index]
        phases = [e['phase'] for e in mine]
        order = [p for p in ('copy', 'verify', 'done') if p in phases]
        assert phases == sorted(phases, key=order.index) and phases[0] == 'copy' and phases[-1] == 'done'
        for phase in order:
            assert_only_grows([e for e in mine if e['phase'] == phase], 'done_bytes')
        for key in ('sent_bytes', 'zero_bytes'):
            assert_only_grows(mine, key)
        for e in mine:
            assert 0 <= e['done_bytes'] <= e['size_bytes']
            assert e['sent_bytes'] - SENT_TWICE <= e['found_bytes'] <= e['size_bytes']


def test_progress_ends_with_what_is_in_the_volume(held):
    for index, (name, _) in held.volumes.items():
        last = [e for e in held.end.events if e.get('event') == 'progress' and e['name'] == name][-1]
        assert 0 <= last['sent_bytes'] + last['zero_bytes'] - last['size_bytes'] <= SENT_TWICE
        # Zeros are found in other blocks than those counted here, smaller ones among them.
        assert last['sent_bytes'] <= held.data[name] * 1.05 + 4 * MIB


def test_total_is_the_sum(held):
    last = {e['index']: e for e in held.end.events if e.get('event') == 'progress'}.values()
    total = [e for e in held.end.events if e.get('event') == 'total'][-1]
    for key in ('size_bytes', 'sent_bytes', 'zero_bytes'):
        assert total[key] == sum(e[key] for e in last), key
    assert held.end.result()['bytes_sent'] == total['sent_bytes']


def test_time_left_is_that_of_the_limit(held):
    """What is left is not more than what was not done, nor less than a fifth of what was found and not sent."""
    e = held.limited[-1]
    assert e['eta_seconds'] <= (e['size_bytes'] - e['done_bytes']) / (30 * MIB)
    assert e['eta_seconds'] >= (e['found_bytes'] - e['sent_bytes']) / (40 * MIB)


def test_manifest_is_that_of_both_volumes(held):
    for name, volume in held.volumes.values():
        source, copy = held.digests[name]
        said = held.manifest[volume]
        assert source == copy
        assert said['digests'] == [d.hex() for d in source]
        assert said['sha256'] == hashlib.sha256(b''.join(source)).hexdigest()
        assert said['chunk_bytes'] == MIB


def test_verify_says_that_volumes_were_given_back(held):
    held.verify.expect(1).says('not attached', 'held', 'show %s --manifest' % held.id)


# ------------------------------------------------------------------ bytes that change behind osm's back
@pytest.fixture
def spotted(src):
    """A volume with data here and there."""
    v = src.volume('e2e-spotted', 1, volume_type='lab')
    with open(src.volume_file(v.id), 'r+b') as f:
        for i in range(25):
            f.seek(i * 40 * MIB)
            f.write(random.Random(i).randbytes(8 * MIB))
    yield v.id
    src.api.block_storage.delete_volume(v)
    src.api.block_storage.wait_for_delete(v, interval=0.2)


SPOT = 3 * 40 * MIB + 5 * MIB + 1234


def assert_repaired(result, spotted, src, dst):
    repaired = [e for e in result.expect(0).events if e.get('event') == 'repaired']
    assert [e['ranges'] for e in repaired] == [[[SPOT // MIB * MIB, MIB]]]
    assert repaired[0]['severity'] == 'warning' and 'e2e-spotted' in repaired[0]['text']
    assert dst.sha256(result.result()['destination_id']) == src.sha256(spotted)


def test_byte_that_changed_after_the_copy_is_repaired_and_reported(osm, src, dst, spotted):
    before = inventory(dst)
    run = osm.start('migrate-volume', '--limit', '16M', spotted)
    run.copying()
    migration = osm.migrations()[0]['id']
    run.kill()
    # The agents go on alone, and nobody verifies.
    osm.run('throttle', 'unlimited', migration).expect(0)
    wait_for('the end of the copy', lambda: not processes(host_id(dst), 'osm-agent', 'worker', 'copy'), 60)
    flip(dst.volume_file(volume_of(dst, 'e2e-spotted')), SPOT)
    assert_repaired(osm.run('resume', migration), spotted, src, dst)
    assert any('was repaired' in e['text'] for e in shown(osm, migration)['events'])
    osm.run('rollback', migration).expect(0)
    assert inventory(dst) == before


def test_verify_while_attached_finds_a_byte_that_changed_and_resume_repairs_it(osm, src, dst, spotted):
    before = inventory(dst)
    run = osm.start('migrate-volume', spotted)
    run.until('the verification', lambda e: e.get('event') == 'step' and e['text'].startswith('verify'))
    run.kill()
    migration = osm.migrations()[0]['id']
    equal = osm.run('verify', migration).expect(0)
    assert [e['equal'] for e in equal.events if e.get('event') == 'verified'] == [True]
    wait_for('the end of digests', lambda: not processes(host_id(dst), 'osm-agent', 'worker', 'digest'), 60)
    flip(dst.volume_file(volume_of(dst, 'e2e-spotted')), SPOT)
    osm.run('verify', migration).expect(1).says('e2e-spotted', 'differs', 'resume ' + migration)
    assert_repaired(osm.run('resume', migration), spotted, src, dst)
    osm.run('verify', migration).expect(1).says('not attached', 'completed', '--manifest')
    osm.run('rollback', migration).expect(0)
    assert inventory(dst) == before
