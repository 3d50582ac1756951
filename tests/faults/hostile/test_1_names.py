# SPDX-License-Identifier: Apache-2.0
"""Objects with names that hold newlines, escapes, quotes, blanks, 255 characters of three bytes, or none at all."""
import json
import os
import re
import unicodedata

import pytest

from answers import is_plain
from osmlib import get, inventory, own, volumes_of

pytestmark = pytest.mark.usefixtures('hosts')


def width(text):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in 'WF' else 1 for c in text)


def assert_aligned(text, column):
    """Every line of the table has the beginning of a cell where the title of this column begins."""
    lines = text.splitlines()
    title = next(i for i, line in enumerate(lines) if re.search(r'\b%s\b' % column, line))
    at = lines[title].index(column)
    for line in lines[title + 1:]:
        if not line:
            break
        seen = 0
        for i, c in enumerate(line):
            if seen == at:
                assert line[i] != ' ' and line[i - 1] == ' ', (line, column)
                break
            seen += width(c)
        else:
            raise AssertionError('%r does not reach column %s' % (line, column))


def assert_good(status, result):
    assert result[0] == status, result
    assert is_plain(result[1]) and is_plain(result[2]), result
    return result[1].decode()


@pytest.fixture(scope='module')
def moved(osm, src, dst, nasty):
    before = [inventory(c) for c in (src, dst)]
    assert_good(0, osm.text('migrate-server', '--dry-run', nasty.id))
    plan = json.loads(osm.run('migrate-server', '--dry-run', nasty.name).expect(0).out)
    assert plan['source']['name'] == nasty.name
    run = osm.run('-vv', 'migrate-server', nasty.name).expect(0)
    assert is_plain(run.out.encode()) and is_plain(run.err.encode())
    return run.result(), before


def test_new_server_has_the_same_name_byte_for_byte(moved, src, dst, nasty):
    old = get(src.admin.compute, '/servers/' + nasty.id, microversion='2.79')['server']
    new = get(dst.admin.compute, '/servers/' + moved[0]['destination_id'], microversion='2.79')['server']
    assert own(new['metadata']) == own(old['metadata'])
    for key in ('name', 'description', 'OS-EXT-SRV-ATTR:user_data'):
        assert new[key] == old[key], key


def test_new_volumes_have_the_same_names(moved, src, dst, nasty):
    old, new = volumes_of(src, nasty.id), volumes_of(dst, moved[0]['destination_id'])
    for key in ('name', 'description', 'size', 'volume_type'):
        assert [v[key] for v in new] == [v[key] for v in old], key
    assert [own(v['metadata']) for v in new] == [own(v['metadata']) for v in old]


def test_new_port_has_the_same_name(moved, dst, nasty):
    port, = dst.api.network.ports(device_id=moved[0]['destination_id'])
    assert (port.name, port.description, port.mac_address) == (nasty.port.name, nasty.port.description,
                                                               nasty.port.mac_address)


def test_tables_are_aligned_and_nothing_steers_the_terminal(moved, osm):
    assert_aligned(assert_good(0, osm.text('list')), 'STATE')
    shown = assert_good(0, osm.text('show', moved[0]['id']))
    assert_aligned(shown, 'ROLE')
    assert_good(0, osm.text('watch', moved[0]['id']))
    assert_good(0, osm.text('check-conversion-hosts'))
    for words in (['list'], ['show', moved[0]['id']], ['show', '--manifest', moved[0]['id']]):
        out = osm.run(*words).expect(0).out
        json.loads(out)
        assert is_plain(out.encode())


def test_nothing_was_run_that_stands_in_a_name(moved, osm):
    for folder in ('.', osm.folder, osm.state_dir, '/', '/tmp'):
        assert 'hst-pwned' not in os.listdir(folder)


def test_rollback_of_such_a_server(moved, osm, src, dst):
    assert_good(0, osm.text('rollback', moved[0]['id']))
    assert [inventory(c) for c in (src, dst)] == moved[1]


def test_duplicate_names_are_listed_by_id(osm, src, loose):
    twin = src.volume(loose.name, 1)
    try:
        status, out, err = osm.text('migrate-volume', loose.name)
        assert status == 1 and is_plain(out) and is_plain(err)
        assert loose.id in err.decode() and twin.id in err.decode()
    finally:
        src.api.block_storage.delete_volume(twin)
        src.api.block_storage.wait_for_delete(twin, interval=0.3, wait=60)


def test_an_empty_name_means_nothing(osm, src):
    """A variable of a script that was not set must not choose the one volume without a name."""
    v = src.volume('', 1, metadata={'osm.migration': 'hst-purge'})
    try:
        for words in (['migrate-volume', ''], ['migrate-server', ''], ['show', ''], ['rollback', '']):
            status, out, err = osm.text(*words)
            assert status in (1, 2) and is_plain(out) and is_plain(err), (words, err)
    finally:
        src.api.block_storage.delete_volume(v)
        src.api.block_storage.wait_for_delete(v, interval=0.3, wait=60)
