# SPDX-License-Identifier: Apache-2.0
"""Before there are conversion hosts: what is refused without touching anything."""
import pytest

pytestmark = pytest.mark.usefixtures('big', 'unchanged')


def written(folder, text):
    path = folder / 'bad.yaml'
    path.write_text(text)
    return str(path)


def test_malformed_configuration_names_file_line_and_column(osm, folder):
    path = written(folder, 'source: {cloud: src}\ndestination: {cloud: [dst\n')
    osm.run('migrate-server', 'x', config=path).expect(1).says(path + ':3:')


def test_unknown_key_is_named_with_its_place(osm, folder):
    path = written(folder, 'source: {cloud: src}\nconversion_hosts:\n  flavour: m1.tiny\n')
    osm.run('migrate-server', 'x', config=path).expect(1).says(path + ':3:3', 'flavour')


def test_value_of_the_wrong_kind_is_named_with_its_place(osm, folder):
    path = written(folder, 'source: {cloud: src}\nconversion_hosts:\n  boot_volume_gb: many\n')
    osm.run('migrate-server', 'x', config=path).expect(1).says(path + ':3:', 'boot_volume_gb')


def test_wrong_command_line_is_status_2(osm):
    osm.run('migrate-server').expect(2)
    osm.run('migrate-server', '--no-such-option', 'x').expect(2).says('--no-such-option')


def test_unknown_cloud_is_named(osm):
    osm.run('migrate-server', 'x', source={'cloud': 'nowhere'}).expect(1).says('nowhere', 'clouds.yaml')


def test_wrong_password_names_cloud_and_remedy(osm):
    r = osm.run('migrate-server', 'x', source={'cloud': 'wrong'}).expect(1).says("'wrong'", '401')
    assert 'not this one' not in r.err


def test_same_project_on_both_sides_is_refused(osm):
    osm.run('migrate-server', 'x', destination={'cloud': 'src'}).expect(1).says('same project')


def test_server_that_is_not_there(osm):
    osm.run('migrate-server', 'e2e-no-such').expect(1).says("'src'", 'e2e-no-such')


def test_migration_that_is_not_there(osm):
    for command in ('resume', 'rollback', 'cleanup', 'show'):
        osm.run(command, 'ffffffff').expect(1).says('ffffffff')


def test_no_conversion_hosts(osm, big):
    osm.run('migrate-volume', big).expect(1).says('conversion host', 'deploy-conversion-hosts')


def test_no_conversion_hosts_to_delete(osm):
    osm.run('delete-conversion-hosts').expect(3)


def test_deploy_names_a_missing_image(osm):
    bad = dict(osm.base['conversion_hosts'], image='e2e-no-such-image')
    osm.run('deploy-conversion-hosts', conversion_hosts=bad).expect(1).says('e2e-no-such-image', 'conversion_hosts')
    osm.run('delete-conversion-hosts')
