# SPDX-License-Identifier: Apache-2.0

# Not part of `make check`: as root, some minutes, an emulated machine.
check-systemd: all
	$(AM_V_at)$(top_srcdir)/tests/systemd/run '$(abs_top_builddir)' $(CHECK_SYSTEMD_FLAGS)
phony_targets += check-systemd
