"""Batch normalization as weights of the convolution before it, where it costs nothing.

In evaluation mode it is an affine map per channel (Ioffe & Szegedy 2015, arXiv 1502.03167). A fifth of the
time of EfficientNet-Lite0 on a CPU is spent on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from protloc.config.backbones import Network
from protloc.models.length import vector_length

KINDS = (nn.BatchNorm2d, BatchNormAct2d)


class Trace(TorchDispatchMode):
    """Which modules were called on what during a pass.

    outputs: of each convolution. inputs: of each batch normalization. uses: how many operations took the
    output of a convolution, by its id.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.outputs: dict[str, list[Tensor]] = {}
        self.inputs: dict[str, list[Tensor]] = {}
        self.uses: Counter[int] = Counter()
        self.hooks = []
        for name, module in model.named_modules():
            if isinstance(module, nn.Conv2d):
                self.hooks.append(module.register_forward_hook(partial(self._keep_output, name)))
            elif type(module) in KINDS:
                self.hooks.append(module.register_forward_pre_hook(partial(self._keep_input, name)))

    def __torch_dispatch__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        self.uses.update(id(of) for of in tree_leaves((args, kwargs)) if isinstance(of, Tensor))
        return function(*args, **(kwargs or {}))

    def _keep_output(self, name: str, module: nn.Module, inputs: tuple, output: Tensor) -> None:
        self.outputs.setdefault(name, []).append(output)
        self.uses[id(output)] = 0

    def _keep_input(self, name: str, module: nn.Module, inputs: tuple) -> None:
        self.inputs.setdefault(name, []).append(inputs[0])

    def pairs(self) -> list[tuple[str, str]]:
        """Convolutions and batch normalizations, each called once, one on the output of the other alone."""
        of = {id(outputs[0]): name for name, outputs in self.outputs.items() if len(outputs) == 1}
        single = {name: id(inputs[0]) for name, inputs in self.inputs.items() if len(inputs) == 1}
        return [(of[used], name) for name, used in single.items() if used in of and self.uses[used] == 1]


def fold_batch_norms(model: nn.Module, network: Network) -> None:
    """Fold each batch normalization of a model in evaluation mode that takes a convolution's output alone.

    What timm puts behind it, dropout and activation, stays. Others stay as they are, as where it comes before
    a convolution. The model's vectors stay the same up to rounding.
    """
    if not any(type(module) in KINDS for module in model.modules()):
        return
    trace = Trace(model)
    with trace:
        vector_length(model, network)
    for hook in trace.hooks:
        hook.remove()
    for conv, norm in trace.pairs():
        module = model.get_submodule(norm)
        rest = [module.drop, module.act] if isinstance(module, BatchNormAct2d) else []
        model.set_submodule(conv, fuse_conv_bn_eval(model.get_submodule(conv), module))
        model.set_submodule(norm, nn.Sequential(*rest))
