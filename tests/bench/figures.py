# SPDX-License-Identifier: Apache-2.0
"""Figures as they are printed: a value, its ceiling, what the bus spent on it."""
import dataclasses
import statistics


@dataclasses.dataclass
class Figure:
    section: str
    name: str
    value: float
    unit: str                 # "/s", "MB", "s"
    ceiling: float = None     # in the same unit
    ceiling_name: str = ""
    cpu_us: float = None      # user and system time of xylemd, microseconds a message
    note: str = ""

    @property
    def share(self):
        return 100 * self.value / self.ceiling if self.ceiling else None

    def as_dict(self):
        return dict(dataclasses.asdict(self), share=self.share)


def medians(figures):
    """One figure for each name: the median of each number over the rounds; the note of the last."""
    groups = {}
    for figure in figures:
        groups.setdefault((figure.section, figure.name), []).append(figure)
    return [_median(group) for group in groups.values()]


def _median(group):
    def of(name):
        numbers = [getattr(figure, name) for figure in group if getattr(figure, name) is not None]
        return statistics.median(numbers) if numbers else None
    return dataclasses.replace(group[-1], value=of("value"), ceiling=of("ceiling"), cpu_us=of("cpu_us"))


def shown(value, unit):
    if value is None:
        return ""
    return f"{value:,.0f}{unit}" if unit == "/s" else f"{value:.2f} {unit}" if unit == "s" else f"{value:.1f} {unit}"


COLUMNS = ["figure", "measured", "ceiling", "%", "CPU us/msg", "what the ceiling is; notes"]


def rows(figures):
    for figure in figures:
        words = "; ".join(word for word in (figure.ceiling_name, figure.note) if word)
        yield [figure.name, shown(figure.value, figure.unit), shown(figure.ceiling, figure.unit),
               "" if figure.share is None else f"{figure.share:.0f}",
               "" if figure.cpu_us is None else f"{figure.cpu_us:.2f}", words]


def table(figures):
    """Lines for a terminal."""
    lines = [COLUMNS, *rows(figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for line in lines:
        cells = [cell.ljust(width) if column in (0, 5) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        yield "  ".join(cells).rstrip()


def markdown(figures):
    """The same table for docs/performance.md."""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---|---:|---:|---:|---:|---|"
    for row in rows(figures):
        yield "| " + " | ".join(row) + " |"
