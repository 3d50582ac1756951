# SPDX-License-Identifier: Apache-2.0

# Everything but the command line, so that unit tests can link with it.
noinst_LTLIBRARIES += controller/libosmcontroller.la
controller_libosmcontroller_la_SOURCES = \
	controller/cloud/cloud.h \
	controller/cloud/clouds.c controller/cloud/clouds.h \
	controller/cloud/compute.c controller/cloud/compute.h \
	controller/cloud/http.c controller/cloud/http.h \
	controller/cloud/image.c controller/cloud/image.h \
	controller/cloud/network.c controller/cloud/network.h \
	controller/cloud/request.c controller/cloud/request.h \
	controller/cloud/session.c controller/cloud/session.h \
	controller/cloud/volume.c controller/cloud/volume.h \
	controller/cloud/wait.c controller/cloud/wait.h \
	controller/config.h \
	controller/hosts/hosts.h \
	controller/link/link.h \
	controller/migration/data.c \
	controller/migration/destination.c \
	controller/migration/internal.h \
	controller/migration/journal.c \
	controller/migration/lease.c controller/migration/lease.h \
	controller/migration/migration.c controller/migration/migration.h \
	controller/migration/plan.c controller/migration/plan.h controller/migration/plan-internal.h \
	controller/migration/plan-ports.c \
	controller/migration/plan-volumes.c \
	controller/migration/source.c \
	controller/migration/state.c controller/migration/state.h \
	controller/migration/steps.c \
	controller/store/internal.h \
	controller/store/journal.c \
	controller/store/leases.c \
	controller/store/migrations.c \
	controller/store/schema.c \
	controller/store/sql.c \
	controller/store/store.c controller/store/store.h \
	controller/ui/ui.h
controller_libosmcontroller_la_LIBADD = \
	common/libosmcommon.la \
	$(CURL_LIBS) $(SQLITE_LIBS) $(LIBSSH_LIBS) $(JANSSON_LIBS)
