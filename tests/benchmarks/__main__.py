"""Print what runs how fast beside its references: `python -m tests.benchmarks [--json PATH] [kernel tick …]`."""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from tests.benchmarks import kernel, latency, sockets, tick

BENCHMARKS = {"kernel": kernel.rows, "tick": tick.rows, "latency": latency.rows, "sockets": sockets.rows}


def milliseconds(value):
    return "–" if value is None else f"{value:,.1f} ms"


def line(row):
    ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"
    same = {True: "same results", False: "RESULTS DIFFER", None: ""}[row["same_results"]]
    ours, theirs = milliseconds(row["figure_ms"]), milliseconds(row["reference_ms"])
    return f"{row['what']:<70}{ours:>12}  {row['reference']:<40}{theirs:>12}{ratio:>8}  {same}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the table here")
    parser.add_argument("only", nargs="*", choices=[[], *BENCHMARKS], help="run these alone")
    arguments = parser.parse_args()
    path = arguments.json
    table = []
    write = sys.stdout.write
    write(f"{'what':<70}{'figure':>12}  {'reference':<40}{'':>12}{'ratio':>8}\n")
    for name, benchmark in BENCHMARKS.items():
        for row in benchmark() if not arguments.only or name in arguments.only else ():
            table.append(row)
            write(line(row) + "\n")
    if path is not None:
        machine = {
            "cores": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        path.write_text(json.dumps({"machine": machine, "rows": table}, indent=1, ensure_ascii=False) + "\n")
    return 1 if any(row["same_results"] is False for row in table) else 0


if __name__ == "__main__":
    sys.exit(main())
