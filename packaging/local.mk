# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += \
	packaging/agent-setup.in \
	packaging/osm-agent.service.in \
	packaging/osm.sysusers \
	packaging/osm.tmpfiles \
	packaging/packages-analyze.txt \
	packaging/packages-build.txt \
	packaging/sshd-osm.conf.in

# Directories are known to make, not to configure.
packaging_edit = $(SED) \
	-e 's|@bindir[@]|$(bindir)|g' \
	-e 's|@libexecdir[@]|$(libexecdir)|g' \
	-e 's|@pkgdatadir[@]|$(pkgdatadir)|g' \
	-e 's|@systemdsystemunitdir[@]|$(systemdsystemunitdir)|g'

packaging/agent-setup packaging/osm-agent.service packaging/sshd-osm.conf: Makefile
	$(AM_V_GEN)$(MKDIR_P) packaging && \
	$(packaging_edit) $(srcdir)/$@.in > $@.tmp && chmod a-w $@.tmp && mv -f $@.tmp $@
packaging/agent-setup: packaging/agent-setup.in
packaging/osm-agent.service: packaging/osm-agent.service.in
packaging/sshd-osm.conf: packaging/sshd-osm.conf.in

osmlibexecdir = $(libexecdir)/osm
nodist_osmlibexec_SCRIPTS = packaging/agent-setup
nodist_systemdsystemunit_DATA = packaging/osm-agent.service
nodist_pkgdata_DATA = packaging/sshd-osm.conf
CLEANFILES += packaging/agent-setup packaging/osm-agent.service packaging/sshd-osm.conf

# These two have names of their own in folders that others share.
install-data-hook: install-users
uninstall-hook: uninstall-users
install-users:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) $(srcdir)/packaging/osm.sysusers '$(DESTDIR)$(sysusersdir)/osm.conf'
	$(INSTALL_DATA) $(srcdir)/packaging/osm.tmpfiles '$(DESTDIR)$(tmpfilesdir)/osm.conf'
uninstall-users:
	rm -f '$(DESTDIR)$(sysusersdir)/osm.conf' '$(DESTDIR)$(tmpfilesdir)/osm.conf'
phony_targets += install-users uninstall-users

# The program knows its commands and options.
packaging/completion/osm-controller: osm-controller$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) packaging/completion && \
	./osm-controller$(EXEEXT) completion > $@.tmp && mv -f $@.tmp $@
nodist_bashcompletion_DATA = packaging/completion/osm-controller
CLEANFILES += packaging/completion/osm-controller
dist_doc_DATA += packaging/osm.yaml.example
