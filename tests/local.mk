# SPDX-License-Identifier: Apache-2.0

dist_folders += \
	tests/bench \
	tests/e2e \
	tests/faults \
	tests/functional \
	tests/fuzz \
	tests/lab \
	tests/systemd

noinst_HEADERS += tests/unit/test.h
EXTRA_DIST += \
	check \
	quickstart \
	tests/common.sh \
	tests/lint/dist \
	tests/lint/cppcheck.txt \
	tests/lint/lint \
	tests/lint/jansson.cfg \
	tests/lint/layers \
	tests/lint/valgrind.supp
