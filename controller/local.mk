# SPDX-License-Identifier: Apache-2.0

# Everything but the command line, so that unit tests can link with it.
noinst_LTLIBRARIES += controller/libosmcontroller.la
controller_libosmcontroller_la_SOURCES = \
	controller/cloud/attachment.c \
	controller/cloud/believe.c controller/cloud/believe.h \
	controller/cloud/catalog.c controller/cloud/catalog.h \
	controller/cloud/cloud.h \
	controller/cloud/clouds.c controller/cloud/clouds.h \
	controller/cloud/crash.c controller/cloud/crash.h \
	controller/cloud/compute.c controller/cloud/compute.h \
	controller/cloud/http.c controller/cloud/http.h \
	controller/cloud/identity.c controller/cloud/identity.h \
	controller/cloud/image.c controller/cloud/image.h \
	controller/cloud/network.c controller/cloud/network.h \
	controller/cloud/find.c controller/cloud/request.c controller/cloud/request.h \
	controller/cloud/session.c controller/cloud/session.h \
	controller/cloud/transfer.c controller/cloud/transfer.h \
	controller/cloud/volume.c controller/cloud/volume.h \
	controller/cloud/wait.c controller/cloud/wait.h \
	controller/config.c controller/config.h controller/config-internal.h \
	controller/config-limits.c \
	controller/config-map.c \
	controller/config-values.c \
	controller/hosts/agent.c \
	controller/hosts/check.c \
	controller/hosts/choose.c \
	controller/hosts/cipher.c \
	controller/hosts/delete.c \
	controller/hosts/deploy.c \
	controller/hosts/find.c \
	controller/hosts/home.c controller/hosts/home.h \
	controller/hosts/hostkeys.c \
	controller/hosts/hosts.h controller/hosts/internal.h \
	controller/hosts/lock.c \
	controller/hosts/pair.c \
	controller/hosts/path.c controller/hosts/path.h \
	controller/hosts/rules.c \
	controller/hosts/slots.c \
	controller/hosts/userdata.c \
	controller/link/link.c controller/link/link.h \
	controller/link/remote.c controller/link/remote.h \
	controller/migration/belongings.c controller/migration/belongings.h \
	controller/migration/belongings-marks.c \
	controller/migration/changes.c controller/migration/changes.h \
	controller/migration/claims.c controller/migration/claims.h \
	controller/migration/data.c \
	controller/migration/devices.c controller/migration/devices.h \
	controller/migration/destination.c \
	controller/migration/findings.c controller/migration/findings.h \
	controller/migration/guard.c \
	controller/migration/internal.h \
	controller/migration/journal.c \
	controller/migration/lease.c controller/migration/lease.h \
	controller/migration/manifest.c controller/migration/manifest.h \
	controller/migration/limits.c controller/migration/limits.h \
	controller/migration/marks.c controller/migration/marks.h \
	controller/migration/migration.c controller/migration/migration.h \
	controller/migration/path.c \
	controller/migration/ready.c \
	controller/migration/plan.c controller/migration/plan.h controller/migration/plan-internal.h \
	controller/migration/plan-floating.c controller/migration/floating.c \
	controller/migration/plan-image.c controller/migration/source-image.c \
	controller/migration/plan-bootimage.c \
	controller/migration/plan-carried.c \
	controller/migration/plan-checks.c \
	controller/migration/plan-choices.c \
	controller/migration/plan-encrypted.c \
	controller/migration/plan-existing.c \
	controller/migration/plan-flavor.c \
	controller/migration/plan-forwarding.c \
	controller/migration/plan-network.c \
	controller/migration/plan-nics.c \
	controller/migration/plan-ports.c \
	controller/migration/plan-qos.c \
	controller/migration/plan-server.c \
	controller/migration/plan-state.c \
	controller/migration/plan-volumes.c \
	controller/migration/planfile.c controller/migration/planfile.h \
	controller/migration/planfile-compare.c \
	controller/migration/planfile-describe.c \
	controller/migration/planfile-internal.h \
	controller/migration/planfile-read.c \
	controller/migration/preflight.c controller/migration/preflight.h \
	controller/migration/quota.c controller/migration/quota.h \
	controller/migration/recover.c controller/migration/recover.h \
	controller/migration/slots.c \
	controller/migration/source.c \
	controller/migration/state.c controller/migration/state.h \
	controller/migration/steps.c \
	controller/migration/sparse.c controller/migration/sparse.h \
	controller/migration/verify.c controller/migration/verify.h \
	controller/store/grants.c \
	controller/store/internal.h \
	controller/store/journal.c \
	controller/store/leases.c \
	controller/store/migrations.c \
	controller/store/objects.c \
	controller/store/prune.c \
	controller/store/restore.c \
	controller/store/schema.c \
	controller/store/sql.c \
	controller/store/store.c controller/store/store.h \
	controller/tenant/bulk.c controller/tenant/bulk.h \
	controller/tenant/carried.c controller/tenant/carried.h \
	controller/tenant/cleanup.c controller/tenant/cleanup.h \
	controller/tenant/compare.c controller/tenant/compare.h \
	controller/tenant/conflict.c controller/tenant/conflict.h \
	controller/tenant/convert.c controller/tenant/convert.h \
	controller/tenant/datafile.c controller/tenant/datafile.h \
	controller/tenant/diff.c controller/tenant/diff.h \
	controller/tenant/exact.c controller/tenant/exact.h \
	controller/tenant/export.c controller/tenant/export.h \
	controller/tenant/fetch.c controller/tenant/fetch.h \
	controller/tenant/filter.c controller/tenant/filter.h \
	controller/tenant/grants.c controller/tenant/grants.h \
	controller/tenant/image-data.c controller/tenant/image-data.h \
	controller/tenant/import.c controller/tenant/import.h \
	controller/tenant/inventory.c controller/tenant/inventory.h \
	controller/tenant/mapping.c controller/tenant/mapping.h \
	controller/tenant/needs.c controller/tenant/needs.h \
	controller/tenant/order.c controller/tenant/order.h \
	controller/tenant/projects.c controller/tenant/projects.h \
	controller/tenant/rename.c controller/tenant/rename.h \
	controller/tenant/types.c controller/tenant/types.h \
	controller/tenant/spelling.c controller/tenant/spelling.h \
	controller/tenant/uses.c controller/tenant/uses.h \
	controller/tenant/verdict.c controller/tenant/verdict.h \
	controller/tenant/type.h \
	controller/tenant/type-address-group.c \
	controller/tenant/type-address-scope.c \
	controller/tenant/type-flavor.c \
	controller/tenant/type-image.c \
	controller/tenant/type-keypair.c \
	controller/tenant/type-network.c \
	controller/tenant/type-port.c \
	controller/tenant/type-others.c \
	controller/tenant/type-qos-policy.c \
	controller/tenant/type-quota.c \
	controller/tenant/type-rbac-policy.c \
	controller/tenant/type-project.c \
	controller/tenant/type-role-assignment.c \
	controller/tenant/type-router-interface.c \
	controller/tenant/type-router.c \
	controller/tenant/type-security-group-rule.c \
	controller/tenant/type-server-group.c \
	controller/tenant/type-security-group.c \
	controller/tenant/type-trunk.c \
	controller/tenant/type-subnet-pool.c \
	controller/tenant/type-subnet.c \
	controller/tenant/type-volume-qos.c \
	controller/tenant/type-volume-type.c \
	controller/tenant/type-user.c \
	controller/ui/format.c controller/ui/format.h \
	controller/ui/ui.c controller/ui/ui.h \
	controller/ui/width.c
controller_libosmcontroller_la_LIBADD = \
	nbd/libosmssh.la common/libosmcommon.la \
	$(CURL_LIBS) $(SQLITE_LIBS) $(LIBSSH_LIBS) $(JANSSON_LIBS)

bin_PROGRAMS += osm-controller
osm_controller_SOURCES = \
	controller/cmd/check-conversion-hosts.c \
	controller/cmd/check-server.c \
	controller/cmd/check-servers.c \
	controller/cmd/cleanup.c \
	controller/cmd/cleanup-source.c \
	controller/cmd/prune.c \
	controller/cmd/commands.h \
	controller/cmd/common.c controller/cmd/common.h \
	controller/cmd/completion.c \
	controller/cmd/delete-conversion-hosts.c \
	controller/cmd/deploy-conversion-hosts.c \
	controller/cmd/describe.c controller/cmd/describe.h \
	controller/cmd/diff.c \
	controller/cmd/export.c \
	controller/cmd/forget.c \
	controller/cmd/hosts.h \
	controller/cmd/import.c \
	controller/cmd/list.c \
	controller/cmd/migrate.c controller/cmd/migrate.h \
	controller/cmd/migrate-planned.c \
	controller/cmd/migrate-server.c \
	controller/cmd/migrate-volume.c \
	controller/cmd/plan.c \
	controller/cmd/preflight.c controller/cmd/preflight.h \
	controller/cmd/recover.c \
	controller/cmd/register-external.c \
	controller/cmd/resume.c \
	controller/cmd/rollback.c \
	controller/cmd/show.c \
	controller/cmd/projects.c controller/cmd/projects.h \
	controller/cmd/revoke-grants.c \
	controller/cmd/tenant.c controller/cmd/tenant.h \
	controller/cmd/throttle.c \
	controller/cmd/validate.c \
	controller/cmd/verify.c \
	controller/cmd/watch.c \
	controller/osm-controller.c
osm_controller_LDADD = controller/libosmcontroller.la

noinst_PROGRAMS += tests/functional/cloud-driver
tests_functional_cloud_driver_SOURCES = tests/functional/cloud-driver.c
tests_functional_cloud_driver_LDADD = controller/libosmcontroller.la
script_tests += tests/functional/cloud-faults.py

noinst_HEADERS += tests/unit/test-json.h tests/unit/test-store.h tests/unit/test-tenant.h
unit_tests += \
	tests/unit/test-cloud-catalog \
	tests/unit/test-cloud-clouds \
	tests/unit/test-cloud-identity \
	tests/unit/test-cloud-request \
	tests/unit/test-config-file \
	tests/unit/test-hosts-cipher \
	tests/unit/test-hosts-find \
	tests/unit/test-hosts-home \
	tests/unit/test-hosts-keys \
	tests/unit/test-hosts-path \
	tests/unit/test-hosts-rules \
	tests/unit/test-hosts-userdata \
	tests/unit/test-migration-belongings \
	tests/unit/test-migration-changes \
	tests/unit/test-migration-claims \
	tests/unit/test-migration-marks \
	tests/unit/test-migration-devices \
	tests/unit/test-migration-findings \
	tests/unit/test-migration-plan-carried \
	tests/unit/test-migration-plan-checks \
	tests/unit/test-migration-plan-image \
	tests/unit/test-migration-quota \
	tests/unit/test-migration-plan-kinds \
	tests/unit/test-migration-planfile \
	tests/unit/test-store-file \
	tests/unit/test-store-journal \
	tests/unit/test-store-migrations \
	tests/unit/test-store-objects \
	tests/unit/test-tenant-conflict \
	tests/unit/test-tenant-convert \
	tests/unit/test-tenant-datafile \
	tests/unit/test-tenant-diff \
	tests/unit/test-tenant-export \
	tests/unit/test-tenant-images \
	tests/unit/test-tenant-mapping \
	tests/unit/test-tenant-needs \
	tests/unit/test-tenant-spelling \
	tests/unit/test-tenant-projects \
	tests/unit/test-tenant-types \
	tests/unit/test-tenant-uses \
	tests/unit/test-tenant-verdict \
	tests/unit/test-ui-format
tests_unit_test_cloud_catalog_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_cloud_clouds_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_cloud_identity_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_cloud_request_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_config_file_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_cipher_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_find_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_home_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_keys_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_path_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_rules_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_hosts_userdata_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_changes_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_marks_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_belongings_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_claims_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_devices_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_findings_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_plan_checks_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_quota_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_plan_image_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_plan_carried_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_plan_kinds_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_migration_planfile_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_store_file_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_store_journal_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_store_migrations_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_convert_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_datafile_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_diff_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_export_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_images_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_store_objects_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_mapping_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_needs_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_projects_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_types_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_uses_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_verdict_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_conflict_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_tenant_spelling_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)
tests_unit_test_ui_format_LDADD = controller/libosmcontroller.la $(CMOCKA_LIBS)

noinst_PROGRAMS += tests/functional/link-driver
tests_functional_link_driver_SOURCES = tests/functional/link-driver.c
tests_functional_link_driver_LDADD = controller/libosmcontroller.la

noinst_PROGRAMS += tests/functional/verify-driver
tests_functional_verify_driver_SOURCES = tests/functional/verify-driver.c
tests_functional_verify_driver_LDADD = controller/libosmcontroller.la

script_tests += \
	tests/functional/controller-cli.py \
	tests/functional/hosts-link.py \
	tests/functional/hosts-user-data.py \
	tests/functional/long-journal.py \
	tests/functional/kinds.py \
	tests/functional/manual-pages.py \
	tests/functional/memory.py \
	tests/functional/plan-file.py \
	tests/functional/plan-findings.py \
	tests/functional/plan-mapping.py \
	tests/functional/tenant-cleanup.py \
	tests/functional/tenant-files.py \
	tests/functional/tenant-images.py \
	tests/functional/tenant-mapping.py \
	tests/functional/tenant-more.py \
	tests/functional/tenant-network.py \
	tests/functional/tenant-projects.py \
	tests/functional/tenant-types.py
