# SPDX-License-Identifier: Apache-2.0

noinst_LTLIBRARIES += common/libosmcommon.la
common_libosmcommon_la_SOURCES = \
	common/banned.h \
	common/cleanup.h \
	common/clock.c common/clock.h \
	common/command.c common/command.h \
	common/error.c common/error.h \
	common/file.c common/file.h \
	common/frame.c common/frame.h \
	common/json.c common/json.h \
	common/log.c common/log.h \
	common/parallel.c common/parallel.h \
	common/parse.c common/parse.h \
	common/quote.c common/quote.h \
	common/run.c common/run.h \
	common/strbuf.c common/strbuf.h \
	common/yaml.c common/yaml.h
common_libosmcommon_la_LIBADD = $(JANSSON_LIBS) $(YAML_LIBS)

unit_tests += \
	tests/unit/test-common-error
