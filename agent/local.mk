# SPDX-License-Identifier: Apache-2.0

# Everything but the command line, so that unit tests can link with it.
noinst_LTLIBRARIES += agent/libosmagent.la
agent_libosmagent_la_SOURCES = \
	agent/carrier.c agent/carrier.h \
	agent/child.c agent/child.h \
	agent/confine.c agent/confine.h \
	agent/copy.c agent/copy.h \
	agent/device.c agent/device.h \
	agent/endpoint.c agent/endpoint.h \
	agent/export.c agent/export.h \
	agent/gateway.c agent/gateway.h \
	agent/hello.c agent/hello.h \
	agent/job.c agent/job.h agent/job-internal.h \
	agent/job-file.c \
	agent/job-report.c \
	agent/limits.c agent/limits.h \
	agent/listen.c agent/listen.h \
	agent/method.c agent/method.h \
	agent/params.c agent/params.h \
	agent/paths.c agent/paths.h \
	agent/peers.c agent/peers.h \
	agent/service.c agent/service.h \
	agent/share.c agent/share.h \
	agent/sparse.c agent/sparse.h \
	agent/sparsejob.c \
	agent/stdio.c agent/stdio.h \
	agent/survey.c agent/survey.h \
	agent/surveyext.c \
	agent/surveyxfs.c \
	agent/worker.c agent/worker.h
agent_libosmagent_la_LIBADD = nbd/libosmnbd.la common/libosmcommon.la $(SYSTEMD_LIBS) $(BLKID_LIBS) $(EXT2FS_LIBS)

bin_PROGRAMS += osm-agent
osm_agent_SOURCES = agent/osm-agent.c
osm_agent_LDADD = agent/libosmagent.la

script_tests += \
	tests/functional/agent-basic.py \
	tests/functional/agent-carrier.py \
	tests/functional/agent-copy.py \
	tests/functional/agent-verify.py
plain_tests += \
	tests/functional/agent-limits.py \
	tests/functional/agent-survey.py \
	tests/functional/sparse.py

# All kinds of file systems, each in a volume of its own: minutes without KVM.
check-sparse: all
	$(AM_V_at)top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
	  $(top_srcdir)/tests/functional/sparse.py --all
phony_targets += check-sparse

noinst_HEADERS += tests/unit/test-agent.h tests/unit/xfs-image.h
unit_tests += \
	tests/unit/test-agent-device \
	tests/unit/test-agent-endpoint \
	tests/unit/test-agent-job \
	tests/unit/test-agent-method \
	tests/unit/test-agent-peers \
	tests/unit/test-agent-share \
	tests/unit/test-agent-sparse \
	tests/unit/test-agent-survey
tests_unit_test_agent_device_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_endpoint_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_job_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_method_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_sparse_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_survey_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_peers_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
tests_unit_test_agent_share_LDADD = agent/libosmagent.la $(CMOCKA_LIBS)
