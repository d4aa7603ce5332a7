"""What a run needs to go on after a kill: one folder beside the result."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from ddspvae.signals.checks import InputError


class Checkpoint:
    """The folder `<name>.training/`: state.pt (tensors and numbers only), log.jsonl, tensorboard/."""

    def __init__(self, out: Path) -> None:
        self.folder = out.with_name(out.stem + ".training")
        self.log_path = self.folder / "log.jsonl"
        self.state_path = self.folder / "state.pt"
        try:
            self.folder.mkdir(parents=False, exist_ok=True)
            (self.folder / ".writable").touch()
            (self.folder / ".writable").unlink()
        except OSError as error:
            raise InputError(f"train: cannot write beside {out} ({error.strerror}); choose another --out.") from error

    def load(self, settings: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
        """The state of an earlier run with the same settings; None when there is none."""
        if not self.state_path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self.state_path, map_location=device, weights_only=True)
        except Exception as error:  # torch has many words for a broken file
            raise InputError(f"train: {self.state_path} is corrupt; delete {self.folder} to start anew.") from error
        before = json.loads(state["settings"])
        changed = sorted(key for key in settings if before.get(key) != settings[key])
        if changed:
            raise InputError(f"train: {self.folder} holds a run with another {', '.join(changed)}; "
                             "choose another --out, or delete that folder to start anew.")
        return state

    def save(self, settings: dict[str, Any], state: dict[str, Any]) -> None:
        """Write the state under a temporary name, then rename."""
        part = self.state_path.with_suffix(".part")
        torch.save({**state, "settings": json.dumps(settings)}, part)
        part.replace(self.state_path)

    def log(self, row: dict[str, Any]) -> None:
        """Append one row to log.jsonl, for whoever watches; the run keeps its own."""
        with self.log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
