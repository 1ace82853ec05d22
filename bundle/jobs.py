"""Runs jobs that depend on each other, a few at a time."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bundle.commands import Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True)
class Job:
    """One piece of work; `run` gets the results of what it needs, by name."""

    name: str
    run: Callable[[dict[str, Any]], Any]
    needs: tuple[str, ...] = field(default=())


def run_all(jobs: Sequence[Job], at_once: int, stop: Callable[[], None]) -> dict[str, Any]:
    """Run every job after those that it needs; earlier in the list means earlier where there is a choice.

    Args:
        jobs: what to run; needs name other jobs of the list.
        at_once: how many run at the same time.
        stop: ends the programs that jobs have started; called when one fails or the caller is interrupted.

    Returns:
        What each job returned, by name, in the order of `jobs`.

    Raises:
        The first job's exception, after the others were stopped.
    """
    results: dict[str, Any] = {}
    waiting = list(jobs)
    running: dict[Future[Any], Job] = {}
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        try:
            while waiting or running:
                ready = [job for job in waiting if all(name in results for name in job.needs)]
                for job in ready[: at_once - len(running)]:
                    waiting.remove(job)
                    needed = {name: results[name] for name in job.needs}
                    running[pool.submit(job.run, needed)] = job
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    results[running.pop(future).name] = future.result()
        except BaseException as error:
            stop()
            failures = [failure for future in running if (failure := future.exception()) is not None]
            real = [failure for failure in failures if not isinstance(failure, Interrupted)]
            if isinstance(error, Interrupted) and real:
                raise real[0] from error
            raise
    return {job.name: results[job.name] for job in jobs}
