"""A network on devices: limits, placement, fabrication, arrays folded into what computes, samples."""
