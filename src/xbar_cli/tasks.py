"""What a network can be asked for, and what its answers can be measured by."""

from typing import Literal

Task = Literal["classification", "regression", "labelling", "next_token"]
"""A class of the whole input, numbers, a class at each place of a sequence, the token that follows each one."""

MetricName = Literal["accuracy", "top5", "mse", "r2", "cross_entropy", "perplexity"]
