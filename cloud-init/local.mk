# SPDX-License-Identifier: Apache-2.0

cloudinitdir = $(pkgdatadir)/cloud-init
dist_cloudinit_DATA = cloud-init/conversion-host.yaml
