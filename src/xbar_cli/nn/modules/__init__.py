"""Networks of the package as plain flax modules: put on arrays as a user's own are, by `nn.sites.crossbar.to_crossbar`."""
