"""What commands share: options, tables on the terminal, progress, running a workflow."""
