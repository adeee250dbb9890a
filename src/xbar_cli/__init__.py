"""xbar: neural networks on memristive crossbars, from training to accuracy, energy, area and latency."""

__version__ = "0.1.0"
