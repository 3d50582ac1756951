# SPDX-License-Identifier: Apache-2.0

EXTRA_DIST += docs/ARCHITECTURE.md docs/FINDINGS.md docs/PERFORMANCE.md docs/PROTOCOL.md docs/RELIABILITY.md \
	docs/SUPPORT.md

# The page names tests; they exist.
script_tests += tests/functional/promises.py
# The page names each finding, and no other.
script_tests += tests/functional/findings.py

POD_MAN1 += docs/osm-controller.pod
POD_MAN5 += docs/osm.yaml.pod
POD_MAN8 += docs/osm-agent.pod
