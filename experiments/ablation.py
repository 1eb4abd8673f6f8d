"""Table 1: trains the ten networks alike, scores each on the test split, and compares.

    python -m experiments.ablation --data_dir=.../GOPRO_Large
    python -m experiments.ablation --data_dir=data/demo --preset=demo

The first is the paper's recipe, the second `make ablation`. Result: OUTPUT/table1.md, table1.csv,
table1.png and the run folders OUTPUT/runs/*. With the paper's recipe PSNR and SSIM should come near
the paper's, which stand beside; the demo proves the protocol, not the ordering.

Time: the demo takes up to half an hour on two cores. The paper trained one network for three days
on a GPU; SR-Flat and SR-RB take about six times as long as the others.

The same command goes on where it was stopped; finished networks are not trained again. To spread
the work, give each machine its --variants, copy the OUTPUT folders together and run --report_only.
"""

from __future__ import annotations

from pathlib import Path

from experiments import runs
from srn_tf.common.cli import run
from srn_tf.common.errors import InputError
from srn_tf.common.flags import define
from srn_tf.network.variants import TABLE1, Variant, get_variant, slug

_GROUP = "Table 1"
OUTPUT = define(
    "output", Path, "results/ablation", "Folder of the table and of the runs.", group=_GROUP
)
VARIANTS = define(
    "variants",
    list,
    None,
    "Networks to train, with commas between, e.g. SS,wo-R. Default: all ten.",
    group=_GROUP,
)
REPORT_ONLY = define("report_only", bool, False, "Train nothing, make the table.", group=_GROUP)
runs.define_training_flags()


def main() -> None:
    """Trains and scores what is not done yet, and makes the table of what there is."""
    runs_dir = Path(OUTPUT.value) / "runs"
    variants = _chosen()
    from experiments.table1 import read_rows, write_table
    from srn_tf.evaluation.benchmarks import PairedBenchmark

    if not REPORT_ONLY.value:
        config, options = runs.configure()
        benchmark = PairedBenchmark(config.data_dir, "test", config.blur_subset)
        for number, variant in enumerate(variants, start=1):
            print(f"\n{variant.name}: network {number} of {len(variants)}")
            run_dir = runs_dir / slug(variant.name)
            runs.train_and_evaluate(variant, config, options, run_dir, benchmark)
    print(write_table(read_rows(runs_dir), Path(OUTPUT.value)))


def _chosen() -> list[Variant]:
    variants = [get_variant(name) for name in VARIANTS.value or []]
    for variant in variants:
        if variant not in TABLE1:
            names = ", ".join(known.name for known in TABLE1)
            raise InputError(f"{variant.name} is no row of Table 1: {names}")
    return variants or list(TABLE1)


if __name__ == "__main__":
    run(main)
