# SPDX-License-Identifier: Apache-2.0
"""The parts of the Nova driver of the lab."""
