"""The compiled trainer: the same training as `clients.training.trainer`, in C, one client after the other.

It is optional. `library.library()` is None where no compiler was at hand when Hothouse was installed; PyTorch then
trains. `common.scenario.engines` says what it covers, `stacks.CompiledStacks` trains a message's clients, `kernel/` is
the C.
"""
