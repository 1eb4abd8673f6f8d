"""Fig. 4: the same network with one, two and three scales.

    python -m experiments.scales --data_dir=.../GOPRO_Large
    python -m experiments.scales --data_dir=data/demo --preset=demo

The first is the paper's recipe. Result: OUTPUT/scales.png (blurred, 1 scale, 2 scales, 3 scales,
sharp) and OUTPUT/scales.md. In the paper more scales restore more detail: 28.40 dB with one,
29.98 dB with three.

Time: the demo takes four minutes on two cores, two if the networks with one and three scales are
there from the ablation; the paper trained one network for three days on a GPU.

Networks found in --runs (by default those of the ablation), trained with the same flags, are used
as they are, the others are trained there. The same command goes on where it was stopped.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from experiments import runs
from srn_tf.common.cli import run
from srn_tf.common.files import written_beside
from srn_tf.common.flags import define
from srn_tf.network.variants import get_variant, slug

_GROUP = "Fig. 4"
RUNS = define(
    "runs",
    Path,
    "results/ablation/runs",
    "Folder of the run folders, one for each network.",
    group=_GROUP,
)
OUTPUT = define(
    "output", Path, "results/scales", "Folder of the picture and the table.", group=_GROUP
)
IMAGES = define(
    "images",
    list,
    None,
    "Test images to show, e.g. GOPR0384_11_00/000001. Default: three.",
    group=_GROUP,
)
runs.define_training_flags()

_THREE = get_variant("SR-EDRB3")
_TWO = dataclasses.replace(_THREE, name="SR-EDRB3 2 scales", scales=2, published=None)
NETWORKS = {"1 scale": get_variant("SS"), "2 scales": _TWO, "3 scales": _THREE}


def main() -> None:
    """Trains and scores what is not done yet, and writes picture and table."""
    from experiments.pictures import choose_images, write_strip
    from srn_tf.evaluation.benchmarks import PairedBenchmark
    from srn_tf.evaluation.scoring import run_output
    from srn_tf.evaluation.sources import prediction_path

    config, options = runs.configure()
    benchmark = PairedBenchmark(config.data_dir, "test", config.blur_subset)
    images = choose_images(benchmark, IMAGES.value)
    folders = {title: Path(RUNS.value) / slug(net.name) for title, net in NETWORKS.items()}
    rows = []
    for title, variant in NETWORKS.items():
        print(f"\n{title}: {variant.name}")
        summary = runs.train_and_evaluate(variant, config, options, folders[title], benchmark)
        rows.append((title, variant, summary))
    text = _table(rows)
    output = Path(OUTPUT.value)
    with written_beside(output / "scales.md") as temporary:
        temporary.write_text(text)
    outputs = {title: run_output(folder, benchmark.tag) for title, folder in folders.items()}
    write_strip(
        output / "scales.png",
        images,
        {title: partial(prediction_path, folder) for title, folder in outputs.items()},
    )
    print(f"{text}{output}/scales.png: written")


def _table(rows: list[tuple]) -> str:
    from srn_tf.evaluation.results import markdown_table, number

    header = ["scales", "network", "PSNR (dB)", "paper", "SSIM", "paper", "steps"]
    body = []
    for title, variant, summary in rows:
        mean, published = summary["mean"], variant.published
        body.append(
            [
                title,
                variant.name,
                number("psnr", mean["psnr"]),
                f"{published.psnr:.2f}" if published else "-",
                f"{mean['ssim_matlab']:.4f}",
                f"{published.ssim:.4f}" if published else "-",
                str(summary["step"]),
            ]
        )
    summary = rows[0][2]
    blurred = number("psnr", summary["baseline"]["psnr"])
    caption = (
        f"Fig. 4: means over {summary['images']} test images of {Path(summary['data_dir']).name} "
        f"({summary['blur_subset']}), blurred {blurred} dB, SSIM "
        f"{summary['baseline']['ssim_matlab']:.4f}; the paper's are of GoPro's 1111."
    )
    return f"{markdown_table(header, body)}\n\n{caption}\n"


if __name__ == "__main__":
    run(main)
