"""MLflow's local file store: `mlruns/` beside the runs, an experiment a spec, an MLflow run a stage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from detrt.data.sample import Image
from detrt.train.trackers import Scene, Tracker


class MlflowStore:
    wants_histograms = False

    def __init__(self, client: Any, run_id: str) -> None:
        self.client = client
        self.run_id = run_id

    def scalars(self, epoch: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run_id, name.replace(":", "_"), value, step=epoch)

    def histograms(self, epoch: int, values: Mapping[str, Tensor]) -> None:
        """The file store keeps numbers only."""

    def pictures(self, epoch: int, values: Mapping[str, Image]) -> None:
        """It keeps numbers only."""

    def close(self) -> None:
        self.client.set_terminated(self.run_id)


def open_tracker(scene: Scene) -> Tracker:
    """A resumed stage goes on in its MLflow run, whose id is kept in the stage's folder. Raises ImportError with the remedy."""
    # Newer versions ask for this before they write plain files; nothing leaves the machine either way.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise ImportError("mlflow is not installed (pip install mlflow-skinny)") from None
    client = MlflowClient(tracking_uri=(scene.folder.parent.parent / "mlruns").resolve().as_uri())
    kept = scene.folder / "mlflow_run_id"
    if scene.epoch and kept.exists():
        return MlflowStore(client, kept.read_text(encoding="utf-8").strip())
    name = str(scene.config.get("spec", "detrt"))
    experiment = client.get_experiment_by_name(name)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(name)
    run = client.create_run(experiment_id, run_name=f"{scene.run}/{scene.stage}")
    for key, value in scene.config.items():
        client.log_param(run.info.run_id, key, value)
    kept.write_text(run.info.run_id, encoding="utf-8")
    return MlflowStore(client, run.info.run_id)
