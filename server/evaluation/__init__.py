"""How good models are: measured by the server on its rows and by clients on theirs."""
