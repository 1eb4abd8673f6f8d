"""Fig. 4: the same network with one, two and three scales.

    python -m experiments.scales --data_dir=.../GOPRO_Large
    python -m experiments.scales --data_dir=data/demo --preset=demo

The first is the paper's recipe. Result: OUTPUT/scales.png (blurred, 1 scale, 2 scales, 3 scales,
sharp), scales.md and scales.csv. In the paper more scales restore more detail: 28.40 dB with one,
29.98 dB with three.

Time: the demo takes four minutes on two cores, two if the networks with one and three scales are
there from the ablation; the paper trained one network for three days on a GPU.

Networks found in --runs (by default those of the ablation), trained with the same flags, are used
as they are, the others are trained there. The same command resumes where it was stopped.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from absl import flags

from experiments import runs
from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags
from srn_tf.common.options import PathText
from srn_tf.network.variants import get_variant, slug

_THREE = get_variant("SR-EDRB3")
_TWO = dataclasses.replace(_THREE, name="SR-EDRB3 2 scales", scales=2, published=None)
NETWORKS = {"1 scale": get_variant("SS"), "2 scales": _TWO, "3 scales": _THREE}
HEADER = ("scales", "network", "PSNR (dB)", "PSNR (paper)", "SSIM", "SSIM (paper)", "steps")


def main() -> None:
    """Trains and scores what is not done yet, and writes picture and table."""
    from experiments.report import choose_images, scored_on, write_strip, write_tables
    from srn_tf.evaluation.results import rounded
    from srn_tf.evaluation.scoring import prediction_path, run_output

    config, options, data = runs.configure()
    output = Path(flags.FLAGS.output)
    images = choose_images(data, flags.FLAGS.images)
    rows, predictions = [], {}
    for title, variant in NETWORKS.items():
        print(f"\n{title}: {variant.name}")
        run_dir = Path(flags.FLAGS.runs) / slug(variant.name)
        summary = runs.train_and_evaluate(variant, config, options, run_dir, data)
        mean, paper = summary["mean"], variant.published
        scores = rounded("psnr", mean["psnr"]), f"{paper.psnr:.2f}" if paper else "-"
        scores += f"{mean['ssim_matlab']:.4f}", f"{paper.ssim:.4f}" if paper else "-"
        rows.append((title, variant.name, *scores, str(summary["step"])))
        predictions[title] = partial(prediction_path, run_output(run_dir, data.tag))
    caption = f"Fig. 4: {scored_on(summary)}; the paper's are of GoPro's 1111."
    text = write_tables(output, "scales", HEADER, rows, caption)
    write_strip(output / "scales.png", images, predictions)
    print(f"{text}{output}/scales.png: written")


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is made, beside the flags of training.

    Fig. 4:
      runs: Folder of the run folders, one for each network and recipe.
      output: Folder of the picture and the table.
      images: Test images to show, e.g. GOPR0384_11_00/000001. Default: three.
    """

    runs: PathText = "results/ablation/runs"
    output: PathText = "results/scales"
    images: list[str] | None = None


if __name__ == "__main__":
    define_flags(Flags)
    runs.define_training_flags()
    run(main)
