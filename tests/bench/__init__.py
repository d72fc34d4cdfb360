# SPDX-License-Identifier: Apache-2.0
"""Figures of the bus, each beside a ceiling measured in the same run. Start with tests/bench/run."""
