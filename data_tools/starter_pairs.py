"""Training pairs for the starter weights: sharp photographs under moving cameras.

Each pair is the mean of 7 to 13 views (some exposed more densely) along a path of 1 to 35 pixels,
as in GoPro, and the middle view; the mean is of values or of light. In a share of the scenes a
nearer layer moves farther than the background, or an object moves on a path of its own. Some
cameras stand still, so that sharp photographs stay sharp; some blurred images carry sensor noise
or were JPEGs. `python -m experiments.starter` trains on them. The layout is GoPro's, flattened:
`OUTPUT/train/{blur,sharp}/NNNNNN.png`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from data_tools.cameras import Layer, as_taken, camera_path, expose
from data_tools.rendering import GAMMA, is_rendered, render_folder
from data_tools.scenes import MARGIN, random_view, recolour, turn
from srn_tf.common.errors import InputError
from srn_tf.media.images import is_image, read_rgb, write_image

LONGEST_SIDE = 1600  # photographs are shrunk to this: few are sharp at full size
SUBSETS = ("blur", "sharp")
SETTINGS_FILE = "starter.json"
# Shares of the pairs: of these colours, of these scenes, with the mean taken of light, with noise
# and (each for itself) from JPEGs, standing still.
RECOLOURED, GRAY = 0.2, 0.03
LAYERED, MOVING, DRAWN = 0.3, 0.3, 0.03
LIGHT, NOISY, STILL = 0.4, 0.3, 0.05
NEARER = (1.2, 2.5)  # how much farther than the background a nearer layer moves
ENOUGH_DETAIL, TRIES = 12, 6  # mean absolute Laplacian in gray levels; views tried for it


def make_starter(
    photographs: list[str | Path],
    output: str | Path,
    *,
    pairs: int,
    size: int,
    seed: int = 0,
    overwrite: bool = False,
) -> bool:
    """Makes `output/train/{blur,sharp}/NNNNNN.png`, from the photographs in turn.

    Every pair is a function of the photographs, the seed and its number alone. The folder appears
    whole or not at all. Returns False when `output` already holds exactly this data.

    Args:
      photographs: folders; files in them that are no images are passed over.
      seed: non-negative.
      size: side of the square images, in pixels.
      overwrite: whether to replace a folder that holds anything else.

    Raises:
      InputError: a folder holds no image or an unreadable one, or `output` holds anything else.
    """
    files = photographs_in(photographs)
    sizes = [[f"{path.parent.name}/{path.name}", path.stat().st_size] for path in files]
    settings = {"seed": seed, "pairs": pairs, "size": size, "photographs": sizes}
    settings_file = Path(output) / SETTINGS_FILE
    if is_rendered(settings_file, settings, len(SUBSETS) * pairs, overwrite):
        return False
    scenes = [read_photograph(path) for path in files]

    def render(folder: Path, number: int) -> None:
        generator = np.random.default_rng([seed, number])
        images = render_pair(scenes, number % len(scenes), size, generator)
        for subset, image in zip(SUBSETS, images):
            write_image(folder / "train" / subset / f"{number:06d}.png", image)

    render_folder(settings_file, settings, range(pairs), render)
    return True


def photographs_in(folders: list[str | Path]) -> list[Path]:
    """The images in some folders; InputError for a folder without any."""
    files = []
    for folder in map(Path, folders):
        found = (
            sorted(path for path in folder.iterdir() if is_image(path)) if folder.is_dir() else []
        )
        if not found:
            raise InputError(f"{folder} is not a folder with photographs")
        files += found
    return files


def read_photograph(path: Path) -> np.ndarray:
    """A photograph, uint8 `[H, W, 3]`, shrunk to LONGEST_SIDE where it is larger."""
    photograph = read_rgb(path)
    height, width = photograph.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return photograph
    size = (max(round(scale * width), 1), max(round(scale * height), 1))
    return cv2.resize(photograph, size, interpolation=cv2.INTER_AREA)


def render_pair(
    scenes: list[np.ndarray], index: int, side: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The blurred and the sharp image, uint8 `[side, side, 3]`, of scene `index`."""
    size = (side, side)
    view = _view(scenes[index], size, generator)
    if generator.random() < DRAWN:
        view = drawing(view, generator)
    if generator.random() < RECOLOURED:
        view = recolour(view, generator)
    elif generator.random() < GRAY:
        view = np.repeat(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    if generator.random() < STILL:
        sharp = view[MARGIN:-MARGIN, MARGIN:-MARGIN]
        return as_taken(sharp / 255, NOISY, generator), sharp

    gamma = generator.uniform(GAMMA - 0.2, GAMMA + 0.2) if generator.random() < LIGHT else 1.0
    poses = camera_path(generator)
    layers = [_layer(view, np.ones(view.shape[:2]), gamma, poses)]
    nearer = []
    if generator.random() < LAYERED:
        nearer.append(poses * generator.uniform(*NEARER))
    if generator.random() < MOVING:
        nearer.append(camera_path(generator, len(poses)))
    for own_poses in nearer:
        other = _view(scenes[generator.integers(len(scenes))], size, generator)
        layers.append(_layer(other, _outline(other.shape[:2], generator), gamma, own_poses))
    middle, samples = len(poses) // 2, range(len(poses))
    sharp, blurred = (expose(layers, taken, size) ** (1 / gamma) for taken in ([middle], samples))
    return as_taken(blurred, NOISY, generator), np.rint(255 * sharp).astype(np.uint8)


def _view(scene: np.ndarray, size: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """The first of a few random views that has enough detail, or that with most."""
    views = []
    for _ in range(TRIES):
        view = random_view(turn(scene, generator), size, generator)
        gray = cv2.cvtColor(np.ascontiguousarray(view), cv2.COLOR_RGB2GRAY)
        views.append((np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean(), view))
        if views[-1][0] >= ENOUGH_DETAIL:
            break
    return max(views, key=lambda scored: scored[0])[1]


def _layer(view: np.ndarray, opacity: np.ndarray, gamma: float, poses: np.ndarray) -> Layer:
    light = (view / 255) ** gamma
    return Layer(np.dstack([light, opacity]).astype(np.float32), poses)


def _outline(shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Opacity of a random blob: a polygon with softened edges."""
    centre = np.array(shape[::-1]) * generator.uniform(0.25, 0.75, 2)
    angles = np.sort(generator.uniform(0, 2 * np.pi, 9))
    radii = min(shape) * generator.uniform(0.1, 0.35, (9, 1))
    corners = centre + radii * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    opacity = cv2.fillPoly(np.zeros(shape, np.float32), [corners.astype(np.int32)], 1.0)
    return cv2.GaussianBlur(opacity, (0, 0), 0.7)


def drawing(view: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Lines of text and figures on paper, or over the view; drawn at twice the size."""
    height, width = view.shape[:2]
    if generator.random() < 0.6:
        light = np.linspace(1, generator.uniform(0.7, 1), width)[:, None]
        view = np.full_like(view, light * generator.integers(150, 256, 3))
    canvas = cv2.resize(view, (2 * width, 2 * height))

    def colour() -> list[int]:
        return generator.integers(0, 256, 3).tolist()

    letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
    scale = generator.uniform(0.7, 3)
    ink, thickness = colour(), round(scale * generator.uniform(1, 2.5))
    font = int(generator.integers(cv2.FONT_HERSHEY_SCRIPT_COMPLEX + 1))
    for y in range(0, 2 * height, int(scale * generator.uniform(36, 64))):
        words = [
            "".join(generator.choice(letters, length)) for length in generator.integers(1, 9, 12)
        ]
        x = int(generator.integers(-60, 60))
        cv2.putText(canvas, " ".join(words), (x, y), font, scale, ink, thickness, cv2.LINE_AA)
    for _ in range(generator.integers(12)):
        start, end = generator.integers(0, 2 * min(height, width), (2, 2)).tolist()
        thickness = int(generator.integers(1, 8))
        kind = generator.integers(3)
        if kind == 0:
            cv2.line(canvas, start, end, colour(), thickness, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(canvas, start, end, colour(), thickness, cv2.LINE_AA)
        else:
            cv2.circle(canvas, start, 10 * thickness, colour(), cv2.FILLED, cv2.LINE_AA)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
