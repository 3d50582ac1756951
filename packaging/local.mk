# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += packaging/packages-build.txt
