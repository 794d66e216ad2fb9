"""What changed in bench.json since the one that git has: times and ratios beyond the spread of both.

    python benchmarks/compare.py [--against COMMIT]    # without: HEAD, or where nothing changed since, the one before

A figure has changed where no reading of now lies among those of then.  Times compare machines as well as programs;
ratios to a peer, measured in turn, do not.  Never fails: it tells.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
from collections.abc import Iterator

from bench import JSON, PACKAGES
from machine import HERE, named, table

Figures = dict[tuple[str, str], list[float]]


def figures(result: dict) -> Figures:
    """Readings by (case, what)."""
    found: Figures = {}
    for section in ("speed", "growth"):
        for row in result.get(section, {}).get("rows", []):
            name = row["case"] if section == "speed" else f"growth, {row['axis']} {row['at']}"
            clock = "wall" if row.get("threads") == 2 else "cpu"
            unit = f"{clock}, {row.get('threads', 1)} thread(s)"
            for who, x in row["contenders"].items():
                found[name, f"{who}, ms {unit}"] = x[f"{clock}_ms"]
            for who, x in row["ratios"].items():
                found[name, f"ratio to {who}, {unit}"] = x[clock]
    for row in result.get("command", {}).get("rows", []):
        found[row["case"], "first, s"] = [row["first_s"]]
        found[row["case"], "then, s"] = row["cached_s"]
    for row in result.get("roofline", {}).get("rows", []):
        if "ms" in row:
            found[row["case"], "kernel, ms"] = row["ms"]
    return found


def changed(then: Figures, now: Figures) -> Iterator[list[str]]:
    """Rows of the table: what lies apart."""
    for key in now.keys() & then.keys():
        a, b = then[key], now[key]
        if min(len(a), len(b)) > 1 and (min(b) > max(a) or max(b) < min(a)):
            before, after = statistics.median(a), statistics.median(b)
            yield [*key, f"{before:.3g}", f"{after:.3g}", f"{after / before:.2f}"]


def committed(reference: str) -> dict:
    """bench.json of a commit; empty where that has none."""
    shown = subprocess.run(["git", "show", f"{reference}:./{JSON.name}"], capture_output=True, text=True, cwd=HERE)
    return json.loads(shown.stdout) if shown.returncode == 0 else {}


def reference() -> str:
    """HEAD, or the commit before the last that touched bench.json where the file is HEAD's."""
    if committed("HEAD") != json.loads(JSON.read_text()):
        return "HEAD"
    log = subprocess.run(["git", "log", "-2", "--format=%h", "--", JSON.name], capture_output=True, text=True, cwd=HERE)
    return (log.stdout.split() or ["HEAD"])[-1]


def facts(result: dict) -> dict:
    return next(iter(result.values()))["facts"] if result else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="COMMIT")
    args = parser.parse_args()
    if not JSON.exists():
        print(f"There is no {JSON.name}: `make bench` makes one.")
        return
    now, wanted = json.loads(JSON.read_text()), args.against or reference()
    then = committed(wanted)
    if not then:
        print(f"{wanted} has no {JSON.name} to compare with.")
        return
    for title, result in (("then", then), ("now ", now)):
        f = facts(result)
        print(f"{title}: {f['date']}, commit {f['commit']}, load {f['load']:.1f}; {named(f)}")
    if facts(then)["machine"] != facts(now)["machine"]:
        print("Another machine: ratios can be compared, times cannot.")
    moved = [p for p in PACKAGES if facts(then)["versions"].get(p) != facts(now)["versions"].get(p)]
    if moved:
        print("Other versions: " + ", ".join(moved))
    rows = sorted(changed(figures(then), figures(now)))
    print("\n".join(["", *table(["case", "what", "then", "now", "now / then"], rows)]))
    print(f"\n{len(rows)} of {len(figures(then).keys() & figures(now).keys())} figures lie beyond the spread of both.")


if __name__ == "__main__":
    main()
