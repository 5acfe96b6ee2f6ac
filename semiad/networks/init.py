"""Initial weights."""

from torch import nn


def glorot(module: nn.Module) -> None:
    """Glorot-uniform weights and zero biases, the defaults of Keras, in which the AE-SAD authors wrote.

    Meant for `module.apply(glorot)`. Source: Glorot and Bengio, 2010.
    """
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def glorot_normal(module: nn.Module) -> None:
    """Glorot-normal weights and zero biases of linear layers, for `module.apply(glorot_normal)`."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
