"""What happens around a run on this machine: its launch, Ray, what is shown while it runs."""
