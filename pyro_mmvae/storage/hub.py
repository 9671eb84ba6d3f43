"""Share a model and guide through the Hugging Face Hub."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from pyro_mmvae.guide import Guide
from pyro_mmvae.model import MultimodalVAE
from pyro_mmvae.storage.files import STRUCTURE
from pyro_mmvae.storage.names import Allowed
from pyro_mmvae.storage.pair import load, save

_FILES = (STRUCTURE, "weights-*.safetensors")


def push_to_hub(
    repo_id: str,
    model: MultimodalVAE,
    guide: Guide,
    *,
    private: bool | None = None,
    token: str | None = None,
    revision: str | None = None,
    commit_message: str = "Upload a model and guide of pyro_mmvae",
) -> str:
    """Save a model and guide and upload them, in one commit.

    Args:
        repo_id: `"user/name"`; made if it is not there.
        model: the model.
        guide: the guide.
        private: whether a repository that is made is private; the account's default when left out.
        token: of the account; that of `hf auth login` when left out.
        revision: branch to commit to.
        commit_message: of the commit.

    Returns:
        Address of the commit.

    Raises:
        ModuleNotFoundError: `huggingface_hub` is not installed.
        ValueError: see `save`.
    """
    hub = _hub()
    with tempfile.TemporaryDirectory() as folder:
        save(folder, model, guide)
        hub.create_repo(repo_id, private=private, token=token, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            token=token,
            revision=revision,
            commit_message=commit_message,
            delete_patterns=[_FILES[1]],
        )
    return str(getattr(commit, "commit_url", commit))


def from_pretrained(
    path_or_repo: str | Path,
    *,
    allow: Allowed = (),
    device: torch.device | str = "cpu",
    revision: str | None = None,
    token: str | None = None,
    cache_dir: str | Path | None = None,
) -> tuple[MultimodalVAE, Guide]:
    """Load a model and guide from a folder, or from the Hub if there is no such folder.

    What comes from there is trusted no more than any other folder: see `load`. Of the repository only the structure and
    the weights are downloaded.

    Args:
        path_or_repo: a folder, or `"user/name"`.
        allow: see `load`.
        device: where to put the weights.
        revision: branch, tag or commit.
        token: of the account.
        cache_dir: where downloads are kept.

    Raises:
        ModuleNotFoundError: it is no folder and `huggingface_hub` is not installed.
        ValueError: see `load`.
    """
    if Path(path_or_repo).is_dir():
        return load(path_or_repo, allow=allow, device=device)
    folder = _hub().snapshot_download(
        str(path_or_repo), revision=revision, token=token, cache_dir=cache_dir, allow_patterns=list(_FILES)
    )
    return load(folder, allow=allow, device=device)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the Hugging Face Hub needs the package huggingface_hub: pip install "pyro-mmvae[hub]"'
        ) from error
    return huggingface_hub
