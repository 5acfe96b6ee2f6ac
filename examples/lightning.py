"""AE-SAD on scikit-learn's digits with Lightning alone: 8 is normal, eight 3s are labelled anomalies."""

from functools import partial
from pathlib import Path

import pytorch_lightning as pl
import torch

from semiad.datamodule import SplitDataModule
from semiad.datasets import digits
from semiad.methods.aesad import AESAD
from semiad.networks.dense import Dense
from semiad.scenarios.one_vs_one import OneVsOne


class StepCounter(pl.Callback):
    """Counts training steps."""

    steps = 0

    def on_train_batch_end(self, *args: object) -> None:
        """Count a step."""
        self.steps += 1


scenario = OneVsOne(labelled=8, per_class=False, pollution=0, normal=8, anomalous=3)
data = SplitDataModule(digits.load(Path()), scenario, seed=0, batch_size=32)
net = partial(Dense, hidden=[128], latent=32, linear=False, bias=True)
torch.manual_seed(data.entropy)  # the initial weights that semiad.train would draw
method = AESAD(data.shape, net, partial(torch.optim.Adam, lr=1e-3, eps=1e-7), "f0", {"rule": "paper", "alpha": 0.1})
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
trainer = pl.Trainer(max_epochs=20, callbacks=[counter := StepCounter()], **quiet)
trainer.fit(method, data)
(metrics,) = trainer.test(method, data, verbose=False)
print(f"{counter.steps} steps, AUC {metrics['test_auc']:.4f}, AP {metrics['test_ap']:.4f}")
