"""Autoencoders: an encoder and a decoder, of which a method may take one."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError


class Parts(NamedTuple):
    """The parts of an autoencoder.

    Attributes:
        encoder: from rows to codes.
        decoder: from codes to rows.
    """

    encoder: nn.Module
    decoder: nn.Module


class Autoencoder(nn.Module):
    """Reconstructs a row from its code.

    Args:
        encoder: from rows to codes.
        decoder: from codes to rows.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """Reconstruct rows."""
        x_hat: Tensor = self.decoder(self.encoder(x))
        return x_hat


def has_parts(net: nn.Module) -> bool:
    """Whether a network has the attributes `encoder` and `decoder`; it may be of any class."""
    return all(isinstance(getattr(net, name, None), nn.Module) for name in ("encoder", "decoder"))


def parts(net: nn.Module) -> Parts:
    """Take the encoder and the decoder of a network.

    Raises:
        InputError: it has none.
    """
    if not has_parts(net):
        raise InputError(f"network {type(net).__name__} has no encoder and decoder, which this method needs")
    encoder, decoder = net.encoder, net.decoder
    assert isinstance(encoder, nn.Module) and isinstance(decoder, nn.Module)
    return Parts(encoder, decoder)
