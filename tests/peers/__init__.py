# SPDX-License-Identifier: Apache-2.0
"""Real peers for the suites: processes, ports, PostgreSQL, Kafka.

Standard library of Python 3.11 only. Every peer has its own folder and its own
ports on 127.0.0.1, says how to reach it, and is gone when the test is gone.
"""
