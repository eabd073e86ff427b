"""How well self-supervised backbones transfer to protein localization in microscopy data."""
