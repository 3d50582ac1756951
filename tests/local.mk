# SPDX-License-Identifier: Apache-2.0

noinst_HEADERS += tests/unit/test.h
EXTRA_DIST += \
	tests/lint/cppcheck.txt \
	tests/lint/lint \
	tests/lint/jansson.cfg \
	tests/lint/layers \
	tests/lint/valgrind.supp
