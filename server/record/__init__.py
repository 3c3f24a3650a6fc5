"""What is kept of a run: its state, checkpoints and what resumes it, its folder, and who is told."""
