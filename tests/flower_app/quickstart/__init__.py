"""An app written the way that Flower's PyTorch quickstart is."""
