"""The linear head, and the first stage: it alone is trained, on the frozen network's vectors.

A network under a random head loses some of what it knew as it is trained (Kumar et al. 2022, arXiv
2202.10054).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from protloc.config.settings import Finetune
from protloc.finetune.best import Best
from protloc.finetune.draws import HEAD, order, steps_of
from protloc.finetune.optimizer import factor
from protloc.finetune.task import Task
from protloc.objective import losses

EPSILON = 1e-6  # a direction that varies less does not count


class Head(nn.Module):
    """Logits (images, classes) of vectors (images, dimension), standardized as `training` vectors vary.

    At first it says the same of all.
    """

    def __init__(self, training: Tensor, classes: int) -> None:
        super().__init__()
        spread, mean = torch.std_mean(training.double(), dim=0, correction=0)
        scale = torch.where(spread > EPSILON, 1 / spread.clamp(min=EPSILON), 0.0)
        self.register_buffer("mean", mean.float(), persistent=False)
        self.register_buffer("scale", scale.float(), persistent=False)
        self.linear = nn.Linear(training.shape[1], classes)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        """The logits; vectors that the network has moved are scaled as the first ones were."""
        return self.linear((vectors - self.mean) * self.scale)


def warm_up(head: Head, vectors: Tensor, task: Task, settings: Finetune) -> Best:
    """Train the head on float32 `vectors` of all fields; gives its state after the best epoch, in place too.

    AdamW, its rate falling as a cosine.
    """
    training, validation = (vectors[task.places[part]] for part in ("train", "validation"))
    count, seed = len(training), task.run.seed
    steps = steps_of(count, settings.batch_size, settings.min_steps)
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=settings.weight_decay, fused=True)
    best = Best(dict(head.named_parameters()))
    with torch.no_grad():
        best.look(0, head(validation), task)
    for epoch in range(1, settings.head_warmup_epochs + 1):
        rows = torch.from_numpy(order(seed, epoch, count, steps * settings.batch_size, HEAD))
        for step, picked in enumerate(rows.split(settings.batch_size), start=(epoch - 1) * steps):
            share = factor(step, settings.head_warmup_epochs * steps, 0.0)
            optimizer.param_groups[0]["lr"] = settings.head_learning_rate * share
            optimizer.zero_grad()
            wanted = task.targets["train"][picked]
            losses(head(training[picked]), wanted, task.weights, task.run.policy).mean().backward()
            optimizer.step()
        with torch.no_grad():
            best.look(epoch, head(validation), task)
    best.restore()
    return best
