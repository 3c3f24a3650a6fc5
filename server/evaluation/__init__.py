"""How good models are: measured by the server on its examples and by clients on theirs."""
