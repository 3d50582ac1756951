# SPDX-License-Identifier: Apache-2.0
"""The lab: two OpenStack clouds in one private set of namespaces."""
