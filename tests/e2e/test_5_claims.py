# SPDX-License-Identifier: Apache-2.0
"""Quotas that would be enough for each server by itself: what other migrations have still to make counts, and so do the other servers
of a plan file."""
import json

import pytest

from osmlib import get
from test_3_plan import pair  # noqa: F401: a fixture
from test_3_preflight import quota

pytestmark = pytest.mark.usefixtures('hosts', 'source', 'unchanged')


def instances(cloud):
    return get(cloud.api.compute, '/limits')['limits']['absolute']['totalInstancesUsed']


def test_held_migration_counts(osm, src, dst, pair):  # noqa: F811
    """Its volumes are made, its server is not."""
    held = osm.run('migrate-server', '--hold', 'e2e-plan-1').expect(0).result()['id']
    project = dst.api.current_project_id
    try:
        with quota(dst.admin.compute, '/os-quota-sets/' + project, instances=instances(dst) + 1):
            r = osm.run('check-server', 'e2e-plan-2').expect(4)
        found = [f for f in json.loads(r.out)['findings'] if f['id'] == 'destination-quota']
        assert [f['object'] for f in found] == ['instances']
        assert '1 more needed by migrations that the journal has, 1 more needed' in found[0]['text']
    finally:
        osm.run('rollback', held).expect(0)
    with quota(dst.admin.compute, '/os-quota-sets/' + project, instances=instances(dst) + 1):
        osm.run('check-server', 'e2e-plan-2').expect(0)


def test_servers_of_a_plan_are_added_up(osm, src, dst, pair, tmp_path):  # noqa: F811
    path = str(tmp_path / 'plan.yaml')
    osm.run('plan', 'e2e-plan-1', 'e2e-plan-2', '--output-file', path).expect(0)
    with quota(dst.admin.compute, '/os-quota-sets/' + dst.api.current_project_id, instances=instances(dst) + 1):
        r = osm.run('migrate-server', '--plan', path).expect(4).says('by all together')
        assert r.findings()['together-destination-quota']['object'] == 'instances'
        osm.run('migrate-server', '--plan', path, '--dry-run', 'e2e-plan-1').expect(0)
    assert [src.api.compute.get_server(i).status for i in pair.ids] == ['ACTIVE'] * 2
