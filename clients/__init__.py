"""The clients' side: a Flower ClientApp that trains blocks of clients as stacked tensors."""
