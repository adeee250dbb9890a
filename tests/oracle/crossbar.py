"""The sparse LU oracle: it ships in the package, where `xbar verify` uses it too."""

from xbar_cli.verify.sparse import crossbar

__all__ = ["crossbar"]
