"""The food experiment: ingredients from a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, ClassVar

from torch import nn

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE, Objective
from pyro_mmvae.alignment import alignment_phases
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.by_name import built
from pyro_mmvae.experiments.common.columns import Column
from pyro_mmvae.experiments.common.experiment import Evaluation, RunData
from pyro_mmvae.experiments.food.config import ALIGNMENT, Config, VocabularyOptions
from pyro_mmvae.experiments.food.data import VOCABULARY, FoodData, Recipes
from pyro_mmvae.experiments.food.evaluation import MAPPED_RECIPES, UPPER, Judged, closeness, latent_points
from pyro_mmvae.experiments.food.figures import draw_figures
from pyro_mmvae.experiments.food.presets import PUBLISHED
from pyro_mmvae.feed_forward import FeedForward
from pyro_mmvae.food.dataset import IMAGE, INGREDIENTS
from pyro_mmvae.food.vocabulary import Vocabulary
from pyro_mmvae.likelihoods import Multilabel, Normal
from pyro_mmvae.networks import DCGANDecoder, DenseNetEncoder, MLPDecoder, MLPEncoder, ResNetEncoder
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight


def print_vocabulary(chosen: VocabularyOptions) -> None:
    """Print the vocabulary of a run."""
    print(Vocabulary.load(chosen.run / VOCABULARY))


class Experiment(experiment.Experiment[Config]):
    """Pictures of food and their ingredients ("Cross-modal Variational Alignment of Latent Spaces", section 4.1)."""

    sheets: ClassVar[tuple[str, ...]] = ("plates.png", "latent.png")
    commands: ClassVar[Mapping[str, Callable[[Any], None]]] = {"vocabulary": print_vocabulary}

    @cached_property
    def recipes(self) -> Recipes:
        """What the run is of."""
        return Recipes(self.config)

    @property
    def labels(self) -> int:
        """Number of ingredients."""
        return len(self.recipes.vocabulary)

    def modalities(self) -> list[Modality]:
        """Return picture and ingredients; the picture is decoded by objectives that decode all they look at."""
        ingredients = self._ingredients(self.config.latent_dim, MLPEncoder((self.labels,), widths=()))
        if not self.config.decodes_pictures:
            return [Modality(IMAGE, encoder=self._encoder()), ingredients]
        side = self.config.crop
        picture = Modality(IMAGE, Normal((3, side, side), scale=1.0), self._image_decoder(), self._encoder())
        return [picture, ingredients]

    def _ingredients(self, latent_dim: int, encoder: nn.Module | None = None) -> Modality:
        """Return the ingredients with networks of one fully connected layer, as the paper has them."""
        decoder = MLPDecoder(latent_dim, (self.labels,), widths=())
        return Modality(INGREDIENTS, Multilabel(self.labels), decoder, encoder)

    def _encoder(self) -> nn.Module:
        config = self.config
        weights: dict[str, Any] = {"pretrained": config.pretrained, "weights_path": config.pretrained_weights}
        if config.encoder == "densenet":
            return DenseNetEncoder(pooled=config.pooled, **weights)
        return ResNetEncoder(width=config.width, stem_stride=2 if config.crop < 128 else 4, **weights)

    def _image_decoder(self) -> nn.Module:
        """Return a decoder of pictures of the next power of two, scaled down to the crop's size."""
        config = self.config
        size = 1 << (config.crop - 1).bit_length()
        decoder = DCGANDecoder(config.latent_dim, (3, size, size), config.width)
        return decoder if size == config.crop else nn.Sequential(decoder, nn.Upsample(config.crop, mode="bilinear"))

    def targets(self) -> dict[str, Weight]:
        """Return the weights of what is decoded."""
        config = self.config
        image = {IMAGE: config.lambda_image} if config.decodes_pictures else {}
        return {**image, INGREDIENTS: config.lambda_ingredients}

    def pair(self) -> tuple[MultimodalVAE, Guide]:
        """Return model and guide; for a plain classifier what stands in the place of a guide."""
        config = self.config
        if not config.feed_forward:
            return super().pair()
        modalities = self.modalities()
        return MultimodalVAE(modalities, config.latent_dim), FeedForward(modalities, config.latent_dim, source=IMAGE)

    def beta(self, steps: int) -> Weight:
        """Return the weight of the KL, which a plain classifier does not have."""
        return 0.0 if self.config.feed_forward else super().beta(steps)

    def branches(self, guide: Guide) -> dict[str, MultimodalVAE]:
        """Return the upper branch, which decodes the ingredients from the picture's own latent space."""
        if not self.config.aligned:
            return {}
        latent = guide.branches[UPPER].latent_dim
        return {UPPER: MultimodalVAE([self._ingredients(latent)], latent)}

    def objective(self, guide: Guide, steps: int) -> Objective:
        """Return the objective; of variational alignment that of its last phase."""
        return self.phases(guide, steps)[-1].objective if self.config.aligned else super().objective(guide, steps)

    def phases(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        """Return the paper's three phases; one for other objectives."""
        config = self.config
        if not config.aligned:
            return super().phases(guide, steps_per_epoch)
        first = config.epochs - config.mapper_epochs - config.joint_epochs
        # Beta rises in the first phase alone: each has steps of its own.
        end = {"beta": config.beta_end}
        given: dict[str, Any] = {"onto": INGREDIENTS, "distance": config.distance}
        given |= {"mapper": end, "everything": end, "num_particles": config.particles}
        given["beta"] = self.beta(max(first, 1) * steps_per_epoch)
        arguments = (guide.inputs, self.targets(), (first, config.mapper_epochs, config.joint_epochs))
        pairs = config.objective_options
        found: list[Phase] = built("objective", ALIGNMENT, alignment_phases, *arguments, pairs=pairs, **given)
        return found

    def data(self) -> FoodData:
        """Open the data, making the synthetic plates if they are not there, and save the vocabulary with the run."""
        return FoodData(self.config, self.recipes)

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge what every branch predicts, beside the most frequent ingredients."""
        assert isinstance(data, FoodData)
        judged = Judged(loss, data, self.config.tta)
        points, shown = latent_points(loss, data.judged(MAPPED_RECIPES))
        near = closeness(points)
        metrics = {
            **judged.metrics(),
            "latent": near,
            "samples": data.counts(),
            "without_ingredients": data.without_ingredients(),
            "ingredients": len(data.recipes.vocabulary),
            "left_out": data.recipes.index.told.get("counts", {}),
        }
        draw = partial(draw_figures, judged, points, near, shown, self.config.seed)
        lines = [
            f"{n}: distance to the ingredients' points {v['distance']:.2f}, {v['neighbours']:.0%} of neighbours shared"
            for n, v in near.items()
        ]
        return Evaluation(metrics, "\n".join([judged.report(), *lines]), draw)

    @staticmethod
    def columns(metrics: Mapping[str, Any]) -> dict[str, Column]:
        """Return F1 and IoU of all branches, with what the paper prints of them; pictures first."""
        config = metrics["config"]
        overall = "_global" if config["dataset"] == "recipe1m" else ""
        real = config["data"] is not None and config["judge"] == "test"
        printed = PUBLISHED.get((config["dataset"], config["objective"]), {}) if real else {}
        rows = {n: metrics["branches"][n] for n in ("mapper", "image", "upper", "lower", "ingredients")
                if n in metrics["branches"]}  # fmt: skip
        rows |= {f"{name}, TTA": scores for name, scores in metrics["tta"].items()}
        found = {}
        for place, (score, title) in enumerate((("f1", "F1"), ("iou", "IoU"))):
            for name, scores in rows.items():
                published = printed[name][place] if name in printed else None
                found[f"{title}, {name}"] = Column.of(scores[f"{score}{overall}"], published=published)
        return found
