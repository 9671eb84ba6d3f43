import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image

from pyro_mmvae import objectives
from pyro_mmvae.estimators import Calibration, Estimate, InferenceGap
from pyro_mmvae.hands.metrics import pose_metrics
from pyro_mmvae.hands.plots import plot_pck, plot_skeletons, plot_skeletons_3d
from pyro_mmvae.hands.rhd_format import BONES, FINGERS, WRIST
from pyro_mmvae.plots import (
    plot_calibration,
    plot_clouds,
    plot_cross_correlations,
    plot_gaps,
    plot_heatmaps,
    plot_images,
    plot_matrices,
    plot_table,
    plot_training,
)
from pyro_mmvae.plots.space import upright

IMAGES = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
KEYPOINTS = torch.rand(2, 21, 2, generator=torch.Generator().manual_seed(1)) * 30
POSES = torch.randn(2, 21, 3, generator=torch.Generator().manual_seed(2)) * 50
CLOUDS = torch.randn(2, 40, 3, generator=torch.Generator().manual_seed(3))
HEATMAPS = torch.rand(2, 21, 16, 24, generator=torch.Generator().manual_seed(4))
METRICS = pose_metrics(np.linspace(0, 60, 84).reshape(4, 21), np.ones((4, 21), dtype=bool))
CORRELATIONS = {"without": np.random.default_rng(0).uniform(-1, 1, (8, 8)), "with": torch.eye(8)}

MATRIX = {"a": {"x": 1.5, "y": 20.25, "z": float("nan")}, "b": {"x": 2.5, "y": 20.0, "z": float("nan")}}
TABLE = objectives.load("jmvae")(["a", "b"], {"a": 1.0, "c": 4.0}, alpha=0.1).table

FLAT = Estimate(*torch.zeros(4, 5), torch.ones(5).bool(), ("a",), ("a",), 8)
GAPS = {("a",): InferenceGap(-torch.rand(5) - 1, -torch.rand(5), FLAT)}
RANKS = Calibration(torch.randint(0, 100, (300, 9)), torch.randint(0, 100, (300,)), ("a",), 99)

FIGURES = {
    "pck": lambda path: plot_pck({"rgb": METRICS, "mean pose": METRICS}, path, dashed=["mean pose"]),
    "skeletons": lambda path: plot_skeletons(IMAGES, KEYPOINTS, {"rgb": KEYPOINTS + 1, "joint": KEYPOINTS}, path),
    "skeletons_3d": lambda path: plot_skeletons_3d(POSES, {"rgb": POSES + 5}, path),
    "clouds": lambda path: plot_clouds(CLOUDS, {"rgb": CLOUDS[:, :30] + 0.1}, path),
    "heatmaps": lambda path: plot_heatmaps(IMAGES, HEATMAPS, {"rgb": HEATMAPS * 0.5}, path),
    "cross-correlations": lambda path: plot_cross_correlations(CORRELATIONS, path, ("rgb", "cloud")),
    "pictures": lambda path: plot_images({"true": IMAGES, "grey": IMAGES[:, :1] * 0.5}, path, "pictures"),
    "matrices": lambda path: plot_matrices({"PSNR": MATRIX, "SSIM": MATRIX}, path, "by what is given"),
    "tables": lambda path: plot_table(TABLE, path),
    "gaps": lambda path: plot_gaps({"poe": GAPS, "moe": GAPS}, path),
    "ranks": lambda path: plot_calibration(RANKS, path),
    "training": lambda path: plot_training({"train/loss": ([1, 2], [3.0, 2.0])}, path),
}


@pytest.fixture
def drawn(monkeypatch):
    """Makes the functions return their figures instead of writing them."""
    modules = (
        "plots.clouds",
        "plots.correlations",
        "plots.curves",
        "plots.gaps",
        "plots.heatmaps",
        "plots.images",
        "plots.matrices",
        "plots.ranks",
        "plots.tables",
    )
    for module in (*modules, "hands.plots.pck", "hands.plots.skeletons"):
        monkeypatch.setattr(f"pyro_mmvae.{module}.save", lambda figure, path: figure)
    return lambda name: FIGURES[name]("unused")


def lines(axes):
    return [np.stack(line.get_data_3d() if axes.name == "3d" else line.get_data(), -1) for line in axes.lines]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_written_and_nothing_global_changes(name, tmp_path):
    settings = dict(mpl.rcParams)
    path = FIGURES[name](tmp_path / "figures" / f"{name}.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"))
    assert min(pixels.shape) > 300
    assert pixels.std() > 5
    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == settings


def test_pck_shows_the_metrics(drawn):
    figure = drawn("pck")
    axes = figure.axes[0]
    for line, style in zip(axes.lines, ("-", "--"), strict=True):
        np.testing.assert_allclose(line.get_xdata(), METRICS.thresholds_mm)
        np.testing.assert_allclose(line.get_ydata(), METRICS.pck)
        assert line.get_linestyle() == style
    assert "mm" in axes.get_xlabel()
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert [text.split(":")[0] for text in texts] == ["rgb", "mean pose"]
    assert f"{METRICS.auc_20_50:.3f}" in texts[0]


def test_skeletons_follow_the_bones_predicted_over_true(drawn):
    figure = drawn("skeletons")
    first = figure.axes[0]
    for keypoints, fingers in ((KEYPOINTS[0], lines(first)[:5]), (KEYPOINTS[0] + 1, lines(first)[5:])):
        for chain, line in zip(FINGERS.values(), fingers, strict=True):
            np.testing.assert_allclose(line, keypoints[[WRIST, *chain]])
    segments = {pair for chain in FINGERS.values() for pair in zip((WRIST, *chain), chain, strict=False)}
    assert segments == set(BONES)
    assert first.get_ylim() == (31.5, -0.5)
    assert first.get_xlim() == (-0.5, 47.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*FINGERS, "true"]
    assert len(figure.axes) == 4


def test_skeletons_in_space_are_upright(drawn):
    axes = drawn("skeletons_3d").axes[0]
    np.testing.assert_allclose(lines(axes)[0], upright(POSES[0].numpy())[[WRIST, *FINGERS["thumb"]]])
    spans = [np.ptp(limits) for limits in (axes.get_xlim(), axes.get_ylim(), axes.get_zlim())]
    np.testing.assert_allclose(spans, spans[0])


def test_upright_turns_down_into_up():
    np.testing.assert_array_equal(upright(np.array([1.0, 2.0, 3.0])), [1, 3, -2])


def test_clouds_show_every_point_inside_the_frame(drawn):
    figure = drawn("clouds")
    for axes, cloud in zip(figure.axes, (*CLOUDS, *(CLOUDS[:, :30] + 0.1)), strict=True):
        shown = np.stack(axes.collections[0]._offsets3d, -1)
        np.testing.assert_allclose(np.sort(shown, 0), np.sort(upright(cloud.numpy()), 0), rtol=1e-6)
        low, high = np.array([axes.get_xlim(), axes.get_ylim(), axes.get_zlim()]).T
        assert (shown >= low).all()
        assert (shown <= high).all()


def test_heatmaps_show_the_maximum_over_joints_on_a_scale_per_row_that_is_written_down(drawn):
    figure = drawn("heatmaps")
    row = HEATMAPS / HEATMAPS.max()
    for axes, maps in zip(figure.axes, (*row, *row), strict=False):  # the second row is half the first
        overlay = axes.images[1]
        np.testing.assert_allclose(overlay.get_array(), maps.amax(0), rtol=1e-6)
        assert overlay.get_clim() == (0, 1)
        assert overlay.get_extent() == [-0.5, 47.5, 31.5, -0.5]
    labels = [text.get_text() for axes in figure.axes for text in axes.texts]
    top = HEATMAPS.max().item()
    assert any(f"largest value {top:.2g}" in label for label in labels)
    assert any(f"largest value {top / 2:.2g}" in label for label in labels)


def test_heatmaps_that_are_all_zero_are_drawn(tmp_path):
    plot_heatmaps(IMAGES, HEATMAPS * 0, {"rgb": HEATMAPS * 0}, tmp_path / "zero.png")


def test_pictures_show_their_pixels_in_colour_or_grey(drawn):
    axes = drawn("pictures").axes
    np.testing.assert_allclose(axes[1].images[0].get_array(), IMAGES[1].permute(1, 2, 0))
    np.testing.assert_allclose(axes[2].images[0].get_array(), 0.5 * IMAGES[0, :1].permute(1, 2, 0).repeat(1, 1, 3))


def test_matrices_write_their_numbers_shaded_by_column(drawn):
    axes = drawn("matrices").axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.50", "20.2", "2.50", "20.0"]
    shade = np.ma.filled(axes.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(shade, [[0, 1, np.nan], [1, 0, np.nan]])


def test_cross_correlations_show_the_matrices_on_one_scale(drawn):
    figure = drawn("cross-correlations")
    for axes, (title, matrix) in zip(figure.axes, CORRELATIONS.items(), strict=False):
        (image,) = axes.images
        np.testing.assert_allclose(image.get_array(), matrix)
        assert image.get_clim() == (-1, 1)
        assert axes.get_title().startswith(title)
        assert "cloud" in axes.get_xlabel()
        # Row 0 of the matrix, dimension 0 of the first posterior, is at the top.
        assert axes.get_ylim() == (7.5, -0.5)
    assert "rgb" in figure.axes[0].get_ylabel()
    assert "diagonal 1.00, off it 0.00" in figure.axes[1].get_title()


def test_a_matrix_of_one_dimension_is_drawn(tmp_path):
    plot_cross_correlations({"": [[0.5]]}, tmp_path / "one.png")


def test_a_table_shows_what_is_looked_at_what_is_decoded_and_how_much(drawn):
    (axes,) = drawn("tables").axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b", "a", "c"]
    dots = [(tuple(dot.get_offsets()[0]), tuple(dot.get_facecolor()[0][:3]) != (1, 1, 1)) for dot in axes.collections]
    seen = {place: filled for place, filled in dots if place[0] < 2}
    assert seen == {(place, row): True for place in (0, 1) for row in range(3)}
    (decoded,) = [dot for dot in axes.collections if len(dot.get_offsets()) == 2]
    assert decoded.get_sizes()[1] == 4 * decoded.get_sizes()[0]
    words = [text.get_text() for text in axes.texts]
    assert [w for w in words if "q(z" in w] == ["0.1 kl to q(z | a)", "0.1 kl to q(z | b)"]
    assert "KL 1" in words


def test_training_groups_curves_by_quantity(monkeypatch):
    monkeypatch.setattr("pyro_mmvae.plots.curves.save", lambda figure, path: figure)
    epochs = [1, 2, 3]
    history = {
        "train/loss": (epochs, [3.0, 2.0, 1.0]),
        "validation/loss": ([2], [2.5]),
        "validation/EPE [mm]": (epochs, [30.0, 20.0, 10.0]),
        "beta": (epochs, [0.0, 0.1, 0.2]),
        "learning rate": (epochs, [1e-3] * 3),
    }
    panels = [axes for axes in plot_training(history, "unused").axes if axes.lines]
    assert [axes.get_title() for axes in panels] == ["loss", "EPE [mm]", "beta", "learning rate"]
    assert [len(axes.lines) for axes in panels] == [2, 1, 1, 1]
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == ["train", "validation"]
    assert panels[2].get_legend() is None
    np.testing.assert_allclose(panels[1].lines[0].get_ydata(), [30, 20, 10])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: plot_pck({}, path), "at least one"),
        (lambda path: plot_training({}, path), "at least one"),
        (lambda path: plot_training({"loss": ([1, 2], [1.0])}, path), "'loss'"),
        (lambda path: plot_skeletons(IMAGES, KEYPOINTS, {}, path), "at least one"),
        (lambda path: plot_skeletons(IMAGES, KEYPOINTS, {"rgb": KEYPOINTS[:1]}, path), "rgb"),
        (lambda path: plot_skeletons(IMAGES, POSES, {"rgb": POSES}, path), "true"),
        (lambda path: plot_skeletons(IMAGES[:, 0], KEYPOINTS, {"rgb": KEYPOINTS}, path), "images"),
        (lambda path: plot_skeletons_3d(POSES[:0], {"rgb": POSES[:0]}, path), "samples"),
        (lambda path: plot_clouds(CLOUDS, {"rgb": CLOUDS[..., :2]}, path), "rgb"),
        (lambda path: plot_cross_correlations({}, path), "at least one"),
        (lambda path: plot_cross_correlations({"with": np.zeros((2, 3))}, path), "'with' of shape"),
        (lambda path: plot_cross_correlations({"with": np.full((2, 2), np.nan)}, path), "from -1 to 1 in 'with'"),
        (lambda path: plot_cross_correlations({"with": np.full((2, 2), 1.5)}, path), "from -1 to 1 in 'with'"),
        (lambda path: plot_heatmaps(IMAGES, HEATMAPS, {"rgb": HEATMAPS[:, :3]}, path), "rgb"),
    ],
)
def test_misuse_is_explained(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "figure.png")
