"""The food experiment: ingredients from a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, ClassVar

from pyro_mmvae import Guide, Loss, Modality, MultimodalVAE, Objective
from pyro_mmvae.alignment import alignment_phases
from pyro_mmvae.experiments.common import experiment
from pyro_mmvae.experiments.common.columns import Column
from pyro_mmvae.experiments.common.experiment import Evaluation, RunData
from pyro_mmvae.experiments.food.config import ALIGNMENT, CADA, CLASSIFIED, Config, VocabularyOptions
from pyro_mmvae.experiments.food.data import VOCABULARY, FoodData, Recipes
from pyro_mmvae.experiments.food.evaluation import MAPPED_RECIPES, UPPER, Judged, closeness, latent_points
from pyro_mmvae.experiments.food.figures import SHOWN, draw_figures
from pyro_mmvae.experiments.food.networks import build_modalities, ingredients
from pyro_mmvae.experiments.food.presets import MAPPED, PUBLISHED
from pyro_mmvae.feed_forward import FeedForward
from pyro_mmvae.food.dataset import IMAGE, INGREDIENTS
from pyro_mmvae.food.vocabulary import Vocabulary
from pyro_mmvae.named_options import built, options
from pyro_mmvae.objectives.cada import cada, warmup
from pyro_mmvae.objectives.crossvae import crossvae
from pyro_mmvae.phases import Phase
from pyro_mmvae.schedules import Weight

JUDGED = ("mapper", "classifier", "image", "feed_forward", "upper", "lower", "ingredients")
"""Branches in the order of columns: what looks at the picture first, the result of the method before all."""


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
        features = self.recipes.extractor.size if self.config.features is not None else None
        return build_modalities(self.config, self.labels, features)

    def targets(self) -> dict[str, Weight]:
        """Return the weights of what is decoded."""
        config = self.config
        assert config.lambda_image is not None
        image: dict[str, Weight] = {IMAGE: config.lambda_image} if config.decodes_pictures else {}
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
        return {UPPER: MultimodalVAE([ingredients(latent, self.labels)], latent)}

    def objective(self, guide: Guide, steps: int) -> Objective:
        """Return the objective; of variational alignment that of its last phase, of CADA-VAE with its own weights."""
        if self.config.aligned:
            return self.phases(guide, steps)[-1].objective
        if self.config.objective == CADA and self.config.features is not None:
            return self._cada(guide, steps)
        return super().objective(guide, steps)

    def _cada(self, guide: Guide, steps: int) -> Objective:
        """Return CADA-VAE's bound with weights and warm-ups as published, which are of 100 epochs."""
        pairs = self.config.objective_options or ()
        weights = {n: w for n, w in warmup(steps / 100).items() if n not in options(pairs)}
        given: dict[str, Any] = {**weights, "num_particles": self.config.particles}
        found: Objective = built("objective", CADA, cada, guide.inputs, self.targets(), pairs=pairs, **given)
        return found

    def phases(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        """Return the paper's three phases; for other objectives one, and one of the classifier if there is one."""
        if self.config.aligned:
            return self._aligned(guide, steps_per_epoch)
        if not (last := self.config.classifier_epochs):
            return super().phases(guide, steps_per_epoch)
        epochs = self.config.epochs - last
        pair = (*(f"model.decoders.{name}" for name in self.targets()), "guide")
        classify = crossvae(guide.inputs, [CLASSIFIED], beta=0.0, num_particles=self.config.particles)
        return [
            Phase(self.objective(guide, steps_per_epoch * epochs), epochs, pair),
            Phase(classify, last, (f"model.decoders.{CLASSIFIED}",), "classifier"),
        ]

    def _aligned(self, guide: Guide, steps_per_epoch: int) -> list[Phase]:
        config = self.config
        first = config.epochs - config.mapper_epochs - config.joint_epochs
        # Beta rises in the first phase alone: each has steps of its own.
        end = {"beta": config.beta_end}
        given: dict[str, Any] = {"onto": INGREDIENTS, "distance": config.distance}
        given |= {"mapper": end, "everything": end, "num_particles": config.particles}
        given |= {"beta": self.beta(max(first, 1) * steps_per_epoch), "beta_mapper": config.beta_mapper}
        arguments = (guide.inputs, self.targets(), (first, config.mapper_epochs, config.joint_epochs))
        pairs = config.objective_options or ()
        found: list[Phase] = built("objective", ALIGNMENT, alignment_phases, *arguments, pairs=pairs, **given)
        rates = {"mapper": config.mapper_learning_rate}
        return [replace(phase, learning_rate=rates.get(phase.name)) for phase in found]

    def data(self) -> FoodData:
        """Open the data, making the synthetic plates if they are not there, and save the vocabulary with the run."""
        return FoodData(self.config, self.recipes)

    def evaluate(self, loss: Loss, data: RunData) -> Evaluation:
        """Judge what every branch predicts, beside the most frequent ingredients."""
        assert isinstance(data, FoodData)
        judged = Judged(loss, data, self.config.tta)
        points = latent_points(loss, data.judged(MAPPED_RECIPES))
        near = closeness(points)
        metrics = {
            **judged.metrics(),
            "latent": near,
            "samples": data.counts(),
            "without_ingredients": data.without_ingredients(),
            "ingredients": len(data.recipes.vocabulary),
            "left_out": data.recipes.index.told.get("counts", {}),
        }
        draw = partial(draw_figures, judged, points, near, data.pictures(SHOWN), self.config.seed)
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
        method = config["objective"] + (MAPPED if config.get("mapper_on") else "")
        printed = PUBLISHED.get((config["dataset"], method), {}) if real else {}
        rows = {n: metrics["branches"][n] for n in JUDGED if n in metrics["branches"]}
        rows |= {f"{name}, TTA": scores for name, scores in metrics["tta"].items()}
        found = {}
        for place, (score, title) in enumerate((("f1", "F1"), ("iou", "IoU"))):
            for name, scores in rows.items():
                published = printed[name][place] if name in printed else None
                found[f"{title}, {name}"] = Column.of(scores[f"{score}{overall}"], published=published)
        return found
