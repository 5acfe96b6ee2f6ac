"""What every autoencoder is: an encoder and a decoder, of which a method may take one."""

from jaxtyping import Float
from torch import Tensor, nn

from semiad.errors import InputError


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


def parts(net: nn.Module) -> Autoencoder:
    """A network as one with an encoder and a decoder.

    Raises:
        InputError: it has none.
    """
    if not isinstance(net, Autoencoder):
        raise InputError(f"network {type(net).__name__} has no encoder and decoder, which this method needs")
    return net
