"""A worker that is born again at once: `python -m tests.chaos.worker QUEUE`.

The parent loads everything once and never touches database or broker; each child is a real Celery worker, forked from
it. Whenever the child is gone, killed or ended, the parent forks the next and prints its process id. So a kill meets
a worker at work, not one that is still loading. The parent ends when its standard input closes.
"""

import os
import signal
import sys
import threading


def main() -> None:
    """Fork one worker after the other until nobody listens any more."""
    queue = sys.argv[1]
    import django

    django.setup()
    from volbal.celery import app

    app.loader.import_default_modules()
    app.finalize()
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    while True:
        child = os.fork()
        if child == 0:
            _work(app, queue)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)


def _work(app: object, queue: str) -> None:
    os.dup2(2, 1)  # what it prints is no process id
    code = app.worker_main(  # type: ignore[attr-defined]  # Celery's application
        ["--quiet", "worker", "--queues", queue, "--hostname", f"{queue}-{os.getpid()}@chaos", "--pool", "threads",
         "--concurrency", "2", "--without-mingle", "--without-gossip", "--without-heartbeat", "--loglevel", "WARNING"]
    )  # fmt: skip
    os._exit(int(code or 0))


def _end_with_the_run() -> None:
    """Wait until the run closes our standard input, or dies, then take the child along."""
    sys.stdin.read()
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main()
