# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += docs/ARCHITECTURE.md docs/PERFORMANCE.md docs/PROTOCOL.md

POD_MAN1 += docs/osm-controller.pod
POD_MAN5 += docs/osm.yaml.pod
POD_MAN8 += docs/osm-agent.pod
