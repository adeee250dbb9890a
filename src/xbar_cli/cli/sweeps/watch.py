"""`xbar watch`."""

from pathlib import Path

import click

from xbar_cli.interruption import unwinding

ENDED = "what is watched goes on, and the same command watches it again"
"""After Ctrl-C."""


@click.command(epilog="Example: xbar watch runs/schemes")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", default=0, help="Port of the page (default a free one)."
)
def watch(folder: Path, port: int) -> None:
    """A page on a sweep, a training, or a folder of runs at work: what is done, curves, failures with their logs.

    The page is on this machine's loopback, at an address with a token in it that is made anew every time. It shows and does
    nothing else. Ctrl-C ends it; what is watched goes on. From elsewhere: ssh -L PORT:127.0.0.1:PORT.
    """
    from xbar_cli.errors import ConfigError
    from xbar_cli.watch.look import look, require_something
    from xbar_cli.watch.page import watch_page
    from xbar_cli.watch.server import WatchServer

    require_something(folder)
    page, policy = watch_page(f"xbar watch {folder}")
    try:
        server = WatchServer(port=port, page=page, policy=policy, look=lambda: look(folder))
    except OSError as error:
        raise ConfigError(
            f"--port {port} cannot be listened on ({error.strerror}); choose another one, or leave it out"
        ) from None
    with unwinding(lambda: ENDED), server:
        click.echo(f"watching {folder}: {server.address}")
        server.serve_forever(poll_interval=0.2)
