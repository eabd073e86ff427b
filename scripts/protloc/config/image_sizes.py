"""Which networks take images of one size alone, known by their names so that nothing has to be imported."""

from __future__ import annotations

import re

from protloc.config.backbones import Network
from protloc.errors import InputError

# The first parts of timm's names of which every architecture has one size, digits at their end left out; as
# its configurations say (`fixed_input_size`). Other ones show themselves when the network is built.
FAMILIES = {
    "aimv", "beit", "beitv", "cait", "coat", "coatnet", "coatnext", "convit", "crossvit", "deit",
    "efficientformer", "efficientformerv", "eva", "flexivit", "gcvit", "gmixer", "gmlp", "hiera", "levit",
    "maxvit", "maxxvit", "maxxvitv", "mixer", "mvitv", "nest", "pit", "resmlp", "samvit", "sequencer2d",
    "swiftformer", "swin", "swinv", "tnt", "twins", "visformer", "vit", "vitamin", "volo", "xcit",
}  # fmt: skip
ANY_SIZE = re.compile("dinov3|sapiens2")  # of those families, and yet of any size


def check_image_size(where: str, network: Network) -> None:
    """Raise InputError, naming the row as `where`, for a network of one size that is not asked for it."""
    family = network.architecture.split("_")[0].rstrip("0123456789")
    if family not in FAMILIES or ANY_SIZE.search(network.architecture):
        return
    if network.image_px is None and not network.options.get("dynamic_img_size"):
        raise InputError(
            f"{where}: {network.architecture} takes images of one size; give image_px, the side that it "
            "takes, or options: {dynamic_img_size: true}, if it is a ViT"
        )
