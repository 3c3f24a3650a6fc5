"""The compiled trainer: the same training as `clients.training.trainer`, in C, one client after the other.

It is optional. `library.library()` is None where no compiler was at hand when Hothouse was installed; PyTorch then
trains. Parts of a scenario declare what it heeds of them; `trainer.CompiledTrainer` trains, `kernel/` is
the C.
"""
