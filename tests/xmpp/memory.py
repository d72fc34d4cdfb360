# SPDX-License-Identifier: Apache-2.0
"""How much a process has grown at most since a moment: resident, by the kernel's count."""
import pathlib

#: The sanitizer keeps freed memory to see its use; here it may keep little, since memory is what is looked at.
ASAN = "quarantine_size_mb=4:malloc_context_size=4:detect_leaks=1:abort_on_error=0:exitcode=99"


class Memory:
    def __init__(self, pid):
        self.folder = pathlib.Path(f"/proc/{pid}")
        (self.folder / "clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        self.idle = self.kib("VmRSS")

    def kib(self, field):
        text = (self.folder / "status").read_text(encoding="ascii")
        return int(text.split(f"{field}:")[1].split()[0])

    def grown(self):
        """A line that says it, and the MiB between idle and the peak."""
        peak = self.kib("VmHWM")
        grown = (peak - self.idle) / 1024
        return f"resident: idle {self.idle / 1024:.1f} MiB, at most {peak / 1024:.1f} MiB, {grown:.1f} MiB over idle", grown
