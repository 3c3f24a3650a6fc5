"""What keeps networks from fitting their rows too well."""
