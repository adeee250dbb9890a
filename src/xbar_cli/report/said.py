"""What a comparison of two evaluations says, in sentences."""

from collections.abc import Mapping
from typing import Any


def method(summary: Mapping[str, Any]) -> str:
    """How they were compared, over which chips."""
    chips = summary["common_chips"]
    which = f"the {chips} chips of both" if chips else "the chips, of which one run has one"
    return {
        "paired t": f"Paired over {which} (Student's t)",
        "Welch t": f"Not the same chips ({summary['not_paired_because']}): compared as independent (Welch's t)",
        "identical": "The same accuracies",
        "exact": "Nothing spreads over the chips: no test",
    }[summary["method"]]


def value(value: Any) -> str:
    """A value of a configuration in few words; a dash for none."""
    return "–" if value is None else ",".join(map(str, value)) if isinstance(value, list) else str(value)


def interval(summary: Mapping[str, Any]) -> str:
    """The 95 % interval of the difference over chips; a dash where nothing spreads over them."""
    low, high = summary["difference_ci95"]
    return "–" if summary["p_value"] is None else f"{low:+.4f} … {high:+.4f}"


def verdict(summary: Mapping[str, Any]) -> str:
    """One sentence: which is better, and whether the test set is large enough to say so of other images."""
    if summary["identical"]:
        return "Identical: every chip has the same accuracy in both."
    if summary["better"] is None:
        return "No difference can be told apart over these chips (5 % level)."
    which = summary["better"].upper()
    margin = 1.96 * summary["difference_test_set_error"]
    beyond = abs(summary["difference"]) > margin
    images = "more than" if beyond else "less than"
    taken = "over the images in pairs" if summary["images_paired"] else "at most: images taken as independent"
    return (
        f"{which} is better on these images, by {abs(summary['difference']):.4f}; that is {images} the ±{margin:.4f} "
        f"that another test set of this size could shift it (95 %, {taken})."
    )
