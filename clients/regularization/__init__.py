"""What keeps networks from fitting their examples too well."""
