# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += docs/PROTOCOL.md

POD_MAN1 += docs/osm-controller.pod
POD_MAN5 += docs/osm.yaml.pod
