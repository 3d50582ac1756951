# SPDX-License-Identifier: Apache-2.0

# In the lab, as root; not part of `make check`.
# POINTS=n: so many single faults at random, SEED=n: the same ones again
check-faults: all
	$(AM_V_at)POINTS='$(POINTS)' SEED='$(SEED)' $(top_srcdir)/tests/faults/check-faults '$(abs_top_builddir)'
phony_targets += check-faults

# ROUNDS=n: so many migrations, 50 if not given; TOKENS=no: without those that take three minutes
check-soak: all
	$(AM_V_at)ROUNDS='$(ROUNDS)' TOKENS='$(TOKENS)' $(top_srcdir)/tests/faults/check-soak '$(abs_top_builddir)'
phony_targets += check-soak

# Clouds, peers and names that are hostile, secrets, signals; as root, with the lab. POINTS=40 for a sample, SEED=N again.
check-hostile: all $(unit_tests)
	$(AM_V_at)POINTS='$(POINTS)' SEED='$(SEED)' $(top_srcdir)/tests/faults/hostile/run '$(abs_top_builddir)' $(CHECK_HOSTILE_FLAGS)
phony_targets += check-hostile

# POINTS=n: so many points at random, SEED=n: the same ones again, CRASH_FLAGS: tests/faults/crash.py --help. In parts:
# make check-crash CRASH_FLAGS='--seconds 3600 --json FILE --continue' as often as it takes.
check-crash: all
	$(AM_V_at)$(top_srcdir)/tests/faults/check-crash '$(abs_top_builddir)' \
	  $(if $(POINTS),--points $(POINTS)) $(if $(SEED),--seed $(SEED)) $(CRASH_FLAGS)
phony_targets += check-crash
