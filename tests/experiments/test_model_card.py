"""The cameras of the starter weights' scores: what they show was not trained on, and is blurred."""

import numpy as np
import pytest

from experiments import model_card


@pytest.fixture
def photograph():
    return np.random.default_rng(0).integers(0, 256, (300, 350, 3), np.uint8)


def test_the_other_camera_blurs_a_part_of_the_photograph(photograph):
    examples = list(model_card.seen_otherwise([photograph]))
    assert len(examples) == 2  # a sum of values and one of light
    for blurred, sharp in examples:
        assert blurred.shape == sharp.shape == (256, 320, 3)
        places = np.argwhere((photograph == sharp[0, 0]).all(axis=2))
        parts = [photograph[y : y + 256, x : x + 320] for y, x in places]
        assert any(np.array_equal(part, sharp) for part in parts)
        assert blurred.std() < 0.6 * sharp.std()


def test_centred_the_blur_lies_where_the_sharp_image_is():
    down, right = np.mgrid[:256, :320]
    blob = 250 * np.exp(-((down - 128) ** 2 + (right - 160) ** 2) / 800)
    photograph = np.repeat(blob[..., None], 3, axis=2).astype(np.uint8)

    def distance(blurred, sharp):
        places = []
        for image in (blurred, sharp):
            weight = np.where(image > 20, image, 0).sum(axis=2, dtype=float)
            places.append([(axis * weight).sum() / weight.sum() for axis in (down, right)])
        return np.hypot(*np.subtract(*places))

    # The first of the two: of the other, light, the centre of the values lies elsewhere.
    middle, centred = (
        distance(*next(model_card.seen_otherwise([photograph], centred=centred)))
        for centred in (False, True)
    )
    assert centred < 0.3
    assert middle > 1


def test_its_paths_have_the_lengths_that_the_card_tells():
    for seed in range(50):
        path = model_card.smooth_path(np.random.default_rng(seed))
        assert len(path) in range(25, 42, 2)
        assert np.abs(path[len(path) // 2]).max() == 0
        assert 4 <= np.linalg.norm(np.diff(path, axis=0), axis=1).sum() <= 20


def test_more_shake_blurs_more(photograph):
    deviations = [
        np.mean([blurred.std() for blurred, _ in model_card.shaken([photograph], strength)])
        for strength in (0.25, 1.0)
    ]
    assert deviations[1] < deviations[0] < photograph.std()
