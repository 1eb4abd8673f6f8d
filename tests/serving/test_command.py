"""`srn_tf.web` before the page is shown; needs neither Gradio nor a browser."""

import sys

import pytest

from srn_tf import web
from srn_tf.common.errors import InputError


def test_a_missing_extra_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "srn_tf.serving.page", raising=False)
    with pytest.raises(InputError, match=r"gradio, .*Python 3\.10.*pip install 'srn-tf\[web\]'$"):
        web.main()


def test_the_weights_to_choose_from_are_the_starter_and_those_that_training_left(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert web.weights_here() == ["starter"]
    for name in ("trained", "begun", "also"):
        run_dir = tmp_path / "runs" / name
        (run_dir / "checkpoints").mkdir(parents=True)
        (run_dir / "config.json").touch()
        if name != "begun":
            (run_dir / "checkpoints" / "step-10.index").touch()
    assert web.weights_here() == ["starter", "runs/also", "runs/trained"]
