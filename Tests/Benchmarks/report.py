#!/usr/bin/env python3
"""Pairs to a summary, a plot and a table: report.py RESULTS [PAGE SUMMARY PLOT]

The page's part between two markers is replaced; nothing else there is touched. Without a page the table is printed.
"""

import json
import pathlib
import statistics
import sys

from bench_peers import MOST_OTHERS

PRECISIONS = ["float32", "bfloat16", "int8"]
MARKERS = ("<!-- bench-peers -->\n", "<!-- /bench-peers -->\n")
LEAST_PAIRS = 1


def summarize(lines):
    """A row a model, precision, shape and peer with enough clean pairs: ratios and shares of peak.

    Of the mixed shape a peer's better way counts, in the order given or sorted, a pair at a time.
    """
    groups = {}
    for line in lines:
        if line["others"] > MOST_OTHERS:
            continue
        for shape, ours in line["ours"].items():
            ways = [line["theirs"].get(shape), line["theirs"].get(shape + ", sorted")]
            seconds = min((way for way in ways if way is not None), default=None)
            if seconds is None:
                continue
            group = (line["model"], line["threads"], line["precision"], shape, line["peer"])
            groups.setdefault(group, []).append((seconds, ours))
    return [row(group, pairs) for group, pairs in groups.items() if len(pairs) >= LEAST_PAIRS]


def row(group, pairs):
    names = ("model", "threads", "precision", "shape", "peer")
    ratios = [theirs / ours["seconds"] for theirs, ours in pairs]
    peaks = [
        (ours["flops"] * ours["seconds"] / theirs / ours["peak_flops"], ours["share"])
        for theirs, ours in pairs
    ]
    return {
        **dict(zip(names, group)),
        "pairs": len(pairs),
        "ratio": statistics.median(ratios),
        "least": min(ratios),
        "most": max(ratios),
        "their_share": statistics.median(theirs for theirs, _ in peaks),
        "our_share": statistics.median(ours for _, ours in peaks),
    }


def best_peers(rows):
    """(model, precision, shape) → the row of the fastest peer, which has the least ratio."""
    best = {}
    for each in rows:
        key = (each["model"], each["precision"], each["shape"])
        if key not in best or each["ratio"] < best[key]["ratio"]:
            best[key] = each
    return best


def table(rows):
    """Lines of Markdown: how many times as fast as the best peer, least to most, and who it is."""
    best = best_peers(rows)
    precisions = [each for each in PRECISIONS if any(key[1] == each for key in best)]
    lines = [
        "| | " + " | ".join(precisions) + " |",
        "|---|" + "---|" * len(precisions),
    ]
    for model, shape in dict.fromkeys((key[0], key[2]) for key in best):
        cells = [cell(best.get((model, precision, shape))) for precision in precisions]
        lines.append(f"| {model}, {shape} | " + " | ".join(cells) + " |")
    return lines


def cell(best):
    if best is None:
        return "–"
    spread = f"{best['least']:.2f} to {best['most']:.2f}"
    return f"{best['ratio']:.2f} × {best['peer']} ({spread}); {best['our_share']:.0%} of peak"


def section(rows, plot):
    least, most = (pick(each["pairs"] for each in rows) for pick in (min, max))
    threads = ", ".join(str(each) for each in sorted({each["threads"] for each in rows}))
    return "\n".join(
        [
            f"**Beside the peers** (`make bench-peers`, threads: {threads}): how many times as",
            "fast as the fastest of them at that precision, in turns, median (min to max) of",
            f"{least} to {most} pairs. A peer gets the mixed texts in batches of 32, sorted by length.",
            "",
            *table(rows),
            "",
            f"![Share of the machine's peak, ours and the peers']({plot})",
            "",
        ]
    )


def with_section(page, text):
    """The page with the part between the markers replaced."""
    start, end = MARKERS
    before, first, rest = page.partition(start)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise SystemExit(f"report.py: the page does not have {start.strip()} and {end.strip()}")
    return before + start + text + end + after


def draw(rows, path):
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "bert-server"  # the same file of the same numbers
    import matplotlib.pyplot as pyplot

    panels = list(dict.fromkeys((each["model"], each["precision"]) for each in rows))
    figure, axes = pyplot.subplots(
        len(panels), 1, figsize=(9, 2.6 * len(panels)), squeeze=False, layout="constrained"
    )
    for (model, precision), axis in zip(panels, axes[:, 0]):
        here = [each for each in rows if (each["model"], each["precision"]) == (model, precision)]
        shapes = list(dict.fromkeys(each["shape"] for each in here))
        peers = list(dict.fromkeys(each["peer"] for each in here))
        width = 0.8 / (len(peers) + 1)
        for position, peer in enumerate(["bert-server", *peers]):
            shares = {
                each["shape"]: each["our_share" if peer == "bert-server" else "their_share"]
                for each in here
                if peer in (each["peer"], "bert-server")
            }
            places = [shapes.index(shape) + position * width for shape in shares]
            axis.bar(places, [100 * value for value in shares.values()], width, label=peer)
        axis.set_xticks([place + 0.4 - width / 2 for place in range(len(shapes))], shapes)
        axis.set(title=f"{model}, {precision}", ylabel="% of peak", ylim=(0, 100))
        axis.legend(ncols=5, fontsize="small")
    figure.savefig(path, metadata={"Date": None})


def main(results, page=None, summary=None, plot=None):
    rows = summarize(json.loads(line) for line in results.read_text().splitlines())
    if not rows:
        raise SystemExit(f"report.py: no figure in {results} has {LEAST_PAIRS} clean pairs yet")
    if page is None:
        return print(*table(rows), sep="\n")
    rounded = [
        {key: round(value, 4) if isinstance(value, float) else value for key, value in each.items()}
        for each in rows
    ]
    summary.parent.mkdir(parents=True, exist_ok=True)
    summary.write_text("".join(json.dumps(each) + "\n" for each in rounded))
    draw(rows, plot)
    page.write_text(with_section(page.read_text(), section(rows, plot.name)))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
