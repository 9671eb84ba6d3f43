"""Sphinx directives that print what the code says, so that no table of the documentation can go stale."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any, ClassVar

from docutils import nodes as doc_nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from torch import nn

from pyro_mmvae import (
    Guide,
    IncompatibleError,
    Modality,
    MultimodalVAE,
    Schedule,
    guides,
    likelihoods,
    objectives,
    priors,
)
from pyro_mmvae.experiments.common.run_config import RunConfig
from pyro_mmvae.likelihoods import Likelihood, Normal
from pyro_mmvae.registry import load_member, member_names

INPUTS = ["rgb", "cloud"]
TARGETS = {"cloud": 1.0, "heatmap": 0.01, "pose": 1.0}


class FromCode(SphinxDirective):
    """A directive whose content is written by `lines`, in the language of the page."""

    def lines(self) -> list[str]:
        """Return the source that stands in the directive's place."""
        raise NotImplementedError

    def run(self) -> list[doc_nodes.Node]:
        """Parse the lines."""
        self.env.note_reread()  # the code may have changed where the page has not
        return self.parse_text_to_nodes("\n".join(self.lines()), allow_section_headings=True)


class ObjectiveTable(FromCode):
    """Formula, source and printed table of a bound: ```` ```{objective-table} NAME ````."""

    required_arguments = 1

    def lines(self) -> list[str]:
        """Return summary, table and alignments."""
        build = objectives.load(self.arguments[0])
        beta = Schedule(1e-5, 1e-3, steps=1000, geometric=True)
        printed = str(build(INPUTS, TARGETS, beta=beta)).splitlines()[1:]
        table = [line for line in printed if line.startswith("|")]
        formula = " ".join(_paragraphs(build)[0]).removeprefix("Return ").removesuffix(".")
        needs = ", ".join(str(requirement) for requirement in build(INPUTS, TARGETS).requirements)
        printed = [*printed[len(table) :], *(["", f"Requires {needs}."] if needs else [])]
        return ["```text", formula, "```", "", *_after_summary(build), "", *table, "", *printed]


class GuideTable(FromCode):
    """Every guide: its name, summary and options."""

    def lines(self) -> list[str]:
        """Return a table with one row for each file of the folder."""
        return _table(["name", "posterior", "options"], [_guide_row(name) for name in guides.available()])


class PriorTable(FromCode):
    """Every prior: its name, summary and options."""

    def lines(self) -> list[str]:
        """Return a table with one row for each file of the folder."""
        rows = []
        for name in priors.available():
            cls = priors.load(name)
            given = [p for p in inspect.signature(cls).parameters.values() if p.name != "latent_dim"]
            options = ", ".join(f"`{p.name}`" if p.default is p.empty else f"`{p.name}={p.default!r}`" for p in given)
            rows.append([f"`{name}`", f"`{cls.__name__}`", _escaped(_paragraphs(cls)[0]), options])
        return _table(["name", "class", "density", "arguments"], rows)


class FitTable(FromCode):
    """Which guide works with which objective, by what they declare that they require (`Objective.check`)."""

    def lines(self) -> list[str]:
        """Return a table of guides by objectives."""
        names = objectives.available()
        rows = [[f"`{g}`", *(_fit(g, o) for o in names)] for g in guides.available()]
        return _table(["", *(f"`{o}`" for o in names)], rows)


class LikelihoodTable(FromCode):
    """Every likelihood: its class, summary and options."""

    def lines(self) -> list[str]:
        """Return a table with one row for each file of the folder."""
        rows = [_likelihood_row(name) for name in member_names(likelihoods.__name__)]
        return _table(["class", "what it is", "options"], rows)


class OptionTable(FromCode):
    """The fields of a dataclass that holds options: ```` ```{option-table} MODULE CLASS ````.

    Presets that set an option otherwise are named beside its default. With `:own:`, options that every run has are left
    out unless their default is the experiment's own.
    """

    required_arguments = 2
    option_spec: ClassVar[dict[str, Any]] = {"own": directives.flag}

    def lines(self) -> list[str]:
        """Return a table with one row for each field."""
        module = importlib.import_module(self.arguments[0])
        cls = getattr(module, self.arguments[1])
        documents = _field_documents(cls)
        common = {f.name: f.default for f in dataclasses.fields(RunConfig)} if "own" in self.options else {}
        rows = []
        for field in dataclasses.fields(cls):
            if field.name in common and common[field.name] == field.default:
                continue
            positional = "Positional" in str(field.type)
            name = field.name.upper() if positional else f"--{field.name.replace('_', '-')}"
            default = "" if positional else _defaults(cls, field)
            rows.append([f"`{name}`", default, documents.get(field.name, "")])
        return _table(["option", "default", "meaning"], rows)


class ApiModules(FromCode):
    """Automatic documentation of all modules of packages: `.. api-modules:: PACKAGE ...` (reStructuredText)."""

    required_arguments = 1
    final_argument_whitespace = True

    def lines(self) -> list[str]:
        """Return an `automodule` for each public module."""
        names = [module for root in self.arguments[0].split() for module in _modules(root)]
        return [line for name in names for line in _automodule(name)]


def _paragraphs(thing: Any) -> list[list[str]]:
    text = inspect.getdoc(thing) or ""
    return [block.splitlines() for block in text.split("\n\n")]


def _after_summary(thing: Any) -> list[str]:
    """The paragraphs between summary and arguments: the source, and what is special."""
    blocks = _paragraphs(thing)[1:]
    end = next((i for i, block in enumerate(blocks) if block[0] in ("Args:", "Raises:", "Returns:")), len(blocks))
    return [line for block in blocks[:end] for line in [*block, ""]]


def _guide_row(name: str) -> list[str]:
    cls = guides.load(name)
    parameters = inspect.signature(cls).parameters
    inherited = set(inspect.signature(Guide.__init__).parameters)
    options = [f"`{p.name}={p.default!r}`" for p in parameters.values() if p.name not in inherited]
    return [f"`{name}`", f"{_escaped(_paragraphs(cls)[0])}", ", ".join(options)]


def _fit(guide: str, objective: str) -> str:
    fits = {count: _fits(guide, objective, ["a", "b", "c"][:count]) for count in (1, 3)}
    return {(True, True): "yes", (True, False): "one input", (False, True): "several inputs", (False, False): "no"}[
        fits[1], fits[3]
    ]


def _fits(guide: str, objective: str, inputs: list[str]) -> bool:
    parts = [Modality(n, Normal((1,)), nn.Linear(1, 1), nn.Linear(1, 1)) for n in inputs]
    try:
        objectives.load(objective)(inputs, inputs)(MultimodalVAE(parts, 1), guides.load(guide)(parts, 1))
    except IncompatibleError:
        return False
    return True


def _likelihood_row(name: str) -> list[str]:
    module = load_member(likelihoods.__name__, name)
    (cls,) = [
        c
        for c in vars(module).values()
        if inspect.isclass(c) and issubclass(c, Likelihood) and c.__module__ == module.__name__
    ]
    parameters = [p for p in inspect.signature(cls).parameters.values() if p.default is not inspect.Parameter.empty]
    options = ", ".join(f"`{p.name}={p.default!r}`" for p in parameters)
    return [f"`{cls.__name__}`", _escaped(_paragraphs(cls)[0]), options]


def _escaped(lines: list[str]) -> str:
    r"""Join lines for a cell of a Markdown table; what stands in backticks is kept, `\|` becomes a bar in words."""
    text = " ".join(lines).replace(r"\|", "‖").replace(r"\hat ", "^")
    parts = text.split("`")
    outside = [part.replace("*", r"\*").replace("_", r"\_").replace("^", r"\^") for part in parts[::2]]
    return "".join(p for pair in zip(outside, [f"`{p}`" for p in parts[1::2]] + [""], strict=True) for p in pair)


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    # A bar inside a cell, in words or in backticks, would begin the next one.
    safe = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return [f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *safe]]


def _defaults(cls: type, field: dataclasses.Field[Any]) -> str:
    presets = cls.presets() if issubclass(cls, RunConfig) else {}
    others = [f"{n} `{p.options[field.name]}`" for n, p in presets.items() if field.name in p.options]
    return "; ".join(["" if field.default is dataclasses.MISSING else f"`{field.default}`", *others])


def _field_documents(cls: type) -> dict[str, str]:
    """Return the strings that stand below the fields of a class and of those that it derives from."""
    documents: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        (definition,) = ast.parse(inspect.getsource(base)).body
        assert isinstance(definition, ast.ClassDef)
        for field, after in zip(definition.body, definition.body[1:], strict=False):
            said = after.value if isinstance(after, ast.Expr) else None
            if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Constant):
                documents[ast.unparse(field.target)] = " ".join(str(said.value).split())
    return documents


def _modules(root: str) -> list[str]:
    package = importlib.import_module(root)
    if not hasattr(package, "__path__"):
        return [root]
    found = [root] if _has_own_members(package) or _paragraphs(package)[0] else []
    for info in pkgutil.iter_modules(package.__path__):
        if info.name.startswith("_"):
            continue
        found += _modules(f"{root}.{info.name}") if info.ispkg else [f"{root}.{info.name}"]
    return found


def _has_own_members(module: ModuleType) -> bool:
    return any(getattr(value, "__module__", None) == module.__name__ for value in vars(module).values())


def _automodule(name: str) -> list[str]:
    return [name, "-" * len(name), "", f".. automodule:: {name}", "   :members:", "   :show-inheritance:", ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("objective-table", ObjectiveTable)
    app.add_directive("guide-table", GuideTable)
    app.add_directive("fit-table", FitTable)
    app.add_directive("prior-table", PriorTable)
    app.add_directive("likelihood-table", LikelihoodTable)
    app.add_directive("option-table", OptionTable)
    app.add_directive("api-modules", ApiModules)
    return {"parallel_read_safe": True}
