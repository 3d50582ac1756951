# SPDX-License-Identifier: Apache-2.0

noinst_LTLIBRARIES += common/libosmcommon.la
common_libosmcommon_la_SOURCES = \
	common/banned.h \
	common/base64.c common/base64.h \
	common/bytepipe.c common/bytepipe.h \
	common/cidr.c common/cidr.h \
	common/cleanup.h \
	common/clock.c common/clock.h \
	common/command.c common/command.h \
	common/coredump.c common/coredump.h \
	common/crashpoint.c common/crashpoint.h \
	common/error.c common/error.h \
	common/file.c common/file.h \
	common/frame.c common/frame.h \
	common/harden.c common/harden.h \
	common/hash.c common/hash.h \
	common/json.c common/json.h \
	common/log.c common/log.h \
	common/pace.c common/pace.h \
	common/parallel.c common/parallel.h \
	common/parse.c common/parse.h \
	common/quote.c common/quote.h \
	common/ranges.c common/ranges.h \
	common/run.c common/run.h \
	common/schedule.c common/schedule.h \
	common/strbuf.c common/strbuf.h \
	common/suggest.c common/suggest.h \
	common/yaml.c common/yaml.h \
	common/yamlcomment.c common/yamlcomment.h \
	common/yamlwrite.c common/yamlwrite.h
common_libosmcommon_la_LIBADD = $(JANSSON_LIBS) $(YAML_LIBS) $(CRYPTO_LIBS)

unit_tests += \
	tests/unit/test-common-bytepipe \
	tests/unit/test-common-hash \
	tests/unit/test-common-cidr \
	tests/unit/test-common-clock \
	tests/unit/test-common-command \
	tests/unit/test-common-error \
	tests/unit/test-common-file \
	tests/unit/test-common-frame \
	tests/unit/test-common-harden \
	tests/unit/test-common-json \
	tests/unit/test-common-log \
	tests/unit/test-common-pace \
	tests/unit/test-common-parallel \
	tests/unit/test-common-parse \
	tests/unit/test-common-quote \
	tests/unit/test-common-ranges \
	tests/unit/test-common-run \
	tests/unit/test-common-schedule \
	tests/unit/test-common-strbuf \
	tests/unit/test-common-suggest \
	tests/unit/test-common-yaml \
	tests/unit/test-common-yamlcomment \
	tests/unit/test-common-yamlwrite
