"""Tell measured figures as Markdown: `python -m bench.report bench/results/….json`.

With `--into README.md` the short form of it takes the place of what stands there between the two comments that name
this command.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import dates
from bench.contest import MANY_CONNECTIONS, OURS, PAST, PRESENT
from bench.contestants import CONNECTIONS, WORKERS
from bench.targets import EXPORT_LIMIT_BYTES, KNOWN_BOUND, list_held, list_known
from bench.turns import Spread, figures_of
from bench.usage import Figures

BEGIN, END = "<!-- python -m bench.report: begin -->", "<!-- python -m bench.report: end -->"
# Columns of the table of answers: their heads, the figures' names, what to divide by, and how to write them.
_COLUMNS = (
    ("answers/s", "per_second", 1, ",.0f"),
    ("server, CPU ms", "server_cpu_ms", 1, ".2f"),
    ("database, CPU ms", "database_cpu_ms", 1, ".2f"),
    ("bytes", "answer_bytes", 1, ",.0f"),
    ("p50 ms", "median_ms", 1, ".1f"),
    ("p99 ms", "p99_ms", 1, ".1f"),
    ("peak MB", "peak_bytes", 1e6, ",.0f"),
)


def main() -> None:
    """Print a file of figures, or put it where it is shown."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("file", type=Path, help="what `make bench` has written")
    parser.add_argument("--into", type=Path, help="a file with the two comments, such as README.md")
    arguments = parser.parse_args()
    figures = json.loads(arguments.file.read_text(encoding="utf-8"))
    if arguments.into is None:
        print(markdown(figures))
    else:
        text = arguments.into.read_text(encoding="utf-8")
        arguments.into.write_text(placed(text, summary(figures)), encoding="utf-8")


def placed(text: str, shown: str) -> str:
    """Put what is shown between the two comments of a text. Raises ValueError where it has not both."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"there is no {BEGIN} … {END}")
    return f"{before}{BEGIN}\n{shown}\n{END}{after}"


def markdown(figures: Mapping[str, Any]) -> str:
    """Write all of it."""
    return "\n".join(_lines(figures))


def summary(figures: Mapping[str, Any]) -> str:
    """Write what a reader of the README wants to know: the ratios, the answers a second, on what."""
    lines = [*_targets(figures), "", "| answer | of whom | a second | server, CPU ms | database, CPU ms |"]
    lines.append("|---|---|---|---|---|")
    for task, contestant, turns in _contests(figures["rates"]):
        cells = [_cell(turns, name, scale, form, brief=True) for _, name, scale, form in _COLUMNS[:3]]
        lines.append(f"| {task} | {contestant} | {' | '.join(cells)} |")
    about = figures["machine"]
    lines += [
        "",
        f"{figures['events']:,} events; {about['processors']}, PostgreSQL {figures['postgresql']}, {_way(figures)}",
    ]
    return "\n".join(lines)


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    about = figures["machine"]
    yield f"## Dateline beside others, {figures['events']:,} events\n"
    yield f"{about['processors']}, {about['system']}, Python {about['python']}, PostgreSQL {figures['postgresql']}."
    yield ", ".join(f"{name} {number}" for name, number in about["packages"].items()) + ".\n"
    way = _way(figures)
    yield (
        f"{way[0].upper()}{way[1:]} Processor time is that of all processes of the server, or of the "
        "database, for each answer; what the clients take is in neither. Bytes are those of an answer with its head; "
        "the memory is that of a server's largest process.\n"
    )
    yield from _targets(figures)
    heads = [head for head, *_ in _COLUMNS]
    yield f"\n| answer | of whom | {' | '.join(heads)} |"
    yield "|" + "---|" * (len(heads) + 2)
    for task, contestant, turns in _contests(figures["rates"]):
        cells = [_cell(turns, name, scale, form, brief=name != "per_second") for _, name, scale, form in _COLUMNS]
        yield f"| {task} | {contestant} | {' | '.join(cells)} |"
    if figures["left_out"]:
        yield f"\nLeft out: {'; '.join(figures['left_out'])}."
    yield f"\n| page | of the present/s | as known then/s | times as dear, at most {KNOWN_BOUND} |\n|---|---|---|---|"
    for task, dear in list_known(figures["known_at"]).items():
        rates = figures["known_at"][task]
        cells = [_cell(rates[name], "per_second", 1, ",.0f") for name in (PRESENT, PAST)]
        yield f"| {task} | {' | '.join(cells)} | {dear.written('.2f')} |"
    yield "\n| export | of whom | events/s | peak MB |\n|---|---|---|---|"
    for task, contestant, turns in _contests(figures["exports"]):
        peak = _cell(turns, "peak_bytes", 1e6, ",.0f", brief=True)
        wish = f", at most {EXPORT_LIMIT_BYTES / 1e6:.0f}" if contestant == OURS else ""
        yield f"| {task} | {contestant} | {_cell(turns, 'per_second', 1, ',.0f')} | {peak}{wish} |"
    yield "\n| dates | |\n|---|---|"
    for name, figure in dates.described(figures["dates"]):
        yield f"| {name} | {figure} |"


def _way(figures: Mapping[str, Any]) -> str:
    return (
        f"servers of {WORKERS} processes, {CONNECTIONS} connections ({MANY_CONNECTIONS} where it says so), client, "
        f"server and database on this one machine; medians of {figures['rounds']} turns of {figures['seconds']:g} s, "
        "taken by turns, least and most in brackets."
    )


def _targets(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "| ratio | measured | wanted | | by processor time |\n|---|---|---|---|---|"
    for held in list_held(figures):
        cells = [held.title, held.ratio.written(".2f"), held.wish, "met" if held.is_met else "missed"]
        cells.append("" if held.by_processor is None else f"{held.by_processor:.2f}")
        yield f"| {' | '.join(cells)} |"


def _contests(measured: Mapping[str, Mapping[str, Sequence[Figures]]]) -> Iterator[tuple[str, str, Sequence[Figures]]]:
    for task, rates in measured.items():
        for contestant, turns in rates.items():
            yield task, contestant, turns


def _cell(turns: Sequence[Figures], name: str, scale: float, form: str, *, brief: bool = False) -> str:
    if not turns or name not in turns[0]:
        return ""
    spread = Spread.of([one / scale for one in figures_of(turns, name)])
    return f"{spread.median:{form}}" if brief else spread.written(form)


if __name__ == "__main__":
    main()
