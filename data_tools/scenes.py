"""How the demonstration data is made: photographs under a moving camera, rendered.

The photographs come with scikit-image, nothing is downloaded; training and test use different ones.
For every pair a camera moves while it takes 7 to 13 sharp frames, which `data_tools.rendering`
averages. The `yy` of a sequence `GOPRxxxx_yy_00` is the number of frames, as in GoPro; `xxxx`
counts the photographs. The scene is flat: no parallax, and nothing in it moves on its own.

Two cameras are there. "pan" sweeps nearly level and straight by a few pixels: ten minutes on two
cores suffice to undo that so that a person sees it. "shake" moves along a smooth random path
(translation, roll, slight zoom), as a hand does: a harder task by far.

Training photographs are turned, mirrored, scaled and recoloured before rendering, so that the blur
stays that of light: a network that has met few colours shifts the brightness of new ones. Test
photographs keep orientation and colours. Lengths are pixels of the rendered image.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from data_tools.rendering import SUBSETS, is_rendered, render_folder, write_pair

# Names in `skimage.data`. Its `clock`, `cell` and `text` are left out: they are not sharp.
PHOTOGRAPHS = {
    "train": (
        "stereo_motorcycle",
        "rocket",
        "chelsea",
        "immunohistochemistry",
        "coins",
        "retina",
        "brick",
        "hubble_deep_field",
        "gravel",
        "page",
        "grass",
        "moon",
    ),
    "test": ("astronaut", "coffee", "camera"),
}
WINDOWS = (7, 9, 11, 13)  # frames averaged, in turn
MARGIN = 24  # what the camera may see beyond the middle frame; further out the scene is mirrored
SHAKE_SPEED = (1.2, 2.4)  # how far the image centre travels from frame to frame, on average
ROLL = 0.012  # radians; standard deviation between two of the path's control points
ZOOM = 0.003  # relative; likewise
PAN_LENGTH = (5, 12)  # from the first frame to the last
PAN_SLOPE = 0.15  # radians; standard deviation from the horizontal
LARGEST_SCALE = 1.3  # a photograph enlarged further would no longer be sharp
SETTINGS_FILE = "demo.json"


def make_demo(
    output: str | Path,
    *,
    camera: str = "pan",
    seed: int = 0,
    train_pairs: int = 240,
    test_pairs: int = 9,
    height: int = 256,
    width: int = 320,
    overwrite: bool = False,
) -> bool:
    """Makes `output/{train,test}/GOPRxxxx_yy_00/{blur,blur_gamma,sharp}/NNNNNN.png`.

    Every pair is a function of the seed, its split and its number alone. The folder appears whole
    or not at all. Returns False when `output` already holds exactly this data.

    Args:
      camera: a key of `CAMERAS`.
      seed: non-negative.
      train_pairs, test_pairs: shared evenly among the photographs of the split.
      height, width: of the images, in pixels.
      overwrite: whether to replace a folder that holds anything else.

    Raises:
      InputError: `output` holds anything else.
    """
    counts = {"train": train_pairs, "test": test_pairs}
    output = Path(output)
    settings = {"camera": {"kind": camera, **CAMERAS[camera].settings}}
    settings |= {"seed": seed, "pairs": counts, "height": height, "width": width}
    settings["photographs"] = {split: list(names) for split, names in PHOTOGRAPHS.items()}
    images = len(SUBSETS) * sum(counts.values())
    if is_rendered(output / SETTINGS_FILE, settings, images, overwrite):
        return False
    photographs = {
        split: [load_photograph(name) for name in names] for split, names in PHOTOGRAPHS.items()
    }

    def render(folder: Path, job: tuple[str, int]) -> None:
        split, number = job
        _render_pair(folder / split, photographs, split, number, (height, width), camera, seed)

    jobs = [(split, number) for split, count in counts.items() for number in range(count)]
    render_folder(output / SETTINGS_FILE, settings, jobs, render)
    return True


def load_photograph(name: str) -> np.ndarray:
    """A photograph of PHOTOGRAPHS, uint8 `[H, W, 3]`."""
    import skimage.data

    photograph = getattr(skimage.data, name)()
    if name == "stereo_motorcycle":
        photograph = photograph[0]  # left view, right view, disparity
    return photograph if photograph.ndim == 3 else np.dstack([photograph] * 3)


def _render_pair(
    folder: Path,
    photographs: dict[str, list[np.ndarray]],
    split: str,
    number: int,
    size: tuple[int, int],
    camera: str,
    seed: int,
) -> None:
    generator = np.random.default_rng([seed, list(photographs).index(split), number])
    take, index = divmod(number, len(photographs[split]))
    photograph = photographs[split][index]
    if split == "train":
        view = recolour(random_view(turn(photograph, generator), size, generator), generator)
    else:
        view = random_view(photograph, size, generator)
    window = WINDOWS[(take + index) % len(WINDOWS)]
    frames = render_frames(view, CAMERAS[camera].path(window, generator))
    code = index + 1 + (100 if split == "test" else 0)
    write_pair(folder / f"GOPR{code:04d}_{window:02d}_00", f"{take + 1:06d}", frames)


def turn(photograph: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random one of the eight right-angled orientations and mirrorings."""
    turned = np.rot90(photograph, generator.integers(4))
    return turned[:, ::-1] if generator.random() < 0.5 else turned


def recolour(photograph: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Random hue, channel order, tone curve per channel, contrast and sign; uint8 in and out."""
    colours = photograph / 255.0
    gray_axis = np.ones(3) / np.sqrt(3)
    hue = Rotation.from_rotvec(generator.uniform(0, 2 * np.pi) * gray_axis).as_matrix()
    colours = np.clip(colours @ hue.T, 0, 1)[..., generator.permutation(3)]
    colours = colours ** (2.0 ** (generator.uniform(-0.7, 0.7) + generator.uniform(-0.4, 0.4, 3)))
    dark = generator.uniform(-0.1, 0.2) + generator.uniform(-0.1, 0.1, 3)
    bright = generator.uniform(0.8, 1.1) + generator.uniform(-0.1, 0.1, 3)
    if generator.random() < 0.3:
        dark, bright = bright, dark
    return np.rint(255 * np.clip(dark + (bright - dark) * colours, 0, 1)).astype(np.uint8)


def random_view(
    photograph: np.ndarray, size: tuple[int, int], generator: np.random.Generator
) -> np.ndarray:
    """What the camera may see: a random part of the photograph, shrunk by a random factor.

    Returns uint8 `[H + 2 MARGIN, W + 2 MARGIN, 3]` for a `size` of (H, W). A photograph that is too
    small is enlarged up to `LARGEST_SCALE` and then mirrored at its edges.
    """
    seen = np.array(size) + 2 * MARGIN
    smallest = (seen / photograph.shape[:2]).max()
    scale = min(max(smallest, smallest ** generator.random()), LARGEST_SCALE)
    scaled = np.maximum(np.rint(scale * np.array(photograph.shape[:2])).astype(int), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    photograph = cv2.resize(
        np.ascontiguousarray(photograph), tuple(scaled[::-1].tolist()), interpolation=method
    )
    missing = np.maximum(seen - scaled, 0)
    photograph = np.pad(
        photograph, [(m // 2, m - m // 2) for m in missing] + [(0, 0)], mode="symmetric"
    )
    top, left = (generator.integers(room + 1) for room in photograph.shape[:2] - seen)
    return photograph[top : top + seen[0], left : left + seen[1]]


def shake_path(frames: int, generator: np.random.Generator) -> np.ndarray:
    """Camera poses `[frames, 4]`: shift right and down in pixels, roll in radians, log of zoom.

    A cubic spline through four points of a random walk that keeps some of its direction; the middle
    frame has the pose zero, and the image centre travels at a random mean speed from SHAKE_SPEED.
    """
    drift = generator.normal(size=2)
    steps = generator.normal(size=(3, 4))
    steps[:, :2] += 1.5 * drift / np.linalg.norm(drift)
    steps[:, 2:] *= (ROLL, ZOOM)
    spline = CubicSpline(np.linspace(0, 1, 4), np.vstack([np.zeros(4), steps.cumsum(axis=0)]))
    poses = spline(np.linspace(0, 1, frames))
    speed = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=1).mean()
    poses[:, :2] *= generator.uniform(*SHAKE_SPEED) / speed
    return poses - poses[frames // 2]


def pan_path(frames: int, generator: np.random.Generator) -> np.ndarray:
    """Camera poses as `shake_path` returns them, on a straight line and at a constant speed.

    The line is level but for a random slope, its length random within PAN_LENGTH.
    """
    length, slope = generator.uniform(*PAN_LENGTH), generator.normal(0, PAN_SLOPE)
    poses = np.zeros((frames, 4))
    direction = np.array([np.cos(slope), np.sin(slope)])
    poses[:, :2] = np.linspace(-length / 2, length / 2, frames)[:, None] * direction
    return poses


class Camera(NamedTuple):
    """How a camera moves, and the numbers behind that, which data made with it record."""

    path: Callable[[int, np.random.Generator], np.ndarray]
    settings: dict


CAMERAS = {
    "pan": Camera(pan_path, {"length": list(PAN_LENGTH), "slope": PAN_SLOPE}),
    "shake": Camera(shake_path, {"speed": list(SHAKE_SPEED), "roll": ROLL, "zoom": ZOOM}),
}


def transforms(poses: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Matrices `[N, 2, 3]` from (x, y, 1) of an image of size (H, W) to (x, y) of the view."""
    height, width = size
    right, down, roll, zoom = poses.T
    # Output pixel p samples the view at centre_in + R (p - centre_out) / zoom + shift.
    cosine, sine = np.exp(-zoom) * (np.cos(roll), np.sin(roll))
    x, y = (width - 1) / 2, (height - 1) / 2
    across = (cosine, -sine, x + MARGIN + right - cosine * x + sine * y)
    downwards = (sine, cosine, y + MARGIN + down - sine * x - cosine * y)
    return np.stack([*across, *downwards], axis=1).reshape(-1, 2, 3)


def render_frames(view: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """The 8-bit frames that a camera takes of a flat scene.

    Args:
      view: uint8 `[H + 2 MARGIN, W + 2 MARGIN, 3]`.
      poses: `[N, 4]` as `shake_path` returns them.

    Returns:
      uint8 `[N, H, W, 3]`; a pose of zero gives the inner part of the view unchanged.
    """
    import tensorflow as tf  # here, because it takes seconds

    height, width = (side - 2 * MARGIN for side in view.shape[:2])
    rows = transforms(poses, (height, width)).reshape(-1, 6)
    # On the CPU always, so that the same seed gives the same bytes on a machine with a GPU.
    with tf.device("/CPU:0"):
        views = tf.repeat(tf.constant(view[None], tf.float32), len(poses), axis=0)
        frames = _transformed(
            views, tf.constant(np.pad(rows, [(0, 0), (0, 2)]), tf.float32), (height, width)
        )
    return np.rint(frames.numpy()).astype(np.uint8)


def _transformed(images, transforms, size: tuple[int, int]):
    """Samples float32 `[N, H, W, C]` bilinearly, mirrored at its edges, by `[N, 8]` projections.

    TensorFlow Addons is installed with TensorFlow 2.15 alone; elsewhere the operator that it calls
    is called here, which gives the same bits.
    """
    if importlib.util.find_spec("tensorflow_addons"):
        warnings.filterwarnings("ignore", module="tensorflow_addons")  # its end of life, at length
        import tensorflow_addons as tfa

        return tfa.image.transform(
            images,
            transforms,
            interpolation="bilinear",  # the default is nearest
            fill_mode="reflect",
            output_shape=size,
        )
    import tensorflow as tf

    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
