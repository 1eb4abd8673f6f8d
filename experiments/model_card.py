"""What the starter weights gain, by strength of blur and under another camera: their model card.

    python -m experiments.model_card
    python -m experiments.model_card --run_dir=runs/mine --photographs=DIR,DIR

Nothing here was trained on: the demonstration's three test photographs under a quarter, half and
the whole of its shake, and not blurred; and the given photographs (by default the same three) under
another camera, written apart from the one that rendered the training data: smooth sub-pixel paths
of 4 to 20 pixels, 25 to 41 samples by bicubic interpolation, sums of light (sRGB's curve) and of
values by turns, sensor noise, JPEG of quality 80 to 95. The sharp image is the middle sample, as in
GoPro; then, of the same blur, what stands at the centre of the path, as RealBlur aligns its images.
Where a path bends, the two are some pixels apart, and the blur hardly tells how many.

Result: OUTPUT/model_card.md, .csv and .png (blurred, deblurred, sharp, with details).
Time: three minutes on two cores.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from srn_tf.common.cli import run
from srn_tf.common.flags import define_flags
from srn_tf.common.options import PathText
from srn_tf.common.start import start_tensorflow

STRENGTHS = {"a quarter of the shake": 0.25, "half of it": 0.5, "the whole": 1.0}
NOT_BLURRED, OTHER, CENTRED = "not blurred", "another camera", "another camera, centred"
SIZE, VIEWS = (256, 320), 3  # of an image in pixels; of each photograph
PATH_LENGTH, SAMPLES = (4, 20), (25, 41)
NOISE, QUALITY = (0.5, 2.5), (80, 95)  # gray levels; JPEG
HEADER = ("test set", "images", "blurred (dB)", "deblurred (dB)", "gain (dB)", "worst gain (dB)")

Example = tuple[np.ndarray, np.ndarray]  # blurred and sharp, uint8 [H, W, 3]


def main() -> None:
    """Renders, deblurs and scores, and writes the table and the picture."""
    start_tensorflow()
    from experiments.report import write_tables
    from srn_tf.common.progress import progress
    from srn_tf.inference import Deblurrer
    from srn_tf.media.images import write_image
    from srn_tf.training.report import stack_rows, with_detail
    from srn_tf.weights.run_folder import load_model

    run_dir, output = flags.FLAGS.run_dir, Path(flags.FLAGS.output)
    model = load_model(run_dir)
    deblurrer = Deblurrer(model)
    rows, strips = [], []
    for name, examples in groups():
        done = [
            (blurred, deblurrer(blurred), sharp)
            for blurred, sharp in progress(list(examples), name)
        ]
        rows.append((name, *_scores(done)))
        strips.append(with_detail(*done[len(done) // 2]))
    caption = (
        f"{run_dir}: {model.variant.name} after {model.restored_step} steps; means over "
        "rendered images of photographs that no training saw. These are no GoPro scores."
    )
    print(write_tables(output, "model_card", HEADER, rows, caption), end="")
    write_image(output / "model_card.png", stack_rows(strips))


def _scores(done: list[tuple[np.ndarray, ...]]) -> tuple[str, ...]:
    """The columns of HEADER after the first. An image that is not blurred has no gain."""
    from srn_tf.evaluation.metrics import psnr

    before, after = (np.array([psnr(each[i], each[2]) for each in done]) for i in (0, 1))
    if np.isinf(before).any():
        return str(len(done)), "-", f"{after.mean():.2f}", "-", "-"
    gain = after - before
    means = (f"{before.mean():.2f}", f"{after.mean():.2f}", f"{gain.mean():+.2f}")
    return (str(len(done)), *means, f"{gain.min():+.2f}")


def groups() -> Iterator[tuple[str, Iterator[Example]]]:
    """The rows of the table with their images."""
    from data_tools.scenes import PHOTOGRAPHS as NAMES
    from data_tools.scenes import load_photograph
    from data_tools.starter_pairs import photographs_in, read_photograph

    demo = [load_photograph(name) for name in NAMES["test"]]
    for name, strength in STRENGTHS.items():
        yield name, shaken(demo, strength)
    yield NOT_BLURRED, ((sharp, sharp) for _, sharp in shaken(demo, 1.0))
    folders = [Path(folder).expanduser() for folder in flags.FLAGS.photographs]
    others = [read_photograph(path) for path in photographs_in(folders)]
    yield OTHER, seen_otherwise(others or demo)
    yield CENTRED, seen_otherwise(others or demo, centred=True)


def shaken(photographs: list[np.ndarray], strength: float) -> Iterator[Example]:
    """Views of uint8 photographs under the demonstration's shake, `strength` times as long."""
    from data_tools import rendering, scenes

    for i, photograph in enumerate(photographs):
        for k in range(VIEWS):
            generator = np.random.default_rng([77, i, k])
            view = scenes.random_view(photograph, SIZE, generator)
            window = scenes.WINDOWS[(i + k) % len(scenes.WINDOWS)]
            poses = strength * scenes.shake_path(window, generator)
            frames = scenes.render_frames(view, poses)
            yield rendering.mean_of_values(frames), rendering.middle_frame(frames)


def seen_otherwise(photographs: list[np.ndarray], *, centred: bool = False) -> Iterator[Example]:
    """Two parts of each uint8 photograph under the other camera, one a sum of light."""
    for i, photograph in enumerate(photographs):
        for is_light in (False, True):
            generator = np.random.default_rng([99, i, is_light])
            yield _other_camera(photograph, is_light, centred, generator)


def _other_camera(
    photograph: np.ndarray, is_light: bool, centred: bool, generator: np.random.Generator
) -> Example:
    sides = [min(*pair) for pair in zip(SIZE, photograph.shape)]
    # Of six places the one with the most detail: a sky would say nothing.
    places = [
        [generator.integers(room - side + 1) for room, side in zip(photograph.shape, sides)]
        for _ in range(6)
    ]
    parts = [photograph[y : y + sides[0], x : x + sides[1]] for y, x in places]
    detail = [np.abs(np.diff(part.astype(float), axis=1)).mean() for part in parts]
    (top, left), sharp = max(zip(detail, places, parts), key=lambda each: each[0])[1:]
    values = photograph.astype(np.float32) / 255
    values = _light(values) if is_light else values
    down, right = np.mgrid[top : top + sides[0], left : left + sides[1]].astype(np.float32)
    samples = smooth_path(generator)
    if centred:
        samples -= samples.mean(axis=0)
    total = sum(
        np.clip(
            cv2.remap(values, right + x, down + y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
            0,
            1,
        )
        for x, y in samples
    )
    blurred = _values(total / len(samples)) if is_light else total / len(samples)
    spread = generator.uniform(*NOISE) / 255 * (0.5 + blurred)
    noisy = blurred + spread * generator.normal(size=blurred.shape)
    image = np.rint(255 * np.clip(noisy, 0, 1)).astype(np.uint8)
    quality = int(generator.integers(QUALITY[0], QUALITY[1] + 1))
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]), sharp


def smooth_path(generator: np.random.Generator) -> np.ndarray:
    """Shifts `[N, 2]` in pixels: a drift and three slow waves, the middle one zero."""
    time = np.linspace(
        -0.5, 0.5, 2 * int(generator.integers(SAMPLES[0] // 2, SAMPLES[1] // 2 + 1)) + 1
    )
    path = np.outer(time, generator.normal(size=2))
    for frequency in (0.5, 1, 1.5):
        turns = 2 * np.pi * frequency * time
        waves = np.outer(np.sin(turns), generator.normal(size=2))
        waves += np.outer(np.cos(turns), generator.normal(size=2))
        path += 0.35 / frequency * waves
    path *= generator.uniform(*PATH_LENGTH) / np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    return (path - path[len(path) // 2]).astype(np.float32)


def _light(values: np.ndarray) -> np.ndarray:
    """sRGB's curve, IEC 61966-2-1, from values to light in [0, 1]."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _values(light: np.ndarray) -> np.ndarray:
    """Its inverse."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@dataclasses.dataclass(frozen=True)
class Flags:
    """What is scored.

    Scores of the starter weights:
      run_dir: Run folder with the weights.
      photographs: Folders of sharp photographs for the other camera. Default: the demonstration's.
      output: Folder to write.
    """

    run_dir: PathText = "starter"
    photographs: list[str] = ()
    output: PathText = "results/model_card"


if __name__ == "__main__":
    define_flags(Flags)
    run(main)
