#!/usr/bin/env python3
"""What runs of the programs reached on test, as a Markdown table; `run.sh` calls it.

    table.py OUT "1 2 3" NAME…      OUT holds a run `NAME-SEED` for each name and seed
    table.py --names                the programs that have a row below
"""

import json
import statistics
import sys
from pathlib import Path

# The figures of each program that docs/results.md shows; of other programs all figures are.
FIGURES = {
    "slot_gated": ["slots.span_f1", "intent.accuracy", "sentence"],
    "co_interactive": ["slots.span_f1", "intent.accuracy", "sentence"],
    "gl_gin": ["slots.span_f1", "intents.accuracy", "sentence"],
    "head_selection": ["entities.span_f1", "relations.strict_f1"],
    "conll04": ["entities.span_f1", "heads.strict_f1", "pairs.strict_f1", "tags.strict_f1"],
    "ewt": ["pos.accuracy", "tree.uas", "tree.las"],
    "many_task": ["related.pearson", "entails.accuracy"],
    "lm_auxiliary": ["chunk.span_f1"],
    "cross_view": ["chunk.span_f1"],
    "cross_view_single": ["chunk.span_f1"],
    "question_types": ["coarse.accuracy", "fine.accuracy"],
    "question_types_single": ["coarse.accuracy", "fine.accuracy"],
    "dual_attention": ["emotions.micro_f1", "sentiment.accuracy"],
    "dual_attention_single": ["emotions.micro_f1", "sentiment.accuracy"],
    "question_teacher": ["kind.accuracy"],
    "half_size": ["student.accuracy"],
    "reviews_single": ["sentiment.accuracy"],
    "reviews_uniform": ["sentiment.accuracy"],
    "reviews_coupled": ["sentiment.accuracy"],
    "reviews_shared": ["sentiment.accuracy"],
    "reviews_cross_stitch": ["sentiment.accuracy"],
    "reviews_experts": ["sentiment.accuracy"],
    "reviews_sluice": ["sentiment.accuracy"],
    "reviews_hard": ["sentiment.accuracy"],
    "reviews_private": ["sentiment.accuracy"],
    "reviews_adversarial": ["sentiment.accuracy"],
    "reviews_gated": ["sentiment.accuracy"],
    "reviews_minmax": ["sentiment.accuracy"],
    "cutoff": ["coarse.accuracy"],
    "passages": ["retrieve.accuracy", "retrieve.mrr"],
    "dialogue_acts": ["act.accuracy", "emotion.accuracy"],
    "query_ranking": ["kind.accuracy", "answer.accuracy", "answer.mrr"],
}


def flat(results, path=""):
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    if not isinstance(results, dict):
        return {path: results}
    pairs = [flat(value, f"{path}.{key}" if path else key) for key, value in results.items()]
    return {key: value for pair in pairs for key, value in pair.items()}


def value(run, figure):
    """A figure of a run; of a family of tasks the mean of its members'."""
    if figure in run:
        return run[figure]
    task, metric = figure.split(".")
    members = [x for name, x in run.items() if name.startswith(task + ".") and name.endswith("." + metric)]
    return statistics.mean(members)


def row(out, seeds, name, figure):
    """A row of the table: the figure at each seed, its mean and its standard deviation."""
    runs = [flat(json.loads((out / f"{name}-{seed}" / "results.json").read_text())) for seed in seeds]
    values = [value(run, figure) for run in runs]
    shown = [f"{100 * value:.1f}" for value in values]
    spread = f"{100 * statistics.stdev(values):.1f}" if len(values) > 1 else "–"
    return [name, figure, *shown, f"**{100 * statistics.mean(values):.1f}**", spread]


def figures(out, seed, name):
    every = flat(json.loads((out / f"{name}-{seed}" / "results.json").read_text()))
    return FIGURES.get(name) or [figure for figure in every if not figure.endswith("loss")]


def seconds(out, seeds, name):
    found = [out / f"{name}-{seed}" / "seconds" for seed in seeds]
    times = [int(path.read_text()) for path in found if path.exists()]
    return f"{statistics.mean(times):.0f} s" if times else "–"


def main():
    if sys.argv[1:] == ["--names"]:
        print("\n".join(FIGURES))
        return
    out, seeds, names = Path(sys.argv[1]), sys.argv[2].split(), sys.argv[3:]
    head = ["program", "on test", *(f"seed {seed}" for seed in seeds), "mean", "spread", "time a seed"]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for name in names:
        for figure in figures(out, seeds[0], name):
            print("| " + " | ".join([*row(out, seeds, name, figure), seconds(out, seeds, name)]) + " |")


if __name__ == "__main__":
    main()
