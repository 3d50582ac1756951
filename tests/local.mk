# SPDX-License-Identifier: Apache-2.0

dist_folders += \
	check \
	tests/bench \
	tests/e2e \
	tests/faults \
	tests/functional \
	tests/fuzz \
	tests/lab \
	tests/systemd

noinst_HEADERS += tests/unit/test.h
EXTRA_DIST += \
	quickstart \
	tests/common.sh \
	tests/lint/analyze \
	tests/lint/analyze.txt \
	tests/lint/dist \
	tests/lint/cppcheck.txt \
	tests/lint/lint \
	tests/lint/jansson.cfg \
	tests/lint/layers \
	tests/lint/valgrind.supp

# What tests/bench/run measures with, made when it asks for them.
EXTRA_PROGRAMS = \
	tests/bench/ssh-stream \
	tests/bench/wan-proxy
tests_bench_ssh_stream_SOURCES = tests/bench/ssh-stream.c
tests_bench_ssh_stream_LDADD = $(LIBSSH_LIBS)
tests_bench_wan_proxy_SOURCES = tests/bench/wan-proxy.c
tests_bench_wan_proxy_LDADD =
CLEANFILES += $(EXTRA_PROGRAMS)

# Data races, in a build of --enable-sanitizers=thread: all but the plain_tests, which compare times.
check-tsan: all
	$(AM_V_at)case '$(SANITIZER_FLAGS)' in *-fsanitize=thread*) ;; \
	  *) echo 'configure with --enable-sanitizers=thread, best in a folder of its own' >&2; exit 1 ;; esac
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check
phony_targets += check-tsan

# How long an operator waits; as root, starts the lab afresh.
bench: all
	$(AM_V_at)$(top_srcdir)/tests/bench/e2e '$(abs_top_builddir)'
phony_targets += bench

# How long export and import take, and how many requests they send; the lab is up.
bench-tenant: all
	$(AM_V_at)$(top_srcdir)/tests/lab/lab exec $(abs_top_srcdir)/tests/bench/tenant.py '$(abs_top_builddir)'
phony_targets += bench-tenant

# What is left of migrations whose journal, hosts or agents are gone; in the lab. OSM_CONVERSION_IMAGE: as for tests/e2e.
check-recover: all
	$(AM_V_at)OSM_DATADIR='$(abs_top_srcdir)' OSM_BUILD='$(abs_top_builddir)' \
	  OSM_GUEST_IMAGE="$$($(top_srcdir)/tests/lab/lab image)" $(top_srcdir)/tests/lab/lab exec \
	  /usr/bin/python3 -m pytest -p no:cacheprovider -v --tb=short --durations=0 \
	  $(abs_top_srcdir)/tests/e2e/test_7_recover.py $(abs_top_srcdir)/tests/e2e/deep_recover.py
phony_targets += check-recover
