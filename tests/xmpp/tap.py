# SPDX-License-Identifier: Apache-2.0
"""Runs unittest cases and prints TAP, a line a test, so that meson counts each."""
import sys
import time
import traceback
import unittest


class _Tap(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def _line(self, word, test, note=""):
        self.count += 1
        print(f"{word} {self.count} - {test.id().split('.', 1)[-1]}{note}", flush=True)

    def startTest(self, test):
        super().startTest(test)
        test.began = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line("ok", test, f" ({time.monotonic() - getattr(test, 'began', time.monotonic()):.1f} s)")

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line("ok", test, f" # SKIP {reason}")

    def _bad(self, test, error):
        self._line("not ok", test)
        for line in "".join(traceback.format_exception(*error)).splitlines():
            print(f"# {line}", flush=True)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._bad(test, error)

    def addError(self, test, error):
        super().addError(test, error)
        self._bad(test, error)


def run(*cases):
    """Runs the test cases (classes) in order and ends the process."""
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    print(f"1..{suite.countTestCases()}", flush=True)
    result = _Tap()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
