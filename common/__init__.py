"""What servers and clients share: scenarios, data, models, messages and seeds. Imports nothing of ours."""
