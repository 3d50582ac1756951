# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += \
	tests/lab/README.md \
	tests/lab/drivers/labcinder.py \
	tests/lab/drivers/labfault.py \
	tests/lab/drivers/labimages.py \
	tests/lab/drivers/labnova/__init__.py \
	tests/lab/drivers/labnova/common.py \
	tests/lab/drivers/labnova/disks.py \
	tests/lab/drivers/labnova/guest.py \
	tests/lab/drivers/labnova/network.py \
	tests/lab/drivers/nova_virt/labdriver.py \
	tests/lab/guest/guest-boot \
	tests/lab/guest/guest-init \
	tests/lab/guest/guest-run \
	tests/lab/lab \
	tests/lab/osmlab/__init__.py \
	tests/lab/osmlab/bootstrap.py \
	tests/lab/osmlab/cli.py \
	tests/lab/osmlab/configure.py \
	tests/lab/osmlab/database.py \
	tests/lab/osmlab/image.py \
	tests/lab/osmlab/namespace.py \
	tests/lab/osmlab/packages.py \
	tests/lab/osmlab/pid1.py \
	tests/lab/osmlab/reset.py \
	tests/lab/osmlab/service.py \
	tests/lab/osmlab/services.py \
	tests/lab/osmlab/settings.py \
	tests/lab/osmlab/template.py \
	tests/lab/packages-lab.txt \
	tests/lab/selftest
